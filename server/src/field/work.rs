//! Doing what was asked.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sync_core::device::{
    Device, DeviceError, Event, Link, MeasureInput, NoteInput, PhotoInput, PhotoSource, Replace, SyncReport,
};
use sync_core::domain::finding::Finding;
use sync_core::domain::record::{About, Body, Cite, Tolerance};
use sync_core::domain::vocabulary::Section;
use sync_core::domain::vocabulary::photo::PhotoSubject;
use sync_core::id::{AskId, DocumentId, Hash, Key};
use sync_core::protocol::CaseCard;

use super::cli::{FieldVerb, InCase, PhotoName, ReplaceArg, ToleranceArgs};
use super::names::{self, Named};
use super::show::{self, Names};
use super::{FieldError, Said, values};

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
        FieldVerb::Cases => {
            let cards = device.cases().await?;
            let line = |card: &CaseCard| {
                let reference = card.reference.as_deref().unwrap_or("-");
                format!("{}  {reference}  {}, {}", card.case, card.client.name, card.client.address)
            };
            Ok(Said::new(json!(cards), cards.iter().map(line).collect()))
        }
        FieldVerb::Visit { name, address, born } => {
            let case = device.start_visit(&name, &address, born.as_deref()).await?;
            let documents = device.documents(case).await?;
            Ok(Said::line(json!({ "case": case, "documents": documents }), case))
        }
        FieldVerb::Carry { case } => {
            device.carry(case).await?;
            Ok(Said::line(json!({ "case": case }), "comes with the next sync"))
        }
        FieldVerb::Open { case } => {
            let card = names::case(device, &case).await?;
            let documents = device.documents(card.case).await?;
            Ok(show::case(&card, &documents))
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
        FieldVerb::Complete { case, document } => {
            let clinical = in_case(device, &case, &document).await?;
            Ok(ask_said(device.complete_assessment(clinical).await?, "completion"))
        }
        FieldVerb::Decide { at, prescription, decision, reason, number } => {
            let (card, survey) = found(device, &at).await?;
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
        format!("{name}{item}: {finding}{blocks}")
    };
    let mut lines: Vec<String> = findings.iter().map(line).collect();
    if lines.is_empty() {
        lines.push("nothing is missing or doubtful".to_owned());
    }
    Ok(Said::new(show::findings(&findings), lines))
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
    let signed = prescription.and_then(|known| Some((known, known.signed.as_ref()?)));
    let (known, signed) = signed.ok_or(FieldError::Nothing("no signed version of this prescription is here"))?;
    let changed = known.changed_since.then(|| "what it was made of has changed since it was signed".to_owned());
    let mut said = show::signed(signed, changed);
    said.json["changed_since"] = json!(known.changed_since);
    said.json["standing"] = json!(known.standing);
    Ok(said)
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
    let waiting = status.waiting;
    lines.push(format!(
        "waiting: {} changes ({} refused), {} asks, {} photos; {} cases",
        waiting.changes, waiting.refused, waiting.asks, waiting.photos, status.cases
    ));
    lines.push(format!("receipts: {} times the server took what was handed in", receipts.len()));
    for asked in &asked {
        let answer = match &asked.verdict {
            None => "no answer yet".to_owned(),
            Some(verdict) => match &verdict.answer {
                sync_core::protocol::ask::Answer::Granted => "granted".to_owned(),
                sync_core::protocol::ask::Answer::Refused(why) => format!("refused: {why}"),
            },
        };
        lines.push(format!("asked {}: {answer}", asked.ask.request.name()));
    }
    let list: Vec<_> = notices.iter().map(|(at, notice)| json!({ "at": at, "notice": notice })).collect();
    Ok(Said::new(json!({ "status": status, "asked": asked, "notices": list, "receipts": receipts }), lines))
}

async fn sync(device: &Device, link: &Link, progress: bool) -> Result<Said, FieldError> {
    let report = if progress { sync_shown(device, link).await? } else { device.sync(link).await? };
    let mut lines = vec![format!(
        "{} changes handed in, {} came in {} documents; {} B up, {} B down in {} round trips",
        report.receipted, report.changes, report.news, report.bytes_up, report.bytes_down, report.round_trips
    )];
    if report.granted + report.denied > 0 {
        lines.push(format!("{} asks granted, {} refused (see status)", report.granted, report.denied));
    }
    if !report.refused.is_empty() {
        lines.push(format!("{} documents refused (see status)", report.refused.len()));
    }
    if report.photos_sent + report.photos_waiting > 0 {
        lines.push(format!("{} photos sent, {} wait", report.photos_sent, report.photos_waiting));
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
    let bar = ProgressBar::new(photos).with_message("photos");
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {bar:30} {pos}/{len}") {
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
