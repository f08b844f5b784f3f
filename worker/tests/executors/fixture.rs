//! A worker and its helpers as processes of their own, for the tests to kill: `worker-fixture guardian`,
//! `worker-fixture keeper`, and `worker-fixture worker <session> <directory> <script>`, which runs one script and says how
//! it ended.

use std::io;
use std::sync::Arc;

use millrace_domain::SessionId;
use millrace_domain::task::Task;
use millrace_worker::executors::{Execution, Executor, Shell};
use millrace_worker::guardian::{self, Boottime, Guardian};
use millrace_worker::log::LogWriter;
use millrace_worker::settings::Settings;
use millrace_worker::stop::StopHandle;

fn main() -> io::Result<()> {
    if let Some(ended) = guardian::as_helper(std::env::args_os()) {
        return ended;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["worker", session, directory, task] => worker(session, directory, task),
        _ => Err(io::Error::other("expected worker SESSION DIRECTORY TASK")),
    }
}

#[tokio::main]
async fn worker(session: &str, directory: &str, task: &str) -> io::Result<()> {
    let session: SessionId = session.parse().map_err(io::Error::other)?;
    let task: Task = serde_json::from_str(task)?;
    let mut settings = Settings::new(directory, session);
    let guardian = Guardian::start(std::env::current_exe()?, session)?;
    // A session that holds, as far as it is told.
    guardian.renewed(Boottime::now());
    settings.guardian = Some(guardian);
    let shell = Shell::new(&settings);
    let (_handle, stop) = StopHandle::new();
    let (log, _chunks) = LogWriter::channel(1024);
    let ended = shell.execute(&task, &Execution { log, stop, settings: Arc::new(settings) }).await;
    println!("{}", ended.outcome);
    Ok(())
}
