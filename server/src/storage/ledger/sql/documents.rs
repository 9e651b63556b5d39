//! Documents: rows, changes with their envelopes, snapshots.

use minicbor::bytes::ByteVec;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, CaseId, DeviceId, DocumentId, Hash, Heads};

use super::sealed::Spot;
use super::{SqlLedger, Writing, moved};
use crate::storage::ledger::{ChangeRow, CommitError, DocumentRow, Number};
use crate::storage::{StorageError, text, text_if_any};

macro_rules! select_document {
    ($rest:literal) => {
        concat!("SELECT document_id, case_id, kind, commission_id, about, version, heads FROM documents ", $rest)
    };
}

fn read_document(row: &SqliteRow) -> Result<DocumentRow, StorageError> {
    let heads = read_heads(row)?;
    Ok(DocumentRow {
        document: text(row, "document_id")?,
        case: text(row, "case_id")?,
        kind: text(row, "kind")?,
        commission: text_if_any(row, "commission_id")?,
        about: text_if_any(row, "about")?,
        authors: Vec::new(),
        version: row.try_get("version")?,
        heads,
    })
}

pub(super) fn read_heads(row: &SqliteRow) -> Result<Heads, StorageError> {
    minicbor::decode(row.try_get("heads")?).map_err(|_| StorageError::Damaged("heads"))
}

pub(super) fn heads_bytes(heads: &Heads) -> Result<Vec<u8>, StorageError> {
    minicbor::to_vec(heads).map_err(|_| StorageError::Damaged("heads"))
}

pub(super) async fn document(ledger: &SqlLedger, document: DocumentId) -> Result<Option<DocumentRow>, StorageError> {
    let sql = "SELECT documents.document_id, documents.case_id, kind, commission_id, about, version, heads, account_id \
               FROM documents LEFT JOIN document_authors ON document_authors.document_id = documents.document_id \
               WHERE documents.document_id = $1 ORDER BY n, place";
    let rows = ledger.readers().all(sqlx::query(sql).bind(document.to_string())).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let mut document = read_document(row)?;
    for row in &rows {
        document.authors.extend(text_if_any::<AccountId>(row, "account_id")?);
    }
    Ok(Some(document))
}

pub(super) async fn documents(ledger: &SqlLedger, documents: &[DocumentId]) -> Result<Vec<DocumentRow>, StorageError> {
    let rows = ledger.listed(select_document!("WHERE document_id"), documents, "").await?;
    let select = "SELECT document_id, account_id FROM document_authors WHERE document_id";
    let mut documents = with_authors(&rows, &ledger.listed(select, documents, " ORDER BY n, place").await?)?;
    documents.dedup_by_key(|row| row.document);
    Ok(documents)
}

pub(super) async fn documents_of(ledger: &SqlLedger, cases: &[CaseId]) -> Result<Vec<DocumentRow>, StorageError> {
    let rows = ledger.listed(select_document!("WHERE case_id"), cases, "").await?;
    let select = "SELECT document_id, account_id FROM document_authors WHERE case_id";
    with_authors(&rows, &ledger.listed(select, cases, " ORDER BY n, place").await?)
}

/// Documents by id, each with its authors in their order.
fn with_authors(rows: &[SqliteRow], authors: &[SqliteRow]) -> Result<Vec<DocumentRow>, StorageError> {
    let mut documents = rows.iter().map(read_document).collect::<Result<Vec<_>, _>>()?;
    documents.sort_by_key(|row| row.document);
    for row in authors {
        let document: DocumentId = text(row, "document_id")?;
        // A document that came between the two queries isn't in this answer.
        if let Ok(at) = documents.binary_search_by_key(&document, |row| row.document) {
            documents[at].authors.push(text(row, "account_id")?);
        }
    }
    Ok(documents)
}

pub(super) async fn snapshot(ledger: &SqlLedger, document: DocumentId) -> Result<Option<(i64, Vec<u8>)>, StorageError> {
    let sql = "SELECT case_id, version, sealed FROM snapshots WHERE document_id = $1";
    let Some(row) = ledger.readers().first(sqlx::query(sql).bind(document.to_string())).await? else {
        return Ok(None);
    };
    let version = row.try_get("version")?;
    let spot = Spot::snapshot(text(&row, "case_id")?, document, version);
    Ok(Some((version, ledger.unseal(spot, row.try_get("sealed")?).await?)))
}

pub(super) async fn frames_of(
    ledger: &SqlLedger,
    cases: &[CaseId],
) -> Result<Vec<(DocumentId, Heads, Vec<u8>)>, StorageError> {
    let select = "SELECT frames.document_id, frames.case_id, frames.version, sealed, heads FROM frames \
                  JOIN documents ON documents.document_id = frames.document_id \
                  AND documents.version = frames.version WHERE frames.case_id";
    let rows = ledger.listed(select, cases, "").await?;
    let mut frames = Vec::with_capacity(rows.len());
    for row in &rows {
        let document = text(row, "document_id")?;
        let spot = Spot::frame(text(row, "case_id")?, document, row.try_get("version")?);
        frames.push((document, read_heads(row)?, ledger.unseal(spot, row.try_get("sealed")?).await?));
    }
    frames.sort_by_key(|(document, ..)| *document);
    Ok(frames)
}

pub(super) async fn changes(
    ledger: &SqlLedger,
    document: DocumentId,
    after: Number,
) -> Result<Vec<ChangeRow>, StorageError> {
    let sql = "SELECT document_id, hash, case_id, device_id, account_id, n, place, sealed FROM changes \
               WHERE document_id = $1 AND n > $2 ORDER BY n, place";
    let rows = ledger.readers().all(sqlx::query(sql).bind(document.to_string()).bind(after)).await?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        changes.push(read_change(ledger, row).await?);
    }
    Ok(changes)
}

/// Reads a row of `changes`.
pub(super) async fn read_change(ledger: &SqlLedger, row: &SqliteRow) -> Result<ChangeRow, StorageError> {
    let (document, hash): (DocumentId, Hash) = (text(row, "document_id")?, text(row, "hash")?);
    let spot = Spot::change(text(row, "case_id")?, document, hash);
    Ok(ChangeRow {
        hash,
        document,
        device: text(row, "device_id")?,
        account: text(row, "account_id")?,
        n: row.try_get("n")?,
        bytes: ledger.unseal(spot, row.try_get("sealed")?).await?,
    })
}

/// Who takes changes into what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Append {
    pub(super) document: DocumentId,
    pub(super) case: CaseId,
    pub(super) version: i64,
    pub(super) device: DeviceId,
    pub(super) account: AccountId,
    pub(super) at: Timestamp,
}

impl Writing<'_> {
    pub(super) async fn document(&mut self, row: DocumentRow) -> Result<(), CommitError> {
        for device in self.carriers(row.document).await? {
            self.digest(device).await?.add(row.document, &row.heads);
        }
        let sql = "INSERT INTO documents (document_id, case_id, kind, commission_id, about, version, heads) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        sqlx::query(sql)
            .bind(row.document.to_string())
            .bind(row.case.to_string())
            .bind(row.kind.name())
            .bind(row.commission.map(|commission| commission.to_string()))
            .bind(row.about.map(|about| about.to_string()))
            .bind(row.version)
            .bind(heads_bytes(&row.heads)?)
            .execute(&mut *self.transaction)
            .await
            .map_err(moved)?;
        for account in row.authors {
            self.add_author(row.case, row.document, account).await?;
        }
        self.touch(row.case).await
    }

    pub(super) async fn author(&mut self, document: DocumentId, account: AccountId) -> Result<(), CommitError> {
        let row = sqlx::query("SELECT case_id FROM documents WHERE document_id = $1")
            .bind(document.to_string())
            .fetch_optional(&mut *self.transaction)
            .await?;
        let case = text(&row.ok_or(CommitError::Moved)?, "case_id")?;
        self.add_author(case, document, account).await?;
        self.touch(case).await
    }

    async fn add_author(&mut self, case: CaseId, document: DocumentId, account: AccountId) -> Result<(), CommitError> {
        let sql = "INSERT INTO document_authors (document_id, account_id, case_id, n, place) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (document_id, account_id) DO NOTHING";
        let place = self.next_place();
        sqlx::query(sql)
            .bind(document.to_string())
            .bind(account.to_string())
            .bind(case.to_string())
            .bind(self.n)
            .bind(place)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    pub(super) async fn append(
        &mut self,
        push: Append,
        (envelope, signature): (Vec<u8>, Vec<u8>),
        changes: Vec<(Hash, Vec<u8>)>,
        heads: &Heads,
        snapshot: &[u8],
    ) -> Result<(), CommitError> {
        let Append { document, case, device: by, account, .. } = push;
        let (id, case_id) = (document.to_string(), case.to_string());
        let (device, account) = (by.to_string(), account.to_string());
        let version = push.version + 1;
        if let Some((before, carriers)) = self.stands(document).await? {
            for device in carriers {
                let digest = self.digest(device).await?;
                digest.remove(document, &before);
                digest.add(document, heads);
            }
        }
        let sql = "UPDATE documents SET version = $1, heads = $2 WHERE document_id = $3 AND case_id = $4 \
                   AND version = $5";
        let moved_on = sqlx::query(sql)
            .bind(version)
            .bind(heads_bytes(heads)?)
            .bind(&id)
            .bind(&case_id)
            .bind(push.version)
            .execute(&mut *self.transaction)
            .await?;
        if moved_on.rows_affected() != 1 {
            return Err(CommitError::Moved);
        }
        let mut new = 0;
        for (hash, bytes) in changes {
            let sealed = self.ledger.seal(Spot::change(case, document, hash), &bytes).await?;
            let place = self.next_place();
            let sql = "INSERT INTO changes (document_id, hash, case_id, device_id, account_id, version, n, place, \
                       sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                       ON CONFLICT (document_id, hash) DO NOTHING";
            let added = sqlx::query(sql)
                .bind(&id)
                .bind(hash.to_string())
                .bind(&case_id)
                .bind(&device)
                .bind(&account)
                .bind(version)
                .bind(self.n)
                .bind(place)
                .bind(sealed)
                .execute(&mut *self.transaction)
                .await?;
            new += added.rows_affected();
        }
        if new > 0 {
            self.news_of(document, by).await?;
        }
        let envelope = (ByteVec::from(envelope), ByteVec::from(signature));
        let sealed = self.ledger.seal_value(Spot::envelope(case, document, version), &envelope).await?;
        let sql = "INSERT INTO envelopes (document_id, version, case_id, device_id, account_id, taken_at, sealed) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        sqlx::query(sql)
            .bind(&id)
            .bind(version)
            .bind(&case_id)
            .bind(&device)
            .bind(&account)
            .bind(push.at.millis())
            .bind(sealed)
            .execute(&mut *self.transaction)
            .await?;
        let sealed = self.ledger.seal(Spot::snapshot(case, document, version), snapshot).await?;
        let sql = "INSERT INTO snapshots (document_id, case_id, version, sealed) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (document_id) DO UPDATE SET version = excluded.version, sealed = excluded.sealed";
        sqlx::query(sql).bind(&id).bind(&case_id).bind(version).bind(sealed).execute(&mut *self.transaction).await?;
        Ok(())
    }

    pub(super) async fn frame(
        &mut self,
        (case, document): (CaseId, DocumentId),
        version: i64,
        packed: &[u8],
    ) -> Result<(), CommitError> {
        let sealed = self.ledger.seal(Spot::frame(case, document, version), packed).await?;
        let sql = "INSERT INTO frames (document_id, case_id, version, sealed) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (document_id) DO UPDATE SET version = excluded.version, sealed = excluded.sealed \
                   WHERE excluded.version > frames.version";
        let write = sqlx::query(sql).bind(document.to_string()).bind(case.to_string()).bind(version).bind(sealed);
        write.execute(&mut *self.transaction).await?;
        Ok(())
    }
}
