//! What comes back from the model, as far as code can judge it before the guard does.

use serde::Deserialize;

use crate::assistant::local::heard::Heard;

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
    /// ISO 639-1 of the newest words.
    pub(super) language: String,
}

/// An answer in the shape of the `words` schema.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Worded {
    /// The message.
    pub(super) text: String,
}

/// An answer in the shape of the `listened` schema.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Listened {
    /// What the customer says to our question.
    pub(super) said: Said,
    /// With `values`: the slots they tell.
    pub(super) values: Vec<Told>,
    /// With `other`: a procedure's id, or nothing.
    pub(super) procedure: String,
    /// The question in its words.
    pub(super) text: String,
    /// ISO 639-1 of the customer's newest words.
    pub(super) language: String,
}

/// What a customer says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    /// What was asked for.
    Values,
    /// That they agree. It counts for nothing: a yes is read by code.
    Yes,
    /// That they do not want it.
    No,
    /// That they want something else.
    Other,
    /// Nothing of this.
    Nothing,
}

/// One value.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Told {
    /// The slot's name.
    pub(super) slot: String,
    /// What they say.
    pub(super) value: String,
}

impl Listened {
    /// What our own reading may be given to act on.
    pub(super) fn heard(&self) -> Option<Heard> {
        match self.said {
            Said::Values if !self.values.is_empty() => {
                let values = self.values.iter().map(|told| (told.slot.clone(), told.value.clone()));
                Some(Heard::Values(values.collect()))
            }
            Said::No => Some(Heard::No),
            Said::Other => Some(Heard::Other(Some(self.procedure.clone()).filter(|id| !id.is_empty()))),
            Said::Values | Said::Yes | Said::Nothing => None,
        }
    }
}

/// A language as the record keeps it: two small letters.
pub(super) fn code(language: &str) -> Option<String> {
    let language = language.trim().to_ascii_lowercase();
    (language.len() == 2 && language.bytes().all(|b| b.is_ascii_lowercase())).then_some(language)
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
