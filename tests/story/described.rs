//! Whoever writes to the API from `/openapi.json` alone: what it says of bodies is what is read and written.

use std::collections::BTreeSet;

use grabrail_tests::PASSWORD;
use serde_json::{Value as Json, json};
use sync_core::access::Role;
use sync_core::clock::{Stamp, SystemChance, Timestamp};
use sync_core::domain::finding::{Fault, What};
use sync_core::domain::record::{Cite, Dimension, Reading, SharedText, Tolerance, Value};
use sync_core::domain::signed::{CoSignature, Content, Signatory};
use sync_core::domain::signoff::{Anchored, SignedStanding, State, Transition};
use sync_core::domain::vocabulary::{Field, ItemKind, Measure, Method};
use sync_core::id::{AccountId, AskId, CaseId, DeviceId, DocumentId, Epoch, Generation, Hash, Key, KeyId};
use sync_core::id::{OrganisationId, ServerId};
use sync_core::protocol::ask::{Answer, AskRefusal, OpenCase, Practicable};
use sync_core::protocol::enrolment::{EnrolmentReply, EnrolmentRequest, PublicKey, Signature};
use sync_core::protocol::{Request, Verdict};

use crate::office::{Visit, get, heads, photo, post_ask, seat};

/// Members that are left out where there is nothing to tell, since what was signed without them reads as it did.
const LEFT_OUT: [&str; 1] = ["co_signers"];

/// The document that the server gives out.
#[derive(Debug)]
struct Described(Json);

impl Described {
    fn resolved<'a>(&'a self, schema: &'a Json) -> &'a Json {
        let Some(name) = schema["$ref"].as_str() else { return schema };
        let name = name.strip_prefix("#/components/schemas/").unwrap_or_else(|| panic!("{name}"));
        self.named(name)
    }

    fn named(&self, name: &str) -> &Json {
        let schema = &self.0["components"]["schemas"][name];
        assert!(schema.is_object(), "no schema {name}");
        schema
    }

    /// Whether a value has the shape of a schema: every member is told of, and every member that is told of is there, but
    /// for [`LEFT_OUT`].
    fn fits(&self, schema: &Json, value: &Json) -> Result<(), String> {
        let schema = self.resolved(schema);
        if let Some(choices) = schema["oneOf"].as_array() {
            let tried: Vec<_> = choices.iter().map(|choice| self.fits(choice, value)).collect();
            return match tried.iter().filter(|fits| fits.is_ok()).count() {
                1 => Ok(()),
                0 => Err(format!("fits none: {tried:?}")),
                count => Err(format!("fits {count} of a choice: {value}")),
            };
        }
        let types = match &schema["type"] {
            Json::Array(types) => types.clone(),
            one => vec![one.clone()],
        };
        let found = match value {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(number) if number.is_f64() => "number",
            Json::Number(_) => "integer",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        };
        if !types.iter().any(|wanted| wanted == found) {
            return Err(format!("{value} is not of {types:?}"));
        }
        if schema["enum"].as_array().is_some_and(|words| found != "null" && !words.contains(value)) {
            return Err(format!("{value} is none of {}", schema["enum"]));
        }
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            self.fits(&schema["items"], item).map_err(|why| format!("[{at}] {why}"))?;
        }
        let Some(members) = value.as_object() else { return Ok(()) };
        let properties = &schema["properties"];
        for (name, member) in members {
            let described = properties.get(name).or_else(|| schema.get("additionalProperties"));
            let described = described.ok_or_else(|| format!("nothing is said of {name}"))?;
            self.fits(described, member).map_err(|why| format!("{name}: {why}"))?;
        }
        let told = properties.as_object().into_iter().flatten().map(|(name, _)| name);
        let told = told.filter(|name| !LEFT_OUT.contains(&name.as_str()));
        match told.into_iter().find(|name| !members.contains_key(*name)) {
            Some(name) => Err(format!("{name} is told of and not there")),
            None => Ok(()),
        }
    }

    #[track_caller]
    fn holds(&self, name: &str, value: &Json) {
        self.fits(self.named(name), value).unwrap_or_else(|why| panic!("{name}: {why}\n{value:#}"));
    }

    /// Every choice of a schema is one of these values, and every value one of its choices.
    #[track_caller]
    fn holds_each(&self, name: &str, values: impl IntoIterator<Item = Json>) {
        let values: Vec<Json> = values.into_iter().collect();
        for value in &values {
            self.holds(name, value);
        }
        for choice in self.named(name)["oneOf"].as_array().unwrap() {
            assert!(values.iter().any(|value| self.fits(choice, value).is_ok()), "{name}: no value is of {choice}");
        }
    }

    /// The body of an answer is as it is told of.
    #[track_caller]
    fn answers(&self, method: &str, path: &str, status: u16, body: &Json) {
        let answer = &self.0["paths"][path][method]["responses"][status.to_string()]["content"];
        let schema = &answer["application/json"]["schema"];
        assert!(schema.is_object(), "nothing is said of {status} from {method} {path}: {body}");
        self.fits(schema, body).unwrap_or_else(|why| panic!("{method} {path}: {why}\n{body:#}"));
    }
}

async fn described(visit: &Visit) -> Described {
    let (status, _, body) = visit.world.server.get("/openapi.json").await;
    assert_eq!(status, 200);
    Described(serde_json::from_slice(&body).unwrap())
}

const KEY: Key = Key { device: 7, counter: 42 };

fn document() -> DocumentId {
    DocumentId::mint(&mut SystemChance)
}

fn cite() -> Cite {
    Cite { document: document(), key: KEY }
}

fn anchored() -> Vec<Anchored> {
    let text = "Which wall?".to_owned();
    vec![
        Anchored { item: None, field: None, text: text.clone() },
        Anchored { item: Some(KEY), field: Field::named("grab-rail.height"), text },
    ]
}

/// One of each ask. A new one does not compile until somebody has looked here.
fn requests() -> Vec<Request> {
    let heads = vec![Hash::of(b"a change")];
    let words = || "In words".to_owned();
    let all = vec![
        Request::OpenCase(OpenCase {
            name: words(),
            address: words(),
            born: Some("1941-05-06".to_owned()),
            home: document(),
            clinical: document(),
        }),
        Request::CloseCase { reason: words() },
        Request::Release { document: document(), heads: heads.clone(), consent: words() },
        Request::EndRelease { document: document(), reason: words() },
        Request::CompleteAssessment { document: document(), heads: heads.clone() },
        Request::Submit { document: document(), heads: heads.clone() },
        Request::Withdraw { document: document() },
        Request::Return { document: document(), heads: heads.clone(), reasons: anchored() },
        Request::Reject { document: document(), heads: heads.clone(), grounds: words() },
        Request::SignOff {
            document: document(),
            heads: heads.clone(),
            grounds: words(),
            conditions: vec![words()],
            basis: Some(Hash::of(b"what it rests on")),
        },
        Request::Recall { document: document(), number: 1, reason: words() },
        Request::TakeOver { document: document(), reason: words() },
        Request::BreakGlass { reason: words() },
        Request::SurveyDecision {
            survey: document(),
            heads,
            prescription: document(),
            number: 1,
            decision: Practicable::WithChange,
            reason: words(),
        },
    ];
    for request in &all {
        match request {
            Request::OpenCase(_)
            | Request::CloseCase { .. }
            | Request::Release { .. }
            | Request::EndRelease { .. }
            | Request::CompleteAssessment { .. }
            | Request::Submit { .. }
            | Request::Withdraw { .. }
            | Request::Return { .. }
            | Request::Reject { .. }
            | Request::SignOff { .. }
            | Request::Recall { .. }
            | Request::TakeOver { .. }
            | Request::BreakGlass { .. }
            | Request::SurveyDecision { .. } => {}
        }
    }
    all
}

/// One of each refusal.
fn refusals() -> Vec<AskRefusal> {
    let all = vec![
        AskRefusal::Unknown,
        AskRefusal::NotAllowed,
        AskRefusal::HeadsMoved,
        AskRefusal::HeadsUnknown,
        AskRefusal::State { state: "draft".to_owned(), transition: Transition::SignOff },
        AskRefusal::Findings { findings: vec!["missing: weight".to_owned()] },
        AskRefusal::OwnWork,
        AskRefusal::OnlineOnly,
        AskRefusal::RegistrationUnchecked { name: Some("Grace Lin".to_owned()), days: Some(30) },
        AskRefusal::NotOnRegister { name: "Grace Lin".to_owned(), says: "suspended".to_owned() },
        AskRefusal::Particulars { field: "grounds".to_owned(), why: "it may not be empty".to_owned() },
        AskRefusal::IdTaken,
        AskRefusal::Unregistered { name: "Grace Lin".to_owned() },
        AskRefusal::BeyondDelegation {
            signers: vec![Role::PrincipalOt],
            because: vec!["from £10,000 on the principal signs".to_owned()],
        },
        AskRefusal::AlreadySigned,
    ];
    for refusal in &all {
        match refusal {
            AskRefusal::Unknown
            | AskRefusal::NotAllowed
            | AskRefusal::HeadsMoved
            | AskRefusal::HeadsUnknown
            | AskRefusal::State { .. }
            | AskRefusal::Findings { .. }
            | AskRefusal::OwnWork
            | AskRefusal::OnlineOnly
            | AskRefusal::RegistrationUnchecked { .. }
            | AskRefusal::NotOnRegister { .. }
            | AskRefusal::Particulars { .. }
            | AskRefusal::IdTaken
            | AskRefusal::Unregistered { .. }
            | AskRefusal::BeyondDelegation { .. }
            | AskRefusal::AlreadySigned => {}
        }
    }
    all
}

/// One of each state.
fn states() -> Vec<State> {
    let (heads, words) = (vec![Hash::of(b"a change")], || "In words".to_owned());
    let all = vec![
        State::Draft,
        State::AwaitingPhotos { heads: heads.clone(), missing: heads.clone() },
        State::Submitted { heads: heads.clone() },
        State::Returned { heads: heads.clone(), reasons: anchored() },
        State::Rejected { heads: heads.clone(), grounds: words() },
        State::SignedOff { heads, number: 2 },
        State::Recalled { number: 2, reason: words() },
    ];
    for state in &all {
        match state {
            State::Draft
            | State::AwaitingPhotos { .. }
            | State::Submitted { .. }
            | State::Returned { .. }
            | State::Rejected { .. }
            | State::SignedOff { .. }
            | State::Recalled { .. } => {}
        }
    }
    all
}

/// One of each thing there is to look at.
fn whats() -> Vec<What> {
    let field = Field::named("grab-rail.height").unwrap();
    let (value, about) = ("70 mm".to_owned(), "Door".to_owned());
    let place = |text: &str| text.parse().unwrap();
    let all = vec![
        What::Missing { field },
        What::Clash { keys: vec![KEY], about },
        What::Implausible { key: KEY, value: value.clone() },
        What::UnitSlip { key: KEY, value: value.clone(), meant: value },
        What::Estimate { field, cite: cite() },
        What::Unmeasured { field },
        What::Cited { field: Some(field), cite: cite(), fault: Fault::NotForHousing },
        What::LoadUnderWeight { load: 100, weight: 118 },
        What::MixedText { text: SharedText::Reasoning, paragraph: 1 },
        What::RoomsAlike { one: place("bathroom-1"), other: place("wet-room-1") },
        What::Unread { records: 1 },
        What::NothingPrescribed,
    ];
    for what in &all {
        match what {
            What::Missing { .. }
            | What::Clash { .. }
            | What::Implausible { .. }
            | What::UnitSlip { .. }
            | What::Estimate { .. }
            | What::Unmeasured { .. }
            | What::Cited { .. }
            | What::LoadUnderWeight { .. }
            | What::MixedText { .. }
            | What::RoomsAlike { .. }
            | What::Unread { .. }
            | What::NothingPrescribed => {}
        }
    }
    all
}

/// One of each value that a field may have.
fn values() -> Vec<Value> {
    let dimension = |tolerance| Value::Dimension(Dimension { mm: 680, tolerance, cites: vec![cite()] });
    let all = vec![
        Value::Flag(true),
        Value::Number(118),
        Value::Text("beside the WC".to_owned()),
        Value::Choice("left".to_owned()),
        Value::Choices(vec!["left".to_owned()]),
        Value::Date("2026-11-16".to_owned()),
        dimension(Tolerance::Exact),
        dimension(Tolerance::Within(5)),
        Value::Cites(vec![cite()]),
        Value::Person(AccountId::mint(&mut SystemChance)),
    ];
    for value in &all {
        match value {
            Value::Flag(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Choice(_)
            | Value::Choices(_)
            | Value::Date(_)
            | Value::Dimension(_)
            | Value::Cites(_)
            | Value::Person(_) => {}
        }
    }
    all
}

/// One of each content of a signed field.
fn contents() -> Vec<Content> {
    let reading = Reading {
        place: "bathroom-1/toilet-1".parse().unwrap(),
        measure: Measure::named("wc-seat-height").unwrap(),
        value: 430,
        method: Method::Tape,
        photos: vec![KEY],
        supersedes: vec![KEY],
    };
    let at = Stamp { claimed: Timestamp::from_millis(1), elapsed: 1, offset: Some(-5) };
    let (by, hash) = (AccountId::mint(&mut SystemChance), Hash::of(b"a photo"));
    let all = vec![
        Content::Value(Value::Flag(true)),
        Content::Item(ItemKind::GrabRail),
        Content::Reading { reading, by, name: "Olu Ade".to_owned(), at, photos: vec![hash] },
        Content::Photo { hash, caption: Some("The door".to_owned()) },
        Content::Text("She fell twice".to_owned()),
    ];
    for content in &all {
        match content {
            Content::Value(_)
            | Content::Item(_)
            | Content::Reading { .. }
            | Content::Photo { .. }
            | Content::Text(_) => {}
        }
    }
    all
}

fn co_signature() -> CoSignature {
    let at = Timestamp::from_millis(1);
    let signatory = Signatory {
        account: AccountId::mint(&mut SystemChance),
        name: "Grace Lin".to_owned(),
        role: Role::SeniorOt,
        hcpc: Some("OT12345".to_owned()),
        organisation: "Borough of Example".to_owned(),
        hcpc_checked: Some(at),
    };
    CoSignature { signatory, at, conditions: vec!["Not before the scan".to_owned()] }
}

fn enrolment() -> (EnrolmentRequest, EnrolmentReply) {
    let chance = &mut SystemChance;
    let request = EnrolmentRequest {
        code: "aaaa-aaaa-aaaa-aaaa".to_owned(),
        device_key: PublicKey([1; 32]),
        generation: Generation::mint(chance),
        name: "Olu's tablet".to_owned(),
        proof: Signature([1; 64]),
    };
    let reply = EnrolmentReply {
        server: ServerId::mint(chance),
        epoch: Epoch::mint(chance),
        reply_key_id: KeyId::mint(chance),
        reply_key: PublicKey([1; 32]),
        device: DeviceId::mint(chance),
        device_number: 1,
        account: AccountId::mint(chance),
        full_name: "Olu Ade".to_owned(),
        role: Role::Ot,
        organisation: OrganisationId::mint(chance),
        authority: "Borough of Example".to_owned(),
        signature: Signature([1; 64]),
    };
    (request, reply)
}

#[tokio::test]
async fn what_the_api_says_of_a_body_is_what_is_read_and_written() {
    let visit = Visit::by("olu", Role::Ot).await;
    let api = described(&visit).await;

    let id = AskId::mint(&mut SystemChance);
    let mapping = api.named("Ask")["discriminator"]["mapping"].as_object().unwrap();
    let asks = requests().into_iter().map(|request| {
        let mut ask = json!(request);
        (ask["id"], ask["case"]) = (json!(id), json!(CaseId::mint(&mut SystemChance)));
        let name = mapping[request.name()].as_str().unwrap().rsplit('/').next().unwrap();
        api.holds(name, &ask);
        ask
    });
    let asks: Vec<Json> = asks.collect();
    api.holds_each("Ask", asks.clone());
    let names: BTreeSet<&str> = asks.iter().map(|ask| ask["ask"].as_str().unwrap()).collect();
    assert_eq!(names, mapping.keys().map(String::as_str).collect());

    api.holds_each("AskRefusal", refusals().iter().map(|refusal| json!(refusal)));
    let answers: Vec<Answer> = refusals().into_iter().map(Answer::Refused).chain([Answer::Granted]).collect();
    api.holds_each("Answer", answers.iter().map(|answer| json!(answer)));
    for answer in answers {
        api.holds("Verdict", &json!(Verdict { ask: id, at: Timestamp::from_millis(1), answer }));
    }
    api.holds_each("State", states().iter().map(|one| json!(one)));
    let at = Timestamp::from_millis(1);
    let recalled = SignedStanding::Recalled { at, reason: "Wrong wall".to_owned() };
    let standings = [SignedStanding::Current, SignedStanding::Superseded { by: 2 }, recalled];
    api.holds_each("SignedStanding", standings.iter().map(|one| json!(one)));
    api.holds_each("What", whats().iter().map(|one| json!(one)));
    api.holds_each("FieldValue", values().iter().map(|one| json!(one)));
    api.holds_each("Content", contents().iter().map(|one| json!(one)));
    let co_signers = json!([co_signature()]);
    api.holds("CoSignature", &co_signers[0]);
    assert_eq!(api.fits(&api.named("Header")["properties"]["co_signers"], &co_signers), Ok(()));
    for tolerance in [Tolerance::Exact, Tolerance::Min, Tolerance::Max, Tolerance::Within(5)] {
        api.holds("Tolerance", &json!(tolerance));
    }
    for fault in [Fault::Absent, Fault::Struck, Fault::Superseded, Fault::Clash, Fault::NotForHousing] {
        api.holds("Fault", &json!(fault));
    }
    for decision in [Practicable::Yes, Practicable::WithChange, Practicable::No] {
        api.holds("Practicable", &json!(decision));
    }
    let (request, reply) = enrolment();
    api.holds("EnrolmentRequest", &json!(request));
    api.holds("EnrolmentReply", &json!(reply));
    // It would not hold anything.
    let stranger = json!({ "mm": 680, "tolerance": "exact", "cites": [], "colour": "white" });
    assert!(api.fits(api.named("Dimension"), &stranger).unwrap_err().contains("colour"));
    let short = json!({ "mm": 680, "tolerance": "exact" });
    assert!(api.fits(api.named("Dimension"), &short).unwrap_err().contains("cites"));
    assert!(api.fits(api.named("Role"), &json!("king")).is_err());
}

#[tokio::test]
async fn what_each_endpoint_answers_along_a_case_is_what_the_api_says_of_it() {
    let visit = Visit::by("olu", Role::Ot).await;
    let api = described(&visit).await;
    let world = &visit.world;
    let grace = visit.joined_by("grace", Role::SeniorOt).await;
    let sue = visit.joined_by("sue", Role::Surveyor).await;
    visit.case_is("assign", "sue");
    let (shows, _) = photo(&visit.tablet, visit.home, 20, true).await;
    let key = seat(&visit.tablet, visit.home, 430, Method::Tape, vec![shows]).await;
    let document = visit.rail(vec![Cite { document: visit.home, key }]).await;
    visit.tablet.device.submit(document).await.unwrap();
    visit.tablet.sync().await;

    let fetched = async |token: &str, template: &str, path: &str| {
        let (status, body) = get(world, token, path).await;
        assert_eq!(status, 200, "{path}: {body}");
        api.answers("get", template, status, &body);
        body
    };
    let queue = fetched(&grace, "/v1/prescriptions", "/v1/prescriptions").await;
    assert_eq!(queue.as_array().unwrap().len(), 1);
    let path = format!("/v1/prescriptions/{document}");
    let shown = fetched(&grace, "/v1/prescriptions/{document}", &path).await;
    assert!(shown["fields"].as_object().unwrap().len() > 4 && !shown["findings"].as_array().unwrap().is_empty());

    let too_early = Request::Recall { document, number: 1, reason: "Wrong wall".to_owned() };
    let (status, problem) = post_ask(world, &grace, AskId::mint(&mut SystemChance), visit.case, &too_early).await;
    assert_eq!(status, 409, "{problem}");
    api.holds("Verdict", &problem["verdict"]);
    assert_eq!(visit.sign(&grace, document).await, Ok(()));
    let release = Request::Release {
        document: visit.home,
        heads: heads(&visit.tablet, visit.home).await,
        consent: "Said so at the visit".to_owned(),
    };
    let (status, verdict) = post_ask(world, &visit.token, AskId::mint(&mut SystemChance), visit.case, &release).await;
    api.answers("post", "/v1/asks", status, &verdict);

    let cases = fetched(&sue, "/v1/cases", "/v1/cases").await;
    assert_eq!(cases.as_array().unwrap().len(), 1);
    let path_of_case = format!("/v1/cases/{}", visit.case);
    for token in [&visit.token, &grace, &sue] {
        let card = fetched(token, "/v1/cases/{case}", &path_of_case).await;
        assert_eq!(card["prescriptions"][0]["standing"]["standing"], "current", "{card}");
        let home = &card["home"];
        assert!(home.is_null() != (token == &sue), "{card}");
        assert!(home.is_null() || home["readings"][0]["photos"][0] == home["photos"][0]["hash"], "{card}");
    }
    let shown = fetched(&grace, "/v1/prescriptions/{document}", &path).await;
    assert_eq!(shown["versions"].as_array().unwrap().len(), 1);
    for token in [&grace, &sue] {
        let template = "/v1/prescriptions/{document}/versions/{number}";
        fetched(token, template, &format!("{path}/versions/1")).await;
    }

    let devices = world.say(&["device", "list"], "").done();
    world.say(&["device", "revoke", devices.split_whitespace().next().unwrap()], "").done();
    visit.seat(431, Method::Tape).await;
    visit.tablet.device.sync(&visit.tablet.link).await.unwrap();
    let quarantine = fetched(&grace, "/v1/quarantine", "/v1/quarantine").await;
    assert_eq!(quarantine.as_array().unwrap().len(), 1);

    let post = async |path: &str, body: Json| {
        let url = format!("{}{path}", world.server.url());
        let posting = world.server.http().post(url).header("content-type", "application/json");
        let answer = posting.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Json = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        api.answers("post", path, status, &body);
        body
    };
    let session = post("/v1/sessions", json!({ "sign_in": "olu", "password": PASSWORD })).await;
    post("/v1/sessions/refresh", json!({ "refresh": session["refresh"] })).await;
}
