//! The operator's CRM over HTTP: asked who writes, told what became of it, and never in anybody's way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use firstline::domain::assurance::Assurance;
use firstline::domain::customer::Customer;
use firstline::domain::event::EventKind;
use firstline::domain::ids::{CaseId, CustomerId};
use firstline::domain::message::{InboundMessage, Sender};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::store::{Record, on_both};
use crate::support::service::Service;
use crate::support::world::message;

on_both! {
    who_writes_is_asked_once_and_stands_in_the_record_and_the_note
    a_crm_that_knows_nothing_or_fails_stops_no_turn
    a_proven_address_joins_and_somebody_elses_person_is_only_a_possible_match
    a_claimed_address_is_never_asked_about
    what_became_of_a_case_is_told_until_it_is_taken_and_always_under_one_key
    what_is_never_taken_is_given_up_and_counted
}

const TALK: &str = "I want to talk to a person";

/// What the CRM heard, and the statuses it answers with first when it is told something.
#[derive(Clone, Default)]
struct Heard {
    asked: Arc<Mutex<Vec<String>>>,
    told: Arc<Mutex<Vec<(String, Value)>>>,
    refusals: Arc<Mutex<Vec<u16>>>,
}

/// A CRM on loopback; ends when dropped.
struct Stub {
    url: String,
    heard: Heard,
    _serving: JoinSet<()>,
}

impl Stub {
    async fn start(refusals: &[u16]) -> Self {
        let heard = Heard { refusals: Arc::new(Mutex::new(refusals.to_vec())), ..Heard::default() };
        let router = Router::new()
            .route("/people/{id}", get(by_id))
            .route("/people", get(by_email))
            .route("/cases", post(tell))
            .with_state(heard.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, heard, _serving: serving }
    }

    async fn service(&self, record: &Record) -> Service {
        let url = self.url.clone();
        Service::new(&record.database.url(), |config| {
            let crm = &mut config.crm;
            crm.enabled = true;
            crm.by_external_id = format!("{url}/people/{{{{ external_id }}}}");
            crm.by_email = format!("{url}/people?email={{{{ email }}}}");
            crm.timeout_ms = 200;
            crm.write_back.url = format!("{url}/cases");
            crm.write_back.retry_ms = 0;
            crm.write_back.attempts_max = 3;
            crm.headers.insert("x-key".to_owned(), "k-1".to_owned());
        })
        .await
    }

    fn asked(&self) -> Vec<String> {
        self.heard.asked.lock().unwrap().clone()
    }
}

async fn by_id(State(heard): State<Heard>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    assert_eq!(headers.get("x-key").unwrap(), "k-1");
    heard.asked.lock().unwrap().push(id.clone());
    match id.as_str() {
        "nobody" => StatusCode::NOT_FOUND.into_response(),
        "broken" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "garbage" => "<html>".into_response(),
        "slow" => std::future::pending().await,
        _ => Json(json!({"external_id": id, "name": "Ann of the CRM", "tier": "gold", "owner": "Jo",
            "tags": ["vip"], "email": null, "phone": "x".repeat(500)}))
        .into_response(),
    }
}

async fn by_email(State(heard): State<Heard>, Query(asked): Query<Vec<(String, String)>>) -> Response {
    heard.asked.lock().unwrap().push(asked[0].1.clone());
    Json(json!({"external_id": ["e-1"], "name": "Eve of the CRM"})).into_response()
}

async fn tell(State(heard): State<Heard>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let key = headers.get("idempotency-key").unwrap().to_str().unwrap().to_owned();
    heard.told.lock().unwrap().push((key, body));
    let mut refusals = heard.refusals.lock().unwrap();
    if refusals.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    StatusCode::from_u16(refusals.remove(0)).unwrap().into_response()
}

/// A message of a person whom the operator vouches for.
fn of(person: &str, id: &str) -> InboundMessage {
    let known = message(id, TALK);
    let sender = Sender {
        address: person.to_owned(),
        external_id: Some(person.to_owned()),
        name: Some("Somebody".to_owned()),
        ..known.sender
    };
    InboundMessage { sender, conversation: person.to_owned(), ..known }
}

/// A mail, its address proven or not.
fn mail(id: &str, address: &str, assurance: Assurance) -> InboundMessage {
    let known = message(id, TALK);
    let sender =
        Sender { address: address.to_owned(), external_id: None, assurance, proof: "dmarc", ..known.sender };
    InboundMessage { channel: "email".to_owned(), conversation: address.to_owned(), sender, ..known }
}

async fn customer(service: &Service, id: &CustomerId) -> Customer {
    Customer::clone(&service.app.store.customer(id).await.unwrap().unwrap())
}

/// What the log of a case says about asking the CRM.
async fn log(service: &Service, case: &CaseId) -> Vec<Value> {
    let events = service.app.store.events(case, 0, 1000).await.unwrap();
    let asked = events.into_iter().filter(|event| event.kind == EventKind::CrmAsked.as_str());
    asked.map(|event| serde_json::from_str(&event.body).unwrap()).collect()
}

async fn who_writes_is_asked_once_and_stands_in_the_record_and_the_note(record: Arc<Record>) {
    let stub = Stub::start(&[]).await;
    let service = stub.service(&record).await;
    let sent = service.app.pipeline.enqueue(of("ann", "1")).await.unwrap();
    assert!(stub.asked().is_empty(), "the acknowledgement does not wait for it");
    service.app.pipeline.drain().await;
    let shown = service.get(&format!("/v1/customers/{}", sent.customer)).await.json();
    assert_eq!(
        (&shown["name"], &shown["tier"], &shown["owner"]),
        (&json!("Ann of the CRM"), &json!("gold"), &json!("Jo"))
    );
    assert_eq!(
        (&shown["tags"], &shown["phone"]),
        (&json!(["vip"]), &Value::Null),
        "a value too long is not taken"
    );
    assert_eq!(shown["crm_fields"], json!(["name", "tier", "owner", "tags"]));
    let handoff = service.get(&format!("/v1/cases/{}/handoff", sent.case)).await.json();
    let who = handoff["note"]["customer"].as_str().unwrap();
    assert!(who.contains("tier gold") && who.contains("looked after by Jo") && who.contains("vip"), "{who}");
    assert_eq!(log(&service, &sent.case).await, [json!({"by": "external_id", "outcome": "found"})]);
    // What the token claims next does not undo it, and within the hour nobody is asked again.
    service.app.pipeline.enqueue(of("ann", "2")).await.unwrap();
    service.app.pipeline.drain().await;
    assert_eq!(customer(&service, &sent.customer).await.name.as_deref(), Some("Ann of the CRM"));
    assert_eq!(stub.asked(), ["ann"]);
    service.stop().await;
}

async fn a_crm_that_knows_nothing_or_fails_stops_no_turn(record: Arc<Record>) {
    for (person, outcome, reason) in [
        ("nobody", "absent", Value::Null),
        ("broken", "failed", json!("http_error")),
        ("garbage", "failed", json!("no_json")),
        ("slow", "failed", json!("timeout")),
    ] {
        let stub = Stub::start(&[]).await;
        let service = stub.service(&record).await;
        let sent = service.app.pipeline.enqueue(of(person, person)).await.unwrap();
        service.app.pipeline.drain().await;
        let handed = service.app.store.handoff(&sent.case).await.unwrap();
        assert!(handed.is_some(), "{person}: the turn went on");
        let said = log(&service, &sent.case).await;
        assert_eq!((said.len(), &said[0]["outcome"], &said[0]["reason"]), (1, &json!(outcome), &reason));
        // Nobody waits for it again at once: not for what failed, not for what is known to be absent.
        let again =
            InboundMessage { conversation: "another".to_owned(), ..of(person, &format!("{person}-2")) };
        service.app.pipeline.enqueue(again).await.unwrap();
        service.app.pipeline.drain().await;
        assert_eq!(stub.asked(), [person]);
        service.stop().await;
    }
}

async fn a_proven_address_joins_and_somebody_elses_person_is_only_a_possible_match(record: Arc<Record>) {
    let stub = Stub::start(&[]).await;
    let service = stub.service(&record).await;
    let pipeline = &service.app.pipeline;
    let eve = pipeline.enqueue(mail("1", "eve@example.com", Assurance::Channel)).await.unwrap();
    pipeline.drain().await;
    let joined = customer(&service, &eve.customer).await;
    assert_eq!(
        (joined.external_id.as_deref(), joined.name.as_deref()),
        (Some("e-1"), Some("Eve of the CRM"))
    );
    // Vouched for by that id she is the same person on another channel.
    let vouched = pipeline.enqueue(of("e-1", "2")).await.unwrap();
    assert_eq!(vouched.customer, eve.customer);
    // Another address for which the CRM names the same person is not merged.
    let other = pipeline.enqueue(mail("3", "other@example.com", Assurance::Channel)).await.unwrap();
    pipeline.drain().await;
    let apart = customer(&service, &other.customer).await;
    assert!(other.customer != eve.customer && apart.external_id.is_none() && apart.name.is_none());
    let said = log(&service, &other.case).await;
    assert_eq!(said, [json!({"by": "email", "outcome": "possible_match", "customer": eve.customer})]);
    assert_eq!(stub.asked()[..2], ["eve@example.com", "other@example.com"]);
    service.stop().await;
}

async fn a_claimed_address_is_never_asked_about(record: Arc<Record>) {
    let stub = Stub::start(&[]).await;
    let service = stub.service(&record).await;
    let sent = service.app.pipeline.enqueue(mail("1", "eve@example.com", Assurance::Claimed)).await.unwrap();
    service.app.pipeline.drain().await;
    assert_eq!((stub.asked().len(), log(&service, &sent.case).await.len()), (0, 0));
    assert_eq!(customer(&service, &sent.customer).await.external_id, None);
    service.stop().await;
}

async fn what_became_of_a_case_is_told_until_it_is_taken_and_always_under_one_key(record: Arc<Record>) {
    let stub = Stub::start(&[503, 500]).await;
    let service = stub.service(&record).await;
    let sent = service.app.pipeline.enqueue(of("ann", "1")).await.unwrap();
    service.app.pipeline.drain().await;
    let told = stub.heard.told.lock().unwrap().clone();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    let body = &told[0].1;
    assert_eq!((&body["event"], &body["id"]), (&json!("case.handed_off"), &json!(told[0].0)));
    assert_eq!((&body["customer"]["external_id"], &body["case"]["id"]), (&json!("ann"), &json!(sent.case)));
    assert!(body["handoff"]["reason"].is_string() && body["handoff"]["next_step"].is_string(), "{body}");
    assert_eq!(service.app.store.untold().await.unwrap(), (0, 0));
    // A person resolves it: that is another thing to tell, in the transaction of the decision.
    let resolved = service.call("POST", &format!("/v1/cases/{}/resolve", sent.case), &json!({})).await;
    assert_eq!(resolved.status.as_u16(), 200);
    assert_eq!(service.app.store.untold().await.unwrap(), (1, 0));
    service.app.pipeline.drain().await;
    let told = stub.heard.told.lock().unwrap().clone();
    let last = told.last().unwrap();
    assert_eq!((told.len(), &last.1["event"], last.0 == told[0].0), (4, &json!("case.resolved"), false));
    assert_eq!(last.1["handoff"], Value::Null);
    service.stop().await;
}

async fn what_is_never_taken_is_given_up_and_counted(record: Arc<Record>) {
    let stub = Stub::start(&[422, 503, 503, 503]).await;
    let service = stub.service(&record).await;
    for (person, told, dead) in [("ann", 1, 1), ("bob", 4, 2), ("eve", 5, 2)] {
        service.app.pipeline.enqueue(of(person, person)).await.unwrap();
        tokio::time::timeout(Duration::from_secs(30), service.app.pipeline.drain()).await.unwrap();
        assert_eq!(stub.heard.told.lock().unwrap().len(), told, "{person}");
        assert_eq!(service.app.store.untold().await.unwrap(), (0, dead), "{person}");
    }
    service.stop().await;
}
