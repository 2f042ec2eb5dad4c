//! Where agents work: a plain page with the queue, the note, the whole thread and a reply box.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;

use super::Edge;
use super::error::ApiError;

mod account;
pub mod accounts;
mod acts;
mod calls;
mod code;
mod cookie;
mod frame;
mod offers;
mod pages;
mod password;
mod people;
mod provider;
mod refusals;
mod reports;
mod second_factor;
mod shown;
pub(super) mod sign_in;
mod theme;
mod webhooks;

const HEAD: &str = include_str!("head.html");
const FRAME: &str = include_str!("frame.html");
const KEYS: &str = include_str!("templates/keys.html");
const FOOT: &str = include_str!("foot.html");
const STYLE: &str = concat!(
    include_str!("console.css"),
    include_str!("styles/frame.css"),
    include_str!("styles/queue.css"),
    include_str!("styles/case.css")
);
/// The modules of the pages, by the name under which each is asked for.
const SCRIPTS: [(&str, &str); 7] = [
    ("console.js", include_str!("scripts/console.js")),
    ("live.js", include_str!("scripts/live.js")),
    ("keys.js", include_str!("scripts/keys.js")),
    ("case.js", include_str!("scripts/case.js")),
    ("composer.js", include_str!("scripts/composer.js")),
    ("drafts.js", include_str!("scripts/drafts.js")),
    ("files.js", include_str!("scripts/files.js")),
];
const ACCOUNTS_STYLE: &str = include_str!("accounts.css");
const OFFERS_STYLE: &str = include_str!("offers.css");
const OFFERS_SCRIPT: &str = include_str!("offers.js");

/// The console's pages and forms.
pub(super) fn router(edge: &Arc<Edge>) -> Router<Arc<Edge>> {
    let compressed = tower_http::compression::CompressionLayer::new();
    Router::new()
        .route("/console", get(pages::queue::queue))
        .route("/console/day", get(pages::day::day))
        .route("/console/views", post(pages::queue::keep_view))
        .route("/console/theme", post(theme::choose))
        .route("/console/measure", post(calls::measure))
        .route("/console/cases/{id}", get(pages::case::case))
        .route("/console/cases/{id}/stream", get(pages::case::follow))
        .route("/console/cases/{id}/here", post(calls::here))
        .route("/console/cases/{id}/suggest", post(calls::suggest))
        .route("/console/cases/{id}/macros/{name}", get(calls::ready_text))
        .route("/console/cases/{id}/files", post(calls::upload))
        .route("/console/cases/{id}/files/{file}", post(calls::drop_file))
        .route("/console/cases/{id}/{act}", post(acts::act))
        .route("/console/attachments/{id}", get(pages::case::attachment))
        .route("/console/originals/{id}", get(pages::original::original))
        .route("/console/offers", get(offers::show))
        .route("/console/offers/{id}/{answer}", post(offers::answer))
        .route("/console/presence", post(offers::presence))
        .route("/console/offers.css", get(offers_style).layer(compressed.clone()))
        .route("/console/offers.js", get(offers_script).layer(compressed.clone()))
        .route("/console/login", get(sign_in::page).post(sign_in::enter))
        .route("/console/logout", post(sign_in::leave))
        .route("/console/login/code", get(code::page).post(code::enter))
        .route("/console/password", get(password::page).post(password::change))
        .route("/console/reports", get(reports::report).layer(compressed.clone()))
        .route("/console/reports/cases", get(reports::cases))
        .route("/console/reports.css", get(reports::style).layer(compressed.clone()))
        .route("/console/oidc", get(provider::leave))
        .route("/console/oidc/callback", get(provider::back))
        .route("/console/account", get(account::page))
        .route("/console/account/sessions", post(account::end))
        .route("/console/second-factor", get(second_factor::page))
        .route("/console/second-factor/{act}", post(second_factor::act))
        .route("/console/accounts", get(people::page).post(people::add))
        .route("/console/accounts/{id}/{act}", post(people::act))
        .route("/console/accounts.css", get(accounts_style).layer(compressed.clone()))
        .route("/console/webhooks", get(webhooks::page).post(webhooks::again))
        .route("/console/console.css", get(style).layer(compressed.clone()))
        .route("/console/scripts/{name}", get(script).layer(compressed))
        .layer(middleware::from_fn_with_state(edge.clone(), refusals::as_pages))
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

async fn accounts_style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], ACCOUNTS_STYLE)
}

async fn script(Path(name): Path<String>) -> Result<impl IntoResponse, ApiError> {
    let found = SCRIPTS.iter().find(|(known, _)| *known == name);
    let (_, text) = found.ok_or_else(|| ApiError::not_found("script"))?;
    Ok(([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], *text))
}

async fn offers_style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], OFFERS_STYLE)
}

async fn offers_script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], OFFERS_SCRIPT)
}

/// A page inside what every page shows: `context` begins with [`frame::frame`].
fn framed(edge: &Edge, source: &str, context: &impl Serialize) -> Result<Response, ApiError> {
    part(edge, &[HEAD, FRAME, source, KEYS, FOOT].concat(), context)
}

/// A page that stands alone: signing in, a refusal.
fn alone(edge: &Edge, source: &str, context: &impl Serialize) -> Result<Response, ApiError> {
    part(edge, &[HEAD, source, FOOT].concat(), context)
}

/// Renders a page or a part of one. What does not render is a fault of this build.
fn part(edge: &Edge, source: &str, context: &impl Serialize) -> Result<Response, ApiError> {
    match edge.templates.render_html(source, context) {
        // With `no-referrer` a form's `Origin` would be `null`; this tells other sites just as little.
        Ok(text) => Ok(([(header::REFERRER_POLICY, "same-origin")], Html(text)).into_response()),
        Err(error) => {
            tracing::error!(error = %error, "a page did not render");
            Err(super::error::of_status(axum::http::StatusCode::INTERNAL_SERVER_ERROR, None))
        }
    }
}
