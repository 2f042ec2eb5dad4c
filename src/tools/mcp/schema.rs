//! The arguments of a server's tool, in the few words of JSON Schema with which `properties` is the whole truth.
//!
//! A schema is built anew from the words we know, so nothing that a server writes can allow a field that is not named.
//! What only narrows a value further may be lost: the server checks its own arguments. References inside the document
//! are put in their place, and the alternatives with which optional values are written (`anyOf` with `null`) become
//! lists of types. An argument that cannot be said this way is left out if it is optional; a tool that needs it is
//! refused.

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value, json};

use super::words::clean;
use crate::config::Mcp;

/// Deepest nesting of a schema, references followed.
const DEPTH_MAX: usize = 16;
/// Longest name of an argument.
const NAME_CHARS_MAX: usize = 64;

/// Whether what follows a word has the form that it should.
type Form = fn(&Value) -> bool;

/// Words that say what a value must be, kept as they are when they have the form that they should.
const KEPT: [(&str, Form); 12] = [
    ("minimum", Value::is_number),
    ("maximum", Value::is_number),
    ("exclusiveMinimum", Value::is_number),
    ("exclusiveMaximum", Value::is_number),
    ("multipleOf", |value| value.as_f64().is_some_and(|number| number > 0.0)),
    ("minLength", Value::is_u64),
    ("maxLength", Value::is_u64),
    ("minItems", Value::is_u64),
    ("maxItems", Value::is_u64),
    ("uniqueItems", Value::is_boolean),
    ("enum", |value| {
        value.as_array().is_some_and(|values| !values.is_empty() && values.iter().all(is_scalar))
    }),
    ("const", is_scalar),
];
/// Words at the top that would allow, or ask for, what `properties` does not say.
const UNSUPPORTED: [&str; 9] = [
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "patternProperties",
    "dependentSchemas",
    "unevaluatedProperties",
];

/// The same arguments in our words; the error says why the tool cannot be offered.
pub(super) fn simplified(schema: &Map<String, Value>, bounds: &Mcp) -> Result<Value, String> {
    let root = Value::Object(schema.clone());
    let mut reader =
        Reader { root: &root, chars_max: bounds.description_chars_max, bytes_left: bounds.schema_bytes_max };
    if let Some(word) = UNSUPPORTED.iter().find(|word| schema.contains_key(**word)) {
        return Err(format!("its arguments use `{word}`"));
    }
    let top = reader.resolved(&root, 0)?;
    if top.get("type").is_some_and(|kind| kind != "object") {
        return Err("its arguments are no object".to_owned());
    }
    reader.object(top, 0)
}

/// Compiles what [`simplified`] gave. Patterns are matched in time that grows with the text alone.
pub(super) fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|error| format!("its arguments are no JSON Schema: {}", clean(&error.to_string(), 200)))
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

struct Reader<'a> {
    root: &'a Value,
    chars_max: usize,
    /// What may still be written: references may grow a small document without end.
    bytes_left: usize,
}

impl<'a> Reader<'a> {
    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes_left =
            self.bytes_left.checked_sub(bytes).ok_or("its arguments are described at too great length")?;
        Ok(())
    }

    /// What a schema is once its reference inside the document is followed.
    fn resolved(&self, schema: &'a Value, depth: usize) -> Result<&'a Map<String, Value>, String> {
        let mut schema = schema;
        for _ in depth..DEPTH_MAX {
            let map = schema.as_object().ok_or("a schema is no object")?;
            let Some(reference) = map.get("$ref") else { return Ok(map) };
            let place = reference.as_str().and_then(|reference| reference.strip_prefix('#'));
            let place = place.ok_or("a reference leads outside")?;
            schema = self.root.pointer(place).ok_or("a reference leads nowhere")?;
        }
        Err("its arguments nest without end".to_owned())
    }

    fn object(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Result<Value, String> {
        let named = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let required: Vec<&str> = named.filter_map(Value::as_str).collect();
        let mut properties = Map::new();
        let declared = schema.get("properties").and_then(Value::as_object);
        for (name, property) in declared.into_iter().flatten() {
            match self.property(name, property, depth + 1) {
                Ok(property) => drop(properties.insert(name.clone(), property)),
                Err(problem) if required.contains(&name.as_str()) => {
                    return Err(format!("`{}`: {problem}", clean(name, NAME_CHARS_MAX)));
                }
                // Nobody has to give it.
                Err(_) => {}
            }
        }
        if let Some(name) = required.iter().find(|name| !properties.contains_key(**name)) {
            return Err(format!("it needs `{}` and does not say what that is", clean(name, NAME_CHARS_MAX)));
        }
        let mut simple = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if !required.is_empty() {
            simple["required"] = json!(required);
        }
        Ok(simple)
    }

    fn property(&mut self, name: &str, schema: &'a Value, depth: usize) -> Result<Value, String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(fits) {
            return Err("its name is no name".to_owned());
        }
        self.spend(name.len())?;
        self.value(schema, depth)
    }

    fn value(&mut self, schema: &'a Value, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err("its arguments nest without end".to_owned());
        }
        let around = schema.as_object();
        let schema = self.resolved(schema, depth)?;
        let mut simple = match alternatives(schema) {
            Some(alternatives) => self.one_of(alternatives, depth)?,
            None => self.plain(schema, depth)?,
        };
        let described = around.and_then(|around| around.get("description")).or(schema.get("description"));
        if let Some(description) = described.and_then(Value::as_str) {
            let description = clean(description, self.chars_max);
            self.spend(description.len())?;
            simple["description"] = Value::from(description);
        }
        Ok(simple)
    }

    /// A value without alternatives.
    fn plain(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Result<Value, String> {
        let kinds = kinds(schema)?;
        if kinds.contains(&"object") {
            if schema.get("properties").and_then(Value::as_object).is_none_or(Map::is_empty) {
                return Err("it takes an object of any fields".to_owned());
            }
            return self.object(schema, depth).map(|object| or_null(object, kinds.contains(&"null")));
        }
        let mut simple = Map::new();
        match kinds.as_slice() {
            [] => {}
            [kind] => drop(simple.insert("type".to_owned(), json!(kind))),
            kinds => drop(simple.insert("type".to_owned(), json!(kinds))),
        }
        for (word, fits) in KEPT {
            if let Some(value) = schema.get(word).filter(|value| fits(value)) {
                self.spend(value.to_string().len())?;
                simple.insert(word.to_owned(), value.clone());
            }
        }
        if let Some(pattern) =
            schema.get("pattern").and_then(Value::as_str).filter(|p| regex::Regex::new(p).is_ok())
        {
            self.spend(pattern.len())?;
            simple.insert("pattern".to_owned(), Value::from(pattern));
        }
        let says_what = simple.contains_key("enum") || simple.contains_key("const");
        if kinds.is_empty() && !says_what {
            return Err("it does not say what kind of value it takes".to_owned());
        }
        if kinds.contains(&"array") {
            let items = schema.get("items").ok_or("it takes a list of anything")?;
            let items = self.value(items, depth + 1)?;
            simple.insert("items".to_owned(), items);
        }
        Ok(Value::Object(simple))
    }

    /// One of several: of simple values, or of one thing and nothing.
    fn one_of(&mut self, alternatives: &'a [Value], depth: usize) -> Result<Value, String> {
        let mut some = Vec::new();
        let mut nullable = false;
        for alternative in alternatives {
            let simple = self.value(alternative, depth + 1)?;
            if simple.get("type").is_some_and(|kind| kind == "null") {
                nullable = true;
            } else {
                some.push(simple);
            }
        }
        match some.len() {
            0 => Err("it takes nothing".to_owned()),
            1 => Ok(or_null(some.swap_remove(0), nullable)),
            _ => merged(&some).map(|merged| or_null(merged, nullable)),
        }
    }
}

/// The alternatives of a value, if that is how it is described.
fn alternatives(schema: &Map<String, Value>) -> Option<&[Value]> {
    ["anyOf", "oneOf"].iter().find_map(|word| Some(schema.get(*word)?.as_array()?.as_slice())).or_else(|| {
        // Of one element, all and any are the same.
        schema.get("allOf")?.as_array().map(Vec::as_slice).filter(|all| all.len() == 1)
    })
}

/// The kinds of value that a schema names.
fn kinds(schema: &Map<String, Value>) -> Result<Vec<&str>, String> {
    for word in ["allOf", "not", "if", "patternProperties", "$dynamicRef"] {
        if schema.contains_key(word) {
            return Err(format!("it uses `{word}`"));
        }
    }
    let known = |kind: &Value| {
        let kind = kind.as_str()?;
        ["string", "integer", "number", "boolean", "array", "object", "null"].into_iter().find(|k| *k == kind)
    };
    let kinds = match schema.get("type") {
        None => Some(Vec::new()),
        Some(Value::Array(kinds)) => kinds.iter().map(known).collect(),
        Some(kind) => known(kind).map(|kind| vec![kind]),
    };
    kinds.ok_or_else(|| "it takes an unknown kind of value".to_owned())
}

/// A value that may also be null.
fn or_null(mut simple: Value, nullable: bool) -> Value {
    if !nullable {
        return simple;
    }
    if let Some(values) = simple.get_mut("enum").and_then(Value::as_array_mut)
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    if let Some(only) = simple.as_object_mut().and_then(|simple| simple.remove("const")) {
        simple["enum"] = json!([only, null]);
    }
    match simple.get("type").cloned() {
        Some(Value::String(kind)) if kind != "null" => simple["type"] = json!([kind, "null"]),
        Some(Value::Array(mut kinds)) if !kinds.contains(&json!("null")) => {
            kinds.push(json!("null"));
            simple["type"] = Value::Array(kinds);
        }
        Some(_) | None => {}
    }
    simple
}

/// One description of several simple values: their kinds together, or the values themselves. What else narrows each of
/// them is the server's to check.
fn merged(some: &[Value]) -> Result<Value, String> {
    let mut kinds: Vec<Value> = Vec::new();
    let mut values: Option<Vec<Value>> = Some(Vec::new());
    for simple in some {
        let own = match simple.get("type") {
            Some(Value::Array(kinds)) => kinds.clone(),
            Some(kind) => vec![kind.clone()],
            None => Vec::new(),
        };
        if own.iter().any(|kind| kind == "object" || kind == "array") {
            return Err("it takes one of several kinds of lists or objects".to_owned());
        }
        let named = match (simple.get("const"), simple.get("enum").and_then(Value::as_array)) {
            (Some(only), _) => Some(vec![only.clone()]),
            (None, several) => several.cloned(),
        };
        values = values.zip(named).map(|(all, named)| all.into_iter().chain(named).collect());
        for kind in own {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    match (values, kinds.is_empty()) {
        (Some(values), _) => Ok(json!({ "enum": values })),
        (None, false) => Ok(json!({ "type": kinds })),
        (None, true) => Err("it does not say what kind of value it takes".to_owned()),
    }
}

#[cfg(test)]
mod tests;
