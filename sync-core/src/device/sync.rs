//! Talking to the server: one conversation at a time, text before photos. What was sent and not answered is sent again
//! byte for byte; nothing counts as handed in before its signed receipt is stored.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteVec;
use serde::Serialize;

use super::error::DeviceError;
use super::facade::{Device, Event};
use super::link::{CBOR, HttpRequest, Link, LinkError, Method};
use super::rows::{
    Anew, Bearer, Carries, ChangeRow, Counters, DocumentRow, Dropped, Kept, OutboxAsk, OutboxChange, OutboxRow,
    Pending, PhotoRow, Purged, PurgedDocuments, ReadRow, Stopped, Wants, Writer, group, to_bytes,
};
use super::store::Shelf;
use crate::engine::{self, ReplyReader, WaitingPush, Waits};
use crate::id::{CaseId, DocumentId, Hash, Heads};
use crate::protocol::codec::Limits;
use crate::protocol::sync::{Choice, Cursor, PATH, Progress, ReadLog};
use crate::protocol::{Ask, CarriedDigest, Request};

/// How many round trips one sync may take before it leaves the rest to the next: a bound, not a plan.
const MOST_ROUNDS: u32 = 1_000;
/// The most bytes of changes in one request: half of what a server takes.
const MOST_BYTES: usize = 4 << 20;
/// The most changes in one request; tests turn pages.
pub(super) const MOST_CHANGES: usize = if cfg!(test) { 40 } else { 5_000 };
/// How many changes are read at a time: of the largest, 16 MiB.
const CHANGES_AHEAD: usize = if cfg!(test) { 16 } else { 64 };
/// The most cases to be opened, the most other asks, the most reads and the most purges, in one request: a server takes five
/// times as many.
pub(super) const MOST_ROWS: usize = if cfg!(test) { 40 } else { 1_000 };

/// What one sync did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SyncReport {
    /// Bytes of all request bodies.
    pub bytes_up: usize,
    /// Bytes of all reply bodies.
    pub bytes_down: usize,
    /// Requests, those for photos included.
    pub round_trips: u32,
    /// Of these, exchanges of text.
    pub exchanges: u32,
    /// This device's changes that the server has receipted.
    pub receipted: usize,
    /// Documents of which it refused this device's changes.
    pub refused: Vec<DocumentId>,
    /// Changes that were made anew on top of what the server has.
    pub replayed: usize,
    /// Documents with news.
    pub news: usize,
    /// Changes by others that came.
    pub changes: usize,
    /// Cards that came.
    pub cards: usize,
    /// Asks that were granted.
    pub granted: usize,
    /// Asks that were refused.
    pub denied: usize,
    /// Photos sent and receipted.
    pub photos_sent: usize,
    /// Photos that still wait.
    pub photos_waiting: usize,
    /// Why photos still wait, where something went wrong with one.
    pub photo_trouble: Option<String>,
    /// Cases removed from this device.
    pub purged: Vec<CaseId>,
    /// Documents removed from this device, of cases that stay.
    pub purged_documents: Vec<DocumentId>,
}

/// What a round left open.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The server has more.
    pub(super) more: bool,
    /// Cases in which something was granted.
    pub(super) granted: Vec<CaseId>,
    /// Cases whose card came.
    pub(super) carded: Vec<CaseId>,
    /// The request asked for a bearer for photos.
    pub(super) asked_for_bearer: bool,
    /// The server's sum of what is carried, where it is not this device's.
    pub(super) differs: Option<CarriedDigest>,
    /// Its person's role or organisation has changed: what was signed in the name of the old one is to be signed anew.
    pub(super) moved: bool,
}

/// What one sync has done already and does not do twice.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Rows of the outbox that went up.
    tried: BTreeSet<i64>,
    /// Documents whose refused work was done again.
    replayed: BTreeSet<DocumentId>,
    /// Whether both sides told what they have.
    reconciled: bool,
    /// What this device has, to be told with the next request.
    heads: Option<Vec<(DocumentId, Heads)>>,
    /// What it had when it told last, where a part of what it lacks came for it.
    told: Option<Vec<(DocumentId, Heads)>>,
}

/// The rows of the documents that something in the outbox changes, of those that are here.
type Changed = BTreeMap<DocumentId, DocumentRow>;

/// The documents that something of this changes.
pub(super) fn changed_by(waiting: &[(i64, OutboxRow)]) -> BTreeSet<DocumentId> {
    let changed = waiting.iter().filter_map(|(_, row)| match row {
        OutboxRow::Change(change) => Some(change.document),
        OutboxRow::Ask(_) => None,
    });
    changed.collect()
}

/// The changes that went up in this sync and wait all the same: the server puts them off, and what rests on them waits
/// with them. Without them in the same request it would speak of what nobody knows.
fn put_off(sendable: &[(i64, OutboxRow)], tried: &BTreeSet<i64>) -> Waits {
    let mut waits = Waits::default();
    for (_, row) in sendable.iter().filter(|(n, _)| tried.contains(n)) {
        if let OutboxRow::Change(change) = row {
            waits.change(change.case, change.document);
        }
    }
    waits
}

/// Adds a change to the push of its document, or to one of its own.
fn add_change(
    pushes: &mut Vec<WaitingPush>,
    changed: &Changed,
    change: OutboxChange,
    raw: ChangeRow,
) -> Result<(), DeviceError> {
    let OutboxChange { document, case, fork, base, .. } = change;
    let item = (raw.hash, raw.bytes.to_vec());
    let row = changed.get(&document).ok_or(DeviceError::NoSuchDocument(document))?;
    let push = pushes.iter_mut().rfind(|push| push.document == document && push.fork == fork);
    if let Some(push) = push.filter(|_| !row.singly) {
        push.changes.push(item);
        return Ok(());
    }
    let kind = row.kind;
    pushes.push(WaitingPush { document, case, kind, fork, base, changes: vec![item] });
    Ok(())
}

impl Round {
    /// Whether something was granted whose consequence has not come yet.
    fn awaits_consequence(&self) -> bool {
        self.granted.iter().any(|case| !self.carded.contains(case))
    }
}

impl Device {
    /// Hands in what waits and takes what is new, photos last. Dropped on the way, it loses nothing.
    ///
    /// # Errors
    /// [`DeviceError::NotEnrolled`]; [`DeviceError::Link`] when there is no way to the server or what came back is not
    /// its word (what an earlier round brought is kept); [`DeviceError::Store`].
    pub async fn sync(&self, link: &Link) -> Result<SyncReport, DeviceError> {
        self.sync_for(link, false).await
    }

    /// A sync that brings a fresh bearer for photos, whether or not any wait here.
    pub(super) async fn sync_for(&self, link: &Link, bearer: bool) -> Result<SyncReport, DeviceError> {
        let _one = self.syncing.lock().await;
        self.recall_enrolment().await?;
        let mut report = SyncReport::default();
        let mut done = Done::default();
        let mut has_bearer = false;
        self.replay_refused(&mut done.replayed, &mut report).await?;
        for _ in 0..MOST_ROUNDS {
            let wants_bearer = !has_bearer && (bearer || self.photos_wait().await?);
            let told = done.heads.clone();
            let round = self.round(link, wants_bearer, &mut done, &mut report).await?;
            if told.is_some() && round.more {
                // Of much that it lacks a reply brings a part: what it has then is told anew.
                (done.reconciled, done.told) = (false, told);
            }
            has_bearer |= round.asked_for_bearer;
            if round.moved {
                done.tried.clear();
            }
            // The server knows nothing yet of what a device has that was enrolled anew.
            if !round.more && self.replay_anew(&mut report).await? {
                done.reconciled = true;
                done.heads = self.recount(None).await?;
            }
            self.replay_refused(&mut done.replayed, &mut report).await?;
            if let Some(theirs) = round.differs.filter(|_| !done.reconciled) {
                done.reconciled = true;
                // No more than before: what the server has lost never agrees, and the same words bring the same answer.
                done.heads = self.recount(Some(theirs)).await?.filter(|heads| done.told.as_ref() != Some(heads));
            }
            // The request that went may have been made before a photo was taken.
            let wants_bearer = !has_bearer && (bearer || self.photos_wait().await?);
            let more = round.more || round.awaits_consequence() || wants_bearer || done.heads.is_some();
            if !(more || self.has_untried(&done.tried).await?) {
                break;
            }
        }
        self.send_photos(link, &mut report).await?;
        Ok(report)
    }

    pub(super) async fn round(
        &self,
        link: &Link,
        wants_bearer: bool,
        done: &mut Done,
        report: &mut SyncReport,
    ) -> Result<Round, DeviceError> {
        let enrolment = self.enrolment()?;
        let identity = enrolment.identity();
        let pending = match self.reader().single::<Pending>().await? {
            Some(pending) => pending,
            None => self.make_request(&identity, wants_bearer, done).await?,
        };
        done.tried.extend(&pending.outbox);
        let request = HttpRequest {
            method: Method::Post,
            url: format!("{}{PATH}", enrolment.url),
            content_type: Some(CBOR),
            bearer: None,
            body: pending.bytes.to_vec(),
        };
        report.bytes_up += request.body.len();
        report.round_trips += 1;
        report.exchanges += 1;
        let mut stream = match link.open(request, CBOR).await {
            Ok(stream) => stream,
            Err(error) => {
                if matches!(&error, LinkError::Problem { kind, .. } if kind.ends_with("device-stopped")) {
                    let mut write = Writer::begin(&self.store).await?;
                    write.put_single(&Stopped(true)).await?;
                    write.commit().await?;
                }
                if let LinkError::Problem { status: 400 | 413 | 415 | 422, .. } | LinkError::Version { .. } = error {
                    // It was read and certainly not taken: the next one is made anew.
                    let mut write = Writer::begin(&self.store).await?;
                    write.remove_single::<Pending>().await?;
                    write.commit().await?;
                }
                return Err(error.into());
            }
        };
        let mut round = Round { asked_for_bearer: pending.wants_bearer, ..Round::default() };
        let mut reader = ReplyReader::new(identity, &pending.bytes, Limits::REPLY);
        let mut pending = Some(pending);
        // Each part is on the device as soon as it has come: what a cut leaves, the next request goes on from.
        while let Some(piece) = stream.body.next().await? {
            report.bytes_down += piece.len();
            let now = self.clock.now();
            let parts = super::rows::off_thread(move || {
                reader.feed(&piece);
                let mut parts = Vec::new();
                let error = loop {
                    match reader.next(now) {
                        Ok(Some(part)) => parts.push(part),
                        Ok(None) => break None,
                        Err(error) => break Some(error),
                    }
                };
                Ok((reader, parts, error))
            });
            let (back, parts, error) = parts.await?;
            reader = back;
            for part in parts {
                let part = self.apply(pending.take(), part, report).await?;
                (round.more, round.differs) = (part.more, part.differs);
                round.moved |= part.moved;
                round.granted.extend(part.granted);
                round.carded.extend(part.carded);
            }
            if let Some(error) = error {
                return Err(LinkError::from(error).into());
            }
            if reader.is_whole() {
                return Ok(round);
            }
        }
        reader.finish().map_err(LinkError::from)?;
        Ok(round)
    }

    /// The rows of the outbox that may be sent now, and the rows of the documents that they change.
    async fn sendable(&self) -> Result<(Vec<(i64, OutboxRow)>, Changed), DeviceError> {
        if self.reader().single::<Anew>().await?.is_some() {
            // By the device that was: nothing before it is known what of it the server has.
            return Ok((Vec::new(), Changed::new()));
        }
        let waiting = self.reader().whole_shelf::<OutboxRow>(Shelf::Outbox).await?;
        let changed = self.reader().documents(&changed_by(&waiting)).await?;
        let may = |(_, row): &(i64, OutboxRow)| match row {
            OutboxRow::Ask(ask) => !ask.received,
            OutboxRow::Change(change) => {
                let refused = changed.get(&change.document).is_none_or(|document| document.refused.is_some());
                // What was typed behind it is handed in, if only to be kept in quarantine.
                !refused || !change.sent
            }
        };
        Ok((waiting.into_iter().filter(may).collect(), changed))
    }

    /// Whether there are photos that no server is known to have, or that the server waits for.
    async fn photos_wait(&self) -> Result<bool, DeviceError> {
        if !self.reader().single::<Wants>().await?.unwrap_or_default().0.is_empty() {
            return Ok(true);
        }
        let photos = self.reader().whole_shelf::<PhotoRow>(Shelf::Photo).await?;
        Ok(photos.iter().any(|(_, photo)| photo.kept == Kept::OnThisDevice))
    }

    async fn has_untried(&self, tried: &BTreeSet<i64>) -> Result<bool, DeviceError> {
        let purged = self.reader().single::<Purged>().await?.unwrap_or_default();
        let documents = self.reader().single::<PurgedDocuments>().await?.unwrap_or_default();
        if !(purged.0.is_empty() && documents.0.is_empty()) {
            return Ok(true);
        }
        Ok(self.sendable().await?.0.iter().any(|(n, _)| !tried.contains(n)))
    }

    /// Makes the next request and keeps it until its reply is in.
    async fn make_request(
        &self,
        identity: &engine::Identity,
        wants_bearer: bool,
        done: &mut Done,
    ) -> Result<Pending, DeviceError> {
        let mut pushes: Vec<WaitingPush> = Vec::new();
        let mut asks: Vec<Ask> = Vec::new();
        let (mut outbox, mut later, mut undecided) = (Vec::new(), Vec::new(), Vec::new());
        let (mut bytes, mut changes, mut more) = (0, 0, false);
        let (sendable, changed) = self.sendable().await?;
        let mut waits = put_off(&sendable, &done.tried);
        let untried: Vec<i64> = sendable
            .iter()
            .filter_map(|(n, row)| match row {
                OutboxRow::Change(change) if !done.tried.contains(n) => Some(change.change),
                _ => None,
            })
            .collect();
        let (mut pages, mut ahead) = (untried.chunks(CHANGES_AHEAD), BTreeMap::new());
        let mut met = 0;
        for (n, row) in sendable {
            if let OutboxRow::Ask(OutboxAsk { ask, .. }) = &row
                && waits.hold(ask)
            {
                // It has had its turn in this sync: there is nothing more to try.
                waits.ask(ask);
                done.tried.insert(n);
                continue;
            }
            match row {
                // Again with each request of what may be in the case; of very many not all, or none would come behind them.
                OutboxRow::Ask(ask) if done.tried.contains(&n) => match ask.ask.request {
                    Request::OpenCase(_) if asks.len() < MOST_ROWS / 2 => {
                        outbox.push(n);
                        asks.push(ask.ask);
                    }
                    _ => undecided.push((n, ask.ask)),
                },
                OutboxRow::Change(_) if done.tried.contains(&n) => {}
                OutboxRow::Change(_) if more => {}
                OutboxRow::Change(change) => {
                    if met % CHANGES_AHEAD == 0 {
                        let page = pages.next().unwrap_or_default();
                        ahead = self.reader().these::<ChangeRow>(Shelf::Change, page).await?.into_iter().collect();
                    }
                    met += 1;
                    let Some(raw) = ahead.remove(&change.change) else { continue };
                    if bytes + raw.bytes.len() > MOST_BYTES || changes == MOST_CHANGES {
                        more = true;
                        continue;
                    }
                    (bytes, changes) = (bytes + raw.bytes.len(), changes + 1);
                    outbox.push(n);
                    add_change(&mut pushes, &changed, change, raw)?;
                }
                OutboxRow::Ask(ask) if matches!(ask.ask.request, Request::OpenCase(_)) => {
                    if asks.len() == MOST_ROWS {
                        more = true;
                        continue;
                    }
                    outbox.push(n);
                    asks.push(ask.ask);
                }
                OutboxRow::Ask(ask) if later.len() < MOST_ROWS => later.push((n, ask.ask)),
                // With the next request: it holds up nothing but what was asked behind it.
                OutboxRow::Ask(_) => {}
            }
        }
        if !more {
            // An ask speaks of versions: it goes once all changes before it have gone.
            // What was asked before in this sync and left open goes along: a purge waits for the reply to a request with it.
            let room = MOST_ROWS.saturating_sub(later.len());
            later.extend(undecided.into_iter().take(room));
            // In the order in which it was asked: nothing is withdrawn before it was submitted.
            later.sort_unstable_by_key(|(n, _)| *n);
            for (n, ask) in later {
                outbox.push(n);
                asks.push(ask);
            }
        }
        let reads =
            self.store.list(Shelf::ReadLog, group::READS, 0, u32::try_from(MOST_ROWS).unwrap_or(u32::MAX)).await?;
        let reads: Vec<(i64, ReadRow)> = reads
            .iter()
            .map(|(n, bytes)| Ok((*n, super::rows::from_bytes(bytes)?)))
            .collect::<Result<_, super::StoreError>>()?;
        let mut purged = self.reader().single::<Purged>().await?.unwrap_or_default().0;
        let mut purged_documents = self.reader().single::<PurgedDocuments>().await?.unwrap_or_default().0;
        purged.truncate(MOST_ROWS);
        purged_documents.truncate(MOST_ROWS);
        let carries = self.reader().single::<Carries>().await?.unwrap_or_default();
        let dropped = self.reader().single::<Dropped>().await?.unwrap_or_default().0;
        let chosen =
            |cases: &[CaseId], carry| cases.iter().map(|case| Choice { case: *case, carry }).collect::<Vec<_>>();
        let waiting = engine::Waiting {
            cursor: self.reader().single::<Cursor>().await?,
            at: self.stamp(),
            pushes,
            asks,
            purged: purged.clone(),
            purged_documents: purged_documents.clone(),
            reads: reads.iter().map(|(_, row)| ReadLog { document: row.document, at: row.at }).collect(),
            choices: [chosen(&carries.0, true), chosen(&dropped, false)].concat(),
            progress: self.reader().single::<Progress>().await?,
            heads: done.heads.take(),
            wants_bearer,
        };
        let mut counters = self.reader().single::<Counters>().await?.unwrap_or_default();
        counters.request = counters.request.saturating_add(1);
        let pending = Pending {
            bytes: ByteVec::from(identity.request(waiting, counters.request)),
            outbox,
            reads: reads.into_iter().map(|(n, _)| n).collect(),
            purged,
            purged_documents,
            wants_bearer,
            dropped,
        };
        let _edits = self.editing.lock().await;
        let mut write = Writer::begin(&self.store).await?;
        // An edit may have taken keys meanwhile.
        let mut counters_now = write.single::<Counters>().await?.unwrap_or_default();
        counters_now.request = counters.request;
        write.put_single(&counters_now).await?;
        write.put_single(&pending).await?;
        write.commit().await?;
        Ok(pending)
    }

    /// Sends the photos that the server waits for, and those whose record it has.
    async fn send_photos(&self, link: &Link, report: &mut SyncReport) -> Result<(), DeviceError> {
        let Some(bearer) = self.reader().single::<Bearer>().await? else { return Ok(()) };
        let wants = self.reader().single::<Wants>().await?.unwrap_or_default().0;
        let waiting = self.reader().whole_shelf::<OutboxRow>(Shelf::Outbox).await?;
        let unsent: BTreeSet<Hash> = waiting
            .iter()
            .filter_map(|(_, row)| match row {
                OutboxRow::Change(change) => Some(change.hash),
                OutboxRow::Ask(_) => None,
            })
            .collect();
        let mut stopped = false;
        for (_, photo) in self.reader().whole_shelf::<PhotoRow>(Shelf::Photo).await? {
            let recorded = photo.recorded_by.is_some_and(|change| !unsent.contains(&change));
            let due = wants.contains(&(photo.document, photo.hash)) || (photo.kept == Kept::OnThisDevice && recorded);
            if !due || stopped {
                report.photos_waiting += usize::from(photo.kept == Kept::OnThisDevice);
                continue;
            }
            match self.send_photo(link, &bearer.0, &photo, report).await {
                Ok(()) => report.photos_sent += 1,
                Err(DeviceError::Link(error)) => {
                    // What is wrong with one photo does not hold up the next; a bad line does.
                    stopped = error.is_passing() || matches!(error, LinkError::Problem { status: 401, .. });
                    report.photos_waiting += 1;
                    report.photo_trouble = Some(error.to_string());
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    async fn send_photo(
        &self,
        link: &Link,
        bearer: &str,
        photo: &PhotoRow,
        report: &mut SyncReport,
    ) -> Result<(), DeviceError> {
        let PhotoRow { document, case, hash, .. } = *photo;
        let bytes = self.store.get(Shelf::PhotoBytes, &PhotoRow::key(document, hash)).await?;
        let request = HttpRequest {
            method: Method::Put,
            url: self.photo_url(case, document, hash)?,
            content_type: Some("image/jpeg"),
            bearer: Some(bearer.to_owned()),
            body: bytes.ok_or(DeviceError::NoSuchPhoto(hash))?,
        };
        report.bytes_up += request.body.len();
        report.round_trips += 1;
        let reply = link.send(request).await?;
        report.bytes_down += reply.body.len();
        let proof = self.enrolment()?.identity().receipts(&reply.body).map_err(LinkError::from)?;
        if !proof.receipts.photos.contains(&(document, hash)) {
            return Err(LinkError::Tampered.into());
        }
        let mut write = Writer::begin(&self.store).await?;
        let key = PhotoRow::key(document, hash);
        // The case may have been purged while the photo was on its way.
        if let Some(row) = write.row::<PhotoRow>(Shelf::Photo, &key).await? {
            let place = proof.receipts.place();
            write.put_photo(&PhotoRow { kept: Kept::ServerHas, place, ..row }).await?;
        }
        write.0.append(Shelf::Receipt, None, group::RECEIPTS, &to_bytes(&proof)).await?;
        let mut wants = write.single::<Wants>().await?.unwrap_or_default();
        wants.0.retain(|want| *want != (document, hash));
        write.put_single(&wants).await?;
        write.commit().await?;
        self.tell(Event::Photo { document, hash });
        Ok(())
    }
}
