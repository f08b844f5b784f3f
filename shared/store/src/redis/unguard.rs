//! Guards that a test takes out of the scripts, to see that its auditor notices.
//!
//! `MILLRACE_UNGUARD=fence`, `claim` or `dedup` loads scripts without that guard. Only builds with debug assertions
//! look at it: a release holds nothing of this.

use super::script::Script;

/// What a guard is in scripts that hold it, and what stands in its place.
type Guard = (&'static str, &'static [Script], &'static [(&'static str, &'static str)]);

const GUARDS: [Guard; 4] = [
    (
        "fence",
        &[Script::Commit, Script::CommitCreating],
        &[
            ("if not own[1] or epoch ~= ARGV[1] then", "if not own[1] then"),
            ("if seq == ARGV[2] and seq ~= '0' then", "if false then"),
            ("if tonumber(seq) + 1 ~= tonumber(ARGV[2]) then", "if false then"),
        ],
    ),
    // Who is not told that it owns nothing any more goes on.
    ("fence", &[Script::Renew], &[("if own[1] ~= ARGV[1] or not own[2] then", "if not own[2] then")]),
    ("claim", &[Script::Claim], &[("answer = holder == token and 1 or 'c' .. session", "answer = 1")]),
    ("dedup", &[Script::Commit, Script::CommitCreating], &[("against(first, absent, 0, conflicts)", "")]),
];

/// The script as this process is to load it.
pub(super) fn source(script: Script, source: String) -> String {
    match std::env::var("MILLRACE_UNGUARD") {
        Ok(removed) => without(&removed, script, source),
        Err(_) => source,
    }
}

fn without(removed: &str, script: Script, source: String) -> String {
    let guards = GUARDS.iter().filter(|(name, scripts, _)| *name == removed && scripts.contains(&script));
    let changes = guards.flat_map(|(_, _, changes)| changes.iter());
    changes.fold(source, |source, (guard, nothing)| source.replace(guard, nothing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guard_is_where_it_is_taken_from() {
        for (name, scripts, changes) in GUARDS {
            for script in scripts {
                for (guard, _) in changes {
                    assert_eq!(script.source().matches(guard).count(), 1, "{name} in {script:?}: {guard}");
                }
                assert_ne!(without(name, *script, script.source()), script.source());
            }
        }
    }
}
