//! What the bytes of a cold caseload are made of, and what the levels of zstd make of it: one stream, a frame for each
//! case, a frame for each document.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use sync_core::domain::document::Document;
use sync_core::domain::view::View;
use sync_core::id::{CaseId, DocumentId};
use sync_core::protocol::{CaseCard, Known, Packed};

use crate::arguments::Arguments;
use crate::server::{self, Serving};
use crate::tablet;
use crate::thin::Thin;

/// A case as a new device gets it: its card, and its documents packed.
struct Whole {
    card: CaseCard,
    documents: Vec<(DocumentId, Document, Vec<u8>)>,
}

/// Takes the caseload of a seeded state as a new device does.
async fn caseload(arguments: &Arguments) -> (Vec<Whole>, usize) {
    let folder = arguments.path("state");
    let copy = folder.join("frames");
    server::copy(&folder.join("srv.base"), &copy);
    let host = "127.0.0.1:19790";
    let serving = Serving::start(&copy, host).await;
    let mut thin = Thin::enrol(&copy, host, tablet::WHO).await;
    let before = thin.wire.down;
    let got = thin.sync(Vec::new()).await;
    let down = thin.wire.down - before;
    drop(serving);
    std::fs::remove_dir_all(copy).unwrap();
    let mut by_case: BTreeMap<CaseId, Vec<_>> = BTreeMap::new();
    for (id, case, kind, changes) in got.news {
        let mut document = Document::new(kind).unwrap();
        document.apply(&changes).unwrap();
        let packed = Packed::pack(&changes, &Known::news(kind)).as_bytes().to_vec();
        by_case.entry(case).or_default().push((id, document, packed));
    }
    let whole =
        got.cards.into_iter().map(|card| Whole { documents: by_case.remove(&card.case).unwrap_or_default(), card });
    (whole.collect(), down)
}

fn packed(pieces: &[Vec<u8>], level: i32) -> (usize, f64) {
    let began = Instant::now();
    let bytes = pieces.iter().map(|piece| zstd::bulk::compress(piece, level).unwrap().len()).sum();
    (bytes, began.elapsed().as_secs_f64() * 1000.0)
}

fn inflated(pieces: &[Vec<u8>], level: i32) -> f64 {
    let frames: Vec<Vec<u8>> = pieces.iter().map(|piece| zstd::bulk::compress(piece, level).unwrap()).collect();
    let began = Instant::now();
    for (frame, piece) in frames.iter().zip(pieces) {
        assert_eq!(zstd::bulk::decompress(frame, piece.len()).unwrap().len(), piece.len());
    }
    began.elapsed().as_secs_f64() * 1000.0
}

/// The tables, as Markdown.
pub(crate) async fn tables(arguments: &Arguments) -> String {
    let (cases, down) = caseload(arguments).await;
    let mut said = format!("A new device was sent {down} bytes.\n\n{}", made_of(&cases));
    let singly: Vec<Vec<u8>> =
        cases.iter().flat_map(|case| case.documents.iter().map(|(.., packed)| packed.clone())).collect();
    let of_cases: Vec<Vec<u8>> =
        cases.iter().map(|case| case.documents.iter().flat_map(|(.., packed)| packed.clone()).collect()).collect();
    let stream = vec![singly.concat()];
    let _ = writeln!(
        said,
        "\n{} documents packed: {} bytes. Bytes and milliseconds to pack (to inflate one stream: {:.0} ms):\n\n\
         | level | one stream | a frame a case | a frame a document |\n|---|---|---|---|",
        singly.len(),
        stream[0].len(),
        inflated(&stream, 9)
    );
    for level in [3, 6, 7, 9, 10, 11, 12, 15, 19] {
        let cells = [&stream, &of_cases, &singly].map(|pieces| {
            let (bytes, took) = packed(pieces, level);
            format!("{bytes} in {took:.0} ms")
        });
        let _ = writeln!(said, "| {level} | {} |", cells.join(" | "));
    }
    said
}

/// What the caseload is made of: each part by itself, in one zstd stream. The parts don't add up to the whole, which
/// finds in one what it has seen in another.
fn made_of(cases: &[Whole]) -> String {
    let views: Vec<View> =
        cases.iter().flat_map(|case| case.documents.iter().map(|(_, document, _)| document.view())).collect();
    let records = || views.iter().flat_map(|view| &view.records);
    let concat = |parts: &mut dyn Iterator<Item = Vec<u8>>| parts.flatten().collect::<Vec<u8>>();
    let cards = concat(&mut cases.iter().map(|case| minicbor::to_vec(&case.card).unwrap()));
    let bodies = concat(&mut records().map(|(_, record)| minicbor::to_vec(&record.body).unwrap()));
    let whole_records = concat(&mut records().map(|(_, record)| record.to_bytes()));
    let stamps = concat(&mut records().map(|(_, record)| minicbor::to_vec((record.by, record.at)).unwrap()));
    let keys = concat(&mut records().map(|(key, _)| key.to_string().into_bytes()));
    let texts = concat(&mut views.iter().flat_map(|view| view.texts.values().map(|text| text.clone().into_bytes())));
    let heads = concat(&mut views.iter().flat_map(|view| view.heads.iter().map(|head| head.as_bytes().to_vec())));
    let ids = concat(&mut cases.iter().flat_map(|case| case.documents.iter().map(|(id, ..)| id.as_bytes().to_vec())));
    let saved = concat(&mut cases.iter().flat_map(|case| case.documents.iter().map(|(_, of, _)| of.save_plain())));
    let packed = concat(&mut cases.iter().flat_map(|case| case.documents.iter().map(|(.., packed)| packed.clone())));
    let changes = concat(&mut cases.iter().flat_map(|case| {
        case.documents
            .iter()
            .map(|(_, document, _)| document.changes_since(&[document.kind().skeleton_hash()]).concat())
    }));
    let parts: [(&str, &[u8]); 11] = [
        ("case cards", &cards),
        ("changes as they were made", &changes),
        ("documents as Automerge saves them", &saved),
        ("documents packed, as they travel", &packed),
        ("of these: records whole", &whole_records),
        ("records without who and when", &bodies),
        ("who and when of every record", &stamps),
        ("keys of records", &keys),
        ("shared texts", &texts),
        ("heads", &heads),
        ("ids of documents", &ids),
    ];
    let mut said =
        format!("{} records.\n\n| part | bytes | zstd 9 | zstd 19 |\n|---|---|---|---|\n", records().count());
    for (name, bytes) in parts {
        let packed = |level| zstd::bulk::compress(bytes, level).unwrap().len();
        let _ = writeln!(said, "| {name} | {} | {} | {} |", bytes.len(), packed(9), packed(19));
    }
    said
}
