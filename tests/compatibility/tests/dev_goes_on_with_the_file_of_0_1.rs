//! `millrace dev` goes on with the file of one of 0.1 that was killed: it shows what was shown, and ends what was under
//! way as it has to end.

use std::fs;
use std::time::Duration;

use millrace_compatibility::{Recording, database};
use millrace_tests::{Fleet, binary, wait_until};
use serde_json::json;

/// The longest that a run may take to end.
const BOUND: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn dev_goes_on_with_the_file_of_0_1() {
    let recording = Recording::open("dev.json");
    // It needs no servers.
    let fleet = Fleet::on("amqp://127.0.0.1:1/%2f".to_owned(), "redis://127.0.0.1:1".to_owned());
    let data = fleet.folder().join("data");
    fs::create_dir(&data).unwrap();
    database::load(&data.join("state.db"), &recording.file("dev.sql"));

    let arguments = ["--data", data.to_str().unwrap()];
    let mut dev = fleet.start_program(&binary(), fleet.folder(), "dev", &arguments, &[]);
    dev.is_ready().await;
    let api = dev.api();
    recording.is_shown(api).await.unwrap();

    api.post(&format!("/api/v1/runs/{}/cancel", recording.run("gone")), &json!({})).await;
    for (name, id, ends) in recording.runs() {
        if let Some(ends) = ends {
            let run = api.ended(id, BOUND).await;
            assert_eq!(run["state"], ends, "{name}: {run}");
        }
    }
    recording.is_shown(api).await.unwrap();
    let keyed = json!({"workflow": "report", "params": {"day": "2026-11-01"}, "idempotency_key": "report-1"});
    let again = api.post("/api/v1/runs", &keyed).await;
    assert_eq!(again, json!({"run_id": recording.run("report"), "duplicate": true}));
    let fired = api.runs(Some("tick")).await.unwrap().len();
    wait_until(BOUND, "tick has fired again", async || {
        let now = api.runs(Some("tick")).await?.len();
        if now > fired { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
}
