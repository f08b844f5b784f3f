//! `millrace`, the one binary: both roles of a fleet, everything in one process, and the command line to either.
//!
//! [`commands`] has a file for each command, with its arguments, and [`options`] what they share; [`client`] talks to a
//! producer, over HTTP or in the same process ([`embedded`]); [`servers`] are the store and the broker of a fleet;
//! [`render`] shows runs, [`drawing`] what they are of; [`error`] maps failures to the exit codes of [`exit_code`].

mod client;
mod commands;
mod drawing;
mod duration;
mod embedded;
mod error;
mod exit_code;
mod interrupt;
mod options;
mod output;
mod render;
mod runtime;
mod servers;
mod token;

use std::process;

use clap::Parser;

use crate::commands::Cli;
use crate::exit_code::ExitCode;

/// The allocator: small values come and go with every task, and one made for that is worth a third of a loaded
/// producer's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> process::ExitCode {
    // The allocator does without huge pages, which would triple what an idle process takes. It says so to the
    // kernel for the whole process, and tasks would inherit that: they decide for themselves.
    let _ = nix::sys::prctl::set_thp_disable(false);
    // Not a command: there is one for each task at a time, so that it should cost little.
    if let Some(ended) = millrace_worker::guardian::as_helper(std::env::args_os()) {
        return match ended {
            Ok(()) => ExitCode::Done.into(),
            Err(error) => {
                output::note(&format!("millrace: {error}"));
                ExitCode::Failed.into()
            }
        };
    }
    let cli = Cli::parse();
    // Every TLS connection of this process, whoever makes it, uses the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match commands::run(cli) {
        Ok(()) => ExitCode::Done.into(),
        Err(error) => {
            let text = error.to_string();
            if !text.is_empty() {
                output::note(&format!("millrace: {text}"));
            }
            error.exit_code().into()
        }
    }
}
