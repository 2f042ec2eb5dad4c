//! What has left a case, how it fared, and sending it again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Edge;
use super::super::access;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::JsonBytes;
use super::super::keys::{Caller, Scope};
use super::acts::{By, Call};
use crate::desk::act::ActError;
use crate::desk::send_again;
use crate::domain::delivery::Delivery;
use crate::domain::ids::DeliveryId;

/// One message, or a part of one, on its way to the customer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryBody {
    id: String,
    message_id: String,
    /// Which part of the message, from 0.
    part: i64,
    channel: String,
    /// `pending`, `unknown`, `sent`, `delivered`, `read`, `failed` or `dropped`.
    state: &'static str,
    attempts: i64,
    /// What the provider calls it.
    provider_id: Option<String>,
    /// Why it did not arrive, or may not have.
    reason: Option<String>,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id.to_string(),
            message_id: delivery.message.to_string(),
            part: delivery.part,
            channel: delivery.channel,
            state: delivery.state.as_str(),
            attempts: delivery.attempts,
            provider_id: delivery.provider_id,
            reason: delivery.reason,
        }
    }
}

/// Everything that has left a case.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deliveries {
    items: Vec<DeliveryBody>,
    next: Option<String>,
}

/// What has left a case, oldest first. Nothing leaves by channels whose readers follow the record.
#[utoipa::path(get, path = "/v1/cases/{id}/deliveries", tag = "cases", params(("id" = String, Path)), responses(
    (status = 200, body = Deliveries), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
))]
pub(super) async fn list_deliveries(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Deliveries>, ApiError> {
    caller.may(Scope::CasesRead)?;
    let file = access::case(&edge, &id, caller.reach()).await?;
    let items = edge.app.store.deliveries(&file.case.id).await?;
    Ok(Json(Deliveries { items: items.into_iter().map(DeliveryBody::from).collect(), next: None }))
}

/// Send again what failed, or of which nobody knows.
#[utoipa::path(post, path = "/v1/cases/{id}/deliveries/{delivery}/retry", tag = "agents",
    params(("id" = String, Path), ("delivery" = String, Path)), request_body = By, responses(
    (status = 201, body = DeliveryBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)
))]
pub(super) async fn retry_delivery(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path((id, delivery)): Path<(String, String)>,
    JsonBytes(body): JsonBytes,
) -> Result<(StatusCode, Json<DeliveryBody>), ApiError> {
    let mut call = Call::open(&edge, (&caller, Scope::CasesWrite), &id, &body).await?;
    call.finish()?;
    let delivery = DeliveryId::parse(&delivery).map_err(|_| ActError::NoDelivery)?;
    let again = send_again::send_again(call.at(), &delivery).await?;
    Ok((StatusCode::CREATED, Json(again.into())))
}
