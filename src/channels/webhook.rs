//! A provider's request as it came in, and what signatures of such requests are made of.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{BadInput, ChannelError};
use crate::domain::time::Timestamp;

/// A request of a provider. Signatures are checked over these raw bytes, never over what was read from them.
#[derive(Debug, Clone, Copy)]
pub struct Webhook<'a> {
    /// The method.
    pub method: &'a Method,
    /// What follows `/channels/{name}/` in the path; empty for nothing.
    pub path: &'a str,
    /// The whole address as the provider called it, built on `[server] public_base_url` and never on `Host`.
    pub url: &'a str,
    /// The query, still encoded; empty for none.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The raw body.
    pub body: &'a [u8],
    /// When it came.
    pub now: Timestamp,
}

impl Webhook<'_> {
    /// The value of a header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The value of a parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The fields of a form (`application/x-www-form-urlencoded`), in UTF-8; a name that stands twice keeps all values.
    pub fn form(&self) -> Result<BTreeMap<String, Vec<String>>, BadInput> {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(self.body) {
            if value.contains('\0') || name.contains('\0') {
                return Err(BadInput::new("body", "holds the character NUL; remove it"));
            }
            fields.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Ok(fields)
    }
}

/// What the provider is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The MIME type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl WebhookAnswer {
    /// 200 and nothing else.
    pub fn empty() -> Self {
        Self::text(String::new())
    }

    /// 200 and a plain text.
    pub fn text(body: String) -> Self {
        Self { status: 200, content_type: "text/plain; charset=utf-8", body }
    }

    /// 200 and XML.
    pub fn xml(body: String) -> Self {
        Self { status: 200, content_type: "text/xml; charset=utf-8", body }
    }
}

/// Compares a shared secret in constant time. An empty expected secret matches nothing.
pub fn same_secret(expected: &str, found: &str) -> bool {
    !expected.is_empty() && bool::from(expected.as_bytes().ct_eq(found.as_bytes()))
}

/// Checks an HMAC-SHA256 over `parts` in order, in constant time.
pub(super) fn signed_sha256(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> Result<(), ChannelError> {
    const WRONG: ChannelError = ChannelError::Forged("the signature does not match; check the secret");
    if key.is_empty() {
        return Err(WRONG);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| WRONG)?;
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(signature).map_err(|_| WRONG)
}
