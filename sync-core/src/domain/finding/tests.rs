use super::*;
use crate::clock::{Clock, SystemClock};
use crate::domain::edit::Edit;
use crate::domain::kind::Kind;
use crate::domain::record::{Fact, Item, Reading, SharedText, Tolerance};
use crate::domain::testing::{Tablet, cite, document, photo, reading, shared, stamp};

const HOME: u8 = 1;
const PRESCRIPTION: u8 = 2;
const CLINICAL: u8 = 3;

/// The findings of one document, but for what is merely missing.
fn found(tablet: &Tablet) -> Vec<What> {
    let findings = of_document(document(HOME), &tablet.view());
    findings.into_iter().map(|f| f.what).filter(|what| !matches!(what, What::Missing { .. })).collect()
}

fn misses(tablet: &Tablet, item: Option<Key>, field: &str) -> bool {
    let field = Field::named(field).unwrap();
    let missing = Finding::of(document(HOME), item, What::Missing { field });
    of_document(document(HOME), &tablet.view()).contains(&missing)
}

/// A prescription with the home it cites and the assessment behind it.
struct Desk {
    home: Tablet,
    clinical: Tablet,
    prescription: Tablet,
}

impl Desk {
    fn new() -> Self {
        let [home, clinical, prescription] =
            [(Kind::Home, 1), (Kind::Clinical, 2), (Kind::Prescription, 3)].map(|(kind, n)| Tablet::new(kind, n));
        Self { home, clinical, prescription }
    }

    /// A door to be widened, its width resting on these readings of the home.
    fn widening(&mut self, tolerance: Tolerance, cites: &[Key]) -> Key {
        let item = self.prescription.item(ItemKind::DoorWidening);
        let cites = cites.iter().map(|key| cite(document(HOME), *key)).collect();
        let width = Dimension { mm: 850, tolerance, cites };
        self.prescription.say(Some(item), WIDTH, Value::Dimension(width));
        item
    }

    fn findings(&self) -> Vec<Finding> {
        let others = BTreeMap::from([(document(HOME), self.home.view()), (document(CLINICAL), self.clinical.view())]);
        let findings = of_prescription(document(PRESCRIPTION), &self.prescription.view(), &others, None);
        findings.into_iter().filter(|finding| !matches!(finding.what, What::Missing { .. })).collect()
    }

    fn found(&self) -> Vec<What> {
        self.findings().into_iter().map(|finding| finding.what).collect()
    }
}

const WIDTH: &str = "door-widening.required-clear-width";

fn width() -> Field {
    Field::named(WIDTH).unwrap()
}

#[test]
fn a_reason_is_missed_only_when_no_carer_was_there() {
    let mut ann = Tablet::new(Kind::Clinical, 1);
    assert!(!misses(&ann, None, "visit.carer-absent-reason"));
    ann.say(None, "visit.carer-present", Value::Flag(false));
    assert!(misses(&ann, None, "visit.carer-absent-reason"));
    ann.say(None, "visit.carer-absent-reason", Value::Text("  ".to_owned()));
    assert!(misses(&ann, None, "visit.carer-absent-reason"), "blanks are no reason");
    ann.correct(None, "visit.carer-absent-reason", Value::Text("at work".to_owned()));
    assert!(!misses(&ann, None, "visit.carer-absent-reason"));
    let checks = |words: &[&str]| Value::Choices(words.iter().map(|word| (*word).to_owned()).collect());
    ann.say(None, "visit.identity-checks", checks(&["name"]));
    assert!(misses(&ann, None, "visit.identity-checks"), "a name alone is no check");
    ann.correct(None, "visit.identity-checks", checks(&["name", "date-of-birth"]));
    assert!(!misses(&ann, None, "visit.identity-checks"));
    let mut ben = Tablet::new(Kind::Clinical, 1);
    ben.say(None, "visit.carer-present", Value::Flag(true));
    assert!(!misses(&ben, None, "visit.carer-absent-reason"));
}

#[test]
fn whoever_disagrees_is_asked_why() {
    for (flag, reason) in
        [("client.disagrees", "client.disagrees-reason"), ("carer.disagrees", "carer.disagrees-reason")]
    {
        let mut ann = Tablet::new(Kind::Clinical, 1);
        ann.say(None, flag, Value::Flag(true));
        assert!(misses(&ann, None, reason));
        ann.correct(None, flag, Value::Flag(false));
        assert!(!misses(&ann, None, reason));
    }
    let mut ann = Tablet::new(Kind::Prescription, 1);
    ann.say(None, "prescription.client-agrees", Value::Choice("agrees-in-part".to_owned()));
    assert!(misses(&ann, None, "prescription.client-disagrees-reason"));
    ann.correct(None, "prescription.client-agrees", Value::Choice("agrees".to_owned()));
    assert!(!misses(&ann, None, "prescription.client-disagrees-reason"));
}

#[test]
fn feeling_safe_and_the_carers_triggers_are_missed_until_they_are_answered() {
    for (field, answer) in [
        ("client.feels-safe-and-secure", "not-sure"),
        ("carer.assessment-trigger-screening", ""),
        ("carer.assessment-trigger-assessment", ""),
    ] {
        let mut ann = Tablet::new(Kind::Clinical, 1);
        assert!(misses(&ann, None, field), "{field}");
        let answer = match Field::named(field).unwrap().spec().value {
            ValueKind::Choice(words) if answer.is_empty() => words[0],
            _ => answer,
        };
        ann.say(None, field, Value::Choice(answer.to_owned()));
        assert!(!misses(&ann, None, field), "{field}");
    }
}

#[test]
fn purposes_are_missed_for_every_item_on_the_dfg_route_only() {
    let mut ann = Tablet::new(Kind::Prescription, 1);
    let rail = ann.item(ItemKind::GrabRail);
    assert!(!misses(&ann, Some(rail), "item.purposes"));
    ann.say(None, "prescription.route", Value::Choice("dfg".to_owned()));
    assert!(misses(&ann, Some(rail), "item.purposes"));
    let ramp = ann.item(ItemKind::Ramp);
    ann.say(Some(rail), "item.purposes", Value::Choices(vec!["a".to_owned()]));
    assert!(!misses(&ann, Some(rail), "item.purposes") && misses(&ann, Some(ramp), "item.purposes"));
    ann.strike(ramp);
    assert!(!misses(&ann, Some(ramp), "item.purposes"));
    ann.correct(Some(rail), "item.purposes", Value::Choices(vec![]));
    assert!(misses(&ann, Some(rail), "item.purposes"), "none of them is no purpose");
    ann.correct(None, "prescription.route", Value::Choice("minor".to_owned()));
    assert!(!misses(&ann, Some(rail), "item.purposes"));
}

#[test]
fn a_clash_is_a_finding_until_it_is_settled_and_stops_a_prescription() {
    let mut desk = Desk::new();
    let (first, second) = (desk.home.measure("bathroom-1/door-1", 712), desk.home.measure("bathroom-1/door-1", 737));
    assert!(matches!(&found(&desk.home)[..], [What::Clash { keys, .. }] if *keys == [first, second]));
    desk.home.settle(first, &[second]);
    assert_eq!(found(&desk.home), []);
    // Two authors who prescribe two widths: only one of them would be signed.
    let item = desk.widening(Tolerance::Within(10), &[]);
    let dimension = |mm| Value::Dimension(Dimension { mm, tolerance: Tolerance::Within(10), cites: vec![] });
    desk.prescription.say(Some(item), WIDTH, dimension(900));
    assert!(desk.findings().iter().any(|finding| finding.blocks() && matches!(finding.what, What::Clash { .. })));
    desk.prescription.correct(Some(item), WIDTH, dimension(900));
    assert_eq!(desk.found(), []);
}

#[test]
fn a_unit_that_slipped_is_told_with_what_was_meant() {
    for (value, meant) in [(71, "710 mm"), (7120, "712 mm")] {
        let mut ann = Tablet::new(Kind::Home, 1);
        let key = ann.measure("bathroom-1/door-1", value);
        let what = found(&ann).pop().unwrap();
        assert!(
            matches!(&what, What::UnitSlip { key: found, meant: m, .. } if *found == key && m == meant),
            "{what:?}"
        );
        ann.measure_anew("bathroom-1/door-1", 712, &[key]);
        assert_eq!(found(&ann), [], "only what stands is doubted");
    }
}

#[test]
fn a_value_few_homes_or_people_have_is_doubted_but_not_refused() {
    let mut ann = Tablet::new(Kind::Home, 1);
    let key = ann.measure("bathroom-1/door-1", 2_000);
    assert!(matches!(found(&ann)[..], [What::Implausible { key: found, .. }] if found == key));
    ann.strike(key);
    assert_eq!(found(&ann), []);
    let mut ben = Tablet::new(Kind::Clinical, 1);
    ben.say(None, "person.weight", Value::Number(712));
    // Kilograms have no neighbour that people mistake them for.
    assert!(matches!(found(&ben)[..], [What::Implausible { .. }]));
    ben.correct(None, "person.weight", Value::Number(71));
    assert_eq!(found(&ben), []);
    let mut cat = Tablet::new(Kind::Prescription, 1);
    let item = cat.item(ItemKind::DoorWidening);
    let width = |mm| Value::Dimension(Dimension { mm, tolerance: Tolerance::Within(5), cites: vec![] });
    cat.say(Some(item), WIDTH, width(85));
    assert!(matches!(&found(&cat)[..], [What::UnitSlip { meant, .. }] if meant == "850 mm"));
    cat.correct(Some(item), WIDTH, width(850));
    assert_eq!(found(&cat), []);
}

#[test]
fn an_estimate_stands_behind_no_critical_dimension() {
    for (tolerance, critical) in
        [(Tolerance::Exact, true), (Tolerance::Min, true), (Tolerance::Max, true), (Tolerance::Within(5), false)]
    {
        let mut desk = Desk::new();
        let guess = Reading { method: Method::Estimate, ..reading("bathroom-1/door-1", "door-clear-width", 700) };
        let guess = desk.home.add(Body::Reading(guess));
        let item = desk.widening(tolerance, &[guess]);
        let finding = Finding::of(
            document(PRESCRIPTION),
            Some(item),
            What::Estimate { field: width(), cite: cite(document(HOME), guess) },
        );
        assert_eq!(desk.findings().contains(&finding), critical, "{tolerance:?}");
        assert!(finding.blocks());
        let measured = desk.home.measure_anew("bathroom-1/door-1", 702, &[guess]);
        let cites = vec![cite(document(HOME), measured)];
        desk.prescription.correct(Some(item), WIDTH, Value::Dimension(Dimension { mm: 850, tolerance, cites }));
        assert_eq!(desk.found(), []);
    }
}

#[test]
fn a_critical_dimension_rests_on_a_reading_and_a_photo_is_none() {
    let mut desk = Desk::new();
    let item = desk.widening(Tolerance::Min, &[]);
    assert_eq!(desk.found(), [What::Unmeasured { field: width() }]);
    let picture = desk.home.add(Body::Photo(shared(5)));
    let dimension = |key| {
        let cites = vec![cite(document(HOME), key)];
        Value::Dimension(Dimension { mm: 850, tolerance: Tolerance::Min, cites })
    };
    desk.prescription.correct(Some(item), WIDTH, dimension(picture));
    assert_eq!(desk.found(), [What::Unmeasured { field: width() }]);
    let key = desk.home.measure("bathroom-1/door-1", 702);
    desk.prescription.correct(Some(item), WIDTH, dimension(key));
    assert_eq!(desk.found(), []);
}

#[test]
fn what_is_cited_has_to_be_there_and_to_stand() {
    let mut desk = Desk::new();
    let key = desk.home.measure("bathroom-1/door-1", 702);
    desk.widening(Tolerance::Min, &[key]);
    assert_eq!(desk.found(), []);
    let fault = |desk: &Desk| match &desk.findings()[..] {
        [finding @ Finding { what: What::Cited { fault, .. }, .. }] if finding.blocks() => Some(*fault),
        _ => None,
    };
    // Another reading of the place disagrees, and is then settled for or against what is cited.
    let other = desk.home.measure("bathroom-1/door-1", 727);
    assert_eq!(fault(&desk), Some(Fault::Clash));
    let against = desk.home.settle(other, &[key]);
    assert_eq!(fault(&desk), Some(Fault::Superseded));
    desk.home.strike(against);
    desk.home.settle(key, &[other]);
    assert_eq!(desk.found(), []);
    desk.home.strike(key);
    assert_eq!(fault(&desk), Some(Fault::Struck));
    // Its home has not come, or holds no such thing.
    desk.home = Tablet::new(Kind::Home, 1);
    assert_eq!(fault(&desk), Some(Fault::Absent));
    let view = desk.prescription.view();
    let alone = of_prescription(document(PRESCRIPTION), &view, &BTreeMap::new(), None);
    assert!(alone.iter().any(|finding| matches!(finding.what, What::Cited { fault: Fault::Absent, .. })));
    // A record that is neither reading nor photo would be missing from what is signed.
    desk.home.add(Body::Note(crate::domain::testing::note("property", "A door.")));
    assert_eq!(fault(&desk), Some(Fault::Absent));
}

#[test]
fn what_housing_is_to_read_cites_nothing_that_housing_may_not_see() {
    let mut desk = Desk::new();
    desk.prescription.item(ItemKind::DoorWidening);
    let clinical = desk.clinical.add(Body::Photo(shared(6)));
    let private = desk.home.add(Body::Photo(photo(7)));
    let open = desk.home.add(Body::Photo(shared(8)));
    let photos = Field::named("prescription.photos");
    for (of, key, fault) in [
        (CLINICAL, clinical, Some(Fault::NotForHousing)),
        (HOME, private, Some(Fault::NotForHousing)),
        (HOME, open, None),
    ] {
        let cite = cite(document(of), key);
        desk.prescription.correct(None, "prescription.photos", Value::Cites(vec![cite]));
        let expected: Vec<What> = fault.map(|fault| What::Cited { field: photos, cite, fault }).into_iter().collect();
        assert_eq!(desk.found(), expected);
        assert!(desk.findings().iter().all(Finding::blocks));
    }
    // A reading may be cited although its photo stays behind: the value is not the picture.
    let measured = Reading { photos: vec![private], ..reading("bathroom-1/door-1", "door-clear-width", 702) };
    let key = desk.home.add(Body::Reading(measured));
    desk.prescription.correct(None, "prescription.photos", Value::Cites(vec![cite(document(HOME), key)]));
    assert_eq!(desk.found(), []);
}

/// Invariant 7: a clash is one whichever documents its readings stand in.
#[test]
fn a_reading_of_another_document_that_disagrees_is_in_the_way() {
    for (place, joins) in [("bathroom-1/door-1", false), ("bathroom-2/door-1", true)] {
        let mut desk = Desk::new();
        desk.prescription.say(None, "prescription.route", Value::Choice("minor".to_owned()));
        let key = desk.home.measure("bathroom-1/door-1", 712);
        desk.widening(Tolerance::Min, &[key]);
        let mut survey = Tablet::new(Kind::Survey, 4);
        let found = |desk: &Desk, survey: &Tablet| -> Vec<What> {
            let others = BTreeMap::from([(document(HOME), desk.home.view()), (document(4), survey.view())]);
            let findings = of_prescription(document(PRESCRIPTION), &desk.prescription.view(), &others, None);
            findings.into_iter().filter(Finding::blocks).map(|finding| finding.what).collect()
        };
        let agrees = survey.measure(place, 717);
        assert_eq!(found(&desk, &survey), [], "within the tolerance");
        survey.strike(agrees);
        let other = survey.measure(place, 758);
        let cite = cite(document(HOME), key);
        let clash = [What::Cited { field: Some(width()), cite, fault: Fault::Clash }];
        assert_eq!(found(&desk, &survey) == clash, !joins, "another room");
        let join = desk.home.join("bathroom-2", "bathroom-1");
        assert_eq!(found(&desk, &survey), clash);
        desk.home.strike(join);
        assert_eq!(found(&desk, &survey) == clash, !joins);
        desk.home.join("bathroom-1", "bathroom-2");
        assert_eq!(found(&desk, &survey), clash);
        survey.strike(other);
        assert_eq!(found(&desk, &survey), []);
    }
}

#[test]
fn what_is_cited_by_a_struck_item_or_a_corrected_value_is_nobodys_business() {
    let mut desk = Desk::new();
    let key = desk.home.measure("bathroom-1/door-1", 702);
    let item = desk.widening(Tolerance::Min, &[key]);
    let rail = desk.prescription.item(ItemKind::GrabRail);
    desk.home.strike(key);
    assert_eq!(desk.found().len(), 1);
    desk.prescription.strike(item);
    assert_eq!(desk.found(), []);
    assert!(cited(&desk.prescription.view()).is_empty());
    desk.prescription.strike(rail);
    assert_eq!(desk.found(), [What::NothingPrescribed]);
}

#[test]
fn a_load_is_held_against_the_heaviest_weight_that_is_known() {
    let mut desk = Desk::new();
    let lift = desk.prescription.item(ItemKind::Stairlift);
    desk.prescription.say(Some(lift), "item.required-load", Value::Number(100));
    assert_eq!(desk.found(), []);
    let under = |weight| vec![What::LoadUnderWeight { load: 100, weight }];
    desk.prescription.say(None, "prescription.client-weight", Value::Number(101));
    assert_eq!(desk.found(), under(101));
    assert!(desk.findings()[0].blocks());
    desk.clinical.say(None, "person.weight", Value::Number(120));
    assert_eq!(desk.found(), under(120));
    let others = BTreeMap::from([(document(CLINICAL), desk.clinical.view())]);
    let known = of_prescription(document(PRESCRIPTION), &desk.prescription.view(), &others, Some(130));
    assert!(known.iter().any(|finding| finding.what == What::LoadUnderWeight { load: 100, weight: 130 }));
    desk.prescription.correct(Some(lift), "item.required-load", Value::Number(120));
    assert_eq!(desk.found(), []);
}

/// Hazard H16: what is not said can't be held against a weight; and who must sign follows from the route.
#[test]
fn a_lift_without_a_load_and_a_prescription_without_a_route_stop_a_submission() {
    let mut desk = Desk::new();
    let lift = desk.prescription.item(ItemKind::Stairlift);
    let rail = desk.prescription.item(ItemKind::GrabRail);
    let missing = |desk: &Desk| -> Vec<(Option<Key>, &str)> {
        let findings = of_prescription(document(PRESCRIPTION), &desk.prescription.view(), &BTreeMap::new(), None);
        let missing = |finding: Finding| match finding.what {
            What::Missing { field } => Some((finding.item, field.name())),
            _ => None,
        };
        findings.into_iter().filter(Finding::blocks).filter_map(missing).collect()
    };
    assert_eq!(missing(&desk), [(None, "prescription.route"), (Some(lift), "item.required-load")]);
    desk.prescription.say(None, "prescription.route", Value::Choice("dfg".to_owned()));
    desk.prescription.say(Some(lift), "item.required-load", Value::Number(160));
    assert_eq!(missing(&desk), []);
    assert!(desk.prescription.view().is_current(rail));
}

#[test]
fn nothing_prescribed_stops_a_submission() {
    let mut desk = Desk::new();
    assert_eq!(desk.found(), [What::NothingPrescribed]);
    assert!(desk.findings()[0].blocks());
    desk.prescription.item(ItemKind::Ramp);
    assert_eq!(desk.found(), []);
}

#[test]
fn rooms_that_measure_alike_are_asked_about_until_they_are_joined() {
    let mut ann = Tablet::new(Kind::Home, 1);
    for room in ["bedroom-1", "bedroom-2"] {
        ann.measure(&format!("{room}/door-1"), 712);
        for (measure, value) in [("bed-height", 450), ("bed-length", 1900)] {
            assert_eq!(found(&ann), []);
            ann.add(Body::Reading(reading(&format!("{room}/bed-1"), measure, value)));
        }
    }
    let [one, other] = ["bedroom-1", "bedroom-2"].map(|room| room.parse().unwrap());
    assert_eq!(found(&ann), [What::RoomsAlike { one, other }]);
    let mut joined = ann.clone();
    joined.join("bedroom-2", "bedroom-1");
    assert_eq!(found(&joined), []);
    ann.measure("bedroom-2/door-1", 640);
    assert!(!found(&ann).iter().any(|what| matches!(what, What::RoomsAlike { .. })), "one length tells them apart");
}

#[test]
fn rooms_are_alike_by_what_was_measured_in_both() {
    let one = [(1, 700), (3, 450), (4, 1900), (9, 60)];
    assert!(are_alike(&one, &[(0, 1), (1, 705), (3, 445), (5, 7), (9, 60)]));
    assert!(!are_alike(&one, &[(1, 700), (3, 450), (5, 7)]), "two alike can be chance");
    assert!(!are_alike(&one, &[(1, 700), (3, 450), (4, 1900), (9, 66)]), "one tells them apart");
    assert!(!are_alike(&one, &[]) && !are_alike(&[], &one));
}

/// Invariant 6: thousands of readings of one place and as many citations of them, in a few hundred bytes each.
#[test]
fn thousands_of_citations_of_one_place_are_judged_in_moments() {
    let mut desk = Desk::new();
    let mut device = 70;
    let mut add_all = |tablet: &mut Tablet, bodies: Vec<Body>| {
        device += 1;
        let keys: Vec<Key> = (1..).map(|counter| Key { device, counter }).take(bodies.len()).collect();
        let edits: Vec<Edit> = bodies.into_iter().map(Edit::Add).collect();
        tablet
            .document
            .edit([u8::try_from(device).unwrap(); 16], tablet.by, stamp(), &mut keys.iter().copied(), &edits)
            .unwrap();
        keys
    };
    let readings = (0..8_000).map(|at| Body::Reading(reading("bathroom-1/door-1", "door-clear-width", 700 + at % 5)));
    let keys = add_all(&mut desk.home, readings.collect());
    let widenings = keys.chunks(50).map(|_| Body::Item(Item { kind: ItemKind::DoorWidening }));
    let items = add_all(&mut desk.prescription, widenings.collect());
    let widths = items.iter().zip(keys.chunks(50)).map(|(item, keys)| {
        let cites = keys.iter().map(|key| cite(document(HOME), *key)).collect();
        let value = Value::Dimension(Dimension { mm: 850, tolerance: Tolerance::Min, cites });
        Body::Fact(Fact { item: Some(*item), field: width(), value, supersedes: vec![] })
    });
    add_all(&mut desk.prescription, widths.collect());
    let others = BTreeMap::from([(document(HOME), desk.home.view())]);
    let view = desk.prescription.view();
    let clock = SystemClock::new();
    let findings = of_prescription(document(PRESCRIPTION), &view, &others, None);
    let took = clock.elapsed();
    assert!(!findings.iter().any(|finding| matches!(finding.what, What::Cited { .. })));
    assert!(took < 2_000, "took {took} ms");
}

#[test]
fn doors_hinged_on_the_same_side_do_not_make_rooms_alike() {
    let mut ann = Tablet::new(Kind::Home, 1);
    for room in ["bedroom-1", "bedroom-2"] {
        for door in 1..=3 {
            ann.add(Body::Reading(reading(&format!("{room}/door-{door}"), "door-hinge-side", 0)));
        }
    }
    assert_eq!(found(&ann), []);
}

#[test]
fn reasoning_two_authors_wrote_at_once_is_read_before_it_is_submitted() {
    let (mut ann, mut ben) = (Tablet::new(Kind::Prescription, 1), Tablet::new(Kind::Prescription, 2));
    ann.write(SharedText::Reasoning, 0, "She falls. ");
    ben.write(SharedText::Reasoning, 0, "She does not fall. ");
    ann.meet(&mut ben);
    let mixed = What::MixedText { text: SharedText::Reasoning, paragraph: 1 };
    assert_eq!(found(&ann), std::slice::from_ref(&mixed));
    assert!(Finding::of(document(PRESCRIPTION), None, mixed).blocks());
    let heads = ann.document.heads();
    ann.read(SharedText::Reasoning, heads);
    assert_eq!(found(&ann), []);
}

#[test]
fn records_of_a_newer_version_are_counted_never_lost() {
    let mut view = Tablet::new(Kind::Home, 1).view();
    view.unread.insert(Key { device: 4, counter: 4 });
    let finding = Finding::of(document(HOME), None, What::Unread { records: 1 });
    assert!(of_document(document(HOME), &view).contains(&finding) && finding.blocks());
    view.unread.clear();
    assert!(!of_document(document(HOME), &view).contains(&finding));
}

#[test]
fn every_finding_is_told_in_words() {
    let mut desk = Desk::new();
    let key = desk.home.measure("bathroom-1/door-1", 71);
    desk.widening(Tolerance::Min, &[key]);
    desk.home.strike(key);
    let said: Vec<String> = desk.findings().iter().map(ToString::to_string).collect();
    assert_eq!(said, ["Clear opening width required cites a record (1.1) that was struck"]);
}
