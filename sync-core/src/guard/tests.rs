//! Forged, cut, flipped and back-dated changes against the guard.

mod actors;
mod causes;
mod scan;

use super::*;
use crate::access::{Relation, Role};
use crate::clock::{Chance, Seeded, Stamp, Timestamp};
use crate::domain::container::{CAPTIONS, Container};
use crate::domain::edit::Edit;
use crate::domain::kind::Kind;
use crate::domain::record::{Item, Join, Reading, Record, SharedText, Strike};
use crate::domain::vocabulary::{ItemKind, Measure, Method};
use crate::envelope::{PublicKey, sign};
use crate::id::{AccountId, DeviceId, Generation, Key, OrganisationId, ServerId};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ROOT, ReadDoc, ScalarValue};
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};

struct Tablet {
    key: SigningKey,
    sender: Sender,
    document: DocumentId,
    state: Document,
    counter: u32,
    fork: u32,
}

fn stamp() -> Stamp {
    Stamp { claimed: Timestamp::from_millis(1), elapsed: 0, offset: None }
}

impl Tablet {
    fn new(number: u32) -> Self {
        let mut chance = Seeded::new(u64::from(number));
        let mut secret = [0; 32];
        chance.fill(&mut secret);
        let key = SigningKey::from_bytes(&secret);
        let sender = Sender {
            server: ServerId::from_bytes([1; 16]),
            organisation: OrganisationId::from_bytes([2; 16]),
            device: DeviceId::mint(&mut chance),
            generation: Generation::mint(&mut chance),
            account: AccountId::mint(&mut chance),
            key: PublicKey::from(&key),
            number,
        };
        let document = DocumentId::from_bytes([9; 17]);
        Self { key, sender, document, state: Document::new(Kind::Home).unwrap(), counter: 0, fork: 0 }
    }

    fn actor(&self) -> [u8; 16] {
        actor(&self.sender, self.document, self.fork)
    }

    fn edit(&mut self, edit: Edit) -> Vec<u8> {
        self.edits(&[edit])
    }

    fn edits(&mut self, edits: &[Edit]) -> Vec<u8> {
        let (device, first) = (self.sender.number, self.counter + 1);
        self.counter += u32::try_from(edits.iter().filter(|edit| matches!(edit, Edit::Add(_))).count()).unwrap();
        let mut keys = (first..).map(|counter| Key { device, counter });
        self.state.edit(self.actor(), self.sender.account, stamp(), &mut keys, edits).unwrap().1
    }

    /// The same tablet as it is now, to go another way with.
    fn twin(&self) -> Self {
        let Self { key, sender, document, state, counter, fork } = self;
        let (key, state) = (key.clone(), state.clone());
        Self { key, sender: *sender, document: *document, state, counter: *counter, fork: *fork }
    }

    /// Takes in what another tablet has.
    fn hear(&mut self, other: &Document) {
        self.state.apply(&other.changes_since(&[])).unwrap();
    }

    fn measure(&mut self, place: &str, value: i32) -> Vec<u8> {
        self.edit(Edit::Add(Body::Reading(Reading {
            place: place.parse().unwrap(),
            measure: Measure::named("door-clear-width").unwrap(),
            value,
            method: Method::Tape,
            photos: vec![],
            supersedes: vec![],
        })))
    }

    /// A change that no edit of ours makes, built with Automerge itself in this tablet's name.
    fn forge(&mut self, work: impl FnOnce(&mut automerge::transaction::Transaction<'_>)) -> Vec<u8> {
        let mut raw = Automerge::load(&self.state.save()).unwrap();
        raw.set_actor(ActorId::from(&self.actor()[..]));
        let mut change = raw.transaction();
        work(&mut change);
        change.commit_with(CommitOptions::default().with_time(0));
        raw.get_last_local_change().unwrap().raw_bytes().to_vec()
    }

    fn push(&self, server: &Document, changes: &[Vec<u8>]) -> Result<Admitted, Refusal> {
        self.push_as(server, changes, Role::Ot)
    }

    fn push_as(&self, server: &Document, changes: &[Vec<u8>], role: Role) -> Result<Admitted, Refusal> {
        self.push_within(server, changes, role, &Bounds::default())
    }

    fn push_within(
        &self,
        server: &Document,
        changes: &[Vec<u8>],
        role: Role,
        bounds: &Bounds,
    ) -> Result<Admitted, Refusal> {
        let changes: Vec<&[u8]> = changes.iter().map(Vec::as_slice).collect();
        let hashes = changes.iter().filter_map(|change| chunk_hash(change)).collect();
        let envelope = Envelope::new(&self.sender, self.document, self.fork, vec![], hashes);
        let signature = sign(&self.key, &envelope.to_bytes());
        let pushed = Pushed {
            document: self.document,
            fork: self.fork,
            base: &vec![],
            changes: &changes,
            signature: &signature,
        };
        let standing = Standing { role, of_council: true, relations: vec![Relation::Allocated] };
        judge(pushed, &self.sender, &standing, Ties::default(), server, bounds)
    }

    fn write(&mut self, at: u32, delete: u32, insert: &str) -> Vec<u8> {
        self.edit(Edit::Splice { text: SharedText::Summary, at, delete, insert: insert.to_owned() })
    }
}

/// The same change with something in it that Automerge itself would not write.
fn altered(change: &[u8], alter: impl FnOnce(&mut automerge::ExpandedChange)) -> Vec<u8> {
    let mut expanded = automerge::Change::from_bytes(change.to_vec()).unwrap().decode();
    alter(&mut expanded);
    automerge::Change::from(expanded).raw_bytes().to_vec()
}

fn container(change: &automerge::transaction::Transaction<'_>, name: &str) -> automerge::ObjId {
    change.get(ROOT, name).unwrap().unwrap().1
}

#[test]
fn honest_work_is_taken_in_once_and_a_second_time_changes_nothing() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let changes = vec![tablet.measure("bathroom-1/door-1", 712), tablet.measure("bathroom-1/door-2", 760)];
    let admitted = tablet.push(&server, &changes).unwrap();
    assert_eq!(admitted.changes.len(), 2);
    assert_eq!(admitted.view.records.len(), 2);
    assert_eq!(admitted.document.heads(), tablet.state.heads());
    let again = tablet.push(&admitted.document, &changes).unwrap();
    assert!(again.changes.is_empty());
    assert_eq!(again.document.heads(), admitted.document.heads());
}

#[test]
fn a_signature_over_anything_else_is_none() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let changes = vec![tablet.measure("bathroom-1/door-1", 712)];
    let twin = Tablet { document: DocumentId::from_bytes([8; 17]), ..Tablet::new(7) };
    // The same change for another document: the actor is another.
    assert_eq!(twin.push(&server, &changes).unwrap_err(), Refusal::Actor { at: 0 });
    // What the envelope says, of which the change itself says nothing: signed for the one, it is none for any other.
    let base = vec![Kind::Home.skeleton_hash()];
    let honest =
        Envelope::new(&tablet.sender, tablet.document, 0, base.clone(), vec![chunk_hash(&changes[0]).unwrap()]);
    let judged = |envelope: &Envelope, key: &SigningKey| {
        let signature = sign(key, &envelope.to_bytes());
        let pushed =
            Pushed { document: tablet.document, fork: 0, base: &base, changes: &[&changes[0]], signature: &signature };
        let standing = Standing { role: Role::Ot, of_council: true, relations: vec![Relation::Allocated] };
        judge(pushed, &tablet.sender, &standing, Ties::default(), &server, &Bounds::default()).map(drop)
    };
    assert_eq!(judged(&honest, &tablet.key), Ok(()));
    assert_eq!(judged(&honest, &Tablet::new(8).key), Err(Refusal::Signature), "by another device's key");
    type Alteration = fn(&mut Envelope);
    let alterations: [(&str, Alteration); 11] = [
        ("protocol", |envelope| envelope.protocol += 1),
        ("server", |envelope| envelope.server = ServerId::from_bytes([3; 16])),
        ("organisation", |envelope| envelope.organisation = OrganisationId::from_bytes([3; 16])),
        ("document", |envelope| envelope.document = DocumentId::from_bytes([8; 17])),
        ("device", |envelope| envelope.device = DeviceId::from_bytes([3; 16])),
        ("generation", |envelope| envelope.generation = Generation::from_bytes([3; 16])),
        ("account", |envelope| envelope.account = AccountId::from_bytes([3; 16])),
        ("base", |envelope| envelope.base = vec![Hash::from_bytes([3; 32])]),
        ("no base", |envelope| envelope.base.clear()),
        ("changes", |envelope| envelope.changes.push(Hash::from_bytes([3; 32]))),
        ("fork", |envelope| envelope.fork = 1),
    ];
    for (what, alter) in alterations {
        let mut envelope = honest.clone();
        alter(&mut envelope);
        assert_eq!(judged(&envelope, &tablet.key), Err(Refusal::Signature), "{what}");
    }
    // The device's number is in no envelope: it is in the key of every record.
    let mut numbered = Tablet { sender: Sender { number: 8, ..tablet.sender }, ..Tablet::new(7) };
    let change = numbered.measure("bathroom-1/door-1", 712);
    assert!(matches!(tablet.push(&server, &[change]), Err(Refusal::Operation { at: 0, .. })));
}

#[test]
fn nobody_writes_in_the_name_of_another() {
    let server = Document::new(Kind::Home).unwrap();
    let mut honest = Tablet::new(7);
    let change = honest.measure("bathroom-1/door-1", 712);
    assert_eq!(Tablet::new(8).push(&server, &[change]).unwrap_err(), Refusal::Actor { at: 0 });
}

#[test]
fn a_gap_in_what_is_pushed_is_refused_with_what_is_missing() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let first = tablet.measure("bathroom-1/door-1", 712);
    let second = tablet.measure("bathroom-1/door-2", 760);
    let missing = vec![chunk_hash(&first).unwrap()];
    assert_eq!(tablet.push(&server, &[second]).unwrap_err(), Refusal::Missing { at: 0, missing });
}

#[test]
fn a_role_or_a_relation_that_may_not_write_is_refused() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let change = tablet.measure("bathroom-1/door-1", 712);
    for role in [Role::Surveyor, Role::GrantsOfficer, Role::Administrator, Role::PrivateOt] {
        let judged = tablet.push_as(&server, std::slice::from_ref(&change), role);
        assert_eq!(judged.unwrap_err(), Refusal::NotAllowed, "{role}");
    }
}

#[test]
fn no_operation_but_those_of_edits_is_taken_in() {
    let server = Document::new(Kind::Home).unwrap();
    type Forgery = fn(&mut automerge::transaction::Transaction<'_>);
    let forgeries: [(&str, Forgery); 9] = [
        ("a container is deleted", |change| change.delete(ROOT, "readings").unwrap()),
        ("a container is overwritten", |change| {
            change.put_object(ROOT, "readings", automerge::ObjType::Map).unwrap();
        }),
        ("a scalar at the root", |change| change.put(ROOT, "kind", "clinical").unwrap()),
        ("a key of another device", |change| {
            let readings = container(change, "readings");
            change.put(readings, "8.1", ScalarValue::Bytes(vec![1])).unwrap();
        }),
        ("a key that is none", |change| {
            let readings = container(change, "readings");
            change.put(readings, "hello", ScalarValue::Bytes(vec![1])).unwrap();
        }),
        ("a record that is no bytes", |change| {
            let readings = container(change, "readings");
            change.put(readings, "7.1", 712).unwrap();
        }),
        ("an object as a record", |change| {
            let readings = container(change, "readings");
            change.put_object(readings, "7.1", automerge::ObjType::Map).unwrap();
        }),
        ("a counter in the captions", |change| {
            let captions = container(change, CAPTIONS);
            change.put(captions, "7.1", ScalarValue::counter(1)).unwrap();
        }),
        ("an object in a text", |change| {
            let summary = container(change, "summary");
            change.insert_object(summary, 0, automerge::ObjType::Map).unwrap();
        }),
    ];
    for (what, forgery) in forgeries {
        let change = Tablet::new(7).forge(forgery);
        let judged = Tablet::new(7).push(&server, &[change]);
        assert!(matches!(judged, Err(Refusal::Operation { .. })), "{what}: {judged:?}");
    }
}

#[test]
fn a_record_is_never_overwritten_or_deleted_not_even_by_its_author() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let first = tablet.measure("bathroom-1/door-1", 712);
    let server = tablet.push(&server, &[first]).unwrap().document;
    let overwrite = tablet.forge(|change| {
        let readings = container(change, "readings");
        change.put(readings, "7.1", ScalarValue::Bytes(vec![1])).unwrap();
    });
    assert!(matches!(tablet.push(&server, &[overwrite]), Err(Refusal::Operation { .. })));
    let delete = tablet.forge(|change| {
        let readings = container(change, "readings");
        change.delete(readings, "7.1").unwrap();
    });
    assert!(matches!(tablet.push(&server, &[delete]), Err(Refusal::Operation { .. })));
}

#[test]
fn a_back_dated_branch_cannot_take_a_key_that_the_server_has() {
    let empty = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let first = tablet.measure("bathroom-1/door-1", 712);
    let server = tablet.push(&empty, &[first]).unwrap().document;
    // The same device begins anew at the skeleton under another fork number, and uses the key 7.1 again.
    let mut anew = Tablet { fork: 1, ..Tablet::new(7) };
    let second = anew.measure("bathroom-1/door-1", 999);
    assert!(matches!(anew.push(&server, &[second]), Err(Refusal::Unfit { .. })));
}

#[test]
fn a_record_in_anothers_name_or_in_another_encoding_is_refused() {
    let server = Document::new(Kind::Home).unwrap();
    let record = |by: AccountId| Record { by, at: stamp(), body: Body::Item(Item { kind: ItemKind::Equipment }) };
    let put = |bytes: Vec<u8>, name: &'static str| {
        Tablet::new(7).forge(move |change| {
            let object = container(change, name);
            change.put(object, "7.1", ScalarValue::Bytes(bytes)).unwrap();
        })
    };
    let me = Tablet::new(7).sender.account;
    let honest = record(me).to_bytes();
    assert!(Tablet::new(7).push(&server, &[put(honest.clone(), "items")]).is_ok());
    let forged = put(record(Tablet::new(8).sender.account).to_bytes(), "items");
    assert!(matches!(Tablet::new(7).push(&server, &[forged]), Err(Refusal::Operation { .. })));
    let elsewhere = put(honest.clone(), "notes");
    assert!(matches!(Tablet::new(7).push(&server, &[elsewhere]), Err(Refusal::Operation { .. })));
    let mut longer = honest;
    longer.push(0);
    assert!(matches!(Tablet::new(7).push(&server, &[put(longer, "items")]), Err(Refusal::Unfit { .. })));
}

#[test]
fn bytes_that_are_no_change_are_refused_wherever_they_are_cut_or_flipped() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let change = tablet.measure("bathroom-1/door-1", 712);
    for at in 0..change.len() {
        let mut flipped = change.clone();
        flipped[at] ^= 0x40;
        assert!(tablet.push(&server, &[flipped]).is_err(), "byte {at}");
        assert!(tablet.push(&server, &[change[..at].to_vec()]).is_err(), "cut at {at}");
    }
    let mut longer = change;
    longer.push(0);
    assert_eq!(tablet.push(&server, &[longer]).unwrap_err(), Refusal::NotAChange { at: 0 });
}

/// The same bytes with the checksum of what they say now.
fn well_formed(mut change: Vec<u8>) -> Vec<u8> {
    let hash: [u8; 32] = Sha256::digest(&change[8..]).into();
    change[4..8].copy_from_slice(&hash[..4]);
    change
}

/// Invariant 6: whoever alters a change can make its checksum right and sign it, and Automerge panics over some.
#[test]
fn a_change_altered_anywhere_under_its_right_checksum_never_panics_and_what_is_admitted_reads_again() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let changes = [tablet.measure("bathroom-1/door-1", 712), Tablet::new(7).write(0, 0, "Two steps. 🚪")];
    let mut judged = 0;
    for change in &changes {
        for at in 9..change.len() {
            for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut altered = change.clone();
                altered[at] ^= mask;
                let altered = well_formed(altered);
                judged += usize::from(chunk_hash(&altered).is_some());
                if let Ok(admitted) = tablet.push(&server, &[altered]) {
                    let again = Document::load(Kind::Home, &admitted.document.save()).unwrap();
                    assert_eq!(again.heads(), admitted.document.heads(), "byte {at} with {mask}");
                }
            }
        }
    }
    assert!(judged > 1_000, "{judged} were still chunks");
}

#[test]
fn time_and_message_belong_into_the_data() {
    let server = Document::new(Kind::Home).unwrap();
    let tablet = Tablet::new(7);
    let mut raw = Automerge::load(&tablet.state.save()).unwrap();
    raw.set_actor(ActorId::from(&tablet.actor()[..]));
    let mut change = raw.transaction();
    let captions = container(&change, "summary");
    change.splice_text(captions, 0, 0, "x").unwrap();
    change.commit_with(CommitOptions::default().with_message("hello").with_time(5));
    let bytes = raw.get_last_local_change().unwrap().raw_bytes().to_vec();
    assert_eq!(tablet.push(&server, &[bytes]).unwrap_err(), Refusal::Decorated { at: 0 });
}

#[test]
fn what_refers_to_nothing_or_to_itself_does_not_fit() {
    let server = Document::new(Kind::Home).unwrap();
    let absent = Key { device: 3, counter: 3 };
    let bodies = [
        Body::Strike(Strike { key: absent, reason: "wrong room".to_owned() }),
        Body::Join(Join {
            place: "bathroom-1".parse().unwrap(),
            same_as: "bathroom-1".parse().unwrap(),
            reason: "same".to_owned(),
        }),
    ];
    for body in bodies {
        let record = Record { by: Tablet::new(7).sender.account, at: stamp(), body };
        let name = Container::of(&record.body).name();
        let change = Tablet::new(7).forge(|change| {
            let object = container(change, name);
            change.put(object, "7.1", ScalarValue::Bytes(record.to_bytes())).unwrap();
        });
        assert!(matches!(Tablet::new(7).push(&server, &[change]), Err(Refusal::Unfit { .. })));
    }
}

#[test]
fn an_actors_changes_are_numbered_without_a_gap_and_each_number_is_taken_once() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let first = tablet.measure("bathroom-1/door-1", 712);
    for found in [2, 3, 1 << 40] {
        let skips = altered(&first, |change| change.seq = found);
        assert_eq!(tablet.push(&server, &[skips]).unwrap_err(), Refusal::Sequence { at: 0, found, expected: 1 });
    }
    let server = tablet.push(&server, &[first]).unwrap().document;
    // The same tablet, gone back to before its first change: a restored copy, or two that share a key.
    let another = Tablet::new(7).measure("bathroom-1/door-2", 760);
    assert_eq!(tablet.push(&server, &[another]).unwrap_err(), Refusal::Equivocation { at: 0, seq: 1 });
}

#[test]
fn operations_begin_right_behind_those_the_change_builds_on() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let honest = tablet.measure("bathroom-1/door-1", 712);
    let expected = automerge::Change::from_bytes(honest.clone()).unwrap().start_op().get();
    // One that could not name the object it writes to is not even a change; see the scan.
    for found in [expected - 1, expected + 1, u64::from(u32::MAX) - 1] {
        let forged = altered(&honest, |change| change.start_op = found.try_into().unwrap());
        assert_eq!(tablet.push(&server, &[forged]).unwrap_err(), Refusal::StartOp { at: 0, found, expected });
    }
    assert!(tablet.push(&server, &[honest]).is_ok());
}

/// Invariant 6: each bound is a refusal that says which it was.
#[test]
fn more_than_a_bound_allows_is_too_large_and_exactly_as_much_is_not() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let changes = vec![tablet.write(0, 0, "hello"), tablet.write(5, 0, " you")];
    let longest = changes.iter().map(Vec::len).max().unwrap();
    let all = changes.iter().map(Vec::len).sum();
    let history = tablet.state.state().get_changes_meta(&[]);
    let operations = usize::try_from(history.iter().map(|change| change.max_op).max().unwrap()).unwrap();
    let scanned: Vec<Scanned> = changes.iter().map(|change| scan(change, &Bounds::default()).unwrap()).collect();
    let pushed = usize::try_from(scanned.iter().map(|change| change.operations).sum::<u64>()).unwrap();
    let bounds: [(&str, usize, Bound); 16] = [
        ("changes", 2, |bounds| &mut bounds.changes),
        ("bytes in a change", longest, |bounds| &mut bounds.change_bytes),
        ("bytes", all, |bounds| &mut bounds.push_bytes),
        ("operations in a change", 5, |bounds| &mut bounds.operations),
        ("operations", pushed, |bounds| &mut bounds.push_operations),
        ("deps", 2, |bounds| &mut bounds.push_deps),
        ("changes that a change builds on", 1, |bounds| &mut bounds.deps),
        ("actors in a change", 1, |bounds| &mut bounds.actors),
        ("bytes in the document", tablet.state.save().len(), |bounds| &mut bounds.document_bytes),
        ("inflated bytes in the document", tablet.state.save_plain().len(), |bounds| &mut bounds.document_inflated),
        ("changes in the document", 3, |bounds| &mut bounds.document_changes),
        ("operations in the document", operations, |bounds| &mut bounds.document_operations),
        ("deps in the document", 2, |bounds| &mut bounds.document_deps),
        ("actors in the document", 2, |bounds| &mut bounds.document_actors),
        ("changes times actors in the document", 6, |bounds| &mut bounds.document_clocks),
        ("characters in a text", 9, |bounds| &mut bounds.text_characters),
    ];
    for (what, found, bound) in bounds {
        let mut bounds = Bounds::default();
        *bound(&mut bounds) = found;
        let judged = tablet.push_within(&server, &changes, Role::Ot, &bounds);
        assert!(judged.is_ok(), "{what}: {judged:?}");
        *bound(&mut bounds) = found - 1;
        let judged = tablet.push_within(&server, &changes, Role::Ot, &bounds).unwrap_err();
        let (found, most) = (found as u64, found as u64 - 1);
        assert_eq!(judged, Refusal::TooLarge { what: what.to_owned(), found, most });
    }
}

/// One of the bounds.
type Bound = fn(&mut Bounds) -> &mut usize;

/// What a server sends is taken in by a device behind the same scan.
#[test]
fn a_device_takes_in_no_more_than_a_document_may_have() {
    let mut tablet = Tablet::new(7);
    let changes = [712, 715].map(|value| tablet.measure("bathroom-1/door-1", value));
    let changes: Vec<&[u8]> = changes.iter().map(Vec::as_slice).collect();
    let sums = changes.iter().map(|change| scan(change, &Bounds::default()).unwrap());
    let operations = usize::try_from(sums.map(|change| change.operations).sum::<u64>()).unwrap();
    let bounds: [(&str, usize, Bound); 5] = [
        ("changes in the document", 2, |bounds| &mut bounds.document_changes),
        ("operations in the document", operations, |bounds| &mut bounds.document_operations),
        ("deps in the document", 2, |bounds| &mut bounds.document_deps),
        ("actors in the document", 1, |bounds| &mut bounds.document_actors),
        ("changes times actors in the document", 2, |bounds| &mut bounds.document_clocks),
    ];
    for (what, found, bound) in bounds {
        let mut bounds = Bounds::of_what_is_sent();
        *bound(&mut bounds) = found;
        assert_eq!(sift(&changes, &bounds), Ok(()), "{what}");
        *bound(&mut bounds) = found - 1;
        let (found, most) = (found as u64, found as u64 - 1);
        assert_eq!(sift(&changes, &bounds), Err(Refusal::TooLarge { what: what.to_owned(), found, most }));
    }
    let mut home = Document::new(Kind::Home).unwrap();
    take_in(&mut home, &changes).unwrap();
    assert_eq!(home.heads(), tablet.state.heads());
}

#[test]
fn a_base_names_what_is_here_and_no_more_heads_than_a_change_may_build_on() {
    let mut tablet = Tablet::new(7);
    let first = tablet.measure("bathroom-1/door-1", 712);
    let server = tablet.push(&Document::new(Kind::Home).unwrap(), &[first]).unwrap().document;
    let here = server.history_of(&server.heads());
    let change = tablet.measure("bathroom-1/door-1", 712);
    let bounds = Bounds { deps: 3, ..Bounds::default() };
    let judged = |base: &[Hash]| {
        let base: Heads = base.to_vec();
        let (document, fork, hashes) = (tablet.document, tablet.fork, vec![chunk_hash(&change).unwrap()]);
        let envelope = Envelope::new(&tablet.sender, document, fork, base.clone(), hashes);
        let signature = sign(&tablet.key, &envelope.to_bytes());
        let pushed = Pushed { document, fork, base: &base, changes: &[&change], signature: &signature };
        let standing = Standing { role: Role::Ot, of_council: true, relations: vec![Relation::Allocated] };
        judge(pushed, &tablet.sender, &standing, Ties::default(), &server, &bounds)
    };
    assert_eq!(judged(&here).unwrap().envelope.base, here);
    // It is kept for ever: nobody fills a disk with names of nothing.
    let unknown = Hash::from_bytes([9; 32]);
    let missing = Refusal::Missing { at: 0, missing: vec![unknown] };
    assert_eq!(judged(&[&here[..], &[unknown]].concat()).unwrap_err(), missing);
    let refused = Refusal::TooLarge { what: "heads".to_owned(), found: 4, most: 3 };
    assert_eq!(judged(&[unknown; 4]).unwrap_err(), refused);
}

#[test]
fn a_change_that_does_nothing_is_refused() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let empty = altered(&tablet.measure("bathroom-1/door-1", 712), |change| change.operations.clear());
    let judged = Tablet::new(7).push(&server, &[empty]);
    assert_eq!(judged.unwrap_err(), Refusal::Operation { at: 0, operation: 0 });
}

#[test]
fn a_character_is_deleted_by_its_own_name_and_an_insertion_undoes_nothing() {
    let server = Document::new(Kind::Home).unwrap();
    let mut tablet = Tablet::new(7);
    let first = tablet.write(0, 0, "ab");
    let server = tablet.push(&server, &[first]).unwrap().document;
    let [insertion, deletion] =
        [Tablet { state: tablet.state.clone(), ..Tablet::new(7) }.write(2, 0, "c"), tablet.write(0, 1, "")];
    let preds =
        |change: &[u8]| automerge::Change::from_bytes(change.to_vec()).unwrap().decode().operations[0].pred.clone();
    let own: Vec<_> = preds(&deletion).into_iter().collect();
    let next = automerge::legacy::OpId(own[0].0 + 1, own[0].1.clone());
    for (honest, pred) in [
        (&deletion, vec![]),
        (&deletion, vec![next.clone()]),
        (&deletion, vec![own[0].clone(), next]),
        (&insertion, own),
    ] {
        let forged = altered(honest, |change| change.operations[0].pred = pred.into());
        let judged = tablet.push(&server, &[forged]);
        assert_eq!(judged.unwrap_err(), Refusal::Operation { at: 0, operation: 0 });
    }
    assert!(tablet.push(&server, &[deletion]).is_ok());
}
