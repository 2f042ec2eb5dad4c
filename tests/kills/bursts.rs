//! Many customers at once, every message sent twice, and a kill in the middle of it.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::judge::{self, Sent, Shop};
use crate::service::{Ack, Outgoing, Service, journal};
use crate::{TAKEN_UP_MAX, World, report};

const CUSTOMERS: [&str; 6] = ["cust-0001", "cust-0002", "cust-0003", "cust-0004", "cust-0005", "cust-0006"];
const TEXTS: [&str; 5] = ["hi", "where is my order", "it's late", "do you ship to canada", "a person please"];

/// Sends everything at once, each message twice, and returns what was acknowledged until `acks_max` acknowledgements.
async fn send(service: &Service, key: &str, messages: &[Outgoing], acks_max: usize) -> Vec<(Outgoing, Ack)> {
    let mut posts = JoinSet::new();
    for message in messages.iter().chain(messages) {
        let (post, message) = (service.post(key, message), message.clone());
        posts.spawn(async move { post.await.map(|ack| (message, ack)) });
    }
    let mut acknowledged = Vec::new();
    while let Some(done) = posts.join_next().await {
        acknowledged.extend(done.unwrap());
        if acknowledged.len() >= acks_max {
            break;
        }
    }
    posts.abort_all();
    acknowledged
}

async fn burst(acks_max: usize) {
    let mut world = World::new(None);
    let message = |customer: &'static str, at: usize, text: &str| Outgoing {
        id: format!("{customer}-{at}"),
        customer,
        channel: "in_app",
        text: text.to_owned(),
    };
    let all: Vec<Outgoing> = CUSTOMERS
        .iter()
        .flat_map(|customer| TEXTS.iter().enumerate().map(|(at, text)| message(customer, at, text)))
        .collect();
    let service = world.start(None);
    let early = send(&service, &world.key, &all, acks_max).await;
    assert!(early.len() >= acks_max, "the burst was over before the kill");
    service.kill();
    let service = world.start(None);
    let missing: Vec<Outgoing> =
        all.iter().filter(|m| early.iter().all(|(known, _)| known.id != m.id)).cloned().collect();
    let late = send(&service, &world.key, &missing, usize::MAX).await;
    world.sent = early.into_iter().chain(late).map(|(message, ack)| Sent { message, ack }).collect();
    for one in &world.sent {
        let same = world.sent.iter().filter(|other| other.message.id == one.message.id);
        assert!(same.clone().all(|other| other.ack == one.ack), "{one:?} was stored at two places");
    }
    let cases = world.quiet().await;
    let taken_up = service.started.elapsed();
    service.kill();
    let shop = Shop::read(&journal(world.folder.path()));
    let unsent = all.iter().filter(|m| world.sent.iter().all(|sent| sent.message.id != m.id)).count();
    assert_eq!(unsent, 0, "not acknowledged in the end");
    assert_eq!(judge::findings(&cases, &world.sent, &shop, 0), Vec::<String>::new());
    assert!(taken_up < TAKEN_UP_MAX, "it took {taken_up:?}");
    report(&format!("a burst of {} after {acks_max} acknowledgements", all.len()), taken_up);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_killed_at_its_first_acknowledgement_is_answered_whole() {
    burst(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_killed_in_the_middle_is_answered_whole() {
    burst(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_killed_when_all_but_a_few_are_acknowledged_is_answered_whole() {
    burst(55).await;
}

/// A turn that may not restart answers what it has read and opens the next one in the same transaction.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_an_answer_and_the_turn_it_opens_loses_neither() {
    let mut world = World::new(None);
    let environment = [("FIRSTLINE_STOP_AT", "next_turn:1"), ("FIRSTLINE__LIMITS__RESTARTS_MAX", "0")];
    let service = Service::start(world.folder.path(), &environment);
    let mut unsent = None;
    let mut stopped = false;
    for at in 0..500 {
        let message = Outgoing {
            id: format!("m{at}"),
            customer: "cust-0001",
            channel: "in_app",
            text: "where is my order".to_owned(),
        };
        let post = tokio::time::timeout(Duration::from_secs(2), service.post(&world.key, &message));
        match post.await.ok().flatten() {
            Some(ack) => world.sent.push(Sent { message, ack }),
            None => unsent = Some(message),
        }
        stopped = stopped || service.has_stopped("next_turn");
        if stopped || unsent.is_some() {
            break;
        }
    }
    assert!(stopped || service.has_stopped("next_turn"), "no turn was ever overtaken");
    service.kill();
    let service = world.start(None);
    if let Some(message) = unsent {
        let ack = service.post(&world.key, &message).await.unwrap();
        world.sent.push(Sent { message, ack });
    }
    let cases = world.quiet().await;
    let taken_up = service.started.elapsed();
    service.kill();
    let shop = Shop::read(&journal(world.folder.path()));
    assert_eq!(judge::findings(&cases, &world.sent, &shop, 0), Vec::<String>::new());
    assert!(taken_up < TAKEN_UP_MAX, "it took {taken_up:?}");
    report("next_turn", taken_up);
}
