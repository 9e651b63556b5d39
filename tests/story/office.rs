//! What several stories share: people at the API, a visit with its tablet, what is measured and photographed there, and
//! a line that can be listened to.

use std::sync::{Arc, Mutex};

use grabrail_tests::{Tablet, World};
use serde_json::{Value as Json, json};
use sync_core::access::Role;
use sync_core::clock::{Chance as _, Seeded, SystemChance};
use sync_core::device::link::{HttpReply, HttpRequest, Method as Verb, Sending};
use sync_core::device::{DimensionInput, Link, LinkError, MeasureInput, PhotoInput, PhotoSource, Replace, Transport};
use sync_core::domain::kind::Kind;
use sync_core::domain::record::{Cite, SharedText, Tolerance, Value};
use sync_core::domain::vocabulary::photo::{PhotoSubject, ShareWith};
use sync_core::domain::vocabulary::{Field, ItemKind, Measure, Method};
use sync_core::id::{AskId, CaseId, DocumentId, Hash, Heads, Key};
use sync_core::protocol::ask::AskRefusal;
use sync_core::protocol::codec::{Limits, unpack};
use sync_core::protocol::{Request, SignedReply, SyncReply};

/// What is prescribed, in words that are searched for where they must not be.
pub(crate) const NEED: &str = "To stand up from the toilet unaided";
/// Why, which Housing never reads.
pub(crate) const REASONING: &str = "She fell twice in October";

/// A field by its name.
#[track_caller]
pub(crate) fn field(name: &str) -> Field {
    Field::named(name).unwrap_or_else(|| panic!("{name} is no field"))
}

/// Gets a path as somebody who is signed in: the status and the bytes.
pub(crate) async fn fetch(world: &World, token: &str, path: &str) -> (u16, Vec<u8>) {
    let url = format!("{}{path}", world.server.url());
    let answer = world.server.http().get(url).bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}

/// The same, as JSON.
pub(crate) async fn get(world: &World, token: &str, path: &str) -> (u16, Json) {
    let (status, bytes) = fetch(world, token, path).await;
    (status, serde_json::from_slice(&bytes).unwrap_or(Json::Null))
}

/// Posts an ask under this id: the status and the whole answer.
pub(crate) async fn post_ask(world: &World, token: &str, id: AskId, case: CaseId, request: &Request) -> (u16, Json) {
    let mut body = serde_json::to_value(request).unwrap();
    (body["id"], body["case"]) = (json!(id), json!(case));
    let url = format!("{}/v1/asks", world.server.url());
    let posting = world.server.http().post(url).bearer_auth(token).header("content-type", "application/json");
    let answer = posting.body(body.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Json::Null))
}

/// Asks at the API: granted, or why not.
pub(crate) async fn ask(world: &World, token: &str, case: CaseId, request: Request) -> Result<(), AskRefusal> {
    let (status, answer) = post_ask(world, token, AskId::mint(&mut SystemChance), case, &request).await;
    if status == 200 {
        assert_eq!(answer["answer"], "granted", "{answer}");
        return Ok(());
    }
    assert_eq!((status, answer["type"].as_str()), (409, Some("urn:grabrail:problem:ask-refused")), "{answer}");
    let refusal = answer["verdict"]["answer"]["refused"].clone();
    Err(serde_json::from_value(refusal).unwrap_or_else(|error| panic!("{error}: {answer}")))
}

/// The words of findings that stand in the way; fails the story when the ask was answered otherwise.
#[track_caller]
pub(crate) fn findings(answer: Result<(), AskRefusal>) -> String {
    match answer {
        Err(AskRefusal::Findings { findings }) => findings.join("; "),
        other => panic!("no findings: {other:?}"),
    }
}

/// The state of a prescription, as one who may read it is told at the API.
pub(crate) async fn state(world: &World, token: &str, document: DocumentId) -> String {
    let (status, answer) = get(world, token, &format!("/v1/prescriptions/{document}")).await;
    assert_eq!(status, 200, "{answer}");
    answer["state"]["state"].as_str().unwrap_or_else(|| panic!("no state: {answer}")).to_owned()
}

/// Whether a prescription is in the queue of those who sign.
pub(crate) async fn waits(world: &World, token: &str, document: DocumentId) -> bool {
    let (status, queue) = get(world, token, "/v1/prescriptions").await;
    assert_eq!(status, 200, "{queue}");
    queue.as_array().unwrap().iter().any(|line| line["document"] == json!(document))
}

/// The version of a document on a device.
pub(crate) async fn heads(tablet: &Tablet, document: DocumentId) -> Heads {
    tablet.device.open_document(document).await.unwrap().heads
}

/// The way to the server as a device has it, listened to; photos can be kept from going up.
#[derive(Debug, Clone)]
pub(crate) struct Ear {
    http: reqwest::Client,
    takes_photos: bool,
    replies: Arc<Mutex<Vec<SyncReply>>>,
}

impl Ear {
    /// Puts an ear to a tablet's line.
    pub(crate) fn to(tablet: &mut Tablet, takes_photos: bool) -> Self {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let ear = Self { http, takes_photos, replies: Arc::default() };
        tablet.link = Link::over(ear.clone());
        ear
    }

    /// Everything that came down in syncs.
    pub(crate) fn replies(&self) -> Vec<SyncReply> {
        self.replies.lock().unwrap().clone()
    }

    /// Whether the words came down, in a card or anywhere else in the clear.
    pub(crate) fn heard(&self, words: &str) -> bool {
        let holds = |reply: &SyncReply| {
            let bytes = minicbor::to_vec(reply).unwrap();
            bytes.windows(words.len()).any(|window| window == words.as_bytes())
        };
        self.replies().iter().any(holds)
    }

    async fn carry(&self, request: HttpRequest) -> Result<HttpReply, LinkError> {
        let HttpRequest { method, url, content_type, bearer, body } = request;
        if method == Verb::Put && !self.takes_photos {
            return Err(LinkError::Offline("photos don't go along this line".to_owned()));
        }
        let method = match method {
            Verb::Get => reqwest::Method::GET,
            Verb::Post => reqwest::Method::POST,
            Verb::Put => reqwest::Method::PUT,
        };
        let mut sending = self.http.request(method, url).body(body);
        if let Some(content_type) = content_type {
            sending = sending.header("content-type", content_type);
        }
        if let Some(bearer) = bearer {
            sending = sending.bearer_auth(bearer);
        }
        let answer = sending.send().await.map_err(|error| LinkError::Offline(error.to_string()))?;
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let (status, content_type) = (answer.status().as_u16(), kind.unwrap_or_default().to_owned());
        let body = answer.bytes().await.map_err(|error| LinkError::Offline(error.to_string()))?.to_vec();
        if let Ok(signed) = minicbor::decode::<SignedReply>(&body)
            && let Ok(reply) = unpack::<SyncReply>(&signed.body, Limits::REPLY)
        {
            self.replies.lock().unwrap().push(reply);
        }
        Ok(HttpReply { status, content_type, body })
    }
}

impl Transport for Ear {
    fn send(&self, request: HttpRequest) -> Sending<'_> {
        Box::pin(self.carry(request))
    }
}

/// A client's home with the tablet of whoever the case is allocated to.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) world: World,
    pub(crate) tablet: Tablet,
    pub(crate) case: CaseId,
    pub(crate) home: DocumentId,
    pub(crate) clinical: DocumentId,
    /// Whoever visits, at the API.
    pub(crate) token: String,
}

impl Visit {
    /// A fresh council, the case R-1 and a tablet that carries it.
    pub(crate) async fn by(sign_in: &str, role: Role) -> Self {
        Self::in_world(World::start().await, sign_in, role).await
    }

    /// The same in a council that is there.
    pub(crate) async fn in_world(world: World, sign_in: &str, role: Role) -> Self {
        world.account(sign_in, role);
        world.case("R-1", sign_in);
        let tablet = world.tablet(sign_in).await;
        tablet.sync().await;
        let (case, home) = (tablet.case().await, tablet.document(Kind::Home).await);
        let clinical = tablet.document(Kind::Clinical).await;
        let token = world.server.signed_in(sign_in).await;
        Self { world, tablet, case, home, clinical, token }
    }

    /// Adds somebody: their token at the API.
    pub(crate) async fn joined_by(&self, sign_in: &str, role: Role) -> String {
        self.world.account(sign_in, role);
        self.world.server.signed_in(sign_in).await
    }

    /// Adds somebody of a practice outside the council.
    pub(crate) async fn joined_from_outside(&self, sign_in: &str, role: Role) -> String {
        let practice = format!("{sign_in} and partners");
        self.world.say(&["organisation", "add", &practice], "").done();
        self.world.account_with(sign_in, role, &["--organisation", &practice]);
        self.world.server.signed_in(sign_in).await
    }

    /// Runs `grabrail case VERB R-1 WHO`.
    pub(crate) fn case_is(&self, verb: &str, who: &str) {
        self.world.say(&["case", verb, "R-1", who], "").done();
    }

    /// Commissions a private OT.
    pub(crate) fn commissioned(&self, who: &str) {
        self.world.say(&["case", "commission", "R-1", who, "--ends", "2099-12-31T23:59:59Z"], "").done();
    }

    /// A reading of the WC's height in the home, as a citation.
    pub(crate) async fn seat(&self, value: i32, method: Method) -> Cite {
        Cite { document: self.home, key: seat(&self.tablet, self.home, value, method, Vec::new()).await }
    }

    /// A rail beside the WC that rests on these.
    pub(crate) async fn rail(&self, cites: Vec<Cite>) -> DocumentId {
        rail(&self.tablet, self.case, cites, 135).await
    }

    /// A rail that is on the server and submitted.
    pub(crate) async fn submitted_rail(&self) -> DocumentId {
        let cite = self.seat(430, Method::Tape).await;
        let document = self.rail(vec![cite]).await;
        self.tablet.device.submit(document).await.unwrap();
        self.tablet.sync().await;
        assert_eq!(state(&self.world, &self.token, document).await, "submitted");
        document
    }

    /// Signs it as it stands on the visitor's tablet.
    pub(crate) async fn sign(&self, token: &str, document: DocumentId) -> Result<(), AskRefusal> {
        let heads = heads(&self.tablet, document).await;
        let basis = basis(&self.world, token, document).await;
        let (grounds, conditions) = ("Necessary and appropriate".to_owned(), Vec::new());
        ask(&self.world, token, self.case, Request::SignOff { document, heads, grounds, conditions, basis }).await
    }

    /// Submits it at the API as it stands on the visitor's tablet, past what the tablet would say to it.
    pub(crate) async fn submit_at_the_api(&self, document: DocumentId) -> Result<(), AskRefusal> {
        let heads = heads(&self.tablet, document).await;
        ask(&self.world, &self.token, self.case, Request::Submit { document, heads }).await
    }
}

/// What a prescription rests on, for somebody who looks at it now; `None` for whoever may not.
pub(crate) async fn basis(world: &World, token: &str, document: DocumentId) -> Option<Hash> {
    let (_, shown) = get(world, token, &format!("/v1/prescriptions/{document}")).await;
    shown["basis"].as_str().map(|basis| basis.parse().unwrap())
}

/// Measures the WC's height, replacing nothing.
pub(crate) async fn seat(tablet: &Tablet, home: DocumentId, value: i32, method: Method, photos: Vec<Key>) -> Key {
    let (place, measure) =
        ("bathroom-1/toilet-1".parse().unwrap(), Measure::named("wc-seat-height").expect("a WC has a height"));
    let input = MeasureInput { place, measure, value, method, photos, supersedes: Replace::None };
    tablet.device.measure(home, input).await.unwrap()
}

/// Prescribes a rail that bears `load`.
pub(crate) async fn rail(tablet: &Tablet, case: CaseId, cites: Vec<Cite>, load: i64) -> DocumentId {
    let device = &tablet.device;
    let document = device.prescribe(case).await.unwrap();
    let item = device.prescribe_item(document, ItemKind::GrabRail).await.unwrap();
    device.set(document, None, field("prescription.need"), Value::Text(NEED.to_owned())).await.unwrap();
    device.set(document, None, field("prescription.route"), Value::Choice("minor".to_owned())).await.unwrap();
    let height = DimensionInput { item, field: field("grab-rail.height"), mm: 680, tolerance: Tolerance::Min, cites };
    device.dimension(document, height).await.unwrap();
    device.set(document, Some(item), field("item.required-load"), Value::Number(load)).await.unwrap();
    device.write_text(document, SharedText::Reasoning, REASONING.to_owned()).await.unwrap();
    document
}

/// Takes a picture of this colour in a document: its record and its hash.
pub(crate) async fn photo(tablet: &Tablet, document: DocumentId, colour: u8, share: bool) -> (Key, Hash) {
    let mut jpeg = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(64, 48, image::Rgb([colour, 90, 200]));
    picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let input = PhotoInput {
        place: Some("bathroom-1".parse().unwrap()),
        subject: PhotoSubject::Feature,
        caption: Some("Her yellow bathroom".to_owned()),
        consent: true,
        shows_person: false,
        share: if share { vec![ShareWith::Housing] } else { Vec::new() },
        angle: None,
        scale: None,
    };
    tablet.device.photo(document, PhotoSource::Bytes(jpeg.into_inner()), input).await.unwrap()
}

/// A picture that no other seed makes and that does not compress, so that it takes many pieces to send.
pub(crate) fn noise(seed: u64) -> Vec<u8> {
    noise_of(seed, (640, 480))
}

/// As [`noise`], of so many pixels.
pub(crate) fn noise_of(seed: u64, (width, height): (u32, u32)) -> Vec<u8> {
    let mut chance = Seeded::new(seed);
    let picture = image::RgbImage::from_fn(width, height, |_, _| {
        let mut pixel = [0; 3];
        chance.fill(&mut pixel);
        image::Rgb(pixel)
    });
    let mut jpeg = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    jpeg.into_inner()
}

/// The bathroom door, measured.
pub(crate) fn door() -> MeasureInput {
    MeasureInput {
        place: "bathroom-1/door-1".parse().unwrap(),
        measure: Measure::named("door-clear-width").unwrap(),
        value: 735,
        method: Method::Tape,
        photos: Vec::new(),
        supersedes: Replace::Mine,
    }
}

/// What is said of a photo of the bathroom.
pub(crate) fn bathroom() -> PhotoInput {
    PhotoInput {
        place: Some("bathroom-1".parse().unwrap()),
        subject: PhotoSubject::Room,
        caption: None,
        consent: true,
        shows_person: false,
        share: Vec::new(),
        angle: None,
        scale: None,
    }
}
