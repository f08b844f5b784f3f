//! The tokens of an expression, as far as they matter to find its end, its names and its comparisons. Whether
//! it is well formed is for minijinja to say.

use super::ExpressionError;

/// A token of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    pub(super) text: &'s str,
}

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    Text,
    Symbol,
}

impl Token<'_> {
    /// Whether the token is this mark or word.
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text && self.kind != Kind::Text
    }

    /// Whether the token opens a bracket or a brace.
    pub(super) fn opens(&self) -> bool {
        self.is("(") || self.is("[") || self.is("{")
    }

    /// Whether the token closes a bracket or a brace.
    pub(super) fn closes(&self) -> bool {
        self.is(")") || self.is("]") || self.is("}")
    }
}

/// Reads the expression at the beginning of `source`, which follows a `${{`: its tokens, and where its `}}` begins. A
/// `}}` in a text, or one that closes braces of the expression itself, is not its end.
pub(super) fn until_end(source: &str) -> Result<(Vec<Token<'_>>, usize), ExpressionError> {
    let bytes = source.as_bytes();
    let mut tokens = Vec::new();
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if depth == 0 && source[at..].starts_with("}}") {
            return Ok((tokens, at));
        }
        let (kind, length) = match byte {
            b'"' | b'\'' => (Kind::Text, text_length(&source[at..])?),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => (Kind::Name, name_length(&bytes[at..])),
            b'0'..=b'9' => {
                let after_dot = tokens.last().is_some_and(|last: &Token<'_>| last.is("."));
                (Kind::Number, number_length(&bytes[at..], after_dot))
            }
            _ => (Kind::Symbol, symbol_length(&source[at..])),
        };
        let token = Token { kind, text: &source[at..at + length] };
        if token.opens() {
            depth += 1;
        } else if token.closes() {
            depth = depth.saturating_sub(1);
        }
        tokens.push(token);
        at += length;
    }
    Err(ExpressionError::syntax("`${{` is never closed: expected `}}` after the expression"))
}

fn text_length(source: &str) -> Result<usize, ExpressionError> {
    let bytes = source.as_bytes();
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            _ if byte == bytes[0] => return Ok(at + 1),
            _ => at += 1,
        }
    }
    let shown: String = source.chars().take(20).collect();
    Err(ExpressionError::syntax(format!("the text that begins with {shown} has no closing quote")))
}

fn name_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}

/// The length of a number in bytes. After a dot, digits are an index, and what follows is not a fraction: `a.0.1`.
fn number_length(bytes: &[u8], after_dot: bool) -> usize {
    let mut at = name_length(bytes);
    let fraction = bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    if fraction && !after_dot {
        at += 1 + name_length(&bytes[at + 1..]);
    }
    let signed = matches!(bytes.get(at), Some(b'+' | b'-')) && matches!(bytes[at - 1], b'e' | b'E');
    if signed && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
        at += 1 + name_length(&bytes[at + 1..]);
    }
    at
}

fn symbol_length(source: &str) -> usize {
    for double in ["==", "!=", "<=", ">=", "**", "//"] {
        if source.starts_with(double) {
            return 2;
        }
    }
    source.chars().next().map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<&str> {
        until_end(source).unwrap().0.iter().map(|token| token.text).collect()
    }

    #[test]
    fn the_end_is_not_inside_a_text_nor_among_braces_of_the_expression() {
        assert_eq!(until_end(r#" "}}" }} rest"#).unwrap().1, 6);
        assert_eq!(until_end(r"'it\'s }}' }}").unwrap().1, 11);
        assert_eq!(until_end(r#"{"a": {"b": 1}}}}"#).unwrap().1, 15);
    }

    #[test]
    fn tokens_are_what_a_reader_would_say() {
        assert_eq!(
            words("a.b|d(1.5e-3)>=x.0.1 }}"),
            ["a", ".", "b", "|", "d", "(", "1.5e-3", ")", ">=", "x", ".", "0", ".", "1"]
        );
        assert_eq!(words("a!='é'~b }}"), ["a", "!=", "'é'", "~", "b"]);
    }

    #[test]
    fn what_is_never_closed_is_said() {
        assert!(until_end("a").unwrap_err().message.contains("never closed"));
        assert!(until_end("(a }}").unwrap_err().message.contains("never closed"));
        assert!(until_end("'a }}").unwrap_err().message.contains("closing quote"));
        assert!(until_end("'a\\").unwrap_err().message.contains("closing quote"));
    }
}
