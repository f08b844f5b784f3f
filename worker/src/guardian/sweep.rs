//! What dead workers of this user have left on this machine, when they and all of their helpers were killed at once, or
//! the machine was: folders, and processes of tasks. Only what is certain is touched: a worker is dead when the lease
//! in its folder is not locked any more, which holds across containers that share the folder. A process without such
//! a folder is somebody's whom we cannot judge, say a worker's in a container.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::OFlag;

use super::lease::{FOLDER_PREFIX, LEASE_NAME, pid_scope};
use crate::process::mark::{SESSION_VARIABLE, kill_marked};

/// How long nobody must have renewed a lease of another machine, of another start of this one, or of another namespace
/// of process ids: a lock may not reach there, and its processes cannot be seen from here.
const ELSEWHERE: Duration = Duration::from_secs(60 * 60);
/// How much of a lease is read.
const LEASE_LIMIT_BYTES: u64 = 4096;

/// What was swept, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Swept {
    /// Folders of dead workers.
    pub(super) folders: usize,
    /// Processes of their tasks.
    pub(super) processes: usize,
}

/// Sweeps what dead workers with a folder in `parent` have left. Blocks for some milliseconds; longer only when there
/// is something to sweep.
pub(super) fn sweep(parent: &Path) -> Swept {
    let Ok(entries) = fs::read_dir(parent) else { return Swept::default() };
    let mut swept = Swept::default();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(session) = name.to_str().and_then(|name| name.strip_prefix(FOLDER_PREFIX)) else { continue };
        // Held until all is done: of two workers that start at once, one sweeps.
        let Some(_lease) = lease_of_dead(&entry.path(), session) else { continue };
        swept.processes += kill_marked(session, None);
        // Links in it are removed, not followed.
        match fs::remove_dir_all(entry.path()) {
            Ok(()) => swept.folders += 1,
            Err(error) => {
                tracing::warn!(folder = %entry.path().display(), %error, "the folder of a dead worker stays");
            }
        }
    }
    if swept.folders > 0 {
        let Swept { folders, processes } = swept;
        tracing::warn!(
            folders,
            processes,
            "swept what dead workers had left: folders, and processes of tasks"
        );
    }
    swept
}

/// Locks the lease of a worker that is certainly dead; `None` of any other worker.
fn lease_of_dead(folder: &Path, session: &str) -> Option<File> {
    // Were we started by one of its tasks, we would end ourselves.
    if std::env::var_os(SESSION_VARIABLE).is_some_and(|own| own == session) {
        return None;
    }
    let ours = |metadata: &fs::Metadata| metadata.uid() == nix::unistd::geteuid().as_raw();
    fs::symlink_metadata(folder).ok().filter(|metadata| metadata.is_dir() && ours(metadata))?;
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let lease =
        OpenOptions::new().read(true).custom_flags(flags.bits()).open(folder.join(LEASE_NAME)).ok()?;
    let metadata = lease.metadata().ok().filter(|metadata| metadata.is_file() && ours(metadata))?;
    lease.try_lock().ok()?;
    let mut text = String::new();
    (&lease).take(LEASE_LIMIT_BYTES).read_to_string(&mut text).ok()?;
    let is_here = text.lines().nth(1) == Some(&pid_scope());
    let idle = metadata.modified().ok()?.elapsed().unwrap_or_default();
    (is_here || idle > ELSEWHERE).then_some(lease)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    use super::*;

    /// A folder as a worker leaves it, and its lease.
    fn folder(parent: &Path, session: &str, place: &str) -> File {
        let folder = parent.join(format!("{FOLDER_PREFIX}{session}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("outputs"), "a=1").unwrap();
        fs::write(folder.join(LEASE_NAME), format!("1 1\n{place}\n")).unwrap();
        File::open(folder.join(LEASE_NAME)).unwrap()
    }

    fn names(parent: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(parent).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn task_of(session: &str) -> std::process::Child {
        let mut command = Command::new("sleep");
        command.arg("300").env(SESSION_VARIABLE, session).stdin(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn what_a_dead_worker_left_goes_and_what_a_living_one_has_stays() {
        let parent = tempfile::tempdir().unwrap();
        let [dead, alive] = [(); 2].map(|()| uuid::Uuid::new_v4().simple().to_string());
        drop(folder(parent.path(), &dead, &pid_scope()));
        let lease = folder(parent.path(), &alive, &pid_scope());
        lease.try_lock().unwrap();
        let mut tasks = [&dead, &alive].map(|session| task_of(session));
        assert_eq!(sweep(parent.path()), Swept { folders: 1, processes: 1 });
        assert_eq!(names(parent.path()), [format!("{FOLDER_PREFIX}{alive}")]);
        assert!(!tasks[0].wait().unwrap().success());
        assert_eq!(tasks[1].try_wait().unwrap(), None);
        // Its helpers live on: they have the same open file.
        let helpers = lease.try_clone().unwrap();
        drop(lease);
        assert_eq!(sweep(parent.path()), Swept::default());
        drop(helpers);
        assert_eq!(sweep(parent.path()), Swept { folders: 1, processes: 1 });
        assert!(!tasks[1].wait().unwrap().success());
    }

    #[test]
    fn a_process_without_a_folder_here_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let mut task = task_of(&uuid::Uuid::new_v4().simple().to_string());
        assert_eq!(sweep(parent.path()), Swept::default());
        assert_eq!(task.try_wait().unwrap(), None);
        task.kill().unwrap();
        task.wait().unwrap();
    }

    #[test]
    fn what_belongs_elsewhere_stays_until_it_was_idle_for_an_hour() {
        let parent = tempfile::tempdir().unwrap();
        let lease = folder(parent.path(), "another", "another boot and namespace");
        assert_eq!(sweep(parent.path()), Swept::default());
        lease.set_modified(std::time::SystemTime::now() - ELSEWHERE * 2).unwrap();
        assert_eq!(sweep(parent.path()), Swept { folders: 1, processes: 0 });
    }

    #[test]
    fn no_link_is_followed() {
        let parent = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join(LEASE_NAME), format!("1 1\n{}\n", pid_scope())).unwrap();
        symlink(outside.path(), parent.path().join(format!("{FOLDER_PREFIX}linked"))).unwrap();
        let half = parent.path().join(format!("{FOLDER_PREFIX}half"));
        fs::create_dir(&half).unwrap();
        symlink(outside.path().join(LEASE_NAME), half.join(LEASE_NAME)).unwrap();
        assert_eq!(sweep(parent.path()), Swept::default());
        drop(folder(parent.path(), "whole", &pid_scope()));
        symlink(outside.path(), parent.path().join(format!("{FOLDER_PREFIX}whole")).join("way-out")).unwrap();
        assert_eq!(sweep(parent.path()), Swept { folders: 1, processes: 0 });
        assert!(outside.path().join(LEASE_NAME).exists());
    }
}
