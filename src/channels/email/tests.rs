//! Reading mail: real shapes, one after the other, and whatever else may come.

mod webhooks;

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Instant;

use proptest::prelude::*;
use secrecy::SecretString;

use super::read::Threading;
use super::*;
use crate::channels::{BadInput, StatusUpdate};
use crate::config::{Config, Environment, Sources};
use crate::domain::assurance::Assurance;
use crate::domain::delivery::DeliveryState;
use crate::domain::message::{InboundMessage, WHOLE_PAGE, WHOLE_TEXT, kept_by_us};

const SECRET: &str = "a long and random secret";

fn settings() -> EmailSettings {
    let environment = [
        ("ENABLED", "true"),
        ("ADDRESS", "support@shop.example"),
        ("TOKEN_SECRET", SECRET),
        ("AUTHSERV_ID", "mx.shop.example"),
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_TLS", "none"),
        ("MAILGUN_SIGNING_KEY", "mailgun key"),
        ("POSTMARK_SECRET", "postmark:password"),
        ("SENDGRID_SECRET", "sendgrid:password"),
    ];
    let environment = environment
        .iter()
        .fold(Environment::default(), |e, (key, value)| e.with(&format!("FIRSTLINE__EMAIL__{key}"), value));
    Config::load(Sources { environment, ..Sources::default() }).unwrap().channels.email
}

static POST: LazyLock<Post> = LazyLock::new(|| {
    let bounds = Bounds { text_chars_max: 20_000, attachments_max: 20, depth_max: 32 };
    Post::new(&settings(), bounds)
});

fn post() -> &'static Post {
    &POST
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/email");
    let mut all: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "eml"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    all.sort();
    assert!(all.len() >= 25);
    all
}

fn fixture(name: &str) -> Vec<u8> {
    fixtures().into_iter().find(|(known, _)| known == name).unwrap().1
}

fn read_bytes(raw: &[u8]) -> Result<Incoming, BadInput> {
    incoming(post(), raw, &Envelope { edge: true, ..Envelope::default() })
}

fn message_of(raw: &[u8]) -> InboundMessage {
    match read_bytes(raw) {
        Ok(Incoming::Message(message)) => *message,
        other => panic!("{other:?}"),
    }
}

fn message(name: &str) -> InboundMessage {
    message_of(&fixture(name))
}

fn whole_text(message: &InboundMessage) -> String {
    let kept = message.attachments.iter().find(|attachment| attachment.name == WHOLE_TEXT).unwrap();
    String::from_utf8(kept.content.as_deref().unwrap().to_vec()).unwrap()
}

fn files(message: &InboundMessage) -> Vec<&str> {
    message.attachments.iter().map(|a| a.name.as_str()).filter(|name| !kept_by_us(name)).collect()
}

#[test]
fn a_plain_mail_is_its_subject_and_what_was_written() {
    let mail = message("plain");
    assert_eq!(mail.text, "Late parcel\n\nWhere is HP-10042? Größe 42.");
    let sender = &mail.sender;
    assert_eq!((sender.address.as_str(), sender.name.as_deref()), ("Ann@mail.example", Some("Ann Baker")));
    assert_eq!((sender.assurance, sender.proof), (Assurance::Channel, "dmarc"));
    assert_eq!(mail.sent_at, crate::domain::time::Timestamp::parse("2026-11-23T09:02:00Z"));
    assert_eq!(whole_text(&mail), "Where is HP-10042? Größe 42.\n\n-- \nAnn Baker\nBaker Ltd");
}

#[test]
fn a_mail_that_comes_twice_by_different_ways_is_one_mail() {
    let (first, again) = (message("plain"), message("duplicate"));
    assert_eq!(first, again);
    let other = String::from_utf8(fixture("plain")).unwrap().replace("HP-10042", "HP-10043");
    assert_ne!(message_of(other.as_bytes()).external_id, first.external_id, "another mail under the same id");
}

#[test]
fn of_a_reply_only_what_was_added_counts_and_the_whole_is_kept_without_card_numbers() {
    let mail = message("reply");
    assert_eq!(mail.text, "It is HP-10042, my card is 4111 1111 1111 1111.", "ingest masks what is stored");
    let whole = whole_text(&mail);
    assert!(whole.contains("> Which order is it?") && !whole.contains("4111 1111 1111 1111"), "{whole}");
    assert_eq!(mail.sender.address, "Ann@mail.example", "Reply-To is nobody's proof");
    let threading: Threading = serde_json::from_str(mail.threading.as_deref().unwrap()).unwrap();
    assert_eq!(threading.others, ["bob@mail.example"]);
    assert_eq!(
        threading.references,
        ["plain-1@mail.example", "theirs-1@shop.example", "reply-1@mail.example"]
    );
    assert_eq!(message("reply_de").text, "Es ist HP-10042.");
    assert_eq!(message("reply_inline").text, "HP-10042\n42");
}

#[test]
fn the_writers_own_mails_in_one_thread_are_one_conversation_and_nobody_elses_are() {
    let (first, next) = (message("plain"), message("reply"));
    assert_eq!(first.conversation, next.conversation);
    let text = String::from_utf8(fixture("reply")).unwrap();
    let bob = text.replace("<Ann@Mail.example>", "<bob@mail.example>");
    assert_ne!(message_of(bob.as_bytes()).conversation, first.conversation);
    let forged = text.replace("dmarc=pass", "dmarc=fail");
    let forged = message_of(forged.as_bytes());
    assert_ne!(forged.conversation, first.conversation);
    assert_eq!(forged.sender.address, "unproven:Ann@mail.example");
    assert_eq!((forged.sender.assurance, forged.sender.proof), (Assurance::Claimed, "from_header"));
}

#[test]
fn our_edge_is_believed_only_where_the_mail_came_past_it() {
    let outside = incoming(post(), &fixture("plain"), &Envelope::default()).unwrap();
    let Incoming::Message(outside) = outside else { panic!("{outside:?}") };
    assert_eq!(outside.sender.address, "unproven:Ann@mail.example");
    assert_eq!(message("forged").sender.assurance, Assurance::Claimed);
    let nobody = message("two_senders").sender;
    assert!(nobody.address.starts_with(ANONYMOUS), "{nobody:?}");
    assert_eq!((nobody.assurance, nobody.email), (Assurance::Anonymous, None));
}

#[test]
fn files_come_along_under_safe_names() {
    let mail = message("attachment");
    assert_eq!(mail.text, "Broken lamp\n\nThe lamp HP-10042 came broken.");
    assert_eq!(files(&mail), ["lamp.jpg", "Rechnung grüße.pdf"]);
    assert_eq!(files(&message("calendar")), ["Call about my order.ics"]);
    let long = String::from_utf8_lossy(&fixture("attachment")).replace("Rechnung", &"a".repeat(300));
    assert_eq!(files(&message_of(long.as_bytes()))[1].chars().count(), 100);
}

#[test]
fn nobody_sends_a_file_under_a_name_that_we_give_ourselves() {
    let raw = format!(
        "From: ann@mail.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nwords\n--b\n\
         Content-Type: application/octet-stream\nContent-Disposition: attachment; filename={WHOLE_PAGE}\n\nx\n--b--\n"
    );
    assert_eq!(files(&message_of(raw.as_bytes())), [format!("sent-{WHOLE_PAGE}")]);
}

#[test]
fn a_page_alone_is_read_as_text() {
    let mail = message("html_only");
    let page = mail.attachments.iter().find(|attachment| attachment.name == WHOLE_PAGE).unwrap();
    assert!(
        String::from_utf8_lossy(page.content.as_deref().unwrap()).contains("<p"),
        "it is kept as it came"
    );
    let expected = "Rückgabe\n\nIch möchte HP-10042 zurückgeben, siehe hier (https://shop.example/returns).\n\nDanke & Grüße";
    assert_eq!(mail.text, expected);
    assert!(whole_text(&mail).contains("> Wie können wir helfen?"));
}

#[test]
fn what_was_passed_on_is_read_with_it() {
    assert!(message("forwarded").text.ends_with("Click here to get your refund."));
    let attached = message("forwarded_attached");
    assert_eq!(attached.text, "Fwd: Your refund\n\nIs this really from you?");
    assert_eq!(files(&attached), ["forwarded.eml"]);
    assert!(whole_text(&attached).contains("Click here to get your refund."));
}

#[test]
fn every_charset_says_the_same_as_its_subject() {
    let mails: Vec<(String, Vec<u8>)> =
        fixtures().into_iter().filter(|(name, _)| name.starts_with("charset_")).collect();
    assert_eq!(mails.len(), 12);
    for (name, raw) in mails {
        let mail = message_of(&raw);
        let threading: Threading = serde_json::from_str(mail.threading.as_deref().unwrap()).unwrap();
        assert_eq!(mail.text, threading.subject, "{name}");
        assert!(!mail.text.contains('\u{fffd}'), "{name}");
    }
}

#[test]
fn what_no_person_wrote_is_not_a_message() {
    for name in ["autoreply", "newsletter", "bounce"] {
        assert!(matches!(read_bytes(&fixture(name)), Ok(Incoming::Nothing(_))), "{name}");
    }
    let plain = String::from_utf8(fixture("plain")).unwrap();
    let first_line = |line: &str| read_bytes(format!("{line}\r\n{plain}").as_bytes());
    for line in [
        "Auto-Submitted: auto-generated",
        "Precedence: Bulk",
        "Precedence: auto_reply",
        "List-Id: <x.mail.example>",
        "X-Auto-Response-Suppress: All",
        "Return-Path: <>",
    ] {
        assert!(matches!(first_line(line), Ok(Incoming::Nothing(_))), "{line}");
    }
    assert!(matches!(first_line("Auto-Submitted: no"), Ok(Incoming::Message(_))));
    for from in [
        "MAILER-DAEMON@mail.example",
        "no-reply@mail.example",
        "do_not_reply+1@mail.example",
        "support@shop.example",
        "Support+x@SHOP.example",
    ] {
        let mail = plain.replace("Ann@Mail.example", from);
        assert!(matches!(read_bytes(mail.as_bytes()), Ok(Incoming::Nothing(_))), "{from}");
    }
    let nobody = Envelope { sender: Some(""), edge: true, ..Envelope::default() };
    assert!(matches!(incoming(post(), plain.as_bytes(), &nobody), Ok(Incoming::Nothing(_))));
}

fn our_id(participant: &str) -> String {
    let tokens = &post().tokens;
    tokens.message_id("0195-delivery", &token::Tokens::thread("root", participant), participant).unwrap()
}

#[test]
fn a_bounce_of_our_mail_is_news_of_its_delivery_and_a_forged_one_is_none() {
    let bounce = |id: &str| {
        let raw = String::from_utf8(fixture("bounce")).unwrap().replace("OUR-ID", id);
        read_bytes(raw.as_bytes()).unwrap()
    };
    for participant in ["ann@mail.example", "unproven:ann@mail.example"] {
        let id = our_id(participant);
        let expected = StatusUpdate {
            provider_id: id.clone(),
            delivery: Some("0195-delivery".to_owned()),
            state: DeliveryState::Failed,
            reason: Some("it came back: 5.1.1".to_owned()),
        };
        assert_eq!(bounce(&id), Incoming::Status(expected));
    }
    for forged in
        [our_id("bob@mail.example"), our_id("ann@mail.example").replace("shop.example", "evil.example")]
    {
        assert!(matches!(bounce(&forged), Incoming::Nothing(_)), "{forged}");
    }
    let plain = String::from_utf8(fixture("plain")).unwrap();
    let ours = plain.replace("plain-1@mail.example", &our_id("ann@mail.example"));
    assert_eq!(read_bytes(ours.as_bytes()), Ok(Incoming::Nothing("our own mail came back")));
}

#[test]
fn a_reply_to_our_mail_joins_its_thread_and_from_anybody_else_opens_another() {
    let thread = token::Tokens::thread("root", "Ann@mail.example");
    let id = our_id("Ann@mail.example");
    let reply = String::from_utf8(fixture("reply_de")).unwrap();
    let answering =
        |mail: &str, id: &str| message_of(mail.replace("theirs-1@shop.example", id).as_bytes()).conversation;
    assert_eq!(answering(&reply, &id), thread);
    assert_ne!(answering(&reply.replace("Ann@Mail.example", "bob@mail.example"), &id), thread);
    assert_ne!(answering(&reply.replace("dmarc=pass", "dmarc=fail"), &id), thread);
    assert_ne!(
        answering(&reply, &our_id("bob@mail.example")),
        token::Tokens::thread("root", "bob@mail.example")
    );
    let address = post().tokens.plus_address(&thread, "Ann@mail.example").unwrap();
    let by_address = reply.replace("<support@shop.example>\r\n", &format!("<{address}>\r\n"));
    assert_eq!(message_of(by_address.as_bytes()).conversation, thread);
}

#[test]
fn an_oversized_text_is_cut_and_not_refused() {
    let mut raw = fixture("plain");
    raw.extend(b"word ".repeat(200_000));
    let text = message_of(&raw.clone()).text;
    assert_eq!(text.chars().count(), "Late parcel\n\nWhere is HP-10042? Größe 42.".chars().count(), "{text}");
    let long = [b"From: a@b.example\r\n\r\n".to_vec(), b"word ".repeat(200_000)].concat();
    assert_eq!(message_of(&long).text.chars().count(), 20_000);
}

#[test]
fn no_mail_takes_long_to_read() {
    let page =
        |body: String| format!("From: a@b.example\r\nContent-Type: text/html\r\n\r\n{body}").into_bytes();
    let parts = |head: &str, one: &str| {
        format!("From: a@b.example\r\nContent-Type: multipart/{head}; boundary=b\r\n\r\n{}", one.repeat(900))
            .into_bytes()
    };
    for (at, raw) in [
        page("<div>".repeat(5_000_000)),
        page("<a href=x>".repeat(2_000_000)),
        page("<!--".repeat(5_000_000)),
        parts("alternative", &format!("--b\r\nContent-Type: text/plain\r\n\r\n{}\r\n", " ".repeat(25_000))),
        parts(
            "mixed",
            &format!("--b\r\nContent-Type: text/plain; charset=gb18030\r\n\r\n{}\r\n", "x> ".repeat(8_000)),
        ),
        parts("mixed", &format!("--b\r\nX: {}\r\n\r\n\r\n", "a@b.example,".repeat(2_000))),
        parts(
            "mixed",
            &format!(
                "--b\r\nContent-Type: multipart/mixed; boundary=never\r\n\r\n{}\r\n",
                "x".repeat(20_000)
            ),
        ),
        format!("From: a@b.example\r\nReferences: {}\r\n\r\nx", "<a@b> ".repeat(10_000)).into_bytes(),
        format!("From: a@b.example\r\nTo: {}\r\n\r\nx", "((((((".repeat(10_000)).into_bytes(),
        format!("From: a@b.example\r\nSubject: {}\r\n\r\nx", "=?utf-8?B?YQ==?= ".repeat(3_500)).into_bytes(),
        format!("From: a@b.example\r\n\r\n{}", "On 1 x wrote:\n> q\n\n".repeat(1_000_000)).into_bytes(),
        format!("From: a@b.example\r\n\r\n{}", "\n".repeat(25_000_000)).into_bytes(),
    ]
    .into_iter()
    .enumerate()
    {
        let begun = Instant::now();
        let _ = read_bytes(&raw);
        // Twenty times what an optimised build may take: this one is not, and the machine has other work.
        assert!(begun.elapsed().as_secs() < 20, "bomb {at} took {:?}", begun.elapsed());
    }
}

#[test]
fn no_truncation_of_any_mail_panics() {
    for (_, raw) in fixtures() {
        for end in 0..raw.len() {
            let _ = read_bytes(&raw[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read_bytes(&bytes);
    }

    #[test]
    fn no_change_of_a_mail_panics(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in "[\\x00-\\xff]{0,8}|--b\\r\\n|<blockquote>|=\\?utf-8\\?B\\?|\\r\\n\\r\\n") {
        static ALL: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(fixtures);
        let all = &*ALL;
        let (_, mut raw) = all[which.index(all.len())].clone();
        let at = at.index(raw.len());
        raw.splice(at..at, with.bytes());
        let _ = read_bytes(&raw);
    }
}

#[test]
fn a_secret_is_not_shown() {
    assert!(!format!("{:?}", settings()).contains(SECRET) && !format!("{POST:?}").contains(SECRET));
    let _: &SecretString = &settings().token_secret;
}
