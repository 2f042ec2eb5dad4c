//! One-time codes: what they prove, to whom, for how long, and where they never stand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use firstline::assistant::{Assistant, AssistantError, Proposer, Seen, Situation};
use firstline::channels::in_app::InApp;
use firstline::channels::web_chat::WebChat;
use firstline::channels::{ChannelAdapter, ChannelError, Channels, Incoming, Outgoing, Webhook};
use firstline::config::{Config, Sources};
use firstline::domain::assurance::Assurance;
use firstline::domain::case::{Case, CaseState};
use firstline::domain::decision::{Draft, Step};
use firstline::domain::ids::{CaseId, ProcedureId};
use firstline::domain::message::{Author, InboundMessage, Sender, Visibility};
use firstline::domain::time::Clock;
use firstline::pipeline::{Accepted, Pipeline};
use futures_util::future::BoxFuture;

use super::World;
use crate::store::{Record, on_both};
use crate::support::world::{clock, message, parts};

on_both! {
    a_code_sent_to_the_address_on_the_record_proves_who_writes_and_the_case_goes_on
    an_address_that_nobody_has_sounds_the_same_and_is_sent_nothing
    a_wrong_late_or_tried_out_code_proves_nothing_and_always_sounds_the_same
    codes_are_sent_a_few_times_an_hour_and_then_a_person_helps
    a_writer_whom_nothing_proves_joins_nobody_with_earlier_cases
    without_a_way_to_send_codes_none_are_offered
}

const ASK: &str = "where is my parcel";
const SITE: &str = "https://shop.example";

/// Keeps what it is given to send.
struct Mail(Arc<Mutex<Vec<(String, String)>>>);

impl ChannelAdapter for Mail {
    fn name(&self) -> &'static str {
        "email"
    }

    fn verify(&self, _: &Webhook<'_>) -> Result<(), ChannelError> {
        Err(ChannelError::Forged("nothing arrives by this one"))
    }

    fn parse(&self, _: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        Ok(Vec::new())
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        self.0.lock().unwrap().push((outgoing.address.to_owned(), outgoing.text.to_owned()));
        Box::pin(std::future::ready(Ok(Some(format!("mail-{}", outgoing.delivery.id)))))
    }
}

/// Answers whoever is proven, asks the others to sign in, and keeps what it read.
struct Gate(Arc<Mutex<Vec<String>>>);

struct Turn(&'static str);

impl Assistant for Gate {
    fn begin(&self, situation: Situation) -> Box<dyn Proposer> {
        let texts = situation.thread.iter().map(|message| message.text.clone());
        self.0.lock().unwrap().extend(texts.chain(situation.readings.iter().map(|r| r.message.text.clone())));
        Box::new(Turn(if situation.case.assurance >= Assurance::Verified { "answer" } else { "sign in" }))
    }
}

impl Proposer for Turn {
    fn next(&mut self, _: Seen) -> BoxFuture<'_, Result<Step, AssistantError>> {
        let text = match self.0 {
            "answer" => super::REPLY.to_owned(),
            _ => format!(
                "To look at that I need to be sure it is you. Please sign in on {SITE} and write to me from there. If you cannot sign in, say so and I will pass you to a person."
            ),
        };
        Box::pin(std::future::ready(Ok(Step::Say(Draft { text, ..Draft::default() }))))
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
    world: World,
    sent: Arc<Mutex<Vec<(String, String)>>>,
    read: Arc<Mutex<Vec<String>>>,
    ann: Accepted,
}

impl Office {
    async fn new(record: &Record, mail: bool) -> Self {
        let mut config = Config::load(Sources::default()).unwrap();
        config.database.url = record.database.url();
        SITE.clone_into(&mut config.business.site);
        let client = reqwest::Client::builder().build().unwrap();
        let own = InApp::new(&config.channels.in_app, client).unwrap();
        let (clock, sent, read) = (clock(), Arc::default(), Arc::default());
        let mut parts = parts(config, clock.clone(), &[], Arc::new(Gate(Arc::clone(&read)))).await;
        let mut channels: Vec<Box<dyn ChannelAdapter>> = vec![Box::new(own), Box::new(WebChat)];
        if mail {
            channels.push(Box::new(Mail(Arc::clone(&sent))));
        }
        parts.channels = Channels::of(channels);
        let world = World { pipeline: Pipeline::new(parts), clock };
        let mut proven = message("ann-1", "hello there");
        proven.sender.email = Some("Ann@mail.example".to_owned());
        let ann = world.takes(proven).await;
        Self { world, sent, read, ann }
    }

    /// A visitor of the chat writes; what they are told.
    async fn says(&self, visitor: &str, text: &str) -> (Accepted, String) {
        self.writes("web_chat", visitor, Assurance::Channel, text).await
    }

    async fn writes(
        &self,
        channel: &str,
        from: &str,
        assurance: Assurance,
        text: &str,
    ) -> (Accepted, String) {
        let id = self.world.clock.new_id().to_string();
        self.writes_as(&id, channel, from, assurance, text).await
    }

    async fn writes_as(
        &self,
        id: &str,
        channel: &str,
        from: &str,
        assurance: Assurance,
        text: &str,
    ) -> (Accepted, String) {
        let sender = Sender {
            address: from.to_owned(),
            assurance,
            proof: "session_token",
            external_id: None,
            ..message("", "").sender
        };
        let arrived = InboundMessage {
            channel: channel.to_owned(),
            conversation: from.to_owned(),
            sender,
            ..message(id, text)
        };
        let accepted = self.world.takes(arrived).await;
        let thread = self.world.store().transcript(&accepted.case).await.unwrap();
        let mut said = thread
            .iter()
            .filter(|one| one.author == Author::Assistant && one.visibility == Visibility::Public);
        let said = said.next_back().map(|one| one.text.clone()).unwrap_or_default();
        (accepted, said)
    }

    /// A visitor comes so far that a code was sent for this address.
    async fn asked(&self, visitor: &str, email: &str) -> CaseId {
        let (_, offered) = self.says(visitor, ASK).await;
        assert!(offered.contains("write the email address of your account"), "{offered}");
        let (accepted, told) = self.says(visitor, &format!("it is {email}")).await;
        assert!(told.starts_with("If we know that address, we have sent a code to it"), "{told}");
        accepted.case
    }

    /// The code that was mailed last.
    fn code(&self) -> String {
        let (_, text) = self.sent.lock().unwrap().last().unwrap().clone();
        text.split(" is ").nth(1).unwrap().chars().take(6).collect()
    }

    async fn case(&self, id: &CaseId) -> Case {
        self.world.store().case_fresh(id).await.unwrap().unwrap().case.clone()
    }
}

/// Six other digits.
fn other(code: &str) -> String {
    code.chars().map(|c| if c == '9' { '0' } else { char::from(c as u8 + 1) }).collect()
}

const WRONG: &str = "That code is not right, or its time is over.";

async fn a_code_sent_to_the_address_on_the_record_proves_who_writes_and_the_case_goes_on(
    record: Arc<Record>,
) {
    let office = Office::new(&record, true).await;
    let case = office.asked("v-1", "ann@mail.example").await;
    let sent = office.sent.lock().unwrap().clone();
    assert_eq!(sent.len(), 1, "one mail, to the address on the record");
    assert_eq!(sent[0].0, "ann@mail.example");
    let code = office.code();
    assert!(record.database.read("select code from code_texts").await.is_empty(), "sent and forgotten");
    let (proven, said) =
        office.writes_as("right", "web_chat", "v-1", Assurance::Channel, &format!("my code is {code}")).await;
    assert_eq!(said, super::REPLY, "the words that needed the proof are answered");
    assert_eq!((&proven.case, &proven.customer), (&case, &office.ann.customer));
    assert_eq!(office.case(&case).await.assurance, Assurance::Verified);
    assert_eq!(office.read.lock().unwrap().last().map(String::as_str), Some(ASK));
    let again =
        office.writes_as("right", "web_chat", "v-1", Assurance::Channel, &format!("my code is {code}")).await;
    assert!(again.0.duplicate, "sent once more it is the same message");
    let identities = office.world.store().identities(&office.ann.customer).await.unwrap();
    assert!(
        identities.iter().any(|one| one.address == "v-1" && one.link.as_str() == "code"),
        "{identities:?}"
    );
    // The code stands nowhere.
    for sql in [
        "select text from messages",
        "select body from events",
        "select memory from cases",
        "select hash from challenges",
        "select reason from outbox",
        "select digest from inbox",
        "select note from handoffs",
    ] {
        let rows = record.database.read(sql).await;
        assert!(!rows.iter().any(|row| row.contains(&code)), "{sql}: {rows:?}");
    }
    assert!(!office.read.lock().unwrap().iter().any(|text| text.contains(&code)), "no assistant saw it");
    // It holds here and for a while.
    office.says("v-1", "and when does it come").await;
    assert_eq!(office.case(&case).await.assurance, Assurance::Verified);
    office.world.clock.advance(31 * 60_000);
    office.says("v-1", "hello again").await;
    assert_eq!(office.case(&case).await.assurance, Assurance::Channel);
}

async fn an_address_that_nobody_has_sounds_the_same_and_is_sent_nothing(record: Arc<Record>) {
    let office = Office::new(&record, true).await;
    office.asked("v-1", "nobody@mail.example").await;
    assert!(office.sent.lock().unwrap().is_empty());
    let (accepted, said) = office.says("v-1", "482913").await;
    assert!(said.starts_with(WRONG), "{said}");
    assert_ne!(accepted.customer, office.ann.customer);
    // Two customers with one address are two people as far as we know.
    let mut second = message("bob-1", "hello there");
    second.sender.external_id = Some("bob".to_owned());
    second.sender.email = Some("ann@mail.example".to_owned());
    office.world.takes(second).await;
    office.asked("v-2", "ann@mail.example").await;
    assert!(office.sent.lock().unwrap().is_empty());
}

async fn a_wrong_late_or_tried_out_code_proves_nothing_and_always_sounds_the_same(record: Arc<Record>) {
    let office = Office::new(&record, true).await;
    let case = office.asked("v-1", "ann@mail.example").await;
    let code = office.code();
    for _ in 0..5 {
        let (_, said) = office.says("v-1", &other(&code)).await;
        assert!(said.starts_with(WRONG), "{said}");
    }
    let (_, said) = office.says("v-1", &code).await;
    assert!(said.starts_with(WRONG), "the sixth try counts for nothing: {said}");
    assert_eq!(office.case(&case).await.assurance, Assurance::Channel);
    let thread = office.world.store().transcript(&case).await.unwrap();
    assert!(!thread.iter().any(|one| one.text.contains(&code) || one.text.contains(&other(&code))));
    // A new one, typed too late.
    let (_, told) = office.says("v-1", "ann@mail.example").await;
    assert!(told.starts_with("If we know that address"), "{told}");
    office.world.clock.advance(10 * 60_000 + 1);
    let (_, said) = office.says("v-1", &office.code()).await;
    assert!(said.starts_with(WRONG), "{said}");
    // Somebody else's code is worth nothing in another case.
    office.says("v-2", ASK).await;
    office.says("v-2", "ann@mail.example").await;
    let theirs = office.code();
    office.asked("v-3", "nobody@mail.example").await;
    let (accepted, said) = office.says("v-3", &theirs).await;
    assert!(said.starts_with(WRONG), "{said}");
    assert_ne!(accepted.customer, office.ann.customer);
    let joined = record.database.read("select id from merges").await;
    assert!(joined.is_empty(), "{joined:?}");
}

async fn codes_are_sent_a_few_times_an_hour_and_then_a_person_helps(record: Arc<Record>) {
    let office = Office::new(&record, true).await;
    let case = office.asked("v-1", "ann@mail.example").await;
    for _ in 0..2 {
        office.says("v-1", "ann@mail.example").await;
    }
    assert_eq!(office.sent.lock().unwrap().len(), 3);
    office.says("v-1", "ann@mail.example").await;
    assert_eq!(office.case(&case).await.state, CaseState::Queued, "a person helps");
    // Nor does somebody else fill Ann's mailbox; they are told the same.
    office.asked("v-2", "ann@mail.example").await;
    assert_eq!(office.sent.lock().unwrap().len(), 3);
    office.world.clock.advance(3_600_001);
    office.asked("v-3", "ann@mail.example").await;
    assert_eq!(office.sent.lock().unwrap().len(), 4);
}

async fn a_writer_whom_nothing_proves_joins_nobody_with_earlier_cases(record: Arc<Record>) {
    let office = Office::new(&record, true).await;
    let claimed =
        async |from: &str, text: &str| office.writes("letters", from, Assurance::Claimed, text).await;
    // Somebody wrote from this address before; whoever writes now may not be them.
    let (first, _) = claimed("old", "hello there").await;
    record.database.run(&format!("update cases set state = 'closed' where id = '{}'", first.case)).await;
    claimed("old", ASK).await;
    claimed("old", "ann@mail.example").await;
    assert!(office.sent.lock().unwrap().is_empty());
    // With nothing but this case there is nothing of anybody else's.
    claimed("new", ASK).await;
    claimed("new", "ann@mail.example").await;
    let (accepted, said) = claimed("new", &office.code()).await;
    assert_eq!((accepted.customer, said.as_str()), (office.ann.customer.clone(), super::REPLY));
}

async fn without_a_way_to_send_codes_none_are_offered(record: Arc<Record>) {
    let office = Office::new(&record, false).await;
    let (_, said) = office.says("v-1", ASK).await;
    assert!(!said.contains("code"), "{said}");
    let (accepted, _) = office.says("v-1", "482913").await;
    let thread = office.world.store().transcript(&accepted.case).await.unwrap();
    assert!(thread.iter().any(|one| one.text == "482913"), "six digits are six digits");
}
