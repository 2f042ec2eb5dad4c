//! The summaries of weeks: each goes to each recipient once, whoever sends it and however often the service starts.

use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::connection::Dialect;
use super::rows::storable;
use super::{Store, StoreError, Told};

/// A summary that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSummary {
    /// The day on which the week was summed up.
    pub week: String,
    /// To whom.
    pub recipient: String,
    /// Tries, this one included.
    pub attempts: i64,
}

macro_rules! take {
    ($lock:literal) => {
        concat!(
            "with chosen as materialized (select week, recipient from report_mails where state = 'pending'
                and due_at <= $3 order by due_at, recipient limit $4 ",
            $lock,
            ") update report_mails set holder = $1, due_at = $2, attempts = attempts + 1
                where (week, recipient) in (select week, recipient from chosen) and state = 'pending' and due_at <= $3
                returning week, recipient, attempts"
        )
    };
}

impl Store {
    /// Whether the summary of a week was ever to be sent.
    pub async fn summary_planned(&self, week: &str) -> Result<bool, StoreError> {
        let sql = "select week from report_mails where week = $1 limit 1";
        Ok(self.row(sqlx::query(sql).bind(storable(week))).await?.is_some())
    }

    /// Lets the summary of a week be sent to somebody; nothing when it was before.
    pub async fn plan_summary(&self, week: &str, recipient: &str, now: Timestamp) -> Result<(), StoreError> {
        let sql = "insert into report_mails (week, recipient, state, attempts, due_at, holder)
            values ($1, $2, 'pending', 0, $3, '') on conflict do nothing";
        self.write(sqlx::query(sql).bind(storable(week)).bind(storable(recipient)).bind(now.0))
            .await
            .map(drop)
    }

    /// Takes summaries that are due by moving their due time a lease ahead.
    pub async fn due_summaries(
        &self,
        holder: &str,
        now: Timestamp,
        lease_ms: i64,
        max: usize,
    ) -> Result<Vec<DueSummary>, StoreError> {
        let sql = match self.0.link.dialect {
            Dialect::Sqlite => take!(""),
            Dialect::Postgres => take!("for update skip locked"),
        };
        let query = sqlx::query(sql).bind(storable(holder)).bind(now.plus_ms(lease_ms).0);
        let rows = self.write(query.bind(now.0).bind(max as i64)).await?;
        let read = |row| {
            let columns = Columns::of(row, "report_mails");
            Ok(DueSummary {
                week: columns.text("week")?,
                recipient: columns.text("recipient")?,
                attempts: columns.int("attempts")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Records how a try went, unless somebody else has taken it over since.
    pub async fn summary_told(&self, due: &DueSummary, holder: &str, told: &Told) -> Result<(), StoreError> {
        let (state, due_at, reason) = match told {
            Told::Done => ("done", None, None),
            Told::Later(due_at, why) => ("pending", Some(due_at.0), Some(storable(why))),
            Told::Dead(why) => ("dead", None, Some(storable(why))),
        };
        let sql = "update report_mails set state = $4, due_at = coalesce($5, due_at), reason = $6
            where week = $1 and recipient = $2 and holder = $3 and state = 'pending'";
        let query = sqlx::query(sql).bind(storable(&due.week)).bind(storable(&due.recipient));
        let query = query.bind(storable(holder)).bind(state).bind(due_at).bind(reason);
        self.write(query).await.map(drop)
    }
}
