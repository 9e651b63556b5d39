//! The audit log: what people are shown at the API, and what they are not, is in it before they are answered; how far it
//! has come is signed; and whether it is whole can be told.

use sync_core::envelope::Signed;
use sync_core::id::{CaseId, DocumentId};

use crate::app::App;
use crate::asks::MOST_ASKED;
use crate::error::{Problem, ProblemKind};
use crate::storage::StorageError;
use crate::storage::audit::{Act, Broken, By, CHECKPOINT_TAG, Checkpoint, Done, End, SignedCheckpoint};
use crate::storage::keys::KeyPurpose;
use crate::storage::ledger::{CommitError, Ledger, Plan, Write};

/// How many entries are signed over at the latest, and how long after the first of them.
const ENTRIES: u64 = 1_000;
const MILLIS: i64 = 60 * 60 * 1000;

/// What each answer counts towards what its person may ask in a day, in bytes: its entry is kept for ever.
const ENTRY: u64 = 512;

/// Logs that this was shown, or that there was nothing to show to whoever asked; any other problem is not logged.
///
/// # Errors
/// The answer's own, and what storage says: what can't be logged is not shown, but for a full disk.
pub async fn shown<T>(
    app: &App,
    by: By,
    (case, document): (Option<CaseId>, Option<DocumentId>),
    act: Act,
    answer: Result<T, Problem>,
) -> Result<T, Problem> {
    let act = match &answer {
        Ok(_) => act,
        Err(problem) if problem.kind() == ProblemKind::NotFound => Act::Denied,
        Err(_) => return answer,
    };
    let mut writes = Vec::new();
    if let Some(account) = by.account {
        writes.push(Write::Asked { account, bytes: ENTRY, at: by.at, most: MOST_ASKED });
    }
    writes.push(Write::Act(Done { case, document, act: act.clone() }));
    match app.storage.ledger().commit(Plan { by, writes }).await {
        Ok(_) => answer,
        // Whoever has to help somebody now reads what is here all the same; the server's log tells it instead.
        Err(CommitError::Storage(StorageError::DiskFull)) => {
            let (account, case, document) = (by.account, case.map(text), document.map(text));
            tracing::error!(
                account = account.map(text),
                case,
                document,
                ?act,
                "the disk is full: not in the audit log"
            );
            answer
        }
        Err(CommitError::DayFull) => {
            let detail = "You have asked as much as anybody may in a day (UTC). Ask again tomorrow.";
            Err(Problem::tomorrow(by.at, detail))
        }
        Err(error) => Err(error.into()),
    }
}

fn text(id: impl ToString) -> String {
    id.to_string()
}

/// Signs how far the log has come, unless that is signed already; `None` while nothing was ever logged.
///
/// # Errors
/// What storage says.
pub async fn checkpoint(app: &App) -> Result<Option<SignedCheckpoint>, StorageError> {
    let End { n, hash } = app.storage.audit_end().await?;
    if n == 0 {
        return Ok(None);
    }
    if let Some(last) = app.storage.last_checkpoint().await?
        && last.checkpoint.n == n
    {
        return Ok(Some(last));
    }
    let signer = app.keys.signer(KeyPurpose::Signoff).await?;
    let (server, at, key) = (app.keys.server(), app.clock.now(), signer.key.id);
    let checkpoint = Checkpoint { tag: CHECKPOINT_TAG.to_owned(), server, n, hash, at, key };
    let signature = Signed(signer.sign(&checkpoint.to_bytes()));
    let signed = SignedCheckpoint { checkpoint, signature };
    app.storage.keep_checkpoint(&signed).await?;
    Ok(Some(signed))
}

/// Signs how far the log has come if that is due: after so many entries, or so long after the last time.
///
/// # Errors
/// What storage says.
pub async fn checkpoint_if_due(app: &App) -> Result<Option<SignedCheckpoint>, StorageError> {
    let end = app.storage.audit_end().await?;
    let last = app.storage.last_checkpoint().await?.map(|last| last.checkpoint);
    let due = match &last {
        Some(last) => {
            let waited = app.clock.now().millis().saturating_sub(last.at.millis());
            // A clock that was set back is no reason to wait until it has caught up.
            end.n >= last.n.saturating_add(ENTRIES) || (end.n > last.n && !(0..MILLIS).contains(&waited))
        }
        None => end.n > 0,
    };
    if due { checkpoint(app).await } else { Ok(None) }
}

/// A log that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// How many entries it has.
    pub entries: u64,
    /// How many checkpoints bear it out.
    pub checkpoints: usize,
    /// Up to which entry the last of them does.
    pub signed: u64,
}

/// Walks the log from its first entry, beside the checkpoints that were kept with it and `elsewhere`.
///
/// # Errors
/// What storage says. [`Broken`]: the first thing that is wrong.
pub async fn verify(app: &App, elsewhere: Vec<SignedCheckpoint>) -> Result<Result<Whole, Broken>, StorageError> {
    // Before the walk: what is signed while it goes on may lie behind its end.
    let mut signed = app.storage.checkpoints().await?;
    signed.extend(elsewhere);
    signed.sort_by_key(|signed| signed.checkpoint.n);
    let (server, keys) = (app.keys.server(), app.storage.server_keys().await?);
    if let Some(forged) = signed.iter().find(|signed| !signed.is_signed(server, &keys)) {
        return Ok(Err(Broken::Forged(forged.checkpoint.n)));
    }
    let (mut replaced, mut at) = (None, 0);
    let walked = app.storage.walk_audit(|end| {
        while let Some(Checkpoint { n, hash, .. }) = signed.get(at).map(|signed| &signed.checkpoint)
            && *n <= end.n
        {
            if *n == end.n && *hash != end.hash && replaced.is_none() {
                replaced = Some(Broken::Replaced(*n));
            }
            at += 1;
        }
    });
    let end = match (walked.await?, replaced) {
        (Ok(end), None) => end,
        (Err(broken), _) | (Ok(_), Some(broken)) => return Ok(Err(broken)),
    };
    let last = signed.last().map_or(0, |signed| signed.checkpoint.n);
    if last > end.n {
        return Ok(Err(Broken::Cut { signed: last, here: end.n }));
    }
    Ok(Ok(Whole { entries: end.n, checkpoints: signed.len(), signed: last }))
}

#[cfg(test)]
mod tests {
    use sync_core::access::Role;
    use sync_core::id::Hash;

    use super::*;
    use crate::testing::{BY, Bench, account};

    async fn logged(app: &App, count: usize) {
        let act = Write::Act(Done { case: None, document: None, act: Act::Audited });
        app.storage.ledger().commit(Plan { by: BY, writes: vec![act; count] }).await.unwrap();
    }

    async fn signed(app: &App, n: u64, hash: Hash) -> SignedCheckpoint {
        let signer = app.keys.signer(KeyPurpose::Signoff).await.unwrap();
        let (tag, at) = (CHECKPOINT_TAG.to_owned(), app.clock.now());
        let checkpoint = Checkpoint { tag, server: app.keys.server(), n, hash, at, key: signer.key.id };
        let signature = Signed(signer.sign(&checkpoint.to_bytes()));
        SignedCheckpoint { checkpoint, signature }
    }

    /// H19: an end that was cut off, or a log that was made anew, does not pass for whole beside a checkpoint.
    #[tokio::test]
    async fn a_log_is_whole_that_bears_out_every_checkpoint_also_those_kept_elsewhere() {
        let bench = Bench::new(73);
        let app = bench.app().await;
        assert_eq!(checkpoint(&app).await.unwrap(), None, "nothing was logged yet");
        account(&app, "ana", Role::Ot).await;
        logged(&app, 4).await;
        let first = checkpoint(&app).await.unwrap().unwrap();
        assert_eq!(checkpoint(&app).await.unwrap().as_ref(), Some(&first), "signed once");
        app.storage.rotate_key(KeyPurpose::Signoff).await.unwrap();
        logged(&app, 4).await;
        let second = checkpoint(&app).await.unwrap().unwrap();
        assert_ne!(second.checkpoint.key, first.checkpoint.key);
        logged(&app, 1).await;
        let whole = Whole { entries: 11, checkpoints: 2, signed: 10 };
        assert_eq!(verify(&app, vec![]).await.unwrap(), Ok(whole));
        assert_eq!(verify(&app, vec![first.clone()]).await.unwrap(), Ok(Whole { checkpoints: 3, ..whole }));

        let other = signed(&app, 7, Hash::from_bytes([1; 32])).await;
        assert_eq!(verify(&app, vec![other]).await.unwrap(), Err(Broken::Replaced(7)));
        let later = signed(&app, 12, Hash::from_bytes([1; 32])).await;
        assert_eq!(verify(&app, vec![later]).await.unwrap(), Err(Broken::Cut { signed: 12, here: 11 }));
        let mut forged = first;
        forged.checkpoint.hash = Hash::from_bytes([2; 32]);
        assert_eq!(verify(&app, vec![forged]).await.unwrap(), Err(Broken::Forged(5)));
    }

    #[tokio::test]
    async fn a_checkpoint_is_due_after_an_hour_or_a_thousand_entries_or_when_the_clock_was_set_back() {
        let bench = Bench::new(74);
        let app = bench.app().await;
        logged(&app, 1).await;
        let due = async || checkpoint_if_due(&app).await.unwrap().map(|signed| signed.checkpoint.n);
        assert_eq!(due().await, Some(1), "the first");
        bench.clock.advance(2 * MILLIS);
        assert_eq!(due().await, None, "nothing new");
        logged(&app, 1).await;
        assert_eq!(due().await, Some(2));
        logged(&app, 1).await;
        bench.clock.advance(MILLIS - 1);
        assert_eq!(due().await, None);
        bench.clock.advance(1);
        assert_eq!(due().await, Some(3));
        logged(&app, 999).await;
        assert_eq!(due().await, None);
        logged(&app, 1).await;
        assert_eq!(due().await, Some(1_003));
        logged(&app, 1).await;
        bench.clock.advance(-1);
        assert_eq!(due().await, Some(1_004));
    }
}
