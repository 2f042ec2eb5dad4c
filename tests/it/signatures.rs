//! Signatures made by the providers' own libraries verify here, and one changed in a single place does not.

use std::process::Command;

use firstline::channels::{Channels, Webhook, standard_webhooks};
use firstline::config::{Config, Environment, Sources};
use firstline::domain::time::Timestamp;
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::support::installed::installed;

/// A Python interpreter that has `twilio`, `slack_sdk` and `standardwebhooks`.
const PYTHON: &str = "TEST_SIGNATURES_PYTHON";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/signatures.py");

fn channels(settings: &[(&str, &str)]) -> Channels {
    let base = Environment::default().with("FIRSTLINE__SERVER__PUBLIC_BASE_URL", "https://desk.example");
    let environment = settings.iter().fold(base, |all, (name, value)| all.with(name, value));
    Channels::new(&Config::load(Sources { environment, ..Sources::default() }).unwrap()).unwrap()
}

fn verified(channel: &str, channels: &Channels, call: (&str, &HeaderMap, &[u8], i64)) -> bool {
    let (url, headers, body, now) = call;
    let webhook = Webhook {
        method: &Method::POST,
        path: "",
        url,
        query: url.split_once('?').map_or("", |(_, query)| query),
        headers,
        body,
        now: Timestamp(now * 1000),
    };
    channels.named(channel).unwrap().verify(&webhook).is_ok()
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

fn twilio(vector: &Value, signature: &str) -> bool {
    let channels = channels(&[
        ("FIRSTLINE__SMS__ENABLED", "true"),
        ("FIRSTLINE__SMS__ACCOUNT_SID", "AC1"),
        ("FIRSTLINE__SMS__FROM", "+15550109999"),
        ("FIRSTLINE__SMS__AUTH_TOKEN", text(vector, "secret")),
    ]);
    let form = vector["form"].as_object().unwrap();
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form.iter().map(|(name, value)| (name, value.as_str().unwrap())))
        .finish();
    let headers = headers(&[("x-twilio-signature", signature)]);
    verified("sms", &channels, (text(vector, "url"), &headers, body.as_bytes(), 0))
}

fn slack(vector: &Value, signature: &str) -> bool {
    let channels = channels(&[
        ("FIRSTLINE__SLACK__ENABLED", "true"),
        ("FIRSTLINE__SLACK__BOT_TOKEN", "xoxb-1"),
        ("FIRSTLINE__SLACK__SIGNING_SECRET", text(vector, "secret")),
    ]);
    let at = vector["at"].as_i64().unwrap();
    let seconds = at.to_string();
    let headers =
        headers(&[("x-slack-signature", signature), ("x-slack-request-timestamp", seconds.as_str())]);
    let body = text(vector, "body").as_bytes();
    verified("slack", &channels, ("https://desk.example/channels/slack", &headers, body, at))
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// The same signature with one character changed.
fn changed(signature: &str) -> String {
    let place = signature.len() / 2;
    let other = |at: usize, c: char| if at == place { if c == 'a' { 'b' } else { 'a' } } else { c };
    signature.chars().enumerate().map(|(at, c)| other(at, c)).collect()
}

#[test]
fn what_the_official_libraries_sign_is_taken_and_nothing_else() {
    let Some(python) = installed(PYTHON) else { return };
    let printed = Command::new(python).arg(SCRIPT).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let mut count = 0;
    for line in String::from_utf8(printed.stdout).unwrap().lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let signature = text(&vector, "signature");
        match text(&vector, "kind") {
            "twilio" => {
                assert!(twilio(&vector, signature), "{vector}");
                assert!(!twilio(&vector, &changed(signature)), "{vector}");
            }
            "slack" => {
                assert!(slack(&vector, signature), "{vector}");
                assert!(!slack(&vector, &changed(signature)), "{vector}");
            }
            _ => {
                let key = standard_webhooks::key(text(&vector, "secret")).unwrap();
                let at = Timestamp(vector["at"].as_i64().unwrap() * 1000);
                let body = text(&vector, "body").as_bytes();
                let ours = standard_webhooks::headers(&key, text(&vector, "id"), at, body);
                assert_eq!(ours[2].1, signature);
            }
        }
        count += 1;
    }
    assert_eq!(count, 300);
}
