//! A disk that has no room left.

use super::*;

impl Store {
    /// As if the disk had room for so many pages more.
    pub(in crate::device) async fn leave_room_for(&self, more: i64) {
        let mut rows = self.rows.lock().await;
        let rows = rows.file();
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut rows.connection).await.unwrap();
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + more));
        sqlx::raw_sql(limit).execute(&mut rows.connection).await.unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_is_its_own_error_and_keeps_what_was_there() {
    let home = furnished().await;
    let store = home.open().await.unwrap();
    let before = read_everything(&store).await.unwrap();
    store.leave_room_for(4).await;
    let mut writing = store.begin().await.unwrap();
    writing.put(Shelf::Meta, None, b"", b"enrolment", b"small").await.unwrap();
    let full = writing.put(Shelf::PhotoBytes, Some(case(3)), b"", b"photo", &[0; 100_000]).await;
    assert!(matches!(full, Err(StoreError::DiskFull)), "{full:?}");
    assert!(matches!(writing.put(Shelf::Meta, None, b"", b"more", b"x").await, Err(StoreError::Ended)));
    assert!(matches!(writing.get(Shelf::Meta, b"enrolment").await, Err(StoreError::Ended)));
    assert!(matches!(writing.commit().await, Err(StoreError::Ended)));
    assert_eq!(read_everything(&store).await.unwrap(), before);
    // What still fits is still taken.
    let mut writing = store.begin().await.unwrap();
    writing.put(Shelf::Meta, None, b"", b"enrolment", b"small").await.unwrap();
    writing.put(Shelf::Notice, Some(case(3)), b"", b"why", b"the disk is full").await.unwrap();
    writing.commit().await.unwrap();
    store.close().await.unwrap();
    let store = home.open().await.unwrap();
    assert_eq!(store.get(Shelf::Meta, b"enrolment").await.unwrap().unwrap(), b"small");
    assert_eq!(store.get(Shelf::Notice, b"why").await.unwrap().unwrap(), b"the disk is full");
}

#[tokio::test]
async fn a_full_disk_that_a_question_finds_ends_the_transaction_and_keeps_what_was_there() {
    let home = furnished().await;
    let store = home.open().await.unwrap();
    let before = read_everything(&store).await.unwrap();
    store.leave_room_for(4).await;
    for way in 0..6 {
        let mut writing = store.begin().await.unwrap();
        let mut written = Vec::new();
        for key in [b"1", b"2", b"3", b"4"] {
            written.push(writing.put(Shelf::Notice, Some(case(3)), b"long", key, &[7; 8000]).await.unwrap());
        }
        let asked = match way {
            0 => writing.list(Shelf::Notice, b"long", 0, 9).await.map(drop),
            1 => writing.all(Shelf::Notice, 9).await.map(drop),
            2 => writing.count(Shelf::Notice).await.map(drop),
            3 => writing.these(Shelf::Notice, &written).await.map(drop),
            4 => writing.under(Shelf::Notice, &[b"1".to_vec()]).await.map(drop),
            _ => writing.remove_group(Shelf::Meta, b"").await.map(drop),
        };
        assert!(matches!(asked, Err(StoreError::DiskFull)), "{way}: {asked:?}");
        // It is too large to be remembered, so SQLite would be asked, which may have half of it.
        assert!(matches!(writing.get(Shelf::Notice, b"1").await, Err(StoreError::Ended)));
        assert!(matches!(writing.renew_generation(&mut Seeded::new(4)).await, Err(StoreError::Ended)));
        assert!(matches!(writing.commit().await, Err(StoreError::Ended)));
        assert_eq!(read_everything(&store).await.unwrap(), before);
        assert_eq!(store.count(Shelf::Notice).await.unwrap(), 0);
    }
}
