//! Asks about a prescription: submit, withdraw, return, reject, sign off, recall.

use std::sync::Arc;

use sync_core::access::Action;
use sync_core::domain::returned;
use sync_core::domain::signed::{CoSignature, Content, HEADER_TAG, Header, JUSTIFICATION, Sealed};
use sync_core::domain::signoff::{Anchored, SignedStanding, State, Transition};
use sync_core::domain::specification;
use sync_core::envelope::Signed;
use sync_core::id::{AccountId, DocumentId, Hash, Heads};
use sync_core::protocol::Ask;
use sync_core::protocol::ask::AskRefusal;
use sync_core::protocol::card::CaseState;

use super::{Asking, Decision, Judged, Reading, Signatures, Signing, are_named, illegal, words};
use crate::keys::Signer;
use crate::reach::Person;
use crate::storage::ledger::{Counted, DocumentRow, Ledger, PrescriptionRow, SignOffRow, SignedRow, Write};
use crate::storage::{StorageError, blocking};

/// The most reasons one return gives, and the most conditions of one sign-off.
const MOST_REASONS: usize = 50;
/// The most photos that a prescription may cite, by itself and with the readings it cites.
const MOST_PHOTOS: usize = 1_000;

macro_rules! granted {
    ($answer:expr) => {
        match $answer {
            Ok(granted) => granted,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}

impl<L: Ledger> Asking<'_, L> {
    /// The prescription at this version, with what it rests on.
    async fn judged(
        &self,
        row: &DocumentRow,
        heads: &Heads,
        reading: &mut Reading,
    ) -> Result<Result<Arc<Judged>, AskRefusal>, StorageError> {
        let judged = match are_named(heads) {
            true => reading.judged(self.ledger, row, heads).await?,
            false => None,
        };
        Ok(judged.ok_or(AskRefusal::HeadsUnknown))
    }

    pub(super) async fn submit(
        &self,
        ask: &Ask,
        (document, heads): (DocumentId, &Heads),
        reading: &mut Reading,
    ) -> Result<Decision, StorageError> {
        // The case before all else: one that is closed meanwhile closes without it.
        let Some(case) = self.ledger.case(ask.case).await?.filter(|case| case.state != CaseState::Closed) else {
            return Ok(Err(AskRefusal::Unknown));
        };
        let (row, prescription) = granted!(self.prescription(ask, document, Action::Submit).await?);
        // Its row may say no before anything is read.
        granted!(prescription.state.clone().submit(heads.clone(), Vec::new()).map_err(illegal));
        let judged = granted!(self.judged(&row, heads, reading).await?);
        granted!(in_the_way(&judged));
        for author in reading.authors(self.ledger, document, &judged).await? {
            granted!(self.registered(&row, *author));
        }
        let mut missing = Vec::new();
        if judged.photos.len() > MOST_PHOTOS {
            let why = format!("it cites {} photos, {MOST_PHOTOS} are allowed: cite fewer", judged.photos.len());
            return Ok(Err(AskRefusal::Findings { findings: vec![why] }));
        }
        reading.pass(judged.photos.len());
        for (home, hash) in &judged.photos {
            if self.ledger.photo(*home, *hash).await?.is_none() {
                missing.push(*hash);
            }
        }
        let state = granted!(prescription.state.clone().submit(judged.view.heads.clone(), missing).map_err(illegal));
        // Each submission has a moment of its own: what was signed of an earlier one does not count for it.
        let later = prescription.submitted.map_or(self.now, |(_, before)| self.now.max(before.plus_millis(1)));
        let submitted = Some((self.person.account, later));
        let mut writes = judged.seen.clone();
        writes.push(Write::Expect { of: Counted::Case(case.case), version: case.version });
        writes.push(Write::Prescription(PrescriptionRow { state, submitted, ..prescription }));
        Ok(Ok(writes))
    }

    pub(super) async fn withdraw(&self, ask: &Ask, document: DocumentId) -> Result<Decision, StorageError> {
        let (_, prescription) = granted!(self.prescription(ask, document, Action::Submit).await?);
        let state = granted!(prescription.state.clone().withdraw().map_err(illegal));
        Ok(Ok(vec![Write::Prescription(PrescriptionRow { state, ..prescription })]))
    }

    pub(super) async fn give_back(
        &self,
        ask: &Ask,
        document: DocumentId,
        heads: &Heads,
        reasons: &[Anchored],
        reading: &mut Reading,
    ) -> Result<Decision, StorageError> {
        let (row, prescription) = granted!(self.prescription(ask, document, Action::Decide).await?);
        if reasons.is_empty() || reasons.len() > MOST_REASONS {
            let why = format!("1 to {MOST_REASONS} of them");
            return Ok(Err(AskRefusal::Particulars { field: "reasons".to_owned(), why }));
        }
        for reason in reasons {
            granted!(words("reasons", &reason.text));
        }
        let state = prescription.state.clone().give_back(heads.clone(), reasons.to_vec());
        let state = granted!(state.map_err(illegal));
        let judged = granted!(self.judged(&row, heads, reading).await?);
        for reason in reasons {
            if let Err(why) = returned::anchors(reason, &judged.view) {
                return Ok(Err(AskRefusal::Particulars { field: "reasons".to_owned(), why: why.to_string() }));
            }
        }
        Ok(Ok(vec![Write::Prescription(PrescriptionRow { state, ..prescription })]))
    }

    pub(super) async fn reject(
        &self,
        ask: &Ask,
        document: DocumentId,
        heads: &Heads,
        grounds: &str,
    ) -> Result<Decision, StorageError> {
        let (_, prescription) = granted!(self.prescription(ask, document, Action::Decide).await?);
        granted!(words("grounds", grounds));
        let state = prescription.state.clone().reject(heads.clone(), grounds.to_owned());
        let state = granted!(state.map_err(illegal));
        Ok(Ok(vec![Write::Prescription(PrescriptionRow { state, ..prescription })]))
    }

    pub(super) async fn sign_off(
        &self,
        ask: &Ask,
        (document, heads, basis): (DocumentId, &Heads, Option<Hash>),
        (grounds, conditions): (&str, &[String]),
        reading: &mut Reading,
    ) -> Result<Decision, StorageError> {
        let (row, prescription) = granted!(self.prescription(ask, document, Action::Decide).await?);
        let Some(signer) = self.signer else { return Ok(Err(AskRefusal::OnlineOnly)) };
        granted!(words("grounds", grounds));
        for condition in conditions.iter().take(MOST_REASONS + 1) {
            granted!(words("conditions", condition));
        }
        if conditions.len() > MOST_REASONS {
            let why = format!("at most {MOST_REASONS} of them");
            return Ok(Err(AskRefusal::Particulars { field: "conditions".to_owned(), why }));
        }
        let versions = self.ledger.signed(document).await?;
        reading.pass(versions.len());
        let number = versions.last().map_or(1, |signed| signed.number.saturating_add(1));
        let state = granted!(prescription.state.clone().sign_off(heads.clone(), number).map_err(illegal));
        let judged = granted!(self.judged(&row, heads, reading).await?);
        // Invariant 4: nobody who has a change in the signed history signs it.
        let authors = reading.authors(self.ledger, document, &judged).await?;
        if authors.contains(&self.person.account) || row.authors.contains(&self.person.account) {
            return Ok(Err(AskRefusal::OwnWork));
        }
        for registered in authors.iter().copied().chain([self.person.account]) {
            granted!(self.registered(&row, registered));
        }
        let authors: Vec<AccountId> = authors.iter().copied().collect();
        let signing = Signing { directory: self.directory, delegation: self.delegation };
        let so_far = signing.so_far(self.ledger, (&row, &prescription), &judged, reading).await?;
        let Signatures { prescribed, needed, given } = so_far;
        if !needed.signers.contains(&self.person.role) {
            let because = self.delegation.against(&prescribed, self.person.role);
            return Ok(Err(AskRefusal::BeyondDelegation { signers: needed.signers.into_iter().collect(), because }));
        }
        // Same heads are not same readings: what lies behind them must be what the signer looked at, too.
        match basis {
            Some(looked_at) if looked_at == judged.basis => {}
            Some(_) => return Ok(Err(AskRefusal::HeadsMoved)),
            None => {
                let why = "the `basis` that came with the prescription when you looked at it".to_owned();
                return Ok(Err(AskRefusal::Particulars { field: "basis".to_owned(), why }));
            }
        }
        granted!(in_the_way(&judged));
        let enough = usize::from(needed.signatures);
        let (mine, earlier): (Vec<SignOffRow>, Vec<SignOffRow>) =
            given.into_iter().partition(|row| row.account == self.person.account);
        if !mine.is_empty() && mine.len() + earlier.len() < enough {
            return Ok(Err(AskRefusal::AlreadySigned));
        }
        for person in earlier.iter().filter_map(|signed| self.directory.person(signed.account)) {
            granted!(person.registered(self.hcpc_days, self.now));
        }
        let Some(submitted) = prescription.submitted else { return Ok(Err(AskRefusal::HeadsMoved)) };
        let signature = SignOffRow {
            ask: ask.id,
            document,
            case: row.case,
            account: self.person.account,
            at: self.now,
            heads: heads.clone(),
            basis: judged.basis,
            submitted,
            grounds: grounds.to_owned(),
            conditions: conditions.to_vec(),
        };
        let mut writes = judged.seen.clone();
        writes.push(Write::SignOff(signature.clone()));
        if earlier.len() + 1 < enough {
            // As it stands, so that its count moves: of two who sign at once, one is decided on anew.
            writes.push(Write::Prescription(prescription));
            return Ok(Ok(writes));
        }
        writes.push(Write::Prescription(PrescriptionRow { state, ..prescription }));
        for signed in versions.iter().filter(|signed| signed.standing == SignedStanding::Current) {
            let standing = SignedStanding::Superseded { by: number };
            writes.push(Write::Standing { document, case: row.case, number: signed.number, standing });
        }
        let signed = self.signed_version(signer, (number, &judged), &authors, (signature, &earlier)).await?;
        writes.push(Write::Signed(signed));
        Ok(Ok(writes))
    }

    /// The signed version that the last signature makes.
    async fn signed_version(
        &self,
        signer: &Signer,
        (number, judged): (u32, &Arc<Judged>),
        authors: &[AccountId],
        (last, earlier): (SignOffRow, &[SignOffRow]),
    ) -> Result<SignedRow, StorageError> {
        let SignOffRow { document, case, heads, basis, grounds, conditions, .. } = last;
        let (directory, signed) = (self.directory.clone(), judged.clone());
        let contents = blocking(move || {
            Ok(specification::contents(&signed.view, &signed.behind, &|account| directory.name(account)))
        });
        let mut contents = contents.await?;
        contents.push((format!("{JUSTIFICATION}grounds"), Content::Text(grounds)));
        for (at, signed) in earlier.iter().enumerate() {
            let path = format!("{JUSTIFICATION}co-grounds/{}", at + 1);
            contents.push((path, Content::Text(signed.grounds.clone())));
        }
        let signatory = |account: AccountId| self.directory.person(account).map(Person::signatory);
        let co_signers = earlier.iter().filter_map(|signed| {
            let (at, conditions) = (signed.at, signed.conditions.clone());
            Some(CoSignature { signatory: signatory(signed.account)?, at, conditions })
        });
        let co_signers: Vec<CoSignature> = co_signers.collect();
        let sealed = Sealed::new(contents, &mut self.chance.clone());
        let header = Header {
            tag: HEADER_TAG.to_owned(),
            server: self.server,
            authority: self.authority.to_owned(),
            case,
            prescription: document,
            number,
            heads,
            root: sealed.root(),
            authors: authors.iter().copied().filter_map(signatory).collect(),
            signer: self.person.signatory(),
            at: self.now,
            conditions,
            key: signer.key.id,
            co_signers: (!co_signers.is_empty()).then_some(co_signers),
        };
        let signature = Signed(signer.sign(&header.to_bytes()));
        let (signed, standing) = (sealed.with_signature(header, signature), SignedStanding::Current);
        Ok(SignedRow { document, case, number, signed, basis, standing })
    }

    /// Whether this author or signer may practise. Of an author who has left nobody asks once a colleague has taken their
    /// work over, and answers for it.
    fn registered(&self, row: &DocumentRow, account: AccountId) -> Result<(), AskRefusal> {
        let Some(person) = self.directory.person(account) else { return Ok(()) };
        let here = |other: &AccountId| self.directory.person(*other).is_some_and(|other| other.enabled);
        if !person.enabled && row.authors.iter().any(here) {
            return Ok(());
        }
        person.registered(self.hcpc_days, self.now)
    }

    pub(super) async fn recall(
        &self,
        ask: &Ask,
        document: DocumentId,
        number: u32,
        reason: &str,
    ) -> Result<Decision, StorageError> {
        let (_, prescription) = granted!(self.prescription(ask, document, Action::Recall).await?);
        granted!(words("reason", reason));
        let signed = self.ledger.signed(document).await?;
        let Some(signed) = signed.into_iter().find(|signed| signed.number == number) else {
            return Ok(Err(AskRefusal::Unknown));
        };
        let state = match signed.standing {
            SignedStanding::Current => prescription.state.clone().recalled(number, reason),
            SignedStanding::Superseded { .. } | SignedStanding::Recalled { .. } => {
                let state = State::name(&prescription.state).to_owned();
                return Ok(Err(AskRefusal::State { state, transition: Transition::Recall }));
            }
        };
        let standing = SignedStanding::Recalled { at: self.now, reason: reason.to_owned() };
        Ok(Ok(vec![
            Write::Prescription(PrescriptionRow { state, ..prescription }),
            Write::Standing { document, case: ask.case, number, standing },
        ]))
    }
}

/// Refuses what can't go on as it is.
fn in_the_way(judged: &Judged) -> Result<(), AskRefusal> {
    match judged.in_the_way.clone() {
        findings if findings.is_empty() => Ok(()),
        findings => Err(AskRefusal::Findings { findings }),
    }
}
