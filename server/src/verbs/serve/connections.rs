//! What every connection is held to: how many there are, and that what is written on one is read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// Lets connections in. Clones count the same ones.
#[derive(Debug, Clone)]
pub(super) struct Door {
    places: Arc<Semaphore>,
    stalled: Duration,
}

/// A connection that ends once nobody reads it.
#[derive(Debug)]
pub(super) struct Connection<I> {
    stream: I,
    /// How long it may take no byte.
    stalled: Duration,
    /// While it takes none.
    ends: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Door {
    /// For at most so many at once, each of which may take no byte for so long.
    pub(super) fn new(most: usize, stalled: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), stalled }
    }

    /// One more, or none: then it is closed unheard.
    pub(super) fn enter<I>(&self, stream: I) -> io::Result<Connection<I>> {
        let place = self.places.clone().try_acquire_owned();
        let _place = place.map_err(|_| io::Error::other("there are too many connections"))?;
        Ok(Connection { stream, stalled: self.stalled, ends: None, _place })
    }
}

impl<I> Connection<I> {
    /// What came of writing, or that nothing has been taken for too long.
    fn written(&mut self, context: &mut Context<'_>, taken: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if taken.is_ready() {
            self.ends = None;
            return taken;
        }
        let stalled = self.stalled;
        let ends = self.ends.get_or_insert_with(|| Box::pin(tokio::time::sleep(stalled)));
        ends.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Connection<I> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Connection<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(context, taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_connection_whose_other_end_reads_nothing_ends_and_one_that_is_read_slowly_goes_on() {
        let door = Door::new(2, Duration::from_millis(200));
        let (stream, unread) = tokio::io::duplex(64);
        let mut connection = door.enter(stream).unwrap();
        let stalled = tokio::time::timeout(Duration::from_secs(60), connection.write_all(&[7; 1000])).await;
        assert_eq!(stalled.expect("it waits for ever").unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(unread);
        let (stream, mut read) = tokio::io::duplex(64);
        let mut connection = door.enter(stream).unwrap();
        let slowly = tokio::spawn(async move {
            let (mut bytes, mut count) = ([0; 64], 0);
            while count < 1000 {
                tokio::time::sleep(Duration::from_millis(25)).await;
                count += read.read(&mut bytes).await.unwrap();
            }
            count
        });
        connection.write_all(&[7; 1000]).await.unwrap();
        assert_eq!(slowly.await.unwrap(), 1000);
    }

    #[test]
    fn one_connection_too_many_is_closed_until_another_ends() {
        let door = Door::new(2, Duration::from_secs(1));
        let two = [door.enter(()).unwrap(), door.clone().enter(()).unwrap()];
        assert!(door.enter(()).is_err());
        drop(two);
        assert!(door.enter(()).is_ok());
    }
}
