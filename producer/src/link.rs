//! Links by which people act: the right to do one thing to one step, once, until some instant, in the name of one person. Whoever
//! has the link has the right. It says all of it itself, and is signed (HMAC-SHA256) with a secret of the cluster, which is made when the
//! first link is, and kept in a table of partition 0.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use millrace_domain::run::{Act, Deed};
use millrace_domain::{PartitionId, RunId, StepIndex, Timestamp, Unit};
use millrace_store::{Store, StoreError, Table};
use ring::hmac;
use serde::{Deserialize, Serialize};

/// The partition whose owner makes the secret, and keeps it.
pub(crate) const HOME: PartitionId = PartitionId(0);

/// The table of secrets of the cluster.
pub(crate) const SECRETS: Table = Table("secrets");

/// The key of the secret with which links are signed.
pub(crate) const LINKS: &str = "links";

/// The most characters of a link, without the address of the server.
const LONGEST: usize = 8 * 1024;

/// What stands before that which is signed, so that it can be nothing else.
const SIGNED: &[u8] = b"millrace link 1:";

/// The deed of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LinkDeed {
    /// What the step asks for is approved.
    Approve,
    /// It is rejected.
    Reject,
}

impl LinkDeed {
    /// What is done by it, as a button says it.
    pub(crate) fn as_button(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Reject => "Reject",
        }
    }

    fn deed(self) -> Deed {
        match self {
            Self::Approve => Deed::Approve,
            Self::Reject => Deed::Reject,
        }
    }
}

/// A link: what may be done by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    /// The id of the link, which no other has: what is done by it is done once.
    pub(crate) id: String,
    /// The run.
    pub(crate) run: RunId,
    /// The step.
    pub(crate) step: StepIndex,
    /// The item of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<u32>,
    /// The attempt that was the last one when the link was made.
    pub(crate) attempt: u32,
    /// What is done.
    pub(crate) deed: LinkDeed,
    /// The name of whoever does it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) by: String,
    /// Until when.
    pub(crate) until: Timestamp,
}

impl Link {
    /// The unit that it is about.
    pub(crate) fn unit(&self) -> Unit {
        Unit { step: self.step, item: self.item }
    }

    /// The act that is done by it, with a comment.
    pub(crate) fn act(&self, why: &str) -> Act {
        Act {
            id: format!("link {}", self.id),
            unit: self.unit(),
            attempt: self.attempt,
            deed: self.deed.deed(),
            by: self.by.clone(),
            why: why.to_owned(),
        }
    }

    /// The text of the link, signed.
    pub(crate) fn sealed(&self, secret: &str) -> String {
        let said = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default());
        let signature = hmac::sign(&key(secret), &signed(&said));
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Reads the text of a link. `None` where it is none that was signed with this secret: nothing of it is looked at then.
    pub(crate) fn open(text: &str, secret: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (said, signature) = text.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&key(secret), &signed(said), &signature).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(said).ok()?).ok()
    }
}

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

fn signed(said: &str) -> Vec<u8> {
    [SIGNED, said.as_bytes()].concat()
}

/// The secret with which links are signed, as it is stored; `None` where no link was ever made.
pub(crate) async fn secret(store: &dyn Store) -> Result<Option<String>, StoreError> {
    let rows = store.table_rows(HOME, SECRETS, &[LINKS.to_owned()]).await?;
    Ok(rows.into_iter().next().flatten())
}

#[cfg(test)]
mod tests {
    use millrace_domain::WorkflowId;

    use super::*;

    fn link() -> Link {
        Link {
            id: "7".into(),
            run: RunId::of_key(&WorkflowId::adhoc(), "a run", 8),
            step: StepIndex(3),
            item: None,
            attempt: 0,
            deed: LinkDeed::Approve,
            by: "ann".into(),
            until: Timestamp::from_millis(1_772_407_800_000),
        }
    }

    #[test]
    fn a_link_is_read_as_it_was_made_and_with_the_same_secret_alone() {
        let text = link().sealed("a secret");
        assert_eq!(Link::open(&text, "a secret"), Some(link()));
        assert_eq!(Link::open(&text, "another"), None);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{text}");
    }

    #[test]
    fn a_link_of_which_anything_was_changed_is_none() {
        let text = link().sealed("a secret");
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut changed = text.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(Link::open(&changed, "a secret"), None, "{changed}");
        }
        let (said, signature) = text.split_once('.').unwrap();
        let of_another = Link { deed: LinkDeed::Reject, ..link() }.sealed("another");
        let forged = format!("{}.{signature}", of_another.split_once('.').unwrap().0);
        let longer = format!("{text}{}", "A".repeat(LONGEST));
        for bad in
            ["", ".", said, &format!("{said}."), &format!("{text}="), &format!("{text}.x"), &forged, &longer]
        {
            assert_eq!(Link::open(bad, "a secret"), None, "{bad}");
        }
    }
}
