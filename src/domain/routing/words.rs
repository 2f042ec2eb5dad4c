//! The reasons of a choice, in words that an agent reads beside the case.

use std::collections::BTreeSet;

/// Languages by their codes, as English names them.
const LANGUAGES: [(&str, &str); 24] = [
    ("ar", "Arabic"),
    ("cs", "Czech"),
    ("da", "Danish"),
    ("de", "German"),
    ("el", "Greek"),
    ("en", "English"),
    ("es", "Spanish"),
    ("fi", "Finnish"),
    ("fr", "French"),
    ("he", "Hebrew"),
    ("hi", "Hindi"),
    ("hu", "Hungarian"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("ko", "Korean"),
    ("nl", "Dutch"),
    ("no", "Norwegian"),
    ("pl", "Polish"),
    ("pt", "Portuguese"),
    ("ru", "Russian"),
    ("sv", "Swedish"),
    ("tr", "Turkish"),
    ("uk", "Ukrainian"),
    ("zh", "Chinese"),
];

/// The English name of a language; its code where we have none.
pub fn language_name(code: &str) -> String {
    let named = LANGUAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code));
    named.map_or_else(|| code.to_owned(), |(_, name)| (*name).to_owned())
}

/// A channel inside a sentence.
pub(super) fn channel_words(channel: &str) -> String {
    channel.replace(['_', '-'], " ")
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed<'a>(items: impl IntoIterator<Item = &'a String>) -> String {
    let items: Vec<&str> = items.into_iter().map(String::as_str).collect();
    match items.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// How long, in the unit that people would use.
pub(super) fn span(ms: i64) -> String {
    match ms / 60_000 {
        0 => format!("{} s", ms / 1000),
        minutes @ 1..120 => format!("{minutes} min"),
        minutes => format!("{} h", minutes / 60),
    }
}

/// The members of `wanted` that are not in `owned`.
pub(super) fn missing(wanted: &BTreeSet<String>, owned: &BTreeSet<String>) -> BTreeSet<String> {
    wanted.difference(owned).cloned().collect()
}
