//! Messages: as an adapter normalised them, and as they stand in a case's thread.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::assurance::Assurance;
use super::ids::{AgentId, AttachmentId, CaseId, MessageId, TurnId};
use super::time::Timestamp;

/// Who wrote an entry of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The person we serve.
    Customer,
    /// The machine.
    Assistant,
    /// A person who works here.
    Agent,
}

impl Author {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Assistant => "assistant",
            Self::Agent => "agent",
        }
    }

    /// Reads the name used in the record.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Customer, Self::Assistant, Self::Agent].into_iter().find(|a| a.as_str() == text)
    }
}

/// Who sent an inbound message, as far as its channel can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The address on the channel: the operator's user id, a widget visitor, a phone number.
    pub address: String,
    /// A display name, if given.
    pub name: Option<String>,
    /// An email address, if given; a fact only when `assurance` is `Verified`.
    pub email: Option<String>,
    /// A phone number, if given; a fact only when `assurance` is `Verified`.
    pub phone: Option<String>,
    /// How well the address is proven.
    pub assurance: Assurance,
    /// By what: `api_key`, `session_token`, `typed`, …
    pub proof: &'static str,
    /// The operator's id of the person; only with `Verified`.
    pub external_id: Option<String>,
}

/// Something the customer attached. Where an adapter brings the bytes they are stored; else the file stays with the channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// File name as sent.
    pub name: String,
    /// MIME type as sent.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Where it can be fetched.
    #[serde(default)]
    pub url: Option<String>,
    /// Ours, once the bytes are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<AttachmentId>,
    /// The bytes, on the way from the adapter to the record only.
    #[serde(skip)]
    pub content: Option<Arc<[u8]>>,
}

/// The name under which the whole text of a mail is kept, where the message is only what its writer added.
pub const WHOLE_TEXT: &str = "whole-mail.txt";
/// The name under which the page of a mail is kept as it came.
pub const WHOLE_PAGE: &str = "whole-mail.html";

/// Whether a file of this name is one that we keep beside a message, and that nobody attached.
pub fn kept_by_us(name: &str) -> bool {
    [WHOLE_TEXT, WHOLE_PAGE].contains(&name)
}

/// A message normalised by an adapter, not yet stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMessage {
    /// `web_chat`, `in_app`, …
    pub channel: String,
    /// The channel's own id of the message; the same id is never stored twice.
    pub external_id: String,
    /// The channel's thread, where an answer goes.
    pub conversation: String,
    /// Who wrote it.
    pub sender: Sender,
    /// What they wrote, card numbers not yet masked.
    pub text: String,
    /// What came along.
    pub attachments: Vec<Attachment>,
    /// When the channel says it was sent.
    pub sent_at: Option<Timestamp>,
    /// What the adapter needs to answer in this thread (JSON that only it reads), where that changes with each message.
    pub threading: Option<String>,
}

/// What an answer relies on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// The article's id.
    pub article: String,
    /// Its title.
    pub title: String,
}

/// Who may read an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// The customer too.
    #[default]
    Public,
    /// Agents only.
    Internal,
}

/// One entry in a case's thread. Messages never move to another case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Ours.
    pub id: MessageId,
    /// The case it belongs to.
    pub case: CaseId,
    /// Place in the thread, from 1 without gaps.
    pub seq: i64,
    /// Who wrote it.
    pub author: Author,
    /// The agent, when a person wrote it.
    pub agent: Option<AgentId>,
    /// The channel it came on or left by.
    pub channel: String,
    /// What it says.
    pub text: String,
    /// When it was stored.
    pub at: Timestamp,
    /// Who may read it.
    pub visibility: Visibility,
    /// What it relies on.
    pub citations: Vec<Citation>,
    /// Quick replies offered with it.
    pub choices: Vec<String>,
    /// What came along.
    pub attachments: Vec<Attachment>,
    /// The turn that wrote it.
    pub turn: Option<TurnId>,
}

impl Message {
    /// What its writer attached, without the text and the page that were kept beside it.
    pub fn files(&self) -> impl Iterator<Item = &Attachment> {
        self.attachments.iter().filter(|file| file.id.is_none() || !kept_by_us(&file.name))
    }
}
