//! Redis's words into the contract's: what may pass, what is full, what is wrong for good.

use redis::{ErrorKind, RedisError, ServerError};

use crate::StoreError;

/// An error in the answer to a command.
pub(super) fn refused(shown: &str, error: &ServerError) -> StoreError {
    by_code(shown, error.code(), error.details().unwrap_or_default())
}

/// An error of the connection.
pub(super) fn broken(shown: &str, error: &RedisError) -> StoreError {
    if error.kind() == ErrorKind::AuthenticationFailed {
        return StoreError::Configuration(format!(
            "the store at {shown} does not let us in: give a user and a password it knows in the address"
        ));
    }
    match error.code() {
        Some(code) => by_code(shown, code, error.detail().unwrap_or_default()),
        None if error.is_timeout() => {
            StoreError::Unavailable(shown.to_owned(), "no answer within the bound".to_owned())
        }
        None => StoreError::Unavailable(shown.to_owned(), error.to_string()),
    }
}

/// Whether the server is one that we should not be connected to (any more), such as a replica after a failover.
pub(super) fn wants_reconnection(error: &ServerError) -> bool {
    matches!(error.code(), "READONLY" | "MASTERDOWN" | "NOAUTH")
}

fn by_code(shown: &str, code: &str, detail: &str) -> StoreError {
    match code {
        "OOM" => StoreError::Full(format!(
            "{shown} answers {detail}: raise maxmemory, or wait for ended runs to expire"
        )),
        "BUSY" | "LOADING" | "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "MISCONF"
        | "NOREPLICAS" | "NOSCRIPT" => StoreError::Unavailable(shown.to_owned(), format!("{code} {detail}")),
        "NOAUTH" | "WRONGPASS" | "NOPERM" => StoreError::Configuration(format!(
            "the store at {shown} refuses ({code} {detail}): give a user and a password in the address that \
             may use all keys of the prefix, and INFO, SCRIPT and EVALSHA"
        )),
        _ => StoreError::Corrupt(format!("{code} {detail}")),
    }
}
