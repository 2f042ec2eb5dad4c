//! What we send to the operator and not to a customer: it belongs to no case.

use secrecy::ExposeSecret;

use super::{ChannelError, outgoing, standard_webhooks};
use crate::config::Config;
use crate::domain::time::Timestamp;

/// Words for somebody who works here.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// The same at every try: what is taken twice shows.
    pub id: &'a str,
    /// Their address.
    pub to: &'a str,
    /// In one line.
    pub subject: &'a str,
    /// The words.
    pub text: &'a str,
    /// When it was written.
    pub at: Timestamp,
}

/// Posts to the operator's own server, signed. The same `id` is the same thing, however often it comes.
pub async fn post(config: &Config, id: &str, now: Timestamp, body: String) -> Result<(), ChannelError> {
    let settings = &config.reports;
    let key = standard_webhooks::key(settings.weekly_webhook_secret.expose_secret());
    let key = key
        .ok_or_else(|| ChannelError::Permanent("[reports] weekly_webhook_secret is no secret".to_owned()))?;
    let client = outgoing::client(config).map_err(ChannelError::Permanent)?;
    let request = client.post(&settings.weekly_webhook_url).header("content-type", "application/json");
    let headers = standard_webhooks::headers(&key, id, now, body.as_bytes());
    let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    outgoing::call(request.body(body)).await?.taken("").map(drop)
}

/// What is wrong with the settings of what is posted.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let settings = &config.reports;
    let secret = settings.weekly_webhook_secret.expose_secret();
    if settings.weekly_webhook_url.is_empty() || standard_webhooks::key(secret).is_some() {
        return Vec::new();
    }
    vec!["[reports] weekly_webhook_secret is no secret like whsec_<base64>".to_owned()]
}
