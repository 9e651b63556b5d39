//! Which problems an endpoint may answer with, for the API's description.

use std::collections::BTreeMap;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{AllOf, Object, Ref, Type};
use utoipa::openapi::{ContentBuilder, RefOr, Response, ResponseBuilder};

use crate::error::ProblemKind::{self, *};

/// Of every endpoint, for what stands around it.
const ANYWHERE: &[ProblemKind] = &[NotFromProxy, Timeout, Internal];
/// Of an endpoint for whoever is signed in.
pub(super) const SIGNED_IN: &[ProblemKind] = &[SignInNeeded, TokenRefused, TokenExpired, SessionEnded];
/// Of an endpoint that reads JSON.
pub(super) const READS_JSON: &[ProblemKind] = &[BadRequest, BadValue, WrongContentType, TooLarge];
/// Of an endpoint that writes.
pub(super) const WRITES: &[ProblemKind] = &[DiskFull];

/// What every problem may be, by its status, each with the kinds it may be of.
pub(super) fn answers(groups: &[&[ProblemKind]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<ProblemKind>> = BTreeMap::new();
    for kind in groups.iter().copied().chain([ANYWHERE]).flatten() {
        by_status.entry(kind.status().as_u16()).or_default().push(*kind);
    }
    by_status.into_iter().map(|(status, kinds)| (status.to_string(), answer(status, &kinds).into())).collect()
}

fn answer(status: u16, kinds: &[ProblemKind]) -> Response {
    let lines: Vec<String> = kinds.iter().map(|kind| format!("`{}`: {}.", kind.name(), kind.title())).collect();
    let types = kinds.iter().map(|kind| kind.type_uri());
    let of_these =
        Object::builder().property("type", Object::builder().schema_type(Type::String).enum_values(Some(types)));
    let schema = AllOf::builder().item(Ref::from_schema_name("Problem")).item(of_these);
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut answer = ResponseBuilder::new().description(lines.join(" ")).content("application/problem+json", content);
    let header = |kind: Type, description: &str| {
        HeaderBuilder::new().schema(Some(Object::with_type(kind))).description(Some(description)).build()
    };
    if kinds.contains(&Later) {
        answer = answer.header("Retry-After", header(Type::Integer, "Seconds until it is welcome."));
    }
    if status == SignInNeeded.status().as_u16() {
        answer = answer.header("WWW-Authenticate", header(Type::String, "`Bearer`"));
    }
    answer.build()
}

/// Names what an endpoint may answer with beside [`ANYWHERE`]: groups, then kinds of its own.
macro_rules! problems {
    ($name:ident = $($group:ident)* $(, $kind:ident)*) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                $crate::routes::problems::answers(&[
                    $($crate::routes::problems::$group,)*
                    &[$($crate::error::ProblemKind::$kind),*],
                ])
            }
        }
    };
}

pub(super) use problems;
