//! One program for all targets: which, says GRABRAIL_FUZZ_TARGET.
#![no_main]

#[path = "../targets.rs"]
#[allow(dead_code, reason = "the replay uses more of it")]
mod targets;

use std::sync::OnceLock;

use targets::{Scene, TARGETS, Target};

struct Ready {
    scene: Scene,
    target: Target,
}

fn ready() -> &'static Ready {
    static READY: OnceLock<Ready> = OnceLock::new();
    READY.get_or_init(|| {
        // libFuzzer's own hook ends the process at a panic that Automerge has and the guard catches.
        std::panic::set_hook(Box::new(|_| {}));
        let name = std::env::var("GRABRAIL_FUZZ_TARGET").unwrap_or_default();
        let known = TARGETS.into_iter().find(|(known, _)| *known == name);
        let Some(target) = known else {
            eprintln!("GRABRAIL_FUZZ_TARGET must be one of {:?}", TARGETS.map(|(name, _)| name));
            std::process::exit(2);
        };
        Ready { scene: Scene::new(), target }
    })
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ready { scene, target } = ready();
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (target.1)(scene, input))) {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        eprintln!("{}: a panic escaped: {}", target.0, said.unwrap_or_default());
        std::process::abort();
    }
});
