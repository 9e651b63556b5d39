//! `grabrail keys list|public|rotate`.

use clap::Subcommand;

use super::{VerbError, out};
use crate::app::App;
use crate::keys::public_text;
use crate::storage::keys::KeyPurpose;

/// What can be done with the server's keys.
#[derive(Debug, Subcommand)]
pub enum KeysVerb {
    /// List every key there ever was: id, purpose, public key, validity
    List,
    /// Print the public key that signs now, as `grabrail verify --key` takes it
    Public {
        /// reply, signoff or token
        #[arg(default_value = "signoff")]
        purpose: KeyPurpose,
    },
    /// Retire the key of a purpose and make the next; what it signed stays provable
    Rotate {
        /// signoff or token; devices know the reply key from their enrolment and can't follow a new one yet
        purpose: KeyPurpose,
    },
}

pub(super) async fn run(app: &App, verb: KeysVerb) -> Result<(), VerbError> {
    match verb {
        KeysVerb::List => {
            for key in app.storage.server_keys().await? {
                let until = key.retired_at.map_or("now".to_owned(), |at| at.to_string());
                let public = public_text(&key.public);
                out(format_args!("{}  {}  {public}  {} to {until}", key.id, key.purpose, key.valid_from));
            }
        }
        KeysVerb::Public { purpose } => out(public_text(&app.storage.current_key(purpose).await?.public)),
        KeysVerb::Rotate { purpose: KeyPurpose::Reply } => return Err(VerbError::Pinned),
        KeysVerb::Rotate { purpose } => out(public_text(&app.storage.rotate_key(purpose).await?.public)),
    }
    Ok(())
}
