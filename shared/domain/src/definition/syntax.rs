//! What to say about text that is not YAML: where, and what was probably meant.

use saphyr_parser::ScanError;

use super::checker::Checker;
use super::problem::Position;

/// The greatest depth to which values may be nested.
pub(super) const MAX_DEPTH: usize = 64;

/// The characters with which YAML lets no unquoted text begin, or which it takes for something else.
const RESERVED: [char; 6] = ['@', '*', '`', '%', '&', '!'];

/// Reports the one error that ends the reading of `source`.
pub(super) fn report(error: &ScanError, source: &str, checker: &mut Checker) {
    let at = Position::from(*error.marker());
    // The scanner looks ahead, and has a limit of its own.
    if error.info().contains("recursion limit") {
        report_depth(at, checker);
        return;
    }
    let line = line_at(source, at);
    // Some errors are noticed only where the next line begins.
    let before = at.line.checked_sub(1).filter(|_| line.trim().is_empty() || at.column == 1);
    let lines = [Some(line), before.map(|line| line_at(source, Position { line, column: 1 }))];
    if let Some(value) = lines.into_iter().flatten().find_map(reserved_value) {
        let first: String = value.chars().take(1).collect();
        let message = format!("a value cannot begin with `{first}` unless it is quoted");
        checker.problem(at, "yaml-syntax", message, Some(format!("write \"{value}\"")));
        return;
    }
    let info = error.info();
    let hint = if info.contains("tab") {
        Some("indent with spaces".to_owned())
    } else if line.contains("${{") && !line.contains("\"${{") {
        Some("quote the expression: \"${{ ... }}\"".to_owned())
    } else if info.contains("mapping values are not allowed") {
        Some("quote a text that has a colon and a space in it, and check the indentation".to_owned())
    } else {
        None
    };
    checker.problem(at, "yaml-syntax", format!("this is not YAML: {info}"), hint);
}

/// Reports values that are nested too deep.
pub(super) fn report_depth(at: Position, checker: &mut Checker) {
    let message = format!("values are nested too deep: expected at most {MAX_DEPTH} levels");
    checker.problem(at, "nested-too-deep", message, None);
}

/// Reports an alias, which may well have been meant as text.
pub(super) fn report_alias(at: Position, source: &str, checker: &mut Checker) {
    let line = if checker.may_look() { line_at(source, at) } else { "" };
    let hint = match reserved_value(line) {
        Some(value) => format!("write the value out, or, if it is a text, quote it: \"{value}\""),
        None => "write the value out".to_owned(),
    };
    checker.problem(at, "unsupported-yaml", "aliases (`*name`) are not supported", Some(hint));
}

fn line_at(source: &str, at: Position) -> &str {
    source.lines().nth(at.line.saturating_sub(1) as usize).unwrap_or_default()
}

/// The value on `line` that begins with a reserved character: after `key: `, `- `, or both.
fn reserved_value(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    while let Some(item) = rest.strip_prefix("- ") {
        rest = item.trim_start();
    }
    let candidates = [Some(rest), rest.split_once(": ").map(|(_, value)| value.trim_start())];
    let flow = rest.rsplit_once(": ").map(|(_, value)| value.trim_start());
    let value = candidates.into_iter().chain([flow]).flatten().find(|value| value.starts_with(RESERVED))?;
    let value = value.split(" #").next().unwrap_or(value).trim_end();
    let value = if line.contains('{') || line.contains('[') {
        value.trim_end_matches(['}', ']', ' '])
    } else {
        value
    };
    (!value.is_empty() && value.len() <= 120 && !value.contains('"')).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::reserved_value;

    #[test]
    fn the_value_to_quote_is_found_on_its_line() {
        for (line, value) in [
            ("schedule: @daily", Some("@daily")),
            ("schedule: */5 * * * *  # often", Some("*/5 * * * *")),
            ("  - cron: * * * * *", Some("* * * * *")),
            ("  - @daily", Some("@daily")),
            ("schedule: {cron: @daily}", Some("@daily")),
            ("run: echo @daily", None),
            ("schedule: \"@daily\"", None),
        ] {
            assert_eq!(reserved_value(line), value, "{line}");
        }
    }
}
