//! Fields of the home: the property, the way in, equipment in place, risks to visitors. Housing reads none of it
//! but by a released projection.

use super::ValueKind::{self, Choice, Choices, Date};
use super::{FieldSpec, LINE, PARAGRAPH, PLACE, SHORT, YES_NO_UNSURE, count, kg};
use crate::domain::kind::Kind;
use crate::domain::vocabulary::item::ItemKind;

const fn home(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    FieldSpec::new(&[Kind::Home], name, label, value)
}

const fn equipment(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    home(name, label, value).of(&[ItemKind::Equipment])
}

const fn risk(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    home(name, label, value).of(&[ItemKind::VisitorRisk])
}

const WALLS: ValueKind = Choice(&[
    "solid-brick",
    "cavity-brick",
    "block",
    "stud",
    "lath-and-plaster",
    "dry-lining",
    "concrete",
    "timber-frame",
    "mixed",
    "not-known",
]);

#[rustfmt::skip] // one field a line
pub(super) const FIELDS: &[FieldSpec] = &[
    // The way in. A door code is a row of the server's, never here.
    home("access.instructions", "How to get in", LINE),
    home("access.parking", "Parking", LINE),
    home("access.contact", "Whom to ring before a visit", LINE),
    home("access.best-times", "Best times to visit", LINE),
    home("access.lone-working-risk", "Lone-working risk", Choice(&["none-known", "visit-in-pairs", "ring-before-and-after", "not-known"])).expected(),
    // The property
    home("property.tenure", "Tenure", Choice(&["owner", "council", "registered-provider", "private-rent", "houseboat", "caravan", "tied", "other"])).expected(),
    home("property.landlord-name", "Landlord", SHORT),
    home("property.landlord-contact", "Landlord's contact", LINE),
    home("property.landlord-consent", "Landlord's consent to works", Choice(&["not-needed", "not-asked", "asked", "given", "refused"])),
    home("property.dwelling-type", "Dwelling type", Choice(&["detached", "semi-detached", "terraced", "end-terrace", "bungalow", "flat", "maisonette", "sheltered", "extra-care", "houseboat", "caravan", "other"])).expected(),
    home("property.storey", "Storey of the entrance (ground is 0)", count(-2, 60)),
    home("property.storeys-within", "Storeys within the dwelling", count(1, 6)),
    home("property.bedrooms", "Bedrooms", count(0, 12)),
    home("property.communal-lift", "Communal lift", Choice(&["none", "working", "unreliable", "too-small", "not-needed"])),
    home("property.age-band", "Age of the building", Choice(&["pre-1919", "1919-1944", "1945-1964", "1965-1980", "1981-1999", "2000-or-later", "not-known"])).expected(),
    home("property.asbestos", "Asbestos (buildings before 2000)", Choice(&["not-expected", "possible", "known", "surveyed-clear", "not-known"])),
    home("property.listed", "Listed building", YES_NO_UNSURE),
    home("property.conservation-area", "Conservation area", YES_NO_UNSURE),
    home("property.external-walls", "External walls", WALLS),
    home("property.internal-walls", "Internal walls at fixing points", WALLS),
    home("property.ceiling-construction", "Ceiling construction and joist direction", LINE),
    home("property.floor-construction", "Floor construction", Choice(&["solid", "suspended-timber", "beam-and-block", "concrete-slab", "chipboard", "mixed", "not-known"])),
    home("property.water-pressure", "Water pressure", Choice(&["low", "adequate", "high", "not-known"])),
    home("property.water-supply", "Water supply and hot water", Choice(&["combi-boiler", "gravity-tank", "unvented-cylinder", "electric-only", "communal", "not-known"])),
    home("property.consumer-unit-spare-way", "Consumer unit has a spare way", YES_NO_UNSURE),
    home("property.drainage-position", "Position of drainage", LINE),
    home("property.heating", "Heating", Choice(&["gas-central", "electric-storage", "electric-direct", "oil", "communal", "heat-pump", "solid-fuel", "none", "other"])),
    home("property.smoke-alarm", "Smoke alarm working", YES_NO_UNSURE),
    home("property.telecare", "Telecare or community alarm", Choice(&["none", "in-use", "not-working", "declined"])),
    home("property.planned-move", "Move planned", Choice(&["no", "considering", "applied", "offer-made", "date-set", "not-known"])),
    home("property.planned-move-detail", "Planned move, in words", LINE),
    home("property.previous-adaptations", "Adaptations already made", PARAGRAPH),
    // Equipment in place
    equipment("equipment.description", "What it is", SHORT).expected(),
    equipment("equipment.iso-9999", "ISO 9999 code (cc ss dd)", ValueKind::Text { most: 8 }),
    equipment("equipment.place", "Where", PLACE),
    equipment("equipment.owner", "Owner", Choice(&["store", "nhs", "private", "landlord", "charity", "not-known"])).expected(),
    equipment("equipment.serial", "Serial number", SHORT),
    equipment("equipment.safe-working-load", "Safe working load", kg(50, 500)),
    equipment("equipment.last-service", "Last serviced", Date),
    equipment("equipment.last-loler", "Last LOLER examination", Date),
    equipment("equipment.condition", "Condition", Choice(&["good", "worn", "unsafe", "not-working"])),
    equipment("equipment.still-needed", "Still needed", YES_NO_UNSURE),
    equipment("equipment.photos", "Photos", ValueKind::Cites),
    // Risks to visitors
    risk("visitor-risk.kind", "Risk", Choice(&["dog", "other-animal", "violence", "aggression", "smoking", "infection", "hoarding", "unsafe-structure", "weapons", "location", "other"])).expected(),
    risk("visitor-risk.detail", "What to know", LINE),
    risk("visitor-risk.precautions", "Precautions", LINE).expected(),
    risk("visitor-risk.place", "Where", PLACE),
    risk("visitor-risk.review-by", "Review by", Date),
    risk("visitor-risk.shared-with", "May be told to", Choices(&["housing", "contractor", "store"])),
];
