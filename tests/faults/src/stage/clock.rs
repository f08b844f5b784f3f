//! A process with a clock of its own, which can be moved while it runs (libfaketime). The monotonic clock stays true:
//! no machine's goes wrong with the time of day.

use std::fs;
use std::path::{Path, PathBuf};

/// Where Debian keeps libfaketime.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A clock that a file says how far to move.
#[derive(Debug)]
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// Makes a clock that is right.
    ///
    /// # Errors
    /// When libfaketime is not there.
    pub fn new(folder: &Path) -> Result<Self, String> {
        if !Path::new(LIBRARY).exists() {
            return Err(format!("{LIBRARY} is not there: apt-get install faketime"));
        }
        let file = folder.join("clock");
        fs::write(&file, "+0\n").map_err(|error| error.to_string())?;
        Ok(Self { file })
    }

    /// The variables by which a process sees this clock.
    pub fn variables(&self) -> Vec<(String, String)> {
        let all = [
            ("LD_PRELOAD", LIBRARY),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_str().unwrap_or_default()),
            ("FAKETIME_CACHE_DURATION", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ];
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Moves the clock by so many seconds from the true time: `+90` and a newline.
    pub(crate) fn set(&self, by: &str) -> Result<(), String> {
        // At once: the process may be reading.
        let new = self.file.with_extension("new");
        fs::write(&new, by).and_then(|()| fs::rename(&new, &self.file)).map_err(|error| error.to_string())
    }
}
