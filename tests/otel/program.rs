//! The real program with a model and a collector, written to over HTTP and asked to end.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread::JoinHandle;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::site::{Line, Running, lines_of};

/// The model's key, which nobody else may see.
pub(crate) const MODEL_KEY: &str = "sk-hush-hush";

/// Where every program of these tests runs, one after the other: procedures are learnt once.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
static ALONE: Mutex<()> = Mutex::const_new(());

/// A running service.
pub(crate) struct Program {
    running: Running,
    port: u16,
    key: String,
    http: Client,
    log: JoinHandle<String>,
    _alone: MutexGuard<'static, ()>,
}

impl Program {
    /// Starts the demo on a free port with a model at `model` and these settings.
    pub(crate) async fn start(model: &str, settings: &[(&str, &str)]) -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let alone = ALONE.lock().await;
        let made = command().args(["key", "add", "otel"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = command()
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("FIRSTLINE__MODEL__NAME", "stub")
            .env("FIRSTLINE__MODEL__BASE_URL", model)
            .env("FIRSTLINE__MODEL__API_KEY", MODEL_KEY)
            .env("FIRSTLINE__MODEL_CALLS__ATTEMPTS_MAX", "1")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut written = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            written.read_to_string(&mut text).unwrap();
            text
        });
        let mut said = lines_of(child.stdout.take().unwrap());
        let running = Running(child);
        said.find(|line| line.contains("/console").then_some(line)).await;
        let http = Client::builder().no_proxy().build().unwrap();
        Self { running, port, key, http, log, _alone: alone }
    }

    /// The API key that it is written to with.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Sends a message of a customer of the demo's shop and waits for what comes of it.
    pub(crate) async fn say(&self, who: &str, id: &str, text: &str) -> Value {
        let body = json!({
            "id": id, "channel": "in_app", "conversation": format!("c-{id}"),
            "sender": {"id": who, "verified": true}, "text": text,
        });
        let sent = self.http.post(self.url("/v1/messages?wait_ms=20000")).bearer_auth(&self.key).json(&body);
        sent.send().await.unwrap().json().await.unwrap()
    }

    /// What a page says.
    pub(crate) async fn page(&self, path: &str) -> String {
        let sent = self.http.get(self.url(path)).bearer_auth(&self.key);
        sent.send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Asks it to end as an operator would; what it has written to its log. It must end well.
    pub(crate) fn stop(mut self) -> String {
        let ask = format!("kill -TERM {}", self.running.0.id());
        assert!(Command::new("sh").args(["-c", &ask]).status().unwrap().success());
        let ended = tokio::task::block_in_place(|| self.running.0.wait()).unwrap();
        assert!(ended.success(), "it ended with {ended}");
        self.log.join().unwrap()
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstline"));
    command.current_dir(FOLDER.path());
    command
}
