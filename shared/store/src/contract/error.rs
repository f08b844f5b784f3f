//! What can go wrong with a store.

/// An error of a store. All but [`StoreError::Unsafe`] and [`StoreError::Configuration`] may pass: try again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store is not reachable, or did not answer within the bound. A write may or may not have happened.
    #[error("the store at {0} does not answer: {1}")]
    Unavailable(String, String),
    /// The memory of the store is full (`noeviction`): what adds data is refused until some is freed.
    #[error("the store is full: {0}")]
    Full(String),
    /// The store would lose data.
    #[error("{0}")]
    Unsafe(String),
    /// The address or the settings are wrong.
    #[error("{0}")]
    Configuration(String),
    /// What is stored is not what was written, or a script failed.
    #[error("the store answered what was not expected: {0}")]
    Corrupt(String),
}
