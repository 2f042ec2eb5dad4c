//! Arguments of a call, read strictly: no unknown field, no doubled key, bounded in size and depth.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::Bounds;

/// Reads the text of an arguments object as a model wrote it. The error says what to correct.
pub fn parse(text: &str, bounds: Bounds) -> Result<Value, String> {
    if text.len() > bounds.argument_bytes_max {
        return Err(format!("the arguments are larger than {} bytes", bounds.argument_bytes_max));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth_left: bounds.argument_depth_max }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| format!("the arguments are not one plain JSON object: {error}"))?;
    if value.is_object() { Ok(value) } else { Err("the arguments must be a JSON object".to_owned()) }
}

/// How deep a value nests: 1 for an object of scalars.
pub fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The first field of `value` that `schema` does not declare, wherever it stands: a schema that forgot
/// `additionalProperties: false` lets nothing more through.
pub(super) fn undeclared<'v>(schema: &Value, value: &'v Value) -> Option<&'v str> {
    match value {
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            match schema.get("properties").and_then(|properties| properties.get(key)) {
                Some(schema) => undeclared(schema, value),
                None => Some(key.as_str()),
            }
        }),
        Value::Array(items) => {
            let schema = schema.get("items").unwrap_or(&Value::Null);
            items.iter().find_map(|item| undeclared(schema, item))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Whether a whole number is written as a fraction (`1e3`, `10.0`): two spellings of one amount.
pub(super) fn has_disguised_integer(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64() && number.as_f64().is_none_or(|n| n.fract() == 0.0),
        Value::Object(map) => map.values().any(has_disguised_integer),
        Value::Array(items) => items.iter().any(has_disguised_integer),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// Reads one value, with so many levels left, refusing doubled keys.
struct Strict {
    depth_left: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is not finite"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| A::Error::custom("nested too deep"))?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Self { depth_left })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| A::Error::custom("nested too deep"))?;
        let mut map = Map::new();
        while let Some(key) = fields.next_key::<Key>()? {
            let value = fields.next_value_seed(Self { depth_left })?;
            if map.insert(key.0.clone(), value).is_some() {
                return Err(A::Error::custom(format!("`{}` is given twice", key.0)));
            }
        }
        Ok(Value::Object(map))
    }
}

#[derive(Deserialize)]
struct Key(String);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::tools::tests::{any_json, bounds};

    #[test]
    fn arguments_that_are_doubled_deep_large_or_no_object_are_refused() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(8), "]".repeat(8));
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(17_000));
        let endless = "[".repeat(100_000);
        for text in [
            r#"{"order_id":"HP-10042","order_id":"HP-10001"}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"{"a":1,"\u0061":2}"#,
            &deep,
            &large,
            &endless,
            "[]",
            "null",
            "\"x\"",
            "1",
            "",
            "{}{}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "{\"a\":01}",
        ] {
            assert!(parse(text, bounds()).is_err(), "{}", text.chars().take(60).collect::<String>());
        }
        let fits = format!("{{\"a\":{}1{}}}", "[".repeat(7), "]".repeat(7));
        assert!(parse(&fits, bounds()).is_ok());
    }

    #[test]
    fn fields_that_no_schema_declares_are_found_at_any_depth() {
        let schema = json!({"type": "object", "properties": {
            "a": {"type": "string"}, "b": {"type": "object", "properties": {"c": {}}},
            "d": {"type": "array", "items": {"type": "object", "properties": {"e": {}}}},
        }});
        assert_eq!(undeclared(&schema, &json!({"a": "x", "b": {"c": 1}, "d": [{"e": 1}]})), None);
        for (value, field) in [
            (json!({"customer_id": "cust-0002"}), "customer_id"),
            (json!({"b": {"x": 1}}), "x"),
            (json!({"b": {"c": {"deep": 1}}}), "deep"),
            (json!({"d": [{"e": 1}, {"f": 1}]}), "f"),
        ] {
            assert_eq!(undeclared(&schema, &value), Some(field));
        }
    }

    proptest! {
        #[test]
        fn strict_reading_gives_what_was_written(value in any_json()) {
            let value = json!({"v": value});
            let read = parse(&value.to_string(), bounds());
            if depth(&value) <= 8 && value.to_string().len() <= 16_384 {
                prop_assert_eq!(read, Ok(value));
            } else {
                prop_assert!(read.is_err());
            }
        }

        #[test]
        fn strict_reading_never_panics(text in ".{0,200}") {
            let _ = parse(&text, bounds());
        }
    }
}
