//! Where the database is. A file that is removed while it is open can be written to until it is closed, and is gone
//! then.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The place of an open database.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// The device and the inode of the file.
    file: Option<(u64, u64)>,
    told: AtomicBool,
}

impl Place {
    /// The place of a file that is open.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: file_at(path), told: AtomicBool::new(false) }
    }

    /// Looks at the place, and logs once that another file is there, or none.
    pub(super) fn look(&self) {
        if file_at(&self.path) != self.file && !self.told.swap(true, Ordering::Relaxed) {
            tracing::error!(
                path = %self.path.display(),
                "the database was removed or replaced while it is in use: all that it holds is gone once this process \
                 ends; end it, and start it again"
            );
        }
    }
}

fn file_at(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}
