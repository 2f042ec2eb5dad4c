//! What the record says, in the words of a page.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::Edge;
use crate::desk::approvals::{Decision, Pending, Standing, may_decide};
use crate::desk::ways::{Closed, Way};
use crate::domain::assurance::Assurance;
use crate::domain::case::{Case, CaseState, Resolution, SettledAs};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::handoff::{Handoff, Known};
use crate::domain::message::{Message, Visibility, WHOLE_PAGE};
use crate::domain::rating::Rating;
use crate::domain::receipt::CallStatus;
use crate::domain::team::Agent;
use crate::domain::time::Timestamp;
use crate::store::{DeskCase, DeskState, Upload};

/// What a customer was asked about a case and what they answered; nothing where nobody was asked.
pub(super) fn rating(rating: &Rating, people: &BTreeMap<String, String>) -> Value {
    let score = rating.score.as_ref().map(|(score, _)| score);
    if rating.skipped.is_some() && score.is_none() {
        return Value::Null;
    }
    let of = if rating.of == "assistant" { "the assistant".to_owned() } else { by(&rating.of, people) };
    json!({"of": of, "points": score.map(|score| score.points), "comment": score.and_then(|score| score.comment.as_deref())})
}

/// What a case is about, in one line.
pub(super) fn issue(issue: Option<&str>) -> String {
    issue.filter(|issue| !issue.trim().is_empty()).unwrap_or("No issue stated yet").to_owned()
}

/// Who has a case.
pub(super) fn state(state: CaseState) -> &'static str {
    match state {
        CaseState::Assistant => "With the assistant",
        CaseState::Queued => "Waiting for a person",
        CaseState::Agent => "With a person",
        CaseState::Snoozed => "Put aside",
        CaseState::Resolved => "Resolved",
        CaseState::Closed => "Closed",
    }
}

/// How well somebody is proven.
pub(super) fn assurance(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::Anonymous => "not signed in",
        Assurance::Claimed => "claimed, not proven",
        Assurance::Channel => "address proven",
        Assurance::Verified => "verified",
    }
}

/// How a person settled a case.
pub(super) fn settled_as(kind: SettledAs) -> &'static str {
    match kind {
        SettledAs::Solved => "Solved",
        SettledAs::NoReplyNeeded => "No reply needed",
        SettledAs::Duplicate => "Same as another case",
        SettledAs::NotForUs => "Not meant for us",
        SettledAs::NotPossible => "Not possible, and they know",
    }
}

/// What came of a case.
pub(super) fn outcome(case: &Case) -> &'static str {
    match (case.state, case.resolution) {
        (CaseState::Resolved | CaseState::Closed, Some(Resolution::ByAgent)) => "settled by a person",
        (CaseState::Resolved | CaseState::Closed, Some(Resolution::Confirmed)) => {
            "settled, the customer said so"
        }
        (CaseState::Resolved | CaseState::Closed, Some(Resolution::Answered)) => "answered by the assistant",
        (CaseState::Resolved | CaseState::Closed, None) => "closed without an answer",
        (CaseState::Assistant, _) => "with the assistant now",
        (CaseState::Queued, _) => "waits for a person now",
        (CaseState::Agent, _) => "with a person now",
        (CaseState::Snoozed, _) => "put aside now",
    }
}

/// How long ago, in the largest unit that says something.
pub(super) fn ago(now: Timestamp, then: Timestamp) -> String {
    let minutes = now.ms_since(then).max(0) / 60_000;
    match minutes {
        0 => "just now".to_owned(),
        1..60 => format!("{minutes} min"),
        60..1440 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

/// The size of a file.
pub(super) fn size(bytes: i64) -> String {
    match bytes {
        ..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{} KB", bytes / 1000),
        _ => format!("{:.1} MB", bytes as f64 / 1_000_000.0),
    }
}

/// A file that was chosen for a reply.
pub(super) fn upload(file: &Upload) -> Value {
    json!({"id": file.id, "name": file.name, "size": size(file.bytes)})
}

/// Who did something, as the log names them.
pub(super) fn by(by: &str, people: &BTreeMap<String, String>) -> String {
    match by.split_once(':') {
        Some(("agent", id)) => people.get(id).cloned().unwrap_or_else(|| "A former agent".to_owned()),
        Some((_, program)) => format!("The program {program}"),
        None if by.is_empty() => "Somebody".to_owned(),
        None => sentence(&words(by)),
    }
}

/// A word about what was just done, by its name in the address.
pub(super) fn done_words(name: &str) -> Option<&'static str> {
    Some(match name {
        "sent" => "Sent.",
        "noted" => "Kept as a note.",
        "taken" => "The case is yours.",
        "given" => "Given away.",
        "snoozed" => "Put aside.",
        "resolved" => "Settled.",
        "returned" => "The assistant has it again.",
        "merged" => "The two are one customer now.",
        "unmerged" => "They are two customers again.",
        "read" => "Read afresh.",
        _ => return None,
    })
}

/// A way to the customer, as the box for replies offers it.
pub(super) fn way(way: &Way) -> Value {
    let window = way.window_left_ms.map(|left| match left {
        ..=0 => "only an approved text can be sent now".to_owned(),
        left if left < 3_600_000 => format!("{} min left for free words", left / 60_000),
        left => format!("{} h left for free words", left / 3_600_000),
    });
    json!({
        "key": way.key(), "id": way.channel, "channel": channel(&way.channel), "own": way.own,
        "address": way.address.as_ref().filter(|_| way.channel != "web_chat" && way.channel != "in_app"),
        "closed": way.closed.map(Closed::words), "window": window,
        "most": way.limit.most, "bytes": way.limit.bytes, "segments": way.limit.segments, "files": way.limit.files.words(),
    })
}

/// A case as the head of its page; whoever may not act on it is shown no button.
pub(super) fn case(edge: &Edge, case: &Case, acts: bool) -> Value {
    let can = |wanted: &[CaseState]| acts && wanted.contains(&case.state);
    let desk = &edge.app.pipeline.parts().desk;
    json!({
        "id": case.id,
        "issue": issue(case.issue.as_deref()),
        "state": case.state.as_str(),
        "state_words": state(case.state),
        "urgency": case.urgency.as_str(),
        "team": case.team.as_ref().map(|team| desk.team_name(team)),
        "channel": channel(&case.channel),
        "assurance": assurance(case.assurance),
        "language": language(&case.language),
        "until": case.snoozed_until,
        "version": case.version,
        "can_take": can(&[CaseState::Assistant, CaseState::Queued, CaseState::Agent, CaseState::Snoozed]),
        "can_release": can(&[CaseState::Agent, CaseState::Snoozed]),
        "can_snooze": can(&[CaseState::Queued, CaseState::Agent]),
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
        "seq": message.seq,
        "author": message.author.as_str(),
        "who": if internal { format!("Note by {who}") } else { who },
        "internal": internal,
        "channel": channel(&message.channel),
        "text": message.text,
        "at": message.at,
        "citations": message.citations.iter().map(|one| one.title.as_str()).collect::<Vec<_>>(),
        "sent": stands,
        "files": message.attachments.iter().filter(|one| one.id.is_none() || one.name != WHOLE_PAGE)
            .map(|one| json!({"name": one.name, "id": one.id})).collect::<Vec<_>>(),
        "original": message.attachments.iter().find(|one| one.name == WHOLE_PAGE).and_then(|one| one.id.as_ref()),
    })
}

/// Labels and values that come from one source.
type Lines<'f> = Vec<(&'f str, &'f str)>;

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
    let place = |source: &str| match source.split_once(':') {
        Some(("message", seq)) => Some(format!("#message-{seq}")),
        Some(("receipt", id)) => Some(format!("?panel=why#receipt-{id}")),
        _ => None,
    };
    let mut facts: Vec<(String, Option<String>, Lines<'_>)> = Vec::new();
    for fact in &note.facts {
        let line = (fact.label.as_str(), fact.value.as_str());
        let (from, to) = (source(&fact.source), place(&fact.source));
        match facts.last_mut().filter(|(earlier, known, _)| *earlier == from && *known == to) {
            Some((.., lines)) => lines.push(line),
            None => facts.push((from, to, vec![line])),
        }
    }
    let tried: Vec<Value> = note
        .tried
        .iter()
        .map(|one| json!({"tool": declared.words(&one.tool), "status": one.status.as_str(), "result": sentence(&one.result), "receipt": one.receipt}))
        .collect();
    let channels: Vec<String> = note.channels.iter().map(|one| channel(one)).collect();
    let articles = if note.articles.is_empty() { "none".to_owned() } else { note.articles.join(", ") };
    json!({
        "issue": note.issue.to_string(),
        "why": reason(&note.reason),
        "at": handoff.at,
        "first": [line("Wants", &note.wants), line("Next step", &note.next_step)],
        "lines": [
            line("Who", &note.customer),
            said("Proven", &note.verified),
            line("Promised", &note.promised),
            line("Was told", &note.told),
            said("Mood", &format!("{}, urgency {}", words(&format!("{:?}", note.mood).to_lowercase()), note.urgency.as_str())),
            said("Wrote on", &format!("{}, in {}", channels.join(", then "), language(&note.language))),
            said("Articles", &articles),
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
            let who = self::by(by, people);
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

/// A channel as people call it.
pub(super) fn channel(name: &str) -> String {
    match name {
        "in_app" => "app".to_owned(),
        "sms" => "SMS".to_owned(),
        "voice" => "phone".to_owned(),
        "whatsapp" => "WhatsApp".to_owned(),
        other => words(other),
    }
}

/// A machine's word as people read it.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

pub(super) fn language(code: &str) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_told_in_the_largest_unit_that_says_something() {
        let told = |minutes: i64| ago(Timestamp(minutes * 60_000), Timestamp(0));
        assert_eq!(
            [told(0), told(59), told(60), told(1439), told(2880)],
            ["just now", "59 min", "1 h", "23 h", "2 d"]
        );
        assert_eq!(told(-5), "just now");
    }
}
