//! A file for each command.

mod apply;
mod dev;
mod doctor;
mod healthcheck;
pub(crate) mod params;
mod producer;
mod queues;
mod run;
mod run_id;
mod runs;
mod submit;
mod token;
mod validate;
mod worker;
mod workers;
mod workflows;

use millrace_runtime::config::DEFAULT_FILE;

use crate::args::{Cli, Command};
use crate::error::CliError;
use crate::output;
use crate::runtime::{CLIENT_LOG, block_on, client_command, until_interrupted};

/// Runs what was typed.
pub(crate) fn run(cli: Cli) -> Result<(), CliError> {
    let Cli { common, command } = cli;
    match command {
        Command::Config => {
            output::line(DEFAULT_FILE.trim_end());
            Ok(())
        }
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::for_completion(), "millrace", &mut script);
            output::line(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
        Command::Validate(args) => validate::run(&common, &args),
        Command::Token(command) => token::run(&common, &command),
        Command::Healthcheck { server } => healthcheck::run(&server),
        Command::Dev(args) => {
            block_on(&common, "warn,lapin=off,millrace=info", dev::run(common.clone(), args))
        }
        Command::Producer(args) => block_on(&common, "info,lapin=off", producer::run(common.clone(), args)),
        Command::Worker(args) => block_on(&common, "info,lapin=off", worker::run(common.clone(), args)),
        Command::Run(args) => block_on(&common, CLIENT_LOG, run::run(common.clone(), args)),
        Command::Submit(args) => client_command(&common, submit::run(common.clone(), args)),
        Command::Apply(args) => client_command(&common, apply::run(common.clone(), args)),
        Command::Workflows(command) => client_command(&common, workflows::run(common.clone(), command)),
        Command::Runs(command) => client_command(&common, runs::run(common.clone(), command)),
        Command::Workers(_) => client_command(&common, workers::run(common.clone())),
        Command::Queues(_) => client_command(&common, queues::run(common.clone())),
        Command::Doctor(args) => {
            block_on(&common, "off", until_interrupted(doctor::run(common.clone(), args)))
        }
    }
}
