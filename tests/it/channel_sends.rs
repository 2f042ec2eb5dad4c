//! What leaves by each channel: shaped as its provider takes it, and each refusal told by who must act.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::{Json, Router};
use firstline::channels::{ChannelError, Channels, File, Outgoing};
use firstline::config::{Config, Environment, Sources, setting_name};
use firstline::domain::delivery::{Delivery, DeliveryState};
use firstline::domain::message::Message;
use firstline::domain::time::Timestamp;
use firstline::providers::{self, Outbox, Provider, Sent};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::support::played::BASE;

const DELIVERY: &str = "0197a2c4-0000-7000-8000-000000000001";

/// One provider's adapter and what its send API took.
pub(crate) struct Desk {
    pub(crate) provider: Box<dyn Provider>,
    pub(crate) channels: Channels,
    pub(crate) outbox: Outbox,
}

/// What is to be sent, beside the words.
#[derive(Clone, Copy)]
pub(crate) struct How<'a> {
    pub(crate) choices: &'a [String],
    pub(crate) window_open: bool,
    pub(crate) threading: Option<&'a str>,
    pub(crate) files: &'a [File],
}

pub(crate) const PLAIN: How<'_> = How { choices: &[], window_open: true, threading: None, files: &[] };

fn provider(channel: &str) -> Box<dyn Provider> {
    providers::all().into_iter().find(|one| one.channel() == channel).unwrap()
}

pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the runtime of its test.
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    api
}

impl Desk {
    pub(crate) async fn new(channel: &str, changed: &[(&str, &str)]) -> Self {
        let outbox = Outbox::default();
        let api = serve(provider(channel).router(outbox.clone())).await;
        Self::at(channel, &api, outbox, changed)
    }

    pub(crate) fn at(channel: &str, api: &str, outbox: Outbox, changed: &[(&str, &str)]) -> Self {
        let provider = provider(channel);
        let mut environment = Environment::default();
        for (section, key, value) in provider.settings(api, BASE) {
            let name = setting_name(section, key);
            environment = environment.with(&name, &value);
        }
        for (name, value) in changed {
            environment = environment.with(name, value);
        }
        let config = Config::load(Sources { environment, ..Sources::default() }).unwrap();
        Self { provider, channels: Channels::new(&config).unwrap(), outbox }
    }

    pub(crate) async fn send(&self, text: &str, how: How<'_>) -> Result<Option<String>, ChannelError> {
        let address = self.provider.address(7);
        let conversation = if self.provider.channel() == "slack" { "T1DC2JH3J/D00000007" } else { &address };
        self.send_to(conversation, text, how).await
    }

    pub(crate) async fn send_to(
        &self,
        to: &str,
        text: &str,
        how: How<'_>,
    ) -> Result<Option<String>, ChannelError> {
        let channel = self.provider.channel();
        let message: Message = serde_json::from_value(json!({
            "id": "m", "case": "c", "seq": 1, "author": "assistant", "agent": null, "channel": channel,
            "text": text, "at": "2026-11-24T10:00:00Z", "visibility": "public", "citations": [],
            "choices": how.choices, "attachments": [], "turn": null,
        }))
        .unwrap();
        let delivery = Delivery {
            id: DELIVERY.to_owned().try_into().unwrap(),
            case: message.case.clone(),
            message: message.id.clone(),
            part: 0,
            channel: channel.to_owned(),
            conversation: to.to_owned(),
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: Timestamp(0),
            provider_id: None,
            reason: None,
        };
        let outgoing = Outgoing {
            delivery: &delivery,
            message: &message,
            text,
            choices: how.choices,
            files: how.files,
            uploaded: None,
            address: to,
            threading: how.threading,
            window_open: how.window_open,
            language: "de",
            now: Timestamp(0),
            subject: None,
        };
        let adapter = self.channels.named(channel).unwrap();
        let uploaded = adapter.upload(outgoing).await?;
        adapter.send(Outgoing { uploaded: uploaded.as_deref(), ..outgoing }).await
    }

    pub(crate) fn last(&self) -> Sent {
        self.outbox.all().pop().unwrap()
    }
}

fn choices(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn each_provider_takes_words_and_says_what_it_calls_them() {
    for channel in ["whatsapp", "messenger", "instagram", "slack", "telegram"] {
        let desk = Desk::new(channel, &[]).await;
        let id = desk.send("Größe 42 & <b> 👍", PLAIN).await.unwrap();
        assert!(id.is_some_and(|id| !id.is_empty()), "{channel}");
        let sent = desk.last();
        assert_eq!(
            (sent.text.as_str(), sent.to),
            ("Größe 42 & <b> 👍", desk.provider.address(7)),
            "{channel}"
        );
    }
}

#[tokio::test]
async fn whatsapp_shows_three_short_choices_as_buttons_and_more_or_longer_ones_as_a_list() {
    let desk = Desk::new("whatsapp", &[]).await;
    let three = choices(&["Yes", "No", "Twenty characters ok"]);
    desk.send("Is it this?", How { choices: &three, ..PLAIN }).await.unwrap();
    assert_eq!(desk.last().choices, three);
    assert_eq!(desk.last().request["interactive"]["type"], "button");
    assert_eq!(desk.last().request["biz_opaque_callback_data"], DELIVERY);
    let ten: Vec<String> = (1..=10).map(|number| format!("HP-1004{number} four and twenty")).collect();
    let ten: Vec<String> = ten.into_iter().map(|text| text.chars().take(24).collect()).collect();
    desk.send("Which one?", How { choices: &ten, ..PLAIN }).await.unwrap();
    assert_eq!(desk.last().choices, ten);
    assert_eq!(desk.last().request["interactive"]["action"]["button"], "Auswählen");
    desk.send(&"long ".repeat(300), How { choices: &three, ..PLAIN }).await.unwrap();
    assert_eq!(desk.last().request["interactive"]["type"], "list", "too long above buttons");
}

#[tokio::test]
async fn whatsapp_sends_what_was_approved_when_the_window_is_closed_or_else_asks_for_a_person() {
    let desk = Desk::new("whatsapp", &[]).await;
    let two = choices(&["Yes", "No"]);
    let closed = How { window_open: false, choices: &two, ..PLAIN };
    desk.send("Your parcel\n\n  is here.\tShall we?", closed).await.unwrap();
    let request = desk.last().request;
    assert_eq!(request["type"], "template");
    assert_eq!(request["template"]["name"], "support_answer");
    assert_eq!(desk.last().text, "Your parcel is here. Shall we? 1. Yes 2. No");
    desk.send(&"word ".repeat(900), closed).await.unwrap();
    assert!(desk.last().text.ends_with('…') && desk.last().text.chars().count() <= 1024);

    let desk = Desk::new("whatsapp", &[("FIRSTLINE__WHATSAPP__TEMPLATE_NAME", "")]).await;
    let refused = desk.send("Your parcel is here.", closed).await.unwrap_err();
    assert!(matches!(&refused, ChannelError::Permanent(why) if why.contains("template_name")), "{refused}");
    assert!(desk.outbox.all().is_empty());
}

#[tokio::test]
async fn whatsapp_answers_from_the_number_that_was_written_to_and_to_people_who_hide_theirs() {
    let desk = Desk::new("whatsapp", &[]).await;
    let other = r#"{"number":"2065","last":"wamid.1"}"#;
    let refused = desk.send("hello", How { threading: Some(other), ..PLAIN }).await.unwrap_err();
    assert!(matches!(refused, ChannelError::Permanent(_)), "the played account has one number: {refused}");
    desk.send("hello", How { threading: Some("no JSON"), ..PLAIN }).await.unwrap();
    desk.send_to("US.13491208655302741918", "hello", PLAIN).await.unwrap();
    assert_eq!(desk.last().request["recipient"], "US.13491208655302741918");
    assert_eq!(desk.last().request.get("to"), None);
}

#[tokio::test]
async fn messenger_and_instagram_show_quick_replies_and_never_write_outside_the_window() {
    for channel in ["messenger", "instagram"] {
        let desk = Desk::new(channel, &[]).await;
        let two = choices(&["Yes", "No"]);
        desk.send("Is it this?", How { choices: &two, ..PLAIN }).await.unwrap();
        assert_eq!(desk.last().choices, two);
        assert_eq!(desk.last().request["messaging_type"], "RESPONSE");
        let metadata = desk.last().request["message"].get("metadata").cloned();
        assert_eq!(metadata, (channel == "messenger").then(|| json!(DELIVERY)), "what an echo gives back");
        let refused = desk.send("late", How { window_open: false, ..PLAIN }).await.unwrap_err();
        assert!(matches!(refused, ChannelError::Permanent(_)), "{channel} {refused}");
        assert_eq!(desk.outbox.all().len(), 1);
    }
}

#[tokio::test]
async fn slack_answers_in_the_thread_and_by_the_channel_of_the_conversation() {
    let desk = Desk::new("slack", &[]).await;
    desk.send_to("T1DC2JH3J/C024BE91L/1749416000.000100", "hello", PLAIN).await.unwrap();
    assert_eq!(desk.last().request["channel"], "C024BE91L");
    assert_eq!(desk.last().request["thread_ts"], "1749416000.000100");
    desk.send_to("T1DC2JH3J/D024BE91L", "hello", How { threading: Some("1749416000.000200"), ..PLAIN })
        .await
        .unwrap();
    assert_eq!(desk.last().request["thread_ts"], "1749416000.000200");
    desk.send_to("T1DC2JH3J/D024BE91L", "hello", How { threading: Some(""), ..PLAIN }).await.unwrap();
    assert_eq!(desk.last().request.get("thread_ts"), None);
}

/// Status, `Retry-After` and body of an answer.
pub(crate) type Told = (u16, Option<u64>, Value);

/// A provider that answers as it was told, and keeps what it was given.
#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(crate) answers: Arc<Mutex<VecDeque<Told>>>,
    pub(crate) asked: Arc<Mutex<Vec<Value>>>,
}

pub(crate) async fn scripted(State(script): State<Script>, body: Bytes) -> impl IntoResponse {
    script.asked.lock().unwrap().push(serde_json::from_slice(&body).unwrap_or_default());
    let (status, after, body) = script.answers.lock().unwrap().pop_front().unwrap();
    let mut headers = HeaderMap::new();
    if let Some(seconds) = after {
        headers.insert("retry-after", seconds.into());
    }
    (StatusCode::from_u16(status).unwrap(), headers, Json(body))
}

async fn told(channel: &str, answer: Told) -> ChannelError {
    let script = Script::default();
    script.answers.lock().unwrap().push_back(answer);
    let api = serve(Router::new().fallback(scripted).with_state(script)).await;
    Desk::at(channel, &api, Outbox::default(), &[]).send("hello", PLAIN).await.unwrap_err()
}

#[tokio::test]
async fn each_refusal_says_who_must_act() {
    let meta = |code: i64, subcode: Option<i64>| json!({"error": {"code": code, "error_subcode": subcode, "message": "so", "type": "OAuthException"}});
    let slack = |error: &str| json!({"ok": false, "error": error});
    let telegram = |code: u16, said: &str| json!({"ok": false, "error_code": code, "description": said});
    let later = |why: &str, after_ms| ChannelError::Later { why: why.to_owned(), after_ms };
    let never = |why: &str| ChannelError::Permanent(why.to_owned());
    let unknown = |why: &str| ChannelError::Unknown(why.to_owned());
    for (channel, answer, expected) in [
        ("whatsapp", (400, None, meta(131_047, None)), never("131047 so")),
        ("whatsapp", (400, None, meta(131_026, None)), never("131026 so")),
        ("whatsapp", (404, None, meta(132_001, None)), never("132001 so")),
        ("whatsapp", (401, None, meta(190, Some(463))), never("190/463 so")),
        ("whatsapp", (429, Some(9), meta(130_429, None)), later("130429 so", Some(9000))),
        ("whatsapp", (400, None, meta(131_056, None)), later("131056 so", None)),
        ("whatsapp", (500, None, meta(131_000, None)), later("131000 so", None)),
        ("whatsapp", (502, None, Value::Null), unknown("502")),
        ("messenger", (400, None, meta(10, Some(2_018_278))), never("10/2018278 so")),
        ("messenger", (400, None, meta(613, None)), later("613 so", None)),
        ("instagram", (403, None, meta(4, None)), later("4 so", None)),
        ("instagram", (400, None, meta(190, None)), never("190 so")),
        ("slack", (200, None, slack("ratelimited")), later("ratelimited", None)),
        ("slack", (429, Some(30), slack("ratelimited")), later("429", Some(30_000))),
        ("slack", (200, None, slack("channel_not_found")), never("channel_not_found")),
        ("slack", (200, None, slack("fatal_error")), unknown("fatal_error")),
        ("slack", (503, None, Value::Null), later("503", None)),
        (
            "telegram",
            (403, None, telegram(403, "Forbidden: bot was blocked by the user")),
            never("403 Forbidden: bot was blocked by the user"),
        ),
        (
            "telegram",
            (429, None, json!({"ok": false, "description": "slow", "parameters": {"retry_after": 5}})),
            later("429 slow", Some(5000)),
        ),
    ] {
        assert_eq!(told(channel, answer.clone()).await, expected, "{channel} {answer:?}");
    }
}

#[tokio::test]
async fn where_nobody_listens_it_is_tried_later_and_where_the_answer_is_lost_nobody_knows() {
    for channel in ["whatsapp", "messenger", "instagram", "slack", "telegram"] {
        let nobody = Desk::at(channel, "http://127.0.0.1:9", Outbox::default(), &[]);
        let error = nobody.send("hello", PLAIN).await.unwrap_err();
        assert!(matches!(error, ChannelError::Later { .. }), "{channel} {error}");

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        TaskTracker::new().spawn(async move {
            use tokio::io::AsyncReadExt;
            let (mut stream, _) = listener.accept().await.unwrap();
            // It takes the request and hangs up.
            _ = stream.read(&mut [0; 4096]).await;
        });
        let lost = Desk::at(channel, &api, Outbox::default(), &[]);
        let error = lost.send("hello", PLAIN).await.unwrap_err();
        assert!(matches!(error, ChannelError::Unknown(_)), "{channel} {error}");
        assert!(!error.to_string().contains("simulated"), "{channel}: no token in what is logged: {error}");
    }
}

#[tokio::test]
async fn a_customer_sees_that_a_message_was_seen_and_that_an_answer_is_written_only_where_that_takes_a_while()
{
    let model = [("FIRSTLINE__MODEL__NAME", "some-model")];
    for (channel, at_once, slowly) in [
        (
            "whatsapp",
            Some(json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.41"})),
            json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.41",
                "typing_indicator": {"type": "text"}}),
        ),
        (
            "messenger",
            Some(json!({"recipient": {"id": "5410000000000007"}, "sender_action": "mark_seen"})),
            json!({"recipient": {"id": "5410000000000007"}, "sender_action": "typing_on"}),
        ),
        ("telegram", None, json!({"chat_id": "700000007", "action": "typing"})),
    ] {
        for (changed, expected) in [(&[][..], at_once), (&model[..], Some(slowly))] {
            let script = Script::default();
            // Refused: nobody minds.
            script.answers.lock().unwrap().push_back((400, None, json!({"error": {"code": 100}})));
            let api = serve(Router::new().fallback(scripted).with_state(script.clone())).await;
            let desk = Desk::at(channel, &api, Outbox::default(), changed);
            let adapter = desk.channels.named(channel).unwrap();
            let from = desk.provider.address(7);
            let said =
                firstline::providers::Said { from: &from, name: "Ann", text: "hi", id: 41, at: Timestamp(0) };
            let call = desk.provider.says(&said, BASE);
            let mut taken = crate::support::played::take(adapter, &call, Timestamp(0)).unwrap();
            let Some(firstline::channels::Incoming::Message(message)) = taken.pop() else {
                panic!("{channel}")
            };
            if let Some(seen) = adapter.seen(&message) {
                seen.await;
            }
            assert_eq!(script.asked.lock().unwrap().clone(), Vec::from_iter(expected), "{channel}");
        }
    }
}
