//! Files that are not of Millrace: what a file is, and what becomes of it here, in place of all that is wrong with it as
//! a workflow. A file with `steps` is never one of them.

use super::super::checker::Checker;
use super::super::document::{Content, Key, Node};
use super::super::problem::Position;
use super::pipeline;

/// A file of another program: what it is, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) at: Position,
    pub(super) what: String,
    pub(super) hint: String,
}

impl Foreign {
    /// Reports what the file is.
    pub(super) fn report(self, checker: &mut Checker) {
        let message = format!("this is {}: expected a workflow", self.what);
        checker.problem(self.at, "foreign-file", message, Some(self.hint));
    }
}

/// Recognises a text that is no YAML, or no map: a program, a script, a crontab.
pub(super) fn of_text(source: &str) -> Option<Foreign> {
    let line = |wanted: &dyn Fn(&str) -> bool| source.lines().position(wanted);
    let first = line(&|line| !line.trim().is_empty())?;
    let (found, what, hint) = if let Some(found) =
        line(&|line| line.starts_with("from airflow") || line.starts_with("import airflow"))
    {
        (found, "an Airflow DAG in Python", AIRFLOW)
    } else if source.lines().nth(first).is_some_and(|line| line.starts_with("#!")) {
        (first, "a script", "write `name:` and `steps:`, and give a step `run:` with the script, or its path")
    } else if let Some(found) = line(&is_crontab_line).filter(|found| {
        source.lines().take(*found).all(|line| {
            let line = line.trim();
            line.is_empty()
                || line.starts_with('#')
                || line.split_once('=').is_some_and(|(name, _)| is_word(name))
        })
    }) {
        (found, "a crontab", CRONTAB)
    } else {
        return None;
    };
    let line = u32::try_from(found + 1).unwrap_or(u32::MAX);
    Some(Foreign { at: Position { line, column: 1 }, what: what.to_owned(), hint: hint.to_owned() })
}

/// Recognises a document that belongs to another program.
pub(super) fn of_document(root: &Node) -> Option<Foreign> {
    let Content::Map(entries) = &root.content else { return None };
    let fields = Map(entries);
    if fields.has("steps") {
        return None;
    }
    let (key, what, hint) = fields.kind()?;
    let found = fields.get(key);
    let lines = found.filter(|_| key == "pipeline").and_then(|(_, tasks)| pipeline::lines(tasks));
    let hint = lines.unwrap_or_else(|| hint.to_owned());
    Some(Foreign { at: found.map_or(root.at, |(key, _)| key.at), what, hint })
}

const AIRFLOW: &str = "each task becomes a step: `task_id` is its `name`, `bash_command` its `run`, what is upstream \
                       goes to `depends_on`, `schedule` to the workflow; see \"Coming from elsewhere\" in docs/definitions.md";
const CRONTAB: &str = "each line becomes a document with `name`, `schedule: \"<the five fields>\"` and a step whose \
                       `run` is the command; see \"Coming from elsewhere\" in docs/definitions.md";
const KUBERNETES: &str = "write `name:` and a step whose `run` is the container's command; its `schedule` goes to the \
                          workflow; see \"Coming from elsewhere\" in docs/definitions.md";
const COMPOSE: &str = "a workflow has steps that end, no services: what runs and ends becomes a step whose `run` is the \
                       command; see \"Coming from elsewhere\" in docs/definitions.md";
const GITHUB: &str = "each job becomes a step: its commands go to `run`, `needs` to `depends_on`, and the `cron` of `on` \
                      to `schedule`; see \"Coming from elsewhere\" in docs/definitions.md";
const GITLAB: &str = "each job becomes a step: `script` goes to `run`, `needs`, or the stage before, to `depends_on`; see \
                      \"Coming from elsewhere\" in docs/definitions.md";
const PIPELINE: &str = "write `name:` and `steps:`, a `run` for each task, `depends_on: [extract]` for `dependencies`, \
                        `timeout: 3600s` for 3600, and `schedule` beside `name`; see docs/definitions.md";
const TEMPLATE: &str = "write `name`, `params` for `parameters`, `schedule`, and `steps: [{name: ..., run: ...}]` for \
                        the command, in which a param is a variable (\"$database_host\"); see docs/definitions.md";
const ALERTS: &str = "no rules are configured here: a producer has metrics at /metrics for rules of Prometheus; see \
                      docs/operations.md";
const RECOVERY: &str =
    "nothing of it is configured: see \"What happens when something dies\" in docs/operations.md";
const RETRY: &str =
    "it is a field of a step, or of `defaults`: retry: {limit: 5, delay: 1s, max_delay: 5m, backoff: 2.0}";
const TASK: &str = "write name: ..., and steps: [{name: ..., run: <the command>}]; 3600 as a timeout is 3600s. \
                    As it is, the API takes it: POST /api/v1/tasks";
const SUBMISSION: &str = "put it on one line and send it with `millrace submit --batch FILE`, or publish it to RabbitMQ; \
                          see docs/amqp.md";
const STATES: &str = "each state becomes a step, and `Next` becomes `depends_on` of the step that follows; see \
                      docs/definitions.md";

#[derive(Clone, Copy)]
struct Map<'t>(&'t [(Key, Node)]);

impl<'t> Map<'t> {
    fn get(self, name: &str) -> Option<&'t (Key, Node)> {
        self.0.iter().find(|(key, _)| *key.text == *name)
    }

    fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn text(self, name: &str) -> Option<&'t str> {
        match &self.get(name)?.1.content {
            Content::Scalar { text, .. } if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn has_map(self, name: &str) -> bool {
        self.get(name).is_some_and(|(_, node)| map_of(node).is_some())
    }

    /// Whether some entry is a map for which `test` holds.
    fn any(self, test: impl Fn(Map<'t>) -> bool) -> bool {
        self.0.iter().any(|(_, node)| map_of(node).is_some_and(&test))
    }

    /// The key by which the document is known, what it is, and what to do.
    fn kind(self) -> Option<(&'static str, String, &'static str)> {
        let told = |key, what: &str, hint| Some((key, what.to_owned(), hint));
        if let (Some(kind), true) = (self.text("kind"), self.has("apiVersion")) {
            let kind: String = kind.chars().take(64).collect();
            return Some(("apiVersion", format!("a Kubernetes object ({kind})"), KUBERNETES));
        }
        if self.has("pipeline") {
            return told("pipeline", "a pipeline of tasks in another form", PIPELINE);
        }
        if self.has("template_name") || self.has("task_definition") {
            let key = if self.has("template_name") { "template_name" } else { "task_definition" };
            return told(key, "a template of a task in another form", TEMPLATE);
        }
        if self.has("alert_rules") {
            return told("alert_rules", "a list of alert rules", ALERTS);
        }
        if self.has("disaster_recovery") {
            return told("disaster_recovery", "a plan for disasters", RECOVERY);
        }
        if self.has("retryPolicy") && !self.has("name") {
            return told("retryPolicy", "a retry policy alone", RETRY);
        }
        if self.has("dag_id") && self.has("tasks") {
            return told("dag_id", "an Airflow DAG in YAML", AIRFLOW);
        }
        if self.has_map("services") {
            return told("services", "a Compose file", COMPOSE);
        }
        if self.has_map("jobs") && (self.has("on") || self.jobs(|job| job.has("runs-on") || job.has("steps")))
        {
            return told("jobs", "a workflow of GitHub Actions", GITHUB);
        }
        if self.has("StartAt") && self.has_map("States") {
            return told("StartAt", "a state machine of AWS Step Functions", STATES);
        }
        if self.any(|dag| {
            dag.has("tasks")
                && (dag.has("default_args") || dag.has("schedule_interval") || dag.has("schedule"))
        }) {
            return told("", "an Airflow DAG in YAML", AIRFLOW);
        }
        if !self.has("name") && self.any(|job| job.has("script")) {
            let key = if self.has("stages") { "stages" } else { "" };
            return told(key, "a pipeline of GitLab CI", GITLAB);
        }
        if self.has("v")
            && (self.has("run") || self.has("uses") || self.has("workflow") || self.has("definition"))
        {
            return told("v", "a submission, as AMQP and the API take it", SUBMISSION);
        }
        if self.has("command") && self.0.iter().all(|(key, _)| TASK_FIELDS.contains(&&*key.text)) {
            return told("command", "a task of the API's short form", TASK);
        }
        None
    }

    fn jobs(self, test: impl Fn(Map<'t>) -> bool) -> bool {
        self.get("jobs").and_then(|(_, node)| map_of(node)).is_some_and(|jobs| jobs.any(test))
    }
}

/// The fields that `POST /api/v1/tasks` takes.
const TASK_FIELDS: [&str; 5] = ["name", "schedule", "timezone", "command", "timeout"];

fn map_of(node: &Node) -> Option<Map<'_>> {
    match &node.content {
        Content::Map(entries) => Some(Map(entries)),
        _ => None,
    }
}

/// Whether a line has five fields of cron, or a nickname, and a command.
fn is_crontab_line(line: &str) -> bool {
    let line = line.trim();
    let mut words = line.split_whitespace();
    if line.starts_with('@') {
        return words.next().is_some_and(|word| word[1..].chars().all(|c| c.is_ascii_lowercase()))
            && words.next().is_some();
    }
    let field = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_digit() || c == '*')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "*/,-".contains(c))
    };
    let weekday = |word: &str| {
        field(word) || word.get(..3).is_some_and(|day| day.bytes().all(|b| b.is_ascii_alphabetic()))
    };
    words.by_ref().take(3).filter(|word| field(word)).count() == 3
        && words.by_ref().take(2).filter(|word| weekday(word)).count() == 2
        && words.next().is_some()
}

fn is_word(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
