//! Who may see and change what.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// What a member of staff is: one role an account. The text (`senior_ot`) is the same in rows, JSON and on the
/// command line; the number travels in CBOR and is never given to another role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An occupational therapist. Of the council, or of another organisation: an agency's.
    #[n(0)]
    Ot,
    /// Works under an OT's eye on the cases they share.
    #[n(1)]
    OtAssistant,
    /// Prescribes small equipment from a fixed list.
    #[n(2)]
    TrustedAssessor,
    /// Supervises and signs off.
    #[n(3)]
    SeniorOt,
    /// Leads the profession for the council; supervises and signs off.
    #[n(4)]
    PrincipalOt,
    /// Commissioned by the council to assess; has the reach of the commission and never signs off.
    #[n(5)]
    PrivateOt,
    /// Housing's: judges whether what is prescribed can be built.
    #[n(6)]
    Surveyor,
    /// Housing's: decides the grant and orders the works.
    #[n(7)]
    GrantsOfficer,
    /// The equipment store.
    #[n(8)]
    Store,
    /// Counts and clocks, no person.
    #[n(9)]
    Performance,
    /// Reads the audit log.
    #[n(10)]
    Auditor,
    /// Accounts, devices and keys; sees no document.
    #[n(11)]
    Administrator,
}

/// Which side of the council's house a role stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Social care: all that is clinical. A private OT is of it with the reach of their commission only.
    Council,
    /// Housing: what is to be built, never why.
    Housing,
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role; the roles are {all}", all = Role::ALL.map(Role::name).join(", "))]
pub struct NotARole(String);

impl Role {
    /// Every role there is.
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

    /// The one spelling of the role: `senior_ot`.
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

    /// Which lane the role is of.
    pub const fn lane(self) -> Lane {
        match self {
            Self::Surveyor | Self::GrantsOfficer => Lane::Housing,
            _ => Lane::Council,
        }
    }

    /// Whether the role supervises (and so may be asked to sign).
    pub const fn is_supervisor(self) -> bool {
        matches!(self, Self::SeniorOt | Self::PrincipalOt)
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
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| NotARole(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_one_spelling_in_text_json_and_cbor() {
        for (number, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(role.name().parse(), Ok(role));
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{}\"", role.name()));
            assert_eq!(minicbor::to_vec(role).unwrap(), [u8::try_from(number).unwrap()]);
        }
        assert!("Ot".parse::<Role>().is_err());
        assert!("".parse::<Role>().unwrap_err().to_string().contains("senior_ot"));
    }

    #[test]
    fn only_the_surveyor_and_the_grants_officer_are_housings() {
        let housing: Vec<_> = Role::ALL.into_iter().filter(|role| role.lane() == Lane::Housing).collect();
        assert_eq!(housing, [Role::Surveyor, Role::GrantsOfficer]);
        let supervisors: Vec<_> = Role::ALL.into_iter().filter(|role| role.is_supervisor()).collect();
        assert_eq!(supervisors, [Role::SeniorOt, Role::PrincipalOt]);
    }
}
