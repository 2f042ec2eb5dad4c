//! `firstline audit` over every pair of channels that the program can play.

use std::process::Command;

use serde_json::Value;

use crate::support::connected::serve;

#[test]
fn every_channel_knows_what_every_other_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("audit.html");
    let ended = Command::new(env!("CARGO_BIN_EXE_firstline"))
        .args(["audit", "--json", "--html"])
        .arg(&page)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ended.stderr)));
    let channels = report["channels"].as_array().unwrap().len();
    let failed: Vec<&Value> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["failures"].as_array().is_some_and(|failures| !failures.is_empty()))
        .collect();
    assert_eq!(failed, Vec::<&Value>::new());
    assert!(ended.status.success());
    assert!(channels >= 9, "{channels} channels");
    assert_eq!(report["pairs"], channels * (channels - 1));
    assert!(std::fs::read_to_string(page).unwrap().contains("all as they should be"));
}

#[test]
fn a_channel_that_nobody_plays_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_firstline"))
        .args(["audit", "--channels", "fax,web_chat"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("there is no channel `fax`"));
}

/// A desk as most are: each channel by itself, and on each the same question once more.
mod forgetful {
    use std::sync::{Arc, Mutex};

    use axum::extract::{Path, State};
    use axum::routing::post;
    use axum::{Json, Router};
    use serde_json::{Value, json};

    type Said = Arc<Mutex<Vec<(String, String)>>>;

    async fn take(State(said): State<Said>, Path(thread): Path<String>, Json(words): Json<Value>) {
        assert!(words["text"].is_string());
        said.lock().unwrap().push((thread, "Hello! What is your order number?".to_owned()));
    }

    async fn told(State(said): State<Said>, Path(thread): Path<String>) -> Json<Value> {
        let said = said.lock().unwrap();
        let own = said.iter().filter(|(of, _)| *of == thread);
        Json(json!({"items": own.map(|(_, text)| json!({"text": text})).collect::<Vec<_>>()}))
    }

    /// Its calls, one thread for each channel and customer.
    pub(super) fn router() -> Router {
        Router::new().route("/{thread}", post(take).get(told)).with_state(Said::default())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_forgets_fails_by_what_its_customer_hears() {
    let base = serve(forgetful::router()).await;
    let channel = |name: &str| {
        format!(
            "[[channels]]\nname = \"{name}\"\nproves = true\n[channels.send]\n\
             url = \"{base}/{name}-{{{{ conversation }}}}\"\nbody = '{{\"text\": {{{{ text | tojson }}}}}}'\n\
             [channels.answers]\nurl = \"{base}/{name}-{{{{ conversation }}}}\"\n\
             texts = \"response['items'] | map(attribute='text') | list\"\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("desk.toml");
    std::fs::write(&file, format!("wait_ms = 5000\n{}{}", channel("chat"), channel("mail"))).unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_firstline"))
            .args(["audit", "--json", "--system"])
            .arg(&file)
            .output()
            .unwrap()
    });
    let ended = ended.await.unwrap();
    let report: Value = serde_json::from_slice(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ended.stderr)));
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(
        (&report["pairs"], &report["conversations"], &report["failed"]),
        (&2.into(), &8.into(), &8.into())
    );
    let failures = report["findings"][0]["failures"].to_string();
    assert!(failures.contains("asked again") && failures.contains("HP-10040"), "{failures}");
}
