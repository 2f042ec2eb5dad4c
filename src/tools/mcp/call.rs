//! One call: sent once, with what code fills in, and a truthful status for each end.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{CallToolRequestParams, CallToolResponse, ErrorCode, RequestMetaObject};
use rmcp::service::ServiceError;
use rmcp::transport::streamable_http_client::StreamableHttpError;
use serde_json::{Map, Number, Value};

use super::connection::Link;
use super::server::Server;
use super::{IDEMPOTENCY_KEY, answer};
use crate::domain::receipt::{CallStatus, Effect};
use crate::tools::dispatch::{failure, strangers};
use crate::tools::{Caller, ToolError, ToolSpec, Toolbox};

/// A tool of a server.
pub(in crate::tools) struct McpReach {
    /// The toolbox holds the servers; a tool that outlives its toolbox is called by nobody.
    server: Weak<Server>,
    /// The server's own name of the tool.
    tool: String,
    bound: Vec<Bound>,
    /// An error it reports says that nothing was done.
    errors_refuse: bool,
    listed: bool,
}

/// An argument that code fills.
pub(super) struct Bound {
    name: String,
    template: String,
    numeric: bool,
}

impl Bound {
    /// `schema` is what the server says about the argument.
    pub(super) fn new(name: &str, template: &str, schema: &Value) -> Self {
        let kind = schema.get("type").and_then(Value::as_str);
        let numeric = matches!(kind, Some("integer" | "number"));
        Self { name: name.to_owned(), template: template.to_owned(), numeric }
    }
}

/// How one call ended.
type Ended = (CallStatus, Value);

impl McpReach {
    pub(super) fn listed(server: &Arc<Server>, tool: &str, bound: Vec<Bound>, errors_refuse: bool) -> Self {
        let tool = tool.to_owned();
        Self { server: Arc::downgrade(server), tool, bound, errors_refuse, listed: true }
    }

    pub(super) fn unlisted(server: &Arc<Server>, tool: &str) -> Self {
        Self { listed: false, ..Self::listed(server, tool, Vec::new(), false) }
    }

    pub(in crate::tools) fn is_listed(&self) -> bool {
        self.listed
    }

    pub(super) fn is_of(&self, server: &Server) -> bool {
        std::ptr::eq(self.server.as_ptr(), server)
    }

    /// The arguments that code fills, for an operator.
    pub(super) fn filled_by_code(&self) -> Option<String> {
        let names: Vec<&str> = self.bound.iter().map(|bound| bound.name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Calls the tool. A server that is not there was not told anything; one that did not answer may have acted.
    pub(in crate::tools) async fn call(
        &self,
        toolbox: &Toolbox,
        tool: &ToolSpec,
        arguments: &Value,
        caller: Caller<'_>,
        key: Option<&str>,
    ) -> Result<Ended, ToolError> {
        let params = self.request(toolbox, tool, arguments, caller, key)?;
        let server = self.server.upgrade();
        let Some((server, Link(peer))) =
            server.and_then(|s| s.link.borrow().clone().map(|link| (s.clone(), link)))
        else {
            return Ok(unavailable());
        };
        if peer.is_transport_closed() {
            server.give_up();
            return Ok(unavailable());
        }
        let effect = tool.effect;
        let limit = server.timeout.min(Duration::from_millis(toolbox.bounds().timeout_ms_max));
        let ended = match tokio::time::timeout(limit, peer.call_tool_once(params)).await {
            Err(_) => lost(effect, "timeout"),
            Ok(Ok(CallToolResponse::Complete(result))) => {
                let undone = effect == Effect::Read || self.errors_refuse;
                answer::read(result, effect, undone, toolbox.bounds())
            }
            // It wants to ask the customer something by itself, or to answer later: neither is an answer.
            Ok(Ok(_) | Err(ServiceError::UnexpectedResponse)) => unreadable(effect, "no_result"),
            Ok(Err(ServiceError::McpError(error))) => refused(effect, &error),
            Ok(Err(ServiceError::TransportSend(error))) => {
                if is_gone(error.error.as_ref()) {
                    server.give_up();
                }
                not_sent(error.error.as_ref()).unwrap_or_else(|| lost(effect, "no_answer"))
            }
            Ok(Err(_)) => {
                server.give_up();
                lost(effect, "no_answer")
            }
        };
        Ok(ended)
    }

    fn request(
        &self,
        toolbox: &Toolbox,
        tool: &ToolSpec,
        arguments: &Value,
        caller: Caller<'_>,
        key: Option<&str>,
    ) -> Result<CallToolRequestParams, ToolError> {
        let mut given: Map<String, Value> = arguments.as_object().cloned().unwrap_or_default();
        let mut context = tool.context(arguments, caller.case, caller.customer);
        if let Some(customer) = context.get_mut("customer").and_then(Value::as_object_mut) {
            // What is not known of the customer is no word that names somebody.
            customer.retain(|_, value| !value.is_null());
        }
        for bound in &self.bound {
            let text = toolbox.templates.render(&bound.template, &context).unwrap_or_default();
            let value = match (text.trim(), bound.numeric) {
                ("", _) => None,
                (text, true) => text.parse::<Number>().ok().map(Value::Number),
                (_, false) => Some(Value::from(text)),
            };
            let value = value.ok_or_else(|| {
                ToolError::Stop(format!(
                    "`{}`: what its `{}` is filled from is not known",
                    tool.name, bound.name
                ))
            })?;
            given.insert(bound.name.clone(), value);
        }
        let mut params = CallToolRequestParams::new(self.tool.clone()).with_arguments(given);
        if let (Effect::Write, Some(key)) = (tool.effect, key) {
            let mut meta = RequestMetaObject::new();
            meta.insert(IDEMPOTENCY_KEY.to_owned(), Value::from(key));
            params.meta = Some(meta);
        }
        Ok(params)
    }
}

fn unavailable() -> Ended {
    (CallStatus::Failed, failure("unavailable", "this tool cannot be reached at the moment"))
}

/// No answer: for a read nothing is lost, a write may have happened.
fn lost(effect: Effect, code: &str) -> Ended {
    match effect {
        Effect::Read => (CallStatus::Failed, failure(code, "no answer came")),
        Effect::Write => (CallStatus::Unknown, failure(code, "it may or may not have happened")),
    }
}

/// An answer that cannot be read.
pub(super) fn unreadable(effect: Effect, code: &str) -> Ended {
    let status = match effect {
        Effect::Read => CallStatus::Failed,
        Effect::Write => CallStatus::Unknown,
    };
    (status, failure(code, "the answer cannot be read"))
}

/// An error of the protocol instead of a result (JSON-RPC 2.0, 5.1).
fn refused(effect: Effect, error: &ErrorData) -> Ended {
    match error.code {
        ErrorCode::INVALID_PARAMS => {
            (CallStatus::Refused, failure("refused", &answer::message(&error.message)))
        }
        // The tool was not begun.
        ErrorCode::METHOD_NOT_FOUND | ErrorCode::INVALID_REQUEST | ErrorCode::PARSE_ERROR => {
            (CallStatus::Failed, failure("not_accepted", "the other side did not take the call"))
        }
        _ => lost(effect, "broke"),
    }
}

/// Whether only a new connection can help. One bad answer over HTTP is no reason: calls of others are under way.
fn is_gone(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    match error.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
        Some(StreamableHttpError::Client(error)) => error.is_connect(),
        Some(StreamableHttpError::SessionExpired | StreamableHttpError::TransportChannelClosed) | None => {
            true
        }
        Some(_) => false,
    }
}

/// What it came to if the tool was certainly not begun.
fn not_sent(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<Ended> {
    match error.downcast_ref::<StreamableHttpError<reqwest::Error>>()? {
        StreamableHttpError::Client(error) if error.is_connect() => Some(unavailable()),
        // We are no longer known there: the server asks for a new handshake.
        StreamableHttpError::SessionExpired => Some(unavailable()),
        StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_) => {
            Some((CallStatus::Failed, strangers()))
        }
        StreamableHttpError::HttpStatus(status) if status.status == 429 => Some(unavailable()),
        _ => None,
    }
}
