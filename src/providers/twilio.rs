//! Twilio, as far as SMS and the phone have it in common: an account, its token and its signature.

use std::collections::BTreeMap;

use axum::http::Method;
use form_urlencoded::Serializer;

use super::ProviderCall;
use crate::channels::twilio::signature;

pub(super) const ACCOUNT: &str = "AC00000000000000000000000000000001";
pub(super) const TOKEN: &str = "simulated-auth-token";
/// Our number there. This one is Twilio's own for tests: it may send.
pub(super) const OURS: &str = "+15005550006";

/// The number of a customer, of those that are kept for fiction.
pub(super) fn number(customer: u32) -> String {
    format!("+1415555{:04}", 100 + customer % 9_000)
}

/// A form as Twilio posts it.
pub(super) fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()
}

/// A signed request; `base` is how Twilio reaches the service.
pub(super) fn posted(target: &str, body: Vec<u8>, base: &str) -> ProviderCall {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(&body) {
        fields.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    let signed = signature::of(TOKEN, &format!("{base}{target}"), &fields).unwrap_or_default();
    ProviderCall {
        method: Method::POST,
        target: target.to_owned(),
        headers: vec![
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
            (signature::HEADER.to_owned(), signed),
        ],
        body,
    }
}
