//! What the operator decides: flags over `GRABRAIL_*` over `grabrail.toml` over defaults.
//!
//! Every value remembers where it came from, so that a bad one is refused by name and place, and `grabrail config`
//! can say what is in force. No setting is a secret: keys are files of the data folder, passwords are never settings.

mod cidr;
pub mod delegation;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sync_core::access::delegation::Delegation;
use sync_core::guard::Bounds;
use sync_core::protocol::enrolment::ServerUrl;

pub use self::cidr::{Cidr, NotACidr};
use self::delegation::BadPack;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// The command line.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "{name} in the environment"),
            Self::Flag(flag) => write!(f, "the flag {flag}"),
        }
    }
}

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file named by `--config` or found in the data folder can't be read.
    #[error("{path} can't be read: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It isn't TOML.
    #[error("{path} is not TOML: {source}")]
    NotToml {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A key of the file that no setting has.
    #[error("{path} has `{key}`, which is no setting; the settings are {}", Setting::names())]
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: String,
    },
    /// A value that its setting can't have.
    #[error("`{key}` can't be {value:?} (from {origin}): it must be {wanted}")]
    BadValue {
        /// Which setting.
        key: &'static str,
        /// What it was given.
        value: String,
        /// From where.
        origin: Source,
        /// What it takes.
        wanted: &'static str,
    },
    /// Others than this machine would reach the server in the clear.
    #[error(
        "`listen` is {listen} (from {origin}), which others can reach, and neither TLS nor a proxy is set: give \
         --tls-cert and --tls-key, or --behind-proxy with the address range of the proxy that speaks TLS, or listen \
         on 127.0.0.1"
    )]
    InTheClear {
        /// The address.
        listen: SocketAddr,
        /// From where.
        origin: Source,
    },
    /// One half of TLS.
    #[error("`{given}` is set and `{missing}` isn't: TLS needs both")]
    HalfTls {
        /// What is there.
        given: &'static str,
        /// What isn't.
        missing: &'static str,
    },
    /// Devices couldn't be told where the server is.
    #[error("`listen` is {0}, so `public_url` must say where devices reach the server: --public-url https://…")]
    NoPublicUrl(SocketAddr),
    /// The council's own delegation.
    #[error("`delegation` (from {origin}) can't be used: {source}")]
    Delegation {
        /// Where the setting came from.
        origin: Source,
        /// What is wrong.
        source: BadPack,
    },
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A certificate and its key, PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Bounds on what is taken and how long it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest sync request as sent, in bytes.
    pub sync_bytes: usize,
    /// Largest sync request inflated, in bytes.
    pub sync_inflated_bytes: usize,
    /// Largest change of a document, in bytes.
    pub change_bytes: usize,
    /// Most bytes of one document's changes in one request.
    pub push_bytes: usize,
    /// Largest document as it is kept, in bytes.
    pub document_bytes: usize,
    /// Most bytes of changes that one device may bring in a day (UTC).
    pub device_day_bytes: u64,
    /// Largest photo, in bytes.
    pub photo_bytes: usize,
    /// Longest a request may take, in seconds; that of a sync or a photo begins once its body is there.
    pub request_seconds: u64,
    /// How many passwords are checked at once (19 MiB each).
    pub argon2_at_once: usize,
    /// How long an access token is good, in minutes.
    pub token_minutes: i64,
    /// How long a sign-in is good, in hours.
    pub session_hours: i64,
    /// How long an enrolment code is good, in hours.
    pub code_hours: i64,
    /// For how long a device may go without contact and still open cases, in hours.
    pub lease_hours: u16,
    /// For how long a look at the HCPC's register is good, in days.
    pub hcpc_days: u32,
    /// For how long a case is reached in an emergency, in hours.
    pub break_glass_hours: u16,
}

impl Limits {
    /// What the guard holds pushes to.
    pub fn bounds(&self) -> Bounds {
        let bounds = Bounds::default();
        Bounds {
            change_bytes: self.change_bytes,
            push_bytes: self.push_bytes,
            document_bytes: self.document_bytes,
            document_inflated: bounds.document_inflated.max(self.document_bytes.saturating_mul(4)),
            device_day_bytes: self.device_day_bytes,
            ..bounds
        }
    }
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// The name of the Welfare Authority, given to the council's organisation when the data folder is made.
    pub authority: String,
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Where devices reach it.
    pub public_url: ServerUrl,
    /// TLS, when the server speaks it itself.
    pub tls: Option<TlsFiles>,
    /// The proxies that speak TLS before it, and whose word on a client's address is believed.
    pub behind_proxy: Vec<Cidr>,
    /// Bounds.
    pub limits: Limits,
    /// Who may sign which prescription off.
    pub delegation: Delegation,
    /// How log lines are written.
    pub log: LogFormat,
    /// What is logged, in the words of `tracing_subscriber::EnvFilter`.
    pub log_filter: String,
    values: BTreeMap<Setting, (String, Source)>,
}

macro_rules! keys {
    ($($variant:ident $name:literal $flag:ident $default:literal $help:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        enum Setting { $($variant),* }

        impl Setting {
            const ALL: &[Self] = &[$(Self::$variant),*];

            const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Empty: not set.
            const fn default(self) -> &'static str {
                match self { $(Self::$variant => $default),* }
            }

            const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help),* }
            }
        }

        /// The command line's settings, as text: what is wrong with one is said in one place for all sources.
        #[derive(Debug, Clone, Default, clap::Args)]
        #[command(next_help_heading = "Settings (also in GRABRAIL_… and grabrail.toml)")]
        pub struct Flags {
            /// Configuration file [default: grabrail.toml in the data folder, if there is one]
            #[arg(long, global = true, value_name = "FILE")]
            pub config: Option<PathBuf>,
            $(
                #[doc = $help]
                #[arg(long, global = true, value_name = "VALUE")]
                pub $flag: Option<String>,
            )*
        }

        impl Flags {
            fn get(&self, key: Setting) -> Option<&str> {
                match key { $(Setting::$variant => self.$flag.as_deref()),* }
            }
        }
    };
}

keys! {
    Data "data" data "./grabrail-data" "Data folder: all of one Welfare Authority";
    Authority "authority" authority "Example Council" "Name of the Welfare Authority, used when the data folder is made";
    Listen "listen" listen "127.0.0.1:7878" "Address and port to listen on";
    PublicUrl "public_url" public_url "" "Where devices reach the server; goes into enrolment codes";
    TlsCert "tls_cert" tls_cert "" "PEM file of the TLS certificate chain";
    TlsKey "tls_key" tls_key "" "PEM file of the TLS certificate's key";
    BehindProxy "behind_proxy" behind_proxy "" "Address ranges of the proxy that speaks TLS, as 10.0.0.0/8, commas between";
    SyncBytes "sync_bytes" sync_bytes "8388608" "Largest sync request as sent, in bytes";
    SyncInflatedBytes "sync_inflated_bytes" sync_inflated_bytes "67108864" "Largest sync request inflated, in bytes";
    ChangeBytes "change_bytes" change_bytes "262144" "Largest change of a document, in bytes";
    PushBytes "push_bytes" push_bytes "4194304" "Most bytes of one document's changes in one request";
    DocumentBytes "document_bytes" document_bytes "16777216" "Largest document as it is kept, in bytes";
    DeviceDayBytes "device_day_bytes" device_day_bytes "67108864" "Most bytes that one device's changes take in a day (UTC), as signed; more waits for the next";
    PhotoBytes "photo_bytes" photo_bytes "12582912" "Largest photo, in bytes";
    RequestSeconds "request_seconds" request_seconds "60" "Longest a request may take once a sync or photo is there, in seconds";
    Argon2AtOnce "argon2_at_once" argon2_at_once "2" "How many passwords are checked at once, 19 MiB of memory each";
    TokenMinutes "token_minutes" token_minutes "10" "How long an access token is good, in minutes";
    SessionHours "session_hours" session_hours "12" "How long a sign-in is good, in hours";
    CodeHours "code_hours" code_hours "24" "How long an enrolment code is good, in hours";
    LeaseHours "lease_hours" lease_hours "168" "How long a device may be offline and still open cases, in hours";
    HcpcDays "hcpc_days" hcpc_days "30" "How long a look at the HCPC's register is good, in days";
    BreakGlassHours "break_glass_hours" break_glass_hours "24" "How long a case is reached in an emergency, in hours";
    Delegation "delegation" delegation "" "TOML file of who may sign which prescription off, in the place of what comes with the program";
    Log "log" log "text" "How log lines are written: text or json";
    LogFilter "log_filter" log_filter "info" "What is logged, such as warn or info,grabrail_server=debug";
}

impl Setting {
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.name() == name)
    }

    fn names() -> String {
        Self::ALL.iter().map(|key| key.name()).collect::<Vec<_>>().join(", ")
    }

    fn variable(self) -> String {
        format!("GRABRAIL_{}", self.name().to_ascii_uppercase())
    }

    fn flag(self) -> String {
        format!("--{}", self.name().replace('_', "-"))
    }
}

/// Values on their way to a [`Config`], still text.
#[derive(Debug)]
struct Values(BTreeMap<Setting, (String, Source)>);

impl Values {
    fn text(&self, key: Setting) -> &str {
        self.0.get(&key).map_or(key.default(), |(value, _)| value)
    }

    fn origin(&self, key: Setting) -> Source {
        self.0.get(&key).map_or(Source::Default, |(_, source)| source.clone())
    }

    fn bad(&self, key: Setting, wanted: &'static str) -> ConfigError {
        ConfigError::BadValue {
            key: key.name(),
            value: self.text(key).chars().take(100).collect(),
            origin: self.origin(key),
            wanted,
        }
    }

    fn parse<T: FromStr>(&self, key: Setting, wanted: &'static str) -> Result<T, ConfigError> {
        self.text(key).parse().map_err(|_| self.bad(key, wanted))
    }

    fn number<T: FromStr + PartialOrd>(
        &self,
        key: Setting,
        least: T,
        most: T,
        wanted: &'static str,
    ) -> Result<T, ConfigError> {
        let number = self.parse(key, wanted)?;
        if number < least || number > most { Err(self.bad(key, wanted)) } else { Ok(number) }
    }

    fn path(&self, key: Setting) -> Option<PathBuf> {
        Some(self.text(key)).filter(|text| !text.is_empty()).map(PathBuf::from)
    }
}

impl Config {
    /// Reads the configuration of this process.
    ///
    /// # Errors
    /// [`ConfigError`].
    #[allow(clippy::disallowed_methods)] // the one place where the environment is read
    pub fn of_process(flags: &Flags) -> Result<Self, ConfigError> {
        Self::read(flags, &|name| std::env::var(name).ok())
    }

    /// Reads the configuration from flags, an environment and the file they lead to.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(flags: &Flags, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut values = Values(BTreeMap::new());
        for &key in Setting::ALL {
            let variable = key.variable();
            if let Some(text) = flags.get(key) {
                values.0.insert(key, (text.to_owned(), Source::Flag(key.flag())));
            } else if let Some(text) = environment(&variable) {
                values.0.insert(key, (text, Source::Environment(variable)));
            }
        }
        // The data folder leads to the file, so the file can't move it unless it was named itself.
        let named = flags.config.clone().or_else(|| environment("GRABRAIL_CONFIG").map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| Path::new(values.text(Setting::Data)).join("grabrail.toml"));
        match std::fs::read_to_string(&path) {
            Ok(text) => add_file(&mut values, &path, &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {}
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        }
        Self::from_values(values)
    }

    fn from_values(values: Values) -> Result<Self, ConfigError> {
        let listen: SocketAddr = values.parse(Setting::Listen, "an address and port such as 127.0.0.1:7878")?;
        let tls = match (values.path(Setting::TlsCert), values.path(Setting::TlsKey)) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (Some(_), None) => return Err(ConfigError::HalfTls { given: "tls_cert", missing: "tls_key" }),
            (None, Some(_)) => return Err(ConfigError::HalfTls { given: "tls_key", missing: "tls_cert" }),
        };
        let ranges = values.text(Setting::BehindProxy).split(',').map(str::trim).filter(|range| !range.is_empty());
        let behind_proxy = ranges
            .map(str::parse)
            .collect::<Result<Vec<Cidr>, _>>()
            .map_err(|_| values.bad(Setting::BehindProxy, "address ranges such as 10.0.0.0/8, commas between"))?;
        if !listen.ip().to_canonical().is_loopback() && tls.is_none() && behind_proxy.is_empty() {
            return Err(ConfigError::InTheClear { listen, origin: values.origin(Setting::Listen) });
        }
        let public_url = match values.text(Setting::PublicUrl) {
            "" if listen.ip().is_loopback() => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                format!("{scheme}://{listen}").parse().map_err(|_| ConfigError::NoPublicUrl(listen))?
            }
            "" => return Err(ConfigError::NoPublicUrl(listen)),
            _ => values.parse(Setting::PublicUrl, "https://… with no / at its end (http:// only on this machine)")?,
        };
        let authority = values.text(Setting::Authority).trim().to_owned();
        if authority.is_empty() || authority.chars().count() > 200 {
            return Err(values.bad(Setting::Authority, "a name of 1 to 200 characters"));
        }
        let log = match values.text(Setting::Log) {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => return Err(values.bad(Setting::Log, "text or json")),
        };
        let filter = values.text(Setting::LogFilter);
        if filter.parse::<tracing_subscriber::filter::Targets>().is_err() {
            return Err(values.bad(Setting::LogFilter, "a level or targets, such as info,grabrail_server=debug"));
        }
        let delegation = delegation::in_force(values.path(Setting::Delegation).as_deref())
            .map_err(|source| ConfigError::Delegation { origin: values.origin(Setting::Delegation), source })?;
        Ok(Self {
            data: values.path(Setting::Data).ok_or_else(|| values.bad(Setting::Data, "a folder"))?,
            authority,
            listen,
            public_url,
            tls,
            behind_proxy,
            limits: limits(&values)?,
            delegation,
            log,
            log_filter: filter.to_owned(),
            values: values.0,
        })
    }

    /// Where the delegation comes from, in words.
    pub fn delegation_from(&self) -> String {
        match self.values.get(&Setting::Delegation).filter(|(file, _)| !file.is_empty()) {
            Some((file, source)) => format!("from {file} (set by {source})"),
            None => "as it comes with the program".to_owned(),
        }
    }

    /// Whether a peer is a proxy whose word on its client's address is believed.
    pub fn is_proxy(&self, peer: IpAddr) -> bool {
        self.behind_proxy.iter().any(|range| range.contains(peer))
    }
}

fn limits(values: &Values) -> Result<Limits, ConfigError> {
    const MIB: usize = 1024 * 1024;
    let bytes = "bytes, between 65536 and 1073741824";
    // Devices make changes and pushes as large as these: less would refuse honest work for its form, and a day that is
    // shorter than a push with what was signed would put it off for ever.
    let (bounds, push) = (Bounds::default(), "bytes, between 4194304 and 1073741824");
    Ok(Limits {
        sync_bytes: values.number(Setting::SyncBytes, 65536, 1024 * MIB, bytes)?,
        sync_inflated_bytes: values.number(Setting::SyncInflatedBytes, 65536, 1024 * MIB, bytes)?,
        change_bytes: values.number(
            Setting::ChangeBytes,
            bounds.change_bytes,
            1024 * MIB,
            "bytes, between 262144 and 1073741824",
        )?,
        push_bytes: values.number(Setting::PushBytes, bounds.push_bytes, 1024 * MIB, push)?,
        document_bytes: values.number(
            Setting::DocumentBytes,
            MIB,
            1024 * MIB,
            "bytes, between 1048576 and 1073741824",
        )?,
        device_day_bytes: values.number(
            Setting::DeviceDayBytes,
            2 * bounds.push_bytes as u64,
            1 << 40,
            "bytes, between 8388608 and 1099511627776",
        )?,
        photo_bytes: values.number(Setting::PhotoBytes, 65536, 1024 * MIB, bytes)?,
        request_seconds: values.number(Setting::RequestSeconds, 1, 3600, "seconds, between 1 and 3600")?,
        argon2_at_once: values.number(Setting::Argon2AtOnce, 1, 64, "a number between 1 and 64")?,
        token_minutes: values.number(Setting::TokenMinutes, 1, 60, "minutes, between 1 and 60")?,
        session_hours: values.number(Setting::SessionHours, 1, 168, "hours, between 1 and 168")?,
        code_hours: values.number(Setting::CodeHours, 1, 168, "hours, between 1 and 168")?,
        lease_hours: values.number(Setting::LeaseHours, 1, 8760, "hours, between 1 and 8760")?,
        hcpc_days: values.number(Setting::HcpcDays, 1, 366, "days, between 1 and 366")?,
        break_glass_hours: values.number(Setting::BreakGlassHours, 1, 168, "hours, between 1 and 168")?,
    })
}

fn add_file(values: &mut Values, path: &Path, text: &str) -> Result<(), ConfigError> {
    let table: toml::Table =
        text.parse().map_err(|source| ConfigError::NotToml { path: path.to_owned(), source: Box::new(source) })?;
    for (name, value) in table {
        let key = Setting::named(&name)
            .ok_or_else(|| ConfigError::UnknownKey { path: path.to_owned(), key: name.chars().take(64).collect() })?;
        let source = Source::File(path.to_owned());
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Array(items) if items.iter().all(toml::Value::is_str) => {
                items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
            }
            other => {
                let value = other.type_str().to_owned();
                let wanted = "text, a whole number, or a list of texts";
                return Err(ConfigError::BadValue { key: key.name(), value, origin: source, wanted });
            }
        };
        values.0.entry(key).or_insert((text, source));
    }
    Ok(())
}

impl fmt::Display for Config {
    /// As TOML, each value with a comment of what it is and where it came from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &key in Setting::ALL {
            let default = (key.default().to_owned(), Source::Default);
            let (text, source) = self.values.get(&key).unwrap_or(&default);
            writeln!(f, "# {}", key.help())?;
            let name = key.name();
            match (key, text.parse::<i64>()) {
                (Setting::PublicUrl, _) => writeln!(f, "{name} = {} # {source}", quoted(self.public_url.as_str()))?,
                (_, Ok(number)) => writeln!(f, "{name} = {number} # {source}")?,
                _ if text.is_empty() => writeln!(f, "# {name} is not set")?,
                _ => writeln!(f, "{name} = {} # {source}", quoted(text))?,
            }
        }
        Ok(())
    }
}

/// A basic string of TOML: JSON's, but that DEL is escaped too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: Flags, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(&flags, &|name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn folder(file: &str) -> tempfile::TempDir {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("grabrail.toml"), file).unwrap();
        temp
    }

    fn flags(data: &tempfile::TempDir) -> Flags {
        Flags { data: Some(data.path().display().to_string()), ..Flags::default() }
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file_beats_the_default_and_each_says_so() {
        let temp =
            folder("token_minutes = 5\nsession_hours = 5\ncode_hours = 5\nbehind_proxy = [\"10.0.0.0/8\", \"::1\"]\n");
        let flags = Flags { token_minutes: Some("7".into()), ..flags(&temp) };
        let config = read(flags, &[("GRABRAIL_TOKEN_MINUTES", "6"), ("GRABRAIL_SESSION_HOURS", "6")]).unwrap();
        let limits = config.limits;
        assert_eq!((limits.token_minutes, limits.session_hours, limits.code_hours), (7, 6, 5));
        assert_eq!((limits.sync_bytes, limits.photo_bytes), (8 << 20, 12 << 20));
        assert_eq!(limits.bounds(), Bounds::default());
        assert_eq!(config.behind_proxy.len(), 2);

        let shown = config.to_string();
        assert!(shown.contains("token_minutes = 7 # the flag --token-minutes\n"), "{shown}");
        assert!(shown.contains("session_hours = 6 # GRABRAIL_SESSION_HOURS in the environment\n"));
        assert!(shown.contains("code_hours = 5 # ") && shown.contains("grabrail.toml\n"));
        assert!(shown.contains("request_seconds = 60 # default\n"));
        assert!(shown.contains("public_url = \"http://127.0.0.1:7878\" # default\n"));
        // What is printed can be used as a file, and says the same.
        let again = folder(&shown);
        let named = Flags { config: Some(again.path().join("grabrail.toml")), ..Flags::default() };
        let again = read(named, &[]).unwrap();
        assert_eq!((again.limits, again.data, again.listen), (config.limits, config.data, config.listen));
    }

    #[test]
    fn each_bound_that_is_set_is_the_one_that_the_guard_holds_pushes_to() {
        let temp = folder("change_bytes = 300000\npush_bytes = 5000000\ndevice_day_bytes = 90000000\n");
        let bounds = read(flags(&temp), &[("GRABRAIL_DOCUMENT_BYTES", "50000000")]).unwrap().limits.bounds();
        let set = Bounds {
            change_bytes: 300_000,
            push_bytes: 5_000_000,
            document_bytes: 50_000_000,
            document_inflated: 200_000_000,
            device_day_bytes: 90_000_000,
            ..Bounds::default()
        };
        assert_eq!(bounds, set);
        // Each by itself moves nothing else.
        let default = Bounds::default;
        for (name, value, moved) in [
            ("CHANGE_BYTES", "300000", Bounds { change_bytes: 300_000, ..default() }),
            ("PUSH_BYTES", "5000000", Bounds { push_bytes: 5_000_000, ..default() }),
            ("DEVICE_DAY_BYTES", "90000000", Bounds { device_day_bytes: 90_000_000, ..default() }),
        ] {
            let limits = read(Flags::default(), &[(&format!("GRABRAIL_{name}"), value)]).unwrap().limits;
            assert_eq!(limits.bounds(), moved, "{name}");
        }
    }

    #[test]
    fn an_address_that_others_reach_needs_tls_or_a_proxy() {
        let temp = folder("listen = \"0.0.0.0:443\"\npublic_url = \"https://ot.example.gov.uk\"\n");
        let refused = read(flags(&temp), &[]).unwrap_err();
        assert!(matches!(refused, ConfigError::InTheClear { .. }));
        assert!(refused.to_string().contains("--tls-cert") && refused.to_string().contains("--behind-proxy"));
        read(Flags { behind_proxy: Some("10.0.0.0/8".into()), ..flags(&temp) }, &[]).unwrap();
        let tls = Flags { tls_cert: Some("c.pem".into()), tls_key: Some("k.pem".into()), ..flags(&temp) };
        read(tls, &[]).unwrap();
        let half = read(Flags { tls_cert: Some("c.pem".into()), ..flags(&temp) }, &[]).unwrap_err();
        assert!(matches!(half, ConfigError::HalfTls { missing: "tls_key", .. }));
        let temp = folder("listen = \"0.0.0.0:443\"\nbehind_proxy = \"10.0.0.0/8\"\n");
        assert!(matches!(read(flags(&temp), &[]), Err(ConfigError::NoPublicUrl(_))));
        for listen in ["[::1]:1", "127.9.9.9:1"] {
            read(Flags { listen: Some(listen.into()), data: Some("none".into()), ..Flags::default() }, &[]).unwrap();
        }
    }

    #[test]
    fn a_bad_value_is_refused_by_its_name_and_where_it_came_from() {
        for (key, value) in [
            ("GRABRAIL_LISTEN", "7878"),
            ("GRABRAIL_TOKEN_MINUTES", "0"),
            ("GRABRAIL_TOKEN_MINUTES", "ten"),
            ("GRABRAIL_SYNC_BYTES", "-1"),
            ("GRABRAIL_CHANGE_BYTES", "1000"),
            ("GRABRAIL_DEVICE_DAY_BYTES", "8388607"),
            ("GRABRAIL_PUBLIC_URL", "http://ot.example.gov.uk"),
            ("GRABRAIL_PUBLIC_URL", "https://me:secret@ot.example.gov.uk"),
            ("GRABRAIL_BEHIND_PROXY", "10.0.0.0/33"),
            ("GRABRAIL_LOG", "xml"),
            ("GRABRAIL_LOG_FILTER", "a=b=c"),
            ("GRABRAIL_AUTHORITY", " "),
            ("GRABRAIL_DATA", ""),
        ] {
            let said = read(Flags::default(), &[(key, value)]).unwrap_err().to_string();
            let name = key.trim_start_matches("GRABRAIL_").to_lowercase();
            assert!(said.contains(&format!("`{name}`")) && said.contains(key), "{said}");
        }
        let temp = folder("tokn_minutes = 5\n");
        assert!(read(flags(&temp), &[]).unwrap_err().to_string().contains("`tokn_minutes`"));
        let temp = folder("log = true\n");
        assert!(read(flags(&temp), &[]).unwrap_err().to_string().contains("grabrail.toml"));
        let temp = folder("log = \n");
        assert!(matches!(read(flags(&temp), &[]), Err(ConfigError::NotToml { .. })));
        let missing = Flags { config: Some("no/such/file.toml".into()), ..Flags::default() };
        assert!(matches!(read(missing, &[]), Err(ConfigError::Unreadable { .. })));
    }
}
