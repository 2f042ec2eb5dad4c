//! Telegram, played: updates with the secret header, `sendMessage`, `sendPhoto` and `sendDocument`.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Outbox, Provider, ProviderCall, Said, Sent, files};
use crate::channels::telegram::{NAME, SECRET_HEADER};

const TOKEN: &str = "110201543:simulated";
/// Longest text it takes.
const TEXT_CHARS_MAX: usize = 4096;
const SECRET: &str = "simulated-webhook-secret";

pub(super) struct Telegram;

impl Provider for Telegram {
    fn channel(&self) -> &'static str {
        NAME
    }

    fn settings(&self, api: &str, _: &str) -> Vec<(&'static str, &'static str, String)> {
        vec![
            (NAME, "enabled", "true".to_owned()),
            (NAME, "bot_token", TOKEN.to_owned()),
            (NAME, "webhook_secret", SECRET.to_owned()),
            (NAME, "api_base", api.to_owned()),
        ]
    }

    fn says(&self, said: &Said<'_>, _: &str) -> ProviderCall {
        let from: i64 = said.from.parse().unwrap_or_default();
        let update = json!({"update_id": said.id, "message": {
            "message_id": said.id,
            "from": {"id": from, "is_bot": false, "first_name": said.name, "language_code": "en"},
            "chat": {"id": from, "first_name": said.name, "type": "private"},
            "date": said.at.0 / 1000,
            "text": said.text,
        }});
        posted(update.to_string().into_bytes())
    }

    fn signed(&self, _: &ProviderCall, body: Vec<u8>, _: &str) -> ProviderCall {
        posted(body)
    }

    fn status(&self, _: &Sent, _: &str, _: &str) -> Option<ProviderCall> {
        None
    }

    fn address(&self, customer: u32) -> String {
        (700_000_000 + i64::from(customer)).to_string()
    }

    fn router(&self, outbox: Outbox) -> Router {
        Router::new()
            .route("/{bot}/sendMessage", post(send))
            .route("/{bot}/sendChatAction", post(acted))
            .route("/{bot}/sendPhoto", post(send_photo).layer(files::room()))
            .route("/{bot}/sendDocument", post(send_document).layer(files::room()))
            .with_state(outbox)
    }
}

fn posted(body: Vec<u8>) -> ProviderCall {
    ProviderCall {
        method: Method::POST,
        target: format!("/channels/{NAME}"),
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            (SECRET_HEADER.to_owned(), SECRET.to_owned()),
        ],
        body,
    }
}

/// A typing indicator is shown and forgotten.
async fn acted() -> Json<Value> {
    Json(json!({"ok": true, "result": true}))
}

/// What a photo begins with that Telegram can show: JPEG or PNG.
const PHOTOS: [&[u8]; 2] = [&[0xff, 0xd8, 0xff], b"\x89PNG"];

async fn send_photo(
    State(outbox): State<Outbox>,
    Path(bot): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let shown = PHOTOS.iter().any(|begin| body.windows(begin.len()).any(|part| part == *begin));
    if shown {
        return attached(&outbox, &bot, "photo", &files::form(&headers, body).await);
    }
    let description = "Bad Request: IMAGE_PROCESS_FAILED";
    (StatusCode::BAD_REQUEST, Json(json!({"ok": false, "error_code": 400, "description": description})))
}

async fn send_document(
    State(outbox): State<Outbox>,
    Path(bot): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    attached(&outbox, &bot, "document", &files::form(&headers, body).await)
}

fn attached(outbox: &Outbox, bot: &str, kind: &str, fields: &[files::Field]) -> (StatusCode, Json<Value>) {
    let chat = files::said(fields, "chat_id");
    let file = files::file(fields, kind).filter(|_| bot == format!("bot{TOKEN}") && !chat.is_empty());
    let Some(file) = file else {
        let description = "Bad Request: there is no file in the request";
        let refusal = json!({"ok": false, "error_code": 400, "description": description});
        return (StatusCode::BAD_REQUEST, Json(refusal));
    };
    outbox.keep(file.clone());
    let sent = outbox.take(|number| Sent {
        id: number.to_string(),
        to: chat.clone(),
        text: files::said(fields, "caption"),
        choices: Vec::new(),
        request: json!({"chat_id": chat, kind: file}),
    });
    let id: i64 = sent.id.parse().unwrap_or_default();
    (StatusCode::OK, Json(json!({"ok": true, "result": {"message_id": id}})))
}

async fn send(
    State(outbox): State<Outbox>,
    Path(bot): Path<String>,
    Json(request): Json<Value>,
) -> (StatusCode, Json<Value>) {
    if bot != format!("bot{TOKEN}") {
        let refusal = json!({"ok": false, "error_code": 401, "description": "Unauthorized"});
        return (StatusCode::UNAUTHORIZED, Json(refusal));
    }
    let text =
        |pointer: &str| request.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text("/text").is_empty() || text("/text").chars().count() > TEXT_CHARS_MAX {
        let description = "Bad Request: message text is empty or too long";
        let refusal = json!({"ok": false, "error_code": 400, "description": description});
        return (StatusCode::BAD_REQUEST, Json(refusal));
    }
    let rows =
        request.pointer("/reply_markup/keyboard").and_then(Value::as_array).cloned().unwrap_or_default();
    let button = |row: &Value| row.pointer("/0/text").and_then(Value::as_str).map(str::to_owned);
    let sent = outbox.take(|number| Sent {
        id: number.to_string(),
        to: text("/chat_id"),
        text: text("/text"),
        choices: rows.iter().filter_map(button).collect(),
        request: request.clone(),
    });
    let id: i64 = sent.id.parse().unwrap_or_default();
    (StatusCode::OK, Json(json!({"ok": true, "result": {"message_id": id}})))
}
