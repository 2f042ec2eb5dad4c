//! The phone: real shapes of requests read one by one, and whole calls with the program, as a caller hears them.

use axum::Router;
use axum::routing::post;
use firstline::channels::voice::{Heard, Place, Request};
use firstline::channels::{Bounds, Webhook};
use firstline::config::setting_name;
use firstline::domain::assurance::Assurance;
use firstline::domain::case::{Case, CaseState};
use firstline::domain::handoff::Known;
use firstline::domain::message::Author;
use firstline::domain::time::Timestamp;
use firstline::providers::voice::{Call, CallError};
use firstline::providers::{self, Outbox};
use firstline::store::{CaseFilter, Page, Store};
use http::{HeaderMap, Method};

use crate::support::connected::{Connected, eventually, serve};

const CALLER: &str = "+14155550107";
const PERSON: &str = "+14155550199";

fn read(path: &str, form: &[u8]) -> Result<Request, String> {
    let headers = HeaderMap::new();
    let webhook = Webhook {
        method: &Method::POST,
        path,
        url: "",
        query: "turn=3",
        headers: &headers,
        body: form,
        now: Timestamp(0),
    };
    let bounds = Bounds { text_chars_max: 200, attachments_max: 20, depth_max: 64 };
    Request::read(&webhook, bounds, 0.4).map_err(|error| error.to_string())
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/voice/", $name, ".form"))
    };
}

#[test]
fn a_request_tells_what_was_heard() {
    let words = |text: &str| Heard::Words(text.to_owned());
    for (form, heard, over) in [
        (&fixture!("new_call")[..], Heard::Silence, false),
        (&fixture!("speech")[..], words("Where is my order?"), false),
        (&fixture!("digits")[..], words("10042"), false),
        (&fixture!("person_key")[..], Heard::PersonKey, false),
        (&fixture!("empty")[..], Heard::Silence, false),
        (&fixture!("low_confidence")[..], Heard::Unclear, false),
        (&fixture!("completed")[..], Heard::Silence, true),
        // No confidence, or none that is a number: the words count.
        (b"CallSid=CA1&SpeechResult=hello", words("hello"), false),
        (b"CallSid=CA1&SpeechResult=hello&Confidence=high", words("hello"), false),
        (b"CallSid=CA1&SpeechResult=hello&Confidence=NaN", words("hello"), false),
        ("CallSid=CA1&SpeechResult=\u{200b}&Confidence=0.9".as_bytes(), Heard::Silence, false),
    ] {
        let request = read("turn", form).unwrap();
        assert_eq!((request.heard, request.over), (heard, over));
    }
    assert!(read("turn", fixture!("malformed")).unwrap_err().contains("`CallSid` is missing"));
    let long = format!("CallSid=CA1&SpeechResult={}", "x".repeat(201));
    assert!(read("turn", long.as_bytes()).unwrap_err().contains("`SpeechResult` has 201"));
}

#[test]
fn the_same_words_at_the_same_place_of_a_call_are_the_same_message() {
    let message = |form: &[u8], turn: u32| {
        let place = Place { turn, ..Place::default() };
        read("turn", form).unwrap().message(&place, "hello".to_owned())
    };
    let first = message(fixture!("speech"), 3);
    assert_eq!(first, message(fixture!("duplicate"), 3));
    assert_ne!(first.external_id, message(fixture!("speech"), 4).external_id);
    assert_eq!((first.sender.address.as_str(), first.sender.assurance), (CALLER, Assurance::Claimed));
    assert_eq!((first.sender.proof, first.conversation.as_str()), ("caller_id", CALLER));
    // Without a number the call itself is the address: nobody joins the case of another who hides theirs.
    let hidden = message(fixture!("anonymous"), 3);
    assert_eq!(hidden.sender.address, "CA0a000000000000000000000000000002");
    assert_eq!((hidden.sender.assurance, hidden.sender.phone), (Assurance::Anonymous, None));
}

async fn start(more: &[(&str, &str)]) -> Connected {
    // The demo's teams have hours, and the test has none.
    let always =
        [("FIRSTLINE__VOICE__TRANSFER_TO", PERSON), ("FIRSTLINE__VOICE__TRANSFER_OUT_OF_HOURS", "true")];
    Connected::start("voice", &[&always[..], more].concat()).await
}

/// The phone with text messages beside it, and nobody who takes calls.
async fn start_with_texts() -> (Connected, Outbox) {
    let texts = Outbox::default();
    let sms = providers::all().into_iter().find(|provider| provider.channel() == "sms").unwrap();
    let api = serve(sms.router(texts.clone())).await;
    let settings = sms.settings(&api, "").into_iter();
    let settings: Vec<(String, String)> =
        settings.map(|(section, key, value)| (setting_name(section, key), value)).collect();
    let settings: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    (Connected::start("voice", &settings).await, texts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whom_nobody_takes_is_asked_for_a_yes_before_the_call_ends_and_gets_the_answer_as_a_text() {
    let (desk, texts) = start_with_texts().await;
    let mut call = Call::begin(&desk.base(), CALLER, 1).await.unwrap();
    let said = call.say("I want to speak to a person").await.unwrap().join(" ");
    assert!(said.contains("as a text message to the number you are calling from") && !call.over(), "{said}");
    let said = call.say("yes").await.unwrap().join(" ");
    assert!(said.contains("the answer comes as a text message") && call.over(), "{said}");
    let record = desk.record().await;
    let case = only_case(&record).await;
    assert_eq!((case.state, case.channel.as_str()), (CaseState::Queued, "sms"));
    let reply = serde_json::json!({"text": "We have found your parcel."});
    assert_eq!(desk.act(&format!("/v1/cases/{}/replies", case.id), &reply).await, 201);
    let sent = eventually("the answer leaves", || async { texts.all().pop() }).await;
    assert_eq!((sent.to.as_str(), sent.text.as_str()), (CALLER, "We have found your parcel."));
}

async fn cases(record: &Store) -> Vec<Case> {
    let page = Page { cursor: None, limit: 10 };
    record.list_cases(&CaseFilter::default(), &page).await.unwrap().0
}

async fn only_case(record: &Store) -> Case {
    let mut cases = cases(record).await;
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

/// The customer's words as they are stored.
async fn stored(record: &Store, case: &Case) -> Vec<String> {
    let thread = record.transcript(&case.id).await.unwrap();
    thread.iter().filter(|entry| entry.author == Author::Customer).map(|entry| entry.text.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_hears_an_answer_and_then_a_person_with_a_word_about_them() {
    let desk = start(&[]).await;
    let mut call = Call::begin(&desk.base(), CALLER, 1).await.unwrap();
    assert!(call.greeting().join(" ").contains("What can I do for you?"), "{:?}", call.greeting());
    let said = call.say("What are your store hours?").await.unwrap().join(" ");
    assert!(said.contains("10") || said.to_lowercase().contains("open"), "{said}");
    assert!(
        !said.contains("://") && !said.contains('*') && !said.contains("](") && !said.contains('\n'),
        "{said}"
    );
    // Twilio asks again when an answer was lost: the same TwiML, and nothing more is stored.
    let (before, now) = call.again().await.unwrap();
    assert_eq!(before, now);
    let record = desk.record().await;
    let case = only_case(&record).await;
    assert_eq!(stored(&record, &case).await, ["What are your store hours?"]);
    assert_eq!((case.channel.as_str(), case.assurance), ("voice", Assurance::Claimed));
    let said = call.say("I want to speak to a person").await.unwrap().join(" ");
    assert!(said.contains("person") && said.contains("hold the line"), "{said}");
    assert_eq!(call.transferred(), Some(PERSON));
    let whisper = call.whisper().await.unwrap().join(" ");
    assert!(whisper.contains("Urgency: "), "{whisper}");
    let case = only_case(&record).await;
    let handoff = record.handoff(&case.id).await.unwrap().unwrap();
    assert_eq!((case.state, handoff.reason.as_str()), (CaseState::Queued, "person_asked"));
    let Known::Value(issue) = handoff.note.issue else { panic!("no issue") };
    assert!(whisper.contains(issue.trim_end_matches(['.', '?'])), "{whisper} lacks {issue}");
    // The assistant's words were heard, so there is nothing for the outbox.
    assert!(record.deliveries(&case.id).await.unwrap().is_empty());
    let said = call.dialled("no-answer").await.unwrap().join(" ");
    assert!(said.contains("Nobody could take your call") && call.over(), "{said}");
    // Whoever calls again while a person has the case is connected at once.
    let mut again = Call::begin(&desk.base(), CALLER, 2).await.unwrap();
    let said = again.say("it is me again").await.unwrap().join(" ");
    assert_eq!(again.transferred(), Some(PERSON), "{said}");
    assert_eq!(only_case(&record).await.id, case.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_spells_number_and_address_and_hears_where_the_order_is() {
    let desk = start(&[]).await;
    let mut call = Call::begin(&desk.base(), CALLER, 1).await.unwrap();
    let said = call.say("where is order H P dash 1 0 0 4 2").await.unwrap().join(" ");
    assert!(said.contains("Which email address did you order with?"), "{said}");
    let said = call.say("Mara dot Lindqvist at mail dot example").await.unwrap().join(" ");
    assert!(said.contains("NorthPost") && !said.contains("://"), "{said}");
    let record = desk.record().await;
    let case = only_case(&record).await;
    assert_eq!(case.assurance, Assurance::Claimed);
    let customer = record.customer(&case.customer).await.unwrap().unwrap();
    assert_eq!((customer.external_id.as_deref(), customer.email.as_deref()), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_turns_in_which_nothing_is_understood_bring_a_person_who_sees_the_call() {
    let desk = start(&[]).await;
    let mut call = Call::begin(&desk.base(), CALLER, 1).await.unwrap();
    let said = call.stay_silent().await.unwrap().join(" ");
    assert!(said.contains("did not understand"), "{said}");
    call.mumble("wear is mower", "0.11").await.unwrap();
    let record = desk.record().await;
    assert!(cases(&record).await.is_empty(), "nothing is stored that nobody understood");
    call.stay_silent().await.unwrap();
    assert_eq!(call.transferred(), Some(PERSON));
    let case = only_case(&record).await;
    assert_eq!(stored(&record, &case).await, ["(nothing was understood on the phone)"]);
    let handoff = record.handoff(&case.id).await.unwrap().unwrap();
    assert_eq!((case.state, handoff.reason.as_str()), (CaseState::Queued, "not_understood"));
    // Being understood in between begins the count anew.
    let mut patient = Call::begin(&desk.base(), "+14155550108", 2).await.unwrap();
    patient.stay_silent().await.unwrap();
    patient.mumble("mmh", "0.2").await.unwrap();
    patient.say("What are your store hours?").await.unwrap();
    patient.mumble("mmh", "0.2").await.unwrap();
    assert_eq!(patient.transferred(), None);
    // The key brings a person at any time.
    patient.press("0").await.unwrap();
    assert_eq!(patient.transferred(), Some(PERSON));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_wrote_is_heard_at_the_next_call_with_the_order_id_spelt() {
    let desk = start(&[("FIRSTLINE__VOICE__TRANSFER_TO", "")]).await;
    let mut call = Call::begin(&desk.base(), CALLER, 1).await.unwrap();
    call.press("0").await.unwrap();
    let case = only_case(&desk.record().await).await;
    let written =
        serde_json::json!({"text": "Your order **HP-10042** is on its way: https://northpeak.example/t/1"});
    assert_eq!(desk.act(&format!("/v1/cases/{}/replies", case.id), &written).await, 201);
    let mut again = Call::begin(&desk.base(), CALLER, 2).await.unwrap();
    let said = again.say("is there any news?").await.unwrap().join(" ");
    assert!(
        said.starts_with("Your order H P dash 1 0 0 4 2 is on its way: northpeak.example."),
        "spelt, and without the link: {said}"
    );
    let mut third = Call::begin(&desk.base(), CALLER, 3).await.unwrap();
    let said = third.say("and now?").await.unwrap().join(" ");
    assert!(!said.contains("H P dash"), "it was heard before: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anybody_to_call_a_call_ends_politely_as_does_silence_after_everything_is_settled() {
    let desk = start(&[("FIRSTLINE__VOICE__TRANSFER_TO", "")]).await;
    let mut call = Call::begin(&desk.base(), CALLER, 1).await.unwrap();
    let said = call.press("0").await.unwrap().join(" ");
    assert!(said.ends_with("Goodbye.") && call.over(), "nobody is called, and that is said: {said}");
    assert!(matches!(call.say("hello?").await, Err(CallError::Over)));
    let mut other = Call::begin(&desk.base(), "+14155550108", 2).await.unwrap();
    other.say("What are your store hours?").await.unwrap();
    let said = other.stay_silent().await.unwrap().join(" ");
    assert!(said.contains("anything else"), "{said}");
    let said = other.stay_silent().await.unwrap().join(" ");
    assert!(said.contains("Goodbye") && other.over(), "{said}");
}

/// A program whose model takes a question and never answers.
async fn start_slow(more: &[(&str, &str)]) -> Connected {
    let model = serve(Router::new().fallback(post(std::future::pending::<()>))).await;
    let slow = [
        ("FIRSTLINE__MODEL__BASE_URL", model.as_str()),
        ("FIRSTLINE__MODEL__NAME", "silent"),
        ("FIRSTLINE__VOICE__ANSWER_WAIT_MS", "150"),
    ];
    start(&[&slow[..], more].concat()).await
}

fn fillers(said: &[String]) -> usize {
    said.iter().filter(|text| text.contains("One moment")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_has_to_wait_is_told_so_once_and_then_hears_what_comes_of_it() {
    let more = [("FIRSTLINE__LIMITS__MODEL_TURN_MS_MAX", "1500"), ("FIRSTLINE__VOICE__WAITS_MAX", "90")];
    let desk = start_slow(&more).await;
    let mut call = Call::begin(&desk.base(), CALLER, 1).await.unwrap();
    let said = call.say("What are your store hours?").await.unwrap();
    assert_eq!((fillers(&said), said.len() > 1), (1, true), "{said:?}");
    let record = desk.record().await;
    let case = only_case(&record).await;
    assert_eq!(stored(&record, &case).await, ["What are your store hours?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_too_long_brings_a_person_and_the_turn_under_way_says_nothing_more() {
    let desk =
        start_slow(&[("FIRSTLINE__VOICE__WAITS_MAX", "2"), ("FIRSTLINE__LIMITS__MODEL_TURN_MS_MAX", "3000")])
            .await;
    let mut call = Call::begin(&desk.base(), CALLER, 1).await.unwrap();
    let said = call.say("What are your store hours?").await.unwrap();
    assert_eq!((fillers(&said), call.transferred()), (1, Some(PERSON)), "{said:?}");
    let record = desk.record().await;
    let case = only_case(&record).await;
    let handoff = record.handoff(&case.id).await.unwrap().unwrap();
    assert_eq!((case.state, handoff.reason.as_str()), (CaseState::Queued, "slow_on_the_phone"));
    let ended = || async { record.open_turn(&case.id).await.unwrap().is_none().then_some(()) };
    eventually("the turn that was under way has ended", ended).await;
    let thread = record.transcript(&case.id).await.unwrap();
    let said_by_us = thread.iter().filter(|entry| entry.author == Author::Assistant).count();
    assert_eq!(said_by_us, 1, "the words of the handoff");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_call_is_refused_without_a_signature_and_the_end_of_one_stores_nothing() {
    let desk = start(&[]).await;
    for step in ["", "/turn?turn=2", "/wait?case=c1", "/whisper?case=c1", "/dialed", "/status"] {
        let mut call = desk.words(7, 1, "hello");
        call.target = format!("/channels/voice{step}");
        assert_eq!(desk.post(&call).await.0, 403, "{step}: signed for another address");
        call.headers.retain(|(name, _)| name == "content-type");
        assert_eq!(desk.post(&call).await.0, 403, "{step}: not signed");
    }
    let signed = |target: &str, body: &[u8]| {
        let mut call = desk.words(7, 1, "hello");
        call.target = target.to_owned();
        desk.provider.signed(&call, body.to_vec(), &desk.base())
    };
    for target in ["/channels/voice", "/channels/voice/status", "/channels/voice/turn?turn=2"] {
        let (status, body) = desk.post(&signed(target, fixture!("completed"))).await;
        assert_eq!((status, body.contains("<Response/>")), (200, true), "{target}: {body}");
    }
    for (target, form, expected) in [
        ("/channels/voice/turn?turn=1", &fixture!("malformed")[..], 400),
        ("/channels/voice/whisper?case=nowhere", &fixture!("new_call")[..], 404),
        ("/channels/voice/wait?case=nowhere&turn=x", &fixture!("new_call")[..], 404),
        ("/channels/voice/elsewhere", &fixture!("new_call")[..], 404),
    ] {
        assert_eq!(desk.post(&signed(target, form)).await.0, expected, "{target}");
    }
    assert!(cases(&desk.record().await).await.is_empty());
}
