//! What an expression refers to. Known without evaluating it, so that a definition can be checked as a whole and
//! a rendering converts only the values that are used.

use super::ExpressionError;
use super::engine::{TESTS, filters};
use super::token::{Kind, Token};
use crate::definition::nearest;

const ROOTS: [&str; 6] = ["params", "outputs", "run", "fire", "item", "item_index"];
const RUN_FIELDS: [&str; 2] = ["id", "workflow"];
const FIRE_FIELDS: [&str; 2] = ["time", "date"];
const WORDS: [&str; 13] =
    ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"];

/// A name that an expression refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Use {
    /// `params.<name>`.
    Param(String),
    /// `params` as a whole.
    Params,
    /// `outputs.<step>.<key>`, or all outputs of the step.
    Output {
        /// The step's name.
        step: String,
        /// The key of the output; without one, all of them.
        key: Option<String>,
    },
    /// `run.<field>`.
    Run,
    /// `fire.<field>`.
    Fire,
    /// `item`, or a part of it.
    Item,
    /// `item_index`.
    ItemIndex,
}

impl Use {
    /// Whether the name has a value only once the run is there: it is an output or an item of a step, or of the run itself.
    pub fn comes_with_run(&self) -> bool {
        match self {
            Self::Output { .. } | Self::Run | Self::Item | Self::ItemIndex => true,
            Self::Param(_) | Self::Params | Self::Fire => false,
        }
    }
}

/// The names that the expression of `tokens` refers to, each once, in order.
pub(super) fn uses(tokens: &[Token<'_>]) -> Result<Vec<Use>, ExpressionError> {
    let mut uses = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.kind != Kind::Name {
            continue;
        }
        let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
        let after = |ahead: usize| tokens.get(at + ahead);
        if before(1).is_some_and(|t| t.is(".")) {
            continue;
        }
        if before(1).is_some_and(|t| t.is("|")) {
            if !filters().any(|filter| filter == token.text) {
                let mut all: Vec<&str> = filters().collect();
                all.sort_unstable();
                known("filter", token.text, &all)?;
            }
            continue;
        }
        let negated = before(1).is_some_and(|t| t.is("not")) && before(2).is_some_and(|t| t.is("is"));
        if (before(1).is_some_and(|t| t.is("is")) && token.text != "not") || negated {
            known("test", token.text, &TESTS)?;
            continue;
        }
        // `f(name=value)`
        let keyword = after(1).is_some_and(|t| t.is("="));
        if WORDS.contains(&token.text) || keyword {
            continue;
        }
        let member = after(1).filter(|t| t.is(".")).and_then(|_| after(2)).filter(|t| t.kind == Kind::Name);
        let found = root(token.text, member.map(|t| t.text), &tokens[at + 1..])?;
        if !uses.contains(&found) {
            uses.push(found);
        }
    }
    Ok(uses)
}

fn root(name: &str, member: Option<&str>, rest: &[Token<'_>]) -> Result<Use, ExpressionError> {
    match (name, member) {
        ("params", Some(param)) => Ok(Use::Param(param.to_owned())),
        ("params", None) => Ok(Use::Params),
        ("outputs", Some(step)) => {
            // After `. step` comes `. key`, or something else.
            let key = rest.get(2).filter(|t| t.is(".")).and_then(|_| rest.get(3));
            let key = key.filter(|t| t.kind == Kind::Name).map(|t| t.text.to_owned());
            Ok(Use::Output { step: step.to_owned(), key })
        }
        ("outputs", None) => Err(ExpressionError::unknown(
            "`outputs` needs the name of a step: write outputs.<step>.<key>, such as outputs.extract.rows",
        )),
        ("run", Some(field)) => known("field of run", field, &RUN_FIELDS).map(|()| Use::Run),
        ("fire", Some(field)) => known("field of fire", field, &FIRE_FIELDS).map(|()| Use::Fire),
        ("run", None) => Err(ExpressionError::unknown("`run` needs a field: write run.id or run.workflow")),
        ("fire", None) => {
            Err(ExpressionError::unknown("`fire` needs a field: write fire.time or fire.date(-1)"))
        }
        ("item", _) => Ok(Use::Item),
        ("item_index", _) => Ok(Use::ItemIndex),
        _ => known("name", name, &ROOTS).and_then(|()| Err(ExpressionError::unknown(name))),
    }
}

/// Checks that `word` is one of `all`.
fn known(what: &str, word: &str, all: &[&str]) -> Result<(), ExpressionError> {
    if all.contains(&word) {
        return Ok(());
    }
    let shown: String = word.chars().take(64).collect();
    let meant = match nearest(word, all.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("expected one of {}", all.join(", ")),
    };
    Err(ExpressionError::unknown(format!("unknown {what} `{shown}` in an expression: {meant}")))
}

#[cfg(test)]
mod tests {
    use super::super::token::until_end;
    use super::*;

    fn of(source: &str) -> Result<Vec<Use>, String> {
        let closed = format!("{source} }}}}");
        uses(&until_end(&closed).unwrap().0).map_err(|e| e.message)
    }

    #[test]
    fn every_kind_of_name_is_found_once() {
        assert_eq!(
            of("params.a ~ params.b.c ~ params.a"),
            Ok(vec![Use::Param("a".into()), Use::Param("b".into())])
        );
        let output = |key: Option<&str>| Use::Output { step: "x".into(), key: key.map(str::to_owned) };
        assert_eq!(of("outputs.x.rows > 0 and run.id"), Ok(vec![output(Some("rows")), Use::Run]));
        assert_eq!(of("outputs.x['a-b'] if fire.date(-1) else none"), Ok(vec![output(None), Use::Fire]));
        assert_eq!(of("params|tojson"), Ok(vec![Use::Params]));
    }

    #[test]
    fn texts_members_filters_tests_and_keywords_are_no_names() {
        assert_eq!(of("'item' ~ params.a.item|default(value='x')"), Ok(vec![Use::Param("a".into())]));
        assert_eq!(of("params.a is not defined or params.a is string"), Ok(vec![Use::Param("a".into())]));
    }

    #[test]
    fn an_unknown_name_filter_test_or_field_is_answered_with_what_there_is() {
        assert_eq!(
            of("xyzzy.x").unwrap_err(),
            "unknown name `xyzzy` in an expression: expected one of params, outputs, run, fire, item, item_index"
        );
        assert!(of("param.x").unwrap_err().contains("did you mean `params`?"));
        assert!(of("params.a|uper").unwrap_err().contains("did you mean `upper`?"));
        assert!(of("params.a is strin").unwrap_err().contains("did you mean `string`?"));
        assert!(of("run.attempt").unwrap_err().contains("expected one of id, workflow"));
        assert!(of("outputs['x']").unwrap_err().contains("outputs.<step>.<key>"));
        assert!(of("fire").unwrap_err().contains("fire.date(-1)"));
    }
}
