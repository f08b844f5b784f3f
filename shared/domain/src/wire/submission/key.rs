//! The idempotency key of a submission, wherever it is given: in the body, in a header, as the id of a message.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::SubmissionError;

/// The longest key, in bytes.
const MAX_BYTES: usize = 256;

/// A key that makes a submission happen once. What clients give is checked by [`IdempotencyKey::given`]; what is
/// stored is read as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads the key that a client gave. An empty one is none.
    ///
    /// # Errors
    /// When it is longer than 256 bytes, or holds anything but printable ASCII: what one client sends as `é` another
    /// sends as other bytes.
    pub fn given(text: &[u8]) -> Result<Option<Self>, SubmissionError> {
        if text.is_empty() {
            return Ok(None);
        }
        if text.len() > MAX_BYTES {
            let message = format!("a key of {} bytes: expected at most {MAX_BYTES}", text.len());
            return Err(SubmissionError::field("idempotency_key", message));
        }
        match std::str::from_utf8(text) {
            Ok(text) if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => {
                Ok(Some(Self(text.to_owned())))
            }
            _ => Err(SubmissionError::field(
                "idempotency_key",
                format!(
                    "the key \"{}\" is not printable ASCII: expected letters, digits and signs, such as a UUID",
                    text.escape_ascii()
                ),
            )),
        }
    }

    /// The key of a part of an array, which is known by the key of the array and its place.
    #[must_use]
    pub fn of_part(&self, index: usize) -> Self {
        Self(format!("{self}/{index}"))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::IdempotencyKey;
    use crate::Code;

    #[test]
    fn a_key_has_one_bound_and_an_empty_one_is_none() {
        let text = |length| "k".repeat(length);
        let key = |text: &str| IdempotencyKey::given(text.as_bytes());
        assert_eq!(key(""), Ok(None));
        assert_eq!(key("order 17/~").unwrap().unwrap().as_str(), "order 17/~");
        assert_eq!(key(&text(256)).unwrap().unwrap().of_part(3).as_str(), format!("{}/3", text(256)));
        assert!(key(&text(257)).unwrap_err().message.contains("at most 256"));
        for wrong in ["é", "订单", "a\nb", "a\0", "\u{7f}"] {
            let error = key(wrong).unwrap_err();
            assert!(error.code == Code::BadField && error.message.contains("printable ASCII"), "{error:?}");
        }
        assert!(IdempotencyKey::given(b"\xff").unwrap_err().message.contains("\\xff"));
    }
}
