//! What can be typed after `grabrail field`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use sync_core::clock::Timestamp;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::SharedText;
use sync_core::domain::vocabulary::photo::{Angle, PhotoSubject, ScaleReference, ShareWith};
use sync_core::domain::vocabulary::{Field, ItemKind, Measure, Method, Place, Section};
use sync_core::id::{CaseId, Hash, Key};
use sync_core::protocol::ask::Practicable;

use super::{examples, words};

/// What is begun by hand. A home and a clinical document come with the case; a second would take the first one's name.
const BEGUN: &[Kind] = &[Kind::Restricted, Kind::Prescription, Kind::Survey];

/// A device in a terminal: everything a person does on a tablet, offline, on an encrypted store
#[derive(Debug, Args)]
#[command(after_help = examples::FIELD)]
pub struct FieldArgs {
    /// The device's store; `enrol` makes it. Its passphrase comes from GRABRAIL_FIELD_PASSPHRASE or is asked for
    #[arg(long, global = true, help_heading = "The device", value_name = "FILE", env = "GRABRAIL_FIELD_STORE")]
    pub store: Option<PathBuf>,
    /// Print one JSON value instead of lines
    #[arg(long, global = true, help_heading = "The device")]
    pub json: bool,
    /// What the device's clock says, as 2026-11-22T09:30:00Z [default: the machine's]
    #[arg(long, global = true, help_heading = "The device", value_name = "TIME")]
    pub clock: Option<Timestamp>,
    /// Certificates of the council's own authority, PEM, trusted beside the machine's
    #[arg(long, global = true, help_heading = "The device", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub verb: FieldVerb,
}

/// A document of a case.
#[derive(Debug, Args)]
pub struct InCase {
    /// The case's id or referral number
    pub case: String,
    /// The document: home, clinical, prescription:1, survey:1, thread:1, … or its id
    pub document: String,
}

/// How far the works may depart from a prescribed length.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub struct ToleranceArgs {
    /// Exactly this length: critical
    #[arg(long)]
    pub exact: bool,
    /// At least this length: critical
    #[arg(long)]
    pub min: bool,
    /// At most this length: critical
    #[arg(long)]
    pub max: bool,
    /// Within so many millimetres either way
    #[arg(long, value_name = "MM")]
    pub within: Option<u16>,
}

/// Which earlier readings a new one replaces.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ReplaceArg {
    /// Your own
    Mine,
    /// All that stand
    All,
    /// None
    None,
}

fn shared_text(text: &str) -> Result<SharedText, String> {
    [SharedText::Summary, SharedText::Reasoning]
        .into_iter()
        .find(|known| known.name() == text)
        .ok_or_else(|| "the shared texts are summary (of a home) and reasoning (of a prescription)".to_owned())
}

fn practicable(text: &str) -> Result<Practicable, String> {
    match text {
        "yes" => Ok(Practicable::Yes),
        "with-change" => Ok(Practicable::WithChange),
        "no" => Ok(Practicable::No),
        _ => Err("a decision is yes, with-change or no".to_owned()),
    }
}

/// What a device can do.
#[derive(Debug, Subcommand)]
pub enum FieldVerb {
    /// Make this the device of whoever was given the enrolment code
    #[command(after_help = examples::ENROL)]
    Enrol {
        /// grabrail:enrol?…, as `grabrail device code` prints it
        text: String,
        /// What to call the device
        #[arg(long, default_value = "terminal")]
        name: String,
    },
    /// Hand in what waits, take what is new, photos last
    #[command(after_help = examples::SYNC)]
    Sync,
    /// Whose device it is, what waits, what was asked and answered, and the news
    #[command(after_help = examples::STATUS)]
    Status,
    /// What you did that the server refused, with its reason; to be read, and done otherwise where it should be
    #[command(after_help = examples::REFUSED)]
    Refused {
        /// Forget one of these, by the name it is listed under: you have seen it
        #[arg(long, value_name = "HASH")]
        dismiss: Option<Hash>,
    },
    /// List the words: measures, fields, items, places, sections; of one kind or with a text in them
    #[command(after_help = examples::WORDS)]
    Words {
        /// Which list
        list: words::List,
        /// Only of a kind of document (clinical), an item (stairlift) or an area (stairs), or with this in name or label
        only: Option<String>,
    },
    /// List the cases on the device, and what is prescribed in each
    #[command(after_help = examples::CASES)]
    Cases,
    /// Begin a visit nobody planned: a new case, to be matched to its referral later
    #[command(after_help = examples::VISIT)]
    Visit {
        /// The client's name
        #[arg(long)]
        name: String,
        /// The address
        #[arg(long)]
        address: String,
        /// Date of birth, YYYY-MM-DD
        #[arg(long, value_name = "DATE")]
        born: Option<String>,
    },
    /// Carry a case on this device that you may see but that is not yours, or carry it no longer, from the next sync on
    #[command(after_help = examples::CARRY)]
    Carry {
        /// The case's id
        case: CaseId,
        /// No longer: it leaves this device
        #[arg(long)]
        off: bool,
    },
    /// Show a case: client, documents and how safe each is, prescriptions
    #[command(after_help = examples::OPEN)]
    Open {
        /// The case's id or referral number
        case: String,
    },
    /// Show what a document says; for Housing the released home and signed specifications
    #[command(after_help = examples::SHOW)]
    Show(InCase),
    /// Begin a document of a case: restricted, prescription or survey
    #[command(after_help = examples::BEGIN)]
    Begin {
        /// The case's id or referral number
        case: String,
        /// The kind
        #[arg(value_parser = words::one_of(BEGUN, Kind::name))]
        kind: Kind,
    },
    /// Record a measurement: whole millimetres (712, 71.2cm, 0.712m), kilograms or counts
    #[command(after_help = examples::MEASURE)]
    Measure {
        /// The case's id or referral number
        case: String,
        /// Where: bathroom-1, bathroom-1/door-1
        #[arg(value_parser = words::place)]
        place: Place,
        /// What: door-clear-width, stair-clear-width, …
        #[arg(value_parser = words::measure)]
        measure: Measure,
        /// How much
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// How it was measured; an estimate is never good enough to build by
        #[arg(long, default_value = "tape", value_parser = words::one_of(Method::ALL, Method::name))]
        method: Method,
        /// A photo of the same document that shows it; may be given again
        #[arg(long = "photo", value_name = "KEY")]
        photos: Vec<Key>,
        /// The document, when it isn't the home
        #[arg(long = "in", value_name = "DOCUMENT", default_value = "home")]
        document: String,
        /// Which earlier readings it stands in the place of
        #[arg(long, default_value = "mine")]
        replace: ReplaceArg,
    },
    /// Set a field of a document or of one of its items
    #[command(after_help = examples::SET)]
    Set {
        #[command(flatten)]
        at: InCase,
        /// The field: person.weight, prescription.route, stairlift.side, …
        #[arg(value_parser = words::field)]
        field: Field,
        /// Its value; of several words, commas between
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// The item it is about
        #[arg(long, value_name = "KEY")]
        item: Option<Key>,
        /// How far the works may depart from a length
        #[command(flatten)]
        tolerance: ToleranceArgs,
        /// The records it rests on, as home/7.2; commas between
        #[arg(long, value_delimiter = ',', value_name = "DOCUMENT/KEY")]
        cites: Vec<String>,
    },
    /// Add an item: equipment, outcome, grab-rail, item-check, …
    #[command(after_help = examples::ITEM)]
    Item {
        #[command(flatten)]
        at: InCase,
        /// What it is
        #[arg(value_parser = words::item)]
        kind: ItemKind,
    },
    /// Write an entry, signed as yours
    #[command(after_help = examples::ENTRY)]
    Entry {
        #[command(flatten)]
        at: InCase,
        /// The heading: visit, function, client-views, …
        #[arg(value_parser = words::section)]
        section: Section,
        /// The words
        text: String,
        /// Your own earlier entry that it replaces
        #[arg(long, value_name = "KEY")]
        amends: Option<Key>,
        /// An entry, anyone's, that it adds to
        #[arg(long, value_name = "KEY")]
        addendum_to: Option<Key>,
        /// A photo of the same document; may be given again
        #[arg(long = "photo", value_name = "KEY")]
        photos: Vec<Key>,
    },
    /// Write a shared text (summary, reasoning), or say that you read it as it stands
    #[command(after_help = examples::TEXT)]
    Text {
        #[command(flatten)]
        at: InCase,
        /// Which
        #[arg(value_parser = shared_text)]
        text: SharedText,
        /// All of its words as they should be; leave out with --read
        #[arg(required_unless_present = "read", conflicts_with = "read")]
        words: Option<String>,
        /// You read what two people had written in at once
        #[arg(long)]
        read: bool,
    },
    /// Take a photo (JPEG or PNG) into a document: shrunk, freed of GPS and all metadata, sealed
    #[command(after_help = examples::PHOTO)]
    Photo {
        #[command(flatten)]
        at: InCase,
        /// The file
        file: PathBuf,
        /// What it shows; what shows a person belongs in the clinical document
        #[arg(long, value_parser = words::one_of(PhotoSubject::ALL, PhotoSubject::name))]
        subject: PhotoSubject,
        /// Where it was taken: bathroom-1, bathroom-1/door-1
        #[arg(long, value_parser = words::place)]
        place: Option<Place>,
        /// A caption
        #[arg(long)]
        caption: Option<String>,
        /// The person asked agreed to the photo
        #[arg(long)]
        consent: bool,
        /// A person can be seen
        #[arg(long)]
        shows_person: bool,
        /// Who may be shown it besides; commas between [default: nobody]
        #[arg(long, value_delimiter = ',', value_parser = words::one_of(ShareWith::ALL, ShareWith::name))]
        share: Vec<ShareWith>,
        /// From where
        #[arg(long, value_parser = words::one_of(Angle::ALL, Angle::name))]
        angle: Option<Angle>,
        /// What in it tells its scale
        #[arg(long, value_parser = words::one_of(ScaleReference::ALL, ScaleReference::name))]
        scale: Option<ScaleReference>,
    },
    /// Write a photo to a file, fetched from the server if it isn't here
    #[command(after_help = examples::PHOTO_GET)]
    PhotoGet {
        #[command(flatten)]
        at: InCase,
        /// The photo's key or hash
        photo: PhotoName,
        /// Where to write it
        file: PathBuf,
    },
    /// Take a record back, with a reason; it stays readable
    #[command(after_help = examples::STRIKE)]
    Strike {
        #[command(flatten)]
        at: InCase,
        /// The record
        key: Key,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Say that two places are one
    #[command(after_help = examples::JOIN)]
    Join {
        /// The case's id or referral number
        case: String,
        /// The name to give up
        #[arg(value_parser = words::place)]
        place: Place,
        /// The name to keep
        #[arg(value_parser = words::place)]
        same_as: Place,
        /// Why
        #[arg(long)]
        reason: String,
        /// The document, when it isn't the home
        #[arg(long = "in", value_name = "DOCUMENT", default_value = "home")]
        document: String,
    },
    /// List values that disagree, with who, when and by what method
    #[command(after_help = examples::CLASHES)]
    Clashes {
        /// The case's id or referral number
        case: String,
    },
    /// Settle a clash: the named value stands over the others, with your name and reason
    #[command(after_help = examples::SETTLE)]
    Settle {
        /// The case's id or referral number
        case: String,
        /// The value that stands
        key: Key,
        /// Why
        #[arg(long)]
        reason: String,
        /// The values it stands over [default: all it clashes with]
        #[arg(long, value_delimiter = ',', value_name = "KEY")]
        over: Vec<Key>,
        /// The document [default: the one whose clash it is]
        #[arg(long = "in", value_name = "DOCUMENT")]
        document: Option<String>,
    },
    /// List what is missing or doubtful
    #[command(after_help = examples::FINDINGS)]
    Findings {
        /// The case's id or referral number
        case: String,
    },
    /// List what a signer wants mended in the prescriptions that were returned
    #[command(after_help = examples::TO_DO)]
    ToDo {
        /// The case's id or referral number
        case: String,
    },
    /// Begin a prescription with these items; prints its name and the items' keys
    #[command(after_help = examples::PRESCRIBE)]
    Prescribe {
        /// The case's id or referral number
        case: String,
        /// Items: stairlift, grab-rail, level-access-shower, …
        #[arg(value_parser = words::item)]
        items: Vec<ItemKind>,
    },
    /// Submit a prescription, as it is here now, for sign-off
    #[command(after_help = examples::SUBMIT)]
    Submit(InCase),
    /// Take a submission back
    #[command(after_help = examples::WITHDRAW)]
    Withdraw(InCase),
    /// Let Housing see the home's measurements and building photos
    #[command(after_help = examples::RELEASE)]
    Release {
        /// The case's id or referral number
        case: String,
        /// How the client agreed to it
        #[arg(long)]
        consent: String,
        /// The home, where there are several
        #[arg(long = "in", value_name = "DOCUMENT", default_value = "home")]
        document: String,
    },
    /// Take a release back: Housing sees nothing more of the home
    #[command(after_help = examples::END_RELEASE)]
    EndRelease {
        /// The case's id or referral number
        case: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// The home, where there are several
        #[arg(long = "in", value_name = "DOCUMENT", default_value = "home")]
        document: String,
    },
    /// Close a case: it leaves every device, and stays on the server
    #[command(after_help = examples::CLOSE)]
    Close {
        /// The case's id or referral number
        case: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Say that the assessment is complete
    #[command(after_help = examples::COMPLETE)]
    Complete {
        /// The case's id or referral number
        case: String,
        /// The clinical document, where there are several
        #[arg(long = "in", value_name = "DOCUMENT", default_value = "clinical")]
        document: String,
    },
    /// Begin a survey
    #[command(after_help = examples::SURVEY)]
    Survey {
        /// The case's id or referral number
        case: String,
    },
    /// Write a remark in a survey
    #[command(after_help = examples::REMARK)]
    Remark {
        #[command(flatten)]
        at: InCase,
        /// The words
        text: String,
        /// What it is about, as prescription:1/7.4
        #[arg(long, value_name = "DOCUMENT/KEY")]
        about: Option<String>,
    },
    /// Ask or answer in a prescription's thread
    #[command(after_help = examples::POST)]
    Post {
        #[command(flatten)]
        at: InCase,
        /// The words
        text: String,
        /// The question it answers
        #[arg(long, value_name = "KEY")]
        answers: Option<Key>,
        /// What it is about, as prescription:1/7.4
        #[arg(long, value_name = "DOCUMENT/KEY")]
        about: Option<String>,
        /// The field of the item or prescription it is about
        #[arg(long, requires = "about", value_parser = words::field)]
        field: Option<Field>,
    },
    /// Decide for Housing whether a signed prescription is reasonable and practicable
    #[command(after_help = examples::DECIDE)]
    Decide {
        /// The case's id or referral number
        case: String,
        /// Your survey on which it rests: survey:1
        survey: String,
        /// The prescription: prescription:1
        prescription: String,
        /// yes, with-change or no
        #[arg(value_parser = practicable)]
        decision: Practicable,
        /// Why, where it is not a plain yes
        #[arg(long, default_value = "")]
        reason: String,
        /// The signed version [default: the newest here]
        #[arg(long)]
        number: Option<u32>,
    },
}

/// A photo as it is typed: its record's key or its hash.
#[derive(Debug, Clone, Copy)]
pub enum PhotoName {
    /// The record's key.
    Key(Key),
    /// The hash of its bytes.
    Hash(Hash),
}

impl std::str::FromStr for PhotoName {
    type Err = sync_core::id::NotAnId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('.') { text.parse().map(Self::Key) } else { text.parse().map(Self::Hash) }
    }
}
