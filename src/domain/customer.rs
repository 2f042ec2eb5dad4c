//! A customer and the addresses that are theirs, each with the evidence for it.

use serde::{Deserialize, Serialize};

use super::assurance::Assurance;
use super::crm::Crm;
use super::ids::{CaseId, CustomerId, IdentityId};
use super::time::Timestamp;

/// One person we serve. Fields that name a contact are set from proof only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Ours.
    pub id: CustomerId,
    /// The operator's own id of this person, once vouched for.
    pub external_id: Option<String>,
    /// How they are called.
    pub name: Option<String>,
    /// A proven email address.
    pub email: Option<String>,
    /// A proven phone number.
    pub phone: Option<String>,
    /// ISO 639-1, as last written.
    pub language: Option<String>,
    /// What the operator's CRM says of them, and which of the fields above are its word.
    #[serde(default)]
    pub crm: Crm,
    /// When we first heard of them.
    pub created_at: Timestamp,
    /// Counts changes of this row and of the set of open cases; writers compare it.
    pub version: i64,
}

/// One address of a customer on one channel, and why we believe it is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Ours.
    pub id: IdentityId,
    /// Whose it is.
    pub customer: CustomerId,
    /// `web_chat`, `in_app`, `email`, …
    pub channel: String,
    /// The address on that channel as compared (NFKC, no format characters); unique per channel.
    pub address: String,
    /// How well it is proven.
    pub assurance: Assurance,
    /// The evidence: `api_key`, `session_token`, `typed`, …
    pub proof: String,
    /// How the address came to be this customer's.
    pub link: Link,
    /// What was proven beyond that, for a time.
    pub proven: Option<Proven>,
    /// First time it wrote.
    pub first_seen: Timestamp,
    /// Last time it wrote.
    pub last_seen: Timestamp,
    /// Since when it is theirs no more.
    pub ended_at: Option<Timestamp>,
}

/// How an address came to be a customer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Nobody had it: whoever wrote from it is this customer, and nothing else is known of them.
    FirstContact,
    /// The operator's server vouched for the writer when they wrote.
    ApiKey,
    /// The operator's server, or a person, named the address.
    Operator,
    /// The writer typed a one-time code that was sent to an address on the record.
    Code,
    /// One live session proved both ends.
    SessionToken,
}

impl Link {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstContact => "first_contact",
            Self::ApiKey => "api_key",
            Self::Operator => "operator",
            Self::Code => "code",
            Self::SessionToken => "session_token",
        }
    }

    /// Reads the name used in the record.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::FirstContact, Self::ApiKey, Self::Operator, Self::Code, Self::SessionToken]
            .into_iter()
            .find(|link| link.as_str() == text)
    }
}

/// A proof that was given within one case: it holds there and in that thread, for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// The case.
    pub case: CaseId,
    /// The thread of the channel.
    pub conversation: String,
    /// Not after this.
    pub until: Timestamp,
}

/// Why an address is a customer's no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nobody wrote from it for so long that somebody else may have it.
    Silence,
    /// It was proven to be somebody else's.
    Moved,
    /// The operator took it away.
    Unlinked,
}

impl Ended {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Moved => "moved",
            Self::Unlinked => "unlinked",
        }
    }
}

/// What kind of contact a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ContactKind {
    /// An email address.
    Email,
    /// A phone number.
    Phone,
}

impl ContactKind {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    /// The kind of the addresses of a channel, where they are contacts of the world outside.
    pub fn of_channel(channel: &str) -> Option<Self> {
        match channel {
            "email" => Some(Self::Email),
            "sms" | "voice" | "whatsapp" => Some(Self::Phone),
            _ => None,
        }
    }

    /// The value as contacts are compared: an email in lower case, a phone number as its digits. No dots, plus signs
    /// or look-alike letters of an email are folded: they may be different people's.
    pub fn compared(self, value: &str) -> String {
        match self {
            Self::Email => value.trim().to_ascii_lowercase(),
            Self::Phone => {
                let digits: String = value.chars().filter(char::is_ascii_digit).collect();
                digits.strip_prefix("00").map_or(digits.clone(), str::to_owned)
            }
        }
    }
}
