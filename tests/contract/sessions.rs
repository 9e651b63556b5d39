//! Sessions: a secret is exchanged once, and one that is used twice ends its session.

use grabrail_server::storage::sessions::{Refreshed, Session};
use sync_core::id::{Hash, SessionId};

use crate::stores::{Store, account, held_by_every_store};

held_by_every_store! {
    a_session_reads_back_with_its_account;
    a_secret_is_exchanged_once_and_the_session_ends_no_later;
    a_secret_used_twice_ends_the_session;
    a_secret_that_never_was_ends_nothing;
    a_session_that_ended_is_not_refreshed;
}

const LASTS: i64 = 1000;

fn secret(at: u8) -> Hash {
    Hash::of(&[at])
}

async fn a_session_reads_back_with_its_account(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let begun = storage.begin_session(olu.id, secret(0), LASTS).await.unwrap();
    let wanted = Session {
        id: begun.id,
        account: olu.id,
        authenticated_at: store.now(),
        expires_at: store.now().plus_millis(LASTS),
        revoked_at: None,
    };
    assert_eq!(begun, wanted);
    storage.close().await;
    let storage = store.open().await;
    assert_eq!(storage.session(begun.id).await.unwrap(), Some((wanted, olu)));
    assert_eq!(storage.session(SessionId::from_bytes([9; 16])).await.unwrap(), None);
}

async fn a_secret_is_exchanged_once_and_the_session_ends_no_later(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let session = storage.begin_session(olu.id, secret(0), LASTS).await.unwrap();
    for at in 0..5 {
        store.advance(LASTS / 10);
        let refreshed = storage.refresh_session(session.id, secret(at), secret(at + 1)).await.unwrap();
        assert_eq!(refreshed, Refreshed::Yes(session.clone()), "when it was given and when it ends stay");
    }
    assert_eq!(storage.session(session.id).await.unwrap(), Some((session, olu)));
}

async fn a_secret_used_twice_ends_the_session(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let session = storage.begin_session(olu.id, secret(0), LASTS).await.unwrap();
    let other = storage.begin_session(olu.id, secret(9), LASTS).await.unwrap();
    let refresh = |held, next| storage.refresh_session(session.id, secret(held), secret(next));
    assert!(matches!(refresh(0, 1).await.unwrap(), Refreshed::Yes(_)));
    store.advance(1);
    assert_eq!(refresh(0, 2).await.unwrap(), Refreshed::UsedBefore);
    assert_eq!(storage.session(session.id).await.unwrap().unwrap().0.revoked_at, Some(store.now()));
    assert_eq!(refresh(1, 2).await.unwrap(), Refreshed::Unknown, "whoever holds the newest secret is out as well");
    assert_eq!(storage.session(other.id).await.unwrap(), Some((other, olu)), "the same person's other one goes on");
}

async fn a_secret_that_never_was_ends_nothing(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let session = storage.begin_session(olu.id, secret(0), LASTS).await.unwrap();
    let other = storage.begin_session(olu.id, secret(9), LASTS).await.unwrap();
    for (id, held) in [(session.id, 5), (session.id, 9), (other.id, 0), (SessionId::from_bytes([9; 16]), 0)] {
        let refreshed = storage.refresh_session(id, secret(held), secret(1)).await.unwrap();
        assert_eq!(refreshed, Refreshed::Unknown);
    }
    assert_eq!(storage.session(session.id).await.unwrap(), Some((session, olu.clone())));
    assert_eq!(storage.session(other.id).await.unwrap(), Some((other, olu)));
}

async fn a_session_that_ended_is_not_refreshed(store: &Store) {
    let storage = store.open().await;
    let olu = account(&storage, "olu.ot").await;
    let ended = storage.begin_session(olu.id, secret(0), LASTS).await.unwrap();
    let expires = storage.begin_session(olu.id, secret(0), LASTS).await.unwrap();
    for _ in 0..2 {
        storage.end_session(ended.id).await.unwrap();
        let now = storage.session(ended.id).await.unwrap().unwrap().0;
        assert_eq!(now.revoked_at, Some(ended.authenticated_at), "ended once, at its first end");
        assert!(!now.is_live(ended.authenticated_at));
        store.advance(1);
    }
    store.advance(LASTS - 2);
    assert!(!expires.is_live(store.now()));
    for id in [ended.id, expires.id] {
        assert_eq!(storage.refresh_session(id, secret(0), secret(1)).await.unwrap(), Refreshed::Unknown);
    }
}
