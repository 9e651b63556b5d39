//! Administrative verbs, as an operator runs them: a process each, passwords on standard input.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::built;

/// What a verb said and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    pub(crate) fn of(ended: Output) -> Self {
        Self {
            code: ended.status.code(),
            out: String::from_utf8_lossy(&ended.stdout).into_owned(),
            err: String::from_utf8_lossy(&ended.stderr).into_owned(),
        }
    }

    /// What it said, without the line's end; fails the story if it did not do what it was asked.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out.trim_end().to_owned()
    }
}

/// Runs a verb with a settings file. No variable of the surroundings reaches it, so that every machine runs the same story.
pub(crate) fn say(settings: &Path, arguments: &[&str], stdin: &str) -> Said {
    let mut child = Command::new(built("grabrail"))
        .env_clear()
        .args(arguments)
        .arg("--config")
        .arg(settings)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A verb that reads nothing may have ended before this is written.
    let _ = writeln!(child.stdin.take().unwrap(), "{stdin}");
    Said::of(child.wait_with_output().unwrap())
}
