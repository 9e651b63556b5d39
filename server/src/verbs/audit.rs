//! `grabrail audit verify|list|export|checkpoint`.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use sync_core::clock::Timestamp;
use sync_core::id::AccountId;

use super::{VerbError, account, out};
use crate::app::App;
use crate::audit::{self, Whole};
use crate::cases;
use crate::storage::accounts::SignInName;
use crate::storage::audit::{Act, By, Done, Entry, SignedCheckpoint, Sought};
use crate::storage::ledger::{Ledger, Plan, Write};

/// What can be done with the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Walk the log from its first entry; says that it is whole, or what is wrong with it first
    ///
    /// Whoever can write to the data folder can also sign there: keep a checkpoint elsewhere now and then, and give it
    /// with --checkpoint.
    Verify {
        /// A file with a checkpoint that was kept elsewhere, as `grabrail audit checkpoint` prints it
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
    },
    /// List entries, oldest first: ids only, and what was done by what right
    List {
        /// Which
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Write entries into a file, one JSON object a line
    Export {
        /// The file; it must not be there yet
        file: PathBuf,
        /// Which
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Sign how far the log has come and print it, to be kept elsewhere
    Checkpoint,
}

/// Which entries.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Of this case, by its id or reference
    #[arg(long)]
    case: Option<String>,
    /// By this account or about it, by what they sign in as
    #[arg(long, value_name = "SIGN_IN")]
    account: Option<SignInName>,
    /// Not before this moment, as RFC 3339: 2026-12-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before this moment
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

/// How many entries are read at once.
const AT_ONCE: usize = 1_000;

pub(super) async fn run(app: &App, verb: AuditVerb) -> Result<(), VerbError> {
    match verb {
        AuditVerb::Verify { checkpoint } => {
            let kept = checkpoint.into_iter().map(read_checkpoint).collect::<Result<Vec<_>, _>>()?;
            let Whole { entries, checkpoints, signed } = audit::verify(app, kept).await??;
            out(format_args!("whole: {entries} entries; {checkpoints} checkpoints, the last at entry {signed}"));
        }
        AuditVerb::List { wanted } => {
            let sought = sought(app, wanted).await?;
            each(app, &sought, |entry| {
                out(line(entry));
                Ok(())
            })
            .await?;
        }
        AuditVerb::Export { file, wanted } => {
            let sought = sought(app, wanted).await?;
            let failed = |error| VerbError::File(file.clone(), error);
            let mut writer = BufWriter::new(File::create_new(&file).map_err(failed)?);
            let count = each(app, &sought, |entry| {
                serde_json::to_writer(&mut writer, entry).map_err(|error| failed(error.into()))?;
                writeln!(writer).map_err(failed)
            });
            let count = count.await?;
            writer.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
            out(format_args!("{count} entries written"));
        }
        AuditVerb::Checkpoint => {
            let Some(signed) = audit::checkpoint(app).await? else { return Err(VerbError::NothingLogged) };
            out(serde_json::to_string(&signed).unwrap_or_default());
        }
    }
    Ok(())
}

fn read_checkpoint(file: PathBuf) -> Result<SignedCheckpoint, VerbError> {
    let text = std::fs::read_to_string(&file).map_err(|error| VerbError::File(file.clone(), error))?;
    serde_json::from_str(&text).map_err(|error| VerbError::NoCheckpoint(file, error))
}

async fn sought(app: &App, wanted: Wanted) -> Result<Sought, VerbError> {
    let case = match wanted.case {
        Some(case) => Some(cases::find(app, &case).await?.case),
        None => None,
    };
    let who = match wanted.account {
        Some(name) => Some(account::find(app, &name).await?.id),
        None => None,
    };
    let sought = Sought { case, account: who, from: wanted.from, until: wanted.until };
    // Who looks into the log is in it.
    let done = Done { case, document: None, act: Act::Audited };
    app.storage.ledger().commit(Plan { by: By::console(app.clock.now()), writes: vec![Write::Act(done)] }).await?;
    Ok(sought)
}

/// Hands on each entry that fits; how many.
async fn each(
    app: &App,
    sought: &Sought,
    mut one: impl FnMut(&Entry) -> Result<(), VerbError>,
) -> Result<u64, VerbError> {
    let (mut after, mut count) = (0, 0);
    loop {
        let entries = app.storage.audited(sought, after, AT_ONCE).await?;
        let Some(last) = entries.last() else { return Ok(count) };
        after = last.n;
        for entry in &entries {
            one(entry)?;
            count += 1;
        }
    }
}

/// An entry on one line.
fn line(entry: &Entry) -> String {
    let Entry { n, at, account, device, case, document, purpose, act, .. } = entry;
    let who = account.map_or_else(|| "the command line".to_owned(), |account: AccountId| account.to_string());
    let mut line = format!("{n}  {at}  {who}");
    if let Some(device) = device {
        line += &format!("  device {device}");
    }
    if let Some(case) = case {
        line += &format!("  case {case}");
    }
    if let Some(document) = document {
        line += &format!("  document {document}");
    }
    for tie in purpose {
        line += &format!("  {}", tie.name());
    }
    // Its JSON is the one spelling of what was done.
    line + "  " + &serde_json::to_string(act).unwrap_or_default()
}
