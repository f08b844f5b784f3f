//! Servers end when the process that started them is killed.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn servers_end_when_the_process_that_started_them_is_killed() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_millrace-servers"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> =
        BufReader::new(process.stdout.take().unwrap()).lines().take(2).map(Result::unwrap).collect();
    let addresses: Vec<&str> = lines
        .iter()
        .map(|line| {
            let start = line.find("127.0.0.1").unwrap();
            line[start..].split('/').next().unwrap()
        })
        .collect();
    assert_eq!(addresses.len(), 2);
    for address in &addresses {
        TcpStream::connect(address).unwrap();
    }

    process.kill().unwrap();
    process.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    for address in addresses {
        while TcpStream::connect(address).is_ok() {
            assert!(Instant::now() < deadline, "{address} still answers");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
