//! Who is there: read for everybody, and said for one agent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::Edge;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::JsonBytes;
use super::super::keys::{Caller, Scope};
use super::super::shapes::List;
use super::acts::{LABEL_CHARS_MAX, acting, agent};
use crate::channels::BadInput;
use crate::channels::json::Fields;
use crate::domain::role::Right;
use crate::domain::routing::{Person, Presence, WHOLE};
use crate::store::Member;

/// An agent, what they can do, and whether they are there.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PresenceBody {
    agent_id: String,
    login: String,
    name: String,
    /// `online`, `busy` or `away`; away by itself when nothing was heard of them for `[routing] presence_ms`.
    status: &'static str,
    /// When they were last heard of.
    seen_at: Option<String>,
    teams: Vec<String>,
    skills: BTreeSet<String>,
    /// ISO 639-1 codes they speak.
    languages: BTreeSet<String>,
    /// Channels they serve; none: every one.
    channels: BTreeSet<String>,
    /// How many cases of a channel fill them, where it differs from `[routing.capacity]`.
    capacity: BTreeMap<String, u32>,
    /// How much of them is taken, 0 to 1.
    taken: f64,
}

impl PresenceBody {
    fn of(member: &Member, person: Person) -> Self {
        Self {
            agent_id: member.id.to_string(),
            login: member.login.clone(),
            name: member.name.clone(),
            status: person.presence.as_str(),
            seen_at: member.heard.map(|heard| heard.seen_at.to_string()),
            teams: member.teams.iter().map(ToString::to_string).collect(),
            skills: person.skills,
            languages: person.languages,
            channels: person.channels,
            capacity: person.capacity.0,
            taken: person.load as f64 / WHOLE as f64,
        }
    }
}

/// What an agent says of themselves.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field, so that refusals name the field")]
pub(super) struct Stated {
    /// Login or id of the agent; a key of one person needs none.
    agent: Option<String>,
    /// `online`, `busy` or `away`. Without it they are only heard of: send that every `[routing] heartbeat_ms`.
    status: Option<String>,
}

/// Everybody with an account, by login.
#[utoipa::path(get, path = "/v1/presence", tag = "agents", responses(
    (status = 200, body = List<PresenceBody>), (status = 401, body = ErrorBody)
))]
pub(super) async fn list_presence(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
) -> Result<Json<List<PresenceBody>>, ApiError> {
    caller.may(Scope::CasesRead)?;
    let all = edge.app.pipeline.parts().router().presences().await?;
    let items = all.into_iter().map(|(member, person)| PresenceBody::of(&member, person)).collect();
    Ok(Json(List { items, next: None }))
}

/// Say that an agent is there, and whether they want cases offered.
#[utoipa::path(put, path = "/v1/presence", tag = "agents", request_body = Stated, responses(
    (status = 200, body = PresenceBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 422, description = "There is no such agent", body = ErrorBody)
))]
pub(super) async fn put_presence(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    JsonBytes(body): JsonBytes,
) -> Result<Json<PresenceBody>, ApiError> {
    caller.may(Scope::CasesWrite)?;
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    let mut fields = Fields::of_body(body, edge.app.config.server.json_depth_max)?;
    let name = fields.label("agent", LABEL_CHARS_MAX)?;
    let status = fields.label("status", LABEL_CHARS_MAX)?;
    fields.finish()?;
    let chosen = match &status {
        Some(text) => Some(
            Presence::parse(text).ok_or_else(|| BadInput::new("status", "is not online, busy or away"))?,
        ),
        None => None,
    };
    let id = match (&name, caller.person()) {
        (Some(name), _) => {
            let named = agent(&edge, name).await?;
            acting(&caller, &named, Right::Act)?;
            named.id
        }
        (None, Some(person)) => person.id.clone(),
        (None, None) => return Err(BadInput::new("agent", "is missing; write a login or an id").into()),
    };
    let (store, now) = (&edge.app.store, edge.app.clock.now());
    match chosen {
        Some(chosen) => store.choose_presence(&id, chosen, now).await?,
        None => store.seen(&id, now).await?,
    }
    let all = edge.app.pipeline.parts().router().presences().await?;
    let own = all.into_iter().find(|(member, _)| member.id == id);
    let (member, person) = own.ok_or_else(|| ApiError::not_found("agent"))?;
    Ok(Json(PresenceBody::of(&member, person)))
}
