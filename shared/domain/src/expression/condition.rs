//! An expression that is true or false.

use serde_json::Value;

use super::excerpt::excerpt;
use super::{ExpressionError, Scope, Template, Use};

/// A condition: one expression, bare or in `${{ }}`, that gives `true` or `false`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    template: Template,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// When the text is not one expression ([`Template::parse`] says which those are), or is a number, a text or `none`
    /// alone, which are neither `true` nor `false`.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let text = text.trim();
        let template = match text.starts_with("${{") {
            true => Template::parse(text)?,
            false => Template::parse(&format!("${{{{ {text} }}}}"))?,
        };
        if template.source().is_none() {
            return Err(ExpressionError::syntax(
                "expected one expression that is true or false, such as outputs.extract.rows > 0",
            ));
        }
        let condition = Self { template };
        let source = condition.source();
        let begins_as_text = source.starts_with(['\'', '"']);
        let is_text = begins_as_text && source[1..].find(&source[..1]) == Some(source.len() - 2);
        if is_text || source.parse::<f64>().is_ok() || matches!(source, "none" | "None") {
            return Err(ExpressionError::failed(format!(
                "`{}` is neither true nor false: expected a condition, such as outputs.extract.rows > 0",
                excerpt(source)
            )));
        }
        Ok(condition)
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        self.template.source().unwrap_or_default()
    }

    /// The names that the condition refers to.
    pub fn uses(&self) -> impl Iterator<Item = &Use> {
        self.template.uses()
    }

    /// Evaluates the condition.
    ///
    /// # Errors
    /// As [`Template::render`], and when the value is neither `true` nor `false`.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<bool, ExpressionError> {
        self.truth(&self.template.render(scope)?)
    }

    fn truth(&self, value: &Value) -> Result<bool, ExpressionError> {
        value.as_bool().ok_or_else(|| {
            let source = excerpt(self.source());
            let shown = excerpt(&value.to_string());
            ExpressionError::failed(format!("`{source}` is {shown}: expected true or false"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        Condition::parse(text).map_or_else(|error| error.message, |condition| condition.source().to_owned())
    }

    #[test]
    fn a_condition_is_one_expression_bare_or_in_its_marks() {
        for text in ["params.n > 3", "${{ params.n > 3 }}", "  ${{params.n > 3}}  "] {
            assert_eq!(told(text), "params.n > 3");
        }
        assert_eq!(told("true"), "true");
        assert_eq!(told("{'a': {'b': true}}.a.b"), "{'a': {'b': true}}.a.b");
        for text in ["${{ params.a }} ${{ params.b }}", "${{ params.a }} and x", "x ${{ params.a }}", ""] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_alone_that_is_neither_true_nor_false_is_refused_at_once() {
        for text in ["3", "-1.5", "'true'", "\"x\"", "none"] {
            assert!(told(text).contains("is neither true nor false"), "{text}: {}", told(text));
        }
        for text in ["1 < 2 and not false", "'a' == 'b'", "'a' in 'b'"] {
            assert!(Condition::parse(text).is_ok(), "{text}");
        }
    }
}
