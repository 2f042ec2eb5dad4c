//! Whether an answer that arrived may be used: whole, in its role, and in the shape that was asked for.

use std::collections::HashSet;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::{ChatRequest, ModelError, OutputSchema, Side, ToolCall};
use super::answer::{Answer, Call};
use super::bounds::nests_within;

/// The text and the calls of an answer that may be used.
pub(super) fn judge(
    answer: &Answer,
    request: &ChatRequest,
    depth_max: usize,
) -> Result<(String, Vec<ToolCall>), ModelError> {
    if answer.refused {
        return Err(ModelError::Refused);
    }
    whole(&answer.finish)?;
    let calls = calls(&answer.calls, request, depth_max)?;
    let text = answer.text.trim();
    if text.is_empty() && calls.is_empty() {
        return Err(ModelError::Malformed("it is empty"));
    }
    let text = match &request.output {
        Some(schema) if calls.is_empty() => shaped(text, schema, depth_max)?,
        Some(_) | None => text.to_owned(),
    };
    Ok((text, calls))
}

/// Whether the answer was ended by the model. Servers have reasons of their own; those known to mean that
/// something is missing are errors, and all others are an end.
fn whole(finish: &str) -> Result<(), ModelError> {
    match finish.to_ascii_lowercase().as_str() {
        "length" | "max_tokens" | "model_length" | "max_output_tokens" => {
            Err(ModelError::TooLong(Side::Answer))
        }
        "content_filter" | "refusal" | "safety" | "recitation" | "prohibited_content" | "blocklist" => {
            Err(ModelError::Refused)
        }
        "error" | "abort" | "aborted" | "cancelled" | "timeout" | "insufficient_system_resource" => {
            Err(ModelError::Unavailable {
                cause: "the model stopped before its end".to_owned(),
                after_ms: None,
            })
        }
        _ => Ok(()),
    }
}

fn calls(calls: &[Call], request: &ChatRequest, depth_max: usize) -> Result<Vec<ToolCall>, ModelError> {
    let before = super::calls_so_far(request);
    let mut taken: HashSet<Arc<str>> = before.map(|call| call.id.clone()).collect();
    let mut next = taken.len();
    let mut judged = Vec::with_capacity(calls.len());
    for call in calls {
        if call.name.is_empty() {
            return Err(ModelError::Malformed("a call has no name"));
        }
        let arguments = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_str() };
        if !nests_within(arguments.as_bytes(), depth_max) {
            return Err(ModelError::Malformed("the arguments of a call nest too deep"));
        }
        // Wrong JSON is the model's to correct; JSON that ends in its middle was cut.
        if serde_json::from_str::<IgnoredAny>(arguments).is_err_and(|error| error.is_eof()) {
            return Err(ModelError::Malformed("a call was cut in its arguments"));
        }
        let mut id: Arc<str> = call.id.as_str().into();
        while id.is_empty() || taken.contains(&id) {
            next += 1;
            id = super::call_name(next);
        }
        taken.insert(id.clone());
        judged.push(ToolCall { id, name: call.name.as_str().into(), arguments: arguments.into() });
    }
    Ok(judged)
}

/// The JSON in `text`, if it has the shape. Models that were told in words like to fence it.
fn shaped(text: &str, schema: &OutputSchema, depth_max: usize) -> Result<String, ModelError> {
    let wrong = ModelError::Malformed("it does not have the shape that was asked for");
    let json = unfenced(text);
    if !nests_within(json.as_bytes(), depth_max) {
        return Err(ModelError::Malformed("its JSON nests too deep"));
    }
    match serde_json::from_str::<Value>(json) {
        Ok(value) if schema.allows(&value) => Ok(json.to_owned()),
        Ok(_) | Err(_) => Err(wrong),
    }
}

fn unfenced(text: &str) -> &str {
    let inside = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inside.map_or(text, |inside| inside.strip_prefix("json").unwrap_or(inside).trim())
}
