//! The pipeline under what time and other people do to it, with an assistant that waits until it is told to go on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use firstline::assistant::{Assistant, AssistantError, Proposer, Seen, Situation};
use firstline::config::{Config, Sources};
use firstline::desk::act::{self, Actor, At, Reply};
use firstline::domain::case::CaseState;
use firstline::domain::decision::{Draft, Step};
use firstline::domain::ids::{CaseId, ProcedureId};
use firstline::domain::message::{Author, Message};
use firstline::domain::receipt::{CallStatus, LedgerEntry};
use firstline::domain::time::Clock;
use firstline::domain::triage::Urgency;
use firstline::domain::turn::Outcome;
use firstline::pipeline::{IngestError, Parts, Pipeline};
use firstline::store::{Announcement, Change, Store, Unit};
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Semaphore;

use crate::store::{Record, on_both};
use crate::support::world::{ManualClock, clock, message, parts};

pub(crate) mod which_case;

on_both! {
    a_hundred_copies_at_once_are_stored_and_answered_once
    the_same_id_with_other_words_is_a_conflict
    cards_and_codes_are_gone_before_anything_is_stored_or_read
    a_case_without_hurry_is_low_until_there_is_one
    a_worker_frozen_for_twice_its_lease_writes_nothing
    a_person_who_takes_the_case_meanwhile_silences_the_assistant
    newer_words_start_the_turn_again_and_one_reply_answers_all
    words_that_come_too_often_get_a_turn_of_their_own
    a_thousand_messages_of_one_case_are_all_read
    a_turn_that_always_breaks_ends_with_a_person
    a_clock_that_jumps_back_holds_nobody_up
    an_effect_whose_result_nobody_waits_for_goes_to_a_person
    a_database_that_takes_nothing_acknowledges_nothing_and_heals
}

const DAY_MS: i64 = 86_400_000;
const WAIT_MS: u64 = 20_000;
const REPLY: &str = "Thank you for your message.";

/// An assistant that says when it begins, goes on when it may, and always gives the same answer, or none.
struct Scripted {
    begun: Semaphore,
    go_on: Semaphore,
    breaks: bool,
    read: Mutex<Vec<Vec<String>>>,
    turns: AtomicUsize,
}

struct Line(Arc<Scripted>);

impl Assistant for Line {
    fn begin(&self, situation: Situation) -> Box<dyn Proposer> {
        let texts = situation.readings.iter().map(|reading| reading.message.text.clone()).collect();
        self.0.read.lock().unwrap().push(texts);
        self.0.turns.fetch_add(1, Ordering::SeqCst);
        Box::new(Self(self.0.clone()))
    }
}

impl Proposer for Line {
    fn next(&mut self, _: Seen) -> BoxFuture<'_, Result<Step, AssistantError>> {
        Box::pin(async {
            self.0.begun.add_permits(1);
            self.0.go_on.acquire().await.unwrap().forget();
            assert!(!self.0.breaks, "it was told to break");
            Ok(Step::Say(Draft { text: REPLY.to_owned(), ..Draft::default() }))
        })
    }

    fn memory(&self) -> String {
        String::new()
    }

    fn gathered(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn intent(&self) -> Option<ProcedureId> {
        None
    }
}

/// One process: its own connections, caches and turns over the record that all share.
struct Process {
    pipeline: Arc<Pipeline>,
    assistant: Arc<Scripted>,
    clock: Arc<ManualClock>,
}

/// How many steps an assistant may take before it is told.
#[derive(Clone, Copy)]
enum Pace {
    Free,
    WhenTold,
    Breaks,
}

impl Process {
    async fn new(record: &Record, clock: &Arc<ManualClock>, pace: Pace) -> Self {
        Self::with(record, clock, pace, |_| ()).await
    }

    /// With parts that are changed first.
    async fn with(
        record: &Record,
        clock: &Arc<ManualClock>,
        pace: Pace,
        change: impl FnOnce(&mut Parts),
    ) -> Self {
        let mut config = Config::load(Sources::default()).unwrap();
        config.database.url = record.database.url();
        let assistant = Arc::new(Scripted {
            begun: Semaphore::new(0),
            go_on: Semaphore::new(if matches!(pace, Pace::WhenTold) { 0 } else { 100_000 }),
            breaks: matches!(pace, Pace::Breaks),
            read: Mutex::default(),
            turns: AtomicUsize::new(0),
        });
        let mut parts = parts(config, clock.clone(), &[], Arc::new(Line(assistant.clone()))).await;
        change(&mut parts);
        let pipeline = Pipeline::new(parts);
        Self { pipeline, assistant, clock: clock.clone() }
    }

    async fn one(record: &Record, pace: Pace) -> Self {
        Self::new(record, &clock(), pace).await
    }

    fn store(&self) -> &Store {
        &self.pipeline.parts().store
    }

    /// Until the assistant has begun another step.
    async fn begun(&self) {
        self.assistant.begun.acquire().await.unwrap().forget();
    }

    fn go_on(&self) {
        self.assistant.go_on.add_permits(1);
    }

    /// Until no turn is under way here any more.
    async fn idle(&self) {
        self.pipeline.parts().tasks.close();
        self.pipeline.parts().tasks.wait().await;
        self.pipeline.parts().tasks.reopen();
    }

    async fn said(&self, case: &CaseId) -> Vec<Arc<Message>> {
        let thread = self.store().messages(case, 0, 10_000).await.unwrap();
        thread.into_iter().filter(|message| message.author == Author::Assistant).collect()
    }

    async fn state(&self, case: &CaseId) -> CaseState {
        self.store().case_fresh(case).await.unwrap().unwrap().case.state
    }
}

async fn a_hundred_copies_at_once_are_stored_and_answered_once(record: Arc<Record>) {
    let process = Process::one(&record, Pace::Free).await;
    let copies = (0..100).map(|_| process.pipeline.ingest(message("m1", "hello")));
    let accepted: Vec<_> = join_all(copies).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(accepted.iter().filter(|one| !one.duplicate).count(), 1);
    assert!(accepted.iter().all(|one| one.message == accepted[0].message && one.seq == 1));
    for one in &accepted {
        let ended = process.pipeline.wait(one, WAIT_MS).await.unwrap();
        assert_eq!((ended.outcome, ended.replies.len()), (Some(Outcome::Replied), 1));
    }
    assert_eq!(process.store().messages(&accepted[0].case, 0, 100).await.unwrap().len(), 2);
}

async fn the_same_id_with_other_words_is_a_conflict(record: Arc<Record>) {
    let process = Process::one(&record, Pace::Free).await;
    let first = process.pipeline.ingest(message("m1", "hello")).await.unwrap();
    let other = process.pipeline.ingest(message("m1", "goodbye")).await;
    assert!(matches!(other, Err(IngestError::Conflict)), "{other:?}");
    process.idle().await;
    assert_eq!(process.store().messages(&first.case, 0, 100).await.unwrap().len(), 2);
}

async fn cards_and_codes_are_gone_before_anything_is_stored_or_read(record: Arc<Record>) {
    let process = Process::one(&record, Pace::Free).await;
    let text =
        "my card 4242 4242 4242 4242 was refused, and the code you sent is 48 29 13. It is for HP-10042";
    let accepted = process.pipeline.ingest(message("m1", text)).await.unwrap();
    process.idle().await;
    let masked = "my card •••• 4242 was refused, and the code you sent is ••••. It is for HP-10042";
    assert_eq!(process.store().messages(&accepted.case, 0, 100).await.unwrap()[0].text, masked);
    assert_eq!(*process.assistant.read.lock().unwrap(), [[masked]]);
}

async fn a_case_without_hurry_is_low_until_there_is_one(record: Arc<Record>) {
    let process = Process::one(&record, Pace::Free).await;
    for (id, text, urgency) in [
        ("m1", "No rush, when do you open?", Urgency::Low),
        ("m2", "i need the tent today", Urgency::High),
        ("m3", "no rush", Urgency::High),
    ] {
        let accepted = process.pipeline.ingest(message(id, text)).await.unwrap();
        process.idle().await;
        let file = process.store().case_fresh(&accepted.case).await.unwrap().unwrap();
        assert_eq!(file.case.urgency, urgency, "{text}");
    }
}

async fn a_worker_frozen_for_twice_its_lease_writes_nothing(record: Arc<Record>) {
    let clock = clock();
    let frozen = Process::new(&record, &clock, Pace::WhenTold).await;
    let other = Process::new(&record, &clock, Pace::Free).await;
    let accepted = frozen.pipeline.ingest(message("m1", "hello")).await.unwrap();
    frozen.begun().await;
    clock.advance(frozen.pipeline.parts().config.worker.lease_ms * 2);
    other.pipeline.drain().await;
    let said = other.said(&accepted.case).await;
    assert_eq!(said.len(), 1);
    let before = other.store().events(&accepted.case, 0, i64::MAX).await.unwrap();
    frozen.go_on();
    frozen.idle().await;
    assert_eq!(other.said(&accepted.case).await, said);
    assert_eq!(other.store().events(&accepted.case, 0, i64::MAX).await.unwrap(), before);
    // Whoever asks the frozen one hears what the other one said.
    let ended = frozen.pipeline.wait(&accepted, WAIT_MS).await.unwrap();
    assert_eq!((ended.outcome, ended.replies), (Some(Outcome::Replied), said));
}

async fn a_person_who_takes_the_case_meanwhile_silences_the_assistant(record: Arc<Record>) {
    let process = Process::one(&record, Pace::WhenTold).await;
    let accepted = process.pipeline.ingest(message("m1", "hello")).await.unwrap();
    process.begun().await;
    let actor = Actor::Program("test".to_owned());
    let at = At {
        store: process.store(),
        channels: &process.pipeline.parts().channels,
        clock: process.clock.as_ref(),
        actor: &actor,
        case: &accepted.case,
    };
    act::reply(at, Reply { text: "I am looking into it".to_owned(), ..Reply::default() }).await.unwrap();
    process.go_on();
    process.idle().await;
    assert_eq!(process.said(&accepted.case).await, Vec::new());
    assert_eq!(process.state(&accepted.case).await, CaseState::Agent);
    assert_eq!(process.store().open_turn(&accepted.case).await.unwrap(), None);
}

async fn newer_words_start_the_turn_again_and_one_reply_answers_all(record: Arc<Record>) {
    let process = Process::one(&record, Pace::WhenTold).await;
    let first = process.pipeline.ingest(message("m1", "hello")).await.unwrap();
    process.begun().await;
    let second = process.pipeline.ingest(message("m2", "my order is late")).await.unwrap();
    process.go_on();
    process.go_on();
    let replies = [
        process.pipeline.wait(&first, WAIT_MS).await.unwrap().replies,
        process.pipeline.wait(&second, WAIT_MS).await.unwrap().replies,
    ];
    process.idle().await;
    let said = process.said(&first.case).await;
    assert_eq!((said.len(), &replies[0], &replies[1]), (1, &said, &said));
    let read = process.assistant.read.lock().unwrap().clone();
    assert_eq!(read, [vec!["hello"], vec!["hello", "my order is late"]]);
}

async fn words_that_come_too_often_get_a_turn_of_their_own(record: Arc<Record>) {
    let process = Process::one(&record, Pace::WhenTold).await;
    let restarts_max = process.pipeline.parts().config.limits.restarts_max;
    let mut accepted = vec![process.pipeline.ingest(message("m0", "hello")).await.unwrap()];
    for at in 0..=restarts_max {
        process.begun().await;
        accepted.push(process.pipeline.ingest(message(&format!("m{}", at + 1), "and")).await.unwrap());
        process.go_on();
    }
    process.go_on();
    let last = accepted.pop().unwrap();
    let late = process.pipeline.wait(&last, WAIT_MS).await.unwrap();
    process.idle().await;
    let said = process.said(&last.case).await;
    assert_eq!(said.len(), 2);
    assert_eq!(late.replies, said[1..]);
    for one in &accepted {
        assert_eq!(process.pipeline.wait(one, WAIT_MS).await.unwrap().replies, said[..1]);
    }
}

async fn a_thousand_messages_of_one_case_are_all_read(record: Arc<Record>) {
    let process = Process::one(&record, Pace::Free).await;
    let mut case = None;
    for at in 0..1000 {
        let accepted =
            process.pipeline.enqueue(message(&format!("m{at}"), &format!("word {at}"))).await.unwrap();
        assert_eq!(accepted.seq, at + 1);
        case = Some(accepted.case);
    }
    process.pipeline.drain().await;
    let case = case.unwrap();
    let read: Vec<String> = process.assistant.read.lock().unwrap().iter().flatten().cloned().collect();
    assert!(
        read.iter().eq(&(0..1000).map(|at| format!("word {at}")).collect::<Vec<_>>()),
        "{} were read",
        read.len()
    );
    assert_eq!(process.said(&case).await.len(), process.assistant.turns.load(Ordering::SeqCst));
    assert_eq!(process.store().case_fresh(&case).await.unwrap().unwrap().case.answered_seq, 1000);
    assert_eq!(process.store().open_turn(&case).await.unwrap(), None);
}

async fn a_turn_that_always_breaks_ends_with_a_person(record: Arc<Record>) {
    let process = Process::one(&record, Pace::Breaks).await;
    let accepted = process.pipeline.enqueue(message("m1", "hello")).await.unwrap();
    let turn = process.store().open_turn(&accepted.case).await.unwrap().unwrap();
    let worker = process.pipeline.parts().config.worker.clone();
    for _ in 0..worker.attempts_max {
        assert_eq!(process.state(&accepted.case).await, CaseState::Assistant);
        process.pipeline.drain().await;
        process.clock.advance(worker.retry_ms << worker.attempts_max);
    }
    assert_eq!(process.state(&accepted.case).await, CaseState::Queued);
    assert_eq!(process.store().turn(&turn.id).await.unwrap().unwrap().1, Some(Outcome::Dead));
    let handoff = process.store().handoff(&accepted.case).await.unwrap().unwrap();
    assert_eq!(handoff.reason, "turn_failed");
    assert_eq!(process.said(&accepted.case).await.len(), 1);
    assert_eq!(process.assistant.turns.load(Ordering::SeqCst) as i64, worker.attempts_max);
}

async fn a_clock_that_jumps_back_holds_nobody_up(record: Arc<Record>) {
    let clock = clock();
    let dead = Process::new(&record, &clock, Pace::WhenTold).await;
    let held = dead.pipeline.ingest(message("m1", "hello")).await.unwrap();
    dead.begun().await;
    clock.advance(-DAY_MS);
    let other = Process::new(&record, &clock, Pace::Free).await;
    other.pipeline.drain().await;
    assert_eq!(other.said(&held.case).await.len(), 1);
    let free = dead.pipeline.enqueue(message("m2", "hello again")).await.unwrap();
    clock.advance(-DAY_MS);
    other.pipeline.drain().await;
    assert_eq!(other.said(&free.case).await.len(), 2);
}

async fn an_effect_whose_result_nobody_waits_for_goes_to_a_person(record: Arc<Record>) {
    let process = Process::one(&record, Pace::Free).await;
    let accepted = process.pipeline.ingest(message("m1", "hello")).await.unwrap();
    process.idle().await;
    let claim = LedgerEntry {
        key: "k".to_owned(),
        case: accepted.case.clone(),
        customer: accepted.customer.clone(),
        tool: "cancel_order".to_owned(),
        arguments: "{}".to_owned(),
        amount_minor: None,
        status: None,
        claimed_at: process.clock.now(),
    };
    let unit = Unit { case: accepted.case.clone(), changes: vec![Change::Claim(claim)] };
    process.store().commit(unit).await.unwrap();
    process.clock.advance(process.pipeline.parts().config.worker.unsettled_ms + 1);
    let mut news = process.store().subscribe(&accepted.case);
    process.pipeline.start();
    loop {
        let one = news.next().await.expect("the store is open");
        if matches!(one, Announcement::State { state: CaseState::Queued, .. }) {
            break;
        }
    }
    process.pipeline.parts().shutdown.cancel();
    process.idle().await;
    let settled = process.store().ledger("k").await.unwrap().unwrap();
    assert_eq!(settled.status, Some(CallStatus::Unknown));
    let handoff = process.store().handoff(&accepted.case).await.unwrap().unwrap();
    assert_eq!(handoff.reason, "effect_unknown");
    let note = serde_json::to_string(&handoff.note).unwrap();
    assert!(note.contains("cancel_order"), "{note}");
}

async fn a_database_that_takes_nothing_acknowledges_nothing_and_heals(record: Arc<Record>) {
    let process = Process::one(&record, Pace::Free).await;
    for table in ["messages", "inbox"] {
        record.database.run(&format!("alter table {table} rename to elsewhere")).await;
        let refused = process.pipeline.ingest(message(table, "hello")).await;
        assert!(matches!(refused, Err(IngestError::Unavailable(_))), "{refused:?}");
        record.database.run(&format!("alter table elsewhere rename to {table}")).await;
        let accepted = process.pipeline.ingest(message(table, "hello")).await.unwrap();
        assert!(!accepted.duplicate);
        let ended = process.pipeline.wait(&accepted, WAIT_MS).await.unwrap();
        assert_eq!(ended.replies.len(), 1);
    }
}
