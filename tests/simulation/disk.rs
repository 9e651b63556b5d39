//! What lies on a device's disk, read by its formats and not by the device's own eyes.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::Decode;
use minicbor::bytes::ByteVec;
use sync_core::clock::Stamp;
use sync_core::device::{MemoryDisk, RefusedWork, Shelf};
use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::id::{AskId, DocumentId, Hash, Heads};
use sync_core::protocol::{Ask, Known, PackLimits, Packed};

/// How long the bytes of a document's id are.
const DOCUMENT: usize = 17;
/// What the keys of documents that came whole begin with, and of work that was refused.
const BASE: &[u8] = b"base";
const REFUSED: &[u8] = b"refused";

/// A document as it lies on a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lies {
    /// What the device keeps of it beside its changes.
    row: Vec<u8>,
    /// The hashes of all its changes, those that came whole included.
    pub(crate) changes: BTreeSet<Hash>,
}

/// Something typed that is in no document for good yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) at: Stamp,
    pub(crate) edits: Vec<Edit>,
}

/// The hashes of the changes in a document that came whole, by the hash of its row: a document is taken apart once.
pub(crate) type Bases = BTreeMap<Hash, BTreeSet<Hash>>;

/// What lies on a disk.
#[derive(Debug, Default)]
pub(crate) struct OnDisk {
    pub(crate) documents: BTreeMap<DocumentId, Lies>,
    /// What waits for the server, or was refused and is kept to be seen.
    pub(crate) typed: BTreeMap<(DocumentId, Hash), Typed>,
    /// What was asked and is not answered.
    pub(crate) asks: BTreeSet<AskId>,
    /// The bytes of every change.
    pub(crate) changes: Vec<(DocumentId, Vec<u8>)>,
}

#[derive(Decode)]
struct BaseRow {
    #[n(0)]
    heads: Heads,
    #[n(1)]
    bytes: ByteVec,
    #[n(2)]
    changes: Option<Packed>,
}

#[derive(Decode)]
struct ChangeRow {
    #[n(0)]
    hash: Hash,
    #[n(1)]
    bytes: ByteVec,
}

#[derive(Decode)]
enum OutboxRow {
    #[n(0)]
    Change(#[n(0)] OutboxChange),
    #[n(1)]
    Ask(#[n(0)] OutboxAsk),
}

#[derive(Decode)]
struct OutboxChange {
    #[n(0)]
    document: DocumentId,
    #[n(2)]
    hash: Hash,
    #[n(6)]
    edits: Vec<Edit>,
    #[n(8)]
    at: Stamp,
}

#[derive(Decode)]
struct OutboxAsk {
    #[n(0)]
    ask: Ask,
}

fn document_of(bytes: &[u8]) -> Option<DocumentId> {
    Some(DocumentId::from_bytes(bytes.get(..DOCUMENT)?.try_into().ok()?))
}

/// The changes in a document that came whole, but for its skeleton.
fn whole(row: &[u8]) -> BTreeSet<Hash> {
    let BaseRow { heads, bytes, changes } = minicbor::decode(row).unwrap();
    if let Some(packed) = changes {
        // Its kind is in another row; on the skeleton of another kind other hashes come out.
        let of = |kind: &Kind| {
            let changes = packed.unpack(&Known::news(*kind), PackLimits::REPLY).ok()?;
            let hashes: BTreeSet<Hash> = changes.into_iter().map(|(hash, _)| hash).collect();
            heads.iter().all(|head| hashes.contains(head) || *head == kind.skeleton_hash()).then_some(hashes)
        };
        return Kind::ALL.iter().find_map(of).expect("a document of some kind");
    }
    let mut document = automerge::AutoCommit::load(&bytes).unwrap();
    let skeletons: Vec<Hash> = Kind::ALL.iter().map(|kind| kind.skeleton_hash()).collect();
    let hashes = document.get_changes(&[]).iter().map(|change| Hash::from(change.hash())).collect::<Vec<_>>();
    hashes.into_iter().filter(|hash| !skeletons.contains(hash)).collect()
}

impl OnDisk {
    pub(crate) fn read(disk: &MemoryDisk, bases: &mut Bases) -> Self {
        let mut on_disk = Self::default();
        for (_, row) in disk.rows() {
            let key = row.key.as_deref().unwrap_or_default();
            match row.shelf {
                Shelf::Document if key.len() == DOCUMENT => {
                    let Some(document) = document_of(key) else { continue };
                    on_disk.documents.entry(document).or_default().row = row.value.to_vec();
                }
                Shelf::Document => {
                    let Some(document) = key.strip_prefix(BASE).and_then(document_of) else { continue };
                    let changes = bases.entry(Hash::of(&row.value)).or_insert_with(|| whole(&row.value));
                    on_disk.documents.entry(document).or_default().changes.extend(changes.iter());
                }
                Shelf::Change => {
                    let Some(document) = document_of(key) else { continue };
                    let change: ChangeRow = minicbor::decode(&row.value).unwrap();
                    on_disk.documents.entry(document).or_default().changes.insert(change.hash);
                    on_disk.changes.push((document, change.bytes.to_vec()));
                }
                Shelf::Outbox => match minicbor::decode(&row.value).unwrap() {
                    OutboxRow::Change(of) => {
                        on_disk.typed.insert((of.document, of.hash), Typed { at: of.at, edits: of.edits });
                    }
                    OutboxRow::Ask(of) => {
                        on_disk.asks.insert(of.ask.id);
                    }
                },
                Shelf::Notice if key.starts_with(REFUSED) => {
                    let of: RefusedWork = minicbor::decode(&row.value).unwrap();
                    on_disk.typed.insert((of.document, of.change), Typed { at: of.at, edits: of.edits });
                }
                _ => {}
            }
        }
        on_disk
    }
}
