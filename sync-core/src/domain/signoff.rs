//! The states of a prescription on its way to sign-off, and what may follow what.
//!
//! A state belongs to the version being worked on. Signed versions are rows of their own and stay as they are; a new
//! version may be drafted beside a signed one, and signing it supersedes the older.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::vocabulary::Field;
use crate::clock::Timestamp;
use crate::id::{Hash, Heads, Key};

/// A remark to a field of a prescription, or to the whole of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Anchored {
    /// The item; `None`: the prescription itself.
    #[n(0)]
    pub item: Option<Key>,
    /// The field; `None`: the whole item or prescription.
    #[n(1)]
    pub field: Option<Field>,
    /// The words.
    #[n(2)]
    pub text: String,
}

/// Where the version being worked on stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// Being written.
    #[default]
    #[n(0)]
    Draft,
    /// Submitted, but cited photos have not arrived; signers do not see it.
    #[n(1)]
    AwaitingPhotos {
        /// The version submitted.
        #[n(0)]
        heads: Heads,
        /// The photos that are still missing.
        #[n(1)]
        missing: Vec<Hash>,
    },
    /// Waiting for a signer.
    #[n(2)]
    Submitted {
        /// The version submitted.
        #[n(0)]
        heads: Heads,
    },
    /// Back with its author.
    #[n(3)]
    Returned {
        /// The version that was returned.
        #[n(0)]
        heads: Heads,
        /// What to mend.
        #[n(1)]
        reasons: Vec<Anchored>,
    },
    /// Refused for good; a version with other content may be submitted.
    #[n(4)]
    Rejected {
        /// The version that was rejected.
        #[n(0)]
        heads: Heads,
        /// Why.
        #[n(1)]
        grounds: String,
    },
    /// Signed.
    #[n(5)]
    SignedOff {
        /// The version that was signed.
        #[n(0)]
        heads: Heads,
        /// Which signed version it became.
        #[n(1)]
        number: u32,
    },
    /// Its newest signed version was recalled.
    #[n(6)]
    Recalled {
        /// Which signed version.
        #[n(0)]
        number: u32,
        /// Why.
        #[n(1)]
        reason: String,
    },
}

/// A step from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Transition {
    /// By an author.
    #[n(0)]
    Submit,
    /// By an author.
    #[n(1)]
    Withdraw,
    /// By a signer.
    #[n(2)]
    Return,
    /// By a signer.
    #[n(3)]
    Reject,
    /// By a signer.
    #[n(4)]
    SignOff,
    /// By a supervisor.
    #[n(5)]
    Recall,
}

impl std::fmt::Display for Transition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Submit => "submitted",
            Self::Withdraw => "withdrawn",
            Self::Return => "returned",
            Self::Reject => "rejected",
            Self::SignOff => "signed off",
            Self::Recall => "recalled",
        })
    }
}

/// A step that the state does not allow; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// Not from this state.
    #[error("a prescription that is {from} can't be {transition}")]
    From {
        /// The state's name.
        from: &'static str,
        /// The step.
        transition: Transition,
    },
    /// The signer looked at another version than the one submitted.
    #[error("another version has been submitted since: look again")]
    HeadsMoved,
    /// The version was signed or rejected, and nothing has changed in it.
    #[error("this version has been decided on: change it before you submit it again")]
    Unchanged,
}

impl State {
    /// The state's name in words.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::AwaitingPhotos { .. } => "awaiting photos",
            Self::Submitted { .. } => "submitted",
            Self::Returned { .. } => "returned",
            Self::Rejected { .. } => "rejected",
            Self::SignedOff { .. } => "signed off",
            Self::Recalled { .. } => "recalled",
        }
    }

    fn not(&self, transition: Transition) -> Illegal {
        Illegal::From { from: self.name(), transition }
    }

    /// An author submits the version at `heads`, whose cited photos are all on the server but for `missing`.
    ///
    /// # Errors
    /// [`Illegal`].
    pub fn submit(self, heads: Heads, missing: Vec<Hash>) -> Result<Self, Illegal> {
        match self {
            Self::Draft | Self::Returned { .. } | Self::Recalled { .. } => {}
            Self::Rejected { heads: rejected, .. } | Self::SignedOff { heads: rejected, .. } if rejected == heads => {
                return Err(Illegal::Unchanged);
            }
            Self::Rejected { .. } | Self::SignedOff { .. } => {}
            Self::AwaitingPhotos { .. } | Self::Submitted { .. } => return Err(self.not(Transition::Submit)),
        }
        Ok(if missing.is_empty() { Self::Submitted { heads } } else { Self::AwaitingPhotos { heads, missing } })
    }

    /// Only these photos are missing now: none makes the submission visible.
    pub fn photos_missing(self, missing: Vec<Hash>) -> Self {
        match self {
            Self::AwaitingPhotos { heads, .. } => {
                if missing.is_empty() {
                    Self::Submitted { heads }
                } else {
                    Self::AwaitingPhotos { heads, missing }
                }
            }
            other => other,
        }
    }

    /// An author takes the submission back.
    ///
    /// # Errors
    /// [`Illegal::From`].
    pub fn withdraw(self) -> Result<Self, Illegal> {
        match self {
            Self::AwaitingPhotos { .. } | Self::Submitted { .. } => Ok(Self::Draft),
            other => Err(other.not(Transition::Withdraw)),
        }
    }

    fn looked_at(&self, looked_at: &Heads, transition: Transition) -> Result<(), Illegal> {
        match self {
            Self::Submitted { heads } if heads == looked_at => Ok(()),
            Self::Submitted { .. } => Err(Illegal::HeadsMoved),
            other => Err(other.not(transition)),
        }
    }

    /// A signer who looked at `heads` returns it.
    ///
    /// # Errors
    /// [`Illegal`].
    pub fn give_back(self, heads: Heads, reasons: Vec<Anchored>) -> Result<Self, Illegal> {
        self.looked_at(&heads, Transition::Return)?;
        Ok(Self::Returned { heads, reasons })
    }

    /// A signer who looked at `heads` rejects it.
    ///
    /// # Errors
    /// [`Illegal`].
    pub fn reject(self, heads: Heads, grounds: String) -> Result<Self, Illegal> {
        self.looked_at(&heads, Transition::Reject)?;
        Ok(Self::Rejected { heads, grounds })
    }

    /// A signer who looked at `heads` signs it as version `number`.
    ///
    /// # Errors
    /// [`Illegal`].
    pub fn sign_off(self, heads: Heads, number: u32) -> Result<Self, Illegal> {
        self.looked_at(&heads, Transition::SignOff)?;
        Ok(Self::SignedOff { heads, number })
    }

    /// The signed version `number` is recalled; the state follows if that is what it rests on.
    pub fn recalled(self, recalled: u32, reason: &str) -> Self {
        match self {
            Self::SignedOff { number, .. } if number == recalled => {
                Self::Recalled { number, reason: reason.to_owned() }
            }
            other => other,
        }
    }

    /// The version that a signer is to look at, if one is submitted.
    pub const fn submitted(&self) -> Option<&Heads> {
        match self {
            Self::Submitted { heads } => Some(heads),
            _ => None,
        }
    }
}

/// What became of a signed version.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "standing")]
pub enum SignedStanding {
    /// It may be built from.
    #[n(0)]
    Current,
    /// A later signed version replaced it.
    #[n(1)]
    Superseded {
        /// The later version.
        #[n(0)]
        by: u32,
    },
    /// A supervisor recalled it.
    #[n(2)]
    Recalled {
        /// When, by the server's clock.
        #[n(0)]
        at: Timestamp,
        /// Why.
        #[n(1)]
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(n: u8) -> Heads {
        vec![Hash::from_bytes([n; 32])]
    }

    #[test]
    fn a_signer_signs_only_what_they_looked_at() {
        let submitted = State::Draft.submit(heads(1), vec![]).unwrap();
        assert_eq!(submitted.clone().sign_off(heads(2), 1), Err(Illegal::HeadsMoved));
        assert_eq!(submitted.sign_off(heads(1), 1), Ok(State::SignedOff { heads: heads(1), number: 1 }));
    }

    #[test]
    fn a_draft_can_be_neither_signed_nor_returned_nor_rejected_nor_withdrawn() {
        assert!(State::Draft.sign_off(heads(1), 1).is_err());
        assert!(State::Draft.give_back(heads(1), vec![]).is_err());
        assert!(State::Draft.reject(heads(1), String::new()).is_err());
        assert!(State::Draft.withdraw().is_err());
    }

    #[test]
    fn signers_see_a_submission_when_its_last_photo_has_arrived() {
        let photo = |n| Hash::from_bytes([n; 32]);
        let waiting = State::Draft.submit(heads(1), vec![photo(7), photo(8)]).unwrap();
        assert_eq!(waiting.submitted(), None);
        let waiting = waiting.photos_missing(vec![photo(8)]);
        assert_eq!(waiting.submitted(), None);
        assert_eq!(waiting.photos_missing(vec![]), State::Submitted { heads: heads(1) });
        assert_eq!(State::Draft.photos_missing(vec![]), State::Draft);
    }

    #[test]
    fn what_was_rejected_comes_back_only_changed() {
        let rejected = State::Submitted { heads: heads(1) }.reject(heads(1), "no".to_owned()).unwrap();
        assert_eq!(rejected.clone().submit(heads(1), vec![]), Err(Illegal::Unchanged));
        assert!(rejected.submit(heads(2), vec![]).is_ok());
    }

    #[test]
    fn a_recall_of_an_older_version_leaves_the_newer_one_signed() {
        let signed = State::SignedOff { heads: heads(2), number: 2 };
        assert_eq!(signed.clone().recalled(1, "wrong wall"), signed);
        assert_eq!(signed.recalled(2, "wrong wall"), State::Recalled { number: 2, reason: "wrong wall".to_owned() });
    }
}
