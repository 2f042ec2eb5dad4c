//! What the assistant may call: declared tools, who may call them, the write ledger's keys, and dispatch.
//!
//! Authority is code: [`authority::permit`] decides, and [`dispatch()`] looks again before anything leaves.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::config::{Config, OAuth2, ToolSettings};
use crate::domain::case::Case;
use crate::domain::customer::Customer;
use crate::domain::time::Clock;
use crate::templates::Templates;

mod address;
pub mod arguments;
pub mod authority;
pub mod crm;
mod dispatch;
pub mod http;
pub mod import;
pub mod ledger;
pub mod mcp;
mod oauth2;
mod spec;

pub use dispatch::{CallResult, dispatch};
pub use spec::ToolSpec;

use oauth2::TokenSource;
use spec::Reach;

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

/// Every tool, checked: those that are declared, with the one client they share, and those of MCP servers, which come
/// and change while it is in use.
pub struct Toolbox {
    contents: RwLock<Arc<Contents>>,
    servers: Vec<Arc<mcp::Server>>,
    bounds: Bounds,
    templates: Arc<Templates>,
    client: reqwest::Client,
    crm: Option<crm::Crm>,
}

/// The tools of one moment.
#[derive(Default)]
pub struct Contents {
    version: u64,
    tools: BTreeMap<String, Arc<ToolSpec>>,
}

impl Contents {
    /// Another number whenever a tool has come, gone or changed.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Every tool, by name.
    pub fn tools(&self) -> impl Iterator<Item = &Arc<ToolSpec>> {
        self.tools.values()
    }
}

impl Toolbox {
    /// Checks every declared tool and server and builds the client; tells every problem at once. No server runs yet.
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
        let hosts = tools.values().flat_map(hosts).collect();
        let client = http::client(hosts, limits.tool_connect_timeout_ms)
            .map_err(|error| problems.push(format!("the HTTP client cannot be built: {error}")));
        let servers = mcp::servers(config, &templates, &mut problems);
        let crm = crm::Crm::new(config, &templates).unwrap_or_else(|found| {
            problems.extend(found);
            None
        });
        let Ok(client) = client else { return Err(problems) };
        let tools = tools.into_iter().map(|(name, tool)| (name, Arc::new(tool))).collect();
        let contents = RwLock::new(Arc::new(Contents { version: 0, tools }));
        let toolbox = Self { contents, servers, bounds, templates, client, crm };
        for server in &toolbox.servers {
            match server.unlisted() {
                Ok(tools) => problems.extend(toolbox.shelve(server, tools)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(toolbox) } else { Err(problems) }
    }

    /// The tools of this moment.
    pub fn contents(&self) -> Arc<Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The tool of exactly this name.
    pub fn tool(&self, name: &str) -> Option<Arc<ToolSpec>> {
        self.contents().tools.get(name).cloned()
    }

    /// Puts the tools of a server in place of those it had before. Tells which are left out because somebody else's
    /// tool has the name.
    fn shelve(&self, server: &mcp::Server, tools: Vec<ToolSpec>) -> Vec<String> {
        let mut left_out = Vec::new();
        let mut contents = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        let others = contents.tools.iter().filter(|(_, tool)| !server.has(tool));
        let mut all: BTreeMap<_, _> = others.map(|(name, tool)| (name.clone(), tool.clone())).collect();
        for tool in tools {
            if all.contains_key(&tool.name) {
                left_out.push(format!("`{}`: another tool has this name", tool.name));
            } else {
                all.insert(tool.name.clone(), Arc::new(tool));
            }
        }
        *contents = Arc::new(Contents { version: contents.version + 1, tools: all });
        left_out
    }

    /// The titles that the schemas of declared tools give to tools and to parameters, by name. Customers read them, so
    /// a server has no say in them.
    pub fn titles(&self) -> BTreeMap<String, String> {
        let mut titles = BTreeMap::new();
        let contents = self.contents();
        for tool in contents.tools().filter(|tool| matches!(tool.reach, Reach::Http(_))) {
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
        let contents = self.contents();
        let mut all = contents.tools().filter_map(|tool| tool.currency.as_ref());
        let first = all.next()?;
        all.all(|other| other == first).then(|| first.clone())
    }

    /// The operator's CRM, where there is one.
    pub fn crm(&self) -> Option<&crm::Crm> {
        self.crm.as_ref()
    }

    /// What bounds every call.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }
}

/// Where a declared tool is reached.
fn hosts(tool: &ToolSpec) -> Vec<String> {
    let Reach::Http(http) = &tool.reach else { return Vec::new() };
    let token = http.tokens.as_deref().map(TokenSource::host);
    [Some(http.origin.host.as_str()), token].into_iter().flatten().map(str::to_owned).collect()
}

/// Tools with the same credentials share one token.
fn share_tokens(tools: &mut BTreeMap<String, ToolSpec>, settings: &[ToolSettings]) {
    let mut known: HashMap<OAuth2, Arc<TokenSource>> = HashMap::new();
    for settings in settings {
        let (Some(tool), Some(oauth2)) = (tools.get_mut(&settings.name), &settings.http.oauth2) else {
            continue;
        };
        let Reach::Http(http) = &mut tool.reach else { continue };
        if let Some(own) = http.tokens.take() {
            http.tokens = Some(known.entry(oauth2.clone()).or_insert(own).clone());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
