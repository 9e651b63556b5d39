//! The invariants, held against everything after every step.

use std::collections::{BTreeMap, BTreeSet};

use grabrail_server::documents;
use grabrail_server::reach::{Person, Reach};
use grabrail_server::storage::ledger::{AskRow, DocumentRow, Ledger};
use sync_core::access::{Action, Lane, Role};
use sync_core::device::{DeviceError, Kept};
use sync_core::domain::document::Document;
use sync_core::domain::kind::Kind;
use sync_core::domain::signoff::SignedStanding;
use sync_core::domain::view::View;
use sync_core::id::{AccountId, AskId, CaseId, DocumentId, Hash};
use sync_core::protocol::ask::Answer;
use sync_core::protocol::sync::WholePush;
use sync_core::protocol::{Ask, CaseCard, Request, SyncReply};

use crate::council::{Account, Council, Sent};
use crate::disk::OnDisk;
use crate::oracle;
use crate::typed::{Said, said_by, written_by};
use crate::world::World;

type Held = Result<(), String>;

/// Refuses what is not so, saying which invariant it is about.
macro_rules! hold {
    ($holds:expr, $($said:tt)*) => {
        if !$holds {
            return Err(format!($($said)*));
        }
    };
}

/// Whether someone may read a document: its kind, and of a thread what it is about.
async fn may_read(council: &Council, reach: &Reach, row: &DocumentRow) -> bool {
    let about = match row.about {
        Some(about) => council.ledger.document(about).await.unwrap(),
        None => None,
    };
    let knows = about.is_none_or(|about| reach.may(&about, Action::Read) || reach.may(&about, Action::ReadProjection));
    reach.may(row, Action::Read) && knows
}

/// The changes that the server has of a document, quarantine apart.
async fn taken(council: &Council, document: DocumentId) -> BTreeSet<Hash> {
    council.ledger.changes(document, 0).await.unwrap().into_iter().map(|change| change.hash).collect()
}

/// The changes that lie in quarantine.
async fn quarantined(council: &Council) -> Vec<(DocumentId, Vec<u8>)> {
    let mut found = Vec::new();
    for row in council.ledger.quarantine(None).await.unwrap() {
        let push: WholePush = minicbor::decode(&row.push).unwrap();
        found.extend(push.changes.iter().map(|bytes| (push.document, bytes.to_vec())));
    }
    found
}

fn hash_of(change: &[u8]) -> Hash {
    Hash::from(automerge::Change::from_bytes(change.to_vec()).unwrap().hash())
}

/// Invariants 3 and 5: nothing in a reply is for other eyes, as things stand when it leaves.
pub(crate) async fn is_proper(council: &Council, account: AccountId, revoked: bool, reply: &SyncReply) -> Held {
    let nothing = reply.documents.is_empty() && reply.frames.is_empty() && reply.cards.is_empty();
    hold!(!revoked || nothing, "invariant 5: a revoked device was sent documents");
    let housing = council.account(account).person.role.lane() == Lane::Housing;
    let frames = reply.frames.iter().map(|frame| frame.document);
    for document in reply.documents.iter().map(|news| news.document).chain(frames) {
        let row = council.ledger.document(document).await.unwrap();
        let row = row.ok_or_else(|| format!("invariant 1: {document} was sent and is not there"))?;
        let reach = council.reach(account, row.case).await;
        let allowed = may_read(council, &reach, &row).await;
        hold!(allowed, "invariant 5: {} ({}) was sent to {account}", row.document, row.kind);
        let for_housing = matches!(row.kind, Kind::Survey | Kind::Thread);
        hold!(!housing || for_housing, "invariant 5: a {} was sent to Housing", row.kind);
    }
    for card in &reply.cards {
        let reach = council.reach(account, card.case).await;
        hold!(reach.may_know(), "invariant 5: the card of {} was sent to {account}", card.case);
        card_is_proper(council, card, housing).await?;
    }
    Ok(())
}

/// Invariant 3: what a card shows as signed is what was signed; Housing sees nothing else of a prescription.
async fn card_is_proper(council: &Council, card: &CaseCard, housing: bool) -> Held {
    for prescription in &card.prescriptions {
        let rows = council.ledger.signed(prescription.document).await.unwrap();
        if let Some(signed) = &prescription.signed {
            let row = rows.iter().find(|row| row.number == signed.header.number);
            let row = row.ok_or_else(|| "invariant 3: a card shows as signed what is not".to_owned())?;
            let shown = if housing { row.signed.for_housing() } else { row.signed.clone() };
            hold!(*signed == shown, "invariant 3: a card shows another text than was signed");
            let stands = row.standing == SignedStanding::Current;
            hold!(!housing || stands, "invariant 3: Housing is shown what was superseded or recalled");
        } else {
            hold!(!housing || !rows.is_empty(), "invariant 3: Housing learns of an unsigned prescription");
        }
    }
    let other = card.documents.iter().any(|of| !matches!(of.kind, Kind::Survey | Kind::Thread));
    hold!(!housing || !other, "invariant 3: Housing's card lists a document of the council's lane");
    Ok(())
}

impl World {
    /// Holds everything to the invariants after a step on this device.
    pub(crate) async fn check(&mut self, who: Option<usize>, synced: bool) -> Held {
        let mut granted = BTreeSet::new();
        for sent in self.council.sent() {
            granted.extend(self.left(sent)?);
        }
        self.keeps_its_promises().await?;
        self.server_reads_alike().await?;
        self.signed_stays().await?;
        granted.extend(&self.model.asks);
        for ask in granted {
            if self.model.weighed.insert(ask) {
                self.was_rightly_granted(ask).await?;
            }
        }
        if let Some(who) = who {
            let on_disk = OnDisk::read(&self.tablets[who].disk, &mut self.model.bases);
            self.device_reads_alike(who, &on_disk).await?;
            self.loses_nothing_typed(who, &on_disk).await?;
            self.loses_nothing_asked(who, &on_disk).await?;
            if synced {
                self.holds_only_what_is_allowed(who, &on_disk).await?;
            }
        }
        Ok(())
    }

    /// A reply that left the server: what it promises is kept in mind.
    fn left(&mut self, sent: Sent) -> Result<Vec<AskId>, String> {
        sent.proper?;
        self.model.parts += u64::from(sent.reply.cursor.is_none());
        if let Some(proof) = sent.reply.receipts {
            for (document, heads) in proof.receipts.documents {
                self.model.changes.entry(document).or_default().extend(heads);
            }
            self.model.asks.extend(&proof.receipts.asks);
        }
        let granted = sent.reply.verdicts.iter().filter(|verdict| matches!(verdict.answer, Answer::Granted));
        Ok(granted.map(|verdict| verdict.ask).collect())
    }

    /// Invariant 1: whatever was acknowledged is in the ledger.
    async fn keeps_its_promises(&self) -> Held {
        for (document, promised) in &self.model.changes {
            let taken = taken(&self.council, *document).await;
            hold!(promised.is_subset(&taken), "invariant 1: acknowledged changes of {document} are not in the ledger");
        }
        for ask in &self.model.asks {
            let row = self.council.ledger.ask(*ask).await.unwrap();
            let granted = row.is_some_and(|row| matches!(row.verdict.answer, Answer::Granted));
            hold!(granted, "invariant 1: the acknowledged ask {ask} is not in the ledger");
        }
        Ok(())
    }

    async fn server_reads_alike(&mut self) -> Held {
        let ledger = self.council.ledger.clone();
        for case in ledger.cases().await.unwrap() {
            for row in ledger.documents_of(&[case.case]).await.unwrap() {
                if self.model.versions.insert(row.document, row.version) == Some(row.version) {
                    continue;
                }
                let (_, document) = documents::load(&ledger, &row).await.unwrap();
                let view = document.view();
                hold!(view.heads == row.heads, "invariant 2: the row of {} has other heads", row.document);
                self.model.shows(row.document, &view)?;
                lists_its_clashes(&view)?;
                let changes = ledger.changes(row.document, 0).await.unwrap();
                let mut rebuilt = Document::new(row.kind).map_err(|error| error.to_string())?;
                let bytes: Vec<&[u8]> = changes.iter().map(|change| change.bytes.as_slice()).collect();
                rebuilt
                    .apply(&bytes)
                    .map_err(|error| format!("invariant 1: {} does not rebuild: {error}", row.kind))?;
                self.model.shows(row.document, &rebuilt.view())?;
                for change in &changes {
                    let enrolled = self.council.device(change.device).is_some_and(|of| of.account == change.account);
                    hold!(enrolled, "a change of {} is by nobody's device", row.document);
                }
            }
        }
        Ok(())
    }

    /// Invariant 3: what was signed reads the same for ever.
    async fn signed_stays(&mut self) -> Held {
        for case in self.council.ledger.cases().await.unwrap() {
            for prescription in self.council.ledger.prescriptions_of(&[case.case]).await.unwrap() {
                for row in self.council.ledger.signed(prescription.document).await.unwrap() {
                    let bytes = row.signed.to_bytes();
                    let before = self.model.signed.entry((row.document, row.number)).or_insert_with(|| bytes.clone());
                    hold!(*before == bytes, "invariant 3: a signed version of {} was altered", row.document);
                    hold!(row.signed.is_consistent().is_ok(), "invariant 3: a signed version is not consistent");
                    let header = &row.signed.header;
                    let signers: Vec<AccountId> = header.signatures().map(|(one, _, _)| one.account).collect();
                    let different: BTreeSet<&AccountId> = signers.iter().collect();
                    hold!(different.len() == signers.len(), "invariant 4: one person signed twice for two");
                    let own = header.authors.iter().find(|author| signers.contains(&author.account));
                    hold!(own.is_none(), "invariant 4: {own:?} signed what they wrote in");
                    let takes_two = |role| matches!(role, Role::PrivateOt | Role::OtAssistant);
                    let enough = signers.len() > 1 || !header.authors.iter().any(|author| takes_two(author.role));
                    hold!(enough, "invariant 4: one person signed what takes two");
                }
            }
        }
        Ok(())
    }

    /// Invariants 4 and 7: nobody signs their own work, no private OT signs any, and no clash is submitted or signed.
    async fn was_rightly_granted(&self, ask: AskId) -> Held {
        let ledger = &self.council.ledger;
        let Some(row) = ledger.ask(ask).await.unwrap() else { return Ok(()) };
        let request: Ask = minicbor::decode(&row.bytes).unwrap();
        let (document, heads, signs) = match request.request {
            Request::TakeOver { document, .. } => return self.was_rightly_taken_over(&row, document).await,
            Request::BreakGlass { .. } => {
                let Person { role, of_council, .. } = self.council.account(row.account).person;
                let may = matches!(role, Role::Ot | Role::OtAssistant | Role::SeniorOt | Role::PrincipalOt);
                hold!(may && of_council, "invariant 5: a {role} broke the glass");
                return Ok(());
            }
            Request::Submit { document, heads } => (document, heads, false),
            Request::SignOff { document, heads, .. } => (document, heads, true),
            _ => return Ok(()),
        };
        let changes = ledger.changes(document, 0).await.unwrap();
        if signs {
            let of = changes.iter().map(|change| (change.hash, change.bytes.as_slice()));
            let history = oracle::history(&heads, of);
            let wrote = changes.iter().any(|of| of.account == row.account && history.contains(&of.hash));
            hold!(!wrote, "invariant 4: {} signed off what they wrote in", row.account);
            let signer = self.council.account(row.account).person;
            let may = matches!(signer.role, Role::SeniorOt | Role::PrincipalOt) && signer.of_council;
            hold!(may, "invariant 4: a {} signed off", signer.role);
        }
        let prescription = ledger.document(document).await.unwrap().unwrap();
        let (_, whole) = documents::load(ledger, &prescription).await.unwrap();
        let then = whole.at(&heads).ok_or_else(|| "invariant 7: unknown heads were granted".to_owned())?;
        for cite in oracle::cited(&then.view()) {
            let Some(cited) = ledger.document(cite.document).await.unwrap() else {
                return Err("invariant 7: a citation of nothing was granted".to_owned());
            };
            // As it stood when it was decided: what came since is no fault of the decision.
            let changes = ledger.changes(cite.document, 0).await.unwrap();
            let before: Vec<&[u8]> =
                changes.iter().filter(|change| change.n < row.n).map(|change| change.bytes.as_slice()).collect();
            let mut document = Document::new(cited.kind).unwrap();
            document.apply(&before).unwrap();
            if let Some(why) = oracle::unfit_to_build(&document.view(), cite.key) {
                return Err(format!("invariant 7: {} was granted and cites {}, which {why}", ask, cite.key));
            }
        }
        Ok(())
    }

    /// Invariant 4 begins here: whoever takes a prescription over is of the council, and nobody else can write in it.
    async fn was_rightly_taken_over(&self, ask: &AskRow, document: DocumentId) -> Held {
        let (ledger, now) = (&self.council.ledger, self.council.now());
        let taker = self.council.account(ask.account).person;
        let may = matches!(taker.role, Role::Ot | Role::SeniorOt | Role::PrincipalOt) && taker.of_council;
        hold!(may, "invariant 4: a {} took a prescription over", taker.role);
        let row = ledger.document(document).await.unwrap().unwrap();
        hold!(row.authors.contains(&ask.account), "invariant 1: {} took it over and is no author", ask.account);
        for author in row.authors.iter().filter(|author| **author != ask.account) {
            let Account { person, enabled, .. } = self.council.account(*author);
            let writes = Reach::read(ledger, &person, row.case, now).await.unwrap().may(&row, Action::Write);
            hold!(!enabled || !writes, "invariant 4: taken over from {author}, who can write in it");
        }
        Ok(())
    }

    /// Invariants 2, 7 and 8 on a device.
    async fn device_reads_alike(&mut self, who: usize, on_disk: &OnDisk) -> Held {
        let now = &on_disk.documents;
        let before = self.model.looked.insert(who, now.clone()).unwrap_or_default();
        let changed: Vec<_> = now.iter().filter(|(document, looked)| before.get(document) != Some(looked)).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let glance = self.tablets[who].glance().await;
        let mut clashing: BTreeSet<CaseId> = BTreeSet::new();
        for (case, summary) in glance.documents().await {
            let document = summary.document;
            let Some((_, lies)) = changed.iter().find(|(changed, _)| **changed == document) else { continue };
            let changes = &lies.changes;
            if summary.state.kept >= Some(Kept::ServerHas) {
                let taken = taken(&self.council, document).await;
                let sent = changes.is_subset(&taken);
                hold!(sent, "invariant 8: {} is said to be on the server and is not", summary.name);
            }
            let view = match glance.view(document).await {
                Ok(view) => view,
                Err(DeviceError::NoSuchDocument(_)) => continue,
                Err(error) => return Err(format!("{} does not open: {error}", summary.name)),
            };
            self.model.shows(document, &view)?;
            self.model.clashes += lists_its_clashes(&view)?;
            if !oracle::clashing(&view).is_empty() {
                clashing.insert(case);
            }
            let heads_here = oracle_heads(&view, changes);
            hold!(heads_here, "invariant 1: {} shows a version that its changes do not make", summary.name);
        }
        for case in clashing {
            let listed = glance.device().clashes(case).await.map_err(|error| error.to_string())?;
            hold!(!listed.is_empty(), "invariant 7: a clash in {case} is on no list of the device's");
        }
        Ok(())
    }

    /// Nothing typed is lost: a change leaves an outbox only for the ledger or for quarantine, or is kept to be seen, or is
    /// done again.
    async fn loses_nothing_typed(&mut self, who: usize, on_disk: &OnDisk) -> Held {
        let now = &on_disk.typed;
        let before = self.model.typed.insert(who, now.clone()).unwrap_or_default();
        let gone: Vec<_> = before.iter().filter(|(change, _)| !now.contains_key(change)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let mut kept = quarantined(&self.council).await;
        for document in gone.iter().map(|((document, _), _)| *document).collect::<BTreeSet<_>>() {
            let changes = self.council.ledger.changes(document, 0).await.unwrap();
            kept.extend(changes.into_iter().map(|change| (document, change.bytes)));
        }
        let by_hash: BTreeMap<_, _> = kept.iter().map(|(of, change)| ((*of, hash_of(change)), change)).collect();
        let mut said: Option<BTreeSet<Said>> = None;
        for ((document, hash), typed) in &gone {
            if let Some(change) = by_hash.get(&(*document, *hash)) {
                hold!(typed.is_in(*document, change), "invariant 1: {hash} does not say what was typed: {typed:?}");
                continue;
            }
            // Done again, it is another change.
            let changes = || kept.iter().chain(&on_disk.changes).filter(|(of, _)| of == document);
            let said = said.get_or_insert_with(|| {
                let refused = now.iter().flat_map(|((document, _), typed)| typed.says(*document));
                let changes = kept.iter().chain(&on_disk.changes);
                changes.flat_map(|(document, change)| said_by(*document, change)).chain(refused).collect()
            });
            self.model.again += 1;
            let lost = typed.says(*document).into_iter().find(|of| !said.contains(of));
            hold!(lost.is_none(), "invariant 1: what was typed in {document} ({hash}) is nowhere any more: {typed:?}");
            // Of what was done again in a shared text, a change brings what the text did not say already.
            let cut = gone.iter().any(|((of, _), typed)| of == document && typed.takes_words_out());
            let written: Vec<String> = changes().map(|(_, change)| written_by(change)).collect();
            let texts = self.texts(who, *document).await;
            let stands = || written.iter().chain(&texts);
            let lost = typed.words().find(|words| !stands().any(|written| written.contains(*words)));
            hold!(cut || lost.is_none(), "invariant 1: what was written in {document} is nowhere any more: {lost:?}");
        }
        Ok(())
    }

    /// Nothing asked is lost: an ask leaves an outbox for the server's rows only, granted or refused.
    async fn loses_nothing_asked(&mut self, who: usize, on_disk: &OnDisk) -> Held {
        let before = self.model.asked.insert(who, on_disk.asks.clone()).unwrap_or_default();
        for ask in before.difference(&on_disk.asks) {
            let kept = self.council.ledger.ask(*ask).await.unwrap();
            hold!(kept.is_some(), "invariant 1: what {} asked ({ask}) is nowhere any more", self.tablets[who].name);
        }
        Ok(())
    }

    /// The shared texts of a document as they stand on a device and on the server.
    async fn texts(&self, who: usize, document: DocumentId) -> Vec<String> {
        let mut texts = Vec::new();
        if let Ok(view) = self.tablets[who].glance().await.view(document).await {
            texts.extend(view.texts.into_values());
        }
        if let Some(row) = self.council.ledger.document(document).await.unwrap() {
            texts.extend(documents::load(&self.council.ledger, &row).await.unwrap().1.view().texts.into_values());
        }
        texts
    }

    /// Invariant 5: after a sync a device holds nothing that its person may not read; a revoked one holds nothing.
    async fn holds_only_what_is_allowed(&self, who: usize, on_disk: &OnDisk) -> Held {
        let tablet = &self.tablets[who];
        let Some(device) = tablet.id.and_then(|id| self.council.device(id)) else { return Ok(()) };
        if device.revoked_at.is_some() || !self.council.account(tablet.account).enabled {
            let left = tablet.disk.cases();
            hold!(left.is_empty(), "invariant 5: a revoked device has kept the keys of {left:?}");
            let rows = tablet.disk.rows();
            let case = rows.iter().find(|(_, row)| row.case.is_some());
            hold!(case.is_none(), "invariant 5: a revoked device has kept {case:?}");
            return Ok(());
        }
        for case in tablet.disk.cases() {
            // Where the one copy has purged it, the other hears of it once it was noticed.
            if !tablet.copied && self.council.ledger.case(case).await.unwrap().is_some() {
                let knows = self.council.reach(tablet.account, case).await.may_know();
                hold!(knows, "invariant 5: {} has kept the key of {case} after a sync", tablet.name);
            }
        }
        for (document, lies) in &on_disk.documents {
            let Some(row) = self.council.ledger.document(*document).await.unwrap() else { continue };
            let reach = self.council.reach(tablet.account, row.case).await;
            let allowed = lies.changes.is_empty() || may_read(&self.council, &reach, &row).await;
            hold!(allowed, "invariant 5: {} holds {document} ({}) after a sync", tablet.name, row.kind);
        }
        Ok(())
    }
}

/// Invariant 7: what clashes beyond doubt is listed. How many such pairs there are.
fn lists_its_clashes(view: &View) -> Result<u64, String> {
    let clashes = view.clashes();
    let pairs = oracle::clashing(view);
    for (one, other) in &pairs {
        let listed = clashes.iter().any(|clash| clash.keys().contains(one) && clash.keys().contains(other));
        hold!(listed, "invariant 7: {one} and {other} disagree and nobody is told");
    }
    Ok(u64::try_from(pairs.len()).unwrap())
}

/// Whether a view's heads are among the changes that are here (an empty document has its skeleton's).
fn oracle_heads(view: &View, changes: &BTreeSet<Hash>) -> bool {
    let known = |head: &Hash| changes.contains(head) || *head == view.kind.skeleton_hash();
    view.heads.iter().all(known)
}
