//! The golden bytes of everything that is stored, signed or sent: one line a value, its name and its bytes in hex.
//!
//! What stands in `golden/` was written by devices and servers that are out there. A value that is encoded otherwise
//! now is a broken format, not an old golden file.

mod asks;
mod cards;
mod refused;

use std::collections::BTreeMap;
use std::fmt::Debug;

use data_encoding::HEXLOWER;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

pub(crate) use self::asks::asks;
use self::cards::cards;
pub(crate) use self::refused::ask_refusals;
use crate::clock::{Chance, Seeded};
use crate::domain::kind::Kind;
use crate::domain::record::{
    About, Body, Dimension, Fact, Item, Join, Note, Photo, Reading, Record, Settlement, SharedText, Strike, TextRead,
    Tolerance, Value,
};
use crate::domain::signed::{SignedVersion, tests::co_signed, tests::key, tests::version};
use crate::domain::signoff::{Anchored, State};
use crate::domain::testing::{below, cite, document, note, photo, reading, stamp};
use crate::domain::vocabulary::photo::{Angle, ScaleReference, ShareWith};
use crate::domain::vocabulary::{Field, ItemKind};
use crate::envelope::{Envelope, PublicKey, Sender, Signed, actor, sign};
use crate::guard::Refusal;
use crate::id::{
    AccountId, AskId, CaseId, DeviceId, Epoch, Generation, Hash, Key, KeyId, OrganisationId, QuarantineId, ServerId,
};
use crate::protocol::ask::{Answer, AskRefusal};
use crate::protocol::codec::{Limits, pack, unpack};
use crate::protocol::sync::{
    Choice, Cursor, DocumentNews, Frame, Position, Progress, Purge, PurgeReason, PurgeReceipt, ReadLog, Receipts,
    Refused, SignedPurge, SignedReceipts, WholePush, reply_bytes, request_bytes,
};
use crate::protocol::{
    Backup, CarriedDigest, Known, Packed, Push, SignedReply, SignedRequest, SyncReply, SyncRequest, Verdict,
};

/// The golden file of this name, by the names in it. Values that it does not have yet are added, and the test fails,
/// so that somebody looks at them and commits them.
pub(crate) fn golden(file: &str, values: &[(String, Vec<u8>)]) -> BTreeMap<String, Vec<u8>> {
    let path = format!("{}/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let kept: BTreeMap<String, Vec<u8>> =
        lines.map(|(name, hex)| (name.to_owned(), HEXLOWER.decode(hex.as_bytes()).unwrap())).collect();
    let new: Vec<_> = values.iter().filter(|(name, _)| !kept.contains_key(name)).collect();
    for (name, bytes) in &new {
        text.push_str(&format!("{name} {}\n", HEXLOWER.encode(bytes)));
    }
    if !new.is_empty() {
        std::fs::write(&path, text).unwrap();
        panic!("wrote {} new values to golden/{file}: look at them and commit them", new.len());
    }
    assert_eq!(kept.len(), values.len(), "golden/{file} holds a value that nothing makes any more");
    kept
}

/// That these values are encoded as they always were and come back as they are.
fn keep<T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + Debug>(file: &str, values: Vec<(String, T)>) {
    let encoded: Vec<_> = values.iter().map(|(name, value)| (name.clone(), minicbor::to_vec(value).unwrap())).collect();
    let kept = golden(file, &encoded);
    for ((name, bytes), (_, value)) in encoded.iter().zip(&values) {
        assert_eq!(HEXLOWER.encode(bytes), HEXLOWER.encode(&kept[name]), "{name} of golden/{file}");
        assert_eq!(minicbor::decode::<T>(&kept[name]).unwrap(), *value, "{name} of golden/{file}");
    }
}

fn at(device: u32, counter: u32) -> Key {
    Key { device, counter }
}

pub(crate) fn hash(byte: u8) -> Hash {
    Hash::from_bytes([byte; 32])
}

fn named<T>(values: Vec<(&str, T)>) -> Vec<(String, T)> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(crate) fn records() -> Vec<(String, Record)> {
    let fact = |field: &str, item: Option<Key>, value| {
        Body::Fact(Fact { item, field: Field::named(field).unwrap(), value, supersedes: vec![at(7, 2)] })
    };
    let place = || "bathroom-1/door-1".parse().unwrap();
    let measured = reading("bathroom-1/door-1", "door-clear-width", 712);
    let dimension =
        |tolerance| Value::Dimension(Dimension { mm: 850, tolerance, cites: vec![cite(document(1), at(7, 1))] });
    let width = "door-widening.required-clear-width";
    let about = |about| Body::Note(Note { about: Some(about), ..note("question", "Which wall?") });
    let field = Field::named(width).unwrap();
    let bodies = vec![
        (
            "reading",
            Body::Reading(Reading { photos: vec![at(7, 5)], supersedes: vec![at(7, 1), at(300, 70_000)], ..measured }),
        ),
        ("reading-below-floor", Body::Reading(reading("bathroom-1", "floor-level-difference", -150))),
        ("fact-flag", fact("visit.carer-present", None, Value::Flag(false))),
        ("fact-number", fact("person.weight", None, Value::Number(92))),
        ("fact-text", fact("visit.carer-absent-reason", None, Value::Text("at work: é".to_owned()))),
        ("fact-choice", fact("prescription.route", None, Value::Choice("dfg".to_owned()))),
        ("fact-choices", fact("item.purposes", Some(at(7, 9)), Value::Choices(vec!["a".to_owned(), "f".to_owned()]))),
        ("fact-date", fact("visit.date", None, Value::Date("2026-11-16".to_owned()))),
        ("fact-dimension-exact", fact(width, Some(at(7, 9)), dimension(Tolerance::Exact))),
        ("fact-dimension-min", fact(width, Some(at(7, 9)), dimension(Tolerance::Min))),
        ("fact-dimension-max", fact(width, Some(at(7, 9)), dimension(Tolerance::Max))),
        ("fact-dimension-within", fact(width, Some(at(7, 9)), dimension(Tolerance::Within(10)))),
        ("fact-cites", fact("prescription.photos", None, Value::Cites(vec![cite(document(1), at(7, 5))]))),
        ("fact-person", fact("visit.lead-assessor", None, Value::Person(AccountId::from_bytes([3; 16])))),
        ("item", Body::Item(Item { kind: ItemKind::GrabRail })),
        (
            "note",
            Body::Note(Note { amends: Some(at(7, 3)), photos: vec![at(7, 5)], ..note("property", "Steep path.") }),
        ),
        ("note-addendum", Body::Note(Note { addendum_to: Some(at(7, 3)), ..note("property", "And dark.") })),
        ("note-about-record", about(About::Record(cite(document(1), at(7, 1))))),
        ("note-about-field", about(About::Field { document: document(2), item: Some(at(7, 9)), field })),
        ("note-about-place", about(About::Place(place()))),
        (
            "photo",
            Body::Photo(Photo {
                place: Some(place()),
                share: vec![ShareWith::Housing, ShareWith::Contractor],
                angle: Some(Angle::FromDoor),
                scale: Some(ScaleReference::Tape),
                ..photo(5)
            }),
        ),
        ("photo-of-a-person", Body::Photo(Photo { shows_person: true, ..photo(6) })),
        (
            "settlement",
            Body::Settlement(Settlement {
                chosen: at(7, 1),
                over: vec![at(8, 1)],
                reason: "measured together".to_owned(),
            }),
        ),
        ("strike", Body::Strike(Strike { key: at(7, 1), reason: "wrong room".to_owned() })),
        (
            "join",
            Body::Join(Join {
                place: "bathroom-2".parse().unwrap(),
                same_as: "bathroom-1".parse().unwrap(),
                reason: "one room".to_owned(),
            }),
        ),
        ("text-read-summary", Body::TextRead(TextRead { text: SharedText::Summary, heads: vec![hash(1), hash(2)] })),
        ("text-read-reasoning", Body::TextRead(TextRead { text: SharedText::Reasoning, heads: vec![hash(1)] })),
    ];
    let record = |body| Record { by: AccountId::from_bytes([2; 16]), at: stamp(), body };
    named(bodies.into_iter().map(|(name, body)| (name, record(body))).collect())
}

fn sender() -> Sender {
    Sender {
        server: ServerId::from_bytes([1; 16]),
        organisation: OrganisationId::from_bytes([2; 16]),
        device: DeviceId::from_bytes([3; 16]),
        generation: Generation::from_bytes([4; 16]),
        account: AccountId::from_bytes([5; 16]),
        key: PublicKey::from(&key()),
        number: 7,
    }
}

fn envelope() -> Envelope {
    Envelope::new(&sender(), document(1), 2, vec![hash(1)], vec![hash(2), hash(3)])
}

pub(crate) fn refusals() -> Vec<(String, Refusal)> {
    named(vec![
        ("too_large", Refusal::TooLarge { what: "changes".to_owned(), found: 10_001, most: 10_000 }),
        ("not_a_change", Refusal::NotAChange { at: 1 }),
        ("signature", Refusal::Signature),
        ("actor", Refusal::Actor { at: 1 }),
        ("sequence", Refusal::Sequence { at: 1, found: 3, expected: 2 }),
        ("start_op", Refusal::StartOp { at: 1, found: u64::MAX, expected: 2 }),
        ("missing", Refusal::Missing { at: 1, missing: vec![hash(1)] }),
        ("decorated", Refusal::Decorated { at: 1 }),
        ("operation", Refusal::Operation { at: 1, operation: 2 }),
        ("unfit", Refusal::Unfit { at: 1, why: "there is nothing to record".to_owned() }),
        ("not_allowed", Refusal::NotAllowed),
        ("other_document", Refusal::OtherDocument),
        ("unreadable", Refusal::Unreadable),
        ("blocked", Refusal::Blocked),
        ("later", Refusal::Later),
        ("equivocation", Refusal::Equivocation { at: 1, seq: 3 }),
        ("detached", Refusal::Detached { at: 1 }),
    ])
}

fn states() -> Vec<(String, State)> {
    let heads = || vec![hash(1)];
    named(vec![
        ("draft", State::Draft),
        ("awaiting_photos", State::AwaitingPhotos { heads: heads(), missing: vec![hash(5)] }),
        ("submitted", State::Submitted { heads: heads() }),
        (
            "returned",
            State::Returned {
                heads: heads(),
                reasons: vec![Anchored { item: None, field: None, text: "load".to_owned() }],
            },
        ),
        ("rejected", State::Rejected { heads: heads(), grounds: "not necessary".to_owned() }),
        ("signed_off", State::SignedOff { heads: heads(), number: 1 }),
        ("recalled", State::Recalled { number: 1, reason: "wrong wall".to_owned() }),
    ])
}

fn signed(bytes: &[u8]) -> Signed {
    sign(&key(), bytes)
}

fn purge() -> PurgeReceipt {
    PurgeReceipt::new(&sender(), stamp(), vec![CaseId::from_bytes([10; 16])], vec![document(2)])
}

fn sync_request() -> SyncRequest {
    SyncRequest {
        cursor: Some(Cursor { epoch: Epoch::from_bytes([6; 16]), n: 12_345, at: stamp().claimed }),
        at: stamp(),
        pushes: vec![Push {
            document: document(1),
            case: CaseId::from_bytes([9; 16]),
            kind: Kind::Home,
            fork: 2,
            base: vec![hash(1)],
            changes: Packed::pack(
                &[Kind::Home.skeleton()],
                &Known::push(&sender(), (document(1), Kind::Home), 2, &vec![hash(1)]),
            ),
            signature: signed(&envelope().to_bytes()),
        }],
        // What was added later has bytes of its own: a message written before it stays as it was.
        asks: asks().into_iter().map(|(_, ask)| ask).take(16).collect(),
        purged: Some(SignedPurge { purge: purge(), signature: signed(&purge().to_bytes()) }),
        reads: vec![ReadLog { document: document(1), at: stamp() }],
        choices: vec![
            Choice { case: CaseId::from_bytes([11; 16]), carry: true },
            Choice { case: CaseId::from_bytes([12; 16]), carry: false },
        ],
        progress: Some(Progress {
            n: 12_345,
            after: CaseId::from_bytes([9; 16]),
            epoch: Some(Epoch::from_bytes([6; 16])),
        }),
        heads: Some(vec![(document(1), vec![hash(1), hash(2)])]),
        wants_bearer: true,
    }
}

fn whole_push() -> WholePush {
    WholePush {
        document: document(1),
        case: CaseId::from_bytes([9; 16]),
        kind: Kind::Home,
        fork: 2,
        base: vec![hash(1)],
        changes: vec![ByteVec::from(Kind::Home.skeleton().to_vec())],
        signature: signed(&envelope().to_bytes()),
    }
}

fn receipts() -> Receipts {
    let mut receipts = Receipts::new(ServerId::from_bytes([1; 16]), Epoch::from_bytes([6; 16]), stamp().claimed);
    receipts.documents.push((document(1), vec![hash(2), hash(3)]));
    receipts.photos.push((document(1), hash(5)));
    receipts.asks.push(AskId::from_bytes([8; 16]));
    receipts.n = Some(12_345);
    receipts
}

pub(crate) fn signed_receipts() -> SignedReceipts {
    let signature = signed(&receipts().to_bytes());
    SignedReceipts { receipts: receipts(), key: KeyId::from_bytes([7; 16]), signature }
}

fn sync_reply() -> SyncReply {
    let verdict = |answer| Verdict { ask: AskId::from_bytes([8; 16]), at: stamp().claimed, answer };
    let refused =
        |reason| Refused { document: document(1), reason, quarantine: Some(QuarantineId::from_bytes([12; 16])) };
    let reasons = [
        PurgeReason::Ended,
        PurgeReason::Revoked,
        PurgeReason::Disabled,
        PurgeReason::Closed,
        PurgeReason::Role,
        PurgeReason::Withdrawn,
        PurgeReason::NotChosen,
    ];
    let purge = |reason| Purge {
        case: CaseId::from_bytes([10; 16]),
        document: (reason == PurgeReason::Withdrawn).then_some(document(2)),
        reason,
    };
    let mut digest = CarriedDigest::default();
    digest.add(document(1), &[hash(1)]);
    SyncReply {
        epoch: Epoch::from_bytes([6; 16]),
        at: stamp().claimed,
        receipts: Some(signed_receipts()),
        refused: refusals().into_iter().map(|(_, reason)| refused(reason)).collect(),
        verdicts: [Answer::Granted]
            .into_iter()
            .chain(
                ask_refusals()
                    .into_iter()
                    .take_while(|(name, _)| name != "unregistered")
                    .map(|(_, r)| Answer::Refused(r)),
            )
            .map(verdict)
            .collect(),
        cards: cards().into_iter().take(3).map(|(_, card)| card).collect(),
        documents: vec![DocumentNews {
            document: document(1),
            case: CaseId::from_bytes([9; 16]),
            kind: Kind::Home,
            changes: Packed::pack(&[Kind::Home.skeleton()], &Known::news(Kind::Home)),
        }],
        frames: vec![Frame {
            document: document(1),
            case: CaseId::from_bytes([9; 16]),
            kind: Kind::Home,
            heads: vec![hash(1)],
            changes: Packed::pack(&[Kind::Home.skeleton()], &Known::news(Kind::Home)),
        }],
        purge: reasons.map(purge).to_vec(),
        photo_wants: vec![(document(1), hash(5))],
        cursor: Some(Cursor { epoch: Epoch::from_bytes([6; 16]), n: -1, at: stamp().claimed }),
        progress: Some(Progress {
            n: 12_345,
            after: CaseId::from_bytes([9; 16]),
            epoch: Some(Epoch::from_bytes([6; 16])),
        }),
        more: true,
        photo_bearer: Some("bearer".to_owned()),
        digest: Some(digest),
        lease_hours: Some(168),
        everything: Some(PurgeReason::Disabled),
        position: Some(Position { role: crate::access::Role::SeniorOt, organisation: sender().organisation }),
        backup: Some(Backup { n: 12_345, digest: hash(7) }),
    }
}

#[test]
fn a_record_of_every_body_is_stored_as_it_always_was() {
    for (name, record) in records() {
        assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record), "{name}");
    }
    keep("records-1.txt", records());
}

#[test]
fn what_is_signed_is_signed_over_the_same_bytes_for_ever() {
    let request = request_bytes(sender().server, "/v1/sync", hash(2), sender().generation, 41);
    let reply = reply_bytes(sender().server, hash(1), 3, true, hash(2));
    let bytes = vec![
        ("envelope", envelope().to_bytes()),
        ("envelope-signature", signed(&envelope().to_bytes()).0.to_vec()),
        ("public-key", sender().key.0.to_vec()),
        ("actor", actor(&sender(), document(1), 2).to_vec()),
        ("request", request.clone()),
        ("request-signature", signed(&request).0.to_vec()),
        ("reply", reply.clone()),
        ("reply-signature", signed(&reply).0.to_vec()),
        ("receipts", receipts().to_bytes()),
        ("receipts-signature", signed(&receipts().to_bytes()).0.to_vec()),
        ("purge", purge().to_bytes()),
        ("purge-signature", signed(&purge().to_bytes()).0.to_vec()),
        ("header", version().header.to_bytes()),
        ("header-signature", version().signature.0.to_vec()),
        ("header-co-signed", co_signed().header.to_bytes()),
        ("header-co-signed-signature", co_signed().signature.0.to_vec()),
    ];
    let kept = golden("signed-1.txt", &named(bytes.clone()));
    for (name, bytes) in bytes {
        assert_eq!(HEXLOWER.encode(&bytes), HEXLOWER.encode(&kept[name]), "{name}");
    }
    assert_eq!(minicbor::decode::<Envelope>(&kept["envelope"]).unwrap(), envelope());
    assert_eq!(minicbor::decode::<Receipts>(&kept["receipts"]).unwrap(), receipts());
}

#[test]
fn a_signed_version_is_kept_as_it_always_was_in_both_copies() {
    // The signer's number was looked up: since that is told, a header has one place more.
    let mut looked_up = version();
    looked_up.header.signer.hcpc_checked = Some(stamp().claimed);
    let versions = named(vec![
        ("whole", version()),
        ("housing", version().for_housing()),
        ("whole-looked-up", looked_up),
        ("co-signed", co_signed()),
        ("co-signed-housing", co_signed().for_housing()),
    ]);
    keep("signed-version-1.txt", versions);
}

#[test]
fn asks_refusals_states_and_cards_travel_as_they_always_did() {
    keep("asks-1.txt", asks());
    keep("refusals-1.txt", refusals());
    keep("ask-refusals-1.txt", ask_refusals());
    keep("states-1.txt", states());
    keep("cards-1.txt", cards());
    // Of every variant there is one: the numbers run from 0, and there is none behind the last.
    assert_eq!(refusals().len(), 17);
    assert!(minicbor::decode::<Refusal>(&[0x82, 17, 0x80]).is_err());
    assert!(minicbor::decode::<AskRefusal>(&[0x82, 15, 0x80]).is_err());
    assert!(minicbor::decode::<State>(&[0x82, 7, 0x80]).is_err());
}

#[test]
fn both_ways_of_a_sync_travel_as_they_always_did() {
    let nothing = SyncRequest::new(stamp());
    keep("sync-request-1.txt", named(vec![("request", sync_request()), ("request-nothing", nothing)]));
    let nothing = SyncReply::new(Epoch::from_bytes([6; 16]), stamp().claimed);
    keep("sync-reply-1.txt", named(vec![("reply", sync_reply()), ("reply-nothing", nothing)]));
    keep("whole-push-1.txt", named(vec![("push", whole_push())]));
    // How zstd packs may change with its version; what was packed once unpacks for ever.
    let request = SignedRequest {
        protocol: crate::envelope::PROTOCOL,
        device: sender().device,
        generation: sender().generation,
        counter: 41,
        signature: signed(b"a request"),
        body: ByteVec::from(pack(&sync_request())),
    };
    let reply = SignedReply {
        protocol: crate::envelope::PROTOCOL,
        key: KeyId::from_bytes([7; 16]),
        signature: signed(b"a reply"),
        body: ByteVec::from(pack(&sync_reply())),
        last: true,
    };
    let packed = vec![
        ("signed-request", minicbor::to_vec(&request).unwrap()),
        ("signed-reply", minicbor::to_vec(&reply).unwrap()),
    ];
    let kept = golden("sync-packed-1.txt", &named(packed));
    let old: SignedRequest = minicbor::decode(&kept["signed-request"]).unwrap();
    assert_eq!(SignedRequest { body: request.body.clone(), ..old.clone() }, request);
    assert_eq!(unpack::<SyncRequest>(&old.body, Limits::PUSH), Ok(sync_request()));
    let old: SignedReply = minicbor::decode(&kept["signed-reply"]).unwrap();
    assert_eq!(SignedReply { body: reply.body.clone(), ..old.clone() }, reply);
    assert_eq!(unpack::<SyncReply>(&old.body, Limits::REPLY), Ok(sync_reply()));
}

/// One to three bytes of it are others, or it is cut, or a part of it stands twice.
fn mutated(bytes: &[u8], chance: &mut Seeded) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=below(chance, 3) {
        let at = below(chance, bytes.len());
        match below(chance, 8) {
            0 => bytes.truncate(at + 1),
            1 => bytes.insert(at, [0x00, 0x5f, 0x7f, 0x9b, 0x9f, 0xbb, 0xff, 0xfb][below(chance, 8)]),
            _ => chance.fill(&mut bytes[at..=at]),
        }
    }
    bytes
}

/// Invariant 6: whatever arrives is a message or a typed error.
#[test]
fn damaged_bytes_are_an_error_and_never_a_panic() {
    let mut chance = Seeded::new(1);
    let records: Vec<_> = records().into_iter().map(|(_, record)| record.to_bytes()).collect();
    for _ in 0..8_000 {
        let bytes = mutated(&records[below(&mut chance, records.len())], &mut chance);
        if let Ok(record) = Record::from_bytes(&bytes) {
            assert_eq!(record.to_bytes(), bytes);
        }
    }
    let (request, reply) = (minicbor::to_vec(sync_request()).unwrap(), minicbor::to_vec(sync_reply()).unwrap());
    let signed = version().to_bytes();
    for _ in 0..4_000 {
        let _ = minicbor::decode::<SyncRequest>(&mutated(&request, &mut chance));
        let _ = minicbor::decode::<SyncReply>(&mutated(&reply, &mut chance));
        let _ = SignedVersion::from_bytes(&mutated(&signed, &mut chance));
    }
    let packed = pack(&sync_request());
    for _ in 0..4_000 {
        let _ = unpack::<SyncRequest>(&mutated(&packed, &mut chance), Limits::PUSH);
        let mut noise = vec![0; below(&mut chance, 64)];
        chance.fill(&mut noise);
        let _ = unpack::<SyncReply>(&noise, Limits::REPLY);
        let _ = minicbor::decode::<SignedRequest>(&noise);
    }
}

/// Invariant 6: a length that is only announced costs nothing.
#[test]
fn an_announced_length_is_not_believed() {
    for head in [[0x9b, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff], [0xbb, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff]] {
        assert!(minicbor::decode::<Vec<Hash>>(&head).is_err());
        assert!(minicbor::decode::<Vec<Push>>(&head).is_err());
        assert!(minicbor::decode::<SyncRequest>(&head).is_err());
    }
    for head in [0x5b, 0x7b] {
        let bytes = [head, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert!(minicbor::decode::<ByteVec>(&bytes).is_err());
        assert!(minicbor::decode::<String>(&bytes).is_err());
    }
    // Arrays in arrays, as deep as a message is long: what a message does not know it skips without recursion.
    let deep = vec![0x81; 1 << 20];
    assert!(minicbor::decode::<SyncRequest>(&deep).is_err());
    assert!(unpack::<SyncRequest>(&zstd::bulk::compress(&deep, 1).unwrap(), Limits::PUSH).is_err());
    let unknown = [&[0xa1, 0x18, 0x63][..], &deep].concat();
    assert!(minicbor::decode::<SyncRequest>(&unknown).is_err());
}
