//! Guards that a test takes out of the scripts, to see that its auditor notices.
//!
//! `MILLRACE_UNGUARD=fence`, `claim` or `dedup` loads scripts without that guard. Only builds with debug assertions
//! look at it: a release holds nothing of this.

/// A guard: its name, the file of the script that holds it, what it is there, and what stands in its place.
type Guard = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const GUARDS: [Guard; 4] = [
    (
        "fence",
        "commit",
        &[
            ("if not own[1] or epoch ~= ARGV[1] then", "if not own[1] then"),
            ("if seq == ARGV[2] and seq ~= '0' then", "if false then"),
            ("if tonumber(seq) + 1 ~= tonumber(ARGV[2]) then", "if false then"),
        ],
    ),
    // Who is not told that it owns nothing any more goes on.
    ("fence", "renew", &[("if own[1] ~= ARGV[1] or not own[2] then", "if not own[2] then")]),
    ("claim", "claim", &[("answer = holder == token and 1 or 'c' .. session", "answer = 1")]),
    ("dedup", "commit", &[("against(first, absent, 0, conflicts)", "")]),
];

/// The source of the script in `file` as this process is to load it.
pub(super) fn source(file: &str, source: String) -> String {
    match std::env::var("MILLRACE_UNGUARD") {
        Ok(removed) => without(&removed, file, source),
        Err(_) => source,
    }
}

fn without(removed: &str, file: &str, source: String) -> String {
    let guards = GUARDS.iter().filter(|(name, holder, _)| *name == removed && *holder == file);
    let changes = guards.flat_map(|(_, _, changes)| changes.iter());
    changes.fold(source, |source, (guard, nothing)| source.replace(guard, nothing))
}

#[cfg(test)]
mod tests {
    use super::super::script::Script;
    use super::*;

    #[test]
    fn every_guard_is_where_it_is_taken_from() {
        for (name, file, changes) in GUARDS {
            let holders: Vec<_> = Script::ALL.iter().filter(|script| script.file() == file).collect();
            assert!(!holders.is_empty(), "{file}");
            for script in holders {
                for (guard, _) in changes {
                    assert_eq!(script.source().matches(guard).count(), 1, "{name} in {script:?}: {guard}");
                }
                assert_ne!(without(name, file, script.source()), script.source());
            }
        }
    }
}
