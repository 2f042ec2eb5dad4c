//! What a draft may rest on, read once: the answers of tools, passages, settings, and a customer's own words.

use std::cell::OnceCell;
use std::fmt::Write as _;

use jiff::civil::Date;
use serde_json::Value as Json;

use super::GuardContext;
use super::calendar::weekday_of;
use super::pieces::{self, Day, Milli, Piece, Value};
use super::text::{self, Marks, stands_in};
use crate::domain::decision::Draft;
use crate::domain::money;
use crate::domain::receipt::{CallStatus, Effect, Receipt};

/// Fields of results that hold what a customer typed: never a ground.
const TYPED_FIELDS: [&str; 8] =
    ["note", "notes", "comment", "comments", "customer_note", "order_note", "gift_message", "remark"];
/// Stands between two grounds, so that `USD` and the number after it are never read as one amount.
const APART: &str = "\n\u{1}\n";
/// Fields whose plain numbers are amounts of money in whole units.
const MONEY_WORDS: [&str; 9] =
    ["amount", "price", "total", "refund", "fee", "cost", "balance", "credit", "value"];

/// A draft and its context, folded and read once.
pub struct Sight<'a> {
    pub(super) draft: &'a Draft,
    pub(super) context: &'a GuardContext<'a>,
    /// Text and quick replies, as written.
    pub(super) said: String,
    /// The same, folded.
    pub(super) plain: String,
    /// The same, folded with accents kept.
    pub(super) marked: String,
    read: OnceCell<Vec<Piece>>,
    grounds: OnceCell<Grounds>,
}

/// The grounds themselves, folded.
pub(super) struct Grounds {
    /// Texts and plain numbers out of results, one a line.
    pub(super) facts: String,
    /// Passages, settings, and a customer's words where they count.
    pub(super) prose: String,
    amounts: Vec<(Milli, Option<String>)>,
    numbers: Vec<Milli>,
    fact_pieces: OnceCell<Vec<Piece>>,
    prose_pieces: OnceCell<Vec<Piece>>,
}

impl<'a> Sight<'a> {
    pub(super) fn new(draft: &'a Draft, context: &'a GuardContext<'a>) -> Self {
        let mut said = draft.text.clone();
        for choice in &draft.choices {
            said.push('\n');
            said.push_str(choice);
        }
        let plain = text::fold(&said, Marks::Drop);
        let marked = text::fold(&said, Marks::Keep);
        Self { draft, context, said, plain, marked, read: OnceCell::new(), grounds: OnceCell::new() }
    }

    /// The checkable pieces of the draft.
    pub(super) fn pieces(&self) -> &[Piece] {
        self.read.get_or_init(|| pieces::read(&self.plain))
    }

    /// What it may rest on.
    pub(super) fn grounds(&self) -> &Grounds {
        self.grounds.get_or_init(|| Grounds::gather(self.context))
    }

    /// Whether a passage says these folded words.
    pub(super) fn quoted(&self, words: &str) -> bool {
        self.context.passages.iter().any(|passage| text::fold(passage, Marks::Drop).contains(words))
    }
}

impl Grounds {
    fn gather(context: &GuardContext<'_>) -> Self {
        let mut grounds = Self {
            facts: String::new(),
            prose: String::new(),
            amounts: Vec::new(),
            numbers: Vec::new(),
            fact_pieces: OnceCell::new(),
            prose_pieces: OnceCell::new(),
        };
        for (place, receipt) in context.receipts.iter().enumerate() {
            // The same look-up, asked again and again, mostly answers the same.
            let known = context.receipts.iter().take(place).any(|earlier| earlier.result == receipt.result);
            if !known {
                grounds.walk("", &receipt.result, None);
            }
            // What was done was agreed with the customer and permitted by code.
            if receipt.effect == Effect::Write && receipt.status == CallStatus::Done {
                grounds.walk("", &receipt.arguments, None);
            }
        }
        let settled = context.settled;
        let ours = [&settled.business_name, &settled.email, &settled.phone, &settled.site];
        let texts = settled.texts.iter().chain(ours).map(String::as_str);
        let words: &[&str] = if context.asks { context.customer_words } else { &[] };
        let procedures = context.procedures.iter().map(String::as_str);
        let prose =
            texts.chain(context.passages.iter().copied()).chain(procedures).chain(words.iter().copied());
        for text in prose {
            text::fold_into(text, Marks::Drop, &mut grounds.prose);
            grounds.prose.push_str(APART);
        }
        grounds
    }

    fn walk(&mut self, key: &str, value: &Json, currency: Option<&str>) {
        match value {
            Json::Object(fields) => {
                let currency = fields.get("currency").and_then(Json::as_str).or(currency);
                for (key, field) in fields {
                    if !TYPED_FIELDS.contains(&key.as_str()) {
                        self.walk(key, field, currency);
                    }
                }
            }
            Json::Array(entries) => entries.iter().for_each(|entry| self.walk(key, entry, currency)),
            Json::String(text) => {
                text::fold_into(text, Marks::Drop, &mut self.facts);
                self.facts.push_str(APART);
            }
            Json::Number(number) => self.number(key, number, currency),
            Json::Bool(_) | Json::Null => {}
        }
    }

    fn number(&mut self, key: &str, number: &serde_json::Number, currency: Option<&str>) {
        if key.ends_with("_minor") {
            let scale = 3_u32.saturating_sub(money::exponent(currency.unwrap_or_default()));
            let amount =
                number.as_i64().and_then(|minor| minor.checked_abs()?.checked_mul(10_i64.pow(scale)));
            self.amounts.extend(amount.map(|amount| (amount, currency.map(str::to_owned))));
            return;
        }
        let shown = number.to_string();
        let Some(value) = pieces::milli(&shown) else { return };
        if MONEY_WORDS.iter().any(|word| key.contains(word)) {
            self.amounts.push((value, currency.map(str::to_owned)));
        }
        self.numbers.push(value);
        // A `String` takes every write.
        let _ = write!(self.facts, "{shown}{APART}");
    }

    fn fact_pieces(&self) -> &[Piece] {
        self.fact_pieces.get_or_init(|| pieces::read(&self.facts))
    }

    fn prose_pieces(&self) -> &[Piece] {
        self.prose_pieces.get_or_init(|| pieces::read(&self.prose))
    }

    fn any(&self, same: impl Fn(&Value) -> bool) -> bool {
        self.fact_pieces().iter().any(|piece| same(&piece.value))
            || self.prose_pieces().iter().any(|piece| same(&piece.value))
    }

    /// Whether the very words stand somewhere.
    pub(super) fn says(&self, words: &str) -> bool {
        stands_in(&self.facts, words) || stands_in(&self.prose, words)
    }

    /// Whether this identifier occurs, whatever signs stand between its letters.
    pub(super) fn names(&self, piece: &Piece, squashed: &str) -> bool {
        self.says(piece.text.trim_start_matches('#'))
            || self.any(|value| matches!(value, Value::Identifier(known) if known == squashed))
    }

    /// Whether this amount occurs in the same currency.
    pub(super) fn pays(&self, amount: Milli, currency: Option<&str>) -> bool {
        let same = |known: Option<&str>| currency.is_none() || known.is_none() || known == currency;
        self.amounts.iter().any(|(known, of)| *known == amount && same(of.as_deref()))
            || self.any(|value| matches!(value, Value::Money(known, of) if *known == amount && same(*of)))
    }

    /// Whether this number occurs in any formatting.
    pub(super) fn counts(&self, number: Milli) -> bool {
        self.numbers.contains(&number)
            || self.amounts.iter().any(|(known, _)| *known == number)
            || self.any(|value| match value {
                Value::Number(known) | Value::Money(known, _) => *known == number,
                Value::Term(known, _) => known.contains(&number),
                Value::Day(day) => day.year.is_some_and(|year| i64::from(year) * 1000 == number),
                _ => false,
            })
    }

    /// Whether this term occurs: the same numbers with the same unit, or a plain number of a result.
    pub(super) fn lasts(&self, counts: &[Milli], unit: pieces::Unit) -> bool {
        counts.iter().all(|count| {
            self.numbers.contains(count)
                || self.any(
                    |value| matches!(value, Value::Term(known, of) if *of == unit && known.contains(count)),
                )
        })
    }

    /// Whether this day occurs; a weekday said with it must be right.
    pub(super) fn dates(&self, day: Day) -> bool {
        self.any(|value| matches!(value, Value::Day(known) if same_day(day, *known)))
    }

    /// Whether this exact date occurs.
    pub(super) fn has_date(&self, date: Date) -> bool {
        let day = Day {
            year: Some(date.year()),
            month: date.month(),
            of_month: date.day(),
            weekday: None,
            either: false,
        };
        self.dates(day)
    }

    /// Whether this weekday is named, or is that of a date in a result.
    pub(super) fn falls_on(&self, weekday: i8) -> bool {
        self.any(|value| match value {
            Value::Weekday(known) => *known == weekday,
            Value::Day(day) => on_weekday(*day) == Some(weekday),
            _ => false,
        })
    }

    /// Whether this time of day occurs.
    pub(super) fn strikes(&self, minute: i16) -> bool {
        self.any(|value| matches!(value, Value::Time(known) if *known == minute))
    }

    /// Whether these digits are a known phone number, with or without its country.
    pub(super) fn rings(&self, digits: &str) -> bool {
        self.any(|value| {
            matches!(value, Value::Phone(known) if known == digits || (digits.len() >= 7 && known.ends_with(digits)))
        })
    }
}

fn same_day(said: Day, known: Day) -> bool {
    let same = said.month == known.month && said.of_month == known.of_month;
    let turned =
        (said.either || known.either) && said.of_month == known.month && said.month == known.of_month;
    let year = said.year.is_none() || known.year.is_none() || said.year == known.year;
    let weekday = match (said.weekday, on_weekday(known)) {
        (Some(said), Some(known)) => said == known,
        _ => true,
    };
    (same || turned) && year && weekday
}

fn on_weekday(day: Day) -> Option<i8> {
    let date = day.year.and_then(|year| Date::new(year, day.month, day.of_month).ok());
    date.map(weekday_of).or(day.weekday)
}

/// Whether a receipt shows that something was done outside.
pub(super) fn did(receipt: &Receipt) -> bool {
    receipt.effect == Effect::Write && receipt.status == CallStatus::Done
}
