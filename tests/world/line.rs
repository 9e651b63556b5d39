//! The line between devices and the server, as bad as a story needs it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long a line waits for what a story said would come.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the request of a photo begins.
const PHOTO: &[u8] = b"PUT /v1/photos/";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Everything passes.
    Open,
    /// Of the next photo so many bytes pass, its request's head among them.
    Stops(usize),
    /// In the middle of a photo.
    Stopped,
    /// What was stopped is cut; everything else passes.
    Cut,
}

#[derive(Debug)]
struct Shared {
    leads_to: Option<SocketAddr>,
    way: Way,
    /// Bytes that passed up and down.
    passed: (usize, usize),
}

/// A line that can stop in the middle of a photo on its way up. It runs on threads of its own, so that a story may
/// wait for a process meanwhile.
#[derive(Debug, Clone)]
pub struct Line {
    address: SocketAddr,
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

impl Line {
    /// A line that leads nowhere yet.
    pub fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let shared = Arc::new((Mutex::new(Shared { leads_to: None, way: Way::Open, passed: (0, 0) }), Condvar::new()));
        let line = Self { address: listener.local_addr().unwrap(), shared };
        let accepting = line.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            for device in listener.incoming().flatten() {
                accepting.carry(device);
            }
        });
        line
    }

    /// The address that devices are to be told.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it leads from now on.
    pub fn leads_to(&self, server: SocketAddr) {
        self.lock().leads_to = Some(server);
    }

    /// Lets so many bytes of the next photo pass, and stops there.
    pub fn stops_in_a_photo(&self, bytes: usize) {
        self.set(Way::Stops(bytes));
    }

    /// Waits until it has stopped in a photo.
    pub async fn stopped(&self) {
        let looks = async {
            while self.lock().way != Way::Stopped {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, looks).await.expect("no photo came along the line");
    }

    /// Lets the rest of what was stopped pass.
    pub fn goes_on(&self) {
        self.set(Way::Open);
    }

    /// Cuts what was stopped; what comes later passes.
    pub fn cuts(&self) {
        self.set(Way::Cut);
    }

    /// How many bytes have passed up and down, headers and all.
    pub fn passed(&self) -> (usize, usize) {
        self.lock().passed
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.0.lock().unwrap()
    }

    fn set(&self, way: Way) {
        self.lock().way = way;
        self.shared.1.notify_all();
    }

    /// Carries one connection, each way on a thread.
    fn carry(&self, device: TcpStream) {
        let leads_to = self.lock().leads_to;
        let Some(Ok(server)) = leads_to.map(TcpStream::connect) else { return };
        let (Ok(from_server), Ok(to_device)) = (server.try_clone(), device.try_clone()) else { return };
        let line = self.clone();
        let back = self.clone();
        thread::spawn(move || line.up(device, server));
        thread::spawn(move || back.down(from_server, to_device));
    }

    fn up(&self, mut device: TcpStream, mut server: TcpStream) {
        let mut bytes = [0; 16 << 10];
        // How much of a photo has passed, once one is on its way.
        let mut passed: Option<usize> = None;
        while let Ok(count @ 1..) = device.read(&mut bytes) {
            let mut rest = &bytes[..count];
            if rest.windows(PHOTO.len()).any(|window| window == PHOTO) {
                passed = Some(0);
            }
            let way = self.lock().way;
            if let (Some(passed), Way::Stops(at)) = (passed, way)
                && passed + count > at
            {
                let (first, second) = rest.split_at(at.saturating_sub(passed));
                if server.write_all(first).is_err() || !self.stop() {
                    break;
                }
                rest = second;
            }
            passed = passed.map(|passed| passed + count);
            if server.write_all(rest).is_err() {
                break;
            }
            self.lock().passed.0 += count;
        }
        // An error says that it was closed before.
        let _ = (server.shutdown(Shutdown::Both), device.shutdown(Shutdown::Both));
    }

    /// Stops until the story says how it goes on; whether anything more passes.
    fn stop(&self) -> bool {
        self.set(Way::Stopped);
        let mut shared = self.lock();
        while shared.way == Way::Stopped {
            shared = self.shared.1.wait(shared).unwrap();
        }
        shared.way != Way::Cut
    }

    fn down(&self, mut server: TcpStream, mut device: TcpStream) {
        let mut bytes = [0; 16 << 10];
        // Whatever ends it, it has ended.
        while let Ok(count @ 1..) = server.read(&mut bytes) {
            // Counted before anybody can have read it.
            self.lock().passed.1 += count;
            if device.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = device.shutdown(Shutdown::Both);
    }
}
