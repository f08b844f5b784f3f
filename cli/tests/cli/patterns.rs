//! Each control-flow pattern that the documents say is there runs embedded, and comes to what stands in the head of its
//! file. What the lines of a head mean is told in `examples/patterns/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::binary::millrace;

/// The ways in which a step or a run ends, as heads name them.
const STATES: [&str; 5] = ["succeeded", "failed", "timed_out", "cancelled", "skipped"];

/// How far the times that a producer writes down may lie behind those of a worker in the same process.
const LAG_MS: i64 = 2;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/patterns")
}

/// The texts of all patterns, by the names of their files.
fn patterns() -> BTreeMap<String, String> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.map(|path| (name(&path), fs::read_to_string(path).unwrap())).collect()
}

/// Runs a definition, and returns what of its head did not come true.
fn untrue(text: &str) -> Vec<String> {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("pattern.yaml"), text).unwrap();
    let ended = millrace(place.path(), &["run", "pattern.yaml", "--output", "json"]);
    if ended.stdout.is_empty() {
        return vec![ended.stderr];
    }
    let run = Run(ended.json());
    let expected: Vec<Vec<&str>> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# expect: "))
        .map(|line| line.split(' ').collect())
        .collect();
    let mut wrong: Vec<String> = expected.iter().filter_map(|words| run.holds(words).err()).collect();
    for step in run.0["steps"].as_array().unwrap() {
        let name = step["name"].as_str().unwrap();
        if !expected.iter().any(|words| STATES.contains(&words[0]) && words.contains(&name)) {
            wrong.push(format!("no line says how {name} ends"));
        }
    }
    if !expected.iter().any(|words| words[0] == "run") {
        wrong.push("no line says how the run ends".to_owned());
    }
    wrong
}

/// A run that has ended, as `--output json` shows it.
struct Run(Value);

impl Run {
    fn step(&self, name: &str) -> Result<&Value, String> {
        let steps = self.0["steps"].as_array().unwrap();
        steps.iter().find(|step| step["name"] == name).ok_or_else(|| format!("there is no step {name}"))
    }

    /// The instant at which a step began or ended, in milliseconds.
    fn instant(&self, name: &str, field: &str) -> Result<i64, String> {
        let text = self.step(name)?[field].as_str().ok_or_else(|| format!("{name} has no {field}"))?;
        Ok(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    /// Whether one step had ended before the other began.
    fn in_order(&self, first: &str, second: &str) -> Result<(), String> {
        // The times of what ran on no worker (steps with items, `noop`) are the producer's, which lag behind.
        let by_workers =
            [first, second].iter().all(|name| self.step(name).is_ok_and(|s| !s["worker"].is_null()));
        let ended = self.instant(first, "ended_at")? - if by_workers { 0 } else { LAG_MS };
        if ended <= self.instant(second, "started_at")? {
            return Ok(());
        }
        Err(format!("{second} began before {first} ended"))
    }

    /// Whether one line of a head is so.
    fn holds(&self, words: &[&str]) -> Result<(), String> {
        let same = |seen: &Value, wanted: &Value| {
            if seen == wanted { Ok(()) } else { Err(format!("{}: it was {seen}", words.join(" "))) }
        };
        match *words {
            ["run", state] => same(&self.0["state"], &state.into()),
            [state, ref names @ ..] if STATES.contains(&state) => {
                names.iter().try_for_each(|name| same(&self.step(name)?["state"], &state.into()))
            }
            ["order", ref names @ ..] => {
                names.windows(2).try_for_each(|pair| self.in_order(pair[0], pair[1]))
            }
            ["early", first, second] => {
                let (began, ended) = (self.instant(first, "started_at")?, self.instant(second, "ended_at")?);
                if began <= ended { Ok(()) } else { Err(format!("{first} began after {second} ended")) }
            }
            ["items", name, ref counts @ ..] => counts.chunks(2).try_for_each(|pair| {
                let wanted: u64 = pair[1].parse().map_err(|_| format!("{} is no number", pair[1]))?;
                same(&self.step(name)?["items"][pair[0]], &wanted.into())
            }),
            ["attempts", name, wanted] => {
                same(&self.step(name)?["attempt"], &wanted.parse::<u64>().unwrap().into())
            }
            ["outputs", name, ref wanted @ ..] => {
                same(&self.step(name)?["outputs"], &serde_json::from_str(&wanted.join(" ")).unwrap())
            }
            _ => Err(format!("a head cannot say: {}", words.join(" "))),
        }
    }
}

#[test]
fn each_pattern_comes_to_what_its_head_says() {
    for (file, text) in patterns() {
        let number: u32 = file.split_once('_').unwrap().0.parse().unwrap();
        assert!(text.starts_with(&format!("# WCP-{number}, ")), "{file} is headed by its number");
        let name = format!("name: wcp_{}\n", file.strip_suffix(".yaml").unwrap());
        assert!(text.contains(&name), "{file} has {name}");
        assert_eq!(untrue(&text), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn a_pattern_whose_definition_is_wrong_does_not_come_to_what_its_head_says() {
    let patterns = patterns();
    for (number, right, wrong) in [
        ("01", "depends_on: [first], ", ""),
        ("03", "[quick, slow]\n", "[slow]\n"),
        ("04", "rows >= 1000", "rows >= 0 and false"),
        ("05", "trigger_rule: none_failed", "trigger_rule: all_success"),
        ("06", "if: outputs.alarm.theft", "if: outputs.alarm.smoke"),
        ("07", "[fire_brigade, ambulance, police]", "[fire_brigade, police]"),
        ("09", "trigger_rule: one_success", "trigger_rule: all_success"),
        ("12", "{name: next, depends_on: [begin]", "{name: next, depends_on: [letters]"),
        ("13", "shards: 2", "shards: 3"),
        ("18", "    if: outputs.close.at is not defined\n    run: echo accepted", "    run: echo accepted"),
        (
            "19",
            "timeout: 200ms, continue_on_error: true, run: sleep 60",
            "continue_on_error: true, run: sleep 0.01",
        ),
        ("21", "n >= 3", "n >= 2"),
        ("27", "    continue_on_error: true\n", ""),
        ("34", "tolerate: 2", "tolerate: 1"),
        ("37", "[pack, unpack, letter]", "[unpack, letter]"),
        ("17", "[\"parcel/${{ run.id }}\"]", "[{name: parcel, shared: true}]"),
        ("39", "[\"critical/${{ run.id }}\"]", "[{name: critical, shared: true}]"),
        ("40", "[\"checks/${{ run.id }}\"]", "[{name: checks, shared: true}]"),
        ("41", "shards: 3", "shards: 2"),
    ] {
        let text = patterns.iter().find(|(file, _)| file.starts_with(number)).unwrap().1;
        assert!(text.contains(right), "{number} has {right}");
        // What waits for what never comes need not wait as long as a slow machine may take.
        let text = text.replace(right, wrong).replace("timeout: 20s", "timeout: 1s");
        assert_ne!(untrue(&text), Vec::<String>::new(), "{number} without {right}");
    }
}

#[test]
fn the_documents_tell_all_43_patterns_and_link_each_that_is_there() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/patterns.md");
    let text = fs::read_to_string(docs).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
        .map(|line| line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect())
        .collect();
    let numbers: Vec<usize> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=43).collect::<Vec<usize>>());
    let mut linked = Vec::new();
    for row in &rows {
        let [number, name, there, how] = row[..] else { panic!("four cells: {row:?}") };
        let file = name.split_once("](../examples/patterns/").map(|(_, rest)| rest.trim_end_matches(')'));
        match there {
            "yes" | "in part" => {
                linked.push(file.unwrap_or_else(|| panic!("{number} links no file")).to_owned());
            }
            "no" => assert_eq!(file, None, "{number}"),
            _ => panic!("{number} is there, in part, or not: {there}"),
        }
        assert!(!how.is_empty(), "{number}");
        if let Some(file) = file {
            let head = fs::read_to_string(folder().join(file)).unwrap();
            let title = name.trim_start_matches('[').split(']').next().unwrap();
            assert!(head.starts_with(&format!("# WCP-{number}, {title}")), "{number}: {title}");
            let in_part = head.lines().next().unwrap().contains(", in part:");
            assert_eq!(in_part, there == "in part", "{number}: its head says the same");
        }
    }
    assert_eq!(linked, patterns().into_keys().collect::<Vec<String>>());
}
