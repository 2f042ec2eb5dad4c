//! The parts of a reply, and how a turn ends.

use serde_json::{Value, json};

use super::memory::Offer;
use super::{Run, Task};
use crate::domain::case::Resolution;
use crate::domain::decision::{Draft, HandOff, Step};
use crate::domain::message::Citation;

/// One thing said in this turn; several make one reply.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) citations: Vec<Citation>,
    pub(super) choices: Vec<String>,
    pub(super) resolves: Option<Resolution>,
}

/// A value as a customer would read it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Run {
    /// A fixed phrase in the customer's language.
    pub(super) fn phrase(&self, key: &str, context: &Value) -> String {
        self.shared.phrases.say(&self.situation.language, key, context)
    }

    /// Adds a fixed phrase to the reply.
    pub(super) fn say_phrase(&mut self, key: &str, context: &Value) {
        let text = self.phrase(key, context);
        self.say(text);
    }

    /// Adds words to the reply.
    pub(super) fn say(&mut self, text: String) {
        self.parts.push(Part { text, ..Part::default() });
    }

    /// Nothing known covers it: says so honestly and offers a person; the second time in a row a person gets it.
    pub(super) fn nothing_known(&mut self, request: &str) -> Option<Step> {
        self.memory.failures += 1;
        self.note_matter(None, request);
        if self.memory.failures >= 2 {
            return Some(self.hand_off(HandOff {
                next_step: Some(format!("Answer what Tier 1 could not: “{}”.", shorten(request))),
                ..HandOff::because("not_understood")
            }));
        }
        let text = self.phrase("no_answer_offer_person", &Value::Null);
        let choices =
            vec![self.phrase("choice_person", &Value::Null), self.phrase("choice_no", &Value::Null)];
        self.memory.offer = Some(Offer::Person);
        self.parts.push(Part { text, choices, ..Part::default() });
        None
    }

    /// Ends the turn with the case going to people; what was said so far goes along.
    pub(super) fn hand_off(&mut self, mut handoff: HandOff) -> Step {
        // A person reads the whole conversation.
        self.memory.later.clear();
        self.note_handed();
        let entry = self.intent.as_ref().and_then(|id| self.book.entries.get(id.as_str()));
        if let Some(procedure) = entry.map(|e| &e.procedure) {
            handoff.team = handoff.team.or_else(|| procedure.team.as_ref().map(ToString::to_string));
            handoff.urgency = handoff.urgency.or(Some(procedure.urgency));
            if handoff.next_step.is_none() {
                handoff.next_step = first_sentence(&procedure.guidance);
            }
        }
        let said: Vec<String> =
            self.parts.drain(..).map(|part| part.text).chain(handoff.say.take()).collect();
        handoff.say = (!said.is_empty()).then(|| said.join("\n\n"));
        self.memory.offer = None;
        self.memory.failures = 0;
        Step::HandOff(handoff)
    }

    /// The turn has nothing left to do: says what was gathered.
    pub(super) fn conclude(&mut self) -> Step {
        if self.parts.is_empty() {
            return self.hand_off(HandOff::because("nothing_to_say"));
        }
        let draft = self.gather();
        self.memory.settled = draft.resolves.is_some();
        Step::Say(draft)
    }

    /// One draft out of all parts.
    pub(super) fn gather(&mut self) -> Draft {
        let mut draft = Draft::default();
        for part in self.parts.drain(..) {
            if !draft.text.is_empty() {
                draft.text.push_str("\n\n");
            }
            draft.text.push_str(part.text.trim());
            for citation in part.citations {
                if !draft.citations.contains(&citation) {
                    draft.citations.push(citation);
                }
            }
            if !part.choices.is_empty() {
                draft.choices = part.choices;
            }
            draft.resolves = part.resolves.or(draft.resolves);
        }
        draft
    }

    /// Something else may still wait: the interrupted procedure is taken up when the agenda is done.
    pub(super) fn resume_later(&mut self) {
        if !self.memory.paused.is_empty() && !self.agenda.contains(&Task::Resume) {
            self.agenda.push_back(Task::Resume);
        }
    }

    /// A question in the middle of a turn, after what was said so far.
    pub(super) fn ask(&mut self, text: String, choices: Vec<String>) -> Step {
        self.parts.push(Part { text, choices, ..Part::default() });
        let mut draft = self.gather();
        draft.resolves = None;
        self.memory.settled = false;
        Step::Ask { draft, write: None }
    }

    /// “From our help page: …” under an answer, in the customer's language.
    pub(super) fn source_line(&self, title: &str) -> String {
        self.phrase("answer_source", &json!({ "title": title }))
    }
}

/// The first sentence of guidance, as a suggestion to the person who takes over.
fn first_sentence(guidance: &str) -> Option<String> {
    let sentence = guidance.split_inclusive(['.', '!', '?']).next()?.trim().replace('\n', " ");
    (!sentence.is_empty()).then_some(sentence)
}

/// At most 120 characters of a customer's words for one line of a note.
pub(super) fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 120 { line } else { line.chars().take(119).chain(['…']).collect() }
}
