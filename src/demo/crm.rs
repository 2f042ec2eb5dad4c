//! The shop's CRM: who a customer is, and a memory of what became of their cases, each thing once.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Extract};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::decide::Refusal;
use super::model::Customer;
use super::routes::key;
use super::shop::{Answer, Shop};

/// Whoever has been a customer for longer is a gold customer.
const GOLD_DAYS: i64 = 1000;

/// What was told, by its key.
pub(super) type Told = BTreeMap<String, Value>;

pub(super) fn router() -> Router<Arc<Shop>> {
    Router::new()
        .route("/crm/customers/{customer}", get(by_id))
        .route("/crm/customers", get(by_email))
        .route("/crm/cases", get(told).post(tell))
}

async fn by_id(Extract(shop): Extract<Arc<Shop>>, Path(id): Path<String>) -> Response {
    let found = shop.seed().customer(&id).map(record);
    found.map_or_else(|| Answer::from(Refusal::not_found()), Answer::ok).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    email: String,
}

/// The customer with this address, where exactly one has it.
async fn by_email(Extract(shop): Extract<Arc<Shop>>, Query(asked): Query<Asked>) -> Response {
    let mut found =
        shop.seed().customers.iter().filter(|customer| customer.email.eq_ignore_ascii_case(&asked.email));
    let one = found.next().filter(|_| found.next().is_none()).map(record);
    one.map_or_else(|| Answer::from(Refusal::not_found()), Answer::ok).into_response()
}

fn record(customer: &Customer) -> Value {
    let tier = if i64::from(customer.since) < -GOLD_DAYS { "gold" } else { "standard" };
    json!({
        "external_id": customer.id, "name": customer.name, "email": customer.email, "phone": customer.phone,
        "tier": tier, "owner": "Customer service", "tags": ["online shop"],
    })
}

async fn told(Extract(shop): Extract<Arc<Shop>>) -> Response {
    let told = shop.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Answer::ok(json!(told)).into_response()
}

/// Takes what became of a case; the same key again changes nothing.
async fn tell(Extract(shop): Extract<Arc<Shop>>, headers: HeaderMap, body: Bytes) -> Response {
    let read = key(&headers).and_then(|key| {
        let key = key.ok_or_else(|| Refusal::invalid("`Idempotency-Key` is missing"))?;
        let body: Value =
            serde_json::from_slice(&body).map_err(|error| Refusal::invalid(error.to_string()))?;
        Ok((key, body))
    });
    let (key, body) = match read {
        Ok(read) => read,
        Err(refusal) => return Answer::from(refusal).into_response(),
    };
    // The disk is waited for on a thread of its own, and to the end even when the caller hangs up.
    let kept = tokio::task::spawn_blocking(move || shop.keep_told(key, body)).await;
    let kept = kept.unwrap_or_else(|error| {
        tracing::error!(error = %error, "the demo shop's CRM broke off");
        Refusal { status: 500, code: "internal", message: "The shop failed.".to_owned() }.into()
    });
    kept.into_response()
}
