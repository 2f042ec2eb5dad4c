//! Whether what happened is what had to: outcome, words, tools, the shop's end state, the handoff note.

use serde_json::Value;

use super::run::{Played, Trial};
use super::scenario::{Expect, HandoffExpect, Said, Scenario};
use crate::domain::handoff::{Handoff, Known};
use crate::domain::ids::ProcedureId;
use crate::domain::message::Message;
use crate::domain::turn::Outcome;

/// Everything that was not as it had to be; empty when the trial passed.
pub fn failures(scenario: &Scenario, trial: &Trial) -> Vec<String> {
    let mut found = Vec::new();
    let expect = &scenario.expect;
    outcomes(expect, trial, &mut found);
    words(expect, trial, &mut found);
    tools(expect, trial, &mut found);
    world(expect, trial, &mut found);
    if let Some(wanted) = &expect.handoff {
        match &trial.handoff {
            Some(handoff) => note(wanted, handoff, &mut found),
            None => found.push("there is no handoff".to_owned()),
        }
    }
    if let Some(handoff) = &trial.handoff {
        complete(handoff, trial, &mut found);
    }
    if !expect.asked_twice.unwrap_or(false) {
        asked_twice(trial, &mut found);
    }
    found
}

/// Every message that was written must have come to one of the visible ends.
fn outcomes(expect: &Expect, trial: &Trial, found: &mut Vec<String>) {
    let last = trial.played.iter().rposition(|played| played.outcome.is_some());
    if let Some(wanted) = &expect.outcome {
        let played = last.and_then(|at| trial.played.get(at));
        outcome("the last message", wanted, played, found);
    }
    for (turn, wanted) in &expect.turns {
        let played = trial.played.get(turn - 1);
        let label = format!("message {turn}");
        if let Some(wanted) = &wanted.outcome {
            outcome(&label, wanted, played, found);
        }
        let replies: Vec<&Message> = played.iter().flat_map(|p| &p.replies).map(AsRef::as_ref).collect();
        said(&label, &wanted.says, &replies, found);
        never(&label, &wanted.never_says, &replies, found);
    }
}

fn outcome(label: &str, wanted: &Said, played: Option<&Played>, found: &mut Vec<String>) {
    let got = played.and_then(|played| played.outcome).map_or("pending", Outcome::as_str);
    if !wanted.parts().iter().any(|wanted| wanted == got) {
        found.push(format!("{label} came to `{got}`, not {}", wanted.parts().join(" or ")));
    }
}

fn words(expect: &Expect, trial: &Trial, found: &mut Vec<String>) {
    let replies: Vec<&Message> = trial.played.iter().flat_map(|p| &p.replies).map(AsRef::as_ref).collect();
    said("all replies", &expect.says, &replies, found);
    never("a reply", &expect.never_says, &replies, found);
    for intent in &expect.intents {
        let follows = |played: &Played| played.intent.as_ref().is_some_and(|id| id.as_str() == intent);
        if !trial.played.iter().any(follows) {
            let seen: Vec<&str> =
                trial.played.iter().filter_map(|p| p.intent.as_ref()).map(ProcedureId::as_str).collect();
            found.push(format!("`{intent}` was not followed, but: {}", seen.join(", ")));
        }
    }
    for article in &expect.cites {
        if !replies.iter().any(|reply| reply.citations.iter().any(|c| c.article == *article)) {
            found.push(format!("no reply cites `{article}`"));
        }
    }
}

fn holds(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

/// What a customer reads: the words and the quick replies under them.
fn shown(message: &Message) -> String {
    format!("{}\n{}", message.text, message.choices.join("\n"))
}

fn said(label: &str, wanted: &[Said], replies: &[&Message], found: &mut Vec<String>) {
    for wanted in wanted {
        let parts = wanted.parts();
        if !parts.iter().any(|part| replies.iter().any(|r| holds(&shown(r), part))) {
            found.push(format!("{label}: nothing says “{}”", parts.join("” or “")));
        }
    }
}

fn never(label: &str, forbidden: &[String], replies: &[&Message], found: &mut Vec<String>) {
    for part in forbidden {
        if replies.iter().any(|reply| holds(&shown(reply), part)) {
            found.push(format!("{label} says “{part}”, which is forbidden"));
        }
    }
}

fn tools(expect: &Expect, trial: &Trial, found: &mut Vec<String>) {
    let called = |tool: &String| trial.receipts.iter().any(|receipt| receipt.tool == *tool);
    found.extend(expect.tools.called.iter().filter(|t| !called(t)).map(|t| format!("`{t}` was not called")));
    found.extend(expect.tools.not_called.iter().filter(|t| called(t)).map(|t| format!("`{t}` was called")));
}

fn world(expect: &Expect, trial: &Trial, found: &mut Vec<String>) {
    for (order, wanted) in &expect.world.orders {
        let got = trial.after["orders"][order]["status"].as_str().unwrap_or("unknown");
        if got != wanted {
            found.push(format!("order {order} is `{got}`, not `{wanted}`"));
        }
    }
    let length = |world: &Value, list: &str| world[list].as_array().map_or(0, Vec::len);
    for (list, wanted) in [("refunds", expect.world.refunds), ("effects", expect.world.effects)] {
        let got = length(&trial.after, list).saturating_sub(length(&trial.before, list));
        if let Some(wanted) = wanted.filter(|wanted| *wanted != got) {
            found.push(format!("there were {got} new {list}, not {wanted}"));
        }
    }
    let effects = trial.after["effects"].as_array().into_iter().flatten();
    for effect in effects.filter(|effect| effect["count"].as_i64().unwrap_or(0) > 1) {
        found.push(format!("`{}` took effect twice", effect["tool"].as_str().unwrap_or("?")));
    }
}

fn note(wanted: &HandoffExpect, handoff: &Handoff, found: &mut Vec<String>) {
    let mut same = |label: &str, wanted: &Option<String>, got: &str| {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != got) {
            found.push(format!("the handoff's {label} is `{got}`, not `{wanted}`"));
        }
    };
    same("team", &wanted.team, handoff.team.as_str());
    same("reason", &wanted.reason, &handoff.reason);
    same("urgency", &wanted.urgency, handoff.urgency.as_str());
    let approval = handoff.note.approval.as_ref().map_or("none", |approval| &approval.tool);
    same("approval", &wanted.approval, approval);
    let whole = serde_json::to_string(&handoff.note).unwrap_or_default();
    found.extend(
        wanted.note_has.iter().filter(|part| !holds(&whole, part)).map(|p| format!("the note lacks “{p}”")),
    );
    let fields = serde_json::to_value(&handoff.note).unwrap_or_default();
    let matter = format!("{} {}", fields["issue"], fields["wants"]);
    found.extend(
        wanted
            .matter_lacks
            .iter()
            .filter(|part| holds(&matter, part))
            .map(|p| format!("the note is about “{p}”")),
    );
    for field in &wanted.filled {
        let value = &fields[field];
        let empty = value.is_null()
            || value.get("unknown_because").is_some()
            || value.as_array().is_some_and(Vec::is_empty)
            || value.as_str().is_some_and(str::is_empty);
        if empty {
            found.push(format!("the note's `{field}` is not filled"));
        }
    }
}

/// A note is complete when every field is filled or says why not, and the transcript holds every message.
fn complete(handoff: &Handoff, trial: &Trial, found: &mut Vec<String>) {
    let note = &handoff.note;
    for (field, value) in [
        ("customer", &note.customer),
        ("issue", &note.issue),
        ("wants", &note.wants),
        ("promised", &note.promised),
        ("next_step", &note.next_step),
        ("told", &note.told),
    ] {
        let empty = match value {
            Known::Value(text) | Known::Unknown { unknown_because: text } => text.trim().is_empty(),
        };
        if empty {
            found.push(format!("the note's `{field}` says neither what nor why not"));
        }
    }
    if note.reason.trim().is_empty() || note.verified.trim().is_empty() || note.channels.is_empty() {
        found.push("the note lacks its reason, the proof of identity or the channels".to_owned());
    }
    let replies = trial.played.iter().flat_map(|p| &p.replies);
    let before = replies.filter(|reply| reply.at < handoff.at && reply.case == handoff.case);
    for reply in before {
        if !note.transcript.iter().any(|line| line.text == reply.text) {
            found.push("the note's transcript lacks a reply".to_owned());
        }
    }
}

/// The same question twice, word for word, is a question that should not have been asked again.
fn asked_twice(trial: &Trial, found: &mut Vec<String>) {
    let mut asked: Vec<&str> = Vec::new();
    for reply in trial.played.iter().flat_map(|p| &p.replies) {
        let text = reply.text.trim();
        if text.ends_with('?') {
            if asked.contains(&text) {
                found.push(format!("asked twice: “{text}”"));
            }
            asked.push(text);
        }
    }
}
