//! Schemas as servers write them: those of pydantic and zod, and those that say more than `properties`.

use proptest::prelude::*;

use super::*;
use crate::config::{Config, Sources};
use crate::tools::arguments::undeclared;
use crate::tools::tests::any_json;

fn read(schema: Value) -> Result<Value, String> {
    let Value::Object(schema) = schema else { panic!("{schema}") };
    simplified(&schema, &Config::load(Sources::default()).unwrap().mcp)
}

/// What becomes of one optional argument; `None`: it is left out.
fn optional(property: &Value) -> Option<Value> {
    let read = read(json!({"type": "object", "properties": {"a": property}})).unwrap();
    read["properties"].get("a").cloned()
}

#[test]
fn optional_values_as_pydantic_and_zod_write_them_become_lists_of_types() {
    for (written, simple) in [
        (
            json!({"anyOf": [{"type": "string"}, {"type": "null"}], "default": null, "title": "A"}),
            json!({"type": ["string", "null"]}),
        ),
        (
            json!({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "description": "How many."}),
            json!({"type": ["integer", "null"], "minimum": 1, "description": "How many."}),
        ),
        (
            json!({"anyOf": [{"$ref": "#/$defs/Size"}, {"type": "null"}]}),
            json!({"type": ["string", "null"], "enum": ["s", "m", null]}),
        ),
        (
            json!({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
            json!({"type": ["array", "null"], "items": {"type": "string"}}),
        ),
        (
            json!({"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}]}),
            json!({"type": ["object", "null"], "additionalProperties": false, "properties": {"city": {"type": "string"}}}),
        ),
        (
            json!({"allOf": [{"$ref": "#/$defs/Size"}], "description": "The size."}),
            json!({"type": "string", "enum": ["s", "m"], "description": "The size."}),
        ),
        (json!({"anyOf": [{"const": "a"}, {"const": "b"}]}), json!({"enum": ["a", "b"]})),
        (
            json!({"anyOf": [{"type": "string", "const": "a"}, {"type": "string", "const": "b"}, {"type": "null"}]}),
            json!({"enum": ["a", "b", null]}),
        ),
        (json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}), json!({"type": ["string", "integer"]})),
        (
            json!({"type": ["string", "null"], "maxLength": 5}),
            json!({"type": ["string", "null"], "maxLength": 5}),
        ),
        (
            json!({"type": "array", "items": {"$ref": "#/$defs/Place"}}),
            json!({"type": "array", "items":
                {"type": "object", "additionalProperties": false, "properties": {"city": {"type": "string"}}}}),
        ),
    ] {
        let defs = json!({
            "Size": {"type": "string", "enum": ["s", "m"], "title": "Size"},
            "Place": {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": true},
        });
        let whole = json!({"$schema": "x", "type": "object", "$defs": defs, "properties": {"a": written}});
        let read = read(whole).unwrap();
        assert_eq!(read["properties"]["a"], simple);
        validator(&read).unwrap();
    }
}

#[test]
fn an_argument_that_takes_anything_is_left_out_or_keeps_its_tool_from_being_offered() {
    for written in [
        json!({}),
        json!(true),
        json!({"type": "object"}),
        json!({"type": ["object", "null"]}),
        json!({"type": "object", "additionalProperties": {"type": "string"}}),
        json!({"type": "array"}),
        json!({"type": "array", "items": {}}),
        json!({"type": "any"}),
        json!({"type": "string", "not": {"const": "x"}}),
        json!({"anyOf": [{"type": "string"}, {"type": "object", "properties": {"x": {"type": "string"}}}]}),
        json!({"anyOf": [{"type": "null"}]}),
        json!({"$ref": "#/nowhere"}),
        json!({"$ref": "https://shop.example/schema"}),
        json!({"$ref": "#/properties/a"}),
        json!({"enum": [{"x": 1}]}),
    ] {
        assert_eq!(optional(&written), None, "{written}");
        let required = json!({"type": "object", "required": ["a"], "properties": {"a": written}});
        assert!(read(required).unwrap_err().starts_with("`a`: "));
    }
    for whole in [
        json!({"type": "object", "required": ["b"], "properties": {}}),
        json!({"type": "object", "anyOf": [{"required": ["a"]}]}),
        json!({"type": "object", "unevaluatedProperties": true}),
        json!({"type": "string"}),
        json!({"$ref": "#"}),
    ] {
        assert!(read(whole.clone()).is_err(), "{whole}");
    }
}

#[test]
fn words_of_no_form_and_patterns_of_no_end_are_lost_and_descriptions_are_cleaned() {
    let written = json!({
        "type": "string", "minLength": "many", "maxLength": 9, "exclusiveMinimum": true, "pattern": "(?=x)(a+)+$",
        "description": "Say\u{200b}\n\u{1b}[2Jthis.", "x-secret": 1, "title": "Free gift", "default": {"a": 1},
    });
    let simple = json!({"type": "string", "maxLength": 9, "description": "Say [2Jthis."});
    assert_eq!(optional(&written), Some(simple));
    for name in ["", "a b", "a\n", "ä", &"n".repeat(65)] {
        let read = read(json!({"type": "object", "properties": {name: {"type": "string"}}})).unwrap();
        assert_eq!(read["properties"], json!({}), "{name:?}");
    }
}

#[test]
fn a_small_document_cannot_grow_a_large_one() {
    let double = |name: &str, next: &str| {
        let both =
            json!({"x": {"$ref": format!("#/$defs/{next}")}, "y": {"$ref": format!("#/$defs/{next}")}});
        (name.to_owned(), json!({"type": "object", "required": ["x", "y"], "properties": both}))
    };
    let mut defs: Map<String, Value> =
        (0..12).map(|n| double(&format!("d{n}"), &format!("d{}", n + 1))).collect();
    defs.insert("d12".to_owned(), json!({"type": "string", "description": "z".repeat(100)}));
    let whole = json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": defs});
    assert!(read(whole).unwrap_err().contains("too great length"));
}

proptest! {
    #[test]
    fn whatever_a_server_writes_no_field_passes_that_is_not_named(schema in any_json(), given in any_json()) {
        let whole = json!({"type": "object", "properties": {"a": schema.clone(), "b": {"anyOf": [schema, {"type": "null"}]}}});
        let read = read(whole).unwrap();
        let compiled = validator(&read).unwrap();
        let given = json!({"a": given});
        if compiled.is_valid(&given) {
            prop_assert_eq!(undeclared(&read, &given), None);
        }
    }
}
