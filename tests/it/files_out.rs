//! Files on an agent's reply: as each provider takes them, once, and brought again where that did not work.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use firstline::channels::{ChannelAdapter, ChannelError, Channels, File, Incoming, Outgoing, Webhook};
use firstline::config::{Config, Environment, Sources, setting_name};
use firstline::desk::act::{self, Actor, At, Reply};
use firstline::desk::send_again::send_again;
use firstline::domain::case::CaseState;
use firstline::domain::delivery::{Delivery, DeliveryState};
use firstline::domain::ids::{AttachmentId, CaseId, MessageId};
use firstline::domain::message::{InboundMessage, Message};
use firstline::domain::time::{Clock, Timestamp};
use firstline::pipeline::Pipeline;
use firstline::providers::{self, Outbox};
use firstline::store::StoredAttachment;
use futures_util::future::BoxFuture;
use mail_parser::MimeHeaders as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;

use crate::channel_sends::{Desk, How, PLAIN, Script, scripted, serve};
use crate::deliver::{REPLY, Says};
use crate::store::{Record, on_both};
use crate::support::world::{ManualClock, clock, message, parts};

on_both! {
    files_leave_after_the_words_each_once
    files_alone_are_a_reply
    what_could_not_be_brought_is_brought_again_and_leaves_once
    what_may_have_left_with_a_file_is_not_sent_again_until_a_person_says_so
    a_process_that_dies_while_it_brings_a_file_leaves_no_doubt
    what_was_erased_before_it_left_stays_here
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and no more of it";

fn file(name: &str, content: &[u8]) -> File {
    File::new(name, None, content.into())
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

async fn attach(desk: &Desk, file: File) -> Result<Option<String>, ChannelError> {
    desk.send("", How { files: &[file], ..PLAIN }).await
}

#[tokio::test]
async fn each_provider_takes_a_file_as_a_message_of_its_own() {
    let pdf = b"%PDF-1.7 \xff\x00 bytes".as_slice();
    for (channel, name, content, place, kind) in [
        ("whatsapp", "Größe 42.png", PNG, "/image", "image/png"),
        ("whatsapp", "Rechnung – März.pdf", pdf, "/document", "application/pdf"),
        ("telegram", "Größe 42.png", PNG, "/photo", "image/png"),
        ("telegram", "no picture.png", pdf, "/document", "image/png"),
        ("telegram", "Rechnung – März.pdf", pdf, "/document", "application/pdf"),
        ("messenger", "Größe 42.png", PNG, "/message/attachment", "image/png"),
        ("messenger", "all.zip", pdf, "/message/attachment", "application/zip"),
        ("slack", "Rechnung – März.pdf", pdf, "/files/0", "application/pdf"),
    ] {
        let desk = Desk::new(channel, &[]).await;
        let id = attach(&desk, file(name, content)).await.unwrap();
        assert!(id.is_some_and(|id| !id.is_empty()), "{channel} {name}");
        let sent = desk.last();
        assert_eq!(sent.to, desk.provider.address(7), "{channel} {name}");
        assert!(sent.request.pointer(place).is_some(), "{channel} {name}: {}", sent.request);
        let brought = desk.outbox.files();
        assert_eq!(brought.len(), 1, "{channel} {name}");
        assert_eq!(brought[0]["sha256"], sha256(content), "{channel} {name}");
        assert_eq!(brought[0]["type"], kind, "{channel} {name}");
        assert_eq!(brought[0]["name"], name, "{channel}");
    }
}

#[tokio::test]
async fn what_a_medium_does_not_take_is_refused_before_it_is_brought() {
    let large = vec![0; 5_000_001];
    for (channel, name, content) in [
        ("whatsapp", "all.zip", b"PK".as_slice()),
        ("whatsapp", "large.png", &large),
        ("messenger", "large.bin", &vec![0; 25_000_001]),
        ("telegram", "large.bin", &vec![0; 50_000_001]),
    ] {
        let desk = Desk::new(channel, &[]).await;
        let refused = attach(&desk, file(name, content)).await.unwrap_err();
        assert!(matches!(refused, ChannelError::Permanent(_)), "{channel} {name}: {refused}");
        assert!(desk.outbox.files().is_empty() && desk.outbox.all().is_empty(), "{channel} {name}");
    }
    let desk = Desk::new("whatsapp", &[]).await;
    let late = How { files: &[file("a.png", PNG)], window_open: false, ..PLAIN };
    let refused = desk.send("", late).await.unwrap_err();
    assert!(matches!(&refused, ChannelError::Permanent(why) if why.contains("131047")), "{refused}");
    assert!(desk.outbox.files().is_empty());
}

#[tokio::test]
async fn a_refusal_of_the_file_says_who_must_act_and_nothing_is_sent_after_it() {
    let meta = |code: i64| json!({"error": {"code": code, "message": "so", "type": "OAuthException"}});
    for (channel, status, answer, again) in [
        ("whatsapp", 400, meta(131_053), false),
        ("whatsapp", 429, meta(130_429), true),
        ("whatsapp", 200, json!({}), true),
        ("messenger", 500, Value::Null, true),
        ("slack", 200, json!({"ok": false, "error": "file_uploads_disabled"}), false),
        ("slack", 200, json!({"ok": false, "error": "ratelimited"}), true),
        // A file goes to nobody but Slack, whatever an answer says.
        ("slack", 200, json!({"ok": true, "upload_url": "https://evil.example/up", "file_id": "F1"}), true),
        ("slack", 200, json!({"ok": true, "upload_url": "http://files.slack.com/up", "file_id": "F1"}), true),
    ] {
        let script = Script::default();
        script.answers.lock().unwrap().push_back((status, None, answer.clone()));
        let api = serve(Router::new().fallback(scripted).with_state(script.clone())).await;
        let refused =
            attach(&Desk::at(channel, &api, Outbox::default(), &[]), file("a.png", PNG)).await.unwrap_err();
        assert_eq!(matches!(refused, ChannelError::Later { .. }), again, "{channel} {answer}: {refused}");
        assert_eq!(matches!(refused, ChannelError::Permanent(_)), !again, "{channel} {answer}: {refused}");
        assert_eq!(script.asked.lock().unwrap().len(), 1, "{channel} {answer}");
    }
}

/// Email settings for a mail server at `api`.
fn by_email(api: &str, more: &[(&str, &str)]) -> Config {
    let played = providers::all().into_iter().find(|provider| provider.channel() == "email").unwrap();
    let mut environment = Environment::default();
    for (section, key, value) in played.settings(api, "https://desk.example") {
        environment = environment.with(&setting_name(section, key), &value);
    }
    for (key, value) in more {
        environment = environment.with(&setting_name("email", key), value);
    }
    Config::load(Sources { environment, ..Sources::default() }).unwrap()
}

/// Sends the same delivery.
async fn mail(files: &[File], channels: &Channels) -> Result<Option<String>, ChannelError> {
    let message: Message = serde_json::from_value(json!({
        "id": "m", "case": "c", "seq": 1, "author": "agent", "agent": null, "channel": "email",
        "text": "Grüße,\nanbei die Rechnung.", "at": "2026-11-24T10:00:00Z", "visibility": "public",
        "citations": [], "choices": [], "attachments": [], "turn": null,
    }))
    .unwrap();
    let delivery = Delivery {
        id: "0197a2c4-0000-7000-8000-000000000001".to_owned().try_into().unwrap(),
        case: message.case.clone(),
        message: message.id.clone(),
        part: 0,
        channel: "email".to_owned(),
        conversation: "00112233445566778899".to_owned(),
        state: DeliveryState::Pending,
        attempts: 0,
        due_at: Timestamp(0),
        provider_id: None,
        reason: None,
    };
    let threading =
        r#"{"message_id":"m1@mail.example","references":["m1@mail.example"],"subject":"Hi","others":[]}"#;
    let outgoing = Outgoing {
        delivery: &delivery,
        message: &message,
        text: &message.text,
        choices: &[],
        files,
        uploaded: None,
        address: "ann@mail.example",
        threading: Some(threading),
        window_open: true,
        language: "de",
        subject: None,
        now: Timestamp(0),
    };
    channels.named("email").unwrap().send(outgoing).await
}

#[tokio::test]
async fn a_mail_carries_its_files_in_its_thread_and_is_the_same_at_every_try() {
    let played = providers::all().into_iter().find(|provider| provider.channel() == "email").unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    let outbox = Outbox::default();
    let serving = TaskTracker::new().spawn(played.serve(listener, outbox.clone()));
    let channels = Channels::new(&by_email(&api, &[("files_bytes_max", "100000")])).unwrap();
    let all_bytes: Vec<u8> = (0..=255).cycle().take(90_000).collect();
    let files = [
        file("Rechnung – Größe 42, sehr langer Name der über viele Zeichen geht und weiter.pdf", &all_bytes),
        file("notes.txt", "a\nlong line\n.\n".repeat(300).as_bytes()),
        file("weird\r\nBcc: x@y.example\".bin", b"--=_0197a2c4\r\n.\r\n"),
    ];
    let first = mail(&files, &channels).await.unwrap();
    let second = mail(&files, &channels).await.unwrap();
    assert_eq!(first, second, "the Message-ID is that of the delivery");
    let sent = outbox.all();
    assert_eq!(sent[0].request["mail"], sent[1].request["mail"]);
    assert!(sent[0].text.starts_with("Grüße,\nanbei die Rechnung."), "{}", sent[0].text);
    let raw = sent[0].request["mail"].as_str().unwrap();
    let (head, _) = raw.split_once("\r\n\r\n").unwrap();
    for line in ["In-Reply-To: <m1@mail.example>", "References: <m1@mail.example>", "Subject: Re: Hi"] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(!raw.contains("\nBcc:"), "{head}");
    let read = mail_parser::MessageParser::default().parse(raw).unwrap();
    assert_eq!(read.attachment_count(), 3);
    for (part, file) in read.attachments().zip(&files) {
        assert!(part.contents() == &file.content[..], "{} did not arrive as it was", file.name);
        let kind = part.content_type().unwrap();
        assert_eq!(format!("{}/{}", kind.ctype(), kind.subtype().unwrap()), file.content_type);
    }
    assert_eq!(read.attachments().next().unwrap().attachment_name(), Some(files[0].name.as_str()));
    let large = [file("a.bin", &all_bytes), file("b.bin", &all_bytes)];
    let refused = mail(&large, &channels).await.unwrap_err();
    assert!(matches!(&refused, ChannelError::Permanent(why) if why.contains("files_bytes_max")), "{refused}");
    assert_eq!(outbox.all().len(), 2);
    serving.abort();
}

/// What it is told at a step; nothing said means that it works.
type Answers = Arc<Mutex<VecDeque<ChannelError>>>;

/// A medium that wants files beforehand, with the rules of one that does.
#[derive(Clone, Default)]
struct Carrier {
    bringing: Answers,
    sending: Answers,
    done: Arc<Mutex<Vec<String>>>,
}

impl Carrier {
    fn take(answers: &Answers, ok: String) -> BoxFuture<'static, Result<Option<String>, ChannelError>> {
        let answer = answers.lock().unwrap().pop_front();
        if matches!(&answer, Some(ChannelError::Later { why, .. }) if why == "never") {
            return Box::pin(std::future::pending());
        }
        Box::pin(std::future::ready(answer.map_or(Ok(Some(ok)), Err)))
    }
}

impl ChannelAdapter for Carrier {
    fn name(&self) -> &'static str {
        "messenger"
    }

    fn verify(&self, _: &Webhook<'_>) -> Result<(), ChannelError> {
        Err(ChannelError::Forged("nothing arrives by this one"))
    }

    fn parse(&self, _: &Webhook<'_>) -> Result<Vec<Incoming>, ChannelError> {
        Ok(Vec::new())
    }

    fn upload<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        let file = outgoing.files.first().unwrap();
        self.done.lock().unwrap().push(format!("bring {}", file.name));
        Self::take(&self.bringing, format!("id of {}", file.name))
    }

    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Option<String>, ChannelError>> {
        let what = outgoing.uploaded.unwrap_or(outgoing.text);
        let mut done = self.done.lock().unwrap();
        done.push(format!("send {what}"));
        Self::take(&self.sending, format!("provider-{}", done.len()))
    }
}

struct Office {
    pipeline: Arc<Pipeline>,
    clock: Arc<ManualClock>,
    carrier: Carrier,
    case: CaseId,
}

impl Office {
    async fn new(record: &Record) -> Self {
        let mut config = Config::load(Sources::default()).unwrap();
        config.database.url = record.database.url();
        config.worker.delivery_files_timeout_ms = 50;
        let (clock, carrier) = (clock(), Carrier::default());
        let mut parts = parts(config, clock.clone(), &[], Arc::new(Says(None, REPLY))).await;
        parts.channels = Channels::of(vec![Box::new(carrier.clone())]);
        let pipeline = Pipeline::new(parts);
        let arrived = InboundMessage { channel: "messenger".to_owned(), ..message("m1", "hello there") };
        let case = pipeline.ingest(arrived).await.unwrap().case;
        pipeline.drain().await;
        carrier.done.lock().unwrap().clear();
        Self { pipeline, clock, carrier, case }
    }

    fn at<'a>(&'a self, actor: &'a Actor) -> At<'a> {
        let parts = self.pipeline.parts();
        At { store: &parts.store, channels: &parts.channels, clock: &*self.clock, actor, case: &self.case }
    }

    /// An agent answers, and it leaves.
    async fn reply(&self, text: &str, names: &[&str]) {
        self.says(text, names).await;
        self.pipeline.drain().await;
    }

    /// An agent answers.
    async fn says(&self, text: &str, names: &[&str]) {
        let actor = Actor::Program("test".to_owned());
        let file = |name: &&str| StoredAttachment {
            id: AttachmentId::new(self.clock.new_id()),
            case: self.case.clone(),
            message: MessageId::new(self.clock.new_id()),
            name: (*name).to_owned(),
            content_type: None,
            content: PNG.into(),
            at: self.clock.now(),
        };
        let files = names.iter().map(file).collect();
        act::reply(self.at(&actor), Reply { text: text.to_owned(), files, ..Reply::default() })
            .await
            .unwrap();
    }

    async fn later(&self, ms: i64) {
        self.clock.advance(ms);
        self.pipeline.drain().await;
    }

    fn done(&self) -> Vec<String> {
        self.carrier.done.lock().unwrap().clone()
    }

    /// Of what the agent said, without the assistant's answer before it.
    async fn deliveries(&self) -> Vec<Delivery> {
        self.pipeline.parts().store.deliveries(&self.case).await.unwrap().split_off(1)
    }

    async fn states(&self) -> Vec<DeliveryState> {
        self.deliveries().await.into_iter().map(|delivery| delivery.state).collect()
    }
}

async fn files_leave_after_the_words_each_once(record: Arc<Record>) {
    let office = Office::new(&record).await;
    office.reply("Here they are.", &["a.png", "b.pdf"]).await;
    office.later(3_600_000).await;
    let expected =
        ["send Here they are.", "bring a.png", "send id of a.png", "bring b.pdf", "send id of b.pdf"];
    assert_eq!(office.done(), expected);
    assert_eq!(office.states().await, [DeliveryState::Sent; 3]);
    // In the thread the files are with the words.
    let said = office.pipeline.parts().store.messages(&office.case, 0, 9).await.unwrap();
    assert_eq!(said.last().unwrap().files().count(), 2);
}

async fn files_alone_are_a_reply(record: Arc<Record>) {
    let office = Office::new(&record).await;
    office.reply("", &["a.png"]).await;
    assert_eq!(office.done(), ["bring a.png", "send id of a.png"]);
    assert_eq!(office.states().await, [DeliveryState::Sent]);
}

async fn what_could_not_be_brought_is_brought_again_and_leaves_once(record: Arc<Record>) {
    let office = Office::new(&record).await;
    office.carrier.bringing.lock().unwrap().extend([
        ChannelError::Unknown("hung up".to_owned()),
        ChannelError::later("busy"),
        ChannelError::later("never"),
    ]);
    office.reply("", &["a.png"]).await;
    assert_eq!(office.states().await, [DeliveryState::Pending]);
    assert_eq!(office.deliveries().await[0].reason.as_deref(), Some("hung up"));
    for pause in [1_000, 2_000, 4_000] {
        office.later(pause).await;
    }
    office.later(3_600_000).await;
    assert_eq!(
        office.done(),
        ["bring a.png", "bring a.png", "bring a.png", "bring a.png", "send id of a.png"]
    );
    assert_eq!(office.states().await, [DeliveryState::Sent]);
}

async fn what_may_have_left_with_a_file_is_not_sent_again_until_a_person_says_so(record: Arc<Record>) {
    let office = Office::new(&record).await;
    office.carrier.sending.lock().unwrap().push_back(ChannelError::Unknown("hung up".to_owned()));
    office.reply("", &["a.png"]).await;
    office.later(3_600_000).await;
    assert_eq!(office.done(), ["bring a.png", "send id of a.png"]);
    assert_eq!(office.states().await, [DeliveryState::Unknown]);
    let file = office.pipeline.parts().store.case_fresh(&office.case).await.unwrap().unwrap();
    assert_ne!(file.case.state, CaseState::Resolved);
    let actor = Actor::Program("test".to_owned());
    send_again(office.at(&actor), &office.deliveries().await[0].id).await.unwrap();
    office.later(0).await;
    assert_eq!(office.done().split_off(2), ["bring a.png", "send id of a.png"]);
    assert_eq!(office.states().await, [DeliveryState::Unknown, DeliveryState::Sent]);
}

async fn a_process_that_dies_while_it_brings_a_file_leaves_no_doubt(record: Arc<Record>) {
    let office = Office::new(&record).await;
    office.says("", &["a.png"]).await;
    // Another process takes it, begins to bring the file, and is gone.
    let (store, now) = (&office.pipeline.parts().store, office.clock.now());
    let taken = store.due_deliveries("them", now, 10_000, 9).await.unwrap();
    assert!(store.hold_delivery(&taken[0], "", now.plus_ms(60_000)).await.unwrap());
    office.later(59_999).await;
    assert!(office.done().is_empty(), "it is theirs until then");
    office.later(1).await;
    assert_eq!(office.done(), ["bring a.png", "send id of a.png"]);
    assert_eq!(office.states().await, [DeliveryState::Sent]);
}

async fn what_was_erased_before_it_left_stays_here(record: Arc<Record>) {
    let office = Office::new(&record).await;
    office.says("", &["a.png"]).await;
    let customer =
        office.pipeline.parts().store.case(&office.case).await.unwrap().unwrap().case.customer.clone();
    office.pipeline.parts().store.erase_customer(&customer, office.clock.now()).await.unwrap();
    office.pipeline.drain().await;
    assert!(office.done().is_empty(), "nothing of whoever was erased leaves");
}
