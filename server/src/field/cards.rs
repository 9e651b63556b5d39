//! What a case's card says: the client, the documents and how safe each is, and the prescriptions by what they prescribe.
//!
//! On a card for Housing a prescription's state is none: all that Housing knows is what was signed and what became of it.

use serde_json::{Value, json};
use sync_core::access::Lane;
use sync_core::device::{Device, DeviceError, DocumentState, DocumentSummary, Kept};
use sync_core::domain::kind::Kind;
use sync_core::domain::signed::{Content, SignedVersion};
use sync_core::domain::signoff::{Anchored, SignedStanding, State};
use sync_core::domain::vocabulary::ItemKind;
use sync_core::id::{AccountId, DocumentId};
use sync_core::protocol::CaseCard;
use sync_core::protocol::ask::Practicable;
use sync_core::protocol::card::{PrescriptionCard, SurveyDecided};

use super::show::{self, Names};
use super::{FieldError, Said, count, names};

/// A prescription as people speak of it.
#[derive(Debug)]
pub(super) struct Prescribed {
    document: DocumentId,
    name: String,
    items: Vec<ItemKind>,
}

impl Prescribed {
    /// `prescription:1 (Grab rail ×2, Stairlift)`.
    fn title(&self) -> String {
        title(&self.name, &self.items)
    }
}

/// A prescription's name with what it prescribes.
fn title(name: &str, items: &[ItemKind]) -> String {
    let mut counted: Vec<(ItemKind, usize)> = Vec::new();
    for item in items {
        match counted.iter_mut().find(|(kind, _)| kind == item) {
            Some((_, count)) => *count += 1,
            None => counted.push((*item, 1)),
        }
    }
    let labels = counted.iter().map(|(item, count)| match count {
        1 => item.label().to_owned(),
        _ => format!("{} ×{count}", item.label()),
    });
    match labels.collect::<Vec<_>>().join(", ") {
        labels if labels.is_empty() => name.to_owned(),
        labels => format!("{name} ({labels})"),
    }
}

/// What a signed version prescribes.
fn items_of(signed: &SignedVersion) -> Vec<ItemKind> {
    let item = |content: &Content| match content {
        Content::Item(kind) => Some(*kind),
        _ => None,
    };
    signed.fields.iter().filter_map(|field| item(&field.content)).collect()
}

/// The prescriptions of a case, each with what it prescribes as far as that is here.
pub(super) async fn prescribed(device: &Device, card: &CaseCard) -> Result<Vec<Prescribed>, FieldError> {
    let mut all = Vec::new();
    for named in names::documents(device, card).await?.into_iter().filter(|named| named.kind == Kind::Prescription) {
        let told = card.prescriptions.iter().find(|known| known.document == named.document);
        let signed = told.and_then(|known| known.signed.as_ref()).map(items_of).unwrap_or_default();
        let items = match named.whole {
            true => match device.prescribed(named.document).await {
                Err(DeviceError::SetAside(_) | DeviceError::Unreadable(_)) => signed,
                items => items?,
            },
            false => signed,
        };
        all.push(Prescribed { document: named.document, name: named.name, items });
    }
    Ok(all)
}

/// What became of a signed version; `None` while it stands.
pub(super) fn fate(standing: &SignedStanding) -> Option<String> {
    match standing {
        SignedStanding::Current => None,
        SignedStanding::Superseded { by } => Some(format!("superseded by version {by}")),
        SignedStanding::Recalled { at, reason } if reason.is_empty() => Some(format!("recalled on {at}")),
        SignedStanding::Recalled { at, reason } => Some(format!("recalled on {at}: {reason}")),
    }
}

/// What is signed of a prescription, as both lanes may know it.
fn signed_line(card: &PrescriptionCard) -> Option<String> {
    let signed = card.signed.as_ref().map(|signed| {
        let header = &signed.header;
        format!("version {} signed off by {} on {}", header.number, header.signed_by(), header.at)
    });
    let changed = card.changed_since.then(|| "changed since sign-off".to_owned());
    let parts: Vec<String> = [signed, card.standing.as_ref().and_then(fate), changed].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What a signer wants mended or why they said no.
fn answered(state: &State) -> Vec<String> {
    let anchored = |reason: &Anchored| {
        let item = reason.item.map(|item| format!("{item} ")).unwrap_or_default();
        let field = reason.field.map(|field| format!("{}: ", field.spec().label)).unwrap_or_default();
        format!("to mend: {item}{field}{}", reason.text)
    };
    match state {
        State::Returned { reasons, .. } => reasons.iter().map(anchored).collect(),
        State::Rejected { grounds, .. } => vec![format!("rejected: {grounds}")],
        State::AwaitingPhotos { missing, .. } => {
            vec![format!("{} cited and not yet arrived", count(missing.len(), "photo"))]
        }
        _ => Vec::new(),
    }
}

/// What Housing decided on signed versions.
fn decided(case: &CaseCard, card: &PrescriptionCard) -> Vec<String> {
    let line = |decided: &SurveyDecided| {
        let decision = match decided.decision {
            Practicable::Yes => "reasonable and practicable",
            Practicable::WithChange => "reasonable and practicable with a change",
            Practicable::No => "not reasonable and practicable",
        };
        let reason = if decided.reason.is_empty() { String::new() } else { format!(": {}", decided.reason) };
        let (number, by) = (decided.number, person(case, decided.by));
        format!("version {number} is {decision}{reason} ({by}, {})", decided.at)
    };
    card.decisions.iter().map(line).collect()
}

/// Somebody's name, as the card tells it.
fn person(case: &CaseCard, account: AccountId) -> String {
    let person = case.people.iter().find(|person| person.account == account);
    person.map_or_else(|| account.to_string(), |person| person.name.clone())
}

/// A prescription in some lines; `kept` says how safe the document is, where it is here.
fn prescription(case: &CaseCard, known: &Prescribed, kept: Option<String>) -> Vec<String> {
    let title = known.title();
    let card = case.prescriptions.iter().find(|told| told.document == known.document);
    let signed = card.and_then(signed_line);
    let decided = card.map(|card| decided(case, card)).unwrap_or_default();
    let (mut lines, below) = if case.lane == Lane::Housing {
        let line = format!("  {title}: {}", signed.unwrap_or_else(|| "nothing of it is signed".to_owned()));
        (vec![line], Vec::new())
    } else {
        // What the server was never told of is a draft.
        let state = card.map_or(&State::Draft, |card| &card.state);
        let parts: Vec<String> = [Some(state.name().to_owned()), kept].into_iter().flatten().collect();
        (vec![format!("  {title}: {}", parts.join("; "))], signed.into_iter().chain(answered(state)).collect())
    };
    lines.extend(below.into_iter().chain(decided).map(|line| format!("    {line}")));
    lines
}

/// Where something is, in words.
fn kept(state: &DocumentState) -> String {
    if state.set_aside.is_some() {
        return "can't be read here".to_owned();
    }
    let place = match state.kept {
        None => "empty",
        Some(Kept::OnThisDevice) => "on this device only",
        Some(Kept::ServerHas) => "the server has it",
        Some(Kept::BackedUp) => "backed up",
    };
    let waiting = (state.unsent > 0).then(|| format!("{} waiting", count(state.unsent, "change")));
    let refused = (state.refused > 0).then(|| format!("{} refused", state.refused));
    [Some(place.to_owned()), waiting, refused].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The cases of a device, each with its prescriptions.
pub(super) fn cases(cards: &[(CaseCard, Vec<Prescribed>)]) -> Said {
    let mut lines = Vec::new();
    for (card, prescribed) in cards {
        let reference = card.reference.as_deref().unwrap_or("-");
        let client = match card.client.name.as_str() {
            "" => "closed until this device has heard from its server".to_owned(),
            name => format!("{name}, {}", card.client.address),
        };
        lines.push(format!("{}  {reference}  {client}", card.case));
        for known in prescribed {
            lines.extend(prescription(card, known, None));
        }
    }
    if lines.is_empty() {
        lines.push("no case is on this device; `sync` brings those that are yours".to_owned());
    }
    Said::new(cards.iter().map(|(card, prescribed)| card_json(card, prescribed)).collect(), lines)
}

/// A case with its documents.
pub(super) fn case(card: &CaseCard, documents: &[DocumentSummary], prescribed: &[Prescribed]) -> Said {
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
    for document in documents.iter().filter(|document| document.kind != Kind::Prescription) {
        let mode = if document.writable { "" } else { ", to read" };
        let about = prescribed.iter().find(|known| Some(known.document) == document.about);
        let about = about.map(|about| format!(" about {}", about.name)).unwrap_or_default();
        lines.push(format!("  {}{about}{mode}: {}", document.name, kept(&document.state)));
        let listed = card.documents.iter().find(|listed| listed.document == document.document);
        if let Some(completed) = listed.and_then(|listed| listed.completed.as_ref()) {
            lines.push(format!("    completed on {} by {}", completed.at, person(card, completed.by)));
        }
    }
    if let Some(home) = &card.home {
        lines.push(format!("  home: measurements released on {} (show CASE home)", home.released));
    }
    for known in prescribed {
        let here = documents.iter().find(|document| document.document == known.document);
        lines.extend(prescription(card, known, here.map(|document| kept(&document.state))));
    }
    let mut value = json!({ "card": card_json(card, prescribed), "documents": documents });
    if let Some(prescriptions) = value["card"]["prescriptions"].as_array_mut() {
        for (value, prescription) in prescriptions.iter_mut().zip(&card.prescriptions) {
            value["signed"] = prescription.signed.as_ref().map_or(Value::Null, show::signed_json);
        }
    }
    Said::new(value, lines)
}

/// A card with each prescription's name, what it prescribes and the signed version in short; for Housing without a
/// state, which would say "draft" of everything.
fn card_json(card: &CaseCard, prescribed: &[Prescribed]) -> Value {
    let mut value = json!(card);
    let Some(prescriptions) = value["prescriptions"].as_array_mut() else { return value };
    for (value, told) in prescriptions.iter_mut().zip(&card.prescriptions) {
        let known = prescribed.iter().find(|known| known.document == told.document);
        value["name"] = json!(known.map(|known| &known.name));
        value["prescribes"] = json!(known.map(|known| &known.items));
        value["version"] = told.signed.as_ref().map_or(Value::Null, |signed| {
            let header = &signed.header;
            json!({ "number": header.number, "signer": header.signed_by(), "at": header.at })
        });
        if let (Lane::Housing, Some(fields)) = (card.lane, value.as_object_mut()) {
            fields.remove("state");
        }
    }
    value
}

/// A signed version under the prescription's name.
pub(super) fn signed(name: &str, card: &PrescriptionCard, signed: &SignedVersion, names: &Names<'_>) -> Said {
    let mut said = show::signed(&title(name, &items_of(signed)), signed, card.changed_since, names);
    said.json["changed_since"] = json!(card.changed_since);
    said.json["standing"] = json!(card.standing);
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prescription_is_named_by_what_it_prescribes() {
        use ItemKind::{GrabRail, Stairlift};
        assert_eq!(title("prescription:1", &[]), "prescription:1");
        assert_eq!(title("prescription:1", &[GrabRail]), "prescription:1 (Grab rail)");
        let both = title("prescription:2", &[GrabRail, Stairlift, GrabRail]);
        assert_eq!(both, "prescription:2 (Grab rail ×2, Stairlift)");
    }

    #[test]
    fn a_recall_is_told_with_its_reason_where_the_reason_may_be_known() {
        let at = "2026-11-22T09:30:00Z".parse().unwrap();
        let recalled = |reason: &str| fate(&SignedStanding::Recalled { at, reason: reason.to_owned() }).unwrap();
        assert!(recalled("Measured wrong").ends_with(": Measured wrong"));
        assert!(recalled("").ends_with('Z'), "{}", recalled(""));
        assert_eq!(fate(&SignedStanding::Superseded { by: 2 }).unwrap(), "superseded by version 2");
        assert_eq!(fate(&SignedStanding::Current), None);
    }
}
