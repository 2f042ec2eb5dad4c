//! Other desks that cases of some teams are handed to: `[handoff]` and its `[[handoff.sinks]]`.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Config;
use super::webhooks::{self, given, name_problem, url_problem};

/// `[handoff]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandoffSettings {
    /// What a desk has not taken for this long is our own queue's again.
    pub give_back_ms: i64,
    /// The pauses between attempts until then; the last one repeats.
    pub retry_seconds: Vec<i64>,
    /// Longest text that a desk is given, in characters.
    pub text_chars_max: usize,
    /// The desks.
    #[serde(default)]
    pub sinks: Vec<SinkSettings>,
}

/// What kind of desk it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkKind {
    /// The operator's own, told and heard by signed webhooks.
    Webhook,
    /// Chatwoot, by an inbox of the kind API.
    Chatwoot,
    /// Zendesk Support.
    Zendesk,
    /// A mailbox where people answer.
    Email,
}

/// One of `[[handoff.sinks]]`; which fields it needs its kind says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkSettings {
    /// Its name in the record, and in `POST /desks/{name}` where it answers.
    pub name: String,
    /// What it is.
    pub kind: SinkKind,
    /// Whose cases it gets; every team's that no other desk names where it is empty.
    #[serde(default)]
    pub teams: Vec<String>,
    /// Where it is: of a webhook the whole address, else that of the installation.
    #[serde(default)]
    pub url: String,
    /// Signs what we tell a webhook and what it answers, `whsec_…`.
    #[serde(default)]
    pub secret: SecretString,
    /// The one before, while the other side changes over.
    #[serde(default)]
    pub previous_secret: SecretString,
    /// Chatwoot: the number of the account.
    #[serde(default)]
    pub account_id: i64,
    /// Chatwoot: the number of the inbox.
    #[serde(default)]
    pub inbox_id: i64,
    /// Zendesk: the address of the agent whose token it is.
    #[serde(default)]
    pub user: String,
    /// Chatwoot and Zendesk: opens their interface.
    #[serde(default)]
    pub api_token: SecretString,
    /// Chatwoot and Zendesk: signs what they tell us.
    #[serde(default)]
    pub webhook_secret: SecretString,
    /// Email: where the desk reads its mail.
    #[serde(default)]
    pub address: String,
}

/// Gives names to subscribers that have none, and takes the secrets of subscribers and desks from the environment where
/// they are there.
pub(super) fn complete(config: &mut Config) {
    let environment = &config.environment;
    webhooks::complete(&mut config.webhooks, environment);
    for sink in &mut config.handoff.sinks {
        let section = format!("handoff__sinks__{}", sink.name);
        for (key, secret) in [
            ("secret", &mut sink.secret),
            ("previous_secret", &mut sink.previous_secret),
            ("api_token", &mut sink.api_token),
            ("webhook_secret", &mut sink.webhook_secret),
        ] {
            given(environment, &section, key, secret);
        }
    }
}

/// What is wrong with the subscribers and the desks.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let mut wrong = webhooks::problems(&config.webhooks, &config.webhook_delivery);
    let teams: Vec<&str> = config.teams.iter().map(|team| team.id.as_str()).collect();
    wrong.extend(config.handoff.problems(&teams, config.channels.email.enabled));
    wrong
}

impl HandoffSettings {
    /// The pause after this many attempts, in milliseconds.
    pub fn pause_ms(&self, attempts: i64) -> i64 {
        let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or_default();
        let pause = self.retry_seconds.get(place).or_else(|| self.retry_seconds.last());
        pause.map_or(0, |seconds| seconds.saturating_mul(1000))
    }

    /// What is wrong; `teams` are those that there are, `email` whether that channel is on.
    fn problems(&self, teams: &[&str], email: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.retry_seconds.is_empty() || self.retry_seconds.iter().any(|seconds| *seconds < 0) {
            wrong.push("[handoff] retry_seconds needs at least one pause, none of them negative".to_owned());
        }
        for sink in &self.sinks {
            let label = format!("[[handoff.sinks]] `{}`", sink.name);
            wrong.extend(name_problem(&label, &sink.name));
            for team in sink.teams.iter().filter(|team| !teams.contains(&team.as_str())) {
                wrong.push(format!("{label}: teams names `{team}`, which is no [[teams]] id"));
            }
            wrong.extend(sink.missing().map(|key| {
                let name = super::setting_name(&format!("handoff__sinks__{}", sink.name), key);
                let name = name.replace('-', "_");
                let secret = ["secret", "api_token", "webhook_secret"].contains(&key);
                let or = if secret { format!(" or {name}") } else { String::new() };
                format!("{label}: {key} is missing; set it{or}")
            }));
            if sink.kind != SinkKind::Email && !sink.url.is_empty() {
                wrong.extend(url_problem(&label, &sink.url));
            }
            if sink.kind == SinkKind::Email && !email {
                wrong.push(format!("{label}: needs [email] enabled, by which it is written to and answers"));
            }
        }
        wrong
    }
}

impl SinkSettings {
    /// What its kind needs and it does not have.
    fn missing(&self) -> impl Iterator<Item = &'static str> {
        let given = |text: &str| !text.is_empty();
        let hidden = |secret: &SecretString| given(secret.expose_secret());
        let url = ("url", given(&self.url));
        let (token, signed) =
            (("api_token", hidden(&self.api_token)), ("webhook_secret", hidden(&self.webhook_secret)));
        let needs = match self.kind {
            SinkKind::Webhook => vec![url, ("secret", hidden(&self.secret))],
            SinkKind::Chatwoot => {
                vec![url, ("account_id", self.account_id > 0), ("inbox_id", self.inbox_id > 0), token, signed]
            }
            SinkKind::Zendesk => vec![url, ("user", given(&self.user)), token, signed],
            SinkKind::Email => vec![("address", self.address.contains('@'))],
        };
        needs.into_iter().filter(|(_, there)| !there).map(|(key, _)| key)
    }
}
