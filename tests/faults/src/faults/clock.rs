//! A process with a clock of its own, which can be moved while it runs (libfaketime). The monotonic clock stays true:
//! no machine's goes wrong with the time of day.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Begun, Hits};
use crate::incident::Epoch;
use crate::kind::Kind;
use crate::plan::Fault;
use crate::stage::Stage;

/// Where Debian keeps it.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// How far off it is, in seconds.
const OFF: [(Kind, &str); 2] = [(Kind::ClockAhead, "+90\n"), (Kind::ClockBehind, "-90\n")];

/// A clock that a file says how far to move.
#[derive(Debug)]
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// A clock that is right.
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

    /// What a process needs, to see it.
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

    fn set(&self, by: &str) -> Result<(), String> {
        // At once: the process may be reading.
        let new = self.file.with_extension("new");
        fs::write(&new, by).and_then(|()| fs::rename(&new, &self.file)).map_err(|error| error.to_string())
    }
}

/// Moves it.
pub(super) fn inject(fault: &Fault, stage: &mut Stage, epoch: Epoch) -> Result<Begun, String> {
    let index = stage.members.iter().position(|member| member.clock.is_some()).ok_or("there is no clock")?;
    let by = OFF.iter().find(|(kind, _)| *kind == fault.kind).map_or("+0\n", |(_, by)| by);
    let began = epoch.now();
    set(stage, index, by)?;
    let target = stage.members[index].name();
    Ok(Begun { target, index, hits: Hits::Nobody, is_gone: false, began })
}

/// Puts it right.
pub(super) fn heal(begun: &Begun, stage: &mut Stage) -> Result<(), String> {
    set(stage, begun.index, "+0\n")
}

fn set(stage: &Stage, index: usize, by: &str) -> Result<(), String> {
    stage.members[index].clock.as_ref().ok_or("there is no clock")?.set(by)
}
