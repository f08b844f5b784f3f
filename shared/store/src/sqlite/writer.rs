//! The one thread that owns the connection. All calls that wait when it turns to them go into one transaction,
//! each in a savepoint of its own (one that is alone needs none), so that one flush to the disk serves them all
//! and a call that fails takes back only itself. They are answered after the commit, reads too: nobody sees what may
//! yet be lost.
//!
//! What is answered survives the end of this process, however it ends. A power loss or a crash of the system may
//! take the last moments, unless a call asked for a flush: then that call, and all that came before it, survive.
//! A flush costs milliseconds on common disks, so calls ask for it where the outside world is told something.
//!
//! Calls have no timeout of their own: the thread does nothing but local work, and it answers every call.

use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error;
use crate::StoreError;

/// The greatest number of calls that wait in the queue; further callers wait to enter it.
const QUEUE: usize = 1_024;

/// The greatest number of calls in one transaction.
const GROUP: usize = 256;

/// A handle on the thread that owns the connection. Dropping it ends the thread after the calls that wait, and closes
/// the database.
pub(super) struct Writer {
    calls: Option<mpsc::Sender<Box<dyn Call>>>,
    thread: Option<JoinHandle<()>>,
    place: Arc<str>,
}

impl Writer {
    /// Starts the thread.
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
        self.call_flushed(false, operation).await
    }

    /// Runs `operation` as [`Writer::call`] does; with `flush`, the answer comes when it would survive a power loss.
    pub(super) async fn call_flushed<T, F>(&self, flush: bool, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let ended = || StoreError::Unavailable(self.place.to_string(), "its thread has ended".into());
        let (reply, answer) = oneshot::channel();
        let call = Pending { flush, operation: Some(operation), outcome: None, reply };
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
    /// Whether the call is answered only once it is flushed to the disk.
    fn flush(&self) -> bool;

    /// Runs the call, in a savepoint unless it is `alone` in its transaction. An error is its own, unless it ended
    /// the transaction.
    fn run(&mut self, connection: &Connection, place: &str, alone: bool) -> Result<(), StoreError>;

    /// Answers the call, now that its transaction is committed or lost.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Pending<T, F> {
    flush: bool,
    operation: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Call for Pending<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
{
    fn flush(&self) -> bool {
        self.flush
    }

    fn run(&mut self, connection: &Connection, place: &str, alone: bool) -> Result<(), StoreError> {
        let Some(operation) = self.operation.take() else { return Ok(()) };
        let outcome = if alone { operation(connection) } else { in_savepoint(connection, operation) };
        let outcome = outcome.map_err(|error| error::of_call(place, &error));
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
    let mut flushes = false;
    while waiting.blocking_recv_many(&mut group, GROUP) > 0 {
        let committed = set_flush(connection, &mut flushes, group.iter().any(|call| call.flush()))
            .map_err(|error| error::of_call(place, &error))
            .and_then(|()| in_transaction(connection, &mut group, place));
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
    let alone = group.len() == 1;
    for call in group {
        let result = call.run(connection, place, alone);
        // Some errors (a full disk, a failed read) end the whole transaction, and everybody's work with it.
        if connection.is_autocommit() {
            return Err(result.err().unwrap_or_else(|| {
                StoreError::Unavailable(place.to_owned(), "it ended a transaction by itself".into())
            }));
        }
        if alone && result.is_err() {
            return execute(connection, "ROLLBACK").map_err(failed);
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

/// Sets whether the next transaction is flushed. This pragma takes effect when it is prepared, hence no cache.
fn set_flush(connection: &Connection, flushes: &mut bool, wanted: bool) -> rusqlite::Result<()> {
    if *flushes != wanted {
        connection.pragma_update(None, "synchronous", if wanted { "FULL" } else { "NORMAL" })?;
        *flushes = wanted;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc as gate;

    use super::*;

    fn counting(settings: &str) -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(settings).unwrap();
        connection.execute_batch("CREATE TABLE numbers (number INTEGER PRIMARY KEY, text TEXT)").unwrap();
        Writer::start(connection, "memory").unwrap()
    }

    fn add(connection: &Connection, number: i64) -> rusqlite::Result<usize> {
        connection.execute("INSERT INTO numbers VALUES (?1, '')", [number])
    }

    async fn count(writer: &Writer) -> i64 {
        let sql = "SELECT count(*) FROM numbers";
        writer.call(move |connection| connection.query_row(sql, [], |row| row.get(0))).await.unwrap()
    }

    /// Keeps the thread busy until the sender is used or dropped, so that later calls wait.
    async fn closed_gate(writer: &Arc<Writer>) -> gate::Sender<()> {
        let (open, wait) = gate::channel();
        let (entered, inside) = oneshot::channel();
        let writer = writer.clone();
        tokio::spawn(async move {
            writer
                .call(move |_| {
                    let _ = entered.send(());
                    let _ = wait.recv();
                    Ok(())
                })
                .await
        });
        inside.await.unwrap();
        open
    }

    #[tokio::test]
    async fn a_call_that_fails_takes_back_only_itself() {
        let writer = Arc::new(counting(""));
        let open = closed_gate(&writer).await;
        let calls = (0..20).map(|number| {
            let writer = writer.clone();
            async move {
                writer
                    .call(move |connection| {
                        add(connection, number)?;
                        // Every third one wants a number that is taken, after it has written.
                        if number % 3 == 0 { add(connection, number) } else { Ok(1) }
                    })
                    .await
            }
        });
        let all = tokio::spawn(futures_util::future::join_all(calls.collect::<Vec<_>>()));
        while writer.calls.as_ref().unwrap().capacity() > QUEUE - 20 {
            tokio::task::yield_now().await;
        }
        open.send(()).unwrap();
        for (number, answer) in all.await.unwrap().into_iter().enumerate() {
            assert_eq!(answer.is_err(), number % 3 == 0, "{number}: {answer:?}");
        }
        assert_eq!(count(&writer).await, 13);
    }

    #[tokio::test]
    async fn calls_that_wait_share_a_transaction_and_its_loss() {
        let writer = Arc::new(counting(""));
        let open = closed_gate(&writer).await;
        let calls = (0..9).map(|number| {
            let writer = writer.clone();
            async move {
                writer
                    .call(move |connection| {
                        add(connection, number)?;
                        // What some errors do by themselves.
                        if number == 4 { connection.execute_batch("ROLLBACK") } else { Ok(()) }
                    })
                    .await
            }
        });
        let all = tokio::spawn(futures_util::future::join_all(calls.collect::<Vec<_>>()));
        while writer.calls.as_ref().unwrap().capacity() > QUEUE - 9 {
            tokio::task::yield_now().await;
        }
        open.send(()).unwrap();
        let answers = all.await.unwrap();
        assert!(
            answers.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(..)))),
            "{answers:?}"
        );
        assert_eq!(count(&writer).await, 0);
        writer.call(|connection| add(connection, 1)).await.unwrap();
        assert_eq!(count(&writer).await, 1);
    }

    #[tokio::test]
    async fn a_full_disk_is_said_and_passes_when_there_is_space_again() {
        let writer = counting("PRAGMA max_page_count = 50");
        let fill = || {
            writer.call(|connection| {
                connection.execute("INSERT INTO numbers (text) VALUES (hex(zeroblob(20000)))", [])
            })
        };
        let mut last = Ok(1);
        for _ in 0..50 {
            last = fill().await;
        }
        assert!(matches!(last, Err(StoreError::Full(_))), "{last:?}");
        writer.call(|connection| connection.execute("DELETE FROM numbers", [])).await.unwrap();
        assert_eq!(fill().await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_thread_that_died_is_said_and_nobody_hangs() {
        let writer = counting("");
        let answer: Result<(), _> = writer.call(|_| panic!("a bug")).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(..))), "{answer:?}");
        let answer = writer.call(|connection| add(connection, 1)).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(..))), "{answer:?}");
    }

    #[tokio::test]
    async fn a_flush_is_asked_for_by_one_call_and_serves_the_group() {
        let folder = tempfile::tempdir().unwrap();
        let connection = super::super::file::open(&folder.path().join("store")).unwrap();
        let writer = Writer::start(connection, "store").unwrap();
        let level = |connection: &Connection| {
            connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))
        };
        let (normal, full) = (1, 2);
        assert_eq!(writer.call(level).await.unwrap(), normal);
        assert_eq!(writer.call_flushed(true, level).await.unwrap(), full);
        assert_eq!(writer.call(level).await.unwrap(), normal);
    }
}
