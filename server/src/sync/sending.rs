//! A reply in several parts on its way: each is made when it is asked for, by a task that lets go of all it has once
//! nobody asks for long, or the device has asked for something newer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sync_core::protocol::pace::on_the_slowest_line;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Settled;

/// Whom the task tells of the next part; `None`: the one before was the last that is sent.
type Asked = oneshot::Sender<Option<Vec<u8>>>;

/// Why a reply ends before its last part; the device notices, and goes on from what it has.
#[derive(Debug, thiserror::Error)]
#[error("a part of a reply could not be made")]
pub struct Cut;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Making one part.
    pub making: Duration,
    /// Asking for the next, beyond the time that the one before takes on the slowest line. A part has about 256 KiB, or
    /// what one case has if that is more.
    pub asking: Duration,
}

/// The parts of a reply behind its first.
#[derive(Debug)]
pub struct Sending {
    ask: mpsc::Sender<Asked>,
    part: Option<oneshot::Receiver<Option<Vec<u8>>>>,
}

impl Sending {
    /// The rest of a reply of which so many bytes, its first part, are about to be sent.
    pub fn begin(mut settled: Settled, first: usize, patience: Patience) -> Self {
        let (ask, asked) = mpsc::channel(1);
        let ended = settled.newest.ended();
        tokio::spawn(async move {
            tokio::select! {
                () = ended => {}
                () = make(settled, asked, first, patience) => {}
            }
        });
        Self { ask, part: None }
    }

    /// The next part.
    pub fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>, Cut>>> {
        let part = match self.part.as_mut() {
            Some(part) => part,
            None => {
                let (asked, part) = oneshot::channel();
                if self.ask.try_send(asked).is_err() {
                    return Poll::Ready(Some(Err(Cut)));
                }
                self.part.insert(part)
            }
        };
        let made = ready!(Pin::new(part).poll(context));
        self.part = None;
        Poll::Ready(made.map_err(|_| Cut).transpose())
    }
}

/// Makes parts as they are asked for.
async fn make(mut settled: Settled, mut asked: mpsc::Receiver<Asked>, first: usize, patience: Patience) {
    let mut sent = first;
    loop {
        let reading = patience.asking + on_the_slowest_line(sent);
        let mut answer = match timeout(reading, asked.recv()).await {
            Ok(Some(answer)) => answer,
            // The connection has ended.
            Ok(None) => return,
            Err(_) => {
                tracing::warn!("a reply was cut: a part of it was not read");
                return;
            }
        };
        let made = tokio::select! {
            made = timeout(patience.making, settled.next_part()) => made,
            () = answer.closed() => return,
        };
        let part = match made {
            Ok(Ok(part)) => part.map(|(part, _)| part),
            Ok(Err(problem)) => {
                tracing::error!(%problem, cause = ?problem, "a reply was cut: a part of it could not be made");
                return;
            }
            Err(_) => {
                tracing::error!("a reply was cut: a part of it took too long");
                return;
            }
        };
        sent = part.as_ref().map_or(0, Vec::len);
        let ends = part.is_none();
        if answer.send(part).is_err() || ends {
            return;
        }
    }
}
