//! What `dev` does when the clock of its machine is set, or the machine was suspended: libfaketime moves the clock of
//! the process while it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::binary::until;
use crate::dev::Dev;

/// A clock that is off by what its file says.
struct Clock(PathBuf);

impl Clock {
    /// A clock that is off by so many seconds, with its file in a folder.
    fn new(folder: &Path, by_s: i64) -> Self {
        let clock = Self(folder.join("clock"));
        clock.set(by_s);
        clock
    }

    /// The path of the library, as Debian has it on any machine.
    fn library() -> String {
        let folders = fs::read_dir("/usr/lib").unwrap().map_while(Result::ok);
        let library = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
        library
            .filter(|path| path.exists())
            .map(|path| path.display().to_string())
            .next()
            .expect("faketime is installed")
    }

    fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("LD_PRELOAD", Self::library()),
            ("FAKETIME_TIMESTAMP_FILE", self.0.display().to_string()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }

    /// Sets the clock off by so many seconds from now on.
    fn set(&self, by_s: i64) {
        // At once: the process may be reading.
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{by_s:+}\n")).unwrap();
        fs::rename(&new, &self.0).unwrap();
    }
}

/// The true time, in seconds since the epoch.
fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Starts a server with a schedule, on a clock.
fn started(clock: impl FnOnce(&Path) -> Clock, schedule: &str) -> (Dev, Clock) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let clock = clock(folder.path());
    let workflow = folder.path().join("w.yaml");
    fs::write(&workflow, format!("name: w\nschedule: {schedule}\nsteps:\n  - {{name: s, run: 'true'}}\n"))
        .unwrap();
    (Dev::start_with(folder, &["w.yaml"], &clock.variables()), clock)
}

/// The instants that have fired, in order.
fn fired(dev: &Dev) -> Vec<String> {
    let runs = dev.get("/api/v1/runs?workflow=w&limit=100").json(200);
    let instant =
        |run: &Value| dev.run(run["id"].as_str().unwrap())["scheduled_at"].as_str().unwrap().to_owned();
    let mut fired: Vec<String> = runs["runs"].as_array().unwrap().iter().map(instant).collect();
    fired.sort();
    fired
}

#[test]
fn an_instant_is_not_slept_through_when_the_clock_is_set_ahead_or_the_machine_was_suspended() {
    // It is 10:00:05 in UTC, of the next day.
    let off = (now() / 86_400 + 1) * 86_400 + 10 * 3_600 + 5 - now();
    let (dev, clock) = started(|folder| Clock::new(folder, off), "{cron: '3 10 * * *', timezone: UTC}");
    sleep(Duration::from_secs(2));
    assert!(fired(&dev).is_empty());
    // By now it is some 10:02:48: what was to be waited for is 12 s away, not 172.
    clock.set(off + 160);
    let fired = until("it fires at 10:03", || Some(fired(&dev)).filter(|fired| !fired.is_empty()));
    assert!(fired.len() == 1 && fired[0].contains("T10:03:00"), "{fired:?}");
    let at = (now() + off + 160) % 86_400 - (10 * 3_600 + 3 * 60);
    assert!((0..=3).contains(&at), "{at} s after 10:03");
}

#[test]
fn schedules_go_on_at_once_when_a_clock_that_was_ahead_is_set_back_and_no_instant_fires_twice() {
    let (dev, clock) = started(|folder| Clock::new(folder, 0), "{every: 5s}");
    until("it fires", || Some(fired(&dev)).filter(|fired| !fired.is_empty()));
    clock.set(7_200);
    sleep(Duration::from_secs(8));
    clock.set(0);
    sleep(Duration::from_secs(2));
    let before = fired(&dev);
    let began = now();
    let after = until("it fires again", || Some(fired(&dev)).filter(|fired| fired.len() > before.len() + 1));
    assert!(now() - began <= 15, "{after:?}");
    let mut once = after.clone();
    once.dedup();
    assert_eq!(once, after);
}
