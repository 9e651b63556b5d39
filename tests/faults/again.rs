//! Pushes that come more than once, and in any order.

use std::sync::{Arc, Mutex};

use grabrail_tests::{World, count, is_long};
use sync_core::clock::{Chance as _, Seeded};
use sync_core::device::link::{HttpRequest, Sending};
use sync_core::device::{DeviceError, Link, LinkError, Transport};

use crate::council::{another, council, homes, reading, records, views, waiting};

/// How many devices write before any of them reaches the server.
const DEVICES: usize = 6;
/// How many orders are tried, in the short form.
const ORDERS: usize = 48;
/// How often a push comes at most.
const COPIES: usize = 5;

/// No way to anywhere: what should have been sent is kept.
#[derive(Debug, Clone, Default)]
struct Stairwell(Arc<Mutex<Vec<Vec<u8>>>>);

impl Transport for Stairwell {
    fn send(&self, request: HttpRequest) -> Sending<'_> {
        self.0.lock().unwrap().push(request.body);
        Box::pin(async { Err(LinkError::Offline("no signal here".to_owned())) })
    }
}

/// The `n`th of all orders of so many things.
fn order(mut n: usize, things: usize) -> Vec<usize> {
    let mut left: Vec<usize> = (0..things).collect();
    let mut order = Vec::with_capacity(things);
    while !left.is_empty() {
        order.push(left.remove(n % left.len().max(1)));
        n /= left.len() + 1;
    }
    order
}

async fn post(world: &World, body: Vec<u8>) -> u16 {
    let url = format!("{}/v1/sync", world.server.url());
    let request = world.server.http().post(url).header("content-type", "application/cbor").body(body);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_that_come_in_any_order_and_up_to_five_times_have_one_effect_each() {
    let world = council(1, "").await;
    let mut tablets = Vec::new();
    for n in 0..DEVICES {
        tablets.push(another(&world, &format!("tablet-{n}")).await);
    }
    let home = homes(&tablets[0].device).await[0];
    let all: usize = (1..=DEVICES).product();
    let mut chance = Seeded::new(6);
    let mut pick = |most: usize| {
        let mut bytes = [0; 8];
        chance.fill(&mut bytes);
        usize::try_from(u64::from_be_bytes(bytes) % most as u64).unwrap()
    };
    let orders: Vec<usize> =
        if is_long() { (0..all).collect() } else { (0..ORDERS).map(|n| n * all / ORDERS).collect() };
    let (mut value, mut posts) = (0, 0);
    for (round, n) in orders.iter().enumerate() {
        let mut pushes = Vec::new();
        for tablet in &tablets {
            // Unknown to each other: each builds on what all had before.
            value += 1;
            tablet.device.measure(home, reading(600 + value % 900)).await.unwrap();
            let stairwell = Stairwell::default();
            let said = tablet.device.sync(&Link::over(stairwell.clone())).await;
            assert!(matches!(said, Err(DeviceError::Link(LinkError::Offline(_)))), "{said:?}");
            pushes.push(stairwell.0.lock().unwrap().pop().unwrap());
        }
        // Each comes once in this order; every further copy somewhere behind its first.
        let mut coming = order(*n, DEVICES);
        for device in 0..DEVICES {
            for _ in 0..pick(COPIES) {
                let first = coming.iter().position(|other| *other == device).unwrap();
                let at = first + 1 + pick(coming.len() - first);
                coming.insert(at, device);
            }
        }
        for device in &coming {
            assert_eq!(post(&world, pushes[*device].clone()).await, 200, "order {n}: {coming:?}");
            posts += 1;
        }
        for tablet in &tablets {
            let report = tablet.sync().await;
            assert_eq!((report.receipted, report.refused), (1, vec![]), "order {n}: {coming:?}");
            assert_eq!(waiting(&tablet.device).await, 0);
        }
        for tablet in &tablets {
            tablet.sync().await;
        }
        let (first, keys) = (views(&tablets[0].device).await, records(&tablets[0].device).await);
        assert_eq!(keys.len(), (round + 1) * DEVICES, "order {n}: {coming:?}");
        for tablet in &tablets[1..] {
            assert_eq!(views(&tablet.device).await, first, "order {n}: {coming:?}");
        }
    }
    let next = another(&world, "next").await;
    assert_eq!(views(&next.device).await, views(&tablets[0].device).await);
    count(&format!("{} of {all} orders of {DEVICES} pushes, {posts} posts", orders.len()));
}

#[test]
fn every_order_is_met_once() {
    let orders: std::collections::BTreeSet<Vec<usize>> = (0..24).map(|n| order(n, 4)).collect();
    assert_eq!(orders.len(), 24);
}
