//! Requests that take little to send and would cost much to answer, or to keep.

use super::*;

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
