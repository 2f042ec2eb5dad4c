//! Reading the threads of cases.

use std::sync::Arc;

use sqlx::any::AnyRow;

use crate::domain::ids::{CaseId, MessageId};
use crate::domain::message::{Author, Message};

use super::columns::Columns;
use super::{Store, StoreError};

impl Store {
    /// The entries of a thread after place `after_seq`, oldest first, internal ones too.
    pub async fn messages(
        &self,
        case: &CaseId,
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        let sql =
            "select id, case_id, seq, author, agent_id, channel, text, at, visibility, citations, choices,
            attachments, turn_id from messages where case_id = $1 and seq > $2 order by seq limit $3";
        read(&self.rows(sqlx::query(sql).bind(case.as_str()).bind(after_seq).bind(limit)).await?)
    }

    /// The whole thread, oldest first, internal entries too.
    pub async fn transcript(&self, case: &CaseId) -> Result<Vec<Arc<Message>>, StoreError> {
        self.messages(case, 0, i64::MAX).await
    }

    /// One entry.
    pub async fn message(&self, id: &MessageId) -> Result<Option<Arc<Message>>, StoreError> {
        let sql =
            "select id, case_id, seq, author, agent_id, channel, text, at, visibility, citations, choices,
            attachments, turn_id from messages where id = $1";
        self.row(sqlx::query(sql).bind(id.as_str())).await?.map(|row| message(&row).map(Arc::new)).transpose()
    }

    /// The newest entries up to place `last_seq`, oldest first.
    pub(super) async fn newest_messages(
        &self,
        case: &CaseId,
        last_seq: i64,
        limit: i64,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        let sql =
            "select id, case_id, seq, author, agent_id, channel, text, at, visibility, citations, choices,
            attachments, turn_id from messages where case_id = $1 and seq <= $2 order by seq desc limit $3";
        let mut newest =
            read(&self.rows(sqlx::query(sql).bind(case.as_str()).bind(last_seq).bind(limit)).await?)?;
        newest.reverse();
        Ok(newest)
    }
}

fn read(rows: &[AnyRow]) -> Result<Vec<Arc<Message>>, StoreError> {
    rows.iter().map(|row| message(row).map(Arc::new)).collect()
}

/// Reads a message.
pub(super) fn message(row: &AnyRow) -> Result<Message, StoreError> {
    let columns = Columns::of(row, "messages");
    Ok(Message {
        id: columns.id("id")?,
        case: columns.id("case_id")?,
        seq: columns.int("seq")?,
        author: columns.named("author", Author::parse)?,
        agent: columns.maybe_id("agent_id")?,
        channel: columns.text("channel")?,
        text: columns.text("text")?,
        at: columns.at("at")?,
        visibility: columns.word("visibility")?,
        citations: columns.json("citations")?,
        choices: columns.json("choices")?,
        attachments: columns.json("attachments")?,
        turn: columns.maybe_id("turn_id")?,
    })
}
