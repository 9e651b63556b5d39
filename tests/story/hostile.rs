//! Bad input: truncated, oversized, foreign, repeated, forged, of another clock or case. Each gets a typed problem and
//! changes nothing.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::{Signer as _, SigningKey};
use grabrail_tests::{PASSWORD, World, count};
use minicbor::bytes::ByteVec;
use serde_json::{Value, json};
use sync_core::access::Role;
use sync_core::clock::{Chance as _, Clock as _, Stamp, SystemChance, SystemClock, Timestamp};
use sync_core::domain::document::Document;
use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::{Body, Item, Note, Photo};
use sync_core::domain::vocabulary::photo::PhotoSubject;
use sync_core::domain::vocabulary::{ItemKind, Section};
use sync_core::envelope::{Envelope, PROTOCOL, PublicKey, Sender, Signed, actor, sign};
use sync_core::guard::Refusal;
use sync_core::id::{CaseId, DeviceId, DocumentId, Generation, Hash, Key, ServerId};
use sync_core::protocol::codec::{Limits, pack, unpack};
use sync_core::protocol::enrolment::{self, EnrolmentReply, EnrolmentText, proof_of_possession};
use sync_core::protocol::sync::{Choice, PATH, PurgeReceipt, ReadLog, SignedPurge, request_bytes};
use sync_core::protocol::{Known, Packed, Push, SignedReply, SignedRequest, SyncReply, SyncRequest};

use crate::kept::Kept;

mod changes;
mod heavy;
mod purges;
mod replays;

/// A device built by hand: it can do what no honest one would.
struct Forger {
    key: SigningKey,
    generation: Generation,
    enrolled: EnrolmentReply,
    counter: u64,
}

fn stamp() -> Stamp {
    Stamp { claimed: Timestamp::from_millis(1), elapsed: 0, offset: None }
}

fn empty() -> SyncRequest {
    SyncRequest { wants_bearer: true, ..SyncRequest::new(stamp()) }
}

impl Forger {
    async fn enrol(world: &World, sign_in: &str) -> Self {
        let mut secret = [0; 32];
        SystemChance.fill(&mut secret);
        let generation = Generation::mint(&mut SystemChance);
        Self::enrol_with(world, sign_in, SigningKey::from_bytes(&secret), generation).await
    }

    /// With this key, which a program that is no honest one may use at several servers.
    async fn enrol_with(world: &World, sign_in: &str, key: SigningKey, generation: Generation) -> Self {
        let text: EnrolmentText = world.code(sign_in).parse().unwrap();
        let public = key.verifying_key().to_bytes();
        let proof = proof_of_possession(text.server, &text.code, &public, generation);
        let body = json!({
            "code": text.code.to_string(),
            "device_key": HEXLOWER.encode(&public),
            "generation": generation,
            "name": "forger",
            "proof": HEXLOWER.encode(&key.sign(&proof).to_bytes()),
        });
        let (status, answer) = post_json(world, "/v1/devices", None, &body).await;
        assert_eq!(status, 201, "{answer}");
        let enrolled: EnrolmentReply = serde_json::from_value(answer).unwrap();
        let _: enrolment::PublicKey = enrolled.reply_key;
        Self { key, generation, enrolled, counter: 0 }
    }

    fn sender(&self) -> Sender {
        Sender {
            server: self.enrolled.server,
            organisation: self.enrolled.organisation,
            device: self.enrolled.device,
            generation: self.generation,
            account: self.enrolled.account,
            key: PublicKey::from(&self.key),
            number: self.enrolled.device_number,
        }
    }

    fn signed_for(&self, server: ServerId, path: &str, counter: u64, body: Vec<u8>) -> Vec<u8> {
        let bytes = request_bytes(server, path, Hash::of(&body), self.generation, counter);
        let request = SignedRequest {
            protocol: PROTOCOL,
            device: self.enrolled.device,
            generation: self.generation,
            counter,
            signature: sign(&self.key, &bytes),
            body: ByteVec::from(body),
        };
        minicbor::to_vec(&request).unwrap()
    }

    fn signed(&mut self, request: &SyncRequest) -> Vec<u8> {
        self.counter += 1;
        self.signed_for(self.enrolled.server, PATH, self.counter, pack(request))
    }

    async fn sync(&mut self, world: &World, request: &SyncRequest) -> SyncReply {
        let body = self.signed(request);
        let (status, answer) = post(world, PATH, body).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
        let reply: SignedReply = minicbor::decode(&answer).unwrap();
        unpack(&reply.body, Limits::REPLY).unwrap()
    }

    /// A push of one honest change of this device to a document.
    fn push(&self, case: CaseId, document: DocumentId, kind: Kind, edits: &[Edit]) -> Push {
        let sender = self.sender();
        let mut state = Document::new(kind).unwrap();
        let base = state.heads();
        let mut keys = (1..).map(|counter| Key { device: sender.number, counter });
        let (hash, change) =
            state.edit(actor(&sender, document, 0), sender.account, stamp(), &mut keys, edits).unwrap();
        let envelope = Envelope::new(&sender, document, 0, base.clone(), vec![hash]);
        let signature = sign(&self.key, &envelope.to_bytes());
        let changes = Packed::pack(&[change], &Known::push(&sender, (document, kind), 0, &base));
        Push { document, case, kind, fork: 0, base, changes, signature }
    }
}

async fn post(world: &World, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    let url = format!("{}{path}", world.server.url());
    let request = world.server.http().post(url).header("content-type", "application/cbor").body(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}

async fn post_json(world: &World, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
    let url = format!("{}{path}", world.server.url());
    let mut request = world.server.http().post(url).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
}

async fn get(world: &World, path: &str, token: &str) -> (u16, Value) {
    let url = format!("{}{path}", world.server.url());
    let answer = world.server.http().get(url).bearer_auth(token).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
}

async fn signed_in(world: &World, sign_in: &str) -> String {
    let body = json!({ "sign_in": sign_in, "password": PASSWORD });
    let (_, answer) = post_json(world, "/v1/sessions", None, &body).await;
    answer["access"].as_str().unwrap().to_owned()
}

fn kind_of(problem: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(problem).unwrap_or(Value::Null);
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    problem["type"].as_str().unwrap_or_default().trim_start_matches("urn:grabrail:problem:").to_owned()
}

fn rail() -> Vec<Edit> {
    vec![Edit::Add(Body::Item(Item { kind: ItemKind::Equipment }))]
}

/// Nothing of what the server keeps has changed but these tables.
#[track_caller]
fn only_changed(before: &Kept, after: &Kept, tables: &[&str]) {
    let changed = after.changed_since(before);
    assert!(changed.iter().all(|name| tables.contains(name)), "changed: {changed:?}");
}

/// What any round trip may leave: how often its device has spoken, what it was told to carry or to purge, and where the
/// news ends; and that it was, in the audit log.
const ROUND_TRIP: [&str; 4] = ["devices", "carries", "counters", "audit"];
/// The same where work was set aside.
const SET_ASIDE: [&str; 6] = ["devices", "carries", "carried_digests", "counters", "quarantine", "audit"];
/// What is left of somebody who asks for what is not theirs: that they did.
const TURNED_AWAY: [&str; 3] = ["audit", "asked_days", "counters"];

async fn home_of(world: &World, forger: &mut Forger) -> (CaseId, DocumentId) {
    let reply = forger.sync(world, &empty()).await;
    let card = reply.cards.first().unwrap();
    let home = card.documents.iter().find(|document| document.kind == Kind::Home).unwrap();
    (card.case, home.document)
}

#[tokio::test]
async fn a_sync_request_that_is_cut_flipped_foreign_or_huge_is_a_typed_problem_and_changes_nothing() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");
    let mut forger = Forger::enrol(&world, "olu").await;
    let (case, home) = home_of(&world, &mut forger).await;
    let request = SyncRequest { pushes: vec![forger.push(case, home, Kind::Home, &rail())], ..empty() };
    let good = forger.signed(&request);
    let before = Kept::by(&world).await;
    for at in 0..good.len() {
        let (status, answer) = post(&world, PATH, good[..at].to_vec()).await;
        assert_eq!((status, kind_of(&answer).as_str()), (400, "bad-request"), "cut at {at}");
    }
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 0x20;
        let (status, answer) = post(&world, PATH, flipped).await;
        assert!(matches!(status, 400 | 403), "byte {at}: {status} {}", String::from_utf8_lossy(&answer));
        kind_of(&answer);
    }
    let (status, answer) = post(&world, PATH, vec![0; 9 << 20]).await;
    assert_eq!((status, kind_of(&answer).as_str()), (413, "too-large"));
    let body = pack(&empty());
    let elsewhere = forger.signed_for(ServerId::from_bytes([7; 16]), PATH, 90, body.clone());
    assert_eq!(kind_of(&post(&world, PATH, elsewhere).await.1), "device-unknown");
    let other_path = forger.signed_for(forger.enrolled.server, "/v1/photos", 91, body);
    assert_eq!(kind_of(&post(&world, PATH, other_path).await.1), "device-unknown");
    only_changed(&before, &Kept::by(&world).await, &[]);
    // A bomb in a well-signed request: zeros that inflate beyond the bound.
    let bomb = zstd::bulk::compress(&vec![0; 80 << 20], 1).unwrap();
    let bomb = forger.signed_for(forger.enrolled.server, PATH, 92, bomb);
    assert_eq!(kind_of(&post(&world, PATH, bomb).await.1), "too-large");
    only_changed(&before, &Kept::by(&world).await, &ROUND_TRIP);
    forger.counter = 100;
    let seen = Forger::enrol(&world, "olu").await.sync(&world, &empty()).await;
    assert!(seen.documents.iter().all(|news| news.changes.is_empty()), "something was taken in");
    // More in number than a request may name, each of them small.
    let cases: Vec<CaseId> = (0..5_001).map(|_| CaseId::mint(&mut SystemChance)).collect();
    let (at, document) = (stamp(), DocumentId::mint(&mut SystemChance));
    let reads = vec![ReadLog { document, at }; 20_001];
    let sender = forger.sender();
    let purged = |cases, documents| {
        let purge = PurgeReceipt::new(&sender, at, cases, documents);
        let signature = sign(&forger.key, &purge.to_bytes());
        Some(SignedPurge { purge, signature })
    };
    let before = Kept::by(&world).await;
    let all = [
        SyncRequest { purged: purged(cases.clone(), vec![]), ..empty() },
        SyncRequest { choices: cases.into_iter().map(|case| Choice { case, carry: true }).collect(), ..empty() },
        SyncRequest { purged: purged(vec![], vec![document; 5_001]), ..empty() },
        SyncRequest { reads, ..empty() },
    ];
    for many in all {
        let many = forger.signed(&many);
        assert_eq!(kind_of(&post(&world, PATH, many).await.1), "too-large");
    }
    only_changed(&before, &Kept::by(&world).await, &ROUND_TRIP);
    // The honest request still goes through, twice with one effect and the same receipt.
    let good = forger.signed(&request);
    let (mut receipts, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let (status, answer) = post(&world, PATH, good.clone()).await;
        assert_eq!(status, 200);
        kept.push(Kept::by(&world).await);
        let reply: SignedReply = minicbor::decode(&answer).unwrap();
        let reply: SyncReply = unpack(&reply.body, Limits::REPLY).unwrap();
        receipts.push(reply.receipts.unwrap().receipts.documents);
    }
    assert_eq!(receipts[0], receipts[1]);
    only_changed(&kept[0], &kept[1], &ROUND_TRIP);
    assert_eq!(receipts[0].len(), 1);
}

#[tokio::test]
async fn a_request_of_an_older_or_newer_version_is_told_who_must_be_updated_and_changes_nothing() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");
    let mut forger = Forger::enrol(&world, "olu").await;
    let (case, home) = home_of(&world, &mut forger).await;
    let request = SyncRequest { pushes: vec![forger.push(case, home, Kind::Home, &rail())], ..empty() };
    let good = forger.signed(&request);
    let before = Kept::by(&world).await;
    for (protocol, who) in [(0, "the app must be updated"), (2, "the server must be updated")] {
        let signed: SignedRequest = minicbor::decode(&good).unwrap();
        let other = minicbor::to_vec(SignedRequest { protocol, ..signed }).unwrap();
        // A form that nobody knows yet, or any more.
        let unknown = minicbor::to_vec((protocol, "something else")).unwrap();
        for body in [other, unknown] {
            let (status, answer) = post(&world, PATH, body).await;
            assert_eq!((status, kind_of(&answer).as_str()), (400, "protocol"));
            let problem: Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(problem["speaks"], json!([PROTOCOL]));
            assert!(problem["detail"].as_str().unwrap().contains(who), "{problem}");
        }
    }
    only_changed(&before, &Kept::by(&world).await, &[]);
    // What waited goes as it is, once both speak the same.
    assert_eq!(post(&world, PATH, good).await.0, 200);
}

#[tokio::test]
async fn a_copied_store_stops_its_device_and_a_revoked_one_hands_in_and_is_purged() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");
    let mut forger = Forger::enrol(&world, "olu").await;
    let (case, home) = home_of(&world, &mut forger).await;
    let mut copy = forger.counter;
    forger.sync(&world, &empty()).await;
    forger.sync(&world, &empty()).await;
    copy += 1;
    let before = Kept::by(&world).await;
    let of_copy = SyncRequest { choices: vec![Choice { case, carry: true }], ..empty() };
    let stale = forger.signed_for(forger.enrolled.server, PATH, copy, pack(&of_copy));
    assert_eq!(kind_of(&post(&world, PATH, stale).await.1), "device-stopped");
    let next = forger.signed(&empty());
    assert_eq!(kind_of(&post(&world, PATH, next).await.1), "device-stopped");
    only_changed(&before, &Kept::by(&world).await, &ROUND_TRIP);

    let mut lost = Forger::enrol(&world, "olu").await;
    lost.sync(&world, &empty()).await;
    world.say(&["device", "revoke", &lost.enrolled.device.to_string()], "").done();
    let push = lost.push(case, home, Kind::Home, &rail());
    let restricted = DocumentId::mint(&mut SystemChance);
    let (section, text) = (Section::Safeguarding, "She is afraid of him".to_owned());
    let note = Note { section, text, amends: None, addendum_to: None, about: None, photos: vec![] };
    let safeguarding = lost.push(case, restricted, Kind::Restricted, &[Edit::Add(Body::Note(note))]);
    let before = Kept::by(&world).await;
    let reply = lost.sync(&world, &SyncRequest { pushes: vec![push, safeguarding], ..empty() }).await;
    assert_eq!(reply.purges().0, [case]);
    assert!(reply.cards.is_empty() && reply.documents.is_empty() && reply.photo_bearer.is_none());
    assert_eq!(reply.refused.len(), 2);
    assert!(reply.refused.iter().all(|refused| refused.quarantine.is_some()), "what it handed in is kept");
    let after = Kept::by(&world).await;
    only_changed(&before, &after, &SET_ASIDE);
    assert!(after.changed_since(&before).contains("quarantine"));
    // What was set aside of a restricted document is for those who may read one: not even for who wrote it.
    world.account("grace", Role::SeniorOt);
    let (status, lines) = get(&world, "/v1/quarantine", &signed_in(&world, "grace").await).await;
    let lines = lines.as_array().unwrap();
    assert_eq!((status, lines.len()), (200, 2));
    assert!(lines.iter().any(|line| line["document"] == json!(restricted)), "{lines:?}");
    assert_eq!(get(&world, "/v1/quarantine", &signed_in(&world, "olu").await).await.0, 403);
}

#[tokio::test]
async fn a_document_of_another_case_an_unknown_case_and_anothers_device_are_refused() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.account("eve", Role::Ot);
    world.case("R-1", "olu");
    let mut olu = Forger::enrol(&world, "olu").await;
    let mut eve = Forger::enrol(&world, "eve").await;
    let (case, home) = home_of(&world, &mut olu).await;
    assert!(eve.sync(&world, &empty()).await.cards.is_empty());
    let unknown = CaseId::mint(&mut SystemChance);
    for push in [
        eve.push(case, home, Kind::Home, &rail()),
        eve.push(unknown, home, Kind::Home, &rail()),
        eve.push(unknown, DocumentId::mint(&mut SystemChance), Kind::Home, &rail()),
    ] {
        let before = Kept::by(&world).await;
        let reply = eve.sync(&world, &SyncRequest { pushes: vec![push], ..empty() }).await;
        assert_eq!(reply.refused.len(), 1, "{reply:?}");
        assert_eq!((&reply.refused[0].reason, reply.refused[0].quarantine), (&Refusal::NotAllowed, None));
        assert!(reply.receipts.is_none() && reply.documents.is_empty());
        only_changed(&before, &Kept::by(&world).await, &ROUND_TRIP);
    }
    let before = Kept::by(&world).await;
    // Olu's push sent by Eve, and Eve's carried wish for a case that is not hers: nobody looks at a signature, or she
    // would learn what is there.
    let stolen = olu.push(case, home, Kind::Home, &rail());
    let reply = eve
        .sync(&world, &SyncRequest { pushes: vec![stolen], choices: vec![Choice { case, carry: true }], ..empty() })
        .await;
    assert_eq!(reply.refused.len(), 1);
    assert_eq!((&reply.refused[0].reason, reply.refused[0].quarantine), (&Refusal::NotAllowed, None));
    assert!(reply.cards.is_empty());
    only_changed(&before, &Kept::by(&world).await, &ROUND_TRIP);
    let mut forged = olu.push(case, home, Kind::Home, &rail());
    forged.signature = Signed([9; 64]);
    let reply = olu.sync(&world, &SyncRequest { pushes: vec![forged], ..empty() }).await;
    assert_eq!(reply.refused.len(), 1);
    assert_eq!(reply.refused[0].reason, Refusal::Signature);
    only_changed(&before, &Kept::by(&world).await, &SET_ASIDE);
    let before = Kept::by(&world).await;
    let nobody =
        Forger { enrolled: EnrolmentReply { device: DeviceId::mint(&mut SystemChance), ..olu.enrolled }, ..eve };
    let body = nobody.signed_for(nobody.enrolled.server, PATH, 500, pack(&empty()));
    assert_eq!(kind_of(&post(&world, PATH, body).await.1), "device-unknown");
    only_changed(&before, &Kept::by(&world).await, &[]);
}

#[tokio::test]
async fn a_token_that_is_forged_altered_or_of_another_audience_opens_nothing() {
    let world = World::start().await;
    world.account("grace", Role::SeniorOt);
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");
    let token = signed_in(&world, "grace").await;
    assert_eq!(get(&world, "/v1/cases", &token).await.0, 200);
    let parts: Vec<&str> = token.split('.').collect();
    let none = BASE64URL_NOPAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
    let hmac = BASE64URL_NOPAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let photo = {
        let mut forger = Forger::enrol(&world, "olu").await;
        forger.sync(&world, &empty()).await.photo_bearer.unwrap()
    };
    let forged = [
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{hmac}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], BASE64URL_NOPAD.encode(&[7; 64])),
        photo,
        String::new(),
        "x".repeat(5_000),
    ];
    for token in forged {
        let (status, problem) = get(&world, "/v1/cases", &token).await;
        assert_eq!(status, 401, "{token}: {problem}");
    }
    let url = format!("{}/v1/sessions/current", world.server.url());
    world.server.http().delete(url).bearer_auth(&token).send().await.unwrap();
    assert_eq!(get(&world, "/v1/cases", &token).await.0, 401, "the session ended");
}

async fn put_photo(world: &World, bearer: &str, path: &str, bytes: Vec<u8>) -> (u16, String) {
    let url = format!("{}{path}", world.server.url());
    let answer = world.server.http().put(url).bearer_auth(bearer).body(bytes).send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    (status, if status < 300 { String::new() } else { kind_of(&body) })
}

#[tokio::test]
async fn bytes_that_are_no_photo_a_bomb_another_hash_and_another_cases_photo_are_refused() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.account("eve", Role::Ot);
    world.case("R-1", "olu");
    world.case("R-2", "eve");
    let mut olu = Forger::enrol(&world, "olu").await;
    let mut eve = Forger::enrol(&world, "eve").await;
    let (case, home) = home_of(&world, &mut olu).await;
    let (other_case, other_home) = home_of(&world, &mut eve).await;
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(40, 30, image::Rgb([9, 99, 199]))
        .write_to(&mut jpeg, image::ImageFormat::Jpeg)
        .unwrap();
    let good = jpeg.into_inner();
    let with_position = {
        let mut bytes = good[..2].to_vec();
        bytes.extend([0xff, 0xe1, 0x00, 0x10]);
        bytes.extend(b"Exif\0\0GPS here");
        bytes.extend(&good[2..]);
        bytes
    };
    let bomb = {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend([0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50, 8, 2, 0, 0, 0]);
        png.extend([0; 4]);
        png
    };
    // A JPEG that says it has 65,535 pixels either way: 12 GiB, once somebody looks at it.
    let vast = {
        let mut bytes = good.clone();
        let frame = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
        bytes[frame + 5..frame + 9].fill(0xff);
        bytes
    };
    let half = good[..good.len() / 2].to_vec();
    let named: Vec<Vec<u8>> = vec![good.clone(), with_position, bomb, vast, half, b"not a photo".to_vec()];
    let edits: Vec<Edit> = named
        .iter()
        .map(|bytes| {
            Edit::Add(Body::Photo(Photo {
                hash: Hash::of(bytes),
                bytes: u32::try_from(bytes.len()).unwrap(),
                width: 40,
                height: 30,
                place: None,
                shows_person: false,
                consent: true,
                share: vec![],
                subject: PhotoSubject::Feature,
                angle: None,
                scale: None,
            }))
        })
        .collect();
    let push = olu.push(case, home, Kind::Home, &edits);
    let reply = olu.sync(&world, &SyncRequest { pushes: vec![push], ..empty() }).await;
    assert!(reply.refused.is_empty(), "{:?}", reply.refused);
    assert_eq!(reply.photo_wants.len(), named.len());
    let bearer = reply.photo_bearer.unwrap();
    let path = |bytes: &[u8]| format!("/v1/photos/{case}/{home}/{}", Hash::of(bytes));
    let before = Kept::by(&world).await;
    for bytes in &named[1..] {
        let (status, kind) = put_photo(&world, &bearer, &path(bytes), bytes.clone()).await;
        assert_eq!((status, kind.as_str()), (422, "photo-refused"));
    }
    let (status, kind) = put_photo(&world, &bearer, &path(&good), b"other bytes".to_vec()).await;
    assert_eq!((status, kind.as_str()), (422, "photo-refused"), "a hash that does not match");
    let (status, _) = put_photo(&world, &bearer, &path(b"unnamed"), b"unnamed".to_vec()).await;
    assert_eq!(status, 404, "a photo that no record names");
    let (status, kind) = put_photo(&world, &bearer, &path(&good), vec![0; 13 << 20]).await;
    assert_eq!((status, kind.as_str()), (413, "too-large"));
    only_changed(&before, &Kept::by(&world).await, &[]);
    let mut kept = Vec::new();
    for _ in 0..2 {
        assert_eq!(put_photo(&world, &bearer, &path(&good), good.clone()).await.0, 201, "twice is once");
        kept.push(Kept::by(&world).await);
    }
    assert!(before.photo_files().is_empty() && kept[0].photo_files().len() == 1, "{:?}", kept[0].photo_files());
    only_changed(&kept[0], &kept[1], &[]);
    // The same hash asked for or named from elsewhere opens nothing (invariant 9).
    let eves = eve.sync(&world, &empty()).await.photo_bearer.unwrap();
    let before = Kept::by(&world).await;
    let elsewhere = format!("/v1/photos/{other_case}/{other_home}/{}", Hash::of(&good));
    for path in [path(&good), elsewhere.clone()] {
        let url = format!("{}{path}", world.server.url());
        let answer = world.server.http().get(&url).bearer_auth(&eves).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 404);
    }
    assert_eq!(put_photo(&world, &eves, &elsewhere, good.clone()).await.0, 404);
    assert_eq!(put_photo(&world, &eves, &path(&good), good).await.0, 404);
    only_changed(&before, &Kept::by(&world).await, &TURNED_AWAY);
}
