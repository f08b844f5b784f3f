//! A letter that a commit has sent, and the message that brings it to another producer.

use millrace_broker::{Outgoing, Queue, Route};
use millrace_domain::message::VERSION;
use millrace_domain::{Epoch, PartitionId, RunId, Seq};
use millrace_store::{Commit, Letter, StoredLetter};
use serde::Serialize;
use serde_json::value::RawValue;

/// A letter that a commit has sent.
pub(crate) struct Sent {
    /// The partition that sent it.
    pub(crate) from: PartitionId,
    pub(crate) stored: StoredLetter,
}

/// A letter as it travels, which is an `InboxBody::Letter`. What it says is passed on as it is stored: it may be of a newer
/// program, which its destination understands.
#[derive(Serialize)]
struct Envelope<'a> {
    v: u8,
    kind: &'static str,
    from: PartitionId,
    epoch: Epoch,
    seq: Seq,
    n: u32,
    body: &'a RawValue,
}

impl Sent {
    /// The letters of a commit that holds but for these runs.
    pub(crate) fn by(commit: &Commit, duplicates: &[RunId]) -> Vec<Self> {
        let Commit { partition, epoch, seq, .. } = *commit;
        let sent = |letter: &Letter| Self {
            from: partition,
            stored: StoredLetter { epoch, seq, letter: letter.clone() },
        };
        commit.letters_without(duplicates).map(sent).collect()
    }

    /// The message that brings the letter to the owner of its destination; `None` when it is not even JSON.
    pub(crate) fn message(&self) -> Option<Outgoing> {
        let StoredLetter { epoch, seq, letter } = &self.stored;
        let envelope = Envelope {
            v: VERSION,
            kind: "letter",
            from: self.from,
            epoch: *epoch,
            seq: *seq,
            n: letter.n,
            body: serde_json::from_str(&letter.body).ok()?,
        };
        let payload = serde_json::to_vec(&envelope).ok()?;
        Some(Outgoing::new(Route::Queue(Queue::Inbox(letter.to.0)), payload))
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::Timestamp;
    use millrace_domain::message::{Inbox, InboxBody};

    use super::*;

    fn sent(body: &str) -> Sent {
        let letter = Letter { n: 3, at: Timestamp::default(), to: PartitionId(5), body: body.to_owned() };
        Sent { from: PartitionId(2), stored: StoredLetter { epoch: Epoch(7), seq: Seq(9), letter } }
    }

    #[test]
    fn the_message_of_a_letter_is_the_body_of_an_inbox_and_says_what_the_letter_does() {
        let body =
            InboxBody::Cancel { run: RunId::new(uuid::Uuid::nil(), PartitionId(5)), reason: "why".into() };
        let message = sent(&serde_json::to_string(&body).unwrap()).message().unwrap();
        assert_eq!(message.route, Route::Queue(Queue::Inbox(5)));
        let letter = InboxBody::Letter {
            from: PartitionId(2),
            epoch: Epoch(7),
            seq: Seq(9),
            n: 3,
            body: Box::new(body),
        };
        assert_eq!(serde_json::from_slice::<Inbox>(&message.payload).unwrap(), Inbox::new(letter.clone()));
        assert_eq!(message.payload, serde_json::to_vec(&Inbox::new(letter)).unwrap());
    }

    #[test]
    fn what_a_newer_program_has_a_letter_say_is_passed_on_as_it_is() {
        let body = r#"{"kind":"of_later","number":123456789012345678901234567890.50}"#;
        let message = sent(body).message().unwrap();
        let text = String::from_utf8(message.payload.to_vec()).unwrap();
        assert!(text.ends_with(&format!("\"body\":{body}}}")), "{text}");
        assert!(sent("no JSON").message().is_none());
    }
}
