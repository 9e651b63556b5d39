//! `grabrail access`: the table of rights, or what it says of one person before one case.

use clap::Args;
use sync_core::access::{Access, Action, FIELDS, FieldGroup, Lane, Role, Rule, Standing, TABLE};
use sync_core::domain::kind::Kind;

use super::{VerbError, account, out};
use crate::app::App;
use crate::cases;
use crate::reach::{Directory, Reach};
use crate::storage::accounts::SignInName;
use crate::storage::ledger::{CaseRow, DocumentRow, Ledger, RelationRow};

/// Print who may do what: the whole table, or one person's part of it before one case
///
/// Without arguments the table: what it has no line for is denied. With a person and a case, what the table says of
/// them now and by which of its lines, for every document of the case. It is not asked for a device: rights are judged
/// anew whenever something is read or received.
#[derive(Debug, Args)]
pub struct AccessArgs {
    /// What they sign in as
    #[arg(requires = "case")]
    sign_in: Option<SignInName>,
    /// The case, by its id or reference
    case: Option<String>,
}

pub(super) async fn run(app: &App, args: AccessArgs) -> Result<(), VerbError> {
    let (Some(sign_in), Some(case)) = (args.sign_in, args.case) else {
        table();
        return Ok(());
    };
    let who = account::find(app, &sign_in).await?;
    let case = cases::find(app, &case).await?;
    let directory = Directory::read(&app.storage).await?;
    let Some(person) = directory.person(who.id) else { return Err(VerbError::NoAccount(sign_in.to_string())) };
    let ledger = app.storage.ledger();
    let mut relations = ledger.relations_to(&[case.case]).await?;
    relations.retain(|relation| relation.account == who.id);
    let now = app.clock.now();
    let reach = Reach::of(person, relations.clone(), now);

    let CaseRow { case: id, reference, .. } = case;
    let enabled = if who.enabled { "" } else { "; the account is disabled: nothing is answered to them" };
    out(format_args!("{sign_in}: {}, {}, {}{enabled}", person.name, person.role, person.organisation_name));
    out(format_args!("case {id}{}", reference.map(|reference| format!(", {reference}")).unwrap_or_default()));
    for RelationRow { relation, starts, ends, .. } in &relations {
        let until = ends.map(|ends| format!(" until {ends}")).unwrap_or_default();
        let holds = if reach.relations().iter().any(|holds| holds.relation == *relation) { "" } else { ", not now" };
        out(format_args!("  {} from {starts}{until}{holds}", relation.name()));
    }
    if relations.is_empty() {
        out("  nothing ties them to it");
    }
    let knows = if reach.may_know() { "they may know that the case is here" } else { "to them there is no such case" };
    out(knows);
    if reach.standing().may_close_case() {
        out("they may close it");
    }
    for document in ledger.documents_of(&[id]).await? {
        let DocumentRow { document: id, kind, .. } = document;
        out(format_args!("{kind} {id}"));
        let ties = reach.ties(&document);
        verdicts(reach.standing(), |action| {
            (action != Action::Open).then(|| reach.standing().judge(kind, ties, action))
        });
    }
    for kind in Kind::ALL.iter().copied().filter(|kind| reach.may_open(*kind)) {
        out(format_args!("they may begin a {kind} document"));
    }
    if reach.may_know() {
        let lane = person.role.lane();
        let hidden: Vec<&str> =
            FieldGroup::ALL.into_iter().filter(|group| !group.shown_to(lane)).map(FieldGroup::name).collect();
        let hidden = if hidden.is_empty() { "nothing".to_owned() } else { hidden.join(", ") };
        out(format_args!("left out of what they are shown: {hidden}"));
    }
    Ok(())
}

/// A line for each action that is granted, or one that none is.
fn verdicts(standing: &Standing, judge: impl Fn(Action) -> Option<Access>) {
    let granted: Vec<(Action, &str)> = Action::ALL
        .into_iter()
        .filter_map(|action| match judge(action)? {
            Access::Granted(because) => Some((action, because)),
            Access::Denied => None,
        })
        .collect();
    for (action, because) in &granted {
        out(format_args!("  {}: {because}", action.name()));
    }
    if granted.is_empty() {
        out(format_args!("  nothing: the table has no line for a {} so tied to it", standing.role));
    }
}

/// The whole table.
fn table() {
    for Rule { kinds, actions, roles, of_council, tie, because } in TABLE {
        let kinds = if kinds.len() == Kind::ALL.len() { "every kind".to_owned() } else { joined(kinds, Kind::name) };
        let of = if *of_council { " of the council's own" } else { "" };
        out(format_args!(
            "{kinds}: {}\n    {}{of}\n    {}\n    {because}",
            joined(actions, Action::name),
            joined(roles, Role::name),
            tie.in_words()
        ));
    }
    for rule in FIELDS {
        let lanes = joined(rule.lanes, |lane| match lane {
            Lane::Council => "council",
            Lane::Housing => "housing",
        });
        out(format_args!("{}: shown to lane {lanes}\n    {}", rule.group.name(), rule.because));
    }
    out("what no line grants is denied");
}

fn joined<T: Copy>(of: &[T], name: impl Fn(T) -> &'static str) -> String {
    of.iter().map(|one| name(*one)).collect::<Vec<_>>().join(" ")
}
