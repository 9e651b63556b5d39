//! Bodies that come slowly, stall, or are many.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Extension;
use axum::body::{Bytes, HttpBody};
use axum::routing::post;
use http_body::Frame;
use sync_core::id::{CaseId, DocumentId, Hash};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::*;
use crate::routes::edge::TimeLimit;
use crate::uploads::Uploads;

const KIB: usize = 1024;
const LONG: Duration = Duration::from_secs(30);

/// A body whose pieces come one by one.
struct Coming(mpsc::Receiver<usize>);

impl HttpBody for Coming {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|length| Ok(Frame::data(vec![0; length].into()))))
    }
}

/// A body, and what makes so many bytes of it come.
fn body() -> (mpsc::Sender<usize>, Body) {
    let (sender, coming) = mpsc::channel(1);
    (sender, Body::new(Coming(coming)))
}

/// A body of so many pieces of so many bytes, one after each while.
fn slow(pieces: usize, length: usize, every: u64) -> Body {
    let (sender, body) = body();
    tokio::spawn(async move {
        for _ in 0..pieces {
            sleep(Duration::from_millis(every)).await;
            if sender.send(length).await.is_err() {
                return;
            }
        }
    });
    body
}

async fn sync(app: &App, body: Body) -> Answer {
    let answer = timeout(LONG, send(app, Request::post("/v1/sync").body(body).unwrap())).await;
    answer.expect("it is read for ever")
}

async fn patient(bench: &Bench, room: usize, patience: Duration) -> App {
    let app = bench.app_with(Flags { request_seconds: Some("1".into()), ..Flags::default() }).await;
    App { uploads: Uploads::new(room, patience), ..app }
}

#[tokio::test]
async fn a_sync_and_a_photo_that_are_longer_on_their_way_than_a_request_may_take_are_taken() {
    let bench = Bench::new(1);
    let app = patient(&bench, 1 << 20, LONG).await;
    let olu = account(&app, "olu.ot", Role::SeniorOt).await;
    let text = app.enrolment_text(olu.id).await.unwrap().0;
    let device = enrol(&app, &enrolment(&text, 1)).await.body["device"].as_str().unwrap().parse().unwrap();
    let bearer = mint(&app, Bearer::Device { account: olu.id, device }).await.unwrap().token;
    let mut chance = app.chance.clone();
    let (case, document) = (CaseId::mint(&mut chance), DocumentId::mint(&mut chance));
    let photo = Request::put(format!("/v1/photos/{case}/{document}/{}", Hash::of(b"a photo")));
    let photo = photo.header("authorization", format!("Bearer {bearer}"));
    let (sync, photo) =
        tokio::join!(sync(&app, slow(8, 4 * KIB, 200)), send(&app, photo.body(slow(8, 4 * KIB, 200)).unwrap()),);
    // What it says is read: that it is no request, and of no case.
    sync.is(ProblemKind::BadRequest);
    assert!(sync.body["detail"].as_str().unwrap().contains("sync request"), "{}", sync.body);
    photo.is(ProblemKind::NotFound);
}

#[tokio::test]
async fn the_time_of_a_request_begins_once_its_body_is_there() {
    let bench = Bench::new(1);
    let app = patient(&bench, 1 << 20, LONG).await;
    let (told, mut came) = mpsc::channel(1);
    let hangs = async move |Extension(limit): Extension<TimeLimit>| {
        limit.stands_still(sleep(Duration::from_millis(1500))).await;
        told.send(()).await.unwrap();
        pending::<()>().await
    };
    let router = super::super::within_bounds(axum::Router::new().route("/hang", post(hangs)), app);
    let request = Request::post("/hang").body(Body::empty()).unwrap();
    let answer = timeout(LONG, router.oneshot(request)).await.expect("it hangs").unwrap();
    assert_eq!(answer.status(), ProblemKind::Timeout.status());
    came.try_recv().expect("its time was over before its body was there");
}

#[tokio::test]
async fn a_body_that_stalls_or_trickles_is_answered_and_one_above_the_pace_is_waited_for() {
    let bench = Bench::new(1);
    let app = patient(&bench, 1 << 20, Duration::from_secs(1)).await;
    let (sender, stalls) = body();
    sender.send(64 * KIB).await.unwrap();
    let (stalled, trickled, slow) =
        tokio::join!(sync(&app, stalls), sync(&app, slow(usize::MAX, 1, 20)), sync(&app, slow(15, 4 * KIB, 100)),);
    stalled.is(ProblemKind::Timeout);
    trickled.is(ProblemKind::Timeout);
    slow.is(ProblemKind::BadRequest);
    drop(sender);
}

#[tokio::test]
async fn bodies_on_their_way_have_so_much_room_together_and_a_small_one_always_gets_in() {
    let bench = Bench::new(1);
    let app = patient(&bench, 64 * KIB, LONG).await;
    let (sender, held) = body();
    let holds = tokio::spawn({
        let app = app.clone();
        async move { sync(&app, held).await }
    });
    for _ in 0..3 {
        sender.send(16 * KIB).await.unwrap();
    }
    // The channel has room for one: whoever is asked for the next has taken those before.
    sender.reserve().await.unwrap();
    let later = sync(&app, slow(5, 16 * KIB, 1)).await;
    later.is(ProblemKind::Later);
    assert_eq!(later.headers["retry-after"], "30");
    sync(&app, slow(16, KIB, 1)).await.is(ProblemKind::BadRequest);
    drop(sender);
    holds.await.unwrap().is(ProblemKind::BadRequest);
    sync(&app, slow(5, 16 * KIB, 1)).await.is(ProblemKind::BadRequest);
    sync(&app, slow(6, 16 * KIB, 1)).await.is(ProblemKind::Later);
    sync(&app, slow(5, 16 * KIB, 1)).await.is(ProblemKind::BadRequest);
}
