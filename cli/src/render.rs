//! Shows a run: a live tree of its steps on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::args::Output;
use crate::client::{Client, segment};
use crate::error::CliError;
use crate::{duration, output};

/// How often a run is looked at.
const EVERY: Duration = Duration::from_millis(150);

/// Steps of a tree on a terminal, at most: what has ended well is left out first.
const LIVE_STEPS: usize = 40;

/// Waits for the end of a run. An outcome other than succeeded is [`CliError::RunFailed`].
pub(crate) async fn wait(
    client: &Client,
    id: &str,
    format: Output,
    follow: bool,
    bound: Option<Duration>,
) -> Result<(), CliError> {
    let path = format!("/api/v1/runs/{}", segment(id));
    let began = Instant::now();
    let mut screen = Screen::new(format, follow);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut pause = Duration::from_millis(10);
    loop {
        let run = client.get(&path).await?;
        let ended = has_ended(&run);
        screen.show(client, &path, &run, ended).await?;
        if ended {
            screen.end(&run);
            return match run["state"].as_str() {
                Some("succeeded") => Ok(()),
                _ => Err(CliError::RunFailed),
            };
        }
        if let Some(bound) = bound
            && began.elapsed() >= bound
        {
            return Err(CliError::TimedOut(format!("run {id} has not ended within {}", duration::show(bound))));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = &mut interrupted => return Err(CliError::Interrupted),
        }
        pause = (pause * 2).min(EVERY);
    }
}

/// Has it reached a terminal state?
pub(crate) fn has_ended(run: &Value) -> bool {
    !matches!(run["state"].as_str(), Some("waiting" | "running"))
}

/// What was shown so far.
struct Screen {
    format: Output,
    follow: bool,
    terminal: bool,
    /// Lines of the tree on the terminal now.
    drawn: usize,
    states: HashMap<String, String>,
    printed: HashMap<(String, u64), u64>,
}

impl Screen {
    fn new(format: Output, follow: bool) -> Self {
        let terminal = follow && format == Output::Table && std::io::stderr().is_terminal();
        Self { format, follow, terminal, drawn: 0, states: HashMap::new(), printed: HashMap::new() }
    }

    /// Shows what is new.
    async fn show(&mut self, client: &Client, path: &str, run: &Value, ended: bool) -> Result<(), CliError> {
        if !self.follow || self.format != Output::Table {
            return Ok(());
        }
        let lines = self.new_lines(client, path, run).await?;
        let tree = if self.terminal { tree(run, colours()) } else { self.changes(run) };
        let mut out = String::new();
        if self.terminal {
            if self.drawn > 0 {
                out.push_str(&format!("\x1b[{}A\x1b[J", self.drawn));
            }
            self.drawn = if ended { 0 } else { tree.len() };
        }
        for line in lines.iter().chain(&tree) {
            out.push_str(line);
            out.push('\n');
        }
        let _ = std::io::stderr().lock().write_all(out.as_bytes());
        Ok(())
    }

    /// What steps have printed since the last look.
    async fn new_lines(&mut self, client: &Client, path: &str, run: &Value) -> Result<Vec<String>, CliError> {
        let mut lines = Vec::new();
        for step in run["steps"].as_array().into_iter().flatten() {
            let name = step["name"].as_str().unwrap_or_default();
            let state = step["state"].as_str().unwrap_or_default();
            let attempt = step["attempt"].as_u64().unwrap_or(0);
            let key = format!("{name}/log");
            let seen = self.states.get(&key).map(String::as_str);
            // An ended step is read once more, then never again.
            if attempt == 0 || matches!(state, "queued") || seen == Some(&format!("{state}{attempt}")) && state != "running" {
                continue;
            }
            self.states.insert(key, format!("{state}{attempt}"));
            let from = self.printed.entry((name.to_owned(), attempt)).or_default();
            let page = client.get(&format!("{path}/logs?step={name}&attempt={attempt}&from={from}")).await?;
            *from = page["next"].as_u64().unwrap_or(*from);
            for chunk in page["chunks"].as_array().into_iter().flatten() {
                lines.extend(chunk["text"].as_str().unwrap_or_default().lines().map(|line| format!("{name} | {line}")));
            }
        }
        Ok(lines)
    }

    /// A line for each step that has moved since the last look.
    fn changes(&mut self, run: &Value) -> Vec<String> {
        let mut lines = Vec::new();
        for step in run["steps"].as_array().into_iter().flatten() {
            let name = step["name"].as_str().unwrap_or_default();
            let state = format!("{} {}", step["state"].as_str().unwrap_or_default(), step["attempt"]);
            if self.states.get(name) != Some(&state) {
                if !matches!(step["state"].as_str(), Some("waiting")) || step["attempt"] != 0 {
                    lines.push(describe(step, false));
                }
                self.states.insert(name.to_owned(), state);
            }
        }
        lines
    }

    /// The last word.
    fn end(&self, run: &Value) {
        let state = run["state"].as_str().unwrap_or_default();
        let took = took(run).map(|took| format!(" in {took}")).unwrap_or_default();
        let reason = run["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
        let id = run["id"].as_str().unwrap_or_default();
        output::one(self.format, run, &format!("run {id} {state}{took}{reason}"));
    }
}

/// A run and its steps, indented by how deep they stand in the DAG.
pub(crate) fn tree(run: &Value, coloured: bool) -> Vec<String> {
    let steps = run["steps"].as_array().cloned().unwrap_or_default();
    let depths = depths(&steps);
    let head = format!(
        "{} {} {}{}",
        run["workflow"].as_str().unwrap_or_default(),
        run["state"].as_str().unwrap_or_default(),
        took(run).unwrap_or_default(),
        run["reason"].as_str().map(|reason| format!("  {reason}")).unwrap_or_default(),
    );
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|place| depths[*place]);
    let mut lines = vec![head.trim_end().to_owned()];
    if coloured && steps.len() > LIVE_STEPS {
        let count = |state: &str| steps.iter().filter(|step| step["state"] == state).count();
        lines.push(format!(
            "  {} steps: {} succeeded, {} running, {} queued, {} waiting, {} failed",
            steps.len(),
            count("succeeded"),
            count("running"),
            count("queued"),
            count("waiting"),
            count("failed")
        ));
        order.retain(|place| !matches!(steps[*place]["state"].as_str(), Some("succeeded" | "waiting" | "queued")));
        order.truncate(LIVE_STEPS / 2);
    }
    for place in order {
        lines.push(format!("{}{}", "  ".repeat(depths[place].min(12) + 1), describe(&steps[place], coloured)));
    }
    lines
}

/// How deep each step stands: the longest way to it from a step that waits for nothing.
fn depths(steps: &[Value]) -> Vec<usize> {
    let places: HashMap<&str, usize> =
        steps.iter().enumerate().map(|(place, step)| (step["name"].as_str().unwrap_or_default(), place)).collect();
    let parents: Vec<Vec<usize>> = steps
        .iter()
        .map(|step| {
            let names = step["depends_on"].as_array().into_iter().flatten().filter_map(Value::as_str);
            names.filter_map(|name| places.get(name).copied()).collect()
        })
        .collect();
    let mut children = vec![Vec::new(); steps.len()];
    let mut open: Vec<usize> = parents.iter().map(Vec::len).collect();
    for (place, parents) in parents.iter().enumerate() {
        parents.iter().for_each(|parent| children[*parent].push(place));
    }
    let mut depths = vec![0; steps.len()];
    let mut ready: Vec<usize> = (0..steps.len()).filter(|place| open[*place] == 0).collect();
    while let Some(place) = ready.pop() {
        for &child in &children[place] {
            depths[child] = depths[child].max(depths[place] + 1);
            open[child] -= 1;
            if open[child] == 0 {
                ready.push(child);
            }
        }
    }
    depths
}

/// One step in one line.
fn describe(step: &Value, coloured: bool) -> String {
    let state = step["state"].as_str().unwrap_or_default();
    let (mark, colour) = match state {
        "succeeded" => ("✔", 32),
        "failed" | "timed_out" => ("✖", 31),
        "cancelled" | "skipped" => ("⊘", 33),
        "running" => ("●", 36),
        "queued" => ("○", 36),
        _ => ("·", 90),
    };
    let mark = if coloured { format!("\x1b[{colour}m{mark}\x1b[0m") } else { mark.to_owned() };
    let mut text = format!("{mark} {} {state}", step["name"].as_str().unwrap_or_default());
    if let Some(took) = took(step) {
        text.push_str(&format!(" {took}"));
    }
    if let Some(attempt) = step["attempt"].as_u64().filter(|attempt| *attempt > 1) {
        text.push_str(&format!(" (attempt {attempt})"));
    }
    if let (Some(reason), false) = (step["reason"].as_str(), state == "queued") {
        text.push_str(&format!("  {}", reason.lines().next().unwrap_or_default()));
    }
    text
}

/// How long it has taken, or took.
fn took(of: &Value) -> Option<String> {
    let instant = |key: &str| of[key].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let start = instant("started_at")?;
    let end = instant("ended_at").unwrap_or_else(Timestamp::now);
    let took = Duration::try_from(end.duration_since(start)).unwrap_or_default();
    Some(duration::show(took))
}

fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tree_shows_steps_below_what_they_wait_for() {
        let step = |name: &str, on: &[&str], state: &str| json!({"name": name, "depends_on": on, "state": state, "attempt": 1});
        let run = json!({"workflow": "w", "state": "running", "steps": [
            step("join", &["b", "a"], "waiting"), step("a", &[], "succeeded"), step("b", &["a"], "running"),
        ]});
        let lines = tree(&run, false);
        assert_eq!(lines, ["w running", "  ✔ a succeeded", "    ● b running", "      · join waiting"]);
    }
}
