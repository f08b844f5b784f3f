//! Big definitions: the cost of parsing grows with the size of the file and no faster.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use millrace_domain::definition;

/// `count` steps, each waiting for the one before it and for one far back.
fn chain(count: usize, outputs: bool) -> String {
    let mut source = String::from("name: big\nparams: [{name: date, default: x}]\nsteps:\n");
    for n in 0..count {
        source.push_str(&format!("  - name: s{n}\n    run: echo {n}\n    timeout: 30s\n    env:\n      A: \"${{{{ params.date }}}}\"\n"));
        if outputs && n >= 3 {
            source.push_str(&format!("      B: \"${{{{ outputs.s{}.x }}}}\"\n", n - 3));
        }
        if n > 0 {
            source.push_str(&format!(
                "    depends_on: [s{}{}]\n",
                n - 1,
                if n > 10 { format!(", s{}", n / 2) } else { String::new() }
            ));
        }
    }
    source
}

/// How long this thread has been on a processor: other work on the machine does not count.
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match stat.split(' ').next().and_then(|nanos| nanos.parse().ok()) {
        Some(nanos) => Duration::from_nanos(nanos),
        None => STARTED.elapsed(),
    }
}

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The shortest of three times.
fn time(source: &str) -> Duration {
    let once = || {
        let before = spent();
        let parsed = definition::parse(source, "big.yaml");
        let time = spent() - before;
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
        time
    };
    (0..3).map(|_| once()).min().unwrap()
}

/// Asserts that twice as much takes about twice as long. What else the machine does, with the caches that are shared, can
/// only make it look longer: one of five times tells.
fn assert_grows_evenly(once: &str, twice: &str, most: Duration) {
    let mut times = Vec::new();
    for _ in 0..5 {
        let (one, two) = (time(once), time(twice));
        if one < most && two < one.mul_f64(2.6) + Duration::from_millis(50) {
            return;
        }
        times.push((one, two));
    }
    panic!("{times:?}");
}

#[test]
fn ten_thousand_steps_take_well_under_a_second_and_twice_as_many_twice_as_long() {
    assert_grows_evenly(&chain(10_000, false), &chain(20_000, false), Duration::from_secs(1));
}

#[test]
fn steps_that_use_outputs_cost_no_more_than_the_way_to_them() {
    assert_grows_evenly(&chain(10_000, true), &chain(20_000, true), Duration::from_millis(1500));
}

#[test]
fn ten_thousand_wrong_steps_are_no_slower() {
    let source =
        chain(10_000, true).replace("depends_on: [", "depends_on: [zzz, ").replace("outputs.s", "outputs.t");
    let before = spent();
    let problems = definition::parse(&source, "big.yaml").unwrap_err();
    assert_eq!(problems.0.len(), 100);
    let time = spent() - before;
    assert!(time < Duration::from_secs(2), "{time:?}");
}

/// Every step uses the output of a root that it can reach only through all of the others.
#[test]
fn the_longest_way_to_an_output_is_bounded() {
    let mut source = String::from("name: far\nsteps:\n  - {name: s0, run: x}\n");
    for n in 1..20_000 {
        source.push_str(&format!(
            "  - {{name: s{n}, run: x, depends_on: [s{}], env: {{A: \"${{{{ outputs.s0.x }}}}\"}}}}\n",
            n - 1
        ));
    }
    let before = spent();
    let _ = definition::parse(&source, "far.yaml");
    let time = spent() - before;
    assert!(time < Duration::from_secs(3), "{time:?}");
}
