//! A process that ends in order says so last, and says nothing that sounds like a fault.

use std::net::TcpListener;
use std::time::Duration;

use millrace_tests::Fleet;

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
