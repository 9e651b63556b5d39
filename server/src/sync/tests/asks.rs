//! What asks may cost: they wait for their turn, one request has so many documents read, and one document is decided on
//! so often.

use sync_core::domain::record::{Fact, Value};
use sync_core::domain::signed::{HEADER_TAG, Header, Sealed, Signatory};
use sync_core::domain::signoff::{SignedStanding, State, Transition};
use sync_core::domain::vocabulary::Field;
use sync_core::envelope::Signed;
use sync_core::id::{AccountId, KeyId};
use sync_core::protocol::ask::Practicable;

use super::*;
use crate::asks::{MOST_COMPLETIONS, MOST_DECISIONS, MOST_READ};
use crate::storage::accounts::{HcpcCheck, HcpcResult};
use crate::storage::ledger::{AskRow, DocumentRow, PrescriptionRow, SignedRow};

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

fn asked(app: &App, case: CaseId, request: Request) -> Ask {
    Ask { id: AskId::mint(&mut app.chance.clone()), at: stamp(), case, request }
}

fn complete(app: &App, case: CaseId, document: DocumentId, heads: Vec<Hash>) -> Ask {
    asked(app, case, Request::CompleteAssessment { document, heads })
}

/// The row of an ask that was granted and is shown with this document.
fn granted(app: &App, ask: &Ask, phone: &Phone, document: DocumentId) -> Write {
    Write::Ask(AskRow {
        ask: ask.id,
        case: ask.case,
        account: phone.identity.sender.account,
        decides: Some(document),
        told: false,
        digest: Hash::from_bytes(app.chance.bytes()),
        bytes: minicbor::to_vec(ask).unwrap(),
        verdict: Verdict { ask: ask.id, at: app.clock.now(), answer: Answer::Granted },
        n: 0,
    })
}

/// Puts what the register says of somebody on record.
async fn looked_up(app: &App, account: AccountId, result: HcpcResult) {
    let check = HcpcCheck { at: app.clock.now(), result, by: None };
    assert!(app.storage.set_hcpc(account, "OT12345", check).await.unwrap());
}

/// A shower that Ana prescribes, with nothing in the way of submitting it, and its heads.
async fn prescribed(app: &App, phone: &mut Phone, case: CaseId) -> (DocumentId, Vec<Hash>) {
    let sender = phone.identity.sender;
    looked_up(app, sender.account, HcpcResult::Registered).await;
    let document = DocumentId::mint(&mut app.chance.clone());
    let mut push = phone.item(document, case, Kind::Prescription);
    let mut state = Document::new(Kind::Prescription).unwrap();
    let route = Fact {
        item: None,
        field: Field::named("prescription.route").unwrap(),
        value: Value::Choice("minor".to_owned()),
        supersedes: vec![],
    };
    let edits = [Edit::Add(Body::Item(Item { kind: ItemKind::LevelAccessShower })), Edit::Add(Body::Fact(route))];
    let mut keys = (1..).map(|counter| Key { device: sender.number, counter });
    push.changes = vec![state.edit(actor(&sender, document, 0), sender.account, stamp(), &mut keys, &edits).unwrap()];
    let reply = phone.sync(app, Waiting { pushes: vec![push], ..nothing(None) }).await;
    assert_eq!(reply.refused.len(), 0, "{:?}", reply.refused);
    (document, state.heads())
}

async fn prescription(app: &App, document: DocumentId) -> PrescriptionRow {
    app.storage.ledger().prescription(document).await.unwrap().unwrap()
}

/// A version of a prescription as it would be once signed.
fn signed(app: &App, row: &PrescriptionRow, number: u32, phone: &Phone) -> Write {
    let signer = Signatory {
        account: phone.identity.sender.account,
        name: "Grace Osei".to_owned(),
        role: Role::SeniorOt,
        hcpc: None,
        hcpc_checked: None,
        organisation: "Example Council".to_owned(),
    };
    let sealed = Sealed::new(vec![], &mut app.chance.clone());
    let header = Header {
        tag: HEADER_TAG.to_owned(),
        server: app.keys.server(),
        authority: "Example Council".to_owned(),
        case: row.case,
        prescription: row.document,
        number,
        heads: vec![Kind::Prescription.skeleton_hash()],
        root: sealed.root(),
        authors: vec![signer.clone()],
        signer,
        at: app.clock.now(),
        conditions: vec![],
        key: KeyId::mint(&mut app.chance.clone()),
        co_signers: None,
    };
    let basis = header.root;
    let signed = sealed.with_signature(header, Signed([0; 64]));
    let (document, case, standing) = (row.document, row.case, SignedStanding::Current);
    Write::Signed(SignedRow { document, case, number, signed, basis, standing })
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
    let granted = |_| granted(&app, &complete(&app, case, clinical, heads.clone()), &phone, clinical);
    let most: Vec<Write> = (0..MOST_COMPLETIONS).map(granted).collect();
    assert!(matches!(answer(&mut phone).await, AskRefusal::Findings { .. }));
    app.storage.ledger().commit(Plan { by: BY, writes: most }).await.unwrap();
    let refusal = answer(&mut phone).await;
    assert!(matches!(refusal, AskRefusal::Particulars { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("begin another"), "{refusal}");
}

#[tokio::test]
async fn a_prescription_submitted_again_and_again_is_judged_once_and_each_time_counts_all_the_same() {
    let bench = Bench::new(44);
    let app = bench.app().await;
    let (mut phone, case, _) = scene(&app).await;
    let (document, heads) = prescribed(&app, &mut phone, case).await;
    let submit = || asked(&app, case, Request::Submit { document, heads: heads.clone() });
    let withdraw = || asked(&app, case, Request::Withdraw { document });
    let asks: Vec<Ask> = (0..MOST_READ + 1).flat_map(|_| [submit(), withdraw()]).collect();
    let reply = phone.sync(&app, asking(&asks)).await;
    assert!(reply.verdicts.iter().all(|verdict| verdict.answer == Answer::Granted), "{:?}", reply.verdicts);
    // The first has the prescription, the home and the assessment read, and who wrote it; the others the case's rows.
    assert_eq!(answered(&reply).len(), 2 * (1 + MOST_READ - 4));
    assert_eq!(prescription(&app, document).await.state, State::Draft);
    assert_eq!(answered(&phone.sync(&app, asking(&asks)).await).len(), asks.len());
}

#[tokio::test]
async fn a_look_at_the_register_is_good_for_thirty_days_and_not_a_millisecond_longer() {
    let bench = Bench::new(49);
    let app = bench.app().await;
    let (mut phone, case, _) = scene(&app).await;
    let (document, heads) = prescribed(&app, &mut phone, case).await;
    let submit = || asked(&app, case, Request::Submit { document, heads: heads.clone() });
    bench.clock.advance(30 * DAY);
    let unchecked = AskRefusal::RegistrationUnchecked { name: Some("Olu Ade".to_owned()), days: Some(30) };
    let reply = phone.sync(&app, asking(&[submit()])).await;
    assert_eq!(reply.verdicts[0].answer, Answer::Refused(unchecked));
    assert_eq!(prescription(&app, document).await.state, State::Draft);

    looked_up(&app, phone.identity.sender.account, HcpcResult::Registered).await;
    bench.clock.advance(30 * DAY - 1);
    let reply = phone.sync(&app, asking(&[submit()])).await;
    assert_eq!(reply.verdicts[0].answer, Answer::Granted);
}

#[tokio::test]
async fn whoever_breaks_the_glass_reaches_the_case_for_a_day_and_no_longer() {
    let bench = Bench::new(50);
    let app = bench.app().await;
    let (_, case, _) = scene(&app).await;
    let bea = account(&app, "bea", Role::OtAssistant).await;
    let mut phone = Phone::of(&app, &bea).await;
    let glass = || asked(&app, case, Request::BreakGlass { reason: "He fell".to_owned() });
    let reply = phone.sync(&app, asking(&[glass()])).await;
    assert_eq!((reply.verdicts[0].answer.clone(), reply.cards.len()), (Answer::Granted, 1));
    bench.clock.advance(DAY - 1);
    assert_eq!(phone.sync(&app, nothing(None)).await.purges().0, []);
    bench.clock.advance(1);
    assert_eq!(phone.sync(&app, nothing(None)).await.purges().0, [case]);
    // Again, and before it ends once more: a day from then.
    phone.sync(&app, asking(&[glass()])).await;
    bench.clock.advance(DAY / 2);
    let again = phone.sync(&app, asking(&[glass()])).await.verdicts[0].answer.clone();
    assert!(matches!(again, Answer::Refused(AskRefusal::Particulars { .. })), "it holds for half a day more");
    bench.clock.advance(DAY / 2 - 1000);
    assert_eq!(phone.sync(&app, asking(&[glass()])).await.verdicts[0].answer, Answer::Granted);
    bench.clock.advance(DAY - 1);
    assert_eq!(phone.sync(&app, nothing(None)).await.purges().0, []);
    bench.clock.advance(1);
    assert_eq!(phone.sync(&app, nothing(None)).await.purges().0, [case]);
}

#[tokio::test]
async fn a_prescription_that_is_submitted_is_refused_again_by_its_row_and_nothing_is_read_for_it() {
    let bench = Bench::new(45);
    let app = bench.app().await;
    let (mut phone, case, _) = scene(&app).await;
    let (document, heads) = prescribed(&app, &mut phone, case).await;
    let submit = |heads| asked(&app, case, Request::Submit { document, heads });
    let first = phone.sync(&app, asking(&[submit(heads)])).await;
    assert_eq!(first.verdicts[0].answer, Answer::Granted);
    // To tell that these are not here, the prescription would be read for each.
    let asks: Vec<Ask> = (0..MOST_READ + 1).map(|_| submit(vec![Hash::from_bytes(app.chance.bytes())])).collect();
    let reply = phone.sync(&app, asking(&asks)).await;
    assert_eq!(answered(&reply).len(), asks.len());
    let refusal = AskRefusal::State { state: "submitted".to_owned(), transition: Transition::Submit };
    assert!(reply.verdicts.iter().all(|verdict| verdict.answer == Answer::Refused(refusal.clone())));
}

#[tokio::test]
async fn each_pass_over_signed_versions_and_what_was_decided_on_them_counts_as_a_document_read() {
    let bench = Bench::new(46);
    let app = bench.app().await;
    let (mut anas, case, _) = scene(&app).await;
    let (document, _) = prescribed(&app, &mut anas, case).await;
    let sue = account(&app, "sue", Role::Surveyor).await;
    cases::relate(&app, case, &sue, Relation::Assigned).await.unwrap();
    let survey = DocumentId::mint(&mut app.chance.clone());
    let heads = vec![Kind::Survey.skeleton_hash()];
    let begun = DocumentRow {
        document: survey,
        case,
        kind: Kind::Survey,
        commission: None,
        about: None,
        authors: vec![sue.id],
        version: 0,
        heads: heads.clone(),
    };
    let writes = vec![Write::Document(begun), signed(&app, &prescription(&app, document).await, 1, &anas)];
    app.storage.ledger().commit(Plan { by: BY, writes }).await.unwrap();
    let mut sues = Phone::of(&app, &sue).await;
    let decide = |number| {
        let (heads, decision, reason) = (heads.clone(), Practicable::Yes, String::new());
        asked(&app, case, Request::SurveyDecision { survey, heads, prescription: document, number, decision, reason })
    };
    // The survey is read once, and the signed versions each time. Once one is decided on, that is read as well.
    let unknown: Vec<Ask> = (0..MOST_READ).map(|_| decide(2)).collect();
    let reply = sues.sync(&app, asking(&unknown)).await;
    assert_eq!(answered(&reply).len(), MOST_READ - 1);
    assert!(reply.verdicts.iter().all(|verdict| verdict.answer == Answer::Refused(AskRefusal::Unknown)));
    let most = (0..MOST_DECISIONS).map(|_| granted(&app, &decide(1), &sues, document)).collect();
    app.storage.ledger().commit(Plan { by: BY, writes: most }).await.unwrap();
    let asks: Vec<Ask> = (0..MOST_READ).map(|_| decide(1)).collect();
    let reply = sues.sync(&app, asking(&asks)).await;
    let too_many = |verdict: &&Verdict| matches!(verdict.answer, Answer::Refused(AskRefusal::Particulars { .. }));
    assert_eq!(reply.verdicts.iter().filter(too_many).count(), MOST_READ / 2);
}

#[tokio::test]
async fn each_look_at_what_keeps_a_case_open_counts_and_the_refusal_lists_no_more_than_any_other() {
    let bench = Bench::new(47);
    let app = bench.app().await;
    let (mut phone, case, _) = scene(&app).await;
    let waiting = |_| {
        let mut chance = app.chance.clone();
        let (document, thread) = (DocumentId::mint(&mut chance), DocumentId::mint(&mut chance));
        let state = State::Submitted { heads: vec![Kind::Prescription.skeleton_hash()] };
        Write::Prescription(PrescriptionRow { document, case, thread, state, submitted: None, version: 0 })
    };
    app.storage.ledger().commit(Plan { by: BY, writes: (0..60).map(waiting).collect() }).await.unwrap();
    let close = |_| asked(&app, case, Request::CloseCase { reason: "Moved away".to_owned() });
    let asks: Vec<Ask> = (0..MOST_READ + 1).map(close).collect();
    let reply = phone.sync(&app, asking(&asks)).await;
    assert_eq!(answered(&reply).len(), MOST_READ);
    let Answer::Refused(AskRefusal::Findings { findings }) = &reply.verdicts[0].answer else {
        panic!("{:?}", reply.verdicts[0])
    };
    assert_eq!((findings.len(), findings.last().map(String::as_str)), (51, Some("and 10 more")));
}
