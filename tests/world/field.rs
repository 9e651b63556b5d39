//! A device as a process for each thing done with it: `grabrail field`.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::grabrail;
use super::tablet::PASSPHRASE;
use super::verb::Said;

/// A device's store, opened by one process after another.
#[derive(Debug, Clone)]
pub struct Field {
    store: PathBuf,
    ca: Option<PathBuf>,
    most_bytes: Option<u64>,
    variables: Vec<(String, String)>,
}

impl Field {
    pub(crate) fn new(store: PathBuf) -> Self {
        Self { store, ca: None, most_bytes: None, variables: Vec::new() }
    }

    /// The same, trusting the authority in this file beside the machine's.
    pub fn trusting(&self, ca: &Path) -> Self {
        Self { ca: Some(ca.to_owned()), ..self.clone() }
    }

    /// The same on a file system that lets no file grow beyond so many bytes.
    pub fn cramped(&self, most_bytes: u64) -> Self {
        Self { most_bytes: Some(most_bytes), ..self.clone() }
    }

    /// The same with this variable in its environment, which is empty otherwise.
    pub fn with_env(&self, name: &str, value: &str) -> Self {
        let mut with = self.clone();
        with.variables.push((name.to_owned(), value.to_owned()));
        with
    }

    /// The store's file.
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// Starts a command and leaves it to the story.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.start_as(&["--json"], arguments)
    }

    fn start_as(&self, how: &[&str], arguments: &[&str]) -> Child {
        let mut command = grabrail(self.most_bytes);
        command.env_clear().env("GRABRAIL_FIELD_PASSPHRASE", PASSPHRASE);
        command.envs(self.variables.iter().map(|(name, value)| (name, value))).arg("field").args(how);
        command.arg("--store").arg(&self.store);
        if let Some(ca) = &self.ca {
            command.arg("--ca").arg(ca);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a command to its end.
    pub fn say(&self, arguments: &[&str]) -> Said {
        Said::of(self.start(arguments).wait_with_output().unwrap())
    }

    /// Runs a command to its end as a person does, for lines instead of JSON.
    pub fn tell(&self, arguments: &[&str]) -> Said {
        Said::of(self.start_as(&[], arguments).wait_with_output().unwrap())
    }

    /// Runs a command that has to do what it is asked: its JSON.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.say(arguments).done()).unwrap()
    }

    /// Runs a command that has to fail: its problem object.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str]) -> Value {
        let said = self.say(arguments);
        assert!(said.code.is_some_and(|code| code != 0), "{}{}", said.out, said.err);
        serde_json::from_str(&said.err).unwrap_or_else(|_| panic!("{} is no problem object", said.err))
    }
}
