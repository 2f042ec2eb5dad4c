//! The running program behind every played provider: what comes in is stored once and answered once, news of what left
//! moves it forward, and the sender's faults are told to the sender.

use std::time::Duration;

use firstline::app::SystemClock;
use firstline::domain::time::Clock;
use firstline::providers::{self, Outbox, Provider, ProviderCall, Said, Sent};
use sqlx::{Connection, Row};
use tokio_util::task::TaskTracker;

use crate::support::played::{BASE, settings};
use crate::support::site::Site;

/// Channels whose provider posts messages over HTTP and is answered by calls of its own.
const CHANNELS: [&str; 5] = ["whatsapp", "messenger", "instagram", "slack", "telegram"];
/// How often a message is posted again, all at once.
const DOUBLES: usize = 100;
/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);

/// A provider with its send API served.
struct Played {
    provider: Box<dyn Provider>,
    outbox: Outbox,
    api: String,
}

impl Played {
    async fn new(provider: Box<dyn Provider>) -> Self {
        let outbox = Outbox::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let router = provider.router(outbox.clone());
        // It ends with the runtime of its test.
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        Self { provider, outbox, api }
    }

    fn says(&self, id: u64, text: &str) -> ProviderCall {
        let from = self.provider.address(7);
        let said = Said { from: &from, name: "Ann Baker", text, id, at: SystemClock.now() };
        self.provider.says(&said, BASE)
    }

    /// Everything that was sent, once there is so much of it.
    async fn sent(&self, count: usize) -> Vec<Sent> {
        let end = tokio::time::Instant::now() + PATIENCE;
        while self.outbox.all().len() < count {
            let channel = self.provider.channel();
            assert!(tokio::time::Instant::now() < end, "{channel}: {:?}", self.outbox.all());
            tokio::time::sleep(LOOK).await;
        }
        self.outbox.all()
    }
}

struct Town {
    site: Site,
    played: Vec<Played>,
    http: reqwest::Client,
}

impl Town {
    async fn new() -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let mut played = Vec::new();
        for provider in providers::all() {
            played.push(Played::new(provider).await);
        }
        let api = |one: &dyn Provider| {
            let known = played.iter().find(|played| played.provider.channel() == one.channel());
            known.unwrap().api.clone()
        };
        let mut environment = settings(api, BASE);
        environment.push(("FIRSTLINE__SERVER__PUBLIC_BASE_URL".to_owned(), BASE.to_owned()));
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let site = Site::start_with(&environment).await;
        played.retain(|one| CHANNELS.contains(&one.provider.channel()));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { site, played, http }
    }

    async fn post(&self, call: &ProviderCall) -> u16 {
        let mut request = self.http.request(call.method.clone(), self.site.url(&call.target));
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        request.body(call.body.clone()).send().await.unwrap().status().as_u16()
    }

    /// The single value of a query over one channel.
    async fn count(&self, sql: &'static str, channel: &str) -> i64 {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&self.site.database()).await.unwrap();
        let row = sqlx::query(sql).bind(channel.to_owned()).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        row.get(0)
    }

    /// Waits until what left by a channel stands like this.
    async fn stands(&self, sql: &'static str, channel: &str) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while self.count(sql, channel).await == 0 {
            assert!(tokio::time::Instant::now() < end, "{channel}: {sql}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

const STORED: &str = "select count(*) from inbox where channel = $1";
const SENT: &str = "select count(*) from outbox where channel = $1 and state = 'sent'";
const DELIVERED: &str = "select count(*) from outbox where channel = $1 and state = 'delivered'";
const READ: &str = "select count(*) from outbox where channel = $1 and state = 'read'";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_a_hundred_times_at_once_is_stored_and_answered_once_and_news_moves_the_answer() {
    let town = Town::new().await;
    for played in &town.played {
        let channel = played.provider.channel();
        let call = played.says(41, "hello");
        let doubles = futures_util::future::join_all((0..DOUBLES).map(|_| town.post(&call))).await;
        assert_eq!(doubles, [200; DOUBLES], "{channel}");
        assert_eq!(town.count(STORED, channel).await, 1, "{channel}");
        played.sent(1).await;
        assert_eq!(town.post(&call).await, 200, "{channel}: a week later it is still known");

        // The next answer is the second thing that leaves.
        assert_eq!(town.post(&played.says(42, "thank you")).await, 200, "{channel}");
        let sent = played.sent(2).await;
        assert_eq!(sent.len(), 2, "{channel}: {sent:?}");
        assert!(sent.iter().all(|one| one.to == played.provider.address(7)), "{channel}: {sent:?}");
        assert_eq!(town.count(STORED, channel).await, 2, "{channel}");

        let first = sent.first().unwrap();
        town.stands(SENT, channel).await;
        let news = |status| played.provider.status(first, status, BASE);
        if let Some(read) = news("read") {
            assert_eq!(town.post(&read).await, 200, "{channel}");
            town.stands(READ, channel).await;
        }
        if let Some(delivered) = news("delivered") {
            assert_eq!(town.post(&delivered).await, 200, "{channel}");
            if news("read").is_none() {
                town.stands(DELIVERED, channel).await;
            } else {
                assert_eq!(town.count(DELIVERED, channel).await, 0, "{channel}: news takes nothing back");
                assert_eq!(town.count(READ, channel).await, 1, "{channel}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_senders_faults_are_told_to_the_sender_and_store_nothing() {
    let town = Town::new().await;
    let limit = 1_048_576;
    for played in &town.played {
        let (provider, channel) = (&played.provider, played.provider.channel());
        let call = played.says(41, "hello");
        let forged = ProviderCall { headers: Vec::new(), ..call.clone() };
        assert_eq!(town.post(&forged).await, 403, "{channel}");
        for (body, expected) in [
            (b"{".to_vec(), 400),
            (b"\xff\xfe".to_vec(), 400),
            (b"{}".to_vec(), 400),
            ("[".repeat(10_000).into_bytes(), 400),
            (vec![b' '; limit + 1], 413),
        ] {
            let bad = provider.signed(&call, body, BASE);
            assert_eq!(town.post(&bad).await, expected, "{channel}");
        }
        assert_eq!(town.count(STORED, channel).await, 0, "{channel}");
        assert_eq!(town.post(&call).await, 200, "{channel}: it is served all the same");
    }
    let unknown = ProviderCall { target: "/channels/telex".to_owned(), ..town.played[0].says(1, "hello") };
    assert_eq!(town.post(&unknown).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_taken_does_not_keep_out_those_that_came_with_it() {
    let town = Town::new().await;
    let whatsapp = town.played.iter().find(|one| one.provider.channel() == "whatsapp").unwrap();
    let call = whatsapp.says(41, "hello");
    assert_eq!(town.post(&call).await, 200);
    let mut batch: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
    let messages = batch.pointer_mut("/entry/0/changes/0/value/messages").unwrap();
    let mut other = messages[0].clone();
    messages[0]["text"]["body"] = "the same id with other words".into();
    other["id"] = "wamid.42".into();
    messages.as_array_mut().unwrap().push(other);
    let batch = whatsapp.provider.signed(&call, batch.to_string().into_bytes(), BASE);
    assert_eq!(town.post(&batch).await, 409);
    assert_eq!(town.count(STORED, "whatsapp").await, 2);
}
