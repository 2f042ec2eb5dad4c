//! What the played channels of Meta share: signatures, tokens, refusals, and Messenger and Instagram whole.

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Outbox, Provider, ProviderCall, Said, Sent, files};
use crate::channels::meta::SIGNATURE_HEADER;

pub(super) const APP_SECRET: &str = "simulated-app-secret";
pub(super) const TOKEN: &str = "simulated-access-token";
pub(super) const VERSION: &str = "v24.0";
const VERIFY_TOKEN: &str = "simulated-verify-token";

/// An answer of the Graph API.
pub(super) type Answer = (StatusCode, Json<Value>);

/// The settings that all of them have.
pub(super) fn settings(channel: &'static str, api: &str) -> Vec<(&'static str, &'static str, String)> {
    let setting = |key, value: &str| (channel, key, value.to_owned());
    vec![
        setting("enabled", "true"),
        setting("app_secret", APP_SECRET),
        setting("verify_token", VERIFY_TOKEN),
        setting("access_token", TOKEN),
        setting("api_base", api),
        setting("api_version", VERSION),
    ]
}

/// HMAC-SHA256 over `parts`, in hex.
pub(super) fn hmac_hex(secret: &str, parts: &[&[u8]]) -> String {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    for part in parts {
        mac.update(part);
    }
    hex::encode(mac.finalize().into_bytes())
}

/// A signed webhook.
pub(super) fn posted(channel: &str, body: Vec<u8>) -> ProviderCall {
    let signature = format!("sha256={}", hmac_hex(APP_SECRET, &[&body]));
    ProviderCall {
        method: Method::POST,
        target: format!("/channels/{channel}"),
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            (SIGNATURE_HEADER.to_owned(), signature),
        ],
        body,
    }
}

/// Refuses a request without the token.
pub(super) fn admitted(headers: &HeaderMap) -> Result<(), Answer> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given == Some(&format!("Bearer {TOKEN}")) {
        return Ok(());
    }
    Err(refused(StatusCode::UNAUTHORIZED, 190, "Invalid OAuth access token."))
}

/// A refusal in Meta's shape.
pub(super) fn refused(status: StatusCode, code: i64, message: &str) -> Answer {
    let error =
        json!({"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "simulated"});
    (status, Json(json!({"error": error})))
}

/// The text at a place of a request.
pub(super) fn text(request: &Value, pointer: &str) -> String {
    request.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// How long a text may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum TextMax {
    Chars(usize),
    Bytes(usize),
}

impl TextMax {
    fn takes(self, text: &str) -> bool {
        match self {
            Self::Chars(most) => text.chars().count() <= most,
            Self::Bytes(most) => text.len() <= most,
        }
    }
}

/// Messenger or Instagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Social {
    pub(super) channel: &'static str,
    /// What its webhooks are about.
    pub(super) object: &'static str,
    /// Whom customers write to.
    pub(super) account: &'static str,
    /// Customers' ids begin here.
    pub(super) customers: i64,
    pub(super) text_max: TextMax,
}

/// Kinds of files.
const ATTACHED: [&str; 4] = ["image", "video", "audio", "file"];
/// Most quick replies, and the longest words on one.
const REPLIES_MAX: usize = 13;
const REPLY_CHARS_MAX: usize = 20;

impl Social {
    fn event(self, at: i64, sender: &str, recipient: &str, (kind, content): (&str, Value)) -> ProviderCall {
        let event =
            json!({"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": at, kind: content});
        let entry = json!({"id": self.account, "time": at, "messaging": [event]});
        let body = json!({"object": self.object, "entry": [entry]});
        posted(self.channel, body.to_string().into_bytes())
    }
}

impl Provider for Social {
    fn channel(&self) -> &'static str {
        self.channel
    }

    fn settings(&self, api: &str, _: &str) -> Vec<(&'static str, &'static str, String)> {
        settings(self.channel, api)
    }

    fn says(&self, said: &Said<'_>, _: &str) -> ProviderCall {
        let message = json!({"mid": format!("m_{}", said.id), "text": said.text});
        self.event(said.at.0, said.from, self.account, ("message", message))
    }

    fn signed(&self, call: &ProviderCall, body: Vec<u8>, _: &str) -> ProviderCall {
        ProviderCall { target: call.target.clone(), ..posted(self.channel, body) }
    }

    fn status(&self, sent: &Sent, status: &str, _: &str) -> Option<ProviderCall> {
        let content = match (status, self.channel) {
            ("delivered", "messenger") => ("delivery", json!({"mids": [sent.id], "watermark": 1})),
            ("read", "instagram") => ("read", json!({"mid": sent.id})),
            _ => return None,
        };
        Some(self.event(1, &sent.to, self.account, content))
    }

    fn address(&self, customer: u32) -> String {
        (self.customers + i64::from(customer)).to_string()
    }

    fn router(&self, outbox: Outbox) -> Router {
        let social = *self;
        let send = move |State(outbox): State<Outbox>, headers: HeaderMap, Json(request): Json<Value>| async move {
            match admitted(&headers).and_then(|()| social.take(&outbox, &request)) {
                Ok(taken) => (StatusCode::OK, Json(taken)),
                Err(refusal) => refusal,
            }
        };
        Router::new()
            .route(&format!("/{VERSION}/me/messages"), post(send))
            .route(&format!("/{VERSION}/me/message_attachments"), post(keep).layer(files::room()))
            .with_state(outbox)
    }
}

/// Takes a file that is to be named by a message of its own.
async fn keep(State(outbox): State<Outbox>, headers: HeaderMap, body: Bytes) -> Answer {
    if let Err(refusal) = admitted(&headers) {
        return refusal;
    }
    let fields = files::form(&headers, body).await;
    let told: Value = serde_json::from_str(&files::said(&fields, "message")).unwrap_or_default();
    let kind = text(&told, "/attachment/type");
    let reusable = told.pointer("/attachment/payload/is_reusable").and_then(Value::as_bool);
    match files::file(&fields, "filedata") {
        Some(mut file) if ATTACHED.contains(&kind.as_str()) && reusable == Some(true) => {
            file["as"] = kind.into();
            (StatusCode::OK, Json(json!({"attachment_id": format!("attachment-{}", outbox.keep(file))})))
        }
        Some(_) | None => refused(StatusCode::BAD_REQUEST, 100, "(#100) Upload attachment failure."),
    }
}

impl Social {
    fn take(self, outbox: &Outbox, request: &Value) -> Result<Value, Answer> {
        let to = text(request, "/recipient/id");
        if request.get("sender_action").is_some() {
            return Ok(json!({"recipient_id": to}));
        }
        let said = text(request, "/message/text");
        let replies = request.pointer("/message/quick_replies").and_then(Value::as_array);
        let titles: Vec<String> = replies.into_iter().flatten().map(|reply| text(reply, "/title")).collect();
        let short = |title: &String| (1..=REPLY_CHARS_MAX).contains(&title.chars().count());
        let attached = request.pointer("/message/attachment");
        let brought = attached.is_some_and(|attached| {
            let file = outbox.file(&text(attached, "/payload/attachment_id")).unwrap_or_default();
            text(&file, "/as") == text(attached, "/type") && said.is_empty() && !text(&file, "/as").is_empty()
        });
        let fits = brought || (attached.is_none() && !said.is_empty() && self.text_max.takes(&said));
        let kind = text(request, "/messaging_type");
        if !fits || titles.len() > REPLIES_MAX || !titles.iter().all(short) || kind != "RESPONSE" {
            return Err(refused(StatusCode::BAD_REQUEST, 100, "(#100) Invalid parameter"));
        }
        let sent = outbox.take(|number| Sent {
            id: format!("m_sent-{number}"),
            to,
            text: said,
            choices: titles,
            request: request.clone(),
        });
        Ok(json!({"recipient_id": sent.to, "message_id": sent.id}))
    }
}
