//! What every client of the benchmark does: sync a device and say what it cost, do a day's work offline, and make
//! acknowledged edits that a killed server has to have kept.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value as Json, json};
use sync_core::device::{Device, NoteInput};
use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::SharedText;
use sync_core::domain::vocabulary::{Method, Section};

use crate::arguments::Arguments;
use crate::slot::{Slot, kind_of, slot};
use crate::tablet::{self, Sheets};
use crate::workload::{Op, What, Workload};
use crate::{machine, relay, server};

/// Hands in and takes, says what it cost, and looks at what is there then, on a copy: what is opened to be looked at
/// would be handed in as read with the next sync.
pub(crate) async fn sync(arguments: &Arguments, workload: &Workload) -> Json {
    let folder = arguments.path("dir");
    relay::carry(&arguments.enrolled(), arguments.get("url")).await;
    let link = tablet::link();
    let (cpu, began) = (machine::own_cpu(), Instant::now());
    let device = tablet::open(&folder, tablet::system_clock()).await;
    let (load, cpu_load) = (began.elapsed(), machine::own_cpu() - cpu);
    let (cpu, began) = (machine::own_cpu(), Instant::now());
    let report = device.sync(&link).await.unwrap();
    let (wall, cpu) = (began.elapsed(), machine::own_cpu() - cpu);
    device.close().await.unwrap();
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    let mut result = json!({
        "wall": milliseconds(wall), "tLoad": milliseconds(load), "cpu": cpu, "cpuLoad": cpu_load,
        "rss": machine::peak(std::process::id()), "rep": report,
    });
    let looked_at = folder.with_extension("looked-at");
    server::copy(&folder, &looked_at);
    let device = tablet::open(&looked_at, tablet::system_clock()).await;
    match arguments.find("check") {
        Some("base") => result["ok"] = equal(&device, workload).await.into(),
        Some("merged") => result["merged"] = merged(&device, workload, &["d1", "d2"]).await,
        Some(only) => result["merged"] = merged(&device, workload, &[only]).await,
        None => {}
    }
    if let Some(file) = arguments.find("dump") {
        let mut said = Vec::new();
        for (case, card) in workload.cases().iter().zip(tablet::in_order(&device, workload).await) {
            said.push(Sheets::open(&device, &card).await.dump(case));
        }
        std::fs::write(file, Json::from(said).to_string()).unwrap();
    }
    device.close().await.unwrap();
    std::fs::remove_dir_all(looked_at).unwrap();
    result
}

/// How many of the workload's documents read exactly as they were generated.
async fn equal(device: &Device, workload: &Workload) -> usize {
    let mut count = 0;
    let cards = tablet::cards(device).await;
    for case in workload.cases() {
        if let Some(card) = cards.get(Workload::reference(case)) {
            count += Sheets::open(device, card).await.equal(case);
        }
    }
    count
}

/// Which edits of a day are there to be seen. The figures of every client, and of values that clash: how many there
/// are, whether both are shown, and whether each is listed as a clash.
async fn merged(device: &Device, workload: &Workload, devices: &[&str]) -> Json {
    let mut written: BTreeMap<String, (Op, BTreeMap<&str, Json>)> = BTreeMap::new();
    let mut typed: BTreeMap<(usize, &str), String> = BTreeMap::new();
    for name in devices {
        for op in workload.day(name) {
            match &op.what {
                What::Typed(_, text) => typed.entry((op.case, name)).or_default().push_str(text),
                What::Value(value) => {
                    let (value, at) = (value.clone(), json!([op.case, op.doc, op.path]).to_string());
                    written.entry(at).or_insert((op, BTreeMap::new())).1.insert(name, value);
                }
            }
        }
    }
    let cards = tablet::in_order(device, workload).await;
    let mut sheets: BTreeMap<usize, Sheets> = BTreeMap::new();
    let touched: BTreeSet<usize> = written.values().map(|(op, _)| op.case).collect();
    let mut clashes = 0;
    for case in touched {
        sheets.insert(case, Sheets::open(device, &cards[case]).await);
        clashes += device.clashes(cards[case].case).await.unwrap().len();
    }
    let (mut lost, mut hidden, mut against, mut both, mut clashing) = (0, 0, 0, 0, 0);
    for (op, by) in written.values() {
        let slot = slot(&workload.cases()[op.case], &op.doc, &op.path);
        let shown = sheets[&op.case].shown(&op.doc, &slot, &mut BTreeSet::new());
        lost += usize::from(!by.values().any(|value| shown.contains(value)));
        hidden += by.values().filter(|value| !shown.contains(value)).count();
        if by.values().any(|value| Some(value) != by.values().next()) {
            against += 1;
            both += usize::from(by.values().all(|value| shown.contains(value)));
            clashing += usize::from(clash(&slot, by.values()));
        }
    }
    let kept = |((case, _), text): (&(usize, &str), &String)| {
        let sheet = sheets.get(case).and_then(|sheets| sheets.of.get(&kind_of("clinical", &Slot::Narrative)));
        sheet.is_some_and(|sheet| sheet.text.contains(text.as_str()))
    };
    json!({
        "total": written.len(), "lost": lost, "textTotal": typed.len(), "textOk": typed.iter().filter(|pair| kept(*pair)).count(),
        "hidden": hidden, "against": against, "bothShown": both, "clashing": clashing,
        "clashes": clashes,
    })
}

/// Whether these values of one slot have to be listed as a clash: notes stand beside one another, and readings within
/// their tolerance agree.
fn clash<'a>(slot: &Slot, values: impl Iterator<Item = &'a Json>) -> bool {
    match slot {
        Slot::Fact { .. } => true,
        Slot::Reading { measure, .. } => {
            let mut values: Vec<i64> = values.filter_map(Json::as_i64).collect();
            values.sort_unstable();
            let spread = values.last().zip(values.first()).map_or(0, |(most, least)| most - least);
            spread > i64::from(measure.spec().tolerance)
        }
        _ => false,
    }
}

/// A day's work offline: every op is one save.
pub(crate) async fn edit(arguments: &Arguments, workload: &Workload) -> Json {
    let began = Instant::now();
    let step = if arguments.find("mode") == Some("stamped") { 20 } else { 0 };
    let clock = std::sync::Arc::new(tablet::Visit::beginning_now(step));
    let device = tablet::open(&arguments.path("dir"), clock).await;
    let cards = tablet::in_order(&device, workload).await;
    let mut open: BTreeMap<usize, Sheets> = BTreeMap::new();
    let ops = workload.day(arguments.get("dev"));
    for op in &ops {
        if let Entry::Vacant(closed) = open.entry(op.case) {
            closed.insert(Sheets::open(&device, &cards[op.case]).await);
        }
        let slot = slot(&workload.cases()[op.case], &op.doc, &op.path);
        let sheets = open.get_mut(&op.case).unwrap();
        let sheet = sheets.of.get_mut(&kind_of(&op.doc, &slot)).unwrap();
        sheet.outspoken = true;
        let edits = match &op.what {
            What::Typed(units, text) => {
                let before: Vec<u16> = sheet.text.encode_utf16().take(*units).collect();
                let at = u32::try_from(String::from_utf16_lossy(&before).chars().count()).unwrap();
                vec![Edit::Splice { text: SharedText::Reasoning, at, delete: 0, insert: text.clone() }]
            }
            What::Value(value) => sheet.edits(&[(slot, value.clone())], Method::Tape),
        };
        assert!(!edits.is_empty(), "an op that changes nothing: {op:?}");
        let (_, keys) = device.edit(sheet.document, edits.clone()).await.unwrap();
        sheet.made(&edits, &keys);
    }
    device.close().await.unwrap();
    json!({ "n": ops.len(), "ms": began.elapsed().as_secs_f64() * 1000.0 })
}

fn acknowledged(arguments: &Arguments) -> (usize, usize, String) {
    let number = |name, or| arguments.find(name).map_or(or, |text| text.parse().unwrap());
    (number("case", 0), number("burst", 1), arguments.get("token").to_owned())
}

async fn clinical(device: &Device, workload: &Workload, case: usize) -> sync_core::id::DocumentId {
    let card = &tablet::in_order(device, workload).await[case];
    tablet::documents(device, card.case).await[&Kind::Clinical]
}

/// Makes edits one by one, each acknowledged, says how many, and waits to be ended.
pub(crate) async fn acknowledge(arguments: &Arguments, workload: &Workload) -> Json {
    let (case, burst, token) = acknowledged(arguments);
    relay::carry(&arguments.enrolled(), arguments.get("url")).await;
    let device = tablet::open(&arguments.path("dir"), tablet::system_clock()).await;
    let link = tablet::link();
    device.sync(&link).await.unwrap();
    let document = clinical(&device, workload, case).await;
    let mut acked = 0;
    for at in 0..burst {
        let note = NoteInput::new(Section::History, format!("ack{at}: {token}:{at}"));
        device.note(document, note).await.unwrap();
        acked += device.sync(&link).await.unwrap().receipted;
    }
    println!("ACK {}", json!({ "acked": acked }));
    // Whoever asked ends this process, and the server, when they please.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    std::process::exit(0);
}

/// How many of them another device finds.
pub(crate) async fn look_for(arguments: &Arguments, workload: &Workload) -> Json {
    let (case, burst, token) = acknowledged(arguments);
    relay::carry(&arguments.enrolled(), arguments.get("url")).await;
    let device = tablet::open(&other(&arguments.path("dir")), tablet::system_clock()).await;
    device.sync(&tablet::link()).await.unwrap();
    let document = clinical(&device, workload, case).await;
    let view = device.open_document(document).await.unwrap();
    let there = |at: usize| view.notes().any(|(_, note)| note.text == format!("ack{at}: {token}:{at}"));
    let have = (0..burst).filter(|at| there(*at)).count();
    device.close().await.unwrap();
    json!({ "have": have, "n": burst })
}

/// The folder of the second device beside that of the first.
fn other(folder: &Path) -> PathBuf {
    PathBuf::from(format!("{}2", folder.display()))
}

/// Opens a device as it lies there and then its first case, as a person does who wants to go on.
pub(crate) async fn start(arguments: &Arguments) -> Json {
    let began = Instant::now();
    let device = tablet::open(&arguments.path("dir"), tablet::system_clock()).await;
    let opened = began.elapsed();
    let cases = device.cases().await.unwrap();
    let listed = began.elapsed();
    let documents = device.documents(cases[0].case).await.unwrap();
    for document in &documents {
        device.open_document(document.document).await.unwrap();
    }
    let read = began.elapsed();
    device.close().await.unwrap();
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    json!({
        "cases": cases.len(), "open_ms": milliseconds(opened), "list_ms": milliseconds(listed),
        "first_case_ms": milliseconds(read), "documents_opened": documents.len(),
    })
}
