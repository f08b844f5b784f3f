//! A producer and workers, on a RabbitMQ and a Redis of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::Api;
use crate::cpu;
use crate::failure::Failure;
use crate::program::Program;

/// The number of tasks that a worker runs at once.
pub(crate) const CONCURRENCY: &str = "256";
/// The prefix of the names of queues and keys.
pub(crate) const PREFIX: &str = "bench";

const START_BOUND: Duration = Duration::from_secs(30);

/// A private RabbitMQ and a private Redis.
pub(crate) struct Servers {
    pub(crate) rabbitmq: millrace_servers::RabbitMq,
    pub(crate) redis: millrace_servers::Redis,
}

impl Servers {
    /// Starts both servers. `sync` is Redis's `appendfsync`.
    pub(crate) async fn start(sync: &'static str) -> Result<Self, Failure> {
        let start = move || Self {
            rabbitmq: millrace_servers::RabbitMq::start(&[]),
            redis: millrace_servers::Redis::start(&["--appendfsync", sync]),
        };
        Ok(tokio::task::spawn_blocking(start).await?)
    }

    /// The pids of both servers, by name.
    pub(crate) fn processes(&self) -> Vec<(&'static str, u32)> {
        let pids = [("rabbitmq", self.rabbitmq.pid()), ("redis", self.redis.pid())];
        pids.into_iter().filter_map(|(name, pid)| Some((name, pid?))).collect()
    }
}

/// A fleet: its processes, and where to reach them.
pub(crate) struct Fleet {
    pub(crate) api: Api,
    pub(crate) producer: Program,
    pub(crate) workers: Vec<Program>,
    /// The time from the start of the process until it is ready, in milliseconds.
    pub(crate) producer_start_ms: f64,
    pub(crate) worker_start_ms: f64,
    environment: Vec<(&'static str, String)>,
    pub(crate) servers: Arc<Servers>,
}

impl Fleet {
    /// Starts servers and processes, and returns when they are ready.
    pub(crate) async fn start(sync: &'static str) -> Result<Self, Failure> {
        Self::on(Arc::new(Servers::start(sync).await?), PREFIX).await
    }

    /// Starts the processes on servers that are there, and returns when they are ready.
    pub(crate) async fn on(servers: Arc<Servers>, prefix: &str) -> Result<Self, Failure> {
        let port = millrace_servers::free_port();
        let environment = vec![
            ("MILLRACE_AMQP_URL", servers.rabbitmq.url()),
            ("MILLRACE_REDIS_URL", servers.redis.url()),
            ("MILLRACE_PREFIX", prefix.to_owned()),
            ("MILLRACE_LISTEN", format!("127.0.0.1:{port}")),
        ];
        let api = Api::new(port)?;
        let began = Instant::now();
        let producer = Program::start(&["producer"], &environment)?;
        wait_ready(&api).await?;
        let producer_start_ms = began.elapsed().as_secs_f64() * 1e3;
        let workers = Vec::new();
        let mut fleet =
            Self { api, producer, workers, producer_start_ms, worker_start_ms: 0.0, environment, servers };
        let began = Instant::now();
        fleet.add_worker(&["--concurrency", CONCURRENCY]).await?;
        fleet.worker_start_ms = began.elapsed().as_secs_f64() * 1e3;
        Ok(fleet)
    }

    /// Starts one more worker, and returns when the producer knows it.
    pub(crate) async fn add_worker(&mut self, arguments: &[&str]) -> Result<(), Failure> {
        let before = self.api.workers().await?;
        let deadline = Instant::now() + START_BOUND;
        self.workers.push(Program::start(&[&["worker"], arguments].concat(), &self.environment)?);
        while self.api.workers().await? <= before {
            if Instant::now() > deadline {
                return Err(format!("the worker is not known after {START_BOUND:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Ends all processes, and lets go of the servers.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        self.stop_workers().await?;
        self.producer.stop().await
    }

    /// Ends all workers.
    pub(crate) async fn stop_workers(&mut self) -> Result<(), Failure> {
        for worker in self.workers.drain(..) {
            worker.stop().await?;
        }
        Ok(())
    }

    /// The URL of the broker.
    pub(crate) fn amqp_url(&self) -> String {
        self.servers.rabbitmq.url()
    }

    /// The pids of all that works for a task and of the client, by name.
    pub(crate) fn processes(&self) -> Vec<(&'static str, u32)> {
        let mut processes = vec![cpu::own(), ("producer", self.producer.pid())];
        processes.extend(self.workers.iter().map(|worker| ("worker", worker.pid())));
        processes.extend(self.servers.processes());
        processes
    }
}

/// Waits until an API says that it is ready.
pub(crate) async fn wait_ready(api: &Api) -> Result<(), Failure> {
    let deadline = Instant::now() + START_BOUND;
    while !api.is_ready().await {
        if Instant::now() > deadline {
            return Err(format!("the server is not ready after {START_BOUND:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
