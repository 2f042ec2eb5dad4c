//! What the scripts of a page ask for while somebody works in it: keep a text, say who else is here, measure, suggest.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::super::Edge;
use super::super::error::ApiError;
use super::super::extract::{body, case_id};
use super::shown;
use super::sign_in::{SignedIn, form};
use crate::channels::twilio::segments;
use crate::channels::{ChannelAdapter, rules, sms};
use crate::desk::act::Actor;
use crate::domain::ids::{AttachmentId, CaseId, MessageId};
use crate::domain::message::kept_by_us;
use crate::domain::role::Right;
use crate::pipeline::Suggestion;
use crate::store::{AgentDraft, StoredAttachment};

/// Somebody is here for this long after their page last said so.
const HERE_MS: i64 = 25_000;
/// Longest name of a file.
const NAME_CHARS_MAX: usize = 200;

/// Keeps the text, says that its writer is here, and tells who else is.
pub(super) async fn here(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let mut fields = form(&edge, &signed_in, request).await?;
    // Whoever only reads is seen here too; a text of theirs has nowhere to go.
    let case = signed_in.case(&edge, &id).await?.case.id.clone();
    if !signed_in.may(Right::Act) {
        fields.remove("text");
    }
    let (store, now, agent) = (&edge.app.store, edge.app.clock.now(), &signed_in.agent.id);
    if let Some(text) = fields.remove("text") {
        let most = edge.app.config.limits.message_chars_max;
        let draft = AgentDraft {
            agent: agent.clone(),
            case: case.clone(),
            kind: if fields.get("kind").is_some_and(|kind| kind == "note") { "note" } else { "reply" }
                .to_owned(),
            way: fields.remove("way").filter(|way| !way.is_empty()),
            text: text.replace("\r\n", "\n").chars().take(most).collect(),
            seen_seq: fields.get("seen").and_then(|seen| seen.parse().ok()).unwrap_or_default(),
            at: now,
        };
        store.keep_draft(&draft).await?;
    }
    if fields.contains_key("gone") {
        store.unwatch(&case, agent).await?;
        return Ok(Json(json!({"others": []})));
    }
    let writing = fields.get("writing").is_some_and(|writing| writing == "1");
    store.watch(&case, agent, writing, now.plus_ms(HERE_MS)).await?;
    let others = store.watchers(&case, agent, now).await?;
    let others: Vec<Value> =
        others.iter().map(|one| json!({"name": one.name, "writing": one.writing})).collect();
    Ok(Json(json!({"others": others})))
}

/// A case within reach of somebody who may act on it.
async fn at_work(edge: &Edge, signed_in: &SignedIn, id: &str) -> Result<CaseId, ApiError> {
    signed_in.demand(Right::Act)?;
    Ok(signed_in.case(edge, id).await?.case.id.clone())
}

/// How a text fits a channel: what is counted there, against what it may be at most.
pub(super) async fn measure(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let fields = form(&edge, &signed_in, request).await?;
    let channel = fields.get("channel").map(String::as_str).unwrap_or_default();
    let text = fields.get("text").map(|text| text.replace("\r\n", "\n")).unwrap_or_default();
    let text = text.trim();
    let (parts, count) = rules::of(channel).measured(text);
    let mut told = json!({"count": count, "parts": parts});
    if channel == sms::NAME {
        // As it leaves: curly quotes and dashes are sent as plain ones where that makes it cheaper.
        let (segments, encoding) = segments::count(&segments::minimised(text));
        told["segments"] = json!(segments);
        told["alphabet"] = json!(match encoding {
            segments::Encoding::Gsm7 => "plain letters",
            segments::Encoding::Ucs2 => "every letter costs more",
        });
    }
    if let Some(id) = fields.get("case").and_then(|id| CaseId::parse(id).ok()) {
        // Their own alone, so that the case itself need not be looked at.
        let chosen = edge.app.store.uploads(&signed_in.agent.id, &id).await?;
        let sizes: Vec<_> = chosen
            .iter()
            .map(|file| (file.name.as_str(), file.content_type.as_deref(), file.bytes.max(0) as usize))
            .collect();
        let adapter = edge.app.pipeline.parts().channels.get(channel);
        let takes = adapter.map_or(rules::of(channel).files, ChannelAdapter::files);
        told["files"] = json!(takes.problem(&sizes));
    }
    Ok(Json(told))
}

/// A text that is kept ready, with what it names filled in.
pub(super) async fn ready_text(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    signed_in.demand(Right::Act)?;
    let file = signed_in.case(&edge, &id).await?;
    let (agent, business) = (&signed_in.agent.name, &edge.app.config.business);
    let text = edge.app.macros.say(&name, &file.case, &file.customer, agent, business);
    match text.ok_or_else(|| ApiError::not_found("macro"))? {
        Ok(text) => Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()),
        Err(error) => {
            tracing::error!(error = %error, "a macro did not render");
            Err(ApiError::conflict("this text cannot be filled in for this case; write it yourself"))
        }
    }
}

/// What the assistant would answer.
pub(super) async fn suggest(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    form(&edge, &signed_in, request).await?;
    let case = at_work(&edge, &signed_in, &id).await?;
    let actor = Actor::Agent(signed_in.agent.id.clone());
    Ok(Json(match edge.app.pipeline.suggest(&case, &actor).await? {
        Suggestion::Words { text, citations } => json!({
            "text": text,
            "citations": citations.iter().map(|one| json!({"title": one.title, "article": one.article})).collect::<Vec<_>>(),
        }),
        Suggestion::Nothing(reason) => json!({"nothing": nothing(&reason)}),
    }))
}

/// Why there is no suggestion.
fn nothing(reason: &str) -> String {
    match reason {
        "nothing_to_answer" => "The customer has written nothing that could be answered.".to_owned(),
        "would_change_something" => {
            "The assistant would change something, which it does only when it has the case.".to_owned()
        }
        other => format!("The assistant has nothing to say here: {}.", shown::reason(other).to_lowercase()),
    }
}

/// Keeps a file for the reply that is being written.
pub(super) async fn upload(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let (parts, sent) = request.into_parts();
    let case = at_work(&edge, &signed_in, &id).await?;
    genuine(&edge, &signed_in, &parts.headers)?;
    let (store, limits, agent) = (&edge.app.store, &edge.app.config.limits, &signed_in.agent.id);
    let known = store.uploads(agent, &case).await?;
    let used: i64 = known.iter().map(|file| file.bytes).sum();
    let room = (limits.attachment_bytes_max as i64 - used).max(0) as usize;
    if known.len() >= limits.attachments_max {
        return Err(ApiError::invalid(format!("at most {} files go with one reply", limits.attachments_max)));
    }
    let content = body(&parts.headers, sent, room).await?;
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    // A header takes plain letters only, so the page writes the name as in an address.
    let name = text("x-file-name").unwrap_or_default();
    let name = form_urlencoded::parse(format!("name={name}").as_bytes())
        .next()
        .map_or_else(String::new, |(_, name)| {
            name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
        });
    let file = StoredAttachment {
        id: AttachmentId::new(edge.app.clock.new_id()),
        case: case.clone(),
        // It has none yet; the reply gives it one.
        message: MessageId::new(edge.app.clock.new_id()),
        name: if name.trim().is_empty() || kept_by_us(&name) { "file".to_owned() } else { name },
        content_type: text("content-type").map(|kind| kind.chars().take(100).collect()),
        content: Arc::from(content.as_ref()),
        at: edge.app.clock.now(),
    };
    store.keep_upload(agent, &file).await?;
    files(&edge, &signed_in, &id).await
}

/// Takes a file off again.
pub(super) async fn drop_file(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path((id, file)): Path<(String, String)>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    form(&edge, &signed_in, request).await?;
    let case = at_work(&edge, &signed_in, &id).await?;
    let file = AttachmentId::parse(&file).map_err(|_| ApiError::not_found("file"))?;
    edge.app.store.drop_uploads(&signed_in.agent.id, &case, Some(&file)).await?;
    files(&edge, &signed_in, &id).await
}

async fn files(edge: &Edge, signed_in: &SignedIn, id: &str) -> Result<Json<Value>, ApiError> {
    let files = edge.app.store.uploads(&signed_in.agent.id, &case_id(id)?).await?;
    Ok(Json(json!({"files": files.iter().map(shown::upload).collect::<Vec<_>>()})))
}

/// A call without a form: it comes from this very site, with the token of this session in a header.
fn genuine(edge: &Edge, signed_in: &SignedIn, headers: &HeaderMap) -> Result<(), ApiError> {
    let carried = headers.get("x-csrf").map(axum::http::HeaderValue::as_bytes).unwrap_or_default();
    if edge.origins.same(headers) && bool::from(carried.ct_eq(signed_in.csrf.as_bytes())) {
        return Ok(());
    }
    Err(ApiError::forbidden("this did not come from a page of this session; reload it and try again"))
}
