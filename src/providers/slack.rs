//! Slack, played: signed events, `chat.postMessage`, and the three steps by which a file is shown.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::routing::post;
use axum::{Form, Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::meta::{hmac_hex, text};
use super::{Outbox, Provider, ProviderCall, Said, Sent, files};
use crate::channels::slack::{NAME, SIGNATURE_HEADER, TIMESTAMP_HEADER};

const SECRET: &str = "simulated-signing-secret";
const TOKEN: &str = "xoxb-simulated";
const TEAM: &str = "T1DC2JH3J";
const TEXT_CHARS_MAX: usize = 40_000;

pub(super) struct Slack;

impl Provider for Slack {
    fn channel(&self) -> &'static str {
        NAME
    }

    fn settings(&self, api: &str, _: &str) -> Vec<(&'static str, &'static str, String)> {
        vec![
            (NAME, "enabled", "true".to_owned()),
            (NAME, "signing_secret", SECRET.to_owned()),
            (NAME, "bot_token", TOKEN.to_owned()),
            (NAME, "api_base", api.to_owned()),
        ]
    }

    fn says(&self, said: &Said<'_>, _: &str) -> ProviderCall {
        let user = said.from.rsplit('/').next().unwrap_or_default();
        let escaped = said.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let event = json!({
            "type": "message",
            "channel": direct(user),
            "channel_type": "im",
            "user": user,
            "text": escaped,
            "ts": format!("{}.{:06}", said.at.0 / 1000, said.id % 1_000_000),
        });
        let body = json!({
            "type": "event_callback",
            "team_id": TEAM,
            "api_app_id": "A0SIMULATED",
            "event_id": format!("Ev{:08}", said.id),
            "event_time": said.at.0 / 1000,
            "event": event,
        });
        posted(&(said.at.0 / 1000).to_string(), body.to_string().into_bytes())
    }

    fn signed(&self, call: &ProviderCall, body: Vec<u8>, _: &str) -> ProviderCall {
        let at = call.headers.iter().find(|(name, _)| name == TIMESTAMP_HEADER);
        posted(at.map_or("", |(_, at)| at), body)
    }

    fn status(&self, _: &Sent, _: &str, _: &str) -> Option<ProviderCall> {
        None
    }

    fn address(&self, customer: u32) -> String {
        format!("{TEAM}/U{customer:08}")
    }

    fn router(&self, outbox: Outbox) -> Router {
        Router::new()
            .route("/chat.postMessage", post(send))
            .route("/files.getUploadURLExternal", post(place))
            .route("/upload/v1/{length}/{name}", post(keep).layer(files::room()))
            .route("/files.completeUploadExternal", post(show))
            .with_state(outbox)
    }
}

/// The direct conversation of a user with the app.
fn direct(user: &str) -> String {
    format!("D{}", user.trim_start_matches('U'))
}

fn posted(at: &str, body: Vec<u8>) -> ProviderCall {
    let signature = format!("v0={}", hmac_hex(SECRET, &[b"v0:", at.as_bytes(), b":", &body]));
    ProviderCall {
        method: Method::POST,
        target: format!("/channels/{NAME}"),
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            (TIMESTAMP_HEADER.to_owned(), at.to_owned()),
            (SIGNATURE_HEADER.to_owned(), signature),
        ],
        body,
    }
}

/// Whether the app asks, with its token.
fn admitted(headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given == Some(&format!("Bearer {TOKEN}"))
}

fn refused(error: &str) -> Json<Value> {
    Json(json!({"ok": false, "error": error}))
}

/// A file that is announced.
#[derive(Deserialize)]
struct Announced {
    filename: String,
    length: usize,
}

/// Says where the file goes, and what it will be called.
async fn place(
    State(outbox): State<Outbox>,
    headers: HeaderMap,
    Form(Announced { filename, length }): Form<Announced>,
) -> Json<Value> {
    if !admitted(&headers) {
        return refused("invalid_auth");
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = form_urlencoded::byte_serialize(filename.as_bytes()).collect::<String>().replace('+', "%20");
    let number = outbox.files().len() + 1;
    let url = format!("http://{host}/upload/v1/{length}/{name}");
    Json(json!({"ok": true, "upload_url": url, "file_id": format!("F-{number}")}))
}

/// Takes the bytes of a file that was announced.
async fn keep(
    State(outbox): State<Outbox>,
    Path((length, name)): Path<(usize, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if body.len() != length {
        return StatusCode::BAD_REQUEST;
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    outbox.keep(files::described(&name, kind, &body));
    StatusCode::OK
}

/// Shows a file in a conversation.
async fn show(State(outbox): State<Outbox>, headers: HeaderMap, Json(request): Json<Value>) -> Json<Value> {
    if !admitted(&headers) {
        return refused("invalid_auth");
    }
    let (channel, id) = (text(&request, "/channel_id"), text(&request, "/files/0/id"));
    if !channel.starts_with(['C', 'D', 'G']) {
        return refused("channel_not_found");
    }
    if outbox.file(&id).is_none() {
        return refused("file_not_found");
    }
    let user = channel.replacen('D', "U", 1);
    outbox.take(|_| Sent {
        id: id.clone(),
        to: format!("{TEAM}/{user}"),
        text: text(&request, "/initial_comment"),
        choices: Vec::new(),
        request: request.clone(),
    });
    Json(json!({"ok": true, "files": [{"id": id, "title": text(&request, "/files/0/title")}]}))
}

async fn send(State(outbox): State<Outbox>, headers: HeaderMap, Json(request): Json<Value>) -> Json<Value> {
    if !admitted(&headers) {
        return refused("invalid_auth");
    }
    let (channel, said) = (text(&request, "/channel"), text(&request, "/text"));
    if !channel.starts_with(['C', 'D', 'G']) {
        return refused("channel_not_found");
    }
    if said.is_empty() {
        return refused("no_text");
    }
    if said.chars().count() > TEXT_CHARS_MAX {
        return refused("msg_too_long");
    }
    let plain = said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let user = channel.replacen('D', "U", 1);
    let sent = outbox.take(|number| Sent {
        id: format!("{channel}/1749416383.{number:06}"),
        to: format!("{TEAM}/{user}"),
        text: plain,
        choices: Vec::new(),
        request: request.clone(),
    });
    let ts = sent.id.rsplit('/').next().unwrap_or_default();
    Json(json!({"ok": true, "channel": channel, "ts": ts}))
}
