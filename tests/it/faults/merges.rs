//! Two supervisors say at once who is who, while the customers write: one tree comes of it, with one line in the logs for
//! each thing that was done, and nothing of anybody is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use firstline::domain::ids::{CaseId, CustomerId};
use firstline::pipeline::identity::{self, IdentityError};
use tokio::task::JoinSet;

use super::{everything_adds_up, said};
use crate::identity::World;
use crate::store::{Record, on_both};

on_both! {
    the_same_two_joined_from_both_sides_are_joined_once
    a_chain_that_is_joined_from_both_ends_is_one_tree
    what_is_joined_and_separated_at_once_is_one_or_two_and_the_logs_say_which
    what_is_separated_twice_at_once_is_separated_once
}

const ROUNDS: usize = 10;

#[derive(Debug, Clone, Copy)]
enum Act {
    Join(usize, usize),
    Separate(usize, usize),
    Write(usize),
}

/// Two processes, one for each supervisor.
struct Town {
    desks: [Arc<World>; 2],
    record: Arc<Record>,
}

/// The people of one round, and the case of each.
struct People {
    round: usize,
    ids: Vec<CustomerId>,
    cases: Vec<CaseId>,
}

impl Town {
    async fn new(record: &Arc<Record>) -> Self {
        let desks = [Arc::new(World::new(record).await), Arc::new(World::new(record).await)];
        Self { desks, record: record.clone() }
    }

    async fn people(&self, round: usize) -> People {
        let (mut ids, mut cases) = (Vec::new(), Vec::new());
        for person in 0..3 {
            let address = format!("{round}-{person}");
            let accepted = self.desks[0].writes(&format!("{address}-first"), "telegram", &address).await;
            ids.push(accepted.customer);
            cases.push(accepted.case);
        }
        People { round, ids, cases }
    }

    /// Does all of it at once, each half at a desk of its own; what came of each.
    async fn at_once(&self, people: &People, acts: &[Act]) -> Vec<Result<(), IdentityError>> {
        let mut doing = JoinSet::new();
        for (place, act) in acts.iter().copied().enumerate() {
            let (desk, ids, round) = (self.desks[place % 2].clone(), people.ids.clone(), people.round);
            doing.spawn(async move {
                let parts = desk.pipeline.parts();
                let came_of = match act {
                    Act::Join(one, other) => {
                        identity::merge(parts, &ids[one], &ids[other], "key:test").await.map(drop)
                    }
                    Act::Separate(one, other) => {
                        identity::unmerge(parts, &ids[one], &ids[other], "key:test").await.map(drop)
                    }
                    Act::Write(person) => {
                        let address = format!("{round}-{person}");
                        let id = format!("{address}-more-{place}");
                        desk.writes(&id, "telegram", &address).await;
                        Ok(())
                    }
                };
                (place, came_of)
            });
        }
        let mut all: Vec<_> = doing.join_all().await;
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, came_of)| came_of).collect()
    }

    /// As how many customers these are known.
    async fn known_as(&self, people: &People) -> usize {
        let mut tops = BTreeSet::new();
        for id in &people.ids {
            // Both processes see the same.
            let [one, other] = [&self.desks[0], &self.desks[1]];
            let top = one.customer(id).await.id.clone();
            assert_eq!(top, other.customer(id).await.id);
            assert_eq!(top, one.customer(&top).await.id, "who is at the top is below nobody");
            tops.insert(top);
        }
        tops.len()
    }

    /// The merges of these people that stand.
    async fn standing(&self, people: &People) -> usize {
        let ids: Vec<String> = people.ids.iter().map(|id| format!("'{id}'")).collect();
        let sql = format!(
            "select absorbed from merges where undone_at is null and absorbed in ({})",
            ids.join(", ")
        );
        let absorbed = self.record.database.read(&sql).await;
        assert_eq!(
            absorbed.iter().collect::<BTreeSet<_>>().len(),
            absorbed.len(),
            "absorbed by one at a time"
        );
        absorbed.len()
    }

    /// How often the logs of their cases say this.
    async fn logged(&self, people: &People, kind: &str) -> usize {
        let mut count = 0;
        for case in &people.cases {
            let events = self.record.store.events(case, 0, 1000).await.unwrap();
            count += events.iter().filter(|event| event.kind == kind).count();
        }
        count
    }

    /// Every word that was written is there once, in a case of whoever wrote it.
    async fn nothing_is_lost(&self, people: &People, written: usize) {
        let mut found = 0;
        for case in &people.cases {
            found += said(&self.record.store, case, "where are you").await;
        }
        assert_eq!(found, people.ids.len() + written);
        for (person, id) in people.ids.iter().enumerate() {
            let address = format!("{}-{person}", people.round);
            let identity = self.record.store.identity("telegram", &address).await.unwrap().unwrap();
            assert_eq!(identity.customer, *id, "an address stays whose it was");
        }
    }

    async fn end(self) {
        everything_adds_up(&self.record.store, &self.desks[0].pipeline).await;
        for desk in self.desks {
            desk.store().clone().close().await;
        }
    }
}

async fn the_same_two_joined_from_both_sides_are_joined_once(record: Arc<Record>) {
    let town = Town::new(&record).await;
    for round in 0..ROUNDS {
        let people = town.people(round).await;
        let acts = if round % 2 == 0 {
            [Act::Join(0, 1), Act::Join(1, 0), Act::Write(0), Act::Write(1)]
        } else {
            [Act::Join(0, 1), Act::Join(0, 1), Act::Join(1, 0), Act::Join(0, 1)]
        };
        let came_of = town.at_once(&people, &acts).await;
        // Whoever came second has what they wanted: the two are one.
        assert!(came_of.iter().all(Result::is_ok), "{came_of:?}");
        assert_eq!((town.known_as(&people).await, town.standing(&people).await), (2, 1));
        assert_eq!(town.logged(&people, "merged").await, 1, "it was done once");
        town.nothing_is_lost(&people, if round % 2 == 0 { 2 } else { 0 }).await;
    }
    town.end().await;
}

async fn a_chain_that_is_joined_from_both_ends_is_one_tree(record: Arc<Record>) {
    let town = Town::new(&record).await;
    for round in 0..ROUNDS {
        let people = town.people(round).await;
        let acts = [Act::Join(0, 1), Act::Join(1, 2), Act::Write(1), Act::Join(2, 0)];
        let came_of = town.at_once(&people, &acts).await;
        assert!(came_of.iter().all(Result::is_ok), "{came_of:?}");
        assert_eq!((town.known_as(&people).await, town.standing(&people).await), (1, 2));
        let logged = town.logged(&people, "merged").await;
        assert!(
            (2..=3).contains(&logged),
            "each joining is in the logs of those who were absorbed: {logged}"
        );
        town.nothing_is_lost(&people, 1).await;
    }
    town.end().await;
}

async fn what_is_joined_and_separated_at_once_is_one_or_two_and_the_logs_say_which(record: Arc<Record>) {
    let town = Town::new(&record).await;
    for round in 0..ROUNDS {
        let people = town.people(round).await;
        town.at_once(&people, &[Act::Join(0, 1)]).await.pop().unwrap().unwrap();
        let acts = [Act::Separate(0, 1), Act::Join(1, 0), Act::Write(0), Act::Write(1)];
        let came_of = town.at_once(&people, &acts).await;
        assert!(came_of.iter().all(Result::is_ok), "they were one, so each could be done: {came_of:?}");
        let (known, standing) = (town.known_as(&people).await, town.standing(&people).await);
        assert_eq!(known, 3 - standing);
        let (merged, unmerged) =
            (town.logged(&people, "merged").await, town.logged(&people, "unmerged").await);
        assert_eq!((unmerged, merged - unmerged), (1, standing));
        town.nothing_is_lost(&people, 2).await;
    }
    town.end().await;
}

async fn what_is_separated_twice_at_once_is_separated_once(record: Arc<Record>) {
    let town = Town::new(&record).await;
    for round in 0..ROUNDS {
        let people = town.people(round).await;
        town.at_once(&people, &[Act::Join(0, 1)]).await.pop().unwrap().unwrap();
        let came_of = town.at_once(&people, &[Act::Separate(0, 1), Act::Separate(1, 0), Act::Write(1)]).await;
        let refused: Vec<_> = came_of.iter().filter_map(|one| one.as_ref().err()).collect();
        assert!(matches!(refused[..], [IdentityError::NotMerged]), "the other one is told: {came_of:?}");
        assert_eq!((town.known_as(&people).await, town.standing(&people).await), (3, 0));
        assert_eq!((town.logged(&people, "merged").await, town.logged(&people, "unmerged").await), (1, 1));
        town.nothing_is_lost(&people, 1).await;
    }
    town.end().await;
}
