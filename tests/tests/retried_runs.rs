//! A run that has failed goes on from where it did, and people act by links: whichever producer is asked, and though the one that owned the
//! run is killed.

use std::time::Duration;

use millrace_tests::Fleet;
use reqwest::Method;
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_from_where_it_failed_although_its_producer_is_killed_and_a_link_works_on_each() {
    let fleet = Fleet::new();
    let (mut first, second) = (fleet.producer().await, fleet.producer().await);
    let _worker = fleet.worker(&["--concurrency", "8"]).await;
    let (ran, fixed) = (fleet.marks("ran"), fleet.folder().join("fixed"));
    let large = "head -c 100000 /dev/zero | tr '\\0' x | sed 's/^/text=/' > \"$MILLRACE_OUTPUT\"";
    let item = format!("{}\necho \"n=$MILLRACE_ITEM\" > \"$MILLRACE_OUTPUT\"", ran.around("true"));
    let workflow = json!({"name": "loads", "steps": [
        {"name": "large", "run": format!("key=large\n{}\n{large}", ran.around("true"))},
        {"name": "each", "foreach": {"items": (0..50).collect::<Vec<u32>>()}, "run": format!("key=item\n{item}")},
        {"name": "load", "depends_on": ["large", "each"], "env": {"N": "${{ outputs.each | length }}"},
         "run": format!("test \"$N\" = 50\ntest -s '{}'", fixed.display())},
        {"name": "sign_off", "depends_on": ["load"], "uses": "approval", "with": {"who": ["ann"], "message": "Ship?"}},
        {"name": "ship", "depends_on": ["sign_off"], "env": {"TEXT": "${{ outputs.large.text }}"}, "run": "test ${#TEXT} = 100000"},
    ]});
    first.api().apply(&workflow.to_string()).await;
    let mut retries = Vec::new();
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(first.api().trigger("loads").await);
    }
    for run in &runs {
        assert_eq!(first.api().ended(run, SOON).await["state"], "failed");
    }
    let before = ran.read().len();
    std::fs::write(&fixed, "it is\n").unwrap();
    // Some of them are the other producer's.
    for run in &runs {
        let path = format!("/api/v1/runs/{run}/retry");
        let body = json!({"by": "ann", "idempotency_key": "once"});
        let new = first.api().post(&path, &body).await;
        let again = second.api().post(&path, &body).await;
        assert_eq!((&new["run_id"], &again["duplicate"]), (&again["run_id"], &json!(true)));
        retries.push(new["run_id"].as_str().unwrap().to_owned());
    }
    let mut links = Vec::new();
    for run in &retries {
        second.api().step_is(run, "sign_off", "asking", SOON).await;
        let body = json!({"deed": "approve", "for": "ann"});
        let link = first.api().post(&format!("/api/v1/runs/{run}/steps/sign_off/links"), &body).await;
        links.push(link["url"].as_str().unwrap().strip_prefix(first.api().base()).unwrap().to_owned());
    }
    first.kill9();
    for (link, run) in links.iter().zip(&retries) {
        let (status, page) = second.api().send(Method::GET, link, None).await.unwrap();
        assert!(status == 200 && page.as_str().unwrap().contains("Ship?"), "{page}");
        let form = "application/x-www-form-urlencoded";
        let click = second.api().request(Method::POST, link).header("content-type", form).body("comment=go");
        let answer = click.send().await.unwrap();
        let (status, page) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(status == 200 && page.contains("sign_off was approved by ann: go"), "{page}");
        let ended = second.api().ended(run, SOON).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
        assert_eq!(ended["steps"][1]["items"]["succeeded"], 50, "{ended}");
    }
    assert_eq!(ran.read().len(), before, "what had succeeded did not run again");
}
