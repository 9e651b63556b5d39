//! Asks: what people ask the server to decide, whether their device brings it or they ask at the API.
//!
//! Each is decided on rows read a moment ago and written with its verdict in one transaction; if a row moved meanwhile,
//! it is decided again. The same ask twice is one ask and one verdict.

mod opening;
mod prescription;
mod reading;
mod signing;
mod standing_in;

use sync_core::access::Action;
use sync_core::access::delegation::Delegation;
use sync_core::clock::Timestamp;
use sync_core::domain::kind::Kind;
use sync_core::domain::signoff::Illegal;
use sync_core::id::{CaseId, DeviceId, DocumentId, Hash, Heads, ServerId};
use sync_core::protocol::ask::{Answer, AskRefusal, MOST_GROUNDS_CHARACTERS};
use sync_core::protocol::{Ask, Request, Verdict};

use self::reading::in_words;
pub use self::reading::{Judged, MOST_READ, Reading, reads};
pub use self::signing::{Signatures, Signing};
use crate::chance::SharedChance;
use crate::keys::Signer;
use crate::reach::{Directory, Person, Reach};
use crate::storage::StorageError;
use crate::storage::audit::By;
use crate::storage::ledger::{AskRow, CommitError, DocumentRow, Ledger, Plan, PrescriptionRow, Write};

/// How often a decision is made anew because a row moved, before the server says that it failed.
const TRIES: usize = 8;

/// The most bytes of an ask: room for every reason that a return may give.
const MOST_BYTES: usize = 1 << 20;
/// What an ask counts towards a day at least, in bytes: its row and its verdict take that, however little it says.
const LEAST_COUNTED: u64 = 512;
/// The most bytes of asks of one account at the API in a day (UTC), refused ones too: all of them are kept. At
/// [`LEAST_COUNTED`] each that is 32,768 asks.
pub const MOST_ASKED: u64 = 16 << 20;
/// The most heads that an ask may name. A document has as many as people wrote in it unknown to each other.
const MOST_HEADS: usize = 256;

/// How often Housing may decide on one signed version: they may think again, and each decision is on the case's cards.
pub const MOST_DECISIONS: usize = 20;
/// How often one assessment may be completed: each time is read with the cards of its case.
pub const MOST_COMPLETIONS: usize = 100;

/// Who asks, of whom, and what deciding needs.
#[derive(Debug)]
pub struct Asking<'a, L> {
    /// The rows.
    pub ledger: &'a L,
    /// Everyone.
    pub directory: &'a Directory,
    /// The one who asks.
    pub person: &'a Person,
    /// The server's time.
    pub now: Timestamp,
    /// The server.
    pub server: ServerId,
    /// The Welfare Authority's name.
    pub authority: &'a str,
    /// For ids and salts.
    pub chance: SharedChance,
    /// The key for signing off; only online, freshly signed in.
    pub signer: Option<&'a Signer>,
    /// For how many days a look at the HCPC's register is good.
    pub hcpc_days: u32,
    /// For how many hours a case is reached in an emergency.
    pub break_glass_hours: u16,
    /// Who may sign which prescription off.
    pub delegation: &'a Delegation,
    /// The device that brings it, and how many bytes it may bring in a day; `None` at the API.
    pub device: Option<(DeviceId, u64)>,
}

/// Why an ask has no verdict: the store failed, or the rows would not stand still.
pub type Failed = CommitError;

/// A decision: what to write, or why not.
type Decision = Result<Vec<Write>, AskRefusal>;

impl<L: Ledger> Asking<'_, L> {
    /// Who is behind what is written, for the audit log.
    pub(crate) fn by(&self) -> By {
        let device = self.device.map(|(device, _)| device);
        By { at: self.now, account: Some(self.person.account), device }
    }

    /// Decides on an ask; `reading` is what those of the same request have read so far.
    ///
    /// # Errors
    /// [`Failed`]; nothing was decided then. [`CommitError::DayFull`]: it may be asked again the next day.
    pub async fn decide(&self, ask: &Ask, reading: &mut Reading) -> Result<Verdict, Failed> {
        self.settle(ask, Some(reading)).await
    }

    /// Refuses what a device asks that was revoked, and keeps it as what was typed on that device is kept: a visit that
    /// was begun on it is named by nothing else.
    ///
    /// # Errors
    /// As of [`Asking::decide`].
    pub async fn keep(&self, ask: &Ask) -> Result<Verdict, Failed> {
        self.settle(ask, None).await
    }

    /// Decides, or refuses where nothing may be read for it.
    async fn settle(&self, ask: &Ask, mut reading: Option<&mut Reading>) -> Result<Verdict, Failed> {
        let bytes = minicbor::to_vec(ask).unwrap_or_default();
        // When it was asked is no part of what was asked: posted again, it is the same ask.
        let digest = Hash::of(&minicbor::to_vec((ask.id, ask.case, &ask.request)).unwrap_or_default());
        if bytes.len() > MOST_BYTES {
            // Not even kept: its own bounds would refuse it, and each copy of it would have to be carried.
            let why = format!("it has {} bytes, {MOST_BYTES} are allowed", bytes.len());
            return Ok(self.verdict(ask, Err(AskRefusal::Particulars { field: "ask".to_owned(), why })));
        }
        for _ in 0..TRIES {
            if let Some(known) = self.ledger.ask(ask.id).await? {
                let same = known.digest == digest && known.account == self.person.account;
                return Ok(if same { self.told(known).await? } else { self.verdict(ask, Err(AskRefusal::IdTaken)) });
            }
            let decision = match &mut reading {
                Some(reading) => self.weigh(ask, reading).await?,
                None => Err(AskRefusal::NotAllowed),
            };
            let verdict = self.verdict(ask, decision.as_ref().map(|_| ()).map_err(Clone::clone));
            let granted = decision.is_ok();
            let decides = if granted { shown_on(&ask.request) } else { None };
            // What it grants is that they may know of it.
            let lets_know = granted && matches!(ask.request, Request::OpenCase(_) | Request::BreakGlass { .. });
            let mut writes = decision.unwrap_or_default();
            let known = lets_know || self.knows(ask.case).await?;
            if !known && granted {
                // Their right ended since it was weighed.
                continue;
            }
            // A refusal about a case that is not here, or was never theirs to know of, leaves no trace in it.
            if !known && !self.knew(ask.case, reading.is_none()).await? {
                return Ok(verdict);
            }
            // Supervisors are told of who stood in for others, and of what came too late to be decided.
            let told = if granted { stands_in(&ask.request) } else { !known };
            writes.push(Write::Ask(AskRow {
                told,
                ask: ask.id,
                case: ask.case,
                account: self.person.account,
                decides,
                digest,
                bytes: bytes.clone(),
                verdict: verdict.clone(),
                n: 0,
            }));
            let (at, bytes) = (self.now, (bytes.len() as u64).max(LEAST_COUNTED));
            writes.push(match self.device {
                Some((device, most)) => Write::Brought { device, bytes, at, most },
                None => Write::Asked { account: self.person.account, bytes, at, most: MOST_ASKED },
            });
            match self.ledger.commit(Plan { by: self.by(), writes }).await {
                Ok(_) => return Ok(verdict),
                Err(CommitError::Moved) => {}
                Err(error) => return Err(error),
            }
        }
        Err(CommitError::Moved)
    }

    /// A verdict as its person may be told it now: findings, and why something is beyond a delegation, say what stands in
    /// documents, so they go with the right to know of the case.
    pub(crate) async fn told(&self, decided: AskRow) -> Result<Verdict, StorageError> {
        let AskRow { case, verdict, .. } = decided;
        if tells_of_documents(&verdict) && !Reach::read(self.ledger, self.person, case, self.now).await?.may_know() {
            return Ok(Verdict { answer: Answer::Refused(AskRefusal::Unknown), ..verdict });
        }
        Ok(verdict)
    }

    async fn knows(&self, case: CaseId) -> Result<bool, StorageError> {
        Ok(match self.ledger.case(case).await? {
            Some(_) => Reach::read(self.ledger, self.person, case, self.now).await?.may_know(),
            None => false,
        })
    }

    /// Whether this person may know of the case, or once did: a right that ended leaves work behind that is worth keeping.
    pub(crate) async fn knew(&self, case: CaseId, revoked: bool) -> Result<bool, StorageError> {
        if self.ledger.case(case).await?.is_none() {
            // A visit that a device began by itself and could not open any more, because it was revoked.
            return Ok(revoked);
        }
        let relations = self.ledger.relations_to(&[case]).await?;
        let related = relations.iter().any(|relation| relation.account == self.person.account);
        Ok(related || Reach::of(self.person, relations, self.now).may_know())
    }

    fn verdict(&self, ask: &Ask, answer: Result<(), AskRefusal>) -> Verdict {
        let answer = answer.map_or_else(Answer::Refused, |()| Answer::Granted);
        Verdict { ask: ask.id, at: self.now, answer }
    }

    async fn weigh(&self, ask: &Ask, reading: &mut Reading) -> Result<Decision, StorageError> {
        if ask.request.online_only() && self.signer.is_none() {
            return Ok(Err(AskRefusal::OnlineOnly));
        }
        match &ask.request {
            Request::OpenCase(particulars) => self.open_case(ask, particulars).await,
            Request::CloseCase { reason } => self.close_case(ask, reason, reading).await,
            Request::EndRelease { document, reason } => self.end_release(ask, *document, reason).await,
            Request::Release { document, heads, consent } => {
                self.release(ask, (*document, heads), consent, reading).await
            }
            Request::CompleteAssessment { document, heads } => self.complete(ask, (*document, heads), reading).await,
            Request::Submit { document, heads } => self.submit(ask, (*document, heads), reading).await,
            Request::Withdraw { document } => self.withdraw(ask, *document).await,
            Request::Return { document, heads, reasons } => {
                self.give_back(ask, *document, heads, reasons, reading).await
            }
            Request::Reject { document, heads, grounds } => self.reject(ask, *document, heads, grounds).await,
            Request::SignOff { document, heads, grounds, conditions, basis } => {
                self.sign_off(ask, (*document, heads, *basis), (grounds, conditions), reading).await
            }
            Request::Recall { document, number, reason } => self.recall(ask, *document, *number, reason).await,
            Request::TakeOver { document, reason } => self.take_over(ask, *document, reason).await,
            Request::BreakGlass { reason } => self.break_glass(ask, reason).await,
            Request::SurveyDecision { survey, heads, prescription, number, reason, decision } => {
                let of = (*prescription, *number);
                self.survey_decision(ask, (*survey, heads), of, (*decision, reason), reading).await
            }
        }
    }

    /// The document of this kind in the ask's case, if this person may do `action` with it. Unknown and not theirs to
    /// see answer alike.
    async fn document(
        &self,
        ask: &Ask,
        document: DocumentId,
        kind: Kind,
        action: Action,
    ) -> Result<Result<DocumentRow, AskRefusal>, StorageError> {
        let row = self.ledger.document(document).await?.filter(|row| row.case == ask.case && row.kind == kind);
        let Some(row) = row else { return Ok(Err(AskRefusal::Unknown)) };
        let reach = Reach::read(self.ledger, self.person, ask.case, self.now).await?;
        Ok(if reach.may(&row, action) {
            Ok(row)
        } else if reach.may(&row, Action::Read) || reach.may(&row, Action::ReadProjection) {
            Err(AskRefusal::NotAllowed)
        } else {
            Err(AskRefusal::Unknown)
        })
    }

    /// A prescription with its row, if this person may do `action` with it.
    async fn prescription(
        &self,
        ask: &Ask,
        document: DocumentId,
        action: Action,
    ) -> Result<Result<(DocumentRow, PrescriptionRow), AskRefusal>, StorageError> {
        let row = match self.document(ask, document, Kind::Prescription, action).await? {
            Ok(row) => row,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let prescription = self.ledger.prescription(document).await?;
        Ok(prescription.map(|prescription| (row, prescription)).ok_or(AskRefusal::Unknown))
    }

    /// Whether the document holds these heads.
    async fn holds(
        &self,
        row: &DocumentRow,
        heads: &Heads,
        reading: &mut Reading,
    ) -> Result<Result<(), AskRefusal>, StorageError> {
        let holds = are_named(heads) && reading.holds(self.ledger, row, heads).await?;
        Ok(if holds { Ok(()) } else { Err(AskRefusal::HeadsUnknown) })
    }
}

/// Whether these name a version, within the bound.
fn are_named(heads: &Heads) -> bool {
    !heads.is_empty() && heads.len() <= MOST_HEADS
}

/// The document whose card shows it, once granted: it has no row of its own but the ask.
fn shown_on(request: &Request) -> Option<DocumentId> {
    match request {
        Request::CompleteAssessment { document, .. } => Some(*document),
        Request::SurveyDecision { prescription, .. } => Some(*prescription),
        _ => None,
    }
}

/// Whether a verdict says what stands in documents.
pub(crate) const fn tells_of_documents(verdict: &Verdict) -> bool {
    matches!(&verdict.answer, Answer::Refused(AskRefusal::Findings { .. } | AskRefusal::BeyondDelegation { .. }))
}

/// Whether whoever asks stands in for somebody else by it.
const fn stands_in(request: &Request) -> bool {
    matches!(request, Request::TakeOver { .. } | Request::BreakGlass { .. })
}

fn illegal(illegal: Illegal) -> AskRefusal {
    match illegal {
        Illegal::From { from, transition } => AskRefusal::State { state: from.to_owned(), transition },
        Illegal::HeadsMoved => AskRefusal::HeadsMoved,
        Illegal::Unchanged => AskRefusal::Findings { findings: vec![illegal.to_string()] },
    }
}

/// A text that has to be there, within its bound.
fn particular(field: &str, text: &str, most: usize) -> Result<(), AskRefusal> {
    if text.trim().is_empty() {
        return Err(AskRefusal::Particulars { field: field.to_owned(), why: "it may not be empty".to_owned() });
    }
    within(field, text, most)
}

/// A text that may be empty, within its bound.
fn within(field: &str, text: &str, most: usize) -> Result<(), AskRefusal> {
    let found = text.chars().count();
    if found > most {
        let why = format!("it has {found} characters, {most} are allowed");
        return Err(AskRefusal::Particulars { field: field.to_owned(), why });
    }
    Ok(())
}

fn words(field: &str, text: &str) -> Result<(), AskRefusal> {
    particular(field, text, MOST_GROUNDS_CHARACTERS)
}
