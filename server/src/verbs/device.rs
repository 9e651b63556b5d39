//! `grabrail device code|list|revoke`.

use clap::Subcommand;
use sync_core::id::DeviceId;

use super::{VerbError, account, out};
use crate::app::App;
use crate::storage::accounts::SignInName;

/// What can be done with devices.
#[derive(Debug, Subcommand)]
pub enum DeviceVerb {
    /// Make a one-time enrolment code for a device of a member of staff; it fits a QR code
    Code {
        /// What they sign in as
        sign_in: SignInName,
    },
    /// List devices
    List,
    /// Revoke a device for ever: it is told to purge what it holds
    Revoke {
        /// The device's id
        device: DeviceId,
    },
}

pub(super) async fn run(app: &App, verb: DeviceVerb) -> Result<(), VerbError> {
    match verb {
        DeviceVerb::Code { sign_in } => {
            let account = account::find(app, &sign_in).await?;
            out(app.enrolment_text(account.id).await?.0);
        }
        DeviceVerb::List => {
            for device in app.storage.devices(None).await? {
                let owner = app.storage.account(device.account).await?;
                let owner = owner.map(|owner| owner.sign_in.to_string()).unwrap_or_default();
                let state = match (device.revoked_at, device.stopped_at) {
                    (Some(at), _) => format!("revoked {at}"),
                    (None, Some(at)) => format!("stopped {at}: a second copy of its store spoke"),
                    (None, None) => format!("enrolled {}", device.enrolled_at),
                };
                out(format_args!("{}  {}  {owner}  {}  {state}", device.id, device.number, device.name));
            }
        }
        DeviceVerb::Revoke { device } => {
            if !app.storage.revoke_device(device).await? {
                return Err(VerbError::NoDevice(device.to_string()));
            }
        }
    }
    Ok(())
}
