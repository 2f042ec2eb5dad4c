//! What a case remembers of its wait for people: since when, until when an answer is due, to whom it is offered.

use serde::{Deserialize, Serialize};

use crate::domain::ids::AgentId;
use crate::domain::time::Timestamp;

/// Longest list of who let a case pass; the oldest are forgotten.
const PASSED_MAX: usize = 200;

/// A case offered to one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// To whom.
    pub agent: AgentId,
    /// Why to them, one short reason after the other.
    pub because: Vec<String>,
    /// Since when.
    pub at: Timestamp,
    /// After this it goes on to the next.
    pub expires_at: Timestamp,
}

/// Somebody to whom the case was offered in this wait and who did not take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Who.
    pub agent: AgentId,
    /// When.
    pub at: Timestamp,
}

/// How an offer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferEnd {
    /// They took the case.
    Accepted,
    /// They said no.
    Declined,
    /// They said nothing in time.
    Expired,
    /// It became pointless: somebody else took the case, it was settled, or they went away.
    Withdrawn,
}

/// How a wait ended, as the log of the case says it. Routing's estimates and the measures read the same: a first answer is
/// the first word of a person to the customer, be it written, the outcome of what they decided in fixed words, or that
/// they settled the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstAnswer {
    /// Since when the customer waited.
    pub since: Timestamp,
    /// When the first answer was due, where it was promised.
    pub due_at: Option<Timestamp>,
    /// Whether it came in time; without a promise it did.
    pub met: bool,
    /// How long they waited.
    pub waited_ms: i64,
}

/// The wait of a case for people. Empty until it first goes to them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wait {
    /// Since when the customer waits for a person; kept through transfers, snoozes and being given back.
    pub since: Option<Timestamp>,
    /// When the first answer is due; computed once, when the wait begins.
    pub due_at: Option<Timestamp>,
    /// When it came; none while the clock runs.
    pub answered_at: Option<Timestamp>,
    /// The open offer.
    pub offer: Option<Offer>,
    /// Who let it pass in this wait.
    pub passed: Vec<Passed>,
}

impl OfferEnd {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Wait {
    /// Whether the customer still waits for the first answer of a person.
    pub fn running(&self) -> bool {
        self.since.is_some() && self.answered_at.is_none()
    }

    /// The customer waits for people from now on. A wait that runs already goes on as it is: no handoff resets its clock.
    pub fn begin(&mut self, now: Timestamp, due_at: Option<Timestamp>) {
        if !self.running() {
            *self = Self { since: Some(now), due_at, ..Self::default() };
        }
    }

    /// Somebody has answered or settled it: what is to be told of it, if this was the first answer.
    pub fn answered(&mut self, now: Timestamp) -> Option<FirstAnswer> {
        let since = self.since.filter(|_| self.running())?;
        self.answered_at = Some(now);
        let met = self.due_at.is_none_or(|due| now <= due);
        Some(FirstAnswer { since, due_at: self.due_at, met, waited_ms: now.ms_since(since).max(0) })
    }

    /// Ends the open offer; whoever said no or nothing has passed it on.
    pub fn end_offer(&mut self, how: OfferEnd, now: Timestamp) -> Option<Offer> {
        let offer = self.offer.take()?;
        match how {
            OfferEnd::Declined | OfferEnd::Expired => {
                self.passed.retain(|one| one.agent != offer.agent);
                self.passed.push(Passed { agent: offer.agent.clone(), at: now });
                let surplus = self.passed.len().saturating_sub(PASSED_MAX);
                self.passed.drain(..surplus);
            }
            OfferEnd::Accepted | OfferEnd::Withdrawn => {}
        }
        Some(offer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handoff_never_resets_the_clock_but_an_answer_ends_it() {
        let mut wait = Wait::default();
        wait.begin(Timestamp(100), Some(Timestamp(500)));
        wait.begin(Timestamp(300), Some(Timestamp(900)));
        assert_eq!((wait.since, wait.due_at), (Some(Timestamp(100)), Some(Timestamp(500))));
        let first =
            FirstAnswer { since: Timestamp(100), due_at: Some(Timestamp(500)), met: true, waited_ms: 400 };
        assert_eq!(wait.answered(Timestamp(500)), Some(first));
        assert_eq!(wait.answered(Timestamp(600)), None, "only the first answer counts");
        wait.begin(Timestamp(700), Some(Timestamp(800)));
        assert_eq!((wait.since, wait.answered_at), (Some(Timestamp(700)), None));
        assert_eq!(wait.answered(Timestamp(801)).map(|first| first.met), Some(false));
    }

    #[test]
    fn who_lets_a_case_pass_is_remembered_once_and_within_bounds() {
        let mut wait = Wait::default();
        for turn in 0..500_i64 {
            let agent = AgentId::parse(&format!("a{}", turn % 300)).unwrap();
            let (at, expires_at) = (Timestamp(turn), Timestamp(turn + 1));
            wait.offer = Some(Offer { agent, because: Vec::new(), at, expires_at });
            assert!(wait.end_offer(OfferEnd::Declined, Timestamp(turn)).is_some());
        }
        assert_eq!(wait.passed.len(), PASSED_MAX);
        assert_eq!(wait.passed.last().unwrap().at, Timestamp(499));
        assert!(wait.end_offer(OfferEnd::Expired, Timestamp(0)).is_none());
    }
}
