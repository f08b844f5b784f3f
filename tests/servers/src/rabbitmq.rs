//! A private RabbitMQ, with an epmd (Erlang's name service) of its own, or as a node of a cluster with the
//! cluster's.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::port;
use crate::process::{self, Process};

/// The folder in which Debian keeps the programs themselves; those in the PATH there are wrappers that change user.
const DEBIAN: &str = "/usr/lib/rabbitmq/bin";

/// Erlang's own ports on loopback only; and channels look at the ack timeout every second, not every minute, so
/// that a test can set `consumer_timeout` (before 4.x no line of `rabbitmq.conf` says this).
const ERLANG_ARGUMENTS: &str =
    "-kernel inet_dist_use_interface {127,0,0,1} -rabbit channel_tick_interval 1000";

/// epmd runs in the foreground, or RabbitMQ would start one that stays for ever. Its end comes with RabbitMQ's.
const LEADER: &str = r#"
epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" &
"$1" &
wait "$!"
kill -s KILL 0
"#;

/// The leader of a server with an epmd that is there already.
const NODE: &str = r#""$1" & wait "$!"; kill -s KILL 0"#;

/// What the nodes of a cluster have in common.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    /// The port of the epmd that they all use.
    pub(crate) epmd_port: u16,
    /// The cookie: what lets Erlang nodes in.
    pub(crate) cookie: String,
}

/// A RabbitMQ server with its own data, ended and removed when dropped.
#[derive(Debug)]
pub struct RabbitMq {
    process: Option<Process>,
    port: u16,
    distribution_port: u16,
    epmd_port: u16,
    leader: &'static str,
    folder: TempDir,
}

impl RabbitMq {
    /// Starts a server with these lines added to its `rabbitmq.conf`, and waits until it speaks AMQP.
    pub fn start(config: &[&str]) -> Self {
        Self::start_as(config, None)
    }

    /// Starts a server as a node of a cluster: `config` says which.
    pub(crate) fn start_as(config: &[&str], common: Option<&Common>) -> Self {
        let folder = match TempDir::with_prefix("millrace-rabbitmq-") {
            Ok(folder) => folder,
            Err(error) => panic!("a temporary folder for rabbitmq cannot be made: {error}"),
        };
        let lines =
            [&["loopback_users.guest = true", "log.file.level = warning"], config].concat().join("\n");
        let written = fs::write(folder.path().join("rabbitmq.conf"), lines + "\n")
            .and_then(|()| fs::write(folder.path().join("plugins"), "[].\n"))
            .and_then(|()| common.map_or(Ok(()), |common| write_cookie(folder.path(), &common.cookie)));
        if let Err(error) = written {
            panic!("the configuration of rabbitmq cannot be written: {error}");
        }
        let mut server = Self {
            process: None,
            port: port::free(),
            distribution_port: port::free(),
            epmd_port: common.map_or_else(port::free, |common| common.epmd_port),
            leader: if common.is_some() { NODE } else { LEADER },
            folder,
        };
        server.start_again();
        server
    }

    /// The `amqp://` URL with the default account, which works on loopback only.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// The pid of the server itself, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(|_| process::pid(self.folder.path()))
    }

    /// The port of the server on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name of the server among Erlang nodes.
    pub fn node_name(&self) -> String {
        format!("millrace-{}@localhost", self.port)
    }

    /// Ends the server gracefully and waits for that. Its data stay.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }

    /// Kills the server at once, as a power cut would. Its data stay.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts the server again on the same data and port, and waits until it speaks AMQP. Does nothing when it runs.
    pub fn start_again(&mut self) {
        if self.process.is_some() {
            return;
        }
        match self.spawn() {
            Ok(process) => self.process = Some(process),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                panic!("rabbitmq-server was not found: apt-get install rabbitmq-server redis-server")
            }
            Err(error) => {
                panic!("rabbitmq did not start: {error}\n{}", process::last_lines(self.folder.path()))
            }
        }
    }

    /// Runs `rabbitmqctl` on the server, waits, and returns what it printed. Takes seconds: it is a whole Erlang.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let Some(program) = program("rabbitmqctl") else {
            panic!("rabbitmqctl was not found: apt-get install rabbitmq-server redis-server")
        };
        let mut command = Command::new(program);
        self.surround(&mut command);
        match command.args(arguments).output() {
            Ok(done) if done.status.success() => String::from_utf8_lossy(&done.stdout).into_owned(),
            Ok(done) => {
                panic!("rabbitmqctl {arguments:?} failed: {}", String::from_utf8_lossy(&done.stderr))
            }
            Err(error) => panic!("rabbitmqctl cannot be run: {error}"),
        }
    }

    fn spawn(&self) -> io::Result<Process> {
        let folder = self.folder.path();
        let script = program("rabbitmq-server").ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new("sh");
        self.surround(&mut command);
        command.args(["-c", self.leader, "rabbitmq"]).arg(script);
        let mut process = Process::start(&mut command, folder)?;
        process.wait_until(|| speaks_amqp(self.port).unwrap_or(false))?;
        Ok(process)
    }

    /// Sets the environment of server and tools: ours alone, and nothing of the machine's own RabbitMQ.
    fn surround(&self, command: &mut Command) {
        let folder = self.folder.path();
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("RABBITMQ_") || text.starts_with("ERL_") {
                command.env_remove(name);
            }
        }
        let paths = [
            ("HOME", ""),
            ("RABBITMQ_CONF_ENV_FILE", "no-environment-file"),
            ("RABBITMQ_CONFIG_FILE", "rabbitmq"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "plugins"),
            ("RABBITMQ_GENERATED_CONFIG_DIR", "generated"),
            ("RABBITMQ_LOG_BASE", "log"),
            ("RABBITMQ_MNESIA_BASE", "data"),
            ("RABBITMQ_SCHEMA_DIR", "schema"),
        ];
        for (name, path) in paths {
            command.env(name, folder.join(path));
        }
        command
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_NODENAME", self.node_name())
            .env("RABBITMQ_PID_FILE", process::pid_file(folder))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG_ARGUMENTS);
    }
}

/// Writes the cookie so that nobody else can read it: Erlang takes no other.
fn write_cookie(home: &Path, cookie: &str) -> io::Result<()> {
    let path = home.join(".erlang.cookie");
    fs::write(&path, cookie)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400))
}

/// Finds a program of RabbitMQ: in Debian's folder, or else in the PATH.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(PathBuf::from(DEBIAN)).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|program| program.exists())
}

/// Is the server's answer to the protocol header a method frame (connection.start)? The port opens before that.
fn speaks_amqp(port: u16) -> io::Result<bool> {
    let mut stream = port::connect(port)?;
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    let mut first = [0];
    stream.read_exact(&mut first)?;
    Ok(first == [1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rabbitmq_speaks_amqp_stops_and_starts_again_on_its_port() {
        let mut server = RabbitMq::start(&["heartbeat = 10"]);
        assert!(speaks_amqp(server.port).unwrap());
        server.stop();
        assert!(speaks_amqp(server.port).is_err());
        server.start_again();
        assert!(speaks_amqp(server.port).unwrap());
        server.kill();
        assert!(speaks_amqp(server.port).is_err());
        assert!(port::connect(server.epmd_port).is_err(), "epmd ends with its server");
        server.start_again();
        assert!(speaks_amqp(server.port).unwrap());

        let (folder, epmd_port) = (server.folder.path().to_owned(), server.epmd_port);
        drop(server);
        assert!(!folder.exists());
        assert!(port::connect(epmd_port).is_err());
    }
}
