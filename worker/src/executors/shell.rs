//! `run:`, or `uses: shell`: a script in a process of its own. Values reach it as environment variables only,
//! so none can become code.

use std::io;
use std::path::Path;
use std::process::ExitStatus;

use async_trait::async_trait;
use millrace_domain::task::Task;
use nix::errno::Errno;
use serde::Deserialize;

use super::{Ended, Execution, Executor};
use crate::guardian::Launch;
use crate::process::{self, End, Environment, Inherited, OutputsFile, ProcessContext, Written, program};
use crate::settings::Settings;

/// The executor of scripts.
#[derive(Debug)]
pub struct Shell {
    inherited: Inherited,
}

/// The `with` of a shell task, as it is written.
#[derive(Debug, Deserialize)]
struct Script {
    run: String,
    #[serde(default = "default_shell")]
    shell: Vec<String>,
}

/// The shell of a task that names none.
fn default_shell() -> Vec<String> {
    ["sh", "-e", "-c"].map(str::to_owned).to_vec()
}

impl Shell {
    /// Makes the executor, which reads the worker's environment once.
    pub fn new(settings: &Settings) -> Self {
        Self { inherited: Inherited::new(&settings.pass_env, |name| std::env::var_os(name)) }
    }

    /// Prepares what a keeper is to start. The error is the reason why the task fails.
    fn prepare(&self, task: &Task, settings: &Settings, outputs: &OutputsFile) -> Result<Launch, String> {
        let script = Script::deserialize(&task.with).map_err(|error| {
            format!("a shell task needs `run`, a script, and may have `shell`, a list: {error}")
        })?;
        let shell = script.shell.first().ok_or("`shell` is empty: expected a program and its arguments")?;
        let directory = match &task.working_dir {
            Some(relative) => settings.work_dir.join(relative),
            None => settings.work_dir.clone(),
        };
        program::check_directory(&directory)?;
        let environment = Environment::new(&self.inherited, task, settings.session, outputs.path())?;
        let program = program::find(shell, environment.get("PATH").unwrap_or_default(), &directory)?;
        let arguments = script.shell.iter().chain([&script.run]).map(Into::into).collect();
        Ok(Launch { program, arguments, directory, environment })
    }
}

#[async_trait]
impl Executor for Shell {
    async fn execute(&self, task: &Task, context: &Execution) -> Ended {
        if let Some(reason) = context.stop.now() {
            return Ended::stopped(reason, task);
        }
        let settings = &context.settings;
        let Some(guardian) = &settings.guardian else {
            return Ended::failed(None, "this worker has no guardian, so it starts no processes");
        };
        let outputs = match OutputsFile::create(guardian.folder()) {
            Ok(file) => file,
            Err(error) => {
                let place = guardian.folder().display();
                return Ended::failed(None, format!("no file for outputs could be made in {place}: {error}"));
            }
        };
        let launch = match self.prepare(task, settings, &outputs) {
            Ok(launch) => launch,
            Err(reason) => return Ended::failed(None, reason),
        };
        let process_context = ProcessContext {
            log: &context.log,
            stop: &context.stop,
            guardian,
            kill_grace: settings.kill_grace,
            mark: (settings.session.to_string(), task.id().to_string()),
        };
        match process::run(&launch, &process_context).await {
            End::Exited { status, last_error } => {
                let outputs = outputs.read(settings.output_limit_bytes);
                exited(status, last_error, outputs, &launch.directory)
            }
            End::Stopped(reason) => Ended::stopped(reason, task),
            End::NotStarted(error) => Ended::failed(None, not_started(&launch.program, &error)),
            End::KeeperDied(error) => {
                Ended::lost(format!("the helper process of the task was killed: {error}"))
            }
        }
    }
}

/// The end of a task whose process ended by itself.
fn exited(
    status: ExitStatus,
    last_error: Option<String>,
    outputs: Result<Written, String>,
    directory: &Path,
) -> Ended {
    if status.success() {
        return match outputs {
            Ok(Written { outputs, is_typed }) => Ended { is_typed, ..Ended::succeeded(Some(0), outputs) },
            Err(reason) => Ended::failed(Some(0), reason),
        };
    }
    let (code, mut words) = process::describe(status);
    // Shells answer so (POSIX, "Exit Status for Commands").
    match code {
        Some(126) => words.push_str(": command not executable"),
        Some(127) => words.push_str(": command not found"),
        _ => {}
    }
    if let Some(line) = last_error {
        words = format!("{words}: {line}");
        if matches!(code, Some(126 | 127))
            && let Some(advice) = program::advise(&line, directory)
        {
            words = format!("{words}; {advice}");
        }
    }
    // Outputs of a failed attempt are kept when they can be read: they may say how far it came.
    let Written { outputs, is_typed } = outputs.unwrap_or_default();
    Ended { outputs, is_typed, ..Ended::failed(code, words) }
}

/// Explains why a program that was found did not start.
fn not_started(program: &Path, error: &io::Error) -> String {
    let shown = program.display();
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::E2BIG) => format!(
            "program {shown} could not be started: the script or one environment variable is over 128 KiB, or all \
             of them are over the system's limit"
        ),
        Some(Errno::ENOENT) => {
            format!("program {shown} could not be started: the interpreter in its first line is missing")
        }
        Some(Errno::ENOEXEC) => {
            format!(
                "program {shown} could not be started: it is no program for this machine, or a script without #!"
            )
        }
        Some(Errno::EAGAIN) => {
            format!("program {shown} could not be started: the worker may not have more processes")
        }
        _ => format!("program {shown} could not be started: {error}"),
    }
}
