//! The console without a browser: sessions that are simply there, and requests as its pages send them.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, header};
use axum::response::Response;
use firstline::domain::ids::AgentId;
use firstline::domain::role::Role;
use firstline::domain::team::Agent;
use firstline::domain::time::Timestamp;
use firstline::store::{Proof, Session, Store};
use firstline::web;
use futures_util::StreamExt as _;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use crate::sign_in::Seen;
use crate::support::service::Service;

const HOST: &str = "127.0.0.1";
/// Longest wait for what a stream is to tell.
const PATIENCE: Duration = Duration::from_mins(1);

/// As tokens are kept in the record.
pub(crate) fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// The token of somebody's session.
pub(crate) fn token(login: &str) -> String {
    format!("session-{login}")
}

/// The session of an account, as the record keeps it.
pub(crate) fn session(login: &str, now: Timestamp, until: Timestamp) -> Session {
    Session {
        token_hash: hash(&token(login)),
        agent: AgentId::parse(&format!("agent-{login}")).unwrap(),
        begun_at: now,
        seen_at: now,
        expires_at: until,
        browser: "Firefox on Linux".to_owned(),
        proof: Proof::Password,
    }
}

/// The console of one process.
pub(crate) struct Console {
    pub(crate) router: Router,
}

impl Console {
    pub(crate) fn of(service: &Service) -> Self {
        Self { router: web::router(service.app.clone()) }
    }

    /// An account that is signed in from now on.
    pub(crate) async fn person(&self, service: &Service, login: &str, role: Role) -> AgentId {
        let (store, now): (&Store, Timestamp) = (&service.app.store, service.app.clock.now());
        let agent = Agent {
            name: login.to_owned(),
            role,
            teams: Vec::new(),
            languages: Vec::new(),
            ..crate::store::accounts::agent(login)
        };
        assert!(store.add_agent(&agent).await.unwrap());
        let until = now.plus_ms(service.app.config.console.session_ms);
        store.new_session(&session(login, now, until)).await.unwrap();
        agent.id
    }

    async fn ask(&self, login: &str, request: axum::http::request::Builder, body: String) -> Response {
        let request = request
            .header(header::COOKIE, format!("firstline_session={}", token(login)))
            .header(header::HOST, HOST)
            .header(header::ORIGIN, format!("http://{HOST}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
    }

    pub(crate) async fn get(&self, login: &str, path: &str) -> Seen {
        seen(self.ask(login, Request::builder().uri(path), String::new()).await).await
    }

    pub(crate) async fn post(&self, login: &str, path: &str, fields: &[(&str, &str)]) -> Seen {
        let csrf = hash(&format!("csrf:{}", token(login)));
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("csrf", &csrf)
            .extend_pairs(fields)
            .finish();
        seen(self.ask(login, Request::builder().method("POST").uri(path), form).await).await
    }

    /// Opens a stream, from what was told last on; what is said where there is none.
    pub(crate) async fn follow(
        &self,
        login: &str,
        path: &str,
        last: Option<&str>,
    ) -> Result<Following, Seen> {
        let mut request = Request::builder().uri(path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = self.ask(login, request, String::new()).await;
        if answer.status() != 200 {
            return Err(seen(answer).await);
        }
        Ok(Following { body: answer.into_body().into_data_stream(), rest: String::new() })
    }
}

async fn seen(answer: Response) -> Seen {
    let to = answer.headers().get(header::LOCATION).map_or("", |to| to.to_str().unwrap()).to_owned();
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 10_000_000).await.unwrap();
    Seen { status, body: String::from_utf8_lossy(&body).into_owned(), to }
}

/// One thing that a stream told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// An open stream; hung up when dropped.
pub(crate) struct Following {
    body: BodyDataStream,
    rest: String,
}

impl Following {
    /// What it tells next; none when it has ended.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (told, rest) = (told(block), rest.to_owned());
                self.rest = rest;
                if told.is_some() {
                    return told;
                }
                continue;
            }
            let more =
                tokio::time::timeout(PATIENCE, self.body.next()).await.expect("the stream says nothing");
            self.rest.push_str(std::str::from_utf8(&more?.unwrap()).unwrap());
        }
    }

    /// The messages until it has told of the one at this place, and the id to go on from.
    pub(crate) async fn messages_until(&mut self, seq: i64) -> (Vec<i64>, Option<String>) {
        let (mut seqs, mut last) = (Vec::new(), None);
        while !seqs.contains(&seq) {
            let told = self.next().await.expect("it goes on");
            if told.name == "message" {
                seqs.push(told.data["seq"].as_i64().unwrap());
                last = told.id;
            }
        }
        (seqs, last)
    }
}

/// An event; a word that the stream is alive is none.
fn told(block: &str) -> Option<Told> {
    let of = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let data = serde_json::from_str(of("data:")?).unwrap();
    Some(Told { id: of("id:").map(str::to_owned), name: of("event:").unwrap_or("message").to_owned(), data })
}
