//! What a server lists, made into tools: named, classified, with arguments that nobody can widen.

use std::collections::BTreeSet;
use std::sync::Arc;

use rmcp::model::Tool;
use serde_json::{Map, Value, json};

use super::call::{Bound, McpReach};
use super::schema;
use super::server::{Classified, Server};
use super::words::{clean, tool_name};
use crate::domain::receipt::Effect;
use crate::tools::ToolSpec;
use crate::tools::spec::{self, Reach};

/// Longest part of a server's words in a reason for an operator.
const NAME_SHOWN_CHARS_MAX: usize = 80;

/// The tools of one listing.
pub(super) struct Listing {
    pub(super) tools: Vec<ToolSpec>,
    /// What is not offered, and why.
    pub(super) left_out: Vec<String>,
    /// What the configuration names and the server does not.
    pub(super) missing: Vec<String>,
}

/// Reads what a server listed.
pub(super) fn read(server: &Arc<Server>, listed: Vec<Tool>, more: bool) -> Listing {
    let mut listing = Listing { tools: Vec::new(), left_out: Vec::new(), missing: Vec::new() };
    let most = server.bounds.tools_max;
    if more || listed.len() > most {
        listing.left_out.push(format!("everything after the first {most} tools"));
    }
    let missing = server.classified.keys().filter(|name| !listed.iter().any(|tool| tool.name == **name));
    listing.missing.extend(missing.cloned());
    let mut listed: Vec<Tool> = listed.into_iter().take(most).collect();
    // A name that needs no change keeps it, whatever another one would be changed to.
    listed.sort_by_key(|tool| !tool_name(&server.name, &tool.name).ends_with(tool.name.as_ref()));
    let mut taken = BTreeSet::new();
    let unclassified = Classified::default();
    for tool in listed {
        let classified = server.classified.get(tool.name.as_ref()).unwrap_or(&unclassified);
        let shown = clean(&tool.name, NAME_SHOWN_CHARS_MAX);
        if classified.settings.ignore {
            listing.left_out.push(format!("`{shown}`: the configuration says so"));
            continue;
        }
        if !taken.insert(tool_name(&server.name, &tool.name)) {
            listing.left_out.push(format!("`{shown}`: another tool of the server has this name"));
            continue;
        }
        match listed_tool(server, &tool, classified) {
            Ok(spec) => listing.tools.push(spec),
            Err(problem) => listing.left_out.push(format!("`{shown}`: {problem}")),
        }
    }
    listing
}

/// A tool that the server lists.
fn listed_tool(server: &Arc<Server>, tool: &Tool, classified: &Classified) -> Result<ToolSpec, String> {
    let mut parameters = schema::simplified(&tool.input_schema, &server.bounds)?;
    let bound = bind(&mut parameters, classified)?;
    let said = tool.description.as_deref().or(tool.title.as_deref()).unwrap_or_default();
    let description = clean(said, server.bounds.description_chars_max);
    let reach = McpReach::listed(server, &tool.name, bound, classified.settings.errors_refuse);
    spec(server, &tool.name, description, parameters, classified, reach)
}

/// A tool that is classified and not listed.
pub(super) fn unlisted(
    server: &Arc<Server>,
    name: &str,
    classified: &Classified,
) -> Result<ToolSpec, String> {
    let nothing = json!({"type": "object", "properties": {}});
    spec(server, name, String::new(), nothing, classified, McpReach::unlisted(server, name))
}

fn spec(
    server: &Arc<Server>,
    name: &str,
    description: String,
    parameters: Value,
    classified: &Classified,
    reach: McpReach,
) -> Result<ToolSpec, String> {
    let settings = &classified.settings;
    Ok(ToolSpec {
        name: tool_name(&server.name, name),
        description,
        effect: settings.effect(),
        assurance: settings.required_assurance(),
        confirm: settings.confirm,
        validator: schema::validator(&parameters)?,
        parameters,
        amount: settings.amount.clone(),
        currency: settings.currency.clone(),
        limits: spec::limits(&settings.limits),
        failures_per_hour: settings.limits.failures_per_hour,
        failures_per: settings.limits.failures_per.clone(),
        needs_external_id: classified.names.contains("customer.external_id"),
        reach: Reach::Mcp(reach),
        env: classified.env.clone(),
    })
}

/// Takes the arguments that code fills out of what others see and may give.
fn bind(parameters: &mut Value, classified: &Classified) -> Result<Vec<Bound>, String> {
    let mut bound = Vec::new();
    for (name, template) in &classified.settings.arguments {
        let properties = parameters.get_mut("properties").and_then(Value::as_object_mut);
        let Some(schema) = properties.and_then(|properties| properties.remove(name)) else {
            return Err(format!(
                "its argument `{name}` is to be filled by code, and it takes none of this name"
            ));
        };
        if let Some(required) = parameters.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|required| required != name);
        }
        bound.push(Bound::new(name, template, &schema));
    }
    Ok(bound)
}

/// One line about a tool, for an operator.
pub(super) fn described(tool: &ToolSpec) -> String {
    let effect = match tool.effect {
        Effect::Read => "read",
        Effect::Write if tool.confirm => "write after a yes",
        Effect::Write => "write",
    };
    let fields = tool.parameters.get("properties").and_then(Value::as_object).map(Map::keys);
    let fields: Vec<&str> = fields.into_iter().flatten().map(String::as_str).collect();
    let mut line = format!("{}: {effect}, needs `{}`", tool.name, tool.assurance.as_str());
    if !fields.is_empty() {
        line.push_str(", takes ");
        line.push_str(&fields.join(", "));
    }
    if let Reach::Mcp(reach) = &tool.reach
        && let Some(filled) = reach.filled_by_code()
    {
        line.push_str(", filled by code: ");
        line.push_str(&filled);
    }
    line
}
