//! What asks may cost: they wait for their turn, one request has so many documents read, and one document is decided on
//! so often.

use sync_core::protocol::ask::{Answer, AskRefusal};

use super::*;
use crate::asks::{MOST_COMPLETIONS, MOST_READ};
use crate::storage::ledger::AskRow;

/// Ana's phone with a case, the case and its assessment.
async fn scene(app: &App) -> (Phone, CaseId, DocumentId) {
    let ana = account(app, "ana", Role::Ot).await;
    let case = case(app, "R1").await;
    cases::relate(app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(app, &ana).await;
    let reply = phone.sync(app, nothing(None)).await;
    let clinical = reply.cards[0].documents.iter().find(|listed| listed.kind == Kind::Clinical).unwrap().document;
    (phone, case, clinical)
}

fn complete(app: &App, case: CaseId, document: DocumentId, heads: Vec<Hash>) -> Ask {
    let request = Request::CompleteAssessment { document, heads };
    Ask { id: AskId::mint(&mut app.chance.clone()), at: stamp(), case, request }
}

fn asking(asks: &[Ask]) -> Waiting {
    Waiting { asks: asks.to_vec(), ..nothing(None) }
}

fn answered(reply: &SyncReply) -> Vec<AskId> {
    reply.verdicts.iter().map(|verdict| verdict.ask).collect()
}

#[tokio::test]
async fn asks_that_would_have_more_read_than_others_can_wait_for_are_answered_with_the_next_requests() {
    let bench = Bench::new(41);
    let app = bench.app().await;
    let (mut phone, case, clinical) = scene(&app).await;
    let any = || vec![Hash::from_bytes(app.chance.bytes())];
    let asks: Vec<Ask> = (0..2 * MOST_READ + 1).map(|_| complete(&app, case, clinical, any())).collect();
    let ids: Vec<AskId> = asks.iter().map(|ask| ask.id).collect();
    let reply = phone.sync(&app, asking(&asks)).await;
    assert_eq!(answered(&reply), ids[..MOST_READ]);
    assert!(reply.verdicts.iter().all(|verdict| verdict.answer == Answer::Refused(AskRefusal::HeadsUnknown)));
    // What is decided costs nothing more: those behind it have their turn, however often all of them come.
    assert_eq!(answered(&phone.sync(&app, asking(&asks)).await), ids[..2 * MOST_READ]);
    assert_eq!(answered(&phone.sync(&app, asking(&asks)).await), ids);
    // One version says the same each time, and is read once.
    let heads = app.storage.ledger().document(clinical).await.unwrap().unwrap().heads;
    let asks: Vec<Ask> = (0..2 * MOST_READ).map(|_| complete(&app, case, clinical, heads.clone())).collect();
    assert_eq!(answered(&phone.sync(&app, asking(&asks)).await).len(), asks.len());
}

#[tokio::test]
async fn an_ask_that_has_documents_read_waits_for_its_turn_among_all_who_read() {
    let bench = Bench::new(42);
    let app = bench.app().await;
    let (mut phone, case, clinical) = scene(&app).await;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut turns = Vec::new();
    for _ in 0..processors {
        turns.push(app.documents.turn_to_read().await.unwrap());
    }
    let asks = [complete(&app, case, clinical, vec![Hash::from_bytes(app.chance.bytes())])];
    let waits = std::time::Duration::from_millis(300);
    let early = tokio::time::timeout(waits, phone.sync(&app, asking(&asks))).await;
    assert!(early.is_err(), "it read beside all who have a turn: {early:?}");
    drop(turns);
    assert_eq!(answered(&phone.sync(&app, asking(&asks)).await), [asks[0].id]);
    let row = app.storage.ledger().document(clinical).await.unwrap().unwrap();
    assert!(app.documents.keeps(&row), "the next one need not load it");
}

#[tokio::test]
async fn an_assessment_is_completed_so_often_and_the_refusal_says_what_to_do() {
    let bench = Bench::new(43);
    let app = bench.app().await;
    let (mut phone, case, clinical) = scene(&app).await;
    let heads = app.storage.ledger().document(clinical).await.unwrap().unwrap().heads;
    let answer = async |phone: &mut Phone| {
        let reply = phone.sync(&app, asking(&[complete(&app, case, clinical, heads.clone())])).await;
        match reply.verdicts[0].answer.clone() {
            Answer::Refused(refusal) => refusal,
            Answer::Granted => panic!("nothing is in it"),
        }
    };
    let granted = |_| {
        let ask = complete(&app, case, clinical, heads.clone());
        let verdict = Verdict { ask: ask.id, at: app.clock.now(), answer: Answer::Granted };
        Write::Ask(AskRow {
            ask: ask.id,
            case,
            account: phone.identity.sender.account,
            decides: Some(clinical),
            digest: Hash::from_bytes(app.chance.bytes()),
            bytes: minicbor::to_vec(&ask).unwrap(),
            verdict,
            n: 0,
        })
    };
    let most: Vec<Write> = (0..MOST_COMPLETIONS).map(granted).collect();
    assert!(matches!(answer(&mut phone).await, AskRefusal::Findings { .. }));
    app.storage.ledger().commit(Plan { writes: most }).await.unwrap();
    let refusal = answer(&mut phone).await;
    assert!(matches!(refusal, AskRefusal::Particulars { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("begin another"), "{refusal}");
}
