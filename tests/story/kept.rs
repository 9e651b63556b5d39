//! What a server keeps, so that a story can say that nothing of it changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use grabrail_tests::World;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Row as _};

/// Under which name [`Kept::changed_since`] tells of the folder of photos.
pub(crate) const PHOTO_FILES: &str = "files of photos";

/// Every row of every table and every file of a photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept(BTreeMap<String, Vec<String>>);

impl Kept {
    /// What is there now.
    pub(crate) async fn by(world: &World) -> Self {
        let options = SqliteConnectOptions::new().filename(world.data().join("grabrail.sqlite")).read_only(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        let names = |rows: Vec<sqlx::sqlite::SqliteRow>| rows.iter().map(|row| row.get::<String, _>(0)).collect();
        let tables = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&pool).await.unwrap();
        let tables: Vec<String> = names(tables);
        let mut kept = BTreeMap::new();
        for table in tables {
            let columns = sqlx::query("SELECT name FROM pragma_table_info($1)").bind(&table).fetch_all(&pool).await;
            let columns: Vec<String> = names(columns.unwrap());
            let columns: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
            let query = format!("SELECT {} FROM \"{table}\" ORDER BY 1", columns.join(" || ',' || "));
            let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&pool).await.unwrap();
            kept.insert(table, names(rows));
        }
        pool.close().await;
        kept.insert(PHOTO_FILES.to_owned(), files(&world.data().join("photos")));
        Self(kept)
    }

    /// Which tables have other rows now; [`PHOTO_FILES`] among them, if there are other files.
    pub(crate) fn changed_since(&self, before: &Self) -> BTreeSet<&str> {
        let names = self.0.keys().filter(|name| self.0.get(*name) != before.0.get(*name));
        names.map(String::as_str).collect()
    }

    /// The files of photos.
    pub(crate) fn photo_files(&self) -> &[String] {
        &self.0[PHOTO_FILES]
    }
}

/// Every file under a folder, with its size.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(format!("{} {}", path.display(), std::fs::metadata(&path).unwrap().len()));
        }
    }
    found.sort();
    found
}
