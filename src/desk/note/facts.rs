//! Facts as a person would write them: labels out of field names, money out of minor units, days out of ISO dates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::domain::money::Money;
use crate::domain::receipt::Receipt;

/// Most entries of one list that become facts.
const ENTRIES_MAX: usize = 10;
/// Fields that name a thing, the best first.
const NAMES: [&str; 5] = ["id", "order_id", "number", "sku", "name"];
/// Fields that say most, shown first.
const LEADING: [&str; 6] = ["name", "title", "status", "state", "summary", "total_minor"];
/// Words of machines and what people say.
const SPOKEN: [(&str, &str); 4] =
    [("eta", "expected arrival"), ("sku", "SKU"), ("url", "link"), ("qty", "quantity")];

/// How the operator's own declarations name things.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// The `title` of a tool by its name, and of a parameter by its name.
    pub titles: BTreeMap<String, String>,
    /// ISO 4217 code of amounts that do not say theirs.
    pub currency: Option<String>,
}

/// Something known about a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// What it is about, `HP-10042`; empty for the matter itself.
    pub(super) about: String,
    /// What.
    pub(super) label: String,
    /// Its value.
    pub(super) value: String,
}

impl Known {
    pub(super) fn about_and_label(&self) -> String {
        joined(&self.about, &self.label)
    }
}

impl Declared {
    /// A field or a tool in words: its declared title, else its name without what only machines need.
    pub fn words(&self, name: &str) -> String {
        self.titles.get(name).cloned().unwrap_or_else(|| sentence(&spoken(name)))
    }

    /// The value of a field as people write it; nothing for what is empty or has parts.
    pub fn shown(&self, name: &str, value: &Value) -> Option<String> {
        shown(name, value, self.currency.as_deref())
    }

    /// The arguments of a call, one line each.
    pub fn arguments(&self, arguments: &Value) -> Vec<(String, String)> {
        let fields = arguments.as_object().into_iter().flatten();
        fields.filter_map(|(name, value)| Some((self.words(name), self.shown(name, value)?))).collect()
    }

    /// A value that was gathered as text; an amount in minor units is money here too.
    pub(super) fn gathered(&self, name: &str, text: &str) -> String {
        let minor = name.ends_with("_minor").then(|| text.trim().parse::<i64>().ok()).flatten();
        let value = minor.map_or_else(|| Value::from(text), Value::from);
        self.shown(name, &value).unwrap_or_else(|| text.to_owned())
    }
}

/// What the results of calls say, the newest first, each thing once.
pub(super) fn of_results(receipts: &[&Receipt]) -> Vec<(Known, String)> {
    let mut found = Vec::new();
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    // What a thing says about itself, before what a list says about it in one line.
    for whole in [true, false] {
        for receipt in receipts.iter().rev() {
            let source = format!("receipt:{}", receipt.id);
            for known in of_result(&receipt.result).into_iter().filter(|one| one.about.is_empty() != whole) {
                let own = (known.about.clone(), known.label.clone());
                let described = seen.iter().any(|(about, _)| *about == known.label);
                if !described && seen.insert(own) {
                    found.push((known, source.clone()));
                }
            }
        }
    }
    found
}

/// What one result says.
pub(super) fn of_result(result: &Value) -> Vec<Known> {
    let mut found = Vec::new();
    match result {
        Value::Object(fields) => gather("", fields, None, &mut found),
        Value::Array(entries) => list("", "found", entries, None, &mut found),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

fn gather(about: &str, fields: &Map<String, Value>, currency: Option<&str>, found: &mut Vec<Known>) {
    let named = NAMES.iter().find_map(|key| Some((*key, fields.get(*key)?.as_str()?)));
    let about = named.map_or_else(|| about.to_owned(), |(_, name)| joined(about, name));
    let currency = fields.get("currency").and_then(Value::as_str).or(currency);
    for (key, field) in ranked(fields) {
        match field {
            Value::Array(entries) => list(&about, key, entries, currency, found),
            Value::Object(inner) => gather(&joined(&about, &spoken(key)), inner, currency, found),
            _ if key == "currency" || named.is_some_and(|(name, _)| name == key) => {}
            scalar => {
                let label = if about.is_empty() { sentence(&spoken(key)) } else { spoken(key) };
                found.extend(shown(key, scalar, currency).map(|value| Known {
                    about: about.clone(),
                    label,
                    value,
                }));
            }
        }
    }
}

/// A list is one line for each entry that has a number of its own, and one line in all for the others.
fn list(about: &str, key: &str, entries: &[Value], currency: Option<&str>, found: &mut Vec<Known>) {
    let mut plain = Vec::new();
    for entry in entries.iter().take(ENTRIES_MAX) {
        match entry {
            Value::Object(fields) => {
                let line = line(fields, currency);
                match fields.get("id").and_then(Value::as_str) {
                    Some(id) => {
                        let label = id.to_owned();
                        found.push(Known { about: about.to_owned(), label, value: line });
                    }
                    None => plain.push(line),
                }
            }
            scalar => plain.extend(shown(key, scalar, currency)),
        }
    }
    if !plain.is_empty() {
        let label = if about.is_empty() { sentence(&spoken(key)) } else { spoken(key) };
        found.push(Known { about: about.to_owned(), label, value: plain.join("; ") });
    }
}

/// An entry of a list in one line: its name, then the rest.
fn line(fields: &Map<String, Value>, currency: Option<&str>) -> String {
    let currency = fields.get("currency").and_then(Value::as_str).or(currency);
    let name = ["name", "title", "summary"].iter().find_map(|key| Some((*key, fields.get(*key)?.as_str()?)));
    let rest: Vec<String> = ranked(fields)
        .into_iter()
        .filter(|(key, _)| !["id", "currency"].contains(key) && name.is_none_or(|(own, _)| own != *key))
        .filter_map(|(key, value)| Some(format!("{} {}", spoken(key), shown(key, value, currency)?)))
        .collect();
    match (name, rest.is_empty()) {
        (Some((_, name)), true) => one_line(name),
        (Some((_, name)), false) => format!("{} ({})", one_line(name), rest.join(", ")),
        (None, _) => rest.join(", "),
    }
}

fn ranked(fields: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let mut ranked: Vec<(&str, &Value)> = fields.iter().map(|(key, value)| (key.as_str(), value)).collect();
    ranked.sort_by_key(|(key, _)| LEADING.iter().position(|one| one == key).unwrap_or(LEADING.len()));
    ranked
}

fn joined(outer: &str, inner: &str) -> String {
    if outer.is_empty() || outer == inner { inner.to_owned() } else { format!("{outer} {inner}") }
}

/// `order_id` to `order`, `refundable_minor` to `refundable`, `tracking_url` to `tracking link`.
fn spoken(name: &str) -> String {
    let bare = name.strip_suffix("_minor").or_else(|| name.strip_suffix("_id")).unwrap_or(name);
    let words = bare.split(['_', '-']).filter(|word| !word.is_empty());
    let said = words.map(|word| {
        let spoken = SPOKEN.iter().find(|(machine, _)| word.eq_ignore_ascii_case(machine));
        spoken.map_or(word, |(_, person)| person)
    });
    said.collect::<Vec<_>>().join(" ")
}

/// With a capital first letter.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn shown(key: &str, value: &Value, currency: Option<&str>) -> Option<String> {
    match value {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(day(text).unwrap_or_else(|| one_line(text))),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        Value::Number(number) => match (key.ends_with("_minor"), number.as_i64(), currency) {
            (true, Some(minor), Some(currency)) => {
                Some(Money { minor, currency: currency.to_owned() }.to_string())
            }
            (true, _, _) => Some(format!("{number} minor units, in a currency that is not declared")),
            _ => Some(number.to_string()),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `2026-11-13` to `13 November 2026`, and RFC 3339 with its time in UTC.
fn day(text: &str) -> Option<String> {
    if let Ok(day) = text.parse::<jiff::civil::Date>()
        && text.len() == 10
    {
        return Some(day.strftime("%-d %B %Y").to_string());
    }
    let moment = text.parse::<jiff::Timestamp>().ok()?;
    Some(moment.strftime("%-d %B %Y %H:%M UTC").to_string())
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
