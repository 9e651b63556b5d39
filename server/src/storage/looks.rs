//! Rows of what people were shown of prescriptions, so that they can be told what is different since. The bytes are a
//! format for ever (golden in `sync-core/golden/`).

use minicbor::{Decode, Encode};
use sqlx::Row as _;
use sync_core::clock::Timestamp;
use sync_core::domain::signed::Content;
use sync_core::id::{AccountId, CaseId, DocumentId, Hash, Heads};

use super::seal::Place;
use super::{Storage, StorageError};

/// The most bytes of a row. What is larger is not kept: its next reader is told no difference.
const MOST: usize = 64 << 20;

/// What somebody was shown of a prescription.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Look {
    /// When first.
    #[n(0)]
    pub at: Timestamp,
    /// The version.
    #[n(1)]
    pub heads: Heads,
    /// What it rested on.
    #[n(2)]
    pub basis: Hash,
    /// Each field's path with what it said, by path.
    #[n(3)]
    pub contents: Vec<(String, Content)>,
}

/// What somebody was shown last, and what they were shown before that was different.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Looks {
    /// Last.
    #[n(0)]
    pub last: Look,
    /// Before; `None`: nothing.
    #[n(1)]
    pub before: Option<Look>,
}

impl Looks {
    /// With what is shown now: looked at again unchanged, everything stays as it is.
    #[must_use]
    pub fn with(known: Option<Self>, now: Look) -> Self {
        match known {
            None => Self { last: now, before: None },
            Some(known) if (&known.last.heads, known.last.basis) == (&now.heads, now.basis) => known,
            Some(known) => Self { last: now, before: Some(known.last) },
        }
    }
}

fn row(document: DocumentId, account: AccountId) -> String {
    format!("{document}/{account}")
}

impl Storage {
    /// What somebody was shown of a prescription, and how often that became something else.
    ///
    /// # Errors
    /// What storage says.
    pub async fn looks(&self, document: DocumentId, account: AccountId) -> Result<Option<(i64, Looks)>, StorageError> {
        let sql = "SELECT case_id, version, sealed FROM looks WHERE document_id = $1 AND account_id = $2";
        let query = sqlx::query(sql).bind(document.to_string()).bind(account.to_string());
        let Some(found) = self.readers().first(query).await? else { return Ok(None) };
        let (case, version): (CaseId, i64) = (super::text(&found, "case_id")?, found.try_get("version")?);
        let id = row(document, account);
        let place = Place { table: "looks", row: &id, column: "looks", version: version.cast_unsigned() };
        let bytes = self.vault().unseal(case, &place, found.try_get("sealed")?, MOST).await?;
        let looks = minicbor::decode(&bytes).map_err(|_| StorageError::Damaged("looks"))?;
        Ok(Some((version, looks)))
    }

    /// Keeps what somebody was shown of a prescription; `version` is that of what was kept before, 0 for nothing. Of two
    /// looks at once one is kept.
    ///
    /// # Errors
    /// What storage says.
    pub async fn keep_looks(
        &self,
        (document, case, account): (DocumentId, CaseId, AccountId),
        version: i64,
        looks: &Looks,
    ) -> Result<(), StorageError> {
        let (id, next) = (row(document, account), version.saturating_add(1));
        let place = Place { table: "looks", row: &id, column: "looks", version: next.cast_unsigned() };
        let bytes = minicbor::to_vec(looks).map_err(|_| StorageError::Damaged("looks"))?;
        if bytes.len() > MOST {
            return Ok(());
        }
        let sealed = self.vault().seal(case, &place, &bytes).await?;
        let sql = "INSERT INTO looks (document_id, account_id, case_id, version, sealed) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (document_id, account_id) DO UPDATE SET version = excluded.version, \
                   sealed = excluded.sealed WHERE looks.version = $6";
        let mut write = self.write().await?;
        sqlx::query(sql)
            .bind(document.to_string())
            .bind(account.to_string())
            .bind(case.to_string())
            .bind(next)
            .bind(sealed)
            .bind(version)
            .execute(&mut *write)
            .await?;
        Ok(write.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use sync_core::access::Role;

    use super::*;
    use crate::testing::{Bench, account};

    fn look(n: u8, text: &str) -> Look {
        let hash = Hash::from_bytes([n; 32]);
        let contents = vec![("justification/reasoning".to_owned(), Content::Text(text.to_owned()))];
        Look { at: Timestamp::from_millis(1_794_819_600_000), heads: vec![hash], basis: hash, contents }
    }

    #[test]
    fn looks_keep_their_bytes_for_ever() {
        let (first, second) = (look(1, "She fell twice."), look(2, "She fell three times."));
        let alone = Looks::with(None, first);
        let both = Looks::with(Some(alone.clone()), second);
        let hex = |looks: &Looks| data_encoding::HEXLOWER.encode(&minicbor::to_vec(looks).unwrap());
        let now = format!("{}\n{}\n", hex(&alone), hex(&both));
        let path = format!("{}/../sync-core/golden/server-looks.txt", env!("CARGO_MANIFEST_DIR"));
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        if kept != now {
            std::fs::write(&path, &now).unwrap();
            panic!("golden/server-looks.txt is written anew: look at it; old lines never change");
        }
    }

    #[tokio::test]
    async fn what_was_shown_reads_back_and_what_was_shown_before_stays_until_something_else_is() {
        let bench = Bench::new(81);
        let app = bench.app().await;
        let ana = account(&app, "ana", Role::SeniorOt).await.id;
        let (document, case) = (DocumentId::from_bytes([4; 17]), CaseId::from_bytes([3; 16]));
        assert_eq!(app.storage.looks(document, ana).await.unwrap(), None);
        let looked = async |look| {
            let known = app.storage.looks(document, ana).await.unwrap();
            let (version, known) = known.map_or((0, None), |(version, looks)| (version, Some(looks)));
            let looks = Looks::with(known, look);
            app.storage.keep_looks((document, case, ana), version, &looks).await.unwrap();
            app.storage.looks(document, ana).await.unwrap().unwrap().1
        };
        let (first, second, third) = (look(1, "one"), look(2, "two"), look(3, "three"));
        assert_eq!(looked(first.clone()).await, Looks { last: first.clone(), before: None });
        let both = Looks { last: second.clone(), before: Some(first) };
        assert_eq!(looked(second.clone()).await, both);
        let later = Look { at: second.at.plus_millis(5), ..second.clone() };
        assert_eq!(looked(later).await, both, "looked at again");
        assert_eq!(looked(third.clone()).await, Looks { last: third, before: Some(second) });
        // Somebody was first.
        app.storage.keep_looks((document, case, ana), 1, &both).await.unwrap();
        assert_ne!(app.storage.looks(document, ana).await.unwrap().unwrap().1, both);
    }
}
