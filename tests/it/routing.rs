//! Waiting cases go to the people who fit, once, move on when they do not take them, and come back when they disappear.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use firstline::assistant::{Assistant, Proposer, Situation};
use firstline::config::{Config, Environment, Sources};
use firstline::desk::act::{self, ActError, Actor, Assignee, At};
use firstline::desk::routing;
use firstline::domain::case::{Case, CaseState};
use firstline::domain::event::first_broken;
use firstline::domain::ids::{AgentId, CaseId, ProcedureId, TeamId};
use firstline::domain::routing::{Presence, Wait};
use firstline::domain::team::Agent;
use firstline::domain::time::Clock;
use firstline::pipeline::Pipeline;
use firstline::store::{Abilities, Change, Store};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::store::things::{case, case_id, event, first, unit};
use crate::store::{Record, on_both};
use crate::support::service::Service;
use crate::support::world::{ManualClock, clock, message, process};

pub(crate) mod crowd;

on_both! {
    a_waiting_case_is_offered_once_to_whoever_fits_and_says_why
    an_offer_that_is_not_taken_goes_on_and_the_case_keeps_its_place
    only_whoever_is_offered_a_case_accepts_it_and_twice_is_once
    a_case_taken_by_hand_is_offered_to_nobody_any_more
    whoever_turns_busy_is_offered_nothing_and_what_was_offered_goes_on
    processes_that_route_at_once_offer_each_case_once_and_nobody_too_much
    whoever_disappears_gives_their_cases_back_at_the_place_they_had
    a_jump_of_the_clock_throws_nobody_out
    a_program_sees_the_queue_says_who_is_there_and_answers_offers
    the_first_answer_stops_the_clock_and_later_customers_hear_how_long_it_takes
}

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const WARRANTY: &str =
    "---\nid: warranty\ntitle: Warranty\nexamples: [it broke]\nskills: [warranty]\n---\nAsk what broke.\n";
const SETTINGS: &str = r#"
[[teams]]
id = "support"
name = "Support"
[routing]
default_team = "support"
"#;

/// Routing asks no assistant.
struct Nobody;

impl Assistant for Nobody {
    fn begin(&self, _: Situation) -> Box<dyn Proposer> {
        panic!("nobody asks it")
    }
}

struct Floor {
    pipeline: Arc<Pipeline>,
    clock: Arc<ManualClock>,
    config: Config,
}

impl Floor {
    async fn open(record: &Record) -> Self {
        let mut config = Config::load(Sources {
            file: Some((SETTINGS, Path::new("firstline.toml"))),
            workspace: PathBuf::new(),
            environment: Environment::default(),
        })
        .unwrap();
        config.database.url = record.database.url();
        let clock = clock();
        let pipeline = Self::another(&config, &clock).await;
        Self { pipeline, clock, config }
    }

    async fn another(config: &Config, clock: &Arc<ManualClock>) -> Arc<Pipeline> {
        process(config.clone(), clock.clone(), &[("warranty", WARRANTY)], Arc::new(Nobody)).await
    }

    fn store(&self) -> &Store {
        &self.pipeline.parts().store
    }

    async fn hire(&self, login: &str, languages: &[&str], skills: &[&str]) -> AgentId {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        let agent = Agent {
            teams: vec![TeamId::parse("support").unwrap()],
            languages: words(languages),
            ..crate::store::accounts::agent(login)
        };
        assert!(self.store().add_agent(&agent).await.unwrap());
        let abilities = Abilities { skills: words(skills), ..Abilities::default() };
        self.store().set_abilities(&agent.id, &abilities).await.unwrap();
        self.say(&agent.id, Presence::Online).await;
        agent.id
    }

    async fn say(&self, agent: &AgentId, chosen: Presence) {
        self.store().choose_presence(agent, chosen, self.clock.now()).await.unwrap();
    }

    /// A case that begins to wait now.
    async fn wait(&self, name: &str, change: impl FnOnce(&mut Case)) {
        self.store().commit(first(name)).await.unwrap();
        let now = self.clock.now();
        let mut waiting = Case {
            version: 2,
            team: Some(TeamId::parse("support").unwrap()),
            state: CaseState::Queued,
            wait: Wait { since: Some(now), due_at: Some(now.plus_ms(MINUTE)), ..Wait::default() },
            event_hash: event(name, 1).hash,
            updated_at: now,
            ..case(name)
        };
        change(&mut waiting);
        self.store().commit(unit(name, vec![Change::Case(waiting)])).await.unwrap();
    }

    async fn case(&self, name: &str) -> Case {
        self.store().case_fresh(&case_id(name)).await.unwrap().unwrap().case.clone()
    }

    /// To whom the case is offered.
    async fn offered(&self, name: &str) -> Option<AgentId> {
        self.case(name).await.wait.offer.map(|offer| offer.agent)
    }

    /// The log of the case after its first message: kinds, and how each offer ended.
    async fn log(&self, name: &str) -> Vec<String> {
        let events = self.store().events(&case_id(name), 0, 1000).await.unwrap();
        assert_eq!(first_broken(&events), None);
        let line = |event: &firstline::domain::event::Event| {
            let body: Value = serde_json::from_str(&event.body).unwrap();
            let agent = body["agent"].as_str().unwrap_or("nobody").trim_start_matches("agent-").to_owned();
            let how = body["how"].as_str().unwrap_or(&event.kind).to_owned();
            format!("{how} {agent}")
        };
        events.iter().skip(1).map(line).collect()
    }

    /// Lets time pass in steps of a few rounds, with a beat of these people's pages in each.
    async fn pass(&self, ms: i64, present: &[&AgentId]) {
        let step = 20 * SECOND;
        for _ in 0..ms / step {
            self.clock.advance(step);
            for agent in present {
                self.store().seen(agent, self.clock.now()).await.unwrap();
            }
            self.pipeline.route().await;
        }
    }

    fn at<'a>(&'a self, actor: &'a Actor, case: &'a CaseId) -> At<'a> {
        let parts = self.pipeline.parts();
        At { store: &parts.store, clock: parts.clock.as_ref(), channels: &parts.channels, actor, case }
    }
}

async fn a_waiting_case_is_offered_once_to_whoever_fits_and_says_why(record: Arc<Record>) {
    let floor = Box::pin(Floor::open(&record)).await;
    floor.hire("bob", &["en"], &["warranty"]).await;
    floor.hire("cleo", &["de"], &[]).await;
    let anna = floor.hire("anna", &["de", "en"], &["warranty"]).await;
    floor
        .wait("broken", |case| {
            "de".clone_into(&mut case.language);
            case.intent = Some(ProcedureId::parse("warranty").unwrap());
        })
        .await;
    for _ in 0..3 {
        floor.pipeline.route().await;
    }
    let offer = floor.case("broken").await.wait.offer.unwrap();
    assert_eq!(offer.agent, anna);
    assert_eq!(offer.because, ["is in Support", "speaks German", "knows warranty", "0 of 5 taken"]);
    assert_eq!(offer.expires_at.ms_since(offer.at), floor.config.routing.offer_ms);
    assert_eq!(floor.log("broken").await, ["offered anna"]);
}

async fn an_offer_that_is_not_taken_goes_on_and_the_case_keeps_its_place(record: Arc<Record>) {
    let floor = Box::pin(Floor::open(&record)).await;
    let anna = floor.hire("anna", &["en"], &[]).await;
    floor.wait("asked", |_| {}).await;
    let before = floor.case("asked").await.wait;
    floor.pipeline.route().await;
    let bob = floor.hire("bob", &["en"], &[]).await;
    floor.pass(MINUTE, &[&anna, &bob]).await;
    assert_eq!(floor.offered("asked").await, Some(bob.clone()), "it goes on after its time");
    let (actor, id) = (Actor::Agent(bob.clone()), case_id("asked"));
    routing::decline(floor.at(&actor, &id)).await.unwrap();
    floor.pass(MINUTE, &[&anna, &bob]).await;
    assert_eq!(floor.offered("asked").await, None, "neither is asked again at once");
    floor.pass(4 * MINUTE, &[&anna, &bob]).await;
    assert_eq!(floor.offered("asked").await, Some(anna), "nobody else fits, and some time has passed");
    let expected = ["offered anna", "expired anna", "offered bob", "declined bob", "offered anna"];
    assert_eq!(floor.log("asked").await, expected);
    let after = floor.case("asked").await.wait;
    assert_eq!((after.since, after.due_at), (before.since, before.due_at));
}

async fn only_whoever_is_offered_a_case_accepts_it_and_twice_is_once(record: Arc<Record>) {
    let floor = Box::pin(Floor::open(&record)).await;
    let anna = floor.hire("anna", &["en"], &[]).await;
    floor.wait("asked", |_| {}).await;
    floor.pipeline.route().await;
    let bob = floor.hire("bob", &["en"], &[]).await;
    let id = case_id("asked");
    let (hers, his) = (Actor::Agent(anna.clone()), Actor::Agent(bob));
    for act in [routing::accept(floor.at(&his, &id)).await, routing::decline(floor.at(&his, &id)).await] {
        assert!(matches!(act, Err(ActError::NoOffer)), "{act:?}");
    }
    let twice =
        join_all([routing::accept(floor.at(&hers, &id)), routing::accept(floor.at(&hers, &id))]).await;
    assert!(twice.iter().all(Result::is_ok), "{twice:?}");
    let late = routing::decline(floor.at(&hers, &id)).await;
    assert!(matches!(late, Err(ActError::NoOffer)), "{late:?}");
    let taken = floor.case("asked").await;
    assert_eq!((taken.state, taken.agent, taken.wait.offer), (CaseState::Agent, Some(anna), None));
    assert_eq!(floor.log("asked").await, ["offered anna", "assigned anna", "accepted anna"]);
}

async fn a_case_taken_by_hand_is_offered_to_nobody_any_more(record: Arc<Record>) {
    let floor = Box::pin(Floor::open(&record)).await;
    let anna = floor.hire("anna", &["en"], &[]).await;
    floor.wait("asked", |_| {}).await;
    floor.pipeline.route().await;
    let bob = floor.hire("bob", &["en"], &[]).await;
    let (actor, id) = (Actor::Agent(bob.clone()), case_id("asked"));
    act::assign(floor.at(&actor, &id), &Assignee::Agent(bob), None).await.unwrap();
    floor.pass(2 * MINUTE, &[&anna]).await;
    assert_eq!(floor.log("asked").await, ["offered anna", "assigned bob", "withdrawn anna"]);
}

async fn whoever_turns_busy_is_offered_nothing_and_what_was_offered_goes_on(record: Arc<Record>) {
    let floor = Box::pin(Floor::open(&record)).await;
    let anna = floor.hire("anna", &["en"], &[]).await;
    floor.wait("asked", |_| {}).await;
    floor.pipeline.route().await;
    floor.say(&anna, Presence::Busy).await;
    let bob = floor.hire("bob", &["en"], &[]).await;
    floor.pipeline.route().await;
    assert_eq!(floor.log("asked").await, ["offered anna", "withdrawn anna", "offered bob"]);
    // Who was interrupted has not let it pass: back online they are asked again at once.
    floor.say(&anna, Presence::Online).await;
    floor.say(&bob, Presence::Away).await;
    floor.pipeline.route().await;
    assert_eq!(floor.offered("asked").await, Some(anna));
}

async fn processes_that_route_at_once_offer_each_case_once_and_nobody_too_much(record: Arc<Record>) {
    let floor = Box::pin(Floor::open(&record)).await;
    for login in ["anna", "bob", "cleo"] {
        floor.hire(login, &["en"], &[]).await;
    }
    for at in 0..24 {
        floor.wait(&format!("w{at}"), |_| {}).await;
    }
    let others = [
        Floor::another(&floor.config, &floor.clock).await,
        Floor::another(&floor.config, &floor.clock).await,
    ];
    for _ in 0..4 {
        join_all(others.iter().chain([&floor.pipeline]).map(|pipeline| pipeline.route())).await;
    }
    let open = floor.store().open_offers(None).await.unwrap();
    assert_eq!(open.len(), 15, "three people with room for five each");
    for login in ["agent-anna", "agent-bob", "agent-cleo"] {
        let theirs = open.iter().filter(|offer| offer.agent.as_str() == login).count();
        assert_eq!(theirs, 5, "{login}");
    }
    for at in 0..24 {
        let log = floor.log(&format!("w{at}")).await;
        assert!(log.len() <= 1, "{log:?}");
    }
}

async fn whoever_disappears_gives_their_cases_back_at_the_place_they_had(record: Arc<Record>) {
    let floor = Box::pin(Floor::open(&record)).await;
    let (anna, bob) = (floor.hire("anna", &["en"], &[]).await, floor.hire("bob", &["en"], &[]).await);
    let of = |agent: &AgentId| {
        let agent = agent.clone();
        move |case: &mut Case| (case.state, case.agent) = (CaseState::Agent, Some(agent))
    };
    floor.wait("left", of(&anna)).await;
    floor.wait("kept", of(&bob)).await;
    floor
        .wait("answered", |case| {
            of(&anna)(case);
            case.answered_seq = case.inbound_seq;
        })
        .await;
    let before = floor.case("left").await.wait;
    let abandon_ms = floor.config.routing.abandon_ms;
    floor.pass(abandon_ms - MINUTE, &[&bob]).await;
    assert_eq!(
        floor.case("left").await.agent,
        Some(anna.clone()),
        "a lost connection is forgiven for a while"
    );
    floor.pass(2 * MINUTE, &[&bob]).await;
    let log = floor.log("left").await;
    assert_eq!(log[0], "assigned nobody", "{log:?}");
    assert_eq!(log[1], "offered bob", "{log:?}");
    let after = floor.case("left").await.wait;
    assert_eq!((after.since, after.due_at), (before.since, before.due_at));
    assert_eq!(floor.case("kept").await.agent, Some(bob));
    assert_eq!(floor.case("answered").await.agent, Some(anna.clone()), "nobody waits there");
    let heard = floor.store().presence(&anna).await.unwrap().unwrap();
    assert_eq!(heard.chosen, Presence::Away, "and she is away until she says otherwise");
}

async fn a_jump_of_the_clock_throws_nobody_out(record: Arc<Record>) {
    let floor = Box::pin(Floor::open(&record)).await;
    let (anna, bob) = (floor.hire("anna", &["en"], &[]).await, floor.hire("bob", &["en"], &[]).await);
    floor.wait("hers", |case| (case.state, case.agent) = (CaseState::Agent, Some(anna.clone()))).await;
    floor.pass(11 * MINUTE, &[&anna, &bob]).await;
    floor.wait("offered", |_| {}).await;
    floor.pipeline.route().await;
    let to = floor.offered("offered").await.unwrap();
    for jump in [60 * MINUTE, -120 * MINUTE, 365 * 24 * 60 * MINUTE] {
        floor.clock.advance(jump);
        floor.pipeline.route().await;
        assert_eq!(floor.offered("offered").await, Some(to.clone()), "after {jump} ms");
        assert_eq!(floor.case("hers").await.agent, Some(anna.clone()), "after {jump} ms");
        floor.store().seen(&anna, floor.clock.now()).await.unwrap();
        floor.store().seen(&bob, floor.clock.now()).await.unwrap();
    }
    // A new case is offered right after the jump, and whoever is really gone is found out all the same.
    floor.wait("later", |_| {}).await;
    floor.pipeline.route().await;
    assert!(floor.offered("later").await.is_some());
    floor.pass(floor.config.routing.abandon_ms + 2 * MINUTE, &[&bob]).await;
    assert_eq!(floor.case("hers").await.agent, None);
}

async fn a_program_sees_the_queue_says_who_is_there_and_answers_offers(record: Arc<Record>) {
    let service = Service::new(&record.database.url(), |_| {}).await;
    let anna = crate::store::accounts::agent("anna");
    let anna = Agent { languages: Vec::new(), ..anna };
    assert!(service.app.store.add_agent(&anna).await.unwrap());
    let accepted =
        service.app.pipeline.ingest_for_people(message("m1", "hello"), "person_asked").await.unwrap();
    let case = format!("/v1/cases/{}", accepted.case);
    let queue = async || service.get("/v1/queue").await.json()["items"].clone();
    let waiting = queue().await[0].clone();
    assert_eq!((&waiting["nobody_because"], &waiting["offer"]), (&json!("nobody is online"), &json!(null)));
    assert_eq!((&waiting["level"], &waiting["reason"]), (&json!(1), &json!("person_asked")));
    assert!(waiting["due_at"].as_str() > waiting["waiting_since"].as_str(), "{waiting}");
    for (body, status, says) in [
        (json!({}), 400, "agent"),
        (json!({"agent": "anna", "status": "asleep"}), 400, "status"),
        (json!({"agent": "nobody", "status": "online"}), 422, "no agent"),
        (json!({"agent": "anna", "status": "online"}), 200, "online"),
    ] {
        let told = service.call("PUT", "/v1/presence", &body).await;
        assert_eq!(told.status.as_u16(), status, "{body}");
        assert!(told.json().to_string().contains(says), "{}", told.json());
    }
    service.app.pipeline.route().await;
    let offered = service.get(&case).await.json();
    assert_eq!(offered["offer"]["agent_id"], json!(anna.id));
    assert_eq!(offered["offer"]["because"], json!(["0 of 5 taken"]));
    assert_eq!(queue().await[0]["nobody_because"], json!(null));
    let there = service.get("/v1/presence").await.json();
    let (status, taken) = (&there["items"][0]["status"], &there["items"][0]["taken"]);
    assert_eq!((status, taken), (&json!("online"), &json!(0.2)), "an offer weighs like a case");
    let act = async |name: &str, body: Value| {
        let answer = service.call("POST", &format!("{case}/{name}"), &body).await;
        (answer.status.as_u16(), answer.json())
    };
    assert_eq!(act("accept", json!({})).await.0, 400, "a program accepts for somebody");
    assert_eq!(act("decline", json!({"agent": "anna"})).await.0, 200);
    let (late, told) = act("accept", json!({"agent": "anna"})).await;
    assert_eq!((late, &told["error"]["code"]), (409, &json!("not_offered")));
    assert_eq!(queue().await[0]["nobody_because"], json!("everybody who fits has let it pass"));
    service.stop().await;
}

async fn the_first_answer_stops_the_clock_and_later_customers_hear_how_long_it_takes(record: Arc<Record>) {
    let floor = Box::pin(Floor::open(&record)).await;
    let anna = floor.hire("anna", &["en"], &[]).await;
    let actor = Actor::Agent(anna);
    let told = async |at: usize| {
        let id = format!("m{at}");
        let mut first = message(&id, "hello");
        (first.sender.address, first.sender.external_id) = (id.clone(), Some(id.clone()));
        first.conversation = id;
        let accepted = floor.pipeline.ingest_for_people(first, "person_asked").await.unwrap();
        let messages = floor.store().transcript(&accepted.case).await.unwrap();
        (accepted.case, messages.last().unwrap().text.clone())
    };
    let usual = "within about 5 minutes";
    for at in 0..20 {
        let (case, words) = told(at).await;
        assert!(!words.contains(usual), "{at} waits are too few: {words}");
        floor.clock.advance(4 * MINUTE);
        for text in ["Hello, this is Anna.", "And one more thing."] {
            let reply = act::Reply { text: text.to_owned(), ..act::Reply::default() };
            act::reply(floor.at(&actor, &case), reply).await.unwrap();
            floor.clock.advance(MINUTE);
        }
        let wait = floor.store().case_fresh(&case).await.unwrap().unwrap().case.wait.clone();
        assert_eq!(wait.answered_at.unwrap().ms_since(wait.since.unwrap()), 4 * MINUTE, "the first counts");
        let events = floor.store().events(&case, 0, 100).await.unwrap();
        let first: Vec<Value> = events
            .iter()
            .filter(|event| event.kind == "agent_replied")
            .map(|event| serde_json::from_str::<Value>(&event.body).unwrap()["first_answer"].clone())
            .collect();
        assert_eq!((&first[0]["met"], &first[0]["waited_ms"]), (&json!(true), &json!(4 * MINUTE)));
        assert_eq!(first[1], json!(null));
    }
    let (_, words) = told(20).await;
    assert!(words.contains(usual), "{words}");
}
