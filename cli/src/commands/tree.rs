//! `runs tree`: a run with the runs that are steps of it, at any depth.

use std::pin::Pin;

use clap::Args;
use serde_json::{Value, json};

use crate::client::{Client, run_path, segment};
use crate::commands::run_id::{self, RunIdArgs};
use crate::error::CliError;
use crate::options::Common;
use crate::output;
use crate::render::{self, Style};

/// The children of one page.
const PAGE: usize = 500;

#[derive(Debug, Args)]
pub(crate) struct TreeArgs {
    #[command(flatten)]
    run: RunIdArgs,
    /// At most so many levels
    #[arg(long, value_name = "COUNT", default_value_t = 16)]
    depth: usize,
    /// At most so many runs below it
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    limit: usize,
}

/// Shows a run and what is under it.
pub(super) async fn run(client: &Client, common: &Common, args: &TreeArgs) -> Result<(), CliError> {
    let id = run_id::find(client, &args.run).await?;
    let run = client.get(&run_path(&id)).await?;
    let mut left = args.limit;
    let (children, more) = below(client, &id, args.depth, &mut left).await?;
    let mut tree = json!({"run_id": id, "children": children, "more": more});
    for field in ["workflow", "state", "reason", "started_at", "ended_at", "parent", "retry_of", "retried_by"]
    {
        if let Some(value) = run.get(field).filter(|value| !value.is_null()) {
            tree[field] = value.clone();
        }
    }
    output::one(common.output, &tree, &render::run_tree(&tree, Style::of_stdout()).join("\n"));
    Ok(())
}

type Children<'a> = Pin<Box<dyn Future<Output = Result<(Vec<Value>, bool), CliError>> + Send + 'a>>;

/// The children of a run, each with its own, and whether there are more than were asked for.
fn below<'a>(client: &'a Client, id: &'a str, depth: usize, left: &'a mut usize) -> Children<'a> {
    Box::pin(async move {
        if depth == 0 || *left == 0 {
            let page = client.get(&format!("{}/children?limit=1", run_path(id))).await?;
            return Ok((
                Vec::new(),
                page["children"].as_array().is_some_and(|children| !children.is_empty()),
            ));
        }
        let (mut children, mut from) = (Vec::new(), String::new());
        loop {
            let limit = PAGE.min(*left);
            let mut page = client.get(&format!("{}/children?limit={limit}{from}", run_path(id))).await?;
            for mut child in page["children"].as_array_mut().map(std::mem::take).unwrap_or_default() {
                if *left == 0 {
                    return Ok((children, true));
                }
                *left -= 1;
                let id = child["run_id"].as_str().unwrap_or_default().to_owned();
                let (of_child, more) = match child["run"].is_null() {
                    true => (Vec::new(), false),
                    false => below(client, &id, depth - 1, left).await?,
                };
                (child["children"], child["more"]) = (json!(of_child), json!(more));
                children.push(child);
            }
            match page["next"].as_str() {
                Some(_) if *left == 0 => return Ok((children, true)),
                Some(next) => from = format!("&from={}", segment(next)),
                None => return Ok((children, false)),
            }
        }
    })
}
