//! The roles of a fleet when their servers are wrong or absent: they say so, hide secrets, and keep trying.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Child;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::binary::{command, millrace, until};
use crate::http;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_url_of_another_kind_is_refused_with_what_is_expected_and_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    for role in ["producer", "worker", "doctor"] {
        let wrong = [role, "--amqp-url", "http://me:s3cret@host:15672"];
        let ended = millrace(folder.path(), &wrong);
        assert!([1, 2].contains(&ended.code), "{ended:?}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(
            said.contains("MILLRACE_AMQP_URL") && said.contains("amqp://") && !said.contains("s3cret"),
            "{said}"
        );
    }
    millrace(folder.path(), &["producer", "--redis-url", "localhost:6379"])
        .with(2)
        .says(&["MILLRACE_REDIS_URL", "redis://"]);
    millrace(folder.path(), &["producer", "--prefix", "a b"]).with(2).says(&["MILLRACE_PREFIX"]);
    millrace(folder.path(), &["producer", "--listen", "0.0.0.0:0"]).with(2).says(&["MILLRACE_TOKEN"]);
    millrace(folder.path(), &["worker", "--pool", "No Pool"]).with(2).says(&["--pool"]);
    crate::binary::file(folder.path(), "millrace.toml", "amqp_ulr = 'x'\n");
    millrace(folder.path(), &["producer"]).with(2).says(&["millrace.toml", "amqp_ulr"]);
}

#[test]
fn a_producer_whose_servers_do_not_answer_says_which_stays_alive_and_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    // Free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let arguments = [
        "producer",
        "--listen",
        &address,
        "--amqp-url",
        "amqp://me:s3cret@127.0.0.1:1/%2f",
        "--redis-url",
        "redis://:s3cret@127.0.0.1:1/0",
    ];
    let mut child = command(folder.path(), &arguments).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let server = Server(child);
    let (sender, lines) = channel();
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    until("it listens", || std::net::TcpStream::connect(&address).ok());
    assert_eq!(http::get(&address, "/healthz").status, 200);
    http::get(&address, "/readyz").refusal(503, "starting");
    http::get(&address, "/api/v1/runs").refusal(503, "starting");
    let mut said = String::new();
    let mut complaints = 0;
    while complaints < 3 {
        let line = lines.recv_timeout(Duration::from_secs(30)).expect("it keeps saying that it waits");
        complaints += usize::from(line.contains("waiting for the store"));
        said.push_str(&line);
        said.push('\n');
    }
    assert!(said.contains("redis://:***@127.0.0.1:1/0") && said.contains("refused"), "{said}");
    assert!(said.contains("amqp://me:***@127.0.0.1:1/%2f"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    drop(server);
}

/// The URLs of servers where nobody listens.
const NOBODY: (&str, &str) = ("amqp://me:s3cret@127.0.0.1:1/%2f", "redis://:s3cret@127.0.0.1:1/0");

/// Runs `doctor`, and returns its findings, by what was checked: whether it is well, and what there is to say.
fn doctor(amqp: &str, redis: &str) -> Vec<(String, bool, String)> {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["doctor", "-o", "json", "--amqp-url", amqp, "--redis-url", redis];
    let ended = millrace(folder.path(), &arguments).with(1);
    assert!(!format!("{ended:?}").contains("s3cret"), "{ended:?}");
    let text = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap().to_owned();
    let findings = ended.json();
    let all = findings.as_array().unwrap().iter();
    all.map(|one| (text(one, "check"), one["ok"] == true, text(one, "detail"))).collect()
}

#[track_caller]
fn found<'a>(findings: &'a [(String, bool, String)], check: &str, ok: bool) -> &'a str {
    let (_, is_ok, detail) = findings.iter().find(|(name, ..)| name == check).expect(check);
    assert_eq!(*is_ok, ok, "{check}: {detail}");
    detail
}

#[test]
fn doctor_says_what_is_wrong_with_each_server_as_the_log_does_and_checks_them_all() {
    let servers = millrace_servers::shared();
    let unsafe_store = millrace_servers::Redis::start(&["--appendonly", "no"]);
    let findings = doctor(&servers.amqp_url, &unsafe_store.url());
    assert!(found(&findings, "broker", true).contains("answers"));
    assert!(found(&findings, "store", false).contains("appendonly yes"));

    let findings = doctor("http://host", &servers.redis_url);
    assert!(found(&findings, "broker", false).contains("MILLRACE_AMQP_URL"));
    found(&findings, "store", true);

    let other = millrace_servers::Redis::start(&[]);
    assert!(found(&doctor("http://host", &other.url()), "store", true).contains("no producer has founded"));
    other
        .ask(
            "HSET millrace:meta id 1b4e28ba-2fa1-41d2-883f-0016d3cca427 partitions 16 queues quorum format 1",
        )
        .unwrap();
    assert!(
        found(&doctor("http://host", &other.url()), "store", false).contains("MILLRACE_QUEUE_TYPE=quorum")
    );

    let locked = locked_store();
    let findings =
        doctor(&with_login(&servers.amqp_url, "guest:s3cret"), &with_login(&locked.url(), ":s3cret"));
    let broker = found(&findings, "broker", false);
    assert!(broker.contains("does not let us in") && broker.contains("ACCESS_REFUSED"), "{broker}");
    assert!(found(&findings, "store", false).contains("password"));

    let findings = doctor(&elsewhere(&servers.amqp_url), &servers.redis_url);
    let broker = found(&findings, "broker", false);
    assert!(broker.contains("does not let us in") && broker.contains("no_such_vhost"), "{broker}");
}

/// Starts a store with a password that is not ours.
fn locked_store() -> millrace_servers::Redis {
    let store = millrace_servers::Redis::start(&[]);
    store.ask("CONFIG SET requirepass other").unwrap();
    store
}

/// The URL of the same server, with another login.
fn with_login(url: &str, login: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{login}@{host}")
}

/// The URL of the same broker, with a virtual host that is not there.
fn elsewhere(amqp_url: &str) -> String {
    let (server, _) = amqp_url.rsplit_once('/').unwrap();
    format!("{server}/no_such_vhost")
}

#[test]
fn a_role_ends_at_once_where_a_server_does_not_let_it_in() {
    let folder = tempfile::tempdir().unwrap();
    let servers = millrace_servers::shared();
    let locked = locked_store();
    let wrong = [
        (with_login(&servers.amqp_url, "guest:s3cret"), servers.redis_url.clone(), "ACCESS_REFUSED"),
        (elsewhere(&servers.amqp_url), servers.redis_url.clone(), "no_such_vhost"),
        (servers.amqp_url.clone(), with_login(&locked.url(), ":s3cret"), "password"),
    ];
    for (amqp, redis, said) in &wrong {
        for role in ["producer", "worker"] {
            let prefix = format!("cli-{}", std::process::id());
            let mut arguments = vec![role, "--amqp-url", amqp, "--redis-url", redis, "--prefix", &prefix];
            arguments.extend(if role == "producer" { &["--listen", "127.0.0.1:0"][..] } else { &[] });
            let ended = millrace(folder.path(), &arguments).with(1);
            ended.says(&["millrace: ", said]);
            let last = ended.stderr.lines().last().unwrap_or_default();
            assert!(last.starts_with("millrace: ") && !ended.stderr.contains("s3cret"), "{}", ended.stderr);
        }
    }
}

#[test]
fn a_role_that_waits_for_its_servers_ends_soon_after_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let store = millrace_servers::Redis::start(&[]);
    // Its connections are taken and never answered.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = mute.local_addr().unwrap();
    let waits = [
        (NOBODY.0.to_owned(), NOBODY.1.to_owned(), "waiting for the store"),
        (NOBODY.0.to_owned(), store.url(), "the broker is not reachable"),
        (format!("amqp://{mute}/%2f"), store.url(), "INFO worker"),
        (format!("amqp://{mute}/%2f"), format!("redis://{mute}"), "connecting"),
    ];
    for (amqp, redis, sign) in &waits {
        for (role, signal) in [("producer", Signal::SIGTERM), ("worker", Signal::SIGINT)] {
            let mut arguments = vec![role, "--amqp-url", amqp, "--redis-url", redis];
            arguments.extend(if role == "producer" { &["--listen", "127.0.0.1:0"][..] } else { &[] });
            let mut child = command(folder.path(), &arguments).spawn().unwrap();
            let stderr = BufReader::new(child.stderr.take().unwrap());
            let mut server = Server(child);
            let (sender, lines) = channel();
            std::thread::spawn(move || {
                stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
            let sign = match (*sign, role) {
                ("waiting for the store", "worker") => "the session cannot be renewed",
                ("INFO worker", "producer") => "INFO producer",
                (sign, _) => sign,
            };
            let mut said = Vec::new();
            while !said.last().is_some_and(|line: &String| line.contains(sign)) {
                said.push(
                    lines
                        .recv_timeout(Duration::from_secs(30))
                        .unwrap_or_else(|_| panic!("{sign}: {said:#?}")),
                );
            }
            // It waits in earnest by now.
            std::thread::sleep(Duration::from_millis(300));
            let asked = Instant::now();
            kill(Pid::from_raw(server.0.id().cast_signed()), signal).unwrap();
            let status = until(&format!("{role} ends: {amqp} {redis}"), || server.0.try_wait().unwrap());
            said.extend(lines.iter());
            assert!(asked.elapsed() < Duration::from_secs(5), "{role} took {:?}: {said:#?}", asked.elapsed());
            assert_eq!(status.code(), Some(0), "{role}: {said:#?}");
            assert!(!said.last().is_some_and(|line| line.contains("WARN")), "{role}: {said:#?}");
        }
    }
}
