//! Comparing text with a number must be an error, where minijinja's operators answer `false`. Its *tests* can
//! fail, though: so `a == b` is evaluated as `((a) is eq(b))`, with tests of our own.

use std::cmp::Ordering;

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

use super::ExpressionError;
use super::token::Token;

/// The test that stands in for each operator.
const OPERATORS: [(&str, &str); 6] =
    [("==", "eq"), ("!=", "ne"), ("<", "lt"), ("<=", "le"), (">", "gt"), (">=", "ge")];

type Test = fn(&Value, &Value) -> Result<bool, Error>;

/// The names under which minijinja knows its comparing tests.
pub(super) const TESTS: [(&str, Test); 15] = [
    ("eq", equal),
    ("equalto", equal),
    ("==", equal),
    ("ne", unequal),
    ("!=", unequal),
    ("lt", less),
    ("lessthan", less),
    ("<", less),
    ("le", at_most),
    ("<=", at_most),
    ("gt", greater),
    ("greaterthan", greater),
    (">", greater),
    ("ge", at_least),
    (">=", at_least),
];

/// One side of an operator: everything between two words or marks that bind less than a comparison does.
#[derive(Default)]
struct Operand {
    start: Option<usize>,
    operator: Option<usize>,
}

/// Replaces the comparisons of `source`, which minijinja has accepted and whose tokens these are, with tests.
pub(super) fn checked(source: &str, tokens: &[Token<'_>]) -> Result<String, ExpressionError> {
    let mut before: Vec<&str> = vec![""; tokens.len()];
    let mut after: Vec<&str> = vec![""; tokens.len()];
    let mut any = false;
    let mut open: Vec<Operand> = vec![Operand::default()];
    let mut close = |operand: &mut Operand, end: usize| {
        let Operand { start, operator } = std::mem::take(operand);
        if let (Some(start), Some(operator)) = (start, operator)
            && symbol(&tokens[operator]).is_some()
        {
            any = true;
            before[start] = "((";
            after[end - 1] = "))";
        }
    };
    for (at, token) in tokens.iter().enumerate() {
        let Some(operand) = open.last_mut() else { break };
        let previous = at.checked_sub(1).map(|at| &tokens[at]);
        let negation = token.is("not")
            && !previous.is_some_and(|t| t.is("is"))
            && !tokens.get(at + 1).is_some_and(|t| t.is("in"));
        if token.closes() {
            close(operand, at);
            open.pop();
        } else if negation || separates(token) {
            close(operand, at);
        } else if compares(token, previous) {
            if operand.operator.is_some() {
                return Err(ExpressionError::syntax("a chain of comparisons: write `a < b and b < c`"));
            }
            operand.operator = Some(at);
        } else {
            operand.start.get_or_insert(at);
            if token.opens() {
                open.push(Operand::default());
            }
        }
    }
    if let Some(operand) = open.last_mut() {
        close(operand, tokens.len());
    }
    if !any {
        return Ok(source.to_owned());
    }
    let mut text = String::with_capacity(source.len() + 16 * tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        text.push_str(before[at]);
        match symbol(token) {
            Some(name) => text.extend([") is ", name, " ("]),
            None => text.push_str(token.text),
        }
        text.push_str(after[at]);
        text.push(' ');
    }
    Ok(text)
}

fn symbol(token: &Token<'_>) -> Option<&'static str> {
    OPERATORS.iter().find(|(symbol, _)| token.is(symbol)).map(|(_, name)| *name)
}

fn compares(token: &Token<'_>, previous: Option<&Token<'_>>) -> bool {
    symbol(token).is_some() || (token.is("in") && !previous.is_some_and(|t| t.is("is")))
}

fn separates(token: &Token<'_>) -> bool {
    ["and", "or", "if", "else", ",", ":", "="].iter().any(|word| token.is(word))
}

fn equal(left: &Value, right: &Value) -> Result<bool, Error> {
    comparable(left, right)?;
    Ok(left == right)
}

fn unequal(left: &Value, right: &Value) -> Result<bool, Error> {
    equal(left, right).map(|equal| !equal)
}

fn less(left: &Value, right: &Value) -> Result<bool, Error> {
    ordering(left, right).map(Ordering::is_lt)
}

fn at_most(left: &Value, right: &Value) -> Result<bool, Error> {
    ordering(left, right).map(Ordering::is_le)
}

fn greater(left: &Value, right: &Value) -> Result<bool, Error> {
    ordering(left, right).map(Ordering::is_gt)
}

fn at_least(left: &Value, right: &Value) -> Result<bool, Error> {
    ordering(left, right).map(Ordering::is_ge)
}

fn ordering(left: &Value, right: &Value) -> Result<Ordering, Error> {
    comparable(left, right)?;
    if left.kind() != right.kind() {
        return Err(mismatch(left, right));
    }
    Ok(left.cmp(right))
}

/// Checks that two values may be compared. Only unlike scalars are refused: anything may be compared with `none`.
fn comparable(left: &Value, right: &Value) -> Result<(), Error> {
    let scalar =
        |value: &Value| matches!(value.kind(), ValueKind::Bool | ValueKind::Number | ValueKind::String);
    if left.is_undefined() || right.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if scalar(left) && scalar(right) && left.kind() != right.kind() {
        return Err(mismatch(left, right));
    }
    Ok(())
}

fn mismatch(left: &Value, right: &Value) -> Error {
    let fix = match (left.kind(), right.kind()) {
        (ValueKind::String, ValueKind::Number) | (ValueKind::Number, ValueKind::String) => {
            "; convert the text with |int or |float"
        }
        (ValueKind::String, ValueKind::Bool) | (ValueKind::Bool, ValueKind::String) => {
            "; compare with 'true' or 'false' in quotes"
        }
        _ => "",
    };
    let message = format!("cannot compare {} with {}{fix}", kind(left), kind(right));
    Error::new(ErrorKind::InvalidOperation, message)
}

fn kind(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::String => "text",
        ValueKind::Number => "a number",
        ValueKind::Bool => "true or false",
        ValueKind::None => "none",
        ValueKind::Map => "a map",
        _ => "a list",
    }
}
