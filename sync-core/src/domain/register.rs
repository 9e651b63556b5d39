//! How values that several people recorded become one: the merge of readings and facts.
//!
//! Every value stays. A value stands until a later record names it as superseded or a settlement chooses another over
//! it. Two that stand and disagree are a clash, whether made at once or a week apart; nothing here looks at clocks or
//! at which change Automerge would let win, so every device that has the same records comes to the same answer
//! (invariant 2) and no value can drop out unseen (invariant 7).

use std::collections::{BTreeMap, BTreeSet};

use super::record::Value;
use super::vocabulary::{MeasureSpec, Safer};
use crate::id::Key;

/// The records in whose place another stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Supersession(BTreeSet<Key>);

impl Supersession {
    /// Reads it from who superseded whom, as pairs of the record and the one that stands in its place.
    ///
    /// Two people who settled one clash in opposite ways, unknown to each other, made a ring: then each record of it
    /// still stands and the clash is open again.
    pub(crate) fn of(pairs: &[(Key, Key)]) -> Self {
        let mut numbers: BTreeMap<Key, usize> = BTreeMap::new();
        let mut above: Vec<Vec<usize>> = Vec::new();
        for (loser, winner) in pairs {
            let [loser, winner] = [loser, winner].map(|key| {
                let number = *numbers.entry(*key).or_insert(above.len());
                if number == above.len() {
                    above.push(Vec::new());
                }
                number
            });
            above[loser].push(winner);
        }
        let ring = rings(&above);
        let is_superseded = |number: usize| above[number].iter().any(|winner| ring[*winner] != ring[number]);
        Self(numbers.into_iter().filter(|(_, number)| is_superseded(*number)).map(|(key, _)| key).collect())
    }

    /// Whether another record stands in this one's place.
    pub(crate) fn is_superseded(&self, key: Key) -> bool {
        self.0.contains(&key)
    }
}

/// Which ring each node is part of (most are rings of one): Tarjan's strongly connected components, in time linear in
/// nodes and arrows and without recursion, since whoever writes the records chooses how long the chains are.
fn rings(above: &[Vec<usize>]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let mut found = vec![UNSEEN; above.len()];
    let mut lowest = vec![UNSEEN; above.len()];
    let mut ring = vec![UNSEEN; above.len()];
    let (mut open, mut way): (Vec<usize>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
    let (mut count, mut named) = (0, 0);
    for start in 0..above.len() {
        if found[start] == UNSEEN {
            way.push((start, 0));
        }
        while let Some((node, next)) = way.pop() {
            if next == 0 {
                (found[node], lowest[node]) = (count, count);
                count += 1;
                open.push(node);
            } else {
                lowest[node] = lowest[node].min(lowest[above[node][next - 1]]);
            }
            let step = (next..above[node].len()).find(|at| {
                let other = above[node][*at];
                if found[other] != UNSEEN && ring[other] == UNSEEN {
                    lowest[node] = lowest[node].min(found[other]);
                }
                found[other] == UNSEEN
            });
            if let Some(at) = step {
                way.push((node, at + 1));
                way.push((above[node][at], 0));
            } else if lowest[node] == found[node] {
                while let Some(member) = open.pop() {
                    ring[member] = named;
                    if member == node {
                        break;
                    }
                }
                named += 1;
            }
        }
    }
    ring
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
        let current: Vec<&(Key, &Value)> = values.iter().filter(|(key, _)| !supersession.is_superseded(*key)).collect();
        let clash = current.windows(2).any(|pair| pair[0].1 != pair[1].1);
        Self {
            shown: current.last().map(|(key, _)| *key),
            clash,
            current: current.iter().map(|(key, _)| *key).collect(),
        }
    }
}
