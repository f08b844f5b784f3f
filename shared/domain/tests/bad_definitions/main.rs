//! What is said about a definition that is wrong: each mistake by its code, its place and its message.
#![expect(clippy::expect_used, reason = "a test fails by panicking, in its small functions too")]

mod children;
mod concurrency;
mod expressions;
mod fan;
mod fields;
mod fixture;
mod graph;
mod hooks;
mod locks;
mod outputs;
mod people;
mod problems;
mod text;
#[path = "../json_schema/yaml.rs"]
mod yaml;
