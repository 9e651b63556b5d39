//! What a prescription rests on in the other documents of its case: the records it cites, which of their photos may go
//! to Housing, and what else was measured at the same place.

use std::collections::BTreeMap;

use super::finding::cites_of;
use super::joined::Joined;
use super::kind::Kind;
use super::record::{Body, Cite, Photo, Reading};
use super::view::View;
use super::vocabulary::photo::ShareWith;
use super::vocabulary::{Measure, Part, Place};
use crate::id::{DocumentId, Key};

/// Every record that a prescription rests on, in the values that stand, and whether its justification is among what
/// cites it; else only the specification does, which Housing reads once signed.
pub(crate) fn by_justification(view: &View) -> BTreeMap<Cite, bool> {
    let mut cited = BTreeMap::new();
    for ((_, field), register) in view.facts() {
        let justified = field.spec().part == Part::Justification;
        for fact in register.current.iter().filter_map(|key| view.fact(*key)) {
            for cite in cites_of(&fact.value) {
                *cited.entry(*cite).or_default() |= justified;
            }
        }
    }
    cited
}

/// Whether what Housing is to read may cite records of this kind of document. Nobody of Housing may ever see a
/// clinical or restricted one, and a citation is no way round that.
pub(crate) const fn is_for_housing(kind: Kind) -> bool {
    matches!(kind, Kind::Home | Kind::Survey)
}

/// The photo of this key if it may be signed for Housing: it stands, shows nobody, and was shared with Housing by
/// whoever took it. A survey is Housing's own document, so its photos need no such word.
pub(crate) fn photo_for_housing(view: &View, key: Key) -> Option<&Photo> {
    let photo = view.photo(key)?;
    let shared = view.kind == Kind::Survey || photo.share.contains(&ShareWith::Housing);
    (is_for_housing(view.kind) && shared && !photo.shows_person && view.struck(key).is_none()).then_some(photo)
}

/// The photos that a cited record brings along: itself, or those that show a reading.
pub(crate) fn photos_of(view: &View, key: Key) -> &[Key] {
    match view.records.get_key_value(&key).map(|(key, record)| (key, &record.body)) {
        Some((_, Body::Reading(reading))) => &reading.photos,
        Some((key, Body::Photo(_))) => std::slice::from_ref(key),
        _ => &[],
    }
}

/// What stands at a place in one document: the readings, and whether they clash there.
pub(crate) type Stands = (DocumentId, Vec<Key>, bool);

/// What was measured in all documents of a case, by place and measure. Places are one where a join of any document says
/// so: that two rooms of the home are one holds for what the surveyor measured there too.
pub(crate) struct Measured {
    joined: Joined,
    slots: BTreeMap<(Place, Measure), Slot>,
}

/// What stands at one place, and how far apart.
#[derive(Default)]
struct Slot {
    stands: Vec<Stands>,
    /// The lowest and the highest value of them all.
    ends: Option<(i32, i32)>,
}

impl Measured {
    pub(crate) fn of(documents: &BTreeMap<DocumentId, View>) -> Self {
        let mut joined = Joined::of(documents.values().flat_map(View::joins));
        let mut slots: BTreeMap<_, Slot> = BTreeMap::new();
        for (document, view) in documents {
            for record in view.records.values() {
                if let Body::Reading(reading) = &record.body {
                    joined.remember(&reading.place);
                }
            }
            for ((place, measure), register) in view.readings() {
                if register.current.is_empty() {
                    continue;
                }
                let slot = slots.entry((joined.name(&place), measure)).or_default();
                for value in register.current.iter().filter_map(|key| Some(view.reading(*key)?.value)) {
                    let (lowest, highest) = slot.ends.unwrap_or((value, value));
                    slot.ends = Some((lowest.min(value), highest.max(value)));
                }
                match slot.stands.last_mut() {
                    // Two places of this document, which another one says are one.
                    Some((last, current, clash)) if last == document => {
                        current.extend(register.current);
                        *clash |= register.clash;
                    }
                    _ => slot.stands.push((*document, register.current, register.clash)),
                }
            }
        }
        slots.values_mut().flat_map(|slot| &mut slot.stands).for_each(|(_, current, _)| current.sort_unstable());
        Self { joined, slots }
    }

    /// Where this one was taken, by the name of the joined places.
    pub(crate) fn place(&self, reading: &Reading) -> (Place, Measure) {
        (self.joined.name(&reading.place), reading.measure)
    }

    /// By document, the readings that stand there, and whether they clash within the document.
    pub(crate) fn at(&self, place: &(Place, Measure)) -> &[Stands] {
        self.slots.get(place).map_or(&[], |slot| &slot.stands)
    }

    /// Whether a reading that stands, in whichever document, is further from this one than the tolerance: no document
    /// alone shows such a clash, and it is built by all the same (invariant 7).
    pub(crate) fn contradicts(&self, reading: &Reading) -> bool {
        let ends = self.slots.get(&self.place(reading)).and_then(|slot| slot.ends);
        // Where one is too far away, the lowest or the highest is.
        ends.is_some_and(|(lowest, highest)| {
            [lowest, highest].into_iter().any(|value| !reading.measure.spec().agree(value, reading.value))
        })
    }
}
