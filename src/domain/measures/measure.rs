//! The measures themselves: what each is, in words one can check, and how it comes out of the sums.

use std::collections::BTreeMap;

use super::sums::{Count, Named, Sums};
use super::times::Time;

/// What a measure's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number of things.
    Count,
    /// A share, 0 to 1.
    Share,
    /// Milliseconds: the middle one; nine of ten are below the second figure.
    Time,
    /// A score from one to five; the second figure is the share of those asked who answered.
    Score,
    /// An amount in the currency of the prices.
    Money,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// More.
    More,
    /// Less.
    Less,
    /// Neither by itself.
    Neither,
}

macro_rules! measures {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $title:literal, $kind:ident, $side:ident, $text:literal;)*) => {
        /// A measure.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Measure { $($(#[$doc])* $name,)* }

        impl Measure {
            /// Every one, in the order in which they are shown.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in addresses and files.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Its name on a page.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What it is, so that anybody can count it again.
            pub fn definition(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What its value is.
            pub fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }

            /// Which way is better.
            pub fn better(self) -> Side {
                match self { $(Self::$name => Side::$side,)* }
            }
        }
    };
}

measures! {
    /// Cases.
    Volume = "volume", "Cases", Count, Neither,
        "Cases that began, each on the day and the channel on which it began. A case is one problem of one customer, \
         over as many messages and channels as it takes.";
    /// Automation.
    Automation = "automation", "Automation", Share, More,
        "Of all cases in which something was asked, those that the assistant resolved and no person ever had. A \
         greeting asks nothing. A case that is still open counts as not automated.";
    /// Contained.
    Contained = "contained", "Contained", Share, More,
        "Of the requests of which 24 hours have shown what they came to (since the resolution, the last word, or the \
         beginning where people had it), those that the assistant resolved by a real answer or a finished procedure, \
         that no person ever had, and about which the customer did not ask again for 24 hours: not in the case, nor on the same matter on any channel. A handoff is never a resolution.";
    /// Confirmed.
    Confirmed = "confirmed", "Confirmed", Share, More,
        "Of the same requests, those that the assistant resolved and whose customer said that it is settled.";
    /// Durable.
    Durable = "durable", "Durable", Share, More,
        "Of the requests of which seven days have shown what they came to, those that the assistant resolved without a \
         person and to which the customer did not come back: no word in the case later than an hour after it was \
         resolved, and no new case on the same matter within seven days, on any channel. A return takes the resolution \
         away again from the day on which the case began.";
    /// First contact resolution.
    FirstContact = "first_contact", "First contact resolution", Share, More,
        "Counted by person over all channels, for the assistant and people together. Of the matters that somebody \
         brought for the first time, and of which seven days have shown what they came to, those that were resolved at \
         that contact: the customer did not have to change the channel, nor to write again after more than an hour \
         without an answer, and did not come back on any channel within seven days. Two cases are about the same matter \
         when they are about the same procedure, or were answered from the same article.";
    /// First response.
    FirstResponse = "first_response", "First response", Time, Less,
        "From the customer's first words to the first answer or question of the assistant or a person. That a person will \
         take over is no answer.";
    /// Handle time of the assistant.
    HandleAssistant = "handle_assistant", "Handle time, assistant", Time, Less,
        "What the assistant took over a whole case: from each message it had to answer to the end of that turn.";
    /// Handle time of people.
    HandlePeople = "handle_people", "Handle time, people", Time, Less,
        "What people worked on a whole case: from the moment they have it, or the customer writes to them, to their \
         answer, or until they settle it, put it aside or give it back. One such step counts as no longer than 30 \
         minutes. Waiting for the customer and waiting in the queue are not work.";
    /// Wait for a person.
    Wait = "wait", "Wait for a person", Time, Less,
        "From the first handoff of a case to the person who takes it or answers it.";
    /// Resolution time.
    ResolutionTime = "resolution_time", "Time to resolution", Time, Less,
        "From the beginning of a case to its resolution by the assistant or people, for cases that stand resolved.";
    /// Escalation.
    Escalation = "escalation", "Went to people", Share, Neither,
        "Of all cases in which something was asked, those that a person had, because the assistant handed them over or \
         because a person took them.";
    /// Escalations that were right.
    EscalationRight = "escalation_right", "Handoffs that were right", Share, More,
        "Of the handoffs that are over, those in which a person did something that the assistant could not: wrote to the \
         customer, or decided on a write. Not right is one that was given back or closed without either.";
    /// Reopened.
    Reopen = "reopen", "Opened again", Share, Less,
        "Of the cases that were ever resolved, those that were opened again: by the customer more than an hour later, by \
         a person, or because something that was taken for done was not.";
    /// Returned.
    Returned = "returned", "Came back", Share, Less,
        "Of the cases that were ever resolved, those whose customer came back: in the case more than an hour later, or \
         with a new one on the same matter within seven days, on any channel.";
    /// Satisfaction with the assistant.
    CsatAssistant = "csat_assistant", "Satisfaction, assistant", Score, More,
        "The mean score of those who said what they think of the assistant, one to five; with it, how many of those \
         who were asked answered.";
    /// Satisfaction with people.
    CsatPeople = "csat_people", "Satisfaction, people", Score, More,
        "The mean score of those who said what they think of the people who helped them, one to five; with it, how \
         many of those who were asked answered.";
    /// Service level.
    ServiceLevel = "service_level", "Service level met", Share, More,
        "Of the waits for a person that were promised an answer and got one, those answered in time: by a reply, by the \
         outcome of what a person decided, or by a person settling the case, within the promised minutes of the team's \
         opening hours. A handoff, a transfer or a return to the assistant restarts no clock. Waits that nothing was \
         promised for, or that no person ended, do not count.";
    /// Cost.
    Cost = "cost", "Cost per case", Money, Less,
        "Tokens as they were billed, parts of messages that left, calls of tools and minutes that people worked, each \
         at the price of [prices], divided by the cases that began.";
    /// Gaps.
    Gaps = "gaps", "Knowledge gaps", Count, Less,
        "Cases that went to people over a question that no procedure and no article answers.";
}

/// What things cost, in the currency of the operator's bills.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prices {
    /// How the currency is called, for example `EUR`.
    pub currency: String,
    /// One part of a message, by channel.
    pub segments: BTreeMap<String, f64>,
    /// One call of a tool.
    pub tool_call: f64,
    /// One minute of a person.
    pub agent_minute: f64,
}

/// A measure over some cases.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figure {
    /// Its value; none where there is nothing to divide by.
    pub value: Option<f64>,
    /// Nine of ten times are below it; for a score the share of those asked who answered.
    pub second: Option<f64>,
    /// What was counted.
    pub counted: i64,
    /// Of how many.
    pub of: i64,
}

impl Figure {
    fn share(counted: i64, of: i64) -> Self {
        Self { value: (of > 0).then(|| counted as f64 / of as f64), second: None, counted, of }
    }

    fn count(counted: i64) -> Self {
        Self { value: Some(counted as f64), second: None, counted, of: counted }
    }
}

const MICROS: f64 = 1_000_000.0;
const MINUTE_MS: f64 = 60_000.0;

impl Measure {
    /// Reads its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|measure| measure.as_str() == text)
    }

    /// Its value over some cases.
    pub fn figure(self, sums: &Sums, prices: &Prices) -> Figure {
        let get = |count| sums.get(count);
        let share = |counted, of| Figure::share(get(counted), get(of));
        let score = |score, rated, asked| {
            let (rated, asked) = (get(rated), get(asked));
            let mean = Figure::share(get(score), rated);
            let answered = (asked > 0).then(|| rated as f64 / asked as f64);
            Figure { second: answered, counted: rated, of: asked, ..mean }
        };
        let time = |time| {
            let times = sums.times(time);
            let n = times.count();
            Figure { value: times.below(0.5), second: times.below(0.9), counted: n, of: n }
        };
        match self {
            Self::Volume => Figure::count(get(Count::Cases)),
            Self::Gaps => Figure::count(get(Count::Gaps)),
            Self::Automation => share(Count::Automated, Count::Requests),
            Self::Contained => share(Count::Contained, Count::SettledDay),
            Self::Confirmed => share(Count::Confirmed, Count::SettledDay),
            Self::Durable => share(Count::Durable, Count::SettledWeek),
            Self::FirstContact => share(Count::FirstContactResolved, Count::FirstContacts),
            Self::FirstResponse => time(Time::FirstResponse),
            Self::HandleAssistant => time(Time::Assistant),
            Self::HandlePeople => time(Time::People),
            Self::Wait => time(Time::Wait),
            Self::ResolutionTime => time(Time::Resolution),
            Self::Escalation => share(Count::HandedCases, Count::Requests),
            Self::EscalationRight => {
                let right = get(Count::HandoffsRight);
                Figure::share(right, right + get(Count::HandoffsUnneeded))
            }
            Self::Reopen => share(Count::Reopened, Count::Resolved),
            Self::Returned => share(Count::Returned, Count::Resolved),
            Self::CsatAssistant => score(Count::ScoreAssistant, Count::RatedAssistant, Count::AskedAssistant),
            Self::CsatPeople => score(Count::ScorePeople, Count::RatedPeople, Count::AskedPeople),
            Self::ServiceLevel => share(Count::LevelMet, Count::LevelDue),
            Self::Cost => {
                let cases = get(Count::Cases);
                let whole: f64 = prices.parts(sums).iter().map(|(_, amount)| amount).sum();
                let each = (cases > 0).then(|| whole / cases as f64);
                Figure { value: each, second: Some(whole), counted: cases, of: cases }
            }
        }
    }

    /// The cases behind it: those that add to this count.
    pub fn cases(self) -> Count {
        match self {
            Self::Volume | Self::FirstResponse | Self::HandleAssistant | Self::Cost => Count::Cases,
            Self::Automation => Count::Automated,
            Self::Contained => Count::Contained,
            Self::Confirmed => Count::Confirmed,
            Self::Durable => Count::Durable,
            Self::FirstContact => Count::FirstContactResolved,
            Self::HandlePeople => Count::PeopleMs,
            Self::Escalation | Self::Wait => Count::HandedCases,
            Self::ResolutionTime => Count::Resolved,
            Self::EscalationRight => Count::HandoffsRight,
            Self::Reopen => Count::Reopened,
            Self::Returned => Count::Returned,
            Self::CsatAssistant => Count::RatedAssistant,
            Self::CsatPeople => Count::RatedPeople,
            Self::ServiceLevel => Count::LevelMet,
            Self::Gaps => Count::Gaps,
        }
    }
}

impl Prices {
    /// What some cases cost, part by part.
    pub fn parts(&self, sums: &Sums) -> [(&'static str, f64); 4] {
        let price = |channel: &str| self.segments.get(channel).copied().unwrap_or_default();
        let segments: f64 = sums.named(Named::Segment).map(|(channel, n)| n as f64 * price(channel)).sum();
        [
            ("tokens", sums.get(Count::TokenMicros) as f64 / MICROS),
            ("messages", segments),
            ("tools", sums.get(Count::ToolCalls) as f64 * self.tool_call),
            ("people", sums.get(Count::PeopleMs) as f64 / MINUTE_MS * self.agent_minute),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_is_found_by_its_name_and_says_what_it_is() {
        for measure in Measure::ALL.iter().copied() {
            assert_eq!(Measure::parse(measure.as_str()), Some(measure));
            assert!(measure.definition().len() > 60 && measure.definition().ends_with('.'), "{measure:?}");
        }
        assert_eq!(Measure::parse("volumes"), None);
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let (sums, prices) = (Sums::default(), Prices::default());
        for measure in Measure::ALL.iter().copied().filter(|one| one.kind() != Kind::Count) {
            assert_eq!(measure.figure(&sums, &prices).value, None, "{measure:?}");
        }
    }

    #[test]
    fn what_a_case_costs_is_the_sum_of_its_parts() {
        let mut sums = Sums::default();
        sums.add(Count::Cases, 2);
        sums.add(Count::TokenMicros, 500_000);
        sums.add(Count::ToolCalls, 10);
        sums.add(Count::PeopleMs, 120_000);
        sums.name(Named::Segment, "sms", 4);
        sums.name(Named::Segment, "web_chat", 9);
        let prices = Prices {
            currency: "EUR".to_owned(),
            segments: BTreeMap::from([("sms".to_owned(), 0.25)]),
            tool_call: 0.01,
            agent_minute: 0.5,
        };
        let figure = Measure::Cost.figure(&sums, &prices);
        assert_eq!((figure.value, figure.second), (Some(1.3), Some(2.6)));
    }
}
