//! Bodies that may come more slowly than a request may take, as long as they come: how long each is waited for, and the
//! room that there is for all of them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sync_core::protocol::pace::{PATIENCE, on_the_slowest_line};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Sleep, sleep, timeout};

use crate::config::Limits;
use crate::error::{Problem, ProblemKind};

/// The most bytes of bodies that are on their way, together: whose they are is not known before they have come, and
/// each may take hours.
const ROOM: usize = 256 << 20;
/// What each may have beside that. Most syncs have less, so they go on whoever fills the room; how often it is taken is
/// bounded by the connections.
const OWN: usize = 16 << 10;
/// After how many seconds one that found no room is welcome again.
const LATER: u64 = 30;

/// The bodies that are on their way. Clones are handles of the same.
#[derive(Debug, Clone)]
pub struct Uploads {
    room: Arc<Semaphore>,
    patience: Duration,
}

/// One of them: what has come of it.
#[derive(Debug)]
pub struct Upload<'a> {
    uploads: &'a Uploads,
    most: usize,
    bytes: Vec<u8>,
    /// How many came once there were too many.
    beyond: usize,
    room: Option<SemaphorePermit<'a>>,
    ends: Pin<Box<Sleep>>,
}

impl Uploads {
    /// For bodies of these sizes, at the pace that devices keep as well.
    pub fn of(limits: &Limits) -> Self {
        Self::new(ROOM.max(limits.sync_bytes).max(limits.photo_bytes), PATIENCE)
    }

    /// For so many bytes at once. A body may say nothing as long as patience lasts, and take so much longer than on the
    /// slowest line.
    pub(crate) fn new(room: usize, patience: Duration) -> Self {
        Self { room: Arc::new(Semaphore::new(room)), patience }
    }

    /// Begins one that may have so many bytes.
    pub fn begin(&self, most: usize) -> Upload<'_> {
        let ends = Box::pin(sleep(self.patience));
        Upload { uploads: self, most, bytes: Vec::new(), beyond: 0, room: None, ends }
    }
}

impl Upload<'_> {
    /// What comes next, if it comes in time.
    ///
    /// # Errors
    /// [`ProblemKind::Timeout`].
    pub async fn in_time<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Problem> {
        let silent = timeout(self.uploads.patience, next);
        let came = tokio::select! {
            // What is here already came in time.
            biased;
            came = silent => came.ok(),
            () = &mut self.ends => None,
        };
        came.ok_or_else(|| Problem::new(ProblemKind::Timeout, "The body came too slowly, or stopped; send it again."))
    }

    /// Takes what came, and says whether more is read. A body that is too large is read on for as much again, so that
    /// its sender hears of it instead of a broken connection.
    ///
    /// # Errors
    /// *Later*, when there is no room for it.
    pub fn take(&mut self, data: &[u8]) -> Result<bool, Problem> {
        let ends = self.ends.deadline() + on_the_slowest_line(data.len());
        self.ends.as_mut().reset(ends);
        let length = self.bytes.len() + data.len();
        if self.beyond == 0 && length <= self.most {
            self.make_room(length)?;
            self.bytes.extend_from_slice(data);
            return Ok(true);
        }
        (self.bytes, self.room) = (Vec::new(), None);
        self.beyond = self.beyond.saturating_add(data.len());
        Ok(self.beyond <= self.most)
    }

    fn make_room(&mut self, length: usize) -> Result<(), Problem> {
        let more = length.saturating_sub(OWN.max(self.bytes.len()));
        let more = u32::try_from(more).ok().and_then(|more| self.uploads.room.try_acquire_many(more).ok());
        let more =
            more.ok_or_else(|| Problem::later(LATER, "Much is being sent here. Nothing of this was taken in."))?;
        match &mut self.room {
            Some(room) => room.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// All of it.
    ///
    /// # Errors
    /// [`ProblemKind::TooLarge`].
    pub fn whole(self) -> Result<Vec<u8>, Problem> {
        if self.beyond == 0 {
            return Ok(self.bytes);
        }
        let detail = format!("The body may have {} bytes; send less at once.", self.most);
        Err(Problem::new(ProblemKind::TooLarge, detail))
    }
}
