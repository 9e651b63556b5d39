use super::*;
use crate::clock::{Clock, SystemClock};
use crate::domain::edit::Edit;
use crate::domain::kind::Kind;
use crate::domain::record::{Dimension, Fact, Photo, Reading, SharedText, Tolerance, Value};
use crate::domain::testing::{Tablet, cite, document, note, photo, reading, shared};
use crate::domain::vocabulary::ItemKind;

const DOOR: &str = "bathroom-1/door-1";

struct Desk {
    home: Tablet,
    clinical: Tablet,
    survey: Tablet,
    prescription: Tablet,
    door: Key,
    item: Key,
}

impl Desk {
    /// A door to be widened, citing one reading with its photo, and a weight.
    fn new() -> Self {
        let kinds = [(Kind::Home, 1), (Kind::Clinical, 2), (Kind::Survey, 4), (Kind::Prescription, 3)];
        let [mut home, mut clinical, survey, mut prescription] = kinds.map(|(kind, n)| Tablet::new(kind, n));
        let picture = home.add(Body::Photo(shared(5)));
        let measured = Reading { photos: vec![picture], ..reading(DOOR, "door-clear-width", 702) };
        let door = home.add(Body::Reading(measured));
        clinical.say(None, "person.weight", Value::Number(92));
        let item = prescription.item(ItemKind::DoorWidening);
        let cites = vec![cite(document(1), door)];
        let width = Dimension { mm: 850, tolerance: Tolerance::Min, cites };
        prescription.say(Some(item), "door-widening.required-clear-width", Value::Dimension(width));
        prescription.say(None, "prescription.photos", Value::Cites(vec![cite(document(1), picture)]));
        prescription.say(None, "prescription.client-weight", Value::Number(137));
        prescription.write(SharedText::Reasoning, 0, "Parkinson's.");
        prescription.add(Body::Note(note("justification", "Falls.")));
        Self { home, clinical, survey, prescription, door, item }
    }

    fn others(&self) -> BTreeMap<DocumentId, View> {
        [(1, &self.home), (2, &self.clinical), (4, &self.survey)].map(|(n, t)| (document(n), t.view())).into()
    }

    fn basis(&self) -> Hash {
        basis(&self.prescription.view(), &self.others())
    }

    fn contents(&self) -> BTreeMap<String, Content> {
        let contents = contents(&self.prescription.view(), &self.others(), &|_| "Ann".to_owned());
        let count = contents.len();
        let by_path: BTreeMap<_, _> = contents.into_iter().collect();
        assert_eq!(by_path.len(), count, "a path twice");
        by_path
    }

    /// Whether what is done changes what the signature rests on.
    fn changes<T>(&self, work: impl FnOnce(&mut Self) -> T) -> bool {
        let mut later = Self {
            home: self.home.clone(),
            clinical: self.clinical.clone(),
            survey: self.survey.clone(),
            prescription: self.prescription.clone(),
            ..*self
        };
        work(&mut later);
        later.basis() != self.basis()
    }
}

#[test]
fn a_specification_holds_what_it_cites_and_the_justification_stands_apart() {
    let desk = Desk::new();
    let contents = desk.contents();
    let paths: Vec<&str> = contents.keys().map(String::as_str).collect();
    let (home, item) = (document(1), desk.item);
    assert_eq!(
        paths,
        [
            "justification/notes/3.6".to_owned(),
            "justification/prescription.client-weight".to_owned(),
            "justification/reasoning".to_owned(),
            format!("specification/items/{item}/door-widening.required-clear-width"),
            format!("specification/items/{item}/kind"),
            format!("specification/photos/{home}/1.1"),
            "specification/prescription.photos".to_owned(),
            format!("specification/readings/{home}/1.2"),
        ]
    );
    let Content::Reading { reading, name, photos, .. } = &contents[&format!("specification/readings/{home}/1.2")]
    else {
        panic!("a cited reading is a reading");
    };
    assert_eq!((reading.value, name.as_str(), photos.len()), (702, "Ann", 1));
}

#[test]
fn a_struck_item_takes_its_fields_and_what_they_cite_along() {
    let mut desk = Desk::new();
    desk.prescription.strike(desk.item);
    assert!(desk.contents().keys().all(|path| !path.contains("items/") && !path.contains("readings/")));
}

/// Invariant 3: nobody takes a version for current that rests on something else by now.
#[test]
fn whatever_changes_behind_what_is_cited_changes_the_basis() {
    let desk = Desk::new();
    assert!(desk.changes(|later| later.home.measure(DOOR, 703)), "a reading that agrees");
    assert!(desk.changes(|later| later.home.measure(DOOR, 727)), "a reading that clashes");
    assert!(desk.changes(|later| later.home.measure_anew(DOOR, 727, &[later.door])), "one in its place");
    assert!(desk.changes(|later| later.home.strike(later.door)), "a strike");
    assert!(desk.changes(|later| later.survey.measure(DOOR, 703)), "the surveyor's own reading");
    assert!(desk.changes(|later| later.clinical.say(None, "person.weight", Value::Number(101))), "a weight");
    assert!(desk.changes(|later| later.clinical.correct(None, "person.weight", Value::Number(101))));
    assert!(desk.changes(|later| later.prescription.item(ItemKind::GrabRail)), "an edit");
    assert!(desk.changes(|later| {
        later.home.measure("bathroom-2/door-1", 727);
        later.home.join("bathroom-2", "bathroom-1");
    }));
    let picture = Key { counter: 1, ..desk.door };
    assert!(desk.changes(|later| later.home.strike(picture)), "a cited photo that was struck");
    let caption = |text: &str| Edit::Caption { photo: picture, text: text.to_owned() };
    assert!(desk.changes(|later| later.home.edit(caption("The door."))), "a caption");
    let mut captioned = Desk::new();
    captioned.home.edit(caption("The door.")).unwrap();
    assert!(captioned.changes(|later| later.home.edit(caption("Another door."))), "another caption");
    assert!(desk.changes(|later| {
        later.survey.measure("bathroom-2/door-1", 703);
        later.home.join("bathroom-2", "bathroom-1");
    }));
}

#[test]
fn what_is_not_cited_leaves_the_basis_as_it_is() {
    let desk = Desk::new();
    assert!(!desk.changes(|later| later.home.measure("hall-1/door-1", 702)));
    assert!(!desk.changes(|later| later.survey.measure("hall-1/door-1", 702)));
    assert!(!desk.changes(|later| {
        let photo = later.home.add(Body::Photo(photo(9)));
        later.home.edit(Edit::Caption { photo, text: "The hall.".to_owned() })
    }));
    assert!(!desk.changes(|later| later.home.write(SharedText::Summary, 0, "Dog.")));
    assert!(!desk.changes(|later| later.clinical.say(None, "person.height", Value::Number(1700))));
    assert!(!desk.changes(|later| later.home.add(Body::Reading(reading(DOOR, "door-height", 1980)))));
}

/// Invariant 5: a citation is no way round who may read a document.
#[test]
fn no_photo_that_housing_may_not_see_is_signed_for_it() {
    let mut desk = Desk::new();
    let hashes = |desk: &Desk| {
        let mut hashes = BTreeSet::new();
        for content in desk.contents().into_values() {
            match content {
                Content::Reading { photos, .. } => hashes.extend(photos),
                Content::Photo { hash, .. } => drop(hashes.insert(hash)),
                _ => {}
            }
        }
        let awaited = finding::photos_cited(&desk.prescription.view(), &desk.others());
        assert_eq!(awaited.into_iter().map(|(_, hash)| hash).collect::<BTreeSet<_>>(), hashes);
        hashes
    };
    let open = Hash::from_bytes([5; 32]);
    assert_eq!(hashes(&desk), [open].into());
    // One of a person, one that nobody shared, one that was taken back, one of the surveyor's own.
    let person = desk.clinical.add(Body::Photo(Photo { shows_person: true, ..shared(6) }));
    let private = desk.home.add(Body::Photo(photo(7)));
    let struck = desk.home.add(Body::Photo(shared(8)));
    let own = desk.survey.add(Body::Photo(photo(9)));
    let bath = Reading { photos: vec![private, struck], ..reading("bathroom-1/bath-1", "bath-length", 1690) };
    let bath = desk.home.add(Body::Reading(bath));
    desk.home.strike(struck);
    let cites = [(2, person), (1, private), (1, struck), (1, bath), (4, own)];
    let cites = cites.map(|(number, key)| cite(document(number), key)).to_vec();
    desk.prescription.say(None, "prescription.drawings", Value::Cites(cites));
    assert_eq!(hashes(&desk), [open, Hash::from_bytes([9; 32])].into());
    let Content::Reading { photos, .. } = &desk.contents()[&format!("specification/readings/{}/{bath}", document(1))]
    else {
        panic!("the reading itself is signed");
    };
    assert!(photos.is_empty());
}

/// Many records in one change.
fn add_all(tablet: &mut Tablet, bodies: Vec<Body>) -> Vec<Key> {
    let keys: Vec<Key> = (1..).map(|counter| Key { device: 77, counter }).take(bodies.len()).collect();
    let edits: Vec<Edit> = bodies.into_iter().map(Edit::Add).collect();
    let at = crate::domain::testing::stamp();
    tablet.document.edit([77; 16], tablet.by, at, &mut keys.iter().copied(), &edits).unwrap();
    keys
}

/// A prescription that cites each of so many readings, all of one place, in fields of 64.
fn much_cited(count: i32) -> Desk {
    let mut desk = Desk::new();
    let readings = (0..count).map(|at| Body::Reading(reading(DOOR, "door-clear-width", 700 + at % 5)));
    let keys = add_all(&mut desk.home, readings.collect());
    let field = Field::named("prescription.photos").unwrap();
    let facts = keys.chunks(64).map(|keys| {
        let value = Value::Cites(keys.iter().map(|key| cite(document(1), *key)).collect());
        Body::Fact(Fact { item: None, field, value, supersedes: vec![] })
    });
    add_all(&mut desk.prescription, facts.collect());
    desk
}

/// Invariant 6: some 500 bytes each, thousands of readings of one place and as many citations of them.
#[test]
fn thousands_of_citations_of_one_place_are_summed_up_in_moments() {
    let mut desk = much_cited(10_000);
    let (view, mut others) = (desk.prescription.view(), desk.others());
    let began = SystemClock::new();
    let before = basis(&view, &others);
    let took = began.elapsed();
    assert!(took < 1_000, "took {took} ms");
    // As ever, whatever becomes of what is cited is another basis: a weight, a reading more, and one of them struck.
    desk.clinical.say(None, "person.weight", Value::Number(92));
    others.insert(document(2), desk.clinical.view());
    let heavier = basis(&view, &others);
    desk.home.measure(DOOR, 702);
    others.insert(document(1), desk.home.view());
    let one_more = basis(&view, &others);
    desk.home.strike(Key { device: 77, counter: 9 });
    others.insert(document(1), desk.home.view());
    assert_eq!(BTreeSet::from([before, heavier, one_more, basis(&view, &others)]).len(), 4);
}

#[test]
fn what_was_signed_rests_on_the_same_bytes_for_ever() {
    let desk = Desk::new();
    let (heads, home) = (desk.prescription.view().heads, document(1));
    let picture = Key { device: 1, counter: 1 };
    let rests_on = vec![
        (home, picture, vec![(home, vec![picture], false)]),
        (home, desk.door, vec![(home, vec![desk.door], false)]),
    ];
    let weights = vec![(document(2), vec![Key { device: 2, counter: 1 }])];
    let pictured = vec![(home, picture, Hash::from_bytes([5; 32]), None::<String>)];
    let bytes = minicbor::to_vec(("grabrail basis 2", &heads, rests_on, weights, pictured)).unwrap();
    assert_eq!(desk.basis(), Hash::of(&bytes));
}
