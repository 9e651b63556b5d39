//! The command line itself: what was typed wrongly, said as its reader wants it, and help that keeps to the matter.

use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::Command;
use clap::error::ErrorKind;
use serde_json::{Value, json};

use super::words::{BadPlace, NoSuchWord};

/// The whole command line, with the server's settings left out of the help of `field`, which reads none of them.
pub fn without_settings(mut command: Command) -> Command {
    // Settings are for all verbs; each has them only once the command is built.
    command.build();
    command.mut_subcommand("field", hide_settings)
}

fn hide_settings(command: Command) -> Command {
    let is_setting = |arg: &clap::Arg| arg.get_help_heading().is_some_and(|heading| heading.starts_with("Settings"));
    command.mut_args(|arg| if is_setting(&arg) { arg.hide(true) } else { arg }).mut_subcommands(hide_settings)
}

/// Says what is wrong with a command line of `field --json`, as every other error of it is said; `None` for help,
/// versions and other command lines, which are told in text.
#[allow(clippy::print_stderr)] // the console's own
pub fn told_as_json(error: &clap::Error) -> Option<ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if !error.use_stderr() || !wants_json(&arguments) {
        return None;
    }
    eprintln!("{}", problem(error));
    Some(ExitCode::from(2))
}

/// Whether these arguments are of `field` and ask for JSON. They are no command line, or nobody would ask.
fn wants_json(arguments: &[OsString]) -> bool {
    let mut words = arguments.iter().map(OsString::as_os_str).take_while(|word| *word != OsStr::new("--"));
    words.any(|word| word == "field") && words.any(|word| word == "--json")
}

fn problem(error: &clap::Error) -> Value {
    let (title, text) = match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => ("bad-value", error.to_string()),
        // Its text is the whole of the help.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ("bad-command", "say what to do: `grabrail field --help` lists the verbs".to_owned())
        }
        _ => ("bad-command", error.to_string()),
    };
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more information");
    let detail = lines().filter(told).collect::<Vec<_>>().join(" ");
    let detail = detail.strip_prefix("error: ").unwrap_or(&detail);
    let kind = format!("urn:grabrail:problem:{title}");
    let mut problem = json!({ "type": kind, "title": title, "detail": detail });
    if let Some(usage) = lines().find_map(|line| line.strip_prefix("Usage:")) {
        problem["usage"] = json!(usage.trim());
    }
    if let Some(nearest) = nearest(error) {
        problem["nearest"] = json!(nearest);
    }
    problem
}

/// The words nearest to one that is not known.
fn nearest(error: &clap::Error) -> Option<&[&'static str]> {
    let source = error.source()?;
    let word = match source.downcast_ref::<BadPlace>() {
        Some(BadPlace::Word(word)) => Some(word),
        Some(BadPlace::Form(_)) => None,
        None => source.downcast_ref::<NoSuchWord>(),
    };
    word.map(|word| word.nearest.as_slice())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::verbs::Cli;

    #[test]
    fn json_is_for_whoever_asks_field_for_it() {
        let wants = |line: &str| wants_json(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(wants("field --json cases") && wants("field cases --json") && wants("--data x field --json"));
        assert!(!wants("field cases") && !wants("--json field cases") && !wants("case list --json"));
        assert!(!wants("field entry R-1 clinical visit -- --json"));
    }

    #[test]
    fn what_is_wrong_with_a_command_line_is_one_line_and_says_what_was_meant() {
        let wrong = |line: &str| {
            let command = without_settings(Cli::command());
            problem(&command.try_get_matches_from(line.split(' ')).unwrap_err())
        };
        let unknown = wrong("grabrail field --json cases-all");
        assert_eq!(unknown["type"], "urn:grabrail:problem:bad-command");
        assert!(unknown["detail"].as_str().unwrap().contains("'cases'"), "{unknown}");
        let missing = wrong("grabrail field strike R-1 home 1.1 --json");
        assert!(missing["detail"].as_str().unwrap().contains("--reason"), "{missing}");
        assert!(missing["usage"].as_str().unwrap().starts_with("grabrail field strike"), "{missing}");
        let value = wrong("grabrail field measure R-1 bathroom-1/door-1 door-width 700");
        assert_eq!((&value["title"], &value["nearest"][0]), (&json!("bad-value"), &json!("door-clear-width")));
        let place = wrong("grabrail field measure R-1 bathrom-1 door-clear-width 700");
        assert_eq!(place["nearest"][0], "bathroom", "{place}");
        let method = wrong("grabrail field measure R-1 hall-1 door-clear-width 700 --method tpae");
        assert!(method["detail"].as_str().unwrap().contains("tape"), "{method}");
        let nothing = wrong("grabrail field");
        assert!(nothing["detail"].as_str().unwrap().contains("--help"), "{nothing}");
        for problem in [unknown, missing, value, place, method, nothing] {
            let detail = problem["detail"].as_str().unwrap();
            assert!(!detail.contains('\n') && !detail.starts_with("error") && !detail.contains("Usage"), "{detail}");
        }
    }

    #[test]
    fn the_servers_settings_are_not_in_the_help_of_a_device() {
        let help = |line: &str| {
            let command = without_settings(Cli::command());
            command.try_get_matches_from(line.split(' ')).unwrap_err().to_string()
        };
        for line in ["grabrail field --help", "grabrail field measure --help", "grabrail help field set"] {
            let text = help(line);
            assert!(!text.contains("--argon2-at-once") && text.contains("--json"), "{text}");
        }
        assert!(help("grabrail serve --help").contains("--argon2-at-once"));
    }
}
