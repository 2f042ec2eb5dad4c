//! Signatures of Standard Webhooks, for what we send to the operator's own systems.
//!
//! Source: <https://www.standardwebhooks.com> (the signed string is `id.timestamp.body`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::time::Timestamp;

/// How secrets are written: this, then the key in base64.
const PREFIX: &str = "whsec_";

/// The key of a secret like `whsec_…`; none when it is not written so.
pub fn key(secret: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret.strip_prefix(PREFIX)?).ok().filter(|key| !key.is_empty())
}

/// The three headers of a webhook: its id, when it is sent, and the signature over both and the body.
pub fn headers(key: &[u8], id: &str, at: Timestamp, body: &[u8]) -> [(&'static str, String); 3] {
    let seconds = (at.0 / 1000).to_string();
    // HMAC takes a key of any length.
    let signed = Hmac::<Sha256>::new_from_slice(key).map(|mut mac| {
        for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
            mac.update(part);
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    });
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds),
        ("webhook-signature", signed.unwrap_or_default()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_comes_out() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", Timestamp(1_614_265_330_000));
        let headers = headers(&key, id, at, br#"{"test": 2432232314}"#);
        assert_eq!(headers[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(headers[1].1, "1614265330");
    }

    #[test]
    fn a_secret_that_is_not_written_as_one_is_none() {
        for secret in ["", "whsec_", "whsec_%%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(key(secret), None, "{secret}");
        }
    }
}
