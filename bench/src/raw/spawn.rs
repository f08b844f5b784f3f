//! Bare processes: fork, exec, wait.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::failure::Failure;

/// Starts `sh` so often, with one loop for each processor, and returns the processes a second.
pub(crate) async fn spawn(count: usize) -> Result<f64, Failure> {
    let loops = std::thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    let threads: Vec<_> = (0..loops)
        .map(|_| tokio::task::spawn_blocking(move || (0..count / loops).try_for_each(|_| one())))
        .collect();
    for thread in threads {
        thread.await??;
    }
    Ok((count / loops * loops) as f64 / began.elapsed().as_secs_f64())
}

fn one() -> Result<(), Failure> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status()? {
        status if status.success() => Ok(()),
        status => Err(format!("sh ended with {status}").into()),
    }
}
