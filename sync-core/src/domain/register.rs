//! How values that several people recorded become one: the merge of readings and facts.
//!
//! Every value stays. A value stands until a later record names it as superseded or a settlement chooses another over
//! it. Two that stand and disagree are a clash, whether made at once or a week apart; nothing here looks at clocks or
//! at which change Automerge would let win, so every device that has the same records comes to the same answer
//! (invariant 2) and no value can drop out unseen (invariant 7).

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Body, Value};
use super::vocabulary::{MeasureSpec, Safer};
use crate::id::Key;

/// Which records stand in the place of which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Supersession {
    /// Record → the records that stand in its place.
    by: BTreeMap<Key, BTreeSet<Key>>,
}

impl Supersession {
    /// Reads it from the records that nobody struck.
    pub(crate) fn of<'a>(records: impl Iterator<Item = (Key, &'a Body)>) -> Self {
        let mut by: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
        for (key, body) in records {
            let (winner, losers): (Key, &[Key]) = match body {
                Body::Reading(reading) => (key, &reading.supersedes),
                Body::Fact(fact) => (key, &fact.supersedes),
                Body::Settlement(settlement) => (settlement.chosen, &settlement.over),
                Body::Note(note) => (key, note.amends.as_slice()),
                _ => continue,
            };
            for loser in losers {
                by.entry(*loser).or_default().insert(winner);
            }
        }
        Self { by }
    }

    /// Whether another record stands in this one's place. Two people who settled one clash in opposite ways, unknown
    /// to each other, made a ring: then each record of it still stands and the clash is open again.
    pub(crate) fn is_superseded(&self, key: Key) -> bool {
        let Some(above) = self.by.get(&key) else { return false };
        above.iter().any(|winner| !self.reaches(*winner, key))
    }

    /// Whether following who superseded whom leads from `from` to `to`.
    fn reaches(&self, from: Key, to: Key) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(key) = next.pop() {
            if key == to {
                return true;
            }
            if seen.insert(key) {
                next.extend(self.by.get(&key).into_iter().flatten());
            }
        }
        false
    }
}

/// The records that stand for one thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Register {
    /// All that stand, oldest key first.
    pub current: Vec<Key>,
    /// The one to show and build by: of readings that agree, the safer; of facts that agree, the last by key; of a
    /// clash, still one of them, and never without saying that they clash.
    pub shown: Option<Key>,
    /// Whether they disagree.
    pub clash: bool,
}

impl Register {
    pub(crate) fn of_readings(values: &[(Key, i64)], spec: &MeasureSpec, supersession: &Supersession) -> Self {
        let current: Vec<(Key, i64)> =
            values.iter().filter(|(key, _)| !supersession.is_superseded(*key)).copied().collect();
        let lowest = current.iter().min_by_key(|(key, value)| (*value, *key));
        let highest = current.iter().max_by_key(|(key, value)| (*value, *key));
        let clash = match (lowest, highest) {
            (Some((_, lowest)), Some((_, highest))) => highest - lowest > i64::from(spec.tolerance),
            _ => false,
        };
        let shown = match spec.safer {
            Safer::Smaller => lowest,
            Safer::Larger => highest,
        };
        Self { shown: shown.map(|(key, _)| *key), clash, current: current.into_iter().map(|(key, _)| key).collect() }
    }

    pub(crate) fn of_facts(values: &[(Key, &Value)], supersession: &Supersession) -> Self {
        let current: Vec<&(Key, &Value)> =
            values.iter().filter(|(key, _)| !supersession.is_superseded(*key)).collect();
        let clash = current.windows(2).any(|pair| pair[0].1 != pair[1].1);
        Self {
            shown: current.last().map(|(key, _)| *key),
            clash,
            current: current.iter().map(|(key, _)| *key).collect(),
        }
    }
}
