//! What a signer wants mended in a prescription that was returned: where it can be anchored, and whether it has been.

use std::collections::BTreeMap;

use super::kind::Kind;
use super::signed::{Content, JUSTIFICATION};
use super::signoff::Anchored;
use super::specification::{self, SPECIFICATION};
use super::view::View;
use super::vocabulary::Field;
use crate::id::Key;

/// Why a reason can't be anchored where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnchor {
    /// The item is not in this version, or it was struck.
    #[error("there is no item {0} in this version")]
    Item(Key),
    /// No prescription has the field, or an item of this kind does not.
    #[error("{} is no field of it", .0.spec().label)]
    Field(Field),
}

/// Whether there is what a reason is anchored to. A field may be empty: that may be the reason.
///
/// # Errors
/// [`NoAnchor`].
pub fn anchors(reason: &Anchored, view: &View) -> Result<(), NoAnchor> {
    let item = match reason.item {
        Some(key) => {
            Some(view.items().find(|(found, _)| *found == key).map(|(_, item)| item.kind).ok_or(NoAnchor::Item(key))?)
        }
        None => None,
    };
    match reason.field {
        Some(field) if !field.spec().applies_to(Kind::Prescription, item) => Err(NoAnchor::Field(field)),
        _ => Ok(()),
    }
}

/// Whether what a reason is anchored to says something else than when it was returned.
pub fn is_answered(reason: &Anchored, then: &View, now: &View) -> bool {
    said(reason, then) != said(reason, now)
}

/// What stands where a reason is anchored.
fn said(reason: &Anchored, view: &View) -> Vec<(String, Content)> {
    let here = |path: &str| {
        let below = path.strip_prefix(SPECIFICATION).or_else(|| path.strip_prefix(JUSTIFICATION)).unwrap_or(path);
        match (reason.item, reason.field) {
            (None, None) => true,
            (Some(item), None) => below.starts_with(&format!("items/{item}/")),
            (Some(item), Some(field)) => below == format!("items/{item}/{field}"),
            (None, Some(field)) => below == field.name(),
        }
    };
    // Names and readings are of other documents.
    let mut contents = specification::contents(view, &BTreeMap::new(), &|_| String::new());
    contents.retain(|(path, _)| here(path));
    contents
}

#[cfg(test)]
mod tests;
