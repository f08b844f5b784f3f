//! What the API says of runs, looked at again and again: a terminal state that was seen once must stay.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::doors::Doors;

/// The states of a run that do not change any more.
pub const TERMINAL: [&str; 5] = ["succeeded", "failed", "timed_out", "cancelled", "skipped"];

/// The number of runs in one page.
const PAGE: usize = 500;

/// The states of all runs that were seen.
#[derive(Debug, Default)]
pub struct States {
    /// The workflow of each run, and its state when it was seen last.
    pub runs: HashMap<String, (String, String)>,
    /// The runs that are steps of others, by those.
    pub children: HashMap<String, HashSet<String>>,
    /// How often a state that was terminal was looked at once more.
    pub looked_again: u64,
    /// The terminal states that changed, in words.
    pub changed: Vec<String>,
}

impl States {
    /// Reads `pages` of the list, the newest runs first, and returns how many runs it named.
    ///
    /// # Errors
    /// When the producer does not answer.
    pub async fn sweep(&mut self, doors: &Doors, producer: usize, pages: usize) -> Result<usize, String> {
        let (mut cursor, mut count) = (String::new(), 0);
        for _ in 0..pages {
            let page = doors.get(producer, &format!("/api/v1/runs?limit={PAGE}{cursor}")).await?;
            let runs = page["runs"].as_array().cloned().unwrap_or_default();
            count += runs.len();
            runs.iter().for_each(|run| self.see(run));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        Ok(count)
    }

    /// Notes what an answer says of a run.
    pub fn see(&mut self, run: &Value) {
        let text = |field: &str| run[field].as_str().unwrap_or_default().to_owned();
        let (id, state) = (text("id"), text("state"));
        if let Some(parent) = run["parent_run_id"].as_str() {
            self.children.entry(parent.to_owned()).or_default().insert(id.clone());
        }
        match self.runs.get_mut(&id) {
            Some((_, known)) if TERMINAL.contains(&known.as_str()) => {
                self.looked_again += 1;
                if *known != state {
                    self.changed.push(format!("run {id} was {known}, and then {state}"));
                }
                *known = state;
            }
            Some((_, known)) => *known = state,
            None => {
                self.runs.insert(id, (text("workflow"), state));
            }
        }
    }

    /// The runs that have not ended, as far as was seen.
    pub fn open(&self) -> Vec<String> {
        let open = self.runs.iter().filter(|(_, (_, state))| !TERMINAL.contains(&state.as_str()));
        open.map(|(id, _)| id.clone()).collect()
    }
}
