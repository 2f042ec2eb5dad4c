//! What real payloads become: every file in `fixtures/<channel>` is signed as the provider would, read, and compared
//! with one snapshot per channel. A file whose name begins with `bad_signature` comes with a wrong one, and one that begins
//! with `status` goes where the provider tells news of what left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use firstline::channels::{ChannelAdapter, Incoming};
use firstline::domain::message::InboundMessage;
use firstline::domain::time::Timestamp;
use firstline::providers::{self, Provider, ProviderCall, Said, Sent};
use serde_json::{Value, json};

use crate::support::played::{BASE, as_webhook, channels, take};

/// When all of it happens: the time of the payloads.
const NOW: Timestamp = Timestamp(1_749_416_400_000);
/// What every channel has to show.
const DEMANDED: [&str; 2] = ["duplicate", "malformed"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The payloads of a channel by file name. Mails are no payloads of a provider: `channels::email` reads its own.
pub(crate) fn fixtures(channel: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder().join(channel));
    let entries = entries.unwrap_or_else(|error| panic!("there are no fixtures of {channel}: {error}"));
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let payload = |path: &PathBuf| path.extension().is_some_and(|end| end == "json" || end == "form");
    paths.filter(payload).map(read).collect()
}

/// The provider's request with these bytes.
pub(crate) fn posted(provider: &dyn Provider, body: Vec<u8>) -> ProviderCall {
    let from = provider.address(7);
    let said = Said { from: &from, name: "Ann Baker", text: "hello", id: 41, at: NOW };
    provider.signed(&provider.says(&said, BASE), body, BASE)
}

fn shown(message: &InboundMessage) -> Value {
    let sender = &message.sender;
    json!({
        "channel": message.channel,
        "external_id": message.external_id,
        "conversation": message.conversation,
        "sender": {
            "address": sender.address,
            "name": sender.name,
            "email": sender.email,
            "phone": sender.phone,
            "assurance": format!("{:?}", sender.assurance),
            "proof": sender.proof,
            "external_id": sender.external_id,
        },
        "text": message.text,
        "attachments": message.attachments,
        "sent_at": message.sent_at,
        "threading": message.threading,
    })
}

fn outcome(adapter: &dyn ChannelAdapter, call: &ProviderCall) -> Value {
    let greeted = as_webhook(call, NOW, |webhook| adapter.greet(webhook));
    if let Some(greeting) = greeted {
        return match greeting {
            Ok(answer) => json!({"answered": {"status": answer.status, "body": answer.body}}),
            Err(error) => json!({"refused": error.to_string()}),
        };
    }
    let one = |incoming: Incoming| match incoming {
        Incoming::Message(message) => json!({"message": shown(&message)}),
        Incoming::Status(update) => json!({"status": {
            "provider_id": update.provider_id,
            "delivery": update.delivery,
            "state": update.state.as_str(),
            "reason": update.reason,
        }}),
        Incoming::Nothing(why) => json!({"nothing": why}),
    };
    match take(adapter, call, NOW) {
        Ok(taken) => taken.into_iter().map(one).collect(),
        Err(error) => json!({"refused": error.to_string()}),
    }
}

#[test]
fn every_payload_becomes_what_it_says() {
    let channels = channels();
    let told = |channel: &str| json!({"StatusCallback": format!("{BASE}/channels/{channel}/status")});
    let sent = |channel: &str| Sent {
        id: "sent-1".to_owned(),
        to: "16505551234".to_owned(),
        text: String::new(),
        choices: Vec::new(),
        request: told(channel),
    };
    for provider in providers::all() {
        let (provider, channel) = (provider.as_ref(), provider.channel());
        let fixtures = fixtures(channel);
        if channel == "email" {
            continue;
        }
        for name in DEMANDED {
            assert!(fixtures.keys().any(|file| file.starts_with(name)), "{channel} has no fixture `{name}`");
        }
        let read = |(name, body): (String, Vec<u8>)| {
            let mut call = match provider
                .status(&sent(channel), "delivered", BASE)
                .filter(|_| name.starts_with("status"))
            {
                Some(news) => provider.signed(&news, body, BASE),
                None => posted(provider, body),
            };
            if name.starts_with("bad_signature") {
                // Signed for other bytes.
                call.headers = posted(provider, b"{}".to_vec()).headers;
                for (_, value) in call.headers.iter_mut().filter(|(name, _)| name.contains("token")) {
                    value.push('x');
                }
            }
            (name, outcome(channels.named(channel).unwrap(), &call))
        };
        let outcomes: BTreeMap<String, Value> = fixtures.into_iter().map(read).collect();
        insta::assert_json_snapshot!(channel, outcomes);
    }
}
