//! Who is who: addresses that pass on, customers that are one person, contacts that were only typed.

use std::collections::BTreeSet;

use crate::domain::customer::{ContactKind, Customer, Ended};
use crate::domain::ids::{CaseId, CustomerId, DeliveryId, IdentityId};
use crate::domain::merge::Merge;
use crate::domain::time::Timestamp;

use super::challenges::{self, Challenge};
use super::columns::Columns;
use super::customers::customer as read;
use super::rows::{Value, maybe, storable, text};
use super::statements::Slot;
use super::{Store, StoreError};

/// A contact that somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedContact {
    /// Who wrote.
    pub customer: CustomerId,
    /// What kind of contact it is.
    pub kind: ContactKind,
    /// As contacts are compared.
    pub value: String,
    /// When it was first typed.
    pub at: Timestamp,
}

/// A change of who is who.
#[derive(Debug, Clone)]
pub enum PersonChange {
    /// An address is a customer's no more. Refuses with [`super::Refusal::Stale`] when that was so before.
    EndIdentity {
        /// The identity.
        identity: IdentityId,
        /// Since when.
        at: Timestamp,
        /// Why.
        why: Ended,
    },
    /// Two customers are one person. Refuses with [`super::Refusal::Stale`] when the absorbed one is absorbed already.
    Merge(Merge),
    /// They are not. Refuses with [`super::Refusal::Stale`] when the merge was undone before.
    Unmerge {
        /// The merge.
        merge: String,
        /// Who decided it.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// As whom a customer is known from now on; none for themselves. Follows from the merges that stand.
    Root {
        /// The customer.
        customer: CustomerId,
        /// The one at the top.
        root: Option<CustomerId>,
    },
    /// Somebody typed a contact.
    Typed(TypedContact),
    /// Somebody is asked for a proof.
    Challenge(Challenge),
    /// They gave it.
    Proven {
        /// The challenge.
        challenge: String,
        /// When.
        at: Timestamp,
    },
    /// A code that a delivery carries.
    Code {
        /// The delivery.
        delivery: DeliveryId,
        /// The code.
        code: String,
        /// Not to be sent after this.
        expires_at: Timestamp,
    },
}

/// The row of a change.
pub(super) fn row(change: &PersonChange) -> (Slot, Vec<Value>) {
    match change {
        PersonChange::EndIdentity { identity, at, why } => {
            (Slot::EndIdentity, vec![text(identity.as_str()), Value::Int(at.0), text(why.as_str())])
        }
        PersonChange::Merge(merge) => (
            Slot::Merge,
            vec![
                text(&merge.id),
                text(merge.kept.as_str()),
                text(merge.absorbed.as_str()),
                text(&merge.by),
                Value::Int(merge.at.0),
            ],
        ),
        PersonChange::Unmerge { merge, by, at } => {
            (Slot::Unmerge, vec![text(merge), text(by), Value::Int(at.0)])
        }
        PersonChange::Root { customer, root } => {
            (Slot::Root, vec![text(customer.as_str()), maybe(root.as_ref().map(CustomerId::as_str))])
        }
        PersonChange::Challenge(challenge) => (Slot::Challenge, challenges::row(challenge)),
        PersonChange::Proven { challenge, at } => (Slot::Proven, vec![text(challenge), Value::Int(at.0)]),
        PersonChange::Code { delivery, code, expires_at } => {
            (Slot::Code, vec![text(delivery.as_str()), text(code), Value::Int(expires_at.0)])
        }
        PersonChange::Typed(typed) => (
            Slot::Typed,
            vec![
                text(typed.customer.as_str()),
                text(typed.kind.as_str()),
                text(&typed.value),
                Value::Int(typed.at.0),
            ],
        ),
    }
}

/// A customer who may be another one, and what speaks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The other.
    pub customer: Customer,
    /// What both have in common, in no order of weight.
    pub evidence: Vec<Evidence>,
}

impl Match {
    fn add(&mut self, evidence: &Evidence) {
        if !self.evidence.contains(evidence) {
            self.evidence.push(evidence.clone());
        }
    }
}

/// One thing that two customers have in common. None of it proves that they are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// `email`, `phone` or `name`.
    pub kind: String,
    /// The value.
    pub value: String,
    /// Where this customer's stands: `record`, `address` or `typed`.
    pub here: String,
    /// Where the other's stands.
    pub there: String,
}

/// The ids of all customers who are the same person as `$1`.
macro_rules! same_person {
    () => {
        "(select cast($1 as text) union select id from customers where coalesce(root_id, id) =
            (select coalesce(root_id, id) from customers where id = $1))"
    };
}
pub(super) use same_person;

impl Store {
    /// Every customer who is the same person, this one among them.
    pub(super) async fn same_person(&self, id: &CustomerId) -> Result<Vec<CustomerId>, StoreError> {
        let sql = concat!("select id from customers where id in ", same_person!(), " order by id");
        let rows = self.rows(sqlx::query(sql).bind(id.as_str())).await?;
        rows.iter().map(|row| Columns::of(row, "customers").id("id")).collect()
    }
}

/// A phone number as it is compared with digits.
macro_rules! bare_phone {
    ($column:literal) => {
        concat!(
            "replace(replace(replace(replace(replace(replace(",
            $column,
            ", ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', '')"
        )
    };
}

/// What is compared of one value: how it is called and where it stands.
struct Trait {
    kind: &'static str,
    place: String,
    value: String,
}

impl Store {
    /// The merges that stand among those who are the same person as this customer, the oldest first.
    pub async fn merges(&self, customer: &CustomerId) -> Result<Vec<Merge>, StoreError> {
        let sql = concat!(
            "select id, kept, absorbed, by_whom, at from merges where undone_at is null and kept in ",
            same_person!(),
            " order by at, id"
        );
        let rows = self.rows(sqlx::query(sql).bind(customer.as_str())).await?;
        let merge = |row| {
            let columns = Columns::of(row, "merges");
            Ok(Merge {
                id: columns.text("id")?,
                kept: columns.id("kept")?,
                absorbed: columns.id("absorbed")?,
                by: columns.text("by_whom")?,
                at: columns.at("at")?,
            })
        };
        rows.iter().map(merge).collect()
    }

    /// The cases of these customers, by their own ids, that are not closed.
    pub async fn live_cases(&self, owners: &BTreeSet<CustomerId>) -> Result<Vec<CaseId>, StoreError> {
        let sql = "select id from cases where customer_id = $1 and state <> 'closed' order by id";
        let mut cases = Vec::new();
        for owner in owners {
            for row in self.rows(sqlx::query(sql).bind(owner.as_str())).await? {
                cases.push(Columns::of(&row, "cases").id("id")?);
            }
        }
        Ok(cases)
    }

    /// Whether a person has any case.
    pub async fn has_cases(&self, customer: &CustomerId) -> Result<bool, StoreError> {
        let sql = concat!("select 1 as one from cases where customer_id in ", same_person!(), " limit 1");
        Ok(self.row(sqlx::query(sql).bind(customer.as_str())).await?.is_some())
    }

    /// Customers who may be this one: they share an email, a phone number or a name with them, on the record, by an
    /// address they write from, or only typed. Never this person under another id of ours. At most `limit`.
    pub async fn matches(&self, customer: &CustomerId, limit: i64) -> Result<Vec<Match>, StoreError> {
        let mut found: Vec<Match> = Vec::new();
        for own in self.traits(customer).await? {
            for (other, place) in self.having(customer, &own, limit).await? {
                let evidence = Evidence {
                    kind: own.kind.to_owned(),
                    value: own.value.clone(),
                    here: own.place.clone(),
                    there: place,
                };
                match found.iter().position(|known| known.customer.id == other.id) {
                    Some(at) => found.get_mut(at).into_iter().for_each(|one| one.add(&evidence)),
                    None if found.len() as i64 >= limit => {}
                    None => found.push(Match { customer: other, evidence: vec![evidence] }),
                }
            }
        }
        for one in &mut found {
            one.evidence.sort();
        }
        found.sort_by(|a, b| (b.evidence.len(), &a.customer.id).cmp(&(a.evidence.len(), &b.customer.id)));
        Ok(found)
    }

    /// Who has this contact on the record, or proved that they write from it; each person once.
    pub async fn holders(&self, kind: ContactKind, value: &str) -> Result<Vec<Customer>, StoreError> {
        let own = Trait { kind: kind.as_str(), place: String::new(), value: kind.compared(value) };
        let nobody =
            CustomerId::parse("-").map_err(|_| StoreError::Corrupt { what: "customers.id".to_owned() })?;
        let all = self.having(&nobody, &own, 10).await?;
        let mut holders: Vec<Customer> = Vec::new();
        for (holder, _) in all.into_iter().filter(|(_, place)| place == "record" || place == "proven") {
            if holders.iter().all(|known| known.id != holder.id) {
                holders.push(holder);
            }
        }
        Ok(holders)
    }

    /// Everything of a person by which they might be another.
    async fn traits(&self, customer: &CustomerId) -> Result<Vec<Trait>, StoreError> {
        let sql = concat!(
            "select 'email' as kind, 'record' as place, email as value from customers where email is not null and id in ",
            same_person!(),
            " union select 'phone', 'record', phone from customers where phone is not null and id in ",
            same_person!(),
            " union select 'name', 'record', name from customers where name is not null and id in ",
            same_person!(),
            " union select case channel when 'email' then 'email' else 'phone' end, 'address', address from identities
                where channel in ('email', 'sms', 'voice', 'whatsapp') and ended_at is null and customer_id in ",
            same_person!(),
            " union select kind, 'typed', value from claims where customer_id in ",
            same_person!(),
            " order by kind, place, value"
        );
        let rows = self.rows(sqlx::query(sql).bind(customer.as_str())).await?;
        let mut traits = Vec::new();
        for row in &rows {
            let columns = Columns::of(row, "claims");
            let (kind, place, value) =
                (columns.text("kind")?, columns.text("place")?, columns.text("value")?);
            let (kind, value) = match kind.as_str() {
                "email" => ("email", ContactKind::Email.compared(&value)),
                "phone" => ("phone", ContactKind::Phone.compared(&value)),
                _ => ("name", value.trim().to_ascii_lowercase()),
            };
            if !value.is_empty() {
                traits.push(Trait { kind, place, value });
            }
        }
        Ok(traits)
    }

    /// Others who have a trait, and where it stands. A person is known by the customer at the top.
    async fn having(
        &self,
        customer: &CustomerId,
        own: &Trait,
        limit: i64,
    ) -> Result<Vec<(Customer, String)>, StoreError> {
        let sql = match own.kind {
            "email" => concat!(
                "with found (customer_id, place) as (
                    select id, 'record' from customers where email is not null and lower(email) = $2
                    union select customer_id, case when assurance in ('channel', 'verified') or link <> 'first_contact'
                        then 'proven' else 'address' end
                        from identities where address = $2 and channel = 'email' and ended_at is null
                    union select customer_id, 'typed' from claims where kind = 'email' and value = $2)
                select distinct c.id, c.external_id, c.name, c.email, c.phone, c.language, c.crm, c.created_at, c.version, found.place
                    from found join customers o on o.id = found.customer_id
                    join customers c on c.id = coalesce(o.root_id, o.id)
                    where o.id not in ",
                same_person!(),
                " order by c.id, found.place limit $3"
            ),
            "phone" => concat!(
                "with found (customer_id, place) as (
                    select id, 'record' from customers where phone is not null and ",
                bare_phone!("phone"),
                " in ($2, '00' || $2)
                    union select customer_id, case when assurance in ('channel', 'verified') or link <> 'first_contact'
                        then 'proven' else 'address' end
                        from identities where address in ($2, '+' || $2) and channel in ('sms', 'voice', 'whatsapp')
                        and ended_at is null
                    union select customer_id, 'typed' from claims where kind = 'phone' and value = $2)
                select distinct c.id, c.external_id, c.name, c.email, c.phone, c.language, c.crm, c.created_at, c.version, found.place
                    from found join customers o on o.id = found.customer_id
                    join customers c on c.id = coalesce(o.root_id, o.id)
                    where o.id not in ",
                same_person!(),
                " order by c.id, found.place limit $3"
            ),
            _ => concat!(
                "select distinct c.id, c.external_id, c.name, c.email, c.phone, c.language, c.crm, c.created_at, c.version,
                    'record' as place
                    from customers o join customers c on c.id = coalesce(o.root_id, o.id)
                    where o.name is not null and lower(o.name) = $2 and o.id not in ",
                same_person!(),
                " order by c.id limit $3"
            ),
        };
        let query = sqlx::query(sql).bind(customer.as_str()).bind(storable(&own.value)).bind(limit);
        let rows = self.rows(query).await?;
        rows.iter().map(|row| Ok((read(row)?, Columns::of(row, "claims").text("place")?))).collect()
    }
}
