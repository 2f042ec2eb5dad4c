//! The summary of a week: once for each recipient, whatever restarts, however many processes, and on its day.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use firstline::channels::email::NAME;
use firstline::channels::standard_webhooks;
use firstline::config::{Config, Environment, Sources, setting_name};
use firstline::domain::time::{Clock, Timestamp};
use firstline::pipeline::Pipeline;
use firstline::providers::{self, Outbox, Provider};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::deliver::{REPLY, Says};
use crate::store::{Record, on_both};
use crate::support::connected::serve;
use crate::support::world::{ManualClock, clock, message, parts};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

on_both! {
    each_week_is_told_once_to_everybody_by_whichever_process
    nothing_is_told_of_a_week_before_there_was_a_case
}

type Calls = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Fails once, as a system that is just starting.
async fn take(State(calls): State<Calls>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut calls = calls.lock().unwrap();
    calls.push((headers, body));
    if calls.len() == 1 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
}

fn played() -> Box<dyn Provider> {
    providers::all().into_iter().find(|provider| provider.channel() == NAME).unwrap()
}

/// A mail server that is played, the operator's own server, and processes that know both.
struct World {
    outbox: Outbox,
    calls: Calls,
    mail: String,
    hook: String,
    url: String,
    clock: Arc<ManualClock>,
}

impl World {
    async fn new(record: &Record) -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mail = format!("http://{}", listener.local_addr().unwrap());
        let (outbox, calls) = (Outbox::default(), Calls::default());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(played().serve(listener, outbox.clone()));
        let router = Router::new().route("/week", post(take)).with_state(calls.clone());
        let hook = format!("{}/week", serve(router).await);
        Self { outbox, calls, mail, hook, url: record.database.url(), clock: clock() }
    }

    /// One more process.
    async fn process(&self) -> Arc<Pipeline> {
        let mut environment = Environment::default();
        for (section, key, value) in played().settings(&self.mail, "https://desk.example") {
            environment = environment.with(&setting_name(section, key), &value);
        }
        for (key, value) in [
            ("TIMEZONE", "America/Chicago"),
            ("WEEKLY_TO", "boss@shop.example,ops@shop.example"),
            ("WEEKLY_WEBHOOK_URL", &self.hook),
            ("WEEKLY_WEBHOOK_SECRET", SECRET),
        ] {
            environment = environment.with(&format!("FIRSTLINE__REPORTS__{key}"), value);
        }
        let mut config = Config::load(Sources { environment, ..Sources::default() }).unwrap();
        config.database.url.clone_from(&self.url);
        Pipeline::new(parts(config, self.clock.clone(), &[], Arc::new(Says(None, REPLY))).await)
    }

    /// Moves the clock to a moment.
    fn at(&self, text: &str) {
        self.clock.advance(Timestamp::parse(text).unwrap().ms_since(self.clock.now()));
    }
}

async fn told(pipeline: &Arc<Pipeline>) {
    pipeline.count().await;
    pipeline.tell_of_the_week().await;
}

async fn each_week_is_told_once_to_everybody_by_whichever_process(record: Arc<Record>) {
    let world = World::new(&record).await;
    let (one, two) = (world.process().await, world.process().await);
    world.at("2026-11-18T18:00:00Z");
    for id in ["m1", "m2"] {
        one.ingest(message(id, "hello there")).await.unwrap();
        one.drain().await;
    }
    one.count().await;
    // Monday, but not yet eight in Chicago.
    world.at("2026-11-23T13:00:00Z");
    told(&one).await;
    assert!(world.outbox.all().is_empty() && world.calls.lock().unwrap().is_empty());
    world.at("2026-11-23T14:00:00Z");
    tokio::join!(told(&one), told(&two));
    // A process that has just started, and the day after.
    let three = world.process().await;
    told(&three).await;
    world.clock.advance(DAY);
    told(&one).await;
    told(&two).await;
    let mails = world.outbox.all();
    let mut to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["boss@shop.example", "ops@shop.example"]);
    let mail = mails[0].request["mail"].as_str().unwrap();
    for line in [
        "Subject: Our shop: support from 2026-11-16 to 2026-11-22\r\n",
        "Message-ID: <weekly-2026-11-23@shop.example>\r\n",
        "Auto-Submitted: auto-generated\r\n",
    ] {
        assert!(mail.contains(line), "{line} in {mail}");
    }
    let text = &mails[0].text;
    for part in ["Cases: 1", "in_app: 1 cases", "/console/reports?from=2026-11-16&to=2026-11-22"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // The server had failed once: it was told again, under the same id.
    let calls = world.calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 2);
    let key = standard_webhooks::key(SECRET).unwrap();
    let header = |at: usize, name: &str| calls[at].0[name].to_str().unwrap().to_owned();
    assert_eq!(
        [header(0, "webhook-id"), header(1, "webhook-id")],
        ["weekly-2026-11-23", "weekly-2026-11-23"]
    );
    let seconds: i64 = header(1, "webhook-timestamp").parse().unwrap();
    let signed =
        standard_webhooks::headers(&key, "weekly-2026-11-23", Timestamp(seconds * 1000), &calls[1].1);
    assert_eq!(header(1, "webhook-signature"), signed[2].1);
    let body: Value = serde_json::from_slice(&calls[1].1).unwrap();
    assert_eq!(body["type"], "report.weekly");
    assert_eq!(body["data"]["measures"]["volume"]["counted"], 1);
    // The next week is told in its turn.
    world.at("2026-11-30T20:00:00Z");
    told(&three).await;
    assert_eq!((world.outbox.all().len(), world.calls.lock().unwrap().len()), (4, 3));
}

async fn nothing_is_told_of_a_week_before_there_was_a_case(record: Arc<Record>) {
    let world = World::new(&record).await;
    let one = world.process().await;
    world.at("2026-11-24T20:00:00Z");
    told(&one).await;
    one.ingest(message("m1", "hello there")).await.unwrap();
    one.drain().await;
    told(&one).await;
    assert!(world.outbox.all().is_empty() && world.calls.lock().unwrap().is_empty());
}
