//! Fields of a prescription's header (domain: the common header of every prescription) and those every prescribed
//! item has. The shared reasoning is a text beside them, not a field.

use super::ValueKind::{self, Choice, Choices, Cites, Date};
use super::{FieldSpec, LINE, Need, PARAGRAPH, PLACE, Part, count, kg, pence};
use crate::domain::kind::Kind;
use crate::domain::vocabulary::item::{ItemKind, LIFTS, PRESCRIBED};

/// A field of the specification, which Housing reads once signed.
const fn specified(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    FieldSpec { part: Part::Specification, ..FieldSpec::new(&[Kind::Prescription], name, label, value) }
}

/// A field of the justification, which Housing never reads.
const fn justified(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    FieldSpec { part: Part::Justification, ..specified(name, label, value) }
}

/// A field of the specification of items of these kinds.
pub(super) const fn item(
    items: &'static [ItemKind],
    name: &'static str,
    label: &'static str,
    value: ValueKind,
) -> FieldSpec {
    specified(name, label, value).of(items)
}

/// A field of the justification of items of these kinds.
pub(super) const fn reason(
    items: &'static [ItemKind],
    name: &'static str,
    label: &'static str,
    value: ValueKind,
) -> FieldSpec {
    justified(name, label, value).of(items)
}

/// The routes a prescription may take.
pub const ROUTES: &[&str] = &["equipment", "minor", "dfg", "discretionary", "landlord", "private"];

/// The purposes of the Housing Grants, Construction and Regeneration Act 1996, s.23(1), by their letters.
pub const PURPOSES: &[&str] = &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

#[rustfmt::skip] // one field a line
pub(super) const FIELDS: &[FieldSpec] = &[
    specified("prescription.route", "Route", Choice(ROUTES)).expected(),
    specified("prescription.need", "Need, in functional words", PARAGRAPH).expected(),
    specified("prescription.urgency", "Urgency", Choice(&["urgent", "non-urgent"])).expected(),
    specified("prescription.complexity", "Complexity", Choice(&["simple", "complex"])).expected(),
    specified("prescription.assessed-on", "Assessed on", Date).expected(),
    specified("prescription.cost", "Estimated cost", pence(15_000_000)).expected(),
    specified("prescription.readings", "Measurements cited", Cites),
    specified("prescription.photos", "Photos cited", Cites),
    specified("prescription.drawings", "Drawings", Cites),
    specified("prescription.site-meeting", "Must be at the site meeting", Choices(&["ot", "surveyor", "client", "carer", "contractor", "supplier", "landlord", "moving-and-handling-adviser"])),
    specified("prescription.during-works", "Needs of the household during works", LINE),
    specified("prescription.recheck-by", "Check again if works have not begun by", Date),
    justified("prescription.client-agrees", "Client agrees", Choice(&["agrees", "agrees-in-part", "disagrees", "best-interests"])).expected(),
    justified("prescription.client-disagrees-reason", "Why the client disagrees", PARAGRAPH),
    justified("prescription.carer-view", "Carer's view", PARAGRAPH),
    justified("prescription.alternatives", "Alternatives rejected, and why", PARAGRAPH).expected(),
    justified("prescription.client-weight", "Client's weight", kg(10, 350)),
    justified("prescription.client-weight-date", "Client's weight: as of", Date),
    justified("prescription.client-handing", "Client's stronger side", Choice(&["left", "right", "both", "not-relevant"])),
    justified("prescription.interim-measures", "Interim measures", PARAGRAPH),
    justified("prescription.long-term", "Suitability in the long term", PARAGRAPH),
    justified("prescription.risk-if-not-done", "Risk if it is not done", PARAGRAPH),
    // Every prescribed item
    item(PRESCRIBED, "item.place", "Where", PLACE).expected(),
    item(PRESCRIBED, "item.description", "What, in words", PARAGRAPH),
    item(PRESCRIBED, "item.quantity", "How many", count(1, 20)),
    FieldSpec { need: Need::ExpectedOn(&["dfg"]), ..item(PRESCRIBED, "item.purposes", "Purposes of s.23(1)", Choices(PURPOSES)) },
    FieldSpec { need: Need::ExpectedOf(LIFTS), ..item(PRESCRIBED, "item.required-load", "Required load: safe working load at least", kg(50, 500)) },
    item(PRESCRIBED, "item.need", "Need it meets, in functional words", PARAGRAPH),
    item(PRESCRIBED, "item.readings", "Measurements cited", Cites),
    item(PRESCRIBED, "item.photos", "Photos", Cites),
    item(PRESCRIBED, "item.drawings", "Drawings", Cites),
    item(PRESCRIBED, "item.cost", "Estimated cost", pence(15_000_000)),
    item(PRESCRIBED, "item.removal", "To be removed or made good", LINE),
    reason(PRESCRIBED, "item.reasoning", "Why this one is necessary and appropriate", PARAGRAPH),
    reason(PRESCRIBED, "item.alternatives", "Alternatives to this one rejected, and why", PARAGRAPH),
];
