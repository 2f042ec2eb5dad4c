//! Cases at other desks: given over whole, passed on, answered there on the customer's channel, settled on either side,
//! and taken back when nobody there can be reached.

pub(crate) mod mail;
pub(crate) mod stand_ins;

use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::post;
use firstline::app::SystemClock;
use firstline::channels::standard_webhooks;
use firstline::config::{Config, Environment, SinkSettings, Sources};
use firstline::domain::ids::CaseId;
use firstline::domain::time::{Clock, Timestamp};
use firstline::web;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::store::{Record, on_both};
use crate::support::service::Service;
use crate::support::world::message;
use stand_ins::{Posted, StandIn, by_chatwoot, by_zendesk};

on_both! {
    a_case_is_given_to_a_webhook_whole_and_answered_from_there_once
    chatwoot_has_the_case_until_it_is_resolved_there
    zendesk_has_the_case_and_a_lost_answer_makes_no_second_ticket
    what_is_settled_here_is_settled_there
    words_that_come_after_the_resolution_are_said_and_leave_it_resolved
    what_no_desk_has_signed_is_refused_and_changes_nothing
    a_desk_that_is_down_gives_the_case_back_and_it_says_so
    a_message_that_never_arrives_there_brings_the_case_back
    only_the_cases_of_its_teams_go_to_a_desk
}

pub(crate) const TALK: &str = "I want to talk to a person about my order HP-10042";
pub(crate) const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) fn sink(text: &str) -> SinkSettings {
    toml::from_str(text).unwrap()
}

pub(crate) fn chatwoot(url: &str) -> SinkSettings {
    sink(&format!(
        "name = \"care\"\nkind = \"chatwoot\"\nurl = \"{url}\"\naccount_id = 3\ninbox_id = 7\napi_token = \"tok\"\nwebhook_secret = \"{}\"",
        stand_ins::SECRET
    ))
}

pub(crate) fn zendesk(url: &str) -> SinkSettings {
    sink(&format!(
        "name = \"care\"\nkind = \"zendesk\"\nurl = \"{url}\"\nuser = \"desk@shop.example\"\napi_token = \"tok\"\nwebhook_secret = \"{}\"",
        stand_ins::SECRET
    ))
}

async fn service(record: &Record, sinks: Vec<SinkSettings>, give_back_ms: i64) -> Service {
    Service::new(&record.database.url(), |config| {
        config.handoff.sinks = sinks;
        config.handoff.give_back_ms = give_back_ms;
        config.handoff.retry_seconds = vec![0];
    })
    .await
}

const HOUR_MS: i64 = 3_600_000;

/// A customer who asks for a person; everything that is due has left.
async fn asks(service: &Service, id: &str, text: &str) -> CaseId {
    let sent = service.app.pipeline.enqueue(message(id, text)).await.unwrap();
    service.app.pipeline.drain().await;
    sent.case
}

pub(crate) async fn state(service: &Service, case: &CaseId) -> String {
    service.get(&format!("/v1/cases/{case}")).await.json()["state"].as_str().unwrap().to_owned()
}

/// Who said what, as the customer and the agents read it.
pub(crate) async fn thread(service: &Service, case: &CaseId) -> Vec<(String, String, bool)> {
    let list = service.get(&format!("/v1/cases/{case}/messages")).await.json();
    let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
    let all = list["items"].as_array().unwrap().iter();
    all.map(|one| (text(one, "author"), text(one, "text"), one["internal"] == true)).collect()
}

/// What people at other desks have said to the customer.
pub(crate) async fn answers(service: &Service, case: &CaseId) -> Vec<String> {
    let all = thread(service, case).await.into_iter();
    all.filter(|(author, _, internal)| author == "agent" && !internal).map(|(_, text, _)| text).collect()
}

pub(crate) async fn desk_of(service: &Service, case: &CaseId) -> Value {
    service.get(&format!("/v1/cases/{case}/handoff")).await.json()["desk"].clone()
}

/// A desk posts something; the status and the body of our answer.
pub(crate) async fn posts(service: &Service, (headers, body): &Posted) -> (u16, String) {
    let mut request = Request::builder().method("POST").uri("/desks/care");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.header("content-type", "application/json").body(Body::from(body.clone()));
    let answer = web::router(service.app.clone()).oneshot(request.unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 1_000_000).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn said_in_chatwoot(id: i64, conversation: i64, words: &str) -> Value {
    json!({
        "event": "message_created", "id": id, "content": words, "content_type": "text",
        "message_type": "outgoing", "private": false, "created_at": "2026-11-26 13:05:57 UTC",
        "sender": {"id": 1, "name": "Jo", "type": "user"}, "account": {"id": 3, "name": "Shop"},
        "inbox": {"id": 7, "name": "Firstline"},
        "conversation": {"id": conversation, "status": "open", "custom_attributes": {}},
    })
}

fn resolved_in_chatwoot(conversation: i64) -> Value {
    json!({
        "event": "conversation_status_changed", "id": conversation, "status": "resolved", "inbox_id": 7,
        "custom_attributes": {}, "account": {"id": 3},
    })
}

fn zendesk_event(kind: &str, ticket: i64, event: &Value) -> Value {
    json!({
        "type": format!("zen:event-type:ticket.{kind}"), "account_id": 22_129_848,
        "id": "cbe4028c-7239-495d-b020-f22348516046", "time": "2026-11-26T10:38:52Z",
        "zendesk_event_version": "2022-11-06", "subject": format!("zen:ticket:{ticket}"),
        "detail": {"id": ticket.to_string(), "external_id": null, "status": "OPEN"}, "event": event,
    })
}

fn comment(id: &str, words: &str, is_public: bool, is_staff: bool) -> Value {
    json!({"comment": {"id": id, "body": words, "is_public": is_public,
        "author": {"id": "8659", "is_staff": is_staff, "name": "Jo"}}})
}

type Calls = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn take(State(calls): State<Calls>, headers: HeaderMap, body: Bytes) -> StatusCode {
    calls.lock().unwrap().push((headers, body));
    StatusCode::NO_CONTENT
}

/// The operator's own desk, and what it was told.
async fn own_desk() -> (SinkSettings, Calls, JoinSet<()>) {
    let calls = Calls::default();
    let router = axum::Router::new().route("/in", post(take)).with_state(calls.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let text = format!("name = \"care\"\nkind = \"webhook\"\nurl = \"{url}\"\nsecret = \"{KEY}\"");
    (sink(&text), calls, serving)
}

fn told(calls: &Calls) -> Vec<Value> {
    calls.lock().unwrap().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
}

/// As the operator's desk signs it.
fn by_webhook(id: &str, body: &Value, at: Timestamp) -> Posted {
    let body = body.to_string();
    let key = standard_webhooks::key(KEY).unwrap();
    (standard_webhooks::headers(&key, id, at, body.as_bytes()).into(), body)
}

async fn a_case_is_given_to_a_webhook_whole_and_answered_from_there_once(record: Arc<Record>) {
    let (desk, calls, _serving) = own_desk().await;
    let service = service(&record, vec![desk], HOUR_MS).await;
    let case = asks(&service, "1", TALK).await;
    let opened = &told(&calls)[0];
    assert_eq!((&opened["type"], &opened["data"]["case_id"]), (&json!("handoff.opened"), &json!(case)));
    let text = opened["data"]["text"].as_str().unwrap();
    for part in ["Issue:", "Wants:", "Next step:", "Proven:", "Promised:", "Tried:", "Was told:", TALK] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(opened["data"]["note"]["transcript"][0]["text"], TALK);
    assert_eq!(
        (state(&service, &case).await.as_str(), &desk_of(&service, &case).await["state"]),
        ("agent", &json!("theirs"))
    );
    // It waits for nobody here, and what the customer writes is passed on while the assistant is silent.
    let waiting = service.get("/v1/cases?state=queued").await.json();
    assert_eq!(waiting["items"], json!([]));
    asks(&service, "2", "Are you there?").await;
    let passed = &told(&calls)[1];
    assert_eq!(
        (&passed["type"], &passed["data"]["message"]["text"]),
        (&json!("handoff.message"), &json!("Are you there?"))
    );
    let words = thread(&service, &case).await;
    assert_eq!(words.iter().filter(|(author, ..)| author == "assistant").count(), 1, "{words:?}");
    // The answer, twice.
    let handoff = opened["data"]["handoff_id"].as_str().unwrap();
    let data = json!({"handoff_id": handoff, "text": "I am. It comes tomorrow."});
    let answer = by_webhook("a-1", &json!({"type": "message.created", "data": data}), SystemClock.now());
    for _ in 0..2 {
        assert_eq!(posts(&service, &answer).await, (200, r#"{"taken":1}"#.to_owned()));
    }
    assert_eq!(answers(&service, &case).await, ["I am. It comes tomorrow."]);
    let settled = json!({"type": "case.resolved", "data": {"handoff_id": handoff}});
    assert_eq!(posts(&service, &by_webhook("a-2", &settled, SystemClock.now())).await.0, 200);
    service.app.pipeline.drain().await;
    assert_eq!(
        (state(&service, &case).await.as_str(), &desk_of(&service, &case).await["state"]),
        ("resolved", &json!("over"))
    );
    assert_eq!(told(&calls).len(), 2, "it is not told what it said itself");
    let events = service.get(&format!("/v1/cases/{case}/events")).await.json();
    let by = |kind: &str| {
        let all = events["items"].as_array().unwrap().iter();
        all.filter(|one| one["kind"] == kind).map(|one| one["body"]["by"].clone()).collect::<Vec<_>>()
    };
    for kind in ["assigned", "agent_replied", "resolved"] {
        assert_eq!(by(kind), ["desk:care"], "{kind}");
    }
    service.stop().await;
}

async fn chatwoot_has_the_case_until_it_is_resolved_there(record: Arc<Record>) {
    let desk = StandIn::chatwoot().await;
    let service = service(&record, vec![chatwoot(&desk.url)], HOUR_MS).await;
    let case = asks(&service, "1", TALK).await;
    let made = desk.held.with(|held| held.cases.clone());
    assert_eq!((made.len(), &made[0]["custom_attributes"]["firstline_case"]), (1, &json!(case)));
    let first = desk.held.with(|held| held.messages.clone());
    assert_eq!((&first[0].1["private"], &first[0].1["message_type"]), (&json!(true), &json!("outgoing")));
    assert!(first[0].1["content"].as_str().unwrap().contains("Next step:"));
    assert_eq!((&first[1].1["content"], &first[1].1["message_type"]), (&json!(TALK), &json!("incoming")));
    let there = desk_of(&service, &case).await;
    assert_eq!((&there["name"], &there["foreign_id"]), (&json!("care"), &json!("501")));
    // The customer's next words, whose first answer is lost: they are there once.
    desk.held.with(|held| held.loses = true);
    asks(&service, "2", "It is urgent").await;
    assert_eq!(desk.held.words(501, "content")[1..], [TALK, "It is urgent"]);
    // Our own messages come back as webhooks too; only an agent's public words count, each once.
    let now = SystemClock.now();
    let echo = |kind: &str, private: bool, who: &str| {
        let mut told = said_in_chatwoot(9002, 501, "an echo");
        (told["message_type"], told["private"], told["sender"]["type"]) =
            (json!(kind), json!(private), json!(who));
        told
    };
    for other in [
        echo("incoming", false, "contact"),
        echo("outgoing", true, "user"),
        echo("outgoing", false, "agent_bot"),
    ] {
        assert_eq!(posts(&service, &by_chatwoot(&other, now)).await, (200, r#"{"taken":0}"#.to_owned()));
    }
    let answer = by_chatwoot(&said_in_chatwoot(77, 501, "On its way!"), now);
    for _ in 0..3 {
        assert_eq!(posts(&service, &answer).await.0, 200);
    }
    let elsewhere = by_chatwoot(&said_in_chatwoot(78, 999, "not ours"), now);
    assert_eq!(posts(&service, &elsewhere).await, (200, r#"{"taken":0}"#.to_owned()));
    assert_eq!(answers(&service, &case).await, ["On its way!"]);
    for _ in 0..2 {
        assert_eq!(posts(&service, &by_chatwoot(&resolved_in_chatwoot(501), now)).await.0, 200);
    }
    assert_eq!(state(&service, &case).await, "resolved");
    // The same customer again: another conversation of the same contact.
    let again = asks(&service, "3", "I want to talk to a person again").await;
    let made = desk.held.with(|held| (held.contacts.len(), held.cases.len()));
    assert_eq!(made, (1, 2));
    // A late resolution of the first conversation is not one of the second.
    posts(&service, &by_chatwoot(&resolved_in_chatwoot(501), now)).await;
    assert_eq!(state(&service, &again).await, "agent");
    service.stop().await;
}

async fn zendesk_has_the_case_and_a_lost_answer_makes_no_second_ticket(record: Arc<Record>) {
    let desk = StandIn::zendesk().await;
    desk.held.with(|held| (held.refusals, held.loses) = (vec![503, 429], true));
    let service = service(&record, vec![zendesk(&desk.url)], HOUR_MS).await;
    let case = asks(&service, "1", TALK).await;
    let made = desk.held.with(|held| held.cases.clone());
    assert_eq!(made.len(), 1, "{made:?}");
    let ticket = &made[0];
    assert_eq!((&ticket["comment"]["public"], &ticket["tags"]), (&json!(false), &json!(["firstline"])));
    assert!(ticket["comment"]["body"].as_str().unwrap().contains("Next step:"));
    assert!(ticket["requester"].is_null(), "Zendesk would write to the customer by itself");
    assert_eq!(desk_of(&service, &case).await["foreign_id"], "35436");
    desk.held.with(|held| held.loses = true);
    asks(&service, "2", "It is urgent").await;
    let comments = desk.held.words(35_436, "body");
    assert_eq!(comments.len(), 2, "{comments:?}");
    assert!(comments[1].contains("It is urgent"), "{comments:?}");
    let now = SystemClock.now();
    let at = |kind: &str, event: &Value| by_zendesk(&zendesk_event(kind, 35_436, event), now);
    for event in [comment("1", "internal", false, true), comment("2", "by the requester", true, false)] {
        assert_eq!(posts(&service, &at("comment_added", &event)).await, (200, r#"{"taken":0}"#.to_owned()));
    }
    let answer = at("comment_added", &comment("3", "On its way!", true, true));
    for _ in 0..2 {
        assert_eq!(posts(&service, &answer).await, (200, r#"{"taken":1}"#.to_owned()));
    }
    assert_eq!(answers(&service, &case).await, ["On its way!"]);
    let pending = at("status_changed", &json!({"current": "PENDING", "previous": "OPEN"}));
    assert_eq!(posts(&service, &pending).await.0, 200);
    assert_eq!(state(&service, &case).await, "agent");
    let solved = at("status_changed", &json!({"current": "SOLVED", "previous": "OPEN"}));
    assert_eq!(posts(&service, &solved).await.0, 200);
    assert_eq!(state(&service, &case).await, "resolved");
    service.stop().await;
}

async fn what_is_settled_here_is_settled_there(record: Arc<Record>) {
    for kind in ["chatwoot", "zendesk"] {
        let (desk, sink) = if kind == "chatwoot" {
            let desk = StandIn::chatwoot().await;
            let sink = chatwoot(&desk.url);
            (desk, sink)
        } else {
            let desk = StandIn::zendesk().await;
            let sink = zendesk(&desk.url);
            (desk, sink)
        };
        let service = service(&record, vec![sink], HOUR_MS).await;
        let case = asks(&service, kind, TALK).await;
        let resolved = service.call("POST", &format!("/v1/cases/{case}/resolve"), &json!({})).await;
        assert_eq!(resolved.status.as_u16(), 200);
        service.app.pipeline.drain().await;
        let status = desk.held.with(|held| held.cases[0]["status"].clone());
        assert_eq!(status, if kind == "chatwoot" { "resolved" } else { "solved" });
        assert_eq!(desk_of(&service, &case).await["state"], "over");
        service.stop().await;
    }
}

async fn words_that_come_after_the_resolution_are_said_and_leave_it_resolved(record: Arc<Record>) {
    let desk = StandIn::chatwoot().await;
    let service = service(&record, vec![chatwoot(&desk.url)], HOUR_MS).await;
    let case = asks(&service, "1", TALK).await;
    let now = SystemClock.now();
    posts(&service, &by_chatwoot(&resolved_in_chatwoot(501), now)).await;
    let late = by_chatwoot(&said_in_chatwoot(77, 501, "Done, goodbye."), now);
    for _ in 0..2 {
        assert_eq!(posts(&service, &late).await.0, 200);
    }
    assert_eq!(answers(&service, &case).await, ["Done, goodbye."]);
    assert_eq!(state(&service, &case).await, "resolved");
    service.stop().await;
}

async fn what_no_desk_has_signed_is_refused_and_changes_nothing(record: Arc<Record>) {
    let now = SystemClock.now();
    let (chat, zen) = (StandIn::chatwoot().await, StandIn::zendesk().await);
    let (own, _calls, _serving) = own_desk().await;
    let words = "forged words";
    let in_chatwoot = said_in_chatwoot(77, 501, words);
    let in_zendesk = zendesk_event("comment_added", 35_436, &comment("3", words, true, true));
    let to_webhook = json!({"type": "case.resolved", "data": {"handoff_id": "h"}});
    let by = |kind: &str, at| match kind {
        "chatwoot" => by_chatwoot(&in_chatwoot, at),
        "zendesk" => by_zendesk(&in_zendesk, at),
        _ => by_webhook("w", &to_webhook, at),
    };
    for (kind, sink) in [("chatwoot", chatwoot(&chat.url)), ("zendesk", zendesk(&zen.url)), ("webhook", own)]
    {
        let service = service(&record, vec![sink], HOUR_MS).await;
        let case = asks(&service, kind, TALK).await;
        let (headers, body) = by(kind, now);
        let tampered = (headers.clone(), body.replace("forged", "others"));
        let tampered =
            if kind == "webhook" { (headers.clone(), body.replace("\"h\"", "\"i\"")) } else { tampered };
        let unsigned = (Vec::new(), body.clone());
        let empty = (headers.iter().map(|(name, _)| (*name, String::new())).collect(), body.clone());
        for posted in
            [tampered, unsigned, empty, by(kind, now.plus_ms(-400_000)), by(kind, now.plus_ms(400_000))]
        {
            let (status, told) = posts(&service, &posted).await;
            assert_eq!(status, 401, "{kind}: {told}");
        }
        assert_eq!(answers(&service, &case).await, [""; 0], "{kind}");
        // Signed, and nonsense.
        let nonsense = match kind {
            "chatwoot" => {
                by_chatwoot(&json!({"event": "message_created", "message_type": "outgoing", "id": "x"}), now)
            }
            "zendesk" => by_zendesk(&json!([1]), now),
            _ => by_webhook("w", &json!({"type": "case.closed", "data": {"handoff_id": "h"}}), now),
        };
        let (status, told) = posts(&service, &nonsense).await;
        assert_eq!(status, 400, "{kind}: {told}");
        service.stop().await;
    }
    let service = service(&record, Vec::new(), HOUR_MS).await;
    assert_eq!(posts(&service, &by("chatwoot", now)).await.0, 404);
    service.stop().await;
}

async fn a_desk_that_is_down_gives_the_case_back_and_it_says_so(record: Arc<Record>) {
    let desk = StandIn::chatwoot().await;
    desk.held.with(|held| held.refusals = vec![503; 50]);
    let service = service(&record, vec![chatwoot(&desk.url)], 0).await;
    let case = asks(&service, "1", TALK).await;
    assert_eq!(state(&service, &case).await, "queued");
    let there = desk_of(&service, &case).await;
    assert_eq!((&there["state"], &there["reason"]), (&json!("returned"), &json!("status 503")));
    let note = thread(&service, &case).await.pop().unwrap();
    assert!(note.2 && note.1.contains("`care`") && note.1.contains("our own queue's again"), "{note:?}");
    let dead = service.get("/v1/webhooks/deliveries?state=dead&target=desk-care").await.json();
    assert_eq!(dead["items"].as_array().unwrap().len(), 1, "{dead}");
    // What follows is ours alone.
    desk.held.with(|held| held.refusals.clear());
    asks(&service, "2", "Hello?").await;
    assert!(desk.held.with(|held| held.cases.is_empty()));
    assert_eq!(state(&service, &case).await, "queued");
    service.stop().await;
}

async fn a_message_that_never_arrives_there_brings_the_case_back(record: Arc<Record>) {
    let desk = StandIn::zendesk().await;
    let service = service(&record, vec![zendesk(&desk.url)], HOUR_MS).await;
    let case = asks(&service, "1", TALK).await;
    assert_eq!(state(&service, &case).await, "agent");
    // The ticket was deleted there.
    desk.held.with(|held| held.cases.clear());
    asks(&service, "2", "Hello?").await;
    assert_eq!(state(&service, &case).await, "queued");
    assert_eq!(desk_of(&service, &case).await["state"], "returned");
    service.stop().await;
}

async fn only_the_cases_of_its_teams_go_to_a_desk(record: Arc<Record>) {
    let (named, all) = (StandIn::chatwoot().await, StandIn::chatwoot().await);
    let of_team = SinkSettings {
        name: "named".to_owned(),
        teams: vec!["somebody-else".to_owned()],
        ..chatwoot(&named.url)
    };
    let service = service(&record, vec![of_team, chatwoot(&all.url)], HOUR_MS).await;
    let case = asks(&service, "1", TALK).await;
    assert_eq!(desk_of(&service, &case).await["name"], "care");
    assert_eq!((named.held.with(|held| held.cases.len()), all.held.with(|held| held.cases.len())), (0, 1));
    service.stop().await;
}

#[test]
fn what_a_desk_lacks_is_said_by_name_and_secrets_come_from_the_environment() {
    let read = |text: &str, environment: &[(&str, &str)]| {
        let mut all = Environment::default();
        for (name, value) in environment {
            all = all.with(name, value);
        }
        let file = Some((text, std::path::Path::new("firstline.toml")));
        Config::load(Sources { file, environment: all, ..Sources::default() })
            .map_err(|error| error.to_string())
    };
    let entry = "[[handoff.sinks]]\nname = \"my-care\"\nkind = ";
    let said = read(&format!("{entry}\"chatwoot\""), &[]).unwrap_err();
    for key in [
        "url is missing",
        "account_id is missing",
        "inbox_id is missing",
        "FIRSTLINE__HANDOFF__SINKS__MY_CARE__API_TOKEN",
    ] {
        assert!(said.contains(key), "{key}: {said}");
    }
    let said =
        read(&format!("{entry}\"email\"\naddress = \"d@a.example\"\nteams = [\"x\"]"), &[]).unwrap_err();
    assert!(said.contains("no [[teams]] id") && said.contains("[email] enabled"), "{said}");
    let config = read(
        &format!("{entry}\"zendesk\"\nurl = \"https://a.zendesk.com\"\nuser = \"u@a.example\""),
        &[
            ("FIRSTLINE__HANDOFF__SINKS__MY_CARE__API_TOKEN", "t"),
            ("FIRSTLINE__HANDOFF__SINKS__MY_CARE__WEBHOOK_SECRET", "s"),
        ],
    );
    assert!(config.is_ok(), "{config:?}");
}
