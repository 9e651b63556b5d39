use ed25519_dalek::SigningKey;

use super::*;
use crate::clock::Seeded;
use crate::domain::record::Value;
use crate::domain::testing::{document, reading, stamp};
use crate::domain::vocabulary::ItemKind;
use crate::envelope::sign;

pub(crate) fn key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

fn signatory(number: u8, role: Role) -> Signatory {
    Signatory {
        account: AccountId::from_bytes([number; 16]),
        name: format!("Person {number}"),
        role,
        hcpc: Some(format!("OT{number}")),
        hcpc_checked: None,
        organisation: "Cardiff Council".to_owned(),
    }
}

fn text(words: &str) -> Content {
    Content::Text(words.to_owned())
}

/// A signed version with a field of every content.
pub(crate) fn version() -> SignedVersion {
    let contents = vec![
        ("specification/items/7.1/kind".to_owned(), Content::Item(ItemKind::Stairlift)),
        ("specification/items/7.1/item.required-load".to_owned(), Content::Value(Value::Number(160))),
        (
            format!("specification/readings/{}/1.1", document(1)),
            Content::Reading {
                reading: reading("stairs-1", "stair-rise", 190),
                by: AccountId::from_bytes([1; 16]),
                name: "Ann".to_owned(),
                at: stamp(),
                photos: vec![Hash::from_bytes([5; 32])],
            },
        ),
        (
            format!("specification/photos/{}/1.2", document(1)),
            Content::Photo { hash: Hash::from_bytes([5; 32]), caption: Some("foot of the stairs".to_owned()) },
        ),
        ("justification/prescription.client-weight".to_owned(), Content::Value(Value::Number(137))),
        ("justification/reasoning".to_owned(), text("Parkinson's: falls on the stairs.")),
        ("justification/notes/7.2".to_owned(), text("Her daughter agrees.")),
    ];
    let sealed = Sealed::new(contents, &mut Seeded::new(3));
    let header = Header {
        tag: HEADER_TAG.to_owned(),
        server: ServerId::from_bytes([1; 16]),
        authority: "Cardiff Council".to_owned(),
        case: CaseId::from_bytes([2; 16]),
        prescription: document(3),
        number: 1,
        heads: vec![Hash::from_bytes([4; 32])],
        root: sealed.root(),
        authors: vec![signatory(5, Role::PrivateOt)],
        signer: signatory(6, Role::SeniorOt),
        at: stamp().claimed,
        conditions: vec!["Landlord's consent in writing".to_owned()],
        key: KeyId::from_bytes([7; 16]),
        co_signers: None,
    };
    let signature = sign(&key(), &header.to_bytes());
    sealed.with_signature(header, signature)
}

/// The same, signed by two people whose registrations were looked up.
pub(crate) fn co_signed() -> SignedVersion {
    let one = version();
    let contents = one.fields.into_iter().map(|field| (field.path, field.content));
    let grounds = [("justification/co-grounds/1".to_owned(), text("She needs it."))];
    let sealed = Sealed::new(contents.chain(grounds).collect(), &mut Seeded::new(4));
    let looked_up = |number, role| Signatory { hcpc_checked: Some(stamp().claimed), ..signatory(number, role) };
    let first = CoSignature {
        signatory: looked_up(8, Role::PrincipalOt),
        at: stamp().claimed.plus_millis(-60_000),
        conditions: vec!["Not before the scan".to_owned()],
    };
    let header = Header {
        root: sealed.root(),
        signer: looked_up(6, Role::SeniorOt),
        co_signers: Some(vec![first]),
        ..one.header
    };
    let signature = sign(&key(), &header.to_bytes());
    sealed.with_signature(header, signature)
}

fn public() -> PublicKey {
    PublicKey::from(&key())
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Invariant 3: what was signed off reads the same for ever.
#[test]
fn what_was_signed_verifies_and_by_another_key_does_not() {
    let version = version();
    assert_eq!(version.verify(&public()), Ok(()));
    let other = PublicKey::from(&SigningKey::from_bytes(&[43; 32]));
    assert_eq!(version.verify(&other), Err(Altered::Header));
    assert_eq!(version.is_consistent(), Ok(()), "without the key nobody can tell who signed");
    assert_eq!(SignedVersion::from_bytes(&version.to_bytes()), Ok(version));
}

#[test]
fn housings_copy_verifies_and_holds_no_byte_of_the_justification() {
    let version = version();
    let copy = version.for_housing();
    assert_eq!(copy.verify(&public()), Ok(()));
    assert_eq!(copy.fields.len(), 4);
    let bytes = copy.to_bytes();
    for field in version.fields.iter().filter(|field| field.path.starts_with(JUSTIFICATION)) {
        let content = minicbor::to_vec(&field.content).unwrap();
        for part in [&content[..], field.path.as_bytes(), &field.salt] {
            assert!(holds(&version.to_bytes(), part) && !holds(&bytes, part), "{}", field.path);
        }
    }
    for word in ["justification", "Parkinson", "daughter", "client-weight", "\u{19}\u{89}"] {
        assert!(!holds(&bytes, word.as_bytes()), "{word}");
    }
    assert_eq!(SignedVersion::from_bytes(&bytes), Ok(copy));
}

/// Invariant 3: one altered byte, wherever it is, is noticed.
#[test]
fn every_flipped_byte_is_noticed() {
    for version in [version(), version().for_housing(), co_signed()] {
        let bytes = version.to_bytes();
        for at in 0..bytes.len() {
            for mask in [0x01, 0xa0] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                // Read as strictly as a file is, and as leniently as what comes inside another message.
                if let Ok(read) = SignedVersion::from_bytes(&flipped) {
                    assert!(read.verify(&public()).is_err(), "byte {at}");
                }
                if let Ok(read) = minicbor::decode::<SignedVersion>(&flipped) {
                    assert!(read.verify(&public()).is_err() || read == version, "byte {at}");
                }
            }
        }
        for cut in 0..bytes.len() {
            assert_eq!(SignedVersion::from_bytes(&bytes[..cut]), Err(Altered::Format));
        }
        assert_eq!(SignedVersion::from_bytes(&[&bytes[..], &[0]].concat()), Err(Altered::Format));
    }
}

#[test]
fn an_altered_field_is_named() {
    let version = version();
    for at in 0..version.fields.len() {
        let path = version.fields[at].path.clone();
        let named = Err(Altered::Field { path: path.clone() });
        let mut content = version.clone();
        content.fields[at].content = text("something else");
        assert_eq!(content.verify(&public()), named);
        let mut salt = version.clone();
        salt.fields[at].salt[15] ^= 1;
        assert_eq!(salt.verify(&public()), named);
        let mut hash = version.clone();
        hash.hashes[at] = Hash::from_bytes([0; 32]);
        assert_eq!(hash.verify(&public()), named);
        let mut renamed = version.clone();
        renamed.fields[at].path = "specification/other".to_owned();
        assert_eq!(renamed.verify(&public()), Err(Altered::Field { path: "specification/other".to_owned() }));
    }
}

#[test]
fn fields_swapped_added_repeated_or_taken_away_are_noticed() {
    let version = version();
    let mut swapped = version.clone();
    let (a, b) = (swapped.fields[3].content.clone(), swapped.fields[4].content.clone());
    (swapped.fields[3].content, swapped.fields[4].content) = (b, a);
    assert_eq!(swapped.verify(&public()), Err(Altered::Field { path: version.fields[3].path.clone() }));

    let mut added = version.clone();
    let extra = Field { index: 7, path: "specification/extra".to_owned(), salt: [0; 16], content: text("more") };
    added.fields.push(extra.clone());
    assert_eq!(added.verify(&public()), Err(Altered::NoPlace { path: extra.path.clone() }));
    added.hashes.push(extra.hash());
    assert_eq!(added.verify(&public()), Err(Altered::Hashes));

    let mut repeated = version.clone();
    repeated.fields.push(version.fields[4].clone());
    assert_eq!(repeated.verify(&public()), Err(Altered::NoPlace { path: version.fields[4].path.clone() }));

    let mut dropped = version.clone();
    dropped.hashes.pop();
    assert!(dropped.verify(&public()).is_err());
    // A hash that nobody holds a field to, taken away from Housing's copy.
    let mut copy = version.for_housing();
    copy.hashes.remove(0);
    assert!(copy.verify(&public()).is_err());
}

#[test]
fn of_the_specification_nothing_can_be_left_out() {
    let version = version();
    for full in [version.clone(), version.for_housing()] {
        for at in 0..full.fields.len() {
            let mut less = full.clone();
            let gone = less.fields.remove(at);
            let allowed = gone.path.starts_with(JUSTIFICATION);
            assert_eq!(less.verify(&public()), if allowed { Ok(()) } else { Err(Altered::Hashes) }, "{}", gone.path);
        }
    }
    let nothing = SignedVersion { fields: vec![], ..version };
    assert_eq!(nothing.verify(&public()), Err(Altered::Hashes));
}

#[test]
fn a_header_that_was_altered_is_noticed_whatever_it_says() {
    let version = version();
    let alter = |work: fn(&mut Header)| {
        let mut altered = version.clone();
        work(&mut altered.header);
        altered.verify(&public())
    };
    assert_eq!(alter(|header| header.number = 2), Err(Altered::Header));
    assert_eq!(alter(|header| header.signer.name.push('x')), Err(Altered::Header));
    assert_eq!(alter(|header| header.authors.clear()), Err(Altered::Header));
    assert_eq!(alter(|header| header.conditions.clear()), Err(Altered::Header));
    assert_eq!(alter(|header| header.co_signers = co_signed().header.co_signers), Err(Altered::Header));
    assert_eq!(alter(|header| header.tag.push('x')), Err(Altered::Format));
    assert_eq!(alter(|header| header.root = Hash::from_bytes([0; 32])), Err(Altered::Hashes));
}

#[test]
fn fields_come_back_from_json_with_the_same_hashes() {
    let version = version();
    let json = serde_json::to_string(&version.fields).unwrap();
    let fields: Vec<Field> = serde_json::from_str(&json).unwrap();
    assert_eq!(fields.iter().map(Field::hash).collect::<Vec<_>>(), version.hashes);
    let header: Header = serde_json::from_str(&serde_json::to_string(&version.header).unwrap()).unwrap();
    assert_eq!(SignedVersion { header, fields, ..version }.verify(&public()), Ok(()));
}

#[test]
fn of_two_who_signed_neither_can_be_left_out_and_the_first_ones_grounds_stay_from_housing() {
    let version = co_signed();
    assert_eq!(version.verify(&public()), Ok(()));
    assert_eq!(version.header.signed_by(), "Person 8 and Person 6");
    let conditions: Vec<&str> = version.header.signatures().flat_map(|(_, _, on)| on).map(String::as_str).collect();
    assert_eq!(conditions, ["Not before the scan", "Landlord's consent in writing"]);
    for co_signers in [None, Some(vec![])] {
        let mut less = version.clone();
        less.header.co_signers = co_signers;
        assert_eq!(less.verify(&public()), Err(Altered::Header));
    }
    let copy = version.for_housing();
    assert_eq!(copy.verify(&public()), Ok(()));
    assert!(copy.field("justification/co-grounds/1").is_none() && !holds(&copy.to_bytes(), b"She needs it."));
    let evidence = serde_json::to_string(&Evidence::of(version)).unwrap();
    let evidence: Evidence = serde_json::from_str(&evidence).unwrap();
    assert_eq!(evidence.check(Some(&public())), Ok(()));
}

#[test]
fn as_json_what_one_person_signed_tells_of_no_others() {
    let json = serde_json::to_value(version().header).unwrap();
    assert!(json.get("co_signers").is_none() && json["signer"].get("hcpc_checked").is_none(), "{json}");
    assert_eq!(serde_json::from_value::<Header>(json).unwrap(), version().header);
}
