//! What of the ledger is sealed, and where each sealed value lives.
//!
//! Both who writes a column and who reads it take its [`Spot`] from here: a value sealed for one place opens in no
//! other.

use minicbor::{Decode, Encode};
use sync_core::id::{AskId, CaseId, CommissionId, DocumentId, Hash, QuarantineId};

use super::SqlLedger;
use crate::storage::StorageError;
use crate::storage::seal::{Place, SealError};

/// The most bytes a sealed value may hold; the guard's bounds are far below.
const MOST: usize = 64 << 20;

/// A column of a row of a case.
#[derive(Debug)]
pub(super) struct Spot {
    case: CaseId,
    table: &'static str,
    row: String,
    column: &'static str,
    version: i64,
}

impl Spot {
    fn new(case: CaseId, table: &'static str, row: impl ToString, column: &'static str, version: i64) -> Self {
        Self { case, table, row: row.to_string(), column, version }
    }

    pub(super) fn scope(case: CaseId, commission: CommissionId, version: i64) -> Self {
        Self::new(case, "commissions", commission, "scope", version)
    }

    pub(super) fn change(case: CaseId, document: DocumentId, hash: Hash) -> Self {
        Self::new(case, "changes", format_args!("{document}/{hash}"), "change", 0)
    }

    pub(super) fn envelope(case: CaseId, document: DocumentId, version: i64) -> Self {
        Self::new(case, "envelopes", document, "envelope", version)
    }

    pub(super) fn snapshot(case: CaseId, document: DocumentId, version: i64) -> Self {
        Self::new(case, "snapshots", document, "snapshot", version)
    }

    pub(super) fn frame(case: CaseId, document: DocumentId, version: i64) -> Self {
        Self::new(case, "frames", document, "frame", version)
    }

    pub(super) fn state(case: CaseId, document: DocumentId, version: i64) -> Self {
        Self::new(case, "prescriptions", document, "state", version)
    }

    pub(super) fn sign_off(case: CaseId, ask: AskId) -> Self {
        Self::new(case, "sign_offs", ask, "words", 0)
    }

    pub(super) fn signed(case: CaseId, document: DocumentId, number: u32) -> Self {
        Self::new(case, "signed_versions", format_args!("{document}/{number}"), "signed", 0)
    }

    pub(super) fn standing(case: CaseId, document: DocumentId, number: u32, version: i64) -> Self {
        Self::new(case, "signed_versions", format_args!("{document}/{number}"), "standing", version)
    }

    pub(super) fn reason(case: CaseId, quarantine: QuarantineId) -> Self {
        Self::new(case, "quarantine", quarantine, "reason", 0)
    }

    pub(super) fn push(case: CaseId, quarantine: QuarantineId) -> Self {
        Self::new(case, "quarantine", quarantine, "push", 0)
    }

    pub(super) fn ask(case: CaseId, ask: AskId) -> Self {
        Self::new(case, "asks", ask, "ask", 0)
    }

    pub(super) fn verdict(case: CaseId, ask: AskId) -> Self {
        Self::new(case, "asks", ask, "verdict", 0)
    }

    fn place(&self) -> Place<'_> {
        Place { table: self.table, row: &self.row, column: self.column, version: self.version.cast_unsigned() }
    }
}

impl SqlLedger {
    /// Seals bytes for their place.
    pub(super) async fn seal(&self, spot: Spot, bytes: &[u8]) -> Result<Vec<u8>, StorageError> {
        // What could be written and never read again must not be written.
        if bytes.len() > MOST {
            return Err(SealError::TooLarge(MOST).into());
        }
        self.storage.vault().seal(spot.case, &spot.place(), bytes).await
    }

    /// Opens what [`Self::seal`] sealed.
    pub(super) async fn unseal(&self, spot: Spot, sealed: &[u8]) -> Result<Vec<u8>, StorageError> {
        self.storage.vault().unseal(spot.case, &spot.place(), sealed, MOST).await
    }

    /// Seals a value as CBOR.
    pub(super) async fn seal_value<T: Encode<()> + Sync>(
        &self,
        spot: Spot,
        value: &T,
    ) -> Result<Vec<u8>, StorageError> {
        let bytes = minicbor::to_vec(value).map_err(|_| StorageError::Damaged(spot.column))?;
        self.seal(spot, &bytes).await
    }

    /// Opens what [`Self::seal_value`] sealed.
    pub(super) async fn unseal_value<T: for<'b> Decode<'b, ()>>(
        &self,
        spot: Spot,
        sealed: &[u8],
    ) -> Result<T, StorageError> {
        let column = spot.column;
        let bytes = self.unseal(spot, sealed).await?;
        minicbor::decode(&bytes).map_err(|_| StorageError::Damaged(column))
    }
}
