//! `grabrail serve`: the server's life from lock to last commit.

mod connections;

use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use sync_core::clock::{SystemChance, SystemClock};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use self::connections::{Connection, Door};
use super::VerbError;
use crate::app::App;
use crate::audit;
use crate::chance::SharedChance;
use crate::config::{Config, LogFormat};
use crate::routes;
use crate::storage::Storage;
use crate::storage::audit::SignedCheckpoint;

/// How long a client may say nothing on a connection: before its first request, within its head, between two. A
/// connection costs a file, and there are only so many. Devices let go of an idle one sooner, so that none is closed under a
/// request.
const HEAD: Duration = Duration::from_secs(20);
/// How long a client may take no byte of what is written to it. Of a slow line the system tells only once a third of
/// what it holds for it has gone: on one of 1 KiB a second, after a minute and a half.
const STALLED: Duration = Duration::from_secs(120);
/// The most connections at once.
const CONNECTIONS: usize = 4096;
/// How often it is looked whether a checkpoint of the audit log is due.
const LOOK: Duration = Duration::from_secs(60);
/// How long requests may go on after the order to stop.
const GRACE: Duration = Duration::from_secs(10);

pub(super) async fn run(config: Config) -> Result<(), VerbError> {
    start_log(&config);
    let (clock, chance) = (Arc::new(SystemClock::new()), SharedChance::new(SystemChance));
    let (storage, lock) = Storage::serve(&config.data, clock.clone(), chance.clone()).await?;
    let app = App::new(config, storage, clock, chance).await?;
    let checkpoints = tokio::spawn(sign_checkpoints(app.clone()));
    let served = listen(&app).await;
    checkpoints.abort();
    // Of what came since the last one, too.
    match audit::checkpoint(&app).await {
        Ok(signed) => signed.iter().for_each(told),
        Err(error) => tracing::error!(%error, "the end of the audit log could not be signed"),
    }
    app.storage.close().await;
    drop(lock);
    tracing::info!("stopped");
    served
}

/// Signs, whenever that is due, how far the audit log has come. The log of the server is told: whoever keeps it elsewhere
/// keeps a checkpoint there.
async fn sign_checkpoints(app: App) {
    loop {
        match audit::checkpoint_if_due(&app).await {
            Ok(Some(signed)) => told(&signed),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the audit log could not be signed"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Tells the server's log of a checkpoint, as `grabrail audit verify --checkpoint` takes it from a file.
fn told(signed: &SignedCheckpoint) {
    let checkpoint = serde_json::to_string(signed).unwrap_or_default();
    tracing::info!(n = signed.checkpoint.n, checkpoint, "the audit log was signed");
}

async fn listen(app: &App) -> Result<(), VerbError> {
    let address = app.config.listen;
    let refused = |error| VerbError::Listen(address, error);
    let listener = std::net::TcpListener::bind(address).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let service = routes::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    let stopper = tokio::spawn(stop(handle.clone()));
    tracing::info!(%address, tls = app.config.tls.is_some(), server = %app.keys.server(), "listening");
    let door = Door::new(CONNECTIONS.min(half_the_files()), STALLED);
    let served = match &app.config.tls {
        Some(files) => {
            // Once a process; a second time finds it done.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let tls = RustlsConfig::from_pem_file(&files.cert, &files.key).await.map_err(VerbError::Tls)?;
            let mut config = ServerConfig::clone(&tls.get_inner());
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let tls = RustlsConfig::from_config(Arc::new(config));
            let server = axum_server::from_tcp_rustls(listener, tls).map_err(refused)?;
            // Under TLS, so that what never gets as far is counted too. Another acceptor forgets the version.
            let mut server = server.map(|tls| tls.acceptor(door)).http1_only();
            bounded(server.http_builder());
            server.handle(handle).serve(service).await
        }
        None => {
            let mut server = axum_server::from_tcp(listener).map_err(refused)?.acceptor(door).http1_only();
            bounded(server.http_builder());
            server.handle(handle).serve(service).await
        }
    };
    stopper.abort();
    served.map_err(VerbError::Serve)
}

impl<I, S> Accept<I, S> for Door {
    type Stream = Connection<I>;
    type Service = S;
    type Future = Ready<io::Result<(Connection<I>, S)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        ready(self.enter(stream).map(|connection| (connection, service)))
    }
}

/// Half of the files that the system lets this process open: the other half is for storage.
fn half_the_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let most: Option<usize> = files.and_then(|files| files.split_whitespace().next()?.parse().ok());
    most.map_or(usize::MAX, |most| most / 2)
}

/// Gives up on connections that say nothing for too long. HTTP/1 alone: before it knows which version it hears, hyper waits
/// without an end; and a device has one request at a time.
fn bounded(http: &mut Builder<TokioExecutor>) {
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
}

/// Waits for the order to stop; requests then have [`GRACE`] to end.
async fn stop(handle: Handle<SocketAddr>) {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminate => {}
        // Without a handler for Ctrl-C the system ends the process itself.
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping");
    handle.graceful_shutdown(Some(GRACE));
}

/// Ids, route templates, statuses and milliseconds; never a name, a path or a query.
fn start_log(config: &Config) {
    let filter = EnvFilter::try_new(&config.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stdout);
    // A second start in one process (tests) keeps the first log.
    let _ = match config.log {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        // The message may hold what was being worked on.
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "a panic was caught");
    }));
}
