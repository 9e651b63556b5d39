//! Fields of the clinical assessment: visit, consent and capacity, person, household and carers, wishes, risks,
//! options, actions; goals and referrals as items. Never Housing's.

use super::ValueKind::{self, Choice, Choices, Date, Flag};
use super::{FieldSpec, LINE, PARAGRAPH, SHORT, YES_NO_UNSURE, count, kg, mm, number, pence};
use crate::domain::kind::Kind;
use crate::domain::vocabulary::Unit;
use crate::domain::vocabulary::item::ItemKind;

pub(super) const fn clinical(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    FieldSpec::new(&[Kind::Clinical], name, label, value)
}

const fn outcome(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    clinical(name, label, value).of(&[ItemKind::Outcome])
}

const fn referral(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    clinical(name, label, value).of(&[ItemKind::Referral])
}

const fn score(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    clinical(name, label, value).of(&[ItemKind::ToolScore])
}

/// The ten outcomes of the Care and Support (Eligibility Criteria) Regulations 2015, reg 2(2).
pub(super) const CARE_ACT_OUTCOMES: &[&str] = &[
    "nutrition",
    "personal-hygiene",
    "toilet-needs",
    "appropriately-clothed",
    "use-of-home-safely",
    "habitable-home",
    "relationships",
    "work-training-education-volunteering",
    "community-facilities",
    "caring-for-a-child",
];

const CONSENT: ValueKind = Choice(&["given", "refused", "withdrawn", "not-asked"]);
const TRIGGER: ValueKind = Choice(&["triggered", "not-triggered", "declined"]);
const RISK: ValueKind = Choice(&["none", "low", "medium", "high", "not-assessed"]);
const SENSE: ValueKind =
    Choice(&["no-difficulty", "some-difficulty", "severe-difficulty", "total-loss", "not-assessed"]);

#[rustfmt::skip] // one field a line
pub(super) const FIELDS: &[FieldSpec] = &[
    // 1. Visit. The reason for a carer's absence is missed only when no carer was there: a finding, not a need.
    clinical("visit.date", "Date of visit", Date).expected(),
    clinical("visit.start-time", "Start, HH:MM", ValueKind::Text { most: 5 }),
    clinical("visit.end-time", "End, HH:MM", ValueKind::Text { most: 5 }),
    clinical("visit.lead-assessor", "Lead assessor", ValueKind::Person).expected(),
    clinical("visit.others-present", "Others present", LINE),
    clinical("visit.carer-present", "Carer present", Flag).expected(),
    clinical("visit.carer-absent-reason", "Why no carer was present", LINE),
    clinical("visit.interpreter", "Interpreter", Choice(&["not-needed", "professional", "sign-language", "family-or-friend", "telephone", "needed-not-present"])),
    clinical("visit.language", "Language", SHORT),
    clinical("visit.identity-checks", "Identity checked by (two of these)", Choices(&["name", "date-of-birth", "address", "nhs-number", "photo-identity", "known-to-assessor"])).expected(),
    clinical("visit.address-confirmed", "Address confirmed on site", Flag).expected(),
    clinical("visit.uprn-confirmed", "UPRN confirmed on site", Flag),
    // 2. Consent and capacity: each consent separate, dated, withdrawable
    clinical("consent.assess", "Consent to assessment", CONSENT).expected(),
    clinical("consent.assess-date", "Consent to assessment: date", Date),
    clinical("consent.photos", "Consent to photos", CONSENT).expected(),
    clinical("consent.photos-date", "Consent to photos: date", Date),
    clinical("consent.share-housing", "Consent to share with Housing", CONSENT).expected(),
    clinical("consent.share-housing-date", "Consent to share with Housing: date", Date),
    clinical("consent.share-contractor", "Consent to share with the contractor", CONSENT),
    clinical("consent.share-contractor-date", "Consent to share with the contractor: date", Date),
    clinical("consent.share-store", "Consent to share with the equipment store", CONSENT),
    clinical("consent.share-store-date", "Consent to share with the equipment store: date", Date),
    clinical("consent.given-by", "Consent given by", Choice(&["client", "parent", "attorney", "deputy", "best-interests"])),
    clinical("capacity.decision", "Capacity: for which decision", LINE),
    clinical("capacity.outcome", "Capacity for that decision", Choice(&["not-in-doubt", "has-capacity", "lacks-capacity", "fluctuates"])).expected(),
    clinical("capacity.assessed-on", "Capacity assessed on", Date),
    clinical("capacity.basis", "Capacity: basis of the finding", PARAGRAPH),
    clinical("capacity.representative", "Lasting power of attorney or deputy", Choice(&["none", "attorney-welfare", "attorney-property", "attorney-both", "deputy-welfare", "deputy-property", "deputy-both", "not-known"])),
    clinical("capacity.representative-seen", "Attorney's or deputy's papers seen", Flag),
    clinical("best-interests.decision", "Best-interests decision", PARAGRAPH),
    clinical("best-interests.consulted", "Best interests: who was consulted", LINE),
    clinical("best-interests.date", "Best-interests decision: date", Date),
    // 3. Person
    clinical("person.diagnoses", "Diagnoses", PARAGRAPH).expected(),
    clinical("person.prognosis", "Prognosis", Choice(&["stable", "improving", "fluctuating", "progressive", "end-of-life", "not-known"])).expected(),
    clinical("person.height", "Height", mm(500, 2300)),
    clinical("person.weight", "Weight", kg(10, 350)).expected(),
    clinical("person.weight-method", "Weight: how known", Choice(&["weighed", "record", "told", "estimated"])),
    clinical("person.weight-date", "Weight: as of", Date),
    clinical("person.wheelchair", "Wheelchair", Choice(&["none", "manual-self", "manual-attendant", "powered", "scooter", "buggy"])),
    clinical("person.wheelchair-weight", "Wheelchair weight", kg(5, 250)),
    clinical("person.seated-width", "Overall width seated in the wheelchair", mm(400, 1200)),
    clinical("person.seated-length", "Overall length seated in the wheelchair", mm(600, 1800)),
    clinical("person.seated-height", "Overall height seated in the wheelchair", mm(800, 1700)),
    clinical("person.seat-height", "Wheelchair seat height", mm(300, 750)),
    clinical("person.knee-height", "Knee height, seated", mm(300, 900)),
    clinical("person.seated-reach", "Reach, seated, from the floor", mm(300, 1800)),
    clinical("person.popliteal-height", "Lower leg length (popliteal height)", mm(200, 650)),
    clinical("person.hip-width", "Hip width, seated", mm(200, 900)),
    clinical("person.dominant-hand", "Dominant hand", Choice(&["left", "right", "both"])),
    clinical("person.affected-side", "Affected side", Choice(&["left", "right", "both", "none"])),
    clinical("person.vision", "Vision", SENSE),
    clinical("person.hearing", "Hearing", SENSE),
    clinical("person.cognition", "Cognition", SENSE),
    clinical("person.communication", "Communication", LINE),
    clinical("person.continence", "Continence", Choice(&["continent", "urine", "bowel", "both", "catheter", "stoma", "not-assessed"])),
    clinical("person.skin", "Skin", Choice(&["intact", "at-risk", "pressure-damage", "not-assessed"])),
    clinical("person.pain", "Pain", LINE),
    clinical("person.falls-12-months", "Falls in 12 months", count(0, 365)).expected(),
    clinical("person.falls-detail", "Falls: how and where", PARAGRAPH),
    clinical("person.medication", "Medication affecting function", LINE),
    clinical("person.other-services", "Other services involved", LINE),
    // 4. Household and carers
    clinical("household.adults", "Adults living in the home", count(0, 20)),
    clinical("household.children", "Children living in the home", count(0, 15)),
    clinical("household.others", "Who lives in the home", LINE),
    clinical("household.pets", "Pets", LINE),
    clinical("carer.name", "Carer's name", SHORT),
    clinical("carer.relationship", "Carer's relationship to the client", Choice(&["partner", "parent", "child", "other-relative", "friend-or-neighbour", "paid-carer", "none"])).expected(),
    clinical("carer.lives-with", "Carer lives in the home", Flag),
    clinical("carer.hours", "Care given, hours a week", count(0, 168)),
    clinical("carer.ability", "Carer's ability", LINE),
    clinical("carer.health", "Carer's health", LINE),
    clinical("carer.tasks", "What the carer does", LINE),
    clinical("carer.assessment-trigger-screening", "Carer's assessment: at screening", TRIGGER).expected(),
    clinical("carer.assessment-trigger-assessment", "Carer's assessment: at assessment", TRIGGER).expected(),
    // 5. Wishes and outcomes. Views in people's own words are notes.
    clinical("client.feels-safe-and-secure", "Feels safe and secure at home", YES_NO_UNSURE).expected(),
    clinical("client.priorities", "What matters most to the client", PARAGRAPH).expected(),
    clinical("client.disagrees", "Client disagrees with the plan", Flag).expected(),
    clinical("client.disagrees-reason", "Why the client disagrees", PARAGRAPH),
    clinical("carer.disagrees", "Carer disagrees with the plan", Flag),
    clinical("carer.disagrees-reason", "Why the carer disagrees", PARAGRAPH),
    clinical("client.self-assessed", "Client assessed themselves", Choice(&["alone", "with-support", "declined", "not-offered"])),
    outcome("outcome.goal", "Goal, in the client's words", LINE).expected(),
    outcome("outcome.care-act", "Care Act outcomes", Choices(CARE_ACT_OUTCOMES)),
    outcome("outcome.importance", "Importance to the client", number(Unit::Score, 0, 10)),
    outcome("outcome.before", "Score before", number(Unit::Score, 0, 10)).expected(),
    outcome("outcome.before-date", "Score before: date", Date),
    outcome("outcome.after", "Score after", number(Unit::Score, 0, 10)),
    outcome("outcome.after-date", "Score after: date", Date),
    outcome("outcome.scored-by", "Scored by", Choice(&["client", "client-with-support", "carer", "assessor"])),
    outcome("outcome.intervention", "What was done towards it", LINE),
    // Scores of named tools, never their items' text, which is others' copyright
    clinical("score.barthel", "Barthel Index, total", count(0, 100)),
    clinical("score.home-fast", "HOME FAST, total", count(0, 25)),
    clinical("score.other-tool", "Other tool: name and version", SHORT),
    clinical("score.other-total", "Other tool: total", count(0, 1000)),
    score("tool-score.tool", "Tool: name and version", SHORT).expected(),
    score("tool-score.total", "Tool: total", count(0, 1000)).expected(),
    score("tool-score.date", "Tool: date", Date).expected(),
    score("tool-score.point", "Tool: when in the intervention", Choice(&["before", "after", "review"])),
    // Screening and eligibility
    clinical("eligibility.scheme", "Eligibility scheme", Choice(&["care-act-2014", "facs"])),
    clinical("eligibility.scheme-version", "Eligibility scheme: version", SHORT),
    clinical("eligibility.result", "Eligibility", Choice(&["eligible", "not-eligible", "critical", "substantial", "moderate", "low"])),
    clinical("eligibility.outcomes-not-achieved", "Outcomes not achieved", Choices(CARE_ACT_OUTCOMES)),
    clinical("eligibility.wellbeing-impact", "Significant impact on well-being", YES_NO_UNSURE),
    clinical("eligibility.checked-by", "Eligibility checked by", ValueKind::Person),
    // The review (B 4.4): eligibility assessed again, change in need, revised indicative budget
    clinical("review.eligibility", "Review: eligibility", Choice(&["eligible", "not-eligible", "critical", "substantial", "moderate", "low"])),
    clinical("review.change-in-need", "Review: change in need", PARAGRAPH),
    clinical("review.indicative-budget", "Review: revised indicative budget", pence(100_000_000)),
    // 10. Risks. Safeguarding is in the restricted document; risks to visitors are in the home.
    clinical("risk.falls", "Risk of falls", RISK).expected(),
    clinical("risk.falls-detail", "Risk of falls: detail", LINE),
    clinical("risk.moving-and-handling", "Moving and handling risk", RISK).expected(),
    clinical("risk.moving-and-handling-detail", "Moving and handling risk: detail", LINE),
    clinical("risk.fire", "Fire risk", RISK),
    clinical("risk.fire-detail", "Fire risk: detail", LINE),
    clinical("risk.hoarding", "Hoarding", RISK),
    clinical("risk.hoarding-detail", "Hoarding: detail", LINE),
    clinical("risk.pressure-care", "Pressure care risk", RISK),
    clinical("risk.pressure-care-detail", "Pressure care risk: detail", LINE),
    clinical("risk.infection", "Infection risk", RISK),
    clinical("risk.infection-detail", "Infection risk: detail", LINE),
    clinical("risk.violence", "Risk of violence", RISK),
    clinical("risk.violence-detail", "Risk of violence: detail", LINE),
    clinical("risk.self-neglect", "Self-neglect", RISK),
    clinical("risk.self-neglect-detail", "Self-neglect: detail", LINE),
    clinical("risk.without-adaptation", "Risk if nothing is adapted", PARAGRAPH).expected(),
    clinical("risk.interim-measures", "Interim measures", PARAGRAPH).expected(),
    // 12. Options considered
    clinical("options.considered", "Options considered", Choices(&["technique", "rearrangement", "equipment", "minor-adaptation", "major-adaptation", "rehousing", "care", "technology", "private-purchase", "nothing"])).expected(),
    clinical("options.equipment", "Equipment: outcome", LINE),
    clinical("options.rearrangement", "Rearrangement: outcome", LINE),
    clinical("options.rehousing", "Rehousing: outcome", LINE),
    clinical("options.chosen", "Option chosen", Choice(&["technique", "rearrangement", "equipment", "minor-adaptation", "major-adaptation", "rehousing", "care", "technology", "private-purchase", "nothing"])),
    clinical("options.why-chosen", "Why it is necessary and appropriate", PARAGRAPH).expected(),
    clinical("options.long-term", "Suitability in the long term", PARAGRAPH),
    clinical("options.private-purchase-advice", "Advice on private purchase given", Flag),
    // 13. Actions
    clinical("actions.advice", "Advice given", PARAGRAPH),
    clinical("actions.information-given", "Information given", Choices(&["role-of-ot", "standards", "complaints", "dfg-times", "expiry-dates", "alternative-providers", "deterioration-contact", "directory", "means-test", "private-purchase"])).expected(),
    clinical("actions.next-contact", "Next contact", Date).expected(),
    clinical("actions.review-date", "Review", Date),
    clinical("actions.named-contact", "Named contact for the client", ValueKind::Person),
    referral("referral.to", "Referred to", Choice(&["reablement", "wheelchair-service", "physiotherapy", "sensory-team", "district-nurse", "gp", "falls-service", "fire-service", "housing-options", "handyperson", "benefits-advice", "carers-centre", "speech-and-language", "social-work", "telecare", "other"])).expected(),
    referral("referral.to-detail", "Referred to: detail", SHORT),
    referral("referral.reason", "Reason", LINE).expected(),
    referral("referral.date", "Referred on", Date),
    referral("referral.consent", "Consent to the referral", CONSENT),
    referral("referral.result", "Result", LINE),
];
