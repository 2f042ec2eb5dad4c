//! One declared tool, checked when it is loaded so that no customer finds its mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::address::{Origin, encoded};
use super::mcp::McpReach;
use super::oauth2::TokenSource;
use crate::config::{Environment, HttpTool, Method, ToolLimits, ToolSettings};
use crate::domain::assurance::Assurance;
use crate::domain::case::Case;
use crate::domain::customer::Customer;
use crate::domain::procedure::Limits;
use crate::domain::receipt::Effect;
use crate::templates::Templates;

/// Schema words that would make `properties` not the whole truth about what is allowed.
const UNSUPPORTED: [&str; 9] = [
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "patternProperties",
    "unevaluatedProperties",
    "$dynamicRef",
];

/// One tool that may be called.
pub struct ToolSpec {
    /// Its exact name.
    pub name: String,
    /// What it does, written for a model.
    pub description: String,
    /// Read or write.
    pub effect: Effect,
    /// What must be proven before a call.
    pub assurance: Assurance,
    /// Whether a write waits for the customer's yes.
    pub confirm: bool,
    /// JSON Schema of the arguments object.
    pub parameters: Value,
    /// Expression over `arguments` that gives the minor units it moves.
    pub amount: Option<String>,
    /// ISO 4217 code of the amount, for words about limits.
    pub currency: Option<String>,
    /// What its calls may move.
    pub limits: Limits,
    /// Most refused calls of one customer in an hour, and for one value of each argument in `failures_per`.
    pub failures_per_hour: Option<i64>,
    /// Arguments by which refused calls are counted, whoever makes them.
    pub failures_per: Vec<String>,
    /// Whether a template uses the operator's own id of the customer, which must then be known.
    pub needs_external_id: bool,
    pub(super) validator: jsonschema::Validator,
    pub(super) reach: Reach,
    /// The values of the environment that its templates name; secret.
    pub(super) env: BTreeMap<String, String>,
}

/// How a tool is reached. What may be called, and when, does not depend on it.
pub(super) enum Reach {
    Http(Box<HttpReach>),
    Mcp(McpReach),
}

/// A declared request.
pub(super) struct HttpReach {
    pub(super) settings: HttpTool,
    pub(super) origin: Origin,
    /// Where the token for `Authorization` comes from.
    pub(super) tokens: Option<Arc<TokenSource>>,
}

impl ToolSpec {
    /// Checks a declaration; tells every problem at once.
    pub(super) fn new(
        settings: &ToolSettings,
        environment: &Environment,
        templates: &Templates,
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        check_schema(&settings.parameters, &mut problems);
        let names = references(settings, templates, &mut problems);
        let env = values(&names, environment, &mut problems);
        Terms::of(settings).check(templates, &mut problems);
        check_request(settings, templates, &mut problems);
        let validator = jsonschema::validator_for(&settings.parameters)
            .map_err(|error| problems.push(format!("`parameters` is not a JSON Schema: {error}")));
        if !problems.is_empty() {
            return Err(problems);
        }
        let origin = sample_origin(settings, &env, templates).map_err(|problem| problems.push(problem));
        check_body(settings, &env, templates, &mut problems);
        let tokens = settings.http.oauth2.as_ref().map(|oauth2| {
            let fill = |text: &str| {
                let rendered = templates.render(text, json!({ "env": env }));
                rendered.map_err(|error| format!("`oauth2` may only use `env`: {error}"))
            };
            TokenSource::new(oauth2, fill)
        });
        let tokens = tokens.transpose().map_err(|problem| problems.push(problem));
        if settings.http.oauth2.is_some()
            && settings.http.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"))
        {
            problems.push("`oauth2` sets `Authorization`; leave the header out".to_owned());
        }
        let (Ok(validator), Ok(origin), Ok(tokens), true) = (validator, origin, tokens, problems.is_empty())
        else {
            return Err(problems);
        };
        Ok(Self {
            name: settings.name.clone(),
            description: settings.description.clone(),
            effect: settings.effect,
            assurance: settings.required_assurance(),
            confirm: settings.confirm,
            parameters: settings.parameters.clone(),
            amount: settings.amount.clone(),
            currency: settings.currency.clone(),
            limits: limits(&settings.limits),
            failures_per_hour: settings.limits.failures_per_hour,
            failures_per: settings.limits.failures_per.clone(),
            needs_external_id: names.contains("customer.external_id"),
            validator,
            reach: Reach::Http(Box::new(HttpReach {
                settings: settings.http.clone(),
                origin,
                tokens: tokens.map(Arc::new),
            })),
            env,
        })
    }

    /// Whether its arguments are known. A tool of a server that has not listed it yet is known by name alone, and
    /// cannot be called.
    pub fn is_listed(&self) -> bool {
        match &self.reach {
            Reach::Http(_) => true,
            Reach::Mcp(reach) => reach.is_listed(),
        }
    }

    /// What its templates see for a call. Customer fields are the proven ones of the record.
    pub(super) fn context(&self, arguments: &Value, case: &Case, customer: &Customer) -> Value {
        json!({
            "arguments": arguments,
            "customer": {
                "external_id": customer.external_id, "name": customer.name,
                "email": customer.email, "phone": customer.phone,
            },
            "case": {"id": case.id, "channel": case.channel, "language": case.language},
            "env": self.env,
        })
    }
}

/// What is declared about calls, however the tool is reached.
pub(super) struct Terms<'a> {
    pub(super) effect: Effect,
    pub(super) assurance: Assurance,
    pub(super) amount: Option<&'a String>,
    pub(super) limits: &'a ToolLimits,
    /// The schema of its arguments, where it is declared here and not by a server.
    pub(super) parameters: Option<&'a Value>,
}

impl<'a> Terms<'a> {
    fn of(settings: &'a ToolSettings) -> Self {
        Self {
            effect: settings.effect,
            assurance: settings.required_assurance(),
            amount: settings.amount.as_ref(),
            limits: &settings.limits,
            parameters: Some(&settings.parameters),
        }
    }

    /// Tells what would let a write through that nobody may have meant.
    pub(super) fn check(&self, templates: &Templates, problems: &mut Vec<String>) {
        let limits = self.limits;
        if self.effect == Effect::Write {
            if self.assurance < Assurance::Verified {
                problems.push("a write needs `assurance = \"verified\"`".to_owned());
            }
            let bounds_money = limits.max_amount_minor.is_some() || limits.per_day_amount_minor.is_some();
            if bounds_money && self.amount.is_none() {
                problems.push("limits on amounts need `amount`, an expression over `arguments`".to_owned());
            }
        } else if self.amount.is_some() {
            problems.push("only a write moves an amount".to_owned());
        }
        let all = [
            limits.max_amount_minor,
            limits.per_day_amount_minor,
            limits.per_day_calls,
            limits.failures_per_hour,
        ];
        if all.into_iter().flatten().any(|limit| limit < 0) {
            problems.push("a limit cannot be negative".to_owned());
        }
        if !limits.failures_per.is_empty() && limits.failures_per_hour.is_none() {
            problems.push("`failures_per` counts for `failures_per_hour`; set that too".to_owned());
        }
        let declared = self.parameters.and_then(|parameters| parameters.get("properties"));
        for name in declared.map_or(&[] as &[_], |_| limits.failures_per.as_slice()) {
            if declared.is_none_or(|declared| declared.get(name).is_none()) {
                problems.push(format!("`failures_per` names `{name}`, which is no argument"));
            }
        }
        check_expression(self.amount, "arguments", templates, problems);
    }
}

/// The same limits in the words of the domain.
pub(super) fn limits(settings: &ToolLimits) -> Limits {
    Limits {
        max_amount_minor: settings.max_amount_minor,
        per_day_amount_minor: settings.per_day_amount_minor,
        per_day_calls: settings.per_day_calls,
    }
}

/// The same context with everything that is not the operator's own percent-encoded.
pub(super) fn for_address(context: &Value) -> Value {
    let mut safe = encoded(context);
    if let (Some(map), Some(env)) = (safe.as_object_mut(), context.get("env")) {
        map.insert("env".to_owned(), env.clone());
    }
    safe
}

fn check_schema(schema: &Value, problems: &mut Vec<String>) {
    if schema.get("type") != Some(&json!("object")) {
        problems.push("`parameters` must have `type = \"object\"`".to_owned());
    }
    check_closed(schema, problems);
}

/// Refuses words that would allow fields which `properties` does not name.
fn check_closed(schema: &Value, problems: &mut Vec<String>) {
    let Some(map) = schema.as_object() else { return };
    problems.extend(
        UNSUPPORTED
            .iter()
            .filter(|word| map.contains_key(**word))
            .map(|word| format!("`parameters` may not use `{word}`: declare every field under `properties`")),
    );
    for schema in map.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::values) {
        check_closed(schema, problems);
    }
    if let Some(items) = map.get("items") {
        check_closed(items, problems);
    }
}

fn references(
    settings: &ToolSettings,
    templates: &Templates,
    problems: &mut Vec<String>,
) -> BTreeSet<String> {
    let http = &settings.http;
    let oauth2 = http.oauth2.iter();
    let credentials = oauth2
        .flat_map(|o| [Some(&o.token_url), Some(&o.client_id), Some(&o.client_secret), o.scope.as_ref()]);
    let sources =
        [&http.url].into_iter().chain(http.headers.values()).chain(&http.body).chain(credentials.flatten());
    let mut names = BTreeSet::new();
    for source in sources {
        match templates.references(source) {
            Ok(found) => names.extend(found),
            Err(error) => problems.push(format!("`{source}`: {error}")),
        }
    }
    for name in &names {
        let known = match name.split_once('.') {
            Some(("arguments", rest)) => declared(settings, rest.split('.').next().unwrap_or_default()),
            Some(_) => of_the_call(name),
            None => name == "arguments",
        };
        if !known {
            problems.push(format!("a template uses `{name}`, which a call does not have"));
        }
    }
    names
}

/// Whether every call has this, whatever its arguments.
pub(super) fn of_the_call(name: &str) -> bool {
    match name.split_once('.') {
        Some(("env", rest)) => !rest.contains('.'),
        Some(("customer", rest)) => ["external_id", "name", "email", "phone"].contains(&rest),
        Some(("case", rest)) => ["id", "channel", "language"].contains(&rest),
        Some(_) | None => false,
    }
}

/// The values of the environment that these names ask for.
pub(super) fn values(
    names: &BTreeSet<String>,
    environment: &Environment,
    problems: &mut Vec<String>,
) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for name in names.iter().filter_map(|name| name.strip_prefix("env.")) {
        match environment.get(name) {
            Some(value) => drop(values.insert(name.to_owned(), value.to_owned())),
            None => problems.push(format!("the environment variable `{name}` is not set")),
        }
    }
    values
}

fn declared(settings: &ToolSettings, argument: &str) -> bool {
    settings.parameters.get("properties").is_some_and(|properties| properties.get(argument).is_some())
}

fn check_request(settings: &ToolSettings, templates: &Templates, problems: &mut Vec<String>) {
    if settings.effect == Effect::Write && matches!(settings.http.method, Method::Get) {
        problems.push("a write cannot be a GET".to_owned());
    }
    check_expression(settings.http.result.as_ref(), "response", templates, problems);
}

fn check_expression(source: Option<&String>, root: &str, templates: &Templates, problems: &mut Vec<String>) {
    let Some(source) = source else { return };
    match templates.references_of_expression(source) {
        Ok(names) if names.iter().all(|name| name.split('.').next() == Some(root)) => {}
        Ok(_) => problems.push(format!("`{source}` may only use `{root}`")),
        Err(error) => problems.push(format!("`{source}`: {error}")),
    }
}

/// A context whose every text is `text`; with `optional` arguments or without them.
fn sample(settings: &ToolSettings, env: &BTreeMap<String, String>, text: &str, optional: bool) -> Value {
    let required: Vec<&str> = settings
        .parameters
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let properties = settings.parameters.get("properties").and_then(Value::as_object);
    let arguments: Map<String, Value> = properties
        .into_iter()
        .flatten()
        .filter(|(name, _)| optional || required.contains(&name.as_str()))
        .map(|(name, schema)| {
            let value = match schema.get("type").and_then(Value::as_str) {
                Some("integer" | "number") => json!(text.len()),
                Some("boolean") => json!(true),
                Some("array") => json!([text]),
                Some("object") => json!({}),
                _ => json!(text),
            };
            (name.clone(), value)
        })
        .collect();
    json!({
        "arguments": arguments,
        "customer": {"external_id": text, "name": text, "email": text, "phone": text},
        "case": {"id": text, "channel": text, "language": text},
        "env": env,
    })
}

/// The origin that every address of the tool has, whatever the arguments.
fn sample_origin(
    settings: &ToolSettings,
    env: &BTreeMap<String, String>,
    templates: &Templates,
) -> Result<Origin, String> {
    let mut origins = Vec::new();
    for (text, optional) in [("x", true), ("yy", true), ("x", false)] {
        let rendered = templates
            .render(&settings.http.url, sample(settings, env, text, optional))
            .map_err(|error| format!("`url`: {error} (an optional argument needs `| default('')`)"))?;
        origins.push(Origin::of(&rendered)?);
    }
    let first = origins.swap_remove(0);
    if origins.iter().any(|other| !first.same_place(other)) {
        return Err("the host of `url` must not come from an argument or the customer".to_owned());
    }
    first.reachable()?;
    Ok(first)
}

fn check_body(
    settings: &ToolSettings,
    env: &BTreeMap<String, String>,
    templates: &Templates,
    problems: &mut Vec<String>,
) {
    for optional in [true, false] {
        let context = sample(settings, env, "x", optional);
        for (name, source) in &settings.http.headers {
            if let Err(error) = templates.render(source, &context) {
                problems.push(format!("header `{name}`: {error}"));
            }
        }
        let Some(body) = &settings.http.body else { continue };
        match templates.render_json(body, &context) {
            Ok(text) => {
                if let Err(error) = serde_json::from_str::<Value>(&text) {
                    problems.push(format!(
                        "`body` is not JSON once rendered: {error}. Inserted values bring their own quotes"
                    ));
                }
            }
            Err(error) => problems.push(format!("`body`: {error}")),
        }
    }
}
