//! Letters of a partition that was taken: those that may not have arrived are sent again.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain::{Epoch, PartitionId, Timestamp};
use millrace_store::{StoreError, StoredLetter};
use tokio::sync::mpsc::UnboundedSender;

use super::damaged::skip_if_damaged;
use crate::context::Context;
use crate::failpoint;
use crate::partition::dispatch::letters::{Hold, deliver};
use crate::partition::letter::Sent;
use crate::partition::mailbox::Input;

/// Letters that are read at once, at most.
const PAGE: usize = 500;

/// The consequence of damage to the letters of a partition, for the log.
const UNSENT: &str = "letters that had not arrived are lost";

/// How long to wait for a store that does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads letters that may not have arrived: those that were sent at `from` or later, after `after`. A partition of which
/// they are damaged has none.
pub(crate) async fn unconfirmed(
    context: &Context,
    partition: PartitionId,
    from: Timestamp,
    after: Option<&StoredLetter>,
) -> Result<Vec<StoredLetter>, StoreError> {
    if failpoint::is_removed("resend") {
        return Ok(Vec::new());
    }
    let read = context.store.letters(partition, from, after, PAGE).await;
    Ok(skip_if_damaged(partition, read, UNSENT)?.unwrap_or_default())
}

/// Sends letters again, beginning with those that were read, and page by page. The watermark is held back from now on, to
/// the first of them, until the last has arrived. Those of `epoch`, which is ours, are on their way already.
pub(crate) fn send_again(
    context: &Arc<Context>,
    inner: UnboundedSender<Input>,
    partition: PartitionId,
    epoch: Epoch,
    mut page: Vec<StoredLetter>,
) {
    let Some(first) = page.first().map(|stored| stored.letter.at) else { return };
    tracing::debug!(%partition, letters = page.len(), "sending letters again that may not have arrived");
    let hold = Hold::new(context, first, page.len());
    let context = Arc::clone(context);
    tokio::spawn(async move {
        while let Some(last) = page.last().cloned() {
            let is_last = page.len() < PAGE;
            let older = page.into_iter().filter(|stored| stored.epoch < epoch);
            let letters = older.map(|stored| Sent { from: partition, stored }).collect();
            if !deliver(&context, &inner, letters).await {
                return;
            }
            if is_last {
                break;
            }
            page = loop {
                match unconfirmed(&context, partition, first, Some(&last)).await {
                    Ok(page) => break page,
                    Err(error) => {
                        tracing::warn!(%partition, %error, "its letters cannot be read; trying again");
                    }
                }
                if context.shutdown.has_begun() {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            };
        }
        hold.release(&context);
    });
}
