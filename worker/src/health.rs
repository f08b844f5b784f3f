//! A worker's own health and metrics, when it is told to listen.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use millrace_broker::Broker;
use millrace_runtime::{Attendance, Shutdown, http, telemetry};
use tokio::sync::watch;

use crate::cluster::Trouble;

/// How many connections may be open at once: probes and scrapers need few, and what may be open is for the tasks.
const CONNECTIONS: usize = 64;

/// The health of a worker, by what it depends on.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) broker: Arc<dyn Broker>,
    /// Whether the worker's session is renewed.
    pub(crate) alive: watch::Receiver<bool>,
    /// Why the worker takes no tasks, if the store is not that of its cluster.
    pub(crate) trouble: watch::Receiver<Trouble>,
    pub(crate) attendance: Attendance,
}

impl Health {
    /// The answer to a readiness probe.
    fn ready(&self) -> (StatusCode, String) {
        match (self.missing(), &*self.broker.blocked().borrow()) {
            (None, None) => (StatusCode::OK, "ready\n".to_owned()),
            (None, Some(why)) => {
                (StatusCode::OK, format!("ready, but the broker blocks publishers: {why}\n"))
            }
            (Some(why), _) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        }
    }

    /// What the worker lacks for its work, for people; `None` when it lacks nothing.
    fn missing(&self) -> Option<String> {
        if let Some(why) = &*self.trouble.borrow() {
            return Some(why.clone());
        }
        if !*self.broker.ready().borrow() {
            return Some("the broker is not connected".to_owned());
        }
        if !*self.alive.borrow() {
            return Some("the session is not renewed".to_owned());
        }
        self.attendance.complaint()
    }

    /// Serves health and metrics until `ended`.
    pub(crate) async fn serve(self, address: SocketAddr, ended: Shutdown) {
        let listener = match tokio::net::TcpListener::bind(address).await {
            Ok(listener) => listener,
            Err(error) => {
                return tracing::error!(%address, %error, "health and metrics cannot be served; is the port in use?");
            }
        };
        let blocked = self.broker.blocked();
        let ready = move || std::future::ready(self.ready());
        let metrics = || async move {
            metrics::gauge!("millrace_broker_blocked").set(f64::from(u8::from(blocked.borrow().is_some())));
            match telemetry::metrics_handle() {
                Some(handle) => handle.render().into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            }
        };
        let router = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics));
        let bounds = http::Bounds::default();
        let bounds = http::Bounds { connections: bounds.connections.min(CONNECTIONS), ..bounds };
        http::serve(listener, router, bounds, ended).await;
    }
}
