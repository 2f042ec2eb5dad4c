//! The shared search, as the assistant uses it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::Edge;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::Asked;
use super::super::keys::{Caller, Scope};

const HITS: usize = 5;
const HITS_MAX: usize = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Question {
    /// What somebody asks.
    q: String,
    /// ISO 639-1; any language when absent.
    language: Option<String>,
    limit: Option<usize>,
}

/// One article that may answer.
#[derive(Debug, Serialize, ToSchema)]
struct HitBody {
    article: String,
    title: String,
    score: f32,
    passage: String,
}

/// What the knowledge base has to say.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Found {
    /// Calibrated: how likely the first hit answers.
    answerable: f32,
    hits: Vec<HitBody>,
}

/// Search the knowledge base; one hit per article, best first.
#[utoipa::path(get, path = "/v1/knowledge/search", tag = "knowledge", params(Question), responses(
    (status = 200, body = Found), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)
))]
pub(super) async fn search_knowledge(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Asked(question): Asked<Question>,
) -> Result<Json<Found>, ApiError> {
    caller.may(Scope::Knowledge)?;
    let limit = question.limit.unwrap_or(HITS).clamp(1, HITS_MAX);
    let query: String = question.q.chars().take(edge.app.config.knowledge.query_chars_max).collect();
    let search = edge.app.knowledge.search(&query, question.language.as_deref(), limit);
    let hits = search.hits.into_iter();
    let hit = |one: crate::knowledge::Hit| HitBody {
        article: one.article,
        title: one.title,
        score: one.score,
        passage: one.passage,
    };
    Ok(Json(Found { answerable: search.answerable, hits: hits.map(hit).collect() }))
}
