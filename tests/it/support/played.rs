//! The adapters of all played providers, and a provider's request as the edge gives it to one.

use std::sync::LazyLock;

use firstline::channels::{ChannelAdapter, ChannelError, Channels, Incoming, Webhook};
use firstline::config::{Config, Environment, Sources, setting_name};
use firstline::domain::time::Timestamp;
use firstline::providers::{self, Provider, ProviderCall};
use http::{HeaderMap, HeaderName, HeaderValue};

/// How the providers reach the service.
pub(crate) const BASE: &str = "https://desk.example";

/// Every provider's settings for an environment, its send API being at `api`.
pub(crate) fn settings(api: impl Fn(&dyn Provider) -> String, base: &str) -> Vec<(String, String)> {
    let of = |provider: Box<dyn Provider>| {
        let settings = provider.settings(&api(provider.as_ref()), base);
        settings.into_iter().map(|(section, key, value)| (setting_name(section, key), value))
    };
    providers::all().into_iter().flat_map(of).collect()
}

/// The channels with every provider's own settings, built once.
pub(crate) fn channels() -> &'static Channels {
    static ALL: LazyLock<Channels> = LazyLock::new(connected);
    &ALL
}

/// Where a provider's interface is said to be; mail leaves unencrypted only for this machine.
fn api(provider: &dyn Provider) -> String {
    if provider.channel() == "email" { "http://127.0.0.1:9" } else { "https://api.example" }.to_owned()
}

fn connected() -> Channels {
    let mut environment = Environment::default().with("FIRSTLINE__SERVER__PUBLIC_BASE_URL", BASE);
    for (name, value) in settings(api, BASE) {
        environment = environment.with(&name, &value);
    }
    Channels::new(&Config::load(Sources { environment, ..Sources::default() }).unwrap()).unwrap()
}

/// Gives `test` a call as the edge would make it of the provider's request.
pub(crate) fn as_webhook<T>(call: &ProviderCall, now: Timestamp, test: impl FnOnce(&Webhook<'_>) -> T) -> T {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    }
    let (path, query) = call.target.split_once('?').unwrap_or((&call.target, ""));
    test(&Webhook {
        method: &call.method,
        path: path.trim_start_matches("/channels/").split_once('/').map_or("", |(_, rest)| rest),
        url: &format!("{BASE}{}", call.target),
        query,
        headers: &headers,
        body: &call.body,
        now,
    })
}

/// Gives a call to the adapter as the edge would: verified first.
pub(crate) fn take(
    adapter: &dyn ChannelAdapter,
    call: &ProviderCall,
    now: Timestamp,
) -> Result<Vec<Incoming>, ChannelError> {
    as_webhook(call, now, |webhook| adapter.verify(webhook).and_then(|()| adapter.parse(webhook)))
}

/// Runs `test` with each provider and its adapter.
pub(crate) fn each(test: impl Fn(&dyn Provider, &dyn ChannelAdapter)) {
    let channels = channels();
    for provider in providers::all() {
        test(provider.as_ref(), channels.named(provider.channel()).unwrap());
    }
}
