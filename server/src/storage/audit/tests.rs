use ed25519_dalek::{Signer as _, SigningKey};

use super::*;

const AT: Timestamp = Timestamp::from_millis(1_794_819_600_000);

fn account(n: u8) -> AccountId {
    AccountId::from_bytes([n; 16])
}

fn one_of_each() -> Vec<Act> {
    let (whom, hash) = (account(2), Hash::from_bytes([5; 32]));
    let (device, changed) = (DeviceId::from_bytes([6; 16]), |change| Act::AccountChanged { whom: account(2), change });
    let organisation = OrganisationId::from_bytes([7; 16]);
    vec![
        Act::Read { photo: None },
        Act::Read { photo: Some(hash) },
        Act::Opened { first: AT, last: AT.plus_millis(60_000), times: 2 },
        Act::Sent { documents: 3, card: true },
        Act::Wrote { changes: 12 },
        Act::Began,
        Act::PhotoCame { hash },
        Act::Exported { number: 1 },
        Act::Asked { ask: AskId::from_bytes([8; 16]), request: "sign_off".to_owned(), granted: true },
        Act::SetAside { quarantine: QuarantineId::from_bytes([9; 16]) },
        Act::Denied,
        Act::Signed { number: 1 },
        Act::Withdrawn { number: 1 },
        Act::CaseChanged,
        Act::Tied { whom, relation: Relation::Duty, starts: AT, ends: Some(AT.plus_millis(1)) },
        Act::Tied { whom, relation: Relation::Allocated, starts: AT, ends: None },
        Act::Joined { whom },
        Act::Withheld { from: device, reason: PurgeReason::Ended },
        Act::Purged,
        changed(AccountChange::Added { role: Role::SeniorOt, organisation }),
        changed(AccountChange::Role { role: Role::Ot }),
        changed(AccountChange::Organisation { organisation }),
        changed(AccountChange::Enabled),
        changed(AccountChange::Disabled),
        changed(AccountChange::Password),
        changed(AccountChange::Registration { says: Some("registered".to_owned()) }),
        changed(AccountChange::Registration { says: None }),
        Act::DeviceChanged { whom, which: None, change: DeviceChange::Code },
        Act::DeviceChanged { whom, which: Some(device), change: DeviceChange::Enrolled },
        Act::DeviceChanged { whom, which: Some(device), change: DeviceChange::Revoked },
        Act::DeviceChanged { whom, which: Some(device), change: DeviceChange::Stopped },
        Act::KeyRotated { key: KeyId::from_bytes([10; 16]) },
        Act::SignedIn,
        Act::Audited,
    ]
}

/// A chain with one entry of each act, as bytes.
fn chain() -> (Vec<Vec<u8>>, End) {
    let mut end = End::default();
    let entries = one_of_each().into_iter().enumerate().map(|(at, act)| {
        let by = if at % 3 == 0 {
            By::console(AT)
        } else {
            By { at: AT, account: Some(account(1)), device: Some(DeviceId::from_bytes([6; 16])) }
        };
        let purpose = if at % 2 == 0 { vec![Relation::Allocated, Relation::Team] } else { vec![] };
        let (case, document) = (CaseId::from_bytes([3; 16]), DocumentId::from_bytes([4; 17]));
        end.add(by, purpose, Done { case: Some(case), document: (at % 2 == 0).then_some(document), act }).1
    });
    let entries = entries.collect();
    (entries, end)
}

fn walked(entries: &[Vec<u8>]) -> Result<End, Broken> {
    let mut walk = Walk::default();
    for entry in entries {
        walk.next(entry)?;
    }
    Ok(walk.end())
}

/// The bytes of entries and checkpoints are a format for ever, and so is what is hashed and signed.
#[test]
fn entries_and_checkpoints_keep_their_bytes_for_ever() {
    let (entries, end) = chain();
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let mut now = String::new();
    for bytes in &entries {
        let entry: Entry = minicbor::decode(bytes).unwrap();
        now += &format!("{}\n{}\n{}\n", serde_json::to_string(&entry).unwrap(), hex(bytes), Entry::hash_of(bytes));
    }
    let checkpoint = Checkpoint {
        tag: CHECKPOINT_TAG.to_owned(),
        server: ServerId::from_bytes([1; 16]),
        n: end.n,
        hash: end.hash,
        at: AT,
        key: KeyId::from_bytes([10; 16]),
    };
    let signature = Signed(SigningKey::from_bytes(&[42; 32]).sign(&checkpoint.to_bytes()).to_bytes());
    let signed = SignedCheckpoint { checkpoint, signature };
    let text = serde_json::to_string(&signed).unwrap();
    assert_eq!(serde_json::from_str::<SignedCheckpoint>(&text).unwrap(), signed);
    now += &format!("{text}\n{}\n", hex(&signed.checkpoint.to_bytes()));
    let path = format!("{}/../sync-core/golden/server-audit.txt", env!("CARGO_MANIFEST_DIR"));
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if kept != now {
        // New acts come at the end; whatever was kept stays as it was.
        std::fs::write(&path, &now).unwrap();
        panic!(
            "golden/server-audit.txt is written anew: look at `git diff` of it line by line; old lines never change"
        );
    }
}

/// H19: whatever is done to the log shows.
#[test]
fn an_entry_that_is_altered_left_out_put_in_or_moved_breaks_the_chain() {
    let (entries, end) = chain();
    assert_eq!(walked(&entries), Ok(end));
    for at in 0..entries.len() {
        let n = at as u64 + 1;
        let mut without = entries.clone();
        without.remove(at);
        let expected = if at + 1 == entries.len() { None } else { Some(Broken::Missing(n)) };
        // That the last one is gone only a checkpoint tells.
        assert_eq!(walked(&without).err(), expected);

        let mut twice = entries.clone();
        twice.insert(at, entries[at].clone());
        assert_eq!(walked(&twice), Err(Broken::Altered(n + 1)));

        for byte in 0..entries[at].len() {
            let mut altered = entries.clone();
            altered[at][byte] ^= 1;
            let found = walked(&altered);
            if at + 1 < entries.len() {
                assert!(found.is_err(), "entry {n}, byte {byte}");
            } else {
                assert_ne!(found, Ok(end), "the last entry, byte {byte}");
            }
        }
        let mut longer = entries.clone();
        longer[at].push(0);
        assert_eq!(walked(&longer), Err(Broken::Altered(n)), "bytes behind an entry");
    }
}

#[test]
fn a_checkpoint_counts_when_a_signing_key_of_this_server_signed_just_it() {
    let (server, key) = (ServerId::from_bytes([1; 16]), KeyId::from_bytes([10; 16]));
    let secret = SigningKey::from_bytes(&[42; 32]);
    let known = |purpose| ServerKey {
        id: key,
        purpose,
        public: secret.verifying_key().to_bytes(),
        valid_from: AT,
        retired_at: Some(AT),
    };
    let keys = [known(KeyPurpose::Signoff)];
    let signed = |checkpoint: Checkpoint| {
        let signature = Signed(secret.sign(&checkpoint.to_bytes()).to_bytes());
        SignedCheckpoint { checkpoint, signature }
    };
    let checkpoint =
        Checkpoint { tag: CHECKPOINT_TAG.to_owned(), server, n: 7, hash: Hash::from_bytes([5; 32]), at: AT, key };
    let good = signed(checkpoint.clone());
    assert!(good.is_signed(server, &keys), "retired keys count");
    assert!(!good.is_signed(ServerId::from_bytes([2; 16]), &keys));
    assert!(!good.is_signed(server, &[known(KeyPurpose::Token)]));
    assert!(!good.is_signed(server, &[]));
    assert!(!signed(Checkpoint { tag: "another tag".to_owned(), ..checkpoint.clone() }).is_signed(server, &keys));
    for altered in [
        Checkpoint { n: 8, ..checkpoint.clone() },
        Checkpoint { hash: Hash::from_bytes([6; 32]), ..checkpoint.clone() },
        Checkpoint { at: AT.plus_millis(1), ..checkpoint },
    ] {
        assert!(!SignedCheckpoint { checkpoint: altered, ..good.clone() }.is_signed(server, &keys));
    }
}
