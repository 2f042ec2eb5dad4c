//! Reading customers and the addresses that are theirs.

use std::sync::Arc;

use sqlx::any::AnyRow;

use crate::domain::assurance::Assurance;
use crate::domain::customer::{Customer, Identity};
use crate::domain::ids::CustomerId;
use crate::domain::message::Message;

use super::cases::{Page, cursor, next_cursor};
use super::columns::Columns;
use super::rows::storable;
use super::{Store, StoreError, messages};

impl Store {
    /// A customer.
    pub async fn customer(&self, id: &CustomerId) -> Result<Option<Arc<Customer>>, StoreError> {
        let sql = "select id, external_id, name, email, phone, language, crm, created_at, version
            from customers where id = $1";
        self.row(sqlx::query(sql).bind(id.as_str()))
            .await?
            .map(|row| customer(&row).map(Arc::new))
            .transpose()
    }

    /// The customer whom the operator knows by this id of its own.
    pub async fn customer_by_external_id(
        &self,
        external_id: &str,
    ) -> Result<Option<Arc<Customer>>, StoreError> {
        let sql = "select id, external_id, name, email, phone, language, crm, created_at, version
            from customers where external_id = $1";
        self.row(sqlx::query(sql).bind(storable(external_id)))
            .await?
            .map(|row| customer(&row).map(Arc::new))
            .transpose()
    }

    /// The addresses of a customer, in the order in which they first wrote.
    pub async fn identities(&self, customer: &CustomerId) -> Result<Vec<Identity>, StoreError> {
        let sql = "select id, customer_id, channel, address, assurance, proof, first_seen, last_seen
            from identities where customer_id = $1 order by first_seen, id";
        let rows = self.rows(sqlx::query(sql).bind(customer.as_str())).await?;
        rows.iter().map(|row| identity(&Columns::of(row, "identities"))).collect()
    }

    /// What was said in all cases of a customer, on every channel, newest first; and the cursor of what is older.
    pub async fn timeline(
        &self,
        customer: &CustomerId,
        page: &Page,
    ) -> Result<(Vec<Arc<Message>>, Option<String>), StoreError> {
        let (before_at, before_id) = cursor(page)?;
        let sql =
            "select m.id, m.case_id, m.seq, m.author, m.agent_id, m.channel, m.text, m.at, m.visibility,
            m.citations, m.choices, m.attachments, m.turn_id
            from cases k join messages m on m.case_id = k.id
            where k.customer_id = $1 and (cast($2 as bigint) is null or (m.at, m.id) < ($2, $3))
            order by m.at desc, m.id desc limit $4";
        let query = sqlx::query(sql).bind(customer.as_str()).bind(before_at).bind(before_id).bind(page.limit);
        let rows = self.rows(query).await?;
        let messages =
            rows.iter().map(|row| messages::message(row).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let next = next_cursor(page, messages.len(), messages.last().map(|m| (m.at, m.id.as_str())));
        Ok((messages, next))
    }
}

/// Reads a customer.
pub(super) fn customer(row: &AnyRow) -> Result<Customer, StoreError> {
    let columns = Columns::of(row, "customers");
    Ok(Customer {
        id: columns.id("id")?,
        external_id: columns.maybe_text("external_id")?,
        name: columns.maybe_text("name")?,
        email: columns.maybe_text("email")?,
        phone: columns.maybe_text("phone")?,
        language: columns.maybe_text("language")?,
        crm: columns.maybe_json("crm")?.unwrap_or_default(),
        created_at: columns.at("created_at")?,
        version: columns.int("version")?,
    })
}

fn identity(columns: &Columns<'_>) -> Result<Identity, StoreError> {
    Ok(Identity {
        id: columns.id("id")?,
        customer: columns.id("customer_id")?,
        channel: columns.text("channel")?,
        address: columns.text("address")?,
        assurance: columns.named("assurance", Assurance::parse)?,
        proof: columns.text("proof")?,
        first_seen: columns.at("first_seen")?,
        last_seen: columns.at("last_seen")?,
    })
}
