//! To whom a waiting case is offered, and why; or why to nobody.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{channel_words, language_name, listed, missing, span};
use super::{Ask, KEPT_ONE_IN, Person, Presence, Rules, WHOLE, rank};
use crate::domain::ids::{AgentId, CaseId, TeamId};
use crate::domain::time::Timestamp;
use crate::domain::triage::Urgency;

/// What came of looking for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// This person, for these reasons.
    Offer {
        /// To whom.
        agent: AgentId,
        /// Why, one short reason after the other.
        because: Vec<String>,
    },
    /// Nobody now.
    Nobody {
        /// What is in the way.
        because: String,
    },
}

/// What is true of all who work here together.
pub(super) struct Crowd {
    /// Somebody has a skill written down. Where nobody has, skills decide nothing.
    skilled: bool,
    /// Teams that somebody is in. A team of nobody is that of everybody who may see it.
    teams: BTreeSet<TeamId>,
}

impl Crowd {
    pub(super) fn of(people: &[Person]) -> Self {
        Self {
            skilled: people.iter().any(|person| !person.skills.is_empty()),
            teams: people.iter().flat_map(|person| person.teams.iter().cloned()).collect(),
        }
    }
}

/// What is no longer demanded of this case at this moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Widened {
    language: bool,
    preferred: bool,
    required: bool,
}

fn widened(ask: &Ask, now: Timestamp, rules: &Rules) -> Widened {
    let waited = now.ms_since(ask.since);
    let percent = if ask.urgency == Urgency::Urgent { rules.widen_urgent_percent.clamp(0, 100) } else { 100 };
    let over = |wait_ms: i64| waited >= (i128::from(wait_ms) * i128::from(percent) / 100) as i64;
    Widened {
        language: over(rules.widen_language_ms),
        preferred: over(rules.widen_preferred_ms),
        required: over(rules.widen_required_ms),
    }
}

/// How well a person fits. What they lack was widened, else they would not fit at all.
struct Fit {
    outsider: bool,
    lacks_required: BTreeSet<String>,
    lacks_preferred: BTreeSet<String>,
    foreign: bool,
}

impl Fit {
    fn misses(&self) -> (usize, usize, usize) {
        let required = usize::from(self.outsider) + self.lacks_required.len();
        (required, usize::from(self.foreign), self.lacks_preferred.len())
    }
}

fn in_team(ask: &Ask, person: &Person, crowd: &Crowd) -> bool {
    let Some(team) = &ask.team else { return true };
    let unclaimed = person.teams.is_empty() || !crowd.teams.contains(team);
    person.teams.contains(team) || (person.everywhere && unclaimed)
}

fn lacks(ask: &Ask, person: &Person, crowd: &Crowd) -> BTreeSet<String> {
    if crowd.skilled { missing(&ask.required, &person.skills) } else { BTreeSet::new() }
}

fn speaks(ask: &Ask, person: &Person) -> bool {
    person.languages.is_empty() || person.languages.iter().any(|own| own.eq_ignore_ascii_case(&ask.language))
}

fn serves(ask: &Ask, person: &Person) -> bool {
    person.channels.is_empty() || person.channels.contains(&ask.channel)
}

fn fit(ask: &Ask, person: &Person, crowd: &Crowd, wide: Widened) -> Option<Fit> {
    let outsider = !in_team(ask, person, crowd);
    let lacks_required = lacks(ask, person, crowd);
    let foreign = !speaks(ask, person);
    // Whoever may not see a team's cases is never offered one, however long it waits.
    let stands = serves(ask, person)
        && (!outsider || (wide.required && person.everywhere))
        && (wide.required || lacks_required.is_empty())
        && (wide.language || !foreign);
    stands.then(|| Fit {
        outsider,
        lacks_required,
        lacks_preferred: missing(&ask.preferred, &person.skills),
        foreign,
    })
}

/// What somebody lacks for a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// Nothing.
    Nothing,
    /// A skill that would help.
    Preferred,
    /// The team, a skill or the language; that was widened.
    Needed,
}

/// Whether a person may have a case at a moment, and what they lack for it.
pub(super) fn suits(
    ask: &Ask,
    person: &Person,
    crowd: &Crowd,
    (now, rules): (Timestamp, &Rules),
) -> Option<Lack> {
    let fit = fit(ask, person, crowd, widened(ask, now, rules))?;
    Some(match fit.misses() {
        (0, 0, 0) => Lack::Nothing,
        (0, 0, _) => Lack::Preferred,
        _ => Lack::Needed,
    })
}

fn has_room(ask: &Ask, person: &Person, rules: &Rules) -> bool {
    person.load + rules.weight(&person.capacity, &ask.channel) <= WHOLE
}

/// Whether the person can have the case now: they have room, or it is urgent and may come on top.
fn can_take(ask: &Ask, person: &Person, rules: &Rules) -> bool {
    has_room(ask, person, rules) || (ask.urgency == Urgency::Urgent && person.takes_on_top(rules))
}

/// Looks for the person to whom `ask` is offered at `now`. `people` are all who have an account, present or not.
pub fn choose(ask: &Ask, people: &[Person], now: Timestamp, rules: &Rules) -> Choice {
    look(ask, people, (&Crowd::of(people), &BTreeSet::new()), now, rules).0
}

/// The choice, and where everybody who fits is too full: the least busy of them, for whom it waits. Whoever is `kept` for
/// such a case has no room for others.
fn look(
    ask: &Ask,
    people: &[Person],
    (crowd, kept): (&Crowd, &BTreeSet<AgentId>),
    now: Timestamp,
    rules: &Rules,
) -> (Choice, Option<AgentId>) {
    let nobody = |because: String| (Choice::Nobody { because }, None);
    let wide = widened(ask, now, rules);
    let online = people.iter().filter(|person| person.presence == Presence::Online);
    let mut fitting: Vec<(&Person, Fit)> =
        online.filter_map(|person| Some((person, fit(ask, person, crowd, wide)?))).collect();
    if fitting.is_empty() {
        return nobody(in_the_way(ask, people, crowd, wide));
    }
    // Who has what is preferred is waited for, as long as somebody at work has it.
    if !wide.preferred && fitting.iter().any(|(_, fit)| fit.lacks_preferred.is_empty()) {
        fitting.retain(|(_, fit)| fit.lacks_preferred.is_empty());
    }
    let passed: BTreeMap<&AgentId, Timestamp> =
        ask.passed.iter().map(|passed| (&passed.agent, passed.at)).collect();
    let again = fitting.iter().all(|(person, _)| passed.contains_key(&person.id));
    fitting.retain(|(person, _)| match passed.get(&person.id) {
        None => true,
        Some(at) => again && now.ms_since(*at) >= rules.again_ms,
    });
    if fitting.is_empty() {
        return nobody("everybody who fits has let it pass".to_owned());
    }
    let least_busy = fitting.iter().filter(|(person, _)| !kept.contains(&person.id));
    let waits_for =
        least_busy.min_by_key(|(person, _)| (person.load, &person.id)).map(|(person, _)| person.id.clone());
    fitting.retain(|(person, _)| can_take(ask, person, rules) && !kept.contains(&person.id));
    let best = fitting.iter().min_by_key(|(person, fit)| {
        // Of equal load: whoever can do least else, so that those who can do much stay free for it.
        let versatile = person.skills.len() + person.languages.len();
        let unstated = person.languages.is_empty();
        let on_top = !has_room(ask, person, rules);
        (fit.misses(), on_top, unstated, person.load, versatile, person.last_given, &person.id)
    });
    match best {
        None => {
            let because = "everybody who fits has as much as they can take".to_owned();
            (Choice::Nobody { because }, waits_for)
        }
        Some((person, fit)) => {
            let because = reasons(ask, person, fit, (now, rules, again, crowd));
            (Choice::Offer { agent: person.id.clone(), because }, None)
        }
    }
}

fn reasons(
    ask: &Ask,
    person: &Person,
    fit: &Fit,
    (now, rules, again, crowd): (Timestamp, &Rules, bool, &Crowd),
) -> Vec<String> {
    let waited = span(now.ms_since(ask.since));
    let mut because = Vec::new();
    if fit.outsider {
        because.push(format!("nobody of {} could take it for {waited}", ask.team_name));
    } else if ask.team.as_ref().is_some_and(|team| person.teams.contains(team)) {
        because.push(format!("is in {}", ask.team_name));
    }
    if fit.foreign {
        because
            .push(format!("nobody who speaks {} could take it for {waited}", language_name(&ask.language)));
    } else if !person.languages.is_empty() {
        because.push(format!("speaks {}", language_name(&ask.language)));
    }
    let sought: BTreeSet<String> = ask.required.union(&ask.preferred).cloned().collect();
    let knows: BTreeSet<String> = sought.intersection(&person.skills).cloned().collect();
    if crowd.skilled && !knows.is_empty() {
        because.push(format!("knows {}", listed(&knows)));
    }
    if !fit.lacks_required.is_empty() {
        because.push(format!("nobody who knows {} could take it for {waited}", listed(&fit.lacks_required)));
    }
    if crowd.skilled && !fit.lacks_preferred.is_empty() {
        because
            .push(format!("{} would help, and nobody who knows it was free", listed(&fit.lacks_preferred)));
    }
    if again {
        because.push("everybody who fits has let it pass before".to_owned());
    }
    let fills = rules.fills(&person.capacity, &ask.channel);
    let weight = rules.weight(&person.capacity, &ask.channel);
    let taken = (person.load + weight - 1) / weight;
    because.push(format!("{} of {fills} taken", taken.min(fills)));
    if !has_room(ask, person, rules) {
        because.push("urgent, so one more than usual".to_owned());
    }
    because
}

/// The first thing that nobody at work has.
fn in_the_way(ask: &Ask, people: &[Person], crowd: &Crowd, wide: Widened) -> String {
    let mut left: Vec<&Person> = people.iter().filter(|person| person.presence == Presence::Online).collect();
    if left.is_empty() {
        return "nobody is online".to_owned();
    }
    left.retain(|person| serves(ask, person));
    if left.is_empty() {
        return format!("nobody online serves {}", channel_words(&ask.channel));
    }
    left.retain(|person| (wide.required && person.everywhere) || in_team(ask, person, crowd));
    if left.is_empty() {
        return format!("nobody of {} is online", ask.team_name);
    }
    left.retain(|person| wide.required || lacks(ask, person, crowd).is_empty());
    if left.is_empty() {
        return format!("nobody online there knows {}", listed(&ask.required));
    }
    format!("nobody online there speaks {}", language_name(&ask.language))
}

/// Cases that ask for the same of people who have not let them pass: where one finds nobody, none does. Urgent ones find
/// people where others find none.
type Need<'a> =
    (Option<&'a TeamId>, &'a BTreeSet<String>, &'a BTreeSet<String>, &'a str, &'a str, Widened, bool);

/// Goes through the waiting cases in their order and offers each to whoever fits best, as long as somebody has room.
/// What is offered weighs on `people` at once, so nobody gets more than they can take and no case goes to two. For a case
/// that waits until somebody has room, one of those who fit is kept free of what comes after it: else a call, which needs a
/// whole person, would never come to somebody whom chats keep a little busy. Only a few are kept at a time
/// ([`KEPT_ONE_IN`]), for the cases that come first; urgent ones always have somebody kept.
pub fn plan(asks: &mut [Ask], people: &mut [Person], now: Timestamp, rules: &Rules) -> Vec<(CaseId, Choice)> {
    rank(asks, now, rules);
    let crowd = Crowd::of(people);
    let online = people.iter().filter(|person| person.presence == Presence::Online).count();
    let kept_max = (online / KEPT_ONE_IN).max(1);
    let mut vain: BTreeMap<Need<'_>, String> = BTreeMap::new();
    let mut kept: BTreeSet<AgentId> = BTreeSet::new();
    let mut plan = Vec::new();
    for ask in asks.iter() {
        let need: Need<'_> = (
            ask.team.as_ref(),
            &ask.required,
            &ask.preferred,
            ask.language.as_str(),
            ask.channel.as_str(),
            widened(ask, now, rules),
            ask.urgency == Urgency::Urgent,
        );
        let known = if ask.passed.is_empty() { vain.get(&need) } else { None };
        let choice = if let Some(because) = known {
            Choice::Nobody { because: because.clone() }
        } else {
            let (choice, waits_for) = look(ask, people, (&crowd, &kept), now, rules);
            kept.extend(waits_for.filter(|_| ask.urgency == Urgency::Urgent || kept.len() < kept_max));
            choice
        };
        match &choice {
            Choice::Offer { agent, .. } => {
                if let Some(person) = people.iter_mut().find(|person| person.id == *agent) {
                    let weight = rules.weight(&person.capacity, &ask.channel);
                    person.load += weight;
                    person.engrossed |= weight == WHOLE;
                    person.last_given = now;
                }
            }
            Choice::Nobody { because } => {
                if ask.passed.is_empty() {
                    vain.insert(need, because.clone());
                }
            }
        }
        plan.push((ask.case.clone(), choice));
    }
    plan
}

#[cfg(test)]
mod tests;
