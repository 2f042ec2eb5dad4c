//! A customer and the addresses that are theirs, each with the evidence for it.

use serde::{Deserialize, Serialize};

use super::assurance::Assurance;
use super::crm::Crm;
use super::ids::{CustomerId, IdentityId};
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
    /// First time it wrote.
    pub first_seen: Timestamp,
    /// Last time it wrote.
    pub last_seen: Timestamp,
}
