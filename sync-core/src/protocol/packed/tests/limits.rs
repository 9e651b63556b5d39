//! Invariant 6, limit by limit: packs that no honest program makes, each within every limit but one.

use super::*;
use crate::protocol::packed::chunk::{Chunk, column};
use crate::protocol::packed::number::{counted, folded, number, signed, size};
use crate::protocol::packed::shape;

/// Flags of a change as the layout has them.
const DEPENDENCIES: u8 = 1;
const START_OP: u8 = 8;
const OTHERS: u8 = 16;
const SHAPE: u8 = 32;
const WHOLE: u8 = 64;
const COLUMNS: u8 = 128;

const LIMITS: PackLimits = PackLimits { changes: 10_000, bytes: 1 << 20 };
const OVER: BadPack = BadPack::TooLarge { what: "bytes", found: LIMITS.bytes + 1, most: LIMITS.bytes };
/// How many things may be named in a byte or two each.
const NAMES: usize = LIMITS.bytes / 16;

type Unpacked = Result<Vec<(Hash, Vec<u8>)>, BadPack>;

/// A pack put together by hand.
#[derive(Default)]
struct Hand {
    changes: usize,
    actors: Vec<Vec<u8>>,
    flags: Vec<(u8, usize)>,
    details: Vec<u8>,
    rest: Vec<u8>,
}

impl Hand {
    /// Of one change with these columns, of which nothing is written yet.
    fn of_columns(columns: u64) -> Self {
        let mut hand = Self::of_one(START_OP | SHAPE | COLUMNS);
        // Its first operation is the first; a shape that is new.
        hand.details.extend([1, 0]);
        number(&mut hand.details, columns);
        (0..columns).for_each(|column| number(&mut hand.details, column));
        hand
    }

    /// Of one change, by an actor of its own.
    fn of_one(flags: u8) -> Self {
        Self { changes: 1, actors: vec![vec![7; 16]], flags: vec![(flags, 1)], ..Self::default() }
    }

    fn unpack(&self) -> Unpacked {
        self.packed().unpack(&Known::news(Kind::Home), LIMITS)
    }

    fn packed(&self) -> Packed {
        let mut bytes = vec![LAYOUT];
        size(&mut bytes, self.changes);
        size(&mut bytes, self.actors.len());
        self.actors.iter().for_each(|actor| counted(&mut bytes, actor));
        for (flag, run) in &self.flags {
            bytes.push(*flag);
            size(&mut bytes, *run);
        }
        counted(&mut bytes, &self.details);
        bytes.extend_from_slice(&self.rest);
        Packed(bytes.into())
    }
}

/// The hash of a change that says nothing.
fn chain(count: u8, others: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut dependencies = vec![Kind::Home.skeleton_hash()];
    let changes = (1..=count).map(|seq| {
        let (actor, others, columns) = (&[7; 16][..], others.to_vec(), Vec::new());
        let chunk = Chunk { dependencies: dependencies.clone(), actor, seq: seq.into(), start_op: 1, others, columns };
        let (hash, bytes) = chunk.build();
        dependencies = vec![hash];
        bytes
    });
    changes.collect()
}

#[test]
fn no_more_is_announced_than_is_there() {
    // Two changes where one is announced.
    let good = chain(2, &[]);
    let mut twice = Hand { changes: 2, flags: vec![(WHOLE, 2)], ..Hand::default() };
    good.iter().for_each(|change| counted(&mut twice.details, change));
    assert_eq!(twice.unpack().map(|changes| changes.len()), Ok(2));
    twice.changes = 1;
    assert_eq!(twice.unpack(), Err(BadPack::Damaged));
    // A column of which more is there than changes have it.
    let mut columns = Hand::of_columns(1);
    columns.rest = vec![0, 1, 0];
    assert!(columns.unpack().is_ok());
    columns.rest = vec![0, 2, 0];
    assert_eq!(columns.unpack(), Err(BadPack::Damaged));
    // Records by the thousand million, and nothing behind that: it is not looked for.
    let mut records = Hand::of_one(START_OP);
    records.details = vec![1];
    records.rest = vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    assert_eq!(records.unpack(), Err(OVER));
}

#[test]
fn records_are_put_together_only_as_far_as_there_is_room() {
    let author = Author { actor: [7; 16], account: AccountId::from_bytes([1; 16]), number: 1 };
    let known = Known { author: Some(author), ..Known::news(Kind::Home) };
    let mut hand = Hand { changes: 1, flags: vec![(START_OP, 1)], details: vec![1], ..Hand::default() };
    // More than a megabyte in some bytes: 43,000 times the same item, under keys so far apart that number 42,000 and
    // those behind it would have none.
    size(&mut hand.rest, 43_000);
    hand.rest.extend([0, 0, 22, 0, 0, 0]);
    number(&mut hand.rest, folded((1 << 32) / 42_000));
    hand.rest.extend([0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(hand.packed().unpack(&known, LIMITS), Err(OVER));
    assert_eq!(hand.packed().unpack(&known, ALL), Err(BadPack::Damaged));
}

#[test]
fn columns_are_no_more_than_a_change_can_have() {
    for (columns, fits) in [(32, true), (33, false)] {
        let mut hand = Hand::of_columns(columns);
        hand.rest = [0, 1, 0].repeat(usize::try_from(columns).unwrap());
        assert_eq!(hand.unpack().map(|changes| changes.len()), if fits { Ok(1) } else { Err(BadPack::Damaged) });
    }
}

#[test]
fn what_is_named_in_a_byte_is_counted_before_it_is_written_out() {
    // Actors of no bytes.
    let mut actors = Hand { actors: vec![vec![]; NAMES], ..Hand::default() };
    assert_eq!(actors.unpack(), Ok(vec![]));
    actors.actors.push(vec![]);
    assert_eq!(actors.unpack(), Err(BadPack::Damaged));
    // Other actors, the skeleton's again and again: as many as may be named are more bytes than may come out.
    let others = |count: usize| {
        let mut hand = Hand::of_columns(0);
        hand.flags = vec![(START_OP | OTHERS | SHAPE | COLUMNS, 1)];
        hand.details = vec![1];
        size(&mut hand.details, count);
        hand.details.extend(vec![0; count]);
        hand.details.extend([0, 0]);
        hand.unpack().map(|changes| changes.len())
    };
    // The actor itself is one name.
    assert_eq!(others(100), Ok(1));
    assert_eq!(others(NAMES - 1), Err(OVER));
    assert_eq!(others(NAMES), Err(BadPack::Damaged));
    // What it builds on: the first that is known, or what nobody knows.
    let builds_on = |count: usize, place: u8| {
        let mut hand = Hand::of_columns(0);
        hand.flags = vec![(DEPENDENCIES | START_OP | SHAPE | COLUMNS, 1)];
        hand.details.clear();
        size(&mut hand.details, count);
        hand.details.extend(vec![place; count]);
        hand.details.extend([1, 0, 0]);
        hand.unpack().map(|changes| changes.len())
    };
    let most = LIMITS.bytes / 32;
    assert_eq!(builds_on(most - 2, 1), Ok(1));
    assert_eq!(builds_on(most, 9), Err(BadPack::Damaged));
    assert_eq!(builds_on(most + 1, 9), Err(OVER), "they are not looked for");
    assert_eq!(builds_on(NAMES - 1, 1), Err(OVER));
    assert_eq!(builds_on(NAMES, 1), Err(BadPack::Damaged));
}

/// What a change has before its columns goes on from the change before it, for nothing.
#[test]
fn the_heads_of_changes_count_as_what_comes_out() {
    let actors: Vec<[u8; 16]> = (0..1_000_u32).map(|n| std::array::from_fn(|at| n.to_le_bytes()[at % 4])).collect();
    let others: Vec<&[u8]> = actors.iter().map(<[u8; 16]>::as_slice).collect();
    let changes = chain(100, &others);
    let packed = Packed::pack(&changes, &Known::news(Kind::Home));
    assert!(packed.as_bytes().len() < 20_000, "{}", packed.as_bytes().len());
    assert_eq!(packed.unpack(&Known::news(Kind::Home), LIMITS), Err(OVER));
    let all = packed.unpack(&Known::news(Kind::Home), ALL).unwrap();
    assert_eq!(bytes(&all), changes);
}

#[test]
fn what_travels_whole_counts_as_what_comes_out() {
    let changes = chain(100, &[]);
    let slices: Vec<&[u8]> = changes.iter().map(Vec::as_slice).collect();
    let mut bytes = vec![LAYOUT];
    layout::pack(&mut bytes, &slices, &Known::news(Kind::Home), true);
    let most = changes.iter().map(Vec::len).sum();
    let unpack = |bytes_most| {
        let limits = PackLimits { bytes: bytes_most, ..LIMITS };
        Packed(bytes.clone().into()).unpack(&Known::news(Kind::Home), limits).map(|changes| changes.len())
    };
    assert_eq!(unpack(most), Ok(100));
    assert_eq!(unpack(most - 1), Err(BadPack::TooLarge { what: "bytes", found: most, most: most - 1 }));
}

/// Whoever packs trusts no more than whoever unpacks: the one packs what others wrote.
#[test]
fn what_is_deeper_wider_or_longer_than_anybody_types_travels_whole() {
    let nested = |depth| [vec![0x81; depth], vec![0]].concat();
    assert!(shape::parse(&nested(8)).is_some());
    assert!(shape::parse(&nested(9)).is_none());
    let wide =
        |width: usize| [vec![0x8f], [vec![0x90], vec![0; 16]].concat().repeat(width), vec![0; 15 - width]].concat();
    assert!(shape::parse(&wide(14)).is_some());
    assert!(shape::parse(&wide(15)).is_none());
    // A thousand million million operations in some bytes.
    let mut actions = Vec::new();
    signed(&mut actions, 1 << 50);
    actions.push(1);
    let skeleton = crate::domain::container::skeleton_actor();
    let chunk = Chunk {
        dependencies: vec![Kind::Home.skeleton_hash()],
        actor: &[7; 16],
        seq: 1,
        start_op: 1,
        others: vec![skeleton.to_bytes()],
        columns: vec![(column::ACTION, &actions)],
    };
    let (hash, bytes) = chunk.build();
    let packed = Packed::pack(std::slice::from_ref(&bytes), &Known::news(Kind::Home));
    assert_eq!(packed.unpack(&Known::news(Kind::Home), LIMITS), Ok(vec![(hash, bytes)]));
}
