//! What routing reads and writes: the wait of a case, the roster, offers, and what weighs on people.

use std::collections::BTreeMap;
use std::sync::Arc;

use firstline::domain::case::{Case, CaseState};
use firstline::domain::ids::{AgentId, TeamId};
use firstline::domain::role::Reach;
use firstline::domain::routing::{Capacity, Offer, OfferEnd, Passed, Presence, Wait};
use firstline::domain::team::Agent;
use firstline::domain::triage::Urgency;
use firstline::store::{
    Abilities, Change, CommitError, Draftbook, Heard, Held, OpenOffer, QueueOrder, Refusal,
};

use super::accounts::agent;
use super::things::{NOW, case, case_id, first, unit};
use super::{Record, on_both};

on_both! {
    the_wait_of_a_case_comes_back_whole
    an_offer_ends_with_the_case_leaving_the_queue
    the_queue_and_the_router_see_cases_in_the_same_order
    the_roster_knows_what_people_can_do_and_whether_they_are_there
    two_processes_never_give_to_one_person_at_once
    what_weighs_on_people_is_what_they_have_to_do
    what_somebody_left_undone_is_found
    recent_waits_are_those_of_the_team_and_the_urgency
}

const RAISE_MS: i64 = 1000;

fn who(name: &str) -> AgentId {
    AgentId::parse(name).unwrap()
}

fn care() -> TeamId {
    TeamId::parse("care").unwrap()
}

fn offer(to: &str, expires: i64) -> Offer {
    let because = vec!["speaks German".to_owned(), "2 of 5 taken".to_owned()];
    Offer { agent: who(to), because, at: NOW.plus_ms(7), expires_at: NOW.plus_ms(expires) }
}

/// Brings a case into the record, as `change` makes it.
async fn put(record: &Record, name: &str, change: impl FnOnce(&mut Case)) {
    record.store.commit(first(name)).await.unwrap();
    let mut changed = Case { version: 2, team: Some(care()), state: CaseState::Queued, ..case(name) };
    change(&mut changed);
    record.store.commit(unit(name, vec![Change::Case(changed)])).await.unwrap();
}

async fn the_wait_of_a_case_comes_back_whole(record: Arc<Record>) {
    let whole = Wait {
        since: Some(NOW),
        due_at: Some(NOW.plus_ms(5)),
        answered_at: Some(NOW.plus_ms(6)),
        offer: Some(offer("eva", 60)),
        passed: vec![Passed { agent: who("max"), at: NOW.plus_ms(2) }],
    };
    for (name, wait) in [
        ("whole", whole.clone()),
        ("passed", Wait { offer: None, ..whole.clone() }),
        ("offered", Wait { passed: Vec::new(), ..whole }),
        ("empty", Wait::default()),
    ] {
        put(&record, name, |case| case.wait = wait.clone()).await;
        let read = record.store.case_fresh(&case_id(name)).await.unwrap().unwrap();
        assert_eq!(read.case.wait, wait, "{name}");
    }
    let expected =
        |name: &str| OpenOffer { case: case_id(name), agent: who("eva"), expires_at: NOW.plus_ms(60) };
    let all = record.store.open_offers(None).await.unwrap();
    assert_eq!(all, [expected("offered"), expected("whole")]);
    assert_eq!(record.store.open_offers(Some(&who("max"))).await.unwrap(), []);
}

async fn an_offer_ends_with_the_case_leaving_the_queue(record: Arc<Record>) {
    let store = &record.store;
    for (name, taker, how) in [("hers", "eva", OfferEnd::Accepted), ("his", "max", OfferEnd::Withdrawn)] {
        put(&record, name, |case| case.wait.offer = Some(offer("eva", 60))).await;
        let read = store.case_fresh(&case_id(name)).await.unwrap().unwrap();
        let mut book = Draftbook::new(read.case.clone(), NOW);
        (book.case.state, book.case.agent) = (CaseState::Agent, Some(who(taker)));
        store.commit(book.close(Vec::new())).await.unwrap();
        let events = store.events(&case_id(name), 0, 100).await.unwrap();
        let last = events.last().unwrap();
        let body: serde_json::Value = serde_json::from_str(&last.body).unwrap();
        assert_eq!((last.kind.as_str(), &body["agent"]), ("offer_ended", &serde_json::json!("eva")));
        assert_eq!(body["how"], serde_json::json!(how));
        assert_eq!(store.case_fresh(&case_id(name)).await.unwrap().unwrap().case.wait.offer, None);
    }
    assert_eq!(store.open_offers(None).await.unwrap(), []);
}

async fn the_queue_and_the_router_see_cases_in_the_same_order(record: Arc<Record>) {
    let wait = |since: i64, due: Option<i64>| Wait {
        since: Some(NOW.plus_ms(since)),
        due_at: due.map(|due| NOW.plus_ms(due)),
        ..Wait::default()
    };
    for (name, urgency, wait) in [
        ("urgent", Urgency::Urgent, wait(-10, Some(500))),
        ("raised-thrice", Urgency::Low, wait(-9000, Some(-2001))),
        ("raised-twice", Urgency::Low, wait(-9000, Some(-1001))),
        ("high-new", Urgency::High, wait(-5, Some(900))),
        ("high-old", Urgency::High, wait(-50, Some(900))),
        ("unpromised", Urgency::Normal, wait(-999, None)),
        ("unpromised-late", Urgency::Normal, wait(-1000, None)),
    ] {
        put(&record, name, |case| (case.urgency, case.wait) = (urgency, wait)).await;
    }
    put(&record, "offered", |case| case.wait.offer = Some(offer("eva", 60))).await;
    let expected =
        ["raised-thrice", "urgent", "raised-twice", "unpromised-late", "high-old", "high-new", "unpromised"];
    let waiting = record.store.waiting(NOW, RAISE_MS, 100).await.unwrap();
    let names: Vec<&str> = waiting.iter().map(|one| one.case.as_str()).collect();
    assert_eq!(names, expected.map(|name| format!("case-{name}")));
    assert_eq!((waiting[1].urgency, waiting[1].due_at), (Urgency::Urgent, Some(NOW.plus_ms(500))));
    assert_eq!(record.store.waiting(NOW, RAISE_MS, 2).await.unwrap().len(), 2);
    let order = QueueOrder { now: NOW, raise_ms: RAISE_MS };
    let queue = record.store.queue(Some(&care()), &Reach::All, order, 100).await.unwrap();
    let names: Vec<String> = queue.iter().map(|one| one.case.id.to_string()).collect();
    let offered = "case-offered".to_owned();
    let without: Vec<&String> = names.iter().filter(|name| **name != offered).collect();
    assert_eq!(without, expected.map(|name| format!("case-{name}")).iter().collect::<Vec<_>>());
    assert!(names.contains(&offered), "the queue shows what is offered too");
}

async fn the_roster_knows_what_people_can_do_and_whether_they_are_there(record: Arc<Record>) {
    let store = &record.store;
    for login in ["eva", "max"] {
        assert!(store.add_agent(&agent(login)).await.unwrap());
    }
    let (eva, max): (Agent, Agent) = (agent("eva"), agent("max"));
    let abilities = Abilities {
        skills: vec!["warranty".to_owned()],
        channels: vec!["voice".to_owned()],
        capacity: Capacity(BTreeMap::from([("voice".to_owned(), 2)])),
    };
    assert!(store.set_abilities(&eva.id, &abilities).await.unwrap());
    assert!(!store.set_abilities(&who("nobody"), &abilities).await.unwrap());
    assert_eq!(store.abilities(&eva.id).await.unwrap(), abilities);
    assert_eq!(store.abilities(&max.id).await.unwrap(), Abilities::default());
    assert_eq!(store.presence(&eva.id).await.unwrap(), None);
    store.seen(&max.id, NOW).await.unwrap();
    store.choose_presence(&eva.id, Presence::Online, NOW).await.unwrap();
    store.seen(&eva.id, NOW.plus_ms(9)).await.unwrap();
    let roster = store.roster().await.unwrap();
    let heard = |chosen, seen, version| Heard {
        chosen,
        seen_at: NOW.plus_ms(seen),
        given_at: NOW.plus_ms(-NOW.0),
        version,
    };
    assert_eq!(roster[0].abilities, abilities);
    assert_eq!((roster[0].login.as_str(), roster[0].heard), ("eva", Some(heard(Presence::Online, 9, 1))));
    assert_eq!(
        (&roster[1].abilities, roster[1].heard),
        (&Abilities::default(), Some(heard(Presence::Away, 0, 1)))
    );
    assert_eq!((&roster[0].teams, &roster[0].languages), (&eva.teams, &eva.languages));
    // Who speaks up again meanwhile is not lost.
    store.lost(&eva.id, NOW).await.unwrap();
    assert_eq!(store.presence(&eva.id).await.unwrap(), Some(heard(Presence::Online, 9, 1)));
    store.lost(&eva.id, NOW.plus_ms(9)).await.unwrap();
    assert_eq!(store.presence(&eva.id).await.unwrap(), Some(heard(Presence::Away, 9, 2)));
}

async fn two_processes_never_give_to_one_person_at_once(record: Arc<Record>) {
    let store = &record.store;
    store.choose_presence(&who("eva"), Presence::Online, NOW).await.unwrap();
    let give = |name: &str, version| {
        let given = Change::GivenTo { agent: who("eva"), version, at: NOW };
        store.commit(unit(name, vec![given]))
    };
    give("one", 1).await.unwrap();
    assert!(matches!(give("two", 1).await, Err(CommitError::Refused(Refusal::Stale))));
    give("two", 2).await.unwrap();
    store.choose_presence(&who("eva"), Presence::Busy, NOW).await.unwrap();
    assert!(matches!(give("three", 3).await, Err(CommitError::Refused(Refusal::Stale))), "busy meanwhile");
    let heard = store.presence(&who("eva")).await.unwrap().unwrap();
    assert_eq!((heard.given_at, heard.version), (NOW, 4));
}

async fn what_weighs_on_people_is_what_they_have_to_do(record: Arc<Record>) {
    let with_eva = |case: &mut Case| (case.state, case.agent) = (CaseState::Agent, Some(who("eva")));
    put(&record, "unanswered", with_eva).await;
    put(&record, "answered-lately", |case| {
        with_eva(case);
        case.answered_seq = 1;
    })
    .await;
    put(&record, "answered-long-ago", |case| {
        with_eva(case);
        (case.answered_seq, case.updated_at) = (1, NOW.plus_ms(-100));
    })
    .await;
    put(&record, "a-program-has-it", |case| case.state = CaseState::Agent).await;
    put(&record, "offered", |case| case.wait.offer = Some(offer("eva", 60))).await;
    put(&record, "on-the-phone", |case| {
        with_eva(case);
        "voice".clone_into(&mut case.channel);
    })
    .await;
    let held = |channel: &str, count| Held { agent: who("eva"), channel: channel.to_owned(), count };
    let weighing = record.store.held(NOW.plus_ms(-1)).await.unwrap();
    assert_eq!(weighing, [held("voice", 1), held("web_chat", 3)]);
}

async fn what_somebody_left_undone_is_found(record: Arc<Record>) {
    let with = |case: &mut Case, name: &str| (case.state, case.agent) = (CaseState::Agent, Some(who(name)));
    put(&record, "undone", |case| with(case, "eva")).await;
    put(&record, "done", |case| {
        with(case, "eva");
        case.answered_seq = 1;
    })
    .await;
    put(&record, "of-max", |case| with(case, "max")).await;
    assert_eq!(record.store.forsaken(&who("eva"), NOW).await.unwrap(), [case_id("undone")]);
    assert_eq!(record.store.forsaken(&who("eva"), NOW.plus_ms(-1)).await.unwrap(), []);
}

async fn recent_waits_are_those_of_the_team_and_the_urgency(record: Arc<Record>) {
    let answered = |case: &mut Case, at: i64| {
        case.wait = Wait { since: Some(NOW), answered_at: Some(NOW.plus_ms(at)), ..Wait::default() };
    };
    put(&record, "one", |case| answered(case, 10)).await;
    put(&record, "two", |case| answered(case, 20)).await;
    put(&record, "high", |case| {
        answered(case, 30);
        case.urgency = Urgency::High;
    })
    .await;
    put(&record, "waits", |case| case.wait.since = Some(NOW)).await;
    let (store, team) = (&record.store, care());
    let waits =
        async |after: i64, limit| store.recent_waits(&team, Urgency::Normal, NOW.plus_ms(after), limit).await;
    assert_eq!(waits(0, 10).await.unwrap(), [(NOW, NOW.plus_ms(20)), (NOW, NOW.plus_ms(10))]);
    assert_eq!(waits(10, 10).await.unwrap(), [(NOW, NOW.plus_ms(20))]);
    assert_eq!(waits(0, 1).await.unwrap().len(), 1);
}
