//! Locks: who holds them and who waits, and the act by which somebody takes one away.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use futures_util::future::try_join_all;
use millrace_domain::lock::{Board, Entry, Holder, LockName, Standing, Want, in_words};
use millrace_domain::message::Reply;
use millrace_domain::quantity::format_duration;
use millrace_domain::{Code, PartitionId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts::{check_words, read};
use super::error::{ApiError, ApiResult, refused};
use super::state::Api;
use super::view;
use crate::lock_table::{LOCKS, board_of};

/// The waiters of a lock that are shown.
const SHOWN: usize = 100;

/// The holders that are named to somebody who asks what is waited for.
const NAMED: usize = 3;

/// From which holder a lock is taken, by whom, and why. Where only one holds it, that need not be said.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TakeBody {
    run_id: Option<String>,
    step: Option<String>,
    item: Option<u32>,
    #[serde(default)]
    by: String,
    #[serde(default)]
    why: String,
}

/// The locks that somebody holds, or waits for.
pub(super) async fn list(State(api): State<Api>) -> ApiResult<Json<Value>> {
    let now = api.context.now();
    let partitions = (0..api.context.partitions).map(PartitionId);
    let boards = try_join_all(partitions.map(|partition| board(&api, partition))).await?;
    let mut locks: Vec<(String, Value)> =
        boards.iter().flat_map(|board| board.locks(now)).map(summary).collect();
    locks.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let locks: Vec<Value> = locks.into_iter().map(|(_, lock)| lock).collect();
    Ok(Json(json!({ "locks": locks })))
}

fn summary((name, standing): (&LockName, Standing<'_>)) -> (String, Value) {
    let Standing { want, slots, taken, holders, waiters, frees_at, paused_until } = standing;
    let waiting_since = waiters.iter().map(|waiter| waiter.ask.since).min();
    let lock = json!({
        "name": name,
        "kind": kind(name),
        "slots": slots,
        "per": per(want),
        "frees_at": frees_at.map(|at| at.to_string()),
        "paused_until": paused_until.map(|at| at.to_string()),
        "taken": taken,
        "holders": holders.len(),
        "waiters": waiters.len(),
        "waiting_since": waiting_since.map(|since| since.to_string()),
    });
    (name.to_string(), lock)
}

/// What has such a name.
fn kind(name: &LockName) -> &'static str {
    match (name.slots(), name.rate()) {
        (Some(_), _) => "slots",
        (_, Some(_)) => "rate",
        (None, None) => "lock",
    }
}

/// The period of a rate.
fn per(want: &Want) -> Option<String> {
    want.is_rate().then(|| format_duration(want.per()))
}

/// One lock.
pub(super) async fn get(State(api): State<Api>, Path(name): Path<String>) -> ApiResult<Json<Value>> {
    let (name, board) = find(&api, &name).await?;
    let standing = standing_of(&board, &name, api.context.now())?;
    let Standing { want, slots, taken, holders, waiters, frees_at, paused_until } = standing;
    let (waiting, per) = (waiters.len(), per(want));
    let waiters = waiters.into_iter().take(SHOWN).enumerate().map(|(place, entry)| {
        let mut waiter = entry_view(entry, &name);
        waiter["place"] = json!(place + 1);
        waiter["priority"] = json!(entry.ask.priority);
        waiter["since"] = json!(entry.ask.since.to_string());
        waiter
    });
    let waiters: Vec<Value> = waiters.collect();
    let holders: Vec<Value> = holders.into_iter().map(|entry| holder_view(entry, &name)).collect();
    Ok(Json(json!({
        "name": name,
        "kind": kind(&name),
        "slots": slots,
        "per": per,
        "taken": taken,
        "frees_at": frees_at.map(|at| at.to_string()),
        "paused_until": paused_until.map(|at| at.to_string()),
        "holders": holders,
        "waiting": waiting,
        "waiters": waiters,
    })))
}

/// Takes a lock away from its holder: `<name>/release`.
pub(super) async fn release(
    State(api): State<Api>,
    Path(path): Path<String>,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    let name = path.strip_suffix("/release");
    let name = name.ok_or_else(|| ApiError::not_found(format!("route POST /api/v1/locks/{path}")))?;
    take(&api, name, &body).await
}

/// The board of a partition, as it is stored.
pub(super) async fn board(api: &Api, partition: PartitionId) -> ApiResult<Board> {
    Ok(board_of(api.context.store.read_table(partition, LOCKS).await?, api.context.now()))
}

/// A lock by the text of its name, on the board where it is at home.
async fn find(api: &Api, name: &str) -> ApiResult<(LockName, Board)> {
    let name: LockName = name
        .parse()
        .map_err(|error: millrace_domain::IdError| ApiError::new(Code::BadField, error.to_string()))?;
    let board = board(api, name.group().home(api.context.partitions)).await?;
    Ok((name, board))
}

fn standing_of<'b>(board: &'b Board, name: &LockName, now: Timestamp) -> ApiResult<Standing<'b>> {
    let standing = board.locks(now).into_iter().find(|(other, _)| *other == name);
    let nobody = || {
        ApiError::not_found(match name.slots() {
            None if name.rate().is_some() => {
                format!("rate \"{name}\" of which anything is used, or that anybody waits for")
            }
            None => format!("lock \"{name}\" that anybody holds, or waits for"),
            Some((workflow, None)) => format!(
                "slot of {workflow} that a run has, or waits for; with a key, they are @{workflow}:<key>"
            ),
            Some((workflow, Some(_))) => {
                format!("run of {workflow} with that key that has a slot, or waits for one")
            }
        })
    };
    standing.map(|(_, standing)| standing).ok_or_else(nobody)
}

/// Who an entry is of, and what that wants of a lock.
fn entry_view(entry: &Entry, name: &LockName) -> Value {
    let want = entry.ask.wants.iter().find(|want| want.lock == *name);
    json!({
        "run_id": entry.ask.asker.run,
        "workflow": entry.ask.workflow,
        "step": entry.ask.step,
        "item": item_of(entry),
        "weight": want.map(|want| want.weight),
        "shared": want.is_some_and(|want| want.shared),
    })
}

fn item_of(entry: &Entry) -> Option<u32> {
    entry.ask.asker.unit.and_then(|unit| unit.item)
}

/// Who an entry is of, in words: `item 3 of load of run …`, or `run …`.
fn who(entry: &Entry) -> String {
    let run = entry.ask.asker.run;
    match (&entry.ask.step, item_of(entry)) {
        (None, _) => format!("run {run}"),
        (Some(step), None) => format!("{step} of run {run}"),
        (Some(step), Some(item)) => format!("item {item} of {step} of run {run}"),
    }
}

fn holder_view(entry: &Entry, name: &LockName) -> Value {
    let mut holder = entry_view(entry, name);
    if let Some(grant) = entry.grant {
        holder["since"] = json!(grant.at.to_string());
        // As text: not every reader of JSON has numbers of 64 bits.
        holder["token"] = json!(grant.token.to_string());
    }
    holder
}

async fn take(api: &Api, name: &str, body: &[u8]) -> ApiResult<Json<Value>> {
    let TakeBody { run_id, step, item, by, why } = read(body)?;
    check_words(&by, &why)?;
    let run_id = run_id.as_deref().map(view::parse_id).transpose()?;
    let (name, board) = find(api, name).await?;
    if name.rate().is_some() {
        let why = format!("{} cannot be released: what is used of it comes back by itself", name.in_words());
        return Err(ApiError::new(Code::WrongState, why));
    }
    let Standing { holders, waiters, .. } = standing_of(&board, &name, api.context.now())?;
    let is_meant = |entry: &&Entry| {
        run_id.is_none_or(|run| run == entry.ask.asker.run)
            && step
                .as_deref()
                .is_none_or(|step| entry.ask.step.as_ref().is_some_and(|own| own.as_str() == step))
            && item.is_none_or(|item| Some(item) == item_of(entry))
    };
    let meant: Vec<&Entry> = holders.iter().copied().filter(&is_meant).collect();
    let [entry] = meant.as_slice() else {
        let held: Vec<String> = holders.iter().map(|entry| who(entry)).take(NAMED).collect();
        let held = if held.is_empty() { "nobody".to_owned() } else { held.join(", ") };
        let lock = name.in_words();
        let why = match meant.len() {
            0 if waiters.iter().any(is_meant) => {
                let instead =
                    if name.slots().is_none() { "skip its step, or cancel its run" } else { "cancel it" };
                format!("it only waits for {lock}: {instead}; held by {held}")
            }
            0 => format!("nobody like that holds {lock}: held by {held}"),
            many => format!("{many} hold {lock}: say which run, step and item; held by {held}"),
        };
        return Err(ApiError::new(Code::WrongState, why));
    };
    let locks = entry.ask.wants.iter().map(|want| &want.lock);
    let told = format!("{} was taken away from {}", in_words(locks), who(entry));
    metrics::counter!("millrace_acts_total", "act" => "release").increment(1);
    let why = Some(why).filter(|why| !why.is_empty());
    match api.gateway.take_locks(entry.ask.asker, name.group(), by, why).await? {
        Reply::Run { run_id, .. } => {
            Ok(Json(json!({"run_id": run_id, "step": entry.ask.step, "done": told})))
        }
        other => Err(refused(other)),
    }
}

/// What a step or a run waits for: who holds each of the locks that it wants, and how many are before it.
pub(super) async fn waited_for(api: &Api, own: Holder, wants: &[LockName]) -> ApiResult<Vec<Value>> {
    let Some(first) = wants.first() else { return Ok(Vec::new()) };
    let board = board(api, first.group().home(api.context.partitions)).await?;
    let now = api.context.now();
    let told = board.standings(own, now).into_iter().map(|standing| {
        let Standing { want, slots, taken, holders, waiters, frees_at, paused_until } = &standing;
        let place = waiters.iter().position(|waiter| waiter.holder() == own).map(|place| place + 1);
        let named: Vec<Value> =
            holders.iter().take(NAMED).map(|entry| holder_view(entry, &want.lock)).collect();
        let (many, lock) = (waiters.len(), want.lock.in_words());
        let mut text = match place {
            Some(place) if own.unit.is_none() => format!("it is number {place} of {many} that wait"),
            Some(place) => format!("number {place} of {many} that wait for {lock}"),
            None => format!("{lock} is being granted to it"),
        };
        if want.is_rate() {
            text.push_str(&rate_words(&standing));
        } else if let Some(holder) = holders.first() {
            let since = holder.grant.map(|grant| grant.at.to_string()).unwrap_or_default();
            let (workflow, run) = (&holder.ask.workflow, holder.ask.asker.run);
            text.push_str(&match &holder.ask.step {
                Some(step) => format!(", which {step} of {workflow} holds since {since} (run {run}"),
                None => format!("; the oldest is under way since {since} (run {run}"),
            });
            let others = holders.len() - 1;
            text.push_str(&if others > 0 { format!(", and {others} more)") } else { ")".to_owned() });
        }
        json!({"name": want.lock, "kind": kind(&want.lock), "slots": slots, "per": per(want), "taken": taken,
            "frees_at": frees_at.map(|at| at.to_string()), "paused_until": paused_until.map(|at| at.to_string()),
            "place": place, "waiting": waiters.len(), "holders": named, "text": text})
    });
    Ok(told.collect())
}

/// How a rate stands, in words that follow its name.
fn rate_words(standing: &Standing<'_>) -> String {
    let Standing { want, slots, frees_at, paused_until, .. } = standing;
    let allows = format!(", which allows {slots} per {}", format_duration(want.per()));
    let then = match (paused_until, frees_at) {
        (Some(until), _) => format!("nobody gets any until {until}, since the other side has said so"),
        (None, Some(at)) => format!("there is enough for the first of them at {at}"),
        (None, None) => "there is enough when tasks have started that it is reserved for".to_owned(),
    };
    format!("{allows}: {then}")
}
