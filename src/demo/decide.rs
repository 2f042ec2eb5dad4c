//! What the writing tools may do: the shop's rules, decided from the present state and changing nothing themselves.

use jiff::ToSpan as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::Days;
use super::calendar;
use super::model::{CURRENCY, Line, Order, OrderState, Payment, Refund, RefundState, Return, ReturnState};
use super::seed::Seed;
use super::state::{Change, State};

/// Days to send a return on its way.
const SEND_BY_DAYS: i32 = 14;
/// Working days until a refund has arrived.
const REFUND_WORKING_DAYS: u32 = 5;
/// Working days until a replacement has arrived.
const REPLACEMENT_WORKING_DAYS: u32 = 5;
/// The highest price of an item that is replaced without a person, in minor units.
const REPLACEMENT_MAX_MINOR: i64 = 10_000;
/// Days until an erasure is complete.
const ERASURE_DAYS: i32 = 30;
/// The longest free text (an address, a reason), in characters.
const TEXT_MAX_CHARS: usize = 500;

/// A write with its arguments; the variants are named as the tools are.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Write {
    CancelOrder {},
    ChangeAddress { address: String },
    StartReturn { reason: String, sku: Option<String> },
    RefundOrder { amount_minor: i64, reason: String },
    ExchangeItem { sku: String, new_sku: String },
    SendReplacement { sku: String, reason: String },
    WarrantyClaim { sku: String, problem: String },
    ChangeEmail { new_email: String },
    PasswordLink {},
    DeleteMyData {},
}

/// The shop's no: an HTTP status, a code for programs and a sentence for people.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    /// 409: the shop's rules say no.
    fn rule(code: &'static str, message: &str) -> Self {
        Self { status: 409, code, message: message.to_owned() }
    }

    /// 422: the arguments cannot be right.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { status: 422, code: "invalid", message: message.into() }
    }

    /// 404: the same words for what does not exist and for what is somebody else's.
    pub(super) fn not_found() -> Self {
        Self {
            status: 404,
            code: "not_found",
            message: "This customer has nothing of that number.".to_owned(),
        }
    }
}

/// What was decided: the change, and the answer to give once it is on the disk.
type Decision = Result<(Change, Value), Refusal>;

/// Where a decision is made: the shop's present.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present<'a> {
    pub(super) seed: &'a Seed,
    pub(super) state: &'a State,
    pub(super) days: Days,
}

impl Present<'_> {
    /// A fresh number: `prefix`, then five digits.
    fn number(self, prefix: &str, base: u32) -> String {
        format!("{prefix}-{:05}", base.saturating_add(self.state.serial))
    }

    fn refund(self, amount: i64) -> Refund {
        let issued = self.days.today;
        let arrives_by = calendar::working_days_after(self.days.opening, issued, REFUND_WORKING_DAYS);
        Refund { id: self.number("RF", 31_000), amount, state: RefundState::Pending, issued, arrives_by }
    }

    fn back(self, sku: Option<String>, reason: String) -> Return {
        let send_by = self.days.today + SEND_BY_DAYS;
        Return {
            id: self.number("RT", 21_000),
            state: ReturnState::LabelSent,
            send_by,
            sku,
            reason: Some(reason),
        }
    }

    fn stock(self, sku: &str) -> i64 {
        self.state.stock.get(sku).copied().unwrap_or(0)
    }
}

/// Decides a write on an account, or on an order when `order` is given.
pub(super) fn decide(now: Present<'_>, customer: &str, order: Option<&str>, write: Write) -> Decision {
    let owner = now.seed.customer(customer).ok_or_else(Refusal::not_found)?;
    let own = order.map(|id| now.state.order_of(customer, id).ok_or_else(Refusal::not_found)).transpose()?;
    match (write, own) {
        (Write::CancelOrder {}, Some(order)) => cancel(now, order),
        (Write::ChangeAddress { address }, Some(order)) => redirect(order, &address),
        (Write::StartReturn { reason, sku }, Some(order)) => {
            start_return(now, order, &reason, sku.as_deref())
        }
        (Write::RefundOrder { amount_minor, reason }, Some(order)) => {
            refund(now, order, amount_minor, &reason)
        }
        (Write::ExchangeItem { sku, new_sku }, Some(order)) => exchange(now, order, &sku, &new_sku),
        (Write::SendReplacement { sku, reason }, Some(order)) => replace(now, order, &sku, &reason),
        (Write::WarrantyClaim { sku, problem }, Some(order)) => claim(now, order, &sku, &problem),
        (Write::ChangeEmail { new_email }, None) => change_email(customer, &new_email),
        (Write::PasswordLink {}, None) => {
            let answer = json!({ "status": "sent", "sent_to_masked": masked(&owner.email) });
            Ok((Change::PasswordLinkSent { customer: customer.to_owned() }, answer))
        }
        (Write::DeleteMyData {}, None) => Ok(delete(now, customer)),
        (_, _) => Err(Refusal::not_found()),
    }
}

/// Trimmed free text: not empty, not endless, no control characters.
fn text(name: &str, value: &str) -> Result<String, Refusal> {
    let value = value.trim();
    let fits = (1..=TEXT_MAX_CHARS).contains(&value.chars().count());
    if fits && !value.chars().any(|c| c.is_control() && c != '\n') {
        Ok(value.to_owned())
    } else {
        Err(Refusal::invalid(format!("`{name}` takes 1 to {TEXT_MAX_CHARS} characters")))
    }
}

fn line<'a>(order: &'a Order, sku: &str) -> Result<&'a Line, Refusal> {
    order.line(sku).ok_or_else(|| Refusal::invalid(format!("order {} has no such item", order.id)))
}

fn label_url(back: &Return) -> String {
    format!("https://harborandpine.example/labels/{}", back.id)
}

fn cancel(now: Present<'_>, order: &Order) -> Decision {
    if !order.is_cancellable() {
        return Err(Refusal::rule(
            "too_late",
            "The parcel is with the carrier, or the order is already closed.",
        ));
    }
    let amount = order.refundable_minor();
    let refund = (amount > 0).then(|| now.refund(amount));
    let answer = json!({
        "order_id": order.id, "status": OrderState::Cancelled.as_str(), "refund_minor": amount, "currency": CURRENCY,
        "refund_id": refund.as_ref().map(|refund| &refund.id),
    });
    Ok((Change::Cancelled { order: order.id.clone(), refund }, answer))
}

fn redirect(order: &Order, address: &str) -> Decision {
    let address = text("address", address)?;
    if address.chars().count() < 8 {
        return Err(Refusal::invalid("`address` needs street, town and postcode"));
    }
    if !order.is_cancellable() {
        return Err(Refusal::rule(
            "too_late",
            "The parcel is with the carrier, or the order is already closed.",
        ));
    }
    let answer = json!({ "order_id": order.id, "address": address });
    Ok((Change::Redirected { order: order.id.clone(), address }, answer))
}

fn start_return(now: Present<'_>, order: &Order, reason: &str, sku: Option<&str>) -> Decision {
    let reason = text("reason", reason)?;
    let chosen = sku.map(|sku| line(order, sku)).transpose()?;
    let returnable = match chosen {
        Some(line) => order.is_line_returnable(line, now.days.today),
        None => order.is_returnable(now.days.today),
    };
    if !returnable {
        return Err(Refusal::rule(
            "not_returnable",
            "Not delivered, outside the 45 days, or already coming back.",
        ));
    }
    let back = now.back(chosen.map(|line| line.sku.clone()), reason);
    let answer = json!({
        "return_id": back.id, "order_id": order.id, "label_url": label_url(&back), "send_by": now.days.date(back.send_by),
    });
    Ok((Change::ReturnStarted { order: order.id.clone(), back }, answer))
}

fn refund(now: Present<'_>, order: &Order, amount_minor: i64, reason: &str) -> Decision {
    text("reason", reason)?;
    if amount_minor <= 0 {
        return Err(Refusal::invalid("`amount_minor` is at least 1"));
    }
    if amount_minor > order.refundable_minor() {
        return Err(Refusal::rule("over_refundable", "That is more than is left to refund on this order."));
    }
    let refund = now.refund(amount_minor);
    let answer = json!({
        "refund_id": refund.id, "order_id": order.id, "amount_minor": amount_minor, "currency": CURRENCY,
        "arrives_by": now.days.date(refund.arrives_by),
    });
    Ok((Change::Refunded { order: order.id.clone(), refund }, answer))
}

fn exchange(now: Present<'_>, order: &Order, sku: &str, new_sku: &str) -> Decision {
    let old = line(order, sku)?;
    let new_sku = new_sku.to_ascii_uppercase();
    let catalogue = &now.seed.catalogue;
    let style = |sku: &str| catalogue.product(sku).map(|product| product.sku.as_str());
    if style(&new_sku).is_none()
        || style(&new_sku) != style(&old.sku)
        || !now.state.stock.contains_key(&new_sku)
        || new_sku == old.sku
    {
        return Err(Refusal::invalid("an exchange is for another size of the same product"));
    }
    if !order.is_line_returnable(old, now.days.today) {
        return Err(Refusal::rule(
            "not_returnable",
            "Not delivered, outside the 45 days, or already coming back.",
        ));
    }
    if now.stock(&new_sku) <= 0 {
        return Err(Refusal::rule("out_of_stock", "That size is out of stock."));
    }
    let (id, back) = (now.number("EX", 60_000), now.back(Some(old.sku.clone()), "exchange".to_owned()));
    let answer = json!({
        "exchange_id": id, "order_id": order.id, "return_id": back.id, "label_url": label_url(&back),
        "new_item": catalogue.variant_name(&new_sku),
    });
    Ok((Change::Exchanged { order: order.id.clone(), id, sku: old.sku.clone(), new_sku, back }, answer))
}

fn replace(now: Present<'_>, order: &Order, sku: &str, reason: &str) -> Decision {
    let reason = text("reason", reason)?;
    let line = line(order, sku)?;
    if order.state != OrderState::Delivered {
        return Err(Refusal::rule("not_delivered", "The order has not been delivered."));
    }
    if line.replaced {
        return Err(Refusal::rule("already_replaced", "A replacement for this item was already sent."));
    }
    if line.price_minor > REPLACEMENT_MAX_MINOR || line.gift_card {
        return Err(Refusal::rule("over_limit", "Items over $100.00 are replaced by a person."));
    }
    if now.stock(&line.sku) <= 0 {
        return Err(Refusal::rule("out_of_stock", "The item is out of stock."));
    }
    let eta = calendar::working_days_after(now.days.opening, now.days.today, REPLACEMENT_WORKING_DAYS);
    let replacement = Order {
        id: now.number("HP", 10_200),
        customer: order.customer.clone(),
        state: OrderState::Placed,
        placed: now.days.today,
        shipped: None,
        eta,
        delivered: None,
        carrier: order.carrier.clone(),
        tracking: None,
        lines: vec![Line { quantity: 1, price_minor: 0, replaced: true, ..line.clone() }],
        total_minor: 0,
        method: "free replacement".to_owned(),
        payment: Payment::Paid,
        declined_reason: None,
        note: Some(reason),
        address: order.address.clone(),
        returns: Vec::new(),
        refunds: Vec::new(),
        replacement_for: Some(order.id.clone()),
    };
    let answer = json!({
        "replacement_order_id": replacement.id, "order_id": order.id, "item": line.name, "eta": now.days.date(eta),
    });
    Ok((
        Change::Replaced {
            order: order.id.clone(),
            sku: line.sku.clone(),
            replacement: Box::new(replacement),
        },
        answer,
    ))
}

fn claim(now: Present<'_>, order: &Order, sku: &str, problem: &str) -> Decision {
    let problem = text("problem", problem)?;
    let line = line(order, sku)?;
    let years = now.seed.catalogue.product(&line.sku).map_or(0, super::catalogue::Product::warranty_years);
    let delivered = order.delivered.filter(|_| order.state == OrderState::Delivered);
    let until = delivered.and_then(|day| now.days.date(day).checked_add(years.years()).ok());
    let covered_until = until.filter(|until| years > 0 && now.days.date(now.days.today) <= *until);
    let Some(covered_until) = covered_until.map(|until| until.to_string()) else {
        return Err(Refusal::rule(
            "out_of_warranty",
            "Not delivered yet, not covered, or the warranty is over.",
        ));
    };
    let id = now.number("WC", 50_000);
    let answer =
        json!({ "claim_id": id, "order_id": order.id, "item": line.name, "covered_until": covered_until });
    Ok((
        Change::Claimed { order: order.id.clone(), id, sku: line.sku.clone(), problem, covered_until },
        answer,
    ))
}

fn change_email(customer: &str, new_email: &str) -> Decision {
    let new_email = text("new_email", new_email)?;
    let well_formed = new_email.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && host.contains('.')
            && !host.starts_with('.')
            && !host.ends_with('.')
            && !host.contains('@')
    });
    if !well_formed || new_email.contains(char::is_whitespace) || new_email.len() > 254 {
        return Err(Refusal::invalid("`new_email` is not an email address"));
    }
    let change = Change::EmailChangeAsked { customer: customer.to_owned(), new_email };
    Ok((change, json!({ "status": "confirmation_sent_to_old_address" })))
}

fn delete(now: Present<'_>, customer: &str) -> (Change, Value) {
    let answer = |id: &str, day| json!({ "request_id": id, "complete_by": now.days.date(day) });
    if let Some((id, complete_by)) = now.state.deletion_of(customer) {
        return (Change::Unchanged, answer(&id, complete_by));
    }
    let (id, complete_by) = (now.number("DR", 70_000), now.days.today + ERASURE_DAYS);
    let answer = answer(&id, complete_by);
    (Change::DeletionAsked { customer: customer.to_owned(), id, complete_by }, answer)
}

/// `m***@mail.example`: enough for the owner to recognise, nothing for others.
fn masked(email: &str) -> String {
    let (name, host) = email.split_once('@').unwrap_or((email, ""));
    format!("{}***@{host}", name.chars().take(1).collect::<String>())
}
