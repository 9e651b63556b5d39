//! Judgements made again, from what was recorded and by other means than the product's.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::domain::record::{Body, Cite, Value};
use sync_core::domain::view::View;
use sync_core::id::{Hash, Key};

/// The keys that somebody struck.
fn struck(view: &View) -> BTreeSet<Key> {
    let strikes = view.records.values().filter_map(|record| match &record.body {
        Body::Strike(strike) => Some(strike.key),
        _ => None,
    });
    strikes.collect()
}

/// Pairs of readings that nobody can deny to clash: of one place and measure, too far apart, never struck, and never
/// named in another reading's or a settlement's stead. Where places were joined, nothing is said.
pub(crate) fn clashing(view: &View) -> Vec<(Key, Key)> {
    let (struck, mut over) = (struck(view), BTreeSet::<Key>::new());
    let mut readings = Vec::new();
    for (key, record) in &view.records {
        match &record.body {
            Body::Reading(reading) => {
                over.extend(&reading.supersedes);
                if !struck.contains(key) {
                    readings.push((*key, reading));
                }
            }
            Body::Settlement(settlement) => over.extend(&settlement.over),
            Body::Join(_) => return Vec::new(),
            _ => {}
        }
    }
    readings.retain(|(key, _)| !over.contains(key));
    let mut pairs = Vec::new();
    for (at, (one, a)) in readings.iter().enumerate() {
        for (other, b) in &readings[at + 1..] {
            let alike = (a.place, a.measure) == (b.place, b.measure);
            if alike && a.value.abs_diff(b.value) > a.measure.spec().tolerance.unsigned_abs() {
                pairs.push((*one, *other));
            }
        }
    }
    pairs
}

/// Whether a record that is cited can't be built by, whatever else is so.
pub(crate) fn unfit_to_build(view: &View, key: Key) -> Option<&'static str> {
    if !view.records.contains_key(&key) {
        return Some("is not there");
    }
    if struck(view).contains(&key) {
        return Some("is struck");
    }
    clashing(view).iter().any(|(one, other)| [*one, *other].contains(&key)).then_some("clashes")
}

/// What the dimensions of a prescription cite that nobody struck.
pub(crate) fn cited(view: &View) -> Vec<Cite> {
    let struck = struck(view);
    let mut over: BTreeSet<Key> = BTreeSet::new();
    for record in view.records.values() {
        if let Body::Fact(fact) = &record.body {
            over.extend(&fact.supersedes);
        }
    }
    let mut cites = Vec::new();
    for (key, record) in &view.records {
        let Body::Fact(fact) = &record.body else { continue };
        let gone = struck.contains(key) || over.contains(key) || fact.item.is_some_and(|item| struck.contains(&item));
        if let (false, Value::Dimension(dimension)) = (gone, &fact.value) {
            cites.extend(dimension.cites.iter().copied());
        }
    }
    cites
}

/// The history of these heads by the changes themselves.
pub(crate) fn history<'a>(heads: &[Hash], changes: impl Iterator<Item = (Hash, &'a [u8])>) -> BTreeSet<Hash> {
    let deps: BTreeMap<Hash, Vec<Hash>> = changes
        .map(|(hash, bytes)| {
            let change = automerge::Change::from_bytes(bytes.to_vec()).unwrap();
            (hash, change.deps().iter().map(|dep| Hash::from(*dep)).collect())
        })
        .collect();
    let (mut history, mut next) = (BTreeSet::new(), heads.to_vec());
    while let Some(hash) = next.pop() {
        if history.insert(hash) {
            next.extend(deps.get(&hash).into_iter().flatten());
        }
    }
    history
}
