//! The filters of our templates beside the built-in ones: dates, money, names, spelling.

use minijinja::{Environment, Error, ErrorKind, Value};

use crate::domain::money::Money;

/// Adds every filter.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("date", date);
    environment.add_filter("money", money);
    environment.add_filter("first_name", first_name);
    environment.add_filter("spell", spell);
}

fn refuse(text: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, text)
}

/// `2026-11-24` or RFC 3339 to `Tuesday 24 November`; the day is the one written, whatever the offset.
fn date(value: &Value) -> Result<String, Error> {
    let text = value.as_str().ok_or_else(|| refuse(format!("`date` takes a day as text, not {value}")))?;
    let whole = text.len() == 10 || text.parse::<jiff::Timestamp>().is_ok();
    text.get(..10)
        .filter(|_| whole)
        .and_then(|day| day.parse::<jiff::civil::Date>().ok())
        .map(|day| day.strftime("%A %-d %B").to_string())
        .ok_or_else(|| refuse(format!("`{text}` is not a day such as 2026-11-24")))
}

/// Minor units and a currency, or an object that has `amount_minor` and `currency`, to `$12.05`.
fn money(value: &Value, currency: Option<String>) -> Result<String, Error> {
    let (minor, currency) = match currency {
        Some(currency) => (value.clone(), currency),
        None => (
            value.get_attr("amount_minor")?,
            value.get_attr("currency")?.as_str().map(str::to_owned).unwrap_or_default(),
        ),
    };
    let minor = minor
        .as_i64()
        .filter(|_| minor.is_integer())
        .ok_or_else(|| refuse(format!("`money` takes whole minor units, not {minor}")))?;
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(refuse(format!("`{currency}` is not a currency such as USD")));
    }
    Ok(Money { minor, currency }.to_string())
}

/// The first word of a name; empty when there is no name.
fn first_name(value: &Value) -> String {
    value.as_str().and_then(|name| name.split_whitespace().next()).unwrap_or_default().to_owned()
}

/// Each character on its own, for reading aloud: `HP-1` to `H P dash 1`.
fn spell(value: &Value) -> String {
    let text = value.to_string();
    let words: Vec<String> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| if c == '-' { "dash".to_owned() } else { c.to_string() })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::templates::Templates;

    fn shown(source: &str, context: Json) -> Result<String, String> {
        Templates::new().render(source, context).map_err(|e| e.to_string())
    }

    #[test]
    fn filters_show_values_as_customers_read_them() {
        let context = json!({
            "day": "2026-11-24", "moment": "2026-11-24T23:30:00+02:00", "name": "Ada King Lovelace", "id": "HP-10042",
            "order": {"total_minor": 12905, "currency": "USD"}, "refund": {"amount_minor": 900, "currency": "EUR"},
            "nobody": null,
        });
        for (source, expected) in [
            ("{{ day | date }}", "Tuesday 24 November"),
            ("{{ moment | date }}", "Tuesday 24 November"),
            ("{{ order.total_minor | money(order.currency) }}", "$129.05"),
            ("{{ refund | money }}", "€9.00"),
            ("{{ name | first_name }}", "Ada"),
            ("{{ nobody | first_name }}", ""),
            ("{{ id | spell }}", "H P dash 1 0 0 4 2"),
        ] {
            assert_eq!(shown(source, context.clone()).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn filters_refuse_what_they_cannot_show_truly() {
        for (source, context) in [
            ("{{ day | date }}", json!({"day": "soon"})),
            ("{{ day | date }}", json!({"day": "2026-02-30"})),
            ("{{ day | date }}", json!({"day": "2026-11-24 or so"})),
            ("{{ day | date }}", json!({"day": null})),
            ("{{ n | money('USD') }}", json!({"n": 12.5})),
            ("{{ n | money('USD') }}", json!({"n": "12"})),
            ("{{ n | money('usd') }}", json!({"n": 12})),
            ("{{ n | money }}", json!({"n": {"amount_minor": 12}})),
        ] {
            assert!(shown(source, context.clone()).is_err(), "{source} {context}");
        }
    }
}
