//! A process that ends in order says so last, and says nothing that sounds like a fault.

use std::net::TcpListener;
use std::time::Duration;

use millrace_tests::Fleet;
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_whose_port_is_in_use_says_so_and_nothing_else() {
    let fleet = Fleet::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for _ in 0..8 {
        let mut command = fleet.millrace();
        command.args(["producer", "--listen", &address]);
        let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && said.contains("the port is in use"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_ends_with_its_own_word() {
    let fleet = Fleet::new();
    let producer = fleet.producer().await;
    let mut processes = vec![producer];
    for _ in 0..4 {
        processes.push(fleet.start_worker(&["--concurrency", "1"], &[]));
    }
    for process in &mut processes {
        process.is_ready().await;
    }
    processes.iter_mut().for_each(millrace_tests::Process::sigterm);
    for process in &mut processes {
        assert!(process.ends(SOON).await.success(), "{}", process.log());
        let log = process.log();
        assert!(log.lines().last().unwrap().ends_with(" has ended"), "{log}");
        assert!(!log.contains("WARN") && !log.contains("panicked"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_wait_are_in_their_queue_once_however_often_producers_come_and_go() {
    let fleet = Fleet::new();
    let first = fleet.producer().await;
    let tasks: Vec<_> =
        (0..20).map(|n| json!({"run": "true", "pool": "none", "idempotency_key": format!("{n}")})).collect();
    first.api().submit_all(&tasks, SOON).await;
    // The watermark of a partition that rests is raised with its renewal, every 2 s.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let amqp = fleet.amqp().await;
    for _ in 0..3 {
        let mut second = fleet.producer().await;
        second.sigterm();
        assert!(second.ends(SOON).await.success(), "{}", second.log());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(amqp.ready("tasks.none").await, Some(20));
}
