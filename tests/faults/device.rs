//! A device that works in one home until it is killed: `device-under-load STORE CODE HOME [hand-in]`. With `hand-in` it
//! hands in what waits, and ends. Each line it prints tells of something that was done before: `here KEYS` what it found
//! there when it was switched on, `made KEY` a reading that was kept, `sent N` a sync that went well.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program of the tests; what it can't go on without has failed them"
)]

use std::path::Path;
use std::sync::Arc;

use sync_core::clock::{SystemChance, SystemClock};
use sync_core::device::{Device, Link, LinkOptions, MeasureInput, Replace, Unlock, Vault, vault::VaultFuture};
use sync_core::domain::vocabulary::{Measure, Method};
use zeroize::Zeroizing;

/// A keystore that keeps nothing secret: opening is as quick as on a phone whose chip does it.
struct Open;

impl Vault for Open {
    fn wrap<'a>(&'a self, key: &'a [u8; 32]) -> VaultFuture<'a, Vec<u8>> {
        Box::pin(async move { Ok(key.to_vec()) })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a [u8]) -> VaultFuture<'a, Zeroizing<[u8; 32]>> {
        Box::pin(async move { Ok(Zeroizing::new(wrapped.try_into().unwrap())) })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (store, code) = (arguments.next().unwrap(), arguments.next().unwrap());
    let home = arguments.next().unwrap().parse().unwrap();
    let (store, unlock) = (Path::new(&store), Unlock::Vault(Arc::new(Open)));
    let clock = Arc::new(SystemClock::new());
    let device = if store.exists() {
        Device::open(store, &unlock, clock, Box::new(SystemChance)).await.unwrap()
    } else {
        Device::create(store, &unlock, clock, Box::new(SystemChance)).await.unwrap()
    };
    let link = Link::new(&LinkOptions::default()).unwrap();
    if device.status().await.unwrap().enrolled.is_none() {
        device.enrol(&link, &code, "device under load").await.unwrap();
    }
    if device.open_document(home).await.is_err() {
        // It was killed before its first cases had come.
        device.sync(&link).await.unwrap();
    }
    let found = device.open_document(home).await.unwrap().records;
    let keys: Vec<String> = found.keys().map(ToString::to_string).collect();
    println!("here {}", keys.join(","));
    if arguments.next().is_some() {
        device.sync(&link).await.unwrap();
        println!("sent 0");
        return;
    }
    for value in (600..1400).cycle() {
        let key = device.measure(home, reading(value)).await.unwrap();
        println!("made {key}");
        if value % 5 == 0 {
            device.sync(&link).await.unwrap();
            println!("sent {value}");
        }
    }
}

/// A reading that stands beside every other.
fn reading(value: i32) -> MeasureInput {
    MeasureInput {
        place: "bathroom-1/door-1".parse().unwrap(),
        measure: Measure::named("door-clear-width").expect("a door has a width"),
        value,
        method: Method::Tape,
        photos: Vec::new(),
        supersedes: Replace::None,
    }
}
