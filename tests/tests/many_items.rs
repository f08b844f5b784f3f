//! A step with thousands of items, while workers and producers are killed: each item is executed and counted, and the
//! join starts once, with what the items gave in their order.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_tests::{Fleet, Kind, Process, wait_until};
use serde_json::json;

/// The number of items, unless `MILLRACE_ITEMS` says otherwise.
const ITEMS: usize = 1_500;

/// The shares of the items after whose end something is killed.
const KILLS: [(usize, Victim); 5] = [
    (10, Victim::Worker),
    (25, Victim::Producer),
    (40, Victim::Worker),
    (60, Victim::Producer),
    (80, Victim::Worker),
];

#[derive(Clone, Copy)]
enum Victim {
    Worker,
    Producer,
}

const LONG: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn every_item_counts_and_the_join_starts_once_whatever_is_killed_meanwhile() {
    let items = std::env::var("MILLRACE_ITEMS").ok().and_then(|n| n.parse().ok()).unwrap_or(ITEMS);
    let fleet = Fleet::new();
    let (each, joins) = (fleet.marks("items"), fleet.marks("joins"));
    let mut producers = [fleet.producer().await, fleet.producer().await];
    let mut workers =
        [fleet.worker(&["--concurrency", "8"]).await, fleet.worker(&["--concurrency", "8"]).await];
    let numbers =
        format!("awk 'BEGIN {{ for (i = 0; i < {items}; i++) printf \"%s%d\", (i ? \",\" : \"\"), i }}'");
    let workflow = json!({"name": "many", "steps": [
        {"name": "list", "run": format!("printf '{{\"items\": [%s]}}' \"$({numbers})\" > \"$MILLRACE_OUTPUT\"")},
        {"name": "each", "depends_on": ["list"], "env": {"key": "${{ item }}"},
         "foreach": {"items": "${{ outputs.list.items }}", "max_parallel": 100},
         "run": each.around("sleep 0.02; echo \"n=$MILLRACE_ITEM\" > \"$MILLRACE_OUTPUT\"")},
        {"name": "join", "depends_on": ["each"], "env": {"ALL": "${{ outputs.each | map(attribute='n') | join(',') }}"},
         "run": joins.around(&format!("test \"$ALL\" = \"$({numbers})\""))},
    ]});
    producers[0].api().apply(&workflow.to_string()).await;
    let run = producers[0].api().trigger("many").await;

    let mut killed = (0, 0);
    for (share, victim) in KILLS {
        wait_until(LONG, &format!("{share} % of the items have ended"), async || {
            let ended = each.by_key(Kind::End).len();
            if ended * 100 >= items * share { Ok(()) } else { Err(format!("{ended} have")) }
        })
        .await;
        match victim {
            Victim::Worker => {
                replace(&mut workers, &mut killed.0, fleet.worker(&["--concurrency", "8"])).await;
            }
            Victim::Producer => replace(&mut producers, &mut killed.1, fleet.producer()).await,
        }
    }
    let ended = producers[0].api().ended(&run, LONG).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let counts = &ended["steps"][1]["items"];
    assert_eq!(
        (counts["succeeded"].as_u64(), counts["open"].as_u64()),
        (Some(items as u64), Some(0)),
        "{counts}"
    );

    assert_eq!((each.by_key(Kind::End).len(), joins.of(Kind::Start).len()), (items, 1));
    let mut starts: BTreeMap<(String, u32), usize> = BTreeMap::new();
    each.of(Kind::Start)
        .into_iter()
        .for_each(|mark| *starts.entry((mark.key, mark.attempt)).or_default() += 1);
    let twice: Vec<_> = starts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "attempts that began twice: {twice:?}");
    let last = each.of(Kind::End).last().map(|mark| mark.at).unwrap();
    assert!(joins.of(Kind::Start)[0].at > last, "the join began before the last item had ended");
    println!("{items} items, {} attempts", starts.len());
}

/// Kills one of two with -9, and puts another in its place.
async fn replace(all: &mut [Process; 2], killed: &mut usize, next: impl Future<Output = Process>) {
    all[*killed % 2].kill9();
    all[*killed % 2] = next.await;
    *killed += 1;
}
