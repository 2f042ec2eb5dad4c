//! The settings of `[identity]`: who somebody is, and how they prove it.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Shorter secrets can be guessed.
const SECRET_BYTES_MIN: usize = 32;

/// Who somebody is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// A phone number from which nobody wrote for so long may be somebody else's by now.
    pub phone_silence_days: i64,
    /// Checks customer tokens signed with HS256; empty: none are taken.
    pub token_secret: SecretString,
    /// Checks customer tokens signed with RS256, an RSA public key in PEM; empty: none are taken.
    pub token_public_key: String,
    /// The same as a file of the workspace.
    pub token_public_key_file: String,
    /// What `iss` must be; empty: anything.
    pub token_issuer: String,
    /// What `aud` must be, or hold; empty: anything.
    pub token_audience: String,
    /// Longest time from `iat` to `exp`.
    pub token_lifetime_ms_max: i64,
    /// How long a one-time code may be typed.
    pub code_ms: i64,
    /// How often somebody may be wrong about it.
    pub code_tries_max: i64,
    /// How many a customer may ask for, and a contact be sent, in an hour.
    pub codes_per_hour_max: i64,
    /// How long a typed code proves its writer, in that case and thread.
    pub code_proves_ms: i64,
}

impl Identity {
    /// What contradicts itself.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let secret = self.token_secret.expose_secret();
        if !secret.is_empty() && secret.len() < SECRET_BYTES_MIN {
            wrong.push(format!(
                "[identity] token_secret has fewer than {SECRET_BYTES_MIN} bytes and could be guessed; use a long random text"
            ));
        }
        if !self.token_public_key.is_empty() && !self.token_public_key_file.is_empty() {
            wrong.push("[identity] has both token_public_key and token_public_key_file; keep one".to_owned());
        }
        wrong
    }
}
