//! The shop's page: products, who is signed in, and the chat that a real shop would embed just like this.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{DemoCustomer, Shop};
use crate::channels::json::Fields;
use crate::channels::web_chat::{Person, Session, Sessions};
use crate::domain::time::Clock;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");
/// Nothing of another site, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
/// A sign-in names a customer in a few bytes.
const SIGN_IN_BYTES_MAX: usize = 1024;
const SIGN_IN_DEPTH_MAX: usize = 4;
/// How long a chat session lasts that the shop has signed: half a day.
const SESSION_MS: i64 = 43_200_000;
const ID_CHARS_MAX: usize = 64;

/// What the page's calls share.
struct Front {
    shop: Arc<Shop>,
    sessions: Arc<Sessions>,
    clock: Arc<dyn Clock>,
}

/// The page, and the sign-in that stands for the shop's own.
pub fn router(sessions: Arc<Sessions>, shop: Arc<Shop>, clock: Arc<dyn Clock>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/demo") }))
        .route("/demo", get(|| async { file("text/html; charset=utf-8", PAGE) }))
        .route("/demo/page.css", get(|| async { file("text/css; charset=utf-8", STYLE) }))
        .route("/demo/page.js", get(|| async { file("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/demo/customers.json", get(customers))
        .route("/demo/session", post(sign_in).layer(axum::extract::DefaultBodyLimit::max(SIGN_IN_BYTES_MAX)))
        .with_state(Arc::new(Front { shop, sessions, clock }))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

async fn customers(State(front): State<Arc<Front>>) -> Json<Vec<DemoCustomer>> {
    Json(front.shop.customers())
}

/// Signs a chat session for the customer of choice, as a real shop would for whoever is signed in there.
async fn sign_in(State(front): State<Arc<Front>>, body: Bytes) -> Response {
    let refused = |status: StatusCode, code: &str, message: &str| {
        let error: Value = json!({"error": {"code": code, "message": message}});
        (status, Json(error)).into_response()
    };
    let asked = Fields::of_body(&body, SIGN_IN_DEPTH_MAX).and_then(|mut fields| {
        let customer = fields.required_label("customer", ID_CHARS_MAX)?;
        fields.finish().map(|()| customer)
    });
    let id = match asked {
        Ok(id) => id,
        Err(bad) => return refused(StatusCode::BAD_REQUEST, "invalid", &bad.to_string()),
    };
    let Some(customer) = front.shop.customers().into_iter().find(|customer| customer.id == id) else {
        let message = "there is no such demo customer; /demo/customers.json lists them";
        return refused(StatusCode::NOT_FOUND, "not_found", message);
    };
    let expires_at = front.clock.now().plus_ms(SESSION_MS);
    let person = Person {
        external_id: customer.id,
        name: Some(customer.name),
        email: Some(customer.email),
        phone: None,
    };
    let session = Session::begin(front.clock.new_id(), Some(person), expires_at);
    Json(json!({"token": front.sessions.sign(&session), "expires_at": expires_at})).into_response()
}
