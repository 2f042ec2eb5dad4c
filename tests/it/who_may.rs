//! Every call of the API and every page of the console, by everybody: a table says who is let in, and a route that is
//! not in the table fails.

mod table;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use firstline::app::SystemClock;
use firstline::config::TeamSettings;
use firstline::domain::case::{Case, CaseState};
use firstline::domain::ids::{AgentId, AttachmentId, TeamId};
use firstline::domain::role::Role;
use firstline::domain::team::Agent;
use firstline::domain::time::{Clock, Timestamp};
use firstline::store::{Change, StoredAttachment};
use firstline::web;
use firstline::web::keys::{self, Scope};
use regex::Regex;
use tower::ServiceExt;

use crate::store::things::{case, customer, customer_id, unit};
use crate::store::{Record, on_both};
use crate::support::console::{hash, session, token};
use crate::support::service::Service;
use table::{API, CONSOLE, Row, Thing};

on_both! {
    every_call_of_the_api_lets_in_whom_the_table_says_and_nobody_else
    every_page_of_the_console_lets_in_whom_the_table_says_and_nobody_else
    a_key_of_a_person_does_what_the_person_may_and_no_more
}

const HOST: &str = "127.0.0.1";

/// What came back: the status and, of a refusal, its words.
#[derive(Debug)]
struct Told {
    status: u16,
    body: String,
    location: String,
    policy: String,
    page: bool,
}

impl Told {
    /// A page has its script and its style by address alone, and its policy forbids anything else.
    fn demand_that_nothing_is_inline(&self) {
        for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]
        {
            let attachment = self.policy.starts_with("sandbox");
            assert!(attachment || self.policy.contains(part), "{}", self.policy);
        }
        assert!(!self.policy.contains("unsafe"), "{}", self.policy);
        if self.page {
            let inline =
                Regex::new(r"(?i)<script(?: [^>]*)?>[^<]|<style|<[^>]* (?:style|on[a-z]+)=|javascript:");
            let found = inline.unwrap().find(&self.body).map(|found| found.as_str());
            assert_eq!(found, None, "{}", self.body);
        }
    }
}

/// A service with a case of one team and one of another, and an account of each role in the first team.
struct House {
    service: Service,
}

impl House {
    async fn new(record: &Record) -> Self {
        let service = Service::new(&record.database.url(), |config| {
            let team = |id: &str| TeamSettings {
                id: id.to_owned(),
                name: id.to_owned(),
                hours: None,
                languages: Vec::new(),
                skills: Vec::new(),
            };
            config.teams = vec![team("care"), team("press")];
            "care".clone_into(&mut config.routing.default_team);
            config.server.streams_per_address_max = 1000;
        })
        .await;
        let house = Self { service };
        for (name, team) in [("own", "care"), ("far", "press")] {
            house.add(name, team, None).await;
        }
        for role in Role::ALL {
            house.person(role.as_str(), role, "care").await;
        }
        house
    }

    async fn add(&self, name: &str, team: &str, holder: Option<AgentId>) {
        let waits = Case {
            state: if holder.is_some() { CaseState::Agent } else { CaseState::Queued },
            team: Some(TeamId::parse(team).unwrap()),
            agent: holder,
            ..case(name)
        };
        let file = StoredAttachment {
            id: AttachmentId::parse(&format!("file-{name}")).unwrap(),
            case: waits.id.clone(),
            message: firstline::domain::ids::MessageId::parse("m").unwrap(),
            name: "a.txt".to_owned(),
            content_type: None,
            content: Arc::from(&b"text"[..]),
            at: Timestamp(1),
        };
        let changes = vec![
            Change::NewCustomer(customer(name).into()),
            Change::NewCase(waits),
            Change::Attachment(file),
        ];
        self.service.app.store.commit(unit(name, changes)).await.unwrap();
    }

    /// An account, its session `session-<login>` and its key `flk_<login>` that has every scope.
    async fn person(&self, login: &str, role: Role, team: &str) -> AgentId {
        let store = &self.service.app.store;
        let agent = Agent {
            id: AgentId::parse(&format!("agent-{login}")).unwrap(),
            login: login.to_owned(),
            name: login.to_owned(),
            password_hash: String::new(),
            role,
            teams: vec![TeamId::parse(team).unwrap()],
            languages: Vec::new(),
            created_at: Timestamp(1),
            password_chosen_at: Some(Timestamp(1)),
        };
        assert!(store.add_agent(&agent).await.unwrap());
        let until = SystemClock.now().plus_ms(3_600_000);
        store.new_session(&session(login, SystemClock.now(), until)).await.unwrap();
        self.key(login, &[Scope::Admin], Some(agent.id.clone())).await;
        agent.id
    }

    async fn key(&self, name: &str, scopes: &[Scope], agent: Option<AgentId>) {
        let (mut stored, _) = keys::mint(&SystemClock, name, &[Scope::Admin], None);
        stored.scopes = scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
        stored.hash = hash(&format!("flk_{name}"));
        stored.agent = agent;
        self.service.app.store.add_key(&stored).await.unwrap();
    }

    async fn ask(&self, request: Request<Body>) -> Told {
        let response = web::router(self.service.app.clone()).oneshot(request).await.unwrap();
        let header = |name| response.headers().get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
        let (status, location) = (response.status().as_u16(), header("location"));
        let policy = header("content-security-policy");
        let page = header("content-type").starts_with("text/html");
        // A stream has no end.
        if header("content-type").starts_with("text/event-stream") {
            return Told { status, body: String::new(), location, policy, page };
        }
        let body = axum::body::to_bytes(response.into_body(), 10_000_000).await.unwrap();
        let told = Told { status, body: String::from_utf8_lossy(&body).into_owned(), location, policy, page };
        told.demand_that_nothing_is_inline();
        told
    }

    /// Calls the API with this key.
    async fn call(&self, row: &Row, name: &str, key: Option<&str>) -> Told {
        let mut request = Request::builder().method(row.method).uri(row.path_of(name));
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer flk_{key}"));
        }
        let request = request.header("content-type", "application/json");
        self.ask(request.body(Body::from(row.body.to_owned())).unwrap()).await
    }

    /// Opens a page, or sends its form, in the session of this account.
    async fn visit(&self, row: &Row, name: &str, login: Option<&str>) -> Told {
        let mut request = Request::builder().method(row.method).uri(row.path_of(name));
        let mut form = row.body.to_owned();
        if let Some(login) = login {
            request = request.header("cookie", format!("firstline_session={}", token(login)));
            form = format!("csrf={}&{form}", hash(&format!("csrf:{}", token(login))));
        }
        request = request.header("host", HOST).header("origin", format!("http://{HOST}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.ask(request.body(Body::from(form)).unwrap()).await
    }
}

impl Row {
    fn path_of(&self, name: &str) -> String {
        let id = match self.of {
            Thing::Nothing => String::new(),
            Thing::Case => format!("case-{name}"),
            Thing::Customer => customer_id(name).to_string(),
            Thing::File => format!("file-{name}"),
        };
        let path =
            self.path.replacen("{id}", &id, 1).replace("{approval}", "none").replace("{delivery}", "none");
        let path = path.replace("{measure}", "automation");
        format!("{path}{}", self.query)
    }

    /// Whether an answer is what somebody gets who is let in.
    fn admits(&self, told: &Told) -> bool {
        let hidden = ["no such case", "no such customer", "no such attachment\""];
        self.admitted.contains(&told.status)
            && !(told.status == 404 && hidden.iter().any(|words| told.body.contains(words)))
    }
}

/// Those of a role who see every team.
fn far_sighted(role: Role) -> bool {
    matches!(role, Role::Supervisor | Role::Admin | Role::Auditor)
}

async fn every_call_of_the_api_lets_in_whom_the_table_says_and_nobody_else(record: Arc<Record>) {
    let house = House::new(&record).await;
    house.key("powerless", &[], None).await;
    house.key("program", &[Scope::Admin], None).await;
    let described = house.service.get("/openapi.json").await.json();
    let mut known = BTreeSet::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        known.extend(methods.as_object().unwrap().keys().map(|m| (m.to_uppercase(), path.clone())));
    }
    // It is no page of the API, and is read with a key all the same.
    known.insert(("GET".to_owned(), "/metrics".to_owned()));
    let listed: BTreeSet<_> = API.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    let missing: Vec<_> = known.symmetric_difference(&listed).collect();
    assert!(missing.is_empty(), "write into tests/it/who_may/table.rs who may call these: {missing:?}");
    for row in &API {
        let name = format!("{} {}", row.method, row.path);
        for (key, status) in [(None, 401), (Some("nobody-has-this"), 401), (Some("powerless"), 403)] {
            for of in ["own", "far"] {
                let told = house.call(row, of, key).await;
                assert_eq!(told.status, status, "{name} of {of} with {key:?}: {}", told.body);
            }
        }
        for role in Role::ALL {
            for of in ["own", "far"] {
                let told = house.call(row, of, Some(role.as_str())).await;
                let at = format!("{name} of {of} by {role:?}: {told:?}");
                if !row.may.contains(&role) {
                    assert_eq!(told.status, 403, "{at}");
                } else if of == "own" || row.of == Thing::Nothing || far_sighted(role) {
                    assert!(row.admits(&told), "{at}");
                } else {
                    assert_eq!(told.status, 404, "{at}");
                }
            }
        }
        let told = house.call(row, "own", Some("program")).await;
        assert!(
            row.admits(&told) || row.path == "/v1/customers/{id}" && row.method == "DELETE",
            "{name}: {told:?}"
        );
    }
    house.service.stop().await;
}

/// The routes that the console's source declares: method and path.
fn console_routes() -> BTreeSet<(String, String)> {
    let route = Regex::new(r#"(?s)\.route\(\s*"(/console[^"]*)",(.*?)\)\s*(?:\.|,|\n|;)"#).unwrap();
    let method = Regex::new(r"\b(get|post|put|patch|delete)\(").unwrap();
    let mut found = BTreeSet::new();
    let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web")];
    while let Some(next) = waiting.pop() {
        if next.is_dir() {
            waiting.extend(std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()));
        } else if next.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(next).unwrap();
            // From one route to the next, so that every method of a chain is seen.
            let starts: Vec<usize> = text.match_indices(".route(").map(|(at, _)| at).collect();
            for (place, start) in starts.iter().enumerate() {
                let end = starts.get(place + 1).copied().unwrap_or(text.len());
                let part = format!(
                    "{})\n",
                    text.get(*start..end).unwrap().split(".layer(middleware").next().unwrap()
                );
                let Some(route) = route.captures(&part) else { continue };
                let methods = method.captures_iter(&part).map(|m| m[1].to_uppercase());
                found.extend(methods.map(|method| (method, route[1].to_owned())));
            }
        }
    }
    found
}

async fn every_page_of_the_console_lets_in_whom_the_table_says_and_nobody_else(record: Arc<Record>) {
    let house = House::new(&record).await;
    let listed: BTreeSet<_> =
        CONSOLE.iter().map(|row| (row.method.to_owned(), row.route.to_owned())).collect();
    let routes = console_routes();
    assert!(routes.contains(&("POST".to_owned(), "/console/cases/{id}/{act}".to_owned())), "{routes:?}");
    let missing: Vec<_> = routes.symmetric_difference(&listed).collect();
    assert!(missing.is_empty(), "write into tests/it/who_may/table.rs who may open these: {missing:?}");
    for row in CONSOLE {
        let name = format!("{} {}", row.method, row.path);
        for of in ["own", "far"] {
            let told = house.visit(row, of, None).await;
            if row.open {
                assert!(row.admits(&told), "{name} by nobody: {told:?}");
                continue;
            }
            assert_eq!((told.status, told.location.as_str()), (303, "/console/login"), "{name} by nobody");
        }
        for role in Role::ALL {
            for of in ["own", "far"] {
                let told = house.visit(row, of, Some(role.as_str())).await;
                let at = format!("{name} of {of} by {role:?}: {told:?}");
                if !row.may.contains(&role) {
                    assert_eq!(told.status, 403, "{at}");
                } else if of == "own" || row.of == Thing::Nothing || far_sighted(role) {
                    assert!(row.admits(&told), "{at}");
                } else {
                    assert_eq!(told.status, 404, "{at}");
                }
                if row.ends_session {
                    let until = SystemClock.now().plus_ms(3_600_000);
                    // It may have been refused and be there still.
                    _ = house
                        .service
                        .app
                        .store
                        .new_session(&session(role.as_str(), SystemClock.now(), until))
                        .await;
                }
            }
        }
        // The same form without the token of its session, and from another site.
        if row.method == "POST" && !row.open {
            for (csrf, origin) in [("forged".to_owned(), HOST), (hash("csrf:session-admin"), "evil.test")] {
                let request = Request::builder().method("POST").uri(row.path_of("own"));
                let request = request.header("cookie", "firstline_session=session-admin");
                let request = request.header("host", HOST).header("origin", format!("http://{origin}"));
                let request = request.header("content-type", "application/x-www-form-urlencoded");
                let form = Body::from(format!("csrf={csrf}&{}", row.body));
                let told = house.ask(request.body(form).unwrap()).await;
                assert_eq!(told.status, 403, "{name} from {origin}: {told:?}");
            }
        }
    }
    house.service.stop().await;
}

async fn a_key_of_a_person_does_what_the_person_may_and_no_more(record: Arc<Record>) {
    let house = House::new(&record).await;
    let eva = house.person("eva", Role::Agent, "care").await;
    house.person("ines", Role::Agent, "press").await;
    house.add("given", "press", Some(eva.clone())).await;
    house.key("program", &[Scope::CasesRead, Scope::CasesWrite], None).await;
    let call = async |method: &'static str, path: &'static str, body: &'static str, key: &str| {
        let row = Row { method, path, body, ..API[0] };
        let told = house.call(&row, "", Some(key)).await;
        (told.status, told.body)
    };
    // The lists end where the person's reach ends; what is assigned to them is within it.
    for (key, cases) in [("eva", 2), ("ines", 2), ("viewer", 1), ("supervisor", 3), ("program", 3)] {
        let (_, list) = call("GET", "/v1/cases", "", key).await;
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        assert_eq!(list["items"].as_array().unwrap().len(), cases, "{key}: {list}");
    }
    assert_eq!(call("GET", "/v1/cases/case-given", "", "eva").await.0, 200);
    // What the key does is the person's, under their name, and never another's.
    let notes = "/v1/cases/case-own/notes";
    let (status, note) = call("POST", notes, r#"{"text":"seen"}"#, "eva").await;
    assert!(status == 201 && note.contains(eva.as_str()), "{status} {note}");
    assert_eq!(call("POST", notes, r#"{"text":"seen","agent":"eva"}"#, "eva").await.0, 201);
    assert_eq!(call("POST", notes, r#"{"text":"seen","agent":"ines"}"#, "eva").await.0, 403);
    // A program names who acts, and that has to be somebody who may.
    assert_eq!(call("POST", notes, r#"{"text":"seen","agent":"ines"}"#, "program").await.0, 201);
    assert_eq!(call("POST", notes, r#"{"text":"seen","agent":"viewer"}"#, "program").await.0, 403);
    // One takes a case oneself; to give it to others is for those who lead.
    let assign = "/v1/cases/case-own/assign";
    for (key, body, status) in [
        ("eva", r#"{"agent":"agent"}"#, 403),
        ("eva", r#"{"agent":"eva"}"#, 200),
        ("supervisor", r#"{"agent":"ines"}"#, 200),
        ("supervisor", r#"{"agent":"auditor"}"#, 403),
        ("program", r#"{"agent":"viewer"}"#, 403),
    ] {
        let told = call("POST", assign, body, key).await;
        assert_eq!(told.0, status, "{key} {body}: {}", told.1);
    }
    // What is taken from the person is taken from their key at once.
    let store = &house.service.app.store;
    let now = store.agent(&eva).await.unwrap().unwrap();
    let to = firstline::store::AgentChange {
        name: now.name,
        role: Role::Viewer,
        teams: now.teams,
        languages: Vec::new(),
    };
    assert!(store.change_agent(&eva, &to).await.unwrap());
    assert_eq!(call("POST", notes, r#"{"text":"seen"}"#, "eva").await.0, 403);
    assert!(store.remove_agent("eva").await.unwrap());
    let (status, told) = call("GET", "/v1/cases", "", "eva").await;
    assert!(status == 401 && told.contains("no account any more"), "{status} {told}");
    house.service.stop().await;
}
