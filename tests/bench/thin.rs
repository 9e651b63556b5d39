//! A thin device: an enrolled identity and one kept-alive HTTP/1.1 connection, no store. What many of them cost is the
//! server's cost, not theirs.

use std::path::Path;

use ed25519_dalek::SigningKey;
use sync_core::clock::{Chance as _, Clock as _, Stamp, SystemChance, SystemClock};
use sync_core::domain::document::Document;
use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::engine::{Effect, Identity, Waiting, WaitingPush};
use sync_core::envelope::{self, Sender, actor, sign};
use sync_core::id::{CaseId, DocumentId, Generation, Hash, Heads, Key};
use sync_core::protocol::codec::Limits;
use sync_core::protocol::enrolment::{
    EnrolmentReply, EnrolmentRequest, EnrolmentText, PublicKey, Signature, proof_of_possession,
};
use sync_core::protocol::sync::{Cursor, Frame, PATH};
use sync_core::protocol::{CaseCard, Known, PackLimits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server;

/// The way to the server: one connection, one request at a time. Counts what passes, heads of HTTP among it.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    host: String,
    pub(crate) up: usize,
    pub(crate) down: usize,
}

impl Wire {
    pub(crate) async fn to(host: &str) -> Self {
        let stream = TcpStream::connect(host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, host: host.to_owned(), up: 0, down: 0 }
    }

    /// The same on a new connection: the server lets go of one that is idle, and so does a device.
    pub(crate) async fn again(&mut self) {
        let (up, down) = (self.up, self.down);
        *self = Self { up, down, ..Self::to(&self.host).await };
    }

    /// The bytes of one POST, ready to be written.
    pub(crate) fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
        let (host, length) = (&self.host, body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {content_type}\r\naccept: */*\r\nuser-agent: \
             grabrail/bench\r\ncontent-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    }

    /// Sends a whole request: the body of its answer, which has to be a success.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Vec<u8> {
        self.stream.write_all(request).await.unwrap();
        self.up += request.len();
        let mut bytes = Vec::with_capacity(4096);
        let head = loop {
            self.more(&mut bytes).await;
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        let body = match length {
            Some(length) => {
                while bytes.len() < head + length {
                    self.more(&mut bytes).await;
                }
                bytes[head..head + length].to_vec()
            }
            None => self.chunks(&mut bytes, head).await,
        };
        assert!(text.starts_with("http/1.1 2"), "{text}{}", String::from_utf8_lossy(&body));
        body
    }

    async fn more(&mut self, bytes: &mut Vec<u8>) {
        let count = self.stream.read_buf(bytes).await.unwrap();
        assert!(count > 0, "the server closed the connection");
        self.down += count;
    }

    async fn chunks(&mut self, bytes: &mut Vec<u8>, mut at: usize) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(end) = bytes[at..].windows(2).position(|two| two == b"\r\n") {
                    break at + end;
                }
                self.more(bytes).await;
            };
            let size = String::from_utf8_lossy(&bytes[at..end]).into_owned();
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap();
            while bytes.len() < end + 2 + size + 2 {
                self.more(bytes).await;
            }
            body.extend_from_slice(&bytes[end + 2..end + 2 + size]);
            at = end + 2 + size + 2;
            if size == 0 {
                return body;
            }
        }
    }
}

/// What a device got with one or more replies.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) cards: Vec<CaseCard>,
    pub(crate) news: Vec<(DocumentId, CaseId, Kind, Vec<Vec<u8>>)>,
    pub(crate) receipted: usize,
    pub(crate) refused: usize,
    pub(crate) exchanges: usize,
}

/// An enrolled device without a store.
#[derive(Debug)]
pub(crate) struct Thin {
    pub(crate) identity: Identity,
    pub(crate) wire: Wire,
    cursor: Option<Cursor>,
    counter: u64,
    keys: u32,
}

impl Thin {
    /// Enrols a device of somebody; `server` is the folder above the data folder.
    pub(crate) async fn enrol(server: &Path, host: &str, who: &str) -> Self {
        let text = server::say(server, &format!("http://{host}"), &["device", "code", who]);
        let text: EnrolmentText = text.parse().unwrap();
        let (mut secret, mut chance) = ([0; 32], SystemChance);
        chance.fill(&mut secret);
        let key = SigningKey::from_bytes(&secret);
        let device_key = PublicKey(key.verifying_key().to_bytes());
        let generation = Generation::mint(&mut chance);
        let proof = proof_of_possession(text.server, &text.code, &device_key.0, generation);
        let (code, name) = (text.code.to_string(), "thin".to_owned());
        let proof = Signature(sign(&key, &proof).0);
        let request = EnrolmentRequest { code, device_key, generation, name, proof };
        let mut wire = Wire::to(host).await;
        let post = wire.post("/v1/devices", "application/json", &serde_json::to_vec(&request).unwrap());
        let reply: EnrolmentReply = serde_json::from_slice(&wire.send(&post).await).unwrap();
        let sender = Sender {
            server: reply.server,
            organisation: reply.organisation,
            device: reply.device,
            generation,
            account: reply.account,
            key: envelope::PublicKey(device_key.0),
            number: reply.device_number,
        };
        let reply_key = envelope::PublicKey(reply.reply_key.0);
        let identity = Identity { sender, key, reply_key_id: reply.reply_key_id, reply_key };
        Self { identity, wire, cursor: None, counter: 0, keys: 0 }
    }

    fn now() -> Stamp {
        Stamp { claimed: SystemClock::new().now(), elapsed: 0, offset: Some(0) }
    }

    /// A signed request with these changes, ready to be written; and its body, for the reply to be held against.
    pub(crate) fn request(&mut self, pushes: Vec<WaitingPush>) -> (Vec<u8>, Vec<u8>) {
        let waiting = Waiting {
            cursor: self.cursor,
            at: Self::now(),
            pushes,
            asks: Vec::new(),
            purged: Vec::new(),
            purged_documents: Vec::new(),
            reads: Vec::new(),
            choices: Vec::new(),
            progress: None,
            heads: None,
            wants_bearer: false,
        };
        self.counter += 1;
        let body = self.identity.request(waiting, self.counter);
        (self.wire.post(PATH, "application/cbor", &body), body)
    }

    /// Takes a reply as a device does, its signatures checked; whether there is more.
    pub(crate) fn take(&mut self, request: &[u8], reply: &[u8], got: &mut Got) -> bool {
        let reply = self.identity.reply(request, reply, SystemClock::new().now(), Limits::REPLY).unwrap();
        for effect in reply.effects {
            match effect {
                Effect::Cursor(cursor) => self.cursor = Some(cursor),
                Effect::Card(card) => got.cards.push(*card),
                Effect::Receipted { .. } => got.receipted += 1,
                Effect::Refused(_) => got.refused += 1,
                Effect::News { document, case, kind, changes, .. } => {
                    got.news.push((document, case, kind, changes.into_iter().map(|(_, bytes)| bytes).collect()));
                }
                Effect::Frame(Frame { document, case, kind, changes, .. }) => {
                    let changes = changes.unpack(&Known::news(kind), PackLimits::REPLY).unwrap();
                    got.news.push((document, case, kind, changes.into_iter().map(|(_, bytes)| bytes).collect()));
                }
                _ => {}
            }
        }
        got.exchanges += 1;
        reply.more
    }

    /// Hands these in and takes all there is.
    pub(crate) async fn sync(&mut self, mut pushes: Vec<WaitingPush>) -> Got {
        let mut got = Got::default();
        loop {
            let (request, body) = self.request(std::mem::take(&mut pushes));
            let reply = self.wire.send(&request).await;
            if !self.take(&body, &reply, &mut got) {
                return got;
            }
        }
    }

    /// Makes one change in a document that only this device writes.
    pub(crate) fn change(&mut self, held: &mut Held, edits: &[Edit]) -> WaitingPush {
        let number = self.identity.sender.number;
        let first = self.keys + 1;
        let count = edits.iter().filter(|edit| matches!(edit, Edit::Add(_))).count();
        self.keys += u32::try_from(count).unwrap();
        let mut keys = (first..).map(|counter| Key { device: number, counter });
        let (base, document) = (held.state.heads(), held.document);
        let actor = actor(&self.identity.sender, document, 0);
        let by = self.identity.sender.account;
        let change = held.state.edit(actor, by, Self::now(), &mut keys, edits).unwrap();
        held.push(base, vec![change])
    }
}

/// A document in the hand of a thin device.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) document: DocumentId,
    pub(crate) case: CaseId,
    pub(crate) state: Document,
}

impl Held {
    /// The planned document of this kind on a card, in which nothing is yet.
    pub(crate) fn planned(card: &CaseCard, kind: Kind) -> Self {
        let planned = card.documents.iter().find(|document| document.kind == kind).unwrap();
        Self { document: planned.document, case: card.case, state: Document::new(kind).unwrap() }
    }

    fn push(&self, base: Heads, changes: Vec<(Hash, Vec<u8>)>) -> WaitingPush {
        let (document, case, kind) = (self.document, self.case, self.state.kind());
        WaitingPush { document, case, kind, fork: 0, base, changes }
    }
}
