//! Numbers that can be added over any set of cases, and how they are written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::label;
use super::times::{BUCKETS, Histogram, Time, bucket};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What is counted. Their order is their place in the record: new ones go to the end.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Count { $($(#[$doc])* $name,)* }

        impl Count {
            /// Every one, in the order of the record.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in addresses and files.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

counts! {
    /// Cases that began.
    Cases = "cases",
    /// … in which something was asked: not only a greeting, and not only automated mail.
    Requests = "requests",
    /// Messages of customers.
    MessagesIn = "messages_in",
    /// Messages of the assistant.
    MessagesAssistant = "messages_assistant",
    /// Messages of people.
    MessagesPeople = "messages_people",
    /// Requests that the assistant resolved and no person had.
    Automated = "automated",
    /// Requests of which 24 hours have shown what they came to.
    SettledDay = "settled_day",
    /// … that the assistant resolved, and nobody asked again in that time.
    Contained = "contained",
    /// … that the assistant resolved, and the customer said so.
    Confirmed = "confirmed",
    /// Requests of which seven days have shown what they came to.
    SettledWeek = "settled_week",
    /// … that the assistant resolved, and nobody came back in that time on any channel.
    Durable = "durable",
    /// Cases that were resolved at some time, by anybody.
    Resolved = "resolved",
    /// … by people, and stand so.
    ResolvedPeople = "resolved_people",
    /// … to which the customer came back.
    Returned = "returned",
    /// … that were opened again.
    Reopened = "reopened",
    /// Matters that a person brought for the first time and of which it is known what they came to.
    FirstContacts = "first_contacts",
    /// … that were resolved at that contact.
    FirstContactResolved = "first_contact_resolved",
    /// Cases that people had.
    HandedCases = "handed_cases",
    /// Handoffs.
    Handoffs = "handoffs",
    /// … in which a person did what the assistant could not.
    HandoffsRight = "handoffs_right",
    /// … that came back, or were closed, without a person's word or decision.
    HandoffsUnneeded = "handoffs_unneeded",
    /// Customers who were asked what they think of the assistant.
    AskedAssistant = "asked_assistant",
    /// … who answered.
    RatedAssistant = "rated_assistant",
    /// Their scores, added up.
    ScoreAssistant = "score_assistant",
    /// Scores of four and five among them.
    SatisfiedAssistant = "satisfied_assistant",
    /// Customers who were asked what they think of people.
    AskedPeople = "asked_people",
    /// … who answered.
    RatedPeople = "rated_people",
    /// Their scores, added up.
    ScorePeople = "score_people",
    /// Scores of four and five among them.
    SatisfiedPeople = "satisfied_people",
    /// Calls to a language model.
    ModelCalls = "model_calls",
    /// Tokens it read.
    TokensIn = "tokens_in",
    /// Tokens it wrote.
    TokensOut = "tokens_out",
    /// What they cost, in millionths of the currency of the prices.
    TokenMicros = "token_micros",
    /// Calls of tools.
    ToolCalls = "tool_calls",
    /// … that did not answer.
    ToolFailures = "tool_failures",
    /// What the assistant worked, in milliseconds.
    AssistantMs = "assistant_ms",
    /// What people worked, in milliseconds.
    PeopleMs = "people_ms",
    /// Waits under a promise that a person ended.
    LevelDue = "level_due",
    /// … that a person answered in time.
    LevelMet = "level_met",
    /// Cases with a question that nothing known answers.
    Gaps = "gaps",
}

const COUNTS: usize = Count::ALL.len();

/// What is counted under names that are not known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Named {
    /// Handoffs, by reason.
    Reason,
    /// … in which a person did what the assistant could not.
    ReasonRight,
    /// … that no person was needed for.
    ReasonUnneeded,
    /// Cases that cite an article.
    Article,
    /// … and were contained.
    ArticleContained,
    /// … and went to people, or came back.
    ArticleFailed,
    /// Parts of messages that left, by channel.
    Segment,
}

impl Named {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Reason,
        Self::ReasonRight,
        Self::ReasonUnneeded,
        Self::Article,
        Self::ArticleContained,
        Self::ArticleFailed,
        Self::Segment,
    ];

    /// How its keys begin in the record.
    fn mark(self) -> &'static str {
        match self {
            Self::Reason => "r",
            Self::ReasonRight => "rr",
            Self::ReasonUnneeded => "ru",
            Self::Article => "a",
            Self::ArticleContained => "ac",
            Self::ArticleFailed => "af",
            Self::Segment => "s",
        }
    }

    fn parse(mark: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|named| named.mark() == mark)
    }
}

/// Numbers that can be added.
#[derive(Debug, Clone, Eq, Default)]
pub struct Sums {
    /// The counts, then the buckets of every histogram; empty while all are zero.
    dense: Vec<i64>,
    named: BTreeMap<(Named, String), i64>,
}

impl PartialEq for Sums {
    fn eq(&self, other: &Self) -> bool {
        self.named == other.named && self.differences(other).is_empty()
    }
}

impl Sums {
    /// One of the counts.
    pub fn get(&self, count: Count) -> i64 {
        self.dense.get(count as usize).copied().unwrap_or_default()
    }

    /// The histogram of a time.
    pub fn times(&self, time: Time) -> Histogram<'_> {
        let from = COUNTS + time.place();
        Histogram(self.dense.get(from..from + BUCKETS).unwrap_or_default())
    }

    /// What is counted under names, by name.
    pub fn named(&self, named: Named) -> impl Iterator<Item = (&str, i64)> {
        let all = self.named.iter().filter(move |((kind, _), _)| *kind == named);
        all.map(|((_, name), n)| (name.as_str(), *n))
    }

    /// What is counted under one name.
    pub fn of(&self, named: Named, name: &str) -> i64 {
        self.named.get(&(named, name.to_owned())).copied().unwrap_or_default()
    }

    /// Adds to a count.
    pub fn add(&mut self, count: Count, n: i64) {
        self.slot(count as usize, n);
    }

    /// Adds one to a count where something holds.
    pub(super) fn tick(&mut self, count: Count, holds: bool) {
        if holds {
            self.add(count, 1);
        }
    }

    /// Adds one time to a histogram.
    pub fn time(&mut self, time: Time, ms: i64) {
        self.slot(COUNTS + time.place() + bucket(ms), 1);
    }

    /// Adds to what is counted under a name.
    pub fn name(&mut self, named: Named, name: &str, n: i64) {
        if n == 0 {
            return;
        }
        let key = (named, label(name));
        let value = self.named.entry(key.clone()).or_default();
        *value = value.saturating_add(n);
        if *value == 0 {
            self.named.remove(&key);
        }
    }

    fn slot(&mut self, at: usize, n: i64) {
        if n == 0 {
            return;
        }
        if self.dense.is_empty() {
            self.dense = vec![0; COUNTS + BUCKETS * Time::ALL.len()];
        }
        if let Some(slot) = self.dense.get_mut(at) {
            *slot = slot.saturating_add(n);
        }
    }

    /// Adds other sums, `times` times: minus one takes them away.
    pub fn merge(&mut self, other: &Self, times: i64) {
        for (at, n) in other.dense.iter().enumerate().filter(|(_, n)| **n != 0) {
            self.slot(at, n.saturating_mul(times));
        }
        for ((named, name), n) in &other.named {
            self.name(*named, name, n.saturating_mul(times));
        }
    }

    /// Whether every number is zero.
    pub fn is_zero(&self) -> bool {
        self.named.is_empty() && self.dense.iter().all(|n| *n == 0)
    }

    /// As the record keeps them: ` 0:12 7:3 r/over_limit:2 `, so that a key can be looked for.
    pub fn encode(&self) -> String {
        let mut text = String::from(" ");
        // A `String` takes every write.
        for (at, n) in self.dense.iter().enumerate().filter(|(_, n)| **n != 0) {
            _ = write!(text, "{at}:{n} ");
        }
        for ((named, name), n) in &self.named {
            _ = write!(text, "{}/{name}:{n} ", named.mark());
        }
        text
    }

    /// Adds what [`encode`](Self::encode) wrote; what it did not write is passed over.
    pub fn add_encoded(&mut self, text: &str) {
        for part in text.split(' ') {
            let Some((key, n)) = part.rsplit_once(':') else { continue };
            let Ok(n) = n.parse::<i64>() else { continue };
            if let Ok(at) = key.parse::<usize>() {
                self.slot(at, n);
            } else if let Some((mark, name)) = key.split_once('/')
                && let Some(named) = Named::parse(mark)
            {
                self.name(named, name, n);
            }
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(text: &str) -> Self {
        let mut sums = Self::default();
        sums.add_encoded(text);
        sums
    }

    /// What stands in the record of a case that adds to this count.
    pub fn mark_of(count: Count) -> String {
        format!(" {}:", count as usize)
    }

    /// What stands in the record of a case that adds to this name.
    pub fn mark_of_name(named: Named, name: &str) -> String {
        format!(" {}/{}:", named.mark(), label(name))
    }

    /// Every number that differs, by its name, with both values.
    pub fn differences(&self, other: &Self) -> Vec<(String, i64, i64)> {
        let mut found = Vec::new();
        for at in 0..self.dense.len().max(other.dense.len()) {
            let value = |sums: &Self| sums.dense.get(at).copied().unwrap_or_default();
            if value(self) != value(other) {
                found.push((slot_name(at), value(self), value(other)));
            }
        }
        let mut keys: Vec<_> = self.named.keys().chain(other.named.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let value = |sums: &Self| sums.named.get(key).copied().unwrap_or_default();
            if value(self) != value(other) {
                found.push((format!("{}/{}", key.0.mark(), key.1), value(self), value(other)));
            }
        }
        found
    }
}

fn slot_name(at: usize) -> String {
    if let Some(count) = Count::ALL.get(at) {
        return count.as_str().to_owned();
    }
    let at = at - COUNTS;
    let time = Time::ALL.get(at / BUCKETS).map_or_else(String::new, |time| format!("{time:?}"));
    format!("times of {time}, bucket {}", at % BUCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_taken_away_again() {
        let mut sums = Sums::default();
        sums.add(Count::Cases, 3);
        sums.time(Time::Wait, 60_000);
        sums.name(Named::Reason, "over limit: 900", 2);
        let read = Sums::decode(&sums.encode());
        assert_eq!(read, sums);
        assert_eq!(read.of(Named::Reason, "over_limit__900"), 2);
        let mut none = read;
        none.merge(&sums, -1);
        assert!(none.is_zero());
        assert_eq!(Sums::decode("x 1 a: :3 99999:4 q/x:1"), Sums::decode(&Sums::decode("99999:4").encode()));
    }

    #[test]
    fn every_count_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Count::ALL.iter().map(|count| count.as_str()).collect();
        assert_eq!(names.len(), COUNTS);
    }
}
