//! What lies in a device's store, byte by byte, so that a story can say that nothing of it is left.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

/// How many bytes of what is sealed are looked for at once: no two seals have as many in common.
const PIECE: usize = 32;

/// A store's file and its log.
fn files(store: &Path) -> Vec<PathBuf> {
    let name = store.file_name().unwrap().to_str().unwrap();
    let entries = std::fs::read_dir(store.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name)).collect()
}

/// All that a store holds of its cases and of their keys, in pieces, sealed as it lies there; read from a copy, for the
/// device has the store itself open.
pub(crate) async fn pieces(store: &Path) -> HashSet<Vec<u8>> {
    let rows = "SELECT value FROM entry WHERE case_hash IS NOT NULL UNION ALL SELECT sealed FROM case_key";
    pieces_of(store, rows).await
}

/// The same of the largest value of a case alone: for a surveyor, the card with what is signed.
pub(crate) async fn pieces_of_cards(store: &Path) -> HashSet<Vec<u8>> {
    pieces_of(store, "SELECT value FROM entry WHERE case_hash IS NOT NULL ORDER BY length(value) DESC LIMIT 1").await
}

/// The same of what a query says.
pub(crate) async fn pieces_of(store: &Path, rows: &'static str) -> HashSet<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    for file in files(store) {
        std::fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    let copy = SqliteConnectOptions::new().filename(folder.path().join(store.file_name().unwrap()));
    let pool = SqlitePool::connect_with(copy).await.unwrap();
    let sealed: Vec<Vec<u8>> = sqlx::query_scalar(rows).fetch_all(&pool).await.unwrap();
    pool.close().await;
    sealed.iter().flat_map(|value| value.chunks_exact(PIECE)).map(<[u8]>::to_vec).collect()
}

/// How many of these pieces lie anywhere in a store's file and its log.
pub(crate) fn found(pieces: &HashSet<Vec<u8>>, store: &Path) -> usize {
    let bytes: Vec<Vec<u8>> = files(store).iter().map(|file| std::fs::read(file).unwrap()).collect();
    let windows = bytes.iter().flat_map(|bytes| bytes.windows(PIECE));
    windows.filter(|window| pieces.contains(*window)).collect::<HashSet<_>>().len()
}
