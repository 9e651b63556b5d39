//! The workload: a file of `peers/gen.mjs` or of that format.

use std::path::Path;

use serde_json::Value as Json;

use crate::slot::{Slot, slot};

/// The documents of a case in the workload, by their names.
pub(crate) const DOCS: [&str; 3] = ["home", "clinical", "prescription"];

/// All of it.
#[derive(Debug)]
pub(crate) struct Workload(Json);

/// One save of somebody's day.
#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) case: usize,
    pub(crate) doc: String,
    pub(crate) path: Vec<Json>,
    pub(crate) what: What,
}

/// What is saved.
#[derive(Debug)]
pub(crate) enum What {
    /// Another value.
    Value(Json),
    /// Typed characters: where, in UTF-16 units, and which.
    Typed(usize, String),
}

impl Workload {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(serde_json::from_slice(&text).unwrap())
    }

    pub(crate) fn cases(&self) -> &[Json] {
        self.0["cases"].as_array().unwrap()
    }

    /// What the case is called in the workload: its reference at the council.
    pub(crate) fn reference(case: &Json) -> &str {
        case["id"].as_str().unwrap()
    }

    pub(crate) fn day(&self, device: &str) -> Vec<Op> {
        let ops = self.0["day"][device].as_array().unwrap();
        let op = |op: &Json| Op {
            case: usize::try_from(op["case"].as_u64().unwrap()).unwrap(),
            doc: op["doc"].as_str().unwrap().to_owned(),
            path: op["path"].as_array().unwrap().clone(),
            what: match op["insert"].as_str() {
                Some(typed) => What::Typed(usize::try_from(op["at"].as_u64().unwrap()).unwrap(), typed.to_owned()),
                None => What::Value(op["value"].clone()),
            },
        };
        ops.iter().map(op).collect()
    }
}

/// Every value of one of a case's documents, with its path and where it stands.
pub(crate) fn values(case: &Json, doc: &str) -> Vec<(Vec<Json>, Slot, Json)> {
    let mut found = Vec::new();
    leaves(&case[doc], &mut Vec::new(), &mut |path, value| {
        found.push((path.to_vec(), slot(case, doc, path), value.clone()));
    });
    found
}

fn leaves(value: &Json, path: &mut Vec<Json>, found: &mut dyn FnMut(&[Json], &Json)) {
    let mut below = |step: Json, value: &Json, path: &mut Vec<Json>| {
        path.push(step);
        leaves(value, path, found);
        path.pop();
    };
    match value {
        Json::Object(fields) => fields.iter().for_each(|(name, value)| below(name.as_str().into(), value, path)),
        Json::Array(list) => list.iter().enumerate().for_each(|(at, value)| below(at.into(), value, path)),
        leaf => found(path, leaf),
    }
}
