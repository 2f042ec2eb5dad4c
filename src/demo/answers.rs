//! What the reading tools answer about a customer's own orders and account.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::calendar::{self, Day};
use super::model::{CURRENCY, Customer, Order, OrderState, Payment};
use super::state::State;

/// How many orders `list_orders` shows at most.
const LISTED_MAX: usize = 10;

/// The two days every answer needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days {
    /// The day that offsets count from.
    pub(super) opening: Date,
    /// Today, as an offset.
    pub(super) today: Day,
}

impl Days {
    /// The date of an offset.
    pub(super) fn date(self, day: Day) -> Date {
        calendar::date(self.opening, day)
    }
}

/// `list_orders`.
pub(super) fn orders(state: &State, customer: &str, days: Days) -> Value {
    let mut own: Vec<&Order> = state
        .by_customer
        .get(customer)
        .into_iter()
        .flatten()
        .filter_map(|id| state.orders.get(id))
        .map(AsRef::as_ref)
        .collect();
    own.sort_by(|a, b| b.placed.cmp(&a.placed).then(b.id.cmp(&a.id)));
    let shown = own.iter().take(LISTED_MAX).map(|order| {
        let items: Vec<Value> =
            order.lines.iter().map(|line| json!({ "sku": line.sku, "name": line.name, "quantity": line.quantity })).collect();
        json!({
            "id": order.id, "status": order.state.as_str(), "placed_on": days.date(order.placed), "summary": order.summary(),
            "total_minor": order.total_minor, "currency": CURRENCY, "items": items,
        })
    });
    json!({ "orders": shown.collect::<Vec<_>>() })
}

/// `order_status`.
pub(super) fn order(order: &Order, days: Days) -> Value {
    let items: Vec<Value> = order
        .lines
        .iter()
        .map(|line| json!({ "sku": line.sku, "name": line.name, "quantity": line.quantity, "price_minor": line.price_minor }))
        .collect();
    json!({
        "id": order.id, "status": order.state.as_str(), "placed_on": days.date(order.placed),
        "shipped_on": order.shipped.map(|day| days.date(day)), "delivered_on": order.delivered.map(|day| days.date(day)),
        "eta": eta(order, days), "carrier": carrier(order), "tracking": order.tracking, "tracking_url": order.tracking_url(),
        "days_late": order.days_late(days.today), "address": order.address, "summary": order.summary(),
        "total_minor": order.total_minor, "currency": CURRENCY, "items": items, "cancellable": order.is_cancellable(),
        "returnable": order.is_returnable(days.today), "return_until": order.return_until().map(|day| days.date(day)),
        "refundable_minor": order.refundable_minor(), "note": order.note,
    })
}

/// `order_by_email`: where the goods are, and nothing about who gets them, what they are or what they cost.
pub(super) fn journey(order: &Order, days: Days) -> Value {
    json!({
        "id": order.id, "status": order.state.as_str(), "placed_on": days.date(order.placed),
        "shipped_on": order.shipped.map(|day| days.date(day)), "delivered_on": order.delivered.map(|day| days.date(day)),
        "eta": eta(order, days), "carrier": carrier(order), "tracking": order.tracking, "tracking_url": order.tracking_url(),
        "days_late": order.days_late(days.today),
    })
}

fn eta(order: &Order, days: Days) -> Option<Date> {
    if order.state == OrderState::Cancelled { None } else { Some(days.date(order.eta)) }
}

fn carrier(order: &Order) -> Option<&str> {
    order.shipped.map(|_| order.carrier.as_str())
}

/// `track_shipment`: what the carrier has reported up to `now`.
pub(super) fn shipment(order: &Order, days: Days, now: jiff::civil::DateTime) -> Value {
    let city = order.address.split(',').nth(1).map_or("the destination", str::trim);
    let mut events = Vec::new();
    if let Some(shipped) = order.shipped {
        let mut add = |day: Day, hour, minute, place: &str, text: String| {
            events.push((days.date(day).at(hour, minute, 0, 0), place.to_owned(), text));
        };
        add(shipped, 17, 40, "Duluth", format!("Handed to {}", order.carrier));
        add(shipped + 1, 6, 10, "Minneapolis", "Arrived at the sorting centre".to_owned());
        if let Some(delivered) = order.delivered {
            add(delivered, 8, 5, city, "Out for delivery".to_owned());
            add(delivered, 14, 20, city, "Delivered".to_owned());
        } else if order.days_late(days.today) > 0 {
            add(order.eta, 21, 30, "Minneapolis", "Delayed at the sorting centre".to_owned());
        } else {
            add(shipped + 2, 5, 45, "Minneapolis", format!("Left for {city}"));
        }
    }
    events.retain(|(at, _, _)| *at <= now);
    let events: Vec<Value> = events
        .into_iter()
        .map(|(at, place, text)| json!({ "at": calendar::stamp(at), "place": place, "text": text }))
        .collect();
    json!({
        "order_id": order.id, "carrier": carrier(order), "tracking": order.tracking, "tracking_url": order.tracking_url(),
        "eta": eta(order, days), "days_late": order.days_late(days.today), "events": events,
    })
}

/// `refund_status`.
pub(super) fn refunds(order: &Order, days: Days) -> Value {
    let refunds: Vec<Value> = order
        .refunds
        .iter()
        .map(|refund| {
            json!({
                "id": refund.id, "order_id": order.id, "amount_minor": refund.amount, "currency": CURRENCY, "state": refund.state,
                "issued_on": days.date(refund.issued), "arrives_by": days.date(refund.arrives_by),
            })
        })
        .collect();
    let returns: Vec<Value> = order
        .returns
        .iter()
        .map(|back| json!({ "id": back.id, "state": back.state, "send_by": days.date(back.send_by) }))
        .collect();
    json!({ "refunds": refunds, "returns": returns })
}

/// `invoice`.
pub(super) fn invoice(order: &Order) -> Value {
    json!({ "order_id": order.id, "invoice_url": format!("https://harborandpine.example/invoices/{}", order.id) })
}

/// `payment_status`.
pub(super) fn payment(order: &Order) -> Value {
    let retry = (order.payment == Payment::Declined && order.is_cancellable())
        .then(|| format!("https://harborandpine.example/pay/{}", order.id));
    json!({
        "order_id": order.id, "state": order.payment, "method": order.method, "declined_reason": order.declined_reason,
        "retry_url": retry,
    })
}

/// `account`.
pub(super) fn account(state: &State, customer: &Customer, days: Days) -> Value {
    let own = state.by_customer.get(&customer.id).into_iter().flatten().filter_map(|id| state.orders.get(id));
    let open = own
        .filter(|order| matches!(order.state, OrderState::Placed | OrderState::Packed | OrderState::Shipped))
        .count();
    json!({
        "name": customer.name, "email": customer.email, "phone": customer.phone, "address": customer.address,
        "member_since": days.date(customer.since), "open_orders": open,
    })
}

/// Everything that can change, for tests and evals.
pub(super) fn state(state: &State, days: Days) -> Value {
    let orders: serde_json::Map<String, Value> = state
        .orders
        .values()
        .map(|order| {
            let shown = json!({
                "customer": order.customer, "status": order.state.as_str(), "address": order.address,
                "total_minor": order.total_minor, "refundable_minor": order.refundable_minor(),
                "refunded_minor": order.refunds.iter().map(|refund| refund.amount).fold(0_i64, i64::saturating_add),
                "replacement_for": order.replacement_for,
            });
            (order.id.clone(), shown)
        })
        .collect();
    let refunds = state.orders.values().flat_map(|order| {
        order.refunds.iter().map(move |refund| {
            json!({ "id": refund.id, "order_id": order.id, "customer": order.customer, "amount_minor": refund.amount, "state": refund.state })
        })
    });
    let returns = state.orders.values().flat_map(|order| {
        order.returns.iter().map(move |back| {
            json!({
                "id": back.id, "order_id": order.id, "customer": order.customer, "sku": back.sku, "reason": back.reason,
                "state": back.state,
            })
        })
    });
    json!({
        "opening_day": days.opening, "today": days.date(days.today), "orders": orders,
        "refunds": refunds.collect::<Vec<_>>(), "returns": returns.collect::<Vec<_>>(),
        "requests": state.requests, "effects": state.effects,
    })
}
