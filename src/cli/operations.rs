//! `migrate`, `user` and `key`: what an operator does to the record.

use std::collections::BTreeMap;

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::abilities::AbilityOptions;
use super::workspace::Workspace;
use super::{Failure, Globals, output};
use crate::app::{self, SystemClock};
use crate::config::Config;
use crate::domain::ids::{AgentId, TeamId};
use crate::domain::role::Role;
use crate::domain::team::Agent;
use crate::domain::time::{Clock, Timestamp};
use crate::store::{Abilities, AgentChange, ApiKey, Store};
use crate::web::accounts::{self, Office};
use crate::web::keys::{self, Scope};

const DAY_MS: i64 = 86_400_000;
/// A century: whoever means longer leaves the end out.
const DAYS_MAX: i64 = 36_500;
/// Most changes of presence listed at once.
const CHANGES_MAX: i64 = 100_000;

/// What `user` takes.
#[derive(Debug, clap::Args)]
pub(super) struct UserOptions {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add an agent; prints the first password once, alone on standard output
    Add {
        /// How they sign in
        login: String,
        /// How they are shown; the login when left out
        #[arg(long)]
        name: Option<String>,
        /// What they may do: viewer, agent, supervisor, admin or auditor
        #[arg(long, value_name = "ROLE", default_value = "agent", value_parser = role)]
        role: Role,
        /// A team they are in; may be repeated
        #[arg(long = "team", value_name = "TEAM")]
        teams: Vec<String>,
        /// A language they speak (ISO 639-1); may be repeated
        #[arg(long = "language", value_name = "CODE")]
        languages: Vec<String>,
        #[command(flatten)]
        abilities: AbilityOptions,
    },
    /// Change what an agent is given; what is left out stays. Their sessions end when the role or the teams change
    Set {
        /// How they sign in
        login: String,
        /// How they are shown
        #[arg(long)]
        name: Option<String>,
        /// What they may do: viewer, agent, supervisor, admin or auditor
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Option<Role>,
        /// A team they are in; may be repeated. All are replaced
        #[arg(long = "team", value_name = "TEAM")]
        teams: Vec<String>,
        /// They are in no team
        #[arg(long, conflicts_with = "teams")]
        no_team: bool,
        /// A language they speak (ISO 639-1); may be repeated. All are replaced
        #[arg(long = "language", value_name = "CODE")]
        languages: Vec<String>,
        #[command(flatten)]
        abilities: AbilityOptions,
    },
    /// List the agents with their roles and teams
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List when agents were online, busy or away, the newest change first
    Presences {
        /// How they sign in; without it everybody
        login: Option<String>,
        /// So many changes
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=CHANGES_MAX))]
        limit: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give an agent a new first password, printed once, alone on standard output; their sessions end
    ResetPassword {
        /// How they sign in
        login: String,
    },
    /// Take away an agent's second factor that is lost; their sessions end
    ResetSecondFactor {
        /// How they sign in
        login: String,
    },
    /// Say who an agent is to the identity provider of [console.oidc]; without a subject, nobody
    Link {
        /// How they sign in
        login: String,
        /// The provider's own id of them, the `sub` of its tokens
        subject: Option<String>,
    },
    /// Remove an agent; their sessions end
    Remove {
        /// How they sign in
        login: String,
    },
}

/// What `key` takes.
#[derive(Debug, clap::Args)]
pub(super) struct KeyOptions {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key; prints it once, alone on standard output
    Add {
        /// What it is for
        name: String,
        /// What it may do; may be repeated. Without any it may do all but administration
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// The login of a person: the key acts as them, with no more rights than theirs
        #[arg(long, value_name = "LOGIN")]
        agent: Option<String>,
        /// The key works for this many days; without it, until it is revoked
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=DAYS_MAX))]
        expires_in_days: Option<i64>,
    },
    /// List the keys with what they may do, until when, and when they were last used
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key
    Revoke {
        /// Its id, as `key list` shows it
        id: String,
    },
}

pub(super) async fn store(globals: &Globals) -> Result<(Store, Config), Failure> {
    let config = Workspace::find(globals)?.config(None)?;
    let store =
        Store::open(&config.database_url(), &app::store_settings(&config)).await.map_err(Failure::usage)?;
    store.migrate().await.map_err(Failure::usage)?;
    Ok((store, config))
}

pub(super) async fn migrate(globals: &Globals) -> Result<(), Failure> {
    let (store, config) = store(globals).await?;
    store.close().await;
    output::remark(&format!("the schema of {} is up to date", hide_password(&config.database_url())));
    Ok(())
}

/// A database address without what lies between `:` and `@`.
fn hide_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => url.to_owned(),
    }
}

pub(super) async fn user(globals: &Globals, options: UserOptions) -> Result<(), Failure> {
    let (store, config) = store(globals).await?;
    let office = Office { store: &store, clock: &SystemClock, by: accounts::COMMAND_LINE };
    let done = match options.command {
        UserCommand::Add { login, name, role, teams, languages, abilities } => {
            let teams = declared(&config, &teams)?;
            let name = name.unwrap_or_else(|| login.clone());
            let able = abilities.over(Abilities::default())?;
            let known = login.clone();
            let agent = accounts::NewAgent { login, name, role, teams, languages };
            let password = accounts::invite(office, agent).await.map_err(Failure::usage)?;
            if abilities.any() {
                let agent = agent_named(&store, &known).await?;
                store.set_abilities(&agent.id, &able).await.context("the record failed")?;
            }
            output::line(&password);
            Ok(())
        }
        UserCommand::Set { login, name, role, teams, no_team, languages, abilities } => {
            let known = agent_named(&store, &login).await?;
            if abilities.any() {
                let before = store.abilities(&known.id).await.context("the record failed")?;
                let able = abilities.over(before)?;
                store.set_abilities(&known.id, &able).await.context("the record failed")?;
            }
            let to = AgentChange {
                name: name.unwrap_or(known.name),
                role: role.unwrap_or(known.role),
                teams: if teams.is_empty() && !no_team { known.teams } else { declared(&config, &teams)? },
                languages: if languages.is_empty() { known.languages } else { languages },
            };
            accounts::change(office, &login, &to).await.map_err(Failure::usage)
        }
        UserCommand::List { json } => list_agents(&store, json).await,
        UserCommand::Presences { login, limit, json } => {
            list_presences(&store, login.as_deref(), limit, json).await
        }
        UserCommand::ResetPassword { login } => {
            let password = accounts::reset_password(office, &login).await.map_err(Failure::usage)?;
            output::line(&password);
            Ok(())
        }
        UserCommand::ResetSecondFactor { login } => {
            accounts::reset_second_factor(office, &login).await.map_err(Failure::usage)
        }
        UserCommand::Link { login, subject } => {
            let issuer = &config.console.oidc.issuer;
            if issuer.is_empty() {
                return Err(Failure::Usage(
                    "there is no identity provider; set [console.oidc] issuer".to_owned(),
                ));
            }
            let subject = subject.unwrap_or_default();
            accounts::link(office, &login, issuer, &subject).await.map_err(Failure::usage)
        }
        UserCommand::Remove { login } => accounts::remove(office, &login).await.map_err(Failure::usage),
    };
    store.close().await;
    done
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| format!("write one of {}", Role::ALL.map(Role::as_str).join(", ")))
}

fn declared(config: &Config, teams: &[String]) -> Result<Vec<TeamId>, Failure> {
    let mut ids = Vec::new();
    for team in teams {
        if !config.teams.iter().any(|known| known.id == *team) {
            return Err(Failure::Usage(format!("there is no team `{team}`; declare it as [[teams]] first")));
        }
        ids.push(TeamId::parse(team).map_err(Failure::usage)?);
    }
    Ok(ids)
}

async fn agent_named(store: &Store, login: &str) -> Result<Agent, Failure> {
    let found = store.agent_by_login(login).await.context("the record failed")?;
    found.ok_or_else(|| Failure::Usage(format!("there is no agent `{login}`; see `firstline user list`")))
}

async fn list_agents(store: &Store, as_json: bool) -> Result<(), Failure> {
    let agents = store.list_agents().await.context("the record failed")?;
    if as_json {
        output::json(&agents)?;
        return Ok(());
    }
    for agent in agents {
        let teams: Vec<&str> = agent.teams.iter().map(TeamId::as_str).collect();
        let role = agent.role.as_str();
        output::line(&format!("{}\t{}\t{role}\t{}", agent.login, agent.name, teams.join(",")));
    }
    Ok(())
}

async fn list_presences(
    store: &Store,
    login: Option<&str>,
    limit: i64,
    as_json: bool,
) -> Result<(), Failure> {
    let agents = store.list_agents().await.context("the record failed")?;
    let logins: BTreeMap<&AgentId, &str> =
        agents.iter().map(|agent| (&agent.id, agent.login.as_str())).collect();
    let one = match login {
        Some(login) => Some(agent_named(store, login).await?.id),
        None => None,
    };
    let changes = store.presence_changes(one.as_ref(), limit).await.context("the record failed")?;
    // Whoever has no account any more is shown by their id.
    let shown =
        |agent: &AgentId| logins.get(agent).map_or_else(|| agent.to_string(), |login| (*login).to_owned());
    if as_json {
        let all: Vec<_> = changes
            .iter()
            .map(|one| {
                json!({"at": one.at, "agent": one.agent, "login": shown(&one.agent), "status": one.chosen,
                    "by_silence": one.by_silence})
            })
            .collect();
        output::json(&all)?;
        return Ok(());
    }
    for one in &changes {
        let why = if one.by_silence { "\tnot heard of any more" } else { "" };
        output::line(&format!("{}\t{}\t{}{why}", one.at, shown(&one.agent), one.chosen.as_str()));
    }
    Ok(())
}

pub(super) async fn key(globals: &Globals, options: KeyOptions) -> Result<(), Failure> {
    let (store, _) = store(globals).await?;
    let done = match options.command {
        KeyCommand::Add { name, scopes, agent: login, expires_in_days } => {
            let known = Scope::ALL.map(Scope::as_str).join(", ");
            let mut read = Vec::new();
            for scope in &scopes {
                let unknown = || Failure::Usage(format!("there is no scope `{scope}`; write one of {known}"));
                read.push(Scope::parse(scope).ok_or_else(unknown)?);
            }
            let expires_at =
                expires_in_days.map(|days| SystemClock.now().plus_ms(days.saturating_mul(DAY_MS)));
            let (mut stored, key) = keys::mint(&SystemClock, &name, &read, expires_at);
            if let Some(login) = login {
                stored.agent = Some(agent_named(&store, &login).await?.id);
            }
            store.add_key(&stored).await.context("the record failed")?;
            output::line(&key);
            Ok(())
        }
        KeyCommand::List { json } => list_keys(&store, json).await,
        KeyCommand::Revoke { id } => {
            if store.revoke_key(&id, SystemClock.now()).await.context("the record failed")? {
                Ok(())
            } else {
                Err(Failure::Usage(format!("there is no key `{id}` in force; see `firstline key list`")))
            }
        }
    };
    store.close().await;
    done
}

async fn list_keys(store: &Store, as_json: bool) -> Result<(), Failure> {
    let keys = store.list_keys().await.context("the record failed")?;
    let now = SystemClock.now();
    if as_json {
        let shown: Vec<_> = keys
            .iter()
            .map(|key| {
                json!({
                    "id": key.id, "name": key.name, "prefix": key.prefix, "scopes": key.scopes,
                    "agent": key.agent,
                    "state": state(key, now), "created_at": key.created_at, "expires_at": key.expires_at,
                    "last_used_at": key.last_used_at, "revoked_at": key.revoked_at,
                })
            })
            .collect();
        output::json(&shown)?;
        return Ok(());
    }
    output::line("id\tname\tkey\tstate\texpires\tlast used\tscopes");
    let moment = |at: Option<Timestamp>, none: &str| at.map_or_else(|| none.to_owned(), |at| at.to_string());
    for key in keys {
        output::line(&format!(
            "{}\t{}\t{}…\t{}\t{}\t{}\t{}",
            key.id,
            key.name,
            key.prefix,
            state(&key, now),
            moment(key.expires_at, "never"),
            moment(key.last_used_at, "never"),
            key.scopes.join(",")
        ));
    }
    Ok(())
}

fn state(key: &ApiKey, now: Timestamp) -> &'static str {
    match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(at)) if at <= now => "expired",
        (None, _) => "in force",
    }
}
