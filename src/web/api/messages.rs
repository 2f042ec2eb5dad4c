//! `POST /v1/messages`: a message from the operator's own channel or app.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::Edge;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Asked, JsonBytes};
use super::super::keys::{Caller, Scope};
use super::super::shapes::{HandoffBody, MessageBody};
use crate::channels::{ChannelError, in_app};
use crate::domain::turn::Outcome;
use crate::pipeline::{Accepted, Ended};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wait {
    /// Hold the answer until the turn ends, at most so many milliseconds.
    wait_ms: Option<u64>,
}

/// Who wrote the message.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field in channels::in_app, so that refusals name the field")]
pub(super) struct SenderBody {
    /// The operator's own id of the person on this channel.
    id: String,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    /// The operator's word that this is who they are; `id` is then the customer's external id.
    verified: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field in channels::in_app, so that refusals name the field")]
pub(super) struct SentAttachment {
    name: String,
    content_type: Option<String>,
    url: Option<String>,
}

/// A customer's message.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field in channels::in_app, so that refusals name the field")]
pub(super) struct NewMessage {
    /// The operator's own name of the channel; `in_app` when absent.
    #[schema(example = "in_app")]
    channel: Option<String>,
    /// The channel's own id: the same id is stored once.
    id: String,
    /// The channel's thread; the sender's id when absent.
    conversation: Option<String>,
    sender: SenderBody,
    text: String,
    attachments: Option<Vec<SentAttachment>>,
    sent_at: Option<String>,
}

/// Where the message was stored, and with `wait_ms` what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MessageAnswer {
    message_id: String,
    case_id: String,
    customer_id: String,
    /// The same id was sent before.
    duplicate: bool,
    #[serde(flatten)]
    ended: Option<EndedBody>,
}

/// What the turn came to.
#[derive(Debug, Serialize, ToSchema)]
struct EndedBody {
    /// `replied`, `resolved`, `handed_off` or `pending`.
    outcome: &'static str,
    replies: Vec<MessageBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handoff: Option<HandoffBody>,
}

impl From<Ended> for EndedBody {
    fn from(ended: Ended) -> Self {
        let outcome = match ended.outcome {
            None => "pending",
            // Nothing to say is an answer too; a dead letter is with people.
            Some(Outcome::Replied | Outcome::Silent) => "replied",
            Some(Outcome::Resolved) => "resolved",
            Some(Outcome::HandedOff | Outcome::Dead) => "handed_off",
        };
        let replies = ended.replies.iter().map(|reply| MessageBody::from(&**reply)).collect();
        Self { outcome, replies, handoff: ended.handoff.as_ref().map(HandoffBody::from) }
    }
}

impl MessageAnswer {
    fn of(accepted: &Accepted, ended: Option<Ended>) -> Self {
        Self {
            message_id: accepted.message.to_string(),
            case_id: accepted.case.to_string(),
            customer_id: accepted.customer.to_string(),
            duplicate: accepted.duplicate,
            ended: ended.map(EndedBody::from),
        }
    }
}

/// Take a customer's message. 202 once it is stored; with `wait_ms` 200 and what came of it.
#[utoipa::path(
    post,
    path = "/v1/messages",
    tag = "messages",
    params(Wait),
    request_body = NewMessage,
    responses(
        (status = 202, description = "Stored", body = MessageAnswer),
        (status = 200, description = "Stored, and what came of it within `wait_ms`", body = MessageAnswer),
        (status = 400, description = "Not a message; the body says which field", body = ErrorBody),
        (status = 401, description = "No valid key", body = ErrorBody),
        (status = 409, description = "The same id with other content", body = ErrorBody),
        (status = 413, description = "Too large", body = ErrorBody),
        (status = 503, description = "Nothing was stored; send it again", body = ErrorBody),
    )
)]
pub(super) async fn post_message(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Asked(wait): Asked<Wait>,
    JsonBytes(body): JsonBytes,
) -> Result<Response, ApiError> {
    caller.may(Scope::Messages)?;
    let message = in_app::read(&body, edge.bounds).map_err(ChannelError::from)?;
    let accepted = edge.app.pipeline.ingest(message).await?;
    let Some(wait_ms) = wait.wait_ms else {
        return Ok((StatusCode::ACCEPTED, Json(MessageAnswer::of(&accepted, None))).into_response());
    };
    let wait_ms = wait_ms.min(edge.app.config.server.wait_ms_max);
    let ended = edge.app.pipeline.wait(&accepted, wait_ms).await?;
    Ok(Json(MessageAnswer::of(&accepted, Some(ended))).into_response())
}
