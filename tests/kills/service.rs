//! The real binary as a process: started in a folder of its own, written to over HTTP, killed without warning.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_firstline");
/// Long enough to learn the procedures on a busy machine.
const START_MAX: Duration = Duration::from_mins(2);
/// A stop place that is not reached by then is not on the way.
const STOP_MAX: Duration = Duration::from_secs(30);
const REQUEST_MAX: Duration = Duration::from_secs(20);

/// Settings of every run: deliveries of a dead process are free as soon as its turns are, and a burst is no abuse.
const SETTINGS: [(&str, &str); 2] =
    [("FIRSTLINE__WORKER__DELIVERY_LEASE_MS", "2000"), ("FIRSTLINE__LIMITS__REPLIES_PER_HOUR_MAX", "10000")];

/// A folder in which the service has learnt its procedures and made a key, to begin every test from.
static BEGINNING: LazyLock<(tempfile::TempDir, String)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let made =
        Command::new(BINARY).args(["key", "add", "kills"]).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Service::start(folder.path(), &[]).kill();
    (folder, String::from_utf8(made.stdout).unwrap().trim().to_owned())
});

/// The file in which the record is kept.
pub(crate) fn record(folder: &Path) -> PathBuf {
    folder.join("data/firstline.db")
}

/// The file in which the demo's shop keeps what was done.
pub(crate) fn journal(folder: &Path) -> PathBuf {
    folder.join("data/shop.jsonl")
}

/// The file to which the pushing channel of a build with fail points sends.
pub(crate) fn pushes(folder: &Path) -> PathBuf {
    folder.join("data/pushed.jsonl")
}

/// A fresh folder for one test, and the API key that works there.
pub(crate) fn fresh_folder() -> (tempfile::TempDir, String) {
    let (beginning, key) = &*BEGINNING;
    let folder = tempfile::tempdir().unwrap();
    copy(beginning.path(), folder.path());
    (folder, key.clone())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A running service. Dropping it kills it.
pub(crate) struct Service {
    child: Child,
    url: String,
    said: Mutex<Receiver<String>>,
    pub(crate) started: Instant,
}

impl Service {
    /// Starts the demo in `folder` on a free port and waits until it listens.
    pub(crate) fn start(folder: &Path, environment: &[(&str, &str)]) -> Self {
        let started = Instant::now();
        let mut child = Command::new(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(folder)
            .envs(SETTINGS)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = lines(child.stderr.take().unwrap());
        let announced = lines(child.stdout.take().unwrap());
        let mut service = Self { child, url: String::new(), said: Mutex::new(said), started };
        loop {
            let Ok(line) = announced.recv_timeout(START_MAX) else {
                panic!(
                    "the service did not start: {:?}",
                    service.said.lock().unwrap().try_iter().collect::<Vec<_>>()
                );
            };
            if let Some(console) =
                line.split_whitespace().last().and_then(|word| word.strip_suffix("/console"))
            {
                console.clone_into(&mut service.url);
                return service;
            }
        }
    }

    /// Waits until it stands still at `place`.
    pub(crate) fn await_stop(&self, place: &str) {
        let until = Instant::now() + STOP_MAX;
        let said = self.said.lock().unwrap();
        let wanted = format!("stopped at {place}");
        let mut heard = Vec::new();
        while let Ok(line) = said.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if line.ends_with(&wanted) {
                return;
            }
            heard.push(line);
        }
        panic!("`{place}` was never reached: {heard:#?}");
    }

    /// Whether it stands still at `place` already.
    pub(crate) fn has_stopped(&self, place: &str) -> bool {
        let wanted = format!("stopped at {place}");
        self.said.lock().unwrap().try_iter().any(|line| line.ends_with(&wanted))
    }

    /// SIGKILL: nothing gets to finish anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a message; `None` when no answer or none that acknowledges it came.
    pub(crate) fn post(&self, key: &str, message: &Outgoing) -> impl Future<Output = Option<Ack>> + use<> {
        let client = firstline::tools::http::client(BTreeSet::new(), 2000).unwrap();
        let request = client
            .post(format!("{}/v1/messages", self.url))
            .bearer_auth(key)
            .timeout(REQUEST_MAX)
            .json(&message.body());
        async move {
            let answer = request.send().await.ok()?;
            if !answer.status().is_success() {
                return None;
            }
            let body: Value = answer.json().await.ok()?;
            let text = |name: &str| body[name].as_str().unwrap().to_owned();
            Some(Ack { message: text("message_id"), case: text("case_id") })
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A message as a channel sends it: with an id of its own, and again when nobody acknowledged it.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) id: String,
    pub(crate) customer: &'static str,
    pub(crate) channel: &'static str,
    pub(crate) text: String,
}

impl Outgoing {
    fn body(&self) -> Value {
        json!({
            "channel": self.channel,
            "id": self.id,
            "sender": {"id": self.customer, "verified": true},
            "text": self.text,
        })
    }
}

/// Where the service said that it stored a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) message: String,
    pub(crate) case: String,
}
