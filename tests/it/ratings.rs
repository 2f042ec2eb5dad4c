//! What customers think of how their case was settled: asked once, inside the rules of the channel, and counted for whoever
//! settled it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use axum::{Json, Router};
use firstline::config::{Config, Environment, Sources, setting_name};
use firstline::desk::act::{self, Actor, At};
use firstline::domain::assurance::Assurance;
use firstline::domain::case::{Case, CaseState, Resolution, SettledAs};
use firstline::domain::event::EventKind;
use firstline::domain::ids::CaseId;
use firstline::domain::message::{InboundMessage, Message, Sender};
use firstline::domain::rating::{Rating, Scale, Score};
use firstline::domain::turn::Outcome;
use firstline::pipeline::{Pipeline, RateError};
use firstline::providers::voice::Call;
use firstline::providers::{self, Outbox, ProviderCall};
use firstline::store::{CaseFilter, Page, Store};
use http::Method;
use serde_json::{Value, json};

use crate::deliver::Says;
use crate::store::{Record, on_both};
use crate::support::connected::{Connected, serve};
use crate::support::world::{ManualClock, clock, message, parts};

on_both! {
    a_customer_is_asked_once_and_a_bare_number_is_the_answer_and_no_request
    a_word_with_the_number_is_kept_and_answered
    a_number_that_answers_something_else_is_no_rating
    the_assistant_and_people_are_asked_about_apart
    nobody_is_asked_who_may_not_be_or_was_asked_lately
    a_link_of_ours_rates_once_and_any_other_is_nothing
    a_question_that_does_not_arrive_alarms_nobody
}

const ANSWER: &str = "That is done.";
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

struct World {
    pipeline: Arc<Pipeline>,
    clock: Arc<ManualClock>,
}

impl World {
    async fn new(record: &Record, more: &[(&str, &str)]) -> Self {
        let sms = providers::all().into_iter().find(|one| one.channel() == "sms").unwrap();
        let api = serve(sms.router(Outbox::default())).await;
        let mut environment = Environment::default().with("FIRSTLINE__SATISFACTION__ENABLED", "true");
        for (section, key, value) in sms.settings(&api, "") {
            environment = environment.with(&setting_name(section, key), &value);
        }
        for (name, value) in more {
            environment = environment.with(name, value);
        }
        let mut config = Config::load(Sources { environment, ..Sources::default() }).unwrap();
        config.database.url = record.database.url();
        let clock = clock();
        let pipeline = Pipeline::new(
            parts(config, clock.clone(), &[], Arc::new(Says(Some(Resolution::Answered), ANSWER))).await,
        );
        Self { pipeline, clock }
    }

    fn store(&self) -> &Store {
        &self.pipeline.parts().store
    }

    async fn takes(&self, message: InboundMessage) -> Case {
        let sent = self.pipeline.enqueue(message).await.unwrap();
        self.pipeline.drain().await;
        self.case(&sent.case).await
    }

    async fn case(&self, id: &CaseId) -> Case {
        self.store().case_fresh(id).await.unwrap().unwrap().case.clone()
    }

    async fn last(&self, case: &Case) -> Arc<Message> {
        self.store().transcript(&case.id).await.unwrap().pop().unwrap()
    }

    /// So much later, with what time brings about.
    async fn later(&self, ms: i64) {
        self.clock.advance(ms);
        self.pipeline.tidy_up().await;
        self.pipeline.drain().await;
    }

    async fn log(&self, case: &Case, kind: EventKind) -> Vec<Value> {
        let events = self.store().events(&case.id, 0, 1000).await.unwrap();
        let of_kind = events.into_iter().filter(|event| event.kind == kind.as_str());
        of_kind.map(|event| serde_json::from_str(&event.body).unwrap()).collect()
    }

    async fn rating(&self, case: &Case) -> Option<Rating> {
        self.store().rating(&case.id).await.unwrap()
    }
}

fn chat(id: &str, text: &str) -> InboundMessage {
    InboundMessage { channel: "web_chat".to_owned(), ..message(id, text) }
}

fn of(person: &str, id: &str, text: &str) -> InboundMessage {
    let known = chat(&format!("{person}-{id}"), text);
    let sender = Sender { address: person.to_owned(), external_id: Some(person.to_owned()), ..known.sender };
    InboundMessage { conversation: person.to_owned(), sender, ..known }
}

fn text_of(number: &str, id: &str, text: &str) -> InboundMessage {
    let known = message(id, text);
    let sender = Sender {
        address: number.to_owned(),
        assurance: Assurance::Claimed,
        proof: "caller_id",
        external_id: None,
        ..known.sender
    };
    InboundMessage { channel: "sms".to_owned(), conversation: number.to_owned(), sender, ..known }
}

async fn a_customer_is_asked_once_and_a_bare_number_is_the_answer_and_no_request(record: Arc<Record>) {
    let world = World::new(&record, &[]).await;
    let case = world.takes(chat("1", "where is my parcel")).await;
    world.later(9 * MINUTE_MS).await;
    assert_eq!(world.rating(&case).await, None, "not while they may still write");
    world.later(2 * MINUTE_MS).await;
    let asked = world.last(&case).await;
    assert!(asked.text.starts_with("How did we do?"), "{}", asked.text);
    assert_eq!(asked.choices, ["1", "2", "3", "4", "5"]);
    let body = json!({"channel": "web_chat", "of": "assistant"});
    assert_eq!(world.log(&case, EventKind::RatingAsked).await, [body]);
    let before = world.case(&case.id).await;
    let sent = world.pipeline.enqueue(chat("2", "4")).await.unwrap();
    assert_eq!(sent.case, case.id);
    let ended = world.pipeline.wait(&sent, 0).await.unwrap();
    assert_eq!((ended.outcome, ended.replies.len()), (Some(Outcome::Replied), 1));
    let after = world.case(&case.id).await;
    assert_eq!((after.state, after.resolution), (CaseState::Resolved, Some(Resolution::Answered)));
    assert_eq!(after.resolved_at, before.resolved_at);
    assert!(world.log(&case, EventKind::Reopened).await.is_empty());
    assert_eq!(world.last(&case).await.text, "Thank you for your answer.");
    let rated = world.log(&case, EventKind::Rated).await.remove(0);
    assert_eq!(
        (&rated["score"], &rated["scale"], &rated["of"], &rated["comment"]),
        (&json!(4), &json!("five"), &json!("assistant"), &json!(false))
    );
    let (score, _) = world.rating(&case).await.unwrap().score.unwrap();
    assert_eq!(score, Score { points: 4, scale: Scale::Five, comment: None });
    // The same message again is known, a second number is a message like any other, and nobody asks again.
    assert!(world.pipeline.enqueue(chat("2", "4")).await.unwrap().duplicate);
    world.takes(chat("3", "5")).await;
    world.later(DAY_MS / 2).await;
    assert_eq!(world.log(&case, EventKind::RatingAsked).await.len(), 1);
    assert_eq!(world.log(&case, EventKind::Rated).await.len(), 1);
}

async fn a_word_with_the_number_is_kept_and_answered(record: Arc<Record>) {
    let world = World::new(&record, &[("FIRSTLINE__SATISFACTION__SCALE", "thumbs")]).await;
    let case = world.takes(chat("1", "where is my parcel")).await;
    world.later(11 * MINUTE_MS).await;
    assert_eq!(world.last(&case).await.choices, ["👎", "👍"]);
    world.takes(chat("2", "👎 and the second parcel is late too")).await;
    let (score, _) = world.rating(&case).await.unwrap().score.unwrap();
    assert_eq!((score.points, score.scale), (1, Scale::Thumbs));
    assert_eq!(score.comment.as_deref(), Some("and the second parcel is late too"));
    assert_eq!(world.last(&case).await.text, ANSWER, "what was said beside it is answered");
}

async fn a_number_that_answers_something_else_is_no_rating(record: Arc<Record>) {
    let world = World::new(&record, &[]).await;
    let case = world.takes(chat("1", "where is my parcel")).await;
    // Nobody was asked.
    world.takes(chat("2", "3")).await;
    assert_eq!(world.rating(&case).await, None);
    world.later(11 * MINUTE_MS).await;
    // They wrote since.
    world.takes(chat("3", "where is my other parcel")).await;
    world.takes(chat("4", "2")).await;
    assert_eq!(world.rating(&case).await.unwrap().score, None);
    // Too late.
    let late = world.takes(of("bob", "1", "where is my parcel")).await;
    world.later(11 * MINUTE_MS).await;
    assert!(world.rating(&late).await.unwrap().message.is_some());
    world.clock.advance(8 * DAY_MS);
    world.takes(of("bob", "2", "2")).await;
    assert_eq!(world.rating(&late).await.unwrap().score, None);
}

async fn the_assistant_and_people_are_asked_about_apart(record: Arc<Record>) {
    let world = World::new(&record, &[]).await;
    let case = world.takes(chat("1", "where is my parcel")).await;
    let agent = crate::store::accounts::agent("ann");
    world.store().add_agent(&agent).await.unwrap();
    let actor = Actor::Agent(agent.id.clone());
    let parts = world.pipeline.parts();
    let at = At {
        store: &parts.store,
        clock: parts.clock.as_ref(),
        channels: &parts.channels,
        actor: &actor,
        case: &case.id,
    };
    act::reply(at, act::Reply { text: "I have looked.".to_owned(), ..act::Reply::default() }).await.unwrap();
    act::resolve(at, SettledAs::Solved).await.unwrap();
    world.later(11 * MINUTE_MS).await;
    world.takes(chat("2", "5")).await;
    let of = format!("agent:{}", agent.id);
    assert_eq!(world.rating(&case).await.unwrap().of, of);
    assert_eq!(world.log(&case, EventKind::Rated).await[0]["of"], json!(of));
}

async fn nobody_is_asked_who_may_not_be_or_was_asked_lately(record: Arc<Record>) {
    let world = World::new(&record, &[]).await;
    let stopped = world.takes(text_of("+14155550101", "1", "where is my parcel")).await;
    let stop = world.takes(text_of("+14155550101", "2", "stop")).await;
    assert_eq!(stop.id, stopped.id);
    let asked = world.takes(of("ann", "1", "where is my parcel")).await;
    world.later(11 * MINUTE_MS).await;
    assert!(world.rating(&asked).await.unwrap().message.is_some());
    let skipped = world.rating(&stopped).await.unwrap();
    assert_eq!((skipped.message, skipped.skipped.as_deref()), (None, Some("opted_out")));
    assert!(world.log(&stopped, EventKind::RatingAsked).await.is_empty());
    // Another matter of the same customer, in another thread, within the month.
    let other =
        InboundMessage { conversation: "elsewhere".to_owned(), ..of("ann", "2", "do you sell tents") };
    world.clock.advance(8 * DAY_MS);
    let other = world.takes(other).await;
    assert_ne!(other.id, asked.id);
    world.later(11 * MINUTE_MS).await;
    assert_eq!(world.rating(&other).await, None);
    // Switched on late, nobody is asked about what was settled long ago.
    let quiet = World::new(&record, &[("FIRSTLINE__SATISFACTION__ENABLED", "false")]).await;
    let old = quiet.takes(of("cid", "1", "where is my parcel")).await;
    quiet.later(11 * MINUTE_MS).await;
    assert_eq!(quiet.rating(&old).await, None);
    world.later(2 * DAY_MS).await;
    assert_eq!(world.rating(&old).await, None);
}

async fn a_link_of_ours_rates_once_and_any_other_is_nothing(record: Arc<Record>) {
    let world = World::new(&record, &[]).await;
    let case = world.takes(chat("1", "where is my parcel")).await;
    let seal = world.store().seal("rating", case.id.as_str()).await.unwrap();
    let token = format!("{}.{seal}", case.id);
    assert_eq!(world.pipeline.case_of_rating_link(&token).await.unwrap(), Some(case.id.clone()));
    for forged in ["", ".", &seal, &format!("{}.", case.id), &format!("other.{seal}"), &format!("{token}0")] {
        assert_eq!(world.pipeline.case_of_rating_link(forged).await.unwrap(), None, "{forged}");
    }
    let score = Score { points: 2, scale: Scale::Five, comment: Some("slow".to_owned()) };
    world.pipeline.rate(&case.id, "email", &score).await.unwrap();
    let again = world.pipeline.rate(&case.id, "email", &Score { points: 5, ..score.clone() }).await;
    assert!(matches!(again, Err(RateError::Before)));
    assert_eq!(world.rating(&case).await.unwrap().score.map(|(score, _)| score), Some(score));
    assert_eq!(world.log(&case, EventKind::Rated).await.len(), 1);
    let open = world.takes(text_of("+14155550104", "1", "where is my parcel")).await;
    let parts = world.pipeline.parts();
    let actor = Actor::Program("test".to_owned());
    let at = At {
        store: &parts.store,
        clock: parts.clock.as_ref(),
        channels: &parts.channels,
        actor: &actor,
        case: &open.id,
    };
    act::reopen(at, &parts.desk).await.unwrap();
    let score = Score { points: 2, scale: Scale::Five, comment: None };
    let early = world.pipeline.rate(&open.id, "in_app", &score).await;
    assert!(matches!(early, Err(RateError::NotResolved(CaseState::Queued))));
}

async fn a_question_that_does_not_arrive_alarms_nobody(record: Arc<Record>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let first_only = move || {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        let status = if first { StatusCode::CREATED } else { StatusCode::BAD_REQUEST };
        std::future::ready((status, Json(json!({"sid": "SM1", "code": 21211, "message": "no such number"}))))
    };
    let api = serve(Router::new().fallback(first_only)).await;
    let world = World::new(&record, &[("FIRSTLINE__SMS__API_BASE", &api)]).await;
    let case = world.takes(text_of("+14155550105", "1", "where is my parcel")).await;
    world.later(11 * MINUTE_MS).await;
    assert!(world.rating(&case).await.unwrap().message.is_some());
    let now = world.case(&case.id).await;
    assert_eq!((now.state, now.resolution), (CaseState::Resolved, Some(Resolution::Answered)));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    let failed = world.store().deliveries(&case.id).await.unwrap().pop().unwrap();
    assert_eq!(failed.state, firstline::domain::delivery::DeliveryState::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_asked_before_the_call_ends_and_a_key_is_the_answer() {
    let desk = Connected::start("voice", &[]).await;
    let mut call = Call::begin(&desk.base(), "+14155550107", 1).await.unwrap();
    call.say("What are your store hours?").await.unwrap();
    let said = call.say("goodbye").await.unwrap().join(" ");
    assert!(said.contains("Press a key from 1 for poor to 5 for very good") && !call.over(), "{said}");
    let said = call.say("4").await.unwrap().join(" ");
    assert!(said.contains("Thank you for your answer") && call.over(), "{said}");
    let record = desk.record().await;
    let page = Page { cursor: None, limit: 10 };
    let (cases, _) = record.list_cases(&CaseFilter::default(), &page).await.unwrap();
    let rating = record.rating(&cases[0].id).await.unwrap().unwrap();
    assert_eq!(rating.score.map(|(score, _)| score.points), Some(4));
    assert_eq!((cases.len(), cases[0].state), (1, CaseState::Resolved));
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_the_link_of_a_mail_says_nothing_and_its_form_rates_once() {
    let desk = Connected::start("telegram", &[]).await;
    let call = desk.words(1, 1, "What are your store hours?");
    assert_eq!(desk.post(&call).await.0, 200);
    desk.sent(1).await;
    let record = desk.record().await;
    let page = Page { cursor: None, limit: 10 };
    let (cases, _) = record.list_cases(&CaseFilter::default(), &page).await.unwrap();
    let case = cases[0].id.clone();
    let seal = record.seal("rating", case.as_str()).await.unwrap();
    let path = format!("/rate/{case}.{seal}");
    let (status, shown) = desk.get(&path).await;
    assert_eq!(status, 200);
    for absent in ["<script", " style=", "onclick", "store hours"] {
        assert!(!shown.contains(absent), "{absent} in {shown}");
    }
    assert!(record.rating(&case).await.unwrap().is_none_or(|rating| rating.score.is_none()));
    assert_eq!(desk.get(&format!("/rate/{case}.0{seal}")).await.0, 404);
    let form = |body: &str| {
        let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        ProviderCall { method: Method::POST, target: path.clone(), headers, body: body.as_bytes().to_vec() }
    };
    let (status, shown) = desk.post(&form("comment=slow")).await;
    assert!(status == 200 && shown.contains("Please choose one of the answers"), "{shown}");
    let (status, shown) = desk.post(&form("score=2&comment=%3Cscript%3Eslow%0D%0Athen")).await;
    assert!(status == 200 && shown.contains("Thank you for your answer"), "{shown}");
    let (_, shown) = desk.post(&form("score=5")).await;
    assert!(shown.contains("already answered"), "{shown}");
    let (score, _) = record.rating(&case).await.unwrap().unwrap().score.unwrap();
    assert_eq!((score.points, score.comment.as_deref()), (2, Some("<script>slow\nthen")));
}
