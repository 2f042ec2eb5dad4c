//! What was told to others and what was not, for people to see: the list, and telling again what was given up.

use crate::domain::ids::CaseId;
use crate::domain::time::Timestamp;

use super::cases::{Page, cursor, next_cursor};
use super::columns::Columns;
use super::rows::storable;
use super::{Store, StoreError};

/// Something that was told to somebody, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The same at every attempt.
    pub id: String,
    /// Who is told.
    pub target: String,
    /// The case.
    pub case: CaseId,
    /// What kind of thing.
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// `pending`, `done` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// Not before.
    pub due_at: Timestamp,
    /// Why it was not taken.
    pub reason: Option<String>,
}

/// Which ones are listed.
#[derive(Debug, Clone, Default)]
pub struct NoticeFilter {
    /// How they stand.
    pub state: Option<String>,
    /// Who is told.
    pub target: Option<String>,
}

/// What a [`Notice`] is read from.
macro_rules! columns {
    () => {
        "id, target, case_id, event, at, state, attempts, due_at, reason"
    };
}

impl Store {
    /// What was told and is to be told, the newest first; and the cursor of the next part.
    pub async fn notices(
        &self,
        filter: &NoticeFilter,
        page: &Page,
    ) -> Result<(Vec<Notice>, Option<String>), StoreError> {
        let (before_at, before_id) = cursor(page)?;
        let sql = concat!(
            "select ",
            columns!(),
            " from write_backs where (cast($1 as text) is null or state = $1)
              and (cast($2 as text) is null or target = $2)
              and (cast($3 as bigint) is null or (at, id) < ($3, $4))
            order by at desc, id desc limit $5"
        );
        let query = sqlx::query(sql).bind(filter.state.as_deref().map(storable));
        let query = query.bind(filter.target.as_deref().map(storable)).bind(before_at).bind(before_id);
        let rows = self.rows(query.bind(page.limit)).await?;
        let found = rows.iter().map(|row| notice(&Columns::of(row, "write_backs")));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let next = next_cursor(page, found.len(), found.last().map(|one| (one.at, one.id.as_str())));
        Ok((found, next))
    }

    /// One of them.
    pub async fn notice(&self, id: &str) -> Result<Option<Notice>, StoreError> {
        let sql = concat!("select ", columns!(), " from write_backs where id = $1");
        let row = self.row(sqlx::query(sql).bind(storable(id))).await?;
        row.map(|row| notice(&Columns::of(&row, "write_backs"))).transpose()
    }

    /// Puts one that was given up back to be told from now on, before everything later of its case. Whether it was one.
    pub async fn tell_again(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let sql =
            "update write_backs set state = 'pending', attempts = 0, due_at = $2, holder = '', reason = null
            where id = $1 and state = 'dead' returning id";
        Ok(!self.write(sqlx::query(sql).bind(storable(id)).bind(now.0)).await?.is_empty())
    }

    /// Forgets what was told and is older than `before`, at most `max` at a time.
    pub async fn forget_told(&self, before: Timestamp, max: usize) -> Result<(), StoreError> {
        let sql = "delete from write_backs where id in (select id from write_backs
            where state = 'done' and at < $1 order by at limit $2)";
        self.write(sqlx::query(sql).bind(before.0).bind(max as i64)).await.map(drop)
    }
}

fn notice(columns: &Columns<'_>) -> Result<Notice, StoreError> {
    Ok(Notice {
        id: columns.text("id")?,
        target: columns.text("target")?,
        case: columns.id("case_id")?,
        kind: columns.text("event")?,
        at: columns.at("at")?,
        state: columns.text("state")?,
        attempts: columns.int("attempts")?,
        due_at: columns.at("due_at")?,
        reason: columns.maybe_text("reason")?,
    })
}
