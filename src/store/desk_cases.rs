//! Where a case is while another desk has it.

use sqlx::any::AnyRow;

use crate::domain::ids::{CaseId, HandoffId};
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::rows::storable;
use super::{Store, StoreError};

/// How a handoff to another desk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskState {
    /// It is being handed over.
    Opening,
    /// They have it.
    Theirs,
    /// It is settled, or was taken back.
    Over,
    /// They could not be reached: our own queue has it.
    Returned,
}

impl DeskState {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Theirs => "theirs",
            Self::Over => "over",
            Self::Returned => "returned",
        }
    }

    /// Reads the name used in the record.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Opening, Self::Theirs, Self::Over, Self::Returned];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

/// One handoff to another desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskCase {
    /// The handoff.
    pub handoff: HandoffId,
    /// Its case.
    pub case: CaseId,
    /// The desk's name.
    pub desk: String,
    /// How it stands.
    pub state: DeskState,
    /// What they call it.
    pub foreign_id: Option<String>,
    /// What writing into it needs beside that, which only the desk's own code reads.
    pub thread: Option<String>,
    /// Why it was given back.
    pub reason: Option<String>,
    /// When it was handed over.
    pub at: Timestamp,
}

/// What [`read`] reads.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select handoff_id, case_id, desk, state, foreign_id, thread, reason, at from desk_cases ",
            $rest
        )
    };
}

impl Store {
    /// The record of one handoff to another desk.
    pub async fn desk_case(&self, handoff: &HandoffId) -> Result<Option<DeskCase>, StoreError> {
        let query = sqlx::query(select!("where handoff_id = $1")).bind(handoff.as_str());
        self.row(query).await?.map(|row| read(&row)).transpose()
    }

    /// The newest one of a case.
    pub async fn desk_case_of(&self, case: &CaseId) -> Result<Option<DeskCase>, StoreError> {
        let sql = select!("where case_id = $1 order by at desc, handoff_id desc limit 1");
        self.row(sqlx::query(sql).bind(case.as_str())).await?.map(|row| read(&row)).transpose()
    }

    /// The newest one that a desk calls so.
    pub async fn desk_case_named(&self, desk: &str, foreign: &str) -> Result<Option<DeskCase>, StoreError> {
        let sql = select!("where desk = $1 and foreign_id = $2 order by at desc, handoff_id desc limit 1");
        let query = sqlx::query(sql).bind(storable(desk)).bind(storable(foreign));
        self.row(query).await?.map(|row| read(&row)).transpose()
    }

    /// Keeps how one stands now; what they call it stays known.
    pub async fn keep_desk_case(&self, one: &DeskCase) -> Result<(), StoreError> {
        let sql = "insert into desk_cases (handoff_id, case_id, desk, state, foreign_id, thread, reason, at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            on conflict (handoff_id) do update set state = excluded.state,
                foreign_id = coalesce(excluded.foreign_id, desk_cases.foreign_id),
                thread = coalesce(excluded.thread, desk_cases.thread), reason = excluded.reason";
        let query = sqlx::query(sql)
            .bind(one.handoff.as_str())
            .bind(one.case.as_str())
            .bind(storable(&one.desk))
            .bind(one.state.as_str())
            .bind(one.foreign_id.as_deref().map(storable))
            .bind(one.thread.as_deref().map(storable))
            .bind(one.reason.as_deref().map(storable))
            .bind(one.at.0);
        self.write(query).await.map(drop)
    }
}

fn read(row: &AnyRow) -> Result<DeskCase, StoreError> {
    let columns = Columns::of(row, "desk_cases");
    Ok(DeskCase {
        handoff: columns.id("handoff_id")?,
        case: columns.id("case_id")?,
        desk: columns.text("desk")?,
        state: columns.named("state", DeskState::parse)?,
        foreign_id: columns.maybe_text("foreign_id")?,
        thread: columns.maybe_text("thread")?,
        reason: columns.maybe_text("reason")?,
        at: columns.at("at")?,
    })
}
