//! The settings of `[identity]`: who somebody is, and how they prove it.

use serde::Deserialize;

/// Who somebody is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// A phone number from which nobody wrote for so long may be somebody else's by now.
    pub phone_silence_days: i64,
}
