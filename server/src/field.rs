//! `grabrail field`: a device in a terminal, over the same facade that the apps wrap. One command opens the store, does
//! one thing and closes it.

mod cards;
mod cli;
mod examples;
mod names;
mod show;
mod typed;
mod values;
mod words;
mod work;

use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::clock::{Clock, SystemChance, SystemClock, Timestamp};
use sync_core::device::{Device, DeviceError, Link, LinkError, LinkOptions, StoreError, Unlock};
use zeroize::Zeroizing;

pub use self::cli::FieldArgs;
use self::cli::FieldVerb;
pub use self::typed::{told_as_json, without_settings};
use self::values::BadValue;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
enum FieldError {
    /// The device said no.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// No store was named.
    #[error("say which device this is: --store FILE, or GRABRAIL_FIELD_STORE=FILE in the environment")]
    NoStore,
    /// No such case.
    #[error("there is no case {0:?} on this device; `cases` lists them")]
    NoCase(String),
    /// No such document.
    #[error("there is no document {name:?} in this case; there are: {known}")]
    NoDocument {
        /// What was typed.
        name: String,
        /// What there is.
        known: String,
    },
    /// A record named badly.
    #[error("{0:?} is not a record: name the document and the key, as home/7.2")]
    BadCite(String),
    /// A value.
    #[error(transparent)]
    Value(#[from] BadValue),
    /// A file that can't be read or written.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// No passphrase.
    #[error("the passphrase could not be read: {0}; set GRABRAIL_FIELD_PASSPHRASE or type it at a terminal")]
    Passphrase(std::io::Error),
    /// An empty passphrase.
    #[error("the passphrase is empty")]
    NoPassphrase,
    /// There is nothing to show.
    #[error("{0}")]
    Nothing(&'static str),
    /// What was signed is withdrawn from Housing.
    #[error("{name}: {fate}; nothing may be built from it")]
    Withdrawn {
        /// The prescription.
        name: String,
        /// What became of it.
        fate: String,
    },
}

impl FieldError {
    /// The name of the problem, for scripts.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Device(error) => match error {
                DeviceError::Store(StoreError::WrongKey) => "wrong-key",
                DeviceError::Store(StoreError::InUse) => "store-in-use",
                DeviceError::Store(StoreError::DiskFull | StoreError::CantWrite) => "disk-full",
                DeviceError::Store(StoreError::Corrupt { .. }) => "store-damaged",
                DeviceError::Store(StoreError::Missing) => "no-store",
                DeviceError::Store(_) => "store",
                DeviceError::NotEnrolled => "not-enrolled",
                DeviceError::AlreadyEnrolled(_) => "already-enrolled",
                DeviceError::OtherPerson { .. } => "other-person",
                DeviceError::LeaseOver => "lease-over",
                DeviceError::WaitsForSync => "waits-for-sync",
                DeviceError::OwnCase(_) => "own-case",
                DeviceError::Enrolment(_) => "bad-enrolment",
                DeviceError::OtherServer => "other-server",
                DeviceError::NoSuchCase(_) => "no-such-case",
                DeviceError::NoSuchDocument(_) => "no-such-document",
                DeviceError::NoSuchRecord { .. } => "no-such-record",
                DeviceError::NoSuchPhoto(_) => "no-such-photo",
                DeviceError::SetAside(_) | DeviceError::Unreadable(_) => "set-aside",
                DeviceError::Unfit(_) | DeviceError::Refused(_) => "unfit",
                DeviceError::NotAllowed => "not-allowed",
                DeviceError::Findings(_) => "findings",
                DeviceError::NothingThere(_) => "nothing-there",
                DeviceError::Photo(_) => "not-a-photo",
                DeviceError::File { .. } => "file",
                DeviceError::Link(LinkError::Offline(_)) => "offline",
                DeviceError::Link(LinkError::Tls(_) | LinkError::Certificate(_)) => "not-safe",
                DeviceError::Link(LinkError::NotOurServer) => "not-our-server",
                DeviceError::Link(LinkError::Tampered) => "tampered",
                DeviceError::Link(_) => "server-refused",
            },
            Self::NoStore => "bad-command",
            Self::NoCase(_) => "no-such-case",
            Self::NoDocument { .. } => "no-such-document",
            Self::BadCite(_) | Self::Value(_) => "bad-value",
            Self::File(..) => "file",
            Self::Passphrase(_) | Self::NoPassphrase => "no-passphrase",
            Self::Nothing(_) | Self::Withdrawn { .. } => "nothing-there",
        }
    }

    /// Whether it was wrongly asked, rather than failed.
    const fn is_wrongly_asked(&self) -> bool {
        matches!(
            self,
            Self::NoStore
                | Self::NoCase(_)
                | Self::NoDocument { .. }
                | Self::BadCite(_)
                | Self::Value(_)
                | Self::NoPassphrase
                | Self::Device(DeviceError::Enrolment(_) | DeviceError::NoSuchCase(_) | DeviceError::NoSuchDocument(_))
        )
    }

    /// The problem object, with what the server or the findings say beside it.
    fn problem(&self) -> Value {
        let kind = format!("urn:grabrail:problem:{}", self.kind());
        let mut problem = json!({ "type": kind, "title": self.kind(), "detail": self.to_string() });
        match self {
            Self::Device(DeviceError::Findings(findings)) => problem["findings"] = show::findings(findings),
            Self::Device(DeviceError::Link(LinkError::Problem { status, kind, title, .. })) => {
                problem["status"] = json!(status);
                problem["title"] = json!(title);
                problem["server"] = json!(kind);
            }
            _ => {}
        }
        problem
    }
}

/// What a command has to say: one value for scripts, lines for people.
struct Said {
    json: Value,
    lines: Vec<String>,
}

impl Said {
    fn new(json: Value, lines: Vec<String>) -> Self {
        Self { json, lines }
    }

    fn line(json: Value, line: impl fmt::Display) -> Self {
        Self::new(json, vec![line.to_string()])
    }
}

/// `1 change`, `2 changes`.
fn count<N: fmt::Display + PartialEq + From<u8>>(number: N, what: &str) -> String {
    if number == N::from(1) { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A clock that was set by hand and goes on from there.
#[derive(Debug)]
struct SetClock {
    at: Timestamp,
    machine: SystemClock,
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        self.at.plus_millis(i64::try_from(self.machine.elapsed()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> u64 {
        self.machine.elapsed()
    }
}

/// Runs one command of a device.
#[allow(clippy::print_stderr)] // the console's own
pub async fn run(args: FieldArgs) -> ExitCode {
    let json = args.json;
    match done(args).await {
        Ok(said) => {
            let text = if json { said.json.to_string() } else { said.lines.join("\n") };
            // Whoever reads only the first line (`| head`) has what they wanted.
            match writeln!(std::io::stdout(), "{text}") {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    eprintln!("grabrail: what was done could not be told: {error}");
                    ExitCode::FAILURE
                }
                _ => ExitCode::SUCCESS,
            }
        }
        Err(error) => {
            if json {
                eprintln!("{}", error.problem());
            } else {
                eprintln!("grabrail: {error}");
            }
            if error.is_wrongly_asked() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

async fn done(args: FieldArgs) -> Result<Said, FieldError> {
    let clock: Arc<dyn Clock> = match args.clock {
        Some(at) => Arc::new(SetClock { at, machine: SystemClock::new() }),
        None => Arc::new(SystemClock::new()),
    };
    if let FieldVerb::Words { list, only } = &args.verb {
        return Ok(words::list(*list, only.as_deref()));
    }
    let store = args.store.ok_or(FieldError::NoStore)?;
    let exists = store.try_exists().map_err(|error| FieldError::File(store.display().to_string(), error))?;
    let making = !exists && matches!(args.verb, FieldVerb::Enrol { .. });
    let unlock = Unlock::Passphrase(passphrase(making)?);
    let chance = Box::new(SystemChance);
    let device = if making {
        Device::create(&store, &unlock, clock, chance).await?
    } else {
        Device::open(&store, &unlock, clock, chance).await?
    };
    let link = link(args.ca.as_deref());
    let said = match link {
        Ok(link) => {
            // The bars are drawn on standard error: neither it nor a pipe of the output is to hold half a bar.
            let progress = !args.json && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
            work::run(&device, &link, args.verb, progress).await
        }
        Err(error) => Err(error),
    };
    // The store is whole whether or not it could be closed tidily.
    let closed = device.close().await;
    let said = said?;
    closed?;
    Ok(said)
}

fn link(ca: Option<&std::path::Path>) -> Result<Link, FieldError> {
    let extra_roots = match ca {
        Some(path) => Some(std::fs::read(path).map_err(|error| FieldError::File(path.display().to_string(), error))?),
        None => None,
    };
    Ok(Link::new(&LinkOptions { extra_roots }).map_err(DeviceError::from)?)
}

/// The store's passphrase: from the environment or typed, never an argument, which others on the machine could read.
#[allow(clippy::disallowed_methods)] // a secret is no setting: `config` would print where it came from
fn passphrase(making: bool) -> Result<Zeroizing<String>, FieldError> {
    let passphrase = match std::env::var("GRABRAIL_FIELD_PASSPHRASE") {
        Ok(passphrase) => Zeroizing::new(passphrase),
        Err(_) => {
            let prompt = if making { "New passphrase of this device: " } else { "Passphrase of this device: " };
            Zeroizing::new(rpassword::prompt_password(prompt).map_err(FieldError::Passphrase)?)
        }
    };
    if passphrase.is_empty() { Err(FieldError::NoPassphrase) } else { Ok(passphrase) }
}
