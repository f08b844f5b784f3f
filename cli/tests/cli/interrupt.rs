//! Ctrl-C: the command ends with 130; what it ran itself is gone, what runs elsewhere goes on.

use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::binary::{command, file, finish, until};
use crate::dev::Dev;
use crate::run::is_alive;

fn interrupt(child: &Child) {
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
}

#[test]
fn an_interrupted_embedded_run_ends_with_130_and_its_tasks_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "slow.yaml",
        "name: slow\nsteps: [{name: one, run: 'sleep 600 & echo $$ $! > pids; wait'}]\n",
    );
    for follow in [&["--follow"][..], &[]] {
        let _ = std::fs::remove_file(folder.path().join("pids"));
        let child = command(folder.path(), &[&["run", &path], follow].concat()).spawn().unwrap();
        let pids = until("the task has started", || {
            std::fs::read_to_string(folder.path().join("pids")).ok().filter(|pids| pids.ends_with('\n'))
        });
        interrupt(&child);
        let ended = finish(child).with(130);
        assert!(
            ended.stderr.ends_with("millrace: interrupted\n") && !ended.stderr.contains("WARN"),
            "{ended:?}"
        );
        for pid in pids.split_whitespace() {
            until("the task is gone", || (!is_alive(pid)).then_some(()));
        }
    }
}

#[test]
fn an_interrupted_follower_of_a_server_ends_with_130_and_the_run_goes_on() {
    let dev = Dev::start(&[]);
    let child =
        dev.command(&["submit", "--follow", "--", "touch started; until [ -e go ]; do sleep 0.05; done"]);
    let child = { child }.spawn().unwrap();
    until("the task has started", || dev.path("started").exists().then_some(()));
    interrupt(&child);
    let ended = finish(child).with(130);
    let id = dev.get("/api/v1/runs").json(200)["runs"][0]["id"].as_str().unwrap().to_owned();
    ended.says(&["interrupted", &format!("millrace runs watch {id}")]);
    assert_eq!(dev.run(&id)["state"], "running");
    std::fs::write(dev.path("go"), "").unwrap();
    assert_eq!(dev.ended(&id)["state"], "succeeded");
}

#[test]
fn dev_ends_with_0_on_sigterm_although_a_task_is_running() {
    let dev = Dev::start(&[]);
    let id = dev.submit("touch started; sleep 600");
    until("the task has started", || dev.path("started").exists().then_some(()));
    let folder = dev.shared_folder();
    assert_eq!(dev.stop(), 0);
    let again = Dev::start_in(folder, &[]);
    assert_eq!(again.run(&id)["steps"][0]["lost"], serde_json::Value::Null, "a drain is no loss");
}
