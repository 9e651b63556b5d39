//! The order to stop, in the middle of somebody's request.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use grabrail_tests::{PASSWORD, World};
use sync_core::access::Role;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_request_half_sent_when_the_order_to_stop_comes_is_answered_and_nobody_new_is_let_in() {
    let mut world = World::start().await;
    world.account("olu", Role::Ot);
    let address = world.server.address();
    let body = serde_json::json!({ "sign_in": "olu", "password": PASSWORD }).to_string();
    let head = format!(
        "POST /v1/sessions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let (first, second) = body.split_at(body.len() / 2);
    let mut half = TcpStream::connect(address).unwrap();
    half.set_read_timeout(Some(PATIENCE)).unwrap();
    half.write_all(format!("{head}{first}").as_bytes()).unwrap();
    // Until the server has taken what was sent; a request it answers meanwhile says that it looks at its connections.
    assert_eq!(world.server.get("/healthz").await.0, 204);
    tokio::time::sleep(Duration::from_millis(200)).await;

    let second = second.to_owned();
    let (say, said) = mpsc::channel();
    let finishing = thread::spawn(move || {
        let mut lets_in = true;
        for _ in 0..400 {
            lets_in = TcpStream::connect(address).is_ok();
            if !lets_in {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        assert!(!lets_in, "new connections are still taken");
        half.write_all(second.as_bytes()).unwrap();
        let mut answer = String::new();
        // An error after the answer says that the server closed first.
        let _ = half.read_to_string(&mut answer);
        say.send(answer).unwrap();
    });
    let status = world.server.stop().await;
    finishing.join().expect("the half-sent request came to an end");
    let answer = said.recv().unwrap();
    assert!(answer.starts_with("HTTP/1.1 201") && answer.contains("\"access\""), "{answer}");
    assert_eq!(status.code(), Some(0), "{}", world.server.log());
}
