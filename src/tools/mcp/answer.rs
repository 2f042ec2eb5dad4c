//! What a tool of a server gave back, as one bounded JSON value.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

use super::call::unreadable;
use super::words::clean;
use crate::domain::receipt::{CallStatus, Effect};
use crate::tools::dispatch::{ERROR_CHARS_MAX, failure};
use crate::tools::{Bounds, arguments};

/// What a result means. A tool that says it failed has refused where its failing leaves everything `undone`; what
/// other failed writes did nobody knows. Its words say why.
pub(super) fn read(
    result: CallToolResult,
    effect: Effect,
    undone: bool,
    bounds: Bounds,
) -> (CallStatus, Value) {
    if result.is_error == Some(true) {
        let (texts, _) = parts(&result.content);
        let status = if undone { CallStatus::Refused } else { CallStatus::Unknown };
        return (status, failure("refused", &message(&texts.join(" "))));
    }
    let value = value(result);
    if arguments::depth(&value) > bounds.response_depth_max {
        return unreadable(effect, "too_deep");
    }
    if value.to_string().len() > bounds.response_bytes_max {
        return unreadable(effect, "too_large");
    }
    (CallStatus::Done, value)
}

/// Words of the other side that are kept in a receipt.
pub(super) fn message(text: &str) -> String {
    clean(text, ERROR_CHARS_MAX)
}

/// The structured result; else its text, read as JSON if it is an object or a list. What is neither is named.
fn value(result: CallToolResult) -> Value {
    if let Some(structured) = result.structured_content.filter(|value| !value.is_null()) {
        return structured;
    }
    let (texts, left_out) = parts(&result.content);
    let text = texts.join("\n");
    let mut value = match serde_json::from_str::<Value>(&text) {
        Ok(value) if value.is_object() || value.is_array() => value,
        Ok(_) | Err(_) => json!({ "text": text }),
    };
    if let Value::Object(map) = &mut value
        && !left_out.is_empty()
        && !map.contains_key("left_out")
    {
        map.insert("left_out".to_owned(), json!(left_out));
    }
    value
}

/// The texts, and the kinds of everything else.
fn parts(content: &[ContentBlock]) -> (Vec<&str>, Vec<&'static str>) {
    let (mut texts, mut left_out) = (Vec::new(), Vec::new());
    for block in content {
        match block {
            ContentBlock::Text(text) => texts.push(text.text.as_str()),
            ContentBlock::Image(_) => left_out.push("image"),
            ContentBlock::Audio(_) => left_out.push("audio"),
            ContentBlock::Resource(_) => left_out.push("resource"),
            ContentBlock::ResourceLink(_) => left_out.push("link"),
            _ => left_out.push("unknown"),
        }
    }
    (texts, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::tests::bounds;

    fn read_as(effect: Effect, result: Value) -> (CallStatus, Value) {
        read(serde_json::from_value(result).unwrap(), effect, effect == Effect::Read, bounds())
    }

    fn text(text: &str) -> Value {
        json!({"content": [{"type": "text", "text": text}]})
    }

    #[test]
    fn a_result_is_its_structure_else_its_json_else_its_text() {
        let both = json!({"content": [{"type": "text", "text": "x"}], "structuredContent": {"id": 1}});
        for (result, value) in [
            (both, json!({"id": 1})),
            (text("{\"id\": 1}"), json!({"id": 1})),
            (text("[1, 2]"), json!([1, 2])),
            (text("on its way"), json!({"text": "on its way"})),
            (text("42"), json!({"text": "42"})),
            (json!({"content": []}), json!({"text": ""})),
        ] {
            assert_eq!(read_as(Effect::Read, result), (CallStatus::Done, value));
        }
    }

    #[test]
    fn pictures_are_left_out_and_named() {
        let picture = json!({"type": "image", "data": "AAAA", "mimeType": "image/png"});
        let result = json!({"content": [{"type": "text", "text": "see"}, picture]});
        let value = read_as(Effect::Read, result).1;
        assert_eq!(value, json!({"text": "see", "left_out": ["image"]}));
    }

    #[test]
    fn an_error_is_a_refusal_in_bounded_words() {
        let said = format!("shipped\u{7} already {}", "x".repeat(9000));
        let result = json!({"content": [{"type": "text", "text": said}], "isError": true});
        assert_eq!(read_as(Effect::Write, result.clone()).0, CallStatus::Unknown);
        let vouched = serde_json::from_value(result).unwrap();
        let (status, value) = read(vouched, Effect::Write, true, bounds());
        assert_eq!(status, CallStatus::Refused);
        let message = value["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("shipped already x") && message.len() <= 500, "{message}");
    }

    #[test]
    fn what_is_too_deep_or_too_large_is_not_taken_and_a_write_is_then_unknown() {
        let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
        for result in [text(&deep), text(&"x".repeat(1_100_000))] {
            assert_eq!(read_as(Effect::Read, result.clone()).0, CallStatus::Failed);
            assert_eq!(read_as(Effect::Write, result).0, CallStatus::Unknown);
        }
    }
}
