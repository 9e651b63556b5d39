//! `grabrail account add|list|hcpc|change|disable|enable|password`.

use clap::Subcommand;
use sync_core::access::Role;
use sync_core::domain::identifier::HcpcNumber;
use sync_core::id::OrganisationId;

use super::{VerbError, clean_name, out, read_password};
use crate::app::App;
use crate::storage::accounts::{Account, NewAccount, SignInName};

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
        /// No password: they only ever use a device
        #[arg(long)]
        no_password: bool,
    },
    /// List accounts
    List,
    /// Put somebody's HCPC registration number on record, or correct it
    Hcpc {
        /// What they sign in as
        sign_in: SignInName,
        /// OT and 1 to 6 digits
        number: HcpcNumber,
    },
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
        AccountVerb::Add { sign_in, name, role, organisation, hcpc, no_password } => {
            let full_name = clean_name(&name)?;
            let organisation = match organisation {
                Some(name) => organisation_named(app, name).await?,
                None => app.storage.authority(&app.config.authority).await?.id,
            };
            let password_hash = match no_password {
                true => None,
                false => Some(app.passwords.hash(&read_password(sign_in.as_str())?).await?),
            };
            let new = NewAccount {
                sign_in,
                full_name,
                role,
                organisation,
                hcpc_number: hcpc.map(|number| number.to_string()),
                password_hash,
            };
            out(app.storage.add_account(new).await?.id);
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
        AccountVerb::Hcpc { sign_in, number } => {
            app.storage.set_hcpc_number(find(app, &sign_in).await?.id, &number.to_string()).await?;
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
