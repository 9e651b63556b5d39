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
    /// What must be somewhere for nothing of it to be lost. Of what was written in a shared text nothing is asked: done
    /// again, it is whatever of it the text did not say already.
    pub(crate) fn says(&self, document: DocumentId) -> BTreeSet<Said> {
        let said = self.edits.iter().filter_map(|edit| match edit {
            Edit::Add(body) => Some(record(document, self.at, body)),
            Edit::Caption { text, .. } => Some(Said::Caption(document, text.clone())),
            Edit::Splice { .. } => None,
        });
        said.collect()
    }
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
