//! The API as its clients meet it: the real router over a real data folder.

mod bounds;
mod openapi;
mod uploads;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use ed25519_dalek::{Signer as _, SigningKey};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sync_core::access::Role;
use sync_core::id::{DeviceId, Generation};
use sync_core::protocol::enrolment::{
    EnrolmentReply, EnrolmentRequest, EnrolmentText, Fingerprint, PublicKey, Signature, proof_of_possession,
};
use tower::ServiceExt;

use super::router;
use crate::app::App;
use crate::auth::tokens::{Audience, Bearer, mint, verify};
use crate::config::Flags;
use crate::error::ProblemKind;
use crate::storage::keys::KeyPurpose;
use crate::testing::{Bench, PASSWORD, account};

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: Value,
}

impl Answer {
    fn is(&self, kind: ProblemKind) {
        assert_eq!(self.body["type"], format!("urn:grabrail:problem:{}", kind.name()), "{}", self.body);
        assert_eq!(self.status, kind.status());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert!(!self.body["detail"].as_str().unwrap().is_empty());
    }
}

async fn send(app: &App, request: Request<Body>) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (parts, body) = router(app.clone()).oneshot(request).await.unwrap().into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    openapi::tells_of(&method, &path, parts.status, &body);
    Answer { status: parts.status, headers: parts.headers, body }
}

async fn post(app: &App, path: &str, body: Value) -> Answer {
    let request = Request::post(path).header("content-type", "application/json");
    send(app, request.body(Body::from(body.to_string())).unwrap()).await
}

async fn sign_out(app: &App, token: &str) -> Answer {
    let request = Request::delete("/v1/sessions/current").header("authorization", format!("Bearer {token}"));
    send(app, request.body(Body::empty()).unwrap()).await
}

async fn signed_in(app: &App) -> Value {
    account(app, "olu.ot", Role::SeniorOt).await;
    let answer = post(app, "/v1/sessions", json!({"sign_in": "Olu.OT", "password": PASSWORD})).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn health_is_open_and_every_answer_carries_the_safe_headers() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    for path in ["/healthz", "/readyz"] {
        let answer = send(&app, Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    app.storage.close().await;
    let ready = || Request::get("/readyz").body(Body::empty()).unwrap();
    bench.clock.advance(999);
    assert_eq!(send(&app, ready()).await.status, 204, "whoever asks again and again is told what was found before");
    bench.clock.advance(1);
    send(&app, ready()).await.is(ProblemKind::NotReady);
}

#[tokio::test]
async fn what_no_endpoint_reads_is_a_problem() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    send(&app, Request::get("/nope").body(Body::empty()).unwrap()).await.is(ProblemKind::NotFound);
    send(&app, Request::put("/healthz").body(Body::empty()).unwrap()).await.is(ProblemKind::MethodNotAllowed);
    let post_raw = |kind: &'static str, body: Vec<u8>| {
        Request::post("/v1/sessions").header("content-type", kind).body(Body::from(body)).unwrap()
    };
    send(&app, post_raw("text/plain", b"{}".to_vec())).await.is(ProblemKind::WrongContentType);
    send(&app, post_raw("application/json", b"{".to_vec())).await.is(ProblemKind::BadRequest);
    send(&app, post_raw("application/json", b"{}".to_vec())).await.is(ProblemKind::BadValue);
    send(&app, post_raw("application/json", vec![b' '; 100_000])).await.is(ProblemKind::TooLarge);
}

#[tokio::test]
async fn a_handler_that_panics_or_hangs_costs_only_its_own_request() {
    let bench = Bench::new(1);
    let app = bench.app_with(Flags { request_seconds: Some("1".into()), ..Flags::default() }).await;
    let router = axum::Router::new()
        .route(
            "/panic",
            axum::routing::get(|| async {
                if true {
                    panic!("a client's name")
                }
            }),
        )
        .route("/hang", axum::routing::get(std::future::pending::<()>));
    let router = super::within_bounds(router, app);
    for (path, kind) in [("/panic", ProblemKind::Internal), ("/hang", ProblemKind::Timeout)] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(30), router.clone().oneshot(request)).await;
        let answer = answer.expect("it hangs").unwrap();
        assert_eq!(answer.status(), kind.status());
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains(kind.name()) && !text.contains("client's"), "{text}");
    }
}

#[tokio::test]
async fn a_sign_in_gives_a_token_that_a_revoked_session_or_disabled_account_ends() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    let first = signed_in(&app).await;
    let token = first["access"].as_str().unwrap();
    let next = post(&app, "/v1/sessions/refresh", json!({"refresh": first["refresh"]})).await.body;
    assert_ne!(next["refresh"], first["refresh"]);
    assert_eq!(sign_out(&app, token).await.status, 204);
    sign_out(&app, token).await.is(ProblemKind::SessionEnded);
    post(&app, "/v1/sessions/refresh", json!({"refresh": next["refresh"]})).await.is(ProblemKind::SessionEnded);

    let again = post(&app, "/v1/sessions", json!({"sign_in": "olu.ot", "password": PASSWORD})).await.body;
    let id = app.storage.account_named(&"olu.ot".parse().unwrap()).await.unwrap().unwrap().id;
    app.storage.set_account_enabled(id, false).await.unwrap();
    sign_out(&app, again["access"].as_str().unwrap()).await.is(ProblemKind::SessionEnded);
    let refused = post(&app, "/v1/sessions", json!({"sign_in": "olu.ot", "password": PASSWORD})).await;
    refused.is(ProblemKind::SignInRefused);
    send(&app, Request::delete("/v1/sessions/current").body(Body::empty()).unwrap())
        .await
        .is(ProblemKind::SignInNeeded);
}

#[tokio::test]
async fn a_refresh_used_twice_ends_the_session_for_both() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    let first = signed_in(&app).await;
    let next = post(&app, "/v1/sessions/refresh", json!({"refresh": first["refresh"]})).await.body;
    post(&app, "/v1/sessions/refresh", json!({"refresh": first["refresh"]})).await.is(ProblemKind::SessionEnded);
    post(&app, "/v1/sessions/refresh", json!({"refresh": next["refresh"]})).await.is(ProblemKind::SessionEnded);
    sign_out(&app, next["access"].as_str().unwrap()).await.is(ProblemKind::SessionEnded);
    for junk in ["", ".", "x.y", &"a.".repeat(500)] {
        post(&app, "/v1/sessions/refresh", json!({"refresh": junk})).await.is(ProblemKind::SessionEnded);
    }
}

#[tokio::test]
async fn guessing_is_slowed_and_an_unknown_name_is_answered_like_a_wrong_password() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    account(&app, "olu.ot", Role::SeniorOt).await;
    let wrong = |name: &str| json!({"sign_in": name, "password": "not the password"});
    let (known, unknown) = (wrong("olu.ot"), wrong("nobody"));
    let answer = post(&app, "/v1/sessions", unknown).await;
    answer.is(ProblemKind::SignInRefused);
    for _ in 0..5 {
        let refused = post(&app, "/v1/sessions", known.clone()).await;
        assert_eq!(refused.body, answer.body);
    }
    let later = post(&app, "/v1/sessions", json!({"sign_in": "OLU.OT", "password": PASSWORD})).await;
    later.is(ProblemKind::Later);
    assert_eq!(later.headers["retry-after"], "1");
    bench.clock.advance(1000);
    let right = post(&app, "/v1/sessions", json!({"sign_in": "olu.ot", "password": PASSWORD})).await;
    assert_eq!(right.status, 201);
}

#[tokio::test]
async fn a_token_expires_by_the_given_clock_and_so_does_its_session() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    let session = signed_in(&app).await;
    let token = session["access"].as_str().unwrap();
    bench.clock.advance(-1000);
    sign_out(&app, token).await.is(ProblemKind::TokenExpired);
    bench.clock.advance(1000 + 10 * 60 * 1000 - 1);
    verify(&app, token, Audience::Api).await.unwrap();
    bench.clock.advance(1);
    sign_out(&app, token).await.is(ProblemKind::TokenExpired);
    bench.clock.advance(12 * 60 * 60 * 1000);
    let refreshed = post(&app, "/v1/sessions/refresh", json!({"refresh": session["refresh"]})).await;
    refreshed.is(ProblemKind::SessionEnded);
}

/// The claims and key id of a good token, to be told otherwise.
async fn parts(app: &App, token: &str) -> (Header, Value) {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let claims = data_encoding::BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
    let claims = serde_json::from_slice(&claims).unwrap();
    verify(app, token, Audience::Api).await.unwrap();
    (header, claims)
}

fn ed_key(secret: &SigningKey) -> EncodingKey {
    use ed25519_dalek::pkcs8::EncodePrivateKey;
    EncodingKey::from_ed_der(secret.to_pkcs8_der().unwrap().as_bytes())
}

#[tokio::test]
async fn a_token_with_another_alg_key_audience_issuer_or_claims_is_refused() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    let session = signed_in(&app).await;
    let good = session["access"].as_str().unwrap();
    let (header, claims) = parts(&app, good).await;
    let signer = app.keys.signer(KeyPurpose::Token).await.unwrap();
    let ours = ed_key(signer.secret());
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        jsonwebtoken::encode(&header, &claims, &ours).unwrap()
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        jsonwebtoken::encode(&header, &claims, &ours).unwrap()
    };
    verify(&app, &with("jti", json!("x")), Audience::Api).await.unwrap();

    let body = good.split('.').nth(1).unwrap();
    let kid = header.kid.clone().unwrap();
    let base64 = |text: String| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
    let none = format!("{}.{body}.", base64(format!(r#"{{"alg":"none","kid":"{kid}"}}"#)));
    // The public key as the secret of a symmetric algorithm.
    let symmetric = Header { alg: Algorithm::HS256, ..header.clone() };
    let hs256 = jsonwebtoken::encode(&symmetric, &claims, &EncodingKey::from_secret(&signer.key.public)).unwrap();
    let stranger = jsonwebtoken::encode(&header, &claims, &ed_key(&SigningKey::from_bytes(&[4; 32]))).unwrap();
    let signoff = app.keys.signer(KeyPurpose::Signoff).await.unwrap();
    let other_purpose = Header { kid: Some(signoff.key.id.to_string()), ..header.clone() };
    let other_purpose = jsonwebtoken::encode(&other_purpose, &claims, &ed_key(signoff.secret())).unwrap();
    let no_kid = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &ours).unwrap();
    let mut altered = good.to_owned().into_bytes();
    let at = good.find('.').unwrap() + 5;
    altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };

    let photos = Bearer::Device {
        account: claims["sub"].as_str().unwrap().parse().unwrap(),
        device: DeviceId::from_bytes([1; 16]),
    };
    let photos = mint(&app, photos).await.unwrap().token;
    verify(&app, &photos, Audience::Photos).await.unwrap();
    let refused = [
        none,
        hs256,
        stranger,
        other_purpose,
        no_kid,
        String::from_utf8(altered).unwrap(),
        photos,
        with("aud", json!("photos")),
        with("iss", json!("urn:grabrail:server:another")),
        with("exp", json!(i64::MAX)),
        with("nbf", json!(i64::MIN)),
        with("device", json!(DeviceId::from_bytes([1; 16]))),
        without("aud"),
        without("iss"),
        without("exp"),
        without("nbf"),
        without("sub"),
        without("sid"),
        String::new(),
        "a.b.c".to_owned(),
        "x".repeat(100_000),
    ];
    for token in refused {
        sign_out(&app, &token).await.is(ProblemKind::TokenRefused);
    }
    assert!(verify(&app, good, Audience::Photos).await.is_err());
    let in_future = with("nbf", json!(claims["nbf"].as_i64().unwrap() + 60));
    sign_out(&app, &in_future).await.is(ProblemKind::TokenExpired);
}

#[tokio::test]
async fn a_rotated_key_signs_the_next_token_and_the_old_ones_run_out() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    let token = signed_in(&app).await["access"].as_str().unwrap().to_owned();
    let old = app.storage.current_key(KeyPurpose::Token).await.unwrap();
    let new = app.storage.rotate_key(KeyPurpose::Token).await.unwrap();
    assert_eq!(app.keys.signer(KeyPurpose::Token).await.unwrap().key, new);
    verify(&app, &token, Audience::Api).await.unwrap();
    bench.clock.advance(10 * 60 * 1000);
    assert!(verify(&app, &token, Audience::Api).await.is_err());
    let kept = app.keys.key(old.id).await.unwrap().unwrap();
    assert!(kept.retired_at.is_some() && kept.public == old.public, "kept for ever");
}

fn enrolment(text: &EnrolmentText, seed: u8) -> EnrolmentRequest {
    let secret = SigningKey::from_bytes(&[seed; 32]);
    let (key, generation) = (secret.verifying_key().to_bytes(), Generation::from_bytes([seed; 16]));
    EnrolmentRequest {
        code: text.code.to_string(),
        device_key: PublicKey(key),
        generation,
        name: "Olu's tablet".to_owned(),
        proof: Signature(secret.sign(&proof_of_possession(text.server, &text.code, &key, generation)).to_bytes()),
    }
}

async fn enrol(app: &App, request: &EnrolmentRequest) -> Answer {
    post(app, "/v1/devices", serde_json::to_value(request).unwrap()).await
}

#[tokio::test]
async fn a_code_enrols_one_device_whose_number_is_never_given_again() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    let olu = account(&app, "olu.ot", Role::SeniorOt).await;
    let text = app.enrolment_text(olu.id).await.unwrap().0;
    let request = enrolment(&text, 1);
    let answer = enrol(&app, &request).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let reply: EnrolmentReply = serde_json::from_value(answer.body).unwrap();
    assert_eq!((reply.server, reply.account, reply.role), (text.server, olu.id, Role::SeniorOt));
    assert_eq!((reply.device_number, reply.authority.as_str()), (1, "Example Council"));
    assert_eq!(Fingerprint::of(&reply.reply_key.0), text.reply_key);
    let key = ed25519_dalek::VerifyingKey::from_bytes(&reply.reply_key.0).unwrap();
    let signature = ed25519_dalek::Signature::from_bytes(&reply.signature.0);
    key.verify_strict(&reply.signed_bytes(&request), &signature).unwrap();

    // Its reply lost, the device asks again and is the same device; another one finds the code spent.
    let again: EnrolmentReply = serde_json::from_value(enrol(&app, &request).await.body).unwrap();
    assert_eq!((again.device, again.device_number), (reply.device, 1));
    enrol(&app, &enrolment(&text, 3)).await.is(ProblemKind::CodeRefused);
    let text = app.enrolment_text(olu.id).await.unwrap().0;
    let known_key = EnrolmentRequest { proof: enrolment(&text, 1).proof, code: text.code.to_string(), ..request };
    enrol(&app, &known_key).await.is(ProblemKind::Conflict);
    // A refusal spends neither the code nor a number.
    let reply: EnrolmentReply = serde_json::from_value(enrol(&app, &enrolment(&text, 2)).await.body).unwrap();
    assert_eq!(reply.device_number, 2);
}

#[tokio::test]
async fn a_code_expired_unknown_unproven_or_of_a_disabled_account_enrols_nothing() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    let olu = account(&app, "olu.ot", Role::SeniorOt).await;
    let text = app.enrolment_text(olu.id).await.unwrap().0;
    let good = enrolment(&text, 1);
    let other_proof = EnrolmentRequest { proof: enrolment(&text, 2).proof, ..good.clone() };
    enrol(&app, &other_proof).await.is(ProblemKind::ProofRefused);
    let other_generation = EnrolmentRequest { generation: Generation::from_bytes([8; 16]), ..good.clone() };
    enrol(&app, &other_generation).await.is(ProblemKind::ProofRefused);
    enrol(&app, &EnrolmentRequest { name: " ".to_owned(), ..good.clone() }).await.is(ProblemKind::BadValue);
    enrol(&app, &EnrolmentRequest { code: "x".to_owned(), ..good.clone() }).await.is(ProblemKind::CodeRefused);
    let mut unknown = text.clone();
    unknown.code = "aaaa-aaaa-aaaa-aaaa".parse().unwrap();
    enrol(&app, &enrolment(&unknown, 1)).await.is(ProblemKind::CodeRefused);
    app.storage.set_account_enabled(olu.id, false).await.unwrap();
    enrol(&app, &good).await.is(ProblemKind::CodeRefused);
    app.storage.set_account_enabled(olu.id, true).await.unwrap();
    bench.clock.advance(24 * 60 * 60 * 1000);
    enrol(&app, &good).await.is(ProblemKind::CodeRefused);
    assert!(app.storage.devices(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn past_the_proxy_nobody_is_heard_and_through_it_the_clients_own_address_counts() {
    let bench = Bench::new(1);
    let flags = Flags { behind_proxy: Some("10.0.0.0/8".into()), ..Flags::default() };
    let app = bench.app_with(flags).await;
    account(&app, "olu.ot", Role::SeniorOt).await;
    let from = |peer: &str, said: &'static str| {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let body = json!({"sign_in": "olu.ot", "password": "not the password"}).to_string();
        let request = Request::post("/v1/sessions").header("content-type", "application/json");
        let request = request.header("x-forwarded-for", said).extension(axum::extract::ConnectInfo(peer));
        request.body(Body::from(body)).unwrap()
    };
    send(&app, from("192.0.2.1:5", "")).await.is(ProblemKind::NotFromProxy);
    for _ in 0..5 {
        send(&app, from("10.0.0.1:5", "203.0.113.9, 192.0.2.1, 10.0.0.2")).await.is(ProblemKind::SignInRefused);
    }
    send(&app, from("10.0.0.1:5", "198.51.100.1, 192.0.2.1")).await.is(ProblemKind::Later);
    send(&app, from("10.0.0.1:5", "192.0.2.2")).await.is(ProblemKind::SignInRefused);
}
