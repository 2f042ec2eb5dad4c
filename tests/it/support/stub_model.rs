//! A language model's server on loopback that does as it is told: answers, and every fault on demand.
//!
//! Plain HTTP/1.1 by hand, so that it can break the protocol at any byte and costs next to nothing in a bench.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Says these words.
    Say(&'static str),
    /// Asks for calls: names and arguments as text.
    Call(&'static [(&'static str, &'static str)]),
    /// Sends these bytes as the stream of an answer, and ends it properly.
    Stream(Vec<u8>),
    /// Sends these bytes as a JSON document.
    Document(Vec<u8>),
    /// Turns the request away.
    Refuse { status: u16, headers: &'static str, body: &'static str },
    /// Sends these bytes of a stream and resets the connection.
    Reset(Vec<u8>),
    /// Reads the request and never says anything.
    BlackHole,
    /// Sends a correct stream, one byte a second.
    ByteASecond,
    /// Sends words for as long as somebody listens.
    Endless,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    /// Path and query.
    pub(crate) target: String,
    /// The lines between the first and the body, lower case.
    pub(crate) headers: String,
    /// What was asked.
    pub(crate) body: Value,
}

/// Decides what to do with the request of this number, from 0.
type Script = dyn Fn(usize, &Captured) -> Act + Send + Sync;

/// A running server; ends when dropped.
pub(crate) struct StubModel {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Captured>>>,
    _connections: JoinSet<()>,
}

impl StubModel {
    /// Starts a server that follows `script`.
    pub(crate) async fn start(script: impl Fn(usize, &Captured) -> Act + Send + Sync + 'static) -> Self {
        Self::listening(0, Duration::ZERO, true, script).await
    }

    /// Starts a server on this port (any free one for 0) that thinks for `delay` before each act, and perhaps keeps
    /// what it is asked.
    pub(crate) async fn listening(
        port: u16,
        delay: Duration,
        keeps: bool,
        script: impl Fn(usize, &Captured) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, record): (Arc<Script>, _) = (Arc::new(script), seen.clone());
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, delay, script.clone(), keeps.then(|| record.clone())));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, seen, _connections: accepting }
    }

    /// Starts a server that does one act after the other, the last one for ever.
    pub(crate) async fn playing(acts: Vec<Act>) -> Self {
        Self::start(move |at, _| acts.get(at).or(acts.last()).cloned().unwrap()).await
    }

    /// For `[model] base_url`.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Every request so far, oldest first.
    pub(crate) fn seen(&self) -> Vec<Captured> {
        self.seen.lock().unwrap().clone()
    }
}

/// Serves requests on one connection until an act ends it. Whoever hangs up early is not an error here.
async fn serve(
    mut stream: TcpStream,
    delay: Duration,
    script: Arc<Script>,
    seen: Option<Arc<Mutex<Vec<Captured>>>>,
) {
    stream.set_nodelay(true).unwrap();
    while let Some(captured) = read(&mut stream).await {
        let at = seen.as_ref().map_or(0, |seen| {
            let mut seen = seen.lock().unwrap();
            seen.push(captured.clone());
            seen.len() - 1
        });
        let act = script(at, &captured);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if play(&mut stream, act).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Captured> {
    let mut bytes = Vec::with_capacity(8192);
    let (head, from) = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break (String::from_utf8(bytes.get(..end)?.to_vec()).ok()?, end + 4);
        }
    };
    let (first, headers) = head.split_once("\r\n")?;
    let headers = headers.to_lowercase();
    let length: usize = headers
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |length| length.trim().parse().unwrap());
    while bytes.len() < from + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = serde_json::from_slice(bytes.get(from..from + length)?).unwrap_or(Value::Null);
    Some(Captured { target: first.split(' ').nth(1)?.to_owned(), headers, body })
}

async fn play(stream: &mut TcpStream, act: Act) -> std::io::Result<()> {
    match act {
        Act::Say(text) => {
            send(stream, &stream_of(&[json!({"role": "assistant", "content": text})], "stop")).await
        }
        Act::Call(calls) => send(stream, &stream_of(&call_deltas(calls), "tool_calls")).await,
        Act::Stream(events) => send(stream, &events).await,
        Act::Document(body) => {
            let head = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
            stream.write_all(&[b"HTTP/1.1 200 OK\r\n", head.as_bytes(), b"\r\n", &body].concat()).await
        }
        Act::Refuse { status, headers, body } => {
            let head =
                format!("HTTP/1.1 {status} No\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
            stream.write_all(head.as_bytes()).await
        }
        Act::Reset(events) => {
            begin(stream).await?;
            piece(stream, &events).await?;
            stream.set_zero_linger()?;
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
        Act::BlackHole => {
            // Until the other side hangs up.
            stream.read_u8().await?;
            Ok(())
        }
        Act::ByteASecond => {
            begin(stream).await?;
            let mut pace = tokio::time::interval(Duration::from_secs(1));
            for byte in stream_of(&[json!({"role": "assistant", "content": "slow"})], "stop") {
                pace.tick().await;
                piece(stream, &[byte]).await?;
            }
            Ok(())
        }
        Act::Endless => {
            begin(stream).await?;
            let more = event(&json!({"choices": [{"index": 0, "delta": {"content": "and so on, "}}]}));
            loop {
                piece(stream, &more).await?;
            }
        }
    }
}

/// A whole answer in one write, as a fast server would send it.
async fn send(stream: &mut TcpStream, events: &[u8]) -> std::io::Result<()> {
    let size = format!("{:x}\r\n", events.len());
    stream.write_all(&[HEAD, size.as_bytes(), events, b"\r\n0\r\n\r\n"].concat()).await
}

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

async fn begin(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(HEAD).await
}

async fn piece(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.is_empty() {
        // An empty piece would be the end of a chunked body.
        return Ok(());
    }
    let size = format!("{:x}\r\n", bytes.len());
    stream.write_all(&[size.as_bytes(), bytes, b"\r\n"].concat()).await
}

/// What a plain, honest model would answer.
pub(crate) fn honestly(captured: &Captured) -> Act {
    let name = captured.body.pointer("/response_format/json_schema/name").and_then(Value::as_str);
    let purpose = match name {
        Some("triage") => "triage",
        Some("words") => "word",
        Some("listened") => "ask",
        _ => "resolve",
    };
    let shown = captured.said("user").pop().unwrap_or_default();
    let text = firstline::evals::model::honest(purpose, &shown);
    Act::Stream(stream_of(&[json!({"role": "assistant", "content": text})], "stop"))
}

impl Captured {
    /// What was said in this role, oldest first.
    pub(crate) fn said(&self, role: &str) -> Vec<String> {
        let messages = self.body.get("messages").and_then(Value::as_array).into_iter().flatten();
        let own = messages.filter(|message| message.get("role").and_then(Value::as_str) == Some(role));
        own.filter_map(|message| Some(message.get("content")?.as_str()?.to_owned())).collect()
    }
}

/// One event of a stream.
pub(crate) fn event(json: &Value) -> Vec<u8> {
    format!("data: {json}\n\n").into_bytes()
}

/// A stream that ends as it should.
pub(crate) fn stream_of(deltas: &[Value], finish: &str) -> Vec<u8> {
    let mut events = cut_stream_of(deltas);
    events.extend(event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})));
    events.extend(event(&json!({"choices": [], "usage": {"prompt_tokens": 70, "completion_tokens": 9}})));
    events.extend_from_slice(b"data: [DONE]\n\n");
    events
}

/// A stream without its end.
pub(crate) fn cut_stream_of(deltas: &[Value]) -> Vec<u8> {
    deltas
        .iter()
        .flat_map(|delta| event(&json!({"model": "stub", "choices": [{"index": 0, "delta": delta}]})))
        .collect()
}

/// The pieces in which calls arrive.
pub(crate) fn call_deltas(calls: &[(&str, &str)]) -> Vec<Value> {
    let call = |(at, (name, arguments)): (usize, &(&str, &str))| {
        let function = json!({"name": name, "arguments": arguments});
        json!({"tool_calls": [{"index": at, "id": format!("call-{at}"), "type": "function", "function": function}]})
    };
    calls.iter().enumerate().map(call).collect()
}
