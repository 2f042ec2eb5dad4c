//! Dispatch against a server on loopback that answers, refuses, breaks, stalls and hangs up.

use std::sync::Mutex;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::domain::receipt::CallStatus;
use crate::tools::{CallResult, ToolError, dispatch};

/// What the server does with one request.
#[derive(Clone)]
enum Act {
    Answer(u16, String),
    HangUp,
    Stall,
    Redirect(String),
}

fn ok(body: &Value) -> Act {
    Act::Answer(200, body.to_string())
}

#[derive(Clone)]
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers the first request with the first act, and so on; the last act repeats.
    async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let server = Self { url, seen: Arc::clone(&seen) };
        #[expect(clippy::disallowed_methods, reason = "the test's own server ends with its runtime")]
        tokio::spawn(async move {
            let mut stalled = Vec::new();
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read_request(&mut socket).await;
                let at = seen.lock().unwrap().len().min(acts.len() - 1);
                seen.lock().unwrap().push(request);
                let text = match &acts[at] {
                    Act::Answer(status, body) => format!(
                        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                        body.len()
                    ),
                    Act::Redirect(to) => format!(
                        "HTTP/1.1 302 X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    ),
                    Act::HangUp => continue,
                    Act::Stall => {
                        stalled.push(socket);
                        continue;
                    }
                };
                let _ = socket.write_all(text.as_bytes()).await;
            }
        });
        server
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    async fn call(&self, tool: &str, arguments: Value, key: Option<&str>) -> Result<CallResult, ToolError> {
        let (case, customer, clock) = (case(), customer(), StillClock::default());
        let caller = Caller { case: &case, customer: &customer, clock: &clock, call: None };
        dispatch(&toolbox(&self.url), tool, &arguments, caller, key).await
    }
}

async fn read_request(socket: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_string();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            _ => return text,
        }
    }
}

const ORDER: &str = "HP-10042";

fn refund() -> Value {
    json!({"order_id": ORDER, "amount_minor": 5000})
}

#[tokio::test]
async fn a_read_goes_to_the_customers_own_record_and_gives_the_chosen_result() {
    let server = Server::start(vec![ok(&json!({"order": {"id": ORDER}}))]).await;
    let result = server.call("order_status", json!({"order_id": ORDER}), None).await.unwrap();
    assert_eq!((result.status, result.result), (CallStatus::Done, json!({"id": ORDER})));
    let request = server.requests().remove(0);
    assert!(request.starts_with("GET /api/customers/cust-0007/orders/HP-10042 HTTP/1.1\r\n"), "{request}");
    assert!(request.to_ascii_lowercase().contains("authorization: bearer s3cret\r\n"));
    assert!(!request.to_ascii_lowercase().contains("idempotency-key"));
}

#[tokio::test]
async fn an_argument_cannot_leave_its_place_in_the_path() {
    let server = Server::start(vec![ok(&json!({"order": {}}))]).await;
    let smuggled = json!({"order_id": "../../cust-0001/orders/HP-10001?x=/#"});
    server.call("order_status", smuggled, None).await.unwrap();
    assert!(
        server.requests()[0].starts_with(
            "GET /api/customers/cust-0007/orders/..%2F..%2Fcust-0001%2Forders%2FHP-10001%3Fx%3D%2F%23 HTTP/1.1"
        ),
        "{}",
        server.requests()[0]
    );
    for dots in ["..", "."] {
        let refused = server.call("order_status", json!({"order_id": dots}), None).await;
        assert!(matches!(refused, Err(ToolError::TellModel(_))), "{dots}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_read_is_tried_again_and_then_says_that_it_failed() {
    for broken in [Act::Answer(503, String::new()), Act::HangUp, Act::Stall, Act::Answer(429, String::new())]
    {
        let server = Server::start(vec![broken.clone(), ok(&json!({"order": {"id": ORDER}}))]).await;
        let result = server.call("order_status", json!({"order_id": ORDER}), None).await.unwrap();
        assert_eq!((result.status, server.requests().len()), (CallStatus::Done, 2));

        let server = Server::start(vec![broken]).await;
        let result = server.call("order_status", json!({"order_id": ORDER}), None).await.unwrap();
        assert_eq!((result.status, server.requests().len()), (CallStatus::Failed, 3));
        assert!(result.result["error"]["code"].is_string());
    }
}

#[tokio::test]
async fn a_write_is_sent_once_with_its_key_and_a_lost_answer_is_unknown() {
    for (act, expected) in [
        (ok(&json!({"refund_id": "RF-1"})), CallStatus::Done),
        (Act::Answer(204, String::new()), CallStatus::Done),
        (
            Act::Answer(409, json!({"error": {"code": "too_late", "message": "shipped"}}).to_string()),
            CallStatus::Refused,
        ),
        (Act::Answer(500, String::new()), CallStatus::Unknown),
        (Act::Answer(408, String::new()), CallStatus::Unknown),
        (Act::Answer(200, "<html>".to_owned()), CallStatus::Unknown),
        (Act::HangUp, CallStatus::Unknown),
        (Act::Stall, CallStatus::Unknown),
        (Act::Redirect("http://127.0.0.1:9/".to_owned()), CallStatus::Unknown),
    ] {
        let server = Server::start(vec![act]).await;
        let result = server.call("refund_order", refund(), Some("key-1")).await.unwrap();
        assert_eq!(result.status, expected, "{}", result.result);
        assert_eq!(server.requests().len(), 1, "a write is never repeated");
        let request = server.requests().remove(0);
        assert!(request.to_ascii_lowercase().contains("idempotency-key: key-1\r\n"), "{request}");
        assert_eq!(
            serde_json::from_str::<Value>(request.split_once("\r\n\r\n").unwrap().1).unwrap(),
            refund()
        );
        if expected == CallStatus::Refused {
            assert_eq!(result.result, json!({"error": {"code": "too_late", "message": "shipped"}}));
        }
    }
}

#[tokio::test]
async fn a_write_that_never_left_has_failed_and_one_without_a_key_does_not_leave() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server { url: format!("http://{}", closed.local_addr().unwrap()), seen: Arc::default() };
    drop(closed);
    let result = server.call("refund_order", refund(), Some("key-1")).await.unwrap();
    assert_eq!(result.status, CallStatus::Failed);

    let server = Server::start(vec![ok(&json!({}))]).await;
    assert!(matches!(server.call("refund_order", refund(), None).await, Err(ToolError::Stop(_))));
    let smuggled = json!({"order_id": ORDER, "amount_minor": 5000, "customer": "cust-0001"});
    assert!(matches!(server.call("refund_order", smuggled, Some("k")).await, Err(ToolError::TellModel(_))));
    assert!(matches!(server.call("no_such_tool", json!({}), Some("k")).await, Err(ToolError::TellModel(_))));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_large_or_deep_answers_are_not_taken() {
    let elsewhere = Server::start(vec![ok(&json!({"order": {"id": "stolen"}}))]).await;
    let deep = format!("{{\"order\":{}{}}}", "[".repeat(70), "]".repeat(70));
    for act in [
        Act::Redirect(elsewhere.url.clone()),
        Act::Answer(200, format!("\"{}\"", "x".repeat(1_100_000))),
        Act::Answer(200, deep),
        Act::Answer(200, "{\"orders\":[]}".to_owned()),
    ] {
        let server = Server::start(vec![act]).await;
        let result = server.call("order_status", json!({"order_id": ORDER}), None).await.unwrap();
        assert_eq!(result.status, CallStatus::Failed);
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn secrets_and_the_address_stay_out_of_results() {
    let server = Server::start(vec![Act::Answer(500, "Bearer s3cret".to_owned())]).await;
    let result = server.call("order_status", json!({"order_id": ORDER}), None).await.unwrap();
    let text = format!("{result:?}");
    assert!(!text.contains("s3cret") && !text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn not_yours_and_not_there_read_the_same_and_a_refused_token_is_no_word_about_the_order() {
    let body = |code: &str| json!({"error": {"code": code, "message": code}}).to_string();
    let mut results = Vec::new();
    for act in [
        Act::Answer(404, body("not_found")),
        Act::Answer(403, body("not_yours")),
        Act::Answer(404, String::new()),
    ] {
        let server = Server::start(vec![act]).await;
        results.push(server.call("order_status", json!({"order_id": ORDER}), None).await.unwrap());
    }
    assert!(results.iter().all(|r| *r == results[0] && r.status == CallStatus::Refused), "{results:?}");
    assert_eq!(results[0].result["error"]["code"], "not_found");
    for tool in ["order_status", "refund_order"] {
        let server = Server::start(vec![Act::Answer(401, body("bad_token"))]).await;
        let arguments = if tool == "refund_order" { refund() } else { json!({"order_id": ORDER}) };
        let result = server.call(tool, arguments, Some("key-1")).await.unwrap();
        assert_eq!((result.status, server.requests().len()), (CallStatus::Failed, 1), "{tool}");
    }
}

/// A tool whose credentials are exchanged for a token.
const WITH_TOKEN: &str = r#"
[[tools]]
name = "stock"
description = "Stock."
effect = "read"
assurance = "anonymous"
[tools.http]
method = "GET"
url = "{{ env.SHOP_URL }}/stock"
retries = 0
timeout_ms = 300
oauth2 = { token_url = "{{ env.SHOP_URL }}/token", client_id = "us", client_secret = "{{ env.SHOP_TOKEN }}", scope = "stock" }
"#;

fn token(value: &str) -> Act {
    ok(&json!({"access_token": value, "expires_in": 3600, "token_type": "Bearer"}))
}

async fn with_token(acts: Vec<Act>, calls: usize) -> (Server, Vec<CallResult>) {
    let server = Server::start(acts).await;
    let toolbox = toolbox_of(WITH_TOKEN, &server.url).unwrap();
    let (case, customer, clock) = (case(), customer(), StillClock::default());
    let mut results = Vec::new();
    for _ in 0..calls {
        let caller = Caller { case: &case, customer: &customer, clock: &clock, call: None };
        results.push(dispatch(&toolbox, "stock", &json!({}), caller, None).await.unwrap());
    }
    (server, results)
}

#[tokio::test]
async fn one_token_serves_many_calls_and_is_renewed_when_it_is_withdrawn() {
    let acts = vec![
        token("first"),
        ok(&json!({"n": 1})),
        ok(&json!({"n": 2})),
        Act::Answer(401, "{}".to_owned()),
        token("second"),
        ok(&json!({"n": 3})),
    ];
    let (server, results) = with_token(acts, 3).await;
    assert_eq!(results.iter().map(|r| r.result["n"].clone()).collect::<Vec<_>>(), [1, 2, 3]);
    let requests = server.requests();
    assert!(
        requests[0].starts_with("POST /token")
            && requests[0].contains("grant_type=client_credentials&scope=stock")
    );
    assert!(requests[0].contains("authorization: Basic "), "{}", requests[0]);
    for (at, bearer) in [(1, "first"), (2, "first"), (3, "first"), (5, "second")] {
        assert!(requests[at].contains(&format!("authorization: Bearer {bearer}")), "{}", requests[at]);
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_called_and_no_secret_is_told() {
    for refusal in [Act::Answer(400, "s3cret".to_owned()), Act::HangUp, ok(&json!({"token": "s3cret"}))] {
        let (server, results) = with_token(vec![refusal], 1).await;
        assert_eq!(results[0].status, CallStatus::Failed);
        assert_eq!(results[0].result["error"]["code"], "no_token");
        assert!(!results[0].result.to_string().contains("s3cret"));
        assert!(server.requests().iter().all(|request| request.starts_with("POST /token")));
    }
}

#[tokio::test]
async fn a_token_that_is_refused_again_is_not_asked_for_for_ever() {
    let refused = Act::Answer(401, "{}".to_owned());
    let (server, results) = with_token(vec![token("a"), refused.clone(), token("b"), refused], 1).await;
    assert_eq!(results[0].result["error"]["code"], "http_401");
    assert_eq!(server.requests().len(), 4);
}
