//! Chatwoot: a conversation in an inbox of the kind API, the note as a private message, the customer's words as theirs.
//!
//! Sources: <https://developers.chatwoot.com/api-reference>,
//! <https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks>.

use http::HeaderMap;
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::desks::{Heard, News, NewsError, Opened, Opening, Telling, words_of};
use super::wire::Wire;
use super::{Untaken, signature, words};
use crate::channels::BadInput;
use crate::config::SinkSettings;
use crate::domain::ids::HandoffId;
use crate::domain::message::Message;
use crate::domain::time::Timestamp;
use crate::store::DeskCase;

/// How a caller proves itself. <https://developers.chatwoot.com/api-reference/introduction>.
const TOKEN_HEADER: &str = "api_access_token";
/// Signs what comes: `sha256=` and the HMAC of `timestamp.body` in hexadecimal, under the webhook's secret.
/// <https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks>.
const SIGNATURE_HEADER: &str = "x-chatwoot-signature";
/// When it was signed, in seconds; the same page.
const TIMESTAMP_HEADER: &str = "x-chatwoot-timestamp";
/// Our handoff's name among a conversation's custom attributes, which come back with each webhook.
const HANDOFF: &str = "firstline_handoff";
/// A message's name among its content attributes, by which one that was taken is found again.
const MESSAGE: &str = "firstline_message";

/// A Chatwoot account.
pub(super) struct Chatwoot {
    base: String,
    account: i64,
    inbox: i64,
    token: SecretString,
    secret: SecretString,
    wire: Wire,
}

impl Chatwoot {
    pub(super) fn new(settings: &SinkSettings, wire: Wire) -> Self {
        let site = settings.url.trim_end_matches('/');
        Self {
            base: format!("{site}/api/v1/accounts/{}", settings.account_id),
            account: settings.account_id,
            inbox: settings.inbox_id,
            token: settings.api_token.clone(),
            secret: settings.webhook_secret.clone(),
            wire,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.wire.client.request(method, format!("{}{path}", self.base));
        request.header(TOKEN_HEADER, self.token.expose_secret())
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Untaken> {
        self.wire.ask(self.request(Method::GET, path).query(query)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, Untaken> {
        self.wire.ask(self.request(Method::POST, path).json(body)).await
    }

    pub(super) async fn open(
        &self,
        telling: Telling<'_>,
        opening: Opening<'_>,
        note: &str,
    ) -> Result<Opened, Untaken> {
        let (contact, source) = self.contact(&opening).await?;
        let handoff = opening.handoff.id.as_str();
        let known = if telling.again { self.conversation_of(contact, handoff).await? } else { None };
        let id = if let Some(id) = known {
            id
        } else {
            // <https://developers.chatwoot.com/api-reference/conversations/create-new-conversation>
            let attributes = json!({HANDOFF: handoff, "firstline_case": telling.case.id});
            let body = json!({
                "source_id": source, "inbox_id": self.inbox, "contact_id": contact, "status": "open",
                "custom_attributes": attributes,
            });
            number(&self.post("/conversations", &body).await?["id"], "a conversation")?
        };
        let subject = words::subject(opening.handoff, &telling.case.id);
        let note = json!({
            "content": format!("{subject}\n\n{note}"), "message_type": "outgoing", "private": true,
            "content_attributes": {MESSAGE: handoff},
        });
        self.write(id, handoff, telling.again, &note).await?;
        if let Some(newest) = opening.newest {
            self.customer_said(id, newest, telling.again).await?;
        }
        Ok(Opened { foreign_id: id.to_string(), thread: None })
    }

    /// The customer as a contact of the inbox: their number and where they write from. They are known by our own id alone:
    /// two people are not made one there because an address is the same.
    async fn contact(&self, opening: &Opening<'_>) -> Result<(i64, String), Untaken> {
        let customer = opening.customer;
        let identifier = format!("firstline-{}", customer.id);
        // <https://developers.chatwoot.com/api-reference/contacts/search-contacts>
        let found = self.get("/contacts/search", &[("q", &identifier)]).await?;
        let mut all = found["payload"].as_array().into_iter().flatten();
        let known = all.find(|one| one["identifier"] == json!(identifier));
        if let Some(known) = known {
            let id = number(&known["id"], "a contact")?;
            let mut inboxes = known["contact_inboxes"].as_array().into_iter().flatten();
            let ours = inboxes.find(|one| one["inbox"]["id"] == json!(self.inbox));
            if let Some(source) = ours.and_then(|one| one["source_id"].as_str()) {
                return Ok((id, source.to_owned()));
            }
            // <https://developers.chatwoot.com/api-reference/contacts/create-contact-inbox>
            let body = json!({"inbox_id": self.inbox});
            let made = self.post(&format!("/contacts/{id}/contact_inboxes"), &body).await?;
            return Ok((id, text(&made["source_id"], "a contact's inbox")?));
        }
        // <https://developers.chatwoot.com/api-reference/contacts/create-contact>
        let name = customer.name.clone().unwrap_or_else(|| "Unknown customer".to_owned());
        let body = json!({
            "inbox_id": self.inbox, "name": name, "identifier": identifier,
            "custom_attributes": {
                "firstline_customer": customer.id, "external_id": customer.external_id,
                "firstline_email": customer.email, "firstline_phone": customer.phone,
            },
        });
        let made = self.post("/contacts", &body).await?;
        let made = &made["payload"];
        let id = number(&made["contact"]["id"], "a contact")?;
        Ok((id, text(&made["contact_inbox"]["source_id"], "a contact's inbox")?))
    }

    /// <https://developers.chatwoot.com/api-reference/contacts/contact-conversations>
    async fn conversation_of(&self, contact: i64, handoff: &str) -> Result<Option<i64>, Untaken> {
        let found = self.get(&format!("/contacts/{contact}/conversations"), &[]).await?;
        let mut all = found["payload"].as_array().into_iter().flatten();
        let ours = all.find(|one| one["custom_attributes"][HANDOFF] == json!(handoff));
        Ok(ours.and_then(|one| one["id"].as_i64()))
    }

    /// Writes a message, unless it was tried before and is there. What was said in between is a page of at most twenty,
    /// <https://developers.chatwoot.com/api-reference/messages/get-messages>.
    async fn write(&self, conversation: i64, name: &str, again: bool, body: &Value) -> Result<(), Untaken> {
        let path = format!("/conversations/{conversation}/messages");
        if again {
            let there = self.get(&path, &[]).await?;
            let mut all = there["payload"].as_array().into_iter().flatten();
            if all.any(|one| one["content_attributes"][MESSAGE] == json!(name)) {
                return Ok(());
            }
        }
        self.post(&path, body).await.map(drop)
    }

    async fn customer_said(&self, conversation: i64, message: &Message, again: bool) -> Result<(), Untaken> {
        let name = message.id.as_str();
        let body = json!({
            "content": words_of(message), "message_type": "incoming", "private": false,
            "content_attributes": {MESSAGE: name},
        });
        self.write(conversation, name, again, &body).await
    }

    pub(super) async fn say(
        &self,
        telling: Telling<'_>,
        at: &DeskCase,
        message: &Message,
    ) -> Result<(), Untaken> {
        self.customer_said(conversation(at)?, message, telling.again).await
    }

    /// <https://developers.chatwoot.com/api-reference/conversations/toggle-status>
    pub(super) async fn close(&self, at: &DeskCase) -> Result<(), Untaken> {
        let path = format!("/conversations/{}/toggle_status", conversation(at)?);
        self.post(&path, &json!({"status": "resolved"})).await.map(drop)
    }

    pub(super) fn read(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<News>, NewsError> {
        let stamp = signature::header(headers, TIMESTAMP_HEADER)?;
        let at = stamp.parse::<i64>().map(|seconds| Timestamp(seconds.saturating_mul(1000)));
        let at = at.map_err(|_| NewsError::Forged("x-chatwoot-timestamp is not in seconds"))?;
        signature::fresh(at, now)?;
        let given = signature::header(headers, SIGNATURE_HEADER)?;
        let given = given.strip_prefix("sha256=").and_then(|hex| hex::decode(hex).ok()).unwrap_or_default();
        signature::check(&self.secret, &[stamp.as_bytes(), b".", body], &given)?;
        let told: Value = serde_json::from_slice(body).map_err(|_| BadInput::new("body", "is no JSON"))?;
        // One webhook serves the whole account; other accounts and inboxes are none of ours.
        let elsewhere = |value: &Value, own: i64| value.as_i64().is_some_and(|id| id != own);
        if elsewhere(&told["account"]["id"], self.account) || elsewhere(&told["inbox"]["id"], self.inbox) {
            return Ok(Vec::new());
        }
        Ok(match told["event"].as_str() {
            Some("message_created") => said(&told)?.into_iter().collect(),
            Some("conversation_status_changed") if told["status"] == "resolved" => {
                let id = number(&told["id"], "id").map_err(|_| BadInput::new("id", "is no number"))?;
                let key = format!("resolved-{id}");
                vec![news(key, id, &told["custom_attributes"], Heard::Settled)]
            }
            _ => Vec::new(),
        })
    }
}

/// An answer of a person. Our own words come back as `incoming` or as private ones, and a bot's are no person's.
fn said(told: &Value) -> Result<Option<News>, BadInput> {
    let by_person = told["sender"]["type"].as_str().is_none_or(|kind| kind == "user");
    if told["message_type"] != "outgoing" || told["private"] == true || !by_person {
        return Ok(None);
    }
    let whole = |value: &Value, field| value.as_i64().ok_or_else(|| BadInput::new(field, "is no number"));
    let (id, conversation) =
        (whole(&told["id"], "id")?, whole(&told["conversation"]["id"], "conversation.id")?);
    let mut words = told["content"].as_str().unwrap_or_default().trim().to_owned();
    let files = told["attachments"].as_array().into_iter().flatten();
    for url in files.filter_map(|file| file["data_url"].as_str()) {
        words.push('\n');
        words.push_str(url);
    }
    let words = words.trim().to_owned();
    let attributes = &told["conversation"]["custom_attributes"];
    let heard = Heard::Said(words.clone());
    Ok((!words.is_empty()).then(|| news(format!("message-{id}"), conversation, attributes, heard)))
}

fn news(key: String, conversation: i64, attributes: &Value, heard: Heard) -> News {
    let handoff = attributes[HANDOFF].as_str().and_then(|id| HandoffId::parse(id).ok());
    News { key, foreign_id: Some(conversation.to_string()), handoff, heard }
}

fn conversation(at: &DeskCase) -> Result<i64, Untaken> {
    let id = at.foreign_id.as_deref().and_then(|id| id.parse().ok());
    id.ok_or_else(|| Untaken::Never("nobody knows which conversation it is".to_owned()))
}

fn number(value: &Value, what: &str) -> Result<i64, Untaken> {
    value.as_i64().ok_or_else(|| unexpected(what))
}

fn text(value: &Value, what: &str) -> Result<String, Untaken> {
    value.as_str().map(str::to_owned).ok_or_else(|| unexpected(what))
}

fn unexpected(what: &str) -> Untaken {
    Untaken::Later { why: format!("{what} was made, and the answer does not name it"), after_ms: None }
}
