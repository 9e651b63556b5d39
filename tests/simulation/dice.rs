//! Everything that is left to chance in a run, from its seed.

use sync_core::clock::{Chance, Seeded};

/// The dice of one seed.
#[derive(Debug)]
pub(crate) struct Dice(Seeded);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Seeded::new(seed))
    }

    pub(crate) fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// A number below `bound`, which is above 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// Whether one in `many` came.
    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    /// One of these; `None` when there are none.
    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.below(of.len())].clone()) }
    }

    /// A source of chance of its own, for a device or the server.
    pub(crate) fn chance(&mut self) -> Seeded {
        Seeded::new(self.number())
    }
}
