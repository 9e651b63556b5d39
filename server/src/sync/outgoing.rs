//! What a device should have: news of what it carries, what it gained whole, what it lost to purge.
//!
//! Only what moved is looked at: the rows that were touched since the device's cursor, the person's ties that were
//! written since or began or ended meanwhile, and what they chose. Everything is judged anew where the cursor says
//! nothing: for a device that begins, one that compares heads, and once the account itself changed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sync_core::access::Action;
use sync_core::clock::Timestamp;
use sync_core::id::{CaseId, DocumentId, Epoch, Hash};
use sync_core::protocol::sync::{Cursor, DocumentNews, Frame, Purge, PurgeReason};
use sync_core::protocol::{Backup, CarriedDigest, CaseCard, Known, Packed, SyncRequest, Verdict};

use super::Desk;
use super::comparing;
use super::frames::Frames;
use super::incoming::Took;
use super::judging::{Belongs, Came, Judged, Judging};
use crate::asks::{Asking, tells_of_documents};
use crate::cards::{self, CaseRows};
use crate::error::Problem;
use crate::reach::Reach;
use crate::storage::devices::day;
use crate::storage::ledger::{Carried, ChangeRow, DocumentRow, Ledger, Number, Plan, Pulse, Since, Write};
use crate::storage::{StorageError, blocking};

/// Changes of one page of news; tests turn many.
const PAGE: usize = if cfg!(test) { 7 } else { 5_000 };

/// Up to how many bytes of changes are packed in passing.
const SMALL: usize = 16 << 10;

/// The most verdicts that come by themselves, the newest. An ask that waits for an older one goes up again and is told.
const VERDICTS: usize = 1_000;

/// How often it is judged anew because something moved meanwhile.
const TRIES: usize = 4;

/// How many cases are read together; tests turn many.
const AT_ONCE: usize = if cfg!(test) { 3 } else { 32 };

/// How many writes share a plan: a whole caseload is noted in few.
const WRITES: usize = 2_000;

/// What goes back to the device, in one part.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) cards: Vec<CaseCard>,
    pub(super) documents: Vec<DocumentNews>,
    pub(super) frames: Vec<Frame>,
    pub(super) purge: Vec<Purge>,
    pub(super) everything: Option<PurgeReason>,
    pub(super) photo_wants: Vec<(DocumentId, Hash)>,
    pub(super) digest: Option<CarriedDigest>,
    /// Frames that were made for it, to be kept.
    pub(super) made: Vec<Write>,
    /// Where the device's knowledge ends once all of it has come.
    pub(super) until: Number,
    pub(super) more: bool,
    /// Where the ledger ended: all that the device brought lies before it.
    pub(super) end: Number,
    /// What was recorded of a backup since the device heard of one.
    pub(super) backup: Option<Backup>,
}

/// What a device asks for, as its request says.
struct Asked<'a> {
    request: &'a SyncRequest,
    came: Came,
    /// From where on rights are judged.
    since: Since,
    /// When the device last had all there was: the digest came then, or was about to.
    last: Option<Timestamp>,
    /// What was just chosen.
    chosen: BTreeSet<CaseId>,
}

impl<'a> Asked<'a> {
    fn of(request: &'a SyncRequest, epoch: Epoch, changed: Number) -> Self {
        let cursor = request.cursor.filter(|cursor| cursor.epoch == epoch);
        let before = cursor.map_or(0, |cursor| cursor.n.max(0));
        let cut = request.progress.filter(|cut| cut.n >= before && cut.epoch == Some(epoch));
        let came = Came { after: cut.map_or(before, |cut| cut.n), cut: cut.map(|cut| (before, cut)) };
        // All of it anew: nothing is known, or it is another person's reach than it was.
        let since = match cursor {
            Some(Cursor { n, at, .. }) if changed <= n && cut.is_none() && request.heads.is_none() => Since { n, at },
            _ => Since { n: -1, at: Timestamp::from_millis(0) },
        };
        Self { request, came, since, last: cursor.map(|cursor| cursor.at), chosen: BTreeSet::new() }
    }
}

/// What was judged, case by case.
#[derive(Default)]
struct Round {
    writes: Vec<Write>,
    lost: BTreeMap<CaseId, PurgeReason>,
    belongs: BTreeMap<CaseId, Belongs>,
}

impl<L: Ledger> Desk<'_, L> {
    /// Gathers what the device should have, and the cases that are to be sent whole behind it, by id. `took`: what it
    /// just brought.
    pub(super) async fn gather(&self, request: &SyncRequest, took: &Took) -> Result<(Outgoing, Vec<CaseId>), Problem> {
        let (ledger, speaker) = (self.asking.ledger, &self.speaker);
        if speaker.revoked {
            return Ok((self.revoked(request).await?, Vec::new()));
        }
        let chosen = self.choose(request).await?;
        let asked = Asked { chosen, ..Asked::of(request, self.epoch, speaker.changed) };
        let (pulse, round, sure) = self.settle_down(&asked, took).await?;
        if pulse.account.is_some_and(|changed| changed > speaker.changed) {
            // Judged as somebody they no longer are: it is asked for again, by who they are now.
            let until = request.cursor.filter(|cursor| cursor.epoch == self.epoch).map_or(0, |cursor| cursor.n);
            return Ok((Outgoing { until, end: pulse.end, more: true, ..Outgoing::default() }, Vec::new()));
        }
        let mut outgoing = Outgoing { until: pulse.end, end: pulse.end, ..Outgoing::default() };
        if pulse.decided {
            let (account, after) = (speaker.person.account, asked.came.after);
            for verdict in ledger.verdicts_of(account, after, VERDICTS).await? {
                let told = match if tells_of_documents(&verdict) { ledger.ask(verdict.ask).await? } else { None } {
                    Some(decided) => self.asking.told(decided).await?,
                    None => verdict,
                };
                outgoing.verdicts.push(told);
            }
        }
        let lost = round.lost.iter().map(|(case, reason)| Purge { case: *case, document: None, reason: *reason });
        outgoing.purge.extend(lost);
        for (case, belongs) in &round.belongs {
            let lost = belongs.lost.iter();
            let order = |(document, reason): &(DocumentId, PurgeReason)| Purge {
                case: *case,
                document: Some(*document),
                reason: *reason,
            };
            outgoing.purge.extend(lost.map(order));
        }
        let news = self.page(&asked, &pulse, &round).await?;
        (outgoing.until, outgoing.more) = (news.until, news.more);
        outgoing.documents = news.documents;
        let mut whole = Vec::new();
        for (case, belongs) in round.belongs {
            outgoing.cards.extend(belongs.card);
            // What is gained comes with the last page: its place lies behind the others.
            if outgoing.more {
                continue;
            }
            if belongs.whole {
                whole.push(case);
                continue;
            }
            for row in belongs.gained {
                outgoing.documents.extend(self.all_of(&row, took.taken.contains(&row.document), pulse.end).await?);
            }
        }
        if let (Some(heads), false) = (&request.heads, outgoing.more) {
            comparing::compare(self, heads, &whole, &mut outgoing).await?;
        }
        if !outgoing.more {
            // With the last page: a document that came whole may have grown by what a later page brings.
            let backup = pulse.backups.iter().find(|backup| backup.epoch == self.epoch);
            outgoing.backup = backup.map(|backup| Backup { n: backup.up_to, digest: backup.digest });
        }
        if !outgoing.more && whole.is_empty() && sure {
            outgoing.digest = self.digest(&asked, &pulse).await?;
        }
        outgoing.photo_wants = photo_wants(ledger, &took.photos).await?;
        Ok((outgoing, whole))
    }

    /// A device that is to have nothing: orders to purge all it carries, until it says that it did.
    async fn revoked(&self, request: &SyncRequest) -> Result<Outgoing, Problem> {
        let (ledger, device) = (self.asking.ledger, self.speaker.device.id);
        let since = Since { n: -1, at: Timestamp::from_millis(0) };
        let pulse = ledger.pulse(device, self.speaker.person.account, since, self.asking.now).await?;
        let mut outgoing = Outgoing { until: pulse.end, end: pulse.end, ..Outgoing::default() };
        let cases: BTreeSet<CaseId> = pulse.carried.iter().map(|carried| carried.row.case).collect();
        let round = self.judge(&cases, Came { after: 0, cut: None }, &BTreeSet::new()).await?;
        self.write(round.writes).await?;
        let orders = round.lost.into_iter().map(|(case, reason)| Purge { case, document: None, reason });
        outgoing.purge.extend(orders);
        // Of what it began by itself nothing is carried here.
        let pushed = request.pushes.iter().map(|push| push.case);
        let mut unknown: BTreeSet<CaseId> = pushed.chain(request.asks.iter().map(|ask| ask.case)).collect();
        unknown.extend(comparing::cases_of(self, request).await?);
        let unknown = unknown.into_iter().filter(|case| !cases.contains(case));
        let reason = self.speaker.why_revoked().unwrap_or(PurgeReason::Revoked);
        outgoing.purge.extend(unknown.map(|case| Purge { case, document: None, reason }));
        // Another copy of its store may have said that all of it was purged.
        outgoing.everything = Some(reason);
        outgoing.digest = Some(CarriedDigest::default());
        Ok(outgoing)
    }

    /// Keeps what its person chose; the cases of which that is new.
    async fn choose(&self, request: &SyncRequest) -> Result<BTreeSet<CaseId>, Problem> {
        let (mut writes, mut cases) = (Vec::new(), BTreeSet::new());
        if request.choices.is_empty() {
            return Ok(cases);
        }
        let device = self.speaker.device.id;
        let known = self.asking.ledger.chosen(device).await?;
        for choice in &request.choices {
            if known.contains(choice) || self.asking.ledger.case(choice.case).await?.is_none() {
                continue;
            }
            // A wish for what they may not know of is not kept.
            let Asking { ledger, person, now, .. } = self.asking;
            if !choice.carry || Reach::read(ledger, person, choice.case, now).await?.may_know() {
                cases.insert(choice.case);
                writes.push(Write::Choose { device, choice: *choice });
            }
        }
        self.write(writes).await?;
        Ok(cases)
    }

    pub(super) async fn write(&self, mut writes: Vec<Write>) -> Result<(), Problem> {
        while !writes.is_empty() {
            let rest = writes.split_off(writes.len().min(WRITES));
            self.asking.ledger.commit(Plan { by: self.asking.by(), writes }).await.map_err(Problem::from)?;
            writes = rest;
        }
        Ok(())
    }

    /// Judges what moved until nothing moves beside it. Says of which moment the result is, and whether it stood still:
    /// if not, the cursor stays before what moved.
    async fn settle_down(&self, asked: &Asked<'_>, took: &Took) -> Result<(Pulse, Round, bool), Problem> {
        let (ledger, device) = (self.asking.ledger, self.speaker.device.id);
        let (account, now) = (self.speaker.person.account, self.asking.now);
        let mut pulse = ledger.pulse(device, account, asked.since, now).await?;
        let mut cases: BTreeSet<CaseId> = took.named.union(&took.purged).copied().collect();
        cases.extend(asked.chosen.iter().copied());
        cases.extend(pulse.tied.iter().copied());
        let of_cards = |pulse: &Pulse| -> BTreeSet<CaseId> {
            // Changes of a document change no right; what it was not sent, or is to purge, is looked at again.
            let moved = pulse.carried.iter().filter(|row| row.row.document.is_none() || !asked.came.has(row));
            moved.map(|row| row.row.case).collect()
        };
        cases.extend(of_cards(&pulse));
        if asked.since.n < 0 {
            cases.extend(pulse.carried.iter().map(|row| row.row.case));
            cases.extend(ledger.chosen(device).await?.into_iter().map(|choice| choice.case));
            cases.extend(comparing::cases_of(self, asked.request).await?);
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let mut round = self.judge(&cases, asked.came, &took.named).await?;
            let writes = std::mem::take(&mut round.writes);
            if writes.is_empty() {
                return Ok((pulse, round, true));
            }
            // First its place, then the documents as they are behind it: a device that never hears of this reply is
            // sent it all again.
            self.write(writes).await?;
            let next = ledger.pulse(device, account, Since { n: pulse.end, at: now }, now).await?;
            let moved: BTreeSet<CaseId> =
                next.carried.iter().filter(|row| row.touched > pulse.end).map(|row| row.row.case).collect();
            if moved.is_empty() && next.tied.is_empty() {
                let decided = pulse.decided || next.decided;
                let backups = [next.backups, pulse.backups].concat();
                let carried = pulse.carried;
                return Ok((Pulse { carried, decided, backups, ..next }, round, true));
            }
            if tries == TRIES {
                return Ok((pulse, round, false));
            }
            cases.extend(moved);
            cases.extend(next.tied.iter().copied());
            pulse = Pulse {
                carried: {
                    let mut all = pulse.carried;
                    all.extend(next.carried);
                    all
                },
                tied: Vec::new(),
                decided: pulse.decided || next.decided,
                // The newest first.
                backups: [next.backups, pulse.backups].concat(),
                ..next
            };
        }
    }

    async fn judge(&self, cases: &BTreeSet<CaseId>, came: Came, named: &BTreeSet<CaseId>) -> Result<Round, Problem> {
        let mut round = Round::default();
        if cases.is_empty() {
            return Ok(round);
        }
        let chosen = self.chosen().await?;
        let judging = self.judging(came, (&chosen, named));
        let cases: Vec<CaseId> = cases.iter().copied().collect();
        for cases in cases.chunks(AT_ONCE) {
            // What is carried before the rows it is judged by: one that is written between is then judged again.
            let carried = self.asking.ledger.carried_of(self.speaker.device.id, cases).await?;
            let rows = CaseRows::read_all(self.asking.ledger, cases).await?;
            for case in cases {
                match judging.judge(*case, (of_case(&carried, *case), rows.get(case)), &mut round.writes).await? {
                    Judged::Nothing => {}
                    Judged::Lost(reason) => drop(round.lost.insert(*case, reason)),
                    Judged::Belongs(belongs) => drop(round.belongs.insert(*case, *belongs)),
                }
            }
        }
        Ok(round)
    }

    pub(super) async fn chosen(&self) -> Result<BTreeMap<CaseId, bool>, StorageError> {
        let chosen = self.asking.ledger.chosen(self.speaker.device.id).await?;
        Ok(chosen.into_iter().map(|choice| (choice.case, choice.carry)).collect())
    }

    fn judging<'b>(
        &'b self,
        came: Came,
        (chosen, named): (&'b BTreeMap<CaseId, bool>, &'b BTreeSet<CaseId>),
    ) -> Judging<'b, L> {
        let (ledger, directory, now) = (self.asking.ledger, self.asking.directory, self.asking.now);
        let (speaker, documents) = (&self.speaker, &self.documents);
        Judging { ledger, directory, documents, speaker, now, came, chosen, named }
    }

    /// A page of what others wrote in documents that the device has; what is sent whole has it already.
    async fn page(&self, asked: &Asked<'_>, pulse: &Pulse, round: &Round) -> Result<NewsPage, Problem> {
        let mut page = NewsPage { documents: Vec::new(), until: pulse.end, more: false };
        let after = asked.came.after;
        let gained = round.belongs.values().flat_map(|belongs| belongs.gained.iter());
        let whole: BTreeSet<DocumentId> = gained.map(|row| row.document).collect();
        let is_news = |row: &Carried| {
            let document = row.row.document.filter(|document| !whole.contains(document));
            document.is_some() && row.touched > after
        };
        if !pulse.carried.iter().any(is_news) {
            return Ok(page);
        }
        let mut news = self.asking.ledger.news(self.speaker.device.id, after, PAGE).await?;
        if news.until <= pulse.end {
            (page.until, page.more) = (news.until, news.more);
        } else {
            // What came since belongs to another moment than the digest.
            news.changes.retain(|change| change.n <= pulse.end);
        }
        let mut by_document: BTreeMap<DocumentId, Vec<ChangeRow>> = BTreeMap::new();
        for change in news.changes.into_iter().filter(|change| !whole.contains(&change.document)) {
            by_document.entry(change.document).or_default().push(change);
        }
        let mut reaches: BTreeMap<CaseId, Option<Reach>> = BTreeMap::new();
        for (document, changes) in by_document {
            let Some(row) = self.asking.ledger.document(document).await? else { continue };
            if let Entry::Vacant(reach_of) = reaches.entry(row.case) {
                let gone = round.lost.contains_key(&row.case);
                let (ledger, now) = (self.asking.ledger, self.asking.now);
                let reach = Reach::read(ledger, self.speaker.person, row.case, now).await?;
                reach_of.insert(Some(reach).filter(|_| !gone));
            }
            // The rows of what it carries are no right to read (invariant 5).
            let reads = reaches.get(&row.case).and_then(Option::as_ref).is_some_and(|reach| {
                let lost =
                    round.belongs.get(&row.case).is_some_and(|of| of.lost.iter().any(|(lost, _)| *lost == document));
                !lost && reach.may(&row, Action::Read)
            });
            if reads {
                page.documents.push(news_of(&row, changes).await?);
            }
        }
        Ok(page)
    }

    /// All of a document that is new to a device, as it stood at the ledger's end; but for what the device just brought
    /// itself.
    async fn all_of(&self, row: &DocumentRow, brought: bool, end: Number) -> Result<Option<DocumentNews>, Problem> {
        let mut changes = self.asking.ledger.changes(row.document, 0).await?;
        changes.retain(|change| change.n <= end && !(brought && change.device == self.speaker.device.id));
        Ok(if changes.is_empty() { None } else { Some(news_of(row, changes).await?) })
    }

    /// What the device should find that it has. It runs on from write to write; once a day it is summed from the rows,
    /// so that a row that was lost is noticed.
    async fn digest(&self, asked: &Asked<'_>, pulse: &Pulse) -> Result<Option<CarriedDigest>, Problem> {
        let summed_today = asked.last.is_some_and(|last| day(last) == day(self.asking.now));
        if summed_today && asked.request.heads.is_none() {
            return Ok(Some(pulse.digest));
        }
        let (end, documents) = self.asking.ledger.documents_carried(self.speaker.device.id).await?;
        if end != pulse.end {
            return Ok(None);
        }
        let mut digest = CarriedDigest::default();
        for (document, heads) in &documents {
            digest.add(*document, heads);
        }
        if digest != pulse.digest {
            tracing::warn!(device = %self.speaker.device.id, "what the device carries summed to another digest");
            self.write(vec![Write::Resum(self.speaker.device.id)]).await?;
        }
        Ok(Some(digest))
    }

    /// Keeps frames that were made. They only save work: a full disk keeps no device from what it should have.
    pub(super) async fn keep_frames(&self, made: Vec<Write>) {
        if let Err(error) = self.write(made).await {
            tracing::warn!(%error, "frames could not be kept; they are made anew each time");
        }
    }

    /// The next of these cases, to be sent whole: at most so many.
    pub(super) async fn next_whole(&self, cases: &VecDeque<CaseId>, most: usize) -> Result<WholeCases, Problem> {
        let (ledger, device) = (self.asking.ledger, self.speaker.device.id);
        let cases: Vec<CaseId> = cases.iter().take(most.clamp(1, AT_ONCE)).copied().collect();
        let rows = CaseRows::read_all(ledger, &cases).await?;
        let carried = ledger.carried_of(device, &cases).await?;
        let frames = Frames::of(ledger, &cases).await?;
        Ok(WholeCases { cases, rows, carried, frames })
    }

    /// One of them: its card, and the documents that were noted to be sent. `chosen`: what its person chose.
    pub(super) async fn whole_case(
        &self,
        case: CaseId,
        read: &mut WholeCases,
        chosen: &BTreeMap<CaseId, bool>,
    ) -> Result<Outgoing, Problem> {
        let (ledger, directory, now) = (self.asking.ledger, self.asking.directory, self.asking.now);
        let mut outgoing = Outgoing::default();
        let Some(rows) = read.rows.get(&case) else { return Ok(outgoing) };
        let nothing = BTreeSet::new();
        let judging = self.judging(Came { after: 0, cut: None }, (chosen, &nothing));
        // A right that ended since is news of the next request.
        let Some(reach) = judging.belongs(rows) else { return Ok(outgoing) };
        let sent = of_case(&read.carried, case).iter().filter(|row| row.reason.is_none());
        let sent: BTreeSet<DocumentId> = sent.filter_map(|row| row.row.document).collect();
        for row in rows.carried(&reach).filter(|row| sent.contains(&row.document)) {
            let (document, kind) = (row.document, row.kind);
            if let Some((heads, changes)) = read.frames.take(ledger, row).await? {
                outgoing.frames.push(Frame { document, case, kind, heads, changes });
            }
        }
        outgoing.made = std::mem::take(&mut read.frames.made);
        outgoing.cards.extend(cards::card((ledger, &self.documents), directory, rows, self.speaker.person, now).await?);
        Ok(outgoing)
    }
}

/// What some cases that are sent whole are made of, read together just before.
#[derive(Default)]
pub(super) struct WholeCases {
    cases: Vec<CaseId>,
    rows: BTreeMap<CaseId, CaseRows>,
    carried: Vec<Carried>,
    frames: Frames,
}

impl WholeCases {
    /// Whether this case was read.
    pub(super) fn has(&self, case: CaseId) -> bool {
        self.cases.contains(&case)
    }
}

/// The rows of one case, among rows by case.
fn of_case(carried: &[Carried], case: CaseId) -> &[Carried] {
    let begins = carried.partition_point(|row| row.row.case < case);
    let ends = carried.partition_point(|row| row.row.case <= case);
    &carried[begins..ends]
}

/// A page of news.
struct NewsPage {
    documents: Vec<DocumentNews>,
    until: Number,
    more: bool,
}

pub(super) async fn news_of(row: &DocumentRow, changes: Vec<ChangeRow>) -> Result<DocumentNews, StorageError> {
    news(row, changes.into_iter().map(|change| change.bytes).collect()).await
}

/// Changes of a document as they travel.
pub(super) async fn news(row: &DocumentRow, changes: Vec<Vec<u8>>) -> Result<DocumentNews, StorageError> {
    let (document, case, kind) = (row.document, row.case, row.kind);
    let changes = match changes.iter().map(Vec::len).sum::<usize>() {
        0..SMALL => Packed::pack(&changes, &Known::news(kind)),
        // Others wait for the thread that this one runs on.
        _ => blocking(move || Ok(Packed::pack(&changes, &Known::news(kind)))).await?,
    };
    Ok(DocumentNews { document, case, kind, changes })
}

/// Of the photos that these documents name, those that have not arrived.
async fn photo_wants<L: Ledger>(
    ledger: &L,
    named: &BTreeMap<DocumentId, BTreeSet<Hash>>,
) -> Result<Vec<(DocumentId, Hash)>, Problem> {
    let mut wants = Vec::new();
    for (document, named) in named {
        let here: BTreeSet<Hash> = ledger.photos_of(*document).await?.into_iter().map(|photo| photo.hash).collect();
        wants.extend(named.difference(&here).map(|hash| (*document, *hash)));
    }
    Ok(wants)
}
