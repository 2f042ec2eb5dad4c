//! What the shop keeps: keys, the journal, and its behaviour under faults.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Monday, Thursday, code, get, open, own, post, send};
use crate::demo::{Fault, FaultMode, Shop, ShopError, router};

#[tokio::test]
async fn a_key_acts_once_and_belongs_to_one_request() {
    let shop = open(None);
    let path = own(1, "HP-10042", "refunds");
    let refund = |amount: i64| json!({ "amount_minor": amount, "reason": "late" });
    let first = send(&shop, "POST", &path, Some("k1"), refund(500)).await;
    assert_eq!(send(&shop, "POST", &path, Some("k1"), refund(500)).await, first);
    assert_eq!(code(&send(&shop, "POST", &path, Some("k1"), refund(501)).await), (422, "key_reused"));
    assert_eq!(
        code(&send(&shop, "POST", &own(2, "HP-10073", "refunds"), Some("k1"), refund(500)).await),
        (422, "key_reused")
    );
    let effect = json!({ "key": "k1", "tool": "refund_order", "customer": "cust-0001", "order_id": "HP-10042", "count": 1, "attempts": 2 });
    assert_eq!(shop.state()["effects"], json!([effect]));
    let refused = send(&shop, "POST", &own(1, "HP-10042", "cancel"), Some("k2"), json!({})).await;
    assert_eq!(send(&shop, "POST", &own(1, "HP-10042", "cancel"), Some("k2"), json!({})).await, refused);
}

#[tokio::test]
async fn what_was_answered_survives_a_kill_with_its_keys_and_dates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/shop.jsonl");
    let shop = open(Some(&path));
    let cancelled = send(&shop, "POST", &own(2, "HP-10073", "cancel"), Some("k"), json!({})).await;
    post(&shop, &own(19, "HP-10025", "replacements"), json!({ "sku": "MUG-STEEL", "reason": "chipped" }))
        .await;
    let before = shop.state();
    // What a kill leaves: the file as it is now, and perhaps half a line.
    let copy = folder.path().join("copy.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"record\":\"call\",\"at\":\"20");
    std::fs::write(&copy, bytes).unwrap();
    let again = open(Some(&copy));
    assert_eq!(again.state(), before);
    assert_eq!(send(&again, "POST", &own(2, "HP-10073", "cancel"), Some("k"), json!({})).await, cancelled);
    assert_eq!(again.state()["effects"][0]["attempts"], 2);
    drop(again);
    let later = Shop::open(Some(copy), Arc::new(Thursday), "secret".to_owned()).unwrap();
    assert_eq!(
        (&later.state()["opening_day"], &later.state()["today"]),
        (&json!("2026-11-23"), &json!("2026-11-26"))
    );
    assert_eq!(later.state()["effects"][0]["attempts"], 2);
}

#[test]
fn a_journal_in_use_broken_or_of_another_format_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.jsonl");
    let reopen = || Shop::open(Some(path.clone()), Arc::new(Monday), "secret".to_owned()).map(|_| ());
    let first = open(Some(&path));
    assert!(matches!(reopen(), Err(ShopError::Journal(crate::demo::JournalError::InUse(_)))));
    drop(first);
    std::fs::write(&path, "{\"record\":\"opened\",\"format\":1,\"opening_day\":\"2026-11-23\"}\nnot json\n")
        .unwrap();
    assert!(reopen().unwrap_err().to_string().contains("line 2"));
    std::fs::write(&path, "{\"record\":\"opened\",\"format\":2,\"opening_day\":\"2026-11-23\"}\n").unwrap();
    assert!(matches!(reopen(), Err(ShopError::Format(2))));
}

#[tokio::test]
async fn nobody_gets_in_without_the_token_and_nonsense_is_the_senders_fault() {
    let shop = open(None);
    for header in [None, Some("Bearer wrong"), Some("secret")] {
        let mut request = Request::builder().uri("/state");
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let response = router(shop.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 401);
    }
    for body in [
        json!([]),
        json!({ "amount_minor": 1, "reason": "x", "customer": "cust-0002" }),
        json!({ "order_id": "HP-10073", "amount_minor": 1, "reason": "x" }),
    ] {
        assert_eq!(
            code(&post(&shop, &own(1, "HP-10042", "refunds"), body.clone()).await),
            (422, "invalid"),
            "{body}"
        );
    }
    let big = json!({ "query": "x".repeat(20_000) });
    assert_eq!(post(&shop, "/api/products/search", big).await.0, 413);
}

#[tokio::test]
async fn faults_fail_before_acting_and_forget_keys_when_told() {
    let shop = open(None);
    let path = own(1, "HP-10042", "refunds");
    let refund = json!({ "amount_minor": 100, "reason": "late" });
    assert_eq!(
        post(&shop, "/faults", json!({ "tool": "refund_order", "mode": "fail", "times": 1 })).await.0,
        204
    );
    assert_eq!(code(&send(&shop, "POST", &path, Some("k"), refund.clone()).await), (503, "unavailable"));
    assert_eq!(shop.state()["effects"], json!([]));
    assert_eq!(send(&shop, "POST", &path, Some("k"), refund.clone()).await.0, 200);
    shop.faults.add(Fault { tool: "*".to_owned(), mode: FaultMode::ForgetKey, ms: 0, times: 1 });
    assert_eq!(send(&shop, "POST", &path, Some("k"), refund).await.0, 200);
    assert_eq!(shop.state()["effects"][0]["count"], 2);
    assert_eq!(post(&shop, "/faults", json!({ "tool": "stock", "mode": "explode" })).await.0, 422);
    shop.faults.add(Fault { tool: "stock".to_owned(), mode: FaultMode::Fail, ms: 0, times: 9 });
    assert_eq!(send(&shop, "DELETE", "/faults", None, Value::Null).await.0, 204);
    assert_eq!(get(&shop, "/api/products/STOVE-DUO/stock").await.0, 200);
}

#[tokio::test]
async fn a_lost_response_acts_and_hangs_up_without_a_byte() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let shop = open(None);
    shop.faults.add(Fault {
        tool: "cancel_order".to_owned(),
        mode: FaultMode::LoseResponse,
        ms: 0,
        times: 1,
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async { axum::serve(listener, router(shop.clone())).await.unwrap() };
    let asking = async {
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let path = own(2, "HP-10073", "cancel");
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer secret\r\ncontent-length: 0\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        socket.read_to_end(&mut read).await.unwrap();
        String::from_utf8(read).unwrap()
    };
    let read = tokio::select! { () = serving => String::from("the server stopped"), read = asking => read };
    assert_eq!(read, "");
    assert_eq!(shop.state()["orders"]["HP-10073"]["status"], "cancelled");
}

#[test]
fn the_demo_declares_every_tool_for_a_model_to_read() {
    let config: toml::Value = toml::from_str(crate::demo::CONFIG).unwrap();
    let tools = config["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 22);
    for tool in tools {
        assert!(tool["description"].as_str().unwrap().len() > 30, "{tool}");
        assert!(tool["http"]["url"].as_str().unwrap().starts_with("{{ env.SHOP_URL }}/api/"), "{tool}");
        let write = tool["effect"].as_str() == Some("write");
        assert_eq!(write, tool["assurance"].as_str() == Some("verified"), "{tool}");
    }
}
