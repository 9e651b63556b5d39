//! What is asked and has to wait, because what it rests on does. Both ends go by it: a device holds such asks back, and a
//! server that puts changes off leaves what came beside them undecided, so that the device asks again.

use std::collections::BTreeSet;

use crate::id::{CaseId, DocumentId};
use crate::protocol::{Ask, Request};

/// What waits; asks are to be gone through in the order in which they were asked.
#[derive(Debug, Clone, Default)]
pub struct Waits {
    /// Documents, and cases, of which changes wait.
    changed: BTreeSet<DocumentId>,
    cases: BTreeSet<CaseId>,
    /// Documents, and cases, of which asks wait.
    asked: BTreeSet<DocumentId>,
    asked_in: BTreeSet<CaseId>,
    unopened: BTreeSet<CaseId>,
}

impl Waits {
    /// Changes of this document wait.
    pub fn change(&mut self, case: CaseId, document: DocumentId) {
        self.changed.insert(document);
        self.cases.insert(case);
    }

    /// Changes of this document wait for some that the server lost. They may be another's to hand in, and nobody knows when:
    /// the rest of the case does not wait for them.
    pub fn lacks(&mut self, document: DocumentId) {
        self.changed.insert(document);
    }

    /// This ask waits, and what was asked behind it with it: nothing is taken back before it was given.
    pub fn ask(&mut self, ask: &Ask) {
        if matches!(ask.request, Request::OpenCase(_)) {
            self.unopened.insert(ask.case);
        }
        self.asked.extend(ask.request.document());
        self.asked_in.insert(ask.case);
    }

    /// Whether the case waits to be opened, and everything in it does.
    pub fn unopened(&self, case: CaseId) -> bool {
        self.unopened.contains(&case)
    }

    /// Whether this ask has to wait. What takes something back speaks of no version, and waits for no changes.
    pub fn hold(&self, ask: &Ask) -> bool {
        let waits = match &ask.request {
            Request::OpenCase(_) => return false,
            // A case that is closed takes nothing in any more, and a prescription cites the other documents of its case.
            Request::CloseCase { .. } => self.cases.contains(&ask.case) || self.asked_in.contains(&ask.case),
            Request::Submit { document, .. } => self.cases.contains(&ask.case) || self.changed.contains(document),
            Request::EndRelease { .. }
            | Request::Withdraw { .. }
            | Request::Recall { .. }
            | Request::TakeOver { .. }
            | Request::BreakGlass { .. } => false,
            Request::Release { document, .. }
            | Request::CompleteAssessment { document, .. }
            | Request::Return { document, .. }
            | Request::Reject { document, .. }
            | Request::SignOff { document, .. } => self.changed.contains(document),
            Request::SurveyDecision { survey, .. } => self.changed.contains(survey),
        };
        let behind = ask.request.document().is_some_and(|document| self.asked.contains(&document));
        waits || behind || self.unopened(ask.case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Stamp, Timestamp};
    use crate::id::{AskId, Hash};

    const CASE: CaseId = CaseId::from_bytes([1; 16]);
    const HOME: DocumentId = DocumentId::from_bytes([2; 17]);
    const CLINICAL: DocumentId = DocumentId::from_bytes([3; 17]);
    const PRESCRIPTION: DocumentId = DocumentId::from_bytes([4; 17]);

    fn ask(request: Request) -> Ask {
        let at = Stamp { claimed: Timestamp::from_millis(0), elapsed: 0, offset: None };
        Ask { id: AskId::from_bytes([0; 16]), at, case: CASE, request }
    }

    fn asks() -> [Ask; 6] {
        let heads = vec![Hash::of(b"as it was seen")];
        let some = || "A reason.".to_owned();
        [
            Request::Release { document: HOME, heads: heads.clone(), consent: some() },
            Request::EndRelease { document: HOME, reason: some() },
            Request::CompleteAssessment { document: CLINICAL, heads: heads.clone() },
            Request::Submit { document: PRESCRIPTION, heads },
            Request::Withdraw { document: PRESCRIPTION },
            Request::CloseCase { reason: some() },
        ]
        .map(ask)
    }

    /// Which of them wait, each with what was asked before it.
    fn held(mut waits: Waits) -> Vec<&'static str> {
        let mut held = Vec::new();
        for ask in asks() {
            if waits.hold(&ask) {
                waits.ask(&ask);
                held.push(ask.request.name());
            }
        }
        held
    }

    #[test]
    fn what_is_asked_waits_for_the_changes_it_rests_on_and_for_what_was_asked_before() {
        assert_eq!(held(Waits::default()), [] as [&str; 0]);
        let changed = |document| {
            let mut waits = Waits::default();
            waits.change(CASE, document);
            held(waits)
        };
        assert_eq!(changed(HOME), ["release", "end_release", "submit", "withdraw", "close_case"]);
        assert_eq!(changed(CLINICAL), ["complete_assessment", "submit", "withdraw", "close_case"]);
        assert_eq!(changed(PRESCRIPTION), ["submit", "withdraw", "close_case"]);
        let lacks = |document| {
            let mut waits = Waits::default();
            waits.lacks(document);
            held(waits)
        };
        assert_eq!(lacks(CLINICAL), ["complete_assessment", "close_case"]);
        assert_eq!(lacks(PRESCRIPTION), ["submit", "withdraw", "close_case"]);
        let mut elsewhere = Waits::default();
        elsewhere.change(CaseId::from_bytes([9; 16]), DocumentId::from_bytes([9; 17]));
        assert_eq!(held(elsewhere), [] as [&str; 0]);
    }

    #[test]
    fn consent_is_taken_back_at_once_where_nothing_that_gave_it_waits() {
        let mut waits = Waits::default();
        waits.change(CASE, HOME);
        let [release, end, ..] = asks();
        assert!(!waits.hold(&end));
        waits.ask(&release);
        assert!(waits.hold(&end), "or it would be given behind its end");
    }

    #[test]
    fn everything_in_a_case_that_is_not_open_yet_waits() {
        let mut waits = Waits::default();
        let opening = ask(Request::OpenCase(crate::protocol::ask::OpenCase {
            name: "Elsie Marsh".to_owned(),
            address: "4 Mill Lane".to_owned(),
            born: None,
            home: HOME,
            clinical: CLINICAL,
        }));
        assert!(!waits.hold(&opening));
        waits.ask(&opening);
        assert!(waits.unopened(CASE) && !waits.hold(&opening));
        assert_eq!(held(waits).len(), 6);
    }
}
