//! Schemas of the document as schemas of arguments: references put in, what code cannot check left out.

use serde_json::{Map, Value, json};

use super::document::Document;
use super::{Trouble, fields, short};

/// Deepest schema: arguments that nest deeper are refused anyway.
const DEPTH_MAX: usize = 7;
/// Most schemas that one operation may unfold into.
const SCHEMAS_MAX: usize = 400;
/// Words that are taken over as they are.
const KEPT: [&str; 13] = [
    "enum",
    "const",
    "default",
    "format",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "title",
];
/// Words that cannot be expressed where every field must be declared.
const REFUSED: [&str; 6] =
    ["not", "if", "patternProperties", "unevaluatedProperties", "$dynamicRef", "prefixItems"];

/// Reads the schemas of one operation.
pub(super) struct Schemas<'d> {
    document: &'d Document,
    /// The references that are being unfolded.
    trail: Vec<String>,
    count: usize,
    /// What was left out of the operation, for the reviewer.
    pub(super) notes: Vec<String>,
}

impl<'d> Schemas<'d> {
    pub(super) fn new(document: &'d Document) -> Self {
        Self { document, trail: Vec::new(), count: 0, notes: Vec::new() }
    }

    /// The schema without references, alternatives of objects, or words that leave fields open.
    pub(super) fn read(&mut self, schema: &Value) -> Result<Map<String, Value>, Trouble> {
        self.at(schema, 0)
    }

    fn at(&mut self, schema: &Value, depth: usize) -> Result<Map<String, Value>, Trouble> {
        self.count += 1;
        if depth > DEPTH_MAX {
            return Err(left_out(format!("its schema nests deeper than {DEPTH_MAX}")));
        }
        if self.count > SCHEMAS_MAX {
            return Err(left_out(format!("its schema has more than {SCHEMAS_MAX} parts")));
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            // A chain of bare references that never reaches a schema is a broken document.
            self.document.follow(schema)?;
            if self.trail.iter().any(|passed| passed == reference) {
                let way = self.trail.join(" → ");
                return Err(left_out(format!("its schema contains itself ({way} → {reference})")));
            }
            let target = self.document.target(reference)?;
            self.trail.push(reference.to_owned());
            let read = self.at(target, depth);
            self.trail.pop();
            return read;
        }
        if let Some(word) = REFUSED.iter().find(|word| schema.get(**word).is_some()) {
            return Err(left_out(format!("its schema uses `{word}`, which cannot be checked")));
        }
        for word in ["oneOf", "anyOf"] {
            if let Some(choices) = schema.get(word).and_then(Value::as_array) {
                return self.alternatives(word, choices, schema, depth);
            }
        }
        let mut read = self.plain(schema, depth)?;
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            let part = self.at(part, depth)?;
            merge(&mut read, part);
        }
        let is_object = read.get("type").is_some_and(|kind| names_type(kind, "object"));
        if is_object && read.get("properties").and_then(Value::as_object).is_none_or(Map::is_empty) {
            return Err(left_out("it is an object whose fields are not declared".to_owned()));
        }
        Ok(read)
    }

    fn plain(&mut self, schema: &Value, depth: usize) -> Result<Map<String, Value>, Trouble> {
        let mut read = Map::new();
        for word in KEPT {
            match schema.get(word) {
                Some(Value::Array(items)) => {
                    let items = items.iter().filter(|item| !item.is_null()).cloned().collect();
                    read.insert(word.to_owned(), Value::Array(items));
                }
                Some(Value::Null) | None => {}
                Some(value) => drop(read.insert(word.to_owned(), value.clone())),
            }
        }
        if let Some(text) = schema.get("description").and_then(Value::as_str) {
            read.insert("description".to_owned(), json!(short(text)));
        }
        self.bounds(schema, &mut read);
        let kind = match schema.get("type") {
            Some(kind) => Some(kind.clone()),
            None if schema.get("properties").is_some() => Some(json!("object")),
            None if schema.get("items").is_some() => Some(json!("array")),
            None => None,
        };
        if let Some(kind) = kind {
            let nullable = schema.get("nullable") == Some(&Value::Bool(true));
            read.insert("type".to_owned(), if nullable { or_null(&kind) } else { kind });
        }
        if let Some(items) = schema.get("items") {
            read.insert("items".to_owned(), Value::Object(self.at(items, depth + 1)?));
        }
        if schema.get("properties").is_some() {
            self.properties(schema, depth, &mut read)?;
        }
        Ok(read)
    }

    /// Patterns that our validator knows, and the exclusive bounds of both versions of OpenAPI.
    fn bounds(&mut self, schema: &Value, read: &mut Map<String, Value>) {
        if let Some(pattern) = schema.get("pattern") {
            if jsonschema::validator_for(&json!({"pattern": pattern})).is_ok() {
                read.insert("pattern".to_owned(), pattern.clone());
            } else {
                self.notes.push(format!("the pattern {pattern} is not understood and not checked"));
            }
        }
        for (word, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
            match schema.get(word) {
                Some(Value::Bool(true)) => {
                    if let Some(value) = read.remove(bound) {
                        read.insert(word.to_owned(), value);
                    }
                }
                Some(value @ Value::Number(_)) => drop(read.insert(word.to_owned(), value.clone())),
                Some(_) | None => {}
            }
        }
    }

    fn properties(
        &mut self,
        schema: &Value,
        depth: usize,
        read: &mut Map<String, Value>,
    ) -> Result<(), Trouble> {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut properties = Map::new();
        let mut kept = Vec::new();
        for (name, property) in fields(schema.get("properties")) {
            if self.document.follow(property)?.get("readOnly") == Some(&Value::Bool(true)) {
                continue;
            }
            let needed = required.contains(&name.as_str());
            let read = if name.is_empty() || name.chars().any(char::is_control) {
                Err(left_out("its name cannot be written".to_owned()))
            } else {
                self.at(property, depth + 1)
            };
            match read {
                Ok(property) => {
                    properties.insert(name.clone(), Value::Object(property));
                    kept.extend(needed.then(|| json!(name)));
                }
                Err(Trouble::LeftOut(why)) if needed => {
                    return Err(left_out(format!("it needs the field `{name}`, but {why}")));
                }
                Err(Trouble::LeftOut(why)) => {
                    self.notes.push(format!("the optional field `{name}` is left out: {why}"));
                }
                Err(broken @ Trouble::Broken(_)) => return Err(broken),
            }
        }
        read.insert("properties".to_owned(), Value::Object(properties));
        if !kept.is_empty() {
            read.insert("required".to_owned(), Value::Array(kept));
        }
        Ok(())
    }

    /// `oneOf` and `anyOf`: one schema or null, or scalars of several types; nothing else can be checked field by field.
    fn alternatives(
        &mut self,
        word: &str,
        choices: &[Value],
        schema: &Value,
        depth: usize,
    ) -> Result<Map<String, Value>, Trouble> {
        let choices_left: Vec<&Value> =
            choices.iter().filter(|one| one.get("type") != Some(&json!("null"))).collect();
        let mut read = Vec::new();
        for choice in &choices_left {
            read.push(self.at(choice, depth)?);
        }
        let null = choices_left.len() < choices.len() || schema.get("nullable") == Some(&Value::Bool(true));
        let simple = |map: &Map<String, Value>| {
            map.get("type").and_then(Value::as_str).is_some_and(|kind| !matches!(kind, "object" | "array"))
        };
        let mut one = if let [_] = choices_left.as_slice() {
            read.remove(0)
        } else if !read.is_empty() && read.iter().all(simple) {
            let mut kinds: Vec<Value> = Vec::new();
            for kind in read.iter().filter_map(|map| map.get("type")) {
                if !kinds.contains(kind) {
                    kinds.push(kind.clone());
                }
            }
            self.notes.push(format!("alternatives (`{word}`) are checked by their type only"));
            Map::from_iter([("type".to_owned(), Value::Array(kinds))])
        } else {
            return Err(left_out(format!("it offers alternatives (`{word}`) that cannot be checked")));
        };
        if let (true, Some(kind)) = (null, one.get("type").cloned()) {
            one.insert("type".to_owned(), or_null(&kind));
        }
        if let Some(text) = schema.get("description").and_then(Value::as_str) {
            one.insert("description".to_owned(), json!(short(text)));
        }
        Ok(one)
    }
}

fn left_out(why: String) -> Trouble {
    Trouble::LeftOut(why)
}

fn names_type(kind: &Value, name: &str) -> bool {
    kind == name || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == name))
}

fn or_null(kind: &Value) -> Value {
    let mut kinds = kind.as_array().cloned().unwrap_or_else(|| vec![kind.clone()]);
    if !kinds.contains(&json!("null")) {
        kinds.push(json!("null"));
    }
    Value::Array(kinds)
}

/// Adds the fields of one part of `allOf`; what both say, the first says.
fn merge(whole: &mut Map<String, Value>, part: Map<String, Value>) {
    for (word, value) in part {
        match (whole.get_mut(&word), value) {
            (Some(Value::Object(have)), Value::Object(more)) => {
                for (name, schema) in more {
                    have.entry(name).or_insert(schema);
                }
            }
            (Some(Value::Array(have)), Value::Array(more)) if word == "required" => {
                for name in more {
                    if !have.contains(&name) {
                        have.push(name);
                    }
                }
            }
            (Some(_), _) => {}
            (None, value) => drop(whole.insert(word, value)),
        }
    }
}
