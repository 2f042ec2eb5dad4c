//! Calendar days as people write them, in the seven languages.

use std::sync::LazyLock;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use regex::{Captures, Regex};

use super::{own, read};
use crate::language::{detect, has_phrase, plain};

/// Names of the months, January first; "may" is looked at again, being a verb as well.
const MONTHS: [&str; 12] = [
    "january|jan|januar|jänner|janvier|enero|gennaio|janeiro|januari",
    "february|feb|februar|février|febrero|febbraio|fevereiro|februari",
    "march|mar|märz|maerz|mars|marzo|março|maart|mrt",
    "april|apr|avril|abril|aprile",
    "may|mai|mayo|maggio|maio|mei",
    "june|jun|juni|juin|junio|giugno|junho",
    "july|jul|juli|juillet|julio|luglio|julho",
    "august|aug|août|agosto|augustus",
    "september|sept|sep|septembre|septiembre|settembre|setembro",
    "october|oct|oktober|okt|octobre|octubre|ottobre|outubro",
    "november|nov|novembre|noviembre|novembro",
    "december|dec|dezember|dez|décembre|diciembre|dicembre|dezembro",
];

const WEEKDAYS: [(Weekday, &[&str]); 7] = [
    (Weekday::Monday, &["monday", "montag", "lundi", "lunes", "lunedì", "segunda feira", "maandag"]),
    (Weekday::Tuesday, &["tuesday", "dienstag", "mardi", "martes", "martedì", "terça feira", "dinsdag"]),
    (
        Weekday::Wednesday,
        &["wednesday", "mittwoch", "mercredi", "miércoles", "mercoledì", "quarta feira", "woensdag"],
    ),
    (
        Weekday::Thursday,
        &["thursday", "donnerstag", "jeudi", "jueves", "giovedì", "quinta feira", "donderdag"],
    ),
    (Weekday::Friday, &["friday", "freitag", "vendredi", "viernes", "venerdì", "sexta feira", "vrijdag"]),
    (Weekday::Saturday, &["saturday", "samstag", "sonnabend", "samedi", "sábado", "sabato", "zaterdag"]),
    (Weekday::Sunday, &["sunday", "sonntag", "dimanche", "domingo", "domenica", "zondag"]),
];

/// Words for days near today. Longer phrases come first: what they cover is not read again.
const NEAR: [(i32, &str); 9] = [
    (
        2,
        "the day after tomorrow|day after tomorrow|übermorgen|après demain|pasado mañana|dopodomani|depois de amanhã|overmorgen",
    ),
    (
        -2,
        "the day before yesterday|day before yesterday|vorgestern|avant hier|anteayer|laltro ieri|anteontem|eergisteren",
    ),
    // "Guten Morgen" and "por la mañana" are mornings.
    (
        NO_DAY,
        "guten morgen|am morgen|diesen morgen|jeden morgen|goede morgen|la mañana|una mañana|cada mañana|de mañana",
    ),
    (0, "heute morgen|esta mañana|this morning|ce matin|stamattina|esta manhã|vanmorgen|vanochtend"),
    (-1, "gestern morgen|gisteren morgen|ayer por la mañana"),
    (1, "tomorrow|tmrw|tomorow|tommorow|morgen|demain|mañana|domani|amanhã"),
    (-1, "yesterday|gestern|ayer|ieri|ontem|gisteren"),
    (0, "today|heute|aujourdhui|hoy|oggi|hoje|vandaag"),
    (0, "tonight|heute abend|ce soir|esta noche|stasera|vanavond"),
];

/// Marks phrases that name no day.
const NO_DAY: i32 = i32::MAX;

static ISO: LazyLock<Option<Regex>> = LazyLock::new(|| own(r"\b(\d{4})-(\d{2})-(\d{2})\b"));
/// `3.12.2026`, `3/12/2026`, `12/24/2026`, `3-12-2026`: the second separator is compared with the first in code.
static NUMBERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    own(r"(?:^|[\s(,:])(\d{1,2})([./-])(\d{1,2})([./-])(\d{4}|\d{2})(?:$|[\s),;:!?]|\.(?:\s|$))")
});
/// `am 3.12.`: without a year only after a word that makes it a day.
static DOTTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    own(r"(?i)\b(?:am|zum|bis|vom|ab|den|der|seit)\s+(?:zum\s+)?(\d{1,2})\.\s?(\d{1,2})\.(?:$|[\s),;:!?])")
});
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let months = MONTHS.join("|");
    own(&format!(
        r"(?i)\b(?:(\d{{1,2}})(?:st|nd|rd|th|er|º|\.)?\s+(?:of\s+|de\s+)?({months})|({months})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?)\b\.?(?:,?\s+(?:de\s+)?(\d{{4}})\b)?"
    ))
});
/// `in 3 days`, `vor zwei Wochen`, `3 giorni fa`: words before, a count, a unit, words behind.
static COUNTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    own(
        r"\b(?:(in|within|dans|il y a|en|dentro de|hace|tra|fra|em|daqui a|há|vor|over)\s+)?(\d{1,3}|an?|one|two|three|four|five|six|seven|ten|ein|einem|einer|zwei|drei|vier|fünf|une?|deux|trois|quatre|cinq|una?|dos|tres|cuatro|cinco|due|tre|quattro|cinque|uma?|dois|duas|três|quatro|een|twee|drie|vijf)\s+(days?|tag|tage|tagen|jours?|días?|giorn[oi]|dias?|dag|dagen|weeks?|woche|wochen|semaines?|semanas?|settiman[ae]|week|weken)(?:\s+(ago|fa|geleden|atrás))?\b",
    )
});

/// The days a text names, seen from `today`: `2026-12-03`, `3.12.2026`, "3 December", "tomorrow", "in 3 days", the next
/// such weekday. Month and day with slashes are read when only one order makes a day of them.
pub fn dates(text: &str, today: Date) -> Vec<Date> {
    let text = read(text);
    let plain = plain(&text);
    let mut found = Vec::new();
    for parts in ISO.iter().flat_map(|form| form.captures_iter(&text)) {
        let (year, month, day) = (number(&parts, 1), number(&parts, 2), number(&parts, 3));
        found.extend(day_of(today, year, month, day));
    }
    for parts in NUMBERS.iter().flat_map(|form| form.captures_iter(&text)) {
        found.extend(written(&parts, today));
    }
    for parts in DOTTED.iter().flat_map(|form| form.captures_iter(&text)) {
        found.extend(day_of(today, None, number(&parts, 2), number(&parts, 1)));
    }
    for parts in NAMED.iter().flat_map(|form| form.captures_iter(&text)) {
        found.extend(named(&parts, &text, today));
    }
    for parts in COUNTED.iter().flat_map(|form| form.captures_iter(&plain)) {
        found.extend(counted(&parts, today));
    }
    found.extend(near(&plain, &text, today));
    for (weekday, _) in WEEKDAYS.iter().filter(|(_, names)| names.iter().any(|name| has_phrase(&plain, name)))
    {
        found.extend(today.nth_weekday(1, *weekday).ok());
    }
    let mut seen = Vec::new();
    found.retain(|date| {
        !seen.contains(date) && {
            seen.push(*date);
            true
        }
    });
    found
}

fn number(parts: &Captures<'_>, at: usize) -> Option<i16> {
    parts.get(at).and_then(|found| found.as_str().parse().ok())
}

/// Day and month in the order their separator tells: dots put the day first, slashes and dashes tell nothing unless one
/// of the numbers is no month.
fn written(parts: &Captures<'_>, today: Date) -> Option<Date> {
    let separator = parts.get(2)?.as_str();
    if parts.get(4)?.as_str() != separator {
        return None;
    }
    let (one, two) = (number(parts, 1)?, number(parts, 3)?);
    let year = number(parts, 5).map(|year| if year < 100 { year + 2000 } else { year });
    let (day, month) = match (separator, one > 12, two > 12) {
        (".", ..) | (_, true, false) => (one, two),
        (_, false, true) => (two, one),
        _ if one == two => (one, two),
        _ => return None,
    };
    day_of(today, year, Some(month), Some(day))
}

fn named(parts: &Captures<'_>, text: &str, today: Date) -> Option<Date> {
    let day = number(parts, 1).or_else(|| number(parts, 4));
    let name = parts.get(2).or(parts.get(3))?;
    let lower = name.as_str().to_lowercase();
    let month = MONTHS.iter().position(|names| names.split('|').any(|known| known == lower))?;
    // "HP-10042 3 may be late" names no day.
    let behind =
        text.get(name.end()..).unwrap_or_default().trim_start().split(' ').next().unwrap_or_default();
    let verb =
        ["be", "not", "have", "need", "take", "also", "come", "arrive", "get", "still"].contains(&behind);
    if lower == "may" && verb && parts.get(2).is_some() {
        return None;
    }
    day_of(today, number(parts, 5), i16::try_from(month + 1).ok(), day)
}

/// Days from today, forward or back by the words around the count; a count alone ("3 days late") is no day.
fn counted(parts: &Captures<'_>, today: Date) -> Option<Date> {
    let before = parts.get(1).map(|found| found.as_str());
    let sign = match (before, parts.get(4)) {
        (_, Some(_)) | (Some("il y a" | "hace" | "há" | "vor"), None) => -1,
        (Some(_), None) => 1,
        (None, None) => return None,
    };
    let count = parts.get(2)?.as_str();
    let count = count.parse::<i32>().ok().or_else(|| spelt(count))?;
    let unit = parts.get(3)?.as_str();
    let week = ["week", "woche", "sem", "settiman", "weken"].iter().any(|start| unit.starts_with(start));
    today.checked_add((sign * count * if week { 7 } else { 1 }).days()).ok()
}

fn spelt(word: &str) -> Option<i32> {
    let count = match word {
        "a" | "an" | "one" | "ein" | "einem" | "einer" | "un" | "une" | "una" | "um" | "uma" | "een" => 1,
        "two" | "zwei" | "deux" | "dos" | "due" | "dois" | "duas" | "twee" => 2,
        "three" | "drei" | "trois" | "tres" | "tre" | "três" | "drie" => 3,
        "four" | "vier" | "quatre" | "cuatro" | "quattro" | "quatro" => 4,
        "five" | "fünf" | "cinq" | "cinco" | "cinque" | "vijf" => 5,
        "six" => 6,
        "seven" => 7,
        "ten" => 10,
        _ => return None,
    };
    Some(count)
}

fn near(plain: &str, text: &str, today: Date) -> Vec<Date> {
    let mut rest = format!(" {plain} ");
    let mut found = Vec::new();
    for (days, phrases) in NEAR {
        for phrase in phrases.split('|') {
            let padded = format!(" {phrase} ");
            if rest.contains(&padded) {
                rest = rest.replace(&padded, " . ");
                found.extend((days != NO_DAY).then(|| today.checked_add(days.days()).ok()).flatten());
            }
        }
    }
    // The French yesterday is the German here.
    if rest.contains(" hier ") && detect::language(text).as_deref() == Some("fr") {
        found.extend(today.yesterday().ok());
    }
    found
}

/// A day without a year is the one nearest to today.
fn day_of(today: Date, year: Option<i16>, month: Option<i16>, day: Option<i16>) -> Option<Date> {
    let (month, day) = (i8::try_from(month?).ok()?, i8::try_from(day?).ok()?);
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
    fn every_pattern_compiles() {
        assert!(
            ISO.is_some() && NUMBERS.is_some() && DOTTED.is_some() && NAMED.is_some() && COUNTED.is_some()
        );
    }

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
            ("3.12.2026", date(2026, 12, 3)),
            ("bis zum 3.12.", date(2026, 12, 3)),
            ("am 03.12.26 bitte", date(2026, 12, 3)),
            ("12/24/2026", date(2026, 12, 24)),
            ("24/12/2026", date(2026, 12, 24)),
            ("5/5/2027", date(2027, 5, 5)),
            ("24-12-2026", date(2026, 12, 24)),
            ("in 3 days", date(2026, 11, 27)),
            ("in two weeks", date(2026, 12, 8)),
            ("i ordered it 3 days ago", date(2026, 11, 21)),
            ("a week ago", date(2026, 11, 17)),
            ("in 3 Tagen", date(2026, 11, 27)),
            ("vor einer Woche", date(2026, 11, 17)),
            ("dans 3 jours", date(2026, 11, 27)),
            ("il y a deux jours", date(2026, 11, 22)),
            ("hace 3 días", date(2026, 11, 21)),
            ("3 giorni fa", date(2026, 11, 21)),
            ("há 3 dias", date(2026, 11, 21)),
            ("3 dagen geleden", date(2026, 11, 21)),
            ("morgen", date(2026, 11, 25)),
            ("ich brauche es morgen", date(2026, 11, 25)),
            ("demain", date(2026, 11, 25)),
            ("mañana", date(2026, 11, 25)),
            ("domani", date(2026, 11, 25)),
            ("amanhã", date(2026, 11, 25)),
            ("pasado mañana", date(2026, 11, 26)),
            ("übermorgen", date(2026, 11, 26)),
            ("the day after tomorrow", date(2026, 11, 26)),
            ("je l'ai commandé hier", date(2026, 11, 23)),
            ("aujourd'hui", date(2026, 11, 24)),
            ("am 3. Dezember", date(2026, 12, 3)),
            ("le 3 décembre", date(2026, 12, 3)),
            ("el 3 de diciembre de 2026", date(2026, 12, 3)),
            ("3 dicembre", date(2026, 12, 3)),
            ("3 de dezembro", date(2026, 12, 3)),
            ("May 3, 2026", date(2026, 5, 3)),
            ("am Freitag", date(2026, 11, 27)),
            ("na sexta-feira", date(2026, 11, 27)),
            ("venerdì", date(2026, 11, 27)),
        ] {
            assert_eq!(dates(text, today), [day], "{text}");
        }
    }

    #[test]
    fn what_names_no_day_is_none() {
        let today = date(2026, 11, 24);
        for text in [
            "31 February or HP-10042",
            "maybe 3",
            "market 3",
            "decide 3",
            "order 3 may be late",
            "3 days late",
            "it costs 3.12.",
            "v1.2.2026",
            "1.2.3",
            "3/4/2026",
            "13/13/2026",
            "Guten Morgen",
            "goedemorgen",
            "por la mañana",
            "ist jemand hier",
            "i need 2 of 3",
            "2 dag tas",
            "a segunda",
        ] {
            assert!(dates(text, today).is_empty(), "{text}: {:?}", dates(text, today));
        }
    }
}
