//! What the record says, in the words of a page.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::Edge;
use crate::desk::approvals::{Decision, Pending, Standing, may_decide};
use crate::domain::assurance::Assurance;
use crate::domain::case::{Case, CaseState};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::handoff::{Handoff, Known};
use crate::domain::message::{Message, Visibility};
use crate::domain::receipt::CallStatus;
use crate::domain::team::Agent;
use crate::store::{DeskCase, DeskState};

/// A case as a line of a list and as the head of its page; whoever may not act on it is shown no button.
pub(super) fn case(edge: &Edge, case: &Case, acts: bool) -> Value {
    let can = |wanted: &[CaseState]| acts && wanted.contains(&case.state);
    let desk = &edge.app.pipeline.parts().desk;
    json!({
        "id": case.id,
        "issue": case.issue.as_deref().filter(|issue| !issue.trim().is_empty()).unwrap_or("No issue stated yet"),
        "state": case.state.as_str(),
        "state_words": match case.state {
            CaseState::Assistant => "With the assistant",
            CaseState::Queued => "Waiting for a person",
            CaseState::Agent => "With a person",
            CaseState::Snoozed => "Put aside",
            CaseState::Resolved => "Resolved",
            CaseState::Closed => "Closed",
        },
        "urgency": case.urgency.as_str(),
        "team": case.team.as_ref().map(|team| desk.team_name(team)),
        "channel": words(&case.channel),
        "assurance": match case.assurance {
            Assurance::Anonymous => "not signed in",
            Assurance::Claimed => "claimed, not proven",
            Assurance::Channel => "address proven",
            Assurance::Verified => "verified",
        },
        "can_return": can(&[CaseState::Queued, CaseState::Agent, CaseState::Snoozed]),
        "can_resolve": can(&[CaseState::Assistant, CaseState::Queued, CaseState::Agent, CaseState::Snoozed]),
        "can_reopen": can(&[CaseState::Resolved, CaseState::Closed]),
        "can_reply": acts && case.state != CaseState::Closed,
    })
}

/// Where a case is that was given to another desk.
pub(super) fn desk(there: &DeskCase) -> Value {
    let name = &there.desk;
    let called = there.foreign_id.as_ref().map(|id| format!(" as {id}")).unwrap_or_default();
    let why = there.reason.as_deref().unwrap_or("it did not answer");
    let words = match there.state {
        DeskState::Opening => format!("This case is being handed to {name}."),
        DeskState::Theirs => {
            format!("This case is at {name}{called}. What is answered there goes to the customer.")
        }
        DeskState::Over => format!("This case was at {name}{called}."),
        DeskState::Returned => format!("{name} could not take this case ({why}). It is ours again."),
    };
    json!({"name": name, "theirs": there.state == DeskState::Theirs, "words": words})
}

/// How what left stands.
fn sent(delivery: &Delivery) -> Value {
    let (words, failed) = match delivery.state {
        DeliveryState::Pending => ("On its way", false),
        DeliveryState::Unknown => ("Nobody knows whether it arrived", true),
        DeliveryState::Sent => ("Sent", false),
        DeliveryState::Delivered => ("Delivered", false),
        DeliveryState::Read => ("Read", false),
        DeliveryState::Failed => ("Not delivered", true),
        DeliveryState::Dropped => ("Not sent: answered on another channel", false),
    };
    json!({"id": delivery.id, "words": words, "failed": failed, "reason": delivery.reason.as_ref().filter(|_| failed)})
}

/// An entry of the thread; `people` are the agents' names by id, `deliveries` what has left the case.
pub(super) fn entry(message: &Message, people: &BTreeMap<String, String>, deliveries: &[Delivery]) -> Value {
    let own: Vec<&Delivery> = deliveries.iter().filter(|delivery| delivery.message == message.id).collect();
    // Of a part that was sent again the newest counts.
    let newest = |delivery: &&&Delivery| !own.iter().any(|o| o.part == delivery.part && o.id > delivery.id);
    let stands: Vec<Value> = own.iter().filter(newest).map(|delivery| sent(delivery)).collect();
    let internal = message.visibility == Visibility::Internal;
    let agent = message.agent.as_ref().and_then(|agent| people.get(agent.as_str()));
    let who = agent.cloned().unwrap_or_else(|| sentence(message.author.as_str()));
    json!({
        "author": message.author.as_str(),
        "who": if internal { format!("Note by {who}") } else { who },
        "internal": internal,
        "channel": words(&message.channel),
        "text": message.text,
        "at": message.at,
        "sent": stands,
        "files": message.attachments.iter().map(|one| json!({"name": one.name, "id": one.id})).collect::<Vec<_>>(),
    })
}

/// The note in the order in which it is read.
pub(super) fn note(edge: &Edge, handoff: &Handoff) -> Value {
    let note = &handoff.note;
    let declared = edge.app.pipeline.parts().declared(None);
    let line = |label: &str, known: &Known| json!({"label": label, "value": sentence(&known.to_string()), "unknown": matches!(known, Known::Unknown { .. })});
    let said = |label: &str, value: &str| json!({"label": label, "value": sentence(value), "unknown": value.is_empty()});
    let source = |source: &str| match source.split_once(':') {
        Some(("message", place)) => format!("message {place}"),
        Some((_, receipt)) => note
            .tried
            .iter()
            .find(|tried| tried.receipt == receipt)
            .map_or_else(|| "a receipt".to_owned(), |tried| declared.words(&tried.tool)),
        None => format!("the {source}"),
    };
    let mut facts: Vec<(String, Vec<(&str, &str)>)> = Vec::new();
    for fact in &note.facts {
        let (from, line) = (source(&fact.source), (fact.label.as_str(), fact.value.as_str()));
        match facts.last_mut().filter(|(earlier, _)| *earlier == from) {
            Some((_, lines)) => lines.push(line),
            None => facts.push((from, vec![line])),
        }
    }
    let tried: Vec<Value> = note
        .tried
        .iter()
        .map(|one| json!({"tool": declared.words(&one.tool), "status": one.status.as_str(), "result": sentence(&one.result)}))
        .collect();
    let channels: Vec<String> = note.channels.iter().map(|one| words(one)).collect();
    let articles = if note.articles.is_empty() { "none".to_owned() } else { note.articles.join(", ") };
    json!({
        "issue": note.issue.to_string(),
        "why": reason(&note.reason),
        "at": handoff.at,
        "first": [line("Wants", &note.wants), line("Next step", &note.next_step)],
        "lines": [
            line("Customer", &note.customer),
            said("Proven", &note.verified),
            line("Promised", &note.promised),
            line("Was told", &note.told),
            said("Channels", &channels.join(", then ")),
            said("Language", language(&note.language)),
            said("Mood", &format!("{:?}", note.mood).to_lowercase()),
            said("Urgency", note.urgency.as_str()),
            said("Articles cited", &articles),
        ],
        "facts": facts,
        "facts_count": note.facts.len(),
        "tried": tried,
        "unsent": note.unsent,
    })
}

/// The write that waits for a word, what it would do, and how it stands.
pub(super) fn approval(
    edge: &Edge,
    case: &Case,
    agent: &Agent,
    people: &BTreeMap<String, String>,
    pending: &Pending,
) -> Value {
    let approval = &pending.approval;
    let declared = edge.app.pipeline.parts().declared(Some(&approval.tool));
    let arguments: Value = serde_json::from_str(&approval.arguments).unwrap_or_default();
    let mut told = json!({
        "id": approval.id, "hash": approval.hash, "tool": declared.words(&approval.tool),
        "arguments": declared.arguments(&arguments), "because": sentence(&approval.because),
        "expires_at": approval.expires_at, "waiting": false, "open": false, "decided": null, "stands": null,
        "alarming": false, "may": may_decide(agent, case.team.as_ref(), &edge.app.config),
    });
    match &pending.standing {
        Standing::Waiting => {
            told["waiting"] = json!(true);
            told["open"] = json!(true);
        }
        Standing::Expired => told["stands"] = json!("Nobody decided in time, so it cannot run any more."),
        Standing::Over => {
            told["stands"] = json!(
                "The case was settled or given back before anybody decided, so it cannot run any more."
            );
        }
        Standing::Decided { decision, by, at, outcome } => {
            let who = match by.split_once(':') {
                Some(("agent", id)) => people.get(id).cloned().unwrap_or_else(|| "a former agent".to_owned()),
                Some((_, program)) => format!("the program {program}"),
                None => by.clone(),
            };
            let ended = match (decision, outcome) {
                (Decision::Refused, _) => "Nothing was done.",
                (Decision::Approved, Some(CallStatus::Done)) => "It is done.",
                (Decision::Approved, Some(CallStatus::Refused)) => {
                    "The system behind it refused, so nothing was done. Settle it by hand."
                }
                (Decision::Approved, Some(CallStatus::Failed)) => {
                    "It could not be sent, so nothing was done. Settle it by hand."
                }
                (Decision::Approved, Some(CallStatus::Unknown)) => {
                    "It was sent and no answer came back: it may or may not have happened. Check before you do anything by hand; it is never sent again."
                }
                (Decision::Approved, None) => "It is under way.",
            };
            told["decided"] = json!({"decision": sentence(decision.as_str()), "by": who, "at": at});
            told["stands"] = json!(ended);
            told["open"] = json!(*decision == Decision::Approved && outcome.is_none());
            told["alarming"] = json!(outcome.is_some_and(|outcome| outcome != CallStatus::Done));
        }
    }
    told
}

/// Why a case went to people, as people say it.
pub(super) fn reason(reason: &str) -> String {
    match reason {
        "over_limit" => "Needs approval".to_owned(),
        "person_asked" => "Asked for a person".to_owned(),
        "effect_unknown" | "result_unknown" => "Result unknown".to_owned(),
        "guard" => "A draft was held back".to_owned(),
        "opt_out_or_answer" => "Perhaps wants no more messages".to_owned(),
        "turn_failed" | "assistant_failed" => "The assistant broke".to_owned(),
        other => sentence(&words(other)),
    }
}

/// A machine's word as people read it.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn language(code: &str) -> &str {
    match code {
        "en" => "English",
        "de" => "German",
        "fr" => "French",
        "es" => "Spanish",
        "it" => "Italian",
        "pt" => "Portuguese",
        "nl" => "Dutch",
        other => other,
    }
}
