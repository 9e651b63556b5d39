//! How much is taken. Over a bound is a refusal, or for a day's bound a *later*: never a slowdown for others.

use super::Refusal;

/// How much a change, a push, a document and a device's day may bring. A server takes some of them from its
/// configuration; a device judges its own changes by the same defaults before it keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of one change.
    pub change_bytes: usize,
    /// Operations of one change; and again as many that they take the place of.
    pub operations: usize,
    /// Changes that one change names as those it builds on.
    pub deps: usize,
    /// Other actors whose operations one change names.
    pub actors: usize,
    /// Changes of one document in one push.
    pub changes: usize,
    /// Bytes of one document's changes in one push.
    pub push_bytes: usize,
    /// Operations of one document's changes in one push; and again as many that they take the place of.
    pub push_operations: usize,
    /// Bytes of a saved document.
    pub document_bytes: usize,
    /// The same before they are deflated, which is what every reading of it has to go through.
    pub document_inflated: usize,
    /// Changes of a document, its skeleton among them.
    pub document_changes: usize,
    /// Operations of a document: a run of them takes next to no bytes, deflated or not, and whoever writes a word more in
    /// the document goes through all of them.
    pub document_operations: usize,
    /// Characters of one shared text.
    pub text_characters: usize,
    /// Bytes of changes that one device may bring in a day (UTC), those that are set aside among them. Over it is
    /// [`Refusal::Later`]. A server's own: `judge` sees one push and no day.
    pub device_day_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            change_bytes: 256 << 10,
            operations: 50_000,
            deps: 1_000,
            actors: 1_000,
            changes: 10_000,
            push_bytes: 4 << 20,
            push_operations: 500_000,
            document_bytes: 16 << 20,
            document_inflated: 64 << 20,
            document_changes: 50_000,
            document_operations: 500_000,
            text_characters: 100_000,
            device_day_bytes: 64 << 20,
        }
    }
}

impl Bounds {
    /// Of changes that a device takes in at once. How many bytes one has is the server's to bound, by its configuration;
    /// and a device's own work, not sent yet, may stand on a document that is full.
    pub fn of_what_is_sent() -> Self {
        let most = Self::default();
        Self {
            change_bytes: usize::MAX,
            document_changes: 2 * most.document_changes,
            document_operations: 2 * most.document_operations,
            ..most
        }
    }
}

/// Refuses more than `most` of something.
pub(super) fn bounded(what: &str, found: usize, most: usize) -> Result<(), Refusal> {
    if found > most {
        Err(Refusal::TooLarge { what: what.to_owned(), found: found as u64, most: most as u64 })
    } else {
        Ok(())
    }
}
