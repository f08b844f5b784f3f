//! A worker's own health and metrics, when it is told to listen.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use millrace_broker::Broker;
use millrace_runtime::{Shutdown, http, telemetry};
use tokio::sync::watch;

use crate::place::Trouble;

/// Probes and scrapers need few connections; tasks need what may be open more.
const CONNECTIONS: usize = 64;

/// Serves until `ended`.
pub(crate) async fn serve(
    address: SocketAddr,
    broker: Arc<dyn Broker>,
    alive: watch::Receiver<bool>,
    trouble: watch::Receiver<Trouble>,
    ended: Shutdown,
) {
    let listener = match tokio::net::TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            return tracing::error!(%address, %error, "health and metrics cannot be served; is the port in use?");
        }
    };
    let (is_ready, blocked) = (broker.ready(), broker.blocked());
    let is_blocked = blocked.clone();
    let ready = move || {
        let (connected, alive) = (*is_ready.borrow(), *alive.borrow());
        let trouble = trouble.borrow().clone();
        let missing = match (trouble, connected, alive) {
            (Some(why), _, _) => Some(why),
            (None, false, _) => Some("the broker is not connected".to_owned()),
            (None, true, false) => Some("the session is not renewed".to_owned()),
            (None, true, true) => None,
        };
        std::future::ready(match (missing, &*blocked.borrow()) {
            (None, None) => (StatusCode::OK, "ready\n".to_owned()),
            (None, Some(why)) => {
                (StatusCode::OK, format!("ready, but the broker blocks publishers: {why}\n"))
            }
            (Some(why), _) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        })
    };
    let metrics = || async move {
        metrics::gauge!("millrace_broker_blocked").set(f64::from(u8::from(is_blocked.borrow().is_some())));
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
