//! Zendesk Support: a ticket with the note and the customer's words as internal comments, so that Zendesk itself mails
//! nobody; what an agent answers in public comes back.
//!
//! Sources: <https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/>,
//! <https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
use crate::domain::triage::Urgency;
use crate::store::DeskCase;

/// The user name of basic authentication with an API token ends so.
/// <https://developer.zendesk.com/api-reference/introduction/security-and-auth/>.
const TOKEN_USER_END: &str = "/token";
/// The same request under the same key makes one ticket, for two hours.
/// <https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency>.
const IDEMPOTENCY_HEADER: &str = "idempotency-key";
/// Signs what comes: HMAC-SHA256 of the timestamp and the body, in base64.
/// <https://developer.zendesk.com/documentation/webhooks/verifying/>.
const SIGNATURE_HEADER: &str = "x-zendesk-webhook-signature";
/// When it was signed, ISO 8601; the same page.
const TIMESTAMP_HEADER: &str = "x-zendesk-webhook-signature-timestamp";
/// What stands on our tickets.
const TAG: &str = "firstline";
/// Somebody commented; `event.comment` says who and what.
/// <https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events>.
const COMMENTED: &str = "zen:event-type:ticket.comment_added";
/// The status changed; `event.current` is the new one. The same page.
const STATUS_CHANGED: &str = "zen:event-type:ticket.status_changed";

/// A Zendesk account.
pub(super) struct Zendesk {
    base: String,
    user: String,
    token: SecretString,
    secret: SecretString,
    wire: Wire,
}

impl Zendesk {
    pub(super) fn new(settings: &SinkSettings, wire: Wire) -> Self {
        Self {
            base: format!("{}/api/v2", settings.url.trim_end_matches('/')),
            user: format!("{}{TOKEN_USER_END}", settings.user),
            token: settings.api_token.clone(),
            secret: settings.webhook_secret.clone(),
            wire,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.wire.client.request(method, format!("{}{path}", self.base));
        request.basic_auth(&self.user, Some(self.token.expose_secret()))
    }

    pub(super) async fn open(
        &self,
        telling: Telling<'_>,
        opening: Opening<'_>,
        note: &str,
    ) -> Result<Opened, Untaken> {
        let handoff = opening.handoff;
        if telling.again
            && let Some(id) = self.ticket_of(&handoff.id).await?
        {
            return Ok(Opened { foreign_id: id.to_string(), thread: None });
        }
        let ticket = json!({
            "subject": words::subject(handoff, &telling.case.id),
            "comment": {"body": note, "public": false},
            "external_id": handoff.id, "priority": priority(handoff.urgency), "tags": [TAG],
        });
        let request = self.request(Method::POST, "/tickets.json").header(IDEMPOTENCY_HEADER, telling.key);
        let made = self.wire.ask(request.json(&json!({"ticket": ticket}))).await?;
        match made["ticket"]["id"].as_i64() {
            Some(id) => Ok(Opened { foreign_id: id.to_string(), thread: None }),
            None => Err(Untaken::Later {
                why: "a ticket was made, and the answer does not name it".to_owned(),
                after_ms: None,
            }),
        }
    }

    /// The ticket of a handoff, where a lost answer has left one.
    /// <https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#list-tickets-by-external-id>.
    async fn ticket_of(&self, handoff: &HandoffId) -> Result<Option<i64>, Untaken> {
        let request = self.request(Method::GET, "/tickets.json").query(&[("external_id", handoff.as_str())]);
        let found = self.wire.ask(request).await?;
        let mut all = found["tickets"].as_array().into_iter().flatten();
        let ours = all.find(|one| one["external_id"] == json!(handoff));
        Ok(ours.and_then(|one| one["id"].as_i64()))
    }

    pub(super) async fn say(
        &self,
        telling: Telling<'_>,
        at: &DeskCase,
        message: &Message,
    ) -> Result<(), Untaken> {
        let mark = format!("(message {} of case {})", message.seq, at.case);
        let path = path_of(at)?;
        if telling.again && self.has_comment(&path, &mark).await? {
            return Ok(());
        }
        let body = format!("The customer wrote:\n\n{}\n\n{mark}", words_of(message));
        let ticket = json!({"status": "open", "comment": {"body": body, "public": false}});
        let request = self.request(Method::PUT, &format!("{path}.json"));
        self.wire.ask(request.json(&json!({"ticket": ticket}))).await.map(drop)
    }

    /// Whether a comment with this mark is among the newest hundred.
    /// <https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#list-comments>.
    async fn has_comment(&self, path: &str, mark: &str) -> Result<bool, Untaken> {
        let request = self.request(Method::GET, &format!("{path}/comments.json"));
        let query = [("sort", "-created_at"), ("page[size]", "100")];
        let found = self.wire.ask(request.query(&query)).await?;
        let mut all = found["comments"].as_array().into_iter().flatten();
        Ok(all.any(|one| one["body"].as_str().is_some_and(|body| body.contains(mark))))
    }

    pub(super) async fn close(&self, at: &DeskCase) -> Result<(), Untaken> {
        let comment = json!({"body": "Settled in Firstline.", "public": false});
        let body = json!({"ticket": {"status": "solved", "comment": comment}});
        let answer =
            self.wire.call(self.request(Method::PUT, &format!("{}.json", path_of(at)?)).json(&body)).await?;
        match answer.status.as_u16() {
            // A closed ticket takes no change, and is what was wanted.
            200..=299 | 404 | 422 => Ok(()),
            _ => Err(super::wire::refused(&answer)),
        }
    }

    pub(super) fn read(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<News>, NewsError> {
        let stamp = signature::header(headers, TIMESTAMP_HEADER)?;
        let at = Timestamp::parse(stamp).ok_or(NewsError::Forged("the signature's time is no time"))?;
        signature::fresh(at, now)?;
        let given = STANDARD.decode(signature::header(headers, SIGNATURE_HEADER)?).unwrap_or_default();
        signature::check(&self.secret, &[stamp.as_bytes(), body], &given)?;
        let told: Value = serde_json::from_slice(body).map_err(|_| BadInput::new("body", "is no JSON"))?;
        let Some(heard) = heard(&told)? else { return Ok(Vec::new()) };
        let ticket = id(&told["detail"]["id"]).ok_or_else(|| BadInput::new("detail.id", "is missing"))?;
        let key = match &heard {
            Heard::Said(_) => id(&told["event"]["comment"]["id"]).map(|id| format!("comment-{id}")),
            Heard::Settled => id(&told["id"]).map(|id| format!("event-{id}")),
        };
        let key = key.ok_or_else(|| BadInput::new("id", "is missing"))?;
        let handoff = told["detail"]["external_id"].as_str().and_then(|id| HandoffId::parse(id).ok());
        Ok(vec![News { key, foreign_id: Some(ticket), handoff, heard }])
    }
}

/// What a ticket's event is to us: a public answer of staff, or that it is solved. Our own comments are internal ones.
fn heard(told: &Value) -> Result<Option<Heard>, BadInput> {
    let event = &told["event"];
    match told["type"].as_str() {
        Some(COMMENTED) => {
            let comment = &event["comment"];
            if comment["is_public"] != true || comment["author"]["is_staff"] != true {
                return Ok(None);
            }
            let words = comment["body"].as_str().unwrap_or_default().trim();
            Ok((!words.is_empty()).then(|| Heard::Said(words.to_owned())))
        }
        Some(STATUS_CHANGED) => {
            let current = event["current"].as_str().unwrap_or_default().to_ascii_lowercase();
            Ok(["solved", "closed"].contains(&current.as_str()).then_some(Heard::Settled))
        }
        Some(_) => Ok(None),
        None => Err(BadInput::new("type", "is missing: subscribe the webhook to ticket events")),
    }
}

/// An id, which Zendesk writes as text in some places and as a number in others.
fn id(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|id| id.to_string()))
}

fn path_of(at: &DeskCase) -> Result<String, Untaken> {
    let id = at.foreign_id.as_deref().and_then(|id| id.parse::<i64>().ok());
    id.map(|id| format!("/tickets/{id}"))
        .ok_or_else(|| Untaken::Never("nobody knows which ticket it is".to_owned()))
}

fn priority(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Low => "low",
        Urgency::Normal => "normal",
        Urgency::High => "high",
        Urgency::Urgent => "urgent",
    }
}
