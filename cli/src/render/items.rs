//! What the items of a step have printed, as they end: of so many as somebody can read while it happens.

use std::collections::BTreeSet;

use serde_json::Value;

use super::lines::Lines;
use crate::client::{Client, segment};
use crate::error::CliError;

/// The most items of a step whose output is shown. The rest is in `runs logs`.
const MOST: usize = 50;

/// The items of a step that were shown.
#[derive(Debug, Default)]
pub(super) struct ItemsShown {
    /// The places of those that were printed.
    printed: BTreeSet<u64>,
    /// The number of items that had ended at the last look.
    ended: u64,
}

impl ItemsShown {
    /// Reads what the items of a step have printed that have ended since the last look: the name of each, with its lines.
    pub(super) async fn news(
        &mut self,
        client: &Client,
        path: &str,
        step: &Value,
    ) -> Result<Vec<(String, Vec<String>)>, CliError> {
        let name = step["name"].as_str().unwrap_or_default();
        let counts = &step["items"];
        let ended =
            ["succeeded", "failed", "cancelled"].map(|key| counts[key].as_u64().unwrap_or(0)).iter().sum();
        if ended == self.ended || self.printed.len() >= MOST {
            return Ok(Vec::new());
        }
        self.ended = ended;
        // Items begin in order: what has ended lately is not far behind the first that has not.
        let from = (0..).find(|place| !self.printed.contains(place)).unwrap_or(0);
        let page = client.get(&format!("{path}/steps/{}/items?from={from}&limit=200", segment(name))).await?;
        let mut news = Vec::new();
        for item in page["items"].as_array().into_iter().flatten() {
            let (Some(place), true) = (item["index"].as_u64(), item["ended_at"].is_string()) else {
                continue;
            };
            if self.printed.len() >= MOST || !self.printed.insert(place) {
                continue;
            }
            let attempt = item["attempt"].as_u64().unwrap_or(0);
            news.push((format!("{name}.{place}"), log(client, path, name, place, attempt).await?));
        }
        if self.printed.len() >= MOST && counts["total"].as_u64() > Some(MOST as u64) {
            let hint = format!("the output of further items is in: millrace runs logs --step {name}");
            news.push((name.to_owned(), vec![hint]));
        }
        Ok(news)
    }
}

/// The lines that the last attempt of an item has printed.
async fn log(
    client: &Client,
    path: &str,
    step: &str,
    item: u64,
    attempt: u64,
) -> Result<Vec<String>, CliError> {
    let (mut lines, mut all, mut from) = (Lines::default(), Vec::new(), 0);
    // One that was given up before it had an attempt has printed nothing.
    if attempt == 0 {
        return Ok(all);
    }
    loop {
        let url = format!("{path}/logs?step={}&item={item}&attempt={attempt}&from={from}", segment(step));
        let page = client.get(&url).await?;
        let chunks = page["chunks"].as_array().map_or(&[] as &[Value], Vec::as_slice);
        chunks.iter().for_each(|chunk| all.extend(lines.push(chunk)));
        from = page["next"].as_u64().unwrap_or(from);
        if chunks.is_empty() {
            break;
        }
    }
    all.extend(lines.finish());
    Ok(all)
}
