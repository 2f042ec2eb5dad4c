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

/// Characters people put between the groups of a card number.
fn separates(c: char) -> bool {
    plainly(c) || matches!(c, '.' | ',' | '/' | '_' | '\n' | '\r' | '\t')
}

/// Separators between which any grouping of digits can be one number.
fn plainly(c: char) -> bool {
    matches!(c, ' ' | '-' | '\u{00A0}' | '\u{2010}'..='\u{2015}')
}

/// Characters nobody sees; digits on both sides of one belong to one group.
fn unseen(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{00AD}')
}

/// More separators than this between two digits, and a new number begins.
const SEPARATORS_MAX: usize = 3;

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

/// Digits that stand together, and where: places among the visible characters, and bytes of the text.
struct Group {
    digits: Vec<u32>,
    places: (usize, usize),
    bytes: (usize, usize),
}

/// The text with every card number as `•••• 1234`, also beside other numbers. Order, tracking and phone numbers stay.
pub(super) fn mask_cards(text: &str) -> Cow<'_, str> {
    if text.chars().filter(|c| digit(*c).is_some()).take(*DIGITS.start()).count() < *DIGITS.start() {
        return Cow::Borrowed(text);
    }
    let seen: Vec<(usize, char)> = text.char_indices().filter(|(_, c)| !unseen(*c)).collect();
    let mut found: Vec<&[Group]> = Vec::new();
    let groups = groups(&seen);
    let mut rest = groups.as_slice();
    while let Some(first) = rest.first() {
        let length = run_length(rest, &seen);
        let (run, after) = rest.split_at(length);
        rest = after;
        // The four digits that an earlier masking left are part of no other number.
        let left = first.digits.len() == 4 && before(&seen, first, 2) == Some('•');
        cards_of(if left { run.get(1..).unwrap_or_default() } else { run }, &seen, &mut found);
    }
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut masked, mut copied) = (String::with_capacity(text.len()), 0);
    for card in found {
        let (Some(first), Some(last)) = (card.first(), card.last()) else { continue };
        masked.push_str(text.get(copied..first.bytes.0).unwrap_or_default());
        masked.push_str("•••• ");
        let digits: Vec<u32> = digits_of(card);
        masked.extend(digits.iter().skip(digits.len() - 4).filter_map(|d| char::from_digit(*d, 10)));
        copied = last.bytes.1;
    }
    masked.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(masked)
}

fn groups(seen: &[(usize, char)]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, (at, c)) in seen.iter().enumerate() {
        let Some(value) = digit(*c) else { continue };
        let end = at + c.len_utf8();
        match groups.last_mut().filter(|group| group.places.1 == place) {
            Some(group) => {
                group.digits.push(value);
                (group.places.1, group.bytes.1) = (place + 1, end);
            }
            None => groups.push(Group { digits: vec![value], places: (place, place + 1), bytes: (*at, end) }),
        }
    }
    groups
}

fn between<'a>(seen: &'a [(usize, char)], one: &Group, next: &Group) -> &'a [(usize, char)] {
    seen.get(one.places.1..next.places.0).unwrap_or_default()
}

/// How many groups from the first have only a few separators between them.
fn run_length(groups: &[Group], seen: &[(usize, char)]) -> usize {
    let joined = |one: &Group, next: &Group| {
        let gap = between(seen, one, next);
        gap.len() <= SEPARATORS_MAX && gap.iter().all(|(_, c)| separates(*c))
    };
    1 + groups.iter().zip(groups.iter().skip(1)).take_while(|(one, next)| joined(one, next)).count()
}

/// The cards among the groups of one run, in order.
fn cards_of<'a>(mut run: &'a [Group], seen: &[(usize, char)], found: &mut Vec<&'a [Group]>) {
    while !run.is_empty() {
        let shaped = (0..run.len()).find_map(|from| {
            let size = SHAPES.iter().find(|shape| {
                run.get(from..from + shape.len())
                    .is_some_and(|window| fits(window, shape) && is_card(window, seen))
            })?;
            Some((from, from + size.len()))
        });
        let (from, to) = shaped.unwrap_or((run.len(), run.len()));
        let (head, tail) = (run.get(..from).unwrap_or_default(), run.get(to..).unwrap_or_default());
        // Any other grouping counts when nothing but the number stands there.
        let plain = head.iter().zip(head.iter().skip(1)).all(|(one, next)| {
            let gap = between(seen, one, next);
            gap.len() <= 2 && gap.iter().all(|(_, c)| plainly(*c))
        });
        if plain && is_card(head, seen) {
            found.push(head);
        }
        found.extend(run.get(from..to).filter(|card| !card.is_empty()));
        run = tail;
    }
}

/// How the digits of cards are grouped: in one piece, in fours, and as three schemes print theirs. Zero: 13 to 19.
const SHAPES: [&[usize]; 7] =
    [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 4, 4, 1], &[4, 6, 5], &[4, 6, 4], &[6, 13], &[0]];

fn fits(window: &[Group], shape: &[usize]) -> bool {
    window.iter().zip(shape).all(|(group, size)| match size {
        0 => DIGITS.contains(&group.digits.len()),
        size => group.digits.len() == *size,
    })
}

fn digits_of(groups: &[Group]) -> Vec<u32> {
    groups.iter().flat_map(|group| group.digits.iter().copied()).collect()
}

/// The character so many places before a group.
fn before(seen: &[(usize, char)], group: &Group, places: usize) -> Option<char> {
    group.places.0.checked_sub(places).and_then(|at| seen.get(at)).map(|(_, c)| *c)
}

/// The length, the check digit, and a beginning that payment cards have; no `+` before it.
fn is_card(groups: &[Group], seen: &[(usize, char)]) -> bool {
    let (Some(first), Some(last)) = (groups.first(), groups.last()) else { return false };
    let total: usize = groups.iter().map(|group| group.digits.len()).sum();
    if !DIGITS.contains(&total) || before(seen, first, 1) == Some('+') {
        return false;
    }
    let digits = digits_of(groups);
    let touched = before(seen, first, 1).is_some_and(char::is_alphabetic)
        || seen.get(last.places.1).is_some_and(|(_, c)| c.is_alphabetic());
    let begins = if touched { issued(&digits) } else { matches!(digits.first(), Some(2..=6)) };
    begins && luhn(&digits)
}

/// Whether a number begins and is as long as the large schemes issue them. Digits that touch letters are mostly ids of
/// other things, so they must look more like a card than others.
fn issued(digits: &[u32]) -> bool {
    let start = digits.iter().take(4).fold(0, |number, digit| number * 10 + digit);
    match digits.len() {
        13 | 19 => start / 1000 == 4,
        15 => matches!(start / 100, 34 | 37),
        16 => start / 1000 == 4 || matches!(start, 2221..=2720 | 5100..=5599 | 6011 | 6440..=6599),
        _ => false,
    }
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
    fn a_card_number_beside_other_numbers_and_letters_is_masked() {
        for (text, masked) in [
            ("HP-10042 4111 1111 1111 1111", "HP-10042 •••• 1111"),
            ("4111111111111111 12/27 123", "•••• 1111 12/27 123"),
            ("4111 1111 1111 1111 12 27", "•••• 1111 12 27"),
            ("1 4111111111111111", "1 •••• 1111"),
            ("visa4111111111111111exp 12/27", "visa•••• 1111exp 12/27"),
            ("4111,1111/1111\n1111", "•••• 1111"),
            ("4111 - 1111 - 1111 - 1111", "•••• 1111"),
            ("4111111111111111 5500005555555559", "•••• 1111 •••• 5559"),
            ("41 11 11 11 11 11 11 11", "•••• 1111"),
        ] {
            assert_eq!(mask_cards(text), masked, "{text}");
            assert_eq!(mask_cards(masked), masked, "{masked}");
        }
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
            "20.11.2026, 24.12.2026",
            "JJD3000390007882",
        ] {
            assert_eq!(mask_cards(text), text);
        }
    }
}
