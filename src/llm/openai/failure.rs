//! What an endpoint's refusal means, from its status and its error code in any of their dialects.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::{ModelError, Side};

/// Longest error code kept.
const CODE_CHARS_MAX: usize = 64;

/// What an error body says, as far as machines can use it. Its prose may quote a prompt or a key: it is looked at
/// for known phrases and not kept.
#[derive(Default)]
struct Said {
    code: String,
    kind: String,
    message: String,
}

impl Said {
    fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.code == *word || self.kind == *word)
    }

    fn too_long(&self) -> bool {
        const PHRASES: [&str; 4] = ["context length", "context size", "context window", "maximum context"];
        self.says(&["context_length_exceeded", "string_above_max_length", "exceed_context_size_error"])
            || PHRASES.iter().any(|phrase| self.message.contains(phrase))
    }

    fn filtered(&self) -> bool {
        self.says(&["content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"])
    }

    fn unpaid(&self) -> bool {
        self.says(&["insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"])
    }

    /// The code for messages: letters, digits and a few signs.
    fn shown(&self) -> String {
        let text = if self.code.is_empty() { &self.kind } else { &self.code };
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        text.chars().filter(plain).take(CODE_CHARS_MAX).collect()
    }
}

/// `{"error":{…}}`, `{"error":"…"}`, or the fields at the top.
fn read(body: &[u8]) -> Said {
    #[derive(Deserialize)]
    struct Wrapped {
        error: Value,
    }
    let inner = serde_json::from_slice::<Wrapped>(body).map(|wrapped| wrapped.error);
    match inner.or_else(|_| serde_json::from_slice(body)) {
        Ok(value) => said(&value),
        Err(_) => Said::default(),
    }
}

fn said(value: &Value) -> Said {
    let text = |name: &str| match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let inner = value.pointer("/innererror/code").and_then(Value::as_str).unwrap_or_default();
    let kind = if inner.is_empty() { text("type") } else { inner.to_owned() };
    let message = value.as_str().map_or_else(|| text("message"), str::to_owned).to_lowercase();
    Said { code: text("code"), kind, message }
}

/// What a status other than success means.
pub(super) fn of_status(status: u16, after_ms: Option<u64>, body: &[u8]) -> ModelError {
    ruling(status, after_ms, &read(body))
}

/// What an error in the middle of a stream means; its code may be a status.
pub(super) fn of_event(error: &RawValue) -> ModelError {
    let said =
        serde_json::from_str(error.get()).map_or_else(|_| Said::default(), |value: Value| said(&value));
    let status = said.code.parse::<u16>().ok().filter(|code| (400..600).contains(code));
    let status = status.unwrap_or(match said.kind.as_str() {
        "rate_limit_error" | "rate_limit_exceeded" | "requests" | "tokens" => 429,
        _ if said.code == "rate_limit_exceeded" => 429,
        _ if said.too_long() || said.filtered() => 400,
        _ => 500,
    });
    ruling(status, None, &said)
}

fn ruling(status: u16, after_ms: Option<u64>, said: &Said) -> ModelError {
    let code = said.shown();
    let seen = if code.is_empty() { format!("status {status}") } else { format!("status {status}, {code}") };
    match status {
        429 | 402 | 403 if said.unpaid() => ModelError::BudgetSpent("the account at the provider"),
        429 => ModelError::RateLimited { after_ms },
        408 | 409 | 425 | 500.. => ModelError::Unavailable { cause: seen, after_ms },
        400 | 413 | 422 if said.too_long() => ModelError::TooLong(Side::Question),
        400..500 if said.filtered() => ModelError::Refused,
        402 => ModelError::BudgetSpent("the account at the provider"),
        _ => ModelError::NotConfigured(seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable(cause: &str) -> ModelError {
        ModelError::Unavailable { cause: cause.to_owned(), after_ms: None }
    }

    #[test]
    fn every_dialect_of_an_error_says_who_must_act() {
        let cases: [(u16, &str, ModelError); 12] = [
            (
                401,
                r#"{"error":{"message":"Incorrect API key provided: sk-abc","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
                ModelError::NotConfigured("status 401, invalid_api_key".to_owned()),
            ),
            (
                429,
                r#"{"error":{"message":"…","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
                ModelError::BudgetSpent("the account at the provider"),
            ),
            (
                429,
                r#"{"error":{"message":"…","type":"tokens","code":"rate_limit_exceeded"}}"#,
                ModelError::RateLimited { after_ms: None },
            ),
            (
                400,
                r#"{"error":{"message":"…","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
                ModelError::TooLong(Side::Question),
            ),
            (
                400,
                r#"{"error":{"message":"…","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"},"status":400}}"#,
                ModelError::Refused,
            ),
            (
                404,
                r#"{"error":{"code":"DeploymentNotFound","message":"…"}}"#,
                ModelError::NotConfigured("status 404, DeploymentNotFound".to_owned()),
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","param":null,"code":400}"#,
                ModelError::TooLong(Side::Question),
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size.","type":"exceed_context_size_error"}}"#,
                ModelError::TooLong(Side::Question),
            ),
            (
                503,
                r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
                unavailable("status 503, 503"),
            ),
            (
                404,
                r#"{"error":"model 'qwen9' not found"}"#,
                ModelError::NotConfigured("status 404".to_owned()),
            ),
            (502, "<html><body>Bad Gateway</body></html>", unavailable("status 502")),
            (301, "", ModelError::NotConfigured("status 301".to_owned())),
        ];
        for (status, body, expected) in cases {
            assert_eq!(of_status(status, None, body.as_bytes()), expected, "{status} {body}");
        }
    }

    #[test]
    fn the_prose_of_a_server_is_not_kept() {
        let body = br#"{"error":{"message":"you said: my secret","code":"x<script>y"}}"#;
        assert_eq!(of_status(400, None, body), ModelError::NotConfigured("status 400, xscripty".to_owned()));
    }
}
