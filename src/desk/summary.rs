//! Two or three sentences about a conversation, out of its own words: nothing in them is invented.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::domain::message::Author;

/// Longest quotation, in characters.
const QUOTE_CHARS_MAX: usize = 180;
/// Most identifiers, amounts and dates named.
const NAMED_MAX: usize = 6;

/// One entry of a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Who.
    pub author: Author,
    /// What.
    pub text: &'a str,
    /// Where, if known.
    pub channel: Option<&'a str>,
}

/// Order numbers, amounts and dates, as people write them.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)\b[a-z]{1,5}-?\d{3,}[a-z0-9]*\b|[$€£]\s?\d+(?:[.,]\d+)*|\b\d+(?:[.,]\d+)*\s?(?:€|£|\$|(?:eur|usd|gbp|euros?|dollars?|pounds?)\b)",
        r"|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}\.\d{1,2}\.\d{2,4}\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b",
        r"|\b\d{1,2}(?:st|nd|rd|th)?\s(?:january|february|march|april|may|june|july|august|september|october|november|december)\b",
        r"|\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\s\d{1,2}\b|\b\d{5,}\b",
    ))
    .ok()
});

/// Words that show that somebody wants something, in the languages we answer in.
const WANTS: [&str; 53] = [
    "want",
    "need",
    "would like",
    "please",
    "where",
    "when",
    "how",
    "why",
    "can you",
    "could you",
    "can i",
    "help",
    "refund",
    "cancel",
    "return",
    "exchange",
    "broken",
    "damaged",
    "missing",
    "late",
    "wrong",
    "not working",
    "doesn't work",
    "not arrived",
    "hasn't",
    "haven't",
    "charged",
    "invoice",
    "möchte",
    "brauche",
    "bitte",
    "wo ist",
    "wann",
    "erstatt",
    "stornier",
    "kaputt",
    "je veux",
    "je voudrais",
    "où est",
    "rembours",
    "annuler",
    "quiero",
    "necesito",
    "dónde",
    "reembols",
    "vorrei",
    "dove",
    "rimbors",
    "quero",
    "onde",
    "ik wil",
    "waar",
    "terug",
];

/// Says who wants what, what was done or offered last, and what is open.
pub fn summarize(lines: &[Said<'_>]) -> String {
    let Some(request) = key_sentence(lines) else {
        return match lines.iter().rev().find(|line| !line.text.trim().is_empty()) {
            Some(last) => format!(
                "The customer has not said anything in words yet. {}",
                quoted(&format!("The {} wrote", last.author.as_str()), last.text)
            ),
            None => "Nothing has been said yet.".to_owned(),
        };
    };
    let channels: Vec<&str> = in_order(lines.iter().filter_map(|line| line.channel));
    let place = if channels.is_empty() { String::new() } else { format!(" ({})", channels.join(", then ")) };
    let mut first = quoted(&format!("The customer{place} wrote"), request);
    let missing: Vec<String> =
        named(lines).into_iter().filter(|name| !first.contains(name.as_str())).collect();
    if !missing.is_empty() {
        first = format!("{} (also named: {}).", first.trim_end_matches('.'), missing.join(", "));
    }
    let mut sentences = vec![first];
    let answer =
        lines.iter().rev().find(|line| line.author != Author::Customer && !line.text.trim().is_empty());
    if let Some(answer) = answer {
        let who = format!("The {} last said", answer.author.as_str());
        sentences.push(quoted(&who, weightiest(answer.text).unwrap_or(answer.text)));
    }
    sentences.push(open_end(lines, request));
    sentences.join(" ")
}

/// The sentence of the customer that best says what they want.
pub(super) fn key_sentence<'a>(lines: &[Said<'a>]) -> Option<&'a str> {
    let mut best: Option<(i32, &'a str)> = None;
    let said = lines.iter().filter(|line| line.author == Author::Customer);
    for (place, line) in said.enumerate() {
        for sentence in sentences(line.text) {
            // Among equals the first message says it best; what follows are answers to questions.
            let score = weight(sentence) * 4 - i32::try_from(place).unwrap_or(i32::MAX).min(8);
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, sentence));
            }
        }
    }
    best.map(|(_, sentence)| sentence)
}

fn weightiest(text: &str) -> Option<&str> {
    // `max_by_key` would take the last of equals.
    sentences(text).into_iter().rev().max_by_key(|sentence| weight(sentence))
}

fn weight(sentence: &str) -> i32 {
    let lower = sentence.to_lowercase();
    let words = lower.split_whitespace().count();
    let wants = WANTS.iter().filter(|word| lower.contains(*word)).count().min(3);
    let mut weight = i32::try_from(wants).unwrap_or(3) * 2;
    weight += i32::from(sentence.contains('?')) * 2;
    weight += i32::from(NAMED.as_ref().is_some_and(|named| named.is_match(sentence))) * 2;
    weight += match words {
        0 | 1 => -3,
        2 | 3 => 0,
        4..=30 => 2,
        _ => 1,
    };
    weight
}

/// Sentences without the full stop of abbreviations and numbers; a line break ends one.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut from = 0;
        let mut marks = line.char_indices().peekable();
        while let Some((at, mark)) = marks.next() {
            let ends = matches!(mark, '.' | '!' | '?' | '…' | '。');
            if ends && marks.peek().is_none_or(|(_, next)| next.is_whitespace()) {
                let end = at + mark.len_utf8();
                found.extend(line.get(from..end));
                from = end;
            }
        }
        found.extend(line.get(from..));
    }
    found.into_iter().map(str::trim).filter(|s| s.chars().any(char::is_alphanumeric)).collect()
}

fn named(lines: &[Said<'_>]) -> Vec<String> {
    let Some(pattern) = NAMED.as_ref() else { return Vec::new() };
    let customer = lines.iter().filter(|line| line.author == Author::Customer);
    let others = lines.iter().filter(|line| line.author != Author::Customer);
    let found = customer.chain(others).flat_map(|line| pattern.find_iter(line.text).map(|m| m.as_str()));
    in_order(found).into_iter().take(NAMED_MAX).map(str::to_owned).collect()
}

fn in_order<'a>(items: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(item.to_lowercase())).collect()
}

fn open_end(lines: &[Said<'_>], request: &str) -> String {
    let said: Vec<&Said<'_>> = lines.iter().filter(|line| !line.text.trim().is_empty()).collect();
    match said.last() {
        Some(last) if last.author == Author::Customer => {
            let latest = weightiest(last.text).unwrap_or(last.text);
            if latest == request {
                "Open: the request has no answer yet.".to_owned()
            } else {
                quoted("Open: the customer's last message has no answer yet", latest)
            }
        }
        Some(last) if last.text.trim_end().ends_with('?') => {
            format!("Open: the customer has not answered the {}'s question.", last.author.as_str())
        }
        _ => "The customer has not written since.".to_owned(),
    }
}

fn quoted(lead: &str, text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut = if line.chars().count() <= QUOTE_CHARS_MAX {
        line
    } else {
        let mut head: String = line.chars().take(QUOTE_CHARS_MAX).collect();
        if let Some(space) = head.rfind(' ') {
            head.truncate(space);
        }
        format!("{head}…")
    };
    format!("{lead}: “{cut}”.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(author: Author, text: &str) -> Said<'_> {
        Said { author, text, channel: Some("web_chat") }
    }

    #[test]
    fn it_says_who_wants_what_what_was_answered_and_what_is_open() {
        let lines = [
            said(Author::Customer, "Hi there. My order HP-10042 never arrived, can you refund it?"),
            said(Author::Assistant, "I'm sorry. Shall I pass you to a person?"),
            said(Author::Customer, "yes. I paid $129.05 on 2026-11-02"),
        ];
        let summary = summarize(&lines);
        for part in [
            "My order HP-10042 never arrived, can you refund it?",
            "$129.05",
            "2026-11-02",
            "Shall I pass you to a person?",
            "Open:",
        ] {
            assert!(summary.contains(part), "{part} in {summary}");
        }
    }

    #[test]
    fn an_unanswered_first_message_is_open() {
        let summary = summarize(&[said(Author::Customer, "where is my parcel")]);
        assert_eq!(
            summary,
            "The customer (web_chat) wrote: “where is my parcel”. Open: the request has no answer yet."
        );
    }

    #[test]
    fn it_works_without_words_and_for_long_conversations() {
        assert_eq!(summarize(&[]), "Nothing has been said yet.");
        assert!(summarize(&[said(Author::Customer, " \n ")]).starts_with("Nothing"));
        assert!(summarize(&[said(Author::Agent, "Hello?")]).contains("Hello?"));
        let text = "ü".repeat(400);
        let long: Vec<Said<'_>> = (0..200).map(|_| said(Author::Customer, &text)).collect();
        assert!(summarize(&long).chars().count() < 1000);
    }

    #[test]
    fn every_quotation_is_in_the_conversation() {
        let lines = [
            said(Author::Customer, "hello\nI need an invoice for HP-10099 please"),
            said(Author::Agent, "Here it is."),
            said(Author::Customer, "thanks"),
        ];
        let all: String = lines.iter().map(|l| l.text.replace('\n', " ") + " ").collect();
        let summary = summarize(&lines);
        for quote in summary.split('“').skip(1).filter_map(|rest| rest.split('”').next()) {
            assert!(all.contains(quote), "{quote}");
        }
    }
}
