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

/// Of how many readings of a text, the newest, each paragraph is tried: whoever reads last has read most.
const MOST_READS: usize = 32;

/// The paragraphs of `text`, from 1, in which words of concurrent changes of different actors stand, but for those
/// that one person read at heads which hold them all. A paragraph ends with a line break.
pub(crate) fn mixed(document: &Document, text: SharedText, read: &[&[Hash]]) -> Vec<usize> {
    let state = document.state();
    let Some(text) = object(state, text.name()) else { return Vec::new() };
    let mut paragraphs: Vec<Paragraph> = vec![Paragraph::default()];
    for item in state.list_range(&text, ..) {
        let ObjId::Id(_, actor, _) = item.id() else { continue };
        if let (Some(paragraph), Some(change)) = (paragraphs.last_mut(), state.hash_for_opid(&item.id())) {
            paragraph.actors.insert(actor);
            paragraph.changes.insert(change);
        }
        if matches!(&item.value, ValueRef::Scalar(ScalarValueRef::Str(word)) if word.as_ref() == "\n") {
            paragraphs.push(Paragraph::default());
        }
    }
    if paragraphs.iter().all(|paragraph| paragraph.actors.len() < 2) {
        return Vec::new();
    }
    let mut history = History::of(document);
    let mut reads: Vec<Vec<usize>> = read.iter().map(|heads| history.numbers(heads)).collect();
    reads.sort_unstable_by_key(|heads| std::cmp::Reverse(heads.iter().max().copied()));
    reads.truncate(MOST_READS);
    let reads: Vec<Vec<bool>> = reads.into_iter().map(|heads| history.behind(heads)).collect();
    let mut is_open = |paragraph: &Paragraph| {
        if paragraph.actors.len() < 2 {
            return false;
        }
        let mut changes: Vec<usize> =
            paragraph.changes.iter().filter_map(|change| history.number.get(change).copied()).collect();
        changes.sort_unstable();
        !reads.iter().any(|read| history.settles(Some(read), &changes)) && !history.settles(None, &changes)
    };
    (1..).zip(&paragraphs).filter(|(_, paragraph)| is_open(paragraph)).map(|(at, _)| at).collect()
}

#[derive(Default)]
struct Paragraph {
    actors: BTreeSet<ActorId>,
    changes: BTreeSet<ChangeHash>,
}

/// Which change builds on which, each by its number: a change has a higher one than all it builds on.
struct History {
    number: BTreeMap<ChangeHash, usize>,
    deps: Vec<Vec<usize>>,
    /// In which search a change was last come upon, and the number of the search.
    seen: (Vec<usize>, usize),
}

impl History {
    fn of(document: &Document) -> Self {
        let changes = document.state().get_changes_meta(&[]);
        let number: BTreeMap<ChangeHash, usize> =
            changes.iter().enumerate().map(|(number, change)| (change.hash, number)).collect();
        let deps: Vec<Vec<usize>> = changes
            .iter()
            .map(|change| change.deps.iter().filter_map(|dep| number.get(dep).copied()).collect())
            .collect();
        let seen = (vec![0; deps.len()], 0);
        Self { number, deps, seen }
    }

    fn numbers(&self, heads: &[Hash]) -> Vec<usize> {
        heads.iter().filter_map(|hash| self.number.get(&ChangeHash::from(*hash)).copied()).collect()
    }

    /// These changes and all they build on.
    fn behind(&self, mut next: Vec<usize>) -> Vec<bool> {
        let mut behind = vec![false; self.deps.len()];
        while let Some(change) = next.pop() {
            if !std::mem::replace(&mut behind[change], true) {
                next.extend(&self.deps[change]);
            }
        }
        behind
    }

    /// Whether the later change builds on the earlier one. Looks at nothing older than the earlier one.
    fn builds_on(&mut self, later: usize, earlier: usize) -> bool {
        self.seen.1 += 1;
        let mut next = vec![later];
        while let Some(change) = next.pop() {
            if change == earlier {
                return true;
            }
            if change > earlier && std::mem::replace(&mut self.seen.0[change], self.seen.1) != self.seen.1 {
                next.extend(&self.deps[change]);
            }
        }
        false
    }

    /// Whether every two of these changes, sorted by number, were known to each other or read together at `read`:
    /// those that were not read are one behind the other, and the first of them builds on all that were.
    fn settles(&mut self, read: Option<&Vec<bool>>, changes: &[usize]) -> bool {
        let (known, unread): (Vec<usize>, Vec<usize>) =
            changes.iter().partition(|change| read.is_some_and(|read| read[**change]));
        let Some(first) = unread.first() else { return true };
        if !unread.windows(2).all(|pair| self.builds_on(pair[1], pair[0])) {
            return false;
        }
        let behind = if known.is_empty() { Vec::new() } else { self.behind(vec![*first]) };
        known.iter().all(|change| behind[*change])
    }
}
