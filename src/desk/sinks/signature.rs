//! Whether another desk has signed what came: over the raw bytes, in constant time, and not long ago.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::desks::NewsError;
use crate::domain::time::Timestamp;

/// How far a signed time may be from ours.
const TOLERANCE_MS: i64 = 300_000;

/// A header that a signed request has.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, NewsError> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or(NewsError::Forged("it is not signed; give the webhook a secret there and here"))
}

/// Refuses what was signed long ago: it may be somebody's copy.
pub(super) fn fresh(at: Timestamp, now: Timestamp) -> Result<(), NewsError> {
    if now.ms_since(at).saturating_abs() > TOLERANCE_MS {
        return Err(NewsError::Forged("it was signed too long ago or too far ahead"));
    }
    Ok(())
}

/// Refuses what the secret has not signed.
pub(super) fn check(secret: &SecretString, parts: &[&[u8]], given: &[u8]) -> Result<(), NewsError> {
    const WRONG: NewsError = NewsError::Forged("the signature does not match; check the secret");
    let key = secret.expose_secret().as_bytes();
    if key.is_empty() {
        return Err(WRONG);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| WRONG)?;
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(given).map_err(|_| WRONG)
}
