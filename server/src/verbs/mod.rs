//! What the binary does for who types: one file a verb.

mod access;
mod account;
mod audit;
mod case;
mod device;
mod keys;
mod organisation;
mod rules;
mod serve;
mod verify;

use std::fmt;
use std::io::{IsTerminal, Read as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use sync_core::clock::{SystemChance, SystemClock};

use crate::app::App;
use crate::auth::BadPassword;
use crate::cases::CaseError;
use crate::chance::SharedChance;
use crate::config::{Config, ConfigError, Flags};
use crate::storage::audit::Broken;
use crate::storage::ledger::CommitError;
use crate::storage::{Storage, StorageError};

/// Home assessments and adaptation prescriptions, recorded offline, merged without loss, supervised before works.
///
/// Start with a data folder, an administrator and the server:
///
///   grabrail account add ana.admin --name "Ana Admin" --role administrator
///   grabrail serve
///
/// Then an account for each member of staff, and a code for each of their devices:
///
///   grabrail account add olu.ot --name "Olu Ade" --role ot --hcpc OT12345 --register registered
///   grabrail device code olu.ot
///
/// All but `serve` may run beside a running server. Exit codes: 0 done, 1 failed, 2 wrongly asked.
#[derive(Debug, Parser)]
#[command(name = "grabrail", version, verbatim_doc_comment)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Settings.
    #[command(flatten)]
    pub flags: Flags,
}

impl Cli {
    /// What this process was asked to do. Help, and what is wrong with the command line, are told here.
    ///
    /// # Errors
    /// The exit code of what was told.
    pub fn typed() -> Result<Self, ExitCode> {
        let command = Self::command();
        #[cfg(feature = "field")]
        let command = crate::field::without_settings(command);
        let typed = command.try_get_matches().and_then(|matches| Self::from_arg_matches(&matches));
        typed.map_err(|error| {
            #[cfg(feature = "field")]
            if let Some(told) = crate::field::told_as_json(&error) {
                return told;
            }
            // Whoever closed the stream does not read it.
            let _ = error.print();
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        })
    }
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Serve the data folder until SIGTERM or Ctrl-C
    Serve,
    /// Print the settings in force, as TOML, each with where it came from
    Config,
    /// Accounts of staff
    #[command(subcommand)]
    Account(account::AccountVerb),
    /// Organisations beside the council
    #[command(subcommand)]
    Organisation(organisation::OrganisationVerb),
    /// Devices of staff
    #[command(subcommand)]
    Device(device::DeviceVerb),
    /// The keys the server signs with
    #[command(subcommand)]
    Keys(keys::KeysVerb),
    /// Cases and who has to do with them
    #[command(subcommand)]
    Case(case::CaseVerb),
    Access(access::AccessArgs),
    /// The audit log: who read and did what, by what right
    #[command(subcommand)]
    Audit(audit::AuditVerb),
    /// The rules that the council writes itself: who may sign which prescription off
    #[command(subcommand)]
    Rules(rules::RulesVerb),
    /// Check an evidence pack; needs no server
    Verify(verify::VerifyArgs),
    /// A device in a terminal
    #[cfg(feature = "field")]
    Field(crate::field::FieldArgs),
    /// Play a home visit through, with a real server and real devices
    #[cfg(feature = "field")]
    Demo(crate::demo::DemoArgs),
}

/// Why a verb didn't do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A password.
    #[error(transparent)]
    Password(#[from] BadPassword),
    /// The prompt or standard input.
    #[error("the password could not be read: {0}")]
    Unread(std::io::Error),
    /// Typed twice, differently.
    #[error("the two passwords differ")]
    Differ,
    /// Nobody signs in so.
    #[error("no account signs in as {0}; `grabrail account list` shows them")]
    NoAccount(String),
    /// No organisation is called so.
    #[error("no organisation is called {0:?}; `grabrail organisation list` shows them")]
    NoOrganisation(String),
    /// No such device, or it was revoked before.
    #[error("no device {0} is enrolled; `grabrail device list` shows them")]
    NoDevice(String),
    /// A name that can't be one.
    #[error("a name has 1 to 200 printable characters")]
    BadName,
    /// The key that every device pinned.
    #[error("every device knows the reply key from its enrolment and would take no other: it can't be rotated yet")]
    Pinned,
    /// A file that can't be read.
    #[error("{0}: {1}")]
    File(std::path::PathBuf, std::io::Error),
    /// A log that is not whole.
    #[error("the audit log is NOT WHOLE: {0}")]
    Broken(#[from] Broken),
    /// Nothing to sign.
    #[error("nothing was ever logged here")]
    NothingLogged,
    /// A file that is no checkpoint.
    #[error("{0} is no checkpoint, or it was altered where it can no longer be read: {1}")]
    NoCheckpoint(std::path::PathBuf, serde_json::Error),
    /// What could not be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Rows of an import that must be mended.
    #[error("nothing was imported; rows to mend first: {0}")]
    BadRows(usize),
    /// Cases and relations.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The certificate or its key.
    #[error("TLS can't be set up: {0}")]
    Tls(std::io::Error),
    /// The address is taken, or isn't this machine's.
    #[error("can't listen on {0}: {1}")]
    Listen(std::net::SocketAddr, std::io::Error),
    /// The server stopped by a failure.
    #[error("the server failed: {0}")]
    Serve(std::io::Error),
}

/// Runs a verb of this process and says what came of it.
#[allow(clippy::print_stderr)] // the console's own
pub fn run(cli: Cli) -> ExitCode {
    if let Verb::Verify(args) = &cli.verb {
        return verify::run(args);
    }
    if let Verb::Rules(rules::RulesVerb::Check { file }) = &cli.verb {
        return rules::check(file);
    }
    #[cfg(feature = "field")]
    match cli.verb {
        Verb::Field(args) => run_alone(crate::field::run(args)),
        Verb::Demo(args) => run_alone(async move { crate::demo::run(&args).await }),
        verb => run_with_data(verb, &cli.flags),
    }
    #[cfg(not(feature = "field"))]
    run_with_data(cli.verb, &cli.flags)
}

/// Runs a verb on the data folder that the settings name.
#[allow(clippy::print_stderr)] // the console's own
fn run_with_data(verb: Verb, flags: &Flags) -> ExitCode {
    let config = match Config::of_process(flags) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("grabrail: {error}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("grabrail: the runtime can't be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run_verb(verb, config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("grabrail: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a verb that knows nothing of a data folder's settings.
#[cfg(feature = "field")]
#[allow(clippy::print_stderr)] // the console's own
fn run_alone(verb: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(verb),
        Err(error) => {
            eprintln!("grabrail: the runtime can't be started: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run_verb(verb: Verb, config: Config) -> Result<(), VerbError> {
    match verb {
        Verb::Serve => return serve::run(config).await,
        Verb::Config => {
            out(config);
            return Ok(());
        }
        Verb::Rules(_) => {
            rules::delegation(&config);
            return Ok(());
        }
        _ => {}
    }
    let app = open(config).await?;
    let done = match verb {
        Verb::Serve | Verb::Config | Verb::Rules(_) | Verb::Verify(_) => Ok(()),
        #[cfg(feature = "field")]
        Verb::Field(_) | Verb::Demo(_) => Ok(()),
        Verb::Account(verb) => account::run(&app, verb).await,
        Verb::Organisation(verb) => organisation::run(&app, verb).await,
        Verb::Device(verb) => device::run(&app, verb).await,
        Verb::Keys(verb) => keys::run(&app, verb).await,
        Verb::Case(verb) => case::run(&app, verb).await,
        Verb::Access(args) => access::run(&app, args).await,
        Verb::Audit(verb) => audit::run(&app, verb).await,
    };
    app.storage.close().await;
    done
}

/// Opens the data folder for an administrative verb, whether or not a server runs on it.
async fn open(config: Config) -> Result<App, VerbError> {
    let (clock, chance) = (Arc::new(SystemClock::new()), SharedChance::new(SystemChance));
    let storage = Storage::open(&config.data, clock.clone(), chance.clone()).await?;
    Ok(App::new(config, storage, clock, chance).await?)
}

/// Writes to standard output.
#[allow(clippy::print_stdout)] // the console's own
fn out(text: impl fmt::Display) {
    println!("{text}");
}

/// A new password: typed twice at a terminal, or one line of standard input.
fn read_password(of: &str) -> Result<String, VerbError> {
    if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password(format!("New password of {of}: ")).map_err(VerbError::Unread)?;
        let second = rpassword::prompt_password("Again: ").map_err(VerbError::Unread)?;
        return if first == second { Ok(first) } else { Err(VerbError::Differ) };
    }
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text).map_err(VerbError::Unread)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// A name people will read: trimmed, 1 to 200 characters, none of them control characters.
fn clean_name(name: &str) -> Result<String, VerbError> {
    let name = name.trim();
    let fits = (1..=200).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(name.to_owned()) } else { Err(VerbError::BadName) }
}
