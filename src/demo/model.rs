//! What the shop knows: customers, orders, refunds, returns, and the rules that need nothing but an order.

use serde::{Deserialize, Serialize};

use super::calendar::Day;

/// How long after delivery goods may come back.
pub(super) const RETURN_DAYS: Day = 45;
/// The currency of every amount of this shop.
pub(super) const CURRENCY: &str = "USD";

/// One customer of the shop.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) since: Day,
    pub(super) address: String,
}

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OrderState {
    Placed,
    Packed,
    Shipped,
    Delivered,
    Cancelled,
    Returned,
}

impl OrderState {
    /// The name in every answer.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Packed => "packed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
        }
    }
}

/// Whether an order was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Payment {
    #[default]
    Paid,
    Declined,
    Pending,
}

/// Where a refund is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundState {
    Pending,
    Sent,
    Completed,
}

/// Where a returned parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReturnState {
    LabelSent,
    InTransit,
    Received,
    Closed,
}

/// Money on its way back to the original payment method.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) state: RefundState,
    pub(super) issued: Day,
    pub(super) arrives_by: Day,
}

/// Goods on their way back to us; without a `sku` it is the whole order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Return {
    pub(super) id: String,
    pub(super) state: ReturnState,
    pub(super) send_by: Day,
    #[serde(default)]
    pub(super) sku: Option<String>,
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// One line of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) sku: String,
    pub(super) name: String,
    pub(super) quantity: i64,
    pub(super) price_minor: i64,
    /// Gift cards are not refunded and not taken back.
    pub(super) gift_card: bool,
    /// A replacement was sent for it; a second one needs a person.
    pub(super) replaced: bool,
}

/// One order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) customer: String,
    pub(super) state: OrderState,
    pub(super) placed: Day,
    pub(super) shipped: Option<Day>,
    pub(super) eta: Day,
    pub(super) delivered: Option<Day>,
    pub(super) carrier: String,
    pub(super) tracking: Option<String>,
    pub(super) lines: Vec<Line>,
    pub(super) total_minor: i64,
    pub(super) method: String,
    pub(super) payment: Payment,
    pub(super) declined_reason: Option<String>,
    pub(super) note: Option<String>,
    pub(super) address: String,
    pub(super) returns: Vec<Return>,
    pub(super) refunds: Vec<Refund>,
    pub(super) replacement_for: Option<String>,
}

impl Order {
    /// Free to cancel or redirect: not yet with the carrier.
    pub(super) fn is_cancellable(&self) -> bool {
        matches!(self.state, OrderState::Placed | OrderState::Packed)
    }

    /// The line of `sku`, if the order has it.
    pub(super) fn line(&self, sku: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.sku.eq_ignore_ascii_case(sku))
    }

    /// Whether this line may come back today: delivered, inside the window, not a gift card, not already coming back.
    pub(super) fn is_line_returnable(&self, line: &Line, today: Day) -> bool {
        self.state == OrderState::Delivered
            && self.return_until().is_some_and(|until| today <= until)
            && !line.gift_card
            && !self.returns.iter().any(|back| back.sku.as_ref().is_none_or(|sku| *sku == line.sku))
    }

    /// Whether anything of the order may come back today.
    pub(super) fn is_returnable(&self, today: Day) -> bool {
        self.lines.iter().any(|line| self.is_line_returnable(line, today))
    }

    /// The last day of the return window; `None` before delivery.
    pub(super) fn return_until(&self) -> Option<Day> {
        self.delivered.map(|day| day.saturating_add(RETURN_DAYS))
    }

    /// What can still be paid back, in minor units: what was paid, less refunds and gift cards.
    pub(super) fn refundable_minor(&self) -> i64 {
        if self.payment != Payment::Paid {
            return 0;
        }
        let gift_cards = self
            .lines
            .iter()
            .filter(|line| line.gift_card)
            .map(|line| line.price_minor.saturating_mul(line.quantity));
        let refunded = self.refunds.iter().map(|refund| refund.amount);
        let kept = gift_cards.chain(refunded).try_fold(0_i64, i64::checked_add);
        kept.and_then(|kept| self.total_minor.checked_sub(kept)).unwrap_or(0).max(0)
    }

    /// The value of the goods without delivery, in minor units.
    pub(super) fn goods_minor(&self) -> i64 {
        self.lines
            .iter()
            .map(|line| line.price_minor.saturating_mul(line.quantity))
            .fold(0, i64::saturating_add)
    }

    /// How many days the parcel is overdue now; 0 when it arrived or will not come.
    pub(super) fn days_late(&self, today: Day) -> Day {
        match self.state {
            OrderState::Placed | OrderState::Packed | OrderState::Shipped => {
                today.saturating_sub(self.eta).max(0)
            }
            OrderState::Delivered | OrderState::Cancelled | OrderState::Returned => 0,
        }
    }

    /// The goods in one line: `2 x Gas canister 230 g and Spark gas stove`.
    pub(super) fn summary(&self) -> String {
        let names: Vec<String> = self
            .lines
            .iter()
            .map(|line| {
                if line.quantity == 1 {
                    line.name.clone()
                } else {
                    format!("{} x {}", line.quantity, line.name)
                }
            })
            .collect();
        match names.split_last() {
            None => String::new(),
            Some((only, [])) => only.clone(),
            Some((last, first)) => format!("{} and {last}", first.join(", ")),
        }
    }

    /// The public tracking page of the parcel, once it has a number.
    pub(super) fn tracking_url(&self) -> Option<String> {
        let tracking = self.tracking.as_ref()?;
        Some(match self.carrier.as_str() {
            "SwiftParcel" => format!("https://swiftparcel.example/t/{tracking}"),
            _ => format!("https://track.northpost.example/{tracking}"),
        })
    }
}
