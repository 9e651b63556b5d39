//! Asks and verdicts.

use utoipa::openapi::schema::{Discriminator, OneOf, Ref};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::words::{AskId, CaseId, DocumentId, FieldName, Hash, Heads, Key, Role, Timestamp, only};

/// The asks, each with the ids that all have, and the choice between them by `ask`.
macro_rules! asks {
    ($($(#[doc = $doc:literal])+ $name:ident = $ask:literal {
        $($(#[doc = $field_doc:literal])+ $(#[schema($($more:tt)+)])? $field:ident: $type:ty,)*
    })*) => {
        $($(#[doc = $doc])+
        #[derive(Debug, ToSchema)]
        pub(in crate::routes) struct $name {
            /// An id of the asker's making; the same id twice is one ask, and the same verdict.
            id: AskId,
            /// The case.
            case: CaseId,
            /// What is asked.
            #[schema(schema_with = $name::ask)]
            ask: String,
            $($(#[doc = $field_doc])+ $(#[schema($($more)+)])? $field: $type,)*
        }

        impl $name {
            fn ask() -> utoipa::openapi::Object {
                only($ask)
            }
        })*

        /// Something a person asks the server to decide.
        #[derive(Debug)]
        pub(in crate::routes) struct Ask;

        impl PartialSchema for Ask {
            fn schema() -> RefOr<Schema> {
                let mapping = [$(($ask, concat!("#/components/schemas/", stringify!($name)))),*];
                let choice = OneOf::builder().discriminator(Some(Discriminator::with_mapping("ask", mapping)));
                let choice = choice$(.item(Ref::from_schema_name(stringify!($name))))*.build();
                Schema::OneOf(choice).into()
            }
        }

        impl ToSchema for Ask {
            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $(schemas.push((stringify!($name).to_owned(), $name::schema()));
                <$name as ToSchema>::schemas(schemas);)*
            }
        }
    };
}

asks! {
    /// A visit nobody planned: opens an unmatched case, with the new case's id in `case`.
    OpenCase = "open_case" {
        /// The client's name.
        #[schema(min_length = 1, max_length = 200)]
        name: String,
        /// The address.
        #[schema(min_length = 1, max_length = 400)]
        address: String,
        /// Date of birth, YYYY-MM-DD, if known.
        born: Option<String>,
        /// A new id for the home document.
        home: DocumentId,
        /// A new id for the clinical document.
        clinical: DocumentId,
    }
    /// Closes the case: every tie to it ends, so it leaves every device, and stays on the server.
    CloseCase = "close_case" {
        /// Why.
        #[schema(min_length = 1, max_length = 4000)]
        reason: String,
    }
    /// Lets Housing see the projection of the home.
    Release = "release" {
        /// The home document.
        document: DocumentId,
        /// The version as the person saw it.
        heads: Heads,
        /// How the client's consent to share with Housing was given; recorded with the release.
        #[schema(min_length = 1, max_length = 4000)]
        consent: String,
    }
    /// Takes a release back: Housing sees nothing more of the home.
    EndRelease = "end_release" {
        /// The home document.
        document: DocumentId,
        /// Why.
        #[schema(min_length = 1, max_length = 4000)]
        reason: String,
    }
    /// The assessment which this clinical document records is complete.
    CompleteAssessment = "complete_assessment" {
        /// The clinical document.
        document: DocumentId,
        /// The version as the person saw it.
        heads: Heads,
    }
    /// Submits a prescription for sign-off.
    Submit = "submit" {
        /// The prescription.
        document: DocumentId,
        /// The version submitted: known to the server, not necessarily current.
        heads: Heads,
    }
    /// Takes a submission back.
    Withdraw = "withdraw" {
        /// The prescription.
        document: DocumentId,
    }
    /// Returns a submitted prescription to its author. Needs a sign-in of the last quarter of an hour.
    Return = "return" {
        /// The prescription.
        document: DocumentId,
        /// The version that was looked at.
        heads: Heads,
        /// What is to be mended.
        reasons: Vec<Anchored>,
    }
    /// Rejects a submitted prescription. Needs a sign-in of the last quarter of an hour.
    Reject = "reject" {
        /// The prescription.
        document: DocumentId,
        /// The version that was looked at.
        heads: Heads,
        /// Why.
        #[schema(min_length = 1, max_length = 4000)]
        grounds: String,
    }
    /// Signs a submitted prescription off. Needs a sign-in of the last quarter of an hour. Where more than one signature
    /// is needed, it stays submitted until the last.
    SignOff = "sign_off" {
        /// The prescription.
        document: DocumentId,
        /// The version that was looked at, as `GET /v1/prescriptions/{document}` gives it.
        heads: Heads,
        /// Why it is necessary and appropriate, in the signer's words.
        #[schema(min_length = 1, max_length = 4000)]
        grounds: String,
        /// On what conditions, if any.
        conditions: Vec<String>,
        /// What it rested on when the signer looked, as `GET /v1/prescriptions/{document}` gives it.
        basis: Hash,
    }
    /// Recalls a signed version. Needs a sign-in of the last quarter of an hour.
    Recall = "recall" {
        /// The prescription.
        document: DocumentId,
        /// Which signed version.
        number: u32,
        /// Why.
        #[schema(min_length = 1, max_length = 4000)]
        reason: String,
    }
    /// Takes on a prescription whose authors are gone, as a co-author.
    TakeOver = "take_over" {
        /// The prescription.
        document: DocumentId,
        /// Why.
        #[schema(min_length = 1, max_length = 4000)]
        reason: String,
    }
    /// Reaches a case that is not theirs, in an emergency: for some hours, and supervisors are told.
    BreakGlass = "break_glass" {
        /// What the emergency is.
        #[schema(min_length = 1, max_length = 4000)]
        reason: String,
    }
    /// Housing's decision whether works are reasonable and practicable (HGCRA 1996 s.24(3)(b)).
    SurveyDecision = "survey_decision" {
        /// The survey it rests on.
        survey: DocumentId,
        /// The version of the survey.
        heads: Heads,
        /// The prescription decided on.
        prescription: DocumentId,
        /// Its signed version.
        number: u32,
        /// The decision.
        decision: Practicable,
        /// Why, where it is not a plain yes.
        reason: String,
    }
}

/// A remark to a field of a prescription, or to the whole of it.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Anchored {
    /// The item; none: the prescription itself.
    item: Option<Key>,
    /// The field; none: the whole item or prescription.
    field: Option<FieldName>,
    /// The words.
    text: String,
}

/// Whether works are reasonable and practicable: as signed; with a change, which the OT has to prescribe and have
/// signed anew; or not.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::routes) enum Practicable {
    Yes,
    WithChange,
    No,
}

/// What the server decided on an ask.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Verdict {
    /// The ask.
    ask: AskId,
    /// When, by the server's clock.
    at: Timestamp,
    /// What.
    answer: Answer,
}

/// The answer to an ask.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::routes) enum Answer {
    /// Done.
    Granted,
    /// Not done, and nothing changed.
    Refused(AskRefusal),
}

/// Why an ask was refused.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::routes) enum AskRefusal {
    /// No such case or document, or none that this person may see.
    Unknown,
    /// The person may see it but not do this.
    NotAllowed,
    /// The document, or what it rests on, has moved on since the person looked.
    HeadsMoved,
    /// The server has not received this version.
    HeadsUnknown,
    /// The prescription's state does not allow it.
    State {
        /// The state it is in.
        state: String,
        /// What was asked for.
        transition: Transition,
    },
    /// The prescription or assessment can't go on as it is.
    Findings {
        /// What is missing or wrong, in words.
        findings: Vec<String>,
    },
    /// The signer has a change in what is to be signed.
    OwnWork,
    /// The ask can only be made online, signed in.
    OnlineOnly,
    /// Nobody has looked an author or the signer up in the HCPC's register lately enough.
    RegistrationUnchecked {
        /// Whose.
        name: Option<String>,
        /// For how many days a look at the register is good.
        days: Option<u32>,
    },
    /// Particulars that are missing or too long.
    Particulars {
        /// Which.
        field: String,
        /// What is expected.
        why: String,
    },
    /// The same ask id with another content.
    IdTaken,
    /// Whoever prescribes or signs as an occupational therapist has no HCPC number on record.
    Unregistered {
        /// Whose.
        name: String,
    },
    /// When an author or the signer was last looked up, the HCPC's register did not let them practise.
    NotOnRegister {
        /// Who.
        name: String,
        /// What the register said: `suspended` or `not_found`.
        says: String,
    },
    /// The council's delegation lets others sign this prescription, or nobody.
    BeyondDelegation {
        /// The roles of those who may.
        signers: Vec<Role>,
        /// Why, in the words of the delegation's rules that leave this person out.
        because: Vec<String>,
    },
    /// This person's signature is one of those that count already, and more are needed.
    AlreadySigned,
}

/// A step of a prescription on its way to sign-off.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::routes) enum Transition {
    Submit,
    Withdraw,
    Return,
    Reject,
    SignOff,
    Recall,
}
