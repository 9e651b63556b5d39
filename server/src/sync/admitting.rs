//! One push on its way into the ledger: whether its author may, what the guard makes of it, and what is to be written then.

use std::collections::BTreeSet;
use std::sync::Arc;

use sync_core::access::Action;
use sync_core::domain::document::Document;
use sync_core::domain::kind::Kind;
use sync_core::domain::signoff::State;
use sync_core::guard::{self, Admitted, Bounds, Pushed, Refusal};
use sync_core::id::{DocumentId, Hash};
use sync_core::protocol::Push;
use sync_core::protocol::card::CaseState;

use super::Speaker;
use crate::asks::{Asking, Failed};
use crate::documents::Documents;
use crate::reach::Reach;
use crate::storage::ledger::{Counted, DocumentRow, Ledger, PrescriptionRow, Write};

/// About how many bytes a push takes on disk that says nothing: its row, what was signed with it, the signature.
pub(super) const ROW: u64 = 1 << 10;
/// Bytes of a change's name in what was signed.
const NAME: u64 = 34;

/// A push that was admitted and is not written yet.
pub(super) struct Ready<'p> {
    pub(super) push: &'p Push,
    /// What is to be written; nothing, when all of it is here already.
    pub(super) writes: Vec<Write>,
    /// That the case stands as it was judged by.
    pub(super) stands: Write,
    /// How many bytes it brings: nothing, when all of it is here already.
    pub(super) bytes: u64,
    /// The last of its changes, which is what the receipt names.
    pub(super) last: Vec<Hash>,
    /// Whether it begins the document.
    pub(super) opens: bool,
    /// The photos that the document names with it.
    pub(super) photos: BTreeSet<Hash>,
    /// The document with it.
    pub(super) document: Document,
    /// How many bytes that takes saved.
    pub(super) saved: usize,
}

/// Judges a push by the rows as they are, of a device that may bring `left` more bytes today. `read`: how many bytes the
/// document takes saved that was read for it; none is read of what the device may not write in.
pub(super) async fn admit<'p, L: Ledger>(
    asking: &Asking<'_, L>,
    speaker: &Speaker<'_>,
    documents: &Documents,
    (push, changes): (&'p Push, &[(Hash, Vec<u8>)]),
    (bounds, left): (&Bounds, u64),
    read: &mut usize,
) -> Result<Result<Ready<'p>, Refusal>, Failed> {
    // The case before who is tied to it: a right that ends, or a case that is closed, while the guard is at work is noticed
    // when this is written.
    let case = asking.ledger.case(push.case).await?.filter(|case| case.state != CaseState::Closed);
    let reach = Reach::read(asking.ledger, speaker.person, push.case, asking.now).await?;
    // Whoever may not know of the case is not told what is in it either.
    let Some(case) = case.filter(|_| reach.may_know()) else { return Ok(Err(Refusal::NotAllowed)) };
    let found = asking.ledger.document(push.document).await?;
    let opens = found.is_none();
    let row = match found {
        Some(row) if row.case == push.case && row.kind == push.kind => row,
        Some(_) => return Ok(Err(Refusal::OtherDocument)),
        None => opened(speaker, &reach, push),
    };
    // A right to begin a document is a right to write what it begins with.
    let may = if opens { reach.may_open(push.kind) } else { reach.may(&row, Action::Write) };
    if speaker.revoked || !may {
        return Ok(Err(Refusal::NotAllowed));
    }
    let turn = documents.turn().await?;
    let (version, saved, current) = documents.load_saved(asking.ledger, &row).await?;
    *read = saved;
    // Before the work: whoever has had their day costs no more than reading the document.
    if brought(push, changes.len(), bytes_of(changes.iter())) > left {
        let new = bytes_of(changes.iter().filter(|(hash, _)| !current.knows(*hash)));
        if new > 0 && brought(push, changes.len(), new) > left {
            return Ok(Err(Refusal::Later));
        }
    }
    let judged = judge((push, changes), speaker, &reach, &row, current, *bounds).await;
    drop(turn);
    let admitted = match judged {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Admitted { document, view, saved, changes, envelope } = admitted;
    let mut ready = Ready {
        push,
        writes: Vec::new(),
        bytes: 0,
        stands: Write::Expect { of: Counted::Case(case.case), version: case.version },
        last: envelope.changes.last().copied().into_iter().collect(),
        opens,
        photos: guard::photos_named(&view),
        saved: saved.len(),
        document,
    };
    if changes.is_empty() {
        return Ok(Ok(ready));
    }
    ready.bytes = brought(push, envelope.changes.len(), bytes_of(changes.iter()));
    if opens {
        ready.writes.push(Write::Document(row));
        if push.kind == Kind::Prescription {
            ready.writes.extend(with_thread(asking, push));
        }
    }
    ready.writes.push(Write::Append {
        document: push.document,
        case: push.case,
        version,
        device: speaker.device.id,
        account: speaker.person.account,
        envelope: (envelope.to_bytes(), push.signature.0.to_vec()),
        changes,
        heads: ready.document.heads(),
        snapshot: saved,
        at: asking.now,
    });
    if matches!(push.kind, Kind::Home | Kind::Clinical | Kind::Prescription | Kind::Survey) {
        // Projections and "changed since sign-off" are drawn from these.
        ready.writes.push(Write::TouchShown(push.case));
    }
    Ok(Ok(ready))
}

fn bytes_of<'c>(changes: impl Iterator<Item = &'c (Hash, Vec<u8>)>) -> u64 {
    changes.map(|(_, change)| change.len() as u64).sum()
}

/// How many bytes are kept of a push of so many changes, of which so many bytes are new here: they, its row, and
/// what was signed, which names all its changes and what they build on.
fn brought(push: &Push, changes: usize, new: u64) -> u64 {
    let names = (push.base.len() as u64).saturating_add(changes as u64);
    ROW.saturating_add(names.saturating_mul(NAME)).saturating_add(new)
}

/// The row of a document that this push begins.
fn opened(speaker: &Speaker<'_>, reach: &Reach, push: &Push) -> DocumentRow {
    DocumentRow {
        document: push.document,
        case: push.case,
        kind: push.kind,
        commission: reach.commission().filter(|_| push.kind == Kind::Clinical),
        about: None,
        authors: vec![speaker.person.account],
        version: 0,
        heads: vec![push.kind.skeleton_hash()],
    }
}

/// Runs the guard off the async workers.
async fn judge(
    (push, changes): (&Push, &[(Hash, Vec<u8>)]),
    speaker: &Speaker<'_>,
    reach: &Reach,
    row: &DocumentRow,
    current: Arc<Document>,
    bounds: Bounds,
) -> Result<Admitted, Refusal> {
    let (document, fork, base, signature) = (push.document, push.fork, push.base.clone(), push.signature);
    let changes = changes.to_vec();
    let sender = speaker.sender;
    let standing = reach.standing().clone();
    let ties = reach.ties(row);
    let judged = tokio::task::spawn_blocking(move || {
        let changes: Vec<&[u8]> = changes.iter().map(|(_, change)| change.as_slice()).collect();
        let pushed = Pushed { document, fork, base: &base, changes: &changes, signature: &signature };
        guard::judge(pushed, &sender, &standing, ties, &current, &bounds)
    });
    // A panic that the guard did not catch is still only this push's.
    judged.await.unwrap_or(Err(Refusal::Unreadable))
}

/// A prescription begins with its row and its thread.
fn with_thread<L: Ledger>(asking: &Asking<'_, L>, push: &Push) -> [Write; 2] {
    let thread = DocumentId::mint(&mut asking.chance.clone());
    [
        Write::Document(DocumentRow {
            document: thread,
            case: push.case,
            kind: Kind::Thread,
            commission: None,
            about: Some(push.document),
            authors: Vec::new(),
            version: 0,
            heads: vec![Kind::Thread.skeleton_hash()],
        }),
        Write::Prescription(PrescriptionRow {
            document: push.document,
            case: push.case,
            thread,
            state: State::Draft,
            submitted: None,
            version: 0,
        }),
    ]
}
