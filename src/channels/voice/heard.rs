//! One request of a call: who calls, and what was heard.

use super::super::twilio::{self, Form};
use super::super::{BadInput, Bounds, LABEL_CHARS_MAX, Webhook, demand_words};
use super::{NAME, Place};
use crate::domain::assurance::Assurance;
use crate::domain::message::{InboundMessage, Sender};

/// The key that asks for a person.
const PERSON_KEY: &str = "0";

/// What a caller has said or pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Words, or keys that stand for some.
    Words(String),
    /// The key that asks for a person.
    PersonKey,
    /// Something, but nobody knows what.
    Unclear,
    /// Nothing.
    Silence,
}

/// A request of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Twilio's id of the call.
    pub call: String,
    /// Who calls: their number, or the call itself where none is shown, so that nobody is taken for somebody else.
    pub caller: String,
    /// Whether a number is shown. It can be forged: it is claimed, not proven.
    pub shown: bool,
    /// What was heard.
    pub heard: Heard,
    /// Whether the call is over: nobody hears an answer.
    pub over: bool,
    /// How a call to a person ended, where this request tells.
    pub dialled: Option<String>,
}

impl Request {
    /// Reads a verified request. Speech below `confidence_min` is unclear; where no confidence is told, it counts.
    pub fn read(webhook: &Webhook<'_>, bounds: Bounds, confidence_min: f64) -> Result<Self, BadInput> {
        let form = Form::of(webhook)?;
        let call = form.label("CallSid")?.to_owned();
        let from = form.text("From", LABEL_CHARS_MAX)?;
        let shown = twilio::is_number(from);
        let speech = form.text("SpeechResult", bounds.text_chars_max)?.trim();
        let digits = form.text("Digits", LABEL_CHARS_MAX)?.trim();
        let confidence = form.get("Confidence").and_then(|value| value.parse::<f64>().ok());
        let heard = if digits == PERSON_KEY {
            Heard::PersonKey
        } else if demand_words(speech).is_err() {
            // What holds nothing to read is silence, whatever it is made of.
            let keys = Some(digits).filter(|digits| !digits.is_empty());
            keys.map_or(Heard::Silence, |keys| Heard::Words(keys.to_owned()))
        } else if confidence.is_some_and(|sure| sure < confidence_min) {
            Heard::Unclear
        } else {
            Heard::Words(joined(speech))
        };
        let over = matches!(
            form.get("CallStatus"),
            Some("completed" | "busy" | "failed" | "no-answer" | "canceled")
        );
        Ok(Self {
            caller: if shown { from.to_owned() } else { call.clone() },
            call,
            shown,
            heard,
            over,
            dialled: form.get("DialCallStatus").map(str::to_owned),
        })
    }

    /// What was heard at this place of the call, as a message. Asked again after a lost answer, it is the same message.
    pub fn message(&self, place: &Place, text: String) -> InboundMessage {
        InboundMessage {
            channel: NAME.to_owned(),
            external_id: format!("{}-{}", self.call, place.turn),
            conversation: self.caller.clone(),
            sender: Sender {
                address: self.caller.clone(),
                name: None,
                email: None,
                phone: Some(self.caller.clone()).filter(|_| self.shown),
                assurance: if self.shown { Assurance::Claimed } else { Assurance::Anonymous },
                proof: if self.shown { "caller_id" } else { "none" },
                external_id: None,
            },
            text,
            attachments: Vec::new(),
            sent_at: None,
            threading: None,
        }
    }
}

/// Fewest digits that are taken for a spelt id.
const SPELT_DIGITS_MIN: usize = 3;
/// What the stroke in an id is called, as we say it ourselves and otherwise.
const STROKES: [&str; 9] =
    ["dash", "hyphen", "minus", "strich", "tiret", "guion", "trattino", "traço", "streepje"];

/// Spelt ids put together: "H P dash 1 0 0 4 2" to "HP-10042". Everything else stays as it was heard.
fn joined(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut spelt: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        let single = word.len() == 1 && word.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        let stroke = !spelt.is_empty() && STROKES.contains(&word.to_lowercase().as_str());
        if single || stroke {
            spelt.push(word);
        } else {
            words.extend(put_together(&std::mem::take(&mut spelt)));
            words.push(word.to_owned());
        }
    }
    words.extend(put_together(&spelt));
    words.join(" ")
}

fn put_together(spelt: &[&str]) -> Vec<String> {
    let digits = spelt.iter().filter(|word| word.bytes().all(|b| b.is_ascii_digit())).count();
    let ends_in_one = spelt.last().is_some_and(|word| word.len() == 1);
    if digits < SPELT_DIGITS_MIN || !ends_in_one {
        return spelt.iter().map(|word| (*word).to_owned()).collect();
    }
    vec![spelt.iter().map(|word| if word.len() == 1 { *word } else { "-" }).collect()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_spelt_id_is_one_word_and_nothing_else_is_changed() {
        for (heard, read) in [
            ("it is H P dash 1 0 0 4 2 please", "it is HP-10042 please"),
            ("H P 1 0 0 4 2", "HP10042"),
            ("H P Strich 1 0 0 4 2", "HP-10042"),
            ("order 1 0 0 4 2", "order 10042"),
            ("I have 2 or 3 of them", "I have 2 or 3 of them"),
            ("I want A 4 paper", "I want A 4 paper"),
            ("1 2 3 dash", "1 2 3 dash"),
            ("a dash of salt", "a dash of salt"),
            ("  two  spaces", "  two  spaces"),
            ("", ""),
        ] {
            assert_eq!(joined(heard), read, "{heard}");
        }
    }

    proptest! {
        #[test]
        fn no_speech_is_too_strange(text in any::<String>()) {
            _ = joined(&text);
        }
    }
}
