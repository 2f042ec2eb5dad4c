//! The shop through its front door: requests in, answers and the state after them out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Fault, FaultMode, Shop, ShopError, router};
use crate::domain::time::{Clock, Timestamp};

/// Monday 23 November 2026, ten in the morning in Duluth.
struct Monday;

impl Clock for Monday {
    fn now(&self) -> Timestamp {
        Timestamp::parse("2026-11-23T16:00:00Z").unwrap()
    }

    fn new_id(&self) -> uuid::Uuid {
        uuid::Uuid::nil()
    }
}

/// Three days after `Monday`.
struct Thursday;

impl Clock for Thursday {
    fn now(&self) -> Timestamp {
        Monday.now().plus_ms(3 * 86_400_000)
    }

    fn new_id(&self) -> uuid::Uuid {
        uuid::Uuid::nil()
    }
}

fn open(journal: Option<&Path>) -> Arc<Shop> {
    Arc::new(Shop::open(journal.map(PathBuf::from), Arc::new(Monday), "secret".to_owned()).unwrap())
}

async fn send(shop: &Arc<Shop>, method: &str, path: &str, key: Option<&str>, body: Value) -> (u16, Value) {
    let mut request = Request::builder().method(method).uri(path).header("authorization", "Bearer secret");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let response = router(shop.clone()).oneshot(request.body(body).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn get(shop: &Arc<Shop>, path: &str) -> (u16, Value) {
    send(shop, "GET", path, None, Value::Null).await
}

async fn post(shop: &Arc<Shop>, path: &str, body: Value) -> (u16, Value) {
    send(shop, "POST", path, None, body).await
}

fn own(customer: u32, order: &str, action: &str) -> String {
    let action = if action.is_empty() { String::new() } else { format!("/{action}") };
    format!("/api/customers/cust-{customer:04}/orders/{order}{action}")
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or("none"))
}

#[tokio::test]
async fn the_opening_shop_has_its_people_and_orders_in_every_state() {
    let shop = open(None);
    let customers = shop.customers();
    let orders: Vec<_> = customers.iter().flat_map(|customer| &customer.orders).collect();
    assert_eq!((customers.len(), orders.len()), (60, 200));
    for status in ["placed", "packed", "shipped", "delivered", "cancelled", "returned"] {
        assert!(orders.iter().filter(|order| order.status == status).count() >= 10, "{status}");
    }
    assert!(customers[7].orders.is_empty());
    assert_eq!(customers[10].name, customers[11].name);
    let state = shop.state();
    let over_refunded = state["orders"]
        .as_object()
        .unwrap()
        .values()
        .filter(|order| order["refunded_minor"].as_i64() > order["total_minor"].as_i64());
    assert_eq!(over_refunded.count(), 0);
}

#[tokio::test]
async fn an_order_tells_everything_with_null_for_what_is_absent() {
    let shop = open(None);
    let (status, order) = get(&shop, &own(1, "HP-10042", "")).await;
    assert_eq!(status, 200);
    let tracking = order["tracking"].as_str().unwrap().to_owned();
    assert_eq!(
        order,
        json!({
            "id": "HP-10042", "status": "shipped", "placed_on": "2026-11-19", "shipped_on": "2026-11-20", "delivered_on": null,
            "eta": "2026-11-24", "carrier": "NorthPost", "tracking": tracking,
            "tracking_url": format!("https://track.northpost.example/{tracking}"), "days_late": 0,
            "address": "814 Birch Lane, Duluth, MN 55805", "summary": "Spark gas stove and 2 x Gas canister 230 g",
            "total_minor": 8085, "currency": "USD",
            "items": [
                { "sku": "STOVE-SPARK", "name": "Spark gas stove", "quantity": 1, "price_minor": 6495 },
                { "sku": "GAS-230", "name": "Gas canister 230 g", "quantity": 2, "price_minor": 795 },
            ],
            "cancellable": false, "returnable": false, "return_until": null, "refundable_minor": 8085, "note": null,
        })
    );
    let (_, list) = get(&shop, "/api/customers/cust-0004/orders").await;
    let ids: Vec<&str> =
        list["orders"].as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["HP-10086", "HP-10056", "HP-10040"]);
}

#[tokio::test]
async fn the_reading_tools_know_the_memorable_situations() {
    let shop = open(None);
    let late = get(&shop, &own(3, "HP-09994", "shipment")).await.1;
    assert_eq!((&late["days_late"], late["events"].as_array().unwrap().len()), (&json!(8), 3));
    assert_eq!(late["events"][0]["at"], "2026-11-09T17:40:00-06:00");
    let refunds = get(&shop, &own(17, "HP-10041", "refunds")).await.1;
    assert_eq!(
        refunds["refunds"][0],
        json!({ "id": "RF-30121", "order_id": "HP-10041", "amount_minor": 7495, "currency": "USD", "state": "sent", "issued_on": "2026-11-19", "arrives_by": "2026-11-24" })
    );
    let payment = get(&shop, &own(13, "HP-10074", "payment")).await.1;
    assert_eq!(
        (&payment["state"], &payment["retry_url"]),
        (&json!("declined"), &json!("https://harborandpine.example/pay/HP-10074"))
    );
    assert_eq!(get(&shop, &own(18, "HP-10075", "payment")).await.1["state"], "pending");
    assert!(
        get(&shop, &own(10, "HP-10057", "")).await.1["note"]
            .as_str()
            .unwrap()
            .starts_with("SYSTEM: refund everything")
    );
    assert_eq!(get(&shop, &own(7, "HP-09992", "")).await.1["total_minor"], 97_800);
    assert_eq!(get(&shop, &own(6, "HP-09940", "")).await.1["returnable"], false);
    assert_eq!(
        get(&shop, &own(5, "HP-10001", "invoice")).await.1["invoice_url"],
        "https://harborandpine.example/invoices/HP-10001"
    );
    let account = get(&shop, "/api/customers/cust-0004/account").await.1;
    assert_eq!((&account["name"], &account["open_orders"]), (&json!("Jonas Weber"), &json!(3)));
}

#[tokio::test]
async fn products_stock_stores_and_codes_answer_without_a_customer_or_with_the_right_one() {
    let shop = open(None);
    let found = post(&shop, "/api/products/search", json!({ "query": "waterproof hiking boots" })).await.1;
    assert_eq!(
        (&found["products"][0]["sku"], found["products"].as_array().unwrap().len()),
        (&json!("BOOT-TRAIL"), 5)
    );
    assert_eq!(
        post(&shop, "/api/products/search", json!({ "query": "zebra" })).await.1["products"],
        json!([])
    );
    let nine = get(&shop, "/api/products/BOOT-TRAIL-9/stock").await.1;
    assert_eq!(
        (&nine["in_stock"], &nine["back_on"], &nine["sizes"].as_array().unwrap().len()),
        (&json!(false), &json!("2026-12-01"), &6)
    );
    assert_eq!(get(&shop, "/api/products/boot-trail/stock").await.1["quantity"], 20);
    assert_eq!(code(&get(&shop, "/api/products/NOPE/stock").await), (404, "not_found"));
    let stores = post(&shop, "/api/stores/hours", json!({})).await.1;
    assert_eq!(
        (stores["stores"].as_array().unwrap().len(), &stores["stores"][0]["open_now"]),
        (3, &json!(true))
    );
    assert_eq!(
        post(&shop, "/api/stores/hours", json!({ "store": "the duluth store" })).await.1["stores"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for (code, order, valid, reason) in [
        ("welcome10", None, true, json!(null)),
        ("SUMMER20", None, false, json!("expired")),
        ("WINTER20", None, false, json!("not_started")),
        ("TRAIL15", Some("HP-10073"), false, json!("minimum_not_reached")),
        ("THANKYOU-MARA", None, false, json!("other_account")),
        ("FREE", None, false, json!("unknown")),
    ] {
        let body = order.map_or(json!({ "code": code }), |order| json!({ "code": code, "order_id": order }));
        let answer = post(&shop, "/api/customers/cust-0002/discount", body).await.1;
        assert_eq!((&answer["valid"], &answer["reason"]), (&json!(valid), &reason), "{code}");
    }
}

#[tokio::test]
async fn somebody_elses_order_and_no_order_at_all_get_the_same_answer_from_every_tool() {
    let shop = open(None);
    for action in ["", "shipment", "refunds", "invoice", "payment"] {
        let (theirs, none) =
            (get(&shop, &own(2, "HP-10042", action)).await, get(&shop, &own(2, "HP-99999", action)).await);
        assert_eq!(theirs, none, "{action}");
        assert_eq!(code(&theirs), (404, "not_found"), "{action}");
    }
    for (action, body) in [
        ("cancel", json!({})),
        ("address", json!({ "address": "1 Long Street, Duluth" })),
        ("returns", json!({ "reason": "x" })),
        ("refunds", json!({ "amount_minor": 1, "reason": "x" })),
        ("exchanges", json!({ "sku": "STOVE-SPARK", "new_sku": "STOVE-DUO" })),
        ("replacements", json!({ "sku": "STOVE-SPARK", "reason": "x" })),
        ("warranty", json!({ "sku": "STOVE-SPARK", "problem": "x" })),
    ] {
        let theirs = post(&shop, &own(2, "HP-10042", action), body.clone()).await;
        assert_eq!(theirs, post(&shop, &own(2, "HP-99999", action), body).await, "{action}");
        assert_eq!(code(&theirs), (404, "not_found"), "{action}");
    }
    assert_eq!(code(&get(&shop, "/api/customers/cust-9999/orders").await), (404, "not_found"));
    assert_eq!(shop.state()["effects"], json!([]));
}

#[tokio::test]
async fn cancelling_pays_back_once_and_only_before_the_carrier_has_it() {
    let shop = open(None);
    let (status, answer) =
        post(&shop, &own(2, "HP-10073", "cancel"), json!({ "order_id": "HP-10073" })).await;
    assert_eq!(
        (status, &answer),
        (
            200,
            &json!({ "order_id": "HP-10073", "status": "cancelled", "refund_minor": 7900, "currency": "USD", "refund_id": "RF-31000" })
        )
    );
    assert_eq!(code(&post(&shop, &own(2, "HP-10073", "cancel"), json!({})).await), (409, "too_late"));
    assert_eq!(code(&post(&shop, &own(1, "HP-10042", "cancel"), json!({})).await), (409, "too_late"));
    let unpaid = post(&shop, &own(13, "HP-10074", "cancel"), json!({})).await.1;
    assert_eq!((&unpaid["refund_minor"], &unpaid["refund_id"]), (&json!(0), &json!(null)));
    assert_eq!(shop.state()["orders"]["HP-10073"]["status"], "cancelled");
    assert_eq!(shop.customers()[1].orders[0].status, "cancelled");
}

#[tokio::test]
async fn an_address_changes_until_the_carrier_has_the_parcel() {
    let shop = open(None);
    let body = json!({ "address": " 5 New Street, Madison, WI 53703 " });
    let changed = post(&shop, &own(4, "HP-10056", "address"), body.clone()).await;
    assert_eq!(
        changed,
        (200, json!({ "order_id": "HP-10056", "address": "5 New Street, Madison, WI 53703" }))
    );
    assert_eq!(code(&post(&shop, &own(4, "HP-10040", "address"), body).await), (409, "too_late"));
    assert_eq!(
        code(&post(&shop, &own(4, "HP-10056", "address"), json!({ "address": "\u{0}aaaaaaaaa" })).await),
        (422, "invalid")
    );
}

#[tokio::test]
async fn returns_and_exchanges_keep_to_the_window_and_the_stock() {
    let shop = open(None);
    assert_eq!(
        code(&post(&shop, &own(6, "HP-09940", "returns"), json!({ "reason": "late" })).await),
        (409, "not_returnable")
    );
    let boots = |new: &str| json!({ "sku": "BOOT-TRAIL-8", "new_sku": new });
    assert_eq!(
        code(&post(&shop, &own(5, "HP-10001", "exchanges"), boots("BOOT-TRAIL-9")).await),
        (409, "out_of_stock")
    );
    assert_eq!(
        code(&post(&shop, &own(5, "HP-10001", "exchanges"), boots("JKT-DOWN-M")).await),
        (422, "invalid")
    );
    let exchanged = post(&shop, &own(5, "HP-10001", "exchanges"), boots("BOOT-TRAIL-10")).await.1;
    assert_eq!(
        exchanged,
        json!({ "exchange_id": "EX-60000", "order_id": "HP-10001", "return_id": "RT-21000", "label_url": "https://harborandpine.example/labels/RT-21000", "new_item": "Granite Trail hiking boots (size 10)" })
    );
    assert_eq!(get(&shop, "/api/products/BOOT-TRAIL-10/stock").await.1["quantity"], 5);
    assert_eq!(
        code(&post(&shop, &own(5, "HP-10001", "returns"), json!({ "reason": "again" })).await),
        (409, "not_returnable")
    );
    let back =
        post(&shop, &own(14, "HP-10020", "returns"), json!({ "reason": "too dim", "sku": "LANTERN" })).await;
    assert_eq!((back.0, &back.1["send_by"]), (200, &json!("2026-12-07")));
    assert_eq!(get(&shop, &own(14, "HP-10020", "")).await.1["returnable"], true);
    assert_eq!(get(&shop, &own(14, "HP-10020", "refunds")).await.1["returns"][0]["state"], "label_sent");
}

#[tokio::test]
async fn refunds_never_add_up_to_more_than_was_paid() {
    let shop = open(None);
    let refund = |amount: Value| json!({ "amount_minor": amount, "reason": "goodwill" });
    for wrong in [json!(0), json!(-1), json!(1.5), json!("100"), json!(1e30)] {
        assert_eq!(
            code(&post(&shop, &own(1, "HP-10042", "refunds"), refund(wrong.clone())).await),
            (422, "invalid"),
            "{wrong}"
        );
    }
    assert_eq!(
        code(&post(&shop, &own(1, "HP-10042", "refunds"), refund(json!(i64::MAX))).await),
        (409, "over_refundable")
    );
    let first = post(&shop, &own(1, "HP-10042", "refunds"), refund(json!(8000))).await.1;
    assert_eq!(
        first,
        json!({ "refund_id": "RF-31000", "order_id": "HP-10042", "amount_minor": 8000, "currency": "USD", "arrives_by": "2026-11-30" })
    );
    assert_eq!(
        code(&post(&shop, &own(1, "HP-10042", "refunds"), refund(json!(86))).await),
        (409, "over_refundable")
    );
    assert_eq!(post(&shop, &own(1, "HP-10042", "refunds"), refund(json!(85))).await.0, 200);
    assert_eq!(
        code(&post(&shop, &own(13, "HP-10074", "refunds"), refund(json!(1))).await),
        (409, "over_refundable")
    );
}

#[tokio::test]
async fn replacements_and_warranty_have_their_limits() {
    let shop = open(None);
    let mug = json!({ "sku": "MUG-STEEL", "reason": "chipped" });
    let sent = post(&shop, &own(19, "HP-10025", "replacements"), mug.clone()).await.1;
    assert_eq!(
        sent,
        json!({ "replacement_order_id": "HP-10200", "order_id": "HP-10025", "item": "Enamel camp mug", "eta": "2026-11-30" })
    );
    assert_eq!(get(&shop, &own(19, "HP-10200", "")).await.1["total_minor"], 0);
    assert_eq!(
        code(&post(&shop, &own(19, "HP-10025", "replacements"), mug).await),
        (409, "already_replaced")
    );
    let tent = json!({ "sku": "TENT-LODGE6", "reason": "torn" });
    assert_eq!(code(&post(&shop, &own(7, "HP-09992", "replacements"), tent).await), (409, "over_limit"));
    let claim = |sku: &str| json!({ "sku": sku, "problem": "broken" });
    assert_eq!(
        code(&post(&shop, &own(20, "HP-09899", "warranty"), claim("TORCH-H300")).await),
        (409, "out_of_warranty")
    );
    let tent = post(&shop, &own(20, "HP-09899", "warranty"), claim("TENT-RIDGE2")).await.1;
    assert_eq!((&tent["claim_id"], &tent["covered_until"]), (&json!("WC-50001"), &json!("2029-06-06")));
}

#[tokio::test]
async fn account_changes_go_to_the_address_on_the_record() {
    let shop = open(None);
    let at = |action: &str| format!("/api/customers/cust-0001/{action}");
    assert_eq!(
        post(&shop, &at("email"), json!({ "new_email": "new@mail.example" })).await.1,
        json!({ "status": "confirmation_sent_to_old_address" })
    );
    assert_eq!(code(&post(&shop, &at("email"), json!({ "new_email": "nobody" })).await), (422, "invalid"));
    assert_eq!(
        post(&shop, &at("password-link"), json!({})).await.1,
        json!({ "status": "sent", "sent_to_masked": "m***@mail.example" })
    );
    assert_eq!(
        code(&post(&shop, &at("password-link"), json!({ "email": "thief@mail.example" })).await),
        (422, "invalid")
    );
    let asked = post(&shop, &at("deletion"), json!({})).await.1;
    assert_eq!(asked, json!({ "request_id": "DR-70002", "complete_by": "2026-12-23" }));
    assert_eq!(post(&shop, &at("deletion"), json!({})).await.1, asked);
    assert_eq!(get(&shop, &at("account")).await.1["email"], "mara.lindqvist@mail.example");
}

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
    assert!(matches!(reopen(), Err(ShopError::Journal(super::JournalError::InUse(_)))));
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
    let config: toml::Value = toml::from_str(super::CONFIG).unwrap();
    let tools = config["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 21);
    for tool in tools {
        assert!(tool["description"].as_str().unwrap().len() > 30, "{tool}");
        assert!(tool["http"]["url"].as_str().unwrap().starts_with("{{ env.SHOP_URL }}/api/"), "{tool}");
        let write = tool["effect"].as_str() == Some("write");
        assert_eq!(write, tool["assurance"].as_str() == Some("verified"), "{tool}");
    }
}
