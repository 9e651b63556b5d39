//! News for the person, and how it is kept.

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::clock::Stamp;
use crate::domain::kind::Kind;
use crate::guard::Refusal;
use crate::id::{CaseId, DocumentId, QuarantineId};
use crate::protocol::ask::AskRefusal;
use crate::protocol::sync::PurgeReason;

/// News for the person.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "kebab-case", tag = "notice")]
pub enum Notice {
    /// The server did not take this device's changes of a document; what was typed is kept.
    #[n(0)]
    Refused {
        /// The document.
        #[n(0)]
        document: DocumentId,
        /// Why.
        #[n(1)]
        reason: Refusal,
        /// Where the server keeps it.
        #[n(2)]
        quarantine: Option<QuarantineId>,
    },
    /// An ask was refused.
    #[n(1)]
    AskRefused {
        /// The ask's name.
        #[n(0)]
        ask: String,
        /// The document it was about.
        #[n(1)]
        document: Option<DocumentId>,
        /// Why.
        #[n(2)]
        reason: AskRefusal,
    },
    /// A case was removed from this device as the server ordered; its receipts stay.
    #[n(2)]
    Purged {
        /// The case.
        #[n(0)]
        case: CaseId,
        /// Photos taken in it that no server has taken.
        #[n(1)]
        #[cbor(default)]
        photos: u32,
        /// Why.
        #[n(2)]
        #[cbor(default)]
        reason: PurgeReason,
        /// How much of what was asked in it was refused, or came too late to be decided.
        #[n(3)]
        #[cbor(default)]
        asks: u32,
    },
    /// A document that this program can't read was set aside.
    #[n(3)]
    SetAside {
        /// The document.
        #[n(0)]
        document: DocumentId,
        /// What is wrong with it.
        #[n(1)]
        why: String,
    },
    /// A document was removed from this device as the server ordered, while its case stays.
    #[n(4)]
    PurgedDocument {
        /// The case.
        #[n(0)]
        case: CaseId,
        /// The document.
        #[n(1)]
        document: DocumentId,
        /// Its kind.
        #[n(2)]
        kind: Kind,
        /// Photos taken in it that no server has taken.
        #[n(3)]
        photos: u32,
        /// Why.
        #[n(4)]
        #[cbor(default)]
        reason: PurgeReason,
        /// How much of what was asked about it was refused, or came too late to be decided.
        #[n(5)]
        #[cbor(default)]
        asks: u32,
    },
}

impl Notice {
    /// The document whose words it may repeat.
    pub(in crate::device) const fn repeats(&self) -> Option<DocumentId> {
        match self {
            Self::Refused { document, .. } | Self::SetAside { document, .. } => Some(*document),
            Self::AskRefused { document, .. } => *document,
            Self::Purged { .. } | Self::PurgedDocument { .. } => None,
        }
    }
}

/// A notice as it is kept.
#[derive(Clone, Encode, Decode)]
pub(in crate::device) struct NoticeRow {
    #[n(0)]
    pub(in crate::device) at: Stamp,
    #[n(1)]
    pub(in crate::device) notice: Notice,
}
