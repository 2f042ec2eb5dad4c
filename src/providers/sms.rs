//! SMS by Twilio, played: signed forms in, `Messages.json` that records, news of what was sent.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::twilio::{self, ACCOUNT, OURS, TOKEN};
use super::{Outbox, Provider, ProviderCall, Said, Sent};
use crate::channels::sms::NAME;

/// Numbers that Twilio refuses in tests, with the code.
const REFUSED: [(&str, i64); 5] = [
    ("+15005550001", 21211),
    ("+15005550002", 21612),
    ("+15005550003", 21408),
    ("+15005550004", 21610),
    ("+15005550009", 21614),
];

pub(super) struct Sms;

impl Provider for Sms {
    fn channel(&self) -> &'static str {
        NAME
    }

    fn proves(&self) -> bool {
        false
    }

    fn settings(&self, api: &str, _: &str) -> Vec<(&'static str, &'static str, String)> {
        vec![
            (NAME, "enabled", "true".to_owned()),
            (NAME, "account_sid", ACCOUNT.to_owned()),
            (NAME, "auth_token", TOKEN.to_owned()),
            (NAME, "from", OURS.to_owned()),
            (NAME, "api_base", api.to_owned()),
        ]
    }

    fn says(&self, said: &Said<'_>, base: &str) -> ProviderCall {
        let id = format!("SM{:032x}", said.id);
        let fields = [
            ("MessageSid", id.as_str()),
            ("AccountSid", ACCOUNT),
            ("From", said.from),
            ("To", OURS),
            ("NumMedia", "0"),
            ("NumSegments", "1"),
            ("Body", said.text),
        ];
        twilio::posted("/channels/sms", twilio::form(&fields), base)
    }

    fn signed(&self, call: &ProviderCall, body: Vec<u8>, base: &str) -> ProviderCall {
        twilio::posted(&call.target, body, base)
    }

    fn status(&self, sent: &Sent, status: &str, base: &str) -> Option<ProviderCall> {
        let callback = sent.request.get("StatusCallback")?.as_str()?;
        let target = callback.strip_prefix(base)?;
        let code = if matches!(status, "failed" | "undelivered") { "30003" } else { "0" };
        let fields = [
            ("MessageSid", sent.id.as_str()),
            ("AccountSid", ACCOUNT),
            ("MessageStatus", status),
            ("To", sent.to.as_str()),
            ("From", OURS),
            ("ErrorCode", code),
        ];
        Some(twilio::posted(target, twilio::form(&fields), base))
    }

    fn address(&self, customer: u32) -> String {
        twilio::number(customer)
    }

    fn router(&self, outbox: Outbox) -> Router {
        Router::new().route("/2010-04-01/Accounts/{account}/Messages.json", post(send)).with_state(outbox)
    }
}

async fn send(
    State(outbox): State<Outbox>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let expected = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{TOKEN}")));
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if account != ACCOUNT || shown != Some(expected.as_str()) {
        return refusal(StatusCode::UNAUTHORIZED, 20003, "Authenticate");
    }
    let fields: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    if field("To").is_empty() || field("Body").is_empty() {
        return refusal(StatusCode::BAD_REQUEST, 21602, "A text message body and a number are required.");
    }
    if let Some((_, code)) = REFUSED.iter().find(|(number, _)| *number == field("To")) {
        return refusal(StatusCode::BAD_REQUEST, *code, "The number cannot be written to.");
    }
    let sent = outbox.take(|number| Sent {
        id: format!("SM{number:032x}"),
        to: field("To"),
        text: field("Body"),
        choices: Vec::new(),
        request: json!(fields),
    });
    (StatusCode::CREATED, Json(json!({"sid": sent.id, "status": "queued", "error_code": null})))
}

fn refusal(status: StatusCode, code: i64, message: &str) -> (StatusCode, Json<Value>) {
    let more = format!("https://www.twilio.com/docs/errors/{code}");
    (status, Json(json!({"code": code, "message": message, "more_info": more, "status": status.as_u16()})))
}
