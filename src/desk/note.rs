//! The handoff note, built from records alone: every field is filled or says why it is not (DESIGN 10).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use facts::one_line;

use super::summary::{self, Said};
use crate::domain::assurance::Assurance;
use crate::domain::case::Case;
use crate::domain::crm;
use crate::domain::customer::{Customer, Identity};
use crate::domain::decision::HandOff;
use crate::domain::handoff::{Approval, Fact, HandoffNote, Known, Line, Tried};
use crate::domain::message::{Author, Citation, Message, Visibility};
use crate::domain::procedure::Procedure;
use crate::domain::receipt::{CallStatus, Effect, Receipt};
use crate::domain::triage::Urgency;

mod facts;

pub use facts::Declared;

/// Most facts in a note; the newest receipts come first.
const FACTS_MAX: usize = 60;
/// Most facts in the one line about a call.
const TRIED_MAX: usize = 6;

/// What a tool's answer says, label by label, as in the facts of a note.
pub fn said_by(result: &Value) -> Vec<(String, String)> {
    let known = facts::of_result(result).into_iter();
    known.map(|one| (one.about_and_label(), one.value)).take(FACTS_MAX).collect()
}

/// The records of a case that a note is built from.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    /// The case as it will be stored.
    pub case: &'a Case,
    /// Whose it is.
    pub customer: &'a Customer,
    /// Their addresses with the evidence.
    pub identities: &'a [Identity],
    /// The whole thread, oldest first.
    pub transcript: &'a [Arc<Message>],
    /// What was called, oldest first.
    pub receipts: &'a [&'a Receipt],
    /// What the assistant gathered, by slot.
    pub gathered: &'a BTreeMap<String, String>,
    /// The procedure under way.
    pub procedure: Option<&'a Procedure>,
    /// Articles that answers relied on.
    pub citations: &'a [Citation],
    /// Why it goes to people.
    pub handoff: &'a HandOff,
    /// A write that waits for a person.
    pub approval: Option<&'a Approval>,
    /// How the operator names things.
    pub declared: &'a Declared,
    /// A draft that did not leave.
    pub unsent: Option<&'a str>,
    /// What the customer is told about waiting.
    pub told: &'a str,
    /// How soon.
    pub urgency: Urgency,
}

/// Builds the note.
pub fn build(records: &Records<'_>) -> HandoffNote {
    let public: Vec<&Message> =
        records.transcript.iter().map(AsRef::as_ref).filter(|m| m.visibility == Visibility::Public).collect();
    let said: Vec<Said<'_>> =
        public.iter().map(|m| Said { author: m.author, text: &m.text, channel: Some(&m.channel) }).collect();
    let key = summary::key_sentence(of_the_matter(records, &said)).map(one_line);
    let mut channels = Vec::new();
    for message in &public {
        if channels.last() != Some(&message.channel) {
            channels.push(message.channel.clone());
        }
    }
    if channels.is_empty() {
        channels.push(records.case.channel.clone());
    }
    let mut seen = BTreeSet::new();
    let articles = records
        .citations
        .iter()
        .filter(|c| seen.insert(&c.article))
        .map(|c| format!("{} ({})", c.title, c.article));
    HandoffNote {
        customer: Known::or(who(records), "the sender gave no name and no address of theirs is proven"),
        verified: verified(records),
        channels,
        language: records.case.language.clone(),
        issue: Known::or(
            records.case.issue.clone().or_else(|| key.clone()),
            "the customer has written no words yet, only what the transcript shows",
        ),
        wants: Known::or(
            wants(records, key),
            "no procedure was recognised and no words of the customer are on record",
        ),
        facts: facts(records, &public),
        tried: records.receipts.iter().map(|receipt| tried(receipt)).collect(),
        articles: articles.collect(),
        promised: Known::or(promised(records), "nothing was changed for the customer and nothing was agreed"),
        mood: records.case.sentiment,
        urgency: records.urgency,
        reason: records.handoff.reason.clone(),
        next_step: Known::or(
            next_step(records),
            "the records suggest none; read the issue and the transcript",
        ),
        told: Known::or(Some(records.told.to_owned()), "nothing was said to the customer about waiting"),
        approval: records.approval.cloned(),
        unsent: records.unsent.map(|text| match records.handoff.reason.as_str() {
            "delivery_unknown" => format!("{text}\n\n(Nobody knows whether it arrived.)"),
            reason => format!("{text}\n\n(Not sent: {reason}.)"),
        }),
        transcript: public.into_iter().map(line).collect(),
    }
}

/// The conversation from where the customer came to the matter that is handed over; all of it where nothing says so.
fn of_the_matter<'a, 's>(records: &Records<'_>, said: &'a [Said<'s>]) -> &'a [Said<'s>] {
    let squashed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let issue = records.case.issue.as_deref().map(|issue| squashed(issue.trim_end_matches('…')));
    let begun = issue.filter(|issue| !issue.is_empty()).and_then(|issue| {
        said.iter().rposition(|said| said.author == Author::Customer && squashed(said.text).contains(&issue))
    });
    said.get(begun.unwrap_or(0)..).unwrap_or(said)
}

fn line(message: &Message) -> Line {
    Line {
        author: message.author.as_str().to_owned(),
        channel: message.channel.clone(),
        text: message.text.clone(),
        at: message.at,
    }
}

fn who(records: &Records<'_>) -> Option<String> {
    let customer = records.customer;
    let mut parts: Vec<String> = customer.name.iter().cloned().collect();
    parts.extend(customer.external_id.iter().map(|id| format!("customer number {id}")));
    parts.extend(customer.email.iter().cloned());
    parts.extend(customer.phone.iter().cloned());
    parts.extend(customer.crm.tier.iter().map(|tier| format!("tier {tier}")));
    parts.extend(customer.crm.owner.iter().map(|owner| format!("looked after by {owner}")));
    if !customer.crm.tags.is_empty() {
        parts.push(format!("tags: {}", customer.crm.tags.join(", ")));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn verified(records: &Records<'_>) -> String {
    // What the CRM named has not written yet, so it proves nothing about who does.
    let wrote = |identity: &&Identity| identity.ended_at.is_none() && identity.proof != crm::PROOF;
    let newest = records.identities.iter().filter(wrote).max_by_key(|identity| identity.last_seen);
    let Some(newest) = newest else {
        return match records.case.assurance {
            Assurance::Anonymous => "not proven: nothing is known about who writes".to_owned(),
            level => format!("{}; no address is on record", level.as_str()),
        };
    };
    let typed = newest.proven.as_ref().is_some_and(|proven| proven.case == records.case.id);
    let by_code = typed && records.case.assurance == Assurance::Verified;
    let by = match newest.proof.as_str() {
        _ if by_code => "by a one-time code".to_owned(),
        "api_key" => "by the operator's API key".to_owned(),
        "session_token" => "by a signed chat session".to_owned(),
        "token" => "by a token signed by the operator's site".to_owned(),
        "code" => "by a one-time code".to_owned(),
        "typed" => "by nothing but what was typed".to_owned(),
        other => format!("by {}", other.replace('_', " ")),
    };
    let level = if by_code { Assurance::Verified } else { newest.assurance.min(records.case.assurance) };
    let level = match level {
        Assurance::Anonymous => return "not proven: nothing is known about who writes".to_owned(),
        Assurance::Claimed => "claimed, not proven",
        Assurance::Channel => "the address is proven",
        Assurance::Verified => "verified",
    };
    format!("{level} {by} ({} {})", newest.channel, newest.address)
}

fn wants(records: &Records<'_>, key: Option<String>) -> Option<String> {
    match (records.procedure, key) {
        (Some(procedure), Some(key)) => Some(format!("{}: “{key}”", procedure.title)),
        (Some(procedure), None) => Some(procedure.title.clone()),
        (None, key) => key,
    }
}

fn facts(records: &Records<'_>, public: &[&Message]) -> Vec<Fact> {
    let declared = records.declared;
    let gathered = records.gathered.iter().filter(|(_, value)| !value.trim().is_empty());
    let mut facts: Vec<Fact> = gathered
        .map(|(slot, value)| Fact {
            label: declared.words(slot),
            value: declared.gathered(slot, value),
            source: origin(records, public, slot, value),
        })
        .collect();
    let done: Vec<&Receipt> =
        records.receipts.iter().filter(|receipt| receipt.status == CallStatus::Done).copied().collect();
    facts.extend(facts::of_results(&done).into_iter().map(|(known, source)| Fact {
        label: known.about_and_label(),
        value: known.value,
        source,
    }));
    facts.truncate(FACTS_MAX);
    facts
}

/// Where a gathered value was said: the newest message with it, a receipt, or in other words somewhere in between.
fn origin(records: &Records<'_>, public: &[&Message], slot: &str, value: &str) -> String {
    let mut wanted = vec![squash(value)];
    // People write 900 or 900.00, not 90000.
    if slot.ends_with("_minor")
        && let Some(whole) = wanted.iter().find_map(|minor| minor.strip_suffix("00").map(str::to_owned))
    {
        wanted.push(whole);
    }
    let said = |text: &str| {
        let text = squash(text);
        wanted.iter().any(|one| !one.is_empty() && text.contains(one))
    };
    let mut customer = public.iter().rev().filter(|m| m.author == Author::Customer);
    if let Some(message) = customer.find(|m| said(&m.text)) {
        return format!("message:{}", message.seq);
    }
    let receipt = records.receipts.iter().rev().find(|r| said(&r.result.to_string()));
    receipt.map_or_else(|| "conversation".to_owned(), |receipt| format!("receipt:{}", receipt.id))
}

fn squash(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn tried(receipt: &Receipt) -> Tried {
    let result = match receipt.status {
        CallStatus::Done => outcome(receipt).unwrap_or_else(|| "done; it answered nothing more".to_owned()),
        CallStatus::Refused => format!("refused: {}", error(&receipt.result)),
        CallStatus::Failed => format!("failed: {}", error(&receipt.result)),
        CallStatus::Unknown => {
            "sent, but no answer came back: it may or may not have happened; check before repeating it"
                .to_owned()
        }
    };
    Tried {
        tool: receipt.tool.clone(),
        effect: receipt.effect,
        status: receipt.status,
        result,
        receipt: receipt.id.to_string(),
    }
}

/// What an answer says first, in one line; what it is about is named once.
fn outcome(receipt: &Receipt) -> Option<String> {
    let mut line = String::new();
    let mut about: Option<String> = None;
    for known in facts::of_result(&receipt.result).into_iter().take(TRIED_MAX) {
        if !line.is_empty() {
            line.push_str("; ");
        }
        if !known.about.is_empty() && about.as_ref() != Some(&known.about) {
            line.push_str(&known.about);
            line.push_str(": ");
        }
        about = Some(known.about);
        line.push_str(&known.label);
        line.push(' ');
        line.push_str(&known.value);
    }
    (!line.is_empty()).then_some(line)
}

fn error(result: &Value) -> String {
    let field = |name: &str| result.get("error").and_then(|e| e.get(name)).and_then(Value::as_str);
    match (field("code"), field("message")) {
        (Some(code), Some(message)) => format!("{} ({code})", one_line(message)),
        (Some(text), None) | (None, Some(text)) => one_line(text),
        (None, None) => "it gave no reason".to_owned(),
    }
}

fn promised(records: &Records<'_>) -> Option<String> {
    let writes = records.receipts.iter().filter(|receipt| receipt.effect == Effect::Write);
    let mut parts: Vec<String> = writes
        .filter_map(|receipt| match receipt.status {
            CallStatus::Done => {
                let what = outcome(receipt).map_or(String::new(), |line| format!(" ({line})"));
                Some(format!("done: {}{what}", tool(records, &receipt.tool)))
            }
            CallStatus::Unknown => {
                Some(format!("perhaps done, no answer came: {}", tool(records, &receipt.tool)))
            }
            CallStatus::Refused | CallStatus::Failed => None,
        })
        .collect();
    if let Some(pending) = &records.case.pending {
        parts.push(format!("asked for a yes to: {}", one_line(&pending.details)));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// A tool in the middle of a sentence.
fn tool(records: &Records<'_>, name: &str) -> String {
    let words = records.declared.words(name);
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn next_step(records: &Records<'_>) -> Option<String> {
    if let Some(step) = &records.handoff.next_step {
        return Some(step.clone());
    }
    if let Some(approval) = records.approval {
        return Some(format!("Decide about {}: {}.", tool(records, &approval.tool), approval.because));
    }
    if let Some(receipt) = records.receipts.iter().rev().find(|receipt| receipt.status == CallStatus::Unknown)
    {
        return Some(format!(
            "Check whether {} happened before anything is repeated.",
            tool(records, &receipt.tool)
        ));
    }
    if records.unsent.is_some() {
        let step = match records.handoff.reason.as_str() {
            "delivery_failed" => "Reach the customer in another way: what the assistant wrote did not leave.",
            "delivery_unknown" => {
                "Find out whether the assistant's words arrived before you write them again."
            }
            _ => "Check the draft that was not sent against the facts, correct it and answer.",
        };
        return Some(step.to_owned());
    }
    let refused = records.receipts.last().filter(|receipt| receipt.status == CallStatus::Refused);
    match (refused, records.procedure) {
        (Some(receipt), _) => Some(format!("Take over where {} was refused.", tool(records, &receipt.tool))),
        (None, Some(procedure)) => Some(format!("Answer the customer about: {}.", procedure.title)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
