//! Telegram: the bot's webhook and `sendMessage`.
//!
//! Source: <https://core.telegram.org/bots/api> (header and parameters of `setWebhook` as documented; the shapes of
//! updates from memory, read leniently).

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::json::Fields;
use super::outgoing::{self, Answer};
use super::webhook::same_secret;
use super::{
    Bounds, ChannelAdapter, ChannelError, Incoming, LABEL_CHARS_MAX, Outgoing, Webhook, demand_words,
};
use crate::config::TelegramSettings;
use crate::domain::assurance::Assurance;
use crate::domain::message::{Attachment, InboundMessage, Sender};
use crate::domain::time::Timestamp;

/// Its name in the record.
pub const NAME: &str = "telegram";
/// Where the secret given to `setWebhook` comes back.
pub const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";
/// Kinds of media a message may carry; the file stays with Telegram under its id.
const MEDIA: [&str; 6] = ["document", "photo", "audio", "voice", "video", "sticker"];

/// The bot.
pub struct Telegram {
    secret: SecretString,
    send_url: String,
    client: reqwest::Client,
    bounds: Bounds,
}

impl Telegram {
    /// The bot that `settings` names.
    pub fn new(settings: &TelegramSettings, client: reqwest::Client, bounds: Bounds) -> Self {
        let token = settings.bot_token.expose_secret();
        let send_url = format!("{}/bot{token}/sendMessage", settings.api_base.trim_end_matches('/'));
        Self { secret: settings.webhook_secret.clone(), send_url, client, bounds }
    }
}

impl ChannelAdapter for Telegram {
    fn name(&self) -> &'static str {
        NAME
    }

    fn verify(&self, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
        let found = webhook.header(SECRET_HEADER).unwrap_or_default();
        if same_secret(self.secret.expose_secret(), found) {
            Ok(())
        } else {
            Err(ChannelError::Forged("the secret token does not match the one given to setWebhook"))
        }
    }

    fn parse(&self, webhook: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        let mut update = Fields::of_body(webhook.body, self.bounds.depth_max)?;
        let id = update.required_number("update_id")?;
        for name in ["message", "edited_message"] {
            if let Some(message) = update.maybe_object(name)? {
                return Ok(vec![self.message(id, message)?]);
            }
        }
        let Some(mut pressed) = update.maybe_object("callback_query")? else {
            return Ok(vec![Incoming::Nothing("an update of a kind that is no message")]);
        };
        // A pressed button: its data are the words of the quick reply.
        let text = pressed.required_text("data", self.bounds.text_chars_max)?;
        let from = pressed.object("from")?;
        let Some(mut under) = pressed.maybe_object("message")? else {
            return Ok(vec![Incoming::Nothing("a button of a message that is too old")]);
        };
        Ok(vec![written(id, from, under.object("chat")?, (text, Vec::new()), None)?])
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        Box::pin(async move {
            let mut body = json!({"chat_id": outgoing.delivery.conversation, "text": outgoing.text});
            if !outgoing.choices.is_empty() {
                let buttons: Vec<Value> =
                    outgoing.choices.iter().map(|choice| json!([{"text": choice}])).collect();
                body["reply_markup"] =
                    json!({"keyboard": buttons, "one_time_keyboard": true, "resize_keyboard": true});
            }
            let mut answer = outgoing::call(self.client.post(&self.send_url).json(&body)).await?;
            answer.after_ms =
                answer.body.pointer("/parameters/retry_after").and_then(Value::as_i64).map(|s| s * 1000);
            let said = description(&answer);
            let taken = answer.taken(&said)?;
            let id = taken.pointer("/result/message_id").and_then(Value::as_i64);
            Ok(id.map(|id| format!("{}/{id}", outgoing.delivery.conversation)))
        })
    }
}

impl Telegram {
    fn message(&self, id: i64, mut message: Fields) -> Result<Incoming, ChannelError> {
        let mut chat = message.object("chat")?;
        if chat.text("type", LABEL_CHARS_MAX)?.is_some_and(|kind| kind != "private") {
            return Ok(Incoming::Nothing("a message in a group"));
        }
        let Some(from) = message.maybe_object("from")? else {
            return Ok(Incoming::Nothing("a message of a channel"));
        };
        let text = match message.text("text", self.bounds.text_chars_max)? {
            Some(text) => text,
            None => message.text("caption", self.bounds.text_chars_max)?.unwrap_or_default(),
        };
        let attachments: Vec<Attachment> = MEDIA
            .iter()
            .filter(|kind| message.has(kind))
            .map(|kind| Attachment {
                name: (*kind).to_owned(),
                content_type: None,
                url: None,
                id: None,
                content: None,
            })
            .collect();
        if attachments.is_empty() && demand_words(&text).is_err() {
            return Ok(Incoming::Nothing("a message of a kind that is not read"));
        }
        let at = message.number("date")?.map(|seconds| Timestamp(seconds.saturating_mul(1000)));
        written(id, from, chat, (text, attachments), at)
    }
}

fn written(
    id: i64,
    mut from: Fields,
    mut chat: Fields,
    (text, attachments): (String, Vec<Attachment>),
    sent_at: Option<Timestamp>,
) -> Result<Incoming, ChannelError> {
    let address = from.required_number("id")?.to_string();
    let first = from.label("first_name", LABEL_CHARS_MAX)?;
    let last = from.label("last_name", LABEL_CHARS_MAX)?;
    let name: Vec<String> = first.into_iter().chain(last).collect();
    Ok(Incoming::Message(Box::new(InboundMessage {
        channel: NAME.to_owned(),
        external_id: id.to_string(),
        conversation: chat.required_number("id")?.to_string(),
        sender: Sender {
            address,
            name: (!name.is_empty()).then(|| name.join(" ")),
            email: None,
            phone: None,
            assurance: Assurance::Channel,
            proof: "telegram",
            external_id: None,
        },
        text,
        attachments,
        sent_at,
        threading: None,
    })))
}

fn description(answer: &Answer) -> String {
    answer.body.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}
