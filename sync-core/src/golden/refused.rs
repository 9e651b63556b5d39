//! Why asks are refused, one of each.

use super::named;
use crate::access::Role;
use crate::domain::signoff::Transition;
use crate::protocol::ask::AskRefusal;

pub(crate) fn ask_refusals() -> Vec<(String, AskRefusal)> {
    let state = |transition| AskRefusal::State { state: "draft".to_owned(), transition };
    named(vec![
        ("unknown", AskRefusal::Unknown),
        ("not_allowed", AskRefusal::NotAllowed),
        ("heads_moved", AskRefusal::HeadsMoved),
        ("heads_unknown", AskRefusal::HeadsUnknown),
        ("state-submit", state(Transition::Submit)),
        ("state-withdraw", state(Transition::Withdraw)),
        ("state-return", state(Transition::Return)),
        ("state-reject", state(Transition::Reject)),
        ("state-sign_off", state(Transition::SignOff)),
        ("state-recall", state(Transition::Recall)),
        ("findings", AskRefusal::Findings { findings: vec!["nothing is prescribed yet".to_owned()] }),
        ("own_work", AskRefusal::OwnWork),
        ("online_only", AskRefusal::OnlineOnly),
        // As it was kept while it said neither.
        ("registration_unchecked", AskRefusal::RegistrationUnchecked { name: None, days: None }),
        ("particulars", AskRefusal::Particulars { field: "name".to_owned(), why: "1 to 200 characters".to_owned() }),
        ("id_taken", AskRefusal::IdTaken),
        ("unregistered", AskRefusal::Unregistered { name: "Grace Lin".to_owned() }),
        (
            "registration_unchecked-named",
            AskRefusal::RegistrationUnchecked { name: Some("Grace Lin".to_owned()), days: Some(30) },
        ),
        ("not_on_register", AskRefusal::NotOnRegister { name: "Grace Lin".to_owned(), says: "suspended".to_owned() }),
        (
            "beyond_delegation",
            AskRefusal::BeyondDelegation {
                signers: vec![Role::PrincipalOt],
                because: vec!["from £10,000 on the principal signs".to_owned()],
            },
        ),
        ("already_signed", AskRefusal::AlreadySigned),
    ])
}
