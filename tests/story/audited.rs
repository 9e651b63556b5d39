//! Who read and did what: the auditor's view.

use serde_json::Value as Json;
use sync_core::access::Role;

use crate::office::{NEED, REASONING, Visit, fetch, get};

/// The entries of a case, as `grabrail audit export` writes them.
fn exported(visit: &Visit, more: &[&str]) -> (Vec<Json>, String) {
    let file = visit.world.path("audit.jsonl");
    let _ = std::fs::remove_file(&file);
    let words = [&["audit", "export", file.to_str().unwrap()], more].concat();
    visit.world.say(&words, "").done();
    let text = std::fs::read_to_string(&file).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), text)
}

/// H19: every reading, writing, decision, refusal and change of rights, by whom and by what right; ids only.
#[tokio::test]
async fn who_read_wrote_decided_and_was_turned_away_is_in_the_log_by_what_right_and_in_no_words_of_theirs() {
    let visit = Visit::by("olu", Role::Ot).await;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let sue = visit.joined_by("sue", Role::Surveyor).await;
    let document = visit.submitted_rail().await;
    visit.tablet.device.open_document(visit.clinical).await.unwrap();
    visit.tablet.sync().await;

    let path = format!("/v1/prescriptions/{document}");
    assert_eq!(get(&visit.world, &sue, &path).await.0, 404, "nothing ties her to it");
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    assert_eq!(get(&visit.world, &grace, &format!("{path}/versions/1")).await.0, 200);
    assert_eq!(fetch(&visit.world, &grace, &format!("/v1/cases/{}", visit.case)).await.0, 200);
    visit.case_is("assign", "sue");
    visit.world.say(&["case", "end", "R-1", "olu", "allocated"], "").done();
    visit.world.say(&["account", "disable", "olu"], "").done();

    let (entries, text) = exported(&visit, &["--case", "R-1"]);
    let accounts = visit.world.say(&["account", "list"], "").done();
    let id = |sign_in: &str| {
        let line = accounts.lines().find(|line| line.contains(&format!("  {sign_in}  "))).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    let (olu, grace, sue) = (id("olu"), id("grace"), id("sue"));
    let by = |who: &str, act: &str| -> Vec<&Json> {
        entries.iter().filter(|entry| entry["account"] == who && entry["act"] == act).collect()
    };
    assert!(by(&olu, "sent").iter().any(|entry| entry["documents"] == 2 && entry["card"] == true), "{text}");
    let wrote = by(&olu, "wrote");
    assert!(!wrote.is_empty() && wrote.iter().all(|entry| entry["purpose"][0] == "allocated"), "{text}");
    let opened = by(&olu, "opened");
    assert!(opened.iter().any(|entry| entry["document"] == visit.clinical.to_string()), "{text}");
    assert!(by(&olu, "asked").iter().any(|entry| entry["request"] == "submit" && entry["granted"] == true), "{text}");
    assert_eq!(by(&sue, "denied")[0]["document"], document.to_string());
    let signed = by(&grace, "asked");
    assert!(signed.iter().any(|entry| entry["request"] == "sign_off"), "{text}");
    assert_eq!(by(&grace, "signed")[0]["purpose"], serde_json::json!([]), "by her office, not by a tie");
    assert_eq!(by(&grace, "exported")[0]["number"], 1);
    assert!(by(&grace, "read").len() >= 2, "the prescription and the case: {text}");
    let tied: Vec<&Json> = entries.iter().filter(|entry| entry["act"] == "tied").collect();
    assert!(tied.iter().any(|entry| entry["whom"] == sue && entry["relation"] == "assigned"), "{text}");
    assert!(tied.iter().any(|entry| entry["whom"] == olu && entry["ends"].is_string()), "{text}");
    for words in [NEED, REASONING, "Doris", "Sample Street", "of the story"] {
        assert!(!text.contains(words), "{words}: {text}");
    }

    // By account: also what was done to it.
    let (entries, text) = exported(&visit, &["--account", "olu", "--from", "2026-01-01T00:00:00Z"]);
    assert!(entries.iter().any(|entry| entry["act"] == "account_changed" && entry["change"] == "disabled"), "{text}");
    assert!(entries.iter().any(|entry| entry["act"] == "device_changed" && entry["change"] == "enrolled"), "{text}");
    assert!(entries.iter().any(|entry| entry["act"] == "signed_in"), "{text}");
    assert!(entries.iter().all(|entry| entry["account"] == olu || entry["whom"] == olu), "{text}");
    assert_eq!(exported(&visit, &["--until", "2026-01-01T00:00:00Z"]).0.len(), 0);
    // Who looked into the log is in it.
    let listed = visit.world.say(&["audit", "list"], "").done();
    assert!(listed.contains("the command line") && listed.contains(r#"{"act":"audited"}"#), "{listed}");
}

#[tokio::test]
async fn a_log_is_whole_until_its_end_is_cut_off_and_a_checkpoint_kept_elsewhere_tells() {
    let mut visit = Visit::by("olu", Role::Ot).await;
    let whole = visit.world.say(&["audit", "verify"], "").done();
    assert!(whole.starts_with("whole: "), "{whole}");
    // What the server's folder was like before.
    assert_eq!(visit.world.server.stop().await.code(), Some(0));
    let (data, before) = (visit.world.data(), visit.world.path("before"));
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        std::fs::create_dir_all(to).unwrap();
        for name in ["grabrail.sqlite", "keys.sqlite"] {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    };
    copy(&data, &before);
    visit.world.say(&["account", "disable", "olu"], "").done();
    let checkpoint = visit.world.say(&["audit", "checkpoint"], "").done();
    let file = visit.world.path("checkpoint.json");
    std::fs::write(&file, &checkpoint).unwrap();
    let verify = ["audit", "verify", "--checkpoint", file.to_str().unwrap()];
    assert!(visit.world.say(&verify, "").done().starts_with("whole: "));

    // Somebody puts the folder back, so that the account was never disabled.
    for leftover in ["grabrail.sqlite-wal", "grabrail.sqlite-shm"] {
        let _ = std::fs::remove_file(data.join(leftover));
    }
    copy(&before, &data);
    assert!(visit.world.say(&["audit", "verify"], "").done().starts_with("whole: "), "nothing in it tells");
    let said = visit.world.say(&verify, "");
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("NOT WHOLE") && said.err.contains("the last ones are missing"), "{}", said.err);

    std::fs::write(&file, checkpoint.replace(r#""n":"#, r#""n":1"#)).unwrap();
    let said = visit.world.say(&verify, "");
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("was not signed by this server"), "{}", said.err);
    std::fs::write(&file, &checkpoint[..checkpoint.len() / 2]).unwrap();
    assert!(visit.world.say(&verify, "").err.contains("is no checkpoint"));
}
