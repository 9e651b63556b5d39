//! The council's IT: starting, asking, stopping.

use std::os::unix::fs::PermissionsExt as _;

use grabrail_tests::{PASSWORD, World};
use sync_core::access::Role;

#[tokio::test]
async fn a_server_starts_in_an_empty_folder_tells_its_api_and_stops_when_ordered() {
    let mut world = World::start().await;

    let (status, kind, body) = world.server.get("/openapi.json").await;
    assert_eq!((status, kind.as_str()), (200, "application/json"));
    let openapi: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1."), "{}", openapi["openapi"]);
    let paths = openapi["paths"].as_object().unwrap();
    for path in ["/healthz", "/readyz", "/v1/sessions", "/v1/devices", "/v1/sync"] {
        assert!(paths.contains_key(path), "{path} is not told of");
    }

    let (status, kind, _) = world.server.get("/v1/nothing-here").await;
    assert_eq!((status, kind.as_str()), (404, "application/problem+json"));

    assert_eq!(world.server.stop().await.code(), Some(0));
    assert!(world.server.log().contains("stopped"), "{}", world.server.log());
}

#[tokio::test]
async fn the_data_folder_is_nobody_elses() {
    let world = World::start().await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.data()), 0o700);
    for entry in std::fs::read_dir(world.data()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn verbs_work_beside_a_running_server_and_a_password_is_never_an_argument() {
    let world = World::start().await;
    world.account("ana", Role::Administrator);
    let listed = world.say(&["account", "list"], "").done();
    assert!(listed.contains("ana") && listed.contains("administrator"), "{listed}");
    let refused = world.say(&["account", "add", "bo", "--name", "Bo", "--role", "ot", "--password", "x"], "");
    assert_eq!(refused.code, Some(2), "{}", refused.err);

    let request = serde_json::json!({ "sign_in": "ana", "password": PASSWORD });
    let signing_in = world.server.http().post(format!("{}/v1/sessions", world.server.url()));
    let reply = signing_in.header("content-type", "application/json").body(request.to_string()).send().await.unwrap();
    assert_eq!(reply.status(), 201);
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() {
    let world = World::start().await;
    let second = world.say(&["serve", "--listen", "127.0.0.1:0"], "");
    assert_eq!(second.code, Some(1), "{}{}", second.out, second.err);
}
