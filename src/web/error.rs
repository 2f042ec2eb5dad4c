//! The one error body: `{"error":{"code","message","details"?}}` with the right status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::console::accounts::AccountError;
use crate::channels::{BadInput, ChannelError};
use crate::desk::act::ActError;
use crate::desk::sinks::NewsError;
use crate::pipeline::identity::IdentityError;
use crate::pipeline::{DecideError, DeskError, IngestError, RateError, SuggestError};
use crate::store::StoreError;

/// What a caller gets instead of an answer.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
    details: Option<Value>,
    retry_after_seconds: Option<u64>,
}

/// The body of every refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Debug, Serialize, ToSchema)]
struct ErrorDetail {
    /// One word for machines.
    #[schema(example = "invalid")]
    code: String,
    /// What is wrong and what to do.
    message: String,
    /// Particulars, for example the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: None, retry_after_seconds: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }

    /// What is not there is called by another name; any other refusal stays as it is.
    pub(super) fn or_not_found(self, what: &str) -> Self {
        if self.status == StatusCode::NOT_FOUND { Self::not_found(what) } else { self }
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    pub(super) fn too_many(message: impl Into<String>, retry_after_seconds: u64) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message);
        Self { retry_after_seconds: Some(retry_after_seconds), ..error }
    }

    pub(super) fn unavailable() -> Self {
        let message = "the record cannot be reached just now and nothing was changed; send it again";
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
        Self { retry_after_seconds: Some(1), ..error }
    }
}

/// The refusal for a status that something below us decided on.
pub(super) fn of_status(status: StatusCode, message: Option<String>) -> ApiError {
    let (code, said) = match status {
        StatusCode::NOT_FOUND => ("not_found", "there is nothing here; /openapi.json lists what there is"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "this address does not take that method; see the Allow header")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "send JSON as application/json"),
        StatusCode::REQUEST_TIMEOUT => ("timeout", "the request took too long; send it again"),
        status if status.is_server_error() => ("internal", "something broke here; it was recorded"),
        _ => ("invalid", "the request is not valid"),
    };
    ApiError::new(status, code, message.unwrap_or_else(|| said.to_owned()))
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let detail = ErrorDetail { code: self.code.to_owned(), message: self.message, details: self.details };
        let mut response = (self.status, Json(ErrorBody { error: detail })).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<BadInput> for ApiError {
    fn from(error: BadInput) -> Self {
        let details = serde_json::json!({"field": error.field});
        Self { details: Some(details), ..Self::invalid(error.to_string()) }
    }
}

impl From<ChannelError> for ApiError {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Malformed(bad) => bad.into(),
            ChannelError::Session(session) => Self::unauthorized(session.to_string()),
            ChannelError::Forged(why) => Self::forbidden(why),
            ChannelError::Later { .. } | ChannelError::Unknown(_) | ChannelError::Permanent(_) => {
                Self::unavailable()
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Cursor) {
            return Self::invalid(error.to_string());
        }
        tracing::error!(error = %error, "the record could not be read");
        Self::unavailable()
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => error.into(),
            error => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", error.to_string()),
        }
    }
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Conflict => Self::new(StatusCode::CONFLICT, "conflict", error.to_string()),
            IngestError::Invalid(message) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message),
            IngestError::Unavailable(_) => Self::unavailable(),
        }
    }
}

impl From<ActError> for ApiError {
    fn from(error: ActError) -> Self {
        let conflict = |code, error: &ActError| Self::new(StatusCode::CONFLICT, code, error.to_string());
        match &error {
            ActError::NoCase => Self::not_found("case"),
            ActError::NoAgent => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "no_agent", error.to_string()),
            ActError::Illegal(_) => conflict("illegal_move", &error),
            ActError::Conflict => conflict("conflict", &error),
            ActError::NoOffer => conflict("not_offered", &error),
            ActError::Changed => conflict("changed", &error),
            ActError::NoDelivery => Self::not_found("delivery of this case"),
            ActError::NotFailed(_) => conflict("not_failed", &error),
            ActError::Unavailable(source) => {
                tracing::error!(error = ?source, "an act of an agent was not recorded");
                Self::unavailable()
            }
        }
    }
}

impl From<DeskError> for ApiError {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::NoDesk => Self::not_found("desk"),
            DeskError::Refused(NewsError::Forged(why)) => Self::unauthorized(why),
            DeskError::Refused(NewsError::Malformed(error)) => error.into(),
            DeskError::Act(error) => error.into(),
        }
    }
}

impl From<SuggestError> for ApiError {
    fn from(error: SuggestError) -> Self {
        match &error {
            SuggestError::NoCase => Self::not_found("case"),
            SuggestError::NotReadable(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_readable", error.to_string())
            }
            SuggestError::Unavailable(source) => {
                tracing::error!(error = %source, "the assistant could not be asked for an agent");
                Self::unavailable()
            }
        }
    }
}

impl From<IdentityError> for ApiError {
    fn from(error: IdentityError) -> Self {
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, error.to_string());
        match &error {
            IdentityError::NoCustomer => Self::not_found("customer"),
            IdentityError::NotLinked => Self::not_found("address of this customer"),
            IdentityError::TwoIds(..) => conflict("two_ids"),
            IdentityError::NotMerged => conflict("not_merged"),
            IdentityError::Taken(holder) => {
                Self { details: Some(serde_json::json!({"customer_id": holder})), ..conflict("taken") }
            }
            IdentityError::Unavailable(source) => {
                tracing::error!(error = %source, "who is who could not be changed");
                Self::unavailable()
            }
        }
    }
}

impl From<RateError> for ApiError {
    fn from(error: RateError) -> Self {
        let conflict = |code, error: &RateError| Self::new(StatusCode::CONFLICT, code, error.to_string());
        match &error {
            RateError::NoCase => Self::not_found("case"),
            RateError::NotResolved(_) => conflict("not_resolved", &error),
            RateError::Before => conflict("rated_before", &error),
            RateError::Unavailable(source) => {
                tracing::error!(error = %source, "a rating was not recorded");
                Self::unavailable()
            }
        }
    }
}

impl From<DecideError> for ApiError {
    fn from(error: DecideError) -> Self {
        let conflict = |code, error: &DecideError| Self::new(StatusCode::CONFLICT, code, error.to_string());
        match &error {
            DecideError::NoCase => Self::not_found("case"),
            DecideError::NoApproval => Self::not_found("approval in the newest handoff of this case"),
            DecideError::NotYours => Self::forbidden(error.to_string()),
            DecideError::NotWaiting(_) => conflict("not_waiting", &error),
            DecideError::Changed => conflict("changed", &error),
            DecideError::Denied(_) => conflict("denied", &error),
            DecideError::Unavailable(source) => {
                tracing::error!(error = ?source, "a decision about an approval was not recorded to its end");
                Self::unavailable()
            }
        }
    }
}
