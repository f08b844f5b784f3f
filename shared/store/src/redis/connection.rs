//! A connection, multiplexed: all calls share it, pipelined, and a supervisor rebuilds it when it breaks. There is
//! one, and a second for what waits for replicas, when that is asked for.
//!
//! A call made while there is none fails at once, as does one whose answer does not come within the bound:
//! whether to try again, and when, is the caller's decision.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, ServerErrorKind, Value};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};

use super::address::{Address, Target};
use super::replicas::Replicas;
use super::script::Script;
use super::sentinel::{self, Place};
use super::{Options, error, reply, safety};
use crate::StoreError;

/// The interval at which an idle connection is asked for a sign of life: `ready` must not be true for long without
/// being so.
const PING_EVERY: Duration = Duration::from_secs(2);

/// The first and the longest wait between two attempts to connect. A session lasts for 9 s and was renewed up to 2 s before:
/// a store that is away for 6 s is to cost no worker its tasks.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

/// The interval at which it is logged again that there is no store.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// The greatest number of commands that wait for a place in the connection.
const WAITING_COMMANDS: usize = 1024;

/// A handle on the connection; dropped, it closes.
#[derive(Debug)]
pub(super) struct Connection {
    shown: String,
    state: watch::Receiver<State>,
    ready: watch::Receiver<bool>,
    broken: mpsc::Sender<u64>,
    /// The replicas, where no call counts before they have it.
    replicas: Option<Replicas>,
    /// The connection beside this one. Both must be to the same primary: what one has written, the other must read.
    other: Option<watch::Receiver<State>>,
    _supervisor: JoinSet<()>,
}

#[derive(Debug, Clone)]
enum State {
    Up {
        connection: MultiplexedConnection,
        /// The place of the primary, where Sentinels have named it.
        place: Option<Place>,
        generation: u64,
    },
    Down(StoreError),
}

impl Connection {
    /// Connects, or keeps trying in the background when nobody is there. An error will not pass by itself. With
    /// `replicas`, every call waits for them.
    pub(super) async fn open(options: &Options, replicas: Option<Replicas>) -> Result<Self, StoreError> {
        let address = options.address()?;
        let shown = address.shown.clone();
        let dial = Dial {
            address,
            shown: shown.clone(),
            allow_unsafe: options.allow_unsafe,
            timeout: options.response_timeout,
        };
        let first = match dial.attempt().await {
            Ok((connection, place)) => State::Up { connection, place, generation: 0 },
            Err(error @ StoreError::Unavailable(..)) => {
                warn!(%error, "keeping on trying");
                State::Down(error)
            }
            Err(error) => return Err(error),
        };
        let (ready_sender, ready) = watch::channel(matches!(first, State::Up { .. }));
        let (state_sender, state) = watch::channel(first);
        let (broken, reports) = mpsc::channel(1);
        let mut supervisor = JoinSet::new();
        supervisor.spawn(supervise(dial, state_sender, ready_sender, reports));
        Ok(Self { shown, state, ready, broken, replicas, other: None, _supervisor: supervisor })
    }

    /// Pairs two connections that are used side by side.
    pub(super) fn pair(&mut self, other: &mut Self) {
        self.other = Some(other.state.clone());
        other.other = Some(self.state.clone());
    }

    /// Whether it is connected, now and later.
    pub(super) fn ready(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }

    /// Sends one command.
    pub(super) async fn ask(&self, command: Cmd) -> Result<Value, StoreError> {
        reply::single(self.ask_all(vec![command]).await?)
    }

    /// Sends commands in one round trip, and answers in their order. The first error among the answers is the error
    /// of all: some of them may have been carried out. Scripts that the server has lost are loaded and called again.
    pub(super) async fn ask_all(&self, commands: Vec<Cmd>) -> Result<Vec<Value>, StoreError> {
        self.ask_each(commands).await?.into_iter().collect()
    }

    /// Sends commands as [`Connection::ask_all`] does; an error among the answers is that of its command alone.
    pub(super) async fn ask_each(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Result<Value, StoreError>>, StoreError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let _turn = match &self.replicas {
            Some(replicas) => Some(replicas.turn.lock().await),
            None => None,
        };
        let (connection, generation, place) = match &*self.state.borrow() {
            State::Up { connection, generation, place } => (connection.clone(), *generation, place.clone()),
            State::Down(error) => return Err(error.clone()),
        };
        if let Some(other) = &self.other
            && let State::Up { place: elsewhere, .. } = &*other.borrow()
            && *elsewhere != place
        {
            let why = "another primary takes over".to_owned();
            return Err(StoreError::Unavailable(self.shown.clone(), why));
        }
        let mut line = Line { connection, generation, owner: self };
        let count = commands.len();
        let mut pipeline = Pipeline::with_capacity(count + 2);
        for command in commands {
            pipeline.add_command(command);
        }
        for command in self.replicas.iter().flat_map(Replicas::wait) {
            pipeline.add_command(command);
        }
        let mut answers = line.send(&pipeline).await?;

        let lost: Vec<usize> = (0..answers.len()).filter(|index| is_no_script(&answers[*index])).collect();
        if !lost.is_empty() {
            warn!(store = %self.shown, "the scripts were gone from the store: loading them again");
            let mut again = Pipeline::new();
            for script in Script::ALL {
                again.add_command(script.load());
            }
            let commands: Vec<&Cmd> = pipeline.cmd_iter().collect();
            for index in &lost {
                again.add_command(commands[*index].clone());
            }
            for command in self.replicas.iter().flat_map(Replicas::wait) {
                again.add_command(command);
            }
            let mut late = line.send(&again).await?.into_iter().skip(Script::ALL.len());
            for (index, answer) in lost.into_iter().zip(late.by_ref()) {
                answers[index] = answer;
            }
            if let Some(waited) = late.last() {
                answers.push(waited);
            }
        }
        if answers.iter().filter_map(server_error).any(error::wants_reconnection) {
            line.report();
        }
        let answer = |answer| match answer {
            Value::ServerError(error) => Err(error::refused(&self.shown, &error)),
            answer => Ok(answer),
        };
        if let Some(replicas) = &self.replicas
            && let Some(waited) = answers.pop()
        {
            replicas.reached(&self.shown, &answer(waited)?)?;
            answers.truncate(count);
        }
        Ok(answers.into_iter().map(answer).collect())
    }
}

/// The connection as one call uses it.
struct Line<'a> {
    connection: MultiplexedConnection,
    generation: u64,
    owner: &'a Connection,
}

impl Line<'_> {
    async fn send(&mut self, pipeline: &Pipeline) -> Result<Vec<Value>, StoreError> {
        self.connection.send_packed_commands(pipeline, 0, pipeline.len()).await.map_err(|error| {
            self.report();
            error::broken(&self.owner.shown, &error)
        })
    }

    /// Reports a broken connection to the supervisor. A report that finds another one waiting is not needed.
    fn report(&self) {
        let _ = self.owner.broken.try_send(self.generation);
    }
}

fn server_error(answer: &Value) -> Option<&redis::ServerError> {
    match answer {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}

fn is_no_script(answer: &Value) -> bool {
    server_error(answer).is_some_and(|error| error.kind() == Some(ServerErrorKind::NoScript))
}

/// The dialling of the server: how to connect.
struct Dial {
    address: Address,
    shown: String,
    allow_unsafe: bool,
    timeout: Duration,
}

impl Dial {
    /// Finds the primary, connects, looks whether the server is one we can use, and loads the scripts.
    async fn attempt(&self) -> Result<(MultiplexedConnection, Option<Place>), StoreError> {
        let (client, place) = match &self.address.target {
            Target::Server(client) => (client.clone(), None),
            Target::Sentinel(sentinels) => {
                let place = sentinel::primary(sentinels, &self.shown).await?;
                (sentinels.server(&place.0, place.1)?, Some(place))
            }
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_pipeline_buffer_size(WAITING_COMMANDS);
        let broken = |error| error::broken(&self.shown, &error);
        let mut connection =
            client.get_multiplexed_async_connection_with_config(&config).await.map_err(broken)?;

        let info = self.one(&mut connection, &redis::cmd("INFO")).await?;
        safety::check(&self.shown, &safety::text(&info), self.allow_unsafe)?;
        for script in Script::ALL {
            self.one(&mut connection, &script.load()).await?;
        }
        Ok((connection, place))
    }

    /// Whether the Sentinels name another primary than the one at `place`. The one that was may not know yet.
    async fn has_moved(&self, place: Option<&Place>) -> bool {
        let (Target::Sentinel(sentinels), Some(place)) = (&self.address.target, place) else { return false };
        sentinel::primary(sentinels, &self.shown).await.is_ok_and(|now| now != *place)
    }

    async fn one(&self, connection: &mut MultiplexedConnection, command: &Cmd) -> Result<Value, StoreError> {
        let answer = connection
            .send_packed_command(command)
            .await
            .map_err(|error| error::broken(&self.shown, &error))?;
        match answer {
            Value::ServerError(error) => Err(error::refused(&self.shown, &error)),
            answer => Ok(answer),
        }
    }
}

/// Keeps a connection for as long as the handle lives: `reports` closes with it.
async fn supervise(
    dial: Dial,
    state: watch::Sender<State>,
    ready: watch::Sender<bool>,
    mut reports: mpsc::Receiver<u64>,
) {
    let mut generation = 0;
    loop {
        let current = state.borrow().clone();
        if let State::Up { mut connection, place, generation: of } = current {
            let Some(why) = watch_over(&dial, &mut connection, place.as_ref(), of, &mut reports).await else {
                return;
            };
            warn!(store = %dial.shown, %why, "lost the store: connecting again");
            // The connection goes with its last clone, that of a call in flight.
            ready.send_replace(false);
            state.send_replace(State::Down(why));
        }
        let mut wait = RETRY_AFTER.0;
        let began = Instant::now();
        let mut said: Option<(String, Instant)> = None;
        let (connection, place) = loop {
            match dial.attempt().await {
                Ok(connected) => break connected,
                Err(error) => {
                    let text = error.to_string();
                    if said.as_ref().is_none_or(|(said, at)| *said != text || at.elapsed() >= SAY_AGAIN) {
                        warn!(%error, for_s = began.elapsed().as_secs(), "keeping on trying");
                        said = Some((text, Instant::now()));
                    }
                    state.send_replace(State::Down(error));
                }
            }
            if reports.is_closed() {
                return;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_AFTER.1);
        };
        generation += 1;
        info!(store = %dial.shown, "connected to the store");
        state.send_replace(State::Up { connection, place, generation });
        ready.send_replace(true);
    }
}

/// Watches over a connection until it is of no use any more, and says why; `None` when nobody wants to use it.
async fn watch_over(
    dial: &Dial,
    connection: &mut MultiplexedConnection,
    place: Option<&Place>,
    generation: u64,
    reports: &mut mpsc::Receiver<u64>,
) -> Option<StoreError> {
    loop {
        tokio::select! {
            report = reports.recv() => {
                if report? == generation {
                    let why = "a call got no answer, or one that a primary does not give".to_owned();
                    return Some(StoreError::Unavailable(dial.shown.clone(), why));
                }
            }
            () = tokio::time::sleep(PING_EVERY) => {
                // A server that answers with an error (busy, say) is there.
                if let Err(error) = connection.send_packed_command(&redis::cmd("PING")).await {
                    return Some(error::broken(&dial.shown, &error));
                }
                if dial.has_moved(place).await {
                    let why = "the Sentinels name another primary".to_owned();
                    return Some(StoreError::Unavailable(dial.shown.clone(), why));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_supervisor_whose_handle_is_gone_ends_and_does_not_connect_again() {
        let options = Options::new(&*millrace_servers::shared().redis_url);
        let address = options.address().unwrap();
        let shown = address.shown.clone();
        let dial = Dial { address, shown, allow_unsafe: true, timeout: options.response_timeout };
        let (connection, place) = dial.attempt().await.unwrap();
        let (ready, is_ready) = watch::channel(true);
        let (state, _) = watch::channel(State::Up { connection, place, generation: 0 });
        let (broken, reports) = mpsc::channel(1);
        drop(broken);
        let ended = tokio::time::timeout(Duration::from_secs(5), supervise(dial, state, ready, reports));
        ended.await.unwrap();
        assert!(*is_ready.borrow(), "nothing was lost");
    }
}
