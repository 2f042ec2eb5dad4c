//! One suite for every adapter, over the provider that is played: the program itself takes its requests.

use std::sync::Arc;

use firstline::app::SystemClock;
use firstline::channels::{ChannelAdapter, Channels, Incoming, Webhook};
use firstline::config::{Config, Environment, Sources};
use firstline::domain::time::Clock;
use firstline::providers::{self, Provider, ProviderCall, Said};
use http::{HeaderMap, HeaderName, HeaderValue};

const BASE: &str = "https://desk.example";

/// The channels with every provider's own settings.
fn channels() -> Arc<Channels> {
    let mut environment = Environment::default().with("FIRSTLINE__SERVER__PUBLIC_BASE_URL", BASE);
    for provider in providers::all() {
        for (section, key, value) in provider.settings("http://127.0.0.1:9", BASE) {
            let name = format!("FIRSTLINE__{}__{}", section.to_uppercase(), key.to_uppercase());
            environment = environment.with(&name, &value);
        }
    }
    let config = Config::load(Sources { environment, ..Sources::default() }).unwrap();
    Arc::new(Channels::new(&config).unwrap())
}

/// Gives a call to the adapter as the edge would: verified first.
fn take(adapter: &dyn ChannelAdapter, call: &ProviderCall) -> Result<Vec<Incoming>, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { return Err("no header".to_owned()) };
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    }
    let (path, query) = call.target.split_once('?').unwrap_or((&call.target, ""));
    let webhook = Webhook {
        method: &call.method,
        path: path.trim_start_matches("/channels/").split_once('/').map_or("", |(_, rest)| rest),
        url: &format!("{BASE}{}", call.target),
        query,
        headers: &headers,
        body: &call.body,
        now: SystemClock.now(),
    };
    adapter.verify(&webhook).and_then(|()| adapter.parse(&webhook)).map_err(|error| error.to_string())
}

fn said(provider: &dyn Provider, text: &str) -> ProviderCall {
    let from = provider.address(7);
    let said = Said { from: &from, name: "Ann Baker", text, id: 41, at: SystemClock.now() };
    provider.says(&said, BASE)
}

fn each(test: impl Fn(&dyn Provider, &dyn ChannelAdapter)) {
    let channels = channels();
    for provider in providers::all() {
        test(provider.as_ref(), channels.named(provider.channel()).unwrap());
    }
}

#[test]
fn a_plain_message_is_read_as_it_was_written() {
    each(|provider, adapter| {
        let text = "Where is HP-10042? Größe 42 👍";
        let taken = take(adapter, &said(provider, text)).unwrap();
        let [Incoming::Message(message)] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!(message.text, text, "{}", provider.channel());
        assert_eq!(message.sender.address, provider.address(7));
        assert_eq!(message.channel, provider.channel());
        assert_eq!(message.sender.external_id, None, "no provider's word makes a customer verified");
    });
}

#[test]
fn a_request_that_was_changed_anywhere_or_carries_no_signature_is_refused() {
    each(|provider, adapter| {
        let call = said(provider, "hello");
        let unsigned = ProviderCall { headers: Vec::new(), ..call.clone() };
        assert!(take(adapter, &unsigned).is_err(), "{}", provider.channel());
        for at in 0..call.headers.len() {
            let (name, value) = call.headers[at].clone();
            if name == "content-type" {
                continue;
            }
            for place in 0..value.len() {
                let mut changed = value.clone().into_bytes();
                changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
                let mut forged = call.clone();
                forged.headers[at].1 = String::from_utf8_lossy(&changed).into_owned();
                assert!(take(adapter, &forged).is_err(), "{} {name} {place}", provider.channel());
            }
        }
    });
}

#[test]
fn no_truncation_of_a_request_panics_or_is_taken_for_the_whole() {
    each(|provider, adapter| {
        let call = said(provider, "hello there, where is my parcel");
        for end in 0..call.body.len() {
            let cut = provider.signed(&call, call.body[..end].to_vec(), BASE);
            // What it says is of no matter here: it must come back, and not with the whole message.
            if let Ok(taken) = take(adapter, &cut) {
                let whole = |one: &Incoming| matches!(one, Incoming::Message(m) if m.text == "hello there, where is my parcel");
                assert!(!taken.iter().any(whole) || end + 2 >= call.body.len(), "{}", provider.channel());
            }
        }
    });
}
