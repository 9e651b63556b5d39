//! Asks: what a person asks the server to decide, and the verdicts.
//!
//! An ask has an id of the device's making; the same id twice is one ask and the same verdict. The numbers of
//! [`Request`]'s variants rise in the order of the README's list, with gaps for asks that are still to come, and are
//! never used for anything else.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::access::Role;
use crate::clock::{Stamp, Timestamp};
use crate::domain::signoff::{Anchored, Transition};
use crate::id::{AskId, CaseId, DocumentId, Hash, Heads};

/// The most characters of grounds, conditions or a reason.
pub const MOST_GROUNDS_CHARACTERS: usize = 4_000;

/// Something a person asks the server to decide.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Ask {
    /// Its id, minted where it was made.
    #[n(0)]
    pub id: AskId,
    /// When the person asked, as their device could tell.
    #[n(1)]
    pub at: Stamp,
    /// The case.
    #[n(2)]
    pub case: CaseId,
    /// What is asked.
    #[n(3)]
    pub request: Request,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub enum Request {
    /// A visit nobody planned: opens an unmatched case.
    #[n(0)]
    OpenCase(#[n(0)] OpenCase),
    /// Closes the case: every tie to it ends, so it leaves every device, and stays on the server.
    #[n(3)]
    CloseCase {
        /// Why: works done, moved away, died, not pursued; 1 to [`MOST_GROUNDS_CHARACTERS`] characters.
        #[n(0)]
        reason: String,
    },
    /// Lets Housing see the projection of the home.
    #[n(4)]
    Release {
        /// The home document.
        #[n(0)]
        document: DocumentId,
        /// The version as the person saw it.
        #[n(1)]
        heads: Heads,
        /// How the client's consent to share with Housing was given; recorded with the release.
        #[n(2)]
        consent: String,
    },
    /// Takes a release back: Housing sees nothing more of the home from its next contact on.
    #[n(5)]
    EndRelease {
        /// The home document.
        #[n(0)]
        document: DocumentId,
        /// Why: the client took consent back, the wrong home; 1 to [`MOST_GROUNDS_CHARACTERS`] characters.
        #[n(1)]
        reason: String,
    },
    /// The assessment which this clinical document records is complete.
    #[n(6)]
    CompleteAssessment {
        /// The clinical document.
        #[n(0)]
        document: DocumentId,
        /// The version as the person saw it.
        #[n(1)]
        heads: Heads,
    },
    /// Submits a prescription for sign-off.
    #[n(7)]
    Submit {
        /// The prescription.
        #[n(0)]
        document: DocumentId,
        /// The version submitted: known to the server, not necessarily current.
        #[n(1)]
        heads: Heads,
    },
    /// Takes a submission back.
    #[n(8)]
    Withdraw {
        /// The prescription.
        #[n(0)]
        document: DocumentId,
    },
    /// Returns a submitted prescription to its author. Online only.
    #[n(9)]
    Return {
        /// The prescription.
        #[n(0)]
        document: DocumentId,
        /// The version that was looked at.
        #[n(1)]
        heads: Heads,
        /// What is to be mended, each anchored to a field where it can be.
        #[n(2)]
        reasons: Vec<Anchored>,
    },
    /// Rejects a submitted prescription. Online only.
    #[n(10)]
    Reject {
        /// The prescription.
        #[n(0)]
        document: DocumentId,
        /// The version that was looked at.
        #[n(1)]
        heads: Heads,
        /// Why.
        #[n(2)]
        grounds: String,
    },
    /// Signs a submitted prescription off. Online only.
    #[n(11)]
    SignOff {
        /// The prescription.
        #[n(0)]
        document: DocumentId,
        /// The version that was looked at.
        #[n(1)]
        heads: Heads,
        /// Why it is necessary and appropriate, in the signer's words.
        #[n(2)]
        grounds: String,
        /// On what conditions, if any.
        #[n(3)]
        conditions: Vec<String>,
        /// What the version rested on when the signer looked: the readings, photos and weight behind it
        /// ([`crate::domain::specification::basis`]). Required; asks kept before it was have none.
        #[n(4)]
        basis: Option<Hash>,
    },
    /// Recalls a signed version. Online only.
    #[n(12)]
    Recall {
        /// The prescription.
        #[n(0)]
        document: DocumentId,
        /// Which signed version.
        #[n(1)]
        number: u32,
        /// Why.
        #[n(2)]
        reason: String,
    },
    /// Takes on a prescription whose authors are gone, as a co-author.
    #[n(13)]
    TakeOver {
        /// The prescription.
        #[n(0)]
        document: DocumentId,
        /// Why: its author left, the commission ended; 1 to [`MOST_GROUNDS_CHARACTERS`] characters.
        #[n(1)]
        reason: String,
    },
    /// Housing's decision whether works are reasonable and practicable (HGCRA 1996 s.24(3)(b)).
    #[n(14)]
    SurveyDecision {
        /// The survey it rests on.
        #[n(0)]
        survey: DocumentId,
        /// The version of the survey.
        #[n(1)]
        heads: Heads,
        /// The prescription decided on.
        #[n(2)]
        prescription: DocumentId,
        /// Its signed version.
        #[n(3)]
        number: u32,
        /// The decision.
        #[n(4)]
        decision: Practicable,
        /// Why, where it is not a plain yes.
        #[n(5)]
        reason: String,
    },
    /// Reaches a case that is not theirs, in an emergency: for some hours, and supervisors are told.
    #[n(18)]
    BreakGlass {
        /// What the emergency is; 1 to [`MOST_GROUNDS_CHARACTERS`] characters.
        #[n(0)]
        reason: String,
    },
}

/// The particulars of an unplanned visit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct OpenCase {
    /// The client's name, 1 to 200 characters.
    #[n(0)]
    pub name: String,
    /// The address, 1 to 400 characters.
    #[n(1)]
    pub address: String,
    /// Date of birth as YYYY-MM-DD, if known.
    #[n(2)]
    pub born: Option<String>,
    /// The home document's id, minted on the device.
    #[n(3)]
    pub home: DocumentId,
    /// The clinical document's id, minted on the device.
    #[n(4)]
    pub clinical: DocumentId,
}

/// Whether works are reasonable and practicable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Practicable {
    /// As signed.
    #[n(0)]
    Yes,
    /// With a change, which the OT has to prescribe and have signed anew.
    #[n(1)]
    WithChange,
    /// No.
    #[n(2)]
    No,
}

impl Request {
    /// The ask's name in the audit log, in JSON and at the console.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OpenCase(_) => "open_case",
            Self::CloseCase { .. } => "close_case",
            Self::Release { .. } => "release",
            Self::EndRelease { .. } => "end_release",
            Self::CompleteAssessment { .. } => "complete_assessment",
            Self::Submit { .. } => "submit",
            Self::Withdraw { .. } => "withdraw",
            Self::Return { .. } => "return",
            Self::Reject { .. } => "reject",
            Self::SignOff { .. } => "sign_off",
            Self::Recall { .. } => "recall",
            Self::TakeOver { .. } => "take_over",
            Self::SurveyDecision { .. } => "survey_decision",
            Self::BreakGlass { .. } => "break_glass",
        }
    }

    /// Whether it has to be made online, freshly signed in, and never waits in an outbox.
    pub const fn online_only(&self) -> bool {
        matches!(self, Self::Return { .. } | Self::Reject { .. } | Self::SignOff { .. } | Self::Recall { .. })
    }

    /// Why, in the words of whoever asks, where the ask takes a reason.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::CloseCase { reason }
            | Self::EndRelease { reason, .. }
            | Self::Recall { reason, .. }
            | Self::TakeOver { reason, .. }
            | Self::SurveyDecision { reason, .. }
            | Self::BreakGlass { reason } => Some(reason),
            Self::Reject { grounds, .. } | Self::SignOff { grounds, .. } => Some(grounds),
            Self::Release { consent, .. } => Some(consent),
            Self::OpenCase(_)
            | Self::CompleteAssessment { .. }
            | Self::Submit { .. }
            | Self::Withdraw { .. }
            | Self::Return { .. } => None,
        }
    }

    /// The document it is about; `None` where it is about the case.
    pub const fn document(&self) -> Option<DocumentId> {
        match self {
            Self::OpenCase(_) | Self::CloseCase { .. } | Self::BreakGlass { .. } => None,
            Self::Release { document, .. }
            | Self::EndRelease { document, .. }
            | Self::CompleteAssessment { document, .. }
            | Self::Submit { document, .. }
            | Self::Withdraw { document }
            | Self::Return { document, .. }
            | Self::Reject { document, .. }
            | Self::SignOff { document, .. }
            | Self::Recall { document, .. }
            | Self::TakeOver { document, .. } => Some(*document),
            Self::SurveyDecision { survey, .. } => Some(*survey),
        }
    }
}

/// What the server decided on an ask.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Verdict {
    /// The ask.
    #[n(0)]
    pub ask: AskId,
    /// When, by the server's clock.
    #[n(1)]
    pub at: Timestamp,
    /// What.
    #[n(2)]
    pub answer: Answer,
}

/// The answer to an ask.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done.
    #[n(0)]
    Granted,
    /// Not done, and nothing changed.
    #[n(1)]
    Refused(#[n(0)] AskRefusal),
}

/// Why an ask was refused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum AskRefusal {
    /// No such case or document, or none that this person may see.
    #[error("there is no such case or document here, or it is not yours to see")]
    #[n(0)]
    Unknown,
    /// The person may see it but not do this.
    #[error("your role or your part in this case does not allow this")]
    #[n(1)]
    NotAllowed,
    /// The document, or what it rests on, has moved on since the person looked.
    #[error("the document, or something it rests on, has changed since you looked: look again")]
    #[n(2)]
    HeadsMoved,
    /// The server has not received this version.
    #[error("the server has not received this version of the document: sync first")]
    #[n(3)]
    HeadsUnknown,
    /// The prescription's state does not allow it.
    #[error("a prescription that is {state} can't be {transition}")]
    #[n(4)]
    State {
        /// The state it is in.
        #[n(0)]
        state: String,
        /// What was asked for.
        #[n(1)]
        transition: Transition,
    },
    /// The prescription or assessment can't go on as it is.
    #[error("put this right first: {}", findings.join("; "))]
    #[n(5)]
    Findings {
        /// What is missing or wrong, in words.
        #[n(0)]
        findings: Vec<String>,
    },
    /// The signer has a change in what is to be signed.
    #[error("nobody signs off their own work: you have a change in this version")]
    #[n(6)]
    OwnWork,
    /// The ask can only be made online, signed in.
    #[error("this can only be decided online, signed in")]
    #[n(7)]
    OnlineOnly,
    /// Nobody has looked an author or the signer up in the HCPC's register lately enough.
    #[error(
        "{} not been looked up in the HCPC register within {} days: ask your IT to do so and to record it \
         (grabrail account hcpc)",
        name.as_deref().map_or_else(|| "the registration has".to_owned(), |name| format!("the registration of {name} has")),
        days.unwrap_or(30)
    )]
    #[n(8)]
    RegistrationUnchecked {
        /// Whose; refusals kept before they said so have none.
        #[n(0)]
        name: Option<String>,
        /// For how many days a look at the register is good; likewise.
        #[n(1)]
        days: Option<u32>,
    },
    /// Particulars that are missing or too long.
    #[error("{field} is missing or not as it should be: {why}")]
    #[n(9)]
    Particulars {
        /// Which.
        #[n(0)]
        field: String,
        /// What is expected.
        #[n(1)]
        why: String,
    },
    /// The same ask id with another content.
    #[error("this ask id was used for something else")]
    #[n(10)]
    IdTaken,
    /// Whoever prescribes or signs as an occupational therapist has no HCPC number on record.
    #[error("there is no HCPC number on record for {name}: ask your IT to add it (grabrail account hcpc)")]
    #[n(11)]
    Unregistered {
        /// Whose.
        #[n(0)]
        name: String,
    },
    /// When an author or the signer was last looked up, the HCPC's register did not let them practise.
    #[error(
        "{name} may not practise: the HCPC register says {says:?}; ask your IT to look again (grabrail account hcpc)"
    )]
    #[n(12)]
    NotOnRegister {
        /// Who.
        #[n(0)]
        name: String,
        /// What the register said: `suspended` or `not_found`.
        #[n(1)]
        says: String,
    },
    /// The council's delegation lets others sign this prescription, or nobody.
    #[error(
        "signing this is not delegated to you ({}); {}",
        because.join("; "),
        if signers.is_empty() {
            "nobody may sign it".to_owned()
        } else {
            format!("it is for {}", signers.iter().map(|role| role.name()).collect::<Vec<_>>().join(" or "))
        }
    )]
    #[n(13)]
    BeyondDelegation {
        /// The roles of those who may.
        #[n(0)]
        signers: Vec<Role>,
        /// Why, in the words of the delegation's rules that leave this person out.
        #[n(1)]
        because: Vec<String>,
    },
    /// This person's signature is one of those that count already, and more are needed.
    #[error("you have signed this version: it needs the signature of somebody else, too")]
    #[n(14)]
    AlreadySigned,
}
