//! Bad input and faults on the human side: a thousand streams, a browser that reconnects every second, people who do the
//! same at once, desks that are down for a day, a clock that jumps. No text is lost, no reply leaves twice, no count is
//! wrong.

pub(crate) mod answers;
pub(crate) mod clocks;
pub(crate) mod merges;
pub(crate) mod sinks;
pub(crate) mod streams;

use firstline::domain::event::first_broken;
use firstline::domain::ids::CaseId;
use firstline::domain::message::InboundMessage;
use firstline::pipeline::Pipeline;
use firstline::store::{CaseFilter, Page, Store};

use crate::measures;
use crate::support::world::message;

/// Words of a customer of this name, for whom the operator vouches.
fn words_of(name: &str, id: &str, text: &str) -> InboundMessage {
    let mut words = message(id, text);
    (words.sender.address, words.sender.external_id) = (name.to_owned(), Some(name.to_owned()));
    name.clone_into(&mut words.conversation);
    words
}

/// Whatever happened: each log is whole and in order, each thread too, and what was counted is what the logs say.
async fn everything_adds_up(store: &Store, pipeline: &Pipeline) {
    let (cases, more) =
        store.list_cases(&CaseFilter::default(), &Page { cursor: None, limit: 1000 }).await.unwrap();
    assert!(!cases.is_empty() && more.is_none());
    for case in &cases {
        let events = store.events(&case.id, 0, i64::MAX).await.unwrap();
        assert_eq!(first_broken(&events), None, "the log of {}", case.id);
        assert!(events.iter().map(|event| event.seq).eq(1..=case.event_seq), "the log of {}", case.id);
        let thread = store.messages(&case.id, 0, 10_000).await.unwrap();
        assert!(
            thread.iter().map(|message| message.seq).eq(1..=case.message_seq),
            "the thread of {}",
            case.id
        );
        let waited = |event: &firstline::domain::event::Event| {
            let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
            body["first_answer"]["waited_ms"].as_i64().unwrap_or_default()
        };
        assert!(events.iter().all(|event| waited(event) >= 0), "nobody waits for less than no time");
    }
    pipeline.count().await;
    measures::agrees(store).await;
}

/// How often a text stands in the thread of a case.
async fn said(store: &Store, case: &CaseId, text: &str) -> usize {
    let thread = store.messages(case, 0, 10_000).await.unwrap();
    thread.iter().filter(|message| message.text == text).count()
}
