//! What a user touches on one machine: the real binary, as it is typed, and the API of `millrace dev`. Servers are
//! needed by `servers` alone. What only a fleet shows is tested in the crate `millrace-tests`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails where it stands")]

mod acts;
mod answers;
mod bad_input;
mod binary;
mod children;
mod clock;
mod commands;
mod concurrency;
mod connections;
mod dev;
mod dry_run;
mod examples;
mod graph;
mod history;
mod hosts;
mod http;
mod interrupt;
mod items;
mod keys;
mod links;
mod locks;
mod outputs;
mod patterns;
mod pauses;
mod people;
mod pools;
mod rates;
mod requests;
mod restart;
mod retry;
mod run;
mod seed_calls;
mod servers;
mod skipped;
mod terminal;
mod usage;
mod validate;
mod why;
