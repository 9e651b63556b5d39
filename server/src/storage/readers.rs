//! Connections that only read.
//!
//! sqlx's own pool asks a connection whether it is still there when it is taken and again when it is given back, each a
//! way to the database's thread and back that costs as much as most statements. A file does not go away: these are taken
//! and given back as they are. One whose statement failed or was given up is closed instead.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite, SqliteConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The most connections.
const MOST: u32 = 4;

/// What is asked of them.
type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Connections to one database, opened as they are needed. Clones are handles of the same.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    options: SqliteConnectOptions,
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Opens the first.
    pub(super) async fn open(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let first = options.connect().await?;
        Ok(Self { options, idle: Arc::new(Mutex::new(vec![first])), permits: Arc::new(Semaphore::new(MOST as usize)) })
    }

    /// Every row.
    pub(crate) async fn all(&self, statement: Statement<'_>) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let (mut connection, permit) = self.take().await?;
        let rows = statement.fetch_all(&mut connection).await?;
        self.give(connection, permit);
        Ok(rows)
    }

    /// The first row, if there is one.
    pub(crate) async fn first(&self, statement: Statement<'_>) -> Result<Option<SqliteRow>, sqlx::Error> {
        let (mut connection, permit) = self.take().await?;
        let row = statement.fetch_optional(&mut connection).await?;
        self.give(connection, permit);
        Ok(row)
    }

    /// The row that is always there.
    pub(crate) async fn one(&self, statement: Statement<'_>) -> Result<SqliteRow, sqlx::Error> {
        self.first(statement).await?.ok_or(sqlx::Error::RowNotFound)
    }

    async fn take(&self) -> Result<(SqliteConnection, SemaphorePermit<'_>), sqlx::Error> {
        let permit = self.permits.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok((connection, permit))
    }

    fn give(&self, connection: SqliteConnection, permit: SemaphorePermit<'_>) {
        self.idle().push(connection);
        drop(permit);
    }

    /// Closes them, once those that are in use are given back.
    pub(super) async fn close(&self) {
        // An error: another handle closed them.
        let Ok(_all) = self.permits.acquire_many(MOST).await else { return };
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "a connection that only reads could not be closed");
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
