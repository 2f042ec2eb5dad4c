//! Calls a permitted tool: one attempt for a write, a few for a read, and a truthful status for each end.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tracing::Instrument;

use super::authority::{Permit, admitted};
use super::spec::{HttpReach, Reach, for_address};
use super::{Caller, ToolError, ToolSpec, Toolbox, arguments};
use crate::config::Method;
use crate::domain::receipt::{CallStatus, Effect};
use crate::telemetry::Operation;

/// Longest message of another side that is kept in a receipt.
pub(super) const ERROR_CHARS_MAX: usize = 500;

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub struct CallResult {
    /// Done, refused, failed or unknown.
    pub status: CallStatus,
    /// The tool's result, or `{"error":{"code","message"}}`.
    pub result: Value,
    /// How long it took.
    pub duration_ms: i64,
}

/// Calls `name`. A write needs the `key` that [`super::authority::permit`] gave and that the ledger has
/// claimed; it is sent once, and an answer that never came is `Unknown`. A read is tried again.
pub async fn dispatch(
    toolbox: &Toolbox,
    name: &str,
    arguments: &Value,
    caller: Caller<'_>,
    key: Option<&str>,
) -> Result<CallResult, ToolError> {
    let tool = match admitted(toolbox, name, arguments, caller.case, caller.customer) {
        Ok(tool) => tool,
        Err(Permit::Denied { tell, .. }) => return Err(ToolError::TellModel(tell)),
        Err(_) => return Err(ToolError::Stop("this call needs a person".to_owned())),
    };
    if tool.effect == Effect::Write && key.is_none() {
        return Err(ToolError::Stop(format!("`{name}` writes and has no key")));
    }
    let operation = Operation::execute_tool(&tool.name, &caller.case.id, caller.call, caller.clock);
    let calling = async {
        match &tool.reach {
            Reach::Http(http) => send(toolbox, &tool, http, arguments, caller, key).await,
            Reach::Mcp(mcp) => mcp.call(toolbox, &tool, arguments, caller, key).await,
        }
    };
    let ended = calling.instrument(operation.span()).await;
    let error = match &ended {
        Ok((CallStatus::Done, _)) => None,
        Ok((status @ (CallStatus::Refused | CallStatus::Failed | CallStatus::Unknown), _)) => {
            Some(status.as_str())
        }
        Err(_) => Some("not_sent"),
    };
    let duration_ms = operation.end(error);
    ended.map(|(status, result)| CallResult { status, result, duration_ms })
}

/// Sends the declared request: once for a write, a few times for a read.
async fn send(
    toolbox: &Toolbox,
    tool: &ToolSpec,
    http: &HttpReach,
    arguments: &Value,
    caller: Caller<'_>,
    key: Option<&str>,
) -> Result<(CallStatus, Value), ToolError> {
    let mut request = prepare(toolbox, tool, http, arguments, caller, key)?;
    let tries = if tool.effect == Effect::Read { http.settings.retries.saturating_add(1) } else { 1 };
    let (mut attempt, mut renewed) = (0, false);
    loop {
        attempt += 1;
        let token = match authorize(toolbox, http, &mut request, caller).await {
            Ok(token) => token,
            Err(error) => return Ok((CallStatus::Failed, error)),
        };
        let Some(copy) = request.try_clone() else {
            return Err(ToolError::Stop(format!("the request of `{}` cannot be sent", tool.name)));
        };
        match once(toolbox, tool, http, copy).await {
            // A token may be withdrawn before it ends. Nothing was done for us under it, so also a write goes again.
            Ended::Is(CallStatus::Failed, error) if token.is_some() && !renewed && error == strangers() => {
                renewed = true;
                attempt -= 1;
                if let (Some(source), Some(token)) = (&http.tokens, &token) {
                    source.forget(token).await;
                }
            }
            Ended::Is(status, result) => return Ok((status, result)),
            Ended::Again(_) if attempt < tries => pause(http, attempt, caller).await,
            Ended::Again(error) => return Ok((CallStatus::Failed, error)),
        }
    }
}

/// Puts the token into the request that declares credentials for one.
async fn authorize(
    toolbox: &Toolbox,
    http: &HttpReach,
    request: &mut reqwest::Request,
    caller: Caller<'_>,
) -> Result<Option<HeaderValue>, Value> {
    let Some(source) = &http.tokens else { return Ok(None) };
    let limit = Duration::from_millis(http.settings.timeout_ms.min(toolbox.bounds().timeout_ms_max));
    let token = source.bearer(&toolbox.client, caller.clock, limit).await;
    let token = token.ok_or_else(|| failure("no_token", "the other side gave us no token"))?;
    request.headers_mut().insert(AUTHORIZATION, token.clone());
    Ok(Some(token))
}

/// Our own credentials were refused.
pub(super) fn strangers() -> Value {
    failure("http_401", "the other side does not know us")
}

/// What one attempt came to.
enum Ended {
    Is(CallStatus, Value),
    /// A read that another attempt may mend.
    Again(Value),
}

/// Waits before the next attempt: twice as long each time, with up to as much again by chance.
async fn pause(http: &HttpReach, attempt: u32, caller: Caller<'_>) {
    let base = http.settings.retry_ms.saturating_mul(1 << attempt.saturating_sub(1).min(6));
    let chance = caller.clock.new_id().as_u128() as u64;
    tokio::time::sleep(Duration::from_millis(base + chance % base.max(1))).await;
}

fn prepare(
    toolbox: &Toolbox,
    tool: &ToolSpec,
    http: &HttpReach,
    arguments: &Value,
    caller: Caller<'_>,
    key: Option<&str>,
) -> Result<reqwest::Request, ToolError> {
    let context = tool.context(arguments, caller.case, caller.customer);
    let stop = |what: &str, error: &dyn std::fmt::Display| {
        ToolError::Stop(format!("`{}`: {what} could not be rendered: {error}", tool.name))
    };
    let rendered = toolbox
        .templates
        .render(&http.settings.url, for_address(&context))
        .map_err(|e| stop("the address", &e))?;
    let url = http.origin.checked(&rendered).map_err(ToolError::TellModel)?;
    let method = match http.settings.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    };
    let mut headers = HeaderMap::new();
    for (name, source) in &http.settings.headers {
        let value = toolbox.templates.render(source, &context).map_err(|e| stop("a header", &e))?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| stop("a header", &e))?;
        let mut value = HeaderValue::from_str(&value).map_err(|e| stop("a header", &e))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    if tool.effect == Effect::Write
        && let Some(key) = key
    {
        let key = HeaderValue::from_str(key).map_err(|e| stop("the key", &e))?;
        headers.insert("idempotency-key", key);
    }
    let timeout = http.settings.timeout_ms.min(toolbox.bounds().timeout_ms_max);
    let mut request =
        toolbox.client.request(method, url).headers(headers).timeout(Duration::from_millis(timeout));
    if let Some(body) = &http.settings.body {
        let text = toolbox.templates.render_json(body, &context).map_err(|e| stop("the body", &e))?;
        let value: Value = serde_json::from_str(&text).map_err(|e| stop("the body", &e))?;
        request = request.json(&value);
    }
    request.build().map_err(|e| stop("the request", &e.without_url()))
}

async fn once(toolbox: &Toolbox, tool: &ToolSpec, http: &HttpReach, request: reqwest::Request) -> Ended {
    let mut response = match toolbox.client.execute(request).await {
        Ok(response) => response,
        // Nothing was sent before there was a connection.
        Err(error) if error.is_connect() => {
            let error = failure("unreachable", "no connection could be made");
            return match tool.effect {
                Effect::Read => Ended::Again(error),
                Effect::Write => Ended::Is(CallStatus::Failed, error),
            };
        }
        Err(error) => return lost(tool, if error.is_timeout() { "timeout" } else { "no_answer" }),
    };
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= toolbox.bounds().response_bytes_max => {
                bytes.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => return unreadable(tool, "too_large"),
            Ok(None) => break,
            Err(error) => return lost(tool, if error.is_timeout() { "timeout" } else { "no_answer" }),
        }
    }
    read(toolbox, tool, http, status, &bytes)
}

/// What an answer means. A refusal changed nothing; a write that broke inside may have happened.
fn read(toolbox: &Toolbox, tool: &ToolSpec, http: &HttpReach, status: u16, bytes: &[u8]) -> Ended {
    let body: Option<Value> = if bytes.iter().all(u8::is_ascii_whitespace) {
        Some(json!({}))
    } else {
        serde_json::from_slice(bytes)
            .ok()
            .filter(|body| arguments::depth(body) <= toolbox.bounds().response_depth_max)
    };
    match (status, tool.effect) {
        (200..=299, _) => match body {
            Some(body) => match chosen(toolbox, http, status, body) {
                Some(result) => Ended::Is(CallStatus::Done, result),
                None => unreadable(tool, "unexpected_result"),
            },
            None => unreadable(tool, "no_json"),
        },
        (408 | 429, Effect::Read) => Ended::Again(refusal(status, body.as_ref())),
        (408, Effect::Write) => lost(tool, "timeout"),
        // Our own credentials were refused: no word to the customer about their request would be true.
        (401, _) => Ended::Is(CallStatus::Failed, strangers()),
        // What is not theirs must not sound different from what does not exist.
        (403 | 404, _) => Ended::Is(CallStatus::Refused, failure("not_found", "")),
        (400..=499, _) => Ended::Is(CallStatus::Refused, refusal(status, body.as_ref())),
        (_, Effect::Read) => Ended::Again(failure(&format!("http_{status}"), "the other side failed")),
        (_, Effect::Write) => lost(tool, &format!("http_{status}")),
    }
}

fn chosen(toolbox: &Toolbox, http: &HttpReach, status: u16, body: Value) -> Option<Value> {
    let Some(expression) = &http.settings.result else { return Some(body) };
    let context = json!({"response": {"status": status, "body": body}});
    toolbox.templates.evaluate(expression, context).ok()
}

/// No answer: a read may be tried again, a write may have happened.
fn lost(tool: &ToolSpec, code: &str) -> Ended {
    match tool.effect {
        Effect::Read => Ended::Again(failure(code, "no answer came")),
        Effect::Write => Ended::Is(CallStatus::Unknown, failure(code, "it may or may not have happened")),
    }
}

/// An answer that cannot be read: asking again would give the same.
fn unreadable(tool: &ToolSpec, code: &str) -> Ended {
    match tool.effect {
        Effect::Read => Ended::Is(CallStatus::Failed, failure(code, "the answer cannot be read")),
        Effect::Write => Ended::Is(CallStatus::Unknown, failure(code, "the answer cannot be read")),
    }
}

/// An error as it is kept in a receipt.
pub(super) fn failure(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

fn refusal(status: u16, body: Option<&Value>) -> Value {
    let field = |name: &str| body?.get("error")?.get(name)?.as_str();
    let code: String =
        field("code").map_or_else(|| format!("http_{status}"), |code| code.chars().take(60).collect());
    let message: String = field("message").unwrap_or_default().chars().take(ERROR_CHARS_MAX).collect();
    failure(&code, &message)
}
