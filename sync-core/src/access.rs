//! Who may see and change what: one table, one function.
//!
//! The device asks it to grey out, the server to decide, lists and searches to filter. Roles and relations are rows on
//! the server; rights are judged when something is received, in the server's order. What the table does not grant is
//! denied, and to the one who asked, unknown and denied look alike.

pub mod delegation;

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::domain::kind::Kind;

/// What someone is employed to do; one per account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Role {
    /// Occupational therapist; of another organisation: an agency OT.
    #[n(0)]
    Ot,
    /// OT assistant.
    #[n(1)]
    OtAssistant,
    /// Trusted assessor for simple equipment; may not prescribe yet.
    #[n(2)]
    TrustedAssessor,
    /// Senior OT: a supervisor.
    #[n(3)]
    SeniorOt,
    /// Principal OT: a supervisor.
    #[n(4)]
    PrincipalOt,
    /// Private OT, commissioned by Housing for single cases.
    #[n(5)]
    PrivateOt,
    /// DFG surveyor or technical officer.
    #[n(6)]
    Surveyor,
    /// Grants officer.
    #[n(7)]
    GrantsOfficer,
    /// Joint equipment store.
    #[n(8)]
    Store,
    /// Performance manager.
    #[n(9)]
    Performance,
    /// Auditor, Caldicott guardian.
    #[n(10)]
    Auditor,
    /// Council IT: accounts, devices, keys; sees no document.
    #[n(11)]
    Administrator,
}

/// Which side of the council someone works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Lane {
    /// Occupational therapy and all who are not Housing.
    #[n(0)]
    Council,
    /// Housing: never sees clinical notes.
    #[n(1)]
    Housing,
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role; the roles are: {list}", list = Role::ALL.map(Role::name).join(" "))]
pub struct NotARole(pub String);

impl Role {
    /// Every role.
    pub const ALL: [Self; 12] = [
        Self::Ot,
        Self::OtAssistant,
        Self::TrustedAssessor,
        Self::SeniorOt,
        Self::PrincipalOt,
        Self::PrivateOt,
        Self::Surveyor,
        Self::GrantsOfficer,
        Self::Store,
        Self::Performance,
        Self::Auditor,
        Self::Administrator,
    ];

    /// Its name in rows, JSON and at the console.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ot => "ot",
            Self::OtAssistant => "ot_assistant",
            Self::TrustedAssessor => "trusted_assessor",
            Self::SeniorOt => "senior_ot",
            Self::PrincipalOt => "principal_ot",
            Self::PrivateOt => "private_ot",
            Self::Surveyor => "surveyor",
            Self::GrantsOfficer => "grants_officer",
            Self::Store => "store",
            Self::Performance => "performance",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    /// Its lane.
    pub const fn lane(self) -> Lane {
        match self {
            Self::Surveyor | Self::GrantsOfficer => Lane::Housing,
            _ => Lane::Council,
        }
    }

    /// Whether the role supervises, and signs.
    pub const fn is_supervisor(self) -> bool {
        matches!(self, Self::SeniorOt | Self::PrincipalOt)
    }

    /// Whether the role may begin a case with a visit nobody planned. A private OT works by commission.
    pub const fn may_open_case(self) -> bool {
        matches!(self, Self::Ot | Self::OtAssistant | Self::SeniorOt | Self::PrincipalOt)
    }

    /// Whether the role carries an HCPC registration.
    pub const fn is_registered(self) -> bool {
        matches!(self, Self::Ot | Self::SeniorOt | Self::PrincipalOt | Self::PrivateOt)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = NotARole;
    fn from_str(text: &str) -> Result<Self, NotARole> {
        let known = Self::ALL.into_iter().find(|role| role.name() == text);
        known.ok_or_else(|| NotARole(text.chars().take(64).collect()))
    }
}

/// What ties someone to a case; a row that a person with the right to do so made, with a beginning and an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Relation {
    /// The case is theirs.
    #[n(0)]
    Allocated,
    /// A private OT's order to assess the case.
    #[n(1)]
    Commissioned,
    /// Their team holds the case.
    #[n(2)]
    Team,
    /// They stand in for the allocated OT.
    #[n(3)]
    Duty,
    /// The surveyor or grants officer of the case.
    #[n(4)]
    Assigned,
    /// An emergency, with a typed reason and a supervisor told.
    #[n(5)]
    BreakGlass,
}

impl Relation {
    /// Every relation.
    pub const ALL: [Self; 6] =
        [Self::Allocated, Self::Commissioned, Self::Team, Self::Duty, Self::Assigned, Self::BreakGlass];

    /// Its name in rows, JSON and at the console.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allocated => "allocated",
            Self::Commissioned => "commissioned",
            Self::Team => "team",
            Self::Duty => "duty",
            Self::Assigned => "assigned",
            Self::BreakGlass => "break_glass",
        }
    }

    /// Whether a device carries the case for this relation unasked. Reading is no copy: a team's cases are carried
    /// when chosen.
    pub const fn carries(self) -> bool {
        matches!(self, Self::Allocated | Self::Commissioned | Self::Assigned | Self::BreakGlass)
    }
}

impl FromStr for Relation {
    type Err = crate::id::NotAnId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|relation| relation.name() == text);
        known.ok_or_else(|| crate::id::NotAnId::new("a relation to a case", text))
    }
}

/// Someone before one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Their role.
    pub role: Role,
    /// Whether they are of the council's own organisation.
    pub of_council: bool,
    /// What ties them to the case today.
    pub relations: Vec<Relation>,
}

/// What is known of a document besides its kind, as far as it concerns the one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ties {
    /// They wrote it or were taken on as a co-author (of a prescription: its author; of a survey: its surveyor).
    pub author: bool,
    /// It belongs to a commission's assessment rather than the council's.
    pub of_commission: bool,
    /// It belongs to their own commission.
    pub own_commission: bool,
    /// They are named as someone who may read it.
    pub named: bool,
}

/// What someone wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Read a document, history and all: have it on a device.
    Read,
    /// Add to a document.
    Write,
    /// Begin a document of this kind in the case.
    Open,
    /// Read what a projection shows of it: released measurements, a signed specification.
    ReadProjection,
    /// Let Housing see the projection of the home, having the client's consent.
    Release,
    /// Say that the assessment which a clinical document records is complete.
    CompleteAssessment,
    /// Submit a prescription, or take the submission back.
    Submit,
    /// Return, reject or sign off a submitted prescription. Four eyes is judged apart, by the signed history.
    Decide,
    /// Recall a signed prescription.
    Recall,
    /// Decide what is reasonable and practicable, for Housing.
    SurveyDecision,
    /// Become a co-author of a prescription whose authors are gone. That they are is judged apart.
    TakeOver,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 11] = [
        Self::Read,
        Self::Write,
        Self::Open,
        Self::ReadProjection,
        Self::Release,
        Self::CompleteAssessment,
        Self::Submit,
        Self::Decide,
        Self::Recall,
        Self::SurveyDecision,
        Self::TakeOver,
    ];

    /// Its name at the console.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Open => "open",
            Self::ReadProjection => "read_projection",
            Self::Release => "release",
            Self::CompleteAssessment => "complete_assessment",
            Self::Submit => "submit",
            Self::Decide => "decide",
            Self::Recall => "recall",
            Self::SurveyDecision => "survey_decision",
            Self::TakeOver => "take_over",
        }
    }
}

/// What a row of the table asks of the one who wants to act, beside their role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tie {
    /// Nothing more: the role reaches every case.
    None,
    /// A council relation to the case: allocated, team, duty or break-glass.
    OtTeam,
    /// A council relation, and the document belongs to the council's own assessment.
    CouncilAssessment,
    /// A running commission for the case.
    Commissioned,
    /// A running commission, and the document belongs to it.
    OwnCommission,
    /// Assigned to the case.
    Assigned,
    /// Assigned, and the author.
    AssignedAuthor,
    /// A relation to the case, and the author.
    Author,
    /// A running commission, and the author.
    CommissionedAuthor,
    /// A relation to the case, and wrote it or is named in it.
    WriterOrNamed,
}

impl Tie {
    /// What it asks, in words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::None => "any case",
            Self::OtTeam => "allocated, team, duty or break_glass",
            Self::CouncilAssessment => "allocated, team, duty or break_glass, and of the council's own assessment",
            Self::Commissioned => "commissioned",
            Self::OwnCommission => "commissioned, and of that commission",
            Self::Assigned => "assigned",
            Self::AssignedAuthor => "assigned, and its author",
            Self::Author => "allocated, team, duty or break_glass, and its author",
            Self::CommissionedAuthor => "commissioned, and its author",
            Self::WriterOrNamed => "allocated, team, duty or break_glass, and its writer or named in it",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rule {
    /// Which kinds of document.
    pub kinds: &'static [Kind],
    /// Which actions.
    pub actions: &'static [Action],
    /// Which roles.
    pub roles: &'static [Role],
    /// Whether only those of the council's own organisation.
    pub of_council: bool,
    /// What else is asked.
    pub tie: Tie,
    /// The rule in words, as the one who is granted or audited reads it.
    pub because: &'static str,
}

const OT_TEAM: &[Role] = &[Role::Ot, Role::OtAssistant, Role::SeniorOt, Role::PrincipalOt];
const COUNCIL_OTS: &[Role] = &[Role::Ot, Role::SeniorOt, Role::PrincipalOt];
const SUPERVISORS: &[Role] = &[Role::SeniorOt, Role::PrincipalOt];
const PRIVATE_OT: &[Role] = &[Role::PrivateOt];
const SURVEYOR: &[Role] = &[Role::Surveyor];
const HOUSING: &[Role] = &[Role::Surveyor, Role::GrantsOfficer];

/// The table. Every right there is, in one place.
#[rustfmt::skip]
pub const TABLE: &[Rule] = &[
    Rule { kinds: &[Kind::Home], actions: &[Action::Read, Action::Write, Action::Open], roles: OT_TEAM, of_council: false, tie: Tie::OtTeam, because: "the OT team of a case keeps its home document" },
    Rule { kinds: &[Kind::Home], actions: &[Action::Read, Action::Write, Action::Open], roles: PRIVATE_OT, of_council: false, tie: Tie::Commissioned, because: "the commissioned private OT measures the home" },
    Rule { kinds: &[Kind::Home], actions: &[Action::Release], roles: COUNCIL_OTS, of_council: true, tie: Tie::OtTeam, because: "a council OT releases the home to Housing, with the client's consent" },
    Rule { kinds: &[Kind::Home], actions: &[Action::ReadProjection], roles: HOUSING, of_council: false, tie: Tie::Assigned, because: "Housing sees a released home's measurements and building photos" },

    Rule { kinds: &[Kind::Clinical], actions: &[Action::Read, Action::Write, Action::Open, Action::CompleteAssessment], roles: OT_TEAM, of_council: false, tie: Tie::CouncilAssessment, because: "the OT team writes the council's own assessment" },
    Rule { kinds: &[Kind::Clinical], actions: &[Action::Read, Action::Write, Action::Open, Action::CompleteAssessment], roles: PRIVATE_OT, of_council: false, tie: Tie::OwnCommission, because: "a private OT writes their own commissioned assessment" },

    Rule { kinds: &[Kind::Restricted], actions: &[Action::Open], roles: OT_TEAM, of_council: false, tie: Tie::OtTeam, because: "anyone of the council lane on the case may record what is restricted" },
    Rule { kinds: &[Kind::Restricted], actions: &[Action::Open], roles: PRIVATE_OT, of_council: false, tie: Tie::Commissioned, because: "anyone of the council lane on the case may record what is restricted" },
    Rule { kinds: &[Kind::Restricted], actions: &[Action::Read, Action::Write], roles: OT_TEAM, of_council: false, tie: Tie::WriterOrNamed, because: "what is restricted is for its writer and named people" },
    Rule { kinds: &[Kind::Restricted], actions: &[Action::Read, Action::Write], roles: PRIVATE_OT, of_council: false, tie: Tie::CommissionedAuthor, because: "what is restricted is for its writer and named people" },

    Rule { kinds: &[Kind::Prescription], actions: &[Action::Open], roles: OT_TEAM, of_council: false, tie: Tie::OtTeam, because: "the OT team of a case prescribes" },
    Rule { kinds: &[Kind::Prescription], actions: &[Action::Open], roles: PRIVATE_OT, of_council: false, tie: Tie::Commissioned, because: "the commissioned private OT prescribes" },
    Rule { kinds: &[Kind::Prescription], actions: &[Action::Read, Action::Write, Action::Submit], roles: OT_TEAM, of_council: false, tie: Tie::Author, because: "authors write, submit and withdraw their prescription" },
    Rule { kinds: &[Kind::Prescription], actions: &[Action::Read, Action::Write, Action::Submit], roles: PRIVATE_OT, of_council: false, tie: Tie::CommissionedAuthor, because: "authors write, submit and withdraw their prescription" },
    Rule { kinds: &[Kind::Prescription], actions: &[Action::Decide, Action::Recall], roles: SUPERVISORS, of_council: true, tie: Tie::None, because: "the council's supervisors decide as Welfare Authority" },
    Rule { kinds: &[Kind::Prescription], actions: &[Action::TakeOver], roles: COUNCIL_OTS, of_council: true, tie: Tie::OtTeam, because: "a council OT on the case takes over from authors who are gone" },
    Rule { kinds: &[Kind::Prescription], actions: &[Action::ReadProjection], roles: HOUSING, of_council: false, tie: Tie::Assigned, because: "Housing sees signed specifications, never a justification" },

    Rule { kinds: &[Kind::Survey], actions: &[Action::Open], roles: SURVEYOR, of_council: false, tie: Tie::Assigned, because: "the assigned surveyor surveys" },
    Rule { kinds: &[Kind::Survey], actions: &[Action::Write, Action::SurveyDecision], roles: SURVEYOR, of_council: false, tie: Tie::AssignedAuthor, because: "a survey is its surveyor's" },
    Rule { kinds: &[Kind::Survey], actions: &[Action::Read], roles: HOUSING, of_council: false, tie: Tie::Assigned, because: "Housing's people on the case read its surveys" },
    Rule { kinds: &[Kind::Survey], actions: &[Action::Read], roles: OT_TEAM, of_council: false, tie: Tie::OtTeam, because: "the OTs on the case read what the surveyor found" },
    Rule { kinds: &[Kind::Survey], actions: &[Action::Read], roles: PRIVATE_OT, of_council: false, tie: Tie::Commissioned, because: "the OTs on the case read what the surveyor found" },

    Rule { kinds: &[Kind::Thread], actions: &[Action::Read, Action::Write], roles: HOUSING, of_council: false, tie: Tie::Assigned, because: "both lanes ask and answer about a signed specification" },
    Rule { kinds: &[Kind::Thread], actions: &[Action::Read, Action::Write], roles: OT_TEAM, of_council: false, tie: Tie::OtTeam, because: "both lanes ask and answer about a signed specification" },
    Rule { kinds: &[Kind::Thread], actions: &[Action::Read, Action::Write], roles: PRIVATE_OT, of_council: false, tie: Tie::Commissioned, because: "both lanes ask and answer about a signed specification" },

    Rule { kinds: Kind::ALL, actions: &[Action::Read], roles: SUPERVISORS, of_council: true, tie: Tie::None, because: "supervisors read every document of the council's cases" },
];

/// Fields that one lane is shown and the other is not, of something that both lanes are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldGroup {
    /// Of a case's card: name, address, contact and how to get in, what a visitor must beware of, UPRN.
    Contact,
    /// Of a case's card: date of birth and NHS number.
    Identifiers,
    /// Of a signed version that stands: items, dimensions, the readings and photos that they cite.
    Specification,
    /// Of a signed version: why, the client's weight, the carer's view, the signer's grounds.
    Justification,
    /// A signed version that was superseded or recalled.
    Withdrawn,
    /// Why a signed version was recalled, which may be clinical.
    RecallReason,
    /// Where an unsigned version stands: waiting, returned with reasons, rejected with grounds.
    Working,
}

/// One line of the table of field groups.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FieldRule {
    /// Which fields.
    pub group: FieldGroup,
    /// Which lanes are shown them, if they are told of the thing at all.
    pub lanes: &'static [Lane],
    /// The rule in words.
    pub because: &'static str,
}

/// What each lane is shown of what both are told of.
#[rustfmt::skip]
pub const FIELDS: &[FieldRule] = &[
    FieldRule { group: FieldGroup::Contact, lanes: &[Lane::Council, Lane::Housing], because: "whoever visits needs to find the home and to be safe in it" },
    FieldRule { group: FieldGroup::Identifiers, lanes: &[Lane::Council], because: "Housing needs neither NHS number nor date of birth to build" },
    FieldRule { group: FieldGroup::Specification, lanes: &[Lane::Council, Lane::Housing], because: "what is signed is what is built" },
    FieldRule { group: FieldGroup::Justification, lanes: &[Lane::Council], because: "the reasoning is clinical" },
    FieldRule { group: FieldGroup::Withdrawn, lanes: &[Lane::Council], because: "nothing may be built from what was withdrawn" },
    FieldRule { group: FieldGroup::RecallReason, lanes: &[Lane::Council], because: "why it was recalled may be clinical" },
    FieldRule { group: FieldGroup::Working, lanes: &[Lane::Council], because: "Housing learns of a prescription when it is signed" },
];

impl FieldGroup {
    /// Every group.
    pub const ALL: [Self; 7] = [
        Self::Contact,
        Self::Identifiers,
        Self::Specification,
        Self::Justification,
        Self::Withdrawn,
        Self::RecallReason,
        Self::Working,
    ];

    /// Its name at the console.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Identifiers => "identifiers",
            Self::Specification => "specification",
            Self::Justification => "justification",
            Self::Withdrawn => "withdrawn",
            Self::RecallReason => "recall_reason",
            Self::Working => "working",
        }
    }

    /// Whether this lane is shown it.
    pub fn shown_to(self, lane: Lane) -> bool {
        FIELDS.iter().any(|rule| rule.group == self && rule.lanes.contains(&lane))
    }
}

/// The verdict on what someone may do, with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Yes, by this rule.
    Granted(&'static str),
    /// No: the table has no line for it.
    Denied,
}

impl Access {
    /// Whether it is yes.
    pub const fn is_granted(self) -> bool {
        matches!(self, Self::Granted(_))
    }
}

impl Standing {
    fn has(&self, relation: Relation) -> bool {
        self.relations.contains(&relation)
    }

    fn of_ot_team(&self) -> bool {
        [Relation::Allocated, Relation::Team, Relation::Duty, Relation::BreakGlass].into_iter().any(|r| self.has(r))
    }

    fn fits(&self, tie: Tie, ties: Ties) -> bool {
        match tie {
            Tie::None => true,
            Tie::OtTeam => self.of_ot_team(),
            Tie::CouncilAssessment => self.of_ot_team() && !ties.of_commission,
            Tie::Commissioned => self.has(Relation::Commissioned),
            Tie::OwnCommission => self.has(Relation::Commissioned) && ties.own_commission,
            Tie::Assigned => self.has(Relation::Assigned),
            Tie::AssignedAuthor => self.has(Relation::Assigned) && ties.author,
            Tie::Author => self.of_ot_team() && ties.author,
            Tie::CommissionedAuthor => self.has(Relation::Commissioned) && ties.author,
            Tie::WriterOrNamed => self.of_ot_team() && (ties.author || ties.named),
        }
    }

    /// Whether this person may close the case: a council OT with a council relation to it, or one of the council's
    /// supervisors.
    pub fn may_close_case(&self) -> bool {
        self.of_council && COUNCIL_OTS.contains(&self.role) && (self.role.is_supervisor() || self.of_ot_team())
    }

    /// Whether this person may reach a case in an emergency: any of the council's own OT team, whatever ties them to it.
    pub fn may_break_glass(&self) -> bool {
        self.of_council && OT_TEAM.contains(&self.role)
    }

    /// Whether this person may do `action` with a document of `kind` so tied to them.
    pub fn judge(&self, kind: Kind, ties: Ties, action: Action) -> Access {
        let rule = TABLE.iter().find(|rule| {
            rule.kinds.contains(&kind)
                && rule.actions.contains(&action)
                && rule.roles.contains(&self.role)
                && (!rule.of_council || self.of_council)
                && self.fits(rule.tie, ties)
        });
        rule.map_or(Access::Denied, |rule| Access::Granted(rule.because))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn someone(role: Role, relations: &[Relation]) -> Standing {
        Standing { role, of_council: true, relations: relations.to_vec() }
    }

    fn all_ties() -> impl Iterator<Item = Ties> {
        (0..16u8).map(|bits| Ties {
            author: bits & 1 != 0,
            of_commission: bits & 2 != 0,
            own_commission: bits & 4 != 0,
            named: bits & 8 != 0,
        })
    }

    #[test]
    fn housing_never_has_a_clinical_restricted_home_or_prescription_document() {
        for role in [Role::Surveyor, Role::GrantsOfficer] {
            for kind in [Kind::Clinical, Kind::Restricted, Kind::Home, Kind::Prescription] {
                for ties in all_ties() {
                    let surveyor = someone(role, &Relation::ALL);
                    assert_eq!(surveyor.judge(kind, ties, Action::Read), Access::Denied, "{role} {kind:?}");
                    assert_eq!(surveyor.judge(kind, ties, Action::Write), Access::Denied, "{role} {kind:?}");
                }
            }
        }
    }

    #[test]
    fn no_private_ot_and_no_agency_ot_decides_on_a_prescription() {
        for ties in all_ties() {
            for action in [Action::Decide, Action::Recall] {
                assert_eq!(
                    someone(Role::PrivateOt, &Relation::ALL).judge(Kind::Prescription, ties, action),
                    Access::Denied
                );
                for role in Role::ALL {
                    let agency = Standing { role, of_council: false, relations: Relation::ALL.to_vec() };
                    assert_eq!(agency.judge(Kind::Prescription, ties, action), Access::Denied, "{role}");
                }
            }
        }
    }

    #[test]
    fn without_a_relation_only_supervisors_see_anything() {
        for role in Role::ALL {
            for kind in Kind::ALL.iter().copied() {
                for ties in all_ties() {
                    for action in Action::ALL {
                        if someone(role, &[]).judge(kind, ties, action).is_granted() {
                            assert!(role.is_supervisor(), "{role} may {action:?} {kind:?} with no relation");
                            assert!(matches!(action, Action::Read | Action::Decide | Action::Recall));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_administrator_and_an_auditor_see_no_document_whatever_ties_them() {
        for role in [Role::Administrator, Role::Auditor, Role::Performance, Role::Store, Role::TrustedAssessor] {
            for kind in Kind::ALL.iter().copied() {
                for ties in all_ties() {
                    for action in Action::ALL {
                        assert_eq!(someone(role, &Relation::ALL).judge(kind, ties, action), Access::Denied);
                    }
                }
            }
        }
    }

    #[test]
    fn a_private_ot_reads_only_their_own_assessment_and_nothing_once_the_commission_ends() {
        let commissioned = someone(Role::PrivateOt, &[Relation::Commissioned]);
        let own = Ties { author: true, of_commission: true, own_commission: true, named: false };
        let council = Ties::default();
        assert!(commissioned.judge(Kind::Clinical, own, Action::Write).is_granted());
        assert_eq!(commissioned.judge(Kind::Clinical, council, Action::Read), Access::Denied);
        assert!(commissioned.judge(Kind::Home, council, Action::Write).is_granted());
        for kind in Kind::ALL.iter().copied() {
            for action in Action::ALL {
                assert_eq!(someone(Role::PrivateOt, &[]).judge(kind, own, action), Access::Denied);
            }
        }
    }

    #[test]
    fn the_allocated_ot_does_not_write_in_the_private_ots_assessment() {
        let ot = someone(Role::Ot, &[Relation::Allocated]);
        let commissions = Ties { of_commission: true, ..Ties::default() };
        assert!(ot.judge(Kind::Clinical, Ties::default(), Action::Write).is_granted());
        assert_eq!(ot.judge(Kind::Clinical, commissions, Action::Write), Access::Denied);
        assert_eq!(ot.judge(Kind::Clinical, commissions, Action::Read), Access::Denied);
    }

    /// One line for what each role may do with each kind of document: who else is asked for, by a relation (`none` and
    /// each by itself) and ties. What is not written is denied.
    fn matrix() -> String {
        let mut text = String::new();
        for role in Role::ALL {
            for kind in Kind::ALL.iter().copied() {
                for action in Action::ALL {
                    for of_council in [true, false] {
                        for relation in std::iter::once(None).chain(Relation::ALL.map(Some)) {
                            // By reason, the ties with which it is granted, as the bits of `all_ties`.
                            let mut granted: BTreeMap<&str, Vec<String>> = BTreeMap::new();
                            for (bits, ties) in all_ties().enumerate() {
                                let standing = Standing { role, of_council, relations: relation.into_iter().collect() };
                                if let Access::Granted(because) = standing.judge(kind, ties, action) {
                                    granted.entry(because).or_default().push(format!("{bits:x}"));
                                }
                            }
                            for (because, ties) in granted {
                                let of = if of_council { "council" } else { "other" };
                                let relation = relation.map_or("none", Relation::name);
                                let ties = ties.concat();
                                text += &format!("{role} {of} {relation} {kind} {action:?} {ties}: {because}\n");
                            }
                        }
                    }
                }
            }
        }
        text
    }

    /// One line for each lane and group of fields.
    fn fields() -> String {
        let mut text = String::new();
        for (lane, name) in [(Lane::Council, "council"), (Lane::Housing, "housing")] {
            for group in FieldGroup::ALL {
                let shown = if group.shown_to(lane) { "shown" } else { "not shown" };
                text += &format!("{name} {}: {shown}\n", group.name());
            }
        }
        text
    }

    #[test]
    fn every_group_of_fields_has_one_line_in_the_table() {
        for group in FieldGroup::ALL {
            assert_eq!(FIELDS.iter().filter(|rule| rule.group == group).count(), 1, "{}", group.name());
        }
        assert_eq!(FIELDS.len(), FieldGroup::ALL.len());
    }

    #[test]
    fn the_whole_matrix_is_what_somebody_looked_at() {
        let path = format!("{}/golden/access-1.txt", env!("CARGO_MANIFEST_DIR"));
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let now = matrix() + &fields();
        if kept != now {
            std::fs::write(&path, &now).unwrap();
            panic!(
                "rights changed: golden/access-1.txt is written anew; look at `git diff` of it line by line, commit it"
            );
        }
    }
}
