//! What one case comes to for one device: how much of it belongs there, what is new of that, what has to leave and why.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::access::Action;
use sync_core::clock::Timestamp;
use sync_core::id::{CaseId, DeviceId, DocumentId, Hash};
use sync_core::protocol::CaseCard;
use sync_core::protocol::card::CaseState;
use sync_core::protocol::sync::{Progress, PurgeReason};

use super::Speaker;
use crate::cards::{self, CaseRows};
use crate::documents::Documents;
use crate::reach::{Directory, Reach};
use crate::storage::StorageError;
use crate::storage::ledger::{Carried, CarryRow, DocumentRow, Ledger, Number, WITHHELD, Write};

/// What of the server's news has come to a device, by its own word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Came {
    /// Everything up to here, but for what [`Came::cut`] says.
    pub(super) after: Number,
    /// Of what was sent behind this place, a cut stream brought only the cases up to one.
    pub(super) cut: Option<(Number, Progress)>,
}

impl Came {
    /// Whether what was sent at the place of this row has come.
    pub(super) fn has(&self, carried: &Carried) -> bool {
        let cut_off = self.cut.is_some_and(|(before, cut)| carried.row.case > cut.after && carried.row.n > before);
        carried.row.n <= self.after && !cut_off
    }
}

/// What a case comes to.
#[derive(Debug)]
pub(super) enum Judged {
    /// Nothing of it is there, and nothing shall be.
    Nothing,
    /// All of it has to leave.
    Lost(PurgeReason),
    /// It belongs there.
    Belongs(Box<Belongs>),
}

/// A case that belongs on the device.
#[derive(Debug, Default)]
pub(super) struct Belongs {
    /// Nothing of it has come yet: it is sent whole, by itself.
    pub(super) whole: bool,
    /// Its card, if it differs from the one that came.
    pub(super) card: Option<CaseCard>,
    /// The documents that are new to the device.
    pub(super) gained: Vec<DocumentRow>,
    /// Those that have to leave.
    pub(super) lost: Vec<(DocumentId, PurgeReason)>,
    /// Those that may be there.
    pub(super) readable: BTreeSet<DocumentId>,
}

/// What cases are judged with.
pub(super) struct Judging<'a, L> {
    pub(super) ledger: &'a L,
    pub(super) directory: &'a Directory,
    pub(super) documents: &'a Documents,
    pub(super) speaker: &'a Speaker<'a>,
    pub(super) now: Timestamp,
    pub(super) came: Came,
    pub(super) chosen: &'a BTreeMap<CaseId, bool>,
    /// The cases in which the device just did something: it has them, whatever it was sent.
    pub(super) named: &'a BTreeSet<CaseId>,
}

impl<L: Ledger> Judging<'_, L> {
    fn device(&self) -> DeviceId {
        self.speaker.device.id
    }

    /// Judges a case by what of it is carried and by its rows, and adds to `writes` what notes it.
    pub(super) async fn judge(
        &self,
        case: CaseId,
        (carried, rows): (&[Carried], Option<&CaseRows>),
        writes: &mut Vec<Write>,
    ) -> Result<Judged, StorageError> {
        let Some((rows, reach)) = rows.and_then(|rows| Some((rows, self.belongs(rows)?))) else {
            return Ok(self.lost(case, carried, rows, writes));
        };
        let card_row = carried.iter().find(|row| row.row.document.is_none());
        let fresh = !carried.iter().any(|row| self.came.has(row));
        let mut belongs = Belongs { whole: fresh, ..Belongs::default() };
        // A card is drawn when it is sent, and what comes whole is sent later.
        let drawn = match fresh {
            true => None,
            false => {
                let read = (self.ledger, self.documents);
                cards::card(read, self.directory, rows, self.speaker.person, self.now).await?
            }
        };
        belongs.readable = match &drawn {
            Some(card) => card.documents.iter().map(|listed| listed.document).collect(),
            None => cards::listed(self.ledger, rows, &reach).await?,
        };
        for row in &rows.documents {
            let carried = carried.iter().find(|carried| carried.row.document == Some(row.document));
            if belongs.readable.contains(&row.document) {
                if carried.is_none_or(|carried| !self.came.has(carried)) {
                    let document = Some(row.document);
                    writes.push(Write::Carry(CarryRow { device: self.device(), case, document, n: 0 }));
                    belongs.gained.push(row.clone());
                }
            } else if let Some(carried) = carried
                && (carried.row.n == WITHHELD || !readable(rows, &reach, row))
            {
                let reason = carried.reason.unwrap_or_else(|| self.why_document(rows, carried));
                if carried.row.n != WITHHELD {
                    let document = Some(row.document);
                    writes.push(Write::Withhold { device: self.device(), case, document, reason });
                }
                belongs.lost.push((row.document, reason));
            }
        }
        if fresh {
            let card = CarryRow { device: self.device(), case, document: None, n: 0 };
            writes.push(Write::Carry(card));
        } else if let Some(card) = drawn {
            let shown = Hash::of(&minicbor::to_vec(&card).unwrap_or_default());
            let same =
                card_row.is_some_and(|row| self.came.has(row) && (row.shown == Some(shown) || self.came_just_now(row)));
            if !same || !belongs.lost.is_empty() {
                writes.push(Write::Card { device: self.device(), case, shown });
                belongs.card = Some(card);
            }
        }
        Ok(Judged::Belongs(Box::new(belongs)))
    }

    /// Whether a card that was not noted when it was sent whole came with the stream that was cut, and nothing moved since.
    fn came_just_now(&self, row: &Carried) -> bool {
        let still = row.touched <= self.came.after && self.speaker.changed <= self.came.after;
        self.came.cut.is_some() && row.shown.is_none() && still
    }

    /// The person before a case that belongs on their device.
    pub(super) fn belongs(&self, rows: &CaseRows) -> Option<Reach> {
        let reach = Reach::of(self.speaker.person, rows.relations.clone(), self.now);
        let chosen = self.chosen.get(&rows.case.case) == Some(&true);
        let belongs = reach.carries() || (chosen && reach.may_know());
        (belongs && rows.case.state != CaseState::Closed && !self.speaker.revoked).then_some(reach)
    }

    fn lost(&self, case: CaseId, carried: &[Carried], rows: Option<&CaseRows>, writes: &mut Vec<Write>) -> Judged {
        if carried.is_empty() {
            let knew = rows.is_some_and(|rows| self.ended(rows));
            if !knew || !self.named.contains(&case) {
                return Judged::Nothing;
            }
            // It began the case itself, and its right ended before it was sent any of it.
            let card = CarryRow { device: self.device(), case, document: None, n: 0 };
            let reason = PurgeReason::Ended;
            writes.push(Write::Carry(card));
            writes.push(Write::Withhold { device: self.device(), case, document: None, reason });
            return Judged::Lost(reason);
        }
        let known = carried.iter().find_map(|row| row.reason.filter(|_| row.row.document.is_none()));
        let reason = known.unwrap_or_else(|| self.why(case, rows));
        if carried.iter().any(|row| row.row.n != WITHHELD) {
            writes.push(Write::Withhold { device: self.device(), case, document: None, reason });
        }
        Judged::Lost(reason)
    }

    /// Why a case has to leave, by the rows as they are.
    fn why(&self, case: CaseId, rows: Option<&CaseRows>) -> PurgeReason {
        if let Some(reason) = self.speaker.why_revoked() {
            return reason;
        }
        let Some(rows) = rows else { return PurgeReason::Ended };
        if rows.case.state == CaseState::Closed {
            return PurgeReason::Closed;
        }
        let unchosen = self.chosen.get(&case) == Some(&false);
        let may_know = Reach::of(self.speaker.person, rows.relations.clone(), self.now).may_know();
        match (self.ended(rows), may_know) {
            (_, true) if unchosen => PurgeReason::NotChosen,
            (true, _) => PurgeReason::Ended,
            (false, true) => PurgeReason::NotChosen,
            // Nothing ended, and still they may not know of it: they are somebody else than they were.
            (false, false) => PurgeReason::Role,
        }
    }

    /// Why one document of a case that stays has to leave.
    fn why_document(&self, rows: &CaseRows, carried: &Carried) -> PurgeReason {
        if self.speaker.changed > carried.row.n {
            PurgeReason::Role
        } else if self.ended(rows) {
            PurgeReason::Ended
        } else {
            PurgeReason::Withdrawn
        }
    }

    /// Whether something that tied them to the case ties them no more.
    fn ended(&self, rows: &CaseRows) -> bool {
        let own = rows.relations.iter().filter(|relation| relation.account == self.speaker.person.account);
        own.into_iter().any(|relation| !relation.holds(self.now))
    }
}

/// Whether a document may be on a device, and for a thread: whether they may know of what it is about.
fn readable(rows: &CaseRows, reach: &Reach, row: &DocumentRow) -> bool {
    let about = row.about.and_then(|about| rows.documents.iter().find(|row| row.document == about));
    let knows = about.is_none_or(|about| reach.may(about, Action::Read) || reach.may(about, Action::ReadProjection));
    reach.may(row, Action::Read) && knows
}
