//! Offers to go on elsewhere: a chat that is left is answered by email, a caller gets links and answers as text messages,
//! and nothing moves without a yes.

use std::collections::BTreeMap;
use std::sync::Arc;

use firstline::assistant::{Assistant, AssistantError, Proposer, Seen, Situation};
use firstline::channels::Channels;
use firstline::config::{Config, Environment, Sources, setting_name};
use firstline::desk::act::{self, Actor, At, Reply};
use firstline::domain::assurance::Assurance;
use firstline::domain::case::{Case, CaseState, Resolution};
use firstline::domain::decision::{Draft, HandOff, Step};
use firstline::domain::event::EventKind;
use firstline::domain::ids::{CaseId, ProcedureId};
use firstline::domain::message::{InboundMessage, Message, Sender};
use firstline::pipeline::{Parts, Pipeline};
use firstline::providers::{self, Outbox, Provider};
use firstline::store::Store;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::store::{Record, on_both};
use crate::support::connected::serve;
use crate::support::world::{clock, message, parts};

on_both! {
    a_chat_that_is_left_is_answered_by_email_once_the_customer_said_yes
    a_no_or_another_word_leaves_everything_where_it_is_and_nobody_asks_again
    nobody_is_offered_what_cannot_be_reached
    a_caller_who_says_yes_gets_the_link_as_a_text_message_once
    a_caller_whom_nobody_can_take_is_answered_by_a_text_message
}

const LINK: &str = "https://shop.example/returns";
const ANSWER: &str = "Everything about returns is on [our page](https://shop.example/returns).";
const CALLER: &str = "+14155550107";

fn played(channel: &str) -> Box<dyn Provider> {
    providers::all().into_iter().find(|provider| provider.channel() == channel).unwrap()
}

/// Hands over whoever asks for a person, and says the same to everybody else.
struct Says {
    wants_person: bool,
}

impl Assistant for Says {
    fn begin(&self, situation: Situation) -> Box<dyn Proposer> {
        let wants_person = situation.readings.iter().any(|reading| reading.wants_person);
        Box::new(Self { wants_person })
    }
}

impl Proposer for Says {
    fn next(&mut self, _: Seen) -> BoxFuture<'_, Result<Step, AssistantError>> {
        let resolves = Some(Resolution::Answered);
        let draft = Draft { text: ANSWER.to_owned(), resolves, ..Draft::default() };
        let handoff = Step::HandOff(HandOff::because("person_asked"));
        Box::pin(std::future::ready(Ok(if self.wants_person { handoff } else { Step::Say(draft) })))
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

/// A desk with web chat, email, text messages and a phone.
struct Desk {
    pipeline: Arc<Pipeline>,
    mails: Outbox,
    texts: Outbox,
    serving: TaskTracker,
}

impl Desk {
    async fn new(record: &Record, more: &[(&str, &str)]) -> Self {
        let (mails, texts, serving) = (Outbox::default(), Outbox::default(), TaskTracker::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let post = format!("http://{}", listener.local_addr().unwrap());
        serving.spawn(played("email").serve(listener, mails.clone()));
        let twilio = serve(played("sms").router(texts.clone())).await;
        let mut environment = Environment::default();
        for (channel, api) in [("email", post.as_str()), ("sms", &twilio), ("voice", "")] {
            for (section, key, value) in played(channel).settings(api, "https://desk.example") {
                environment = environment.with(&setting_name(section, key), &value);
            }
        }
        for (name, value) in more {
            environment = environment.with(name, value);
        }
        let mut config = Config::load(Sources { environment, ..Sources::default() }).unwrap();
        config.database.url = record.database.url();
        LINK.clone_into(&mut config.business.site);
        let says = Arc::new(Says { wants_person: false });
        let pipeline = Pipeline::new(parts(config, clock(), &[], says).await);
        Self { pipeline, mails, texts, serving }
    }

    fn parts(&self) -> &Parts {
        self.pipeline.parts()
    }

    fn store(&self) -> &Store {
        &self.parts().store
    }

    async fn takes(&self, message: InboundMessage) -> Case {
        let sent = self.pipeline.enqueue(message).await.unwrap();
        self.pipeline.drain().await;
        self.case(&sent.case).await
    }

    async fn case(&self, id: &CaseId) -> Case {
        self.store().case_fresh(id).await.unwrap().unwrap().case.clone()
    }

    async fn last(&self, case: &Case) -> Arc<Message> {
        self.store().transcript(&case.id).await.unwrap().pop().unwrap()
    }

    async fn agent_says(&self, case: &Case, text: &str) {
        let actor = Actor::Program("test".to_owned());
        let channels: &Channels = &self.parts().channels;
        let clock = self.parts().clock.as_ref();
        let at = At { store: self.store(), clock, channels, actor: &actor, case: &case.id };
        act::reply(at, Reply { text: text.to_owned(), ..Reply::default() }).await.unwrap();
        self.pipeline.drain().await;
    }

    /// What the log says about moving.
    async fn moved(&self, case: &Case) -> Vec<serde_json::Value> {
        let events = self.store().events(&case.id, 0, 1000).await.unwrap();
        let moved = events.into_iter().filter(|event| event.kind == EventKind::Moved.as_str());
        moved.map(|event| serde_json::from_str(&event.body).unwrap()).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.serving.close();
    }
}

/// Ann, signed in on the shop's own site.
fn chat(id: &str, text: &str) -> InboundMessage {
    let known = message(id, text);
    let sender = Sender { email: Some("ann@mail.example".to_owned()), ..known.sender };
    InboundMessage { channel: "web_chat".to_owned(), sender, ..known }
}

fn call(id: &str, text: &str) -> InboundMessage {
    let known = message(id, text);
    let sender = Sender {
        address: CALLER.to_owned(),
        phone: Some(CALLER.to_owned()),
        assurance: Assurance::Claimed,
        proof: "caller_id",
        external_id: None,
        ..known.sender
    };
    InboundMessage { channel: "voice".to_owned(), conversation: CALLER.to_owned(), sender, ..known }
}

async fn a_chat_that_is_left_is_answered_by_email_once_the_customer_said_yes(record: Arc<Record>) {
    let desk = Desk::new(&record, &[]).await;
    let case = desk.takes(chat("1", "I want to speak to a person")).await;
    let asked = desk.last(&case).await;
    assert!(asked.text.contains("by email to a…@mail.example. Shall I?"), "{}", asked.text);
    assert_eq!(
        (case.state, &asked.choices[..]),
        (CaseState::Queued, &["Yes".to_owned(), "No".to_owned()][..])
    );
    let case = desk.takes(chat("2", "yes please")).await;
    let heard = desk.last(&case).await;
    assert_eq!((case.state, case.channel.as_str()), (CaseState::Queued, "email"));
    assert_eq!((heard.channel.as_str(), heard.seq), ("web_chat", 4));
    assert!(heard.text.contains("by email to a…@mail.example"), "{}", heard.text);
    assert_eq!(
        desk.moved(&case).await,
        [serde_json::json!({"to": "email", "what": "answers", "agreed": true})]
    );
    assert!(desk.mails.all().is_empty(), "nothing is mailed before somebody answers");
    desk.agent_says(&case, "It is on its way.").await;
    let mails = desk.mails.all();
    assert_eq!((mails.len(), mails[0].text.as_str()), (1, "It is on its way."));
    let written = mails[0].request["mail"].as_str().unwrap();
    assert!(written.contains("To: ann@mail.example\r\n") && !written.contains("Auto-Submitted"), "{written}");
    // Back in the chat, they are answered there.
    let case = desk.takes(chat("3", "I am here again")).await;
    assert_eq!(case.channel, "web_chat");
    desk.agent_says(&case, "Welcome back.").await;
    assert_eq!(desk.mails.all().len(), 1);
}

async fn a_no_or_another_word_leaves_everything_where_it_is_and_nobody_asks_again(record: Arc<Record>) {
    let desk = Desk::new(&record, &[]).await;
    for (person, word, answered) in
        [("ann", "no thanks", true), ("bob", "and hurry up, it is for Sunday", false)]
    {
        let of = |id: &str, text: &str| {
            let known = chat(&format!("{person}-{id}"), text);
            let sender =
                Sender { external_id: Some(person.to_owned()), address: person.to_owned(), ..known.sender };
            InboundMessage { conversation: person.to_owned(), sender, ..known }
        };
        desk.takes(of("1", "I want to speak to a person")).await;
        let case = desk.takes(of("2", word)).await;
        assert_eq!((case.state, case.channel.as_str()), (CaseState::Queued, "web_chat"));
        let last = desk.last(&case).await;
        assert_eq!(last.text == "All right.", answered, "{}", last.text);
        let agreed = desk.moved(&case).await.iter().map(|body| body["agreed"].clone()).collect::<Vec<_>>();
        assert_eq!(agreed, if answered { vec![serde_json::json!(false)] } else { Vec::new() });
        // A yes that comes later is a word to the person who takes the case.
        let before = desk.store().transcript(&case.id).await.unwrap().len();
        let case = desk.takes(of("3", "yes")).await;
        assert_eq!(desk.store().transcript(&case.id).await.unwrap().len(), before + 1);
        assert_eq!(case.channel, "web_chat");
        // Nor is it asked again when the case goes to people once more.
        let actor = Actor::Program("test".to_owned());
        let parts = desk.parts();
        let at = At {
            store: &parts.store,
            clock: parts.clock.as_ref(),
            channels: &parts.channels,
            actor: &actor,
            case: &case.id,
        };
        act::give_back(at, None).await.unwrap();
        desk.pipeline.drain().await;
        let case = desk.takes(of("4", "I want to speak to a person")).await;
        let last = desk.last(&case).await;
        assert!(case.state == CaseState::Queued && !last.text.contains("Shall I"), "{}", last.text);
    }
}

async fn nobody_is_offered_what_cannot_be_reached(record: Arc<Record>) {
    let desk = Desk::new(&record, &[]).await;
    let visitor = chat("1", "I want to speak to a person");
    let sender = Sender { assurance: Assurance::Channel, external_id: None, ..visitor.sender.clone() };
    let typed = desk.takes(InboundMessage { sender, ..visitor }).await;
    let hidden = call("2", "I want to speak to a person");
    let sender = Sender { address: "CA1".to_owned(), phone: None, ..hidden.sender.clone() };
    let hidden = desk.takes(InboundMessage { conversation: "CA1".to_owned(), sender, ..hidden }).await;
    for case in [typed, hidden] {
        assert_eq!((case.state, case.move_offer), (CaseState::Queued, None), "{}", case.channel);
    }
    let taken = [("FIRSTLINE__VOICE__TRANSFER_TO", "+14155550199")];
    let off = [("FIRSTLINE__CASES__OFFER_MOVES", "false")];
    for (number, more) in [("+14155550101", &taken[..]), ("+14155550102", &off[..])] {
        let desk = Desk::new(&record, more).await;
        let known = call(number, "I want to speak to a person");
        let sender = Sender { address: number.to_owned(), ..known.sender.clone() };
        let case = desk.takes(InboundMessage { conversation: number.to_owned(), sender, ..known }).await;
        assert_eq!((case.state, case.move_offer), (CaseState::Queued, None), "{more:?}");
    }
}

async fn a_caller_who_says_yes_gets_the_link_as_a_text_message_once(record: Arc<Record>) {
    let desk = Desk::new(&record, &[]).await;
    let case = desk.takes(call("1", "how do I send something back")).await;
    let asked = desk.last(&case).await;
    assert!(asked.text.ends_with("Shall I send you the link as a text message?"), "{}", asked.text);
    assert_eq!(case.state, CaseState::Resolved);
    let case = desk.takes(call("2", "yes")).await;
    let sent = desk.last(&case).await;
    assert_eq!((sent.channel.as_str(), case.channel.as_str()), ("voice", "voice"));
    assert_eq!((case.state, case.resolution), (CaseState::Resolved, Some(Resolution::Answered)));
    let texts = desk.texts.all();
    assert_eq!((texts.len(), texts[0].to.as_str()), (1, CALLER));
    assert!(texts[0].text.contains(LINK), "{}", texts[0].text);
    let log = desk.store().events(&case.id, 0, 1000).await.unwrap();
    assert!(log.iter().all(|event| event.kind != EventKind::Reopened.as_str()), "a yes is no new request");
    desk.takes(call("3", "yes")).await;
    assert_eq!(desk.texts.all().len(), 1, "a second yes is no answer to that");
}

async fn a_caller_whom_nobody_can_take_is_answered_by_a_text_message(record: Arc<Record>) {
    let desk = Desk::new(&record, &[]).await;
    let case = desk.takes(call("1", "I want to speak to a person")).await;
    let asked = desk.last(&case).await;
    assert!(asked.text.contains("as a text message to the number you are calling from?"), "{}", asked.text);
    let case = desk.takes(call("2", "yes")).await;
    assert_eq!(
        (case.state, case.channel.as_str(), case.conversation.as_str()),
        (CaseState::Queued, "sms", CALLER)
    );
    desk.agent_says(&case, "Your parcel arrives tomorrow.").await;
    let texts = desk.texts.all();
    assert_eq!((texts.len(), texts[0].to.as_str()), (1, CALLER));
    assert_eq!(texts[0].text, "Your parcel arrives tomorrow.");
}
