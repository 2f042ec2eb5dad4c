//! Bad input over HTTP: each is a clear error that says what to do, and never our fault.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::site::Site;

struct Caller {
    site: Site,
    http: Client,
}

impl Caller {
    async fn start() -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let site = Site::start().await;
        let http = Client::builder().no_proxy().build().unwrap();
        Self { site, http }
    }

    /// Sends a body as it is; the status and the JSON that came back.
    async fn send(&self, method: Method, path: &str, body: impl Into<Vec<u8>>) -> (StatusCode, Value) {
        let request = self.http.request(method, self.site.url(path)).bearer_auth(self.site.key());
        let request = request.header("content-type", "application/json").body(body.into());
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"));
        (status, body)
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::GET, path, "").await
    }

    async fn message(&self, id: &str, text: &str) -> (StatusCode, Value) {
        let body = json!({"id": id, "sender": {"id": "u1"}, "text": text});
        self.send(Method::POST, "/v1/messages?wait_ms=20000", body.to_string()).await
    }
}

/// A refusal has the status, one word for machines, and a sentence for people.
fn assert_refused((status, body): (StatusCode, Value), expected: u16, says: &str) {
    assert_eq!(status.as_u16(), expected, "{body}");
    let error = &body["error"];
    assert!(error["code"].as_str().is_some_and(|code| !code.is_empty()), "{body}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(says), "{message} does not say {says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_message_is_refused_by_the_field_that_is_wrong() {
    let caller = Caller::start().await;
    let long = json!({"id": "1", "sender": {"id": "u"}, "text": "x".repeat(20_001)}).to_string();
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, says) in [
        (String::new(), "`body` is not the JSON"),
        ("{".to_owned(), "`body` is not the JSON"),
        ("null".to_owned(), "`body` must be an object"),
        (deep, "nested too deep"),
        (r#"{"id":"1","id":"2"}"#.to_owned(), "`id` stands twice"),
        (r#"{"id":1,"sender":{"id":"u"},"text":"x"}"#.to_owned(), "`id` must be a string"),
        (r#"{"id":"1","sender":"u","text":"x"}"#.to_owned(), "`sender` must be an object"),
        (r#"{"id":"1","sender":{"id":"u"},"text":"x","txet":"y"}"#.to_owned(), "`txet` is not known"),
        (r#"{"id":"1","sender":{"id":"u"},"text":"a\u0000b"}"#.to_owned(), "NUL"),
        (r#"{"id":"1","sender":{"id":"u"},"text":"\ud83d"}"#.to_owned(), "surrogate"),
        (r#"{"id":"1","sender":{"id":"u"},"text":""}"#.to_owned(), "`text` is empty"),
        (
            "{\"id\":\"1\",\"sender\":{\"id\":\"u\"},\"text\":\"\u{200b}\u{202e}\"}".to_owned(),
            "`text` is empty",
        ),
        (long, "at most 20000"),
    ] {
        assert_refused(caller.send(Method::POST, "/v1/messages", body).await, 400, says);
    }
    assert_refused(caller.send(Method::POST, "/v1/messages", b"\"\xff\xfe\"".to_vec()).await, 400, "UTF-8");
    assert_refused(
        caller.send(Method::POST, "/v1/messages", vec![b' '; 1_048_577]).await,
        413,
        "1048576 bytes",
    );
    assert_refused(caller.send(Method::POST, "/v1/messages?wait_ms=soon", "{}").await, 400, "wait_ms");
    assert_eq!(caller.get("/v1/cases").await.1["items"], json!([]), "nothing of it was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_but_readable_text_is_answered_and_kept_as_it_was_written() {
    let caller = Caller::start().await;
    let long_line = "order ".repeat(1_666);
    let texts = [
        "👍",
        "مرحبا، أين طلبي؟",
        "zero\u{200b}width \u{202e}right to left",
        "'; drop table cases; --",
        "{{ 7 * 7 }}",
        &long_line,
    ];
    for (at, text) in texts.into_iter().enumerate() {
        let (status, body) = caller.message(&format!("strange-{at}"), text).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_ne!(body["outcome"], "pending", "{text}");
        let case = body["case_id"].as_str().unwrap();
        let (_, thread) = caller.get(&format!("/v1/cases/{case}/messages?limit=200")).await;
        let kept = thread["items"].as_array().unwrap().iter().any(|one| one["text"] == text);
        assert!(kept, "{text} in {thread}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_is_stored_once_and_with_another_text_refused() {
    let caller = Caller::start().await;
    let (_, first) = caller.message("same", "what are your store hours").await;
    let (status, again) = caller.message("same", "what are your store hours").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(again["duplicate"], true);
    assert_eq!((&again["message_id"], &again["replies"]), (&first["message_id"], &first["replies"]));
    assert_refused(caller.message("same", "something else").await, 409, "new id");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_not_allowed_is_said_in_one_shape() {
    let caller = Caller::start().await;
    for path in [
        "/v1/cases/none",
        "/v1/cases/a%20b/messages",
        "/v1/cases/none/stream",
        "/v1/customers/none",
        "/v1/x",
        "/x",
    ] {
        assert_refused(caller.get(path).await, 404, "there is no");
    }
    assert_refused(
        caller.send(Method::POST, "/v1/cases/none/replies", r#"{"text":"x"}"#).await,
        404,
        "no such case",
    );
    assert_refused(
        caller.send(Method::POST, "/v1/cases/none/replies", r#"{"text":" "}"#).await,
        400,
        "`text` is empty",
    );
    assert_refused(caller.send(Method::DELETE, "/v1/messages", "").await, 405, "Allow");
    for path in [
        "/v1/cases?limit=0",
        "/v1/cases?cursor=x",
        "/v1/cases?from=today",
        "/v1/cases?state=lost",
        "/v1/cases?sort=id",
    ] {
        let (status, body) = caller.get(path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {body}");
    }
    let anonymous = |path: &str| caller.http.get(caller.site.url(path)).send();
    for path in ["/v1/cases", "/v1/knowledge/search?q=x", "/metrics", "/widget/messages", "/widget/stream"] {
        assert_eq!(anonymous(path).await.unwrap().status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    let plain = caller
        .http
        .post(caller.site.url("/v1/messages"))
        .bearer_auth(caller.site.key())
        .header("content-type", "text/plain");
    assert_eq!(plain.body("{}").send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let foreign =
        caller.http.post(caller.site.url("/widget/session")).header("origin", "https://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let forged = caller.http.post(caller.site.url("/console/login")).header("origin", "https://evil.example");
    let forged = forged.form(&[("login", "admin"), ("password", caller.site.password())]);
    assert_eq!(forged.send().await.unwrap().status(), StatusCode::FORBIDDEN);
}
