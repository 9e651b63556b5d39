//! `grabrail verify`: whether an evidence pack is what was signed. Needs no server and no data folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use sync_core::domain::signed::{Altered, Evidence};
use sync_core::envelope::PublicKey;

use super::out;

/// Most of an evidence pack, in bytes.
const MOST: u64 = 64 << 20;

/// What to check.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The evidence pack, as `GET /v1/prescriptions/…/versions/…` gives it
    file: PathBuf,
    /// The council's public key, as `grabrail keys public` prints it
    #[arg(long)]
    key: Option<PublicKey>,
}

/// Why a pack could not be called whole.
#[derive(Debug, thiserror::Error)]
enum NotVerified {
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error("{0} has more than {MOST} bytes: it is no evidence pack")]
    TooLarge(PathBuf),
    #[error("this is not an evidence pack, or it was altered where it can no longer be read: {0}")]
    Unreadable(serde_json::Error),
    #[error(transparent)]
    Altered(#[from] Altered),
}

/// Checks and says what came of it: 0 whole and signed, 1 altered, 2 whole but with no key to prove the signer.
#[allow(clippy::print_stderr)] // the console's own
pub(super) fn run(args: &VerifyArgs) -> ExitCode {
    match check(&args.file, args.key.as_ref()) {
        Ok(evidence) => {
            let header = &evidence.signed.header;
            let (number, prescription) = (header.number, header.prescription);
            out(format_args!(
                "version {number} of prescription {prescription}, {} fields",
                evidence.signed.fields.len()
            ));
            if args.key.is_none() {
                out("consistent, signer not proven: give the council's key with --key");
                return ExitCode::from(2);
            }
            let signatures: Vec<_> = header.signatures().collect();
            for (at, (signatory, when, _)) in signatures.iter().enumerate() {
                let hcpc = match (&signatory.hcpc, signatory.hcpc_checked) {
                    (Some(number), Some(checked)) => {
                        format!("{number}, on the HCPC register when looked up at {checked}")
                    }
                    (Some(number), None) => number.clone(),
                    (None, _) => "no HCPC number".to_owned(),
                };
                // Before the last has signed, nothing is signed off.
                let signed = if at + 1 == signatures.len() { "signed off" } else { "signed" };
                out(format_args!("{signed} by {} ({hcpc}) for {} at {when}", signatory.name, header.authority));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("grabrail: NOT VERIFIED: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check(file: &Path, key: Option<&PublicKey>) -> Result<Evidence, NotVerified> {
    let failed = |error| NotVerified::File(file.to_owned(), error);
    if std::fs::metadata(file).map_err(failed)?.len() > MOST {
        return Err(NotVerified::TooLarge(file.to_owned()));
    }
    let bytes = std::fs::read(file).map_err(failed)?;
    let evidence: Evidence = serde_json::from_slice(&bytes).map_err(NotVerified::Unreadable)?;
    evidence.check(key)?;
    Ok(evidence)
}
