//! The Grabrail binary.

use clap::Parser;
use grabrail_server::verbs::{Cli, run};

fn main() -> std::process::ExitCode {
    run(Cli::parse())
}
