//! Reads days and times of day as people write them, in the languages we answer in.

use jiff::civil::Date;

use super::pieces::Day;

fn numbers(text: &str) -> Vec<i32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

pub(super) fn day(text: &str) -> Option<Day> {
    let named = text.split(|c: char| !c.is_ascii_alphabetic()).find_map(month);
    let all = numbers(text);
    let (year, month, day, either) = match (named, all.as_slice()) {
        (Some(month), [day]) => (None, month, *day, false),
        (Some(month), [day, year, ..]) => (Some(*year), month, *day, false),
        (None, [year, month, day, ..]) if *year > 999 => (Some(*year), *month, *day, false),
        (None, [a, b, rest @ ..]) => {
            let year = rest.first().map(|y| if *y < 100 { y + 2000 } else { *y });
            let dotted = text.contains('.');
            // `24.11.` is day first everywhere; `11/24` and `24/11` are read the way that makes a date.
            if *b > 12 { (year, *a, *b, false) } else { (year, *b, *a, !dotted && *a <= 12) }
        }
        _ => return None,
    };
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
    valid.then(|| Day {
        year: year.and_then(|y| i16::try_from(y).ok()),
        month: i8::try_from(month).unwrap_or(1),
        of_month: i8::try_from(day).unwrap_or(1),
        weekday: text.split(|c: char| !c.is_ascii_alphabetic() && c != '-').find_map(weekday),
        either,
    })
}

fn month(word: &str) -> Option<i32> {
    // `juin` and `juni` before `juil` and `july`: three letters do not tell them apart.
    const STARTS: [(&str, i32); 30] = [
        ("jan", 1),
        ("ene", 1),
        ("gen", 1),
        ("feb", 2),
        ("fev", 2),
        ("mar", 3),
        ("maa", 3),
        ("apr", 4),
        ("avr", 4),
        ("abr", 4),
        ("may", 5),
        ("mai", 5),
        ("mei", 5),
        ("mag", 5),
        ("jun", 6),
        ("juin", 6),
        ("giu", 6),
        ("jul", 7),
        ("juil", 7),
        ("lug", 7),
        ("aug", 8),
        ("aou", 8),
        ("ago", 8),
        ("sep", 9),
        ("set", 9),
        ("oct", 10),
        ("okt", 10),
        ("out", 10),
        ("ott", 10),
        ("nov", 11),
    ];
    let more = [("dec", 12), ("dez", 12), ("dic", 12)];
    if weekday(word).is_some() || word.len() < 3 {
        return None;
    }
    STARTS.iter().chain(&more).find(|(start, _)| word.starts_with(start)).map(|(_, month)| *month)
}

/// Monday is 0.
pub(super) fn weekday(word: &str) -> Option<i8> {
    const STARTS: [(&str, i8); 49] = [
        ("monday", 0),
        ("tuesday", 1),
        ("wednesday", 2),
        ("thursday", 3),
        ("friday", 4),
        ("saturday", 5),
        ("sunday", 6),
        ("montag", 0),
        ("dienstag", 1),
        ("mittwoch", 2),
        ("donnerstag", 3),
        ("freitag", 4),
        ("samstag", 5),
        ("sonntag", 6),
        ("lundi", 0),
        ("mardi", 1),
        ("mercredi", 2),
        ("jeudi", 3),
        ("vendredi", 4),
        ("samedi", 5),
        ("dimanche", 6),
        ("lunes", 0),
        ("martes", 1),
        ("miercoles", 2),
        ("jueves", 3),
        ("viernes", 4),
        ("sabado", 5),
        ("domingo", 6),
        ("lunedi", 0),
        ("martedi", 1),
        ("mercoledi", 2),
        ("giovedi", 3),
        ("venerdi", 4),
        ("sabato", 5),
        ("domenica", 6),
        ("segunda-feira", 0),
        ("terca-feira", 1),
        ("quarta-feira", 2),
        ("quinta-feira", 3),
        ("sexta-feira", 4),
        ("maandag", 0),
        ("dinsdag", 1),
        ("woensdag", 2),
        ("donderdag", 3),
        ("vrijdag", 4),
        ("zaterdag", 5),
        ("zondag", 6),
        ("thurs", 3),
        ("tues", 1),
    ];
    STARTS.iter().find(|(start, _)| word.starts_with(start)).map(|(_, day)| *day)
}

pub(super) fn relative(word: &str) -> i8 {
    match word {
        "today" | "tonight" | "heute" | "aujourd'hui" | "hoy" | "oggi" | "hoje" | "vandaag" => 0,
        "yesterday" | "gestern" | "ayer" | "ieri" | "ontem" | "gisteren" => -1,
        "tomorrow" | "demain" | "domani" | "amanha" | "morgen" => 1,
        _ => 2,
    }
}

pub(super) fn time(text: &str) -> Option<i16> {
    let parts = numbers(text);
    let hour = *parts.first()?;
    let minute = parts.get(1).copied().unwrap_or(0);
    let hour =
        match (text.contains("pm") || text.contains("p.m"), text.contains("am") || text.contains("a.m")) {
            (true, _) if hour < 12 => hour + 12,
            (_, true) if hour == 12 => 0,
            _ => hour,
        };
    (hour <= 24 && minute < 60).then(|| i16::try_from(hour * 60 + minute).unwrap_or(0))
}

/// The day of the week of a date.
pub(super) fn weekday_of(date: Date) -> i8 {
    date.weekday().to_monday_zero_offset()
}
