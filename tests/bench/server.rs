//! The real server as a process, and its verbs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The password of everybody here.
const PASSWORD: &str = "four words by hand";

/// The program beside this one.
pub(crate) fn program() -> PathBuf {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let folder = if folder.ends_with("deps") { folder.parent().unwrap().to_owned() } else { folder };
    folder.join("grabrail")
}

/// A verb's process on the data folder below `server`; `url` is where devices reach it.
fn verb(server: &Path, url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.env_clear().env("GRABRAIL_DATA", server.join("data")).env("GRABRAIL_PUBLIC_URL", url).args(arguments);
    command
}

/// Runs a verb: what it printed.
pub(crate) fn say(server: &Path, url: &str, arguments: &[&str]) -> String {
    let mut child =
        verb(server, url, arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("grabrail is built");
    // A verb that reads nothing may have ended before this is written.
    let _ = writeln!(child.stdin.take().unwrap(), "{PASSWORD}");
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "grabrail {} failed", arguments.join(" "));
    String::from_utf8(ended.stdout).unwrap().trim().to_owned()
}

/// Adds an OT.
pub(crate) fn account(server: &Path, url: &str, sign_in: &str) {
    let name = format!("{sign_in} of the benchmark");
    let registered = ["--hcpc", "OT12345", "--register", "registered"];
    say(server, url, &[&["account", "add", sign_in, "--name", &name, "--role", "ot"], &registered[..]].concat());
}

/// Imports cases from rows of reference, name, address and sign-in.
pub(crate) fn import(server: &Path, url: &str, rows: impl Iterator<Item = [String; 4]>) {
    let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
    let rows = rows.map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n");
    let csv: String = std::iter::once("reference,name,address,allocated_to\n".to_owned()).chain(rows).collect();
    let file = server.join("import.csv");
    std::fs::write(&file, csv).unwrap();
    say(server, url, &["case", "import", file.to_str().unwrap()]);
    std::fs::remove_file(file).unwrap();
}

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Serving(Child);

impl Serving {
    /// Starts it and waits until it takes requests.
    pub(crate) async fn start(server: &Path, address: &str) -> Self {
        let mut command = verb(server, &format!("http://{address}"), &["serve"]);
        command.env("GRABRAIL_LISTEN", address).env("GRABRAIL_LOG_FILTER", "warn");
        let log = std::fs::File::create(server.join("server.log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let serving = Self(child);
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return serving;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server doesn't listen: see {}", server.join("server.log").display());
    }

    pub(crate) fn process(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // An error says that it ended before.
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// Copies a folder in the place of another, as it is.
pub(crate) fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}
