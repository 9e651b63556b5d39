//! What is news for a device.

use std::collections::BTreeMap;

use sync_core::access::Relation;
use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, CaseId, DeviceId, DocumentId, Heads};
use sync_core::protocol::CarriedDigest;

use super::Tables;
use crate::storage::ledger::{Carried, ChangeRow, News, Number, Page, Pulse, RelationRow, Since, WITHHELD};

impl Tables {
    pub(super) fn news(&self, device: DeviceId, after: Number, most: usize) -> News {
        let end = self.end();
        let (mut news, mut page) = (News { until: end, ..News::default() }, Page::default());
        let behind = self.order.rows.range((after.saturating_add(1), 0)..);
        for key in behind.take_while(|(spot, _)| spot.0 <= end).map(|(_, key)| key) {
            let Some((_, change)) = self.changes.rows.get(key) else { continue };
            if change.device == device || !self.touched(device, change) {
                continue;
            }
            if !page.takes(change.n, change.bytes.len(), most) {
                (news.until, news.more) = (page.last, true);
                break;
            }
            news.changes.push(change.clone());
        }
        news
    }

    /// Whether a change came when the device carried its document.
    fn touched(&self, device: DeviceId, change: &ChangeRow) -> bool {
        let (first, last) = (CaseId::from_bytes([0; 16]), CaseId::from_bytes([u8::MAX; 16]));
        let document = Some(change.document);
        let mut rows = self.carries.rows.range((device, document, first)..=(device, document, last));
        rows.any(|(_, row)| row.touched >= change.n)
    }

    pub(super) fn pulse(&self, device: DeviceId, account: AccountId, since: Since, now: Timestamp) -> Pulse {
        let rows = self.carries.rows.values().filter(|row| row.row.device == device);
        let mut carried: Vec<Carried> =
            rows.filter(|row| row.row.n > since.n || row.touched > since.n).copied().collect();
        carried.sort_unstable();
        let (from, to) = (since.at.min(now), since.at.max(now));
        let between = |at: Timestamp| from < at && at <= to;
        let news = |(key, row): &(&(CaseId, AccountId, Relation), &RelationRow)| {
            let written = self.ties.rows.get(*key).is_some_and(|n| *n > since.n);
            row.account == account && (written || between(row.starts) || row.ends.is_some_and(between))
        };
        let mut tied: Vec<CaseId> = self.relations.rows.iter().filter(news).map(|(key, _)| key.0).collect();
        tied.dedup();
        let decided = self.asks.rows.values().any(|(_, row)| row.account == account && row.n > since.n);
        let mut digest = CarriedDigest::default();
        for (document, heads) in self.documents_carried(device) {
            digest.add(document, &heads);
        }
        let backups = self.backups.rows.values().filter(|(at, _)| *at > since.n).map(|(_, row)| *row).collect();
        Pulse { end: self.end(), carried, tied, decided, digest, account: None, backups }
    }

    pub(super) fn documents_carried(&self, device: DeviceId) -> BTreeMap<DocumentId, Heads> {
        let rows = self.carries.rows.values().filter(|row| row.row.device == device && row.row.n != WITHHELD);
        let documents = rows.filter_map(|row| self.documents.rows.get(&row.row.document?));
        documents.map(|row| (row.document, row.heads.clone())).collect()
    }
}
