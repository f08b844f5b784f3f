//! A worker's own health and metrics, when it is told to listen.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use millrace_broker::Broker;
use millrace_runtime::{Shutdown, telemetry};
use tokio::sync::watch;

/// Serves until `ended`.
pub(crate) async fn serve(
    address: SocketAddr,
    broker: Arc<dyn Broker>,
    alive: watch::Receiver<bool>,
    ended: Shutdown,
) {
    let listener = match tokio::net::TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            return tracing::error!(%address, %error, "health and metrics cannot be served; is the port in use?");
        }
    };
    let ready = move || {
        let (connected, alive) = (*broker.ready().borrow(), *alive.borrow());
        std::future::ready(match (connected, alive) {
            (true, true) => (StatusCode::OK, "ready\n"),
            (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "not ready: the broker is not connected\n"),
            (_, false) => (StatusCode::SERVICE_UNAVAILABLE, "not ready: the session is not renewed\n"),
        })
    };
    let metrics = || async {
        match telemetry::metrics_handle() {
            Some(handle) => handle.render().into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics));
    let served = axum::serve(listener, router).with_graceful_shutdown(async move { ended.begun().await });
    if let Err(error) = served.await {
        tracing::error!(%error, "health and metrics ended");
    }
}
