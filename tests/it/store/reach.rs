//! Who may do what in the record: roles of accounts, and lists that end where a person's reach ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use firstline::domain::case::{Case, CaseState};
use firstline::domain::ids::{AgentId, TeamId};
use firstline::domain::role::{Reach, Role};
use firstline::store::{AgentChange, CaseFilter, Change, Page, QueueOrder};

use super::accounts::agent;
use super::things::{NOW, case, case_id, customer, customer_id, message, unit};
use super::{Record, on_both};

on_both! {
    lists_end_where_a_persons_reach_ends
    what_an_account_is_given_can_be_changed
    accounts_of_before_keep_what_they_could_do
}

fn team(name: &str) -> TeamId {
    TeamId::parse(name).unwrap()
}

async fn lists_end_where_a_persons_reach_ends(record: Arc<Record>) {
    let store = &record.store;
    let eva = AgentId::parse("agent-eva").unwrap();
    let cases = [
        ("own", Some("care"), None),
        ("open", None, None),
        // A name that a pattern would take for the team that is seen.
        ("near", Some("c_re"), None),
        ("far", Some("press"), None),
        ("given", Some("press"), Some(&eva)),
    ];
    for (name, of, holder) in cases {
        let waits = Case {
            state: CaseState::Queued,
            team: of.map(team),
            agent: holder.cloned(),
            customer: customer_id(if name == "far" { "bob" } else { "ann" }),
            ..case(name)
        };
        let changes = vec![Change::NewCase(waits), Change::Message(Arc::new(message(name, 1)))];
        store.commit(unit(name, changes)).await.unwrap();
    }
    for name in ["ann", "bob", "new"] {
        store.commit(unit(name, vec![Change::NewCustomer(customer(name).into())])).await.unwrap();
    }
    let hidden = BTreeSet::from([team("press"), team("c_re")]);
    let within = Reach::Within { agent: eva, hidden };
    let page = Page { cursor: None, limit: 10 };
    for (reach, listed, queued, said) in [
        (&Reach::All, vec!["far", "given", "near", "open", "own"], 5, 4),
        (&within, vec!["given", "open", "own"], 2, 3),
    ] {
        let filter = CaseFilter { reach: reach.clone(), ..CaseFilter::default() };
        let (found, _) = store.list_cases(&filter, &page).await.unwrap();
        let ids: BTreeSet<_> = found.iter().map(|case| case.id.clone()).collect();
        assert_eq!(ids, listed.iter().map(|name| case_id(name)).collect());
        assert!(found.iter().all(|case| reach.sees(case)), "the record and the rule agree");
        assert_eq!(
            store.queue(None, reach, QueueOrder { now: NOW, raise_ms: 1 }, 10).await.unwrap().len(),
            queued
        );
        let (messages, _) = store.timeline(&customer_id("ann"), reach, &page).await.unwrap();
        assert_eq!(messages.len(), said);
        let all = *reach == Reach::All;
        for (name, reached) in [("ann", true), ("bob", all), ("new", true)] {
            assert_eq!(store.reaches_customer(&customer_id(name), reach).await.unwrap(), reached, "{name}");
        }
    }
}

async fn what_an_account_is_given_can_be_changed(record: Arc<Record>) {
    let store = &record.store;
    let eva = agent("eva");
    let to = AgentChange {
        name: "Eva M".to_owned(),
        role: Role::Auditor,
        teams: vec![team("press")],
        languages: vec!["fr".to_owned()],
    };
    assert!(!store.change_agent(&eva.id, &to).await.unwrap());
    store.add_agent(&eva).await.unwrap();
    assert!(store.change_agent(&eva.id, &to).await.unwrap());
    let known = store.agent(&eva.id).await.unwrap().unwrap();
    assert_eq!((known.name.as_str(), known.role), ("Eva M", Role::Auditor));
    assert_eq!((known.teams, known.languages), (to.teams, to.languages));
    assert_eq!((known.login, known.password_hash), (eva.login, eva.password_hash));
}

async fn accounts_of_before_keep_what_they_could_do(record: Arc<Record>) {
    let none: Vec<TeamId> = Vec::new();
    for (login, teams, after_ms) in
        [("old", none.clone(), 0), ("all", none, 1), ("one", vec![team("care")], 2)]
    {
        let known =
            firstline::domain::team::Agent { teams, created_at: NOW.plus_ms(after_ms), ..agent(login) };
        record.store.add_agent(&known).await.unwrap();
    }
    let migration = include_str!("../../../src/store/migrations/0011_roles.sql");
    for update in migration.lines().filter(|line| line.starts_with("update agents")) {
        record.database.run(update).await;
    }
    let roles: Vec<_> =
        record.store.list_agents().await.unwrap().into_iter().map(|a| (a.login, a.role)).collect();
    let expected = [("all", Role::Supervisor), ("old", Role::Admin), ("one", Role::Agent)];
    assert_eq!(roles, expected.map(|(login, role)| (login.to_owned(), role)));
}
