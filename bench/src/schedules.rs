//! W4: many fires in the same second, with many more schedules stored. Each is a workflow of one no-op step.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan};
use serde_json::json;

use crate::api::{Api, millis};
use crate::failure::Failure;
use crate::latency::{Waits, percentiles};

/// The documents in one request, and the requests under way.
const DOCUMENTS: usize = 100;
const CONNECTIONS: usize = 8;
/// The longest that a fire may be late before it counts as missing, and how long to look for fires that come twice.
const PATIENCE: Duration = Duration::from_secs(60);
const AFTERMATH: Duration = Duration::from_secs(1);

/// The outcome of a set of fires.
pub(crate) struct Fires {
    /// The waits from the instant they were due until the run was created, and until its task was started:
    /// milliseconds.
    pub(crate) fire: Waits,
    pub(crate) start: Waits,
    /// The time from the instant they were due until the last task was started: milliseconds.
    pub(crate) last: f64,
    pub(crate) early: usize,
    pub(crate) twice: usize,
    pub(crate) missing: usize,
}

/// Stores workflows that will not fire for half a day, and returns the workflows a second.
pub(crate) async fn store_idle(api: &Api, numbers: Range<usize>) -> Result<f64, Failure> {
    let far = Timestamp::now().checked_add(12.hours())?.strftime("%H").to_string();
    let hour: u8 = far.parse()?;
    store(api, numbers, |number| format!("\"{} {hour} * * *\"", number % 60)).await
}

/// Stores workflows that all fire at the same instant, waits for that, and looks at what became of them.
/// `per_second` says how fast they can be stored.
pub(crate) async fn fire(api: &Api, numbers: Range<usize>, per_second: f64) -> Result<Fires, Failure> {
    let count = numbers.len();
    let began = Timestamp::now();
    let ended_before = api.ended().await?;
    let seconds = began.as_second() + (count as f64 / per_second * 2.0) as i64 + 5;
    let due = Timestamp::from_second(seconds)?;
    store(api, numbers, |_| format!("{{at: \"{due}\"}}")).await?;
    if Timestamp::now() >= due {
        return Err("storing took until after they were due".into());
    }
    let until_due = Duration::try_from(due.duration_since(Timestamp::now()))?;
    let deadline = Instant::now() + until_due + PATIENCE;
    tokio::time::sleep(until_due).await;
    while api.ended().await? < ended_before + count && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(AFTERMATH).await;
    judge(api, began, due, count).await
}

/// Holds all runs that were created since `began` against what was due.
async fn judge(api: &Api, began: Timestamp, due: Timestamp, count: usize) -> Result<Fires, Failure> {
    let (began, due) = (began.as_millisecond() as f64, due.as_millisecond() as f64);
    let mut runs: HashMap<String, Vec<(String, f64)>> = HashMap::new();
    let mut cursor = String::new();
    'pages: loop {
        let page = api.get(&format!("/api/v1/runs?limit=500{cursor}")).await?;
        for run in page["runs"].as_array().into_iter().flatten() {
            let created = millis(&run["created_at"]).ok_or("a run without its creation")?;
            if created < began {
                break 'pages;
            }
            let (name, id) = (run["workflow"].as_str(), run["id"].as_str());
            let (name, id) = name.zip(id).ok_or("a run without its name")?;
            runs.entry(name.to_owned()).or_default().push((id.to_owned(), created - due));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let all: Vec<&(String, f64)> = runs.values().flatten().collect();
    let starts = all.iter().map(|(id, _)| start_lag(api, id, due));
    let starts: Vec<f64> = stream::iter(starts).buffer_unordered(16).try_collect().await?;
    Ok(Fires {
        early: all.iter().filter(|(_, lag)| *lag < 0.0).count(),
        twice: all.len() - runs.len(),
        missing: count - runs.len().min(count),
        last: starts.iter().copied().fold(0.0, f64::max),
        fire: percentiles(all.iter().map(|(_, lag)| *lag).collect())?,
        start: percentiles(starts)?,
    })
}

/// The time from the instant that a run was due until its task was started, by the worker's stamp: milliseconds.
async fn start_lag(api: &Api, id: &str, due: f64) -> Result<f64, Failure> {
    let run = api.get(&format!("/api/v1/runs/{id}")).await?;
    if millis(&run["scheduled_at"]) != Some(due) {
        return Err(
            format!("run {id} stands for {}, not for the instant it was due", run["scheduled_at"]).into()
        );
    }
    let started = millis(&run["steps"][0]["started_at"]);
    Ok(started.ok_or_else(|| format!("run {id} did not start"))? - due)
}

/// Stores workflows with what is written for the schedule of each, and returns the workflows a second.
async fn store(api: &Api, numbers: Range<usize>, schedule: impl Fn(usize) -> String) -> Result<f64, Failure> {
    let (first, count) = (numbers.start, numbers.len());
    let files: Vec<String> = numbers
        .step_by(DOCUMENTS)
        .map(|from| {
            let mut file = String::new();
            for number in from..(from + DOCUMENTS).min(first + count) {
                let schedule = schedule(number);
                let _ = write!(
                    file,
                    "---\nname: fire_{number}\nschedule: {schedule}\nsteps:\n  - {{name: s, uses: noop}}\n"
                );
            }
            file
        })
        .collect();
    let began = Instant::now();
    let stored = files.into_iter().map(|file| async move {
        let answer = api.post("/api/v1/workflows", json!({"definition": file}).to_string()).await?;
        Ok::<_, Failure>(answer["workflows"].as_array().map_or(0, Vec::len))
    });
    let stored: usize = stream::iter(stored)
        .buffer_unordered(CONNECTIONS)
        .try_fold(0, |sum, stored| async move { Ok(sum + stored) })
        .await?;
    match stored == count {
        true => Ok(count as f64 / began.elapsed().as_secs_f64()),
        false => Err(format!("only {stored} of {count} workflows were stored").into()),
    }
}
