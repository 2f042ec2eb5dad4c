//! Where agents work: a plain page with the queue, the note, the whole thread and a reply box.

use std::sync::Arc;

use axum::Router;
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
mod code;
mod cookie;
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
mod webhooks;

const STYLE: &str = include_str!("console.css");
const ACCOUNTS_STYLE: &str = include_str!("accounts.css");
const SCRIPT: &str = include_str!("console.js");
const OFFERS_STYLE: &str = include_str!("offers.css");
const OFFERS_SCRIPT: &str = include_str!("offers.js");

/// The console's pages and forms.
pub(super) fn router(edge: &Arc<Edge>) -> Router<Arc<Edge>> {
    let compressed = tower_http::compression::CompressionLayer::new();
    Router::new()
        .route("/console", get(pages::home))
        .route("/console/lists", get(pages::lists))
        .route("/console/cases/{id}", get(pages::case))
        .route("/console/cases/{id}/stream", get(pages::follow))
        .route("/console/cases/{id}/{act}", post(acts::act))
        .route("/console/attachments/{id}", get(pages::attachment))
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
        .route("/console/console.js", get(script).layer(compressed))
        .layer(middleware::from_fn_with_state(edge.clone(), refusals::as_pages))
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

async fn accounts_style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], ACCOUNTS_STYLE)
}

async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}

async fn offers_style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], OFFERS_STYLE)
}

async fn offers_script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], OFFERS_SCRIPT)
}

/// Renders a page. A page that does not render is a fault of this build.
fn page(edge: &Edge, source: &str, context: &impl Serialize) -> Result<Response, ApiError> {
    match edge.templates.render_html(source, context) {
        // With `no-referrer` a form's `Origin` would be `null`; this tells other sites just as little.
        Ok(text) => Ok(([(header::REFERRER_POLICY, "same-origin")], Html(text)).into_response()),
        Err(error) => {
            tracing::error!(error = %error, "a page did not render");
            Err(super::error::of_status(axum::http::StatusCode::INTERNAL_SERVER_ERROR, None))
        }
    }
}
