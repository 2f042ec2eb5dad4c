//! Takes the checkable pieces out of a folded text: dates, times, money, terms, phones, identifiers, numbers.

use std::sync::LazyLock;

use super::calendar::{day, relative, time, weekday};
use super::patterns::{Pattern, compile, places};

/// Thousandths: the finest minor unit there is.
pub(super) type Milli = i64;

/// A day as far as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) year: Option<i16>,
    pub(super) month: i8,
    pub(super) of_month: i8,
    /// Monday is 0.
    pub(super) weekday: Option<i8>,
    /// `03/04` may be read both ways.
    pub(super) either: bool,
}

/// What a term is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Percent,
}

/// One checkable thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Day(Day),
    Weekday(i8),
    /// Days from today.
    Relative(i8),
    /// Minutes from midnight.
    Time(i16),
    Money(Milli, Option<&'static str>),
    Term(Vec<Milli>, Unit),
    Phone(String),
    Identifier(String),
    Number(Milli),
}

/// One checkable thing and the words that say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) value: Value,
    pub(super) text: String,
}

macro_rules! months {
    () => {
        r"(?:january|januar|janvier|januari|janeiro|enero|gennaio|jan|february|februar|fevrier|februari|fevereiro|febrero|febbraio|feb|march|marz|mars|maart|marzo|marco|mar|april|avril|abril|aprile|apr|may|mai|mei|mayo|maio|maggio|june|juni|juin|junio|junho|giugno|jun|july|juli|juillet|julio|julho|luglio|jul|august|aout|augustus|agosto|aug|september|septembre|septiembre|setembro|settembre|sept|sep|october|oktober|octobre|octubre|outubro|ottobre|oct|okt|november|novembre|noviembre|novembro|nov|december|dezember|decembre|diciembre|dezembro|dicembre|dec|dez)\b\.?"
    };
}

macro_rules! weekdays {
    () => {
        r"(?:mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|montags?|dienstags?|mittwochs?|donnerstags?|freitags?|samstags?|sonntags?|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miercoles|jueves|viernes|sabado|domingo|lunedi|martedi|mercoledi|giovedi|venerdi|sabato|domenica|(?:segunda|terca|quarta|quinta|sexta)-feira|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag)\b"
    };
}

macro_rules! spelled {
    () => {
        r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen|fifteen|twenty|thirty|forty-five|sixty|ninety|zwei|drei|vier|funf|sechs|sieben|acht|neun|zehn|vierzehn|dreissig|deux|trois|quatre|cinq|sept|huit|dix|quinze|trente)"
    };
}

static MASKED: Pattern = LazyLock::new(|| compile(r"\S*(?:://|www\.)\S*|\S+@\S+"));
static DAY: Pattern = LazyLock::new(|| {
    compile(concat!(
        r"\b\d{4}-\d{2}-\d{2}(?:t[\d:.]+(?:z|[+-]\d{2}:?\d{2})?)?\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b\d{1,2}\.\s?\d{1,2}\.(?:\s|$)|\b\d{1,2}/\d{1,2}\b|\b\d{4}/\d{1,2}/\d{1,2}\b|\b\d{1,2}-\d{1,2}-\d{4}\b",
        r"|\b(?:",
        weekdays!(),
        r",?\s+(?:the\s+|den\s+|le\s+|el\s+|il\s+)?)?\d{1,2}(?:st|nd|rd|th|er|\.|o)?\s*(?:of\s+|de\s+|di\s+)?",
        months!(),
        r"(?:,?\s+(?:de\s+)?\d{4}\b)?",
        r"|\b(?:",
        weekdays!(),
        r",?\s+)?",
        months!(),
        r"\s+(?:the\s+)?\d{1,2}(?:st|nd|rd|th)?\b(?:,?\s+\d{4}\b)?",
    ))
});
static WEEKDAY: Pattern = LazyLock::new(|| compile(concat!(r"\b", weekdays!())));
static RELATIVE: Pattern = LazyLock::new(|| {
    compile(
        r"\b(?:day after tomorrow|ubermorgen|apres-demain|pasado manana|dopodomani|depois de amanha|overmorgen|today|tonight|tomorrow|yesterday|heute|gestern|aujourd'hui|demain|hoy|ayer|oggi|domani|ieri|hoje|amanha|ontem|vandaag|morgen|gisteren)\b",
    )
});
static TIME: Pattern = LazyLock::new(|| {
    compile(
        r"\b\d{1,2}[:h]\d{2}(?::\d{2})?(?:\s?(?:am|pm|a\.m\.|p\.m\.|uhr)\b)?|\b\d{1,2}(?:\.\d{2})?\s?(?:am|pm|a\.m|p\.m|uhr|o'clock)\b",
    )
});
static MONEY: Pattern = LazyLock::new(|| {
    compile(
        r"(?:us\$|[$€£¥]|\b(?:usd|eur|gbp|chf|cad|aud|jpy|sek|nok|dkk|pln)\b)\s?-?\d(?:[\d.,']|\s\d{3}\b)*|\b\d(?:[\d.,']|\s\d{3}\b)*\s?(?:[$€£¥]|(?:usd|eur|gbp|chf|cad|aud|jpy|sek|nok|dkk|pln|dollars?|bucks|euros?|pounds?|cents?|dolares|dollari|libras)\b)",
    )
});
static TERM: Pattern = LazyLock::new(|| {
    compile(concat!(
        r"\b(?:\d+(?:[.,]\d+)?|",
        spelled!(),
        r")(?:\s?(?:-|to|and|or|bis|und|oder|a|ou|et|y|o|e|tot|en|of)\s?(?:\d+(?:[.,]\d+)?|",
        spelled!(),
        r"))?",
        r"(?:\s?%|[\s-]?(?:(?:more|full|working|business|calendar|week|werk|arbeits)[\s-]?)?",
        r"(?:percent|prozent|pour cent|por ciento|per cento|por cento|procent|minutes?|mins?|minuten|minutos|minuti|minuten|hours?|hrs?|stunden?|heures?|horas?|ore|uur|uren|days?|tagen?|tage|jours?|dias?|giorni|giorno|dagen|dag|weeks?|wochen?|semaines?|semanas?|settimane|settimana|weken|months?|monaten?|monate|mois|mes|meses|mesi|mese|maanden?|years?|jahren?|jahre|ans?|annees?|anos?|anni|anno|jaar)\b)",
    ))
});
static PHONE: Pattern = LazyLock::new(|| {
    compile(
        r"(?:\+|\b00|\()\s?\d[\d\s().\-/]{5,}\d|\b\d{2,5}(?:[\s.\-/]\d{2,5}){2,}\b|\b\d{3,5}[\s\-/]\d{4,}\b",
    )
});
static SPELT: Pattern = LazyLock::new(|| compile(r"\b[a-z0-9](?:[ ,.\-]{1,2}[a-z0-9]\b){4,}"));
static TOKEN: Pattern = LazyLock::new(|| compile(r"#?[a-z0-9]+(?:[-_/#.,'][a-z0-9]+)*"));

/// The checkable pieces of a folded text.
pub(super) fn read(folded: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = folded.to_owned();
    blank(&mut text);
    take(&mut text, &RELATIVE, |t| Some(Value::Relative(relative(t))), &mut pieces);
    if text.bytes().any(|b| b.is_ascii_digit()) {
        take_dates(&mut text, &mut pieces);
        take(&mut text, &TIME, |t| time(t).map(Value::Time), &mut pieces);
        take(&mut text, &MONEY, money, &mut pieces);
        take(&mut text, &TERM, term, &mut pieces);
        take(&mut text, &SPELT, spelt, &mut pieces);
        take(&mut text, &PHONE, phone, &mut pieces);
        take(&mut text, &TOKEN, token, &mut pieces);
    } else {
        take(&mut text, &TERM, term, &mut pieces);
    }
    take(&mut text, &WEEKDAY, |t| weekday(t).map(Value::Weekday), &mut pieces);
    pieces
}

/// Reads every match and blanks it, so that no later pattern sees it.
fn take(text: &mut String, pattern: &Pattern, value: fn(&str) -> Option<Value>, pieces: &mut Vec<Piece>) {
    let found = places(pattern, text);
    if found.is_empty() {
        return;
    }
    let mut rest = String::with_capacity(text.len());
    let mut from = 0;
    for (start, end) in found {
        let Some(matched) = text.get(start..end) else { continue };
        let Some(value) = value(matched) else { continue };
        rest.extend(text.get(from..start));
        rest.push('\u{1}');
        from = end;
        pieces.push(Piece { value, text: matched.trim().to_owned() });
    }
    rest.extend(text.get(from..));
    *text = rest;
}

/// Links and addresses have rules of their own.
fn blank(text: &mut String) {
    for (start, end) in places(&MASKED, text).into_iter().rev() {
        text.replace_range(start..end, "\u{1}");
    }
}

/// A date with a time of day says both.
fn take_dates(text: &mut String, pieces: &mut Vec<Piece>) {
    let before = pieces.len();
    take(text, &DAY, |t| day(t).map(Value::Day), pieces);
    let times: Vec<Piece> = pieces
        .iter()
        .skip(before)
        .filter_map(|piece| {
            let clock = piece.text.get(10..)?.strip_prefix('t')?.get(..5)?;
            Some(Piece { value: Value::Time(time(clock)?), text: clock.to_owned() })
        })
        .collect();
    pieces.extend(times);
}

/// A number in any formatting, in thousandths: `1,234.56`, `1.234,56`, `1 234,56`, `129,05`.
pub(super) fn milli(text: &str) -> Option<Milli> {
    let kept: String = text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ',')).collect();
    let kept = kept.trim_matches(['.', ',']);
    let last = kept.rfind(['.', ',']);
    let marks = kept.matches(['.', ',']).count();
    let (whole, part) = match last {
        None => (kept, ""),
        Some(at) => {
            let (head, tail) = (kept.get(..at)?, kept.get(at + 1..)?);
            let other = kept.contains('.') && kept.contains(',');
            let thousands = tail.len() == 3 && !other && (marks > 1 || (head.len() <= 3 && head != "0"));
            if thousands || (marks > 1 && !other) { (kept, "") } else { (head, tail) }
        }
    };
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    let mut thousandths: String = part.chars().take(3).collect();
    while thousandths.len() < 3 {
        thousandths.push('0');
    }
    let whole: Milli = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    whole.checked_mul(1000)?.checked_add(thousandths.parse().ok()?)
}

fn money(text: &str) -> Option<Value> {
    let currency = [
        ("€", "EUR"),
        ("eur", "EUR"),
        ("£", "GBP"),
        ("gbp", "GBP"),
        ("pound", "GBP"),
        ("libra", "GBP"),
        ("¥", "JPY"),
        ("jpy", "JPY"),
        ("chf", "CHF"),
        ("cad", "CAD"),
        ("aud", "AUD"),
        ("sek", "SEK"),
        ("nok", "NOK"),
        ("dkk", "DKK"),
        ("pln", "PLN"),
        ("$", "USD"),
        ("usd", "USD"),
        ("doll", "USD"),
        ("dolares", "USD"),
        ("bucks", "USD"),
    ]
    .iter()
    .find(|(sign, _)| text.contains(sign))
    .map(|(_, code)| *code);
    let amount = milli(text)?;
    Some(Value::Money(if text.contains("cent") { amount / 100 } else { amount }, currency))
}

fn term(text: &str) -> Option<Value> {
    let unit = [
        ("minut", Unit::Minute),
        ("min", Unit::Minute),
        ("percent", Unit::Percent),
        ("prozent", Unit::Percent),
        ("%", Unit::Percent),
        ("cent", Unit::Percent),
        ("ciento", Unit::Percent),
        ("cento", Unit::Percent),
        ("week", Unit::Week),
        ("woche", Unit::Week),
        ("seman", Unit::Week),
        ("semain", Unit::Week),
        ("settiman", Unit::Week),
        ("weken", Unit::Week),
        ("month", Unit::Month),
        ("monat", Unit::Month),
        ("mois", Unit::Month),
        ("mes", Unit::Month),
        ("maand", Unit::Month),
        ("year", Unit::Year),
        ("jahr", Unit::Year),
        ("jaar", Unit::Year),
        ("day", Unit::Day),
        ("tag", Unit::Day),
        ("jour", Unit::Day),
        ("dia", Unit::Day),
        ("giorn", Unit::Day),
        ("dag", Unit::Day),
        ("hour", Unit::Hour),
        ("hr", Unit::Hour),
        ("stunde", Unit::Hour),
        ("heure", Unit::Hour),
        ("hora", Unit::Hour),
        ("uur", Unit::Hour),
        ("uren", Unit::Hour),
        (" ore", Unit::Hour),
        ("an", Unit::Year),
    ];
    // `2 working weeks` would read as weeks, and so it should; `3 weekdays` are days.
    let text = text.replace("weekday", "day").replace("week day", "day").replace("werkdag", "dag");
    let unit = unit.iter().find(|(start, _)| text.contains(start)).map(|(_, unit)| *unit)?;
    let counts: Vec<Milli> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | ','))
        .filter_map(|word| {
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                milli(&digits_of(word))
            } else {
                spelled(word)
            }
        })
        .collect();
    (!counts.is_empty()).then_some(Value::Term(counts, unit))
}

fn digits_of(word: &str) -> String {
    word.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ',')).collect()
}

fn spelled(word: &str) -> Option<Milli> {
    let count = match word {
        "one" => 1,
        "two" | "zwei" | "deux" => 2,
        "three" | "drei" | "trois" => 3,
        "four" | "vier" | "quatre" => 4,
        "five" | "funf" | "cinq" => 5,
        "six" | "sechs" => 6,
        "seven" | "sieben" | "sept" => 7,
        "eight" | "acht" | "huit" => 8,
        "nine" | "neun" => 9,
        "ten" | "zehn" | "dix" => 10,
        "eleven" => 11,
        "twelve" => 12,
        "fourteen" | "vierzehn" => 14,
        "fifteen" | "quinze" => 15,
        "twenty" => 20,
        "thirty" | "dreissig" | "trente" => 30,
        "forty" => 45,
        "sixty" => 60,
        "ninety" => 90,
        _ => return None,
    };
    Some(count * 1000)
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn spelt(text: &str) -> Option<Value> {
    let joined: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    (digits(&joined).len() >= 3).then_some(Value::Identifier(joined))
}

fn phone(text: &str) -> Option<Value> {
    let digits = digits(text);
    (7..=15).contains(&digits.len()).then_some(Value::Phone(digits))
}

/// An identifier when it mixes letters with digits or has five digits; measures like `45l` and `3-season` are not.
fn token(text: &str) -> Option<Value> {
    let squashed: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let count = squashed.bytes().filter(u8::is_ascii_digit).count();
    if count == 0 {
        return None;
    }
    if count == squashed.len() {
        let grouped = text.contains(['.', ',', '\'']);
        if count >= 5 && !grouped {
            return Some(Value::Identifier(squashed));
        }
        return milli(text).filter(|n| *n >= 100_000 || n % 1000 != 0).map(Value::Number);
    }
    let leading = squashed.bytes().take_while(u8::is_ascii_digit).count();
    let measure = leading == count && count <= 3;
    let coded = count >= 3 || squashed.len() >= 6;
    (!measure && coded).then_some(Value::Identifier(squashed))
}

/// Every pattern of this file.
#[cfg(test)]
pub(super) fn patterns() -> Vec<&'static Pattern> {
    vec![&MASKED, &DAY, &WEEKDAY, &RELATIVE, &TIME, &MONEY, &TERM, &PHONE, &SPELT, &TOKEN]
}
