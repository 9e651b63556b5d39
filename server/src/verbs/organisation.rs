//! `grabrail organisation add|list`.

use clap::Subcommand;

use super::{VerbError, clean_name, out};
use crate::app::App;

/// What can be done with organisations.
#[derive(Debug, Subcommand)]
pub enum OrganisationVerb {
    /// Add an agency or a private practice
    Add {
        /// Its name
        name: String,
    },
    /// List organisations, the council first
    List,
}

pub(super) async fn run(app: &App, verb: OrganisationVerb) -> Result<(), VerbError> {
    match verb {
        OrganisationVerb::Add { name } => out(app.storage.add_organisation(&clean_name(&name)?).await?.id),
        OrganisationVerb::List => {
            for organisation in app.storage.organisations().await? {
                let note = if organisation.is_authority { "  (Welfare Authority)" } else { "" };
                out(format_args!("{}  {}{note}", organisation.id, organisation.name));
            }
        }
    }
    Ok(())
}
