//! What a terminal is given: none of a task's control codes but its colours. A pipe gets what the task printed.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::binary::{command, file, finish, until};
use crate::dev::Dev;

/// A script that prints what a terminal obeys: it clears the screen, sets the title, rings, writes over a line, opens
/// a link, turns text round, and colours.
const HOSTILE: &str = r"printf 'a\033[2Jb\033]0;title\007c\n\033[31mred\033[0m\n10%%\r100%%\n'; printf '\033]8;;http://x\033\\link\302\233\342\200\256evil\n'";

/// What `HOSTILE` prints, and what a terminal is to show of it.
const PRINTED: &str = "a\x1b[2Jb\x1b]0;title\x07c\n\x1b[31mred\x1b[0m\n10%\r100%\n\x1b]8;;http://x\x1b\\link\u{9b}\u{202e}evil\n";
const SHOWN: [&str; 4] =
    ["a^[[2Jb^[]0;title^Gc", "\x1b[31mred\x1b[0m", "^M100%", "^[]8;;http://x^[\\link<U+009B><U+202E>evil"];

/// Runs a command on a terminal of its own, and returns what that was sent.
fn on_a_terminal(command: &Command, folder: &Path, variables: &[(&str, &str)]) -> String {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''")))
        .collect();
    let mut script = Command::new("script");
    script.args(["-qec", &words.join(" "), "/dev/null"]).current_dir(folder).env_clear();
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.env("TERM", "xterm").env("SHELL", "/bin/sh").envs(variables.iter().copied());
    script.stdin(Stdio::null()).stdout(Stdio::piped());
    script.stderr(Stdio::piped());
    // A terminal begins each line at its left.
    finish(script.spawn().unwrap()).stdout.replace("\r\n", "\n")
}

#[test]
fn logs_on_a_terminal_show_control_codes_and_keep_colours_and_a_pipe_gets_all() {
    let dev = Dev::start(&[]);
    let id = dev.submit(HOSTILE);
    dev.ended(&id);
    let logs = |more: &[&str]| dev.command(&[&["runs", "logs", &id], more].concat());
    assert_eq!(finish(logs(&[]).spawn().unwrap()).with(0).stdout, PRINTED);
    let shown = on_a_terminal(&logs(&[]), dev.folder(), &[]);
    assert_eq!(shown.lines().collect::<Vec<_>>(), SHOWN);
    let raw = on_a_terminal(&logs(&["--raw"]), dev.folder(), &[]);
    assert_eq!(raw, PRINTED);
    let plain = on_a_terminal(&logs(&[]), dev.folder(), &[("NO_COLOR", "1")]);
    assert_eq!(plain.lines().nth(1), Some("red"));
}

#[test]
fn whoever_follows_a_run_on_a_terminal_is_shown_its_control_codes() {
    let dev = Dev::start(&[]);
    let id = dev.submit(HOSTILE);
    dev.ended(&id);
    let path =
        file(dev.folder(), "w.yaml", &format!("name: w\nsteps:\n- name: task\n  run: |-\n    {HOSTILE}\n"));
    let watch = dev.command(&["runs", "watch", &id]);
    let submit = dev.command(&["submit", "--follow", "--", HOSTILE]);
    let run = command(dev.folder(), &["run", "--follow", &path]);
    for (command, terminal) in
        [(&watch, "xterm"), (&submit, "xterm"), (&run, "xterm"), (&watch, "dumb"), (&run, "dumb")]
    {
        let shown = on_a_terminal(command, dev.folder(), &[("TERM", terminal)]);
        for line in SHOWN {
            let line = if terminal == "dumb" {
                line.replace("\x1b[31m", "").replace("\x1b[0m", "")
            } else {
                line.to_owned()
            };
            assert!(shown.contains(&line), "{command:?} on {terminal}: {line:?} is not in {shown:?}");
        }
        for code in ["\x1b[2J", "\x1b]", "\x07", "\r1", "\u{9b}", "\u{202e}"] {
            assert!(!shown.contains(code), "{command:?} on {terminal}: {code:?} is in {shown:?}");
        }
    }
    let raw = on_a_terminal(&dev.command(&["runs", "watch", "--raw", &id]), dev.folder(), &[]);
    assert!(raw.contains("\x1b]0;title\x07"), "{raw:?}");
}

#[test]
fn what_others_have_named_cannot_steer_a_terminal_either() {
    let dev = Dev::start(&[]);
    let text = "name: w\ndescription: \"\u{202e}txet\"\nsteps: [{name: one, run: 'true'}]\n";
    let path = file(dev.folder(), "w.yaml", text);
    dev.cli(&["apply", &path]).with(0);
    let body = serde_json::json!({"run": "true", "labels": {"a\u{1b}[2J": "\u{7}\u{202e}"}, "params": {"p": "\u{1b}[2J\u{7}\r\u{9b}x"}});
    let id = dev.post("/api/v1/runs", &body.to_string()).json(201)["run_id"].as_str().unwrap().to_owned();
    dev.ended(&id);
    for arguments in [
        &["runs", "get", &id][..],
        &["runs", "get", &id, "-o", "json"],
        &["runs", "list", "-o", "json"],
        &["workflows", "get", "w"],
        &["workflows", "list", "-o", "json"],
        &["runs", "get", "\u{1b}[2J\u{7}"],
    ] {
        let shown = on_a_terminal(&dev.command(arguments), dev.folder(), &[]);
        for code in ["\x1b[2J", "\x1b]", "\x07", "\r", "\u{9b}", "\u{202e}"] {
            assert!(!shown.contains(code), "{arguments:?}: {code:?} is in {shown:?}");
        }
    }
}

#[test]
fn a_follower_of_logs_ends_when_its_reader_goes_away() {
    let dev = Dev::start(&[]);
    let id = dev.submit("echo first; touch started; until [ -e go ]; do sleep 0.05; done");
    until("the task has started", || dev.path("started").exists().then_some(()));
    let pipeline = format!("{} runs logs -f {id} | head -1", env!("CARGO_BIN_EXE_millrace"));
    let mut pipe = Command::new("sh");
    pipe.args(["-c", &pipeline]).current_dir(dev.folder());
    pipe.env("MILLRACE_SERVER", format!("http://{}", dev.address));
    pipe.stdout(Stdio::piped()).stderr(Stdio::null());
    assert_eq!(finish(pipe.spawn().unwrap()).with(0).stdout, "first\n");
    assert_eq!(dev.run(&id)["state"], "running", "nothing else has ended it");
    std::fs::write(dev.path("go"), "").unwrap();
    // One whose output is a file, a device or nobody's reads on.
    let mut to_file = dev.command(&["runs", "logs", "-f", &id]);
    to_file.stdout(std::fs::File::create(dev.path("out")).unwrap());
    finish(to_file.spawn().unwrap()).with(0);
    assert_eq!(std::fs::read_to_string(dev.path("out")).unwrap(), "first\n");
}
