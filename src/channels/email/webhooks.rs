//! What Mailgun, Postmark and `SendGrid` post for a mail that came in: the raw mail where they are told to, else the
//! fields they have taken out of it.
//!
//! Sources: Mailgun "Receiving, forwarding and storing messages" and "Securing webhooks"; Postmark "Inbound webhook"
//! (authentication by the address's user and password); Twilio `SendGrid` "Inbound Parse" (from memory, read leniently).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::form::Form;
use super::read::{self, Content, Envelope, Post};
use super::{MAILGUN, POSTMARK, SENDGRID, html, mime, original};
use crate::channels::json;
use crate::channels::webhook::{same_secret, signed_sha256};
use crate::channels::{BadInput, ChannelError, Incoming, Webhook};
use crate::config::EmailSettings;

/// How far the time of a signature may be from ours.
const AGE_MS_MAX: i64 = 300_000;
/// Deepest JSON.
const DEPTH_MAX: usize = 16;
/// Most attachments and headers that are read of a list.
const ENTRIES_MAX: usize = 1000;
/// Told whoever has the wrong secret.
const FORGED: &str = "nothing proves that the provider sent this; check the secret";

pub(super) fn verify(settings: &EmailSettings, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
    match webhook.path.trim_end_matches('/') {
        MAILGUN => mailgun_signed(settings.mailgun_signing_key.expose_secret(), webhook),
        POSTMARK => basic(&settings.postmark_secret, webhook),
        SENDGRID => basic(&settings.sendgrid_secret, webhook),
        _ => Err(ChannelError::Forged(
            "email comes from mailgun, postmark or sendgrid; end the address with one",
        )),
    }
}

pub(super) fn parse(post: &Post, webhook: &Webhook<'_>) -> Result<Incoming, BadInput> {
    match webhook.path.trim_end_matches('/') {
        POSTMARK => postmark(post, webhook.body),
        SENDGRID => sendgrid(post, &Form::of(webhook)?),
        _ => mailgun(post, &Form::of(webhook)?),
    }
}

/// HMAC-SHA256 over time and token, which stand in the form beside it.
fn mailgun_signed(key: &str, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
    let form = Form::of(webhook)?;
    let field = |name: &str| form.text(name).unwrap_or_default();
    let (timestamp, token, signature) = (field("timestamp"), field("token"), field("signature"));
    let seconds: i64 = timestamp.parse().map_err(|_| ChannelError::Forged(FORGED))?;
    let age = webhook.now.0.saturating_sub(seconds.saturating_mul(1000));
    if age.saturating_abs() > AGE_MS_MAX {
        return Err(ChannelError::Forged("the signature is too old; check the clock"));
    }
    let signature = hex::decode(signature).map_err(|_| ChannelError::Forged(FORGED))?;
    signed_sha256(key.as_bytes(), &[timestamp.as_bytes(), token.as_bytes()], &signature)
}

fn basic(secret: &SecretString, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
    let sent = webhook.header("authorization").and_then(|value| value.strip_prefix("Basic "));
    let sent = sent
        .and_then(|value| STANDARD.decode(value.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let same = same_secret(secret.expose_secret(), &sent.unwrap_or_default());
    if same { Ok(()) } else { Err(ChannelError::Forged(FORGED)) }
}

fn mailgun(post: &Post, form: &Form) -> Result<Incoming, BadInput> {
    let recipients: Vec<String> = form.text("recipient").into_iter().collect();
    let sender = form.text("sender");
    let envelope = Envelope { sender: sender.as_deref(), recipients: &recipients, edge: true };
    if let Some(raw) = form.bytes("body-mime") {
        return read::incoming(post, raw, &envelope);
    }
    let pairs =
        form.text("message-headers").map(|list| json::parse(list.as_bytes(), DEPTH_MAX)).transpose()?;
    let mut header = Header::default();
    for pair in pairs.as_ref().and_then(Value::as_array).into_iter().flatten().take(ENTRIES_MAX) {
        let part = |at: usize| pair.get(at).and_then(Value::as_str).unwrap_or_default();
        header.add(part(0), part(1));
    }
    if pairs.is_none() {
        for name in ["From", "Subject", "Message-Id", "In-Reply-To", "References", "To", "Cc", "Date"] {
            header.add(name, &form.text(name).unwrap_or_default());
        }
    }
    let content = words(post, form.text("body-plain"), form.text("body-html"), form);
    read::of_fields(post, &header.bytes(), content?, &envelope)
}

fn sendgrid(post: &Post, form: &Form) -> Result<Incoming, BadInput> {
    let routed =
        form.text("envelope").map(|envelope| json::parse(envelope.as_bytes(), DEPTH_MAX)).transpose()?;
    let to =
        routed.as_ref().and_then(|routed| routed.get("to")).and_then(Value::as_array).into_iter().flatten();
    let recipients: Vec<String> = to.filter_map(Value::as_str).take(ENTRIES_MAX).map(str::to_owned).collect();
    let sender = routed.as_ref().and_then(|routed| routed.get("from")).and_then(Value::as_str);
    let envelope = Envelope { sender, recipients: &recipients, edge: true };
    if let Some(raw) = form.bytes("email") {
        return read::incoming(post, raw, &envelope);
    }
    let charsets =
        form.text("charsets").map(|charsets| json::parse(charsets.as_bytes(), DEPTH_MAX)).transpose()?;
    let charset = |name: &str| {
        charsets.as_ref().and_then(|all| all.get(name)).and_then(Value::as_str).unwrap_or_default()
    };
    let field = |name: &str| form.bytes(name).map(|bytes| mime::decoded(bytes, charset(name)));
    let header = field("headers")
        .ok_or_else(|| BadInput::new("headers", "is missing; send the mail raw, or with all its fields"))?;
    // An empty line in it would end it before the provider's fields are read.
    let lines = header.lines().filter(|line| !line.trim().is_empty());
    let header: String = lines.flat_map(|line| [line, "\r\n"]).chain(["\r\n"]).collect();
    let content = words(post, field("text"), field("html"), form)?;
    read::of_fields(post, header.as_bytes(), content, &envelope)
}

fn words(post: &Post, text: Option<String>, page: Option<String>, form: &Form) -> Result<Content, BadInput> {
    let files = form.files().map(|file| {
        read::named(
            file.file_name.as_deref().unwrap_or_default(),
            file.kind.as_deref().unwrap_or("application/octet-stream"),
            &file.value,
        )
    });
    said(post, text, page, files.collect())
}

/// The words as plain text where there are any, else those of the page.
fn said(
    post: &Post,
    text: Option<String>,
    page: Option<String>,
    attachments: Vec<crate::domain::message::Attachment>,
) -> Result<Content, BadInput> {
    let caps = post.caps;
    let length = text.as_deref().map_or(0, str::len) + page.as_deref().map_or(0, str::len);
    if length > caps.message_bytes_max {
        return Err(BadInput::new(
            "mail",
            format!("has more than {} bytes; send less", caps.message_bytes_max),
        ));
    }
    let kept = page.as_deref().and_then(|page| original::of_page(page, post.original_bytes_max));
    let plain =
        text.map(|text| text.replace("\r\n", "\n").replace('\0', "")).filter(|text| !text.trim().is_empty());
    let plain = plain.map(|text| text.chars().take(caps.text_bytes_max).collect());
    let text: Option<String> =
        plain.or_else(|| page.map(|page| html::to_text(&page, caps.html_bytes_max, caps.html_depth_max)));
    Ok(Content { text: text.unwrap_or_default(), attachments, page: kept, ..Content::default() })
}

fn postmark(post: &Post, body: &[u8]) -> Result<Incoming, BadInput> {
    let mail = json::parse(body, DEPTH_MAX)?;
    if !mail.is_object() {
        return Err(BadInput::new("body", "must be an object"));
    }
    let field = |name: &str| mail.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let recipients: Vec<String> = field("OriginalRecipient").map(str::to_owned).into_iter().collect();
    let envelope = Envelope { sender: None, recipients: &recipients, edge: true };
    if let Some(raw) = field("RawEmail") {
        return read::incoming(post, raw.as_bytes(), &envelope);
    }
    let entries =
        |name: &str| mail.get(name).and_then(Value::as_array).into_iter().flatten().take(ENTRIES_MAX);
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut header = Header::default();
    let named = ["From", "To", "Cc", "Subject", "Date"];
    if field("From").is_none() {
        return Err(BadInput::new("From", "is missing; send the mail as Postmark does"));
    }
    for name in named {
        header.add(name, field(name).unwrap_or_default());
    }
    for one in entries("Headers") {
        let name = text(one, "Name");
        if !named.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            header.add(&name, &text(one, "Value"));
        }
    }
    let files = entries("Attachments")
        .map(|one| {
            let content = STANDARD.decode(text(one, "Content")).map_err(|_| {
                BadInput::new("Attachments", "hold a `Content` that is no base64; send it as Postmark does")
            })?;
            Ok(read::named(&text(one, "Name"), &text(one, "ContentType"), &content))
        })
        .collect::<Result<Vec<_>, BadInput>>()?;
    let content =
        said(post, field("TextBody").map(str::to_owned), field("HtmlBody").map(str::to_owned), files)?;
    read::of_fields(post, &header.bytes(), content, &envelope)
}

/// A header that is put together from a provider's fields.
#[derive(Default)]
struct Header(String);

impl Header {
    fn add(&mut self, name: &str, value: &str) {
        let token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        if token && !value.is_empty() {
            // A line break in a value would begin another header.
            let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            self.0.extend([name, ": ", &value, "\r\n"]);
        }
    }

    fn bytes(self) -> Vec<u8> {
        (self.0 + "\r\n").into_bytes()
    }
}
