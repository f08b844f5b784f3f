//! The map of the API.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post};

use super::error::{self, ApiError};
use super::state::{Api, BODY_BYTES, Counted};
use super::{
    Access, access, acts, children, events, health, home, items, key, links, locks, outputs, pool_acts,
    run_acts, runs, tasks, why, workers, workflows,
};
use crate::context::Context;
use crate::intake::gateway::Gateway;

/// The API of a producer.
pub(crate) fn router(context: Arc<Context>, gateway: Arc<Gateway>, access: Access) -> Router {
    let v1 = Router::new()
        .route("/tasks", post(tasks::create))
        .route("/tasks/{id}/status", get(tasks::status))
        .route("/tasks/{id}/execute", post(tasks::execute))
        .route("/tasks/{id}/stop", post(tasks::stop))
        .route("/runs", post(runs::create).get(runs::list))
        .route("/runs/{id}", get(runs::get))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/runs/{id}/retry", post(runs::retry))
        .route("/runs/{id}/pause", post(run_acts::pause))
        .route("/runs/{id}/resume", post(run_acts::resume))
        .route("/runs/{id}/priority", post(run_acts::priority))
        .route("/runs/{id}/children", get(children::list))
        .route("/runs/{id}/why", get(why::why))
        .route("/runs/{id}/events", get(events::list))
        .route("/runs/{id}/steps/{step}/items", get(items::list))
        .route("/runs/{id}/steps/{step}/outputs", get(outputs::get))
        .route("/runs/{id}/steps/{step}/retry", post(acts::retry))
        .route("/runs/{id}/steps/{step}/skip", post(acts::skip))
        .route("/runs/{id}/steps/{step}/mark", post(acts::mark))
        .route("/runs/{id}/steps/{step}/approve", post(acts::approve))
        .route("/runs/{id}/steps/{step}/reject", post(acts::reject))
        .route("/runs/{id}/steps/{step}/supply", post(acts::supply))
        .route("/runs/{id}/steps/{step}/links", post(links::make))
        .route("/runs/{id}/logs", get(runs::logs))
        .route("/workflows", post(workflows::apply).get(workflows::list))
        .route("/workflows/{name}", get(workflows::get))
        .route("/workflows/{name}", delete(workflows::delete))
        .route("/workflows/{name}/trigger", post(workflows::trigger))
        .route("/workflows/{name}/pause", post(workflows::pause))
        .route("/workflows/{name}/resume", post(workflows::resume))
        .route("/locks", get(locks::list))
        // A name may have slashes.
        .route("/locks/{*name}", get(locks::get).post(locks::release))
        .route("/workers", get(workers::list))
        .route("/queues", get(workers::queues))
        .route("/queues/{pool}/pause", post(pool_acts::pause))
        .route("/queues/{pool}/resume", post(pool_acts::resume));
    let routes = Router::new()
        .nest("/api/v1", v1)
        .route("/", get(home::page))
        .route("/act/{link}", get(links::show).post(links::act))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(unknown)
        .with_state(Api { context, gateway, counted: Counted::default() });
    // Around all routes as one: within a route, what is allowed beside a wrong method is not known yet.
    Router::new()
        .fallback_service(routes)
        .layer(from_fn(key::check))
        .layer(from_fn(error::as_api_errors))
        .layer(from_fn_with_state(access, access::check))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}

async fn unknown(request: Request) -> ApiError {
    ApiError::not_found(format!("route {} {}", request.method(), request.uri().path()))
}
