//! Other desks: what each is given, and what it answers. One list of kinds; each speaks its own language.

use http::HeaderMap;

use super::wire::Wire;
use super::{Untaken, chatwoot, email, webhook, zendesk};
use crate::channels::{BadInput, Channels};
use crate::config::{Config, SinkKind, SinkSettings};
use crate::domain::case::Case;
use crate::domain::customer::Customer;
use crate::domain::handoff::Handoff;
use crate::domain::ids::HandoffId;
use crate::domain::message::Message;
use crate::domain::time::Timestamp;
use crate::store::DeskCase;

/// What every call to a desk carries.
#[derive(Clone, Copy)]
pub struct Telling<'a> {
    /// The same at every attempt.
    pub key: &'a str,
    /// It was tried before, and may have been taken.
    pub again: bool,
    /// Now.
    pub now: Timestamp,
    /// The case.
    pub case: &'a Case,
    /// The ways out.
    pub channels: &'a Channels,
}

/// A case for a desk to take.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// The handoff, with the note.
    pub handoff: &'a Handoff,
    /// Whose it is.
    pub customer: &'a Customer,
    /// The customer's newest words.
    pub newest: Option<&'a Message>,
}

/// A case that a desk has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What the desk calls it.
    pub foreign_id: String,
    /// What writing into it needs beside that.
    pub thread: Option<String>,
}

/// Something that a desk tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The desk's own name for it, so that it counts once.
    pub key: String,
    /// What the desk calls the case.
    pub foreign_id: Option<String>,
    /// Our handoff, where the desk hands its name back.
    pub handoff: Option<HandoffId>,
    /// What it tells.
    pub heard: Heard,
}

/// What a desk may tell about a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A person there has answered the customer.
    Said(String),
    /// It is settled there.
    Settled,
}

/// Why what came is not believed or not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NewsError {
    /// Nothing proves that the desk sent it.
    #[error("{0}")]
    Forged(&'static str),
    /// It is nothing that a desk says.
    #[error(transparent)]
    Malformed(#[from] BadInput),
}

/// A desk.
pub(super) struct OtherDesk {
    pub(super) name: String,
    pub(super) teams: Vec<String>,
    kind: Kind,
    chars_max: usize,
}

enum Kind {
    Webhook(webhook::Webhook),
    Chatwoot(chatwoot::Chatwoot),
    Zendesk(zendesk::Zendesk),
    Email(email::Mailbox),
}

impl OtherDesk {
    pub(super) fn new(settings: &SinkSettings, config: &Config, wire: &Wire) -> Result<Self, Vec<String>> {
        let kind = match settings.kind {
            SinkKind::Webhook => Kind::Webhook(webhook::Webhook::new(settings, wire.clone(), config)?),
            SinkKind::Chatwoot => Kind::Chatwoot(chatwoot::Chatwoot::new(settings, wire.clone())),
            SinkKind::Zendesk => Kind::Zendesk(zendesk::Zendesk::new(settings, wire.clone())),
            SinkKind::Email => Kind::Email(email::Mailbox::new(settings)),
        };
        Ok(Self {
            name: settings.name.clone(),
            teams: settings.teams.clone(),
            kind,
            chars_max: config.handoff.text_chars_max,
        })
    }

    /// Gives it a case; given again it is the same one there.
    pub(super) async fn open(&self, telling: Telling<'_>, opening: Opening<'_>) -> Result<Opened, Untaken> {
        let note = super::words::readable(opening.handoff, opening.customer, self.chars_max);
        match &self.kind {
            Kind::Webhook(desk) => desk.open(telling, opening, &note).await,
            Kind::Chatwoot(desk) => desk.open(telling, opening, &note).await,
            Kind::Zendesk(desk) => desk.open(telling, opening, &note).await,
            Kind::Email(desk) => desk.open(telling, opening, &note).await,
        }
    }

    /// Gives it what the customer wrote since.
    pub(super) async fn say(
        &self,
        telling: Telling<'_>,
        at: &DeskCase,
        message: &Message,
    ) -> Result<(), Untaken> {
        match &self.kind {
            Kind::Webhook(desk) => desk.say(telling, at, message).await,
            Kind::Chatwoot(desk) => desk.say(telling, at, message).await,
            Kind::Zendesk(desk) => desk.say(telling, at, message).await,
            Kind::Email(desk) => desk.say(telling, at, &words_of(message)).await,
        }
    }

    /// Tells it that the case is over here.
    pub(super) async fn close(&self, telling: Telling<'_>, at: &DeskCase) -> Result<(), Untaken> {
        match &self.kind {
            Kind::Webhook(desk) => desk.close(telling, at).await,
            Kind::Chatwoot(desk) => desk.close(at).await,
            Kind::Zendesk(desk) => desk.close(at).await,
            Kind::Email(desk) => desk.say(telling, at, email::OVER).await,
        }
    }

    /// Reads what came at `POST /desks/{name}`; verified over the raw bytes first.
    pub(super) fn read(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<News>, NewsError> {
        match &self.kind {
            Kind::Webhook(desk) => desk.read(headers, body, now),
            Kind::Chatwoot(desk) => desk.read(headers, body, now),
            Kind::Zendesk(desk) => desk.read(headers, body, now),
            Kind::Email(_) => Err(NewsError::Forged("this desk answers by mail; nothing is posted for it")),
        }
    }

    /// Whether it answers from this mail address.
    pub(super) fn writes_from(&self, address: &str) -> bool {
        match &self.kind {
            Kind::Email(desk) => desk.writes_from(address),
            Kind::Webhook(_) | Kind::Chatwoot(_) | Kind::Zendesk(_) => false,
        }
    }
}

/// A message's words and the names of its files.
pub(super) fn words_of(message: &Message) -> String {
    let mut words = message.text.clone();
    for file in message.files() {
        words.push_str("\n[file: ");
        words.push_str(&file.name);
        words.push(']');
    }
    words
}
