//! The file to which a task writes its outputs (`$MILLRACE_OUTPUT`), and what it may hold: `key=value` lines,
//! or one JSON object.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use millrace_domain::definition::is_output_key;
use millrace_domain::nesting::{MAX_NESTING, check_nesting};
use millrace_domain::number;
use millrace_domain::run::large::bytes_of;
use nix::fcntl::OFlag;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::repeated_key::{Repeated, repeated_key};

/// The outputs that a task has written.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Written {
    pub(crate) outputs: Map<String, Value>,
    /// Whether they are a JSON object, whose values have kinds of their own.
    pub(crate) is_typed: bool,
}

/// The file of one attempt. It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct OutputsFile(PathBuf);

impl OutputsFile {
    /// Creates a fresh, empty file in the worker's private folder.
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(Uuid::new_v4().simple().to_string());
        let create = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        match create() {
            // A cleaner of temporary files has been here.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
                create()?
            }
            created => created?,
        };
        Ok(Self(path))
    }

    /// The path of the file, for the task.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads what the task wrote; the error says what is wrong with it.
    pub(crate) fn read(&self, limit_bytes: usize) -> Result<Written, String> {
        let bytes = match self.bytes(limit_bytes) {
            Ok(bytes) => bytes,
            // The task removed it: it has no outputs.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Written::default()),
            Err(error) => return Err(format!("the file of outputs cannot be read: {error}")),
        };
        let too_large = || {
            format!(
                "outputs are larger than {limit_bytes} bytes: write large data elsewhere and give its place"
            )
        };
        if bytes.len() > limit_bytes {
            return Err(too_large());
        }
        let written = parse(&bytes)?;
        // As JSON, which they travel as, a text may take several times as many bytes.
        if bytes_of(&written.outputs) > limit_bytes as u64 {
            return Err(too_large());
        }
        Ok(written)
    }

    /// Reads the file, one byte past the limit at most.
    fn bytes(&self, limit_bytes: usize) -> io::Result<Vec<u8>> {
        // The task may have put anything in its place: never wait for a pipe, never follow a link.
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(&self.0)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file any more"));
        }
        let mut bytes = Vec::new();
        if metadata.len() > 0 {
            File::take(file, limit_bytes as u64 + 1).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }
}

impl Drop for OutputsFile {
    fn drop(&mut self) {
        // The task may have removed it.
        let _ = fs::remove_file(&self.0);
    }
}

/// Parses outputs of either form.
fn parse(bytes: &[u8]) -> Result<Written, String> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_typed = first == Some(&b'{');
    let outputs = if is_typed { parse_object(bytes)? } else { parse_lines(bytes)? };
    Ok(Written { outputs, is_typed })
}

/// Parses outputs that are one JSON object.
fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let object: Map<String, Value> = serde_json::from_slice(bytes)
        .map_err(|error| format!("outputs must be key=value lines or one JSON object: {error}"))?;
    number::check_numbers(bytes).map_err(|error| format!("outputs: {error}"))?;
    if let Some(key) = object.keys().find(|key| !is_output_key(key)) {
        return Err(format!("output {key:?} must match [a-z][a-z0-9_]*"));
    }
    for (key, value) in &object {
        check_nesting(value, MAX_NESTING).map_err(|error| format!("output `{key}` is {error}"))?;
    }
    match repeated_key(bytes) {
        Some(Repeated { key, lines: (first, second) }) => {
            Err(format!("outputs: {key:?} is given twice, in line {first} and in line {second}"))
        }
        None => Ok(object),
    }
}

/// Parses outputs that are `key=value` lines.
fn parse_lines(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let mut outputs = Map::new();
    let mut lines = HashMap::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let line = str::from_utf8(line).map_err(|_| format!("outputs, line {number}: this is not UTF-8"))?;
        if line.trim().is_empty() {
            continue;
        }
        let shown = || line.chars().take(60).collect::<String>();
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| format!("outputs, line {number}: expected key=value, found {:?}", shown()))?;
        if !is_output_key(key) {
            return Err(format!(
                "outputs, line {number}: the key in {:?} must match [a-z][a-z0-9_]*",
                shown()
            ));
        }
        if let Some(first) = lines.insert(key, number) {
            return Err(format!("outputs: {key:?} is given twice, in line {first} and in line {number}"));
        }
        outputs.insert(key.to_owned(), value.into());
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_are_read() {
        let lines = parse(b"rows=3\n\nurl=http://x/?a=b\nempty=\n").unwrap();
        assert_eq!(Value::Object(lines.outputs), json!({"rows": "3", "url": "http://x/?a=b", "empty": ""}));
        let object = parse(b" \n{\"rows\": 3, \"tables\": [\"a\"]}\n").unwrap();
        assert_eq!(Value::Object(object.outputs), json!({"rows": 3, "tables": ["a"]}));
        assert!(object.is_typed && !lines.is_typed);
        assert_eq!(parse(b""), Ok(Written::default()));
    }

    #[test]
    fn what_is_malformed_is_named_by_its_line() {
        let reason = |bytes: &[u8]| parse(bytes).unwrap_err();
        assert_eq!(reason(b"a=1\nnonsense\n"), "outputs, line 2: expected key=value, found \"nonsense\"");
        assert!(reason(b"Rows=1").contains("line 1: the key in \"Rows=1\" must match"));
        assert!(reason(b"a=\xff").contains("line 1: this is not UTF-8"));
        assert!(reason(b"{\"a\": 1,\n \"b\" 2}").contains("line 2"), "{}", reason(b"{\"a\": 1,\n \"b\" 2}"));
        let long = reason(b"{\"rows\": [{\"id\": 12345678901234567890123}]}");
        assert!(
            long.starts_with("outputs: `rows[0].id`: 12345678901234567890123 would lose digits"),
            "{long}"
        );
        assert_eq!(parse(b"id=12345678901234567890123\n").unwrap().outputs["id"], "12345678901234567890123");
        assert!(reason(b"{\"a-b\": 1}").contains("\"a-b\" must match"));
        let nested = |levels| format!("{{\"deep\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(64).as_bytes()).is_ok());
        assert_eq!(
            reason(nested(65).as_bytes()),
            "output `deep` is nested too deep: expected at most 64 levels of lists and maps"
        );
    }

    #[test]
    fn a_key_that_occurs_twice_is_named_with_both_lines() {
        let reason = |text: &str| parse(text.as_bytes()).unwrap_err();
        assert_eq!(reason("a=1\nb=2\n\na=1\n"), "outputs: \"a\" is given twice, in line 1 and in line 4");
        assert_eq!(
            reason("{\"a\": 1,\n \"b\": [1, 2],\n \"a\": {}}"),
            "outputs: \"a\" is given twice, in line 1 and in line 3"
        );
        assert_eq!(
            reason("\n{\"a\": [0, {\n\"x\": 1,\n\"\\u0078\": 2}]}"),
            "outputs: \"x\" is given twice, in line 3 and in line 4"
        );
        assert!(parse(b"{\"a\": {\"a\": 1}, \"b\": [{\"a\": 1}, {\"a\": 1}]}").is_ok());
    }

    #[test]
    fn a_file_is_fresh_private_bounded_and_gone_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        // As after a cleaner of temporary files.
        let folder = directory.path().join("folder");
        let file = OutputsFile::create(&folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(file.path())), (0o700, 0o600));
        fs::write(file.path(), "a=12345").unwrap();
        assert_eq!(file.read(13).unwrap().outputs["a"], "12345");
        assert!(file.read(12).unwrap_err().contains("larger than 12 bytes"), "as JSON");
        assert!(file.read(6).unwrap_err().contains("larger than 6 bytes"));
        let path = file.path().to_owned();
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_pipe_or_a_link_in_place_of_the_file_is_refused_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let file = OutputsFile::create(directory.path()).unwrap();
        fs::remove_file(file.path()).unwrap();
        nix::unistd::mkfifo(file.path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(file.read(100).unwrap_err().contains("not a regular file"));
        fs::remove_file(file.path()).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", file.path()).unwrap();
        assert!(file.read(100).is_err());
    }
}
