//! The phone by Twilio: what a caller says comes in as a message, and answers are spoken from the record.
//!
//! A call is a chain of requests. Each brings what was heard and gets TwiML that says something and names the next
//! address; the [`place`] a call has reached is in that address, which Twilio signs. Sources:
//! <https://www.twilio.com/docs/voice/twiml>, <https://www.twilio.com/docs/voice/twiml/gather>.

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::twilio;
use super::{Bounds, ChannelAdapter, ChannelError, Incoming, Outgoing, Webhook, WebhookAnswer, followed};
use crate::config::VoiceSettings;

pub mod heard;
pub mod place;
pub mod speech;
mod spoken;
pub mod twiml;

pub use heard::{Heard, Request};
pub use place::Place;

/// Its name in the record.
pub const NAME: &str = "voice";

/// The number that is called.
pub struct Voice {
    token: SecretString,
    confidence_min: f64,
    bounds: Bounds,
}

impl Voice {
    /// The account that `settings` name.
    pub fn new(settings: &VoiceSettings, bounds: Bounds) -> Self {
        Self { token: settings.auth_token.clone(), confidence_min: settings.confidence_min, bounds }
    }
}

/// The number that takes a call when somebody is there for it, or nobody is.
pub fn taker(settings: &VoiceSettings, somebody_there: bool) -> Option<&str> {
    let takes = somebody_there || settings.transfer_out_of_hours;
    Some(settings.transfer_to.as_str()).filter(|number| takes && !number.is_empty())
}

impl ChannelAdapter for Voice {
    fn name(&self) -> &'static str {
        NAME
    }

    fn verify(&self, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
        twilio::verify(self.token.expose_secret(), webhook)
    }

    fn parse(&self, webhook: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        if webhook.path != "turn" {
            return Ok(vec![Incoming::Nothing("a step of a call without words")]);
        }
        let request = Request::read(webhook, self.bounds, self.confidence_min)?;
        let place = Place::read(webhook.query);
        Ok(vec![match &request.heard {
            Heard::Words(text) => Incoming::Message(Box::new(request.message(&place, text.clone()))),
            Heard::Unclear | Heard::Silence => Incoming::Nothing("nothing was understood"),
            Heard::PersonKey => Incoming::Nothing("the key for a person"),
        }])
    }

    fn acknowledge(&self) -> WebhookAnswer {
        twilio::nothing_to_do()
    }

    fn follows_the_record(&self) -> bool {
        true
    }

    fn send<'a>(&'a self, _: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        followed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    #[test]
    fn a_call_goes_to_a_person_only_where_one_is_there() {
        let mut settings = Config::load(Sources::default()).unwrap().channels.voice;
        assert_eq!(taker(&settings, true), None, "no number is set");
        settings.transfer_to = "+14155550100".to_owned();
        assert_eq!(taker(&settings, true), Some("+14155550100"));
        assert_eq!(taker(&settings, false), None);
        settings.transfer_out_of_hours = true;
        assert_eq!(taker(&settings, false), Some("+14155550100"));
    }
}
