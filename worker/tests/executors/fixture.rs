//! A worker and a guardian as processes of their own, for the tests to kill: `worker-fixture guardian`, and
//! `worker-fixture worker <session> <directory> <script>`, which runs one script under a guardian.

use std::io;
use std::sync::Arc;

use millrace_domain::SessionId;
use millrace_domain::task::Task;
use millrace_worker::executors::{Execution, Executor, Shell};
use millrace_worker::guardian::{self, Guardian};
use millrace_worker::log::LogWriter;
use millrace_worker::settings::Settings;
use millrace_worker::stop::StopHandle;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["guardian"] => guardian::run(),
        ["worker", session, directory, task] => worker(session, directory, task),
        _ => Err(io::Error::other("expected guardian, or worker SESSION DIRECTORY TASK")),
    }
}

#[tokio::main]
async fn worker(session: &str, directory: &str, task: &str) -> io::Result<()> {
    let session: SessionId = session.parse().map_err(io::Error::other)?;
    let task: Task = serde_json::from_str(task)?;
    let mut settings = Settings::new(directory, session);
    settings.guardian = Some(Guardian::start(std::env::current_exe()?, ["guardian"], session)?);
    let shell = Shell::new(&settings);
    let (_handle, stop) = StopHandle::new();
    let (log, _chunks) = LogWriter::channel(1024);
    let ended = shell.execute(&task, &Execution { log, stop, settings: Arc::new(settings) }).await;
    println!("{}", ended.outcome);
    Ok(())
}
