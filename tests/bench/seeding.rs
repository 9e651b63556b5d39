//! A council with the workload's cases, each written through the public edits of devices and handed in by real syncs.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use sync_core::device::Device;
use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::{Body, Item};
use sync_core::domain::vocabulary::{ItemKind, Method};
use sync_core::protocol::CaseCard;

use crate::server;
use crate::sheet::Sheet;
use crate::slot::{Slot, kind_of};
use crate::tablet::{self, Visit, WHO, address};
use crate::workload::{DOCS, Workload, values};

/// Who writes, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The workload's own content: one author, the clock standing still, a document in one visit.
    Flat,
    /// Each reading at its own time and by its own method, the authors several.
    Stamped,
}

impl Mode {
    fn authors(self) -> Vec<String> {
        match self {
            Self::Flat => vec![WHO.to_owned()],
            Self::Stamped => [WHO, "mia.ot", "ben.ot", "zoe.ot"].map(str::to_owned).to_vec(),
        }
    }
}

/// Fills the data folder below `server`, on which a server runs that devices reach at `url`.
pub(crate) async fn seed(workload: &Workload, server: &Path, url: &str, mode: Mode, scratch: &Path) {
    let authors = mode.authors();
    for author in &authors {
        server::account(server, url, author);
        let rows = workload.cases().iter().map(|case| {
            let client = case["clinical"]["client"].as_str().unwrap().to_owned();
            [Workload::reference(case).to_owned(), client, address(&case["home"]["property"]), author.clone()]
        });
        server::import(server, url, rows);
    }
    for (turn, author) in authors.iter().enumerate() {
        let folder = scratch.join(format!("seed-{author}"));
        let _ = std::fs::remove_dir_all(&folder);
        let clock = Arc::new(Visit::beginning_now(if mode == Mode::Flat { 0 } else { 20 }));
        let device = tablet::enrol(&folder, server, url, author, clock).await;
        let link = tablet::link();
        device.sync(&link).await.unwrap();
        for (at, card) in tablet::in_order(&device, workload).await.iter().enumerate() {
            let case = &workload.cases()[at];
            write_home(&device, card, case, mode, (turn, authors.len())).await;
            if at % authors.len() == turn {
                write_clinical(&device, card, case).await;
            }
            if turn == 0 {
                // A prescription is its author's and the supervisors': an OT's device has no other's.
                write_prescription(&device, card, case).await;
            }
            if mode == Mode::Stamped {
                // Its clock goes on by hours in each case: without contact the lease would end.
                device.sync(&link).await.unwrap();
            }
        }
        device.sync(&link).await.unwrap();
        device.close().await.unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Makes one change of what these slots are to say.
async fn save(device: &Device, sheet: &mut Sheet, wanted: &[(Slot, Json)], method: Method) {
    let edits = sheet.edits(wanted, method);
    if !edits.is_empty() {
        let (_, keys) = device.edit(sheet.document, edits.clone()).await.unwrap();
        sheet.made(&edits, &keys);
    }
}

async fn sheet(device: &Device, card: &CaseCard, kind: Kind) -> Sheet {
    let document = tablet::documents(device, card.case).await[&kind];
    let view = device.open_document(document).await.unwrap();
    Sheet::of(document, device.account().unwrap(), &view)
}

async fn write_home(device: &Device, card: &CaseCard, case: &Json, mode: Mode, (turn, authors): (usize, usize)) {
    let mine = |path: &[Json]| match path.first().and_then(Json::as_str) {
        Some("rooms") => path[1].as_u64().is_some_and(|room| room as usize % authors == turn),
        _ => turn == 0,
    };
    let values = values(case, "home").into_iter().filter(|(path, ..)| mine(path));
    let mut sheet = sheet(device, card, Kind::Home).await;
    match mode {
        Mode::Flat => {
            let wanted: Vec<_> = values.map(|(_, slot, value)| (slot, value)).collect();
            save(device, &mut sheet, &wanted, Method::Tape).await;
        }
        Mode::Stamped => {
            // A change for each measurement with what was said of it; the rest of a room, and of the home, in one each.
            let mut visits: Vec<(String, Vec<(Slot, Json)>)> = Vec::new();
            for (path, slot, value) in values {
                let steps = if path.len() > 4 { 4 } else { 2.min(path.len() - 1) };
                let of = path[..steps].iter().map(Json::to_string).collect::<Vec<_>>().join(" ");
                match visits.iter_mut().find(|(known, _)| *known == of) {
                    Some((_, wanted)) => wanted.push((slot, value)),
                    None => visits.push((of, vec![(slot, value)])),
                }
            }
            for (at, (_, wanted)) in visits.into_iter().enumerate() {
                let method = match at % 10 {
                    6..=8 => Method::Laser,
                    9 => Method::Estimate,
                    _ => Method::Tape,
                };
                save(device, &mut sheet, &wanted, method).await;
            }
        }
    }
}

/// What of a case's workload stands in its document of this kind, home apart.
fn rest(case: &Json, of: Kind) -> Vec<(Slot, Json)> {
    let values = DOCS[1..].iter().flat_map(|doc| values(case, doc).into_iter().map(move |value| (*doc, value)));
    let wanted = values.filter(|(doc, (_, slot, _))| kind_of(doc, slot) == of);
    wanted.map(|(_, (_, slot, value))| (slot, value)).collect()
}

/// The clinical document, in one visit.
async fn write_clinical(device: &Device, card: &CaseCard, case: &Json) {
    let mut sheet = sheet(device, card, Kind::Clinical).await;
    save(device, &mut sheet, &rest(case, Kind::Clinical), Method::Tape).await;
}

/// The prescription: its items first, for facts name their items by keys, which items have once they are made.
async fn write_prescription(device: &Device, card: &CaseCard, case: &Json) {
    let prescription = device.prescribe(card.case).await.unwrap();
    let items = case["prescription"]["items"].as_array().map_or(0, Vec::len);
    let edits = vec![Edit::Add(Body::Item(Item { kind: ItemKind::EquipmentItem })); items];
    let mut sheet = sheet(device, card, Kind::Prescription).await;
    let (_, keys) = device.edit(prescription, edits.clone()).await.unwrap();
    sheet.made(&edits, &keys);
    save(device, &mut sheet, &rest(case, Kind::Prescription), Method::Tape).await;
}
