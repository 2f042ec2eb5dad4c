//! The customer beside a case: their record, their addresses with the evidence, who they may also be, their other cases.

use serde_json::{Value, json};

use super::super::super::Edge;
use super::super::frame::People;
use super::super::shown;
use super::case::OTHERS_MAX;
use crate::domain::case::Case;
use crate::domain::crm::Field;
use crate::domain::customer::{Identity, Link};
use crate::store::{CaseFile, Match, StoreError};

/// Possible matches shown at once.
const MATCHES_MAX: i64 = 10;

/// What the panel shows.
pub(super) async fn panel(
    edge: &Edge,
    file: &CaseFile,
    people: &People,
    others: &[Case],
) -> Result<Value, StoreError> {
    let (store, now) = (&edge.app.store, edge.app.clock.now());
    let customer = &file.customer;
    let identities = store.identities(&customer.id).await?;
    let matches = store.matches(&customer.id, MATCHES_MAX).await?;
    let mut merges = Vec::new();
    for merge in store.merges(&customer.id).await? {
        let absorbed = store.customer_itself(&merge.absorbed).await?;
        merges.push(json!({
            "absorbed": merge.absorbed, "name": absorbed.and_then(|one| one.name.or(one.email).or(one.external_id)),
            "by": shown::by(&merge.by, people), "at": merge.at,
        }));
    }
    let own = |field: Field| customer.crm.owns(field);
    let fact =
        |label: &str, value: Option<&str>, crm: bool| json!({"label": label, "value": value, "crm": crm});
    let tags = customer.crm.tags.join(", ");
    Ok(json!({
        "facts": [
            fact("Name", customer.name.as_deref(), own(Field::Name)),
            fact("Email", customer.email.as_deref(), own(Field::Email)),
            fact("Phone", customer.phone.as_deref(), own(Field::Phone)),
            fact("Customer number", customer.external_id.as_deref(), false),
            fact("Language", customer.language.as_deref().map(shown::language), own(Field::Language)),
            fact("Standing", customer.crm.tier.as_deref(), true),
            fact("Looked after by", customer.crm.owner.as_deref(), true),
            fact("Tags", Some(tags.as_str()).filter(|tags| !tags.is_empty()), true),
        ],
        "since": customer.created_at,
        "identities": identities.iter().map(identity).collect::<Vec<Value>>(),
        "matches": matches.iter().map(possible).collect::<Vec<Value>>(),
        "merges": merges,
        "others": others.iter().take(OTHERS_MAX as usize).map(|other| json!({
            "id": other.id, "issue": shown::issue(other.issue.as_deref()), "outcome": shown::outcome(other),
            "ago": shown::ago(now, other.updated_at), "channel": shown::channel(&other.channel), "open": other.open(),
        })).collect::<Vec<Value>>(),
    }))
}

fn identity(identity: &Identity) -> Value {
    let how = match identity.link {
        Link::FirstContact => "they wrote from it first",
        Link::ApiKey => "your server vouched for it",
        Link::Operator => "named by your CRM or a person",
        Link::Code => "they typed a code that was sent to an address of theirs",
        Link::SessionToken => "a signed-in session proved it",
    };
    json!({
        "channel": shown::channel(&identity.channel), "address": identity.address,
        "assurance": shown::assurance(identity.assurance), "proof": shown::words(&identity.proof), "how": how,
        "first_seen": identity.first_seen, "last_seen": identity.last_seen, "ended_at": identity.ended_at,
    })
}

fn possible(found: &Match) -> Value {
    let other = &found.customer;
    let name = other.name.as_ref().or(other.email.as_ref()).or(other.external_id.as_ref());
    let place = |place: &str| match place {
        "record" => "on the record",
        "address" => "they write from it",
        "proven" => "proven",
        "typed" => "typed by them",
        _ => "known",
    };
    json!({
        "id": other.id, "name": name, "number": other.external_id,
        "evidence": found.evidence.iter().map(|one| format!(
            "Same {}: {} (here {}, there {})", one.kind, one.value, place(&one.here), place(&one.there)
        )).collect::<Vec<String>>(),
    })
}
