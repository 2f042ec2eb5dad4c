//! What the unread messages ask for, in order: the agenda of a turn.

use serde_json::{Value, json};

use super::memory::Offer;
use super::reply::shorten;
use super::{Run, Task};
use crate::assistant::{Reading, Request};
use crate::domain::decision::{HandOff, Step};
use crate::domain::ids::ProcedureId;
use crate::domain::procedure::Tier;
use crate::domain::triage::{Decision, Urgency};
use crate::language::extract;
use crate::language::signals::{self, Answer, SmallTalk};

/// The answer to a question outside any procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::assistant) enum Taken {
    /// A person shall look at it.
    Person,
    /// The matter at this place of those offered; one past the last is none of them.
    Matter(usize),
    /// Nobody shall.
    Nothing,
}

/// More requests than this in one turn are not worked off at once; the rest is heard when it is asked again.
const REQUESTS_MAX: usize = 3;
/// From this many times the confidence of the second on, the first matter is far ahead.
const LEAD_MIN: f32 = 4.0;
/// … from this confidence on.
const LEAD_FLOOR: f32 = 0.15;

impl Run {
    /// Reads what is new and fills the agenda; a step at once when a person is due.
    pub(super) fn plan(&mut self) -> Option<Step> {
        if let Some(step) = self.person_due() {
            return Some(step);
        }
        if let Some(request) = self.unanswered.take() {
            return self.nothing_known(&request);
        }
        let readings = self.situation.readings.clone();
        if self.foreign(&readings) {
            return None;
        }
        let taken = self.offer_taken();
        if let (Some(offer), Some(taken)) = (self.memory.offer.take(), taken) {
            return self.answer_offer(offer, taken);
        }
        if self.memory.frame.as_ref().is_some_and(|frame| frame.asked.is_some()) {
            return self.answer_frame(&readings);
        }
        self.take_up(&readings)
    }

    /// Words that call for a person come before everything else.
    fn person_due(&mut self) -> Option<Step> {
        let alarm = self.situation.readings.iter().find_map(|reading| reading.alarm);
        if let Some(alarm) = alarm {
            let (team, urgency) = alarm.route();
            let handoff = HandOff { urgency: Some(urgency), ..HandOff::because(alarm.as_str()) };
            self.intent = self.best_of_tier_two(alarm.as_str());
            let words = self.situation.readings.iter().find(|reading| reading.alarm.is_some());
            self.handed = words.map(|reading| shorten(&reading.message.text));
            return Some(self.hand_off(HandOff { team: Some(team.to_owned()), ..handoff }));
        }
        if self.situation.readings.iter().any(|reading| reading.wants_person) {
            let next_step = self.where_they_stand();
            self.intent = self.intent.take().or_else(|| self.best_of_tier_two("person"));
            return Some(self.hand_off(HandOff { next_step, ..HandOff::because("person_asked") }));
        }
        None
    }

    /// What a person takes over who is asked for while a matter is under way or just answered: how the assistant would
    /// have gone about it is no help to them.
    fn where_they_stand(&self) -> Option<String> {
        let entry = self.book.entries.get(self.intent.as_ref()?.as_str())?;
        let done = if self.memory.settled { "has answered" } else { "had begun with" };
        Some(format!("Answer their last words; the assistant {done}: {}.", entry.procedure.title))
    }

    /// The procedure that recognises this kind of alarm, if the knowledge has one.
    fn best_of_tier_two(&self, word: &str) -> Option<ProcedureId> {
        let candidates =
            self.situation.readings.iter().flat_map(|r| &r.requests).flat_map(|r| &r.triage.candidates);
        candidates
            .filter_map(|candidate| self.book.entries.get(candidate.intent.as_str()))
            .find(|entry| entry.procedure.tier == Tier::Two && entry.procedure.id.as_str().contains(word))
            .map(|entry| entry.procedure.id.clone())
    }

    /// Another language than the procedures speak: the articles may have it, else a person who speaks it.
    fn foreign(&mut self, readings: &[Reading]) -> bool {
        if !self.foreign || self.memory.frame.is_some() {
            return false;
        }
        for reading in readings {
            match reading.small_talk {
                Some(talk) => self.small_talk(talk),
                None => self.agenda.push_back(Task::Look { request: reading.message.text.clone() }),
            }
        }
        true
    }

    /// What the customer answers to a question outside any procedure, if it is an answer.
    pub(in crate::assistant) fn offer_taken(&self) -> Option<Taken> {
        let last = self.situation.readings.last()?;
        match (self.memory.offer.as_ref()?, last.answer) {
            (Offer::Person, Some(Answer::Yes)) => Some(Taken::Person),
            (Offer::Person, Some(Answer::No)) => Some(Taken::Nothing),
            (Offer::Person, None) => None,
            (Offer::Matter { procedures, .. }, answer) => {
                let mut titles: Vec<String> = procedures.iter().map(|id| self.title(id)).collect();
                titles.push(self.phrase("choice_other", &Value::Null));
                let only = (procedures.len() == 1 && answer == Some(Answer::Yes)).then_some(0);
                let other = (answer == Some(Answer::No)).then_some(procedures.len());
                signals::choice(&last.message.text, &titles).or(only).or(other).map(Taken::Matter)
            }
        }
    }

    fn answer_offer(&mut self, offer: Offer, taken: Taken) -> Option<Step> {
        match (offer, taken) {
            (Offer::Matter { procedures, request }, Taken::Matter(at)) => match procedures.get(at).cloned() {
                Some(procedure) => {
                    self.agenda.push_back(Task::Start { procedure, request });
                    None
                }
                None => self.nothing_known(&request),
            },
            (Offer::Person, Taken::Person) => Some(self.hand_off(HandOff::because("person_asked"))),
            (Offer::Person | Offer::Matter { .. }, _) => {
                self.memory.failures = 0;
                self.say_phrase("declined_ok", &Value::Null);
                None
            }
        }
    }

    pub(super) fn title(&self, procedure: &str) -> String {
        self.book.entries.get(procedure).map_or_else(|| procedure.to_owned(), |e| e.procedure.title.clone())
    }

    /// Turns requests into tasks. Small talk alone gets its human answer.
    pub(super) fn take_up(&mut self, readings: &[Reading]) -> Option<Step> {
        let requests: Vec<&Request> = readings.iter().flat_map(|reading| &reading.requests).collect();
        let clear = |request: &&Request| {
            request.triage.decision != Decision::Unknown && request.triage.reason != "article"
        };
        if readings.iter().all(|reading| reading.answer.is_some()) && !requests.iter().any(clear) {
            // A yes or no to nothing; "ok, thanks" is more thanks than yes.
            let last = readings.last().and_then(|reading| reading.message.text.split_once([' ', ',']));
            match last.and_then(|(_, rest)| signals::small_talk(rest)) {
                Some(talk) => self.small_talk(talk),
                None => self.say_phrase("offer_help_after_greeting", &Value::Null),
            }
            return None;
        }
        // Counted, not named: a name is the sender's words, and may be made to look like a link.
        let files = readings.iter().flat_map(|reading| reading.message.files()).count();
        if requests.is_empty() && files > 0 {
            self.say_phrase("files_alone", &json!({"count": files}));
            return None;
        }
        if files > 0 {
            self.say_phrase("files_kept", &json!({"count": files}));
        }
        if requests.is_empty() {
            match readings.iter().rev().find_map(|reading| reading.small_talk) {
                Some(talk) => self.small_talk(talk),
                None => self.say_phrase("empty_message", &Value::Null),
            }
            return None;
        }
        let angry = readings.iter().any(|reading| {
            reading.requests.iter().any(|r| r.triage.sentiment == crate::domain::triage::Sentiment::Negative)
                && reading.requests.iter().any(|r| r.triage.urgency >= Urgency::High)
        });
        if angry {
            self.say_phrase("sorry_angry", &Value::Null);
        }
        let mut unclear = None;
        for request in requests.into_iter().take(REQUESTS_MAX) {
            if self.belongs_to_the_last(request) {
                continue;
            }
            if let Some(step) = self.take_request(request, &mut unclear) {
                return Some(step);
            }
        }
        // A burst says one thing in pieces: a piece that is unclear alone matters only when nothing else is clear.
        match unclear {
            Some(request) if self.agenda.is_empty() => self.unclear(&request),
            _ => None,
        }
    }

    /// "Do you wrap gifts, and what does it cost": the article about the first says the second as well.
    fn belongs_to_the_last(&self, request: &Request) -> bool {
        let Some(Task::Start { procedure, .. }) = self.agenda.back() else { return false };
        let words = request.text.to_lowercase();
        let points =
            words.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(word, "it" | "that" | "they"));
        let tells = |id: &str| self.only_tells(id);
        points && tells(procedure) && request.triage.intent.as_ref().is_some_and(|id| tells(id.as_str()))
    }

    fn take_request(&mut self, request: &Request, unclear: &mut Option<Request>) -> Option<Step> {
        let triage = &request.triage;
        let entry = triage.intent.as_ref().and_then(|id| self.book.entries.get(id.as_str())).cloned();
        match (triage.decision, entry) {
            (Decision::Tier1, Some(entry)) if triage.reason != "article" => {
                let id = entry.procedure.id.to_string();
                if self.repeated(&id) {
                    return Some(self.hand_off(HandOff::because("asked_again")));
                }
                let known = self.agenda.iter().any(|task| {
                    matches!(task, Task::Start { procedure, request: other }
                        if *procedure == id && names_nothing_new(&request.text, other))
                });
                if !known {
                    self.agenda.push_back(Task::Start { procedure: id, request: request.text.clone() });
                }
                None
            }
            (Decision::Tier1, _) => {
                self.agenda.push_back(Task::Look { request: request.text.clone() });
                None
            }
            (Decision::Escalate, entry) => {
                if let Some(entry) = entry {
                    self.intent = Some(entry.procedure.id.clone());
                }
                self.handed = Some(shorten(&request.text));
                let reason = triage.reason.clone();
                Some(self.hand_off(HandOff { urgency: None, ..HandOff::because(&reason) }))
            }
            (Decision::Unknown, _) => {
                unclear.get_or_insert_with(|| request.clone());
                None
            }
        }
    }

    /// The third time in a row for the same thing that was never settled: somebody should look.
    fn repeated(&mut self, procedure: &str) -> bool {
        if self.memory.last_intent.as_deref() == Some(procedure) {
            self.memory.repeats += 1;
        } else {
            self.memory.last_intent = Some(procedure.to_owned());
            self.memory.repeats = 1;
        }
        self.memory.repeats >= 3
    }

    /// Two likely matters are offered; else the articles have a last word.
    fn unclear(&mut self, request: &Request) -> Option<Step> {
        let candidates = &request.triage.candidates;
        if let Some(first) = candidates.first().filter(|first| first.confidence >= LEAD_FLOOR)
            && self.leads(first.intent.as_str(), request)
        {
            let procedure = first.intent.to_string();
            self.agenda.push_back(Task::Start { procedure, request: request.text.clone() });
            return None;
        }
        let likely: Vec<String> = candidates
            .iter()
            .filter(|candidate| candidate.confidence >= self.shared.triage.doubt_min)
            .filter(|candidate| self.book.entries.contains_key(candidate.intent.as_str()))
            .take(3)
            .map(|candidate| candidate.intent.to_string())
            .collect();
        if likely.is_empty() {
            return self.nothing_known(&request.text);
        }
        let mut choices: Vec<String> = likely.iter().map(|id| self.title(id)).collect();
        choices.push(self.phrase("choice_other", &Value::Null));
        let text = self.phrase("which_matter", &serde_json::json!({ "choices": choices }));
        self.memory.offer = Some(Offer::Matter { procedures: likely, request: request.text.clone() });
        Some(self.ask(text, choices))
    }

    /// One matter is far ahead of all others, or was the last one, and the words name the record it would be about:
    /// nothing is left to ask.
    fn leads(&self, procedure: &str, request: &Request) -> bool {
        let mut confidences = request.triage.candidates.iter().map(|candidate| candidate.confidence);
        let (first, second) = (confidences.next().unwrap_or(0.0), confidences.next().unwrap_or(0.0));
        let Some(entry) = self.book.entries.get(procedure) else { return false };
        let patterns = entry.procedure.slots.iter().filter(|slot| slot.from.is_some());
        let mut patterns = patterns.filter_map(|slot| slot.pattern.as_deref());
        let named = patterns.any(|pattern| !extract::by_pattern(&request.text, pattern).is_empty());
        let goes_on = self.memory.last_intent.as_deref() == Some(procedure);
        entry.procedure.tier == Tier::One && named && (goes_on || first >= LEAD_MIN * second)
    }

    fn small_talk(&mut self, talk: SmallTalk) {
        // Thanks for something settled confirms it; otherwise small talk counts as nothing.
        let confirms = self.memory.settled && matches!(talk, SmallTalk::Thanks | SmallTalk::Goodbye);
        let key = match talk {
            SmallTalk::Greeting => "greeting",
            SmallTalk::Thanks => "thanks_reply",
            SmallTalk::Goodbye => "goodbye",
        };
        let name = &self.situation.customer.name;
        self.say_phrase(key, &serde_json::json!({ "name": name, "business": self.shared.business.name }));
        if confirms && let Some(part) = self.parts.last_mut() {
            part.resolves = Some(crate::domain::case::Resolution::Confirmed);
        }
    }
}

/// Whether a request names no number that the other of its kind does not: "cancel A and cancel B" are two.
fn names_nothing_new(request: &str, other: &str) -> bool {
    let numbers = |text: &str| -> Vec<String> {
        let runs = text.split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() >= NUMBER_DIGITS_MIN);
        runs.map(str::to_owned).collect()
    };
    let known = numbers(other);
    numbers(request).iter().all(|number| known.contains(number))
}

/// So many digits are the number of something, not a count.
const NUMBER_DIGITS_MIN: usize = 4;
