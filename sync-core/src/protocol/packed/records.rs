//! Records and typed text of many changes, column by column: like beside like.

mod read;
mod write;

pub(super) use self::read::Reader;
pub(super) use self::write::Writer;
use super::memory::When;
use super::number::{Bytes, folded, unfolded};
use super::shape::{self, Leaf};
use crate::id::Key;

/// The fewest bytes that a record takes.
const LEAST: usize = 24;
/// Behind a text: no text has it in it.
const END: u8 = 0xff;

/// How a text is told: word for word,
const LITERALLY: u64 = 0;
/// as the place that was named last,
const SAME: u64 = 1;
/// as the next place of its sort in the same room,
const NEXT: u64 = 2;
/// as another place,
const PLACE: u64 = 3;
/// as a word that both ends know, counted from here.
const WORD: u64 = 4;

/// How typed text goes on: there is none any more,
const DONE: u64 = 0;
/// at the beginning of the text,
const BEGINNING: u64 = 1;
/// behind an element.
const ELEMENT: u64 = 2;

/// A record taken apart.
struct Parts<'b> {
    key: Key,
    author: &'b [u8],
    when: When,
    shape: Vec<u8>,
    leaves: Vec<Leaf<'b>>,
}

impl<'b> Parts<'b> {
    /// `None` when it is of no form that [`record`] gives again.
    fn parse(container: usize, key: Key, bytes: &'b [u8]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        if rest.take(2)? != [0x83, 0x50] {
            return None;
        }
        let author = rest.take(16)?;
        let mut decoder = minicbor::Decoder::new(rest.0);
        // What is not known is left out at the end.
        let count = decoder.array().ok()?;
        let (claimed, elapsed) = (decoder.u64().ok()?, decoder.u64().ok()?);
        let offset = match count? {
            2 => 0,
            3 => folded(decoder.i64().ok()?.cast_unsigned()).checked_add(1)?,
            _ => return None,
        };
        let (shape, leaves) = shape::parse(rest.0.get(decoder.position()..)?)?;
        let when = When { claimed, elapsed, offset };
        let mut given = leaves.iter().cloned();
        let again = record(author, when, &shape, || given.next())?;
        let same = again == bytes && shape::container(&shape) == Some(container);
        same.then_some(Self { key, author, when, shape, leaves })
    }
}

/// A record put together.
fn record<'b>(author: &[u8], when: When, shape: &[u8], next: impl FnMut() -> Option<Leaf<'b>>) -> Option<Vec<u8>> {
    let mut bytes = vec![0x83];
    shape::head(&mut bytes, 2, author.len() as u64);
    bytes.extend_from_slice(author);
    bytes.push(if when.offset == 0 { 0x82 } else { 0x83 });
    shape::head(&mut bytes, 0, when.claimed);
    shape::head(&mut bytes, 0, when.elapsed);
    if let Some(offset) = when.offset.checked_sub(1) {
        let offset = unfolded(offset).cast_signed();
        let (major, value) = if offset < 0 { (1, !offset) } else { (0, offset) };
        shape::head(&mut bytes, major, value.cast_unsigned());
    }
    shape::build(&mut bytes, shape, next)?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::number::{counted, size};
    use super::super::rows::{After, Run};
    use super::*;
    use crate::clock::{Stamp, Timestamp};
    use crate::domain::record::{Body, Record};
    use crate::domain::testing::note;
    use crate::id::AccountId;

    const AUTHOR: Option<([u8; 16], u32)> = Some(([1; 16], 1));

    /// A thousand times the same words, in one change.
    fn repeated(words: &str) -> Vec<u8> {
        let at = Stamp { claimed: Timestamp::from_millis(0), elapsed: 0, offset: None };
        let body = Body::Note(note("property", words));
        let record = Record { by: AccountId::from_bytes([1; 16]), at, body }.to_bytes();
        let run = |counter| Run::Record { container: 3, key: Key { device: 1, counter }, record: (&record).into() };
        let runs: Vec<Run<'_>> = (1..=1_000).map(run).collect();
        let mut writer = Writer::new(AUTHOR);
        assert!(writer.change(&runs));
        let mut bytes = Vec::new();
        writer.write(&mut bytes);
        bytes
    }

    /// Invariant 6: a few bytes that stand for many records cost no more than there is room for.
    #[test]
    fn records_are_read_only_as_far_as_there_is_room_for_them() {
        // A word that both ends know: a byte or two for all of them.
        let bytes = repeated("communal-entrance");
        assert!(bytes.len() < 100, "{}", bytes.len());
        let read = |room| Reader::read(&mut Bytes(&bytes), (1, room), AUTHOR).unwrap();
        assert!(read(1_000 * LEAST - 1).is_none(), "more records than there is room for");
        let mut reader = read(1_000 * LEAST).unwrap();
        assert!(reader.change(1_000 * LEAST).unwrap().is_none(), "more bytes than there is room for");
        let all = read(1 << 20).unwrap().change(1 << 20).unwrap().unwrap();
        assert_eq!(all.len(), 1_000);
        // What was typed stands there once, and counts as well.
        let typed = Run::Text { text: 0, after: After::Beginning, typed: "Narrow hall." };
        let mut writer = Writer::new(AUTHOR);
        assert!(writer.change(&[typed]));
        let mut bytes = Vec::new();
        writer.write(&mut bytes);
        let change = |room| Reader::read(&mut Bytes(&bytes), (1, 100), AUTHOR).unwrap().unwrap().change(room).unwrap();
        assert!(change(11).is_none(), "more letters than there is room for");
        assert_eq!(change(12).map(|runs| runs.len()), Some(1));
        // Places that take nothing there, and many to a record.
        let many = shape::leaves(&[0; shape::MOST_SHAPE]).unwrap().len();
        let mut bytes = vec![];
        size(&mut bytes, 1_000);
        bytes.push(0);
        bytes.extend([0, u8::try_from(shape::COMMON.len()).unwrap()]);
        counted(&mut bytes, &[0; shape::MOST_SHAPE]);
        // The next keys, by the author, at no time.
        bytes.extend([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        bytes.extend([0, 0].repeat(many));
        assert!(Reader::read(&mut Bytes(&bytes), (1, 1_000 * many - 1), AUTHOR).unwrap().is_none());
        assert!(Reader::read(&mut Bytes(&bytes), (1, 1_000 * many), AUTHOR).unwrap().is_some());
    }

    /// Invariant 6: what is held of runs and of columns before anything is written out has its bound too.
    #[test]
    fn runs_of_text_and_columns_are_held_only_as_far_as_there_is_room_for_them() {
        // Runs of text that say nothing, three bytes each.
        let mut bytes = [0, 1, 0].repeat(10_000);
        bytes.extend([0, 0]);
        let read = |room| Reader::read(&mut Bytes(&bytes), (1, room), AUTHOR);
        assert!(matches!(read(80_000 - 1), Some(None)), "more runs than there is room for");
        assert!(read(80_000).is_none(), "room for them, and none of the columns that follow");
        // A shape of more places than any record has.
        let shaped = |length: usize| {
            let mut bytes = vec![1, 0, 0, u8::try_from(shape::COMMON.len()).unwrap()];
            counted(&mut bytes, &vec![0; length]);
            bytes.extend([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
            bytes.extend(vec![0; 2 * 300]);
            bytes
        };
        let read =
            |length, room| Reader::read(&mut Bytes(&shaped(length)), (1, room), AUTHOR).map(|read| read.is_some());
        assert_eq!(read(shape::MOST_SHAPE, 1 << 20), Some(true));
        assert_eq!(read(shape::MOST_SHAPE + 1, 1 << 20), None);
        assert_eq!(read(shape::MOST_SHAPE, 10_000), Some(false), "its columns take more than there is room for");
    }

    /// Invariant 6: what is remembered to be named again has its bound, even where it takes nothing here.
    #[test]
    fn bytes_are_remembered_only_as_far_as_there_is_room_for_them() {
        // In each of a thousand records, as many bytes of length 0 as a shape may have.
        let (records, many) = (1_000, shape::MOST_SHAPE);
        let told = |token: u8| {
            let mut bytes = vec![];
            size(&mut bytes, records);
            bytes.push(0);
            bytes.extend([0, u8::try_from(shape::COMMON.len()).unwrap()]);
            counted(&mut bytes, &[0x40; shape::MOST_SHAPE]);
            // The next keys, by the author, at no time.
            bytes.extend([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
            bytes.extend([0, token].repeat(many));
            assert!(bytes.len() < 1_000, "{}", bytes.len());
            bytes
        };
        let read = |token, room| Reader::read(&mut Bytes(&told(token)), (1, room), AUTHOR).unwrap().is_some();
        let remembered = records * many * size_of::<Vec<u8>>();
        assert!(!read(0, remembered), "new ones, and no room for the columns beside them");
        assert!(read(0, remembered + (100 << 10)));
        assert!(read(1, records * many), "said before, they are remembered already");
    }

    /// As many different hashes as a document may name are packed in the time that it takes to write them.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "what it takes is the matter")]
    fn bytes_that_all_differ_are_told_as_fast_as_those_that_are_alike() {
        let mut said = super::super::memory::Said::default();
        let bytes = |n: u32| crate::id::Hash::of(&n.to_be_bytes());
        let began = std::time::Instant::now();
        assert!((0..200_000).all(|n| said.tell(bytes(n).as_bytes()) == 0));
        assert!((0..200_000).all(|n| said.tell(bytes(n).as_bytes()) == u64::from(n) + 1));
        // Looking through all that was said, each time, took minutes.
        assert!(began.elapsed().as_secs() < 20);
    }
}
