//! Lines of output from the chunks of a log, which may end anywhere.

use std::collections::BTreeMap;

use serde_json::Value;

/// The length at which a line without an end is shown anyway, in bytes.
const LONGEST: usize = 64 * 1024;

/// The lines that one attempt has begun to print, by stream.
#[derive(Debug, Default)]
pub(crate) struct Lines(BTreeMap<String, String>);

impl Lines {
    /// Adds a chunk, and returns the lines that it completes.
    pub(crate) fn push(&mut self, chunk: &Value) -> Vec<String> {
        let stream = chunk["stream"].as_str().unwrap_or_default();
        // The worker speaks between the lines of the task, never within one.
        let mut lines = if stream == "worker" { self.finish() } else { Vec::new() };
        let begun = self.0.entry(stream.to_owned()).or_default();
        begun.push_str(chunk["text"].as_str().unwrap_or_default());
        while let Some(end) = begun.find('\n') {
            let rest = begun.split_off(end + 1);
            begun.truncate(end);
            lines.push(std::mem::replace(begun, rest));
        }
        if begun.len() > LONGEST {
            lines.push(std::mem::take(begun));
        }
        lines
    }

    /// Takes the lines that have no end yet, and will have none.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0).into_values().filter(|line| !line.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_in_two_chunks_is_one_line_and_streams_do_not_mix() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(&json!({"stream": "stdout", "text": "a\nb"})), ["a"]);
        assert_eq!(lines.push(&json!({"stream": "stderr", "text": "x\n"})), ["x"]);
        assert_eq!(lines.push(&json!({"stream": "stdout", "text": "c\n\nd"})), ["bc", ""]);
        assert_eq!(lines.push(&json!({"stream": "worker", "text": "cut\n"})), ["d", "cut"]);
        assert_eq!(lines.finish(), [] as [&str; 0]);
    }
}
