//! Measures Millrace beside the raw limit of the broker, on private RabbitMQ and Redis servers, in one run.
//!
//!     cargo build --release && cargo run --release -p millrace-bench -- [--tasks 20000] [--rounds 3] [--always]
//!
//! All guarantees are on: durable queues, persistent messages, confirms, claims, leases, stored results. `raw` is the
//! least that a broker client can do: publish with confirms, consume, ack.

mod amqp;
mod fleet;
mod workloads;

use fleet::Fleet;

/// What a failure is here: a text for the one who runs it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: usize| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (tasks, rounds) = (number("--tasks", 20_000), number("--rounds", 3));
    let fsync = if arguments.iter().any(|argument| argument == "--always") { "always" } else { "everysec" };
    let mut figures: Vec<(&str, &str, Vec<f64>)> = Vec::new();
    let mut note = |name: &'static str, unit: &'static str, value: f64| {
        match figures.iter_mut().find(|figure| figure.0 == name) {
            Some(figure) => figure.2.push(value),
            None => figures.push((name, unit, vec![value])),
        }
        eprintln!("{name}: {value:.2} {unit}");
    };
    let fleet = Fleet::start(fsync).await?;
    eprintln!("appendfsync {fsync}, {tasks} tasks, {rounds} rounds");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    note("memory of the idle producer", "MB", fleet.producer_mb());
    note("memory of the idle worker", "MB", fleet.worker_mb());
    for _ in 0..rounds {
        note("raw publish-confirm-consume-ack", "msg/s", workloads::raw(&fleet, tasks).await?);
        note("no-op tasks, submitted singly over AMQP", "tasks/s", workloads::tasks(&fleet, tasks, 1).await?);
        note(
            "no-op tasks, in arrays of 500 over AMQP",
            "tasks/s",
            workloads::tasks(&fleet, tasks, 500).await?,
        );
        let (median, p99) = workloads::latency(&fleet, 50, 200).await?;
        note("submit to start, idle, median", "ms", median);
        note("submit to start, idle, p99", "ms", p99);
        note("chain of 40 no-op steps", "ms", workloads::chain(&fleet, 40).await?);
        note("fan 1 -> 1,000 -> 1", "ms", workloads::fan(&fleet, 1_000).await?);
        note("raw publish-confirm-consume-ack", "msg/s", workloads::raw(&fleet, tasks).await?);
    }
    note("memory of the producer after the load", "MB", fleet.producer_mb());
    note("memory of the worker after the load", "MB", fleet.worker_mb());
    let median = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let raw =
        figures.iter().find(|figure| figure.0.starts_with("raw")).map_or(1.0, |figure| median(&figure.2));
    println!("| what | median | unit | share of raw |\n|---|---|---|---|");
    for (name, unit, values) in &figures {
        let share =
            if unit.ends_with("/s") { format!("{:.2}", median(values) / raw) } else { "-".to_owned() };
        println!("| {name} | {:.1} | {unit} | {share} |", median(values));
    }
    Ok(())
}
