//! The council's part: signing off, recalling, proving, and the end of a commission.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sync_core::device::{Shelf, Store, Unlock};
use zeroize::Zeroizing;

use super::super::stage::{Failed, PASSWORD, Stage, check};
use super::super::wire::Trouble;
use super::{ANA, BEN, CASE, Cast, GROUNDS, SUE, list, of_document, shows_number, sync, tablet};

pub(super) async fn sign_off(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-20T09:00:00Z";
    let ben = stage.sign_in("ben.private").await?;
    let grace = stage.sign_in("grace.senior").await?;
    let path = format!("/v1/prescriptions/{}", cast.stairlift);
    let (_, shown) = stage.call("GET", &path, Some(&grace), None).await?;
    // Exactly what the signer was shown: the version, and what it rests on.
    let signing = |shown: &Value| {
        json!({ "case": cast.case, "ask": "sign_off", "document": shown["document"], "heads": shown["heads"],
                "basis": shown["basis"], "grounds": GROUNDS, "conditions": ["Site meeting with the OT"] })
    };
    let (status, answer) = stage.ask(&ben, signing(&shown)).await?;
    let refused = answer["verdict"]["answer"]["refused"] == "not_allowed";
    check(status == 409 && refused, format!("the private OT's own sign-off: {status} {answer}"))?;
    stage.tell("Friday", "Ben tries to sign off his own prescription: refused. No private OT signs any.");

    let (_, queue) = stage.call("GET", "/v1/prescriptions", Some(&grace), None).await?;
    check(list(&queue).len() == 2, format!("the queue shows {queue}"))?;
    let reasons = json!([{ "item": cast.lift, "field": "stairlift.side", "text": "Which side of the stairs?" }]);
    let ask = json!({ "case": cast.case, "ask": "return", "document": cast.stairlift, "heads": shown["heads"],
                      "reasons": reasons });
    let (status, answer) = stage.ask(&grace, ask).await?;
    check(status == 200, format!("the return: {status} {answer}"))?;
    sync(stage, BEN, CLOCK, "Ben's phone, a return").await?;
    let device = tablet(stage, BEN, CLOCK);
    let returned = device.prescription(&cast.stairlift).await?.to_string();
    check(returned.contains("Which side of the stairs?"), format!("Ben was not told why: {returned}"))?;
    stage.wire(BEN)?.suffers(Trouble::DeadSpot);
    let device = tablet(stage, BEN, CLOCK);
    device.set(&cast.stairlift, "stairlift.side", "left", &["--item", &cast.lift]).await?;
    device.does(&["submit", CASE, &cast.stairlift]).await?;
    check(device.tries(&["sync"]).await?.is_err(), "there is a signal where Ben amends")?;
    stage.wire(BEN)?.has_signal();
    sync(stage, BEN, CLOCK, "Ben's phone, the amended stairlift").await?;
    let (status, answer) = stage.ask(&grace, signing(&shown)).await?;
    check(status == 409, format!("a signature on a version that has moved: {status} {answer}"))?;
    for document in [&cast.stairlift, &cast.rails] {
        let (_, shown) = stage.call("GET", &format!("/v1/prescriptions/{document}"), Some(&grace), None).await?;
        let (status, answer) = stage.ask(&grace, signing(&shown)).await?;
        check(status == 200, format!("the sign-off of {document}: {status} {answer}"))?;
    }
    sync(stage, BEN, CLOCK, "Ben's phone, both signed").await?;
    for document in [&cast.stairlift, &cast.rails] {
        let card = tablet(stage, BEN, CLOCK).prescription(document).await?;
        check(card["standing"]["standing"] == "current", format!("Ben is not told that it was signed: {card}"))?;
    }
    stage.tell("Friday", "Grace (senior OT) returns the stairlift with a reason; Ben amends it offline; she signs both, exactly what she read.");
    Ok(())
}

/// The evidence pack of a prescription's first signed version, as the API gives it.
async fn evidence_pack(stage: &Stage, document: &str) -> Result<Vec<u8>, Failed> {
    let grace = stage.sign_in("grace.senior").await?;
    let path = format!("/v1/prescriptions/{document}/versions/1");
    let (status, pack) = stage.fetch("GET", &path, Some(&grace), None).await?;
    check(status == 200, format!("the evidence: {status}"))?;
    Ok(pack)
}

pub(super) async fn changed_since(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-24T09:00:00Z";
    let pack = evidence_pack(stage, &cast.rails).await?;
    let mut before = BTreeMap::new();
    for store in [BEN, SUE] {
        let card = tablet(stage, store, CLOCK).prescription(&cast.rails).await?;
        check(card["changed_since"] == false && !card["signed"].is_null(), format!("{store} has before: {card}"))?;
        before.insert(store, card);
    }
    tablet(stage, ANA, CLOCK).key(&["measure", CASE, "bathroom-1/toilet-1", "wc-seat-height", "480"]).await?;
    sync(stage, ANA, CLOCK, "Ana's tablet, a later reading").await?;
    for (store, what) in [(BEN, "Ben's phone, changed since sign-off"), (SUE, "Sue's tablet, changed since sign-off")] {
        sync(stage, store, CLOCK, what).await?;
        let card = tablet(stage, store, CLOCK).prescription(&cast.rails).await?;
        check(card["changed_since"] == true, format!("{store} does not see that it changed: {card}"))?;
        check(card["signed"] == before[store]["signed"], "the signed version reads otherwise than before")?;
    }
    let grace = stage.sign_in("grace.senior").await?;
    let (_, card) = stage.call("GET", &format!("/v1/cases/{}", cast.case), Some(&grace), None).await?;
    let rails = of_document(&card["prescriptions"], &cast.rails);
    check(rails["changed_since"] == true, format!("Grace does not see that it changed: {rails}"))?;
    let same = evidence_pack(stage, &cast.rails).await? == pack;
    check(same, "the evidence of the signed version is not the same bytes as before")?;
    let lift = tablet(stage, SUE, CLOCK).prescription(&cast.stairlift).await?;
    check(lift["standing"]["standing"] == "current", format!("the stairlift stands no more: {lift}"))?;
    let said = format!(
        "A later reading behind a cited height (record {}): everyone sees “changed since sign-off”; the signed version \
         is the same to the byte.",
        cast.height
    );
    stage.tell("Tuesday", &said);
    Ok(())
}

pub(super) async fn recalled(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-24T12:00:00Z";
    let grace = stage.sign_in("grace.senior").await?;
    let ask = json!({ "case": cast.case, "ask": "recall", "document": cast.rails, "number": 1,
                      "reason": "Seat height was measured again" });
    let (status, answer) = stage.ask(&grace, ask).await?;
    check(status == 200, format!("the recall: {status} {answer}"))?;
    sync(stage, SUE, CLOCK, "Sue's tablet, the recall").await?;
    let sue = tablet(stage, SUE, CLOCK);
    let rails = sue.prescription(&cast.rails).await?;
    check(rails["signed"].is_null() && rails["standing"]["standing"] == "recalled", format!("Sue still has: {rails}"))?;
    let everything = sue.does(&["open", CASE]).await?.to_string();
    check(!everything.contains("grab-rail.height"), "the recalled specification is still on the surveyor's tablet")?;
    stage.tell("Tuesday", "Grace recalls the rails; Sue's next contact withdraws them from her tablet.");
    Ok(())
}

pub(super) async fn evidence(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    let pack = evidence_pack(stage, &cast.stairlift).await?;
    let key = stage.admin(&["keys", "public"]).await?;
    let whole = stage.file("stairlift.json");
    std::fs::write(&whole, &pack)?;
    let whole = whole.to_string_lossy().into_owned();
    let verified = stage.grabrail(&["verify", &whole, "--key", &key]).await?;
    check(verified.code == 0, format!("the evidence does not verify: {}", verified.err))?;
    let unproven = stage.grabrail(&["verify", &whole]).await?;
    check(unproven.code == 2, format!("with no key, verify exits {}", unproven.code))?;
    let at = pack.windows(5).position(|window| window == b"\"left").map(|at| at + 1);
    let Some(at) = at else { return Err(Failed::Check("the evidence does not hold the field to flip".to_owned())) };
    let mut flipped = pack;
    flipped[at] ^= 1;
    let altered = stage.file("stairlift-flipped.json");
    std::fs::write(&altered, &flipped)?;
    let named = stage.grabrail(&["verify", &altered.to_string_lossy(), "--key", &key]).await?;
    let names = named.err.contains("stairlift.side");
    check(named.code == 1 && names, format!("the flipped byte: exit {}, {}", named.code, named.err))?;
    stage.tell(
        "Wednesday",
        "The evidence pack verifies with the council's public key; with one byte flipped, verify names the field.",
    );
    Ok(())
}

/// How many rows of cases a device's store has, by what they are, and at the end how many receipts.
async fn rows(stage: &Stage, store: &str) -> Result<[u64; 8], Failed> {
    use Shelf::{Card, Change, Document, Outbox, Photo, PhotoBytes, ReadLog, Receipt};
    let store = Store::open(&stage.file(store), &Unlock::Passphrase(Zeroizing::new(PASSWORD.to_owned()))).await?;
    let mut rows = [0; 8];
    for (rows, shelf) in rows.iter_mut().zip([Card, Change, Document, Photo, PhotoBytes, Outbox, ReadLog, Receipt]) {
        *rows = store.count(shelf).await?;
    }
    store.close().await?;
    Ok(rows)
}

pub(super) async fn commission_ends(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-26T08:00:00Z";
    let receipts = tablet(stage, BEN, CLOCK).does(&["status"]).await?["receipts"].clone();
    stage.admin(&["case", "end", CASE, "ben.private", "commissioned"]).await?;
    let ben = tablet(stage, BEN, CLOCK);
    ben.key(&["measure", CASE, "bathroom-1/toilet-1", "wc-seat-height", "431"]).await?;
    let [card, change, document, photo, photo_bytes, outbox, ..] = rows(stage, BEN).await?;
    let all_there = [card, change, document, photo, photo_bytes, outbox].iter().all(|rows| *rows > 0);
    check(all_there, "the count is blind: it does not find the case on Ben's phone before the end")?;
    let report = sync(stage, BEN, CLOCK, "Ben's phone, after the end").await?;
    check(!list(&report["purged"]).is_empty(), format!("Ben's phone was not purged: {report}"))?;
    sync(stage, BEN, CLOCK, "Ben's phone, purged").await?;
    let ben = tablet(stage, BEN, CLOCK);
    let cases = ben.does(&["cases"]).await?;
    check(list(&cases).is_empty(), format!("Ben's phone still holds: {cases}"))?;
    check(ben.tries(&["open", CASE]).await?.is_err(), "Ben's phone still opens the case")?;
    let status = ben.does(&["status"]).await?;
    let said = status.to_string();
    check(!said.contains("Elsie") && !said.contains("Mill Lane"), "Ben's phone still knows the client")?;
    let [of_the_case @ .., proofs] = rows(stage, BEN).await?;
    check(of_the_case == [0; 7], format!("Ben's phone still holds rows of the case: {of_the_case:?}"))?;
    let kept = list(&status["receipts"]);
    let all = kept.starts_with(list(&receipts)) && kept.len() as u64 == proofs;
    check(all, format!("Ben had the receipts {receipts}, and has {}", status["receipts"]))?;
    for document in [&cast.stairlift, &cast.rails] {
        let named = kept.iter().any(|receipt| receipt["documents"].to_string().contains(document.as_str()));
        check(named, format!("no receipt proves that the server took {document}"))?;
    }
    let grace = stage.sign_in("grace.senior").await?;
    let (_, quarantine) = stage.call("GET", "/v1/quarantine", Some(&grace), None).await?;
    let late = list(&quarantine).iter().any(|row| row["case"] == json!(cast.case) && row["name"] == "Ben Carter");
    check(late, format!("the late edit is not in quarantine: {quarantine}"))?;
    sync(stage, ANA, CLOCK, "Ana's tablet, after the end").await?;
    let home = tablet(stage, ANA, CLOCK).does(&["show", CASE, "home"]).await?;
    check(shows_number(&home, 430) && !shows_number(&home, 431), "the late edit is in the home")?;
    let said = format!(
        "The commission ends: Ben's phone holds nothing of the case but his {proofs} receipts; what he wrote too late \
         waits in quarantine."
    );
    stage.tell("Thursday", &said);
    Ok(())
}
