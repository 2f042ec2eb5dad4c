//! The operator's CRM over HTTP: who somebody is, and what became of their cases. It is never waited for in vain: what
//! is absent, slow or broken leaves a turn with what is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::address::Origin;
use super::spec::{for_address, values};
use super::{arguments, http};
use crate::config::{Config, CrmSettings, Environment, Method};
use crate::domain::crm::{CrmRecord, Field, plain};
use crate::domain::time::Timestamp;
use crate::templates::Templates;

/// Most tags that are taken.
const TAGS_MAX: usize = 50;
/// The one field of an answer that is not a field of a record.
const EXTERNAL_ID: &str = "external_id";

/// Why nothing was asked: it failed a moment ago.
pub const PAUSED: &str = "paused";

/// What a customer is looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    /// The operator's own id.
    ExternalId(&'a str),
    /// A proven mail address.
    Email(&'a str),
    /// A proven phone number.
    Phone(&'a str),
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The CRM knows them.
    Found(Box<Found>),
    /// It does not.
    Absent,
    /// Nothing can be said.
    Failed(&'static str),
}

/// What the CRM knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Its id of them, where it names exactly one.
    pub external_id: Option<String>,
    /// What it says of them.
    pub said: CrmRecord,
}

/// Why the CRM did not take what it was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// Another attempt may help.
    #[error("{0}")]
    Later(String),
    /// It will never take it.
    #[error("{0}")]
    Never(String),
}

/// The CRM of this service.
pub struct Crm {
    settings: CrmSettings,
    places: BTreeMap<&'static str, Origin>,
    env: BTreeMap<String, String>,
    templates: Arc<Templates>,
    client: reqwest::Client,
    answer_bytes_max: usize,
    answer_depth_max: usize,
    /// Nobody is asked before this moment.
    asked_again_at: AtomicI64,
}

impl Crm {
    /// Checks `[crm]`; none where it is switched off. Tells every problem at once.
    pub fn new(config: &Config, templates: &Arc<Templates>) -> Result<Option<Self>, Vec<String>> {
        let settings = &config.crm;
        if !settings.enabled {
            return Ok(None);
        }
        let mut problems = Vec::new();
        let env = environment(settings, &config.environment, templates, &mut problems);
        let mut places = BTreeMap::new();
        for (key, source) in addresses(settings) {
            match origin(source, &env, templates) {
                Ok(origin) => drop(places.insert(key, origin)),
                Err(problem) => problems.push(format!("`{key}`: {problem}")),
            }
        }
        check_fields(settings, templates, &mut problems);
        check_body(settings, &env, templates, &mut problems);
        let hosts: BTreeSet<String> = places.values().map(|origin| origin.host.clone()).collect();
        let client = http::client(hosts, config.limits.tool_connect_timeout_ms)
            .map_err(|error| problems.push(format!("the HTTP client cannot be built: {error}")));
        let (Ok(client), true) = (client, problems.is_empty()) else {
            return Err(problems.into_iter().map(|problem| format!("[crm] {problem}")).collect());
        };
        Ok(Some(Self {
            settings: settings.clone(),
            places,
            env,
            templates: templates.clone(),
            client,
            answer_bytes_max: config.limits.tool_response_bytes_max,
            answer_depth_max: config.server.json_depth_max,
            asked_again_at: AtomicI64::new(i64::MIN),
        }))
    }

    /// Whether there is a question of this kind.
    pub fn answers(&self, by: By<'_>) -> bool {
        self.places.contains_key(by.key())
    }

    /// Asks who somebody is. After a failure nothing is asked for a while, so that nobody waits again and again.
    pub async fn ask(&self, by: By<'_>, now: Timestamp) -> Answer {
        let Some(origin) = self.places.get(by.key()) else { return Answer::Absent };
        if now.0 < self.asked_again_at.load(Ordering::Relaxed) {
            return Answer::Failed(PAUSED);
        }
        let answer = self.asked(by, origin).await.unwrap_or_else(Answer::Failed);
        if matches!(answer, Answer::Failed(_)) {
            self.asked_again_at.store(now.plus_ms(self.settings.pause_ms).0, Ordering::Relaxed);
        }
        answer
    }

    async fn asked(&self, by: By<'_>, origin: &Origin) -> Result<Answer, &'static str> {
        let (source, context) = (by.source(&self.settings), by.context(&self.env));
        // Nobody has an id that cannot stand in an address.
        let Ok(url) = self.address(source, origin, &context) else { return Ok(Answer::Absent) };
        let headers = self.headers(&self.settings.headers, &context).map_err(|_| "header")?;
        let limit = Duration::from_millis(self.settings.timeout_ms);
        let request = self.client.get(url).headers(headers).timeout(limit);
        let (status, bytes) = self.exchange(request).await?;
        match status {
            404 | 410 => return Ok(Answer::Absent),
            200..=299 => {}
            401 | 403 => return Err("not_allowed"),
            _ => return Err("http_error"),
        }
        let body: Value = serde_json::from_slice(&bytes).map_err(|_| "no_json")?;
        if arguments::depth(&body) > self.answer_depth_max {
            return Err("too_deep");
        }
        Ok(Answer::Found(Box::new(self.read(status, &body))))
    }

    /// Sends a request and reads its bounded answer.
    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), &'static str> {
        let failed = |error: reqwest::Error| if error.is_timeout() { "timeout" } else { "no_answer" };
        let mut response = request.send().await.map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > self.answer_bytes_max {
                return Err("too_large");
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((response.status().as_u16(), bytes))
    }

    /// What an answer says. A field that is not there, or that no record can hold, was not said.
    fn read(&self, status: u16, body: &Value) -> Found {
        let context = json!({"response": {"status": status, "body": body}});
        let value = |name: &str| {
            let expression = self.settings.fields.get(name)?;
            self.templates.evaluate(expression, &context).ok()
        };
        let one = |name: &str| value(name).and_then(|value| self.text(&value));
        let external_id = value(EXTERNAL_ID).and_then(|value| match &value {
            // A search may find several; only one that is alone is who somebody is.
            Value::Array(found) if found.len() == 1 => self.text(found.first()?),
            value => self.text(value),
        });
        let tags = value(Field::Tags.as_str()).and_then(|value| {
            let tags = value.as_array()?.iter().filter_map(|tag| self.text(tag)).take(TAGS_MAX);
            Some(tags.collect())
        });
        let said = CrmRecord {
            name: one(Field::Name.as_str()),
            email: one(Field::Email.as_str()),
            phone: one(Field::Phone.as_str()),
            language: one(Field::Language.as_str()).filter(|code| code.len() == 2),
            tier: one(Field::Tier.as_str()),
            owner: one(Field::Owner.as_str()),
            tags,
        };
        Found { external_id, said }
    }

    fn text(&self, value: &Value) -> Option<String> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        (!text.is_empty() && plain(&text, self.settings.value_chars_max).is_ok()).then_some(text)
    }

    /// Tells the CRM what became of a case; `key` is the same each time the same thing is told.
    pub async fn tell(&self, key: &str, told: Value) -> Result<(), Untold> {
        let settings = &self.settings.write_back;
        let never = |error: String| Untold::Never(error);
        let Some(origin) = self.places.get(WRITE_BACK) else {
            return Err(Untold::Never("[crm.write_back] url is empty".to_owned()));
        };
        let mut context = told;
        context["env"] = json!(self.env);
        let url = self.address(&settings.url, origin, &context).map_err(never)?;
        let mut headers = self.headers(&settings.headers, &context).map_err(never)?;
        let key = HeaderValue::from_str(key).map_err(|_| Untold::Never("the key is no header".to_owned()))?;
        headers.insert("idempotency-key", key);
        let body =
            self.templates.render_json(&settings.body, &context).map_err(|error| never(error.to_string()))?;
        let body: Value = serde_json::from_str(&body).map_err(|error| never(error.to_string()))?;
        let request = self.client.request(method(settings.method), url).headers(headers);
        let request = request.timeout(Duration::from_millis(settings.timeout_ms)).json(&body);
        match self.exchange(request).await {
            // 409: what it has already it has.
            Ok((200..=299 | 409, _)) => Ok(()),
            Ok((status @ (400 | 404 | 405 | 410 | 413 | 415 | 422), _)) => {
                Err(Untold::Never(format!("it answered {status}")))
            }
            Ok((status, _)) => Err(Untold::Later(format!("it answered {status}"))),
            // It may have taken it; told again under the same key it knows that.
            Err(why) => Err(Untold::Later(why.to_owned())),
        }
    }

    fn address(&self, source: &str, origin: &Origin, context: &Value) -> Result<Url, String> {
        let rendered =
            self.templates.render(source, for_address(context)).map_err(|error| error.to_string())?;
        origin.checked(&rendered)
    }

    fn headers(&self, sources: &BTreeMap<String, String>, context: &Value) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, source) in sources {
            let value = self.templates.render(source, context).map_err(|error| error.to_string())?;
            let mut value = HeaderValue::from_str(&value).map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            headers
                .insert(HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?, value);
        }
        Ok(headers)
    }
}

/// Where the address of what is told stands among the others.
const WRITE_BACK: &str = "write_back.url";

impl By<'_> {
    fn key(self) -> &'static str {
        match self {
            Self::ExternalId(_) => "by_external_id",
            Self::Email(_) => "by_email",
            Self::Phone(_) => "by_phone",
        }
    }

    fn source(self, settings: &CrmSettings) -> &str {
        match self {
            Self::ExternalId(_) => &settings.by_external_id,
            Self::Email(_) => &settings.by_email,
            Self::Phone(_) => &settings.by_phone,
        }
    }

    fn context(self, env: &BTreeMap<String, String>) -> Value {
        match self {
            Self::ExternalId(value) => json!({"external_id": value, "env": env}),
            Self::Email(value) => json!({"email": value, "env": env}),
            Self::Phone(value) => json!({"phone": value, "env": env}),
        }
    }
}

/// The addresses that are set, by their names.
fn addresses(settings: &CrmSettings) -> Vec<(&'static str, &str)> {
    let questions = [By::ExternalId(""), By::Email(""), By::Phone("")];
    let all = questions.into_iter().map(|by| (by.key(), by.source(settings)));
    all.chain([(WRITE_BACK, settings.write_back.url.as_str())]).filter(|(_, url)| !url.is_empty()).collect()
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// The values of the environment that any template here names.
fn environment(
    settings: &CrmSettings,
    environment: &Environment,
    templates: &Templates,
    problems: &mut Vec<String>,
) -> BTreeMap<String, String> {
    let write_back = &settings.write_back;
    let headers = settings.headers.values().chain(write_back.headers.values()).map(String::as_str);
    let sources =
        addresses(settings).into_iter().map(|(_, url)| url).chain(headers).chain([write_back.body.as_str()]);
    let mut names = BTreeSet::new();
    for source in sources {
        match templates.references(source) {
            Ok(found) => names.extend(found),
            Err(error) => problems.push(format!("`{source}`: {error}")),
        }
    }
    values(&names, environment, problems)
}

/// The place where an address lives, whatever is filled in.
fn origin(source: &str, env: &BTreeMap<String, String>, templates: &Templates) -> Result<Origin, String> {
    let mut origins = Vec::new();
    for text in ["x", "yy"] {
        let rendered = templates.render(source, sample(text, env)).map_err(|error| error.to_string())?;
        origins.push(Origin::of(&rendered)?);
    }
    let first = origins.swap_remove(0);
    if origins.iter().any(|other| !first.same_place(other)) {
        return Err("its host must not come from the customer".to_owned());
    }
    first.reachable()?;
    Ok(first)
}

/// Everything that a template here may name.
fn sample(text: &str, env: &BTreeMap<String, String>) -> Value {
    json!({
        "external_id": text, "email": text, "phone": text,
        "event": {"id": text, "name": text, "at": text},
        "case": {"id": text, "channel": text, "intent": text, "issue": text, "language": text, "urgency": text,
            "state": text, "team": text, "resolution": text, "opened_at": text, "resolved_at": text},
        "customer": {"id": text, "external_id": text, "name": text, "email": text, "phone": text},
        "handoff": {"reason": text, "team": text, "urgency": text, "issue": text, "wants": text, "next_step": text},
        "env": env,
    })
}

fn check_fields(settings: &CrmSettings, templates: &Templates, problems: &mut Vec<String>) {
    for (name, source) in &settings.fields {
        if name != EXTERNAL_ID && !Field::ALL.iter().any(|field| field.as_str() == name) {
            problems.push(format!("`fields.{name}` is no field of a customer"));
        }
        match templates.references_of_expression(source) {
            Ok(names) if names.iter().all(|name| name.split('.').next() == Some("response")) => {}
            Ok(_) => problems.push(format!("`fields.{name}` may only use `response`")),
            Err(error) => problems.push(format!("`fields.{name}`: {error}")),
        }
    }
}

fn check_body(
    settings: &CrmSettings,
    env: &BTreeMap<String, String>,
    templates: &Templates,
    problems: &mut Vec<String>,
) {
    let sample = sample("x", env);
    let headers = settings.headers.iter().chain(&settings.write_back.headers);
    for (name, source) in headers {
        if let Err(error) = templates.render(source, &sample) {
            problems.push(format!("header `{name}`: {error}"));
        }
    }
    if matches!(settings.write_back.method, Method::Get) {
        problems.push("`write_back.method` cannot be GET".to_owned());
    }
    match templates.render_json(&settings.write_back.body, &sample) {
        Ok(text) => {
            if let Err(error) = serde_json::from_str::<Value>(&text) {
                problems.push(format!("`write_back.body` is not JSON once rendered: {error}"));
            }
        }
        Err(error) => problems.push(format!("`write_back.body`: {error}")),
    }
}
