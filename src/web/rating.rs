//! The page behind the signed link of a mail: a score and a word, sent by the customer's own click. Opening the link
//! alone says nothing: mail programs open links too.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::Edge;
use super::error::{self, ApiError};
use crate::domain::ids::CaseId;
use crate::domain::rating::{COMMENT_CHARS_MAX, Scale, Score};
use crate::pipeline::RateError;

const PAGE: &str = include_str!("rating/page.html");
const STYLE: &str = include_str!("rating/style.css");
/// Where the link came from: the name under which its ratings are counted.
const CHANNEL: &str = "email";
/// A form with the longest comment, every letter of it escaped.
const FORM_BYTES_MAX: usize = 32_768;

/// The page and its form.
pub(super) fn router() -> Router<Arc<Edge>> {
    Router::new().route("/rate/{token}", get(ask).post(take)).route("/rate.css", get(style))
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

/// What the page shows.
enum Shown {
    Form { wrong: bool },
    Done,
    Before,
}

async fn ask(State(edge): State<Arc<Edge>>, Path(token): Path<String>) -> Result<Response, ApiError> {
    let case = linked(&edge, &token).await?;
    let rated = edge.app.store.rating(&case).await?.is_some_and(|rating| rating.score.is_some());
    page(&edge, &case, if rated { Shown::Before } else { Shown::Form { wrong: false } }).await
}

async fn take(
    State(edge): State<Arc<Edge>>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let case = linked(&edge, &token).await?;
    let body = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX).await;
    let body = body.map_err(|_| error::of_status(StatusCode::PAYLOAD_TOO_LARGE, None))?;
    let field = |name: &str| {
        form_urlencoded::parse(&body).find(|(key, _)| key == name).map(|(_, value)| value.trim().to_owned())
    };
    let Some(score) = field("score").as_deref().and_then(Score::read) else {
        return page(&edge, &case, Shown::Form { wrong: true }).await;
    };
    let comment: Option<String> = field("comment").filter(|comment| !comment.is_empty()).map(|comment| {
        comment.replace("\r\n", "\n").replace('\0', "").chars().take(COMMENT_CHARS_MAX).collect()
    });
    match edge.app.pipeline.rate(&case, CHANNEL, &Score { comment, ..score }).await {
        Ok(()) => page(&edge, &case, Shown::Done).await,
        Err(RateError::Before) => page(&edge, &case, Shown::Before).await,
        Err(error) => Err(error.into()),
    }
}

async fn linked(edge: &Edge, token: &str) -> Result<CaseId, ApiError> {
    edge.app.pipeline.case_of_rating_link(token).await?.ok_or_else(|| ApiError::not_found("page"))
}

async fn page(edge: &Edge, case: &CaseId, shown: Shown) -> Result<Response, ApiError> {
    let file = edge.app.store.case(case).await?.ok_or_else(|| ApiError::not_found("page"))?;
    let language = file.case.language.as_str();
    let phrases = &edge.app.pipeline.parts().phrases;
    let business = &edge.app.config.business.name;
    let say = |key: &str| phrases.say(language, key, json!({ "business": business, "points": 0 }));
    let (done, wrong) = match shown {
        Shown::Form { wrong } => (None, wrong.then(|| say("rating_page_choose"))),
        Shown::Done => (Some(say("rating_page_thanks")), None),
        Shown::Before => (Some(say("rating_page_before")), None),
    };
    let scale = edge.app.config.satisfaction.scale;
    let legend = match scale {
        Scale::Five => "rating_page_legend",
        Scale::Thumbs => "rating_page_title",
    };
    let context = json!({
        "language": language, "business": business, "done": done, "wrong": wrong,
        "title": say("rating_page_title"), "legend": say(legend), "why": say("rating_page_why"),
        "send": say("rating_page_send"), "answers": scale.answers(),
        "comment_chars_max": COMMENT_CHARS_MAX,
    });
    match edge.templates.render_html(PAGE, &context) {
        Ok(text) => Ok(Html(text).into_response()),
        Err(error) => {
            tracing::error!(error = %error, "a page did not render");
            Err(error::of_status(StatusCode::INTERNAL_SERVER_ERROR, None))
        }
    }
}
