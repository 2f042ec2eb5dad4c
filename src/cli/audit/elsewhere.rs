//! Another system under audit: a file says how to write to it by each of its channels, and how to read its answers.
//!
//! ```toml
//! wait_ms = 20000                 # longest an answer may take
//! [customer]                      # whatever the templates below need
//! email = "jonas@mail.example"
//! [[channels]]
//! name = "email"
//! proves = true                   # whether it proves who writes
//! [channels.send]
//! url = "http://127.0.0.1:9000/inbound"
//! headers = { Authorization = "Bearer {{ env.DESK_KEY }}" }
//! body = '{"from": {{ customer.email | tojson }}, "text": {{ text | tojson }}, "id": {{ id | tojson }}}'
//! [channels.answers]
//! url = "http://127.0.0.1:9000/outbound?to={{ customer.email }}"
//! texts = "response.items | map(attribute='text') | list"   # every answer so far, oldest first
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::future::LocalBoxFuture;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Failure;
use crate::app::SystemClock;
use crate::domain::time::Clock;
use crate::evals::audit::{Desk, Line, Start};
use crate::templates::Templates;

/// Pause between two looks for answers.
const LOOK_MS: u64 = 200;
/// A system is at rest when nothing new has come for so many looks.
const QUIET_LOOKS: usize = 5;

/// A system as its file describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct System {
    wait_ms: u64,
    #[serde(default)]
    customer: Map<String, Value>,
    channels: Vec<Channel>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Channel {
    name: String,
    proves: bool,
    send: Send,
    answers: Answers,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    texts: String,
}

/// Reads the file of another system.
pub(super) fn read(file: &Path) -> Result<System, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Usage(format!("`{shown}` cannot be read: {error}")))?;
    toml::from_str(&text).map_err(|error| Failure::Usage(format!("`{shown}` describes no system: {error}")))
}

impl System {
    /// The names of its channels.
    pub(super) fn channels(&self) -> Vec<String> {
        self.channels.iter().map(|channel| channel.name.clone()).collect()
    }
}

/// Plays every conversation at that system. Nothing can be reset there, so each has a number of its own that the
/// templates may use as `conversation`.
pub(super) fn starter(system: System) -> Result<Start<'static>, Failure> {
    let client = Client::builder().no_proxy().build().map_err(Failure::usage)?;
    let system = Arc::new(system);
    Ok(Box::new(move |first, second| {
        let (system, client) = (system.clone(), client.clone());
        let (first, second) = (first.to_owned(), second.to_owned());
        Box::pin(async move {
            let conversation = SystemClock.new_id().to_string();
            let line = |name: &str| {
                let channel = system.channels.iter().find(|channel| channel.name == name);
                let channel = channel.with_context(|| format!("there is no channel `{name}`"))?.clone();
                let customer = system.customer.clone();
                let conversation = conversation.clone();
                Ok::<_, anyhow::Error>(Box::new(There {
                    channel,
                    customer,
                    conversation,
                    client: client.clone(),
                }))
            };
            let wait_ms = system.wait_ms;
            Ok(Desk {
                first: line(&first)?,
                second: line(&second)?,
                app: None,
                rest: Box::new(move |desk| Box::pin(settle(desk, wait_ms))),
                end: Box::new(|| Box::pin(std::future::ready(()))),
            })
        })
    }))
}

/// Waits until answers have come and no more do, or the time is over.
async fn settle(desk: &Desk, wait_ms: u64) -> Result<()> {
    let count =
        async || Ok::<_, anyhow::Error>(desk.first.heard().await?.len() + desk.second.heard().await?.len());
    let began = count().await?;
    let (mut known, mut quiet) = (began, 0);
    for _ in 0..wait_ms / LOOK_MS {
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        let now = count().await?;
        quiet = if now == known { quiet + 1 } else { 0 };
        known = now;
        if known > began && quiet >= QUIET_LOOKS {
            break;
        }
    }
    Ok(())
}

/// The customer's end of a channel of that system.
struct There {
    channel: Channel,
    customer: Map<String, Value>,
    conversation: String,
    client: Client,
}

impl There {
    fn context(&self, text: &str) -> Value {
        json!({
            "customer": self.customer, "conversation": self.conversation, "text": text,
            "id": SystemClock.new_id().to_string(),
        })
    }

    fn with_headers(
        mut request: RequestBuilder,
        headers: &BTreeMap<String, String>,
        context: &Value,
    ) -> Result<RequestBuilder> {
        for (name, value) in headers {
            request = request.header(name, Templates::new().render(value, context)?);
        }
        Ok(request)
    }
}

impl Line for There {
    fn channel(&self) -> &str {
        &self.channel.name
    }

    fn proves(&self) -> bool {
        self.channel.proves
    }

    fn say<'a>(&'a self, text: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (templates, context, send) = (Templates::new(), self.context(text), &self.channel.send);
            let request = self.client.post(templates.render(&send.url, &context)?);
            let request = request.header("content-type", "application/json");
            let request = Self::with_headers(request, &send.headers, &context)?;
            let answer = request.body(templates.render(&send.body, &context)?).send().await?;
            if !answer.status().is_success() {
                bail!("`{}` answered {}", self.channel.name, answer.status());
            }
            Ok(())
        })
    }

    fn heard(&self) -> LocalBoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async move {
            let (templates, mut context, answers) =
                (Templates::new(), self.context(""), &self.channel.answers);
            let request = self.client.get(templates.render(&answers.url, &context)?);
            let answer = Self::with_headers(request, &answers.headers, &context)?.send().await?;
            context["response"] =
                serde_json::from_str(&answer.text().await?).context("the answers are no JSON")?;
            let texts = templates.evaluate(&answers.texts, &context)?;
            serde_json::from_value(texts).context("`texts` is no list of texts")
        })
    }
}
