//! What a plan means for the audit log. Every kind of write says here what is logged of it, so that nobody who writes
//! can forget to.

use std::collections::BTreeMap;

use sync_core::id::{CaseId, DeviceId, DocumentId};
use sync_core::protocol::Ask;
use sync_core::protocol::ask::Answer;

use super::{AskRow, CarryRow, CaseRow, Plan, QuarantineRow, RelationRow, SignedRow, Write};
use crate::storage::audit::{Act, Done};

impl Plan {
    /// What is logged of this plan, in its order; what a device is sent of a case comes last, as one entry.
    pub(super) fn done(&self) -> Vec<Done> {
        let mut done = Vec::new();
        let mut sent: BTreeMap<(DeviceId, CaseId), (u32, bool)> = BTreeMap::new();
        for write in &self.writes {
            let act = |case: CaseId, document, act| Done { case: Some(case), document, act };
            match write {
                Write::Case(CaseRow { case, .. }) => done.push(act(*case, None, Act::CaseChanged)),
                Write::Relation(RelationRow { account, case, relation, starts, ends, .. }) => {
                    let tied = Act::Tied { whom: *account, relation: *relation, starts: *starts, ends: *ends };
                    done.push(act(*case, None, tied));
                }
                Write::Document(row) => done.push(act(row.case, Some(row.document), Act::Began)),
                Write::Append { document, case, changes, .. } => {
                    done.push(act(*case, Some(*document), Act::Wrote { changes: counted(changes.len()) }));
                }
                Write::Author { document, case, account } => {
                    done.push(act(*case, Some(*document), Act::Joined { whom: *account }));
                }
                Write::Signed(SignedRow { document, case, number, .. }) => {
                    done.push(act(*case, Some(*document), Act::Signed { number: *number }));
                }
                Write::Standing { document, case, number, .. } => {
                    done.push(act(*case, Some(*document), Act::Withdrawn { number: *number }));
                }
                Write::Quarantine(QuarantineRow { quarantine, case, document, .. }) => {
                    done.push(act(*case, Some(*document), Act::SetAside { quarantine: *quarantine }));
                }
                Write::Ask(row) => {
                    let (document, asked) = asked(row);
                    done.push(act(row.case, document, asked));
                }
                Write::Photo(row) => done.push(act(row.case, Some(row.document), Act::PhotoCame { hash: row.hash })),
                Write::Carry(CarryRow { device, case, document, .. }) => {
                    let (documents, card) = sent.entry((*device, *case)).or_default();
                    match document {
                        Some(_) => *documents = documents.saturating_add(1),
                        None => *card = true,
                    }
                }
                Write::Card { device, case, .. } => sent.entry((*device, *case)).or_default().1 = true,
                Write::Withhold { device, case, document, reason } => {
                    done.push(act(*case, *document, Act::Withheld { from: *device, reason: *reason }));
                }
                Write::Purged(row) => done.push(act(row.case, row.document, Act::Purged)),
                Write::Act(of) => done.push(of.clone()),
                // Told by what is written beside it: the relation of a commission, the ask or photo that moves a
                // prescription, the ask that is a signature, the receipt of what is no longer carried.
                Write::Commission(_) | Write::Prescription(_) | Write::SignOff(_) | Write::Uncarry { .. } => {}
                // Caches and counters, and what a device wishes: it is logged when that is sent.
                Write::Frame { .. }
                | Write::Resum(_)
                | Write::Choose { .. }
                | Write::Backup(_)
                | Write::Touch(_)
                | Write::TouchShown(_)
                | Write::Brought { .. }
                | Write::Asked { .. }
                | Write::Expect { .. } => {}
            }
        }
        let sent = sent.into_iter().map(|((_, case), (documents, card))| Done {
            case: Some(case),
            document: None,
            act: Act::Sent { documents, card },
        });
        done.extend(sent);
        done
    }
}

fn asked(row: &AskRow) -> (Option<DocumentId>, Act) {
    let asked: Option<Ask> = minicbor::decode(&row.bytes).ok();
    let request = asked.as_ref().map_or("unreadable", |ask| ask.request.name()).to_owned();
    let document = asked.and_then(|ask| ask.request.document());
    (document, Act::Asked { ask: row.ask, request, granted: row.verdict.answer == Answer::Granted })
}

fn counted(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
