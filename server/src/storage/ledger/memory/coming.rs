//! Plans that have their number and are not written yet, as a database with several writers has them.

use super::{MemoryLedger, Number};

/// A number that was taken. Given up in the middle, it is never written, and nobody waits for it.
pub(super) struct Coming<'a> {
    ledger: &'a MemoryLedger,
    pub(super) n: Number,
}

impl<'a> Coming<'a> {
    pub(super) fn take(ledger: &'a MemoryLedger) -> Self {
        let mut tables = ledger.tables();
        tables.last += 1;
        let n = tables.last;
        tables.coming.insert(n);
        Self { ledger, n }
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.ledger.tables().coming.remove(&self.n);
    }
}
