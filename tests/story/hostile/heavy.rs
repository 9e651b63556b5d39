//! As much work as one device may make, beside people at theirs: nobody waits for it.

use sync_core::domain::record::SharedText;

use super::*;

/// How many heavy pushes come.
const HEAVY: usize = 4;
/// The most milliseconds that anybody's exchange may take beside them.
const MOST: u64 = 5_000;

impl Forger {
    /// A new home whose summary is about as long as one may be.
    fn heavy(&self, case: CaseId) -> Push {
        const PIECE: usize = 19_600;
        let (document, sender) = (DocumentId::mint(&mut SystemChance), self.sender());
        let mut state = Document::new(Kind::Home).unwrap();
        let mut write = |at: usize| {
            let insert: String = ('a'..='z').cycle().skip(at % 7).take(PIECE).collect();
            let edits = [Edit::Splice { text: SharedText::Summary, at: u32::try_from(at).unwrap(), delete: 0, insert }];
            let by = actor(&sender, document, 0);
            state.edit(by, sender.account, stamp(), &mut std::iter::empty(), &edits).unwrap().1
        };
        let changes: Vec<Vec<u8>> = (0..5).map(|piece| write(piece * PIECE)).collect();
        self.push_of(case, document, &changes)
    }
}

/// Posts a request that has to go through: how many milliseconds it took.
async fn takes(world: &World, body: Vec<u8>, receipts: usize) -> u64 {
    let clock = SystemClock::new();
    let (status, answer) = post(world, PATH, body).await;
    let took = clock.elapsed();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let reply: SignedReply = minicbor::decode(&answer).unwrap();
    let reply: SyncReply = unpack(&reply.body, Limits::REPLY).unwrap();
    assert!(reply.refused.is_empty(), "{:?}", reply.refused);
    assert_eq!(reply.receipts.map_or(0, |signed| signed.receipts.documents.len()), receipts);
    took
}

/// Over a bound is a refusal, and all that is within it hinders nobody.
#[tokio::test]
async fn the_most_work_that_one_device_may_make_keeps_nobody_else_waiting() {
    let world = World::start().await;
    for (who, reference) in [("olu", "R-1"), ("eve", "R-2")] {
        world.account(who, Role::Ot);
        world.case(reference, who);
    }
    let (mut olu, mut eve) = (Forger::enrol(&world, "olu").await, Forger::enrol(&world, "eve").await);
    let ((case, _), (eves, _)) = (home_of(&world, &mut olu).await, home_of(&world, &mut eve).await);
    let mut heavy = Vec::new();
    for _ in 0..=HEAVY {
        let request = SyncRequest { pushes: vec![eve.heavy(eves)], ..SyncRequest::new(stamp()) };
        heavy.push(eve.signed(&request));
    }
    let alone = takes(&world, heavy.remove(0), 1).await;
    // One behind the other, each on two connections at once: the second waits for its turn, and finds it done.
    let done = std::cell::Cell::new(0);
    let works = async {
        for request in &heavy {
            tokio::join!(takes(&world, request.clone(), 1), takes(&world, request.clone(), 1));
            done.set(done.get() + 1);
        }
    };
    let beside = async {
        let (mut nothing, mut small) = (Vec::new(), Vec::new());
        while done.get() < HEAVY {
            let body = olu.signed(&SyncRequest::new(stamp()));
            nothing.push(takes(&world, body, 0).await);
            let push = olu.push(case, DocumentId::mint(&mut SystemChance), Kind::Home, &rail());
            let body = olu.signed(&SyncRequest { pushes: vec![push], ..SyncRequest::new(stamp()) });
            small.push(takes(&world, body, 1).await);
        }
        (nothing, small)
    };
    let (_, (nothing, small)) = tokio::join!(works, beside);
    let mut sorted = small.clone();
    sorted.sort_unstable();
    let (middle, slowest) = (sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
    count(&format!(
        "{HEAVY} pushes of {alone} ms, each twice at once, {} of others beside them, {middle} ms in the middle, {slowest} ms at most",
        small.len()
    ));
    assert!(small.len() >= HEAVY, "nobody worked beside them");
    // The middle one: on a busy machine a single one may wait for much else.
    assert!(middle < alone + 100, "{middle} ms beside pushes of {alone} ms: they waited behind them");
    for took in nothing.into_iter().chain(small) {
        assert!(took < MOST, "{took} ms beside pushes of {alone} ms");
    }
}
