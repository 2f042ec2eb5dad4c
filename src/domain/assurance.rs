//! How well it is proven who somebody is.

use serde::{Deserialize, Serialize};

/// How well an identity is proven, lowest first (DESIGN 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// Nothing is known.
    #[default]
    Anonymous,
    /// An address that was typed, or a caller id: anybody could have written it.
    Claimed,
    /// The channel itself proves the address: a signed chat session, DMARC passed at our own edge.
    Channel,
    /// A token signed by the operator's own site, the operator's server with its API key, or a one-time code.
    Verified,
}

impl Assurance {
    /// The name used in files and in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Claimed => "claimed",
            Self::Channel => "channel",
            Self::Verified => "verified",
        }
    }

    /// Reads the name used in files and in the record.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Anonymous, Self::Claimed, Self::Channel, Self::Verified]
            .into_iter()
            .find(|a| a.as_str() == text)
    }
}
