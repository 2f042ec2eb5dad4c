//! What agents do with a case, called by a program: answer, note, assign, resolve, reopen, snooze, give back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Edge;
use super::super::access;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{JsonBytes, case_id};
use super::super::keys::{Caller, Scope};
use super::super::shapes::{CaseBody, MessageBody};
use crate::channels::BadInput;
use crate::channels::json::Fields;
use crate::desk::act::{self, ActError, Actor, Assignee, At, Reply};
use crate::domain::case::SettledAs;
use crate::domain::ids::{AgentId, CaseId, TeamId};
use crate::domain::role::{Reach, Right};
use crate::domain::team::Agent;
use crate::domain::time::Timestamp;

pub(super) const LABEL_CHARS_MAX: usize = 200;

/// What is said to the customer, or noted for agents.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field, so that refusals name the field")]
pub(super) struct Words {
    text: String,
    /// The caller's own id: the same id is said once.
    id: Option<String>,
    /// Login or id of the agent for whom this is said.
    agent: Option<String>,
}

/// Who gets the case.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field, so that refusals name the field")]
pub(super) struct Assignment {
    /// Login or id of an agent. Without it the case goes back to the queue.
    agent: Option<String>,
    /// The team whose queue it goes back to.
    team: Option<String>,
    /// A word for whoever has it next; an internal note.
    word: Option<String>,
}

/// How the case was settled.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field, so that refusals name the field")]
pub(super) struct Settlement {
    /// `solved` (the default), `no_reply_needed`, `duplicate`, `not_for_us` or `not_possible`.
    kind: Option<String>,
    /// Login or id of the agent for whom this is done.
    agent: Option<String>,
}

/// How the case goes back to the assistant.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field, so that refusals name the field")]
pub(super) struct Return {
    /// What the assistant shall do; an internal word, never the customer's.
    instruction: Option<String>,
    /// Login or id of the agent for whom this is done.
    agent: Option<String>,
}

/// How long the case is put aside.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field, so that refusals name the field")]
pub(super) struct Until {
    /// RFC 3339; a word of the customer wakes it earlier.
    until: String,
}

/// An act without particulars.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field, so that refusals name the field")]
pub(super) struct By {
    /// Login or id of the agent for whom this is done.
    agent: Option<String>,
}

pub(super) struct Call<'a> {
    edge: &'a Edge,
    pub(super) case: CaseId,
    pub(super) actor: Actor,
    named: Option<Agent>,
    pub(super) fields: Fields,
}

impl<'a> Call<'a> {
    /// Checks the right, the case's id and who acts: whoever `agent` names. An empty body is an empty object.
    pub(super) async fn open(
        edge: &'a Edge,
        (caller, scope): (&Caller, Scope),
        id: &str,
        body: &[u8],
    ) -> Result<Self, ApiError> {
        let mut call = Self::unnamed(edge, (caller, scope), id, body).await?;
        if let Some(named) = &call.named {
            let right = if scope == Scope::Approvals { Right::Approve } else { Right::Act };
            call.actor = acting(caller, named, right)?;
        }
        Ok(call)
    }

    /// The same, but who `agent` names does not act.
    async fn unnamed(
        edge: &'a Edge,
        (caller, scope): (&Caller, Scope),
        id: &str,
        body: &[u8],
    ) -> Result<Self, ApiError> {
        caller.may(scope)?;
        let case = match caller.reach() {
            // Each act finds out by itself whether there is such a case.
            Reach::All => case_id(id)?,
            Reach::Within { .. } => access::case(edge, id, caller.reach()).await?.case.id.clone(),
        };
        let body = if body.is_empty() { b"{}" } else { body };
        let mut fields = Fields::of_body(body, edge.app.config.server.json_depth_max)?;
        let named = match fields.label("agent", LABEL_CHARS_MAX)? {
            Some(name) => Some(agent(edge, &name).await?),
            None => None,
        };
        Ok(Self { edge, case, actor: caller.actor(), named, fields })
    }

    pub(super) fn at(&self) -> At<'_> {
        At {
            store: &self.edge.app.store,
            channels: &self.edge.app.pipeline.parts().channels,
            clock: &*self.edge.app.clock,
            actor: &self.actor,
            case: &self.case,
        }
    }

    fn words(&mut self) -> Result<String, ApiError> {
        let text = self.fields.required_text("text", self.edge.app.config.limits.message_chars_max)?;
        if text.trim().is_empty() {
            return Err(BadInput::new("text", "is empty; write something").into());
        }
        Ok(text)
    }

    pub(super) fn finish(&mut self) -> Result<(), ApiError> {
        Ok(std::mem::take(&mut self.fields).finish()?)
    }
}

/// The person with this login or id.
pub(super) async fn agent(edge: &Edge, name: &str) -> Result<Agent, ApiError> {
    let store = &edge.app.store;
    if let Some(agent) = store.agent_by_login(name).await? {
        return Ok(agent);
    }
    let by_id = match AgentId::parse(name) {
        Ok(id) => store.agent(&id).await?,
        Err(_) => None,
    };
    Ok(by_id.ok_or(ActError::NoAgent)?)
}

/// The person whom a program names as the one who acts. A key of one person acts for nobody else.
pub(super) fn acting(caller: &Caller, named: &Agent, right: Right) -> Result<Actor, ApiError> {
    if caller.person().is_some_and(|person| person.id != named.id) {
        return Err(ApiError::forbidden("this key belongs to one person and acts for nobody else"));
    }
    access::demand(named, right)?;
    Ok(Actor::Agent(named.id.clone()))
}

/// Answer the customer; the case is a person's from then on.
#[utoipa::path(post, path = "/v1/cases/{id}/replies", tag = "agents", params(("id" = String, Path)),
    request_body = Words, responses(
    (status = 201, body = MessageBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)
))]
pub(super) async fn reply(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<(StatusCode, Json<MessageBody>), ApiError> {
    let mut call = Call::open(&edge, (&caller, Scope::CasesWrite), &id, &body).await?;
    let reply =
        Reply { text: call.words()?, id: call.fields.label("id", LABEL_CHARS_MAX)?, ..Reply::default() };
    call.finish()?;
    let message = act::reply(call.at(), reply).await?;
    Ok((StatusCode::CREATED, Json(MessageBody::from(&*message))))
}

/// Leave a note that only agents read.
#[utoipa::path(post, path = "/v1/cases/{id}/notes", tag = "agents", params(("id" = String, Path)),
    request_body = Words, responses(
    (status = 201, body = MessageBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody)
))]
pub(super) async fn note(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<(StatusCode, Json<MessageBody>), ApiError> {
    let mut call = Call::open(&edge, (&caller, Scope::CasesWrite), &id, &body).await?;
    let text = call.words()?;
    call.finish()?;
    let message = act::note(call.at(), &text).await?;
    Ok((StatusCode::CREATED, Json(MessageBody::from(&*message))))
}

/// Give the case to an agent, or back to a queue.
#[utoipa::path(post, path = "/v1/cases/{id}/assign", tag = "agents", params(("id" = String, Path)),
    request_body = Assignment, responses(
    (status = 200, body = CaseBody), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)
))]
pub(super) async fn assign(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<CaseBody>, ApiError> {
    let mut call = Call::unnamed(&edge, (&caller, Scope::CasesWrite), &id, &body).await?;
    let team = call.fields.label("team", LABEL_CHARS_MAX)?;
    let word = call.fields.text("word", edge.app.config.limits.message_chars_max)?;
    call.finish()?;
    let to = match (&call.named, team) {
        (Some(agent), _) => {
            if caller.person().is_some_and(|person| person.id != agent.id) {
                caller.demand(Scope::CasesWrite, Right::AssignOthers)?;
            }
            access::demand(agent, Right::Act)?;
            Assignee::Agent(agent.id.clone())
        }
        (None, Some(team)) => Assignee::Queue(Some(known_team(&edge, &team)?)),
        (None, None) => Assignee::Queue(None),
    };
    let case = act::assign(call.at(), &to, word.as_deref().filter(|words| !words.trim().is_empty())).await?;
    Ok(Json(CaseBody::from(&case)))
}

fn known_team(edge: &Edge, name: &str) -> Result<TeamId, ApiError> {
    let known = edge.app.config.teams.iter().any(|team| team.id == name);
    let id = TeamId::parse(name).ok().filter(|_| known);
    id.ok_or_else(|| BadInput::new("team", "is no [[teams]] id of the configuration").into())
}

/// Settle the case.
#[utoipa::path(post, path = "/v1/cases/{id}/resolve", tag = "agents", params(("id" = String, Path)),
    request_body = Settlement, responses(
    (status = 200, body = CaseBody), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)
))]
pub(super) async fn resolve(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<CaseBody>, ApiError> {
    let mut call = Call::open(&edge, (&caller, Scope::CasesWrite), &id, &body).await?;
    let kind = match call.fields.label("kind", LABEL_CHARS_MAX)?.as_deref() {
        None => SettledAs::default(),
        Some(name) => SettledAs::parse(name).ok_or_else(|| {
            BadInput::new(
                "kind",
                "is `solved`, `no_reply_needed`, `duplicate`, `not_for_us` or `not_possible`",
            )
        })?,
    };
    call.finish()?;
    Ok(Json(CaseBody::from(&act::resolve(call.at(), kind).await?)))
}

/// Open a settled case again; it waits for a person.
#[utoipa::path(post, path = "/v1/cases/{id}/reopen", tag = "agents", params(("id" = String, Path)),
    request_body = By, responses(
    (status = 200, body = CaseBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)
))]
pub(super) async fn reopen(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<CaseBody>, ApiError> {
    let mut call = Call::open(&edge, (&caller, Scope::CasesWrite), &id, &body).await?;
    call.finish()?;
    Ok(Json(CaseBody::from(&act::reopen(call.at(), &edge.app.pipeline.parts().desk).await?)))
}

/// Put the case aside until a moment or the customer's next word.
#[utoipa::path(post, path = "/v1/cases/{id}/snooze", tag = "agents", params(("id" = String, Path)),
    request_body = Until, responses(
    (status = 200, body = CaseBody), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)
))]
pub(super) async fn snooze(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<CaseBody>, ApiError> {
    let mut call = Call::open(&edge, (&caller, Scope::CasesWrite), &id, &body).await?;
    let until = Timestamp::parse(&call.fields.required_text("until", 64)?);
    call.finish()?;
    let now = edge.app.clock.now();
    let until = until
        .filter(|until| *until > now)
        .ok_or_else(|| BadInput::new("until", "is not an RFC 3339 time in the future"))?;
    Ok(Json(CaseBody::from(&act::snooze(call.at(), Some(until)).await?)))
}

/// Give the case back to the assistant.
#[utoipa::path(post, path = "/v1/cases/{id}/return", tag = "agents", params(("id" = String, Path)),
    request_body = Return, responses(
    (status = 200, body = CaseBody), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)
))]
pub(super) async fn give_back(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<CaseBody>, ApiError> {
    let mut call = Call::open(&edge, (&caller, Scope::CasesWrite), &id, &body).await?;
    let instruction = call.fields.text("instruction", edge.app.config.limits.message_chars_max)?;
    call.finish()?;
    let instruction = instruction.as_deref().filter(|words| !words.trim().is_empty());
    Ok(Json(CaseBody::from(&act::give_back(call.at(), instruction).await?)))
}
