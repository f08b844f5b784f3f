//! A file for each command.

mod apply;
mod dev;
mod doctor;
mod fleet;
mod healthcheck;
pub(crate) mod params;
mod run;
mod run_id;
mod runs;
mod serve;
mod submit;
mod token;
mod validate;
mod workflows;

use std::future::Future;

use millrace_runtime::config::{DEFAULT_FILE, Settings};
use millrace_runtime::telemetry::{self, LogFormat};

use crate::args::{Cli, Command, Common, Servers};
use crate::client::Client;
use crate::error::CliError;
use crate::{interrupt, output};

/// What commands log that talk to a producer.
const CLIENT_LOG: &str = "warn,lapin=off";

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
        Command::Producer(args) => block_on(&common, "info,lapin=off", serve::producer(common.clone(), args)),
        Command::Worker(args) => block_on(&common, "info,lapin=off", serve::worker(common.clone(), args)),
        Command::Run(args) => block_on(&common, CLIENT_LOG, run::run(common.clone(), args)),
        Command::Submit(args) => client_command(&common, submit::run(common.clone(), args)),
        Command::Apply(args) => client_command(&common, apply::run(common.clone(), args)),
        Command::Workflows(command) => client_command(&common, workflows::run(common.clone(), command)),
        Command::Runs(command) => client_command(&common, runs::run(common.clone(), command)),
        Command::Workers(_) => client_command(&common, fleet::workers(common.clone())),
        Command::Queues(_) => client_command(&common, fleet::queues(common.clone())),
        Command::Doctor(args) => {
            block_on(&common, "off", until_interrupted(doctor::run(common.clone(), args)))
        }
    }
}

/// Runs a command that asks a producer, and has nothing to put in order when it is interrupted.
fn client_command(
    common: &Common,
    command: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    block_on(common, CLIENT_LOG, until_interrupted(command))
}

async fn until_interrupted(command: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    tokio::select! {
        // First, since a command may have more to say about it.
        biased;
        ended = command => ended,
        () = interrupt::asked() => Err(CliError::Interrupted("interrupted".to_owned())),
    }
}

/// Runs a command on a runtime of its own.
fn block_on(
    common: &Common,
    default_log: &str,
    command: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    let settings = common.settings(&Servers::default())?;
    let format = match settings.log_format.as_deref() {
        None | Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        Some(other) => {
            return Err(CliError::Usage(format!("MILLRACE_LOG_FORMAT: {other:?}: expected text or json")));
        }
    };
    telemetry::init_logs(settings.log.as_deref().unwrap_or(default_log), format).map_err(CliError::Usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("millrace").build()?;
    let result = runtime.block_on(command);
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    result
}

/// The producer to talk to, when one is named.
fn named_client(settings: &Settings) -> Result<Option<Client>, CliError> {
    let Some(server) = &settings.server else { return Ok(None) };
    Client::remote(server, token::find(settings)).map(Some)
}

/// The producer to talk to.
fn client(common: &Common) -> Result<Client, CliError> {
    let settings = common.settings(&Servers::default())?;
    match named_client(&settings)? {
        Some(client) => Ok(client),
        None => Client::remote("http://127.0.0.1:7070", token::find(&settings)),
    }
}
