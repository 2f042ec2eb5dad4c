//! A desk that is a mailbox: the note as a mail, and replies in its thread as an agent's words.

use std::sync::Arc;

use firstline::channels::email::{Envelope, NAME, Post, incoming};
use firstline::channels::{Bounds, Incoming};
use firstline::config::{Config, Environment, Sources, setting_name};
use firstline::providers::{self, Outbox, Provider};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::{HOUR_MS, TALK, answers, asks, desk_of, sink, state};
use crate::store::{Record, on_both};
use crate::support::service::Service;

on_both! {
    a_mailbox_has_the_case_and_only_its_own_proven_replies_count
}

pub(crate) const DESK: &str = "desk@care.example";

pub(crate) fn played() -> Box<dyn Provider> {
    providers::all().into_iter().find(|provider| provider.channel() == NAME).unwrap()
}

pub(crate) fn mail_settings(api: &str) -> Config {
    let mut environment = Environment::default();
    for (section, key, value) in played().settings(api, "https://desk.example") {
        environment = environment.with(&setting_name(section, key), &value);
    }
    Config::load(Sources { environment, ..Sources::default() }).unwrap()
}

/// A header of a mail.
fn header(mail: &str, name: &str) -> String {
    let line = mail.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:"))).unwrap();
    line.split_once(':').unwrap().1.trim().to_owned()
}

async fn a_mailbox_has_the_case_and_only_its_own_proven_replies_count(record: Arc<Record>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    let outbox = Outbox::default();
    let serving = TaskTracker::new().spawn(played().serve(listener, outbox.clone()));
    let settings = mail_settings(&api);
    let service = Service::new(&record.database.url(), |config| {
        config.channels.email = settings.channels.email.clone();
        let text = format!("name = \"care\"\nkind = \"email\"\naddress = \"{DESK}\"");
        config.handoff.sinks = vec![sink(&text)];
        config.handoff.give_back_ms = HOUR_MS;
    })
    .await;
    let case = asks(&service, "1", TALK).await;
    let sent = outbox.all();
    assert_eq!((sent.len(), sent[0].to.as_str()), (1, DESK));
    assert!(sent[0].text.contains("Next step:") && sent[0].text.contains(TALK), "{}", sent[0].text);
    assert_eq!(desk_of(&service, &case).await["state"], "theirs");
    let mail = sent[0].request["mail"].as_str().unwrap().to_owned();
    assert!(!mail.contains("Auto-Submitted"), "people are to answer it");
    let id = header(&mail, "message-id");
    // What the customer writes comes after it in the same thread.
    asks(&service, "2", "It is urgent").await;
    let further = outbox.all()[1].clone();
    assert_eq!(further.text.trim(), "It is urgent");
    assert_eq!(header(further.request["mail"].as_str().unwrap(), "in-reply-to"), id);
    let post = Post::new(&settings.channels.email, Bounds::of(&settings));
    let reply = async |from: &str, number: u32, edge: bool, text: &str| {
        let domain = from.split_once('@').unwrap().1;
        let edge_name = &settings.channels.email.authserv_id;
        let raw = format!(
            "Authentication-Results: {edge_name}; dmarc=pass header.from={domain}\r\nFrom: Jo <{from}>\r\n\
             To: {}\r\nMessage-ID: <r{number}@{domain}>\r\nIn-Reply-To: {id}\r\nSubject: Re: x\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n",
            settings.channels.email.address
        );
        let recipients = [settings.channels.email.address.clone()];
        let envelope = Envelope { sender: Some(from), recipients: &recipients, edge };
        let read = incoming(&post, raw.as_bytes(), &envelope).unwrap();
        assert!(matches!(read, Incoming::Message(_)), "{read:?}");
        service.app.pipeline.take(NAME, read).await.unwrap()
    };
    // From another address, or from this one without proof, it is a mail of somebody of their own.
    for (from, number, edge) in [("eve@care.example", 1, true), (DESK, 2, false)] {
        let accepted = reply(from, number, edge, "Send her a voucher.").await;
        assert_ne!(accepted.unwrap().case, case);
    }
    assert_eq!(answers(&service, &case).await, [""; 0]);
    for _ in 0..2 {
        assert!(reply(DESK, 3, true, "It comes tomorrow.").await.is_none());
    }
    assert_eq!(answers(&service, &case).await, ["It comes tomorrow."]);
    assert!(reply(DESK, 4, true, "Glad to help.\r\n#resolved").await.is_none());
    assert_eq!(answers(&service, &case).await, ["It comes tomorrow.", "Glad to help."]);
    assert_eq!(state(&service, &case).await, "resolved");
    service.stop().await;
    serving.abort();
}
