//! What the assistant may call: declared tools, who may call them, the write ledger's keys, and dispatch.
//!
//! Authority is code: [`authority::permit`] decides, and [`dispatch()`] looks again before anything leaves.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use crate::config::{Config, OAuth2, ToolSettings};
use crate::domain::case::Case;
use crate::domain::customer::Customer;
use crate::domain::time::Clock;
use crate::templates::Templates;

mod address;
pub mod arguments;
pub mod authority;
mod dispatch;
pub mod http;
pub mod import;
pub mod ledger;
mod oauth2;
mod spec;

pub use dispatch::{CallResult, dispatch};
pub use spec::ToolSpec;

use oauth2::TokenSource;

/// Why a call was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// Whoever proposed the call can correct it.
    #[error("{0}")]
    TellModel(String),
    /// Nobody in this turn can correct it.
    #[error("{0}")]
    Stop(String),
}

/// For whom a tool is called, and the clock it is timed by.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The case.
    pub case: &'a Case,
    /// Its customer.
    pub customer: &'a Customer,
    /// Time and chance.
    pub clock: &'a dyn Clock,
    /// The name a model gave to this call.
    pub call: Option<&'a str>,
}

/// Bounds that hold for every tool, from `[limits]` and `[server]`.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Largest arguments, as JSON.
    pub argument_bytes_max: usize,
    /// Deepest arguments.
    pub argument_depth_max: usize,
    /// Largest answer.
    pub response_bytes_max: usize,
    /// Deepest answer.
    pub response_depth_max: usize,
    /// Longest a call may take, whatever the tool declares.
    pub timeout_ms_max: u64,
}

/// Every declared tool, checked, and the one client they share.
pub struct Toolbox {
    tools: BTreeMap<String, ToolSpec>,
    bounds: Bounds,
    templates: Arc<Templates>,
    client: reqwest::Client,
}

impl Toolbox {
    /// Checks every declared tool and builds the client; tells every problem at once.
    pub fn new(config: &Config, templates: Arc<Templates>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut tools = BTreeMap::new();
        for settings in &config.tools {
            match ToolSpec::new(settings, &config.environment, &templates) {
                // `config` has checked that names are unique.
                Ok(tool) => drop(tools.insert(tool.name.clone(), tool)),
                Err(found) => {
                    problems.extend(found.into_iter().map(|p| format!("tool `{}`: {p}", settings.name)));
                }
            }
        }
        let limits = &config.limits;
        let bounds = Bounds {
            argument_bytes_max: limits.tool_argument_bytes_max,
            argument_depth_max: limits.tool_argument_depth_max,
            response_bytes_max: limits.tool_response_bytes_max,
            response_depth_max: config.server.json_depth_max,
            timeout_ms_max: limits.tool_timeout_ms_max,
        };
        share_tokens(&mut tools, &config.tools);
        let hosts = tools
            .values()
            .flat_map(|tool: &ToolSpec| [Some(tool.host()), tool.tokens.as_deref().map(TokenSource::host)])
            .flatten()
            .map(str::to_owned)
            .collect();
        let client = http::client(hosts, limits.tool_connect_timeout_ms)
            .map_err(|error| problems.push(format!("the HTTP client cannot be built: {error}")));
        match client {
            Ok(client) if problems.is_empty() => Ok(Self { tools, bounds, templates, client }),
            _ => Err(problems),
        }
    }

    /// The tool of exactly this name.
    pub fn tool(&self, name: &str) -> Option<&ToolSpec> {
        self.tools.get(name)
    }

    /// Every tool, by name.
    pub fn tools(&self) -> impl Iterator<Item = &ToolSpec> {
        self.tools.values()
    }

    /// The titles that the schemas give to tools and to parameters, by name.
    pub fn titles(&self) -> BTreeMap<String, String> {
        let mut titles = BTreeMap::new();
        for tool in self.tools.values() {
            let title = |schema: &Value| schema.get("title").and_then(Value::as_str).map(str::to_owned);
            let fields = tool.parameters.get("properties").and_then(Value::as_object).into_iter().flatten();
            let named = fields.map(|(name, schema)| (name, title(schema)));
            for (name, title) in named.chain([(&tool.name, title(&tool.parameters))]) {
                if let Some(title) = title {
                    titles.entry(name.clone()).or_insert(title);
                }
            }
        }
        titles
    }

    /// The currency in which `tool` moves amounts, else the one in which every tool does, if there is one.
    pub fn currency(&self, tool: Option<&str>) -> Option<String> {
        if let Some(own) = tool.and_then(|name| self.tool(name)?.currency.clone()) {
            return Some(own);
        }
        let mut all = self.tools.values().filter_map(|tool| tool.currency.as_ref());
        let first = all.next()?;
        all.all(|other| other == first).then(|| first.clone())
    }

    /// What bounds every call.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }
}

/// Tools with the same credentials share one token.
fn share_tokens(tools: &mut BTreeMap<String, ToolSpec>, settings: &[ToolSettings]) {
    let mut known: HashMap<OAuth2, Arc<TokenSource>> = HashMap::new();
    for settings in settings {
        let (Some(tool), Some(oauth2)) = (tools.get_mut(&settings.name), &settings.http.oauth2) else {
            continue;
        };
        if let Some(own) = tool.tokens.take() {
            tool.tokens = Some(known.entry(oauth2.clone()).or_insert(own).clone());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
