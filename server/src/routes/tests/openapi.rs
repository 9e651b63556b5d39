//! `/openapi.json` against the router and what it answers. What the schemas say of bodies is held to what is written by
//! the story `described`.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use crate::error::ProblemKind;
use crate::routes::{openapi, router};
use crate::testing::Bench;

/// Every method that a path may take here.
const METHODS: [Method; 6] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

fn document() -> Value {
    serde_json::to_value(openapi::document()).unwrap()
}

/// Every operation the document tells of: method, path and what is said.
fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = METHODS.into_iter().filter_map(|method| {
            let said = item.get(method.as_str().to_ascii_lowercase())?;
            Some((method, path.clone(), said.clone()))
        });
        methods.collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// A path of a template, with something in each of its places.
fn filled(template: &str) -> String {
    let piece = |piece: &str| if piece.starts_with('{') { "1".to_owned() } else { piece.to_owned() };
    template.split('/').map(piece).collect::<Vec<_>>().join("/")
}

fn is_of(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let alike = |(wanted, found): (&&str, &&str)| wanted.starts_with('{') || wanted == found;
    template.len() == path.len() && template.iter().zip(&path).all(alike)
}

/// The kinds of problem that an operation is said to answer with.
fn kinds(said: &Value) -> BTreeSet<String> {
    let problems = said["responses"].as_object().unwrap().values();
    let types = problems.filter_map(|answer| {
        answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["type"]["enum"].as_array()
    });
    types.flatten().map(|kind| kind.as_str().unwrap().to_owned()).collect()
}

/// What the tests are answered is what the document says an endpoint answers.
#[track_caller]
pub(super) fn tells_of(method: &Method, path: &str, status: StatusCode, body: &Value) {
    let operations = operations(&document());
    let Some((_, _, said)) = operations.iter().find(|(of, template, _)| of == method && is_of(template, path)) else {
        return;
    };
    let answer = &said["responses"][status.as_str()];
    assert!(answer.is_object(), "{method} {path} answers {status}, of which nothing is said: {body}");
    if status.as_u16() >= 400 {
        let kind = body["type"].as_str().unwrap();
        assert!(kinds(said).contains(kind), "{method} {path} answers {kind}, of which nothing is said");
    }
}

#[tokio::test]
async fn the_document_and_the_router_have_the_same_endpoints() {
    let bench = Bench::new(1);
    let router = router(bench.app().await);
    // The router lists its paths for people only.
    let shown = format!("{router:?}");
    let mut rest = shown.split_once("paths: {").unwrap().1;
    let mut paths = BTreeSet::new();
    while let Some(entry) = rest.strip_prefix("RouteId(") {
        let (_, quoted) = entry.split_once("): \"").unwrap();
        let (path, after) = quoted.split_once('"').unwrap();
        paths.insert(path.to_owned());
        rest = after.trim_start_matches(", ");
    }
    let mut routed = BTreeSet::new();
    for path in &paths {
        for method in METHODS {
            let request = Request::builder().method(method.clone()).uri(filled(path)).body(Body::empty()).unwrap();
            if router.clone().oneshot(request).await.unwrap().status() != StatusCode::METHOD_NOT_ALLOWED {
                routed.insert((method.to_string(), path.clone()));
            }
        }
    }
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    let told = operations(&document).into_iter().map(|(method, path, _)| (method.to_string(), path));
    assert_eq!(told.collect::<BTreeSet<_>>(), routed);
    assert!(routed.len() >= 16, "{routed:?}");
}

#[tokio::test]
async fn what_needs_a_token_says_which_and_what_says_none_needs_none() {
    let bench = Bench::new(1);
    let router = router(bench.app().await);
    let document = document();
    for (method, path, said) in operations(&document) {
        let request = Request::builder().method(method.clone()).uri(filled(&path)).body(Body::empty()).unwrap();
        let asks_for_one = router.clone().oneshot(request).await.unwrap().status() == StatusCode::UNAUTHORIZED;
        assert_eq!(said["security"].is_array(), asks_for_one, "{method} {path}");
        for wanted in said["security"].as_array().into_iter().flatten() {
            let scheme = wanted.as_object().unwrap().keys().next().unwrap();
            assert_eq!(document["components"]["securitySchemes"][scheme]["scheme"], "bearer", "{method} {path}");
        }
    }
}

#[test]
fn every_kind_of_problem_and_every_schema_is_told_of_where_it_may_come() {
    let document = document();
    let operations = operations(&document);
    let told: BTreeSet<String> = operations.iter().flat_map(|(_, _, said)| kinds(said)).collect();
    // An endpoint that is told of takes the method that is told of.
    let possible = ProblemKind::ALL.iter().filter(|kind| **kind != ProblemKind::MethodNotAllowed);
    assert_eq!(told, possible.map(|kind| kind.type_uri()).collect());
    let names: BTreeSet<&String> = document["components"]["schemas"].as_object().unwrap().keys().collect();
    let text = document.to_string();
    let named = text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
    let named: BTreeSet<String> = named.map(str::to_owned).collect();
    assert_eq!(named.iter().collect::<BTreeSet<_>>(), names, "a name without a schema, or a schema nothing names");
    // An alias loses its name on the way.
    assert!(names.iter().all(|name| !["Vec", "Option", "String"].contains(&name.as_str())), "{names:?}");
    for (method, path, said) in &operations {
        for parameter in path.split('/').filter_map(|piece| piece.strip_prefix('{')?.strip_suffix('}')) {
            let all = said["parameters"].as_array().unwrap();
            let found = all.iter().find(|found| found["name"] == parameter).unwrap_or_else(|| panic!("{path}"));
            assert!(found["description"].is_string() && found["required"] == true, "{method} {path} {parameter}");
        }
        for (status, answer) in said["responses"].as_object().unwrap() {
            assert!(answer["content"].is_object() || status == "204", "{method} {path} {status}: {answer}");
        }
    }
}
