//! The process's one source of chance, shared by all that make keys, ids, salts and nonces.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use sync_core::clock::Chance;

/// Chance that many tasks draw from, one at a time.
#[derive(Clone)]
pub struct SharedChance(Arc<Mutex<Box<dyn Chance>>>);

impl SharedChance {
    /// Shares `chance`.
    pub fn new(chance: impl Chance + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(chance))))
    }

    /// `N` fresh bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.clone().fill(&mut bytes);
        bytes
    }
}

impl Chance for SharedChance {
    fn fill(&mut self, bytes: &mut [u8]) {
        // Whoever panicked while drawing left the source usable: it has no state that half a draw could break.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}

impl fmt::Debug for SharedChance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedChance")
    }
}
