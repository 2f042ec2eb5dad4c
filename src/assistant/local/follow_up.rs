//! Questions that go on about what was answered last, and which matter people are given.

use super::memory::Matter;
use super::reply::shorten;
use super::{Book, Entry, Run};
use crate::assistant::Request;
use crate::domain::assurance::Assurance;
use crate::domain::ids::ProcedureId;
use crate::domain::triage::Decision;
use crate::language::{has_phrase, plain};

/// A question that goes on about something is short; a longer one says what it is about.
const WORDS_MAX: usize = 10;

/// From where a request is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// From this confidence on a request is clearly about something.
    pub(super) sure_from: f32,
    /// What was answered rested on more than details that anybody may know. Otherwise what needs a proof is no answer
    /// to somebody who goes on asking.
    pub(super) proven: bool,
}

/// Whether a text is short and says one of these.
fn goes_on(text: &str, follow_ups: &[String]) -> bool {
    let words = plain(text);
    words.split(' ').count() <= WORDS_MAX
        && follow_ups.iter().any(|phrase| has_phrase(&words, &plain(phrase)))
}

/// Reads a request as one more question about what `last` has answered, where its words say so and it is not clearly
/// about something else that has steps of its own.
pub(super) fn place(request: &mut Request, last: &Entry, book: &Book, by: Standing) {
    let triage = &mut request.triage;
    let goes_on = goes_on(&request.text, &last.procedure.follow_ups);
    let elsewhere = triage.intent.as_ref().filter(|id| **id != last.procedure.id).is_some_and(|id| {
        let entry = book.entries.get(id.as_str()).filter(|entry| !entry.procedure.steps.is_empty());
        let open = |entry: &Entry| {
            by.proven
                || entry.procedure.assurance == Assurance::Anonymous
                || entry.procedure.unproven.is_some()
        };
        entry.is_some_and(|entry| open(entry))
            && triage.reason != "article"
            && triage.confidence >= by.sure_from
    });
    if !goes_on || elsewhere || triage.decision == Decision::Escalate {
        return;
    }
    triage.intent = Some(last.procedure.id.clone());
    triage.confidence = 1.0;
    triage.decision = Decision::Tier1;
    "follow_up".clone_into(&mut triage.reason);
}

impl Run {
    /// Notes what is worked on now, in the customer's words.
    pub(in crate::assistant) fn note_matter(&mut self, procedure: Option<ProcedureId>, request: &str) {
        let request = shorten(request);
        if !request.is_empty() {
            self.memory.matter = Some(Matter { procedure: procedure.map(|id| id.to_string()), request });
        }
    }

    /// The words of what is worked on.
    pub(in crate::assistant) fn matter_words(&self) -> Option<String> {
        self.memory.matter.as_ref().map(|matter| matter.request.clone())
    }

    /// The words that people are given the case for, and with them what it is about: what is under way, or what was
    /// asked last.
    pub(super) fn note_handed(&mut self) {
        if self.handed.is_some() {
            return;
        }
        let under_way =
            self.memory.frame.as_ref().filter(|frame| !frame.request.is_empty()).and_then(|frame| {
                let entry = self.book.entries.get(&frame.procedure)?;
                Some((Some(entry.procedure.id.clone()), shorten(&frame.request)))
            });
        let asked = || {
            let Matter { procedure, request } = self.memory.matter.clone()?;
            Some((procedure.and_then(|id| ProcedureId::parse(&id).ok()), request))
        };
        if let Some((procedure, request)) = under_way.or_else(asked) {
            if procedure == self.intent || procedure.is_none() {
                self.handed = Some(request);
            }
            // What no procedure covers is not one more of the last one's.
            if procedure.is_none() {
                self.intent = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that the demo's procedure declares.
    fn declared() -> Vec<String> {
        let text = include_str!("../../../knowledge/procedures/delivery/order_status.md");
        let (_, rest) = text.split_once("follow_ups:\n").unwrap();
        rest.lines().map_while(|line| line.strip_prefix("  - ")).map(str::to_owned).collect()
    }

    #[test]
    fn questions_that_go_on_are_told_in_seven_languages() {
        let declared = declared();
        for text in [
            "and when will it arrive?",
            "When does it come",
            "which carrier?",
            "is it late?",
            "und wann kommt es an?",
            "welcher Paketdienst bringt es?",
            "ist es verspätet?",
            "il arrive quand ?",
            "quel transporteur ?",
            "¿y cuándo llega?",
            "¿qué transportista lo trae?",
            "e quando arriva?",
            "quale corriere?",
            "e quando chega?",
            "qual transportadora?",
            "en wanneer komt het?",
            "welke vervoerder?",
        ] {
            assert!(goes_on(text, &declared), "{text}");
        }
        for text in [
            "do you ship to canada",
            "is the blue tent in stock",
            "cancel it please",
            "when will you be open tomorrow",
            "I wonder when it was that you began to sell these and when will it be that you stop",
        ] {
            assert!(!goes_on(text, &declared), "{text}");
        }
    }
}
