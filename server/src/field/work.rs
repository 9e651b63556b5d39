//! Doing what was asked.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sync_core::device::{
    Device, DeviceError, Event, Lease, Link, MeasureInput, NoteInput, PhotoInput, PhotoSource, Replace, SyncReport,
    ToDo,
};
use sync_core::domain::finding::{Finding, What};
use sync_core::domain::record::{About, Body, Cite, Tolerance};
use sync_core::domain::vocabulary::photo::PhotoSubject;
use sync_core::domain::vocabulary::{Field, Of, Section};
use sync_core::id::{AskId, DocumentId, Hash, Key};
use sync_core::protocol::CaseCard;

use super::cli::{FieldVerb, InCase, PhotoName, ReplaceArg, ToleranceArgs};
use super::names::{self, Named};
use super::show::{self, Names};
use super::values::{self, BadValue};
use super::{FieldError, Said, cards, count};

fn key_said(key: Key) -> Said {
    Said::line(json!({ "key": key }), key)
}

fn ask_said(ask: AskId, what: &str) -> Said {
    Said::line(json!({ "ask": ask }), format_args!("{what}: waits to be sent with the next sync"))
}

/// The case and document that were typed.
async fn found(device: &Device, at: &InCase) -> Result<(CaseCard, Named), FieldError> {
    let card = names::case(device, &at.case).await?;
    let document = names::document(device, &card, &at.document).await?;
    Ok((card, document))
}

async fn document(device: &Device, at: &InCase) -> Result<DocumentId, FieldError> {
    Ok(found(device, at).await?.1.document)
}

/// A document whose name has a default beside a case.
async fn in_case(device: &Device, case: &str, name: &str) -> Result<DocumentId, FieldError> {
    let card = names::case(device, case).await?;
    Ok(names::document(device, &card, name).await?.document)
}

pub(super) async fn run(device: &Device, link: &Link, verb: FieldVerb, progress: bool) -> Result<Said, FieldError> {
    match verb {
        FieldVerb::Enrol { text, name } => {
            device.enrol(link, &text, &name).await?;
            let status = device.status().await?;
            let who = status.enrolled.as_ref().map(|who| format!("{} at {}", who.full_name, who.authority));
            Ok(Said::line(json!(status), format_args!("this is now the device of {}", who.unwrap_or_default())))
        }
        FieldVerb::Sync => sync(device, link, progress).await,
        FieldVerb::Status => status(device).await,
        FieldVerb::Refused { dismiss } => refused(device, dismiss).await,
        FieldVerb::Cases => {
            let mut cards = Vec::new();
            for card in device.cases().await? {
                let prescribed = cards::prescribed(device, &card).await?;
                cards.push((card, prescribed));
            }
            Ok(cards::cases(&cards))
        }
        FieldVerb::Visit { name, address, born } => {
            let case = device.start_visit(&name, &address, born.as_deref()).await?;
            let documents = device.documents(case).await?;
            let lines = vec![case.to_string(), "the server opens it with the next sync".to_owned()];
            Ok(Said::new(json!({ "case": case, "documents": documents }), lines))
        }
        FieldVerb::Carry { case, off: true } => {
            device.drop_case(case).await?;
            Ok(Said::line(json!({ "case": case }), "leaves with the next sync"))
        }
        FieldVerb::Carry { case, off: false } => {
            device.carry(case).await?;
            Ok(Said::line(json!({ "case": case }), "comes with the next sync, if you may see it"))
        }
        FieldVerb::Open { case } => {
            let card = names::case(device, &case).await?;
            let documents = device.documents(card.case).await?;
            Ok(cards::case(&card, &documents, &cards::prescribed(device, &card).await?))
        }
        FieldVerb::Show(at) => show_document(device, &at).await,
        FieldVerb::Begin { case, kind } => {
            let card = names::case(device, &case).await?;
            begun(device, &card, device.begin(card.case, kind).await?, Vec::new()).await
        }
        FieldVerb::Prescribe { case, items } => {
            let card = names::case(device, &case).await?;
            let prescription = device.prescribe(card.case).await?;
            let mut keys = Vec::new();
            for item in items {
                keys.push(device.prescribe_item(prescription, item).await?);
            }
            begun(device, &card, prescription, keys).await
        }
        FieldVerb::Survey { case } => {
            let card = names::case(device, &case).await?;
            begun(device, &card, device.survey(card.case).await?, Vec::new()).await
        }
        FieldVerb::Clashes { case } => {
            let card = names::case(device, &case).await?;
            Ok(show::clashes(&device.clashes(card.case).await?))
        }
        FieldVerb::Findings { case } => {
            let card = names::case(device, &case).await?;
            findings(device, &card).await
        }
        FieldVerb::ToDo { case } => {
            let card = names::case(device, &case).await?;
            to_do(device, &card).await
        }
        FieldVerb::PhotoGet { at, photo, file } => {
            let document = document(device, &at).await?;
            let hash = photo_hash(device, document, photo).await?;
            let bytes = device.photo_bytes(Some(link), document, hash).await?;
            let failed = |error| FieldError::File(file.display().to_string(), error);
            tokio::fs::write(&file, &bytes).await.map_err(failed)?;
            let said = json!({ "hash": hash, "bytes": bytes.len(), "file": file });
            Ok(Said::line(said, format_args!("{} bytes written to {}", bytes.len(), file.display())))
        }
        FieldVerb::Photo { .. } => take_photo(device, verb, progress).await,
        FieldVerb::Submit(at) => Ok(ask_said(device.submit(document(device, &at).await?).await?, "submission")),
        FieldVerb::Withdraw(at) => Ok(ask_said(device.withdraw(document(device, &at).await?).await?, "withdrawal")),
        FieldVerb::Release { case, consent, document } => {
            let home = in_case(device, &case, &document).await?;
            Ok(ask_said(device.release(home, &consent).await?, "release"))
        }
        FieldVerb::EndRelease { case, reason, document } => {
            let home = in_case(device, &case, &document).await?;
            Ok(ask_said(device.end_release(home, &reason).await?, "end of the release"))
        }
        FieldVerb::Close { case, reason } => {
            let card = names::case(device, &case).await?;
            Ok(ask_said(device.close_case(card.case, &reason).await?, "closing"))
        }
        FieldVerb::Complete { case, document } => {
            let clinical = in_case(device, &case, &document).await?;
            Ok(ask_said(device.complete_assessment(clinical).await?, "completion"))
        }
        FieldVerb::Decide { case, survey, prescription, decision, reason, number } => {
            let card = names::case(device, &case).await?;
            let survey = names::document(device, &card, &survey).await?;
            let prescription = names::document(device, &card, &prescription).await?.document;
            let ask = device.survey_decision(survey.document, prescription, number, decision, &reason).await?;
            Ok(ask_said(ask, "decision"))
        }
        writing => write(device, writing).await,
    }
}

/// The verbs that write one record.
async fn write(device: &Device, verb: FieldVerb) -> Result<Said, FieldError> {
    let key = match verb {
        FieldVerb::Measure { case, place, measure, value, method, photos, document, replace } => {
            let document = in_case(device, &case, &document).await?;
            let value = values::reading(measure, &value)?;
            let supersedes = match replace {
                ReplaceArg::Mine => Replace::Mine,
                ReplaceArg::All => Replace::All,
                ReplaceArg::None => Replace::None,
            };
            device.measure(document, MeasureInput { place, measure, value, method, photos, supersedes }).await?
        }
        FieldVerb::Set { at, field, value, item, tolerance, cites } => {
            let (card, named) = found(device, &at).await?;
            let mut cited = Vec::new();
            for name in cites {
                cited.push(names::cite(device, &card, &name).await?);
            }
            if item.is_none() && matches!(field.spec().of, Of::Item(_)) {
                return Err(item_missing(device, &named, field).await);
            }
            let value = values::field(field, &value, self::tolerance(&tolerance), cited, device.account()?)?;
            device.set(named.document, item, field, value).await?
        }
        FieldVerb::Item { at, kind } => device.item(document(device, &at).await?, kind).await?,
        FieldVerb::Entry { at, section, text, amends, addendum_to, photos } => {
            let note = NoteInput { amends, addendum_to, photos, ..NoteInput::new(section, text) };
            device.note(document(device, &at).await?, note).await?
        }
        FieldVerb::Remark { at, text, about } => {
            let (card, named) = found(device, &at).await?;
            let about = match about {
                Some(name) => Some(About::Record(names::cite(device, &card, &name).await?)),
                None => None,
            };
            device.note(named.document, NoteInput { about, ..NoteInput::new(Section::Remark, text) }).await?
        }
        FieldVerb::Post { at, text, answers, about, field } => {
            let (card, named) = found(device, &at).await?;
            let cite = match about {
                Some(name) => Some(names::cite(device, &card, &name).await?),
                None => None,
            };
            let about = cite.map(|cite: Cite| match field {
                Some(field) => About::Field { document: cite.document, item: Some(cite.key), field },
                None => About::Record(cite),
            });
            let section = if answers.is_some() { Section::Answer } else { Section::Question };
            let note = NoteInput { addendum_to: answers, about, ..NoteInput::new(section, text) };
            device.note(named.document, note).await?
        }
        FieldVerb::Text { at, text, words, read } => {
            let document = document(device, &at).await?;
            match words {
                Some(words) => {
                    let heads = device.write_text(document, text, words).await?;
                    return Ok(Said::line(json!({ "heads": heads }), format_args!("the {} is written", text.name())));
                }
                None if read => device.text_read(document, text).await?,
                None => return Err(FieldError::Nothing("give the words, or --read")),
            }
        }
        FieldVerb::Strike { at, key, reason } => device.strike(document(device, &at).await?, key, reason).await?,
        FieldVerb::Join { case, place, same_as, reason, document } => {
            device.join(in_case(device, &case, &document).await?, place, same_as, reason).await?
        }
        FieldVerb::Settle { case, key, reason, over, document } => {
            let card = names::case(device, &case).await?;
            let document = match document {
                Some(name) => names::document(device, &card, &name).await?.document,
                None => clashing(device, &card, key).await?,
            };
            device.settle(document, over, key, reason).await?
        }
        // The others do not write one record; `run` has taken them.
        _ => return Err(FieldError::Nothing("there is nothing to write")),
    };
    Ok(key_said(key))
}

const fn tolerance(args: &ToleranceArgs) -> Option<Tolerance> {
    match args {
        ToleranceArgs { exact: true, .. } => Some(Tolerance::Exact),
        ToleranceArgs { min: true, .. } => Some(Tolerance::Min),
        ToleranceArgs { max: true, .. } => Some(Tolerance::Max),
        ToleranceArgs { within: Some(within), .. } => Some(Tolerance::Within(*within)),
        _ => None,
    }
}

/// Why a field of an item can't be set without saying of which, with the items there are.
async fn item_missing(device: &Device, named: &Named, field: Field) -> FieldError {
    let view = match device.open_document(named.document).await {
        Ok(view) => view,
        Err(error) => return error.into(),
    };
    let fits = |kind| field.spec().applies_to(named.kind, Some(kind));
    let items = view.items().filter(|(_, item)| fits(item.kind));
    let items: Vec<String> = items.map(|(key, item)| format!("{key} is the {}", item.kind.label())).collect();
    let known = match items.is_empty() {
        true => format!("{} has none it can be said of yet (see `item`, `prescribe`)", named.name),
        false => items.join(", "),
    };
    BadValue::ItemMissing { field: field.name(), known }.into()
}

/// The document in which this record clashes.
async fn clashing(device: &Device, card: &CaseCard, key: Key) -> Result<DocumentId, FieldError> {
    let reports = device.clashes(card.case).await?;
    let report = reports.iter().find(|report| report.values.iter().any(|value| value.key == key));
    let report = report.ok_or(DeviceError::NoSuchRecord { what: "clash of", key })?;
    Ok(report.document)
}

/// A document that was begun, by the name it has from now on.
async fn begun(device: &Device, card: &CaseCard, id: DocumentId, keys: Vec<Key>) -> Result<Said, FieldError> {
    let named = names::document(device, card, &id.to_string()).await?;
    let mut lines = vec![named.name.clone()];
    lines.extend(keys.iter().map(ToString::to_string));
    Ok(Said::new(json!({ "document": id, "name": named.name, "items": keys }), lines))
}

async fn findings(device: &Device, card: &CaseCard) -> Result<Said, FieldError> {
    let findings = device.findings(card.case).await?;
    let documents = names::documents(device, card).await?;
    let line = |finding: &Finding| {
        let name = documents.iter().find(|named| named.document == finding.document);
        let name = name.map_or_else(|| finding.document.to_string(), |named| named.name.clone());
        let item = finding.item.map(|item| format!(" {item}")).unwrap_or_default();
        let blocks = if finding.blocks() { "  (stands in the way)" } else { "" };
        // By its name a missing field can be set.
        let field = match &finding.what {
            What::Missing { field } => format!(" [{field}]"),
            _ => String::new(),
        };
        format!("{name}{item}: {finding}{field}{blocks}")
    };
    let mut lines: Vec<String> = findings.iter().map(line).collect();
    if lines.is_empty() {
        lines.push("nothing is missing or doubtful".to_owned());
    }
    Ok(Said::new(show::findings(&findings), lines))
}

async fn to_do(device: &Device, card: &CaseCard) -> Result<Said, FieldError> {
    let to_do = device.to_do(card.case).await?;
    let documents = names::documents(device, card).await?;
    let line = |one: &ToDo| {
        let name = documents.iter().find(|named| named.document == one.document);
        let name = name.map_or_else(|| one.document.to_string(), |named| named.name.clone());
        let item = one.item.map(|item| format!(" {item}")).unwrap_or_default();
        let field = one.field.map(|field| format!(" [{field}]")).unwrap_or_default();
        let done = if one.answered { "changed since" } else { "to do" };
        format!("{done}  {name}{item}{field}: {}", one.text)
    };
    let mut lines: Vec<String> = to_do.iter().map(line).collect();
    if lines.is_empty() {
        lines.push("nothing was returned".to_owned());
    }
    Ok(Said::new(json!(to_do), lines))
}

async fn show_document(device: &Device, at: &InCase) -> Result<Said, FieldError> {
    let (card, named) = found(device, at).await?;
    let me = device.account()?;
    let names = Names { card: &card, me: (me, device.person(card.case, me).await?) };
    if named.whole {
        let view = device.open_document(named.document).await?;
        return Ok(show::document(&named.name, &view, &names));
    }
    if let Some(home) = card.home.as_ref().filter(|home| home.document == named.document) {
        return Ok(show::projection(home, &names));
    }
    let prescription = card.prescriptions.iter().find(|known| known.document == named.document);
    if let Some((known, signed)) = prescription.and_then(|known| Some((known, known.signed.as_ref()?))) {
        return Ok(cards::signed(&named.name, known, signed, &names));
    }
    match prescription.and_then(|known| cards::fate(known.standing.as_ref()?)) {
        Some(fate) => Err(FieldError::Withdrawn { name: named.name, fate }),
        None => Err(FieldError::Nothing("no signed version of this prescription is here")),
    }
}

async fn photo_hash(device: &Device, document: DocumentId, photo: PhotoName) -> Result<Hash, FieldError> {
    match photo {
        PhotoName::Hash(hash) => Ok(hash),
        PhotoName::Key(key) => {
            let view = device.open_document(document).await?;
            match view.records.get(&key).map(|record| &record.body) {
                Some(Body::Photo(photo)) => Ok(photo.hash),
                _ => Err(DeviceError::NoSuchRecord { what: "photo", key }.into()),
            }
        }
    }
}

async fn take_photo(device: &Device, verb: FieldVerb, progress: bool) -> Result<Said, FieldError> {
    let FieldVerb::Photo { at, file, subject, place, caption, consent, shows_person, share, angle, scale } = verb
    else {
        return Err(FieldError::Nothing("there is no photo"));
    };
    let document = document(device, &at).await?;
    let shows_person = shows_person || subject == PhotoSubject::Person;
    let input = PhotoInput { place, subject, caption, consent, shows_person, share, angle, scale };
    let spinner = progress.then(|| {
        let spinner = ProgressBar::new_spinner().with_message(format!("preparing {}", file.display()));
        spinner.enable_steady_tick(std::time::Duration::from_millis(100));
        spinner
    });
    let taken = device.photo(document, PhotoSource::Path(file), input).await;
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    let (key, hash) = taken?;
    Ok(Said::line(json!({ "key": key, "hash": hash }), format_args!("{key}  {hash}")))
}

async fn status(device: &Device) -> Result<Said, FieldError> {
    let status = device.status().await?;
    let notices = device.notices().await?;
    let asked = device.asked().await?;
    let receipts: Vec<_> = device.receipts().await?.into_iter().map(|signed| signed.receipts).collect();
    let mut named: Vec<(DocumentId, String)> = Vec::new();
    for card in device.cases().await? {
        let case = card.reference.clone().unwrap_or_else(|| card.client.name.clone());
        let documents = match names::documents(device, &card).await {
            // Of a closed case nothing is told, its documents' names neither.
            Err(FieldError::Device(DeviceError::LeaseOver)) => continue,
            documents => documents?,
        };
        named.extend(documents.into_iter().map(|known| (known.document, format!("{} in {case}", known.name))));
    }
    let name = |document: DocumentId| {
        let known = named.iter().find(|(known, _)| *known == document);
        known.map_or_else(|| format!("document {document}"), |(_, name)| name.clone())
    };
    let mut lines = Vec::new();
    match &status.enrolled {
        Some(who) => {
            lines.push(format!(
                "{} ({}), {}, device {} {:?}",
                who.full_name, who.role, who.authority, who.number, who.name
            ));
            lines.push(format!("server {}", who.url));
        }
        None => lines.push("not enrolled".to_owned()),
    }
    let contact = status.contact.map_or_else(|| "never".to_owned(), |at| at.to_string());
    lines.push(format!("last contact: {contact}"));
    lines.extend(match status.lease {
        Lease::Open => None,
        Lease::Warning { hours_left } => {
            Some(format!("offline for long: without contact its cases close in {}", count(hours_left, "hour")))
        }
        Lease::Closed => Some("offline for too long: cases open again after the next sync".to_owned()),
    });
    if status.stopped {
        lines.push("stopped, because a copy of this device has spoken: enrol it again with a new code".to_owned());
    }
    let waiting = status.waiting;
    lines.push(format!(
        "waiting: {} ({} refused), {}, {}; {} here",
        count(waiting.changes, "change"),
        waiting.refused,
        count(waiting.asks, "ask"),
        count(waiting.photos, "photo"),
        count(status.cases, "case")
    ));
    lines.push(format!("receipts: {} of what was handed in", count(receipts.len(), "signed list")));
    for asked in &asked {
        let answer = match &asked.verdict {
            None => "no answer yet".to_owned(),
            Some(verdict) => match &verdict.answer {
                sync_core::protocol::ask::Answer::Granted => "granted".to_owned(),
                sync_core::protocol::ask::Answer::Refused(why) => format!("refused: {why}"),
            },
        };
        let of = asked.ask.request.document().map(|document| format!(" of {}", name(document))).unwrap_or_default();
        lines.push(format!("asked {}{of}: {answer}", asked.ask.request.name()));
    }
    lines.extend(notices.iter().map(|(at, notice)| format!("{}  {}", at.claimed, show::notice(notice, name))));
    let list: Vec<_> = notices.iter().map(|(at, notice)| json!({ "at": at, "notice": notice })).collect();
    Ok(Said::new(json!({ "status": status, "asked": asked, "notices": list, "receipts": receipts }), lines))
}

/// What was refused, or that one of it was seen.
async fn refused(device: &Device, dismiss: Option<Hash>) -> Result<Said, FieldError> {
    if let Some(change) = dismiss {
        if !device.dismiss_refused(change).await? {
            return Err(FieldError::Nothing("nothing refused goes by this name; `refused` lists what there is"));
        }
        return Ok(Said::line(json!({ "dismissed": change }), "forgotten"));
    }
    let refused = device.refused_work().await?;
    let mut lines = Vec::new();
    for work in &refused {
        lines.push(format!("{}  {}  document {}: {}", work.change, work.at.claimed, work.document, work.reason));
        lines.extend(work.edits.iter().map(|edit| format!("  {}", json!(edit))));
    }
    if lines.is_empty() {
        lines.push("nothing was refused".to_owned());
    }
    Ok(Said::new(json!(refused), lines))
}

async fn sync(device: &Device, link: &Link, progress: bool) -> Result<Said, FieldError> {
    let report = if progress { sync_shown(device, link).await? } else { device.sync(link).await? };
    let (trips, news) = (count(report.round_trips, "round trip"), count(report.news, "document"));
    let mut lines = vec![format!(
        "{} handed in, {} came in {news}; {} B up, {} B down in {trips}",
        count(report.receipted, "change"),
        report.changes,
        report.bytes_up,
        report.bytes_down
    )];
    if report.granted + report.denied > 0 {
        lines.push(format!("{} granted, {} refused (see status)", count(report.granted, "ask"), report.denied));
    }
    if !report.refused.is_empty() {
        lines.push(format!("{} refused (see status)", count(report.refused.len(), "document")));
    }
    if report.photos_sent + report.photos_waiting > 0 {
        lines.push(format!("{} sent, {} waiting", count(report.photos_sent, "photo"), report.photos_waiting));
    }
    lines.extend(report.photo_trouble.iter().map(|trouble| format!("photos: {trouble}")));
    lines.extend(report.purged.iter().map(|case| format!("case {case} was removed from this device")));
    let removed = |document| format!("document {document} was removed from this device; its case stays");
    lines.extend(report.purged_documents.iter().map(removed));
    Ok(Said::new(json!(report), lines))
}

/// A sync with a bar that moves with each photo.
async fn sync_shown(device: &Device, link: &Link) -> Result<SyncReport, FieldError> {
    let photos = u64::try_from(device.status().await?.waiting.photos).unwrap_or(u64::MAX);
    let (bar, template) = match photos {
        0 => (ProgressBar::new_spinner().with_message("syncing"), "{spinner} {msg}"),
        _ => (ProgressBar::new(photos).with_message("photos"), "{spinner} {msg} {bar:30} {pos}/{len}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    let mut events = device.watch();
    let told = async {
        // It ends with the sync below; one that was missed moves the bar no less at the end.
        loop {
            match events.recv().await {
                Ok(Event::Photo { .. }) => bar.inc(1),
                Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    };
    let report = tokio::select! {
        report = device.sync(link) => report,
        () = told => return Err(FieldError::Nothing("the device stopped telling")),
    };
    bar.finish_and_clear();
    Ok(report?)
}
