//! Somebody on loopback who is told what happens, and answers as the test says.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use firstline::config::WebhookSettings;
use firstline::domain::topic::Topic;
use secrecy::SecretString;
use serde_json::Value;
use tokio::task::JoinSet;

/// Signs what it is told.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// All that there is to hear of.
pub(crate) const EVERYTHING: [Topic; 5] =
    [Topic::HandedOff, Topic::Resolved, Topic::Reopened, Topic::MessageSent, Topic::CsatReceived];

/// One request that came.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What it was answered.
    pub(crate) answer: StatusCode,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

/// A receiver on loopback; ends when dropped.
pub(crate) struct Receiver {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    answers: Arc<Mutex<Answers>>,
    _serving: JoinSet<()>,
}

/// What it answers: these first, then always the same.
struct Answers {
    first: Vec<u16>,
    then: u16,
}

type Shared = (Arc<Mutex<Vec<Call>>>, Arc<Mutex<Answers>>);

async fn take(State((calls, answers)): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let status = {
        let mut answers = answers.lock().unwrap();
        if answers.first.is_empty() { answers.then } else { answers.first.remove(0) }
    };
    let answer = StatusCode::from_u16(status).unwrap();
    calls.lock().unwrap().push(Call { headers, body, answer });
    answer
}

impl Receiver {
    pub(crate) async fn start(answers: &[u16]) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(Answers { first: answers.to_vec(), then: 204 }));
        let router = Router::new().route("/in", post(take)).with_state((calls.clone(), answers.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, calls, answers, _serving: serving }
    }

    /// From now on it answers these, and then always the same.
    pub(crate) fn answers(&self, first: &[u16], then: u16) {
        *self.answers.lock().unwrap() = Answers { first: first.to_vec(), then };
    }

    pub(crate) fn subscribes(&self, name: &str, events: &[Topic]) -> WebhookSettings {
        WebhookSettings {
            name: name.to_owned(),
            url: self.url.clone(),
            events: events.to_vec(),
            secret: SecretString::from(SECRET),
            previous_secret: SecretString::default(),
            include_text: false,
        }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        self.calls().iter().map(Call::kind).collect()
    }
}
