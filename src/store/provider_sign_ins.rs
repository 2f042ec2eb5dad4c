//! Signing in by an identity provider: the requests under way, and whose account a subject is.

use crate::domain::ids::AgentId;
use crate::domain::team::Agent;
use crate::domain::time::Timestamp;

use super::agents::agent;
use super::columns::Columns;
use super::rows::storable;
use super::{Store, StoreError};

/// A sign-in that is under way at an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRequest {
    /// The hash of `state`.
    pub state_hash: String,
    /// The hash of what the browser that began keeps in a cookie.
    pub browser_hash: String,
    /// What the provider's token must carry.
    pub nonce: String,
    /// The other half of the challenge that the provider was given (PKCE).
    pub verifier: String,
    /// An answer that comes later is refused.
    pub expires_at: Timestamp,
}

impl Store {
    /// Keeps a request, and forgets those whose time is over.
    pub async fn new_provider_request(
        &self,
        new: &ProviderRequest,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "delete from oidc_requests where expires_at <= $1";
        self.write(sqlx::query(sql).bind(now.0)).await?;
        let sql = "insert into oidc_requests (state_hash, browser_hash, nonce, verifier, expires_at)
            values ($1, $2, $3, $4, $5)";
        let query = sqlx::query(sql)
            .bind(storable(&new.state_hash))
            .bind(storable(&new.browser_hash))
            .bind(storable(&new.nonce))
            .bind(storable(&new.verifier))
            .bind(new.expires_at.0);
        self.write(query).await.map(drop)
    }

    /// Takes a request out: its answer is looked at once, whatever comes of it.
    pub async fn take_provider_request(
        &self,
        state_hash: &str,
        now: Timestamp,
    ) -> Result<Option<ProviderRequest>, StoreError> {
        let sql = "delete from oidc_requests where state_hash = $1
            returning state_hash, browser_hash, nonce, verifier, expires_at";
        let rows = self.write(sqlx::query(sql).bind(storable(state_hash))).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let columns = Columns::of(row, "oidc_requests");
        let request = ProviderRequest {
            state_hash: columns.text("state_hash")?,
            browser_hash: columns.text("browser_hash")?,
            nonce: columns.text("nonce")?,
            verifier: columns.text("verifier")?,
            expires_at: columns.at("expires_at")?,
        };
        Ok(Some(request).filter(|request| request.expires_at > now))
    }

    /// Whose account a subject of an issuer is.
    pub async fn agent_by_subject(&self, issuer: &str, subject: &str) -> Result<Option<Agent>, StoreError> {
        let sql =
            "select id, login, name, password_hash, role, teams, languages, created_at, password_chosen_at
            from agents where issuer = $1 and subject = $2";
        let query = sqlx::query(sql).bind(storable(issuer)).bind(storable(subject));
        self.row(query).await?.map(|row| agent(&row)).transpose()
    }

    /// Makes an account a subject's, or nobody's. Returns whether it did: not when the subject has another account.
    pub async fn set_subject(&self, agent: &AgentId, of: Option<(&str, &str)>) -> Result<bool, StoreError> {
        let sql = "update agents set issuer = $1, subject = $2 where id = $3 and not exists
            (select 1 from agents other where other.issuer = $1 and other.subject = $2 and other.id <> $3)
            returning id";
        let query = sqlx::query(sql)
            .bind(of.map(|(issuer, _)| storable(issuer)))
            .bind(of.map(|(_, subject)| storable(subject)))
            .bind(agent.as_str());
        Ok(!self.write(query).await?.is_empty())
    }

    /// The accounts that are somebody's to an identity provider: the account and the subject.
    pub async fn subjects(&self) -> Result<Vec<(AgentId, String)>, StoreError> {
        let sql = "select id, subject from agents where issuer is not null order by id";
        let pair = |row| {
            let columns = Columns::of(row, "agents");
            Ok((columns.id("id")?, columns.text("subject")?))
        };
        self.rows(sqlx::query(sql)).await?.iter().map(pair).collect()
    }
}
