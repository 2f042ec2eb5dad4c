//! Procedures: Markdown with front matter, read into checked values; all that is wrong is named at once.

mod slots;
mod steps;
mod unproven;

use std::collections::BTreeSet;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_saphyr::{Location, Spanned};

use crate::domain::assurance::Assurance;
use crate::domain::ids::{ProcedureId, TeamId};
use crate::domain::procedure::{Action, Limits, Mode, Procedure, Slot, Tier, Verb};
use crate::domain::routing::{SKILL_ADVICE, skill};
use crate::domain::triage::Urgency;

use super::front::{self, Front, stem};
use super::problem::Problem;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    id: Option<Spanned<String>>,
    title: Option<String>,
    tier: Option<Spanned<u8>>,
    examples: Vec<String>,
    team: Option<Spanned<String>>,
    urgency: Option<Spanned<String>>,
    slots: Ordered<slots::Keys>,
    assurance: Option<Spanned<String>>,
    confirm: Option<String>,
    limits: Option<Spanned<LimitKeys>>,
    tools: Option<Vec<String>>,
    mode: Option<Spanned<String>>,
    steps: Vec<Spanned<steps::Keys>>,
    unproven: Option<Spanned<unproven::Keys>>,
    follow_ups: Vec<String>,
    articles: Vec<String>,
    skills: Vec<Spanned<String>>,
    prefers: Vec<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct LimitKeys {
    max_amount_minor: Option<i64>,
    per_day_amount_minor: Option<i64>,
    per_day_calls: Option<i64>,
}

/// A mapping in the order of the file.
struct Ordered<V>(Vec<(String, Spanned<V>)>);

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Ordered<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Ordered<V>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("names with their values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<V>, A::Error> {
                let mut entries: Vec<(String, Spanned<V>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Spanned<V>>()? {
                    if entries.iter().any(|(other, _)| *other == name) {
                        return Err(de::Error::custom(format!("`{name}` is there twice")));
                    }
                    entries.push((name, value));
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries(std::marker::PhantomData))
    }
}

/// The problems of one file while it is read.
struct Review<'a> {
    file: &'a str,
    front: &'a Front<'a>,
    problems: Vec<Problem>,
}

impl Review<'_> {
    fn add(&mut self, at: Location, message: impl Into<String>, advice: &str) {
        self.problems.push(Problem::new(self.file, self.front.line(at), message, advice));
    }

    /// One of a few words; what is not given is `None`, what is wrong is named and `None` too.
    fn word<T>(
        &mut self,
        given: Option<&Spanned<String>>,
        read: fn(&str) -> Option<T>,
        words: &str,
    ) -> Option<T> {
        let given = given?;
        let value = read(given.value.trim());
        if value.is_none() {
            self.add(given.referenced, format!("`{}` is not known here", given.value), words);
        }
        value
    }

    fn urgency(&mut self, given: Option<&Spanned<String>>) -> Option<Urgency> {
        self.word(given, Urgency::parse, "write low, normal, high or urgent")
    }

    fn team(&mut self, given: Option<&Spanned<String>>) -> Option<TeamId> {
        self.word(
            given,
            |text| TeamId::parse(text).ok(),
            "write the name of a team: letters, digits, `-` and `_`",
        )
    }
}

/// Reads one procedure; every problem of the file is named.
pub(super) fn parse(file: &str, text: &str) -> Result<Procedure, Vec<Problem>> {
    let front = front::split(file, text).map_err(|problem| vec![problem])?;
    let keys: Keys = front.read(file).map_err(|problem| vec![problem])?;
    let mut review = Review { file, front: &front, problems: Vec::new() };
    let examples: Vec<String> = keys.examples.into_iter().filter(|e| !e.trim().is_empty()).collect();
    if examples.is_empty() {
        let advice = "write under `examples` how customers ask for it";
        review.problems.push(Problem::new(file, None, "there are no examples", advice));
    }
    let name = keys.id.as_ref().map_or_else(|| stem(file), |id| id.value.as_str());
    let id = ProcedureId::parse(name);
    if id.is_err() {
        let line = keys.id.as_ref().and_then(|id| front.line(id.referenced));
        let advice = "write 1 to 64 visible characters without spaces";
        review.problems.push(Problem::new(file, line, format!("`{name}` is no id"), advice));
    }
    let tier = match &keys.tier {
        Some(tier) if tier.value == 2 => Tier::Two,
        Some(tier) if tier.value != 1 => {
            review.add(tier.referenced, format!("there is no tier {}", tier.value), "write 1 or 2");
            Tier::One
        }
        Some(_) | None => Tier::One,
    };
    if let Some(step) = keys.steps.first().filter(|_| tier == Tier::Two) {
        review.add(
            step.referenced,
            "tier 2 has no steps",
            "leave the steps out: a person does it, or write `tier: 1`",
        );
    }
    let slots = slots::read(keys.slots, &mut review);
    let names: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
    let steps = steps::read(keys.steps, &names, &mut review);
    let team = review.team(keys.team.as_ref());
    let urgency = review.urgency(keys.urgency.as_ref()).unwrap_or_default();
    let levels = "write anonymous, claimed, channel or verified";
    let assurance = review.word(keys.assurance.as_ref(), Assurance::parse, levels).unwrap_or_default();
    let mode = review.word(keys.mode.as_ref(), mode, "write free or strict");
    let limits = limits(keys.limits, &mut review);
    let unproven = unproven::read(keys.unproven, assurance, &mut review);
    let (skills, prefers) = (skills(keys.skills, &mut review), skills(keys.prefers, &mut review));
    let (Ok(id), true) = (id, review.problems.is_empty()) else { return Err(review.problems) };
    let tools = keys.tools.unwrap_or_else(|| tools_of(&slots, &steps));
    let title = keys.title.map(|title| title.trim().to_owned()).filter(|title| !title.is_empty());
    let guidance = front.body.trim().to_owned();
    let follow_ups = keys.follow_ups.into_iter().filter(|words| !words.trim().is_empty()).collect();
    let mut procedure = Procedure {
        title: title.unwrap_or_else(|| id.as_str().replace(['-', '_'], " ")),
        id,
        tier,
        team,
        urgency,
        examples,
        slots,
        assurance,
        confirm: keys.confirm,
        limits,
        tools,
        mode,
        steps,
        unproven: None,
        follow_ups,
        articles: keys.articles,
        skills,
        prefers,
        guidance,
        file: file.to_owned(),
    };
    procedure.unproven = unproven.map(|steps| Box::new(steps.of(&procedure)));
    Ok(procedure)
}

/// Names of skills as accounts have them.
fn skills(keys: Vec<Spanned<String>>, review: &mut Review<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for key in keys {
        match skill(&key.value) {
            Some(name) => _ = names.insert(name),
            None => review.add(key.referenced, format!("`{}` is no skill", key.value), SKILL_ADVICE),
        }
    }
    names
}

fn mode(text: &str) -> Option<Mode> {
    match text {
        "free" => Some(Mode::Free),
        "strict" => Some(Mode::Strict),
        _ => None,
    }
}

fn limits(keys: Option<Spanned<LimitKeys>>, review: &mut Review<'_>) -> Limits {
    let Some(Spanned { value: keys, referenced, .. }) = keys else { return Limits::default() };
    let all = [keys.max_amount_minor, keys.per_day_amount_minor, keys.per_day_calls];
    if all.into_iter().flatten().any(|limit| limit < 0) {
        review.add(referenced, "a limit is below zero", "write amounts in minor units (cents), 0 or more");
    }
    Limits {
        max_amount_minor: keys.max_amount_minor,
        per_day_amount_minor: keys.per_day_amount_minor,
        per_day_calls: keys.per_day_calls,
    }
}

/// Every tool that the steps and the slots name, once, in order.
fn tools_of(slots: &[Slot], steps: &[Action]) -> Vec<String> {
    let mut tools: Vec<String> =
        slots.iter().filter_map(|slot| Some(slot.from.as_ref()?.tool.clone())).collect();
    each(steps, &mut |action| {
        if let Verb::Call { tool, .. } = &action.verb {
            tools.push(tool.clone());
        }
    });
    let mut seen = std::collections::BTreeSet::new();
    tools.retain(|tool| seen.insert(tool.clone()));
    tools
}

/// Every article that a procedure names, with repetitions.
pub(super) fn articles_named(procedure: &Procedure) -> Vec<String> {
    let mut articles = procedure.articles.clone();
    let unproven = procedure.unproven.iter().map(|unproven| &unproven.steps);
    for steps in std::iter::once(&procedure.steps).chain(unproven) {
        each(steps, &mut |action| {
            if let Verb::Answer(named) = &action.verb {
                articles.extend(named.iter().cloned());
            }
        });
    }
    articles
}

/// Visits every action, blocks and alternatives included.
fn each(actions: &[Action], visit: &mut impl FnMut(&Action)) {
    for action in actions {
        visit(action);
        if let Verb::Block(inner) = &action.verb {
            each(inner, visit);
        }
        each(&action.otherwise, visit);
    }
}

#[cfg(test)]
mod tests;
