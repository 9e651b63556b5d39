//! What a device brings: pushes through the guard, asks to their verdicts, what is refused into quarantine.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteVec;
use sync_core::access::Action;
use sync_core::clock::Timestamp;
use sync_core::domain::document::Document;
use sync_core::domain::kind::Kind;
use sync_core::domain::signoff::State;
use sync_core::guard::{self, Admitted, Bounds, Pushed, Refusal};
use sync_core::id::{CaseId, DocumentId, Epoch, Hash, QuarantineId, ServerId};
use sync_core::protocol::ask::Answer;
use sync_core::protocol::packed::BadPack;
use sync_core::protocol::sync::{Receipts, Refused, SignedPurge, WholePush};
use sync_core::protocol::{Known, PackLimits, Push, Request, SyncRequest, Verdict};

use super::Speaker;
use crate::asks::{Asking, Failed};
use crate::documents;
use crate::reach::Reach;
use crate::storage::ledger::{CommitError, DocumentRow, Ledger, Plan, PrescriptionRow, PurgeRow, QuarantineRow, Write};

/// How often a push is judged anew because its document moved.
const TRIES: usize = 8;

/// What came of what a device brought.
pub(super) struct Incoming {
    /// What is fsynced.
    pub(super) receipts: Receipts,
    /// What was not taken in.
    pub(super) refused: Vec<Refused>,
    /// What was decided.
    pub(super) verdicts: Vec<Verdict>,
    bounds: Bounds,
    /// Its person's role or organisation changed, and the device has not heard of it.
    unaware: bool,
    /// By document and fork, what was refused: what builds on it can't be taken either.
    blocked: BTreeMap<(DocumentId, u32), Refusal>,
}

impl Incoming {
    pub(super) fn new(server: ServerId, epoch: Epoch, now: Timestamp, bounds: Bounds) -> Self {
        Self {
            receipts: Receipts::new(server, epoch, now),
            refused: Vec::new(),
            verdicts: Vec::new(),
            bounds,
            unaware: false,
            blocked: BTreeMap::new(),
        }
    }

    /// Takes in everything: cases that are opened first, then documents, then what is asked about them.
    pub(super) async fn take<L: Ledger>(
        &mut self,
        asking: &Asking<'_, L>,
        speaker: &Speaker<'_>,
        request: &SyncRequest,
    ) -> Result<(), Failed> {
        let cursor = request.cursor.filter(|cursor| cursor.epoch == self.receipts.epoch);
        self.unaware = cursor.is_some_and(|cursor| cursor.n < speaker.changed);
        let (opening, others): (Vec<_>, Vec<_>) =
            request.asks.iter().partition(|ask| matches!(ask.request, Request::OpenCase(_)));
        if !speaker.revoked {
            for ask in opening {
                self.decided(asking.decide(ask).await?);
            }
        }
        for push in &request.pushes {
            self.push(asking, speaker, push).await?;
        }
        if !speaker.revoked {
            for ask in others {
                // It speaks of a version that comes later: so does it, and the device asks again.
                if !ask.request.document().is_some_and(|document| self.comes_later(document)) {
                    self.decided(asking.decide(ask).await?);
                }
            }
        }
        for read in &request.reads {
            // Until the audit log has rows of its own, the log is where a reading is kept: ids only, no names.
            let (account, device) = (speaker.person.account, speaker.device.id);
            tracing::info!(%account, %device, document = %read.document, at = %read.at.claimed, "a document was read");
        }
        if let Some(told) = request.purged.as_ref().filter(|told| told.is_of(&speaker.sender)) {
            purged(asking, speaker, told).await?;
        }
        Ok(())
    }

    fn decided(&mut self, verdict: Verdict) {
        if matches!(verdict.answer, Answer::Granted) {
            self.receipts.asks.push(verdict.ask);
        }
        self.verdicts.push(verdict);
    }

    async fn push<L: Ledger>(
        &mut self,
        asking: &Asking<'_, L>,
        speaker: &Speaker<'_>,
        push: &Push,
    ) -> Result<(), Failed> {
        let known = Known::push(&speaker.sender, (push.document, push.kind), push.fork, &push.base);
        let limits = PackLimits { changes: self.bounds.changes, bytes: self.bounds.push_bytes };
        let (changes, unpacked) = match push.changes.unpack(&known, limits) {
            Ok(changes) => (changes, Ok(())),
            Err(bad) => (Vec::new(), Err(unpackable(bad))),
        };
        let judged = match (unpacked, self.blocked.get(&(push.document, push.fork))) {
            (Err(refusal), _) => Err(refusal),
            (Ok(()), Some(Refusal::Later)) => Err(Refusal::Later),
            (Ok(()), Some(_)) => Err(Refusal::Blocked),
            (Ok(()), None) => admit(asking, speaker, push, &changes, &self.bounds).await?,
        };
        let reason = match judged {
            Ok(heads) => {
                self.receipts.documents.push((push.document, heads));
                return Ok(());
            }
            // Signed in the name of the organisation that they were of: it is told, and signs anew.
            Err(Refusal::Signature) if self.unaware => Refusal::Later,
            Err(reason) => reason,
        };
        if let Refusal::Equivocation { seq, .. } = reason {
            let (device, document) = (speaker.device.id, push.document);
            tracing::warn!(%device, %document, seq, "a device sent two changes of one number: a copy of its store writes");
        }
        // What comes later is not kept here: the device has it, and brings it again.
        let aside = match reason {
            Refusal::Later => Ok(None),
            _ => set_aside(asking, speaker, whole(push, changes), &reason, self.bounds.device_day_bytes).await?,
        };
        let (reason, quarantine) = aside.map_or_else(|later| (later, None), |quarantine| (reason, quarantine));
        self.blocked.insert((push.document, push.fork), reason.clone());
        self.refused.push(Refused { document: push.document, reason, quarantine });
        Ok(())
    }

    fn comes_later(&self, document: DocumentId) -> bool {
        self.refused.iter().any(|refused| refused.document == document && refused.reason == Refusal::Later)
    }
}

/// Takes a push in, or says why not. Returns the last of its changes, which is what the receipt names.
async fn admit<L: Ledger>(
    asking: &Asking<'_, L>,
    speaker: &Speaker<'_>,
    push: &Push,
    changes: &[(Hash, Vec<u8>)],
    bounds: &Bounds,
) -> Result<Result<Vec<Hash>, Refusal>, Failed> {
    for _ in 0..TRIES {
        let reach = Reach::read(asking.ledger, speaker.person, push.case, asking.now).await?;
        let found = asking.ledger.document(push.document).await?;
        let opens = found.is_none();
        let row = match found {
            // Whoever may not know of the case is not told what is in it either.
            _ if !reach.may_know() => return Ok(Err(Refusal::NotAllowed)),
            Some(row) if row.case == push.case && row.kind == push.kind => row,
            Some(_) => return Ok(Err(Refusal::OtherDocument)),
            None => opened(speaker, &reach, push),
        };
        // A right to begin a document is a right to write what it begins with.
        let may = if opens { reach.may_open(push.kind) } else { reach.may(&row, Action::Write) };
        if speaker.revoked || !may {
            return Ok(Err(Refusal::NotAllowed));
        }
        let (version, current) = documents::load(asking.ledger, &row).await?;
        let day = bounds.device_day_bytes;
        // Before the work: whoever has had their day costs no more than reading the document.
        let left = day.saturating_sub(asking.ledger.brought(speaker.device.id, asking.now).await?);
        if bytes_of(changes) > left && new_bytes(changes, &current) > left {
            return Ok(Err(Refusal::Later));
        }
        let admitted = match judge((push, changes), speaker, &reach, &row, current, *bounds).await {
            Ok(admitted) => admitted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let last: Vec<_> = admitted.envelope.changes.last().copied().into_iter().collect();
        if admitted.changes.is_empty() {
            // All of it is here already: the same receipt again.
            return Ok(Ok(last));
        }
        let bytes = admitted.changes.iter().map(|(_, change)| change.len() as u64).sum();
        let mut plan = plan(asking, speaker, push, row, opens, version, admitted);
        plan.writes.push(brought(asking, speaker, bytes, day));
        match asking.ledger.commit(plan).await {
            Ok(_) => return Ok(Ok(last)),
            Err(CommitError::DayFull) => return Ok(Err(Refusal::Later)),
            Err(CommitError::Moved) => {}
            Err(error) => return Err(error),
        }
    }
    Err(CommitError::Moved)
}

fn bytes_of(changes: &[(Hash, Vec<u8>)]) -> u64 {
    changes.iter().map(|(_, change)| change.len() as u64).sum()
}

/// How many bytes of a push are not in the document. What is there already counts for no day.
fn new_bytes(changes: &[(Hash, Vec<u8>)], document: &Document) -> u64 {
    let new = changes.iter().filter(|(hash, _)| !document.knows(*hash));
    new.map(|(_, change)| change.len() as u64).sum()
}

fn brought<L: Ledger>(asking: &Asking<'_, L>, speaker: &Speaker<'_>, bytes: u64, most: u64) -> Write {
    Write::Brought { device: speaker.device.id, bytes, at: asking.now, most }
}

/// Keeps the device's word of what it has destroyed, and that it carries it no more: both or neither.
async fn purged<L: Ledger>(asking: &Asking<'_, L>, speaker: &Speaker<'_>, told: &SignedPurge) -> Result<(), Failed> {
    let device = speaker.device.id;
    let mut gone: Vec<(CaseId, Option<DocumentId>)> = told.purge.cases.iter().map(|case| (*case, None)).collect();
    for document in &told.purge.documents {
        // Of one that is not here there is nothing to say.
        let row = asking.ledger.document(*document).await?;
        gone.extend(row.map(|row| (row.case, Some(*document))));
    }
    let (receipt, signature) = (told.purge.to_bytes(), told.signature.0.to_vec());
    let mut writes = Vec::new();
    for (case, document) in gone {
        writes.push(Write::Uncarry { device, case, document });
        let (receipt, signature) = (receipt.clone(), signature.clone());
        writes.push(Write::Purged(PurgeRow { case, document, device, at: asking.now, receipt, signature }));
    }
    asking.ledger.commit(Plan { writes }).await?;
    Ok(())
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
    current: Document,
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

fn plan<L: Ledger>(
    asking: &Asking<'_, L>,
    speaker: &Speaker<'_>,
    push: &Push,
    row: DocumentRow,
    opens: bool,
    version: i64,
    admitted: Admitted,
) -> Plan {
    let mut writes = Vec::new();
    if opens {
        writes.push(Write::Document(row));
        if push.kind == Kind::Prescription {
            writes.extend(with_thread(asking, push));
        }
    }
    writes.push(Write::Append {
        document: push.document,
        case: push.case,
        version,
        device: speaker.device.id,
        account: speaker.person.account,
        envelope: (admitted.envelope.to_bytes(), push.signature.0.to_vec()),
        changes: admitted.changes,
        heads: admitted.document.heads(),
        snapshot: admitted.document.save_plain(),
        at: asking.now,
    });
    if matches!(push.kind, Kind::Home | Kind::Clinical | Kind::Prescription | Kind::Survey) {
        // Projections and "changed since sign-off" are drawn from these.
        writes.push(Write::Touch(push.case));
    }
    Plan { writes }
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

/// Why what can't be unpacked is refused.
fn unpackable(bad: BadPack) -> Refusal {
    match bad {
        BadPack::TooLarge { what, found, most } => {
            Refusal::TooLarge { what: what.to_owned(), found: found as u64, most: most as u64 }
        }
        BadPack::NotAChange { at } => Refusal::NotAChange { at },
        BadPack::Damaged => Refusal::NotAChange { at: 0 },
    }
}

/// A push that needs no device to be read.
fn whole(push: &Push, changes: Vec<(Hash, Vec<u8>)>) -> WholePush {
    let Push { document, case, kind, fork, .. } = *push;
    let mut whole: Vec<ByteVec> = changes.into_iter().map(|(_, bytes)| bytes.into()).collect();
    if whole.is_empty() {
        whole.push(push.changes.as_bytes().to_vec().into());
    }
    WholePush { document, case, kind, fork, base: push.base.clone(), changes: whole, signature: push.signature }
}

/// Keeps what was refused, where a supervisor finds it, when its author has or had to do with the case. Any other push
/// stays on its device, and is answered as one of a case that is not here. What is set aside counts towards the day as well;
/// when that is full, it comes later.
async fn set_aside<L: Ledger>(
    asking: &Asking<'_, L>,
    speaker: &Speaker<'_>,
    push: WholePush,
    reason: &Refusal,
    day: u64,
) -> Result<Result<Option<QuarantineId>, Refusal>, Failed> {
    if !knew(asking, speaker, push.case).await? {
        return Ok(Ok(None));
    }
    let bytes = push.changes.iter().map(|change| change.len() as u64).sum();
    let row = QuarantineRow {
        quarantine: quarantine_of(&push, speaker),
        case: push.case,
        document: push.document,
        device: speaker.device.id,
        account: speaker.person.account,
        at: asking.now,
        reason: reason.clone(),
        push: minicbor::to_vec(&push).unwrap_or_default(),
    };
    let quarantine = row.quarantine;
    let writes = vec![Write::Quarantine(row), brought(asking, speaker, bytes, day)];
    match asking.ledger.commit(Plan { writes }).await {
        // There already: the device has sent it again.
        Ok(_) | Err(CommitError::Moved) => Ok(Ok(Some(quarantine))),
        Err(CommitError::DayFull) => Ok(Err(Refusal::Later)),
        Err(error) => Err(error),
    }
}

/// Whether this person may know of the case, or once did: a right that ended leaves work behind that is worth keeping.
async fn knew<L: Ledger>(asking: &Asking<'_, L>, speaker: &Speaker<'_>, case: CaseId) -> Result<bool, Failed> {
    if asking.ledger.case(case).await?.is_none() {
        // A visit that a device began by itself and could not open any more, because it was revoked.
        return Ok(speaker.revoked);
    }
    let relations = asking.ledger.relations_to(case).await?;
    let related = relations.iter().any(|relation| relation.account == asking.person.account);
    Ok(related || Reach::of(asking.person, relations, asking.now).may_know())
}

/// The id of what is set aside follows from it, so that the same push is kept once.
fn quarantine_of(push: &WholePush, speaker: &Speaker<'_>) -> QuarantineId {
    let what = ("grabrail quarantine 1", speaker.device.id, push);
    let hash = Hash::of(&minicbor::to_vec(what).unwrap_or_default());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.as_bytes()[..16]);
    QuarantineId::from_bytes(id)
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incoming({} receipts, {} refused)", self.receipts.documents.len(), self.refused.len())
    }
}

/// The cases whose devices are to hear of a push.
pub(super) fn cases_of(request: &SyncRequest) -> BTreeSet<CaseId> {
    request.pushes.iter().map(|push| push.case).chain(request.asks.iter().map(|ask| ask.case)).collect()
}
