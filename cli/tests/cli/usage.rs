//! What is typed: wrong use ends with 2 and says what to write, a run is named by the beginning of its id, results are
//! one document, and waiting has an end.

use serde_json::{Value, json};

use crate::binary::{file, finish, millrace, until};
use crate::dev::Dev;

#[test]
fn an_argument_that_cannot_be_ends_with_2_and_says_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "w.yaml", "name: w\nsteps: [{name: one, run: 'true'}]\n");
    for (arguments, said) in [
        (&["submit", "--timeout", "30", "--", "true"][..], &["--timeout", "30s"][..]),
        (&["submit", "--timeout", "0s", "--", "true"], &["--timeout", "positive"]),
        (&["submit", "--delay", "5", "--", "true"], &["--delay", "5s"]),
        (&["submit", "--priority", "P7", "--", "true"], &["--priority", "P0 to P3"]),
        (&["submit", "--at", "tomorrow", "--", "true"], &["--at", "RFC 3339"]),
        (&["submit", "--pool", "A B", "--", "true"], &["--pool", "[a-z0-9]"]),
        (&["submit", "-p", "x", "--", "true"], &["--param", "NAME=VALUE"]),
        (&["submit", "--wait-timeout", "5s", "--", "true"], &["--follow"]),
        (&["run", &path, "--wait-timeout", "5"], &["--wait-timeout", "5s"]),
        (&["run", &path, "-p", "x"], &["--param", "NAME=VALUE"]),
        (&["workflows", "trigger", "w", "-p", "x"], &["--param", "NAME=VALUE"]),
        (&["workflows", "trigger", "w", "--wait-timeout", "5s"], &["--follow"]),
        (&["runs", "list", "--state", "runing"], &["similar value", "'running'", "timed_out"]),
        (&["runs", "list", "--workflow", "A B"], &["--workflow", "[a-z0-9]"]),
        (&["runs", "list", "--limit", "many"], &["--limit"]),
        (&["runs", "get"], &["<ID|--last>"]),
        (&["runs", "get", "abcd", "--last"], &["--last"]),
        (&["worker", "--label", "gpu"], &["--label", "KEY=VALUE"]),
        (&["worker", "--grace", "25"], &["--grace", "25s"]),
    ] {
        let ended = millrace(folder.path(), &[&["--server", "http://127.0.0.1:1"], arguments].concat());
        ended.with(2).says(said);
    }
}

#[test]
fn what_only_the_producer_finds_wrong_with_a_param_ends_with_2_as_well() {
    let dev = Dev::start(&[]);
    dev.cli(&["submit", "-p", "9x=1", "--", "true"]).with(2).says(&["9x"]);
    let path = file(
        dev.folder(),
        "w.yaml",
        "name: w\nparams: [{name: n, type: int}]\nsteps: [{name: one, run: 'true'}]\n",
    );
    dev.cli(&["apply", &path]).with(0);
    dev.cli(&["workflows", "trigger", "w"]).with(2).says(&["n"]);
}

#[test]
fn a_run_is_named_by_the_beginning_of_its_id_or_as_the_last_one() {
    let dev = Dev::start(&[]);
    dev.cli(&["runs", "get", "--last"]).with(5).says(&["no run yet"]);
    let ids: Vec<String> = (0..3).map(|n| dev.submit(&format!("echo {n}"))).collect();
    ids.iter().for_each(|id| drop(dev.ended(id)));
    let got = |arguments: &[&str]| {
        let run = dev.cli(&[&["runs", "get", "-o", "json"], arguments].concat()).with(0).json();
        run["id"].as_str().unwrap().to_owned()
    };
    let shared = |one: &str| {
        let others = ids.iter().filter(|id| *id != one);
        let same = |id: &String| one.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
        others.map(same).max().unwrap()
    };
    for id in &ids {
        let unique = &id[..(shared(id) + 1).max(4)];
        assert_eq!(got(&[unique]), *id);
        assert_eq!(got(&[&unique.to_uppercase().replace('-', "")]), *id);
    }
    let last = &ids[2];
    assert_eq!(got(&["--last"]), *last);
    assert_eq!(dev.cli(&["runs", "logs", "--last"]).with(0).stdout, "2\n");
    assert_eq!(dev.cli(&["runs", "logs", &last[..shared(last) + 1]]).with(0).stdout, "2\n");
    dev.cli(&["runs", "watch", "--last"]).with(0).says(&["task | 2"]);
    dev.cli(&["runs", "cancel", "--last"]).with(0);
    // Ids begin with their time: three of one minute share it.
    let ended = dev.cli(&["runs", "get", &last[..5]]).with(2);
    ended.says(&["3 runs begin with", &ids[0], &ids[1], &ids[2], "adhoc", "succeeded"]);
    dev.cli(&["runs", "get", "ffffffff"]).with(5).says(&["no run begins with", "ffffffff"]);
    dev.cli(&["runs", "get", "abc"]).with(2).says(&["too short"]);
}

#[test]
fn a_run_that_had_ended_is_not_said_to_be_stopped() {
    let dev = Dev::start(&[]);
    let id = dev.submit("echo broken >&2; exit 7");
    dev.ended(&id);
    let said = dev.cli(&["runs", "cancel", &id]).with(0).stdout;
    assert!(said.contains("had ended before: failed") && said.contains("exit code 7"), "{said}");
    let answer = dev.cli(&["runs", "cancel", &id, "-o", "json"]).with(0).json();
    assert_eq!((&answer["run_id"], &answer["state"]), (&json!(id), &json!("failed")));
    let running = dev.submit("touch started; sleep 600");
    until("the task has started", || dev.path("started").exists().then_some(()));
    assert!(dev.cli(&["runs", "cancel", &running]).with(0).stdout.contains("is being stopped"));
    dev.ended(&running);
}

#[test]
fn waiting_has_an_end_and_124_says_so() {
    let dev = Dev::start(&[]);
    let path = file(dev.folder(), "w.yaml", "name: w\nsteps: [{name: one, run: sleep 600}]\n");
    dev.cli(&["apply", &path]).with(0);
    for arguments in [
        &["submit", "--follow", "--wait-timeout", "300ms", "--", "sleep 600"][..],
        &["workflows", "trigger", "w", "--follow", "--wait-timeout", "300ms"],
        &["run", &path, "--wait-timeout", "300ms"],
        &["runs", "watch", "--last", "--wait-timeout", "300ms"],
    ] {
        dev.cli(arguments).with(124).says(&["has not ended within 300ms"]);
    }
    assert_eq!(
        dev.cli(&["runs", "list", "--state", "running", "-o", "json"])
            .with(0)
            .json()
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn json_is_one_document_and_jsonl_one_a_line() {
    let dev = Dev::start(&[]);
    let input = "{\"run\":\"echo a; echo b >&2\"}\n{\"rnu\":\"true\"}\n{\"uses\":\"noop\"}\n";
    let batch = dev.cli_reading(&["submit", "--batch", "-", "-o", "json"], input).with(1).json();
    assert_eq!(batch.as_array().unwrap().len(), 2, "{batch:#}");
    assert_eq!(dev.cli_reading(&["submit", "--batch", "-", "-o", "json"], "").with(0).json(), json!([]));
    let lines = dev.cli_reading(&["submit", "--batch", "-", "-o", "jsonl"], input).with(1).stdout;
    assert!(
        lines.lines().count() == 2 && lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok())
    );
    let id = batch[0]["run_id"].as_str().unwrap();
    dev.ended(id);
    for follow in [&[][..], &["-f"]] {
        let logs = dev.cli(&[&["runs", "logs", id, "-o", "json"], follow].concat()).with(0).json();
        let texts: Vec<&str> =
            logs.as_array().unwrap().iter().map(|chunk| chunk["text"].as_str().unwrap()).collect();
        assert!(texts.contains(&"a\n") && texts.contains(&"b\n"), "{logs:#}");
        assert_eq!((&logs[0]["step"], &logs[0]["attempt"]), (&json!("task"), &json!(1)));
    }
    let lines = dev.cli(&["runs", "logs", id, "-o", "jsonl"]).with(0).stdout;
    assert_eq!(lines.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 2);
    let noop = batch[1]["run_id"].as_str().unwrap();
    dev.ended(noop);
    assert_eq!(dev.cli(&["runs", "logs", noop, "-o", "json"]).with(0).json(), json!([]));
    let folder = tempfile::tempdir().unwrap();
    let token = millrace(folder.path(), &["token", "show", "--token", "t0ken", "-o", "json"]).with(0).json();
    assert_eq!(token, json!({"token": "t0ken"}));
}

/// Asks bash what it would offer after these words.
fn offered(folder: &std::path::Path, words: &[&str]) -> String {
    let script = millrace(folder, &["completion", "bash"]).with(0).stdout;
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let ask = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_millrace millrace \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\necho \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words.len() - 1
    );
    // It is longer than an argument may be.
    let scripts = tempfile::tempdir().unwrap();
    file(scripts.path(), "ask.sh", &ask);
    let mut bash = std::process::Command::new("bash");
    bash.arg("--norc").arg(scripts.path().join("ask.sh")).current_dir(folder);
    bash.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    finish(bash.spawn().unwrap()).with(0).stdout.trim().to_owned()
}

#[test]
fn completions_offer_values_where_they_are_known_and_files_for_files_only() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "a_file.yaml", "");
    let offered = |words: &[&str]| offered(folder.path(), words);
    let states = offered(&["millrace", "runs", "list", "--state", ""]);
    assert_eq!(states, "waiting running succeeded failed timed_out cancelled skipped");
    for words in [
        &["millrace", "runs", "list", "--workflow", ""][..],
        &["millrace", "submit", "--priority", ""],
        &["millrace", "submit", "--delay", ""],
        &["millrace", "workflows", "trigger", "--key", ""],
        &["millrace", "worker", "--pool", ""],
    ] {
        assert_eq!(offered(words), "", "{words:?}");
    }
    assert!(offered(&["millrace", "submit", "--batch", ""]).contains("a_file.yaml"));
    let zsh = millrace(folder.path(), &["completion", "zsh"]).with(0).stdout;
    let state = zsh.lines().find(|line| line.contains("--state=")).unwrap();
    assert!(state.contains("(waiting running succeeded failed timed_out cancelled skipped)"), "{state}");
    assert!(
        zsh.lines().filter(|line| line.contains("--key=")).all(|line| !line.contains("_default")),
        "{zsh}"
    );
    let fish = millrace(folder.path(), &["completion", "fish"]).with(0).stdout;
    let state = fish.lines().find(|line| line.contains("-l state")).unwrap();
    assert!(
        state.contains("-r -f -a \"waiting") || state.contains("-x -a") || fish.contains("waiting\\t"),
        "{state}"
    );
    assert!(
        fish.lines()
            .filter(|line| line.contains("-l key"))
            .all(|line| line.ends_with("-r -f") || line.contains("-r -f")),
        "{fish}"
    );
}
