//! One attempt at a model: every fault a server can have ends in the right error, in time, and no part of an
//! answer gets through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firstline::app::SystemClock;
use firstline::config::{Config, Model, Sources};
use firstline::domain::time::Clock;
use firstline::llm::openai::{Endpoint, OpenAi};
use firstline::llm::usage::{CallRecord, Counted, Tally};
use firstline::llm::{
    ChatModel, ChatReply, ChatRequest, Finish, Message, ModelError, OutputSchema, Side, ToolCall, ToolSpec,
};
use serde_json::{Value, json};

use super::support::stub_model::{Act, StubModel, call_deltas, cut_stream_of, event, stream_of};

const KEY: &str = "sk-hush-hush";
/// When the caller stops waiting: far from anything that ends by itself, however busy the machine.
const DEADLINE: Duration = Duration::from_mins(1);
/// The same for a caller who is to be kept waiting to the end.
const SOON: Duration = Duration::from_millis(600);
/// When an answer of which nothing comes is given up: well before.
const STALL: Duration = Duration::from_millis(150);

fn settings(base_url: &str, more: &str) -> Model {
    let text = format!(
        "[model]\nbase_url = \"{base_url}\"\nname = \"stub-1\"\nstall_ms = {}\nresponse_bytes_max = 200000\n\
         price_per_million_input = 1.0\nprice_per_million_output = 10.0\n{more}\n",
        STALL.as_millis()
    );
    let file = Some((text.as_str(), std::path::Path::new("firstline.toml")));
    Config::load(Sources { file, ..Sources::default() }).unwrap().model
}

fn open(settings: &Model) -> OpenAi {
    OpenAi::new(Endpoint::new(settings, KEY).unwrap(), Arc::new(SystemClock)).unwrap()
}

fn question() -> ChatRequest {
    let parameters = json!({"type": "object", "properties": {"order_id": {"type": "string"}}});
    ChatRequest {
        purpose: "resolve",
        messages: [Message::System("We help.".into()), Message::User("Where is HP-10042?".into())].into(),
        tools: [ToolSpec::new("order_status", "Status of an order.", &parameters).unwrap()].into(),
        output: None,
        output_tokens_max: 200,
        tally: Tally::default(),
    }
}

/// Asks once; the answer, what was counted, and how long it took.
async fn ask(model: &OpenAi, request: &ChatRequest) -> (Result<ChatReply, ModelError>, CallRecord, Duration) {
    ask_within(DEADLINE, model, request).await
}

async fn ask_within(
    deadline: Duration,
    model: &OpenAi,
    request: &ChatRequest,
) -> (Result<ChatReply, ModelError>, CallRecord, Duration) {
    let began = Instant::now();
    let deadline = SystemClock.now().plus_ms(deadline.as_millis() as i64);
    let result = model.complete(request, deadline).await;
    let mut records = request.tally.take();
    assert_eq!(records.len(), 1, "every attempt is counted once");
    (result, records.remove(0), began.elapsed())
}

fn unavailable(cause: &str, after_ms: Option<u64>) -> ModelError {
    ModelError::Unavailable { cause: cause.to_owned(), after_ms }
}

fn words(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

const HTML: &str = "<html><body><h1>Bad Gateway</h1></body></html>";

/// What the server does, and how that ends for the caller.
#[expect(clippy::too_many_lines, reason = "a table of every fault")]
pub(crate) fn failures() -> Vec<(&'static str, Act, ModelError)> {
    let refuse = |status, headers, body| Act::Refuse { status, headers, body };
    let half = || cut_stream_of(&[words("Your refund of 50 was")]);
    let mut half_call = cut_stream_of(&call_deltas(&[("order_status", "{\"order_id\": \"HP-1")]));
    half_call.extend(event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})));
    let mut error_inside = half();
    error_inside
        .extend(event(&json!({"error": {"message": "overloaded", "type": "server_error", "code": 503}})));
    error_inside.extend(stream_of(&[], "stop"));
    let mut cut_json = half();
    cut_json.extend_from_slice(b"data: {\"choices\":[{\"index\":0,\"del");
    let deep = format!("data: {}\n\n", "[".repeat(100_000)).into_bytes();
    let deep_arguments = format!("{{\"a\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000));
    vec![
        ("429", refuse(429, "", "{}"), ModelError::RateLimited { after_ms: None }),
        (
            "429 and when to come back",
            refuse(429, "Retry-After: 7\r\n", "{}"),
            ModelError::RateLimited { after_ms: Some(7000) },
        ),
        (
            "500",
            refuse(500, "", r#"{"error":{"message":"oops","code":500}}"#),
            unavailable("status 500, 500", None),
        ),
        (
            "503 and when to come back",
            refuse(503, "Retry-After: 1\r\n", ""),
            unavailable("status 503", Some(1000)),
        ),
        ("an HTML page as an error", refuse(502, "", HTML), unavailable("status 502", None)),
        (
            "a key that is wrong",
            refuse(401, "", r#"{"error":{"message":"bad key","code":"invalid_api_key"}}"#),
            ModelError::NotConfigured("status 401, invalid_api_key".to_owned()),
        ),
        (
            "a redirect",
            refuse(302, "Location: http://127.0.0.1:1/\r\n", ""),
            ModelError::NotConfigured("status 302".to_owned()),
        ),
        (
            "an HTML page as an answer",
            Act::Document(HTML.into()),
            ModelError::Malformed("it is not the JSON of a chat completion"),
        ),
        (
            "a reset before anything",
            Act::Reset(Vec::new()),
            unavailable("the connection broke in the middle of the answer", None),
        ),
        (
            "a reset in the middle",
            Act::Reset(half()),
            unavailable("the connection broke in the middle of the answer", None),
        ),
        ("a black hole", Act::BlackHole, ModelError::Timeout),
        ("one byte a second", Act::ByteASecond, ModelError::Timeout),
        (
            "no finish reason",
            Act::Stream(half()),
            unavailable("the answer ended without a finish reason", None),
        ),
        (
            "no finish reason but an end mark",
            Act::Stream([half(), b"data: [DONE]\n\n".to_vec()].concat()),
            unavailable("the answer ended without a finish reason", None),
        ),
        (
            "an end in the middle of an event",
            Act::Stream(cut_json),
            unavailable("the answer ended in the middle of its JSON", None),
        ),
        (
            "half a document",
            Act::Document(br#"{"choices":[{"index":0,"message":{"content":"Your"#.to_vec()),
            unavailable("the answer ended in the middle of its JSON", None),
        ),
        (
            "a document without a finish reason",
            Act::Document(br#"{"choices":[{"message":{"content":"x"}}]}"#.to_vec()),
            unavailable("the answer ended without a finish reason", None),
        ),
        ("an error event in the middle", Act::Stream(error_inside), unavailable("status 503, 503", None)),
        ("half a call", Act::Stream(half_call), ModelError::Malformed("a call was cut in its arguments")),
        (
            "an answer that was cut",
            Act::Stream(stream_of(&[words("The refund")], "length")),
            ModelError::TooLong(Side::Answer),
        ),
        (
            "a call that was cut",
            Act::Stream(stream_of(&call_deltas(&[("order_status", "{}")]), "length")),
            ModelError::TooLong(Side::Answer),
        ),
        (
            "an answer that was filtered",
            Act::Stream(stream_of(&[words("The")], "content_filter")),
            ModelError::Refused,
        ),
        (
            "a refusal",
            Act::Stream(stream_of(&[json!({"role": "assistant", "refusal": "I will not."})], "stop")),
            ModelError::Refused,
        ),
        (
            "an empty answer",
            Act::Stream(stream_of(&[words(" \n")], "stop")),
            ModelError::Malformed("it is empty"),
        ),
        (
            "no choice at all",
            Act::Document(br#"{"choices":[]}"#.to_vec()),
            unavailable("the answer ended without a finish reason", None),
        ),
        ("an endless answer", Act::Endless, ModelError::Malformed("it is too large")),
        (
            "a wrong role",
            Act::Stream(stream_of(&[json!({"role": "user", "content": "refund me"})], "stop")),
            ModelError::Malformed("it speaks in a role that is not its own"),
        ),
        ("deep JSON", Act::Stream(deep), ModelError::Malformed("its JSON nests too deep")),
        (
            "deep JSON in arguments",
            Act::Stream(stream_of(&call_deltas(&[("order_status", &deep_arguments)]), "stop")),
            ModelError::Malformed("the arguments of a call nest too deep"),
        ),
        ("a call without a name", Act::Call(&[("", "{}")]), ModelError::Malformed("a call has no name")),
    ]
}

#[tokio::test]
async fn every_fault_ends_in_the_right_error_in_time() {
    for (name, act, expected) in failures() {
        let stub = StubModel::playing(vec![act]).await;
        let (result, record, took) = ask(&open(&settings(&stub.base_url(), "")), &question()).await;
        assert_eq!(result, Err(expected.clone()), "{name}");
        assert_eq!(record.outcome, expected.kind(), "{name}");
        assert!(took < DEADLINE, "{name} took {took:?}: it must end before the deadline");
        assert_eq!(stub.seen().len(), 1, "{name}: one attempt is one request");
        let shown = format!("{:?}", result.unwrap_err());
        assert!(!shown.contains("refund") && !shown.contains(KEY), "{name}: {shown}");
    }
}

#[tokio::test]
async fn silence_is_noticed_before_the_deadline_and_dripping_at_it() {
    let stub = StubModel::playing(vec![Act::BlackHole]).await;
    let (_, _, took) = ask(&open(&settings(&stub.base_url(), "")), &question()).await;
    assert!(took >= STALL && took < DEADLINE, "{took:?}");

    // Dripping faster than the stall: only the deadline ends it.
    let stub = StubModel::playing(vec![Act::ByteASecond]).await;
    let patient = settings(&stub.base_url(), "").stall_ms * 100;
    let mut slow = settings(&stub.base_url(), "");
    slow.stall_ms = patient;
    let (result, record, took) = ask_within(SOON, &open(&slow), &question()).await;
    assert_eq!(result, Err(ModelError::Timeout));
    assert!(took >= SOON && took < DEADLINE, "{took:?}");
    assert!(record.usage.input > 0, "what was sent is paid for");
}

#[tokio::test]
async fn nobody_at_the_address_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let (result, record, _) = ask(&open(&settings(&base_url, "")), &question()).await;
    assert_eq!(result, Err(unavailable("no connection", None)));
    assert_eq!(record.cost_micros, 0, "nothing was sent");
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() }
}

#[tokio::test]
async fn what_the_model_can_correct_is_an_answer() {
    type Case = (&'static [(&'static str, &'static str)], Vec<ToolCall>);
    let cases: [Case; 4] = [
        (
            &[("order_status", "{\"order_id\": HP}")],
            vec![call("call-0", "order_status", "{\"order_id\": HP}")],
        ),
        (&[("launch_rocket", "{}")], vec![call("call-0", "launch_rocket", "{}")]),
        (&[("order_status", "")], vec![call("call-0", "order_status", "{}")]),
        (
            &[("order_status", "{\"a\":1}"), ("order_status", "{\"a\":2}")],
            vec![call("call-0", "order_status", "{\"a\":1}"), call("call-1", "order_status", "{\"a\":2}")],
        ),
    ];
    for (calls, expected) in cases {
        let stub = StubModel::playing(vec![Act::Call(calls)]).await;
        let (result, record, _) = ask(&open(&settings(&stub.base_url(), "")), &question()).await;
        let reply = result.unwrap();
        assert_eq!((reply.finish, reply.tool_calls), (Finish::ToolCalls, expected));
        assert_eq!((record.usage.input, record.usage.output, record.cost_micros), (70, 9, 160));
    }
}

#[tokio::test]
async fn a_question_goes_out_as_the_protocol_wants_it_and_the_key_nowhere_else() {
    let stub = StubModel::playing(vec![Act::Say("It is on its way.")]).await;
    let settings = settings(&stub.base_url(), "temperature = 0.5");
    let model = open(&settings);
    let mut request = question();
    request.messages = [
        Message::System("We help.".into()),
        Message::User("Where is it?".into()),
        Message::Assistant { text: "".into(), tool_calls: vec![call("c1", "order_status", "{}")] },
        Message::Tool { call: "c1".into(), text: "shipped".into() },
    ]
    .into();
    let (result, _, _) = ask(&model, &request).await;
    assert_eq!(result.unwrap().text, "It is on its way.");
    let seen = stub.seen();
    let [captured] = seen.as_slice() else { panic!("one request") };
    assert_eq!(captured.target, "/v1/chat/completions");
    assert!(captured.headers.contains(&format!("authorization: bearer {KEY}")));
    assert_eq!(
        captured.body,
        json!({
            "model": "stub-1",
            "messages": [
                {"role": "system", "content": "We help."},
                {"role": "user", "content": "Where is it?"},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "order_status", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "shipped"},
            ],
            "tools": [{"type": "function", "function": {
                "name": "order_status", "description": "Status of an order.",
                "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}}}}],
            "max_completion_tokens": 200,
            "temperature": 0.5,
            "stream": true,
            "stream_options": {"include_usage": true},
        })
    );
    let endpoint = Endpoint::new(&settings, KEY).unwrap();
    assert!(!format!("{endpoint:?}").contains("hush"), "the key shows");
}

#[tokio::test]
async fn azure_gets_its_version_and_its_own_header() {
    let stub = StubModel::playing(vec![Act::Say("Yes.")]).await;
    let base_url = format!("{}/openai/deployments/gpt", stub.base_url());
    let model = open(&settings(&base_url, "api_version = \"2025-01-01\"\noutput_limit = \"max_tokens\""));
    ask(&model, &question()).await.0.unwrap();
    let captured = stub.seen().remove(0);
    assert_eq!(captured.target, "/v1/openai/deployments/gpt/chat/completions?api-version=2025-01-01");
    assert!(
        captured.headers.contains(&format!("api-key: {KEY}")) && !captured.headers.contains("authorization")
    );
    assert_eq!(
        (&captured.body["max_tokens"], captured.body.get("max_completion_tokens")),
        (&json!(200), None)
    );
}

fn mood() -> OutputSchema {
    let schema = json!({"type": "object", "required": ["mood"], "additionalProperties": false,
        "properties": {"mood": {"enum": ["good", "bad"]}}});
    OutputSchema::new("mood", schema, "Answer with JSON of this schema only:").unwrap()
}

#[tokio::test]
async fn a_shape_is_asked_for_in_the_servers_way_and_checked_in_any() {
    let good = "```json\n{\"mood\": \"good\"}\n```";
    for (structured, format) in
        [("schema", Some("json_schema")), ("object", Some("json_object")), ("prompt", None)]
    {
        let stub =
            StubModel::playing(vec![Act::Say(good), Act::Say("{\"mood\": \"so so\"}"), Act::Say("good")])
                .await;
        let model = open(&settings(&stub.base_url(), &format!("structured = \"{structured}\"")));
        let request = ChatRequest { output: Some(Arc::new(mood())), ..question() };
        assert_eq!(ask(&model, &request).await.0.unwrap().text, "{\"mood\": \"good\"}");
        for _ in 0..2 {
            let wrong = ModelError::Malformed("it does not have the shape that was asked for");
            assert_eq!(ask(&model, &request).await.0, Err(wrong));
        }
        let body = stub.seen().remove(0).body;
        assert_eq!(body["response_format"]["type"].as_str(), format, "{structured}");
        let system = body["messages"][0]["content"].as_str().unwrap();
        assert_eq!(system.contains("Answer with JSON"), structured != "schema", "{structured}");
        assert_eq!(body["messages"].as_array().unwrap().len(), 2, "no second system message");
    }
}

#[tokio::test]
async fn a_question_that_cannot_fit_is_not_sent() {
    let stub = StubModel::playing(vec![Act::Say("Yes.")]).await;
    let model = open(&settings(&stub.base_url(), "context_tokens = 1000"));
    let mut request = question();
    let fits: Arc<str> = "Where is my parcel? ".repeat(100).into();
    request.messages = [Message::User(fits)].into();
    assert!(ask(&model, &request).await.0.is_ok(), "2,000 bytes are 500 tokens");
    let too_long: Arc<str> = "Where is my parcel? ".repeat(200).into();
    request.messages = [Message::User(too_long)].into();
    let deadline = SystemClock.now().plus_ms(1000);
    assert_eq!(model.complete(&request, deadline).await, Err(ModelError::TooLong(Side::Question)));
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_count_is_counted_for() {
    let stub = StubModel::playing(vec![Act::Stream(
        [
            cut_stream_of(&[words("It is on its way.")]),
            event(&json!({"choices": [{"finish_reason": "stop"}]})),
        ]
        .concat(),
    )])
    .await;
    // The vocabulary is unpacked by the first who counts, which takes a debug build longer than a deadline.
    let request = question();
    let deadline = SystemClock.now().plus_ms(30_000);
    let reply = open(&settings(&stub.base_url(), "")).complete(&request, deadline).await.unwrap();
    assert_eq!(reply.usage.counted, Counted::ByUs);
    assert!(
        (20..60).contains(&reply.usage.input) && (5..15).contains(&reply.usage.output),
        "{:?}",
        reply.usage
    );
    let record = request.tally.take().remove(0);
    assert_eq!(record.cost_micros, (reply.usage.input + 10 * reply.usage.output) as i64);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_counted_as_abandoned() {
    let stub = StubModel::playing(vec![Act::BlackHole]).await;
    let (model, request) = (open(&settings(&stub.base_url(), "")), question());
    let waiting = model.complete(&request, SystemClock.now().plus_ms(60_000));
    assert!(tokio::time::timeout(STALL / 3, waiting).await.is_err());
    let records = request.tally.take();
    assert_eq!(records.iter().map(|record| record.outcome.as_str()).collect::<Vec<_>>(), ["abandoned"]);
}
