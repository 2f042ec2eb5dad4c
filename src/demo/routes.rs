//! The shop over HTTP: one address per tool, `/state` and `/faults` for tests and evals.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Request, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::answers;
use super::decide::Refusal;
use super::faults::{Fault, FaultMode};
use super::shop::{Answer, KEY_MAX_BYTES, Repeats, Shop, WriteCall};

/// The largest request body, in bytes.
const BODY_MAX_BYTES: usize = 16 * 1024;
/// The longest search query, in characters.
const QUERY_MAX_CHARS: usize = 200;

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, axum::Json(self.body)).into_response()
    }
}

/// The shop's addresses; every one of them wants the bearer token.
pub fn router(shop: Arc<Shop>) -> Router {
    Router::new()
        .nest("/api", tools().merge(super::crm::router()))
        .route("/state", get(|Extract(shop): Extract<Arc<Shop>>| async move { axum::Json(shop.state()) }))
        .route("/faults", post(add_fault).delete(clear_faults))
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(shop.clone(), authorize))
        .with_state(shop)
}

fn tools() -> Router<Arc<Shop>> {
    let order = "/customers/{customer}/orders/{order}";
    let at = |action: &str| format!("{order}/{action}");
    let account = |action: &str| format!("/customers/{{customer}}/{action}");
    Router::new()
        .route(&account("orders"), account_read("list_orders"))
        .route(&account("account"), account_read("account"))
        .route(order, order_read("order_status"))
        .route(&at("shipment"), order_read("track_shipment"))
        .route(&at("refunds"), order_read("refund_status").merge(order_write("refund_order")))
        .route(&at("invoice"), order_read("invoice"))
        .route(&at("payment"), order_read("payment_status"))
        .route(&at("cancel"), order_write("cancel_order"))
        .route(&at("address"), order_write("change_address"))
        .route(&at("returns"), order_write("start_return"))
        .route(&at("exchanges"), order_write("exchange_item"))
        .route(&at("replacements"), order_write("send_replacement"))
        .route(&at("warranty"), order_write("warranty_claim"))
        .route(&account("email"), account_write("change_email"))
        .route(&account("password-link"), account_write("password_link"))
        .route(&account("deletion"), account_write("delete_my_data"))
        .route(&account("discount"), post(check_discount))
        .route("/orders/by-email", post(order_by_email))
        .route("/products/search", post(find_product))
        .route("/products/{sku}/stock", get(stock))
        .route("/stores/hours", post(store_hours))
}

async fn authorize(Extract(shop): Extract<Arc<Shop>>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| bool::from(given.ct_eq(shop.token.as_bytes()))) {
        return next.run(request).await;
    }
    let message = "the shop wants its bearer token".to_owned();
    Answer::from(Refusal { status: 401, code: "unauthorized", message }).into_response()
}

/// Answers through the fault that waits for this tool, if any.
async fn misbehave(shop: &Shop, tool: &str, act: impl AsyncFnOnce(Repeats) -> Answer) -> Response {
    let Some(Fault { mode, ms, .. }) = shop.faults.take(tool) else {
        return act(Repeats::Answered).await.into_response();
    };
    let wait = Duration::from_millis(ms);
    match mode {
        FaultMode::Fail => {
            let message = "The shop was told to fail.".to_owned();
            Answer::from(Refusal { status: 503, code: "unavailable", message }).into_response()
        }
        FaultMode::Slow => {
            tokio::time::sleep(wait).await;
            act(Repeats::Answered).await.into_response()
        }
        FaultMode::LoseResponse => {
            act(Repeats::Answered).await;
            tokio::time::sleep(wait).await;
            lost()
        }
        FaultMode::ForgetKey => act(Repeats::Forgotten).await.into_response(),
    }
}

/// A response whose body fails before its first byte: the server drops the connection and the caller reads nothing.
fn lost() -> Response {
    let broken = futures_util::stream::once(async {
        Err::<Bytes, _>(std::io::Error::other("told to lose the answer"))
    });
    Response::new(Body::from_stream(broken))
}

type Customer = Path<String>;
type Order = Path<(String, String)>;

fn account_read(tool: &'static str) -> MethodRouter<Arc<Shop>> {
    get(async move |Extract(shop): Extract<Arc<Shop>>, Path(customer): Customer| {
        misbehave(&shop, tool, async |_| {
            let Some(known) = shop.seed().customer(&customer) else { return Refusal::not_found().into() };
            let state = shop.read();
            Answer::ok(match tool {
                "account" => answers::account(&state, known, shop.days()),
                _ => answers::orders(&state, &customer, shop.days()),
            })
        })
        .await
    })
}

fn order_read(tool: &'static str) -> MethodRouter<Arc<Shop>> {
    get(async move |Extract(shop): Extract<Arc<Shop>>, Path((customer, id)): Order| {
        misbehave(&shop, tool, async |_| {
            let (state, days) = (shop.read(), shop.days());
            let Some(order) = state.order_of(&customer, &id.to_ascii_uppercase()) else {
                return Refusal::not_found().into();
            };
            Answer::ok(match tool {
                "track_shipment" => answers::shipment(order, days, shop.local_now()),
                "refund_status" => answers::refunds(order, days),
                "invoice" => answers::invoice(order),
                "payment_status" => answers::payment(order),
                _ => answers::order(order, days),
            })
        })
        .await
    })
}

fn order_write(tool: &'static str) -> MethodRouter<Arc<Shop>> {
    post(
        async move |Extract(shop): Extract<Arc<Shop>>,
                    Path((customer, id)): Order,
                    headers: HeaderMap,
                    body: Bytes| {
            write(shop, tool, customer, Some(id.to_ascii_uppercase()), &headers, &body).await
        },
    )
}

fn account_write(tool: &'static str) -> MethodRouter<Arc<Shop>> {
    post(
        async move |Extract(shop): Extract<Arc<Shop>>,
                    Path(customer): Customer,
                    headers: HeaderMap,
                    body: Bytes| { write(shop, tool, customer, None, &headers, &body).await },
    )
}

async fn write(
    shop: Arc<Shop>,
    tool: &'static str,
    customer: String,
    order: Option<String>,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let prepared = arguments(body, order.as_deref()).and_then(|arguments| Ok((arguments, key(headers)?)));
    let (arguments, key) = match prepared {
        Ok(prepared) => prepared,
        Err(refusal) => return Answer::from(refusal).into_response(),
    };
    let act = async |repeats| {
        let call = WriteCall { tool, customer, order, key, arguments, repeats };
        if !shop.writes_to_disk {
            return shop.write(call);
        }
        // The disk is waited for on a thread of its own, and to the end even when the caller hangs up.
        let working = shop.clone();
        tokio::task::spawn_blocking(move || working.write(call)).await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "a write of the demo shop broke off");
            Refusal { status: 500, code: "internal", message: "The shop failed.".to_owned() }.into()
        })
    };
    misbehave(&shop, tool, act).await
}

/// The body as an object without `order_id`, which the path already says and must not contradict.
fn arguments(body: &[u8], order: Option<&str>) -> Result<Value, Refusal> {
    let mut arguments: Map<String, Value> = if body.is_empty() { Map::new() } else { object(body)? };
    let named = arguments.remove("order_id");
    let agrees = named.as_ref().is_none_or(|named| {
        let named = named.as_str().map(str::to_ascii_uppercase);
        named.is_some() && named.as_deref() == order
    });
    if agrees {
        Ok(Value::Object(arguments))
    } else {
        Err(Refusal::invalid("`order_id` is not the order of this address"))
    }
}

fn object<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::invalid(error.to_string()))
}

pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=KEY_MAX_BYTES).contains(&key.len()));
    key.map(|key| Some(key.to_owned()))
        .ok_or_else(|| Refusal::invalid("`Idempotency-Key` takes 1 to 255 visible characters"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductQuery {
    query: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreQuery {
    store: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscountQuery {
    code: String,
    order_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PairQuery {
    order_id: String,
    email: String,
}

/// One order for whoever knows its number and its email address. A number that nobody has and an address that is another
/// one get the same answer after the same work.
async fn order_by_email(Extract(shop): Extract<Arc<Shop>>, body: Bytes) -> Response {
    let looked = async |_| match object::<PairQuery>(&body) {
        Ok(asked) => by_email(&shop, &asked),
        Err(refusal) => refusal.into(),
    };
    misbehave(&shop, "order_by_email", looked).await
}

fn by_email(shop: &Shop, asked: &PairQuery) -> Answer {
    let (state, days) = (shop.read(), shop.days());
    let named = state.orders.get(&asked.order_id.trim().to_ascii_uppercase());
    // Where there is no such order, another one is looked at in its place.
    let Some(order) = named.or_else(|| state.orders.values().next()) else {
        return Refusal::not_found().into();
    };
    let holder = shop.seed().customer(&order.customer).map_or("", |customer| customer.email.as_str());
    let digest = |email: &str| Sha256::digest(email.trim().to_lowercase());
    let fits = digest(holder).ct_eq(&digest(&asked.email));
    let answer = Answer::ok(answers::journey(order, days));
    if named.is_some() & bool::from(fits) { answer } else { Refusal::not_found().into() }
}

async fn find_product(Extract(shop): Extract<Arc<Shop>>, body: Bytes) -> Response {
    let found = async |_| match object::<ProductQuery>(&body) {
        Ok(asked) if asked.query.chars().count() <= QUERY_MAX_CHARS => {
            Answer::ok(shop.seed().catalogue.find(&asked.query, &shop.read().stock))
        }
        Ok(_) => Refusal::invalid(format!("`query` takes at most {QUERY_MAX_CHARS} characters")).into(),
        Err(refusal) => refusal.into(),
    };
    misbehave(&shop, "find_product", found).await
}

async fn stock(Extract(shop): Extract<Arc<Shop>>, Path(sku): Path<String>) -> Response {
    let held = async |_| {
        let held = shop.seed().catalogue.stock(&sku, &shop.read().stock, shop.days().opening);
        held.map_or_else(|| Refusal::not_found().into(), Answer::ok)
    };
    misbehave(&shop, "stock", held).await
}

async fn store_hours(Extract(shop): Extract<Arc<Shop>>, body: Bytes) -> Response {
    let shown = async |_| match object::<StoreQuery>(&body) {
        Ok(asked) => {
            let stores = shop.seed().catalogue.stores(asked.store.as_deref(), shop.local_now());
            stores.map_or_else(|| Refusal::not_found().into(), Answer::ok)
        }
        Err(refusal) => refusal.into(),
    };
    misbehave(&shop, "store_hours", shown).await
}

async fn check_discount(
    Extract(shop): Extract<Arc<Shop>>,
    Path(customer): Customer,
    body: Bytes,
) -> Response {
    let checked = async |_| match object::<DiscountQuery>(&body) {
        Ok(asked) => discount(&shop, &customer, &asked).unwrap_or_else(Answer::from),
        Err(refusal) => refusal.into(),
    };
    misbehave(&shop, "check_discount", checked).await
}

fn discount(shop: &Shop, customer: &str, asked: &DiscountQuery) -> Result<Answer, Refusal> {
    shop.seed().customer(customer).ok_or_else(Refusal::not_found)?;
    let (state, days) = (shop.read(), shop.days());
    let goods = match &asked.order_id {
        None => None,
        Some(id) => Some(
            state.order_of(customer, &id.to_ascii_uppercase()).ok_or_else(Refusal::not_found)?.goods_minor(),
        ),
    };
    Ok(Answer::ok(shop.seed().catalogue.discount(&asked.code, customer, goods, days.opening, days.today)))
}

async fn add_fault(Extract(shop): Extract<Arc<Shop>>, body: Bytes) -> Response {
    match object::<Fault>(&body) {
        Ok(fault) => {
            shop.faults.add(fault);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => Answer::from(refusal).into_response(),
    }
}

async fn clear_faults(Extract(shop): Extract<Arc<Shop>>) -> StatusCode {
    shop.faults.clear();
    StatusCode::NO_CONTENT
}
