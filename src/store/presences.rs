//! Whether agents are there: as last heard, and the log of what changed.

use crate::domain::ids::AgentId;
use crate::domain::routing::Presence;
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::routing::heard;
use super::{Store, StoreError};

/// Changes kept of each person; the oldest are forgotten. Ten a day fill more than a year.
const CHANGES_MAX: i64 = 5_000;

/// Whether somebody is there, as last heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// What they chose.
    pub chosen: Presence,
    /// When their page was last heard of.
    pub seen_at: Timestamp,
    /// When they were last offered a case.
    pub given_at: Timestamp,
    /// Counts the changes.
    pub version: i64,
}

/// From a moment on somebody was there, or no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceChange {
    /// Who.
    pub agent: AgentId,
    /// Since when.
    pub at: Timestamp,
    /// What they were from then on.
    pub chosen: Presence,
    /// They did not say so: their page was no longer heard of.
    pub by_silence: bool,
}

impl Store {
    /// Whether somebody is there, as last heard; none before they first were.
    pub async fn presence(&self, agent: &AgentId) -> Result<Option<Heard>, StoreError> {
        let sql = "select chosen, seen_at, given_at, version from presences where agent_id = $1";
        let row = self.row(sqlx::query(sql).bind(agent.as_str())).await?;
        row.map_or(Ok(None), |row| heard(&Columns::of(&row, "presences")))
    }

    /// Somebody says whether they want cases offered; that they are there goes with it.
    pub async fn choose_presence(
        &self,
        agent: &AgentId,
        chosen: Presence,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // The log first: a process that dies in between leaves a line too many, never a change that nobody can tell of.
        let sql = "insert into presence_log (agent_id, at, chosen, cause) select $1, cast($3 as bigint), $2, 'agent'
            where not exists (select 1 from presences where agent_id = $1 and chosen = $2) returning agent_id";
        let query = sqlx::query(sql).bind(agent.as_str()).bind(chosen.as_str()).bind(now.0);
        if !self.write(query).await?.is_empty() {
            self.forget_changes(agent).await?;
        }
        let sql =
            "insert into presences (agent_id, chosen, seen_at, given_at, version) values ($1, $2, $3, 0, 1)
            on conflict (agent_id) do update set chosen = excluded.chosen, seen_at = excluded.seen_at,
            version = presences.version + 1";
        let query = sqlx::query(sql).bind(agent.as_str()).bind(chosen.as_str()).bind(now.0);
        self.write(query).await.map(drop)
    }

    /// The page of somebody was heard of. What they chose stays; whoever never chose is away.
    pub async fn seen(&self, agent: &AgentId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "insert into presences (agent_id, chosen, seen_at, given_at, version)
            values ($1, 'away', $2, 0, 1) on conflict (agent_id) do update set seen_at = excluded.seen_at";
        self.write(sqlx::query(sql).bind(agent.as_str()).bind(now.0)).await.map(drop)
    }

    /// Somebody has not been heard of for too long and is away, since `gone_at`, until they say otherwise; unless they
    /// are there by now.
    pub async fn lost(
        &self,
        agent: &AgentId,
        seen_at: Timestamp,
        gone_at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "update presences set chosen = 'away', version = version + 1
            where agent_id = $1 and seen_at = $2 and chosen <> 'away' returning agent_id";
        let query = sqlx::query(sql).bind(agent.as_str()).bind(seen_at.0);
        if self.write(query).await?.is_empty() {
            return Ok(());
        }
        let sql = "insert into presence_log (agent_id, at, chosen, cause) values ($1, $2, 'away', 'silence')";
        self.write(sqlx::query(sql).bind(agent.as_str()).bind(gone_at.0)).await?;
        self.forget_changes(agent).await
    }

    async fn forget_changes(&self, agent: &AgentId) -> Result<(), StoreError> {
        let sql = "delete from presence_log where agent_id = $1 and at < (select at from presence_log
            where agent_id = $1 order by at desc limit 1 offset $2)";
        self.write(sqlx::query(sql).bind(agent.as_str()).bind(CHANGES_MAX - 1)).await.map(drop)
    }

    /// When people were there and when not, the newest first: of one person or of everybody.
    pub async fn presence_changes(
        &self,
        agent: Option<&AgentId>,
        limit: i64,
    ) -> Result<Vec<PresenceChange>, StoreError> {
        let sql = "select agent_id, at, chosen, cause from presence_log
            where (cast($1 as text) is null or agent_id = $1) order by at desc, agent_id, chosen limit $2";
        let rows = self.rows(sqlx::query(sql).bind(agent.map(AgentId::as_str)).bind(limit)).await?;
        rows.iter()
            .map(|row| {
                let columns = Columns::of(row, "presence_log");
                Ok(PresenceChange {
                    agent: columns.id("agent_id")?,
                    at: columns.at("at")?,
                    chosen: columns.named("chosen", Presence::parse)?,
                    by_silence: columns.text("cause")? == "silence",
                })
            })
            .collect()
    }
}
