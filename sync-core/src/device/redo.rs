//! What can be done again of refused work, decided without IO: each intention judged on top of what the server has.

use std::collections::{BTreeMap, BTreeSet};

use super::edit::{MadeChange, Maker, fresh, splices};
use super::error::DeviceError;
use super::rows::{DocumentRow, OutboxChange, RefusedRow};
use crate::domain::document::Document;
use crate::domain::edit::Edit;
use crate::domain::fit::Unfit;
use crate::domain::record::{Body, SharedText};
use crate::domain::references::{Naming, each_reference};
use crate::guard::Refusal;
use crate::id::{DocumentId, Hash, Heads, Key};

/// How often changes are made anew for their form before they count as refused for good.
const MOST_FRUITLESS: u8 = 3;

/// What of a document's unsent work is not to be done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Barred {
    /// Nothing: only the form was wrong, or nobody knows yet which change it was.
    Nothing,
    /// This change.
    One(Hash, Refusal),
    /// All of it.
    All(Refusal),
}

/// What a refusal bars. The document's row begins a new fork, and remembers what was tried.
pub(super) fn barred(row: &mut DocumentRow, refused: RefusedRow) -> Barred {
    row.fork = row.fork.saturating_add(1);
    let RefusedRow { reason, change, .. } = refused;
    match (&reason, change) {
        (Refusal::NotAllowed | Refusal::OtherDocument, _) => Barred::All(reason),
        (
            Refusal::Unfit { .. } | Refusal::TooLarge { .. } | Refusal::Operation { .. } | Refusal::Unreadable,
            Some(change),
        ) => Barred::One(change, reason),
        (Refusal::Unfit { .. } | Refusal::TooLarge { .. } | Refusal::Operation { .. } | Refusal::Unreadable, None) => {
            // One by one, and the server says which.
            row.singly = true;
            Barred::Nothing
        }
        // The server can't join it to what it has; written anew it may pass.
        _ if row.fruitless < MOST_FRUITLESS => {
            row.fruitless += 1;
            Barred::Nothing
        }
        _ => Barred::All(reason),
    }
}

/// A document in which work is done again.
pub(super) struct Redoing {
    pub(super) maker: Maker,
    /// The document as the server has it, and then with what was done again.
    pub(super) current: Document,
    /// The document with everything that was on this device: it tells what a shared text was to become.
    pub(super) before: Option<Document>,
    /// The heads of what the server has.
    pub(super) settled: Heads,
    pub(super) barred: Barred,
}

/// A change in its new form.
pub(super) struct Remade {
    pub(super) was: OutboxChange,
    pub(super) hash: Hash,
    pub(super) bytes: Vec<u8>,
    pub(super) base: Heads,
    pub(super) edits: Vec<Edit>,
    pub(super) first_key: Option<Key>,
}

/// What became of the work.
#[derive(Default)]
pub(super) struct Redone {
    /// In the order in which it was done first.
    pub(super) made: Vec<Remade>,
    pub(super) refused: Vec<(OutboxChange, Refusal)>,
    /// What each change has become.
    pub(super) hashes: BTreeMap<Hash, Hash>,
    /// The counter of the last key that was used.
    pub(super) used: u32,
    keys: BTreeMap<(DocumentId, Key), Key>,
    /// Records and shared texts that were to be, and are not.
    gone: BTreeSet<(DocumentId, Key)>,
    gone_texts: BTreeSet<(DocumentId, SharedText)>,
}

impl Redone {
    /// Behind these many keys.
    pub(super) fn behind(used: u32) -> Self {
        Self { used, ..Self::default() }
    }

    /// Does one change again, or says why not. Changes come in the order in which they were made, over all documents:
    /// what is named stands before what names it.
    pub(super) fn again(&mut self, redoing: &mut Redoing, change: OutboxChange) -> Result<(), DeviceError> {
        if redoing.current.knows(change.hash) {
            // It came back in a document that came whole: the server has it, only its receipt got lost.
            return Ok(());
        }
        match self.remake(redoing, &change) {
            Ok(Some((made, base, edits, keys))) => {
                self.hashes.insert(change.hash, made.hash);
                for (old, new) in keys_of(&change).zip(&keys) {
                    self.keys.insert((change.document, old), *new);
                }
                self.used = keys.iter().map(|key| key.counter).fold(self.used, u32::max);
                redoing.current = made.document;
                let first_key = keys.first().copied();
                self.made.push(Remade { was: change, hash: made.hash, bytes: made.bytes, base, edits, first_key });
            }
            // The document says so already.
            Ok(None) => {}
            Err(error) => {
                let reason = match error {
                    DeviceError::Refused(refusal) => refusal,
                    DeviceError::NotAllowed => Refusal::NotAllowed,
                    DeviceError::Unfit(unfit) => Refusal::Unfit { at: 0, why: unfit.to_string() },
                    other => return Err(other),
                };
                self.gone.extend(keys_of(&change).map(|key| (change.document, key)));
                self.gone_texts.extend(texts_of(&change.edits).into_iter().map(|text| (change.document, text)));
                self.refused.push((change, reason));
            }
        }
        Ok(())
    }

    #[allow(clippy::type_complexity)] // one caller, which takes it apart
    fn remake(
        &mut self,
        redoing: &Redoing,
        change: &OutboxChange,
    ) -> Result<Option<(MadeChange, Heads, Vec<Edit>, Vec<Key>)>, DeviceError> {
        match &redoing.barred {
            Barred::All(reason) => return Err(DeviceError::Refused(reason.clone())),
            Barred::One(one, reason) if *one == change.hash => return Err(DeviceError::Refused(reason.clone())),
            _ => {}
        }
        let number = redoing.maker.identity.sender.number;
        let mut keys: Vec<Key> = keys_of(change).collect();
        let view = redoing.current.view();
        let taken = |key: &Key| view.records.contains_key(key) || view.unread.contains(key);
        if keys.iter().any(|key| key.device != number || taken(key)) {
            keys = fresh(self.used, &change.edits)?.map(|counter| Key { device: number, counter }).collect();
        }
        let edits = self.renamed(redoing, change, &keys)?;
        if edits.is_empty() {
            return Ok(None);
        }
        let base = redoing.current.heads();
        let made = redoing.maker.make(&redoing.current, &keys, change.at, &edits)?;
        Ok(Some((made, base, edits, keys)))
    }

    /// The intentions, naming records as they are called now, and shared texts so that they become what they were to be.
    /// `keys` are those that its own records take.
    fn renamed(&self, redoing: &Redoing, change: &OutboxChange, keys: &[Key]) -> Result<Vec<Edit>, DeviceError> {
        let document = change.document;
        let own: BTreeMap<Key, Key> = keys_of(change).zip(keys.iter().copied()).collect();
        let texts = texts_of(&change.edits);
        if texts.iter().any(|text| self.gone_texts.contains(&(document, *text))) {
            return Err(DeviceError::Refused(Refusal::Blocked));
        }
        let mut edits = change.edits.clone();
        for edit in &mut edits {
            let whole = each_reference(document, edit, &mut |of, key, _: Naming| {
                if self.gone.contains(&(of, *key)) {
                    return false;
                }
                let of_this = own.get(key).filter(|_| of == document);
                if let Some(now) = of_this.or_else(|| self.keys.get(&(of, *key))) {
                    *key = *now;
                }
                true
            });
            if !whole {
                return Err(DeviceError::Refused(Refusal::Blocked));
            }
            if let Edit::Add(Body::TextRead(read)) = edit {
                self.rename(&mut read.heads);
            }
        }
        let then = redoing.before.as_ref().and_then(|before| {
            let heads: Heads = redoing.settled.iter().copied().chain([change.hash]).collect();
            before.at(&heads)
        });
        // Without it the places in the text stand as they were typed, and the guard says whether they can.
        let Some(then) = then.filter(|_| !texts.is_empty()) else { return Ok(edits) };
        edits.retain(|edit| !matches!(edit, Edit::Splice { .. }));
        for text in texts {
            let (now, to_be) = (redoing.current.raw_text(text), then.raw_text(text));
            let (Some(now), Some(to_be)) = (now, to_be) else {
                return Err(Unfit::Document(format!("the document has no {}", text.name())).into());
            };
            edits.extend(splices(text, &now, &to_be));
        }
        Ok(edits)
    }

    /// Names versions by the changes that they have become.
    pub(super) fn rename(&self, heads: &mut Heads) {
        for head in heads.iter_mut() {
            if let Some(now) = self.hashes.get(head) {
                *head = *now;
            }
        }
        heads.sort_unstable();
    }
}

/// The keys that a change took.
fn keys_of(change: &OutboxChange) -> impl Iterator<Item = Key> + use<> {
    let count = change.edits.iter().filter(|edit| matches!(edit, Edit::Add(_))).count();
    let first = change.first_key;
    (0u32..).take(count).filter_map(move |behind| {
        let Key { device, counter } = first?;
        Some(Key { device, counter: counter.checked_add(behind)? })
    })
}

fn texts_of(edits: &[Edit]) -> BTreeSet<SharedText> {
    let texts = edits.iter().filter_map(|edit| match edit {
        Edit::Splice { text, .. } => Some(*text),
        _ => None,
    });
    texts.collect()
}
