//! Commits of the ledger in memory that fail when they are told to.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::CommitError;
use crate::storage::StorageError;

/// How the server dies in a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Nothing of it is kept.
    Before,
    /// It is kept, and nobody learns of it.
    After,
}

/// What is to go wrong, and what did.
#[derive(Debug, Default)]
pub struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Commits until the server dies in one, and how.
    dies: Option<(u64, Death)>,
    /// Commits until one finds no room.
    fills: Option<u64>,
    dead: bool,
}

/// Counts one commit down; whether it is the one.
fn is_due(left: &mut u64) -> bool {
    *left = left.saturating_sub(1);
    *left == 0
}

fn died() -> CommitError {
    let source = io::Error::other("the simulated server died");
    StorageError::Io { path: PathBuf::new(), source }.into()
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `commits`th commit from now is the last until [`Faults::restart`].
    pub fn dies_in(&self, commits: u64, death: Death) {
        self.state().dies = Some((commits.max(1), death));
    }

    /// The `commits`th commit from now finds no room; the next ones do.
    pub fn fills_in(&self, commits: u64) {
        self.state().fills = Some(commits.max(1));
    }

    /// Whether the server died. What it read or answered since is nobody's.
    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// The server starts again on what was committed, and nothing more goes wrong.
    pub fn restart(&self) {
        *self.state() = State::default();
    }

    /// Runs a commit, unless it is the one that fails.
    pub(super) fn around<T>(&self, commit: impl FnOnce() -> Result<T, CommitError>) -> Result<T, CommitError> {
        let dies = {
            let mut state = self.state();
            if state.dead {
                return Err(died());
            }
            if state.fills.as_mut().is_some_and(is_due) {
                state.fills = None;
                return Err(StorageError::DiskFull.into());
            }
            let dies = state.dies.as_mut().is_some_and(|(left, _)| is_due(left));
            let dies = if dies { state.dies.take().map(|(_, death)| death) } else { None };
            state.dead = dies.is_some();
            dies
        };
        if dies == Some(Death::Before) {
            return Err(died());
        }
        let done = commit();
        if dies.is_some() { Err(died()) } else { done }
    }
}
