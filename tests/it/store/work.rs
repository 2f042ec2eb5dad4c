//! Turns, deliveries and effects: each is worked on by one at a time, and a late writer writes nothing.

use std::collections::HashSet;
use std::sync::Arc;

use firstline::domain::delivery::{Delivery, DeliveryState};
use firstline::domain::receipt::CallStatus;
use firstline::domain::time::Timestamp;
use firstline::domain::turn::{Outcome, Turn};
use firstline::store::{Change, CommitError, LedgerSums, Refusal, Store, Unit};

use super::things::{
    NOW, case_at, case_id, claim, customer_id, delivery, first, message, turn, turn_id, unit,
};
use super::{Record, on_both};
use crate::support::database::settings;

on_both! {
    two_holders_at_once_share_the_turns_and_neither_gets_one_twice
    a_turn_is_claimed_only_when_it_is_due_and_free
    a_worker_that_was_frozen_writes_nothing
    a_case_has_one_open_turn
    a_turn_can_be_held_and_closed_in_one_unit
    a_turn_that_is_given_back_is_claimed_again
    a_lease_is_renewed_by_its_holder_only
    a_delivery_is_taken_once_until_its_lease_ends
    a_delivery_that_was_taken_and_never_recorded_may_have_left
    a_delivery_is_held_longer_only_as_it_was_taken
    a_delivery_only_moves_forward
    an_effect_is_settled_once
    limits_count_what_may_have_happened
    tries_are_counted_for_each_key_within_the_time_and_given_back_when_they_were_right
    tries_made_at_once_are_not_more_than_allowed
    a_claim_without_a_turn_is_found
}

const LEASE_MS: i64 = 10_000;

async fn stored(store: &Store, names: &[&str]) {
    for name in names {
        store.commit(first(name)).await.unwrap();
    }
}

async fn two_holders_at_once_share_the_turns_and_neither_gets_one_twice(record: Arc<Record>) {
    for number in 0..60 {
        record.store.commit(first(&format!("n{number}"))).await.unwrap();
    }
    let mut holders = tokio::task::JoinSet::new();
    for holder in ["one", "two", "three", "four"] {
        // Each has a store of its own, as another process has.
        let store = Store::open(&record.database.url(), &settings()).await.unwrap();
        holders.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let turns = store.claim_turns(holder, NOW, LEASE_MS, 4).await.unwrap();
                if turns.is_empty() {
                    store.close().await;
                    return mine;
                }
                mine.extend(turns.into_iter().map(|turn| turn.id));
            }
        });
    }
    let claimed: Vec<_> = holders.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 60);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>().len(), 60);
}

async fn a_turn_is_claimed_only_when_it_is_due_and_free(record: Arc<Record>) {
    let store = &record.store;
    stored(store, &["ann"]).await;
    let later = Turn { due_at: NOW.plus_ms(-5), ..turn("bob") };
    store.commit(unit("bob", vec![Change::OpenTurn(later)])).await.unwrap();
    assert_eq!(store.claim_turns("us", NOW.plus_ms(-6), LEASE_MS, 9).await.unwrap(), []);
    let claimed = store.claim_turns("us", NOW, LEASE_MS, 9).await.unwrap();
    let names: Vec<_> = claimed.iter().map(|turn| turn.id.clone()).collect();
    assert_eq!(names, [turn_id("bob"), turn_id("ann")], "the longest due comes first");
    let expected = Turn {
        epoch: 1,
        holder: "us".to_owned(),
        leased_until: NOW.plus_ms(LEASE_MS),
        attempts: 1,
        ..turn("ann")
    };
    assert_eq!(claimed[1], expected);
    assert_eq!(store.turn(&turn_id("ann")).await.unwrap(), Some((expected, None)));
    assert_eq!(store.claim_turns("them", NOW.plus_ms(LEASE_MS - 1), LEASE_MS, 9).await.unwrap(), []);
    let again = store.claim_turns("them", NOW.plus_ms(LEASE_MS), LEASE_MS, 1).await.unwrap();
    assert_eq!((again.len(), again[0].epoch, again[0].attempts), (1, 2, 2));
}

async fn a_worker_that_was_frozen_writes_nothing(record: Arc<Record>) {
    let store = &record.store;
    stored(store, &["ann"]).await;
    let frozen = store.claim_turns("frozen", NOW, LEASE_MS, 1).await.unwrap().remove(0);
    let taken = store.claim_turns("awake", NOW.plus_ms(2 * LEASE_MS), LEASE_MS, 1).await.unwrap().remove(0);
    assert_eq!(frozen.id, taken.id);
    let (turn, at) = (frozen.id.clone(), NOW);
    let late = [
        Change::HoldTurn { turn: turn.clone(), epoch: frozen.epoch },
        Change::RetryTurn { turn: turn.clone(), epoch: frozen.epoch, due_at: NOW },
        Change::CloseTurn { turn: turn.clone(), epoch: frozen.epoch, outcome: Outcome::Replied, at },
    ];
    for change in late {
        let said = vec![
            Change::Case(case_at("ann", 2)),
            Change::Message(Arc::new(message("ann", 2))),
            Change::Deliver(delivery("ann")),
            change,
        ];
        let refused = store.commit(unit("ann", said)).await;
        assert!(matches!(refused, Err(CommitError::Refused(Refusal::LostLease))), "{refused:?}");
    }
    store.renew_turns("frozen", &[(turn.clone(), frozen.epoch)], NOW.plus_ms(99 * LEASE_MS)).await.unwrap();
    assert_eq!(store.turn(&turn).await.unwrap(), Some((taken, None)));
    assert_eq!(store.transcript(&case_id("ann")).await.unwrap().len(), 1);
    assert_eq!(store.due_deliveries("us", NOW, LEASE_MS, 9).await.unwrap(), []);
}

async fn a_case_has_one_open_turn(record: Arc<Record>) {
    let store = &record.store;
    stored(store, &["ann"]).await;
    let second = Turn { id: turn_id("second"), ..turn("ann") };
    store.commit(unit("ann", vec![Change::OpenTurn(second.clone())])).await.unwrap();
    assert_eq!(store.open_turn(&case_id("ann")).await.unwrap(), Some(turn("ann")));
    assert_eq!(store.turn(&second.id).await.unwrap(), None);
    let held = store.claim_turns("us", NOW, LEASE_MS, 1).await.unwrap().remove(0);
    let close =
        Change::CloseTurn { turn: held.id.clone(), epoch: held.epoch, outcome: Outcome::Resolved, at: NOW };
    // The transaction that ends a turn opens the next one.
    store.commit(unit("ann", vec![Change::OpenTurn(second.clone()), close])).await.unwrap();
    assert_eq!(store.turn(&held.id).await.unwrap(), Some((held, Some(Outcome::Resolved))));
    assert_eq!(store.open_turn(&case_id("ann")).await.unwrap(), Some(second));
}

async fn a_turn_can_be_held_and_closed_in_one_unit(record: Arc<Record>) {
    let store = &record.store;
    stored(store, &["ann", "bob"]).await;
    let turns = store.claim_turns("us", NOW, LEASE_MS, 2).await.unwrap();
    let units = turns.iter().map(|turn| Unit {
        case: turn.case.clone(),
        changes: vec![
            Change::HoldTurn { turn: turn.id.clone(), epoch: turn.epoch },
            Change::CloseTurn { turn: turn.id.clone(), epoch: turn.epoch, outcome: Outcome::Silent, at: NOW },
            Change::HoldTurn { turn: turn.id.clone(), epoch: turn.epoch },
        ],
    });
    let results = futures_util::future::join_all(units.map(|unit| store.commit(unit))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    for name in ["ann", "bob"] {
        assert_eq!(store.turn(&turn_id(name)).await.unwrap().unwrap().1, Some(Outcome::Silent));
        assert_eq!(store.open_turn(&case_id(name)).await.unwrap(), None);
    }
}

async fn a_turn_that_is_given_back_is_claimed_again(record: Arc<Record>) {
    let store = &record.store;
    stored(store, &["ann"]).await;
    let held = store.claim_turns("us", NOW, LEASE_MS, 1).await.unwrap().remove(0);
    let due_at = NOW.plus_ms(500);
    let retry = Change::RetryTurn { turn: held.id.clone(), epoch: held.epoch, due_at };
    store.commit(unit("ann", vec![retry])).await.unwrap();
    assert_eq!(store.claim_turns("them", NOW.plus_ms(499), LEASE_MS, 1).await.unwrap(), []);
    let again = store.claim_turns("them", due_at, LEASE_MS, 1).await.unwrap();
    assert_eq!((again[0].epoch, again[0].attempts, again[0].due_at), (2, 2, due_at));
    let counts = store.quick_counts(due_at).await.unwrap();
    assert_eq!((counts.due_turns, counts.dead_turns), (1, 0));
    let dead = Change::CloseTurn { turn: held.id, epoch: again[0].epoch, outcome: Outcome::Dead, at: due_at };
    store.commit(unit("ann", vec![dead])).await.unwrap();
    let counts = store.quick_counts(due_at).await.unwrap();
    assert_eq!((counts.due_turns, counts.dead_turns), (0, 1));
}

async fn a_lease_is_renewed_by_its_holder_only(record: Arc<Record>) {
    let store = &record.store;
    stored(store, &["ann"]).await;
    let held = store.claim_turns("us", NOW, LEASE_MS, 1).await.unwrap().remove(0);
    let until = NOW.plus_ms(3 * LEASE_MS);
    store.renew_turns("them", &[(held.id.clone(), held.epoch)], until).await.unwrap();
    store.renew_turns("us", &[(held.id.clone(), held.epoch + 1)], until).await.unwrap();
    assert_eq!(store.turn(&held.id).await.unwrap(), Some((held.clone(), None)));
    store.renew_turns("us", &[(held.id.clone(), held.epoch)], until).await.unwrap();
    assert_eq!(store.turn(&held.id).await.unwrap(), Some((Turn { leased_until: until, ..held }, None)));
}

async fn a_delivery_is_taken_once_until_its_lease_ends(record: Arc<Record>) {
    let store = &record.store;
    for name in ["ann", "bob"] {
        store.commit(unit(name, vec![Change::Deliver(delivery(name))])).await.unwrap();
    }
    assert_eq!(store.due_deliveries("us", NOW.plus_ms(-1), LEASE_MS, 9).await.unwrap(), []);
    let due_at = NOW.plus_ms(LEASE_MS);
    let first = store.due_deliveries("us", NOW, LEASE_MS, 1).await.unwrap();
    let second = store.due_deliveries("them", NOW, LEASE_MS, 9).await.unwrap();
    assert_eq!(first, [Delivery { due_at, ..delivery("ann") }]);
    assert_eq!(second, [Delivery { due_at, ..delivery("bob") }]);
    assert_eq!(store.due_deliveries("us", NOW, LEASE_MS, 9).await.unwrap(), []);
}

fn delivered(name: &str, state: DeliveryState, due_at: Timestamp) -> Unit {
    let delivery = delivery(name).id;
    let change = Change::Delivered { delivery, state, attempts: 1, due_at, provider_id: None, reason: None };
    unit(name, vec![change])
}

async fn a_delivery_that_was_taken_and_never_recorded_may_have_left(record: Arc<Record>) {
    let store = &record.store;
    store.commit(unit("ann", vec![Change::Deliver(delivery("ann"))])).await.unwrap();
    let taken = store.due_deliveries("us", NOW, LEASE_MS, 9).await.unwrap();
    assert_eq!(taken[0].state, DeliveryState::Pending);
    // It did not get through and said so: the next try is an ordinary one.
    store.commit(delivered("ann", DeliveryState::Pending, NOW.plus_ms(1))).await.unwrap();
    let taken = store.due_deliveries("us", NOW.plus_ms(1), LEASE_MS, 9).await.unwrap();
    assert_eq!((taken[0].state, taken[0].attempts), (DeliveryState::Pending, 1));
    for round in 1..3 {
        let after = NOW.plus_ms(1 + round * LEASE_MS);
        let taken = store.due_deliveries("them", after, LEASE_MS, 9).await.unwrap();
        assert_eq!(taken[0].state, DeliveryState::Unknown, "whoever had it said nothing");
    }
}

async fn a_delivery_is_held_longer_only_as_it_was_taken(record: Arc<Record>) {
    let store = &record.store;
    store.commit(unit("ann", vec![Change::Deliver(delivery("ann"))])).await.unwrap();
    let taken = store.due_deliveries("us", NOW, LEASE_MS, 9).await.unwrap().remove(0);
    let until = NOW.plus_ms(5 * LEASE_MS);
    assert!(store.hold_delivery(&taken, "", until).await.unwrap());
    assert!(
        !store.hold_delivery(&taken, "us", until.plus_ms(1)).await.unwrap(),
        "it is held by that call alone"
    );
    assert_eq!(store.due_deliveries("them", until.plus_ms(-1), LEASE_MS, 9).await.unwrap(), []);
    // Held by nobody, it is taken up without doubt; held by somebody who is gone, it may have left.
    let again = store.due_deliveries("them", until, LEASE_MS, 9).await.unwrap().remove(0);
    assert_eq!(again.state, DeliveryState::Pending);
    assert!(store.hold_delivery(&again, "them", until.plus_ms(3 * LEASE_MS)).await.unwrap());
    let later = until.plus_ms(3 * LEASE_MS);
    let doubted = store.due_deliveries("us", later, LEASE_MS, 9).await.unwrap().remove(0);
    assert_eq!(doubted.state, DeliveryState::Unknown);
    // What has left is held by nobody any more.
    store.commit(delivered("ann", DeliveryState::Sent, NOW)).await.unwrap();
    assert!(!store.hold_delivery(&doubted, "us", later.plus_ms(1)).await.unwrap());
}

async fn a_delivery_only_moves_forward(record: Arc<Record>) {
    let store = &record.store;
    for (number, (from, to)) in
        DeliveryState::ALL.into_iter().flat_map(|from| DeliveryState::ALL.map(|to| (from, to))).enumerate()
    {
        let name = format!("n{number}");
        store
            .commit(unit(&name, vec![Change::Deliver(Delivery { state: from, ..delivery(&name) })]))
            .await
            .unwrap();
        store.commit(delivered(&name, to, NOW)).await.unwrap();
        let found = store.deliveries(&case_id(&name)).await.unwrap();
        let expected = if from.precedes(to) { to } else { from };
        assert_eq!(found.iter().map(|d| d.state).collect::<Vec<_>>(), [expected], "{from:?} {to:?}");
    }
}

async fn an_effect_is_settled_once(record: Arc<Record>) {
    let store = &record.store;
    store.commit(unit("ann", vec![Change::Claim(claim("ann", "k", None))])).await.unwrap();
    assert_eq!(store.ledger("k").await.unwrap(), Some(claim("ann", "k", None)));
    for status in [CallStatus::Unknown, CallStatus::Done] {
        store.commit(unit("ann", vec![Change::Settle { key: "k".to_owned(), status }])).await.unwrap();
        assert_eq!(store.ledger("k").await.unwrap().unwrap().status, Some(CallStatus::Unknown));
    }
    assert_eq!(store.ledger("nothing").await.unwrap(), None);
}

async fn limits_count_what_may_have_happened(record: Arc<Record>) {
    let store = &record.store;
    let ends = [
        None,
        Some(CallStatus::Done),
        Some(CallStatus::Unknown),
        Some(CallStatus::Refused),
        Some(CallStatus::Failed),
    ];
    for (number, status) in ends.into_iter().enumerate() {
        let key = format!("k{number}");
        store
            .commit(unit("ann", vec![Change::Claim(claim("ann", &key, Some(100 + number as i64)))]))
            .await
            .unwrap();
        if let Some(status) = status {
            store.commit(unit("ann", vec![Change::Settle { key, status }])).await.unwrap();
        }
    }
    store.commit(unit("ann", vec![Change::Claim(claim("ann", "free", None))])).await.unwrap();
    store.commit(unit("bob", vec![Change::Claim(claim("bob", "other", Some(7)))])).await.unwrap();
    let sums = async |tool, since| store.ledger_today(&customer_id("ann"), tool, since).await.unwrap();
    assert_eq!(sums("refund", NOW).await, LedgerSums { calls: 4, amount_minor: 303 });
    assert_eq!(sums("refund", NOW.plus_ms(1)).await, LedgerSums::default());
    assert_eq!(sums("cancel", NOW).await, LedgerSums::default());
}

async fn tries_are_counted_for_each_key_within_the_time_and_given_back_when_they_were_right(
    record: Arc<Record>,
) {
    let store = &record.store;
    let keys = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let since = |at: Timestamp| at.plus_ms(-10);
    let claim = async |names: &[&str], id: &str, at: Timestamp| {
        store.claim_try(&keys(names), id, 2, since(at), at).await.unwrap()
    };
    let count = async |key, at| store.tries(key, since(at)).await.unwrap();
    assert!(claim(&["ann", "order"], "t1", NOW).await);
    assert!(claim(&["bob", "order"], "t2", NOW.plus_ms(5)).await);
    assert_eq!((count("ann", NOW).await, count("order", NOW.plus_ms(5)).await), (1, 2));
    // The third for the order is refused, and counts for nobody.
    assert!(!claim(&["cid", "order"], "t3", NOW.plus_ms(6)).await);
    assert_eq!(count("cid", NOW.plus_ms(6)).await, 0);
    assert!(claim(&["cid", "another"], "t4", NOW.plus_ms(6)).await);
    // One that was right frees its place, and so does time.
    store.forget_try("t2").await.unwrap();
    assert!(claim(&["cid", "order"], "t5", NOW.plus_ms(6)).await);
    assert!(!claim(&["order"], "t6", NOW.plus_ms(9)).await);
    assert!(claim(&["order"], "t7", NOW.plus_ms(10)).await);
    assert_eq!((count("order", NOW.plus_ms(10)).await, count("ann", NOW.plus_ms(10)).await), (2, 0));
}

async fn tries_made_at_once_are_not_more_than_allowed(record: Arc<Record>) {
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..12 {
        let store = Store::open(&record.database.url(), &settings()).await.unwrap();
        tries.spawn(async move {
            let keys = ["order".to_owned(), format!("visitor {number}")];
            let taken =
                store.claim_try(&keys, &format!("t{number}"), 5, NOW.plus_ms(-10), NOW).await.unwrap();
            store.close().await;
            i64::from(taken)
        });
    }
    assert_eq!(tries.join_all().await.iter().sum::<i64>(), 5);
    assert_eq!(record.store.tries("order", NOW.plus_ms(-10)).await.unwrap(), 5);
}

async fn a_claim_without_a_turn_is_found(record: Arc<Record>) {
    let store = &record.store;
    stored(store, &["ann"]).await;
    for name in ["ann", "bob", "cid"] {
        store.commit(unit(name, vec![Change::Claim(claim(name, name, None))])).await.unwrap();
    }
    store
        .commit(unit("cid", vec![Change::Settle { key: "cid".to_owned(), status: CallStatus::Done }]))
        .await
        .unwrap();
    assert_eq!(store.unsettled_claims(NOW).await.unwrap(), []);
    // The turn of the first is open and settles it, the last is settled.
    assert_eq!(store.unsettled_claims(NOW.plus_ms(1)).await.unwrap(), [claim("bob", "bob", None)]);
}
