//! What comes in by WhatsApp: messages of every kind, and news of what left.

use std::collections::BTreeMap;

use super::write::CALLBACK_FIELD;
use super::{NAME, Threading};
use crate::channels::content::{self, Content};
use crate::channels::json::Fields;
use crate::channels::meta::graph::reason;
use crate::channels::meta::{BATCH_MAX, ID_CHARS_MAX};
use crate::channels::{BadInput, Bounds, Incoming, LABEL_CHARS_MAX, StatusUpdate};
use crate::domain::assurance::Assurance;
use crate::domain::delivery::DeliveryState;
use crate::domain::message::{InboundMessage, Sender};
use crate::domain::time::Timestamp;

/// What is done with each kind of message. The names are FROM MEMORY: correct them here alone. A kind that is not listed
/// is kept with a note that it cannot be read.
const KINDS: [(&str, Kind); 17] = [
    ("text", Kind::Text),
    ("image", Kind::Media("image")),
    ("audio", Kind::Media("audio")),
    ("video", Kind::Media("video")),
    ("document", Kind::Media("document")),
    ("sticker", Kind::Media("sticker")),
    ("location", Kind::Location),
    ("contacts", Kind::Contacts),
    ("interactive", Kind::Interactive),
    ("button", Kind::Button),
    ("order", Kind::Order),
    ("edit", Kind::Edit),
    ("reaction", Kind::Nothing("a reaction")),
    ("system", Kind::Nothing("a notice of the provider")),
    ("request_welcome", Kind::Nothing("a chat that was opened without words")),
    ("revoke", Kind::Nothing("a message that was taken back")),
    ("unsupported", Kind::Unread),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Media(&'static str),
    Location,
    Contacts,
    Interactive,
    Button,
    Order,
    Edit,
    Nothing(&'static str),
    Unread,
}

/// Most products or contacts that are told of.
const ITEMS_MAX: usize = 20;

/// Reads one change after the other.
pub(super) struct Reader<'a> {
    pub(super) bounds: Bounds,
    /// Where files wait: a file's id follows.
    pub(super) media: &'a str,
}

impl Reader<'_> {
    /// What one change brings.
    pub(super) fn change(&self, mut value: Fields, found: &mut Vec<Incoming>) -> Result<(), BadInput> {
        let metadata = value.maybe_object("metadata")?;
        let number = metadata.and_then(|mut metadata| metadata.hint("phone_number_id"));
        let number = number.filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
        let mut names = BTreeMap::new();
        for mut contact in value.objects("contacts", BATCH_MAX)? {
            let name = contact.maybe_object("profile").ok().flatten().and_then(|mut of| of.hint("name"));
            let ids = [contact.hint("wa_id"), contact.hint("user_id")];
            names.extend(ids.into_iter().flatten().filter_map(|id| Some((id, name.clone()?))));
        }
        for message in value.objects("messages", BATCH_MAX)? {
            found.push(self.message(message, &names, number.clone())?);
        }
        for news in value.objects("statuses", BATCH_MAX)? {
            found.push(status(news)?);
        }
        Ok(())
    }

    fn message(
        &self,
        mut message: Fields,
        names: &BTreeMap<String, String>,
        number: Option<String>,
    ) -> Result<Incoming, BadInput> {
        let external_id = message.required_label("id", ID_CHARS_MAX)?;
        // Who hides the number has an id of Meta's own instead (from memory).
        let hidden = !message.has("from") && message.has("from_user_id");
        let address =
            message.required_label(if hidden { "from_user_id" } else { "from" }, LABEL_CHARS_MAX)?;
        if message.has("group_id") {
            return Ok(Incoming::Nothing("a message in a group"));
        }
        let at = message.hint("timestamp").and_then(|seconds| seconds.parse::<i64>().ok());
        let kind = message.required_label("type", LABEL_CHARS_MAX)?;
        let content = self.content(&kind, &mut message).unwrap_or_else(|bad| Content::spoilt(&bad));
        let (text, attachments) = match content {
            Content::Said { text, attachments } => (text, attachments),
            Content::Nothing(why) => return Ok(Incoming::Nothing(why)),
        };
        let threading = Threading { number, last: external_id.clone() };
        Ok(Incoming::Message(Box::new(InboundMessage {
            channel: NAME.to_owned(),
            external_id,
            conversation: address.clone(),
            sender: Sender {
                name: names.get(&address).cloned(),
                address,
                email: None,
                phone: None,
                assurance: Assurance::Channel,
                proof: NAME,
                external_id: None,
            },
            text,
            attachments,
            sent_at: at.map(|seconds| Timestamp(seconds.saturating_mul(1000))),
            threading: serde_json::to_string(&threading).ok(),
        })))
    }

    fn content(&self, name: &str, message: &mut Fields) -> Result<Content, BadInput> {
        let kind = KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let Some(kind) = kind else { return Ok(Content::unread(name)) };
        match kind {
            Kind::Text => {
                let text = message.object("text")?.required_text("body", self.bounds.text_chars_max)?;
                Ok(Content::words(text))
            }
            Kind::Media(kind) => self.media(kind, message.object(kind)?),
            Kind::Location => Ok(Content::words(content::place(&mut message.object("location")?))),
            Kind::Contacts => {
                let people = message.objects("contacts", ITEMS_MAX)?;
                let people = people.into_iter().map(contact).collect::<Result<Vec<_>, _>>()?;
                Ok(Content::words(format!("Contact: {}", people.join("; "))))
            }
            Kind::Interactive => self.chosen(message.object("interactive")?),
            Kind::Button => {
                let text = message.object("button")?.required_text("text", self.bounds.text_chars_max)?;
                Ok(Content::words(text))
            }
            Kind::Order => self.order(message.object("order")?),
            // A correction: what was written first may have been answered already.
            Kind::Edit => {
                let mut edited = message.object("edit")?.object("message")?;
                let inner = edited.required_label("type", LABEL_CHARS_MAX)?;
                if inner == "edit" { Ok(Content::unread(&inner)) } else { self.content(&inner, &mut edited) }
            }
            Kind::Nothing(why) => Ok(Content::Nothing(why)),
            Kind::Unread => Ok(Content::unread(name)),
        }
    }

    fn media(&self, kind: &str, mut media: Fields) -> Result<Content, BadInput> {
        let caption = media.text("caption", self.bounds.text_chars_max)?.unwrap_or_default();
        let name = media.hint("filename").unwrap_or_else(|| kind.to_owned());
        let plain = |id: &String| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let id = media.hint("id").filter(plain);
        let url = id.map(|id| format!("{}{id}", self.media));
        Ok(Content::said(caption, vec![content::file(&name, media.hint("mime_type"), url)]))
    }

    /// A pressed button or a chosen row: its words are the answer.
    fn chosen(&self, mut interactive: Fields) -> Result<Content, BadInput> {
        for name in ["button_reply", "list_reply"] {
            if let Some(mut reply) = interactive.maybe_object(name)? {
                return Ok(Content::words(reply.required_text("title", self.bounds.text_chars_max)?));
            }
        }
        Ok(Content::unread(&interactive.hint("type").unwrap_or_else(|| "interactive".to_owned())))
    }

    fn order(&self, mut order: Fields) -> Result<Content, BadInput> {
        let words = order.text("text", self.bounds.text_chars_max)?.unwrap_or_default();
        let product = |mut item: Fields| {
            let id = item.hint("product_retailer_id").unwrap_or_else(|| "?".to_owned());
            let count = item.decimal("quantity").or_else(|| item.hint("quantity"));
            let count = count.map_or(String::new(), |count| format!("{count} x "));
            let price = item.decimal("item_price").or_else(|| item.hint("item_price"));
            let price = price.zip(item.hint("currency"));
            let price = price.map_or(String::new(), |(price, currency)| format!(" at {price} {currency}"));
            format!("{count}{id}{price}")
        };
        let items: Vec<String> =
            order.objects("product_items", BATCH_MAX)?.into_iter().take(ITEMS_MAX).map(product).collect();
        let list = format!("Order from the catalogue: {}", items.join(", "));
        Ok(Content::words(if words.is_empty() { list } else { format!("{words}\n{list}") }))
    }
}

fn contact(mut contact: Fields) -> Result<String, BadInput> {
    let name = contact.maybe_object("name")?.and_then(|mut name| name.hint("formatted_name"));
    let phones = contact.objects("phones", ITEMS_MAX)?;
    let phones = phones.into_iter().filter_map(|mut phone| phone.hint("phone"));
    let emails = contact.objects("emails", ITEMS_MAX)?;
    let emails = emails.into_iter().filter_map(|mut email| email.hint("email"));
    Ok(name.into_iter().chain(phones).chain(emails).collect::<Vec<_>>().join(", "))
}

fn status(mut news: Fields) -> Result<Incoming, BadInput> {
    let provider_id = news.required_label("id", ID_CHARS_MAX)?;
    let state = match news.required_label("status", LABEL_CHARS_MAX)?.as_str() {
        "sent" => DeliveryState::Sent,
        "delivered" => DeliveryState::Delivered,
        "read" => DeliveryState::Read,
        "failed" => DeliveryState::Failed,
        _ => return Ok(Incoming::Nothing("news of a kind that says nothing of the delivery")),
    };
    let told = |mut error: Fields| {
        let code = error.number("code").ok().flatten().unwrap_or_default();
        let title = error.hint("title").or_else(|| error.hint("message")).unwrap_or_default();
        reason(code, None, &title)
    };
    let errors = news.objects("errors", BATCH_MAX)?;
    let reason = errors.into_iter().next().map(told).filter(|_| state == DeliveryState::Failed);
    let delivery = news.hint(CALLBACK_FIELD);
    Ok(Incoming::Status(StatusUpdate { provider_id, delivery, state, reason }))
}
