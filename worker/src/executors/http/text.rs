//! The text of an answer's body: in the charset that its type names, or else by its byte order mark, or else UTF-8.

use encoding_rs::{CoderResult, Encoding, UTF_8};

/// Decodes the text of `body`, at most `limit_bytes` of UTF-8, and whether that was all of it. What cannot be read is
/// replaced; of a body that was cut, a character that is not whole is left out.
pub(super) fn decode(body: &[u8], content_type: &str, cut: bool, limit_bytes: usize) -> (String, bool) {
    let named = charset(content_type).and_then(|label| Encoding::for_label(label.as_bytes()));
    let mut decoder = named.unwrap_or(UTF_8).new_decoder();
    let room = decoder.max_utf8_buffer_length(body.len()).unwrap_or(limit_bytes);
    let mut text = String::with_capacity(room);
    let (result, _, _) = decoder.decode_to_string(body, &mut text, !cut);
    let complete = !cut && result == CoderResult::InputEmpty && text.len() <= limit_bytes;
    text.truncate(text.floor_char_boundary(limit_bytes));
    text.shrink_to_fit();
    (text, complete)
}

/// The `charset` of a `content-type`.
fn charset(content_type: &str) -> Option<&str> {
    let (_, parameters) = content_type.split_once(';')?;
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &[u8], content_type: &str) -> String {
        let (text, complete) = decode(body, content_type, false, 100);
        assert!(complete);
        text
    }

    #[test]
    fn a_body_is_read_in_the_charset_that_is_named() {
        assert_eq!(text(b"\xb1\xa8\xb1\xed", "text/plain; charset=GBK"), "报表");
        assert_eq!(text(b"caf\xe9", "text/html;level=1;Charset=\"iso-8859-1\""), "café");
        assert_eq!(text("café".as_bytes(), "text/plain"), "café");
        assert_eq!(text(b"\xff\xfeh\0i\0", "application/json"), "hi");
        assert_eq!(text(b"\xef\xbb\xbf{}", "application/json"), "{}");
        assert_eq!(text(b"a\xffb", "text/plain; charset=unheard-of"), "a\u{fffd}b");
    }

    #[test]
    fn what_is_cut_ends_with_a_whole_character() {
        assert_eq!(decode(b"\xb1\xa8\xb1", "a/b; charset=gbk", true, 100), ("报".to_owned(), false));
        assert_eq!(decode("éé".as_bytes(), "", true, 100), ("éé".to_owned(), false));
        // More bytes as UTF-8 than it was.
        assert_eq!(decode(&[0xe9; 60], "a/b; charset=latin1", false, 101), ("é".repeat(50), false));
        assert_eq!(decode(&[0xe9; 50], "a/b; charset=latin1", false, 100), ("é".repeat(50), true));
    }
}
