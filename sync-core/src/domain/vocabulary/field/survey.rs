//! Fields of a survey: whether what is prescribed is reasonable and practicable having regard to the age and
//! condition of the dwelling (s.24(3)(b)), item by item, and what is proposed instead.

use super::ValueKind::{self, Choice, Choices, Cites, Date, Flag};
use super::{FieldSpec, LINE, PARAGRAPH, PLACE, SHORT, YES_NO_UNSURE, count, pence};
use crate::domain::kind::Kind;
use crate::domain::vocabulary::item::ItemKind;

const fn survey(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    FieldSpec::new(&[Kind::Survey], name, label, value)
}

const fn check(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    survey(name, label, value).of(&[ItemKind::ItemCheck])
}

const fn alternative(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    survey(name, label, value).of(&[ItemKind::Alternative])
}

const NEEDED: ValueKind = Choice(&["not-needed", "needed", "applied-for", "granted", "refused", "not-known"]);
const FEASIBLE: ValueKind = Choice(&["yes", "with-change", "no"]);

#[rustfmt::skip] // one field a line
pub(super) const FIELDS: &[FieldSpec] = &[
    survey("survey.date", "Date of survey", Date).expected(),
    survey("survey.surveyor", "Surveyor", ValueKind::Person).expected(),
    survey("survey.stage", "Survey", Choice(&["joint-visit", "feasibility", "schedule-of-works", "interim", "final-inspection"])),
    survey("survey.present", "Who was there", LINE),
    survey("survey.feasibility", "Reasonable and practicable, as a whole", FEASIBLE).expected(),
    survey("survey.feasibility-reasons", "Why", PARAGRAPH).expected(),
    survey("survey.dwelling-condition", "Age and condition of the dwelling", PARAGRAPH),
    survey("survey.category-1-hazards", "Category 1 hazards", Choices(&["none", "damp", "cold", "falls", "fire", "electrical", "structural", "asbestos", "gas", "sanitation", "other"])),
    survey("survey.building-regulations", "Building regulations", NEEDED),
    survey("survey.planning-permission", "Planning permission", NEEDED),
    survey("survey.listed-building-consent", "Listed building consent", NEEDED),
    survey("survey.party-wall", "Party wall notice", NEEDED),
    survey("survey.build-over", "Build-over agreement for a sewer", NEEDED),
    survey("survey.landlord-consent", "Landlord's consent", NEEDED),
    survey("survey.asbestos-survey", "Asbestos survey", NEEDED),
    survey("survey.structural-engineer", "Structural engineer", NEEDED),
    survey("survey.fire-safety", "Fire stopping and means of escape", LINE),
    survey("survey.electrics", "Electrics adequate", YES_NO_UNSURE),
    survey("survey.water-supply", "Water supply adequate", YES_NO_UNSURE),
    survey("survey.drainage", "Drainage practicable", YES_NO_UNSURE),
    survey("survey.site-access", "Access for works, storage, parking", LINE),
    survey("survey.decant", "Client must move out during works", YES_NO_UNSURE),
    survey("survey.duration-days", "Works expected to take, working days", count(0, 400)),
    survey("survey.estimated-cost", "Estimated cost", pence(15_000_000)),
    survey("survey.drawings", "Drawings", Cites),
    // Answers about one prescribed item
    check("check.item", "Prescribed item (its key)", SHORT).expected(),
    check("check.feasible", "Reasonable and practicable", FEASIBLE).expected(),
    check("check.reasons", "Why", PARAGRAPH).expected(),
    check("check.change-needed", "Change needed", PARAGRAPH),
    check("check.dimensions-agree", "Dimensions agree with the site", YES_NO_UNSURE),
    check("check.readings", "Own readings", Cites),
    check("check.photos", "Photos", Cites),
    check("check.building-regulations", "Building regulations", NEEDED),
    check("check.structure-adequate", "Structure and fixings adequate", YES_NO_UNSURE),
    check("check.services-adequate", "Water, power and drainage adequate", YES_NO_UNSURE),
    check("check.estimated-cost", "Estimated cost", pence(15_000_000)),
    check("check.needs-ot", "OT must see this before works", Flag),
    // What is proposed instead
    alternative("alternative.item", "Instead of (the prescribed item's key)", SHORT),
    alternative("alternative.place", "Where", PLACE),
    alternative("alternative.description", "What is proposed", PARAGRAPH).expected(),
    alternative("alternative.reasons", "Why", PARAGRAPH).expected(),
    alternative("alternative.readings", "Own readings", Cites),
    alternative("alternative.drawings", "Drawings and photos", Cites),
    alternative("alternative.estimated-cost", "Estimated cost", pence(15_000_000)),
    alternative("alternative.meets-need", "Believed to meet the need as written", YES_NO_UNSURE),
];
