//! The one thing in which JSON is not YAML: it may write a character past U+FFFF as two `\\u` escapes, as many
//! clients do.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// The source with such pairs joined, when it is JSON and has any.
pub(super) fn joined(source: &str) -> Cow<'_, str> {
    let suspect = |at: usize| matches!(source.as_bytes().get(at + 2), Some(b'd' | b'D'));
    let any = source.match_indices("\\u").any(|(at, _)| suspect(at));
    if !any || serde_json::from_str::<IgnoredAny>(source).is_err() {
        return Cow::Borrowed(source);
    }
    let mut joined = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find('\\') {
        joined.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(character) = pair(rest) {
            joined.push(character);
            rest = &rest[12..];
        } else {
            // JSON was checked above: a backslash and what it escapes are ASCII.
            let (escape, after) = rest.split_at(2.min(rest.len()));
            joined.push_str(escape);
            rest = after;
        }
    }
    joined.push_str(rest);
    Cow::Owned(joined)
}

/// The character of the two escapes with which `text` begins.
fn pair(text: &str) -> Option<char> {
    let unit = |at: usize| {
        let escape = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(escape, 16).ok()
    };
    let units = [unit(0)?, unit(6)?];
    let mut characters = char::decode_utf16(units);
    let first = characters.next()?.ok()?;
    characters.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn pairs_are_joined_and_all_else_is_kept() {
        let source = r#"{"a": "\ud83d\uDE00 \u00e9 \n é", "b": "\\ud83d\\ude00", "c": "\\\ud83d\ude00"}"#;
        let expected = r#"{"a": "😀 \u00e9 \n é", "b": "\\ud83d\\ude00", "c": "\\😀"}"#;
        assert_eq!(joined(source), expected);
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&joined(source)), read(source));
    }

    #[test]
    fn what_is_no_json_is_left_alone() {
        let source = r"run: printf '\ud83d\ude00'";
        assert_eq!(joined(source), source);
    }
}
