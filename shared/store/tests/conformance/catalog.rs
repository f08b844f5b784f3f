//! Stored definitions.

use millrace_domain::PartitionId;
use millrace_store::{StoredWorkflow, WorkflowDelta};

use crate::fixture::*;

on_every_store!(
    a_workflow_is_loaded_by_version_and_the_current_one_by_none,
    many_workflows_are_loaded_in_one_call_in_their_order,
    a_version_never_changes,
    a_head_is_replaced_alone,
    a_workflow_off_the_list_stays_readable,
    a_new_version_puts_a_workflow_back_on_the_list,
    a_workflow_that_was_never_put_is_not_there,
    workflows_keep_to_their_home,
    a_large_source_is_kept_whole,
);

const HOME: PartitionId = PartitionId(6);

async fn change(owner: &mut Owner, deltas: Vec<WorkflowDelta>) {
    let mut commit = owner.next(vec![]);
    commit.workflows = deltas;
    assert_eq!(owner.send(&commit).await, applied());
}

fn put(name: &str, version: u32, source: &str, head: &str) -> WorkflowDelta {
    WorkflowDelta::Put { workflow: workflow(name), version, source: source.into(), head: head.into() }
}

fn stored(head: &str, version: u32, source: &str) -> Option<StoredWorkflow> {
    Some(StoredWorkflow { head: head.into(), version, source: source.into() })
}

async fn load(store: &Given, name: &str, version: Option<u32>) -> Option<StoredWorkflow> {
    store.load_workflow(HOME, &workflow(name), version).await.unwrap()
}

async fn listed(store: &Given, home: PartitionId) -> Vec<(String, String)> {
    let mut list: Vec<_> = store.list_workflows(home).await.unwrap();
    list.sort();
    list.into_iter().map(|(name, head)| (name.to_string(), head)).collect()
}

async fn a_workflow_is_loaded_by_version_and_the_current_one_by_none(store: Given) {
    let mut owner = Owner::of(&store, HOME.0).await;
    change(&mut owner, vec![put("daily", 1, "name: daily # 一", "h1")]).await;
    assert_eq!(load(&store, "daily", None).await, stored("h1", 1, "name: daily # 一"));
    change(&mut owner, vec![put("daily", 2, "two", "h2"), put("other", 1, "one", "o1")]).await;
    assert_eq!(load(&store, "daily", None).await, stored("h2", 2, "two"));
    assert_eq!(load(&store, "daily", Some(1)).await, stored("h2", 1, "name: daily # 一"));
    assert_eq!(load(&store, "daily", Some(2)).await, stored("h2", 2, "two"));
    assert_eq!(load(&store, "daily", Some(3)).await, None);
    let both = [("daily".into(), "h2".into()), ("other".into(), "o1".into())];
    assert_eq!(listed(&store, HOME).await, both);
}

async fn many_workflows_are_loaded_in_one_call_in_their_order(store: Given) {
    let elsewhere = PartitionId(7);
    let (mut owner, mut other) = (Owner::of(&store, HOME.0).await, Owner::of(&store, elsewhere.0).await);
    change(
        &mut owner,
        vec![put("daily", 1, "one", "h1"), put("daily", 2, "two", "h2"), put("a", 1, "x", "y")],
    )
    .await;
    change(&mut other, vec![put("weekly", 1, "w", "w1")]).await;
    let wanted = [(elsewhere, "weekly"), (HOME, "none"), (HOME, "daily"), (HOME, "weekly"), (HOME, "a")];
    let wanted = wanted.map(|(home, name)| (home, workflow(name)));
    let expected = [stored("w1", 1, "w"), None, stored("h2", 2, "two"), None, stored("y", 1, "x")];
    assert_eq!(store.load_workflows(&wanted).await.unwrap(), expected);
    assert_eq!(store.load_workflows(&[]).await.unwrap(), []);
}

async fn a_version_never_changes(store: Given) {
    let mut owner = Owner::of(&store, HOME.0).await;
    change(&mut owner, vec![put("daily", 1, "first", "h1")]).await;
    change(&mut owner, vec![put("daily", 1, "second", "h2")]).await;
    assert_eq!(load(&store, "daily", Some(1)).await, stored("h2", 1, "first"));
}

async fn a_head_is_replaced_alone(store: Given) {
    let mut owner = Owner::of(&store, HOME.0).await;
    change(&mut owner, vec![put("daily", 1, "one", "h1"), put("daily", 2, "two", "h2")]).await;
    let head = WorkflowDelta::Head { workflow: workflow("daily"), head: "paused".into() };
    change(&mut owner, vec![head]).await;
    assert_eq!(load(&store, "daily", None).await, stored("paused", 2, "two"));
    assert_eq!(listed(&store, HOME).await, [("daily".into(), "paused".into())]);
}

async fn a_workflow_off_the_list_stays_readable(store: Given) {
    let mut owner = Owner::of(&store, HOME.0).await;
    change(&mut owner, vec![put("daily", 1, "one", "h1"), put("other", 1, "o", "o1")]).await;
    let unlist = WorkflowDelta::Unlist { workflow: workflow("daily"), head: "deleted".into() };
    change(&mut owner, vec![unlist]).await;
    assert_eq!(listed(&store, HOME).await, [("other".into(), "o1".into())]);
    assert_eq!(load(&store, "daily", Some(1)).await, stored("deleted", 1, "one"));
    assert_eq!(load(&store, "daily", None).await, stored("deleted", 1, "one"));
    let head = WorkflowDelta::Head { workflow: workflow("daily"), head: "again".into() };
    change(&mut owner, vec![head]).await;
    assert_eq!(listed(&store, HOME).await.len(), 1);
}

async fn a_new_version_puts_a_workflow_back_on_the_list(store: Given) {
    let mut owner = Owner::of(&store, HOME.0).await;
    let unlist = WorkflowDelta::Unlist { workflow: workflow("daily"), head: "deleted".into() };
    change(&mut owner, vec![put("daily", 1, "one", "h1"), unlist]).await;
    change(&mut owner, vec![put("daily", 2, "two", "h2")]).await;
    assert_eq!(listed(&store, HOME).await, [("daily".into(), "h2".into())]);
    assert_eq!(load(&store, "daily", Some(1)).await, stored("h2", 1, "one"));
}

async fn a_workflow_that_was_never_put_is_not_there(store: Given) {
    let mut owner = Owner::of(&store, HOME.0).await;
    assert_eq!(load(&store, "daily", None).await, None);
    assert_eq!(load(&store, "daily", Some(1)).await, None);
    let name = workflow("daily");
    let head = WorkflowDelta::Head { workflow: name.clone(), head: "h".into() };
    let unlist = WorkflowDelta::Unlist { workflow: name, head: "h".into() };
    change(&mut owner, vec![head, unlist]).await;
    assert_eq!(load(&store, "daily", None).await, None);
    assert_eq!(listed(&store, HOME).await, []);
}

async fn workflows_keep_to_their_home(store: Given) {
    let (mut here, mut there) = (Owner::of(&store, HOME.0).await, Owner::of(&store, 7).await);
    change(&mut here, vec![put("daily", 1, "here", "here")]).await;
    change(&mut there, vec![put("daily", 1, "there", "there")]).await;
    assert_eq!(load(&store, "daily", None).await, stored("here", 1, "here"));
    assert_eq!(listed(&store, there.partition).await, [("daily".into(), "there".into())]);
    assert_eq!(listed(&store, PartitionId(50)).await, []);
}

async fn a_large_source_is_kept_whole(store: Given) {
    let mut owner = Owner::of(&store, HOME.0).await;
    let source = "- 步骤: x\n".repeat(1 << 16);
    change(&mut owner, vec![put("daily", 1, &source, "h")]).await;
    assert!(load(&store, "daily", None).await.is_some_and(|workflow| workflow.source == source));
}
