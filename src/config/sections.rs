//! The sections of the settings, one struct each; `config.default.toml` explains every key.

use secrecy::SecretString;
use serde::Deserialize;

use crate::domain::rating::Scale;

/// The edge: where it listens and what it takes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port.
    pub listen: String,
    /// How the outside reaches this service; empty: `http://` and `listen`.
    pub public_base_url: String,
    /// Largest request body.
    pub body_bytes_max: usize,
    /// Deepest JSON.
    pub json_depth_max: usize,
    /// Longest a request may take.
    pub request_timeout_ms: u64,
    /// Longest a request may be held for its answer.
    pub wait_ms_max: u64,
    /// Open event streams of this process, all together.
    pub streams_max: usize,
    /// Open event streams of chats and programs that one address may hold.
    pub streams_per_address_max: usize,
    /// Announcements a slow reader may fall behind before it is dropped.
    pub stream_backlog_max: usize,
    /// Pause between looks of a stream for what other processes did.
    pub stream_poll_ms: u64,
    /// A stream says at least this often that it is alive.
    pub stream_keepalive_ms: u64,
    /// How long a chat session of a visitor lasts.
    pub chat_session_ms: i64,
    /// New chat sessions per address.
    pub chat_sessions_per_minute_max: usize,
    /// How long a checked API key is believed; a revoked one works no longer than this.
    pub key_cache_ms: u64,
    /// Most entries on one page of a list.
    pub page_items_max: i64,
    /// Sites that may embed the chat widget, beside this one.
    pub allowed_origins: Vec<String>,
    /// Signs chat sessions; empty: made at the first start and kept in data/.
    pub session_secret: String,
}

/// The record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Empty: sqlite file data/firstline.db of the workspace.
    pub url: String,
    /// Connections for reading.
    pub readers_max: u32,
    /// Units of work that may share one transaction.
    pub batch_units_max: usize,
    /// Units that may wait for the writer.
    pub queue_units_max: usize,
    /// Cases kept in memory.
    pub cached_cases_max: u64,
    /// Of a case, kept at hand for the assistant.
    pub recent_messages_max: usize,
    /// Receipts of a case, kept at hand.
    pub recent_receipts_max: usize,
}

/// Turns and deliveries.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Turns under way at once in this process.
    pub turns_max: usize,
    /// A turn whose process died is free after this.
    pub lease_ms: i64,
    /// Pause between looks for work of other processes.
    pub poll_ms: u64,
    /// Pause between looks for what time brings about: snoozes that end, cases that close, ratings that are asked for.
    pub tidy_ms: u64,
    /// Then the turn is a dead letter: alert, and people have the case.
    pub attempts_max: i64,
    /// Pause before the second attempt; doubles each time.
    pub retry_ms: i64,
    /// Longest a turn may take before it is handed off.
    pub turn_timeout_ms: u64,
    /// Tries before a delivery is given up.
    pub delivery_attempts_max: i64,
    /// Pause before the second try; doubles each time.
    pub delivery_retry_ms: i64,
    /// Longest a channel may take over one message; after it nobody knows whether the message left.
    pub delivery_timeout_ms: u64,
    /// How long news of a message is waited for whose answer was lost, where the provider tells; then a person sees it.
    pub delivery_unknown_ms: i64,
    /// How long a delivery is held by the process that tries it; longer than it may take.
    pub delivery_lease_ms: i64,
    /// Longest a channel may take to be brought the files of a message, and as long again to take the message with them.
    pub delivery_files_timeout_ms: u64,
    /// A claimed effect without a result after this is unknown.
    pub unsettled_ms: i64,
    /// `/readyz` says that the workers stand still when they were last heard of longer ago.
    pub tick_age_ms_max: i64,
}

/// What is bounded.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Proposals of the assistant in one turn.
    pub steps_max: usize,
    /// In one turn.
    pub tool_calls_max: usize,
    /// Times newer messages may start a turn again.
    pub restarts_max: usize,
    /// Longer messages are refused with a clear error.
    pub message_chars_max: usize,
    /// Longest reply.
    pub reply_chars_max: usize,
    /// Per case; then people have it.
    pub replies_per_hour_max: i64,
    /// Times the same question is asked before a person gets the case.
    pub asks_max: usize,
    /// After this a yes is an old yes.
    pub confirm_ttl_ms: i64,
    /// After this an approval must be asked again.
    pub approvals_expire_hours: i64,
    /// Largest arguments of a call.
    pub tool_argument_bytes_max: usize,
    /// Deepest arguments of a call.
    pub tool_argument_depth_max: usize,
    /// Largest answer of a tool.
    pub tool_response_bytes_max: usize,
    /// Longest a connection to a tool may take to open.
    pub tool_connect_timeout_ms: u64,
    /// Longest a tool may be declared to take.
    pub tool_timeout_ms_max: u64,
    /// Most attachments on one message.
    pub attachments_max: usize,
    /// Largest sum of the files of one message.
    pub attachment_bytes_max: usize,
    /// Calls to a language model in one turn.
    pub model_calls_max: usize,
    /// What these calls may read and write together, tokens.
    pub model_tokens_max: u64,
    /// Longest a turn may wait for the model; shorter than `worker.turn_timeout_ms`.
    pub model_turn_ms_max: i64,
    /// Calls of the model that were not permitted or not understood, in one turn, before it is given up.
    pub model_repairs_max: usize,
    /// Longest answer of the model.
    pub model_reply_tokens_max: u32,
    /// How much of the conversation, the passages and the records the model is shown, tokens.
    pub model_context_tokens_max: u64,
}

/// When cases end.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// A reply within this after a resolution reopens; later it opens a linked case.
    pub reopen_ms: i64,
    /// What comes within this after a resolution goes on in the same case, whatever it is about.
    pub talk_ms: i64,
    /// A resolved case closes after this.
    pub close_ms: i64,
    /// Whether customers are offered to go on where they need not wait.
    pub offer_moves: bool,
}

/// From which confidence what happens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageSettings {
    /// Calibrated confidence from which a procedure starts.
    pub intent_min: f32,
    /// From which a new request interrupts a procedure under way.
    pub switch_min: f32,
    /// From which two candidates are offered instead of a refusal.
    pub doubt_min: f32,
    /// Answerable score from which an article may answer.
    pub answer_min: f32,
}

/// Articles and search.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knowledge {
    /// Reload when files change.
    pub watch: bool,
    /// Longest passage.
    pub passage_chars_max: usize,
    /// Longest query; the rest is cut.
    pub query_chars_max: usize,
}

/// Who we speak for: grounds for what a reply may name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Business {
    /// The name customers know.
    pub name: String,
    /// Where customers may write.
    pub email: String,
    /// Where customers may call.
    pub phone: String,
    /// The web site, with scheme.
    pub site: String,
    /// ISO 639-1 of the fixed phrases when the customer's is not known.
    pub language: String,
}

/// What may leave.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Hosts a link in a reply may name, beside the business site.
    pub allowed_hosts: Vec<String>,
}

/// One language model behind an endpoint that speaks the chat-completions protocol.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Up to and without `/chat/completions`.
    pub base_url: String,
    /// The key, if the endpoint wants one.
    pub api_key: SecretString,
    /// The model as the endpoint names it; empty: none.
    pub name: String,
    /// Azure's `api-version`; empty: not Azure.
    pub api_version: String,
    /// How the endpoint is told what shape an answer must have.
    pub structured: Structured,
    /// How the endpoint names the longest answer.
    pub output_limit: OutputLimit,
    /// Below zero: not sent, the model's own.
    pub temperature: f32,
    /// Question and answer together.
    pub context_tokens: u64,
    /// Per million tokens read.
    pub price_per_million_input: f64,
    /// Per million tokens read that the endpoint remembered; 0: as any other.
    pub price_per_million_cached_input: f64,
    /// Per million tokens written.
    pub price_per_million_output: f64,
    /// Calls under way at once in this process; further ones wait.
    pub calls_max: usize,
    /// Tokens a minute from this process, questions and answers; further calls wait. 0: no budget.
    pub tokens_per_minute_max: u64,
    /// Longest a connection may take to open.
    pub connect_timeout_ms: u64,
    /// An answer of which nothing comes for this long is given up.
    pub stall_ms: u64,
    /// Longest one attempt may take.
    pub attempt_timeout_ms: i64,
    /// Largest answer as it travels.
    pub response_bytes_max: usize,
    /// Deepest JSON in an answer.
    pub json_depth_max: usize,
}

/// How an endpoint is told what shape an answer must have. The answer is checked in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structured {
    /// `response_format` with the JSON schema.
    Schema,
    /// `response_format` for any JSON object, and the schema in words.
    Object,
    /// In words only.
    Prompt,
}

/// How an endpoint names the longest answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputLimit {
    /// The present name.
    MaxCompletionTokens,
    /// The older name, which some servers know alone.
    MaxTokens,
}

/// How models are called, whichever it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCalls {
    /// Tries per model and call.
    pub attempts_max: u32,
    /// Longest pause before the second try; doubles each time.
    pub retry_ms: u64,
    /// Longest pause before any try.
    pub retry_ms_max: u64,
    /// Failures in a row after which a model is left alone.
    pub breaker_failures_max: u32,
    /// For how long; then one call tries it.
    pub breaker_open_ms: i64,
    /// Per customer and day, in millionths of the currency of the prices. 0: no cap.
    pub spend_customer_day_micros_max: i64,
    /// For all customers, a day. 0: no cap.
    pub spend_day_micros_max: i64,
    /// For all customers, ever. 0: no cap.
    pub spend_total_micros_max: i64,
}

/// What customers are asked after a resolution.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Satisfaction {
    /// Whether they are.
    pub enabled: bool,
    /// How they answer.
    pub scale: Scale,
    /// How long a case has been settled before anybody is asked.
    pub ask_after_ms: i64,
    /// … and the longest ago it may have been.
    pub ask_within_ms: i64,
    /// How long an answer counts.
    pub answer_within_ms: i64,
    /// A customer is asked about one case within so many days.
    pub quiet_days: i64,
}
