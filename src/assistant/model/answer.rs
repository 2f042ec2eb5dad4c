//! What comes back from the model, as far as code can judge it before the guard does.

use serde::Deserialize;

/// An answer in the shape of the `reply` schema.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Reply {
    /// Words to the customer.
    pub(super) text: String,
    /// Ids of the passages and records they rest on.
    pub(super) used: Vec<String>,
    /// ISO 639-1 of the words.
    pub(super) language: String,
    /// The words ask something and wait.
    pub(super) asks: bool,
    /// The words answer everything that was asked.
    pub(super) resolves: bool,
    /// What the customer wants, in one line.
    pub(super) issue: String,
}

/// An answer in the shape of the `triage` schema.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Sorted {
    /// A procedure's id, or nothing.
    pub(super) procedure: String,
    /// Whether a colleague would not ask back.
    pub(super) confident: bool,
}

/// An answer in the shape of the `words` schema.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Worded {
    /// The message.
    pub(super) text: String,
}

/// Whether other words keep what the draft says in figures, names of things and links: every run with a digit, and
/// every address, occurs in them as often as the draft needs it once. That nothing is added the guard sees to.
pub(super) fn keeps(draft: &str, words: &str) -> bool {
    !words.trim().is_empty() && facts(draft).all(|fact| words.contains(fact))
}

fn facts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '“' | '”' | '"' | ',' | ';'))
        .map(|word| word.trim_matches(|c: char| matches!(c, '.' | ':' | '!' | '?' | '$' | '€' | '£')))
        .filter(|word| word.contains("://") || word.contains('@') || word.chars().any(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_words_keep_numbers_links_and_addresses() {
        let draft =
            "Order HP-10042 (Ridgeline 2 tent) arrives on Tuesday, $79.00. See https://x.example/a?b=1.";
        assert!(keeps(
            draft,
            "Good news! HP-10042, your Ridgeline 2, is due Tuesday: 79.00 USD. https://x.example/a?b=1"
        ));
        for lost in [
            "Your order HP-10042 arrives on Tuesday.",
            "Order HP-10043 (Ridgeline 2) $79.00 https://x.example/a?b=1",
            "Order HP-10042 (Ridgeline 2) $7.90 https://x.example/a?b=1",
            "Order HP-10042 (Ridgeline 2) $79.00 https://y.example/",
            "",
        ] {
            assert!(!keeps(draft, lost), "{lost}");
        }
    }
}
