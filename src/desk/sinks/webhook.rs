//! The operator's own desk: told by signed webhooks, and answering by ones signed alike.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use http::HeaderMap;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::desks::{Heard, News, NewsError, Opened, Opening, Telling, words_of};
use super::wire::Wire;
use super::{Untaken, keys, signature, signed};
use crate::channels::BadInput;
use crate::channels::json::Fields;
use crate::channels::standard_webhooks;
use crate::config::{Config, SinkSettings};
use crate::domain::ids::HandoffId;
use crate::domain::message::Message;
use crate::domain::time::Timestamp;
use crate::store::DeskCase;

/// Longest id of a webhook that comes.
const ID_CHARS_MAX: usize = 200;

/// A desk behind a webhook.
pub(super) struct Webhook {
    url: String,
    keys: Vec<Vec<u8>>,
    wire: Wire,
    depth_max: usize,
    text_chars_max: usize,
}

impl Webhook {
    pub(super) fn new(settings: &SinkSettings, wire: Wire, config: &Config) -> Result<Self, Vec<String>> {
        let label = format!("[[handoff.sinks]] `{}`", settings.name);
        let keys = keys(&label, &settings.secret, &settings.previous_secret)?;
        let (depth_max, text_chars_max) = (config.server.json_depth_max, config.limits.message_chars_max);
        Ok(Self { url: settings.url.clone(), keys, wire, depth_max, text_chars_max })
    }

    pub(super) async fn open(
        &self,
        telling: Telling<'_>,
        opening: Opening<'_>,
        note: &str,
    ) -> Result<Opened, Untaken> {
        let (handoff, customer) = (opening.handoff, opening.customer);
        let data = json!({
            "handoff_id": handoff.id, "case_id": telling.case.id, "team": handoff.team,
            "urgency": handoff.urgency, "reason": handoff.reason, "channel": telling.case.channel,
            "customer": {
                "id": customer.id, "external_id": customer.external_id, "name": customer.name,
                "email": customer.email, "phone": customer.phone,
            },
            "note": handoff.note, "text": note,
        });
        self.post(telling, "handoff.opened", data).await?;
        Ok(Opened { foreign_id: handoff.id.to_string(), thread: None })
    }

    pub(super) async fn say(
        &self,
        telling: Telling<'_>,
        at: &DeskCase,
        message: &Message,
    ) -> Result<(), Untaken> {
        let data = json!({
            "handoff_id": at.handoff, "case_id": at.case,
            "message": {"id": message.id, "seq": message.seq, "author": message.author,
                "channel": message.channel, "text": words_of(message), "at": message.at},
        });
        self.post(telling, "handoff.message", data).await
    }

    pub(super) async fn close(&self, telling: Telling<'_>, at: &DeskCase) -> Result<(), Untaken> {
        let data = json!({"handoff_id": at.handoff, "case_id": at.case, "state": telling.case.state});
        self.post(telling, "handoff.closed", data).await
    }

    async fn post(&self, telling: Telling<'_>, kind: &str, data: Value) -> Result<(), Untaken> {
        let body = json!({"type": kind, "timestamp": telling.now, "data": data}).to_string();
        let mut request = self.wire.client.post(&self.url).header("content-type", "application/json");
        for (name, value) in signed(&self.keys, telling.key, telling.now, body.as_bytes()) {
            request = request.header(name, value);
        }
        let answer = self.wire.call(request.body(body)).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(()),
            410 => Err(Untaken::Never("410: it wants nothing more".to_owned())),
            status => Err(Untaken::Later { why: format!("status {status}"), after_ms: answer.after_ms }),
        }
    }

    /// `message.created` and `case.resolved`, with the handoff's id.
    pub(super) fn read(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<News>, NewsError> {
        let key = self.verified(headers, body, now)?;
        let mut fields = Fields::of_body(body, self.depth_max)?;
        let kind = fields.required_label("type", 64)?;
        // It is the signature's time that counts.
        fields.text("timestamp", 64)?;
        let mut data = fields.object("data")?;
        fields.finish()?;
        let handoff = data.required_label("handoff_id", 64)?;
        let handoff = HandoffId::parse(&handoff)
            .map_err(|_| BadInput::new("data.handoff_id", "is not the one that the case was given with"))?;
        let heard = match kind.as_str() {
            "message.created" => Heard::Said(data.required_text("text", self.text_chars_max)?),
            "case.resolved" => Heard::Settled,
            _ => return Err(BadInput::new("type", "is `message.created` or `case.resolved`").into()),
        };
        data.finish()?;
        if matches!(&heard, Heard::Said(text) if text.trim().is_empty()) {
            return Err(BadInput::new("data.text", "is empty; write something").into());
        }
        let foreign_id = Some(handoff.to_string());
        Ok(vec![News { key, foreign_id, handoff: Some(handoff), heard }])
    }

    /// The id of a webhook that one of our keys has signed just now.
    fn verified(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<String, NewsError> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(id), Some(seconds), Some(signatures)) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
        else {
            return Err(NewsError::Forged(
                "it is not signed: webhook-id, webhook-timestamp and webhook-signature",
            ));
        };
        if id.is_empty() || id.chars().count() > ID_CHARS_MAX {
            return Err(NewsError::Forged("webhook-id has 1 to 200 characters"));
        }
        let at = seconds.parse::<i64>().map(|seconds| Timestamp(seconds.saturating_mul(1000)));
        let at = at.map_err(|_| NewsError::Forged("webhook-timestamp is not in seconds"))?;
        signature::fresh(at, now)?;
        let good = self.keys.iter().any(|key| {
            let [.., (_, own)] = standard_webhooks::headers(key, id, at, body);
            signatures.split(' ').any(|one| bool::from(own.as_bytes().ct_eq(one.as_bytes())))
        });
        if good { Ok(id.to_owned()) } else { Err(NewsError::Forged("the signature does not match")) }
    }
}
