//! A device driven from Python, through the bindings that an app would have, against a real server.

use std::path::Path;
use std::process::Command;

use grabrail_tests::{World, built};
use sync_core::access::Role;
use sync_core::domain::kind::Kind;

fn run(command: &mut Command) {
    let ended = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{command:?} ended by {}\n{out}{err}", ended.status);
}

#[tokio::test]
async fn python_opens_a_store_lists_edits_and_syncs() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");
    let sources = world.path("bindings");
    let library = built("libgrabrail.so");
    run(Command::new(built("uniffi-bindgen"))
        .args(["generate", "--language", "python", "--no-format", "--out-dir"])
        .args([&sources, &library]));
    // The generated module loads the library that lies beside it.
    std::fs::copy(&library, sources.join("libgrabrail.so")).unwrap();

    run(Command::new("python3")
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .args(["-I", "-B"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("story/bindings.py"))
        .arg(&sources)
        .arg(world.path("olu.store"))
        .arg(world.code("olu")));

    // What Python handed in, another device of the same person reads.
    std::fs::remove_file(world.path("olu.store")).unwrap();
    let tablet = world.tablet("olu").await;
    tablet.sync().await;
    let view = tablet.device.open_document(tablet.document(Kind::Home).await).await.unwrap();
    let values: Vec<i32> = view.records.keys().filter_map(|key| Some(view.reading(*key)?.value)).collect();
    assert_eq!(values, [735]);
}
