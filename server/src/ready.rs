//! Whether requests can be taken.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::error::{Problem, ProblemKind};
use crate::storage::Storage;

/// For how many milliseconds an answer stands: each takes a write that waits for the disk, and anybody may ask.
const STANDS: u64 = 1_000;

/// Whether requests can be taken, as it was last found, and when. Clones are handles of the same.
#[derive(Debug, Clone, Default)]
pub struct Ready(Arc<Mutex<Option<Found>>>);

/// In milliseconds since the process began to count, and what was found then.
type Found = (u64, Result<(), ProblemKind>);

impl Ready {
    /// What was found less than a second before `now`, or is found now; who asks meanwhile waits for it.
    ///
    /// # Errors
    /// [`ProblemKind::DiskFull`], or [`ProblemKind::NotReady`] for anything else: the log says what.
    pub async fn at(&self, now: u64, storage: &Storage) -> Result<(), ProblemKind> {
        let mut found = self.0.lock().await;
        if let Some((at, answer)) = *found
            && now.saturating_sub(at) < STANDS
        {
            return answer;
        }
        let answer = storage.ready().await.map_err(|error| {
            let problem = Problem::from(error);
            if problem.kind() == ProblemKind::DiskFull {
                return ProblemKind::DiskFull;
            }
            tracing::error!(%problem, cause = ?problem, "not ready");
            ProblemKind::NotReady
        });
        *found = Some((now, answer));
        answer
    }
}
