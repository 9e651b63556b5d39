//! Requests of few bytes that would take much memory.

use sync_core::envelope::sign;
use sync_core::protocol::SignedRequest;
use sync_core::protocol::codec::pack;
use sync_core::protocol::sync::{PATH, request_bytes};

use super::*;

/// Before anybody knows whose it is: what is skipped takes memory too.
#[tokio::test]
async fn a_request_with_a_place_too_many_or_bytes_behind_it_is_none() {
    let bench = Bench::new(14);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let phone = Phone::of(&app, &ana).await;
    let good = phone.identity.request(nothing(None), 1);
    let mut more = good.clone();
    more[0] += 1;
    let seventh = |places: &[u8]| [&more[..], places].concat();
    let behind = [&good[..], &[0]].concat();
    for body in [seventh(&[0]), seventh(&[0x82, 0x9f, 0xff, 0]), seventh(&[0x81, 0x80]), behind] {
        assert_eq!(settle(&app, &body).await.unwrap_err().kind(), ProblemKind::BadRequest);
    }
    assert!(settle(&app, &good).await.is_ok());
}

#[tokio::test]
async fn a_request_of_too_many_items_is_told_to_say_less() {
    let bench = Bench::new(15);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let phone = Phone::of(&app, &ana).await;
    let mut request: SignedRequest = minicbor::decode(&phone.identity.request(nothing(None), 1)).unwrap();
    request.body = pack(&vec![0_u8; Limits::PUSH.items]).into();
    let Identity { sender, key, .. } = &phone.identity;
    let body = Hash::of(&request.body);
    request.signature = sign(key, &request_bytes(sender.server, PATH, body, sender.generation, 1));
    let problem = settle(&app, &minicbor::to_vec(request).unwrap()).await.unwrap_err();
    assert_eq!(problem.kind(), ProblemKind::TooLarge);
    assert!(problem.to_string().contains("2097152 CBOR items; send less"), "{problem}");
}
