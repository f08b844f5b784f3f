//! `millrace dev` of the old version, and what is in its file when it is killed.

use std::path::Path;
use std::time::Duration;

use millrace_compatibility::database;
use millrace_tests::{Fleet, wait_until};
use serde_json::{Value, json};

use super::log::{BOUND, Log};
use super::workflows::{ENDLESS_AT_FIRST, INLINE, full_task, others, report};

/// Where scripts start: any folder that is there on every machine.
const BASE: &str = "/tmp";

/// Records `millrace dev` of this program: what is known, and its file as SQL.
pub(crate) async fn record(program: &Path) -> (Value, String) {
    // It needs no servers; the folder and the names of a fleet are all that is taken.
    let nowhere = |scheme: &str| format!("{scheme}://127.0.0.1:1");
    let fleet = Fleet::on(nowhere("amqp"), nowhere("redis"));
    let data = fleet.folder().join("data");
    let arguments = ["--data", data.to_str().unwrap()];
    let mut dev = fleet.start_program(program, fleet.folder(), "dev", &arguments, &[]);
    dev.is_ready().await;
    let (api, mut log) = (dev.api().clone(), Log::default());
    for version in [1, 2] {
        let body = json!({"definition": report(version), "file": "report.yaml", "base_dir": BASE});
        api.post("/api/v1/workflows", &body).await;
    }
    for definition in others() {
        api.apply(&definition.to_string()).await;
    }
    api.post("/api/v1/workflows/resting/pause", &json!({})).await;

    let keyed = json!({"workflow": "report", "params": {"day": "2026-11-01"}, "idempotency_key": "report-1"});
    log.ended(&api, "report", &keyed, "succeeded").await;
    log.ended(&api, "full task", &full_task(), "succeeded").await;
    let inline = json!({"definition": INLINE, "base_dir": BASE, "params": {"who": "you"}});
    log.ended(&api, "inline", &inline, "succeeded").await;
    for (workflow, state) in [("failing", "failed"), ("slow", "timed_out"), ("overtime", "timed_out")] {
        log.ended(&api, workflow, &json!({"workflow": workflow}), state).await;
    }
    wait_until(BOUND, "tick has fired", async || {
        let fired = api.runs(Some("tick")).await?.len();
        if fired >= 1 { Ok(()) } else { Err(fired.to_string()) }
    })
    .await;
    log.rests("delayed", &api.submit(&json!({"workflow": "report", "delay": "2h"})).await);
    let backing_off = api.trigger("backing_off").await;
    wait_until(BOUND, "it backs off", async || {
        let run = api.run(&backing_off).await;
        if run["steps"][0]["attempt"] == 1 && run["steps"][0]["state"] == "waiting" {
            Ok(())
        } else {
            Err(run.to_string())
        }
    })
    .await;
    log.rests("backing off", &backing_off);
    let queued = api.trigger("halfway").await;
    api.step_is(&queued, "second", "queued", BOUND).await;
    log.rests("halfway", &queued);
    log.ends("gone", &api.trigger("gone").await, "cancelled");
    api.delete("/api/v1/workflows/gone").await;
    log.ask(&api, &["report", "tick", "resting"]).await;

    let claimed = api.submit(&json!({"run": ENDLESS_AT_FIRST})).await;
    api.step_is(&claimed, "task", "running", BOUND).await;
    log.ends("claimed", &claimed, "succeeded");
    log.ends("soon", &api.submit(&json!({"run": "true", "delay": "20s"})).await, "succeeded");
    // Its timer is stored; a test need not wait for it.
    log.rests("expiring", &api.trigger("expiring").await);
    // The workers' tasks write their logs a moment later.
    tokio::time::sleep(Duration::from_secs(1)).await;
    dev.kill9();
    (log.about(), database::dump(&data.join("state.db")))
}
