//! What is known of backups.

use grabrail_server::storage::ledger::{BackupRow, Ledger, Number, Write};
use sync_core::id::Epoch;

use super::feed::behind;
use super::news::Scene;
use super::{put, refused};

pub(super) async fn recorded<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 70).await;
    let account = scene.hand.account();
    let (this, other) = (Epoch::mint(&mut scene.hand.chance), Epoch::mint(&mut scene.hand.chance));
    let backup = |scene: &mut Scene, epoch, up_to: Number| BackupRow {
        epoch,
        up_to,
        digest: scene.hand.hash(),
        at: scene.hand.now(),
    };
    let heard = async |scene: &Scene, after| behind(ledger, scene, account, after).await.backups;
    assert_eq!(heard(&scene, -1).await, []);

    let end = put(ledger, [Write::Touch(scene.case.case)]).await;
    let first = backup(&mut scene, this, end);
    let n = put(ledger, [Write::Backup(first)]).await;
    assert_eq!(n, end + 1, "its own place is not in it");
    assert_eq!(heard(&scene, end).await, [first], "for whoever knows all that it holds");
    assert_eq!(heard(&scene, -1).await, [first]);
    assert_eq!(heard(&scene, n).await, [], "heard of already");

    // Nothing holds what is not there yet, or less than what there is already; nothing less than nothing.
    for up_to in [n + 1, n + 100, end - 1, 0, -1] {
        let wrong = backup(&mut scene, this, up_to);
        refused(ledger, [Write::Backup(wrong)]).await;
    }
    assert_eq!(ledger.end().await.unwrap(), n);
    assert_eq!(heard(&scene, -1).await, [first]);

    // Of another life of the server: it says nothing of this one.
    let elsewhere = backup(&mut scene, other, 1);
    let m = put(ledger, [Write::Backup(elsewhere)]).await;
    assert_eq!(heard(&scene, n).await, [elsewhere]);
    let mut both = vec![first, elsewhere];
    both.sort_unstable_by_key(|backup| backup.epoch);
    assert_eq!(heard(&scene, -1).await, both);

    // The same again, made anew; and then a newer one, in the place of the others.
    let again = backup(&mut scene, this, end);
    put(ledger, [Write::Backup(again)]).await;
    assert_eq!(heard(&scene, m).await, [again]);
    let newer = backup(&mut scene, this, m);
    put(ledger, [Write::Backup(newer)]).await;
    assert_eq!(heard(&scene, m).await, [newer]);
}
