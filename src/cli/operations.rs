//! `migrate`, `user` and `key`: what an operator does to the record.

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::workspace::Workspace;
use super::{Failure, Globals, output};
use crate::app::{self, SystemClock};
use crate::domain::ids::TeamId;
use crate::domain::time::Clock;
use crate::store::Store;
use crate::web::accounts;
use crate::web::keys::{self, Scope};

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
        /// A team they are in; may be repeated
        #[arg(long = "team", value_name = "TEAM")]
        teams: Vec<String>,
        /// A language they speak (ISO 639-1); may be repeated
        #[arg(long = "language", value_name = "CODE")]
        languages: Vec<String>,
    },
    /// List the agents
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
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
    },
    /// List the keys
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

async fn store(globals: &Globals) -> Result<(Store, crate::config::Config), Failure> {
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
    let done = match options.command {
        UserCommand::Add { login, name, teams, languages } => {
            let mut ids = Vec::new();
            for team in teams {
                if !config.teams.iter().any(|known| known.id == team) {
                    return Err(Failure::Usage(format!(
                        "there is no team `{team}`; declare it as [[teams]] first"
                    )));
                }
                ids.push(TeamId::parse(&team).map_err(Failure::usage)?);
            }
            let name = name.unwrap_or_else(|| login.clone());
            let agent = accounts::NewAgent { login, name, teams: ids, languages };
            let password = accounts::invite(&store, &SystemClock, agent).await.map_err(Failure::usage)?;
            output::line(&password);
            Ok(())
        }
        UserCommand::List { json } => list_agents(&store, json).await,
        UserCommand::Remove { login } => {
            if store.remove_agent(&login).await.context("the record failed")? {
                Ok(())
            } else {
                Err(Failure::Usage(format!("there is no agent `{login}`; see `firstline user list`")))
            }
        }
    };
    store.close().await;
    done
}

async fn list_agents(store: &Store, as_json: bool) -> Result<(), Failure> {
    let agents = store.list_agents().await.context("the record failed")?;
    if as_json {
        output::json(&agents)?;
        return Ok(());
    }
    for agent in agents {
        let teams: Vec<&str> = agent.teams.iter().map(TeamId::as_str).collect();
        output::line(&format!("{}\t{}\t{}", agent.login, agent.name, teams.join(",")));
    }
    Ok(())
}

pub(super) async fn key(globals: &Globals, options: KeyOptions) -> Result<(), Failure> {
    let (store, _) = store(globals).await?;
    let done = match options.command {
        KeyCommand::Add { name, scopes } => {
            let known = Scope::ALL.map(Scope::as_str).join(", ");
            let mut read = Vec::new();
            for scope in &scopes {
                let unknown = || Failure::Usage(format!("there is no scope `{scope}`; write one of {known}"));
                read.push(Scope::parse(scope).ok_or_else(unknown)?);
            }
            let (stored, key) = keys::mint(&SystemClock, &name, &read, None);
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
    let shown: Vec<_> = keys
        .iter()
        .map(|key| {
            json!({
                "id": key.id, "name": key.name, "prefix": key.prefix, "scopes": key.scopes,
                "created_at": key.created_at, "last_used_at": key.last_used_at, "revoked_at": key.revoked_at,
            })
        })
        .collect();
    if as_json {
        output::json(&shown)?;
        return Ok(());
    }
    for key in keys {
        let state = if key.revoked_at.is_some() { "revoked" } else { "in force" };
        output::line(&format!(
            "{}\t{}\t{}…\t{}\t{state}",
            key.id,
            key.name,
            key.prefix,
            key.scopes.join(",")
        ));
    }
    Ok(())
}
