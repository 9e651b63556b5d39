//! Whatever happens in whatever order, a device that asks from where it stands has what one would have that asks for all
//! of it: held over both ledgers, with replies that are lost, pages, clocks and people who change.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sync_core::clock::{Chance as _, Seeded};
use sync_core::guard::Bounds;
use sync_core::id::{AccountId, CommissionId, DeviceId, Epoch, Heads, OrganisationId, ServerId};
use sync_core::protocol::card::{CaseCard, CaseState};
use sync_core::protocol::sync::{Progress, PurgeReason};
use sync_core::protocol::{CarriedDigest, SyncRequest};

use std::pin::Pin;
use std::task::Poll;

use super::*;
use crate::asks::Asking;
use crate::cards::{self, CaseRows};
use crate::chance::SharedChance;
use crate::documents::Documents;
use crate::reach::{Directory, Person, Reach};
use crate::storage::devices::Device;
use crate::storage::ledger::memory::MemoryLedger;
use crate::storage::ledger::{DocumentRow, Number, RelationRow};
use crate::sync::incoming::Took;
use crate::sync::outgoing::WholeCases;
use crate::sync::{Desk, Speaker};

/// What a device has of the server's, as it applies replies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Held {
    cards: BTreeMap<CaseId, CaseCard>,
    documents: BTreeMap<DocumentId, (CaseId, BTreeSet<Hash>)>,
}

struct Actor {
    person: Person,
    device: Device,
    changed: Number,
    cursor: Option<Cursor>,
    progress: Option<Progress>,
    choices: BTreeMap<CaseId, bool>,
    held: Held,
    /// Orders it has followed and not said so.
    purged: Vec<(CaseId, Option<DocumentId>)>,
    /// It has less than it was sent, and knows it by the digest.
    forgot: bool,
}

/// A plan that is still being written, with the document that it appends to.
type Writing = (Option<DocumentId>, Pin<Box<dyn Future<Output = Number>>>);

struct Scene<L> {
    ledger: L,
    /// Whether plans may be overtaken, and those that are.
    late: bool,
    writing: Vec<Writing>,
    /// How many pages ended before the news did, and how many of them while others were writing.
    pages: (usize, usize),
    /// How many replies to a device that told its heads ended before all it lacked had come.
    pieces: usize,
    chance: Seeded,
    now: Timestamp,
    epoch: Epoch,
    actors: Vec<Actor>,
    cases: Vec<CaseId>,
    documents: BTreeMap<DocumentId, (CaseId, Document)>,
    commissions: Vec<CommissionId>,
}

impl<L: Ledger + Clone + 'static> Scene<L> {
    fn new(ledger: L, seed: u64, late: bool) -> Self {
        let mut chance = Seeded::new(seed);
        let council = OrganisationId::mint(&mut chance);
        let mut actor = |role: Role, of_council: bool, number: u32| {
            let account = AccountId::mint(&mut chance);
            let person = Person {
                account,
                name: role.name().to_owned(),
                role,
                organisation: council,
                organisation_name: String::new(),
                of_council,
                enabled: true,
                hcpc: None,
                hcpc_check: None,
            };
            let device = Device {
                id: DeviceId::mint(&mut chance),
                number,
                account,
                generation: Generation::mint(&mut chance),
                public_key: [0; 32],
                name: String::new(),
                enrolled_at: Timestamp::from_millis(0),
                revoked_at: None,
                stopped_at: None,
                taken: [None; 2],
            };
            let (cursor, progress, choices, held, purged) = Default::default();
            Actor { person, device, changed: 0, cursor, progress, choices, held, purged, forgot: false }
        };
        let actors = vec![
            actor(Role::Ot, true, 1),
            actor(Role::SeniorOt, true, 2),
            actor(Role::PrivateOt, false, 3),
            actor(Role::Surveyor, true, 4),
        ];
        let epoch = Epoch::mint(&mut chance);
        let now = Timestamp::from_millis(1_800_000_000_000);
        let (cases, documents, commissions) = Default::default();
        let (writing, pages, pieces) = Default::default();
        Self { ledger, late, writing, pages, pieces, chance, now, epoch, actors, cases, documents, commissions }
    }

    fn below(&mut self, bound: usize) -> usize {
        let mut bytes = [0; 4];
        self.chance.fill(&mut bytes);
        u32::from_be_bytes(bytes) as usize % bound
    }

    async fn put(&self, writes: Vec<Write>) -> Number {
        self.ledger.commit(Plan { by: BY, writes }).await.unwrap()
    }

    /// Begins to write, and may go on with it behind what others write meanwhile.
    async fn begin(&mut self, appends: Option<DocumentId>, writes: Vec<Write>) {
        if !self.late {
            self.put(writes).await;
            return;
        }
        let ledger = self.ledger.clone();
        let mut writing = Box::pin(async move { ledger.commit(Plan { by: BY, writes }).await.unwrap() });
        let begun = std::future::poll_fn(|context| Poll::Ready(writing.as_mut().poll(context))).await;
        if begun.is_pending() {
            self.writing.push((appends, writing));
        }
    }

    /// Those that are still writing come to their ends, in any order, until so many are left.
    async fn end(&mut self, left: usize) {
        while self.writing.len() > left {
            let at = if self.below(2) == 0 { 0 } else { self.below(self.writing.len()) };
            self.writing.remove(at).1.await;
        }
    }

    fn planned(&mut self, case: CaseId, kind: Kind, commission: Option<CommissionId>) -> Write {
        let document = DocumentId::mint(&mut self.chance);
        self.documents.insert(document, (case, Document::new(kind).unwrap()));
        let heads = vec![kind.skeleton_hash()];
        Write::Document(DocumentRow {
            document,
            case,
            kind,
            commission,
            about: None,
            authors: vec![],
            version: 0,
            heads,
        })
    }

    async fn open(&mut self) {
        let case = CaseId::mint(&mut self.chance);
        self.cases.push(case);
        let row = CaseRow {
            case,
            reference: None,
            organisation: OrganisationId::mint(&mut self.chance),
            state: CaseState::Open,
            name: "Elsie Marsh".to_owned(),
            address: "4 Mill Lane".to_owned(),
            contact: None,
            visitor_risk: None,
            uprn: None,
            born: None,
            nhs_number: None,
            opened_by: None,
            created: self.now,
            released: None,
            version: 0,
        };
        let writes =
            vec![Write::Case(row), self.planned(case, Kind::Home, None), self.planned(case, Kind::Clinical, None)];
        self.put(writes).await;
    }

    /// Somebody writes in a document: one of the actors, by their device, or somebody else.
    async fn edit(&mut self) {
        if self.documents.is_empty() {
            return;
        }
        let free = |document: &DocumentId| !self.writing.iter().any(|(appends, _)| *appends == Some(*document));
        let homes = self.documents.iter().filter(|(_, (_, state))| state.kind() == Kind::Home).map(|(id, _)| *id);
        let homes: Vec<DocumentId> = homes.filter(free).collect();
        if homes.is_empty() {
            return;
        }
        let document = homes[self.below(homes.len())];
        let who = self.below(self.actors.len() + 1);
        let (case, state) = self.documents[&document].clone();
        let row = self.ledger.document(document).await.unwrap().unwrap();
        let (device, account) = match self.actors.get(who) {
            Some(actor) => (actor.device.id, actor.person.account),
            None => (DeviceId::from_bytes([9; 16]), AccountId::from_bytes([9; 16])),
        };
        let mut next = state;
        let counter = u32::try_from(row.version).unwrap() + 1;
        let mut keys = (counter * 100..).map(|counter| Key { device: 77, counter });
        let edits = [Edit::Add(Body::Item(Item { kind: ItemKind::VisitorRisk }))];
        let mut by = [0; 16];
        self.chance.fill(&mut by);
        let (hash, bytes) = next.edit(by, account, stamp(), &mut keys, &edits).unwrap();
        let append = Write::Append {
            document,
            case,
            version: row.version,
            device,
            account,
            envelope: (vec![], vec![]),
            changes: vec![(hash, bytes)],
            heads: next.heads(),
            snapshot: next.save(),
            at: self.now,
        };
        let touch = self.below(2) == 0;
        let writes = [append].into_iter().chain(touch.then_some(Write::Touch(case))).collect();
        self.begin(Some(document), writes).await;
        self.documents.insert(document, (case, next));
        // Who wrote it has it.
        if let Some((_, has)) = self.actors.get_mut(who).and_then(|actor| actor.held.documents.get_mut(&document)) {
            has.insert(hash);
        }
    }

    async fn tie(&mut self) {
        let (who, at) = (self.below(self.actors.len()), self.below(self.cases.len()));
        let (case, account, role) = (self.cases[at], self.actors[who].person.account, self.actors[who].person.role);
        let starts = self.now.plus_millis([-5, 0, 0, 3_000][self.below(4)]);
        let ends = [None, Some(self.now.plus_millis(5_000)), Some(self.now)][self.below(3)];
        let mut row = RelationRow { account, case, relation: Relation::Allocated, commission: None, starts, ends };
        let mut writes = Vec::new();
        match role {
            Role::PrivateOt => {
                let commission = CommissionId::mint(&mut self.chance);
                self.commissions.push(commission);
                (row.relation, row.commission) = (Relation::Commissioned, Some(commission));
                writes.push(self.planned(case, Kind::Clinical, Some(commission)));
            }
            Role::Surveyor => {
                row.relation = Relation::Assigned;
                writes.push(self.planned(case, Kind::Survey, None));
            }
            _ if self.below(2) == 0 => row.relation = Relation::Team,
            _ => {}
        }
        writes.push(Write::Relation(row));
        self.begin(None, writes).await;
    }

    async fn step(&mut self) {
        if self.cases.is_empty() {
            return self.open().await;
        }
        if self.below(2) == 0 {
            let left = self.below(3);
            self.end(left).await;
        }
        match self.below(24) {
            0 => self.open().await,
            1..=8 => {
                for _ in 0..=self.below(4) {
                    self.edit().await;
                }
            }
            9..=12 => self.tie().await,
            13 => {
                let moved = [1, 2_999, 3_000, 5_000, -4_000, 90_000_000][self.below(6)];
                self.now = self.now.plus_millis(moved);
            }
            14 => {
                let at = self.below(self.cases.len());
                let row = self.ledger.case(self.cases[at]).await.unwrap().unwrap();
                let name = format!("Elsie {}", self.below(3));
                self.put(vec![Write::Case(CaseRow { name, ..row })]).await;
            }
            15 if self.below(3) == 0 => {
                let at = self.below(self.cases.len());
                let row = self.ledger.case(self.cases[at]).await.unwrap().unwrap();
                self.put(vec![Write::Case(CaseRow { state: CaseState::Closed, ..row })]).await;
            }
            16 => {
                // The first two change places, and back.
                let roles = [Role::Ot, Role::SeniorOt, Role::OtAssistant];
                let (who, role) = (self.below(2), roles[self.below(3)]);
                let n = self.put(vec![Write::Touch(CaseId::from_bytes([1; 16]))]).await;
                self.actors[who].person.role = role;
                self.actors[who].changed = n;
            }
            17 => {
                let (who, at) = (self.below(self.actors.len()), self.below(self.cases.len()));
                let (case, carry) = (self.cases[at], self.below(3) > 0);
                self.actors[who].choices.insert(case, carry);
            }
            18 => {
                // Its store was damaged: of some documents it has nothing, and its digest differs.
                let who = self.below(self.actors.len());
                let documents: Vec<DocumentId> = self.actors[who].held.documents.keys().copied().collect();
                for document in documents {
                    if self.below(2) == 0 {
                        self.actors[who].held.documents.entry(document).and_modify(|(_, has)| has.clear());
                        self.actors[who].forgot = true;
                    }
                }
            }
            _ => {
                let who = self.below(self.actors.len());
                let arrives = self.below(3) > 0;
                self.sync(who, arrives).await;
            }
        }
    }

    /// One request of an actor's device, and whether there is more. Where the reply is lost nothing is applied, where a
    /// stream is cut a part of it.
    async fn sync(&mut self, who: usize, arrives: bool) -> bool {
        let purged = std::mem::take(&mut self.actors[who].purged);
        let took = Took { purged: purged.iter().map(|(case, _)| *case).collect(), ..Took::default() };
        for (case, document) in purged {
            let device = self.actors[who].device.id;
            self.put(vec![Write::Uncarry { device, case, document }]).await;
        }
        let cut = self.below(3) == 0;
        let heads = match self.actors[who].forgot {
            true => Some(self.heads_of(who).await),
            false => None,
        };
        let (outgoing, whole, parts) = {
            let directory = Directory::of(self.actors.iter().map(|actor| actor.person.clone()));
            let actor = &self.actors[who];
            let server = ServerId::from_bytes([2; 16]);
            let sender = Sender {
                server,
                organisation: actor.person.organisation,
                device: actor.device.id,
                generation: actor.device.generation,
                account: actor.person.account,
                key: PublicKey(actor.device.public_key),
                number: actor.device.number,
            };
            let (ledger, now, authority) = (&self.ledger, self.now, "Example Council");
            let chance = SharedChance::new(Seeded::new(1));
            let delegation = crate::config::delegation::built_in().unwrap();
            let person = &actor.person;
            let asking = Asking {
                ledger,
                directory: &directory,
                person,
                now,
                server,
                authority,
                chance,
                signer: None,
                hcpc_days: 30,
                break_glass_hours: 24,
                delegation: &delegation,
                device: None,
            };
            let speaker = Speaker { person, device: &actor.device, revoked: false, changed: actor.changed, sender };
            let desk =
                Desk { asking, speaker, epoch: self.epoch, bounds: Bounds::default(), documents: Documents::default() };
            let choices = actor.choices.iter().map(|(case, carry)| Choice { case: *case, carry: *carry }).collect();
            let (cursor, progress) = (actor.cursor, actor.progress);
            let request = SyncRequest { cursor, progress, choices, heads, ..SyncRequest::new(stamp()) };
            let (outgoing, whole) = desk.gather(&request, &took).await.unwrap();
            let chosen = desk.chosen().await.unwrap();
            let mut parts = Vec::new();
            let (mut left, mut read) = (VecDeque::from(whole.clone()), WholeCases::default());
            while let Some(case) = left.front().copied() {
                if !read.has(case) {
                    read = desk.next_whole(&left, 3).await.unwrap();
                }
                left.pop_front();
                parts.push(desk.whole_case(case, &mut read, &chosen).await.unwrap());
            }
            (outgoing, whole, parts)
        };
        if !arrives {
            return true;
        }
        let (until, more, digest, now) = (outgoing.until, outgoing.more, outgoing.digest, self.now);
        let compares = self.actors[who].forgot;
        self.pages.0 += usize::from(more && !compares);
        self.pieces += usize::from(more && compares);
        self.pages.1 += usize::from(more && !self.writing.is_empty());
        let came = if cut { parts.len() / 2 } else { parts.len() };
        let epoch = self.epoch;
        let actor = &mut self.actors[who];
        actor.apply(outgoing);
        for part in parts.into_iter().take(came) {
            actor.apply(part);
        }
        if came < whole.len() {
            if let Some(after) = came.checked_sub(1) {
                actor.progress = Some(Progress { n: until, after: whole[after], epoch: Some(epoch) });
            }
            return true;
        }
        (actor.cursor, actor.progress) = (Some(Cursor { epoch, n: until, at: now }), None);
        actor.forgot &= more;
        if let Some(digest) = digest {
            assert_eq!(digest, self.digest_of(who).await, "the digest of what it has");
        }
        more
    }

    /// The heads of the documents of which it has all.
    async fn heads_of(&self, who: usize) -> Vec<(DocumentId, Heads)> {
        let mut heads = Vec::new();
        for (document, (_, has)) in &self.actors[who].held.documents {
            let changes = self.ledger.changes(*document, 0).await.unwrap();
            if changes.iter().all(|change| has.contains(&change.hash)) {
                heads.push((*document, self.ledger.document(*document).await.unwrap().unwrap().heads));
            }
        }
        heads
    }

    async fn digest_of(&self, who: usize) -> CarriedDigest {
        let mut digest = CarriedDigest::default();
        for document in self.actors[who].held.documents.keys() {
            let heads: Heads = self.ledger.document(*document).await.unwrap().unwrap().heads;
            digest.add(*document, &heads);
        }
        digest
    }

    /// What the device should have, from all the rows there are.
    async fn wanted(&self, who: usize) -> Held {
        let (actor, mut wanted) = (&self.actors[who], Held::default());
        let directory = Directory::of(self.actors.iter().map(|actor| actor.person.clone()));
        for case in &self.cases {
            let rows = CaseRows::read(&self.ledger, *case).await.unwrap().unwrap();
            let reach = Reach::of(&actor.person, rows.relations.clone(), self.now);
            let chosen = actor.choices.get(case) == Some(&true) && reach.may_know();
            if rows.case.state == CaseState::Closed || !(reach.carries() || chosen) {
                continue;
            }
            let card = cards::card((&self.ledger, &Documents::default()), &directory, &rows, &actor.person, self.now)
                .await
                .unwrap()
                .unwrap();
            for listed in &card.documents {
                let changes = self.ledger.changes(listed.document, 0).await.unwrap();
                let hashes = changes.into_iter().map(|change| change.hash).collect();
                wanted.documents.insert(listed.document, (*case, hashes));
            }
            wanted.cards.insert(*case, card);
        }
        wanted
    }

    /// Whose device is quiet has what it should have.
    async fn settles(&mut self, seed: u64, step: usize) {
        // Where plans may be overtaken, more than a page comes while others are still writing.
        for who in 0..if self.late { self.actors.len() } else { 0 } {
            for _ in 0..12 {
                self.edit().await;
            }
            self.sync(who, true).await;
        }
        self.end(0).await;
        for who in 0..self.actors.len() {
            let mut rounds = 0;
            while self.sync(who, true).await {
                rounds += 1;
                assert!(rounds < 200, "seed {seed}, step {step}: it never ends");
            }
            let (mut wanted, mut held) = (self.wanted(who).await, self.actors[who].held.clone());
            // Of a colleague whose tie ended by its date the card tells until it is touched.
            wanted.cards.values_mut().chain(held.cards.values_mut()).for_each(|card| card.people.clear());
            assert_eq!(held, wanted, "seed {seed}, step {step}, {}", self.actors[who].person.name);
        }
    }
}

impl Actor {
    fn apply(&mut self, outgoing: crate::sync::outgoing::Outgoing) {
        for card in outgoing.cards {
            for listed in &card.documents {
                self.held.documents.entry(listed.document).or_insert_with(|| (card.case, BTreeSet::new()));
            }
            self.held.cards.insert(card.case, card);
        }
        for news in outgoing.documents {
            let changes = news.changes.unpack(&Known::news(news.kind), PackLimits::REPLY).unwrap();
            let held = self.held.documents.entry(news.document).or_insert_with(|| (news.case, BTreeSet::new()));
            held.1.extend(changes.into_iter().map(|(hash, _)| hash));
        }
        for frame in outgoing.frames {
            let whole = frame.changes.document(frame.kind).unwrap();
            assert_eq!(whole.heads(), frame.heads);
            let held = self.held.documents.entry(frame.document).or_insert_with(|| (frame.case, BTreeSet::new()));
            held.1
                .extend(whole.history_of(&frame.heads).into_iter().filter(|hash| *hash != frame.kind.skeleton_hash()));
        }
        for purge in outgoing.purge {
            self.purged.push((purge.case, purge.document));
            match purge.document {
                Some(document) => drop(self.held.documents.remove(&document)),
                None => {
                    self.held.cards.remove(&purge.case);
                    self.held.documents.retain(|_, (case, _)| *case != purge.case);
                }
            }
            let _: PurgeReason = purge.reason;
        }
    }
}

/// How many pages there were that did not end with the news, and among them while others were writing; and how many replies
/// to a device that told its heads ended before what it lacked.
async fn whatever_happens<L: Ledger + Clone + 'static>(
    seed: u64,
    ledger: L,
    (steps, late): (usize, bool),
) -> (usize, usize, usize) {
    let mut scene = Scene::new(ledger, seed, late);
    for step in 0..steps {
        scene.step().await;
        if step % 25 == 24 {
            scene.settles(seed, step).await;
        }
    }
    (scene.pages.0, scene.pages.1, scene.pieces)
}

#[tokio::test]
async fn a_device_that_asks_from_where_it_stands_has_what_one_has_that_asks_for_all() {
    let (mut pages, mut pieces) = (0, 0);
    for seed in 0..40 {
        let (more, _, cut) = whatever_happens(seed, MemoryLedger::new(), (200, false)).await;
        (pages, pieces) = (pages + more, pieces + cut);
    }
    assert!(pages > 20 && pieces > 10, "{pages} pages, {pieces} pieces of what was lacking");
}

/// Plans that are overtaken, and pages that end among them.
#[tokio::test]
async fn a_device_has_all_of_it_however_late_what_others_write_gets_there() {
    let mut pages = 0;
    for seed in 200..240 {
        let ledger = MemoryLedger::slow(|n| u32::from(n % 16 == 0));
        pages += whatever_happens(seed, ledger, (200, true)).await.1;
    }
    assert!(pages > 20, "{pages} pages ended while others were writing");
}

#[tokio::test]
async fn a_device_that_asks_from_where_it_stands_has_all_of_it_from_the_database_too() {
    for seed in 100..103 {
        let bench = Bench::new(seed);
        whatever_happens(seed, bench.storage().await.ledger(), (150, false)).await;
    }
}
