//! `grabrail case import|list|allocate|tie|assign|commission|end|purges`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use sync_core::access::Relation;
use sync_core::clock::Timestamp;
use sync_core::envelope::{PublicKey, Signed};
use sync_core::protocol::sync::PurgeReceipt;

use super::{VerbError, out};
use crate::app::App;
use crate::cases;
use crate::storage::devices::Device;
use crate::storage::ledger::{Ledger, PurgeRow};

/// What can be done with cases.
#[derive(Debug, Subcommand)]
pub enum CaseVerb {
    /// Open cases from the council's own system, or bring their particulars up to date
    ///
    /// A CSV file with a header line: reference,name,address are needed; contact,visitor_risk,uprn,born,nhs_number,
    /// allocated_to may follow. Every bad row is named by its line, and then nothing is written. The same reference
    /// twice is one case, so a file can be imported again.
    Import {
        /// The file
        file: PathBuf,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List cases with who has to do with them
    List,
    /// Allocate a case to an OT, by the case's id or reference
    Allocate {
        /// The case
        case: String,
        /// The OT's sign-in name
        account: String,
    },
    /// Tie a colleague to a case: as one of its team, or on duty for whoever it is allocated to
    Tie {
        /// The case
        case: String,
        /// The colleague's sign-in name
        account: String,
        /// How
        #[arg(value_enum)]
        tie: Tie,
    },
    /// Assign a surveyor or grants officer
    Assign {
        /// The case
        case: String,
        /// Their sign-in name
        account: String,
    },
    /// Commission a private OT to assess a case
    Commission {
        /// The case
        case: String,
        /// The private OT's sign-in name
        account: String,
        /// When the commission begins, as RFC 3339: 2026-12-01T00:00:00Z; without it, now
        #[arg(long)]
        starts: Option<Timestamp>,
        /// When the commission ends, as RFC 3339: 2026-12-31T23:59:59Z
        #[arg(long)]
        ends: Timestamp,
        /// What is ordered, in words
        #[arg(long, default_value = "Assess and prescribe")]
        scope: String,
    },
    /// End what ties somebody to a case, from now on
    ///
    /// Their devices purge the case at their next contact; what they recorded before and hand in later waits in
    /// quarantine.
    End {
        /// The case
        case: String,
        /// Their sign-in name
        account: String,
        /// Which tie: allocated, commissioned, team, duty, assigned or break_glass
        relation: Relation,
    },
    /// List the devices that have said they purged a case, or documents of it, and whether their signatures prove it
    Purges {
        /// The case
        case: String,
    },
}

/// How a colleague is tied to a case that isn't theirs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Tie {
    /// One of its team
    Team,
    /// On duty
    Duty,
}

pub(super) async fn run(app: &App, verb: CaseVerb) -> Result<(), VerbError> {
    match verb {
        CaseVerb::Import { file, dry_run } => {
            let csv = std::fs::read(&file).map_err(|error| VerbError::File(file.clone(), error))?;
            match cases::import(app, &csv, dry_run).await? {
                Ok(imported) => {
                    let would = if dry_run { "would be " } else { "" };
                    let (opened, changed, same) = (imported.opened, imported.changed, imported.same);
                    out(format_args!(
                        "{} {would}opened, {} {would}changed, {} as before",
                        opened.len(),
                        changed.len(),
                        same.len()
                    ));
                    for reference in imported.left_ended {
                        out(format_args!("{reference}: its allocation was ended here and stays ended"));
                    }
                }
                Err(errors) => {
                    for error in &errors {
                        out(error);
                    }
                    return Err(VerbError::BadRows(errors.len()));
                }
            }
        }
        CaseVerb::List => {
            let ledger = app.storage.ledger();
            for case in ledger.cases().await? {
                out(format_args!(
                    "{}  {}  {}, {}",
                    case.case,
                    case.reference.unwrap_or_default(),
                    case.name,
                    case.address
                ));
                for relation in ledger.relations_to(&[case.case]).await? {
                    let name = app.storage.account(relation.account).await?.map(|account| account.sign_in.to_string());
                    let until = relation.ends.map(|ends| format!(" until {ends}")).unwrap_or_default();
                    out(format_args!("    {} {}{until}", relation.relation.name(), name.unwrap_or_default()));
                }
            }
        }
        CaseVerb::Allocate { case, account } => relate(app, &case, &account, Relation::Allocated).await?,
        CaseVerb::Tie { case, account, tie } => {
            let relation = match tie {
                Tie::Team => Relation::Team,
                Tie::Duty => Relation::Duty,
            };
            relate(app, &case, &account, relation).await?;
        }
        CaseVerb::Assign { case, account } => relate(app, &case, &account, Relation::Assigned).await?,
        CaseVerb::Commission { case, account, starts, ends, scope } => {
            let case = cases::find(app, &case).await?.case;
            let account = cases::someone(app, &account).await?;
            out(cases::commission(app, case, &account, (starts, ends), scope).await?);
        }
        CaseVerb::End { case, account, relation } => {
            let case = cases::find(app, &case).await?.case;
            let account = cases::someone(app, &account).await?;
            cases::end(app, case, account.id, relation).await?;
        }
        CaseVerb::Purges { case } => {
            let case = cases::find(app, &case).await?.case;
            for row in app.storage.ledger().purges(case).await? {
                let device = app.storage.device(row.device).await?;
                let owner = match &device {
                    Some(device) => app.storage.account(device.account).await?,
                    None => None,
                };
                let owner = owner.map(|owner| owner.sign_in.to_string()).unwrap_or_default();
                let what =
                    row.document.map_or_else(|| "the case".to_owned(), |document| format!("document {document}"));
                let proven = if device.is_some_and(|device| proves(&device, &row)) { "signed" } else { "NOT PROVEN" };
                out(format_args!("{}  {owner}  {}  {what}  {proven}", row.at, row.device));
            }
        }
    }
    Ok(())
}

/// Whether the device's key signed just this.
fn proves(device: &Device, row: &PurgeRow) -> bool {
    let Ok(signature) = <[u8; 64]>::try_from(row.signature.as_slice()) else { return false };
    let Ok(receipt) = minicbor::decode::<PurgeReceipt>(&row.receipt) else { return false };
    let names = match &row.document {
        Some(document) => receipt.documents.contains(document),
        None => receipt.cases.contains(&row.case),
    };
    names && receipt.device == device.id && PublicKey(device.public_key).verifies(&row.receipt, &Signed(signature))
}

async fn relate(app: &App, case: &str, account: &str, relation: Relation) -> Result<(), VerbError> {
    let case = cases::find(app, case).await?.case;
    let account = cases::someone(app, account).await?;
    Ok(cases::relate(app, case, &account, relation).await?)
}
