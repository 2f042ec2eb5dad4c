//! Other desks, played from the shapes that their vendors document: what they take, and what they tell.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firstline::domain::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::task::JoinSet;

pub(crate) const SECRET: &str = "s3cret-of-the-webhook";

/// What a desk holds, and how it behaves next.
#[derive(Clone, Default)]
pub(crate) struct Held(pub(crate) Arc<Mutex<Inner>>);

#[derive(Default)]
pub(crate) struct Inner {
    /// Contacts, conversations or tickets, in the order in which they were made.
    pub(crate) contacts: Vec<Value>,
    pub(crate) cases: Vec<Value>,
    /// Messages or comments: of which case, and what.
    pub(crate) messages: Vec<(i64, Value)>,
    /// Statuses with which it refuses what comes next.
    pub(crate) refusals: Vec<u16>,
    /// It does what the next writing request says, and its answer is lost.
    pub(crate) loses: bool,
    keys: Vec<(String, Value)>,
}

impl Held {
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// The words of a case's messages.
    pub(crate) fn words(&self, case: i64, field: &str) -> Vec<String> {
        self.with(|held| {
            let own = held.messages.iter().filter(|(of, _)| *of == case);
            own.map(|(_, message)| message[field].as_str().unwrap_or_default().to_owned()).collect()
        })
    }
}

/// A desk on loopback; ends when dropped.
pub(crate) struct StandIn {
    pub(crate) url: String,
    pub(crate) held: Held,
    _serving: JoinSet<()>,
}

impl StandIn {
    async fn start(held: Held, router: Router) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = router.layer(from_fn_with_state(held.clone(), behave));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, held, _serving: serving }
    }

    pub(crate) async fn chatwoot() -> Self {
        let held = Held::default();
        let account = "/api/v1/accounts/3";
        let router = Router::new()
            .route(&format!("{account}/contacts/search"), get(search))
            .route(&format!("{account}/contacts"), post(contact))
            .route(&format!("{account}/contacts/{{id}}/conversations"), get(conversations))
            .route(&format!("{account}/conversations"), post(conversation))
            .route(&format!("{account}/conversations/{{id}}/messages"), get(messages).post(message))
            .route(&format!("{account}/conversations/{{id}}/toggle_status"), post(toggle))
            .with_state(held.clone());
        Self::start(held, router).await
    }

    pub(crate) async fn zendesk() -> Self {
        let held = Held::default();
        let router = Router::new()
            .route("/api/v2/tickets.json", get(tickets).post(ticket))
            .route("/api/v2/tickets/{id}", put(change))
            .route("/api/v2/tickets/{id}/comments.json", get(comments))
            .with_state(held.clone());
        Self::start(held, router).await
    }
}

async fn behave(State(held): State<Held>, request: Request, next: Next) -> Response {
    let refusal = held.with(|held| (!held.refusals.is_empty()).then(|| held.refusals.remove(0)));
    if let Some(status) = refusal {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let headers = request.headers();
    let token = headers.get("api_access_token").is_some_and(|token| token == "tok");
    let basic = format!("Basic {}", STANDARD.encode("desk@shop.example/token:tok"));
    let basic = headers.get("authorization").is_some_and(|value| value.to_str().unwrap() == basic);
    if !token && !basic {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let writes = request.method() != "GET";
    let answer = next.run(request).await;
    let loses = writes && held.with(|held| std::mem::take(&mut held.loses));
    if loses { StatusCode::BAD_GATEWAY.into_response() } else { answer }
}

type Asked = Query<Vec<(String, String)>>;

async fn search(State(held): State<Held>, Query(asked): Asked) -> Json<Value> {
    let found = held.with(|held| {
        let all = held.contacts.iter().filter(|one| one["identifier"].as_str() == Some(&*asked[0].1));
        all.cloned().collect::<Vec<_>>()
    });
    Json(json!({"meta": {"count": found.len(), "current_page": "1"}, "payload": found}))
}

async fn contact(State(held): State<Held>, Json(body): Json<Value>) -> Json<Value> {
    Json(held.with(|held| {
        let id = held.contacts.len() as i64 + 11;
        let inbox = json!({"source_id": format!("source-{id}"), "inbox": {"id": body["inbox_id"]}});
        let contact = json!({
            "id": id, "name": body["name"], "identifier": body["identifier"], "contact_inboxes": [inbox],
        });
        held.contacts.push(contact.clone());
        json!({"payload": {"contact": contact, "contact_inbox": inbox}})
    }))
}

async fn conversations(State(held): State<Held>, Path(id): Path<i64>) -> Json<Value> {
    let own = held.with(|held| {
        held.cases.iter().filter(|one| one["contact_id"] == json!(id)).cloned().collect::<Vec<_>>()
    });
    Json(json!({"payload": own}))
}

async fn conversation(State(held): State<Held>, Json(mut body): Json<Value>) -> Json<Value> {
    Json(held.with(|held| {
        assert_eq!((&body["inbox_id"], &body["status"]), (&json!(7), &json!("open")));
        body["id"] = json!(held.cases.len() + 501);
        held.cases.push(body.clone());
        body
    }))
}

async fn messages(State(held): State<Held>, Path(id): Path<i64>) -> Json<Value> {
    let own = held.with(|held| {
        let own = held.messages.iter().filter(|(of, _)| *of == id);
        own.map(|(_, message)| message.clone()).collect::<Vec<_>>()
    });
    Json(json!({"meta": {}, "payload": own}))
}

async fn message(State(held): State<Held>, Path(id): Path<i64>, Json(mut body): Json<Value>) -> Response {
    held.with(|held| {
        if !held.cases.iter().any(|one| one["id"] == json!(id)) {
            return StatusCode::NOT_FOUND.into_response();
        }
        body["id"] = json!(held.messages.len() + 9001);
        held.messages.push((id, body.clone()));
        Json(body).into_response()
    })
}

async fn toggle(State(held): State<Held>, Path(id): Path<i64>, Json(body): Json<Value>) -> Json<Value> {
    held.with(|held| {
        for one in held.cases.iter_mut().filter(|one| one["id"] == json!(id)) {
            one["status"] = body["status"].clone();
        }
    });
    Json(json!({"payload": {"success": true, "current_status": body["status"], "conversation_id": id}}))
}

async fn tickets(State(held): State<Held>, Query(asked): Asked) -> Json<Value> {
    let found = held.with(|held| {
        let all = held.cases.iter().filter(|one| one["external_id"].as_str() == Some(&*asked[0].1));
        all.cloned().collect::<Vec<_>>()
    });
    Json(json!({"count": found.len(), "tickets": found}))
}

async fn ticket(State(held): State<Held>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let made = held.with(|held| {
        if let Some((_, known)) = held.keys.iter().find(|(known, _)| *known == key) {
            return known.clone();
        }
        let id = held.cases.len() as i64 + 35_436;
        let mut ticket = body["ticket"].clone();
        ticket["id"] = json!(id);
        held.messages.push((id, ticket["comment"].clone()));
        held.cases.push(ticket.clone());
        held.keys.push((key, ticket.clone()));
        ticket
    });
    (StatusCode::CREATED, Json(json!({"ticket": made}))).into_response()
}

async fn change(State(held): State<Held>, Path(id): Path<String>, Json(body): Json<Value>) -> Response {
    let id: i64 = id.trim_end_matches(".json").parse().unwrap();
    held.with(|held| {
        let Some(ticket) = held.cases.iter_mut().find(|one| one["id"] == json!(id)) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        ticket["status"] = body["ticket"]["status"].clone();
        let ticket = ticket.clone();
        held.messages.push((id, body["ticket"]["comment"].clone()));
        Json(json!({"ticket": ticket})).into_response()
    })
}

async fn comments(State(held): State<Held>, Path(id): Path<i64>) -> Json<Value> {
    let own = held.with(|held| {
        let own = held.messages.iter().filter(|(of, _)| *of == id);
        own.map(|(_, message)| message.clone()).collect::<Vec<_>>()
    });
    Json(json!({"comments": own, "meta": {"has_more": false}}))
}

fn mac(parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// A request as a desk sends it: its headers and its body.
pub(crate) type Posted = (Vec<(&'static str, String)>, String);

/// As Chatwoot signs it.
pub(crate) fn by_chatwoot(body: &Value, at: Timestamp) -> Posted {
    let (body, stamp) = (body.to_string(), (at.0 / 1000).to_string());
    let signed = hex::encode(mac(&[stamp.as_bytes(), b".", body.as_bytes()]));
    let headers = vec![
        ("x-chatwoot-timestamp", stamp),
        ("x-chatwoot-signature", format!("sha256={signed}")),
        ("x-chatwoot-delivery", "d-1".to_owned()),
    ];
    (headers, body)
}

/// As Zendesk signs it.
pub(crate) fn by_zendesk(body: &Value, at: Timestamp) -> Posted {
    let (body, stamp) = (body.to_string(), at.to_string());
    let signed = STANDARD.encode(mac(&[stamp.as_bytes(), body.as_bytes()]));
    let headers = vec![
        ("x-zendesk-webhook-signature-timestamp", stamp),
        ("x-zendesk-webhook-signature", signed),
        ("x-zendesk-webhook-id", "01F1KRFQ6BG29CNWFR60NK5FNY".to_owned()),
    ];
    (headers, body)
}
