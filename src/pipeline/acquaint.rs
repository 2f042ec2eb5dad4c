//! Asks the operator's CRM who writes, where what is known of them is old. The customer's message was acknowledged long
//! before; a CRM that knows nothing, is slow or broken leaves the turn with what is known.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Parts;
use crate::domain::assurance::Assurance;
use crate::domain::case::CaseState;
use crate::domain::crm::{self, CrmRecord, OPERATOR, Reach};
use crate::domain::customer::{Customer, Identity};
use crate::domain::ids::IdentityId;
use crate::domain::time::Timestamp;
use crate::store::{CaseFile, Change, CommitError, StoreError, Unit};
use crate::tools::crm::{Answer, By, Crm, Found, PAUSED};

/// Channels whose addresses are mail addresses.
const MAIL: [&str; 1] = ["email"];
/// Channels whose addresses are phone numbers.
const PHONE: [&str; 3] = ["sms", "whatsapp", "voice"];

/// The case with what the CRM says of its customer, and the line of the log about it; none where nothing was asked.
pub(super) async fn acquaint(parts: &Parts, file: Arc<CaseFile>) -> (Arc<CaseFile>, Option<Value>) {
    let Some(crm) = parts.toolbox.crm() else { return (file, None) };
    let now = parts.clock.now();
    let age = file.customer.crm.checked_at.map(|at| now.ms_since(at));
    if file.case.state != CaseState::Assistant || age.is_some_and(|age| age < parts.config.crm.max_age_ms) {
        return (file, None);
    }
    let (customer, body) = match look_up(parts, crm, &file, now).await {
        Ok(Some(found)) => found,
        Ok(None) => return (file, None),
        Err(error) => {
            tracing::error!(error = %error, "what the CRM said could not be recorded");
            return (file, None);
        }
    };
    let outcome = body.get("outcome").and_then(Value::as_str).unwrap_or_default().to_owned();
    metrics::counter!("firstline_crm_lookups_total", "outcome" => outcome).increment(1);
    let file = match customer {
        Some(customer) => Arc::new(CaseFile { customer: Arc::new(customer), ..CaseFile::clone(&file) }),
        None => file,
    };
    (file, Some(body))
}

/// What was asked and what came of it; the customer where they changed.
type Learnt = (Option<Customer>, Value);

async fn look_up(
    parts: &Parts,
    crm: &Crm,
    file: &CaseFile,
    now: Timestamp,
) -> Result<Option<Learnt>, StoreError> {
    let customer = &file.customer;
    // Whoever writes now may not be who wrote from there before.
    let unproven = file.case.assurance < Assurance::Channel;
    let proven = if unproven || customer.external_id.is_some() {
        Vec::new()
    } else {
        parts.store.identities(&customer.id).await?
    };
    let Some((by, name)) = question(crm, customer, &proven) else { return Ok(None) };
    let found = match crm.ask(by.as_by(), now).await {
        Answer::Found(found) => *found,
        Answer::Absent => {
            return recorded(parts, file, checked(customer, now), Vec::new(), (name, "absent")).await;
        }
        // It was said once that it failed; until it is asked again nothing is new.
        Answer::Failed(PAUSED) => return Ok(None),
        Answer::Failed(why) => {
            return Ok(Some((None, json!({"by": name, "outcome": "failed", "reason": why}))));
        }
    };
    match by {
        Known::ExternalId(own) => {
            if found.external_id.as_ref().is_some_and(|said| *said != own) {
                return recorded(parts, file, checked(customer, now), Vec::new(), (name, "mismatch")).await;
            }
            let taken = taken(customer, &found.said, now);
            recorded(parts, file, taken, Vec::new(), (name, "found")).await
        }
        Known::Email(_) => by_email(parts, file, &found, now).await,
        Known::Phone(_) => {
            // Numbers pass from hand to hand: what this one's holder is called is not said to whoever has it now.
            let Found { said: CrmRecord { language, tier, owner, tags, .. }, .. } = found;
            let said = CrmRecord { language, tier, owner, tags, ..CrmRecord::default() };
            recorded(parts, file, taken(customer, &said, now), Vec::new(), (name, "found")).await
        }
    }
}

/// A proven mail address that the CRM has for exactly one person makes the customer that person, unless somebody here is
/// that person already: then it is a possible match, and nobody is merged.
async fn by_email(
    parts: &Parts,
    file: &CaseFile,
    found: &Found,
    now: Timestamp,
) -> Result<Option<Learnt>, StoreError> {
    let customer = &file.customer;
    let Some(external_id) = &found.external_id else {
        return recorded(parts, file, taken(customer, &found.said, now), Vec::new(), ("email", "found"))
            .await;
    };
    if let Some(other) = parts.store.customer_by_external_id(external_id).await? {
        let learnt =
            recorded(parts, file, checked(customer, now), Vec::new(), ("email", "possible_match")).await?;
        return Ok(learnt.map(|(customer, mut body)| {
            body["customer"] = json!(other.id);
            (customer, body)
        }));
    }
    let mut named = taken(customer, &found.said, now);
    named.external_id = Some(external_id.clone());
    let anchor = Identity {
        id: IdentityId::new(parts.clock.new_id()),
        customer: customer.id.clone(),
        channel: OPERATOR.to_owned(),
        address: external_id.clone(),
        assurance: Assurance::Channel,
        proof: crm::PROOF.to_owned(),
        first_seen: now,
        last_seen: now,
    };
    recorded(parts, file, named, vec![Change::NewIdentity(anchor)], ("email", "joined")).await
}

/// The customer as the CRM has them, one version on.
fn taken(customer: &Customer, said: &CrmRecord, now: Timestamp) -> Customer {
    let taken = crm::take(customer, said, Reach::EveryField, now).customer;
    checked(&Customer { version: customer.version, ..taken }, now)
}

fn checked(customer: &Customer, now: Timestamp) -> Customer {
    let mut checked = customer.clone();
    checked.crm.checked_at = Some(now);
    checked.version += 1;
    checked
}

/// Stores the customer. Where they changed meanwhile, the next turn asks again.
async fn recorded(
    parts: &Parts,
    file: &CaseFile,
    customer: Customer,
    others: Vec<Change>,
    (by, outcome): (&str, &str),
) -> Result<Option<Learnt>, StoreError> {
    let mut changes = others;
    changes.push(Change::Customer(Arc::new(customer.clone())));
    match parts.store.commit(Unit { case: file.case.id.clone(), changes }).await {
        Ok(()) => Ok(Some((Some(customer), json!({"by": by, "outcome": outcome})))),
        Err(CommitError::Refused(_)) => Ok(Some((None, json!({"by": by, "outcome": "changed_meanwhile"})))),
        Err(error @ (CommitError::Database(_) | CommitError::Closed)) => {
            tracing::error!(error = %error, "what the CRM said could not be recorded");
            Ok(None)
        }
    }
}

/// What is known of a customer that the CRM may be asked by.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    ExternalId(String),
    Email(String),
    Phone(String),
}

impl Known {
    fn as_by(&self) -> By<'_> {
        match self {
            Self::ExternalId(id) => By::ExternalId(id),
            Self::Email(address) => By::Email(address),
            Self::Phone(number) => By::Phone(number),
        }
    }
}

/// The best question there is: the operator's own id, else a proven address.
fn question(crm: &Crm, customer: &Customer, identities: &[Identity]) -> Option<(Known, &'static str)> {
    if let Some(id) = &customer.external_id {
        let known = Known::ExternalId(id.clone());
        return crm.answers(known.as_by()).then_some((known, "external_id"));
    }
    let proven = |channels: &[&str]| {
        let proven = identities.iter().filter(|one| one.assurance >= Assurance::Channel);
        let on = proven.filter(|one| channels.contains(&one.channel.as_str()));
        on.max_by_key(|one| one.last_seen).map(|one| one.address.clone())
    };
    let number = |address: String| if address.starts_with('+') { address } else { format!("+{address}") };
    let email = proven(&MAIL).map(|address| (Known::Email(address), "email"));
    let phone = proven(&PHONE).map(|address| (Known::Phone(number(address)), "phone"));
    [email, phone].into_iter().flatten().find(|(known, _)| crm.answers(known.as_by()))
}
