//! Many rows asked for at once.

use super::*;

fn key(number: u16) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

#[tokio::test]
async fn what_stands_under_more_keys_than_one_statement_asks_for_comes_in_their_order() {
    const KEYS: u16 = 1300;
    let home = furnished().await;
    let store = home.open().await.unwrap();
    let mut expected: Vec<Option<Vec<u8>>> = vec![None; usize::from(KEYS)];
    let mut writing = store.begin().await.unwrap();
    for number in (0..KEYS).step_by(2) {
        let value = [b"kept ".as_slice(), &key(number)].concat();
        writing.put(Shelf::Meta, None, b"", &key(number), &value).await.unwrap();
        expected[usize::from(number)] = Some(value);
    }
    writing.commit().await.unwrap();
    let mut keys: Vec<Vec<u8>> = (0..KEYS).map(key).collect();
    assert_eq!(store.under(Shelf::Meta, &keys).await.unwrap(), expected);
    // Some of it written over, removed or new in the transaction that asks; each way round, and one of them twice.
    let mut writing = store.begin().await.unwrap();
    for number in (0..KEYS).step_by(3) {
        if number % 4 == 0 {
            assert!(writing.remove(Shelf::Meta, &key(number)).await.unwrap());
            expected[usize::from(number)] = None;
        } else {
            writing.put(Shelf::Meta, None, b"", &key(number), b"new").await.unwrap();
            expected[usize::from(number)] = Some(b"new".to_vec());
        }
    }
    keys.push(key(3));
    expected.push(expected[3].clone());
    assert_eq!(writing.under(Shelf::Meta, &keys).await.unwrap(), expected);
    keys.reverse();
    expected.reverse();
    assert_eq!(writing.under(Shelf::Meta, &keys).await.unwrap(), expected);
    assert_eq!(writing.under(Shelf::Card, &keys).await.unwrap(), vec![None; keys.len()], "nor of another shelf");
}

#[tokio::test]
async fn rows_of_many_cases_are_read_beside_a_case_whose_key_is_damaged() {
    let home = furnished().await;
    let store = home.open().await.unwrap();
    let cases: Vec<u8> = (1..12).collect();
    let mut writing = store.begin().await.unwrap();
    for number in &cases {
        writing.put(Shelf::Photo, Some(case(*number)), b"", &[*number], &[*number; 9]).await.unwrap();
    }
    writing.commit().await.unwrap();
    store.close().await.unwrap();
    home.tamper(
        "UPDATE case_key SET sealed = zeroblob(length(sealed)) WHERE case_hash = (SELECT min(case_hash) FROM case_key)",
    )
    .await;
    let mut damaged = Vec::new();
    for number in &cases {
        let store = home.open().await.unwrap();
        let others: Vec<Vec<u8>> = cases.iter().filter(|other| *other != number).map(|other| vec![*other]).collect();
        let read = store.under(Shelf::Photo, &others).await;
        match store.get(Shelf::Photo, &[*number]).await {
            Ok(value) => {
                assert_eq!(value, Some(vec![*number; 9]));
                assert!(matches!(read, Err(StoreError::Corrupt { set_aside: None })), "the damaged one is among them");
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Corrupt { set_aside: None }), "{error:?}");
                let expected: Vec<_> = others.iter().map(|other| Some(vec![other[0]; 9])).collect();
                assert_eq!(read.unwrap(), expected);
                damaged.push(*number);
            }
        }
        store.close().await.unwrap();
    }
    assert_eq!(damaged.len(), 1);
}
