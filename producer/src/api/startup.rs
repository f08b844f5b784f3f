//! What answers from the first moment on: health at once, everything else when the producer is up.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use millrace_domain::Code;
use millrace_runtime::{Shutdown, http};
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::error::ApiError;

/// The place that the API takes once it is there.
#[derive(Clone, Default)]
pub struct Front(Arc<OnceLock<Router>>);

impl Front {
    /// Opens the API.
    pub fn open(&self, router: Router) {
        let _ = self.0.set(router);
    }
}

/// Serves on a listener until the shutdown, then lets requests under way end.
pub async fn serve(listener: TcpListener, front: Front, shutdown: Shutdown) {
    let router = Router::new().fallback(answer).with_state(front);
    let serving = http::serve(listener, router, http::Bounds::default(), shutdown.clone());
    shutdown.vital("api", serving).await;
}

async fn answer(State(front): State<Front>, request: Request) -> Response {
    if let Some(router) = front.0.get() {
        return router.clone().oneshot(request).await.into_response();
    }
    if request.uri().path() == "/healthz" {
        return (StatusCode::OK, "ok\n").into_response();
    }
    ApiError::new(Code::Starting, "waiting for the store to answer").into_response()
}
