//! Who someone is before a case: rows read for [`sync_core::access`] to judge.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sync_core::access::{Action, Relation, Role, Standing, Ties};
use sync_core::clock::Timestamp;
use sync_core::domain::kind::Kind;
use sync_core::domain::signed::Signatory;
use sync_core::id::{AccountId, CaseId, CommissionId, OrganisationId};
use sync_core::protocol::ask::AskRefusal;

use crate::storage::accounts::{Account, HcpcCheck};
use crate::storage::ledger::{DocumentRow, Ledger, RelationRow};
use crate::storage::{Storage, StorageError};

/// A member of staff with their organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their account.
    pub account: AccountId,
    /// Full name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Organisation.
    pub organisation: OrganisationId,
    /// The organisation's name.
    pub organisation_name: String,
    /// Whether it is the council's own.
    pub of_council: bool,
    /// Whether their account is enabled; whoever's is not has gone.
    pub enabled: bool,
    /// HCPC registration number.
    pub hcpc: Option<String>,
    /// When it was last looked up in the register, and what that said.
    pub hcpc_check: Option<HcpcCheck>,
}

impl Person {
    /// As a signed version names them.
    pub fn signatory(&self) -> Signatory {
        Signatory {
            account: self.account,
            name: self.name.clone(),
            role: self.role,
            hcpc: self.hcpc.clone(),
            organisation: self.organisation_name.clone(),
            hcpc_checked: self.hcpc.as_ref().and(self.hcpc_check).map(|check| check.at),
        }
    }

    /// Whether they supervise for the council, and sign.
    pub fn supervises(&self) -> bool {
        self.role.is_supervisor() && self.of_council
    }

    /// Whether they may prescribe or sign as the therapist that their role says they are. One is an occupational
    /// therapist by registration with the HCPC (Health Professions Order 2001 art. 39), and a look at the register is
    /// good for so many days.
    ///
    /// # Errors
    /// [`AskRefusal::Unregistered`], [`AskRefusal::RegistrationUnchecked`] or [`AskRefusal::NotOnRegister`].
    pub fn registered(&self, days: u32, now: Timestamp) -> Result<(), AskRefusal> {
        if !self.role.is_registered() {
            return Ok(());
        }
        if self.hcpc.is_none() {
            return Err(AskRefusal::Unregistered { name: self.name.clone() });
        }
        let good = |check: &HcpcCheck| now < check.good_until(days);
        let Some(check) = self.hcpc_check.filter(good) else {
            return Err(AskRefusal::RegistrationUnchecked { name: Some(self.name.clone()), days: Some(days) });
        };
        if check.result.lets_practise() {
            return Ok(());
        }
        Err(AskRefusal::NotOnRegister { name: self.name.clone(), says: check.result.name().to_owned() })
    }
}

/// Everyone who works with this server.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    people: BTreeMap<AccountId, Person>,
    authority: String,
}

/// The directory as it was last read, until accounts or organisations change.
#[derive(Debug, Default)]
pub struct KnownDirectory(Mutex<Option<(i64, Arc<Directory>)>>);

impl KnownDirectory {
    /// The directory in the state that rows of now are in ([`Storage::directory_state`]), or a later one.
    ///
    /// # Errors
    /// What storage says.
    pub async fn at(&self, storage: &Storage, state: i64) -> Result<Arc<Directory>, StorageError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((of, directory)) if of == state => Ok(directory),
            _ => {
                // What changes while it is read is read again: the state is of before.
                let directory = Arc::new(Directory::read(storage).await?);
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((state, directory.clone()));
                Ok(directory)
            }
        }
    }
}

impl Directory {
    /// Reads the accounts and organisations.
    ///
    /// # Errors
    /// What storage says.
    pub async fn read(storage: &Storage) -> Result<Self, StorageError> {
        let organisations: BTreeMap<OrganisationId, (String, bool)> =
            storage.organisations().await?.into_iter().map(|o| (o.id, (o.name, o.is_authority))).collect();
        let authority = organisations.values().find(|(_, is)| *is).map(|(name, _)| name.clone()).unwrap_or_default();
        let person = |account: Account| {
            let (organisation_name, of_council) = organisations.get(&account.organisation).cloned().unwrap_or_default();
            let person = Person {
                account: account.id,
                name: account.full_name,
                role: account.role,
                organisation: account.organisation,
                organisation_name,
                of_council,
                enabled: account.enabled,
                hcpc: account.hcpc_number,
                hcpc_check: account.hcpc_check,
            };
            (account.id, person)
        };
        Ok(Self { people: storage.accounts().await?.into_iter().map(person).collect(), authority })
    }

    /// A directory of these people, for simulation.
    pub fn of(people: impl IntoIterator<Item = Person>) -> Self {
        let people = people.into_iter().map(|person| (person.account, person)).collect();
        Self { people, authority: String::new() }
    }

    /// Somebody.
    pub fn person(&self, account: AccountId) -> Option<&Person> {
        self.people.get(&account)
    }

    /// The Welfare Authority's name.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Somebody's name, or that they are unknown.
    pub fn name(&self, account: AccountId) -> String {
        self.person(account).map_or_else(|| "unknown".to_owned(), |person| person.name.clone())
    }
}

/// Someone before one case, with the rows that say so.
#[derive(Debug, Clone)]
pub struct Reach {
    account: AccountId,
    standing: Standing,
    relations: Vec<RelationRow>,
}

impl Reach {
    /// Judges from relations that were read.
    pub fn of(person: &Person, relations: impl IntoIterator<Item = RelationRow>, now: Timestamp) -> Self {
        let relations: Vec<RelationRow> = relations
            .into_iter()
            .filter(|relation| relation.account == person.account && relation.holds(now))
            .collect();
        let standing = Standing {
            role: person.role,
            of_council: person.of_council,
            relations: relations.iter().map(|relation| relation.relation).collect(),
        };
        Self { account: person.account, standing, relations }
    }

    /// Reads the relations to one case.
    ///
    /// # Errors
    /// What storage says.
    pub async fn read<L: Ledger>(
        ledger: &L,
        person: &Person,
        case: CaseId,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        Ok(Self::of(person, ledger.relations_to(&[case]).await?, now))
    }

    /// For the table.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The relations that hold.
    pub fn relations(&self) -> &[RelationRow] {
        &self.relations
    }

    /// The running commission, if there is one.
    pub fn commission(&self) -> Option<CommissionId> {
        self.relations.iter().find_map(|relation| relation.commission)
    }

    /// How a document is tied to them.
    pub fn ties(&self, document: &DocumentRow) -> Ties {
        Ties {
            author: document.authors.contains(&self.account),
            of_commission: document.commission.is_some(),
            own_commission: document.commission.is_some()
                && self.relations.iter().any(|relation| relation.commission == document.commission),
            named: false,
        }
    }

    /// Whether they may do this with a document.
    pub fn may(&self, document: &DocumentRow, action: Action) -> bool {
        self.standing.judge(document.kind, self.ties(document), action).is_granted()
    }

    /// Whether they may begin a document of this kind, which would then be theirs.
    pub fn may_open(&self, kind: Kind) -> bool {
        let commission = self.commission().is_some();
        let ties = Ties { author: true, of_commission: commission, own_commission: commission, named: false };
        self.standing.judge(kind, ties, Action::Open).is_granted()
    }

    /// Whether they may know that the case is there: they have a relation to it, or supervise for the council.
    pub fn may_know(&self) -> bool {
        !self.relations.is_empty() || (self.standing.role.is_supervisor() && self.standing.of_council)
    }

    /// Whether a device of theirs carries the case unasked.
    pub fn carries(&self) -> bool {
        self.relations.iter().any(|relation| relation.relation.carries())
    }

    /// When the last of their relations ends, if each of them has an end.
    pub fn ends(&self) -> Option<Timestamp> {
        self.relations.iter().map(|relation| relation.ends).try_fold(None, |latest: Option<Timestamp>, ends| {
            ends.map(|ends| Some(latest.map_or(ends, |latest| latest.max(ends))))
        })?
    }

    /// Whether everybody who wrote a prescription has gone: their account is disabled, or nothing ties them to the case
    /// any more by which they could go on writing.
    pub fn authors_are_gone(
        directory: &Directory,
        row: &DocumentRow,
        relations: &[RelationRow],
        now: Timestamp,
    ) -> bool {
        row.authors.iter().all(|author| match directory.person(*author) {
            Some(person) if person.enabled => !Self::of(person, relations.iter().cloned(), now).may(row, Action::Write),
            _ => true,
        })
    }

    /// The names of what ties them to the case.
    pub fn names(&self) -> Vec<Relation> {
        self.standing.relations.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::accounts::HcpcResult;

    fn therapist(role: Role, hcpc: Option<&str>, check: Option<(i64, HcpcResult)>) -> Person {
        let at = |(at, result)| HcpcCheck { at: Timestamp::from_millis(at), result, by: None };
        Person {
            account: AccountId::from_bytes([1; 16]),
            name: "Olu Ade".to_owned(),
            role,
            organisation: OrganisationId::from_bytes([2; 16]),
            organisation_name: "Borsetshire Council".to_owned(),
            of_council: true,
            enabled: true,
            hcpc: hcpc.map(str::to_owned),
            hcpc_check: check.map(at),
        }
    }

    #[test]
    fn a_therapist_is_one_by_a_number_that_was_looked_up_lately_and_lets_them_practise() {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        let now = Timestamp::from_millis(100 * DAY);
        let judged = |hcpc, check| therapist(Role::Ot, hcpc, check).registered(30, now);
        let number = Some("OT12345");
        let looked = |days: i64, result| judged(number, Some((days * DAY, result)));
        let (name, unchecked) = ("Olu Ade".to_owned(), |days| {
            Err(AskRefusal::RegistrationUnchecked { name: Some("Olu Ade".to_owned()), days: Some(days) })
        });
        assert_eq!(judged(None, None), Err(AskRefusal::Unregistered { name: name.clone() }));
        assert_eq!(judged(number, None), unchecked(30));
        assert_eq!(looked(70, HcpcResult::Registered), unchecked(30));
        assert_eq!(looked(71, HcpcResult::Registered), Ok(()));
        assert_eq!(looked(99, HcpcResult::Conditions), Ok(()));
        // A clock that was set back since makes no look too old.
        assert_eq!(looked(130, HcpcResult::Registered), Ok(()));
        for (result, says) in [(HcpcResult::Suspended, "suspended"), (HcpcResult::NotFound, "not_found")] {
            let refused = AskRefusal::NotOnRegister { name: name.clone(), says: says.to_owned() };
            assert_eq!(looked(99, result), Err(refused));
            // What it said when it was last looked up may have changed since.
            assert_eq!(looked(70, result), unchecked(30));
        }
        let year = therapist(Role::PrivateOt, number, Some((70 * DAY, HcpcResult::Registered)));
        assert_eq!(year.registered(365, now), Ok(()), "for how many days is the council's to set");
        for role in Role::ALL.into_iter().filter(|role| !role.is_registered()) {
            assert_eq!(therapist(role, None, None).registered(30, now), Ok(()), "{role}");
        }
    }
}
