//! A thousand cases, a dozen people who come and go, three processes.

use std::sync::Arc;

use firstline::desk::act::{self, Actor};
use firstline::desk::routing;
use firstline::domain::case::SettledAs;
use firstline::domain::ids::{AgentId, CaseId};
use firstline::domain::routing::simulate::Dice;
use firstline::domain::routing::{Capacity, Presence};
use firstline::store::Abilities;
use futures_util::future::join_all;

use super::{Floor, MINUTE};
use crate::store::things::NOW;
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
        match if round < 10 { dice.roll() % 8 } else { 7 } {
            0 => floor.say(person, Presence::Away).await,
            1 => floor.say(person, Presence::Busy).await,
            // Their page is gone.
            2 => continue,
            _ => {
                floor.say(person, Presence::Online).await;
                continue;
            }
        }
        away.push(person.clone());
    }
    away
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
    let others = [
        Floor::another(&floor.config, &floor.clock).await,
        Floor::another(&floor.config, &floor.clock).await,
    ];
    let (mut dice, mut taken, mut settled) = (Dice::new(19), Vec::new(), 0);
    for round in 0..40 {
        floor.clock.advance(MINUTE);
        let away = come_and_go(&floor, &people, &mut dice, round).await;
        let store = floor.store();
        let settle = async |(case, agent): &(CaseId, AgentId)| {
            let actor = Actor::Agent(agent.clone());
            act::resolve(floor.at(&actor, case), SettledAs::Solved).await.is_ok()
        };
        // What was taken is settled while three processes route.
        let (done, ()) = tokio::join!(join_all(taken.iter().map(settle)), async {
            join_all(others.iter().chain([&floor.pipeline]).map(|pipeline| pipeline.route())).await;
        });
        settled += done.iter().filter(|done| **done).count();
        let open = store.open_offers(None).await.unwrap();
        for person in &people {
            let theirs = store.held(NOW.plus_ms(-NOW.0)).await.unwrap();
            let count: i64 = theirs.iter().filter(|held| held.agent == *person).map(|held| held.count).sum();
            assert!(count <= i64::from(CHATS_EACH), "{person} has {count} in round {round}");
            let offers = open.iter().filter(|offer| offer.agent == *person).count();
            assert!(offers == 0 || !away.contains(person), "{person} is not there in round {round}");
        }
        let answers = open.iter().map(|offer| (offer, dice.roll() % 10)).map(async |(offer, mood)| {
            let actor = Actor::Agent(offer.agent.clone());
            let at = floor.at(&actor, &offer.case);
            match mood {
                0 if round < 10 => routing::decline(at).await.map(|_| None),
                1 if round < 10 => Ok(None),
                _ => routing::accept(at).await.map(|_| Some((offer.case.clone(), offer.agent.clone()))),
            }
        });
        let answered = join_all(answers).await;
        assert!(answered.iter().all(Result::is_ok), "nobody else answers for them");
        taken = answered.into_iter().filter_map(Result::unwrap).collect();
        if settled == names.len() {
            break;
        }
    }
    assert_eq!(settled, names.len(), "everybody was served");
    for name in &names {
        let log = floor.log(name).await;
        let mut open: Option<String> = None;
        for line in log.iter().filter(|line| !line.starts_with("assigned") && !line.starts_with("resolved")) {
            let (what, who) = line.split_once(' ').unwrap();
            let before = open.take();
            if what == "offered" {
                assert_eq!(before, None, "offered to two: {log:?}");
                open = Some(who.to_owned());
            } else {
                assert_eq!(before.as_deref(), Some(who), "{log:?}");
            }
        }
        assert_eq!(open, None, "{log:?}");
    }
}
