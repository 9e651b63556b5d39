//! Rights that change while somebody works without a signal: whichever came first, the device gives up what it is told to,
//! says so under its signature, and what was typed too late waits where a supervisor finds it.

use grabrail_tests::{Tablet, World};
use serde_json::json;
use sync_core::access::Role;
use sync_core::device::{LinkOptions, Notice, SyncReport};
use sync_core::domain::kind::Kind;
use sync_core::id::{CaseId, DocumentId};
use sync_core::protocol::Request;
use sync_core::protocol::sync::PurgeReason;

use crate::disk::{found, pieces, pieces_of, pieces_of_cards};
use crate::office::{Visit, ask, door, fetch, get};

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Allocation,
    Commission,
    Revocation,
    Disabled,
    Role,
    Closed,
    Release,
}

/// When it changes, beside what is typed offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
    Between,
}

const CHANGES: [(Change, Option<PurgeReason>); 7] = [
    (Change::Allocation, Some(PurgeReason::Ended)),
    (Change::Commission, Some(PurgeReason::Ended)),
    (Change::Revocation, Some(PurgeReason::Revoked)),
    (Change::Disabled, Some(PurgeReason::Disabled)),
    (Change::Role, Some(PurgeReason::Role)),
    (Change::Closed, Some(PurgeReason::Closed)),
    (Change::Release, None),
];

/// Rows of documents and their changes, of which none may be left when the card stays.
const DOCUMENTS: &str = "SELECT value FROM entry WHERE shelf IN (3, 4)";

struct Council {
    world: World,
    /// A senior's token.
    grace: String,
    /// The token of the OT who has the cases that are not their visitor's own.
    olu: String,
    /// That OT's tablet.
    tablet: Tablet,
}

/// Somebody with a case that they work on, and their tablet in a house with no signal.
struct Out<'a> {
    council: &'a Council,
    name: String,
    tablet: Tablet,
    case: CaseId,
    /// The document they write in.
    document: DocumentId,
}

impl Council {
    async fn new() -> Self {
        let world = World::start().await;
        world.account("grace", Role::SeniorOt);
        world.account("olu", Role::Ot);
        world.say(&["organisation", "add", "Private practice"], "").done();
        let grace = world.server.signed_in("grace").await;
        let (olu, tablet) = (world.server.signed_in("olu").await, world.tablet("olu").await);
        Self { world, grace, olu, tablet }
    }

    async fn sends_out(&self, change: Change, when: When) -> Out<'_> {
        let world = &self.world;
        let name = format!("{change:?}-{when:?}").to_lowercase();
        let account = |role, more: &[&str]| world.account_with(&name, role, &[&["--no-password"], more].concat());
        match change {
            Change::Commission => {
                account(Role::PrivateOt, &["--organisation", "Private practice"]);
                world.case(&name, "olu");
                world.say(&["case", "commission", &name, &name, "--ends", "2099-12-31T23:59:59Z"], "").done();
            }
            Change::Release => {
                account(Role::Surveyor, &[]);
                world.case(&name, "olu");
                world.say(&["case", "assign", &name, &name], "").done();
            }
            _ => {
                account(Role::Ot, &[]);
                world.case(&name, &name);
            }
        }
        let tablet = world.tablet(&name).await;
        tablet.sync().await;
        let case = tablet.case().await;
        let document = match change {
            Change::Release => {
                self.releases(case).await;
                tablet.device.survey(case).await.unwrap()
            }
            _ => tablet.document(Kind::Home).await,
        };
        tablet.device.measure(document, door()).await.unwrap();
        tablet.sync().await;
        Out { council: self, name, tablet, case, document }
    }

    /// Olu lets Housing see the home.
    async fn releases(&self, case: CaseId) {
        let device = &self.tablet.device;
        self.tablet.sync().await;
        let home = self.home_of(case).await;
        device.measure(home, door()).await.unwrap();
        device.release(home, "She said yes").await.unwrap();
        assert_eq!(self.tablet.sync().await.granted, 1);
    }

    async fn home_of(&self, case: CaseId) -> DocumentId {
        let documents = self.tablet.device.documents(case).await.unwrap();
        documents.iter().find(|document| document.kind == Kind::Home).unwrap().document
    }

    /// How many changes of a document are in quarantine.
    async fn set_aside(&self, document: DocumentId) -> usize {
        let (status, lines) = get(&self.world, &self.grace, "/v1/quarantine").await;
        assert_eq!(status, 200, "{lines}");
        let of_it = lines.as_array().unwrap().iter().filter(|line| line["document"] == json!(document));
        of_it.map(|line| usize::try_from(line["changes"].as_u64().unwrap()).unwrap()).sum()
    }
}

impl Out<'_> {
    async fn types(&self) {
        self.tablet.device.measure(self.document, door()).await.unwrap();
    }

    async fn changes(&self, change: Change) {
        let Council { world, grace, olu, .. } = self.council;
        let name = self.name.as_str();
        match change {
            Change::Allocation => drop(world.say(&["case", "end", name, name, "allocated"], "").done()),
            Change::Commission => drop(world.say(&["case", "end", name, name, "commissioned"], "").done()),
            Change::Revocation => {
                let device = self.device().await;
                world.say(&["device", "revoke", &device], "").done();
            }
            Change::Disabled => drop(world.say(&["account", "disable", name], "").done()),
            Change::Role => drop(world.say(&["account", "change", name, "--role", "performance"], "").done()),
            Change::Closed => {
                let reason = "She moved in with her daughter".to_owned();
                assert_eq!(ask(world, grace, self.case, Request::CloseCase { reason }).await, Ok(()));
            }
            Change::Release => {
                let (document, reason) = (self.council.home_of(self.case).await, "She took it back".to_owned());
                assert_eq!(ask(world, olu, self.case, Request::EndRelease { document, reason }).await, Ok(()));
            }
        }
    }

    async fn device(&self) -> String {
        self.tablet.device.status().await.unwrap().enrolled.unwrap().device.to_string()
    }

    /// Types around the change; how much of it was typed before the tablet heard.
    async fn types_around(&self, change: Change, when: When) -> usize {
        if when != When::Before {
            self.types().await;
        }
        self.changes(change).await;
        if when != When::After {
            self.types().await;
        }
        if when == When::Between { 2 } else { 1 }
    }

    /// Why what left was to leave, as its person is told.
    async fn reasons(&self) -> Vec<PurgeReason> {
        let notices = self.tablet.device.notices().await.unwrap();
        let reason = |notice: &Notice| match notice {
            Notice::Purged { reason, .. } | Notice::PurgedDocument { reason, .. } => Some(*reason),
            _ => None,
        };
        notices.iter().filter_map(|(_, notice)| reason(notice)).collect()
    }

    /// What the office is shown of this device's word that it purged.
    async fn purges(&self) -> Vec<String> {
        let said = self.council.world.say(&["case", "purges", &self.name], "").done();
        let device = self.device().await;
        said.lines().filter(|line| line.contains(&device)).map(str::to_owned).collect()
    }
}

fn taken(report: &SyncReport) -> (usize, &[DocumentId], &[CaseId]) {
    (report.receipted, &report.refused, &report.purged)
}

/// Invariants 1 and 5.
#[tokio::test]
async fn rights_that_change_before_after_and_between_offline_work_take_the_case_and_lose_no_word() {
    let council = Council::new().await;
    for (change, reason) in CHANGES {
        for when in [When::Before, When::After, When::Between] {
            let row = format!("{change:?} {when:?}");
            let out = council.sends_out(change, when).await;
            let store = council.world.path(&format!("{}.store", out.name));
            let sealed = match change {
                Change::Role => pieces_of(&store, DOCUMENTS).await,
                Change::Release => pieces_of_cards(&store).await,
                _ => pieces(&store).await,
            };
            assert!(sealed.len() > 10 && found(&sealed, &store) > 10, "{row}: it is there to be found");
            let late = out.types_around(change, when).await;
            let report = out.tablet.sync().await;
            assert_eq!(found(&sealed, &store), 0, "{row}: something is left in the store's file");
            let words = (out.purges().await, out.reasons().await);
            match change {
                // What she writes is hers; only the home she was shown goes.
                Change::Release => {
                    assert_eq!(taken(&report), (late, &[][..], &[][..]), "{row}");
                    assert!(out.tablet.device.card(out.case).await.unwrap().home.is_none(), "{row}");
                    assert_eq!((council.set_aside(out.document).await, words), (0, (vec![], vec![])), "{row}");
                    continue;
                }
                // The card says still that they are tied to it; no document is theirs any more.
                Change::Role => {
                    assert_eq!(taken(&report), (0, &[out.document][..], &[][..]), "{row}");
                    assert_eq!(report.purged_documents.len(), 2, "{row}: the home and the assessment");
                    assert!(pieces_of(&store, DOCUMENTS).await.is_empty(), "{row}");
                    assert_eq!((words.0.len(), words.1), (2, vec![reason.unwrap(); 2]), "{row}");
                }
                _ => {
                    assert_eq!(taken(&report), (0, &[out.document][..], &[out.case][..]), "{row}");
                    assert!(out.tablet.device.cases().await.unwrap().is_empty(), "{row}");
                    assert!(pieces(&store).await.is_empty(), "{row}: neither a row nor a key of it");
                    assert_eq!((words.0.len(), words.1), (1, vec![reason.unwrap()]), "{row}");
                }
            }
            for word in out.purges().await {
                assert!(word.ends_with("  signed"), "{row}: {word}");
            }
            assert_eq!(council.set_aside(out.document).await, late, "{row}: what was typed too late is kept");
            assert_eq!(out.tablet.device.status().await.unwrap().waiting.changes, 0, "{row}");
            assert!(!out.tablet.device.receipts().await.unwrap().is_empty(), "{row}: the proof of before stays");
        }
    }
    // Quarantine is for those who may read every kind of document: not for a senior of an agency.
    for (who, role) in
        [("ida", Role::Administrator), ("aud", Role::Auditor), ("eve", Role::Ot), ("sid", Role::Surveyor)]
    {
        council.world.account(who, role);
    }
    council.world.say(&["organisation", "add", "Locums Ltd"], "").done();
    council.world.account_with("lou", Role::SeniorOt, &["--organisation", "Locums Ltd"]);
    for who in ["ida", "aud", "eve", "sid", "lou"] {
        let token = council.world.server.signed_in(who).await;
        assert_eq!(fetch(&council.world, &token, "/v1/quarantine").await.0, 403, "{who}");
    }
}

/// A signature names an organisation; what was typed under the one before arrives all the same.
#[tokio::test]
async fn whoever_changes_organisation_or_role_goes_on_and_what_they_had_typed_arrives() {
    let visit = Visit::by("olu", Role::Ot).await;
    let world = &visit.world;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    world.say(&["organisation", "add", "Locums Ltd"], "").done();
    let changes: [(&[&str], Role); 3] = [
        (&["--organisation", "Locums Ltd"], Role::Ot),
        (&["--role", "senior_ot"], Role::SeniorOt),
        (&["--role", "ot", "--organisation", "Borough of Example"], Role::Ot),
    ];
    for (change, role) in changes {
        visit.tablet.device.measure(visit.home, door()).await.unwrap();
        world.say(&[&["account", "change", "olu"], change].concat(), "").done();
        let report = visit.tablet.sync().await;
        assert_eq!(taken(&report), (1, &[][..], &[][..]), "{change:?}");
        let status = visit.tablet.device.status().await.unwrap();
        assert_eq!((status.enrolled.unwrap().role, status.waiting.changes), (role, 0), "{change:?}");
        assert!(visit.tablet.device.notices().await.unwrap().is_empty(), "{change:?}");
        // The next one is signed in the new name at once.
        visit.tablet.device.measure(visit.home, door()).await.unwrap();
        let report = visit.tablet.sync().await;
        assert_eq!((report.receipted, report.exchanges), (1, 1), "{change:?}");
    }
    assert_eq!(get(world, &grace, "/v1/quarantine").await.1, json!([]));
    let nobody = world.say(&["account", "change", "olu", "--organisation", "Nowhere"], "");
    assert!(nobody.code != Some(0) && nobody.err.contains("Nowhere"), "{}", nobody.err);
    // Another device sees all of it.
    let next = world.blank_tablet("next", &LinkOptions::default()).await;
    next.device.enrol(&next.link, &world.code("olu"), "next").await.unwrap();
    next.sync().await;
    let here = visit.tablet.device.open_document(visit.home).await.unwrap();
    assert_eq!(next.device.open_document(visit.home).await.unwrap(), here);
    assert_eq!(here.records.len(), 6);
}

#[tokio::test]
async fn a_senior_carries_a_case_that_is_not_hers_as_long_as_she_chooses_and_nobody_chooses_their_own_away() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.account_with("grace", Role::SeniorOt, &["--no-password"]);
    world.case("R-1", "olu");
    let (olus, graces) = (world.field("olu"), world.field("grace"));
    for (who, device) in [("olu", &olus), ("grace", &graces)] {
        device.done(&["enrol", &world.code(who)]);
        device.done(&["sync"]);
    }
    let case = olus.done(&["cases"])[0]["case"].as_str().unwrap().to_owned();
    assert_eq!(graces.done(&["cases"]), json!([]));
    for _ in 0..2 {
        graces.done(&["carry", &case]);
        assert_eq!(graces.done(&["sync"])["cards"], 1);
        assert_eq!(graces.done(&["sync"])["cards"], 0);
        assert_eq!(graces.done(&["cases"]).as_array().map(Vec::len), Some(1));
        graces.done(&["carry", &case, "--off"]);
        assert_eq!(graces.done(&["sync"])["purged"], json!([case]));
        assert_eq!(graces.done(&["cases"]), json!([]));
        assert_eq!(graces.done(&["sync"])["purged"], json!([]));
    }
    let notices = graces.done(&["status"])["notices"].to_string();
    assert!(notices.contains("not_chosen"), "{notices}");
    assert_eq!(graces.fails(&["carry", &case, "--off"])["type"], "urn:grabrail:problem:no-such-case");
    assert_eq!(olus.fails(&["carry", &case, "--off"])["type"], "urn:grabrail:problem:own-case");
    assert_eq!(olus.done(&["sync"])["purged"], json!([]));
}
