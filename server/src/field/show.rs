//! What documents, findings and clashes look like in a terminal and to a script.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sync_core::device::{ClashReport, Notice, shown};
use sync_core::domain::finding::Finding;
use sync_core::domain::record::{Body, Photo, Record, Value as RecordValue};
use sync_core::domain::signed::{Content, SignedVersion};
use sync_core::domain::view::View;
use sync_core::domain::vocabulary::Field;
use sync_core::id::{AccountId, DocumentId, Key};
use sync_core::protocol::CaseCard;
use sync_core::protocol::card::HomeProjection;

use super::{Said, count};

/// A member of staff by name, as the case's card tells it.
pub(super) struct Names<'a> {
    pub(super) card: &'a CaseCard,
    pub(super) me: (AccountId, String),
}

impl Names<'_> {
    fn of(&self, account: AccountId) -> String {
        if account == self.me.0 {
            return self.me.1.clone();
        }
        let person = self.card.people.iter().find(|person| person.account == account);
        person.map_or_else(|| account.to_string(), |person| person.name.clone())
    }

    /// A value as a person reads it: staff by their names.
    fn value(&self, field: Field, value: &RecordValue) -> String {
        match value {
            RecordValue::Person(account) => self.of(*account),
            value => shown(field, value),
        }
    }

    /// A value under its field's label; one of a newer program under the field's name.
    fn named(&self, name: &str, value: &RecordValue) -> String {
        match name.parse::<Field>() {
            Ok(field) => format!("{}: {}", field.spec().label, self.value(field, value)),
            Err(_) => format!("{name}: {}", json!(value)),
        }
    }
}

/// A signed version with what it says, and whether its hashes and root agree.
pub(super) fn signed_json(signed: &SignedVersion) -> Value {
    json!({ "header": signed.header, "fields": signed.fields, "consistent": signed.is_consistent().is_ok() })
}

/// A signed version as Housing reads it: the whole prescription's values, then item by item, then what they rest on.
pub(super) fn signed(title: &str, signed: &SignedVersion, changed: bool, names: &Names<'_>) -> Said {
    let header = &signed.header;
    let mut lines = vec![
        title.to_owned(),
        format!("  version {}, signed off by {} on {}", header.number, header.signed_by(), header.at),
    ];
    if changed {
        lines.push("  changed since sign-off: what it was made of is no longer the same".to_owned());
    }
    let conditions = header.signatures().flat_map(|(_, _, conditions)| conditions);
    lines.extend(conditions.map(|condition| format!("  on condition: {condition}")));
    let (mut whole, mut items, mut rests_on) = (Vec::new(), BTreeMap::<_, Vec<String>>::new(), Vec::new());
    for field in &signed.fields {
        let mut path = field.path.split('/').skip(1);
        let (first, key, last) = (path.next().unwrap_or_default(), path.next(), path.next());
        let named = |name, value| names.named(name, value);
        let item = |key: &str| key.parse::<Key>().ok();
        match (&field.content, key) {
            (Content::Item(kind), Some(key)) => {
                items.entry(item(key)).or_default().insert(0, format!("  {key}  {}", kind.label()));
            }
            (Content::Value(value), Some(key)) => {
                items.entry(item(key)).or_default().push(format!("    {}", named(last.unwrap_or_default(), value)));
            }
            (Content::Value(value), None) => whole.push(format!("  {}", named(first, value))),
            (Content::Reading { reading, name, .. }, _) => {
                let spec = reading.measure.spec();
                let value = spec.unit.show(i64::from(reading.value));
                rests_on.push(format!(
                    "  measured: {}  {}: {value} ({}, {name})",
                    reading.place, spec.label, reading.method
                ));
            }
            (Content::Photo { hash, caption }, _) => {
                rests_on.push(format!("  photo {hash}  {}", caption.as_deref().unwrap_or_default()));
            }
            (Content::Text(text), _) => whole.push(format!("  {first}: {text}")),
            (Content::Item(kind), None) => whole.push(format!("  {}", kind.label())),
        }
    }
    lines.extend(whole);
    lines.extend(items.into_values().flatten());
    lines.extend(rests_on);
    Said::new(signed_json(signed), lines)
}

/// A released home as Housing sees it.
pub(super) fn projection(home: &HomeProjection, names: &Names<'_>) -> Said {
    let mut lines = vec![format!("home, as it was released to Housing on {}", home.released)];
    for fact in &home.facts {
        let (label, by) = (fact.field.spec().label, names.of(fact.by));
        lines.push(format!("  {label}: {} ({by}, {})", names.value(fact.field, &fact.value), fact.at.claimed));
    }
    for reading in &home.readings {
        let spec = reading.measure.spec();
        let value = spec.unit.show(i64::from(reading.value));
        let clash = if reading.clash { "  CLASH" } else { "" };
        let by = names.of(reading.by);
        let (key, place) = (reading.key, reading.place);
        lines.push(format!("  {key}  {place}  {}: {value} ({}, {by}){clash}", spec.label, reading.method));
    }
    for photo in &home.photos {
        let place = photo.place.map(|place| format!("{place} ")).unwrap_or_default();
        lines.push(format!("  photo {}  {place}{}", photo.hash, photo.caption.as_deref().unwrap_or_default()));
    }
    Said::new(json!(home), lines)
}

/// A document.
pub(super) fn document(name: &str, view: &View, names: &Names<'_>) -> Said {
    let mut lines = vec![name.to_owned()];
    let mut readings = Vec::new();
    for ((place, measure), register) in view.readings() {
        let clash = if register.clash { "  CLASH" } else { "" };
        for key in &register.current {
            let (Some(reading), Some(record)) = (view.reading(*key), view.records.get(key)) else { continue };
            let value = measure.spec().unit.show(i64::from(reading.value));
            let by = names.of(record.by);
            lines.push(format!(
                "  {key}  {place}  {}: {value} ({}, {by}){clash}",
                measure.spec().label,
                reading.method
            ));
        }
        let shown = register.shown.and_then(|key| view.reading(key)).map(|reading| reading.value);
        readings.push(json!({
            "place": place, "measure": measure, "value": shown, "shown": register.shown,
            "current": register.current, "clash": register.clash,
        }));
    }
    let mut facts = Vec::new();
    let (mut whole, mut items) = (Vec::new(), BTreeMap::<Key, Vec<String>>::new());
    for ((item, field), register) in view.facts() {
        let Some(fact) = register.shown.and_then(|key| view.fact(key)) else { continue };
        facts.push(json!({
            "item": item, "field": field, "value": fact.value, "shown": register.shown,
            "current": register.current, "clash": register.clash,
        }));
        // Of a clash every value is shown, or nobody would know what to settle.
        let keys = if register.clash { register.current.clone() } else { register.shown.into_iter().collect() };
        for key in keys {
            let Some(fact) = view.fact(key) else { continue };
            let clash = if register.clash { "  CLASH" } else { "" };
            let line = format!("{key}  {}: {}{clash}", field.spec().label, names.value(field, &fact.value));
            match item {
                None => whole.push(format!("  {line}")),
                Some(item) => items.entry(item).or_default().push(format!("    {line}")),
            }
        }
    }
    lines.extend(whole);
    for (key, item) in view.items() {
        lines.push(format!("  {key}  {}", item.kind.label()));
        lines.extend(items.remove(&key).unwrap_or_default());
    }
    for (key, note) in view.notes() {
        let by = view.records.get(&key).map(|record| names.of(record.by)).unwrap_or_default();
        let to = note.addendum_to.map(|key| format!(" to {key}")).unwrap_or_default();
        lines.push(format!("  {key}  {}{to} ({by}): {}", note.section, note.text));
    }
    for (key, photo) in view.photos() {
        let caption = view.captions.get(&key).map(String::as_str).unwrap_or_default();
        lines.push(format!("  {key}  {}  {caption}", pictured(photo)).trim_end().to_owned());
    }
    for (text, words) in &view.texts {
        if !words.is_empty() {
            lines.push(format!("  {}: {words}", text.name()));
        }
    }
    for (key, record) in &view.records {
        let by = names.of(record.by);
        match &record.body {
            Body::Join(join) if view.struck(*key).is_none() => {
                lines.push(format!("  {key}  {} is {} ({by}): {}", join.place, join.same_as, join.reason));
            }
            Body::Strike(strike) => lines.push(format!("  {}  struck ({by}): {}", strike.key, strike.reason)),
            _ => {}
        }
    }
    if !view.unread.is_empty() {
        lines
            .push(format!("  {} records of a newer version of the program: update it to read them", view.unread.len()));
    }
    let records: Vec<Value> =
        view.records.iter().map(|(key, record)| self::record(*key, record, view, names)).collect();
    let texts: serde_json::Map<String, Value> =
        view.texts.iter().map(|(text, words)| (text.name().to_owned(), json!(words))).collect();
    let captions: serde_json::Map<String, Value> =
        view.captions.iter().map(|(key, text)| (key.to_string(), json!(text))).collect();
    let value = json!({
        "name": name, "kind": view.kind, "heads": view.heads, "readings": readings, "facts": facts,
        "records": records, "texts": texts, "captions": captions, "unread": view.unread,
    });
    Said::new(value, lines)
}

/// What a photo shows and where.
fn pictured(photo: &Photo) -> String {
    let place = photo.place.map(|place| format!(" at {place}")).unwrap_or_default();
    format!("photo: {}{place}", photo.subject)
}

fn record(key: Key, record: &Record, view: &View, names: &Names<'_>) -> Value {
    let hash = match &record.body {
        Body::Photo(photo) => Some(photo.hash),
        _ => None,
    };
    json!({
        "key": key, "by": record.by, "name": names.of(record.by), "at": record.at, "body": record.body,
        "hash": hash, "struck": view.struck(key), "current": view.is_current(key),
    })
}

/// Findings for a script: each with its words.
pub(super) fn findings(findings: &[Finding]) -> Value {
    let list = findings.iter().map(|finding| {
        let mut value = json!(finding);
        value["text"] = json!(finding.to_string());
        value["blocks"] = json!(finding.blocks());
        value
    });
    Value::Array(list.collect())
}

/// A piece of news in words; `name` names a document.
pub(super) fn notice(notice: &Notice, name: impl Fn(DocumentId) -> String) -> String {
    match notice {
        Notice::Refused { document, reason, .. } => {
            format!("work in {} was refused and is kept (see refused): {reason}", name(*document))
        }
        Notice::AskRefused { ask, document, reason } => {
            let of = document.map(|document| format!(" of {}", name(document))).unwrap_or_default();
            format!("{ask}{of} was refused: {reason}")
        }
        Notice::Purged { case, photos, reason, asks } => {
            format!("case {case} was removed from this device: {reason}{}{}", lost(*photos), in_vain(*asks))
        }
        Notice::SetAside { document, why } => format!("{} can't be read here: {why}", name(*document)),
        Notice::PurgedDocument { kind, photos, reason, asks, .. } => {
            let (lost, in_vain) = (lost(*photos), in_vain(*asks));
            format!("a {kind} document was removed from this device: {reason}; its case stays{lost}{in_vain}")
        }
    }
}

fn lost(photos: u32) -> String {
    if photos == 0 {
        String::new()
    } else {
        format!("; {} of it taken here never reached a server", count(photos, "photo"))
    }
}

fn in_vain(asks: u32) -> String {
    match asks {
        0 => String::new(),
        1 => "; something asked in it here was refused".to_owned(),
        asks => format!("; {asks} things asked in it here were refused"),
    }
}

/// Clashes.
pub(super) fn clashes(reports: &[ClashReport]) -> Said {
    let mut lines = Vec::new();
    for report in reports {
        lines.push(format!("{} ({})", report.about, report.kind));
        for value in &report.values {
            let method = value.method.map(|method| format!(", {method}")).unwrap_or_default();
            let photos = match value.photos.len() {
                0 => String::new(),
                shown => format!(", {}", count(shown, "photo")),
            };
            lines.push(format!(
                "  {}  {}  {}{method}, {}{photos}",
                value.key, value.value, value.name, value.at.claimed
            ));
        }
    }
    if lines.is_empty() {
        lines.push("nothing disagrees".to_owned());
    }
    Said::new(json!(reports), lines)
}
