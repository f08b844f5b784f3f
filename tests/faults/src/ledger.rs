//! What was submitted, and what became known of it: the auditor's own books, beside those of the fleet.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

use crate::shape::Shape;

/// The number of surprises that are told at once; the report counts all.
const SHOWN: usize = 10;

/// A submission.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The shape of the work that it asks for.
    pub shape: Shape,
    /// The idempotency key, which no other submission has.
    pub key: String,
    /// When it was accepted, by a 2xx, a reply, or a confirm, since the suite began.
    pub accepted: Option<Duration>,
    /// Whether it was accepted by a confirm alone, so that nobody has told the run.
    pub only_confirmed: bool,
    /// The run that it is, once somebody has told.
    pub run: Option<String>,
    /// Whether its last task has left its last mark.
    pub done: bool,
}

/// All submissions, by number.
#[derive(Debug, Default)]
pub struct Ledger {
    books: Mutex<Books>,
}

/// The books: what a ledger holds.
#[derive(Debug, Default)]
pub struct Books {
    /// The submissions, in their order.
    pub entries: Vec<Entry>,
    /// The entry of each run.
    pub of_run: HashMap<String, usize>,
    /// The answers that nobody should have given, in words.
    pub surprises: Vec<String>,
    /// How often a key was submitted once more and answered.
    pub repeated: u64,
    /// The runs whose tasks have left their last mark before the run was known here.
    pub early: std::collections::HashSet<String>,
}

impl Ledger {
    /// Opens the books.
    pub fn open(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// Adds an entry, and returns its number.
    pub fn enter(&self, shape: Shape, name: &str) -> usize {
        let mut books = self.open();
        let number = books.entries.len();
        books.entries.push(Entry {
            shape,
            key: format!("{name}-{number}"),
            accepted: None,
            only_confirmed: false,
            run: None,
            done: false,
        });
        number
    }

    /// The submission of an entry.
    pub fn submission(&self, number: usize, script: &str) -> Value {
        let (shape, key) = {
            let books = self.open();
            (books.entries[number].shape, books.entries[number].key.clone())
        };
        let mut submission = shape.submission(script);
        submission["idempotency_key"] = json!(key);
        submission
    }

    /// Notes that the broker has confirmed an entry.
    pub fn confirmed(&self, number: usize, now: Duration) {
        let entry = &mut self.open().entries[number];
        entry.only_confirmed = entry.accepted.is_none();
        entry.accepted.get_or_insert(now);
    }

    /// Notes an answer to an entry, and returns `false` when it has to be asked again.
    pub fn answered(&self, number: usize, answer: &Value, now: Duration) -> bool {
        let mut books = self.open();
        let key = books.entries[number].key.clone();
        let Some(run) = answer["run_id"].as_str() else {
            let code = answer["error"]["code"].as_str().unwrap_or_default();
            let again = ["store-unavailable", "unavailable", "starting", "store-full", "timeout"];
            if again.contains(&code) {
                return false;
            }
            books.surprise(format!("{key} was answered {answer}"));
            return true;
        };
        let (known, only_confirmed) =
            (books.entries[number].run.clone(), books.entries[number].only_confirmed);
        match known {
            Some(known) => {
                books.repeated += 1;
                if known != run {
                    books.surprise(format!("{key} was run {known}, and then run {run}"));
                }
            }
            None => {
                if only_confirmed && answer["duplicate"] != true {
                    books
                        .surprise(format!("{key} was confirmed by the broker, and not there when asked for"));
                }
                if books.of_run.insert(run.to_owned(), number).is_some() {
                    books.surprise(format!("run {run} was told for {key} and for another key"));
                }
                let done = books.early.remove(run);
                let entry = &mut books.entries[number];
                entry.run = Some(run.to_owned());
                entry.accepted.get_or_insert(now);
                entry.done |= done;
            }
        }
        true
    }

    /// Notes that the last step of a run has left its last mark.
    pub fn done(&self, run: &str) {
        let mut books = self.open();
        match books.of_run.get(run).copied() {
            Some(number) => books.entries[number].done = true,
            None => {
                books.early.insert(run.to_owned());
            }
        }
    }

    /// The entries of short work that was accepted and has not left its last mark, the oldest first.
    pub fn open_work(&self, limit: usize) -> Vec<usize> {
        let books = self.open();
        let open = |entry: &Entry| entry.shape == Shape::Quick && entry.run.is_some() && !entry.done;
        let numbers = books.entries.iter().enumerate().filter(|(_, entry)| open(entry));
        numbers.map(|(number, _)| number).take(limit).collect()
    }
}

impl Books {
    fn surprise(&mut self, what: String) {
        if self.surprises.len() < SHOWN {
            println!("surprise: {what}");
        }
        self.surprises.push(what);
    }
}
