//! Plans that come at the same time are written together: one transaction, one wait for the disk, one answer each.
//!
//! Each plan has a savepoint of its own, so that one which rests on what has moved leaves nothing and takes no number,
//! and the others stand. What the disk refuses is refused to all: nobody hears of what is not on it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use super::{SqlLedger, Writing};
use crate::storage::ledger::{CommitError, Number, Plan, Write};
use crate::storage::{StorageError, Write as Transaction};

/// The most plans that share a transaction.
const MOST: usize = 64;
/// The most plans that wait; whoever comes then waits for a place among them.
const WAITING: usize = 256;

type Answer = Result<Number, CommitError>;

/// Plans that wait to be written.
#[derive(Debug, Clone)]
pub(in crate::storage) struct Queue {
    waiting: Arc<Mutex<Waiting>>,
    places: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Waiting {
    plans: VecDeque<(Plan, oneshot::Sender<Answer>)>,
    /// Whether somebody is writing; whoever is takes these too.
    writing: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self { waiting: Arc::default(), places: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a plan in, and says whether nobody is writing.
    fn put(&self, plan: Plan, answer: oneshot::Sender<Answer>) -> bool {
        let mut waiting = self.waiting();
        waiting.plans.push_back((plan, answer));
        !std::mem::replace(&mut waiting.writing, true)
    }

    /// The next plans to write together; none: nobody is writing any more.
    fn next(&self) -> Vec<(Plan, oneshot::Sender<Answer>)> {
        let mut waiting = self.waiting();
        let count = waiting.plans.len().min(MOST);
        waiting.writing = count > 0;
        waiting.plans.drain(..count).collect()
    }
}

/// Ends the writing also when it ends in a panic: those who wait hear that nothing came of it, and the next one begins.
struct WritingEnds<'a>(&'a Queue);

impl Drop for WritingEnds<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.writing = false;
        waiting.plans.clear();
    }
}

impl SqlLedger {
    /// Writes a plan with whatever others come meanwhile. Whoever gives up waiting may find it written.
    pub(super) async fn together(&self, plan: Plan) -> Answer {
        let ended = || CommitError::Storage(StorageError::Sql(sqlx::Error::WorkerCrashed));
        let queue = &self.storage.queue;
        let _place = queue.places.acquire().await.map_err(|_| ended())?;
        let (answer, heard) = oneshot::channel();
        if queue.put(plan, answer) {
            let ledger = self.clone();
            // Apart from who asked: a request that is given up gives up nobody else's plan.
            tokio::spawn(async move { ledger.write_all().await });
        }
        heard.await.unwrap_or_else(|_| Err(ended()))
    }

    async fn write_all(&self) {
        let ends = WritingEnds(&self.storage.queue);
        loop {
            let group = self.storage.queue.next();
            if group.is_empty() {
                break;
            }
            let (plans, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            for (answer, said) in answers.into_iter().zip(self.write_group(plans).await) {
                // Whoever no longer listens finds it in the rows.
                let _ = answer.send(said);
            }
        }
        std::mem::forget(ends);
    }

    /// Writes plans in one transaction. An answer for each, in their order.
    async fn write_group(&self, plans: Vec<Plan>) -> Vec<Answer> {
        let count = plans.len();
        match self.try_group(plans).await {
            Ok(answers) => answers,
            // Of what failed for all of them, each hears.
            Err(error) => (0..count).map(|_| Err(CommitError::Storage(again(&error)))).collect(),
        }
    }

    async fn try_group(&self, plans: Vec<Plan>) -> Result<Vec<Answer>, StorageError> {
        let mut transaction = self.storage.write().await?;
        let counted = self.storage.counters.write(&mut transaction).await?;
        let mut answers = Vec::with_capacity(plans.len());
        // Alone, a plan has the transaction itself for its savepoint.
        let alone = plans.len() == 1;
        for plan in plans {
            if !alone {
                sqlx::query("SAVEPOINT one_plan").execute(&mut *transaction).await?;
            }
            let (back, answer) = self.write_one(transaction, plan).await;
            transaction = back;
            match answer {
                Ok(n) => answers.push(Ok(n)),
                // The database itself: it may have ended the transaction by itself, and with it the others' plans.
                Err(CommitError::Storage(error @ (StorageError::DiskFull | StorageError::Sql(_)))) => {
                    return Err(error);
                }
                Err(error) if alone => {
                    transaction.rollback().await?;
                    return Ok(vec![Err(error)]);
                }
                Err(error) => {
                    sqlx::query("ROLLBACK TO one_plan").execute(&mut *transaction).await?;
                    answers.push(Err(error));
                }
            }
            if !alone {
                sqlx::query("RELEASE one_plan").execute(&mut *transaction).await?;
            }
        }
        transaction.commit().await?;
        counted.are_kept();
        Ok(answers)
    }

    async fn write_one(&self, transaction: Transaction, plan: Plan) -> (Transaction, Answer) {
        let mut writing = Writing { ledger: self, transaction, n: 0, place: 0, digests: BTreeMap::new() };
        let answer = writing.plan(plan).await;
        (writing.transaction, answer)
    }
}

impl Writing<'_> {
    async fn plan(&mut self, plan: Plan) -> Answer {
        self.n = sqlx::query_scalar("UPDATE counters SET value = value + 1 WHERE name = 'ledger' RETURNING value")
            .fetch_one(&mut *self.transaction)
            .await?;
        // First, so that what ties somebody to the case is what tied them when they did it.
        self.ledger.storage.log(&mut self.transaction, plan.by, plan.done()).await?;
        // Of a caseload that is sent whole, a plan notes thousands of rows: those behind one another go together.
        let mut carried = Vec::new();
        for write in plan.writes {
            match write {
                Write::Carry(row) => carried.push(row),
                write => {
                    self.carry(std::mem::take(&mut carried)).await?;
                    self.write(write).await?;
                }
            }
        }
        self.carry(carried).await?;
        self.keep_digests().await?;
        Ok(self.n)
    }
}

/// The same error for another.
fn again(error: &StorageError) -> StorageError {
    match error {
        StorageError::DiskFull => StorageError::DiskFull,
        other => StorageError::Sql(sqlx::Error::Protocol(other.to_string())),
    }
}
