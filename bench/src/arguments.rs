//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures Millrace beside the raw limit of the broker, on private RabbitMQ and Redis servers, in one run.
#[derive(Debug, Parser)]
#[command(name = "millrace-bench", max_term_width = 100)]
pub(crate) struct Arguments {
    /// Tasks of one measurement of W1
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(500..=1_000_000))]
    tasks: u32,
    /// Schedules that are stored in W4
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    pub(crate) schedules: usize,
    /// How many of these are due in the same second
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub(crate) due: usize,
    /// How often everything is measured; the table holds medians. 0 leaves all but W6 out
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Measure also on a Redis that syncs every write, in a column of its own
    #[arg(long)]
    pub(crate) always: bool,
    /// Only these workloads
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Workload>,
    /// Measure also Celery and BullMQ, installed into this folder with `bench/peers/setup.sh DIR`
    #[arg(long, value_name = "DIR")]
    pub(crate) peers: Option<PathBuf>,
    /// Measure also W6: what one more unit costs when there are already many
    #[arg(long)]
    pub(crate) growth: bool,
    /// The largest size of W6
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    pub(crate) growth_max: usize,
    /// Write all single values to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// A workload, by its number in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Throughput of no-op tasks
    W1,
    /// Latency from submission to start
    W2,
    /// Chain and fan
    W3,
    /// Fires of schedules
    W4,
    /// Memory and start-up
    W5,
    /// Shell tasks
    W7,
    /// Runs within runs
    W9,
}

impl Arguments {
    /// Is this workload to be measured?
    pub(crate) fn wants(&self, workload: Workload) -> bool {
        self.only.is_empty() || self.only.contains(&workload)
    }

    /// The tasks of one measurement of W1.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks as usize
    }

    /// The submissions of one measurement of W2: those of ten seconds, or fewer in a short run.
    pub(crate) fn latencies(&self) -> usize {
        (self.tasks() / 20).clamp(50, 500)
    }
}
