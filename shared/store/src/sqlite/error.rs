//! What SQLite's errors mean to a caller of the store.

use rusqlite::{Error, ErrorCode};

use crate::StoreError;

/// An error of a call on the open database at `place`.
pub(super) fn of_call(place: &str, error: &Error) -> StoreError {
    match error {
        Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull | ErrorCode::OutOfMemory | ErrorCode::TooBig => {
                StoreError::Full(format!("{place}: {error}; free some space"))
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => damaged(place, error),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::Configuration(format!(
                "{place} cannot be written: {error}; give this user write permission on it and its directory"
            )),
            _ => StoreError::Unavailable(place.to_owned(), error.to_string()),
        },
        _ => StoreError::Corrupt(format!("{place}: {error}")),
    }
}

/// An error of opening the database at `place`.
pub(super) fn of_opening(place: &str, error: &Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Configuration(format!(
            "{place} is in use by another process; stop that one, or use another directory with --data DIR"
        )),
        Some(ErrorCode::CannotOpen) => StoreError::Configuration(format!(
            "{place} cannot be opened: {error}; its directory must exist and be writable for this user"
        )),
        _ => of_call(place, error),
    }
}

fn damaged(place: &str, error: &Error) -> StoreError {
    StoreError::Corrupt(format!(
        "{place} is damaged or not a database: {error}; move it away to start with an empty one, or bring back a copy"
    ))
}
