//! One request of a call: who calls, and what was heard.

use super::super::twilio::{self, Form};
use super::super::{BadInput, Bounds, LABEL_CHARS_MAX, Webhook, demand_words};
use super::{NAME, Place, spoken};
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
            Heard::Words(spoken::joined(speech))
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
