//! What SMS and the phone have in common: Twilio's signature, its numbers and its errors.

use super::{BadInput, ChannelError, LABEL_CHARS_MAX, Webhook, WebhookAnswer};
use std::collections::BTreeMap;

pub mod errors;
pub mod segments;
pub mod signature;

/// Numbers that stand for a caller who shows none. From memory; check Twilio's page on anonymous callers.
const NUMBERLESS: [&str; 6] = ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253", "+464"];

/// Most digits of a number in E.164 (ITU-T E.164, section 6).
const DIGITS_MAX: usize = 15;
/// Fewest digits of a number that a person can have.
const DIGITS_MIN: usize = 7;

/// The fields of a request, one value each.
pub(super) struct Form(BTreeMap<String, Vec<String>>);

impl Form {
    /// Reads the body of a verified request.
    pub(super) fn of(webhook: &Webhook<'_>) -> Result<Self, BadInput> {
        webhook.form().map(Self)
    }

    /// A field that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A text of at most `chars_max` characters.
    pub(super) fn text(&self, name: &'static str, chars_max: usize) -> Result<&str, BadInput> {
        let text = self.get(name).unwrap_or_default();
        let length = text.chars().count();
        if length > chars_max {
            let problem = format!("has {length} characters; at most {chars_max} are taken");
            return Err(BadInput::new(name, problem));
        }
        Ok(text)
    }

    /// A short text on one line that must be there: an id, a number.
    pub(super) fn label(&self, name: &'static str) -> Result<&str, BadInput> {
        let label = self.text(name, LABEL_CHARS_MAX)?;
        if label.trim().is_empty() || label.chars().any(char::is_control) {
            return Err(BadInput::new(name, "is missing or no plain one-line text; send Twilio's own value"));
        }
        Ok(label)
    }
}

/// Whether a text is a telephone number in E.164 that belongs to somebody.
pub(super) fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    }) && !NUMBERLESS.contains(&text)
}

/// Whether a text is the short code of a sender of SMS.
pub(super) fn is_short_code(text: &str) -> bool {
    (3..DIGITS_MIN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// TwiML that asks Twilio for nothing.
pub(super) fn nothing_to_do() -> WebhookAnswer {
    WebhookAnswer::xml("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>".to_owned())
}

/// Whether Twilio has sent this, under the account's token.
pub(super) fn verify(token: &str, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
    let found = webhook.header(signature::HEADER).unwrap_or_default();
    let fields = webhook.form()?;
    if signature::matches(token, webhook.url, &fields, webhook.body, found) {
        Ok(())
    } else {
        Err(ChannelError::Forged(
            "the signature does not match; check auth_token, and that public_base_url is the address Twilio calls",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_stands_for_no_number_is_nobodys() {
        assert!(is_number("+14155550100") && is_number("+4930901820"));
        for text in
            ["+266696687", "+0123456789", "14155550100", "+1415", "anonymous", "+1415555010a", "", "+"]
        {
            assert!(!is_number(text), "{text}");
        }
        assert!(!is_number("+1234567890123456"), "too long");
        assert!(is_short_code("72345") && !is_short_code("12") && !is_short_code("BANK"));
    }
}
