//! One process of a task, with everything it starts: under a keeper, its output captured, ended whole. It knows
//! nothing of scripts, outputs or outcomes.

use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, sleep_until, timeout};

use super::mark::kill_marked;
use super::output::Capture;
use super::tree::KILL_LIMIT;
use crate::guardian::{Answer, Guardian, Launch};
use crate::log::LogWriter;
use crate::stop::{Stop, StopReason};

/// How long output may still come when nothing of the task is left: only from whom it has handed its pipes to.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);

/// What a process needs beside what is to be started.
#[derive(Debug)]
pub(crate) struct ProcessContext<'a> {
    pub(crate) log: &'a LogWriter,
    pub(crate) stop: &'a Stop,
    pub(crate) guardian: &'a Guardian,
    pub(crate) kill_grace: Duration,
    /// The worker's session and the attempt, as every process of the task has them in its environment.
    pub(crate) mark: (String, String),
}

/// The end of a process. Whatever it was, nothing of the process is left.
#[derive(Debug)]
pub(crate) enum End {
    /// The process ended by itself.
    Exited {
        /// Its exit status.
        status: ExitStatus,
        /// The last line that it wrote to standard error.
        last_error: Option<String>,
    },
    /// The process was stopped.
    Stopped(StopReason),
    /// The process did not start.
    NotStarted(io::Error),
    /// The process was killed with its keeper.
    KeeperDied(io::Error),
}

/// The reason why there was no keeper to be had. The worker may be at a limit of processes or files, or out of memory.
fn no_keeper(error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!(
            "no helper process could be started for the task ({error}): may the worker have more processes and files?"
        ),
    )
}

/// Runs a process to its end.
pub(crate) async fn run(launch: &Launch, context: &ProcessContext<'_>) -> End {
    let mut keeper = match context.guardian.keeper().await {
        Ok(keeper) => keeper,
        Err(error) => return End::NotStarted(no_keeper(&error)),
    };
    // It may have taken a while, and nobody may want the task any more.
    if let Some(reason) = context.stop.now() {
        context.guardian.take_back(keeper);
        return End::Stopped(reason);
    }
    let pipes = || -> io::Result<_> {
        let ((output, its_output), (error, its_error)) = (io::pipe()?, io::pipe()?);
        Ok((receiver(output)?, receiver(error)?, its_output, its_error))
    };
    let (output, error, its_output, its_error) = match pipes() {
        Ok(pipes) => pipes,
        Err(error) => return End::NotStarted(error),
    };
    if let Err(error) = keeper.start(launch, &its_output, &its_error).await {
        return if error.kind() == io::ErrorKind::InvalidInput {
            End::NotStarted(error)
        } else {
            End::KeeperDied(error)
        };
    }
    drop((its_output, its_error));

    let mut capture = Capture::new(Some(output), Some(error), context.log.clone());
    let mut open = true;
    let mut stopped = None;
    let mut give_up_at = Instant::now();
    let answer = loop {
        tokio::select! {
            biased;
            answer = keeper.answer() => break answer,
            reason = context.stop.reason(), if stopped.is_none() => {
                let grace = if reason.has_grace() { context.kill_grace } else { Duration::ZERO };
                stopped = Some(reason);
                give_up_at = Instant::now() + grace + 2 * KILL_LIMIT;
                // One that cannot be told is dead, which is the next answer.
                let _ = keeper.stop(grace).await;
            }
            () = sleep_until(give_up_at), if stopped.is_some() => {
                tracing::warn!("the keeper of a task does not answer and is killed");
                keeper.kill();
                give_up_at = Instant::now() + KILL_LIMIT;
            }
            () = capture.pump(), if open => open = false,
        }
    };
    if answer.is_err() {
        // The guardian has killed what its keeper left, unless it was killed as well.
        let (session, task) = context.mark.clone();
        let _ = tokio::task::spawn_blocking(move || kill_marked(&session, Some(&task))).await;
    }
    if open {
        let _ = timeout(OUTPUT_GRACE, capture.pump()).await;
    }
    let last_error = capture.finish();
    match answer {
        Ok(answer) if answer.is_clear() => context.guardian.take_back(keeper),
        Ok(_) => tracing::error!("processes of a task do not die after SIGKILL"),
        Err(_) => {}
    }
    match (stopped, answer) {
        (Some(reason), _) => End::Stopped(reason),
        (None, Ok(Answer::Exited { status, .. })) => {
            End::Exited { status: ExitStatus::from_raw(status), last_error }
        }
        (None, Ok(Answer::NotStarted { errno })) => End::NotStarted(io::Error::from_raw_os_error(errno)),
        (None, Ok(Answer::Lapsed { .. })) => End::Stopped(StopReason::LeaseLost),
        (None, Ok(Answer::Stopped { .. } | Answer::Ready { .. })) => {
            End::KeeperDied(io::ErrorKind::InvalidData.into())
        }
        (None, Err(error)) => End::KeeperDied(error),
    }
}

/// The end of a pipe from which this process reads.
fn receiver(pipe: PipeReader) -> io::Result<Receiver> {
    Receiver::from_owned_fd(OwnedFd::from(pipe))
}

/// Describes an exit status that is not success: the exit code, if there is one, and the status in words.
pub(crate) fn describe(status: ExitStatus) -> (Option<i32>, String) {
    match (status.code(), status.signal()) {
        (Some(code), _) => (Some(code), format!("exit code {code}")),
        (None, Some(number)) => {
            let name = Signal::try_from(number).map_or("unknown", Signal::as_str);
            (None, format!("killed by signal {number} ({name})"))
        }
        (None, None) => (None, format!("ended with {status}")),
    }
}
