//! Byte order marks, as editors on Windows write them: YAML lets one stand before every document of a stream, and
//! files that were put together have them there.

use std::borrow::Cow;

/// The byte order mark.
const MARK: char = '\u{feff}';

/// `source` without the marks before its documents. A mark within a document stays, and is a mistake there.
pub(super) fn stripped(source: &str) -> Cow<'_, str> {
    if !source.contains(MARK) {
        return Cow::Borrowed(source);
    }
    let mut text = String::with_capacity(source.len());
    // Nothing of a document has been seen yet.
    let mut before = true;
    for line in source.split_inclusive('\n') {
        let bare = line.trim_start_matches(MARK);
        let line = if before || bare.starts_with("---") || bare.starts_with('%') { bare } else { line };
        text.push_str(line);
        let divides = line.strip_prefix("---").or_else(|| line.strip_prefix("..."));
        let rest = divides.unwrap_or(line).trim();
        let empty = rest.is_empty() || rest.starts_with('#') || line.starts_with('%');
        before = empty && (before || divides.is_some());
    }
    Cow::Owned(text)
}

/// The encoding of a file that is no UTF-8, by the bytes with which it begins.
pub(super) fn foreign_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        // Without a mark: every other byte of plain ASCII is 0.
        [0, first, 0, second, ..] | [first, 0, second, 0, ..] if *first != 0 && *second != 0 => {
            Some("UTF-16")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_before_documents_go_and_others_stay() {
        for (source, expected) in [
            ("\u{feff}a: 1\n", "a: 1\n"),
            ("a: 1\n\u{feff}---\nb: 2\n", "a: 1\n---\nb: 2\n"),
            ("a: 1\n---\n\u{feff}b: 2\n", "a: 1\n---\nb: 2\n"),
            ("a: 1\n--- # next\n\n# more\n\u{feff}b: 2\n", "a: 1\n--- # next\n\n# more\nb: 2\n"),
            ("a: 1\r\n...\r\n\u{feff}---\r\nb: 2\r\n", "a: 1\r\n...\r\n---\r\nb: 2\r\n"),
            ("\u{feff}\u{feff}{\"a\": 1}", "{\"a\": 1}"),
            ("a: 1\n\u{feff}b: 2\n", "a: 1\n\u{feff}b: 2\n"),
            ("a: |\n  \u{feff}--- x\n", "a: |\n  \u{feff}--- x\n"),
        ] {
            assert_eq!(stripped(source), expected);
        }
        assert!(matches!(stripped("a: 1"), Cow::Borrowed(_)));
    }

    #[test]
    fn wide_encodings_are_known_with_and_without_a_mark() {
        assert_eq!(foreign_encoding(b"\xff\xfen\0a\0"), Some("UTF-16"));
        assert_eq!(foreign_encoding(b"\xfe\xff\0n\0a"), Some("UTF-16"));
        assert_eq!(foreign_encoding(b"n\0a\0m\0"), Some("UTF-16"));
        assert_eq!(foreign_encoding(b"\0n\0a\0m"), Some("UTF-16"));
        assert_eq!(foreign_encoding(b"\xff\xfe\0\0n\0\0\0"), Some("UTF-32"));
        assert_eq!(foreign_encoding(b"name: w"), None);
        assert_eq!(foreign_encoding(b""), None);
    }
}
