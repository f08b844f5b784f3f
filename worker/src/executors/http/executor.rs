//! The executor of requests: one request, from the task to its end.

use std::time::Instant;

use async_trait::async_trait;
use millrace_domain::Timestamp;
use millrace_domain::task::Task;
use reqwest::Client;
use tokio::sync::OnceCell;

use super::redirects::Redirects;
use super::request::Request;
use super::{client, response};
use crate::executors::{Ended, Execution, Executor};
use crate::settings::HttpSettings;

/// The executor of requests. Each client, with its certificates, is built at first use. A default crypto provider of
/// `rustls` must have been installed by then.
#[derive(Debug)]
pub struct Http {
    settings: HttpSettings,
    /// The clients, by what they do with redirects.
    clients: [OnceCell<Client>; Redirects::ALL],
}

impl Http {
    /// Makes the executor. It costs nothing before its first request.
    pub fn new(settings: HttpSettings) -> Self {
        Self { settings, clients: Default::default() }
    }

    /// Makes the request of a task. The error is the reason why the task fails.
    async fn request(&self, task: &Task, context: &Execution) -> Result<Ended, String> {
        let request = Request::parse(task, &self.settings)?;
        let client = &self.clients[request.redirects as usize];
        let build = || async { client::build(&self.settings, request.redirects) };
        let client = client.get_or_try_init(build).await?;
        let started = Instant::now();
        let failed = |error| format!("{} failed: {}", request.shown(), client::explain(error));
        let answer = request.send(client).await.map_err(failed)?;
        let answer = response::read(answer, self.settings.body_limit_bytes).await.map_err(failed)?;
        let took = started.elapsed().as_millis();
        context.log.say(&format!("{}: status {} after {took} ms\n", request.shown(), answer.status));
        if let Some(encoding) = &answer.unread {
            context
                .log
                .say(&format!("the answer is encoded as {encoding:?}, which is not read: `body` is null\n"));
        }
        let now = Timestamp::from_millis(context.settings.ambient.wall_millis());
        Ok(answer.judge(&request.expect, now))
    }
}

#[async_trait]
impl Executor for Http {
    async fn execute(&self, task: &Task, context: &Execution) -> Ended {
        tokio::select! {
            biased;
            // Dropping the request closes its connection.
            reason = context.stop.reason() => Ended::stopped(reason, task),
            ended = self.request(task, context) => ended.unwrap_or_else(|reason| Ended::failed(None, reason)),
        }
    }
}
