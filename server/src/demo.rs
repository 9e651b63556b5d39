//! `grabrail demo`: the main job played through, by real processes over loopback, each step checked as it goes.

mod house;
mod stage;
mod story;
mod wire;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use self::stage::{Failed, Stage};

/// Play a home visit from a dead spot to the surveyor's desk, with a real server and real devices
///
/// In a fresh folder, with fictional people and a generated house. Each line is one step, and each step is checked.
/// Afterwards the server stays up with sign-ins and commands to try, until Ctrl-C.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stop at the end, removing the folder; exit 1, and keep it, if any step was not as it should be
    #[arg(long)]
    once: bool,
}

/// Plays the story.
#[allow(clippy::print_stderr)] // the console's own
pub async fn run(args: &DemoArgs) -> ExitCode {
    match play(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("grabrail: the demonstration failed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn play(args: &DemoArgs) -> Result<(), Failed> {
    let mut folder = tempfile::Builder::new().prefix("grabrail-demo-").tempdir()?;
    match play_in(folder.path(), args.once).await {
        Ok(()) if args.once => Ok(folder.close()?),
        Ok(()) => {
            folder.disable_cleanup(true);
            Ok(())
        }
        Err(why) => Err(Failed::Kept { why: Box::new(why), folder: folder.keep() }),
    }
}

async fn play_in(folder: &Path, once: bool) -> Result<(), Failed> {
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let mut stage = Stage::set(folder).await?;
    let mut played = tokio::select! {
        played = story::play(&mut stage) => played,
        asked = &mut interrupted => asked.map_err(Failed::from).and(Err(Failed::Interrupted)),
    };
    if played.is_ok() && !once {
        stage.offer();
        played = interrupted.await.map_err(Failed::from);
    }
    // However it went, the server is stopped in order; of two errors the first says why.
    let struck = stage.strike().await;
    played.and(struck)
}
