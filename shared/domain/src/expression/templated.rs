//! JSON in whose texts there may be expressions.

use serde_json::{Map, Value};

use super::{ExpressionError, Scope, Template, Use};

/// JSON whose texts are [`Template`]s. Keys are never templates.
#[derive(Debug, Clone, PartialEq)]
pub struct Templated(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// A value in which nothing is an expression.
    Literal(Value),
    Text(Template),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Templated {
    /// Reads the texts of `value` as templates. It must not be nested deeper than a reader of JSON or YAML allows.
    ///
    /// # Errors
    /// For the first expression that [`Template::parse`] refuses.
    pub fn parse(value: Value) -> Result<Self, ExpressionError> {
        Node::parse(value).map(Self)
    }

    /// JSON in which nothing is an expression, whatever its texts look like.
    pub fn literal(value: Value) -> Self {
        Self(Node::Literal(value))
    }

    /// Whether the value is the same in every scope.
    pub fn is_literal(&self) -> bool {
        matches!(self.0, Node::Literal(_))
    }

    /// The value itself, when it is the same in every scope.
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.0 {
            Node::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The names that its expressions refer to.
    pub fn uses(&self) -> Vec<&Use> {
        let mut uses = Vec::new();
        self.0.collect(&mut uses);
        uses
    }

    /// Renders the value: a text that is one expression alone keeps the type of its value.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render(&self, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
        self.0.render(&|template| template.render(scope))
    }

    /// Renders the value before there is a run: an expression that needs the run stays as it was written.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_ahead(&self, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
        self.0.render(&|template| template.render_ahead(scope))
    }
}

impl Node {
    fn parse(value: Value) -> Result<Self, ExpressionError> {
        Ok(match value {
            Value::String(text) if text.contains("${{") => Self::Text(Template::parse(&text)?),
            Value::Array(items) if items.iter().any(has_expression) => {
                Self::List(items.into_iter().map(Self::parse).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) if fields.values().any(has_expression) => Self::Map(
                fields
                    .into_iter()
                    .map(|(key, value)| Ok((key, Self::parse(value)?)))
                    .collect::<Result<_, ExpressionError>>()?,
            ),
            value => Self::Literal(value),
        })
    }

    fn collect<'t>(&'t self, uses: &mut Vec<&'t Use>) {
        match self {
            Self::Literal(_) => {}
            Self::Text(template) => uses.extend(template.uses()),
            Self::List(items) => items.iter().for_each(|item| item.collect(uses)),
            Self::Map(fields) => fields.iter().for_each(|(_, value)| value.collect(uses)),
        }
    }

    fn render(
        &self,
        text: &impl Fn(&Template) -> Result<Value, ExpressionError>,
    ) -> Result<Value, ExpressionError> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Text(template) => text(template)?,
            Self::List(items) => {
                Value::Array(items.iter().map(|item| item.render(text)).collect::<Result<_, _>>()?)
            }
            Self::Map(fields) => Value::Object(
                fields.iter().map(|(key, value)| Ok((key.clone(), value.render(text)?))).collect::<Result<
                    Map<_, _>,
                    ExpressionError,
                >>(
                )?,
            ),
        })
    }
}

fn has_expression(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${{"),
        Value::Array(items) => items.iter().any(has_expression),
        Value::Object(fields) => fields.values().any(has_expression),
        _ => false,
    }
}
