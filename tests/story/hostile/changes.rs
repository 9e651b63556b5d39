//! Changes that no honest program makes, through real HTTP: each is refused by its name, and nothing that anybody could
//! read has changed.

use automerge::ExpandedChange;
use sync_core::guard::chunk_hash;

use super::*;

#[allow(dead_code, reason = "of what is fuzzed, the stories use what makes bytes")]
#[path = "../../fuzz/targets.rs"]
mod targets;

use targets::{bomb, chunk, contents};

/// The same change with something in it that Automerge itself would not write.
fn altered(change: &[u8], alter: impl FnOnce(&mut ExpandedChange)) -> Vec<u8> {
    let mut expanded = automerge::Change::from_bytes(change.to_vec()).unwrap().decode();
    alter(&mut expanded);
    automerge::Change::from(expanded).raw_bytes().to_vec()
}

/// The change with its contents altered byte by byte, under its right length and checksum.
fn rewritten(change: &[u8], rewrite: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = contents(change).to_vec();
    rewrite(&mut bytes);
    chunk(&bytes)
}

/// How DEFLATE writes very many zeros: this, a zero byte for each thousand of them or so, and what ends it.
const ZEROS: [u8; 15] = [0xed, 0xc1, 0x01, 0x01, 0x00, 0x00, 0x00, 0x82, 0x20, 0xff, 0xaf, 0x6e, 0x48, 0x40, 0x01];
const END: [u8; 2] = [0xaf, 0x06];

/// Where the contents of these changes have the number, the first operation and the time: behind one dep and the actor.
const SEQ: usize = 1 + 32 + 1 + 16;

impl Forger {
    /// A push of whatever bytes, signed as well as it can be.
    pub(super) fn push_of(&self, case: CaseId, document: DocumentId, changes: &[Vec<u8>]) -> Push {
        let hashes = changes.iter().filter_map(|change| chunk_hash(change)).collect();
        let base = vec![Kind::Home.skeleton_hash()];
        let envelope = Envelope::new(&self.sender(), document, 0, base.clone(), hashes);
        let signature = sign(&self.key, &envelope.to_bytes());
        let changes = Packed::pack(changes, &Known::push(&self.sender(), (document, Kind::Home), 0, &base));
        Push { document, case, kind: Kind::Home, fork: 0, base, changes, signature }
    }

    /// The changes of somebody who works in a home: an item each.
    fn work(&self, home: DocumentId, first: u32) -> Vec<Vec<u8>> {
        let sender = self.sender();
        let mut state = Document::new(Kind::Home).unwrap();
        let mut keys = (first..).map(|counter| Key { device: sender.number, counter });
        let mut edit = || state.edit(actor(&sender, home, 0), sender.account, stamp(), &mut keys, &rail()).unwrap().1;
        vec![edit(), edit()]
    }
}

/// Invariant 6, and every threat of the guard's: bombs, forged actors, inflated counters, poison, orphans, trailing bytes,
/// truncations.
#[tokio::test]
async fn what_no_honest_program_makes_is_refused_by_its_name_and_changes_nothing_anybody_could_read() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.account("eve", Role::Ot);
    world.case("R-1", "olu");
    let mut olu = Forger::enrol(&world, "olu").await;
    let eve = Forger::enrol(&world, "eve").await;
    let (case, home) = home_of(&world, &mut olu).await;
    let work = olu.work(home, 1);
    let [first, second] = [work[0].clone(), work[1].clone()];
    let length = first.len();
    let zeros = [&ZEROS[..], &vec![0; 100 << 10], &END].concat();
    let deflated = [&[0x85, 0x6f, 0x4a, 0x83][..], &first[4..8], &[2], &leb(zeros.len()), &zeros].concat();
    let not_a_change = "NotAChange { at: 0 }";
    let decorated = "Decorated { at: 0 }";
    let hostile: Vec<(&str, Vec<Vec<u8>>, &str)> = vec![
        ("a bomb of runs", vec![chunk(&bomb(1_000_000_000))], "TooLarge"),
        ("the largest bomb of runs", vec![chunk(&bomb(i64::MAX))], "TooLarge"),
        ("a deflated bomb", vec![deflated], not_a_change),
        (
            "a column that says it is deflated",
            vec![rewritten(&first, |bytes| flip(bytes, &[0x56], 0x5e))],
            not_a_change,
        ),
        ("more bytes than a change may have", vec![chunk(&vec![7; 300 << 10])], "TooLarge"),
        ("another's actor", vec![eve.work(home, 1)[0].clone()], "Actor { at: 0 }"),
        (
            "an actor that is nobody's",
            vec![altered(&first, |change| change.actor_id = automerge::ActorId::from([9; 16]))],
            "Actor { at: 0 }",
        ),
        (
            "a number ahead",
            vec![altered(&first, |change| change.seq = 1 << 40)],
            "Sequence { at: 0, found: 1099511627776, expected: 1 }",
        ),
        (
            "operations near the end of all numbers",
            vec![altered(&first, |change| change.start_op = (u64::from(u32::MAX) - 1).try_into().unwrap())],
            "StartOp { at: 0, found: 4294967294, expected: ",
        ),
        (
            "operations beyond it",
            vec![rewritten(&first, |bytes| drop(bytes.splice(SEQ + 1..SEQ + 2, [0xff; 9].into_iter().chain([1]))))],
            not_a_change,
        ),
        (
            "a number written longer than it needs to be",
            vec![rewritten(&first, |bytes| drop(bytes.splice(SEQ..SEQ + 1, [0x81, 0])))],
            not_a_change,
        ),
        (
            "poison: an object of an actor that is not there",
            vec![rewritten(&first, |bytes| flip(bytes, &[0x7f, 1, 0x7f], 9))],
            not_a_change,
        ),
        (
            "poison: a column that is not all there",
            vec![rewritten(&first, |bytes| bytes.truncate(bytes.len() - 3))],
            not_a_change,
        ),
        ("an orphan", vec![second.clone()], "Missing { at: 0, missing: [Hash("),
        (
            "an orphan of everything",
            vec![altered(&first, |change| change.deps.clear())],
            "Missing { at: 0, missing: [] }",
        ),
        ("bytes behind the chunk", vec![[first.clone(), vec![0; 50 << 10]].concat()], not_a_change),
        ("bytes behind the columns", vec![rewritten(&first, |bytes| bytes.extend([7; 50 << 10]))], decorated),
        ("a time", vec![altered(&first, |change| change.time = 5)], decorated),
        ("a message", vec![altered(&first, |change| change.message = Some("hello".to_owned()))], decorated),
        (
            "no operations",
            vec![altered(&first, |change| change.operations.clear())],
            "Operation { at: 0, operation: 0 }",
        ),
        ("nothing", vec![vec![]], not_a_change),
        ("cut in its head", vec![first[..8].to_vec()], not_a_change),
        ("cut in the middle", vec![first[..length / 2].to_vec()], not_a_change),
        ("cut at its end", vec![first[..length - 1].to_vec()], not_a_change),
        ("cut, with its right length", vec![rewritten(&first, |bytes| bytes.truncate(SEQ + 5))], not_a_change),
    ];
    for (what, changes, expected) in hostile {
        let before = Kept::by(&world).await;
        let push = olu.push_of(case, home, &changes);
        let reply = olu.sync(&world, &SyncRequest { pushes: vec![push], ..empty() }).await;
        let refused: Vec<String> = reply.refused.iter().map(|refused| format!("{:?}", refused.reason)).collect();
        assert!(refused.len() == 1 && refused[0].starts_with(expected), "{what}: {refused:?}");
        assert!(reply.refused[0].quarantine.is_some(), "{what}");
        assert!(reply.documents.iter().all(|news| news.changes.is_empty()), "{what}");
        let after = Kept::by(&world).await;
        only_changed(&before, &after, &SET_ASIDE);
    }
    // The same of a pack that is no pack.
    let whole = olu.push_of(case, home, &work);
    let packed = whole.changes.as_bytes();
    let announcing = [&packed[..1], &leb(1 << 32), &packed[2..]].concat();
    for (what, bytes, expected) in [
        ("a pack that is cut", packed[..packed.len() - 3].to_vec(), not_a_change),
        ("a pack with more behind it", [packed, &[0]].concat(), not_a_change),
        ("a pack of a layout that nobody knows", [&[99], &packed[1..]].concat(), not_a_change),
        ("an empty pack", vec![], not_a_change),
        ("a pack that announces 2^32 changes", announcing, "TooLarge { what: \"changes\", found: 4294967296"),
    ] {
        let before = Kept::by(&world).await;
        let push = Push { changes: Packed::kept(bytes), ..whole.clone() };
        let reply = olu.sync(&world, &SyncRequest { pushes: vec![push], ..empty() }).await;
        let refused: Vec<String> = reply.refused.iter().map(|refused| format!("{:?}", refused.reason)).collect();
        assert!(refused.len() == 1 && refused[0].starts_with(expected), "{what}: {refused:?}");
        assert!(reply.refused[0].quarantine.is_some(), "{what}: it is kept as it came");
        only_changed(&before, &Kept::by(&world).await, &SET_ASIDE);
    }
    // The honest work that all of it was made of still goes in, and a copy of the store that wrote otherwise is an alarm.
    let reply = olu.sync(&world, &SyncRequest { pushes: vec![olu.push_of(case, home, &work)], ..empty() }).await;
    assert_eq!(
        (reply.receipts.map_or(0, |signed| signed.receipts.documents.len()), reply.refused.len()),
        (1, 0),
        "{:?}",
        reply.refused
    );
    let before = Kept::by(&world).await;
    let other = olu.work(home, 50).remove(0);
    let reply = olu.sync(&world, &SyncRequest { pushes: vec![olu.push_of(case, home, &[other])], ..empty() }).await;
    assert_eq!(reply.refused[0].reason, Refusal::Equivocation { at: 0, seq: 1 });
    only_changed(&before, &Kept::by(&world).await, &SET_ASIDE);
    assert!(world.server.log().contains("two changes of one number"));
    let seen = Forger::enrol(&world, "olu").await.sync(&world, &empty()).await;
    let frame = seen.frames.iter().find(|frame| frame.document == home).unwrap();
    let whole = frame.changes.document(Kind::Home).unwrap();
    assert_eq!(whole.changes_since(&[Kind::Home.skeleton_hash()]), work, "what another device is sent");
}

/// Alters the first byte of the first place that reads `place`.
fn flip(bytes: &mut [u8], place: &[u8], to: u8) {
    let at = (SEQ..bytes.len()).find(|at| bytes[*at..].starts_with(place)).unwrap();
    bytes[at] = to;
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}
