//! A line that is cut after so many bytes, one way or the other.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// Where the next exchange is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nowhere.
    Nowhere,
    /// After so many bytes on their way to the server.
    Up(usize),
    /// After so many bytes on their way to the device.
    Down(usize),
}

#[derive(Debug)]
struct Held {
    leads_to: Option<SocketAddr>,
    cut: Cut,
    /// Bytes that passed, up and down, since [`Shears::cuts`].
    passed: (usize, usize),
}

/// The line. It runs on threads of its own, which end with the test's process.
#[derive(Debug, Clone)]
pub(crate) struct Shears {
    address: SocketAddr,
    held: Arc<Mutex<Held>>,
}

impl Shears {
    /// A line that leads nowhere yet.
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let held = Held { leads_to: None, cut: Cut::Nowhere, passed: (0, 0) };
        let shears = Self { address: listener.local_addr().unwrap(), held: Arc::new(Mutex::new(held)) };
        let accepting = shears.clone();
        thread::spawn(move || {
            for device in listener.incoming().flatten() {
                accepting.carry(&device);
            }
        });
        shears
    }

    /// The address that devices are to be told.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it leads from now on.
    pub(crate) fn leads_to(&self, server: SocketAddr) {
        self.lock().leads_to = Some(server);
    }

    /// Cuts the next exchange here; how much passes is counted anew.
    pub(crate) fn cuts(&self, cut: Cut) {
        let mut held = self.lock();
        (held.cut, held.passed) = (cut, (0, 0));
    }

    /// The bytes that passed since, up and down.
    pub(crate) fn passed(&self) -> (usize, usize) {
        self.lock().passed
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap()
    }

    fn carry(&self, device: &TcpStream) {
        let leads_to = self.lock().leads_to;
        let Some(Ok(server)) = leads_to.map(TcpStream::connect) else { return };
        for (from, to, up) in [(device, &server, true), (&server, device, false)] {
            let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
            let shears = self.clone();
            thread::spawn(move || shears.pass(from, to, up));
        }
    }

    /// Passes one way on until it ends or is cut; then both ways are closed.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, up: bool) {
        let mut bytes = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let (may, cut) = self.count(count, up);
            if to.write_all(&bytes[..may]).is_err() || cut {
                break;
            }
        }
        // An error says that it was closed before.
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    /// Of `count` bytes more, how many may pass, and whether that was all.
    fn count(&self, count: usize, up: bool) -> (usize, bool) {
        let mut held = self.lock();
        let passed = if up { held.passed.0 } else { held.passed.1 };
        let most = match (held.cut, up) {
            (Cut::Up(most), true) | (Cut::Down(most), false) => most,
            _ => usize::MAX,
        };
        let may = count.min(most.saturating_sub(passed));
        if up {
            held.passed.0 += may
        } else {
            held.passed.1 += may
        }
        (may, passed + may >= most)
    }
}
