//! What leaves by a channel that has to be pushed: once, later when it says so, and to a person when it refuses.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use firstline::assistant::{Assistant, AssistantError, Proposer, Seen, Situation};
use firstline::channels::{ChannelAdapter, ChannelError, Channels, Incoming, Outgoing, Webhook};
use firstline::config::{Config, Sources};
use firstline::domain::case::{CaseState, Resolution};
use firstline::domain::decision::{Draft, Step};
use firstline::domain::delivery::DeliveryState;
use firstline::domain::ids::{CaseId, ProcedureId};
use firstline::domain::message::InboundMessage;
use firstline::pipeline::Pipeline;
use firstline::store::Store;
use futures_util::future::BoxFuture;

use crate::store::{Record, on_both};
use crate::support::world::{ManualClock, clock, message, parts};

on_both! {
    what_the_channel_takes_leaves_once
    what_it_cannot_take_now_leaves_later
    what_it_never_takes_goes_to_a_person_who_stays_the_only_one_told
    a_resolved_case_whose_answer_was_refused_is_opened_for_people
    what_it_may_have_taken_is_not_sent_again
    what_was_taken_up_and_never_recorded_is_not_sent_again
    what_follows_in_a_conversation_waits_for_what_comes_before
    a_refusal_is_handed_over_even_when_what_followed_has_left
    a_channel_that_never_answers_is_not_waited_for
}

pub(crate) const REPLY: &str = "Thank you for your message.";
/// Told this, the medium takes the bytes and says nothing any more.
const NEVER: &str = "never";

/// A medium that answers as it was told, and keeps what it was given.
struct Post {
    answers: Arc<Mutex<VecDeque<ChannelError>>>,
    sent: Arc<Mutex<Vec<String>>>,
}

impl ChannelAdapter for Post {
    fn name(&self) -> &'static str {
        "post"
    }

    fn verify(&self, _: &Webhook<'_>) -> Result<(), ChannelError> {
        Err(ChannelError::Forged("nothing arrives by this one"))
    }

    fn parse(&self, _: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        Ok(Vec::new())
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        self.sent.lock().unwrap().push(outgoing.text.to_owned());
        let answer = self.answers.lock().unwrap().pop_front().map_or(Ok(None), Err);
        if matches!(&answer, Err(ChannelError::Later { why, .. }) if why == NEVER) {
            return Box::pin(std::future::pending());
        }
        Box::pin(std::future::ready(answer))
    }
}

/// Says the same to everything, and counts it as an answer or not.
pub(crate) struct Says(pub(crate) Option<Resolution>);

impl Assistant for Says {
    fn begin(&self, _: Situation) -> Box<dyn Proposer> {
        Box::new(Self(self.0))
    }
}

impl Proposer for Says {
    fn next(&mut self, _: Seen) -> BoxFuture<'_, Result<Step, AssistantError>> {
        let draft = Draft { text: REPLY.to_owned(), resolves: self.0, ..Draft::default() };
        Box::pin(std::future::ready(Ok(Step::Say(draft))))
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

struct Office {
    pipeline: Arc<Pipeline>,
    clock: Arc<ManualClock>,
    sent: Arc<Mutex<Vec<String>>>,
    case: CaseId,
}

impl Office {
    /// One message by post, answered; the medium answers with these errors first.
    async fn new(record: &Record, resolves: Option<Resolution>, answers: Vec<ChannelError>) -> Self {
        let mut config = Config::load(Sources::default()).unwrap();
        config.database.url = record.database.url();
        config.worker.delivery_timeout_ms = 50;
        let (clock, sent) = (clock(), Arc::default());
        let post = Post { answers: Arc::new(Mutex::new(answers.into())), sent: Arc::clone(&sent) };
        let mut parts = parts(config, clock.clone(), &[], Arc::new(Says(resolves))).await;
        parts.channels = Channels::of(vec![Box::new(post)]);
        let pipeline = Pipeline::new(parts);
        let arrived = InboundMessage { channel: "post".to_owned(), ..message("m1", "hello there") };
        let case = pipeline.ingest(arrived).await.unwrap().case;
        let office = Self { pipeline, clock, sent, case };
        office.pipeline.drain().await;
        office
    }

    fn store(&self) -> &Store {
        &self.pipeline.parts().store
    }

    /// The customer writes again.
    async fn write(&self, id: &str, text: &str) {
        let arrived = InboundMessage { channel: "post".to_owned(), ..message(id, text) };
        self.pipeline.enqueue(arrived).await.unwrap();
    }

    /// Some time later.
    async fn later(&self, ms: i64) {
        self.clock.advance(ms);
        self.pipeline.drain().await;
    }

    fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().clone()
    }

    async fn states(&self) -> Vec<DeliveryState> {
        let deliveries = self.store().deliveries(&self.case).await.unwrap();
        deliveries.into_iter().map(|delivery| delivery.state).collect()
    }

    async fn state(&self) -> CaseState {
        self.store().case_fresh(&self.case).await.unwrap().unwrap().case.state
    }
}

async fn what_the_channel_takes_leaves_once(record: Arc<Record>) {
    let office = Office::new(&record, None, vec![]).await;
    office.later(3_600_000).await;
    assert_eq!(office.sent(), [REPLY]);
    assert_eq!(office.states().await, [DeliveryState::Sent]);
    assert_eq!(office.state().await, CaseState::Assistant);
}

async fn what_it_cannot_take_now_leaves_later(record: Arc<Record>) {
    let busy = || ChannelError::later("busy");
    let office = Office::new(&record, None, vec![busy(), busy()]).await;
    assert_eq!(office.states().await, [DeliveryState::Pending]);
    office.later(1_000).await;
    office.later(1_999).await;
    assert_eq!(office.sent().len(), 2, "the pause doubles");
    office.later(1).await;
    assert_eq!(office.sent(), [REPLY, REPLY, REPLY]);
    assert_eq!(office.states().await, [DeliveryState::Sent]);
}

async fn what_it_never_takes_goes_to_a_person_who_stays_the_only_one_told(record: Arc<Record>) {
    let refuses = || ChannelError::Permanent("no such address".to_owned());
    let office = Office::new(&record, None, vec![refuses(), refuses()]).await;
    // The turn that the refusal opened hands over; what it tells the customer is refused, too, and that is the end.
    office.later(1).await;
    office.later(3_600_000).await;
    assert_eq!(office.state().await, CaseState::Queued);
    let handoff = office.store().handoff(&office.case).await.unwrap().unwrap();
    assert_eq!(handoff.reason, "delivery_failed");
    assert_eq!(office.sent().len(), 2);
    assert_eq!(office.states().await, [DeliveryState::Failed, DeliveryState::Failed]);
}

async fn a_resolved_case_whose_answer_was_refused_is_opened_for_people(record: Arc<Record>) {
    let refused = vec![ChannelError::Permanent("no such address".to_owned())];
    let office = Office::new(&record, Some(Resolution::Answered), refused).await;
    office.later(1).await;
    assert_eq!(office.state().await, CaseState::Queued);
    assert_eq!(office.states().await.first(), Some(&DeliveryState::Failed));
    let handoff = office.store().handoff(&office.case).await.unwrap().unwrap();
    assert_eq!(handoff.note.unsent, Some(format!("{REPLY}\n\n(Not sent: delivery_failed.)")));
}

async fn what_it_may_have_taken_is_not_sent_again(record: Arc<Record>) {
    let lost = vec![ChannelError::Unknown("the answer was lost".to_owned())];
    let office = Office::new(&record, None, lost).await;
    office.later(1).await;
    office.later(3_600_000).await;
    assert_eq!(office.sent().iter().filter(|text| *text == REPLY).count(), 1);
    assert_eq!(office.states().await.first(), Some(&DeliveryState::Unknown));
    let handoff = office.store().handoff(&office.case).await.unwrap().unwrap();
    assert_eq!(handoff.reason, "delivery_unknown");
}

async fn what_was_taken_up_and_never_recorded_is_not_sent_again(record: Arc<Record>) {
    let busy = vec![ChannelError::later("busy")];
    let office = Office::new(&record, None, busy).await;
    office.clock.advance(1_000);
    // Another process takes it up and dies.
    let now = firstline::domain::time::Clock::now(office.clock.as_ref());
    assert_eq!(office.store().due_deliveries("them", now, 10_000, 9).await.unwrap().len(), 1);
    office.later(10_001).await;
    office.later(1).await;
    assert_eq!(office.sent().iter().filter(|text| *text == REPLY).count(), 1);
    assert_eq!(office.states().await.first(), Some(&DeliveryState::Unknown));
}

async fn what_follows_in_a_conversation_waits_for_what_comes_before(record: Arc<Record>) {
    let busy = || ChannelError::later("busy");
    let office = Office::new(&record, None, vec![busy(), busy()]).await;
    office.write("m2", "and another thing").await;
    office.later(1).await;
    assert_eq!(office.sent().len(), 1, "the second reply does not overtake the first");
    office.later(1_000).await;
    assert_eq!(office.states().await, [DeliveryState::Pending, DeliveryState::Pending]);
    office.later(2_000).await;
    assert_eq!(office.states().await, [DeliveryState::Sent, DeliveryState::Sent]);
    assert_eq!(office.sent().len(), 4);
}

async fn a_refusal_is_handed_over_even_when_what_followed_has_left(record: Arc<Record>) {
    let answers = vec![ChannelError::later("busy"), ChannelError::Permanent("too long".to_owned())];
    let office = Office::new(&record, None, answers).await;
    office.write("m2", "and another thing").await;
    office.later(1_000).await;
    office.later(1).await;
    assert_eq!(office.states().await[..2], [DeliveryState::Failed, DeliveryState::Sent]);
    let handoff = office.store().handoff(&office.case).await.unwrap().unwrap();
    assert_eq!(handoff.reason, "delivery_failed");
}

async fn a_channel_that_never_answers_is_not_waited_for(record: Arc<Record>) {
    let office = Office::new(&record, None, vec![ChannelError::later(NEVER)]).await;
    assert_eq!(office.states().await, [DeliveryState::Unknown]);
}
