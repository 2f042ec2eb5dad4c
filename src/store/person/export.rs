//! Hands out everything about one person as JSON.

use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Column as _, Row as _};

use super::super::rows::storable;
use super::super::{Store, StoreError};
use super::HELD;
use crate::domain::ids::CustomerId;
use crate::domain::time::Timestamp;

/// Columns that hold JSON.
const DOCUMENTS: [&str; 13] = [
    "crm",
    "citations",
    "choices",
    "attachments",
    "body",
    "arguments",
    "result",
    "note",
    "memory",
    "pending",
    "doubt",
    "move_offer",
    "threading",
];

/// Columns that hold a moment, beside those that end in `_at`, `_seen` and `_until`.
const MOMENTS: [&str; 1] = ["at"];

impl Store {
    /// Everything about a person: their record, their addresses, and their cases with all that belongs to each, and
    /// under `merged` the same of every customer who was found to be them. None when there is no such customer.
    pub async fn export_customer(&self, id: &CustomerId) -> Result<Option<Value>, StoreError> {
        let Some(known_as) = self.customer(id).await?.map(|customer| customer.id.clone()) else {
            return Ok(None);
        };
        let Some(mut whole) = self.export_one(&known_as).await? else { return Ok(None) };
        let mut merged = Vec::new();
        for member in self.same_person(&known_as).await?.iter().filter(|member| **member != known_as) {
            merged.extend(self.export_one(member).await?);
        }
        whole["merged"] = json!(merged);
        Ok(Some(whole))
    }

    async fn export_one(&self, id: &CustomerId) -> Result<Option<Value>, StoreError> {
        let mut whole = Map::new();
        let mut of_cases: Vec<(&str, Vec<Map<String, Value>>)> = Vec::new();
        for held in HELD {
            let sql = format!("select * from {} where {}", held.table, held.whose);
            let rows = self.rows(sqlx::query(AssertSqlSafe(sql)).bind(storable(id.as_str()))).await?;
            let mut rows = rows.iter().map(object).collect::<Result<Vec<_>, _>>()?;
            match held.table {
                "customers" => match rows.pop() {
                    Some(customer) => _ = whole.insert("customer".to_owned(), Value::Object(customer)),
                    None => return Ok(None),
                },
                table if table != "cases" && rows.first().is_some_and(|row| row.contains_key("case_id")) => {
                    of_cases.push((table, rows));
                }
                table => _ = whole.insert(table.to_owned(), json!(rows)),
            }
        }
        let cases = whole.get_mut("cases").and_then(Value::as_array_mut);
        for case in cases.into_iter().flatten() {
            let own = case.get("id").cloned().unwrap_or_default();
            for (table, rows) in &mut of_cases {
                let theirs: Vec<_> = rows.extract_if(.., |row| row.get("case_id") == Some(&own)).collect();
                case[*table] = json!(theirs);
            }
        }
        // Rows of the person whose case is another customer's.
        for (table, rows) in of_cases.into_iter().filter(|(_, rows)| !rows.is_empty()) {
            whole.insert(table.to_owned(), json!(rows));
        }
        Ok(Some(Value::Object(whole)))
    }
}

fn object(row: &AnyRow) -> Result<Map<String, Value>, StoreError> {
    let mut object = Map::new();
    for column in row.columns() {
        let (name, place) = (column.name(), column.ordinal());
        let value = match row.try_get::<Option<i64>, _>(place) {
            Ok(Some(number)) if moment(name) => json!(Timestamp(number).to_string()),
            Ok(number) => json!(number),
            Err(_) => text(name, row.try_get::<Option<String>, _>(place)?),
        };
        object.insert(name.to_owned(), value);
    }
    Ok(object)
}

fn moment(name: &str) -> bool {
    MOMENTS.contains(&name) || ["_at", "_seen", "_until"].iter().any(|end| name.ends_with(end))
}

fn text(name: &str, text: Option<String>) -> Value {
    let Some(text) = text else { return Value::Null };
    let read = DOCUMENTS.contains(&name).then(|| serde_json::from_str(&text).ok()).flatten();
    read.unwrap_or(Value::String(text))
}
