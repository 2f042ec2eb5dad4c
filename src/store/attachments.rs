//! Files that came with messages, kept beside the thread and read one by one.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::ids::{AttachmentId, CaseId, MessageId};
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::rows::{Value, maybe, text};
use super::{Store, StoreError};

/// A file as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAttachment {
    /// Ours.
    pub id: AttachmentId,
    /// The case of the message.
    pub case: CaseId,
    /// The message it came with.
    pub message: MessageId,
    /// Its name as sent.
    pub name: String,
    /// MIME type as sent; nothing is decided by it.
    pub content_type: Option<String>,
    /// The file.
    pub content: Arc<[u8]>,
    /// When it was stored.
    pub at: Timestamp,
}

impl Store {
    /// A file.
    pub async fn attachment(&self, id: &AttachmentId) -> Result<Option<StoredAttachment>, StoreError> {
        let sql =
            "select id, case_id, message_id, name, content_type, content, at from attachments where id = $1";
        let Some(row) = self.row(sqlx::query(sql).bind(id.as_str())).await? else { return Ok(None) };
        let columns = Columns::of(&row, "attachments");
        let content = STANDARD
            .decode(columns.text("content")?)
            .map_err(|_| StoreError::Corrupt { what: "attachments.content".to_owned() })?;
        Ok(Some(StoredAttachment {
            id: columns.id("id")?,
            case: columns.id("case_id")?,
            message: columns.id("message_id")?,
            name: columns.text("name")?,
            content_type: columns.maybe_text("content_type")?,
            content: content.into(),
            at: columns.at("at")?,
        }))
    }
}

/// The values of a row.
pub(super) fn row(new: &StoredAttachment) -> Vec<Value> {
    vec![
        text(new.id.as_str()),
        text(new.case.as_str()),
        text(new.message.as_str()),
        text(&new.name),
        maybe(new.content_type.as_deref()),
        Value::Int(new.content.len() as i64),
        Value::Text(STANDARD.encode(&new.content)),
        Value::Int(new.at.0),
    ]
}
