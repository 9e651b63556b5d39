//! A document: an Automerge document of one kind, and the only code that touches Automerge's state.
//!
//! Automerge can panic on bytes that a hostile client can make; whatever is read from outside is read inside
//! `catch_unwind` and comes back as [`Unreadable`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{
    ActorId, Automerge, AutomergeError, Change, ChangeHash, ROOT, ReadDoc, ScalarValue, ScalarValueRef, TextEncoding,
    Value, ValueRef,
};

use super::container::{CAPTIONS, Container, object};
use super::edit::Edit;
use super::fit::{self, Unfit};
use super::kind::Kind;
use super::record::{Record, SharedText};
use super::view::View;
use crate::clock::Stamp;
use crate::id::{AccountId, Hash, Heads, Key};

/// Bytes that do not make a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Automerge refused them.
    #[error("these bytes are not a document that can be read: {0}")]
    Refused(String),
    /// Two different changes in them bear the same number of one actor.
    #[error("these bytes are not a document that can be read: {0}")]
    SameNumber(String),
    /// Automerge panicked on them.
    #[error("reading these bytes went wrong inside Automerge")]
    Panicked,
    /// It is a document, but not one that begins with the skeleton of its kind.
    #[error("this is not a document of the kind {0}")]
    OtherKind(Kind),
}

/// A document in memory.
#[derive(Clone)]
pub struct Document {
    kind: Kind,
    state: Automerge,
    /// What it says, once somebody has asked; nothing again as soon as the state is another.
    view: OnceLock<Arc<View>>,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document").field("kind", &self.kind).field("heads", &self.heads()).finish_non_exhaustive()
    }
}

/// Runs what may panic inside Automerge.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Unreadable>) -> Result<T, Unreadable> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Unreadable::Panicked))
}

/// Reads one change of a document.
///
/// # Errors
/// [`Unreadable`], when it is not a change or reading it panics. Bounds are the guard's to check first.
pub fn read_change(bytes: &[u8]) -> Result<Change, Unreadable> {
    guarded(|| Change::from_bytes(bytes.to_vec()).map_err(|error| Unreadable::Refused(error.to_string())))
}

impl Document {
    const fn of(kind: Kind, state: Automerge) -> Self {
        Self { kind, state, view: OnceLock::new() }
    }

    /// A document with nothing in it but its skeleton.
    ///
    /// # Errors
    /// [`Unreadable`] only if the golden bytes in this program are broken.
    pub fn new(kind: Kind) -> Result<Self, Unreadable> {
        let mut document = Self::of(kind, Automerge::new_with_encoding(TextEncoding::UnicodeCodePoint));
        document.apply(&[kind.skeleton()])?;
        Ok(document)
    }

    /// Loads what [`Document::save`] wrote.
    ///
    /// # Errors
    /// [`Unreadable`], when the bytes are damaged or of another kind.
    pub fn load(kind: Kind, bytes: &[u8]) -> Result<Self, Unreadable> {
        let state = guarded(|| {
            let options = automerge::LoadOptions::new().text_encoding(TextEncoding::UnicodeCodePoint);
            Automerge::load_with_options(bytes, options).map_err(|error| Unreadable::Refused(error.to_string()))
        })?;
        let skeleton: ChangeHash = kind.skeleton_hash().into();
        if state.get_change_meta_by_hash(&skeleton).is_none() {
            return Err(Unreadable::OtherKind(kind));
        }
        Ok(Self::of(kind, state))
    }

    /// Takes in changes of others. All of them or, on an error, none.
    ///
    /// # Errors
    /// [`Unreadable`], when one can't be read, its dependencies are missing or Automerge panics.
    pub fn apply<B: AsRef<[u8]>>(&mut self, changes: &[B]) -> Result<(), Unreadable> {
        let read = changes.iter().map(|bytes| read_change(bytes.as_ref())).collect::<Result<Vec<_>, _>>()?;
        self.apply_read(read)
    }

    /// [`Document::apply`] of changes that are read already.
    ///
    /// # Errors
    /// As [`Document::apply`].
    pub fn apply_read(&mut self, changes: Vec<Change>) -> Result<(), Unreadable> {
        *self = self.with(changes)?;
        Ok(())
    }

    /// The document with these changes of others.
    ///
    /// # Errors
    /// As [`Document::apply`].
    pub fn with(&self, changes: Vec<Change>) -> Result<Self, Unreadable> {
        let mut next = self.state.clone();
        let expected: Vec<ChangeHash> = changes.iter().map(Change::hash).collect();
        let next = guarded(move || {
            next.apply_changes(changes).map_err(|error| match error {
                AutomergeError::DuplicateSeqNumber(..) => Unreadable::SameNumber(error.to_string()),
                other => Unreadable::Refused(other.to_string()),
            })?;
            // A change whose dependencies are missing is queued silently: that is not taken in.
            if expected.iter().any(|hash| next.get_change_meta_by_hash(hash).is_none()) {
                return Err(Unreadable::Refused("a change builds on one that is missing".to_owned()));
            }
            Ok(next)
        })?;
        Ok(Self::of(self.kind, next))
    }

    /// The whole document, history and all.
    pub fn save(&self) -> Vec<u8> {
        self.state.save_with_options(automerge::SaveOptions { retain_orphans: false, ..Default::default() })
    }

    /// As [`Document::save`], not deflated: many of them compress better together than each by itself.
    pub fn save_plain(&self) -> Vec<u8> {
        self.state.save_with_options(automerge::SaveOptions { retain_orphans: false, deflate: false })
    }

    /// The kind.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The exact version, sorted.
    pub fn heads(&self) -> Heads {
        let mut heads: Heads = self.state.get_heads().into_iter().map(Hash::from).collect();
        heads.sort_unstable();
        heads
    }

    /// Whether the document holds the change of this hash.
    pub fn knows(&self, hash: Hash) -> bool {
        self.state.get_change_meta_by_hash(&hash.into()).is_some()
    }

    /// Whether it holds all of these.
    pub fn knows_all(&self, heads: &[Hash]) -> bool {
        heads.iter().all(|hash| self.knows(*hash))
    }

    /// The document as it stood at these heads; `None` when it does not hold them all.
    pub fn at(&self, heads: &[Hash]) -> Option<Self> {
        if !self.knows_all(heads) {
            return None;
        }
        let heads: Vec<ChangeHash> = heads.iter().map(|hash| (*hash).into()).collect();
        let state = self.state.fork_at(&heads).ok()?;
        Some(Self::of(self.kind, state))
    }

    /// The raw bytes of every change that these heads do not hold, in an order in which they can be applied.
    /// Heads that the document does not know are as good as none.
    pub fn changes_since(&self, heads: &[Hash]) -> Vec<Vec<u8>> {
        let known: Vec<ChangeHash> =
            heads.iter().filter(|hash| self.knows(**hash)).map(|hash| (*hash).into()).collect();
        self.state.get_changes(&known).iter().map(|change| change.raw_bytes().to_vec()).collect()
    }

    /// The hashes of all changes in the history of these heads, the heads among them.
    pub fn history_of(&self, heads: &[Hash]) -> Vec<Hash> {
        let Some(then) = self.at(heads) else { return Vec::new() };
        then.state.get_changes_meta(&[]).into_iter().map(|change| change.hash.into()).collect()
    }

    /// Automerge's own view, for the guard and the typed reading.
    pub(crate) const fn state(&self) -> &Automerge {
        &self.state
    }

    /// What the document says.
    pub fn view(&self) -> View {
        View::clone(&self.read())
    }

    /// As [`Document::view`], shared: read once, as long as the document stays the same.
    pub fn read(&self) -> Arc<View> {
        self.view.get_or_init(|| Arc::new(View::of(self))).clone()
    }

    /// Makes one change of these intentions, by `actor`, and takes it in. Each [`Edit::Add`] takes the next of `keys`.
    /// Returns the raw bytes of the change and its hash.
    ///
    /// # Errors
    /// [`Unfit`], when an intention does not fit the document; then nothing has changed.
    pub fn edit(
        &mut self,
        actor: [u8; 16],
        by: AccountId,
        at: Stamp,
        keys: &mut dyn Iterator<Item = Key>,
        edits: &[Edit],
    ) -> Result<(Hash, Vec<u8>), Unfit> {
        if edits.is_empty() {
            return Err(Unfit::Nothing);
        }
        let mut view = self.view();
        let mut next = self.state.clone();
        next.set_actor(ActorId::from(&actor[..]));
        let mut change = next.transaction();
        for edit in edits {
            match edit {
                Edit::Add(body) => {
                    let record = Record { by, at, body: body.clone() };
                    let key = keys.next().ok_or(Unfit::NoKeysLeft)?;
                    fit::record(self.kind, &view, key, &record)?;
                    put_record(&mut change, key, &record)?;
                    view.take(key, record);
                }
                Edit::Caption { photo, text } => {
                    fit::caption(&view, *photo, text)?;
                    let captions = child(&change, CAPTIONS)?;
                    change.put(&captions, photo.to_string(), text.as_str()).map_err(broken)?;
                }
                Edit::Splice { text, at, delete, insert } => {
                    let length = view.texts.get(text).map_or(0, |words| words.chars().count());
                    fit::splice(self.kind, *text, length, *at, *delete, insert)?;
                    let object = child(&change, text.name())?;
                    let delete = isize::try_from(*delete).map_err(|_| Unfit::OutsideText { length })?;
                    change.splice_text(&object, *at as usize, delete, insert).map_err(broken)?;
                    let now = change.text(&object).map_err(broken)?;
                    view.texts.insert(*text, now);
                }
            }
        }
        let (hash, _) = change.commit_with(CommitOptions::default().with_time(0));
        let hash = hash.ok_or(Unfit::Nothing)?;
        let bytes = next
            .get_last_local_change()
            .map(|change| change.raw_bytes().to_vec())
            .ok_or_else(|| Unfit::Document("the change just made is missing".to_owned()))?;
        *self = Self::of(self.kind, next);
        Ok((hash.into(), bytes))
    }

    pub(crate) fn raw_records(&self) -> Vec<(Container, String, Option<Vec<u8>>)> {
        let mut records = Vec::new();
        for container in self.kind.containers() {
            let Some(object) = object(&self.state, container.name()) else { continue };
            for item in self.state.map_range(&object, ..) {
                let bytes = match &item.value {
                    ValueRef::Scalar(ScalarValueRef::Bytes(bytes)) => Some(bytes.to_vec()),
                    _ => None,
                };
                records.push((*container, item.key.to_string(), bytes));
            }
        }
        records
    }

    pub(crate) fn raw_captions(&self) -> Vec<(String, String)> {
        let Some(object) = object(&self.state, CAPTIONS) else { return Vec::new() };
        let captions = self.state.map_range(&object, ..);
        captions
            .filter_map(|item| match &item.value {
                ValueRef::Scalar(ScalarValueRef::Str(text)) => Some((item.key.to_string(), text.to_string())),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn raw_text(&self, text: SharedText) -> Option<String> {
        self.state.text(object(&self.state, text.name())?).ok()
    }
}

fn broken(error: AutomergeError) -> Unfit {
    Unfit::Document(error.to_string())
}

fn child(change: &Transaction<'_>, name: &str) -> Result<automerge::ObjId, Unfit> {
    match change.get(ROOT, name).map_err(broken)? {
        Some((Value::Object(_), id)) => Ok(id),
        _ => Err(Unfit::Document(format!("the document has no {name}"))),
    }
}

fn put_record(change: &mut Transaction<'_>, key: Key, record: &Record) -> Result<(), Unfit> {
    let container = child(change, Container::of(&record.body).name())?;
    change.put(&container, key.to_string(), ScalarValue::Bytes(record.to_bytes())).map_err(broken)
}
