//! How an operation is called: its address, headers and body as templates, and the schema of its arguments.

use serde_json::{Map, Value, json};

use super::document::Document;
use super::schema::Schemas;
use super::{Operation, Trouble, entry};

/// The argument that holds a JSON body.
const BODY: &str = "body";

/// The templates and the arguments of one operation.
pub(super) struct Request {
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
    /// JSON Schema of the arguments object.
    pub(super) parameters: Value,
    /// What a reviewer should look at.
    pub(super) notes: Vec<String>,
}

/// Reads the parameters and the body of an operation.
pub(super) fn read(document: &Document, operation: &Operation<'_>) -> Result<Request, Trouble> {
    let mut schemas = Schemas::new(document);
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let (mut headers, mut query) = (Vec::new(), String::new());
    let mut path = literal(operation.path)?;
    for parameter in parameters(document, operation)? {
        let text = |key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, place) = (text("name"), text("in"));
        let needed = place == "path" || parameter.get("required") == Some(&Value::Bool(true));
        let known = matches!(place, "path" | "query" | "header") && parameter.get("schema").is_some();
        if !known || !plain(name) {
            if needed {
                return Err(left_out(format!("it needs `{}` in its {place}", entry::one_line(name))));
            }
            schemas.notes.push(format!("the optional parameter `{name}` is left out"));
            continue;
        }
        let argument = argument(name);
        let schema = match schemas.read(parameter.get("schema").unwrap_or(&Value::Null)) {
            Ok(schema) => schema,
            Err(Trouble::LeftOut(why)) if !needed => {
                schemas.notes.push(format!("the optional parameter `{name}` is left out: {why}"));
                continue;
            }
            Err(trouble) => return Err(trouble),
        };
        match place {
            "path" => path = path.replace(&format!("{{{name}}}"), &format!("{{{{ arguments.{argument} }}}}")),
            "query" => query.push_str(&query_part(name, &argument, needed, query.is_empty())),
            _ if needed => headers.push((name.to_owned(), format!("{{{{ arguments.{argument} }}}}"))),
            _ => {
                schemas.notes.push(format!("the optional header `{name}` is left out"));
                continue;
            }
        }
        if needed {
            required.push(json!(argument));
        }
        properties.insert(argument, Value::Object(schema));
    }
    if path.replace("{{ ", "").replace(" }}", "").contains(['{', '}']) {
        return Err(left_out("its path names a parameter that is not declared".to_owned()));
    }
    let body = body(document, operation, &mut schemas)?;
    if let Some((schema, needed)) = &body {
        if properties.contains_key(BODY) {
            return Err(left_out("it has a parameter `body` beside its body".to_owned()));
        }
        properties.insert(BODY.to_owned(), Value::Object(schema.clone()));
        if *needed {
            required.push(json!(BODY));
        }
    }
    let parameters = json!({
        "type": "object", "additionalProperties": false, "properties": properties, "required": required,
    });
    Ok(Request {
        url: format!("{}{path}{query}", operation.server),
        headers,
        body: body.map(|_| "{{ arguments.body | default({}) | tojson }}".to_owned()),
        parameters,
        notes: schemas.notes,
    })
}

/// The parameters of the path and of the operation; those of the operation count where both name one.
fn parameters<'d>(document: &'d Document, operation: &Operation<'d>) -> Result<Vec<&'d Value>, Trouble> {
    let mut all: Vec<&Value> = Vec::new();
    for holder in [operation.said, operation.item] {
        for parameter in holder.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let parameter = document.follow(parameter)?;
            let same = |other: &&Value| {
                other.get("name") == parameter.get("name") && other.get("in") == parameter.get("in")
            };
            if !all.iter().any(same) {
                all.push(parameter);
            }
        }
    }
    Ok(all)
}

/// The schema of a JSON body, and whether there must be one.
type Body = (Map<String, Value>, bool);

/// The body of an operation, if it takes one.
fn body(
    document: &Document,
    operation: &Operation<'_>,
    schemas: &mut Schemas<'_>,
) -> Result<Option<Body>, Trouble> {
    let Some(body) = operation.said.get("requestBody") else { return Ok(None) };
    let body = document.follow(body)?;
    let needed = body.get("required") == Some(&Value::Bool(true));
    let content = body.get("content").and_then(Value::as_object);
    let json = content.into_iter().flatten().find(|(kind, _)| kind.starts_with("application/json"));
    match json.and_then(|(_, media)| media.get("schema")) {
        Some(schema) => Ok(Some((schemas.read(schema)?, needed))),
        None if needed => Err(left_out("its body is not JSON".to_owned())),
        None => {
            schemas.notes.push("its optional body is not JSON and is left out".to_owned());
            Ok(None)
        }
    }
}

/// A path in which no template can hide: only `{name}` is more than its characters.
fn literal(path: &str) -> Result<String, Trouble> {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "/-._~:@!$&'()*+,;={}".contains(c));
    if path.contains("{{")
        || path.contains("{%")
        || path.contains("{#")
        || path.chars().any(odd)
        || !path.starts_with('/')
    {
        return Err(left_out("its path has characters that an address cannot have".to_owned()));
    }
    Ok(path.to_owned())
}

/// Names that may stand in an address, a header and a template.
fn plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// A name as templates can say it.
fn argument(name: &str) -> String {
    let safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if safe.starts_with(|c: char| c.is_ascii_digit()) { format!("p_{safe}") } else { safe }
}

fn query_part(name: &str, argument: &str, needed: bool, first: bool) -> String {
    let sign = if first { '?' } else { '&' };
    if needed {
        format!("{sign}{name}={{{{ arguments.{argument} }}}}")
    } else {
        // An optional first parameter leaves `?` to itself; what follows begins with `&`, which servers take.
        format!(
            "{}{{% if arguments.{argument} is defined %}}{}{name}={{{{ arguments.{argument} }}}}{{% endif %}}",
            if first { "?" } else { "" },
            if first { "" } else { "&" }
        )
    }
}

fn left_out(why: String) -> Trouble {
    Trouble::LeftOut(why)
}
