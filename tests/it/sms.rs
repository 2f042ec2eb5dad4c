//! SMS: real shapes of requests read one by one, and the program with Twilio played beside it.

use axum::Router;
use axum::routing::post;
use firstline::channels::twilio::signature;
use firstline::channels::{ChannelAdapter, Channels, Incoming, Webhook};
use firstline::config::{Config, Environment, Sources};
use firstline::domain::assurance::Assurance;
use firstline::domain::case::CaseState;
use firstline::domain::delivery::{Delivery, DeliveryState};
use firstline::domain::time::Timestamp;
use firstline::providers::Outbox;
use firstline::store::{CaseFilter, Page, Store};
use http::{HeaderMap, HeaderValue, Method};

use crate::support::connected::{Connected, eventually, serve};

const BASE: &str = "https://desk.example";
const TOKEN: &str = "12345";

fn adapter(channels: &Channels) -> &dyn ChannelAdapter {
    channels.named("sms").unwrap()
}

fn channels() -> Channels {
    let environment = Environment::default()
        .with("FIRSTLINE__SERVER__PUBLIC_BASE_URL", BASE)
        .with("FIRSTLINE__SMS__ENABLED", "true")
        .with("FIRSTLINE__SMS__ACCOUNT_SID", "AC00000000000000000000000000000001")
        .with("FIRSTLINE__SMS__AUTH_TOKEN", TOKEN)
        .with("FIRSTLINE__SMS__FROM", "+15005550006");
    Channels::new(&Config::load(Sources { environment, ..Sources::default() }).unwrap()).unwrap()
}

/// Gives a form to the adapter as the edge would, signed with `token`.
fn read(target: &str, form: &[u8], token: &str) -> Result<Vec<Incoming>, String> {
    let url = format!("{BASE}{target}");
    let mut fields = signature::Fields::new();
    for (name, value) in form_urlencoded::parse(form) {
        fields.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    let mut headers = HeaderMap::new();
    let signed = signature::of(token, &url, &fields).unwrap();
    headers.insert(signature::HEADER, HeaderValue::from_str(&signed).unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let webhook = Webhook {
        method: &Method::POST,
        path: path.trim_start_matches("/channels/sms").trim_start_matches('/'),
        url: &url,
        query,
        headers: &headers,
        body: form,
        now: Timestamp(0),
    };
    let channels = channels();
    let adapter = adapter(&channels);
    adapter.verify(&webhook).and_then(|()| adapter.parse(&webhook)).map_err(|error| error.to_string())
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/sms/", $name, ".form"))
    };
}

#[test]
fn a_message_is_read_with_its_thread_and_a_number_that_is_only_claimed() {
    let [plain, duplicate] = [&fixture!("plain")[..], &fixture!("duplicate")[..]];
    let taken = read("/channels/sms", plain, TOKEN).unwrap();
    insta::assert_debug_snapshot!(taken);
    assert_eq!(read("/channels/sms", duplicate, TOKEN).unwrap(), taken, "the same again");
}

#[test]
fn media_are_named_and_only_a_safe_address_is_kept() {
    insta::assert_debug_snapshot!(read("/channels/sms", fixture!("media"), TOKEN).unwrap());
}

#[test]
fn a_word_that_only_twilio_took_for_an_opt_out_is_told_as_the_plain_word() {
    let text = |form: &[u8]| {
        let taken = read("/channels/sms", form, TOKEN).unwrap();
        let [Incoming::Message(message)] = taken.as_slice() else { panic!("{taken:?}") };
        (message.text.clone(), message.sender.address.clone(), message.sender.phone.clone())
    };
    let (words, _, _) = text(fixture!("opt_out_type"));
    assert_eq!(words, "START", "a YES that Twilio took for START");
    let (words, address, phone) = text(fixture!("opt_out"));
    assert_eq!(
        (words.as_str(), address.as_str(), phone),
        ("Stop", "72345", None),
        "a short code is no phone"
    );
}

#[test]
fn what_is_no_message_is_refused_by_the_field_that_is_wrong_or_left_alone() {
    for (form, says) in [
        (&fixture!("malformed")[..], "`MessageSid` is missing"),
        (&fixture!("wrong_type")[..], "`NumMedia` is no whole number"),
        (b"MessageSid=SM1&From=%2B14155550107&To=%2B15005550006&Body=%00", "NUL"),
        (b"MessageSid=SM1&From=%2B14155550107&To=%2B15005550006&NumMedia=900", "`NumMedia` is 900"),
        (b"", "`MessageSid` is missing"),
    ] {
        let refused = read("/channels/sms", form, TOKEN).unwrap_err();
        assert!(refused.contains(says), "{refused}");
    }
    let long = format!("MessageSid=SM1&From=%2B14155550107&To=%2B15005550006&Body={}", "x".repeat(20_001));
    assert!(read("/channels/sms", long.as_bytes(), TOKEN).unwrap_err().contains("at most 20000"));
    let nobody = read("/channels/sms", fixture!("no_number"), TOKEN).unwrap();
    assert!(matches!(nobody.as_slice(), [Incoming::Nothing(_)]), "{nobody:?}");
    assert!(read("/channels/sms/elsewhere", fixture!("plain"), TOKEN).unwrap_err().contains("no address"));
}

#[test]
fn a_wrong_signature_is_refused_whatever_is_signed() {
    for (target, form) in [
        ("/channels/sms", &fixture!("plain")[..]),
        ("/channels/sms/status?delivery=d1", &fixture!("status_sent")[..]),
        ("/channels/sms/elsewhere", &fixture!("malformed")[..]),
    ] {
        assert!(read(target, form, "another-token").unwrap_err().contains("signature"), "{target}");
    }
}

#[test]
fn news_names_the_delivery_its_state_and_why_it_failed() {
    let target = "/channels/sms/status?delivery=0199-d1";
    let told = |form: &[u8]| {
        let taken = read(target, form, TOKEN).unwrap();
        let [Incoming::Status(update)] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!(update.provider_id, "SM0b000000000000000000000000000001");
        assert_eq!(update.delivery.as_deref(), Some("0199-d1"));
        (update.state, update.reason.clone())
    };
    assert_eq!(told(fixture!("status_sent")), (DeliveryState::Sent, None));
    assert_eq!(told(fixture!("status_delivered")), (DeliveryState::Delivered, None));
    let why = "30003 the phone is switched off or cannot be reached".to_owned();
    assert_eq!(told(fixture!("status_undelivered")), (DeliveryState::Failed, Some(why)));
}

/// The deliveries of the only case.
async fn deliveries(record: &Store) -> (CaseState, Vec<Delivery>) {
    let page = Page { cursor: None, limit: 10 };
    let (cases, _) = record.list_cases(&CaseFilter::default(), &page).await.unwrap();
    let [case] = cases.as_slice() else { panic!("{} cases", cases.len()) };
    (case.state, record.deliveries(&case.id).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_gets_one_answer_from_the_number_it_was_sent_to_and_news_only_moves_it_forward() {
    let desk = Connected::start("sms", &[]).await;
    let call = desk.words(7, 1, "What are your store hours?");
    for _ in 0..5 {
        let (status, body) = desk.post(&call).await;
        assert_eq!((status, body.contains("<Response/>")), (200, true), "{body}");
    }
    let sent = desk.sent(1).await;
    assert_eq!(sent[0].to, desk.provider.address(7));
    assert_eq!(sent[0].request["From"], "+15005550006");
    let callback = sent[0].request["StatusCallback"].as_str().unwrap();
    assert!(callback.starts_with(&desk.site.url("/channels/sms/status?delivery=")), "{callback}");
    // What it says next is the second message that leaves, so the five requests had one answer.
    let (status, _) = desk.post(&desk.words(7, 2, "thanks")).await;
    assert_eq!(status, 200);
    assert_eq!(desk.sent(2).await.len(), 2);
    let record = desk.record().await;
    for (news, expected) in [
        ("delivered", DeliveryState::Delivered),
        ("sent", DeliveryState::Delivered),
        ("read", DeliveryState::Read),
        ("undelivered", DeliveryState::Read),
    ] {
        let call = desk.provider.status(&sent[0], news, &desk.base()).unwrap();
        assert_eq!(desk.post(&call).await.0, 200, "{news}");
        let (_, deliveries) = deliveries(&record).await;
        assert_eq!(deliveries[0].state, expected, "{news}");
    }
    // The edge refuses what Twilio did not sign, and what it did not sign for this address.
    let mut forged = call.clone();
    forged.target.push_str("?x=1");
    assert_eq!(desk.post(&forged).await.0, 403);
    forged.headers.clear();
    assert_eq!(desk.post(&forged).await.0, 403);
    let (_, metrics) = desk.get("/metrics").await;
    assert!(metrics.contains("firstline_sms_segments_total"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_may_have_left_is_never_sent_again_and_news_of_it_settles_it() {
    // Takes the message and says nothing: the answer is lost.
    let silent = post(std::future::pending::<()>);
    let api = serve(Router::new().fallback(silent)).await;
    let more = [("FIRSTLINE__WORKER__DELIVERY_TIMEOUT_MS", "200")];
    let desk = Connected::start_at("sms", &api, Outbox::default(), &more).await;
    assert_eq!(desk.post(&desk.words(7, 1, "What are your store hours?")).await.0, 200);
    let record = desk.record().await;
    let unknown = eventually("the delivery is unknown", || async {
        let (_, deliveries) = deliveries(&record).await;
        deliveries.into_iter().next().filter(|first| first.state == DeliveryState::Unknown)
    })
    .await;
    assert_eq!((unknown.attempts, unknown.provider_id.as_deref()), (1, None));
    let request = serde_json::json!({
        "StatusCallback": format!("{}/channels/sms/status?delivery={}", desk.base(), unknown.id),
    });
    let sent = firstline::providers::Sent {
        id: "SM0c".to_owned(),
        to: desk.provider.address(7),
        text: String::new(),
        choices: Vec::new(),
        request,
    };
    let news = desk.provider.status(&sent, "delivered", &desk.base()).unwrap();
    assert_eq!(desk.post(&news).await.0, 200);
    let (_, deliveries) = deliveries(&record).await;
    let settled = deliveries.iter().find(|delivery| delivery.id == unknown.id).unwrap();
    assert_eq!(settled.state, DeliveryState::Delivered);
    assert_eq!((settled.attempts, settled.provider_id.as_deref()), (1, Some("SM0c")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_an_order_is_no_proof_and_is_told_from_one_that_a_code_is_asked_for() {
    let desk = Connected::start("sms", &[]).await;
    let mut answers = Vec::new();
    for (at, text) in [
        "please cancel my order HP-10073",
        "where is HP-10042",
        "mara.lindqvist@mail.example",
        "send me the invoice for it",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(desk.post(&desk.words(7, at as u64 + 1, text)).await.0, 200, "{text}");
        answers.push(desk.sent(at + 1).await[at].text.clone());
    }
    // Codes can be sent, and one was offered; what was typed for the order is no address for it.
    assert!(answers[0].contains("I will send it a code"), "{answers:?}");
    assert!(answers[1].contains("Which email address did you order with?"), "{answers:?}");
    assert!(answers[2].contains("NorthPost") && !answers[2].contains("code"), "{answers:?}");
    assert!(!answers[3].contains("/invoices/"), "{answers:?}");
    let record = desk.record().await;
    let page = Page { cursor: None, limit: 10 };
    let (cases, _) = record.list_cases(&CaseFilter::default(), &page).await.unwrap();
    let customer = record.customer(&cases[0].customer).await.unwrap().unwrap();
    assert_eq!((cases.len(), cases[0].assurance), (1, Assurance::Claimed));
    assert_eq!((customer.external_id.as_deref(), customer.email.as_deref()), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_has_said_stop_to_twilio_is_not_written_to_and_a_person_sees_it() {
    let desk = Connected::start("sms", &[]).await;
    // The number that Twilio keeps for this in tests.
    let said = firstline::providers::Said {
        from: "+15005550004",
        name: "",
        text: "What are your store hours?",
        id: 1,
        at: Timestamp(0),
    };
    assert_eq!(desk.post(&desk.provider.says(&said, &desk.base())).await.0, 200);
    let record = desk.record().await;
    let refused = eventually("the case is with people", || async {
        let (state, deliveries) = deliveries(&record).await;
        (state == CaseState::Queued).then(|| deliveries.into_iter().next())?
    })
    .await;
    assert_eq!(refused.state, DeliveryState::Failed);
    assert!(refused.reason.unwrap().ends_with("opted_out"));
    assert!(desk.outbox.all().is_empty());
}
