//! What changes while the shop runs, and the changes themselves: replaying the journal's changes in order
//! over the opening state gives the present state, and nothing else does.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calendar::Day;
use super::model::{Order, OrderState, Refund, Return};

/// One thing that happened, with every fact it needs: applying it decides nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Change {
    /// The order will not be sent; what was paid goes back.
    Cancelled { order: String, refund: Option<Refund> },
    /// The order goes to another address.
    Redirected { order: String, address: String },
    /// Goods may come back.
    ReturnStarted { order: String, back: Return },
    /// Money goes back.
    Refunded { order: String, refund: Refund },
    /// One item comes back, another size of it goes out.
    Exchanged { order: String, id: String, sku: String, new_sku: String, back: Return },
    /// One item goes out again, free of charge.
    Replaced { order: String, sku: String, replacement: Box<Order> },
    /// A fault is claimed under warranty.
    Claimed { order: String, id: String, sku: String, problem: String, covered_until: String },
    /// A confirmation of a new address was sent to the old one.
    EmailChangeAsked { customer: String, new_email: String },
    /// A password link was sent.
    PasswordLinkSent { customer: String },
    /// Erasure was asked for.
    DeletionAsked { customer: String, id: String, complete_by: Day },
    /// Nothing changed: the shop said no, or it was so already; the same key hears the same again.
    Unchanged,
}

/// One write as the journal keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Call {
    /// RFC 3339, UTC.
    pub(super) at: String,
    pub(super) tool: String,
    pub(super) customer: String,
    pub(super) order: Option<String>,
    /// The `Idempotency-Key` of the request.
    pub(super) key: Option<String>,
    /// Hash of tool, place and body: the same key with another fingerprint is an error.
    pub(super) fingerprint: String,
    pub(super) change: Change,
    pub(super) status: u16,
    pub(super) answer: Value,
}

/// What was answered under a key.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) fingerprint: String,
    pub(super) status: u16,
    pub(super) answer: Arc<Value>,
    effect: Option<usize>,
}

/// How often one intent took effect; more than once under one key is a fault of the shop or of its caller.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Effect {
    key: Option<String>,
    tool: String,
    customer: String,
    order_id: Option<String>,
    /// How often it changed something.
    count: u32,
    /// How often it was asked for, repeats included.
    attempts: u32,
}

/// An exchange, a warranty claim, or something asked for an account, as `/state` shows it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Request {
    kind: &'static str,
    id: Option<String>,
    customer: String,
    order_id: Option<String>,
    detail: String,
}

/// Everything that changes; cheap to clone, because orders are shared until one changes.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) orders: BTreeMap<String, Arc<Order>>,
    pub(super) by_customer: HashMap<String, Vec<String>>,
    pub(super) stock: HashMap<String, i64>,
    pub(super) effects: Vec<Effect>,
    pub(super) requests: Vec<Request>,
    answered: HashMap<String, Answered>,
    /// Counts effects; new numbers (refunds, returns …) are made from it.
    pub(super) serial: u32,
}

impl State {
    /// A shop with stock and no orders.
    pub(super) fn new(stock: HashMap<String, i64>) -> Self {
        Self { stock, ..Self::default() }
    }

    /// Adds an order to its customer's list.
    pub(super) fn add_order(&mut self, order: Arc<Order>) {
        self.by_customer.entry(order.customer.clone()).or_default().push(order.id.clone());
        self.orders.insert(order.id.clone(), order);
    }

    /// The order, if it is this customer's: somebody else's looks like none.
    pub(super) fn order_of(&self, customer: &str, id: &str) -> Option<&Order> {
        self.orders.get(id).filter(|order| order.customer == customer).map(Arc::as_ref)
    }

    /// What was answered under `key`.
    pub(super) fn answered(&self, key: &str) -> Option<&Answered> {
        self.answered.get(key)
    }

    /// Counts a repeated request.
    pub(super) fn count_repeat(&mut self, key: &str) {
        let effect = self.answered.get(key).and_then(|answered| answered.effect);
        if let Some(effect) = effect.and_then(|index| self.effects.get_mut(index)) {
            effect.attempts = effect.attempts.saturating_add(1);
        }
    }

    /// Brings one journalled write into the state.
    pub(super) fn apply(&mut self, call: Call) {
        let effect =
            if matches!(call.change, Change::Unchanged) { None } else { Some(self.count_effect(&call)) };
        self.change(&call.customer, call.change);
        if let Some(key) = call.key {
            let answer = Arc::new(call.answer);
            self.answered
                .insert(key, Answered { fingerprint: call.fingerprint, status: call.status, answer, effect });
        }
    }

    fn count_effect(&mut self, call: &Call) -> usize {
        self.serial = self.serial.saturating_add(1);
        let earlier =
            call.key.as_ref().and_then(|key| self.answered.get(key)).and_then(|answered| answered.effect);
        if let Some((index, effect)) =
            earlier.and_then(|index| self.effects.get_mut(index).map(|effect| (index, effect)))
        {
            effect.count = effect.count.saturating_add(1);
            effect.attempts = effect.attempts.saturating_add(1);
            return index;
        }
        self.effects.push(Effect {
            key: call.key.clone(),
            tool: call.tool.clone(),
            customer: call.customer.clone(),
            order_id: call.order.clone(),
            count: 1,
            attempts: 1,
        });
        self.effects.len() - 1
    }

    fn change(&mut self, customer: &str, change: Change) {
        match change {
            Change::Cancelled { order, refund } => {
                let lines = self.orders.get(&order).map(|order| order.lines.clone()).unwrap_or_default();
                for line in &lines {
                    self.move_stock(&line.sku, line.quantity);
                }
                self.edit(&order, |order| {
                    order.state = OrderState::Cancelled;
                    order.refunds.extend(refund);
                });
            }
            Change::Redirected { order, address } => self.edit(&order, |order| order.address = address),
            Change::ReturnStarted { order, back } => self.edit(&order, |order| order.returns.push(back)),
            Change::Refunded { order, refund } => self.edit(&order, |order| order.refunds.push(refund)),
            Change::Exchanged { order, id, sku, new_sku, back } => {
                self.move_stock(&new_sku, -1);
                self.edit(&order, |order| order.returns.push(back));
                self.note("exchange", Some(id), customer, Some(order), format!("{sku} for {new_sku}"));
            }
            Change::Replaced { order, sku, replacement } => {
                self.move_stock(&sku, -1);
                self.edit(&order, |order| {
                    order
                        .lines
                        .iter_mut()
                        .filter(|line| line.sku == sku)
                        .for_each(|line| line.replaced = true);
                });
                self.note("replacement", Some(replacement.id.clone()), customer, Some(order), sku);
                self.add_order(Arc::from(replacement));
            }
            Change::Claimed { order, id, sku, problem, covered_until: _ } => {
                self.note("warranty_claim", Some(id), customer, Some(order), format!("{sku}: {problem}"));
            }
            Change::EmailChangeAsked { customer, new_email } => {
                self.note("email_change", None, &customer, None, new_email);
            }
            Change::PasswordLinkSent { customer } => {
                self.note("password_link", None, &customer, None, String::new());
            }
            Change::DeletionAsked { customer, id, complete_by } => {
                self.note("deletion", Some(id), &customer, None, complete_by.to_string());
            }
            Change::Unchanged => {}
        }
    }

    /// The erasure this customer already asked for: its number and the day it is done by.
    pub(super) fn deletion_of(&self, customer: &str) -> Option<(String, Day)> {
        let asked = self
            .requests
            .iter()
            .find(|request| request.kind == "deletion" && request.customer == customer)?;
        Some((asked.id.clone()?, asked.detail.parse().ok()?))
    }

    fn edit(&mut self, id: &str, change: impl FnOnce(&mut Order)) {
        if let Some(order) = self.orders.get_mut(id) {
            change(Arc::make_mut(order));
        }
    }

    fn move_stock(&mut self, sku: &str, pieces: i64) {
        if let Some(left) = self.stock.get_mut(sku) {
            *left = left.saturating_add(pieces).max(0);
        }
    }

    fn note(
        &mut self,
        kind: &'static str,
        id: Option<String>,
        customer: &str,
        order_id: Option<String>,
        detail: String,
    ) {
        self.requests.push(Request { kind, id, customer: customer.to_owned(), order_id, detail });
    }
}
