//! What can be typed: a file for each command, with its arguments beside what it does. What several commands share is
//! in [`options`](crate::options).

mod acts;
mod apply;
mod asked;
mod completion;
mod config;
mod dev;
mod doctor;
mod dry_run;
mod graph;
mod healthcheck;
mod history;
mod items;
mod link;
mod locks;
mod logs;
mod outputs;
mod params;
mod producer;
mod queues;
mod retry;
mod run;
mod run_acts;
mod run_id;
mod runs;
mod schema;
mod submit;
mod token;
mod tree;
mod validate;
mod worker;
mod workers;
mod workflows;

use clap::{CommandFactory, Parser, Subcommand};

use crate::error::CliError;
use crate::options::Common;
use crate::runtime::{CLIENT_LOG, block_on, client_command, until_interrupted};

/// A distributed task scheduler: runs tasks and DAGs on this machine, or on a fleet over RabbitMQ and Redis.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything in one process, with nothing to install; state in ./.millrace
    Dev(dev::DevArgs),
    /// Run a producer: triggers, DAGs, dispatch, and the API
    Producer(producer::ProducerArgs),
    /// Run a worker: executes tasks of its pools
    Worker(worker::WorkerArgs),
    /// Run a workflow file and wait for its end
    Run(run::RunArgs),
    /// Submit an ad-hoc task, or many
    Submit(submit::SubmitArgs),
    /// Check workflow files: all problems at once, no server needed
    Validate(validate::ValidateArgs),
    /// Store workflow files: each change is a new version
    Apply(validate::FilesArgs),
    /// List, show, trigger, pause, resume and delete stored workflows
    #[command(subcommand, visible_alias = "workflow")]
    Workflows(workflows::WorkflowsCommand),
    /// List, show, follow and cancel runs, and read what they printed
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// List the workers
    #[command(subcommand)]
    Workers(workers::WorkersCommand),
    /// List and show locks, and take one away from a step that holds it
    #[command(subcommand)]
    Locks(locks::LocksCommand),
    /// List the queues of tasks, pause and resume pools
    #[command(subcommand)]
    Queues(queues::QueuesCommand),
    /// Show the token of a producer
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Check the configuration and whether everything can be reached
    Doctor(doctor::DoctorArgs),
    /// Ask a producer or a worker whether it is ready: status 0 or 1, for the health checks of containers
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Print the commented default configuration
    Config,
    /// Print the JSON Schema of workflow files, for editors
    Schema,
    /// Print a completion script
    Completion(completion::CompletionArgs),
}

/// Runs the command that was typed.
pub(crate) fn run(cli: Cli) -> Result<(), CliError> {
    let Cli { common, command } = cli;
    match command {
        Command::Config => config::run(),
        Command::Schema => schema::run(),
        Command::Completion(args) => completion::run(&args, Cli::command()),
        Command::Validate(args) => validate::run(&common, &args),
        Command::Token(command) => token::run(&common, &command),
        Command::Healthcheck(args) => healthcheck::run(&args),
        Command::Dev(args) => block_on(&common, "warn,lapin=off,millrace=info", dev::run(&common, args)),
        Command::Producer(args) => block_on(&common, "info,lapin=off", producer::run(&common, args)),
        Command::Worker(args) => block_on(&common, "info,lapin=off", worker::run(&common, args)),
        Command::Run(args) => block_on(&common, CLIENT_LOG, run::run(&common, args)),
        Command::Submit(args) => client_command(&common, submit::run(&common, args)),
        Command::Apply(args) => client_command(&common, apply::run(&common, args)),
        Command::Workflows(command) => client_command(&common, workflows::run(&common, command)),
        Command::Runs(command) => client_command(&common, runs::run(&common, command)),
        Command::Workers(_) => client_command(&common, workers::run(&common)),
        Command::Locks(command) => client_command(&common, locks::run(&common, command)),
        Command::Queues(command) => client_command(&common, queues::run(&common, command)),
        Command::Doctor(args) => block_on(&common, "off", until_interrupted(doctor::run(&common, args))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
        completion::hinted(Cli::command()).debug_assert();
    }
}
