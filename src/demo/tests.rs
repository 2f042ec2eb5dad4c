//! The shop through its front door: requests in, answers and the state after them out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

mod keeping;

use super::{Shop, router};
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
async fn an_order_is_shown_for_its_number_and_address_and_no_other_pair_is_told_from_another() {
    let shop = open(None);
    let ask = async |order: &str, email: &str| {
        post(&shop, "/api/orders/by-email", json!({"order_id": order, "email": email})).await
    };
    let (status, shown) = ask("hp-10042", " Mara.Lindqvist@mail.example").await;
    assert_eq!(
        (status, shown["status"].as_str(), shown["carrier"].as_str()),
        (200, Some("shipped"), Some("NorthPost"))
    );
    let mut fields: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let allowed = [
        "carrier",
        "days_late",
        "delivered_on",
        "eta",
        "id",
        "placed_on",
        "shipped_on",
        "status",
        "tracking",
        "tracking_url",
    ];
    assert_eq!(fields, allowed);
    let mismatch = ask("HP-10042", "tom.becker@mail.example").await;
    assert_eq!(code(&mismatch), (404, "not_found"));
    for (order, email) in
        [("HP-99999", "mara.lindqvist@mail.example"), ("HP-99999", "nobody@mail.example"), ("", "")]
    {
        assert_eq!(ask(order, email).await, mismatch, "{order} {email}");
    }
    assert_eq!(
        code(&post(&shop, "/api/orders/by-email", json!({"order_id": "HP-10042"})).await),
        (422, "invalid")
    );
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
        (&json!("BOOT-TRAIL"), 2),
        "a winter boot shares one word of three"
    );
    let many = post(&shop, "/api/products/search", json!({ "query": "pinewood" })).await.1;
    assert_eq!(many["products"].as_array().unwrap().len(), 5);
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
