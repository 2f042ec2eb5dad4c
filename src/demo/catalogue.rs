//! Products, stores and discount codes: what the shop sells and where.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::{Date, DateTime, Weekday};
use serde::Deserialize;
use serde_json::{Value, json};

use super::calendar::{self, Day};
use super::model::CURRENCY;

/// How many products a search returns at most.
const FOUND_MAX: usize = 5;

/// One product, in one or several sizes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Product {
    pub(super) sku: String,
    pub(super) name: String,
    brand: String,
    kind: String,
    pub(super) price: i64,
    #[serde(default)]
    pub(super) stock: i64,
    #[serde(default)]
    pub(super) sizes: BTreeMap<String, i64>,
    #[serde(default)]
    back_on: Option<Day>,
    stores: [i64; 3],
    tags: Vec<String>,
    summary: String,
}

impl Product {
    /// Years of warranty from delivery: 5 on tents and packs of our own brand, 2 on gear, none on what is used up.
    pub(super) fn warranty_years(&self) -> i16 {
        match (self.brand.as_str(), self.kind.as_str()) {
            (_, "food" | "fuel" | "gift card") => 0,
            ("Pinewood", "tent" | "pack") => 5,
            _ => 2,
        }
    }

    /// Whether it is a gift card.
    pub(super) fn is_gift_card(&self) -> bool {
        self.kind == "gift card"
    }

    /// Everything that can be ordered of it: SKU and size.
    pub(super) fn variants(&self) -> Vec<(String, Option<&str>, i64)> {
        if self.sizes.is_empty() {
            return vec![(self.sku.clone(), None, self.stock)];
        }
        self.sizes
            .iter()
            .map(|(size, stock)| (format!("{}-{size}", self.sku), Some(size.as_str()), *stock))
            .collect()
    }
}

/// One store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Store {
    name: String,
    address: String,
    phone: String,
    weekday: [i8; 2],
    saturday: [i8; 2],
    sunday: [i8; 2],
}

/// One discount code.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Discount {
    code: String,
    percent: i64,
    #[serde(default)]
    minimum: i64,
    #[serde(default)]
    starts: Option<Day>,
    expires: Day,
    #[serde(default)]
    customer: Option<String>,
}

/// Stores and discount codes as they stand in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct House {
    stores: Vec<Store>,
    discounts: Vec<Discount>,
}

/// The catalogue with its indexes, built once.
#[derive(Debug)]
pub(super) struct Catalogue {
    products: Vec<Product>,
    by_sku: HashMap<String, usize>,
    words: Vec<(Vec<String>, Vec<String>)>,
    house: House,
}

/// Lower-case words without a plural `s`, so that "boots" finds a boot.
fn words(text: &str) -> Vec<String> {
    let split = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    split
        .map(|word| {
            let word = word.to_lowercase();
            let stem = if word.len() > 3 { word.strip_suffix('s') } else { None };
            stem.map_or(word.clone(), str::to_owned)
        })
        .collect()
}

impl Catalogue {
    /// Indexes products by SKU (with and without size) and by their words.
    pub(super) fn new(products: Vec<Product>, house: House) -> Self {
        let mut by_sku = HashMap::new();
        for (index, product) in products.iter().enumerate() {
            by_sku.insert(product.sku.clone(), index);
            by_sku.extend(product.variants().into_iter().map(|(sku, _, _)| (sku, index)));
        }
        let words = products
            .iter()
            .map(|product| {
                (
                    words(&product.name),
                    words(&format!("{} {} {}", product.summary, product.tags.join(" "), product.kind)),
                )
            })
            .collect();
        Self { products, by_sku, words, house }
    }

    /// The stock of every variant on the opening day.
    pub(super) fn opening_stock(&self) -> HashMap<String, i64> {
        self.products.iter().flat_map(Product::variants).map(|(sku, _, stock)| (sku, stock)).collect()
    }

    /// The product behind a SKU, with or without size.
    pub(super) fn product(&self, sku: &str) -> Option<&Product> {
        self.by_sku.get(&sku.to_ascii_uppercase()).and_then(|index| self.products.get(*index))
    }

    /// The name of one variant: `Granite Trail hiking boots (size 8)`.
    pub(super) fn variant_name(&self, sku: &str) -> Option<String> {
        let product = self.product(sku)?;
        let size = product.variants().into_iter().find(|(variant, _, _)| variant == sku)?.1?.to_owned();
        Some(format!("{} (size {size})", product.name))
    }

    /// The products that fit the query best, at most five and none much worse than the best; empty when no word fits.
    pub(super) fn find(&self, query: &str, stock: &HashMap<String, i64>) -> Value {
        let asked = words(query);
        let score =
            |(name, rest): &(Vec<String>, Vec<String>)| -> usize {
                asked
                    .iter()
                    // Short words of a summary ("the", "for") are in every other one.
                    .map(|word| {
                        if name.contains(word) {
                            3
                        } else {
                            usize::from(word.len() > 3 && rest.contains(word))
                        }
                    })
                    .sum()
            };
        let mut ranked: Vec<(usize, usize)> = self
            .words
            .iter()
            .map(score)
            .enumerate()
            .filter(|(_, score)| *score > 0)
            .map(|(index, score)| (score, index))
            .collect();
        ranked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        // Half as good as the best is something else.
        let best = ranked.first().map_or(0, |(score, _)| *score);
        ranked.retain(|(score, _)| score * 2 > best);
        let shown = ranked.iter().take(FOUND_MAX).filter_map(|(_, index)| self.products.get(*index));
        json!({ "products": shown.map(|product| product_answer(product, stock)).collect::<Vec<_>>() })
    }

    /// Stock of a variant, or of all sizes together; `None` for an unknown SKU.
    pub(super) fn stock(&self, sku: &str, stock: &HashMap<String, i64>, opening: Date) -> Option<Value> {
        let sku = sku.to_ascii_uppercase();
        let product = self.product(&sku)?;
        let held = |sku: &str| stock.get(sku).copied().unwrap_or(0);
        let variants = product.variants();
        let quantity = if stock.contains_key(&sku) {
            held(&sku)
        } else {
            variants.iter().map(|(sku, _, _)| held(sku)).sum()
        };
        let sizes: Vec<Value> = variants
            .iter()
            .filter_map(|(sku, size, _)| {
                size.map(|size| json!({ "size": size, "sku": sku, "in_stock": held(sku) > 0, "quantity": held(sku) }))
            })
            .collect();
        let stores: Vec<Value> = self
            .house
            .stores
            .iter()
            .zip(product.stores)
            .map(|(store, quantity)| json!({ "name": store.name, "quantity": quantity }))
            .collect();
        let back_on = product.back_on.filter(|_| quantity <= 0).map(|day| calendar::date(opening, day));
        Some(json!({
            "sku": sku, "name": self.variant_name(&sku).unwrap_or_else(|| product.name.clone()), "in_stock": quantity > 0,
            "quantity": quantity, "back_on": back_on, "stores": stores, "sizes": sizes,
        }))
    }

    /// The stores, or the one named; `None` when there is no such store.
    pub(super) fn stores(&self, name: Option<&str>, now: DateTime) -> Option<Value> {
        let wanted = name.map(str::to_lowercase);
        let named =
            |store: &&Store| wanted.as_ref().is_none_or(|wanted| wanted.contains(&store.name.to_lowercase()));
        let shown: Vec<Value> =
            self.house.stores.iter().filter(named).map(|store| store_answer(store, now)).collect();
        if shown.is_empty() { None } else { Some(json!({ "stores": shown })) }
    }

    /// Whether a code works for this customer today, and for goods of this value when an order is named.
    pub(super) fn discount(
        &self,
        code: &str,
        customer: &str,
        goods_minor: Option<i64>,
        opening: Date,
        today: Day,
    ) -> Value {
        let code = code.trim().to_uppercase();
        let Some(known) = self.house.discounts.iter().find(|discount| discount.code == code) else {
            return json!({ "code": code, "valid": false, "reason": "unknown", "percent": null, "minimum_minor": null, "currency": CURRENCY, "expires_on": null });
        };
        let reason = if known.customer.as_ref().is_some_and(|owner| owner != customer) {
            Some("other_account")
        } else if known.starts.is_some_and(|starts| today < starts) {
            Some("not_started")
        } else if today > known.expires {
            Some("expired")
        } else if goods_minor.is_some_and(|goods| goods < known.minimum) {
            Some("minimum_not_reached")
        } else {
            None
        };
        let minimum = Some(known.minimum).filter(|minimum| *minimum > 0);
        json!({
            "code": code, "valid": reason.is_none(), "reason": reason, "percent": known.percent, "minimum_minor": minimum,
            "currency": CURRENCY, "expires_on": calendar::date(opening, known.expires),
        })
    }
}

fn product_answer(product: &Product, stock: &HashMap<String, i64>) -> Value {
    let in_stock = product.variants().iter().any(|(sku, _, _)| stock.get(sku).is_some_and(|left| *left > 0));
    json!({
        "sku": product.sku, "name": product.name, "price_minor": product.price, "currency": CURRENCY, "summary": product.summary,
        "url": format!("https://harborandpine.example/p/{}", product.sku.to_lowercase()), "in_stock": in_stock,
        "sizes": product.sizes.keys().collect::<Vec<_>>(),
    })
}

fn store_answer(store: &Store, now: DateTime) -> Value {
    let [open, close] = match now.weekday() {
        Weekday::Saturday => store.saturday,
        Weekday::Sunday => store.sunday,
        Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday | Weekday::Friday => {
            store.weekday
        }
    };
    let span = |[open, close]: [i8; 2]| format!("{open}:00-{close}:00");
    json!({
        "name": store.name, "address": store.address, "phone": store.phone,
        "hours": format!("Mon-Fri {}, Sat {}, Sun {}", span(store.weekday), span(store.saturday), span(store.sunday)),
        "open_now": (open..close).contains(&now.hour()),
    })
}
