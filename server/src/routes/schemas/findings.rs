//! A prescription for a signer: what it says, and what there is to look at.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::cards::{SignedStanding, State};
use super::evidence::{Cite, Content};
use super::words::{CaseId, DocumentId, FieldName, Hash, Heads, Key, Place, Role, Timestamp};

/// A prescription as it was submitted or, if it is not, as it stands.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Prescription {
    /// The prescription.
    document: DocumentId,
    /// The case.
    case: CaseId,
    /// Where it stands.
    state: State,
    /// The version that `fields` and `findings` are of; decisions name it.
    heads: Heads,
    /// What that version rests on: the readings, photos and weight behind it. A sign-off names it too.
    basis: Hash,
    /// Who submitted it.
    submitted_by: Option<String>,
    /// Who has signed it so far, as it is submitted now, in their order.
    signed_by: Vec<SoFar>,
    /// What signing it takes.
    needs: Needed,
    /// By path, `specification/…` or `justification/…`: what would be signed.
    fields: BTreeMap<String, Content>,
    /// What there is to look at.
    findings: Vec<Finding>,
    /// What was signed before.
    versions: Vec<Version>,
    /// For a signer: what is different from what they were shown before; null: they were shown nothing else yet.
    since: Option<Since>,
}

/// What is different from what a signer was shown before.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Since {
    /// When they were shown that first.
    at: Timestamp,
    /// The version they were shown.
    heads: Heads,
    /// What is different, by path.
    changes: Vec<Difference>,
}

/// A field that says something else.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Difference {
    /// Where: `specification/…` or `justification/…`.
    path: String,
    /// What it said; null: nothing.
    before: Option<Content>,
    /// What it says; null: nothing.
    after: Option<Content>,
    /// Of prose, its words in order; null: of anything else, and of what is too long to be told apart.
    words: Option<Vec<Words>>,
}

/// Words behind one another that share a fate.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::routes) enum Words {
    /// They stayed.
    Same(String),
    /// They were taken out.
    Removed(String),
    /// They were put in.
    Added(String),
}

/// A signature of a submitted version that counts; the last that is needed makes the signed version.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct SoFar {
    /// Who signed.
    name: String,
    /// When, by the server's clock.
    at: Timestamp,
    /// Why it is necessary and appropriate, in the signer's words.
    grounds: String,
    /// On what conditions.
    conditions: Vec<String>,
}

/// What signing a prescription takes, by the council's delegation.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Needed {
    /// How many people have to sign, each for themselves.
    #[schema(minimum = 1, maximum = 3)]
    signatures: u8,
    /// The roles of those who may; empty: nobody may.
    signers: Vec<Role>,
    /// Why, in the words of every rule that fits.
    because: Vec<String>,
}

/// Something to look at.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Finding {
    /// In words.
    words: String,
    /// Whether nothing may be submitted or signed while it is so.
    blocks: bool,
    /// What.
    what: What,
    /// The item it is about; none: the prescription itself.
    item: Option<Key>,
}

/// A signed version of a prescription.
#[derive(Debug, ToSchema)]
pub(in crate::routes) struct Version {
    /// Counts up from 1.
    number: u32,
    /// What became of it.
    standing: SignedStanding,
    /// When it was signed.
    at: Timestamp,
}

/// What there is to look at.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "kebab-case")]
#[serde(tag = "finding")]
pub(in crate::routes) enum What {
    /// A field that is expected has no value.
    Missing {
        /// The field.
        field: FieldName,
    },
    /// Values disagree.
    Clash {
        /// The records that disagree.
        keys: Vec<Key>,
        /// What they are about, in words.
        about: String,
    },
    /// A value that few homes or people have.
    Implausible {
        /// The record.
        key: Key,
        /// What, in words, with its value.
        value: String,
    },
    /// A value ten times or a tenth of what is plausible: centimetres or a digit slipped.
    UnitSlip {
        /// The record.
        key: Key,
        /// What, in words, with its value.
        value: String,
        /// What was probably meant.
        meant: String,
    },
    /// An estimate stands behind a critical dimension.
    Estimate {
        /// The dimension.
        field: FieldName,
        /// The reading.
        cite: Cite,
    },
    /// A critical dimension that rests on no reading.
    Unmeasured {
        /// The dimension.
        field: FieldName,
    },
    /// A cited record that can't be built by.
    Cited {
        /// The field that cites it; none: the prescription's own list.
        field: Option<FieldName>,
        /// The record.
        cite: Cite,
        /// What is wrong with it.
        fault: Fault,
    },
    /// What is prescribed bears less than the client weighs.
    LoadUnderWeight {
        /// The load required of it, in kilograms.
        load: i64,
        /// The client's weight, in kilograms.
        weight: i64,
    },
    /// Two people wrote in one paragraph unknown to each other: read it.
    MixedText {
        /// The text.
        text: SharedText,
        /// Which paragraph, from 1.
        paragraph: usize,
    },
    /// Two rooms whose measurements are all alike: one room under two names?
    RoomsAlike {
        /// One.
        one: Place,
        /// The other.
        other: Place,
    },
    /// Records of a newer version of the program: update it to read them.
    Unread {
        /// How many.
        records: usize,
    },
    /// A prescription that prescribes nothing.
    NothingPrescribed,
}

/// What is wrong with a cited record.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(in crate::routes) enum Fault {
    /// Not in the document it should be in, or the document is not here.
    Absent,
    /// Struck.
    Struck,
    /// A later reading or a settlement stands in its place.
    Superseded,
    /// Another reading that stands disagrees with it.
    Clash,
    /// What Housing is to read cites it, and Housing may not see it.
    NotForHousing,
}

/// A text that several people write together.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(in crate::routes) enum SharedText {
    Summary,
    Reasoning,
}
