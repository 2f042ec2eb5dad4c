//! Calendar days as people write them.

use std::sync::LazyLock;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use regex::Regex;

use super::{own, read};
use crate::language::{has_phrase, plain};

static ISO: LazyLock<Option<Regex>> = LazyLock::new(|| own(r"\b(\d{4})-(\d{2})-(\d{2})\b"));
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    own(
        r"(?i)\b(?:(\d{1,2})(?:st|nd|rd|th|\.)?\s+(?:of\s+)?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+(\d{1,2})(?:st|nd|rd|th)?)\b(?:,?\s+(\d{4}))?",
    )
});

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// The days a text names, seen from `today`: ISO dates, "3 December", "today", "tomorrow", the next such weekday.
pub fn dates(text: &str, today: Date) -> Vec<Date> {
    let text = read(text);
    let mut found = Vec::new();
    for parts in ISO.iter().flat_map(|form| form.captures_iter(&text)) {
        let number = |at: usize| parts.get(at).and_then(|m| m.as_str().parse::<i16>().ok());
        if let (Some(year), Some(month), Some(day)) = (number(1), number(2), number(3)) {
            found.extend(Date::new(year, month as i8, day as i8).ok());
        }
    }
    for parts in NAMED.iter().flat_map(|form| form.captures_iter(&text)) {
        let day = parts.get(1).or(parts.get(4)).and_then(|m| m.as_str().parse::<i8>().ok());
        let name = parts.get(2).or(parts.get(3)).map(|m| m.as_str().to_lowercase());
        let month = name.and_then(|name| MONTHS.iter().position(|m| *m == name)).map(|at| at as i8 + 1);
        let year = parts.get(5).and_then(|m| m.as_str().parse::<i16>().ok());
        if let (Some(day), Some(month)) = (day, month) {
            found.extend(in_year(today, year, month, day));
        }
    }
    let plain = plain(&text);
    let relative = [("yesterday", -1), ("today", 0), ("tomorrow", 1)];
    for (_, days) in relative.iter().filter(|(word, _)| has_phrase(&plain, word)) {
        found.extend(today.checked_add((*days).days()).ok());
    }
    for (_, weekday) in WEEKDAYS.iter().filter(|(word, _)| has_phrase(&plain, word)) {
        found.extend(today.nth_weekday(1, *weekday).ok());
    }
    found
}

/// A day without a year is the one nearest to today.
fn in_year(today: Date, year: Option<i16>, month: i8, day: i8) -> Option<Date> {
    if let Some(year) = year {
        return Date::new(year, month, day).ok();
    }
    let candidates = [today.year() - 1, today.year(), today.year() + 1];
    let dates = candidates.into_iter().filter_map(|year| Date::new(year, month, day).ok());
    dates.min_by_key(|date| (*date - today).get_days().abs())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_are_read_from_today() {
        let today = date(2026, 11, 24);
        for (text, day) in [
            ("on 2026-12-03", date(2026, 12, 3)),
            ("by 3 December", date(2026, 12, 3)),
            ("Dec 3rd, 2025", date(2025, 12, 3)),
            ("january 2", date(2027, 1, 2)),
            ("tomorrow please", date(2026, 11, 25)),
            ("this friday", date(2026, 11, 27)),
        ] {
            assert_eq!(dates(text, today), [day], "{text}");
        }
        assert!(dates("31 February or HP-10042", today).is_empty());
    }
}
