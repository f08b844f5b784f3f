//! `millrace-record`: takes an old version through all that it can do, on private servers, and keeps what it stored
//! and sent. See the README beside this crate.

#![expect(clippy::unwrap_used, reason = "a recording fails where it stands")]

mod record;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;

/// Records what a version of Millrace stores and sends.
#[derive(Debug, Parser)]
#[command(name = "millrace-record")]
struct Arguments {
    /// The program of that version
    #[arg(long)]
    program: PathBuf,
    /// The folder for the files
    #[arg(long)]
    into: PathBuf,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    fs::create_dir_all(&arguments.into).unwrap();
    let recorded = record::fleet::record(&arguments.program).await;
    write(&arguments.into, "fleet.json", &recorded.about);
    write(&arguments.into, "keys.json", &recorded.keys);
    write(&arguments.into, "queues.json", &recorded.queues);
    write(&arguments.into, "messages.json", &recorded.messages);
    record::coverage::check(&recorded.keys, &recorded.messages);
    let (about, sql) = record::dev::record(&arguments.program).await;
    write(&arguments.into, "dev.json", &about);
    fs::write(arguments.into.join("dev.sql"), sql).unwrap();
}

fn write(folder: &Path, name: &str, value: &Value) {
    fs::write(folder.join(name), format!("{value:#}\n")).unwrap();
}
