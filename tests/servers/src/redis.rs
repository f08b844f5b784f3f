//! A private Redis.

use std::io::{self, Read, Write};
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::port;
use crate::process::{self, Process};

/// The settings of a store that loses nothing but the last second.
const DEFAULTS: [&str; 8] =
    ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--save", ""];

/// A Redis server with its own data, ended and removed when dropped.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Redis {
    /// Starts a server, and waits until it answers. With no `arguments` it keeps an append-only file, synced every
    /// second, and evicts nothing; arguments given (`&["--appendonly", "no"]`) come after those and win.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = match TempDir::with_prefix("millrace-redis-") {
            Ok(folder) => folder,
            Err(error) => panic!("a temporary folder for redis cannot be made: {error}"),
        };
        let arguments = DEFAULTS.iter().chain(arguments).map(|&argument| argument.to_owned()).collect();
        let mut server = Self { process: None, port: port::free(), arguments, folder };
        server.start_again();
        server
    }

    /// The `redis://` URL, without a password.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The pid of the server itself, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(|_| process::pid(self.folder.path()))
    }

    /// The port of the server on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends a command, and returns its answer, up to 16 KiB, as it is on the wire.
    ///
    /// # Errors
    /// When it does not answer within 1 s.
    pub fn ask(&self, command: &str) -> io::Result<String> {
        ask(self.port, command)
    }

    /// Ends the server gracefully and waits for that. Its data stay.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }

    /// Kills the server at once. Its data stay.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Freezes the server: it answers nothing, and its connections stay.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets the server go on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// Starts the server again on the same data and port, and waits until it answers. Does nothing when it runs.
    pub fn start_again(&mut self) {
        if self.process.is_some() {
            return;
        }
        match self.spawn() {
            Ok(process) => self.process = Some(process),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                panic!("redis-server was not found: apt-get install rabbitmq-server redis-server")
            }
            Err(error) => {
                panic!("redis did not start: {error}\n{}", process::last_lines(self.folder.path()))
            }
        }
    }

    fn spawn(&self) -> io::Result<Process> {
        let folder = self.folder.path();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--daemonize", "no", "--port", &self.port.to_string()]);
        command.arg("--dir").arg(folder).arg("--pidfile").arg(process::pid_file(folder));
        command.args(&self.arguments);
        let mut process = Process::start(&mut command, folder)?;
        process.wait_until(|| answers(self.port).unwrap_or(false))?;
        Ok(process)
    }
}

/// Sends a command to a Redis or a Sentinel, and returns its answer, up to 16 KiB, as it is on the wire.
pub(crate) fn ask(port: u16, command: &str) -> io::Result<String> {
    let mut stream = port::connect(port)?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = vec![0; 16 * 1024];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// Does a server answer a ping? While it loads its data it answers an error.
pub(crate) fn answers(port: u16) -> io::Result<bool> {
    let mut stream = port::connect(port)?;
    stream.write_all(b"PING\r\n")?;
    let mut first = [0];
    stream.read_exact(&mut first)?;
    Ok(first == *b"+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_keeps_its_data_over_a_stop_and_leaves_nothing_when_dropped() {
        let mut server = Redis::start(&[]);
        assert_eq!(ask(server.port, "SET kept 7").unwrap(), "+OK\r\n");
        server.stop();
        assert!(answers(server.port).is_err());
        server.start_again();
        assert_eq!(ask(server.port, "GET kept").unwrap(), "$1\r\n7\r\n");
        server.kill();
        assert!(answers(server.port).is_err());

        let folder = server.folder.path().to_owned();
        drop(server);
        assert!(!folder.exists());
    }

    #[test]
    fn arguments_win_over_the_defaults() {
        let server = Redis::start(&["--appendonly", "no"]);
        assert!(ask(server.port, "CONFIG GET appendonly").unwrap().ends_with("no\r\n"));
    }
}
