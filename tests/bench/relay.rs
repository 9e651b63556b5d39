//! A device speaks only to the address it was enrolled with, which is this machine's. Over the emulated link the server
//! has another: this carries the bytes, as they are, from the one to the other.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// The `host:port` of an address with a scheme.
pub(crate) fn host(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, host)| host).trim_end_matches('/')
}

/// Listens where the device was enrolled and carries to where the server is; nothing to do when that is the same.
pub(crate) async fn carry(enrolled: &str, server: &str) {
    let (from, to) = (host(enrolled).to_owned(), host(server).to_owned());
    if from == to {
        return;
    }
    let mut tries = 0;
    let listener = loop {
        match TcpListener::bind(from.parse::<SocketAddr>().unwrap()).await {
            Ok(listener) => break listener,
            // The client before this one may only just have been ended.
            Err(_) if tries < 100 => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => panic!("{from}: {error}"),
        }
        tries += 1;
    };
    tokio::spawn(async move {
        while let Ok((mut device, _)) = listener.accept().await {
            let to = to.clone();
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(&to).await else { return };
                // Neither end may wait for more to fill a packet.
                let _ = (device.set_nodelay(true), server.set_nodelay(true));
                let _ = copy_bidirectional(&mut device, &mut server).await;
            });
        }
    });
}
