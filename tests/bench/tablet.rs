//! A person's device, over the public facade: how it is opened, enrolled, edited and read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value as Json, json};
use sync_core::clock::{Clock, SystemChance, SystemClock, Timestamp};
use sync_core::device::vault::VaultFuture;
use sync_core::device::{Device, Link, LinkOptions, Unlock, Vault};
use sync_core::domain::kind::Kind;
use sync_core::id::{CaseId, DocumentId};
use sync_core::protocol::CaseCard;
use zeroize::Zeroizing;

use crate::server;
use crate::sheet::Sheet;
use crate::slot::{Slot, kind_of};
use crate::workload::{DOCS, Workload, values};

/// The OT whose devices these are.
pub(crate) const WHO: &str = "olu.ot";

/// A keystore that any process here has, in the place of the platform's: a store behind one is opened without the time
/// that a passphrase takes.
struct Keystore;

impl Vault for Keystore {
    fn wrap<'a>(&'a self, key: &'a [u8; 32]) -> VaultFuture<'a, Vec<u8>> {
        Box::pin(async move { Ok(key.iter().map(|byte| byte ^ 0x5a).collect()) })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a [u8]) -> VaultFuture<'a, Zeroizing<[u8; 32]>> {
        let key: Vec<u8> = wrapped.iter().map(|byte| byte ^ 0x5a).collect();
        Box::pin(async move {
            let key: Result<[u8; 32], _> = key.try_into();
            key.map(Zeroizing::new).map_err(|_| sync_core::device::VaultError::NotOurs)
        })
    }
}

/// A clock that stands still, or goes on by so much between two looks, as a visit does.
#[derive(Debug)]
pub(crate) struct Visit {
    now: AtomicI64,
    step: i64,
}

impl Visit {
    pub(crate) fn beginning_now(step_seconds: i64) -> Self {
        Self { now: AtomicI64::new(SystemClock::new().now().millis()), step: step_seconds * 1000 }
    }
}

impl Clock for Visit {
    fn now(&self) -> Timestamp {
        let now = self.now.load(Ordering::Relaxed);
        // Never twice the same step: people don't measure to the beat.
        let step = if self.step == 0 { 0 } else { self.step + now.wrapping_mul(31).rem_euclid(97_000) };
        Timestamp::from_millis(self.now.fetch_add(step, Ordering::Relaxed))
    }

    fn elapsed(&self) -> u64 {
        if self.step == 0 { 0 } else { u64::try_from(self.now.load(Ordering::Relaxed)).unwrap() % 86_400_000 }
    }
}

fn store(folder: &Path) -> PathBuf {
    folder.join("device.store")
}

/// Opens the device in a folder.
pub(crate) async fn open(folder: &Path, clock: Arc<dyn Clock>) -> Device {
    let unlock = Unlock::Vault(Arc::new(Keystore));
    Device::open(&store(folder), &unlock, clock, Box::new(SystemChance)).await.unwrap()
}

pub(crate) fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

pub(crate) fn link() -> Link {
    Link::new(&LinkOptions::default()).unwrap()
}

/// Makes a device of somebody in an empty folder.
pub(crate) async fn enrol(folder: &Path, server: &Path, url: &str, who: &str, clock: Arc<dyn Clock>) -> Device {
    std::fs::create_dir_all(folder).unwrap();
    let unlock = Unlock::Vault(Arc::new(Keystore));
    let device = Device::create(&store(folder), &unlock, clock, Box::new(SystemChance)).await.unwrap();
    let code = server::say(server, url, &["device", "code", who]);
    device.enrol(&link(), &code, "benchmark").await.unwrap();
    device
}

/// The case of each reference.
pub(crate) async fn cards(device: &Device) -> BTreeMap<String, CaseCard> {
    let cards = device.cases().await.unwrap();
    cards.into_iter().filter_map(|card| Some((card.reference.clone()?, card))).collect()
}

/// The documents of a case by kind: the first of each.
pub(crate) async fn documents(device: &Device, case: CaseId) -> BTreeMap<Kind, DocumentId> {
    let mut found = BTreeMap::new();
    for summary in device.documents(case).await.unwrap() {
        found.entry(summary.kind).or_insert(summary.document);
    }
    found
}

/// What the documents of one case say.
pub(crate) struct Sheets {
    pub(crate) of: BTreeMap<Kind, Sheet>,
    card: CaseCard,
}

impl Sheets {
    pub(crate) async fn open(device: &Device, card: &CaseCard) -> Self {
        let me = device.account().unwrap();
        let mut of = BTreeMap::new();
        for (kind, document) in documents(device, card.case).await {
            let view = device.open_document(document).await.unwrap();
            of.insert(kind, Sheet::of(document, me, &view));
        }
        Self { of, card: card.clone() }
    }

    /// What a value reads as now: several when they stand against one another.
    pub(crate) fn shown(&self, doc: &str, slot: &Slot, used: &mut BTreeSet<sync_core::id::Key>) -> Vec<Json> {
        let sheet = self.of.get(&kind_of(doc, slot));
        sheet.map(|sheet| sheet.shown(slot, used)).unwrap_or_default()
    }

    /// Which of the workload's documents of this case read exactly as they were generated, nothing standing beside it.
    pub(crate) fn equal(&self, case: &Json) -> usize {
        let mut equal: BTreeMap<&str, bool> = BTreeMap::new();
        let mut used = BTreeSet::new();
        let (client, home) = (&self.card.client, &case["home"]["property"]);
        let address = address(home);
        for doc in DOCS {
            let of_card = match doc {
                "home" => client.address == address,
                "clinical" => Some(client.name.as_str()) == case["clinical"]["client"].as_str(),
                _ => true,
            };
            let said = values(case, doc).iter().all(|(_, slot, value)| match slot {
                Slot::Implied | Slot::Card => true,
                slot => self.shown(doc, slot, &mut used) == [value.clone()],
            });
            equal.insert(doc, of_card && said);
        }
        let standing: usize = self.of.values().map(Sheet::standing).sum();
        let stray = standing - used.len();
        if stray == 0 { equal.values().filter(|equal| **equal).count() } else { 0 }
    }

    /// Everything that the workload has of this case, as it reads now.
    pub(crate) fn dump(&self, case: &Json) -> Json {
        let mut said = serde_json::Map::new();
        let mut used = BTreeSet::new();
        for doc in DOCS {
            for (path, slot, _) in values(case, doc) {
                let path: Vec<String> = path.iter().map(Json::to_string).collect();
                let mut shown: Vec<String> = self.shown(doc, &slot, &mut used).iter().map(Json::to_string).collect();
                shown.sort();
                said.insert(format!("{doc} {}", path.join(" ")), json!(shown));
            }
        }
        said.into()
    }
}

/// The address on a case's card: two fields of the workload.
pub(crate) fn address(property: &Json) -> String {
    let text = |name: &str| property[name].as_str().unwrap_or_default().to_owned();
    format!("{}, {}", text("address"), text("postcode"))
}

/// The cases of a workload on a device, in the workload's order.
pub(crate) async fn in_order(device: &Device, workload: &Workload) -> Vec<CaseCard> {
    let cards = cards(device).await;
    let card = |case| cards.get(Workload::reference(case)).cloned();
    workload.cases().iter().filter_map(card).collect()
}
