//! Who the server is: its id, its epochs, and keys whose signatures stay provable.

use ed25519_dalek::{Signature, VerifyingKey};
use grabrail_server::keys::Keys;
use grabrail_server::storage::keys::{KeyPurpose, ServerKey};
use sync_core::id::KeyId;

use crate::stores::{Store, held_by_every_store};

held_by_every_store! {
    a_server_is_founded_once_with_a_key_of_each_purpose;
    two_servers_share_nothing;
    a_rotated_key_signs_no_more_and_stays_for_ever;
    what_a_retired_key_signed_stays_provable;
}

async fn a_server_is_founded_once_with_a_key_of_each_purpose(store: &Store) {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let storage = store.open().await;
        let keys = storage.server_keys().await.unwrap();
        assert_eq!(keys.len(), KeyPurpose::ALL.len());
        for purpose in KeyPurpose::ALL {
            let key = storage.current_key(purpose).await.unwrap();
            assert_eq!((key.purpose, key.retired_at), (purpose, None));
            assert!(keys.contains(&key));
            // Its secret half is the public one's, and opens in every run of the server.
            signs(&key, &signature(&Keys::open(storage.clone()).await.unwrap(), purpose).await.1);
        }
        assert_eq!(storage.epochs().await.unwrap().len(), 1);
        seen.push((storage.server_id().await.unwrap(), storage.epochs().await.unwrap(), keys));
        storage.close().await;
        store.advance(1000);
    }
    assert_eq!(seen[0], seen[1]);
}

async fn two_servers_share_nothing(store: &Store) {
    let another = store.another();
    let (here, there) = (store.open().await, another.open().await);
    assert_ne!(here.server_id().await.unwrap(), there.server_id().await.unwrap());
    assert_ne!(here.epochs().await.unwrap(), there.epochs().await.unwrap());
    let theirs = there.server_keys().await.unwrap();
    for key in here.server_keys().await.unwrap() {
        assert!(theirs.iter().all(|other| other.id != key.id && other.public != key.public));
    }
}

async fn a_rotated_key_signs_no_more_and_stays_for_ever(store: &Store) {
    let storage = store.open().await;
    let others = [KeyPurpose::Reply, KeyPurpose::Token];
    let (first, reply, token) = (
        storage.current_key(KeyPurpose::Signoff).await.unwrap(),
        storage.current_key(others[0]).await.unwrap(),
        storage.current_key(others[1]).await.unwrap(),
    );
    let mut wanted = vec![first];
    for _ in 0..3 {
        store.advance(1000);
        let next = storage.rotate_key(KeyPurpose::Signoff).await.unwrap();
        assert_eq!((next.valid_from, next.retired_at), (store.now(), None));
        assert_eq!(storage.current_key(KeyPurpose::Signoff).await.unwrap(), next);
        wanted.last_mut().unwrap().retired_at = Some(store.now());
        wanted.push(next);
    }
    storage.close().await;
    let storage = store.open().await;
    let kept = storage.server_keys().await.unwrap();
    assert!(kept.is_sorted_by_key(|key| key.valid_from), "oldest first");
    let signoff: Vec<_> = kept.iter().filter(|key| key.purpose == KeyPurpose::Signoff).cloned().collect();
    assert_eq!(signoff, wanted);
    for key in kept {
        assert_eq!(storage.server_key(key.id).await.unwrap(), Some(key));
    }
    assert_eq!(storage.server_key(KeyId::from_bytes([9; 16])).await.unwrap(), None);
    for (purpose, key) in others.into_iter().zip([reply, token]) {
        assert_eq!(storage.current_key(purpose).await.unwrap(), key, "the others' keys go on");
    }
}

async fn what_a_retired_key_signed_stays_provable(store: &Store) {
    let storage = store.open().await;
    let keys = Keys::open(storage.clone()).await.unwrap();
    let (old, signed) = signature(&keys, KeyPurpose::Signoff).await;
    storage.rotate_key(KeyPurpose::Signoff).await.unwrap();
    let (new, signed_anew) = signature(&keys, KeyPurpose::Signoff).await;
    assert_ne!(new, old);
    storage.close().await;
    let storage = store.open().await;
    signs(&storage.server_key(old).await.unwrap().unwrap(), &signed);
    signs(&storage.server_key(new).await.unwrap().unwrap(), &signed_anew);
}

const WORDS: &[u8] = b"two rails by the door";

async fn signature(keys: &Keys, purpose: KeyPurpose) -> (KeyId, [u8; 64]) {
    let signer = keys.signer(purpose).await.unwrap();
    (signer.key.id, signer.sign(WORDS))
}

fn signs(key: &ServerKey, signature: &[u8; 64]) {
    let public = VerifyingKey::from_bytes(&key.public).unwrap();
    public.verify_strict(WORDS, &Signature::from_bytes(signature)).unwrap();
}
