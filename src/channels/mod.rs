//! Channels: how messages come in and what each medium can carry. One list, [`all`], names them.

use futures_util::future::BoxFuture;

use crate::config::Config;
use crate::domain::message::{InboundMessage, Message};
use crate::failpoints;

pub mod in_app;
pub mod json;
#[cfg(feature = "failpoints")]
pub mod pushed;
pub mod web_chat;

pub use json::BadInput;

/// Why a message did not get through, and who must act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The bytes are no message of this channel: the sender must correct them.
    #[error(transparent)]
    Malformed(#[from] BadInput),
    /// The session that vouches for the sender is missing, forged or over: begin a new one.
    #[error("{0}")]
    Session(#[from] web_chat::SessionError),
    /// The medium cannot take it now: try again later.
    #[error("the channel cannot take it now: {0}")]
    Later(String),
    /// The medium may have taken it: nobody knows, and sent again it might be read twice.
    #[error("nobody knows whether the channel took it: {0}")]
    Unknown(String),
    /// The medium will never take it: a person must see to it.
    #[error("the channel refused it for good: {0}")]
    Permanent(String),
}

/// What a medium can carry towards the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelLimits {
    /// Longest text of one message in characters.
    pub text_chars_max: usize,
    /// Most quick replies under one message; 0 where there are none.
    pub choices_max: usize,
    /// Whether it can show that somebody is typing.
    pub typing: bool,
}

/// What arrived and who the edge has found to vouch for it.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The raw body.
    pub body: &'a [u8],
    /// The verified chat session it came under, on channels that have one.
    pub session: Option<&'a web_chat::Session>,
}

/// A medium: turns its bytes into a normalised message (pure: no clock, no network), and takes messages out.
pub trait ChannelAdapter: Send + Sync {
    /// Its name in the record and in `POST /channels/{name}`.
    fn name(&self) -> &'static str;
    /// What it can carry.
    fn limits(&self) -> ChannelLimits;
    /// Reads one message; never panics, whatever the bytes are.
    fn parse(&self, envelope: Envelope<'_>) -> Result<InboundMessage, ChannelError>;
    /// Whether its readers follow the case's own record: what is stored and announced has then arrived, and
    /// nothing needs to be carried.
    fn follows_the_record(&self) -> bool {
        false
    }
    /// Gives one message to the medium, to the thread `conversation` of it.
    fn send<'a>(
        &'a self,
        conversation: &'a str,
        message: &'a Message,
    ) -> BoxFuture<'a, Result<(), ChannelError>>;
}

/// The channels of this process, by name.
pub struct Channels(Vec<Box<dyn ChannelAdapter>>);

impl Channels {
    /// Every channel of this build.
    pub fn new(config: &Config) -> Self {
        Self::of(all(config))
    }

    /// These channels.
    pub fn of(channels: Vec<Box<dyn ChannelAdapter>>) -> Self {
        Self(channels)
    }

    /// The channel called `name`. Any other name is one of the operator's own, vouched for by an API key
    /// when its message came, and served like [`in_app`].
    pub fn get(&self, name: &str) -> Option<&dyn ChannelAdapter> {
        let named = |wanted: &str| self.0.iter().find(|channel| channel.name() == wanted);
        named(name).or_else(|| named(in_app::NAME)).map(AsRef::as_ref)
    }

    /// Whether what is stored for the channel called `name` has arrived, with nothing to carry.
    pub fn arrived_when_stored(&self, name: &str) -> bool {
        self.get(name).is_some_and(ChannelAdapter::follows_the_record) && !failpoints::planted("pushed")
    }
}

/// Every channel of this build.
pub fn all(config: &Config) -> Vec<Box<dyn ChannelAdapter>> {
    let bounds = Bounds::of(config);
    vec![
        Box::new(in_app::InApp { bounds }),
        Box::new(web_chat::WebChat { bounds }),
        #[cfg(feature = "failpoints")]
        Box::new(pushed::Pushed),
    ]
}

/// What an inbound message may be at most.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Longest text in characters.
    pub text_chars_max: usize,
    /// Longest reply the pipeline writes, which the channel can carry.
    pub reply_chars_max: usize,
    /// Most attachments.
    pub attachments_max: usize,
    /// Deepest JSON.
    pub depth_max: usize,
}

impl Bounds {
    /// The configured bounds.
    pub fn of(config: &Config) -> Self {
        Self {
            text_chars_max: config.limits.message_chars_max,
            reply_chars_max: config.limits.reply_chars_max,
            attachments_max: config.limits.attachments_max,
            depth_max: config.server.json_depth_max,
        }
    }
}

/// Longest id, name or address from outside, in characters.
const LABEL_CHARS_MAX: usize = 200;

/// Refuses a text with nothing to read in it: empty, blank, or only invisible characters.
fn demand_words(text: &str) -> Result<(), BadInput> {
    let invisible = |c: char| {
        c.is_whitespace()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
    };
    if text.chars().all(invisible) {
        return Err(BadInput::new(
            "text",
            "is empty; write at least one visible character or add an attachment",
        ));
    }
    Ok(())
}

/// For media whose readers follow the case's own stream: what is stored and announced has arrived.
fn followed<'a>() -> BoxFuture<'a, Result<(), ChannelError>> {
    Box::pin(std::future::ready(Ok(())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Sources;

    proptest! {
        #[test]
        fn no_channel_panics_on_any_bytes(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let config = Config::load(Sources::default()).unwrap();
            for channel in all(&config) {
                let _ = channel.parse(Envelope { body: &body, session: None });
            }
        }
    }

    #[test]
    fn a_text_of_invisible_characters_is_empty_and_an_emoji_is_not() {
        for empty in ["", "  \n", "\u{200b}\u{feff}", "\u{202e}"] {
            assert!(demand_words(empty).is_err(), "{empty:?}");
        }
        assert!(demand_words("👍").is_ok());
    }
}
