//! Requests that take little to send and would cost much to answer, or to keep.

use std::collections::BTreeMap;

use sync_core::domain::record::SharedText;
use sync_core::id::Heads;
use sync_core::protocol::sync::ReadLog;

use super::*;
use crate::storage::audit::{Act, Sought};

/// Changes to a document, each on top of the one before.
struct Hand {
    document: DocumentId,
    kind: Kind,
    case: CaseId,
    state: Document,
    made: u32,
}

impl Hand {
    fn at(document: DocumentId, kind: Kind, case: CaseId) -> Self {
        Self { document, kind, case, state: Document::new(kind).unwrap(), made: 0 }
    }

    fn push(&mut self, phone: &Phone, edit: Edit) -> WaitingPush {
        let sender = phone.identity.sender;
        let base = self.state.heads();
        self.made += 1;
        let mut keys = (self.made..).map(|counter| Key { device: sender.number, counter });
        let by = actor(&sender, self.document, 0);
        let made = self.state.edit(by, sender.account, stamp(), &mut keys, &[edit]).unwrap();
        let Self { document, case, kind, .. } = *self;
        WaitingPush { document, case, kind, fork: 0, base, changes: vec![made] }
    }
}

fn risk() -> Edit {
    Edit::Add(Body::Item(Item { kind: ItemKind::VisitorRisk }))
}

/// A phone with these cases, the home of each, and one document of them that is no home.
async fn scene(app: &App, references: &[&str]) -> (Phone, Vec<Hand>, (DocumentId, CaseId)) {
    let ana = account(app, "ana", Role::Ot).await;
    for reference in references {
        cases::relate(app, case(app, reference).await, &ana, Relation::Allocated).await.unwrap();
    }
    let mut phone = Phone::of(app, &ana).await;
    let cards = phone.sync(app, nothing(None)).await.cards;
    let of = |kind| {
        let listed = cards.iter().flat_map(move |card| card.documents.iter().map(move |listed| (card.case, listed)));
        listed.filter(move |(_, listed)| listed.kind == kind).map(|(case, listed)| (listed.document, case))
    };
    let homes = of(Kind::Home).map(|(document, case)| Hand::at(document, Kind::Home, case)).collect();
    let other = of(Kind::Clinical).next().unwrap();
    (phone, homes, other)
}

/// What waits for the next request is put off, never refused: it is in after that, with what was asked behind it.
#[tokio::test]
async fn so_many_pushes_to_one_document_are_judged_with_a_request_and_the_rest_with_the_next() {
    const MOST: usize = 129;
    let bench = Bench::new(51);
    let app = bench.app().await;
    let (mut phone, mut homes, (clinical, case)) = scene(&app, &["R1"]).await;
    let home = &mut homes[0];
    let pushes: Vec<WaitingPush> = (0..MOST + 6).map(|_| home.push(&phone, risk())).collect();
    let outcome = Edit::Add(Body::Item(Item { kind: ItemKind::Outcome }));
    let other = Hand::at(clinical, Kind::Clinical, case).push(&phone, outcome);
    let ask = Ask {
        id: AskId::mint(&mut app.chance.clone()),
        case,
        at: stamp(),
        request: Request::Release {
            document: home.document,
            heads: home.state.heads(),
            consent: "She agreed at the visit.".to_owned(),
        },
    };
    let waiting = |pushes| Waiting { pushes, asks: vec![ask.clone()], ..nothing(None) };
    let receipted = |reply: &SyncReply| reply.receipts.as_ref().map_or(0, |signed| signed.receipts.documents.len());
    let mut all = pushes.clone();
    all.push(other);
    let reply = phone.sync(&app, waiting(all)).await;
    assert_eq!((receipted(&reply), reply.verdicts.len()), (MOST, 0));
    assert_eq!(reply.refused.len(), 7);
    assert!(reply.refused.iter().all(|refused| refused.reason == Refusal::Later && refused.quarantine.is_none()));
    let reply = phone.sync(&app, waiting(pushes[MOST..].to_vec())).await;
    assert_eq!((receipted(&reply), reply.refused.len(), reply.verdicts.len()), (6, 0, 1));
    let row = app.storage.ledger().document(home.document).await.unwrap().unwrap();
    assert_eq!(row.heads, home.state.heads());
    // What is refused costs as much, however many forks it is of.
    let forged = home.push(&phone, risk());
    let forked: Vec<WaitingPush> = (1..).take(MOST + 6).map(|fork| WaitingPush { fork, ..forged.clone() }).collect();
    let reply = phone.sync(&app, Waiting { pushes: forked, ..nothing(None) }).await;
    let later = reply.refused.iter().filter(|refused| refused.reason == Refusal::Later).count();
    assert_eq!((reply.refused.len(), later), (MOST + 6, 6));
}

#[tokio::test]
async fn a_device_that_lacks_little_of_much_is_brought_up_to_date_a_part_of_it_at_a_time() {
    let bench = Bench::new(52);
    let app = bench.app().await;
    let (mut phone, mut homes, _) = scene(&app, &["R1", "R2", "R3", "R4", "R5", "R6"]).await;
    let (mut has, mut lacks) = (BTreeMap::new(), BTreeMap::new());
    for home in &mut homes {
        let insert: String = ('a'..='z').cycle().take(3_500).collect();
        let long = home.push(&phone, Edit::Splice { text: SharedText::Summary, at: 0, delete: 0, insert });
        let short = home.push(&phone, risk());
        has.insert(home.document, vec![long.changes[0].0]);
        lacks.insert(home.document, short.changes[0].0);
        let reply = phone.sync(&app, Waiting { pushes: vec![long, short], ..nothing(None) }).await;
        assert_eq!(reply.refused, []);
    }
    let carried = app.storage.ledger().documents_carried(phone.identity.sender.device).await.unwrap().1;
    let mut heads: BTreeMap<DocumentId, Heads> = carried.into_iter().collect();
    heads.extend(has);
    let mut replies = 0;
    while !lacks.is_empty() {
        replies += 1;
        let told = heads.iter().map(|(document, heads)| (*document, heads.clone())).collect();
        let reply = phone.sync(&app, Waiting { heads: Some(told), ..nothing(None) }).await;
        assert!(!reply.documents.is_empty() && reply.documents.len() <= 3, "{} at once", reply.documents.len());
        for news in reply.documents {
            let changes = news.changes.unpack(&Known::news(Kind::Home), PackLimits::REPLY).unwrap();
            assert_eq!(changes.iter().map(|(hash, _)| *hash).collect::<Vec<_>>(), [lacks[&news.document]]);
            heads.insert(news.document, vec![lacks.remove(&news.document).unwrap()]);
        }
        assert_eq!(reply.more, !lacks.is_empty(), "it is told whether to ask again");
    }
    assert!(replies >= 2, "all was read for one reply");
}

/// What the audit log says was opened, behind the entry of this number.
async fn opened(app: &App, after: u64) -> Vec<(Option<DocumentId>, Timestamp, Timestamp, u32)> {
    let entries = app.storage.audited(&Sought::default(), after, 1000).await.unwrap();
    let opened = entries.into_iter().filter_map(|entry| match entry.act {
        Act::Opened { first, last, times } => Some((entry.document, first, last, times)),
        _ => None,
    });
    opened.collect()
}

#[tokio::test]
async fn a_reading_is_logged_once_a_request_and_never_one_of_what_its_person_could_not_see() {
    let bench = Bench::new(53);
    let app = bench.app().await;
    let (mut phone, homes, (clinical, _)) = scene(&app, &["R1"]).await;
    let elsewhere = case(&app, "R2").await;
    let strange = app.storage.ledger().documents_of(&[elsewhere]).await.unwrap()[0].document;
    let unknown = DocumentId::mint(&mut app.chance.clone());
    let (home, now) = (&homes[0], app.clock.now());
    let read = |document, millis| ReadLog { document, at: Stamp { claimed: now.plus_millis(millis), ..stamp() } };
    let mut reads = vec![read(strange, 0), read(unknown, 0), read(clinical, 0)];
    reads.extend((0..50).map(|at| read(home.document, at % 10)));
    phone.sync(&app, Waiting { reads, ..nothing(None) }).await;
    let told = opened(&app, 0).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.contains(&(Some(home.document), now, now.plus_millis(9), 10)), "{told:?}");
    assert!(told.contains(&(Some(clinical), now, now, 1)), "{told:?}");
    // It was read when they might: that the right has ended since is no reason to keep quiet about it.
    bench.clock.advance(DAY);
    cases::end(&app, home.case, phone.identity.sender.account, Relation::Allocated).await.unwrap();
    phone.sync(&app, nothing(None)).await;
    bench.clock.advance(DAY);
    phone.sync(&app, Waiting { purged: vec![home.case], ..nothing(None) }).await;
    let before = app.storage.audit_end().await.unwrap().n;
    phone.sync(&app, Waiting { reads: vec![read(home.document, 1)], ..nothing(None) }).await;
    assert_eq!(opened(&app, before).await.len(), 1);
    let before = app.storage.audit_end().await.unwrap().n;
    phone.sync(&app, Waiting { reads: vec![read(home.document, 2 * DAY)], ..nothing(None) }).await;
    assert_eq!(opened(&app, before).await, [], "they could not see it any more");
}
