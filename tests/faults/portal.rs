//! Somebody else answers: a captive portal's page, a proxy's error, noise.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

use sync_core::device::{DeviceError, Link, LinkError, LinkOptions};

use crate::council::{another, council, homes, reading, records, waiting};
use crate::shears::Shears;

/// What answers every connection with these bytes, and then ends it.
fn portal(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut device in listener.incoming().flatten() {
            let mut asked = [0; 64 << 10];
            // It reads a little, as such things do, and answers whatever it was asked.
            let _ = device.read(&mut asked);
            let _ = device.write_all(&answer);
        }
    });
    address
}

fn page(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_answers_in_the_servers_place_is_not_believed_and_nothing_changes_by_it() {
    let line = Shears::open();
    let world = council(1, &format!("public_url = \"{}\"\n", line.url())).await;
    line.leads_to(world.server.address());
    let tablet = another(&world, "tablet").await;
    let home = homes(&tablet.device).await[0];
    tablet.device.measure(home, reading(735)).await.unwrap();
    let before = records(&tablet.device).await;

    let cbor = "content-type: application/cbor";
    let html = "<html><body>Welcome to Free Town Wifi. Sign in to go on.</body></html>".as_bytes();
    let mut chance = sync_core::clock::Seeded::new(1);
    let mut noise = vec![0; 3000];
    sync_core::clock::Chance::fill(&mut chance, &mut noise);
    let answers = [
        ("a page", page("200 OK\r\ncontent-type: text/html", html)),
        ("a page that says it is CBOR", page(&format!("200 OK\r\n{cbor}"), html)),
        ("nothing", page(&format!("200 OK\r\n{cbor}"), b"")),
        ("an empty list", page(&format!("200 OK\r\n{cbor}"), &[0x80])),
        ("noise", page(&format!("200 OK\r\n{cbor}"), &noise)),
        ("JSON", page("200 OK\r\ncontent-type: application/json", b"{\"ok\":true}")),
        ("a sign-in elsewhere", page("302 Found\r\nlocation: http://127.0.0.1:1/login", b"")),
        ("an order to sign in", page("511 Network Authentication Required\r\ncontent-type: text/html", html)),
        ("no content", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        ("a proxy's error", page("502 Bad Gateway\r\ncontent-type: text/html", html)),
        ("no HTTP at all", noise.clone()),
        ("nothing at all", Vec::new()),
    ];
    for (what, answer) in answers {
        line.leads_to(portal(answer));
        let link = Link::new(&LinkOptions::default()).unwrap();
        match tablet.device.sync(&link).await {
            Err(DeviceError::Link(error)) => {
                assert!(error.is_passing(), "{what}: {error}");
                assert!(!matches!(error, LinkError::Tls(_)), "{what}: {error}");
            }
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!((waiting(&tablet.device).await, records(&tablet.device).await), (1, before.clone()), "{what}");
    }
    // Signed in to the wifi: what was asked in vain is asked again, and is no alarm.
    line.leads_to(world.server.address());
    let report = tablet.device.sync(&Link::new(&LinkOptions::default()).unwrap()).await.unwrap();
    assert_eq!((report.receipted, waiting(&tablet.device).await), (1, 0));
}
