//! One-time codes: how somebody proves who they are in the middle of a conversation.
//!
//! Where a request needs more proof than there is, the customer may write the email address or phone number of their
//! account. If exactly one customer of ours has it on the record, six digits go there, by email or SMS and nowhere else;
//! if not, everything sounds and takes the same. What they type is taken out of the message before anything is stored or
//! read by an assistant, compared with a salted hash, and if it is right the writer's customer and that one are one
//! person ([`identity`]), proven in this case and this thread for a while.

use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::resolve::{Carried, Ending, Words};
use super::which_case::Home;
use super::{Parts, identity};
use crate::assistant::local;
use crate::domain::assurance::Assurance;
use crate::domain::case::{Doubt, DoubtStage};
use crate::domain::customer::{ContactKind, Customer, Identity, Link, Proven};
use crate::domain::decision::{Draft, HandOff};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::event::EventKind;
use crate::domain::ids::{CaseId, DeliveryId};
use crate::domain::message::{InboundMessage, Message};
use crate::domain::time::Timestamp;
use crate::language::extract;
use crate::store::{
    Arrival, CaseFile, CaseFilter, Challenge, Change, OpenCase, Page, PersonChange, StoreError,
};

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// What the codes are for; a code for one purpose is worth nothing for another.
const PURPOSE: &str = "identify";
/// Cases of a writer in which a code may have been asked for, the newest first.
const CASES_MAX: usize = 3;
/// A decision that keeps losing against other changes is given up after this many looks.
const LOOKS_MAX: usize = 16;
/// No phone number is shorter.
const PHONE_DIGITS_MIN: usize = 7;

/// Whether there is a way by which codes can be sent.
fn enabled(parts: &Parts) -> bool {
    way(parts, ContactKind::Email).is_some() || way(parts, ContactKind::Phone).is_some()
}

fn way(parts: &Parts, kind: ContactKind) -> Option<&'static str> {
    let name = match kind {
        ContactKind::Email => "email",
        ContactKind::Phone => "sms",
    };
    parts.channels.named(name).map(|_| name)
}

/// The six digits in a message that may be a code.
pub(super) fn code_in(parts: &Parts, message: &InboundMessage) -> Option<String> {
    if enabled(parts) { extract::six_digits(&message.text) } else { None }
}

/// What came of a code that was typed.
pub(super) struct Typed {
    case: CaseId,
    /// The words that needed the proof, when it was right.
    request: Option<String>,
}

impl Typed {
    /// One word for the log.
    pub(super) fn outcome(&self) -> &'static str {
        if self.request.is_some() { "right" } else { "wrong" }
    }
}

/// Compares a code with what this writer was sent. `None`: they were sent none, so it is no code.
pub(super) async fn typed(
    parts: &Parts,
    message: &InboundMessage,
    arrival: &Arrival,
    code: &str,
) -> Result<Option<Typed>, StoreError> {
    let now = parts.clock.now();
    let mut asked = None;
    for case in arrival.cases.iter().take(CASES_MAX) {
        let challenge = parts.store.challenge_of_case(&case.id, now.plus_ms(-HOUR_MS)).await?;
        asked = challenge.filter(|challenge| challenge.contact.is_some());
        if asked.is_some() {
            break;
        }
    }
    let (Some(challenge), Some(writer)) = (asked, &arrival.identity) else { return Ok(None) };
    // Counted before it is looked at, whether or not there is anything to be right about.
    let counts = parts.store.count_try(&challenge.id, parts.config.identity.code_tries_max, now).await?;
    let found = hash(&challenge.salt, &challenge.case, code);
    let same = bool::from(found.as_bytes().ct_eq(challenge.hash.as_bytes()));
    // Sent once more because nobody heard that the first was stored.
    let again = challenge.proven_at.is_some() && challenge.expires_at > now;
    let right = same && (again || (counts && prove(parts, &challenge, message, writer).await?));
    let request = right.then(|| challenge.request.clone());
    Ok(Some(Typed { case: challenge.case, request }))
}

/// Makes the writer's customer and the proven one the same person. `false`: they cannot be.
async fn prove(
    parts: &Parts,
    challenge: &Challenge,
    message: &InboundMessage,
    writer: &Identity,
) -> Result<bool, StoreError> {
    for _ in 0..LOOKS_MAX {
        let now = parts.clock.now();
        let Some(target) = &challenge.target else { return Ok(false) };
        let known = parts.store.identity(&writer.channel, &writer.address).await?;
        let target = parts.store.customer(target).await?;
        let (Some(known), Some(target)) = (known, target) else { return Ok(false) };
        let Some(before) = parts.store.customer(&known.customer).await? else { return Ok(false) };
        if !may_be(parts, message.sender.assurance, &before, &target).await? {
            return Ok(false);
        }
        let mut changes = Vec::new();
        if before.id != target.id {
            let Ok((kept, absorbed)) = identity::order(&target, &before) else { return Ok(false) };
            changes = identity::merging(parts, kept, absorbed, "code").await?;
        }
        let proven = Proven {
            case: challenge.case.clone(),
            conversation: message.conversation.clone(),
            until: now.plus_ms(parts.config.identity.code_proves_ms),
        };
        changes.push(Change::SeenIdentity(Identity {
            link: Link::Code,
            proven: Some(proven),
            last_seen: now,
            ..known
        }));
        changes.push(Change::Person(PersonChange::Proven { challenge: challenge.id.clone(), at: now }));
        match identity::commit(parts, changes).await {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(error = %error, "a proof could not be recorded");
                return Ok(false);
            }
        }
    }
    Ok(false)
}

/// Whether a code may make these two one person. Where the channel does not prove the writer's address, only somebody
/// with nothing but this case is joined: the earlier cases of an address may be those of its true owner.
async fn may_be(
    parts: &Parts,
    assurance: Assurance,
    writer: &Customer,
    target: &Customer,
) -> Result<bool, StoreError> {
    if writer.id == target.id {
        return Ok(true);
    }
    if writer.external_id.is_some() && target.external_id.is_some() {
        return Ok(false);
    }
    if assurance >= Assurance::Channel {
        return Ok(true);
    }
    let filter = CaseFilter { customer: Some(writer.id.clone()), ..CaseFilter::default() };
    let (cases, _) = parts.store.list_cases(&filter, &Page { cursor: None, limit: 2 }).await?;
    Ok(cases.len() <= 1 && parts.store.identities(&writer.id).await?.len() <= 1)
}

/// A message with a code belongs to the case in which it was asked for; with the right one that case goes on with the
/// words that needed it.
pub(super) async fn home(
    parts: &Parts,
    cases: &[OpenCase],
    typed: Option<&Typed>,
) -> Result<Option<Home>, StoreError> {
    let Some(typed) = typed.filter(|typed| cases.iter().any(|case| case.id == typed.case)) else {
        return Ok(None);
    };
    let Some(file) = parts.store.case_fresh(&typed.case).await? else { return Ok(None) };
    let request = typed.request.clone();
    let taken_up = request.map(|request| Doubt { request, stage: DoubtStage::Settled, seq: 0 });
    let doubt = taken_up.or_else(|| file.case.doubt.clone());
    Ok(Some(Home::Join { file, doubt, settled: false, answered: None }))
}

/// Offers a code where an answer says that the customer must be proven better.
pub(super) fn offer(
    parts: &Parts,
    file: &CaseFile,
    unread: &[Arc<Message>],
    mut ending: Ending,
    carried: &mut Carried,
) -> Ending {
    if !enabled(parts) || file.case.assurance == Assurance::Verified {
        return ending;
    }
    if ending.mind.as_ref().is_some_and(|mind| local::asks_unproven(&mind.memory)) {
        return ending;
    }
    let language = ending.mind.as_ref().map_or(file.case.language.as_str(), |mind| mind.language.as_str());
    let site = json!({"site": parts.config.business.site});
    let told = parts.phrases.say(language, "sign_in_needed", &site);
    let offered = parts.phrases.say(language, "code_offer", &site);
    let refused = |(kind, body): &(EventKind, serde_json::Value)| {
        *kind == EventKind::ToolDenied && (body["reason"] == "assurance" || body["reason"] == "no_record")
    };
    let draft = match &mut ending.words {
        Words::Say(draft) | Words::Ask { draft, write: None } => draft,
        Words::Ask { .. } | Words::HandOff { .. } | Words::Silent(_) => return ending,
    };
    // What was refused and then done without proof needs none.
    let place = |of: &dyn Fn(&(EventKind, serde_json::Value)) -> bool| carried.events.iter().rposition(of);
    let done = place(&|(kind, _)| *kind == EventKind::ToolCalled);
    if draft.text.contains(&told) {
        draft.text = draft.text.replace(&told, &offered);
    } else if place(&refused).is_some_and(|refused| done.is_none_or(|done| refused > done)) {
        draft.text = format!("{}\n\n{offered}", draft.text);
    } else {
        return ending;
    }
    let request = unread.iter().map(|message| message.text.as_str()).collect::<Vec<_>>().join("\n");
    let asked = challenge(parts, file, request, parts.clock.now());
    carried.changes.push(Change::Person(PersonChange::Challenge(asked)));
    ending
}

/// A challenge for which nobody has typed a contact yet.
fn challenge(parts: &Parts, file: &CaseFile, request: String, now: Timestamp) -> Challenge {
    Challenge {
        id: parts.clock.new_id().to_string(),
        case: file.case.id.clone(),
        customer: file.customer.id.clone(),
        target: None,
        contact: None,
        salt: String::new(),
        hash: String::new(),
        request,
        tries: 0,
        created_at: now,
        expires_at: now.plus_ms(parts.config.identity.code_ms),
        proven_at: None,
    }
}

/// Answers whoever was offered a code: the contact they wrote is sent one if we know it, and a wrong code is said to be
/// none. `None`: the messages are about something else.
pub(super) async fn answer(
    parts: &Parts,
    file: &CaseFile,
    unread: &[Arc<Message>],
    carried: &mut Carried,
) -> Result<Option<Ending>, StoreError> {
    if !enabled(parts) || file.case.assurance == Assurance::Verified {
        return Ok(None);
    }
    // What is typed now was asked for by somebody else: it says which record is meant, and proves nobody.
    if local::asks_unproven(&file.case.memory) {
        return Ok(None);
    }
    let contact = unread.iter().rev().find_map(|message| contact_in(&message.text));
    let masked = unread.iter().any(|message| extract::is_masked(&message.text));
    if contact.is_none() && !masked {
        return Ok(None);
    }
    let since = parts.clock.now().plus_ms(-HOUR_MS);
    let Some(asked) = parts.store.challenge_of_case(&file.case.id, since).await? else { return Ok(None) };
    let said = match contact {
        Some((kind, value)) => {
            let Some(changes) = ask(parts, file, &asked, (kind, &value)).await? else {
                return Ok(Some(Ending::hand_off(HandOff::because("cannot_sign_in"))));
            };
            carried.changes.extend(changes);
            "code_sent"
        }
        None if asked.contact.is_some() => "code_wrong",
        None => return Ok(None),
    };
    let text = parts.phrases.say(&file.case.language, said, json!({}));
    let draft = Draft { text, ..Draft::default() };
    Ok(Some(Ending { words: Words::Ask { draft, write: None }, mind: None, stale: false }))
}

/// The email address in a text, or the phone number that it is.
fn contact_in(text: &str) -> Option<(ContactKind, String)> {
    if let Some(email) = extract::emails(text).pop() {
        return Some((ContactKind::Email, email));
    }
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '.' | '/');
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let number = digits >= PHONE_DIGITS_MIN && text.trim().chars().all(plain);
    number.then(|| (ContactKind::Phone, text.trim().to_owned()))
}

/// A new code for whoever has this contact on the record. What is done for a contact that nobody has is the same but for
/// the delivery. `None`: too many were asked for.
async fn ask(
    parts: &Parts,
    file: &CaseFile,
    asked: &Challenge,
    (kind, value): (ContactKind, &str),
) -> Result<Option<Vec<Change>>, StoreError> {
    let settings = &parts.config.identity;
    let now = parts.clock.now();
    let compared = kind.compared(value);
    let contact = hex::encode(Sha256::digest(format!("{} {compared}", kind.as_str())));
    let sent = parts.store.codes_sent(&file.customer.id, &contact, now.plus_ms(-HOUR_MS)).await?;
    if sent.by_customer >= settings.codes_per_hour_max {
        return Ok(None);
    }
    let holders = parts.store.holders(kind, &compared).await?;
    let target = match holders.as_slice() {
        // Two customers with one contact are two people as far as we know; it proves neither.
        [one] if may_be(parts, file.case.assurance, &file.customer, one).await? => Some(one),
        _ => None,
    };
    let (code, salt) = secrets();
    let new = Challenge {
        target: target.map(|target| target.id.clone()),
        contact: Some(contact),
        hash: hash(&salt, &file.case.id, &code),
        salt,
        ..challenge(parts, file, asked.request.clone(), now)
    };
    let expires_at = new.expires_at;
    let mut changes = vec![Change::Person(PersonChange::Challenge(new))];
    let reach = target.and_then(|target| reach(parts, target, kind, &compared));
    if let Some((channel, address)) = reach.filter(|_| sent.to_contact < settings.codes_per_hour_max)
        && let Some(message) = file.messages.last()
    {
        let delivery = DeliveryId::new(parts.clock.new_id());
        changes.push(Change::Person(PersonChange::Code { delivery: delivery.clone(), code, expires_at }));
        changes.push(Change::Deliver(Delivery {
            id: delivery,
            case: file.case.id.clone(),
            // Stands for what is carried, which is nowhere in the thread.
            message: message.id.clone(),
            part: 0,
            channel: channel.to_owned(),
            conversation: address,
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: now,
            provider_id: None,
            reason: None,
        }));
    }
    Ok(Some(changes))
}

/// Where a customer is sent a code: to the contact that was typed, or where we have no way to that, to the other one on
/// their record.
fn reach(
    parts: &Parts,
    target: &Customer,
    kind: ContactKind,
    compared: &str,
) -> Option<(&'static str, String)> {
    let phone = |digits: &str| format!("+{}", ContactKind::Phone.compared(digits));
    let other = match kind {
        ContactKind::Email => target.phone.as_deref().map(|number| (ContactKind::Phone, phone(number))),
        ContactKind::Phone => target.email.clone().map(|email| (ContactKind::Email, email)),
    };
    let typed = match kind {
        ContactKind::Email => compared.to_owned(),
        ContactKind::Phone => phone(compared),
    };
    let ways = std::iter::once((kind, typed)).chain(other);
    ways.into_iter().find_map(|(kind, address)| Some((way(parts, kind)?, address)))
}

/// Six digits that nobody can guess, and what goes into their hash.
fn secrets() -> (String, String) {
    let mut bytes = [0_u8; 24];
    // Without randomness from the system no secret may be made; there is nothing to fall back to.
    while getrandom::fill(&mut bytes).is_err() {
        std::thread::yield_now();
    }
    let (number, salt) = bytes.split_at(8);
    let number = number.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    (format!("{:06}", number % 1_000_000), hex::encode(salt))
}

/// Of a code, bound to its case and purpose.
fn hash(salt: &str, case: &CaseId, code: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [salt, PURPOSE, case.as_str(), code] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// The words that carry a code, and their subject; none once it is over.
pub(super) async fn words(
    parts: &Parts,
    delivery: &Delivery,
    language: &str,
) -> Result<Option<(Message, String)>, StoreError> {
    let now = parts.clock.now();
    let Some(code) = parts.store.code_text(delivery.id.as_str(), now).await? else { return Ok(None) };
    let Some(message) = parts.store.message(&delivery.message).await? else { return Ok(None) };
    let context = json!({
        "business": parts.config.business.name,
        "code": code,
        "minutes": parts.config.identity.code_ms / MINUTE_MS,
    });
    let text = parts.phrases.say(language, "code_message", context);
    let carried = Message { text, attachments: Vec::new(), choices: Vec::new(), ..Message::clone(&message) };
    Ok(Some((carried, parts.phrases.say(language, "code_subject", json!({})))))
}
