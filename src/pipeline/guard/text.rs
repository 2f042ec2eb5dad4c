//! One spelling for everything that is compared: lower case, plain letters and digits, nothing invisible.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Whether accents stay: for hosts they make another name, for words they make no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    Keep,
    Drop,
}

/// Folds a text; never fails, and folding twice changes nothing that matters.
pub(super) fn fold(text: &str, marks: Marks) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, marks, &mut folded);
    folded
}

/// Folds a text onto the end of another.
pub(super) fn fold_into(text: &str, marks: Marks, folded: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        // Nearly everything is plain, and is copied in long runs.
        let plain = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(plain);
        let from = folded.len();
        folded.push_str(run);
        if let Some(run) = folded.get_mut(from..) {
            run.make_ascii_lowercase();
        }
        let mut others = after.chars();
        if let Some(c) = others.next()
            && !invisible(c)
        {
            fold_char(c, marks, folded);
        }
        rest = others.as_str();
    }
}

fn fold_char(c: char, marks: Marks, folded: &mut String) {
    if c.is_whitespace() {
        folded.push(if matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}') { '\n' } else { ' ' });
        return;
    }
    if let Some(digit) = digit(c) {
        folded.push(digit);
        return;
    }
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}' | '\u{2043}' => {
            folded.push('-');
        }
        '’' | '‘' | '‛' | 'ʼ' | '´' => folded.push('\''),
        '“' | '”' | '„' | '«' | '»' => folded.push('"'),
        '。' | '．' | '｡' | '․' => folded.push('.'),
        '∕' | '⁄' | '／' => folded.push('/'),
        '∶' | '：' => folded.push(':'),
        'ß' if marks == Marks::Drop => folded.push_str("ss"),
        'æ' | 'Æ' if marks == Marks::Drop => folded.push_str("ae"),
        'œ' | 'Œ' if marks == Marks::Drop => folded.push_str("oe"),
        'ø' | 'Ø' if marks == Marks::Drop => folded.push('o'),
        _ if marks == Marks::Drop => {
            folded.extend(
                std::iter::once(c).nfkd().filter(|d| !is_combining_mark(*d)).flat_map(char::to_lowercase),
            );
        }
        _ => folded.extend(std::iter::once(c).nfkc().flat_map(char::to_lowercase)),
    }
}

/// Format characters, joiners, variation selectors and tags: nothing a reader sees.
fn invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{E0000}'..='\u{E0FFF}')
}

/// The first digit of each script's ten.
const ZEROS: [u32; 22] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20,
    0x1040, 0x17E0, 0x1810, 0xFF10, 0x1D7CE, 0x1D7D8, 0x1D7E2,
];

fn digit(c: char) -> Option<char> {
    let code = u32::from(c);
    ZEROS
        .iter()
        .find_map(|zero| code.checked_sub(*zero).filter(|d| *d < 10))
        .and_then(|d| char::from_digit(d, 10))
}

/// Whether `needle` stands in `text` with no letter or digit directly before or after it.
pub(super) fn stands_in(text: &str, needle: &str) -> bool {
    let outside = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    !needle.is_empty()
        && text.match_indices(needle).any(|(at, _)| {
            let before = text.get(..at).and_then(|head| head.chars().next_back());
            let after = text.get(at + needle.len()..).and_then(|tail| tail.chars().next());
            outside(before) && outside(after)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_is_left_of_many() {
        for spelling in [
            "HP-10042",
            "hp‑10042",
            "HP–1\u{200B}0042",
            "ＨＰ－１００４２",
            "HP−١٠٠٤٢",
            "H\u{AD}P-10042",
            "HP-𝟏𝟎𝟎𝟒𝟐",
        ] {
            assert_eq!(fold(spelling, Marks::Drop), "hp-10042", "{spelling}");
        }
        assert_eq!(fold("Rückerstattung à été ſtraße", Marks::Drop), "ruckerstattung a ete strasse");
        assert_eq!(fold("hárbor", Marks::Keep), "hárbor");
    }

    #[test]
    fn a_word_stands_only_between_other_signs() {
        assert!(stands_in("order hp-10042.", "10042"));
        assert!(!stands_in("order hp-100421", "10042"));
        assert!(!stands_in("x", ""));
    }
}
