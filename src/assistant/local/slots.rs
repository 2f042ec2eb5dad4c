//! How a slot is filled: from what was just said, from the customer's records, from earlier words, or by asking.

use serde_json::Value;

use super::memory::Asked;
use super::{Entry, Run, Waiting};
use crate::assistant::AssistantError;
use crate::domain::decision::Step;
use crate::domain::message::Author;
use crate::domain::procedure::{Slot, SlotKind};
use crate::language::extract;
use crate::language::signals::{self, Answer};

impl Run {
    /// The declaration of a slot of the procedure under way.
    pub(super) fn slot(&self, name: &str) -> Option<Slot> {
        let frame = self.memory.frame.as_ref()?;
        self.book.entries.get(&frame.procedure)?.procedure.slot(name).cloned()
    }

    /// Fills the slot without asking, or gives the step that will.
    pub(super) fn obtain(&mut self, entry: &Entry, name: &str) -> Result<Option<Step>, AssistantError> {
        let Some(slot) = entry.procedure.slot(name).cloned() else { return Ok(None) };
        let request = self.memory.frame.as_ref().map(|f| f.request.clone()).unwrap_or_default();
        let explicit =
            self.read_explicit(name, &request).or_else(|| self.read_explicit(name, &self.unread()));
        if let Some(value) = explicit {
            self.set(name, value);
            return Ok(None);
        }
        if let Some(source) = &slot.from
            && self.memory.frame.as_ref().is_some_and(|frame| !frame.offered.contains_key(name))
        {
            if let Some(known) = self.result_of(entry, &source.tool) {
                self.list_candidates(name, &known)?;
                return Ok(None);
            }
            self.waiting = Waiting::Candidates { slot: name.to_owned() };
            let arguments = Value::Object(serde_json::Map::new());
            return Ok(Some(Step::Call { tool: source.tool.clone(), arguments }));
        }
        let told = self.mentioned(name, &request).or_else(|| self.known(&slot));
        let told = told.or_else(|| self.matched_before(&slot));
        if let Some(value) = told.or_else(|| self.only_candidate(name)).or_else(|| self.heard_value(name)) {
            self.set(name, value);
            return Ok(None);
        }
        self.ask_slot(entry, &slot).map(Some)
    }

    /// What a tool gave back earlier in this run of the procedure: it is not called again for a list it has brought.
    fn result_of(&self, entry: &Entry, tool: &str) -> Option<Value> {
        let frame = self.memory.frame.as_ref()?;
        entry.program.bound(tool).find_map(|name| frame.results.get(name)).cloned()
    }

    /// Optional slots are never asked for; they are filled when the customer has said them.
    pub(super) fn fill_optional(&mut self, entry: &Entry) {
        let Some(frame) = &self.memory.frame else { return };
        let open = |slot: &&Slot| slot.optional && frame.slots.get(&slot.name).is_none_or(Value::is_null);
        let unread = self.unread();
        let found: Vec<(String, Value)> = entry
            .procedure
            .slots
            .iter()
            .filter(open)
            .filter_map(|slot| {
                let said = self.read_explicit(&slot.name, &frame.request);
                Some((slot.name.clone(), said.or_else(|| self.read_explicit(&slot.name, &unread))?))
            })
            .collect();
        for (name, value) in found {
            self.set(&name, value);
        }
    }

    fn set(&mut self, name: &str, value: Value) {
        if let Some(frame) = &mut self.memory.frame {
            frame.slots.insert(name.to_owned(), value);
        }
    }

    pub(super) fn unread(&self) -> String {
        let texts: Vec<&str> = self.situation.readings.iter().map(|r| r.message.text.as_str()).collect();
        texts.join("\n")
    }

    fn rejected(&self, value: &Value) -> bool {
        self.memory.frame.as_ref().is_some_and(|frame| frame.rejected.contains(value))
    }

    /// A value that stands in the words by its own form: a pattern, an address, an amount. Of several ids none is taken:
    /// which is meant is asked.
    pub(super) fn read_explicit(&self, name: &str, words: &str) -> Option<Value> {
        let slot = self.slot(name)?;
        let found = match (&slot.pattern, slot.kind) {
            (Some(pattern), _) => {
                let mut ids = extract::by_pattern(words, pattern);
                ids.sort();
                ids.dedup();
                ids.retain(|id| !signals::rules_out(words, id) && !self.rejected(&Value::String(id.clone())));
                if ids.len() > 1 {
                    return None;
                }
                ids.into_iter().map(Value::String).collect()
            }
            (None, SlotKind::Email) => extract::emails(words).into_iter().map(Value::String).collect(),
            (None, SlotKind::Amount) => {
                extract::amounts(words).into_iter().map(|amount| Value::from(amount.minor)).collect()
            }
            (None, SlotKind::Date) => extract::dates(words, self.situation.today)
                .into_iter()
                .map(|d| Value::String(d.to_string()))
                .collect(),
            (None, SlotKind::Address) => extract::address(words).into_iter().map(Value::String).collect(),
            (None, SlotKind::Text | SlotKind::Number | SlotKind::YesNo) => {
                let chosen = (!slot.choices.is_empty()).then(|| named_choice(words, &slot.choices)).flatten();
                chosen.into_iter().map(Value::String).collect::<Vec<_>>()
            }
        };
        found.into_iter().find(|value| !self.rejected(value))
    }

    /// The value in an answer to the question for this slot, where looser forms count too.
    pub(super) fn read_answer(&self, name: &str, words: &str) -> Option<Value> {
        if let Some(value) = self.read_explicit(name, words) {
            return Some(value);
        }
        let slot = self.slot(name)?;
        let frame = self.memory.frame.as_ref()?;
        if let Some(offered) = frame.offered.get(name) {
            let labels: Vec<String> = offered.iter().map(|(_, label)| label.clone()).collect();
            return signals::choice(words, &labels)
                .and_then(|at| offered.get(at))
                .map(|(value, _)| value.clone())
                .or_else(|| self.mentioned(name, words));
        }
        if !slot.choices.is_empty() {
            return signals::choice(words, &slot.choices)
                .and_then(|at| slot.choices.get(at))
                .cloned()
                .map(Value::String);
        }
        match slot.kind {
            SlotKind::YesNo => signals::affirmation(words).map(|answer| Value::Bool(answer == Answer::Yes)),
            SlotKind::Number => extract::numbers(words).first().map(|n| Value::from(*n)),
            SlotKind::Address => {
                let line = words.trim();
                (line.chars().count() >= 8 && line.chars().any(|c| c.is_ascii_digit()))
                    .then(|| Value::from(line))
            }
            SlotKind::Text | SlotKind::Email | SlotKind::Amount | SlotKind::Date => None,
        }
    }

    /// "Not the stove": what is ruled out is offered no more.
    pub(super) fn rule_out(&mut self, name: &str, words: &str) -> bool {
        let Some(offered) = self.memory.frame.as_mut().and_then(|frame| frame.offered.get_mut(name)) else {
            return false;
        };
        let labels: Vec<String> = offered.iter().map(|(_, label)| label.clone()).collect();
        let Some(out) = signals::excluded(words, &labels).filter(|_| labels.len() > 1) else { return false };
        offered.remove(out);
        true
    }

    /// "The other one": of exactly two candidates the one not taken, or the one the words describe.
    pub(super) fn read_other(&self, name: &str, words: &str, old: &Value) -> Option<Value> {
        self.slot(name)?.from?;
        let frame = self.memory.frame.as_ref()?;
        if let Some(value) = self.mentioned(name, words).filter(|value| value != old) {
            return Some(value);
        }
        let other = signals::other_one(words);
        let offered = frame.offered.get(name)?;
        let mut rest = offered.iter().map(|(value, _)| value).filter(|value| *value != old);
        match (other, rest.next(), rest.next()) {
            (true, Some(only), None) => Some(only.clone()),
            _ => None,
        }
    }

    /// The candidate that the words describe, if they describe exactly one.
    fn mentioned(&self, name: &str, words: &str) -> Option<Value> {
        let frame = self.memory.frame.as_ref()?;
        let offered = frame.offered.get(name)?;
        let candidates: Vec<&(Value, String)> = offered.iter().filter(|(v, _)| !self.rejected(v)).collect();
        if candidates.len() > 1
            && let Some(place) = signals::place(words, candidates.len())
        {
            return candidates.get(place).map(|(value, _)| value.clone());
        }
        let labels: Vec<String> = candidates.iter().map(|(_, label)| label.clone()).collect();
        signals::described(words, &labels).and_then(|at| candidates.get(at)).map(|(value, _)| value.clone())
    }

    /// What was settled earlier in the case, or written earlier in a form that names it.
    fn known(&self, slot: &Slot) -> Option<Value> {
        let lasting = slot.pattern.is_some() || slot.from.is_some();
        if !lasting {
            return None;
        }
        let fits = |value: &Value| {
            let offered = self.memory.frame.as_ref().and_then(|frame| frame.offered.get(&slot.name));
            let listed =
                |offered: &Vec<(Value, String)>| offered.iter().any(|(candidate, _)| candidate == value);
            !self.rejected(value) && offered.is_none_or(listed)
        };
        if let Some(value) = self.memory.known.get(&slot.name).filter(|value| fits(value)) {
            return Some(value.clone());
        }
        let thread = self.situation.thread.iter().rev().filter(|message| message.author == Author::Customer);
        thread.filter_map(|message| self.read_explicit(&slot.name, &message.text)).find(|value| fits(value))
    }

    fn only_candidate(&self, name: &str) -> Option<Value> {
        let frame = self.memory.frame.as_ref()?;
        match frame.offered.get(name)?.as_slice() {
            [(only, _)] if !self.rejected(only) => Some(only.clone()),
            _ => None,
        }
    }

    fn ask_slot(&mut self, entry: &Entry, slot: &Slot) -> Result<Step, AssistantError> {
        let Some(frame) = &mut self.memory.frame else { return Ok(self.conclude()) };
        let offered = frame.offered.get(&slot.name);
        if offered.is_some_and(Vec::is_empty) {
            // The records hold nothing that this could be about.
            self.memory.frame = None;
            self.say_phrase("no_candidates", &Value::Null);
            return Ok(self.conclude());
        }
        if frame.asks > self.shared.limits.asks_max as u32 {
            if self.unproven()
                && let Some(step) = self.ask_to_sign_in()
            {
                return Ok(step);
            }
            return Ok(self.not_understood());
        }
        let mut choices: Vec<String> =
            offered.into_iter().flatten().map(|(_, label)| label.clone()).collect();
        if slot.from.is_none() {
            choices.clone_from(&slot.choices);
        }
        frame.note_asked(Asked::Slot(slot.name.clone()));
        let text = self.render(entry, &slot.ask)?;
        Ok(self.ask(text, choices))
    }

    /// Keeps the candidates a tool listed; those that qualify, or all when none does, so that the steps can say why.
    pub(super) fn list_candidates(&mut self, name: &str, result: &Value) -> Result<(), AssistantError> {
        let Some(slot) = self.slot(name) else { return Ok(()) };
        let Some(source) = slot.from else { return Ok(()) };
        let Some(entry) =
            self.memory.frame.as_ref().and_then(|f| self.book.entries.get(&f.procedure)).cloned()
        else {
            return Ok(());
        };
        let path = if source.items.is_empty() {
            String::new()
        } else {
            format!("/{}", source.items.replace('.', "/"))
        };
        let items = result.pointer(&path).and_then(Value::as_array).cloned().unwrap_or_default();
        let (mut fitting, mut all) = (Vec::new(), Vec::new());
        for item in items {
            let mut context = self.context();
            context["item"] = item.clone();
            let fits =
                source.when.as_ref().map_or(Ok(true), |when| self.shared.templates.condition(when, &context));
            let label = self
                .shared
                .templates
                .render(&source.label, &context)
                .map_err(|e| Self::broken(&entry, &e))?;
            let value = item.get(&source.value).cloned().unwrap_or(item);
            if fits.map_err(|e| Self::broken(&entry, &e))? {
                fitting.push((value.clone(), label.clone()));
            }
            all.push((value, label));
        }
        let mut offered = if fitting.is_empty() { all } else { fitting };
        self.keep_named(slot.pattern.as_deref(), &mut offered);
        if let Some(frame) = &mut self.memory.frame {
            frame.offered.insert(name.to_owned(), offered);
        }
        Ok(())
    }
}

impl Run {
    /// Of candidates that the request names by their ids, the others are none.
    fn keep_named(&self, pattern: Option<&str>, offered: &mut Vec<(Value, String)>) {
        let (Some(pattern), Some(frame)) = (pattern, &self.memory.frame) else { return };
        let ids = extract::by_pattern(&frame.request, pattern);
        let named = |value: &Value| value.as_str().is_some_and(|id| ids.iter().any(|known| known == id));
        if offered.iter().filter(|(value, _)| named(value)).count() > 1 {
            offered.retain(|(value, _)| named(value));
        }
    }
}

/// A choice named in passing; unlike an answer to the question, a bare number is not one.
fn named_choice(words: &str, choices: &[String]) -> Option<String> {
    signals::described(words, choices).and_then(|at| choices.get(at)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_named_in_passing_is_taken() {
        let choices = ["too small".to_owned(), "changed my mind".to_owned()];
        assert_eq!(named_choice("the boots are too small sadly", &choices), Some("too small".to_owned()));
        assert_eq!(named_choice("i want to return the boots", &choices), None);
    }
}
