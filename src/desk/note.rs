//! The handoff note, built from records alone: every field is filled or says why it is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::summary::{self, Said};
use crate::domain::case::Case;
use crate::domain::customer::{Customer, Identity};
use crate::domain::decision::HandOff;
use crate::domain::handoff::{Approval, Fact, HandoffNote, Known, Line, Tried};
use crate::domain::message::{Author, Citation, Message, Visibility};
use crate::domain::money::Money;
use crate::domain::procedure::Procedure;
use crate::domain::receipt::{CallStatus, Effect, Receipt};
use crate::domain::triage::Urgency;

/// Most facts on a note; the receipts hold the rest.
const FACTS_MAX: usize = 24;
/// Longest value on one line.
const VALUE_CHARS_MAX: usize = 160;

/// Everything a note is built from.
pub struct Records<'a> {
    /// The case.
    pub case: &'a Case,
    /// Whose it is.
    pub customer: &'a Customer,
    /// Their addresses.
    pub identities: &'a [Identity],
    /// The whole thread, oldest first.
    pub transcript: &'a [Arc<Message>],
    /// What was called, oldest first.
    pub receipts: &'a [&'a Receipt],
    /// What the assistant gathered, by name.
    pub gathered: &'a BTreeMap<String, String>,
    /// What it is about.
    pub procedure: Option<&'a Procedure>,
    /// Articles that were relied on.
    pub citations: &'a [Citation],
    /// Why and where it goes.
    pub handoff: &'a HandOff,
    /// A write that waits for approval.
    pub approval: Option<&'a Approval>,
    /// A draft that was not sent.
    pub unsent: Option<&'a str>,
    /// What the customer hears about waiting.
    pub told: &'a str,
    /// How soon.
    pub urgency: Urgency,
}

/// Builds the note.
pub fn build(records: &Records<'_>) -> HandoffNote {
    let spoken: Vec<&Message> =
        records.transcript.iter().map(AsRef::as_ref).filter(|m| m.visibility == Visibility::Public).collect();
    let mut articles: Vec<String> = Vec::new();
    for citation in records.citations {
        if !articles.contains(&citation.title) {
            articles.push(citation.title.clone());
        }
    }
    HandoffNote {
        customer: Known::or(who(records.customer), "nobody has vouched for a name and none was given"),
        verified: verified(records),
        channels: channels(&spoken, records.case),
        language: records.case.language.clone(),
        issue: Known::or(issue(records, &spoken), "the customer has not said yet what it is about"),
        wants: Known::or(wants(records, &spoken), "no request was recognised in what they wrote"),
        facts: facts(records, &spoken),
        tried: records.receipts.iter().map(|receipt| tried(receipt)).collect(),
        articles,
        promised: Known::or(promised(&spoken), "nothing that was said to the customer reads like a promise"),
        mood: records.case.sentiment,
        urgency: records.urgency,
        reason: records.handoff.reason.clone(),
        next_step: Known::or(next_step(records), "no procedure says what to do here"),
        told: Known::or(Some(records.told.to_owned()), "the customer was not told anything about waiting"),
        approval: records.approval.cloned(),
        unsent: records.unsent.map(str::to_owned),
        transcript: spoken
            .iter()
            .map(|m| Line {
                author: m.author.as_str().to_owned(),
                channel: m.channel.clone(),
                text: m.text.clone(),
                at: m.at,
            })
            .collect(),
    }
}

fn who(customer: &Customer) -> Option<String> {
    let proven: Vec<String> =
        [&customer.external_id, &customer.email, &customer.phone].into_iter().flatten().cloned().collect();
    match (&customer.name, proven.is_empty()) {
        (Some(name), true) => Some(name.clone()),
        (Some(name), false) => Some(format!("{name} ({})", proven.join(", "))),
        (None, false) => Some(proven.join(", ")),
        (None, true) => None,
    }
}

fn verified(records: &Records<'_>) -> String {
    let level = records.case.assurance.as_str();
    let here = records.identities.iter().filter(|identity| identity.channel == records.case.channel);
    match here.max_by_key(|identity| (identity.last_seen, identity.assurance)) {
        Some(identity) => {
            let (proof, channel) = (identity.proof.replace('_', " "), identity.channel.replace('_', " "));
            format!("{level}, by {proof}, as {} on {channel}", identity.address)
        }
        None => format!("{level}; no address of theirs is on the record for this channel"),
    }
}

fn channels(spoken: &[&Message], case: &Case) -> Vec<String> {
    let mut channels: Vec<String> = Vec::new();
    for channel in spoken.iter().filter(|m| m.author == Author::Customer).map(|m| &m.channel) {
        if !channels.contains(channel) {
            channels.push(channel.clone());
        }
    }
    if channels.is_empty() {
        channels.push(case.channel.clone());
    }
    channels
}

fn said<'a>(spoken: &'a [&Message]) -> Vec<Said<'a>> {
    spoken.iter().map(|m| Said { author: m.author, text: &m.text, channel: Some(&m.channel) }).collect()
}

fn issue(records: &Records<'_>, spoken: &[&Message]) -> Option<String> {
    let words = records.case.issue.clone().or_else(|| summary::request(&said(spoken)))?;
    Some(one_line(&words))
}

fn wants(records: &Records<'_>, spoken: &[&Message]) -> Option<String> {
    if let Some(pending) = &records.case.pending {
        return Some(one_line(&pending.details));
    }
    let Some(procedure) = records.procedure else {
        return summary::request(&said(spoken)).map(|words| one_line(&words));
    };
    let details: Vec<String> =
        records.gathered.iter().map(|(name, value)| format!("{}: {value}", name.replace('_', " "))).collect();
    Some(if details.is_empty() {
        procedure.title.clone()
    } else {
        one_line(&format!("{} ({})", procedure.title, details.join(", ")))
    })
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= VALUE_CHARS_MAX {
        return line;
    }
    line.chars().take(VALUE_CHARS_MAX - 1).chain(['…']).collect()
}

/// A scalar as people read it; lists and objects are left to the receipt.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(one_line(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The plain fields of a result as people read them: `total_minor` beside a `currency` is `total $129.05`.
fn fields(result: &Value) -> Vec<(String, String)> {
    let currency = result.get("currency").and_then(Value::as_str);
    let all = result.as_object().into_iter().flatten();
    all.filter(|(name, _)| *name != "currency")
        .filter_map(|(name, value)| match (name.strip_suffix("_minor"), value.as_i64(), currency) {
            (Some(name), Some(minor), Some(currency)) => {
                let money = Money { minor, currency: currency.to_owned() };
                Some((name.replace('_', " "), money.to_string()))
            }
            _ => Some((name.replace('_', " "), scalar(value)?)),
        })
        .collect()
}

fn facts(records: &Records<'_>, spoken: &[&Message]) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for (name, value) in records.gathered {
        let lower = value.to_lowercase();
        let message =
            spoken.iter().find(|m| m.author == Author::Customer && m.text.to_lowercase().contains(&lower));
        let receipt = records.receipts.iter().find(|r| r.result.to_string().contains(value.as_str()));
        let source = match (message, receipt) {
            (Some(message), _) => format!("message:{}", message.seq),
            (None, Some(receipt)) => format!("receipt:{}", receipt.id),
            (None, None) => "the assistant's reading of the messages".to_owned(),
        };
        facts.push(Fact { label: name.replace('_', " "), value: one_line(value), source });
    }
    // The newest answer of each tool about each thing tells how it stands now.
    for receipt in records.receipts.iter().rev().filter(|r| r.status == CallStatus::Done) {
        for (name, value) in fields(&receipt.result) {
            let label = format!("{} {name}", receipt.tool.replace('_', " "));
            let known = facts.iter().any(|fact| fact.label == label || (name == "id" && fact.value == value));
            if !known && facts.len() < FACTS_MAX {
                facts.push(Fact { label, value, source: format!("receipt:{}", receipt.id) });
            }
        }
    }
    facts
}

fn tried(receipt: &Receipt) -> Tried {
    let error = receipt.result.get("error");
    let field = |name: &str| error.and_then(|e| e.get(name)).and_then(Value::as_str).unwrap_or_default();
    let result = match (receipt.status, receipt.result.is_object()) {
        (CallStatus::Done, true) => {
            let shown: Vec<String> = fields(&receipt.result)
                .iter()
                .map(|(name, value)| format!("{name} {value}"))
                .take(8)
                .collect();
            if shown.is_empty() {
                format!("answered; see the receipt {}", receipt.id)
            } else {
                shown.join(", ")
            }
        }
        (CallStatus::Done, false) => one_line(&receipt.result.to_string()),
        (CallStatus::Unknown, _) => {
            "no answer came: it may or may not have happened, check before doing it again".to_owned()
        }
        (CallStatus::Refused | CallStatus::Failed, _) => {
            one_line(format!("{} {}", field("code").replace('_', " "), field("message")).trim())
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

/// Sentences of ours that speak of what we will do, newest first.
fn promised(spoken: &[&Message]) -> Option<String> {
    const WORDS: [&str; 9] =
        [" will ", "'ll ", " werden ", " wird ", " sera ", " será ", " sarà ", " zal ", " zullen "];
    let ours = spoken.iter().rev().filter(|m| m.author != Author::Customer);
    let sentences: Vec<String> = ours
        .flat_map(|m| m.text.split_inclusive(['.', '!', '?', '\n']))
        .map(|sentence| sentence.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|sentence| !sentence.ends_with('?') && WORDS.iter().any(|word| sentence.contains(word)))
        .take(3)
        .collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn next_step(records: &Records<'_>) -> Option<String> {
    let unknown =
        records.receipts.iter().rev().find(|r| r.effect == Effect::Write && r.status == CallStatus::Unknown);
    if let Some(receipt) = unknown {
        let tool = receipt.tool.replace('_', " ");
        return Some(format!("Check whether “{tool}” happened before doing anything again: no answer came."));
    }
    if let Some(approval) = records.approval {
        let tool = approval.tool.replace('_', " ");
        return Some(format!(
            "Approve or refuse “{tool}” with exactly {}: {}.",
            approval.arguments, approval.because
        ));
    }
    if let Some(step) = &records.handoff.next_step {
        return Some(step.clone());
    }
    records
        .unsent
        .map(|_| "Answer in your own words; the assistant's draft was held back and is below.".to_owned())
}

#[cfg(test)]
mod tests;
