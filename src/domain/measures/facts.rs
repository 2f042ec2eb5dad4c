//! What the log of one case says that is counted, read line by line: what was read once is never read again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ARTICLES_MAX, CONVERSATION_MS, WORK_STEP_MS_MAX, label};
use crate::domain::routing::FirstAnswer;
use crate::domain::time::Timestamp;

/// Who has the case, as far as its log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Holder {
    #[default]
    Assistant,
    Queue,
    Person,
    Nobody,
}

/// Handoffs for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Handed {
    /// How many.
    pub all: i64,
    /// In which a person did what the assistant could not.
    pub right: i64,
    /// That no person was needed for.
    pub unneeded: i64,
}

/// A question what somebody thinks of us, and the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Opinion {
    pub(super) asked: bool,
    pub(super) score: Option<i64>,
}

/// What one case's log says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a log says or does not say")]
pub struct Facts {
    /// When it began, in Unix milliseconds.
    pub opened_at: i64,
    /// The channel on which it began.
    pub channel: String,
    /// The person it belongs to, as known from the log; empty in logs that do not say.
    pub person: String,
    /// The procedure it came to be about.
    pub intent: String,
    /// The team it came to.
    pub team: String,
    /// ISO 639-1 of the conversation.
    pub language: String,
    /// When it was resolved, while it is.
    pub resolved_at: Option<i64>,
    /// Since then the newest word of anybody; before, too.
    pub last_at: i64,
    /// Handoffs by reason.
    pub handed: BTreeMap<String, Handed>,
    pub(super) articles: BTreeSet<String>,
    pub(super) segments: BTreeMap<String, i64>,
    pub(super) request: bool,
    pub(super) by_people: bool,
    pub(super) confirmed: bool,
    pub(super) resolved_ever: bool,
    pub(super) reopened: bool,
    pub(super) returned: bool,
    pub(super) with_people: bool,
    pub(super) further_contact: bool,
    pub(super) gap: bool,
    pub(super) messages_in: i64,
    pub(super) messages_assistant: i64,
    pub(super) messages_people: i64,
    pub(super) first_response_ms: Option<i64>,
    pub(super) assistant_ms: i64,
    pub(super) answered_turns: i64,
    pub(super) people_ms: i64,
    pub(super) wait_ms: Option<i64>,
    pub(super) level_due: i64,
    pub(super) level_met: i64,
    pub(super) model_calls: i64,
    pub(super) tokens_in: i64,
    pub(super) tokens_out: i64,
    pub(super) token_micros: i64,
    pub(super) tool_calls: i64,
    pub(super) tool_failures: i64,
    pub(super) of_assistant: Opinion,
    pub(super) of_people: Opinion,
    holder: Holder,
    first_in_at: Option<i64>,
    newest_in_at: Option<i64>,
    last_channel: String,
    unanswered: bool,
    turn_since: Option<i64>,
    work_since: Option<i64>,
    handed_at: Option<i64>,
    open_reason: Option<String>,
    touched: bool,
    unknown_asked: bool,
}

/// A word of an event.
fn word<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A reason in a form that stays when a case is erased.
pub(super) fn reason(body: &Value) -> String {
    let text = word(body, "reason");
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    let own = (1..=64).contains(&text.len()) && text.bytes().all(plain);
    if own { text.to_owned() } else { "other".to_owned() }
}

impl Facts {
    /// Reads the next line of the log. Lines that say nothing that is counted are passed over.
    pub fn read(&mut self, at: Timestamp, kind: &str, body: &str) {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let at = at.0;
        match kind {
            "opened" => self.opened(at, &body),
            "received" => self.received(at, &body),
            "triaged" => {
                self.request |= word(&body, "reason") != "small_talk";
                self.unknown_asked |= word(&body, "decision") == "unknown";
            }
            "replied" => self.answered(at, &body),
            "resolved" if body.get("turn").is_some() => self.resolved(at, &body),
            "resolved" => self.settled_by_people(at),
            "handed_off" => self.handed_off(at, &body),
            "silent" => self.turn_over(at),
            "agent_replied" => self.person_wrote(at, &body),
            "approval_decided" => self.touched = true,
            "assigned" => self.assigned(at, &body),
            "snoozed" => self.work_over(at),
            "returned" => self.given_back(at),
            "reopened" => self.opened_again(at, &body),
            "tool_called" => self.tool_called(&body),
            "model_called" => self.model_called(&body),
            "merged" => word(&body, "kept").clone_into(&mut self.person),
            "unmerged" => word(&body, "absorbed").clone_into(&mut self.person),
            "rating_asked" => self.opinion(&body).asked = true,
            "rated" => self.rated(&body),
            _ => {}
        }
        if let Some(first) = body.get("first_answer") {
            self.wait_ended(first);
        }
        if ["received", "replied", "resolved", "handed_off", "agent_replied", "reopened"].contains(&kind) {
            self.last_at = at;
        }
    }

    fn opened(&mut self, at: i64, body: &Value) {
        self.opened_at = at;
        self.last_at = at;
        word(body, "channel").clone_into(&mut self.channel);
        word(body, "customer").clone_into(&mut self.person);
        self.placed(body);
    }

    /// Takes over what an event says of where the case belongs.
    fn placed(&mut self, body: &Value) {
        for (field, name) in
            [(&mut self.intent, "intent"), (&mut self.language, "language"), (&mut self.team, "team")]
        {
            let said = word(body, name);
            if !said.is_empty() {
                said.clone_into(field);
            }
        }
    }

    fn received(&mut self, at: i64, body: &Value) {
        self.messages_in += 1;
        self.first_in_at.get_or_insert(at);
        let channel = word(body, "channel");
        let elsewhere = !self.last_channel.is_empty() && self.last_channel != channel;
        let pressed = self.unanswered && self.newest_in_at.is_some_and(|then| at - then > CONVERSATION_MS);
        self.further_contact |= elsewhere || pressed;
        channel.clone_into(&mut self.last_channel);
        self.newest_in_at = Some(at);
        self.unanswered = true;
        match self.holder {
            Holder::Assistant | Holder::Nobody => _ = self.turn_since.get_or_insert(at),
            Holder::Person => _ = self.work_since.get_or_insert(at),
            Holder::Queue => {}
        }
    }

    /// The assistant's turn has ended.
    fn turn_over(&mut self, at: i64) {
        if let Some(since) = self.turn_since.take() {
            self.assistant_ms += (at - since).max(0);
            self.answered_turns += 1;
        }
        self.unknown_asked = false;
    }

    fn said(&mut self, body: &Value) {
        let segments = body.get("segments").and_then(Value::as_i64).unwrap_or_default();
        if segments > 0 {
            *self.segments.entry(label(word(body, "channel"))).or_default() += segments;
        }
    }

    fn first_answer(&mut self, at: i64) {
        if let Some(asked) = self.first_in_at {
            self.first_response_ms.get_or_insert((at - asked).max(0));
        }
    }

    fn answered(&mut self, at: i64, body: &Value) {
        self.turn_over(at);
        self.placed(body);
        self.said(body);
        self.messages_assistant += 1;
        self.first_answer(at);
        self.unanswered = false;
        let cited = body.get("articles").and_then(Value::as_array).into_iter().flatten();
        for article in cited.filter_map(Value::as_str) {
            if self.articles.len() < ARTICLES_MAX {
                self.articles.insert(label(article));
            }
        }
    }

    fn resolved(&mut self, at: i64, body: &Value) {
        self.answered(at, body);
        self.request = true;
        self.resolved_ever = true;
        self.resolved_at.get_or_insert(at);
        self.confirmed |= word(body, "resolution") == "confirmed";
        self.holder = Holder::Nobody;
    }

    fn settled_by_people(&mut self, at: i64) {
        self.work_over(at);
        self.concluded();
        self.with_people = true;
        self.resolved_ever = true;
        self.resolved_at = Some(at);
        self.by_people = true;
        self.unanswered = false;
        self.turn_since = None;
        self.handed_at = None;
        self.holder = Holder::Nobody;
    }

    fn handed_off(&mut self, at: i64, body: &Value) {
        self.gap |= self.unknown_asked;
        self.turn_over(at);
        self.placed(body);
        self.said(body);
        self.concluded();
        self.messages_assistant += 1;
        self.request = true;
        self.with_people = true;
        let reason = reason(body);
        self.handed.entry(reason.clone()).or_default().all += 1;
        self.open_reason = Some(reason);
        self.touched = false;
        self.handed_at = Some(at);
        self.unresolved();
        self.holder = Holder::Queue;
    }

    fn unresolved(&mut self) {
        self.resolved_at = None;
        self.by_people = false;
        self.confirmed = false;
    }

    /// The case leaves the people it was handed to: were they needed?
    fn concluded(&mut self) {
        if let Some(reason) = self.open_reason.take() {
            let handed = self.handed.entry(reason).or_default();
            if self.touched {
                handed.right += 1;
            } else {
                handed.unneeded += 1;
            }
        }
    }

    /// Somebody took up what was handed over.
    fn taken_up(&mut self, at: i64) {
        self.with_people = true;
        if let Some(handed) = self.handed_at.take() {
            self.wait_ms.get_or_insert((at - handed).max(0));
        }
    }

    /// A person's first word ended a wait; whether in time, the case itself has said.
    fn wait_ended(&mut self, first: &Value) {
        let read = FirstAnswer::deserialize(first).ok();
        if let Some(first) = read.filter(|first| first.due_at.is_some()) {
            self.level_due += 1;
            self.level_met += i64::from(first.met);
        }
    }

    fn work_over(&mut self, at: i64) {
        if let Some(since) = self.work_since.take() {
            self.people_ms += (at - since).clamp(0, WORK_STEP_MS_MAX);
        }
    }

    fn person_wrote(&mut self, at: i64, body: &Value) {
        self.said(body);
        self.messages_people += 1;
        if body.get("approval").is_some() {
            // The outcome of a decision, in fixed words: the decision itself is what the person did.
            return;
        }
        self.taken_up(at);
        self.work_over(at);
        self.first_answer(at);
        self.request = true;
        self.touched = true;
        self.unanswered = false;
        self.turn_since = None;
        self.unresolved();
        self.holder = Holder::Person;
    }

    fn assigned(&mut self, at: i64, body: &Value) {
        self.placed(body);
        let woke = word(body, "reason") == "snooze_over";
        if woke || !word(body, "agent").is_empty() {
            self.taken_up(at);
            self.turn_since = None;
            self.work_since.get_or_insert(at);
            if !woke {
                self.unresolved();
            }
            self.holder = Holder::Person;
        } else {
            self.work_over(at);
            self.holder = Holder::Queue;
        }
    }

    fn given_back(&mut self, at: i64) {
        self.work_over(at);
        self.concluded();
        self.handed_at = None;
        self.holder = Holder::Assistant;
        if self.unanswered {
            self.turn_since = Some(at);
        }
    }

    fn opened_again(&mut self, at: i64, body: &Value) {
        let by_customer = word(body, "reason") == "customer_wrote";
        let later = self.resolved_at.is_some_and(|then| at - then > CONVERSATION_MS);
        self.returned |= by_customer && later;
        self.reopened |= later || !by_customer;
        self.unresolved();
        self.holder = if body.get("reason").is_some() { Holder::Assistant } else { Holder::Queue };
    }

    fn tool_called(&mut self, body: &Value) {
        if body.get("receipt").is_none() {
            return;
        }
        self.tool_calls += 1;
        self.tool_failures += i64::from(["failed", "unknown"].contains(&word(body, "status")));
    }

    fn model_called(&mut self, body: &Value) {
        let number = |name| body.get(name).and_then(Value::as_i64).unwrap_or_default().max(0);
        self.model_calls += 1;
        self.tokens_in += number("input");
        self.tokens_out += number("output");
        self.token_micros += number("cost_micros");
    }

    fn opinion(&mut self, body: &Value) -> &mut Opinion {
        if word(body, "of") == "assistant" { &mut self.of_assistant } else { &mut self.of_people }
    }

    fn rated(&mut self, body: &Value) {
        // A bare score is answered with thanks at once: no turn works on it.
        if body.get("turn").is_some() {
            self.turn_since = None;
            self.unanswered = false;
        }
        let score = body.get("score").and_then(Value::as_i64).filter(|score| (1..=5).contains(score));
        let opinion = self.opinion(body);
        // Whoever answers was asked; the newest answer counts.
        opinion.asked = true;
        opinion.score = score.or(opinion.score);
    }

    /// What the case is about, as far as two cases can be said to be about the same: the procedure, else the article
    /// that answered it. Empty for nothing known.
    pub fn matter(&self) -> String {
        match (self.intent.as_str(), self.articles.first()) {
            ("", Some(article)) => format!("article:{article}"),
            (intent, _) => intent.to_owned(),
        }
    }
}
