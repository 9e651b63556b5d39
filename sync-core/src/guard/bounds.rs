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
    /// Changes that those of one document in one push name as what they build on, together.
    pub push_deps: usize,
    /// Steps to the captions that a push takes the place of: to those of one photo lie as many as the document has
    /// operations, and its actors for each change that is built on there.
    pub push_caption_steps: usize,
    /// How often a device may begin anew in a document. An honest one does after work of its was refused, once a sync.
    pub forks: usize,
    /// Bytes of a saved document.
    pub document_bytes: usize,
    /// The same before they are deflated, which is what every reading of it has to go through.
    pub document_inflated: usize,
    /// Changes of a document, its skeleton among them.
    pub document_changes: usize,
    /// Operations of a document: a run of them takes next to no bytes, deflated or not, and whoever writes a word more in
    /// the document goes through all of them.
    pub document_operations: usize,
    /// Actors of a document: one for each person, device, life of its store and fork. Each can leave it a head, and
    /// whoever writes next builds on all heads: so no more than [`Bounds::deps`], or nobody could.
    pub document_actors: usize,
    /// Changes of a document times its actors: Automerge may keep of each change how far each actor was, 4 bytes each,
    /// and goes through them whenever it loads the document.
    pub document_clocks: usize,
    /// Changes that those of a document name as what they build on, together.
    pub document_deps: usize,
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
            push_deps: 100_000,
            push_caption_steps: 20_000_000,
            forks: 500,
            document_bytes: 16 << 20,
            document_inflated: 64 << 20,
            document_changes: 50_000,
            document_operations: 500_000,
            document_actors: 1_000,
            document_clocks: 2_500_000,
            document_deps: 500_000,
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
            document_actors: 2 * most.document_actors,
            document_clocks: 2 * most.document_clocks,
            document_deps: 2 * most.document_deps,
            ..most
        }
    }

    /// Refuses a document of so many changes by so many actors.
    pub(super) fn clocks(&self, changes: usize, actors: usize) -> Result<(), Refusal> {
        bounded("actors in the document", actors, self.document_actors)?;
        bounded("changes times actors in the document", changes.saturating_mul(actors), self.document_clocks)
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
