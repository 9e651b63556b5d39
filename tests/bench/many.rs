//! C where there is much: 20,000 cases on the server, 2,000 on the device, and a thousand syncs with nothing new.

use serde_json::{Value as Json, json};

use crate::arguments::Arguments;
use crate::machine::{cpu, memory};
use crate::server::{self, Serving};
use crate::tablet;
use crate::thin::Thin;

pub(crate) async fn many(arguments: &Arguments) -> Json {
    let (cases, own) = (arguments.number("cases", 20_000), arguments.number("own", 2_000));
    let folder = tempfile::tempdir().unwrap();
    let host = "127.0.0.1:19791";
    let (path, url) = (folder.path(), format!("http://{host}"));
    server::account(path, &url, "big.ot");
    server::account(path, &url, "rest.ot");
    let row = |at: usize| {
        let who = if at.is_multiple_of(cases / own) { "big.ot" } else { "rest.ot" };
        [format!("case-{at}"), format!("Client {at}"), format!("{at} Mill Lane, Exampleton"), who.to_owned()]
    };
    server::import(path, &url, (0..cases).map(row));
    let serving = Serving::start(path, host).await;
    let mut thin = Thin::enrol(path, host, "big.ot").await;
    let before = cpu(serving.process());
    let got = thin.sync(Vec::new()).await;
    let cold = json!({
        "cards": got.cards.len(), "cpu_ms": (cpu(serving.process()) - before) * 1000.0, "down": thin.wire.down,
        "exchanges": got.exchanges,
    });
    let mut result = idle(&mut thin, &serving, arguments.number("times", 1000)).await;
    result["cold"] = cold;
    result
}

/// The mean of so many syncs with nothing new, one after another, of a device with the workload's whole caseload.
pub(crate) async fn mean(arguments: &Arguments) -> Json {
    let (folder, host) = (arguments.path("state"), "127.0.0.1:19792");
    let copy = folder.join("mean");
    server::copy(&folder.join("srv.base"), &copy);
    let serving = Serving::start(&copy, host).await;
    let mut thin = Thin::enrol(&copy, host, tablet::WHO).await;
    thin.sync(Vec::new()).await;
    let result = idle(&mut thin, &serving, arguments.number("times", 1000)).await;
    drop(serving);
    std::fs::remove_dir_all(copy).unwrap();
    result
}

async fn idle(thin: &mut Thin, serving: &Serving, times: usize) -> Json {
    // The last page's acknowledgement is no part of it.
    thin.sync(Vec::new()).await;
    let (up, down, before, began) = (thin.wire.up, thin.wire.down, cpu(serving.process()), std::time::Instant::now());
    for _ in 0..times {
        thin.sync(Vec::new()).await;
    }
    let each = |sum: f64| sum / times as f64;
    json!({
        "times": times, "cpu_ms_each": each((cpu(serving.process()) - before) * 1000.0),
        "wall_ms_each": each(began.elapsed().as_secs_f64() * 1000.0), "up_each": each((thin.wire.up - up) as f64),
        "down_each": each((thin.wire.down - down) as f64), "rss": memory(serving.process()),
    })
}
