//! Asks of those who stand in for others: who takes a prescription over, who breaks the glass. Supervisors are told.

use sync_core::access::{Action, Relation};
use sync_core::id::DocumentId;
use sync_core::protocol::Ask;
use sync_core::protocol::ask::AskRefusal;
use sync_core::protocol::card::CaseState;

use super::{Asking, Decision, words};
use crate::reach::Reach;
use crate::storage::StorageError;
use crate::storage::ledger::{Counted, Ledger, RelationRow, Write};

/// How long before a case would be reached no longer it may be asked for again, in milliseconds.
const HOUR: i64 = 60 * 60 * 1000;

impl<L: Ledger> Asking<'_, L> {
    /// Makes somebody a co-author of a prescription whose authors are gone. Four eyes goes on: whoever took it over
    /// does not sign it.
    pub(super) async fn take_over(
        &self,
        ask: &Ask,
        document: DocumentId,
        reason: &str,
    ) -> Result<Decision, StorageError> {
        if let Err(refusal) = words("reason", reason) {
            return Ok(Err(refusal));
        }
        // The case before who is tied to it: a tie that begins in between is noticed when this is written.
        let Some(case) = self.ledger.case(ask.case).await?.filter(|case| case.state != CaseState::Closed) else {
            return Ok(Err(AskRefusal::Unknown));
        };
        let (row, prescription) = match self.prescription(ask, document, Action::TakeOver).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if row.authors.contains(&self.person.account) {
            let why = "you are one of its authors already".to_owned();
            return Ok(Err(AskRefusal::Particulars { field: "document".to_owned(), why }));
        }
        let relations = self.ledger.relations_to(&[ask.case]).await?;
        if !Reach::authors_are_gone(self.directory, &row, &relations, self.now) {
            let why = "an author is still on the case: ask them, or have what ties them to it ended".to_owned();
            return Ok(Err(AskRefusal::Particulars { field: "document".to_owned(), why }));
        }
        Ok(Ok(vec![
            Write::Expect { of: Counted::Case(case.case), version: case.version },
            Write::Expect { of: Counted::Prescription(document), version: prescription.version },
            Write::Author { document, case: case.case, account: self.person.account },
        ]))
    }

    /// Reaches a case in an emergency, for some hours. The reason is the ask itself, kept with its verdict.
    pub(super) async fn break_glass(&self, ask: &Ask, reason: &str) -> Result<Decision, StorageError> {
        if let Err(refusal) = words("reason", reason) {
            return Ok(Err(refusal));
        }
        let Some(case) = self.ledger.case(ask.case).await? else { return Ok(Err(AskRefusal::Unknown)) };
        let reach = Reach::read(self.ledger, self.person, ask.case, self.now).await?;
        if !reach.standing().may_break_glass() {
            return Ok(Err(if reach.may_know() { AskRefusal::NotAllowed } else { AskRefusal::Unknown }));
        }
        let in_the_way = if case.state == CaseState::Closed {
            Some("it is closed, and nothing is done in it any more")
        } else if reach.relations().iter().any(|row| row.ends.is_none_or(|ends| self.now.plus_millis(HOUR) < ends)) {
            Some("you are on this case already")
        } else {
            None
        };
        if let Some(why) = in_the_way {
            return Ok(Err(AskRefusal::Particulars { field: "case".to_owned(), why: why.to_owned() }));
        }
        let ends = self.now.plus_millis(i64::from(self.break_glass_hours) * HOUR);
        Ok(Ok(vec![
            Write::Expect { of: Counted::Case(case.case), version: case.version },
            Write::Relation(RelationRow {
                account: self.person.account,
                case: case.case,
                relation: Relation::BreakGlass,
                commission: None,
                starts: self.now,
                ends: Some(ends),
            }),
        ]))
    }
}
