//! Fields of the restricted document: safeguarding, domestic abuse, the carer's own assessment. Only its writer,
//! supervisors and people they name read it.

use super::ValueKind::{self, Choice, Choices, Date, Flag};
use super::{FieldSpec, LINE, PARAGRAPH, SHORT, count};
use crate::domain::kind::Kind;

const fn restricted(name: &'static str, label: &'static str, value: ValueKind) -> FieldSpec {
    FieldSpec::new(&[Kind::Restricted], name, label, value)
}

#[rustfmt::skip] // one field a line
pub(super) const FIELDS: &[FieldSpec] = &[
    restricted("safeguarding.concern", "Safeguarding concern", Flag),
    restricted("safeguarding.kinds", "Kinds of abuse or neglect", Choices(&["physical", "domestic", "sexual", "psychological", "financial", "modern-slavery", "discriminatory", "organisational", "neglect", "self-neglect"])),
    restricted("safeguarding.concerns-whom", "Whom it concerns", Choice(&["client", "carer", "child", "other-adult"])),
    restricted("safeguarding.detail", "What was seen or said", PARAGRAPH),
    restricted("safeguarding.immediate-action", "Done at once", LINE),
    restricted("safeguarding.referral", "Referral to the safeguarding team", Choice(&["made", "not-needed", "declined-by-person", "pending"])),
    restricted("safeguarding.referral-date", "Referred on", Date),
    restricted("safeguarding.referral-reference", "Safeguarding team's reference", SHORT),
    restricted("safeguarding.repeat-referrals", "Referrals before this one", count(0, 50)),
    restricted("safeguarding.person-views", "What the person wants to happen", PARAGRAPH),
    restricted("domestic-abuse.concern", "Domestic abuse", Flag),
    restricted("domestic-abuse.detail", "What was seen or said", PARAGRAPH),
    restricted("domestic-abuse.safe-contact", "Safe way to make contact", LINE),
    restricted("domestic-abuse.address-confidential", "Address must be kept confidential", Flag),
    restricted("domestic-abuse.risk-assessment", "Risk assessment done", Choice(&["done-standard", "done-medium", "done-high", "not-done", "declined"])),
    restricted("domestic-abuse.marac-referral", "Referral to MARAC", Choice(&["made", "not-needed", "pending"])),
    restricted("carer-assessment.date", "Carer's assessment: date", Date),
    restricted("carer-assessment.offered", "Carer's assessment offered", Choice(&["accepted", "declined", "done-before", "not-offered"])),
    restricted("carer-assessment.with-client", "Assessed", Choice(&["separately", "together-with-client"])),
    restricted("carer-assessment.willing", "Willing to go on caring", Choice(&["yes", "in-part", "no", "not-sure"])),
    restricted("carer-assessment.able", "Able to go on caring", Choice(&["yes", "in-part", "no", "not-sure"])),
    restricted("carer-assessment.hours", "Hours of care a week", count(0, 168)),
    restricted("carer-assessment.health-impact", "Impact on the carer's health", PARAGRAPH),
    restricted("carer-assessment.wellbeing-impact", "Impact on the carer's well-being", PARAGRAPH),
    restricted("carer-assessment.work-and-leisure", "Work, training, leisure", PARAGRAPH),
    restricted("carer-assessment.quality-of-life", "Carer's quality of life", Choice(&["very-good", "good", "fair", "bad", "very-bad"])),
    restricted("carer-assessment.moving-and-handling-training", "Moving and handling training", Choice(&["had", "wanted", "declined", "not-needed"])),
    restricted("carer-assessment.eligible", "Eligible for support", Choice(&["eligible", "not-eligible", "pending"])),
    restricted("carer-assessment.support-plan", "Support agreed", PARAGRAPH),
    restricted("carer-assessment.emergency-plan", "Plan if the carer cannot care", PARAGRAPH),
];
