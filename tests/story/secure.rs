//! A council with a certificate authority of its own: who was told of it speaks to the server, nobody else is heard.

use grabrail_tests::World;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sync_core::access::Role;
use sync_core::device::{DeviceError, Kept, Link, LinkError, LinkOptions};
use sync_core::domain::kind::Kind;

use super::office::door;

/// The files of an authority and of the server it vouches for.
struct Authority {
    folder: tempfile::TempDir,
    pem: String,
}

impl Authority {
    /// It vouches for a server on this machine, by its address.
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Borough of Example");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &issuer).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("ca.pem", &pem), ("cert.pem", &cert.pem()), ("key.pem", &key.serialize_pem())] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder, pem }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self) -> String {
        let (cert, key) = (self.file("cert.pem"), self.file("key.pem"));
        format!("tls_cert = \"{}\"\ntls_key = \"{}\"\n", cert.display(), key.display())
    }

    fn options(&self) -> LinkOptions {
        LinkOptions { extra_roots: Some(self.pem.clone().into_bytes()) }
    }
}

/// What a device says of a server whose certificate it does not trust.
#[track_caller]
fn is_not_trusted<T: std::fmt::Debug>(said: Result<T, DeviceError>) {
    let Err(DeviceError::Link(error @ LinkError::Tls(_))) = said else { panic!("{said:?}") };
    assert!(error.to_string().contains("the server's certificate is not trusted"), "{error}");
}

#[tokio::test]
async fn a_device_speaks_to_a_server_that_an_authority_it_was_told_of_vouches_for_and_to_no_other() {
    let authority = Authority::new();
    let world = World::start_with(&authority.settings(), Some(authority.pem.as_bytes())).await;
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");
    let code = world.code("olu");

    // A device that was not told, and one that was told of somebody else.
    let stranger = Authority::new();
    for (name, options) in [("told-nothing", LinkOptions::default()), ("told-other", stranger.options())] {
        let tablet = world.blank_tablet(name, &options).await;
        is_not_trusted(tablet.device.enrol(&tablet.link, &code, "tablet").await);
    }
    // Nor is a server that goes by another name than the one vouched for.
    let tablet = world.blank_tablet("olu", &authority.options()).await;
    let misnamed = code.replace("127.0.0.1", "localhost");
    is_not_trusted(tablet.device.enrol(&tablet.link, &misnamed, "tablet").await);

    // The code was not spent on them.
    tablet.device.enrol(&tablet.link, &code, "tablet").await.unwrap();
    tablet.sync().await;
    let home = tablet.document(Kind::Home).await;
    tablet.device.measure(home, door()).await.unwrap();

    // A server that cannot prove itself any more gets nothing, and the work waits.
    for options in [LinkOptions::default(), stranger.options()] {
        is_not_trusted(tablet.device.sync(&Link::new(&options).unwrap()).await);
        let state = tablet.device.state(home).await.unwrap();
        assert_eq!((state.kept, state.unsent), (Some(Kept::OnThisDevice), 1));
    }
    assert_eq!(tablet.sync().await.receipted, 1);
    assert_eq!(tablet.device.state(home).await.unwrap().kept, Some(Kept::ServerHas));

    // The same in a terminal.
    let field = world.field("terminal");
    let code = world.code("olu");
    let problem = field.fails(&["enrol", &code]);
    assert_eq!(problem["type"], "urn:grabrail:problem:not-safe", "{problem}");
    let field = field.trusting(&authority.file("ca.pem"));
    field.done(&["enrol", &code]);
    field.done(&["sync"]);
    assert_eq!(field.done(&["show", "R-1", "home"])["readings"][0]["value"], 735);
    let problem = field.trusting(&authority.file("key.pem")).fails(&["sync"]);
    assert_eq!(problem["type"], "urn:grabrail:problem:not-safe", "a key is no certificate: {problem}");
}

#[tokio::test]
async fn nothing_is_said_in_the_clear_but_to_this_machine() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    // A text that was made up to lead a device elsewhere.
    let code = world.code("olu");
    let elsewhere = code.replace(&world.server.url(), "http://grabrail.example");
    assert_ne!(elsewhere, code);
    let tablet = world.blank_tablet("olu", &LinkOptions::default()).await;
    let refused = tablet.device.enrol(&tablet.link, &elsewhere, "tablet").await;
    assert!(matches!(refused, Err(DeviceError::Enrolment(_))), "{refused:?}");
    tablet.device.enrol(&tablet.link, &code, "tablet").await.unwrap();

    // A server that others could reach says what it needs, and does not start.
    let refused = world.say(&["serve", "--listen", "0.0.0.0:0"], "");
    assert_eq!(refused.code, Some(2), "{}{}", refused.out, refused.err);
    for way_out in ["--tls-cert", "--tls-key", "--behind-proxy", "127.0.0.1"] {
        assert!(refused.err.contains(way_out), "{}", refused.err);
    }
    let half = world.say(&["serve", "--tls-cert", "cert.pem"], "");
    assert!(half.code == Some(2) && half.err.contains("tls_key"), "{}", half.err);
    let told = world.say(&["serve", "--public-url", "http://grabrail.example"], "");
    assert!(told.code == Some(2) && told.err.contains("https://"), "{}", told.err);
}

#[tokio::test]
async fn a_device_speaks_to_a_server_on_its_own_machine_whatever_proxy_the_machine_is_told_of() {
    let world = World::start().await;
    world.account("olu", Role::Ot);
    world.case("R-1", "olu");
    // Nobody answers there. Programs read either spelling, and one for all schemes.
    let mut field = world.field("olu");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        field = field.with_env(name, "http://127.0.0.1:9");
    }
    field.done(&["enrol", &world.code("olu")]);
    assert_eq!(field.done(&["sync"])["round_trips"], 1);
    assert_eq!(field.done(&["cases"]).as_array().unwrap().len(), 1);
}
