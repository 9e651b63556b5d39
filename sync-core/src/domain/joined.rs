//! Places that people said are one: which name stands for each.
//!
//! A join has no direction that could be lost: whoever joined `a` to `b` and whoever joined `b` to `a` or to `c` said
//! that all of them are one place. What is in a joined room moves with it.

use std::collections::{BTreeMap, BTreeSet};

use super::record::Join;
use super::vocabulary::Place;

/// More steps than any way from a name to the one that stands for it takes; beyond it a name stays as it is.
const MOST_STEPS: usize = 16;

/// The places that are one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Joined {
    /// Every name that somebody joined to another, with the name that stands for all of its group.
    named: BTreeMap<Place, Place>,
    /// The names of places that are asked for again and again: whoever writes the joins chooses how long the ways are.
    known: BTreeMap<Place, Place>,
}

impl Joined {
    /// The groups that these joins make, in whatever order they come.
    pub(crate) fn of<'a>(joins: impl Iterator<Item = &'a Join>) -> Self {
        let mut numbers: BTreeMap<Place, usize> = BTreeMap::new();
        let mut parents: Vec<usize> = Vec::new();
        let mut given_up = BTreeSet::new();
        for join in joins {
            let [one, other] = [join.place, join.same_as].map(|place| {
                let number = *numbers.entry(place).or_insert(parents.len());
                if number == parents.len() {
                    parents.push(number);
                }
                root(&mut parents, number)
            });
            parents[one] = other;
            given_up.insert(join.place);
        }
        // The first name that nobody gave up; where every name was given up by somebody, the first of all.
        let mut names: BTreeMap<usize, Place> = BTreeMap::new();
        for kept in [true, false] {
            for (place, number) in &numbers {
                if !kept || !given_up.contains(place) {
                    names.entry(root(&mut parents, *number)).or_insert(*place);
                }
            }
        }
        let named = numbers.into_iter().filter_map(|(place, number)| {
            let name = *names.get(&root(&mut parents, number))?;
            (name != place).then_some((place, name))
        });
        Self { named: named.collect(), known: BTreeMap::new() }
    }

    /// Whether no place has another name.
    pub(crate) fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Finds the name of this place once and for all. One that no join moves is found as fast without.
    pub(crate) fn remember(&mut self, place: &Place) {
        if !self.is_empty() && !self.known.contains_key(place) && self.step(place).is_some() {
            self.known.insert(*place, self.find(place));
        }
    }

    /// The name that stands for this place.
    pub(crate) fn name(&self, place: &Place) -> Place {
        if self.is_empty() {
            return *place;
        }
        self.known.get(place).copied().unwrap_or_else(|| self.find(place))
    }

    fn find(&self, place: &Place) -> Place {
        let mut way = vec![*place];
        while way.len() < MOST_STEPS {
            let Some(next) = way.last().and_then(|place| self.step(place)) else { break };
            if let Some(at) = way.iter().position(|place| *place == next) {
                // Joins of a room and of things in it can lead in a ring: every name of the ring gives the same one.
                return way[at..].iter().min().copied().unwrap_or(next);
            }
            way.push(next);
        }
        way.last().copied().unwrap_or(*place)
    }

    /// The place by another name: its own, or that of what it is in.
    fn step(&self, place: &Place) -> Option<Place> {
        place.outwards().find_map(|outer| place.moved(&outer, self.named.get(&outer)?))
    }
}

fn root(parents: &mut [usize], mut number: usize) -> usize {
    while parents[number] != number {
        parents[number] = parents[parents[number]];
        number = parents[number];
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    fn joined(joins: &[(&str, &str)]) -> Joined {
        let joins: Vec<Join> = joins
            .iter()
            .map(|(a, b)| Join { place: place(a), same_as: place(b), reason: "one room".to_owned() })
            .collect();
        let there = Joined::of(joins.iter());
        assert_eq!(there, Joined::of(joins.iter().rev()), "the order of joins says nothing");
        there
    }

    #[test]
    fn what_is_in_a_joined_room_moves_with_it() {
        let joined = joined(&[("bathroom-2", "bathroom-1")]);
        assert_eq!(joined.name(&place("bathroom-2/door-1")), place("bathroom-1/door-1"));
        assert_eq!(joined.name(&place("bathroom-2/wall-1/socket-2")), place("bathroom-1/wall-1/socket-2"));
        assert_eq!(joined.name(&place("bathroom-21/door-1")), place("bathroom-21/door-1"));
        assert_eq!(joined.name(&place("bathroom-1/door-1")), place("bathroom-1/door-1"));
    }

    #[test]
    fn joins_unknown_to_each_other_all_hold() {
        // Two people joined the same pair the other way round: it is one place, by the same name everywhere.
        let ring = joined(&[("hall-1", "hall-2"), ("hall-2", "hall-1")]);
        assert_eq!(ring.name(&place("hall-2")), ring.name(&place("hall-1")));
        // Two people gave one name up for two others: all three are one.
        let fork = joined(&[("hall-1", "hall-2"), ("hall-1", "hall-3")]);
        assert_eq!([1, 2, 3].map(|n| fork.name(&place(&format!("hall-{n}")))), [place("hall-2"); 3]);
    }

    #[test]
    fn a_chain_leads_to_its_end_and_a_ring_of_rooms_and_doors_to_one_name() {
        let chain = joined(&[("wc-3", "wc-2"), ("wc-2", "wc-1")]);
        assert_eq!(chain.name(&place("wc-3")), place("wc-1"));
        let ring = joined(&[("bathroom-1", "hall-1"), ("hall-1/door-1", "bathroom-1/door-1")]);
        assert_eq!(ring.name(&place("bathroom-1/door-1")), ring.name(&place("hall-1/door-1")));
        let deeper = joined(&[("hall-1", "hall-2/door-1")]);
        assert_eq!(deeper.name(&place("hall-1/door-1/handle-1")), place("hall-1/door-1/handle-1"));
    }
}
