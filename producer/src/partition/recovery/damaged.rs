//! What somebody has spoiled in the store is left out, with a word, and the rest goes on.

use millrace_domain::PartitionId;
use millrace_store::StoreError;

/// A partition whose keys somebody has spoiled does not keep the others from being served. `so` is what it means.
pub(crate) fn skip_if_damaged<T>(
    partition: PartitionId,
    answer: Result<T, StoreError>,
    so: &str,
) -> Result<Option<T>, StoreError> {
    match answer {
        Err(StoreError::Corrupt(why)) => {
            tracing::error!(%partition, why, "what is stored of it is damaged: {so}");
            Ok(None)
        }
        answer => answer.map(Some),
    }
}
