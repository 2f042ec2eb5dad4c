//! WhatsApp, played: signed batches, statuses, and a send API that checks what the real one checks.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use super::meta::{Answer, VERSION, admitted, posted, refused, settings, text};
use super::{Outbox, Provider, ProviderCall, Said, Sent, files};
use crate::channels::whatsapp::NAME;

const ACCOUNT: &str = "102290129340398";
const NUMBER_ID: &str = "106540352242922";
const NUMBER: &str = "15550783881";
const TEMPLATE: &str = "support_answer";
const TEXT_CHARS_MAX: usize = 4096;
const BUTTON_TEXT_CHARS_MAX: usize = 1024;
const BUTTONS_MAX: usize = 3;
const ROWS_MAX: usize = 10;
const BUTTON_CHARS_MAX: usize = 20;
const ROW_CHARS_MAX: usize = 24;

/// Kinds of messages that are a file, and the types it takes as each; some of those that Meta lists.
const MEDIA: [(&str, &[&str]); 4] = [
    ("image", &["image/jpeg", "image/png"]),
    ("video", &["video/mp4", "video/3gp"]),
    ("audio", &["audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"]),
    ("document", &["application/pdf", "text/plain", "application/msword", "application/vnd.ms-excel"]),
];

pub(super) struct WhatsApp;

impl Provider for WhatsApp {
    fn channel(&self) -> &'static str {
        NAME
    }

    fn settings(&self, api: &str, _: &str) -> Vec<(&'static str, &'static str, String)> {
        let mut all = settings(NAME, api);
        all.push((NAME, "phone_number_id", NUMBER_ID.to_owned()));
        all.push((NAME, "template_name", TEMPLATE.to_owned()));
        all
    }

    fn says(&self, said: &Said<'_>, _: &str) -> ProviderCall {
        let message = json!({
            "from": said.from,
            "id": format!("wamid.{}", said.id),
            "timestamp": (said.at.0 / 1000).to_string(),
            "type": "text",
            "text": {"body": said.text},
        });
        let contact = json!({"profile": {"name": said.name}, "wa_id": said.from});
        changed(&json!({"contacts": [contact], "messages": [message]}))
    }

    fn signed(&self, call: &ProviderCall, body: Vec<u8>, _: &str) -> ProviderCall {
        ProviderCall { target: call.target.clone(), ..posted(NAME, body) }
    }

    fn status(&self, sent: &Sent, status: &str, _: &str) -> Option<ProviderCall> {
        if !["sent", "delivered", "read", "failed"].contains(&status) {
            return None;
        }
        let mut news = json!({
            "id": sent.id,
            "status": status,
            "timestamp": "1749416383",
            "recipient_id": sent.to,
            "biz_opaque_callback_data": sent.request.get("biz_opaque_callback_data"),
        });
        if status == "failed" {
            let details =
                json!({"details": "Message failed to send because more than 24 hours have passed."});
            news["errors"] =
                json!([{"code": 131_047, "title": "Re-engagement message", "error_data": details}]);
        }
        Some(changed(&json!({"statuses": [news]})))
    }

    fn address(&self, customer: u32) -> String {
        format!("4915{:09}", 20_000_000 + customer)
    }

    fn router(&self, outbox: Outbox) -> Router {
        Router::new()
            .route(&format!("/{VERSION}/{{number}}/messages"), post(send))
            .route(&format!("/{VERSION}/{{number}}/media"), post(keep).layer(files::room()))
            .with_state(outbox)
    }
}

/// A batch with one change.
fn changed(content: &Value) -> ProviderCall {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": NUMBER, "phone_number_id": NUMBER_ID},
    });
    for (name, part) in content.as_object().into_iter().flatten() {
        value[name.as_str()] = part.clone();
    }
    let change = json!({"value": value, "field": "messages"});
    let body =
        json!({"object": "whatsapp_business_account", "entry": [{"id": ACCOUNT, "changes": [change]}]});
    posted(NAME, body.to_string().into_bytes())
}

/// Takes a file of a type that it knows, and calls it something.
async fn keep(
    State(outbox): State<Outbox>,
    Path(number): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    if let Err(refusal) = admitted(&headers) {
        return refusal;
    }
    let fields = files::form(&headers, body).await;
    let file = files::file(&fields, "file").filter(|file| {
        let kind = text(file, "/type");
        number == NUMBER_ID
            && files::said(&fields, "messaging_product") == "whatsapp"
            && files::said(&fields, "type") == kind
            && MEDIA.iter().any(|(_, kinds)| kinds.contains(&kind.as_str()))
    });
    match file {
        Some(file) => (StatusCode::OK, Json(json!({"id": format!("media-{}", outbox.keep(file))}))),
        None => refused(StatusCode::BAD_REQUEST, 131_053, "Unable to upload the media used in the message."),
    }
}

async fn send(
    State(outbox): State<Outbox>,
    Path(number): Path<String>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Answer {
    match admitted(&headers).and_then(|()| take(&outbox, &number, &request)) {
        Ok(taken) => (StatusCode::OK, Json(taken)),
        Err(refusal) => refusal,
    }
}

fn take(outbox: &Outbox, number: &str, request: &Value) -> Result<Value, Answer> {
    let wrong =
        |what: &str| refused(StatusCode::BAD_REQUEST, 100, &format!("(#100) Invalid parameter: {what}"));
    if number != NUMBER_ID || text(request, "/messaging_product") != "whatsapp" {
        return Err(wrong("messaging_product or the number"));
    }
    if text(request, "/status") == "read" {
        return Ok(json!({"success": true}));
    }
    let to = [text(request, "/to"), text(request, "/recipient")].concat();
    let (said, choices) = content(outbox, request).map_err(|what| wrong(&what))?;
    let sent = outbox.take(|number| Sent {
        id: format!("wamid.sent-{number}"),
        to,
        text: said,
        choices,
        request: request.clone(),
    });
    Ok(json!({
        "messaging_product": "whatsapp",
        "contacts": [{"input": sent.to, "wa_id": sent.to}],
        "messages": [{"id": sent.id}],
    }))
}

/// What is sent and its choices; else what is wrong with it.
fn content(outbox: &Outbox, request: &Value) -> Result<(String, Vec<String>), String> {
    match text(request, "/type").as_str() {
        kind if MEDIA.iter().any(|(known, _)| *known == kind) => {
            let file = outbox.file(&text(request, &format!("/{kind}/id"))).unwrap_or_default();
            let fits = MEDIA
                .iter()
                .any(|(known, kinds)| *known == kind && kinds.contains(&text(&file, "/type").as_str()));
            let named = kind == "document" && !text(request, "/document/filename").is_empty();
            if fits && (named || kind != "document") {
                Ok((text(request, &format!("/{kind}/caption")), Vec::new()))
            } else {
                Err(format!("{kind} id"))
            }
        }
        "text" => {
            let body = text(request, "/text/body");
            sized("text.body", &body, TEXT_CHARS_MAX)?;
            Ok((body, Vec::new()))
        }
        "interactive" => interactive(request),
        "template" => {
            let variable = text(request, "/template/components/0/parameters/0/text");
            sized("parameter", &variable, BUTTON_TEXT_CHARS_MAX)?;
            let known = text(request, "/template/name") == TEMPLATE
                && !text(request, "/template/language/code").is_empty();
            let one_line = !variable.contains(['\n', '\t']) && !variable.contains("    ");
            if known && one_line { Ok((variable, Vec::new())) } else { Err("template".to_owned()) }
        }
        other => Err(format!("type {other}")),
    }
}

fn interactive(request: &Value) -> Result<(String, Vec<String>), String> {
    let body = text(request, "/interactive/body/text");
    let list = text(request, "/interactive/type") == "list";
    let (place, title, most, chars_max, text_max) = if list {
        sized("button", &text(request, "/interactive/action/button"), BUTTON_CHARS_MAX)?;
        ("/interactive/action/sections/0/rows", "/title", ROWS_MAX, ROW_CHARS_MAX, TEXT_CHARS_MAX)
    } else {
        ("/interactive/action/buttons", "/reply/title", BUTTONS_MAX, BUTTON_CHARS_MAX, BUTTON_TEXT_CHARS_MAX)
    };
    sized("body", &body, text_max)?;
    let entries = request.pointer(place).and_then(Value::as_array).cloned().unwrap_or_default();
    if entries.is_empty() || entries.len() > most {
        return Err(format!("{} entries", entries.len()));
    }
    let titles: Vec<String> = entries.iter().map(|entry| text(entry, title)).collect();
    titles.iter().try_for_each(|title| sized("title", title, chars_max))?;
    Ok((body, titles))
}

fn sized(what: &str, text: &str, chars_max: usize) -> Result<(), String> {
    let length = text.chars().count();
    if (1..=chars_max).contains(&length) { Ok(()) } else { Err(format!("{what} has {length} characters")) }
}
