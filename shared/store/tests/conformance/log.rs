//! Logs of attempts.

use millrace_domain::{PartitionId, RunId, TaskId};
use millrace_store::{LogChunk, LogStream};
use uuid::Uuid;

use crate::fixture::*;

on_every_store!(
    a_log_is_read_as_it_was_written,
    a_log_is_read_in_pieces,
    past_the_budget_nothing_more_is_kept,
    the_budget_counts_bytes_and_is_met_exactly,
    a_log_without_budget_keeps_nothing,
    attempts_have_logs_of_their_own,
    a_log_outlives_its_attempt,
    the_log_of_a_run_that_is_not_stored_is_not_kept,
    a_log_takes_many_chunks_at_once,
);

const BUDGET: u64 = 1 << 20;

fn said(text: &str) -> LogChunk {
    LogChunk { at: at(7), stream: LogStream::Stdout, text: text.into() }
}

async fn append(store: &Given, task: TaskId, texts: &[&str], budget: u64) {
    let chunks: Vec<_> = texts.iter().map(|text| said(text)).collect();
    store.append_log(task, &chunks, budget).await.unwrap();
}

async fn read(store: &Given, task: TaskId) -> Vec<String> {
    let chunks = store.read_log(task, 0, 10_000).await.unwrap();
    chunks.into_iter().map(|chunk| chunk.text).collect()
}

async fn a_log_is_read_as_it_was_written(store: Given) {
    let task = Owner::of(&store, 1).await.queued().await;
    let chunks = [
        LogChunk { at: at(1), stream: LogStream::Stdout, text: "输出 ✓\n".into() },
        LogChunk {
            at: at(1_700_000_000_000),
            stream: LogStream::Stderr,
            text: "nul\0 and \"quotes\"".into(),
        },
        LogChunk { at: at(3), stream: LogStream::Worker, text: "line\r\nline".into() },
    ];
    assert_eq!(store.read_log(task, 0, 10).await.unwrap(), []);
    store.append_log(task, &chunks[..1], BUDGET).await.unwrap();
    store.append_log(task, &chunks[1..], BUDGET).await.unwrap();
    store.append_log(task, &[], BUDGET).await.unwrap();
    assert_eq!(store.read_log(task, 0, 10).await.unwrap(), chunks);
}

async fn a_log_is_read_in_pieces(store: Given) {
    let task = Owner::of(&store, 1).await.queued().await;
    let texts: Vec<_> = (0..25).map(|number| number.to_string()).collect();
    for piece in texts.chunks(4) {
        let piece: Vec<_> = piece.iter().map(String::as_str).collect();
        append(&store, task, &piece, BUDGET).await;
    }
    for (from, limit) in [(0, 3), (3, 10), (20, 10), (24, 1), (25, 10), (1_000, 10), (0, 0)] {
        let piece = store.read_log(task, from, limit).await.unwrap();
        let from = usize::try_from(from).unwrap().min(25);
        let expected: Vec<_> = texts[from..].iter().take(limit).map(|text| said(text)).collect();
        assert_eq!(piece, expected, "{limit} from {from}");
    }
}

async fn past_the_budget_nothing_more_is_kept(store: Given) {
    let task = Owner::of(&store, 1).await.queued().await;
    append(&store, task, &["1234", "5678"], 10).await;
    append(&store, task, &["too long", "x"], 10).await;
    append(&store, task, &["y"], 10).await;
    assert_eq!(read(&store, task).await, ["1234", "5678"]);
}

async fn the_budget_counts_bytes_and_is_met_exactly(store: Given) {
    let task = Owner::of(&store, 1).await.queued().await;
    append(&store, task, &["分片", "1234"], 10).await;
    append(&store, task, &["x"], 10).await;
    assert_eq!(read(&store, task).await, ["分片", "1234"]);
}

async fn a_log_without_budget_keeps_nothing(store: Given) {
    let task = Owner::of(&store, 1).await.queued().await;
    append(&store, task, &["x"], 0).await;
    assert_eq!(read(&store, task).await, Vec::<String>::new());
}

async fn attempts_have_logs_of_their_own(store: Given) {
    let first = Owner::of(&store, 1).await.queued().await;
    let second = task(first.run, 0, 2);
    let other_step = task(first.run, 1, 1);
    append(&store, first, &["first"], 6).await;
    append(&store, second, &["second"], 6).await;
    append(&store, other_step, &["other"], 6).await;
    assert_eq!(read(&store, first).await, ["first"]);
    assert_eq!(read(&store, second).await, ["second"]);
    assert_eq!(read(&store, other_step).await, ["other"]);
    assert_eq!(read(&store, task(first.run, 0, 12)).await, Vec::<String>::new());
}

async fn a_log_outlives_its_attempt(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let task = owner.finished("{}").await.task;
    append(&store, task, &["before"], BUDGET).await;
    let retired = vec![(task.unit, task.attempt)];
    owner.commit(vec![millrace_store::RunDelta { retired, ..millrace_store::RunDelta::new(task.run) }]).await;
    append(&store, task, &["after"], BUDGET).await;
    assert_eq!(read(&store, task).await, ["before", "after"]);
}

async fn the_log_of_a_run_that_is_not_stored_is_not_kept(store: Given) {
    let task = task(RunId::new(Uuid::new_v4(), PartitionId(1)), 0, 1);
    append(&store, task, &["x"], BUDGET).await;
    assert_eq!(read(&store, task).await, Vec::<String>::new());
}

async fn a_log_takes_many_chunks_at_once(store: Given) {
    let task = Owner::of(&store, 1).await.queued().await;
    let large = "行".repeat(50_000);
    let texts = vec![large.as_str(); 6];
    append(&store, task, &texts, BUDGET).await;
    append(&store, task, &["end"; 5_000], BUDGET).await;
    let read = read(&store, task).await;
    assert_eq!(read.len(), 5_006);
    assert!(read[..6].iter().all(|text| *text == large) && read[6..].iter().all(|text| text == "end"));
}
