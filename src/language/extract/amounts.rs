//! Amounts of money as people write them, in whole minor units.

use std::sync::LazyLock;

use regex::Regex;

use super::{own, read};
use crate::domain::money::exponent;

/// An amount somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// Minor units (cents).
    pub minor: i64,
    /// ISO 4217 code, when a sign or a word names one.
    pub currency: Option<String>,
}

static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
    own(
        r"(?i)(?P<before>(?:us|ca|c|au|a|r)?\$|[€£¥円]|\b(?:usd|eur|gbp|chf|jpy|cad|aud|brl|euros?)\s?)?\s?(?P<number>\d{1,3}(?:[.,'’ ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?)(?:\s?(?P<after>[$€£¥円]|us\$|(?:usd|eur|euros?|gbp|chf|jpy|cad|aud|brl|yen|reais|francs?|franken|franchi|dollars?|dólares|dollari|bucks?|pounds?|libras|quid|cents?|centimes|céntimos|centesimi|cêntimos)\b))?",
    )
});

/// Texts after a number that make it no amount: a share, a time, a size, a count of days.
const UNITS: &[&str] = &[
    "%", "percent", "days", "day", "weeks", "week", "months", "hours", "hrs", "minutes", "am", "pm", "cm",
    "mm", "kg", "g ", "lb", "liter", "litre", "th", "st ", "nd", "rd", "x ", "tag", "wochen", "monate",
    "uhr", "jours", "semaine", "mois", "heures", "día", "semana", "meses", "horas", "giorn", "settiman",
    "mesi", "dias", "dagen", "weken", "uur", "prozent",
];

/// The amounts in a text. Parts of ids, phone numbers, days and shares are none; `1e3`, negatives and what does not fit
/// are refused.
pub fn amounts(text: &str) -> Vec<Amount> {
    let text = read(text);
    let Some(form) = FORM.as_ref() else { return Vec::new() };
    let mut found = Vec::new();
    for parts in form.captures_iter(&text) {
        let (Some(whole), Some(number)) = (parts.get(0), parts.name("number")) else { continue };
        let currency = currency(parts.name("before").or(parts.name("after")).map(|m| m.as_str().trim()));
        let cents = parts.name("after").is_some_and(|m| {
            let word = m.as_str().to_lowercase();
            ["cent", "cént", "cênt"].iter().any(|start| word.starts_with(start))
        });
        let start = parts.name("before").map_or(number.start(), |m| m.start());
        if alone(&text, start, whole.end(), currency.is_some())
            && let Some(minor) = minor(number.as_str(), cents, currency.as_deref())
        {
            found.push(Amount { minor, currency });
        }
    }
    found
}

/// Whether what stands around leaves it a number of its own.
fn alone(text: &str, start: usize, end: usize, named: bool) -> bool {
    let before = text.get(..start).and_then(|head| head.chars().next_back());
    let rest = text.get(end..).unwrap_or_default();
    let after = rest.chars().next();
    if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '#' | '+' | '/' | '.' | ':' | '_')) {
        return false;
    }
    if after.is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '/' | ':' | '_' | '@')) {
        return false;
    }
    // "5. " ends a sentence, "5.7.8" is a version.
    if rest.starts_with(['.', ',']) && rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit()) {
        return false;
    }
    if !named && !bare_amount(text, start, end) {
        return false;
    }
    let lower: String = rest.trim_start().chars().take(8).flat_map(char::to_lowercase).collect();
    named || !UNITS.iter().any(|unit| lower.starts_with(unit))
}

/// Words before a number that make it the number of something, not money.
const NUMBERED: &[&str] = &[
    "-",
    "order",
    "orders",
    "size",
    "zip",
    "postcode",
    "number",
    "no",
    "nr",
    "tracking",
    "phone",
    "call",
    "tel",
    "in",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "jan",
    "feb",
    "mar",
    "apr",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
];

/// An amount in an ordinary message has fewer digits than this when it names no currency.
const BARE_DIGITS_MAX: usize = 7;

/// Whether a number without a currency can be money, by its form and the words beside it.
fn bare_amount(text: &str, start: usize, end: usize) -> bool {
    let (head, number) =
        (text.get(..start).unwrap_or_default(), text.get(start..end).unwrap_or_default().trim());
    let digits = number.chars().filter(char::is_ascii_digit).count();
    if digits > BARE_DIGITS_MAX || (digits > 1 && number.starts_with('0') && !number.contains(['.', ','])) {
        return false;
    }
    let rest = text.get(end..).unwrap_or_default();
    let word = rest.split_whitespace().next().unwrap_or_default().to_lowercase();
    let month = NUMBERED.iter().skip_while(|known| **known != "january").any(|known| *known == word);
    let last: String = head.trim_end().chars().rev().take(16).take_while(|c| !c.is_whitespace()).collect();
    let last: String = last.chars().rev().collect();
    // Letters in capitals are the head of an id: "HP 10042", "TRK 666".
    let id = (2..=4).contains(&last.len()) && last.bytes().all(|b| b.is_ascii_uppercase()) && digits >= 4;
    !rest.starts_with(')') && !month && !id && !NUMBERED.contains(&last.to_lowercase().as_str())
}

fn currency(word: Option<&str>) -> Option<String> {
    let code = match word?.to_lowercase().as_str() {
        "$" | "us$" | "usd" | "dollar" | "dollars" | "dólares" | "dollari" | "buck" | "bucks" | "cent"
        | "cents" => "USD",
        "€" | "eur" | "euro" | "euros" | "centimes" | "céntimos" | "centesimi" | "cêntimos" => "EUR",
        "£" | "gbp" | "pound" | "pounds" | "libras" | "quid" => "GBP",
        "chf" | "franc" | "francs" | "franken" | "franchi" => "CHF",
        "¥" | "円" | "jpy" | "yen" => "JPY",
        "cad" | "ca$" | "c$" => "CAD",
        "aud" | "au$" | "a$" => "AUD",
        "brl" | "r$" | "reais" => "BRL",
        _ => return None,
    };
    Some(code.to_owned())
}

/// `1,299.00`, `1.299,00`, `9,99`, `900` → minor units; the last separator with one or two digits after it is the decimal
/// one. More decimal digits than the currency has make it no amount.
fn minor(number: &str, cents: bool, currency: Option<&str>) -> Option<i64> {
    let digits = currency.map_or(2, exponent) as usize;
    let digits_after = number.rfind(['.', ',']).map(|at| number.len() - at - 1);
    let (whole, part) = match digits_after {
        Some(after @ 1..=2) => number.split_at_checked(number.len() - after - 1)?,
        Some(_) | None => (number, ""),
    };
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    let part: String = part.chars().filter(char::is_ascii_digit).collect();
    let whole: i64 = whole.parse().ok()?;
    if cents {
        return part.is_empty().then_some(whole);
    }
    if part.len() > digits {
        return None;
    }
    let part: i64 = format!("{part:0<digits$}").parse().unwrap_or_default();
    whole.checked_mul(10_i64.checked_pow(digits as u32)?)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_minor_units() {
        for (text, minor, currency) in [
            ("refund 900 now", 90_000, None),
            ("$9.99", 999, Some("USD")),
            ("i paid 1.299,00 €", 129_900, Some("EUR")),
            ("1,299.50 dollars", 129_950, Some("USD")),
            ("EUR 20", 2000, Some("EUR")),
            ("80 bucks", 8000, Some("USD")),
            ("50 cents", 50, Some("USD")),
            ("£5", 500, Some("GBP")),
            ("US$ 30", 3000, Some("USD")),
            ("US$30 please", 3000, Some("USD")),
            ("30 US$", 3000, Some("USD")),
            ("30 EUR", 3000, Some("EUR")),
            ("30,50 €", 3050, Some("EUR")),
            ("30.5 eur", 3050, Some("EUR")),
            ("¥1500", 1500, Some("JPY")),
            ("¥ 1,500", 1500, Some("JPY")),
            ("1500 yen", 1500, Some("JPY")),
            ("JPY 900", 900, Some("JPY")),
            ("R$ 30,50", 3050, Some("BRL")),
            ("30 Franken", 3000, Some("CHF")),
            ("CHF 1'200.50", 120_050, Some("CHF")),
            ("me debéis 30,50 euros", 3050, Some("EUR")),
            ("30 dólares", 3000, Some("USD")),
        ] {
            assert_eq!(amounts(text), [Amount { minor, currency: currency.map(str::to_owned) }], "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for text in [
            "HP-10042",
            "1e3",
            "-5",
            "10%",
            "2026-11-24",
            "24/11",
            "call +1 555 010 0142",
            "99999999999999999999",
            "3 days late",
            "at 10:30",
            "v1.2.3",
            "size 9cm",
            "TRK6661054045",
            "HP 10042",
            "order 10042",
            "3 december",
            "(555) 010-0142",
            "TRK 6661054045",
            "size 9",
            "call 0900123456",
            "- 5",
            "¥30.50",
            "bonus$30x",
            "3 Tage zu spät",
            "dans 3 jours",
            "hace 3 días",
            "um 10 Uhr",
        ] {
            assert!(amounts(text).is_empty(), "{text}: {:?}", amounts(text));
        }
    }
}
