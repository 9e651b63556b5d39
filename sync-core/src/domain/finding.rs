//! What is missing or doubtful: computed, never an error, shown to whoever can mend it.
//!
//! Some findings stand in the way of a submission and a sign-off ([`Finding::blocks`]): a clash, cited or in the
//! prescription itself, a cited reading that was struck or superseded, an estimate where a dimension is critical, a
//! required load under the client's weight, a lift without one, a prescription without a route, reasoning that two
//! people wrote at once and nobody has read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::cited;
use super::record::{Body, Cite, Dimension, SharedText, Value};
use super::view::{Clash, View};
use super::vocabulary::{Field, ItemKind, Method, Part, Place, Unit, ValueKind};
use crate::id::{DocumentId, Hash, Key};

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The document it is about.
    pub document: DocumentId,
    /// The item of it; `None`: the document itself.
    pub item: Option<Key>,
    /// What.
    pub what: What,
}

/// What there is to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "finding")]
pub enum What {
    /// A field that is expected has no value.
    Missing {
        /// The field.
        field: Field,
    },
    /// Values disagree.
    Clash {
        /// The records that disagree.
        keys: Vec<Key>,
        /// What they are about, in words.
        about: String,
    },
    /// A value that few homes or people have.
    Implausible {
        /// The record.
        key: Key,
        /// What, in words, with its value.
        value: String,
    },
    /// A value ten times or a tenth of what is plausible: centimetres or a digit slipped (hazard H8).
    UnitSlip {
        /// The record.
        key: Key,
        /// What, in words, with its value.
        value: String,
        /// What was probably meant.
        meant: String,
    },
    /// An estimate stands behind a critical dimension (hazard H9).
    Estimate {
        /// The dimension.
        field: Field,
        /// The reading.
        cite: Cite,
    },
    /// A critical dimension that rests on no reading.
    Unmeasured {
        /// The dimension.
        field: Field,
    },
    /// A cited record that can't be built by.
    Cited {
        /// The field that cites it; `None`: the prescription's own list.
        field: Option<Field>,
        /// The record.
        cite: Cite,
        /// What is wrong with it.
        fault: Fault,
    },
    /// What is prescribed bears less than the client weighs (hazard H16).
    LoadUnderWeight {
        /// The load required of it, in kilograms.
        load: i64,
        /// The client's weight, in kilograms.
        weight: i64,
    },
    /// Two people wrote in one paragraph unknown to each other: read it.
    MixedText {
        /// The text.
        text: SharedText,
        /// Which paragraph, from 1.
        paragraph: usize,
    },
    /// Two rooms whose measurements are all alike: one room under two names?
    RoomsAlike {
        /// One.
        one: Place,
        /// The other.
        other: Place,
    },
    /// Records of a newer version of the program: update it to read them.
    Unread {
        /// How many.
        records: usize,
    },
    /// A prescription that prescribes nothing.
    NothingPrescribed,
}

/// What is wrong with a cited record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Not in the document it should be in, or the document is not here.
    Absent,
    /// Struck.
    Struck,
    /// A later reading or a settlement stands in its place.
    Superseded,
    /// Another reading that stands disagrees with it.
    Clash,
    /// What Housing is to read cites it, and Housing may not see it.
    NotForHousing,
}

impl Finding {
    /// Whether nothing may be submitted or signed while it is so.
    pub fn blocks(&self) -> bool {
        /// Who must sign follows from the route; whether a lift bears the client follows from its load.
        const REQUIRED: [&str; 2] = ["prescription.route", "item.required-load"];
        match &self.what {
            What::Missing { field } => REQUIRED.contains(&field.name()),
            What::Estimate { .. }
                | What::Cited { .. }
                | What::LoadUnderWeight { .. }
                | What::NothingPrescribed
                // Of a clash only one value would be signed, and nobody would have chosen it.
                | What::Clash { .. }
                | What::MixedText { .. }
                // What is signed is drawn from what this program can read, and that is not all there is.
                | What::Unread { .. } => true,
            _ => false,
        }
    }

    /// Whether an assessment may not be called complete while it is so (B 6.3): why no carer was present, whether the
    /// client feels safe and secure, the trigger of a carer's assessment at both points, and every clash.
    pub fn keeps_open(&self) -> bool {
        const REQUIRED: [&str; 5] = [
            "visit.carer-present",
            "visit.carer-absent-reason",
            "client.feels-safe-and-secure",
            "carer.assessment-trigger-screening",
            "carer.assessment-trigger-assessment",
        ];
        match &self.what {
            What::Missing { field } => REQUIRED.contains(&field.name()),
            What::Clash { .. } => true,
            _ => false,
        }
    }

    const fn of(document: DocumentId, item: Option<Key>, what: What) -> Self {
        Self { document, item, what }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Missing { field } => write!(f, "missing: {}", field.spec().label),
            What::Clash { about, keys } => {
                write!(f, "{about}: {} values disagree, settle which one stands", keys.len())
            }
            What::Implausible { value, .. } => write!(f, "{value}: unusual, please check"),
            What::UnitSlip { value, meant, .. } => write!(f, "{value}: was {meant} meant?"),
            What::Estimate { field, .. } => {
                write!(f, "{} is critical and rests on an estimate: measure it", field.spec().label)
            }
            What::Unmeasured { field } => write!(f, "{} is critical and cites no reading", field.spec().label),
            What::Cited { field, fault, cite } => {
                let label = field.map_or("the prescription", |field| field.spec().label);
                let fault = match fault {
                    Fault::Absent => "is not here",
                    Fault::Struck => "was struck",
                    Fault::Superseded => "was superseded",
                    Fault::Clash => "clashes with another",
                    Fault::NotForHousing => "is not shared with Housing",
                };
                write!(f, "{label} cites a record ({}) that {fault}", cite.key)
            }
            What::LoadUnderWeight { load, weight } => {
                write!(f, "the required load of {load} kg is under the client's weight of {weight} kg")
            }
            What::MixedText { text, paragraph } => {
                write!(f, "paragraph {paragraph} of the {} was written by two people at once: read it", text.name())
            }
            What::RoomsAlike { one, other } => write!(f, "{one} and {other} measure alike: are they one room?"),
            What::Unread { records } => write!(f, "{records} records were written by a newer version: update"),
            What::NothingPrescribed => write!(f, "nothing is prescribed yet"),
        }
    }
}

/// What there is to look at in one document by itself.
pub fn of_document(document: DocumentId, view: &View) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |item, what| findings.push(Finding::of(document, item, what));
    missing(view, &mut add);
    for clash in view.clashes() {
        let (item, about) = match &clash {
            Clash::Reading { place, measure, .. } => (None, format!("{} at {place}", measure.spec().label)),
            Clash::Fact { item, field, .. } => (*item, field.spec().label.to_owned()),
        };
        add(item, What::Clash { keys: clash.keys().to_vec(), about });
    }
    implausible(view, &mut add);
    for (text, paragraph) in view.mixed_paragraphs() {
        add(None, What::MixedText { text, paragraph });
    }
    rooms_alike(view, &mut add);
    if !view.unread.is_empty() {
        add(None, What::Unread { records: view.unread.len() });
    }
    findings
}

fn missing(view: &View, add: &mut impl FnMut(Option<Key>, What)) {
    let facts = view.facts();
    let value = |item: Option<Key>, name: &str| {
        let shown = facts.get(&(item, Field::named(name)?))?.shown?;
        view.fact(shown).map(|fact| &fact.value)
    };
    let route = match value(None, "prescription.route") {
        Some(Value::Choice(route)) => Some(route.as_str()),
        _ => None,
    };
    let mut fields: BTreeMap<Option<ItemKind>, Vec<Field>> = BTreeMap::new();
    let subjects = [(None, None)].into_iter().chain(view.items().map(|(key, item)| (Some(key), Some(item.kind))));
    for (key, item) in subjects {
        let expected = fields.entry(item).or_insert_with(|| {
            Field::of(view.kind, item).filter(|field| field.spec().is_expected(route, item)).collect()
        });
        for field in expected {
            if is_empty(facts.get(&(key, *field)).and_then(|register| view.fact(register.shown?)).map(|f| &f.value)) {
                add(key, What::Missing { field: *field });
            }
        }
    }
    // Who is in front of the assessor is known by two things, not by one (domain: identity check).
    if let (Some(field), Some(Value::Choices(checks))) =
        (Field::named("visit.identity-checks"), value(None, "visit.identity-checks"))
        && checks.len() == 1
    {
        add(None, What::Missing { field });
    }
    for (field, when, reason) in REASONS {
        let given = match value(None, field) {
            Some(Value::Flag(flag)) => {
                if *flag {
                    "yes"
                } else {
                    "no"
                }
            }
            Some(Value::Choice(word)) => word,
            _ => continue,
        };
        if let Some(reason) = Field::named(reason)
            && when.contains(&given)
            && is_empty(value(None, reason.name()))
        {
            add(None, What::Missing { field: reason });
        }
    }
}

/// Fields whose value asks for a reason. Domain rule B 6.3: when no carer was present, a valid reason is required; and
/// why somebody disagrees.
const REASONS: &[(&str, &[&str], &str)] = &[
    ("visit.carer-present", &["no"], "visit.carer-absent-reason"),
    ("client.disagrees", &["yes"], "client.disagrees-reason"),
    ("carer.disagrees", &["yes"], "carer.disagrees-reason"),
    ("prescription.client-agrees", &["agrees-in-part", "disagrees"], "prescription.client-disagrees-reason"),
];

/// Whether nothing is said: no value, or one with no words in it.
fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None => true,
        Some(Value::Text(text)) => text.trim().is_empty(),
        Some(Value::Choices(words)) => words.is_empty(),
        Some(Value::Cites(cites)) => cites.is_empty(),
        Some(_) => false,
    }
}

/// Ten times too large or too small to be plausible, when the other would be.
fn slip(value: i64, plausible: (i64, i64), unit: Unit) -> Option<i64> {
    if unit != Unit::Millimetre {
        return None;
    }
    let fits = |value: i64| (plausible.0..=plausible.1).contains(&value);
    [value.saturating_mul(10), value / 10].into_iter().find(|meant| *meant != 0 && fits(*meant))
}

fn implausible(view: &View, add: &mut impl FnMut(Option<Key>, What)) {
    let mut doubt = |item, key, label: &str, value: i64, plausible: (i64, i64), unit: Unit| {
        if (plausible.0..=plausible.1).contains(&value) {
            return;
        }
        let shown = format!("{label} {}", unit.show(value));
        match slip(value, plausible, unit) {
            Some(meant) => add(item, What::UnitSlip { key, value: shown, meant: unit.show(meant) }),
            None => add(item, What::Implausible { key, value: shown }),
        }
    };
    for ((place, measure), register) in view.readings() {
        let spec = measure.spec();
        for (key, reading) in register.current.iter().filter_map(|key| Some((*key, view.reading(*key)?))) {
            let plausible = (i64::from(spec.plausible.0), i64::from(spec.plausible.1));
            let label = format!("{} at {place}", spec.label);
            doubt(None, key, &label, i64::from(reading.value), plausible, spec.unit);
        }
    }
    for ((item, field), register) in view.facts() {
        let spec = field.spec();
        for (key, fact) in register.current.iter().filter_map(|key| Some((*key, view.fact(*key)?))) {
            match (&spec.value, &fact.value) {
                (ValueKind::Number { unit, plausible }, Value::Number(number)) => {
                    doubt(item, key, spec.label, *number, *plausible, *unit);
                }
                (ValueKind::Dimension { plausible }, Value::Dimension(dimension)) => {
                    let plausible = (i64::from(plausible.0), i64::from(plausible.1));
                    doubt(item, key, spec.label, i64::from(dimension.mm), plausible, Unit::Millimetre);
                }
                _ => {}
            }
        }
    }
}

fn rooms_alike(view: &View, add: &mut impl FnMut(Option<Key>, What)) {
    // What can be measured in a room has a number, so that two rooms are held against each other in one walk of both.
    let mut numbers: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    let mut rooms: BTreeMap<Place, BTreeMap<usize, i32>> = BTreeMap::new();
    for ((place, measure), register) in view.readings() {
        let shown = register.shown.and_then(|key| view.reading(key));
        // Lengths tell rooms apart; that two doors are hinged on the left says nothing.
        if let Some(reading) = shown.filter(|_| measure.spec().unit == Unit::Millimetre) {
            let inside = place.to_string().split_once('/').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
            let next = numbers.len();
            let number = *numbers.entry((inside, measure.name())).or_insert(next);
            rooms.entry(place.room()).or_default().insert(number, reading.value);
        }
    }
    let rooms: Vec<(Place, Vec<(usize, i32)>)> =
        rooms.into_iter().map(|(room, measured)| (room, measured.into_iter().collect())).collect();
    // Of one word there are 99 rooms.
    for (at, (one, measured)) in rooms.iter().enumerate() {
        for (other, also) in &rooms[at + 1..] {
            if one.room_word() != other.room_word() {
                // They stand in the order of their words.
                break;
            }
            if are_alike(measured, also) {
                add(None, What::RoomsAlike { one: *one, other: *other });
            }
        }
    }
}

/// Whether what was measured in both of two rooms, by its number, measures the same. Two things alike can be chance;
/// three within the clash tolerance ask to be looked at.
fn are_alike(one: &[(usize, i32)], other: &[(usize, i32)]) -> bool {
    let (mut shared, mut rest) = (0, other.iter().peekable());
    for (what, value) in one {
        while rest.next_if(|(also, _)| also < what).is_some() {}
        if let Some((_, also)) = rest.next_if(|(also, _)| also == what) {
            if value.abs_diff(*also) > 5 {
                return false;
            }
            shared += 1;
        }
    }
    shared >= 3
}

/// What there is to look at in a prescription, given what it cites.
///
/// `others` are the documents of the case that are here; `weight` is the client's weight in kilograms where it is
/// known from elsewhere than the prescription and these.
pub fn of_prescription(
    document: DocumentId,
    view: &View,
    others: &BTreeMap<DocumentId, View>,
    weight: Option<i64>,
) -> Vec<Finding> {
    let mut findings = of_document(document, view);
    let mut add = |item, what| findings.push(Finding::of(document, item, what));
    if view.items().next().is_none() {
        add(None, What::NothingPrescribed);
    }
    let mut faults: BTreeMap<DocumentId, BTreeSet<Key>> = BTreeMap::new();
    for (other, view) in others {
        faults.insert(*other, view.clashes().iter().flat_map(|clash| clash.keys().to_vec()).collect());
    }
    let measured = cited::Measured::of(others);
    let heaviest = weights(view, "prescription.client-weight")
        .into_iter()
        .chain(others.values().flat_map(|other| weights(other, "person.weight")))
        .chain(weight)
        .max();
    let fault = |cite: &Cite| {
        let Some(other) = others.get(&cite.document) else { return Some(Fault::Absent) };
        // Only a reading or a photo can be cited; anything else would be missing from what is signed.
        if !matches!(other.records.get(&cite.key).map(|r| &r.body), Some(Body::Reading(_) | Body::Photo(_))) {
            Some(Fault::Absent)
        } else if other.struck(cite.key).is_some() {
            Some(Fault::Struck)
        } else if other.is_superseded(cite.key) {
            Some(Fault::Superseded)
        } else if faults.get(&cite.document).is_some_and(|clashing| clashing.contains(&cite.key))
            || other.reading(cite.key).is_some_and(|reading| measured.contradicts(reading))
        {
            Some(Fault::Clash)
        } else {
            None
        }
    };
    // Thousands of fields can cite the same few records.
    let mut found: BTreeMap<Cite, Option<Fault>> = BTreeMap::new();
    let mut fault = |cite: &Cite| *found.entry(*cite).or_insert_with(|| fault(cite));
    // A justification may rest on anything: Housing never has it.
    let not_for_housing = |field: Field, cite: &Cite| {
        let other = others.get(&cite.document).filter(|_| field.spec().part != Part::Justification)?;
        let withheld = !cited::is_for_housing(other.kind)
            || (other.photo(cite.key).is_some() && cited::photo_for_housing(other, cite.key).is_none());
        withheld.then_some(Fault::NotForHousing)
    };
    for ((item, field), register) in view.facts() {
        let Some(value) = register.shown.and_then(|key| view.fact(key)).map(|fact| &fact.value) else { continue };
        for cite in cites_of(value) {
            if let Some(fault) = fault(cite).or_else(|| not_for_housing(field, cite)) {
                add(item, What::Cited { field: Some(field), cite: *cite, fault });
            }
        }
        if let Value::Dimension(Dimension { tolerance, cites, .. }) = value
            && tolerance.is_critical()
        {
            let mut rests = false;
            for cite in cites {
                let reading = others.get(&cite.document).and_then(|other| other.reading(cite.key));
                // What is not here is a finding of its own.
                rests |= reading.is_some() || fault(cite) == Some(Fault::Absent);
                if reading.is_some_and(|reading| reading.method == Method::Estimate) {
                    add(item, What::Estimate { field, cite: *cite });
                }
            }
            if !rests {
                add(item, What::Unmeasured { field });
            }
        }
        if field.name() == "item.required-load"
            && let Value::Number(load) = value
        {
            // The heaviest of all that is known: what hangs from a rail is the person, not the record.
            if let Some(weight) = heaviest.filter(|weight| load < weight) {
                add(item, What::LoadUnderWeight { load: *load, weight });
            }
        }
    }
    findings
}

/// The weights that stand for a field: more than one where they clash.
fn weights(view: &View, field: &str) -> Vec<i64> {
    let Some(field) = Field::named(field) else { return Vec::new() };
    let current = view.current_facts(None, field);
    let weight = |key: Key| match view.fact(key)?.value {
        Value::Number(weight) => Some(weight),
        _ => None,
    };
    current.into_iter().filter_map(weight).collect()
}

/// The records that a value rests on.
pub fn cites_of(value: &Value) -> &[Cite] {
    match value {
        Value::Dimension(dimension) => &dimension.cites,
        Value::Cites(cites) => cites,
        _ => &[],
    }
}

/// Every record that a prescription rests on, in the values that stand.
pub fn cited(view: &View) -> BTreeSet<Cite> {
    cited::by_justification(view).into_keys().collect()
}

/// The photos that a prescription's values and the readings they cite rest on, with the document each belongs to. Of
/// what only the specification cites, those alone that Housing may see: no others are signed.
pub fn photos_cited(view: &View, others: &BTreeMap<DocumentId, View>) -> BTreeSet<(DocumentId, Hash)> {
    let mut photos = BTreeSet::new();
    for (cite, by_justification) in cited::by_justification(view) {
        let Some(other) = others.get(&cite.document) else { continue };
        for key in cited::photos_of(other, cite.key) {
            if let Some(photo) =
                other.photo(*key).filter(|_| by_justification).or(cited::photo_for_housing(other, *key))
            {
                photos.insert((cite.document, photo.hash));
            }
        }
    }
    photos
}

#[cfg(test)]
mod tests;
