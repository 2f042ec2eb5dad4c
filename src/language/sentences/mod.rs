//! Cleaning a text for reading, splitting it into sentences, and a message into its requests.

use unicode_normalization::UnicodeNormalization;

pub use requests::requests;

mod requests;

/// Whether a character only steers how text is shown: zero width, direction, joiners, the byte order mark.
fn invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{E0000}'..='\u{E007F}')
        || (c.is_control() && c != '\n')
}

/// A text for reading: NFKC, without invisible characters, runs of spaces as one; line breaks stay.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.nfkc() {
        let c = if c == '\t' || c == '\r' { ' ' } else { c };
        if invisible(c) {
            continue;
        }
        if c.is_whitespace() && c != '\n' {
            if !clean.ends_with([' ', '\n']) {
                clean.push(' ');
            }
        } else {
            clean.push(c);
        }
    }
    clean.trim().to_owned()
}

/// Words that end in a full stop without ending a sentence.
const ABBREVIATIONS: [&str; 22] = [
    "e.g", "i.e", "etc", "mr", "mrs", "ms", "dr", "no", "nr", "st", "vs", "approx", "z.b", "bzw", "ca",
    "inkl", "p.ej", "sr", "sra", "m", "mme", "bijv",
];

/// The sentences of a text, trimmed, in order; lines are sentences of their own.
pub fn split(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    for line in text.split('\n') {
        let mut from = 0;
        let mut chars = line.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            // Looked at first: a long row of full stops must not be read again from its start at each of them.
            if chars.peek().is_some_and(|(_, next)| !next.is_whitespace()) {
                continue;
            }
            let ends = match c {
                '?' | '!' | '…' => true,
                '.' => {
                    let word =
                        line.get(from..at).unwrap_or_default().rsplit([' ', '(']).next().unwrap_or_default();
                    !ABBREVIATIONS.contains(&word.to_lowercase().as_str())
                }
                _ => false,
            };
            if ends {
                push(&mut sentences, line.get(from..at + c.len_utf8()));
                from = at + c.len_utf8();
            }
        }
        push(&mut sentences, line.get(from..));
    }
    sentences
}

fn push<'a>(sentences: &mut Vec<&'a str>, piece: Option<&'a str>) {
    if let Some(piece) = piece.map(str::trim).filter(|piece| !piece.is_empty()) {
        sentences.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_cleaned_of_what_cannot_be_seen() {
        assert_eq!(clean("can\u{200B}cel\u{202E} my\t\t order\0"), "cancel my order");
        assert_eq!(clean("ｃａｎｃｅｌ"), "cancel");
        assert_eq!(clean("one\n two"), "one\ntwo");
    }

    #[test]
    fn sentences_end_where_people_would_end_them() {
        assert_eq!(
            split("Hi there! It costs 5.99, e.g. a mug. Really?"),
            ["Hi there!", "It costs 5.99, e.g. a mug.", "Really?"]
        );
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let clean = clean(&text);
            prop_assert_eq!(super::clean(&clean), clean.clone());
            split(&text);
            prop_assert!(!requests(&text).is_empty());
        }
    }
}
