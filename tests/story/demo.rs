//! The demonstration is the story of a home visit, and it checks every sentence of it: here it must hold, leave nothing
//! behind, offer what works, and keep what is needed to see why when it fails.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use grabrail_tests::built;
use sync_core::clock::{Clock as _, SystemClock};

/// A demonstration with a folder of its own for temporary files.
fn demonstration(temporary: &Path) -> Command {
    let mut command = Command::new(built("grabrail"));
    command.arg("demo").env("TMPDIR", temporary).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What lies in a folder.
fn within(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_home_visit_from_a_device_with_no_signal_to_the_surveyors_desk() {
    let temporary = tempfile::tempdir().unwrap();
    let ran = demonstration(temporary.path()).arg("--once").output().unwrap();
    let (told, failed) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{told}\n{failed}");
    let steps = told.lines().filter(|line| line.contains('✓')).count();
    assert_eq!(steps, 21, "{told}");
    assert!(told.contains("Every step was as it should be"), "{told}");
    assert!(within(temporary.path()).is_empty(), "it left {:?}", within(temporary.path()));
}

#[test]
fn a_demonstration_that_fails_names_the_folder_that_it_keeps() {
    let temporary = tempfile::tempdir().unwrap();
    let playing = demonstration(temporary.path()).arg("--once").spawn().unwrap();
    // Ana's tablet is lost once everybody has one: she has nothing to measure with.
    let clock = SystemClock::new();
    let folder = loop {
        let folder = within(temporary.path()).pop();
        if let Some(folder) = folder.filter(|folder| folder.join("sue.store").exists()) {
            break folder;
        }
        assert!(clock.elapsed() < 120_000, "nobody got a device");
        std::thread::sleep(Duration::from_millis(5));
    };
    std::fs::remove_file(folder.join("ana.store")).unwrap();
    let ran = playing.wait_with_output().unwrap();
    let failed = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{failed}");
    assert!(failed.contains("ana.store: ") && failed.contains(folder.to_str().unwrap()), "{failed}");
    for kept in ["server.log", "data", "ben.store", "sue.store"] {
        assert!(folder.join(kept).exists(), "{kept} is gone");
    }
    let log = std::fs::read_to_string(folder.join("server.log")).unwrap();
    assert!(log.trim_end().ends_with("stopped"), "the server was not stopped in order:\n{log}");
}

/// A running demonstration, in a group of its own: what is sent to the group reaches it and its server, as from a
/// terminal, and nobody else.
struct Running(Child);

impl Running {
    fn start(temporary: &Path) -> Self {
        Self(demonstration(temporary).process_group(0).spawn().unwrap())
    }

    /// Sends a signal to all of it; whether there was anybody.
    fn signal(&self, name: &str) -> bool {
        let command = format!("kill -{name} -{}", self.0.id());
        Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After a story that failed; otherwise nobody is there any more, and the number may be another's.
        if matches!(self.0.try_wait(), Ok(None)) {
            self.signal("KILL");
        }
        let _ = self.0.wait();
    }
}

/// What a running demonstration offers to try, one command a line.
fn offered(playing: &mut Child) -> Vec<String> {
    let mut commands = Vec::new();
    let mut told = BufReader::new(playing.stdout.as_mut().unwrap());
    let (mut offers, mut line) = (false, String::new());
    while told.read_line(&mut line).unwrap() > 0 && !line.starts_with("Ctrl-C ends it") {
        if offers && !line.trim().is_empty() {
            commands.push(line.trim().to_owned());
        }
        offers |= line.starts_with("Try:");
        line.clear();
    }
    commands
}

#[test]
fn what_the_demonstration_offers_works_as_it_stands_and_ctrl_c_ends_it() {
    let temporary = tempfile::tempdir().unwrap();
    let mut playing = Running::start(temporary.path());
    let commands = offered(&mut playing.0);
    assert_eq!(commands.len(), 3, "{commands:?}");
    for (command, answer) in commands.iter().zip(["\"access\"", "Elsie Marsh", "signed off by Grace Lin"]) {
        let ran = Command::new("sh").args(["-c", command]).output().unwrap();
        let (said, failed) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success() && said.contains(answer), "{command}\n{said}\n{failed}");
    }

    assert!(playing.signal("INT"));
    let status = playing.0.wait().unwrap();
    let mut failed = String::new();
    playing.0.stderr.take().unwrap().read_to_string(&mut failed).unwrap();
    assert!(status.success(), "{status}: {failed}");
    assert!(!playing.signal("0"), "something of it still runs");
    let folder = within(temporary.path()).pop().expect("the folder stays");
    let log = std::fs::read_to_string(folder.join("server.log")).unwrap();
    assert!(log.trim_end().ends_with("stopped"), "the server was not stopped in order:\n{log}");
}
