//! WhatsApp: the Cloud API of Meta. What comes in is read in `read`, what leaves is shaped in `write`.
//!
//! Source: <https://developers.facebook.com/docs/whatsapp/cloud-api>.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::multipart::Form;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::meta::graph::Graph;
use super::meta::{BATCH_MAX, Keys, entries};
use super::{
    Bounds, ChannelAdapter, ChannelError, Incoming, LABEL_CHARS_MAX, Outgoing, Pace, Webhook, WebhookAnswer,
};
use crate::config::WhatsAppSettings;
use crate::domain::message::InboundMessage;
use crate::templates::Phrases;

mod read;
mod write;

/// Its name in the record.
pub const NAME: &str = "whatsapp";

/// The last step of the address to which messages are posted.
const MESSAGES: &str = "messages";

/// A number that answers.
pub struct WhatsApp {
    keys: Keys,
    graph: Graph,
    /// Where files wait: a file's id follows.
    media: String,
    number: String,
    template: Option<Template>,
    phrases: Arc<Phrases>,
    pace: Pace,
    bounds: Bounds,
}

/// What was approved to be sent at any time.
struct Template {
    name: String,
    language: String,
}

/// What is noted about a thread.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Threading {
    /// The number the customer wrote to.
    number: Option<String>,
    /// The customer's last message.
    last: String,
}

impl WhatsApp {
    /// The number that `settings` names.
    pub fn new(
        settings: &WhatsAppSettings,
        client: reqwest::Client,
        phrases: Arc<Phrases>,
        pace: Pace,
        bounds: Bounds,
    ) -> Self {
        let at = (settings.api_base.as_str(), settings.api_version.as_str());
        let graph = Graph::new(client, at, &settings.access_token);
        let template =
            Template { name: settings.template_name.clone(), language: settings.template_language.clone() };
        Self {
            keys: Keys::new(&settings.app_secret, &settings.verify_token),
            media: graph.at(""),
            graph,
            number: settings.phone_number_id.clone(),
            template: Some(template).filter(|template| !template.name.is_empty()),
            phrases,
            pace,
            bounds,
        }
    }

    /// Where messages of this thread, or its `media`, are posted: by the number that the customer wrote to.
    fn path(&self, threading: Option<&str>, what: &str) -> String {
        let noted = threading.and_then(|text| serde_json::from_str::<Threading>(text).ok());
        let number = noted.and_then(|noted| noted.number);
        format!("{}/{what}", number.as_deref().unwrap_or(&self.number))
    }
}

impl ChannelAdapter for WhatsApp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn greet(&self, webhook: &Webhook<'_>) -> Option<Result<WebhookAnswer, ChannelError>> {
        self.keys.greet(webhook)
    }

    fn verify(&self, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
        self.keys.verify(webhook)
    }

    fn parse(&self, webhook: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        let reader = read::Reader { bounds: self.bounds, media: &self.media };
        let mut found = Vec::new();
        for mut entry in entries(webhook, self.bounds.depth_max, "whatsapp_business_account")? {
            for mut change in entry.objects("changes", BATCH_MAX)? {
                if change.required_label("field", LABEL_CHARS_MAX)? == "messages" {
                    reader.change(change.object("value")?, &mut found)?;
                }
            }
        }
        if found.is_empty() {
            found.push(Incoming::Nothing("a notice that is no message"));
        }
        Ok(found)
    }

    fn seen<'a>(&'a self, message: &'a InboundMessage) -> Option<BoxFuture<'a, ()>> {
        let path = self.path(message.threading.as_deref(), MESSAGES);
        let mut body =
            json!({"messaging_product": "whatsapp", "status": "read", "message_id": message.external_id});
        if self.pace == Pace::Slow {
            // From memory; it ends with the answer, or after 25 seconds.
            body["typing_indicator"] = json!({"type": "text"});
        }
        Some(Box::pin(async move { self.graph.mark(&path, &body).await }))
    }

    fn upload<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        Box::pin(async move {
            let Some(file) = outgoing.files.first() else { return Ok(None) };
            write::kind(&outgoing, file)?;
            let form = Form::new()
                .text("messaging_product", "whatsapp")
                .text("type", file.content_type.clone())
                .part("file", file.part()?);
            let kept = self.graph.upload(&self.path(outgoing.threading, "media"), form).await?;
            let id = kept.get("id").and_then(Value::as_str).map(str::to_owned);
            id.map(Some).ok_or_else(|| ChannelError::later("the file was taken without an id"))
        })
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        Box::pin(async move {
            let body = self.shaped(&outgoing)?;
            let taken = self.graph.send(&self.path(outgoing.threading, MESSAGES), &body).await?;
            Ok(taken.pointer("/messages/0/id").and_then(Value::as_str).map(str::to_owned))
        })
    }
}
