//! Writing in documents. Every edit is one change: made, judged by the guard as the server will judge it, and stored
//! with its intention and its place in the outbox in one transaction.

use super::cases::Found;
use super::error::DeviceError;
use super::facade::{Device, Event};
use super::rows::{Counters, Enrolment, OutboxChange, OutboxRow, PhotoRow, Writer, off_thread};
use crate::access::{Standing, Ties};
use crate::clock::Stamp;
use crate::domain::document::Document;
use crate::domain::edit::{Edit, MOST_SPLICE_CHARACTERS};
use crate::domain::fit::Unfit;
use crate::domain::record::{
    About, Body, Fact, Item, Join, Note, Reading, Settlement, SharedText, Strike, TextRead, Value,
};
use crate::domain::view::View;
use crate::domain::vocabulary::{Field, ItemKind, Measure, Method, Place, Section};
use crate::engine::Identity;
use crate::envelope::actor;
use crate::guard::{Bounds, Pushed, Refusal, judge};
use crate::id::{DocumentId, Hash, Heads, Key};

/// Which earlier readings a new one stands in the place of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Replace {
    /// One's own that still stand: a slip mended. Somebody else's stays, and a difference is a clash to be seen.
    #[default]
    Mine,
    /// All that stand, by a person who saw them.
    All,
    /// None.
    None,
}

/// A measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasureInput {
    /// Where.
    pub place: Place,
    /// What.
    pub measure: Measure,
    /// The value in the measure's unit.
    pub value: i32,
    /// How.
    pub method: Method,
    /// Photos of the same document that show it.
    pub photos: Vec<Key>,
    /// Which earlier readings it stands in the place of.
    pub supersedes: Replace,
}

/// Prose: an entry, a remark, a question, an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteInput {
    /// Under which heading.
    pub section: Section,
    /// The words.
    pub text: String,
    /// One's own earlier note that it replaces.
    pub amends: Option<Key>,
    /// Anyone's note that it adds to.
    pub addendum_to: Option<Key>,
    /// What it is about elsewhere.
    pub about: Option<About>,
    /// Photos of the same document that belong to it.
    pub photos: Vec<Key>,
}

impl NoteInput {
    /// A note by itself.
    pub fn new(section: Section, text: impl Into<String>) -> Self {
        Self { section, text: text.into(), amends: None, addendum_to: None, about: None, photos: Vec::new() }
    }
}

/// A photo's row and bytes, stored with the change that records it.
pub(super) struct PhotoToKeep {
    pub(super) hash: Hash,
    pub(super) bytes: Vec<u8>,
}

/// A change that was made and stored.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) heads: Heads,
    pub(super) keys: Vec<Key>,
}

impl Made {
    fn key(self) -> Result<Key, DeviceError> {
        self.keys.first().copied().ok_or(DeviceError::Unfit(Unfit::Nothing))
    }
}

/// Who makes changes of a document, and how the server will see them.
pub(super) struct Maker {
    pub(super) identity: Identity,
    pub(super) document: DocumentId,
    pub(super) fork: u32,
    pub(super) standing: Standing,
    pub(super) ties: Ties,
}

/// A change that was made and not stored yet.
pub(super) struct MadeChange {
    pub(super) hash: Hash,
    pub(super) bytes: Vec<u8>,
    /// The document with it.
    pub(super) document: Document,
}

impl Maker {
    pub(super) fn of(found: &Found, enrolment: &Enrolment) -> Self {
        let (standing, ties) = found.standing(enrolment.role);
        let (document, fork) = (found.row.document, found.row.fork);
        Self { identity: enrolment.identity(), document, fork, standing, ties }
    }

    /// One change of these intentions on top of `current`, judged as the server will judge it: what passes here is not
    /// refused there for its form.
    pub(super) fn make(
        &self,
        current: &Document,
        keys: &[Key],
        at: Stamp,
        edits: &[Edit],
    ) -> Result<MadeChange, DeviceError> {
        let Self { identity, document, fork, standing, ties } = self;
        let (base, mut next) = (current.heads(), current.clone());
        let actor = actor(&identity.sender, *document, *fork);
        let (hash, bytes) = next.edit(actor, identity.sender.account, at, &mut keys.iter().copied(), edits)?;
        let signature = identity.seal_push(*document, *fork, &base, &[hash]);
        let pushed =
            Pushed { document: *document, fork: *fork, base: &base, changes: &[&bytes], signature: &signature };
        judge(pushed, &identity.sender, standing, *ties, current, &Bounds::default()).map_err(
            |refusal| match refusal {
                Refusal::NotAllowed => DeviceError::NotAllowed,
                other => DeviceError::Refused(other),
            },
        )?;
        Ok(MadeChange { hash, bytes, document: next })
    }
}

/// The counters of the keys that these intentions take, behind the last one that was used.
pub(super) fn fresh(used: u32, edits: &[Edit]) -> Result<impl Iterator<Item = u32>, Unfit> {
    let count = edits.iter().filter(|edit| matches!(edit, Edit::Add(_))).count();
    let last = u32::try_from(count).ok().and_then(|count| used.checked_add(count));
    let last = last.ok_or(Unfit::NoKeysLeft)?;
    Ok((used..last).map(|before| before + 1))
}

impl Device {
    /// Makes one change of these intentions. Returns the document's version with it and the keys its records took.
    ///
    /// # Errors
    /// [`DeviceError::Unfit`] and [`DeviceError::NotAllowed`] before anything is stored; [`DeviceError::Store`] when it
    /// can't be stored (a full disk): then nothing has changed.
    pub async fn edit(&self, document: DocumentId, edits: Vec<Edit>) -> Result<(Heads, Vec<Key>), DeviceError> {
        let made = self.change(document, None, move |_, _| Ok(edits)).await?;
        Ok((made.heads, made.keys))
    }

    /// Makes one change of what `build` makes of the document as it reads now; `build` is told the first key that its
    /// records will take.
    pub(super) async fn change(
        &self,
        document: DocumentId,
        photo: Option<PhotoToKeep>,
        build: impl FnOnce(&View, Key) -> Result<Vec<Edit>, DeviceError> + Send + 'static,
    ) -> Result<Made, DeviceError> {
        let enrolment = self.enrolment()?;
        let _one = self.editing.lock().await;
        let found = self.find(document).await?;
        if !found.writable() {
            return Err(DeviceError::NotAllowed);
        }
        self.lease_lets(found.row.case).await?;
        let (current, hides) = self.load_what_fits(&found.row).await?;
        let mut counters = self.reader().single::<Counters>().await?.unwrap_or_default();
        let (used, at) = (counters.key, self.stamp());
        let maker = Maker::of(&found, &enrolment);
        let (edits, base, made, keys) = off_thread(move || {
            let number = maker.identity.sender.number;
            let key = |counter: u32| Key { device: number, counter };
            let edits = build(&current.view(), key(used.saturating_add(1)))?;
            if hides && edits.iter().any(|edit| matches!(edit, Edit::Splice { .. })) {
                return Err(DeviceError::WaitsForSync);
            }
            let keys: Vec<Key> = fresh(used, &edits)?.map(key).collect();
            let made = maker.make(&current, &keys, at, &edits)?;
            Ok((edits, current.heads(), made, keys))
        })
        .await?;
        let MadeChange { hash, bytes, document: next } = made;
        let heads = next.heads();
        let Found { mut row, .. } = found;
        let mut write = Writer::begin(&self.store).await?;
        let change = write.put_change(&mut row, hash, bytes).await?.unwrap_or_default();
        let waiting = OutboxChange {
            document,
            case: row.case,
            hash,
            change,
            fork: row.fork,
            base,
            edits,
            first_key: keys.first().copied(),
            at,
            sent: false,
        };
        let waiting = OutboxRow::Change(waiting);
        write.put_outbox(&waiting.key(), &waiting).await?;
        if let Some(last) = keys.last() {
            counters.key = last.counter;
            write.put_single(&counters).await?;
        }
        if let Some(photo) = &photo {
            let length = u32::try_from(photo.bytes.len()).unwrap_or(u32::MAX);
            let kept = super::Kept::OnThisDevice;
            let (case, hash, recorded_by) = (row.case, photo.hash, Some(hash));
            let photo_row = PhotoRow { document, case, hash, bytes: length, kept, recorded_by, place: None };
            write.put_photo(&photo_row).await?;
            write.put_photo_bytes(&photo_row, &photo.bytes).await?;
        }
        row.set_aside = None;
        write.put_document(&row).await?;
        write.commit().await?;
        self.tell(Event::Document { case: row.case, document });
        Ok(Made { heads, keys })
    }

    async fn add(
        &self,
        document: DocumentId,
        build: impl FnOnce(&View) -> Result<Body, DeviceError> + Send + 'static,
    ) -> Result<Key, DeviceError> {
        self.change(document, None, move |view, _| Ok(vec![Edit::Add(build(view)?)])).await?.key()
    }

    /// Records a measurement; the new reading's key.
    ///
    /// # Errors
    /// As [`Device::edit`].
    pub async fn measure(&self, document: DocumentId, input: MeasureInput) -> Result<Key, DeviceError> {
        let me = self.account()?;
        self.add(document, move |view| {
            let MeasureInput { place, measure, value, method, photos, supersedes } = input;
            let standing = view.current_readings(&place, measure);
            let mine = |key: &Key| view.records.get(key).is_some_and(|record| record.by == me);
            let supersedes = match supersedes {
                Replace::Mine => standing.into_iter().filter(mine).collect(),
                Replace::All => standing,
                Replace::None => Vec::new(),
            };
            Ok(Body::Reading(Reading { place, measure, value, method, photos, supersedes }))
        })
        .await
    }

    /// Sets a field of the document, or of one of its items, in the place of every value that stands on this device.
    ///
    /// # Errors
    /// As [`Device::edit`].
    pub async fn set(
        &self,
        document: DocumentId,
        item: Option<Key>,
        field: Field,
        value: Value,
    ) -> Result<Key, DeviceError> {
        self.add(document, move |view| {
            Ok(Body::Fact(Fact { item, field, value, supersedes: view.current_facts(item, field) }))
        })
        .await
    }

    /// Writes an entry, a remark, a question or an answer; its key.
    ///
    /// # Errors
    /// As [`Device::edit`].
    pub async fn note(&self, document: DocumentId, input: NoteInput) -> Result<Key, DeviceError> {
        let NoteInput { section, text, amends, addendum_to, about, photos } = input;
        let note = Note { section, text, amends, addendum_to, about, photos };
        self.add(document, move |_| Ok(Body::Note(note))).await
    }

    /// Adds an item: a piece of equipment, a goal, something prescribed; its key.
    ///
    /// # Errors
    /// As [`Device::edit`].
    pub async fn item(&self, document: DocumentId, kind: ItemKind) -> Result<Key, DeviceError> {
        self.add(document, move |_| Ok(Body::Item(Item { kind }))).await
    }

    /// Writes a photo's caption.
    ///
    /// # Errors
    /// As [`Device::edit`].
    pub async fn caption(&self, document: DocumentId, photo: Key, text: String) -> Result<Heads, DeviceError> {
        Ok(self.edit(document, vec![Edit::Caption { photo, text }]).await?.0)
    }

    /// Makes a shared text read `words`, by the smallest splice that does it, so that what others write elsewhere in
    /// it stays theirs. Words that are there already change nothing.
    ///
    /// # Errors
    /// As [`Device::edit`].
    pub async fn write_text(
        &self,
        document: DocumentId,
        text: SharedText,
        words: String,
    ) -> Result<Heads, DeviceError> {
        let made = self.change(document, None, move |view, _| {
            Ok(splices(text, view.texts.get(&text).map_or("", String::as_str), &words))
        });
        match made.await {
            Err(DeviceError::Unfit(Unfit::Nothing)) => {
                let row = self.find(document).await?.row;
                match self.load_what_fits(&row).await? {
                    (document, false) => Ok(document.heads()),
                    (_, true) => Err(DeviceError::WaitsForSync),
                }
            }
            other => Ok(other?.heads),
        }
    }

    /// Takes a record back, with a reason; it stays readable, struck through.
    ///
    /// # Errors
    /// As [`Device::edit`].
    pub async fn strike(&self, document: DocumentId, key: Key, reason: String) -> Result<Key, DeviceError> {
        self.add(document, move |_| Ok(Body::Strike(Strike { key, reason }))).await
    }

    /// Says that two places are one: `place` is given up for `same_as`.
    ///
    /// # Errors
    /// As [`Device::edit`].
    pub async fn join(
        &self,
        document: DocumentId,
        place: Place,
        same_as: Place,
        reason: String,
    ) -> Result<Key, DeviceError> {
        self.add(document, move |_| Ok(Body::Join(Join { place, same_as, reason }))).await
    }

    /// Settles a clash by name: `chosen` stands, over `over`, or over all that it clashes with when `over` is empty.
    ///
    /// # Errors
    /// As [`Device::edit`]; [`DeviceError::NoSuchRecord`] when `chosen` clashes with nothing.
    pub async fn settle(
        &self,
        document: DocumentId,
        over: Vec<Key>,
        chosen: Key,
        reason: String,
    ) -> Result<Key, DeviceError> {
        let made = self.change(document, None, move |view, _| {
            let mut over = over;
            if over.is_empty() {
                let clash = view.clashes().into_iter().find(|clash| clash.keys().contains(&chosen));
                let clash = clash.ok_or(DeviceError::NoSuchRecord { what: "clash of", key: chosen })?;
                over = clash.keys().to_vec();
            }
            over.retain(|key| *key != chosen);
            // Two opposite settlements that stand both leave the clash open: the earlier one goes with this.
            let strike = |key| Edit::Add(Body::Strike(Strike { key, reason: reason.clone() }));
            let mut edits: Vec<Edit> = view.opposed(chosen, &over).into_iter().map(strike).collect();
            edits.push(Edit::Add(Body::Settlement(Settlement { chosen, over, reason })));
            Ok(edits)
        });
        made.await?.keys.pop().ok_or(DeviceError::Unfit(Unfit::Nothing))
    }

    /// Says that a shared text which two people had edited at once was read as it stands.
    ///
    /// # Errors
    /// As [`Device::edit`].
    pub async fn text_read(&self, document: DocumentId, text: SharedText) -> Result<Key, DeviceError> {
        self.add(document, move |view| Ok(Body::TextRead(TextRead { text, heads: view.heads.clone() }))).await
    }
}

/// What turns `before` into `after`, touching only what differs, in pieces that an edit may have.
pub(super) fn splices(text: SharedText, before: &str, after: &str) -> Vec<Edit> {
    let (before, after): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
    let head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let tails = before[head..].iter().rev().zip(after[head..].iter().rev());
    let tail = tails.take_while(|(a, b)| a == b).count();
    let (out, put) = (&before[head..before.len() - tail], &after[head..after.len() - tail]);
    let most = MOST_SPLICE_CHARACTERS as usize;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    if out.len() <= most && put.len() <= most {
        if out.is_empty() && put.is_empty() {
            return Vec::new();
        }
        let (at, delete, insert) = (number(head), number(out.len()), put.iter().collect());
        return vec![Edit::Splice { text, at, delete, insert }];
    }
    let takes = out.chunks(most).map(|piece| (head, piece.len(), String::new()));
    let puts = put.chunks(most).enumerate().map(|(i, piece)| (head + i * most, 0, piece.iter().collect()));
    takes
        .chain(puts)
        .map(|(at, delete, insert)| Edit::Splice { text, at: number(at), delete: number(delete), insert })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(before: &str, edits: &[Edit]) -> String {
        let mut words: Vec<char> = before.chars().collect();
        for edit in edits {
            let Edit::Splice { at, delete, insert, .. } = edit else { panic!("{edit:?}") };
            let at = *at as usize;
            words.splice(at..at + *delete as usize, insert.chars());
        }
        words.into_iter().collect()
    }

    #[test]
    fn a_text_is_changed_only_where_it_differs() {
        for (before, after) in [
            ("", "The hall is narrow."),
            ("The hall is narrow.", ""),
            ("The hall is narrow.", "The hall is very narrow."),
            ("aaaa", "aaa"),
            ("naïve 🛁 bath", "naïve 🚿 shower"),
            ("same", "same"),
        ] {
            assert_eq!(apply(before, &splices(SharedText::Summary, before, after)), after);
        }
        let edits = splices(SharedText::Summary, "The hall is narrow.", "The hall is very narrow.");
        assert_eq!(edits, [Edit::Splice { text: SharedText::Summary, at: 12, delete: 0, insert: "very ".to_owned() }]);
        let long = "x".repeat(50_000);
        let edits = splices(SharedText::Summary, &"y".repeat(45_000), &long);
        assert_eq!(edits.len(), 3 + 3);
        assert_eq!(apply(&"y".repeat(45_000), &edits), long);
    }
}
