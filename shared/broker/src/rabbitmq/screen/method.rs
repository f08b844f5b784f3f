//! Methods of the server that carry texts which a foreign client chose: where a message was published to, and what
//! the server says of it. A byte that is not UTF-8 becomes a question mark in its place, so that no length changes:
//! nothing here is told apart by these names.

use super::bytes::Bytes;

/// The method in which the server offers the settings of a connection.
const CONNECTION_TUNE: (u16, u16) = (10, 30);

/// The place of the texts in a method: the bytes before them, and the number of short strings.
fn texts(method: (u16, u16)) -> Option<(usize, usize)> {
    Some(match method {
        // connection.close, channel.close: a code, and a sentence that may quote a name, cut anywhere.
        (10, 50) | (20, 40) => (2, 1),
        // connection.blocked: the reason. basic.cancel: a consumer's tag.
        (10, 60) | (60, 30) => (0, 1),
        // basic.return: a code; a sentence, exchange and routing key.
        (60, 50) => (2, 3),
        _ => return None,
    })
}

/// Makes the texts of a method harmless.
pub(super) fn make_harmless(payload: &mut [u8]) {
    let mut bytes = Bytes(payload);
    let (Some(class), Some(method)) = (bytes.short(), bytes.short()) else { return };
    let (skipped, count) = match (class, method) {
        // basic.deliver: a consumer's tag, a number and a flag; exchange and routing key.
        (60, 60) => match bytes.short_string() {
            Some(tag) => (1 + tag.len() + 9, 2),
            None => return,
        },
        // basic.get-ok: a number and a flag; exchange and routing key.
        (60, 71) => (9, 2),
        other => match texts(other) {
            Some(found) => found,
            None => return,
        },
    };
    let mut at = 4 + skipped;
    for _ in 0..count {
        let Some(length) = payload.get(at).map(|length| usize::from(*length)) else { return };
        let Some(text) = payload.get_mut(at + 1..at + 1 + length) else { return };
        replace_invalid(text);
        at += 1 + length;
    }
}

/// The longest frame that the server offers, if this is where it does.
pub(super) fn offered_frame_max(payload: &[u8]) -> Option<u32> {
    let mut bytes = Bytes(payload);
    let method = (bytes.short()?, bytes.short()?);
    bytes.short()?;
    (method == CONNECTION_TUNE).then(|| bytes.long()).flatten()
}

fn replace_invalid(text: &mut [u8]) {
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&text[from..]) {
        let begin = from + error.valid_up_to();
        let end = error.error_len().map_or(text.len(), |length| begin + length);
        text[begin..end].fill(b'?');
        from = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliver(routing_key: &[u8]) -> Vec<u8> {
        let mut payload = vec![0, 60, 0, 60, 2, b'c', b't', 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, b'x'];
        payload.push(u8::try_from(routing_key.len()).unwrap());
        payload.extend(routing_key);
        payload
    }

    #[test]
    fn a_routing_key_that_is_not_utf8_becomes_one_of_the_same_length() {
        let mut payload = deliver(b"a\xff\xc3\xa9\xe2\x82");
        make_harmless(&mut payload);
        assert_eq!(payload, deliver("a?\u{e9}??".as_bytes()));
    }

    #[test]
    fn what_is_utf8_and_what_is_cut_short_stays_as_it_is() {
        let whole = deliver("tasks.\u{fc}".as_bytes());
        for length in 0..=whole.len() {
            let mut payload = whole[..length].to_vec();
            make_harmless(&mut payload);
            assert_eq!(payload, whole[..length]);
        }
    }

    #[test]
    fn the_offered_frame_is_read() {
        assert_eq!(offered_frame_max(&[0, 10, 0, 30, 7, 255, 0, 2, 0, 0, 0, 60]), Some(131_072));
        assert_eq!(offered_frame_max(&[0, 10, 0, 31, 7, 255, 0, 2, 0, 0, 0, 60]), None);
        assert_eq!(offered_frame_max(&[0, 10, 0, 30]), None);
    }
}
