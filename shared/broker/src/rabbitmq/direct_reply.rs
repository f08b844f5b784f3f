//! RabbitMQ's direct reply-to: names that stand for a consumer without a queue. The server makes them, of a process
//! and a key, and takes them apart without much care: one that a client has made up costs whoever publishes to it
//! the connection (`INTERNAL_ERROR`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const PREFIX: &str = "amq.rabbitmq.reply-to";
/// The beginnings of a process as Erlang writes one: version and kind; node; three numbers.
const PROCESS: [[u8; 2]; 2] = [[131, 88], [131, 103]];
const NODE_KINDS: [u8; 4] = [100, 115, 118, 119];
const NUMBERS_BYTES: [usize; 2] = [12, 9];

/// Whether the name stands for a consumer without a queue, or says so.
pub(super) fn is_direct(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Whether the name has the form of one that a server makes.
pub(super) fn is_well_formed(name: &str) -> bool {
    let parts = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('.')?.split_once('.'));
    let Some((process, key)) = parts else { return false };
    let is_key = !key.is_empty() && !key.contains('.') && key.is_ascii();
    is_key && STANDARD.decode(process).is_ok_and(|process| is_process(&process))
}

fn is_process(written: &[u8]) -> bool {
    let Some((start, [kind, rest @ ..])) = written.split_first_chunk::<2>() else { return false };
    let Some(form) = PROCESS.iter().position(|known| known == start) else { return false };
    // The length of the node's name takes one byte or two.
    let is_node = |width: usize| {
        let Some((length, node)) = rest.split_at_checked(width) else { return false };
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        length > 0
            && node.len() == length + NUMBERS_BYTES[form]
            && node[..length].iter().all(u8::is_ascii_graphic)
    };
    NODE_KINDS.contains(kind) && (is_node(1) || is_node(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_makes_is_told_from_what_a_client_makes_up() {
        let well =
            "amq.rabbitmq.reply-to.g1h3AA5yZXBseUA4NTE3NjUyMQAABJAAAAAAYxuFHw==.5NxmZtSJ3dIfQqZCLMqm9w==";
        assert!(is_direct(well) && is_well_formed(well));
        for other in [
            "amq.rabbitmq.reply-to",
            "amq.rabbitmq.reply-to.",
            "amq.rabbitmq.reply-to..",
            "amq.rabbitmq.reply-to.g1h3.x",
            "amq.rabbitmq.reply-to.g1h3.bm9uc2Vuc2U=",
            "amq.rabbitmq.reply-to.not base64.x",
            &well[..well.len() - 25],
            &well.replace("g1h3", "g1h0"),
            &well.replace("g1h3AA5", "g1h3AA1"),
        ] {
            assert!(is_direct(other) && !is_well_formed(other), "{other}");
        }
        assert!(!is_direct("mill.replies.1"));
    }
}
