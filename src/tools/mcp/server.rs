//! One configured server: how it is reached, how its tools are classified, and whether it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use tokio::sync::{Notify, watch};

use super::connection::{Link, Process, Way, Web};
use super::listing;
use crate::config::{Config, Environment, Mcp, McpServer, McpTool};
use crate::templates::Templates;
use crate::tools::address::Origin;
use crate::tools::spec::{self, Reach, Terms};
use crate::tools::{ToolSpec, http as client};

/// A server whose tools may be called.
pub struct Server {
    pub(super) name: String,
    pub(super) way: Way,
    /// Longest a call may take.
    pub(super) timeout: Duration,
    pub(super) classified: BTreeMap<String, Classified>,
    pub(super) bounds: Mcp,
    /// The connection while there is one.
    pub(super) link: watch::Sender<Option<Link>>,
    /// Whether a first attempt to list its tools has ended, well or not.
    pub(super) tried: watch::Sender<bool>,
    /// A call met a connection that does not carry any more.
    pub(super) broken: Notify,
}

/// How a tool is classified, checked.
#[derive(Default)]
pub(super) struct Classified {
    pub(super) settings: McpTool,
    /// The names that its templates take.
    pub(super) names: BTreeSet<String>,
    /// The values of the environment among them; secret.
    pub(super) env: BTreeMap<String, String>,
}

/// Every configured server, checked.
pub(in crate::tools) fn servers(
    config: &Config,
    templates: &Templates,
    problems: &mut Vec<String>,
) -> Vec<Arc<Server>> {
    let mut servers = Vec::new();
    for settings in &config.mcp_servers {
        match Server::new(settings, config, templates) {
            Ok(server) => servers.push(Arc::new(server)),
            Err(found) => {
                let told = found.into_iter().map(|p| format!("MCP server `{}`: {p}", settings.name));
                problems.extend(told);
            }
        }
    }
    servers
}

impl Server {
    fn new(settings: &McpServer, config: &Config, templates: &Templates) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let filler = Filler { environment: &config.environment, templates };
        let way = match &settings.command {
            Some(command) => filler.process(settings, command, config, &mut problems).map(Way::Process),
            None => filler.web(settings, config, &mut problems).map(Way::Web),
        };
        let mut classified = BTreeMap::new();
        for (name, tool) in &settings.tools {
            let mut found = Vec::new();
            classified.insert(name.clone(), Classified::new(tool, &filler, &mut found));
            problems.extend(found.into_iter().map(|problem| format!("`{name}`: {problem}")));
        }
        match way {
            Some(way) if problems.is_empty() => Ok(Self {
                name: settings.name.clone(),
                way,
                timeout: Duration::from_millis(settings.timeout_ms.min(config.limits.tool_timeout_ms_max)),
                classified,
                bounds: config.mcp.clone(),
                link: watch::Sender::new(None),
                tried: watch::Sender::new(false),
                broken: Notify::new(),
            }),
            _ => Err(problems),
        }
    }

    /// Sends no further call into a connection that does not carry any more; another one is opened.
    pub(super) fn give_up(&self) {
        self.link.send_replace(None);
        self.broken.notify_one();
    }

    /// Its configured name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a tool is one of its own.
    pub(in crate::tools) fn has(&self, tool: &ToolSpec) -> bool {
        matches!(&tool.reach, Reach::Mcp(reach) if reach.is_of(self))
    }

    /// The tools that are classified, before the server has listed any: known by name, not to be called.
    pub(in crate::tools) fn unlisted(self: &Arc<Self>) -> Result<Vec<ToolSpec>, String> {
        let named = self.classified.iter().filter(|(_, tool)| !tool.settings.ignore);
        named.map(|(name, classified)| listing::unlisted(self, name, classified)).collect()
    }
}

impl Classified {
    fn new(settings: &McpTool, filler: &Filler<'_>, problems: &mut Vec<String>) -> Self {
        let terms = Terms {
            effect: settings.effect(),
            assurance: settings.required_assurance(),
            amount: settings.amount.as_ref(),
            limits: &settings.limits,
            parameters: None,
        };
        terms.check(filler.templates, problems);
        let mut names = BTreeSet::new();
        for source in settings.arguments.values() {
            match filler.templates.references(source) {
                Ok(found) => names.extend(found),
                Err(error) => problems.push(format!("`{source}`: {error}")),
            }
        }
        let strange = names.iter().filter(|name| !spec::of_the_call(name));
        problems.extend(strange.map(|name| {
            format!("a template uses `{name}`; code fills arguments from `customer`, `case` and `env` alone")
        }));
        let env = spec::values(&names, filler.environment, problems);
        Self { settings: settings.clone(), names, env }
    }
}

/// Fills what is a template over the environment.
struct Filler<'a> {
    environment: &'a Environment,
    templates: &'a Templates,
}

impl Filler<'_> {
    fn fill(&self, what: &str, source: &str, problems: &mut Vec<String>) -> Option<String> {
        let names = self
            .templates
            .references(source)
            .map_err(|error| problems.push(format!("{what}: {error}")))
            .ok()?;
        if names.iter().any(|name| !name.starts_with("env.")) {
            problems.push(format!("{what} may only use `env`"));
            return None;
        }
        let before = problems.len();
        let env = spec::values(&names, self.environment, problems);
        if problems.len() > before {
            return None;
        }
        let filled = self.templates.render(source, serde_json::json!({ "env": env }));
        filled.map_err(|error| problems.push(format!("{what}: {error}"))).ok()
    }

    fn process(
        &self,
        settings: &McpServer,
        command: &str,
        config: &Config,
        problems: &mut Vec<String>,
    ) -> Option<Process> {
        // What every program needs to find others and its own files; nothing else of ours is any of its business.
        let inherited = ["PATH", "HOME"];
        let mut env: BTreeMap<String, String> = inherited
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), self.environment.get(name)?.to_owned())))
            .collect();
        let before = problems.len();
        for (name, source) in &settings.env {
            let value = self.fill(&format!("`env.{name}`"), source, problems);
            env.extend(value.map(|value| (name.clone(), value)));
        }
        (problems.len() == before).then(|| Process {
            command: command.to_owned(),
            args: settings.args.clone(),
            env,
            folder: config.workspace.clone(),
        })
    }

    fn web(&self, settings: &McpServer, config: &Config, problems: &mut Vec<String>) -> Option<Web> {
        let url = self.fill("`url`", settings.url.as_deref().unwrap_or_default(), problems)?;
        let origin = Origin::of(&url).and_then(|origin| origin.reachable().map(|()| origin));
        let origin = origin.map_err(|problem| problems.push(format!("`url`: {problem}"))).ok()?;
        let before = problems.len();
        let mut headers = std::collections::HashMap::new();
        for (name, source) in &settings.headers {
            let Some(value) = self.fill(&format!("header `{name}`"), source, problems) else { continue };
            match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                _ => problems.push(format!("header `{name}` cannot be sent")),
            }
        }
        let client = client::client(BTreeSet::from([origin.host]), config.limits.tool_connect_timeout_ms)
            .map_err(|error| problems.push(format!("the HTTP client cannot be built: {error}")))
            .ok()?;
        (problems.len() == before).then_some(Web { url, headers, client })
    }
}
