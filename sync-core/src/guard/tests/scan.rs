//! What the scan takes and what it does not: everything that edits make, and only in their one form.

use super::*;
use crate::clock::{Clock as _, SystemClock};
use crate::domain::record::{Note, Photo};
use crate::domain::testing::{below, note, photo};

/// Two people at one home, each with a tablet, who write and meet at random: every change either of them made.
fn two_at_work(seed: u64, rounds: usize) -> Vec<(u32, Vec<u8>)> {
    let mut chance = Seeded::new(seed);
    let mut tablets = [Tablet::new(7), Tablet::new(8)];
    let mut photos: [Vec<Key>; 2] = [vec![], vec![]];
    let mut made = Vec::new();
    for round in 0..rounds {
        let who = below(&mut chance, 2);
        let mut edits = Vec::new();
        for _ in 0..=below(&mut chance, 3) {
            edits.push(match below(&mut chance, 6) {
                0 => Edit::Add(Body::Reading(Reading {
                    place: format!("bathroom-1/door-{}", 1 + below(&mut chance, 5)).parse().unwrap(),
                    measure: Measure::named("door-clear-width").unwrap(),
                    value: 600 + i32::try_from(below(&mut chance, 300)).unwrap(),
                    method: Method::Tape,
                    photos: vec![],
                    supersedes: vec![],
                })),
                1 => Edit::Add(Body::Note(Note { ..note("access", "Two steps up, rail on the left. 🚪") })),
                2 => {
                    let hash = u8::try_from(below(&mut chance, 250)).unwrap();
                    let taken = edits.iter().filter(|edit| matches!(edit, Edit::Add(_))).count();
                    let counter = tablets[who].counter + u32::try_from(taken).unwrap() + 1;
                    photos[who].push(Key { device: tablets[who].sender.number, counter });
                    Edit::Add(Body::Photo(Photo {
                        hash: Hash::of(format!("{hash} {who} {round}").as_bytes()),
                        ..photo(hash)
                    }))
                }
                3 if !photos[who].is_empty() => {
                    let photo = photos[who][below(&mut chance, photos[who].len())];
                    Edit::Caption { photo, text: format!("the door, take {round}") }
                }
                _ => {
                    // One splice a change: the next would have to know what the first left.
                    if edits.iter().any(|edit| matches!(edit, Edit::Splice { .. })) {
                        continue;
                    }
                    let view = tablets[who].state.view();
                    let length = view.texts.get(&SharedText::Summary).map_or(0, |words| words.chars().count());
                    let at = below(&mut chance, length + 1);
                    let delete = below(&mut chance, (length - at).min(9) + 1);
                    let insert: String =
                        "Ramp – 1:12 größer 🦽\n".chars().cycle().take(1 + below(&mut chance, 40)).collect();
                    let (at, delete) = (u32::try_from(at).unwrap(), u32::try_from(delete).unwrap());
                    Edit::Splice { text: SharedText::Summary, at, delete, insert }
                }
            });
        }
        if !edits.is_empty() {
            made.push((tablets[who].sender.number, tablets[who].edits(&edits)));
        }
        if below(&mut chance, 4) == 0 {
            let [one, other] = &mut tablets;
            one.hear(&other.state);
            if below(&mut chance, 2) == 0 {
                other.hear(&one.state);
            }
        }
    }
    made
}

#[test]
fn whatever_people_write_and_however_they_meet_every_change_passes_the_scan_and_the_guard() {
    let mut passed = 0;
    for seed in 0..30 {
        let mut server = Document::new(Kind::Home).unwrap();
        for (number, change) in two_at_work(seed, 40) {
            let scanned = scan(&change, &Bounds::default()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let read = automerge::Change::from_bytes(change.clone()).unwrap();
            assert!(is_as_scanned(&read, &scanned), "seed {seed}: {scanned:?} {read:?}");
            assert_eq!(scanned.max_op(), read.max_op());
            server =
                Tablet::new(number).push(&server, &[change]).unwrap_or_else(|why| panic!("{seed}: {why}")).document;
            passed += 1;
        }
    }
    assert!(passed > 900, "{passed}");
}

#[test]
fn a_long_text_at_once_and_its_deletion_pass_the_scan() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let words: String = "Ramp – 1:12 größer 🦽\n".chars().cycle().take(20_000).collect();
    let changes = [tablet.write(0, 0, &words), tablet.write(10, 19_000, "")];
    for change in &changes {
        let scanned = scan(change, &Bounds::default()).unwrap();
        assert!(scanned.operations >= 19_000);
    }
    assert!(tablet.push(&server, &changes).is_ok());
}

#[test]
fn the_skeletons_pass_the_scan() {
    for kind in Kind::ALL {
        let scanned = scan(kind.skeleton(), &Bounds::default()).unwrap();
        assert_eq!((scanned.hash, scanned.seq, scanned.start_op), (kind.skeleton_hash(), 1, 1), "{kind}");
    }
}

/// A change put together byte by byte.
struct Raw {
    deps: Vec<[u8; 32]>,
    head: Vec<u8>,
    others: Vec<Vec<u8>>,
    columns: Vec<(u8, Vec<u8>)>,
    behind: Vec<u8>,
}

impl Raw {
    /// `rows` values put at the root under one name: each column one run.
    fn of(rows: i64) -> Self {
        let run = |value: &[u8]| [&signed(rows)[..], value].concat();
        let columns = vec![
            (21, run(b"\x04kind")),
            (52, unsigned(rows.unsigned_abs())),
            (66, run(&[1])),
            (86, run(&[0])),
            (112, run(&[0])),
        ];
        let mut head = vec![16];
        head.extend([7; 16]);
        // Number 1, first operation 2, no time, no message.
        head.extend([1, 2, 0, 0]);
        Self { deps: vec![[1; 32]], head, others: vec![], columns, behind: vec![] }
    }

    fn column(mut self, name: u8, bytes: &[u8]) -> Self {
        self.columns.retain(|(other, _)| *other != name);
        if !bytes.is_empty() {
            self.columns.push((name, bytes.to_vec()));
            self.columns.sort();
        }
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut contents = unsigned(self.deps.len() as u64);
        contents.extend(self.deps.concat());
        contents.extend(&self.head);
        contents.extend(unsigned(self.others.len() as u64));
        contents.extend(self.others.concat());
        contents.extend(unsigned(self.columns.len() as u64));
        for (name, bytes) in &self.columns {
            contents.extend(unsigned(u64::from(*name)));
            contents.extend(unsigned(bytes.len() as u64));
        }
        contents.extend(self.columns.iter().flat_map(|(_, bytes)| bytes));
        contents.extend(&self.behind);
        chunk(&contents)
    }

    fn scanned(&self) -> Result<Scanned, Unscannable> {
        scan(&self.bytes(), &Bounds::default())
    }
}

fn chunk(contents: &[u8]) -> Vec<u8> {
    let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1];
    chunk.extend(unsigned(contents.len() as u64));
    chunk.extend(contents);
    well_formed(chunk)
}

fn unsigned(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

fn signed(mut number: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !(-0x40..0x40).contains(&number) {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number & 0x7f).unwrap());
    bytes
}

/// The bomb of the design: what took Automerge 22 seconds and 3.8 GB to parse.
#[test]
fn a_thousand_million_operations_in_a_hundred_bytes_are_too_large_at_once() {
    let most = Bounds::default().operations as u64;
    assert_eq!(Raw::of(50_000).scanned().unwrap().operations, most);
    let began = SystemClock::new();
    for rows in [50_001, 1_000_000_000, i64::from(u32::MAX), i64::MAX] {
        let bomb = Raw::of(rows);
        assert!(bomb.bytes().len() < 150);
        let found = rows.unsigned_abs();
        assert_eq!(bomb.scanned(), Err(Unscannable::TooLarge { what: "operations in a change", found, most }));
    }
    // The same in what is replaced, in one number of the group or in many.
    for each in [50_001, 1 << 40, u64::MAX] {
        let bomb = Raw::of(2).column(112, &[&signed(2)[..], &unsigned(each)].concat());
        assert!(matches!(bomb.scanned(), Err(Unscannable::TooLarge { .. } | Unscannable::NotAChange)));
    }
    // In every other column, beside two honest operations.
    for name in [1, 2, 17, 19, 21, 52, 86, 113, 115] {
        let bomb = Raw::of(2).column(name, &[&signed(i64::MAX)[..], &[1]].concat());
        assert_eq!(bomb.scanned(), Err(Unscannable::NotAChange), "column {name}");
        let of_nothing = Raw::of(2).column(name, &[&[0][..], &unsigned(u64::MAX)].concat());
        assert_eq!(of_nothing.scanned(), Err(Unscannable::NotAChange), "column {name}");
    }
    assert!(began.elapsed() < 1_000, "{} ms", began.elapsed());
}

/// Automerge keeps each thing that is replaced, and the name of each operation.
#[test]
fn what_changes_replace_counts_as_they_do_and_a_name_is_short() {
    let of_each = 25_000;
    let run = [&signed(50_000)[..], &[0]].concat();
    let group = [&signed(2)[..], &unsigned(of_each)].concat();
    let bomb = Raw::of(2).column(112, &group).column(113, &run).column(115, &run);
    let scanned = bomb.scanned().unwrap();
    assert_eq!((scanned.operations, scanned.replaced), (2, 50_000));
    let bytes = bomb.bytes();
    assert!(bytes.len() < 150);
    let (of_a_push, what) = (Bounds::default().push_operations, "operations");
    let many = vec![bytes.as_slice(); of_a_push / 50_000 + 1];
    let found = 50_000 * many.len() as u64;
    let refused = Refusal::TooLarge { what: what.to_owned(), found, most: of_a_push as u64 };
    let sums = [(what, of_a_push), ("deps", of_a_push)];
    assert_eq!(scan_all(&many, &Bounds::default(), sums), Err(refused));
    assert!(scan_all(&many[1..], &Bounds::default(), sums).is_ok());

    let named = |length: u8| {
        let name = [&[length][..], &vec![b'x'; usize::from(length)]].concat();
        Raw::of(50_000).column(21, &[&signed(50_000)[..], &name].concat()).scanned()
    };
    assert!(named(64).is_ok());
    assert_eq!(named(65), Err(Unscannable::NotAChange));
}

#[test]
fn what_is_written_otherwise_than_automerge_writes_it_is_refused_before_automerge_sees_it() {
    assert!(Raw::of(3).scanned().is_ok());
    let forms: Vec<(&str, Raw)> = vec![
        (
            "a number longer than it needs to be",
            Raw {
                head: {
                    let mut head = Raw::of(3).head;
                    head.splice(17..18, [0x81, 0]);
                    head
                },
                ..Raw::of(3)
            },
        ),
        (
            "the number nought",
            Raw {
                head: {
                    let mut head = Raw::of(3).head;
                    head[17] = 0;
                    head
                },
                ..Raw::of(3)
            },
        ),
        (
            "a first operation nought",
            Raw {
                head: {
                    let mut head = Raw::of(3).head;
                    head[18] = 0;
                    head
                },
                ..Raw::of(3)
            },
        ),
        (
            "an actor of 17 bytes",
            Raw {
                head: {
                    let mut head = Raw::of(3).head;
                    head[0] = 17;
                    head.insert(1, 7);
                    head
                },
                ..Raw::of(3)
            },
        ),
        ("deps out of order", Raw { deps: vec![[2; 32], [1; 32]], ..Raw::of(3) }),
        ("a dep twice", Raw { deps: vec![[1; 32]; 2], ..Raw::of(3) }),
        ("itself among the others", Raw { others: vec![[&[16][..], &[7; 16]].concat()], ..Raw::of(3) }),
        ("another that nothing names", Raw { others: vec![[&[16][..], &[8; 16]].concat()], ..Raw::of(3) }),
        ("an empty column", {
            let mut raw = Raw::of(3);
            raw.columns.insert(0, (1, vec![]));
            raw
        }),
        ("columns out of order", {
            let mut raw = Raw::of(3);
            raw.columns.swap(0, 1);
            raw
        }),
        ("a column twice", {
            let mut raw = Raw::of(3);
            raw.columns.insert(2, (66, vec![3, 1]));
            raw
        }),
        ("a column nobody knows", Raw::of(3).column(99, &[3, 1])),
        ("a deflated column", {
            let mut raw = Raw::of(3);
            raw.columns[2].0 = 66 | 8;
            raw
        }),
        ("marks", Raw::of(3).column(148, &[0, 3])),
        ("no actions", Raw::of(3).column(66, &[])),
        ("an action nobody knows", Raw::of(3).column(66, &[3, 9])),
        ("an action that is missing", Raw::of(3).column(66, &[2, 1, 0, 1])),
        ("a row more than there are operations", Raw::of(3).column(86, &[4, 0])),
        ("a row less than there are operations", Raw::of(3).column(86, &[2, 0])),
        ("insertions that are too few", Raw::of(3).column(52, &[2])),
        ("insertions of none", Raw::of(3).column(52, &[3, 0])),
        ("a run of one", Raw::of(3).column(86, &[2, 0, 1, 1])),
        ("two runs of the same", Raw::of(4).column(86, &[2, 0, 2, 0])),
        ("a literal of the same", Raw::of(3).column(86, &[0x7d, 0, 0, 0])),
        ("a literal that is cut", Raw::of(3).column(86, &[0x7d, 0])),
        ("values that are not there", Raw::of(3).column(86, &[3, 0x16])),
        ("values that nothing speaks of", Raw::of(3).column(87, b"abc")),
        ("an object of an actor that is not there", Raw::of(3).column(1, &[3, 1]).column(2, &[3, 1])),
        ("an object of no actor", Raw::of(3).column(2, &[3, 1])),
        ("an object of the future", Raw::of(3).column(1, &[3, 0]).column(2, &[3, 9])),
        ("a name that is no text", Raw::of(3).column(21, &[3, 1, 0xff])),
        ("no keys", Raw::of(3).column(21, &[])),
        ("keys of both sorts", Raw::of(3).column(19, &[3, 0])),
        ("an element of the future", Raw::of(3).column(21, &[]).column(17, &[3, 0]).column(19, &[0x7f, 9, 2, 0])),
        ("an element before the first", Raw::of(3).column(21, &[]).column(17, &[3, 0]).column(19, &[3, 0x7f])),
        ("what is replaced and not named", Raw::of(3).column(112, &[3, 1])),
        ("what is named and not replaced", Raw::of(3).column(113, &[3, 0]).column(115, &[0x7f, 1, 2, 0])),
        (
            "operations beyond 32 bits",
            Raw {
                head: {
                    let mut head = Raw::of(3).head;
                    head.splice(18..19, unsigned(u64::from(u32::MAX) - 2));
                    head
                },
                ..Raw::of(3)
            },
        ),
    ];
    for (what, raw) in forms {
        assert_eq!(raw.scanned(), Err(Unscannable::NotAChange), "{what}");
    }
    let decorated: Vec<(&str, Raw)> = vec![
        (
            "a time",
            Raw {
                head: {
                    let mut head = Raw::of(3).head;
                    head[19] = 5;
                    head
                },
                ..Raw::of(3)
            },
        ),
        (
            "a message",
            Raw {
                head: {
                    let mut head = Raw::of(3).head;
                    head[20] = 1;
                    head.push(b'x');
                    head
                },
                ..Raw::of(3)
            },
        ),
        ("50 kB behind the columns", Raw { behind: vec![7; 50 << 10], ..Raw::of(3) }),
    ];
    for (what, raw) in decorated {
        assert_eq!(raw.scanned(), Err(Unscannable::Decorated), "{what}");
    }
}

#[test]
fn a_compressed_chunk_a_document_and_two_chunks_are_no_change() {
    let change = Raw::of(3).bytes();
    for kind in [0, 2, 3, 255] {
        let mut other = change.clone();
        other[8] = kind;
        assert_eq!(scan(&well_formed(other), &Bounds::default()), Err(Unscannable::NotAChange), "{kind}");
    }
    let compressed = Tablet::new(7).twin().state.save();
    assert_eq!(scan(&compressed, &Bounds::default()), Err(Unscannable::NotAChange));
    assert_eq!(scan(&[change.clone(), change].concat(), &Bounds::default()), Err(Unscannable::NotAChange));
}

#[test]
fn a_large_change_is_scanned_in_time_that_grows_with_its_bytes() {
    // A literal of as many different names as fit: the slowest column, byte for byte.
    let began = SystemClock::new();
    let names: Vec<u8> =
        (0..50_000_u32).flat_map(|at| [&[2][..], &u16::try_from(at).unwrap().to_be_bytes()].concat()).collect();
    let raw = Raw::of(50_000).column(21, &[&signed(-50_000)[..], &names].concat());
    assert!(raw.scanned().is_err(), "these bytes are no text");
    let literal: Vec<u8> = (0..50_000_u32).flat_map(|at| unsigned(u64::from(at % 2))).collect();
    let raw = Raw::of(50_000).column(66, &[&signed(-50_000)[..], &literal].concat());
    assert_eq!(raw.scanned().unwrap().operations, 50_000);
    assert!(began.elapsed() < 1_000, "{} ms", began.elapsed());
}
