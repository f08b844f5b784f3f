//! The one thread that owns the connection. All calls that wait when it turns to them go into one transaction,
//! each in a savepoint of its own, so that one flush to the disk serves them all and a call that fails takes
//! back only itself. They are answered after the commit, reads too: nobody sees what may yet be lost.
//!
//! Calls have no timeout of their own: the thread does nothing but local work, and it answers every call.

use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error;
use crate::StoreError;

/// Calls that may wait in the queue; further callers wait to enter it.
const QUEUE: usize = 1_024;

/// Calls in one transaction at most.
const GROUP: usize = 256;

/// The way to the thread. Dropping it ends the thread after the calls that wait, and closes the database.
pub(super) struct Writer {
    calls: Option<mpsc::Sender<Box<dyn Call>>>,
    thread: Option<JoinHandle<()>>,
    place: Arc<str>,
}

impl Writer {
    pub(super) fn start(connection: Connection, place: &str) -> Result<Self, StoreError> {
        let place: Arc<str> = place.into();
        let (calls, waiting) = mpsc::channel(QUEUE);
        let at = place.clone();
        let thread = std::thread::Builder::new()
            .name("sqlite".into())
            .spawn(move || serve(&connection, waiting, &at))
            .map_err(|error| StoreError::Unavailable(place.to_string(), error.to_string()))?;
        Ok(Self { calls: Some(calls), thread: Some(thread), place })
    }

    /// Runs `operation` on the connection, wholly or not at all.
    pub(super) async fn call<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let ended = || StoreError::Unavailable(self.place.to_string(), "its thread has ended".into());
        let (reply, answer) = oneshot::channel();
        let call = Pending { operation: Some(operation), outcome: None, reply };
        let calls = self.calls.as_ref().ok_or_else(ended)?;
        calls.send(Box::new(call)).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.calls = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been reported on the thread itself.
            let _ = thread.join();
        }
    }
}

/// A call, whatever it answers.
trait Call: Send {
    /// Runs it. An error is its own, unless it ended the transaction.
    fn run(&mut self, connection: &Connection, place: &str) -> Result<(), StoreError>;

    /// Answers it, now that its transaction is committed or lost.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Pending<T, F> {
    operation: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Call for Pending<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, connection: &Connection, place: &str) -> Result<(), StoreError> {
        let Some(operation) = self.operation.take() else { return Ok(()) };
        let outcome = in_savepoint(connection, operation).map_err(|error| error::of_call(place, &error));
        let result = outcome.as_ref().map(|_| ()).map_err(StoreError::clone);
        self.outcome = Some(outcome);
        result
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (committed, self.outcome) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => return,
        };
        // The caller may have gone: to it, this is a lost reply.
        let _ = self.reply.send(answer);
    }
}

fn serve(connection: &Connection, mut waiting: mpsc::Receiver<Box<dyn Call>>, place: &str) {
    let mut group = Vec::with_capacity(GROUP);
    while waiting.blocking_recv_many(&mut group, GROUP) > 0 {
        let committed = in_transaction(connection, &mut group, place);
        for call in group.drain(..) {
            call.answer(committed.clone());
        }
    }
}

fn in_transaction(
    connection: &Connection,
    group: &mut [Box<dyn Call>],
    place: &str,
) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| error::of_call(place, &error);
    execute(connection, "BEGIN").map_err(failed)?;
    for call in group {
        let result = call.run(connection, place);
        // Some errors (a full disk, a failed read) end the whole transaction, and everybody's work with it.
        if connection.is_autocommit() {
            return Err(result.err().unwrap_or_else(|| {
                StoreError::Unavailable(place.to_owned(), "it ended a transaction by itself".into())
            }));
        }
    }
    execute(connection, "COMMIT").map_err(|error| {
        if !connection.is_autocommit()
            && let Err(error) = execute(connection, "ROLLBACK")
        {
            tracing::error!(place, %error, "a transaction could not be taken back");
        }
        failed(error)
    })
}

fn in_savepoint<T>(
    connection: &Connection,
    operation: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    execute(connection, "SAVEPOINT call")?;
    let outcome = operation(connection);
    if outcome.is_err() && !connection.is_autocommit() {
        execute(connection, "ROLLBACK TO call")?;
    }
    if !connection.is_autocommit() {
        execute(connection, "RELEASE call")?;
    }
    outcome
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}
