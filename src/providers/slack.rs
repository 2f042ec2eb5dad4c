//! Slack, played: signed events, and `chat.postMessage`.

use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::meta::{hmac_hex, text};
use super::{Outbox, Provider, ProviderCall, Said, Sent};
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
        Router::new().route("/chat.postMessage", post(send)).with_state(outbox)
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

async fn send(State(outbox): State<Outbox>, headers: HeaderMap, Json(request): Json<Value>) -> Json<Value> {
    let refused = |error: &str| Json(json!({"ok": false, "error": error}));
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given != Some(&format!("Bearer {TOKEN}")) {
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
