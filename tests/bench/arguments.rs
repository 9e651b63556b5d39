//! Arguments as every client of the benchmark takes them: a command, then `name=value`.

use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) struct Arguments(BTreeMap<String, String>);

impl Arguments {
    pub(crate) fn of(arguments: impl Iterator<Item = String>) -> Self {
        Self(arguments.filter_map(|text| text.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()))).collect())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    #[track_caller]
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("{name}=… is missing"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(self.get(name))
    }

    pub(crate) fn number(&self, name: &str, or: usize) -> usize {
        self.find(name).map_or(or, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
    }

    /// The address that the devices of this state were enrolled with.
    pub(crate) fn enrolled(&self) -> String {
        let file = self.path("urls");
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }
}
