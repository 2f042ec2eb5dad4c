//! The record of a customer, and everything they said and heard on every channel.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::super::Edge;
use super::super::access;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Asked, customer_id};
use super::super::keys::{Caller, Scope};
use super::super::shapes::{CustomerBody, ErasedBody, List, MessageBody};
use super::cases::{Part, limit};
use crate::domain::customer::Customer;
use crate::domain::role::Right;
use crate::store::Page;

/// One customer and their addresses, each with its evidence.
#[utoipa::path(get, path = "/v1/customers/{id}", tag = "customers", 
    params(("id" = String, Path, description = "The customer's id, or `external:` and the operator's own id of them")), responses(
    (status = 200, body = CustomerBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
))]
pub(super) async fn get_customer(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CustomerBody>, ApiError> {
    caller.may(Scope::CasesRead)?;
    let customer = reached(&edge, &caller, &id).await?;
    customer_body(&edge, &customer).await.map(Json)
}

/// The customer that an address of the API names: by our id, or by `external:` and the operator's own.
pub(super) async fn whose(edge: &Edge, id: &str) -> Result<Arc<Customer>, ApiError> {
    let customer = match id.strip_prefix("external:") {
        Some(external_id) => edge.app.store.customer_by_external_id(external_id).await?,
        None => edge.app.store.customer(&customer_id(id)?).await?,
    };
    customer.ok_or_else(|| ApiError::not_found("customer"))
}

/// The same, if within the caller's reach.
pub(super) async fn reached(edge: &Edge, caller: &Caller, id: &str) -> Result<Arc<Customer>, ApiError> {
    access::customer(edge, whose(edge, id).await?, caller.reach()).await
}

/// A customer with their addresses and the merges that stand.
pub(super) async fn customer_body(edge: &Edge, customer: &Customer) -> Result<CustomerBody, ApiError> {
    let store = &edge.app.store;
    let (identities, merges) = (store.identities(&customer.id).await?, store.merges(&customer.id).await?);
    Ok(CustomerBody::of(customer, identities, merges))
}

/// What was said in all their cases, on every channel, newest first.
#[utoipa::path(get, path = "/v1/customers/{id}/timeline", tag = "customers", params(("id" = String, Path, description = "The customer's id, or `external:` and the operator's own id of them"), Part),
    responses(
    (status = 200, body = List<MessageBody>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
))]
pub(super) async fn timeline(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    Asked(part): Asked<Part>,
) -> Result<Json<List<MessageBody>>, ApiError> {
    caller.may(Scope::CasesRead)?;
    let id = &reached(&edge, &caller, &id).await?.id;
    let page = Page { limit: limit(&edge, part.limit)?, cursor: part.cursor };
    let (messages, next) = edge.app.store.timeline(id, caller.reach(), &page).await?;
    Ok(Json(List { items: messages.iter().map(|message| MessageBody::from(&**message)).collect(), next }))
}

/// Everything about them on record, as it stands there.
#[utoipa::path(get, path = "/v1/customers/{id}/export", tag = "customers", params(("id" = String, Path)), responses(
    (status = 200, description = "The record of the customer, table by table", body = serde_json::Value),
    (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
))]
pub(super) async fn export_customer(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, ApiError> {
    caller.demand(Scope::Admin, Right::Export)?;
    let found = edge.app.store.export_customer(&customer_id(&id)?).await?;
    found.map(Json).ok_or_else(|| ApiError::not_found("customer"))
}

/// Erase them for ever: counts stay, words go. What came and was erased once is not taken again.
#[utoipa::path(delete, path = "/v1/customers/{id}", tag = "customers", params(("id" = String, Path)), responses(
    (status = 200, body = ErasedBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
))]
pub(super) async fn erase_customer(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ErasedBody>, ApiError> {
    caller.demand(Scope::Admin, Right::Erase)?;
    let (store, id, now) = (edge.app.store.clone(), customer_id(&id)?, edge.app.clock.now());
    // In a task of its own: a caller who gives up must not leave half a transaction.
    let erasing = edge.app.tasks.spawn(async move { store.erase_customer(&id, now).await });
    let erased = erasing.await.map_err(|_| ApiError::unavailable())??;
    erased.map(|erased| Json(erased.into())).ok_or_else(|| ApiError::not_found("customer"))
}
