//! Many who watch at once, and one who comes back every second: everybody is told everything once, and nobody is held.

use std::sync::Arc;

use firstline::desk::presence::standing;
use firstline::domain::ids::{AgentId, CaseId};
use firstline::domain::role::Role;
use firstline::domain::routing::Presence;
use firstline::domain::time::Clock as _;
use futures_util::future::join_all;

use super::{everything_adds_up, said, words_of};
use crate::store::{Record, on_both};
use crate::support::connected::eventually;
use crate::support::console::{Console, Following, session};
use crate::support::service::Service;
use crate::support::world::clock;

on_both! {
    a_thousand_streams_are_told_everything_and_leave_nothing_behind
    a_reader_that_falls_behind_is_let_go_and_misses_nothing
    a_browser_that_reconnects_every_second_misses_nothing_and_changes_nothing
    a_thread_is_told_in_its_order_whatever_the_clock_did
}

const AGENTS: usize = 1000;
const CASES: usize = 50;
/// Opened or written at the same moment.
const AT_ONCE: usize = 50;

/// A case that waits for people.
async fn asks(service: &Service, name: &str) -> CaseId {
    let words = words_of(name, &format!("{name}-0"), "I want to talk to a person");
    service.app.pipeline.ingest_for_people(words, "person_asked").await.unwrap().case
}

async fn writes(service: &Service, name: &str, id: &str) {
    service.app.pipeline.enqueue(words_of(name, &format!("{name}-{id}"), id)).await.unwrap();
}

async fn newest(service: &Service, case: &CaseId) -> i64 {
    service.app.store.case_fresh(case).await.unwrap().unwrap().case.message_seq
}

fn stream_of(case: &CaseId) -> String {
    format!("/console/cases/{case}/stream?after=0")
}

/// So many people who are signed in. Written at once: each alone would be waited for until it is on the disk.
async fn accounts(record: &Record, service: &Service, count: usize) -> Vec<(String, AgentId)> {
    let people: Vec<(String, AgentId)> =
        (0..count).map(|at| (format!("p{at}"), AgentId::parse(&format!("agent-p{at}")).unwrap())).collect();
    let now = service.app.clock.now();
    let (mut agents, mut sessions) = (Vec::new(), Vec::new());
    for (login, id) in &people {
        let session = session(login, now, now.plus_ms(3_600_000));
        agents.push(format!("('{id}', '{login}', '{login}', '', 'agent', '[]', '[]', 1, 1)"));
        sessions.push(format!(
            "('{}', '{id}', {now}, {now}, {})",
            session.token_hash,
            session.expires_at.0,
            now = now.0
        ));
    }
    let columns = "id, login, name, password_hash, role, teams, languages, created_at, password_chosen_at";
    record.database.run(&format!("insert into agents ({columns}) values {}", agents.join(", "))).await;
    let columns = "token_hash, agent_id, begun_at, seen_at, expires_at";
    record.database.run(&format!("insert into sessions ({columns}) values {}", sessions.join(", "))).await;
    people
}

/// Until no stream is open any more; a stream is a task.
async fn nothing_is_left(service: &Service) {
    eventually("every stream ends", || async { service.app.tasks.is_empty().then_some(()) }).await;
}

async fn a_thousand_streams_are_told_everything_and_leave_nothing_behind(record: Arc<Record>) {
    let service = Service::new(&record.database.url(), |config| {
        config.server.streams_max = AGENTS;
        config.console.streams_per_session_max = 1;
    })
    .await;
    let console = Console::of(&service);
    let mut cases = Vec::new();
    for at in 0..CASES {
        cases.push(asks(&service, &format!("c{at}")).await);
    }
    let people = accounts(&record, &service, AGENTS + 1).await;
    let mut streams: Vec<(usize, Following)> = Vec::new();
    for (part, logins) in people[..AGENTS].chunks(AT_ONCE).enumerate() {
        let open = logins.iter().enumerate().map(async |(at, (login, _))| {
            let case = (part * AT_ONCE + at) % CASES;
            (
                case,
                console
                    .follow(login, &stream_of(&cases[case]), None)
                    .await
                    .unwrap_or_else(|seen| panic!("{}", seen.body)),
            )
        });
        streams.extend(join_all(open).await);
    }
    assert_eq!((streams.len(), service.app.tasks.len()), (AGENTS, AGENTS));
    // One more than there is room for is told so; and one sign-in does not take the room of others.
    for (login, whose) in [(&people[AGENTS].0, "this service"), (&people[0].0, "this sign-in")] {
        let refused = console.follow(login, &stream_of(&cases[0]), None).await.err().unwrap();
        assert!(refused.status == 429 && refused.body.contains(whose), "{} {}", refused.status, refused.body);
    }
    // Customers write and agents answer, all at the same time, while everybody reads.
    let talk = cases.iter().enumerate().map(async |(at, case)| {
        let (name, path) = (format!("c{at}"), format!("/console/cases/{case}/reply"));
        for round in ["one", "two"] {
            let reply = [("text", round), ("id", round), ("kind", "reply")];
            let ((), said) =
                tokio::join!(writes(&service, &name, round), console.post(&people[at].0, &path, &reply));
            assert!(said.to.contains("said=sent"), "{} {}", said.status, said.body);
        }
        newest(&service, case).await
    });
    let last = join_all(talk).await;
    let heard = streams.iter_mut().map(async |(case, stream)| {
        let (seqs, _) = stream.messages_until(last[*case]).await;
        assert!(seqs.into_iter().eq(1..=last[*case]), "each word once, in its order");
    });
    join_all(heard).await;
    // Whoever watches is not thereby at work, nor in anybody's case.
    assert_eq!(service.app.store.presence(&people[0].1).await.unwrap(), None);
    let now = service.app.clock.now();
    assert_eq!(service.app.store.watchers(&cases[0], &people[1].1, now).await.unwrap(), []);
    assert_eq!(console.get(&people[0].0, "/console").await.status, 200);
    drop(streams);
    nothing_is_left(&service).await;
    let again = console.follow(&people[0].0, &stream_of(&cases[0]), None).await.ok().unwrap();
    drop(again);
    for case in &cases {
        assert_eq!((said(&record.store, case, "one").await, said(&record.store, case, "two").await), (2, 2));
    }
    everything_adds_up(&record.store, &service.app.pipeline).await;
    service.stop().await;
}

async fn a_reader_that_falls_behind_is_let_go_and_misses_nothing(record: Arc<Record>) {
    let service = Service::new(&record.database.url(), |config| {
        config.server.stream_backlog_max = 4;
        config.server.request_timeout_ms = 2000;
    })
    .await;
    let console = Console::of(&service);
    console.person(&service, "anna", Role::Agent).await;
    let case = asks(&service, "ann").await;
    let mut slow = console.follow("anna", &stream_of(&case), None).await.ok().unwrap();
    for at in 1..=30 {
        writes(&service, "ann", &at.to_string()).await;
    }
    // It reads nothing, so it is let go; what it was told before, it still finds.
    nothing_is_left(&service).await;
    let (mut seqs, mut last) = (Vec::new(), None);
    while let Some(told) = slow.next().await {
        seqs.extend(told.data["seq"].as_i64());
        last = told.id.or(last);
    }
    assert!(seqs.len() <= 4, "{seqs:?}");
    let mut again = console.follow("anna", &stream_of(&case), last.as_deref()).await.ok().unwrap();
    seqs.extend(again.messages_until(newest(&service, &case).await).await.0);
    assert!(seqs.iter().copied().eq(1..=newest(&service, &case).await), "{seqs:?}");
    drop(again);
    service.stop().await;
}

async fn a_browser_that_reconnects_every_second_misses_nothing_and_changes_nothing(record: Arc<Record>) {
    let clock = clock();
    let service = Service::at(&record.database.url(), clock.clone(), |config| {
        config.console.idle_ms = 100_000;
        config.routing.offer_ms = 3_600_000;
        config.server.stream_poll_ms = 50;
    })
    .await;
    let (console, store) = (Console::of(&service), &service.app.store);
    let anna = console.person(&service, "anna", Role::Agent).await;
    console.post("anna", "/console/presence", &[("status", "online")]).await;
    let case = asks(&service, "ann").await;
    service.app.pipeline.route().await;
    let offered = store.open_offers(None).await.unwrap();
    assert_eq!((offered.len(), &offered[0].agent), (1, &anna));
    let (mut seqs, mut last): (Vec<i64>, Option<String>) = (Vec::new(), None);
    for second in 1..=90 {
        clock.advance(1000);
        if second % 30 == 0 {
            console.post("anna", "/console/presence", &[]).await;
        }
        if second % 3 == 0 {
            writes(&service, "ann", &format!("between {second}")).await;
        }
        let mut stream = console.follow("anna", &stream_of(&case), last.as_deref()).await.ok().unwrap();
        if second % 5 == 0 {
            writes(&service, "ann", &format!("meanwhile {second}")).await;
        }
        let newest = newest(&service, &case).await;
        if seqs.last() != Some(&newest) {
            let (told, place) = stream.messages_until(newest).await;
            seqs.extend(told);
            last = place;
        }
        drop(stream);
        service.app.pipeline.route().await;
    }
    assert!(
        seqs.iter().copied().eq(1..=newest(&service, &case).await),
        "each once, in their order: {seqs:?}"
    );
    assert_eq!(store.open_offers(None).await.unwrap(), offered, "nothing was taken from her meanwhile");
    // None of this was use of the session: it ends, and with it what is open.
    let mut stream = console.follow("anna", &stream_of(&case), last.as_deref()).await.ok().unwrap();
    clock.advance(11_000);
    while let Some(told) = stream.next().await {
        assert_ne!(told.name, "message");
    }
    let ended = console.follow("anna", &stream_of(&case), last.as_deref()).await.err().unwrap();
    assert_eq!((ended.status, ended.to.as_str()), (303, "/console/login"));
    nothing_is_left(&service).await;
    // Nobody hears of her any more: she is away by herself, and what she was offered goes back.
    for _ in 0..10 {
        clock.advance(20_000);
        service.app.pipeline.route().await;
    }
    let heard = store.presence(&anna).await.unwrap();
    let presence_ms = service.app.config.routing.presence_ms;
    assert_eq!(standing(heard.as_ref(), clock.now(), presence_ms), Presence::Away);
    assert_eq!(store.open_offers(None).await.unwrap(), []);
    everything_adds_up(store, &service.app.pipeline).await;
    service.stop().await;
}

async fn a_thread_is_told_in_its_order_whatever_the_clock_did(record: Arc<Record>) {
    let clock = clock();
    let service = Service::at(&record.database.url(), clock.clone(), |_| {}).await;
    let console = Console::of(&service);
    console.person(&service, "anna", Role::Agent).await;
    let case = asks(&service, "ann").await;
    for (at, jump) in [86_400_000, -90_000_000, 0, 3_600_000, -1].into_iter().enumerate() {
        clock.advance(jump);
        writes(&service, "ann", &format!("word {at}")).await;
    }
    let newest = newest(&service, &case).await;
    // From every place on, what comes after it comes in order, and the place that goes with it never goes back.
    for after in 0..newest {
        let path = format!("/console/cases/{case}/stream?after={after}");
        let mut stream = console.follow("anna", &path, None).await.ok().unwrap();
        let (seqs, last) = stream.messages_until(newest).await;
        assert!(seqs.into_iter().eq(after + 1..=newest), "after {after}");
        assert_eq!(last, Some(format!("{case}.{newest}")));
    }
    nothing_is_left(&service).await;
    service.stop().await;
}
