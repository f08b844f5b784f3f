//! What the figures were measured on.

use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::fleet::Servers;

/// Facts of the machine and of the programs.
pub(crate) fn facts(servers: &Servers) -> Value {
    let of_file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = of_file("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    json!({
        "date": jiff::Timestamp::now().to_string(),
        "command": std::env::args().collect::<Vec<_>>().join(" "),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "cpu": model.map(|(_, model)| model),
        "kernel": of_file("/proc/sys/kernel/osrelease").trim(),
        "rabbitmq": servers.rabbitmq.ctl(&["--quiet", "version"]).trim(),
        "redis": version("redis-server"),
        "rustc": version("rustc"),
        "optimised": !cfg!(debug_assertions),
    })
}

fn version(program: &str) -> Option<String> {
    let done = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

/// The time that a fixed loop takes, in milliseconds: how fast the processor is right now.
pub(crate) fn calibration_ms() -> f64 {
    let began = Instant::now();
    let mut sum = 0_u64;
    for n in 0..50_000_000_u64 {
        sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(n));
    }
    std::hint::black_box(sum);
    began.elapsed().as_secs_f64() * 1e3
}
