//! A key that occurs twice in one object of a JSON text. Whoever reads such a text takes the last value without a word.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A key that occurs twice in one object, and the lines in which its values begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repeated {
    pub(super) key: String,
    pub(super) lines: (usize, usize),
}

/// A key that occurs twice in an object of `json`, which is known to be JSON and not too deep.
pub(super) fn repeated_key(json: &[u8]) -> Option<Repeated> {
    let json = str::from_utf8(json).ok()?;
    let place = |value: &str| value.as_ptr().addr().saturating_sub(json.as_ptr().addr());
    let line = |value: &str| 1 + json.bytes().take(place(value)).filter(|byte| *byte == b'\n').count();
    let mut open: Vec<&str> = vec![json.trim()];
    while let Some(value) = open.pop() {
        match value.as_bytes().first() {
            Some(b'{') => {
                let mut seen = HashMap::new();
                for (key, value) in serde_json::from_str::<Entries<'_>>(value).ok()?.0 {
                    if let Some(first) = seen.insert(key.clone(), value) {
                        return Some(Repeated { key, lines: (line(first), line(value)) });
                    }
                    open.push(value);
                }
            }
            Some(b'[') => {
                open.extend(
                    serde_json::from_str::<Vec<&RawValue>>(value).ok()?.into_iter().map(RawValue::get),
                );
            }
            _ => {}
        }
    }
    None
}

/// All entries of an object, in order, each value as it is written.
struct Entries<'j>(Vec<(String, &'j str)>);

impl<'j> Deserialize<'j> for Entries<'j> {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'j> Visitor<'j> for EntriesVisitor {
            type Value = Entries<'j>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'j RawValue>()? {
                    entries.push((key, value.get()));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}
