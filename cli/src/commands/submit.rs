//! `submit`: ad-hoc tasks, one or many.

use std::io::BufRead;
use std::time::Duration;

use clap::{Args, ValueHint};
use millrace_domain::quantity::format_duration;
use millrace_domain::{PoolName, Priority};
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::commands::params::{self, Pair};
use crate::duration;
use crate::error::CliError;
use crate::options::{Common, FollowArgs};
use crate::output::Results;
use crate::render::Wait;
use crate::{output, render};

/// The number of submissions in one request of a batch.
const CHUNK: usize = 1_000;

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// The pool that executes it
    #[arg(long)]
    pool: Option<PoolName>,
    /// P0 (urgent) to P3 (idle), or 0-9
    #[arg(long)]
    priority: Option<Priority>,
    /// Idempotency key: the same key within 24 h is the same run
    #[arg(long)]
    key: Option<String>,
    /// Start so long from now: 10m
    #[arg(long, value_name = "DURATION", conflicts_with = "at", value_parser = duration::parse)]
    delay: Option<Duration>,
    /// Start at this instant: 2030-01-01T02:00:00+08:00
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    at: Option<String>,
    /// How long it may take: 30s
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
    timeout: Option<Duration>,
    /// How many retries
    #[arg(long, value_name = "COUNT")]
    retries: Option<u32>,
    /// A param, given to the task as an environment variable
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = params::pair)]
    params: Vec<Pair>,
    #[command(flatten)]
    follow: FollowArgs,
    /// Submissions, one JSON object a line (- reads standard input); returns once all are accepted
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["command", "follow"])]
    batch: Option<String>,
    /// The command
    #[arg(last = true, required_unless_present = "batch", value_name = "COMMAND", value_hint = ValueHint::AnyPath)]
    command: Vec<String>,
}

/// Reads an instant, and leaves it as it will be sent.
fn instant(text: &str) -> Result<String, String> {
    let expected = "expected RFC 3339 with an offset, such as 2030-01-01T02:00:00+08:00";
    text.parse::<jiff::Timestamp>().map(|_| text.to_owned()).map_err(|_| expected.to_owned())
}

/// Submits one task, or the lines of a file.
pub(crate) async fn run(common: &Common, args: SubmitArgs) -> Result<(), CliError> {
    let client = Client::of(common)?;
    if let Some(file) = &args.batch {
        return batch(&client, common, file).await;
    }
    let mut body = Map::new();
    body.insert("run".to_owned(), command_line(&args.command).into());
    let fields = [
        ("pool", args.pool.as_ref().map(ToString::to_string)),
        ("priority", args.priority.as_ref().map(ToString::to_string)),
        ("idempotency_key", args.key),
        ("delay", args.delay.map(format_duration)),
        ("at", args.at),
        ("timeout", args.timeout.map(format_duration)),
    ];
    for (field, value) in fields {
        if let Some(value) = value {
            body.insert(field.to_owned(), value.into());
        }
    }
    if let Some(limit) = args.retries {
        body.insert("retry".to_owned(), json!({ "limit": limit }));
    }
    body.insert("params".to_owned(), json!(params::texts(&args.params)));
    let answer = client.post("/api/v1/runs", &Value::Object(body)).await?;
    let id = answer["run_id"].as_str().unwrap_or_default();
    if args.follow.follow {
        return render::wait(&client, id, Wait::of(common.output, &args.follow)).await;
    }
    output::one(common.output, &answer, id);
    Ok(())
}

/// Writes a command as one line for the shell: one argument is taken as it is, several are quoted.
fn command_line(command: &[String]) -> String {
    match command {
        [one] => one.clone(),
        many => many.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Submits the lines of a file, in chunks; returns once all are accepted.
async fn batch(client: &Client, common: &Common, file: &str) -> Result<(), CliError> {
    let reader: Box<dyn BufRead> = match file {
        "-" => Box::new(std::io::stdin().lock()),
        path => Box::new(std::io::BufReader::new(
            std::fs::File::open(path).map_err(|e| CliError::Usage(format!("--batch {path}: {e}")))?,
        )),
    };
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut progress = Progress { accepted: 0, refused: 0, results: Results::new(common.output) };
    for (number, line) in reader.lines().enumerate() {
        let at = || format!("{file}:{}", number + 1);
        let line = line.map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => {
                CliError::Failed(format!("{}: not UTF-8: save the file as UTF-8", at()))
            }
            _ => CliError::from(e),
        })?;
        // Files that were put together have the marks of each.
        let line = line.trim_start_matches('\u{feff}');
        if line.trim().is_empty() {
            continue;
        }
        let value: Value = serde_json::from_str(line)
            .map_err(|e| CliError::Failed(format!("{}: not a JSON object: {e}", at())))?;
        millrace_domain::number::check_numbers(line.as_bytes())
            .map_err(|e| CliError::Failed(format!("{}: {e}", at())))?;
        chunk.push((number + 1, value));
        if chunk.len() == CHUNK {
            progress.send(client, file, &mut chunk).await?;
        }
    }
    progress.send(client, file, &mut chunk).await?;
    let Progress { accepted, refused, results } = progress;
    drop(results);
    output::note(&format!("{accepted} accepted, {refused} refused"));
    if refused > 0 { Err(CliError::Failed(format!("{refused} refused"))) } else { Ok(()) }
}

struct Progress {
    accepted: usize,
    refused: usize,
    results: Results,
}

impl Progress {
    async fn send(
        &mut self,
        client: &Client,
        file: &str,
        chunk: &mut Vec<(usize, Value)>,
    ) -> Result<(), CliError> {
        if chunk.is_empty() {
            return Ok(());
        }
        let (lines, bodies): (Vec<usize>, Vec<Value>) = chunk.drain(..).unzip();
        let answer = client.post("/api/v1/runs", &Value::Array(bodies)).await?;
        for (line, answer) in lines.into_iter().zip(answer.as_array().into_iter().flatten()) {
            match answer["error"]["message"].as_str() {
                Some(message) => {
                    self.refused += 1;
                    output::note(&format!("{file}:{line}: {message}"));
                }
                None => {
                    self.accepted += 1;
                    self.results.one(answer, answer["run_id"].as_str().unwrap_or_default());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_argument_is_a_shell_line_and_several_are_quoted_words() {
        let words =
            |words: &[&str]| command_line(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&["echo a | wc -c"]), "echo a | wc -c");
        assert_eq!(words(&["echo", "it's", "$HOME", "a-b"]), r#"echo 'it'\''s' '$HOME' a-b"#);
    }
}
