//! How large a DAG is: the same number of steps in all, in many small runs or in one large one. Half of the steps of
//! each stand side by side, half in chains; the last one waits for all that stand side by side.

use std::fmt::Write as _;
use std::time::Instant;

use serde_json::json;

use super::curve::{bound, microseconds};
use crate::api::Api;
use crate::failure::Failure;
use crate::report::Report;

/// The number of steps in all runs together.
const STEPS: usize = 100_000;
/// The most steps of one chain.
const CHAIN: usize = 40;
/// The number of runs that are started with one request.
const ARRAY: usize = 500;

/// Measures the time per step, for storing the definition and for running it, by the steps of one run.
pub(super) async fn grow(
    api: &Api,
    column: &'static str,
    most: usize,
    report: &mut Report,
) -> Result<(), Failure> {
    let all = STEPS.min(most);
    for size in [10, 100, 1_000, 10_000, 100_000].into_iter().filter(|size| *size <= all) {
        let name = format!("dag_{size}");
        let body = json!({"definition": definition(&name, size)}).to_string();
        let began = Instant::now();
        api.post("/api/v1/workflows", body).await?;
        // A small definition costs one request, whatever is in it.
        if size >= 1_000 {
            let cost = microseconds(began.elapsed(), size);
            report.note_growth("store a definition of so many steps", column, size, "µs/step", cost);
        }

        let runs = all / size;
        let before = api.ended().await?;
        let began = Instant::now();
        for from in (0..runs).step_by(ARRAY) {
            let many = vec![json!({"workflow": name}); ARRAY.min(runs - from)];
            api.post("/api/v1/runs", json!(many).to_string()).await?;
        }
        api.wait_ended(before + runs * size, bound(all)).await?;
        let cost = microseconds(began.elapsed(), runs * size);
        report.note_growth("run DAGs of so many steps", column, size, "µs/step", cost);
    }
    Ok(())
}

/// Writes a definition of so many steps, in as few bytes as can be: a file has its limit.
fn definition(name: &str, size: usize) -> String {
    let beside = size / 2 - 1;
    let chained = size - beside - 1;
    let length = CHAIN.min(chained);
    let mut text = format!("name: {name}\nsteps:\n");
    for n in 0..beside {
        let _ = writeln!(text, "- {{name: w{n:x},uses: noop}}");
    }
    for n in 0..chained {
        match n % length {
            0 => writeln!(text, "- {{name: c{n:x},uses: noop}}"),
            _ => writeln!(text, "- {{name: c{n:x},uses: noop,depends_on: [c{:x}]}}", n - 1),
        }
        .unwrap_or_default();
    }
    let names: Vec<String> = (0..beside).map(|n| format!("w{n:x}")).collect();
    let _ = writeln!(text, "- {{name: last,uses: noop,depends_on: [{}]}}", names.join(","));
    text
}
