//! Text understanding without a model: what a message is about, what it says, and how.
//!
//! Everything here is a pure function over text, linear in its length, and never panics.

pub mod classify;
pub mod detect;
pub mod extract;
pub mod mood;
pub mod sentences;
pub mod signals;

/// A text for comparing: lower case, letters and digits only, single spaces, apostrophes dropped.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            plain.push(c);
        } else if !matches!(c, '\'' | '’' | '`') && !plain.ends_with(' ') && !plain.is_empty() {
            plain.push(' ');
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// A pattern over plain text. Between its spaces there are only letters and digits, so a word needs no tables of
/// Unicode: they are what makes a pattern large.
pub(crate) fn over_plain(pattern: &str) -> Option<regex::Regex> {
    regex::Regex::new(&pattern.replace(r"\w", "[^ ]").replace(r"\d", "[0-9]")).ok()
}

/// Whether a plain text holds a plain phrase as whole words.
pub(crate) fn has_phrase(plain: &str, phrase: &str) -> bool {
    plain.match_indices(phrase).any(|(at, found)| {
        let before = plain.as_bytes().get(at.wrapping_sub(1)).is_none_or(|b| *b == b' ');
        let after = plain.as_bytes().get(at + found.len()).is_none_or(|b| *b == b' ');
        (at == 0 || before) && after
    })
}

/// Whether a plain text holds any of these plain phrases as whole words.
pub(crate) fn has_any(plain: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| has_phrase(plain, phrase))
}
