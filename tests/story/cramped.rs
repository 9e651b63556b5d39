//! A tablet with no room left.

use grabrail_tests::World;
use serde_json::Value;
use sync_core::access::Role;

use super::office::noise;

/// No file of the store may grow: the system says so to the process, as it does on a full disk.
#[tokio::test]
async fn a_tablet_without_room_says_so_keeps_what_it_had_and_goes_on_once_there_is_room() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");
    let field = world.field("tablet");
    field.done(&["enrol", &world.code("olu")]);
    field.done(&["sync"]);
    let file = world.path("bathroom.jpg");
    std::fs::write(&file, noise(1)).unwrap();
    let photo = ["photo", "R-1", "home", file.to_str().unwrap(), "--subject", "room", "--consent"];
    let measure = |value: &str| -> Vec<String> {
        let words = ["measure", "R-1", "bathroom-1/door-1", "door-clear-width", value, "--replace", "none"];
        words.map(str::to_owned).into()
    };

    let most = std::fs::metadata(field.store()).unwrap().len() + 64 * 1024;
    let cramped = field.cramped(most);
    let is_told = |problem: &Value| {
        assert_eq!(problem["type"], "urn:grabrail:problem:disk-full", "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|why| why.contains("nothing of this was saved")), "{problem}");
    };
    is_told(&cramped.fails(&photo));
    // Small things still fit, for a while.
    let mut done = Vec::new();
    for value in 700..800 {
        let words = measure(&value.to_string());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = cramped.say(&words);
        if said.code != Some(0) {
            is_told(&serde_json::from_str(&said.err).unwrap());
            break;
        }
        let said: Value = serde_json::from_str(&said.out).unwrap();
        done.push(said["key"].clone());
    }
    assert!((1..100).contains(&done.len()), "{} readings fitted", done.len());
    // What it has can still be looked at, and is all there: nothing of the photo, nothing of the last reading.
    let keys = |shown: &Value| -> Vec<Value> {
        shown["records"].as_array().unwrap().iter().map(|record| record["key"].clone()).collect()
    };
    let waiting = cramped.done(&["status"])["status"]["waiting"].clone();
    assert_eq!((&waiting["changes"], &waiting["photos"]), (&Value::from(done.len()), &Value::from(0)), "{waiting}");

    // Room was made.
    assert_eq!(keys(&field.done(&["show", "R-1", "home"])), done);
    let taken = field.done(&photo);
    done.push(taken["key"].clone());
    let report = field.done(&["sync"]);
    assert_eq!((&report["receipted"], &report["photos_sent"]), (&Value::from(done.len()), &Value::from(1)), "{report}");
    let next = world.field("next");
    next.done(&["enrol", &world.code("olu")]);
    next.done(&["sync"]);
    assert_eq!(keys(&next.done(&["show", "R-1", "home"])), done);
}
