//! The documents of a file as trees in which every value knows its line and column. YAML, and JSON since that is
//! YAML's flow style; no aliases, anchors, tags or directives, so a tree is never larger than its text. A tree is kept
//! small, in boxes that have no room to grow: a definition may have 100,000 steps.

mod json;
mod open_map;
mod yaml;

use super::checker::Checker;
use super::problem::Position;

/// A node of the tree: a value and where it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) content: Content,
}

/// The content of a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// A scalar: a text, a number, anything that is written as one word or text.
    Scalar {
        text: Box<str>,
        /// Whether it is neither quoted nor a block: what YAML would guess a type for.
        plain: bool,
    },
    List(Box<[Node]>),
    Map(Box<[(Key, Node)]>),
    /// A value that was refused already: nothing more is to be said about it.
    Refused,
}

/// A key of a map and where it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) at: Position,
    pub(super) text: Box<str>,
}

impl Node {
    /// The value of a field of a map.
    pub(super) fn get(&self, field: &str) -> Option<&Self> {
        let Content::Map(entries) = &self.content else { return None };
        entries.iter().find(|(key, _)| *key.text == *field).map(|(_, node)| node)
    }

    /// Takes the value of a field of a map out of it: what is left there counts as refused.
    pub(super) fn take(&mut self, field: &str) -> Option<Self> {
        let Content::Map(entries) = &mut self.content else { return None };
        let (_, node) = entries.iter_mut().find(|(key, _)| *key.text == *field)?;
        let left = Self { at: node.at, content: Content::Refused };
        Some(std::mem::replace(node, left))
    }

    /// Whether nothing stands where a value should.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if text.is_empty())
    }

    /// The scalar, when it is not quoted.
    pub(super) fn plain(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, plain: true } => Some(text),
            _ => None,
        }
    }

    /// The node in words, for a message.
    pub(super) fn describe(&self) -> String {
        match &self.content {
            Content::Scalar { text, .. } if text.chars().count() <= 40 => {
                format!("`{}`", text.escape_debug())
            }
            Content::Scalar { .. } => "a long text".to_owned(),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
            Content::Refused => "nothing".to_owned(),
        }
    }
}

/// A document, and its own part of the source.
pub(super) struct Document<'s> {
    pub(super) root: Node,
    pub(super) source: &'s str,
}

/// Reads the documents of `source` that are not empty. What YAML forbids goes to `checker`; the documents before a
/// syntax error are still answered.
pub(super) fn read<'s>(source: &'s str, checker: &mut Checker) -> Vec<Document<'s>> {
    match json::read(source, checker) {
        Some(root) => vec![Document { root, source }],
        None => yaml::read(source, checker),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        let mut checker = Checker::default();
        let documents = read(source, &mut checker).into_iter().map(|d| d.source.to_owned()).collect();
        assert!(checker.is_clean(), "{}", checker.into_problems("f"));
        documents
    }

    #[test]
    fn each_document_keeps_its_own_source_and_reads_again_to_the_same_tree() {
        for source in [
            "a: 1\n---\nb: é\n---\nc: 3\n",
            "# über\n---\na: 1\n...\n---\nb: 2\n...\n",
            "a: |\n  x\n  ---y\n---\n\"é\": [1]\n--- {c: 1}\n",
            "{\"a\": 1}\n---\n{\"b\": 2}",
        ] {
            let mut checker = Checker::default();
            let whole: Vec<Node> = read(source, &mut checker).into_iter().map(|d| d.root).collect();
            let parts = texts(source);
            assert_eq!(parts.concat(), source);
            for (root, part) in whole.iter().zip(&parts) {
                let again = read(part, &mut checker);
                assert_eq!(again.len(), 1, "{part:?}");
                assert_eq!(strip(&again[0].root), strip(root), "{part:?}");
            }
        }
    }

    /// A tree without its positions.
    fn strip(node: &Node) -> String {
        match &node.content {
            Content::Scalar { text, plain } => format!("{text:?}{plain}"),
            Content::List(items) => format!("[{}]", items.iter().map(strip).collect::<Vec<_>>().join(",")),
            Content::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(k, v)| format!("{}:{}", k.text, strip(v))).collect();
                format!("{{{}}}", entries.join(","))
            }
            Content::Refused => "refused".to_owned(),
        }
    }

    #[test]
    fn empty_documents_are_passed_over() {
        assert_eq!(texts(""), [""; 0]);
        assert_eq!(texts("---\n---\n# only this\n"), [""; 0]);
        assert_eq!(texts("---\na: 1\n---\n").len(), 1);
    }

    #[test]
    fn json_is_read_with_tabs_and_escapes() {
        let mut checker = Checker::default();
        let source = "{\n\t\"a\":\"x\\/\\u00e9\\n\",\n\t\"b\":[1,true,null]\n}\n";
        let documents = read(source, &mut checker);
        assert!(checker.is_clean(), "{}", checker.into_problems("f"));
        assert_eq!(strip(&documents[0].root), "{a:\"x/é\\n\"false,b:[\"1\"true,\"true\"true,\"null\"true]}");
    }
}
