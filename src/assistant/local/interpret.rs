//! Runs the program of the procedure under way until it needs something from outside.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::memory::{Asked, Frame};
use super::program::Instruction;
use super::{Entry, Run, Waiting};
use crate::assistant::{AssistantError, Seen};
use crate::domain::assurance::Assurance;
use crate::domain::case::Resolution;
use crate::domain::decision::{HandOff, ProposedWrite, Step};
use crate::domain::procedure::{Tier, Verb};
use crate::domain::receipt::{CallStatus, Receipt};

impl Run {
    /// Begins a procedure for these words.
    pub(super) fn start(&mut self, procedure: &str, request: &str) {
        let Some(entry) = self.book.entries.get(procedure) else { return };
        let entry = entry.clone();
        self.intent = Some(entry.procedure.id.clone());
        self.note_matter(self.intent.clone(), request);
        self.memory.offer = None;
        self.memory.failures = 0;
        let slots = entry.procedure.slots.iter().map(|slot| (slot.name.clone(), Value::Null)).collect();
        let mut frame =
            Frame { procedure: procedure.to_owned(), request: request.to_owned(), slots, ..Frame::default() };
        frame.version.clone_from(&entry.program.version);
        self.memory.frame = Some(frame);
    }

    /// Runs on. `None`: the procedure is finished, or none is under way.
    pub(super) fn advance(&mut self) -> Result<Option<Step>, AssistantError> {
        self.proven_meanwhile();
        let Some(frame) = &mut self.memory.frame else { return Ok(None) };
        let Some(entry) = self.book.entries.get(&frame.procedure).cloned() else {
            self.memory.frame = None;
            return Ok(Some(self.hand_off(HandOff::because("procedure_gone"))));
        };
        self.intent = Some(entry.procedure.id.clone());
        if entry.procedure.tier == Tier::Two {
            let reason = entry.procedure.id.to_string();
            return Ok(Some(self.hand_off(HandOff::because(&reason))));
        }
        if frame.version != entry.program.version {
            // The procedure was edited in between: from the top, with what is known.
            frame.at = 0;
            frame.results.clear();
            frame.version.clone_from(&entry.program.version);
        }
        self.fill_optional(&entry);
        loop {
            let Some(frame) = &self.memory.frame else { return Ok(None) };
            let Some(instruction) = entry.program.code.get(frame.at).cloned() else {
                return Ok(self.finish(&entry));
            };
            if let Some(slot) = self.missing(&entry, &instruction) {
                match self.obtain(&entry, &slot)? {
                    Some(step) => return Ok(Some(step)),
                    None => continue,
                }
            }
            match self.execute(&entry, instruction)? {
                Flow::On => {}
                Flow::Finished => return Ok(self.finish(&entry)),
                Flow::Wait(step) => return Ok(Some(*step)),
            }
        }
    }

    /// The first slot that the instruction refers to, is still unknown and must not be.
    fn missing(&self, entry: &Entry, instruction: &Instruction) -> Option<String> {
        let frame = self.memory.frame.as_ref()?;
        let unknown = |name: &str| frame.slots.get(name).is_none_or(Value::is_null);
        if let Instruction::Do(Verb::Ask(name)) = instruction {
            return unknown(name).then(|| name.clone());
        }
        let needs = entry.program.needs.get(frame.at).map_or(&[] as &[_], Vec::as_slice);
        let missing = needs
            .iter()
            .find(|name| unknown(name) && entry.procedure.slot(name).is_some_and(|slot| !slot.optional));
        missing.cloned()
    }

    fn execute(&mut self, entry: &Arc<Entry>, instruction: Instruction) -> Result<Flow, AssistantError> {
        match instruction {
            Instruction::Unless(condition, target) => {
                let holds = self
                    .shared
                    .templates
                    .condition(&condition, self.context())
                    .map_err(|e| Self::broken(entry, &e))?;
                if holds {
                    self.step_on();
                } else {
                    self.go_to(target);
                }
                Ok(Flow::On)
            }
            Instruction::Jump(target) => {
                self.go_to(target);
                Ok(Flow::On)
            }
            Instruction::Done => Ok(Flow::Finished),
            Instruction::Do(verb) => self.perform(entry, verb),
        }
    }

    fn perform(&mut self, entry: &Arc<Entry>, verb: Verb) -> Result<Flow, AssistantError> {
        match verb {
            Verb::Say(text) => {
                let text = self.render(entry, &text)?;
                self.say(text);
                self.step_on();
                Ok(Flow::On)
            }
            Verb::Answer(articles) => {
                let request = self.memory.frame.as_ref().map(|f| f.request.clone()).unwrap_or_default();
                self.waiting = Waiting::Passage { request: request.clone(), articles };
                Ok(Flow::Wait(Box::new(Step::Search(request))))
            }
            Verb::HandOff { reason, urgency, team, say } => {
                let say = say.map(|text| self.render(entry, &text)).transpose()?;
                let team = team.map(|team| team.to_string());
                let handoff = HandOff { reason, team, urgency, say, next_step: None };
                let step = self.hand_off(handoff);
                self.remember_slots();
                Ok(Flow::Wait(Box::new(step)))
            }
            Verb::Call { tool, with, .. } => {
                let arguments = self.arguments(entry, &with)?;
                self.waiting = Waiting::Result;
                Ok(Flow::Wait(Box::new(Step::Call { tool, arguments })))
            }
            Verb::Ask(_) | Verb::Block(_) => {
                self.step_on();
                Ok(Flow::On)
            }
        }
    }

    /// Arguments as JSON: `{{ expression }}` alone keeps its type, mixed text is text, nothing known is left out.
    fn arguments(&self, entry: &Entry, with: &[(String, String)]) -> Result<Value, AssistantError> {
        let context = self.context();
        let mut arguments = Map::new();
        for (name, template) in with {
            let whole = template
                .trim()
                .strip_prefix("{{")
                .and_then(|t| t.strip_suffix("}}"))
                .filter(|t| !t.contains("{{"));
            let value = match whole {
                Some(expression) => self.shared.templates.evaluate(expression.trim(), &context),
                None => self.shared.templates.render(template, &context).map(Value::String),
            }
            .map_err(|e| Self::broken(entry, &e))?;
            if !value.is_null() {
                arguments.insert(name.clone(), value);
            }
        }
        Ok(Value::Object(arguments))
    }

    /// What came of the last step.
    pub(super) fn receive(&mut self, waiting: Waiting, seen: Seen) -> Result<Option<Step>, AssistantError> {
        match (waiting, seen) {
            (Waiting::Passage { request, articles }, Seen::Found(search)) => {
                let step = self.passage(&request, &articles, &search);
                self.step_on();
                match step {
                    Some(step) => Ok(Some(step)),
                    None => self.advance(),
                }
            }
            (Waiting::Candidates { slot }, Seen::Called(receipt)) if receipt.status == CallStatus::Done => {
                self.list_candidates(&slot, &receipt.result)?;
                self.advance()
            }
            (Waiting::Result, Seen::Called(receipt)) => self.result(&receipt),
            (Waiting::Result, Seen::NeedsYes) => self.ask_for_yes().map(Some),
            (_, Seen::NeedsApproval { because }) => {
                let next = format!("Approve or refuse what the customer asked for: {because}.");
                Ok(Some(self.hand_off(HandOff { next_step: Some(next), ..HandOff::because("over_limit") })))
            }
            (Waiting::Instead { request }, Seen::Found(search)) => Ok(self.instead(&request, &search)),
            (_, Seen::Denied { reason: "assurance" | "no_record", .. }) => self.without_proof(),
            (Waiting::Result, Seen::Denied { reason: "limit", .. }) if self.unproven() => Ok(self.no_match()),
            (_, Seen::Rejected { .. }) => Ok(Some(self.hand_off(HandOff::because("guard")))),
            (_, Seen::Denied { reason, .. }) => Ok(Some(self.hand_off(HandOff::because(reason)))),
            (_, Seen::Called(_) | Seen::NeedsYes | Seen::Found(_) | Seen::Begin) => {
                Ok(Some(self.hand_off(HandOff::because("tool_failed"))))
            }
        }
    }

    fn result(&mut self, receipt: &Receipt) -> Result<Option<Step>, AssistantError> {
        let result = &receipt.result;
        let code = result.pointer("/error/code").and_then(Value::as_str).unwrap_or_default().to_owned();
        let unproven = self.unproven();
        let Some(frame) = &mut self.memory.frame else { return Ok(None) };
        let instruction = self.book.entries.get(&frame.procedure).and_then(|e| e.program.code.get(frame.at));
        let Some(Instruction::Do(Verb::Call { bind, tolerant, .. })) = instruction else { return Ok(None) };
        match receipt.status {
            CallStatus::Done => {}
            CallStatus::Refused if *tolerant => {}
            CallStatus::Refused if code == "not_found" && unproven => return Ok(self.no_match()),
            CallStatus::Refused if code == "not_found" => return Ok(self.not_found()),
            CallStatus::Refused => return Ok(Some(self.hand_off(HandOff::because("tool_refused")))),
            CallStatus::Failed => return Ok(Some(self.trouble("tool_failed"))),
            CallStatus::Unknown => return Ok(Some(self.trouble("result_unknown"))),
        }
        if let Some(name) = bind {
            frame.results.insert(name.clone(), result.clone());
        }
        frame.asked = None;
        frame.asks = 0;
        frame.agreed = false;
        self.step_on();
        self.advance()
    }

    fn trouble(&mut self, reason: &str) -> Step {
        let say = Some(self.phrase("tool_trouble", &Value::Null));
        self.hand_off(HandOff { say, ..HandOff::because(reason) })
    }

    /// The same words for "does not exist" and "is not yours"; twice in a row a person takes over.
    fn not_found(&mut self) -> Option<Step> {
        self.memory.frame = None;
        self.memory.failures += 1;
        self.memory.last_intent = None;
        if self.memory.failures >= 2 {
            return Some(self.hand_off(HandOff::because("not_found")));
        }
        self.say_phrase("not_found", &Value::Null);
        None
    }

    /// Lists what will be done and asks for a yes to exactly that.
    fn ask_for_yes(&mut self) -> Result<Step, AssistantError> {
        let Some(frame) = &self.memory.frame else {
            return Ok(self.hand_off(HandOff::because("procedure_gone")));
        };
        let Some(entry) = self.book.entries.get(&frame.procedure).cloned() else {
            return Ok(self.hand_off(HandOff::because("procedure_gone")));
        };
        let Some(Instruction::Do(Verb::Call { tool, with, confirm, .. })) = entry.program.code.get(frame.at)
        else {
            return Ok(self.hand_off(HandOff::because("procedure_gone")));
        };
        if frame.agreed {
            // The yes was not taken for one (too late, or about something else): ask once more, then a person.
            if frame.asks > self.shared.limits.asks_max as u32 {
                return Ok(self.not_understood());
            }
        }
        let arguments = self.arguments(&entry, with)?;
        let text = match confirm.as_ref().or(entry.procedure.confirm.as_ref()) {
            Some(text) => self.render(&entry, text)?,
            None => self.phrase("confirm_generic", &json!({ "title": entry.procedure.title })),
        };
        let choices = vec![self.phrase("choice_yes", &Value::Null), self.phrase("choice_no", &Value::Null)];
        if let Some(frame) = &mut self.memory.frame {
            frame.agreed = false;
            frame.note_asked(Asked::Write);
        }
        let Step::Ask { draft, .. } = self.ask(text, choices) else { return Ok(self.conclude()) };
        Ok(Step::Ask { draft, write: Some(ProposedWrite { tool: tool.clone(), arguments }) })
    }

    fn finish(&mut self, entry: &Entry) -> Option<Step> {
        self.remember_slots();
        self.remember_match();
        self.memory.answered = Some(entry.procedure.id.to_string());
        self.memory.frame = None;
        self.memory.repeats = 0;
        let unknown = self.memory.offer.is_some();
        if let Some(part) = self.parts.last_mut() {
            // "I found no answer" is none.
            part.resolves = part.resolves.or((!unknown).then_some(Resolution::Answered));
        } else {
            let title = entry.procedure.title.clone();
            let next = Some(format!("The procedure “{title}” ended without an answer; finish it by hand."));
            return Some(self.hand_off(HandOff { next_step: next, ..HandOff::because("nothing_to_say") }));
        }
        self.resume_later();
        None
    }

    /// What the customer settled stays known for the rest of the case.
    fn remember_slots(&mut self) {
        let Some(frame) = &self.memory.frame else { return };
        let Some(entry) = self.book.entries.get(&frame.procedure) else { return };
        for slot in &entry.procedure.slots {
            let lasting = slot.pattern.is_some() || slot.from.is_some();
            if let Some(value) = frame.slots.get(&slot.name).filter(|value| lasting && !value.is_null()) {
                self.memory.known.insert(slot.name.clone(), value.clone());
            }
        }
    }

    pub(super) fn render(&self, entry: &Entry, template: &str) -> Result<String, AssistantError> {
        self.shared.templates.render(template, self.context()).map_err(|e| Self::broken(entry, &e))
    }

    /// What templates of a procedure may read: slots, bound results, the customer's proven fields, the case.
    pub(super) fn context(&self) -> Value {
        let mut context = Map::new();
        if let Some(frame) = &self.memory.frame {
            context.extend(frame.results.iter().map(|(name, value)| (name.clone(), value.clone())));
            context.insert("slots".to_owned(), Value::Object(frame.slots.clone().into_iter().collect()));
        }
        let proven = self.situation.case.assurance >= Assurance::Channel;
        let customer = &self.situation.customer;
        let contact = |value: &Option<String>| if proven { value.clone() } else { None };
        context.insert(
            "customer".to_owned(),
            json!({
                "name": customer.name,
                "external_id": contact(&customer.external_id),
                "email": contact(&customer.email),
                "phone": contact(&customer.phone),
            }),
        );
        let case = &self.situation.case;
        context.insert(
            "case".to_owned(),
            json!({"id": case.id, "channel": case.channel, "language": self.situation.language}),
        );
        context.insert("today".to_owned(), json!(self.situation.today.to_string()));
        Value::Object(context)
    }

    pub(super) fn broken(entry: &Entry, cause: &dyn std::fmt::Display) -> AssistantError {
        AssistantError::Procedure { procedure: entry.procedure.id.to_string(), cause: cause.to_string() }
    }

    fn step_on(&mut self) {
        if let Some(frame) = &mut self.memory.frame {
            frame.at += 1;
        }
    }

    fn go_to(&mut self, target: usize) {
        if let Some(frame) = &mut self.memory.frame {
            frame.at = target;
        }
    }
}

enum Flow {
    On,
    Finished,
    Wait(Box<Step>),
}
