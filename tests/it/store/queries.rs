//! Everything that is only read.

use std::sync::Arc;

use firstline::domain::case::{Case, CaseState, Doubt, DoubtStage, PendingWrite, Resolution};
use firstline::domain::event::first_broken;
use firstline::domain::event::{Event, EventKind};
use firstline::domain::handoff::{Handoff, HandoffNote, Known};
use firstline::domain::ids::{AgentId, AttachmentId, CaseId, HandoffId, MessageId, ProcedureId, TeamId};
use firstline::domain::message::{Attachment, Author, Citation, Message, Visibility};
use firstline::domain::role::Reach;
use firstline::domain::routing::Wait;
use firstline::domain::time::Timestamp;
use firstline::domain::triage::{Sentiment, Urgency};
use firstline::store::{Arrival, CaseFilter, Change, OpenCase, Page, QueueOrder, StoreError};

use super::things::{
    NOW, case, case_at, case_id, customer, customer_id, first, identity, inbox, message, receipt, turn_id,
    unit,
};
use super::{Record, on_both};

on_both! {
    an_arrival_knows_what_there_is_to_know
    an_arrival_names_the_newest_twenty_cases
    every_field_of_a_case_and_a_message_comes_back
    cases_are_listed_by_every_filter
    a_list_is_read_part_by_part
    a_log_comes_back_whole
    the_queue_is_ordered_by_urgency_and_then_by_age
    the_backlog_tells_what_is_overdue_and_what_soon_will_be
    a_handoff_is_taken_by_the_first
    a_timeline_runs_over_all_cases_of_a_customer
    a_customer_is_found_by_the_operators_id
    identities_follow_what_was_seen
    text_loses_its_nul_bytes_and_nothing_else
}

fn open_case(case: &Case) -> OpenCase {
    OpenCase {
        id: case.id.clone(),
        state: case.state,
        version: case.version,
        conversation: case.conversation.clone(),
        channel: case.channel.clone(),
        intent: case.intent.clone(),
        issue: case.issue.clone(),
        updated_at: case.updated_at,
        resolved_at: case.resolved_at,
        follows: case.follows.clone(),
    }
}

async fn an_arrival_knows_what_there_is_to_know(record: Arc<Record>) {
    let store = &record.store;
    let nothing = Arrival { inbox: None, identity: None, customer: None, cases: Vec::new() };
    assert_eq!(
        store.arrival("web_chat", "external-ann", ("web_chat", "visitor-ann")).await.unwrap(),
        nothing
    );
    store.commit(first("ann")).await.unwrap();
    let known = Arrival {
        inbox: Some(inbox("ann", "external-ann")),
        identity: Some(identity("ann")),
        customer: Some(Arc::new(customer("ann"))),
        cases: vec![open_case(&case("ann"))],
    };
    assert_eq!(store.arrival("web_chat", "external-ann", ("web_chat", "visitor-ann")).await.unwrap(), known);
    let new = Arrival { inbox: None, ..known.clone() };
    assert_eq!(store.arrival("web_chat", "external-new", ("web_chat", "visitor-ann")).await.unwrap(), new);
    let other = Arrival { inbox: known.inbox, ..nothing.clone() };
    assert_eq!(store.arrival("web_chat", "external-ann", ("web_chat", "visitor-bob")).await.unwrap(), other);
    assert_eq!(store.arrival("email", "external-ann", ("email", "visitor-ann")).await.unwrap(), nothing);
}

async fn an_arrival_names_the_newest_twenty_cases(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    for number in 0..30 {
        let state = if number == 29 { CaseState::Closed } else { CaseState::Resolved };
        let id = CaseId::parse(&format!("more-{number}")).unwrap();
        let more = Case { id: id.clone(), state, updated_at: NOW.plus_ms(number), ..case("ann") };
        store
            .commit(firstline::store::Unit { case: id, changes: vec![Change::NewCase(more)] })
            .await
            .unwrap();
    }
    let arrival = store.arrival("web_chat", "x", ("web_chat", "visitor-ann")).await.unwrap();
    let times: Vec<_> = arrival.cases.iter().map(|case| case.updated_at.ms_since(NOW)).collect();
    assert!(times.into_iter().eq((9..=28).rev()), "the newest first, none that is closed");
}

fn full_case(version: i64) -> Case {
    Case {
        version,
        state: CaseState::Resolved,
        intent: Some(ProcedureId::parse("order_status").unwrap()),
        issue: Some("wo ist mein Päckchen 📦 \"' -- ; drop".to_owned()),
        language: "de".to_owned(),
        urgency: Urgency::Urgent,
        sentiment: Sentiment::Negative,
        team: Some(TeamId::parse("logistics").unwrap()),
        agent: Some(AgentId::parse("agent-1").unwrap()),
        resolution: Some(Resolution::ByAgent),
        follows: Some(case_id("before")),
        pending: Some(PendingWrite {
            tool: "cancel".to_owned(),
            arguments: "{\"a\":1}".to_owned(),
            details: "cancels it".to_owned(),
            asked_seq: 3,
            expires_at: NOW.plus_ms(9),
        }),
        memory: "{\"slots\":{}}".to_owned(),
        message_seq: 2,
        inbound_seq: 7,
        answered_seq: 6,
        event_seq: 5,
        event_hash: "abc".to_owned(),
        resolved_at: Some(NOW.plus_ms(4)),
        snoozed_until: Some(NOW.plus_ms(5)),
        doubt: Some(Doubt { request: "and “this”?".to_owned(), stage: DoubtStage::Asked, seq: 3 }),
        updated_at: NOW.plus_ms(6),
        ..case("ann")
    }
}

async fn every_field_of_a_case_and_a_message_comes_back(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    let said = Message {
        author: Author::Agent,
        agent: Some(AgentId::parse("agent-1").unwrap()),
        visibility: Visibility::Internal,
        citations: vec![Citation { article: "delivery".to_owned(), title: "Delivery".to_owned() }],
        choices: vec!["Yes".to_owned(), "No".to_owned()],
        attachments: vec![Attachment {
            name: "a.jpg".to_owned(),
            content_type: None,
            url: Some("https://x".to_owned()),
            id: Some(AttachmentId::parse("file-1").unwrap()),
            content: None,
        }],
        turn: Some(turn_id("ann")),
        ..message("ann", 2)
    };
    let changes = vec![Change::Case(full_case(2)), Change::Message(Arc::new(said.clone()))];
    store.commit(unit("ann", changes)).await.unwrap();
    let file = store.case_fresh(&case_id("ann")).await.unwrap().unwrap();
    assert_eq!(file.case, full_case(2));
    assert_eq!(file.messages, [Arc::new(message("ann", 1)), Arc::new(said.clone())]);
    assert_eq!(store.message(&said.id).await.unwrap(), Some(Arc::new(said)));
    assert_eq!(store.message(&MessageId::parse("none").unwrap()).await.unwrap(), None);
}

fn page(limit: i64) -> Page {
    Page { cursor: None, limit }
}

async fn cases_are_listed_by_every_filter(record: Arc<Record>) {
    let store = &record.store;
    for name in ["ann", "bob"] {
        store.commit(first(name)).await.unwrap();
    }
    store.commit(unit("ann", vec![Change::Case(full_case(2))])).await.unwrap();
    let none = CaseFilter::default;
    let later = Some(NOW.plus_ms(1));
    let ann = full_case(2);
    let filters = [
        (none(), 2),
        (CaseFilter { state: Some(CaseState::Resolved), ..none() }, 1),
        (CaseFilter { state: Some(CaseState::Queued), ..none() }, 0),
        (CaseFilter { team: ann.team.clone(), ..none() }, 1),
        (CaseFilter { agent: ann.agent.clone(), ..none() }, 1),
        (CaseFilter { intent: ann.intent.clone(), ..none() }, 1),
        (CaseFilter { customer: Some(ann.customer.clone()), ..none() }, 1),
        (CaseFilter { channel: Some("web_chat".to_owned()), ..none() }, 2),
        (CaseFilter { channel: Some("web_chat' or 1=1 --".to_owned()), ..none() }, 0),
        (CaseFilter { from: Some(NOW), to: later, ..none() }, 2),
        (CaseFilter { to: Some(NOW), ..none() }, 0),
        (CaseFilter { from: later, ..none() }, 0),
    ];
    for (filter, expected) in filters {
        let (cases, next) = store.list_cases(&filter, &page(10)).await.unwrap();
        assert_eq!((cases.len(), next), (expected, None), "{filter:?}");
        assert!(expected != 1 || cases[0] == ann, "{filter:?}");
    }
    let counts = store.quick_counts(NOW).await.unwrap();
    assert_eq!(counts.cases, [(CaseState::Assistant, 1), (CaseState::Resolved, 1)]);
}

async fn a_list_is_read_part_by_part(record: Arc<Record>) {
    let store = &record.store;
    for number in 0..25 {
        let name = format!("n{number}");
        // Several were opened in the same millisecond.
        let new = Case { opened_at: NOW.plus_ms(number / 4), ..case(&name) };
        store.commit(unit(&name, vec![Change::NewCase(new)])).await.unwrap();
    }
    let mut part = page(7);
    let mut all: Vec<Case> = Vec::new();
    loop {
        let (cases, next) = store.list_cases(&CaseFilter::default(), &part).await.unwrap();
        all.extend(cases);
        let Some(next) = next else { break };
        part.cursor = Some(next);
    }
    assert_eq!(all.len(), 25);
    assert!(all.windows(2).all(|pair| pair[0].opened_at >= pair[1].opened_at && pair[0].id != pair[1].id));
    for bad in ["", "x", "1", "x.y"] {
        let bad = Page { cursor: Some(bad.to_owned()), limit: 5 };
        let error = store.list_cases(&CaseFilter::default(), &bad).await.unwrap_err();
        assert!(matches!(error, StoreError::Cursor), "{error}");
    }
}

async fn a_log_comes_back_whole(record: Arc<Record>) {
    let store = &record.store;
    let mut log: Vec<Event> = Vec::new();
    for seq in 1..=70 {
        let head = log.last().map_or("", |event| event.hash.as_str());
        let body = format!("{{\"n\":{seq},\"nul\":\"\\u0000\"}}");
        log.push(Event::chained(head, &case_id("ann"), seq, NOW.plus_ms(seq), EventKind::Triaged, body));
    }
    store.commit(unit("ann", log.iter().cloned().map(Change::Event).collect())).await.unwrap();
    let read = store.events(&case_id("ann"), 0, 1_000).await.unwrap();
    assert_eq!(read, log);
    assert_eq!(first_broken(&read), None);
    assert_eq!(store.events(&case_id("ann"), 68, 1).await.unwrap(), log[68..69]);
    record.database.run("update events set body = '{}' where seq = 40").await;
    assert_eq!(first_broken(&store.events(&case_id("ann"), 0, 1_000).await.unwrap()), Some(40));
}

fn handoff(name: &str, at: Timestamp) -> Handoff {
    let unknown = || Known::or(None, "nobody said");
    Handoff {
        id: HandoffId::parse(&format!("handoff-{name}-{}", at.0)).unwrap(),
        case: case_id(name),
        team: TeamId::parse("care").unwrap(),
        urgency: Urgency::High,
        reason: "late_parcel".to_owned(),
        note: HandoffNote {
            customer: Known::Value("Ann".to_owned()),
            verified: "channel".to_owned(),
            channels: vec!["web_chat".to_owned()],
            language: "en".to_owned(),
            issue: unknown(),
            wants: unknown(),
            facts: Vec::new(),
            tried: Vec::new(),
            articles: Vec::new(),
            promised: unknown(),
            mood: Sentiment::Negative,
            urgency: Urgency::High,
            reason: "late_parcel".to_owned(),
            next_step: unknown(),
            told: unknown(),
            approval: None,
            unsent: None,
            transcript: Vec::new(),
        },
        at,
        taken_by: None,
    }
}

async fn the_queue_is_ordered_by_urgency_and_then_by_age(record: Arc<Record>) {
    let store = &record.store;
    let care = TeamId::parse("care").unwrap();
    for (name, urgency, at, team) in [
        ("low", Urgency::Low, 1, Some(&care)),
        ("new", Urgency::High, 9, Some(&care)),
        ("old", Urgency::High, 3, Some(&care)),
        ("top", Urgency::Urgent, 99, Some(&care)),
        ("other", Urgency::Urgent, 1, None),
    ] {
        let waits = Case { state: CaseState::Queued, urgency, team: team.cloned(), ..case(name) };
        let mut changes = vec![Change::NewCase(waits)];
        if team.is_some() {
            changes.push(Change::Handoff(Box::new(handoff(name, NOW.plus_ms(-500)))));
            changes.push(Change::Handoff(Box::new(handoff(name, NOW.plus_ms(at)))));
        }
        store.commit(unit(name, changes)).await.unwrap();
    }
    let names = async |team, limit| {
        let order = QueueOrder { now: NOW, raise_ms: 7_200_000 };
        let queue = store.queue(team, &Reach::All, order, limit).await.unwrap();
        queue
            .into_iter()
            .map(|q| (q.case.id.as_str().to_owned(), q.reason, q.since.ms_since(NOW)))
            .collect::<Vec<_>>()
    };
    let late = Some("late_parcel".to_owned());
    let row = |name: &str, reason: &Option<String>, at: i64| (format!("case-{name}"), reason.clone(), at);
    let of_care = [row("top", &late, 99), row("old", &late, 3), row("new", &late, 9), row("low", &late, 1)];
    assert_eq!(names(Some(&care), 10).await, of_care);
    assert_eq!(names(None, 2).await, [row("other", &None, 0), row("top", &late, 99)]);
    assert_eq!(store.handoff(&case_id("old")).await.unwrap(), Some(handoff("old", NOW.plus_ms(3))));
    assert_eq!(store.handoff(&case_id("other")).await.unwrap(), None);
}

async fn the_backlog_tells_what_is_overdue_and_what_soon_will_be(record: Arc<Record>) {
    let hour = 3_600_000;
    for (name, state, due, answered) in [
        ("late", CaseState::Queued, Some(-1), None),
        ("later", CaseState::Queued, Some(-hour), None),
        ("soon", CaseState::Queued, Some(0), None),
        ("edge", CaseState::Queued, Some(hour), None),
        ("calm", CaseState::Queued, None, None),
        ("told", CaseState::Agent, Some(-1), Some(-2)),
        ("taken", CaseState::Agent, Some(-1), None),
        ("over", CaseState::Resolved, Some(-1), None),
    ] {
        let at = |ms: i64| NOW.plus_ms(ms);
        let wait = Wait { due_at: due.map(at), answered_at: answered.map(at), ..Wait::default() };
        let waits = Case { state, wait, ..case(name) };
        record.store.commit(unit(name, vec![Change::NewCase(waits)])).await.unwrap();
    }
    let backlog = record.store.backlog(&Reach::All, NOW).await.unwrap();
    let lines: Vec<_> = backlog.iter().map(|one| (one.state, one.cases, one.late, one.soon)).collect();
    assert_eq!(lines, [(CaseState::Agent, 2, 1, 0), (CaseState::Queued, 5, 2, 1)]);
}

async fn a_handoff_is_taken_by_the_first(record: Arc<Record>) {
    let store = &record.store;
    let open = handoff("ann", NOW);
    store.commit(unit("ann", vec![Change::Handoff(Box::new(open.clone()))])).await.unwrap();
    for name in ["eva", "max"] {
        let agent = AgentId::parse(name).unwrap();
        let taken = Change::HandoffTaken { handoff: open.id.clone(), agent, at: NOW };
        store.commit(unit("ann", vec![taken])).await.unwrap();
    }
    let eva = Some(AgentId::parse("eva").unwrap());
    assert_eq!(store.handoff(&case_id("ann")).await.unwrap(), Some(Handoff { taken_by: eva, ..open }));
}

async fn a_timeline_runs_over_all_cases_of_a_customer(record: Arc<Record>) {
    let store = &record.store;
    for name in ["ann", "bob"] {
        store.commit(first(name)).await.unwrap();
    }
    let second = Case { customer: customer_id("ann"), ..case("second") };
    let mut changes = vec![Change::NewCase(second)];
    changes.extend((1..=6).map(|seq| Change::Message(Arc::new(message("second", seq)))));
    store.commit(unit("second", changes)).await.unwrap();
    let mut part = page(3);
    let mut all = Vec::new();
    loop {
        let (messages, next) = store.timeline(&customer_id("ann"), &Reach::All, &part).await.unwrap();
        all.extend(messages.iter().map(|m| (m.at.ms_since(NOW), m.case.as_str().to_owned())));
        let Some(next) = next else { break };
        part.cursor = Some(next);
    }
    let times: Vec<_> = all.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [6, 5, 4, 3, 2, 1, 1]);
    assert!(
        all.iter().any(|(_, case)| case == "case-ann") && !all.iter().any(|(_, case)| case == "case-bob")
    );
}

async fn a_customer_is_found_by_the_operators_id(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    let found = Some(Arc::new(customer("ann")));
    assert_eq!(store.customer_by_external_id("u-ann").await.unwrap(), found);
    assert_eq!(store.customer(&customer_id("ann")).await.unwrap(), found);
    assert_eq!(store.customer_by_external_id("u-bob").await.unwrap(), None);
    assert_eq!(store.customer(&customer_id("bob")).await.unwrap(), None);
}

async fn identities_follow_what_was_seen(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    let mut seen = identity("ann");
    seen.assurance = firstline::domain::assurance::Assurance::Verified;
    "api_key".clone_into(&mut seen.proof);
    seen.last_seen = NOW.plus_ms(5);
    store.commit(unit("ann", vec![Change::SeenIdentity(seen.clone())])).await.unwrap();
    assert_eq!(store.identities(&customer_id("ann")).await.unwrap(), [seen]);
    assert_eq!(store.identities(&customer_id("bob")).await.unwrap(), []);
}

async fn text_loses_its_nul_bytes_and_nothing_else(record: Arc<Record>) {
    let store = &record.store;
    store.commit(first("ann")).await.unwrap();
    let odd = "a\u{0}b\u{202e}c\u{200b}\u{feff}\u{1}\r\n\t😀e\u{301}";
    let clean = odd.replace('\0', "");
    let mut entry = inbox("ann", "x\u{0}y");
    entry.message = message("ann", 2).id;
    let changes = vec![
        Change::Case(Case { issue: Some(odd.to_owned()), ..case_at("ann", 2) }),
        Change::Message(Arc::new(Message { text: odd.to_owned(), ..message("ann", 2) })),
        Change::Inbox(entry.clone()),
        Change::Receipt(Arc::new(receipt("ann", 1))),
    ];
    store.commit(unit("ann", changes)).await.unwrap();
    let known = store.case(&case_id("ann")).await.unwrap().unwrap();
    assert_eq!(known.messages[1].text, clean);
    assert_eq!(known.case.issue.as_deref(), Some(clean.as_str()));
    assert_eq!(known, store.case_fresh(&case_id("ann")).await.unwrap().unwrap());
    // Whoever sends the same id again is known again.
    let found = store.arrival("web_chat", "x\u{0}y", ("web_chat", "visitor-\u{0}ann")).await.unwrap();
    assert_eq!(found.inbox.map(|inbox| inbox.message), Some(entry.message));
    assert!(found.identity.is_some());
    assert_eq!(store.receipts(&case_id("ann")).await.unwrap(), [Arc::new(receipt("ann", 1))]);
}
