//! What leaves by a channel that has to be pushed: once, later when it says so, and to a person when it refuses.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use firstline::assistant::{Assistant, AssistantError, Proposer, Seen, Situation};
use firstline::channels::in_app::InApp;
use firstline::channels::{
    ChannelAdapter, ChannelError, Channels, Incoming, Outgoing, StatusUpdate, Webhook,
};
use firstline::config::{Config, Sources};
use firstline::desk::act::{Actor, At};
use firstline::desk::send_again::send_again;
use firstline::domain::case::{CaseState, Resolution};
use firstline::domain::decision::{Draft, Step};
use firstline::domain::delivery::DeliveryState;
use firstline::domain::ids::{CaseId, ProcedureId};
use firstline::domain::message::InboundMessage;
use firstline::pipeline::Pipeline;
use firstline::store::{CaseFilter, Page, Store};
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
    a_long_answer_leaves_in_parts_and_each_once
    news_moves_a_delivery_forward_in_whatever_order_it_comes
    what_bounces_after_it_was_taken_goes_to_a_person
    news_that_overtakes_the_answer_of_the_provider_is_kept
    what_may_have_left_is_waited_for_where_the_provider_tells_and_then_shown_to_a_person
    what_a_status_settles_needs_no_person
    an_answer_that_was_outrun_on_another_channel_is_not_sent
    after_the_window_nothing_is_sent_and_a_person_sees_it
    a_bare_stop_ends_everything_by_that_channel_and_start_begins_again
    a_stop_that_may_answer_a_question_goes_to_a_person_and_nothing_more_is_sent
    what_failed_is_sent_again_when_a_person_says_so_and_once
    a_customer_who_spoke_german_is_known_to_on_every_channel
}

pub(crate) const REPLY: &str = "Thank you for your message.";
/// Told this, the medium takes the bytes and says nothing any more.
const NEVER: &str = "never";

/// A medium that answers as it was told, and keeps what it was given.
struct Post {
    name: &'static str,
    answers: Arc<Mutex<VecDeque<ChannelError>>>,
    sent: Arc<Mutex<Vec<String>>>,
}

impl ChannelAdapter for Post {
    fn name(&self) -> &'static str {
        self.name
    }

    fn verify(&self, _: &Webhook<'_>) -> Result<(), ChannelError> {
        Err(ChannelError::Forged("nothing arrives by this one"))
    }

    fn parse(&self, _: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        Ok(Vec::new())
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        self.sent.lock().unwrap().push(outgoing.text.to_owned());
        let sent = self.sent.lock().unwrap().len();
        let answer =
            self.answers.lock().unwrap().pop_front().map_or(Ok(Some(format!("provider-{sent}"))), Err);
        if matches!(&answer, Err(ChannelError::Later { why, .. }) if why == NEVER) {
            return Box::pin(std::future::pending());
        }
        Box::pin(std::future::ready(answer))
    }
}

/// Says the same to everything, and counts it as an answer or not.
pub(crate) struct Says(pub(crate) Option<Resolution>, pub(crate) &'static str);

impl Assistant for Says {
    fn begin(&self, _: Situation) -> Box<dyn Proposer> {
        Box::new(Self(self.0, self.1))
    }
}

impl Proposer for Says {
    fn next(&mut self, _: Seen) -> BoxFuture<'_, Result<Step, AssistantError>> {
        let draft = Draft { text: self.1.to_owned(), resolves: self.0, ..Draft::default() };
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

pub(crate) struct Office {
    channel: &'static str,
    pipeline: Arc<Pipeline>,
    pub(crate) clock: Arc<ManualClock>,
    sent: Arc<Mutex<Vec<String>>>,
    case: CaseId,
}

impl Office {
    /// One message by post, answered; the medium answers with these errors first.
    pub(crate) async fn new(
        record: &Record,
        resolves: Option<Resolution>,
        answers: Vec<ChannelError>,
    ) -> Self {
        Self::on("post", record, Says(resolves, REPLY), answers).await
    }

    /// The same by the channel of this name, whose rules then hold.
    pub(crate) async fn on(
        channel: &'static str,
        record: &Record,
        says: Says,
        answers: Vec<ChannelError>,
    ) -> Self {
        let mut config = Config::load(Sources::default()).unwrap();
        config.database.url = record.database.url();
        config.worker.delivery_timeout_ms = 50;
        let (clock, sent) = (clock(), Arc::default());
        let post =
            Post { name: channel, answers: Arc::new(Mutex::new(answers.into())), sent: Arc::clone(&sent) };
        let mut parts = parts(config, clock.clone(), &[], Arc::new(says)).await;
        let client = reqwest::Client::builder().build().unwrap();
        let own = InApp::new(&parts.config.channels.in_app, client).unwrap();
        parts.channels = Channels::of(vec![Box::new(post), Box::new(own)]);
        let pipeline = Pipeline::new(parts);
        let arrived = InboundMessage { channel: channel.to_owned(), ..message("m1", "hello there") };
        let case = pipeline.ingest(arrived).await.unwrap().case;
        let office = Self { channel, pipeline, clock, sent, case };
        office.pipeline.drain().await;
        office
    }

    pub(crate) fn store(&self) -> &Store {
        &self.pipeline.parts().store
    }

    /// The customer writes again.
    pub(crate) async fn write(&self, id: &str, text: &str) {
        self.write_on(self.channel, id, text).await;
    }

    async fn write_on(&self, channel: &str, id: &str, text: &str) {
        let arrived = InboundMessage { channel: channel.to_owned(), ..message(id, text) };
        self.pipeline.enqueue(arrived).await.unwrap();
    }

    /// Some time later.
    pub(crate) async fn later(&self, ms: i64) {
        self.clock.advance(ms);
        self.pipeline.drain().await;
    }

    pub(crate) fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().clone()
    }

    pub(crate) async fn states(&self) -> Vec<DeliveryState> {
        let deliveries = self.store().deliveries(&self.case).await.unwrap();
        deliveries.into_iter().map(|delivery| delivery.state).collect()
    }

    pub(crate) async fn state(&self) -> CaseState {
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

const LONG: &str = "First we look at the parcel. Then we look at the carrier. ";

async fn a_long_answer_leaves_in_parts_and_each_once(record: Arc<Record>) {
    let text: &'static str = Box::leak(LONG.repeat(60).into_boxed_str());
    let office = Office::on("sms", &record, Says(None, text), vec![ChannelError::later("busy")]).await;
    office.later(1_000).await;
    office.later(1).await;
    let sent = office.sent();
    assert_eq!(sent[0], sent[1], "the first part was tried twice");
    assert_eq!(sent[1..].join(" "), text.trim(), "in order and whole");
    assert!(sent.iter().all(|part| part.chars().count() <= 1600 && part.ends_with('.')), "cut at sentences");
    assert_eq!(office.states().await, vec![DeliveryState::Sent; sent.len() - 1]);
}

impl Office {
    async fn news(&self, provider_id: &str, state: DeliveryState) {
        let reason = (state == DeliveryState::Failed).then(|| "131026".to_owned());
        let update = StatusUpdate { provider_id: provider_id.to_owned(), delivery: None, state, reason };
        self.pipeline.news(self.channel, &update).await.unwrap();
        self.pipeline.drain().await;
    }
}

async fn news_moves_a_delivery_forward_in_whatever_order_it_comes(record: Arc<Record>) {
    let office = Office::new(&record, None, vec![]).await;
    for (told, stands) in [
        (DeliveryState::Delivered, DeliveryState::Delivered),
        (DeliveryState::Sent, DeliveryState::Delivered),
        (DeliveryState::Read, DeliveryState::Read),
        (DeliveryState::Delivered, DeliveryState::Read),
        (DeliveryState::Failed, DeliveryState::Read),
    ] {
        office.news("provider-1", told).await;
        assert_eq!(office.states().await, [stands], "{told:?}");
    }
}

async fn what_bounces_after_it_was_taken_goes_to_a_person(record: Arc<Record>) {
    let office = Office::new(&record, None, vec![]).await;
    office.news("provider-1", DeliveryState::Failed).await;
    assert_eq!(office.states().await.first(), Some(&DeliveryState::Failed));
    assert_eq!(office.state().await, CaseState::Queued);
}

async fn news_that_overtakes_the_answer_of_the_provider_is_kept(record: Arc<Record>) {
    let office = Office::new(&record, None, vec![ChannelError::later("busy")]).await;
    office.news("provider-2", DeliveryState::Read).await;
    office.later(1_000).await;
    assert_eq!(office.states().await, [DeliveryState::Read]);
}

async fn what_may_have_left_is_waited_for_where_the_provider_tells_and_then_shown_to_a_person(
    record: Arc<Record>,
) {
    let lost = vec![ChannelError::Unknown("the answer was lost".to_owned())];
    let office = Office::on("whatsapp", &record, Says(None, REPLY), lost).await;
    office.later(299_999).await;
    assert_eq!(office.state().await, CaseState::Assistant, "news may come yet");
    office.later(1).await;
    office.later(1).await;
    assert_eq!(office.state().await, CaseState::Queued);
    assert_eq!(office.states().await.first(), Some(&DeliveryState::Unknown));
    let events = |event: &firstline::domain::event::Event| event.kind == "delivered";
    office.later(3_600_000).await;
    let log = office.store().events(&office.case, 0, 100).await.unwrap();
    assert_eq!(log.iter().filter(|event| events(event)).count(), 1, "it is shown once");
}

async fn what_a_status_settles_needs_no_person(record: Arc<Record>) {
    let lost = vec![ChannelError::Unknown("the answer was lost".to_owned())];
    let office = Office::on("whatsapp", &record, Says(None, REPLY), lost).await;
    let delivery = office.store().deliveries(&office.case).await.unwrap().remove(0).id;
    let update = StatusUpdate {
        provider_id: "wamid.1".to_owned(),
        delivery: Some(delivery.to_string()),
        state: DeliveryState::Delivered,
        reason: None,
    };
    office.pipeline.news("whatsapp", &update).await.unwrap();
    office.later(3_600_000).await;
    assert_eq!(office.states().await, [DeliveryState::Delivered]);
    assert_eq!((office.state().await, office.sent().len()), (CaseState::Assistant, 1));
}

async fn an_answer_that_was_outrun_on_another_channel_is_not_sent(record: Arc<Record>) {
    let office = Office::new(&record, None, vec![ChannelError::later("busy")]).await;
    office.write_on("in_app", "m2", "I am in the app now").await;
    office.later(3_600_000).await;
    assert_eq!(office.sent().len(), 1, "only the try that found it busy");
    assert_eq!(office.states().await, [DeliveryState::Dropped]);
}

async fn after_the_window_nothing_is_sent_and_a_person_sees_it(record: Arc<Record>) {
    let busy = vec![ChannelError::Later { why: "busy".to_owned(), after_ms: Some(86_400_000) }];
    let office = Office::on("messenger", &record, Says(None, REPLY), busy).await;
    office.later(86_400_000).await;
    office.later(1).await;
    assert_eq!(office.sent().len(), 1, "a day later free words may not be sent");
    assert_eq!(office.states().await.first(), Some(&DeliveryState::Failed));
    assert_eq!(office.state().await, CaseState::Queued);
}

async fn a_bare_stop_ends_everything_by_that_channel_and_start_begins_again(record: Arc<Record>) {
    let office = Office::on("sms", &record, Says(None, REPLY), vec![]).await;
    office.write("m2", "STOP").await;
    office.later(1).await;
    assert_eq!(office.sent(), [REPLY], "nothing is said to a stop");
    assert_eq!(office.state().await, CaseState::Resolved);
    office.write("m3", "where is my parcel").await;
    office.later(1).await;
    office.later(1).await;
    assert_eq!(office.sent(), [REPLY], "and nothing after it");
    assert_eq!(office.state().await, CaseState::Queued, "a person sees what could not be answered");
    assert!(office.store().opted_out("sms", "ann").await.unwrap().is_some());
    assert!(
        office.store().opted_out("whatsapp", "ann").await.unwrap().is_none(),
        "another channel is another matter"
    );
    office.write("m4", "START").await;
    assert!(office.store().opted_out("sms", "ann").await.unwrap().is_none());
}

async fn a_stop_that_may_answer_a_question_goes_to_a_person_and_nothing_more_is_sent(record: Arc<Record>) {
    let office = Office::on("sms", &record, Says(None, "Shall I cancel it?"), vec![]).await;
    office.write("m2", "cancel").await;
    office.later(1).await;
    office.later(1).await;
    let handoff = office.store().handoff(&office.case).await.unwrap().unwrap();
    assert_eq!(handoff.reason, "opt_out_or_answer");
    assert_eq!(office.sent(), ["Shall I cancel it?"]);
}

async fn what_failed_is_sent_again_when_a_person_says_so_and_once(record: Arc<Record>) {
    let refused = vec![ChannelError::Permanent("no such address".to_owned())];
    let office = Office::new(&record, None, refused).await;
    office.later(1).await;
    let failed = office.store().deliveries(&office.case).await.unwrap().remove(0);
    assert_eq!(failed.reason.as_deref(), Some("the channel refused it for good: no such address"));
    let actor = Actor::Program("test".to_owned());
    let parts = office.pipeline.parts();
    let at = At {
        store: office.store(),
        clock: office.clock.as_ref(),
        channels: &parts.channels,
        actor: &actor,
        case: &office.case,
    };
    send_again(at, &failed.id).await.unwrap();
    assert!(send_again(at, &failed.id).await.is_err(), "a second click");
    office.later(1).await;
    assert_eq!(office.sent().iter().filter(|text| *text == REPLY).count(), 2);
    let delivered = office.store().deliveries(&office.case).await.unwrap();
    let again: Vec<_> = delivered.iter().filter(|delivery| delivery.message == failed.message).collect();
    assert_eq!(
        again.iter().map(|d| d.state).collect::<Vec<_>>(),
        [DeliveryState::Failed, DeliveryState::Sent]
    );
}

async fn a_customer_who_spoke_german_is_known_to_on_every_channel(record: Arc<Record>) {
    let office = Office::new(&record, Some(Resolution::Answered), vec![]).await;
    office
        .write("m2", "Guten Tag, wo bleibt denn mein Paket? Ich warte schon seit zwei Wochen darauf.")
        .await;
    office.later(1).await;
    let german = office.store().case_fresh(&office.case).await.unwrap().unwrap();
    assert_eq!((german.case.language.as_str(), german.customer.language.as_deref()), ("de", Some("de")));
    // A month later and by another way there is nothing but an order number to go by.
    office.clock.advance(30 * 86_400_000);
    office.write_on("in_app", "m3", "HP-10042").await;
    office.later(1).await;
    let customer = german.case.customer.clone();
    let cases =
        office.store().list_cases(&CaseFilter::default(), &Page { cursor: None, limit: 9 }).await.unwrap().0;
    let new = cases.iter().find(|case| case.id != office.case && case.customer == customer).unwrap();
    assert_eq!(new.language, "de");
}
