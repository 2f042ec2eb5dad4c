//! Reading the logs of cases.

use crate::domain::event::Event;
use crate::domain::ids::CaseId;

use super::columns::Columns;
use super::{Store, StoreError};

impl Store {
    /// The lines of a case's log after place `after_seq`, oldest first.
    pub async fn events(&self, case: &CaseId, after_seq: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
        let sql = "select case_id, seq, at, kind, body, hash
            from events where case_id = $1 and seq > $2 order by seq limit $3";
        let rows = self.rows(sqlx::query(sql).bind(case.as_str()).bind(after_seq).bind(limit)).await?;
        rows.iter().map(|row| event(&Columns::of(row, "events"))).collect()
    }
}

/// Reads a line of a log.
pub(super) fn event(columns: &Columns<'_>) -> Result<Event, StoreError> {
    Ok(Event {
        case: columns.id("case_id")?,
        seq: columns.int("seq")?,
        at: columns.at("at")?,
        kind: columns.text("kind")?,
        body: columns.text("body")?,
        hash: columns.text("hash")?,
    })
}
