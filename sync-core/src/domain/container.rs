//! The containers of each kind of document, and the constant change that makes them.
//!
//! Two devices that made the same container at once would each hide the other's side, so nobody makes any: a *skeleton*
//! change of constant bytes, by an actor that no device can have, makes them all. Both ends know it by its hash.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, Change, ObjId, ObjType, ROOT, ReadDoc};

use super::kind::Kind;
use super::record::{Body, SharedText};
use crate::id::Hash;

/// Where a document keeps its records of one sort; each is a map at the document's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Container {
    /// Measurements.
    Readings,
    /// Fields' values.
    Facts,
    /// Subjects of facts.
    Items,
    /// Prose.
    Notes,
    /// Photos.
    Photos,
    /// Choices between values that disagree.
    Settlements,
    /// What was taken back.
    Strikes,
    /// Places that are one.
    Joins,
    /// Shared texts that were read.
    TextReads,
}

impl Container {
    /// Every container, in the order the skeleton makes them.
    pub const ALL: [Self; 9] = [
        Self::Readings,
        Self::Facts,
        Self::Items,
        Self::Notes,
        Self::Photos,
        Self::Settlements,
        Self::Strikes,
        Self::Joins,
        Self::TextReads,
    ];

    /// Its key at the root of the document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Readings => "readings",
            Self::Facts => "facts",
            Self::Items => "items",
            Self::Notes => "notes",
            Self::Photos => "photos",
            Self::Settlements => "settlements",
            Self::Strikes => "strikes",
            Self::Joins => "joins",
            Self::TextReads => "text-reads",
        }
    }

    /// The container a record belongs to.
    pub const fn of(body: &Body) -> Self {
        match body {
            Body::Reading(_) => Self::Readings,
            Body::Fact(_) => Self::Facts,
            Body::Item(_) => Self::Items,
            Body::Note(_) => Self::Notes,
            Body::Photo(_) => Self::Photos,
            Body::Settlement(_) => Self::Settlements,
            Body::Strike(_) => Self::Strikes,
            Body::Join(_) => Self::Joins,
            Body::TextRead(_) => Self::TextReads,
        }
    }
}

/// The number of the skeleton's operation that makes a container (by its place among all) in a document of this kind.
pub(crate) fn counter_of_container(kind: Kind, container: usize) -> Option<u64> {
    let of = Container::ALL.get(container)?;
    // The first names the kind.
    kind.containers().iter().position(|one| one == of).map(|at| at as u64 + 2)
}

/// The number of the skeleton's operation that makes one of the texts of a document of this kind.
pub(crate) fn counter_of_text(kind: Kind, text: usize) -> Option<u64> {
    let before = kind.containers().len() + usize::from(kind.containers().contains(&Container::Photos));
    (text < kind.texts().len()).then(|| (before + text) as u64 + 2)
}

/// The key of the map of captions, the one place where the last writer wins.
pub const CAPTIONS: &str = "captions";

impl Kind {
    /// The containers that a document of this kind has.
    pub const fn containers(self) -> &'static [Container] {
        use Container::{Facts, Items, Joins, Notes, Photos, Readings, Settlements, Strikes, TextReads};
        match self {
            Self::Home => &[Readings, Facts, Items, Notes, Photos, Settlements, Strikes, Joins, TextReads],
            Self::Clinical => &[Facts, Items, Notes, Photos, Settlements, Strikes],
            Self::Restricted => &[Facts, Notes, Photos, Settlements, Strikes],
            Self::Prescription => &[Facts, Items, Notes, Photos, Settlements, Strikes, TextReads],
            Self::Survey => &[Readings, Facts, Items, Notes, Photos, Settlements, Strikes, Joins],
            Self::Thread => &[Notes, Strikes],
        }
    }

    /// The texts that several people write together in a document of this kind.
    pub const fn texts(self) -> &'static [SharedText] {
        match self {
            Self::Home => &[SharedText::Summary],
            Self::Prescription => &[SharedText::Reasoning],
            Self::Clinical | Self::Restricted | Self::Survey | Self::Thread => &[],
        }
    }

    /// The raw bytes of the skeleton change of this kind; a format for ever.
    pub const fn skeleton(self) -> &'static [u8] {
        match self {
            Self::Home => include_bytes!("../../golden/skeleton-home-1.bin"),
            Self::Clinical => include_bytes!("../../golden/skeleton-clinical-1.bin"),
            Self::Restricted => include_bytes!("../../golden/skeleton-restricted-1.bin"),
            Self::Prescription => include_bytes!("../../golden/skeleton-prescription-1.bin"),
            Self::Survey => include_bytes!("../../golden/skeleton-survey-1.bin"),
            Self::Thread => include_bytes!("../../golden/skeleton-thread-1.bin"),
        }
    }

    /// The hash of the skeleton change: the only change of the reserved actor that is ever accepted.
    pub fn skeleton_hash(self) -> Hash {
        static HASHES: OnceLock<BTreeMap<Kind, Hash>> = OnceLock::new();
        let hashes = HASHES.get_or_init(|| {
            let read = |kind: &Kind| Change::from_bytes(kind.skeleton().to_vec()).map(|change| change.hash().into());
            Kind::ALL.iter().filter_map(|kind| Some((*kind, read(kind).ok()?))).collect()
        });
        // The bytes are constants of this program, read by a test of every kind.
        hashes.get(&self).copied().unwrap_or(Hash::from_bytes([0; 32]))
    }
}

/// The actor of skeleton changes: no device's actor is derived to these bytes but by breaking SHA-256.
pub fn skeleton_actor() -> ActorId {
    ActorId::from(&b"grabrail:skeletn"[..])
}

/// Makes the skeleton document of a kind anew, as its golden bytes were once made.
///
/// # Errors
/// Only what Automerge reports; nothing a caller can influence.
pub fn make_skeleton(kind: Kind) -> Result<Automerge, automerge::AutomergeError> {
    let mut document = Automerge::new().with_actor(skeleton_actor());
    let mut change = document.transaction();
    change.put(ROOT, "kind", kind.name())?;
    for container in kind.containers() {
        change.put_object(ROOT, container.name(), ObjType::Map)?;
    }
    if kind.containers().contains(&Container::Photos) {
        change.put_object(ROOT, CAPTIONS, ObjType::Map)?;
    }
    for text in kind.texts() {
        change.put_object(ROOT, text.name(), ObjType::Text)?;
    }
    change.commit_with(CommitOptions::default().with_time(0));
    Ok(document)
}

/// The Automerge object that is a container, text or map of captions; `None` where the document has no such thing.
pub fn object(document: &Automerge, name: &str) -> Option<ObjId> {
    match document.get(ROOT, name) {
        Ok(Some((automerge::Value::Object(_), id))) => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skeletons_are_the_golden_bytes_for_ever() {
        let mut written = Vec::new();
        for kind in Kind::ALL.iter().copied() {
            let document = make_skeleton(kind).unwrap();
            let changes = document.get_changes(&[]);
            assert_eq!(changes.len(), 1);
            let path = format!("{}/golden/skeleton-{}-1.bin", env!("CARGO_MANIFEST_DIR"), kind.name());
            let golden = std::fs::read(&path).unwrap_or_default();
            if golden.is_empty() {
                // A new kind writes its first golden bytes; the run fails so that they are looked at and committed.
                std::fs::write(&path, changes[0].raw_bytes()).unwrap();
                written.push(path);
            } else {
                assert_eq!(changes[0].raw_bytes(), golden, "{kind:?}");
                assert_eq!(Hash::from(changes[0].hash()), kind.skeleton_hash());
            }
        }
        assert!(written.is_empty(), "wrote {written:?}: look at them and commit them");
    }

    #[test]
    fn every_kind_has_a_skeleton_of_its_own() {
        let hashes: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.skeleton_hash()).collect();
        assert_eq!(hashes.len(), Kind::ALL.len());
    }
}
