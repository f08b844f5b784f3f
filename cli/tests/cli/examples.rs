//! Every example runs as its first lines say, with nothing but the binary.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{millrace, step};

/// A copy of the examples: some write beside themselves.
struct Examples(TempDir);

impl Examples {
    fn new() -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples"), copy.path());
        Self(copy)
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Runs an example, and returns its run as `--output json` shows it.
fn run(arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let ended = millrace(folder.path(), &[&["run", "--output", "json"], arguments].concat()).with(0);
    ended.json()
}

/// Runs an example, and returns what a follower sees on standard error.
fn followed(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let ended = millrace(folder.path(), &[&["run", "--follow"], arguments].concat()).with(0);
    assert!(ended.stdout.contains(" succeeded in "), "{}", ended.stdout);
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    assert!(!ended.stderr.contains('\x1b'), "control codes without a terminal: {:?}", ended.stderr);
    ended.stderr
}

#[test]
fn every_example_is_run_here() {
    let mut names: Vec<String> = std::fs::read_dir(Examples::new().0.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    names.sort();
    let all = [
        "ai_training",
        "close_day",
        "crontab_like",
        "daily_sales",
        "diamond",
        "digest",
        "etl",
        "hello",
        "month_end",
        "reconciliation",
        "release",
        "retry",
        "sync",
        "word_count",
    ];
    assert_eq!(names, all.map(|name| format!("{name}.yaml")));
}

#[test]
fn hello_greets_the_world_and_whom_it_is_told_to() {
    let examples = Examples::new();
    assert!(followed(&[&examples.file("hello.yaml")]).contains("greet | hello, world\n"));
    let seen = followed(&[&examples.file("hello.yaml"), "-p", "who=$(id) Ada"]);
    assert!(seen.contains("greet | hello, $(id) Ada\n"), "a value is never code: {seen}");
    assert!(seen.contains("✔ greet succeeded"), "{seen}");
}

#[test]
fn diamond_joins_what_its_two_branches_found() {
    let examples = Examples::new();
    let run = run(&[&examples.file("diamond.yaml"), "-p", "n=10"]);
    assert_eq!(run["state"], "succeeded");
    assert_eq!(run["params"], json!({"n": 10}));
    assert_eq!(step(&run, "count")["outputs"], json!({"first": "1", "last": "10"}));
    assert_eq!(step(&run, "sum")["outputs"], json!({"total": "55"}));
    assert_eq!(step(&run, "squares")["outputs"], json!({"total": "385"}));
    let seen = followed(&[&examples.file("diamond.yaml")]);
    assert!(seen.contains("report | n=100 sum=5050 squares=338350\n"), "{seen}");
}

#[test]
fn retry_succeeds_at_its_third_attempt() {
    let examples = Examples::new();
    let run = run(&[&examples.file("retry.yaml")]);
    assert_eq!(step(&run, "flaky")["attempt"], 3);
    assert_eq!(step(&run, "flaky")["outputs"], json!({"attempts": "3"}));
    assert_eq!(step(&run, "after")["attempt"], 1);
    let seen = followed(&[&examples.file("retry.yaml")]);
    for part in
        ["flaky | attempt 1", "flaky | attempt 2", "flaky | attempt 3", "exit code 1: not yet", "(attempt 3)"]
    {
        assert!(seen.contains(part), "{part} in {seen}");
    }
    assert!(seen.contains("after | the step before took 3 attempts\n"), "{seen}");
}

#[test]
fn release_asks_people_and_goes_by_its_defaults_when_nobody_answers() {
    let examples = Examples::new();
    let run = run(&[&examples.file("release.yaml")]);
    assert_eq!(step(&run, "how_much")["outputs"], json!({"share": 10, "region": "all"}));
    let told = "nobody approved within 2s, and it is approved by default";
    assert_eq!(step(&run, "sign_off")["reason"], told);
    assert_eq!(step(&run, "sign_off")["outputs"], json!({"approved": true, "by": [], "comment": ""}));
    assert_eq!(step(&run, "ship")["outputs"], json!({"share": "10"}));
    let seen = followed(&[&examples.file("release.yaml")]);
    assert!(seen.contains("ship | shipping 1.2.0 to 10%, approved by default\n"), "{seen}");
    assert!(seen.contains("how_much waits for share (int) and region"), "{seen}");
    assert!(seen.contains("nobody can answer a run without a server (use millrace dev)"), "{seen}");
}

#[test]
fn daily_sales_writes_its_report_beside_itself() {
    let examples = Examples::new();
    let run = run(&[&examples.file("daily_sales.yaml"), "-p", "date=1997-02-14", "-p", "days=14"]);
    let states: Vec<(&str, &str)> = run["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["name"].as_str().unwrap(), step["state"].as_str().unwrap()))
        .collect();
    let names = ["extract", "clean_orders", "clean_customers", "clean_units", "aggregate", "render", "tidy"];
    assert_eq!(states, names.map(|name| (name, "succeeded")));
    let report = step(&run, "render")["outputs"]["report"].as_str().unwrap();
    assert!(report.ends_with("daily_sales/report/daily_sales_1997-02-14.html"), "{report}");
    let page = std::fs::read_to_string(report).unwrap();
    let revenue = step(&run, "aggregate")["outputs"]["revenue"].as_str().unwrap();
    assert!(page.contains("<svg") && page.len() > 10_000, "{} bytes", page.len());
    assert!(revenue.parse::<f64>().unwrap() > 0.0, "{revenue}");
}

#[test]
fn daily_sales_of_a_day_without_orders_fails_and_says_which_days_there_are() {
    let examples = Examples::new();
    let folder = tempfile::tempdir().unwrap();
    let file = examples.file("daily_sales.yaml");
    let ended = millrace(folder.path(), &["run", &file, "-p", "date=1999-01-01", "--output", "json"]).with(3);
    let run = ended.json();
    assert_eq!(run["state"], "failed");
    assert_eq!(step(&run, "extract")["attempt"], 1, "only a stall is worth another try");
    let reason = step(&run, "extract")["reason"].as_str().unwrap();
    assert!(reason.contains("1997-02"), "{reason}");
    assert_eq!(step(&run, "tidy")["state"], "skipped");
}

/// The states of the steps of a run, by their names.
fn states(run: &Value) -> Vec<(String, String)> {
    let steps = run["steps"].as_array().unwrap().iter();
    let text = |step: &Value, field: &str| step[field].as_str().unwrap().to_owned();
    steps.map(|step| (text(step, "name"), text(step, "state"))).collect()
}

#[test]
fn etl_takes_one_of_its_branches_and_cleans_up_in_any_case() {
    let examples = Examples::new();
    let file = examples.file("etl.yaml");
    let skipped = |arguments: &[&str], status: i32| {
        let folder = tempfile::tempdir().unwrap();
        let all = [&["run", "--output", "json", &file], arguments].concat();
        let run = millrace(folder.path(), &all).with(status).json();
        let work = step(&run, "extract")["outputs"]["work"].as_str().unwrap().to_owned();
        assert!(!Path::new(&work).exists(), "{work} is left");
        let of = |state: &str| {
            states(&run).into_iter().filter(|(_, is)| is == state).map(|(name, _)| name).collect()
        };
        (of("skipped"), of("failed"), step(&run, "publish")["outputs"]["total"].clone())
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let total = json!("299060.17");
    assert_eq!(skipped(&[], 0), (names(&["load_in_pieces", "refuse"]), names(&[]), total.clone()));
    assert_eq!(skipped(&["-p", "small=1000"], 0), (names(&["load_at_once", "refuse"]), names(&[]), total));
    let refused = (names(&["load_at_once", "load_in_pieces", "publish"]), names(&["refuse"]), Value::Null);
    assert_eq!(skipped(&["-p", "most_bad=0.0001"], 3), refused);
}

#[test]
fn reconciliation_finds_what_was_planted_and_nothing_else() {
    let examples = Examples::new();
    let file = examples.file("reconciliation.yaml");
    let planted = run(&[&file]);
    let found = json!({"amount": 1, "missing": 1, "twice": 1, "cases": 3});
    assert_eq!(step(&planted, "compare")["outputs"], found);
    assert_eq!(planted["outputs"], json!({"hour": 7, "cases": 3}));
    assert_eq!(
        (&step(&planted, "settle")["state"], &step(&planted, "open_cases")["state"]),
        (&json!("skipped"), &json!("succeeded"))
    );
    let none = run(&[&file, "-p", "planted=0"]);
    assert_eq!(step(&none, "compare")["outputs"]["cases"], 0);
    assert_eq!(step(&none, "settle")["state"], "succeeded");
    let many = run(&[&file, "-p", "planted=30"]);
    assert_eq!(
        (&many["state"], &step(&many, "call_somebody")["state"]),
        (&json!("succeeded"), &json!("failed"))
    );
    assert_eq!(step(&many, "close_the_hour")["state"], "succeeded");
}

#[test]
fn word_count_puts_its_chapters_together_to_what_a_direct_count_finds() {
    let examples = Examples::new();
    let file = examples.file("word_count.yaml");
    let run = run(&[&file, "-p", "top=3"]);
    assert_eq!(step(&run, "count")["items"]["succeeded"], 8, "seven chapters, and the title");
    let merged =
        json!({"words": 9734, "different": 1693, "by_part": [6, 853, 798, 1701, 1066, 963, 2354, 1993]});
    assert_eq!(step(&run, "merge")["outputs"], merged);
    let top = json!({"top": [["the", 335, 1], ["to", 320, 1], ["and", 276, 0]]});
    assert_eq!(step(&run, "report")["outputs"], top);
    let seen = followed(&[&file]);
    assert!(seen.contains("check | a direct count finds the same 1693 words\n"), "{seen}");

    let folder = tempfile::tempdir().unwrap();
    let none = millrace(folder.path(), &["run", &file, "-p", "text=README.md", "-o", "json"]).with(3).json();
    let reason = step(&none, "split")["reason"].as_str().unwrap();
    assert!(reason.contains("README.md has no chapters"), "{reason}");
}

#[test]
fn ai_training_finds_the_settings_that_are_known_to_be_the_best_and_deploys_what_is_good_enough() {
    let examples = Examples::new();
    let (file, deployed) = (examples.file("ai_training.yaml"), examples.file("ai_training/deployed/model"));
    // Whoever has run the example in the checkout has a model there, which is copied.
    let _ = std::fs::remove_dir_all(examples.file("ai_training/deployed"));
    let model = || std::fs::read_to_string(&deployed).ok();
    let run = |arguments: &[&str], status: i32| {
        let folder = tempfile::tempdir().unwrap();
        let all = [&["run", "--output", "json", &file], arguments].concat();
        let run = millrace(folder.path(), &all).with(status).json();
        let work = format!("/tmp/millrace_ai_training_{}", run["id"].as_str().unwrap());
        assert!(!Path::new(&work).exists(), "{work} is left");
        run
    };
    let state = |run: &Value, name: &str| step(run, name)["state"].as_str().unwrap().to_owned();

    let none_is_good_enough = run(&["-p", "good_enough=0.9999"], 0);
    let seen = ["deploy", "keep", "roll_back", "tell"].map(|name| state(&none_is_good_enough, name));
    assert_eq!((seen, model()), (["skipped", "succeeded", "skipped", "skipped"].map(str::to_owned), None));

    let fails_its_trial = run(&["-p", "bearable=0"], 3);
    let seen = ["deploy", "keep", "roll_back", "tell"].map(|name| state(&fails_its_trial, name));
    assert_eq!((seen, model()), (["failed", "skipped", "succeeded", "succeeded"].map(str::to_owned), None));

    let good = run(&[], 0);
    let items = |name: &str| (&step(&good, name)["items"]["total"], &step(&good, name)["items"]["failed"]);
    assert_eq!(items("train"), (&json!(9), &json!(2)), "too high a rate goes astray, which is tolerated");
    assert_eq!(items("evaluate"), (&json!(7), &json!(0)));
    let best = json!({"epochs": 30, "rate": 0.5, "score": 0.9885, "weights": "2.0033 3.0055 -0.9825"});
    assert_eq!(step(&good, "choose")["outputs"], best, "close to 2, 3 and -1, of which the data were made");
    assert_eq!(model().unwrap(), "2.0033 3.0055 -0.9825\n");

    let worse = run(&["-p", "bearable=0", "-p", "seed=5"], 3);
    assert_ne!(step(&worse, "choose")["outputs"], best);
    assert_eq!(model().unwrap(), "2.0033 3.0055 -0.9825\n", "what was deployed before is back");
}

#[test]
fn close_day_closes_each_shop_in_a_run_of_its_own_and_says_which_has_failed() {
    let examples = Examples::new();
    let file = examples.file("close_day.yaml");
    let close = |arguments: &[&str], status: i32| {
        let folder = tempfile::tempdir().unwrap();
        let all = [&["run", "--output", "json", &file, "--workflow"], arguments].concat();
        millrace(folder.path(), &all).with(status).json()
    };
    let day = close(&["close_day"], 0);
    let of_shops = ["station", "harbour", "market", "airport"].map(|shop| {
        let alone = close(&["close_shop", "-p", &format!("shop={shop}")], 0);
        alone["outputs"]["takings"].as_i64().unwrap()
    });
    assert_eq!(day["outputs"], json!({"takings": of_shops.iter().sum::<i64>(), "best": "market"}));
    assert_eq!(step(&day, "shops")["items"]["succeeded"], 4);
    assert!(step(&day, "archive")["outputs"]["run_id"].is_string());
    let missing = close(&["close_day", "-p", "missing=harbour"], 3);
    let reason = missing["reason"].as_str().unwrap();
    assert!(
        reason.starts_with(
            "step shops: 1 of 4 items failed; item 1: workflow close_shop failed: step receipts:"
        ),
        "{reason}"
    );
    assert!(reason.ends_with("no receipts of harbour came in for 2026-03-02"), "{reason}");
    assert_eq!(step(&missing, "tell")["state"], "succeeded");
}

#[test]
fn month_end_loses_no_posting_although_all_regions_post_at_once() {
    let examples = Examples::new();
    let file = examples.file("month_end.yaml");
    let folder = tempfile::tempdir().unwrap();
    let month = millrace(folder.path(), &["run", "--output", "json", &file]).with(0).json();
    assert_eq!(month["outputs"], json!({"balance": 400}));
    assert_eq!(step(&month, "transfers")["items"]["succeeded"], 4);
}

#[test]
fn digest_fetches_five_a_second_and_gives_back_what_the_model_did_not_need() {
    let examples = Examples::new();
    let (file, folder) = (examples.file("digest.yaml"), tempfile::tempdir().unwrap());
    let digest = millrace(folder.path(), &["run", "--output", "json", &file]).with(0).json();
    let took = |name: &str| {
        let instant = |field: &str| {
            let text = step(&digest, name)[field].as_str().unwrap().to_owned();
            text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
        };
        instant("ended_at") - instant("started_at")
    };
    // Of eight articles five are fetched at once, and the others a second later.
    assert!((1_000..5_000).contains(&took("fetch")), "{}", took("fetch"));
    // All of them together may need more than there is, and use less.
    assert!(took("sum_up") < 9_000, "{}", took("sum_up"));
}

#[test]
fn sync_serves_all_who_ask_at_once_by_as_few_runs_as_it_takes() {
    let examples = Examples::new();
    let (file, folder) = (examples.file("sync.yaml"), tempfile::tempdir().unwrap());
    let place = format!("place={}", folder.path().join("busy").display());
    let arguments = ["run", "--output", "json", &file, "--workflow", "rush", "-p", &place];
    let rush = millrace(folder.path(), &arguments).with(0).json();
    let items = &step(&rush, "ask")["items"];
    assert_eq!((&items["succeeded"], &items["skipped"]), (&json!(3), &json!(2)));
}

#[test]
fn crontab_like_is_valid_and_each_of_its_jobs_runs_by_name() {
    let examples = Examples::new();
    let folder = tempfile::tempdir().unwrap();
    let file = examples.file("crontab_like.yaml");
    let names =
        ["disk_usage", "pack_logs", "clean_old_files", "heartbeat", "end_of_century", "opening_bells"];
    let valid = millrace(folder.path(), &["validate", &file, "--output", "json"]).with(0).json();
    assert_eq!(valid[0]["workflows"], json!(names));
    for name in names {
        let ended = millrace(folder.path(), &["run", &file, "--workflow", name, "--output", "json"]).with(0);
        assert_eq!(ended.json()["workflow"], name);
    }
    let kept = folder.path().join(".cache/millrace_crontab");
    for name in ["heartbeat", "notes", "bells"] {
        assert!(kept.join(name).exists(), "{name}");
    }
    let unnamed = millrace(folder.path(), &["run", &file]).with(2);
    unnamed.says(&["disk_usage, pack_logs", "--workflow"]);
}
