//! SMS segments: how many a text costs, and a text that costs fewer without saying anything else.
//!
//! Source: 3GPP TS 23.038, section 6.2.1 (the GSM 7 bit default alphabet and its extension table) and TS 23.040, section
//! 9.2.3.24.1 (the header of a part of a longer message takes 6 of 140 bytes).

/// Septets of one message, and of one part of several.
const SEPTETS: (usize, usize) = (160, 153);
/// UTF-16 units of one message, and of one part of several.
const UNITS: (usize, usize) = (70, 67);

/// The default alphabet beside letters and digits of ASCII.
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
/// Those that take two septets.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// How a text is written on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The GSM 7 bit alphabet.
    Gsm7,
    /// UTF-16 units, for everything else.
    Ucs2,
}

/// How many segments a text takes, at least one, and in which encoding.
pub fn count(text: &str) -> (usize, Encoding) {
    let septets: Option<Vec<usize>> = text.chars().map(septets).collect();
    if let Some(costs) = septets {
        return (fill(&costs, SEPTETS), Encoding::Gsm7);
    }
    let units: Vec<usize> = text.chars().map(char::len_utf16).collect();
    (fill(&units, UNITS), Encoding::Ucs2)
}

/// The same words in the cheaper alphabet where only marks stand against it: curly quotes, dashes, an ellipsis, spaces of
/// special widths. A letter, a sign or an emoji that it lacks leaves the text as it is, and so does a name or an id.
pub fn minimised(text: &str) -> String {
    if count(text).1 == Encoding::Gsm7 {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match mark(c) {
            Some(same) => plain.push_str(same),
            None => plain.push(c),
        }
    }
    if count(&plain).1 == Encoding::Gsm7 { plain } else { text.to_owned() }
}

fn septets(c: char) -> Option<usize> {
    if c.is_ascii_alphanumeric() || ALPHABET.contains(c) {
        Some(1)
    } else {
        EXTENSION.contains(c).then_some(2)
    }
}

/// Segments for characters of these costs; none is cut in two.
fn fill(costs: &[usize], (alone, part): (usize, usize)) -> usize {
    if costs.iter().sum::<usize>() <= alone {
        return 1;
    }
    let (mut segments, mut used) = (1, 0);
    for cost in costs {
        if used + cost > part {
            segments += 1;
            used = 0;
        }
        used += cost;
    }
    segments
}

/// The plain form of a mark that is no letter.
fn mark(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2018}'..='\u{201b}' | '`' | '´' | '\u{2032}' | '‹' | '›' => "'",
        '\u{201c}'..='\u{201f}' | '«' | '»' | '\u{2033}' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '•' | '‣' => "-",
        '…' => "...",
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\t' => " ",
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => "",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn segments_are_counted_as_carriers_do() {
        for (text, segments) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // 153 is odd: two septets are never parted, so 76 fit.
            ("€".repeat(153), 3),
        ] {
            assert_eq!(count(&text), (segments, Encoding::Gsm7), "{}", text.chars().count());
        }
        for (text, segments) in [
            ("ж".repeat(70), 1),
            ("ж".repeat(71), 2),
            ("ж".repeat(134), 2),
            ("ж".repeat(135), 3),
            ("👍".repeat(35), 1),
            ("👍".repeat(36), 2),
            // 67 is odd: 33 fit.
            ("👍".repeat(67), 3),
        ] {
            assert_eq!(count(&text), (segments, Encoding::Ucs2), "{}", text.chars().count());
        }
        assert_eq!(count("Größe, ñ, Ç, Δ, [x] ~ 5 €").1, Encoding::Gsm7);
        assert_eq!(count("Ă`").1, Encoding::Ucs2);
    }

    #[test]
    fn marks_become_plain_where_that_makes_the_text_cheaper() {
        let typeset = "“Where’s HP‑10042?” – it’s on its way…\u{a0}Größe 42";
        assert_eq!(minimised(typeset), "\"Where's HP-10042?\" - it's on its way... Größe 42");
        assert_eq!(count(&minimised(typeset)).1, Encoding::Gsm7);
        for kept in ["plain", "it’s Łukasz", "“да”", "fine 👍…", ""] {
            assert_eq!(minimised(kept), kept);
        }
    }

    proptest! {
        #[test]
        fn no_letter_and_no_digit_is_ever_changed(text in any::<String>()) {
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            let smaller = minimised(&text);
            prop_assert_eq!(letters(&smaller), letters(&text));
            prop_assert!(count(&smaller).0 <= count(&text).0);
        }
    }
}
