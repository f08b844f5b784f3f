//! Which queues this process should consume, and whether it does. A consumer that ends begins again by itself; one
//! that keeps ending, or does not begin, is work that stands still behind a process that looks well.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The longest time that a queue may be without its consumer.
const ABSENCE: Duration = Duration::from_secs(15);

/// The number of endings, within so long, after which a consumer keeps ending.
const ENDINGS: usize = 5;
const WITHIN: Duration = Duration::from_secs(60);

/// The attendance of the consumers of this process: who should consume, and who does.
#[derive(Debug, Clone, Default)]
pub struct Attendance(Arc<Mutex<BTreeMap<String, Record>>>);

#[derive(Debug, Default)]
struct Record {
    /// The number of the consumer: a later one of the same queue may begin before an earlier one is gone.
    number: u64,
    duty: Duty,
    /// The times at which it ended last.
    endings: VecDeque<Instant>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Duty {
    /// It should not consume now.
    #[default]
    Off,
    /// It should consume, and has not since then.
    Absent(Instant),
    Present,
}

impl Attendance {
    /// The post of a consumer, for a queue by its routing key (`submit`, `inbox.3`): what is before the dot is the
    /// `queue` of the metric.
    pub fn post(&self, queue: impl Into<String>) -> Post {
        let queue = queue.into();
        let mut records = self.records();
        let number = records.get(&queue).map_or(0, |before| before.number + 1);
        records.insert(queue.clone(), Record { number, ..Record::default() });
        Post { attendance: self.clone(), queue, number }
    }

    /// The complaint, for people: the first queue whose consumer keeps ending or does not begin.
    pub fn complaint(&self) -> Option<String> {
        let now = Instant::now();
        self.records().iter().find_map(|(queue, record)| record.complaint(queue, now))
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<String, Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn complaint(&self, queue: &str, now: Instant) -> Option<String> {
        let recent = self.endings.iter().filter(|ended| now.duration_since(**ended) < WITHIN).count();
        if recent >= ENDINGS {
            let within = WITHIN.as_secs();
            return Some(format!(
                "the consumer of {queue} ended {recent} times or more within {within} s; the log says why"
            ));
        }
        match self.duty {
            Duty::Absent(since) if now.duration_since(since) > ABSENCE => {
                let seconds = now.duration_since(since).as_secs();
                Some(format!("nothing here has consumed {queue} for {seconds} s; the log says why"))
            }
            Duty::Off | Duty::Absent(_) | Duty::Present => None,
        }
    }
}

/// The post of one consumer. Dropped, nobody expects that consumer any more.
#[derive(Debug)]
pub struct Post {
    attendance: Attendance,
    queue: String,
    number: u64,
}

impl Post {
    /// Notes that the consumer should consume from now on.
    pub fn wanted(&self) {
        self.record(|record| {
            if matches!(record.duty, Duty::Off | Duty::Present) {
                record.duty = Duty::Absent(Instant::now());
            }
        });
    }

    /// Notes that the consumer has begun.
    pub fn began(&self) {
        self.record(|record| record.duty = Duty::Present);
    }

    /// Notes that the consumer ended, and not because it should: it counts.
    pub fn ended(&self) {
        let kind = self.queue.split('.').next().unwrap_or_default().to_owned();
        metrics::counter!("millrace_consumer_restarts_total", "queue" => kind).increment(1);
        let now = Instant::now();
        self.record(|record| {
            record.duty = Duty::Absent(now);
            record.endings.push_back(now);
            if record.endings.len() > ENDINGS {
                record.endings.pop_front();
            }
        });
    }

    /// Notes that the consumer need not consume for now.
    pub fn rests(&self) {
        self.record(|record| record.duty = Duty::Off);
    }

    fn record(&self, change: impl FnOnce(&mut Record)) {
        let mut records = self.attendance.records();
        if let Some(record) = records.get_mut(&self.queue).filter(|record| record.number == self.number) {
            change(record);
        }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let mut records = self.attendance.records();
        if records.get(&self.queue).is_some_and(|record| record.number == self.number) {
            records.remove(&self.queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_consumer_that_keeps_ending_is_told_until_it_has_held_for_a_while() {
        let attendance = Attendance::default();
        let (submit, _inbox) = (attendance.post("submit"), attendance.post("inbox.3"));
        for _ in 0..ENDINGS - 1 {
            submit.wanted();
            submit.began();
            submit.ended();
        }
        submit.began();
        assert_eq!(attendance.complaint(), None);
        submit.ended();
        submit.began();
        let told = attendance.complaint().unwrap();
        assert!(told.contains("consumer of submit ended 5 times"), "{told}");
        tokio::time::advance(WITHIN).await;
        assert_eq!(attendance.complaint(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_consumer_that_does_not_begin_is_told_and_one_that_rests_is_not() {
        let attendance = Attendance::default();
        let post = attendance.post("tasks.default");
        tokio::time::advance(ABSENCE * 2).await;
        assert_eq!(attendance.complaint(), None);
        post.wanted();
        tokio::time::advance(ABSENCE).await;
        post.wanted();
        assert_eq!(attendance.complaint(), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        let told = attendance.complaint().unwrap();
        assert!(told.contains("consumed tasks.default for 16 s"), "{told}");
        post.rests();
        assert_eq!(attendance.complaint(), None);
        post.wanted();
        tokio::time::advance(ABSENCE * 2).await;
        assert!(attendance.complaint().is_some());
        drop(post);
        assert_eq!(attendance.complaint(), None);
    }
}
