//! The fields of a map: which there are, which are for later releases, and which are slips.

use super::super::checker::Checker;
use super::super::document::{Content, Key, Node};
use super::synonyms::{Synonyms, meant};

/// The schema of a kind of map: what it may hold.
pub(in crate::definition) struct Schema {
    /// The name of the map in messages: `a workflow`.
    pub(in crate::definition) what: &'static str,
    pub(in crate::definition) known: &'static [&'static str],
    /// The fields that are part of the language, and not of this release.
    pub(in crate::definition) later: &'static [&'static str],
    /// The words that people write here from habit, or for another kind of map.
    pub(super) synonyms: Synonyms,
}

/// The fields of one map.
#[derive(Clone, Copy)]
pub(super) struct Fields<'t>(&'t [(Key, Node)]);

impl<'t> Fields<'t> {
    /// The value of a field.
    pub(super) fn get(self, name: &str) -> Option<&'t Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// A field with its key, for the place where it stands.
    pub(super) fn entry(self, name: &str) -> Option<&'t (Key, Node)> {
        self.0.iter().find(|(key, _)| *key.text == *name)
    }
}

impl Schema {
    /// Reads the fields of `node`, after reporting those that should not be there.
    pub(super) fn read<'t>(&self, node: &'t Node, checker: &mut Checker) -> Option<Fields<'t>> {
        let Content::Map(entries) = &node.content else {
            if !matches!(node.content, Content::Refused) {
                let found = if node.is_nothing() { "nothing".to_owned() } else { node.describe() };
                let hint = format!("the fields of {} are {}", self.what, self.known.join(", "));
                let message = format!("expected {}, found {found}", self.what);
                checker.problem(node.at, "wrong-type", message, Some(hint));
            }
            return None;
        };
        for (key, _) in entries {
            let name = &*key.text;
            if name.is_empty() || self.known.contains(&name) {
                continue;
            }
            if self.later.contains(&name) {
                checker.problem(key.at, NOT_SUPPORTED, not_supported(name), None);
                continue;
            }
            let hint = match meant(self.synonyms, name) {
                Some(meant) => Some(meant.to_owned()),
                None => {
                    let all = self.known.iter().chain(self.later).copied();
                    let near = checker.did_you_mean(name, all);
                    near.or_else(|| {
                        Some(format!("the fields of {} are {}", self.what, self.known.join(", ")))
                    })
                }
            };
            let shown: String = name.chars().take(64).collect();
            checker.problem(key.at, "unknown-field", format!("unknown field `{shown}`"), hint);
        }
        Some(Fields(entries))
    }
}

/// The code of what is part of the language, and not of this release.
pub(super) const NOT_SUPPORTED: &str = "not-supported-yet";

/// The message for what is part of the language, and not of this release.
pub(super) fn not_supported(what: &str) -> String {
    format!("`{what}` is not supported yet")
}
