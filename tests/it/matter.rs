//! Which of a customer's cases a message continues, over all the places it may come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use firstline::assistant::{Assistant, AssistantError, Proposer, Seen, Situation};
use firstline::config::{Config, Sources};
use firstline::domain::case::{CaseState, Resolution};
use firstline::domain::decision::{Draft, HandOff, Step};
use firstline::domain::ids::{CaseId, ProcedureId};
use firstline::domain::message::InboundMessage;
use firstline::pipeline::Pipeline;
use futures_util::future::BoxFuture;

use crate::store::{Record, on_both};
use crate::support::world::{ManualClock, clock, message, process};

on_both! {
    a_case_with_people_keeps_its_matter_and_another_matter_gets_a_case_of_its_own
    a_resolved_matter_is_taken_up_again_and_another_one_is_not_mistaken_for_it
    one_case_with_the_assistant_takes_whatever_comes
}

/// Does the same with everything.
#[derive(Clone, Copy)]
enum Does {
    HandsOver,
    Resolves,
    Replies,
}

impl Assistant for Does {
    fn begin(&self, _: Situation) -> Box<dyn Proposer> {
        Box::new(*self)
    }
}

impl Proposer for Does {
    fn next(&mut self, _: Seen) -> BoxFuture<'_, Result<Step, AssistantError>> {
        let say = |resolves| {
            let text = "Thank you for your message.".to_owned();
            Step::Say(Draft { text, resolves, ..Draft::default() })
        };
        let step = match self {
            Self::HandsOver => Step::HandOff(HandOff::because("person_asked")),
            Self::Resolves => say(Some(Resolution::Answered)),
            Self::Replies => say(None),
        };
        Box::pin(std::future::ready(Ok(step)))
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

struct World {
    pipeline: Arc<Pipeline>,
    clock: Arc<ManualClock>,
}

impl World {
    async fn new(record: &Record, does: Does) -> Self {
        let mut config = Config::load(Sources::default()).unwrap();
        config.database.url = record.database.url();
        let clock = clock();
        Self { pipeline: process(config, clock.clone(), &[], Arc::new(does)).await, clock }
    }

    /// The case that a message joins, once it is dealt with.
    async fn says(&self, conversation: &str, text: &str) -> CaseId {
        self.clock.advance(1_000);
        let id = format!("{conversation}: {text}");
        let arrived = InboundMessage { conversation: conversation.to_owned(), ..message(&id, text) };
        let accepted = self.pipeline.ingest(arrived).await.unwrap();
        self.pipeline.drain().await;
        accepted.case
    }

    async fn follows(&self, case: &CaseId) -> Option<CaseId> {
        self.pipeline.parts().store.case_fresh(case).await.unwrap().unwrap().case.follows.clone()
    }
}

async fn a_case_with_people_keeps_its_matter_and_another_matter_gets_a_case_of_its_own(record: Arc<Record>) {
    let world = World::new(&record, Does::HandsOver).await;
    let parcel = world.says("app", "Where is HP-10042? I want a person.").await;
    let stove = world.says("mail", "The stove of order HP-10073 is broken.").await;
    assert_ne!(parcel, stove);
    assert_eq!(world.follows(&stove).await, Some(parcel.clone()));
    assert_eq!(world.says("sms", "it is the hp 10042 again").await, parcel);
    assert_eq!(world.says("chat", "Any news?").await, parcel, "nobody can tell: the newest");
    assert_eq!(world.says("mail", "Well?").await, stove);
}

async fn a_resolved_matter_is_taken_up_again_and_another_one_is_not_mistaken_for_it(record: Arc<Record>) {
    let world = World::new(&record, Does::Resolves).await;
    let parcel = world.says("app", "Where is HP-10042?").await;
    let other = world.says("mail", "And HP-10073?").await;
    assert_ne!(parcel, other);
    assert_eq!(world.follows(&other).await, Some(parcel.clone()));
    assert_eq!(world.says("sms", "HP-10042 is still not here").await, parcel);
    assert_eq!(world.says("app", "thanks").await, parcel);
    world.clock.advance(8 * 86_400_000);
    let later = world.says("app", "HP-10042 broke").await;
    assert_ne!(later, parcel, "its window is over");
    assert_eq!(world.follows(&later).await, Some(parcel));
}

async fn one_case_with_the_assistant_takes_whatever_comes(record: Arc<Record>) {
    let world = World::new(&record, Does::Replies).await;
    let parcel = world.says("app", "Where is HP-10042?").await;
    assert_eq!(world.says("mail", "And HP-10073?").await, parcel);
    let file = world.pipeline.parts().store.case_fresh(&parcel).await.unwrap().unwrap();
    assert_eq!(file.case.state, CaseState::Assistant);
}
