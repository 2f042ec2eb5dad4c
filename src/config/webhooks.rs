//! Who subscribes to what happens: `[[webhooks]]`, and how what leaves for them is sent.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Environment;
use crate::domain::topic::Topic;

/// Longest name of a subscriber or a desk: it stands in ids.
const NAME_CHARS_MAX: usize = 40;

/// One of `[[webhooks]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Its name in the record; `webhook-1` and so on where none is given.
    #[serde(default)]
    pub name: String,
    /// Where it is told.
    pub url: String,
    /// What it is told.
    pub events: Vec<Topic>,
    /// Signs what is sent, `whsec_…`.
    #[serde(default)]
    pub secret: SecretString,
    /// The one before, while receivers change over: both sign.
    #[serde(default)]
    pub previous_secret: SecretString,
    /// Whether it is told what was said, too.
    #[serde(default)]
    pub include_text: bool,
}

/// `[webhook_delivery]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookDelivery {
    /// The pauses after the first attempt, the second, and so on; after the last one it is given up.
    pub retry_seconds: Vec<i64>,
    /// Longest one attempt may take.
    pub timeout_ms: u64,
    /// How long an attempt is held by the process that makes it.
    pub lease_ms: i64,
    /// Attempts at once for each receiver.
    pub at_once_max: usize,
    /// What was taken is listed this long.
    pub keep_ms: i64,
}

impl WebhookDelivery {
    /// The pause after this many attempts, in milliseconds; none after the last.
    pub fn pause_ms(&self, attempts: i64) -> Option<i64> {
        let place = usize::try_from(attempts.saturating_sub(1)).ok()?;
        self.retry_seconds.get(place).map(|seconds| seconds.saturating_mul(1000))
    }
}

/// Gives a name to those that have none, and takes secrets from the environment where they are there.
pub(super) fn complete(webhooks: &mut [WebhookSettings], environment: &Environment) {
    for (place, webhook) in webhooks.iter_mut().enumerate() {
        if webhook.name.is_empty() {
            webhook.name = format!("webhook-{}", place + 1);
        }
        let section = format!("webhooks__{}", webhook.name);
        for (key, secret) in
            [("secret", &mut webhook.secret), ("previous_secret", &mut webhook.previous_secret)]
        {
            given(environment, &section, key, secret);
        }
    }
}

/// Replaces a secret by the one in the environment, if there is one.
pub(super) fn given(environment: &Environment, section: &str, key: &str, secret: &mut SecretString) {
    let name = super::setting_name(section, key).replace('-', "_");
    if let Some(value) = environment.get(&name) {
        *secret = SecretString::from(value.to_owned());
    }
}

/// What is wrong with the subscribers and with how they are told.
pub(super) fn problems(webhooks: &[WebhookSettings], delivery: &WebhookDelivery) -> Vec<String> {
    let mut wrong = Vec::new();
    for webhook in webhooks {
        let label = format!("[[webhooks]] `{}`", webhook.name);
        wrong.extend(name_problem(&label, &webhook.name));
        wrong.extend(url_problem(&label, &webhook.url));
        if webhook.events.is_empty() {
            wrong.push(format!("{label}: events is empty; name what it is told, for example case.resolved"));
        }
        if webhook.secret.expose_secret().is_empty() {
            let name = super::setting_name(&format!("webhooks__{}", webhook.name), "secret");
            wrong.push(format!("{label}: secret is missing; set it or {}", name.replace('-', "_")));
        }
    }
    if delivery.retry_seconds.iter().any(|seconds| *seconds < 0) {
        wrong.push("[webhook_delivery] retry_seconds are pauses; none can be negative".to_owned());
    }
    if delivery.at_once_max == 0 {
        wrong.push("[webhook_delivery] at_once_max is 0, so nothing would leave; give at least 1".to_owned());
    }
    if i128::from(delivery.lease_ms) <= i128::from(delivery.timeout_ms) {
        wrong.push("[webhook_delivery] lease_ms must be longer than timeout_ms".to_owned());
    }
    wrong
}

/// A name stands in ids, which end in it.
pub(super) fn name_problem(label: &str, name: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    let good = !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.bytes().all(plain);
    (!good).then(|| {
        format!(
            "{label}: name is 1 to {NAME_CHARS_MAX} lower-case letters, digits, `_` or `-`, for example `crm`"
        )
    })
}

/// Whether something can be posted there; without encryption only to this machine.
pub(super) fn url_problem(label: &str, url: &str) -> Option<String> {
    let host = |rest: &str| rest.split(['/', ':', '?', '#']).next().unwrap_or_default().to_owned();
    let good = match url.split_once("://") {
        Some(("https", rest)) => !host(rest).is_empty() && !rest.contains('@'),
        Some(("http", rest)) => ["localhost", "127.0.0.1"].contains(&host(rest).as_str()),
        _ => false,
    };
    (!good)
        .then(|| format!("{label}: url must begin with https:// and name a host, without user or password"))
}
