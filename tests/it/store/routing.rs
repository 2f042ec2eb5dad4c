//! What routing reads and writes: the wait of a case, the roster, offers, and what weighs on people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firstline::domain::case::{Case, CaseState};
use firstline::domain::ids::{AgentId, TeamId};
use firstline::domain::role::Reach;
use firstline::domain::routing::simulate::Dice;
use firstline::domain::routing::{Ask, Capacity, Offer, OfferEnd, Passed, Presence, Rules, Wait, rank};
use firstline::domain::team::Agent;
use firstline::domain::triage::Urgency;
use firstline::store::{
    Abilities, Change, CommitError, Draftbook, Heard, Held, Lane, OpenOffer, PresenceChange, QueueOrder,
    Refusal, Worklist,
};

use super::accounts::agent;
use super::things::{NOW, case, case_id, first, unit};
use super::{Record, on_both};

on_both! {
    the_wait_of_a_case_comes_back_whole
    an_offer_ends_with_the_case_leaving_the_queue
    the_queue_and_the_router_see_cases_in_the_same_order
    every_list_and_the_rules_agree_on_the_order_of_whatever_waits
    the_roster_knows_what_people_can_do_and_whether_they_are_there
    when_people_were_there_is_told_from_the_log
    two_processes_never_give_to_one_person_at_once
    what_weighs_on_people_is_what_they_have_to_do
    what_somebody_left_undone_is_found
    recent_waits_are_those_of_the_team_and_the_urgency
}

const ORDER: QueueOrder = QueueOrder { now: NOW, raise_ms: 1000 };

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
    let waiting = record.store.waiting(ORDER, 100).await.unwrap();
    let names: Vec<&str> = waiting.iter().map(|one| one.case.as_str()).collect();
    assert_eq!(names, expected.map(|name| format!("case-{name}")));
    assert_eq!((waiting[1].urgency, waiting[1].due_at), (Urgency::Urgent, Some(NOW.plus_ms(500))));
    assert_eq!(record.store.waiting(ORDER, 2).await.unwrap().len(), 2);
    let queue = record.store.queue(Some(&care()), &Reach::All, ORDER, 100).await.unwrap();
    let names: Vec<String> = queue.iter().map(|one| one.case.id.to_string()).collect();
    let offered = "case-offered".to_owned();
    let without: Vec<&String> = names.iter().filter(|name| **name != offered).collect();
    assert_eq!(without, expected.map(|name| format!("case-{name}")).iter().collect::<Vec<_>>());
    assert!(names.contains(&offered), "the queue shows what is offered too");
}

async fn every_list_and_the_rules_agree_on_the_order_of_whatever_waits(record: Arc<Record>) {
    let mut dice = Dice::new(7);
    let mut asks = Vec::new();
    for at in 0..60 {
        let mut roll = |sides: u64| (dice.roll() % sides) as i64;
        let levels = [Urgency::Low, Urgency::Normal, Urgency::High, Urgency::Urgent];
        let urgency = levels[roll(4) as usize];
        // Close together, so that there are ties and every step of the raise.
        let since = NOW.plus_ms(-500 * roll(10));
        let due_at = (roll(3) > 0).then(|| NOW.plus_ms(500 * (roll(10) - 7)));
        let name = format!("n{at:02}");
        let wait = Wait { since: Some(since), due_at, ..Wait::default() };
        put(&record, &name, |case| (case.urgency, case.wait) = (urgency, wait)).await;
        asks.push(Ask {
            case: case_id(&name),
            team: Some(care()),
            team_name: String::new(),
            required: BTreeSet::new(),
            preferred: BTreeSet::new(),
            language: "en".to_owned(),
            channel: "web_chat".to_owned(),
            urgency,
            since,
            due: due_at,
            passed: Vec::new(),
        });
    }
    let raise = Rules {
        widen_language_ms: 0,
        widen_preferred_ms: 0,
        widen_required_ms: 0,
        widen_urgent_percent: 100,
        urgent_on_top: false,
        raise_ms: ORDER.raise_ms,
        again_ms: 0,
        capacity: Capacity::default(),
        capacity_other: 1,
    };
    rank(&mut asks, NOW, &raise);
    let ranked: Vec<String> = asks.iter().map(|ask| ask.case.to_string()).collect();
    let waiting = record.store.waiting(ORDER, 100).await.unwrap();
    assert_eq!(waiting.iter().map(|one| one.case.to_string()).collect::<Vec<_>>(), ranked, "the router");
    let queue = record.store.queue(None, &Reach::All, ORDER, 100).await.unwrap();
    assert_eq!(queue.iter().map(|one| one.case.id.to_string()).collect::<Vec<_>>(), ranked, "the interface");
    let list = Worklist {
        standing: Lane::Waiting,
        agent: None,
        teams: None,
        reach: Reach::All,
        channel: None,
        urgency: None,
        language: None,
    };
    let lines = record.store.worklist(&list, ORDER, 100, 0).await.unwrap();
    assert_eq!(lines.iter().map(|one| one.id.to_string()).collect::<Vec<_>>(), ranked, "the console");
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
    store.lost(&eva.id, NOW, NOW).await.unwrap();
    assert_eq!(store.presence(&eva.id).await.unwrap(), Some(heard(Presence::Online, 9, 1)));
    store.lost(&eva.id, NOW.plus_ms(9), NOW).await.unwrap();
    assert_eq!(store.presence(&eva.id).await.unwrap(), Some(heard(Presence::Away, 9, 2)));
}

async fn when_people_were_there_is_told_from_the_log(record: Arc<Record>) {
    let (store, eva, max) = (&record.store, who("eva"), who("max"));
    let at = |ms: i64| NOW.plus_ms(ms);
    store.choose_presence(&eva, Presence::Online, at(1)).await.unwrap();
    // Saying it again, and being heard of, changes nothing.
    store.choose_presence(&eva, Presence::Online, at(2)).await.unwrap();
    store.seen(&eva, at(3)).await.unwrap();
    store.choose_presence(&max, Presence::Busy, at(4)).await.unwrap();
    store.lost(&eva, at(1), at(5)).await.unwrap();
    assert_eq!(store.presence_changes(None, 10).await.unwrap().len(), 2, "she was heard of since");
    store.lost(&eva, at(3), at(5)).await.unwrap();
    store.lost(&eva, at(3), at(6)).await.unwrap();
    store.choose_presence(&max, Presence::Away, at(7)).await.unwrap();
    let change = |agent: &AgentId, ms: i64, chosen, by_silence| PresenceChange {
        agent: agent.clone(),
        at: at(ms),
        chosen,
        by_silence,
    };
    let all = [
        change(&max, 7, Presence::Away, false),
        change(&eva, 5, Presence::Away, true),
        change(&max, 4, Presence::Busy, false),
        change(&eva, 1, Presence::Online, false),
    ];
    assert_eq!(store.presence_changes(None, 10).await.unwrap(), all);
    assert_eq!(store.presence_changes(None, 2).await.unwrap(), all[..2]);
    let hers = store.presence_changes(Some(&eva), 10).await.unwrap();
    assert_eq!(hers, [all[1].clone(), all[3].clone()]);
    // The newest line is how they stand.
    let stands = store.presence(&eva).await.unwrap().map(|heard| heard.chosen);
    assert_eq!(stands, hers.first().map(|one| one.chosen));
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
