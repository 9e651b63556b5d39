//! One round trip of a device: who it is, what it brings, what it should have.

mod admitting;
mod comparing;
mod frames;
mod incoming;
mod judging;
mod outgoing;
mod parts;
mod reading;
mod sending;
#[cfg(test)]
mod tests;
mod turns;

use std::sync::Arc;

use minicbor::bytes::ByteVec;
use sync_core::clock::Timestamp;
use sync_core::engine::ReplyWriter;
use sync_core::envelope::{PROTOCOL, PublicKey, Sender, Signed};
use sync_core::guard::Bounds;
use sync_core::id::{CaseId, Epoch, Hash};
use sync_core::protocol::codec::{Limits, Undecodable, decode, unpack};
use sync_core::protocol::sync::{PATH, Position, PurgeReason, Receipts, Refused, request_bytes};
use sync_core::protocol::{SignedRequest, SyncRequest, Verdict};
use tokio::sync::oneshot;

use self::outgoing::Outgoing;
use self::parts::PART;
pub use self::parts::{Part, Parts};
pub use self::sending::{Cut, Patience, Sending};
pub use self::turns::Turns;
use self::turns::{Newest, Place, Turn};
use crate::app::App;
use crate::asks::Asking;
use crate::auth::tokens::{self, Bearer};
use crate::documents::Documents;
use crate::error::{Problem, ProblemKind};
use crate::keys::Signer;
use crate::reach::{Directory, Person};
use crate::storage::devices::{Counted, Device, Heard, TakenRequest};
use crate::storage::keys::KeyPurpose;
use crate::storage::ledger::{Ledger, Number};

/// The device that speaks and its person, each looked up for this request.
#[derive(Debug)]
pub struct Speaker<'a> {
    /// The person.
    pub person: &'a Person,
    /// The device.
    pub device: &'a Device,
    /// Whether the device was revoked or its account disabled: it hands in what it has and gets orders to purge.
    pub revoked: bool,
    /// The place in the ledger at which the account last changed: what is sent before it was judged by another role.
    pub changed: Number,
    /// What its envelopes are checked against.
    pub sender: Sender,
}

impl Speaker<'_> {
    /// Why nothing may be on the device, if nothing may.
    fn why_revoked(&self) -> Option<PurgeReason> {
        let revoked = self.device.revoked_at.is_some();
        self.revoked.then_some(if revoked { PurgeReason::Revoked } else { PurgeReason::Disabled })
    }
}

/// One request of a device while it is answered: all that was looked up for it, and what is left to send.
struct Session {
    app: App,
    directory: Arc<Directory>,
    heard: Heard,
    request: TakenRequest,
    now: Timestamp,
}

/// A reply on its way, part by part.
pub struct Settled {
    session: Session,
    parts: Parts,
    writer: ReplyWriter,
    signer: Signer,
    newest: Newest,
    /// Until the first part is made.
    turn: Option<Turn>,
    /// Once there is more than one part.
    place: Option<Place>,
}

/// Settles one request; the reply is then fetched part by part.
///
/// # Errors
/// A [`Problem`] when the request is not one of an enrolled device, or the store failed; nothing was taken in then
/// that a later request would not find.
pub async fn settle(app: &App, body: &[u8]) -> Result<Settled, Problem> {
    settle_in_parts(app, body, PART).await
}

async fn settle_in_parts(app: &App, body: &[u8], most: usize) -> Result<Settled, Problem> {
    if let Some(found) = spoken(body).filter(|found| *found != PROTOCOL) {
        let older = if found < PROTOCOL { "the app" } else { "the server" };
        let detail = format!("This server speaks version {PROTOCOL} of the protocol: {older} must be updated.");
        return Err(Problem::new(ProblemKind::Protocol, detail).with("speaks", [PROTOCOL]));
    }
    // Nobody knows yet whose it is: an array of six, and nothing in it that is skipped.
    let request: SignedRequest = decode(body, 1 + 6).map_err(|_| not_a_request())?;
    if i64::try_from(request.counter).is_err() {
        return Err(uncountable());
    }
    let digest = Hash::of(&request.body);
    let mut heard = hear(app, &request, digest).await?;
    let taken = TakenRequest { counter: request.counter, digest };
    count(app, &heard, taken).await?;
    let (turn, waited) = app.turns.of(request.device).await?;
    if waited {
        // They may be somebody else by now, or nobody.
        heard = hear(app, &request, digest).await?;
        is_not_stopped(&heard)?;
    }
    if is_overtaken(app, &heard, taken) {
        return Err(overtaken(&heard));
    }
    let directory = app.directory.at(&app.storage, heard.directory).await?;
    let signer = app.keys.signer_of(heard.reply_key, KeyPurpose::Reply).await?;
    let session = Session { app: app.clone(), directory, heard, request: taken, now: app.clock.now() };
    // To its end, whoever hangs up: or a device that does so again and again has many at work for it.
    let (hung_up, listens) = oneshot::channel::<()>();
    let settled = tokio::spawn(async move {
        let settled = session.settle(request.body).await;
        if let Err(problem) = &settled
            && hung_up.is_closed()
            && problem.kind().status().is_server_error()
        {
            let device = request.device;
            tracing::error!(%device, %problem, cause = ?problem, "a sync failed whose sender had hung up");
        }
        settled.map(|settled| (settled, turn))
    });
    let ((session, said, answer), turn) = came_of(settled.await)??;
    drop(listens);
    let bearer = if said.wants_bearer && !session.revoked() {
        let device = &session.heard.device;
        let bearer = Bearer::Device { account: device.account, device: device.id };
        Some(tokens::mint(app, bearer).await?.token)
    } else {
        None
    };
    let lease = (!session.revoked()).then_some(app.config.limits.lease_hours);
    let parts = answer.parts((signer.key.id, |bytes| Signed(signer.sign(bytes))), bearer, lease, most);
    let writer = ReplyWriter::new(app.keys.server(), body, signer.key.id);
    let newest = turn.reply();
    Ok(Settled { session, parts, writer, signer, newest, turn: Some(turn), place: None })
}

/// The device that a request is of, if it is.
async fn hear(app: &App, request: &SignedRequest, digest: Hash) -> Result<Heard, Problem> {
    let heard = app.storage.heard(request.device).await?.ok_or_else(unknown_device)?;
    let device = &heard.device;
    let signed = request_bytes(app.keys.server(), PATH, digest, request.generation, request.counter);
    if device.generation != request.generation || !PublicKey(device.public_key).verifies(&signed, &request.signature) {
        return Err(unknown_device());
    }
    Ok(heard)
}

/// What came of a task of this request. Its panic goes on here: what it said may hold somebody's data, and belongs in no
/// log.
fn came_of<T>(joined: Result<T, tokio::task::JoinError>) -> Result<T, Problem> {
    joined.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(ended) => Problem::internal(ended),
    })
}

/// The version of the protocol that a request says it is of, whatever else it says.
fn spoken(body: &[u8]) -> Option<u16> {
    let mut decoder = minicbor::Decoder::new(body);
    decoder.array().ok()??;
    decoder.u16().ok()
}

impl Session {
    /// Takes in what a request brings, and finds out what its device should have.
    async fn settle(self, body: ByteVec) -> Result<(Self, SyncRequest, Answer), Problem> {
        let limits = self.app.config.limits.sync_limits();
        let said = match body.len() {
            0..SMALL => unpack::<SyncRequest>(&body, limits),
            // Others wait for the thread that this one runs on.
            _ => {
                let unpacked = tokio::task::spawn_blocking(move || unpack(&body, limits));
                came_of(unpacked.await)?
            }
        };
        let said = said.map_err(undecodable)?;
        let ledger = self.app.storage.ledger();
        let answer = self.desk(&ledger)?.settle(&said).await?;
        Ok((self, said, answer))
    }

    fn revoked(&self) -> bool {
        self.heard.revoked()
    }

    /// Whether a reply that has begun may go on: whoever reads slowly learns nothing that was theirs no more, and a copy
    /// nothing that rests on what the other has brought meanwhile.
    async fn goes_on(&mut self) -> Result<bool, Problem> {
        let Some(heard) = self.app.storage.heard(self.heard.device.id).await? else { return Ok(false) };
        self.now = self.app.clock.now();
        let same = heard.changed == self.heard.changed && heard.revoked() == self.heard.revoked();
        let goes_on = same && heard.device.stopped_at == self.heard.device.stopped_at;
        Ok(goes_on && !is_overtaken(&self.app, &heard, self.request))
    }

    /// Where the request is settled.
    fn desk<'s, L>(&'s self, ledger: &'s L) -> Result<Desk<'s, L>, Problem> {
        let device = &self.heard.device;
        let person = self.directory.person(device.account).ok_or_else(unknown_device)?;
        let sender = Sender {
            server: self.app.keys.server(),
            organisation: person.organisation,
            device: device.id,
            generation: device.generation,
            account: person.account,
            key: PublicKey(device.public_key),
            number: device.number,
        };
        let asking = Asking {
            ledger,
            directory: &self.directory,
            person,
            now: self.now,
            server: self.app.keys.server(),
            authority: self.directory.authority(),
            chance: self.app.chance.clone(),
            signer: None,
            hcpc_days: self.app.config.limits.hcpc_days,
            break_glass_hours: self.app.config.limits.break_glass_hours,
            delegation: &self.app.config.delegation,
            // When a day's changes are full, asks go on: up to as much again.
            device: Some((device.id, self.app.config.limits.device_day_bytes.saturating_mul(2))),
        };
        let speaker = Speaker { person, device, revoked: self.revoked(), changed: self.heard.changed, sender };
        let documents = self.app.documents.clone();
        Ok(Desk { asking, speaker, epoch: self.heard.epoch, bounds: self.app.config.limits.bounds(), documents })
    }
}

impl Settled {
    /// The bytes of the next part, signed, and whether it is the last; `None` behind that, and once the device was
    /// revoked or its person is somebody else than they were: the reply is cut, and the next one says so.
    ///
    /// # Errors
    /// What storage says; then no more parts come, and the device goes on from those it has.
    pub async fn next_part(&mut self) -> Result<Option<(Vec<u8>, bool)>, Problem> {
        if self.parts.have_begun() && !self.session.goes_on().await? {
            return Ok(None);
        }
        let ledger = self.session.app.storage.ledger();
        let desk = self.session.desk(&ledger)?;
        let Some(Part { reply, last }) = self.parts.next(&desk).await? else { return Ok(None) };
        if let (Some(turn), None, false) = (&self.turn, &self.place, last) {
            self.place = Some(turn.place().await?);
        }
        let sign = |bytes: &[u8]| Signed(self.signer.sign(bytes));
        let part = self.writer.write(&reply, last, sign).map_err(Problem::internal)?;
        self.turn = None;
        Ok(Some((part, last)))
    }
}

impl std::fmt::Debug for Settled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settled").field("parts", &self.parts).finish_non_exhaustive()
    }
}

/// Up to how many bytes a request is unpacked in passing.
const SMALL: usize = 16 << 10;
/// The most documents, asks or cases that one request may name. A device that has more sends it in several.
const MOST_NAMED: usize = 5_000;
/// The most cases, and the most documents, that one word of having purged may name: it is kept with each of them.
const MOST_PURGED: usize = 1_000;
/// The most readings of documents that one request may tell of.
const MOST_READS: usize = 20_000;

/// The most documents whose heads one request may compare: all that a device carries.
const MOST_COMPARED: usize = 200_000;

fn bounded(request: &SyncRequest) -> Result<(), Problem> {
    let named = [request.pushes.len(), request.asks.len(), request.choices.len()];
    let compared = request.heads.as_ref().map_or(0, Vec::len);
    let purged = request.purged();
    if purged.0.len().max(purged.1.len()) > MOST_PURGED {
        let detail = format!("A word of having purged names at most {MOST_PURGED} cases and documents; send several.");
        return Err(Problem::new(ProblemKind::TooLarge, detail));
    }
    if named.into_iter().any(|count| count > MOST_NAMED) || request.reads.len() > MOST_READS || compared > MOST_COMPARED
    {
        let detail = format!("A request names at most {MOST_NAMED} documents, asks or cases; send less at once.");
        return Err(Problem::new(ProblemKind::TooLarge, detail));
    }
    Ok(())
}

fn stopped() -> Problem {
    Problem::new(
        ProblemKind::DeviceStopped,
        "A copy of this device's store has spoken, so this device was stopped. Nothing on it is lost; ask your IT.",
    )
}

fn is_not_stopped(heard: &Heard) -> Result<(), Problem> {
    // One that was revoked besides, or whose account was disabled, still hears what to purge.
    if heard.device.stopped_at.is_some() && !heard.revoked() { Err(stopped()) } else { Ok(()) }
}

fn overtaken(heard: &Heard) -> Problem {
    let device = heard.device.id;
    tracing::warn!(%device, "asked for something newer than this: a copy of its store may have");
    Problem::new(
        ProblemKind::DeviceStopped,
        "A copy of this device's store has spoken since: this one is to be enrolled anew. Nothing on it is lost; ask your \
         IT.",
    )
}

/// Whether a device asked for something newer than this request. What is to be purged is told to every copy of it.
fn is_overtaken(app: &App, heard: &Heard, request: TakenRequest) -> bool {
    app.storage.is_overtaken(&heard.device, request) && !heard.revoked()
}

async fn count(app: &App, heard: &Heard, request: TakenRequest) -> Result<(), Problem> {
    let device = &heard.device;
    is_not_stopped(heard)?;
    match app.storage.take_request(device, request).await? {
        Counted::Next | Counted::Again => Ok(()),
        Counted::Overtaken | Counted::Copy if heard.revoked() => Ok(()),
        Counted::Overtaken => Err(overtaken(heard)),
        Counted::Copy => {
            tracing::warn!(device = %device.id, "a copy of this device's store spoke; the device was stopped");
            Err(stopped())
        }
    }
}

/// Where one request of a device is settled: over any ledger, with no key and no clock of its own.
#[derive(Debug)]
pub struct Desk<'a, L> {
    /// What deciding needs.
    pub asking: Asking<'a, L>,
    /// Who speaks.
    pub speaker: Speaker<'a>,
    /// The server's life.
    pub epoch: Epoch,
    /// How much is taken.
    pub bounds: Bounds,
    /// Documents that were pushed to lately.
    pub documents: Documents,
}

/// What a request comes to, not signed yet.
#[derive(Debug)]
pub struct Answer {
    receipts: Receipts,
    refused: Vec<Refused>,
    verdicts: Vec<Verdict>,
    /// Who its person is, where it may not know.
    position: Option<Position>,
    /// What is sent at once.
    first: Outgoing,
    /// The cases that are sent whole behind it, in the order of their ids.
    whole: Vec<CaseId>,
}

impl<L: Ledger> Desk<'_, L> {
    /// Takes in what the device brings and finds out what it should have.
    ///
    /// # Errors
    /// A [`Problem`] when the store failed; nothing was taken in then that a later request would not find.
    pub async fn settle(&self, request: &SyncRequest) -> Result<Answer, Problem> {
        bounded(request)?;
        let (asking, speaker) = (&self.asking, &self.speaker);
        let receipts = Receipts::new(asking.server, self.epoch, asking.now);
        let mut incoming = incoming::Incoming::new(receipts, self.bounds, self.documents.clone());
        incoming.take(asking, speaker, request).await.map_err(Problem::from)?;
        let (first, whole) = self.gather(request, incoming.took()).await?;
        let mut verdicts = incoming.verdicts;
        let news = first.verdicts.iter().filter(|news| !request.asks.iter().any(|ask| ask.id == news.ask));
        verdicts.extend(news.cloned());
        let knows = request.cursor.is_some_and(|cursor| cursor.epoch == self.epoch && cursor.n >= speaker.changed);
        let Person { role, organisation, .. } = *speaker.person;
        let position = (!knows && !speaker.revoked).then_some(Position { role, organisation });
        let mut receipts = incoming.receipts;
        // What was here already lies before it too.
        receipts.n = receipts.n.max(Some(first.end));
        Ok(Answer { receipts, refused: incoming.refused, verdicts, position, first, whole })
    }
}

fn not_a_request() -> Problem {
    Problem::new(
        ProblemKind::BadRequest,
        "This isn't a whole sync request. Send it again; if it stays, update the app.",
    )
}

fn uncountable() -> Problem {
    // No column holds it, and no store that is whole comes to it.
    let detail = format!("A request's counter goes up to {}. Update the app; if it stays, ask your IT.", i64::MAX);
    Problem::new(ProblemKind::BadRequest, detail)
}

fn unknown_device() -> Problem {
    // Not enrolled, of another life of its store, or with another key: answered alike.
    Problem::new(ProblemKind::DeviceUnknown, "This device isn't enrolled here as it says. Enrol it with a new code.")
}

fn undecodable(error: Undecodable) -> Problem {
    match error {
        Undecodable::TooLarge { most } => {
            Problem::new(ProblemKind::TooLarge, format!("A sync request inflates to at most {most} bytes; send less."))
        }
        Undecodable::TooMany { most } => {
            Problem::new(ProblemKind::TooLarge, format!("A sync request holds at most {most} CBOR items; send less."))
        }
        Undecodable::Damaged | Undecodable::Unknown => not_a_request(),
    }
}

/// The limits of one request.
impl crate::config::Limits {
    /// Of a sync request, as it travels and inflated.
    pub fn sync_limits(&self) -> Limits {
        Limits { compressed: self.sync_bytes, inflated: self.sync_inflated_bytes, ..Limits::PUSH }
    }
}
