//! Which records an intention names: what has to be there before it, and what is renamed with them.

use super::edit::Edit;
use super::record::{About, Body, Cite, Value};
use crate::id::{DocumentId, Key};

/// How an intention names a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// It is nothing without that record.
    Needs,
    /// It stands in its place; where that never was, there is nothing to stand in the place of.
    Supersedes,
}

/// Walks over every key in an intention for `own`, a document, with the document that each is of. What `keep` says no
/// to leaves its list where it was only superseded. Whether all that is needed was kept.
pub fn each_reference(
    own: DocumentId,
    edit: &mut Edit,
    keep: &mut dyn FnMut(DocumentId, &mut Key, Naming) -> bool,
) -> bool {
    let body = match edit {
        Edit::Add(body) => body,
        Edit::Caption { photo, .. } => return keep(own, photo, Naming::Needs),
        Edit::Splice { .. } => return true,
    };
    let mut whole = true;
    let mut needs =
        |document: DocumentId, key: &mut Key, keep: &mut dyn FnMut(DocumentId, &mut Key, Naming) -> bool| {
            whole &= keep(document, key, Naming::Needs);
        };
    match body {
        Body::Reading(reading) => {
            reading.photos.iter_mut().for_each(|key| needs(own, key, keep));
            reading.supersedes.retain_mut(|key| keep(own, key, Naming::Supersedes));
        }
        Body::Fact(fact) => {
            fact.item.iter_mut().for_each(|key| needs(own, key, keep));
            fact.supersedes.retain_mut(|key| keep(own, key, Naming::Supersedes));
            let cites: &mut [Cite] = match &mut fact.value {
                Value::Dimension(dimension) => &mut dimension.cites,
                Value::Cites(cites) => cites,
                _ => &mut [],
            };
            cites.iter_mut().for_each(|cite| needs(cite.document, &mut cite.key, keep));
        }
        Body::Note(note) => {
            let own_keys = note.amends.iter_mut().chain(&mut note.addendum_to).chain(&mut note.photos);
            own_keys.for_each(|key| needs(own, key, keep));
            match &mut note.about {
                Some(About::Record(cite)) => needs(cite.document, &mut cite.key, keep),
                Some(About::Field { document, item: Some(item), .. }) => needs(*document, item, keep),
                _ => {}
            }
        }
        Body::Settlement(settlement) => {
            needs(own, &mut settlement.chosen, keep);
            settlement.over.iter_mut().for_each(|key| needs(own, key, keep));
        }
        Body::Strike(strike) => needs(own, &mut strike.key, keep),
        Body::Item(_) | Body::Photo(_) | Body::Join(_) | Body::TextRead(_) => {}
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::vocabulary::ItemKind;
    use crate::golden::records;

    /// Every key that the golden record of each body names, found: its numbers are those of its text form.
    #[test]
    fn every_key_that_a_record_names_is_walked_over() {
        let own = crate::domain::testing::document(40);
        for (name, record) in records() {
            let mut found = Vec::new();
            let mut edit = Edit::Add(record.body);
            assert!(each_reference(own, &mut edit, &mut |_, key, _| {
                found.push(*key);
                key.device = 77_000;
                true
            }));
            // Renamed, each one: no key of the golden records' devices is left in it.
            let text = serde_json::to_string(&edit).unwrap();
            let left = ["\"7.", "\"8.", "\"300."].iter().any(|old| text.contains(old));
            assert!(!left, "{name}: {text}");
            assert_eq!(text.matches("\"77000.").count(), found.len(), "{name}");
        }
    }

    #[test]
    fn what_only_stood_in_the_place_of_a_lost_record_stands_alone_and_what_needs_it_does_not() {
        let own = crate::domain::testing::document(40);
        let lost = |name: &str, edit: &mut Edit| {
            let (_, record) = records().into_iter().find(|(known, _)| known == name).unwrap();
            *edit = Edit::Add(record.body);
            if let Edit::Add(Body::Reading(reading)) = edit {
                reading.photos.clear();
            }
            each_reference(own, edit, &mut |_, _, _| false)
        };
        let mut edit = Edit::Add(Body::Item(crate::domain::record::Item { kind: ItemKind::GrabRail }));
        assert!(lost("reading", &mut edit));
        assert!(matches!(&edit, Edit::Add(Body::Reading(reading)) if reading.supersedes.is_empty()));
        assert!(lost("fact-number", &mut edit));
        for name in ["fact-choices", "fact-cites", "fact-dimension-min", "note", "settlement", "strike"] {
            assert!(!lost(name, &mut edit), "{name}");
        }
        assert!(!each_reference(
            own,
            &mut Edit::Caption { photo: Key { device: 7, counter: 1 }, text: String::new() },
            &mut |_, _, _| false
        ));
    }
}
