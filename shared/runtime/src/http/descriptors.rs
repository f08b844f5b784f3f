//! Open files and connections: how many this process may have.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The greatest number of connections to an HTTP server, however many files may be open.
const MOST: u64 = 4_096;

/// The number of connections to an HTTP server that there is always room for.
const LEAST: u64 = 16;

/// Raises the number of open files of this process to what it is allowed to ask for. What it starts inherits that, so
/// this is for processes that start none: programs of others may close, or count, all that could be open.
pub fn raise() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::debug!(%error, soft, hard, "the limit of open files stays as it is");
    }
}

/// The number of connections that an HTTP server may have: a quarter of what may be open. The rest is for what a
/// process cannot work without: broker, store, tasks.
pub fn connections() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1_024, |(soft, _)| soft);
    usize::try_from((limit / 4).clamp(LEAST, MOST)).unwrap_or(usize::MAX)
}
