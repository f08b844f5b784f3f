//! A text with expressions in it.

use serde_json::Value;

use super::excerpt::excerpt;
use super::{ExpressionError, Scope, Use, comparison, engine, names, operands, token};

/// The longest expression, in bytes.
const MAX_EXPRESSION_BYTES: usize = 4096;

/// The greatest number of expressions in one text.
const MAX_EXPRESSIONS: usize = 1000;

/// The longest text that a template may be rendered to, in bytes.
const MAX_RESULT_BYTES: usize = 1024 * 1024;

/// A text in which `${{ }}` marks expressions. Reading it proves that each is well formed and uses only names,
/// filters and tests that there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Expression(Box<Expression>),
}

#[derive(Debug, Clone, PartialEq)]
struct Expression {
    /// The expression as written, for messages.
    source: String,
    /// The expression that is evaluated: the same, with comparisons that can fail.
    checked: String,
    uses: Vec<Use>,
}

impl Template {
    /// Reads a template. Everything outside `${{ }}` is kept as it is, line ends included.
    ///
    /// # Errors
    /// For the first expression that is never closed, is longer than 4 KiB, cannot be read, or uses a name,
    /// filter or test that does not exist; and for more than 1000 of them.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${{") {
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            let inside = &rest[at + 3..];
            let (expression, end) = Expression::parse(inside)?;
            if parts.len() >= 2 * MAX_EXPRESSIONS {
                return Err(ExpressionError::syntax(format!(
                    "too many expressions in one text: expected at most {MAX_EXPRESSIONS}"
                )));
            }
            parts.push(Part::Expression(Box::new(expression)));
            rest = &inside[end + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// A template in which nothing is an expression.
    pub fn literal(text: String) -> Self {
        Self { parts: vec![Part::Text(text)] }
    }

    /// Whether the template renders to the same text in every scope.
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The text, when nothing in it is an expression.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The expression as it was written, when the template is one and nothing else.
    pub(super) fn source(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Expression(expression)] => Some(&expression.source),
            _ => None,
        }
    }

    /// The names that its expressions refer to.
    pub fn uses(&self) -> impl Iterator<Item = &Use> {
        self.parts.iter().flat_map(|part| match part {
            Part::Text(_) => &[][..],
            Part::Expression(expression) => &expression.uses,
        })
    }

    /// Renders the template to a value. One expression alone keeps its type; inside a text, all but texts are written
    /// as JSON.
    ///
    /// # Errors
    /// When a name has no value, an expression fails or takes too long, or the text grows past 1 MiB.
    pub fn render(&self, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
        match self.parts.as_slice() {
            [Part::Expression(expression)] => expression.evaluate(scope),
            _ => self.render_text(scope).map(Value::String),
        }
    }

    /// Renders the template before there is a run: an expression that needs the run, or what its steps hand on, stays as it
    /// was written.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_ahead(&self, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
        match self.parts.as_slice() {
            [Part::Expression(expression)] => expression.evaluate_ahead(scope),
            _ => self.text_of(|expression| expression.evaluate_ahead(scope)).map(Value::String),
        }
    }

    /// Renders the template to a text: what is no text is written as JSON.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_text(&self, scope: &Scope<'_>) -> Result<String, ExpressionError> {
        self.text_of(|expression| expression.evaluate(scope))
    }

    /// The text in which each expression has been replaced by its value.
    fn text_of(
        &self,
        value: impl Fn(&Expression) -> Result<Value, ExpressionError>,
    ) -> Result<String, ExpressionError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Expression(expression) => match value(expression)? {
                    Value::String(value) => text.push_str(&value),
                    value => text.push_str(&value.to_string()),
                },
            }
            if text.len() > MAX_RESULT_BYTES && !self.is_literal() {
                return Err(ExpressionError::failed(format!(
                    "the text is too long: expected at most {MAX_RESULT_BYTES} bytes"
                )));
            }
        }
        Ok(text)
    }
}

impl Expression {
    /// Reads the expression at the beginning of `inside`, and says where its `}}` is.
    fn parse(inside: &str) -> Result<(Self, usize), ExpressionError> {
        let (tokens, end) = token::until_end(inside)?;
        let source = inside[..end].trim();
        if source.is_empty() {
            return Err(ExpressionError::syntax(
                "`${{ }}` is empty: expected an expression, such as params.date",
            ));
        }
        if source.len() > MAX_EXPRESSION_BYTES {
            return Err(ExpressionError::syntax(format!(
                "the expression is {} bytes long: expected at most {MAX_EXPRESSION_BYTES}",
                source.len()
            )));
        }
        engine::check(source)?;
        let uses = names::uses(&tokens)?;
        let checked = match operands::guarded(&tokens) {
            None => comparison::checked(source, &tokens)?,
            Some(guarded) => {
                let closed = format!("{guarded} }}}}");
                comparison::checked(&guarded, &token::until_end(&closed)?.0)?
            }
        };
        Ok((Self { source: source.to_owned(), checked, uses }, end))
    }

    /// The value; of what needs the run, the expression itself.
    fn evaluate_ahead(&self, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
        match self.uses.iter().any(Use::comes_with_run) {
            true => Ok(Value::String(format!("${{{{ {} }}}}", self.source))),
            false => self.evaluate(scope),
        }
    }

    fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
        match engine::evaluate(&self.source, &self.checked, scope.context(&self.uses))? {
            Some(value) => Ok(value),
            None => Err(ExpressionError::undefined(
                scope
                    .missing(&self.uses)
                    .unwrap_or_else(|| format!("something in `{}` is not defined", excerpt(&self.source))),
            )),
        }
    }
}
