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
/// How many questions whether one change builds on another are asked of one text, and how many steps answering them
/// takes at most. Both are far above what people write; beyond them a paragraph is mixed until somebody reads all of it.
const MOST_QUESTIONS: usize = 1_000_000;
const MOST_STEPS: usize = 100_000_000;

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
    let history = History::of(document);
    let reads: BTreeSet<Vec<usize>> = read.iter().map(|heads| history.numbers(heads.iter().copied())).collect();
    let mut reads: Vec<Vec<usize>> = reads.into_iter().collect();
    reads.sort_by_key(|heads| std::cmp::Reverse(heads.last().copied()));
    reads.truncate(MOST_READS);
    // Many paragraphs are of the same changes: each such set is judged once.
    let mut sets: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for (at, paragraph) in (1..).zip(&paragraphs).filter(|(_, paragraph)| paragraph.actors.len() > 1) {
        sets.entry(history.numbers(paragraph.changes.iter().map(|change| (*change).into()))).or_default().push(at);
    }
    let (sets, at): (Vec<Vec<usize>>, Vec<Vec<usize>>) = sets.into_iter().unzip();
    let (settled, _) = history.settled(&reads, &sets);
    let mut open: Vec<usize> =
        at.into_iter().zip(settled).filter(|(_, settled)| !settled).flat_map(|(at, _)| at).collect();
    open.sort_unstable();
    open
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
}

/// Whether `later` builds on `earlier`: if not, the reading that asks does not settle its set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    earlier: usize,
    later: usize,
    case: usize,
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
        Self { number, deps }
    }

    /// The numbers of these changes, sorted, each once.
    fn numbers(&self, changes: impl Iterator<Item = Hash>) -> Vec<usize> {
        let numbers: BTreeSet<usize> =
            changes.filter_map(|hash| self.number.get(&ChangeHash::from(hash)).copied()).collect();
        numbers.into_iter().collect()
    }

    /// For each change, which of the readings (at most [`MOST_READS`]), by their bits, were of it.
    fn read_by(&self, reads: &[Vec<usize>]) -> Vec<u32> {
        let mut read = vec![0; self.deps.len()];
        for (bit, heads) in reads.iter().enumerate().take(MOST_READS) {
            for head in heads {
                read[*head] |= 1 << bit;
            }
        }
        for change in (0..self.deps.len()).rev() {
            for dep in &self.deps[change] {
                read[*dep] |= read[change];
            }
        }
        read
    }

    /// Of each set of changes, sorted by number, whether every two were known to each other or read together at one of
    /// `reads`: those that were not read are one behind the other, and the first of them builds on all that were. And
    /// how many steps that took: linear in the history for each 64 changes that are asked about.
    fn settled(&self, reads: &[Vec<usize>], sets: &[Vec<usize>]) -> (Vec<bool>, usize) {
        let read = self.read_by(reads);
        let mut settled = vec![false; sets.len()];
        // One case for each set and each way in which a reading parts it; it stands while no answer is no.
        let mut cases: Vec<(usize, bool)> = Vec::new();
        let mut questions: Vec<Question> = Vec::new();
        for (at, set) in sets.iter().enumerate() {
            let (all, any) =
                set.iter().fold((u32::MAX, 0), |(all, any), change| (all & read[*change], any | read[*change]));
            if all != 0 {
                settled[at] = true;
                continue;
            }
            // As if nobody had read anything, and as each reading that knew some of it.
            let masks = std::iter::once(0).chain((0..u32::BITS).map(|bit| any & (1 << bit)).filter(|mask| *mask != 0));
            let ways: BTreeSet<Vec<bool>> =
                masks.map(|mask| set.iter().map(|change| read[*change] & mask != 0).collect()).collect();
            for way in ways {
                if questions.len() + set.len() > MOST_QUESTIONS {
                    break;
                }
                let unread: Vec<usize> =
                    set.iter().zip(&way).filter(|(_, known)| !**known).map(|(change, _)| *change).collect();
                let Some(first) = unread.first().copied() else { continue };
                let known = set.iter().zip(&way).filter(|(_, known)| **known).map(|(change, _)| (*change, first));
                let case = cases.len();
                cases.push((at, true));
                let pairs = unread.windows(2).map(|pair| (pair[0], pair[1])).chain(known);
                questions.extend(pairs.map(|(earlier, later)| Question { earlier, later, case }));
            }
        }
        let steps = self.answer(questions, &mut cases);
        for (at, stands) in cases {
            settled[at] |= stands;
        }
        (settled, steps)
    }

    /// Strikes out the cases of which an answer is no, and tells in how many steps.
    fn answer(&self, mut questions: Vec<Question>, cases: &mut [(usize, bool)]) -> usize {
        questions.sort_unstable();
        let mut steps = 0;
        let mut rest = &questions[..];
        while let Some(lowest) = rest.first().map(|question| question.earlier) {
            // Each of the next 64 changes that are asked about has a bit, which goes up to all that build on it.
            let mut asked: Vec<usize> = Vec::with_capacity(64);
            let end = rest.iter().position(|question| {
                if asked.last() != Some(&question.earlier) {
                    asked.push(question.earlier);
                }
                asked.len() > 64
            });
            let (now, later) = rest.split_at(end.unwrap_or(rest.len()));
            asked.truncate(64);
            rest = later;
            let highest = now.iter().map(|question| question.later).max().unwrap_or(lowest);
            let mut behind = vec![0_u64; (highest + 1).saturating_sub(lowest)];
            for (bit, change) in asked.iter().enumerate() {
                if let Some(own) = behind.get_mut(change - lowest) {
                    *own |= 1 << bit;
                }
            }
            for change in lowest..=highest {
                steps += 1 + self.deps[change].len();
                if steps > MOST_STEPS {
                    now.iter().chain(rest).for_each(|question| cases[question.case].1 = false);
                    return steps;
                }
                for dep in self.deps[change].iter().filter(|dep| **dep >= lowest) {
                    behind[change - lowest] |= behind[dep - lowest];
                }
            }
            for question in now {
                let bit = asked.binary_search(&question.earlier).unwrap_or_default();
                let above = question.later.checked_sub(lowest).map_or(0, |at| behind[at]);
                if above & (1 << bit) == 0 {
                    cases[question.case].1 = false;
                }
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two people who each wrote `length` changes, unknown to each other until the last.
    fn two_lines(length: usize) -> History {
        let mut deps: Vec<Vec<usize>> = vec![vec![]];
        for _ in 0..length {
            let next = deps.len();
            // Each builds on the one before last, which is its writer's own; the first two on the first of all.
            deps.extend([vec![next.saturating_sub(2)], vec![if next == 1 { 0 } else { next - 1 }]]);
        }
        let last = deps.len();
        deps.push(vec![last - 2, last - 1]);
        History { number: BTreeMap::new(), deps }
    }

    #[test]
    fn a_set_is_settled_by_one_line_or_by_a_reading_that_holds_it_or_that_the_rest_builds_on() {
        // 0 is built on by 1, 3, 5 and by 2, 4, 6, which 7 brings together.
        let history = two_lines(3);
        let settled = |reads: &[&[usize]], set: &[usize]| {
            let reads: Vec<Vec<usize>> = reads.iter().map(|heads| heads.to_vec()).collect();
            history.settled(&reads, &[set.to_vec()]).0[0]
        };
        assert!(settled(&[], &[0, 1, 3, 5, 7]) && settled(&[], &[0, 2, 4, 7]));
        assert!(!settled(&[], &[1, 2]) && !settled(&[], &[0, 1, 4, 7]) && !settled(&[], &[3, 6]));
        assert!(settled(&[&[1, 2]], &[1, 2]) && settled(&[&[5], &[3, 4]], &[1, 2, 4]));
        assert!(settled(&[&[5, 6]], &[3, 6, 7]), "what came later builds on all that was read");
        assert!(!settled(&[&[1, 2]], &[1, 2, 3]), "what came later knows one of two that were read");
        assert!(!settled(&[&[5], &[6]], &[5, 6]), "nobody read both");
    }

    #[test]
    fn as_many_paragraphs_reads_and_changes_as_one_can_send_are_judged_in_few_steps() {
        const LENGTH: usize = 10_000;
        let history = two_lines(LENGTH);
        let sets: Vec<Vec<usize>> = (0..LENGTH).map(|at| vec![2 * at + 1, 2 * at + 2]).collect();
        let reads: Vec<Vec<usize>> = (0..MOST_READS).map(|at| vec![2 * (LENGTH - at) - 1]).collect();
        let (settled, steps) = history.settled(&reads, &sets);
        assert!(settled.iter().all(|settled| !settled));
        // One search of the history for each paragraph and reading would be some 6,000,000,000.
        assert!(steps < 2_000_000, "{steps}");
        let (settled, _) = history.settled(&[vec![2 * LENGTH + 1]], &sets);
        assert!(settled.iter().all(|settled| *settled));
        // Sets that reach across the whole history: the bound holds, and what was not answered stays open.
        let wide: Vec<Vec<usize>> = (1..LENGTH).map(|at| vec![at, 2 * LENGTH - 1, 2 * LENGTH]).collect();
        let (settled, steps) = history.settled(&reads, &wide);
        assert!(steps <= MOST_STEPS + LENGTH && settled.iter().all(|settled| !settled));
    }
}
