//! `grabrail demo`: the main job played through, by real processes over loopback, each step checked as it goes.

mod house;
mod stage;
mod story;
mod wire;

use std::process::ExitCode;

use clap::Args;

use self::stage::{Failed, Stage};

/// Play a home visit from a dead spot to the surveyor's desk, with a real server and real devices
///
/// In a fresh folder, with fictional people and a generated house. Each line is one step, and each step is checked.
/// Afterwards the server stays up with sign-ins and commands to try, until Ctrl-C.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stop at the end, removing the folder; exit 1 if any step was not as it should be
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
    let mut stage = Stage::set(args.once).await?;
    story::play(&mut stage).await?;
    if args.once { stage.strike().await } else { stage.leave_running().await }
}
