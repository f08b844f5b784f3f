//! Would this server lose data? `INFO` tells, on managed servers too, where `CONFIG` is refused.

use redis::Value;

use crate::{Fullness, StoreError};

/// Checks an answer to `INFO`: whether the server would lose data. The error says what to change.
pub(super) fn check(shown: &str, info: &str, allow_unsafe: bool) -> Result<(), StoreError> {
    let field =
        |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let unavailable = |why: &str| Err(StoreError::Unavailable(shown.to_owned(), why.to_owned()));

    let version = field("redis_version").unwrap_or("unknown");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 7) {
        return Err(StoreError::Configuration(format!(
            "the store at {shown} is redis {version}: 7.0 or newer is needed"
        )));
    }
    if field("loading") == Some("1") {
        return unavailable("it is still loading its data");
    }
    if field("role") == Some("slave") {
        return unavailable("it is a replica; a primary is needed");
    }
    if allow_unsafe {
        return Ok(());
    }

    let mut faults = Vec::new();
    let policy = field("maxmemory_policy").unwrap_or("unknown");
    if policy != "noeviction" && field("maxmemory") != Some("0") {
        faults.push(format!("drops keys when memory is full (maxmemory-policy {policy})"));
    }
    if field("aof_enabled") != Some("1") {
        faults.push("forgets what it confirmed when it restarts (no AOF)".to_owned());
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(StoreError::Unsafe(format!(
        "the store at {shown} would lose data: it {}; put the lines `appendonly yes` and `maxmemory-policy \
         noeviction` into its redis.conf and restart it, or, for trials, use it as it is with \
         MILLRACE_ALLOW_UNSAFE_STORE=true",
        faults.join(", and it ")
    )))
}

/// Reads an answer to `INFO memory`. What Redis does not count when it decides whether it is full is not counted.
pub(super) fn fullness(info: &str) -> Fullness {
    let number = |name: &str| -> u64 {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    };
    let used_bytes = number("used_memory").saturating_sub(number("mem_not_counted_for_evict"));
    let limit = number("maxmemory");
    Fullness { used_bytes, limit_bytes: (limit > 0).then_some(limit) }
}

/// The text of an answer to `INFO`.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.2.4\r\nloading:0\r\nrole:master\r\nmaxmemory:100\r\n\
                        maxmemory_policy:noeviction\r\naof_enabled:1\r\n";

    #[test]
    fn a_safe_server_passes() {
        assert!(check("redis://h", GOOD, false).is_ok());
    }

    #[test]
    fn both_faults_are_told_at_once_with_their_fixes() {
        let bad = GOOD.replace("noeviction", "allkeys-lru").replace("aof_enabled:1", "aof_enabled:0");
        let error = check("redis://h", &bad, false).unwrap_err().to_string();
        let lines = ["`appendonly yes`", "`maxmemory-policy noeviction`"];
        for part in
            ["allkeys-lru", "no AOF", "redis.conf", "MILLRACE_ALLOW_UNSAFE_STORE=true"].iter().chain(&lines)
        {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(check("redis://h", &bad, true).is_ok());
    }

    #[test]
    fn fullness_is_what_counts_of_what_there_may_be() {
        let info =
            "used_memory:950\r\nused_memory_rss:2000\r\nmaxmemory:1000\r\nmem_not_counted_for_evict:50\r\n";
        let full = fullness(info);
        assert_eq!(full, Fullness { used_bytes: 900, limit_bytes: Some(1_000) });
        assert_eq!(full.ratio(), Some(0.9));
        assert_eq!(fullness("used_memory:950\r\nmaxmemory:0\r\n").ratio(), None);
    }

    #[test]
    fn a_policy_that_never_acts_does_not_matter() {
        let bad = GOOD.replace("noeviction", "allkeys-lru").replace("maxmemory:100", "maxmemory:0");
        assert!(check("redis://h", &bad, false).is_ok());
    }

    #[test]
    fn an_old_server_is_refused_and_a_replica_is_waited_for() {
        let old = check("redis://h", &GOOD.replace("7.2.4", "6.2.14"), true).unwrap_err();
        assert!(matches!(&old, StoreError::Configuration(text) if text.contains("7.0")), "{old}");
        let replica = check("redis://h", &GOOD.replace("master", "slave"), true).unwrap_err();
        assert!(matches!(replica, StoreError::Unavailable(..)), "{replica}");
    }
}
