//! Cleaning a text for reading, splitting it into sentences, and a message into its requests.

use unicode_normalization::UnicodeNormalization;

/// More requests than this in one message are read as one text.
const REQUESTS_MAX: usize = 5;

/// Whether a character only steers how text is shown: zero width, direction, joiners, the byte order mark.
fn invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{00AD}')
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
            let ends = match c {
                '?' | '!' | '…' => true,
                '.' => {
                    let word =
                        line.get(from..at).unwrap_or_default().rsplit([' ', '(']).next().unwrap_or_default();
                    !ABBREVIATIONS.contains(&word.to_lowercase().as_str())
                }
                _ => false,
            };
            let next = chars.peek().map(|(_, next)| *next);
            if ends && next.is_none_or(char::is_whitespace) {
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

/// Words between two requests in one sentence.
const JOINTS: [&str; 14] = [
    " and also ",
    " also ",
    " and how ",
    " and can ",
    " and could ",
    " and where ",
    " and when ",
    " and what ",
    " and do you ",
    " and is ",
    " and i want ",
    " and please ",
    " plus ",
    "; ",
];

/// How a request begins or what it holds; a piece without any of these belongs to the piece before it.
const ASKING: [&str; 52] = [
    "how",
    "where",
    "when",
    "what",
    "whats",
    "wheres",
    "which",
    "who",
    "why",
    "can",
    "could",
    "do you",
    "does",
    "is it",
    "is there",
    "are",
    "will",
    "would",
    "i want",
    "i need",
    "i would like",
    "id like",
    "i wanna",
    "please",
    "cancel",
    "return",
    "refund",
    "exchange",
    "change",
    "send",
    "track",
    "give me",
    "help",
    "tell me",
    "show",
    "stop",
    "delete",
    "wo",
    "wann",
    "wie",
    "kann",
    "ich möchte",
    "où",
    "quand",
    "comment",
    "dónde",
    "cuándo",
    "dove",
    "quando",
    "onde",
    "waar",
    "hoe",
];

/// The separate requests in a message, in order; a text that asks for one thing comes back whole.
///
/// Sentences that ask for nothing (context, greetings) stay with the request they stand beside.
pub fn requests(text: &str) -> Vec<&str> {
    let mut pieces: Vec<&str> = Vec::new();
    for sentence in split(text) {
        pieces.extend(at_joints(sentence));
    }
    let asking = pieces.iter().filter(|piece| asks(piece)).count();
    if !(2..=REQUESTS_MAX).contains(&asking) {
        return vec![text.trim()];
    }
    // Each request reaches from its first piece to the last one before the next request.
    let mut requests: Vec<&str> = Vec::new();
    let (mut from, mut asked) = (0, false);
    for piece in pieces {
        let Some(at) = text.get(from..).and_then(|rest| rest.find(piece)).map(|at| from + at) else {
            continue;
        };
        if asks(piece) && asked {
            push(&mut requests, text.get(from..at));
            from = at;
        }
        asked |= asks(piece);
    }
    push(&mut requests, text.get(from..));
    requests
}

fn at_joints(sentence: &str) -> Vec<&str> {
    let lower = sentence.to_lowercase();
    if lower.len() != sentence.len() {
        return vec![sentence];
    }
    let mut cuts: Vec<usize> =
        JOINTS.iter().flat_map(|joint| lower.match_indices(joint).map(|(at, _)| at)).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts {
        let (head, tail) =
            (sentence.get(from..cut).unwrap_or_default(), sentence.get(cut..).unwrap_or_default());
        if cut > from && asks(head) && asks(tail.trim_start_matches([' ', ';'])) {
            push(&mut pieces, Some(head));
            from = cut;
        }
    }
    push(&mut pieces, sentence.get(from..));
    pieces
}

fn asks(piece: &str) -> bool {
    let plain = super::plain(piece);
    if plain.split(' ').count() < 2 {
        return false;
    }
    let plain = plain.trim_start_matches("and ").trim_start_matches("also ").trim_start_matches("and ");
    piece.trim_end().ends_with('?')
        || ASKING.iter().any(|word| starts(plain, word))
        || super::has_any(
            plain,
            &["i want to", "i need", "can you", "could you", "can i", "how do i", "where is", "please"],
        )
}

fn starts(plain: &str, word: &str) -> bool {
    plain.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
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

    #[test]
    fn two_requests_are_two_and_one_is_one() {
        let two = [
            ("wheres my order and also how do i return the boots", 2),
            ("Where is my parcel? How do I return the boots?", 2),
            ("cancel my order please. when are you open on saturday?", 2),
            ("i bought a tent and poles last week, where is it", 1),
            ("hi, my stove is broken. i need help with it", 1),
            ("where is my order", 1),
            ("HP-10042", 1),
            ("", 1),
        ];
        for (text, count) in two {
            assert_eq!(requests(text).len(), count, "{text}: {:?}", requests(text));
        }
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
