//! A clock that jumps ahead by a day and back by as much, in between everything: nothing is lost, said twice or counted
//! wrong, and nobody waits for a moment that only a wrong clock believed in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firstline::channels::ChannelError;
use firstline::desk::act::{self, ActError, Actor, At, Reply};
use firstline::domain::case::SettledAs;
use firstline::domain::delivery::DeliveryState;
use firstline::domain::ids::CaseId;
use firstline::domain::role::Role;
use firstline::domain::time::Clock as _;
use serde_json::{Value, json};

use super::{everything_adds_up, said, words_of};
use crate::deliver::{Office, REPLY};
use crate::measures::Dice;
use crate::store::{Record, on_both};
use crate::support::console::Console;
use crate::support::receiver::{EVERYTHING, Receiver};
use crate::support::service::Service;
use crate::support::world::{ManualClock, clock};
use crate::webhooks_out::TALK;

on_both! {
    whatever_the_clock_does_nothing_is_lost_said_twice_or_counted_wrong
    a_reply_does_not_wait_for_a_clock_that_was_set_back
    what_another_process_is_sending_is_left_to_it_when_the_clock_is_set_back
    who_is_told_does_not_wait_for_a_clock_that_was_set_back
    who_was_here_before_the_clock_was_set_back_is_not_here_for_ever
}

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const JUMPS: [i64; 9] = [0, 0, 1000, 60_000, 20 * 60_000, HOUR, DAY, -HOUR, -DAY];
const STEPS: u64 = 120;
const PEOPLE: u64 = 5;

/// Everything that leaves and comes in under a clock that jumps.
struct Shift {
    service: Service,
    clock: Arc<ManualClock>,
    dice: Dice,
    cases: BTreeMap<u64, CaseId>,
    /// Every text, and whose.
    written: Vec<String>,
    answered: BTreeMap<String, CaseId>,
}

impl Shift {
    async fn step(&mut self, step: u64) {
        let (person, act) = (self.dice.roll(PEOPLE), self.dice.roll(10));
        let name = format!("c{person}");
        let known = self.cases.get(&person).cloned();
        let Some(case) = known.filter(|_| act > 3) else {
            let text = if act == 0 {
                format!("{TALK} {step}")
            } else {
                format!("how are you, for the {step}th time")
            };
            let words = words_of(&name, &step.to_string(), &text);
            let accepted = self.service.app.pipeline.enqueue(words.clone()).await.unwrap();
            // A provider that has seen the clock jump delivers it again.
            self.clock.advance(JUMPS[self.dice.roll(9) as usize]);
            assert!(self.service.app.pipeline.enqueue(words).await.unwrap().duplicate);
            self.cases.insert(person, accepted.case);
            self.written.push(text);
            return;
        };
        let actor = Actor::Program("desk".to_owned());
        let parts = self.service.app.pipeline.parts();
        let at = At {
            store: &parts.store,
            clock: parts.clock.as_ref(),
            channels: &parts.channels,
            actor: &actor,
            case: &case,
        };
        let until = Some(self.clock.now().plus_ms(HOUR));
        let done = match act {
            4..7 => {
                let text = format!("answer {step}");
                let reply = Reply { id: Some(text.clone()), text: text.clone(), ..Reply::default() };
                let first = act::reply(at, reply.clone()).await;
                self.clock.advance(JUMPS[self.dice.roll(9) as usize]);
                let second = act::reply(at, reply).await;
                if first.is_ok() {
                    assert_eq!(first.as_ref().ok(), second.as_ref().ok(), "the same one");
                    self.answered.insert(text, case.clone());
                }
                first.map(drop)
            }
            7 => act::snooze(at, until).await.map(drop),
            8 => act::resolve(at, SettledAs::default()).await.map(drop),
            _ => act::give_back(at, None).await.map(drop),
        };
        assert!(matches!(done, Ok(()) | Err(ActError::Illegal(_))), "{done:?}");
    }

    /// What goes on by itself.
    async fn passes(&self) {
        let pipeline = &self.service.app.pipeline;
        pipeline.drain().await;
        pipeline.tidy_up().await;
        pipeline.route().await;
        pipeline.count().await;
    }
}

/// No figure of any report is below nothing.
fn no_figure_is_negative(value: &Value) {
    match value {
        Value::Number(number) => assert!(number.as_f64().unwrap() >= 0.0, "{number}"),
        Value::Array(all) => all.iter().for_each(no_figure_is_negative),
        Value::Object(all) => {
            let told = all.iter().filter(|(name, _)| *name != "change" && *name != "difference");
            told.for_each(|(_, value)| no_figure_is_negative(value));
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

async fn whatever_the_clock_does_nothing_is_lost_said_twice_or_counted_wrong(record: Arc<Record>) {
    let (clock, receiver) = (clock(), Receiver::start(&[]).await);
    let service = Service::at(&record.database.url(), clock.clone(), |config| {
        config.webhooks = vec![receiver.subscribes("all", &EVERYTHING)];
    })
    .await;
    let console = Console::of(&service);
    console.person(&service, "anna", Role::Agent).await;
    console.post("anna", "/console/presence", &[("status", "online")]).await;
    let (cases, answered) = (BTreeMap::new(), BTreeMap::new());
    let mut shift =
        Shift { service, clock: clock.clone(), dice: Dice(7), cases, written: Vec::new(), answered };
    for step in 0..STEPS {
        clock.advance(JUMPS[shift.dice.roll(9) as usize]);
        shift.step(step).await;
        shift.passes().await;
    }
    let store = &shift.service.app.store;
    // Everything was told and answered, whatever the clock says now.
    let open = record.database.read("select count(*) from turns where closed_at is null").await;
    assert_eq!((open, store.untold().await.unwrap()), (vec!["0".to_owned()], (0, 0)));
    for text in &shift.written {
        let found =
            record.database.read(&format!("select count(*) from messages where text = '{text}'")).await;
        assert_eq!(found, ["1"], "{text}");
    }
    assert!(shift.answered.len() > 10, "people came to answer");
    for (text, case) in &shift.answered {
        assert_eq!(said(store, case, text).await, 1, "{text}");
    }
    // No turn has spoken twice; and who subscribes heard each thing once, each case in its order.
    let mut turns = BTreeSet::new();
    for body in record.database.read("select body from events where kind = 'replied'").await {
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(turns.insert(body["turn"].as_str().unwrap().to_owned()), "{body}");
    }
    let (mut ids, mut places) = (BTreeSet::new(), BTreeMap::new());
    for call in receiver.calls() {
        assert!(ids.insert(call.header("webhook-id").to_owned()));
        let data = call.json()["data"].clone();
        if let Some(seq) = data["message"]["seq"].as_i64() {
            let before = places.insert(data["case_id"].to_string(), seq);
            assert!(before.is_none_or(|before| before < seq), "{data}");
        }
    }
    everything_adds_up(&record.store, &shift.service.app.pipeline).await;
    let report = shift.service.get("/v1/reports").await;
    assert_eq!(report.status.as_u16(), 200);
    no_figure_is_negative(&report.json());
    shift.service.stop().await;
}

async fn a_reply_does_not_wait_for_a_clock_that_was_set_back(record: Arc<Record>) {
    let office = Office::new(&record, None, vec![ChannelError::later("busy")]).await;
    // One was put off; the next has not been tried yet and waits behind it.
    office.write("m2", "and another thing").await;
    office.later(1).await;
    assert_eq!(office.states().await, [DeliveryState::Pending, DeliveryState::Pending]);
    office.later(-DAY).await;
    assert_eq!(office.states().await, [DeliveryState::Sent, DeliveryState::Sent]);
    assert_eq!(office.sent().len(), 3, "each left once, after the first try was refused");
    // Ahead and back again, nothing leaves a second time.
    for jump in [DAY, -DAY, DAY, HOUR, -HOUR] {
        office.later(jump).await;
    }
    assert_eq!(office.sent().len(), 3);
}

async fn what_another_process_is_sending_is_left_to_it_when_the_clock_is_set_back(record: Arc<Record>) {
    let office = Office::new(&record, None, vec![ChannelError::later("busy")]).await;
    office.clock.advance(1_000);
    let now = office.clock.now();
    assert_eq!(office.store().due_deliveries("them", now, 10_000, 9).await.unwrap().len(), 1);
    office.later(-DAY).await;
    assert_eq!(office.sent(), [REPLY], "it may be on its way");
    assert_eq!(office.states().await, [DeliveryState::Pending]);
}

async fn who_is_told_does_not_wait_for_a_clock_that_was_set_back(record: Arc<Record>) {
    let (clock, receiver) = (clock(), Receiver::start(&[]).await);
    let service = Service::at(&record.database.url(), clock.clone(), |config| {
        config.webhooks = vec![receiver.subscribes("all", &EVERYTHING)];
    })
    .await;
    receiver.answers(&[], 503);
    service.app.pipeline.enqueue(words_of("ann", "1", TALK)).await.unwrap();
    service.app.pipeline.drain().await;
    assert_eq!(receiver.kinds(), ["message.sent"]);
    receiver.answers(&[], 204);
    clock.advance(-DAY);
    service.app.pipeline.drain().await;
    assert_eq!(receiver.kinds(), ["message.sent", "message.sent", "case.handed_off"]);
    assert_eq!(service.app.store.untold().await.unwrap(), (0, 0));
    service.stop().await;
}

async fn who_was_here_before_the_clock_was_set_back_is_not_here_for_ever(record: Arc<Record>) {
    let clock = clock();
    let service = Service::at(&record.database.url(), clock.clone(), |_| {}).await;
    let console = Console::of(&service);
    for login in ["anna", "bob"] {
        console.person(&service, login, Role::Agent).await;
    }
    let accepted =
        service.app.pipeline.ingest_for_people(words_of("ann", "1", TALK), "person_asked").await.unwrap();
    let here = async |login: &str| -> Value {
        let told = console.post(login, &format!("/console/cases/{}/here", accepted.case), &[]).await;
        serde_json::from_str(&told.body).unwrap()
    };
    here("anna").await;
    assert_eq!(here("bob").await, json!({"others": [{"name": "anna", "writing": false}]}));
    clock.advance(-DAY);
    assert_eq!(here("bob").await, json!({"others": []}));
    here("anna").await;
    assert_eq!(here("bob").await["others"][0]["name"], "anna");
    service.stop().await;
}
