//! What people typed, so that it is known again whatever became of the change it was typed in: work that is done again
//! has other hashes, and may have other keys.

use std::collections::BTreeSet;

use automerge::ScalarValue;
use sync_core::clock::Stamp;
use sync_core::domain::edit::Edit;
use sync_core::domain::record::{Body, Record};
use sync_core::domain::references::{Naming, each_reference};
use sync_core::id::{DocumentId, Key};

use crate::disk::Typed;

/// Something said in a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    /// A record: when, and what, without the keys it names.
    Record(DocumentId, Vec<u8>),
    /// A caption.
    Caption(DocumentId, String),
}

fn record(document: DocumentId, at: Stamp, body: &Body) -> Said {
    let mut edit = Edit::Add(body.clone());
    each_reference(document, &mut edit, &mut |_, key, naming| {
        *key = Key { device: 0, counter: 0 };
        naming == Naming::Needs
    });
    if let Edit::Add(Body::TextRead(read)) = &mut edit {
        read.heads.clear();
    }
    Said::Record(document, minicbor::to_vec((at, edit)).unwrap())
}

impl Typed {
    /// What must be somewhere for nothing of it to be lost. What was written in a shared text is [`Typed::words`].
    pub(crate) fn says(&self, document: DocumentId) -> BTreeSet<Said> {
        let said = self.edits.iter().filter_map(|edit| match edit {
            Edit::Add(body) => Some(record(document, self.at, body)),
            Edit::Caption { text, .. } => Some(Said::Caption(document, text.clone())),
            Edit::Splice { .. } => None,
        });
        said.collect()
    }

    /// What was written into shared texts, piece by piece.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.splices().map(|(_, insert)| insert).filter(|insert| !insert.is_empty())
    }

    /// Whether something was taken out of a shared text.
    pub(crate) fn takes_words_out(&self) -> bool {
        self.splices().any(|(delete, _)| delete > 0)
    }

    fn splices(&self) -> impl Iterator<Item = (u32, &str)> {
        self.edits.iter().filter_map(|edit| match edit {
            Edit::Splice { delete, insert, .. } => Some((*delete, insert.as_str())),
            _ => None,
        })
    }

    /// Whether a change says all of it.
    pub(crate) fn is_in(&self, document: DocumentId, change: &[u8]) -> bool {
        let written = written_by(change);
        self.says(document).is_subset(&said_by(document, change)) && self.words().all(|words| written.contains(words))
    }
}

/// What a change writes into shared texts, one piece behind the other.
pub(crate) fn written_by(change: &[u8]) -> String {
    let change = automerge::Change::from_bytes(change.to_vec()).unwrap().decode();
    let letters = change.operations.iter().filter(|op| op.insert).filter_map(|op| op.primitive_value());
    letters.filter_map(|letter| letter.as_str().map(str::to_owned)).collect()
}

/// What a change says.
pub(crate) fn said_by(document: DocumentId, bytes: &[u8]) -> BTreeSet<Said> {
    let change = automerge::Change::from_bytes(bytes.to_vec()).unwrap().decode();
    let said = change.operations.iter().filter_map(|op| match op.primitive_value()? {
        ScalarValue::Bytes(bytes) => {
            let Record { at, body, .. } = Record::from_bytes(&bytes).unwrap();
            Some(record(document, at, &body))
        }
        ScalarValue::Str(text) => Some(Said::Caption(document, text.to_string())),
        _ => None,
    });
    said.collect()
}
