//! Who subscribes is told what happens: signed, in order, at least once, without anybody's words, and without one that
//! is down holding up another.

use std::path::Path;
use std::sync::Arc;

use firstline::channels::standard_webhooks;
use firstline::config::{Config, Environment, Sources, WebhookSettings};
use firstline::domain::event::Event;
use firstline::domain::ids::CaseId;
use firstline::domain::message::InboundMessage;
use firstline::domain::time::Timestamp;
use firstline::domain::topic::Topic;
use firstline::store::{Change, Unit};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::store::{Record, on_both};
use crate::support::receiver::{EVERYTHING, Receiver, SECRET};
use crate::support::service::Service;
use crate::support::world::message;

on_both! {
    what_happens_is_told_signed_in_its_order_and_without_words
    a_thing_keeps_its_id_at_every_try_and_two_secrets_sign_while_they_change
    one_that_is_down_loses_nothing_keeps_the_order_and_holds_up_nobody
    what_is_given_up_is_listed_and_told_again_when_somebody_says_so
    one_that_wants_nothing_more_is_not_asked_again
    a_score_is_told_when_the_log_has_one
    what_was_taken_long_ago_is_forgotten
}

pub(crate) const TALK: &str = "I want to talk to a person about the zebra-striped sofa";
const OLD: &str = "whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0LW9sZA==";

async fn service(record: &Record, webhooks: Vec<WebhookSettings>, retry_seconds: &[i64]) -> Service {
    Service::new(&record.database.url(), |config| {
        config.webhooks = webhooks;
        config.webhook_delivery.retry_seconds = retry_seconds.to_vec();
    })
    .await
}

/// A case that goes to people, is answered, resolved and written to again.
async fn a_life(service: &Service) -> CaseId {
    a_life_of(service, message("1", TALK)).await
}

/// The same of a case that begins with these words.
pub(crate) async fn a_life_of(service: &Service, words: InboundMessage) -> CaseId {
    let sent = service.app.pipeline.enqueue(words).await.unwrap();
    service.app.pipeline.drain().await;
    let at = |act: &str| format!("/v1/cases/{}/{act}", sent.case);
    let said = service.call("POST", &at("replies"), &json!({"text": "It is the zebra one."})).await;
    assert_eq!(said.status.as_u16(), 201);
    assert_eq!(service.call("POST", &at("notes"), &json!({"text": "for us"})).await.status.as_u16(), 201);
    assert_eq!(service.call("POST", &at("resolve"), &json!({})).await.status.as_u16(), 200);
    assert_eq!(service.call("POST", &at("reopen"), &json!({})).await.status.as_u16(), 200);
    service.app.pipeline.drain().await;
    sent.case
}

pub(crate) const LIFE: [&str; 5] =
    ["message.sent", "case.handed_off", "message.sent", "case.resolved", "case.reopened"];

async fn what_happens_is_told_signed_in_its_order_and_without_words(record: Arc<Record>) {
    let (all, some) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    let with_text = WebhookSettings {
        include_text: true,
        ..some.subscribes("some", &[Topic::MessageSent, Topic::HandedOff])
    };
    let service = service(&record, vec![all.subscribes("all", &EVERYTHING), with_text], &[0]).await;
    let case = a_life(&service).await;
    assert_eq!(all.kinds(), LIFE);
    let calls = all.calls();
    let key = standard_webhooks::key(SECRET).unwrap();
    for call in &calls {
        let seconds: i64 = call.header("webhook-timestamp").parse().unwrap();
        let at = Timestamp(seconds * 1000);
        let signed = standard_webhooks::headers(&key, call.header("webhook-id"), at, &call.body);
        assert_eq!(call.header("webhook-signature"), signed[2].1);
        assert!(!call.header("webhook-id").contains('.'), "the signed string is cut at full stops");
        assert!(!String::from_utf8_lossy(&call.body).contains("zebra"), "{:?}", call.body);
        let told = call.json();
        assert!(told["timestamp"].is_string() && told["data"]["case_id"] == json!(case), "{told}");
        assert_eq!(told["data"]["customer_external_id"], json!("ann"), "{told}");
    }
    let handed = calls[1].json();
    assert!(handed["data"]["reason"].is_string() && handed["data"]["team"].is_string(), "{handed}");
    assert_eq!(handed["data"]["state"], "queued");
    let (said, resolved) = (calls[2].json(), calls[3].json());
    assert_eq!(
        (&said["data"]["message"]["author"], &said["data"]["message"]["seq"]),
        (&json!("agent"), &json!(3))
    );
    assert_eq!(
        (&resolved["data"]["by"], &resolved["data"]["resolution"]),
        (&json!("key:test"), &json!("by_agent"))
    );
    // Who is to have the words has them, and the note with the handoff.
    assert_eq!(some.kinds(), ["message.sent", "case.handed_off", "message.sent"]);
    let told = some.calls();
    assert_eq!(told[2].json()["data"]["message"]["text"], "It is the zebra one.");
    assert!(told[1].json()["data"]["note"]["transcript"].is_array());
    service.stop().await;
}

async fn a_thing_keeps_its_id_at_every_try_and_two_secrets_sign_while_they_change(record: Arc<Record>) {
    let receiver = Receiver::start(&[500, 302]).await;
    let both = WebhookSettings {
        previous_secret: SecretString::from(OLD),
        ..receiver.subscribes("both", &[Topic::HandedOff])
    };
    let service = service(&record, vec![both], &[0, 0, 0]).await;
    service.app.pipeline.enqueue(message("1", TALK)).await.unwrap();
    service.app.pipeline.drain().await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 3, "a redirect is not followed and not taken for an answer");
    let first = &calls[0];
    assert!(calls.iter().all(|call| call.header("webhook-id") == first.header("webhook-id")));
    assert!(calls.iter().all(|call| call.body == first.body));
    let at = Timestamp(first.header("webhook-timestamp").parse::<i64>().unwrap() * 1000);
    let alone = |secret| {
        let key = standard_webhooks::key(secret).unwrap();
        standard_webhooks::headers(&key, first.header("webhook-id"), at, &first.body)[2].1.clone()
    };
    assert_eq!(first.header("webhook-signature"), format!("{} {}", alone(SECRET), alone(OLD)));
    service.stop().await;
}

async fn one_that_is_down_loses_nothing_keeps_the_order_and_holds_up_nobody(record: Arc<Record>) {
    let (down, up) = (Receiver::start(&[503]).await, Receiver::start(&[]).await);
    let webhooks = vec![down.subscribes("down", &EVERYTHING), up.subscribes("up", &EVERYTHING)];
    let service = service(&record, webhooks, &[86_400]).await;
    a_life(&service).await;
    assert_eq!(up.kinds(), LIFE);
    assert_eq!(down.kinds(), ["message.sent"], "what came later waits for the first");
    let waiting = service.get("/v1/webhooks/deliveries?state=pending&target=webhook-down").await.json();
    assert_eq!(waiting["items"].as_array().unwrap().len(), LIFE.len(), "{waiting}");
    // A day later it is there again.
    record.database.run("update write_backs set due_at = 0 where state = 'pending'").await;
    service.app.pipeline.drain().await;
    assert_eq!(down.kinds()[1..], LIFE);
    assert_eq!(service.app.store.untold().await.unwrap(), (0, 0));
    service.stop().await;
}

async fn what_is_given_up_is_listed_and_told_again_when_somebody_says_so(record: Arc<Record>) {
    let receiver = Receiver::start(&[500, 500]).await;
    let service = service(&record, vec![receiver.subscribes("r", &[Topic::HandedOff])], &[0]).await;
    service.app.pipeline.enqueue(message("1", TALK)).await.unwrap();
    service.app.pipeline.drain().await;
    assert_eq!(receiver.calls().len(), 2);
    let dead = service.get("/v1/webhooks/deliveries?state=dead").await.json();
    let one = &dead["items"][0];
    assert_eq!((&one["event"], &one["attempts"]), (&json!("case.handed_off"), &json!(2)), "{dead}");
    assert_eq!((&one["reason"], &one["due_at"]), (&json!("status 500"), &Value::Null));
    let again = format!("/v1/webhooks/deliveries/{}/retry", one["id"].as_str().unwrap());
    assert_eq!(service.call("POST", &again, &Value::Null).await.json()["state"], "pending");
    service.app.pipeline.drain().await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[2].header("webhook-id"), calls[0].header("webhook-id"));
    assert_eq!(service.call("POST", &again, &Value::Null).await.status.as_u16(), 409, "it is taken");
    let none = "/v1/webhooks/deliveries/none/retry";
    assert_eq!(service.call("POST", none, &Value::Null).await.status.as_u16(), 404);
    assert_eq!(service.get("/v1/webhooks/deliveries?state=gone").await.status.as_u16(), 400);
    // A page at a time, each once.
    let first = service.get("/v1/webhooks/deliveries?limit=1").await.json();
    let next = first["next"].as_str().unwrap();
    let rest = service.get(&format!("/v1/webhooks/deliveries?limit=1&cursor={next}")).await.json();
    assert_eq!((first["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (1, 0));
    service.stop().await;
}

async fn one_that_wants_nothing_more_is_not_asked_again(record: Arc<Record>) {
    let receiver = Receiver::start(&[410]).await;
    let service = service(&record, vec![receiver.subscribes("r", &[Topic::HandedOff])], &[0, 0]).await;
    service.app.pipeline.enqueue(message("1", TALK)).await.unwrap();
    service.app.pipeline.drain().await;
    assert_eq!(receiver.calls().len(), 1);
    assert_eq!(service.app.store.untold().await.unwrap(), (0, 1));
    service.stop().await;
}

async fn a_score_is_told_when_the_log_has_one(record: Arc<Record>) {
    let receiver = Receiver::start(&[]).await;
    let service = service(&record, vec![receiver.subscribes("r", &[Topic::CsatReceived])], &[0]).await;
    let sent = service.app.pipeline.enqueue(message("1", TALK)).await.unwrap();
    service.app.pipeline.drain().await;
    let store = &service.app.store;
    let mut case = store.case_fresh(&sent.case).await.unwrap().unwrap().case.clone();
    case.version += 1;
    case.event_seq += 1;
    let rated = Event {
        case: sent.case.clone(),
        seq: case.event_seq,
        at: Timestamp(1),
        kind: "rated".to_owned(),
        body: json!({"score": 4, "scale": "five", "of": "assistant", "channel": "in_app", "comment": true, "x": "no"})
            .to_string(),
        hash: "h".to_owned(),
    };
    let changes = vec![Change::Case(case), Change::Event(rated)];
    store.commit(Unit { case: sent.case, changes }).await.unwrap();
    service.app.pipeline.drain().await;
    let told = receiver.calls()[0].json();
    assert_eq!((&told["type"], &told["data"]["score"]), (&json!("csat.received"), &json!(4)));
    assert_eq!((&told["data"]["of"], &told["data"]["x"]), (&json!("assistant"), &Value::Null));
    service.stop().await;
}

async fn what_was_taken_long_ago_is_forgotten(record: Arc<Record>) {
    let receiver = Receiver::start(&[410]).await;
    let service = service(&record, vec![receiver.subscribes("r", &EVERYTHING)], &[0]).await;
    a_life(&service).await;
    let store = &service.app.store;
    store.forget_told(Timestamp(1), 100).await.unwrap();
    let listed = async || record.database.read("select count(*) from write_backs").await;
    assert_eq!(listed().await, ["5"]);
    store.forget_told(Timestamp(i64::MAX), 100).await.unwrap();
    assert_eq!(listed().await, ["1"], "what was given up stays until it was told");
    service.stop().await;
}

/// The settings of a file and an environment.
fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let mut all = Environment::default();
    for (name, value) in environment {
        all = all.with(name, value);
    }
    let file = Some((text, Path::new("firstline.toml")));
    let read = Config::load(Sources { file, environment: all, ..Sources::default() });
    read.map_err(|error| error.to_string())
}

#[test]
fn secrets_come_from_the_environment_and_what_is_missing_is_said() {
    let entry = |more: &str| {
        format!(
            "[[webhooks]]\nname = \"my-shop\"\nurl = \"https://a.example/in\"\nevents = [\"case.resolved\"]\n{more}"
        )
    };
    let name = "FIRSTLINE__WEBHOOKS__MY_SHOP__SECRET";
    let config = read(&entry(""), &[(name, SECRET)]).unwrap();
    assert!(firstline::desk::sinks::Sinks::new(&config).is_ok());
    let said = read(&entry(""), &[]).unwrap_err();
    assert!(said.contains(name), "{said}");
    let config = read(&entry("secret = \"hush\""), &[]).unwrap();
    let said = firstline::desk::sinks::Sinks::new(&config).err().unwrap().join("\n");
    assert!(said.contains("`my-shop`: secret is no secret like whsec_"), "{said}");
    assert!(!toml::to_string(&config.effective).unwrap().contains("hush"), "it is never shown");
    for (wrong, expected) in [
        ("events = [\"case.closed\"]", "case.closed"),
        ("events = []", "events is empty"),
        ("url = \"http://a.example\"", "https://"),
        ("url = \"https://u:p@a.example\"", "without user or password"),
        ("name = \"My Shop\"", "lower-case"),
        ("surprise = 1", "surprise"),
    ] {
        let key = wrong.split(' ').next().unwrap();
        let lines = entry("secret = \"x\"");
        let kept: Vec<&str> = lines.lines().filter(|line| !line.starts_with(key)).collect();
        let said = read(&format!("{}\n{wrong}", kept.join("\n")), &[]).unwrap_err();
        assert!(said.contains(expected), "{wrong}: {said}");
    }
}
