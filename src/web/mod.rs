//! The edge: HTTP in, one call into the layers below, HTTP out. No rules and no SQL here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, middleware};
use tokio::sync::broadcast;

use crate::app::App;
use crate::channels::Bounds;
use crate::store::ApiKey;
use crate::templates::Templates;

mod access;
mod api;
mod console;
mod desks;
mod download;
mod error;
mod extract;
mod guardrails;
mod health;
mod hooks;
pub mod keys;
mod oidc;
mod origin;
mod rating;
mod reports;
mod shapes;
mod stream;
mod throttle;
mod watcher;
mod widget;

pub use console::accounts;

/// Keys whose check is remembered.
const KEYS_MAX: u64 = 10_000;
/// Arrivals that a stream may be behind before it simply looks again.
const ARRIVALS_BEHIND_MAX: usize = 256;

/// What the handlers share.
struct Edge {
    app: Arc<App>,
    bounds: Bounds,
    keys: moka::sync::Cache<String, Arc<ApiKey>>,
    arrivals: broadcast::Sender<stream::Arrived>,
    streams: stream::Room,
    sign_ins: throttle::PerMinute,
    sign_ins_of: throttle::PerMinute<String>,
    chat_sessions: throttle::PerMinute,
    origins: origin::Origins,
    oidc: oidc::Provider,
    described: utoipa::openapi::OpenApi,
    templates: Templates,
}

/// Everything that is served: the API, the widget, the console, and what operations need.
pub fn router(app: Arc<App>) -> Router {
    let config = app.config.clone();
    let (api, described) = api::router();
    let edge = Arc::new(Edge {
        bounds: Bounds::of(&config),
        keys: moka::sync::Cache::builder()
            .max_capacity(KEYS_MAX)
            .time_to_live(Duration::from_millis(config.server.key_cache_ms))
            .build(),
        arrivals: broadcast::Sender::new(ARRIVALS_BEHIND_MAX),
        streams: stream::Room::of(&config),
        sign_ins: throttle::PerMinute::new(config.console.attempts_per_minute_max),
        sign_ins_of: throttle::PerMinute::new(config.console.attempts_per_account_per_minute_max),
        chat_sessions: throttle::PerMinute::new(config.server.chat_sessions_per_minute_max),
        origins: origin::Origins::of(&config.server),
        oidc: oidc::Provider::new(&config.console.oidc, &config.server.public_base_url),
        described,
        templates: Templates::new(),
        app,
    });
    let router = Router::new()
        .merge(api)
        .merge(widget::router(&edge))
        .merge(console::router(&edge))
        .merge(health::router())
        .merge(hooks::router())
        .merge(rating::router())
        .merge(desks::router())
        .route("/openapi.json", get(openapi))
        .fallback(|| async { error::of_status(StatusCode::NOT_FOUND, None) });
    around(&edge, router).with_state(edge)
}

/// The layers around every call, the outermost last.
fn around(edge: &Arc<Edge>, router: Router<Arc<Edge>>) -> Router<Arc<Edge>> {
    router
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(guardrails::broke))
        .layer(middleware::from_fn_with_state(edge.clone(), guardrails::in_time))
        .layer(middleware::from_fn_with_state(edge.clone(), guardrails::headers))
        .layer(middleware::from_fn_with_state(edge.clone(), guardrails::recorded))
}

async fn openapi(State(edge): State<Arc<Edge>>) -> impl IntoResponse {
    Json(edge.described.clone())
}
