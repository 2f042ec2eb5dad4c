//! Reading customers and the addresses that are theirs.

use std::sync::Arc;

use sqlx::any::AnyRow;

use crate::domain::assurance::Assurance;
use crate::domain::customer::{Customer, Identity, Link, Proven};
use crate::domain::ids::CustomerId;
use crate::domain::message::Message;
use crate::domain::role::Reach;

use super::cases::{Page, cursor, next_cursor, within};
use super::columns::Columns;
use super::people::same_person;
use super::rows::storable;
use super::{Store, StoreError, messages};

impl Store {
    /// A customer, as whom they are known now: whoever was merged into another one is that one.
    pub async fn customer(&self, id: &CustomerId) -> Result<Option<Arc<Customer>>, StoreError> {
        let sql =
            "select c.id, c.external_id, c.name, c.email, c.phone, c.language, c.crm, c.created_at, c.version
            from customers o join customers c on c.id = coalesce(o.root_id, o.id) where o.id = $1";
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
        let sql =
            "select c.id, c.external_id, c.name, c.email, c.phone, c.language, c.crm, c.created_at, c.version
            from customers o join customers c on c.id = coalesce(o.root_id, o.id) where o.external_id = $1";
        self.row(sqlx::query(sql).bind(storable(external_id)))
            .await?
            .map(|row| customer(&row).map(Arc::new))
            .transpose()
    }

    /// A customer's own row, whoever they are known as.
    pub async fn customer_itself(&self, id: &CustomerId) -> Result<Option<Customer>, StoreError> {
        let sql = "select id, external_id, name, email, phone, language, crm, created_at, version
            from customers where id = $1";
        self.row(sqlx::query(sql).bind(id.as_str())).await?.map(|row| customer(&row)).transpose()
    }

    /// The addresses of a person, those that are theirs no more too, in the order in which they first wrote.
    pub async fn identities(&self, customer: &CustomerId) -> Result<Vec<Identity>, StoreError> {
        let sql = concat!(
            "select id, customer_id, channel, address, assurance, proof, link, proven_case, proven_conversation,
            proven_until, first_seen, last_seen, ended_at from identities where customer_id in ",
            same_person!(),
            " order by first_seen, id"
        );
        let rows = self.rows(sqlx::query(sql).bind(customer.as_str())).await?;
        rows.iter().map(|row| identity(&Columns::of(row, "identities"))).collect()
    }

    /// Whose address this is now.
    pub async fn identity(&self, channel: &str, address: &str) -> Result<Option<Identity>, StoreError> {
        let sql = "select id, customer_id, channel, address, assurance, proof, link, proven_case, proven_conversation,
            proven_until, first_seen, last_seen, ended_at
            from identities where channel = $1 and address = $2 and ended_at is null";
        let row = self.row(sqlx::query(sql).bind(storable(channel)).bind(storable(address))).await?;
        row.map(|row| identity(&Columns::of(&row, "identities"))).transpose()
    }

    /// Whether a customer is within reach: one of their cases is, or they have none.
    pub async fn reaches_customer(&self, customer: &CustomerId, reach: &Reach) -> Result<bool, StoreError> {
        let (Some(person), hidden) = within(reach) else { return Ok(true) };
        let sql = concat!(
            "select count(*) as all_cases, count(case when team is null or agent_id = $2
                or replace($3, ',' || team || ',', '') = $3 then 1 end) as seen
            from cases where customer_id in ",
            same_person!()
        );
        let query = sqlx::query(sql).bind(customer.as_str()).bind(person).bind(hidden);
        let Some(row) = self.row(query).await? else { return Ok(false) };
        let columns = Columns::of(&row, "cases");
        Ok(columns.int("seen")? > 0 || columns.int("all_cases")? == 0)
    }

    /// What was said in all cases of a customer within reach, on every channel, newest first; and the cursor of what
    /// is older.
    pub async fn timeline(
        &self,
        customer: &CustomerId,
        reach: &Reach,
        page: &Page,
    ) -> Result<(Vec<Arc<Message>>, Option<String>), StoreError> {
        let (before_at, before_id) = cursor(page)?;
        let sql = concat!(
            "select m.id, m.case_id, m.seq, m.author, m.agent_id, m.channel, m.text, m.at, m.visibility,
            m.citations, m.choices, m.attachments, m.turn_id
            from cases k join messages m on m.case_id = k.id
            where k.customer_id in ",
            same_person!(),
            " and (cast($2 as bigint) is null or (m.at, m.id) < ($2, $3))
            and (cast($5 as text) is null or k.team is null or k.agent_id = $5
                or replace($6, ',' || k.team || ',', '') = $6)
            order by m.at desc, m.id desc limit $4"
        );
        let (person, hidden) = within(reach);
        let query = sqlx::query(sql).bind(customer.as_str()).bind(before_at).bind(before_id).bind(page.limit);
        let query = query.bind(person).bind(hidden);
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
        link: columns.named("link", Link::parse)?,
        proven: proven(columns, ["proven_case", "proven_conversation", "proven_until"])?,
        first_seen: columns.at("first_seen")?,
        last_seen: columns.at("last_seen")?,
        ended_at: columns.maybe_at("ended_at")?,
    })
}

/// Reads what was proven for a time, from these columns.
pub(super) fn proven(
    columns: &Columns<'_>,
    [case, conversation, until]: [&str; 3],
) -> Result<Option<Proven>, StoreError> {
    let Some(case) = columns.maybe_id(case)? else { return Ok(None) };
    let conversation = columns.maybe_text(conversation)?.unwrap_or_default();
    let until = columns.maybe_at(until)?.unwrap_or_default();
    Ok(Some(Proven { case, conversation, until }))
}
