//! Why the steps of a run are not running: the blockers of each, with what the fleet says to them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use millrace_broker::Queue;
use millrace_domain::lock::{Holder, LockName, Need};
use millrace_domain::run::{Blocker, Head};
use millrace_domain::{Lane, PartitionId, RunId, StepIndex, TaskId, Timestamp, Unit};
use millrace_store::{PausedPool, Session, TaskRecord};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiResult;
use super::locks;
use super::pools::Served;
use super::sessions::live;
use super::state::Api;
use super::summary::PausedView;
use super::view;

/// The most attempts of a partition that are looked at to tell the place of one among them.
const LOOKED_AT: usize = 1_000;

/// The most steps that are answered when none is named.
const MOST_STEPS: usize = 1_000;

/// The step that is asked about; without one, all that have not ended.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyQuery {
    step: Option<String>,
}

/// Answers what keeps the steps of a run from running.
pub(super) async fn why(
    State(api): State<Api>,
    Path(id): Path<String>,
    query: Result<Query<WhyQuery>, axum::extract::rejection::QueryRejection>,
) -> ApiResult<Json<Value>> {
    let Query(query) = query?;
    let id = view::parse_id(&id)?;
    let stored = view::load(&api.context, id).await?;
    let run = view::restored(&api.context, id, &stored).await.map_err(view::unreadable)?;
    let wanted = match &query.step {
        None => None,
        Some(name) => Some(run.workflow.index_of(name).ok_or_else(|| view::no_such_step(&run, name))?),
    };
    let held: BTreeMap<Unit, &TaskRecord> =
        stored.tasks.iter().map(|(unit, _, record)| (*unit, record)).collect();
    let mut fleet =
        Fleet { api: &api, sessions: None, paused: None, ready: BTreeMap::new(), queued: None, slot: None };
    let open =
        (0..run.steps.len()).map(StepIndex::from).filter(|step| run.mover_of((*step).into()).is_some());
    let asked = (0..run.steps.len()).map(Into::into).filter(|step| Some(*step) == wanted);
    let steps: Vec<_> = match wanted {
        Some(_) => asked.collect(),
        None => open.take(MOST_STEPS).collect(),
    };
    let now = api.context.now();
    let unowned = unowned(&api, id.partition(), now).await?;
    let mut answers = Vec::new();
    for step in steps {
        let definition = &run.workflow.steps[step.at()];
        let mut answer = json!({"name": definition.name, "state": "ended", "blockers": []});
        if let Some(ending) = run.outcome_of(step) {
            answer["state"] = json!(ending);
            answer["text"] = json!(run.reason_of(step).unwrap_or("it has ended"));
        } else {
            let record = held.get(&Unit::from(step)).copied();
            let (blockers, of) = (run.blockers(step.into(), now), (id, Unit::from(step)));
            let (state, mut blockers) =
                fleet.blockers(blockers, definition.pool.as_str(), record, of).await?;
            if state != "running" {
                blockers.splice(..0, unowned.clone());
            }
            let text: Vec<&str> = blockers.iter().filter_map(|blocker| blocker["text"].as_str()).collect();
            answer["text"] =
                json!(if text.is_empty() { "it is running".to_owned() } else { text.join("; ") });
            answer["state"] = json!(state);
            answer["blockers"] = json!(blockers);
        }
        answers.push(answer);
    }
    let mut answer = json!({
        "run_id": id,
        "state": run.head.state.as_str(),
        "reason": view::reason(&run.head),
        "steps": answers,
    });
    let retry_of = run.head.retry_of.as_ref().map(|of| of.run);
    for (field, other) in [("retry_of", retry_of), ("retried_by", run.continued_last())] {
        if let Some(other) = other {
            answer[field] = json!(other);
        }
    }
    Ok(Json(answer))
}

/// What is to be said when nobody owns a partition: nothing of its runs moves on until somebody does.
async fn unowned(api: &Api, partition: PartitionId, now: Timestamp) -> ApiResult<Option<Value>> {
    let holder = api.context.store.holder(partition).await?;
    let since = match holder {
        Some((_, until)) if until > now => return Ok(None),
        Some((_, until)) => format!(" since {until}"),
        None => String::new(),
    };
    let text = format!(
        "no producer owns partition {partition} of its run{since}: another takes it over within seconds"
    );
    Ok(Some(json!({"kind": "owner", "partition": partition, "text": text})))
}

/// The fleet, as far as blockers ask for it: each thing is asked once.
struct Fleet<'a> {
    api: &'a Api,
    sessions: Option<Vec<Session>>,
    paused: Option<Vec<PausedPool>>,
    /// The messages that are ready in the queues of pools.
    ready: BTreeMap<String, Option<u64>>,
    /// The attempts that are queued, with their lanes and when they were dispatched. `None` inside where too many are.
    queued: Option<Option<Vec<(Lane, Timestamp, TaskId)>>>,
    /// The blocker of a run that waits for a slot, which is that of all its steps.
    slot: Option<Value>,
}

impl Fleet<'_> {
    /// How a step stands, and its blockers with their words; what is with the fleet is looked into.
    async fn blockers(
        &mut self,
        blockers: Vec<Blocker>,
        pool: &str,
        record: Option<&TaskRecord>,
        of: (RunId, Unit),
    ) -> ApiResult<(&'static str, Vec<Value>)> {
        let mut shown = Vec::new();
        let mut state = "waiting";
        for blocker in blockers {
            if matches!(blocker, Blocker::Items { .. }) {
                state = "running";
            }
            if matches!(blocker, Blocker::Asking { .. } | Blocker::Approval(_) | Blocker::Input(_)) {
                state = "asking";
            }
            if matches!(blocker, Blocker::Fleet { .. }) {
                state = match record {
                    Some(TaskRecord::Claimed { .. } | TaskRecord::Finished { .. }) => "running",
                    _ => "queued",
                };
                if state == "queued" {
                    shown.push(self.queued(pool, record, of).await?);
                }
                continue;
            }
            let mut one = json!(blocker);
            one["text"] = json!(blocker.words());
            if let Blocker::Child { attempt, .. } = &blocker {
                state = "running";
                self.child(TaskId { run: of.0, unit: of.1, attempt: *attempt }, &mut one).await?;
            }
            if let Blocker::Locks { wants, .. } = &blocker {
                state = "blocked";
                let wants: Vec<LockName> = wants.iter().map(|want| want.lock.clone()).collect();
                let need =
                    if wants.iter().any(|want| want.rate().is_some()) { Need::Rate } else { Need::Locks };
                let own = Holder::of_unit(of.0, of.1, need);
                self.waited_for(own, &wants, &blocker, &mut one).await?;
            }
            if let Blocker::Slot { slots, .. } = &blocker {
                if self.slot.is_none() {
                    let own = Holder::of_run(of.0);
                    self.waited_for(own, std::slice::from_ref(slots), &blocker, &mut one).await?;
                    self.slot = Some(one.clone());
                }
                one = self.slot.clone().unwrap_or(one);
            }
            shown.push(one);
        }
        Ok((state, shown))
    }

    /// Adds to a blocker who holds what is waited for.
    async fn waited_for(
        &self,
        own: Holder,
        wants: &[LockName],
        blocker: &Blocker,
        one: &mut Value,
    ) -> ApiResult<()> {
        let locks = locks::waited_for(self.api, own, wants).await?;
        let texts: Vec<&str> = locks.iter().filter_map(|lock| lock["text"].as_str()).collect();
        if !texts.is_empty() {
            one["text"] = json!(format!("{}: {}", blocker.words(), texts.join("; ")));
        }
        one["locks"] = json!(locks);
        Ok(())
    }

    /// Adds to the blocker of a step which run it waits for, and how that stands.
    async fn child(&self, attempt: TaskId, blocker: &mut Value) -> ApiResult<()> {
        let child = attempt.child(self.api.context.partitions);
        let stored = self.api.context.store.load_runs(&[child]).await?.pop().flatten();
        let head = stored.and_then(|stored| serde_json::from_str::<Head>(&stored.head).ok());
        let state = head.map_or("not started", |head| head.state.as_str());
        let words = blocker["text"].as_str().unwrap_or_default();
        blocker["text"] = json!(format!("{words}: {child} is {state} (millrace runs why {child})"));
        blocker["run_id"] = json!(child);
        blocker["state"] = json!(state);
        Ok(())
    }

    /// Why an attempt that is queued is not taken.
    async fn queued(
        &mut self,
        pool: &str,
        record: Option<&TaskRecord>,
        of: (RunId, Unit),
    ) -> ApiResult<Value> {
        if self.sessions.is_none() {
            self.sessions = Some(live(self.api.context.store.sessions().await?));
        }
        if self.paused.is_none() {
            self.paused = Some(self.api.context.store.paused_pools().await?);
        }
        let sessions = self.sessions.clone().unwrap_or_default();
        let served = Served::by(sessions.clone(), self.paused.clone().unwrap_or_default());
        if let Some(text) = served.why_not(pool) {
            let paused = served.paused(pool).map(PausedView::of_pool);
            return Ok(json!({"kind": "pool", "pool": pool, "paused": paused, "text": text}));
        }
        if !self.ready.contains_key(pool) {
            let depth = self.api.context.broker.depth(&Queue::Tasks(pool.to_owned())).await;
            self.ready.insert(pool.to_owned(), depth.ok().map(|depth| depth.ready));
        }
        let ready = self.ready.get(pool).copied().flatten();
        let serve = || sessions.iter().filter(|session| session.pools.iter().any(|served| served == pool));
        let (slots, running) =
            (serve().map(|s| s.slots).sum::<u32>(), serve().map(|s| s.running).sum::<u32>());
        let position = match record {
            Some(TaskRecord::Queued { dispatched_at, lane }) => {
                self.position(lane, *dispatched_at, of).await?
            }
            _ => None,
        };
        let mut before = ready.map(|ready| format!(", where {ready} tasks are ready")).unwrap_or_default();
        if let Some(position) = position {
            before.push_str(&format!(", and this is number {position} of its priority"));
        }
        let text = format!(
            "waits for a free worker of pool {pool}{before}; {running} of {slots} slots of its workers are taken"
        );
        Ok(
            json!({"kind": "queue", "pool": pool, "ready": ready, "position": position, "slots": slots, "running": running,
                "text": text}),
        )
    }

    /// The place of an attempt, from 1, among those that wait in its lane, by when they were dispatched; those of one run at
    /// the same instant by their steps and items, as they were. `None` where more wait than are looked at.
    async fn position(
        &mut self,
        lane: &Lane,
        dispatched_at: Timestamp,
        of: (RunId, Unit),
    ) -> ApiResult<Option<usize>> {
        if self.queued.is_none() {
            self.queued = Some(all_queued(self.api).await?);
        }
        let queued = self.queued.as_ref().and_then(Option::as_ref);
        let is_before = |(other, at, task): &&(Lane, Timestamp, TaskId)| {
            let is_beside = *at == dispatched_at && task.run == of.0 && task.unit < of.1;
            other == lane && (*at < dispatched_at || is_beside)
        };
        Ok(queued.map(|queued| queued.iter().filter(is_before).count() + 1))
    }
}

/// The attempts of all partitions that are queued; `None` where a partition has more attempts than are looked at.
async fn all_queued(api: &Api) -> ApiResult<Option<Vec<(Lane, Timestamp, TaskId)>>> {
    let store = &api.context.store;
    let far = Timestamp::from_millis(i64::MAX / 4);
    let mut queued = Vec::new();
    for partition in (0..api.context.partitions).map(PartitionId) {
        let watched = store.watched(partition, Timestamp::default()..=far, 0, LOOKED_AT).await?;
        if watched.len() == LOOKED_AT {
            return Ok(None);
        }
        let tasks: Vec<TaskId> = watched.into_iter().map(|(_, task)| task).collect();
        if tasks.is_empty() {
            continue;
        }
        let records = store.tasks(&tasks).await?;
        queued.extend(tasks.into_iter().zip(records).filter_map(|(task, record)| match record {
            Some(TaskRecord::Queued { dispatched_at, lane }) => Some((lane, dispatched_at, task)),
            _ => None,
        }));
    }
    Ok(Some(queued))
}
