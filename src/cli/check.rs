//! `firstline check`: every problem of the configuration, knowledge, prompts, tools and scenarios, with its place.
//! MCP servers are started once and asked for their tools; nothing is called.

use std::sync::Arc;

use super::workspace::Workspace;
use super::{Failure, Globals, output};
use crate::app::{SystemClock, channel_names};
use crate::assistant::local;
use crate::config::Config;
use crate::desk::Desk;
use crate::desk::macros::Macros;
use crate::domain::time::Clock;
use crate::evals::scenario;
use crate::knowledge::{self, Knowledge};
use crate::llm;
use crate::templates::{Phrases, Prompts, Templates};
use crate::tools::Toolbox;
use crate::tools::mcp::Survey;

/// What `check` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(globals: &Globals, options: &Options) -> Result<(), Failure> {
    let workspace = Workspace::find(globals)?;
    let config = workspace.config(None)?;
    let mut problems = Vec::new();
    let templates = Arc::new(Templates::new());
    let limits = knowledge::Limits::from(&config.knowledge);
    let (knowledge, found) = Knowledge::open(workspace.origin(), None, limits);
    problems.extend(found.iter().map(ToString::to_string));
    problems.extend(Phrases::load(templates.clone(), Some(&config.workspace)).err().into_iter().flatten());
    problems.extend(Prompts::load(templates.clone(), Some(&config.workspace)).err().into_iter().flatten());
    problems.extend(Macros::load(templates.clone(), &config.workspace).err().into_iter().flatten());
    problems.extend(model_problem(&config));
    problems.extend(Desk::new(&config).err().into_iter().flatten());
    problems.extend(channel_names(&config).err().into_iter().flatten());
    let (tools, servers) = tools(&config, &templates, &mut problems).await;
    let tools: Vec<&str> = tools.iter().map(String::as_str).collect();
    let teams: Vec<&str> = config.teams.iter().map(|team| team.id.as_str()).collect();
    for procedure in knowledge.procedures().iter() {
        let articles = |id: &str| knowledge.article(id).is_some();
        problems.extend(local::check(
            procedure,
            &templates,
            &local::Known { tools: &tools, teams: &teams, articles: &articles },
        ));
    }
    let scenarios = workspace.folder.join("evals/scenarios");
    if scenarios.is_dir() {
        problems.extend(scenario::read(&scenarios).err().into_iter().flatten());
    }
    if options.json {
        output::json(&serde_json::json!({
            "problems": problems, "mcp_servers": servers, "settings": effective(&config),
        }))?;
    } else {
        show(&config, &knowledge, &problems, &servers);
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::Found(format!("{} problem(s)", problems.len()))) }
}

/// The names of all tools, and what the MCP servers list.
async fn tools(
    config: &Config,
    templates: &Arc<Templates>,
    problems: &mut Vec<String>,
) -> (Vec<String>, Vec<Survey>) {
    let toolbox = match Toolbox::new(config, templates.clone()) {
        Ok(toolbox) => toolbox,
        Err(found) => {
            problems.extend(found);
            return (config.tools.iter().map(|tool| tool.name.clone()).collect(), Vec::new());
        }
    };
    let servers = toolbox.survey().await;
    problems.extend(servers.iter().flat_map(|server| server.problems.clone()));
    (toolbox.contents().tools().map(|tool| tool.name.clone()).collect(), servers)
}

fn show(config: &Config, knowledge: &Knowledge, problems: &[String], servers: &[Survey]) {
    for problem in problems {
        output::line(problem);
    }
    output::line(&format!(
        "{} articles, {} procedures, {} tools, {} teams; channels: {}",
        knowledge.articles_count(),
        knowledge.procedures().len(),
        config.tools.len(),
        config.teams.len(),
        channel_names(config).unwrap_or_default().join(", ")
    ));
    for server in servers {
        output::line(&format!("\nMCP server `{}`: {} tools", server.server, server.tools.len()));
        for tool in &server.tools {
            output::line(&format!("  {tool}"));
        }
        for reason in &server.left_out {
            output::line(&format!("  left out: {reason}"));
        }
    }
    output::line("\nThe settings in effect:");
    if let Ok(text) = toml::to_string(&effective(config)) {
        output::line(text.trim_end());
    }
}

/// The settings in effect, secrets hidden.
fn effective(config: &Config) -> toml::Table {
    config.effective.clone()
}

/// What keeps the configured model from being asked; it is not called.
fn model_problem(config: &Config) -> Option<String> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let connected = llm::connect(&config.model, &config.fallback_model, &config.model_calls, &clock);
    connected.err().map(|error| format!("[model]: {error}"))
}
