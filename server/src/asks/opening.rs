//! Asks about a case and its documents: open, close, release, complete, and Housing's decision.

use sync_core::access::{Action, Relation};
use sync_core::domain::kind::Kind;
use sync_core::domain::signoff::{SignedStanding, State};
use sync_core::id::{DocumentId, Heads};
use sync_core::protocol::ask::{AskRefusal, MOST_GROUNDS_CHARACTERS, OpenCase, Practicable};
use sync_core::protocol::card::CaseState;
use sync_core::protocol::{Ask, Request};

use super::{
    Asking, Decision, MOST_COMPLETIONS, MOST_DECISIONS, Reading, are_named, in_words, particular, within, words,
};
use crate::reach::Reach;
use crate::storage::StorageError;
use crate::storage::ledger::{AskRow, CaseRow, Counted, DocumentRow, Ledger, RelationRow, Released, Write};

impl<L: Ledger> Asking<'_, L> {
    pub(super) async fn open_case(&self, ask: &Ask, particulars: &OpenCase) -> Result<Decision, StorageError> {
        if !self.person.role.may_open_case() {
            return Ok(Err(AskRefusal::NotAllowed));
        }
        let checked = particular("name", &particulars.name, 200)
            .and_then(|()| particular("address", &particulars.address, 400))
            .and_then(|()| match &particulars.born {
                Some(born)
                    if time::Date::parse(born, &time::format_description::well_known::Iso8601::DATE).is_err() =>
                {
                    let why = "a date as YYYY-MM-DD".to_owned();
                    Err(AskRefusal::Particulars { field: "born".to_owned(), why })
                }
                _ => Ok(()),
            });
        if let Err(refusal) = checked {
            return Ok(Err(refusal));
        }
        // Ids are random: a case or document that is there already was not opened by this ask.
        if self.ledger.case(ask.case).await?.is_some()
            || self.ledger.document(particulars.home).await?.is_some()
            || self.ledger.document(particulars.clinical).await?.is_some()
            || particulars.home == particulars.clinical
        {
            return Ok(Err(AskRefusal::IdTaken));
        }
        let document = |document: DocumentId, kind: Kind| {
            Write::Document(DocumentRow {
                document,
                case: ask.case,
                kind,
                commission: None,
                about: None,
                authors: vec![self.person.account],
                version: 0,
                heads: vec![kind.skeleton_hash()],
            })
        };
        Ok(Ok(vec![
            Write::Case(CaseRow {
                case: ask.case,
                reference: None,
                organisation: self.person.organisation,
                state: CaseState::Unmatched,
                name: particulars.name.trim().to_owned(),
                address: particulars.address.trim().to_owned(),
                contact: None,
                visitor_risk: None,
                uprn: None,
                born: particulars.born.clone(),
                nhs_number: None,
                opened_by: Some(self.person.account),
                created: self.now,
                released: None,
                version: 0,
            }),
            Write::Relation(RelationRow {
                account: self.person.account,
                case: ask.case,
                relation: Relation::Allocated,
                commission: None,
                starts: self.now,
                ends: None,
            }),
            document(particulars.home, Kind::Home),
            document(particulars.clinical, Kind::Clinical),
        ]))
    }

    pub(super) async fn release(
        &self,
        ask: &Ask,
        (document, heads): (DocumentId, &Heads),
        consent: &str,
        reading: &mut Reading,
    ) -> Result<Decision, StorageError> {
        if let Err(refusal) = words("consent", consent) {
            return Ok(Err(refusal));
        }
        let row = match self.document(ask, document, Kind::Home, Action::Release).await? {
            Ok(row) => row,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Err(refusal) = self.holds(&row, heads, reading).await? {
            return Ok(Err(refusal));
        }
        let Some(case) = self.ledger.case(ask.case).await? else { return Ok(Err(AskRefusal::Unknown)) };
        // Released once is released: the ask itself, kept with its verdict, is the record of the consent.
        let earlier = case.released.filter(|released| released.home == document);
        let released = earlier.or(Some(Released { home: document, at: self.now, by: self.person.account }));
        Ok(Ok(vec![Write::Case(CaseRow { released, ..case })]))
    }

    /// The record of why is the ask itself, kept with its verdict.
    pub(super) async fn end_release(
        &self,
        ask: &Ask,
        document: DocumentId,
        reason: &str,
    ) -> Result<Decision, StorageError> {
        if let Err(refusal) = words("reason", reason) {
            return Ok(Err(refusal));
        }
        if let Err(refusal) = self.document(ask, document, Kind::Home, Action::Release).await? {
            return Ok(Err(refusal));
        }
        let Some(case) = self.ledger.case(ask.case).await? else { return Ok(Err(AskRefusal::Unknown)) };
        // Not released, or taken back before: so it is as asked.
        let released = case.released.filter(|released| released.home != document);
        Ok(Ok(vec![Write::Case(CaseRow { released, ..case })]))
    }

    /// Closes a case with which nobody waits for a decision. Its relations end, so nothing of it stays on a device; work
    /// that comes later is kept in quarantine.
    pub(super) async fn close_case(
        &self,
        ask: &Ask,
        reason: &str,
        reading: &mut Reading,
    ) -> Result<Decision, StorageError> {
        if let Err(refusal) = words("reason", reason) {
            return Ok(Err(refusal));
        }
        // The case before all else that is read: what moves meanwhile moves its version.
        let Some(case) = self.ledger.case(ask.case).await? else { return Ok(Err(AskRefusal::Unknown)) };
        let reach = Reach::read(self.ledger, self.person, ask.case, self.now).await?;
        if !reach.may_know() {
            return Ok(Err(AskRefusal::Unknown));
        }
        if !reach.standing().may_close_case() {
            return Ok(Err(AskRefusal::NotAllowed));
        }
        let (mut findings, mut writes) = (Vec::new(), Vec::new());
        let prescriptions = self.ledger.prescriptions_of(&[ask.case]).await?;
        reading.pass(prescriptions.len());
        for row in prescriptions {
            if matches!(row.state, State::Submitted { .. } | State::AwaitingPhotos { .. }) {
                findings.push("a prescription waits for sign-off: have it decided or withdraw it".to_owned());
            }
            writes.push(Write::Expect { of: Counted::Prescription(row.document), version: row.version });
        }
        if !findings.is_empty() {
            return Ok(Err(AskRefusal::Findings { findings: in_words(findings.into_iter()) }));
        }
        writes.push(Write::Case(CaseRow { state: CaseState::Closed, ..case }));
        let open = self.ledger.relations_to(&[ask.case]).await?.into_iter().filter(|relation| !relation.over(self.now));
        writes.extend(open.map(|relation| Write::Relation(RelationRow { ends: Some(self.now), ..relation })));
        Ok(Ok(writes))
    }

    pub(super) async fn complete(
        &self,
        ask: &Ask,
        (document, heads): (DocumentId, &Heads),
        reading: &mut Reading,
    ) -> Result<Decision, StorageError> {
        let row = match self.document(ask, document, Kind::Clinical, Action::CompleteAssessment).await? {
            Ok(row) => row,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !are_named(heads) {
            return Ok(Err(AskRefusal::HeadsUnknown));
        }
        let completed = self.ledger.decided_on(document).await?.len();
        reading.pass(completed);
        if completed >= MOST_COMPLETIONS {
            let why = format!("it was completed {MOST_COMPLETIONS} times, which is the most: begin another assessment");
            return Ok(Err(AskRefusal::Particulars { field: "document".to_owned(), why }));
        }
        Ok(match reading.incomplete(self.ledger, &row, heads).await? {
            Some(findings) if findings.is_empty() => Ok(Vec::new()),
            Some(findings) => Err(AskRefusal::Findings { findings }),
            None => Err(AskRefusal::HeadsUnknown),
        })
    }

    pub(super) async fn survey_decision(
        &self,
        ask: &Ask,
        survey: (DocumentId, &Heads),
        prescription: (DocumentId, u32),
        (decision, reason): (Practicable, &str),
        reading: &mut Reading,
    ) -> Result<Decision, StorageError> {
        let said = match decision {
            Practicable::Yes => within("reason", reason, MOST_GROUNDS_CHARACTERS),
            Practicable::WithChange | Practicable::No => words("reason", reason),
        };
        if let Err(refusal) = said {
            return Ok(Err(refusal));
        }
        let row = match self.document(ask, survey.0, Kind::Survey, Action::SurveyDecision).await? {
            Ok(row) => row,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Err(refusal) = self.holds(&row, survey.1, reading).await? {
            return Ok(Err(refusal));
        }
        // Its version before its signed versions: a recall or a new one in between is noticed when this is written.
        let Some(row) = self.ledger.prescription(prescription.0).await?.filter(|row| row.case == ask.case) else {
            return Ok(Err(AskRefusal::Unknown));
        };
        let signed = self.ledger.signed(prescription.0).await?;
        reading.pass(signed.len());
        let current = signed.iter().find(|signed| signed.number == prescription.1);
        Ok(match current {
            Some(signed) if signed.standing == SignedStanding::Current => {
                if self.decisions_on(prescription, reading).await? >= MOST_DECISIONS {
                    let why = format!(
                        "it was decided on {MOST_DECISIONS} times, which is the most: have a new version signed"
                    );
                    return Ok(Err(AskRefusal::Particulars { field: "number".to_owned(), why }));
                }
                let of = Counted::Prescription(prescription.0);
                Ok(vec![Write::Expect { of, version: row.version }])
            }
            Some(_) => Err(AskRefusal::HeadsMoved),
            None => Err(AskRefusal::Unknown),
        })
    }

    /// How often a signed version was decided on.
    async fn decisions_on(
        &self,
        (prescription, number): (DocumentId, u32),
        reading: &mut Reading,
    ) -> Result<usize, StorageError> {
        let rows = self.ledger.decided_on(prescription).await?;
        reading.pass(rows.len());
        let on_it = |row: &AskRow| match minicbor::decode::<Ask>(&row.bytes).map(|ask| ask.request) {
            Ok(Request::SurveyDecision { number: of, .. }) => of == number,
            _ => false,
        };
        Ok(rows.iter().filter(|row| on_it(row)).count())
    }
}
