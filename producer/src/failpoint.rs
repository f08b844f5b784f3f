//! Places where a test lets a producer die: between any two hops, at once, with nothing tidied up.
//!
//! `MILLRACE_FAILPOINT=<point>:<n>` aborts the process when it passes that point for the n-th time; with `:panic` after
//! it, only what passes there panics, and with `:panic:<times>` so do those that pass after it, so often in all. And a guard that a test removes, to see that its auditor notices: with
//! `MILLRACE_UNGUARD=outbox` nothing is published again. (The guards in the store's scripts are removed there.) Only
//! builds with debug assertions look: a release holds nothing of this.

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Plan {
        point: String,
        nth: u64,
        panics: bool,
        times: u64,
    }

    static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| {
        let text = std::env::var("MILLRACE_FAILPOINT").ok()?;
        let mut parts = text.split(':');
        let (point, nth) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
        let panics = parts.next() == Some("panic");
        let times = parts.next().map_or(Some(1), |times| times.parse().ok())?;
        Some(Plan { point, nth, panics, times })
    });

    static PASSED: AtomicU64 = AtomicU64::new(0);

    pub(super) fn pass(point: &str) {
        if let Some(plan) = &*PLAN
            && plan.point == point
            && (plan.nth..plan.nth + plan.times).contains(&(PASSED.fetch_add(1, Ordering::Relaxed) + 1))
        {
            assert!(!plan.panics, "failpoint {point}");
            eprintln!("failpoint {point}: aborting");
            std::process::abort();
        }
    }
}

/// The process has come to `point`.
#[cfg_attr(
    not(debug_assertions),
    expect(unused_variables, reason = "only builds with debug assertions look")
)]
pub(crate) fn pass(point: &str) {
    #[cfg(debug_assertions)]
    armed::pass(point);
}

/// Whether this guard is removed.
#[cfg_attr(
    not(debug_assertions),
    expect(unused_variables, reason = "only builds with debug assertions look")
)]
pub(crate) fn is_removed(guard: &str) -> bool {
    #[cfg(debug_assertions)]
    return std::env::var_os("MILLRACE_UNGUARD").is_some_and(|removed| removed == guard);
    #[cfg(not(debug_assertions))]
    false
}
