//! Whose signatures a prescription needs, and which of those that it has count.

use std::collections::BTreeSet;

use sync_core::access::Role;
use sync_core::access::delegation::{Delegation, Needed, Prescribed};
use sync_core::id::{AccountId, Hash, Heads};

use super::{Judged, Reading};
use crate::reach::Directory;
use crate::storage::StorageError;
use crate::storage::ledger::{DocumentRow, Ledger, PrescriptionRow, SignOffRow};

/// By what signatures are judged: who there is, and what the council delegates.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    /// Everyone.
    pub directory: &'a Directory,
    /// Who may sign what.
    pub delegation: &'a Delegation,
}

/// What signing a prescription takes, and who has signed it so far.
#[derive(Debug, Clone)]
pub struct Signatures {
    /// What of it the delegation looked at.
    pub(super) prescribed: Prescribed,
    /// What signing it takes.
    pub needed: Needed,
    /// The signatures that count, each of another person, in the order in which they were made.
    pub given: Vec<SignOffRow>,
}

impl Signing<'_> {
    /// What signing the version that is judged takes, and the signatures of it that count.
    ///
    /// # Errors
    /// What storage says.
    pub async fn so_far<L: Ledger>(
        self,
        ledger: &L,
        (row, prescription): (&DocumentRow, &PrescriptionRow),
        judged: &Judged,
        reading: &mut Reading,
    ) -> Result<Signatures, StorageError> {
        let authors = reading.authors(ledger, row.document, judged).await?.clone();
        let signed = ledger.sign_offs(row.document).await?;
        reading.pass(signed.len());
        let given = of_submission(signed, prescription, &judged.view.heads);
        Ok(self.counted(row, (judged.prescribed.clone(), authors), given, judged.basis))
    }

    /// The same of a line of the queue: what it rests on is read only where somebody has signed it. `None` where as much
    /// was read as others can wait for, or its version is not here.
    ///
    /// # Errors
    /// What storage says.
    pub async fn of_line<L: Ledger>(
        self,
        ledger: &L,
        prescription: &PrescriptionRow,
        reading: &mut Reading,
    ) -> Result<Option<Signatures>, StorageError> {
        let Some(heads) = prescription.state.submitted().filter(|_| !reading.is_spent()) else { return Ok(None) };
        let Some(row) = ledger.document(prescription.document).await? else { return Ok(None) };
        let signed = of_submission(ledger.sign_offs(row.document).await?, prescription, heads);
        if signed.is_empty() {
            let Some(prescribed) = reading.prescribed(ledger, &row, heads).await? else { return Ok(None) };
            // Of no signatures, what they would have to rest on makes no difference.
            return Ok(Some(self.counted(&row, prescribed, signed, Hash::of(&[]))));
        }
        let Some(judged) = reading.judged(ledger, &row, heads).await? else { return Ok(None) };
        self.so_far(ledger, (&row, prescription), &judged, reading).await.map(Some)
    }

    fn counted(
        self,
        row: &DocumentRow,
        (prescribed, authors): (Prescribed, BTreeSet<AccountId>),
        signed: Vec<SignOffRow>,
        basis: Hash,
    ) -> Signatures {
        let role = |account: &AccountId| self.directory.person(*account).map(|person| person.role);
        let prescribed = prescribed.by(authors.iter().map(role));
        let needed = self.delegation.needed(&prescribed);
        let mut given: Vec<SignOffRow> = Vec::new();
        for signature in signed {
            let of = signature.account;
            // Whoever could not sign any more, by their role or by the rules, has not signed either.
            let may = self.may(of, &needed.signers) && !authors.contains(&of) && !row.authors.contains(&of);
            if may && signature.basis == basis && given.iter().all(|other| other.account != of) {
                given.push(signature);
            }
        }
        Signatures { prescribed, needed, given }
    }

    fn may(self, account: AccountId, signers: &BTreeSet<Role>) -> bool {
        self.directory
            .person(account)
            .is_some_and(|person| person.enabled && person.of_council && signers.contains(&person.role))
    }
}

/// The signatures of this version as it is submitted now: what was signed of an earlier submission does not count.
fn of_submission(mut signed: Vec<SignOffRow>, prescription: &PrescriptionRow, heads: &Heads) -> Vec<SignOffRow> {
    let stands = prescription.state.submitted() == Some(heads);
    signed.retain(|row| stands && row.heads == *heads && Some(row.submitted) == prescription.submitted);
    signed
}
