//! The stage: a server process, device processes, the office at the API, and what is checked of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use sync_core::clock::{Chance as _, Clock as _, SystemChance, SystemClock};
use sync_core::device::StoreError;
use sync_core::id::AskId;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::wire::Wire;

/// Everyone's password and passphrase in the demonstration.
pub(super) const PASSWORD: &str = "a fictional passphrase";

/// Why the demonstration stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// A step was not as it should be.
    #[error("{0}")]
    Check(String),
    /// A device's store could not be looked into.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was interrupted before its end.
    #[error("interrupted")]
    Interrupted,
    /// Where to look for why.
    #[error("{why}\n  server.log, the data and the devices' stores are kept in {}", folder.display())]
    Kept {
        /// Why.
        why: Box<Failed>,
        /// The demonstration's folder.
        folder: PathBuf,
    },
    /// A process could not be run, or a file not written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A picture could not be drawn.
    #[error(transparent)]
    Picture(#[from] image::ImageError),
    /// The API could not be reached.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// An answer was not JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// What came of a process.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// A sync that was done.
pub(super) struct Synced {
    pub(super) store: &'static str,
    pub(super) what: String,
    pub(super) report: Value,
    /// How long it took, with the process's start.
    pub(super) millis: u64,
}

/// The stage.
pub(super) struct Stage {
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    server: Child,
    /// The link of each device, by its store.
    wires: BTreeMap<&'static str, Wire>,
    http: reqwest::Client,
    clock: SystemClock,
    /// The memory of the server before anybody asked it anything, in bytes.
    pub(super) idle: Option<u64>,
    /// What each sync cost.
    pub(super) syncs: Vec<Synced>,
}

impl Stage {
    /// A server in an empty folder.
    pub(super) async fn set(folder: &Path) -> Result<Self, Failed> {
        let program = std::env::current_exe()?;
        let folder = folder.to_owned();
        // Once a process; a second time finds it done.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .pool_idle_timeout(Duration::from_secs(10))
            .no_proxy()
            .build()?;
        let (address, server) = serve(&program, &folder, &http).await?;
        let (wires, clock, syncs) = (BTreeMap::new(), SystemClock::new(), Vec::new());
        let mut stage = Self { program, folder, address, server, wires, http, clock, idle: None, syncs };
        stage.idle = stage.server_memory();
        Ok(stage)
    }

    /// Lays a link for a device; its address there.
    pub(super) async fn lay_wire(&mut self, store: &'static str) -> Result<String, Failed> {
        let wire = Wire::to(self.address).await?;
        let url = wire.url();
        self.wires.insert(store, wire);
        Ok(url)
    }

    /// The link of a device.
    pub(super) fn wire(&self, store: &str) -> Result<&Wire, Failed> {
        self.wires.get(store).ok_or_else(|| Failed::Check(format!("{store} has no link")))
    }

    /// A file of the demonstration.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Milliseconds since the demonstration began.
    pub(super) fn elapsed(&self) -> u64 {
        self.clock.elapsed()
    }

    async fn run(&self, args: &[&str], stdin: Option<&str>, passphrase: Option<&str>) -> Result<Ran, Failed> {
        let mut command = Command::new(&self.program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        if let Some(passphrase) = passphrase {
            command.env("GRABRAIL_FIELD_PASSPHRASE", passphrase);
        }
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // A process that wants no input may be gone already.
            let _ = input.write_all(stdin.unwrap_or_default().as_bytes()).await;
        }
        let output = child.wait_with_output().await?;
        Ok(Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs an administrative verb beside the server; its output without the last line's end.
    pub(super) async fn admin(&self, args: &[&str]) -> Result<String, Failed> {
        let data = self.file("data");
        let data = data.to_string_lossy();
        let mut all = args.to_vec();
        all.extend(["--data", &data]);
        let ran = self.run(&all, Some(PASSWORD), None).await?;
        if ran.code != 0 {
            return Err(Failed::Check(format!("grabrail {}: {}", args.join(" "), ran.err)));
        }
        Ok(ran.out.trim_end().to_owned())
    }

    /// Runs `grabrail` just so.
    pub(super) async fn grabrail(&self, args: &[&str]) -> Result<Ran, Failed> {
        self.run(args, None, None).await
    }

    /// Runs a device; `None` in `Ok` when it said no, with its problem.
    pub(super) async fn field(&self, store: &str, clock: &str, args: &[&str]) -> Result<Result<Value, Value>, Failed> {
        let store = self.file(store);
        let store = store.to_string_lossy();
        let mut all = vec!["field", "--store", &store, "--json", "--clock", clock];
        all.extend(args);
        let ran = self.run(&all, None, Some(PASSWORD)).await?;
        let read = |text: &str| serde_json::from_str(text.trim()).unwrap_or_else(|_| json!({ "detail": text.trim() }));
        Ok(if ran.code == 0 { Ok(read(&ran.out)) } else { Err(read(&ran.err)) })
    }

    /// Signs in at the API.
    pub(super) async fn sign_in(&self, name: &str) -> Result<String, Failed> {
        let body = json!({ "sign_in": name, "password": PASSWORD });
        let (status, answer) = self.call("POST", "/v1/sessions", None, Some(&body)).await?;
        let token = answer["access"].as_str().map(str::to_owned);
        token.ok_or_else(|| Failed::Check(format!("{name} could not sign in ({status})")))
    }

    /// Calls the API.
    pub(super) async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<(u16, Value), Failed> {
        let (status, bytes) = self.fetch(method, path, token, body).await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Calls the API for bytes.
    pub(super) async fn fetch(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<(u16, Vec<u8>), Failed> {
        let url = format!("http://{}{path}", self.address);
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let mut request = self.http.request(method, url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(serde_json::to_vec(body)?);
        }
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.bytes().await?.to_vec()))
    }

    /// Asks the server to decide.
    pub(super) async fn ask(&self, token: &str, mut ask: Value) -> Result<(u16, Value), Failed> {
        let mut chance = SystemChance;
        let mut id = [0; 16];
        chance.fill(&mut id);
        ask["id"] = json!(AskId::from_bytes(id));
        self.call("POST", "/v1/asks", Some(token), Some(&ask)).await
    }

    /// The memory the server holds now, in bytes; nothing where the system does not tell.
    pub(super) fn server_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    }

    /// Tells a step that was as it should be.
    #[allow(clippy::print_stdout, clippy::unused_self)] // the console's own
    pub(super) fn tell(&self, when: &str, what: &str) {
        println!("  ✓ {when:<10} {what}");
    }

    /// Tells anything else.
    #[allow(clippy::print_stdout, clippy::unused_self)] // the console's own
    pub(super) fn say(&self, what: &str) {
        println!("{what}");
    }

    /// Stops the server.
    pub(super) async fn strike(mut self) -> Result<(), Failed> {
        let Some(id) = self.server.id() else { return Ok(()) };
        // The shell's own: not every Debian has the program.
        Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id.to_string()]).status().await?;
        let stopped = tokio::time::timeout(Duration::from_secs(15), self.server.wait()).await;
        let orderly = matches!(stopped, Ok(Ok(status)) if status.success());
        check(orderly, "the server did not stop as it should")?;
        let log = std::fs::read_to_string(self.file("server.log"))?;
        check(!log.contains("a panic was caught"), "the server panicked on the way: see its log")
    }

    /// Says what to try while the server stays up. The devices' links stay too, and nobody listens to them.
    pub(super) fn offer(&self) {
        self.wires.values().for_each(Wire::stop_listening);
        let program = self.program.display();
        let file = |name: &str| self.file(name).display().to_string();
        self.say(&format!(
            "\nThe server is up at http://{address}. Sign-ins: grace.senior, ben.private, sue.surveyor, ana.ot and \
             ida.admin, all with the password “{PASSWORD}”.\nTry:\n\n  \
             curl -s --noproxy '*' http://{address}/v1/sessions -H 'content-type: application/json' \
             -d '{{\"sign_in\":\"grace.senior\",\"password\":\"{PASSWORD}\"}}'\n\n  \
             GRABRAIL_FIELD_PASSPHRASE='{PASSWORD}' {program} field --store {ana} open W-1001\n\n  \
             {program} verify {evidence} --key \"$({program} keys public --data {data})\"\n\n\
             Ctrl-C ends it. The folder {folder} stays.",
            address = self.address,
            ana = file("ana.store"),
            evidence = file("stairlift.json"),
            data = file("data"),
            folder = self.folder.display(),
        ));
    }
}

/// Starts a server and waits until it takes requests. An address is free a moment before the server takes it: where
/// another process was quicker, another one is tried.
async fn serve(program: &Path, folder: &Path, http: &reqwest::Client) -> Result<(SocketAddr, Child), Failed> {
    for _ in 0..5 {
        let address = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let log = std::fs::File::create(folder.join("server.log"))?;
        let mut server = Command::new(program)
            .args(["serve", "--data"])
            .arg(folder.join("data"))
            .args(["--listen", &address.to_string(), "--authority", "London Borough of Wenbury"])
            .stdout(log)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        for _ in 0..600 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if server.try_wait()?.is_some() {
                break;
            }
            if let Ok(answer) = http.get(format!("http://{address}/readyz")).send().await
                && answer.status().is_success()
            {
                return Ok((address, server));
            }
        }
    }
    Err(Failed::Check("the server does not get ready".to_owned()))
}

/// Checks.
pub(super) fn check(holds: bool, what: impl Into<String>) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(Failed::Check(what.into())) }
}
