//! What is known when a message arrives, read in one round trip.

use std::sync::Arc;

use crate::domain::assurance::Assurance;
use crate::domain::case::CaseState;
use crate::domain::customer::{Customer, Identity};
use crate::domain::ids::{CaseId, ProcedureId};
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::rows::storable;
use super::unit::InboxEntry;
use super::{Store, StoreError};

/// What is known about a message that has just come in.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// Where it was stored before, if it was.
    pub inbox: Option<InboxEntry>,
    /// Who writes from that address.
    pub identity: Option<Identity>,
    /// The customer of that identity.
    pub customer: Option<Arc<Customer>>,
    /// The customer's cases that are not closed, the last changed first, at most 20.
    pub cases: Vec<OpenCase>,
}

/// A case as far as it matters for where a message belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCase {
    /// Its id.
    pub id: CaseId,
    /// Who has it.
    pub state: CaseState,
    /// Its version.
    pub version: i64,
    /// The thread of the channel last written on.
    pub conversation: String,
    /// The channel last written on.
    pub channel: String,
    /// What it is about, once known.
    pub intent: Option<ProcedureId>,
    /// The issue in one line.
    pub issue: Option<String>,
    /// When anything last happened.
    pub updated_at: Timestamp,
    /// When it was last resolved.
    pub resolved_at: Option<Timestamp>,
    /// The older case that it follows.
    pub follows: Option<CaseId>,
}

impl Store {
    /// What is known about the message `external_id` of `channel`, written by the identity with this channel and
    /// address (the operator's own id of a person is an identity that all channels share).
    pub async fn arrival(
        &self,
        channel: &str,
        external_id: &str,
        writer: (&str, &str),
    ) -> Result<Arrival, StoreError> {
        let sql = "select
            i.message_id as i_message_id, i.channel as i_channel, i.external_id as i_external_id, i.digest as i_digest,
            i.case_id as i_case_id, i.customer_id as i_customer_id, i.at as i_at,
            d.id as d_id, d.customer_id as d_customer_id, d.channel as d_channel, d.address as d_address,
            d.assurance as d_assurance, d.proof as d_proof, d.first_seen as d_first_seen, d.last_seen as d_last_seen,
            c.id as c_id, c.external_id as c_external_id, c.name as c_name, c.email as c_email, c.phone as c_phone,
            c.language as c_language, c.crm as c_crm, c.created_at as c_created_at, c.version as c_version,
            k.id as k_id, k.state as k_state, k.version as k_version, k.conversation as k_conversation,
            k.channel as k_channel, k.intent as k_intent, k.issue as k_issue, k.updated_at as k_updated_at,
            k.resolved_at as k_resolved_at, k.follows as k_follows
            from (select 1 as one) q
            left join inbox i on i.channel = $1 and i.external_id in ($2, $5)
            left join identities d on d.channel = $3 and d.address = $4
            left join customers c on c.id = d.customer_id
            left join cases k on k.customer_id = c.id and k.state <> 'closed'
            order by k.updated_at desc, k.id desc limit 20";
        // A message of somebody who was erased is known by its hash.
        let query = sqlx::query(sql)
            .bind(storable(channel))
            .bind(storable(external_id))
            .bind(storable(writer.0))
            .bind(storable(writer.1))
            .bind(self.erased_name(channel, external_id).await?);
        let rows = self.rows(query).await?;
        let mut arrival = Arrival { inbox: None, identity: None, customer: None, cases: Vec::new() };
        if let Some(row) = rows.first() {
            let columns = Columns::of(row, "inbox");
            arrival.inbox = known(&columns, "i_message_id")?.then(|| entry(&columns)).transpose()?;
            let columns = Columns::of(row, "identities");
            arrival.identity = known(&columns, "d_id")?.then(|| identity(&columns)).transpose()?;
            let columns = Columns::of(row, "customers");
            arrival.customer =
                known(&columns, "c_id")?.then(|| customer(&columns).map(Arc::new)).transpose()?;
        }
        for row in &rows {
            let columns = Columns::of(row, "cases");
            if known(&columns, "k_id")? {
                arrival.cases.push(open_case(&columns)?);
            }
        }
        Ok(arrival)
    }

    /// Where a message was stored when it came in.
    pub async fn inbox(&self, channel: &str, external_id: &str) -> Result<Option<InboxEntry>, StoreError> {
        let sql = "select message_id as i_message_id, channel as i_channel, external_id as i_external_id,
            digest as i_digest, case_id as i_case_id, customer_id as i_customer_id, at as i_at
            from inbox where channel = $1 and external_id = $2";
        let row = self.row(sqlx::query(sql).bind(storable(channel)).bind(storable(external_id))).await?;
        row.map(|row| entry(&Columns::of(&row, "inbox"))).transpose()
    }
}

fn known(columns: &Columns<'_>, key: &str) -> Result<bool, StoreError> {
    Ok(columns.maybe_text(key)?.is_some())
}

fn entry(columns: &Columns<'_>) -> Result<InboxEntry, StoreError> {
    Ok(InboxEntry {
        channel: columns.text("i_channel")?,
        external_id: columns.text("i_external_id")?,
        digest: columns.text("i_digest")?,
        message: columns.id("i_message_id")?,
        case: columns.id("i_case_id")?,
        customer: columns.id("i_customer_id")?,
        at: columns.at("i_at")?,
    })
}

fn identity(columns: &Columns<'_>) -> Result<Identity, StoreError> {
    Ok(Identity {
        id: columns.id("d_id")?,
        customer: columns.id("d_customer_id")?,
        channel: columns.text("d_channel")?,
        address: columns.text("d_address")?,
        assurance: columns.named("d_assurance", Assurance::parse)?,
        proof: columns.text("d_proof")?,
        first_seen: columns.at("d_first_seen")?,
        last_seen: columns.at("d_last_seen")?,
    })
}

fn customer(columns: &Columns<'_>) -> Result<Customer, StoreError> {
    Ok(Customer {
        id: columns.id("c_id")?,
        external_id: columns.maybe_text("c_external_id")?,
        name: columns.maybe_text("c_name")?,
        email: columns.maybe_text("c_email")?,
        phone: columns.maybe_text("c_phone")?,
        language: columns.maybe_text("c_language")?,
        crm: columns.maybe_json("c_crm")?.unwrap_or_default(),
        created_at: columns.at("c_created_at")?,
        version: columns.int("c_version")?,
    })
}

fn open_case(columns: &Columns<'_>) -> Result<OpenCase, StoreError> {
    Ok(OpenCase {
        id: columns.id("k_id")?,
        state: columns.named("k_state", CaseState::parse)?,
        version: columns.int("k_version")?,
        conversation: columns.text("k_conversation")?,
        channel: columns.text("k_channel")?,
        intent: columns.maybe_id("k_intent")?,
        issue: columns.maybe_text("k_issue")?,
        updated_at: columns.at("k_updated_at")?,
        resolved_at: columns.maybe_at("k_resolved_at")?,
        follows: columns.maybe_id("k_follows")?,
    })
}
