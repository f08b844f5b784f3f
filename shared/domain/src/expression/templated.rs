//! JSON in whose texts there may be expressions.

use std::cell::Cell;
use std::convert::Infallible;

use serde_json::{Map, Number, Value};

use super::budget::{MAX_VALUE_BYTES, left_beside};
use super::{ExpressionError, Scope, Template, Use};
use crate::nesting::{MAX_RENDERED_NESTING, check_nesting};

/// JSON whose texts are [`Template`]s. Keys are never templates. It is kept small, since each step of each definition in
/// memory has one: a map of `serde_json` takes over 600 bytes for a single field.
#[derive(Debug, Clone, PartialEq)]
pub struct Templated(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    /// A text in which nothing is an expression.
    Text(Box<str>),
    Template(Template),
    List(Box<[Node]>),
    Map(Box<[(Box<str>, Node)]>),
}

impl Templated {
    /// Reads the texts of `value` as templates. It must not be nested deeper than a reader of JSON or YAML allows.
    ///
    /// # Errors
    /// For the first expression that [`Template::parse`] refuses.
    pub fn parse(value: Value) -> Result<Self, ExpressionError> {
        let text = |text: String| match text.contains("${{") {
            true => Template::parse(&text).map(Node::Template),
            false => Ok(Node::Text(text.into())),
        };
        Node::read(value, &text).map(Self)
    }

    /// JSON in which nothing is an expression, whatever its texts look like.
    pub fn literal(value: Value) -> Self {
        let Ok(node) = Node::read::<Infallible>(value, &|text| Ok(Node::Text(text.into())));
        Self(node)
    }

    /// Whether the value is the same in every scope.
    pub fn is_literal(&self) -> bool {
        self.0.is_literal()
    }

    /// The value itself, when it is the same in every scope.
    pub fn to_literal(&self) -> Option<Value> {
        if !self.is_literal() {
            return None;
        }
        // Nothing is rendered, so nothing can fail.
        self.0.render(&|_| Err(())).ok()
    }

    /// Whether the value is a map in which the field `key` is `false`.
    pub fn is_false(&self, key: &str) -> bool {
        matches!(&self.0, Node::Map(fields) if fields.iter().any(|(name, value)| &**name == key && *value == Node::Bool(false)))
    }

    /// The names that its expressions refer to.
    pub fn uses(&self) -> Vec<&Use> {
        let mut uses = Vec::new();
        self.0.collect(&mut uses);
        uses
    }

    /// Renders the value: a text that is one expression alone keeps the type of its value. What all expressions give is
    /// bounded as the value of one is, and so is how deep it is nested.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render(&self, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
        self.bounded(|template| template.render(scope))
    }

    /// Renders the value before there is a run: an expression that needs the run stays as it was written.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_ahead(&self, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
        self.bounded(|template| template.render_ahead(scope))
    }

    fn bounded(
        &self,
        render: impl Fn(&Template) -> Result<Value, ExpressionError>,
    ) -> Result<Value, ExpressionError> {
        let left = Cell::new(MAX_VALUE_BYTES);
        let value = match &self.0 {
            // It is bounded by itself.
            Node::Template(template) => render(template)?,
            node => node.render(&|template| {
                let value = render(template)?;
                let message =
                    || format!("the values are too large: expected at most {MAX_VALUE_BYTES} bytes of JSON");
                let rest =
                    left_beside(&value, left.get()).ok_or_else(|| ExpressionError::failed(message()))?;
                left.set(rest);
                Ok(value)
            })?,
        };
        check_nesting(&value, MAX_RENDERED_NESTING)
            .map_err(|error| ExpressionError::failed(format!("the value is {error}")))?;
        Ok(value)
    }
}

impl Node {
    fn read<E>(value: Value, text: &impl Fn(String) -> Result<Self, E>) -> Result<Self, E> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(written) => text(written)?,
            Value::Array(items) => {
                Self::List(items.into_iter().map(|item| Self::read(item, text)).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => Self::Map(
                fields
                    .into_iter()
                    .map(|(key, value)| Ok((key.into(), Self::read(value, text)?)))
                    .collect::<Result<_, E>>()?,
            ),
        })
    }

    fn is_literal(&self) -> bool {
        match self {
            Self::Template(_) => false,
            Self::List(items) => items.iter().all(Self::is_literal),
            Self::Map(fields) => fields.iter().all(|(_, value)| value.is_literal()),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => true,
        }
    }

    fn collect<'t>(&'t self, uses: &mut Vec<&'t Use>) {
        match self {
            Self::Template(template) => uses.extend(template.uses()),
            Self::List(items) => items.iter().for_each(|item| item.collect(uses)),
            Self::Map(fields) => fields.iter().for_each(|(_, value)| value.collect(uses)),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {}
        }
    }

    fn render<E>(&self, text: &impl Fn(&Template) -> Result<Value, E>) -> Result<Value, E> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(written) => Value::String(written.to_string()),
            Self::Template(template) => text(template)?,
            Self::List(items) => {
                Value::Array(items.iter().map(|item| item.render(text)).collect::<Result<_, _>>()?)
            }
            Self::Map(fields) => {
                let mut rendered = Map::new();
                for (key, value) in fields {
                    rendered.insert(key.to_string(), value.render(text)?);
                }
                Value::Object(rendered)
            }
        })
    }
}
