//! Reads an OpenAPI document and writes `[[tools]]` entries for a person to review.
//!
//! The document is somebody else's text: it never becomes a template, never a line of its own in the output, and
//! every entry is loaded as `firstline check` would load it before it is written.

use std::collections::BTreeSet;

use reqwest::Url;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ToolSpec;
use crate::config::{Environment, ToolSettings};
use crate::domain::receipt::Effect;
use crate::templates::Templates;

mod document;
mod entry;
mod request;
mod schema;
mod security;

use document::Document;
use entry::Entry;

/// Most operations of one document: whoever has more reviews nothing.
const OPERATIONS_MAX: usize = 1000;
/// Longest name of a tool; what model servers take.
const NAME_CHARS_MAX: usize = 64;
/// Longest description of a tool or a field that is taken over.
const DESCRIPTION_CHARS_MAX: usize = 400;
/// The methods of OpenAPI that a tool can have; the others are named in the output.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const OTHER_METHODS: [&str; 3] = ["head", "options", "trace"];

/// What an import came to.
#[derive(Debug)]
pub struct Imported {
    /// The entries with their comments, TOML.
    pub text: String,
    /// How many tools it declares.
    pub tools: usize,
    /// Operations that cannot be expressed, each with the reason.
    pub left_out: Vec<String>,
}

/// Why something of the document is not in the output.
#[derive(Debug)]
enum Trouble {
    /// The document itself is broken: nothing is written.
    Broken(String),
    /// This part cannot be expressed.
    LeftOut(String),
}

/// Writes the tools of an OpenAPI 3 document; `server` replaces the address that the document names.
/// The error says what is wrong with the document and what to do.
pub fn import(text: &str, server: Option<&str>) -> Result<Imported, String> {
    let document = Document::read(text)?;
    let mut names = BTreeSet::new();
    let (mut body, mut left_out, mut tools) = (String::new(), Vec::new(), 0);
    let mut secrets = BTreeSet::new();
    for operation in operations(&document, server)? {
        let place = operation.place();
        match tool(&document, &operation, &mut names) {
            Ok(made) => {
                body.push_str(&made.text());
                secrets.extend(made.secrets);
                tools += 1;
            }
            Err(Trouble::Broken(why)) => return Err(format!("{place}: {why}")),
            Err(Trouble::LeftOut(why)) => {
                body.extend(["\n# Left out: ", &place, ": ", &entry::one_line(&why), "\n"]);
                left_out.push(format!("{place}: {}", entry::one_line(&why)));
            }
        }
    }
    if tools == 0 && left_out.is_empty() {
        return Err("the document has no operations under `paths`; is it the right file?".to_owned());
    }
    Ok(Imported { text: entry::heading(document.title(), &secrets) + &body, tools, left_out })
}

/// One operation with what its path says for all.
struct Operation<'d> {
    method: &'static str,
    path: &'d str,
    item: &'d Value,
    said: &'d Value,
    server: String,
}

impl Operation<'_> {
    fn place(&self) -> String {
        format!("{} {}", self.method.to_ascii_uppercase(), entry::one_line(self.path))
    }

    fn effect(&self) -> Effect {
        if self.method == "get" { Effect::Read } else { Effect::Write }
    }
}

fn operations<'d>(document: &'d Document, server: Option<&str>) -> Result<Vec<Operation<'d>>, String> {
    let mut found = Vec::new();
    for (path, item) in document.paths()? {
        let item = match document.follow(item) {
            Ok(item) => item,
            Err(Trouble::Broken(why) | Trouble::LeftOut(why)) => {
                return Err(format!("{}: {why}", entry::one_line(path)));
            }
        };
        for method in METHODS.into_iter().chain(OTHER_METHODS) {
            let Some(operation) = item.get(method) else { continue };
            let server = match server {
                Some(server) => checked_server(server)?,
                None => declared_server(document, item, operation)?,
            };
            found.push(Operation { method, path, item, said: operation, server });
        }
    }
    if found.len() > OPERATIONS_MAX {
        return Err(format!(
            "the document has {} operations and {OPERATIONS_MAX} is the limit; keep the paths that customers need",
            found.len()
        ));
    }
    Ok(found)
}

/// The address of the operation: its own server, its path's, the document's.
fn declared_server(document: &Document, item: &Value, operation: &Value) -> Result<String, String> {
    let servers = [operation, item, document.root()].into_iter().find_map(|at| at.get("servers")?.get(0));
    let missing = "the document names no server with a whole address; name it with --server https://…";
    let server = servers.ok_or(missing)?;
    let mut url = server.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten() {
        let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), default);
    }
    if url.contains("://") { checked_server(&url) } else { Err(missing.to_owned()) }
}

fn checked_server(text: &str) -> Result<String, String> {
    let wrong = || {
        format!("`{}` is not the address of a server; name it with --server https://…", entry::one_line(text))
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let plain = text.chars().all(|c| c.is_ascii_graphic() && !"{}%\"'\\?#".contains(c));
    let web = matches!(url.scheme(), "http" | "https") && url.username().is_empty();
    if plain && web { Ok(text.trim_end_matches('/').to_owned()) } else { Err(wrong()) }
}

fn tool(
    document: &Document,
    operation: &Operation<'_>,
    names: &mut BTreeSet<String>,
) -> Result<Entry, Trouble> {
    if !METHODS.contains(&operation.method) {
        return Err(Trouble::LeftOut("a tool cannot have this method".to_owned()));
    }
    if operation.said.get("deprecated") == Some(&Value::Bool(true)) {
        return Err(Trouble::LeftOut("it is deprecated".to_owned()));
    }
    let mut request = request::read(document, operation)?;
    let keys = security::read(document, operation.said)?;
    request.headers.extend(keys.headers);
    let entry = Entry {
        place: operation.place(),
        name: unique_name(operation, names),
        description: described(operation),
        effect: operation.effect(),
        method: operation.method.to_ascii_uppercase(),
        request,
        oauth2: keys.oauth2,
        secrets: keys.secrets,
    };
    loads(&entry).map_err(Trouble::LeftOut)?;
    names.insert(entry.name.clone());
    Ok(entry)
}

/// Whether `firstline check` would take the entry, with every secret set.
fn loads(entry: &Entry) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Entries {
        tools: Vec<ToolSettings>,
    }
    let read: Entries = toml::from_str(&entry.text()).map_err(|error| error.to_string())?;
    let environment =
        entry.secrets.iter().fold(Environment::default(), |environment, name| environment.with(name, "x"));
    let templates = Templates::new();
    for settings in &read.tools {
        ToolSpec::new(settings, &environment, &templates).map_err(|problems| problems.join("; "))?;
    }
    Ok(())
}

/// The operation's own id, else method and path, made safe and unique.
fn unique_name(operation: &Operation<'_>, taken: &BTreeSet<String>) -> String {
    let id = operation.said.get("operationId").and_then(Value::as_str).map(snake_case);
    let name = id
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| snake_case(&format!("{}_{}", operation.method, operation.path)));
    let name: String = name.chars().take(NAME_CHARS_MAX - 5).collect();
    let name = if name.starts_with(|c: char| c.is_ascii_digit()) { format!("t_{name}") } else { name };
    if !taken.contains(&name) {
        return name;
    }
    (2..=OPERATIONS_MAX + 1).map(|n| format!("{name}_{n}")).find(|name| !taken.contains(name)).unwrap_or(name)
}

/// Lower-case words joined by `_`: `listOrders` and `list-orders` both give `list_orders`.
fn snake_case(text: &str) -> String {
    let mut name = String::new();
    let mut before = ' ';
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            let starts = c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
            let apart = !before.is_ascii_alphanumeric();
            if (starts || apart) && !name.is_empty() {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    name
}

fn described(operation: &Operation<'_>) -> String {
    let word = |key: &str| operation.said.get(key).and_then(Value::as_str).map(str::trim);
    let summary = word("summary").or_else(|| word("description")).filter(|text| !text.is_empty());
    summary.map_or_else(|| operation.place(), short)
}

/// A description in one line, cut where it gets long.
fn short(text: &str) -> String {
    entry::one_line(text).chars().take(DESCRIPTION_CHARS_MAX).collect()
}

/// A map of the document, or an empty one.
fn fields(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests;
