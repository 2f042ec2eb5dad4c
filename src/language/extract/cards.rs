//! Payment card numbers: masked before anything is stored.

use std::borrow::Cow;

/// Shortest and longest card numbers (ISO/IEC 7812).
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// The value of a digit, plain or full width.
fn digit(c: char) -> Option<u32> {
    match c {
        '0'..='9' => Some(c as u32 - '0' as u32),
        '\u{FF10}'..='\u{FF19}' => Some(c as u32 - 0xFF10),
        _ => None,
    }
}

fn separates(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '\u{00A0}' | '\u{2010}'..='\u{2015}' | '_' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}')
}

/// The check that every card number passes (Luhn, ISO/IEC 7812-1 Annex B).
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, d)| if at % 2 == 1 { if *d > 4 { 2 * d - 9 } else { 2 * d } } else { *d })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|d| *d != 0)
}

/// The text with every card number as `•••• 1234`. Order, tracking and phone numbers stay.
pub fn mask_cards(text: &str) -> Cow<'_, str> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut masked: Option<String> = None;
    let (mut at, mut copied) = (0, 0);
    while at < chars.len() {
        let after_word = at > 0 && chars.get(at - 1).is_some_and(|(_, c)| c.is_alphanumeric());
        let begins = !after_word && chars.get(at).is_some_and(|(_, c)| digit(*c).is_some());
        if !begins {
            at += 1;
            continue;
        }
        let (digits, end) = run(&chars, at);
        if DIGITS.contains(&digits.len())
            && card(&digits)
            && !follows_letter(&chars, end)
            && !phone(&chars, at)
        {
            let out = masked.get_or_insert_with(String::new);
            let from = chars.get(at).map_or(text.len(), |(byte, _)| *byte);
            out.push_str(text.get(copied..from).unwrap_or_default());
            out.push_str("•••• ");
            out.extend(digits.iter().skip(digits.len() - 4).filter_map(|d| char::from_digit(*d, 10)));
            copied = chars.get(end).map_or(text.len(), |(byte, _)| *byte);
        }
        at = end;
    }
    match masked {
        Some(mut out) => {
            out.push_str(text.get(copied..).unwrap_or_default());
            Cow::Owned(out)
        }
        None => Cow::Borrowed(text),
    }
}

/// A run of digits with at most two separators between neighbours; its digits and the place after it.
fn run(chars: &[(usize, char)], from: usize) -> (Vec<u32>, usize) {
    let (mut digits, mut end, mut at) = (Vec::new(), from, from);
    while let Some((_, c)) = chars.get(at) {
        if let Some(value) = digit(*c) {
            digits.push(value);
            end = at + 1;
        } else if !separates(*c) || at - end >= 2 {
            break;
        }
        at += 1;
    }
    (digits, end)
}

/// The check digit, and a first digit that payment cards have.
fn card(digits: &[u32]) -> bool {
    luhn(digits) && digits.first().is_some_and(|first| (2..=6).contains(first))
}

fn follows_letter(chars: &[(usize, char)], end: usize) -> bool {
    chars.get(end).is_some_and(|(_, c)| c.is_alphabetic())
}

/// A `+` before the digits makes them a phone number.
fn phone(chars: &[(usize, char)], at: usize) -> bool {
    at > 0 && chars.get(at - 1).is_some_and(|(_, c)| *c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_masked_however_they_are_written() {
        for text in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "４１１１１１１１１１１１１１１１",
            "4111.1111.1111.1111",
            "4111\u{200B}111111111111",
        ] {
            let masked = mask_cards(&format!("my card is {text}, thanks")).into_owned();
            assert_eq!(masked, "my card is •••• 1111, thanks", "{text}");
        }
        assert_eq!(mask_cards("378282246310005"), "•••• 0005");
    }

    #[test]
    fn other_numbers_stay() {
        for text in [
            "HP-10042",
            "TRK6661054045",
            "+1 555 010 0142",
            "1234567890123456",
            "order 10042 and 10043",
            "",
            "0000000000000000",
            "+4111111111111111",
        ] {
            assert_eq!(mask_cards(text), text);
        }
    }
}
