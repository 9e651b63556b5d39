//! The golden bytes of the device's own rows: a store that has lain in a drawer for a year opens with this.

use super::*;
use crate::clock::Timestamp;
use crate::domain::record::SharedText;
use crate::domain::testing::{document, stamp};
use crate::golden::{ask_refusals, asks, golden, hash, records, refusals, signed_receipts};
use crate::guard::Refusal;
use crate::id::QuarantineId;
use crate::protocol::CarriedDigest;
use crate::protocol::ask::Answer;
use crate::protocol::ask::AskRefusal;
use crate::protocol::sync::PurgeReason;

const FILE: &str = "device-rows-1.txt";

/// A value's name, its bytes, and what bytes of its type read as, written again.
struct Row {
    name: String,
    bytes: Vec<u8>,
    again: fn(&[u8]) -> Vec<u8>,
}

fn row<T: Encode<()> + for<'b> Decode<'b, ()>>(name: impl Into<String>, value: &T) -> Row {
    let again = |bytes: &[u8]| to_bytes(&from_bytes::<T>(bytes).unwrap());
    Row { name: name.into(), bytes: to_bytes(value), again }
}

fn single<T: Single>(value: &T) -> Row {
    row(format!("single-{}", T::KEY.escape_ascii()), value)
}

/// Bytes that are no CBOR: the names of groups, the keys of rows.
fn name(name: &str, bytes: impl Into<Vec<u8>>) -> Row {
    Row { name: name.to_owned(), bytes: bytes.into(), again: <[u8]>::to_vec }
}

fn at(counter: u32) -> Key {
    Key { device: 7, counter }
}

fn case() -> CaseId {
    CaseId::from_bytes([9; 16])
}

fn time() -> Timestamp {
    stamp().claimed
}

fn enrolment() -> Enrolment {
    Enrolment {
        url: "https://grabrail.example".to_owned(),
        server: ServerId::from_bytes([1; 16]),
        reply_key_id: KeyId::from_bytes([2; 16]),
        reply_key: PublicKey([3; 32]),
        device: DeviceId::from_bytes([4; 16]),
        number: 7,
        account: AccountId::from_bytes([5; 16]),
        full_name: "Olu Ade".to_owned(),
        role: Role::Ot,
        organisation: OrganisationId::from_bytes([6; 16]),
        authority: "Borough of Example".to_owned(),
        secret: [7; 32].into(),
        generation: Generation::from_bytes([8; 16]),
        name: "tablet".to_owned(),
    }
}

fn place() -> Place {
    Place { epoch: Epoch::from_bytes([6; 16]), n: 12_345 }
}

fn pending() -> Pending {
    Pending {
        bytes: vec![1, 2, 3].into(),
        outbox: vec![11, 12],
        reads: vec![13],
        purged: vec![case()],
        purged_documents: vec![document(2)],
        wants_bearer: false,
        dropped: vec![],
    }
}

fn singles() -> Vec<Row> {
    vec![
        single(&enrolment()),
        single(&Enrolling {
            text: "grabrail:enrol?v=1".to_owned(),
            secret: [7; 32].into(),
            generation: Generation::from_bytes([8; 16]),
        }),
        single(&Counters { request: 41, key: 70_000 }),
        single(&Contact { epoch: Epoch::from_bytes([6; 16]), at: time(), offset: -3 }),
        single(&pending()),
        single(&Cursor { epoch: Epoch::from_bytes([6; 16]), n: 12_345, at: time() }),
        single(&Progress { n: 12_345, after: case(), epoch: Some(Epoch::from_bytes([6; 16])) }),
        single(&Bearer("bearer".to_owned())),
        single(&Carried(CarriedDigest::default())),
        single(&Stopped(true)),
        single(&Anew(true)),
        single(&Contacted { furthest: time().plus_millis(5), counted: 7, ..Contacted::at(time(), Some(168)) }),
        single(&Backed { place: place(), digest: hash(7) }),
        single(&Purged(vec![case()])),
        single(&Purging(vec![case()])),
        single(&PurgedDocuments(vec![document(2)])),
        single(&PurgingDocuments(vec![document(2)])),
        single(&Orders(vec![Purge { case: case(), document: None, reason: PurgeReason::Role }])),
        single(&Carries(vec![case()])),
        single(&Dropped(vec![case()])),
        single(&Unconfirmed(vec![case()])),
        single(&Wants(vec![(document(1), hash(5))])),
    ]
}

fn outbox_change() -> OutboxChange {
    let bodies = records().into_iter().map(|(_, record)| Edit::Add(record.body));
    let splice = |text| Edit::Splice { text, at: 3, delete: 2, insert: "é".to_owned() };
    OutboxChange {
        document: document(1),
        case: case(),
        hash: hash(2),
        change: 17,
        fork: 2,
        base: vec![hash(1)],
        edits: bodies
            .chain([Edit::Caption { photo: at(5), text: "the door".to_owned() }])
            .chain([splice(SharedText::Summary), splice(SharedText::Reasoning)])
            .collect(),
        first_key: Some(at(3)),
        at: stamp(),
        sent: true,
    }
}

fn outbox() -> Vec<Row> {
    let change = OutboxRow::Change(outbox_change());
    let no_key = OutboxRow::Change(OutboxChange { edits: vec![], first_key: None, sent: false, ..outbox_change() });
    let mut rows = vec![row("outbox-change", &change), row("outbox-change-without-keys", &no_key)];
    rows.extend(asks().into_iter().map(|(name, ask)| {
        let received = name == "submit";
        row(format!("outbox-ask-{name}"), &OutboxRow::Ask(OutboxAsk { ask, received }))
    }));
    rows
}

fn documents_and_photos() -> Vec<Row> {
    let quarantine = Some(QuarantineId::from_bytes([12; 16]));
    let refused = RefusedRow { reason: Refusal::NotAllowed, quarantine, change: Some(hash(2)) };
    let whole = DocumentRow {
        fork: 2,
        server_heads: vec![hash(1)],
        receipted: vec![hash(2)],
        refused: Some(refused),
        set_aside: Some("a dependency is missing".to_owned()),
        changes: 3,
        given: true,
        singly: true,
        fruitless: 2,
        place: Some(place()),
        ..DocumentRow::new(document(1), case(), Kind::Home, true)
    };
    let photo = |kept, recorded_by, place| {
        let (document, hash) = (document(1), hash(5));
        PhotoRow { document, case: case(), hash, bytes: 70_000, kept, recorded_by, place }
    };
    vec![
        row("document", &whole),
        row("document-new", &DocumentRow::new(document(1), case(), Kind::Thread, false)),
        row("base", &Base { heads: vec![hash(1)], saved: vec![1, 2, 3].into(), changes: None }),
        row("base-of-changes", &Base::of(vec![hash(1)], Packed::kept(vec![1, 2, 3]))),
        row("refused-work", &refused_work()),
        row("snapshot", &Snapshot { bytes: vec![1, 2, 3].into(), up_to: 17 }),
        row("change", &ChangeRow { hash: hash(2), bytes: vec![1, 2, 3].into() }),
        row("photo-on-this-device", &photo(Kept::OnThisDevice, Some(hash(2)), None)),
        row("photo-server-has", &photo(Kept::ServerHas, None, Some(place()))),
        row("photo-fetched", &photo(Kept::ServerHas, None, None)),
        row("read", &ReadRow { document: document(1), at: stamp() }),
        row("receipts", &signed_receipts()),
        row("receipts-of-no-place", &{
            let mut signed = signed_receipts();
            signed.receipts.n = None;
            signed
        }),
    ]
}

fn refused_work() -> RefusedWork {
    let OutboxChange { document, case, hash, edits, first_key, at, .. } = outbox_change();
    let quarantine = Some(QuarantineId::from_bytes([12; 16]));
    RefusedWork { change: hash, document, case, reason: Refusal::Blocked, quarantine, edits, first_key, at }
}

fn notices() -> Vec<Row> {
    let notice = |name: String, notice| row(format!("notice-{name}"), &NoticeRow { at: stamp(), notice });
    let quarantine = Some(QuarantineId::from_bytes([12; 16]));
    let document = document(1);
    let mut rows = vec![
        notice("refused-not-kept".to_owned(), Notice::Refused { document, reason: Refusal::Later, quarantine: None }),
        notice("purged".to_owned(), Notice::Purged { case: case(), photos: 2, reason: PurgeReason::Closed, asks: 1 }),
        notice("set-aside".to_owned(), Notice::SetAside { document, why: "a dependency is missing".to_owned() }),
        notice(
            "purged-document".to_owned(),
            Notice::PurgedDocument {
                case: case(),
                document,
                kind: Kind::Clinical,
                photos: 2,
                reason: PurgeReason::Withdrawn,
                asks: 1,
            },
        ),
    ];
    rows.extend(
        refusals()
            .into_iter()
            .map(|(name, reason)| notice(format!("refused-{name}"), Notice::Refused { document, reason, quarantine })),
    );
    rows.extend(ask_refusals().into_iter().map(|(name, reason)| {
        let about = (name != "unknown").then_some(document);
        notice(format!("ask-refused-{name}"), Notice::AskRefused { ask: "submit".to_owned(), document: about, reason })
    }));
    rows
}

fn asked() -> Vec<Row> {
    let Some((_, ask)) = asks().into_iter().next() else { return vec![] };
    let verdict = |answer| Some(Verdict { ask: ask.id, at: time(), answer });
    let asked = |name: &str, verdict| row(format!("asked-{name}"), &AskedRow { ask: ask.clone(), verdict });
    vec![
        asked("waiting", None),
        asked("granted", verdict(Answer::Granted)),
        asked("refused", verdict(Answer::Refused(AskRefusal::NotAllowed))),
    ]
}

fn names() -> Vec<Row> {
    let change = OutboxRow::Change(outbox_change());
    let ask = asks().into_iter().next().map(|(_, ask)| OutboxRow::Ask(OutboxAsk { ask, received: false }));
    let of_ask = |of: fn(&OutboxRow) -> Vec<u8>| ask.as_ref().map(of).unwrap_or_default();
    vec![
        name("group-meta", group::META),
        name("group-cards", group::CARDS),
        name("group-snapshots", group::SNAPSHOTS),
        name("group-asks", group::ASKS),
        name("group-asked", group::ASKED),
        name("group-notices", group::NOTICES),
        name("group-reads", group::READS),
        name("group-refused", group::REFUSED),
        name("group-receipts", group::RECEIPTS),
        name("group-of-outbox-change", change.group()),
        name("group-of-outbox-ask", of_ask(OutboxRow::group)),
        name("key-of-outbox-change", change.key()),
        name("key-of-outbox-ask", of_ask(OutboxRow::key)),
        name("key-of-change", ChangeRow::key(document(1), hash(2))),
        name("key-of-photo", PhotoRow::key(document(1), hash(5))),
        name("key-of-snapshot", Snapshot::key(document(1))),
        name("key-of-base", Base::key(document(1))),
        name("key-of-refused-work", RefusedWork::key(hash(2))),
    ]
}

/// Rows as they were before a place was added: they are out there, and nothing writes them any more.
mod before {
    use super::*;

    #[derive(Encode, Decode)]
    pub(super) struct Pending {
        #[n(0)]
        pub(super) bytes: ByteVec,
        #[n(1)]
        pub(super) outbox: Vec<i64>,
        #[n(2)]
        pub(super) reads: Vec<i64>,
        #[n(3)]
        pub(super) purged: Vec<CaseId>,
        #[n(4)]
        pub(super) more: bool,
    }

    #[derive(Encode, Decode)]
    pub(super) struct Cursor {
        #[n(0)]
        pub(super) epoch: Epoch,
        #[n(1)]
        pub(super) n: i64,
    }

    #[derive(Encode, Decode)]
    pub(super) struct Progress {
        #[n(0)]
        pub(super) n: i64,
        #[n(1)]
        pub(super) after: CaseId,
    }

    #[derive(Encode, Decode)]
    pub(super) enum Notice {
        #[n(2)]
        Purged {
            #[n(0)]
            case: CaseId,
            #[n(1)]
            photos: Option<u32>,
            #[n(2)]
            reason: Option<PurgeReason>,
        },
        #[n(4)]
        PurgedDocument {
            #[n(0)]
            case: CaseId,
            #[n(1)]
            document: DocumentId,
            #[n(2)]
            kind: Kind,
            #[n(3)]
            photos: u32,
            #[n(4)]
            reason: Option<PurgeReason>,
        },
    }

    #[derive(Encode, Decode)]
    pub(super) struct RefusedRow {
        #[n(0)]
        pub(super) reason: Refusal,
        #[n(1)]
        pub(super) quarantine: Option<QuarantineId>,
    }

    #[derive(Encode, Decode)]
    pub(super) struct DocumentRow {
        #[n(0)]
        pub(super) document: DocumentId,
        #[n(1)]
        pub(super) case: CaseId,
        #[n(2)]
        pub(super) kind: Kind,
        #[n(3)]
        pub(super) minted: bool,
        #[n(4)]
        pub(super) fork: u32,
        #[n(5)]
        pub(super) server_heads: Heads,
        #[n(6)]
        pub(super) receipted: Heads,
        #[n(7)]
        pub(super) refused: Option<RefusedRow>,
        #[n(8)]
        pub(super) set_aside: Option<String>,
        #[n(9)]
        pub(super) changes: u32,
    }
}

fn of_before() -> Vec<Row> {
    let Pending { bytes, outbox, reads, purged, .. } = pending();
    let purged_case = |photos, reason| before::Notice::Purged { case: case(), photos, reason };
    let purged_document = |reason| {
        let (case, document) = (case(), document(1));
        before::Notice::PurgedDocument { case, document, kind: Kind::Clinical, photos: 2, reason }
    };
    vec![
        row("before-pending", &before::Pending { bytes, outbox, reads, purged, more: true }),
        row("pending-for-a-bearer", &Pending { wants_bearer: true, ..pending() }),
        row("pending-with-dropped", &Pending { dropped: vec![case()], ..pending() }),
        row("before-cursor", &before::Cursor { epoch: Epoch::from_bytes([6; 16]), n: 12_345 }),
        row("before-progress", &before::Progress { n: 12_345, after: case() }),
        row("before-notice-purged", &purged_case(None, None)),
        row("before-notice-purged-document", &purged_document(None)),
        row("before-asks-notice-purged", &purged_case(Some(2), Some(PurgeReason::Closed))),
        row("before-asks-notice-purged-document", &purged_document(Some(PurgeReason::Withdrawn))),
        row(
            "before-document",
            &before::DocumentRow {
                document: document(1),
                case: case(),
                kind: Kind::Home,
                minted: true,
                fork: 2,
                server_heads: vec![hash(1)],
                receipted: vec![hash(2)],
                refused: Some(before::RefusedRow { reason: Refusal::NotAllowed, quarantine: None }),
                set_aside: None,
                changes: 3,
            },
        ),
    ]
}

#[test]
fn every_row_of_a_device_is_kept_as_it_always_was() {
    let mut rows = singles();
    for more in [outbox(), documents_and_photos(), notices(), asked(), names(), of_before()] {
        rows.extend(more);
    }
    let values: Vec<_> = rows.iter().map(|row| (row.name.clone(), row.bytes.clone())).collect();
    let kept = golden(FILE, &values);
    for Row { name, bytes, again } in &rows {
        assert_eq!(bytes.escape_ascii().to_string(), kept[name].escape_ascii().to_string(), "{name} of golden/{FILE}");
        assert_eq!(again(&kept[name]), kept[name], "{name} of golden/{FILE} reads otherwise");
    }
    let old: Pending = from_bytes(&kept["before-pending"]).unwrap();
    assert_eq!(to_bytes(&Pending { purged_documents: vec![], ..pending() }), to_bytes(&old));
    let old: Cursor = from_bytes(&kept["before-cursor"]).unwrap();
    assert_eq!(old, Cursor { epoch: Epoch::from_bytes([6; 16]), n: 12_345, at: Timestamp::default() });
    let old: Progress = from_bytes(&kept["before-progress"]).unwrap();
    assert_eq!(old, Progress { n: 12_345, after: case(), epoch: None });
    let old: Notice = from_bytes(&kept["before-notice-purged"]).unwrap();
    assert_eq!(old, Notice::Purged { case: case(), photos: 0, reason: PurgeReason::Ended, asks: 0 });
    let old: Notice = from_bytes(&kept["before-notice-purged-document"]).unwrap();
    assert!(matches!(old, Notice::PurgedDocument { photos: 2, reason: PurgeReason::Ended, asks: 0, .. }));
    let old: Notice = from_bytes(&kept["before-asks-notice-purged"]).unwrap();
    assert_eq!(old, Notice::Purged { case: case(), photos: 2, reason: PurgeReason::Closed, asks: 0 });
    let old: Notice = from_bytes(&kept["before-asks-notice-purged-document"]).unwrap();
    assert!(matches!(old, Notice::PurgedDocument { photos: 2, reason: PurgeReason::Withdrawn, asks: 0, .. }));
    let old: DocumentRow = from_bytes(&kept["before-document"]).unwrap();
    assert_eq!((old.changes, old.given, old.singly, old.fruitless, old.place), (3, false, false, 0, None));
    assert!(old.refused.is_some_and(|refused| refused.change.is_none()));
}

/// A new fact or variant has its golden value, or this fails.
#[test]
fn of_every_fact_and_variant_there_is_a_golden_value() {
    let named: Vec<String> = singles().into_iter().map(|row| row.name).collect();
    let known = SINGLES.iter().chain(LISTS).map(|key| format!("single-{}", key.escape_ascii()));
    assert_eq!(named, known.collect::<Vec<_>>());
    // The numbers of variants run from 0, and there is none behind the last that is above.
    fn ends_at<T: for<'b> Decode<'b, ()>>(what: &str, number: u8) {
        let beyond = minicbor::decode::<T>(&[0x82, number, 0x80]);
        assert!(matches!(beyond, Err(error) if error.is_unknown_variant()), "{what} {number} has no golden value");
    }
    ends_at::<Notice>("notice", 5);
    ends_at::<OutboxRow>("outbox", 2);
    ends_at::<Edit>("edit", 3);
    ends_at::<Answer>("answer", 2);
    assert!(matches!(minicbor::decode::<Kept>(&[3]), Err(error) if error.is_unknown_variant()));
}
