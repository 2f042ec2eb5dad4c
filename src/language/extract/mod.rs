//! Pieces of a message that have a form of their own: addresses, numbers, amounts, days, ids, card numbers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, RwLock};

use regex::Regex;

mod addresses;
mod amounts;
mod cards;
mod codes;
mod days;

pub use addresses::address;
pub use amounts::{Amount, amounts};
pub use codes::{is_masked, mask_six_digits, six_digits};
pub use days::dates;

/// Texts are read up to this many characters; what a message asks for stands before that.
const CHARS_MAX: usize = 20_000;

/// The text without what nobody after this may see: card numbers as `•••• 1234`, one-time codes as `••••`.
pub fn mask_secrets(text: &str) -> Cow<'_, str> {
    match cards::mask_cards(text) {
        Cow::Borrowed(text) => codes::mask_codes(text),
        Cow::Owned(masked) => match codes::mask_codes(&masked) {
            Cow::Owned(both) => Cow::Owned(both),
            Cow::Borrowed(_) => Cow::Owned(masked),
        },
    }
}

/// A regular expression of our own; one that does not compile finds nothing, and a test shows it.
fn own(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

fn read(text: &str) -> String {
    text.chars().take(CHARS_MAX).map(dash).collect()
}

/// Any dash as the plain one.
fn dash(c: char) -> char {
    if matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}') {
        '-'
    } else {
        c
    }
}

static EMAIL: LazyLock<Option<Regex>> =
    LazyLock::new(|| own(r"(?i)\b[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\.[a-z]{2,24}\b"));

/// The email addresses in a text, as written.
pub fn emails(text: &str) -> Vec<String> {
    let text = read(text);
    EMAIL
        .iter()
        .flat_map(|form| form.find_iter(&text).map(|found| found.as_str().to_owned()).collect::<Vec<_>>())
        .collect()
}

static NUMBER: LazyLock<Option<Regex>> =
    LazyLock::new(|| own(r"(?:^|[\s(])(\d{1,15})(?:$|[\s,;:!?)]|\.(?:\s|$))"));

/// Whole numbers that stand alone.
pub fn numbers(text: &str) -> Vec<i64> {
    // One space more between words, so that neighbours do not share the space that both need.
    let text = read(text).replace(' ', "  ");
    let found = NUMBER.iter().flat_map(|form| {
        form.captures_iter(&text).filter_map(|c| c.get(1)?.as_str().parse().ok()).collect::<Vec<_>>()
    });
    found.collect()
}

/// A compiled form of ids: as declared, and a looser one where the form is letters, a dash and digits.
struct IdForm {
    strict: Regex,
    loose: Option<Loose>,
}

/// Ids without their letters: after a word that names them, after another id, or in a message that holds little else.
struct Loose {
    named: Regex,
    next: Regex,
    letters: String,
    digits: usize,
}

/// Words between the things of a list.
const LIST_WORDS: &str = "and|und|y|e|et|en|or|oder|o|ou|of|plus";

impl IdForm {
    fn compile(pattern: &str) -> Option<Self> {
        static PLAIN: LazyLock<Option<Regex>> =
            LazyLock::new(|| own(r"^\^?([A-Za-z]{1,6})-\\d\{(\d{1,2})\}\$?$"));
        let bare = pattern.trim_start_matches('^').trim_end_matches('$');
        let strict = Regex::new(&format!(r"(?i)\b(?:{bare})\b")).ok()?;
        let loose = PLAIN.as_ref().and_then(|plain| plain.captures(pattern)).and_then(|parts| {
            let (letters, count) = (parts.get(1)?.as_str(), parts.get(2)?.as_str());
            let named = format!(
                r"(?i)(?:^|[\s(\[.,:;!?'\x22#])(?:{letters}[\s\-_#.:]{{0,3}}|#\s?|no\.?\s?|numbers?\s(?:is\s)?|orders?\s(?:no\.?\s|number\s|id\s)?(?:is\s)?)(\d{{{count}}})(?:$|[\s)\].,;:!?'\x22])"
            );
            // A number after another id is an id when a word joins them or the list ends with it: in
            // "HP-10042, 10115 Berlin" the second belongs to an address.
            let next = format!(
                r"(?i)^(?:[\s,;/]*(?:\b(?:{LIST_WORDS})\b|&|\+)\s*#?(\d{{{count}}})(?:$|[\s)\].,;:!?'\x22])|[\s,;/]+#?(\d{{{count}}})\s*(?:$|[,.;:!?)&]|(?:{LIST_WORDS})\b))"
            );
            Some(Loose {
                named: Regex::new(&named).ok()?,
                next: Regex::new(&next).ok()?,
                letters: letters.to_uppercase(),
                digits: count.parse().ok()?,
            })
        });
        Some(Self { strict, loose })
    }
}

impl Loose {
    /// The digits of ids in a text that follow what names them, or the ids that end at these places.
    fn numbers<'a>(&self, text: &'a str, after: &[usize]) -> Vec<&'a str> {
        let mut found: Vec<&str> = self.bare(text);
        let named = self.named.captures_iter(text).filter_map(|parts| parts.get(1));
        let mut ends: Vec<usize> = after.to_vec();
        for number in named {
            found.push(number.as_str());
            ends.push(number.end());
        }
        for mut end in ends {
            while let Some(parts) = text.get(end..).and_then(|rest| self.next.captures(rest))
                && let Some(number) = parts.get(1).or(parts.get(2))
            {
                found.push(number.as_str());
                end += number.end();
            }
        }
        found
    }

    /// Numbers in a message that holds little else: "it's 10042", "10042 10043".
    fn bare<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let (mut words, mut found) = (0, Vec::new());
        for token in text.split([' ', '\n', '\t']).filter(|token| !token.is_empty()) {
            let token =
                token.trim_matches(['(', ')', '[', ']', '.', ',', ':', ';', '!', '?', '\'', '"', '#']);
            if token.len() == self.digits && token.bytes().all(|b| b.is_ascii_digit()) {
                found.push(token);
            } else if LIST_WORDS.split('|').any(|word| word == token) || matches!(token, "" | "&" | "+") {
            } else if found.is_empty() && words < BARE_WORDS_MAX {
                words += 1;
            } else if !matches!(token, "please" | "pls" | "thanks" | "bitte" | "svp" | "graag") {
                return Vec::new();
            }
        }
        found
    }
}

/// So many words may stand before numbers that a message is about.
const BARE_WORDS_MAX: usize = 2;

static FORMS: LazyLock<RwLock<HashMap<String, Option<Arc<IdForm>>>>> = LazyLock::new(RwLock::default);
/// Forms come from procedures; this many are kept compiled.
const FORMS_MAX: usize = 1000;

fn form_of(pattern: &str) -> Option<Arc<IdForm>> {
    if let Ok(forms) = FORMS.read()
        && let Some(form) = forms.get(pattern)
    {
        return form.clone();
    }
    let form = IdForm::compile(pattern).map(Arc::new);
    if let Ok(mut forms) = FORMS.write() {
        if forms.len() >= FORMS_MAX {
            forms.clear();
        }
        forms.insert(pattern.to_owned(), form.clone());
    }
    form
}

/// Ids of a declared form, in upper case as the form writes them: `hp 10042` and `#10042` for `HP-\d{5}`.
/// A pattern that does not compile finds nothing.
pub fn by_pattern(text: &str, pattern: &str) -> Vec<String> {
    let Some(form) = form_of(pattern) else { return Vec::new() };
    let text = read(text);
    let upper = pattern.chars().any(char::is_uppercase) || form.loose.is_some();
    let shown = |found: &str| if upper { found.to_uppercase() } else { found.to_owned() };
    let strict: Vec<_> = form.strict.find_iter(&text).collect();
    let mut ids: Vec<String> = strict.iter().map(|found| shown(found.as_str())).collect();
    if let Some(loose) = &form.loose {
        let ends: Vec<usize> = strict.iter().map(regex::Match::end).collect();
        for number in loose.numbers(&text, &ends) {
            let id = format!("{}-{number}", loose.letters);
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert!(EMAIL.is_some() && NUMBER.is_some());
    }

    #[test]
    fn ids_are_found_however_they_are_typed() {
        for text in [
            "HP-10042",
            "hp-10042",
            "order hp 10042 please",
            "HP10042",
            "HP–10042",
            "#10042",
            "it's 10042",
            "where is (HP-10042)?",
            "no. 10042",
        ] {
            assert_eq!(by_pattern(text, r"HP-\d{5}"), ["HP-10042"], "{text}");
        }
        for text in [
            "100421",
            "TRK1004212345",
            "$10042.00",
            "10042-A",
            "+1 555 010 1004",
            "HP-1004",
            "ship it to 22 Lake Street, Duluth, MN 55802",
        ] {
            assert!(by_pattern(text, r"HP-\d{5}").is_empty(), "{text}");
        }
        assert!(by_pattern("anything", "(").is_empty());
    }

    #[test]
    fn several_ids_are_several_and_a_postcode_is_none() {
        for text in [
            "HP-10042 and HP-10043",
            "10042 10043",
            "10042, 10043",
            "10042 and 10043 please",
            "it's 10042 & 10043",
            "orders 10042 and 10043 are late",
            "HP-10042 und 10043",
            "HP-10042/10043",
            "cancel order 10042, 10043",
        ] {
            assert_eq!(by_pattern(text, r"HP-\d{5}"), ["HP-10042", "HP-10043"], "{text}");
        }
        for text in
            ["HP-10042, 10115 Berlin", "send HP-10042 to 10115 Berlin", "HP-10042 10 Lake St, MN 55802"]
        {
            assert_eq!(by_pattern(text, r"HP-\d{5}"), ["HP-10042"], "{text}");
        }
        assert!(by_pattern("Hauptstraße 5, 10115 Berlin", r"HP-\d{5}").is_empty());
    }

    #[test]
    fn email_addresses_and_numbers_are_found() {
        assert_eq!(emails("write to Mara.L+x@mail.example, please"), ["Mara.L+x@mail.example"]);
        assert_eq!(numbers("i need 2 of 3, not HP-10042 or 4.5"), [2, 3]);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = (emails(&text), numbers(&text), by_pattern(&text, r"HP-\d{5}"), address(&text), amounts(&text));
            let once = mask_secrets(&text).into_owned();
            let twice = mask_secrets(&once).into_owned();
            prop_assert_eq!(once, twice);
        }
    }
}
