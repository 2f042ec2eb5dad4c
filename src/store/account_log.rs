//! What became of accounts, by whom: only added to.

use crate::domain::ids::AgentId;
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::rows::storable;
use super::{Store, StoreError};

/// One thing that was done to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEntry {
    /// Ours.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who did it: `agent:<id>`, `command line`, or the identity provider.
    pub by: String,
    /// The account.
    pub agent: AgentId,
    /// Its login, also when the account is gone.
    pub login: String,
    /// What was done, in one word.
    pub what: String,
    /// Particulars; never a password, a code or a key.
    pub detail: String,
}

impl Store {
    /// Adds an entry.
    pub async fn log_account(&self, entry: &AccountEntry) -> Result<(), StoreError> {
        let sql = "insert into account_log (id, at, by_whom, agent_id, login, what, detail)
            values ($1, $2, $3, $4, $5, $6, $7)";
        let query = sqlx::query(sql)
            .bind(storable(&entry.id))
            .bind(entry.at.0)
            .bind(storable(&entry.by))
            .bind(entry.agent.as_str())
            .bind(storable(&entry.login))
            .bind(storable(&entry.what))
            .bind(storable(&entry.detail));
        self.write(query).await.map(drop)
    }

    /// The newest entries, the last first.
    pub async fn account_log(&self, limit: i64) -> Result<Vec<AccountEntry>, StoreError> {
        let sql = "select id, at, by_whom, agent_id, login, what, detail from account_log
            order by at desc, id desc limit $1";
        let entry = |row| {
            let columns = Columns::of(row, "account_log");
            Ok(AccountEntry {
                id: columns.text("id")?,
                at: columns.at("at")?,
                by: columns.text("by_whom")?,
                agent: columns.id("agent_id")?,
                login: columns.text("login")?,
                what: columns.text("what")?,
                detail: columns.text("detail")?,
            })
        };
        self.rows(sqlx::query(sql).bind(limit)).await?.iter().map(entry).collect()
    }
}
