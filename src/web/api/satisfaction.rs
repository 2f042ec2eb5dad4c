//! What customers think of how their cases were settled.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Edge;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::JsonBytes;
use super::super::keys::{Caller, Scope};
use super::acts::Call;
use crate::channels::BadInput;
use crate::domain::rating::{COMMENT_CHARS_MAX, SCORE_MAX, Scale, Score};
use crate::domain::role::Right;

/// How a rating that your own app gathered is counted.
const CHANNEL: &str = "in_app";

/// A customer's word about a settled case.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field, so that refusals name the field")]
pub(super) struct Rated {
    /// From 1 to 5; with `thumbs` 5 is up and 1 is down.
    score: i64,
    /// `five` (the default) or `thumbs`.
    scale: Option<String>,
    /// Why, in the customer's words.
    comment: Option<String>,
}

/// Record what the customer thinks of how the case was settled. Each case is rated once, whether or not we asked.
#[utoipa::path(post, path = "/v1/cases/{id}/csat", tag = "cases", params(("id" = String, Path)),
    request_body = Rated, responses(
    (status = 204, description = "It is recorded"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, description = "Not settled yet, or rated before", body = ErrorBody)
))]
pub(super) async fn rate_case(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<StatusCode, ApiError> {
    // People do not speak for customers, least of all about themselves.
    caller.demand(Scope::CasesWrite, Right::Administer)?;
    let mut call = Call::open(&edge, (&caller, Scope::CasesWrite), &id, &body).await?;
    let points = call.fields.required_number("score")?;
    let scale = match call.fields.label("scale", 16)?.as_deref() {
        None => Scale::Five,
        Some(name) => Scale::parse(name).ok_or_else(|| BadInput::new("scale", "is `five` or `thumbs`"))?,
    };
    let comment =
        call.fields.text("comment", COMMENT_CHARS_MAX)?.filter(|comment| !comment.trim().is_empty());
    call.finish()?;
    let score = Score::new(points, scale, comment)
        .ok_or_else(|| BadInput::new("score", format!("is a number from 1 to {SCORE_MAX}")))?;
    edge.app.pipeline.rate(&call.case, CHANNEL, &score).await?;
    Ok(StatusCode::NO_CONTENT)
}
