//! Second factors: the secret of somebody's one-time codes, which of them were used, and the codes for when it is lost.

use crate::domain::ids::AgentId;
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::rows::storable;
use super::{Store, StoreError};

/// The secret from which one-time codes are made.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// In hexadecimal.
    pub secret: String,
    /// Since when it is asked for; none until a first code was right.
    pub since: Option<Timestamp>,
    /// The last step of time whose code was used.
    pub last_step: i64,
}

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecondFactor").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Store {
    /// The second factor of an agent, also one that is only being set up.
    pub async fn second_factor(&self, agent: &AgentId) -> Result<Option<SecondFactor>, StoreError> {
        let sql = "select totp_secret, totp_since, totp_step from agents
            where id = $1 and totp_secret is not null";
        let Some(row) = self.row(sqlx::query(sql).bind(agent.as_str())).await? else { return Ok(None) };
        let columns = Columns::of(&row, "agents");
        Ok(Some(SecondFactor {
            secret: columns.text("totp_secret")?,
            since: columns.maybe_at("totp_since")?,
            last_step: columns.int("totp_step")?,
        }))
    }

    /// Who has a second factor.
    pub async fn with_second_factor(&self) -> Result<Vec<AgentId>, StoreError> {
        let sql = "select id from agents where totp_since is not null order by id";
        self.rows(sqlx::query(sql)).await?.iter().map(|row| Columns::of(row, "agents").id("id")).collect()
    }

    /// Keeps a new secret that does not count yet. Returns whether it was kept: not over one that does.
    pub async fn propose_second_factor(&self, agent: &AgentId, secret: &str) -> Result<bool, StoreError> {
        let sql = "update agents set totp_secret = $1, totp_step = 0
            where id = $2 and totp_since is null returning id";
        let query = sqlx::query(sql).bind(storable(secret)).bind(agent.as_str());
        Ok(!self.write(query).await?.is_empty())
    }

    /// Makes the proposed secret count, with the step of the code that proved it. Returns whether it did: not when
    /// another secret was proposed meanwhile.
    pub async fn confirm_second_factor(
        &self,
        agent: &AgentId,
        secret: &str,
        step: i64,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "update agents set totp_since = $1, totp_step = $2
            where id = $3 and totp_secret = $4 and totp_since is null returning id";
        let query = sqlx::query(sql).bind(at.0).bind(step).bind(agent.as_str()).bind(storable(secret));
        Ok(!self.write(query).await?.is_empty())
    }

    /// Uses up the code of a step and of every one before it. Returns whether it was still unused.
    pub async fn use_step(&self, agent: &AgentId, step: i64) -> Result<bool, StoreError> {
        let sql = "update agents set totp_step = $1 where id = $2 and totp_step < $1 returning id";
        Ok(!self.write(sqlx::query(sql).bind(step).bind(agent.as_str())).await?.is_empty())
    }

    /// Takes the second factor away, with its recovery codes.
    pub async fn drop_second_factor(&self, agent: &AgentId) -> Result<(), StoreError> {
        let sql = "update agents set totp_secret = null, totp_since = null, totp_step = 0 where id = $1";
        self.write(sqlx::query(sql).bind(agent.as_str())).await?;
        let sql = "delete from recovery_codes where agent_id = $1";
        self.write(sqlx::query(sql).bind(agent.as_str())).await.map(drop)
    }

    /// Replaces the recovery codes by these, known by their hashes.
    pub async fn set_recovery_codes(&self, agent: &AgentId, hashes: &[String]) -> Result<(), StoreError> {
        let sql = "delete from recovery_codes where agent_id = $1";
        self.write(sqlx::query(sql).bind(agent.as_str())).await?;
        for hash in hashes {
            let sql = "insert into recovery_codes (agent_id, hash) values ($1, $2)";
            self.write(sqlx::query(sql).bind(agent.as_str()).bind(storable(hash))).await?;
        }
        Ok(())
    }

    /// Uses up a recovery code. Returns whether it was one that was unused.
    pub async fn use_recovery_code(
        &self,
        agent: &AgentId,
        hash: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "update recovery_codes set used_at = $1
            where agent_id = $2 and hash = $3 and used_at is null returning hash";
        let query = sqlx::query(sql).bind(at.0).bind(agent.as_str()).bind(storable(hash));
        Ok(!self.write(query).await?.is_empty())
    }

    /// How many recovery codes are left.
    pub async fn recovery_codes_left(&self, agent: &AgentId) -> Result<i64, StoreError> {
        let sql = "select count(*) as n from recovery_codes where agent_id = $1 and used_at is null";
        let row = self.row(sqlx::query(sql).bind(agent.as_str())).await?;
        row.map_or(Ok(0), |row| Columns::of(&row, "recovery_codes").int("n"))
    }
}
