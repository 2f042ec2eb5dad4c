//! Channels: how messages come in and what each medium can carry. One list, [`all`], names them.
//!
//! A provider's request is a [`Webhook`]. An adapter first [verifies](ChannelAdapter::verify) who sent it, over its raw
//! bytes, then [parses](ChannelAdapter::parse) it, which is a pure function: no clock, no network. What a medium can
//! carry is one table, [`rules::RULES`].

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::config::Config;
use crate::domain::case::Case;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::ids::DeliveryId;
use crate::domain::message::{InboundMessage, Message};
use crate::domain::time::{Clock, Timestamp};
use crate::failpoints;
use crate::templates::{Phrases, Templates};

mod content;
pub mod customer_token;
pub mod email;
pub mod files;
pub mod in_app;
pub mod instagram;
pub mod json;
pub mod messenger;
pub mod meta;
pub mod notices;
pub mod outgoing;
#[cfg(feature = "failpoints")]
pub mod pushed;
pub mod rules;
pub mod slack;
pub mod sms;
pub mod standard_webhooks;
pub mod telegram;
pub mod twilio;
pub mod voice;
pub mod web_chat;
pub mod webhook;
pub mod whatsapp;

pub use files::{File, Files};
pub use json::BadInput;
pub use rules::Rules;
use twilio::segments;
pub use webhook::{Webhook, WebhookAnswer};

/// Why a message did not get through, and who must act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The bytes are no message of this channel: the sender must correct them.
    #[error(transparent)]
    Malformed(#[from] BadInput),
    /// Nothing proves that the provider sent this.
    #[error("{0}")]
    Forged(&'static str),
    /// The session that vouches for the sender is missing, forged or over: begin a new one.
    #[error("{0}")]
    Session(#[from] web_chat::SessionError),
    /// The medium cannot take it now: try again later.
    #[error("the channel cannot take it now: {why}")]
    Later {
        /// What it said.
        why: String,
        /// Not before this pause, where it named one.
        after_ms: Option<i64>,
    },
    /// The medium may have taken it: nobody knows, and sent again it might be read twice.
    #[error("nobody knows whether the channel took it: {0}")]
    Unknown(String),
    /// The medium will never take it: a person must see to it.
    #[error("the channel refused it for good: {0}")]
    Permanent(String),
}

impl ChannelError {
    /// The medium cannot take it now and did not say when it can.
    pub fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), after_ms: None }
    }
}

/// What a provider's request brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A customer wrote.
    Message(Box<InboundMessage>),
    /// News of something that left.
    Status(StatusUpdate),
    /// Nothing to store, for this reason: an echo of our own words, a reaction, a notice of the provider.
    Nothing(&'static str),
}

/// How something that left has fared, as the provider tells. Such news comes in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusUpdate {
    /// What the provider calls the message.
    pub provider_id: String,
    /// Our id of the delivery, where the provider hands it back: that settles one whose answer was lost.
    pub delivery: Option<String>,
    /// How far it has come.
    pub state: DeliveryState,
    /// Why it failed.
    pub reason: Option<String>,
}

/// One message, or a part of one, for a medium to take.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The row of the outbox. Its id is the same at every try: what the provider takes as a key of idempotency.
    pub delivery: &'a Delivery,
    /// The whole message.
    pub message: &'a Message,
    /// What is to be sent of it: within the medium's length, choices written out where it has no buttons.
    pub text: &'a str,
    /// Quick replies to show as the medium's own buttons, with the last part only.
    pub choices: &'a [String],
    /// What goes along: one file where each is a message of its own.
    pub files: &'a [File],
    /// What [`ChannelAdapter::upload`] brought back about them.
    pub uploaded: Option<&'a str>,
    /// Who wrote in that thread last; the thread's own name where nobody did.
    pub address: &'a str,
    /// What the adapter noted about the thread when a message came in ([`InboundMessage::threading`]).
    pub threading: Option<&'a str>,
    /// Whether free words may be sent now; else only what the provider has approved beforehand.
    pub window_open: bool,
    /// ISO 639-1 of the conversation.
    pub language: &'a str,
    /// What the case is about, in one line.
    pub subject: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// A medium: turns a provider's requests into normalised messages, and takes messages out.
pub trait ChannelAdapter: Send + Sync {
    /// Its name in the record and in `POST /channels/{name}`.
    fn name(&self) -> &'static str;
    /// What it can carry.
    fn rules(&self) -> &'static Rules {
        rules::of(self.name())
    }
    /// What it takes of files.
    fn files(&self) -> Files {
        self.rules().files
    }
    /// Largest body of a request, where it is not `[server] body_bytes_max`.
    fn body_bytes_max(&self) -> Option<usize> {
        None
    }
    /// Whether reading a request may take long enough to be kept off the threads that serve everybody.
    fn reads_long(&self) -> bool {
        false
    }
    /// The HTTP status by which the provider that calls `path` understands that a request is refused for good, where
    /// it tries others again.
    fn refusal(&self, _path: &str) -> Option<u16> {
        None
    }
    /// How many automatic answers may leave in one conversation within how many milliseconds, where the other side
    /// may be a program that answers them.
    fn automatic_replies(&self) -> Option<(i64, i64)> {
        None
    }
    /// The answer to a request by which the provider only asks whether this is the right place; those are answered
    /// before anything else and store nothing. A wrong secret in one is [`ChannelError::Forged`].
    fn greet(&self, _: &Webhook<'_>) -> Option<Result<WebhookAnswer, ChannelError>> {
        None
    }
    /// Whether the provider sent this: signature and age, over the raw bytes, in constant time.
    fn verify(&self, webhook: &Webhook<'_>) -> Result<(), ChannelError>;
    /// Reads what a verified request brings; never panics, whatever the bytes are.
    fn parse(&self, webhook: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError>;
    /// The answer once everything a request brought is stored.
    fn acknowledge(&self) -> WebhookAnswer {
        WebhookAnswer::empty()
    }
    /// Shows the customer that a message of theirs is stored and being answered, where the medium can. Nobody waits for
    /// it, and it may fail.
    fn seen<'a>(&'a self, _: &'a InboundMessage) -> Option<BoxFuture<'a, ()>> {
        None
    }
    /// The thread in which we may write to `address` first, where the medium lets us; `seed` is the case's id.
    fn begin_thread(&self, _seed: &str, _address: &str) -> Option<String> {
        None
    }
    /// Whether its readers follow the case's own record: what is stored and announced has then arrived, and
    /// nothing needs to be carried.
    fn follows_the_record(&self) -> bool {
        false
    }
    /// Whether it takes a delivery that it is given twice only once, by the delivery's id: then it may be sent again
    /// when an answer was lost.
    fn takes_once(&self) -> bool {
        self.follows_the_record()
    }
    /// Gives words to somebody who works here, where the medium can reach them.
    fn notify<'a>(&'a self, _: notices::Notice<'a>) -> Option<BoxFuture<'a, Result<(), ChannelError>>> {
        None
    }
    /// Brings files to the provider where they travel before the message that names them. That can be done twice without
    /// harm: whatever goes wrong, nobody has read anything.
    fn upload<'a>(&'a self, _: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
    /// Gives one message to the medium; what the provider calls it from now on, where it says.
    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>>;
}

/// The channels of this process, by name.
pub struct Channels(Vec<Box<dyn ChannelAdapter>>);

impl Channels {
    /// Every channel that is switched on.
    pub fn new(config: &Config) -> Result<Self, Vec<String>> {
        all(config).map(Self)
    }

    /// These channels.
    pub fn of(channels: Vec<Box<dyn ChannelAdapter>>) -> Self {
        Self(channels)
    }

    /// The channel of this very name: where a provider calls.
    pub fn named(&self, name: &str) -> Option<&dyn ChannelAdapter> {
        self.0.iter().find(|channel| channel.name() == name).map(AsRef::as_ref)
    }

    /// The channel called `name`. Any other name is one of the operator's own, vouched for by an API key
    /// when its message came, and served like [`in_app`].
    pub fn get(&self, name: &str) -> Option<&dyn ChannelAdapter> {
        self.named(name).or_else(|| self.named(in_app::NAME))
    }

    /// Their names.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|channel| channel.name()).collect()
    }

    /// What has to be carried of a message that its case is about to say: nothing where readers follow the record,
    /// else one row of the outbox for each part.
    pub fn deliveries(
        &self,
        case: &Case,
        message: &Message,
        now: Timestamp,
        clock: &dyn Clock,
    ) -> Vec<Delivery> {
        if self.arrived_when_stored(&case.channel) {
            return Vec::new();
        }
        let parts = self.get(&case.channel).map_or(1, |channel| channel.rules().parts(message).len() as i64);
        let delivery = |part| Delivery {
            id: DeliveryId::new(clock.new_id()),
            case: case.id.clone(),
            message: message.id.clone(),
            part,
            channel: case.channel.clone(),
            conversation: case.conversation.clone(),
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: now,
            provider_id: None,
            reason: None,
        };
        (0..parts).map(delivery).collect()
    }

    /// In how many parts a message leaves, as the medium bills them.
    pub fn segments(&self, message: &Message) -> i64 {
        let parts = self.get(&message.channel).map(|channel| channel.rules().parts(message));
        let billed = |part: &rules::Part| match message.channel.as_str() {
            sms::NAME => segments::count(&segments::minimised(&part.text)).0,
            _ => 1,
        };
        parts.map_or(1, |parts| parts.iter().map(billed).sum::<usize>() as i64)
    }

    /// Whether what is stored for the channel called `name` has arrived, with nothing to carry.
    fn arrived_when_stored(&self, name: &str) -> bool {
        self.get(name).is_some_and(ChannelAdapter::follows_the_record) && !failpoints::planted("pushed")
    }
}

/// Every channel that is switched on; else what is wrong with the settings.
pub fn all(config: &Config) -> Result<Vec<Box<dyn ChannelAdapter>>, Vec<String>> {
    let bounds = Bounds::of(config);
    let pace = Pace::of(config);
    let settings = &config.channels;
    let client = outgoing::client(config).map_err(|error| vec![error])?;
    let wrong = notices::problems(config);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut all: Vec<Box<dyn ChannelAdapter>> =
        vec![Box::new(in_app::InApp::new(&settings.in_app, client.clone())?), Box::new(web_chat::WebChat)];
    if settings.telegram.enabled {
        all.push(Box::new(telegram::Telegram::new(&settings.telegram, client.clone(), pace, bounds)));
    }
    if settings.whatsapp.enabled {
        let phrases = Arc::new(Phrases::load(Arc::new(Templates::new()), Some(&config.workspace))?);
        let whatsapp = whatsapp::WhatsApp::new(&settings.whatsapp, client.clone(), phrases, pace, bounds);
        all.push(Box::new(whatsapp));
    }
    if settings.messenger.enabled {
        all.push(Box::new(messenger::page(&settings.messenger, client.clone(), pace, bounds)));
    }
    if settings.instagram.enabled {
        all.push(Box::new(instagram::account(&settings.instagram, client.clone(), pace, bounds)));
    }
    if settings.slack.enabled {
        all.push(Box::new(slack::Slack::new(&settings.slack, client.clone(), bounds)));
    }
    if settings.sms.enabled {
        all.push(Box::new(sms::Sms::new(&settings.sms, &config.public_base_url(), client.clone(), bounds)));
    }
    if settings.voice.enabled {
        all.push(Box::new(voice::Voice::new(&settings.voice, bounds)));
    }
    if settings.email.enabled {
        all.push(Box::new(email::Email::new(&settings.email, bounds).map_err(|error| vec![error])?));
    }
    #[cfg(feature = "failpoints")]
    all.push(Box::new(pushed::Pushed));
    Ok(all)
}

/// How soon an answer comes: only one that takes a while is announced by a typing indicator, which would else arrive
/// after it and promise more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// In milliseconds: the local assistant.
    AtOnce,
    /// In seconds: a language model.
    Slow,
}

impl Pace {
    /// That of the assistant which is configured.
    pub fn of(config: &Config) -> Self {
        if config.model.name.is_empty() { Self::AtOnce } else { Self::Slow }
    }
}

/// What an inbound message may be at most.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Longest text in characters.
    pub text_chars_max: usize,
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
fn followed<'a>() -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
    Box::pin(std::future::ready(Ok(None)))
}

/// For media to which no provider's requests come.
const NO_WEBHOOK: ChannelError = ChannelError::Forged("no provider calls this channel");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_invisible_characters_is_empty_and_an_emoji_is_not() {
        for empty in ["", "  \n", "\u{200b}\u{feff}", "\u{202e}"] {
            assert!(demand_words(empty).is_err(), "{empty:?}");
        }
        assert!(demand_words("👍").is_ok());
    }
}
