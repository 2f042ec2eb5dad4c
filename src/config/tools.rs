//! Tools as they are declared in `firstline.toml` (INTERFACES, "HTTP tool").

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::assurance::Assurance;
use crate::domain::receipt::Effect;

/// One declared tool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolSettings {
    /// Its exact name.
    pub name: String,
    /// What it does, written for a model.
    pub description: String,
    /// Read or write.
    pub effect: Effect,
    /// What must be proven; by default `channel` for reads and `verified` for writes.
    #[serde(default)]
    pub assurance: Option<Assurance>,
    /// Writes: details, then a fresh yes. Switched off only by saying so.
    #[serde(default = "yes")]
    pub confirm: bool,
    /// JSON Schema of the arguments object.
    #[serde(default = "no_parameters")]
    pub parameters: serde_json::Value,
    /// Writes that move money: an expression over `arguments` that gives minor units.
    #[serde(default)]
    pub amount: Option<String>,
    /// ISO 4217 code of `amount`, for words about limits.
    #[serde(default)]
    pub currency: Option<String>,
    /// What its calls may move.
    #[serde(default)]
    pub limits: ToolLimits,
    /// How it is reached.
    pub http: HttpTool,
}

impl ToolSettings {
    /// What must be proven before a call.
    pub fn required_assurance(&self) -> Assurance {
        self.assurance.unwrap_or_else(|| usual_assurance(self.effect))
    }
}

/// What must be proven before a call where nobody says it.
pub(super) fn usual_assurance(effect: Effect) -> Assurance {
    match effect {
        Effect::Read => Assurance::Channel,
        Effect::Write => Assurance::Verified,
    }
}

fn yes() -> bool {
    true
}

fn no_parameters() -> serde_json::Value {
    serde_json::json!({"type": "object", "properties": {}})
}

/// Bounds on what the calls of one tool may move.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolLimits {
    /// Largest single amount, minor units.
    #[serde(default)]
    pub max_amount_minor: Option<i64>,
    /// Largest sum per customer and day, minor units.
    #[serde(default)]
    pub per_day_amount_minor: Option<i64>,
    /// Most calls per customer and day.
    #[serde(default)]
    pub per_day_calls: Option<i64>,
    /// Most calls that the other side refused, per customer and hour: for what could be guessed by trying.
    #[serde(default)]
    pub failures_per_hour: Option<i64>,
    /// Arguments by whose value the refused calls are counted too, whoever makes them: whoever begins anew as somebody
    /// else for each try gets no more of them.
    #[serde(default)]
    pub failures_per: Vec<String>,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

/// How a tool is reached over HTTP; every string is a template.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTool {
    /// The method.
    pub method: Method,
    /// The address; its host is literal or from `env`, never from a template over arguments.
    pub url: String,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Credentials that are exchanged for a token, which goes into `Authorization`.
    #[serde(default)]
    pub oauth2: Option<OAuth2>,
    /// The body, JSON as text.
    #[serde(default)]
    pub body: Option<String>,
    /// Longest it may take.
    #[serde(default = "three_seconds")]
    pub timeout_ms: u64,
    /// An expression over `response.status` and `response.body` that chooses what the assistant sees.
    #[serde(default)]
    pub result: Option<String>,
    /// Reads: how often a failed call is tried again.
    #[serde(default = "two")]
    pub retries: u32,
    /// Reads: pause before the second try; doubles each time, with jitter.
    #[serde(default = "hundred")]
    pub retry_ms: u64,
}

/// The client-credentials grant of OAuth 2.0; every string is a template over `env` alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// Where tokens are had.
    pub token_url: String,
    /// Who we are.
    pub client_id: String,
    /// Our secret, from `env`.
    pub client_secret: String,
    /// What the token is for.
    #[serde(default)]
    pub scope: Option<String>,
}

fn three_seconds() -> u64 {
    3000
}

fn two() -> u32 {
    2
}

fn hundred() -> u64 {
    100
}
