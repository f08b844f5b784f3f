//! Outputs that are large: how large they may be, and that those of a step are kept apart from its run. The run itself has
//! their size, and is lent them while something uses them (see `lent`).

use std::io;

use serde_json::{Map, Value};

use super::{Ended, Run};
use crate::Outcome;
use crate::task::TaskResult;

/// The most bytes (JSON) of outputs that a run keeps in its record of a step.
pub const LARGE_OUTPUT_BYTES: u64 = 64 * 1024;

/// The most bytes (JSON) of outputs that do not end their step well: of an attempt that failed, and of one of a step that is
/// repeated. A history may have to hold them, since no end does. As much as 64 KiB of text can come to as JSON.
pub const UNENDED_OUTPUT_BYTES: u64 = 512 * 1024;

/// The most bytes (JSON) that the outputs of a step may take; of a step that fans out, those of all its items.
pub const MAX_OUTPUT_BYTES: u64 = 8 * 1024 * 1024;

/// The most bytes (JSON) that the outputs of a run as a whole may take: they are in its head, which lists read.
pub const MAX_RUN_OUTPUT_BYTES: u64 = 64 * 1024;

/// The bytes that outputs take as JSON.
pub fn bytes_of(outputs: &Map<String, Value>) -> u64 {
    struct Count(u64);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match outputs.is_empty() {
        true => 0,
        // Counting cannot fail, and neither can writing JSON.
        false => serde_json::to_writer(&mut count, outputs).map_or(0, |()| count.0),
    }
}

/// The result with outputs that may be as large as they are. Too large ones fail an attempt; those of one that failed are
/// dropped.
pub(super) fn within_bounds(run: &Run, result: TaskResult) -> TaskResult {
    let bytes = bytes_of(&result.outputs);
    if bytes <= UNENDED_OUTPUT_BYTES {
        return result;
    }
    let is_repeated = run.workflow.step(result.step).is_some_and(|step| step.repeat.is_some());
    let why = match result.outcome {
        Outcome::Succeeded if bytes > MAX_OUTPUT_BYTES => Some(too_large(bytes, MAX_OUTPUT_BYTES)),
        Outcome::Succeeded if is_repeated => {
            Some(format!("{}, where a step is repeated", too_large(bytes, UNENDED_OUTPUT_BYTES)))
        }
        Outcome::Succeeded => return result,
        _ => None,
    };
    let outcome = if why.is_some() { Outcome::Failed } else { result.outcome };
    TaskResult { outcome, reason: why.or(result.reason), outputs: Map::new(), ..result }
}

/// What is said of outputs that are larger than they may be.
pub(super) fn too_large(bytes: u64, limit: u64) -> String {
    format!(
        "its outputs take {bytes} bytes: expected at most {limit}; write large data elsewhere and give its place"
    )
}

impl Ended {
    /// Whether its outputs, or those of its items, are kept apart from the run.
    pub fn is_apart(&self) -> bool {
        self.items.is_some() || self.outputs_bytes > 0
    }

    /// Takes out outputs that are large, to be kept apart: as JSON.
    pub(super) fn take_large(&mut self) -> Option<String> {
        let bytes = bytes_of(&self.outputs);
        if bytes <= LARGE_OUTPUT_BYTES {
            return None;
        }
        self.outputs_bytes = bytes;
        serde_json::to_string(&std::mem::take(&mut self.outputs)).ok()
    }
}
