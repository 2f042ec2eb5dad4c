//! Somebody whom nothing proves: what a procedure does for them instead, and the words that ask them to sign in.
//!
//! A procedure may have steps for whoever knows enough about one record, as an order's number and its email address.
//! What they type fills slots and nothing else: it makes nobody of them, and opens no other procedure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answers::is_question;
use super::memory::{Asked, Match};
use super::{Memory, Run};
use crate::assistant::AssistantError;
use crate::domain::decision::{HandOff, Step};
use crate::domain::procedure::{Slot, SlotKind};
use crate::knowledge::Search;

/// Follows the id of a procedure in the name of its steps for somebody unproven; no id has a space.
const MARK: &str = " unproven";
/// From so many details in a row that fit nothing on, a person looks.
const MISSES_MAX: u32 = 3;

/// The name of what a procedure does for somebody unproven.
pub(super) fn key(procedure: &str) -> String {
    format!("{procedure}{MARK}")
}

/// Whether the case, by what the assistant remembers of it, is about something that needs no more proof: what is typed
/// is for its steps, and nobody is asked to prove more.
pub(crate) fn asks_unproven(memory: &str) -> bool {
    Memory::read(memory).frame.is_some_and(|frame| frame.procedure.ends_with(MARK))
}

impl Run {
    /// Whether what is under way is done for somebody unproven.
    pub(super) fn unproven(&self) -> bool {
        self.memory.frame.as_ref().is_some_and(|frame| frame.procedure.ends_with(MARK))
    }

    /// What is begun for a request: the procedure, or what it does for somebody unproven.
    pub(super) fn within_reach(&self, procedure: String) -> String {
        let instead = key(&procedure);
        if self.out_of_reach(&procedure) && self.book.entries.contains_key(&instead) {
            instead
        } else {
            procedure
        }
    }

    /// A call was refused because it is not proven enough who writes: goes on with what can be done without, if there is
    /// something.
    pub(super) fn without_proof(&mut self) -> Result<Option<Step>, AssistantError> {
        let Some(frame) = &self.memory.frame else { return Ok(None) };
        let (instead, request) = (key(&frame.procedure), frame.request.clone());
        if self.book.entries.contains_key(&instead) {
            self.start(&instead, &request);
            return self.advance();
        }
        Ok(self.ask_to_sign_in())
    }

    /// Who has been proven since is asked for nothing that only stands in for it.
    pub(super) fn proven_meanwhile(&mut self) {
        let Some(procedure) = self
            .memory
            .frame
            .as_ref()
            .and_then(|frame| frame.procedure.strip_suffix(MARK))
            .map(str::to_owned)
        else {
            return;
        };
        let known = self.situation.customer.external_id.as_deref().is_some_and(|id| !id.is_empty());
        if !known || self.out_of_reach(&procedure) {
            return;
        }
        let Some(request) = self.memory.frame.take().map(|frame| frame.request) else { return };
        self.start(&procedure, &request);
    }

    /// What stands in the words for slots of the steps for somebody unproven, whichever was asked for. False: nothing.
    pub(super) fn take_details(&mut self, words: &str) -> bool {
        if !self.unproven() {
            return false;
        }
        let names: Vec<String> =
            self.memory.frame.iter().flat_map(|frame| frame.slots.keys().cloned()).collect();
        let found: BTreeMap<String, Value> = names
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.read_explicit(&name, words)?)))
            .collect();
        let Some(frame) = self.memory.frame.as_mut().filter(|_| !found.is_empty()) else { return false };
        let answered = match &frame.asked {
            Some(Asked::Slot(name)) => found.contains_key(name),
            Some(Asked::Match | Asked::Write) | None => true,
        };
        if answered {
            (frame.asked, frame.asks) = (None, 0);
        }
        frame.slots.extend(found);
        true
    }

    /// The details fit nothing, or were tried too often: the same words for both, and after a few a person.
    pub(super) fn no_match(&mut self) -> Option<Step> {
        let Some(frame) = &mut self.memory.frame else { return None };
        frame.misses += 1;
        if frame.misses >= MISSES_MAX {
            return Some(self.hand_off(HandOff::because("not_found")));
        }
        // What was written before is not read again: the next words are.
        frame.request.clear();
        frame.asked = None;
        Some(self.ask_for_match())
    }

    /// Asks for the details once more.
    pub(super) fn ask_for_match(&mut self) -> Step {
        if let Some(frame) = &mut self.memory.frame {
            frame.note_asked(Asked::Match);
        }
        let text = self.phrase("no_match", &Value::Null);
        self.ask(text, Vec::new())
    }

    /// What fitted here before fits still: it is not asked for again.
    pub(super) fn matched_before(&self, slot: &Slot) -> Option<Value> {
        let matched =
            self.memory.matched.as_ref().filter(|_| self.unproven() && slot.kind == SlotKind::Email)?;
        let case = &self.situation.case;
        let here = matched.channel == case.channel && matched.conversation == case.conversation;
        matched.slots.get(&slot.name).filter(|_| here).cloned()
    }

    /// The details have fitted. They count in this conversation only: elsewhere somebody else may write.
    pub(super) fn remember_match(&mut self) {
        if !self.unproven() {
            return;
        }
        let case = &self.situation.case;
        let (channel, conversation) = (case.channel.clone(), case.conversation.clone());
        let slots = self.memory.frame.iter().flat_map(|frame| frame.slots.clone()).collect();
        self.memory.matched = Some(Match { channel, conversation, slots });
    }

    /// The procedure needs to know who writes, and does not. What the words ask in general may stand in an article.
    pub(super) fn ask_to_sign_in(&mut self) -> Option<Step> {
        let frame = self.memory.frame.take()?;
        self.waiting = super::Waiting::Instead { request: frame.request.clone() };
        Some(Step::Search(frame.request))
    }

    /// Answers what was asked in general, and says how to get at what is the customer's own.
    pub(super) fn instead(&mut self, request: &str, search: &Search) -> Option<Step> {
        let told = self.memory.told_to_sign_in;
        let phrase = if (!told || is_question(request)) && self.in_general(search) {
            "sign_in_for_yours"
        } else if told {
            // Whoever comes back without having signed in cannot.
            return Some(self.hand_off(HandOff::because("cannot_sign_in")));
        } else {
            self.memory.told_to_sign_in = true;
            "sign_in_needed"
        };
        self.say_phrase(phrase, &json!({ "site": self.shared.business.site }));
        None
    }
}
