//! Asks about a prescription: submit, withdraw, return, reject, sign off, recall.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::access::Action;
use sync_core::domain::document::Document;
use sync_core::domain::finding;
use sync_core::domain::kind::Kind;
use sync_core::domain::record::Value;
use sync_core::domain::signed::{Content, HEADER_TAG, Header, JUSTIFICATION, Sealed};
use sync_core::domain::signoff::{Anchored, SignedStanding, State, Transition};
use sync_core::domain::specification;
use sync_core::domain::view::View;
use sync_core::envelope::Signed;
use sync_core::id::{AccountId, DocumentId, Hash, Heads};
use sync_core::protocol::Ask;
use sync_core::protocol::ask::AskRefusal;
use sync_core::protocol::card::CaseState;

use super::{Asking, Decision, MOST_HEADS, illegal, words};
use crate::documents;
use crate::storage::StorageError;
use crate::storage::ledger::{Counted, DocumentRow, Ledger, PrescriptionRow, SignedRow, Write};

/// The most reasons one return gives, and the most conditions of one sign-off.
const MOST_REASONS: usize = 50;

/// What a prescription rests on, at the version that is judged.
struct Judged {
    whole: Document,
    view: View,
    behind: BTreeMap<DocumentId, View>,
    /// The versions of all that was looked at: what is decided on them is written only while they stand.
    seen: Vec<Write>,
}

macro_rules! granted {
    ($answer:expr) => {
        match $answer {
            Ok(granted) => granted,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}

impl<L: Ledger> Asking<'_, L> {
    async fn judged(&self, row: &DocumentRow, heads: &Heads) -> Result<Result<Judged, AskRefusal>, StorageError> {
        // The versions before the documents: one that moves in between is noticed when the decision is written.
        let rows = self.ledger.documents_of(&[row.case]).await?;
        let seen = rows
            .iter()
            .filter(|other| {
                other.document == row.document || matches!(other.kind, Kind::Home | Kind::Clinical | Kind::Survey)
            })
            .map(|other| Write::Expect { of: Counted::Document(other.document), version: other.version })
            .collect();
        let (_, whole) = documents::load(self.ledger, row).await?;
        let named = !heads.is_empty() && heads.len() <= MOST_HEADS;
        let Some(then) = whole.at(heads).filter(|_| named) else {
            return Ok(Err(AskRefusal::HeadsUnknown));
        };
        let behind = documents::views_behind(self.ledger, row.case).await?;
        Ok(Ok(Judged { view: then.view(), whole, behind, seen }))
    }

    /// What stands in the way of submitting and signing.
    fn in_the_way(document: DocumentId, judged: &Judged) -> Result<(), AskRefusal> {
        let weights = judged.behind.values().filter(|view| view.kind == Kind::Clinical);
        let weight = weights
            .filter_map(|view| match view.named(None, "person.weight") {
                Some(Value::Number(weight)) => Some(*weight),
                _ => None,
            })
            .max();
        let findings: Vec<String> = finding::of_prescription(document, &judged.view, &judged.behind, weight)
            .into_iter()
            .filter(finding::Finding::blocks)
            .map(|finding| match finding.what {
                // The weight may come from an assessment that this person may not read.
                finding::What::LoadUnderWeight { load, .. } => {
                    format!("the required load of {load} kg is under the client's weight")
                }
                _ => finding.to_string(),
            })
            .collect();
        if findings.is_empty() { Ok(()) } else { Err(AskRefusal::Findings { findings }) }
    }

    pub(super) async fn submit(
        &self,
        ask: &Ask,
        document: DocumentId,
        heads: &Heads,
    ) -> Result<Decision, StorageError> {
        // The case before all else: one that is closed meanwhile closes without it.
        let Some(case) = self.ledger.case(ask.case).await?.filter(|case| case.state != CaseState::Closed) else {
            return Ok(Err(AskRefusal::Unknown));
        };
        let (row, prescription) = granted!(self.prescription(ask, document, Action::Submit).await?);
        let judged = granted!(self.judged(&row, heads).await?);
        granted!(Self::in_the_way(document, &judged));
        for author in self.authors(&row, &judged.whole, heads).await? {
            granted!(self.registered(author));
        }
        let mut missing = Vec::new();
        for (home, hash) in finding::photos_cited(&judged.view, &judged.behind) {
            if self.ledger.photo(home, hash).await?.is_none() {
                missing.push(hash);
            }
        }
        let state = granted!(prescription.state.clone().submit(judged.view.heads.clone(), missing).map_err(illegal));
        let submitted = Some((self.person.account, self.now));
        let mut writes = judged.seen;
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
    ) -> Result<Decision, StorageError> {
        let (_, prescription) = granted!(self.prescription(ask, document, Action::Decide).await?);
        if reasons.is_empty() || reasons.len() > MOST_REASONS {
            let why = format!("1 to {MOST_REASONS} of them");
            return Ok(Err(AskRefusal::Particulars { field: "reasons".to_owned(), why }));
        }
        for reason in reasons {
            granted!(words("reasons", &reason.text));
        }
        let state = prescription.state.clone().give_back(heads.clone(), reasons.to_vec());
        let state = granted!(state.map_err(illegal));
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
        grounds: &str,
        conditions: &[String],
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
        let earlier = self.ledger.signed(document).await?;
        let number = earlier.last().map_or(1, |signed| signed.number.saturating_add(1));
        let state = granted!(prescription.state.clone().sign_off(heads.clone(), number).map_err(illegal));
        let judged = granted!(self.judged(&row, heads).await?);
        // Invariant 4: nobody who has a change in the signed history signs it.
        let authors = self.authors(&row, &judged.whole, heads).await?;
        if authors.contains(&self.person.account) || row.authors.contains(&self.person.account) {
            return Ok(Err(AskRefusal::OwnWork));
        }
        for registered in authors.iter().copied().chain([self.person.account]) {
            granted!(self.registered(registered));
        }
        // Same heads are not same readings: what lies behind them must be what the signer looked at, too.
        let rests_on = specification::basis(&judged.view, &judged.behind);
        match basis {
            Some(looked_at) if looked_at == rests_on => {}
            Some(_) => return Ok(Err(AskRefusal::HeadsMoved)),
            None => {
                let why = "the `basis` that came with the prescription when you looked at it".to_owned();
                return Ok(Err(AskRefusal::Particulars { field: "basis".to_owned(), why }));
            }
        }
        granted!(Self::in_the_way(document, &judged));
        let name = |account: AccountId| self.directory.name(account);
        let mut contents = specification::contents(&judged.view, &judged.behind, &name);
        contents.push((format!("{JUSTIFICATION}grounds"), Content::Text(grounds.to_owned())));
        let sealed = Sealed::new(contents, &mut self.chance.clone());
        let header = Header {
            tag: HEADER_TAG.to_owned(),
            server: self.server,
            authority: self.authority.to_owned(),
            case: row.case,
            prescription: document,
            number,
            heads: heads.clone(),
            root: sealed.root(),
            authors: authors
                .iter()
                .filter_map(|account| self.directory.person(*account))
                .map(crate::reach::Person::signatory)
                .collect(),
            signer: self.person.signatory(),
            at: self.now,
            conditions: conditions.to_vec(),
            key: signer.key.id,
        };
        let signature = Signed(signer.sign(&header.to_bytes()));
        let mut writes = judged.seen;
        writes.push(Write::Prescription(PrescriptionRow { state, ..prescription }));
        for signed in earlier.iter().filter(|signed| signed.standing == SignedStanding::Current) {
            let standing = SignedStanding::Superseded { by: number };
            writes.push(Write::Standing { document, number: signed.number, standing });
        }
        writes.push(Write::Signed(SignedRow {
            document,
            case: row.case,
            number,
            signed: sealed.with_signature(header, signature),
            basis: rests_on,
            standing: SignedStanding::Current,
        }));
        Ok(Ok(writes))
    }

    /// An occupational therapist is one by registration with the HCPC (Health Professions Order 2001 art. 39): without
    /// a number on record nobody prescribes or signs as one.
    fn registered(&self, account: AccountId) -> Result<(), AskRefusal> {
        match self.directory.person(account) {
            Some(person) if person.role.is_registered() && person.hcpc.is_none() => {
                Err(AskRefusal::Unregistered { name: person.name.clone() })
            }
            _ => Ok(()),
        }
    }

    /// The people who have a change in the history of these heads.
    async fn authors(
        &self,
        row: &DocumentRow,
        whole: &Document,
        heads: &Heads,
    ) -> Result<BTreeSet<AccountId>, StorageError> {
        let history: BTreeSet<Hash> = whole.history_of(heads).into_iter().collect();
        let changes = self.ledger.changes(row.document, 0).await?;
        Ok(changes.into_iter().filter(|change| history.contains(&change.hash)).map(|change| change.account).collect())
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
            Write::Standing { document, number, standing },
        ]))
    }
}
