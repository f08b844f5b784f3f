//! A recording: what a version left, and what it had said of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use millrace_tests::Api;
use serde_json::Value;

use crate::instants::{millis, moved};

/// A recording, of a fleet or of `millrace dev`, moved to now.
#[derive(Debug, Clone)]
pub struct Recording {
    /// What is known of it: when it was made, its runs by name, and the answers of the API.
    pub about: Value,
    /// By how much its instants were moved, in milliseconds.
    pub moved_by: i64,
}

/// The folder of the recorded files.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("v0_1")
}

/// Reads a recorded file.
fn text(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The milliseconds since 1970-01-01 now.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A value without the fields of a name.
fn without(value: &Value, name: &str) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(field, _)| *field != name);
            fields.map(|(field, value)| (field.clone(), without(value, name))).collect()
        }
        Value::Array(all) => all.iter().map(|one| without(one, name)).collect(),
        other => other.clone(),
    }
}

impl Recording {
    /// Opens a recording by the name of the file that tells about it, as if it had been made just now.
    pub fn open(name: &str) -> Self {
        let about: Value = serde_json::from_str(&text(name)).unwrap();
        let moved_by = now() - about["recorded_at"].as_i64().unwrap();
        Self { about, moved_by }
    }

    /// A file of the recording, moved as the recording is.
    pub fn file(&self, name: &str) -> String {
        moved(&text(name), self.moved_by)
    }

    /// A file of JSON of the recording, moved as the recording is.
    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.file(name)).unwrap()
    }

    /// The id of a run of the recording.
    pub fn run(&self, name: &str) -> &str {
        self.about["runs"][name]["id"].as_str().unwrap_or_else(|| panic!("no run {name} was recorded"))
    }

    /// The runs, by name: the id, and the state in which each must end, if it is to end soon.
    pub fn runs(&self) -> impl Iterator<Item = (&str, &str, Option<&str>)> {
        let runs = self.about["runs"].as_object().unwrap();
        runs.iter().map(|(name, run)| (name.as_str(), run["id"].as_str().unwrap(), run["ends"].as_str()))
    }

    /// Does the API answer what it had answered when the recording was made, of all that rests?
    ///
    /// # Errors
    /// What differs, and where.
    pub async fn is_shown(&self, api: &Api) -> Result<(), String> {
        for (path, recorded) in self.about["answers"].as_object().unwrap() {
            let answer = api.try_get(path).await?;
            // Schedules go on meanwhile.
            let recorded = without(recorded, "next_fire");
            self.says(&recorded, &answer).map_err(|error| format!("{path}: {error}"))?;
        }
        let listed = api.runs(None).await?;
        for (name, id, _) in self.runs() {
            if !listed.iter().any(|run| run["id"] == id) {
                return Err(format!("run {id} ({name}) is not listed"));
            }
        }
        Ok(())
    }

    /// Does an answer say what was recorded? Whatever is in the recorded one must be there; instants are moved. A
    /// newer version may say more, and has its own words for why something waits.
    fn says(&self, recorded: &Value, answer: &Value) -> Result<(), String> {
        match (recorded, answer) {
            (Value::Object(fields), Value::Object(_)) => {
                let waits = ["waiting", "queued", "running"].map(Value::from).contains(&recorded["state"]);
                let fields = fields.iter().filter(|(name, _)| !(waits && name.as_str() == "reason"));
                fields.into_iter().try_for_each(|(name, value)| {
                    self.says(value, &answer[name]).map_err(|error| format!("{name}: {error}"))
                })
            }
            (Value::Array(all), Value::Array(others)) if all.len() == others.len() => {
                let mut pairs = all.iter().zip(others).enumerate();
                pairs.try_for_each(|(at, (one, other))| {
                    self.says(one, other).map_err(|error| format!("{at}: {error}"))
                })
            }
            (Value::String(before), Value::String(now)) if self.is_moved(before, now) => Ok(()),
            (Value::Number(_), Value::Number(_)) if self.moves(recorded) == *answer => Ok(()),
            _ if recorded == answer => Ok(()),
            _ => Err(format!("expected {recorded}, got {answer}")),
        }
    }

    /// A number as the tests see it.
    fn moves(&self, number: &Value) -> Value {
        serde_json::from_str(&moved(&number.to_string(), self.moved_by)).unwrap()
    }

    fn is_moved(&self, before: &str, now: &str) -> bool {
        matches!((millis(before), millis(now)), (Some(before), Some(now)) if before + self.moved_by == now)
    }
}
