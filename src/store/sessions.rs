//! Sessions of people at the console, and sign-ins that are not yet sessions.

use sqlx::any::AnyRow;

use crate::domain::ids::AgentId;
use crate::domain::team::Agent;
use crate::domain::time::Timestamp;

use super::agents::agent;
use super::columns::Columns;
use super::rows::storable;
use super::{Store, StoreError};

/// The last use of a session is noted at most this often.
const TOUCH_MS: i64 = 60_000;

/// How whoever holds a session proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// By their password, and their second factor where they have one.
    Password,
    /// An identity provider said so.
    Provider,
}

impl Proof {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Provider => "provider",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Password, Self::Provider].into_iter().find(|proof| proof.as_str() == text)
    }
}

/// A session, known by the hash of its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The hash; the token itself is with the browser alone.
    pub token_hash: String,
    /// Whose.
    pub agent: AgentId,
    /// When it began.
    pub begun_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
    /// In what browser, as it calls itself.
    pub browser: String,
    /// How it was proven.
    pub proof: Proof,
}

/// A signed-in agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSession {
    /// Who.
    pub agent: Agent,
    /// Whether they have a second factor.
    pub second_factor: bool,
    /// The session.
    pub session: Session,
}

/// Which sessions still count.
#[derive(Debug, Clone, Copy)]
pub struct Lasting {
    /// Now.
    pub now: Timestamp,
    /// One that was not used since then has ended.
    pub used_since: Timestamp,
}

impl Store {
    /// Begins a session, and forgets those whose time is over.
    pub async fn new_session(&self, new: &Session) -> Result<(), StoreError> {
        let sql = "delete from sessions where expires_at <= $1";
        self.write(sqlx::query(sql).bind(new.begun_at.0)).await?;
        let sql = "insert into sessions (token_hash, agent_id, begun_at, seen_at, expires_at, browser, how)
            values ($1, $2, $3, $4, $5, $6, $7)";
        let query = sqlx::query(sql)
            .bind(storable(&new.token_hash))
            .bind(new.agent.as_str())
            .bind(new.begun_at.0)
            .bind(new.seen_at.0)
            .bind(new.expires_at.0)
            .bind(storable(&new.browser))
            .bind(new.proof.as_str());
        self.write(query).await.map(drop)
    }

    /// The session with this token hash, if it still counts.
    pub async fn session(
        &self,
        token_hash: &str,
        lasting: Lasting,
    ) -> Result<Option<AgentSession>, StoreError> {
        let sql = "select a.id, a.login, a.name, a.password_hash, a.role, a.teams, a.languages, a.created_at,
            a.password_chosen_at, a.totp_since, s.token_hash, s.agent_id, s.begun_at, s.seen_at, s.expires_at,
            s.browser, s.how
            from sessions s join agents a on a.id = s.agent_id
            where s.token_hash = $1 and s.expires_at > $2 and (s.seen_at = 0 or s.seen_at > $3)";
        let query =
            sqlx::query(sql).bind(storable(token_hash)).bind(lasting.now.0).bind(lasting.used_since.0);
        let Some(row) = self.row(query).await? else { return Ok(None) };
        Ok(Some(AgentSession {
            agent: agent(&row)?,
            second_factor: Columns::of(&row, "agents").maybe_at("totp_since")?.is_some(),
            session: session(&row)?,
        }))
    }

    /// Notes that a session is used now, if that was not noted lately.
    pub async fn touch_session(&self, known: &Session, now: Timestamp) -> Result<(), StoreError> {
        if now.ms_since(known.seen_at) < TOUCH_MS {
            return Ok(());
        }
        let sql = "update sessions set seen_at = $1 where token_hash = $2 and seen_at < $1";
        self.write(sqlx::query(sql).bind(now.0).bind(storable(&known.token_hash))).await.map(drop)
    }

    /// The sessions of an agent that still count, the last used first.
    pub async fn sessions_of(&self, agent: &AgentId, lasting: Lasting) -> Result<Vec<Session>, StoreError> {
        let sql = "select token_hash, agent_id, begun_at, seen_at, expires_at, browser, how from sessions
            where agent_id = $1 and expires_at > $2 and (seen_at = 0 or seen_at > $3)
            order by seen_at desc, token_hash";
        let query = sqlx::query(sql).bind(agent.as_str()).bind(lasting.now.0).bind(lasting.used_since.0);
        self.rows(query).await?.iter().map(session).collect()
    }

    /// Ends a session.
    pub async fn end_session(&self, token_hash: &str) -> Result<(), StoreError> {
        let sql = "delete from sessions where token_hash = $1";
        self.write(sqlx::query(sql).bind(storable(token_hash))).await.map(drop)
    }

    /// Ends one session of an agent. Returns whether there was one.
    pub async fn end_session_of(&self, agent: &AgentId, token_hash: &str) -> Result<bool, StoreError> {
        let sql = "delete from sessions where token_hash = $1 and agent_id = $2 returning token_hash";
        let query = sqlx::query(sql).bind(storable(token_hash)).bind(agent.as_str());
        Ok(!self.write(query).await?.is_empty())
    }

    /// Ends every session of an agent but one.
    pub async fn end_other_sessions(&self, agent: &AgentId, token_hash: &str) -> Result<(), StoreError> {
        let sql = "delete from sessions where agent_id = $1 and token_hash <> $2";
        self.write(sqlx::query(sql).bind(agent.as_str()).bind(storable(token_hash))).await.map(drop)
    }

    /// Ends every session of an agent.
    pub async fn end_sessions_of(&self, agent: &AgentId) -> Result<(), StoreError> {
        let sql = "delete from sessions where agent_id = $1";
        self.write(sqlx::query(sql).bind(agent.as_str())).await?;
        let sql = "delete from half_sign_ins where agent_id = $1";
        self.write(sqlx::query(sql).bind(agent.as_str())).await.map(drop)
    }

    /// Keeps that somebody's password was right, until their second factor is. Forgets those whose time is over.
    pub async fn new_half_sign_in(
        &self,
        token_hash: &str,
        agent: &AgentId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "delete from half_sign_ins where expires_at <= $1";
        self.write(sqlx::query(sql).bind(now.0)).await?;
        let sql =
            "insert into half_sign_ins (token_hash, agent_id, tries, expires_at) values ($1, $2, 0, $3)";
        let query = sqlx::query(sql).bind(storable(token_hash)).bind(agent.as_str()).bind(expires_at.0);
        self.write(query).await.map(drop)
    }

    /// Counts one try of a second factor before it is looked at; whose it is, while another try is allowed.
    pub async fn try_half_sign_in(
        &self,
        token_hash: &str,
        tries_max: i64,
        now: Timestamp,
    ) -> Result<Option<Agent>, StoreError> {
        let sql = "update half_sign_ins set tries = tries + 1
            where token_hash = $1 and tries < $2 and expires_at > $3 returning agent_id";
        let query = sqlx::query(sql).bind(storable(token_hash)).bind(tries_max).bind(now.0);
        let rows = self.write(query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        self.agent(&Columns::of(row, "half_sign_ins").id("agent_id")?).await
    }

    /// Whether a sign-in waits for its second factor.
    pub async fn half_sign_in(&self, token_hash: &str, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "select agent_id from half_sign_ins where token_hash = $1 and expires_at > $2";
        Ok(self.row(sqlx::query(sql).bind(storable(token_hash)).bind(now.0)).await?.is_some())
    }

    /// Ends a sign-in that waited. Returns whether there was one: of two at once only one goes on.
    pub async fn end_half_sign_in(&self, token_hash: &str) -> Result<bool, StoreError> {
        let sql = "delete from half_sign_ins where token_hash = $1 returning token_hash";
        Ok(!self.write(sqlx::query(sql).bind(storable(token_hash))).await?.is_empty())
    }
}

fn session(row: &AnyRow) -> Result<Session, StoreError> {
    let columns = Columns::of(row, "sessions");
    Ok(Session {
        token_hash: columns.text("token_hash")?,
        agent: columns.id("agent_id")?,
        begun_at: columns.at("begun_at")?,
        seen_at: columns.at("seen_at")?,
        expires_at: columns.at("expires_at")?,
        browser: columns.text("browser")?,
        proof: columns.named("how", Proof::parse)?,
    })
}
