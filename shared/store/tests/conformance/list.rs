//! Lists of runs.

use millrace_domain::RunId;
use millrace_store::{RunDelta, RunQuery, RunSummary};
use uuid::Uuid;

use crate::fixture::*;

on_every_store!(
    runs_are_listed_newest_first_whatever_their_partition,
    a_list_has_no_more_than_asked_for,
    a_list_shows_the_head_as_it_is_now,
    a_workflow_lists_its_own_runs,
    pages_show_each_run_once_though_many_are_of_one_instant,
    pages_of_a_workflow_show_each_run_once,
    a_run_that_comes_in_between_does_not_move_the_next_page,
    an_empty_store_lists_nothing,
);

const PARTITIONS: u16 = 4;

fn query(limit: usize) -> RunQuery {
    RunQuery { partitions: PARTITIONS, limit, ..RunQuery::default() }
}

async fn owners(store: &Given) -> Vec<Owner> {
    let mut owners = Vec::new();
    for partition in 0..PARTITIONS {
        owners.push(Owner::of(store, partition).await);
    }
    owners
}

/// Creates a run in turn in each partition, at the given instants; answers summaries as they are to be listed.
async fn create(store: &Given, instants: &[i64]) -> Vec<RunSummary> {
    let mut owners = owners(store).await;
    let mut created = Vec::new();
    for (index, instant) in instants.iter().enumerate() {
        let owner = &mut owners[index % usize::from(PARTITIONS)];
        // Of no order, unlike ids that are made from the time.
        let run = RunId::new(Uuid::new_v4(), owner.partition);
        let name = if index % 3 == 0 { "third" } else { "others" };
        owner.commit(vec![created_at(run, at(*instant), name)]).await;
        created.push(RunSummary {
            run,
            created_at: at(*instant),
            workflow: workflow(name),
            head: "{\"state\":\"running\"}".into(),
        });
    }
    created.sort_by_key(|run| std::cmp::Reverse((run.created_at, run.run)));
    created
}

async fn pages(store: &Given, mut query: RunQuery) -> Vec<RunSummary> {
    let mut all = Vec::new();
    loop {
        let page = store.list_runs(&query).await.unwrap();
        assert!(page.len() <= query.limit);
        let Some(last) = page.last() else { return all };
        query.after = Some((last.created_at, last.run));
        all.extend(page);
        assert!(all.len() <= 1_000, "the pages do not end");
    }
}

fn ids(list: &[RunSummary]) -> Vec<RunId> {
    list.iter().map(|run| run.run).collect()
}

async fn runs_are_listed_newest_first_whatever_their_partition(store: Given) {
    let created = create(&store, &[50, 10, 70, 30, 20, 60, 40, 1_700_000_000_000]).await;
    assert_eq!(store.list_runs(&query(100)).await.unwrap(), created);
}

async fn a_list_has_no_more_than_asked_for(store: Given) {
    let created = create(&store, &[5, 1, 7, 3, 2, 6]).await;
    assert_eq!(store.list_runs(&query(4)).await.unwrap(), created[..4]);
    assert_eq!(store.list_runs(&query(0)).await.unwrap(), []);
}

async fn a_list_shows_the_head_as_it_is_now(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let run = owner.new_run();
    owner.commit(vec![created(run)]).await;
    owner.commit(vec![RunDelta { head: Some("done ✓".into()), ..RunDelta::new(run) }]).await;
    let list = store.list_runs(&query(10)).await.unwrap();
    assert_eq!((list.len(), list[0].head.as_str()), (1, "done ✓"));
}

async fn a_workflow_lists_its_own_runs(store: Given) {
    let created = create(&store, &[5, 1, 7, 3, 2, 6, 9]).await;
    let third: Vec<_> = created.into_iter().filter(|run| run.workflow == workflow("third")).collect();
    assert_eq!(third.len(), 3);
    let only = |name| RunQuery { workflow: Some(workflow(name)), ..query(100) };
    assert_eq!(store.list_runs(&only("third")).await.unwrap(), third);
    assert_eq!(store.list_runs(&only("none")).await.unwrap(), []);
    assert_eq!(store.list_runs(&only("thir")).await.unwrap(), []);
}

async fn pages_show_each_run_once_though_many_are_of_one_instant(store: Given) {
    let mut instants = vec![100; 25];
    instants.extend([99, 101, 99]);
    let created = create(&store, &instants).await;
    for limit in [1, 3, 7, 100] {
        assert_eq!(ids(&pages(&store, query(limit)).await), ids(&created), "by {limit}");
    }
}

async fn pages_of_a_workflow_show_each_run_once(store: Given) {
    let created = create(&store, &[7; 20]).await;
    let others: Vec<_> = created.into_iter().filter(|run| run.workflow == workflow("others")).collect();
    let query = RunQuery { workflow: Some(workflow("others")), ..query(3) };
    assert_eq!(pages(&store, query).await, others);
}

async fn a_run_that_comes_in_between_does_not_move_the_next_page(store: Given) {
    let created = create(&store, &[1, 2, 3, 4]).await;
    let first = store.list_runs(&query(2)).await.unwrap();
    let mut owner = Owner::of(&store, PARTITIONS - 1 + 1).await;
    let newer = owner.new_run();
    owner.commit(vec![created_at(newer, at(9), "others")]).await;
    let after = Some((first[1].created_at, first[1].run));
    let second = store.list_runs(&RunQuery { after, partitions: PARTITIONS + 1, ..query(2) }).await.unwrap();
    assert_eq!(second, created[2..]);
}

async fn an_empty_store_lists_nothing(store: Given) {
    assert_eq!(store.list_runs(&query(10)).await.unwrap(), []);
}
