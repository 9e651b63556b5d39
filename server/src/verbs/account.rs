//! `grabrail account add|list|hcpc|registrations|change|disable|enable|password`.

use clap::Subcommand;
use sync_core::access::Role;
use sync_core::domain::identifier::HcpcNumber;
use sync_core::id::{AccountId, OrganisationId};

use super::{VerbError, clean_name, out, read_password};
use crate::app::App;
use crate::storage::accounts::{Account, HcpcCheck, HcpcResult, NewAccount, SignInName};

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountVerb {
    /// Add an account; the password is asked for, or read as one line from standard input
    Add {
        /// What they sign in as: letters, digits and . _ - @
        sign_in: SignInName,
        /// Their full name, as colleagues and documents show it
        #[arg(long)]
        name: String,
        /// ot, ot_assistant, trusted_assessor, senior_ot, principal_ot, private_ot, surveyor, grants_officer, store,
        /// performance, auditor or administrator
        #[arg(long)]
        role: Role,
        /// Where they work [default: the council]
        #[arg(long)]
        organisation: Option<String>,
        /// HCPC registration number: OT and 1 to 6 digits
        #[arg(long)]
        hcpc: Option<HcpcNumber>,
        /// What the HCPC's register says of that number today: registered, conditions, suspended or not_found
        #[arg(long, value_name = "RESULT", requires = "hcpc")]
        register: Option<HcpcResult>,
        /// No password: they only ever use a device
        #[arg(long)]
        no_password: bool,
    },
    /// List accounts
    List,
    /// Put somebody's HCPC registration number on record, and what the register says of it today
    ///
    /// Nobody submits or signs a prescription as an occupational therapist whom nobody has looked up within
    /// `hcpc_days`. Look at the name, too: the number may be somebody else's.
    Hcpc {
        /// What they sign in as
        sign_in: SignInName,
        /// OT and 1 to 6 digits
        number: HcpcNumber,
        /// What the register says: registered, conditions, suspended or not_found [default: nobody looked]
        #[arg(long, value_name = "RESULT")]
        register: Option<HcpcResult>,
        /// Who looked, by what they sign in as [default: whoever is at this command line]
        #[arg(long, value_name = "SIGN_IN", requires = "register")]
        by: Option<SignInName>,
    },
    /// List who needs a registration, what the register said and until when that is good; the most urgent first
    Registrations,
    /// Give somebody another role, or put them into another organisation
    ///
    /// Their devices hear of it at their next contact and give up what they may no longer read.
    Change {
        /// What they sign in as
        sign_in: SignInName,
        /// As in `account add` [default: as it is]
        #[arg(long)]
        role: Option<Role>,
        /// The organisation's name [default: as it is]
        #[arg(long)]
        organisation: Option<String>,
    },
    /// Disable an account: its sessions end and its devices are no longer heard
    Disable {
        /// What they sign in as
        sign_in: SignInName,
    },
    /// Enable a disabled account
    Enable {
        /// What they sign in as
        sign_in: SignInName,
    },
    /// Give an account a new password, ending its sessions
    Password {
        /// What they sign in as
        sign_in: SignInName,
    },
}

pub(super) async fn run(app: &App, verb: AccountVerb) -> Result<(), VerbError> {
    match verb {
        AccountVerb::Add { sign_in, name, role, organisation, hcpc, register, no_password } => {
            let full_name = clean_name(&name)?;
            let organisation = match organisation {
                Some(name) => organisation_named(app, name).await?,
                None => app.storage.authority(&app.config.authority).await?.id,
            };
            let password_hash = match no_password {
                true => None,
                false => Some(app.passwords.hash(&read_password(sign_in.as_str())?).await?),
            };
            let hcpc_number = hcpc.map(|number| number.to_string());
            let new =
                NewAccount { sign_in, full_name, role, organisation, hcpc_number: hcpc_number.clone(), password_hash };
            let account = app.storage.add_account(new).await?.id;
            if let (Some(number), Some(result)) = (hcpc_number, register) {
                app.storage.set_hcpc(account, &number, HcpcCheck { at: app.clock.now(), result, by: None }).await?;
            }
            out(account);
        }
        AccountVerb::List => {
            for account in app.storage.accounts().await? {
                let organisation = app.storage.organisation(account.organisation).await?;
                let organisation = organisation.map(|organisation| organisation.name).unwrap_or_default();
                let state = if account.enabled { "enabled" } else { "disabled" };
                out(format_args!(
                    "{}  {}  {}  {}  {}  {state}",
                    account.id, account.sign_in, account.role, account.full_name, organisation
                ));
            }
        }
        AccountVerb::Hcpc { sign_in, number, register, by } => {
            let (account, number) = (find(app, &sign_in).await?.id, number.to_string());
            let by = match by {
                Some(by) => Some(find(app, &by).await?.id),
                None => None,
            };
            match register {
                Some(result) => {
                    app.storage.set_hcpc(account, &number, HcpcCheck { at: app.clock.now(), result, by }).await?;
                }
                None => {
                    app.storage.set_hcpc_number(account, &number).await?;
                }
            }
        }
        AccountVerb::Registrations => {
            let (accounts, days) = (app.storage.accounts().await?, app.config.limits.hcpc_days);
            let looked = |by: Option<AccountId>| match by {
                Some(by) => {
                    accounts.iter().find(|account| account.id == by).map_or("unknown", |by| by.sign_in.as_str())
                }
                None => "the command line",
            };
            let mut wanted: Vec<&Account> =
                accounts.iter().filter(|account| account.enabled && account.role.is_registered()).collect();
            wanted.sort_by_key(|account| account.hcpc_check.map(|check| check.at));
            for Account { sign_in, full_name, hcpc_number, hcpc_check, .. } in wanted {
                let number = hcpc_number.as_deref().unwrap_or("no number");
                let said = match hcpc_check {
                    Some(check) => {
                        let until = check.good_until(days);
                        let good = if until <= app.clock.now() { "was good until" } else { "good until" };
                        let (says, by) = (check.result.name(), looked(check.by));
                        format!("{says}, looked up at {} by {by}, {good} {until}", check.at)
                    }
                    None => "never looked up".to_owned(),
                };
                out(format_args!("{sign_in}  {full_name}  {number}  {said}"));
            }
        }
        AccountVerb::Change { sign_in, role, organisation } => {
            let account = find(app, &sign_in).await?;
            if let Some(role) = role {
                app.storage.set_role(account.id, role).await?;
            }
            if let Some(name) = organisation {
                app.storage.set_organisation(account.id, organisation_named(app, name).await?).await?;
            }
        }
        AccountVerb::Disable { sign_in } => {
            app.storage.set_account_enabled(find(app, &sign_in).await?.id, false).await?;
        }
        AccountVerb::Enable { sign_in } => {
            app.storage.set_account_enabled(find(app, &sign_in).await?.id, true).await?;
        }
        AccountVerb::Password { sign_in } => {
            let account = find(app, &sign_in).await?;
            let hash = app.passwords.hash(&read_password(sign_in.as_str())?).await?;
            app.storage.set_password_hash(account.id, &hash).await?;
        }
    }
    Ok(())
}

async fn organisation_named(app: &App, name: String) -> Result<OrganisationId, VerbError> {
    let found = app.storage.organisation_named(&name).await?;
    Ok(found.ok_or(VerbError::NoOrganisation(name))?.id)
}

/// The account that signs in as `name`.
pub(super) async fn find(app: &App, name: &SignInName) -> Result<Account, VerbError> {
    app.storage.account_named(name).await?.ok_or_else(|| VerbError::NoAccount(name.to_string()))
}
