//! Customers looked up many at once, by what an import knows of them.

use std::sync::Arc;

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::domain::crm::OPERATOR;
use crate::domain::customer::{Customer, Ended};
use crate::domain::ids::CustomerId;

use super::columns::Columns;
use super::customers::customer;
use super::rows::storable;
use super::{Store, StoreError};

/// Most values in one question.
pub const ASKED_MAX: usize = 256;

/// A customer whom the operator knows by an id of its own.
#[derive(Debug, Clone)]
pub struct KnownPerson {
    /// Who.
    pub customer: Arc<Customer>,
    /// A message that is vouched for with this id finds them.
    pub anchored: bool,
}

/// Who has one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The address.
    pub value: String,
    /// Whose record names it.
    pub customer: CustomerId,
    /// The operator's own id of them.
    pub external_id: Option<String>,
}

/// An address of a customer's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// The email address.
    Email,
    /// The phone number.
    Phone,
}

impl Store {
    /// The customers with these ids of the operator's own, at most [`ASKED_MAX`] of them.
    pub async fn known_people(&self, external_ids: &[&str]) -> Result<Vec<KnownPerson>, StoreError> {
        let sql = "select c.id, c.external_id, c.name, c.email, c.phone, c.language, c.crm, c.created_at, c.version,
            d.id as anchor from customers c
            left join identities d on d.channel = $1 and d.address = c.external_id
            where c.external_id in";
        let read = |row: &AnyRow| {
            let anchored = Columns::of(row, "identities").maybe_text("anchor")?.is_some();
            Ok(KnownPerson { customer: Arc::new(customer(row)?), anchored })
        };
        self.ask(sql, Some(OPERATOR), external_ids).await?.iter().map(read).collect()
    }

    /// The one customer of the operator's whose record names this mail address, in lower case; none where there are
    /// several, or where somebody took the address away from them.
    pub async fn named_by_operator(&self, address: &str) -> Result<Option<Arc<Customer>>, StoreError> {
        let sql = "select c.id, c.external_id, c.name, c.email, c.phone, c.language, c.crm, c.created_at, c.version
            from customers c
            where lower(c.email) = $1 and c.external_id is not null and c.root_id is null and c.erased_at is null
                and not exists (select 1 from identities i where i.customer_id = c.id and lower(i.address) = $1
                    and i.ended_because = $2)
            limit 2";
        let query = sqlx::query(sql).bind(storable(address)).bind(Ended::Unlinked.as_str());
        match self.rows(query).await?.as_slice() {
            [only] => Ok(Some(Arc::new(customer(only)?))),
            _ => Ok(None),
        }
    }

    /// Whose records name these addresses, at most [`ASKED_MAX`] of them.
    pub async fn holders_of(&self, contact: Contact, values: &[&str]) -> Result<Vec<Holder>, StoreError> {
        let sql = match contact {
            Contact::Email => "select email as value, id, external_id from customers where email in",
            Contact::Phone => "select phone as value, id, external_id from customers where phone in",
        };
        let read = |row: &AnyRow| {
            let columns = Columns::of(row, "customers");
            Ok(Holder {
                value: columns.text("value")?,
                customer: columns.id("id")?,
                external_id: columns.maybe_text("external_id")?,
            })
        };
        self.ask(sql, None, values).await?.iter().map(read).collect()
    }

    async fn ask(&self, sql: &str, first: Option<&str>, values: &[&str]) -> Result<Vec<AnyRow>, StoreError> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let before = usize::from(first.is_some());
        let values = values.get(..ASKED_MAX.min(values.len())).unwrap_or_default();
        let marks: Vec<String> = (1..=values.len()).map(|place| format!("${}", place + before)).collect();
        let mut query = sqlx::query(AssertSqlSafe(format!("{sql} ({})", marks.join(", "))));
        if let Some(first) = first {
            query = query.bind(first);
        }
        for value in values {
            query = query.bind(storable(value));
        }
        self.rows(query).await
    }
}
