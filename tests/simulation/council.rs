//! The server: the real services over the ledger in memory, with what the data folder would keep beside it (accounts,
//! devices, keys) in a table. It answers as the real one does; when its ledger dies, it answers nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use ed25519_dalek::SigningKey;
use grabrail_server::asks::{Asking, Reading};
use grabrail_server::chance::SharedChance;
use grabrail_server::documents::Documents;
use grabrail_server::error::{Problem, ProblemKind};
use grabrail_server::keys::Signer;
use grabrail_server::reach::{Directory, Person, Reach};
use grabrail_server::storage::accounts::{HcpcCheck, HcpcResult};
use grabrail_server::storage::audit::By;
use grabrail_server::storage::devices::{Counted, Device, TakenRequest};
use grabrail_server::storage::keys::{KeyPurpose, ServerKey};
use grabrail_server::storage::ledger::memory::MemoryLedger;
use grabrail_server::storage::ledger::{Ledger, Number, Plan, Write};
use grabrail_server::sync::{Desk, Part, Speaker};
use sync_core::access::Role;
use sync_core::access::delegation::{Delegation, Pack, PackRule};
use sync_core::clock::{Chance, Timestamp};
use sync_core::device::LinkError;
use sync_core::device::link::{HttpReply, HttpRequest};
use sync_core::engine::ReplyWriter;
use sync_core::envelope::{self, PROTOCOL, Sender, Signed, sign};
use sync_core::guard::Bounds;
use sync_core::id::{AccountId, CaseId, DeviceId, Epoch, Hash, KeyId, OrganisationId, ServerId};
use sync_core::protocol::codec::{Limits, unpack};
use sync_core::protocol::enrolment::{
    EnrolmentCode, EnrolmentReply, EnrolmentRequest, EnrolmentText, Fingerprint, PublicKey, Signature,
    proof_of_possession,
};
use sync_core::protocol::sync::{PATH, request_bytes};
use sync_core::protocol::{Ask, SignedRequest, SyncReply, SyncRequest, Verdict};

use crate::dice::Dice;
use crate::invariants;
use crate::time::Time;

const URL: &str = "http://127.0.0.1:9";
const REPLY_KEY: KeyId = KeyId::from_bytes([5; 16]);
const AUTHORITY: &str = "Borough of Example";

/// A part of a reply that left the server.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) reply: SyncReply,
    /// Whether its reader may know all that is in it, when it left.
    pub(crate) proper: Result<(), String>,
}

/// An account as the data folder keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) person: Person,
    pub(crate) enabled: bool,
    /// Its place in the ledger when it last changed.
    changed: Number,
}

#[derive(Debug, Default)]
struct Rows {
    accounts: BTreeMap<AccountId, Account>,
    devices: BTreeMap<DeviceId, Device>,
    /// One-time codes, with the key that spent each.
    codes: BTreeMap<Hash, (AccountId, Option<[u8; 32]>)>,
    sent: Vec<Sent>,
    /// How often what happened here.
    counts: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
pub(crate) struct Council {
    pub(crate) ledger: MemoryLedger,
    pub(crate) time: Time,
    pub(crate) organisation: OrganisationId,
    chance: SharedChance,
    server: ServerId,
    epoch: Epoch,
    /// From how many bytes on a part of a reply is sent.
    part: usize,
    /// For how many hours a device may be offline and still open cases.
    pub(crate) lease: Option<u16>,
    reply: SigningKey,
    signer: Signer,
    delegation: Delegation,
    rows: Mutex<Rows>,
    documents: Documents,
}

/// Every supervisor signs; what somebody wrote who is no council OT takes two of them.
fn delegation() -> Delegation {
    let signers: Vec<String> = [Role::SeniorOt, Role::PrincipalOt].map(|role| role.to_string()).into();
    let one = PackRule { signers, signatures: 1, because: "one".to_owned(), ..PackRule::default() };
    let others = [Role::PrivateOt, Role::OtAssistant].map(|role| role.to_string()).into();
    let two = PackRule { authors: Some(others), signatures: 2, because: "two".to_owned(), ..one.clone() };
    Pack { version: 1, rules: vec![one, two] }.try_into().unwrap()
}

fn problem(problem: &Problem) -> HttpReply {
    let kind = problem.kind();
    let body = serde_json::json!({ "type": kind.type_uri(), "title": kind.title(), "detail": problem.detail() });
    let content_type = "application/problem+json".to_owned();
    HttpReply { status: kind.status().as_u16(), content_type, body: body.to_string().into_bytes() }
}

fn refuse(kind: ProblemKind) -> Problem {
    Problem::new(kind, "as the simulation has it")
}

impl Council {
    pub(crate) fn new(dice: &mut Dice, time: &Time, ledger: MemoryLedger) -> Self {
        let part = dice.pick(&[1, 4 << 10, 256 << 10]).unwrap();
        let lease = dice.pick(&[None, Some(168), Some(168), Some(24), Some(8)]).unwrap();
        let mut chance = dice.chance();
        let mut secret = || {
            let mut secret = [0; 32];
            chance.fill(&mut secret);
            SigningKey::from_bytes(&secret)
        };
        let (reply, signoff) = (secret(), secret());
        let key = ServerKey {
            id: KeyId::from_bytes([6; 16]),
            purpose: KeyPurpose::Signoff,
            public: signoff.verifying_key().to_bytes(),
            valid_from: time.now(),
            retired_at: None,
        };
        Self {
            ledger,
            time: time.clone(),
            organisation: OrganisationId::from_bytes([2; 16]),
            server: ServerId::from_bytes([1; 16]),
            epoch: Epoch::from_bytes([3; 16]),
            part,
            lease,
            reply,
            signer: Signer::of(key, signoff),
            delegation: delegation(),
            chance: SharedChance::new(chance),
            rows: Mutex::default(),
            documents: Documents::default(),
        }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    pub(crate) fn chance(&self) -> SharedChance {
        self.chance.clone()
    }

    pub(crate) fn directory(&self) -> Directory {
        let person = |account: &Account| Person { enabled: account.enabled, ..account.person.clone() };
        Directory::of(self.rows().accounts.values().map(person))
    }

    pub(crate) fn account(&self, account: AccountId) -> Account {
        self.rows().accounts[&account].clone()
    }

    pub(crate) fn hires(&self, name: &str, role: Role) -> AccountId {
        let account = AccountId::mint(&mut self.chance.clone());
        let of_council = role != Role::PrivateOt;
        let organisation = if of_council { self.organisation } else { OrganisationId::from_bytes([4; 16]) };
        let person = Person {
            account,
            name: name.to_owned(),
            role,
            organisation,
            organisation_name: if of_council { AUTHORITY } else { "A Practice" }.to_owned(),
            of_council,
            enabled: true,
            hcpc: Some("OT12345".to_owned()),
            hcpc_check: Some(HcpcCheck { at: self.now(), result: HcpcResult::Registered, by: None }),
        };
        self.rows().accounts.insert(account, Account { person, enabled: true, changed: 0 });
        account
    }

    /// Changes an account as the administrator does, at a place of its own in the ledger; `false` when the server
    /// could not.
    pub(crate) async fn changes(&self, account: AccountId, change: impl FnOnce(&mut Account)) -> bool {
        let case = self.ledger.cases().await.unwrap()[0].case;
        let Ok(changed) =
            self.ledger.commit(Plan { by: By::console(self.now()), writes: vec![Write::Touch(case)] }).await
        else {
            return false;
        };
        let mut rows = self.rows();
        let row = rows.accounts.get_mut(&account).unwrap();
        change(row);
        row.changed = changed;
        true
    }

    /// An enrolment text for one device of this person's.
    pub(crate) fn code_for(&self, account: AccountId) -> String {
        let code = EnrolmentCode::mint(&mut self.chance.clone());
        self.rows().codes.insert(code.hash(), (account, None));
        let reply_key = Fingerprint::of(&self.reply.verifying_key().to_bytes());
        EnrolmentText { url: URL.parse().unwrap(), server: self.server, reply_key, code }.to_string()
    }

    /// A device as the server knows it.
    pub(crate) fn device(&self, device: DeviceId) -> Option<Device> {
        self.rows().devices.get(&device).cloned()
    }

    pub(crate) fn revokes(&self, device: DeviceId) {
        let now = self.now();
        if let Some(device) = self.rows().devices.get_mut(&device) {
            device.revoked_at.get_or_insert(now);
        }
    }

    pub(crate) fn counts(&self, what: &'static str, many: usize) {
        *self.rows().counts.entry(what).or_default() += u64::try_from(many).unwrap();
    }

    pub(crate) fn counted(&self) -> BTreeMap<&'static str, u64> {
        self.rows().counts.clone()
    }

    /// The replies that left since this was last asked.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.rows().sent)
    }

    /// Someone before a case, now.
    pub(crate) async fn reach(&self, account: AccountId, case: CaseId) -> Reach {
        let person = self.account(account).person;
        Reach::read(&self.ledger, &person, case, self.now()).await.unwrap()
    }

    /// Decides what somebody asks at the API, freshly signed in. `None` when the server failed over it.
    pub(crate) async fn decides(&self, account: AccountId, ask: &Ask) -> Option<Verdict> {
        let directory = self.directory();
        let person = self.account(account).person;
        let mut reading = Reading::new(self.documents.clone());
        let asking = self.asking(&directory, &person, Some(&self.signer));
        asking.decide(ask, &mut reading).await.ok().filter(|_| !self.ledger.faults().is_dead())
    }

    fn asking<'a>(
        &'a self,
        directory: &'a Directory,
        person: &'a Person,
        signer: Option<&'a Signer>,
    ) -> Asking<'a, MemoryLedger> {
        Asking {
            ledger: &self.ledger,
            directory,
            person,
            now: self.now(),
            server: self.server,
            authority: AUTHORITY,
            chance: self.chance.clone(),
            signer,
            // The clock leaps by years, and nobody here looks at the register again.
            hcpc_days: u32::MAX,
            break_glass_hours: 24,
            delegation: &self.delegation,
            device: None,
        }
    }

    /// Answers a request as the server does.
    pub(crate) async fn answers(&self, request: &HttpRequest) -> Result<HttpReply, LinkError> {
        let offline = || LinkError::Offline("the server is down".to_owned());
        if self.ledger.faults().is_dead() {
            return Err(offline());
        }
        let answer = match request.url.strip_prefix(URL) {
            Some("/v1/devices") => self.enrols(&request.body),
            Some(PATH) => self.settles(&request.body).await,
            _ => Err(refuse(ProblemKind::NotFound)),
        };
        if self.ledger.faults().is_dead() {
            // Whatever it was about to say, it died before it said it.
            return Err(offline());
        }
        Ok(answer.unwrap_or_else(|refused| {
            self.counts(refused.kind().title(), 1);
            problem(&refused)
        }))
    }

    fn enrols(&self, body: &[u8]) -> Result<HttpReply, Problem> {
        let bad = || refuse(ProblemKind::BadRequest);
        let request: EnrolmentRequest = serde_json::from_slice(body).map_err(|_| bad())?;
        let code: EnrolmentCode = request.code.parse().map_err(|_| bad())?;
        let proof = proof_of_possession(self.server, &code, &request.device_key.0, request.generation);
        let key = envelope::PublicKey(request.device_key.0);
        if !key.verifies(&proof, &Signed(request.proof.0)) {
            return Err(refuse(ProblemKind::ProofRefused));
        }
        let now = self.now();
        let mut rows = self.rows();
        let used = || refuse(ProblemKind::CodeRefused);
        let (account, spent) = rows.codes.get(&code.hash()).copied().ok_or_else(used)?;
        let Account { person, enabled, .. } = rows.accounts[&account].clone();
        if spent.is_some_and(|by| by != request.device_key.0) || (spent.is_none() && !enabled) {
            return Err(used());
        }
        rows.codes.insert(code.hash(), (account, Some(request.device_key.0)));
        let known = rows.devices.values().find(|device| device.public_key == request.device_key.0).cloned();
        let device = known.unwrap_or_else(|| Device {
            id: DeviceId::mint(&mut self.chance.clone()),
            number: u32::try_from(rows.devices.len()).unwrap() + 1,
            account,
            generation: request.generation,
            public_key: request.device_key.0,
            name: request.name.clone(),
            enrolled_at: now,
            revoked_at: None,
            stopped_at: None,
            taken: [None, None],
        });
        let mut reply = EnrolmentReply {
            server: self.server,
            epoch: self.epoch,
            reply_key_id: REPLY_KEY,
            reply_key: PublicKey(self.reply.verifying_key().to_bytes()),
            device: device.id,
            device_number: device.number,
            account,
            full_name: person.name,
            role: person.role,
            organisation: person.organisation,
            authority: AUTHORITY.to_owned(),
            signature: Signature([0; 64]),
        };
        rows.devices.insert(device.id, device);
        reply.signature = Signature(sign(&self.reply, &reply.signed_bytes(&request)).0);
        let body = serde_json::to_vec(&reply).unwrap();
        Ok(HttpReply { status: 201, content_type: "application/json".to_owned(), body })
    }

    /// Counts a request as the store of devices does; an error stops the device, as there.
    fn takes(&self, device: &Device, enabled: bool, request: TakenRequest) -> Result<(), Problem> {
        let now = self.now();
        let mut rows = self.rows();
        let row = rows.devices.get_mut(&device.id).ok_or_else(|| refuse(ProblemKind::DeviceUnknown))?;
        let stops = row.revoked_at.is_none() && enabled;
        if row.stopped_at.is_some() && stops {
            return Err(refuse(ProblemKind::DeviceStopped));
        }
        match row.count(request) {
            Counted::Next => row.taken = [Some(request), row.taken[0]],
            Counted::Again => {}
            Counted::Overtaken | Counted::Copy if !stops => {}
            Counted::Overtaken => return Err(refuse(ProblemKind::DeviceStopped)),
            Counted::Copy => {
                row.stopped_at = Some(now);
                return Err(refuse(ProblemKind::DeviceStopped));
            }
        }
        Ok(())
    }

    async fn settles(&self, body: &[u8]) -> Result<HttpReply, Problem> {
        let bad = || refuse(ProblemKind::BadRequest);
        let unknown = || refuse(ProblemKind::DeviceUnknown);
        let request: SignedRequest = minicbor::decode(body).map_err(|_| bad())?;
        if request.protocol != PROTOCOL {
            return Err(bad());
        }
        let device = self.device(request.device).ok_or_else(unknown)?;
        let digest = Hash::of(&request.body);
        let signed = request_bytes(self.server, PATH, digest, request.generation, request.counter);
        let key = envelope::PublicKey(device.public_key);
        if device.generation != request.generation || !key.verifies(&signed, &request.signature) {
            return Err(unknown());
        }
        let Account { person, enabled, changed } = self.account(device.account);
        self.takes(&device, enabled, TakenRequest { counter: request.counter, digest })?;
        let end = self.ledger.end().await.unwrap();
        let asked: SyncRequest = unpack(&request.body, Limits::PUSH).map_err(|_| bad())?;
        let sender = Sender {
            server: self.server,
            organisation: person.organisation,
            device: device.id,
            generation: device.generation,
            account: person.account,
            key,
            number: device.number,
        };
        let revoked = device.revoked_at.is_some() || !enabled;
        let directory = self.directory();
        let desk = Desk {
            asking: self.asking(&directory, &person, None),
            speaker: Speaker { person: &person, device: &device, revoked, changed, sender },
            epoch: self.epoch,
            bounds: Bounds::default(),
            documents: self.documents.clone(),
        };
        let bearer = asked.wants_bearer.then(String::new);
        self.counts("requests that tell heads", usize::from(asked.heads.is_some()));
        self.counts("requests that go on from a cut", usize::from(asked.progress.is_some()));
        let answer = desk.settle(&asked).await;
        if self.ledger.faults().is_dead() && self.ledger.end().await.unwrap() == end {
            // A counter is written with what its request brings; alone it was only remembered.
            self.rows().devices.get_mut(&device.id).unwrap().taken = device.taken;
            self.counts("counters that a crash took", 1);
        }
        let sign_parts = (REPLY_KEY, |bytes: &[u8]| sign(&self.reply, bytes));
        let mut parts = answer?.parts(sign_parts, bearer, self.lease.filter(|_| !revoked), self.part);
        let (mut writer, mut body) = (ReplyWriter::new(self.server, body, REPLY_KEY), Vec::new());
        // A part that could not be made ends the reply: those before it are on their way.
        while let Ok(Some(Part { reply, last })) = parts.next(&desk).await {
            body.extend(writer.write(&reply, last, |bytes| sign(&self.reply, bytes)).map_err(Problem::internal)?);
            if !self.ledger.faults().is_dead() {
                self.counts("frames", reply.frames.len());
                self.counts("orders to purge", reply.purge.len());
                self.counts("pushes refused", reply.refused.len());
                let proper = invariants::is_proper(self, person.account, revoked, &reply).await;
                self.rows().sent.push(Sent { reply, proper });
            }
        }
        Ok(HttpReply { status: 200, content_type: "application/cbor".to_owned(), body })
    }
}
