//! Slack: the Events API in, `chat.postMessage` out, and files by their upload in three steps.
//!
//! Sources: <https://api.slack.com/authentication/verifying-requests-from-slack>,
//! <https://api.slack.com/apis/events-api>, <https://api.slack.com/methods/chat.postMessage>,
//! <https://api.slack.com/methods/files.getUploadURLExternal>, <https://api.slack.com/methods/files.completeUploadExternal>.

use futures_util::future::BoxFuture;
use http::Method;
use http::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::content::{self, Content, one_line};
use super::json::{self, Fields};
use super::outgoing::{self, Answer};
use super::webhook::signed_sha256;
use super::{
    BadInput, Bounds, ChannelAdapter, ChannelError, File, Incoming, LABEL_CHARS_MAX, Outgoing, Webhook,
    WebhookAnswer,
};
use crate::config::SlackSettings;
use crate::domain::assurance::Assurance;
use crate::domain::message::{InboundMessage, Sender};
use crate::domain::time::Timestamp;

/// Its name in the record.
pub const NAME: &str = "slack";
/// Where the signature comes.
pub const SIGNATURE_HEADER: &str = "x-slack-signature";
/// When it was signed, in seconds.
pub const TIMESTAMP_HEADER: &str = "x-slack-request-timestamp";
/// An older or younger request may be one that was recorded.
const AGE_MS_MAX: i64 = 300_000;
/// Kinds of `message` events that a person wrote; those without a subtype are the others.
const WRITTEN: [&str; 2] = ["file_share", "thread_broadcast"];
/// Largest request that only asks whether this is the right place.
const GREETING_BYTES_MAX: usize = 4096;
/// Words of Slack's errors that ask for another try later, FROM MEMORY; anything else is a refusal.
const LATER: [&str; 5] =
    ["ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org"];
/// After these nobody knows whether the message was posted: "some aspect of the operation succeeded" is possible.
const IN_DOUBT: [&str; 2] = ["internal_error", "fatal_error"];
/// Longest word for an error that is kept, in characters.
const ERROR_CHARS_MAX: usize = 100;

/// The app.
pub struct Slack {
    secret: SecretString,
    token: SecretString,
    api: String,
    client: reqwest::Client,
    bounds: Bounds,
}

/// Where Slack takes files, beside the host of its interface.
const FILE_HOSTS: &str = ".slack.com";

impl Slack {
    /// The app that `settings` names.
    pub fn new(settings: &SlackSettings, client: reqwest::Client, bounds: Bounds) -> Self {
        let api = settings.api_base.trim_end_matches('/').to_owned();
        let (secret, token) = (settings.signing_secret.clone(), settings.bot_token.clone());
        Self { secret, token, api, client, bounds }
    }

    /// A call of one of its methods.
    fn method(&self, name: &str) -> RequestBuilder {
        self.client.post(format!("{}/{name}", self.api)).bearer_auth(self.token.expose_secret())
    }

    /// Whether an address that an answer names may be given a file: Slack's own, or where its interface is.
    fn takes_files(&self, url: &Url) -> bool {
        let own = Url::parse(&self.api).ok();
        let same = own.is_some_and(|own| own.origin() == url.origin());
        let host = url.host_str().unwrap_or_default();
        same || (url.scheme() == "https" && host.ends_with(FILE_HOSTS))
    }

    /// The challenge of a request that sets the app up; none for any other.
    fn challenge(&self, webhook: &Webhook<'_>) -> Option<Result<String, ChannelError>> {
        let value = json::parse(webhook.body, self.bounds.depth_max).ok()?;
        (value.get("type")?.as_str()? == "url_verification").then_some(())?;
        let challenge = value.get("challenge").and_then(Value::as_str).map(str::to_owned);
        Some(challenge.ok_or_else(|| BadInput::new("challenge", "is missing; add it as a string").into()))
    }
}

impl ChannelAdapter for Slack {
    fn name(&self) -> &'static str {
        NAME
    }

    fn greet(&self, webhook: &Webhook<'_>) -> Option<Result<WebhookAnswer, ChannelError>> {
        let asks = webhook.method == Method::POST && webhook.body.len() <= GREETING_BYTES_MAX;
        if !asks {
            return None;
        }
        let challenge = self.challenge(webhook)?;
        Some(self.verify(webhook).and(challenge).map(WebhookAnswer::text))
    }

    fn verify(&self, webhook: &Webhook<'_>) -> Result<(), ChannelError> {
        let given = webhook.header(SIGNATURE_HEADER).and_then(|value| value.strip_prefix("v0="));
        let signature = given.and_then(|text| hex::decode(text).ok());
        let at = webhook.header(TIMESTAMP_HEADER);
        let (Some(signature), Some(at)) = (signature, at) else {
            return Err(ChannelError::Forged("X-Slack-Signature or X-Slack-Request-Timestamp is missing"));
        };
        let seconds =
            at.parse::<i64>().map_err(|_| ChannelError::Forged("the time of signing is no number"))?;
        let age = webhook.now.ms_since(Timestamp(seconds.saturating_mul(1000)));
        if age.saturating_abs() > AGE_MS_MAX {
            return Err(ChannelError::Forged(
                "it was signed more than five minutes from now; check the clock",
            ));
        }
        let parts: [&[u8]; 4] = [b"v0:", at.as_bytes(), b":", webhook.body];
        signed_sha256(self.secret.expose_secret().as_bytes(), &parts, &signature)
    }

    fn parse(&self, webhook: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        let mut body = Fields::of_body(webhook.body, self.bounds.depth_max)?;
        if body.required_label("type", LABEL_CHARS_MAX)? != "event_callback" {
            return Ok(vec![Incoming::Nothing("a notice that is no event")]);
        }
        // Sent again, it has the same id.
        let id = body.required_label("event_id", LABEL_CHARS_MAX)?;
        let mut event = body.object("event")?;
        if event.required_label("type", LABEL_CHARS_MAX)? != "message" {
            return Ok(vec![Incoming::Nothing("an event that is no message")]);
        }
        let team = body.required_label("team_id", LABEL_CHARS_MAX)?;
        Ok(vec![self.message(id, &team, event)?])
    }

    fn upload<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        Box::pin(async move {
            let Some(file) = outgoing.files.first() else { return Ok(None) };
            let length = file.content.len().to_string();
            let asked = [("filename", file.name.as_str()), ("length", &length)];
            let place =
                judged(outgoing::call(self.method("files.getUploadURLExternal").form(&asked)).await?)?;
            let text = |name: &str| place.get(name).and_then(Value::as_str);
            let url = text("upload_url").and_then(|url| Url::parse(url).ok());
            let url = url.filter(|url| self.takes_files(url)).zip(text("file_id"));
            let (url, id) = url.ok_or_else(|| ChannelError::later("Slack named no place for the file"))?;
            let request = self.client.post(url).header(CONTENT_TYPE, &file.content_type).body(file.body());
            outgoing::call(request).await?.taken("the file")?;
            Ok(Some(id.to_owned()))
        })
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        Box::pin(async move {
            let mut place = outgoing.delivery.conversation.splitn(3, '/').skip(1);
            let channel = place.next().unwrap_or_default();
            let thread = place.next().or(outgoing.threading).filter(|thread| !thread.is_empty());
            if let Some(file) = outgoing.files.first() {
                return self.attached((channel, thread), file, outgoing.uploaded).await;
            }
            // The words are ours and plain: no mark-up, no previews.
            let mut body = json!({"channel": channel, "text": escaped(outgoing.text), "mrkdwn": false,
                "unfurl_links": false, "unfurl_media": false});
            if let Some(thread) = thread {
                body["thread_ts"] = thread.into();
            }
            let taken = judged(outgoing::call(self.method("chat.postMessage").json(&body)).await?)?;
            let text = |name: &str| taken.get(name).and_then(Value::as_str);
            Ok(text("channel").zip(text("ts")).map(|(channel, ts)| format!("{channel}/{ts}")))
        })
    }
}

impl Slack {
    /// Shows a file that has been brought: it is there for the customer from then on.
    async fn attached(
        &self,
        (channel, thread): (&str, Option<&str>),
        file: &File,
        brought: Option<&str>,
    ) -> Result<Option<String>, ChannelError> {
        let brought = brought.ok_or_else(|| ChannelError::later("the file was not brought"))?;
        let mut body = json!({"files": [{"id": brought, "title": file.name}], "channel_id": channel});
        if let Some(thread) = thread {
            body["thread_ts"] = thread.into();
        }
        judged(outgoing::call(self.method("files.completeUploadExternal").json(&body)).await?)?;
        Ok(Some(brought.to_owned()))
    }

    fn message(&self, id: String, team: &str, mut event: Fields) -> Result<Incoming, BadInput> {
        if event.has("bot_id") || event.has("bot_profile") {
            return Ok(Incoming::Nothing("a message of a bot"));
        }
        let subtype = event.label("subtype", LABEL_CHARS_MAX)?;
        if subtype.is_some_and(|subtype| !WRITTEN.contains(&subtype.as_str())) {
            return Ok(Incoming::Nothing("a notice, an edit or a deletion"));
        }
        let Some(user) = event.label("user", LABEL_CHARS_MAX)? else {
            return Ok(Incoming::Nothing("a message of nobody"));
        };
        let channel = event.required_label("channel", LABEL_CHARS_MAX)?;
        let ts = event.required_label("ts", LABEL_CHARS_MAX)?;
        let thread = event.label("thread_ts", LABEL_CHARS_MAX)?;
        // Direct messages with the app are one conversation, answered in a thread where one was begun; elsewhere each
        // thread is its own.
        let direct = event.hint("channel_type").is_some_and(|kind| kind == "im");
        let (conversation, threading) = if direct {
            // Empty where none was begun: nothing would leave the last one in force.
            (format!("{team}/{channel}"), Some(thread.unwrap_or_default()))
        } else {
            (format!("{team}/{channel}/{}", thread.as_ref().unwrap_or(&ts)), None)
        };
        let content = self.content(&mut event).unwrap_or_else(|bad| Content::spoilt(&bad));
        let (text, attachments) = match content {
            Content::Said { text, attachments } => (text, attachments),
            Content::Nothing(why) => return Ok(Incoming::Nothing(why)),
        };
        Ok(Incoming::Message(Box::new(InboundMessage {
            channel: NAME.to_owned(),
            external_id: id,
            conversation,
            sender: Sender {
                address: format!("{team}/{user}"),
                name: None,
                email: None,
                phone: None,
                assurance: Assurance::Channel,
                proof: NAME,
                external_id: None,
            },
            text,
            attachments,
            sent_at: moment(&ts),
            threading,
        })))
    }

    fn content(&self, event: &mut Fields) -> Result<Content, BadInput> {
        let text = plain(&event.text("text", self.bounds.text_chars_max)?.unwrap_or_default());
        let files = event.objects("files", self.bounds.attachments_max)?;
        let attached = |mut file: Fields| {
            let name = file.hint("name").or_else(|| file.hint("title")).unwrap_or_else(|| "file".to_owned());
            let url = file.text("url_private", usize::MAX).ok().flatten();
            content::file(&name, file.hint("mimetype"), url)
        };
        let files: Vec<_> = files.into_iter().map(attached).collect();
        if text.is_empty() && files.is_empty() && (event.has("attachments") || event.has("blocks")) {
            return Ok(Content::unread("blocks"));
        }
        Ok(Content::said(text, files))
    }
}

/// Slack's own time: seconds with six places, which is the id of a message, too.
fn moment(ts: &str) -> Option<Timestamp> {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, ""));
    let millis: i64 = fraction.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or_default();
    Some(Timestamp(seconds.parse::<i64>().ok()?.saturating_mul(1000).saturating_add(millis)))
}

/// The words as they were typed: what stands in angle brackets is a link, a person or a channel, shown by its label.
fn plain(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        words.push_str(before);
        let Some((inside, behind)) = after.split_once('>') else {
            words.push('<');
            rest = after;
            break;
        };
        let shown = inside.rsplit('|').next().unwrap_or(inside);
        words.push_str(shown.trim_start_matches("mailto:").trim_start_matches("tel:"));
        rest = behind;
    }
    words.push_str(rest);
    words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// The three characters that mean something to Slack, written out.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Slack says whether it took a message in the body; the status is 200 either way.
fn judged(answer: Answer) -> Result<Value, ChannelError> {
    let refused = answer.body.get("ok").and_then(Value::as_bool) == Some(false);
    if !refused || !answer.status.is_success() {
        return answer.taken("");
    }
    let error = answer.body.get("error").and_then(Value::as_str).unwrap_or("no reason given");
    let why = one_line(error, ERROR_CHARS_MAX);
    if LATER.contains(&error) {
        Err(ChannelError::Later { why, after_ms: answer.after_ms })
    } else if IN_DOUBT.contains(&error) {
        Err(ChannelError::Unknown(why))
    } else {
        Err(ChannelError::Permanent(why))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    /// The example on Slack's page about verifying requests.
    #[test]
    fn slacks_own_example_of_a_signature_verifies_within_five_minutes() {
        let settings = SlackSettings {
            enabled: true,
            signing_secret: "8f742231b10e8888abcd99yyyzzz85a5".to_owned().into(),
            bot_token: "xoxb".to_owned().into(),
            api_base: String::new(),
        };
        let bounds = Bounds { text_chars_max: 100, attachments_max: 1, depth_max: 8 };
        // Its client needs a provider of cryptography to be built at all.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let slack = Slack::new(&settings, reqwest::Client::builder().build().unwrap(), bounds);
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
            &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
            &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
            &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let mut headers = HeaderMap::new();
        headers.insert(TIMESTAMP_HEADER, "1531420618".parse().unwrap());
        let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        headers.insert(SIGNATURE_HEADER, signature.parse().unwrap());
        let at = |now| {
            let webhook = Webhook {
                method: &Method::POST,
                path: "",
                url: "",
                query: "",
                headers: &headers,
                body: body.as_bytes(),
                now: Timestamp(now),
            };
            slack.verify(&webhook)
        };
        assert_eq!(at(1_531_420_618_000), Ok(()));
        assert_eq!(at(1_531_420_618_000 + AGE_MS_MAX), Ok(()));
        assert!(matches!(at(1_531_420_618_001 + AGE_MS_MAX), Err(ChannelError::Forged(_))));
        assert!(matches!(at(i64::MIN), Err(ChannelError::Forged(_))));
    }

    #[test]
    fn mark_up_becomes_the_words_that_people_see_and_an_open_bracket_is_no_trap() {
        for (marked, seen) in [
            ("5 &lt; 6 &amp;amp; 7", "5 < 6 &amp; 7"),
            ("<https://a.example|our page>, <@U1>, <!here>", "our page, @U1, !here"),
            ("<tel:+49151|+49151> <mailto:a@b.example|a@b.example>", "+49151 a@b.example"),
            ("no end <here", "no end <here"),
            ("<", "<"),
        ] {
            assert_eq!(plain(marked), seen);
        }
        assert_eq!(plain(&"<".repeat(20_000)).len(), 20_000);
        assert_eq!(plain(&escaped("a <b> & c &amp;")), "a <b> & c &amp;");
    }
}
