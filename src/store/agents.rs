//! The accounts of agents.

use sqlx::any::AnyRow;

use crate::domain::ids::{AgentId, TeamId};
use crate::domain::role::Role;
use crate::domain::team::Agent;
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::rows::{json, storable};
use super::{Store, StoreError};

/// What an account is given, after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentChange {
    /// How they are shown.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The teams they are in.
    pub teams: Vec<TeamId>,
    /// ISO 639-1 codes they speak.
    pub languages: Vec<String>,
}

impl Store {
    /// Adds an account. Returns whether it was added: not when the login is taken.
    pub async fn add_agent(&self, agent: &Agent) -> Result<bool, StoreError> {
        let sql = "insert into agents (id, login, name, password_hash, role, teams, languages, created_at, password_chosen_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing returning id";
        let query = sqlx::query(sql)
            .bind(agent.id.as_str())
            .bind(storable(&agent.login))
            .bind(storable(&agent.name))
            .bind(storable(&agent.password_hash))
            .bind(agent.role.as_str())
            .bind(json(&agent.teams)?)
            .bind(json(&agent.languages)?)
            .bind(agent.created_at.0)
            .bind(agent.password_chosen_at.map(|at| at.0));
        Ok(!self.write(query).await?.is_empty())
    }

    /// Every account, by login.
    pub async fn list_agents(&self) -> Result<Vec<Agent>, StoreError> {
        let sql =
            "select id, login, name, password_hash, role, teams, languages, created_at, password_chosen_at
            from agents order by login";
        self.rows(sqlx::query(sql)).await?.iter().map(agent).collect()
    }

    /// The account with this id.
    pub async fn agent(&self, id: &AgentId) -> Result<Option<Agent>, StoreError> {
        let sql =
            "select id, login, name, password_hash, role, teams, languages, created_at, password_chosen_at
            from agents where id = $1";
        self.row(sqlx::query(sql).bind(id.as_str())).await?.map(|row| agent(&row)).transpose()
    }

    /// The account with this login.
    pub async fn agent_by_login(&self, login: &str) -> Result<Option<Agent>, StoreError> {
        let sql =
            "select id, login, name, password_hash, role, teams, languages, created_at, password_chosen_at
            from agents where login = $1";
        self.row(sqlx::query(sql).bind(storable(login))).await?.map(|row| agent(&row)).transpose()
    }

    /// Changes what an account is given: name, role, teams, languages. Its sessions and keys go by it from now on.
    /// Returns whether there is such an account.
    pub async fn change_agent(&self, id: &AgentId, to: &AgentChange) -> Result<bool, StoreError> {
        let sql =
            "update agents set name = $1, role = $2, teams = $3, languages = $4 where id = $5 returning id";
        let query = sqlx::query(sql)
            .bind(storable(&to.name))
            .bind(to.role.as_str())
            .bind(json(&to.teams)?)
            .bind(json(&to.languages)?)
            .bind(id.as_str());
        Ok(!self.write(query).await?.is_empty())
    }

    /// Removes an account and its sessions. Returns whether there was one.
    pub async fn remove_agent(&self, login: &str) -> Result<bool, StoreError> {
        let sql = "delete from agents where login = $1 returning id";
        Ok(!self.write(sqlx::query(sql).bind(storable(login))).await?.is_empty())
    }

    /// Sets the Argon2id hash of a password, and when the agent chose it; none for one that was made for them. Returns
    /// whether there is such an account. End its sessions too.
    pub async fn set_password(
        &self,
        agent: &AgentId,
        password_hash: &str,
        chosen_at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let sql = "update agents set password_hash = $1, password_chosen_at = $2 where id = $3 returning id";
        let query = sqlx::query(sql)
            .bind(storable(password_hash))
            .bind(chosen_at.map(|at| at.0))
            .bind(agent.as_str());
        Ok(!self.write(query).await?.is_empty())
    }
}

/// Reads an account.
pub(super) fn agent(row: &AnyRow) -> Result<Agent, StoreError> {
    let columns = Columns::of(row, "agents");
    Ok(Agent {
        id: columns.id("id")?,
        login: columns.text("login")?,
        name: columns.text("name")?,
        password_hash: columns.text("password_hash")?,
        role: columns.named("role", Role::parse)?,
        teams: columns.json("teams")?,
        languages: columns.json("languages")?,
        created_at: columns.at("created_at")?,
        password_chosen_at: columns.maybe_at("password_chosen_at")?,
    })
}
