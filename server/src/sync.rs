//! One round trip of a device: who it is, what it brings, what it should have.

mod incoming;
mod outgoing;
#[cfg(test)]
mod tests;

use sync_core::envelope::{PROTOCOL, PublicKey, Sender, Signed};
use sync_core::id::{Epoch, Hash, KeyId};
use sync_core::protocol::codec::{Limits, Undecodable, pack, unpack};
use sync_core::protocol::sync::{
    Cursor, PATH, Receipts, Refused, SignedReceipts, SignedReply, reply_bytes, request_bytes,
};
use sync_core::protocol::{SignedRequest, SyncReply, SyncRequest, Verdict};

use crate::app::App;
use crate::asks::Asking;
use crate::auth::tokens::{self, Bearer};
use crate::error::{Problem, ProblemKind};
use crate::reach::{Directory, Person};
use crate::storage::devices::{Counted, Device, TakenRequest};
use crate::storage::keys::KeyPurpose;
use crate::storage::ledger::Ledger;

/// The device that speaks and its person, each looked up for this request.
#[derive(Debug)]
pub struct Speaker<'a> {
    /// The person.
    pub person: &'a Person,
    /// The device.
    pub device: &'a Device,
    /// Whether the device was revoked or its account disabled: it hands in what it has and gets orders to purge.
    pub revoked: bool,
    /// What its envelopes are checked against.
    pub sender: Sender,
}

/// Settles one request and signs the reply.
///
/// # Errors
/// A [`Problem`] when the request is not one of an enrolled device, or the store failed; nothing was taken in then
/// that a later request would not find.
pub async fn settle(app: &App, body: &[u8]) -> Result<Vec<u8>, Problem> {
    let request: SignedRequest = minicbor::decode(body).map_err(|_| not_a_request())?;
    if request.protocol != PROTOCOL {
        let detail = format!("This server speaks protocol {PROTOCOL}: update the app or the server.");
        return Err(Problem::new(ProblemKind::BadRequest, detail));
    }
    let device = app.storage.device(request.device).await?.ok_or_else(unknown_device)?;
    let digest = Hash::of(&request.body);
    let server = app.keys.server();
    let signed = request_bytes(server, PATH, digest, request.generation, request.counter);
    let key = PublicKey(device.public_key);
    if device.generation != request.generation || !key.verifies(&signed, &request.signature) {
        return Err(unknown_device());
    }
    let directory = Directory::read(&app.storage).await?;
    let person = directory.person(device.account).ok_or_else(unknown_device)?;
    let enabled = app.storage.account(device.account).await?.is_some_and(|account| account.enabled);
    count(app, &device, TakenRequest { counter: request.counter, digest }).await?;
    let inflated = app.config.limits.sync_limits();
    let body_of: SyncRequest = unpack(&request.body, inflated).map_err(undecodable)?;
    let sender = Sender {
        server,
        organisation: person.organisation,
        device: device.id,
        generation: device.generation,
        account: person.account,
        key,
        number: device.number,
    };
    let revoked = device.revoked_at.is_some() || !enabled;
    let ledger = app.storage.ledger();
    let authority = app.storage.authority(&app.config.authority).await?;
    let asking = Asking {
        ledger: &ledger,
        directory: &directory,
        person,
        now: app.clock.now(),
        server,
        authority: &authority.name,
        chance: app.chance.clone(),
        signer: None,
    };
    let speaker = Speaker { person, device: &device, revoked, sender };
    let desk = Desk { asking, speaker, epoch: app.keys.epoch().await? };
    let answer = desk.settle(&body_of).await?;
    let bearer = if body_of.wants_bearer && !revoked {
        let bearer = Bearer::Device { account: person.account, device: device.id };
        Some(tokens::mint(app, bearer).await?.token)
    } else {
        None
    };
    let signer = app.keys.signer(KeyPurpose::Reply).await?;
    let mut reply = answer.reply((signer.key.id, |bytes| Signed(signer.sign(bytes))), bearer);
    reply.lease_hours = (!revoked).then_some(app.config.limits.lease_hours);
    let body_of = pack(&reply);
    let signature = Signed(signer.sign(&reply_bytes(server, Hash::of(body), 0, true, Hash::of(&body_of))));
    let reply = SignedReply { protocol: PROTOCOL, key: signer.key.id, signature, body: body_of.into(), last: true };
    Ok(minicbor::to_vec(&reply).unwrap_or_default())
}

/// The most documents, asks or cases that one request may name. A device that has more sends it in several.
const MOST_NAMED: usize = 5_000;
/// The most readings of documents that one request may tell of.
const MOST_READS: usize = 20_000;

/// The most documents whose heads one request may compare: all that a device carries.
const MOST_COMPARED: usize = 200_000;

fn bounded(request: &SyncRequest) -> Result<(), Problem> {
    let named = [
        request.pushes.len(),
        request.asks.len(),
        request.purged().0.len(),
        request.purged().1.len(),
        request.choices.len(),
    ];
    let compared = request.heads.as_ref().map_or(0, Vec::len);
    if named.into_iter().any(|count| count > MOST_NAMED) || request.reads.len() > MOST_READS || compared > MOST_COMPARED
    {
        let detail = format!("A request names at most {MOST_NAMED} documents, asks or cases; send less at once.");
        return Err(Problem::new(ProblemKind::TooLarge, detail));
    }
    Ok(())
}

async fn count(app: &App, device: &Device, request: TakenRequest) -> Result<(), Problem> {
    let stopped = || {
        Problem::new(
            ProblemKind::DeviceStopped,
            "A copy of this device's store has spoken, so this device was stopped. Nothing on it is lost; ask your IT.",
        )
    };
    // One that was revoked besides still hears what to purge.
    let stops = device.revoked_at.is_none();
    if device.stopped_at.is_some() && stops {
        return Err(stopped());
    }
    let mut write = app.storage.write().await?;
    let counted = app.storage.take_request(&mut write, device.id, request).await?;
    write.commit().await.map_err(crate::storage::StorageError::from)?;
    match counted {
        Some(Counted::Next | Counted::Again) => Ok(()),
        Some(Counted::Copy) if !stops => Ok(()),
        Some(Counted::Copy) => {
            tracing::warn!(device = %device.id, "a copy of this device's store spoke; the device was stopped");
            Err(stopped())
        }
        None => Err(unknown_device()),
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
}

/// What a request comes to, not signed yet.
#[derive(Debug)]
pub struct Answer {
    receipts: Receipts,
    refused: Vec<Refused>,
    verdicts: Vec<Verdict>,
    outgoing: outgoing::Outgoing,
}

impl<L: Ledger> Desk<'_, L> {
    /// Takes in what the device brings and gathers what it should have.
    ///
    /// # Errors
    /// A [`Problem`] when the store failed; nothing was taken in then that a later request would not find.
    pub async fn settle(&self, request: &SyncRequest) -> Result<Answer, Problem> {
        bounded(request)?;
        let (asking, speaker) = (&self.asking, &self.speaker);
        let mut incoming = incoming::Incoming::new(asking.server, self.epoch, asking.now);
        incoming.take(asking, speaker, request).await.map_err(Problem::from)?;
        let after = request.cursor.filter(|cursor| cursor.epoch == self.epoch).map_or(0, |cursor| cursor.n.max(0));
        let taken = incoming.receipts.documents.iter().map(|(document, _)| *document).collect();
        let outgoing =
            outgoing::gather(asking.ledger, asking.directory, speaker, (request, &taken), after, asking.now).await?;
        let mut verdicts = incoming.verdicts;
        let news = outgoing.verdicts.iter().filter(|news| !request.asks.iter().any(|ask| ask.id == news.ask));
        verdicts.extend(news.cloned());
        Ok(Answer { receipts: incoming.receipts, refused: incoming.refused, verdicts, outgoing })
    }
}

impl Answer {
    /// The reply, its receipts signed by `key`; `bearer` is for photos.
    pub fn reply(self, (key, sign): (KeyId, impl FnOnce(&[u8]) -> Signed), bearer: Option<String>) -> SyncReply {
        let Self { receipts, refused, verdicts, outgoing } = self;
        let (epoch, at) = (receipts.epoch, receipts.at);
        let receipts = (!receipts.is_empty()).then(|| {
            let signature = sign(&receipts.to_bytes());
            SignedReceipts { receipts, key, signature }
        });
        SyncReply {
            receipts,
            refused,
            verdicts,
            cards: outgoing.cards,
            documents: outgoing.documents,
            purge: outgoing.purge,
            photo_wants: outgoing.photo_wants,
            cursor: Some(Cursor { epoch, n: outgoing.until, at }),
            more: outgoing.more,
            photo_bearer: bearer,
            ..SyncReply::new(epoch, at)
        }
    }
}

fn not_a_request() -> Problem {
    Problem::new(
        ProblemKind::BadRequest,
        "This isn't a whole sync request. Send it again; if it stays, update the app.",
    )
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
        Undecodable::Damaged | Undecodable::Unknown => not_a_request(),
    }
}

/// The limits of one request.
impl crate::config::Limits {
    /// Of a sync request, as it travels and inflated.
    pub fn sync_limits(&self) -> Limits {
        Limits { compressed: self.sync_bytes, inflated: self.sync_inflated_bytes }
    }
}
