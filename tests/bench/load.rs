//! E: fifty devices at once. Each has the whole caseload and asks whether there is anything new; then fifty people, each
//! with four cases of their own, hand in measurements one by one; then both at once, with new devices taking the
//! caseload whole, for the memory that takes.

use std::time::Instant;

use serde_json::{Value as Json, json};
use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::{Body, Reading};
use sync_core::domain::vocabulary::{Measure, Method};
use sync_core::engine::WaitingPush;

use crate::arguments::Arguments;
use crate::machine::{cpu, memory, own_cpu, peak};
use crate::thin::{Got, Held, Thin};
use crate::{relay, server, tablet};

/// One reading, as a person takes it.
pub(crate) fn reading(at: usize) -> Edit {
    let place = format!("bathroom-1/door-{}", at % 99 + 1).parse().unwrap();
    let (measure, value) = (Measure::named("door-clear-width").unwrap(), 700 + i32::try_from(at % 200).unwrap());
    let (photos, supersedes) = (Vec::new(), Vec::new());
    Edit::Add(Body::Reading(Reading { place, measure, value, method: Method::Tape, photos, supersedes }))
}

/// Asks so often whether there is anything new: how long each took. The first answer is looked into, and the last.
async fn ask(mut thin: Thin, requests: Vec<(Vec<u8>, Vec<u8>)>) -> (Thin, Vec<f64>) {
    let mut took = Vec::new();
    thin.wire.again().await;
    let last = requests.len() - 1;
    for (at, (request, body)) in requests.into_iter().enumerate() {
        let began = Instant::now();
        let reply = thin.wire.send(&request).await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        if at == 0 || at == last {
            let mut got = Got::default();
            let more = thin.take(&body, &reply, &mut got);
            assert!(!more && got.news.is_empty() && got.cards.is_empty(), "there was something new: {got:?}");
        }
    }
    (thin, took)
}

/// Hands in changes made before, one a request: how long each took.
async fn push(mut thin: Thin, pushes: Vec<WaitingPush>) -> (Thin, Vec<f64>) {
    let mut took = Vec::new();
    thin.wire.again().await;
    for push in pushes {
        let (request, body) = thin.request(vec![push]);
        let began = Instant::now();
        let reply = thin.wire.send(&request).await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        let mut got = Got::default();
        thin.take(&body, &reply, &mut got);
        assert_eq!((got.receipted, got.refused), (1, 0), "{got:?}");
    }
    (thin, took)
}

pub(crate) async fn load(arguments: &Arguments) -> Json {
    let (count, process) = (arguments.number("n", 50), u32::try_from(arguments.number("pid", 0)).unwrap());
    let (asks, pushes) = (arguments.number("asks", 60), arguments.number("pushes", 50));
    let (folder, host) = (arguments.path("srv"), relay::host(arguments.get("url")).to_owned());
    let url = format!("http://{host}");
    // People with four cases each, beside the OT who has the workload's.
    for at in 0..count {
        server::account(&folder, &url, &format!("load{at}.ot"));
    }
    let rows = (0..4 * count).map(|at| {
        [
            format!("load-{at}"),
            format!("Client {at}"),
            format!("{at} Mill Lane, Exampleton"),
            format!("load{}.ot", at / 4),
        ]
    });
    server::import(&folder, &url, rows);
    let (mut carriers, mut people) = (Vec::new(), Vec::new());
    let began = Instant::now();
    for at in 0..count {
        let mut carrier = Thin::enrol(&folder, &host, tablet::WHO).await;
        carrier.sync(Vec::new()).await;
        carriers.push(carrier);
        let mut person = Thin::enrol(&folder, &host, &format!("load{at}.ot")).await;
        let got = person.sync(Vec::new()).await;
        let mut held = Held::planned(&got.cards[0], Kind::Home);
        let made: Vec<WaitingPush> = (0..2 * pushes).map(|at| person.change(&mut held, &[reading(at)])).collect();
        people.push((person, made));
    }
    let prepared = began.elapsed().as_secs_f64();
    println!("WARM");

    let signed: Vec<_> =
        carriers.into_iter().map(|mut thin| ((0..asks).map(|_| thin.request(Vec::new())).collect(), thin)).collect();
    let (cpu_before, own_before, began) = (cpu(process), own_cpu(), Instant::now());
    let asking: Vec<_> = signed.into_iter().map(|(requests, thin)| tokio::spawn(ask(thin, requests))).collect();
    let (mut noop_lat, mut carriers, mut up, mut down) = (Vec::new(), Vec::new(), 0, 0);
    for task in asking {
        let (thin, took) = task.await.unwrap();
        noop_lat.extend(took);
        (up, down) = (up + thin.wire.up, down + thin.wire.down);
        carriers.push(thin);
    }
    let noop_wall = began.elapsed().as_secs_f64() * 1000.0;
    let (noop_cpu, own_noop) = (cpu(process) - cpu_before, own_cpu() - own_before);
    println!("MARK");

    let second: Vec<Vec<WaitingPush>> = people.iter_mut().map(|(_, made)| made.split_off(pushes)).collect();
    let (cpu_before, own_before, began) = (cpu(process), own_cpu(), Instant::now());
    let pushing: Vec<_> = people.into_iter().map(|(thin, made)| tokio::spawn(push(thin, made))).collect();
    let (mut push_lat, mut people) = (Vec::new(), Vec::new());
    for task in pushing {
        let (thin, took) = task.await.unwrap();
        push_lat.extend(took);
        people.push(thin);
    }
    let push_wall = began.elapsed().as_secs_f64() * 1000.0;
    let (push_cpu, own_push) = (cpu(process) - cpu_before, own_cpu() - own_before);

    // Guard and cold caseloads at once: what the server holds at its most.
    let mut new = Vec::new();
    for _ in 0..5.min(count) {
        new.push(Thin::enrol(&folder, &host, tablet::WHO).await);
    }
    let before = memory(process);
    let pushing: Vec<_> = people.into_iter().zip(second).map(|(thin, made)| tokio::spawn(push(thin, made))).collect();
    let taking = new.into_iter().map(|mut thin| tokio::spawn(async move { thin.sync(Vec::new()).await.exchanges }));
    let taking: Vec<_> = taking.collect();
    for task in taking {
        task.await.unwrap();
    }
    for task in pushing {
        task.await.unwrap();
    }
    let (noop_count, push_count) = (noop_lat.len() as f64, push_lat.len() as f64);
    json!({
        "noop_wall": noop_wall, "noop_count": noop_count, "noop_lat": noop_lat, "cli_cpu_noop": own_noop,
        "push_wall": push_wall, "push_count": push_count, "push_lat": push_lat, "cli_cpu_push": own_push,
        "more": {
            "noop_cpu_ms_each": noop_cpu * 1000.0 / noop_count, "push_cpu_ms_each": push_cpu * 1000.0 / push_count,
            "noop_count": noop_count, "push_count": push_count, "prepared_s": prepared,
            "cli_noop_cpu_ms_each": own_noop * 1000.0 / noop_count, "cli_push_cpu_ms_each": own_push * 1000.0 / push_count,
            "rss_before_mixed": before, "rss_mixed_peak": peak(process), "cold_and_noop_up": up, "cold_and_noop_down": down,
        },
    })
}
