//! A document as a tree: its nodes, and where they are.

use crate::definition::problem::Position;

/// A node of the tree: a value and where it is.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::definition) struct Node {
    pub(in crate::definition) at: Position,
    pub(in crate::definition) content: Content,
}

/// The content of a node.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::definition) enum Content {
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
pub(in crate::definition) struct Key {
    pub(in crate::definition) at: Position,
    pub(in crate::definition) text: Box<str>,
}

impl Node {
    /// The value of a field of a map.
    pub(in crate::definition) fn get(&self, field: &str) -> Option<&Self> {
        let Content::Map(entries) = &self.content else { return None };
        entries.iter().find(|(key, _)| *key.text == *field).map(|(_, node)| node)
    }

    /// Takes the value of a field of a map out of it: what is left there counts as refused.
    pub(in crate::definition) fn take(&mut self, field: &str) -> Option<Self> {
        let Content::Map(entries) = &mut self.content else { return None };
        let (_, node) = entries.iter_mut().find(|(key, _)| *key.text == *field)?;
        let left = Self { at: node.at, content: Content::Refused };
        Some(std::mem::replace(node, left))
    }

    /// Whether nothing stands where a value should.
    pub(in crate::definition) fn is_nothing(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if text.is_empty())
    }

    /// The scalar, when it is not quoted.
    pub(in crate::definition) fn plain(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, plain: true } => Some(text),
            _ => None,
        }
    }

    /// The node in words, for a message.
    pub(in crate::definition) fn describe(&self) -> String {
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
pub(in crate::definition) struct Document<'s> {
    pub(in crate::definition) root: Node,
    pub(in crate::definition) source: &'s str,
}
