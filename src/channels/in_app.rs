//! The operator's own channel or app: the body of `POST /v1/messages`, vouched for by an API key.

use futures_util::future::BoxFuture;
use secrecy::ExposeSecret;
use serde_json::json;

use super::customer_token::{SignedIn, TokenError};
use super::json::Fields;
use super::{
    BadInput, Bounds, ChannelAdapter, ChannelError, Incoming, LABEL_CHARS_MAX, NO_WEBHOOK, Outgoing, Webhook,
    demand_words, followed,
};
use super::{outgoing, standard_webhooks};
use crate::config::InAppSettings;
use crate::domain::assurance::Assurance;
use crate::domain::message::{Attachment, InboundMessage, Sender};
use crate::domain::time::Timestamp;

/// The name of the operator's own channel in the record.
pub const NAME: &str = "in_app";
const CHANNEL_CHARS_MAX: usize = 40;
const URL_CHARS_MAX: usize = 2000;
const TOKEN_CHARS_MAX: usize = 8192;

/// Messages that the operator's own server sends.
pub struct InApp {
    webhook: Option<Posted>,
}

/// Where answers are posted.
struct Posted {
    url: String,
    key: Vec<u8>,
    client: reqwest::Client,
}

impl ChannelAdapter for InApp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn verify(&self, _: &Webhook<'_>) -> Result<(), ChannelError> {
        Err(NO_WEBHOOK)
    }

    fn parse(&self, _: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        Err(NO_WEBHOOK)
    }

    fn follows_the_record(&self) -> bool {
        self.webhook.is_none()
    }

    fn takes_once(&self) -> bool {
        true
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        let Some(webhook) = &self.webhook else { return followed() };
        Box::pin(async move {
            let message = outgoing.message;
            let mut data = json!({
                "id": message.id, "case_id": message.case, "channel": message.channel,
                "conversation": outgoing.delivery.conversation, "author": message.author.as_str(),
                "text": outgoing.text, "choices": outgoing.choices, "citations": message.citations,
                "at": message.at,
            });
            // Each is at `/v1/attachments/{id}`.
            let files = message.attachments.iter().filter(|file| file.id.is_some());
            let files: Vec<_> = files
                .map(|file| json!({"id": file.id, "name": file.name, "content_type": file.content_type}))
                .collect();
            if !files.is_empty() {
                data["attachments"] = files.into();
            }
            let body = json!({"type": "message.sent", "timestamp": message.at, "data": data}).to_string();
            let mut request = webhook.client.post(&webhook.url).header("content-type", "application/json");
            let id = outgoing.delivery.id.as_str();
            for (name, value) in standard_webhooks::headers(&webhook.key, id, outgoing.now, body.as_bytes()) {
                request = request.header(name, value);
            }
            outgoing::call(request.body(body)).await?.taken("").map(|_| None)
        })
    }
}

impl InApp {
    /// The operator's own channels as `settings` has them.
    pub fn new(settings: &InAppSettings, client: reqwest::Client) -> Result<Self, Vec<String>> {
        if settings.webhook_url.is_empty() {
            return Ok(Self { webhook: None });
        }
        let key = standard_webhooks::key(settings.webhook_secret.expose_secret()).ok_or_else(|| {
            vec![
                "[in_app] webhook_secret is no secret like whsec_<base64>; set FIRSTLINE__IN_APP__WEBHOOK_SECRET"
                    .to_owned(),
            ]
        })?;
        let webhook = Posted { url: settings.webhook_url.clone(), key, client };
        Ok(Self { webhook: Some(webhook) })
    }
}

/// Reads the body of `POST /v1/messages`; never panics, whatever the bytes are. A customer token in it is checked by
/// `signed`.
pub fn read(body: &[u8], bounds: Bounds, signed: &Signed<'_>) -> Result<InboundMessage, BadInput> {
    let mut body = Fields::of_body(body, bounds.depth_max)?;
    let channel = channel_name(body.label("channel", CHANNEL_CHARS_MAX)?)?;
    let external_id = body.required_label("id", LABEL_CHARS_MAX)?;
    let sender = sender(body.object("sender")?, signed)?;
    let conversation = body.label("conversation", LABEL_CHARS_MAX)?.unwrap_or_else(|| sender.address.clone());
    let attachments = attachments(&mut body, bounds.attachments_max)?;
    let text = body.text("text", bounds.text_chars_max)?.unwrap_or_default();
    let sent_at = sent_at(body.text("sent_at", 64)?)?;
    body.finish()?;
    if attachments.is_empty() {
        demand_words(&text)?;
    }
    Ok(InboundMessage {
        channel,
        external_id,
        conversation,
        sender,
        text,
        attachments,
        sent_at,
        threading: None,
    })
}

/// Any lower-case name: the operator's key vouches for its own channels.
fn channel_name(given: Option<String>) -> Result<String, BadInput> {
    let name = given.unwrap_or_else(|| NAME.to_owned());
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if !name.bytes().all(plain) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(BadInput::new("channel", "is a name like `in_app`: lower-case letters, digits and `_`"));
    }
    Ok(name)
}

/// What checks a customer token: who it says is signed in.
pub type Signed<'a> = dyn Fn(&str) -> Result<SignedIn, TokenError> + 'a;

/// `verified` is the operator's own word that `id` is this person; a customer token is the word of its site or app that
/// `sub` is. Without either the sender is only claimed.
fn sender(mut fields: Fields, signed: &Signed<'_>) -> Result<Sender, BadInput> {
    if let Some(token) = fields.text("token", TOKEN_CHARS_MAX)? {
        return signed_sender(fields, &token, signed);
    }
    let address = fields.required_label("id", LABEL_CHARS_MAX)?;
    let name = fields.label("name", LABEL_CHARS_MAX)?;
    let email = fields.label("email", LABEL_CHARS_MAX)?;
    let phone = fields.label("phone", LABEL_CHARS_MAX)?;
    let verified = fields.flag("verified")?.unwrap_or(false);
    fields.finish()?;
    Ok(Sender {
        name,
        email,
        phone,
        assurance: if verified { Assurance::Verified } else { Assurance::Claimed },
        proof: if verified { "api_key" } else { "typed" },
        external_id: verified.then(|| address.clone()),
        address,
    })
}

/// A sender who proves themselves; what is said of them beside the token is not needed and not believed.
fn signed_sender(mut fields: Fields, token: &str, signed: &Signed<'_>) -> Result<Sender, BadInput> {
    let id = fields.label("id", LABEL_CHARS_MAX)?;
    for name in ["name", "email", "phone"] {
        fields.label(name, LABEL_CHARS_MAX)?;
    }
    if fields.flag("verified")?.is_some() {
        return Err(BadInput::new(
            "sender.verified",
            "stands beside `token`, which says who it is; remove one",
        ));
    }
    fields.finish()?;
    let person = signed(token).map_err(|error| BadInput::new("sender.token", error.to_string()))?.person;
    Ok(Sender {
        address: id.unwrap_or_else(|| person.external_id.clone()),
        name: person.name,
        email: person.email,
        phone: person.phone,
        assurance: Assurance::Verified,
        proof: "token",
        external_id: Some(person.external_id),
    })
}

fn attachments(body: &mut Fields, items_max: usize) -> Result<Vec<Attachment>, BadInput> {
    let read = |mut one: Fields| {
        let attachment = Attachment {
            name: one.required_label("name", LABEL_CHARS_MAX)?,
            content_type: one.label("content_type", LABEL_CHARS_MAX)?,
            url: one.label("url", URL_CHARS_MAX)?,
            id: None,
            content: None,
        };
        one.finish()?;
        Ok(attachment)
    };
    body.objects("attachments", items_max)?.into_iter().map(read).collect()
}

fn sent_at(text: Option<String>) -> Result<Option<Timestamp>, BadInput> {
    let wrong = || BadInput::new("sent_at", "is not an RFC 3339 time like 2026-11-23T08:00:00Z");
    text.map(|text| Timestamp::parse(&text).ok_or_else(wrong)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::web_chat::Person;

    const BOUNDS: Bounds = Bounds { text_chars_max: 10, attachments_max: 1, depth_max: 8 };

    fn parse(body: &str) -> Result<InboundMessage, String> {
        let signed = |token: &str| match token {
            "ann's" => Ok(SignedIn {
                person: Person {
                    external_id: "cust-0007".to_owned(),
                    name: None,
                    email: Some("ann@mail.example".to_owned()),
                    phone: None,
                },
                expires_at: Timestamp(1),
            }),
            _ => Err(TokenError::Forged),
        };
        read(body.as_bytes(), BOUNDS, &signed).map_err(|error| error.to_string())
    }

    #[test]
    fn only_the_operators_word_makes_a_sender_verified() {
        let claimed = parse(r#"{"id":"1","sender":{"id":"u1","email":"a@b.example"},"text":"hi"}"#).unwrap();
        assert_eq!((claimed.sender.assurance, claimed.sender.external_id), (Assurance::Claimed, None));
        let vouched = parse(r#"{"id":"1","sender":{"id":"u1","verified":true},"text":"hi"}"#).unwrap();
        assert_eq!(vouched.sender.assurance, Assurance::Verified);
        assert_eq!(vouched.sender.external_id.as_deref(), Some("u1"));
        assert_eq!((vouched.channel.as_str(), vouched.conversation.as_str()), ("in_app", "u1"));
    }

    #[test]
    fn a_customer_token_says_who_it_is_whatever_stands_beside_it() {
        let body =
            r#"{"id":"1","sender":{"id":"phone-1","token":"ann's","email":"other@b.example"},"text":"hi"}"#;
        let signed = parse(body).unwrap().sender;
        assert_eq!((signed.assurance, signed.proof), (Assurance::Verified, "token"));
        assert_eq!(signed.external_id.as_deref(), Some("cust-0007"));
        assert_eq!(signed.email.as_deref(), Some("ann@mail.example"));
        assert_eq!(
            parse(r#"{"id":"1","sender":{"token":"ann's"},"text":"hi"}"#).unwrap().conversation,
            "cust-0007"
        );
        let refused = parse(r#"{"id":"1","sender":{"id":"u","token":"no"},"text":"hi"}"#).unwrap_err();
        assert!(refused.contains("`sender.token` the signature"), "{refused}");
        let refused =
            parse(r#"{"id":"1","sender":{"token":"ann's","verified":true},"text":"hi"}"#).unwrap_err();
        assert!(refused.contains("`sender.verified` stands beside"), "{refused}");
    }

    #[test]
    fn every_bad_body_is_refused_with_its_field_and_what_to_do() {
        for (body, expected) in [
            ("[]", "`body` must be an object, not a list"),
            (r#"{"sender":{"id":"u"},"text":"x"}"#, "`id` is missing"),
            (r#"{"id":"1","text":"x"}"#, "`sender` is missing"),
            (
                r#"{"id":"1","sender":{"id":"u","verified":"yes"},"text":"x"}"#,
                "`sender.verified` must be true or false",
            ),
            (r#"{"id":"1","sender":{"id":"u"},"text":" "}"#, "`text` is empty"),
            (
                r#"{"id":"1","sender":{"id":"u"},"text":"12345678901"}"#,
                "`text` has 11 characters; at most 10",
            ),
            (r#"{"id":"1","sender":{"id":"u"},"text":"x","extra":1}"#, "`extra` is not known here"),
            (
                r#"{"id":"1","sender":{"id":"u"},"text":"x","sent_at":"yesterday"}"#,
                "`sent_at` is not an RFC 3339",
            ),
            (r#"{"id":"1","sender":{"id":"u"},"text":"x","channel":"In App"}"#, "`channel` is a name like"),
            (r#"{"id":"1\n","sender":{"id":"u"},"text":"x"}"#, "`id` is blank or holds a control"),
            (
                r#"{"id":"1","sender":{"id":"u"},"attachments":[{"name":1}]}"#,
                "`attachments[0].name` must be a string",
            ),
        ] {
            let refused = parse(body).unwrap_err();
            assert!(refused.contains(expected), "{body}: {refused}");
        }
    }
}
