//! The words that documents are made of: lists of them for people and scripts, and the nearest to one that was mistyped.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use sync_core::domain::vocabulary::photo::{Angle, PhotoSubject, ScaleReference, ShareWith};
use sync_core::domain::vocabulary::place::{FEATURES, PlaceError, ROOMS};
use sync_core::domain::vocabulary::{Field, ItemKind, Measure, Need, Of, Place, Section, Unit, UnknownWord, ValueKind};

use super::Said;

/// A list of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum List {
    /// What can be read of a place, with unit and plausible bounds
    Measures,
    /// What a document says of itself or of an item, and what values it takes
    Fields,
    /// What has fields of its own: equipment, outcome, everything that can be prescribed
    Items,
    /// Rooms, and what is in them
    Places,
    /// Headings of entries
    Sections,
    /// What is said of a photo
    Photos,
}

impl List {
    const fn name(self) -> &'static str {
        match self {
            Self::Measures => "measures",
            Self::Fields => "fields",
            Self::Items => "items",
            Self::Places => "places",
            Self::Sections => "sections",
            Self::Photos => "photos",
        }
    }
}

/// A word that is in none of a list's lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) struct NoSuchWord {
    what: &'static str,
    list: List,
    /// The words nearest to it, the nearest first; there may be none.
    pub(super) nearest: Vec<&'static str>,
}

impl fmt::Display for NoSuchWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "that is not {};", self.what)?;
        if !self.nearest.is_empty() {
            write!(f, " did you mean {}?", self.nearest.join(", "))?;
        }
        write!(f, " `grabrail field words {}` lists them all", self.list.name())
    }
}

/// How many letters have to be changed, added or left out to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        row[0] = left;
        for (cell, known) in row[1..].iter_mut().zip(&other) {
            let changed = diagonal + usize::from(letter != *known);
            diagonal = *cell;
            left = changed.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
    }
    row[other.len()]
}

/// The three words nearest to what was typed: by letters (`stairlfit`), or with more parts than were typed, each
/// nearly as it was (`door-width`, `weight`).
pub(super) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let typed: String = typed.chars().take(64).collect::<String>().to_lowercase();
    fn parts(text: &str) -> impl Iterator<Item = &str> {
        text.split(['-', '.', '_', ' ']).filter(|part| !part.is_empty())
    }
    let far = |word: &str| {
        // Each part as it stands in the word, nearly; the parts that were left out count one each.
        let part = |part: &str| {
            let near = parts(word).map(|known| (distance(part, known), known.len() / 3));
            near.filter(|(far, most)| far <= most).map(|(far, _)| far).min()
        };
        let more = parts(word).count().saturating_sub(parts(&typed).count());
        let by_parts = parts(&typed).map(part).sum::<Option<usize>>().map(|far| far + more);
        by_parts.filter(|_| !typed.is_empty()).unwrap_or(usize::MAX).min(distance(&typed, word))
    };
    let mut ranked: Vec<(usize, &str)> = known.into_iter().map(|word| (far(word), word)).collect();
    let letters = typed.chars().count();
    let most = if letters < 3 { 1 } else { 2.max(1 + letters / 4) };
    ranked.retain(|(far, _)| *far <= most);
    ranked.sort_unstable();
    ranked.into_iter().take(3).map(|(_, word)| word).collect()
}

fn read<T: FromStr>(
    text: &str,
    what: &'static str,
    list: List,
    known: impl IntoIterator<Item = &'static str>,
) -> Result<T, NoSuchWord> {
    text.parse().map_err(|_| NoSuchWord { what, list, nearest: nearest(text, known) })
}

/// A measure as it is typed.
pub(super) fn measure(text: &str) -> Result<Measure, NoSuchWord> {
    read(text, "a measure", List::Measures, Measure::all().map(Measure::name))
}

/// A field as it is typed.
pub(super) fn field(text: &str) -> Result<Field, NoSuchWord> {
    read(text, "a field", List::Fields, Field::all().map(Field::name))
}

/// A kind of item as it is typed.
pub(super) fn item(text: &str) -> Result<ItemKind, NoSuchWord> {
    read(text, "an item", List::Items, ItemKind::ALL.iter().map(|item| item.name()))
}

/// The heading of an entry as it is typed.
pub(super) fn section(text: &str) -> Result<Section, NoSuchWord> {
    read(text, "a section", List::Sections, Section::ALL.iter().map(|section| section.name()))
}

/// A place as it is typed.
pub(super) fn place(text: &str) -> Result<Place, BadPlace> {
    text.parse().map_err(|error| {
        let unknown = |what, known: &[&'static str], word: &str| {
            BadPlace::Word(NoSuchWord { what, list: List::Places, nearest: nearest(word, known.iter().copied()) })
        };
        match error {
            PlaceError::UnknownRoom(word) => unknown("a room or area", ROOMS, &word),
            PlaceError::UnknownFeature(word) => unknown("something in a room", FEATURES, &word),
            other => BadPlace::Form(other),
        }
    })
}

/// A text that is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadPlace {
    /// A word of it.
    #[error(transparent)]
    Word(NoSuchWord),
    /// Its form.
    #[error("{0}: a place is written as bathroom-1 or bathroom-1/door-2")]
    Form(PlaceError),
}

/// Reads one of a few words, all of which the verb's own help lists.
pub(super) fn one_of<T>(known: &'static [T], name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownWord> + Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(known.iter().map(|word| name(*word))).try_map(|name| name.parse::<T>())
}

/// A line of a list.
struct Line {
    name: &'static str,
    label: &'static str,
    /// What it belongs to: an area, kinds of document, items.
    groups: Vec<&'static str>,
    cells: Vec<String>,
    json: Value,
}

/// The words of a list; `only` those of a kind of document, an item or an area, or with this in the name or label.
pub(super) fn list(list: List, only: Option<&str>) -> Said {
    let mut lines = match list {
        List::Measures => measures(),
        List::Fields => fields(),
        List::Items => items(),
        List::Places => places(),
        List::Sections => sections(),
        List::Photos => photos(),
    };
    if let Some(text) = only {
        let is_group = lines.iter().any(|line| line.groups.contains(&text));
        let part = text.to_lowercase();
        let has_part = |line: &Line| line.name.contains(&part) || line.label.to_lowercase().contains(&part);
        lines.retain(|line| if is_group { line.groups.contains(&text) } else { has_part(line) });
    }
    let json = lines.iter().map(|line| line.json.clone()).collect();
    let mut text = table(&lines);
    if let Some(only) = only.filter(|_| lines.is_empty()) {
        text.push(format!("nothing has {only:?} in it; `grabrail field words {}` lists all", list.name()));
    } else if list == List::Places {
        text.push("A place is a room with a number, and what is in it: bathroom-1, bathroom-1/door-2".to_owned());
    }
    Said::new(json, text)
}

/// Cells under one another; the last column, which may be long, as it comes.
fn table(lines: &[Line]) -> Vec<String> {
    let columns = lines.first().map_or(0, |line| line.cells.len());
    let wide = |column: usize| lines.iter().map(|line| line.cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(wide).collect();
    let row = |line: &Line| {
        let cells = line.cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(row).collect()
}

const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Millimetre => "millimetre",
        Unit::Kilogram => "kilogram",
        Unit::Pence => "pence",
        Unit::Count => "count",
        Unit::Score => "score",
        Unit::Minute => "minute",
        Unit::Degree => "degree",
        Unit::Code(_) => "code",
    }
}

fn bounds(unit: Unit, least: i64, most: i64) -> String {
    match unit {
        Unit::Code(words) => format!("one of: {}", words.join(" ")),
        _ => format!("{} to {}", unit.show(least), unit.show(most)),
    }
}

fn measures() -> Vec<Line> {
    let line = |measure: Measure| {
        let spec = measure.spec();
        let (least, most) = spec.plausible;
        let choices = match spec.unit {
            Unit::Code(words) => Some(words),
            _ => None,
        };
        let takes = bounds(spec.unit, least.into(), most.into());
        Line {
            name: spec.name,
            label: spec.label,
            groups: vec![spec.area.name()],
            cells: vec![spec.name.into(), spec.area.name().into(), spec.label.into(), takes],
            json: json!({
                "name": spec.name, "label": spec.label, "area": spec.area, "unit": unit_name(spec.unit),
                "least": choices.is_none().then_some(least), "most": choices.is_none().then_some(most),
                "tolerance": spec.tolerance, "safer": spec.safer, "choices": choices,
            }),
        }
    };
    Measure::all().map(line).collect()
}

fn fields() -> Vec<Line> {
    Field::all().map(field_line).collect()
}

fn field_line(field: Field) -> Line {
    let spec = field.spec();
    let mut groups: Vec<&str> = spec.kinds.iter().map(|kind| kind.name()).collect();
    let mut of = groups.join(", ");
    let items = match spec.of {
        Of::Document => None,
        Of::Item(items) => {
            let names: Vec<&str> = items.iter().map(|item| item.name()).collect();
            let named = if names.len() > 3 { "any item".to_owned() } else { names.join(" ") };
            of = format!("{of}, {named}");
            groups.extend(names);
            Some(items)
        }
    };
    let mut json = json!({ "name": spec.name, "label": spec.label, "kinds": spec.kinds, "items": items });
    let takes = match spec.value {
        ValueKind::Flag => ("flag", "yes or no".to_owned()),
        ValueKind::Number { unit, plausible: (least, most) } => {
            (json["unit"], json["least"], json["most"]) = (json!(unit_name(unit)), json!(least), json!(most));
            ("number", bounds(unit, least, most))
        }
        ValueKind::Text { most } => {
            json["most_characters"] = json!(most);
            ("text", format!("words, up to {most} letters"))
        }
        ValueKind::Choice(words) => {
            json["choices"] = json!(words);
            ("choice", format!("one of: {}", words.join(" ")))
        }
        ValueKind::Choices(words) => {
            json["choices"] = json!(words);
            ("choices", format!("any of, commas between: {}", words.join(" ")))
        }
        ValueKind::Date => ("date", "a date, YYYY-MM-DD".to_owned()),
        ValueKind::Dimension { plausible: (least, most) } => {
            (json["unit"], json["least"], json["most"]) = (json!("millimetre"), json!(least), json!(most));
            let bounds = bounds(Unit::Millimetre, least.into(), most.into());
            ("dimension", format!("{bounds}, with --exact, --min, --max or --within MM"))
        }
        ValueKind::Cites => ("cites", "records, given with --cites (the value itself is -)".to_owned()),
        ValueKind::Person => ("person", "me, or an account's id".to_owned()),
        ValueKind::Place => ("place", "a place, as bathroom-1".to_owned()),
    };
    json["takes"] = json!(takes.0);
    json["expected"] = match spec.need {
        Need::Optional => json!(false),
        Need::Expected => json!(true),
        Need::ExpectedOn(routes) => json!(routes),
        Need::ExpectedOf(items) => json!(items),
    };
    Line {
        name: spec.name,
        label: spec.label,
        groups,
        cells: vec![spec.name.into(), of, spec.label.into(), takes.1],
        json,
    }
}

fn items() -> Vec<Line> {
    let line = |item: &ItemKind| {
        let (name, label, kind) = (item.name(), item.label(), item.kind_of_document());
        let cells = vec![name.into(), kind.name().into(), label.into()];
        let json = json!({ "name": name, "label": label, "kind": kind });
        Line { name, label, groups: vec![kind.name()], cells, json }
    };
    ItemKind::ALL.iter().map(line).collect()
}

fn places() -> Vec<Line> {
    let line = |name: &'static str, of: &'static str| Line {
        name,
        label: of,
        groups: Vec::new(),
        cells: vec![name.into(), of.into()],
        json: json!({ "name": name, "of": of }),
    };
    let rooms = ROOMS.iter().map(|word| line(word, "room or area"));
    rooms.chain(FEATURES.iter().map(|word| line(word, "in a room"))).collect()
}

fn sections() -> Vec<Line> {
    let line = |section: &Section| {
        let (name, kinds) = (section.name(), section.kinds());
        let named: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let cells = vec![name.into(), named.join(", ")];
        Line { name, label: "", groups: named, cells, json: json!({ "name": name, "kinds": kinds }) }
    };
    Section::ALL.iter().map(line).collect()
}

fn photos() -> Vec<Line> {
    let line = |of: &'static str, name: &'static str| Line {
        name,
        label: of,
        groups: vec![of],
        cells: vec![format!("--{of}"), name.into()],
        json: json!({ "name": name, "of": of }),
    };
    let subjects = PhotoSubject::ALL.iter().map(|word| line("subject", word.name()));
    let angles = Angle::ALL.iter().map(|word| line("angle", word.name()));
    let scales = ScaleReference::ALL.iter().map(|word| line("scale", word.name()));
    let shares = ShareWith::ALL.iter().map(|word| line("share", word.name()));
    subjects.chain(angles).chain(scales).chain(shares).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_nearly_typed_is_found_and_what_is_like_nothing_finds_nothing() {
        let near = |typed: &str| measure(typed).unwrap_err().nearest;
        assert_eq!(near("door-width")[0], "door-clear-width");
        assert_eq!(near("wc-seat-hight")[0], "wc-seat-height");
        assert_eq!(near("Door-Clear-Width")[0], "door-clear-width");
        assert!(near("xyzzy").is_empty() && near("").is_empty() && near(&"é".repeat(500)).is_empty());
        assert_eq!(field("weight").unwrap_err().nearest[0], "person.weight");
        assert_eq!(item("stairlfit").unwrap_err().nearest[0], "stairlift");
        assert_eq!(section("visits").unwrap_err().nearest[0], "visit");
        let said = place("bathrom-1/door-1").unwrap_err().to_string();
        assert!(said.contains("bathroom") && said.contains("words places"), "{said}");
        let said = place("bathroom-1/dor-1").unwrap_err().to_string();
        assert!(said.contains("did you mean door"), "{said}");
        assert!(place("bathroom").unwrap_err().to_string().contains("bathroom-1"));
    }

    #[test]
    fn letters_changed_added_and_left_out_are_counted() {
        for (one, other, letters) in [("", "", 0), ("", "abc", 3), ("rail", "rail", 0), ("rial", "rail", 2)] {
            assert_eq!((distance(one, other), distance(other, one)), (letters, letters), "{one} {other}");
        }
        assert_eq!((distance("hight", "height"), distance("dor", "doors")), (1, 2));
    }

    #[test]
    fn a_list_says_of_each_word_what_it_takes_and_can_be_narrowed() {
        let names = |said: &Said| -> Vec<String> {
            let lines = said.json.as_array().unwrap().iter();
            lines.map(|line| line["name"].as_str().unwrap().to_owned()).collect()
        };
        let all = list(List::Measures, None);
        assert_eq!(names(&all).len(), Measure::all().count());
        let door = list(List::Measures, Some("door-clear-width"));
        assert_eq!((&door.json[0]["unit"], &door.json[0]["least"]), (&json!("millimetre"), &json!(400)));
        assert!(door.lines[0].contains("400 mm to 1500 mm"), "{:?}", door.lines);
        let stairs = list(List::Measures, Some("stairs"));
        assert!(stairs.json.as_array().unwrap().iter().all(|line| line["area"] == "stairs"));

        let clinical = names(&list(List::Fields, Some("clinical")));
        assert!(clinical.contains(&"person.weight".to_owned()) && !clinical.contains(&"property.tenure".to_owned()));
        let lift = names(&list(List::Fields, Some("stairlift")));
        assert!(lift.contains(&"stairlift.seat-height".to_owned()) && lift.contains(&"item.required-load".to_owned()));
        let route = list(List::Fields, Some("prescription.route"));
        assert!(route.json[0]["choices"].as_array().unwrap().contains(&json!("dfg")), "{}", route.json);

        let none = list(List::Items, Some("trampoline"));
        assert_eq!(none.json, json!([]));
        assert!(none.lines[0].contains("words items"), "{:?}", none.lines);
        for kept in [List::Items, List::Places, List::Sections, List::Photos] {
            assert!(list(kept, None).lines.len() > 5, "{kept:?}");
        }
    }
}
