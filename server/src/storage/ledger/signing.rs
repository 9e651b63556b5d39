//! Prescriptions on their way to sign-off: where they stand, who has signed, what was signed.

use sync_core::access::{FieldGroup, Lane};
use sync_core::clock::Timestamp;
use sync_core::domain::signed::SignedVersion;
use sync_core::domain::signoff::{SignedStanding, State};
use sync_core::id::{AccountId, AskId, CaseId, DocumentId, Hash, Heads};

/// Where a prescription stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrescriptionRow {
    /// The prescription.
    pub document: DocumentId,
    /// The case.
    pub case: CaseId,
    /// The thread about it.
    pub thread: DocumentId,
    /// The state of the version being worked on.
    pub state: State,
    /// Who submitted it, and when, while it is submitted or was.
    pub submitted: Option<(AccountId, Timestamp)>,
    /// Counts its changes; a plan that rests on another count is not written.
    pub version: i64,
}

/// A signed version and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRow {
    /// The prescription.
    pub document: DocumentId,
    /// The case.
    pub case: CaseId,
    /// Counts up from 1 for each prescription.
    pub number: u32,
    /// The whole copy.
    pub signed: SignedVersion,
    /// What it rested on ([`sync_core::domain::specification::basis`]): another one now means it has changed since.
    pub basis: Hash,
    /// What became of it.
    pub standing: SignedStanding,
}

impl SignedRow {
    /// The copy of it that people of this lane have, if they have one.
    pub fn shown_to(self, lane: Lane) -> Option<SignedVersion> {
        let stands = self.standing == SignedStanding::Current;
        if !FieldGroup::Specification.shown_to(lane) || !(stands || FieldGroup::Withdrawn.shown_to(lane)) {
            return None;
        }
        Some(if FieldGroup::Justification.shown_to(lane) { self.signed } else { self.signed.for_housing() })
    }
}

/// One person's signature of a submitted version: the last that is needed makes the signed version. It is never changed,
/// and counts for the same heads, over the same readings, of the same submission only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOffRow {
    /// The ask that it was made by.
    pub ask: AskId,
    /// The prescription.
    pub document: DocumentId,
    /// The case.
    pub case: CaseId,
    /// Who signed.
    pub account: AccountId,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// The version that was signed.
    pub heads: Heads,
    /// What it rested on ([`sync_core::domain::specification::basis`]).
    pub basis: Hash,
    /// Who had submitted it, and when: [`PrescriptionRow::submitted`] as it was.
    pub submitted: (AccountId, Timestamp),
    /// Why it is necessary and appropriate, in the signer's words.
    pub grounds: String,
    /// On what conditions.
    pub conditions: Vec<String>,
}
