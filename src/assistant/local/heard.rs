//! What a language model made of words in which the local reading found nothing.
//!
//! It is taken for a reading and never for a permission: a value must be one of those offered, or stand in the
//! customer's own words, and a yes to a write is the customer's alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::memory::Asked;
use super::{Run, Task};
use crate::assistant::Request;
use crate::domain::decision::{HandOff, Step};
use crate::domain::message::Author;
use crate::domain::procedure::{Slot, SlotKind};
use crate::domain::triage::{Decision, Sentiment, Triage, Urgency};
use crate::language::{extract, has_phrase, plain};

/// What was made of the words.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::assistant) enum Heard {
    /// They say these, by slot: the label of what was offered, or the customer's own words.
    Values(BTreeMap<String, String>),
    /// They take back what they wanted.
    No,
    /// They want something else: a procedure's id, or nothing that has one.
    Other(Option<String>),
}

/// What the turn is about to ask the customer, for somebody who may know it already.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::assistant) struct Question {
    /// It is a yes that is waited for.
    pub(in crate::assistant) for_yes: bool,
    /// It was asked before, and what came was not understood.
    pub(in crate::assistant) again: bool,
    /// As JSON: the procedure's title, and every slot with how it is asked for, what may be chosen and what is known.
    pub(in crate::assistant) shown: Value,
}

/// Why people get a case whose answers we could not read.
pub(super) const NOT_UNDERSTOOD: &str = "answer_not_understood";

impl Run {
    /// Goes about the next step with what somebody else understood.
    pub(in crate::assistant) fn hearing(self, heard: Heard) -> Self {
        Self { heard: Some(heard), ..self }
    }

    /// What `step`, just proposed, asks of the customer; also where it gives up asking.
    pub(in crate::assistant) fn question(&self, step: &Step) -> Option<Question> {
        let gives_up = match step {
            Step::Ask { .. } => false,
            Step::HandOff(handoff) if handoff.reason == NOT_UNDERSTOOD => true,
            Step::HandOff(_) | Step::Say(_) | Step::Search(_) | Step::Call { .. } => return None,
        };
        let frame = self.memory.frame.as_ref()?;
        let asked = frame.asked.as_ref()?;
        let entry = self.book.entries.get(&frame.procedure)?;
        let slots = entry.procedure.slots.iter().map(|slot| {
            let offered = frame.offered.get(&slot.name).into_iter().flatten().map(|(_, label)| label.clone());
            let choices: Vec<String> = offered.chain(slot.choices.iter().cloned()).collect();
            let known = frame.slots.get(&slot.name);
            json!({"slot": slot.name, "asked_as": slot.ask, "choices": choices, "known": known})
        });
        let shown = json!({"request": entry.procedure.title, "slots": slots.collect::<Vec<_>>()});
        let for_yes = *asked == Asked::Write;
        Some(Question { for_yes, again: gives_up || frame.asks > 1, shown })
    }

    /// The value that was heard for a slot, if the customer can have said it.
    pub(super) fn heard_value(&self, name: &str) -> Option<Value> {
        let Some(Heard::Values(values)) = &self.heard else { return None };
        let words = values.get(name)?;
        let slot = self.slot(name)?;
        let read = self.read_answer(name, words);
        let free = slot.kind == SlotKind::Text && slot.pattern.is_none() && slot.choices.is_empty();
        let value = read.or_else(|| {
            (free && slot.from.is_none() && !words.trim().is_empty())
                .then(|| Value::String(words.trim().to_owned()))
        })?;
        (self.was_offered(&slot, &value) || self.can_be_said(&slot, &value, words)).then_some(value)
    }

    fn was_offered(&self, slot: &Slot, value: &Value) -> bool {
        let offered = self.memory.frame.as_ref().and_then(|frame| frame.offered.get(&slot.name));
        let listed = offered.is_some_and(|offered| offered.iter().any(|(candidate, _)| candidate == value));
        listed || value.as_str().is_some_and(|text| slot.choices.iter().any(|choice| choice == text))
    }

    /// Whether the customer can have said it. Figures and days have many names ("eighty", "tomorrow"); an id or an
    /// address for mail must stand there as a whole, and of everything else every word.
    fn can_be_said(&self, slot: &Slot, value: &Value, words: &str) -> bool {
        let customers = self.situation.thread.iter().filter(|message| message.author == Author::Customer);
        let mut texts = customers.map(|message| message.text.as_str());
        let found = |found: Vec<String>| found.iter().any(|known| value.as_str() == Some(known));
        match (&slot.pattern, slot.kind) {
            (Some(pattern), _) => texts.any(|text| found(extract::by_pattern(text, pattern))),
            (None, SlotKind::Email) => texts.any(|text| found(extract::emails(text))),
            (None, SlotKind::Amount | SlotKind::Date | SlotKind::Number | SlotKind::YesNo) => true,
            (None, SlotKind::Text | SlotKind::Address) => {
                let said: Vec<String> = texts.map(plain).collect();
                plain(words).split(' ').all(|word| said.iter().any(|said| has_phrase(said, word)))
            }
        }
    }

    /// Our own reading found nothing in an answer: acts on what was heard instead, or asks again.
    pub(super) fn hear_or_ask_again(&mut self) -> Option<Step> {
        match self.heard.clone() {
            Some(Heard::No) => {
                self.heard = None;
                return self.drop_frame();
            }
            Some(Heard::Other(procedure)) => {
                self.heard = None;
                if let Some(request) = self.other_request(procedure.as_deref()) {
                    return self.interrupt(&[request]);
                }
            }
            Some(Heard::Values(values)) if self.take_values(values.keys()) => return None,
            Some(Heard::Values(_)) | None => {}
        }
        self.ask_again()
    }

    /// Takes the values that are new and that the customer can have said; false when there is none.
    fn take_values<'n>(&mut self, names: impl Iterator<Item = &'n String>) -> bool {
        let Some(frame) = &self.memory.frame else { return false };
        let new = |name: &String| {
            let value = self.heard_value(name)?;
            (frame.slots.get(name) != Some(&value)).then(|| (name.clone(), value))
        };
        let taken: Vec<(String, Value)> = names.filter_map(new).collect();
        if taken.is_empty() {
            return false;
        }
        let for_yes = frame.asked == Some(Asked::Write);
        for (name, value) in taken {
            self.fill(&name, value);
        }
        if for_yes {
            self.start_over();
        }
        self.agenda.push_back(Task::Continue);
        true
    }

    /// The unread words as a request of this kind.
    fn other_request(&self, procedure: Option<&str>) -> Option<Request> {
        let entry = match procedure {
            Some(id) => Some(self.book.entries.get(id)?),
            None => None,
        };
        let triage = Triage {
            intent: entry.map(|entry| entry.procedure.id.clone()),
            confidence: 1.0,
            decision: Decision::Tier1,
            reason: if entry.is_some() { "model" } else { "article" }.to_owned(),
            candidates: Vec::new(),
            language: None,
            urgency: Urgency::default(),
            sentiment: Sentiment::default(),
        };
        Some(Request { text: self.unread(), triage, found: None })
    }

    /// A person reads what we could not.
    pub(super) fn not_understood(&mut self) -> Step {
        self.hand_off(HandOff::because(NOT_UNDERSTOOD))
    }
}
