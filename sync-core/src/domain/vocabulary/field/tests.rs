use std::collections::BTreeSet;

use super::*;
use crate::domain::vocabulary::item::PRESCRIBED;

fn spec(name: &str) -> &'static FieldSpec {
    Field::named(name).unwrap_or_else(|| panic!("{name} is not a field")).spec()
}

#[test]
fn names_are_unique_and_a_group_dot_name_in_lower_case_kebab() {
    let names: Vec<_> = Field::all().map(Field::name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "a name twice");
    for name in names {
        assert!(name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.')), "{name}");
        assert!(name.contains('.') && name.split('.').all(|word| !word.is_empty()), "{name}");
        assert!(name.len() <= 64, "{name}");
        assert_eq!(Field::named(name).unwrap().name(), name);
    }
    assert_eq!(Field::named("person.shoe-size"), None);
}

#[test]
fn ranges_are_ordered_and_choices_are_unique_words() {
    for field in Field::all() {
        let spec = field.spec();
        assert!(!spec.label.is_empty() && !spec.kinds.is_empty(), "{field}");
        match spec.value {
            ValueKind::Number { plausible, .. } => assert!(plausible.0 < plausible.1, "{field}"),
            ValueKind::Dimension { plausible } => assert!(plausible.0 < plausible.1, "{field}"),
            ValueKind::Text { most } => assert!((1..=4000).contains(&most), "{field}"),
            ValueKind::Choice(words) | ValueKind::Choices(words) => {
                assert!(words.len() > 1, "{field}");
                assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "{field}");
                for word in words {
                    assert!(
                        word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')),
                        "{field} {word}"
                    );
                }
            }
            ValueKind::Flag | ValueKind::Date | ValueKind::Cites | ValueKind::Person | ValueKind::Place => {}
        }
    }
}

#[test]
fn a_field_of_an_item_stands_in_the_items_kind_of_document() {
    for field in Field::all() {
        if let Of::Item(items) = field.spec().of {
            assert!(!items.is_empty(), "{field}");
            for item in items {
                assert_eq!(field.spec().kinds, [item.kind_of_document()], "{field}");
            }
        }
    }
}

#[test]
fn only_a_prescription_has_a_specification_and_a_justification() {
    for field in Field::all() {
        let spec = field.spec();
        assert_eq!(spec.part == Part::Whole, spec.kinds != [Kind::Prescription], "{field}");
        assert!(matches!(spec.value, ValueKind::Dimension { .. }) <= (spec.part == Part::Specification), "{field}");
        if let Need::ExpectedOn(routes) = spec.need {
            assert!(routes.iter().all(|route| ROUTES.contains(route)), "{field}");
        }
    }
}

#[test]
fn nothing_clinical_is_in_a_specification() {
    for name in [
        "prescription.client-weight",
        "prescription.carer-view",
        "prescription.alternatives",
        "prescription.client-agrees",
        "prescription.client-handing",
        "item.reasoning",
        "stairlift.user-control",
        "extension.existing-space",
    ] {
        assert_eq!(spec(name).part, Part::Justification, "{name}");
    }
    for name in ["prescription.need", "prescription.route", "item.required-load", "item.purposes", "stairlift.side"] {
        assert_eq!(spec(name).part, Part::Specification, "{name}");
    }
}

#[test]
fn who_may_read_decides_where_a_field_stands() {
    for (prefix, kind) in [
        ("visit.", Kind::Clinical),
        ("consent.", Kind::Clinical),
        ("capacity.", Kind::Clinical),
        ("person.", Kind::Clinical),
        ("household.", Kind::Clinical),
        ("carer.", Kind::Clinical),
        ("client.", Kind::Clinical),
        ("function.", Kind::Clinical),
        ("score.", Kind::Clinical),
        ("outcome.", Kind::Clinical),
        ("risk.", Kind::Clinical),
        ("options.", Kind::Clinical),
        ("actions.", Kind::Clinical),
        ("property.", Kind::Home),
        ("access.", Kind::Home),
        ("equipment.", Kind::Home),
        ("visitor-risk.", Kind::Home),
        ("safeguarding.", Kind::Restricted),
        ("domestic-abuse.", Kind::Restricted),
        ("carer-assessment.", Kind::Restricted),
        ("survey.", Kind::Survey),
        ("check.", Kind::Survey),
        ("alternative.", Kind::Survey),
        ("prescription.", Kind::Prescription),
        ("item.", Kind::Prescription),
    ] {
        let fields: Vec<_> = Field::all().filter(|field| field.name().starts_with(prefix)).collect();
        assert!(!fields.is_empty(), "{prefix}");
        assert!(fields.iter().all(|field| field.spec().kinds == [kind]), "{prefix}");
    }
    assert_eq!(Field::all().filter(|field| field.spec().kinds.contains(&Kind::Thread)).count(), 0);
}

#[test]
fn what_the_council_must_always_ask_is_expected() {
    for name in [
        "visit.carer-present",
        "client.feels-safe-and-secure",
        "carer.assessment-trigger-screening",
        "carer.assessment-trigger-assessment",
        "person.weight",
        "client.disagrees",
        "prescription.route",
        "prescription.need",
    ] {
        assert_eq!(spec(name).need, Need::Expected, "{name}");
    }
    let purposes = spec("item.purposes");
    assert!(purposes.is_expected(Some("dfg"), None));
    assert!(!purposes.is_expected(Some("minor"), None) && !purposes.is_expected(None, None));
    assert_eq!(purposes.value, ValueKind::Choices(PURPOSES));
    assert_eq!(PURPOSES.len(), 12);
}

#[test]
fn every_type_of_prescription_specifies_what_its_trade_needs() {
    let needed: &[(ItemKind, &str)] = &[
        (
            ItemKind::LevelAccessShower,
            "floor area-length area-width door-clear-width fall drainage screening seat seat-side seat-height rails control control-height control-side head-lowest head-highest basin-re-siting wc-re-siting flooring heating extractor lighting wall-strengthening bath-removed",
        ),
        (ItemKind::OverBathShower, "control control-side screen rails bath-aid"),
        (
            ItemKind::Stairlift,
            "track side seating seat-height seat-width footrest-clearance rail park-position control-side stairs clear-width-remaining call-stations second-user user-control",
        ),
        (
            ItemKind::ThroughFloorLift,
            "room-below room-above car-length car-width carries door-side-below door-side-above controls structure fire-stopping egress",
        ),
        (
            ItemKind::Ramp,
            "construction start-level finish-level total-rise total-going flight-rise flight-going width landing-top landing-bottom landing-intermediate landing-turn kerb-height rail-sides rail-height rail-second-height surface threshold door-swing guarding",
        ),
        (ItemKind::HalfSteps, "steps rise tread-depth width fixing rail-side rail-length rail-height"),
        (
            ItemKind::GrabRail,
            "wall orientation height height-point offset length diameter hand wall-type colour-contrast",
        ),
        (ItemKind::StairRail, "side height start-extension end-extension profile brackets newel"),
        (
            ItemKind::DoorWidening,
            "door current-clear-width required-clear-width operation threshold handles lintel nib",
        ),
        (
            ItemKind::CeilingTrackHoist,
            "rooms layout track-length spreader sling motor-side charge-point ceiling-construction door-header",
        ),
        (ItemKind::WashDryWc, "model height controls power water cistern rails transfer-side"),
        (
            ItemKind::Kitchen,
            "worktop-height worktop-lowest worktop-highest sink hob oven knee-height storage-highest aisle-width task-zone",
        ),
        (
            ItemKind::Extension,
            "brief facilities bed-space-length transfer-side hoist turning adjacency existing-space storey planning",
        ),
        (ItemKind::EquipmentItem, "name iso-9999 source delivery"),
    ];
    assert_eq!(needed.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), PRESCRIBED);
    for (kind, names) in needed {
        for name in names.split(' ') {
            let full = format!("{kind}.{name}");
            assert!(spec(&full).applies_to(Kind::Prescription, Some(*kind)), "{full}");
        }
        let dimensions = Field::of(Kind::Prescription, Some(*kind))
            .filter(|field| matches!(field.spec().value, ValueKind::Dimension { .. }));
        assert!(dimensions.count() >= 2, "{kind}");
        for common in ["item.place", "item.purposes", "item.required-load", "item.photos"] {
            assert!(spec(common).applies_to(Kind::Prescription, Some(*kind)), "{kind} {common}");
        }
    }
    assert!(!spec("grab-rail.height").applies_to(Kind::Prescription, Some(ItemKind::Ramp)));
    assert!(!spec("grab-rail.height").applies_to(Kind::Prescription, None));
}

#[test]
fn every_kind_of_item_has_fields() {
    for item in ItemKind::ALL {
        assert!(Field::of(item.kind_of_document(), Some(*item)).count() > 3, "{item}");
    }
}

#[test]
fn every_activity_is_asked_alike() {
    let activities: BTreeSet<_> =
        Field::all().filter_map(|field| field.name().strip_prefix("function.")?.strip_suffix(".level")).collect();
    assert_eq!(activities.len(), 23);
    for activity in activities {
        for aspect in ["pain", "risk", "time", "fluctuates", "outcome"] {
            assert!(Field::named(&format!("function.{activity}.{aspect}")).is_some(), "{activity} {aspect}");
        }
    }
}

#[test]
fn a_field_travels_by_name_and_an_unknown_one_is_refused() {
    for field in Field::all() {
        let bytes = minicbor::to_vec(field).unwrap();
        assert_eq!(bytes, minicbor::to_vec(field.name()).unwrap());
        assert_eq!(minicbor::decode::<Field>(&bytes).unwrap(), field);
        let json = serde_json::to_string(&field).unwrap();
        assert_eq!(serde_json::from_str::<Field>(&json).unwrap(), field);
    }
    let error = minicbor::decode::<Field>(&minicbor::to_vec("person.shoe-size").unwrap()).unwrap_err();
    assert!(error.is_custom());
    assert!(serde_json::from_str::<Field>("\"person.shoe-size\"").is_err());
}
