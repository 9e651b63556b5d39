//! What a device brings: pushes through the guard, asks to their verdicts, what is refused into quarantine.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteVec;
use sync_core::engine::Waits;
use sync_core::guard::{Bounds, Refusal};
use sync_core::id::{CaseId, DeviceId, DocumentId, Hash, QuarantineId};
use sync_core::protocol::ask::Answer;
use sync_core::protocol::packed::BadPack;
use sync_core::protocol::sync::{Receipts, Refused, SignedPurge, WholePush};
use sync_core::protocol::{Ask, Known, PackLimits, Push, Request, SyncRequest, Verdict};

use super::Speaker;
use super::admitting::{self, Ready};
use super::reading;
use crate::asks::{self, Asking, Failed, Reading};
use crate::documents::Documents;
use crate::storage::ledger::{CommitError, Ledger, Plan, PurgeRow, QuarantineRow, Write};

/// How often a push is judged anew because its document moved.
const TRIES: usize = 8;
/// How many pushes share a plan: those who wait for the disk meanwhile wait no longer than for one of these.
const TOGETHER: usize = 32;
/// The most bytes of changes that one request may come to once they are unpacked, or what one push may have if that is
/// more. A device sends far less at once; tests reach it.
const MOST_UNPACKED: usize = if cfg!(test) { 1 << 10 } else { 64 << 20 };
/// Up to how many bytes of changes are unpacked in passing.
const SMALL: usize = 32 << 10;
/// From how many bytes of documents on that one request has had judged the rest of its pushes comes with the next. Each
/// push counts for its document as it is saved, which is copied, written out and read again for it.
const MOST_JUDGED: usize = 256 << 20;
/// For how many bytes a push counts at least, and one to a document that another push of the request went to: what
/// takes long to read may take next to none saved. So these are 1,024, or 129 to one document, at most. A device sends one push for each
/// document; more only to find out which of its changes was refused, or once the server has lost some.
const JUDGED_ONCE: usize = 256 << 10;
const JUDGED_AGAIN: usize = 2 << 20;
/// From how many bytes of their documents on they are written.
const TOGETHER_BYTES: usize = 1 << 20;

/// What a reply has to heed of what a device brought.
#[derive(Debug, Default)]
pub(super) struct Took {
    /// The documents of which it brought something that was taken in.
    pub(super) taken: BTreeSet<DocumentId>,
    /// The cases in which something was done that the rows of what the device carries may not tell of.
    pub(super) named: BTreeSet<CaseId>,
    /// The cases of which it destroyed something. Should there be a right to them by now, they come back.
    pub(super) purged: BTreeSet<CaseId>,
    /// The photos that the documents taken in name.
    pub(super) photos: BTreeMap<DocumentId, BTreeSet<Hash>>,
}

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
    took: Took,
    /// What comes later, and what rests on it.
    waits: Waits,
    /// By case, the documents that were here before and that something was taken into.
    wrote: BTreeMap<CaseId, BTreeSet<DocumentId>>,
    documents: Documents,
    /// What its asks have read.
    reading: Reading,
    /// How many bytes the device may still bring today, once that was asked.
    left: Option<u64>,
    /// How many bytes of documents were judged for this request so far, and which documents.
    judged: (usize, BTreeSet<DocumentId>),
    /// How many bytes of changes this request came to so far; of what could not be unpacked, the most it may have cost.
    unpacked: usize,
}

impl Incoming {
    pub(super) fn new(receipts: Receipts, bounds: Bounds, documents: Documents) -> Self {
        Self {
            receipts,
            refused: Vec::new(),
            verdicts: Vec::new(),
            bounds,
            unaware: false,
            blocked: BTreeMap::new(),
            took: Took::default(),
            waits: Waits::default(),
            wrote: BTreeMap::new(),
            reading: Reading::new(documents.clone()),
            documents,
            left: None,
            judged: (0, BTreeSet::new()),
            unpacked: 0,
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
        for ask in opening {
            self.decide(asking, speaker, ask).await?;
        }
        self.pushes(asking, speaker, &request.pushes).await?;
        for ask in others {
            // What it rests on comes later, or others have waited long enough for this request: so does it, and the
            // device asks again.
            if self.waits.hold(ask) || (self.reading.is_spent() && asks::reads(ask)) {
                self.waits.ask(ask);
            } else {
                self.decide(asking, speaker, ask).await?;
            }
        }
        reading::note(asking, speaker, request).await?;
        if let Some(told) = request.purged.as_ref().filter(|told| told.is_of(&speaker.sender)) {
            match purged(asking, speaker, told, self.bounds.device_day_bytes.saturating_mul(2)).await {
                // What stands as carried is ordered again, and it says so again. Of the rest, which only a device has
                // that was enrolled anew, the word is lost to a full day; what it tells of has gone all the same.
                Err(CommitError::DayFull) => {}
                gone => self.took.purged = gone?,
            }
        }
        self.took.named.extend(request.asks.iter().map(|ask| ask.case));
        self.unnoted(asking, speaker.device.id).await
    }

    /// What the reply has to heed of it.
    pub(super) const fn took(&self) -> &Took {
        &self.took
    }

    async fn decide<L: Ledger>(
        &mut self,
        asking: &Asking<'_, L>,
        speaker: &Speaker<'_>,
        ask: &Ask,
    ) -> Result<(), Failed> {
        let verdict =
            if speaker.revoked { asking.keep(ask).await } else { asking.decide(ask, &mut self.reading).await };
        let verdict = match verdict {
            // The device has it, and asks again.
            Err(CommitError::DayFull) => {
                self.waits.ask(ask);
                return Ok(());
            }
            decided => decided?,
        };
        if matches!(verdict.answer, Answer::Granted) {
            self.receipts.asks.push(verdict.ask);
        }
        self.verdicts.push(verdict);
        Ok(())
    }

    /// Takes in the pushes, those behind one another together: one plan, one wait for the disk.
    async fn pushes<L: Ledger>(
        &mut self,
        asking: &Asking<'_, L>,
        speaker: &Speaker<'_>,
        pushes: &[Push],
    ) -> Result<(), Failed> {
        let mut ready: Vec<Ready<'_>> = Vec::new();
        for push in pushes {
            let full = ready.len() >= TOGETHER || ready.iter().map(|one| one.saved).sum::<usize>() >= TOGETHER_BYTES;
            // The second push to a document rests on the first.
            if full || ready.iter().any(|one| one.push.document == push.document) {
                self.write(asking, speaker, std::mem::take(&mut ready)).await?;
            }
            let brought = ready.iter().map(|one| one.bytes).sum();
            ready.extend(self.weigh(asking, speaker, push, brought).await?);
        }
        self.write(asking, speaker, ready).await
    }

    /// Judges a push, and sees to it if it is refused. `brought`: the bytes of those that are to be written with it.
    async fn weigh<'p, L: Ledger>(
        &mut self,
        asking: &Asking<'_, L>,
        speaker: &Speaker<'_>,
        push: &'p Push,
        brought: u64,
    ) -> Result<Option<Ready<'p>>, Failed> {
        let blocked = self.blocked.get(&(push.document, push.fork)).cloned();
        let unpacked = match blocked {
            Some(Refusal::Later) => Err(Refusal::Later),
            // With its case.
            _ if self.waits.unopened(push.case) => Err(Refusal::Later),
            // With the next request: one push at least was judged with this one.
            _ if self.judged.0 >= MOST_JUDGED => Err(Refusal::Later),
            _ => self.unpack(speaker, push).await,
        };
        let (changes, judged) = match (unpacked, blocked) {
            (Err(refusal), _) => (Vec::new(), Err(refusal)),
            (Ok(changes), Some(_)) => (changes, Err(Refusal::Blocked)),
            (Ok(changes), None) => {
                let left = self.left(asking, speaker).await?.saturating_sub(brought);
                let of = (push, changes.as_slice());
                let (bounds, mut read) = ((&self.bounds, left), 0);
                let judged = admitting::admit(asking, speaker, &self.documents, of, bounds, &mut read).await?;
                let saved = judged.as_ref().map_or(0, |ready| ready.saved);
                let least = if self.judged.1.insert(push.document) { JUDGED_ONCE } else { JUDGED_AGAIN };
                self.judged.0 = self.judged.0.saturating_add(saved.max(read).max(least));
                (changes, judged)
            }
        };
        let reason = match judged {
            Ok(ready) => return Ok(Some(ready)),
            // Signed in the name of the organisation that they were of: it is told, and signs anew.
            Err(Refusal::Signature) if self.unaware => Refusal::Later,
            Err(reason) => reason,
        };
        self.refuse(asking, speaker, (push, changes), reason).await?;
        Ok(None)
    }

    /// The changes of a push, with their hashes.
    async fn unpack(&mut self, speaker: &Speaker<'_>, push: &Push) -> Result<Vec<(Hash, Vec<u8>)>, Refusal> {
        // Kept with every push, and told to whoever packs or signs.
        if push.base.len() > self.bounds.deps {
            let (found, most) = (push.base.len() as u64, self.bounds.deps as u64);
            return Err(Refusal::TooLarge { what: "heads".to_owned(), found, most });
        }
        let left = MOST_UNPACKED.max(self.bounds.push_bytes).saturating_sub(self.unpacked);
        let limits = PackLimits { changes: self.bounds.changes, bytes: self.bounds.push_bytes.min(left) };
        let known = Known::push(&speaker.sender, (push.document, push.kind), push.fork, &push.base);
        let small = PackLimits { bytes: limits.bytes.min(SMALL), ..limits };
        let unpacked = match push.changes.unpack(&known, small) {
            Err(BadPack::TooLarge { what: "bytes", .. }) if small != limits => {
                let packed = push.changes.clone();
                // Off the threads that others wait for.
                let unpacked = tokio::task::spawn_blocking(move || packed.unpack(&known, limits));
                unpacked.await.unwrap_or(Err(BadPack::Damaged))
            }
            unpacked => unpacked,
        };
        match unpacked {
            Ok(changes) => {
                self.unpacked += changes.iter().map(|(_, change)| change.len()).sum::<usize>();
                Ok(changes)
            }
            // With so much else in one request: it comes with the next.
            Err(BadPack::TooLarge { what: "bytes", .. }) if left < self.bounds.push_bytes => Err(Refusal::Later),
            Err(bad) => {
                self.unpacked += limits.bytes;
                Err(unpackable(bad))
            }
        }
    }

    /// How many bytes the device may still bring today, as it was when the request came.
    async fn left<L: Ledger>(&mut self, asking: &Asking<'_, L>, speaker: &Speaker<'_>) -> Result<u64, Failed> {
        if let Some(left) = self.left {
            return Ok(left);
        }
        let brought = asking.ledger.brought(speaker.device.id, asking.now).await?;
        Ok(*self.left.insert(self.bounds.device_day_bytes.saturating_sub(brought)))
    }

    /// Writes what was admitted, all together; if something moved meanwhile, each by itself and judged anew.
    async fn write<L: Ledger>(
        &mut self,
        asking: &Asking<'_, L>,
        speaker: &Speaker<'_>,
        mut ready: Vec<Ready<'_>>,
    ) -> Result<(), Failed> {
        match self.commit(asking, speaker, &mut ready).await {
            Ok(()) => {
                ready.into_iter().for_each(|one| self.taken(one));
                Ok(())
            }
            Err(CommitError::Moved | CommitError::DayFull) => {
                for one in ready {
                    self.alone(asking, speaker, one.push).await?;
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn alone<L: Ledger>(
        &mut self,
        asking: &Asking<'_, L>,
        speaker: &Speaker<'_>,
        push: &Push,
    ) -> Result<(), Failed> {
        for _ in 0..TRIES {
            let Some(one) = self.weigh(asking, speaker, push, 0).await? else { return Ok(()) };
            let mut one = [one];
            match self.commit(asking, speaker, &mut one).await {
                Ok(()) => {
                    one.into_iter().for_each(|one| self.taken(one));
                    return Ok(());
                }
                Err(CommitError::DayFull) => {
                    return self.refuse(asking, speaker, (push, Vec::new()), Refusal::Later).await;
                }
                Err(CommitError::Moved) => {}
                Err(error) => return Err(error),
            }
        }
        Err(CommitError::Moved)
    }

    async fn commit<L: Ledger>(
        &mut self,
        asking: &Asking<'_, L>,
        speaker: &Speaker<'_>,
        ready: &mut [Ready<'_>],
    ) -> Result<(), Failed> {
        let bring = |one: &&mut Ready<'_>| !one.writes.is_empty();
        let mut writes: Vec<Write> = Vec::new();
        // Before anything is written: that may be what moves a case.
        for one in ready.iter_mut().filter(bring) {
            if !writes.contains(&one.stands) {
                writes.push(one.stands.clone());
            }
        }
        writes.extend(ready.iter_mut().flat_map(|one| std::mem::take(&mut one.writes)));
        // All of it may be here already: the same receipts again.
        if !writes.is_empty() {
            let bytes = ready.iter().map(|one| one.bytes).sum();
            writes.push(brought(asking, speaker, bytes, self.bounds.device_day_bytes));
            let n = asking.ledger.commit(Plan { by: asking.by(), writes }).await?;
            self.receipts.n = self.receipts.n.max(Some(n));
            self.left = self.left.map(|left| left.saturating_sub(bytes));
        }
        Ok(())
    }

    /// Notes what is fsynced.
    fn taken(&mut self, one: Ready<'_>) {
        let Push { document, case, .. } = *one.push;
        self.receipts.documents.push((document, one.last));
        self.took.taken.insert(document);
        if one.opens {
            self.took.named.insert(case);
        } else {
            self.wrote.entry(case).or_default().insert(document);
        }
        if !one.photos.is_empty() {
            self.took.photos.insert(document, one.photos);
        }
        // What was here already is kept, or is not, as before.
        if one.saved > 0 {
            self.documents.keep(document, one.document, one.saved);
        }
    }

    async fn refuse<L: Ledger>(
        &mut self,
        asking: &Asking<'_, L>,
        speaker: &Speaker<'_>,
        (push, changes): (&Push, Vec<(Hash, Vec<u8>)>),
        reason: Refusal,
    ) -> Result<(), Failed> {
        self.took.named.insert(push.case);
        if let Refusal::Equivocation { seq, .. } = reason {
            let (device, document) = (speaker.device.id, push.document);
            tracing::warn!(%device, %document, seq, "a device sent two changes of one number: a copy of its store writes");
        }
        // What comes later is not kept here: the device has it, and brings it again.
        let aside = match reason {
            Refusal::Later => Ok(None),
            _ => set_aside(asking, speaker, whole(push, changes), &reason, self.bounds.device_day_bytes).await?,
        };
        // That counts as well.
        self.left = None;
        let (reason, quarantine) = aside.map_or_else(|later| (later, None), |quarantine| (reason, quarantine));
        match reason {
            // Once its person may not, nothing of it comes again.
            Refusal::NotAllowed | Refusal::OtherDocument => {}
            Refusal::Missing { .. } => self.waits.lacks(push.document),
            // Later as it is, or done again without what was refused.
            _ => self.waits.change(push.case, push.document),
        }
        self.blocked.insert((push.document, push.fork), reason.clone());
        self.refused.push(Refused { document: push.document, reason, quarantine });
        Ok(())
    }

    /// Adds the cases of which the device has what nobody noted that it has: it began it itself, and the answer to that
    /// was never made.
    async fn unnoted<L: Ledger>(&mut self, asking: &Asking<'_, L>, device: DeviceId) -> Result<(), Failed> {
        for (case, documents) in std::mem::take(&mut self.wrote) {
            if !self.took.named.contains(&case) {
                let carried = asking.ledger.carried_of(device, &[case]).await?;
                let noted: BTreeSet<_> = carried.into_iter().filter_map(|row| row.row.document).collect();
                if !documents.is_subset(&noted) {
                    self.took.named.insert(case);
                }
            }
        }
        Ok(())
    }
}

fn brought<L: Ledger>(asking: &Asking<'_, L>, speaker: &Speaker<'_>, bytes: u64, most: u64) -> Write {
    Write::Brought { device: speaker.device.id, bytes, at: asking.now, most }
}

/// Keeps the device's word of what it has destroyed, and that it carries it no more: both or neither. Says of which cases.
/// The word is kept with each case and document that it names, and counts so often towards the day, `most` bytes of all
/// that the device brings; but for no more than an eighth of that, or one of a whole caseload would never be taken.
async fn purged<L: Ledger>(
    asking: &Asking<'_, L>,
    speaker: &Speaker<'_>,
    told: &SignedPurge,
    most: u64,
) -> Result<BTreeSet<CaseId>, Failed> {
    let (ledger, device) = (asking.ledger, speaker.device.id);
    let mut gone: BTreeSet<(CaseId, Option<DocumentId>)> = told.purge.cases.iter().map(|case| (*case, None)).collect();
    // Of one that is not here there is nothing to say.
    let rows = ledger.documents(&told.purge.documents).await?;
    gone.extend(rows.into_iter().map(|row| (row.case, Some(row.document))));
    let cases: BTreeSet<CaseId> = gone.iter().map(|(case, _)| *case).collect();
    let cases: Vec<CaseId> = cases.into_iter().collect();
    let carried = ledger.carried_of(device, &cases).await?;
    let mut carries: BTreeSet<CaseId> = carried.into_iter().map(|row| row.row.case).collect();
    for case in cases {
        // What nobody noted it can have of its person's own cases only, and it says so once: a word may name thousands,
        // and is kept with each.
        if !carries.contains(&case) && ledger.case(case).await?.is_some() && asking.knew(case, speaker.revoked).await? {
            let before = ledger.purges(case).await?;
            let known = |of: &(CaseId, Option<DocumentId>)| {
                before.iter().any(|row| row.device == device && (row.case, row.document) == *of)
            };
            if gone.iter().any(|of| of.0 == case && !known(of)) {
                carries.insert(case);
            }
        }
    }
    gone.retain(|(case, _)| carries.contains(case));
    let of: BTreeSet<CaseId> = gone.iter().map(|(case, _)| *case).collect();
    if gone.is_empty() {
        return Ok(of);
    }
    let (receipt, signature) = (told.purge.to_bytes(), told.signature.0.to_vec());
    let bytes = (receipt.len() as u64).saturating_mul(gone.len() as u64).min(most / 8);
    let mut writes = vec![brought(asking, speaker, bytes, most)];
    for (case, document) in gone {
        writes.push(Write::Uncarry { device, case, document });
        let (receipt, signature) = (receipt.clone(), signature.clone());
        writes.push(Write::Purged(PurgeRow { case, document, device, at: asking.now, receipt, signature }));
    }
    asking.ledger.commit(Plan { by: asking.by(), writes }).await?;
    Ok(of)
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
    if !asking.knew(push.case, speaker.revoked).await? {
        return Ok(Ok(None));
    }
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
    let why = minicbor::to_vec(reason).unwrap_or_default();
    let (quarantine, bytes) = (row.quarantine, admitting::ROW + row.push.len() as u64 + why.len() as u64);
    let writes = vec![Write::Quarantine(row), brought(asking, speaker, bytes, day)];
    match asking.ledger.commit(Plan { by: asking.by(), writes }).await {
        // There already: the device has sent it again.
        Ok(_) | Err(CommitError::Moved) => Ok(Ok(Some(quarantine))),
        Err(CommitError::DayFull) => Ok(Err(Refusal::Later)),
        Err(error) => Err(error),
    }
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
