//! What is fuzzed: each target takes bytes of a stranger and must come back, whatever they are.
//!
//! Checksums and signatures are made right here, as whoever alters a change or holds an enrolled key can make them: what
//! would only be turned away at the door finds nothing behind it. Both the replay in `main.rs` and libFuzzer call these.

use automerge::legacy::ElementId;
use automerge::transaction::{CommitOptions, Transactable as _};
use automerge::{ActorId, Automerge, Change, ChangeHash, LoadOptions, ROOT, ReadDoc as _, TextEncoding};
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use sync_core::access::{Relation, Role, Standing, Ties};
use sync_core::clock::{Stamp, Timestamp};
use sync_core::domain::document::Document;
use sync_core::domain::edit::Edit;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::{Body, MOST_NOTE_CHARACTERS, Note, Photo, Reading, SharedText, Strike};
use sync_core::domain::vocabulary::photo::PhotoSubject;
use sync_core::domain::vocabulary::{Measure, Method, Section};
use sync_core::engine::Identity;
use sync_core::envelope::{Envelope, PROTOCOL, PublicKey, Sender, actor, sign};
use sync_core::guard::{self, Admitted, Bounds, Pushed, Refusal, Unscannable, chunk_hash, scan};
use sync_core::id::{
    AccountId, CaseId, DeviceId, DocumentId, Epoch, Generation, Hash, Heads, Key, KeyId, OrganisationId, ServerId,
};
use sync_core::protocol::codec::{Limits, decode, pack, unpack};
use sync_core::protocol::sync::{DocumentNews, Frame, Push, reply_bytes};
use sync_core::protocol::{Known, PackLimits, Packed, SignedReply, SignedRequest, SyncReply, SyncRequest};

/// A target's name and what it does with bytes.
pub(crate) type Target = (&'static str, fn(&Scene, &[u8]));

/// All there are.
pub(crate) const TARGETS: [Target; 4] =
    [("scan", scan_target), ("push", push_target), ("guard", guard_target), ("reply", reply_target)];

/// A device that is enrolled, its server's keys, and a home that two people have written in.
pub(crate) struct Scene {
    key: SigningKey,
    sender: Sender,
    document: DocumentId,
    home: Document,
    identity: Identity,
}

fn stamp() -> Stamp {
    Stamp { claimed: Timestamp::from_millis(1), elapsed: 0, offset: None }
}

impl Scene {
    /// The same one every time.
    pub(crate) fn new() -> Self {
        // The names and the key are those of the golden bytes, so that a golden reply is one of this device's server.
        let key = SigningKey::from_bytes(&[42; 32]);
        let sender = |number: u32, device: u8| Sender {
            server: ServerId::from_bytes([1; 16]),
            organisation: OrganisationId::from_bytes([2; 16]),
            device: DeviceId::from_bytes([device; 16]),
            generation: Generation::from_bytes([4; 16]),
            account: AccountId::from_bytes([5; 16]),
            key: PublicKey::from(&key),
            number,
        };
        let (own, other) = (sender(7, 3), sender(8, 13));
        let document = DocumentId::from_bytes([1; 17]);
        let mut home = Document::new(Kind::Home).unwrap();
        let mut write = |sender: Sender, first: u32, edits: &[Edit]| {
            let mut keys = (first..).map(|counter| Key { device: sender.number, counter });
            home.edit(actor(&sender, document, 0), sender.account, stamp(), &mut keys, edits).unwrap();
        };
        write(own, 1, &[photo(1), door(712)]);
        write(other, 1, &[splice(0, 0, "Two steps up to the door. 🚪\nRail on the left.")]);
        write(own, 3, &[caption("front door"), splice(4, 5, "three")]);
        let identity =
            Identity { sender: own, key: key.clone(), reply_key_id: KeyId::from_bytes([7; 16]), reply_key: own.key };
        Self { key, sender: own, document, home, identity }
    }

    /// The same with a home whose summary was written, and deleted where it got long, by so many operations more, so many
    /// to a change.
    pub(crate) fn grown(mut self, operations: usize, each: usize) -> Self {
        const LONG: usize = 99_900;
        let options = LoadOptions::new().text_encoding(TextEncoding::UnicodeCodePoint);
        let mut home = Automerge::load_with_options(&self.home.save(), options).unwrap();
        home.set_actor(ActorId::from([9; 16]));
        let (_, summary) = home.get(ROOT, SharedText::Summary.name()).unwrap().unwrap();
        let mut long = 0;
        for _ in 0..operations.div_ceil(each) {
            let mut change = home.transaction();
            if long + each <= LONG {
                change.splice_text(&summary, long, 0, &"x".repeat(each)).unwrap();
                long += each;
            } else {
                change.splice_text(&summary, 0, isize::try_from(each).unwrap(), "").unwrap();
                long -= each;
            }
            change.commit_with(CommitOptions::default().with_time(0));
        }
        self.home = Document::load(Kind::Home, &home.save()).unwrap();
        self
    }

    /// The same with a home in which somebody else has noted so many bytes, in notes as long as they may be.
    pub(crate) fn noted(mut self, bytes: usize) -> Self {
        let text = "🚪".repeat(MOST_NOTE_CHARACTERS);
        let note = || Note {
            section: Section::Property,
            text: text.clone(),
            amends: None,
            addendum_to: None,
            about: None,
            photos: vec![],
        };
        let other = Sender { number: 9, device: DeviceId::from_bytes([14; 16]), ..self.sender };
        let mut keys = (1..).map(|counter| Key { device: other.number, counter });
        // All in a few changes: what is noted counts, not how.
        let mut left = bytes / text.len();
        while left > 0 {
            let some = left.min(512);
            let edits: Vec<Edit> = (0..some).map(|_| Edit::Add(Body::Note(note()))).collect();
            self.home.edit(actor(&other, self.document, 0), other.account, stamp(), &mut keys, &edits).unwrap();
            left -= some;
        }
        self
    }

    /// The same with a home in whose summary so many others have written about so many changes: again and again each a
    /// word of their own, none knowing of any other, and then one who has heard all.
    pub(crate) fn crowded(mut self, actors: u32, changes: usize) -> Self {
        let bytes = changes_in(&self.honest()[2]).remove(0);
        let word = Change::from_bytes(bytes).unwrap().decode();
        let (mut deps, mut max_op) = (word.deps.clone(), word.start_op.get() - 1);
        let (mut made, mut numbers) = (Vec::new(), vec![0; actors as usize]);
        let mut write = |by: u32, deps: &[ChangeHash], start_op: u64| {
            let mut next = word.clone();
            next.operations.truncate(1);
            next.operations[0].key = ElementId::Head.into();
            numbers[by as usize] += 1;
            (next.actor_id, next.seq) = (ActorId::from([by.to_be_bytes(); 4].concat()), numbers[by as usize]);
            (next.start_op, next.deps) = (start_op.try_into().unwrap(), deps.to_vec());
            made.push(Change::from(next));
            (made.len(), made[made.len() - 1].hash())
        };
        loop {
            let mut heads: Vec<ChangeHash> = (0..actors).map(|by| write(by, &deps, max_op + 1).1).collect();
            heads.sort_unstable();
            let (count, heard) = write(0, &heads, max_op + 2);
            (deps, max_op) = (vec![heard], max_op + 2);
            if count + actors as usize + 1 > changes {
                break;
            }
        }
        self.home.apply_read(made).unwrap();
        self
    }

    /// Reads the home as a device does to which all of it was sent.
    pub(crate) fn opens(&self, _: &[u8]) {
        let changes = self.home.changes_since(&[Kind::Home.skeleton_hash()]);
        let changes: Vec<&[u8]> = changes.iter().map(Vec::as_slice).collect();
        let mut home = Document::new(Kind::Home).unwrap();
        guard::take_in(&mut home, &changes).unwrap();
        assert_eq!(home.read(), self.home.read());
    }

    /// What this device might send next, each an input of the target `guard`.
    pub(crate) fn honest(&self) -> Vec<Vec<u8>> {
        let strike =
            Edit::Add(Body::Strike(Strike { key: Key { device: 7, counter: 2 }, reason: "wrong door".to_owned() }));
        let visits: [Vec<Vec<Edit>>; 6] = [
            vec![vec![door(760)]],
            vec![vec![strike, door(715)], vec![splice(0, 3, "")]],
            vec![vec![splice(5, 0, "größer 🦽\n")], vec![splice(2, 9, "x")], vec![caption("the front"), photo(2)]],
            vec![vec![caption("a"), caption("b")], vec![caption("c")]],
            vec![vec![splice(0, 30, &"Ramp 1:12. ".repeat(30))]],
            (0..12).map(|at| vec![door(700 + at)]).collect(),
        ];
        let lists = visits.into_iter().map(|visit| {
            let mut home = self.home.clone();
            let mut keys = (10..).map(|counter| Key { device: 7, counter });
            let changes = visit.iter().map(|edits| {
                let actor = actor(&self.sender, self.document, 0);
                home.edit(actor, self.sender.account, stamp(), &mut keys, edits).unwrap().1
            });
            listed(&changes.collect::<Vec<_>>())
        });
        lists.collect()
    }
}

fn door(value: i32) -> Edit {
    Edit::Add(Body::Reading(Reading {
        place: "bathroom-1/door-1".parse().unwrap(),
        measure: Measure::named("door-clear-width").unwrap(),
        value,
        method: Method::Tape,
        photos: vec![],
        supersedes: vec![],
    }))
}

fn photo(hash: u8) -> Edit {
    Edit::Add(Body::Photo(Photo {
        hash: Hash::from_bytes([hash; 32]),
        bytes: 1000,
        width: 40,
        height: 30,
        place: None,
        shows_person: false,
        consent: true,
        share: vec![],
        subject: PhotoSubject::Feature,
        angle: None,
        scale: None,
    }))
}

fn caption(text: &str) -> Edit {
    Edit::Caption { photo: Key { device: 7, counter: 1 }, text: text.to_owned() }
}

fn splice(at: u32, delete: u32, insert: &str) -> Edit {
    Edit::Splice { text: SharedText::Summary, at, delete, insert: insert.to_owned() }
}

/// The contents of a chunk, without what says how long they are and what they hash to.
pub(crate) fn contents(chunk: &[u8]) -> &[u8] {
    let length = chunk[9..].iter().position(|byte| byte & 0x80 == 0).map_or(1, |last| last + 1);
    &chunk[9 + length..]
}

/// A chunk of these contents with its right length and checksum.
pub(crate) fn chunk(contents: &[u8]) -> Vec<u8> {
    let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1];
    let mut length = contents.len();
    while length > 0x7f {
        chunk.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    chunk.push(u8::try_from(length).unwrap());
    chunk.extend(contents);
    let hash = Sha256::digest(&chunk[8..]);
    chunk[4..8].copy_from_slice(&hash[..4]);
    chunk
}

/// Changes as one input: the contents of each behind their length in three bytes.
pub(crate) fn listed(changes: &[Vec<u8>]) -> Vec<u8> {
    let each = changes.iter().map(|change| {
        let contents = contents(change);
        [&u32::try_from(contents.len()).unwrap().to_be_bytes()[1..], contents].concat()
    });
    each.collect::<Vec<_>>().concat()
}

fn changes_in(mut input: &[u8]) -> Vec<Vec<u8>> {
    let mut changes = Vec::new();
    while let Some((length, rest)) = input.split_first_chunk::<3>() {
        let length = u32::from_be_bytes([0, length[0], length[1], length[2]]) as usize;
        let (contents, rest) = rest.split_at(length.min(rest.len()));
        changes.push(chunk(contents));
        input = rest;
    }
    changes
}

/// The scan: what it takes, Automerge takes as the same; so it is what Automerge parses, and nothing else is.
fn scan_target(_: &Scene, input: &[u8]) {
    assert!(scan(input, &Bounds::default()).is_err() || chunk_hash(input).is_some());
    let change = chunk(input);
    match scan(&change, &Bounds::default()) {
        Ok(scanned) => {
            let read = std::panic::catch_unwind(|| Change::from_bytes(change.clone()));
            if let Ok(Ok(read)) = read {
                assert_eq!((read.seq(), read.start_op().get()), (scanned.seq, scanned.start_op));
                assert_eq!(*read.actor_id(), ActorId::from(&scanned.actor[..]));
                assert_eq!(read.len() as u64, scanned.operations);
                assert_eq!(Hash::from(read.hash()), scanned.hash);
                assert!(read.extra_bytes().is_empty() && read.message().is_none_or(|message| message.is_empty()));
            }
        }
        Err(Unscannable::TooLarge { found, most, .. }) => assert!(found > most),
        Err(Unscannable::NotAChange | Unscannable::Decorated) => {}
    }
}

/// What a server does before its guard: the frame as it travels, what is in it, and the changes of each push.
fn push_target(scene: &Scene, input: &[u8]) {
    if let Ok(request) = decode::<SignedRequest>(input, 1 + 6)
        && let Ok(request) = unpack::<SyncRequest>(&request.body, Limits::PUSH)
    {
        scene.unpacks(&request);
    }
    let _: Result<SyncRequest, _> = unpack(input, Limits::PUSH);
    if let Ok(request) = decode::<SyncRequest>(input, Limits::PUSH.items) {
        scene.unpacks(&request);
        assert_eq!(unpack(&pack(&request), Limits::PUSH), Ok(request));
    }
}

/// The guard over a push of this device to the home; what it admits can be stored and reads again.
fn guard_target(scene: &Scene, input: &[u8]) {
    let base = scene.home.heads();
    if let Ok(admitted) = scene.judge(input) {
        let again = Document::load(Kind::Home, &admitted.document.save()).unwrap();
        assert_eq!(again.heads(), admitted.document.heads());
        assert!(admitted.document.knows_all(&base), "what was there stays");
        // A device that had what the server had takes it, in the order in which the server sends it.
        let mut device = scene.home.clone();
        device.apply(&admitted.document.changes_since(&base)).unwrap();
        assert_eq!(device.read(), admitted.view);
    }
}

/// What a device makes of a reply: as it travels, and with the server's signature over whatever is in it; and of the
/// documents that come whole, once they are opened.
fn reply_target(scene: &Scene, input: &[u8]) {
    let (request, now) = (b"a request", Timestamp::from_millis(5));
    let _ = scene.identity.reply(request, input, now, Limits::REPLY);
    if let Ok(reply) = minicbor::decode::<SyncReply>(input) {
        let _ = scene.identity.reply(request, &scene.signed(input), now, Limits::REPLY);
        for frame in reply.frames {
            if let Ok(document) = frame.changes.document(frame.kind) {
                document.read();
                let _ = Document::load(frame.kind, &document.save());
            }
        }
        for news in reply.documents {
            let Ok(changes) = news.changes.unpack(&Known::news(news.kind), PackLimits::REPLY) else { continue };
            let changes: Vec<&[u8]> = changes.iter().map(|(_, bytes)| bytes.as_slice()).collect();
            let mut home = scene.home.clone();
            match guard::take_in(&mut home, &changes) {
                Ok(()) => drop(home.read()),
                Err(_) => assert_eq!(home.heads(), scene.home.heads(), "all of it or nothing"),
            }
        }
    }
}

impl Scene {
    /// Takes the changes of each push apart, as a server does before its guard.
    fn unpacks(&self, request: &SyncRequest) {
        let bounds = Bounds::default();
        let limits = PackLimits { changes: bounds.changes, bytes: bounds.push_bytes };
        for push in &request.pushes {
            let known = Known::push(&self.sender, (push.document, push.kind), push.fork, &push.base);
            if let Ok(changes) = push.changes.unpack(&known, limits) {
                assert!(changes.len() <= limits.changes);
                assert!(changes.iter().all(|(hash, bytes)| chunk_hash(bytes) == Some(*hash)));
            }
        }
    }

    /// A request of each of this device's visits, with its changes as they travel.
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        self.honest().iter().map(|visit| self.request(&changes_in(visit))).collect()
    }

    fn request(&self, changes: &[Vec<u8>]) -> Vec<u8> {
        let (document, kind, base) = (self.document, Kind::Home, self.home.heads());
        let hashes = changes.iter().filter_map(|change| chunk_hash(change)).collect();
        let envelope = Envelope::new(&self.sender, document, 0, base.clone(), hashes);
        let push = Push {
            document,
            case: CaseId::from_bytes([6; 16]),
            kind,
            fork: 0,
            changes: Packed::pack(changes, &Known::push(&self.sender, (document, kind), 0, &base)),
            base,
            signature: sign(&self.key, &envelope.to_bytes()),
        };
        minicbor::to_vec(SyncRequest { pushes: vec![push], ..SyncRequest::new(stamp()) }).unwrap()
    }

    /// A reply with each of them as news and as a document that comes whole.
    pub(crate) fn replies(&self) -> Vec<Vec<u8>> {
        let replies = self.honest().into_iter().map(|visit| {
            let (mut home, news) = (self.home.clone(), changes_in(&visit));
            home.apply(&news).unwrap();
            self.reply(&home.changes_since(&[Kind::Home.skeleton_hash()]), home.heads(), &news)
        });
        replies.collect()
    }

    /// A reply with these changes as a document that comes whole, and those as news.
    fn reply(&self, whole: &[Vec<u8>], heads: Heads, news: &[Vec<u8>]) -> Vec<u8> {
        let (document, case, kind) = (self.document, CaseId::from_bytes([6; 16]), Kind::Home);
        let packed = |changes: &[Vec<u8>]| Packed::pack(changes, &Known::news(kind));
        let frame = Frame { document, case, kind, heads, changes: packed(whole) };
        let news = DocumentNews { document, case, kind, changes: packed(news) };
        let reply = SyncReply::new(Epoch::from_bytes([6; 16]), Timestamp::from_millis(5));
        minicbor::to_vec(SyncReply { documents: vec![news], frames: vec![frame], ..reply }).unwrap()
    }

    /// A change as it travels: in a request, as a document that comes whole, and as news.
    pub(crate) fn carried(&self, change: &[u8]) -> [Vec<u8>; 3] {
        let (change, heads) = (vec![change.to_vec()], self.home.heads());
        let whole = self.reply(&change, heads.clone(), &[]);
        [self.request(&change), whole, self.reply(&[], heads, &change)]
    }

    /// How many changes a request brings and how many a reply does, unpacked.
    pub(crate) fn brings(&self, request: &[u8], reply: &[u8]) -> (usize, usize) {
        let request: SyncRequest = minicbor::decode(request).unwrap();
        let push = &request.pushes[0];
        let known = Known::push(&self.sender, (push.document, push.kind), push.fork, &push.base);
        let brought = push.changes.unpack(&known, PackLimits::REPLY).unwrap().len();
        let reply: SyncReply = minicbor::decode(reply).unwrap();
        let whole = reply.frames[0].changes.document(Kind::Home).unwrap();
        (brought, whole.changes_since(&self.home.heads()).len())
    }

    fn signed(&self, reply: &[u8]) -> Vec<u8> {
        let request = Hash::of(b"a request");
        let body = zstd::bulk::compress(reply, 1).unwrap();
        let signature = sign(&self.key, &reply_bytes(self.sender.server, request, 0, true, Hash::of(&body)));
        let key = self.identity.reply_key_id;
        let reply = SignedReply { protocol: PROTOCOL, key, signature, body: body.into(), last: true };
        minicbor::to_vec(reply).unwrap()
    }

    /// Whether a reply gets as far as being taken apart.
    pub(crate) fn believes(&self, reply: &[u8]) -> bool {
        let now = Timestamp::from_millis(5);
        self.identity.reply(b"a request", &self.signed(reply), now, Limits::REPLY).is_ok()
    }

    /// What the guard says to a push of these changes.
    ///
    /// # Errors
    /// Its refusal.
    pub(crate) fn judge(&self, input: &[u8]) -> Result<Admitted, Refusal> {
        let changes = changes_in(input);
        let hashes = changes.iter().filter_map(|change| chunk_hash(change)).collect();
        let base = self.home.heads();
        let envelope = Envelope::new(&self.sender, self.document, 0, base.clone(), hashes);
        let signature = sign(&self.key, &envelope.to_bytes());
        let changes: Vec<&[u8]> = changes.iter().map(Vec::as_slice).collect();
        let pushed = Pushed { document: self.document, fork: 0, base: &base, changes: &changes, signature: &signature };
        let standing = Standing { role: Role::Ot, of_council: true, relations: vec![Relation::Allocated] };
        guard::judge(pushed, &self.sender, &standing, Ties::default(), &self.home, &Bounds::default())
    }
}

/// The contents of each change of an input of the target `guard`.
pub(crate) fn contents_in(input: &[u8]) -> Vec<Vec<u8>> {
    changes_in(input).iter().map(|change| contents(change).to_vec()).collect()
}

/// The contents of a change that says in some hundred bytes that it has this many operations.
pub(crate) fn bomb(operations: i64) -> Vec<u8> {
    let mut many = Vec::new();
    let mut left = operations;
    while !(-0x40..0x40).contains(&left) {
        many.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    many.push(u8::try_from(left).unwrap());
    let run = |value: &[u8]| [&many[..], value].concat();
    let columns = [(21, run(b"\x04kind")), (52, many.clone()), (66, run(&[1])), (86, run(&[0])), (112, run(&[0]))];
    // One dep, an actor of 16 bytes, number 1, first operation 2, no time, no message, no other actors.
    let mut contents = [&[1][..], Kind::Home.skeleton_hash().as_bytes(), &[16], &[7; 16], &[1, 2, 0, 0, 0]].concat();
    contents.push(u8::try_from(columns.len()).unwrap());
    for (name, bytes) in &columns {
        contents.extend([*name, u8::try_from(bytes.len()).unwrap()]);
    }
    contents.extend(columns.into_iter().flat_map(|(_, bytes)| bytes));
    contents
}
