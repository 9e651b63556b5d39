//! What was promised and shown so far: whatever comes later is held against it.

use std::collections::{BTreeMap, BTreeSet};

use grabrail_server::storage::audit::{Act, Sought};
use grabrail_server::storage::ledger::Ledger;
use sync_core::domain::signed::SignedVersion;
use sync_core::domain::view::View;
use sync_core::id::{AskId, DocumentId, Hash, Heads};

use crate::council::Council;
use crate::disk::{Bases, Lies, Typed};

#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Changes that the server's receipts name.
    pub(crate) changes: BTreeMap<DocumentId, BTreeSet<Hash>>,
    /// Asks that were granted.
    pub(crate) asks: BTreeSet<AskId>,
    /// What each version of each document says.
    pub(crate) views: BTreeMap<(DocumentId, Heads), View>,
    /// The bytes of each signed version.
    pub(crate) signed: BTreeMap<(DocumentId, u32), Vec<u8>>,
    /// The server's documents by the version last looked at.
    pub(crate) versions: BTreeMap<DocumentId, i64>,
    /// Each device's documents as last looked at.
    pub(crate) looked: BTreeMap<usize, BTreeMap<DocumentId, Lies>>,
    /// What was asked on each device and not answered, when last looked at.
    pub(crate) asked: BTreeMap<usize, BTreeSet<AskId>>,
    /// What was typed on each device and in no document for good, when last looked at.
    pub(crate) typed: BTreeMap<usize, BTreeMap<(DocumentId, Hash), Typed>>,
    /// Documents that came whole, taken apart.
    pub(crate) bases: Bases,
    /// Granted asks whose grounds were looked into.
    pub(crate) weighed: BTreeSet<AskId>,
    /// How many changes were done again.
    pub(crate) again: u64,
    /// How many views agreed with one that was seen before.
    pub(crate) agreed: u64,
    /// How many parts of replies had others behind them.
    pub(crate) parts: u64,
    /// How many plans of the office's were written late.
    pub(crate) late: u64,
    /// How many clashes stood open when a document was looked at.
    pub(crate) clashes: u64,
}

impl Model {
    pub(crate) fn promises_ask(&mut self, ask: AskId) {
        self.asks.insert(ask);
    }

    /// Holds what a version says against what it said to others.
    pub(crate) fn shows(&mut self, document: DocumentId, view: &View) -> Result<(), String> {
        match self.views.get(&(document, view.heads.clone())) {
            None => drop(self.views.insert((document, view.heads.clone()), view.clone())),
            Some(before) if before == view => self.agreed += 1,
            Some(before) => return Err(format!("invariant 2: {document} reads otherwise: {before:?} but {view:?}")),
        }
        Ok(())
    }

    pub(crate) async fn counts(&self, council: &Council) -> BTreeMap<&'static str, u64> {
        let count = |many: usize| u64::try_from(many).unwrap();
        let signatures = |bytes: &Vec<u8>| SignedVersion::from_bytes(bytes).unwrap().header.signatures().count();
        let by_two = self.signed.values().filter(|bytes| signatures(bytes) > 1).count();
        let quarantined = council.ledger.quarantine(None).await.unwrap().len();
        let log = council.ledger.audited(&Sought::default(), 0, usize::MAX).await.unwrap();
        let granted = |name: &str| {
            let granted = |act: &Act| matches!(act, Act::Asked { request, granted: true, .. } if request == name);
            count(log.iter().filter(|entry| granted(&entry.act)).count())
        };
        BTreeMap::from([
            ("times that the glass was broken", granted("break_glass")),
            ("prescriptions taken over", granted("take_over")),
            ("changes receipted", count(self.changes.values().map(BTreeSet::len).sum())),
            ("asks granted", count(self.asks.len())),
            ("versions signed", count(self.signed.len())),
            ("versions signed by two", count(by_two)),
            ("changes done again", self.again),
            ("documents that came whole", count(self.bases.len())),
            ("views alike", self.agreed),
            ("clashes seen", self.clashes),
            ("parts before the last", self.parts),
            ("plans written late", self.late),
            ("pushes in quarantine", count(quarantined)),
        ])
    }
}
