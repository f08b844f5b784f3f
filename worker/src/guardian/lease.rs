//! The private folder of a worker, and the lease in it: what its helpers know of its session, and by which a later
//! worker can tell that it is dead.
//!
//! The file `lease` says when the last successful renewal of the session was *sent*, and whose it is. It is locked for
//! as long as the worker or one of its helpers lives: they share one open file, and a lock goes with the last of them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use millrace_domain::SessionId;
use millrace_store::SESSION_LEASE_MS;
use rustix::time::{ClockId, clock_gettime};

/// What the names of workers' folders begin with; the session follows.
pub(super) const FOLDER_PREFIX: &str = "millrace-worker-";
/// The name of the lease in such a folder.
pub(super) const LEASE_NAME: &str = "lease";

/// How many digits a time has in a lease.
const DIGITS: usize = 20;
/// The length of a record: the time twice, so that one that is just being written is noticed.
const RECORD_BYTES: usize = 2 * DIGITS + 2;
/// How often a time that is just being written is read again.
const READINGS: usize = 100;

/// A time on the machine's clock that goes on while the machine is suspended (`CLOCK_BOOTTIME`), in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Boottime(u64);

impl Boottime {
    /// The time now.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::Boottime);
        let millis = now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000);
        Self(u64::try_from(millis).unwrap_or_default())
    }

    /// The time so much later.
    pub(super) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long it is until a later time; zero when that is not later.
    pub(crate) fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

/// The private folder of a worker.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lease: Lease,
}

impl Folder {
    /// Makes the folder of a session, in the directory for temporary files.
    pub(super) fn create(session: SessionId) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("{FOLDER_PREFIX}{session}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        // Locked before it has its name: nobody ever sees the lease of a living worker unlocked.
        let draft = path.join("draft");
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&draft)?;
        file.try_lock()?;
        file.write_all_at(format!("{}{}\n", record(Boottime(0)), pid_scope()).as_bytes(), 0)?;
        fs::rename(&draft, path.join(LEASE_NAME))?;
        Ok(Self { path, lease: Lease(file) })
    }

    /// The path of the folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The lease in the folder.
    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }
}

/// The lease of a worker's session.
#[derive(Debug)]
pub(super) struct Lease(File);

impl Lease {
    /// The lease in an open file.
    pub(super) fn new(file: impl Into<File>) -> Self {
        Self(file.into())
    }

    /// The open file, which helpers share.
    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// Writes that a renewal which was sent at that time has succeeded.
    pub(super) fn renew(&self, sent: Boottime) -> io::Result<()> {
        self.0.write_all_at(record(sent).as_bytes(), 0)
    }

    /// The time when the lease is over, as far as is known now. Before the first renewal there is nothing to lose:
    /// nothing can have been claimed. One that cannot be read is over.
    pub(super) fn ends(&self, now: Boottime) -> Boottime {
        let lease = Duration::from_millis(SESSION_LEASE_MS);
        match (0..READINGS).find_map(|_| self.read()) {
            Some(Boottime(0)) => now.after(lease),
            Some(renewed) => renewed.after(lease),
            None => Boottime(0),
        }
    }

    /// Reads when the last renewal was sent; `None` while that is just being written.
    fn read(&self) -> Option<Boottime> {
        let mut record = [0; RECORD_BYTES];
        self.0.read_exact_at(&mut record, 0).ok()?;
        let text = str::from_utf8(&record).ok()?;
        let (one, other) = text.trim_end().split_once(' ')?;
        if one == other { one.parse().ok().map(Boottime) } else { None }
    }
}

/// The record of a time.
fn record(time: Boottime) -> String {
    let millis = time.0;
    format!("{millis:0DIGITS$} {millis:0DIGITS$}\n")
}

/// Names where process ids mean what they mean here: this start of this machine, and the namespace of process ids.
pub(super) fn pid_scope() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), namespace.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(record(Boottime(0)).as_bytes(), 0).unwrap();
        Lease::new(file)
    }

    #[test]
    fn a_lease_ends_nine_seconds_after_its_last_renewal_was_sent() {
        let lease = lease();
        let now = Boottime(100_000);
        assert_eq!(lease.ends(now), Boottime(109_000));
        lease.renew(Boottime(98_500)).unwrap();
        assert_eq!(lease.ends(now), Boottime(107_500));
        assert_eq!(lease.ends(Boottime(107_500)), Boottime(107_500));
    }

    #[test]
    fn a_lease_that_cannot_be_read_is_over() {
        let lease = lease();
        lease.file().write_all_at(b"00000000000000000001 0000000000000000000", 0).unwrap();
        assert_eq!(lease.ends(Boottime(5)), Boottime(0));
        lease.file().set_len(3).unwrap();
        assert_eq!(lease.ends(Boottime(5)), Boottime(0));
    }
}
