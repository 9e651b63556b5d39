//! What people do on their devices: every kind of edit and of ask, by the facade's public methods.

use sync_core::device::{Device, DeviceError, DimensionInput, DocumentSummary, MeasureInput, NoteInput, Replace};
use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::{Body, Cite, Photo, SharedText, Tolerance, Value};
use sync_core::domain::view::View;
use sync_core::domain::vocabulary::photo::PhotoSubject;
use sync_core::domain::vocabulary::{Field, ItemKind, Measure, Method, Place, Section};
use sync_core::id::{CaseId, DocumentId, Hash, Key};
use sync_core::protocol::ask::Practicable;

use crate::dice::Dice;
use crate::tablet::Glance;

/// What was done, in words, and whether the device did it.
pub(crate) type Done = (String, Result<(), DeviceError>);

const PLACES: [&str; 3] = ["bathroom-1/door-1", "bathroom-2/door-1", "hall-1/door-1"];
const WIDTHS: [i32; 6] = [700, 702, 712, 730, 731, 760];
const WORDS: [&str; 6] = ["Narrow hall.", "Steep stairs.", "Uses a frame.", "Tires quickly.", "Rails fitted.", "é–ß"];

fn door() -> Measure {
    Measure::named("door-clear-width").unwrap()
}

fn field(name: &str) -> Field {
    Field::named(name).unwrap()
}

fn place(dice: &mut Dice) -> Place {
    dice.pick(&PLACES).unwrap().parse().unwrap()
}

fn words(dice: &mut Dice) -> String {
    dice.pick(&WORDS).unwrap().to_owned()
}

async fn measure(device: &Device, document: DocumentId, dice: &mut Dice) -> Result<String, DeviceError> {
    let method = dice.pick(&[Method::Tape, Method::Tape, Method::Laser, Method::Estimate]).unwrap();
    let supersedes = dice.pick(&[Replace::Mine, Replace::Mine, Replace::All, Replace::None]).unwrap();
    let value = dice.pick(&WIDTHS).unwrap();
    let input = MeasureInput { place: place(dice), measure: door(), value, method, photos: vec![], supersedes };
    let said = format!("measures {} {value}", input.place);
    Ok(format!("{said} as {}", device.measure(document, input).await?))
}

async fn note(device: &Device, document: DocumentId, kind: Kind, dice: &mut Dice) -> Result<String, DeviceError> {
    let sections: Vec<Section> = Section::ALL.iter().copied().filter(|section| section.is_in(kind)).collect();
    let section = dice.pick(&sections).unwrap();
    Ok(format!("notes {}", device.note(document, NoteInput::new(section, words(dice))).await?))
}

async fn text(
    device: &Device,
    document: DocumentId,
    (view, text): (&View, SharedText),
    dice: &mut Dice,
) -> Result<String, DeviceError> {
    let mut now: Vec<String> =
        view.texts.get(&text).map(|text| text.split(' ').map(str::to_owned).collect()).unwrap_or_default();
    if now.len() > 3 && dice.one_in(3) {
        now.remove(dice.below(now.len()));
    } else {
        // Of its own, so that it is known again.
        let words = format!("{}{}", words(dice), dice.below(10_000));
        now.insert(dice.below(now.len() + 1), words);
    }
    device.write_text(document, text, now.join(" ")).await?;
    Ok("writes".to_owned())
}

async fn photo(device: &Device, document: DocumentId, dice: &mut Dice) -> Result<String, DeviceError> {
    // Its record only: the bytes have their own way, which faults and stories walk.
    let photo = Photo {
        hash: Hash::of(&dice.number().to_be_bytes()),
        bytes: 1000,
        width: 40,
        height: 30,
        place: None,
        shows_person: false,
        consent: true,
        share: vec![],
        subject: PhotoSubject::Room,
        angle: None,
        scale: None,
    };
    let (_, keys) = device.edit(document, vec![Edit::Add(Body::Photo(photo))]).await?;
    Ok(format!("records photo {}", keys[0]))
}

async fn strike(device: &Device, document: DocumentId, view: &View, dice: &mut Dice) -> Result<String, DeviceError> {
    let keys: Vec<Key> = view.records.keys().copied().collect();
    let Some(key) = dice.pick(&keys) else { return Ok("finds nothing to strike".to_owned()) };
    device.strike(document, key, "a slip".to_owned()).await?;
    Ok(format!("strikes {key}"))
}

async fn settle(device: &Device, document: DocumentId, view: &View, dice: &mut Dice) -> Result<String, DeviceError> {
    let Some(clash) = dice.pick(&view.clashes()) else { return Ok("finds no clash".to_owned()) };
    let chosen = dice.pick(clash.keys()).unwrap();
    device.settle(document, vec![], chosen, "looked again".to_owned()).await?;
    Ok(format!("settles for {chosen}"))
}

/// A reading that stands in a home or survey on the device, to cite.
async fn reading(glance: &Glance, case: CaseId, dice: &mut Dice) -> Option<Cite> {
    let mut found = Vec::new();
    for (of, summary) in glance.documents().await {
        if of != case || !matches!(summary.kind, Kind::Home | Kind::Survey) {
            continue;
        }
        let Ok(view) = glance.view(summary.document).await else { continue };
        let current = view.records.keys().filter(|key| view.reading(**key).is_some() && view.is_current(**key));
        found.extend(current.map(|key| Cite { document: summary.document, key: *key }));
    }
    dice.pick(&found)
}

/// Everything that a prescription needs, in its own changes.
pub(crate) async fn prescribe(device: &Device, glance: &Glance, case: CaseId, dice: &mut Dice) -> Done {
    let cites = reading(glance, case, dice).await;
    let done = async {
        let prescription = device.prescribe(case).await?;
        let item = device.prescribe_item(prescription, ItemKind::Stairlift).await?;
        device.set(prescription, Some(item), field("item.required-load"), Value::Number(150)).await?;
        device.set(prescription, None, field("prescription.route"), Value::Choice("dfg".to_owned())).await?;
        dimension(device, (prescription, item), cites, dice).await?;
        Ok(format!("prescribes {prescription}"))
    };
    told("prescribes", done.await)
}

async fn dimension(
    device: &Device,
    (prescription, item): (DocumentId, Key),
    cites: Option<Cite>,
    dice: &mut Dice,
) -> Result<(), DeviceError> {
    let input = DimensionInput {
        item,
        field: field("stairlift.clear-width-remaining"),
        mm: 400 + i32::try_from(dice.below(9)).unwrap() * 10,
        tolerance: Tolerance::Min,
        cites: cites.into_iter().collect(),
    };
    device.dimension(prescription, input).await.map(drop)
}

fn told(what: &str, done: Result<String, DeviceError>) -> Done {
    match done {
        Ok(said) => (said, Ok(())),
        Err(error) => (what.to_owned(), Err(error)),
    }
}

/// One edit in a document, as a person who has it open may make.
pub(crate) async fn edit(
    device: &Device,
    glance: &Glance,
    (case, summary): (CaseId, &DocumentSummary),
    dice: &mut Dice,
) -> Done {
    let (document, kind) = (summary.document, summary.kind);
    let view = match glance.view(document).await {
        Ok(view) => view,
        Err(error) => return ("looks".to_owned(), Err(error)),
    };
    let done = match (kind, dice.below(12)) {
        (_, 0) => strike(device, document, &view, dice).await,
        (Kind::Home | Kind::Survey, 1..=5) => measure(device, document, dice).await,
        (Kind::Home | Kind::Survey | Kind::Clinical, 6 | 7) if !view.clashes().is_empty() => {
            settle(device, document, &view, dice).await
        }
        (Kind::Home, 6 | 7) => text(device, document, (&view, SharedText::Summary), dice).await,
        (Kind::Home, 8) => {
            let (one, other) = (place(dice), place(dice));
            let joined = device.join(document, one, other, "one room".to_owned()).await;
            joined.map(|_| format!("joins {one} to {other}"))
        }
        (Kind::Home, 9) => {
            let photos: Vec<Key> = view.photos().map(|(key, _)| key).collect();
            match dice.pick(&photos) {
                Some(photo) => device.caption(document, photo, words(dice)).await.map(|_| format!("captions {photo}")),
                None => photo(device, document, dice).await,
            }
        }
        (Kind::Clinical, 1..=4) => {
            let weight = Value::Number(60 + 10 * i64::try_from(dice.below(9)).unwrap());
            device.set(document, None, field("person.weight"), weight).await.map(|key| format!("weighs as {key}"))
        }
        (Kind::Prescription, 1..=3) => {
            let items: Vec<Key> = view.items().map(|(key, _)| key).collect();
            match dice.pick(&items) {
                Some(item) => {
                    let cites = reading(glance, case, dice).await;
                    let done = dimension(device, (document, item), cites, dice).await;
                    done.map(|()| format!("dimensions {item}"))
                }
                None => device.prescribe_item(document, ItemKind::Stairlift).await.map(|key| format!("adds {key}")),
            }
        }
        (Kind::Prescription, 4..=6) => text(device, document, (&view, SharedText::Reasoning), dice).await,
        (Kind::Prescription, 7) => {
            let read = device.text_read(document, SharedText::Reasoning).await;
            read.map(|key| format!("reads the reasoning as {key}"))
        }
        _ => note(device, document, kind, dice).await,
    };
    told("edits", done)
}

/// One ask about a document.
pub(crate) async fn ask(device: &Device, (case, summary): (CaseId, &DocumentSummary), dice: &mut Dice) -> Done {
    let document = summary.document;
    let (said, asked) = match summary.kind {
        Kind::Home if dice.one_in(4) => {
            ("takes back the release of", device.end_release(document, "the client changed their mind").await.map(drop))
        }
        Kind::Clinical if dice.one_in(8) => {
            ("closes the case of", device.close_case(case, "all is done").await.map(drop))
        }
        Kind::Home => ("releases", device.release(document, "agreed on the telephone").await.map(drop)),
        Kind::Clinical => ("completes", device.complete_assessment(document).await.map(drop)),
        Kind::Prescription if dice.one_in(5) => ("withdraws", device.withdraw(document).await.map(drop)),
        Kind::Prescription => ("submits", device.submit(document).await.map(drop)),
        Kind::Survey => {
            let card = device.card(case).await;
            let known: Vec<DocumentId> =
                card.map(|card| card.prescriptions.iter().map(|known| known.document).collect()).unwrap_or_default();
            match dice.pick(&known) {
                Some(prescription) => {
                    let yes = Practicable::Yes;
                    let decided = device.survey_decision(document, prescription, None, yes, "").await;
                    ("decides", decided.map(drop))
                }
                None => ("has nothing to decide on", Ok(())),
            }
        }
        _ => ("asks nothing", Ok(())),
    };
    (said.to_owned(), asked)
}
