//! The same numbers a second way, for the audit: each is counted over the whole log by itself, and nothing is carried
//! from one line to the next. Slower, and it shares no step with [`Facts`](super::Facts) but the names of what is counted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::sums::{Count, Named, Sums};
use super::times::Time;
use super::{ARTICLES_MAX, CONTAINED_MS, CONVERSATION_MS, DURABLE_MS, Place, day_of, label};
use crate::domain::event::Event;
use crate::domain::time::Timestamp;

/// One case as its whole log tells.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a log says or does not say")]
pub struct Counted {
    id: String,
    place: Place,
    person: String,
    matter: String,
    opened_at: i64,
    last_at: i64,
    resolved_at: Option<i64>,
    request: bool,
    people: bool,
    confirmed: bool,
    returned: bool,
    further: bool,
    ever: bool,
    articles: BTreeSet<String>,
    sums: Sums,
}

mod steps;

struct Line {
    at: i64,
    kind: String,
    body: Value,
}

impl Line {
    fn is(&self, kind: &str) -> bool {
        self.kind == kind
    }

    fn word(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, name: &str) -> i64 {
        self.body.get(name).and_then(Value::as_i64).unwrap_or_default()
    }

    fn has(&self, name: &str) -> bool {
        self.body.get(name).is_some()
    }

    fn by_assistant(&self) -> bool {
        self.is("replied") || self.is("handed_off") || (self.is("resolved") && self.has("turn"))
    }

    fn ends_turn(&self) -> bool {
        self.by_assistant() || self.is("silent")
    }

    fn by_person(&self) -> bool {
        self.is("agent_replied") && !self.has("approval")
    }

    fn settled_by_person(&self) -> bool {
        self.is("resolved") && !self.has("turn")
    }

    fn to_person(&self) -> bool {
        self.is("assigned") && (!self.word("agent").is_empty() || self.word("reason") == "snooze_over")
    }

    fn unresolves(&self) -> bool {
        let taken = self.is("assigned") && !self.word("agent").is_empty();
        self.is("reopened") || self.is("handed_off") || self.by_person() || taken
    }

    /// A score that was answered with thanks at once.
    fn thanked(&self) -> bool {
        self.is("rated") && self.has("turn")
    }

    fn answers(&self) -> bool {
        self.is("replied") || self.is("resolved") || self.by_person() || self.thanked()
    }

    fn requests(&self) -> bool {
        let asked = self.is("triaged") && self.word("reason") != "small_talk";
        asked || self.is("handed_off") || self.by_person() || (self.is("resolved") && self.has("turn"))
    }

    fn of_people(&self) -> bool {
        self.is("handed_off") || self.by_person() || self.to_person() || self.settled_by_person()
    }

    /// Whether it says where the case belongs.
    fn places(&self) -> bool {
        self.is("opened") || self.by_assistant() || self.is("assigned")
    }

    fn spoken(&self) -> bool {
        ["opened", "received", "replied", "resolved", "handed_off", "agent_replied", "reopened"]
            .contains(&self.kind.as_str())
    }
}

/// Reads the whole log of one case, oldest line first; none for an empty one.
pub fn count(events: &[Event], zone: &jiff::tz::TimeZone) -> Option<Counted> {
    let case = &events.first()?.case;
    let read = |event: &Event| serde_json::from_str(&event.body).unwrap_or_default();
    let lines: Vec<Line> = events
        .iter()
        .map(|event| Line { at: event.at.0, kind: event.kind.clone(), body: read(event) })
        .collect();
    let lines = lines.as_slice();
    let any = |holds: fn(&Line) -> bool| lines.iter().any(holds);
    let opened = lines.iter().find(|line| line.is("opened"));
    let opened_at = opened.map_or(0, |line| line.at);
    let newest = |name: &str| -> String {
        let said = lines.iter().rev().filter(|line| line.places());
        said.map(|line| line.word(name)).find(|word| !word.is_empty()).unwrap_or_default().to_owned()
    };
    let place = Place {
        day: day_of(Timestamp(opened_at), zone),
        channel: opened.map_or_else(String::new, |line| line.word("channel").to_owned()),
        intent: newest("intent"),
        team: newest("team"),
        language: newest("language"),
    };
    let who = lines.iter().rev().find_map(|line| match line.kind.as_str() {
        "merged" => Some(line.word("kept")),
        "unmerged" => Some(line.word("absorbed")),
        "opened" => Some(line.word("customer")),
        _ => None,
    });
    let articles = articles(lines);
    let matter = match (place.intent.as_str(), articles.first()) {
        ("", Some(article)) => format!("article:{article}"),
        (intent, _) => intent.to_owned(),
    };
    let standing = resolved(lines);
    let counted = Counted {
        id: case.to_string(),
        place,
        person: who.filter(|who| !who.is_empty()).map_or_else(|| case.to_string(), str::to_owned),
        matter,
        opened_at,
        last_at: lines.iter().rev().find(|line| line.spoken()).map_or(0, |line| line.at),
        resolved_at: standing.map(|line| line.at),
        request: any(Line::requests),
        people: any(Line::of_people),
        confirmed: since_open(lines)
            .iter()
            .any(|line| line.is("resolved") && line.word("resolution") == "confirmed"),
        returned: came_again(lines).any(|line| line.word("reason") == "customer_wrote"),
        further: further(lines),
        ever: any(|line| line.is("resolved")),
        articles,
        sums: Sums::default(),
    };
    let mut sums = steps::sums(lines);
    sums.tick(Count::Requests, counted.request);
    sums.tick(Count::Resolved, counted.ever);
    sums.tick(Count::ResolvedPeople, since_open(lines).iter().any(Line::settled_by_person));
    let again = any(|line| line.is("reopened") && line.word("reason") != "customer_wrote");
    sums.tick(Count::Reopened, counted.ever && (again || came_again(lines).next().is_some()));
    sums.tick(Count::HandedCases, counted.people);
    if let Some(at) = counted.resolved_at {
        sums.time(Time::Resolution, (at - opened_at).max(0));
    }
    Some(Counted { sums, ..counted })
}

/// What came after the case was last not resolved.
fn since_open(lines: &[Line]) -> &[Line] {
    let from = lines.iter().rposition(Line::unresolves).map_or(0, |at| at + 1);
    lines.get(from..).unwrap_or_default()
}

/// The resolution that stands: the newest of a person, else the first of the assistant.
fn resolved(lines: &[Line]) -> Option<&Line> {
    let since = since_open(lines);
    let of_people = since.iter().rev().find(|line| line.settled_by_person());
    of_people.or_else(|| since.iter().find(|line| line.is("resolved")))
}

/// Where the case was opened again later than the conversation went on.
fn came_again(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().enumerate().filter_map(move |(at, line)| {
        let stood = line.is("reopened").then(|| resolved(&lines[..at])).flatten()?;
        (line.at - stood.at > CONVERSATION_MS).then_some(line)
    })
}

/// Whether the customer had to make a second contact: elsewhere, or pressing for an answer.
fn further(lines: &[Line]) -> bool {
    let heard: Vec<usize> = places(lines, |line| line.is("received"));
    heard.windows(2).any(|pair| {
        let (before, after) = (&lines[pair[0]], &lines[pair[1]]);
        let elsewhere = !before.word("channel").is_empty() && before.word("channel") != after.word("channel");
        let pressed =
            after.at - before.at > CONVERSATION_MS && !lines[pair[0]..pair[1]].iter().any(Line::answers);
        elsewhere || pressed
    })
}

/// Where the lines stand for which something holds.
fn places(lines: &[Line], holds: impl Fn(&Line) -> bool) -> Vec<usize> {
    lines.iter().enumerate().filter(|(_, line)| holds(line)).map(|(at, _)| at).collect()
}

fn articles(lines: &[Line]) -> BTreeSet<String> {
    let mut cited = BTreeSet::new();
    for line in lines.iter().filter(|line| line.answers() && line.by_assistant()) {
        let named = line.body.get("articles").and_then(Value::as_array).into_iter().flatten();
        for article in named.filter_map(Value::as_str) {
            if cited.len() < ARTICLES_MAX {
                cited.insert(label(article));
            }
        }
    }
    cited
}

/// Adds up all cases as they stand at `now`, in Unix milliseconds, by the place where each is counted.
pub fn add_up(mut cases: Vec<Counted>, now: i64) -> BTreeMap<Place, Sums> {
    // One person's cases on one matter stand together, in the order in which they began.
    cases.sort_by(|a, b| {
        (&a.person, &a.matter, a.opened_at, &a.id).cmp(&(&b.person, &b.matter, b.opened_at, &b.id))
    });
    let mut all: BTreeMap<Place, Sums> = BTreeMap::new();
    for at in 0..cases.len() {
        let case = &cases[at];
        let related = |other: &&Counted| {
            !case.matter.is_empty() && other.person == case.person && other.matter == case.matter
        };
        let before = at.checked_sub(1).and_then(|at| cases.get(at)).filter(related);
        let after = cases.get(at + 1).filter(related);
        let sums = case.with_time(before, after, now);
        all.entry(case.place.clone()).or_default().merge(&sums, 1);
    }
    all
}

impl Counted {
    /// The day on which the case began.
    pub fn day(&self) -> i64 {
        self.place.day
    }

    fn with_time(&self, before: Option<&Self>, after: Option<&Self>, now: i64) -> Sums {
        let mut sums = self.sums.clone();
        let within = |from: i64, to: i64, ms: i64| (0..=ms).contains(&(to - from));
        let follows = before
            .and_then(|case| case.resolved_at)
            .is_some_and(|then| within(then, self.opened_at, DURABLE_MS));
        let left = |ms| {
            let again = after.map(|case| case.opened_at);
            self.resolved_at.zip(again).is_some_and(|(then, again)| within(then, again, ms))
        };
        let alone = self.request && self.resolved_at.is_some() && !self.people;
        let age = now - self.resolved_at.unwrap_or(self.last_at);
        let quiet = age >= DURABLE_MS;
        let age = if self.people { now - self.opened_at } else { age };
        let (day, week) = (age >= CONTAINED_MS, age >= DURABLE_MS);
        let back = self.returned || left(DURABLE_MS);
        let contained = alone && day && !left(CONTAINED_MS);
        let settled = !self.people || self.resolved_at.is_some();
        let first = self.request && quiet && settled && !follows;
        for (count, holds) in [
            (Count::Automated, alone),
            (Count::SettledDay, self.request && day),
            (Count::Contained, contained),
            (Count::Confirmed, alone && day && self.confirmed),
            (Count::SettledWeek, self.request && week),
            (Count::Durable, alone && week && !back),
            (Count::Returned, self.ever && back),
            (Count::FirstContacts, first),
            (Count::FirstContactResolved, first && self.resolved_at.is_some() && !self.further && !back),
        ] {
            sums.tick(count, holds);
        }
        for article in &self.articles {
            sums.name(Named::Article, article, 1);
            sums.name(Named::ArticleContained, article, i64::from(contained));
            sums.name(Named::ArticleFailed, article, i64::from(self.people || back));
        }
        sums
    }
}
