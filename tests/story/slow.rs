//! A client that says nothing, or never finishes what it says.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use grabrail_tests::World;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What is heard on a connection on which only this is said until the server closes it, and after how long.
#[allow(clippy::disallowed_methods, reason = "how long the server waits is what is measured")]
async fn until_closed(address: SocketAddr, said: &str) -> (String, Duration) {
    let mut line = TcpStream::connect(address).await.unwrap();
    line.write_all(said.as_bytes()).await.unwrap();
    let (began, mut heard) = (Instant::now(), Vec::new());
    timeout(Duration::from_secs(60), line.read_to_end(&mut heard)).await.expect("it is still open").unwrap();
    (String::from_utf8_lossy(&heard).into_owned(), began.elapsed())
}

/// Invariant 6: a connection that is held open and not used is given up.
#[tokio::test]
async fn a_connection_that_never_speaks_never_finishes_its_head_or_never_speaks_again_is_closed() {
    let world = World::start().await;
    let address = world.server.address();
    let head = "GET /healthz HTTP/1.1\r\nHost: grabrail";
    let whole = format!("{head}\r\n\r\n");
    let (nothing, letter, preface) = ("", "P", "PRI * HTTP/2.0\r\n");
    let (half, once, unspoken, begun, other) = tokio::join!(
        until_closed(address, head),
        until_closed(address, &whole),
        until_closed(address, nothing),
        until_closed(address, letter),
        until_closed(address, preface),
    );
    assert!(once.0.starts_with("HTTP/1.1 204"), "{once:?}");
    assert!(other.0.is_empty() || other.0.starts_with("HTTP/1.1 4"), "{other:?}");
    for (heard, _) in [&half, &unspoken, &begun] {
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 4"), "{heard}");
    }
    for (_, after) in [&half, &once, &unspoken, &begun] {
        assert!(*after > Duration::from_secs(5), "a slow line is given time");
    }
    assert_eq!(world.server.get("/healthz").await.0, 204, "everybody else is served");
}
