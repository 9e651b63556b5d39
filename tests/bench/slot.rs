//! Where each value of the workload stands in our documents: measurements are readings of a place, fields are facts,
//! the narrative is the shared text, and what fits no bounded field is a note, word for word.

use serde_json::Value as Json;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::Value;
use sync_core::domain::vocabulary::{Field, Measure, Place, Section};

/// Room names of the workload, and the places they are.
const ROOMS: &[(&str, &str)] = &[
    ("Hall", "hall-1"),
    ("Kitchen", "kitchen-1"),
    ("Living room", "living-room-1"),
    ("Bathroom", "bathroom-1"),
    ("Bedroom 1", "bedroom-1"),
    ("Bedroom 2", "bedroom-2"),
    ("Stairs and landing", "stairs-1"),
    ("Rear access", "entrance-2"),
];

/// What is measured in the workload: what in the room it is of, and the measure.
const MEASURES: &[(&str, &str, &str)] = &[
    ("Door clear opening", "door", "door-clear-width"),
    ("Threshold height", "threshold", "threshold-upstand-inside"),
    ("Floor to ceiling", "ceiling", "ceiling-height"),
    ("Turning circle", "turning-space", "turning-diameter"),
    ("Seat height", "chair", "chair-seat-height"),
    ("Bed height", "bed", "bed-height"),
    ("Worktop height", "worktop", "worktop-height"),
    ("Toilet height", "toilet", "wc-seat-height"),
    ("Bath rim height", "bath", "bath-rim-height"),
    ("Step rise", "step", "step-rise"),
    ("Step going", "step", "step-going"),
    ("Stair width", "tread", "stair-clear-width"),
    ("Corridor width", "wall", "passage-width"),
    ("Light switch height", "switch", "switch-height"),
    ("Socket height", "socket", "socket-height"),
    ("Grab rail position", "grab-rail", "stair-rail-height"),
    ("Wall to toilet centre", "toilet", "wc-centreline-left"),
    ("Chair raise needed", "chair", "floor-level-difference"),
    ("Shower tray upstand", "shower-tray", "shower-tray-upstand"),
    ("Ramp gradient", "ramp", "gradient-rise"),
];

/// Clinical fields that the vocabulary has as text.
const TEXTS: &[(&str, &str)] = &[
    ("diagnosis", "person.diagnoses"),
    ("medication", "person.medication"),
    ("fallsHistory", "person.falls-detail"),
    ("mobilityIndoors", "function.indoor-mobility.detail"),
    ("mobilityOutdoors", "function.outdoor-mobility.detail"),
    ("stairs", "function.stairs.detail"),
    ("bedTransfer", "function.bed-transfer.detail"),
    ("chairTransfer", "function.chair-transfer.detail"),
    ("toiletTransfer", "function.wc-transfer.detail"),
    ("bathTransfer", "function.bath-transfer.detail"),
    ("carTransfer", "function.car.detail"),
    ("washing", "function.washing-upper.detail"),
    ("dressingUpper", "function.dressing.detail"),
    ("mealPrep", "function.meal.detail"),
    ("hotDrink", "function.hot-drink.detail"),
    ("shopping", "function.domestic.detail"),
    ("carer", "carer.tasks"),
    ("packageOfCare", "person.other-services"),
    ("goals", "client.priorities"),
    ("risks", "risk.without-adaptation"),
];

const DWELLINGS: &[(&str, &str)] = &[
    ("terrace", "terraced"),
    ("semi", "semi-detached"),
    ("flat", "flat"),
    ("bungalow", "bungalow"),
    ("detached", "detached"),
];
const TENURES: &[(&str, &str)] = &[
    ("owner", "owner"),
    ("council", "council"),
    ("housing association", "registered-provider"),
    ("private rent", "private-rent"),
];
const HEATINGS: &[(&str, &str)] = &[("gas", "gas-central"), ("electric", "electric-direct"), ("oil", "oil")];

/// How a value of the workload is written in a field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Code {
    /// Text as it is.
    Text,
    /// One of these: the workload's word and ours.
    Word(&'static [(&'static str, &'static str)]),
    /// A whole number times this.
    Number(i64),
    /// A whole number, as text.
    Score,
    /// Rounded to whole kilograms; the exact figure goes into a note beside it.
    Kilograms,
    /// Given or refused.
    Consent,
    /// A room by its name.
    Room,
}

/// What a note is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A room, or what was measured in it.
    Place(Place),
    /// An item, by its number in the document, and what of it.
    Item(usize, String),
    /// A value that no field takes.
    Path(String),
}

/// Which part of a note's words a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of them.
    Whole,
    /// A room's storey, at their beginning.
    Floor,
    /// What was seen of the room, behind it.
    Seen,
    /// The unit on the tape when it isn't millimetres, at their beginning.
    Unit,
    /// The remark behind it.
    Remark,
}

/// Where a value stands.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    /// In the names of places and measures and the ids of cases and documents.
    Implied,
    /// On the case card, a row of the server's: client, address.
    Card,
    /// A fact of the document, or of an item of it.
    Fact { item: Option<usize>, field: Field, code: Code, path: String },
    /// A reading.
    Reading { place: Place, measure: Measure, path: String },
    /// A note.
    Note { subject: Subject, part: Part },
    /// The shared text.
    Narrative,
}

/// The kind of document that a value stands in. Clinical documents have no shared text: the narrative is the
/// prescription's reasoning, which only the council's lane reads.
pub(crate) fn kind_of(doc: &str, slot: &Slot) -> Kind {
    match (doc, slot) {
        (_, Slot::Narrative) | ("prescription", _) => Kind::Prescription,
        ("home", _) => Kind::Home,
        _ => Kind::Clinical,
    }
}

/// The heading under which notes of a kind of document stand.
pub(crate) fn section(kind: Kind) -> Section {
    match kind {
        Kind::Home => Section::Property,
        Kind::Prescription => Section::Justification,
        _ => Section::History,
    }
}

fn word_of(pairs: &[(&'static str, &'static str)], theirs: &str) -> Option<&'static str> {
    pairs.iter().find(|(known, _)| *known == theirs).map(|(_, ours)| *ours)
}

fn field(name: &str) -> Field {
    Field::named(name).unwrap_or_else(|| panic!("{name} is no field"))
}

/// Where the value at `path` of a document of `case` stands. The case as generated says which place a measurement is.
pub(crate) fn slot(case: &Json, doc: &str, path: &[Json]) -> Slot {
    let steps: Vec<String> = path.iter().map(|step| step.as_str().map_or(step.to_string(), str::to_owned)).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let path = steps.join(".");
    let number = |text: &str| text.parse::<usize>().ok();
    let elsewhere = || Slot::Note { subject: Subject::Path(path.clone()), part: Part::Whole };
    let fact = |name: &str, code| Slot::Fact { item: None, field: field(name), code, path: path.clone() };
    match (doc, &steps[..]) {
        (_, ["kind" | "caseId"]) => Slot::Implied,
        ("clinical", ["client"]) | ("home", ["property", "address" | "postcode"]) => Slot::Card,
        ("clinical", ["narrative"]) => Slot::Narrative,
        ("home", ["property", "type"]) => fact("property.dwelling-type", Code::Word(DWELLINGS)),
        ("home", ["property", "tenure"]) => fact("property.tenure", Code::Word(TENURES)),
        ("home", ["property", "storeys"]) => fact("property.storeys-within", Code::Number(1)),
        ("home", ["property", "access"]) => fact("access.instructions", Code::Text),
        ("home", ["property", "parking"]) => fact("access.parking", Code::Text),
        ("home", ["property", "heating"]) => fact("property.heating", Code::Word(HEATINGS)),
        ("home", ["rooms", room, rest @ ..]) => {
            let of = number(room).and_then(|room| in_room(&case["home"]["rooms"][room], rest, &path));
            of.unwrap_or_else(elsewhere)
        }
        ("clinical", ["fields", name]) => match (*name, word_of(TEXTS, name)) {
            (_, Some(ours)) => fact(ours, Code::Text),
            ("height", _) => fact("person.height", Code::Number(10)),
            ("weight", _) => fact("person.weight", Code::Kilograms),
            ("pain", _) => fact("person.pain", Code::Score),
            ("consent", _) => fact("consent.assess", Code::Consent),
            _ => elsewhere(),
        },
        ("prescription", ["items", item, name]) => {
            let Some(item) = number(item) else { return elsewhere() };
            let fact = |name, code| Slot::Fact { item: Some(item), field: field(name), code, path: path.clone() };
            match *name {
                "code" => fact("equipment-item.catalogue", Code::Text),
                "description" => fact("equipment-item.name", Code::Text),
                "qty" => fact("item.quantity", Code::Number(1)),
                "location" => fact("item.place", Code::Room),
                "size" => fact("equipment-item.size", Code::Text),
                "fitting" => fact("equipment-item.delivery-instructions", Code::Text),
                "rationale" => fact("item.reasoning", Code::Text),
                // An item has no urgency of its own: the prescription has one.
                other => Slot::Note { subject: Subject::Item(item, other.to_owned()), part: Part::Whole },
            }
        }
        _ => elsewhere(),
    }
}

fn in_room(room: &Json, rest: &[&str], path: &str) -> Option<Slot> {
    let place: Place = word_of(ROOMS, room["name"].as_str()?)?.parse().ok()?;
    let note = |place, part| Some(Slot::Note { subject: Subject::Place(place), part });
    match rest {
        ["name"] => Some(Slot::Implied),
        ["floor"] => note(place, Part::Floor),
        ["notes"] => note(place, Part::Seen),
        ["measurements", at, what] => {
            let at: usize = at.parse().ok()?;
            let measurements = room["measurements"].as_array()?;
            let known = |at: usize| {
                let label = measurements.get(at)?["label"].as_str()?;
                MEASURES.iter().find(|(known, ..)| *known == label)
            };
            let (_, feature, measure) = known(at)?;
            // Every measurement has a place of its own: the first door, the second.
            let ordinal = (0..=at).filter(|at| known(*at).is_some_and(|(_, other, _)| other == feature)).count();
            let place: Place = format!("{place}/{feature}-{ordinal}").parse().ok()?;
            match *what {
                "label" => Some(Slot::Implied),
                "value" => Some(Slot::Reading { place, measure: Measure::named(measure)?, path: path.to_owned() }),
                "unit" => note(place, Part::Unit),
                "note" => note(place, Part::Remark),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Code {
    /// The value as the field takes it, and whether that says all of it; `None`: the field does not take it.
    pub(crate) fn encode(self, value: &Json, most: usize) -> Option<(Value, bool)> {
        let exact = |value| Some((value, true));
        match self {
            Self::Text => value
                .as_str()
                .filter(|text| text.chars().count() <= most)
                .and_then(|text| exact(Value::Text(text.to_owned()))),
            Self::Word(pairs) => exact(Value::Choice(word_of(pairs, value.as_str()?)?.to_owned())),
            Self::Number(times) => exact(Value::Number(value.as_i64()?.checked_mul(times)?)),
            Self::Score => exact(Value::Text(value.as_i64()?.to_string())),
            #[allow(clippy::cast_possible_truncation, reason = "a person's weight")]
            Self::Kilograms => Some((Value::Number(value.as_f64()?.round() as i64), false)),
            Self::Consent => exact(Value::Choice(if value.as_bool()? { "given" } else { "refused" }.to_owned())),
            Self::Room => exact(Value::Text(word_of(ROOMS, value.as_str()?)?.to_owned())),
        }
    }

    /// The value as the workload has it.
    pub(crate) fn decode(self, value: &Value) -> Json {
        let theirs = |pairs: &[(&str, &str)], ours: &str| {
            pairs.iter().find(|(_, known)| *known == ours).map_or(Json::Null, |(theirs, _)| (*theirs).into())
        };
        match (self, value) {
            (Self::Text, Value::Text(text)) => text.as_str().into(),
            (Self::Word(pairs), Value::Choice(word)) => theirs(pairs, word),
            (Self::Number(times), Value::Number(number)) => (number / times).into(),
            (Self::Kilograms, Value::Number(number)) => (*number).into(),
            (Self::Score, Value::Text(text)) => text.parse::<i64>().map_or(Json::Null, Into::into),
            (Self::Consent, Value::Choice(word)) => (word == "given").into(),
            (Self::Room, Value::Text(place)) => theirs(ROOMS, place),
            _ => Json::Null,
        }
    }
}

/// A value in words that [`read_word`] takes back.
fn word(value: &Json) -> String {
    match value {
        Json::String(text) if serde_json::from_str::<Json>(text).is_err() => text.clone(),
        other => other.to_string(),
    }
}

fn read_word(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// A note's words with one part of them changed; `before` is empty for a new one.
pub(crate) fn with_part(subject: &Subject, part: Part, before: &str, value: &Json) -> String {
    let part_before = |part| part_of(subject, part, before);
    let text = |value: Json| value.as_str().unwrap_or_default().to_owned();
    match part {
        Part::Whole => match subject {
            Subject::Item(_, name) | Subject::Path(name) => format!("{name}: {}", word(value)),
            Subject::Place(_) => word(value),
        },
        Part::Floor => format!("Floor {}. {}", word(value), text(part_before(Part::Seen))),
        Part::Seen => format!("Floor {}. {}", word(&part_before(Part::Floor)), text(value.clone())),
        Part::Unit => remark(&text(value.clone()), &text(part_before(Part::Remark))),
        Part::Remark => remark(&text(part_before(Part::Unit)), &text(value.clone())),
    }
}

fn remark(unit: &str, words: &str) -> String {
    let plain = unit == "mm" && !words.starts_with('(');
    if plain { words.to_owned() } else { format!("({unit}) {words}") }
}

/// What a part of a note's words says; a note that isn't there says millimetres and nothing more.
pub(crate) fn part_of(subject: &Subject, part: Part, words: &str) -> Json {
    let floor = words.strip_prefix("Floor ").and_then(|rest| rest.split_once(". "));
    let unit = words.strip_prefix('(').and_then(|rest| rest.split_once(") ").or_else(|| rest.split_once(')')));
    match part {
        Part::Whole => match subject {
            Subject::Item(_, name) | Subject::Path(name) => {
                words.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix(": ")).map_or(Json::Null, read_word)
            }
            Subject::Place(_) => read_word(words),
        },
        Part::Floor => floor.map_or(Json::Null, |(floor, _)| read_word(floor)),
        Part::Seen => floor.map_or(Json::Null, |(_, seen)| seen.into()),
        Part::Unit => unit.map_or("mm", |(unit, _)| unit).into(),
        Part::Remark => unit.map_or(words, |(_, words)| words).into(),
    }
}
