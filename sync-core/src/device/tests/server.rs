//! A server in the same process: it checks signatures with real keys, runs the real guard, and can be told to misbehave.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use ed25519_dalek::SigningKey;
use minicbor::bytes::ByteVec;

use crate::access::{Lane, Relation, Role, Standing, Ties};
use crate::clock::{Seeded, Timestamp};
use crate::device::link::{
    HttpReply, HttpRequest, HttpStream, LinkError, Method, Opening, Piece, Pieces, Sending, Transport,
};
use crate::domain::document::Document;
use crate::domain::kind::Kind;
use crate::engine::{ReplyWriter, Waits};
use crate::envelope::{PROTOCOL, PublicKey, Sender, sign};
use crate::guard::{Bounds, Pushed, Refusal, judge};
use crate::id::*;
use crate::protocol::ask::{Answer, AskRefusal, OpenCase};
use crate::protocol::card::{CaseState, ClientCard, DocumentCard};
use crate::protocol::codec::{Limits, pack, unpack};
use crate::protocol::enrolment::{
    EnrolmentCode, EnrolmentReply, EnrolmentRequest, EnrolmentText, Fingerprint, Signature, proof_of_possession,
};
use crate::protocol::sync::*;
use crate::protocol::{Backup, CarriedDigest, CaseCard, Known, PackLimits, Packed, Request, Verdict, enrolment};

pub(super) const URL: &str = "http://127.0.0.1:9";
pub(super) const NOW: i64 = 1_800_000_000_000;

/// How the next answers go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Line {
    #[default]
    Good,
    /// Nothing arrives.
    Dead,
    /// The request arrives, the reply is lost.
    LosesReply,
    /// One answer comes, then nothing.
    Once,
    /// A sign-in page answers.
    Portal,
    /// Somebody else's key signs.
    Forged,
    /// Replies come case by case; of each, so many parts and a half of the next arrive.
    CutAfter(usize),
    /// Replies come case by case.
    InParts,
    /// What answers is no server of ours, with status 200.
    Says(&'static str, &'static [u8]),
    /// The server speaks another version of the protocol, and says so.
    OtherVersion(u16),
}

#[derive(Default)]
pub(super) struct State {
    pub(super) line: Line,
    /// Bodies of requests to sync, as they arrived.
    pub(super) requests: Vec<Vec<u8>>,
    /// How many changes each of them brought.
    pub(super) pushed: Vec<usize>,
    pub(super) asks: Vec<Request>,
    pub(super) reads: usize,
    pub(super) purged: Vec<CaseId>,
    pub(super) documents: BTreeMap<DocumentId, Document>,
    pub(super) cases: Vec<(DocumentId, CaseId)>,
    pub(super) cards: Vec<CaseCard>,
    pub(super) refuse: Vec<(DocumentId, Refusal)>,
    /// A push with a change in which these bytes stand is refused for it.
    pub(super) forbidden: Option<&'static [u8]>,
    /// The same, and the server does not say for which.
    pub(super) unnamed: bool,
    /// What the guard takes.
    pub(super) bounds: Bounds,
    /// Documents that nobody hears of before they say what they have.
    pub(super) silent: Vec<DocumentId>,
    /// How many of these come with one reply to who says what it has.
    pub(super) pieces: Option<usize>,
    /// Whether what is carried is summed up.
    pub(super) sums: bool,
    /// Documents that are sent whole, and the bytes in the place of theirs.
    pub(super) frames: BTreeMap<DocumentId, Option<Vec<u8>>>,
    /// How many documents' news go into one reply, if not all: then those behind its cursor, by their ids.
    pub(super) page: Option<usize>,
    /// Whose news went, reply by reply.
    pub(super) news: Vec<Vec<DocumentId>>,
    /// What devices said they have.
    pub(super) told: Vec<Vec<(DocumentId, Heads)>>,
    /// Signed words of devices that they have purged.
    pub(super) proofs: Vec<PurgeReceipt>,
    pub(super) lease_hours: Option<u16>,
    /// Who everybody is by now, if not who they were when they were enrolled.
    pub(super) moved_to: Option<Position>,
    /// What devices said they chose, request by request that said anything.
    pub(super) choices: Vec<Vec<Choice>>,
    /// Whether every device is one person's.
    pub(super) one_person: bool,
    /// Whether devices are stopped.
    pub(super) stopped: bool,
    /// How many changes each push of what is refused brought.
    pub(super) quarantine: Vec<usize>,
    /// How many more times somebody asks before the day has room for what they ask.
    pub(super) full: usize,
    /// Whether asks are refused.
    pub(super) denies: bool,
    pub(super) purge: Vec<CaseId>,
    /// Orders everything purged, and knows of nothing.
    pub(super) revoked: bool,
    /// Documents that nobody may read any more: neither card nor news tells of them, and they are to be purged.
    pub(super) purge_documents: Vec<DocumentId>,
    /// The same, and yet cards and news tell of them.
    pub(super) contradicts: bool,
    pub(super) purged_documents: Vec<DocumentId>,
    pub(super) wants: Vec<(DocumentId, Hash)>,
    /// Whether photos can't be taken just now.
    pub(super) no_photos: bool,
    pub(super) photos: BTreeMap<(DocumentId, Hash), Vec<u8>>,
    /// The backup that replies tell of.
    pub(super) backup: Option<Backup>,
    /// How often it was restored from one.
    pub(super) restored: u8,
    devices: Vec<(DeviceId, Sender)>,
}

impl State {
    fn epoch(&self) -> Epoch {
        Epoch::from_bytes([6 + self.restored; 16])
    }

    /// The place of the last thing it wrote.
    pub(super) fn end(&self) -> i64 {
        10 * i64::try_from(self.requests.len()).unwrap()
    }

    fn refuses(&self, document: DocumentId, changes: &[(Hash, Vec<u8>)]) -> Option<Refusal> {
        if let Some((_, reason)) = self.refuse.iter().find(|(refused, _)| *refused == document) {
            return Some(reason.clone());
        }
        let words = self.forbidden?;
        let holds = |(_, bytes): &(Hash, Vec<u8>)| bytes.windows(words.len()).any(|window| window == words);
        let at = u32::try_from(changes.iter().position(holds)?).unwrap();
        let (what, found, most) = ("bytes".to_owned(), 2, 1);
        let unnamed = Refusal::TooLarge { what, found, most };
        Some(if self.unnamed { unnamed } else { Refusal::Unfit { at, why: "forbidden".to_owned() } })
    }

    /// The sum of everything here that is listed or written in.
    fn carried(&self) -> CarriedDigest {
        let mut digest = CarriedDigest::default();
        let listed = self.cards.iter().flat_map(|card| &card.documents);
        let listed = listed.filter(|listed| !self.documents.contains_key(&listed.document));
        listed.for_each(|listed| digest.add(listed.document, &[listed.kind.skeleton_hash()]));
        self.documents.iter().for_each(|(document, state)| digest.add(*document, &state.heads()));
        digest
    }

    fn withholds(&self, document: DocumentId) -> bool {
        self.purge_documents.contains(&document) && !self.contradicts
    }
}

#[derive(Clone)]
pub(super) struct Server {
    id: ServerId,
    key: SigningKey,
    state: Arc<Mutex<State>>,
}

const KEY_ID: KeyId = KeyId::from_bytes([5; 16]);
const EPOCH: Epoch = Epoch::from_bytes([6; 16]);
const ORGANISATION: OrganisationId = OrganisationId::from_bytes([2; 16]);

impl Server {
    pub(super) fn new() -> Self {
        let key = SigningKey::from_bytes(&[42; 32]);
        Self { id: ServerId::from_bytes([1; 16]), key, state: Arc::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn text(&self) -> String {
        let reply_key = Fingerprint::of(&PublicKey::from(&self.key).0);
        let code = EnrolmentCode::mint(&mut Seeded::new(1));
        EnrolmentText { url: URL.parse().unwrap(), server: self.id, reply_key, code }.to_string()
    }

    /// A case with a home and a clinical document, known to every device from its next sync on.
    pub(super) fn case(&self, role: Role) -> (CaseId, DocumentId, DocumentId) {
        self.another_case(role, 77)
    }

    /// The same, each case of its own number.
    pub(super) fn another_case(&self, role: Role, number: u64) -> (CaseId, DocumentId, DocumentId) {
        let mut chance = Seeded::new(number);
        let (case, home, clinical) =
            (CaseId::mint(&mut chance), DocumentId::mint(&mut chance), DocumentId::mint(&mut chance));
        let relation = if role == Role::PrivateOt { Relation::Commissioned } else { Relation::Allocated };
        let listed = |document, kind| DocumentCard {
            document,
            kind,
            writable: true,
            commission: None,
            about: None,
            completed: None,
        };
        let client = ClientCard {
            name: "Edith Fictional".to_owned(),
            address: "1 Made Up Street".to_owned(),
            contact: None,
            visitor_risk: None,
            uprn: None,
            born: None,
            nhs_number: None,
        };
        let card = CaseCard {
            case,
            reference: None,
            lane: Lane::Council,
            state: CaseState::Open,
            client,
            relations: vec![relation],
            documents: vec![listed(home, Kind::Home), listed(clinical, Kind::Clinical)],
            prescriptions: vec![],
            home: None,
            people: vec![],
            ends: None,
            orphaned: None,
        };
        let mut state = self.state();
        state.cards.push(card);
        state.cases.extend([(home, case), (clinical, case)]);
        (case, home, clinical)
    }

    fn enrol(&self, body: &[u8]) -> HttpReply {
        let request: EnrolmentRequest = serde_json::from_slice(body).unwrap();
        let code: EnrolmentCode = request.code.parse().unwrap();
        let proof = proof_of_possession(self.id, &code, &request.device_key.0, request.generation);
        let key = PublicKey(request.device_key.0);
        assert!(key.verifies(&proof, &crate::envelope::Signed(request.proof.0)));
        let mut state = self.state();
        let number = u32::try_from(state.devices.len()).unwrap() + 7;
        let byte = u8::try_from(number).unwrap();
        let sender = Sender {
            server: self.id,
            organisation: ORGANISATION,
            device: DeviceId::from_bytes([byte; 16]),
            generation: request.generation,
            account: AccountId::from_bytes([if state.one_person { 7 } else { byte }; 16]),
            key,
            number,
        };
        state.devices.push((sender.device, sender));
        let mut reply = EnrolmentReply {
            server: self.id,
            epoch: EPOCH,
            reply_key_id: KEY_ID,
            reply_key: enrolment::PublicKey(PublicKey::from(&self.key).0),
            device: sender.device,
            device_number: number,
            account: sender.account,
            full_name: format!("Therapist {number}"),
            role: Role::Ot,
            organisation: ORGANISATION,
            authority: "Made Up Council".to_owned(),
            signature: Signature([0; 64]),
        };
        reply.signature = Signature(sign(&self.key, &reply.signed_bytes(&request)).0);
        let body = serde_json::to_vec(&reply).unwrap();
        HttpReply { status: 201, content_type: "application/json".to_owned(), body }
    }

    fn sync(&self, body: &[u8]) -> HttpReply {
        let mut state = self.state();
        let epoch = state.epoch();
        state.requests.push(body.to_vec());
        let signed: SignedRequest = minicbor::decode(body).unwrap();
        let mut sender = state.devices.iter().find(|(id, _)| *id == signed.device).unwrap().1;
        if let Some(Position { organisation, .. }) = state.moved_to {
            sender.organisation = organisation;
        }
        let bytes = request_bytes(self.id, PATH, Hash::of(&signed.body), signed.generation, signed.counter);
        assert!(sender.key.verifies(&bytes, &signed.signature));
        let request: SyncRequest = unpack(&signed.body, Limits::PUSH).unwrap();
        let at = Timestamp::from_millis(NOW);
        let mut receipts = Receipts::new(self.id, epoch, at);
        let (mut refused, mut verdicts, mut blocked) = (Vec::new(), Vec::new(), Vec::new());
        let put_off = |document| state.refuse.contains(&(document, Refusal::Later));
        let mut waits = Waits::default();
        for push in request.pushes.iter().filter(|push| put_off(push.document)) {
            waits.change(push.case, push.document);
        }
        for ask in request.asks.clone() {
            if waits.hold(&ask) {
                waits.ask(&ask);
                continue;
            }
            if ask.request.document().is_some_and(|about| state.refuse.contains(&(about, Refusal::Later))) {
                // It speaks of a version of which nobody has told.
                let answer = Answer::Refused(AskRefusal::HeadsUnknown);
                verdicts.push(Verdict { ask: ask.id, at, answer });
                continue;
            }
            if let Some(left) = state.full.checked_sub(1) {
                state.full = left;
                waits.ask(&ask);
                continue;
            }
            if state.revoked {
                let answer = Answer::Refused(AskRefusal::NotAllowed);
                verdicts.push(Verdict { ask: ask.id, at, answer });
                continue;
            }
            if let Request::OpenCase(OpenCase { home, clinical, .. }) = &ask.request {
                state.cases.extend([(*home, ask.case), (*clinical, ask.case)]);
            }
            receipts.asks.push(ask.id);
            let denied = Answer::Refused(AskRefusal::NotAllowed);
            verdicts.push(Verdict { ask: ask.id, at, answer: if state.denies { denied } else { Answer::Granted } });
            state.asks.push(ask.request);
        }
        state.pushed.push(0);
        for push in request.pushes.clone() {
            let document = push.document;
            let known = Known::push(&sender, (document, push.kind), push.fork, &push.base);
            let changes = push.changes.unpack(&known, PackLimits::REPLY).unwrap();
            *state.pushed.last_mut().unwrap() += changes.len();
            let kept = Some(QuarantineId::from_bytes([7; 16]));
            let blocks = blocked.contains(&document).then_some(Refusal::Blocked);
            if let Some(reason) = state.refuses(document, &changes).or(blocks) {
                blocked.push(document);
                refused.push(Refused { document, reason, quarantine: kept });
                state.quarantine.push(changes.len());
                continue;
            }
            let current = state.documents.remove(&document).unwrap_or_else(|| Document::new(push.kind).unwrap());
            let changes: Vec<&[u8]> = changes.iter().map(|(_, bytes)| bytes.as_slice()).collect();
            let pushed =
                Pushed { document, fork: push.fork, base: &push.base, changes: &changes, signature: &push.signature };
            let standing = Standing { role: Role::Ot, of_council: true, relations: vec![Relation::Allocated] };
            let ties = Ties { author: true, ..Ties::default() };
            let admitted = match judge(pushed, &sender, &standing, ties, &current, &state.bounds) {
                Ok(admitted) => admitted,
                Err(Refusal::Signature) if state.moved_to.is_some() => {
                    state.documents.insert(document, current);
                    refused.push(Refused { document, reason: Refusal::Later, quarantine: None });
                    continue;
                }
                Err(reason) => {
                    state.documents.insert(document, current);
                    blocked.push(document);
                    refused.push(Refused { document, reason, quarantine: kept });
                    state.quarantine.push(changes.len());
                    continue;
                }
            };
            let last = admitted.envelope.changes.last().copied();
            state.documents.insert(document, admitted.document);
            if !state.cases.iter().any(|(known, _)| *known == document) {
                state.cases.push((document, push.case));
            }
            receipts.documents.push((document, last.into_iter().collect()));
        }
        state.reads += request.reads.len();
        if !request.choices.is_empty() {
            state.choices.push(request.choices.clone());
        }
        assert!(request.purged.as_ref().is_none_or(|purged| purged.is_of(&sender)));
        let (purged, purged_documents) = request.purged();
        state.purged.extend(purged);
        state.purged_documents.extend(purged_documents);
        state.cards.retain(|card| !purged.contains(&card.case));
        if let Some(SignedPurge { purge, .. }) = &request.purged {
            state.proofs.push(purge.clone());
        }
        let asked = request.heads.is_some();
        state.told.extend(request.heads.clone());
        let has = |document: &DocumentId| {
            let listed = request.heads.iter().flatten().find(|(listed, _)| listed == document);
            listed.is_some_and(|(_, heads)| state.documents.get(document).is_some_and(|of| of.heads() == *heads))
        };
        let lacks: Vec<DocumentId> = state.silent.iter().copied().filter(|document| !has(document)).collect();
        let later = lacks.get(state.pieces.unwrap_or(lacks.len())..).unwrap_or_default().to_vec();
        let purge: Vec<CaseId> = state.purge.iter().filter(|case| !state.purged.contains(case)).copied().collect();
        let news = state.documents.iter().filter_map(|(document, state_of)| {
            let case = state.cases.iter().find(|(known, _)| known == document)?.1;
            let (document, kind) = (*document, state_of.kind());
            let changes = Packed::pack(&state_of.changes_since(&[]), &Known::news(kind));
            let withheld = state.revoked || state.purge.contains(&case) || state.withholds(document);
            let silent = state.silent.contains(&document) && (!asked || later.contains(&document));
            let withheld = withheld || silent || state.frames.contains_key(&document);
            (!withheld).then_some(DocumentNews { document, case, kind, changes })
        });
        let mut news: Vec<DocumentNews> = news.collect();
        let (mut more, mut end) = (asked && !later.is_empty(), state.end());
        if let Some(page) = state.page {
            let begin = request.cursor.map_or(0, |cursor| usize::try_from(cursor.n).unwrap());
            let rest = news.split_off(begin.min(news.len()));
            news = rest;
            more = news.len() > page;
            end = i64::try_from(begin + news.len().min(page)).unwrap();
            news.truncate(page);
        }
        state.news.push(news.iter().map(|news| news.document).collect());
        let mut cards: Vec<CaseCard> =
            state.cards.iter().filter(|card| !(state.revoked || state.purge.contains(&card.case))).cloned().collect();
        for card in &mut cards {
            card.documents.retain(|listed| !state.withholds(listed.document));
        }
        let ordered = state.purge_documents.iter().filter(|document| !state.purged_documents.contains(document));
        let frames = state.frames.iter().filter_map(|(document, instead)| {
            let whole = state.documents.get(document)?;
            let case = state.cases.iter().find(|(known, _)| known == document)?.1;
            let kind = whole.kind();
            let all = || Packed::pack(&whole.changes_since(&[kind.skeleton_hash()]), &Known::news(kind));
            let changes = instead.clone().map_or_else(all, Packed::kept);
            Some(Frame { document: *document, case, kind, heads: whole.heads(), changes })
        });
        let case_of = |document| {
            state
                .cases
                .iter()
                .find(|(known, _)| *known == document)
                .map_or(CaseId::from_bytes([0; 16]), |(_, case)| *case)
        };
        let whole = purge.iter().map(|case| Purge { case: *case, document: None, reason: PurgeReason::Ended });
        let reason = PurgeReason::Withdrawn;
        let ordered = ordered.map(|document| Purge { case: case_of(*document), document: Some(*document), reason });
        receipts.n = Some(state.end());
        let signature = sign(&self.key, &receipts.to_bytes());
        let reply = SyncReply {
            receipts: (!receipts.is_empty()).then_some(SignedReceipts { receipts, key: KEY_ID, signature }),
            refused,
            verdicts,
            cards,
            documents: news,
            more,
            frames: frames.collect(),
            purge: whole.chain(ordered).collect(),
            everything: state.revoked.then_some(PurgeReason::Revoked),
            photo_wants: state.wants.clone(),
            cursor: Some(Cursor { epoch, n: end, at }),
            photo_bearer: request.wants_bearer.then(|| "bearer".to_owned()),
            digest: (state.sums && !more).then(|| state.carried()),
            lease_hours: state.lease_hours,
            position: state.moved_to,
            backup: state.backup,
            ..SyncReply::new(epoch, at)
        };
        if matches!(state.line, Line::CutAfter(_) | Line::InParts) {
            return self.in_parts(body, reply, &request);
        }
        let reply = pack(&reply);
        let key = if state.line == Line::Forged { SigningKey::from_bytes(&[43; 32]) } else { self.key.clone() };
        let signature = sign(&key, &reply_bytes(self.id, Hash::of(body), 0, true, Hash::of(&reply)));
        let signed = SignedReply { protocol: PROTOCOL, key: KEY_ID, signature, body: ByteVec::from(reply), last: true };
        HttpReply { status: 200, content_type: "application/cbor".to_owned(), body: minicbor::to_vec(signed).unwrap() }
    }

    /// The reply case by case, from where the device was cut.
    fn in_parts(&self, request: &[u8], whole: SyncReply, asked: &SyncRequest) -> HttpReply {
        let mut writer = ReplyWriter::new(self.id, request, KEY_ID);
        let (epoch, at, cursor) = (whole.epoch, whole.at, whole.cursor);
        let mut cases: BTreeMap<CaseId, SyncReply> = BTreeMap::new();
        for card in whole.cards {
            cases.entry(card.case).or_insert(SyncReply::new(epoch, at)).cards.push(card);
        }
        for news in whole.documents {
            cases.entry(news.case).or_insert(SyncReply::new(epoch, at)).documents.push(news);
        }
        cases.retain(|case, _| asked.progress.is_none_or(|come| *case > come.after));
        let mut parts = vec![SyncReply { cards: vec![], documents: vec![], cursor: None, ..whole }];
        parts.extend(
            cases.into_iter().map(|(after, part)| SyncReply {
                progress: Some(Progress { n: 1, after, epoch: Some(epoch) }),
                ..part
            }),
        );
        parts.push(SyncReply { cursor, ..SyncReply::new(epoch, at) });
        let last = parts.len() - 1;
        let parts = (0..).zip(&parts);
        let body = parts.flat_map(|(n, part)| writer.write(part, n == last, |bytes| sign(&self.key, bytes)).unwrap());
        let body = body.collect();
        HttpReply { status: 200, content_type: "application/cbor".to_owned(), body }
    }

    fn photo(&self, request: &HttpRequest) -> HttpReply {
        assert_eq!(request.bearer.as_deref(), Some("bearer"));
        let mut parts = request.url.rsplit('/');
        let hash: Hash = parts.next().unwrap().parse().unwrap();
        let document: DocumentId = parts.next().unwrap().parse().unwrap();
        let mut state = self.state();
        if request.method == Method::Get {
            return match state.photos.get(&(document, hash)) {
                Some(bytes) => HttpReply { status: 200, content_type: "image/jpeg".to_owned(), body: bytes.clone() },
                None => problem(404, "not-found"),
            };
        }
        if state.no_photos {
            return problem(503, "busy");
        }
        assert_eq!(Hash::of(&request.body), hash);
        state.photos.insert((document, hash), request.body.clone());
        let mut receipts = Receipts::new(self.id, state.epoch(), Timestamp::from_millis(NOW));
        receipts.photos.push((document, hash));
        receipts.n = Some(state.end() + 1);
        let signature = sign(&self.key, &receipts.to_bytes());
        let body = minicbor::to_vec(SignedReceipts { receipts, key: KEY_ID, signature }).unwrap();
        HttpReply { status: 201, content_type: "application/cbor".to_owned(), body }
    }
}

pub(super) fn problem(status: u16, kind: &str) -> HttpReply {
    let body = serde_json::json!({ "type": format!("urn:grabrail:problem:{kind}"), "title": "No", "status": status });
    HttpReply { status, content_type: "application/problem+json".to_owned(), body: body.to_string().into_bytes() }
}

/// A body that comes in pieces of a hundred bytes, and may break off.
struct Trickle {
    rest: Vec<u8>,
    breaks: bool,
}

impl Pieces for Trickle {
    fn next(&mut self) -> Piece<'_> {
        Box::pin(async move {
            if self.rest.is_empty() {
                let cut = LinkError::Offline("cut off on the way".to_owned());
                return if self.breaks { Err(cut) } else { Ok(None) };
            }
            let behind = self.rest.split_off(self.rest.len().min(100));
            Ok(Some(std::mem::replace(&mut self.rest, behind)))
        })
    }
}

impl Transport for Server {
    fn open(&self, request: HttpRequest) -> Opening<'_> {
        Box::pin(async move {
            let line = self.state().line;
            let HttpReply { status, content_type, mut body } = self.send(request).await?;
            if let Line::CutAfter(parts) = line {
                let mut decoder = minicbor::Decoder::new(&body);
                for _ in 0..parts {
                    decoder.decode::<SignedReply>().unwrap();
                }
                let end = decoder.position();
                decoder.decode::<SignedReply>().unwrap();
                let half = end.midpoint(decoder.position());
                body.truncate(half);
            }
            let body = Box::new(Trickle { rest: body, breaks: matches!(line, Line::CutAfter(_)) });
            Ok(HttpStream { status, content_type, body })
        })
    }

    fn send(&self, request: HttpRequest) -> Sending<'_> {
        let line = self.state().line;
        if line == Line::Once {
            self.state().line = Line::Dead;
        }
        Box::pin(async move {
            match line {
                Line::Dead => return Err(LinkError::Offline("no signal".to_owned())),
                Line::Portal => {
                    let body = b"<html>Welcome to the library's wifi</html>".to_vec();
                    return Ok(HttpReply { status: 200, content_type: "text/html".to_owned(), body });
                }
                Line::Says(content_type, body) => {
                    let (content_type, body) = (content_type.to_owned(), body.to_vec());
                    return Ok(HttpReply { status: 200, content_type, body });
                }
                Line::OtherVersion(speaks) => {
                    let mut reply = problem(400, "protocol");
                    let mut body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
                    body["speaks"] = serde_json::json!([speaks]);
                    reply.body = body.to_string().into_bytes();
                    return Ok(reply);
                }
                _ => {}
            }
            let path = request.url.strip_prefix(URL).unwrap();
            let reply = match path {
                "/v1/devices" => self.enrol(&request.body),
                PATH if self.state().stopped => problem(409, "device-stopped"),
                PATH => self.sync(&request.body),
                _ => self.photo(&request),
            };
            if line == Line::LosesReply { Err(LinkError::Offline("cut off".to_owned())) } else { Ok(reply) }
        })
    }
}
