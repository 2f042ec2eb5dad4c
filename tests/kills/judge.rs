//! What Promise 1 and 2 demand of a record and a shop, whatever happened to the process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use firstline::domain::case::{Case, CaseState};
use firstline::domain::delivery::{Delivery, DeliveryState};
use firstline::domain::event::{Event, first_broken};
use firstline::domain::message::{Author, Message};
use firstline::store::{CaseFilter, Page, Settings, Store};
use serde_json::Value;

use crate::service::{Ack, Outgoing};

/// The events that end a turn.
const ENDS: [&str; 4] = ["replied", "resolved", "handed_off", "silent"];

/// A message and what the channel was told about it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) message: Outgoing,
    pub(crate) ack: Ack,
}

/// A case with everything about it.
pub(crate) struct Whole {
    pub(crate) case: Case,
    events: Vec<Event>,
    messages: Vec<Arc<Message>>,
    deliveries: Vec<Delivery>,
}

/// A turn's end as the log has it.
struct End {
    turn: String,
    through: i64,
    speaks: bool,
}

/// Opens the record beside a running service.
pub(crate) async fn open(record: &Path) -> Store {
    let settings = Settings {
        poll_ms: 100,
        batch_units_max: 1,
        queue_units_max: 1,
        readers_max: 1,
        cached_cases_max: 1,
        recent_messages_max: 10,
        recent_receipts_max: 10,
        listeners: Vec::new(),
    };
    Store::open(&format!("sqlite://{}", record.display()), &settings).await.unwrap()
}

/// All cases of the record.
pub(crate) async fn read(store: &Store) -> Vec<Whole> {
    let page = Page { cursor: None, limit: 1000 };
    let (cases, _) = store.list_cases(&CaseFilter::default(), &page).await.unwrap();
    let mut all = Vec::new();
    for mut case in cases {
        // The service is at work: what was read belongs together when the case has not moved meanwhile.
        loop {
            let events = store.events(&case.id, 0, i64::MAX).await.unwrap();
            let messages = store.messages(&case.id, 0, 10_000).await.unwrap();
            let deliveries = store.deliveries(&case.id).await.unwrap();
            let now = store.case_fresh(&case.id).await.unwrap().unwrap().case.clone();
            if now.version == case.version {
                all.push(Whole { case, events, messages, deliveries });
                break;
            }
            case = now;
        }
    }
    all
}

/// Everything that breaks a promise, in words. `effects` is how often the shop may have been changed, and must be.
pub(crate) fn findings(cases: &[Whole], sent: &[Sent], shop: &Shop, effects: usize) -> Vec<String> {
    let mut found = Vec::new();
    for sent in sent {
        let homes =
            cases.iter().flat_map(|whole| &whole.messages).filter(|m| m.id.as_str() == sent.ack.message);
        match homes.count() {
            1 => {}
            0 => found.push(format!("{}: acknowledged and lost", sent.message.id)),
            count => found.push(format!("{}: stored {count} times", sent.message.id)),
        }
    }
    let ids: BTreeSet<&str> = sent.iter().map(|sent| sent.message.id.as_str()).collect();
    let written = |whole: &Whole| whole.messages.iter().filter(|m| m.author == Author::Customer).count();
    let stored: usize = cases.iter().map(written).sum();
    if stored > ids.len() {
        found.push(format!("{} messages were stored {stored} times", ids.len()));
    }
    for whole in cases {
        found.extend(whole.findings());
    }
    found.extend(shop.findings(effects));
    found
}

impl Whole {
    /// Every message has an end and nothing is left to deliver.
    pub(crate) fn quiet(&self) -> bool {
        self.unended().is_empty() && self.deliveries.iter().all(|delivery| self.settled(delivery))
    }

    /// It has left, or the log says that nobody knows and people have the case.
    fn settled(&self, delivery: &Delivery) -> bool {
        let logged = || {
            let told = self.events.iter().filter(|event| event.kind == "delivered");
            told.map(body)
                .any(|body| body["message"] == delivery.message.as_str() && body["state"] == "unknown")
        };
        match delivery.state {
            DeliveryState::Sent | DeliveryState::Delivered | DeliveryState::Read => true,
            DeliveryState::Unknown => self.case.state == CaseState::Queued && logged(),
            DeliveryState::Pending | DeliveryState::Failed | DeliveryState::Dropped => false,
        }
    }

    fn ends(&self) -> Vec<End> {
        let ends = self.events.iter().filter(|event| ENDS.contains(&event.kind.as_str()));
        ends.filter_map(|event| {
            let body = body(event);
            (!undelivered(event)).then(|| End {
                turn: body["turn"].as_str().unwrap().to_owned(),
                through: body["through"].as_i64().unwrap(),
                speaks: event.kind != "silent",
            })
        })
        .collect()
    }

    /// The customer's messages that reached no end.
    fn unended(&self) -> Vec<&Arc<Message>> {
        let reached = self.ends().iter().map(|end| end.through).max().unwrap_or(0);
        let people = matches!(self.case.state, CaseState::Queued | CaseState::Agent | CaseState::Snoozed);
        let open = |m: &&Arc<Message>| m.author == Author::Customer && m.seq > reached && !people;
        self.messages.iter().filter(open).collect()
    }

    fn findings(&self) -> Vec<String> {
        let mut found: Vec<String> =
            self.unended().iter().map(|m| format!("message {} of the case reached no end", m.seq)).collect();
        let ends = self.ends();
        let mut reached = 0;
        for end in &ends {
            // An end that reaches no further than the one before it would be a second end of the same messages.
            if end.speaks && end.through <= reached {
                found.push(format!("turn {} answers again what was answered", end.turn));
            }
            reached = reached.max(end.through);
        }
        let said: Vec<_> = self.messages.iter().filter(|m| m.author == Author::Assistant).collect();
        for end in &ends {
            let words =
                said.iter().filter(|m| m.turn.as_ref().is_some_and(|turn| turn.as_str() == end.turn)).count();
            if words != usize::from(end.speaks) {
                found.push(format!("turn {} ended and said {words} messages", end.turn));
            }
        }
        let undelivered = self.events.iter().filter(|event| undelivered(event)).count();
        if said.len() != ends.iter().filter(|end| end.speaks).count() + undelivered {
            found.push(format!("{} replies for {} ends", said.len(), ends.len()));
        }
        for message in said {
            let ways: Vec<_> = self.deliveries.iter().filter(|d| d.message == message.id).collect();
            if ways.len() != 1 || !ways.iter().all(|way| self.settled(way)) {
                found.push(format!("reply {} left like this: {ways:?}", message.seq));
            }
        }
        if let Some(place) = first_broken(&self.events) {
            found.push(format!("the log is broken at {place}"));
        }
        if self.case.event_seq != self.events.len() as i64 {
            found.push("the log and the case disagree".to_owned());
        }
        found
    }
}

/// What was answered and may not have arrived goes to people, who say so: that is no second answer.
fn undelivered(event: &Event) -> bool {
    event.kind == "handed_off" && body(event)["reason"].as_str().is_some_and(|r| r.starts_with("delivery_"))
}

fn body(event: &Event) -> Value {
    serde_json::from_str(&event.body).unwrap()
}

/// What the pushing channel was given: how often each message.
pub(crate) fn pushed(file: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(file).unwrap_or_default().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        *counts.entry(line["message"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

/// What was done in the shop, from its journal.
#[derive(Debug, Default)]
pub(crate) struct Shop {
    /// How often each change of each order took place.
    changes: BTreeMap<(String, String), usize>,
    /// How often a request came again under its key.
    repeats: usize,
}

impl Shop {
    pub(crate) fn read(journal: &Path) -> Self {
        let mut shop = Self::default();
        for line in std::fs::read_to_string(journal).unwrap().lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            match record["record"].as_str().unwrap() {
                "call" if record["change"]["kind"] != "unchanged" => {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    *shop.changes.entry((text(&record["order"]), text(&record["tool"]))).or_default() += 1;
                }
                "repeat" => shop.repeats += 1,
                _ => {}
            }
        }
        shop
    }

    fn findings(&self, effects: usize) -> Vec<String> {
        let mut found = Vec::new();
        for ((order, tool), count) in self.changes.iter().filter(|(_, count)| **count > 1) {
            found.push(format!("{tool} took effect {count} times on {order}"));
        }
        if self.repeats > 0 {
            found.push(format!("the shop was asked again {} times for what it may have done", self.repeats));
        }
        let total: usize = self.changes.values().sum();
        if total != effects {
            found.push(format!("{total} effects in the shop instead of {effects}"));
        }
        found
    }
}
