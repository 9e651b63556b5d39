//! The README names only what there is.

use std::process::Command;

use grabrail_tests::built;

use crate::none;
use crate::source::{Source, all, paths, root};

/// What stands between backticks or in a fenced block, a line or a span each, without a prompt.
fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, block) in text.split("```").enumerate() {
        if at % 2 == 1 {
            let lines = block.lines().skip(1).map(|line| line.split(" #").next().unwrap_or_default().trim());
            found.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
        } else {
            found.extend(block.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// A quoted text that is a path of the project; the rest of what is quoted is no path.
fn as_path(quoted: &str) -> Option<&str> {
    let first = quoted.split(' ').next().unwrap_or_default();
    let below =
        ["server/", "sync-core/", "mobile-bindings/", "tests/", ".ci/"].iter().any(|room| first.starts_with(room));
    let file = ["Cargo.toml", "Cargo.lock", "README.md"].contains(&first);
    (below || file).then(|| first.trim_end_matches('/'))
}

fn missing_paths(readme: &str, paths: &[String]) -> Vec<String> {
    let exists = |path: &str| paths.iter().any(|other| other == path || other.starts_with(&format!("{path}/")));
    let named = quoted(readme);
    let missing = named.iter().filter_map(|text| as_path(text)).filter(|path| !exists(path));
    missing.map(|path| format!("the README names {path}, which isn't there")).collect()
}

/// A quoted command of the binary: its words that are no options, up to the first that is a value, and its options.
fn as_command(quoted: &str) -> Option<(Vec<String>, Vec<String>)> {
    let rest = quoted.strip_prefix("cargo run --release -- ").or_else(|| quoted.strip_prefix("grabrail "))?;
    let mut words = Vec::new();
    for word in rest.split(' ') {
        let is_verb = word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-') && !word.starts_with('-');
        if !is_verb || word.is_empty() || words.len() == 2 {
            break;
        }
        words.push(word.to_owned());
    }
    let options = rest.split([' ', '=']).filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned);
    Some((words, options.collect()))
}

/// Asks `help` for each command: what the binary says of these words, `None` when it doesn't know them.
fn missing_commands(readme: &str, help: &dyn Fn(&[String]) -> Option<String>) -> Vec<String> {
    let mut offences = Vec::new();
    for text in quoted(readme) {
        let Some((words, options)) = as_command(&text) else { continue };
        // The second word may be a verb of the first, or a name somebody gives.
        let known = help(&words).or_else(|| help(words.get(..1)?));
        match known {
            None => offences.push(format!("the README says `{text}`, and the binary doesn't know it")),
            Some(said) => {
                let unknown = options.into_iter().filter(|option| !said.contains(option.as_str()));
                offences.extend(unknown.map(|option| format!("the README says `{text}`, which has no {option}")));
            }
        }
    }
    offences
}

fn help(words: &[String]) -> Option<String> {
    let said = Command::new(built("grabrail")).env_clear().args(words).arg("--help").output().unwrap();
    // A verb with verbs of its own takes `grabrail case nonsense --help` for an error; so does an unknown verb.
    said.status.success().then(|| String::from_utf8_lossy(&said.stdout).into_owned())
}

/// Tests named in the README, by their form: a whole sentence in snake case.
fn missing_tests(readme: &str, sources: &[Source]) -> Vec<String> {
    let sentence = |text: &&String| {
        text.matches('_').count() >= 3 && text.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
    };
    let exists = |name: &str| {
        sources.iter().any(|source| source.path.ends_with(".rs") && source.text.contains(&format!("fn {name}(")))
    };
    let named = quoted(readme);
    let missing = named.iter().filter(sentence).filter(|name| !exists(name));
    missing.map(|name| format!("the README names the test {name}, which isn't there")).collect()
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

#[test]
fn every_path_the_readme_names_is_there() {
    none(missing_paths(&readme(), &paths()));
}

#[test]
fn every_command_the_readme_gives_is_known_to_the_binary() {
    none(missing_commands(&readme(), &help));
}

#[test]
fn every_test_the_readme_names_is_there() {
    none(missing_tests(&readme(), &all()));
}

#[test]
fn every_setting_is_told_of_with_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let config = Command::new(built("grabrail")).env_clear().arg("config").current_dir(folder.path()).output().unwrap();
    assert!(config.status.success());
    let config = String::from_utf8(config.stdout).unwrap();
    let readme = readme();
    let mut told = 0;
    for line in config.lines() {
        let (name, default) = match (line.strip_suffix(" is not set"), line.split_once(" = ")) {
            (Some(name), _) => (name.trim_start_matches("# "), "not set".to_owned()),
            (None, Some((name, value))) if !line.starts_with('#') => {
                // What is in quotes there is code here; numbers stand for themselves in both.
                (name, value.trim_end_matches("# default").trim().replace('"', "`"))
            }
            _ => continue,
        };
        // It follows from `listen`, which the page says in words.
        let default =
            if name == "public_url" { "from `listen` on loopback; else to be given".to_owned() } else { default };
        let row = format!("| `{name}` | {default} |");
        assert!(readme.contains(&row), "the README doesn't tell of the setting {name} with its default: {row}");
        told += 1;
    }
    assert!(told > 10, "{config}");
}

#[test]
fn every_part_of_the_test_run_the_readme_names_is_known_to_it() {
    let script = std::fs::read_to_string(root().join("tests/run")).unwrap();
    let lists: Vec<&str> =
        script.lines().filter(|line| line.starts_with("BUILT=") || line.starts_with("LATER=")).collect();
    assert_eq!(lists.len(), 2);
    for text in quoted(&readme()) {
        let Some(part) = text.strip_prefix("tests/run ") else { continue };
        let part = part.split(' ').find(|word| !word.starts_with('-')).unwrap_or("bench");
        assert!(part == "bench" || lists.concat().contains(part), "tests/run has no part {part}");
    }
}

#[test]
fn a_readme_that_names_what_is_not_there_is_found() {
    let paths = ["server/src/main.rs".to_owned()];
    assert_eq!(missing_paths("See `server/src/attic.rs` and `server/src/`.", &paths).len(), 1);
    let known = |words: &[String]| (words.first()? == "serve").then(|| "--listen".to_owned());
    assert_eq!(missing_commands("```sh\ngrabrail fly --to moon\n```", &known).len(), 1);
    assert_eq!(missing_commands("```sh\ngrabrail serve --upwards\n```", &known).len(), 1);
    assert_eq!(missing_commands("```sh\ngrabrail serve --listen x  # so\n```", &known).len(), 0);
    let sources = [Source::new("a.rs", "fn a_test_that_is_there() {}")];
    assert_eq!(missing_tests("`a_test_that_is_not_there`, `a_test_that_is_there`", &sources).len(), 1);
}
