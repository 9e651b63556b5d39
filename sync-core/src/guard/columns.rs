//! The operations of a raw change, column by column: how many rows each column has and whether its numbers are ones that
//! can be, with no run expanded.

/// The columns that edits of ours fill, by their specification (its number, sixteenfold, and its type), in the order in
/// which Automerge writes them. Any other is refused, deflated ones and those of marks among them.
mod spec {
    pub(super) const OBJECT_ACTOR: u64 = 1;
    pub(super) const OBJECT_COUNTER: u64 = 2;
    pub(super) const KEY_ACTOR: u64 = 17;
    pub(super) const KEY_COUNTER: u64 = 19;
    pub(super) const KEY_STRING: u64 = 21;
    pub(super) const INSERT: u64 = 52;
    pub(super) const ACTION: u64 = 66;
    pub(super) const VALUE_META: u64 = 86;
    pub(super) const VALUE: u64 = 87;
    pub(super) const PRED_GROUP: u64 = 112;
    pub(super) const PRED_ACTOR: u64 = 113;
    pub(super) const PRED_COUNTER: u64 = 115;
}

/// The highest number of an action: a mark.
const LAST_ACTION: u64 = 7;

/// The longest name of a key, in bytes: of a container, or of a record, a device's number and a counter. Automerge keeps
/// one for each operation that has it, however few bytes say so.
const LONGEST_NAME: usize = 64;

/// It is not written as Automerge writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotInForm;

/// Reads bytes from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], NotInForm> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(NotInForm)?;
        self.0 = rest;
        Ok(taken)
    }

    /// `count` things of `length` bytes.
    pub(super) fn many(&mut self, count: usize, length: usize) -> Result<&'a [u8], NotInForm> {
        self.take(count.checked_mul(length).ok_or(NotInForm)?)
    }

    /// An unsigned LEB128 number in its shortest writing.
    pub(super) fn unsigned(&mut self) -> Result<u64, NotInForm> {
        let mut number: u64 = 0;
        for at in 0..10 {
            let (byte, rest) = self.0.split_first().ok_or(NotInForm)?;
            self.0 = rest;
            let low = u64::from(byte & 0x7f);
            if at == 9 && low > 1 {
                return Err(NotInForm);
            }
            number |= low << (7 * at);
            if byte & 0x80 == 0 {
                return if at > 0 && *byte == 0 { Err(NotInForm) } else { Ok(number) };
            }
        }
        Err(NotInForm)
    }

    /// A signed LEB128 number in its shortest writing.
    pub(super) fn signed(&mut self) -> Result<i64, NotInForm> {
        let mut number: i64 = 0;
        let mut before = 0_u8;
        for at in 0..10 {
            let (byte, rest) = self.0.split_first().ok_or(NotInForm)?;
            self.0 = rest;
            if at == 9 && !matches!(byte, 0 | 0x7f) {
                return Err(NotInForm);
            }
            number |= i64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                // A last byte that only repeats the sign of the one before it says nothing.
                let repeats = at > 0 && matches!((byte, before & 0x40), (0, 0) | (0x7f, 0x40));
                let negative = byte & 0x40 != 0 && at < 9;
                return match repeats {
                    true => Err(NotInForm),
                    false if negative => Ok(number | (-1_i64 << (7 * (at + 1)))),
                    false => Ok(number),
                };
            }
            before = *byte;
        }
        Err(NotInForm)
    }

    /// A number of things in memory.
    pub(super) fn size(&mut self) -> Result<usize, NotInForm> {
        usize::try_from(self.unsigned()?).map_err(|_| NotInForm)
    }

    /// Bytes behind their length.
    fn bytes(&mut self) -> Result<&'a [u8], NotInForm> {
        let length = self.size()?;
        self.take(length)
    }
}

/// What the columns of a change must keep to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How many operations it has.
    pub(super) operations: u64,
    /// How many operations those take the place of.
    pub(super) replaced: u64,
    /// How many actors it names, its own among them.
    pub(super) actors: usize,
    /// The first operation number that it can't speak of.
    pub(super) counters: u64,
}

/// The columns of a change.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns<'a>(Vec<(u64, &'a [u8])>);

/// How many rows a column has, and how many of them have a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rows {
    all: u64,
    valued: u64,
}

impl Rows {
    fn add(&mut self, count: u64, valued: bool) -> Result<(), NotInForm> {
        self.all = self.all.checked_add(count).ok_or(NotInForm)?;
        self.valued += if valued { count } else { 0 };
        Ok(())
    }

    /// Every one of `count` rows has a value.
    fn full(self, count: u64) -> Result<(), NotInForm> {
        hold(self == Self { all: count, valued: count })
    }
}

fn hold(holds: bool) -> Result<(), NotInForm> {
    if holds { Ok(()) } else { Err(NotInForm) }
}

/// Walks the runs of a column: `read` reads a value, `visit` is told how often it stands. Only the writing that
/// Automerge itself makes is taken: a run has two rows or more, and what stands together is written together.
fn runs<'a, V: PartialEq + Copy>(
    column: &'a [u8],
    read: impl Fn(&mut Reader<'a>) -> Result<V, NotInForm>,
    mut visit: impl FnMut(u64, V) -> Result<(), NotInForm>,
) -> Result<Rows, NotInForm> {
    #[derive(PartialEq)]
    enum Before {
        Nothing,
        Nulls,
        Run,
        Literal,
    }
    let mut reader = Reader::new(column);
    let mut rows = Rows::default();
    let mut before = Before::Nothing;
    let mut last: Option<V> = None;
    while !reader.is_at_end() {
        let count = reader.signed()?;
        if count == 0 {
            let nulls = reader.unsigned()?;
            hold(before != Before::Nulls && nulls > 0)?;
            rows.add(nulls, false)?;
            (before, last) = (Before::Nulls, None);
        } else if count > 0 {
            let value = read(&mut reader)?;
            hold(count > 1 && last != Some(value))?;
            rows.add(count.unsigned_abs(), true)?;
            visit(count.unsigned_abs(), value)?;
            (before, last) = (Before::Run, Some(value));
        } else {
            hold(before != Before::Literal)?;
            // Each of them takes a byte at least, so a number that is made up ends with the column.
            for _ in 0..count.unsigned_abs() {
                let value = read(&mut reader)?;
                hold(last != Some(value))?;
                rows.add(1, true)?;
                visit(1, value)?;
                last = Some(value);
            }
            before = Before::Literal;
        }
    }
    // A column of nothing is left out.
    hold(column.is_empty() || rows.valued > 0)?;
    Ok(rows)
}

/// Rows of numbers that each change by a step from the one before, all from 0 up to `limit`.
fn steps(column: &[u8], limit: u64) -> Result<Rows, NotInForm> {
    let limit = i64::try_from(limit).map_err(|_| NotInForm)?;
    let mut now: i64 = 0;
    runs(column, Reader::signed, |count, step| {
        let count = i64::try_from(count).map_err(|_| NotInForm)?;
        // A run goes one way: if its first and its last number are within, all are.
        let first = now.checked_add(step).ok_or(NotInForm)?;
        let last = step.checked_mul(count).and_then(|steps| now.checked_add(steps)).ok_or(NotInForm)?;
        now = last;
        hold([first, last].iter().all(|number| (0..limit).contains(number)))
    })
}

impl<'a> Columns<'a> {
    /// Reads which columns there are, and takes the bytes of each.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, NotInForm> {
        const KNOWN: [u64; 12] = [
            spec::OBJECT_ACTOR,
            spec::OBJECT_COUNTER,
            spec::KEY_ACTOR,
            spec::KEY_COUNTER,
            spec::KEY_STRING,
            spec::INSERT,
            spec::ACTION,
            spec::VALUE_META,
            spec::VALUE,
            spec::PRED_GROUP,
            spec::PRED_ACTOR,
            spec::PRED_COUNTER,
        ];
        let count = reader.size()?;
        hold(count <= KNOWN.len())?;
        let mut lengths: Vec<(u64, usize)> = Vec::new();
        for _ in 0..count {
            let (name, length) = (reader.unsigned()?, reader.size()?);
            let behind = lengths.last().is_none_or(|(before, _)| *before < name);
            hold(behind && length > 0 && KNOWN.contains(&name))?;
            lengths.push((name, length));
        }
        let columns = lengths.into_iter().map(|(name, length)| Ok((name, reader.take(length)?)));
        columns.collect::<Result<_, _>>().map(Self)
    }

    /// The bytes of a column; none if it is not there.
    fn of(&self, name: u64) -> &'a [u8] {
        self.0.iter().find(|(other, _)| *other == name).map_or(&[], |(_, bytes)| bytes)
    }

    /// How many operations there are, by their actions.
    pub(super) fn operations(&self) -> Result<u64, NotInForm> {
        let rows = runs(self.of(spec::ACTION), Reader::unsigned, |_, action| hold(action <= LAST_ACTION))?;
        rows.full(rows.all)?;
        Ok(rows.all)
    }

    /// How many operations they take the place of.
    pub(super) fn replaced(&self) -> Result<u64, NotInForm> {
        let mut replaced: u64 = 0;
        runs(self.of(spec::PRED_GROUP), Reader::unsigned, |count, each| {
            replaced = count.checked_mul(each).and_then(|more| replaced.checked_add(more)).ok_or(NotInForm)?;
            Ok(())
        })?;
        Ok(replaced)
    }

    /// That every column has its rows, and speaks of actors and operations that can be.
    pub(super) fn check(&self, limits: Limits) -> Result<(), NotInForm> {
        let Limits { operations, replaced, actors, counters } = limits;
        let mut named = vec![false; actors];
        let mut actor_rows = |name: u64| {
            runs(self.of(name), Reader::size, |_, actor| {
                *named.get_mut(actor).ok_or(NotInForm)? = true;
                Ok(())
            })
        };
        // An object has an actor and a number; the root has neither.
        let object = actor_rows(spec::OBJECT_ACTOR)?;
        let number = |_: u64, number: u64| hold((1..counters).contains(&number));
        hold(runs(self.of(spec::OBJECT_COUNTER), Reader::unsigned, number)? == object)?;
        hold(object == Rows::default() || object.all == operations)?;
        // A key is a name, or the place behind an element: an actor and a number, the beginning a number alone.
        let element_actor = actor_rows(spec::KEY_ACTOR)?;
        let element = steps(self.of(spec::KEY_COUNTER), counters)?;
        let name = runs(self.of(spec::KEY_STRING), Reader::bytes, |_, name| {
            hold(name.len() <= LONGEST_NAME && std::str::from_utf8(name).is_ok())
        })?;
        for rows in [element_actor, element, name] {
            hold(rows == Rows::default() || rows.all == operations)?;
        }
        hold(element.valued.checked_add(name.valued) == Some(operations) && element_actor.valued <= element.valued)?;
        self.insert()?.full(operations)?;
        // Values: their types with lengths, and as many bytes as these say.
        let mut bytes: u64 = 0;
        let values = runs(self.of(spec::VALUE_META), Reader::unsigned, |count, meta| {
            let more = (meta >> 4).checked_mul(count).ok_or(NotInForm)?;
            bytes = bytes.checked_add(more).ok_or(NotInForm)?;
            Ok(())
        })?;
        values.full(operations)?;
        hold(bytes == self.of(spec::VALUE).len() as u64)?;
        // What is replaced: how many for each operation, then the actor and number of each.
        runs(self.of(spec::PRED_GROUP), Reader::unsigned, |_, _| Ok(()))?.full(operations)?;
        actor_rows(spec::PRED_ACTOR)?.full(replaced)?;
        steps(self.of(spec::PRED_COUNTER), counters)?.full(replaced)?;
        // No other actor is named for nothing.
        hold(named.iter().skip(1).all(|named| *named))
    }

    /// Counts of rows that are not and that are insertions, in turn.
    fn insert(&self) -> Result<Rows, NotInForm> {
        let mut reader = Reader::new(self.of(spec::INSERT));
        let (mut rows, mut first) = (Rows::default(), true);
        while !reader.is_at_end() {
            let count = reader.unsigned()?;
            // Only the first may be none: the rows then begin with insertions.
            hold(count > 0 || (first && !reader.is_at_end()))?;
            rows.add(count, true)?;
            first = false;
        }
        Ok(rows)
    }
}
