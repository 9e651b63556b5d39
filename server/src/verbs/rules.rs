//! `grabrail rules delegation|check`: the rules that the council writes itself.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use sync_core::access::delegation::Delegation;

use super::out;
use crate::config::{Config, delegation};

/// What can be done with the council's rules.
#[derive(Debug, Subcommand)]
pub enum RulesVerb {
    /// Print who may sign which prescription off, rule by rule, and where the rules come from
    Delegation,
    /// Check a file of such rules before it is set as `delegation`; says what is wrong with it
    Check {
        /// The file, TOML
        file: PathBuf,
    },
}

/// Prints the delegation in force.
pub(super) fn delegation(config: &Config) {
    out(format_args!("delegation {}, {}", config.delegation.version(), config.delegation_from()));
    tell(&config.delegation);
}

/// Checks a file of rules, with no settings and no data folder.
#[allow(clippy::print_stderr)] // the console's own
pub(super) fn check(file: &Path) -> ExitCode {
    match delegation::read(file) {
        Ok(read) => {
            out(format_args!("delegation {}, from {}: as it should be", read.version(), file.display()));
            tell(&read);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("grabrail: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tell(delegation: &Delegation) {
    for (at, rule) in delegation.rules().iter().enumerate() {
        out(format_args!("rule {}: {rule}", at + 1));
    }
    out("every rule that fits applies: who may sign is whom all of them name; what none fits, nobody may sign");
}
