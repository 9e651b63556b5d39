use ed25519_dalek::SigningKey;
use minicbor::bytes::ByteVec;

use super::reply::unpacked;
use super::*;
use crate::clock::{Stamp, Timestamp};
use crate::domain::document::Document;
use crate::domain::edit::Edit;
use crate::domain::record::SharedText;
use crate::id::{AccountId, AskId, DeviceId, Epoch, Generation, OrganisationId, ServerId};
use crate::protocol::ask::OpenCase;
use crate::protocol::codec::{Limits, Undecodable, pack, unpack};
use crate::protocol::sync::{
    DocumentNews, Progress, Purge, PurgeReason, Receipts, SignedReceipts, SyncReply, reply_bytes,
};
use crate::protocol::{PackLimits, SignedReply};

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

/// A reply to `request` in as many parts.
fn parts(replies: &[SyncReply], request: &[u8]) -> Vec<Vec<u8>> {
    let mut writer = ReplyWriter::new(identity().sender.server, request, KeyId::from_bytes([6; 16]));
    let last = replies.len() - 1;
    let parts = replies.iter().enumerate();
    parts.map(|(at, reply)| writer.write(reply, at == last, |bytes| sign(&server_key(), bytes)).unwrap()).collect()
}

/// A caseload in three parts: receipts first, then case by case, the cursor at the end.
fn caseload() -> Vec<SyncReply> {
    let whole = reply(vec![change().1]);
    let nothing = SyncReply::new(whole.epoch, whole.at);
    let cursor = whole.cursor;
    let after = |number| {
        Some(Progress { n: 3, after: CaseId::from_bytes([number; 16]), epoch: Some(Epoch::from_bytes([1; 16])) })
    };
    vec![
        SyncReply { cursor: None, more: false, progress: after(1), ..whole.clone() },
        SyncReply { documents: whole.documents.clone(), progress: after(2), ..nothing.clone() },
        SyncReply { documents: whole.documents, cursor, ..nothing },
    ]
}

/// What a reader gives of these bytes, however they are cut into pieces, and how it ends.
fn read(request: &[u8], bytes: &[u8], piece: usize) -> (Vec<Reply>, Result<(), ReplyError>) {
    let mut reader = ReplyReader::new(identity(), request, Limits::REPLY);
    let mut replies = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.feed(piece);
        loop {
            match reader.next(NOW) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!((reader.next(NOW), reader.finish()), (Err(error), Err(error)), "nothing behind it");
                    return (replies, Err(error));
                }
            }
        }
    }
    (replies, reader.finish())
}

#[test]
fn a_reply_in_parts_is_read_as_it_comes_and_goes_on_where_it_was_cut() {
    let parts = parts(&caseload(), b"request");
    let whole = parts.concat();
    let (replies, end) = read(b"request", &whole, whole.len());
    assert_eq!((replies.len(), end), (3, Ok(())));
    assert!(replies[2].last && !replies[0].last && !replies[1].last);
    let cursor = |reply: &Reply| reply.effects.iter().any(|effect| matches!(effect, Effect::Cursor(_)));
    assert_eq!(replies.iter().map(cursor).collect::<Vec<_>>(), [false, false, true]);
    let ends: Vec<usize> =
        parts.iter().scan(0, |end, part| Some(std::mem::replace(end, *end + part.len()) + part.len())).collect();
    // Cut at every byte: the parts that came whole stand, and it is known that there was more.
    for cut in 0..whole.len() {
        let came = ends.iter().filter(|end| **end <= cut).count();
        let (got, end) = read(b"request", &whole[..cut], 7);
        assert_eq!(got, replies[..came], "cut at {cut}");
        let parts = u32::try_from(came).unwrap();
        let expected = if cut == 0 { ReplyError::NotOurServer } else { ReplyError::Cut { parts } };
        assert_eq!(end, Err(expected), "cut at {cut}");
    }
    for piece in [1, 2, 100, 1_000] {
        assert_eq!(read(b"request", &whole, piece), (replies.clone(), Ok(())));
    }
}

#[test]
fn a_part_that_is_altered_swapped_left_out_or_repeated_is_not_believed_and_none_behind_it() {
    let whole = parts(&caseload(), b"request");
    let good = read(b"request", &whole.concat(), 100).0;
    let other = parts(&caseload(), b"another request");
    let of = |order: &[&Vec<u8>]| {
        read(b"request", &order.iter().flat_map(|part| part.iter()).copied().collect::<Vec<_>>(), 100)
    };
    for (order, stand) in [
        (vec![&whole[1], &whole[0], &whole[2]], 0),
        (vec![&whole[0], &whole[2], &whole[1]], 1),
        (vec![&whole[0], &whole[2]], 1),
        (vec![&whole[0], &whole[0], &whole[1], &whole[2]], 1),
        (vec![&other[0], &whole[1], &whole[2]], 0),
        (vec![&whole[0], &other[1], &whole[2]], 1),
    ] {
        assert_eq!(of(&order), (good[..stand].to_vec(), Err(ReplyError::Tampered)));
    }
    let bytes = whole.concat();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let (got, end) = read(b"request", &flipped, 1_000);
        assert!(end.is_err() && got == good[..got.len()] && got.len() < 3, "byte {at}");
    }
    // What comes behind the last part is nobody's word.
    let (got, end) = read(b"request", &[&bytes[..], b"more"].concat(), 50);
    assert_eq!((got, end), (good, Ok(())));
}

/// Invariant 6: what answers without end is refused at once, or once it has sent more than a part may have.
#[test]
fn a_portals_page_is_refused_by_its_first_bytes_and_an_endless_answer_at_its_limit() {
    let small = Limits { compressed: 4_096, inflated: 1 << 20, ..Limits::REPLY };
    for page in [&b"<html>"[..], b"{\"ok\":true}", b"\x00", b"\x1b[2J", b"HTTP/1.1 200"] {
        let mut reader = ReplyReader::new(identity(), b"request", small);
        reader.feed(page);
        assert_eq!(reader.next(NOW), Err(ReplyError::NotOurServer), "{}", page.escape_ascii());
    }
    let endless = [&parts(&caseload(), b"request")[0][..90], &[0x5a; 1 << 16]].concat();
    let mut reader = ReplyReader::new(identity(), b"request", small);
    let mut fed = 0;
    let refused = endless.chunks(512).find_map(|piece| {
        reader.feed(piece);
        fed += piece.len();
        reader.next(NOW).err()
    });
    assert!(refused.is_some() && fed <= 6_144, "{refused:?} after {fed}");
}

#[test]
fn a_part_with_a_place_too_many_or_a_body_too_large_is_refused_by_its_head() {
    let good = bytes(&signed(&reply(vec![]), b"request"));
    let first = |limits: Limits, bytes: &[u8]| {
        let mut reader = ReplyReader::new(identity(), b"request", limits);
        let mut fed = bytes.iter().enumerate();
        let refused = fed.find_map(|(at, byte)| {
            reader.feed(&[*byte]);
            reader.next(NOW).err().map(|error| (at, error))
        });
        refused.map(|(at, error)| (at + 1, error))
    };
    assert_eq!(first(Limits::REPLY, &good), None);
    // A place more, behind a body that would be copied for each byte of it; or one less.
    for places in [0x84, 0x86] {
        let other = [&[places], &good[1..], &[0x5a, 0, 0xff, 0xff, 0xff], &[0; 100]].concat();
        let (read, error) = first(Limits::REPLY, &other).unwrap();
        assert_eq!(error, ReplyError::NotOurServer);
        assert!(read < 120, "{read}");
    }
    // A body that is larger than may be, though nothing of it has come.
    let small = Limits { compressed: 16, ..Limits::REPLY };
    let (read, error) = first(small, &good).unwrap();
    assert_eq!(error, ReplyError::Unreadable(Undecodable::TooLarge { most: 16 }));
    assert!(read < 120 && read < good.len() - 20, "{read}");
    // A head that does not end.
    let endless = [&good[..2], &[0x5a, 0x03, 0xff, 0xff, 0xff], &[0; 1 << 12]].concat();
    let (read, error) = first(Limits::REPLY, &endless).unwrap();
    assert_eq!(error, ReplyError::NotOurServer);
    assert!(read <= 1_024, "{read}");
}

#[test]
fn the_news_of_a_part_is_held_as_far_as_there_is_room_for_all_of_it() {
    let (_, change) = change();
    let news = |number: u8| DocumentNews {
        document: DocumentId::from_bytes([number; 17]),
        case: CASE,
        kind: Kind::Home,
        changes: Packed::pack(std::slice::from_ref(&change), &Known::news(Kind::Home)),
    };
    let taken = |limits: PackLimits| {
        let effects: Vec<Effect> = unpacked((0..20).map(news).collect(), limits).collect();
        let taken = effects.iter().take_while(|effect| matches!(effect, Effect::News { .. })).count();
        let rest = &effects[taken..];
        assert!(rest.iter().all(|effect| matches!(effect, Effect::Damaged { .. })));
        assert_eq!(effects.len(), 20);
        taken
    };
    assert_eq!(taken(PackLimits::REPLY), 20);
    assert_eq!(taken(PackLimits { changes: 7, ..PackLimits::REPLY }), 7);
    let of_bytes = taken(PackLimits { bytes: 10 * change.len(), ..PackLimits::REPLY });
    assert!((5..=10).contains(&of_bytes), "{of_bytes}");
}

#[test]
fn a_server_of_another_version_is_told_apart_whatever_else_it_says() {
    for found in [0, 2, 9] {
        let newer = SignedReply { protocol: found, ..signed(&reply(vec![]), b"request") };
        assert_eq!(take(b"request", &bytes(&newer)), Err(ReplyError::Version { found }));
        // Of a form that nobody knows yet.
        let mut unknown = vec![0x98, 9];
        unknown.extend(minicbor::to_vec((found, "other")).unwrap().into_iter().skip(1));
        assert_eq!(take(b"request", &unknown), Err(ReplyError::Version { found }));
    }
}

#[test]
fn what_is_no_reply_of_ours_is_told_apart_from_what_somebody_tampered_with() {
    let good = bytes(&signed(&reply(vec![]), b"request"));
    for page in [&b""[..], b"<html>Sign in</html>", b"{}"] {
        assert_eq!(take(b"request", page), Err(ReplyError::NotOurServer));
    }
    assert_eq!(take(b"request", &good[..good.len() - 1]), Err(ReplyError::Cut { parts: 0 }));
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
    let small = Limits { compressed: 1 << 20, inflated: 64, ..Limits::REPLY };
    let good = bytes(&signed(&reply(vec![change().1]), b"request"));
    let refused = identity().reply(b"request", &good, NOW, small);
    assert!(matches!(refused, Err(ReplyError::Unreadable(_))));
}

/// A device or server that is a little newer may say more in the same version of the protocol.
#[test]
fn a_place_that_this_version_does_not_know_is_skipped_and_the_rest_is_read() {
    let more = |mut message: Vec<u8>| {
        // One entry more in a small map, under a number that nobody has given out.
        message[0] += 1;
        message.extend([0x18, 99, 0x61, b'x']);
        message
    };
    let at = Stamp { claimed: Timestamp::from_millis(1), elapsed: 2, offset: None };
    let request = SyncRequest { wants_bearer: true, ..SyncRequest::new(at) };
    let bytes = more(minicbor::to_vec(&request).unwrap());
    assert_eq!(minicbor::decode::<SyncRequest>(&bytes).unwrap(), request);
    let reply = SyncReply { more: true, ..SyncReply::new(Epoch::from_bytes([1; 16]), Timestamp::from_millis(3)) };
    let bytes = more(minicbor::to_vec(&reply).unwrap());
    assert_eq!(minicbor::decode::<SyncReply>(&bytes).unwrap(), reply);
}
