//! One-time codes: what was asked of whom, and the codes themselves until they have been sent.

use crate::domain::ids::{CaseId, CustomerId};
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::rows::{Value, maybe, storable, text};
use super::{Store, StoreError};

/// A proof that somebody was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Ours; ids rise with time.
    pub id: String,
    /// The case in which it is asked, and in which alone it holds.
    pub case: CaseId,
    /// Whose case it is: who has to type it.
    pub customer: CustomerId,
    /// Whom it proves; none where nobody has the contact.
    pub target: Option<CustomerId>,
    /// The contact that was typed, hashed; none while nobody has typed one.
    pub contact: Option<String>,
    /// Goes into the hash.
    pub salt: String,
    /// Of the code, hexadecimal; empty while none was made.
    pub hash: String,
    /// The words that needed the proof.
    pub request: String,
    /// Codes that were typed.
    pub tries: i64,
    /// When it was asked.
    pub created_at: Timestamp,
    /// After this the code is worth nothing.
    pub expires_at: Timestamp,
    /// When the right code was typed.
    pub proven_at: Option<Timestamp>,
}

/// The row of a new one.
pub(super) fn row(challenge: &Challenge) -> Vec<Value> {
    vec![
        text(&challenge.id),
        text(challenge.case.as_str()),
        text(challenge.customer.as_str()),
        maybe(challenge.target.as_ref().map(CustomerId::as_str)),
        maybe(challenge.contact.as_deref()),
        text(&challenge.salt),
        text(&challenge.hash),
        text(&challenge.request),
        Value::Int(challenge.tries),
        Value::Int(challenge.created_at.0),
        Value::Int(challenge.expires_at.0),
    ]
}

/// How often codes were asked for since a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodesSent {
    /// By this customer.
    pub by_customer: i64,
    /// For this contact, whoever asked.
    pub to_contact: i64,
}

impl Store {
    /// What was asked last in a case, since a moment.
    pub async fn challenge_of_case(
        &self,
        case: &CaseId,
        since: Timestamp,
    ) -> Result<Option<Challenge>, StoreError> {
        let sql =
            "select id, case_id, customer_id, target_id, contact, salt, hash, request, tries, created_at,
            expires_at, proven_at from challenges where case_id = $1 and created_at >= $2
            order by created_at desc, id desc limit 1";
        let query = sqlx::query(sql).bind(case.as_str()).bind(since.0);
        self.row(query).await?.map(|row| challenge(&Columns::of(&row, "challenges"))).transpose()
    }

    /// Codes that were asked for since a moment, by this customer and for this contact.
    pub async fn codes_sent(
        &self,
        customer: &CustomerId,
        contact: &str,
        since: Timestamp,
    ) -> Result<CodesSent, StoreError> {
        let sql = "select
            (select count(*) from challenges where customer_id = $1 and contact is not null and created_at >= $3)
                as by_customer,
            (select count(*) from challenges where contact = $2 and created_at >= $3) as to_contact";
        let query = sqlx::query(sql).bind(customer.as_str()).bind(storable(contact)).bind(since.0);
        let row = self.row(query).await?;
        let count = |column| row.as_ref().map_or(Ok(0), |row| Columns::of(row, "challenges").int(column));
        Ok(CodesSent { by_customer: count("by_customer")?, to_contact: count("to_contact")? })
    }

    /// Counts one try before its code is looked at, so that tries at once are not more than allowed. `false`: it may
    /// not be tried any more.
    pub async fn count_try(
        &self,
        challenge: &str,
        tries_max: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "update challenges set tries = tries + 1
            where id = $1 and tries < $2 and proven_at is null and expires_at > $3 returning id";
        let query = sqlx::query(sql).bind(storable(challenge)).bind(tries_max).bind(now.0);
        Ok(!self.write(query).await?.is_empty())
    }

    /// The code that a delivery carries, while it may be sent.
    pub async fn code_text(&self, delivery: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
        let sql = "select code from code_texts where delivery_id = $1 and expires_at > $2";
        let row = self.row(sqlx::query(sql).bind(storable(delivery)).bind(now.0)).await?;
        row.map(|row| Columns::of(&row, "code_texts").text("code")).transpose()
    }

    /// Forgets the code of a delivery, and every code whose time is over.
    pub async fn forget_codes(&self, delivery: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
        let sql = "delete from code_texts where delivery_id = $1 or expires_at <= $2";
        self.write(sqlx::query(sql).bind(delivery.map(storable)).bind(now.0)).await.map(drop)
    }
}

fn challenge(columns: &Columns<'_>) -> Result<Challenge, StoreError> {
    Ok(Challenge {
        id: columns.text("id")?,
        case: columns.id("case_id")?,
        customer: columns.id("customer_id")?,
        target: columns.maybe_id("target_id")?,
        contact: columns.maybe_text("contact")?,
        salt: columns.text("salt")?,
        hash: columns.text("hash")?,
        request: columns.text("request")?,
        tries: columns.int("tries")?,
        created_at: columns.at("created_at")?,
        expires_at: columns.at("expires_at")?,
        proven_at: columns.maybe_at("proven_at")?,
    })
}
