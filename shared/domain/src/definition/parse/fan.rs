//! How a step fans out: `foreach`, `matrix`, `shards`.

use serde_json::{Map, Value};

use super::super::checker::Checker;
use super::super::document::{Content, Key, Node};
use super::super::fan::{FanOut, MAX_PARALLEL, Over, Tolerance, shards};
use super::super::items::MAX_ITEMS;
use super::super::matrix::Matrix;
use super::expression::{Names, OutputUse, read_templated};
use super::fields::{Fields, Schema};
use super::{json, synonyms};
use crate::expression::{Fire, Scope, Templated};
use crate::{ParamName, Timestamp};

pub(in crate::definition) const FOREACH: Schema = Schema {
    what: "`foreach`",
    known: &["items", "max_parallel", "fail_fast", "tolerate"],
    later: &[],
    synonyms: synonyms::OF_FAN,
};

pub(in crate::definition) const SHARDS: Schema = Schema {
    what: "`shards`",
    known: &["count", "max_parallel", "fail_fast", "tolerate"],
    later: &[],
    synonyms: synonyms::OF_FAN,
};

/// The fields of a matrix that are no axes.
pub(in crate::definition) const MATRIX: Schema = Schema {
    what: "`matrix`",
    known: &["include", "exclude", "max_parallel", "fail_fast", "tolerate"],
    later: &[],
    synonyms: &[],
};

/// Reads how a step fans out. `None` for one that does not; `Some(None)` when something is wrong with it.
#[expect(clippy::option_option, reason = "a step that fans out stays one, whatever else is wrong with it")]
pub(super) fn read_fan(
    fields: Fields<'_>,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Option<Box<FanOut>>> {
    let kinds = ["foreach", "matrix", "shards"].into_iter();
    let mut given = kinds.filter_map(|name| fields.entry(name));
    let (key, node) = given.next()?;
    if let Some((other, _)) = given.next() {
        let message = format!("a step has one of `foreach`, `matrix` and `shards`: found `{}` too", key.text);
        let hint = Some("put one into the other's items, or make it two steps".to_owned());
        checker.problem(other.at, "bad-field", message, hint);
        return Some(None);
    }
    let fan = match &*key.text {
        "foreach" => read_foreach(node, names, outputs, checker),
        "matrix" => read_matrix(node, names, outputs, checker),
        _ => read_shards(node, names, outputs, checker),
    };
    Some(fan.map(Box::new))
}

fn read_foreach(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<FanOut> {
    let Content::Map(_) = &node.content else {
        return Some(with_options(Over::Items(read_list(node, "foreach", names, outputs, checker)?)));
    };
    let fields = FOREACH.read(node, checker)?;
    let options = read_options(fields, checker);
    let Some(items) = fields.get("items") else {
        let hint = Some("write foreach: {items: \"${{ outputs.list.tables }}\"}".to_owned());
        checker.problem(node.at, "missing-field", "`foreach` needs `items`", hint);
        return None;
    };
    let over = Over::Items(read_list(items, "items", names, outputs, checker)?);
    Some(FanOut { over, ..options? })
}

/// Reads a list, or an expression that gives one.
fn read_list(
    node: &Node,
    field: &str,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Templated> {
    match &node.content {
        Content::List(items) if items.len() > MAX_ITEMS => {
            let message = format!("`{field}` has {} items: expected at most {MAX_ITEMS}", items.len());
            checker.problem(node.at, "out-of-range", message, None);
            None
        }
        Content::List(_) => {
            json::check_numbers(node, checker);
            read_templated(node, names, outputs, checker)
        }
        Content::Scalar { text, .. } if is_expression(text) => read_templated(node, names, outputs, checker),
        _ => {
            let hint = Some(format!("write {field}: [a, b], or {field}: \"${{{{ outputs.list.tables }}}}\""));
            checker.wrong_type(node, field, "a list, or one expression that gives one", hint);
            None
        }
    }
}

/// Whether a text is one expression, whose value keeps its type.
pub(super) fn is_expression(text: &str) -> bool {
    text.starts_with("${{") && text.ends_with("}}")
}

fn read_matrix(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<FanOut> {
    let entries = checker.map(node, "matrix", "names and lists")?;
    let of =
        |wanted: bool| entries.iter().filter(move |(key, _)| MATRIX.known.contains(&&*key.text) == wanted);
    let own: Vec<(Key, Node)> = of(true).cloned().collect();
    let fields = Node { at: node.at, content: Content::Map(own.into()) };
    let fields = MATRIX.read(&fields, checker)?;
    let options = read_options(fields, checker);
    let (mut axes, mut is_sound) = (Vec::new(), true);
    for (key, values) in of(false) {
        if let Err(error) = key.text.parse::<ParamName>() {
            checker.problem(key.at, "bad-name", error.to_string(), None);
            is_sound = false;
            continue;
        }
        if !matches!(values.content, Content::List(_))
            && let Some(hint) = checker.did_you_mean(&key.text, MATRIX.known.iter().copied())
        {
            let message =
                format!("`{}` is no list, so that it is no axis, and no option of a matrix", key.text);
            checker.problem(key.at, "unknown-field", message, Some(hint));
            is_sound = false;
            continue;
        }
        match read_list(values, &key.text, names, outputs, checker) {
            Some(values) => axes.push((key.text.to_string(), values)),
            None => is_sound = false,
        }
    }
    let include = read_maps(fields.get("include"), "include", names, outputs, checker);
    let exclude = read_maps(fields.get("exclude"), "exclude", names, outputs, checker);
    let matrix = Matrix { axes, include: include?, exclude: exclude? };
    if !is_sound {
        return None;
    }
    if matrix.axes.is_empty() && matrix.include.is_empty() {
        let hint = Some("write matrix: {rate: [0.1, 0.01], depth: [2, 3]}".to_owned());
        checker.problem(node.at, "missing-field", "`matrix` has no axis: expected names and lists", hint);
        return None;
    }
    check_literal(node, &matrix, checker)?;
    Some(FanOut { over: Over::Matrix(matrix), ..options? })
}

/// Reads a list of maps.
fn read_maps(
    node: Option<&Node>,
    field: &str,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Vec<Templated>> {
    let Some(node) = node else { return Some(Vec::new()) };
    let items = checker.list(node, field, "maps", None)?;
    if items.len() > MAX_ITEMS {
        let message = format!("`{field}` has {} items: expected at most {MAX_ITEMS}", items.len());
        checker.problem(node.at, "out-of-range", message, None);
        return None;
    }
    let mut maps = Vec::with_capacity(items.len());
    for item in items {
        checker.map(item, field, "names and values")?;
        json::check_numbers(item, checker);
        maps.push(read_templated(item, names, outputs, checker)?);
    }
    Some(maps)
}

/// Counts the items of a matrix in which nothing is an expression: too many are found now, and not when the step starts.
fn check_literal(node: &Node, matrix: &Matrix, checker: &mut Checker) -> Option<()> {
    let axes = matrix.axes.iter().map(|(_, values)| values);
    if !axes.chain(&matrix.include).chain(&matrix.exclude).all(Templated::is_literal) {
        return Some(());
    }
    let zone = jiff::tz::TimeZone::UTC;
    let params = crate::params::Params::new();
    let scope = Scope::of_defaults(&params, Fire { time: Timestamp::default(), zone: &zone });
    match matrix.items(&scope) {
        Ok(_) => Some(()),
        Err(why) => {
            checker.problem(node.at, "out-of-range", why, None);
            None
        }
    }
}

fn read_shards(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<FanOut> {
    let (count, options) = match &node.content {
        Content::Map(_) => {
            let fields = SHARDS.read(node, checker)?;
            let options = read_options(fields, checker);
            let Some(count) = fields.get("count") else {
                let hint = Some("write shards: {count: 4}".to_owned());
                checker.problem(node.at, "missing-field", "`shards` needs `count`", hint);
                return None;
            };
            (count, options)
        }
        _ => (node, Some(with_options(Over::Shards(Templated::literal(Value::Null))))),
    };
    let text = checker.text(count, "shards")?;
    let value = match is_expression(text) {
        true => read_templated(count, names, outputs, checker)?,
        false => Templated::literal(json::of_node(count)),
    };
    if let Some(literal) = value.to_literal()
        && let Err(why) = shards(&literal)
    {
        checker.problem(count.at, "bad-value", why, None);
        return None;
    }
    Some(FanOut { over: Over::Shards(value), ..options? })
}

/// A fan-out of which nothing but the items is said.
fn with_options(over: Over) -> FanOut {
    FanOut { over, max_parallel: MAX_PARALLEL, fail_fast: false, tolerate: Tolerance::default() }
}

/// Reads what is the same for all three; over what is filled in by the caller.
fn read_options(fields: Fields<'_>, checker: &mut Checker) -> Option<FanOut> {
    let max_parallel = fields
        .get("max_parallel")
        .map_or(Some(MAX_PARALLEL), |node| checker.integer(node, "max_parallel", 1..=MAX_ITEMS as u32));
    let fail_fast = fields.get("fail_fast").map_or(Some(false), |node| checker.boolean(node, "fail_fast"));
    let tolerate =
        fields.get("tolerate").map_or(Some(Tolerance::default()), |node| read_tolerance(node, checker));
    let over = Over::Items(Templated::literal(Value::Object(Map::new())));
    Some(FanOut { over, max_parallel: max_parallel?, fail_fast: fail_fast?, tolerate: tolerate? })
}

/// Reads `5`, which is so many items, or `5%`.
fn read_tolerance(node: &Node, checker: &mut Checker) -> Option<Tolerance> {
    let text = checker.text(node, "tolerate")?;
    let share = |text: &str| {
        let percent =
            text.trim_end().parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent))?;
        let share = (percent * 100.0).round();
        // Hundredths of a percent, which are not more than 10,000.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 10,000")]
        Some(Tolerance::Share(share as u32))
    };
    let read = match text.strip_suffix('%') {
        Some(percent) => share(percent),
        None => text.parse().ok().filter(|count| *count <= MAX_ITEMS as u32).map(Tolerance::Items),
    };
    if read.is_none() {
        let message =
            format!("`tolerate` must be a number of items, or a share of them, found {}", node.describe());
        checker.problem(node.at, "bad-value", message, Some("write tolerate: 3, or tolerate: 5%".to_owned()));
    }
    read
}
