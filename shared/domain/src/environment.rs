//! The rules for what a user may put into the environment of a task. What else a task gets, and from where, is
//! the worker's business.

use serde_json::Value;

/// The longest `NAME=value` with the NUL that ends it, in bytes: what Linux hands to a new program as one string.
pub const MAX_VARIABLE_BYTES: usize = 128 * 1024;

const MAX_NAME_BYTES: usize = 256;

/// The error of a name or a value that cannot be in the environment of a task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EnvironmentError(String);

/// Checks that `name` can be set: `[A-Za-z_][A-Za-z0-9_]*`, none of Millrace's own, no proxy setting.
///
/// # Errors
/// A message that says which rule it breaks, and what to do.
pub fn check_name(name: &str) -> Result<(), EnvironmentError> {
    let bytes = name.as_bytes();
    let valid = bytes.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if !valid || bytes.len() > MAX_NAME_BYTES {
        let shown: String = name.chars().take(70).collect();
        return Err(EnvironmentError(format!(
            "environment variable {shown:?} must match [A-Za-z_][A-Za-z0-9_]*, at most {MAX_NAME_BYTES} long"
        )));
    }
    if name.starts_with("MILLRACE_") {
        return Err(EnvironmentError(format!(
            "environment variable {name} is reserved: names that begin with MILLRACE_ are set by the worker; use another prefix"
        )));
    }
    // Programs of many kinds send their traffic wherever such a variable points.
    if bytes.len() >= 6 && bytes[bytes.len() - 6..].eq_ignore_ascii_case(b"_proxy") {
        return Err(EnvironmentError(format!(
            "environment variable {name} is refused: *_proxy would redirect the task's traffic; set it on the worker and name it in --pass-env"
        )));
    }
    Ok(())
}

/// Checks that `value` can be set: no NUL, and with its name at most [`MAX_VARIABLE_BYTES`].
///
/// # Errors
/// A message that names the variable and the rule.
pub fn check_value(name: &str, value: &str) -> Result<(), EnvironmentError> {
    let most = MAX_VARIABLE_BYTES.saturating_sub(name.len() + 2);
    if value.len() > most {
        return Err(EnvironmentError(format!(
            "the value of {name} is {} bytes long: expected at most {most}; hand big data on in a file",
            value.len()
        )));
    }
    if value.as_bytes().contains(&0) {
        return Err(EnvironmentError(format!(
            "the value of {name} has a NUL byte, which no environment variable can hold"
        )));
    }
    Ok(())
}

/// The text of a JSON value in the environment: a text as it is, all else as compact JSON.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_accepted() {
        for name in ["A", "_", "LC_ALL", "path", "x1", "proxy", "MILLRACE"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_no_shell_can_read_are_refused() {
        for name in ["", "1A", "A-B", "A B", "A=B", "é", "A\0"] {
            assert!(check_name(name).unwrap_err().to_string().contains("must match"), "{name}");
        }
        assert!(check_name(&"A".repeat(300)).is_err());
    }

    #[test]
    fn reserved_names_and_proxies_are_refused_in_any_case() {
        assert!(check_name("MILLRACE_RUN_ID").unwrap_err().to_string().contains("reserved"));
        for name in ["http_proxy", "HTTPS_PROXY", "No_Proxy"] {
            assert!(check_name(name).unwrap_err().to_string().contains("_proxy"), "{name}");
        }
    }

    #[test]
    fn a_nul_byte_and_a_huge_value_are_refused_and_the_limit_itself_is_not() {
        assert!(check_value("A", "a\0b").unwrap_err().to_string().contains("NUL"));
        assert_eq!(check_value("A", &"x".repeat(MAX_VARIABLE_BYTES - 3)), Ok(()));
        let error = check_value("A", &"x".repeat(MAX_VARIABLE_BYTES - 2)).unwrap_err().to_string();
        assert!(error.contains("at most 131069"), "{error}");
    }

    #[test]
    fn text_stays_text_and_all_else_becomes_compact_json() {
        assert_eq!(text_of(&serde_json::json!("a b")), "a b");
        assert_eq!(text_of(&serde_json::json!({"a": [1, null]})), r#"{"a":[1,null]}"#);
    }
}
