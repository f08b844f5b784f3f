//! Logs and metrics of a process.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends log lines to standard error. `filter` is a tracing filter (`info`, `millrace_producer=debug`).
///
/// # Errors
/// When the filter cannot be read.
pub fn init_logs(filter: &str, format: LogFormat) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|e| {
        format!("MILLRACE_LOG: {filter:?} is not a log filter such as info or millrace=debug: {e}")
    })?;
    let writer = BoxMakeWriter::new(std::io::stderr);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // A line that cannot be written is lost. To report that to standard error, which is what failed, would panic,
    // and end whatever was logging.
    let builder = builder.log_internal_errors(false);
    // A second initialisation (tests, embedded use) keeps the first.
    let _ = match format {
        LogFormat::Text => {
            let colour = std::env::var_os("NO_COLOR").is_none()
                && std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(colour).with_target(false).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// The interval at which what was recorded is folded into its buckets, scraped or not: until then, each sample takes
/// room.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The recorder that `/metrics` renders, installed at the first call: what was counted before that is lost, so a
/// server calls this first of all. `None` when another one is installed.
pub fn metrics_handle() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        let handle = install_recorder().ok()?;
        let upkeep = handle.clone();
        let looped = move || {
            loop {
                std::thread::sleep(UPKEEP_EVERY);
                upkeep.run_upkeep();
            }
        };
        // Without it, scrapes do the same.
        let _ = std::thread::Builder::new().name("millrace-metrics".to_owned()).spawn(looped);
        Some(handle)
    };
    HANDLE.get_or_init(install).as_ref()
}

fn install_recorder() -> Result<PrometheusHandle, BuildError> {
    let seconds =
        [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0];
    let sizes = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0];
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)?
        .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &sizes)?
        .install_recorder()
}
