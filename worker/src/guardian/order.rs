//! The messages between a worker and its keepers: orders to them, and their answers.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use crate::process::Environment;

/// What a keeper is to start, and how.
#[derive(Debug)]
pub(crate) struct Launch {
    /// A complete path, so that the start needs no fork: see [`crate::process::program`].
    pub(crate) program: PathBuf,
    /// The arguments, from the name on.
    pub(crate) arguments: Vec<OsString>,
    pub(crate) directory: PathBuf,
    pub(crate) environment: Environment,
}

/// A [`Launch`] as a keeper reads it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) directory: PathBuf,
    pub(super) environment: Vec<(OsString, OsString)>,
}

/// An order of a worker to a keeper.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Start a task. Its standard output and error come as files.
    Start(Start),
    /// End the task that runs. All of its processes are asked to end (SIGTERM) if there is a grace.
    Stop { grace: Duration },
}

/// The answer of a keeper. All but the first say that a task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The keeper is there, under this process id.
    Ready { pid: i32 },
    /// The program did not start, by this error of the system.
    NotStarted { errno: i32 },
    /// The first process of the task ended by itself, with this status.
    Exited { status: i32, clear: bool },
    /// The task was ended since the worker asked for it.
    Stopped { clear: bool },
    /// The task was ended, or not started, since the worker's lease was over.
    Lapsed { clear: bool },
}

/// The text of an order to start.
pub(super) fn start(launch: &Launch) -> io::Result<Vec<u8>> {
    let mut text = b"start\0".to_vec();
    let mut put = |value: &OsStr| {
        if value.as_bytes().contains(&0) {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "a NUL byte is in the script or its environment",
            ));
        }
        text.extend_from_slice(value.as_bytes());
        text.push(0);
        Ok(())
    };
    put(launch.program.as_os_str())?;
    put(launch.directory.as_os_str())?;
    put(launch.arguments.len().to_string().as_ref())?;
    for argument in &launch.arguments {
        put(argument)?;
    }
    for (name, value) in launch.environment.variables() {
        put(name)?;
        put(value)?;
    }
    Ok(text)
}

/// The text of an order to stop.
pub(super) fn stop(grace: Duration) -> Vec<u8> {
    format!("stop\0{}\0", grace.as_millis()).into_bytes()
}

impl Order {
    /// Reads the text of an order.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut fields = text.strip_suffix(b"\0")?.split(|&byte| byte == 0).map(<[u8]>::to_vec);
        let number = |field: Vec<u8>| str::from_utf8(&field).ok()?.parse::<u64>().ok();
        match fields.next()?.as_slice() {
            b"stop" => Some(Self::Stop { grace: Duration::from_millis(number(fields.next()?)?) }),
            b"start" => {
                let mut fields = fields.map(OsString::from_vec);
                let program = fields.next()?.into();
                let directory = fields.next()?.into();
                let count = number(fields.next()?.into_vec())?;
                let arguments = (0..count).map(|_| fields.next()).collect::<Option<_>>()?;
                let mut environment = Vec::new();
                while let Some(name) = fields.next() {
                    environment.push((name, fields.next()?));
                }
                Some(Self::Start(Start { program, arguments, directory, environment }))
            }
            _ => None,
        }
    }
}

impl Answer {
    /// The text of the answer.
    pub(super) fn text(self) -> [u8; 6] {
        let (kind, number, clear) = match self {
            Self::Ready { pid } => (b'r', pid, true),
            Self::NotStarted { errno } => (b'n', errno, true),
            Self::Exited { status, clear } => (b'x', status, clear),
            Self::Stopped { clear } => (b's', 0, clear),
            Self::Lapsed { clear } => (b'l', 0, clear),
        };
        let [a, b, c, d] = number.to_le_bytes();
        [kind, a, b, c, d, u8::from(clear)]
    }

    /// Reads the text of an answer.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let &[kind, a, b, c, d, clear] = text else { return None };
        let (number, clear) = (i32::from_le_bytes([a, b, c, d]), clear == 1);
        Some(match kind {
            b'r' => Self::Ready { pid: number },
            b'n' => Self::NotStarted { errno: number },
            b'x' => Self::Exited { status: number, clear },
            b's' => Self::Stopped { clear },
            b'l' => Self::Lapsed { clear },
            _ => return None,
        })
    }

    /// Whether nothing of the task is left.
    pub(crate) fn is_clear(self) -> bool {
        match self {
            Self::Ready { .. } | Self::NotStarted { .. } => true,
            Self::Exited { clear, .. } | Self::Stopped { clear } | Self::Lapsed { clear } => clear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_answers_are_read_as_they_were_written() {
        assert_eq!(
            Order::read(b"start\0/bin/sh\0/tmp\x003\0sh\0-c\0\0A\0one\0B\0\0"),
            Some(Order::Start(Start {
                program: "/bin/sh".into(),
                arguments: vec!["sh".into(), "-c".into(), "".into()],
                directory: "/tmp".into(),
                environment: vec![("A".into(), "one".into()), ("B".into(), "".into())],
            }))
        );
        let grace = Duration::from_millis(1500);
        assert_eq!(Order::read(&stop(grace)), Some(Order::Stop { grace }));
        assert_eq!(Order::read(b"start\0/bin/sh\0/tmp\x009\0sh\0"), None);
        for answer in [
            Answer::Ready { pid: 7 },
            Answer::NotStarted { errno: 2 },
            Answer::Exited { status: 0x0f00, clear: false },
            Answer::Stopped { clear: true },
            Answer::Lapsed { clear: true },
        ] {
            assert_eq!(Answer::read(&answer.text()), Some(answer));
        }
    }
}
