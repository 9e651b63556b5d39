//! Who may use whom.

use crate::source::{Source, all};
use crate::{made_up, none};

/// The rooms of `sync-core`, each resting on earlier ones only.
const CORE: &[&str] =
    &["clock", "id", "envelope", "photo_bytes", "domain", "access", "guard", "protocol", "engine", "device"];

/// What reaches up all the same: file, what it uses, why.
const CORE_EXCEPTIONS: &[(&str, &str, &str)] =
    &[("sync-core/src/domain/signed.rs", "access::Role", "a signed version tells the role its signer had")];

/// The rooms of the server that others rest on and that rest on nothing but one another.
const GROUND: &[&str] = &["storage", "chance", "config"];
/// Those that speak to the outside, and may use everything below; nothing below may use them.
const EDGES: &[&str] = &["routes", "console", "verbs", "demo", "field"];

/// `(folder or file under src, text)` of who may say a thing. A folder ends with `/`.
struct Saying {
    words: &'static [&'static str],
    within: &'static str,
    only: &'static [&'static str],
    why: &'static str,
}

const SAYINGS: &[Saying] = &[
    Saying { words: &["sqlx::"], within: "server/src/", only: &["storage/"], why: "only `storage/` says SQL" },
    Saying {
        words: &["axum::", "axum_server::", "http::", "hyper::", "reqwest::", "tower_http::"],
        within: "server/src/",
        only: &[
            "routes/",
            "console/",
            "auth.rs",
            "auth/",
            "error.rs",
            "verbs/serve.rs",
            "demo.rs",
            "demo/",
            "field.rs",
            "field/",
        ],
        why: "only `routes/`, `console/`, `auth`, `error`, `verbs/serve.rs`, `demo` and `field` say HTTP",
    },
    Saying {
        words: &["reqwest::", "TcpStream", "UdpSocket", "hyper_util::client"],
        within: "server/src/",
        only: &["demo.rs", "demo/", "field.rs", "field/"],
        why: "the server calls nobody: it makes no outgoing connection but to configured addresses, and none is yet",
    },
    Saying {
        words: &["SystemClock", "SystemChance"],
        within: "server/src/",
        only: &["main.rs", "verbs/", "demo.rs", "demo/", "field.rs", "field/"],
        why: "only the verbs read the real clock and chance; take a `Clock` or `Chance`",
    },
    Saying {
        words: &["SystemClock", "SystemChance"],
        within: "sync-core/src/",
        only: &["clock.rs", "device/"],
        why: "only `device/` reads the real clock and chance; take a `Clock` or `Chance`",
    },
    Saying {
        words: &[
            "tokio::",
            "sqlx::",
            "reqwest::",
            "rustls::",
            "std::fs",
            "std::env",
            "std::process",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "UnixStream",
            "ToSocketAddrs",
        ],
        within: "sync-core/src/",
        only: &["device/"],
        why: "only `device/` does IO",
    },
];

/// What the code of a file says, as `(line number, line)`.
fn lines(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// The rooms of its crate that a file's code uses, with what of them: `(line, room, path within the crate)`.
fn uses(source: &Source) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    let code = source.code();
    for (number, line) in lines(&code) {
        for (at, _) in line.match_indices("crate::") {
            if line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
                continue;
            }
            let path = &line[at + "crate::".len()..];
            if let Some(list) = path.strip_prefix('{') {
                // A list of rooms; a nested list names things, not rooms.
                let list = list.split(['}', '{']).next().unwrap_or_default();
                for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                    found.push((number, part.split("::").next().unwrap_or_default().to_owned(), part.to_owned()));
                }
                continue;
            }
            let end = path.find(|other: char| !other.is_alphanumeric() && other != '_' && other != ':');
            let path = path[..end.unwrap_or(path.len())].trim_end_matches(':');
            found.push((number, path.split("::").next().unwrap_or_default().to_owned(), path.to_owned()));
        }
    }
    found
}

/// The room a file is in: its folder or name under `src`.
fn room(source: &Source) -> &str {
    let below = source.path.split_once("/src/").map_or("", |(_, below)| below);
    below.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

fn core_arrows(sources: &[Source]) -> Vec<String> {
    let rank = |room: &str| CORE.iter().position(|other| *other == room);
    let mut offences = Vec::new();
    for source in sources.iter().filter(|source| source.is_product() && source.path.starts_with("sync-core/")) {
        let from = room(source);
        if from == "lib" {
            continue;
        }
        let Some(own) = rank(from) else {
            offences.push(format!(
                "{}: {from} is no room of sync-core: add it to CORE in tests/tidy/arrows.rs",
                source.path
            ));
            continue;
        };
        for (line, to, what) in uses(source) {
            let excepted = CORE_EXCEPTIONS.iter().any(|(file, thing, _)| *file == source.path && *thing == what);
            if rank(&to).is_some_and(|other| other > own) && !excepted {
                offences.push(format!("{}:{line}: {from} rests below {to} and uses crate::{what}", source.path));
            }
        }
    }
    offences
}

fn server_arrows(sources: &[Source]) -> Vec<String> {
    let mut offences = Vec::new();
    for source in sources.iter().filter(|source| source.is_product() && source.path.starts_with("server/")) {
        let from = room(source);
        for (line, to, what) in uses(source) {
            let up = match (GROUND.contains(&from), EDGES.contains(&from)) {
                (true, _) => !GROUND.contains(&to.as_str()),
                (_, true) => to == "verbs" && from != "verbs",
                _ => EDGES.contains(&to.as_str()) && !["main", "lib"].contains(&from),
            };
            if up {
                offences.push(format!("{}:{line}: {from} rests below {to} and uses crate::{what}", source.path));
            }
        }
    }
    offences
}

fn sayings(sources: &[Source]) -> Vec<String> {
    let mut offences = Vec::new();
    for source in sources.iter().filter(|source| source.is_product()) {
        for saying in SAYINGS {
            let Some(below) = source.path.strip_prefix(saying.within) else { continue };
            let allowed = |only: &&str| if only.ends_with('/') { below.starts_with(only) } else { below == *only };
            if saying.only.iter().any(allowed) {
                continue;
            }
            for (number, line) in lines(&source.code()) {
                let said = saying.words.iter().find(|word| says(line, word));
                if let Some(word) = said {
                    offences.push(format!("{}:{number}: {word}: {}", source.path, saying.why));
                }
            }
        }
    }
    offences
}

/// Whether a line has the word, and not as the end of a longer one.
fn says(line: &str, word: &str) -> bool {
    let longer = |at: usize| line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
    line.match_indices(word).any(|(at, _)| !longer(at))
}

#[test]
fn in_the_core_each_room_rests_on_the_rooms_below_it() {
    none(core_arrows(&all()));
}

#[test]
fn an_arrow_that_points_up_in_the_core_is_found() {
    for text in ["use crate::guard::judge;", "fn f() { crate::device::x() }", "use crate::{id::Key, protocol::Ask};"] {
        assert_eq!(core_arrows(&made_up("sync-core/src/domain/view.rs", text)).len(), 1, "{text}");
    }
    assert_eq!(core_arrows(&made_up("sync-core/src/attic.rs", "")).len(), 1);
    assert!(core_arrows(&made_up("sync-core/src/guard.rs", "use crate::access::Role; // crate::device")).is_empty());
    assert!(core_arrows(&made_up("sync-core/src/domain/a.rs", "#[cfg(test)]\nmod x;\nuse crate::id::Key;")).is_empty());
}

#[test]
fn an_excepted_arrow_is_still_drawn() {
    let sources = all();
    for (file, thing, why) in CORE_EXCEPTIONS {
        let source = sources.iter().find(|source| source.path == *file).unwrap_or_else(|| panic!("{file} is gone"));
        assert!(uses(source).iter().any(|(_, _, what)| what == thing), "{file} no longer uses {thing}: {why}");
    }
}

#[test]
fn in_the_server_edges_rest_on_services_and_services_on_storage() {
    none(server_arrows(&all()));
}

#[test]
fn an_arrow_that_points_up_in_the_server_is_found() {
    let offences = |path: &str, text: &str| server_arrows(&made_up(path, text)).len();
    assert_eq!(offences("server/src/storage/seal.rs", "use crate::cases::open;"), 1);
    assert_eq!(offences("server/src/cases.rs", "use crate::routes::Json;"), 1);
    assert_eq!(offences("server/src/routes/asks.rs", "use crate::verbs::out;"), 1);
    assert_eq!(offences("server/src/routes/asks.rs", "use crate::asks::decide;"), 0);
    assert_eq!(offences("server/src/verbs/serve.rs", "use crate::routes;"), 0);
}

#[test]
fn only_who_may_says_sql_http_io_or_the_real_clock() {
    none(sayings(&all()));
}

#[test]
fn a_word_said_in_the_wrong_room_is_found() {
    let offences = |path: &str, text: &str| sayings(&made_up(path, text)).len();
    assert_eq!(offences("server/src/cases.rs", "let rows = sqlx::query(text);"), 1);
    assert_eq!(offences("server/src/sync.rs", "use axum::http::StatusCode;"), 1);
    assert_eq!(offences("server/src/asks.rs", "let now = SystemClock::new().now();"), 1);
    assert_eq!(offences("sync-core/src/engine/mod.rs", "std::fs::read(path)"), 1);
    assert_eq!(offences("sync-core/src/engine/mod.rs", "use tokio::sync::Mutex;"), 1);
    assert_eq!(offences("sync-core/src/device/link.rs", "use tokio::sync::Mutex;"), 0);
    assert_eq!(offences("server/src/storage/mod.rs", "use sqlx::Row;"), 0);
    assert_eq!(offences("server/src/cases.rs", "// sqlx:: is said elsewhere"), 0);
}
