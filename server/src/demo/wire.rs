//! The link between one device and the server: a relay that can do to it what the field does to a signal, and that
//! remembers what passed, so that the story can look for what must never travel.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_core::protocol::{Known, PackLimits, SyncReply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The most bytes that one frame may inflate to; a reply of the demonstration has some thousands.
const MOST_INFLATED: u64 = 64 << 20;

/// What goes wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing passes, until [`Wire::has_signal`].
    DeadSpot,
    /// The next connection that sends more than so many bytes is cut there; once.
    CutAfter(usize),
    /// The next request arrives whole and its reply is lost; once.
    ReplyLost,
}

/// A relay on loopback.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    trouble: Option<Trouble>,
    /// What passed, for each connection and direction; `None` once nobody listens.
    passed: Option<Vec<Vec<u8>>>,
}

impl Wire {
    /// Relays to `server` from now on, and listens.
    pub(super) async fn to(server: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let state = Arc::new(Mutex::new(State { trouble: None, passed: Some(Vec::new()) }));
        let wire = Self { address: listener.local_addr()?, state };
        let relay = wire.clone();
        tokio::spawn(async move {
            while let Ok((device, _)) = listener.accept().await {
                if relay.state().trouble == Some(Trouble::DeadSpot) {
                    continue;
                }
                let relay = relay.clone();
                tokio::spawn(async move {
                    // A device or server that goes away ends its own connection and no other.
                    let _ = relay.carry(device, server).await;
                });
            }
        });
        Ok(wire)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Something goes wrong from now on.
    pub(super) fn suffers(&self, trouble: Trouble) {
        self.state().trouble = Some(trouble);
    }

    /// Whether all is well: what was to go wrong once has, and there is a signal.
    pub(super) fn is_well(&self) -> bool {
        self.state().trouble.is_none()
    }

    /// Leaves the dead spot.
    pub(super) fn has_signal(&self) {
        self.state().trouble = None;
    }

    /// All that passed so far, in both directions.
    pub(super) fn heard(&self) -> Heard {
        Heard::of(self.state().passed.as_deref().unwrap_or_default())
    }

    /// Listens no more, and forgets what passed.
    pub(super) fn stop_listening(&self) {
        self.state().passed = None;
    }

    /// A new stream to remember, by its number.
    fn stream(&self) -> usize {
        let mut state = self.state();
        let streams = state.passed.get_or_insert_default();
        streams.push(Vec::new());
        streams.len() - 1
    }

    fn remember(&self, stream: usize, bytes: &[u8]) {
        if let Some(passed) = self.state().passed.as_mut().and_then(|streams| streams.get_mut(stream)) {
            passed.extend_from_slice(bytes);
        }
    }

    async fn carry(&self, device: TcpStream, server: SocketAddr) -> std::io::Result<()> {
        let (mut from_device, mut to_device) = device.into_split();
        let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
        let cut = || Err(std::io::ErrorKind::ConnectionAborted.into());
        let up = async {
            let (stream, mut sent, mut buffer) = (self.stream(), 0_usize, vec![0; 16 << 10]);
            loop {
                let read = from_device.read(&mut buffer).await?;
                if read == 0 {
                    return to_server.shutdown().await;
                }
                let pass = match self.state().trouble {
                    Some(Trouble::CutAfter(most)) => most.saturating_sub(sent).min(read),
                    _ => read,
                };
                self.remember(stream, &buffer[..pass]);
                to_server.write_all(&buffer[..pass]).await?;
                sent += pass;
                if pass < read {
                    self.state().trouble = None;
                    return cut();
                }
            }
        };
        let down = async {
            let (stream, mut buffer) = (self.stream(), vec![0; 16 << 10]);
            loop {
                let read = from_server.read(&mut buffer).await?;
                if read == 0 {
                    return to_device.shutdown().await;
                }
                if self.state().trouble == Some(Trouble::ReplyLost) {
                    self.state().trouble = None;
                    return cut();
                }
                self.remember(stream, &buffer[..read]);
                to_device.write_all(&buffer[..read]).await?;
            }
        };
        tokio::try_join!(up, down).map(|_| ())
    }
}

/// What passed over a link, as it passed and inflated.
#[derive(Debug, Default)]
pub(super) struct Heard {
    bytes: Vec<u8>,
    /// Requests and replies of sync that were read to their end.
    pub(super) read: usize,
    /// Those that were cut.
    pub(super) cut: usize,
}

impl Heard {
    /// Requests and replies are zstd inside CBOR inside HTTP: each frame is found by its magic number.
    fn of(streams: &[Vec<u8>]) -> Self {
        const MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
        let mut heard = Self::default();
        for stream in streams {
            heard.bytes.extend(stream);
            let frames = stream.windows(MAGIC.len()).enumerate().filter(|(_, window)| *window == MAGIC);
            for (at, _) in frames {
                match inflated(&stream[at..]) {
                    Ok(frame) => {
                        heard.bytes.extend(changes(&frame));
                        heard.bytes.extend(frame);
                        heard.read += 1;
                    }
                    Err(_) => heard.cut += 1,
                }
            }
        }
        heard
    }

    /// Whether these very bytes were among it.
    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        self.bytes.windows(bytes.len()).any(|window| window == bytes)
    }

    /// All there is to search.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The changes that a reply brings, as they were made: on the way, words of the vocabulary are numbers. A request's bytes
/// are no reply and are searched as they are.
fn changes(frame: &[u8]) -> Vec<u8> {
    let mut decoder = minicbor::Decoder::new(frame);
    let mut found = Vec::new();
    while decoder.position() < frame.len() {
        let Ok(reply) = decoder.decode::<SyncReply>() else { break };
        let news = reply.documents.iter().map(|news| (news.kind, &news.changes));
        let whole = reply.frames.iter().map(|whole| (whole.kind, &whole.changes));
        for (kind, packed) in news.chain(whole) {
            let unpacked = packed.unpack(&Known::news(kind), PackLimits::REPLY).unwrap_or_default();
            found.extend(unpacked.into_iter().flat_map(|(_, bytes)| bytes));
        }
    }
    found
}

/// The frame that `bytes` begin with, whatever follows it.
fn inflated(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut frame = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(bytes)?.single_frame();
    decoder.take(MOST_INFLATED).read_to_end(&mut frame)?;
    Ok(frame)
}
