//! SMS by Twilio: its webhooks and `Messages.json`.
//!
//! A thread is our number and theirs, so that an answer leaves by the number that was written to. Who writes is as well
//! proven as a caller id. Sources: <https://www.twilio.com/docs/messaging/guides/webhook-request>,
//! <https://www.twilio.com/docs/messaging/api/message-resource>.

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::twilio::{self, Form, errors, segments};
use super::{
    BadInput, Bounds, ChannelAdapter, ChannelError, Incoming, Outgoing, StatusUpdate, Webhook, WebhookAnswer,
    demand_words, outgoing,
};
use crate::config::SmsSettings;
use crate::domain::assurance::Assurance;
use crate::domain::delivery::DeliveryState;
use crate::domain::message::{Attachment, InboundMessage, Sender};
use crate::language::signals::{OptOut, opt_out_word};

/// Its name in the record.
pub const NAME: &str = "sms";
/// How well a number that a message shows is proven, and by what: the network's word, which can be forged.
const PROVEN: (Assurance, &str) = (Assurance::Claimed, "caller_id");
/// The parameter by which news of a delivery names it.
const DELIVERY: &str = "delivery";

/// The number that writes and is written to.
pub struct Sms {
    account: String,
    token: SecretString,
    /// Whence what has no number of its own to answer from leaves.
    from: String,
    service: String,
    send_url: String,
    status_url: String,
    client: reqwest::Client,
    bounds: Bounds,
}

impl Sms {
    /// The account that `settings` names; `base` is how Twilio reaches this service.
    pub fn new(settings: &SmsSettings, base: &str, client: reqwest::Client, bounds: Bounds) -> Self {
        let account = settings.account_sid.clone();
        let api = settings.api_base.trim_end_matches('/');
        Self {
            send_url: format!("{api}/2010-04-01/Accounts/{account}/Messages.json"),
            status_url: format!("{base}/channels/{NAME}/status"),
            token: settings.auth_token.clone(),
            from: settings.from.clone(),
            service: settings.messaging_service_sid.clone(),
            account,
            client,
            bounds,
        }
    }
}

impl ChannelAdapter for Sms {
    fn name(&self) -> &'static str {
        NAME
    }

    fn verify(&self, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
        twilio::verify(self.token.expose_secret(), webhook)
    }

    fn parse(&self, webhook: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        let form = Form::of(webhook)?;
        let incoming = match webhook.path {
            "" => self.message(&form)?,
            "status" => status(&form, webhook)?,
            _ => {
                let problem =
                    format!("is no address for SMS; use /channels/{NAME} or /channels/{NAME}/status");
                return Err(BadInput::new("path", problem).into());
            }
        };
        Ok(vec![incoming])
    }

    fn acknowledge(&self) -> WebhookAnswer {
        twilio::nothing_to_do()
    }

    fn begin_thread(&self, _: &str, address: &str) -> Option<String> {
        Some(address.to_owned())
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        Box::pin(async move {
            let text = segments::minimised(outgoing.text);
            let callback = format!("{}?{DELIVERY}={}", self.status_url, outgoing.delivery.id);
            let ours =
                outgoing.delivery.conversation.split_once('/').map_or(self.from.as_str(), |(ours, _)| ours);
            let whence = if self.service.is_empty() {
                ("From", ours)
            } else {
                ("MessagingServiceSid", self.service.as_str())
            };
            let form =
                [whence, ("To", outgoing.address), ("Body", text.as_str()), ("StatusCallback", &callback)];
            let request = self
                .client
                .post(&self.send_url)
                .basic_auth(&self.account, Some(self.token.expose_secret()))
                .form(&form);
            let answer = outgoing::call(request).await?;
            let code =
                answer.body.get("code").and_then(Value::as_i64).filter(|_| !answer.status.is_success());
            if code.is_some_and(|code| errors::BUSY.contains(&code)) {
                let why = code.map(errors::meaning).unwrap_or_default();
                return Err(ChannelError::Later { why, after_ms: answer.after_ms });
            }
            let why = code.map(errors::meaning).unwrap_or_default();
            if why == "opted_out" {
                return Err(ChannelError::Permanent(why));
            }
            let taken = answer.taken(&why)?;
            metrics::counter!("firstline_sms_segments_total").increment(segments::count(&text).0 as u64);
            Ok(taken.get("sid").and_then(Value::as_str).map(str::to_owned))
        })
    }
}

impl Sms {
    fn message(&self, form: &Form) -> Result<Incoming, ChannelError> {
        let id = form.label("MessageSid")?;
        let (from, to) = (form.label("From")?, form.label("To")?);
        if !twilio::is_number(from) && !twilio::is_short_code(from) {
            // A name in the place of a number: it takes no answer, and only machines write so.
            return Ok(Incoming::Nothing("a sender without a number"));
        }
        let body = form.text("Body", self.bounds.text_chars_max)?;
        let attachments = self.media(form)?;
        let text = asked_of_twilio(form, body);
        if attachments.is_empty() && demand_words(text).is_err() {
            return Ok(Incoming::Nothing("a message without words"));
        }
        Ok(Incoming::Message(Box::new(InboundMessage {
            channel: NAME.to_owned(),
            external_id: id.to_owned(),
            conversation: format!("{to}/{from}"),
            sender: Sender {
                address: from.to_owned(),
                name: None,
                email: None,
                phone: Some(from.to_owned()).filter(|from| twilio::is_number(from)),
                assurance: PROVEN.0,
                proof: PROVEN.1,
                external_id: None,
            },
            text: text.to_owned(),
            attachments,
            sent_at: None,
            threading: None,
        })))
    }

    /// Pictures and files: they stay with Twilio, and the address is kept.
    fn media(&self, form: &Form) -> Result<Vec<Attachment>, BadInput> {
        let count = match form.get("NumMedia") {
            None => 0,
            Some(count) => count.parse::<usize>().map_err(|_| {
                BadInput::new("NumMedia", "is no whole number; send how many files came along")
            })?,
        };
        if count > self.bounds.attachments_max {
            let problem = format!("is {count}; at most {} files are taken", self.bounds.attachments_max);
            return Err(BadInput::new("NumMedia", problem));
        }
        let one = |at: usize| {
            let content_type = form.get(&format!("MediaContentType{at}")).map(short);
            let kind = content_type.as_deref().and_then(|kind| kind.split('/').next()).unwrap_or("file");
            let url = form.get(&format!("MediaUrl{at}")).filter(|url| url.starts_with("https://"));
            Attachment {
                name: format!("{kind} {}", at + 1),
                content_type,
                url: url.map(short),
                id: None,
                content: None,
            }
        };
        Ok((0..count).map(one).collect())
    }
}

/// Longest address or type of a file that is kept, in characters.
const MEDIA_CHARS_MAX: usize = 500;

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MEDIA_CHARS_MAX).collect()
}

/// The words; where Twilio itself took them for a word that ends or begins messages, in the operator's own list, and we
/// would not: the plain word for it.
fn asked_of_twilio<'a>(form: &Form, body: &'a str) -> &'a str {
    let asks = match form.get("OptOutType") {
        Some("STOP") => OptOut::Stop,
        Some("START") => OptOut::Start,
        Some("HELP") => OptOut::Help,
        Some(_) | None => return body,
    };
    if opt_out_word(body).is_some_and(|word| word.asks == asks) {
        return body;
    }
    match asks {
        OptOut::Stop => "STOP",
        OptOut::Start => "START",
        OptOut::Help => "HELP",
    }
}

/// News of something that left.
fn status(form: &Form, webhook: &Webhook<'_>) -> Result<Incoming, BadInput> {
    let id = form.label("MessageSid")?;
    let state = match form.label("MessageStatus")? {
        // Twilio has it, which settles one whose answer was lost.
        "accepted" | "scheduled" | "queued" | "sending" | "sent" => DeliveryState::Sent,
        "delivered" => DeliveryState::Delivered,
        "read" => DeliveryState::Read,
        "undelivered" | "failed" | "canceled" => DeliveryState::Failed,
        _ => return Ok(Incoming::Nothing("a status that says nothing about its way")),
    };
    let code = form.get("ErrorCode").and_then(|code| code.parse::<i64>().ok()).filter(|code| *code > 0);
    Ok(Incoming::Status(StatusUpdate {
        provider_id: id.to_owned(),
        delivery: webhook.parameter(DELIVERY).map(|delivery| short(&delivery)),
        state,
        reason: code.map(errors::meaning).filter(|_| state == DeliveryState::Failed),
    }))
}
