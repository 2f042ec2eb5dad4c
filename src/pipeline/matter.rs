//! Which of a customer's cases a message is about, decided before the message is stored.
//!
//! The thread it was written in says it best. A message from elsewhere is compared with each case by the numbers it
//! names and by what it asks for; when that says nothing, it belongs to the newest case.

use crate::domain::ids::ProcedureId;
use crate::domain::triage::{Decision, Triage};
use crate::language::signals;
use crate::store::CaseFile;

/// How a message stands to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matter {
    /// It is about this case.
    Same,
    /// Nothing says so, and nothing speaks against it.
    Unsure,
    /// It is about something else.
    Other,
}

/// A message as far as it says what it is about.
#[derive(Debug)]
pub(super) struct Subject {
    /// Numbers of orders and the like.
    named: Vec<String>,
    /// What it asks for, where that is clear.
    intent: Option<ProcedureId>,
    /// It answers something rather than asking.
    answers: bool,
}

/// Fewest digits of a number that names a thing.
const DIGITS_MIN: usize = 4;

impl Subject {
    /// What `text` is about; its intent counts from the confidence `sure_min`.
    pub(super) fn of(text: &str, triage: &Triage, sure_min: f32) -> Self {
        let clear = triage.confidence >= sure_min && triage.decision != Decision::Unknown;
        Self {
            named: named(text),
            intent: triage.intent.clone().filter(|_| clear),
            answers: signals::small_talk(text).is_some() || signals::affirmation(text).is_some(),
        }
    }

    /// How it stands to this case.
    pub(super) fn compared(&self, file: &CaseFile) -> Matter {
        let known: Vec<String> = file.messages.iter().flat_map(|message| named(&message.text)).collect();
        if self.named.iter().any(|name| known.contains(name)) {
            return Matter::Same;
        }
        if !self.named.is_empty() && !known.is_empty() {
            return Matter::Other;
        }
        match (&self.intent, &file.case.intent) {
            _ if self.answers => Matter::Unsure,
            (Some(asked), Some(about)) if asked == about => Matter::Same,
            // With the assistant one thing leads to another; people should not be kept from what is theirs, nor be
            // given what is not.
            (Some(_), Some(_)) if file.case.state.with_people() => Matter::Other,
            _ => Matter::Unsure,
        }
    }
}

/// The numbers that a text names, by their digits: people leave out the letters before them.
fn named(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '?' | '!' | '(' | ')'))
        .map(|word| word.chars().filter(char::is_ascii_digit).collect::<String>())
        .filter(|digits| digits.len() >= DIGITS_MIN)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_every_spelling_and_dates_and_ages_are_none() {
        assert_eq!(named("Where is hp-10042? And (HP 10043)!"), ["10042", "10043"]);
        assert_eq!(named("I am 30 and ordered 2 tents in May."), Vec::<String>::new());
    }
}
