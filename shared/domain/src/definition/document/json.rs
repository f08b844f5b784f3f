//! Trees out of JSON. The reader of YAML would read it too, but it holds all tokens of a text in braces at once, over 100
//! times as many bytes as the text has.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::node::{Content, Key, Node};
use super::open_map::{OpenMap, Repeated};
use crate::definition::checker::Checker;
use crate::definition::problem::Position;
use crate::definition::syntax::MAX_DEPTH;

/// Reads a source that is one object of JSON. Any other is left to the reader of YAML, which says what is wrong with it
/// if it is not YAML either.
pub(super) fn read(source: &str, checker: &mut Checker) -> Option<Node> {
    if !source.trim_ascii_start().starts_with('{') {
        return None;
    }
    let whole: &RawValue = serde_json::from_str(source).ok()?;
    let mut reader = Reader { source, offset: 0, at: Position::START, repeated: Vec::new() };
    let root = reader.node(whole.get(), 0)?;
    reader.repeated.into_iter().for_each(|repeated| repeated.report(checker));
    Some(root)
}

/// A reader of parts of the source, in their order. Each part is a value, and is known to be well-formed.
struct Reader<'s> {
    source: &'s str,
    /// How far positions have been counted, in bytes, and the position there.
    offset: usize,
    at: Position,
    /// The keys that are given a second time: reported once the whole source is known to be for this reader.
    repeated: Vec<Repeated>,
}

impl<'s> Reader<'s> {
    /// The tree of the value that `raw` is; `None` for what only the reader of YAML reports, such as half a surrogate pair.
    fn node(&mut self, raw: &'s str, depth: usize) -> Option<Node> {
        let start = raw.as_ptr().addr() - self.source.as_ptr().addr();
        let at = self.position(start);
        let content = match raw.as_bytes().first()? {
            b'{' | b'[' if depth >= MAX_DEPTH => return None,
            b'{' => self.map(raw, start, depth)?,
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
                let items = items.into_iter().map(|item| self.node(item.get(), depth + 1));
                Content::List(items.collect::<Option<_>>()?)
            }
            b'"' => Content::Scalar { text: serde_json::from_str(raw).ok()?, plain: false },
            _ => Content::Scalar { text: raw.into(), plain: true },
        };
        Some(Node { at, content })
    }

    fn map(&mut self, raw: &'s str, start: usize, depth: usize) -> Option<Content> {
        let Entries(entries) = serde_json::from_str(raw).ok()?;
        let mut map = OpenMap::default();
        // The end of what was read last: between it and the next key, there is no other quote.
        let mut end = start;
        for (key, value) in entries {
            let quote = end + self.source[end..].find('"')?;
            let key = Key { at: self.position(quote), text: key };
            let value = value.get();
            end = value.as_ptr().addr() - self.source.as_ptr().addr() + value.len();
            let value = self.node(value, depth + 1)?;
            self.repeated.extend(map.add(key, value).err());
        }
        Some(map.end())
    }

    /// The position of a byte of the source, which is not before the one that was asked for last.
    fn position(&mut self, offset: usize) -> Position {
        let mut chars = self.source[self.offset..offset].chars().peekable();
        while let Some(char) = chars.next() {
            if char == '\n' || (char == '\r' && chars.peek() != Some(&'\n')) {
                self.at = Position { line: self.at.line + 1, column: 1 };
            } else {
                self.at.column += 1;
            }
        }
        self.offset = offset;
        self.at
    }
}

/// The entries of an object, in their order, those with the same key too.
struct Entries<'s>(Vec<(Box<str>, &'s RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::definition::document::yaml;

    /// JSON with spaces, line ends and escapes in it, as its text.
    fn any_json() -> impl Strategy<Value = String> {
        let text = proptest::collection::vec(
            prop_oneof![
                Just("a".to_owned()),
                Just("é😀".to_owned()),
                Just("\\n".to_owned()),
                Just("\\\"".to_owned()),
                Just("\\u00e9".to_owned()),
                Just(": ".to_owned()),
                Just(", ".to_owned()),
                Just("# {[".to_owned()),
                Just("& * ! | > %".to_owned()),
            ],
            0..4,
        )
        .prop_map(|parts| format!("\"{}\"", parts.concat()));
        let word = prop_oneof![Just("true"), Just("null"), Just("-1.5e3"), Just("0")].prop_map(str::to_owned);
        let space = || prop_oneof![4 => Just(""), 2 => Just(" "), 1 => Just("\n  "), 1 => Just("\r\n\t")];
        let value = prop_oneof![text.clone(), word].prop_recursive(4, 40, 5, move |inner| {
            let item = (space(), inner, space())
                .prop_map(|(before, value, after)| format!("{before}{value}{after}"));
            let entry = (space(), text.clone(), space(), item.clone())
                .prop_map(|(before, key, between, value)| format!("{before}{key}{between}:{value}"));
            prop_oneof![
                proptest::collection::vec(item, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
                proptest::collection::vec(entry, 0..5)
                    .prop_map(|entries| format!("{{{}}}", entries.join(","))),
            ]
        });
        proptest::collection::vec(value, 0..4).prop_map(|values| {
            let entries: Vec<_> =
                values.iter().enumerate().map(|(at, value)| format!("\n\"key{at}\": {value}")).collect();
            format!("{{{}}}\n", entries.join(","))
        })
    }

    proptest! {
        #[test]
        fn json_reads_to_the_same_tree_as_by_the_reader_of_yaml(source in any_json()) {
            let (mut own, mut other) = (Checker::default(), Checker::default());
            let root = read(&source, &mut own);
            let expected = yaml::read(&source, &mut other).into_iter().next().map(|document| document.root);
            prop_assert_eq!(root, expected);
            prop_assert_eq!(own.into_problems("f").0, other.into_problems("f").0);
        }
    }

    #[test]
    fn what_is_not_one_object_of_json_is_left_to_the_reader_of_yaml() {
        for source in
            ["", "a: 1", "[1]", "{a: 1}", "{\"a\": 1,}", "{\"a\": 1}\n---\n{}", "{\"a\": \"\\ud800\"}"]
        {
            assert_eq!(read(source, &mut Checker::default()), None, "{source}");
        }
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert_eq!(read(&deep, &mut Checker::default()), None);
    }
}
