//! What the operators `*`, `~` and `+` may be given: both sides of each go through a filter of our own.
//!
//! Only numbers may be multiplied. minijinja repeats a list or a text that is multiplied, and repeated lists within lists
//! are without end where an expression says it in a few bytes. Texts that are put together are bounded in all: each
//! operator copies what those before it have made.

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, State};

use super::budget::charge_joined;
use super::token::Token;

/// The operators, and the filter of each, which no user can write: it is none of those that expressions may use.
const OPERATORS: [(&str, &str); 3] = [("*", "factor"), ("~", "piece"), ("+", "addend")];

pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("factor", factor);
    environment.add_filter("piece", piece);
    environment.add_filter("addend", addend);
}

/// The expression of these tokens with both sides of each of the operators guarded; `None` when there is none.
pub(super) fn guarded(tokens: &[Token<'_>]) -> Option<String> {
    let mut guarded_after: Vec<[bool; OPERATORS.len()]> = vec![Default::default(); tokens.len()];
    let mut any = false;
    for at in 1..tokens.len() {
        let before = &tokens[at - 1];
        let operator = OPERATORS.iter().position(|(symbol, _)| tokens[at].is(symbol));
        // After what opens and after a comma, `*` would unpack arguments.
        let Some(operator) = operator.filter(|_| !before.opens() && !before.is(",")) else { continue };
        any = true;
        guarded_after[at - 1][operator] = true;
        if let Some(last) = operand_end(tokens, at + 1).checked_sub(1).filter(|last| *last > at) {
            guarded_after[last][operator] = true;
        }
    }
    any.then(|| {
        let mut text = String::new();
        for (token, guards) in tokens.iter().zip(guarded_after) {
            text.push_str(token.text);
            for (_, (_, filter)) in guards.iter().zip(OPERATORS).filter(|(is_guarded, _)| **is_guarded) {
                text.extend(["|", filter]);
            }
            // `a.0` and `is not` stay what they are.
            text.push(' ');
        }
        text
    })
}

/// The place after the operand that begins at `at`: signs, a value, what is picked out of it, and its filters.
fn operand_end(tokens: &[Token<'_>], mut at: usize) -> usize {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.is(text));
    while is(at, "-") || is(at, "+") {
        at += 1;
    }
    at = if tokens.get(at).is_some_and(Token::opens) { group_end(tokens, at) } else { at + 1 };
    loop {
        if is(at, ".") || is(at, "|") {
            at += 2;
        } else if is(at, "[") || is(at, "(") {
            at = group_end(tokens, at);
        } else {
            return at.min(tokens.len());
        }
    }
}

/// The place after the brackets that open at `at`.
fn group_end(tokens: &[Token<'_>], at: usize) -> usize {
    let mut depth = 0usize;
    for (place, token) in tokens.iter().enumerate().skip(at) {
        if token.opens() {
            depth += 1;
        } else if token.closes() {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return place + 1;
            }
        }
    }
    tokens.len()
}

/// The filter of `*`: a number as it is, and an error for anything else.
fn factor(value: Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    match value.is_number() {
        true => Ok(value),
        false => {
            let message = "only numbers can be multiplied; convert a text with |int or |float";
            Err(Error::new(ErrorKind::InvalidOperation, message))
        }
    }
}

/// The filter of `~`, which makes a text of whatever it is given.
fn piece(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    let length = match value.as_str() {
        Some(text) => text.len(),
        None if value.len().is_some() => value.to_string().len(),
        None => 0,
    };
    charge_joined(state, length)?;
    Ok(value)
}

/// The filter of `+`, which adds numbers, and puts texts and lists together; of lists it makes no copy.
fn addend(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    charge_joined(state, value.as_str().map_or(0, str::len))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::token::until_end;
    use super::*;

    fn of(source: &str) -> Option<String> {
        let closed = format!("{source} }}}}");
        guarded(&until_end(&closed).unwrap().0).map(|text| text.split_whitespace().collect())
    }

    #[test]
    fn both_sides_of_each_product_are_guarded_with_all_that_belongs_to_them() {
        assert_eq!(of("a - 2"), None);
        assert_eq!(of("a + 2").as_deref(), Some("a|addend+2|addend"));
        assert_eq!(of("a ~ b[1] ~ -c * 2").as_deref(), Some("a|piece~b[1]|piece~-c|factor|piece*2|factor"));
        assert_eq!(of("a * b").as_deref(), Some("a|factor*b|factor"));
        assert_eq!(
            of("a.b[0]|int * -c.d(1)|abs + 1").as_deref(),
            Some("a.b[0]|int|factor*-c.d(1)|abs|factor|addend+1|addend")
        );
        assert_eq!(of("2 * (a + b) * c").as_deref(), Some("2|factor*(a|addend+b|addend)|factor*c|factor"));
        assert_eq!(of("[[1] * 9] * 9").as_deref(), Some("[[1]|factor*9|factor]|factor*9|factor"));
        assert_eq!(of("'*'"), None);
    }
}
