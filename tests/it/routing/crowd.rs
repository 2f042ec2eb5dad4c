//! A thousand cases, a dozen people who come and go, three processes.

use std::collections::BTreeSet;
use std::sync::Arc;

use firstline::desk::act::{self, ActError, Actor};
use firstline::desk::routing;
use firstline::domain::case::SettledAs;
use firstline::domain::ids::{AgentId, CaseId};
use firstline::domain::routing::simulate::Dice;
use firstline::domain::routing::{Capacity, Presence};
use firstline::domain::time::Timestamp;
use firstline::store::{Abilities, OpenOffer};
use futures_util::future::join_all;

use super::{Floor, MINUTE};
use crate::store::{Record, on_both};

on_both! {
    a_thousand_cases_find_their_people_while_these_come_and_go
}

/// People of a floor that comes and goes, and what each holds at most.
const CROWD: usize = 12;
const CHATS_EACH: u32 = 20;

/// What everybody says of themselves in a round; who says nothing is not heard of. Late in the day all are there.
async fn come_and_go(floor: &Floor, people: &[AgentId], dice: &mut Dice, round: usize) -> Vec<AgentId> {
    let mut away = Vec::new();
    for person in people {
        let roll = if round < 10 { dice.roll() % 8 } else { 7 };
        let says = match roll {
            0 => Some(Presence::Away),
            1 => Some(Presence::Busy),
            // Their page is gone.
            2 => None,
            _ => Some(Presence::Online),
        };
        if let Some(says) = says {
            floor.say(person, says).await;
        }
        if matches!(says, Some(Presence::Away | Presence::Busy)) {
            away.push(person.clone());
        }
    }
    away
}

async fn settle(floor: &Floor, case: &CaseId, agent: &AgentId) -> Option<CaseId> {
    let actor = Actor::Agent(agent.clone());
    act::resolve(floor.at(&actor, case), SettledAs::Solved).await.ok().map(|case| case.id)
}

/// What somebody says to an offer: mostly yes.
async fn answer(floor: &Floor, offer: &OpenOffer, mood: u64) -> Result<Option<(CaseId, AgentId)>, ActError> {
    let actor = Actor::Agent(offer.agent.clone());
    match mood {
        0 => routing::decline(floor.at(&actor, &offer.case)).await.map(|_| None),
        1 => Ok(None),
        _ => {
            let taken = routing::accept(floor.at(&actor, &offer.case)).await;
            taken.map(|case| Some((case.id, offer.agent.clone())))
        }
    }
}

/// Nobody has too much, and nobody who is away is offered anything.
async fn nobody_has_too_much(floor: &Floor, people: &[AgentId], away: &[AgentId]) {
    let held = floor.store().held(Timestamp(0)).await.unwrap();
    for person in people {
        let count: i64 = held.iter().filter(|held| held.agent == *person).map(|held| held.count).sum();
        assert!(count <= i64::from(CHATS_EACH), "{person} has {count}");
    }
    let open = floor.store().open_offers(None).await.unwrap();
    assert!(!open.iter().any(|offer| away.contains(&offer.agent)), "offered to somebody who is not there");
}

/// Every offer ended before the next one was made.
fn offered_to_one_at_a_time(log: &[String]) {
    let mut open: Option<&str> = None;
    for line in log.iter().filter(|line| !line.starts_with("assigned") && !line.starts_with("resolved")) {
        let (what, who) = line.split_once(' ').unwrap();
        if what == "offered" {
            assert_eq!(open.replace(who), None, "offered to two: {log:?}");
        } else {
            assert_eq!(open.take(), Some(who), "{log:?}");
        }
    }
    assert_eq!(open, None, "{log:?}");
}

async fn a_thousand_cases_find_their_people_while_these_come_and_go(record: Arc<Record>) {
    let floor = Box::pin(Floor::open(&record)).await;
    let mut people = Vec::new();
    for at in 0..CROWD {
        let person = floor.hire(&format!("p{at:02}"), &["en"], &[]).await;
        let capacity = Capacity([("web_chat".to_owned(), CHATS_EACH)].into());
        let able = Abilities { capacity, ..Abilities::default() };
        assert!(floor.store().set_abilities(&person, &able).await.unwrap());
        people.push(person);
    }
    let names: Vec<String> = (0..1000).map(|at| format!("w{at:03}")).collect();
    for some in names.chunks(100) {
        join_all(some.iter().map(|name| floor.wait(name, |_| {}))).await;
    }
    let one = Floor::another(&floor.config, &floor.clock).await;
    let two = Floor::another(&floor.config, &floor.clock).await;
    let mut dice = Dice::new(19);
    let (mut taken, mut settled) = (Vec::<(CaseId, AgentId)>::new(), BTreeSet::new());
    for round in 0..40 {
        floor.clock.advance(MINUTE);
        let away = come_and_go(&floor, &people, &mut dice, round).await;
        // What was taken is settled while three processes route.
        let settling = join_all(taken.iter().map(|(case, agent)| settle(&floor, case, agent)));
        let (done, (), (), ()) = tokio::join!(settling, floor.pipeline.route(), one.route(), two.route());
        settled.extend(done.into_iter().flatten());
        nobody_has_too_much(&floor, &people, &away).await;
        let open = floor.store().open_offers(None).await.unwrap();
        let moods: Vec<u64> = open.iter().map(|_| if round < 10 { dice.roll() % 10 } else { 9 }).collect();
        let answers = open.iter().zip(moods).map(|(offer, mood)| answer(&floor, offer, mood));
        let answered: Result<Vec<_>, ActError> = join_all(answers).await.into_iter().collect();
        taken.retain(|(case, _)| !settled.contains(case));
        taken.extend(answered.expect("nobody else answers for them").into_iter().flatten());
        if settled.len() == names.len() {
            break;
        }
    }
    assert_eq!(settled.len(), names.len(), "everybody was served");
    for name in &names {
        offered_to_one_at_a_time(&floor.log(name).await);
    }
}
