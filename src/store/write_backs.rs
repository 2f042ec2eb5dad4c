//! What the operator's CRM is to be told: a row for each event of a kind that it wants, stored with the event itself.

use crate::domain::event::{Event, EventKind};
use crate::domain::ids::CaseId;
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::connection::Dialect;
use super::rows::{Value, storable, text};
use super::{Store, StoreError};

/// Something the CRM is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteBack {
    /// The case and the place of the event in its log: the same however often it is told.
    pub id: String,
    /// The case.
    pub case: CaseId,
    /// The event's kind, as in the log.
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// Attempts, this one included.
    pub attempts: i64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The CRM has it.
    Done,
    /// Not yet; not again before this moment.
    Later(Timestamp, String),
    /// It is given up.
    Dead(String),
}

macro_rules! take {
    ($lock:literal) => {
        concat!(
            "with chosen as materialized (select id from write_backs where state = 'pending' and due_at <= $3
                order by due_at, id limit $4 ",
            $lock,
            ") update write_backs set holder = $1, due_at = $2, attempts = attempts + 1
                where id in (select id from chosen) and state = 'pending' and due_at <= $3
                returning id, case_id, event, at, attempts"
        )
    };
}

impl Store {
    /// Takes what is due to be told by moving its due time a lease ahead, the longest due first.
    pub async fn due_write_backs(
        &self,
        holder: &str,
        now: Timestamp,
        lease_ms: i64,
        max: usize,
    ) -> Result<Vec<WriteBack>, StoreError> {
        let sql = match self.0.link.dialect {
            Dialect::Sqlite => take!(""),
            Dialect::Postgres => take!("for update skip locked"),
        };
        let query = sqlx::query(sql).bind(storable(holder)).bind(now.plus_ms(lease_ms).0);
        let rows = self.write(query.bind(now.0).bind(max as i64)).await?;
        let read = |row| {
            let columns = Columns::of(row, "write_backs");
            Ok(WriteBack {
                id: columns.text("id")?,
                case: columns.id("case_id")?,
                kind: columns.text("event")?,
                at: columns.at("at")?,
                attempts: columns.int("attempts")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Records how an attempt ended, unless somebody else has taken it over since.
    pub async fn told(&self, id: &str, holder: &str, told: &Told) -> Result<(), StoreError> {
        let (state, due_at, reason) = match told {
            Told::Done => ("done", None, None),
            Told::Later(due_at, why) => ("pending", Some(due_at.0), Some(storable(why))),
            Told::Dead(why) => ("dead", None, Some(storable(why))),
        };
        let sql = "update write_backs set state = $3, due_at = coalesce($4, due_at), reason = $5
            where id = $1 and holder = $2 and state = 'pending'";
        let query = sqlx::query(sql).bind(storable(id)).bind(storable(holder)).bind(state);
        self.write(query.bind(due_at).bind(reason)).await.map(drop)
    }

    /// How many are not told yet, and how many were given up.
    pub async fn untold(&self) -> Result<(i64, i64), StoreError> {
        let sql = "select (select count(*) from write_backs where state = 'pending') as pending,
            (select count(*) from write_backs where state = 'dead') as dead";
        let Some(row) = self.row(sqlx::query(sql)).await? else { return Ok((0, 0)) };
        let columns = Columns::of(&row, "write_backs");
        Ok((columns.int("pending")?, columns.int("dead")?))
    }
}

/// The row that goes with an event, if the CRM wants its kind.
pub(super) fn row(event: &Event, told: &[EventKind]) -> Option<Vec<Value>> {
    told.iter().any(|kind| kind.as_str() == event.kind).then(|| {
        vec![
            text(&format!("{}-{}", event.case, event.seq)),
            text(event.case.as_str()),
            text(&event.kind),
            Value::Int(event.at.0),
            text("pending"),
            Value::Int(0),
            Value::Int(event.at.0),
            Value::Text(String::new()),
        ]
    })
}
