//! The customer's answer to what a procedure asked: a value, a yes, a no, or something else altogether.

use serde_json::Value;

use super::memory::{Asked, Frame};
use super::{Run, Task};
use crate::assistant::{Reading, Request};
use crate::config::TriageSettings;
use crate::domain::decision::Step;
use crate::domain::procedure::SlotKind;
use crate::domain::triage::Decision;
use crate::language::sentences;
use crate::language::signals::{self, Answer};

impl Run {
    /// Deals with messages that follow a question of the procedure under way.
    pub(super) fn answer_frame(&mut self, readings: &[Reading]) -> Option<Step> {
        let Some(asked) = self.memory.frame.as_ref().and_then(|frame| frame.asked.clone()) else {
            return self.take_up(readings);
        };
        let words = readings.iter().map(|r| r.message.text.as_str()).collect::<Vec<_>>().join("\n");
        if self.take_details(&words) {
            self.agenda.push_back(Task::Continue);
            return None;
        }
        match asked {
            Asked::Match => self.answer_match(readings),
            Asked::Slot(name) => self.answer_slot(&name, &words, readings),
            Asked::Write => self.answer_write(&words, readings),
        }
    }

    fn answer_slot(&mut self, name: &str, words: &str, readings: &[Reading]) -> Option<Step> {
        let kind = self.slot(name).map(|slot| slot.kind);
        if let Some(value) = self.read_answer(name, words) {
            self.fill(name, value);
            self.agenda.push_back(Task::Continue);
            return None;
        }
        if self.rule_out(name, words) {
            self.agenda.push_back(Task::Continue);
            return None;
        }
        if readings.iter().any(|reading| reading.takes_back) {
            return self.drop_frame();
        }
        let free = kind == Some(SlotKind::Text)
            && self
                .slot(name)
                .is_some_and(|s| s.pattern.is_none() && s.choices.is_empty() && s.from.is_none());
        let switch_min = self.shared.triage.switch_min;
        // Whatever is said may be the answer to a free question: doubt that it is another matter counts twice.
        let confidence_min = if free { 1.0 - (1.0 - switch_min) / 2.0 } else { switch_min };
        if let Some(elsewhere) = self.elsewhere(readings, confidence_min) {
            return self.interrupt(&elsewhere);
        }
        let said = !words.trim().is_empty() && readings.iter().any(|reading| reading.small_talk.is_none());
        if said && free {
            self.fill(name, Value::String(words.trim().to_owned()));
            self.agenda.push_back(Task::Continue);
            return None;
        }
        self.hear_or_ask_again()
    }

    /// No detail is in the words: they take it back, ask something else, or were not understood.
    fn answer_match(&mut self, readings: &[Reading]) -> Option<Step> {
        if readings.iter().any(|reading| reading.takes_back) {
            return self.drop_frame();
        }
        if let Some(elsewhere) = self.elsewhere(readings, self.shared.triage.switch_min) {
            return self.interrupt(&elsewhere);
        }
        self.hear_or_ask_again()
    }

    fn answer_write(&mut self, words: &str, readings: &[Reading]) -> Option<Step> {
        let plain = match readings {
            [only] => only.answer,
            _ => None,
        };
        if plain == Some(Answer::Yes) {
            if let Some(frame) = &mut self.memory.frame {
                frame.agreed = true;
            }
            self.agenda.push_back(Task::Continue);
            return None;
        }
        if self.change_of_mind(words) {
            self.agenda.push_back(Task::Continue);
            return None;
        }
        // "No, change the address instead": the first sentence declines, whatever follows.
        let opening = sentences::split(words).first().and_then(|first| signals::affirmation(first));
        let declined = plain == Some(Answer::No)
            || opening == Some(Answer::No)
            || readings.iter().any(|reading| reading.takes_back);
        // Nothing is interrupted when it has just been given up.
        let TriageSettings { intent_min, switch_min, .. } = self.shared.triage;
        if let Some(elsewhere) = self.elsewhere(readings, if declined { intent_min } else { switch_min }) {
            if declined {
                self.memory.frame = None;
            }
            return self.interrupt(&elsewhere);
        }
        if declined {
            return self.drop_frame();
        }
        self.hear_or_ask_again()
    }

    /// "Actually the other one": new values for what was to be written start the procedure over with them.
    fn change_of_mind(&mut self, words: &str) -> bool {
        let Some(frame) = self.memory.frame.clone() else { return false };
        let names: Vec<String> = frame.slots.keys().cloned().collect();
        let mut changed = false;
        for name in names {
            let Some(old) = frame.slots.get(&name).filter(|value| !value.is_null()) else { continue };
            let new = self.read_explicit(&name, words).or_else(|| self.read_other(&name, words, old));
            if let Some(new) = new.filter(|new| new != old) {
                self.fill(&name, new);
                changed = true;
            }
        }
        if !changed {
            changed = self.reject_listed(words);
        }
        if changed {
            self.start_over();
        }
        changed
    }

    /// Other values: the procedure runs from the top with them.
    pub(super) fn start_over(&mut self) {
        if let Some(frame) = &mut self.memory.frame {
            frame.at = 0;
            frame.results.clear();
            frame.agreed = false;
        }
    }

    /// "The other one" of something that was never listed: the value is given up, and the records are looked at.
    fn reject_listed(&mut self, words: &str) -> bool {
        if !signals::other_one(words) {
            return false;
        }
        let Some(frame) = &self.memory.frame else { return false };
        let names = frame.slots.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.clone());
        let mut names = names;
        let listed = names.find(|name| self.slot(name).is_some_and(|slot| slot.from.is_some()));
        let (Some(name), Some(frame)) = (listed, &mut self.memory.frame) else { return false };
        if let Some(old) = frame.slots.insert(name, Value::Null) {
            frame.rejected.push(old);
        }
        words.clone_into(&mut frame.request);
        frame.asked = None;
        true
    }

    /// A different request, clear enough (from this confidence on) to interrupt what is under way.
    fn elsewhere(&self, readings: &[Reading], confidence_min: f32) -> Option<Vec<Request>> {
        let entry = self.memory.frame.as_ref().and_then(|frame| self.book.entries.get(&frame.procedure));
        let current = entry.map(|entry| entry.procedure.id.to_string());
        let requests: Vec<Request> = readings
            .iter()
            .flat_map(|reading| &reading.requests)
            .filter(|request| {
                // "No, forget it" takes back what is under way; it asks for nothing, whatever it resembles.
                if signals::takes_back(&request.text) || signals::affirmation(&request.text).is_some() {
                    return false;
                }
                let triage = &request.triage;
                let other = triage.intent.as_ref().map(ToString::to_string) != current;
                match triage.decision {
                    Decision::Tier1 if triage.reason == "article" => is_question(&request.text),
                    // A question is no answer to ours, so it may interrupt as easily as it may begin; a statement
                    // that only an article could answer describes the matter at hand.
                    Decision::Tier1 | Decision::Escalate => {
                        let only_tells =
                            || triage.intent.as_ref().is_some_and(|id| self.only_tells(id.as_str()));
                        other
                            && (is_question(&request.text)
                                || (triage.confidence >= confidence_min && !only_tells()))
                    }
                    Decision::Unknown => false,
                }
            })
            .cloned()
            .collect();
        (!requests.is_empty()).then_some(requests)
    }

    /// Whether a procedure has no steps: it answers from its articles.
    pub(super) fn only_tells(&self, procedure: &str) -> bool {
        self.book.entries.get(procedure).is_some_and(|entry| entry.procedure.steps.is_empty())
    }

    /// Whether a procedure needs more to be proven than is.
    pub(super) fn out_of_reach(&self, procedure: &str) -> bool {
        let assurance = self.situation.case.assurance;
        self.book.entries.get(procedure).is_some_and(|entry| entry.procedure.assurance > assurance)
    }

    /// Puts the procedure under way aside for another request; it is taken up again afterwards.
    pub(super) fn interrupt(&mut self, requests: &[Request]) -> Option<Step> {
        if let Some(frame) = self.memory.frame.take() {
            self.memory.paused.retain(|paused| paused.procedure != frame.procedure);
            self.memory.paused.push(frame);
        }
        let mut step = None;
        for request in requests {
            let reading = Reading {
                message: self.situation.readings.first().map(|r| r.message.clone())?,
                requests: vec![request.clone()],
                wants_person: false,
                alarm: None,
                small_talk: None,
                answer: None,
                takes_back: false,
            };
            step = step.or_else(|| self.take_up(std::slice::from_ref(&reading)));
        }
        if step.is_none() {
            self.resume_later();
        }
        step
    }

    /// The customer does not want it any more: nothing is done, and that is said.
    pub(super) fn drop_frame(&mut self) -> Option<Step> {
        self.memory.frame = None;
        self.memory.last_intent = None;
        self.say_phrase("declined_ok", &Value::Null);
        self.resume_later();
        None
    }

    /// Asks the same again, a little plainer; after the limit a person takes over.
    pub(super) fn ask_again(&mut self) -> Option<Step> {
        let limit = self.shared.limits.asks_max as u32;
        let Some(frame) = &mut self.memory.frame else { return None };
        if frame.asks >= limit {
            return if self.unproven() { self.ask_to_sign_in() } else { Some(self.not_understood()) };
        }
        let hint = match frame.asked {
            Some(Asked::Match) => return Some(self.ask_for_match()),
            Some(Asked::Write) => Some("confirm_hint"),
            Some(Asked::Slot(_)) => Some("ask_again"),
            None => None,
        };
        if let Some(hint) = hint.filter(|_| self.parts.is_empty()) {
            self.say_phrase(hint, &Value::Null);
        }
        self.agenda.push_back(Task::Continue);
        None
    }

    pub(super) fn fill(&mut self, name: &str, value: Value) {
        let Some(frame) = &mut self.memory.frame else { return };
        if let Some(old) = frame.slots.insert(name.to_owned(), value)
            && !old.is_null()
        {
            frame.rejected.push(old);
        }
        frame.asked = None;
        frame.asks = 0;
    }
}

/// Whether words ask something, with or without a question mark.
pub(super) fn is_question(text: &str) -> bool {
    let lower = text.to_lowercase();
    let asks = ["how ", "what ", "when ", "which ", "why ", "where ", "do you ", "can i ", "is there "];
    text.contains('?')
        || asks.iter().any(|word| lower.starts_with(word) || lower.contains(&format!(" {word}")))
}

impl Frame {
    /// Notes that `asked` is being asked; counts when it is the same as before.
    pub(super) fn note_asked(&mut self, asked: Asked) {
        self.asks = if self.asked.as_ref() == Some(&asked) { self.asks + 1 } else { 1 };
        self.asked = Some(asked);
    }
}
