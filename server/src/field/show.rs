//! What documents, cards and findings look like in a terminal and to a script.

use serde_json::{Value, json};
use sync_core::device::{ClashReport, DocumentState, DocumentSummary, Kept, shown};
use sync_core::domain::finding::Finding;
use sync_core::domain::record::{Body, Record};
use sync_core::domain::signed::{Content, SignedVersion};
use sync_core::domain::view::View;
use sync_core::id::{AccountId, Key};
use sync_core::protocol::CaseCard;
use sync_core::protocol::card::HomeProjection;

use super::Said;

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
}

/// Where something is, in words.
pub(super) fn kept(state: &DocumentState) -> String {
    if state.set_aside.is_some() {
        return "can't be read here".to_owned();
    }
    let place = match state.kept {
        None => "empty",
        Some(Kept::OnThisDevice) => "on this device only",
        Some(Kept::ServerHas) => "the server has it",
        Some(Kept::BackedUp) => "backed up",
    };
    match (&state.refused, state.unsent) {
        (Some(refused), unsent) => format!("{place}; {unsent} changes refused: {}", refused.reason),
        (None, 0) => place.to_owned(),
        (None, unsent) => format!("{place}; {unsent} changes wait"),
    }
}

/// A case with its documents.
pub(super) fn case(card: &CaseCard, documents: &[DocumentSummary]) -> Said {
    let client = &card.client;
    let mut lines = vec![format!("{}  {}", card.case, client.name), format!("  {}", client.address)];
    let facts = [
        ("referral", &card.reference),
        ("contact", &client.contact),
        ("risk to visitors", &client.visitor_risk),
        ("born", &client.born),
        ("NHS number", &client.nhs_number),
        ("UPRN", &client.uprn),
    ];
    lines.extend(facts.iter().filter_map(|(label, value)| Some(format!("  {label}: {}", value.as_ref()?))));
    for document in documents {
        let mode = if document.writable { "" } else { ", to read" };
        lines.push(format!("  {}{mode}: {}", document.name, kept(&document.state)));
    }
    for prescription in &card.prescriptions {
        let named = documents.iter().find(|document| document.document == prescription.document);
        let name = named.map_or_else(|| prescription.document.to_string(), |document| document.name.clone());
        let mut line = format!("  {name}: {}", prescription.state.name());
        if let Some(signed) = &prescription.signed {
            line += &format!("; version {} signed off by {}", signed.header.number, signed.header.signer.name);
        }
        if prescription.changed_since {
            line += "; changed since sign-off";
        }
        lines.push(line);
    }
    if card.home.is_some() {
        lines.push("  home: released measurements (show CASE home)".to_owned());
    }
    let mut value = json!({ "card": card, "documents": documents });
    if let Some(prescriptions) = value["card"]["prescriptions"].as_array_mut() {
        for (value, prescription) in prescriptions.iter_mut().zip(&card.prescriptions) {
            value["signed"] = prescription.signed.as_ref().map_or(Value::Null, signed_json);
        }
    }
    Said::new(value, lines)
}

fn signed_json(signed: &SignedVersion) -> Value {
    json!({ "header": signed.header, "fields": signed.fields, "consistent": signed.is_consistent().is_ok() })
}

/// A signed version as Housing reads it.
pub(super) fn signed(signed: &SignedVersion, withdrawn: Option<String>) -> Said {
    let header = &signed.header;
    let mut lines = vec![format!("version {}, signed off by {} on {}", header.number, header.signer.name, header.at)];
    lines.extend(withdrawn);
    lines.extend(header.conditions.iter().map(|condition| format!("  on condition: {condition}")));
    for field in &signed.fields {
        let says = match &field.content {
            Content::Value(value) => {
                let named = field.path.rsplit('/').next().and_then(|name| name.parse().ok());
                named.map_or_else(|| format!("{value:?}"), |named| shown(named, value))
            }
            Content::Item(kind) => kind.label().to_owned(),
            Content::Reading { reading, name, .. } => {
                let spec = reading.measure.spec();
                format!("{} at {}: {} ({name})", spec.label, reading.place, spec.unit.show(i64::from(reading.value)))
            }
            Content::Photo { hash, caption } => format!("photo {hash} {}", caption.as_deref().unwrap_or_default()),
            Content::Text(text) => text.clone(),
        };
        lines.push(format!("  {}: {says}", field.path));
    }
    Said::new(signed_json(signed), lines)
}

/// A released home as Housing sees it.
pub(super) fn projection(home: &HomeProjection, names: &Names<'_>) -> Said {
    let mut lines = vec![format!("released {}", home.released)];
    for reading in &home.readings {
        let spec = reading.measure.spec();
        let value = spec.unit.show(i64::from(reading.value));
        let clash = if reading.clash { "  CLASH" } else { "" };
        let by = names.of(reading.by);
        lines.push(format!("  {}  {}: {value} ({}, {by}){clash}", reading.place, spec.label, reading.method));
    }
    for photo in &home.photos {
        lines.push(format!("  photo {} {}", photo.hash, photo.caption.as_deref().unwrap_or_default()));
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
    for (key, item) in view.items() {
        lines.push(format!("  {key}  {}", item.kind.label()));
    }
    let mut facts = Vec::new();
    for ((item, field), register) in view.facts() {
        let Some(fact) = register.shown.and_then(|key| view.fact(key)) else { continue };
        let clash = if register.clash { "  CLASH" } else { "" };
        let of = item.map(|item| format!("{item} ")).unwrap_or_default();
        lines.push(format!("  {of}{}: {}{clash}", field.spec().label, shown(field, &fact.value)));
        facts.push(json!({
            "item": item, "field": field, "value": fact.value, "shown": register.shown,
            "current": register.current, "clash": register.clash,
        }));
    }
    for (key, note) in view.notes() {
        let by = view.records.get(&key).map(|record| names.of(record.by)).unwrap_or_default();
        lines.push(format!("  {key}  {} ({by}): {}", note.section, note.text));
    }
    for (key, photo) in view.photos() {
        let caption = view.captions.get(&key).map(String::as_str).unwrap_or_default();
        lines.push(format!("  {key}  photo {} {caption}", photo.hash));
    }
    for (text, words) in &view.texts {
        if !words.is_empty() {
            lines.push(format!("  {}: {words}", text.name()));
        }
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

/// Clashes.
pub(super) fn clashes(reports: &[ClashReport]) -> Said {
    let mut lines = Vec::new();
    for report in reports {
        lines.push(format!("{} ({})", report.about, report.kind));
        for value in &report.values {
            let method = value.method.map(|method| format!(", {method}")).unwrap_or_default();
            let photos = match value.photos.len() {
                0 => String::new(),
                count => format!(", {count} photos"),
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
