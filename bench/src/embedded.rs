//! `millrace dev`: everything in one process, on a broker in memory and SQLite in a folder.

use std::time::Instant;

use tempfile::TempDir;

use crate::api::Api;
use crate::cpu;
use crate::failure::Failure;
use crate::fleet::{CONCURRENCY, wait_ready};
use crate::program::Program;

/// The embedded server: its process, and where to reach it.
pub(crate) struct Embedded {
    pub(crate) api: Api,
    pub(crate) program: Program,
    /// The time from the start of the process until it is ready, in milliseconds.
    pub(crate) start_ms: f64,
    _folder: TempDir,
}

impl Embedded {
    /// Starts the server on an empty folder, and returns when it is ready.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let folder = TempDir::with_prefix("millrace-bench-")?;
        let port = millrace_servers::free_port();
        let environment = [
            ("MILLRACE_DATA", folder.path().display().to_string()),
            ("MILLRACE_LISTEN", format!("127.0.0.1:{port}")),
        ];
        let api = Api::new(port)?;
        let began = Instant::now();
        let program = Program::start(&["dev", "--concurrency", CONCURRENCY], &environment)?;
        wait_ready(&api).await?;
        let start_ms = began.elapsed().as_secs_f64() * 1e3;
        Ok(Self { api, program, start_ms, _folder: folder })
    }

    /// The pids of the server and of the client, by name.
    pub(crate) fn processes(&self) -> Vec<(&'static str, u32)> {
        vec![cpu::own(), ("millrace dev", self.program.pid())]
    }
}
