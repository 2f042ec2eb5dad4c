//! Telegram: the bot's webhook, `sendMessage`, `sendPhoto` and `sendDocument`.
//!
//! Source: <https://core.telegram.org/bots/api> (header and parameters of `setWebhook` as documented; the shapes of
//! updates from memory, read leniently).

use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::multipart::Form;
use reqwest::{RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::content::{self, Content};
use super::json::Fields;
use super::outgoing::{self, Answer};
use super::webhook::same_secret;
use super::{
    BadInput, Bounds, ChannelAdapter, ChannelError, File, Incoming, LABEL_CHARS_MAX, Outgoing, Pace, Webhook,
};
use crate::config::TelegramSettings;
use crate::domain::assurance::Assurance;
use crate::domain::message::{InboundMessage, Sender};
use crate::domain::time::Timestamp;

/// Its name in the record.
pub const NAME: &str = "telegram";
/// Where the secret given to `setWebhook` comes back.
pub const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";
/// Kinds of files a message may carry. They stay with Telegram: the address of one holds the bot's token. From memory, as
/// the two lists below.
const MEDIA: [&str; 8] =
    ["document", "photo", "audio", "voice", "video", "video_note", "animation", "sticker"];
/// Other kinds that a customer writes; they are kept with a note that they cannot be read.
const UNREAD: [&str; 9] =
    ["poll", "dice", "game", "story", "checklist", "paid_media", "invoice", "passport_data", "web_app_data"];
/// Kinds that tell of the chat itself.
const NOTICES: [&str; 9] = [
    "pinned_message",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "message_auto_delete_timer_changed",
    "write_access_allowed",
    "connected_website",
    "chat_background_set",
    "successful_payment",
];

/// A typing indicator is not worth a longer wait.
const ACTION_TIMEOUT: Duration = Duration::from_secs(5);

/// The bot.
pub struct Telegram {
    secret: SecretString,
    /// Its address, which holds its token; a method's name follows.
    bot: SecretString,
    client: reqwest::Client,
    pace: Pace,
    bounds: Bounds,
}

impl Telegram {
    /// The bot that `settings` names.
    pub fn new(settings: &TelegramSettings, client: reqwest::Client, pace: Pace, bounds: Bounds) -> Self {
        let token = settings.bot_token.expose_secret();
        let bot = format!("{}/bot{token}", settings.api_base.trim_end_matches('/')).into();
        Self { secret: settings.webhook_secret.clone(), bot, client, pace, bounds }
    }

    /// A call of one of its methods.
    fn method(&self, name: &str) -> RequestBuilder {
        self.client.post(format!("{}/{name}", self.bot.expose_secret()))
    }

    /// Sends a file, a picture so that it is seen at once where Telegram takes it as one.
    async fn attached(&self, chat: &str, file: &File) -> Result<Answer, ChannelError> {
        let kind = self.rules().files.kind(&file.content_type, file.content.len());
        let kind = kind.ok_or_else(|| ChannelError::Permanent("no file that Telegram takes".to_owned()))?;
        let form = |place: &'static str| {
            Ok::<_, ChannelError>(Form::new().text("chat_id", chat.to_owned()).part(place, file.part()?))
        };
        if kind.name == "photo" {
            let answer = outgoing::call(self.method("sendPhoto").multipart(form("photo")?)).await?;
            // Too wide, too narrow or no picture at all: it has taken nothing.
            if answer.status != StatusCode::BAD_REQUEST {
                return Ok(answer);
            }
        }
        outgoing::call(self.method("sendDocument").multipart(form("document")?)).await
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
        let from = pressed.object("from")?;
        let Some(mut under) = pressed.maybe_object("message")? else {
            return Ok(vec![Incoming::Nothing("a button of a message that is too old")]);
        };
        let chat = under.object("chat")?;
        let text = pressed.text("data", self.bounds.text_chars_max)?.unwrap_or_default();
        Ok(vec![written(id, from, chat, Content::words(text), None)?])
    }

    fn seen<'a>(&'a self, message: &'a InboundMessage) -> Option<BoxFuture<'a, ()>> {
        if self.pace == Pace::AtOnce {
            return None;
        }
        let body = json!({"chat_id": message.conversation, "action": "typing"});
        Some(Box::pin(async move {
            let shown = outgoing::call(self.method("sendChatAction").json(&body));
            // It is shown for five seconds, or until the answer; lost, nobody misses it.
            drop(tokio::time::timeout(ACTION_TIMEOUT, shown).await);
        }))
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
            let mut answer = match outgoing.files.first() {
                Some(file) => self.attached(&outgoing.delivery.conversation, file).await?,
                None => outgoing::call(self.method("sendMessage").json(&body)).await?,
            };
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
    fn message(&self, id: i64, mut message: Fields) -> Result<Incoming, BadInput> {
        let chat = message.object("chat")?;
        let Some(from) = message.maybe_object("from")? else {
            return Ok(Incoming::Nothing("a message of a channel"));
        };
        let at = message.number("date")?.map(|seconds| Timestamp(seconds.saturating_mul(1000)));
        let content = self.content(&mut message).unwrap_or_else(|bad| Content::spoilt(&bad));
        written(id, from, chat, content, at)
    }

    fn content(&self, message: &mut Fields) -> Result<Content, BadInput> {
        if NOTICES.iter().any(|kind| message.has(kind)) {
            return Ok(Content::Nothing("a notice about the chat"));
        }
        let text = match message.text("text", self.bounds.text_chars_max)? {
            Some(text) => text,
            None => message.text("caption", self.bounds.text_chars_max)?.unwrap_or_default(),
        };
        let mut files = Vec::new();
        for kind in MEDIA.into_iter().filter(|kind| message.has(kind)).collect::<Vec<_>>() {
            // A photo is a list of its sizes.
            let mut file = message.maybe_object(kind).ok().flatten().unwrap_or_default();
            let name = file.hint("file_name").unwrap_or_else(|| kind.to_owned());
            files.push(content::file(&name, file.hint("mime_type"), None));
        }
        if !files.is_empty() || !text.is_empty() {
            return Ok(Content::said(text, files));
        }
        if let Some(mut venue) = message.maybe_object("venue")? {
            return Ok(Content::words(content::place(&mut venue)));
        }
        if let Some(mut location) = message.maybe_object("location")? {
            return Ok(Content::words(content::place(&mut location)));
        }
        if let Some(mut contact) = message.maybe_object("contact")? {
            let told = ["first_name", "last_name", "phone_number"].map(|name| contact.hint(name));
            let told: Vec<String> = told.into_iter().flatten().collect();
            return Ok(Content::words(format!("Contact: {}", told.join(" "))));
        }
        Ok(Content::unread(UNREAD.into_iter().find(|kind| message.has(kind)).unwrap_or("unknown")))
    }
}

fn written(
    id: i64,
    mut from: Fields,
    mut chat: Fields,
    content: Content,
    sent_at: Option<Timestamp>,
) -> Result<Incoming, BadInput> {
    if chat.text("type", LABEL_CHARS_MAX)?.is_some_and(|kind| kind != "private") {
        return Ok(Incoming::Nothing("a message in a group"));
    }
    if from.flag("is_bot")? == Some(true) {
        return Ok(Incoming::Nothing("a message of a bot"));
    }
    let (text, attachments) = match content {
        Content::Said { text, attachments } => (text, attachments),
        Content::Nothing(why) => return Ok(Incoming::Nothing(why)),
    };
    let address = from.required_number("id")?.to_string();
    let name: Vec<String> =
        ["first_name", "last_name"].into_iter().filter_map(|name| from.hint(name)).collect();
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
