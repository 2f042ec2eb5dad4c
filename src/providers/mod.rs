//! The providers of channels, played on loopback: signed webhooks in, a send API that records.
//!
//! They stand in for the real ones wherever nobody has an account: for people who try a channel
//! (`firstline channels simulate`), for `firstline audit` and for the tests. One list, [`all`], names them.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::Method;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::domain::time::Timestamp;

mod email;
mod files;
mod instagram;
mod messenger;
mod meta;
mod slack;
mod sms;
mod telegram;
mod twilio;
mod twiml;
pub mod voice;
mod whatsapp;

/// A customer's words, to be posted as the provider would.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The customer's address on the channel: a phone number in E.164, a numeric id, a mail address.
    pub from: &'a str,
    /// How the provider says they are called.
    pub name: &'a str,
    /// The words.
    pub text: &'a str,
    /// The provider's own id of the message, a number.
    pub id: u64,
    /// When they wrote.
    pub at: Timestamp,
}

/// A request of the provider to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderCall {
    /// The method.
    pub method: Method,
    /// Path and query, from `/channels/…` on.
    pub target: String,
    /// Headers, signature included.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

impl ProviderCall {
    /// Sends it to the service at `base`.
    pub async fn send(&self, client: &reqwest::Client, base: &str) -> reqwest::Result<reqwest::Response> {
        let mut request = client.request(self.method.clone(), format!("{base}{}", self.target));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(self.body.clone()).send().await
    }
}

/// Something that the service has sent, as the provider took it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// What the provider calls it.
    pub id: String,
    /// To whom: the customer's address on the channel.
    pub to: String,
    /// The words.
    pub text: String,
    /// The buttons under it.
    pub choices: Vec<String>,
    /// The whole request.
    pub request: Value,
}

/// What a provider has taken, in order, and how it is told to behave next.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    sent: Arc<Mutex<Vec<Sent>>>,
    /// Files that were brought, each at the place that its id says.
    files: Arc<Mutex<Vec<Value>>>,
}

impl Outbox {
    /// Everything that was taken so far.
    pub fn all(&self) -> Vec<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Descriptions of the files that were brought so far, whether a message named them or not.
    pub fn files(&self) -> Vec<Value> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps a file; its number, from 1.
    fn keep(&self, described: Value) -> usize {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.push(described);
        files.len()
    }

    /// The file with an id that ends with its number.
    fn file(&self, id: &str) -> Option<Value> {
        let number: usize = id.rsplit('-').next()?.parse().ok()?;
        self.files().get(number.checked_sub(1)?).cloned()
    }

    /// Takes one; `make` is told its number, from 1, to give it an id.
    fn take(&self, make: impl FnOnce(usize) -> Sent) -> Sent {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let one = make(sent.len() + 1);
        sent.push(one.clone());
        one
    }
}

/// A provider of one channel.
pub trait Provider: Send + Sync {
    /// The channel.
    fn channel(&self) -> &'static str;
    /// Whether this medium proves who writes.
    fn proves(&self) -> bool {
        true
    }
    /// The settings that connect a service with it, `(section, key, value)`; `api` is where [`Provider::serve`] serves,
    /// `base` how the provider reaches the service.
    fn settings(&self, api: &str, base: &str) -> Vec<(&'static str, &'static str, String)>;
    /// A customer's words as it posts them, signed; `base` is how it reaches the service.
    fn says(&self, said: &Said<'_>, base: &str) -> ProviderCall;
    /// The same request with another body, signed anew.
    fn signed(&self, call: &ProviderCall, body: Vec<u8>, base: &str) -> ProviderCall;
    /// News of something that was sent, where the provider tells any.
    fn status(&self, sent: &Sent, status: &str, base: &str) -> Option<ProviderCall>;
    /// An address of the same customer on this channel: each provider has its own kind.
    fn address(&self, customer: u32) -> String;
    /// Its send API, which keeps what it takes.
    fn router(&self, outbox: Outbox) -> Router;
    /// Serves that on `listener` until it is dropped; over HTTP unless the medium speaks something else.
    fn serve(&self, listener: TcpListener, outbox: Outbox) -> BoxFuture<'static, ()> {
        let router = self.router(outbox);
        Box::pin(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(error = %error, "a played provider stopped");
            }
        })
    }
}

/// Every provider that can be played.
pub fn all() -> Vec<Box<dyn Provider>> {
    vec![
        Box::new(telegram::Telegram),
        Box::new(whatsapp::WhatsApp),
        Box::new(messenger::PAGE),
        Box::new(instagram::ACCOUNT),
        Box::new(slack::Slack),
        Box::new(sms::Sms),
        Box::new(voice::Voice),
        Box::new(email::Email),
    ]
}
