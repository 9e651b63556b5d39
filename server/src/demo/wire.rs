//! The link between devices and server: a relay that can cut a connection in the middle, and that remembers what came
//! down it, so that the story can look for what must never travel.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The most bytes remembered of what came down.
const MOST_REMEMBERED: usize = 64 << 20;
const NEVER: u64 = u64::MAX;

/// A relay on loopback.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    address: SocketAddr,
    /// After so many bytes upwards, the connection is cut; once.
    cut_after: Arc<AtomicU64>,
    down: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    /// Relays to `server` from now on.
    pub(super) async fn to(server: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let wire =
            Self { address: listener.local_addr()?, cut_after: Arc::new(AtomicU64::new(NEVER)), down: Arc::default() };
        let relay = wire.clone();
        tokio::spawn(async move {
            while let Ok((device, _)) = listener.accept().await {
                let relay = relay.clone();
                tokio::spawn(async move {
                    // A device or server that goes away ends its own connection and no other.
                    let _ = relay.carry(device, server).await;
                });
            }
        });
        Ok(wire)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts the next connection that sends more than `bytes`.
    pub(super) fn cut_next_after(&self, bytes: u64) {
        self.cut_after.store(bytes, Ordering::SeqCst);
    }

    /// Whether the cut that was ordered has happened.
    pub(super) fn was_cut(&self) -> bool {
        self.cut_after.load(Ordering::SeqCst) == NEVER
    }

    /// Forgets what came down so far.
    pub(super) fn listen(&self) {
        self.down.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What came down since.
    pub(super) fn heard(&self) -> Vec<u8> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn carry(&self, device: TcpStream, server: SocketAddr) -> std::io::Result<()> {
        let (mut from_device, mut to_device) = device.into_split();
        let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
        let up = async {
            let mut buffer = vec![0; 16 << 10];
            let mut sent: u64 = 0;
            loop {
                let read = from_device.read(&mut buffer).await?;
                if read == 0 {
                    return to_server.shutdown().await;
                }
                let left = self.cut_after.load(Ordering::SeqCst).saturating_sub(sent);
                let pass = usize::try_from(left).map_or(read, |left| left.min(read));
                to_server.write_all(&buffer[..pass]).await?;
                sent = sent.saturating_add(pass as u64);
                if pass < read {
                    self.cut_after.store(NEVER, Ordering::SeqCst);
                    return Err(std::io::ErrorKind::ConnectionAborted.into());
                }
            }
        };
        let down = async {
            let mut buffer = vec![0; 16 << 10];
            loop {
                let read = from_server.read(&mut buffer).await?;
                if read == 0 {
                    return to_device.shutdown().await;
                }
                {
                    let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
                    if down.len() < MOST_REMEMBERED {
                        down.extend_from_slice(&buffer[..read]);
                    }
                }
                to_device.write_all(&buffer[..read]).await?;
            }
        };
        tokio::try_join!(up, down).map(|_| ())
    }
}

/// Every zstd frame in `bytes` inflated, for the search of words that must not travel. Replies are zstd inside CBOR
/// inside HTTP: frames are found by their magic number.
pub(super) fn inflated(bytes: &[u8]) -> Vec<u8> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let mut all = bytes.to_vec();
    for at in 0..bytes.len().saturating_sub(MAGIC.len()) {
        if bytes[at..at + MAGIC.len()] == MAGIC {
            let mut frame = Vec::new();
            let decoder = zstd::stream::read::Decoder::with_buffer(&bytes[at..]);
            if let Ok(decoder) = decoder {
                use std::io::Read as _;
                // What of it is a frame is read; what follows it is not.
                let _ = decoder.single_frame().take(MOST_REMEMBERED as u64).read_to_end(&mut frame);
            }
            all.extend(frame);
        }
    }
    all
}
