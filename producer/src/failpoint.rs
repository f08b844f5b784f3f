//! Places where a test lets a producer die: between any two hops, at once, with nothing tidied up.
//!
//! `MILLRACE_FAILPOINT=<point>:<n>` aborts the process when it passes that point for the n-th time. Only builds
//! with debug assertions look at it: a release holds nothing of this.

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PLAN: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = std::env::var("MILLRACE_FAILPOINT").ok()?;
        let (point, nth) = text.split_once(':')?;
        Some((point.to_owned(), nth.parse().ok()?))
    });

    static PASSED: AtomicU64 = AtomicU64::new(0);

    pub(super) fn pass(point: &str) {
        if let Some((wanted, nth)) = &*PLAN
            && wanted == point
            && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *nth
        {
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
