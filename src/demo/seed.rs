//! The shop on its opening day, read once from the embedded files.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use super::calendar::Day;
use super::catalogue::{Catalogue, House, Product};
use super::model::{Customer, Line, Order, OrderState, Payment, Refund, Return};
use super::state::State;

/// Delivery in cents: standard, express, and the value of goods from which standard is free.
const STANDARD_MINOR: i64 = 595;
const EXPRESS_MINOR: i64 = 1495;
const FREE_FROM_MINOR: i64 = 7500;

/// What never changes while the shop runs, and the state it opens with.
#[derive(Debug)]
pub(super) struct Seed {
    pub(super) catalogue: Catalogue,
    pub(super) customers: Vec<Customer>,
    pub(super) customer_index: HashMap<String, usize>,
    pub(super) opening: State,
}

impl Seed {
    /// The customer of that id.
    pub(super) fn customer(&self, id: &str) -> Option<&Customer> {
        self.customer_index.get(id).and_then(|index| self.customers.get(*index))
    }
}

/// An order as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderRow {
    id: String,
    customer: String,
    state: OrderState,
    placed: Day,
    shipped: Option<Day>,
    eta: Day,
    delivered: Option<Day>,
    carrier: String,
    tracking: Option<String>,
    #[serde(default)]
    express: bool,
    items: Vec<String>,
    method: String,
    #[serde(default)]
    pay: Payment,
    reason: Option<String>,
    note: Option<String>,
    #[serde(default)]
    returns: Vec<Return>,
    #[serde(default)]
    refunds: Vec<Refund>,
}

/// The embedded shop; the error is a fault in the embedded files.
pub(super) fn seed() -> Result<&'static Seed, String> {
    static SEED: OnceLock<Result<Seed, String>> = OnceLock::new();
    SEED.get_or_init(read).as_ref().map_err(Clone::clone)
}

pub(super) fn yaml<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, String> {
    serde_saphyr::from_str(text).map_err(|error| format!("{name}: {error}"))
}

fn read() -> Result<Seed, String> {
    let products: Vec<Product> = yaml("products.yaml", include_str!("products.yaml"))?;
    let house: House = yaml("shop.yaml", include_str!("shop.yaml"))?;
    let customers: Vec<Customer> = yaml("customers.yaml", include_str!("customers.yaml"))?;
    let rows: Vec<OrderRow> = yaml("orders.yaml", include_str!("orders.yaml"))?;
    let catalogue = Catalogue::new(products, house);
    let customer_index: HashMap<String, usize> =
        customers.iter().enumerate().map(|(index, customer)| (customer.id.clone(), index)).collect();
    let mut opening = State::new(catalogue.opening_stock());
    for row in rows {
        let owner = customer_index.get(&row.customer).and_then(|index| customers.get(*index));
        let owner =
            owner.ok_or_else(|| format!("orders.yaml: {} has no customer {}", row.id, row.customer))?;
        let order = order(row, owner, &catalogue)?;
        opening.add_order(Arc::new(order));
    }
    Ok(Seed { catalogue, customers, customer_index, opening })
}

fn order(row: OrderRow, owner: &Customer, catalogue: &Catalogue) -> Result<Order, String> {
    let lines = row.items.iter().map(|item| line(item, catalogue)).collect::<Result<Vec<_>, _>>()?;
    let goods: i64 = lines.iter().map(|line| line.price_minor.saturating_mul(line.quantity)).sum();
    let delivery = match (row.express, goods >= FREE_FROM_MINOR) {
        (true, _) => EXPRESS_MINOR,
        (false, true) => 0,
        (false, false) => STANDARD_MINOR,
    };
    Ok(Order {
        id: row.id,
        customer: row.customer,
        state: row.state,
        placed: row.placed,
        shipped: row.shipped,
        eta: row.eta,
        delivered: row.delivered,
        carrier: row.carrier,
        tracking: row.tracking,
        lines,
        total_minor: goods.saturating_add(delivery),
        method: row.method,
        payment: row.pay,
        declined_reason: row.reason,
        note: row.note,
        address: owner.address.clone(),
        returns: row.returns,
        refunds: row.refunds,
        replacement_for: None,
    })
}

fn line(item: &str, catalogue: &Catalogue) -> Result<Line, String> {
    let (sku, quantity) = item.split_once('*').unwrap_or((item, "1"));
    let product = catalogue.product(sku).ok_or_else(|| format!("orders.yaml: no product {sku}"))?;
    Ok(Line {
        sku: sku.to_owned(),
        name: catalogue.variant_name(sku).unwrap_or_else(|| product.name.clone()),
        quantity: quantity.parse().map_err(|error| format!("orders.yaml: {item}: {error}"))?,
        price_minor: product.price,
        gift_card: product.is_gift_card(),
        replaced: false,
    })
}
