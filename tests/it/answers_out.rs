//! What leaves for the operator's own system: signed, under the same id at every try.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use firstline::channels::standard_webhooks;
use firstline::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::support::connected::{eventually, serve};
use crate::support::site::Site;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

type Calls = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Fails once, as a system that is just starting.
async fn take(State(calls): State<Calls>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut calls = calls.lock().unwrap();
    calls.push((headers, body));
    if calls.len() == 1 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_posted_signed_and_again_under_the_same_id_until_it_is_taken() {
    _ = rustls::crypto::ring::default_provider().install_default();
    let calls = Calls::default();
    let router = Router::new().route("/answers", post(take)).with_state(calls.clone());
    let url = format!("{}/answers", serve(router).await);
    let site = Site::start_with(&[
        ("FIRSTLINE__IN_APP__WEBHOOK_URL", &url),
        ("FIRSTLINE__IN_APP__WEBHOOK_SECRET", SECRET),
        ("FIRSTLINE__WORKER__DELIVERY_RETRY_MS", "50"),
        ("FIRSTLINE__WORKER__POLL_MS", "50"),
    ])
    .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({"id": "1", "sender": {"id": "u"}, "text": "what are your store hours"});
    let sent = client.post(site.url("/v1/messages?wait_ms=20000")).bearer_auth(site.key()).json(&body);
    let answer: Value = serde_json::from_str(&sent.send().await.unwrap().text().await.unwrap()).unwrap();
    eventually("the answer was not posted again", async || (calls.lock().unwrap().len() > 1).then_some(()))
        .await;
    let shared = calls.clone();
    let calls = shared.lock().unwrap().clone();
    let key = standard_webhooks::key(SECRET).unwrap();
    let header = |at: usize, name: &str| calls[at].0[name].to_str().unwrap().to_owned();
    for at in [0, 1] {
        let seconds: i64 = header(at, "webhook-timestamp").parse().unwrap();
        let id = header(at, "webhook-id");
        let signed = standard_webhooks::headers(&key, &id, Timestamp(seconds * 1000), &calls[at].1);
        assert_eq!(header(at, "webhook-signature"), signed[2].1);
    }
    assert_eq!(header(0, "webhook-id"), header(1, "webhook-id"));
    let posted: Value = serde_json::from_slice(&calls[1].1).unwrap();
    assert_eq!(posted["type"], "message.sent");
    assert_eq!(posted["data"]["text"], answer["replies"][0]["text"]);
    assert_eq!(posted["data"].get("attachments"), None);
    // What an agent attaches is named, to be fetched from us.
    let case = answer["case_id"].as_str().unwrap();
    crate::files_desk::reply_with_file(&site, case, "Here it is.", "a.pdf").await;
    let posted = eventually("the file was not told of", async || {
        let calls = shared.lock().unwrap().clone();
        let told = calls.iter().map(|(_, body)| serde_json::from_slice::<Value>(body).unwrap());
        told.into_iter().find(|told| told["data"]["text"] == "Here it is.")
    })
    .await;
    let file = &posted["data"]["attachments"][0];
    assert_eq!(file["name"], "a.pdf");
    let path = format!("/v1/attachments/{}", file["id"].as_str().unwrap());
    let fetched = client.get(site.url(&path)).bearer_auth(site.key()).send().await.unwrap();
    assert!(fetched.text().await.unwrap().contains("the words of a file"));
}

#[test]
fn a_secret_that_cannot_sign_is_found_by_check() {
    let folder = tempfile::tempdir().unwrap();
    let ended = std::process::Command::new(env!("CARGO_BIN_EXE_firstline"))
        .arg("check")
        .env("FIRSTLINE__IN_APP__WEBHOOK_URL", "https://desk.example/answers")
        .env("FIRSTLINE__IN_APP__WEBHOOK_SECRET", "not a secret")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("[in_app] webhook_secret"), "{said}");
    assert!(!said.contains("not a secret"), "{said}");
}
