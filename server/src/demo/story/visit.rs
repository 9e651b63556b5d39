//! The visits: what two people measure and write unknown to each other, and what becomes of it when all have synced.

use serde_json::{Value, json};
use sync_core::photo_bytes::carries_metadata;

use super::super::house::{self, TRACES, traces_in};
use super::super::stage::{Failed, Stage, check};
use super::super::wire::Trouble;
use super::{
    ANA, BEN, CASE, CLINICAL, Cast, FUNCTION, REASONING, list, number, record_with, shows_number, sync, tablet, text,
};

/// Why Ana's width stands.
const SETTLED_BECAUSE: &str = "Measured again between door face and stop, door at 90 degrees";

pub(super) async fn monday(stage: &mut Stage) -> Result<(), Failed> {
    let ana = tablet(stage, ANA, "2026-11-16T09:40:00Z");
    ana.key(&["measure", CASE, "bathroom-1/door-1", "door-clear-width", "71.2cm"]).await?;
    ana.does(&["text", CASE, "home", "summary", "Back bathroom is the one in use; the hall light does not work."])
        .await?;
    ana.key(&["entry", CASE, "clinical", "observation", CLINICAL]).await?;
    ana.set("clinical", "visit.carer-present", "no", &[]).await?;
    let findings = ana.does(&["findings", CASE]).await?.to_string();
    check(findings.contains("Why no carer was present"), "nobody asked why no carer was present")?;
    ana.set("clinical", "visit.carer-absent-reason", "At work until six", &[]).await?;
    stage.wire(ANA)?.suffers(Trouble::DeadSpot);
    let unsent =
        ana.tries(&["sync"]).await?.map_or_else(|problem| text(&problem["title"]), |report| report.to_string());
    check(unsent == "offline", format!("in a dead spot, the tablet says of its sync: {unsent}"))?;
    let status = ana.does(&["open", CASE]).await?.to_string();
    check(status.contains("on-this-device"), "the tablet says that unsent work is elsewhere")?;
    stage.tell(
        "Monday",
        "Ana measures the bathroom door in a dead spot: 712 mm. She can't sync; her tablet says: on this device only.",
    );
    Ok(())
}

pub(super) async fn tuesday(stage: &mut Stage) -> Result<Cast, Failed> {
    stage.wire(BEN)?.suffers(Trouble::DeadSpot);
    let ben = tablet(stage, BEN, "2026-11-17T14:05:00Z");
    for (name, picture) in [("door.jpg", house::door()?), ("stairs.jpg", house::stairs()?)] {
        let traces = traces_in(&picture).len();
        check(carries_metadata(&picture) && traces == TRACES, "the sample carries no position to remove")?;
        std::fs::write(stage.file(name), picture)?;
    }
    let photo = |name: &str| stage.file(name).to_string_lossy().into_owned();
    let (door, stairs) = (photo("door.jpg"), photo("stairs.jpg"));
    let share = ["--subject", "feature", "--consent", "--share", "housing"];
    let take = |file: &str, place: &str| {
        let mut args = vec!["photo".to_owned(), CASE.to_owned(), "home".to_owned(), file.to_owned()];
        args.extend(["--place".to_owned(), place.to_owned()]);
        args.extend(share.map(str::to_owned));
        args
    };
    let args = take(&door, "bathroom-1/door-1");
    let door = ben.key(&args.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let args = take(&stairs, "stairs-1");
    let stairs = ben.key(&args.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    ben.key(&["measure", CASE, "bathroom-1/door-1", "door-clear-width", "737", "--photo", &door]).await?;
    let width = ben
        .key(&["measure", CASE, "stairs-1", "stair-clear-width", "760", "--method", "laser", "--photo", &stairs])
        .await?;
    let height = ben.key(&["measure", CASE, "bathroom-1/toilet-1", "wc-seat-height", "430"]).await?;
    ben.does(&["text", CASE, "home", "summary", "Stairs turn left at the top. Parking for one van at the front."])
        .await?;
    ben.key(&["entry", CASE, "clinical", "function", FUNCTION]).await?;
    ben.set("clinical", "person.weight", "118", &[]).await?;
    stage.tell(
        "Tuesday",
        "Ben measures the same door as 737 mm and the stairs, photographs both, writes his own entry and the summary.",
    );

    let lift = ben.does(&["prescribe", CASE, "stairlift"]).await?;
    let rails = ben.does(&["prescribe", CASE, "grab-rail", "grab-rail"]).await?;
    let document = |said: &Value| said["document"].as_str().unwrap_or_default().to_owned();
    let item = |said: &Value, at: usize| said["items"][at].as_str().unwrap_or_default().to_owned();
    let (stairlift, lift) = (document(&lift), item(&lift, 0));
    let width = format!("home/{width}");
    for (field, value) in [
        ("prescription.route", "dfg"),
        ("prescription.need", "To reach the bedroom and bathroom upstairs without climbing"),
        ("prescription.urgency", "urgent"),
    ] {
        ben.set(&stairlift, field, value, &[]).await?;
    }
    ben.set(&stairlift, "item.purposes", "d,e", &["--item", &lift]).await?;
    ben.set(&stairlift, "item.required-load", "100", &["--item", &lift]).await?;
    ben.set(&stairlift, "stairlift.stair-clear-width", "760", &["--item", &lift, "--min", "--cites", &width]).await?;
    ben.does(&["text", CASE, &stairlift, "reasoning", REASONING]).await?;
    let refused = ben.tries(&["submit", CASE, &stairlift]).await?;
    let said = refused.map_or_else(|problem| problem.to_string(), |_| String::new());
    check(said.contains("100 kg is under the client's weight of 118 kg"), format!("the load was let through: {said}"))?;
    let findings = ben.does(&["findings", CASE]).await?.to_string();
    check(findings.contains("100 kg is under"), format!("the load is no finding: {findings}"))?;
    ben.set(&stairlift, "item.required-load", "135", &["--item", &lift]).await?;
    let findings = ben.does(&["findings", CASE]).await?.to_string();
    check(!findings.contains("is under the client's weight"), format!("the load was mended: {findings}"))?;
    stage.tell(
        "Tuesday",
        "His stairlift's load (100 kg) is under the client's weight (118 kg): a finding, and he mends it to 135 kg.",
    );

    let (document, rail) = (document(&rails), [item(&rails, 0), item(&rails, 1)]);
    let cite = format!("home/{height}");
    for (field, value) in [
        ("prescription.route", "minor"),
        ("prescription.need", "To stand up from the WC"),
        ("prescription.urgency", "non-urgent"),
    ] {
        ben.set(&document, field, value, &[]).await?;
    }
    for rail in &rail {
        ben.set(&document, "grab-rail.height", "680", &["--item", rail, "--exact", "--cites", &cite]).await?;
        ben.set(&document, "grab-rail.length", "450", &["--item", rail, "--within", "20"]).await?;
        ben.set(&document, "item.required-load", "135", &["--item", rail]).await?;
    }
    ben.does(&["submit", CASE, &stairlift]).await?;
    ben.does(&["submit", CASE, &document]).await?;
    check(ben.tries(&["sync"]).await?.is_err(), "there is a signal where Ben prescribes")?;
    stage.tell(
        "Tuesday",
        "He prescribes a stairlift (dfg) and two rails (minor), citing his readings, and submits both, offline.",
    );
    let case = text(&ben.does(&["open", CASE]).await?["card"]["case"]);
    Ok(Cast { case, stairlift, rails: document, lift, height })
}

/// What the council's server holds of the case, as those may read it who ask.
async fn at_the_office(stage: &Stage, cast: &Cast) -> Result<Value, Failed> {
    let (ben, grace) = (stage.sign_in("ben.private").await?, stage.sign_in("grace.senior").await?);
    let mut held = Vec::new();
    for (who, path) in [
        (&ben, format!("/v1/prescriptions/{}", cast.stairlift)),
        (&ben, format!("/v1/prescriptions/{}", cast.rails)),
        (&grace, format!("/v1/cases/{}", cast.case)),
        (&grace, "/v1/prescriptions".to_owned()),
        (&grace, "/v1/quarantine".to_owned()),
    ] {
        let (status, answer) = stage.call("GET", &path, Some(who), None).await?;
        check(status == 200, format!("{path}: {status} {answer}"))?;
        held.push(answer);
    }
    Ok(Value::Array(held))
}

pub(super) async fn thursday(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-19T17:00:00Z";
    for (trouble, how) in [(Trouble::CutAfter(1_500), "was cut"), (Trouble::ReplyLost, "lost its reply")] {
        stage.wire(BEN)?.suffers(trouble);
        let ben = tablet(stage, BEN, CLOCK);
        let failed = ben.tries(&["sync"]).await?.is_err() && stage.wire(BEN)?.is_well();
        check(failed, format!("a connection that {how} was taken for a sync"))?;
        let waits = ben.does(&["open", CASE]).await?.to_string();
        check(waits.contains("on-this-device"), "a device says sent of what it has no receipt for")?;
    }
    // The request whose reply was lost has arrived, so the next sync brings the same once more.
    let versions = |held: &Value| json!([held[0]["heads"], held[1]["heads"], held[2]["documents"], held[4]]);
    let arrived = versions(&at_the_office(stage, cast).await?);
    let ben = sync(stage, BEN, CLOCK, "Ben's phone, the week's work and two photos").await?;
    check(number(&ben["receipted"]) > 0 && list(&ben["refused"]).is_empty(), format!("Ben's sync: {ben}"))?;
    check(number(&ben["photos_sent"]) == 2, format!("Ben's photos: {ben}"))?;
    let held = at_the_office(stage, cast).await?;
    check(versions(&held) == arrived, format!("what came twice was taken twice: {arrived}, then {held}"))?;
    let ben = tablet(stage, BEN, CLOCK);
    let (shown, status) = (ben.everything().await?, ben.does(&["status"]).await?);
    let granted = list(&status["asked"]).iter().filter(|asked| asked["verdict"]["answer"] == "granted").count();
    check(granted == 2, format!("of two submissions, {granted} were granted: {status}"))?;

    let twice = sync(stage, BEN, CLOCK, "Ben's phone, again").await?;
    let sent = number(&twice["receipted"]) + number(&twice["photos_sent"]) + number(&twice["granted"]);
    check(sent == 0, format!("a second sync sent: {twice}"))?;
    let ben = tablet(stage, BEN, CLOCK);
    check(at_the_office(stage, cast).await? == held, "a second sync changed what the server holds")?;
    // Its card brings the news that its photos have arrived; of the documents not a head may move.
    let again = ben.everything().await?;
    let same = ["documents", "findings", "clashes"].iter().all(|part| again[part] == shown[part]);
    check(same, "a second sync changed what the device shows")?;
    let receipts = &ben.does(&["status"]).await?["receipts"];
    check(*receipts == status["receipts"] && !list(receipts).is_empty(), "a second sync changed the receipts")?;
    stage.tell(
        "Thursday",
        "Ben's later work arrives first: once cut in the middle, once with the answer lost, so that it comes twice, and \
         once more for nothing. Nothing is lost, nothing doubled.",
    );

    check(!shows_number(&shown, 712) && shows_number(&shown, 737), "Ana's Monday came before Ben's Tuesday")?;
    stage.wire(ANA)?.has_signal();
    sync(stage, ANA, CLOCK, "Ana's tablet, Monday's work").await?;
    sync(stage, BEN, CLOCK, "Ben's phone, Ana's news").await?;
    for store in [ANA, BEN] {
        let clashes = tablet(stage, store, CLOCK).does(&["clashes", CASE]).await?.to_string();
        let both = ["712 mm", "737 mm", "Ana Osei", "Ben Carter"].iter().all(|said| clashes.contains(said));
        check(both, format!("{store} does not see both widths and whose they are: {clashes}"))?;
    }
    stage.tell("Thursday", "Both see both door widths, 712 and 737 mm, each with who and when: a clash, not a winner.");
    Ok(())
}

pub(super) async fn settled(stage: &mut Stage) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-19T17:05:00Z";
    let ana = tablet(stage, ANA, CLOCK);
    let clashes = ana.does(&["clashes", CASE]).await?;
    let values = list(&clashes).iter().flat_map(|clash| list(&clash["values"]));
    let mine = values.filter(|value| value["number"] == 712).map(|value| text(&value["key"])).next();
    ana.key(&["settle", CASE, &mine.unwrap_or_default(), "--reason", SETTLED_BECAUSE]).await?;
    check(list(&ana.does(&["clashes", CASE]).await?).is_empty(), "the clash is still open")?;
    let home = ana.does(&["show", CASE, "home"]).await?.to_string();
    check(home.contains("hall light does not work") && home.contains("Parking for one van"), "the summary lost words")?;
    let findings = ana.does(&["findings", CASE]).await?.to_string();
    check(findings.contains("written by two people at once"), format!("nobody asked to read the summary: {findings}"))?;
    ana.does(&["text", CASE, "home", "summary", "--read"]).await?;
    let findings = ana.does(&["findings", CASE]).await?.to_string();
    check(!findings.contains("written by two people at once"), "the summary was read and is still asked for")?;
    stage.tell(
        "Thursday",
        "Ana settles it by name with a reason. The summary holds both people's words; a finding asked her to read it.",
    );

    sync(stage, ANA, CLOCK, "Ana's tablet, the settlement").await?;
    sync(stage, BEN, CLOCK, "Ben's phone, the settlement").await?;
    let (ana, ben) = (tablet(stage, ANA, CLOCK), tablet(stage, BEN, CLOCK));
    check(list(&ben.does(&["clashes", CASE]).await?).is_empty(), "Ben still sees the clash")?;
    let home = ben.does(&["show", CASE, "home"]).await?;
    let settled = record_with(&home, "settlement").unwrap_or(&Value::Null);
    let told = settled["name"] == "Ana Osei" && settled["body"]["settlement"]["reason"] == SETTLED_BECAUSE;
    check(told, format!("Ben is not told who settled it and why: {settled}"))?;
    check(ana.does(&["show", CASE, "home"]).await? == home, "with the same changes, Ana and Ben see different homes")?;
    stage.tell("Thursday", "Ben's phone tells who settled it and why; his and Ana's homes are equal to the last word.");
    Ok(())
}

pub(super) async fn photos_arrived(stage: &Stage, cast: &Cast) -> Result<(), Failed> {
    let ben = tablet(stage, BEN, "2026-11-19T17:10:00Z");
    let home = ben.does(&["show", CASE, "home"]).await?;
    let open = ben.does(&["open", CASE]).await?;
    let document = list(&open["documents"]).iter().find(|document| document["kind"] == "home");
    let document = document.map(|home| text(&home["document"])).unwrap_or_default();
    let hashes = list(&home["records"]).iter().filter_map(|record| record["hash"].as_str());
    let grace = stage.sign_in("grace.senior").await?;
    let left_the_phone = stage.wire(BEN)?.heard();
    let mut arrived = 0;
    for hash in hashes {
        let path = format!("/v1/photos/{}/{document}/{hash}", cast.case);
        let (status, photo) = stage.fetch("GET", &path, Some(&grace), None).await?;
        check(status == 200, format!("the photo {hash}: {status}"))?;
        let traces = traces_in(&photo);
        check(traces.is_empty() && !carries_metadata(&photo), format!("a photo arrived with {}", traces.join(", ")))?;
        check(left_the_phone.holds(&photo), "the search is blind: it does not find a photo that was sent")?;
        arrived += 1;
    }
    check(arrived == 2, format!("{arrived} of two photos arrived"))?;
    let traces = traces_in(left_the_phone.bytes());
    check(traces.is_empty(), format!("Ben's phone sent {}", traces.join(", ")))?;
    stage.tell(
        "Thursday",
        "Both photos arrived; the position of the home, which was in them as EXIF and XMP, never left Ben's phone.",
    );
    Ok(())
}
