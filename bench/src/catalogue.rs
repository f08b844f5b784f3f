//! The figures: what each is called, what it stands beside, and what is asked of it.

use std::fmt;

/// The column of the store that a target is judged on.
pub(crate) const MAIN: &str = "everysec";
/// The column of the embedded server.
pub(crate) const EMBEDDED: &str = "embedded";

/// A figure: one line of the table.
pub(crate) struct Figure {
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// The key of the raw limit for the same work.
    pub(crate) raw: Option<&'static str>,
    /// The targets, by column.
    pub(crate) targets: &'static [(&'static str, Target)],
}

/// A target: what is asked of a figure.
pub(crate) enum Target {
    /// At least this share of raw.
    ShareOfRaw(f64),
    /// At most so many times raw.
    TimesRaw(f64),
    /// At most this, in the figure's own unit.
    AtMost(f64),
    /// Zero in every round: the worst one counts, not the median.
    Never,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShareOfRaw(least) => write!(f, ">= {least:.2} of raw"),
            Self::TimesRaw(most) => write!(f, "<= {most:.0}x raw"),
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::Never => f.write_str("none in any round"),
        }
    }
}

const fn figure(key: &'static str, name: &'static str, unit: &'static str) -> Figure {
    Figure { key, name, unit, raw: None, targets: &[] }
}

impl Figure {
    const fn beside(self, raw: &'static str) -> Self {
        Self { raw: Some(raw), ..self }
    }

    const fn asks(self, targets: &'static [(&'static str, Target)]) -> Self {
        Self { targets, ..self }
    }
}

/// All figures, in the order of the table.
pub(crate) const FIGURES: &[Figure] = &[
    figure("raw.throughput", "raw: publish with confirms, consume, ack", "msg/s"),
    figure("w1.singly", "W1 no-op tasks, submitted singly over AMQP", "tasks/s")
        .beside("raw.throughput")
        .asks(&[(MAIN, Target::ShareOfRaw(0.33))]),
    figure("w1.batches", "W1 no-op tasks, in arrays of 500 over AMQP", "tasks/s")
        .beside("raw.throughput")
        .asks(&[(MAIN, Target::ShareOfRaw(0.5))]),
    figure("w1.rest", "W1 no-op tasks, in arrays of 500 over REST", "tasks/s")
        .beside("raw.throughput")
        .asks(&[(MAIN, Target::ShareOfRaw(0.5)), (EMBEDDED, Target::ShareOfRaw(1.0))]),
    figure("w1.rest_singly", "W1 no-op tasks, singly over REST, 32 connections", "tasks/s")
        .beside("raw.throughput"),
    figure("raw.latency_p50", "raw: publish to claim, 50/s, median", "ms"),
    figure("raw.latency_p99", "raw: publish to claim, 50/s, p99", "ms"),
    figure("w2.p50", "W2 submit over AMQP to start, 50/s, median", "ms")
        .beside("raw.latency_p50")
        .asks(&[(MAIN, Target::TimesRaw(2.0))]),
    figure("w2.p99", "W2 submit over AMQP to start, 50/s, p99", "ms")
        .beside("raw.latency_p99")
        .asks(&[(MAIN, Target::TimesRaw(4.0))]),
    figure("w2.rest_p50", "W2 submit over REST to start, 50/s, median", "ms").beside("raw.latency_p50"),
    figure("w2.rest_p99", "W2 submit over REST to start, 50/s, p99", "ms").beside("raw.latency_p99"),
    figure("raw.chain", "raw: chain of 40", "ms"),
    figure("raw.fan", "raw: fan 1 -> 1,000 -> 1", "ms"),
    figure("w3.chain", "W3 chain of 40", "ms").beside("raw.chain").asks(&[(MAIN, Target::TimesRaw(2.0))]),
    figure("w3.fan", "W3 fan 1 -> 1,000 -> 1", "ms").beside("raw.fan").asks(&[(MAIN, Target::TimesRaw(2.0))]),
    figure("w4.apply", "W4 storing a workflow with a schedule, in files of 100", "workflows/s"),
    figure("w4.fire_p50", "W4 fires due in one second: lag of the run, median", "ms"),
    figure("w4.fire_p99", "W4 fires due in one second: lag of the run, p99", "ms"),
    figure("w4.start_p50", "W4 fires due in one second: lag of the task's start, median", "ms"),
    figure("w4.start_p99", "W4 fires due in one second: lag of the task's start, p99", "ms")
        .asks(&[(MAIN, Target::AtMost(1_000.0)), (EMBEDDED, Target::AtMost(1_000.0))]),
    figure("w4.early", "W4 fires that came early", "fires, worst round")
        .asks(&[(MAIN, Target::Never), (EMBEDDED, Target::Never)]),
    figure("w4.twice", "W4 fires that came twice", "fires, worst round")
        .asks(&[(MAIN, Target::Never), (EMBEDDED, Target::Never)]),
    figure("w4.missing", "W4 fires that are missing", "fires, worst round")
        .asks(&[(MAIN, Target::Never), (EMBEDDED, Target::Never)]),
    figure("w5.producer_start", "W5 start-up of a producer", "ms"),
    figure("w5.worker_start", "W5 start-up of a worker", "ms"),
    figure("w5.dev_start", "W5 start-up of `millrace dev`", "ms"),
    figure("w5.producer_idle", "W5 memory of the idle producer", "MB").asks(&[(MAIN, Target::AtMost(40.0))]),
    figure("w5.worker_idle", "W5 memory of the idle worker", "MB").asks(&[(MAIN, Target::AtMost(25.0))]),
    figure("w5.dev_idle", "W5 memory of the idle `millrace dev`", "MB"),
    figure("w5.producer_loaded", "W5 memory of the producer after the load", "MB"),
    figure("w5.worker_loaded", "W5 memory of the worker after the load", "MB"),
    figure("w5.dev_loaded", "W5 memory of `millrace dev` after the load", "MB"),
    figure("w5.producer_peak", "W5 most memory of the producer", "MB"),
    figure("w5.worker_peak", "W5 most memory of the worker", "MB"),
    figure("w5.dev_peak", "W5 most memory of `millrace dev`", "MB"),
    figure("raw.spawn", "raw: fork, exec `sh -c true`, wait", "processes/s"),
    figure("w7.shell", "W7 shell tasks, `true`", "tasks/s").beside("raw.spawn"),
    figure("w9.chain", "W9 chain of 40 runs of one step within a run", "ms"),
    figure("w9.fan", "W9 1 -> 1,000 runs of one step -> 1 within a run", "ms"),
    figure("w9.lock_chain", "W9 chain of 40 steps, each with a lock", "ms"),
    figure("w9.lock_fan", "W9 1,000 items, each with a lock of its own", "ms"),
    figure("w9.lock_queue", "W9 1,000 items, one after the other through one lock", "ms"),
    figure("w9.slot_fan", "W9 1,000 runs within a run, each with a slot of its own", "ms"),
    figure("w9.slot_queue", "W9 250 runs within a run, one at a time", "ms"),
];
