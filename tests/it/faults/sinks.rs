//! Others are down for a whole day, and the service is started again in between: whoever subscribes is told everything
//! once and in its order when they are back, and the customers of a desk that is gone are answered by our own people.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use firstline::config::{Config, SinkSettings};
use firstline::domain::ids::CaseId;
use firstline::providers::Outbox;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{everything_adds_up, said, words_of};
use crate::desks::stand_ins::{Held, StandIn};
use crate::desks::{KEY, answers, chatwoot, mail, sink, state, zendesk};
use crate::store::{Record, on_both};
use crate::support::receiver::{Call, EVERYTHING, Receiver};
use crate::support::service::Service;
use crate::support::world::{ManualClock, clock};
use crate::webhooks_out::{LIFE, TALK, a_life_of};

on_both! {
    a_subscriber_that_is_down_for_a_day_is_told_everything_once_and_in_its_order
    the_customers_of_a_desk_that_is_down_for_a_day_are_answered_by_our_own_people
}

const STEP_MS: i64 = 1_800_000;
const DAY: usize = 48;

async fn a_subscriber_that_is_down_for_a_day_is_told_everything_once_and_in_its_order(record: Arc<Record>) {
    let (down, up, clock) = (Receiver::start(&[]).await, Receiver::start(&[]).await, clock());
    let start = async || {
        let webhooks = vec![down.subscribes("down", &EVERYTHING), up.subscribes("up", &EVERYTHING)];
        Service::at(&record.database.url(), clock.clone(), |config| config.webhooks = webhooks).await
    };
    down.answers(&[], 503);
    let mut service = start().await;
    let mut cases = Vec::new();
    // The schedule of retries goes on for three days; this is as long as it takes after a day and one lost answer.
    for step in 0..3 * DAY {
        if [0, 9, 30].contains(&step) {
            let name = format!("c{step}");
            cases.push(a_life_of(&service, words_of(&name, &name, TALK)).await);
        }
        if [5, 40, DAY + 7].contains(&step) {
            service.stop().await;
            service = start().await;
        }
        if step == DAY {
            assert!(down.calls().iter().all(|call| call.answer == 503));
            assert_eq!(service.app.store.untold().await.unwrap(), ((cases.len() * LIFE.len()) as i64, 0));
            // It takes the first thing, and the answer is lost on its way.
            down.answers(&[504], 204);
        }
        service.app.pipeline.drain().await;
        clock.advance(STEP_MS);
    }
    assert_eq!(service.app.store.untold().await.unwrap(), (0, 0), "nothing is given up");
    for receiver in [&down, &up] {
        let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        for call in receiver.calls().iter().filter(|call| call.answer.is_success()) {
            *ids.entry(call.header("webhook-id").to_owned()).or_default() += 1;
            let case = call.json()["data"]["case_id"].as_str().unwrap().to_owned();
            taken.entry(case).or_default().push(call.kind());
        }
        assert!(ids.values().all(|times| *times == 1), "each thing is taken once: {ids:?}");
        assert_eq!(taken.len(), cases.len());
        assert!(taken.values().all(|kinds| *kinds == LIFE), "{taken:?}");
    }
    let lost: Vec<Call> = down.calls().into_iter().filter(|call| call.answer == 504).collect();
    let id = lost[0].header("webhook-id");
    let again =
        down.calls().iter().filter(|call| call.header("webhook-id") == id && call.answer == 204).count();
    assert_eq!((lost.len(), again), (1, 1), "what may have been lost comes again under its own id");
    // Nobody waited for it: the customers were answered meanwhile.
    for case in &cases {
        assert_eq!(said(&record.store, case, "It is the zebra one.").await, 1);
    }
    everything_adds_up(&record.store, &service.app.pipeline).await;
    service.stop().await;
}

/// A desk that can be away.
enum Desk {
    Own(Receiver),
    Vendor(StandIn),
    Mail { at: SocketAddr, outbox: Outbox, serving: JoinSet<()> },
}

impl Desk {
    /// A desk of this kind, and the settings by which it is known.
    async fn of(kind: &str) -> (Self, SinkSettings) {
        let (desk, settings) = match kind {
            "chatwoot" => {
                let desk = StandIn::chatwoot().await;
                let settings = chatwoot(&desk.url);
                (Self::Vendor(desk), settings)
            }
            "zendesk" => {
                let desk = StandIn::zendesk().await;
                let settings = zendesk(&desk.url);
                (Self::Vendor(desk), settings)
            }
            "email" => {
                let at = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
                let text = format!("name = \"care\"\nkind = \"email\"\naddress = \"{}\"", mail::DESK);
                (Self::Mail { at, outbox: Outbox::default(), serving: JoinSet::new() }, sink(&text))
            }
            _ => {
                let desk = Receiver::start(&[]).await;
                let text = format!(
                    "name = \"care\"\nkind = \"webhook\"\nurl = \"{}\"\nsecret = \"{KEY}\"",
                    desk.url
                );
                (Self::Own(desk), sink(&text))
            }
        };
        (desk, SinkSettings { name: kind.to_owned(), ..settings })
    }

    fn configure(&self, config: &mut Config, settings: &SinkSettings) {
        config.handoff.sinks = vec![settings.clone()];
        if let Self::Mail { at, .. } = self {
            config.channels.email = mail::mail_settings(&format!("http://{at}")).channels.email;
        }
    }

    async fn goes_away(&mut self) {
        match self {
            Self::Own(desk) => desk.answers(&[], 503),
            Self::Vendor(desk) => desk.held.with(|held| held.refusals = vec![503; 10_000]),
            Self::Mail { serving, .. } => serving.shutdown().await,
        }
    }

    async fn is_there(&mut self) {
        match self {
            Self::Own(desk) => desk.answers(&[], 204),
            Self::Vendor(desk) => desk.held.with(|held| held.refusals.clear()),
            Self::Mail { at, outbox, serving } => {
                let listener = TcpListener::bind(*at).await.unwrap();
                serving.spawn(mail::played().serve(listener, outbox.clone()));
            }
        }
    }

    /// How many cases it was given.
    fn cases(&self) -> usize {
        let opened = |call: &&Call| call.answer.is_success() && call.kind() == "handoff.opened";
        match self {
            Self::Own(desk) => desk.calls().iter().filter(opened).count(),
            Self::Vendor(desk) => desk.held.with(|held| held.cases.len()),
            Self::Mail { outbox, .. } => {
                outbox.all().iter().filter(|mail| mail.text.contains("Next step:")).count()
            }
        }
    }

    /// How often it was told these words, beside the note.
    fn heard(&self, words: &str) -> usize {
        let passed_on =
            |call: &&Call| call.answer.is_success() && call.json()["data"]["message"]["text"] == json!(words);
        let in_thread = |held: &Held| {
            held.with(|held| {
                let said = held.messages.iter().map(|(_, message)| message);
                said.filter(|message| {
                    let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
                    text("content") == words || text("body").ends_with(words)
                })
                .count()
            })
        };
        match self {
            Self::Own(desk) => desk.calls().iter().filter(passed_on).count(),
            Self::Vendor(desk) => in_thread(&desk.held),
            Self::Mail { outbox, .. } => outbox.all().iter().filter(|mail| mail.text.trim() == words).count(),
        }
    }
}

async fn the_customers_of_a_desk_that_is_down_for_a_day_are_answered_by_our_own_people(record: Arc<Record>) {
    for kind in ["webhook", "chatwoot", "zendesk", "email"] {
        a_day_without(kind, &record, &clock()).await;
    }
}

async fn asks(service: &Service, kind: &str, who: &str) -> CaseId {
    let name = format!("{kind}-{who}");
    let accepted = service.app.pipeline.enqueue(words_of(&name, &name, TALK)).await.unwrap();
    service.app.pipeline.drain().await;
    accepted.case
}

async fn a_day_without(kind: &str, record: &Record, clock: &Arc<ManualClock>) {
    let (mut desk, settings) = Desk::of(kind).await;
    desk.is_there().await;
    let start = async |desk: &Desk| {
        Service::at(&record.database.url(), clock.clone(), |config| desk.configure(config, &settings)).await
    };
    let mut service = start(&desk).await;
    let theirs = asks(&service, kind, "first").await;
    assert_eq!((state(&service, &theirs).await.as_str(), desk.cases()), ("agent", 1), "{kind}");
    desk.goes_away().await;
    let further = words_of(&format!("{kind}-first"), &format!("{kind}-further"), "Hello, are you there?");
    service.app.pipeline.enqueue(further).await.unwrap();
    let (waits, quick) = (asks(&service, kind, "second").await, asks(&service, kind, "third").await);
    let mut dead = Value::Null;
    for hour in 0..24 {
        service.app.pipeline.drain().await;
        if hour == 0 {
            // A person here does not wait for the desk; and whoever waits is in the queue all the time.
            answer(&service, &quick).await;
            assert_eq!(state(&service, &waits).await, "queued", "{kind}");
        }
        if hour == 3 {
            // Three hours later the desk has had its time: what it had is our own queue's again, and both are answered.
            for case in [&theirs, &waits] {
                assert_eq!(state(&service, case).await, "queued", "{kind}");
                answer(&service, case).await;
            }
            let path = format!("/v1/webhooks/deliveries?state=dead&target=desk-{kind}");
            dead = service.get(&path).await.json()["items"].clone();
        }
        if [1, 10].contains(&hour) {
            service.stop().await;
            service = start(&desk).await;
        }
        clock.advance(2 * STEP_MS);
    }
    desk.is_there().await;
    for _ in 0..4 {
        service.app.pipeline.drain().await;
        clock.advance(STEP_MS);
    }
    // What was not told is there to be seen, and telling it again gives no case to two desks.
    assert_eq!(dead.as_array().unwrap().len(), 2, "{kind}: {dead}");
    for one in dead.as_array().unwrap() {
        let id = one["id"].as_str().unwrap();
        let again = service.call("POST", &format!("/v1/webhooks/deliveries/{id}/retry"), &Value::Null).await;
        assert_eq!(again.status.as_u16(), 200, "{kind}");
    }
    service.app.pipeline.drain().await;
    assert_eq!((desk.cases(), desk.heard("Hello, are you there?")), (1, 0), "{kind}");
    let path = format!("/v1/webhooks/deliveries?state=dead&target=desk-{kind}");
    let still = service.get(&path).await.json();
    let reason = still["items"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("our own people"), "{kind}: {still}");
    for case in [&theirs, &waits, &quick] {
        assert_eq!(answers(&service, case).await, ["We are on it."], "{kind}");
        assert_eq!(state(&service, case).await, "agent", "{kind}");
    }
    // Whoever asks now is theirs again, from the first word on.
    let new = asks(&service, kind, "fourth").await;
    assert_eq!((state(&service, &new).await.as_str(), desk.cases()), ("agent", 2), "{kind}");
    everything_adds_up(&record.store, &service.app.pipeline).await;
    service.stop().await;
}

async fn answer(service: &Service, case: &CaseId) {
    let words = json!({"id": format!("answer to {case}"), "text": "We are on it."});
    // The second time is the same one.
    for _ in 0..2 {
        let said = service.call("POST", &format!("/v1/cases/{case}/replies"), &words).await;
        assert_eq!(said.status.as_u16(), 201, "{}", said.json());
    }
}
