//! Exchanges, bindings and queues are taken away from a fleet at work, and its task queue is emptied: all is there
//! again within 15 s, and nothing that was accepted is left behind.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::time::Duration;

use lapin::BasicProperties;
use millrace_tests::{Amqp, Fleet, Process, wait_until};
use serde_json::{Value, json};
use tokio::time::Instant;

/// The longest that what was taken away may be missing.
const BACK: Duration = Duration::from_secs(15);

/// The longest that the work of one round takes, on a machine that has much else to do.
const WORK: Duration = Duration::from_secs(10);

const SOON: Duration = Duration::from_secs(60);

/// The number of tasks of a round, of 0.2 s each, for four slots.
const TASKS: usize = 20;

/// A fleet at work.
struct Scene {
    fleet: Fleet,
    amqp: Amqp,
    producer: Process,
    _workers: (Process, Process),
}

impl Scene {
    async fn set() -> Self {
        let fleet = Fleet::new();
        let producer = fleet.producer_with(&[], &[("MILLRACE_PARTITIONS", "2")]).await;
        let _workers =
            (fleet.worker(&["--concurrency", "2"]).await, fleet.worker(&["--concurrency", "2"]).await);
        let amqp = fleet.amqp().await;
        let chain = "name: chain\nsteps:\n  - name: a\n    run: sleep 0.5\n  - name: b\n    run: 'true'\n    depends_on: [a]\n";
        producer.api().apply(chain).await;
        Self { fleet, amqp, producer, _workers }
    }

    async fn submit(&self, count: usize, seconds: &str) -> Vec<String> {
        let one = json!({"run": format!("sleep {seconds}")});
        let api = self.producer.api();
        let answers = api.post("/api/v1/runs", &Value::from(vec![one; count])).await;
        let ids = answers.as_array().cloned().unwrap_or_default();
        ids.iter().map(|answer| answer["run_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Takes something away while work is under way. All of the work ends, and every way in and out is there again.
    async fn without(&self, what: &str, take: impl AsyncFnOnce(&Amqp)) {
        let api = self.producer.api();
        let long = api.submit(&json!({"run": "sleep 100"})).await;
        api.step_is(&long, "task", "running", SOON).await;
        let chain = api.trigger("chain").await;
        let mut runs = self.submit(TASKS, "0.2").await;
        take(&self.amqp).await;
        let since = Instant::now();
        let left = || (BACK + WORK).saturating_sub(since.elapsed());
        runs.extend(self.submit(TASKS / 2, "0.2").await);
        runs.push(chain);
        // Strangers have to try again while there is no way in.
        let answered = format!("{what}: submissions are answered");
        let answer = wait_until(BACK, &answered, async || self.stranger(r#"{"run":"true"}"#).await).await;
        runs.push(answer["run_id"].as_str().unwrap().to_owned());
        wait_until(BACK, &format!("{what}: what is refused is put away"), async || {
            let amqp = self.fleet.amqp().await;
            let refused = format!("no json, {what}");
            amqp.try_publish("submit", refused.as_bytes(), BasicProperties::default()).await?;
            while amqp.ready("rejected").await.unwrap_or(0) > 0 {
                if amqp.next(&amqp.queue("rejected"), SOON).await.payload == refused.as_bytes() {
                    return Ok(());
                }
            }
            Err("not there".to_owned())
        })
        .await;
        println!("{what}: the ways are there after {:?}", since.elapsed());
        api.post(&format!("/api/v1/runs/{long}/cancel"), &json!({})).await;
        assert_eq!(api.ended(&long, BACK + WORK).await["state"], "cancelled", "{what}");
        for run in &runs {
            assert_eq!(api.ended(run, left()).await["state"], "succeeded", "{what}");
        }
        println!("{what}: all ended after {:?}", since.elapsed());
    }

    /// Submits on a connection of its own, and waits a moment for the answer.
    async fn stranger(&self, submission: &str) -> Result<Value, String> {
        let amqp = self.fleet.amqp().await;
        amqp.try_ask(submission.as_bytes(), Duration::from_secs(3)).await
    }
}

const DURABLE: [&str; 5] = ["tasks.default", "inbox.0", "inbox.1", "submit", "rejected"];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_taken_away_on_the_broker_is_there_again_within_15_seconds() {
    let scene = Scene::set().await;
    scene.without("the exchange", async |amqp| amqp.delete_exchange("").await).await;
    scene.without("the workers' exchange", async |amqp| amqp.delete_exchange("control").await).await;
    let unbind = async |amqp: &Amqp| {
        for name in DURABLE {
            amqp.unbind(name, name).await;
        }
    };
    scene.without("bindings", unbind).await;
    for name in DURABLE {
        scene.without(name, async |amqp| amqp.delete_queue(name).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_of_a_purged_queue_are_published_again_within_15_seconds() {
    let scene = Scene::set().await;
    // More than all slots hold waits in the queue, and none of it was looked at yet.
    let runs = scene.submit(TASKS, "1").await;
    wait_until(SOON, "tasks wait", async || match scene.amqp.ready("tasks.default").await {
        Some(ready) if ready >= 8 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert!(scene.amqp.purge("tasks.default").await > 0);
    let since = Instant::now();
    for run in &runs {
        let left = (BACK + WORK).saturating_sub(since.elapsed());
        assert_eq!(scene.producer.api().ended(run, left).await["state"], "succeeded");
    }
    println!("all ended after {:?}", since.elapsed());
}
