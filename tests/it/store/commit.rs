//! Units: whole or not at all, each rule refused by its name, and case files that only go forward.

use std::sync::Arc;

use firstline::domain::customer::Customer;
use firstline::domain::ids::CustomerId;
use firstline::store::{Announcement, Change, CommitError, InboxEntry, Refusal, Unit};

use super::things::{
    case, case_at, case_id, claim, customer, first, identity, inbox, message, next, receipt, turn, unit,
};
use super::{Record, on_both};

on_both! {
    a_unit_reads_back_as_it_was_written
    a_duplicate_under_64_commits_at_once_is_stored_once
    a_stale_version_is_refused_and_nothing_of_the_unit_is_written
    units_of_one_case_commit_in_order
    a_refused_unit_takes_no_other_with_it
    an_effect_is_claimed_once
    a_taken_identity_and_a_taken_external_id_are_refused
    a_customer_is_changed_by_one_of_many_at_once
    a_case_file_follows_every_commit_and_never_goes_back
    a_case_file_holds_only_the_newest
    commits_are_announced_in_order
}

fn refusal(result: Result<(), CommitError>) -> Option<Refusal> {
    match result {
        Ok(()) => None,
        Err(CommitError::Refused(refusal)) => Some(refusal),
        Err(other) => panic!("{other:?}"),
    }
}

async fn a_unit_reads_back_as_it_was_written(record: Arc<Record>) {
    let store = &record.store;
    let mut unit = first("ann");
    unit.changes.push(Change::Receipt(Arc::new(receipt("ann", 1))));
    store.commit(unit).await.unwrap();
    let known = store.case(&case_id("ann")).await.unwrap().unwrap();
    assert_eq!(known.case, case("ann"));
    assert_eq!(*known.customer, customer("ann"));
    assert_eq!(known.messages, [Arc::new(message("ann", 1))]);
    assert_eq!(known.receipts, [Arc::new(receipt("ann", 1))]);
    assert_eq!(store.case_fresh(&case_id("ann")).await.unwrap().unwrap(), known);
    assert_eq!(store.case(&case_id("nobody")).await.unwrap(), None);
    assert_eq!(store.open_turn(&case_id("ann")).await.unwrap(), Some(turn("ann")));
}

async fn a_duplicate_under_64_commits_at_once_is_stored_once(record: Arc<Record>) {
    let mut commits = tokio::task::JoinSet::new();
    for number in 0..64 {
        let store = record.store.clone();
        let name = format!("n{number}");
        commits.spawn(async move {
            let mut unit = first(&name);
            unit.changes.retain(|change| !matches!(change, Change::Inbox(_)));
            unit.changes.push(Change::Inbox(inbox(&name, "the-same")));
            (name, refusal(store.commit(unit).await))
        });
    }
    let results = commits.join_all().await;
    let stored: Vec<_> = results.iter().filter(|(_, refused)| refused.is_none()).collect();
    assert_eq!(stored.len(), 1);
    assert!(results.iter().all(|(_, refused)| refused.is_none_or(|r| r == Refusal::Duplicate)));
    let (winner, _) = stored[0];
    assert_eq!(record.store.inbox("web_chat", "the-same").await.unwrap(), Some(inbox(winner, "the-same")));
    for (name, _) in &results {
        let found = record.store.case_fresh(&case_id(name)).await.unwrap();
        assert_eq!(found.is_some(), name == winner, "{name}");
    }
}

async fn a_stale_version_is_refused_and_nothing_of_the_unit_is_written(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    store.commit(next("ann", 2)).await.unwrap();
    let mut late = next("ann", 2);
    late.changes = vec![
        Change::NewCustomer(Arc::new(Customer { external_id: None, ..customer("other") })),
        Change::NewIdentity(identity("other")),
        Change::Case(case_at("ann", 2)),
        Change::Inbox(inbox("ann", "late")),
        Change::Message(Arc::new(message("ann", 3))),
        Change::Receipt(Arc::new(receipt("ann", 9))),
    ];
    assert_eq!(refusal(store.commit(late).await), Some(Refusal::Stale));
    assert_eq!(store.inbox("web_chat", "late").await.unwrap(), None);
    assert_eq!(store.customer(&CustomerId::parse("customer-other").unwrap()).await.unwrap(), None);
    assert_eq!(store.transcript(&case_id("ann")).await.unwrap().len(), 2);
    assert_eq!(store.receipts(&case_id("ann")).await.unwrap(), []);
    assert_eq!(store.case(&case_id("ann")).await.unwrap().unwrap().case.version, 2);
}

async fn units_of_one_case_commit_in_order(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    store.commit(first("bob")).await.unwrap();
    // Sent without waiting: were two of them in one transaction, the later version would match nothing.
    let units = (2..=40).flat_map(|version| [next("ann", version), next("bob", version)]);
    let results = futures_util::future::join_all(units.map(|unit| store.commit(unit))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(store.case_fresh(&case_id("bob")).await.unwrap().unwrap().case.version, 40);
    let thread = store.transcript(&case_id("ann")).await.unwrap();
    assert!(thread.iter().map(|m| m.seq).eq(1..=40));
}

async fn a_refused_unit_takes_no_other_with_it(record: Arc<Record>) {
    let store = &record.store;
    for name in ["ann", "bob", "cid", "dan"] {
        store.commit(first(name)).await.unwrap();
    }
    let broken = unit("dan", vec![Change::Message(Arc::new(message("dan", 1)))]);
    let units = [
        next("ann", 2),
        next("bob", 7),
        unit("cid", vec![Change::Inbox(inbox("cid", "external-ann"))]),
        broken,
        first("eve"),
    ];
    let results: Vec<_> = futures_util::future::join_all(units.map(|unit| store.commit(unit))).await;
    let results: Vec<_> = results.into_iter().map(refusal).collect();
    // A row that exists already is a record that has changed, whatever the row.
    assert_eq!(results, [None, Some(Refusal::Stale), Some(Refusal::Duplicate), Some(Refusal::Stale), None]);
    assert_eq!(store.case_fresh(&case_id("ann")).await.unwrap().unwrap().case.version, 2);
    assert!(store.case_fresh(&case_id("eve")).await.unwrap().is_some());
}

async fn an_effect_is_claimed_once(record: Arc<Record>) {
    let store = &record.store;
    let names: Vec<_> = (0..20).map(|n| format!("n{n}")).collect();
    let claims =
        names.iter().map(|name| store.commit(unit(name, vec![Change::Claim(claim(name, "key", Some(5)))])));
    let results: Vec<_> = futures_util::future::join_all(claims).await.into_iter().map(refusal).collect();
    assert_eq!(results.iter().filter(|r| r.is_none()).count(), 1);
    assert!(results.iter().all(|r| r.is_none_or(|r| r == Refusal::AlreadyClaimed)));
    let winner = results.iter().position(Option::is_none).map(|place| names[place].clone()).unwrap();
    assert_eq!(store.ledger("key").await.unwrap(), Some(claim(&winner, "key", Some(5))));
}

async fn a_taken_identity_and_a_taken_external_id_are_refused(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    let mut taken = identity("bob");
    taken.address.clone_from(&identity("ann").address);
    assert_eq!(
        refusal(store.commit(unit("bob", vec![Change::NewIdentity(taken)])).await),
        Some(Refusal::Stale)
    );
    let vouched = Customer { external_id: Some("u-ann".to_owned()), ..customer("bob") };
    let second = unit("bob", vec![Change::NewCustomer(Arc::new(vouched.clone()))]);
    assert_eq!(refusal(store.commit(second).await), Some(Refusal::Stale));
    store.commit(first("bob")).await.unwrap();
    let renamed = unit("bob", vec![Change::Customer(Arc::new(Customer { version: 2, ..vouched }))]);
    assert_eq!(refusal(store.commit(renamed).await), Some(Refusal::Stale));
}

async fn a_customer_is_changed_by_one_of_many_at_once(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    let changed = Arc::new(Customer { name: Some("Ann".to_owned()), version: 2, ..customer("ann") });
    let units = (0..10).map(|n| unit(&format!("n{n}"), vec![Change::Customer(Arc::clone(&changed))]));
    let results = futures_util::future::join_all(units.map(|unit| store.commit(unit))).await;
    assert_eq!(results.into_iter().flatten().count(), 1);
    assert_eq!(store.customer(&changed.id).await.unwrap(), Some(Arc::clone(&changed)));
    // The file of the customer's own case knows, though the unit was about another.
    assert_eq!(store.case(&case_id("ann")).await.unwrap().unwrap().customer, changed);
}

async fn a_case_file_follows_every_commit_and_never_goes_back(record: Arc<Record>) {
    let store = record.store.clone();
    store.commit(first("ann")).await.unwrap();
    let mut readers = tokio::task::JoinSet::new();
    for fresh in [false, true, true] {
        let store = store.clone();
        readers.spawn(async move {
            let mut seen = 0;
            while seen < 100 {
                let id = case_id("ann");
                let file = if fresh { store.case_fresh(&id).await } else { store.case(&id).await };
                let file = file.unwrap().unwrap();
                assert!(file.case.version >= seen || fresh, "went back from {seen} to {}", file.case.version);
                assert_eq!(file.messages.last().map(|m| m.seq), Some(file.case.message_seq));
                seen = file.case.version;
            }
        });
    }
    for version in 2..=100 {
        store.commit(next("ann", version)).await.unwrap();
        let known = store.case(&case_id("ann")).await.unwrap().unwrap();
        assert_eq!(known.case.version, version);
        assert_eq!(known.messages.last(), Some(&Arc::new(message("ann", version))));
    }
    readers.join_all().await;
    assert_eq!(store.case(&case_id("ann")).await.unwrap(), store.case_fresh(&case_id("ann")).await.unwrap());
}

async fn a_case_file_holds_only_the_newest(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    let mut long = unit("ann", vec![Change::Case(case_at("ann", 2))]);
    let Some(Change::Case(case)) = long.changes.first_mut() else { unreachable!("it is the only change") };
    case.message_seq = 1_000;
    long.changes.extend((2..=1_000).map(|seq| Change::Message(Arc::new(message("ann", seq)))));
    long.changes.extend((1..=50).map(|number| Change::Receipt(Arc::new(receipt("ann", number)))));
    store.commit(long).await.unwrap();
    for file in [store.case(&case_id("ann")).await.unwrap(), store.case_fresh(&case_id("ann")).await.unwrap()]
    {
        let file = file.unwrap();
        assert!(file.messages.iter().map(|m| m.seq).eq(941..=1_000));
        assert_eq!(file.receipts.len(), 20);
        assert_eq!(file.receipts.last(), Some(&Arc::new(receipt("ann", 50))));
    }
    assert_eq!(store.transcript(&case_id("ann")).await.unwrap().len(), 1_000);
    let page = store.messages(&case_id("ann"), 990, 5).await.unwrap();
    assert!(page.iter().map(|m| m.seq).eq(991..=995));
}

async fn commits_are_announced_in_order(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    let turns = store.claim_turns("us", super::things::NOW, 1_000, 8).await.unwrap();
    let mut listener = store.subscribe(&case_id("ann"));
    store.announce(&case_id("ann"), Announcement::Typing(true));
    let Unit { case, mut changes } = next("ann", 2);
    let outcome = firstline::domain::turn::Outcome::Replied;
    let at = super::things::NOW;
    changes.insert(0, Change::CloseTurn { turn: turns[0].id.clone(), epoch: turns[0].epoch, outcome, at });
    // What is refused is not announced.
    let refused: InboxEntry = inbox("ann", "external-ann");
    let again = unit("ann", vec![Change::Message(Arc::new(message("ann", 9))), Change::Inbox(refused)]);
    assert!(store.commit(again).await.is_err());
    store.commit(Unit { case, changes }).await.unwrap();
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(format!("{:?}", listener.next().await.unwrap()).chars().take(12).collect::<String>());
    }
    assert_eq!(heard, ["Typing(true)", "Message(Mess", "State { stat", "TurnClosed {"]);
}
