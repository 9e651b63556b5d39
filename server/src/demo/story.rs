//! The story: a bathroom measured on Monday in a dead spot, built from by nobody before the council has signed.

use serde_json::{Value, json};
use sync_core::photo_bytes::carries_metadata;

use super::house;
use super::stage::{Failed, Stage, check};
use super::wire::inflated;

const ANA: &str = "ana.store";
const BEN: &str = "ben.store";
const SUE: &str = "sue.store";
const CASE: &str = "W-1001";

/// Words of the client's health and of the private OT's reasons: none may reach Housing.
const CLINICAL: &str = "Progressive multiple sclerosis, tires by noon";
const REASONING: &str = "She fell twice on these stairs in October";

/// A person with a device.
struct Tablet<'a> {
    stage: &'a Stage,
    store: &'static str,
    clock: &'static str,
}

impl Tablet<'_> {
    async fn tries(&self, args: &[&str]) -> Result<Result<Value, Value>, Failed> {
        self.stage.field(self.store, self.clock, args).await
    }

    async fn does(&self, args: &[&str]) -> Result<Value, Failed> {
        self.tries(args).await?.map_err(|problem| {
            Failed::Check(format!("{}: {} was refused: {}", self.store, args.join(" "), problem["detail"]))
        })
    }

    async fn key(&self, args: &[&str]) -> Result<String, Failed> {
        let said = self.does(args).await?;
        let key = said["key"].as_str().map(str::to_owned);
        key.ok_or_else(|| Failed::Check(format!("{} gave no key: {said}", args.join(" "))))
    }

    async fn set(&self, document: &str, field: &str, value: &str, more: &[&str]) -> Result<(), Failed> {
        let mut args = vec!["set", CASE, document, field, value];
        args.extend(more);
        self.does(&args).await.map(|_| ())
    }
}

const fn tablet<'a>(stage: &'a Stage, store: &'static str, clock: &'static str) -> Tablet<'a> {
    Tablet { stage, store, clock }
}

async fn sync(stage: &mut Stage, store: &'static str, clock: &'static str, what: &str) -> Result<Value, Failed> {
    let report = tablet(stage, store, clock).does(&["sync"]).await?;
    stage.syncs.push((what.to_owned(), report.clone()));
    Ok(report)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What a device says of the case's prescriptions, by the item's kind where it is signed, else in order.
async fn prescriptions(device: &Tablet<'_>) -> Result<Vec<Value>, Failed> {
    Ok(list(&device.does(&["open", CASE]).await?["card"]["prescriptions"]).to_vec())
}

async fn prescription(device: &Tablet<'_>, document: &str) -> Result<Value, Failed> {
    let all = prescriptions(device).await?;
    Ok(all.into_iter().find(|card| card["document"] == document).unwrap_or(Value::Null))
}

/// The ids that the story goes on with.
struct Cast {
    case: String,
    stairlift: String,
    rails: String,
    lift: String,
    height: String,
}

pub(super) async fn play(stage: &mut Stage) -> Result<(), Failed> {
    stage.say("A home visit, from a device with no signal to the surveyor's desk. All people are fictional.\n");
    set_up(stage).await?;
    monday(stage).await?;
    let cast = tuesday(stage).await?;
    thursday(stage).await?;
    photos_arrived(stage).await?;
    sign_off(stage, &cast).await?;
    surveyor(stage, &cast).await?;
    changed_since(stage, &cast).await?;
    recalled(stage, &cast).await?;
    evidence(stage, &cast).await?;
    commission_ends(stage, &cast).await?;
    figures(stage);
    Ok(())
}

async fn set_up(stage: &mut Stage) -> Result<(), Failed> {
    stage.admin(&["organisation", "add", "Carter Occupational Therapy Ltd"]).await?;
    let people: [(&str, &str, &str, &[&str]); 5] = [
        ("ida.admin", "Ida Brook", "administrator", &[]),
        ("ana.ot", "Ana Osei", "ot", &["--hcpc", "OT20101"]),
        ("grace.senior", "Grace Lin", "senior_ot", &["--hcpc", "OT11887"]),
        ("sue.surveyor", "Sue Patel", "surveyor", &[]),
        ("ben.private", "Ben Carter", "private_ot", &["--hcpc", "OT30455"]),
    ];
    for (sign_in, name, role, more) in people {
        let mut args = vec!["account", "add", sign_in, "--name", name, "--role", role];
        args.extend(more);
        if role == "private_ot" {
            args.extend(["--organisation", "Carter Occupational Therapy Ltd"]);
        }
        stage.admin(&args).await?;
    }
    let referrals = stage.file("referrals.csv");
    let mut csv = "reference,name,address,contact,visitor_risk,born,nhs_number,allocated_to\n".to_owned();
    csv += "W-1001,Elsie Marsh,\"4 Mill Lane, Wenbury\",\"07700 900123, ring twice\",dog in the kitchen,1948-03-09,9434765919,ana.ot\n";
    for other in 2..=12 {
        csv += &format!("W-10{other:02},Fictional Client {other},\"{other} Station Road, Wenbury\",,,,,ana.ot\n");
    }
    std::fs::write(&referrals, csv)?;
    let file = referrals.to_string_lossy().into_owned();
    let dry = stage.admin(&["case", "import", &file, "--dry-run"]).await?;
    check(dry.starts_with("12 would be opened"), format!("the dry run said: {dry}"))?;
    stage.admin(&["case", "import", &file]).await?;
    let again = stage.admin(&["case", "import", &file]).await?;
    check(again == "0 opened, 0 changed, 12 as before", format!("the second import said: {again}"))?;
    stage.tell("Friday", "The office imports 12 referrals; importing the same file again adds nothing.");
    stage.admin(&["case", "commission", CASE, "ben.private", "--ends", "2099-12-31T23:59:59Z"]).await?;
    stage.admin(&["case", "assign", CASE, "sue.surveyor"]).await?;
    for (store, sign_in, name) in
        [(ANA, "ana.ot", "Ana's tablet"), (BEN, "ben.private", "Ben's phone"), (SUE, "sue.surveyor", "Sue's tablet")]
    {
        let text = stage.admin(&["device", "code", sign_in, "--public-url", &stage.wire.url()]).await?;
        tablet(stage, store, "2026-11-13T15:00:00Z").does(&["enrol", &text, "--name", name]).await?;
        let again = tablet(stage, "thief.store", "2026-11-13T15:00:00Z").tries(&["enrol", &text]).await?;
        check(again.is_err(), "an enrolment code was good twice")?;
        let began = stage.elapsed();
        sync(stage, store, "2026-11-13T15:01:00Z", "").await?;
        let took = stage.elapsed().saturating_sub(began);
        if let Some((what, _)) = stage.syncs.last_mut() {
            *what = format!("{name}, first sync ({took} ms with the process's start)");
        }
    }
    stage.tell(
        "Friday",
        "Ana (council OT), Ben (private OT, commissioned) and Sue (surveyor) enrol their devices, each code once.",
    );
    Ok(())
}

async fn monday(stage: &mut Stage) -> Result<(), Failed> {
    let ana = tablet(stage, ANA, "2026-11-16T09:40:00Z");
    ana.key(&["measure", CASE, "bathroom-1/door-1", "door-clear-width", "71.2cm"]).await?;
    ana.does(&["text", CASE, "home", "summary", "Back bathroom is the one in use; the hall light does not work."])
        .await?;
    ana.key(&["entry", CASE, "clinical", "observation", CLINICAL]).await?;
    ana.set("clinical", "visit.carer-present", "no", &[]).await?;
    let findings = ana.does(&["findings", CASE]).await?.to_string();
    check(findings.contains("Why no carer was present"), "nobody asked why no carer was present")?;
    ana.set("clinical", "visit.carer-absent-reason", "At work until six", &[]).await?;
    let status = ana.does(&["open", CASE]).await?.to_string();
    check(status.contains("on-this-device"), "the tablet says that unsent work is elsewhere")?;
    stage
        .tell("Monday", "Ana measures the bathroom door in a dead spot: 712 mm. Her tablet says: on this device only.");
    Ok(())
}

async fn tuesday(stage: &mut Stage) -> Result<Cast, Failed> {
    let ben = tablet(stage, BEN, "2026-11-17T14:05:00Z");
    for (name, picture) in [("door.jpg", house::door()?), ("stairs.jpg", house::stairs()?)] {
        check(carries_metadata(&picture), "the sample carries no position to remove")?;
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
    ben.key(&["entry", CASE, "clinical", "function", "Climbs on hands and knees; daughter stands behind her."]).await?;
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
    ben.set(&stairlift, "item.required-load", "135", &["--item", &lift]).await?;
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
    stage.tell(
        "Tuesday",
        "He prescribes a stairlift (dfg) and two rails (minor), citing his readings, and submits both, offline.",
    );
    let card = ben.does(&["open", CASE]).await?;
    let case = card["card"]["case"].as_str().unwrap_or_default().to_owned();
    Ok(Cast { case, stairlift, rails: document, lift, height })
}

async fn thursday(stage: &mut Stage) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-19T17:00:00Z";
    stage.wire.cut_next_after(1_500);
    let cut = tablet(stage, BEN, CLOCK).tries(&["sync"]).await?;
    check(cut.is_err() && stage.wire.was_cut(), "the cut connection was taken for a sync")?;
    let waits = tablet(stage, BEN, CLOCK).does(&["open", CASE]).await?.to_string();
    check(waits.contains("on-this-device"), "a device says sent of what the server does not have")?;
    let ben = sync(stage, BEN, CLOCK, "Ben's phone, the week's work and two photos").await?;
    check(number(&ben["receipted"]) > 0 && list(&ben["refused"]).is_empty(), format!("Ben's sync: {ben}"))?;
    check(number(&ben["photos_sent"]) == 2, format!("Ben's photos: {ben}"))?;
    let twice = sync(stage, BEN, CLOCK, "Ben's phone, again").await?;
    check(
        number(&twice["receipted"]) == 0 && number(&twice["photos_sent"]) == 0,
        format!("a second sync sent: {twice}"),
    )?;
    stage.tell(
        "Thursday",
        "Ben syncs first: cut in the middle, then whole, then once more. Nothing is lost, nothing is doubled.",
    );
    sync(stage, ANA, CLOCK, "Ana's tablet, Monday's work").await?;
    sync(stage, BEN, CLOCK, "Ben's phone, Ana's news").await?;

    for store in [ANA, BEN] {
        let clashes = tablet(stage, store, CLOCK).does(&["clashes", CASE]).await?.to_string();
        check(
            clashes.contains("712") && clashes.contains("737"),
            format!("{store} does not see both widths: {clashes}"),
        )?;
    }
    stage.tell("Thursday", "Both see both door widths, 712 and 737 mm, each with who and when: a clash, not a winner.");
    let ana = tablet(stage, ANA, CLOCK);
    let clashes = ana.does(&["clashes", CASE]).await?;
    let values: Vec<&Value> = list(&clashes).iter().flat_map(|clash| list(&clash["values"])).collect();
    let mine = values.iter().find(|value| value.to_string().contains("712")).map(|value| value["key"].clone());
    let mine = mine.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    ana.key(&["settle", CASE, &mine, "--reason", "Measured again between door face and stop, door at 90 degrees"])
        .await?;
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
    check(list(&tablet(stage, BEN, CLOCK).does(&["clashes", CASE]).await?).is_empty(), "Ben still sees the clash")
}

async fn photos_arrived(stage: &Stage) -> Result<(), Failed> {
    let ben = tablet(stage, BEN, "2026-11-19T17:10:00Z");
    let home = ben.does(&["open", CASE]).await?;
    let case = home["card"]["case"].as_str().unwrap_or_default().to_owned();
    let documents = list(&home["documents"]);
    let home = documents.iter().find(|document| document["kind"] == "home").map(|home| home["document"].clone());
    let home = home.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    let view = ben.does(&["show", CASE, "home"]).await?.to_string();
    let hashes: Vec<&str> =
        view.split('"').filter(|word| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit())).collect();
    let grace = stage.sign_in("grace.senior").await?;
    let mut seen = 0;
    for hash in hashes {
        let path = format!("/v1/photos/{case}/{home}/{hash}");
        let (status, bytes) = stage.fetch("GET", &path, Some(&grace), None).await?;
        if status == 200 {
            seen += 1;
            let position = bytes.windows(house::GPS.len()).any(|window| window == house::GPS);
            check(!position && !carries_metadata(&bytes), "a photo arrived with the position of the home in it")?;
        }
    }
    check(seen >= 2, format!("{seen} of two photos arrived"))?;
    stage.tell("Thursday", "The photos arrived; the position that Ben's phone had written into them did not.");
    Ok(())
}

async fn sign_off(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-20T09:00:00Z";
    let ben = stage.sign_in("ben.private").await?;
    let grace = stage.sign_in("grace.senior").await?;
    let path = format!("/v1/prescriptions/{}", cast.stairlift);
    let (_, shown) = stage.call("GET", &path, Some(&grace), None).await?;
    let heads = shown["heads"].clone();
    let signing = |document: &str, heads: &Value| {
        json!({ "case": cast.case, "ask": "sign_off", "document": document, "heads": heads,
                "grounds": "Necessary and appropriate: seen with the family", "conditions": ["Site meeting with the OT"] })
    };
    let (status, answer) = stage.ask(&ben, signing(&cast.stairlift, &heads)).await?;
    check(status == 409, format!("the private OT's own sign-off: {status} {answer}"))?;
    stage.tell("Friday", "Ben tries to sign off his own prescription: refused. No private OT signs any.");

    let (_, queue) = stage.call("GET", "/v1/prescriptions", Some(&grace), None).await?;
    check(list(&queue).len() == 2, format!("the queue shows {queue}"))?;
    let reasons = json!([{ "item": cast.lift, "field": "stairlift.side", "text": "Which side of the stairs?" }]);
    let ask =
        json!({ "case": cast.case, "ask": "return", "document": cast.stairlift, "heads": heads, "reasons": reasons });
    let (status, answer) = stage.ask(&grace, ask).await?;
    check(status == 200, format!("the return: {status} {answer}"))?;
    sync(stage, BEN, CLOCK, "Ben's phone, a return").await?;
    let device = tablet(stage, BEN, CLOCK);
    let returned = prescription(&device, &cast.stairlift).await?.to_string();
    check(returned.contains("Which side of the stairs?"), format!("Ben was not told why: {returned}"))?;
    device.set(&cast.stairlift, "stairlift.side", "left", &["--item", &cast.lift]).await?;
    device.does(&["submit", CASE, &cast.stairlift]).await?;
    sync(stage, BEN, CLOCK, "Ben's phone, the amended stairlift").await?;
    let (status, answer) = stage.ask(&grace, signing(&cast.stairlift, &heads)).await?;
    check(status == 409, format!("a signature on a version that has moved: {status} {answer}"))?;
    for document in [&cast.stairlift, &cast.rails] {
        let (_, shown) = stage.call("GET", &format!("/v1/prescriptions/{document}"), Some(&grace), None).await?;
        let (status, answer) = stage.ask(&grace, signing(document, &shown["heads"])).await?;
        check(status == 200, format!("the sign-off of {document}: {status} {answer}"))?;
    }
    stage.tell("Friday", "Grace (senior OT) returns the stairlift with a reason; Ben amends it offline; she signs both, exactly what she read.");
    Ok(())
}

async fn surveyor(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-23T10:00:00Z";
    let ana = tablet(stage, ANA, CLOCK);
    ana.does(&["release", CASE, "--consent", "Mrs Marsh agreed at the visit, in writing"]).await?;
    sync(stage, ANA, CLOCK, "Ana's tablet, the release").await?;
    stage.wire.listen();
    sync(stage, SUE, CLOCK, "Sue's tablet, signed specifications and the released home").await?;
    let heard = inflated(&stage.wire.heard());
    let sue = tablet(stage, SUE, CLOCK);
    let open = sue.does(&["open", CASE]).await?;
    let home = sue.does(&["show", CASE, "home"]).await?.to_string();
    let everything = format!("{open}{home}");
    check(home.contains("712") && home.contains("760"), format!("the released home lacks its readings: {home}"))?;
    check(
        everything.contains("grab-rail.height") && everything.contains("stairlift.side"),
        "a signed specification is missing",
    )?;
    for secret in [CLINICAL, REASONING, "9434765919", "1948-03-09", "hands and knees", "seen with the family", "118"] {
        let bytes = secret.as_bytes();
        let travelled = secret.len() > 3 && heard.windows(bytes.len()).any(|window| window == bytes);
        check(!travelled, format!("{secret:?} travelled to the surveyor's device"))?;
        check(secret.len() <= 3 || !everything.contains(secret), format!("the surveyor reads {secret:?}"))?;
    }
    stage.tell("Monday", "Sue reads the signed specifications and the released home, offline on site: not one clinical byte, no justification.");

    let survey = sue.does(&["survey", CASE]).await?;
    let survey = survey["document"].as_str().unwrap_or_default().to_owned();
    sue.key(&["measure", CASE, "stairs-1", "stair-clear-width", "758", "--in", &survey]).await?;
    sue.key(&["remark", CASE, &survey, "Consumer unit has a spare way."]).await?;
    let thread = thread_of(&sue, &cast.stairlift).await?;
    let about = format!("{}/{}", cast.stairlift, cast.lift);
    let question = sue
        .key(&[
            "post",
            CASE,
            &thread,
            "May the rail start one step lower?",
            "--about",
            &about,
            "--field",
            "stairlift.side",
        ])
        .await?;
    sync(stage, SUE, CLOCK, "Sue's tablet, survey and question").await?;
    sync(stage, BEN, CLOCK, "Ben's phone, Sue's question").await?;
    let ben = tablet(stage, BEN, CLOCK);
    let asked = ben.does(&["show", CASE, &thread]).await?.to_string();
    check(asked.contains("one step lower"), "the question did not reach Ben")?;
    ben.key(&["post", CASE, &thread, "Yes, the park position stays as signed.", "--answers", &question]).await?;
    sync(stage, BEN, CLOCK, "Ben's phone, the answer").await?;
    sync(stage, SUE, CLOCK, "Sue's tablet, the answer").await?;
    let answered = tablet(stage, SUE, CLOCK).does(&["show", CASE, &thread]).await?.to_string();
    check(answered.contains("park position stays"), "the answer did not reach Sue")?;
    stage.tell("Monday", "Sue records a reading and a remark and asks a question about a signed field; Ben answers.");
    Ok(())
}

async fn thread_of(device: &Tablet<'_>, document: &str) -> Result<String, Failed> {
    let thread = prescription(device, document).await?["thread"].as_str().map(str::to_owned);
    thread.ok_or_else(|| Failed::Check("the signed prescription has no thread".to_owned()))
}

async fn changed_since(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-24T09:00:00Z";
    let before = prescription(&tablet(stage, SUE, CLOCK), &cast.rails).await?;
    tablet(stage, ANA, CLOCK).key(&["measure", CASE, "bathroom-1/toilet-1", "wc-seat-height", "480"]).await?;
    sync(stage, ANA, CLOCK, "Ana's tablet, a later reading").await?;
    for (store, what) in [(BEN, "Ben's phone, changed since sign-off"), (SUE, "Sue's tablet, changed since sign-off")] {
        sync(stage, store, CLOCK, what).await?;
        let card = prescription(&tablet(stage, store, CLOCK), &cast.rails).await?;
        check(card["changed_since"] == true, format!("{store} does not see that it changed: {card}"))?;
        check(store == BEN || card["signed"] == before["signed"], "the signed version reads otherwise than before")?;
    }
    let grace = stage.sign_in("grace.senior").await?;
    let (_, card) = stage.call("GET", &format!("/v1/cases/{}", cast.case), Some(&grace), None).await?;
    let rails = list(&card["prescriptions"]).iter().find(|card| card["document"] == json!(cast.rails)).cloned();
    check(rails.is_some_and(|card| card["changed_since"] == true), "Grace does not see that it changed")?;
    let lift = prescription(&tablet(stage, SUE, CLOCK), &cast.stairlift).await?;
    check(lift["standing"]["standing"] == "current", format!("the stairlift stands no more: {lift}"))?;
    let said = format!(
        "A later reading behind a cited height (record {}): everyone sees “changed since sign-off”; the signed version reads as before.",
        cast.height
    );
    stage.tell("Tuesday", &said);
    Ok(())
}

async fn recalled(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-24T12:00:00Z";
    let grace = stage.sign_in("grace.senior").await?;
    let ask = json!({ "case": cast.case, "ask": "recall", "document": cast.rails, "number": 1,
                      "reason": "Seat height was measured again" });
    let (status, answer) = stage.ask(&grace, ask).await?;
    check(status == 200, format!("the recall: {status} {answer}"))?;
    sync(stage, SUE, CLOCK, "Sue's tablet, the recall").await?;
    let sue = tablet(stage, SUE, CLOCK);
    let rails = prescription(&sue, &cast.rails).await?;
    check(rails["signed"].is_null() && rails["standing"]["standing"] == "recalled", format!("Sue still has: {rails}"))?;
    let everything = sue.does(&["open", CASE]).await?.to_string();
    check(!everything.contains("grab-rail.height"), "the recalled specification is still on the surveyor's tablet")?;
    stage.tell("Tuesday", "Grace recalls the rails; Sue's next contact withdraws them from her tablet.");
    Ok(())
}

async fn evidence(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    let grace = stage.sign_in("grace.senior").await?;
    let path = format!("/v1/prescriptions/{}/versions/1", cast.stairlift);
    let (status, pack) = stage.fetch("GET", &path, Some(&grace), None).await?;
    check(status == 200, format!("the evidence: {status}"))?;
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

async fn commission_ends(stage: &mut Stage, cast: &Cast) -> Result<(), Failed> {
    const CLOCK: &str = "2026-11-26T08:00:00Z";
    stage.admin(&["case", "end", CASE, "ben.private", "commissioned"]).await?;
    let ben = tablet(stage, BEN, CLOCK);
    ben.key(&["measure", CASE, "bathroom-1/toilet-1", "wc-seat-height", "431"]).await?;
    let report = sync(stage, BEN, CLOCK, "Ben's phone, after the end").await?;
    check(!list(&report["purged"]).is_empty(), format!("Ben's phone was not purged: {report}"))?;
    sync(stage, BEN, CLOCK, "Ben's phone, purged").await?;
    let ben = tablet(stage, BEN, CLOCK);
    let cases = ben.does(&["cases"]).await?;
    check(list(&cases).is_empty(), format!("Ben's phone still holds: {cases}"))?;
    check(ben.tries(&["open", CASE]).await?.is_err(), "Ben's phone still opens the case")?;
    let status = ben.does(&["status"]).await?.to_string();
    check(!status.contains("Elsie") && !status.contains("Mill Lane"), "Ben's phone still knows the client")?;
    let grace = stage.sign_in("grace.senior").await?;
    let (_, quarantine) = stage.call("GET", "/v1/quarantine", Some(&grace), None).await?;
    let late = list(&quarantine).iter().any(|row| row["case"] == json!(cast.case) && row["name"] == "Ben Carter");
    check(late, format!("the late edit is not in quarantine: {quarantine}"))?;
    stage.tell("Thursday", "The commission ends: Ben's phone holds nothing of the case but receipts; what he wrote too late waits in quarantine.");
    Ok(())
}

fn figures(stage: &Stage) {
    stage.say("\nWhat each sync cost (bytes up, bytes down, round trips):");
    for (what, report) in &stage.syncs {
        let number = |name: &str| number(&report[name]);
        stage.say(&format!(
            "  {:>8} {:>8} {:>3}  {what}",
            number("bytes_up"),
            number("bytes_down"),
            number("round_trips")
        ));
    }
    let memory = stage.server_memory().map(|mib| format!("; the server holds {mib} MiB")).unwrap_or_default();
    stage.say(&format!("\nEvery step was as it should be, in {} s{memory}.", stage.elapsed() / 1000));
}
