//! The roles of a fleet when their servers are wrong or absent: they say so, hide secrets, and keep trying.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Child;
use std::sync::mpsc::channel;
use std::time::Duration;

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
