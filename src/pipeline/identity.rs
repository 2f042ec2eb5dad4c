//! Who is who: whose address a message came from, and which customers are one person.
//!
//! Identity changes by proof only. An address becomes a customer's by first contact, by the operator's word, by a
//! one-time code or because one live session proved both ends; customers become one by the same proofs or by a
//! person's decision, and every such decision can be undone: nothing of a customer is rewritten ([`merge`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::Parts;
use crate::channels::BadInput;
use crate::channels::web_chat::{self, Person};
use crate::domain::assurance::Assurance;
use crate::domain::crm::{Crm, OPERATOR};
use crate::domain::customer::{ContactKind, Customer, Ended, Identity, Link};
use crate::domain::event::EventKind;
use crate::domain::ids::{CaseId, CustomerId, IdentityId};
use crate::domain::merge::{self as forest, Merge};
use crate::domain::message::{InboundMessage, Sender};
use crate::domain::time::Timestamp;
use crate::store::{
    Arrival, Change, CommitError, Draftbook, PersonChange, Refusal, StoreError, TypedContact, Unit,
};

/// A decision that keeps losing against other changes is given up after this many looks.
const LOOKS_MAX: usize = 16;
/// No phone number is shorter.
const PHONE_DIGITS_MIN: usize = 5;
const DAY_MS: i64 = 86_400_000;
/// On whose word an address is linked that the operator's record names.
const BY_RECORD: &str = "record";

/// Why nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// One of them is nobody we know.
    #[error("there is no such customer")]
    NoCustomer,
    /// The operator knows them as two.
    #[error("both have an id of the operator's own, `{0}` and `{1}`: they are two customers to the operator")]
    TwoIds(String, String),
    /// No merge joins them.
    #[error("no merge joins these two customers")]
    NotMerged,
    /// The address is another customer's who has cases.
    #[error(
        "this address is the customer's {0}, who has cases; if they are one person, merge them with POST /v1/customers/{{id}}/merge"
    )]
    Taken(CustomerId),
    /// The address is not this customer's.
    #[error("this address is not one of this customer's")]
    NotLinked,
    /// The record cannot be read or written.
    #[error("the record cannot be reached just now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for IdentityError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// An address on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The channel.
    pub channel: String,
    /// The address on it, as the channel writes it.
    pub address: String,
}

impl Address {
    /// An address as its channel writes it: an email in lower case, a phone number as its digits, with a plus before
    /// them where the channel has one.
    pub fn parse(channel: &str, address: &str) -> Result<Self, BadInput> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !channel.bytes().all(plain) || channel.is_empty() || channel == OPERATOR {
            return Err(BadInput::new(
                "channel",
                "is a name like `whatsapp`: lower-case letters, digits and `_`",
            ));
        }
        let kind = ContactKind::of_channel(channel);
        let compared = kind.map_or_else(|| address.trim().to_owned(), |kind| kind.compared(address));
        let address = match (kind, channel) {
            (Some(ContactKind::Phone), "whatsapp") | (Some(ContactKind::Email) | None, _) => compared,
            (Some(ContactKind::Phone), _) => format!("+{compared}"),
        };
        let fits = match kind {
            Some(ContactKind::Email) => address.contains('@'),
            Some(ContactKind::Phone) => address.len() >= PHONE_DIGITS_MIN,
            None => !address.is_empty(),
        };
        if !fits {
            return Err(BadInput::new("address", "is no address of this channel"));
        }
        Ok(Self { channel: channel.to_owned(), address })
    }
}

/// What is known of the writer, without what was an earlier holder's of their address: a phone number from which
/// nobody wrote for long may have passed to somebody else, who is not that somebody.
pub(super) fn still_theirs(
    parts: &Parts,
    arrival: Arrival,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Arrival {
    let silence = parts.config.identity.phone_silence_days.saturating_mul(DAY_MS);
    let passes_on = |one: &&Identity| ContactKind::of_channel(&one.channel) == Some(ContactKind::Phone);
    let gone =
        arrival.identity.as_ref().filter(passes_on).filter(|one| now.ms_since(one.last_seen) > silence);
    let Some(gone) = gone else { return arrival };
    changes.push(ended(gone, Ended::Silence, now));
    Arrival { identity: None, customer: None, cases: Vec::new(), ..arrival }
}

/// A mail address from which nobody has written yet, proven by its own domain, is the customer's of whom the operator has
/// said that it is theirs, where that is exactly one. Returns whether that was found out just now.
pub(super) async fn introduced(
    parts: &Parts,
    message: &InboundMessage,
    arrival: &Arrival,
) -> Result<bool, IdentityError> {
    let sender = &message.sender;
    let mail = ContactKind::of_channel(&message.channel) == Some(ContactKind::Email);
    if arrival.identity.is_some() || !mail || sender.assurance != Assurance::Channel {
        return Ok(false);
    }
    let compared = ContactKind::Email.compared(&sender.address);
    let Some(customer) = parts.store.named_by_operator(&compared).await? else { return Ok(false) };
    // Kept as the channel writes it, or it would not be found again.
    let address = Address { channel: message.channel.clone(), address: sender.address.clone() };
    match link(parts, &customer.id, &address, (Link::Operator, BY_RECORD)).await {
        // Where somebody was quicker, it is known now too whose it is.
        Ok(()) | Err(IdentityError::Taken(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

fn ended(identity: &Identity, why: Ended, at: Timestamp) -> Change {
    Change::Person(PersonChange::EndIdentity { identity: identity.id.clone(), at, why })
}

/// How well the writer is proven in this case: by what the channel proves of the address, or more where they proved
/// more in this very case and thread a short while ago.
pub(super) fn assurance(
    message: &InboundMessage,
    identity: Option<&Identity>,
    case: &CaseId,
    now: Timestamp,
) -> Assurance {
    let proven = identity.and_then(|identity| identity.proven.as_ref());
    let holds = proven.is_some_and(|proven| {
        proven.case == *case && proven.conversation == message.conversation && now <= proven.until
    });
    if holds { Assurance::Verified } else { message.sender.assurance }
}

/// How a new address comes to be a customer's.
pub(super) fn link_of(sender: &Sender) -> Link {
    match (sender.assurance, sender.proof) {
        (Assurance::Verified, "api_key") => Link::ApiKey,
        (Assurance::Verified, _) => Link::SessionToken,
        (Assurance::Anonymous | Assurance::Claimed | Assurance::Channel, _) => Link::FirstContact,
    }
}

/// The contacts that came with a message and that nothing proves: a possible match may rest on them.
pub(super) fn typed(message: &InboundMessage, owner: &CustomerId, at: Timestamp) -> Vec<Change> {
    let sender = &message.sender;
    if sender.assurance == Assurance::Verified {
        return Vec::new();
    }
    let given = [(ContactKind::Email, &sender.email), (ContactKind::Phone, &sender.phone)];
    let contact = |(kind, value): (ContactKind, &Option<String>)| {
        let value = kind.compared(value.as_ref()?);
        let contact = TypedContact { customer: owner.clone(), kind, value, at };
        (!contact.value.is_empty()).then_some(Change::Person(PersonChange::Typed(contact)))
    };
    given.into_iter().filter_map(contact).collect()
}

/// Joins two customers, each with everybody who was joined to them before. The one whom the operator knows by an id of
/// its own is kept, else the first. Returns as whom they are known now.
pub async fn merge(
    parts: &Parts,
    one: &CustomerId,
    other: &CustomerId,
    by: &str,
) -> Result<Arc<Customer>, IdentityError> {
    for _ in 0..LOOKS_MAX {
        let one = parts.store.customer(one).await?.ok_or(IdentityError::NoCustomer)?;
        let other = parts.store.customer(other).await?.ok_or(IdentityError::NoCustomer)?;
        if one.id == other.id {
            return Ok(one);
        }
        let (kept, absorbed) = order(&one, &other)?;
        let changes = merging(parts, kept, absorbed, by).await?;
        if commit(parts, changes).await? {
            return parts.store.customer(&kept.id).await?.ok_or(IdentityError::NoCustomer);
        }
    }
    Err(IdentityError::Unavailable("the record kept changing".into()))
}

/// Who is kept, and who is absorbed.
pub(super) fn order<'a>(
    one: &'a Arc<Customer>,
    other: &'a Arc<Customer>,
) -> Result<(&'a Arc<Customer>, &'a Arc<Customer>), IdentityError> {
    match (&one.external_id, &other.external_id) {
        (Some(mine), Some(theirs)) => Err(IdentityError::TwoIds(mine.clone(), theirs.clone())),
        (None, Some(_)) => Ok((other, one)),
        (Some(_) | None, None) => Ok((one, other)),
    }
}

/// What joining two tops changes, both as they were read.
pub(super) async fn merging(
    parts: &Parts,
    kept: &Customer,
    absorbed: &Customer,
    by: &str,
) -> Result<Vec<Change>, StoreError> {
    let now = parts.clock.now();
    let merge = Merge {
        id: parts.clock.new_id().to_string(),
        kept: kept.id.clone(),
        absorbed: absorbed.id.clone(),
        by: by.to_owned(),
        at: now,
    };
    let members = forest::below(&parts.store.merges(&absorbed.id).await?, &absorbed.id);
    let mut changes = vec![counted(kept), counted(absorbed)];
    changes.extend(rooted(&members, Some(&kept.id)));
    let body = json!({"kept": merge.kept, "absorbed": merge.absorbed, "by": by});
    changes.push(Change::Person(PersonChange::Merge(merge)));
    changes.extend(told(parts, &members, EventKind::Merged, &body).await?);
    Ok(changes)
}

/// Separates two customers again: the newest of the merges that join them is undone, and whoever was absorbed by it
/// goes with everybody below.
pub async fn unmerge(
    parts: &Parts,
    one: &CustomerId,
    other: &CustomerId,
    by: &str,
) -> Result<Merge, IdentityError> {
    for _ in 0..LOOKS_MAX {
        let now = parts.clock.now();
        let top = parts.store.customer(one).await?.ok_or(IdentityError::NoCustomer)?;
        let merges = parts.store.merges(one).await?;
        let undone = forest::newest_between(&merges, one, other).ok_or(IdentityError::NotMerged)?;
        let apart = parts.store.customer_itself(&undone.absorbed).await?.ok_or(IdentityError::NoCustomer)?;
        let members = forest::below(&merges, &apart.id);
        let mut changes = vec![counted(&top), counted(&apart)];
        let unmerge = PersonChange::Unmerge { merge: undone.id.clone(), by: by.to_owned(), at: now };
        changes.push(Change::Person(unmerge));
        changes.extend(rooted(&members, Some(&apart.id)));
        let body = json!({"kept": undone.kept, "absorbed": undone.absorbed, "by": by});
        changes.extend(told(parts, &members, EventKind::Unmerged, &body).await?);
        if commit(parts, changes).await? {
            return Ok(undone.clone());
        }
    }
    Err(IdentityError::Unavailable("the record kept changing".into()))
}

/// The row of a customer counts one change more: whoever reads and writes at the same time looks again.
fn counted(customer: &Customer) -> Change {
    Change::Customer(Arc::new(Customer { version: customer.version + 1, ..customer.clone() }))
}

/// As whom they are known from now on.
fn rooted<'a>(
    members: &'a BTreeSet<CustomerId>,
    root: Option<&'a CustomerId>,
) -> impl Iterator<Item = Change> + 'a {
    members.iter().map(move |member| {
        let root = root.filter(|root| *root != member).cloned();
        Change::Person(PersonChange::Root { customer: member.clone(), root })
    })
}

/// Every case of theirs that is not closed says so in its log, and is read again by everybody.
async fn told(
    parts: &Parts,
    owners: &BTreeSet<CustomerId>,
    kind: EventKind,
    body: &serde_json::Value,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = Vec::new();
    for case in parts.store.live_cases(owners).await? {
        let Some(file) = parts.store.case_fresh(&case).await? else { continue };
        let mut book = Draftbook::new(file.case.clone(), parts.clock.now());
        book.event(kind, body);
        changes.extend(book.close(Vec::new()).changes);
    }
    Ok(changes)
}

/// The same for everybody who is known as this customer.
async fn told_person(
    parts: &Parts,
    customer: &CustomerId,
    kind: EventKind,
    body: &serde_json::Value,
) -> Result<Vec<Change>, StoreError> {
    let members = forest::below(&parts.store.merges(customer).await?, customer);
    told(parts, &members, kind, body).await
}

/// Commits a decision that is about no case of its own. `false`: something changed since it was read.
pub(super) async fn commit(parts: &Parts, changes: Vec<Change>) -> Result<bool, IdentityError> {
    let case = CaseId::new(parts.clock.new_id());
    match parts.store.commit(Unit { case, changes }).await {
        Ok(()) => Ok(true),
        Err(CommitError::Refused(Refusal::Stale)) => Ok(false),
        Err(error) => Err(IdentityError::Unavailable(Box::new(error))),
    }
}

/// Whoever chatted in a browser as a visitor is now signed in there as this person: their session proves both ends, so
/// the two are one and the visitor's case goes on. The visitor's own session is nobody's afterwards: whoever uses that
/// browser next is not this person. `false`: there is nothing to join, or the visitor is somebody else already.
pub async fn join_visitor(parts: &Parts, visitor: &str, person: &Person) -> Result<bool, IdentityError> {
    for _ in 0..LOOKS_MAX {
        let Some(known) = parts.store.identity(web_chat::NAME, visitor).await? else { return Ok(false) };
        let before = parts.store.customer(&known.customer).await?.ok_or(IdentityError::NoCustomer)?;
        let Some(customer) = parts.store.customer_by_external_id(&person.external_id).await? else {
            commit(parts, first_seen(parts, person, (Link::SessionToken, "session_token"))).await?;
            continue;
        };
        let now = parts.clock.now();
        let changes = match (&before.external_id, before.id == customer.id) {
            (_, true) => Vec::new(),
            (Some(_), false) => return Ok(false),
            (None, false) => merging(parts, &customer, &before, "session").await?,
        };
        let linked =
            Change::SeenIdentity(Identity { link: Link::SessionToken, last_seen: now, ..known.clone() });
        let last = [linked, ended(&known, Ended::Moved, now)];
        if commit(parts, changes.into_iter().chain(last).collect()).await? {
            return Ok(true);
        }
    }
    Err(IdentityError::Unavailable("the record kept changing".into()))
}

/// A customer of the operator's who has not written yet.
fn first_seen(parts: &Parts, person: &Person, (link, proof): (Link, &str)) -> Vec<Change> {
    let now = parts.clock.now();
    let customer = Customer {
        id: CustomerId::new(parts.clock.new_id()),
        external_id: Some(person.external_id.clone()),
        name: person.name.clone(),
        email: person.email.clone(),
        phone: person.phone.clone(),
        language: None,
        crm: Crm::default(),
        created_at: now,
        version: 1,
    };
    let identity = Identity {
        id: IdentityId::new(parts.clock.new_id()),
        customer: customer.id.clone(),
        channel: OPERATOR.to_owned(),
        address: person.external_id.clone(),
        assurance: Assurance::Verified,
        proof: proof.to_owned(),
        link,
        proven: None,
        first_seen: now,
        last_seen: now,
        ended_at: None,
    };
    vec![Change::NewCustomer(Arc::new(customer)), Change::NewIdentity(identity)]
}

/// The customer whom the operator knows by this id of its own, new here if they have not written yet.
pub async fn named(parts: &Parts, external_id: &str) -> Result<Arc<Customer>, IdentityError> {
    let person = Person { external_id: external_id.to_owned(), name: None, email: None, phone: None };
    for _ in 0..LOOKS_MAX {
        if let Some(customer) = parts.store.customer_by_external_id(external_id).await? {
            return Ok(customer);
        }
        commit(parts, first_seen(parts, &person, (Link::Operator, "api_key"))).await?;
    }
    Err(IdentityError::Unavailable("the record kept changing".into()))
}

/// Makes an address a customer's, on this evidence and somebody's word.
pub async fn link(
    parts: &Parts,
    customer: &CustomerId,
    at: &Address,
    (link, by): (Link, &str),
) -> Result<(), IdentityError> {
    for _ in 0..LOOKS_MAX {
        let now = parts.clock.now();
        let customer = parts.store.customer(customer).await?.ok_or(IdentityError::NoCustomer)?;
        let mut changes = Vec::new();
        if let Some(known) = parts.store.identity(&at.channel, &at.address).await? {
            let holder = parts.store.customer(&known.customer).await?.ok_or(IdentityError::NoCustomer)?;
            if holder.id == customer.id {
                let seen = Identity { link, last_seen: now, ..known };
                let unit = vec![Change::SeenIdentity(seen)];
                commit(parts, unit).await?;
                return Ok(());
            }
            if holder.external_id.is_some() || parts.store.has_cases(&known.customer).await? {
                return Err(IdentityError::Taken(holder.id.clone()));
            }
            changes.extend([ended(&known, Ended::Moved, now), counted(&holder)]);
        }
        let body = json!({"channel": at.channel, "link": link, "by": by});
        changes.extend(told_person(parts, &customer.id, EventKind::Linked, &body).await?);
        changes.push(Change::NewIdentity(Identity {
            id: IdentityId::new(parts.clock.new_id()),
            customer: customer.id.clone(),
            channel: at.channel.clone(),
            address: at.address.clone(),
            assurance: Assurance::Claimed,
            proof: link.as_str().to_owned(),
            link,
            proven: None,
            first_seen: now,
            last_seen: now,
            ended_at: None,
        }));
        if commit(parts, changes).await? {
            return Ok(());
        }
    }
    Err(IdentityError::Unavailable("the record kept changing".into()))
}

/// Takes an address away from a customer. Whoever writes from it next is a new one.
pub async fn unlink(
    parts: &Parts,
    customer: &CustomerId,
    at: &Address,
    by: &str,
) -> Result<(), IdentityError> {
    let customer = parts.store.customer(customer).await?.ok_or(IdentityError::NoCustomer)?;
    let known = parts.store.identity(&at.channel, &at.address).await?.ok_or(IdentityError::NotLinked)?;
    let holder = parts.store.customer(&known.customer).await?.ok_or(IdentityError::NoCustomer)?;
    if holder.id != customer.id {
        return Err(IdentityError::NotLinked);
    }
    let body = json!({"channel": at.channel, "by": by});
    for _ in 0..LOOKS_MAX {
        let mut changes = told_person(parts, &customer.id, EventKind::Unlinked, &body).await?;
        changes.push(ended(&known, Ended::Unlinked, parts.clock.now()));
        let done = commit(parts, changes).await?;
        // Where somebody else ended it a moment ago, that is what was asked for.
        let now = parts.store.identity(&at.channel, &at.address).await?;
        if done || now.is_none_or(|now| now.id != known.id) {
            return Ok(());
        }
    }
    Err(IdentityError::Unavailable("the record kept changing".into()))
}
