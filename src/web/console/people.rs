//! The accounts: who works here, what they may do, and help for whoever has lost a password or a second factor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::super::Edge;
use super::super::error::ApiError;
use super::accounts::{self, AccountError, NewAgent, Office};
use super::frame::frame;
use super::sign_in::{FIELD_CHARS_MAX, SignedIn, form};
use crate::domain::ids::{AgentId, TeamId};
use crate::domain::role::{Right, Role};
use crate::domain::team::Agent;
use crate::store::AgentChange;

const PAGE: &str = include_str!("accounts.html");
/// Entries of the log that are shown.
const LOG_MAX: i64 = 50;
const LOGIN_CHARS_MAX: usize = 64;
const LANGUAGES_MAX: usize = 20;

/// The page.
pub(super) async fn page(State(edge): State<Arc<Edge>>, signed_in: SignedIn) -> Result<Response, ApiError> {
    shown(&edge, &signed_in, json!({})).await
}

async fn shown(edge: &Edge, signed_in: &SignedIn, more: Value) -> Result<Response, ApiError> {
    signed_in.demand(Right::SeeAccounts)?;
    let (store, manages) = (&edge.app.store, signed_in.may(Right::ManageAccounts));
    let people = store.list_agents().await?;
    let factors: BTreeSet<AgentId> = store.with_second_factor().await?.into_iter().collect();
    let subjects: BTreeMap<AgentId, String> = store.subjects().await?.into_iter().collect();
    let names: BTreeMap<String, &str> =
        people.iter().map(|agent| (format!("agent:{}", agent.id), agent.name.as_str())).collect();
    let log = if signed_in.may(Right::SeeLog) { store.account_log(LOG_MAX).await? } else { Vec::new() };
    let log: Vec<Value> = log
        .iter()
        .map(|one| {
            let by = names.get(&one.by).map_or_else(|| by_words(&one.by), |name| (*name).to_owned());
            json!({"at": one.at, "by": by, "login": one.login, "what": one.what.replace('_', " "), "detail": one.detail})
        })
        .collect();
    let people: Vec<Value> = people
        .iter()
        .map(|agent| {
            json!({
                "id": agent.id, "login": agent.login, "name": agent.name, "role": agent.role.as_str(),
                "teams": agent.teams, "languages": agent.languages.join(", "),
                "second_factor": factors.contains(&agent.id), "subject": subjects.get(&agent.id),
                "password": accounts::has_password(agent), "you": agent.id == signed_in.agent.id,
                "resets": may_reset(signed_in, agent),
            })
        })
        .collect();
    let mut context = frame(edge, signed_in, ("Accounts", "accounts")).await?;
    let teams: Vec<Value> =
        edge.app.config.teams.iter().map(|team| json!({"id": team.id, "name": team.name})).collect();
    let refused = !more["wrong"].is_null();
    for (name, value) in [
        ("people", json!(people)),
        ("changes", json!(manages)),
        ("log", json!(log)),
        ("roles", json!(Role::ALL.map(Role::as_str))),
        ("teams", json!(teams)),
        ("provider", json!(edge.app.config.console.oidc.configured())),
        ("wrong", more["wrong"].clone()),
        ("made", more["made"].clone()),
    ] {
        context[name] = value;
    }
    let mut response = super::framed(edge, PAGE, &context)?;
    if refused {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn by_words(by: &str) -> String {
    if by.starts_with("agent:") { "a former agent".to_owned() } else { by.to_owned() }
}

/// Who leads takes a lost second factor away from those below; an administrator from everybody.
fn may_reset(signed_in: &SignedIn, agent: &Agent) -> bool {
    let below = matches!(agent.role, Role::Viewer | Role::Agent);
    signed_in.may(Right::ManageAccounts) || (signed_in.may(Right::ResetSecondFactors) && below)
}

/// Adds an account; its first password is shown once.
pub(super) async fn add(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    request: Request,
) -> Result<Response, ApiError> {
    let fields = form(&edge, &signed_in, request).await?;
    signed_in.demand(Right::ManageAccounts)?;
    let by = format!("agent:{}", signed_in.agent.id);
    let office = Office { store: &edge.app.store, clock: &*edge.app.clock, by: &by };
    let read = login(&fields).and_then(|login| Ok((login, given(&edge, &fields)?)));
    let (login, to) = match read {
        Ok(read) => read,
        Err(wrong) => return shown(&edge, &signed_in, json!({"wrong": wrong})).await,
    };
    let AgentChange { name, role, teams, languages } = to;
    let new = NewAgent { login: login.clone(), name, role, teams, languages };
    match accounts::invite(office, new).await {
        Ok(password) => {
            shown(&edge, &signed_in, json!({"made": {"login": login, "password": password}})).await
        }
        Err(error) => refused(&edge, &signed_in, error).await,
    }
}

/// One of the forms of an account: `change`, `password`, `second-factor`, `subject` or `remove`.
pub(super) async fn act(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path((id, act)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut fields = form(&edge, &signed_in, request).await?;
    let right = if act == "second-factor" { Right::ResetSecondFactors } else { Right::ManageAccounts };
    signed_in.demand(right)?;
    let found = match AgentId::parse(&id) {
        Ok(id) => edge.app.store.agent(&id).await?,
        Err(_) => None,
    };
    let agent = found.ok_or_else(|| ApiError::not_found("account"))?;
    let by = format!("agent:{}", signed_in.agent.id);
    let office = Office { store: &edge.app.store, clock: &*edge.app.clock, by: &by };
    let login = agent.login.as_str();
    let done = match act.as_str() {
        "change" => match given(&edge, &fields) {
            Ok(to) => accounts::change(office, login, &to).await,
            Err(wrong) => return shown(&edge, &signed_in, json!({"wrong": wrong})).await,
        },
        "password" => match accounts::reset_password(office, login).await {
            Ok(password) => {
                // Of one's own account the session that looks on has ended too; the page is still theirs.
                return shown(&edge, &signed_in, json!({"made": {"login": login, "password": password}}))
                    .await;
            }
            Err(error) => Err(error),
        },
        "second-factor" => {
            if !may_reset(&signed_in, &agent) {
                return Err(ApiError::forbidden("only an administrator may do that for this account"));
            }
            accounts::reset_second_factor(office, login).await
        }
        "subject" => {
            let subject = fields.remove("subject").unwrap_or_default();
            if subject.chars().count() > FIELD_CHARS_MAX {
                return shown(&edge, &signed_in, json!({"wrong": "The subject is too long."})).await;
            }
            accounts::link(office, login, &edge.app.config.console.oidc.issuer, subject.trim()).await
        }
        "remove" => accounts::remove(office, login).await,
        _ => return Err(ApiError::not_found("act")),
    };
    match done {
        Ok(()) => Ok(Redirect::to("/console/accounts").into_response()),
        Err(error) => refused(&edge, &signed_in, error).await,
    }
}

async fn refused(edge: &Edge, signed_in: &SignedIn, error: AccountError) -> Result<Response, ApiError> {
    if let AccountError::Store(error) = error {
        return Err(error.into());
    }
    let text = error.to_string();
    let mut letters = text.chars();
    let wrong: String =
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).chain(['.']).collect();
    shown(edge, signed_in, json!({"wrong": wrong})).await
}

fn login(fields: &BTreeMap<String, String>) -> Result<String, String> {
    let login = fields.get("login").map(|login| login.trim()).unwrap_or_default();
    let fits = !login.is_empty() && login.chars().count() <= LOGIN_CHARS_MAX;
    if !fits || login.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("A login has 1 to {LOGIN_CHARS_MAX} characters and no spaces."));
    }
    Ok(login.to_owned())
}

/// What the form of an account gives it.
fn given(edge: &Edge, fields: &BTreeMap<String, String>) -> Result<AgentChange, String> {
    let field = |name: &str| fields.get(name).map(|text| text.trim()).unwrap_or_default();
    let name = field("name");
    if name.is_empty() || name.chars().count() > FIELD_CHARS_MAX || name.chars().any(char::is_control) {
        return Err("Write the name as customers and colleagues read it.".to_owned());
    }
    let role = Role::parse(field("role")).ok_or("Choose a role.")?;
    let chosen =
        edge.app.config.teams.iter().filter(|team| fields.contains_key(&format!("team:{}", team.id)));
    let teams = chosen.filter_map(|team| TeamId::parse(&team.id).ok()).collect();
    let languages: Vec<String> = field("languages")
        .split([',', ' '])
        .filter(|code| !code.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let code = |code: &String| code.len() == 2 && code.chars().all(|c| c.is_ascii_lowercase());
    if languages.len() > LANGUAGES_MAX || !languages.iter().all(code) {
        return Err("Write languages as codes of two letters, such as en, de.".to_owned());
    }
    Ok(AgentChange { name: name.to_owned(), role, teams, languages })
}
