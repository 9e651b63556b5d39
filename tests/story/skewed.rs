//! Clocks that are years off. A device's clock is evidence: nothing expires, waits or is refused by it.

use grabrail_tests::{Field, World};
use serde_json::{Value as Json, json};
use sync_core::access::Role;
use sync_core::clock::{Clock as _, SystemClock, Timestamp};

use crate::office::{get, noise};

const YEAR_MILLIS: i64 = 365 * 24 * 60 * 60 * 1000;
const MINUTE_MILLIS: i64 = 60 * 1000;

fn now() -> Timestamp {
    SystemClock::new().now()
}

/// The instant that a JSON text names.
#[track_caller]
fn instant(value: &Json) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no instant"))
}

#[track_caller]
fn is_now(value: &Json) {
    let off = instant(value).millis() - now().millis();
    assert!(off.abs() < 2 * MINUTE_MILLIS, "{value} is {off} ms off");
}

/// Does something on a device whose clock is so many years ahead, or behind.
#[track_caller]
fn does(device: &Field, years: i64, words: &[&str]) -> Json {
    let clock = now().plus_millis(years * YEAR_MILLIS).to_string();
    let mut all = vec!["--clock", &clock];
    all.extend_from_slice(words);
    device.done(&all)
}

#[tokio::test]
async fn a_tablet_ten_years_ahead_or_behind_works_like_any_other_and_the_servers_times_are_right() {
    let world = World::start().await;
    world.account("grace", Role::SeniorOt);
    let grace = world.server.signed_in("grace").await;
    world.say(&["organisation", "add", "Private practice"], "").done();
    let file = world.path("bathroom.jpg");
    std::fs::write(&file, noise(1)).unwrap();
    for (years, who) in [(10, "ahead"), (-10, "behind")] {
        // Somebody whose relation to the case ends, tomorrow.
        world.account_with(who, Role::PrivateOt, &["--organisation", "Private practice"]);
        world.case(who, "grace");
        let tomorrow = now().plus_millis(24 * 60 * MINUTE_MILLIS).to_string();
        world.say(&["case", "commission", who, who, "--ends", &tomorrow], "").done();
        let device = world.field(who);
        does(&device, years, &["enrol", &world.code(who)]);
        assert_eq!(does(&device, years, &["sync"])["cards"], 1);

        let place = ["bathroom-1/toilet-1", "wc-seat-height", "430"];
        let reading = does(&device, years, &["measure", who, place[0], place[1], place[2], "--replace", "none"]);
        let photo = ["photo", who, "home", file.to_str().unwrap(), "--subject", "room", "--consent"];
        does(&device, years, &photo);
        let report = does(&device, years, &["sync"]);
        // The bearer for the photo is minutes long, by the server's clock.
        assert_eq!((&report["receipted"], &report["photos_sent"]), (&json!(2), &json!(1)), "{years}: {report}");
        assert_eq!((&report["refused"], &report["photo_trouble"]), (&json!([]), &Json::Null), "{years}: {report}");

        let status = does(&device, years, &["status"])["status"].clone();
        is_now(&status["contact"]);
        let off = status["offset"].as_i64().unwrap() - years * YEAR_MILLIS;
        assert!(off.abs() < 2 * MINUTE_MILLIS, "{status}");

        let document = does(&device, years, &["prescribe", who, "grab-rail"])["document"].clone();
        assert!(document.is_string(), "{document}");
        let item = does(&device, years, &["show", who, "prescription:1"]);
        let item = item["records"][0]["key"].as_str().unwrap_or_else(|| panic!("{item}")).to_owned();
        let cites = format!("home/{}", reading["key"].as_str().unwrap());
        let set = |words: &[&str]| {
            let mut all = vec!["set", who, "prescription:1"];
            all.extend_from_slice(words);
            does(&device, years, &all);
        };
        set(&["prescription.need", "To stand up unaided"]);
        set(&["prescription.route", "minor"]);
        set(&["grab-rail.height", "680", "--item", &item, "--min", "--cites", &cites]);
        set(&["item.required-load", "135", "--item", &item]);
        does(&device, years, &["submit", who, "prescription:1"]);
        let report = does(&device, years, &["sync"]);
        assert_eq!((&report["granted"], &report["denied"]), (&json!(1), &json!(0)), "{years}: {report}");
        let (_, queue) = get(&world, &grace, "/v1/prescriptions").await;
        let line = queue.as_array().unwrap().iter().find(|line| line["document"] == document);
        is_now(&line.unwrap_or_else(|| panic!("{queue}"))["submitted_at"]);

        // Whoever reads it elsewhere sees what the device claimed, and how far off it was.
        let next = world.field(&format!("{who}-next"));
        does(&next, 0, &["enrol", &world.code(who)]);
        does(&next, 0, &["sync"]);
        let shown = does(&next, 0, &["show", who, "home"]);
        let record = shown["records"].as_array().unwrap().iter().find(|record| record["key"] == reading["key"]);
        let at = record.unwrap_or_else(|| panic!("{shown}"))["at"].clone();
        let claimed = instant(&at["claimed"]).millis() - now().millis() - years * YEAR_MILLIS;
        let offset = at["offset"].as_i64().unwrap() - years * YEAR_MILLIS;
        assert!(claimed.abs() < 2 * MINUTE_MILLIS && offset.abs() < 2 * MINUTE_MILLIS, "{at}");

        // Nothing has gone from the device, and nothing goes when its clock is set right.
        assert_eq!(does(&device, years, &["sync"])["purged"], json!([]));
        let report = does(&device, 0, &["sync"]);
        assert_eq!(report["purged"], json!([]), "{report}");
        assert_eq!(does(&device, 0, &["cases"]).as_array().map(Vec::len), Some(1));
        let offset = does(&device, 0, &["status"])["status"]["offset"].as_i64().unwrap();
        assert!(offset.abs() < 2 * MINUTE_MILLIS, "{offset}");
    }
}
