//! Paragraphs of a shared text that two people wrote in unknown to each other.
//!
//! Automerge merges their words without loss, but a sentence made of two halves may say what neither meant; so it is a
//! finding until somebody reads it ([`super::record::TextRead`]).

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ActorId, ChangeHash, ObjId, ReadDoc, ScalarValueRef, ValueRef};

use super::container::object;
use super::document::Document;
use super::record::SharedText;
use crate::id::Hash;

/// The paragraphs of `text`, from 1, in which words of concurrent changes of different actors stand, but for those
/// that were read at heads which hold them all. A paragraph ends with a line break.
pub(crate) fn mixed(document: &Document, text: SharedText, read: &[&[Hash]]) -> Vec<usize> {
    let state = document.state();
    let Some(text) = object(state, text.name()) else { return Vec::new() };
    let mut paragraphs: Vec<BTreeMap<ActorId, BTreeSet<ChangeHash>>> = vec![BTreeMap::new()];
    for item in state.list_range(&text, ..) {
        let ObjId::Id(_, actor, _) = item.id() else { continue };
        if let (Some(paragraph), Some(change)) = (paragraphs.last_mut(), state.hash_for_opid(&item.id())) {
            paragraph.entry(actor).or_default().insert(change);
        }
        if matches!(&item.value, ValueRef::Scalar(ScalarValueRef::Str(word)) if word.as_ref() == "\n") {
            paragraphs.push(BTreeMap::new());
        }
    }
    if paragraphs.iter().all(|actors| actors.len() < 2) {
        return Vec::new();
    }
    let history = History::of(document);
    let read: Vec<BTreeSet<ChangeHash>> = read
        .iter()
        .map(|heads| history.behind(heads.iter().map(|hash| ChangeHash::from(*hash))))
        .collect();
    let open = |actors: &BTreeMap<ActorId, BTreeSet<ChangeHash>>| {
        let changes: Vec<(&ActorId, ChangeHash)> =
            actors.iter().flat_map(|(actor, changes)| changes.iter().map(move |change| (actor, *change))).collect();
        changes.iter().enumerate().any(|(at, (actor, change))| {
            changes[at + 1..].iter().any(|(other_actor, other)| {
                actor != other_actor
                    && history.concurrent(*change, *other)
                    && !read.iter().any(|behind| behind.contains(change) && behind.contains(other))
            })
        })
    };
    paragraphs.iter().enumerate().filter(|(_, actors)| open(actors)).map(|(at, _)| at + 1).collect()
}

/// Which change builds on which.
struct History(BTreeMap<ChangeHash, Vec<ChangeHash>>);

impl History {
    fn of(document: &Document) -> Self {
        Self(document.state().get_changes_meta(&[]).into_iter().map(|change| (change.hash, change.deps)).collect())
    }

    /// These changes and all they build on.
    fn behind(&self, changes: impl Iterator<Item = ChangeHash>) -> BTreeSet<ChangeHash> {
        let mut behind = BTreeSet::new();
        let mut next: Vec<ChangeHash> = changes.collect();
        while let Some(change) = next.pop() {
            if let Some(deps) = self.0.get(&change)
                && behind.insert(change)
            {
                next.extend(deps);
            }
        }
        behind
    }

    fn concurrent(&self, a: ChangeHash, b: ChangeHash) -> bool {
        !self.behind([a].into_iter()).contains(&b) && !self.behind([b].into_iter()).contains(&a)
    }
}
