//! A `millrace dev` of a test: on a free port, with a state of its own. Also what `dev` itself promises at its start.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::binary::{Ended, command, file, finish, finish_reading, millrace, until};
use crate::http::{self, Answer};

/// The arguments that every server of a test is started with.
const FIXED: [&str; 5] = ["dev", "--listen", "127.0.0.1:0", "--data", "state"];

/// A running `millrace dev`. It ends with this value.
pub(crate) struct Dev {
    child: Child,
    /// The address of the API: `127.0.0.1:port`.
    pub(crate) address: String,
    /// What the server has written to standard error so far.
    pub(crate) said: Arc<Mutex<String>>,
    folder: Arc<TempDir>,
}

impl Dev {
    /// Starts a server in a folder of its own.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), arguments)
    }

    /// Starts a server in a folder that may hold the state of an earlier one.
    pub(crate) fn start_in(folder: Arc<TempDir>, arguments: &[&str]) -> Self {
        let command = command(folder.path(), &[&FIXED, arguments].concat());
        Self::of(folder, command)
    }

    /// Starts a server in a folder, with variables beside those that every one has.
    pub(crate) fn start_with(folder: Arc<TempDir>, arguments: &[&str], variables: &[(&str, String)]) -> Self {
        let mut command = command(folder.path(), &[&FIXED, arguments].concat());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        Self::of(folder, command)
    }

    /// Starts a server that may have so many files open, and cannot raise that.
    pub(crate) fn start_with_files(limit: u32, arguments: &[&str]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let plain = command(folder.path(), &[]);
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh"]).arg(plain.get_program());
        limited.args(FIXED).args(arguments).current_dir(folder.path());
        limited.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::of(folder, limited)
    }

    fn of(folder: Arc<TempDir>, mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::clone(&said);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut said = lines.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        let address = until("dev says where it listens", || {
            let said = said.lock().unwrap();
            let (_, rest) = said.split_once("millrace dev: http://")?;
            Some(rest.split(',').next()?.to_owned())
        });
        Self { child, address, said, folder }
    }

    /// The folder of the server: relative paths of commands start here too.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the server, for another one to go on with.
    pub(crate) fn shared_folder(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }

    /// A path in the folder of the server.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Makes a command line against the server, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.folder(), arguments);
        command.env("MILLRACE_SERVER", format!("http://{}", self.address));
        command
    }

    /// Runs a command against the server.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Ended {
        finish(self.command(arguments).spawn().unwrap())
    }

    /// Runs a command against the server, with something on standard input.
    pub(crate) fn cli_reading(&self, arguments: &[&str], input: &str) -> Ended {
        finish_reading(self.command(arguments), input)
    }

    /// Submits a shell command, and returns the id of its run.
    #[track_caller]
    pub(crate) fn submit(&self, script: &str) -> String {
        self.cli(&["submit", "--", script]).with(0).stdout.trim().to_owned()
    }

    /// A run as the API shows it.
    #[track_caller]
    pub(crate) fn run(&self, id: &str) -> Value {
        http::get(&self.address, &format!("/api/v1/runs/{id}")).json(200)
    }

    /// Waits until a run is in one of these states, and returns it.
    #[track_caller]
    pub(crate) fn run_in(&self, id: &str, states: &[&str]) -> Value {
        until(&format!("run {id} is {}", states.join(" or ")), || {
            Some(self.run(id)).filter(|run| states.iter().any(|state| run["state"] == *state))
        })
    }

    /// Waits until a run has ended, and returns it.
    #[track_caller]
    pub(crate) fn ended(&self, id: &str) -> Value {
        self.run_in(id, &["succeeded", "failed", "timed_out", "cancelled", "skipped"])
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        http::get(&self.address, path)
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        http::post(&self.address, path, body)
    }

    /// The bytes of memory that the server has.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Ends the server as a crash would.
    pub(crate) fn crash(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends the server as an operator would, and returns its exit code.
    pub(crate) fn stop(mut self) -> i32 {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        until("dev ends on SIGTERM", || self.child.try_wait().unwrap()).code().unwrap_or(-1)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_second_dev_on_the_same_state_is_refused_and_the_first_goes_on() {
    let dev = Dev::start(&[]);
    let second = millrace(dev.folder(), &["dev", "--listen", "127.0.0.1:0", "--data", "state"]).with(1);
    second.says(&["state is in use by another millrace dev", "--data"]);
    assert_eq!(dev.get("/readyz").status, 200);
}

#[test]
fn a_state_that_is_removed_while_dev_runs_is_told_at_once() {
    let dev = Dev::start(&[]);
    std::fs::remove_dir_all(dev.path("state")).unwrap();
    until("dev says that its state is gone", || {
        let said = dev.said.lock().unwrap();
        said.contains("ERROR").then(|| said.contains("was removed or replaced")).filter(|told| *told)
    });
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let dev = Dev::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let second = millrace(folder.path(), &["dev", "--listen", &dev.address]).with(1);
    second.says(&[&dev.address, "in use", "--listen"]);
    assert!(!folder.path().join(".millrace").exists(), "a refused start leaves nothing behind");
}

#[test]
fn listening_for_others_needs_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let refused = millrace(folder.path(), &["dev", "--listen", "0.0.0.0:0"]).with(2);
    refused.says(&["0.0.0.0:0", "MILLRACE_TOKEN", "127.0.0.1"]);
}

#[test]
fn the_state_is_for_its_owner_alone() {
    let dev = Dev::start(&[]);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dev.path("state")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn dev_stores_its_files_at_the_start_and_refuses_a_broken_one_with_its_place() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let good = file(folder.path(), "good.yaml", "name: good\nsteps:\n  - {name: one, run: pwd}\n");
    let bad = file(folder.path(), "bad.yaml", "name: bad\nsteps:\n  - {name: one, rnu: 'true'}\n");
    let refused =
        millrace(folder.path(), &["dev", "--listen", "127.0.0.1:0", "--data", "state", &good, &bad]).with(1);
    refused.says(&["bad.yaml:3:", "rnu", "did you mean"]);
    let dev = Dev::start_in(folder, &[&good]);
    let id = dev.cli(&["workflows", "trigger", "good"]).with(0).stdout.trim().to_owned();
    assert_eq!(dev.ended(&id)["state"], "succeeded");
    let here = dev.folder().canonicalize().unwrap();
    assert_eq!(dev.cli(&["runs", "logs", &id]).with(0).stdout.trim(), here.to_str().unwrap());
}

#[test]
fn dev_tells_of_each_run_that_fails_in_a_line_and_of_a_storm_in_a_few() {
    let dev = Dev::start(&[]);
    let path =
        file(dev.folder(), "w.yaml", "name: w\nsteps: [{name: one, run: 'echo no disk >&2; exit 7'}]\n");
    dev.cli(&["apply", &path]).with(0);
    let id = dev.cli(&["workflows", "trigger", "w"]).with(0).stdout.trim().to_owned();
    let line = until("dev tells of it", || {
        let said = dev.said.lock().unwrap();
        said.lines().find(|line| line.contains(&id)).map(str::to_owned)
    });
    for part in ["a run failed", "workflow=w", "step one: exit code 7: no disk"] {
        assert!(line.contains(part), "{part:?} in {line}");
    }
    let good = dev.submit("true");
    dev.ended(&good);
    let input = "{\"run\":\"exit 1\"}\n".repeat(300);
    dev.cli_reading(&["submit", "--batch", "-"], &input).with(0);
    let counted = |said: &str| -> usize {
        let more =
            said.lines().filter_map(|line| line.split_once("and ")?.1.strip_suffix(" more runs failed"));
        more.map(|count| count.parse::<usize>().unwrap()).sum()
    };
    until("all are told or counted", || {
        let said = dev.said.lock().unwrap();
        (said.matches("a run failed").count() + counted(&said) == 301).then_some(())
    });
    let said = dev.said.lock().unwrap();
    assert!(counted(&said) > 0 && said.matches("a run failed").count() < 200, "{said}");
    assert!(!said.contains(&good), "{said}");
}

#[test]
fn dev_lists_what_was_stored_before_since_it_goes_on_firing() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let one = file(
        folder.path(),
        "one.yaml",
        "name: first\nschedule: '0 2 * * *'\nsteps: [{name: one, run: 'true'}]\n",
    );
    let two = file(folder.path(), "two.yaml", "name: second\nsteps: [{name: one, run: 'true'}]\n");
    let dev = Dev::start_in(Arc::clone(&folder), &[&one]);
    assert!(!dev.said.lock().unwrap().contains("also stored"));
    dev.stop();
    let dev = Dev::start_in(Arc::clone(&folder), &[&two]);
    until("dev lists it", || {
        let said = dev.said.lock().unwrap();
        said.contains("also stored: first, version 1, fires next at ").then_some(())
    });
    dev.cli(&["workflows", "pause", "first"]).with(0);
    dev.stop();
    let dev = Dev::start_in(folder, &[&two]);
    until("dev lists it", || {
        dev.said.lock().unwrap().contains("also stored: first, version 1, paused").then_some(())
    });
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    for data in ["/proc/nowhere/state", "/proc"] {
        let ended = millrace(folder.path(), &["dev", "--listen", "127.0.0.1:0", "--data", data]).with(1);
        ended.says(&["the state cannot be kept in", data, "--data DIR"]);
    }
}
