//! `tests/run bench …`: our server and devices on the workload that the alternatives are measured on.
//!
//! The drivers in `peers/` start this program as they start every other client. What only concerns us (thin load, cost
//! curves, what a caseload's bytes are made of) begins here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark reads the clock, prints, and ends where it can't go on"
)]

mod arguments;
mod client;
mod curves;
mod frames;
mod load;
mod machine;
mod many;
mod relay;
mod report;
mod seeding;
mod server;
mod sheet;
mod slot;
mod tablet;
mod thin;
mod workload;

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::arguments::Arguments;
use crate::seeding::Mode;
use crate::workload::Workload;

fn workload() -> Workload {
    Workload::read(&PathBuf::from(std::env::var("WORKLOAD").expect("WORKLOAD names the workload's file")))
}

async fn run(command: &str, arguments: &Arguments) -> Option<Json> {
    match command {
        "seed" => {
            let url = arguments.get("url");
            let mode = if arguments.find("mode") == Some("stamped") { Mode::Stamped } else { Mode::Flat };
            let (workload, server) = (workload(), arguments.path("srv"));
            std::fs::write(arguments.path("urls"), url).unwrap();
            seeding::seed(&workload, &server, url, mode, &server).await;
            Some(json!({ "n": 3 * workload.cases().len() }))
        }
        "enrol" => {
            let (folder, server, url) = (arguments.path("dir"), arguments.path("srv"), arguments.enrolled());
            relay::carry(&url, arguments.get("url")).await;
            let device = tablet::enrol(&folder, &server, &url, tablet::WHO, tablet::system_clock()).await;
            device.close().await.unwrap();
            Some(json!({}))
        }
        "sync" => Some(client::sync(arguments, &workload()).await),
        "edit" => Some(client::edit(arguments, &workload()).await),
        "durab" => Some(client::acknowledge(arguments, &workload()).await),
        "durcheck" => Some(client::look_for(arguments, &workload()).await),
        "start" => Some(client::start(arguments).await),
        "many" => Some(many::many(arguments).await),
        "mean" => Some(many::mean(arguments).await),
        "report" => {
            println!("{}", report::table(arguments));
            None
        }
        "frames" => {
            println!("{}", frames::tables(arguments).await);
            None
        }
        "curves" => {
            println!("{}", curves::all(arguments.number("scale", 1)).await);
            None
        }
        "load" => Some(load::load(arguments).await),
        other => panic!("there is no command {other}"),
    }
}

fn main() {
    let mut typed = std::env::args().skip(1);
    let command = typed.next().unwrap_or_default();
    let arguments = Arguments::of(typed);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let Some(result) = runtime.block_on(run(&command, &arguments)) {
        println!("RESULT {result}");
        // What no driver of `peers/` asked for goes among its results here.
        if let Some(results) = arguments.find("results") {
            report::add(&PathBuf::from(results), &command, result);
        }
    }
}
