//! What may leave: a list of rules that every draft passes, whoever wrote it.
//!
//! A rule sees the draft and its grounds: receipts of this case, passages found this turn, our own
//! settings, and, only for questions and for details awaiting a yes, the customer's own words. What a
//! draft names must be found there; `text` folds both sides first, so that spelling tricks do not help.

use crate::desk::Settled;
use crate::domain::decision::{Draft, Severity, Verdict, Violation};
use crate::domain::receipt::Receipt;

mod calendar;
mod claims;
mod figures;
mod grounds;
mod links;
mod patterns;
mod pieces;
mod shape;
#[cfg(test)]
mod tests;
mod text;

use grounds::Sight;

/// What a draft may rest on.
#[derive(Debug, Clone, Copy)]
pub struct GuardContext<'a> {
    /// What the tools answered in this case.
    pub receipts: &'a [&'a Receipt],
    /// Passages found in this turn.
    pub passages: &'a [&'a str],
    /// The fixed words of the procedures at work, which the operator wrote. They ground terms and figures, never a
    /// claim that something was done.
    pub procedures: &'a [String],
    /// What we say about ourselves.
    pub settled: &'a Settled,
    /// What the customer wrote in this case.
    pub customer_words: &'a [&'a str],
    /// The draft is a question, or lists details that await a yes.
    pub asks: bool,
    /// The calendar day of the business.
    pub today: jiff::civil::Date,
    /// Longest reply.
    pub reply_chars_max: usize,
}

/// One rule: what it found, if anything. A `Sight` is the draft and its context, folded and read once.
pub type Rule = fn(&Sight<'_>) -> Option<Violation>;

/// Every rule, in the order they are tried.
pub const RULES: &[(&str, Rule)] = &[
    ("empty", shape::empty),
    ("length", shape::length),
    ("disguise", shape::disguise),
    ("internals", shape::internals),
    ("secrets", shape::secrets),
    ("links", links::links),
    ("contacts", links::contacts),
    ("identifiers", figures::identifiers),
    ("amounts", figures::amounts),
    ("dates", figures::dates),
    ("terms", figures::terms),
    ("actions", claims::actions),
    ("promises", claims::promises),
];

/// Rules on a draft: it may leave, it needs other words, or nothing like it may leave.
pub fn review(draft: &Draft, context: &GuardContext<'_>) -> Verdict {
    let sight = Sight::new(draft, context);
    let violations: Vec<Violation> = RULES.iter().filter_map(|(_, rule)| rule(&sight)).collect();
    if violations.is_empty() {
        Verdict::Allow
    } else if violations.iter().any(|violation| violation.severity == Severity::Block) {
        Verdict::Block(violations)
    } else {
        Verdict::Revise(violations)
    }
}

/// Longest piece of a draft that a violation repeats.
const FOUND_CHARS_MAX: usize = 80;

fn violation(rule: &'static str, found: &str, severity: Severity) -> Violation {
    Violation { rule, found: found.trim().chars().take(FOUND_CHARS_MAX).collect(), severity }
}
