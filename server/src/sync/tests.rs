//! A round trip as the server sees it: real rows, a clock set by hand, devices that say what they are told to.

use ed25519_dalek::SigningKey;
use sync_core::access::{Relation, Role};
use sync_core::clock::{Clock as _, Stamp, SystemClock, Timestamp};
use sync_core::domain::document::Document;
use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::{Body, Item};
use sync_core::domain::vocabulary::ItemKind;
use sync_core::engine::{Identity, Waiting, WaitingPush};
use sync_core::envelope::{PublicKey, Sender, actor};
use sync_core::guard::Refusal;
use sync_core::id::{AskId, CaseId, DocumentId, Epoch, Generation, Hash, Key};
use sync_core::protocol::ask::{Answer, AskRefusal, OpenCase};
use sync_core::protocol::codec::{Limits, Unpacker};
use sync_core::protocol::sync::{Choice, Cursor, Progress, PurgeReason};
use sync_core::protocol::{Ask, Known, PackLimits, Request, SignedReply, SyncReply, Verdict};

mod again;
mod asks;
mod bombs;
mod costly;
mod ended;
mod feed;
mod moving;
mod pushes;
mod sending;
mod told;

use super::{PART, Settled, settle, settle_in_parts};
use crate::app::App;
use crate::cases;
use crate::error::ProblemKind;
use crate::storage::accounts::Account;
use crate::storage::devices::NewDevice;
use crate::storage::keys::KeyPurpose;
use crate::storage::ledger::{CaseRow, Ledger, Plan, Write};
use crate::testing::{BY, Bench, account};

const DAY: i64 = 24 * 60 * 60 * 1000;

fn stamp() -> Stamp {
    Stamp { claimed: Timestamp::from_millis(1), elapsed: 0, offset: None }
}

fn nothing(cursor: Option<Cursor>) -> Waiting {
    Waiting { cursor, ..Waiting::nothing(stamp()) }
}

/// A device in somebody's hand, as far as it speaks.
struct Phone {
    identity: Identity,
    counter: u64,
    /// What it knows of the server's news.
    cursor: Option<Cursor>,
}

impl Phone {
    async fn of(app: &App, account: &Account) -> Self {
        let key = SigningKey::from_bytes(&app.chance.bytes());
        let code = Hash::from_bytes(app.chance.bytes());
        app.storage.add_enrolment_code(code, account.id, DAY).await.unwrap();
        let generation = Generation::mint(&mut app.chance.clone());
        let public_key = key.verifying_key().to_bytes();
        let new = NewDevice { generation, public_key, name: "phone".to_owned() };
        let (device, _) = app.storage.enrol(code, new).await.unwrap().unwrap();
        let signer = app.keys.signer(KeyPurpose::Reply).await.unwrap();
        let sender = Sender {
            server: app.keys.server(),
            organisation: account.organisation,
            device: device.id,
            generation,
            account: account.id,
            key: PublicKey::from(&key),
            number: device.number,
        };
        let reply_key = PublicKey(signer.key.public);
        Self { identity: Identity { sender, key, reply_key_id: signer.key.id, reply_key }, counter: 0, cursor: None }
    }

    async fn send(&mut self, app: &App, waiting: Waiting) -> Result<SyncReply, ProblemKind> {
        self.counter += 1;
        let request = self.identity.request(waiting, self.counter);
        let mut settled = settle(app, &request).await.map_err(|problem| problem.kind())?;
        let parts = unpacked(&mut settled).await;
        Ok(parts
            .into_iter()
            .reduce(|mut whole, part| {
                whole.cards.extend(part.cards);
                whole.documents.extend(part.documents);
                SyncReply { cursor: part.cursor, more: part.more, ..whole }
            })
            .unwrap())
    }

    /// The parts of a reply, each sent from so many bytes on.
    async fn parts(&mut self, app: &App, waiting: Waiting, most: usize) -> Vec<SyncReply> {
        self.counter += 1;
        let request = self.identity.request(waiting, self.counter);
        unpacked(&mut settle_in_parts(app, &request, most).await.unwrap()).await
    }

    /// A sync whose reply arrives.
    async fn sync(&mut self, app: &App, waiting: Waiting) -> SyncReply {
        let reply = self.send(app, Waiting { cursor: self.cursor, ..waiting }).await.unwrap();
        self.cursor = reply.cursor;
        reply
    }

    /// A sync whose reply is lost.
    async fn lost(&mut self, app: &App) -> SyncReply {
        self.send(app, nothing(self.cursor)).await.unwrap()
    }

    /// An item added to a document that this phone knows nothing of yet.
    fn item(&self, document: DocumentId, case: CaseId, kind: Kind) -> WaitingPush {
        let sender = self.identity.sender;
        let mut state = Document::new(kind).unwrap();
        let base = state.heads();
        let mut keys = (1..).map(|counter| Key { device: sender.number, counter });
        let item = if kind == Kind::Prescription { ItemKind::LevelAccessShower } else { ItemKind::VisitorRisk };
        let edits = [Edit::Add(Body::Item(Item { kind: item }))];
        let made = state.edit(actor(&sender, document, 0), sender.account, stamp(), &mut keys, &edits).unwrap();
        WaitingPush { document, case, kind, fork: 0, base, changes: vec![made] }
    }
}

async fn unpacked(settled: &mut Settled) -> Vec<SyncReply> {
    let mut unpacker = Unpacker::new().unwrap();
    let mut parts = Vec::new();
    while let Some((part, last)) = settled.next_part().await.unwrap() {
        let part: SignedReply = minicbor::decode(&part).unwrap();
        assert_eq!(part.last, last);
        parts.push(unpacker.unpack(&part.body, last, Limits::REPLY).unwrap());
    }
    parts
}

/// A case that the council's system knows.
async fn case(app: &App, reference: &str) -> CaseId {
    let csv = format!("reference,name,address\n{reference},Elsie Marsh,4 Mill Lane\n");
    cases::import(app, csv.as_bytes(), false).await.unwrap().unwrap();
    cases::find(app, reference).await.unwrap().case
}

fn documents(reply: &SyncReply) -> Vec<DocumentId> {
    reply.documents.iter().map(|news| news.document).collect()
}

#[tokio::test]
async fn a_caseload_comes_case_by_case_and_one_that_was_cut_goes_on_behind_the_last_that_came() {
    let bench = Bench::new(9);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let mut cases = Vec::new();
    for number in 0..5 {
        cases.push(case(&app, &format!("R{number}")).await);
        cases::relate(&app, cases[number], &ana, Relation::Allocated).await.unwrap();
    }
    cases.sort();
    let mut phone = Phone::of(&app, &ana).await;
    let came =
        |parts: &[SyncReply]| parts.iter().flat_map(|part| &part.cards).map(|card| card.case).collect::<Vec<_>>();
    let parts = phone.parts(&app, nothing(None), 1).await;
    assert_eq!(came(&parts), cases);
    assert_eq!(parts.len(), 5);
    assert!(parts[..4].iter().all(|part| part.cursor.is_none() && !part.more));
    let after: Vec<_> = parts.iter().filter_map(|part| part.progress).map(|progress| progress.after).collect();
    assert_eq!(after, cases[..4]);
    assert!(parts[4].cursor.is_some() && parts[4].progress.is_none());
    // Cut behind the second part, while somebody wrote in a case that had come.
    let home = parts[0].cards[0].documents.iter().find(|listed| listed.kind == Kind::Home).unwrap().document;
    let mut other = Phone::of(&app, &ana).await;
    let push = other.item(home, cases[0], Kind::Home);
    other.sync(&app, Waiting { pushes: vec![push], ..nothing(None) }).await;
    let rest = phone.parts(&app, Waiting { progress: parts[1].progress, ..nothing(None) }, 1).await;
    // Those behind the cut. The card of the one in which somebody wrote shows nothing of that.
    assert_eq!(came(&rest), cases[2..]);
    phone.cursor = rest.last().unwrap().cursor;
    let news: Vec<_> =
        rest.iter().flat_map(documents).chain(documents(&phone.sync(&app, nothing(None)).await)).collect();
    assert_eq!(news, [home], "what was written meanwhile comes once");
    // A caseload that fits is one part.
    assert_eq!(Phone::of(&app, &ana).await.parts(&app, nothing(None), PART).await.len(), 1);
}

#[tokio::test]
async fn a_document_that_left_a_persons_reach_is_ordered_purged_until_they_say_that_it_is() {
    let bench = Bench::new(1);
    let app = bench.app().await;
    let ben = account(&app, "ben", Role::PrivateOt).await;
    let case = case(&app, "R1").await;
    let ends = app.clock.now().plus_millis(30 * DAY);
    cases::commission(&app, case, &ben, (None, ends), "stairs".to_owned()).await.unwrap();
    let mut phone = Phone::of(&app, &ben).await;
    let first = phone.sync(&app, nothing(None)).await;
    let assessment = first.cards[0].documents.iter().find(|news| news.kind == Kind::Clinical).unwrap().document;
    assert_eq!(first.purges().1, []);

    // Commissioned anew: the first assessment is no longer his.
    cases::commission(&app, case, &ben, (None, ends), "bathroom".to_owned()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(phone.lost(&app).await.purges().1, [assessment]);
    }
    let told = phone.sync(&app, nothing(None)).await;
    assert_eq!(told.purges(), (vec![], vec![assessment]));
    assert!(!documents(&told).contains(&assessment));
    // The cursor has passed the change of his commission: it is ordered all the same.
    assert_eq!(phone.sync(&app, nothing(None)).await.purges().1, [assessment]);
    let purged = Waiting { purged_documents: vec![assessment], ..nothing(None) };
    assert_eq!(phone.sync(&app, purged).await.purges().1, []);
    assert_eq!(phone.sync(&app, nothing(None)).await.purges().1, []);
}

#[tokio::test]
async fn a_commission_that_begins_later_brings_the_case_on_its_day_and_takes_no_running_ones_place() {
    let bench = Bench::new(2);
    let app = bench.app().await;
    let ben = account(&app, "ben", Role::PrivateOt).await;
    let case = case(&app, "R1").await;
    let day = |days| app.clock.now().plus_millis(days * DAY);
    let (tomorrow, next) = (day(1), day(2));
    cases::commission(&app, case, &ben, (Some(tomorrow), next), "stairs".to_owned()).await.unwrap();
    let mut phone = Phone::of(&app, &ben).await;
    assert_eq!(phone.sync(&app, nothing(None)).await.cards.len(), 0);
    for starts in [None, Some(next)] {
        let instead = cases::commission(&app, case, &ben, (starts, day(3)), "bathroom".to_owned()).await;
        assert!(matches!(instead, Err(cases::CaseError::Commissioned(ends)) if ends == next), "{instead:?}");
    }
    // One that was written down wrongly is ended before it begins, and makes room.
    cases::end(&app, case, ben.id, Relation::Commissioned).await.unwrap();
    cases::commission(&app, case, &ben, (Some(tomorrow), next), "stairs".to_owned()).await.unwrap();
    bench.clock.advance(DAY);
    assert_eq!(phone.sync(&app, nothing(None)).await.cards.len(), 1);
    let later = cases::commission(&app, case, &ben, (Some(next), day(3)), "bathroom".to_owned()).await;
    assert!(matches!(later, Err(cases::CaseError::Commissioned(ends)) if ends == next), "{later:?}");
    let backwards = cases::commission(&app, case, &ben, (Some(next), tomorrow), "bathroom".to_owned()).await;
    assert!(matches!(backwards, Err(cases::CaseError::Backwards { .. })), "{backwards:?}");
    assert_eq!(phone.sync(&app, nothing(None)).await.purges().0, []);
}

#[tokio::test]
async fn a_commission_that_ends_by_its_date_takes_the_case_with_it_and_one_that_comes_back_brings_all_of_it() {
    let bench = Bench::new(2);
    let app = bench.app().await;
    let (ana, ben) = (account(&app, "ana", Role::Ot).await, account(&app, "ben", Role::PrivateOt).await);
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let ends = app.clock.now().plus_millis(DAY);
    cases::commission(&app, case, &ben, (None, ends), "stairs".to_owned()).await.unwrap();
    let (mut anas, mut bens) = (Phone::of(&app, &ana).await, Phone::of(&app, &ben).await);
    let first = bens.sync(&app, nothing(None)).await;
    let home = first.cards[0].documents.iter().find(|news| news.kind == Kind::Home).unwrap().document;

    bench.clock.advance(DAY - 1);
    assert_eq!(bens.sync(&app, nothing(None)).await.purges().0, []);
    bench.clock.advance(1);
    assert_eq!(bens.sync(&app, nothing(None)).await.purges().0, [case]);
    // What is written meanwhile is not for him, and the order is repeated until he says that he followed it.
    anas.sync(&app, Waiting { pushes: vec![anas.item(home, case, Kind::Home)], ..nothing(None) }).await;
    let told = bens.sync(&app, nothing(None)).await;
    assert_eq!((told.purges().0, told.documents.len(), told.cards.len()), (vec![case], 0, 0));

    // Commissioned again before he said so: all of it comes whole, what was written meanwhile too.
    let ends = app.clock.now().plus_millis(DAY);
    cases::commission(&app, case, &ben, (None, ends), "stairs".to_owned()).await.unwrap();
    let back = bens.sync(&app, nothing(None)).await;
    assert_eq!((back.purges().0, back.cards.len()), (vec![], 1));
    let frame = back.frames.iter().find(|frame| frame.document == home).unwrap();
    let whole = frame.changes.document(Kind::Home).unwrap();
    assert_eq!((whole.changes_since(&[Kind::Home.skeleton_hash()]).len(), whole.heads()), (1, frame.heads.clone()));
    assert_eq!(documents(&bens.sync(&app, nothing(None)).await), []);
}

#[tokio::test]
async fn what_leaves_a_device_says_why() {
    let bench = Bench::new(8);
    let app = bench.app().await;
    let (ana, gus) = (account(&app, "ana", Role::Ot).await, account(&app, "gus", Role::SeniorOt).await);
    let ledger = app.storage.ledger();
    let mut cases = Vec::new();
    for reference in ["R1", "R2", "R3", "R4"] {
        let case = case(&app, reference).await;
        cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
        cases.push(case);
    }
    let (mut anas, mut old, mut gusts) =
        (Phone::of(&app, &ana).await, Phone::of(&app, &ana).await, Phone::of(&app, &gus).await);
    let choices = |carry| cases.iter().map(|case| Choice { case: *case, carry }).collect();
    assert_eq!(anas.sync(&app, nothing(None)).await.cards.len(), 4);
    old.sync(&app, nothing(None)).await;
    assert_eq!(gusts.sync(&app, Waiting { choices: choices(true), ..nothing(None) }).await.cards.len(), 4);
    let why = |reply: &SyncReply| reply.purge.iter().map(|purge| (purge.case, purge.reason)).collect::<Vec<_>>();

    cases::end(&app, cases[0], ana.id, Relation::Allocated).await.unwrap();
    assert_eq!(why(&anas.sync(&app, nothing(None)).await), [(cases[0], PurgeReason::Ended)]);
    let row = ledger.case(cases[1]).await.unwrap().unwrap();
    let closed = CaseRow { state: sync_core::protocol::card::CaseState::Closed, ..row };
    ledger.commit(Plan { by: BY, writes: vec![Write::Case(closed)] }).await.unwrap();
    let mut ordered = why(&anas.sync(&app, nothing(None)).await);
    ordered.sort_unstable();
    let mut wanted = vec![(cases[0], PurgeReason::Ended), (cases[1], PurgeReason::Closed)];
    wanted.sort_unstable();
    assert_eq!(ordered, wanted, "until it says that it followed, with the reason it had");
    assert_eq!(why(&gusts.sync(&app, nothing(None)).await), [(cases[1], PurgeReason::Closed)]);

    let unchosen = Waiting { choices: vec![Choice { case: cases[2], carry: false }], ..nothing(None) };
    assert!(why(&gusts.sync(&app, unchosen).await).contains(&(cases[2], PurgeReason::NotChosen)));
    app.storage.set_role(gus.id, Role::Ot).await.unwrap();
    assert!(why(&gusts.sync(&app, nothing(None)).await).contains(&(cases[3], PurgeReason::Role)));
    app.storage.set_role(ana.id, Role::Administrator).await.unwrap();
    let documents = anas.sync(&app, nothing(None)).await.purge;
    assert!(
        documents.iter().any(|order| order.document.is_some() && order.reason == PurgeReason::Role),
        "{documents:?}"
    );

    assert!(app.storage.revoke_device(old.identity.sender.device).await.unwrap());
    let revoked = old.sync(&app, nothing(None)).await;
    assert!(revoked.purge.len() == 4 && why(&revoked).iter().all(|(_, why)| *why == PurgeReason::Revoked));
    let hal = account(&app, "hal", Role::Ot).await;
    cases::relate(&app, cases[2], &hal, Relation::Allocated).await.unwrap();
    let mut hals = Phone::of(&app, &hal).await;
    assert_eq!(hals.sync(&app, nothing(None)).await.cards.len(), 1);
    app.storage.set_account_enabled(hal.id, false).await.unwrap();
    assert_eq!(why(&hals.sync(&app, nothing(None)).await), [(cases[2], PurgeReason::Disabled)]);
}

/// A device that had what the server no longer knows it has, and one that lost what the server thinks it has.
#[tokio::test]
async fn a_row_that_was_lost_on_either_end_is_noticed_and_mended() {
    let bench = Bench::new(9);
    let app = bench.app().await;
    let (ana, ben) = (account(&app, "ana", Role::Ot).await, account(&app, "ben", Role::Ot).await);
    let (case, _) = (case(&app, "R1").await, case(&app, "R2").await);
    for who in [&ana, &ben] {
        cases::relate(&app, case, who, Relation::Allocated).await.unwrap();
    }
    let (mut anas, mut bens) = (Phone::of(&app, &ana).await, Phone::of(&app, &ben).await);
    let first = anas.sync(&app, nothing(None)).await;
    let of = |kind| first.cards[0].documents.iter().find(|listed| listed.kind == kind).unwrap().document;
    let (home, clinical) = (of(Kind::Home), of(Kind::Clinical));
    let push = anas.item(home, case, Kind::Home);
    let head = push.changes[0].0;
    let base = vec![Kind::Clinical.skeleton_hash()];
    let has = vec![(home, vec![head]), (clinical, base.clone())];
    let complete = anas.sync(&app, Waiting { pushes: vec![push], ..nothing(None) }).await;
    let mut digest = sync_core::protocol::CarriedDigest::default();
    has.iter().for_each(|(document, heads)| digest.add(*document, heads));
    assert_eq!(complete.digest, Some(digest));

    let device = anas.identity.sender.device;
    // Its row is gone and so is the news behind it, and with a day the sum shows it.
    let sql = "DELETE FROM carries WHERE document_id = ";
    bench.execute(&format!("{sql}'{clinical}'")).await;
    bench.clock.advance(DAY);
    let noticed = anas.sync(&app, nothing(None)).await.digest;
    assert!(noticed.is_some() && noticed != Some(digest));
    let mended = anas.sync(&app, Waiting { heads: Some(has.clone()), ..nothing(None) }).await;
    assert_eq!((mended.digest, mended.purge.len()), (Some(digest), 0));
    assert_eq!(app.storage.ledger().carried_of(device, &[case]).await.unwrap().len(), 3);

    // A change that the device lost comes again; of a case that it should not have everything has to go.
    let elsewhere = cases::find(&app, "R2").await.unwrap().case;
    let stranger = app.storage.ledger().documents_of(&[elsewhere]).await.unwrap()[0].document;
    let lost = vec![(home, vec![Kind::Home.skeleton_hash()]), (clinical, base.clone()), (stranger, base)];
    let told = anas.sync(&app, Waiting { heads: Some(lost), ..nothing(None) }).await;
    assert_eq!(documents(&told), [home]);
    let again = told.documents[0].changes.unpack(&Known::news(Kind::Home), PackLimits::REPLY).unwrap();
    assert_eq!(again.iter().map(|(hash, _)| *hash).collect::<Vec<_>>(), [head]);
    let orders: Vec<_> = told.purge.iter().map(|order| (order.case, order.document)).collect();
    assert_eq!(orders, [(elsewhere, None)]);
    bens.sync(&app, nothing(None)).await;
}

#[tokio::test]
async fn a_case_one_may_not_know_of_answers_as_one_that_is_not_here() {
    let bench = Bench::new(3);
    let app = bench.app().await;
    let (ana, eve) = (account(&app, "ana", Role::Ot).await, account(&app, "eve", Role::Ot).await);
    let (known, closed) = (case(&app, "R1").await, case(&app, "R2").await);
    let ledger = app.storage.ledger();
    let home = ledger.documents_of(&[known]).await.unwrap().into_iter().find(|row| row.kind == Kind::Home).unwrap();
    let mut phone = Phone::of(&app, &eve).await;
    let nowhere = CaseId::mint(&mut app.chance.clone());
    let unknown = DocumentId::mint(&mut app.chance.clone());
    for (case, document) in [(known, home.document), (known, unknown), (nowhere, unknown), (closed, home.document)] {
        let push = phone.item(document, case, Kind::Home);
        let reply = phone
            .sync(&app, Waiting { pushes: vec![push], choices: vec![Choice { case, carry: true }], ..nothing(None) })
            .await;
        let refused: Vec<_> = reply.refused.iter().map(|refused| (&refused.reason, refused.quarantine)).collect();
        assert_eq!(refused, [(&Refusal::NotAllowed, None)]);
        assert_eq!((reply.cards.len(), reply.documents.len()), (0, 0));
    }
    assert_eq!(ledger.quarantine(None).await.unwrap().len(), 0);
    // Whoever had to do with it leaves work behind that is kept.
    cases::relate(&app, known, &ana, Relation::Allocated).await.unwrap();
    cases::end(&app, known, ana.id, Relation::Allocated).await.unwrap();
    let mut late = Phone::of(&app, &ana).await;
    let push = late.item(home.document, known, Kind::Home);
    let reply = late.sync(&app, Waiting { pushes: vec![push], ..nothing(None) }).await;
    assert!(reply.refused[0].quarantine.is_some());
    assert_eq!(ledger.quarantine(Some(known)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_device_that_is_stopped_and_then_revoked_still_hears_what_to_purge() {
    let bench = Bench::new(4);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    for _ in 0..3 {
        phone.sync(&app, nothing(None)).await;
    }
    phone.counter = 0;
    assert_eq!(phone.send(&app, nothing(None)).await.unwrap_err(), ProblemKind::DeviceStopped);
    phone.counter = 3;
    assert_eq!(phone.send(&app, nothing(None)).await.unwrap_err(), ProblemKind::DeviceStopped);
    assert!(app.storage.revoke_device(phone.identity.sender.device).await.unwrap());
    let revoked = phone.sync(&app, nothing(None)).await;
    assert_eq!((revoked.purges().0, revoked.everything), (vec![case], Some(PurgeReason::Revoked)));
}

#[tokio::test]
async fn another_copy_of_a_revoked_device_is_told_to_keep_nothing_after_the_first_said_that_all_is_gone() {
    let bench = Bench::new(31);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let case = case(&app, "R1").await;
    cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
    let mut phone = Phone::of(&app, &ana).await;
    assert_eq!(phone.sync(&app, nothing(None)).await.everything, None);
    assert!(app.storage.revoke_device(phone.identity.sender.device).await.unwrap());
    phone.sync(&app, nothing(None)).await;
    let purged = phone.sync(&app, Waiting { purged: vec![case], ..nothing(None) }).await;
    assert!(purged.purge.is_empty());
    // The copy speaks with a counter that was used before, and names nothing.
    phone.counter = 1;
    let copy = phone.sync(&app, nothing(None)).await;
    assert_eq!((copy.purge, copy.everything), (vec![], Some(PurgeReason::Revoked)));
}

#[tokio::test]
async fn a_visit_that_a_revoked_device_began_is_kept_and_leaves_the_device() {
    let bench = Bench::new(5);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let mut phone = Phone::of(&app, &ana).await;
    assert!(app.storage.revoke_device(phone.identity.sender.device).await.unwrap());
    let mut chance = app.chance.clone();
    let (case, home, clinical) =
        (CaseId::mint(&mut chance), DocumentId::mint(&mut chance), DocumentId::mint(&mut chance));
    let opening =
        OpenCase { name: "Elsie Marsh".to_owned(), address: "4 Mill Lane".to_owned(), born: None, home, clinical };
    let ask = Ask { id: AskId::mint(&mut chance), case, at: stamp(), request: Request::OpenCase(opening) };
    let push = phone.item(home, case, Kind::Home);
    let (id, asked) = (ask.id, minicbor::to_vec(&ask).unwrap());
    let reply = phone.sync(&app, Waiting { pushes: vec![push], asks: vec![ask], ..nothing(None) }).await;
    assert_eq!(reply.purges().0, [case]);
    assert!(reply.refused[0].quarantine.is_some());
    let ledger = app.storage.ledger();
    assert_eq!(ledger.quarantine(Some(case)).await.unwrap().len(), 1);
    // Whose home it is, nothing else says.
    let kept = ledger.ask(id).await.unwrap().unwrap();
    assert_eq!((kept.bytes, kept.verdict.answer), (asked, Answer::Refused(AskRefusal::NotAllowed)));
    assert!(ledger.case(case).await.unwrap().is_none(), "nothing was decided");
}

#[tokio::test]
async fn an_import_beside_a_release_or_an_ended_allocation_writes_back_neither() {
    let bench = Bench::new(6);
    let app = bench.app().await;
    account(&app, "ana", Role::Ot).await;
    let csv = |address: &str| format!("reference,name,address,allocated_to\nR1,Elsie Marsh,{address},ana\n");
    let first = cases::import(&app, csv("4 Mill Lane").as_bytes(), false).await.unwrap().unwrap();
    assert_eq!(first.opened, ["R1"]);
    let ana = cases::someone(&app, "ana").await.unwrap().id;
    let case = cases::find(&app, "R1").await.unwrap().case;
    cases::end(&app, case, ana, Relation::Allocated).await.unwrap();
    let again = cases::import(&app, csv("5 Mill Lane").as_bytes(), true).await.unwrap().unwrap();
    assert_eq!((again.changed, again.left_ended), (vec!["R1".to_owned()], vec!["R1".to_owned()]));
    assert_eq!(cases::find(&app, "R1").await.unwrap().address, "4 Mill Lane");
    cases::import(&app, csv("5 Mill Lane").as_bytes(), false).await.unwrap().unwrap();
    let found = cases::find(&app, "R1").await.unwrap();
    assert_eq!(found.address, "5 Mill Lane");
    let now = app.clock.now();
    let relations = app.storage.ledger().relations_to(&[case]).await.unwrap();
    assert!(relations.iter().all(|relation| !relation.holds(now)), "{relations:?}");
    let bad = format!("{}R2,,6 Mill Lane,\n", csv("7 Mill Lane"));
    assert_eq!(cases::import(&app, bad.as_bytes(), false).await.unwrap().unwrap_err().len(), 1);
    assert_eq!(cases::find(&app, "R1").await.unwrap(), found);
}

/// Invariant 5: what changes while a card is drawn is not passed by the cursor that comes with the card.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_is_drawn_beside_a_change_of_its_case_is_old_for_one_sync_at_most() {
    let bench = Bench::new(6);
    let app = bench.app().await;
    let ana = account(&app, "ana", Role::Ot).await;
    let mut phone = Phone::of(&app, &ana).await;
    let (mut beside, mut took) = (0, std::time::Duration::from_millis(5));
    for round in 0..60_u32 {
        let case = case(&app, &format!("R{round}")).await;
        cases::relate(&app, case, &ana, Relation::Allocated).await.unwrap();
        let row = app.storage.ledger().case(case).await.unwrap().unwrap();
        let renamed = CaseRow { name: "Moved Meanwhile".to_owned(), ..row };
        let ledger = app.storage.ledger();
        let moving = tokio::spawn(async move {
            // Somewhere in the middle of the sync, each round elsewhere.
            tokio::time::sleep(took * (round % 12) / 10).await;
            let writes = vec![Write::Case(renamed)];
            ledger.commit(Plan { by: BY, writes }).await.unwrap();
        });
        let began = SystemClock::new();
        let first = phone.sync(&app, nothing(None)).await;
        took = std::time::Duration::from_millis(began.elapsed().max(1));
        moving.await.unwrap();
        let second = phone.sync(&app, nothing(None)).await;
        let named =
            |reply: &SyncReply| reply.cards.iter().rev().find(|card| card.case == case).map(|c| c.client.name.clone());
        let (first, second) = (named(&first).unwrap(), named(&second));
        beside += usize::from(first != "Moved Meanwhile");
        assert_eq!(second.unwrap_or(first), "Moved Meanwhile", "round {round}");
    }
    assert!(beside > 0, "no card was drawn before the case moved");
}
