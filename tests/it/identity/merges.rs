//! Whatever is merged and undone, in any order and with messages in between, everything is as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firstline::domain::event::first_broken;
use firstline::domain::ids::{CaseId, CustomerId};
use firstline::domain::role::Reach;
use firstline::pipeline::identity::{self, IdentityError};
use firstline::store::{CaseFilter, Page};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::World;
use crate::store::{Record, on_both};
use crate::support::world::message;

on_both! {
    any_sequence_of_merges_and_unmerges_leaves_everything_intact
    two_merges_of_the_same_customer_at_once_leave_one_tree
    two_customers_with_ids_of_the_operators_are_never_one
}

/// Sequences tried on each database, and what one holds at most.
const SEQUENCES: usize = 16;
const ACTS_MAX: usize = 14;
/// The first two are known to the operator by ids of its own.
const PEOPLE: usize = 6;

#[derive(Debug, Clone)]
enum Act {
    Write(usize),
    Merge(usize, usize),
    Unmerge(usize, usize),
}

fn act() -> impl Strategy<Value = Act> {
    let person = 0..PEOPLE;
    prop_oneof![
        2 => person.clone().prop_map(Act::Write),
        3 => (person.clone(), person.clone()).prop_map(|(one, other)| Act::Merge(one, other)),
        2 => (person.clone(), person).prop_map(|(one, other)| Act::Unmerge(one, other)),
    ]
}

/// Everything that a merge has no business to change.
const ROWS: [&str; 6] = [
    "select id, external_id, name, email, phone, language, created_at from customers order by id",
    "select id, customer_id, channel, address, assurance, proof, link, first_seen, last_seen, ended_at
        from identities order by id",
    "select id, case_id, seq, author, channel, text, at, visibility from messages order by id",
    "select channel, external_id, digest, message_id, case_id, customer_id, at from inbox order by channel, external_id",
    "select id, customer_id, state, channel, conversation, assurance, intent, issue, memory, message_seq, inbound_seq,
        answered_seq, opened_at, resolved_at from cases order by id",
    "select case_id, seq, kind, body, hash from events where kind not in ('merged', 'unmerged') order by case_id, seq",
];

async fn rows(record: &Record) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for sql in ROWS {
        all.push(record.database.read(sql).await);
    }
    all
}

struct Town<'a> {
    world: &'a World,
    record: &'a Record,
    run: usize,
    written: usize,
    people: Vec<CustomerId>,
    /// Whose message opened which case.
    opened: BTreeMap<CaseId, usize>,
    /// Who is one with whom: the number of their group.
    groups: Vec<usize>,
}

impl Town<'_> {
    async fn write(&mut self, person: usize) {
        self.written += 1;
        let id = format!("{}-{}", self.run, self.written);
        let before = self.world.store().live_cases(&self.own_ids()).await.unwrap();
        let accepted = if person < 2 {
            let mut words = message(&id, "hello there");
            let name = format!("known-{}-{person}", self.run);
            words.sender.external_id = Some(name.clone());
            words.sender.address.clone_from(&name);
            words.conversation = name;
            self.world.takes(words).await
        } else {
            self.world.writes(&id, "telegram", &format!("{}-{person}", self.run)).await
        };
        if self.people.len() == person {
            self.people.push(accepted.customer.clone());
        }
        let top = self.world.customer(&self.people[person]).await;
        assert_eq!(accepted.customer, top.id, "a message is of the customer as whom its writer is known");
        if !before.contains(&accepted.case) {
            self.opened.insert(accepted.case, person);
        }
    }

    fn own_ids(&self) -> BTreeSet<CustomerId> {
        self.people.iter().cloned().collect()
    }

    async fn merge(&mut self, one: usize, other: usize) {
        let parts = self.world.pipeline.parts();
        let merged = identity::merge(parts, &self.people[one], &self.people[other], "key:test").await;
        let (a, b) = (self.groups[one], self.groups[other]);
        let known = |group: usize| (0..2).find(|person| self.groups[*person] == group);
        if a != b && known(a).is_some() && known(b).is_some() {
            assert!(matches!(merged, Err(IdentityError::TwoIds(..))), "{merged:?}");
            return;
        }
        let kept = merged.unwrap();
        self.groups.iter_mut().filter(|group| **group == b).for_each(|group| *group = a);
        if let Some(known) = (0..2).find(|person| self.groups[*person] == a) {
            assert_eq!(kept.id, self.people[known], "the one whom the operator knows is kept");
        }
    }

    async fn unmerge(&mut self, one: usize, other: usize) {
        let parts = self.world.pipeline.parts();
        let undone = identity::unmerge(parts, &self.people[one], &self.people[other], "key:test").await;
        if one == other || self.groups[one] != self.groups[other] {
            assert!(matches!(undone, Err(IdentityError::NotMerged)), "{undone:?}");
            return;
        }
        undone.unwrap();
        let old = self.groups[one];
        let fresh = self.groups.iter().max().unwrap() + 1;
        let top = self.world.customer(&self.people[one]).await.id.clone();
        for person in 0..self.people.len() {
            let apart = self.world.customer(&self.people[person]).await.id != top;
            if self.groups[person] == old && apart {
                self.groups[person] = fresh;
            }
        }
        assert_ne!(self.groups[one], self.groups[other], "they are two again");
    }

    /// Everybody of a group is the same customer with the same cases and words; nobody else is.
    async fn check(&self) {
        let store = self.world.store();
        let mut tops: BTreeMap<usize, CustomerId> = BTreeMap::new();
        for (person, id) in self.people.iter().enumerate() {
            let top = self.world.customer(id).await.id.clone();
            let group = self.groups[person];
            assert_eq!(*tops.entry(group).or_insert_with(|| top.clone()), top);
            let filter = CaseFilter { customer: Some(id.clone()), ..CaseFilter::default() };
            let (cases, _) = store.list_cases(&filter, &Page { cursor: None, limit: 200 }).await.unwrap();
            let found: BTreeSet<&CaseId> = cases.iter().map(|case| &case.id).collect();
            let theirs = self.opened.iter().filter(|(_, opener)| self.groups[**opener] == group);
            assert_eq!(found, theirs.map(|(case, _)| case).collect(), "the cases of {person}");
            assert!(cases.iter().all(|case| case.customer == top));
            for case in &cases {
                let file = store.case(&case.id).await.unwrap().unwrap();
                assert_eq!((&file.case.customer, &file.customer.id), (&top, &top));
            }
            let (said, _) =
                store.timeline(id, &Reach::All, &Page { cursor: None, limit: 200 }).await.unwrap();
            assert!(said.iter().all(|message| found.contains(&message.case)));
        }
        let mut different: Vec<&CustomerId> = tops.values().collect();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), tops.len(), "two groups are never one customer");
        for case in self.opened.keys() {
            let log = store.events(case, 0, 1000).await.unwrap();
            assert_eq!(first_broken(&log), None, "the log of a case");
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Write(person) => return self.write(person).await,
            Act::Merge(one, other) => {
                let before = rows(self.record).await;
                self.merge(one, other).await;
                assert_eq!(rows(self.record).await, before, "a merge rewrites nothing");
            }
            Act::Unmerge(one, other) => {
                let before = rows(self.record).await;
                self.unmerge(one, other).await;
                assert_eq!(rows(self.record).await, before, "nor does undoing one");
            }
        }
    }
}

async fn any_sequence_of_merges_and_unmerges_leaves_everything_intact(record: Arc<Record>) {
    let world = World::new(&record).await;
    let mut runner = TestRunner::deterministic();
    let sequences = prop::collection::vec(act(), 1..ACTS_MAX);
    for run in 0..SEQUENCES {
        let sequence = sequences.new_tree(&mut runner).unwrap().current();
        let groups = (0..PEOPLE).collect();
        let (people, opened) = (Vec::new(), BTreeMap::new());
        let mut town = Town { world: &world, record: &record, run, written: 0, people, opened, groups };
        for person in 0..PEOPLE {
            town.write(person).await;
        }
        for act in sequence.clone() {
            town.act(act).await;
            town.check().await;
        }
        // Everything undone, everybody is who they were, with what was theirs.
        for one in 0..PEOPLE {
            for other in one + 1..PEOPLE {
                while town.groups[one] == town.groups[other] {
                    town.act(Act::Unmerge(one, other)).await;
                }
            }
        }
        town.check().await;
        for (person, id) in town.people.iter().enumerate() {
            assert_eq!(world.customer(id).await.id, *id, "person {person} after {sequence:?}");
        }
        let joined = record.database.read("select id from customers where root_id is not null").await;
        assert!(joined.is_empty(), "{joined:?}");
    }
}

async fn two_merges_of_the_same_customer_at_once_leave_one_tree(record: Arc<Record>) {
    let world = World::new(&record).await;
    let mut people = Vec::new();
    for name in ["1", "2", "3", "4"] {
        people.push(world.writes(&format!("m{name}"), "telegram", name).await.customer);
    }
    let parts = world.pipeline.parts();
    let pairs = [(0, 1), (1, 2), (2, 0), (3, 1), (0, 3), (2, 3)];
    let merges = pairs.map(|(one, other)| identity::merge(parts, &people[one], &people[other], "key:test"));
    for merged in futures_util::future::join_all(merges).await {
        merged.unwrap();
    }
    let tops = record.database.read("select distinct coalesce(root_id, id) from customers").await;
    assert_eq!(tops.len(), 1, "{tops:?}");
    let standing = record.database.read("select absorbed from merges where undone_at is null").await;
    assert_eq!(standing.len(), 3, "a tree of four has three edges: {standing:?}");
}

async fn two_customers_with_ids_of_the_operators_are_never_one(record: Arc<Record>) {
    let world = World::new(&record).await;
    let ann = world.ann_writes("m1").await.customer;
    let mut other = message("m2", "hello there");
    other.sender.external_id = Some("bob".to_owned());
    let bob = world.takes(other).await.customer;
    let ida = world.writes("t1", "telegram", "77").await.customer;
    let parts = world.pipeline.parts();
    identity::merge(parts, &ida, &ann, "key:test").await.unwrap();
    let refused = identity::merge(parts, &ida, &bob, "key:test").await.unwrap_err();
    assert!(refused.to_string().contains("`ann` and `bob`"), "{refused}");
}
