//! Email from its edges: our own mail server, the mailbox of answers, and loops that end.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use firstline::channels::email::{Ingest, Mailroom, NAME, Taken};
use firstline::channels::{Bounds, Incoming};
use firstline::config::{Config, EmailSettings, Environment, Sources, setting_name};
use firstline::domain::case::CaseState;
use firstline::domain::delivery::DeliveryState;
use firstline::domain::message::{InboundMessage, Sender};
use firstline::pipeline::Pipeline;
use firstline::providers::{self, Outbox, Provider, ProviderCall, Said};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::deliver::{REPLY, Says};
use crate::store::{Record, on_both};
use crate::support::site::{Site, http};
use crate::support::world::{ManualClock, clock, message, parts};

on_both! {
    an_answer_leaves_in_its_thread_and_a_third_within_ten_minutes_goes_to_a_person
    a_server_that_refuses_or_is_gone_is_told_apart
}

fn played() -> Box<dyn Provider> {
    providers::all().into_iter().find(|provider| provider.channel() == NAME).unwrap()
}

fn config(api: &str, more: &[(&str, &str)]) -> Config {
    let mut environment = Environment::default();
    for (section, key, value) in played().settings(api, "https://desk.example") {
        let name = setting_name(section, key);
        environment = environment.with(&name, &value);
    }
    for (key, value) in more {
        environment = environment.with(&format!("FIRSTLINE__EMAIL__{key}"), value);
    }
    Config::load(Sources { environment, ..Sources::default() }).unwrap()
}

async fn world(record: &Record, api: &str) -> (Arc<Pipeline>, Arc<ManualClock>) {
    let mut config = config(api, &[]);
    config.database.url = record.database.url();
    config.limits.replies_per_hour_max = 100;
    let clock = clock();
    (Pipeline::new(parts(config, clock.clone(), &[], Arc::new(Says(None, REPLY))).await), clock)
}

fn mail(id: &str) -> InboundMessage {
    let threading = r#"{"message_id":"m1@mail.example","references":["m0@mail.example","m1@mail.example"],"subject":"Größe 42?\r\nBcc: x@y.example","others":["bob@mail.example"]}"#;
    let told = message(id, "hello there");
    let sender =
        Sender { address: "unproven:ann@mail.example".to_owned(), external_id: None, ..told.sender.clone() };
    let assurance = firstline::domain::assurance::Assurance::Claimed;
    InboundMessage {
        channel: NAME.to_owned(),
        conversation: "00112233445566778899".to_owned(),
        sender: Sender { assurance, ..sender },
        threading: Some(threading.to_owned()),
        ..told
    }
}

async fn an_answer_leaves_in_its_thread_and_a_third_within_ten_minutes_goes_to_a_person(record: Arc<Record>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    let outbox = Outbox::default();
    let tasks = TaskTracker::new();
    let serving = tasks.spawn(played().serve(listener, outbox.clone()));
    let (pipeline, clock) = world(&record, &api).await;
    let mut case = None;
    for id in ["m1", "m2", "m3"] {
        case = Some(pipeline.ingest(mail(id)).await.unwrap().case);
        clock.advance(60_000);
        pipeline.drain().await;
    }
    // What the refusal opened hands the case over.
    pipeline.drain().await;
    let sent = outbox.all();
    assert_eq!(sent.iter().map(|mail| mail.text.as_str()).collect::<Vec<_>>(), [REPLY, REPLY]);
    let written = sent[0].request["mail"].as_str().unwrap();
    for line in [
        "To: ann@mail.example\r\n",
        "From: support@shop.example\r\n",
        "In-Reply-To: <m1@mail.example>\r\n",
        "References: <m0@mail.example> <m1@mail.example>\r\n",
        "Auto-Submitted: auto-replied\r\n",
    ] {
        assert!(written.contains(line), "{line} in {written}");
    }
    assert!(!written.contains("\nBcc:") && !written.contains("bob@mail.example"), "{written}");
    let case = case.unwrap();
    let store = &pipeline.parts().store;
    let deliveries = store.deliveries(&case).await.unwrap();
    let id = format!("{}.00112233445566778899.", deliveries[0].id.as_str());
    assert!(written.contains(&format!("<{id}")));
    assert!(deliveries[0].provider_id.as_deref().unwrap().starts_with(&id));
    assert_eq!(deliveries[2].state, DeliveryState::Failed);
    assert_eq!(store.case_fresh(&case).await.unwrap().unwrap().case.state, CaseState::Queued);
    let place = (NAME, "00112233445566778899");
    let now = firstline::domain::time::Clock::now(clock.as_ref());
    let counted = |since| store.automatic_messages(place, &deliveries[2].message, since);
    assert_eq!(counted(now.plus_ms(-600_000)).await.unwrap(), 2);
    assert_eq!(counted(now).await.unwrap(), 0);
    serving.abort();
}

/// A mail server that says this to one command, hangs up at "drop", and OK to everything else.
async fn moody(listener: TcpListener, command: &'static str, answer: &'static str) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut stream = BufReader::new(stream);
        let mut inside = false;
        let mut say = b"220 moody\r\n".to_vec();
        loop {
            if stream.write_all(&say).await.is_err() {
                break;
            }
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                break;
            }
            while inside && line != ".\r\n" {
                line.clear();
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            inside = line.starts_with("DATA");
            let fits = line.starts_with(command);
            if fits && answer == "drop" {
                break;
            }
            let usual = if inside { "354 go on" } else { "250 OK" };
            say = format!("{}\r\n", if fits { answer } else { usual }).into_bytes();
            inside &= !fits;
        }
    }
}

async fn a_server_that_refuses_or_is_gone_is_told_apart(record: Arc<Record>) {
    for (at, (command, answer, expected)) in [
        ("RCPT", "550 5.1.1 nobody", DeliveryState::Failed),
        ("RCPT", "450 4.2.1 busy", DeliveryState::Pending),
        ("MAIL", "drop", DeliveryState::Pending),
        ("DATA", "451 later", DeliveryState::Pending),
        (".", "drop", DeliveryState::Unknown),
        (".", "554 no", DeliveryState::Failed),
        (".", "452 full", DeliveryState::Pending),
        ("nothing", "", DeliveryState::Sent),
    ]
    .into_iter()
    .enumerate()
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let tasks = TaskTracker::new();
        let serving = tasks.spawn(moody(listener, command, answer));
        let (pipeline, _) = world(&record, &api).await;
        let written = InboundMessage {
            conversation: format!("{at:020}"),
            sender: Sender { address: format!("c{at}@mail.example"), ..mail("x").sender },
            ..mail(&format!("n{at}"))
        };
        let case = pipeline.ingest(written).await.unwrap().case;
        pipeline.drain().await;
        let deliveries = pipeline.parts().store.deliveries(&case).await.unwrap();
        assert_eq!(deliveries[0].state, expected, "{command} {answer}: {:?}", deliveries[0].reason);
        serving.abort();
    }
}

/// Our own mail server, with what it has taken.
struct House {
    address: std::net::SocketAddr,
    taken: Arc<Mutex<Vec<Incoming>>>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl House {
    async fn open(answer: Taken, more: &[(&str, &str)]) -> Self {
        let mut all = vec![("LISTEN", "127.0.0.1:0"), ("LISTEN_EDGES", "127.0.0.1")];
        all.extend(more);
        let settings: EmailSettings = config("http://127.0.0.1:9", &all).channels.email;
        let bounds = Bounds { text_chars_max: 20_000, attachments_max: 20, depth_max: 32 };
        let mailroom = Mailroom::open(&settings, bounds).await.unwrap();
        let taken: Arc<Mutex<Vec<Incoming>>> = Arc::default();
        let kept = taken.clone();
        let ingest: Ingest = Arc::new(move |incoming| {
            kept.lock().unwrap().push(incoming);
            let answer = answer.clone();
            Box::pin(async move { answer })
        });
        let address = mailroom.address().unwrap();
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        mailroom.run(&ingest, &tasks, &shutdown);
        Self { address, taken, tasks, shutdown }
    }

    async fn talk(&self) -> Talk<TcpStream> {
        let mut talk = Talk(BufReader::new(TcpStream::connect(self.address).await.unwrap()));
        assert!(talk.answer().await.starts_with("220 shop.example"));
        talk
    }

    fn texts(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        let text = |one: &Incoming| match one {
            Incoming::Message(message) => message.text.clone(),
            other => panic!("{other:?}"),
        };
        taken.iter().map(text).collect()
    }
}

struct Talk<S>(BufReader<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    /// One whole answer.
    async fn answer(&mut self) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.unwrap() == 0 || line.as_bytes().get(3) != Some(&b'-') {
                return all + &line;
            }
            all.push_str(&line);
        }
    }

    async fn say(&mut self, text: &str) -> String {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.answer().await
    }

    /// Announces a mail.
    async fn announce(&mut self) {
        for line in [
            "EHLO mx.mail.example\r\n",
            "MAIL FROM:<ann@mail.example> SIZE=100\r\n",
            "RCPT TO:<support@shop.example>\r\n",
        ] {
            assert!(self.say(line).await.starts_with("250"), "{line}");
        }
        assert!(self.say("DATA\r\n").await.starts_with("354"));
    }
}

const MAIL: &str = "Authentication-Results: mx.shop.example; dmarc=pass header.from=mail.example\r\nFrom: ann@mail.example\r\nTo: support@shop.example\r\nMessage-ID: <1@mail.example>\r\n\r\nWhere is HP-10042?\r\n..dotted\r\n.\r\n";

#[tokio::test]
async fn our_mail_server_takes_mail_for_our_addresses_and_says_so_when_it_is_stored() {
    let house = House::open(Taken::Durably, &[]).await;
    let mut talk = house.talk().await;
    assert!(talk.say("MAIL FROM:<a@b.example>\r\n").await.starts_with("503"));
    let hello = talk.say("EHLO mx.mail.example\r\n").await;
    for word in ["SIZE 26214400", "8BITMIME", "PIPELINING", "SMTPUTF8"] {
        assert!(hello.contains(word), "{hello}");
    }
    assert!(!hello.contains("STARTTLS") && talk.say("STARTTLS\r\n").await.starts_with("502"));
    assert!(talk.say("MAIL FROM:<a@b.example> SIZE=99999999\r\n").await.starts_with("552"));
    assert!(talk.say("MAIL FROM:<ann@mail.example> BODY=8BITMIME\r\n").await.starts_with("250"));
    for stranger in
        ["bob@shop.example", "support@evil.example", "support@shop.example@evil.example", "ann@mail.example"]
    {
        assert!(talk.say(&format!("RCPT TO:<{stranger}>\r\n")).await.starts_with("550"), "{stranger}");
    }
    assert!(talk.say("DATA\r\n").await.starts_with("503"));
    assert!(talk.say("RCPT TO:<Support+abc@SHOP.example>\r\n").await.starts_with("250"));
    assert!(talk.say("DATA\r\n").await.starts_with("354"));
    assert!(talk.say(MAIL).await.starts_with("250"));
    assert_eq!(house.texts(), ["Where is HP-10042?\n.dotted"]);
    // Everything at once, as a pipelining client sends it, and a second mail in the same conversation.
    let all = format!(
        "MAIL FROM:<ann@mail.example>\r\nRCPT TO:<support@shop.example>\r\nDATA\r\n{}QUIT\r\n",
        MAIL.replace("HP-10042", "HP-10043")
    );
    assert!(talk.say(&all).await.starts_with("250"));
    for code in ["250", "354", "250", "221"] {
        assert!(talk.answer().await.starts_with(code), "{code}");
    }
    assert_eq!(house.texts().len(), 2);
    house.shutdown.cancel();
    house.tasks.close();
    house.tasks.wait().await;
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_acknowledged() {
    for (answer, code) in [(Taken::Later, "451"), (Taken::Never, "554")] {
        let house = House::open(answer, &[]).await;
        let mut talk = house.talk().await;
        talk.announce().await;
        assert!(talk.say(MAIL).await.starts_with(code), "{code}");
    }
}

#[tokio::test]
async fn a_mail_that_two_servers_might_read_differently_is_refused_whole() {
    let house = House::open(Taken::Durably, &[]).await;
    let smuggled = "MAIL FROM:<admin@shop.example>\r\nRCPT TO:<support@shop.example>\r\nDATA\r\nFrom: admin@shop.example\r\n\r\nevil";
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r"] {
        let mut talk = house.talk().await;
        talk.announce().await;
        let answer = talk.say(&format!("From: ann@mail.example\r\n\r\nhello{end}{smuggled}\r\n.\r\n")).await;
        assert!(answer.starts_with("550 5.6.11"), "{end:?}: {answer}");
        assert!(
            talk.say("QUIT\r\n").await.starts_with("221"),
            "nothing of it was taken for commands: {end:?}"
        );
    }
    assert_eq!(house.texts().len(), 0);
    let mut talk = house.talk().await;
    assert!(talk.say("NOOP\n").await.starts_with("500"));
}

#[tokio::test]
async fn a_mail_that_is_too_large_is_refused_and_the_next_one_taken() {
    let house = House::open(Taken::Durably, &[("MESSAGE_BYTES_MAX", "1000")]).await;
    let mut talk = house.talk().await;
    talk.announce().await;
    let large = MAIL.replace("HP-10042", &"word ".repeat(200));
    assert!(talk.say(&large).await.starts_with("552"));
    talk.announce().await;
    assert!(talk.say(MAIL).await.starts_with("250"));
    talk.announce().await;
    let endless = "x".repeat(5000);
    assert!(talk.0.write_all(endless.as_bytes()).await.is_ok());
    let mut rest = String::new();
    let closed = talk.0.read_line(&mut rest).await;
    assert!(closed.is_err() || rest.is_empty() || rest.starts_with("552"), "{rest}");
    assert_eq!(house.texts().len(), 1);
}

#[tokio::test]
async fn nobody_but_our_edge_proves_a_sender_and_silence_ends_a_conversation() {
    let house = House::open(
        Taken::Durably,
        &[("LISTEN_EDGES", "192.0.2.1"), ("LISTEN_IDLE_MS", "300"), ("LISTEN_CONNECTIONS_MAX", "1")],
    )
    .await;
    let mut talk = house.talk().await;
    talk.announce().await;
    assert!(talk.say(MAIL).await.starts_with("250"));
    {
        let taken = house.taken.lock().unwrap();
        let Incoming::Message(message) = &taken[0] else { panic!("{taken:?}") };
        assert_eq!(message.sender.address, "unproven:ann@mail.example");
    }
    let mut second = Talk(BufReader::new(TcpStream::connect(house.address).await.unwrap()));
    assert!(second.answer().await.starts_with("421"), "one conversation at once");
    assert!(talk.answer().await.starts_with("421"), "nothing came for too long");
}

#[tokio::test]
async fn a_conversation_is_encrypted_when_there_is_a_certificate() {
    let fixture = |name: &str| format!("{}/tests/fixtures/email/{name}", env!("CARGO_MANIFEST_DIR"));
    let (chain, key) = (fixture("listener.pem"), fixture("listener.key.pem"));
    let house =
        House::open(Taken::Durably, &[("LISTEN_CERTIFICATE", &chain), ("LISTEN_CERTIFICATE_KEY", &key)])
            .await;
    let mut talk = house.talk().await;
    assert!(talk.say("EHLO x\r\n").await.contains("STARTTLS"));
    assert!(
        talk.say("STARTTLS\r\nMAIL FROM:<evil@evil.example>\r\n").await.starts_with("501"),
        "words in the clear"
    );
    let mut talk = house.talk().await;
    assert!(talk.say("EHLO x\r\n").await.starts_with("250"));
    assert!(talk.say("STARTTLS\r\n").await.starts_with("220"));
    let mut roots = rustls::RootCertStore::empty();
    let pem = rustls::pki_types::pem::PemObject::from_pem_file(&chain).unwrap();
    roots.add(pem).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = Arc::new(client.with_root_certificates(roots).with_no_client_auth());
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = tokio_rustls::TlsConnector::from(client).connect(name, talk.0.into_inner()).await.unwrap();
    let mut talk = Talk(BufReader::new(stream));
    assert!(
        talk.say("MAIL FROM:<a@b.example>\r\n").await.starts_with("503"),
        "what was said before is forgotten"
    );
    talk.announce().await;
    assert!(talk.say(MAIL).await.starts_with("250"));
    assert_eq!(house.texts().len(), 1);
}

async fn post_to(site: &Site, call: &ProviderCall) -> u16 {
    let mut request = http().post(site.url(&call.target));
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    request.body(call.body.clone()).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_provider_is_told_what_it_must_send_again_and_what_never() {
    let settings = played().settings("http://127.0.0.1:9", "http://127.0.0.1");
    let named: Vec<(String, String)> = settings
        .into_iter()
        .map(|(section, key, value)| (setting_name(section, key), value))
        .chain([("FIRSTLINE__EMAIL__POSTMARK_SECRET".to_owned(), "postmark:password".to_owned())])
        .collect();
    let named: Vec<(&str, &str)> =
        named.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let site = Site::start_with(&named).await;
    let now = firstline::domain::time::Clock::now(&firstline::app::SystemClock);
    let says = |text: &str, at| {
        let said = Said { from: "ann@mail.example", name: "Ann", text, id: 7, at };
        played().says(&said, "")
    };
    let once = says("How long does delivery take?", now);
    let answers = futures_util::future::join_all((0..20).map(|_| post_to(&site, &once))).await;
    assert_eq!(answers, [200; 20]);
    let list = |path: String| {
        let answer = http().get(site.url(&path)).bearer_auth(site.key()).send();
        async {
            answer.await.unwrap().json::<serde_json::Value>().await.unwrap()["items"]
                .as_array()
                .unwrap()
                .clone()
        }
    };
    let cases = list("/v1/cases?channel=email".to_owned()).await;
    assert_eq!(cases.len(), 1);
    let told = list(format!("/v1/cases/{}/messages", cases[0]["id"].as_str().unwrap())).await;
    assert_eq!(told.iter().filter(|message| message["author"] == "customer").count(), 1);

    // A signature that is old may be right again when a clock is; a mail that is broken stays broken.
    assert_eq!(post_to(&site, &says("late", now.plus_ms(-600_000))).await, 401);
    let parts = "--b\r\n\r\n".repeat(2000);
    let broken = says("x", now);
    let body = String::from_utf8(broken.body.clone()).unwrap();
    let bomb = format!("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{parts}");
    let bomb: String = form_urlencoded::byte_serialize(bomb.as_bytes()).collect();
    let kept = body.split("body-mime=").next().unwrap();
    let broken = ProviderCall { body: format!("{kept}body-mime={bomb}").into_bytes(), ..broken };
    assert_eq!(post_to(&site, &broken).await, 406);
    let postmark = |password: &str, body: &str| ProviderCall {
        method: http::Method::POST,
        target: "/channels/email/postmark".to_owned(),
        headers: vec![("authorization".to_owned(), format!("Basic {}", STANDARD.encode(password)))],
        body: body.as_bytes().to_vec(),
    };
    assert_eq!(post_to(&site, &postmark("postmark:password", "{}")).await, 403);
    assert_eq!(post_to(&site, &postmark("postmark:wrong", "{}")).await, 401);
}
