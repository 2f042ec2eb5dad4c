//! Rules on numbers: identifiers, amounts, dates and terms must occur in the grounds.

use super::calendar::weekday_of;
use super::grounds::Sight;
use super::pieces::{Piece, Value};
use super::violation;
use crate::domain::decision::{Severity, Violation};

/// Order, return, refund, claim and tracking numbers are known ones.
pub(super) fn identifiers(sight: &Sight<'_>) -> Option<Violation> {
    let unknown = |piece: &&Piece| match &piece.value {
        Value::Identifier(squashed) => !sight.grounds().names(piece, squashed),
        _ => false,
    };
    report("identifiers", sight.pieces().iter().find(unknown))
}

/// Amounts, and numbers that could be amounts, are known ones, in their currency.
pub(super) fn amounts(sight: &Sight<'_>) -> Option<Violation> {
    let this_year = i64::from(sight.context.today.year()) * 1000;
    let unknown = |piece: &&Piece| match &piece.value {
        Value::Money(amount, currency) => !sight.grounds().pays(*amount, *currency),
        Value::Number(number) => {
            *number != this_year && !sight.grounds().says(&piece.text) && !sight.grounds().counts(*number)
        }
        _ => false,
    };
    report("amounts", sight.pieces().iter().find(unknown))
}

/// Days and times are known ones; `tomorrow` is the day after today and must be known too.
pub(super) fn dates(sight: &Sight<'_>) -> Option<Violation> {
    let unknown = |piece: &&Piece| match &piece.value {
        Value::Day(day) => !sight.grounds().dates(*day),
        Value::Weekday(weekday) => !sight.grounds().says(&piece.text) && !sight.grounds().falls_on(*weekday),
        Value::Relative(days) => !relative(sight, piece, *days),
        Value::Time(minute) => !sight.grounds().strikes(*minute),
        _ => false,
    };
    report("dates", sight.pieces().iter().find(unknown))
}

fn relative(sight: &Sight<'_>, piece: &Piece, days: i8) -> bool {
    let grounds = sight.grounds();
    let Ok(date) = sight.context.today.checked_add(jiff::Span::new().days(days)) else { return false };
    grounds.says(&piece.text) || grounds.has_date(date) || grounds.falls_on(weekday_of(date))
}

/// Terms such as `5 days` and `10 %` are those of a passage, a result or our settings.
pub(super) fn terms(sight: &Sight<'_>) -> Option<Violation> {
    let unknown = |piece: &&Piece| match &piece.value {
        Value::Term(counts, unit) => {
            !sight.grounds().says(&piece.text) && !sight.grounds().lasts(counts, *unit)
        }
        _ => false,
    };
    report("terms", sight.pieces().iter().find(unknown))
}

fn report(rule: &'static str, piece: Option<&Piece>) -> Option<Violation> {
    piece.map(|piece| violation(rule, &piece.text, Severity::Revise))
}
