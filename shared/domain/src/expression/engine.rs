//! Evaluates one expression: which filters and tests there are, how much it may do, and what is said when it
//! fails.

use std::sync::LazyLock;

use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};

use super::excerpt::excerpt;
use super::{ExpressionError, budget, comparison, dates, operands, texts};

/// The greatest number of operations that one expression may take.
const FUEL: u64 = 20_000;

/// The filters that expressions may use, beside those of [`dates`]. None reaches outside, and none is there only for HTML or
/// layout.
const FILTERS: [&str; 36] = [
    "abs",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "first",
    "float",
    "fromjson",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
];

/// Filters of minijinja that are taken out, since `map("...")` could still name them.
const NO_FILTERS: [&str; 13] = [
    "attr", "batch", "chain", "dictsort", "e", "escape", "format", "groupby", "indent", "pprint", "safe",
    "slice", "zip",
];

/// The tests that expressions may use: what may follow `is`.
pub(super) const TESTS: [&str; 29] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(false);
    for name in NO_FILTERS {
        environment.remove_filter(name);
    }
    environment.add_filter("replace", texts::replace);
    environment.add_filter("join", texts::join);
    environment.add_filter("tojson", texts::tojson);
    environment.add_filter("sum", texts::sum);
    environment.add_filter("fromjson", texts::fromjson);
    dates::add(&mut environment);
    operands::add(&mut environment);
    environment.add_test("in", is_in);
    for (name, test) in comparison::TESTS {
        environment.add_test(name, test);
    }
    environment
});

/// The names of all filters that expressions may use.
pub(super) fn filters() -> impl Iterator<Item = &'static str> {
    FILTERS.into_iter().chain(dates::FILTERS)
}

/// Checks that minijinja can read `source` as an expression.
pub(super) fn check(source: &str) -> Result<(), ExpressionError> {
    ENVIRONMENT.compile_expression(source).map(drop).map_err(|error| {
        let detail = error.detail().unwrap_or("it is not an expression");
        ExpressionError::syntax(format!("`{}` cannot be read: {detail}", excerpt(source)))
    })
}

/// The value of `checked`, which was made from `source`, in `context`. `None` when a name has no value.
pub(super) fn evaluate(
    source: &str,
    checked: &str,
    context: Value,
) -> Result<Option<serde_json::Value>, ExpressionError> {
    let value = ENVIRONMENT.compile_expression(checked).and_then(|expression| expression.eval(context));
    let value = match value {
        Ok(value) if value.is_undefined() => return Ok(None),
        Ok(value) => value,
        Err(error) if is_undefined(&error) => return Ok(None),
        Err(error) => return Err(ExpressionError::failed(explain(source, &error))),
    };
    if value.is_number() && f64::try_from(value.clone()).is_ok_and(|number| !number.is_finite()) {
        return Err(ExpressionError::failed(format!("`{}` is not a finite number", excerpt(source))));
    }
    if budget::is_too_large(&value) {
        let message = format!(
            "the value of `{}` is too large: expected at most {} bytes of JSON",
            excerpt(source),
            budget::MAX_VALUE_BYTES
        );
        return Err(ExpressionError::failed(message));
    }
    serde_json::to_value(&value).map(Some).map_err(|error| {
        ExpressionError::failed(format!("`{}` has a value that JSON cannot hold: {error}", excerpt(source)))
    })
}

/// The test `in`, which `select` makes once for each item of a list.
fn is_in(state: &mut State<'_, '_>, value: &Value, container: &Value) -> Result<bool, Error> {
    budget::charge_search(state, container.len().unwrap_or(0))?;
    minijinja::tests::is_in(state, value, container)
}

/// Whether an operator met a value that is not defined: it says so in words alone.
fn is_undefined(error: &Error) -> bool {
    error.kind() == ErrorKind::UndefinedError
        || error
            .detail()
            .is_some_and(|detail| detail.contains("types undefined and") || detail.ends_with("and undefined"))
}

fn explain(source: &str, error: &Error) -> String {
    let shown = excerpt(source);
    match error.kind() {
        ErrorKind::OutOfFuel => format!("`{shown}` takes too long: expected at most {FUEL} operations"),
        kind => match error.detail() {
            Some(detail) => format!("`{shown}` failed: {}", excerpt(detail)),
            None => format!("`{shown}` failed: {kind}"),
        },
    }
}
