//! The secret is wanted with which links are signed: it is made once, and never changes.

use millrace_domain::message::Reply;
use millrace_store::RowDelta;
use sha2::{Digest, Sha256};

use crate::link::{LINKS, SECRETS};
use crate::partition::turn::Turn;

/// Makes the secret, unless it is stored. Nobody is told it: whoever needs it reads it.
pub(crate) fn handle(turn: &mut Turn<'_>) -> Reply {
    if !turn.loaded.has_secret {
        let ambient = &turn.context.options.ambient;
        let random = [ambient.random_id(), ambient.random_id(), ambient.random_id()];
        let secret = random.iter().fold(Sha256::new(), |digest, id| digest.chain_update(id.as_bytes()));
        let secret: String = secret.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        turn.draft.change_row(None, RowDelta::put(SECRETS, LINKS, secret));
    }
    Reply::Many(Vec::new())
}
