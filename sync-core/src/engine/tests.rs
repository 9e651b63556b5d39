use ed25519_dalek::SigningKey;
use minicbor::bytes::ByteVec;

use super::*;
use crate::clock::{Stamp, Timestamp};
use crate::domain::document::Document;
use crate::domain::edit::Edit;
use crate::domain::record::SharedText;
use crate::id::{AccountId, AskId, DeviceId, Epoch, Generation, OrganisationId, ServerId};
use crate::protocol::SignedReply;
use crate::protocol::ask::OpenCase;
use crate::protocol::codec::{Limits, pack, unpack};
use crate::protocol::sync::{DocumentNews, Purge, PurgeReason, Receipts, SignedReceipts, SyncReply, reply_bytes};

const DOCUMENT: DocumentId = DocumentId::from_bytes([9; 17]);
const CASE: CaseId = CaseId::from_bytes([8; 16]);
const PURGE: Purge = Purge { case: CASE, document: None, reason: PurgeReason::Ended };
const NOW: Timestamp = Timestamp::from_millis(5_000);

fn server_key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

fn identity() -> Identity {
    let key = SigningKey::from_bytes(&[7; 32]);
    let sender = Sender {
        server: ServerId::from_bytes([1; 16]),
        organisation: OrganisationId::from_bytes([2; 16]),
        device: DeviceId::from_bytes([3; 16]),
        generation: Generation::from_bytes([4; 16]),
        account: AccountId::from_bytes([5; 16]),
        key: PublicKey::from(&key),
        number: 7,
    };
    Identity { sender, key, reply_key_id: KeyId::from_bytes([6; 16]), reply_key: PublicKey::from(&server_key()) }
}

fn stamp() -> Stamp {
    Stamp { claimed: NOW, elapsed: 1, offset: None }
}

/// A document with one change, and that change.
fn change() -> (Hash, Vec<u8>) {
    let mut document = Document::new(Kind::Home).unwrap();
    let edit = Edit::Splice { text: SharedText::Summary, at: 0, delete: 0, insert: "x".to_owned() };
    document.edit([1; 16], identity().sender.account, stamp(), &mut std::iter::empty(), &[edit]).unwrap()
}

fn ask(number: u8, request: Request) -> Ask {
    Ask { id: AskId::from_bytes([number; 16]), at: stamp(), case: CASE, request }
}

fn waiting() -> Waiting {
    let open = OpenCase {
        name: "A".to_owned(),
        address: "B".to_owned(),
        born: None,
        home: DOCUMENT,
        clinical: DocumentId::from_bytes([10; 17]),
    };
    Waiting {
        pushes: vec![WaitingPush {
            document: DOCUMENT,
            case: CASE,
            kind: Kind::Home,
            fork: 0,
            base: vec![Kind::Home.skeleton_hash()],
            changes: vec![change()],
        }],
        asks: vec![
            ask(1, Request::Withdraw { document: DOCUMENT }),
            ask(2, Request::OpenCase(open)),
            ask(3, Request::Withdraw { document: DOCUMENT }),
        ],
        ..Waiting::nothing(stamp())
    }
}

fn receipts(key: &SigningKey, server: u8) -> SignedReceipts {
    let mut receipts = Receipts::new(ServerId::from_bytes([server; 16]), Epoch::from_bytes([1; 16]), NOW);
    receipts.documents.push((DOCUMENT, vec![change().0]));
    receipts.photos.push((DOCUMENT, Hash::of(b"photo")));
    let signature = sign(key, &receipts.to_bytes());
    SignedReceipts { receipts, key: KeyId::from_bytes([6; 16]), signature }
}

fn reply(changes: Vec<Vec<u8>>) -> SyncReply {
    let news = DocumentNews {
        document: DOCUMENT,
        case: CASE,
        kind: Kind::Home,
        changes: Packed::pack(&changes, &Known::news(Kind::Home)),
    };
    let (epoch, at) = (Epoch::from_bytes([1; 16]), Timestamp::from_millis(2_000));
    SyncReply {
        receipts: Some(receipts(&server_key(), 1)),
        documents: vec![news],
        purge: vec![PURGE],
        cursor: Some(Cursor { epoch, n: 3, at }),
        more: true,
        photo_bearer: Some("b".to_owned()),
        ..SyncReply::new(epoch, at)
    }
}

fn signed(reply: &SyncReply, request: &[u8]) -> SignedReply {
    let body = pack(reply);
    let bytes = reply_bytes(identity().sender.server, Hash::of(request), 0, true, Hash::of(&body));
    let signature = sign(&server_key(), &bytes);
    SignedReply {
        protocol: PROTOCOL,
        key: KeyId::from_bytes([6; 16]),
        signature,
        body: ByteVec::from(body),
        last: true,
    }
}

fn bytes(reply: &SignedReply) -> Vec<u8> {
    minicbor::to_vec(reply).unwrap()
}

fn take(request: &[u8], reply: &[u8]) -> Result<Reply, ReplyError> {
    identity().reply(request, reply, NOW, Limits::REPLY)
}

#[test]
fn a_request_is_signed_whole_and_opens_cases_before_it_asks_anything_of_them() {
    let identity = identity();
    let request = identity.request(waiting(), 5);
    assert_eq!(request, identity.request(waiting(), 5));
    let signed: SignedRequest = minicbor::decode(&request).unwrap();
    let over = request_bytes(identity.sender.server, PATH, Hash::of(&signed.body), identity.sender.generation, 5);
    assert!(identity.sender.key.verifies(&over, &signed.signature));
    let body: SyncRequest = unpack(&signed.body, Limits::PUSH).unwrap();
    let order: Vec<u8> = body.asks.iter().map(|ask| ask.id.as_bytes()[0]).collect();
    assert_eq!(order, [2, 1, 3]);
    let push = &body.pushes[0];
    let envelope = Envelope::new(&identity.sender, DOCUMENT, 0, push.base.clone(), vec![change().0]);
    assert!(identity.sender.key.verifies(&envelope.to_bytes(), &push.signature));
}

#[test]
fn a_reply_becomes_its_effects_receipts_first_and_purges_after_all_else() {
    let reply = take(b"request", &bytes(&signed(&reply(vec![change().1]), b"request"))).unwrap();
    assert!(reply.more);
    assert_eq!(
        reply.effects[0],
        Effect::Contact { epoch: Epoch::from_bytes([1; 16]), at: Timestamp::from_millis(2_000), offset: 3_000 }
    );
    let at = |wanted: &dyn Fn(&Effect) -> bool| reply.effects.iter().position(wanted).unwrap();
    let receipted = at(&|effect| matches!(effect, Effect::Receipted { .. }));
    let news = at(&|effect| matches!(effect, Effect::News { changes, .. } if changes[0].0 == change().0));
    let purge = at(&|effect| *effect == Effect::Purge(PURGE));
    assert!(receipted < news && news < purge);
}

#[test]
fn what_is_no_reply_of_ours_is_told_apart_from_what_somebody_tampered_with() {
    let good = bytes(&signed(&reply(vec![]), b"request"));
    for page in [&b""[..], b"<html>Sign in</html>", b"{}", &good[..good.len() - 1], &[&good[..], b"x"].concat()] {
        assert_eq!(take(b"request", page), Err(ReplyError::NotOurServer));
    }
    assert_eq!(take(b"another request", &good), Err(ReplyError::Tampered));
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        assert!(take(b"request", &flipped).is_err(), "byte {at}");
    }
    let newer = SignedReply { protocol: PROTOCOL + 1, ..signed(&reply(vec![]), b"request") };
    assert_eq!(take(b"request", &bytes(&newer)), Err(ReplyError::Version { found: PROTOCOL + 1 }));
}

#[test]
fn receipts_of_another_key_or_server_prove_nothing() {
    let identity = identity();
    let of = |receipts: &SignedReceipts| identity.receipts(&minicbor::to_vec(receipts).unwrap());
    assert!(of(&receipts(&server_key(), 1)).is_ok());
    assert_eq!(of(&receipts(&SigningKey::from_bytes(&[1; 32]), 1)), Err(ReplyError::Tampered));
    assert_eq!(of(&receipts(&server_key(), 2)), Err(ReplyError::Tampered));
    assert_eq!(identity.receipts(b"ok"), Err(ReplyError::NotOurServer));
    let forged = SyncReply { receipts: Some(receipts(&SigningKey::from_bytes(&[1; 32]), 1)), ..reply(vec![]) };
    assert_eq!(take(b"request", &bytes(&signed(&forged, b"request"))), Err(ReplyError::Tampered));
}

#[test]
fn news_that_is_no_change_is_not_kept_and_holds_nothing_else_up() {
    let mut damaged = change().1;
    damaged[20] ^= 1;
    let reply = take(b"request", &bytes(&signed(&reply(vec![change().1, damaged]), b"request"))).unwrap();
    assert!(reply.effects.contains(&Effect::Damaged { document: DOCUMENT, case: CASE }));
    assert!(!reply.effects.iter().any(|effect| matches!(effect, Effect::News { .. })));
    assert!(reply.effects.iter().any(|effect| matches!(effect, Effect::Cursor(_))));
}

#[test]
fn a_reply_over_the_limits_is_refused_before_it_is_held() {
    let small = Limits { compressed: 1 << 20, inflated: 64 };
    let good = bytes(&signed(&reply(vec![change().1]), b"request"));
    let refused = identity().reply(b"request", &good, NOW, small);
    assert!(matches!(refused, Err(ReplyError::Unreadable(_))));
}
