//! The API keys of programs. The keys themselves are nowhere: only their hashes.

use sqlx::any::AnyRow;

use crate::domain::ids::AgentId;
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::rows::{json, storable};
use super::{Store, StoreError};

/// The last use of a key is noted at most this often.
const TOUCH_MS: i64 = 60_000;

/// An API key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Ours.
    pub id: String,
    /// What the operator calls it.
    pub name: String,
    /// The beginning of the key, by which people recognise it.
    pub prefix: String,
    /// SHA-256 of the key, in hexadecimal.
    pub hash: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The person for whom it acts; none for a program of its own.
    pub agent: Option<AgentId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it is neither revoked nor expired.
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }
}

impl Store {
    /// Adds a key.
    pub async fn add_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        let sql = "insert into api_keys (id, name, prefix, hash, scopes, agent_id, created_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)";
        let query = sqlx::query(sql)
            .bind(storable(&key.id))
            .bind(storable(&key.name))
            .bind(storable(&key.prefix))
            .bind(storable(&key.hash))
            .bind(json(&key.scopes)?)
            .bind(key.agent.as_ref().map(AgentId::as_str))
            .bind(key.created_at.0)
            .bind(key.expires_at.map(|at| at.0));
        self.write(query).await.map(drop)
    }

    /// Every key, revoked ones too, the oldest first.
    pub async fn list_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let sql = "select id, name, prefix, hash, scopes, agent_id, created_at, expires_at, last_used_at, revoked_at
            from api_keys order by created_at, id";
        self.rows(sqlx::query(sql)).await?.iter().map(key).collect()
    }

    /// Revokes a key by its id. Returns whether there was one that was not revoked before.
    pub async fn revoke_key(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let sql = "update api_keys set revoked_at = $1 where id = $2 and revoked_at is null returning id";
        Ok(!self.write(sqlx::query(sql).bind(at.0).bind(storable(id))).await?.is_empty())
    }

    /// The key with this hash, revoked and expired ones too. Notes the use of one that is in force.
    pub async fn key_by_hash(&self, hash: &str, now: Timestamp) -> Result<Option<ApiKey>, StoreError> {
        let sql = "select id, name, prefix, hash, scopes, agent_id, created_at, expires_at, last_used_at, revoked_at
            from api_keys where hash = $1";
        let Some(row) = self.row(sqlx::query(sql).bind(storable(hash))).await? else {
            return Ok(None);
        };
        let mut key = key(&row)?;
        if key.in_force(now) && key.last_used_at.is_none_or(|used| now.ms_since(used) >= TOUCH_MS) {
            let sql = "update api_keys set last_used_at = $1 where id = $2";
            // A note that cannot be written is no reason to turn somebody away.
            match self.write(sqlx::query(sql).bind(now.0).bind(&key.id)).await {
                Ok(_) => key.last_used_at = Some(now),
                Err(error) => tracing::warn!(%error, "the use of an API key was not noted"),
            }
        }
        Ok(Some(key))
    }
}

fn key(row: &AnyRow) -> Result<ApiKey, StoreError> {
    let columns = Columns::of(row, "api_keys");
    Ok(ApiKey {
        id: columns.text("id")?,
        name: columns.text("name")?,
        prefix: columns.text("prefix")?,
        hash: columns.text("hash")?,
        scopes: columns.json("scopes")?,
        agent: columns.maybe_id("agent_id")?,
        created_at: columns.at("created_at")?,
        expires_at: columns.maybe_at("expires_at")?,
        last_used_at: columns.maybe_at("last_used_at")?,
        revoked_at: columns.maybe_at("revoked_at")?,
    })
}
