//! What one person may have the server keep, and what it reads for one list.

use sync_core::domain::kind::Kind;
use sync_core::envelope::Signed;
use sync_core::guard::Refusal;
use sync_core::id::{AskId, CaseId, DeviceId, DocumentId, QuarantineId};
use sync_core::protocol::sync::WholePush;

use super::*;
use crate::asks::MOST_ASKED;
use crate::cases;
use crate::storage::ledger::{Ledger, Plan, QuarantineRow, Write};
use crate::testing::BY;

async fn get(app: &App, path: &str, token: &str) -> Answer {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    send(app, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn what_one_person_asks_at_the_api_in_a_day_is_bounded_refused_or_not() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    let token = signed_in(&app).await["access"].as_str().unwrap().to_owned();
    cases::import(&app, b"reference,name,address\nR1,Elsie Marsh,4 Mill Lane\n", false).await.unwrap().unwrap();
    let case = cases::find(&app, "R1").await.unwrap().case;
    let ask = async |token: &str, id: AskId| {
        let request = Request::post("/v1/asks").header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {token}"));
        let body = json!({"id": id, "case": case, "ask": "close_case", "reason": ""});
        send(&app, request.body(Body::from(body.to_string())).unwrap()).await
    };
    let mint = || AskId::mint(&mut app.chance.clone());
    let first = mint();
    ask(&token, first).await.is(ProblemKind::AskRefused);
    let account = app.storage.accounts().await.unwrap()[0].id;
    let bytes = MOST_ASKED - 1000;
    let writes = vec![Write::Asked { account, bytes, at: app.clock.now(), most: u64::MAX }];
    app.storage.ledger().commit(Plan { by: BY, writes }).await.unwrap();
    let second = mint();
    let answer = ask(&token, second).await;
    answer.is(ProblemKind::Later);
    // The clock of the tests stands at nine.
    assert_eq!(answer.headers["retry-after"], (15 * 3600).to_string());
    assert!(app.storage.ledger().ask(second).await.unwrap().is_none());
    ask(&token, first).await.is(ProblemKind::AskRefused);
    bench.clock.advance(15 * 3600 * 1000);
    let answer = post(&app, "/v1/sessions", json!({"sign_in": "Olu.OT", "password": PASSWORD})).await;
    ask(answer.body["access"].as_str().unwrap(), second).await.is(ProblemKind::AskRefused);
}

#[tokio::test]
async fn quarantine_is_listed_in_pages_and_no_push_is_opened_for_it() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    let token = signed_in(&app).await["access"].as_str().unwrap().to_owned();
    let case = CaseId::mint(&mut app.chance.clone());
    let account = app.storage.accounts().await.unwrap()[0].id;
    let row = |changes| {
        let document = DocumentId::mint(&mut app.chance.clone());
        let changes = vec![b"a change".to_vec().into(); changes];
        let (kind, base, signature) = (Kind::Home, Vec::new(), Signed([0; 64]));
        let push = WholePush { document, case, kind, fork: 0, base, changes, signature };
        QuarantineRow {
            quarantine: QuarantineId::mint(&mut app.chance.clone()),
            case,
            document,
            device: DeviceId::mint(&mut app.chance.clone()),
            account,
            at: app.clock.now(),
            reason: Refusal::NotAllowed,
            push: minicbor::to_vec(push).unwrap(),
        }
    };
    let writes = (0..230).map(|changes| Write::Quarantine(row(changes))).collect();
    app.storage.ledger().commit(Plan { by: BY, writes }).await.unwrap();
    app.storage.execute_raw("UPDATE quarantine SET sealed_push = x'00'").await;
    let (mut path, mut changes, mut pages) = ("/v1/quarantine".to_owned(), Vec::new(), Vec::new());
    loop {
        let answer = get(&app, &path, &token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let lines = answer.body.as_array().unwrap();
        let Some(last) = lines.last() else { break };
        path = format!("/v1/quarantine?before={}", last["quarantine"].as_str().unwrap());
        changes.extend(lines.iter().map(|line| line["changes"].as_u64().unwrap()));
        pages.push(lines.len());
    }
    assert_eq!(pages, [100, 100, 30]);
    assert_eq!(changes, (0..230).rev().collect::<Vec<_>>());
    get(&app, "/v1/quarantine?before=me", &token).await.is(ProblemKind::BadValue);
}
