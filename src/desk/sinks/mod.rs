//! Where things leave for: who subscribes to what happens, as signed webhooks, and other desks that cases are handed to.
//!
//! A desk that has a case is told what the customer writes, and what its people answer comes back as an agent's words.

use std::time::Duration;

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::channels::{outgoing, standard_webhooks};
use crate::config::{Config, WebhookSettings};
use crate::domain::ids::TeamId;
use crate::domain::message::{InboundMessage, Message};
use crate::domain::time::Timestamp;
use crate::store::{CRM, DeskCase, Listener, Wants};

mod chatwoot;
pub mod custody;
mod desks;
mod email;
mod signature;
mod webhook;
mod wire;
mod words;
mod zendesk;

use desks::OtherDesk;
pub use desks::{Heard, News, NewsError, Opened, Opening, Telling};
use wire::Wire;

/// What the targets of subscribers begin with.
const WEBHOOK: &str = "webhook-";
/// What the targets of other desks begin with.
const DESK: &str = "desk-";

/// Why something was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untaken {
    /// Not now; perhaps later, and not before this pause where one was asked for.
    Later {
        /// What stood in the way.
        why: String,
        /// In milliseconds.
        after_ms: Option<i64>,
    },
    /// Never.
    Never(String),
}

/// Everybody whom things leave for.
pub struct Sinks {
    subscribers: Vec<Subscriber>,
    desks: Vec<OtherDesk>,
    wire: Wire,
    /// Longest one attempt with a desk may take, all its calls together: shorter than its lease.
    attempt: Duration,
}

/// Who subscribes to what happens.
struct Subscriber {
    target: String,
    url: String,
    keys: Vec<Vec<u8>>,
    include_text: bool,
}

/// One thing to tell a subscriber.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// The same at every attempt.
    pub id: &'a str,
    /// Its topic.
    pub kind: &'a str,
    /// When it happened.
    pub at: Timestamp,
    /// What is told.
    pub data: &'a Value,
    /// Now.
    pub now: Timestamp,
}

impl Sinks {
    /// Those of the settings; else every problem.
    pub fn new(config: &Config) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let subscribers =
            config.webhooks.iter().filter_map(|one| Subscriber::new(one, &mut problems)).collect();
        let client = outgoing::client(config).map_err(|error| vec![error])?;
        let timeout = Duration::from_millis(config.webhook_delivery.timeout_ms);
        let wire = Wire { client, timeout };
        let mut desks = Vec::new();
        for sink in &config.handoff.sinks {
            match OtherDesk::new(sink, config, &wire) {
                Ok(desk) => desks.push(desk),
                Err(found) => problems.extend(found),
            }
        }
        let lease = Duration::from_millis(config.webhook_delivery.lease_ms.unsigned_abs());
        let attempt = lease * 2 / 3;
        if problems.is_empty() { Ok(Self { subscribers, desks, wire, attempt }) } else { Err(problems) }
    }

    /// The names in the record of everybody whom things leave for.
    pub fn targets(&self) -> Vec<String> {
        let desks = self.desks.iter().map(|desk| format!("{DESK}{}", desk.name));
        self.subscribers.iter().map(|one| one.target.clone()).chain(desks).collect()
    }

    /// The desk that a target is, if it is one.
    pub fn desk_of(target: &str) -> Option<&str> {
        target.strip_prefix(DESK)
    }

    /// Whether cases of this team go to this desk: the first that names the team, else the first that names none.
    pub fn gets(&self, desk: &str, team: &TeamId) -> bool {
        let named = self.desks.iter().find(|one| one.teams.iter().any(|own| own == team.as_str()));
        let found = named.or_else(|| self.desks.iter().find(|one| one.teams.is_empty()));
        found.is_some_and(|one| one.name == desk)
    }

    /// Gives a desk a case; given again it is the same one there.
    pub async fn open(
        &self,
        desk: &str,
        telling: Telling<'_>,
        opening: Opening<'_>,
    ) -> Result<Opened, Untaken> {
        self.in_time(self.desk(desk)?.open(telling, opening)).await
    }

    /// Gives a desk what the customer wrote since.
    pub async fn say(&self, telling: Telling<'_>, at: &DeskCase, message: &Message) -> Result<(), Untaken> {
        self.in_time(self.desk(&at.desk)?.say(telling, at, message)).await
    }

    /// Tells a desk that its case is over here.
    pub async fn close(&self, telling: Telling<'_>, at: &DeskCase) -> Result<(), Untaken> {
        self.in_time(self.desk(&at.desk)?.close(telling, at)).await
    }

    async fn in_time<T>(&self, attempt: impl Future<Output = Result<T, Untaken>>) -> Result<T, Untaken> {
        let why = || format!("not done within {} ms", self.attempt.as_millis());
        let done = tokio::time::timeout(self.attempt, attempt).await;
        done.unwrap_or_else(|_| Err(Untaken::Later { why: why(), after_ms: None }))
    }

    /// Reads what came for a desk; none where there is no such desk.
    pub fn read(
        &self,
        desk: &str,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Option<Result<Vec<News>, NewsError>> {
        self.desk(desk).ok().map(|desk| desk.read(headers, body, now))
    }

    /// The desk that a mail comes from, and what it tells; none where a customer wrote it.
    pub fn read_mail(&self, mail: &InboundMessage) -> Option<(&str, Vec<News>)> {
        let desk = self.desks.iter().find(|desk| desk.writes_from(&mail.sender.address))?;
        Some((desk.name.as_str(), email::read(mail))).filter(|(_, news)| !news.is_empty())
    }

    fn desk(&self, name: &str) -> Result<&OtherDesk, Untaken> {
        let found = self.desks.iter().find(|desk| desk.name == name);
        found.ok_or_else(|| Untaken::Never("there is no desk of this name any more".to_owned()))
    }

    /// Whether this subscriber is told what was said, too; none when there is no such subscriber.
    pub fn includes_text(&self, target: &str) -> Option<bool> {
        self.subscriber(target).map(|one| one.include_text)
    }

    /// Tells a subscriber something; it has it when this returns `Ok`.
    pub async fn tell(&self, target: &str, notice: Notice<'_>) -> Result<(), Untaken> {
        let Some(subscriber) = self.subscriber(target) else {
            return Err(Untaken::Never("nobody of this name subscribes any more".to_owned()));
        };
        let body = json!({"type": notice.kind, "timestamp": notice.at, "data": notice.data}).to_string();
        let headers = signed(&subscriber.keys, notice.id, notice.now, body.as_bytes());
        let request = self.wire.client.post(&subscriber.url).header("content-type", "application/json");
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let answer = self.wire.call(request.body(body)).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(()),
            // The specification: who answers so wants nothing more.
            410 => Err(Untaken::Never("410: it wants nothing more".to_owned())),
            status => Err(Untaken::Later { why: format!("status {status}"), after_ms: answer.after_ms }),
        }
    }

    fn subscriber(&self, target: &str) -> Option<&Subscriber> {
        self.subscribers.iter().find(|one| one.target == target)
    }
}

impl Subscriber {
    fn new(settings: &WebhookSettings, problems: &mut Vec<String>) -> Option<Self> {
        let label = format!("[[webhooks]] `{}`", settings.name);
        let keys = keys(&label, &settings.secret, &settings.previous_secret);
        let keys = keys.map_err(|found| problems.extend(found)).ok()?;
        let target = target_of(&settings.name);
        Some(Self { target, url: settings.url.clone(), keys, include_text: settings.include_text })
    }
}

/// The keys that sign, the present one first.
fn keys(label: &str, secret: &SecretString, previous: &SecretString) -> Result<Vec<Vec<u8>>, Vec<String>> {
    let mut keys = Vec::new();
    for (name, secret) in [("secret", secret), ("previous_secret", previous)] {
        let secret = secret.expose_secret();
        if secret.is_empty() && name != "secret" {
            continue;
        }
        let key = standard_webhooks::key(secret);
        keys.push(key.ok_or_else(|| vec![format!("{label}: {name} is no secret like whsec_<base64>")])?);
    }
    Ok(keys)
}

/// The three headers of a webhook, signed with each of the keys.
fn signed(keys: &[Vec<u8>], id: &str, now: Timestamp, body: &[u8]) -> Vec<(&'static str, String)> {
    let mut headers: Vec<(&'static str, String)> = Vec::new();
    for key in keys {
        for (at, (name, value)) in standard_webhooks::headers(key, id, now, body).into_iter().enumerate() {
            match headers.get_mut(at) {
                None => headers.push((name, value)),
                // Several signatures stand beside each other with a space between them.
                Some((_, signatures)) if *signatures != value => {
                    signatures.push(' ');
                    signatures.push_str(&value);
                }
                Some(_) => {}
            }
        }
    }
    headers
}

fn target_of(webhook: &str) -> String {
    format!("{WEBHOOK}{webhook}")
}

/// Everybody who is told what happens, for the record.
pub fn listeners(config: &Config) -> Vec<Listener> {
    let mut listeners = Vec::new();
    let crm: Vec<_> = config.crm.told().iter().map(|event| event.topic()).collect();
    if !crm.is_empty() {
        listeners.push(Listener { target: CRM.to_owned(), wants: Wants::Topics(crm) });
    }
    listeners.extend(config.handoff.sinks.iter().map(|sink| Listener {
        target: format!("{DESK}{}", sink.name),
        wants: Wants::CasesOf(sink.teams.clone()),
    }));
    listeners.extend(config.webhooks.iter().map(|webhook| Listener {
        target: target_of(&webhook.name),
        wants: Wants::Topics(webhook.events.clone()),
    }));
    listeners
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_give_two_signatures_and_one_id() {
        let (old, new) = (b"old".to_vec(), b"new".to_vec());
        let headers = signed(&[new.clone(), old.clone()], "m-1", Timestamp(5000), b"{}");
        let alone = |key: &[u8]| standard_webhooks::headers(key, "m-1", Timestamp(5000), b"{}")[2].1.clone();
        assert_eq!(headers[0].1, "m-1");
        assert_eq!(headers[1].1, "5");
        assert_eq!(headers[2].1, format!("{} {}", alone(&new), alone(&old)));
    }
}
