//! What a procedure does, top to bottom.

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use crate::domain::procedure::{Action, Verb};

use super::slots::is_name;
use super::{Ordered, Review};

/// Names that a result cannot have, as they mean something else in every template.
const TAKEN: [&str; 5] = ["slots", "customer", "case", "item", "env"];

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Keys {
    r#if: Option<String>,
    call: Option<String>,
    with: Option<Ordered<String>>,
    r#as: Option<Spanned<String>>,
    confirm: Option<String>,
    on_error: Option<Spanned<String>>,
    say: Option<String>,
    answer: Option<Vec<String>>,
    ask: Option<String>,
    hand_off: Option<HandOff>,
    steps: Option<Vec<Spanned<Keys>>>,
    r#else: Option<Vec<Spanned<Keys>>>,
    done: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct HandOff {
    reason: Option<Spanned<String>>,
    urgency: Option<Spanned<String>>,
    team: Option<Spanned<String>>,
    say: Option<String>,
}

/// Checks the steps; `slots` are the names that texts and conditions may use.
pub(super) fn read(steps: Vec<Spanned<Keys>>, slots: &[&str], review: &mut Review<'_>) -> Vec<Action> {
    steps.into_iter().map(|step| action(step.value, step.referenced, slots, review)).collect()
}

fn action(mut keys: Keys, at: Location, slots: &[&str], review: &mut Review<'_>) -> Action {
    known_slots(&keys, at, slots, review);
    let verbs = [
        ("call", keys.call.is_some()),
        ("say", keys.say.is_some()),
        ("answer", keys.answer.is_some()),
        ("ask", keys.ask.is_some()),
        ("hand_off", keys.hand_off.is_some()),
        ("steps", keys.steps.is_some()),
    ];
    let given: Vec<&str> = verbs.iter().filter(|(_, given)| *given).map(|(verb, _)| *verb).collect();
    if given.len() > 1 {
        let message = format!("one step has {}", given.join(" and "));
        review.add(at, message, "begin a new step with `-` for each");
    } else if given.is_empty() && !keys.done {
        let advice = "write one of call, say, answer, ask, hand_off, steps, or `done: true`";
        review.add(at, "the step does nothing", advice);
    }
    let belongs_to_call =
        keys.with.is_some() || keys.r#as.is_some() || keys.confirm.is_some() || keys.on_error.is_some();
    if keys.call.is_none() && belongs_to_call {
        review.add(
            at,
            "`with`, `as`, `confirm` and `on_error` belong to a call",
            "add `call:`, or leave them out",
        );
    }
    if keys.r#else.is_some() && keys.r#if.is_none() {
        review.add(at, "`else` without `if`", "add the condition");
    }
    let otherwise = read(keys.r#else.take().unwrap_or_default(), slots, review);
    let (condition, done) = (keys.r#if.take(), keys.done);
    Action { condition, verb: verb(keys, at, slots, review), otherwise, done }
}

fn verb(keys: Keys, at: Location, slots: &[&str], review: &mut Review<'_>) -> Verb {
    if let Some(tool) = keys.call {
        let tolerant = keys.on_error.as_ref().is_some_and(|word| word.value == "continue");
        if let Some(word) = keys.on_error.filter(|word| word.value != "continue") {
            review.add(
                word.referenced,
                format!("`{}` is not known here", word.value),
                "write continue, or leave it out",
            );
        }
        if let Some(name) =
            keys.r#as.as_ref().filter(|n| !is_name(&n.value) || TAKEN.contains(&n.value.as_str()))
        {
            let advice = "write lower-case letters, digits and `_`, none of slots, customer, case, item, env";
            review.add(name.referenced, format!("a result cannot be called `{}`", name.value), advice);
        }
        let with =
            keys.with.unwrap_or_default().0.into_iter().map(|(name, text)| (name, text.value)).collect();
        return Verb::Call {
            tool,
            with,
            bind: keys.r#as.map(|name| name.value),
            confirm: keys.confirm,
            tolerant,
        };
    }
    if let Some(text) = keys.say {
        return Verb::Say(text);
    }
    if let Some(articles) = keys.answer {
        if articles.is_empty() {
            review.add(at, "`answer` names no article", "write the ids of articles");
        }
        return Verb::Answer(articles);
    }
    if let Some(slot) = keys.ask {
        if !slots.contains(&slot.as_str()) {
            review.add(at, format!("there is no slot `{slot}`"), "declare it under `slots`");
        }
        return Verb::Ask(slot);
    }
    if let Some(hand_off) = keys.hand_off {
        return self::hand_off(hand_off, at, review);
    }
    Verb::Block(read(keys.steps.unwrap_or_default(), slots, review))
}

fn hand_off(keys: HandOff, at: Location, review: &mut Review<'_>) -> Verb {
    let urgency = review.urgency(keys.urgency.as_ref());
    let team = review.team(keys.team.as_ref());
    let (reason, place) = keys.reason.map_or((String::new(), at), |reason| (reason.value, reason.referenced));
    if !is_name(&reason) {
        review.add(
            place,
            "a handoff says why in one word",
            "write `reason:` in lower case with `_`, as late_parcel",
        );
    }
    Verb::HandOff { reason, urgency, team, say: keys.say }
}

/// Every `slots.<name>` in a text or condition of the step itself is declared.
fn known_slots(keys: &Keys, at: Location, slots: &[&str], review: &mut Review<'_>) {
    let with = keys.with.iter().flat_map(|with| with.0.iter().map(|(_, text)| text.value.as_str()));
    let said = keys.hand_off.as_ref().and_then(|hand_off| hand_off.say.as_deref());
    let texts = [keys.r#if.as_deref(), keys.say.as_deref(), keys.confirm.as_deref(), said];
    let mut missing: Vec<&str> = Vec::new();
    for text in texts.into_iter().flatten().chain(with) {
        for name in slots_in(text) {
            if !slots.contains(&name) && !missing.contains(&name) {
                missing.push(name);
            }
        }
    }
    for name in missing {
        review.add(at, format!("there is no slot `{name}`"), "declare it under `slots`");
    }
}

/// The names after `slots.` in a template.
fn slots_in(text: &str) -> impl Iterator<Item = &str> {
    let starts_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    text.match_indices("slots.").filter_map(move |(at, found)| {
        let inside = text.get(..at)?.ends_with(starts_a_name);
        let rest = text.get(at + found.len()..)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.get(..end).filter(|name| !inside && !name.is_empty())
    })
}
