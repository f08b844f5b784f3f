//! Measures Millrace beside the raw limit of the broker, on private RabbitMQ and Redis servers, in one run.
//!
//!     cargo build --release && cargo run --release -p millrace-bench -- [--tasks 20000] [--rounds 5] [--always]
//!
//! All guarantees are on: durable queues, persistent messages, confirms, claims, leases, stored results, history. What
//! is measured, and how, is in the README of this folder. It judges nothing but its own targets, and it is not a test:
//! figures of a busy machine say little.

mod amqp;
mod api;
mod arguments;
mod catalogue;
mod cpu;
mod embedded;
mod failure;
mod fleet;
mod footprint;
mod graph;
mod growth;
mod latency;
mod machine;
mod peers;
mod program;
mod raw;
mod report;
mod rounds;
mod schedules;
mod throughput;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Arguments;
use crate::catalogue::MAIN;
use crate::failure::Failure;
use crate::report::Report;
use crate::rounds::Rounds;

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    // What was started ends with what is dropped here.
    tokio::select! {
        done = measure(&arguments) => done,
        _ = terminate.recv() => Err("terminated".into()),
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    }
}

/// Measures all that the arguments ask for, and prints it.
async fn measure(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let syncs = if arguments.always { &[MAIN, "always"][..] } else { &[MAIN] };
    let mut report = Report::default();
    let mut facts = serde_json::Value::Null;
    if arguments.growth {
        growth::all(arguments, &mut report).await;
    }
    for sync in syncs {
        let mut rounds = Rounds::start(arguments, sync, &mut report).await?;
        if facts.is_null() {
            facts = machine::facts(&rounds.fleet.servers);
        }
        if arguments.rounds > 0 {
            rounds.run().await;
        }
    }
    if let Some(file) = &arguments.json {
        std::fs::write(file, format!("{:#}\n", report.json(&facts)))?;
    }
    println!("{}\n{}", report.tables(), facts);
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
