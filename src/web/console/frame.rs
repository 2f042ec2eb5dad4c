//! What every page shows around its own part: where one is, how much waits, who is signed in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::Edge;
use super::super::error::ApiError;
use super::shown::{self, ago};
use super::sign_in::SignedIn;
use crate::domain::case::CaseState;
use crate::domain::ids::CaseId;
use crate::domain::role::{Right, may};
use crate::domain::time::Timestamp;
use crate::store::{StoreError, WorkLine};

/// The names of agents by their ids.
pub(super) type People = BTreeMap<String, String>;

/// The frame of a page at `place`.
pub(super) async fn frame(
    edge: &Edge,
    signed_in: &SignedIn,
    (title, place): (&str, &str),
) -> Result<Value, ApiError> {
    signed_in.demand(Right::SeeCases)?;
    let store = &edge.app.store;
    let agent = &signed_in.agent;
    let counts = store.work_counts(&agent.id, &agent.teams, &signed_in.reach).await?;
    Ok(json!({
        "title": title,
        "place": place,
        "theme": signed_in.theme,
        "here": signed_in.here,
        "business": edge.app.config.business.name,
        "agent": agent.name,
        "login": agent.login,
        "first_password": agent.password_chosen_at.is_none(),
        "csrf": signed_in.csrf,
        "counts": {"mine": counts.mine, "snoozed": counts.snoozed, "teams": counts.teams, "waiting": counts.waiting},
        "has_teams": !agent.teams.is_empty(),
        "reports": signed_in.may(Right::SeeReports),
        "manages": signed_in.may(Right::SeeAccounts),
        "administers": signed_in.may(Right::Administer),
        "unseen": store.unseen_mentions(&agent.id).await?,
    }))
}

/// The names of everybody who works here.
pub(super) async fn people(edge: &Edge) -> Result<People, StoreError> {
    let agents = edge.app.store.list_agents().await?;
    Ok(agents.into_iter().map(|agent| (agent.id.to_string(), agent.name)).collect())
}

/// The names of those to whom a case can be given.
pub(super) async fn workers(edge: &Edge) -> Result<People, StoreError> {
    let agents = edge.app.store.list_agents().await?.into_iter();
    let workers = agents.filter(|agent| may(agent.role, Right::Act));
    Ok(workers.map(|agent| (agent.id.to_string(), agent.name)).collect())
}

/// A line of a list.
pub(super) fn line(
    edge: &Edge,
    people: &People,
    one: &WorkLine,
    now: Timestamp,
    chosen: Option<&CaseId>,
) -> Value {
    let desk = &edge.app.pipeline.parts().desk;
    json!({
        "id": one.id,
        "issue": shown::issue(one.issue.as_deref()),
        "name": one.name,
        "state": one.state.as_str(),
        "state_words": shown::state(one.state),
        "urgency": one.urgency.as_str(),
        "team": one.team.as_ref().map(|team| desk.team_name(team)),
        "who": one.agent.as_ref().and_then(|agent| people.get(agent.as_str())),
        "channel": shown::channel(&one.channel),
        "reason": one.reason.as_deref().map(shown::reason),
        "waited": ago(now, one.since),
        "since": one.since,
        "due": one.due_at.filter(|_| one.state == CaseState::Queued),
        "late": one.state == CaseState::Queued && one.due_at.is_some_and(|due| due < now),
        "until": one.snoozed_until,
        "unanswered": one.unanswered,
        "chosen": chosen == Some(&one.id),
    })
}
