//! A small disk of its own for a worker's log and temporary files, which can be filled.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Reads a pipe whose other end is ours: when it closes, on purpose or since we died, the disk goes. Lazily: whoever
/// still has a file open there keeps it until then.
const REAPER: &str = r#"read -r _; umount -l "$1""#;

/// A mounted tmpfs, gone when dropped.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    reaper: Child,
}

impl Disk {
    /// Mounts a disk of 8 MiB.
    ///
    /// # Errors
    /// When this user may not.
    pub fn mount(path: &Path) -> Result<Self, String> {
        fs::create_dir_all(path).map_err(|error| error.to_string())?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=8m", "millrace-faults"]).arg(path);
        let done = command.output().map_err(|error| format!("mount cannot be run: {error}"))?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).trim().to_owned());
        }
        let mut reaper = Command::new("sh");
        reaper.args(["-c", REAPER, "reaper"]).arg(path).stdin(Stdio::piped()).process_group(0);
        let reaper = reaper.spawn().map_err(|error| format!("sh cannot be run: {error}"))?;
        Ok(Self { path: path.to_owned(), reaper })
    }

    /// The folder at which it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that takes all the room.
    fn filling(&self) -> PathBuf {
        self.path.join("filling")
    }

    /// Writes until nothing more fits.
    pub(crate) fn fill(&self) -> Result<(), String> {
        let mut file = File::create(self.filling()).map_err(|error| error.to_string())?;
        loop {
            match file.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Makes room again.
    pub(crate) fn clear(&self) -> Result<(), String> {
        fs::remove_file(self.filling()).map_err(|error| error.to_string())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.reaper.stdin.take());
        let _ = self.reaper.wait();
    }
}
