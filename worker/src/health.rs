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
    let (is_ready, blocked) = (broker.ready(), broker.blocked());
    let is_blocked = blocked.clone();
    let ready = move || {
        let not = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n"));
        std::future::ready(match (*is_ready.borrow(), *alive.borrow(), &*blocked.borrow()) {
            (true, true, None) => (StatusCode::OK, "ready\n".to_owned()),
            (true, true, Some(why)) => {
                (StatusCode::OK, format!("ready, but the broker blocks publishers: {why}\n"))
            }
            (false, ..) => not("the broker is not connected"),
            (_, false, _) => not("the session is not renewed"),
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
    let served = axum::serve(listener, router).with_graceful_shutdown(async move { ended.begun().await });
    if let Err(error) = served.await {
        tracing::error!(%error, "health and metrics ended");
    }
}
