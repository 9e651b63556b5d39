//! The world of a story: a data folder, its settings file, the server on it, and the people with their devices.

pub(crate) mod field;
pub(crate) mod line;
pub(crate) mod server;
pub(crate) mod tablet;
pub(crate) mod verb;

use std::io::{ErrorKind, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use sync_core::access::Role;
use sync_core::device::LinkOptions;

use self::field::Field;
use self::server::Server;
use self::tablet::Tablet;
use self::verb::{Said, say};

/// The password of everybody in a story.
pub const PASSWORD: &str = "four words by hand";

/// How often another port is tried when somebody else took the one that was free a moment ago.
const PORTS: usize = 5;

/// A Welfare Authority in a temporary folder. It goes when this is dropped, and its server with it.
#[derive(Debug)]
pub struct World {
    /// The server.
    pub server: Server,
    folder: tempfile::TempDir,
}

impl World {
    /// A fresh data folder and a server on it that takes requests.
    pub async fn start() -> Self {
        Self::start_with("", None).await
    }

    /// The same with more lines of settings; `roots` are the certificates (PEM) to trust it by, if it speaks TLS.
    pub async fn start_with(more: &str, roots: Option<&[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, settings) = (folder.path().join("data"), folder.path().join("grabrail.toml"));
        for _ in 0..PORTS {
            let address = free_address();
            // The address is in the file, so that every verb tells devices the same one, after a restart too.
            let (data, authority) = (data.display(), "Borough of Example");
            let text = format!("data = \"{data}\"\nlisten = \"{address}\"\nauthority = \"{authority}\"\n{more}");
            std::fs::write(&settings, text).unwrap();
            if let Some(server) = Server::start(&settings, address, &folder.path().join("server.log"), roots).await {
                return Self { server, folder };
            }
        }
        panic!("no free port was found in {PORTS} tries");
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A path for a file of the story.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs an administrative verb as a process beside the server, with `stdin` to read.
    pub fn say(&self, arguments: &[&str], stdin: &str) -> Said {
        say(&self.path("grabrail.toml"), arguments, stdin)
    }

    /// Adds an account of the council with [`PASSWORD`]; who needs a registration has one, looked up.
    pub fn account(&self, sign_in: &str, role: Role) -> String {
        self.account_with(sign_in, role, &[])
    }

    /// Adds an account with further arguments, such as `--organisation`.
    pub fn account_with(&self, sign_in: &str, role: Role, more: &[&str]) -> String {
        let (name, role_name) = (format!("{sign_in} of the story"), role.to_string());
        let mut arguments = vec!["account", "add", sign_in, "--name", &name, "--role", &role_name];
        arguments.extend_from_slice(more);
        if matches!(role, Role::Ot | Role::SeniorOt | Role::PrincipalOt | Role::PrivateOt) {
            arguments.extend_from_slice(&["--hcpc", "OT12345", "--register", "registered"]);
        }
        self.say(&arguments, PASSWORD).done()
    }

    /// A one-time enrolment text for a device of an account.
    pub fn code(&self, sign_in: &str) -> String {
        self.say(&["device", "code", sign_in], "").done()
    }

    /// Imports one case with this reference, allocated to an account.
    pub fn case(&self, reference: &str, allocated_to: &str) {
        let row = format!("{reference},Doris Example,\"1 Sample Street, Exampleton\",{allocated_to}\n");
        let file = self.path(&format!("{reference}.csv"));
        std::fs::write(&file, format!("reference,name,address,allocated_to\n{row}")).unwrap();
        self.say(&["case", "import", file.to_str().unwrap()], "").done();
    }

    /// A device of an account: a fresh store, enrolled over the network, not yet synced.
    pub async fn tablet(&self, sign_in: &str) -> Tablet {
        let tablet = self.blank_tablet(sign_in, &LinkOptions::default()).await;
        tablet.device.enrol(&tablet.link, &self.code(sign_in), sign_in).await.unwrap();
        tablet
    }

    /// A device that is nobody's yet.
    pub async fn blank_tablet(&self, name: &str, options: &LinkOptions) -> Tablet {
        Tablet::blank(&self.path(&format!("{name}.store")), options).await
    }

    /// A device that is a process for each thing done with it; nobody's yet.
    pub fn field(&self, name: &str) -> Field {
        Field::new(self.path(&format!("{name}.store")))
    }
}

/// An address on this machine that nobody listens on.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).unwrap()
}

/// A file of the build, by its name: the binaries and libraries are two folders above the test's own.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join(name);
    match std::fs::metadata(&path) {
        Ok(_) => path,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("{} is not built: `tests/run` builds the workspace before it runs stories", path.display())
        }
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// The program, on a file system that lets no file grow beyond so many bytes, if they are given.
pub(crate) fn grabrail(most_bytes: Option<u64>) -> Command {
    let Some(bytes) = most_bytes else { return Command::new(built("grabrail")) };
    // The bound is the kernel's, in blocks of 512 bytes; without the signal a write that breaks it is an error, as on
    // a full disk.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &(bytes / 512).to_string()]);
    shell.arg(built("grabrail"));
    shell
}

/// Whether the run was asked to take its time: `tests/run --long`.
#[allow(clippy::disallowed_methods, reason = "a setting of the test run, not of the product")]
pub fn is_long() -> bool {
    std::env::var("GRABRAIL_TEST_LONG").is_ok_and(|value| value == "1")
}

/// Says how much was tried, past the test harness, which keeps what passing tests print: `tests/run` shows it.
pub fn count(what: &str) {
    // Nobody can be told that there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "counted: {what}");
}
