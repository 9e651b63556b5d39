mod limits;

use super::*;
use crate::clock::{Chance as _, Seeded, Stamp, Timestamp};
use crate::domain::document::Document;
use crate::domain::edit::Edit;
use crate::domain::record::{Body, Item, SharedText};
use crate::domain::testing::{below, note, reading};
use crate::domain::vocabulary::ItemKind;
use crate::envelope::Signed;
use crate::id::{AccountId, CaseId, Key};
use crate::protocol::{Push, SyncRequest, codec};

const ALL: PackLimits = PackLimits { changes: 100_000, bytes: 64 << 20 };
const WORDS: [&str; 8] = ["steep", "path", "to", "the", "door", "rail", "loose", "mat"];

/// Somebody with a copy of one document.
struct Writer {
    document: Document,
    actor: [u8; 16],
    account: AccountId,
    number: u32,
    counter: u32,
    clock: i64,
}

impl Writer {
    fn new(kind: Kind, number: u8) -> Self {
        let (document, account) = (Document::new(kind).unwrap(), AccountId::from_bytes([number; 16]));
        let (actor, clock) = ([number ^ 0x55; 16], 1_800_000_000_000);
        Self { document, actor, account, number: u32::from(number), counter: 0, clock }
    }

    fn edit(&mut self, edits: &[Edit], chance: &mut Seeded) -> (Hash, Vec<u8>) {
        self.clock += 4_000 + i64::try_from(below(chance, 60_000)).unwrap();
        let elapsed = u64::try_from(self.clock - 1_799_999_000_000).unwrap();
        let at = Stamp { claimed: Timestamp::from_millis(self.clock), elapsed, offset: Some(-37) };
        let (device, counter) = (self.number, &mut self.counter);
        let mut keys = std::iter::from_fn(|| {
            *counter += 1;
            Some(Key { device, counter: *counter })
        });
        self.document.edit(self.actor, self.account, at, &mut keys, edits).unwrap()
    }

    /// Something that a therapist might type.
    fn anything(&mut self, chance: &mut Seeded) -> (Hash, Vec<u8>) {
        let words = |chance: &mut Seeded| {
            (0..3 + below(chance, 6)).map(|_| WORDS[below(chance, 8)]).collect::<Vec<_>>().join(" ")
        };
        let edit = match below(chance, 10) {
            0 => Edit::Add(Body::Note(note("property", &words(chance)))),
            1 => Edit::Add(Body::Item(Item { kind: ItemKind::VisitorRisk })),
            2 => Edit::Splice { text: SharedText::Summary, at: 0, delete: 0, insert: words(chance) },
            _ => {
                let place = format!("bathroom-1/door-{}", 1 + below(chance, 9));
                let value = 600 + i32::try_from(below(chance, 400)).unwrap();
                Edit::Add(Body::Reading(reading(&place, "door-clear-width", value)))
            }
        };
        self.edit(&[edit], chance)
    }
}

fn bytes(changes: &[(Hash, Vec<u8>)]) -> Vec<&[u8]> {
    changes.iter().map(|(_, bytes)| bytes.as_slice()).collect()
}

fn mine(writer: &Writer) -> Known {
    let author = Author { actor: writer.actor, account: writer.account, number: writer.number };
    Known { kind: Kind::Home, base: vec![Kind::Home.skeleton_hash()], author: Some(author) }
}

#[test]
fn whatever_people_write_alone_and_together_comes_back_byte_for_byte() {
    for seed in 0..30 {
        let mut chance = Seeded::new(seed);
        let mut writers: Vec<Writer> = (1..=3).map(|number| Writer::new(Kind::Home, number)).collect();
        for _ in 0..20 {
            let (one, other) = (below(&mut chance, 3), below(&mut chance, 3));
            if below(&mut chance, 3) == 0 && one != other {
                let theirs = writers[other].document.changes_since(&[]);
                writers[one].document.apply(&theirs).unwrap();
            } else {
                let count = 1 + below(&mut chance, 3);
                let items: Vec<Edit> =
                    (0..count).map(|_| Edit::Add(Body::Item(Item { kind: ItemKind::VisitorRisk }))).collect();
                writers[one].edit(&items, &mut chance);
                writers[one].anything(&mut chance);
            }
        }
        for writer in &writers {
            // What a device that has the skeleton is sent whole, and what one that has something already is sent.
            let all = writer.document.changes_since(&[Kind::Home.skeleton_hash()]);
            for from in [0, all.len() / 2, all.len()] {
                let packed = Packed::pack(&all[from..], &Known::news(Kind::Home));
                let again = packed.unpack(&Known::news(Kind::Home), ALL).unwrap();
                assert_eq!(
                    (bytes(&again), packed.len()),
                    (all[from..].iter().map(Vec::as_slice).collect(), all.len() - from)
                );
                assert!(again.iter().all(|(hash, bytes)| chunk_hash(bytes) == Some(*hash)));
            }
            let packed = Packed::pack(&all, &mine(writer));
            assert_eq!(
                bytes(&packed.unpack(&mine(writer), ALL).unwrap()),
                all.iter().map(Vec::as_slice).collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn what_is_of_no_form_that_can_be_rebuilt_travels_whole_and_what_is_no_change_is_refused() {
    let mut chance = Seeded::new(1);
    let mut writer = Writer::new(Kind::Home, 1);
    let good = writer.anything(&mut chance).1;
    let skeleton = Kind::Home.skeleton();
    let packed = Packed::pack(&[skeleton, &good], &mine(&writer));
    let again = packed.unpack(&mine(&writer), ALL).unwrap();
    assert_eq!(bytes(&again), [skeleton, &good]);
    for bad in [&b""[..], b"no change", &good[..good.len() - 1], &[&good[..], &[0]].concat()] {
        let packed = Packed::pack(&[&good, bad], &mine(&writer));
        assert_eq!(packed.unpack(&mine(&writer), ALL), Err(BadPack::NotAChange { at: 1 }));
    }
}

/// Invariant 6: whatever arrives as packed changes is changes with their right hashes within the limits, or a typed
/// error.
#[test]
fn altered_packs_are_an_error_or_other_changes_and_never_more_than_the_limits() {
    let mut chance = Seeded::new(2);
    let (mut one, mut other) = (Writer::new(Kind::Home, 1), Writer::new(Kind::Home, 2));
    for _ in 0..6 {
        one.anything(&mut chance);
        other.anything(&mut chance);
    }
    one.document.apply(&other.document.changes_since(&[])).unwrap();
    one.anything(&mut chance);
    let all = one.document.changes_since(&[Kind::Home.skeleton_hash()]);
    let known = Known::news(Kind::Home);
    let good = Packed::pack(&all, &known);
    let limits = PackLimits { changes: 40, bytes: 1 << 16 };
    let (mut read, mut refused) = (0, 0);
    let mut check = |bytes: Vec<u8>| match Packed(bytes.into()).unpack(&known, limits) {
        Ok(changes) => {
            read += 1;
            assert!(changes.len() <= limits.changes);
            assert!(changes.iter().all(|(hash, bytes)| chunk_hash(bytes) == Some(*hash)));
            // The chunks' own headers come on top, and whatever is empty.
            let size: usize = changes.iter().map(|(_, bytes)| bytes.len()).sum();
            assert!(size <= limits.bytes + 20 * limits.changes);
        }
        Err(_) => refused += 1,
    };
    for at in 0..good.0.len() {
        check(good.0[..at].to_vec());
        for bit in 0..8 {
            let mut flipped = good.0.to_vec();
            flipped[at] ^= 1 << bit;
            check(flipped);
        }
    }
    for _ in 0..20_000 {
        let mut bytes = good.0.to_vec();
        for _ in 0..=below(&mut chance, 4) {
            let at = below(&mut chance, bytes.len());
            match below(&mut chance, 4) {
                0 => bytes.insert(at, 0xff),
                1 => bytes.truncate(at + 1),
                _ => chance.fill(&mut bytes[at..=at]),
            }
        }
        check(bytes);
    }
    assert!(read > 100 && refused > 1_000, "{read} read, {refused} refused");
}

/// Invariant 6: a few bytes that stand for many cost no more than the limits.
#[test]
fn a_pack_that_would_grow_beyond_the_limits_is_refused_before_it_does() {
    let known = Known::news(Kind::Home);
    let limits = PackLimits { changes: 10_000, bytes: 1 << 20 };
    let over = Err(BadPack::TooLarge { what: "bytes", found: limits.bytes + 1, most: limits.bytes });
    let mut chance = Seeded::new(3);
    let mut writer = Writer::new(Kind::Home, 1);
    let change = writer.edit(&[Edit::Add(Body::Note(note("property", &"steep path ".repeat(300))))], &mut chance).1;
    // The same words in every one of ten thousand changes: next to nothing packed, thirty megabytes rebuilt. Of another
    // kind of document they are not taken apart.
    let columns = Known { kind: Kind::Thread, ..known.clone() };
    let many = vec![change.as_slice(); 10_000];
    let packed = Packed::pack(&many, &columns);
    assert!(packed.0.len() < 60_000, "{}", packed.0.len());
    // The heads of ten thousand changes alone are within the limits.
    let heads = PackLimits { bytes: 4 << 20, ..limits };
    let more = Err(BadPack::TooLarge { what: "bytes", found: heads.bytes + 1, most: heads.bytes });
    assert_eq!(packed.unpack(&columns, heads), more);
    assert!(packed.unpack(&columns, ALL).is_ok());
    assert_eq!(
        packed.unpack(&columns, PackLimits { changes: 9_999, ..ALL }),
        Err(BadPack::TooLarge { what: "changes", found: 10_000, most: 9_999 })
    );
    // The same, each with an end of its own.
    let alike: Vec<Vec<u8>> = (0..500)
        .map(|n| {
            let words = format!("{}{n}", "steep path ".repeat(300));
            // At the same time: that stands before the words.
            writer.clock = 1_800_000_000_000;
            writer.edit(&[Edit::Add(Body::Note(note("property", &words)))], &mut Seeded::new(3)).1
        })
        .collect();
    let packed = Packed::pack(&alike, &columns);
    assert!(packed.0.len() < 60_000, "{}", packed.0.len());
    assert_eq!(packed.unpack(&columns, limits), over);
    assert!(packed.unpack(&columns, ALL).is_ok());
    // Records of words that both ends know, in many changes.
    let items = vec![Edit::Add(Body::Item(Item { kind: ItemKind::VisitorRisk })); 1_000];
    let items: Vec<Vec<u8>> = (0..30).map(|_| writer.edit(&items, &mut chance).1).collect();
    let packed = Packed::pack(&items, &known);
    assert!(packed.0.len() < 300_000, "{}", packed.0.len());
    assert_eq!(packed.unpack(&known, limits), over);
    assert!(packed.unpack(&known, ALL).is_ok());
    // Limits that only a pack made by hand comes to: `limits`.
    let announced = |body: &[u8]| Packed([&[LAYOUT][..], body].concat().into()).unpack(&known, limits);
    assert_eq!(
        announced(&[0xff, 0xff, 0xff, 0xff, 0x0f]),
        Err(BadPack::TooLarge { what: "changes", found: 0xffff_ffff, most: 10_000 })
    );
}

/// How changes are packed may get better; what was packed once unpacks for ever.
#[test]
fn what_was_packed_once_unpacks_for_ever() {
    let mut chance = Seeded::new(5);
    let (mut one, mut other) = (Writer::new(Kind::Home, 1), Writer::new(Kind::Home, 2));
    for _ in 0..4 {
        one.anything(&mut chance);
        other.anything(&mut chance);
    }
    let pushed = one.document.changes_since(&[Kind::Home.skeleton_hash()]);
    one.document.apply(&other.document.changes_since(&[])).unwrap();
    one.anything(&mut chance);
    let news =
        [one.document.changes_since(&[Kind::Home.skeleton_hash()]), vec![Kind::Home.skeleton().to_vec()]].concat();
    let values = [("push", &pushed, mine(&one)), ("news", &news, Known::news(Kind::Home))];
    let packed: Vec<_> = values
        .iter()
        .map(|(name, changes, known)| (format!("packed-{name}"), Packed::pack(changes, known).as_bytes().to_vec()))
        .collect();
    let kept = crate::golden::golden("packed-1.txt", &packed);
    for (name, changes, known) in values {
        let again = Packed(kept[&format!("packed-{name}")].clone().into()).unpack(&known, ALL).unwrap();
        assert_eq!(bytes(&again), changes.iter().map(Vec::as_slice).collect::<Vec<_>>(), "{name}");
    }
}

/// What the evening of one therapist takes: a thousand edits of one change each, in 24 documents, as one request.
#[test]
fn an_evening_of_a_thousand_edits_packs_into_a_tenth() {
    let mut chance = Seeded::new(4);
    let (mut plain, mut count, mut counter, mut clock) = (Vec::new(), 0, 0, 1_800_000_000_000);
    let at = Stamp { claimed: Timestamp::from_millis(clock), elapsed: 0, offset: None };
    let (mut whole, mut alone) = (SyncRequest::new(at), 0);
    for document in 0..24_u8 {
        let mut writer = Writer::new(Kind::Home, 7);
        (writer.clock, writer.counter) = (clock, counter);
        chance.fill(&mut writer.actor);
        let changes: Vec<_> = (0..44).map(|_| writer.anything(&mut chance).1).collect();
        (clock, counter) = (writer.clock, writer.counter);
        count += changes.len();
        plain.extend(changes.concat());
        let mut signature = [0; 64];
        chance.fill(&mut signature);
        let push = Push {
            document: DocumentId::from_bytes([document; 17]),
            case: CaseId::from_bytes([document; 16]),
            kind: Kind::Home,
            fork: 0,
            base: vec![Kind::Home.skeleton_hash()],
            changes: Packed::pack(&changes, &mine(&writer)),
            signature: Signed(signature),
        };
        alone += codec::pack(&SyncRequest { pushes: vec![push.clone()], ..SyncRequest::new(at) }).len();
        whole.pushes.push(push);
    }
    let (sent, packed) = (codec::pack(&whole), whole.pushes.iter().map(|push| push.changes.as_bytes().len()));
    let (plain, sent, packed) = (plain.len(), sent.len(), packed.sum::<usize>());
    println!("{count} changes: {plain} bytes plain, {packed} packed, {sent} sent; {alone} document by document");
    assert!(sent * 10 < plain, "{sent} of {plain}");
    assert!(sent * 10 < alone * 9, "like compresses beside like: {sent} sent, {alone} document by document");
}
