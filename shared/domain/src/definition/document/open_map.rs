//! A map that is being read: each key once.

use std::collections::HashSet;

use super::node::{Content, Key, Node};
use crate::definition::checker::Checker;

/// The greatest number of keys that are looked through one by one: up to it, that is faster than hashing.
const FEW_KEYS: usize = 12;

/// A key that is given a second time.
pub(super) struct Repeated(Key);

impl Repeated {
    pub(super) fn report(self, checker: &mut Checker) {
        let message = format!("`{}` is given twice: expected each key once", self.0.text);
        checker.problem(self.0.at, "duplicate-key", message, None);
    }
}

/// A map that has not ended yet.
#[derive(Default)]
pub(super) struct OpenMap {
    entries: Vec<(Key, Node)>,
    /// The keys, once they are more than a few.
    seen: HashSet<Box<str>>,
}

impl OpenMap {
    /// Adds an entry. Answers its key instead when that is there already; an empty key was refused before.
    pub(super) fn add(&mut self, key: Key, value: Node) -> Result<(), Repeated> {
        let repeated = if self.entries.len() < FEW_KEYS {
            self.entries.iter().any(|(earlier, _)| earlier.text == key.text)
        } else {
            if self.seen.is_empty() {
                self.seen.extend(self.entries.iter().map(|(earlier, _)| earlier.text.clone()));
            }
            !self.seen.insert(key.text.clone())
        };
        if repeated && !key.text.is_empty() {
            return Err(Repeated(key));
        }
        self.entries.push((key, value));
        Ok(())
    }

    /// The content of the map, now that it ends.
    pub(super) fn end(self) -> Content {
        Content::Map(self.entries.into())
    }
}
