//! What is in quarantine, and what supervisors are told of, as lists tell of it.

use sync_core::id::{AskId, QuarantineId};

use super::Tables;
use crate::storage::ledger::{AsideRow, AskRow, QuarantineRow};

impl Tables {
    pub(super) fn set_aside(&self, before: Option<QuarantineId>, most: usize) -> Vec<AsideRow> {
        let before = before.map(|id| self.quarantine.rows.get(&id).map(|(spot, _)| *spot));
        let mut rows: Vec<_> = self.quarantine.rows.values().collect();
        // Of one that is not there nothing is known to be older.
        rows.retain(|(spot, _)| before.is_none_or(|before| before.is_some_and(|before| *spot < before)));
        rows.sort_by_key(|(spot, _)| std::cmp::Reverse(*spot));
        rows.into_iter().take(most).map(|(_, row)| aside(row)).collect()
    }

    pub(super) fn told(&self, before: Option<AskId>, most: usize) -> Vec<AskRow> {
        let before = before.map(|id| self.asks.rows.get(&id).map(|(spot, _)| *spot));
        let mut rows: Vec<_> = self.asks.rows.values().filter(|(_, row)| row.told).collect();
        rows.retain(|(spot, _)| before.is_none_or(|before| before.is_some_and(|before| *spot < before)));
        rows.sort_by_key(|(spot, _)| std::cmp::Reverse(*spot));
        rows.into_iter().take(most).map(|(_, row)| row.clone()).collect()
    }
}

fn aside(row: &QuarantineRow) -> AsideRow {
    let QuarantineRow { quarantine, case, document, account, at, ref reason, .. } = *row;
    AsideRow { quarantine, case, document, account, at, reason: reason.clone(), changes: row.changes() }
}
