//! What was shown of a run so far, and what comes next: output first, then how its steps stand.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};

use serde_json::Value;

use super::items::ItemsShown;
use super::lines::Lines;
use super::terminal::{self, Style};
use super::tree;
use super::visible::Showing;
use crate::client::{Client, segment};
use crate::error::CliError;
use crate::options::Output;
use crate::output;

/// The most lines of the tree, however tall the terminal is.
const TALLEST: usize = 40;

/// Control codes: the cursor hides and shows, a frame begins and ends (drawn as one where that is understood), and
/// the rest of a line or of the screen is cleared.
const HIDE: &str = "\x1b[?25l";
const SHOW: &str = "\x1b[?25h";
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// What of a run is shown, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) format: Output,
    /// Whether its steps are shown, and what they print.
    pub(crate) follow: bool,
    /// Whether what they print is shown as it is.
    pub(crate) raw: bool,
}

/// A run on the screen.
pub(super) struct Screen {
    format: Output,
    follow: bool,
    /// Is there a tree that is drawn again and again?
    live: bool,
    style: Style,
    /// The ways in which the output of tasks is shown, and all else.
    showing: (Showing, Showing),
    /// The number of lines of the tree that are on the terminal now.
    drawn: usize,
    steps: HashMap<String, Shown>,
}

/// What was shown of a step.
#[derive(Default)]
struct Shown {
    /// The state and the attempt.
    state: String,
    /// The state and the attempt when its output was read.
    read: String,
    attempt: u64,
    next_chunk: u64,
    lines: Lines,
    items: ItemsShown,
}

impl Screen {
    /// A screen on which nothing of the run was shown yet.
    pub(super) fn new(view: View) -> Self {
        let View { format, raw, .. } = view;
        let follow = view.follow && format == Output::Table;
        let is_terminal = std::io::stderr().is_terminal();
        // What a terminal is told as it is may move the cursor, which a tree that is drawn again relies on.
        let live = follow && is_terminal && !raw && !terminal::is_dumb();
        let showing = Showing::of(is_terminal);
        Self {
            format,
            follow,
            live,
            style: Style::of(live),
            showing: (showing.or_raw(raw), showing),
            drawn: 0,
            steps: HashMap::new(),
        }
    }

    /// Shows what has happened to the run since the last look.
    pub(super) async fn show(
        &mut self,
        client: &Client,
        path: &str,
        run: &Value,
        ended: bool,
    ) -> Result<(), CliError> {
        if !self.follow {
            return Ok(());
        }
        let mut news = Vec::new();
        let mut steps: Vec<&Value> = run["steps"].as_array().into_iter().flatten().collect();
        // As it happened: RFC 3339 texts of one length sort by time.
        steps.sort_by_key(|step| step["started_at"].as_str().unwrap_or("~"));
        for step in steps {
            self.news_of(client, path, step, &mut news).await?;
        }
        if self.live {
            self.draw(&news, run, ended);
        } else {
            let text: String = news.iter().map(|line| format!("{line}\n")).collect();
            write(&text);
        }
        Ok(())
    }

    /// Adds what a step has printed and how it has moved since the last look.
    async fn news_of(
        &mut self,
        client: &Client,
        path: &str,
        step: &Value,
        news: &mut Vec<String>,
    ) -> Result<(), CliError> {
        let name = step["name"].as_str().unwrap_or_default();
        let state = step["state"].as_str().unwrap_or_default();
        let now = format!("{state} {}", step["attempt"]);
        // It was carried over: what it has printed was printed before.
        if step["carried_from"].is_string() {
            return Ok(());
        }
        let shown = self.steps.entry(name.to_owned()).or_default();
        let moved = shown.state != now;
        let tell = moved && !self.live && (state != "waiting" || step["attempt"] != 0);
        shown.state.clone_from(&now);
        let (output, text) = self.showing;
        let plain = || text.text(&tree::plain(step)).into_owned();
        if tell && state == "running" {
            news.push(plain());
        }
        let last = step["attempt"].as_u64().unwrap_or(0);
        // A step that does not run is read once more after it has moved, then never again.
        if last > 0 && (state == "running" || shown.read != now) {
            let prefix = self.style.paint(terminal::Colour::Grey, &format!("{} |", text.text(name)));
            let mut print = |line: &String| news.push(format!("{prefix} {}", output.output(line)));
            // Attempts may have come and gone since the last look.
            for attempt in shown.attempt.max(1)..=last {
                if attempt != shown.attempt {
                    shown.lines.finish().iter().for_each(&mut print);
                    (shown.attempt, shown.next_chunk) = (attempt, 0);
                }
                loop {
                    let from = shown.next_chunk;
                    let url = format!("{path}/logs?step={}&attempt={attempt}&from={from}", segment(name));
                    let page = client.get(&url).await?;
                    let chunks = page["chunks"].as_array().map_or(&[] as &[Value], Vec::as_slice);
                    chunks.iter().for_each(|chunk| shown.lines.push(chunk).iter().for_each(&mut print));
                    shown.next_chunk = page["next"].as_u64().unwrap_or(from);
                    if chunks.is_empty() {
                        break;
                    }
                }
            }
            if !matches!(state, "running" | "queued") {
                shown.lines.finish().iter().for_each(&mut print);
            }
            shown.read = now;
        }
        if step["items"].is_object() {
            for (unit, lines) in shown.items.news(client, path, step).await? {
                let prefix = self.style.paint(terminal::Colour::Grey, &format!("{} |", text.text(&unit)));
                news.extend(lines.iter().map(|line| format!("{prefix} {}", output.output(line))));
            }
        }
        if tell && state != "running" {
            news.push(plain());
        }
        Ok(())
    }

    /// Writes the news over the old tree and a new tree below them, in one piece and without clearing first: so
    /// nothing flickers.
    fn draw(&mut self, news: &[String], run: &Value, ended: bool) {
        let (columns, lines) = terminal::size();
        let room = TALLEST.min(lines.saturating_sub(1)).max(3);
        let tree = tree::live(run, self.style, room);
        let mut out = format!("{BEGIN}{HIDE}");
        if self.drawn > 0 {
            out.push_str(&format!("\x1b[{}A", self.drawn));
        }
        for line in news {
            out.push_str(&format!("{line}{CLEAR_LINE}\n"));
        }
        for line in &tree {
            let line = self.showing.1.text(line).replace(['\n', '\t'], " ");
            out.push_str(&format!("{}{CLEAR_LINE}\n", terminal::cut(&line, columns)));
        }
        out.push_str(CLEAR_BELOW);
        if ended {
            out.push_str(SHOW);
        }
        out.push_str(END);
        write(&out);
        self.drawn = if ended { 0 } else { tree.len() };
    }

    /// Says how the run has ended, and what it hands on.
    pub(super) fn end(&self, run: &Value) {
        let state = run["state"].as_str().unwrap_or_default();
        let took = tree::took(run).map(|took| format!(" in {took}")).unwrap_or_default();
        let reason = run["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
        let id = run["id"].as_str().unwrap_or_default();
        let outputs = tree::outputs(run).map(|outputs| format!("\n{outputs}")).unwrap_or_default();
        output::one(self.format, run, &format!("run {id} {state}{took}{reason}{outputs}"));
    }

    /// The error of a wait that was interrupted. It says whether the run goes on.
    pub(super) fn interrupted(&self, client: &Client, id: &str) -> CliError {
        CliError::Interrupted(match client {
            Client::Local { .. } => "interrupted".to_owned(),
            Client::Remote { .. } => format!("interrupted; the run goes on: millrace runs watch {id}"),
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.drawn > 0 {
            write(SHOW);
        }
    }
}

/// Writes a text to standard error. A terminal that went away is no failure.
fn write(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
