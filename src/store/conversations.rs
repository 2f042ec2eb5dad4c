//! The threads of providers, and who wants no messages by them.

use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::rows::storable;
use super::unit::Conversation;
use super::{Store, StoreError};

impl Store {
    /// A thread in which a customer has written.
    pub async fn conversation(
        &self,
        channel: &str,
        conversation: &str,
    ) -> Result<Option<Conversation>, StoreError> {
        let sql = "select channel, conversation, address, last_inbound_at, threading
            from conversations where channel = $1 and conversation = $2";
        let row = self.row(sqlx::query(sql).bind(storable(channel)).bind(storable(conversation))).await?;
        row.map(|row| read(&Columns::of(&row, "conversations"))).transpose()
    }

    /// The thread in which this address wrote last.
    pub async fn newest_conversation(
        &self,
        channel: &str,
        address: &str,
    ) -> Result<Option<Conversation>, StoreError> {
        let sql = "select channel, conversation, address, last_inbound_at, threading
            from conversations where channel = $1 and address = $2
            order by last_inbound_at desc, conversation limit 1";
        let row = self.row(sqlx::query(sql).bind(storable(channel)).bind(storable(address))).await?;
        row.map(|row| read(&Columns::of(&row, "conversations"))).transpose()
    }

    /// Since when this address wants nothing by this channel; none while it does.
    pub async fn opted_out(&self, channel: &str, address: &str) -> Result<Option<Timestamp>, StoreError> {
        // Of somebody who was erased the word is kept under the hash of their address.
        let erased = self.erased_name(channel, address).await?;
        let sql = "select opted_out, at from consents where channel = $1 and address in ($2, $3)
            order by id desc limit 1";
        let query = sqlx::query(sql).bind(storable(channel)).bind(storable(address)).bind(erased);
        let row = self.row(query).await?;
        let Some(row) = row else { return Ok(None) };
        let columns = Columns::of(&row, "consents");
        Ok(if columns.int("opted_out")? == 1 { Some(columns.at("at")?) } else { None })
    }
}

fn read(columns: &Columns<'_>) -> Result<Conversation, StoreError> {
    Ok(Conversation {
        channel: columns.text("channel")?,
        conversation: columns.text("conversation")?,
        address: columns.text("address")?,
        last_inbound_at: columns.at("last_inbound_at")?,
        threading: columns.maybe_text("threading")?,
    })
}
