//! What devices carry, and what is news for them.
//!
//! What is new is noted when it is written ([`Writing::touch`], [`Writing::news_of`]), in the rows of the devices that
//! carry it; reading it is a range of an index.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};
use sync_core::clock::Timestamp;
use sync_core::id::{AccountId, CaseId, DeviceId, DocumentId, Hash, Heads};
use sync_core::protocol::CarriedDigest;
use sync_core::protocol::sync::{Choice, PurgeReason};

use super::backups::read_backup;
use super::documents::read_change;
use super::{SqlLedger, Writing};
use crate::storage::ledger::{Carried, CarryRow, CommitError, Ledger, News, Number, Page, Pulse, Since, WITHHELD};
use crate::storage::{StorageError, bytes_if_any, text, text_if_any};

/// How many rows one statement writes.
const TOGETHER: usize = 32;

/// What `document_id` says for a case's card.
const CARD: &str = "";

fn document_text(document: Option<DocumentId>) -> String {
    document.map_or_else(|| CARD.to_owned(), |document| document.to_string())
}

const REASONS: [(PurgeReason, &str); 7] = [
    (PurgeReason::Ended, "ended"),
    (PurgeReason::Revoked, "revoked"),
    (PurgeReason::Disabled, "disabled"),
    (PurgeReason::Closed, "closed"),
    (PurgeReason::Role, "role"),
    (PurgeReason::Withdrawn, "withdrawn"),
    (PurgeReason::NotChosen, "not_chosen"),
];

fn reason_name(reason: PurgeReason) -> &'static str {
    REASONS.iter().find(|(known, _)| *known == reason).map_or("ended", |(_, name)| name)
}

fn reason(row: &SqliteRow) -> Result<Option<PurgeReason>, StorageError> {
    let Some(name) = row.try_get::<Option<&str>, _>("reason")? else { return Ok(None) };
    let known = REASONS.iter().find(|(_, known)| *known == name);
    known.map(|(reason, _)| Some(*reason)).ok_or(StorageError::Damaged("reason"))
}

fn read_digest(bytes: &[u8]) -> Result<CarriedDigest, StorageError> {
    minicbor::decode(bytes).map_err(|_| StorageError::Damaged("digest"))
}

fn read_carry(device: DeviceId, row: &SqliteRow) -> Result<CarryRow, StorageError> {
    let document = match row.try_get::<&str, _>("document_id")? {
        CARD => None,
        _ => Some(text(row, "document_id")?),
    };
    Ok(CarryRow { device, case: text(row, "case_id")?, document, n: row.try_get("n")? })
}

fn read_carried(device: DeviceId, row: &SqliteRow) -> Result<Carried, StorageError> {
    Ok(Carried {
        row: read_carry(device, row)?,
        touched: row.try_get("touched")?,
        shown: bytes_if_any(row, "shown")?.map(Hash::from_bytes),
        reason: reason(row)?,
    })
}

pub(super) async fn carried(ledger: &SqlLedger, device: DeviceId) -> Result<Vec<CarryRow>, StorageError> {
    let sql = "SELECT case_id, document_id, n FROM carries WHERE device_id = $1";
    let rows = ledger.readers().all(sqlx::query(sql).bind(device.to_string())).await?;
    let mut carried = rows.iter().map(|row| read_carry(device, row)).collect::<Result<Vec<_>, _>>()?;
    carried.sort_unstable();
    Ok(carried)
}

pub(super) async fn carried_of(
    ledger: &SqlLedger,
    device: DeviceId,
    cases: &[CaseId],
) -> Result<Vec<Carried>, StorageError> {
    let select = "SELECT case_id, document_id, n, touched, shown, reason FROM carries WHERE case_id";
    let rows = ledger.listed_with(select, cases, (" AND device_id = ", Some(device.to_string()))).await?;
    let mut carried = rows.iter().map(|row| read_carried(device, row)).collect::<Result<Vec<_>, _>>()?;
    carried.sort_unstable();
    Ok(carried)
}

pub(super) async fn chosen(ledger: &SqlLedger, device: DeviceId) -> Result<Vec<Choice>, StorageError> {
    let sql = "SELECT case_id, carry FROM chosen WHERE device_id = $1";
    let rows = ledger.readers().all(sqlx::query(sql).bind(device.to_string())).await?;
    let choice = |row: &SqliteRow| Ok(Choice { case: text(row, "case_id")?, carry: row.try_get("carry")? });
    let mut choices = rows.iter().map(choice).collect::<Result<Vec<_>, StorageError>>()?;
    choices.sort_by_key(|choice| choice.case);
    Ok(choices)
}

/// One statement sees one moment: where the ledger ends, the digest and all rows belong together.
pub(super) const PULSE: &str = "\
    SELECT 'end' AS what, '' AS case_id, '' AS document_id, value AS n, 0 AS touched, NULL AS shown, NULL AS reason \
    FROM counters WHERE name = 'ledger' \
    UNION ALL SELECT 'digest', '', '', 0, 0, digest, NULL FROM carried_digests WHERE device_id = $1 \
    UNION ALL SELECT 'carried', case_id, document_id, n, touched, shown, reason FROM carries \
    WHERE device_id = $1 AND n > $3 \
    UNION ALL SELECT 'carried', case_id, document_id, n, touched, shown, reason FROM carries \
    WHERE device_id = $1 AND touched > $3 AND +n <= $3 \
    UNION ALL SELECT 'tied', case_id, '', 0, 0, NULL, NULL FROM reach WHERE account_id = $2 AND n > $3 \
    UNION ALL SELECT 'tied', case_id, '', 0, 0, NULL, NULL FROM reach \
    WHERE account_id = $2 AND starts_at > $4 AND starts_at <= $5 \
    UNION ALL SELECT 'tied', case_id, '', 0, 0, NULL, NULL FROM reach \
    WHERE account_id = $2 AND ends_at > $4 AND ends_at <= $5 \
    UNION ALL SELECT 'account', '', '', n, 0, NULL, NULL FROM accounts WHERE id = $2 \
    UNION ALL SELECT 'decided', '', '', 0, 0, NULL, NULL \
    WHERE EXISTS (SELECT 1 FROM asks WHERE account_id = $2 AND n > $3) \
    UNION ALL SELECT 'backup', epoch, '', up_to, recorded_at, digest, NULL FROM backups WHERE n > $3";

pub(super) async fn pulse(
    ledger: &SqlLedger,
    device: DeviceId,
    account: AccountId,
    since: Since,
    now: Timestamp,
) -> Result<Pulse, StorageError> {
    // A clock may be set back: what lies between is then judged again too.
    let (from, to) = (since.at.min(now), since.at.max(now));
    let rows = ledger
        .readers()
        .all(
            sqlx::query(PULSE)
                .bind(device.to_string())
                .bind(account.to_string())
                .bind(since.n)
                .bind(from.millis())
                .bind(to.millis()),
        )
        .await?;
    let mut pulse = Pulse::default();
    for row in &rows {
        match row.try_get::<&str, _>("what")? {
            "end" => pulse.end = row.try_get("n")?,
            "digest" => pulse.digest = read_digest(row.try_get("shown")?)?,
            "carried" => pulse.carried.push(read_carried(device, row)?),
            "backup" => pulse.backups.push(read_backup(row)?),
            "tied" => pulse.tied.push(text(row, "case_id")?),
            "account" => pulse.account = Some(row.try_get("n")?),
            _ => pulse.decided = true,
        }
    }
    pulse.carried.sort_unstable();
    pulse.tied.sort_unstable();
    pulse.tied.dedup();
    pulse.backups.sort_unstable_by_key(|backup| backup.epoch);
    Ok(pulse)
}

pub(super) async fn documents_carried(
    ledger: &SqlLedger,
    device: DeviceId,
) -> Result<(Number, Vec<(DocumentId, Heads)>), StorageError> {
    // The ledger's end comes with each row, and by itself when there is none: one statement sees one moment.
    let sql = "SELECT value AS n, '' AS document_id, NULL AS heads FROM counters WHERE name = 'ledger' \
               UNION ALL SELECT 0, documents.document_id, documents.heads FROM carries CROSS JOIN documents \
               WHERE carries.device_id = $1 AND carries.n < $2 AND documents.document_id = carries.document_id";
    let query = sqlx::query(sql).bind(device.to_string()).bind(WITHHELD);
    let (mut end, mut documents) = (0, Vec::new());
    for row in ledger.readers().all(query).await? {
        match row.try_get::<&str, _>("document_id")? {
            CARD => end = row.try_get("n")?,
            _ => documents.push((text(&row, "document_id")?, super::documents::read_heads(&row)?)),
        }
    }
    documents.sort_unstable();
    // A document under two cases is no document twice.
    documents.dedup();
    Ok((end, documents))
}

/// From the rows of what the device carries, each to the changes behind the number: the time that takes is by the news.
/// (`CROSS JOIN` keeps SQLite to this order.)
macro_rules! news {
    ($what:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM carries CROSS JOIN changes \
             WHERE carries.device_id = $1 AND carries.touched > $2 AND carries.document_id <> '' \
             AND changes.document_id = carries.document_id AND changes.n > $2 AND changes.n <= $3 \
             AND changes.device_id <> $1 ORDER BY changes.n, place",
            $rest
        )
    };
}

/// How many and how large, read first: what would be too much at once is not read.
pub(super) const NEWS_SIZES: &str = news!("changes.n, length(sealed) AS bytes", " LIMIT $4");
/// Whether there is more.
pub(super) const NEWS_MORE: &str = news!("changes.n", " LIMIT 1");
pub(super) const NEWS_WHOLE: &str = news!(
    "changes.document_id, hash, changes.case_id, changes.device_id, changes.account_id, changes.n, place, sealed",
    ""
);

pub(super) async fn news(
    ledger: &SqlLedger,
    device: DeviceId,
    after: Number,
    most: usize,
) -> Result<News, StorageError> {
    let id = device.to_string();
    // All that follows looks no further than this: what is committed meanwhile is left for the next time.
    let end = ledger.end().await?;
    let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
    let query = sqlx::query(NEWS_SIZES).bind(&id).bind(after).bind(end).bind(limit);
    let (mut page, mut count) = (Page::default(), 0_i64);
    let (mut until, mut more) = (end, false);
    for row in ledger.readers().all(query).await? {
        let (n, bytes): (Number, i64) = (row.try_get("n")?, row.try_get("bytes")?);
        if !page.takes(n, usize::try_from(bytes).unwrap_or(usize::MAX), most) {
            (until, more) = (page.last, true);
            break;
        }
        count += 1;
    }
    if !more && count == limit {
        // Of the last plan there may be more, and behind it.
        until = page.last;
        let rest = sqlx::query(NEWS_MORE).bind(&id).bind(until).bind(end);
        more = ledger.readers().first(rest).await?.is_some();
        if !more {
            until = end;
        }
    }
    let rows = match count {
        0 => Vec::new(),
        _ => ledger.readers().all(sqlx::query(NEWS_WHOLE).bind(&id).bind(after).bind(until)).await?,
    };
    let (mut changes, mut page) = (Vec::with_capacity(rows.len()), Page::default());
    for row in &rows {
        let change = read_change(ledger, row).await?;
        // What is sealed was compressed before: what it comes to is known only now.
        if !page.takes(change.n, change.bytes.len(), most) {
            (until, more) = (page.last, true);
            break;
        }
        changes.push(change);
    }
    Ok(News { changes, until, more })
}

impl Writing<'_> {
    /// Notes that devices were sent these whole, at this plan's place.
    pub(super) async fn carry(&mut self, mut rows: Vec<CarryRow>) -> Result<(), CommitError> {
        rows.sort_unstable();
        rows.dedup();
        for rows in rows.chunk_by(|one, next| one.device == next.device).flat_map(|rows| rows.chunks(TOGETHER)) {
            // Before the rows are there: where there is no sum yet, it is made from them.
            self.count(rows).await?;
            self.note(rows, None).await?;
        }
        Ok(())
    }

    /// Notes that a device was sent a case's card of these bytes' hash.
    pub(super) async fn card(&mut self, device: DeviceId, case: CaseId, shown: Hash) -> Result<(), CommitError> {
        self.note(&[CarryRow { device, case, document: None, n: self.n }], Some(shown)).await
    }

    async fn note(&mut self, rows: &[CarryRow], shown: Option<Hash>) -> Result<(), CommitError> {
        let insert = "INSERT INTO carries (device_id, document_id, case_id, n, shown) ";
        let mut statement: QueryBuilder<Sqlite> = QueryBuilder::new(insert);
        let (n, shown) = (self.n, shown.map(|hash| hash.as_bytes().to_vec()));
        statement.push_values(rows, |mut values, row| {
            values.push_bind(row.device.to_string()).push_bind(document_text(row.document));
            values.push_bind(row.case.to_string()).push_bind(n).push_bind(shown.clone());
        });
        statement.push(
            " ON CONFLICT (device_id, document_id, case_id) DO UPDATE SET n = excluded.n, shown = excluded.shown, \
             reason = NULL",
        );
        statement.build().execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// Adds to a device's sum those of these documents, all of that device, that are not in it.
    async fn count(&mut self, rows: &[CarryRow]) -> Result<(), CommitError> {
        let documents: BTreeSet<DocumentId> = rows.iter().filter_map(|row| row.document).collect();
        let Some(device) = rows.first().map(|row| row.device).filter(|_| !documents.is_empty()) else { return Ok(()) };
        let select = "SELECT documents.document_id, heads, carries.case_id FROM documents LEFT JOIN carries \
                      ON carries.document_id = documents.document_id AND carries.device_id = ";
        let mut statement: QueryBuilder<Sqlite> = QueryBuilder::new(select);
        statement.push_bind(device.to_string()).push(" AND carries.n <> ").push_bind(WITHHELD);
        let mut list = statement.push(" WHERE documents.document_id IN (").separated(", ");
        for document in &documents {
            list.push_bind(document.to_string());
        }
        statement.push(")");
        let (mut heads, mut counted) = (BTreeMap::new(), BTreeSet::new());
        for row in statement.build().fetch_all(&mut *self.transaction).await? {
            let document: DocumentId = text(&row, "document_id")?;
            heads.insert(document, super::documents::read_heads(&row)?);
            counted.extend(text_if_any::<CaseId>(&row, "case_id")?.map(|case| (document, case)));
        }
        for row in rows {
            let Some(document) = row.document.filter(|document| !counted.contains(&(*document, row.case))) else {
                continue;
            };
            if let Some(heads) = heads.get(&document) {
                self.digest(device).await?.add(document, heads);
            }
        }
        Ok(())
    }

    pub(super) async fn withhold(
        &mut self,
        (device, case): (DeviceId, CaseId),
        document: Option<DocumentId>,
        reason: PurgeReason,
    ) -> Result<(), CommitError> {
        self.uncount(device, case, document).await?;
        let sql = match document {
            Some(_) => {
                "UPDATE carries SET n = $3, reason = $4 WHERE device_id = $1 AND case_id = $2 AND n <> $3 \
                 AND document_id = $5"
            }
            None => "UPDATE carries SET n = $3, reason = $4 WHERE device_id = $1 AND case_id = $2 AND n <> $3",
        };
        let query = sqlx::query(sql).bind(device.to_string()).bind(case.to_string()).bind(WITHHELD);
        let query = query.bind(reason_name(reason));
        let query = match document {
            Some(document) => query.bind(document.to_string()),
            None => query,
        };
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    pub(super) async fn uncarry(
        &mut self,
        device: DeviceId,
        case: CaseId,
        document: Option<DocumentId>,
    ) -> Result<(), CommitError> {
        self.uncount(device, case, document).await?;
        let sql = match document {
            Some(_) => "DELETE FROM carries WHERE device_id = $1 AND case_id = $2 AND document_id = $3",
            None => "DELETE FROM carries WHERE device_id = $1 AND case_id = $2",
        };
        let query = sqlx::query(sql).bind(device.to_string()).bind(case.to_string());
        let query = match document {
            Some(document) => query.bind(document.to_string()),
            None => query,
        };
        query.execute(&mut *self.transaction).await?;
        if document.is_none() {
            // What was chosen has left: should the right come back, it is chosen anew.
            sqlx::query("DELETE FROM chosen WHERE device_id = $1 AND case_id = $2")
                .bind(device.to_string())
                .bind(case.to_string())
                .execute(&mut *self.transaction)
                .await?;
        }
        Ok(())
    }

    /// Takes what is about to leave out of the sum.
    async fn uncount(
        &mut self,
        device: DeviceId,
        case: CaseId,
        document: Option<DocumentId>,
    ) -> Result<(), CommitError> {
        let sql = "SELECT documents.document_id, documents.heads FROM carries CROSS JOIN documents \
                   WHERE carries.device_id = $1 AND carries.case_id = $2 AND carries.n <> $3 \
                   AND documents.document_id = carries.document_id";
        let query = sqlx::query(sql).bind(device.to_string()).bind(case.to_string()).bind(WITHHELD);
        for row in query.fetch_all(&mut *self.transaction).await? {
            let found: DocumentId = text(&row, "document_id")?;
            if document.is_none_or(|document| document == found) {
                let heads = super::documents::read_heads(&row)?;
                self.digest(device).await?.remove(found, &heads);
            }
        }
        Ok(())
    }

    pub(super) async fn choose(&mut self, device: DeviceId, choice: Choice) -> Result<(), CommitError> {
        let sql = "INSERT INTO chosen (device_id, case_id, carry) VALUES ($1, $2, $3) \
                   ON CONFLICT (device_id, case_id) DO UPDATE SET carry = excluded.carry";
        let query = sqlx::query(sql).bind(device.to_string()).bind(choice.case.to_string()).bind(choice.carry);
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// Notes for every device that carries a case's card that the card may have changed.
    pub(super) async fn touch(&mut self, case: CaseId) -> Result<(), CommitError> {
        sqlx::query("UPDATE carries SET touched = $1 WHERE case_id = $2 AND document_id = ''")
            .bind(self.n)
            .bind(case.to_string())
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// As [`Self::touch`], of a case whose cards show what documents say.
    pub(super) async fn touch_shown(&mut self, case: CaseId) -> Result<(), CommitError> {
        let sql = "UPDATE carries SET touched = $1 WHERE case_id = $2 AND document_id = '' \
                   AND (EXISTS (SELECT 1 FROM cases WHERE case_id = $2 AND released_home IS NOT NULL) \
                   OR EXISTS (SELECT 1 FROM signed_versions WHERE case_id = $2))";
        sqlx::query(sql).bind(self.n).bind(case.to_string()).execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// Notes for every other device that carries a document that it got a change by this one.
    pub(super) async fn news_of(&mut self, document: DocumentId, by: DeviceId) -> Result<(), CommitError> {
        let sql = "UPDATE carries SET touched = $1 WHERE document_id = $2 AND document_id <> '' AND device_id <> $3";
        sqlx::query(sql)
            .bind(self.n)
            .bind(document.to_string())
            .bind(by.to_string())
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Where a document stands that is here, and the devices that carry it and are not to purge it.
    pub(super) async fn stands(&mut self, document: DocumentId) -> Result<Option<(Heads, Vec<DeviceId>)>, CommitError> {
        let sql = "SELECT documents.heads, carries.device_id FROM documents LEFT JOIN carries \
                   ON carries.document_id = documents.document_id AND carries.document_id <> '' AND carries.n <> $2 \
                   WHERE documents.document_id = $1";
        let query = sqlx::query(sql).bind(document.to_string()).bind(WITHHELD);
        let rows = query.fetch_all(&mut *self.transaction).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let mut carriers = Vec::new();
        for row in &rows {
            carriers.extend(text_if_any::<DeviceId>(row, "device_id")?);
        }
        Ok(Some((super::documents::read_heads(first)?, carriers)))
    }

    /// The devices that carry a document and are not to purge it.
    pub(super) async fn carriers(&mut self, document: DocumentId) -> Result<Vec<DeviceId>, CommitError> {
        let sql = "SELECT device_id FROM carries WHERE document_id = $1 AND document_id <> '' AND n <> $2";
        let query = sqlx::query(sql).bind(document.to_string()).bind(WITHHELD);
        let rows = query.fetch_all(&mut *self.transaction).await?;
        Ok(rows.iter().map(|row| text(row, "device_id")).collect::<Result<_, _>>()?)
    }

    /// The running sum of what a device carries, to be moved on; written when the plan is. Ask for it before what it sums
    /// is changed: where there is no row yet, it is summed from the rows as they are.
    pub(super) async fn digest(&mut self, device: DeviceId) -> Result<&mut CarriedDigest, CommitError> {
        if !self.digests.contains_key(&device) {
            let query = sqlx::query("SELECT digest FROM carried_digests WHERE device_id = $1").bind(device.to_string());
            let digest = match query.fetch_optional(&mut *self.transaction).await? {
                Some(row) => read_digest(row.try_get("digest")?)?,
                None => self.summed(device).await?,
            };
            self.digests.insert(device, digest);
        }
        Ok(self.digests.entry(device).or_default())
    }

    /// The sum from the rows.
    pub(super) async fn summed(&mut self, device: DeviceId) -> Result<CarriedDigest, CommitError> {
        let sql = "SELECT documents.document_id, documents.heads FROM carries CROSS JOIN documents \
                   WHERE carries.device_id = $1 AND carries.n <> $2 AND documents.document_id = carries.document_id";
        let query = sqlx::query(sql).bind(device.to_string()).bind(WITHHELD);
        let mut digest = CarriedDigest::default();
        for row in query.fetch_all(&mut *self.transaction).await? {
            digest.add(text(&row, "document_id")?, &super::documents::read_heads(&row)?);
        }
        Ok(digest)
    }

    /// Writes the sums that this plan moved on.
    pub(super) async fn keep_digests(&mut self) -> Result<(), CommitError> {
        for (device, digest) in std::mem::take(&mut self.digests) {
            let bytes = minicbor::to_vec(digest).map_err(|_| StorageError::Damaged("digest"))?;
            let sql = "INSERT INTO carried_digests (device_id, digest) VALUES ($1, $2) \
                       ON CONFLICT (device_id) DO UPDATE SET digest = excluded.digest";
            sqlx::query(sql).bind(device.to_string()).bind(bytes).execute(&mut *self.transaction).await?;
        }
        Ok(())
    }
}
