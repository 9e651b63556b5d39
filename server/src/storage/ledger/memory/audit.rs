//! The audit log in memory: the same chain.

use super::Tables;
use crate::storage::audit::{End, Entry, Sought};
use crate::storage::ledger::Plan;

impl Tables {
    pub(super) fn log(&mut self, plan: &Plan) {
        let last = self.audit.rows.last_key_value();
        let mut end = last.map_or_else(End::default, |(n, (hash, _))| End { n: *n, hash: *hash });
        for done in plan.done() {
            let ties = self.relations.rows.values().filter(|row| {
                plan.by.account == Some(row.account) && done.case == Some(row.case) && row.holds(plan.by.at)
            });
            let mut purpose: Vec<_> = ties.map(|row| row.relation).collect();
            purpose.sort_unstable();
            let (entry, _) = end.add(plan.by, purpose, done);
            self.audit.set(end.n, (end.hash, entry));
        }
    }

    pub(super) fn audited(&self, sought: &Sought, after: u64, most: usize) -> Vec<Entry> {
        let behind = self.audit.rows.range(after.saturating_add(1)..).map(|(_, (_, entry))| entry);
        behind.filter(|entry| sought.fits(entry)).take(most).cloned().collect()
    }
}
