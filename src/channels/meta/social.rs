//! Messenger and Instagram: the same envelope in, the same Send API out.
//!
//! Sources: <https://developers.facebook.com/docs/messenger-platform> and
//! <https://developers.facebook.com/docs/instagram-platform>. The names of fields are from memory and read leniently.

use futures_util::future::BoxFuture;
use reqwest::multipart::Form;
use serde_json::{Value, json};

use super::graph::{Graph, reason};
use super::{BATCH_MAX, ID_CHARS_MAX, Keys, entries};
use crate::channels::content::{self, Content};
use crate::channels::files::Kind;
use crate::channels::json::Fields;
use crate::channels::{
    BadInput, Bounds, ChannelAdapter, ChannelError, File, Incoming, LABEL_CHARS_MAX, Outgoing, Pace,
    StatusUpdate, Webhook, WebhookAnswer,
};
use crate::config::MetaSettings;
use crate::domain::assurance::Assurance;
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::DeliveryId;
use crate::domain::message::{Attachment, InboundMessage, Sender};
use crate::domain::time::Timestamp;

/// Where messages and marks are posted: the account that the token belongs to.
const SEND_PATH: &str = "me/messages";

/// Where files are brought beforehand.
const FILES_PATH: &str = "me/message_attachments";

/// What tells the two apart.
#[derive(Debug, Clone, Copy)]
pub(in crate::channels) struct Medium {
    /// Its name in the record.
    pub(in crate::channels) name: &'static str,
    /// What its webhooks are about.
    pub(in crate::channels) object: &'static str,
    /// Whether an echo gives back what was sent as `message.metadata`.
    pub(in crate::channels) metadata: Metadata,
}

/// Whether our id of a delivery travels with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::channels) enum Metadata {
    /// It comes back in the echo of the message (from memory).
    Echoed,
    /// The medium knows no such field.
    Unknown,
}

/// A page or an account.
pub struct Social {
    medium: Medium,
    keys: Keys,
    graph: Graph,
    pace: Pace,
    bounds: Bounds,
}

impl Social {
    pub(in crate::channels) fn new(
        medium: Medium,
        settings: &MetaSettings,
        client: reqwest::Client,
        pace: Pace,
        bounds: Bounds,
    ) -> Self {
        let at = (settings.api_base.as_str(), settings.api_version.as_str());
        Self {
            medium,
            keys: Keys::new(&settings.app_secret, &settings.verify_token),
            graph: Graph::new(client, at, &settings.access_token),
            pace,
            bounds,
        }
    }
}

impl ChannelAdapter for Social {
    fn name(&self) -> &'static str {
        self.medium.name
    }

    fn greet(&self, webhook: &Webhook<'_>) -> Option<Result<WebhookAnswer, ChannelError>> {
        self.keys.greet(webhook)
    }

    fn verify(&self, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
        self.keys.verify(webhook)
    }

    fn parse(&self, webhook: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        let mut found = Vec::new();
        for mut entry in entries(webhook, self.bounds.depth_max, self.medium.object)? {
            for event in entry.objects("messaging", BATCH_MAX)? {
                self.event(event, &mut found)?;
            }
        }
        if found.is_empty() {
            found.push(Incoming::Nothing("a notice that is no message"));
        }
        Ok(found)
    }

    fn seen<'a>(&'a self, message: &'a InboundMessage) -> Option<BoxFuture<'a, ()>> {
        let action = if self.pace == Pace::Slow { "typing_on" } else { "mark_seen" };
        let body = json!({"recipient": {"id": message.sender.address}, "sender_action": action});
        Some(Box::pin(async move { self.graph.mark(SEND_PATH, &body).await }))
    }

    fn upload<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        Box::pin(async move {
            let Some(file) = outgoing.files.first() else { return Ok(None) };
            // What is not reusable cannot be named by a message of its own.
            let attachment = json!({"type": self.kind(file)?.name, "payload": {"is_reusable": true}});
            let form = Form::new()
                .text("message", json!({"attachment": attachment}).to_string())
                .part("filedata", file.part()?);
            let kept = self.graph.upload(FILES_PATH, form).await?;
            let id = kept.get("attachment_id").and_then(Value::as_str).map(str::to_owned);
            id.map(Some).ok_or_else(|| ChannelError::later("the file was taken without an id"))
        })
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        Box::pin(async move {
            if !outgoing.window_open {
                // A tag would open it for seven days, for people alone: a machine must not use it.
                let why = reason(10, Some(2_018_278), "outside the 24 hours after the customer's last words");
                return Err(ChannelError::Permanent(why));
            }
            let mut message = match outgoing.files.first() {
                Some(file) => {
                    let brought =
                        outgoing.uploaded.ok_or_else(|| ChannelError::later("the file was not brought"))?;
                    json!({"attachment": {"type": self.kind(file)?.name, "payload": {"attachment_id": brought}}})
                }
                None => json!({"text": outgoing.text}),
            };
            if !outgoing.choices.is_empty() {
                let replies: Vec<Value> = outgoing
                    .choices
                    .iter()
                    .map(|choice| json!({"content_type": "text", "title": choice, "payload": choice}))
                    .collect();
                message["quick_replies"] = replies.into();
            }
            if self.medium.metadata == Metadata::Echoed {
                message["metadata"] = outgoing.delivery.id.as_str().into();
            }
            let body = json!({
                "recipient": {"id": outgoing.delivery.conversation},
                "messaging_type": "RESPONSE",
                "message": message,
            });
            let taken = self.graph.send(SEND_PATH, &body).await?;
            Ok(taken.get("message_id").and_then(Value::as_str).map(str::to_owned))
        })
    }
}

/// Who wrote an event and when.
struct From {
    address: String,
    at: Option<Timestamp>,
}

impl Social {
    /// As what a file leaves.
    fn kind(&self, file: &File) -> Result<&'static Kind, ChannelError> {
        let kind = self.rules().files.kind(&file.content_type, file.content.len());
        kind.ok_or_else(|| ChannelError::Permanent("no file that this channel takes".to_owned()))
    }

    fn event(&self, mut event: Fields, found: &mut Vec<Incoming>) -> Result<(), BadInput> {
        if let Some(mut message) = event.maybe_object("message")? {
            if message.flag("is_echo")? == Some(true) {
                found.push(echo(&mut message)?);
                return Ok(());
            }
            let from = from(&mut event)?;
            let id = message.required_label("mid", ID_CHARS_MAX)?;
            let content = self.content(&mut message).unwrap_or_else(|bad| Content::spoilt(&bad));
            found.push(self.said(id, from, content));
        } else if let Some(mut pressed) = event.maybe_object("postback")? {
            let from = from(&mut event)?;
            let id = match pressed.label("mid", ID_CHARS_MAX)? {
                Some(id) => id,
                None => format!("{}/{}", from.address, from.at.unwrap_or_default().0),
            };
            let title = pressed.hint("title").or_else(|| pressed.hint("payload"));
            found.push(self.said(id, from, Content::words(title.unwrap_or_default())));
        } else if let Some(mut edit) = event.maybe_object("message_edit")? {
            found.push(self.edited(from(&mut event)?, &mut edit)?);
        } else if let Some(mut delivery) = event.maybe_object("delivery")? {
            let ids = delivery.labels("mids", BATCH_MAX)?;
            found.extend(ids.into_iter().map(|id| status(id, None, DeliveryState::Delivered)));
        } else if let Some(mut read) = event.maybe_object("read")? {
            // Messenger says only until when; Instagram names the message.
            let id = read.label("mid", ID_CHARS_MAX)?;
            found.extend(id.map(|id| status(id, None, DeliveryState::Read)));
        } else {
            found.push(Incoming::Nothing("a reaction or a notice"));
        }
        Ok(())
    }

    /// A correction, kept as a message of its own: what was written first may have been answered already.
    fn edited(&self, from: From, edit: &mut Fields) -> Result<Incoming, BadInput> {
        let id = edit.required_label("mid", ID_CHARS_MAX)?;
        let times = edit.decimal("num_edit").or_else(|| edit.hint("num_edit")).unwrap_or_default();
        let content = match edit.text("text", self.bounds.text_chars_max) {
            Ok(text) => Content::words(text.unwrap_or_default()),
            Err(bad) => Content::spoilt(&bad),
        };
        Ok(self.said(format!("{id}/edit/{times}"), from, content))
    }

    fn content(&self, message: &mut Fields) -> Result<Content, BadInput> {
        if message.flag("is_deleted")? == Some(true) {
            return Ok(Content::Nothing("a message that was taken back"));
        }
        if message.flag("is_unsupported")? == Some(true) {
            return Ok(Content::unread("unsupported"));
        }
        let text = message.text("text", self.bounds.text_chars_max)?.unwrap_or_default();
        let files = message.objects("attachments", self.bounds.attachments_max)?;
        let (mut texts, mut attachments) = (vec![text], Vec::new());
        for file in files {
            match attached(file)? {
                Attached::Place(place) => texts.push(place),
                Attached::File(file) => attachments.push(file),
            }
        }
        let text = texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
        Ok(Content::said(text, attachments))
    }

    fn said(&self, external_id: String, from: From, content: Content) -> Incoming {
        let (text, attachments) = match content {
            Content::Said { text, attachments } => (text, attachments),
            Content::Nothing(why) => return Incoming::Nothing(why),
        };
        Incoming::Message(Box::new(InboundMessage {
            channel: self.medium.name.to_owned(),
            external_id,
            conversation: from.address.clone(),
            sender: Sender {
                address: from.address,
                name: None,
                email: None,
                phone: None,
                assurance: Assurance::Channel,
                proof: self.medium.name,
                external_id: None,
            },
            text,
            attachments,
            sent_at: from.at,
            threading: None,
        }))
    }
}

fn from(event: &mut Fields) -> Result<From, BadInput> {
    let address = event.object("sender")?.required_label("id", LABEL_CHARS_MAX)?;
    Ok(From { address, at: event.number("timestamp")?.map(Timestamp) })
}

enum Attached {
    Place(String),
    File(Attachment),
}

fn attached(mut file: Fields) -> Result<Attached, BadInput> {
    let kind = file.hint("type").unwrap_or_else(|| "file".to_owned());
    let mut payload = file.maybe_object("payload")?.unwrap_or_default();
    if kind == "location"
        && let Some(mut at) = payload.maybe_object("coordinates")?
    {
        let at = at.decimal("lat").zip(at.decimal("long"));
        let at = at.map_or(String::new(), |(latitude, longitude)| format!("{latitude}, {longitude}"));
        return Ok(Attached::Place(format!("Location: {at}")));
    }
    let name = payload.hint("title").or_else(|| file.hint("title")).unwrap_or(kind);
    let url = payload.text("url", usize::MAX).ok().flatten();
    Ok(Attached::File(content::file(&name, None, url)))
}

/// Our own words come back. With our id of the delivery they settle one whose answer was lost.
fn echo(message: &mut Fields) -> Result<Incoming, BadInput> {
    let ours = message.hint("metadata").filter(|text| DeliveryId::parse(text).is_ok());
    let id = message.label("mid", ID_CHARS_MAX)?;
    Ok(match ours.zip(id) {
        Some((delivery, id)) => status(id, Some(delivery), DeliveryState::Sent),
        None => Incoming::Nothing("an echo of what was sent"),
    })
}

fn status(provider_id: String, delivery: Option<String>, state: DeliveryState) -> Incoming {
    Incoming::Status(StatusUpdate { provider_id, delivery, state, reason: None })
}
