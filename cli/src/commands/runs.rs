//! `runs`: what was run, and how it went.

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use millrace_domain::WorkflowId;
use millrace_domain::run::RunState;
use serde_json::{Value, json};

use crate::client::{Client, run_path, segment};
use crate::commands::acts::{self, ActArgs, MarkArgs, RecordArgs, SupplyArgs};
use crate::commands::history::{self, HistoryArgs};
use crate::commands::items::{self, ItemsArgs};
use crate::commands::link::{self, LinkArgs};
use crate::commands::logs::{self, LogsArgs};
use crate::commands::outputs::{self, OutputsArgs};
use crate::commands::retry::{self, RetryArgs};
use crate::commands::run_acts::{self, PriorityArgs, RunActArgs};
use crate::commands::run_id::{self, RunAndStepArgs, RunIdArgs};
use crate::commands::tree::{self, TreeArgs};
use crate::error::CliError;
use crate::options::{Common, Output, PatienceArgs};
use crate::output;
use crate::render::{self, View, Wait};

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List them, the newest first
    List {
        /// Only of this workflow
        #[arg(long, value_name = "NAME")]
        workflow: Option<WorkflowId>,
        /// Only in this state
        #[arg(long, value_parser = PossibleValuesParser::new(RunState::ALL.map(RunState::as_str)))]
        state: Option<String>,
        /// Only this one, and those that go on with it: its retries, and theirs
        #[arg(long, value_name = "ID")]
        origin: Option<String>,
        /// Without those that are steps of others
        #[arg(long)]
        no_children: bool,
        /// At most so many
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        limit: usize,
    },
    /// Show one with its steps
    Get {
        #[command(flatten)]
        run: RunIdArgs,
    },
    /// Follow one to its end
    Watch {
        #[command(flatten)]
        run: RunIdArgs,
        #[command(flatten)]
        patience: PatienceArgs,
        /// Show what they print as it is: a terminal obeys whatever control codes are in it
        #[arg(long)]
        raw: bool,
    },
    /// Say what its steps wait for
    Why(RunAndStepArgs),
    /// Tell what happened to it, in order, and why
    History(HistoryArgs),
    /// Show it with the runs that are steps of it, at any depth
    Tree(TreeArgs),
    /// List the items of a step that fans out
    Items(ItemsArgs),
    /// Print what it hands on, or the outputs of a step, in full
    Outputs(OutputsArgs),
    /// What its tasks printed
    Logs(LogsArgs),
    /// Go on with one that has failed, as a new run that carries over what had succeeded; with a STEP, have that tried again at once:
    /// one that waits for its retry, or asks what is to become of it
    Retry(RetryArgs),
    /// Skip a step that waits, or asks somebody
    Skip(ActArgs),
    /// Say how a step ended that waits, or asks somebody
    Mark(MarkArgs),
    /// Approve what a step asks for
    Approve(ActArgs),
    /// Reject what a step asks for: it fails
    Reject(ActArgs),
    /// Make a link by which somebody approves or rejects what a step asks for, once, in a browser
    Link(LinkArgs),
    /// Give a step the values that it asks for
    Supply(SupplyArgs),
    /// Have nothing more of one begin, until it is resumed; what runs goes on
    Pause(RunActArgs),
    /// Let one go on that is paused
    Resume(RunActArgs),
    /// Give one another priority, what is queued of it included
    Priority(PriorityArgs),
    /// Stop one, with the runs that its steps are; once more, also the hooks that are under way then
    Cancel {
        #[command(flatten)]
        run: RunIdArgs,
        #[command(flatten)]
        record: RecordArgs,
    },
}

/// Runs a command about runs.
pub(crate) async fn run(common: &Common, command: RunsCommand) -> Result<(), CliError> {
    let client = Client::of(common)?;
    match command {
        RunsCommand::List { workflow, state, origin, no_children, limit } => {
            let origin = match origin {
                Some(typed) => Some(run_id::find_typed(&client, &typed).await?),
                None => None,
            };
            let workflow = workflow.map(|name| name.to_string());
            let children = no_children.then(|| "false".to_owned());
            let filters =
                [("workflow", workflow), ("state", state), ("origin", origin), ("children", children)];
            list(&client, common, &filters, limit).await
        }
        RunsCommand::Get { run } => {
            let run = client.get(&run_path(&run_id::find(&client, &run).await?)).await?;
            let style = render::Style::of_stdout();
            let mut shown = render::run_in_full(&run, style);
            shown.extend(render::timeline(&run, jiff::Timestamp::now(), render::columns_of_stdout(), style));
            output::one(common.output, &run, &shown.join("\n"));
            Ok(())
        }
        RunsCommand::Watch { run, patience, raw } => {
            let id = run_id::find(&client, &run).await?;
            let view = View { format: common.output, follow: true, raw };
            render::wait(&client, &id, Wait { view, bound: patience.wait_timeout }).await
        }
        RunsCommand::Why(args) => {
            let (run, step) = args.split();
            why(&client, common, &run_id::find(&client, &run).await?, step.as_deref()).await
        }
        RunsCommand::History(args) => history::run(&client, common, &args).await,
        RunsCommand::Tree(args) => tree::run(&client, common, &args).await,
        RunsCommand::Items(args) => items::run(&client, common, &args).await,
        RunsCommand::Outputs(args) => outputs::run(&client, common, &args).await,
        RunsCommand::Logs(args) => {
            // Whoever reads only the first lines has gone before the run ends.
            tokio::select! {
                logged = logs::run(&client, common, &args) => logged,
                () = output::reader_is_gone() => Ok(()),
            }
        }
        RunsCommand::Retry(args) => retry::run(&client, common, args).await,
        RunsCommand::Skip(args) => acts::skip(&client, common, args).await,
        RunsCommand::Mark(args) => acts::mark(&client, common, args).await,
        RunsCommand::Approve(args) => acts::approve(&client, common, args).await,
        RunsCommand::Reject(args) => acts::reject(&client, common, args).await,
        RunsCommand::Link(args) => link::run(&client, common, args).await,
        RunsCommand::Supply(args) => acts::supply(&client, common, args).await,
        RunsCommand::Pause(args) => run_acts::pause(&client, common, args).await,
        RunsCommand::Resume(args) => run_acts::resume(&client, common, args).await,
        RunsCommand::Priority(args) => run_acts::priority(&client, common, args).await,
        RunsCommand::Cancel { run, record } => {
            cancel(&client, common, &run_id::find(&client, &run).await?, record).await
        }
    }
}

/// Shows what keeps the steps of a run from running.
async fn why(client: &Client, common: &Common, id: &str, step: Option<&str>) -> Result<(), CliError> {
    let query = step.map(|step| format!("?step={}", segment(step))).unwrap_or_default();
    let answer = client.get(&format!("{}/why{query}", run_path(id))).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let reason = answer["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    let mut lines = vec![format!("run {id} is {}{reason}", text(&answer["state"]))];
    lines.extend(render::of_retry(&answer));
    for step in answer["steps"].as_array().into_iter().flatten() {
        lines.push(format!("{} is {}", text(&step["name"]), text(&step["state"])));
        let blockers = step["blockers"].as_array().map(Vec::as_slice).unwrap_or_default();
        lines.extend(blockers.iter().map(|blocker| format!("  - {}", text(&blocker["text"]))));
        if blockers.is_empty() {
            lines.push(format!("  - {}", text(&step["text"])));
        }
    }
    output::one(common.output, &answer, &lines.join("\n"));
    Ok(())
}

async fn cancel(client: &Client, common: &Common, id: &str, record: RecordArgs) -> Result<(), CliError> {
    let run = client.get(&run_path(id)).await?;
    if render::has_ended(&run) {
        let state = run["state"].as_str().unwrap_or_default();
        let reason = run["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
        let answer = json!({"run_id": id, "state": state});
        output::one(common.output, &answer, &format!("{id} had ended before: {state}{reason}"));
        return Ok(());
    }
    let body = Value::Object(record.fields().collect());
    let answer = client.post(&format!("{}/cancel", run_path(id)), &body).await?;
    output::one(common.output, &answer, &format!("{id} is being stopped"));
    Ok(())
}

async fn list(
    client: &Client,
    common: &Common,
    filters: &[(&str, Option<String>)],
    limit: usize,
) -> Result<(), CliError> {
    let mut runs: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    while runs.len() < limit {
        let mut query = format!("limit={}", (limit - runs.len()).min(500));
        for (name, value) in filters.iter().chain(&[("cursor", cursor)]) {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={}", segment(value)));
            }
        }
        let mut page = client.get(&format!("/api/v1/runs?{query}")).await?;
        if let Value::Array(found) = page["runs"].take() {
            runs.extend(found);
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    if common.output == Output::Table {
        for run in &mut runs {
            let reason = run["reason"].as_str().map(str::to_owned);
            let told: Vec<String> = render::of_retry(run).into_iter().chain(reason).collect();
            if !told.is_empty() {
                run["reason"] = json!(told.join("; "));
            }
        }
    }
    let columns = [
        ("ID", "id"),
        ("WORKFLOW", "workflow"),
        ("STATE", "state"),
        ("CREATED", "created_at"),
        ("REASON", "reason"),
    ];
    output::list(common.output, &runs, &columns);
    Ok(())
}
