//! What is new for a device.

use grabrail_server::storage::ledger::{CarryRow, CaseRow, DocumentRow, Ledger, News, Number, Since, WITHHELD, Write};
use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, CaseId, DeviceId, Hash};
use sync_core::protocol::sync::PurgeReason;

use super::hand::Hand;
use super::put;

pub(super) struct Scene {
    pub(super) hand: Hand,
    pub(super) case: CaseRow,
    pub(super) document: DocumentRow,
    pub(super) reader: DeviceId,
    pub(super) writer: (DeviceId, AccountId),
    pub(super) end: Number,
}

impl Scene {
    /// A case with a document, both carried by the reader.
    pub(super) async fn new<L: Ledger>(ledger: &L, seed: u64) -> Self {
        let mut hand = Hand::new(seed);
        let case = hand.case_row();
        let document = hand.document_row(case.case);
        let (reader, writer) = (hand.device(), hand.sender());
        let card = CarryRow { device: reader, case: case.case, document: None, n: 0 };
        let writes = [
            Write::Case(case.clone()),
            Write::Document(document.clone()),
            Write::Carry(card),
            Write::Carry(CarryRow { document: Some(document.document), ..card }),
        ];
        let end = put(ledger, writes).await;
        Self { hand, case, document, reader, writer, end }
    }

    pub(super) fn push(&mut self, version: i64, count: usize) -> (Write, Vec<Hash>) {
        let at = (self.document.document, self.case.case);
        let push = self.hand.append(at, version, self.writer, count);
        let Write::Append { changes, .. } = &push else { unreachable!() };
        let hashes = changes.iter().map(|(hash, _)| *hash).collect();
        (push, hashes)
    }
}

fn hashes(news: &News) -> Vec<Hash> {
    news.changes.iter().map(|change| change.hash).collect()
}

pub(super) async fn nothing<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 40).await;
    let (push, _) = scene.push(0, 2);
    let end = put(ledger, [push]).await;
    let stranger = scene.hand.device();
    for after in [0, end - 1, end, end + 10] {
        let news = ledger.news(stranger, after, 5).await.unwrap();
        assert_eq!(news, News { until: end, ..News::default() });
    }
}

pub(super) async fn others<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 41).await;
    let other = scene.hand.document_row(scene.case.case);
    put(ledger, [Write::Document(other.clone())]).await;
    let (push, pushed) = scene.push(0, 3);
    let not_carried = scene.hand.append((other.document, other.case), 0, scene.writer, 2);
    let end = put(ledger, [not_carried, push]).await;
    let at = (scene.document.document, scene.case.case);
    let account = scene.hand.account();
    let own = scene.hand.append(at, 1, (scene.reader, account), 2);
    let last = put(ledger, [own]).await;

    let news = ledger.news(scene.reader, scene.end, 100).await.unwrap();
    assert_eq!(hashes(&news), pushed);
    assert_eq!((news.until, news.more), (last, false));
    let changes = ledger.changes(scene.document.document, 0).await.unwrap();
    assert_eq!(news.changes, changes[..3]);
    assert_eq!(hashes(&ledger.news(scene.reader, end, 100).await.unwrap()), []);
    assert_eq!(hashes(&ledger.news(scene.reader, end - 1, 100).await.unwrap()), pushed);

    // To whom the other document is sent later, what is new in it then is news.
    let carry = CarryRow { device: scene.reader, case: other.case, document: Some(other.document), n: 0 };
    let carried = put(ledger, [Write::Carry(carry)]).await;
    let later = scene.hand.append((other.document, other.case), 1, scene.writer, 1);
    put(ledger, [later]).await;
    assert_eq!(ledger.news(scene.reader, carried, 100).await.unwrap().changes.len(), 1);
    put(ledger, [Write::Uncarry { device: scene.reader, case: other.case, document: Some(other.document) }]).await;
    assert_eq!(ledger.news(scene.reader, carried, 100).await.unwrap().changes, []);
}

pub(super) async fn pages<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 42).await;
    let (mut all, mut ends) = (Vec::new(), Vec::new());
    for version in 0..3 {
        let (push, pushed) = scene.push(version, 5);
        // What others do between is no news, and no end of a page.
        let touch = Write::Touch(scene.case.case);
        put(ledger, [touch.clone()]).await;
        ends.push(put(ledger, [push, touch]).await);
        all.push(pushed);
    }
    let end = put(ledger, [Write::Touch(scene.case.case)]).await;

    for most in 0..18 {
        let (mut seen, mut after, mut pages) = (Vec::new(), scene.end, 0);
        loop {
            let news = ledger.news(scene.reader, after, most).await.unwrap();
            pages += 1;
            // Never a part of a plan, and never more than the rest of one above the bound.
            assert!(news.changes.len() % 5 == 0 && news.changes.len() < most.max(1) + 5);
            assert!(news.until > after);
            seen.extend(hashes(&news));
            after = news.until;
            if !news.more {
                break;
            }
            assert!(ends.contains(&after));
        }
        assert_eq!(seen, all.concat(), "by {most}");
        assert_eq!(after, end);
        assert_eq!(pages, 15_usize.div_ceil(most.max(1).div_ceil(5) * 5), "by {most}");
    }
    // Exactly full at the end: there is no more.
    let news = ledger.news(scene.reader, ends[1], 5).await.unwrap();
    assert_eq!((hashes(&news), news.until, news.more), (all[2].clone(), end, false));
}

/// However few they are, and however well they may be kept: what is too large for one answer is no page.
pub(super) async fn large<L: Ledger>(ledger: &L) {
    for (seed, fewer) in [(45, false), (46, true)] {
        let mut scene = Scene::new(ledger, seed).await;
        let mut all = Vec::new();
        for version in 0..45 {
            let (mut push, _) = scene.push(version, 1);
            let Write::Append { changes, .. } = &mut push else { unreachable!() };
            // Bytes that compression makes next to none of, or no fewer.
            let bytes = |_| if fewer { [0; 32] } else { *scene.hand.hash().as_bytes() };
            changes[0].1 = (0..8192).flat_map(bytes).collect();
            all.push(changes[0].0);
            put(ledger, [push]).await;
        }
        let (mut seen, mut after, mut pages) = (Vec::new(), scene.end, Vec::new());
        loop {
            let news = ledger.news(scene.reader, after, 5_000).await.unwrap();
            pages.push(news.changes.iter().map(|change| change.bytes.len()).sum::<usize>());
            seen.extend(hashes(&news));
            after = news.until;
            if !news.more {
                break;
            }
        }
        assert_eq!(seen, all);
        assert!(pages.len() == 2 && pages[0] >= 8 << 20 && pages[0] < 9 << 20, "{pages:?}");
    }
}

/// The cases whose cards the device carries and that were touched since.
async fn cards_touched<L: Ledger>(ledger: &L, device: DeviceId, after: Number) -> Vec<CaseId> {
    let (nobody, at) = (AccountId::from_bytes([0; 16]), Timestamp::from_millis(0));
    let pulse = ledger.pulse(device, nobody, Since { n: after, at }, at).await.unwrap();
    let cards = pulse.carried.into_iter().filter(|row| row.row.document.is_none() && row.touched > after);
    cards.map(|row| row.row.case).collect()
}

pub(super) async fn touched<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 43).await;
    let (second, third) = (scene.hand.case_row(), scene.hand.case_row());
    let document = scene.hand.document_row(third.case);
    // Of the third only a document is carried, not the card.
    let writes = [
        Write::Case(second.clone()),
        Write::Case(third.clone()),
        Write::Document(document.clone()),
        Write::Carry(CarryRow { device: scene.reader, case: second.case, document: None, n: 0 }),
        Write::Carry(CarryRow { device: scene.reader, case: third.case, document: Some(document.document), n: 0 }),
    ];
    let start = put(ledger, writes).await;
    let touched = async |after| cards_touched(ledger, scene.reader, after).await;
    assert_eq!(touched(start).await, [] as [CaseId; 0]);
    let n = put(ledger, [second.case, third.case, scene.case.case, second.case].map(Write::Touch)).await;
    let mut both = vec![scene.case.case, second.case];
    both.sort_unstable();
    assert_eq!(touched(start).await, both);
    assert_eq!(touched(n).await, []);
    put(ledger, [Write::Touch(second.case)]).await;
    assert_eq!(touched(n).await, [second.case]);
    put(ledger, [Write::Uncarry { device: scene.reader, case: second.case, document: None }]).await;
    assert_eq!(touched(n).await, []);
}

pub(super) async fn touches<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 44).await;
    let mut kinds = Vec::new();
    for write in scene.hand.one_of_each(&scene.case.clone()) {
        let touches = match &write {
            Write::Case(_)
            | Write::Relation(_)
            | Write::Document(_)
            | Write::Author { .. }
            | Write::Prescription(_)
            | Write::SignOff(_)
            | Write::Signed(_)
            | Write::Standing { .. }
            | Write::Photo(_)
            | Write::Touch(_)
            | Write::TouchShown(_) => true,
            Write::Ask(row) => row.decides.is_some(),
            Write::Commission(_)
            | Write::Append { .. }
            | Write::Frame { .. }
            | Write::Quarantine(_)
            | Write::Expect { .. }
            | Write::Carry(_)
            | Write::Card { .. }
            | Write::Choose { .. }
            | Write::Resum(_)
            | Write::Withhold { .. }
            | Write::Uncarry { .. }
            | Write::Brought { .. }
            | Write::Asked { .. }
            | Write::Act(_)
            | Write::Backup(_)
            | Write::Purged(_) => false,
        };
        kinds.push(std::mem::discriminant(&write));
        let n = put(ledger, [write.clone()]).await;
        let touched = cards_touched(ledger, scene.reader, n - 1).await;
        assert_eq!(touched, if touches { vec![scene.case.case] } else { vec![] }, "{write:?}");
        if let Write::Photo(_) = write {
            // A second time changes nothing.
            let n = put(ledger, [write]).await;
            assert_eq!(cards_touched(ledger, scene.reader, n - 1).await, []);
        }
    }
    assert!(kinds.len() >= 14);
    // Written once, somebody was tied to it once, and something prescribed in it.
    let n = put(ledger, [Write::Case(CaseRow { version: 3, ..scene.case.clone() })]).await;
    assert_eq!(cards_touched(ledger, scene.reader, n - 1).await, [scene.case.case]);
}

pub(super) async fn shown<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 49).await;
    let case = scene.case.case;
    let reader = scene.reader;
    let touches = async || {
        let n = put(ledger, [Write::TouchShown(case)]).await;
        cards_touched(ledger, reader, n - 1).await
    };
    assert_eq!(touches().await, []);
    // Of another case it says nothing.
    let other = scene.hand.case_row();
    let signed = scene.hand.signed_row(scene.document.document, other.case, 1);
    put(ledger, [Write::Case(CaseRow { released: Some(scene.hand.released()), ..other }), Write::Signed(signed)]).await;
    assert_eq!(touches().await, []);
    let stands = ledger.case(case).await.unwrap().unwrap();
    let released = CaseRow { released: Some(scene.hand.released()), ..stands };
    put(ledger, [Write::Case(released.clone())]).await;
    assert_eq!(touches().await, [case]);
    let stands = ledger.case(case).await.unwrap().unwrap();
    put(ledger, [Write::Case(CaseRow { released: None, ..stands })]).await;
    assert_eq!(touches().await, []);
    let signed = scene.hand.signed_row(scene.document.document, case, 2);
    put(ledger, [Write::Signed(signed)]).await;
    assert_eq!(touches().await, [case]);
}

pub(super) async fn carries<L: Ledger>(ledger: &L) {
    let mut scene = Scene::new(ledger, 45).await;
    let other = scene.hand.case();
    let card = CarryRow { device: scene.reader, case: scene.case.case, document: None, n: scene.end };
    let document = CarryRow { document: Some(scene.document.document), ..card };
    let n = put(ledger, [Write::Carry(CarryRow { case: other, ..card })]).await;
    let elsewhere = CarryRow { case: other, n, ..card };
    let sorted = |mut rows: Vec<CarryRow>| {
        rows.sort_unstable();
        rows
    };
    assert_eq!(ledger.carried(scene.reader).await.unwrap(), sorted(vec![card, document, elsewhere]));
    assert_eq!(ledger.carried(scene.writer.0).await.unwrap(), []);

    // Sent whole again.
    let n = put(ledger, [Write::Carry(document)]).await;
    let again = CarryRow { n, ..document };
    assert_eq!(ledger.carried(scene.reader).await.unwrap(), sorted(vec![card, again, elsewhere]));
    put(ledger, [Write::Uncarry { device: scene.writer.0, case: card.case, document: None }]).await;
    put(ledger, [Write::Uncarry { device: scene.reader, case: card.case, document: document.document }]).await;
    assert_eq!(ledger.carried(scene.reader).await.unwrap(), sorted(vec![card, elsewhere]));
    put(ledger, [Write::Carry(document)]).await;
    put(ledger, [Write::Uncarry { device: scene.reader, case: card.case, document: None }]).await;
    assert_eq!(ledger.carried(scene.reader).await.unwrap(), [elsewhere]);
}

/// What a device was told to purge lies behind every cursor until it is sent whole or purged.
pub(super) async fn withheld<L: Ledger>(ledger: &L) {
    let scene = Scene::new(ledger, 48).await;
    let (device, case) = (scene.reader, scene.case.case);
    let document = Some(scene.document.document);
    let numbers = async || ledger.carried(device).await.unwrap().iter().map(|row| row.n).collect::<Vec<_>>();
    put(ledger, [Write::Withhold { device: scene.writer.0, case, document: None, reason: PurgeReason::Ended }]).await;
    assert_eq!(numbers().await, [scene.end, scene.end]);
    put(ledger, [Write::Withhold { device, case, document, reason: PurgeReason::Ended }]).await;
    assert_eq!(numbers().await, [scene.end, WITHHELD]);
    let n = put(ledger, [Write::Carry(CarryRow { device, case, document, n: 0 })]).await;
    assert_eq!(numbers().await, [scene.end, n]);
    put(ledger, [Write::Withhold { device, case, document: None, reason: PurgeReason::Ended }]).await;
    assert_eq!(numbers().await, [WITHHELD, WITHHELD]);
    put(ledger, [Write::Uncarry { device, case, document: None }]).await;
    assert_eq!(numbers().await, [] as [i64; 0]);
}
