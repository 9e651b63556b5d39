//! The server as a process of its own.

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::grabrail;

/// How long a server may take until it takes requests, and until it has stopped.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// What a log holds once its server panicked: from its own hook, and from Rust's before that is set.
const PANICS: [&str; 2] = ["a panic was caught", "panicked at"];

/// A running server. It is killed when this is dropped; what it logged is printed if the story failed. Whatever a story
/// is about, it fails if its server panicked, though the panic cost only one request (invariant 6).
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    settings: PathBuf,
    log: PathBuf,
    http: reqwest::Client,
    scheme: &'static str,
}

impl Server {
    /// Starts the binary with a settings file that names `address`, and waits until it is ready. `None` when
    /// another process has the address. With `roots` (PEM) it speaks TLS.
    pub async fn start(settings: &Path, address: SocketAddr, log: &Path, roots: Option<&[u8]>) -> Option<Self> {
        // Whoever installed one before, installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots_of = |pem| reqwest::Certificate::from_pem_bundle(pem).unwrap();
        let trusted = roots.map(roots_of).unwrap_or_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .pool_idle_timeout(PATIENCE / 3)
            .tls_certs_only(trusted)
            .build()
            .unwrap();
        let scheme = if roots.is_some() { "https" } else { "http" };
        let (settings, log) = (settings.to_owned(), log.to_owned());
        let child = spawn(&settings, &log, None);
        let mut server = Self { child, address, settings, log, http, scheme };
        server.is_ready().await.then_some(server)
    }

    /// Waits until `/readyz` says that requests can be taken; false when the address was taken.
    async fn is_ready(&mut self) -> bool {
        let url = format!("{}/readyz", self.url());
        let looks = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    assert!(self.log().contains("can't listen on"), "the server ended by {status}:\n{}", self.log());
                    return false;
                }
                if self.http.get(&url).send().await.is_ok_and(|reply| reply.status() == 204) {
                    return true;
                }
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, looks).await.expect("the server did not get ready")
    }

    /// Where it is: `http://127.0.0.1:PORT`, or `https:` with TLS.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A client that speaks to it, for requests of the story's own.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Gets a path: the status, the content type and the body.
    pub async fn get(&self, path: &str) -> (u16, String, Vec<u8>) {
        let reply = self.http.get(format!("{}{path}", self.url())).send().await.unwrap();
        let kind =
            reply.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        (reply.status().as_u16(), kind, reply.bytes().await.unwrap().to_vec())
    }

    /// Signs somebody in at the API with the story's password: the access token.
    pub async fn signed_in(&self, sign_in: &str) -> String {
        let body = serde_json::json!({ "sign_in": sign_in, "password": super::PASSWORD }).to_string();
        let request = self.http.post(format!("{}/v1/sessions", self.url())).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap().bytes().await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        answer["access"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// All it has logged, also before restarts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Orders it to stop (SIGTERM) and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        // The shell's own `kill`: the standard library has no other signal than SIGKILL.
        let id = self.child.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().unwrap().success());
        let looks = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                sleep(PAUSE).await;
            }
        };
        let status = timeout(PATIENCE, looks).await.expect("the server did not stop");
        self.never_panicked();
        status
    }

    /// Ends it as a power cut would (SIGKILL), in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.never_panicked();
    }

    #[track_caller]
    fn never_panicked(&self) {
        let log = self.log();
        assert!(!PANICS.iter().any(|panic| log.contains(panic)), "the server panicked:\n{log}");
    }

    /// Starts it again on the same data folder and address, after [`Self::stop`] or [`Self::kill`].
    pub async fn restart(&mut self) {
        self.restart_with(None).await;
    }

    /// The same on a file system that lets no file grow beyond so many bytes.
    pub async fn restart_cramped(&mut self, most_bytes: u64) {
        self.restart_with(Some(most_bytes)).await;
    }

    async fn restart_with(&mut self, most_bytes: Option<u64>) {
        assert!(self.child.try_wait().unwrap().is_some(), "it still runs");
        self.child = spawn(&self.settings, &self.log, most_bytes);
        assert!(self.is_ready().await, "its address was taken meanwhile:\n{}", self.log());
    }
}

fn spawn(settings: &Path, log: &Path, most_bytes: Option<u64>) -> Child {
    let open = || -> File { OpenOptions::new().create(true).append(true).open(log).unwrap() };
    grabrail(most_bytes)
        .env_clear()
        .arg("serve")
        .arg("--config")
        .arg(settings)
        .stdin(Stdio::null())
        .stdout(open())
        .stderr(open())
        .spawn()
        .unwrap()
}

impl Drop for Server {
    #[allow(clippy::print_stderr, reason = "whoever reads a failed story wants the server's side of it")]
    fn drop(&mut self) {
        // An error says that it ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.log());
        } else {
            self.never_panicked();
        }
    }
}
