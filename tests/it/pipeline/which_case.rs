//! Which case a message is about, when a customer has more than one or had one lately.

use std::sync::{Arc, LazyLock};

use firstline::config::{Config, Sources};
use firstline::demo;
use firstline::domain::case::{Case, CaseState, Move, Resolution};
use firstline::domain::ids::{CaseId, MessageId, ProcedureId};
use firstline::domain::message::{Author, InboundMessage, Message, Visibility};
use firstline::domain::time::Clock;
use firstline::knowledge::{Knowledge, Limits, Origin};
use firstline::pipeline::Accepted;
use firstline::pipeline::triage::Reader;
use firstline::store::{CommitError, Draftbook, Refusal};
use futures_util::future::join_all;

use super::{DAY_MS, ManualClock, Pace, Process, clock, message};
use crate::store::{Record, on_both};

on_both! {
    a_message_that_names_an_order_goes_to_its_case_on_any_channel
    a_short_answer_goes_to_the_case_that_waits_for_it
    thanks_after_a_resolution_are_no_return
    a_new_subject_the_next_day_opens_a_linked_case
    the_same_matter_the_next_day_reopens
    what_points_back_the_next_day_reopens
    whatever_comes_at_once_goes_on_in_the_same_case
    a_message_in_doubt_is_asked_about_and_a_no_takes_it_to_a_linked_case
    a_message_in_doubt_is_asked_about_and_a_yes_takes_it_up_where_it_is
    an_answer_that_names_the_other_case_takes_the_message_in_doubt_along
    another_matter_beside_open_cases_opens_a_linked_case
    a_case_that_closes_meanwhile_takes_no_message
    two_messages_of_a_new_matter_at_once_open_one_case
}

/// A part of the demo's knowledge, learnt once.
static UNDERSTANDING: LazyLock<(Knowledge, Arc<Reader>)> = LazyLock::new(|| {
    let wanted =
        ["order_status", "refund.md", "invoice", "payment_methods", "damaged", "store_hours", "stock"];
    let sources = demo::knowledge().into_iter().filter(|source| {
        source.path.contains("articles/delivery/") || wanted.iter().any(|name| source.path.contains(name))
    });
    let config = Config::load(Sources::default()).unwrap();
    let limits = Limits::from(&config.knowledge);
    let (knowledge, _) = Knowledge::open(Origin::Embedded(sources.collect()), None, limits);
    let reader = Reader::new(knowledge.clone(), config.triage.clone(), config.business.clone(), None);
    (knowledge, Arc::new(reader))
});

struct World {
    process: Process,
    clock: Arc<ManualClock>,
}

/// A message of the one customer, by way of a channel and a thread of it.
fn by(channel: &str, id: &str, text: &str) -> InboundMessage {
    InboundMessage { channel: channel.to_owned(), conversation: format!("on {channel}"), ..message(id, text) }
}

impl World {
    async fn new(record: &Record, clock: &Arc<ManualClock>) -> Self {
        let process = Process::with(record, clock, Pace::Free, |parts| {
            (parts.knowledge, parts.reader) = UNDERSTANDING.clone();
        })
        .await;
        Self { process, clock: clock.clone() }
    }

    async fn one(record: &Record) -> Self {
        Self::new(record, &clock()).await
    }

    async fn write(&self, message: InboundMessage) -> Accepted {
        let accepted = self.process.pipeline.enqueue(message).await.unwrap();
        self.process.pipeline.drain().await;
        accepted
    }

    async fn case(&self, id: &CaseId) -> Case {
        self.process.store().case_fresh(id).await.unwrap().unwrap().case.clone()
    }

    async fn change(&self, id: &CaseId, change: impl Fn(&mut Draftbook)) {
        let file = self.process.store().case_fresh(id).await.unwrap().unwrap();
        let mut book = Draftbook::new(file.case.clone(), self.clock.now());
        change(&mut book);
        self.process.store().commit(book.close(Vec::new())).await.unwrap();
    }

    async fn resolve(&self, id: &CaseId, intent: &str) {
        let now = self.clock.now();
        self.change(id, |book| {
            book.case.step(Move::AssistantResolved).unwrap();
            book.case.resolution = Some(Resolution::Answered);
            book.case.resolved_at = Some(now);
            book.case.intent = Some(ProcedureId::parse(intent).unwrap());
        })
        .await;
    }

    /// A case about where an order is, resolved a day ago.
    async fn resolved(&self) -> CaseId {
        let case = self.write(by("mail", "m1", "where is my order HP-10042")).await.case;
        self.resolve(&case, "order_status").await;
        self.clock.advance(DAY_MS);
        case
    }

    /// Two open cases: of order HP-10042 by mail, of HP-10073 in the chat; the second is the newest.
    async fn two(&self) -> (CaseId, CaseId) {
        let first = self.resolved().await;
        let second = self.write(by("chat", "m2", "HP-10073 arrived broken")).await;
        assert_ne!(second.case, first, "another order is another matter");
        self.change(&first, |book| {
            book.case.step(Move::Reopened).unwrap();
            book.case.step(Move::Returned).unwrap();
        })
        .await;
        self.clock.advance(1);
        let broken = "wrong_or_damaged_item";
        self.change(&second.case, |book| book.case.intent = Some(ProcedureId::parse(broken).unwrap())).await;
        (first, second.case)
    }

    async fn last_said(&self, case: &CaseId) -> Arc<Message> {
        self.process.said(case).await.pop().unwrap()
    }

    /// What the assistant was given to read last.
    fn read(&self) -> Vec<String> {
        self.process.assistant.read.lock().unwrap().last().cloned().unwrap()
    }

    async fn reopenings(&self, case: &CaseId) -> usize {
        let events = self.process.store().events(case, 0, i64::MAX).await.unwrap();
        events.iter().filter(|event| event.kind == "reopened").count()
    }
}

async fn a_message_that_names_an_order_goes_to_its_case_on_any_channel(record: Arc<Record>) {
    let world = World::one(&record).await;
    let (first, second) = world.two().await;
    for (number, (channel, text, case)) in [
        ("chat", "any news on 10042?", &first),
        ("mail", "hp-10073 is still broken", &second),
        ("mail", "where is HP-10042 now", &first),
        ("phone", "I mean order number 10073", &second),
        // What is asked tells too, where no order is named.
        ("phone", "where is my parcel", &first),
        ("phone", "it came with a broken part, the item is damaged", &second),
    ]
    .into_iter()
    .enumerate()
    {
        let accepted = world.write(by(channel, &format!("n{number}"), text)).await;
        assert_eq!(accepted.case, *case, "{channel}: {text}");
        assert_eq!(world.case(case).await.doubt, None);
    }
}

async fn a_short_answer_goes_to_the_case_that_waits_for_it(record: Arc<Record>) {
    let world = World::one(&record).await;
    let (first, second) = world.two().await;
    for (number, waiting) in [&first, &second, &first].into_iter().enumerate() {
        let now = world.clock.now();
        let id = MessageId::new(world.clock.new_id());
        world
            .change(waiting, |book| {
                book.message(Message {
                    id: id.clone(),
                    case: waiting.clone(),
                    seq: 0,
                    author: Author::Assistant,
                    agent: None,
                    channel: "mail".to_owned(),
                    text: "Which of them is it?".to_owned(),
                    at: now,
                    visibility: Visibility::Public,
                    citations: Vec::new(),
                    choices: Vec::new(),
                    attachments: Vec::new(),
                    turn: None,
                });
            })
            .await;
        let text = ["yes", "the big one", "no"][number];
        let accepted = world.write(by("phone", &format!("n{number}"), text)).await;
        assert_eq!(accepted.case, *waiting, "{text}");
    }
}

async fn thanks_after_a_resolution_are_no_return(record: Arc<Record>) {
    let world = World::one(&record).await;
    let case = world.resolved().await;
    let before = world.case(&case).await;
    for (number, text) in ["thanks!", "👍", "hello", "ok great, thank you"].into_iter().enumerate() {
        let accepted = world.write(by("chat", &format!("n{number}"), text)).await;
        assert_eq!(accepted.case, case);
        assert_eq!(world.process.said(&case).await.len(), number + 2, "{text} was answered");
        let after = world.case(&case).await;
        assert_eq!(
            (after.state, after.resolution, after.resolved_at),
            (CaseState::Resolved, before.resolution, before.resolved_at),
            "{text}"
        );
        world.clock.advance(DAY_MS);
    }
    assert_eq!(world.reopenings(&case).await, 0);
    // What is said after the thanks is a return all the same.
    assert_eq!(world.write(by("chat", "m9", "where is my order HP-10042")).await.case, case);
    assert_eq!(world.reopenings(&case).await, 1);
    assert_eq!(world.case(&case).await.resolution, None);
}

async fn a_new_subject_the_next_day_opens_a_linked_case(record: Arc<Record>) {
    let world = World::one(&record).await;
    let case = world.resolved().await;
    let accepted = world.write(by("mail", "m2", "can I have an invoice for HP-10073")).await;
    assert_ne!(accepted.case, case);
    assert_eq!(world.case(&accepted.case).await.follows, Some(case.clone()));
    assert_eq!(world.case(&case).await.state, CaseState::Resolved);
    assert_eq!(world.reopenings(&case).await, 0);

    world.resolve(&accepted.case, "invoice").await;
    world.clock.advance(DAY_MS);
    let third = world.write(by("mail", "m3", "what are your opening hours")).await;
    assert!(third.case != case && third.case != accepted.case);
    assert_eq!(world.case(&third.case).await.follows, Some(accepted.case));
}

async fn the_same_matter_the_next_day_reopens(record: Arc<Record>) {
    let world = World::one(&record).await;
    let case = world.resolved().await;
    let accepted = world.write(by("chat", "m2", "where is my parcel")).await;
    assert_eq!(accepted.case, case);
    let after = world.case(&case).await;
    assert_eq!((after.state, after.resolution, after.resolved_at), (CaseState::Assistant, None, None));
    assert_eq!(world.reopenings(&case).await, 1);
}

async fn what_points_back_the_next_day_reopens(record: Arc<Record>) {
    let world = World::one(&record).await;
    let case = world.resolved().await;
    for (number, text) in ["any news?", "can I have an invoice for it"].into_iter().enumerate() {
        assert_eq!(world.write(by("chat", &format!("n{number}"), text)).await.case, case, "{text}");
        world.resolve(&case, "order_status").await;
        world.clock.advance(DAY_MS);
    }
    assert_eq!(world.reopenings(&case).await, 2);
}

async fn whatever_comes_at_once_goes_on_in_the_same_case(record: Arc<Record>) {
    let world = World::one(&record).await;
    let case = world.resolved().await;
    world.clock.advance(60_000 - DAY_MS);
    let accepted = world.write(by("chat", "m2", "can I have an invoice for HP-10073")).await;
    assert_eq!(accepted.case, case);
}

const UNCLEAR: &str = "the colour looks different to me";

/// A message about which nobody can tell, and the question that it leads to in the newest case.
async fn in_doubt(world: &World) -> (CaseId, CaseId) {
    let (older, newest) = world.two().await;
    let accepted = world.write(by("phone", "m3", UNCLEAR)).await;
    assert_eq!(accepted.case, newest);
    let asked = world.last_said(&newest).await;
    assert!(asked.text.starts_with("Is this still about") && asked.choices == ["Yes", "No"], "{asked:?}");
    (older, newest)
}

async fn a_message_in_doubt_is_asked_about_and_a_no_takes_it_to_a_linked_case(record: Arc<Record>) {
    let world = World::one(&record).await;
    let (_, newest) = in_doubt(&world).await;
    let turns = world.process.assistant.read.lock().unwrap().len();
    let accepted = world.write(by("phone", "m4", "No")).await;
    assert_eq!(world.case(&accepted.case).await.follows, Some(newest.clone()));
    assert_eq!(world.read(), [UNCLEAR], "it need not be written again");
    assert_eq!(world.process.assistant.read.lock().unwrap().len(), turns + 1);
    assert_eq!(world.case(&newest).await.doubt, None);
    assert_eq!(world.case(&accepted.case).await.doubt, None);
    // The messages stay where they were stored.
    let thread = world.process.store().messages(&accepted.case, 0, 100).await.unwrap();
    assert_eq!((thread[0].text.as_str(), thread.len()), ("No", 2));
    // What follows there belongs there, without being asked about again.
    let next = world.write(by("phone", "m5", "it looks darker than on the picture")).await;
    assert_eq!(next.case, accepted.case);
    assert_eq!(world.last_said(&accepted.case).await.text, super::REPLY);
}

async fn a_message_in_doubt_is_asked_about_and_a_yes_takes_it_up_where_it_is(record: Arc<Record>) {
    let world = World::one(&record).await;
    let (_, newest) = in_doubt(&world).await;
    let accepted = world.write(by("phone", "m4", "yes")).await;
    assert_eq!(accepted.case, newest);
    assert_eq!(world.read(), [UNCLEAR]);
    assert_eq!(world.case(&newest).await.doubt, None);
}

async fn an_answer_that_names_the_other_case_takes_the_message_in_doubt_along(record: Arc<Record>) {
    let world = World::one(&record).await;
    let (older, newest) = in_doubt(&world).await;
    let accepted = world.write(by("phone", "m4", "I mean HP-10042")).await;
    assert_eq!(accepted.case, older);
    assert_eq!(world.read(), [format!("{UNCLEAR}\nI mean HP-10042")]);
    assert_eq!((world.case(&newest).await.doubt, world.case(&older).await.doubt), (None, None));
}

async fn another_matter_beside_open_cases_opens_a_linked_case(record: Arc<Record>) {
    let world = World::one(&record).await;
    let (older, newest) = world.two().await;
    let accepted = world.write(by("phone", "m3", "what are your opening hours")).await;
    assert!(accepted.case != older && accepted.case != newest);
    assert_eq!(world.case(&accepted.case).await.follows, Some(newest));
}

async fn a_case_that_closes_meanwhile_takes_no_message(record: Arc<Record>) {
    let clock = clock();
    let world = World::new(&record, &clock).await;
    let elsewhere = World::new(&record, &clock).await;
    let mut case = world.resolved().await;
    for round in 0..20 {
        let file = elsewhere.process.store().case_fresh(&case).await.unwrap().unwrap();
        let mut book = Draftbook::new(file.case.clone(), clock.now());
        book.case.step(Move::Closed).unwrap();
        let close = elsewhere.process.store().commit(book.close(Vec::new()));
        let text = ["where is my order", "what are your opening hours"][round % 2];
        let write = world.process.pipeline.enqueue(by("mail", &format!("r{round}"), text));
        let (closed, written) = tokio::join!(close, write);
        let written = written.unwrap();
        let old = world.case(&case).await;
        match closed {
            Ok(()) => {
                assert_eq!(old.state, CaseState::Closed);
                assert_ne!(written.case, case, "a closed case took a message");
            }
            Err(CommitError::Refused(Refusal::Stale)) => assert_eq!(written.case, case),
            Err(error) => panic!("{error}"),
        }
        world.process.pipeline.drain().await;
        case = written.case;
        let intent = ["order_status", "store_hours"][round % 2];
        world.resolve(&case, intent).await;
        clock.advance(DAY_MS);
    }
}

async fn two_messages_of_a_new_matter_at_once_open_one_case(record: Arc<Record>) {
    let clock = clock();
    let worlds = [World::new(&record, &clock).await, World::new(&record, &clock).await];
    let case = worlds[0].resolved().await;
    let writes = (0..6).map(|number| {
        let pipeline = &worlds[number % 2].process.pipeline;
        pipeline.enqueue(by("mail", &format!("n{number}"), "what are your opening hours"))
    });
    let homes: Vec<CaseId> = join_all(writes).await.into_iter().map(|one| one.unwrap().case).collect();
    assert!(homes.iter().all(|home| *home == homes[0] && *home != case), "{homes:?}");
    worlds[0].process.pipeline.drain().await;
}
