//! Locks on a fleet of which any process may be killed: no more hold one than it has slots, whoever holds it lets go in the
//! end, and the next has it soon.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_tests::{Fleet, Kind, wait_until};
use serde_json::json;

const SOON: Duration = Duration::from_secs(90);

/// The items that want the same lock.
const ITEMS: usize = 30;

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_held_by_no_more_than_may_and_left_by_all_although_producers_and_workers_are_killed() {
    let fleet = Fleet::new();
    let marks = fleet.marks("marks");
    let mut first = fleet.producer().await;
    let second = fleet.producer().await;
    let mut worker = fleet.worker(&["--concurrency", "8"]).await;
    let _other = fleet.worker(&["--concurrency", "8"]).await;
    wait_until(Duration::from_secs(30), "both own partitions", async || {
        let owned = (first.api().partitions_owned().await?, second.api().partitions_owned().await?);
        if owned.0 > 20 && owned.1 > 20 { Ok(()) } else { Err(format!("{owned:?}")) }
    })
    .await;
    let script = format!("key=$MILLRACE_LOCK_TOKEN\n{}", marks.around("sleep 0.05"));
    let alone = json!({"name": "alone", "run": script, "shards": ITEMS, "locks": ["test/alone"]});
    let few =
        json!({"name": "few", "run": script, "shards": ITEMS, "locks": [{"name": "test/few", "slots": 3}]});
    let runs = 4;
    second.api().apply(&json!({"name": "locked", "steps": [alone, few]}).to_string()).await;
    let mut ids = Vec::new();
    for _ in 0..runs {
        ids.push(second.api().trigger("locked").await);
    }
    wait_until(SOON, "some have run", async || match marks.of(Kind::End).len() {
        count if count > 20 => Ok(()),
        count => Err(format!("{count}")),
    })
    .await;
    first.kill9();
    worker.kill9();
    for id in &ids {
        assert_eq!(second.api().ended(id, SOON * 2).await["state"], "succeeded");
    }
    // What was killed in the middle of a step has left no end. Of all others, the token tells who is who.
    let all = marks.read();
    let mut ended: BTreeMap<(String, String), u32> = BTreeMap::new();
    all.iter().filter(|mark| mark.kind == Kind::End).for_each(|mark| {
        *ended.entry((mark.step.clone(), mark.key.clone())).or_default() += 1;
    });
    assert_eq!(ended.len(), 2 * runs * ITEMS, "each has ended, with a token of its own");
    for (step, slots) in [("alone", 1), ("few", 3)] {
        let (mut inside, mut last) = (Vec::new(), 0);
        for mark in all
            .iter()
            .filter(|mark| mark.step == step && ended.contains_key(&(step.into(), mark.key.clone())))
        {
            match mark.kind {
                Kind::Start => {
                    let token: u64 = mark.key.parse().unwrap();
                    assert!(slots > 1 || token >= last, "token {token} came after {last}");
                    last = token;
                    inside.retain(|other| *other != mark.key);
                    inside.push(mark.key.clone());
                }
                _ => inside.retain(|other| *other != mark.key),
            }
            assert!(inside.len() <= slots, "{step}: {inside:?} at once");
        }
    }
    wait_until(Duration::from_secs(10), "nothing is locked", async || {
        let locks = second.api().try_get("/api/v1/locks").await?;
        if locks["locks"] == json!([]) { Ok(()) } else { Err(locks.to_string()) }
    })
    .await;
}
