//! The Grabrail binary.

use grabrail_server::verbs::{Cli, run};

fn main() -> std::process::ExitCode {
    match Cli::typed() {
        Ok(cli) => run(cli),
        Err(told) => told,
    }
}
